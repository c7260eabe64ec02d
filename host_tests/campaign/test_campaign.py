"""A fixed sample of the campaign: every fault once, some pairs, resets; on all processors."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from host_tests.campaign import plan, restarts, run
from host_tests.campaign.rows import (
    ALL,
    CONTACTORS,
    FETS,
    LAST,
    LATE,
    PREDISCHARGE,
    rows_of,
)

# Pairs in which one fault could hide the other, or the way back from it.
_PAIRS = (
    (FETS, "short_circuit", "cell_undervoltage"),
    (FETS, "afe_protections_off", "cell_overvoltage"),
    (FETS, "afe_silent", "overtemperature"),
    (FETS, "charge_gate_welded", "cell_overvoltage"),
    (FETS, "afe_reset", "thermistor_open"),
    (FETS, "flash_failing", "deep_discharge"),
    (FETS, "inverter_silent", "overcurrent_discharge"),
    (FETS, "short_circuit", "afe_protections_off"),
    (PREDISCHARGE, "stack_mismatch", "can_bus_off"),
    (CONTACTORS, "contactor_positive_welded", "cell_overvoltage"),
    (CONTACTORS, "interlock_broken", "current_sensor_silent"),
    (CONTACTORS, "short_circuit", "afe_reset"),  # the last: the fuse stays blown
)
_STARTS = (
    (FETS, "open_wire"),
    (FETS, "cell_overvoltage"),
    (FETS, "afe_crc_noise"),
    (CONTACTORS, "interlock_broken"),
)
# The chip alone, a loop of resets, a latched fault through a power cut, slow steps without end
_RESTARTS = (1, 5, 7, 11)
# The chip's restarts while it is being programmed are not counted, so that the supply is never
# named as what fails; the gates are off all the time.
_UNNAMED = "afe_brownouts"

# The sample is played in the first test's fixture: minutes on a busy machine.
pytestmark = pytest.mark.timeout(600)


def _singles():
    """Every fault once: on FETs if it can be, else where it can."""
    seen = {_UNNAMED}
    for pack in ALL:
        rows = rows_of(pack)
        new = [name for name in rows if name not in seen]
        seen.update(new)
        new.sort(key=lambda name, rows=rows: rows[name].place in (LATE, LAST))
        middle = len(new) // 2
        yield from ((pack, name) for name in new[:middle])
        yield None
        yield from ((pack, name) for name in new[middle:])
        yield None


def _boots():
    """Some boots of about the same length, by a name."""
    boots, items = {}, []
    for single in _singles():
        if single is not None:
            pack = single[0]
            items.append((single[1],))
        elif items:
            boots[f"singles-{len(boots) + 1}-{pack}"] = plan.boot_of(pack, items)
            items = []
    for pack in ALL:
        pairs = [pair[1:] for pair in _PAIRS if pair[0] == pack]
        boots[f"pairs-{pack}"] = plan.boot_of(pack, pairs)
    for pack, name in _STARTS:
        boots[f"start-{name}"] = plan.boot_of(pack, [("start", name)])
    boots["clear-too-early"] = _too_early(plan.boot_of(FETS, [("short_circuit",)]))
    return boots


def _too_early(boot):
    """Somebody types `clear` while the short circuit still stands, and it goes on standing."""
    episode = boot.episodes[0]
    episode.early_clear_s = episode.inject_s[0] + 2
    episode.mend_s = episode.early_clear_s + 12
    episode.clear_s = episode.mend_s + 10
    episode.end_s = episode.clear_s + 14
    return boot


_BOOTS = _boots()


@pytest.fixture(scope="module")
def verdicts():
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {name: pool.submit(run.play_and_judge, boot) for name, boot in _BOOTS.items()}
        for number in _RESTARTS:
            jobs[number] = pool.submit(restarts.play_and_judge, 1, number)
        return {name: job.result() for name, job in jobs.items()}


@pytest.mark.parametrize("name", _BOOTS)
def test_the_firmware_does_what_the_table_expects(verdicts, name):
    verdict = verdicts[name]
    assert verdict.violations == []
    assert verdict.judged == len(_BOOTS[name].episodes)


@pytest.mark.parametrize("number", _RESTARTS)
def test_resets_and_hangs_leave_what_they_must(verdicts, number):
    assert verdicts[number].violations == []


def test_the_sample_has_every_fault(verdicts):
    played = {name for boot in _BOOTS.values() for e in boot.episodes for name in e.faults}
    assert played == {name for pack in ALL for name in rows_of(pack)} - {_UNNAMED}
    assert sum(verdict.noticed for verdict in verdicts.values()) > 40


def test_a_supply_that_fails_again_and_again_keeps_the_gates_off():
    """What fails is not named as the row demands (docs/known-gaps.md); nothing else is wrong."""
    found = run.play_and_judge(plan.boot_of(FETS, [(_UNNAMED,)], seed=5)).violations
    assert {violation.kind for violation in found} <= {"not logged", "not shown"}
