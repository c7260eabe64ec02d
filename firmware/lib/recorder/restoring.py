"""What the recorder does once, at the start: look at what is there, and give it to the battery.

Start-up only; who called it gives the module back.
"""

from bms.events import LAST_FAULT
from bms.sample import GATES_BOTH
from bms.table import INVALID, give_back
from storage.retained import NO_FAULT


def flash_problems(directory, state, events_log):
    """Why the flash check of the self-test failed, in sentences."""
    from storage import flash_check

    problems = flash_check.unreadable(directory)
    give_back("storage.flash_check")
    if state.lost():
        problems.append("the flash check failed: of state_a.json and state_b.json none is whole")
    if not events_log.boot:
        problems.append("the flash check failed: the event log can not be looked through")
    return problems


def restore(battery, latched, words, state, retained, health, estimates, events):
    """Give the battery what it knew before it stopped. latched: names of the state's words of
    faults; words: room for as many; health, estimates: pairs of storage.slots."""
    get = state.get
    for word, name in enumerate(latched):
        words[word] = get(name, 0) | retained.latched[word]
    # A state file that was damaged may have said more: a person has to look (`gates auto`).
    damaged = bool(state.problems) and state.loaded
    restricted = bool(get("restricted", 0)) or retained.restricted
    battery.restore(words, restricted or damaged)
    battery.forbidden = get("forbidden", 0) & GATES_BOTH
    battery.deep_discharge.restore(
        get("lowest_cell_mv", INVALID), bool(get("deep_discharge_acknowledged", 0))
    )
    battery.restore_empty(get("undervoltage_rebounds", 0), bool(get("empty", 0)))
    _restore_health(battery.health, health)
    if battery.checkpoint is not None:
        found = estimates.read()
        battery.checkpoint.restore(found[0][1] if found else {})
    if retained.last_fault != NO_FAULT:
        events.post(LAST_FAULT, retained.last_fault, 0, 0)
    if retained.boot_loop:
        battery.latch("boot_loop")


def _restore_health(health, slots):
    if health is None:
        return
    found = slots.read()
    if found:
        values = found[0][1]
        health.restore([values.get("k%d" % at, 0) for at in range(len(values))])
