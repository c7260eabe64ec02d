"""The pack switches itself off: for storage, for shipping, or because it is nearly empty.

Order: both gates open; then everything new is in the flash (log, latched faults, state of charge,
and the file /ship, which tells the next start why); only then the measuring chip is told, because
the processor's supply may go with it. Where it does not, the board restarts and waits without
watchdog and with its gates off, until the chip answers again (resting.shipped).
Limits: whatever is missing on the way ends it, and the pack stays on. Lent.
"""

import asyncio
import os

from bms import requests
from bms.events import SHIP
from bms.points import QUALITY_UNKNOWN
from bms.sample import MODE_NORMAL, MODE_OFF
from bms.ship_rules import refusal
from resting.rest import fetched
from resting.shipped import MARK

_ASKED, _EMPTY = 0, 1  # codes of the event
_TURN_MS = 100
_OPEN_TURNS = 50  # contactors take up to 2 s, longer if a current has to fall first
_OFF_TURNS = 30
_WRITTEN_MS = 3000


async def ship(application, board):
    """Does not return where it worked; else says why not."""
    cause = _ASKED if application.asked_to_ship else _EMPTY
    application.asked_to_ship = False
    try:
        problem = await _switch_off(application, board, cause)
    except Exception:
        await _stay(application.battery)
        raise
    await _stay(application.battery)
    print("the pack does not switch itself off: %s" % problem)


async def _stay(battery):
    """Here it goes on being a battery."""
    _forget()
    battery.chip_mode = MODE_NORMAL
    if battery.mode_told == MODE_OFF:  # what was measured before counts no more
        await _until(lambda: battery.requests.post(requests.REPROGRAM_AFE), _OFF_TURNS)
        await _until(lambda: battery.mode_told != MODE_OFF, _OFF_TURNS)
    battery.shipping = False


async def _switch_off(application, board, cause):
    """Returns why it did not work."""
    battery = application.battery
    points = application.points
    snapshot = points.new_snapshot()
    view = memoryview(snapshot)

    def point(name):
        points.snapshot_into(view)
        return snapshot[points.offset(name)]

    async def refused():
        await fetched(application)
        first = points.offset("faults")
        point("faults")
        names = application.faults.names
        raised = [
            names.name(bit)
            for bit in range(len(application.faults))
            if snapshot[first + (bit >> 4)] >> (bit & 15) & 1
        ]
        return refusal(point, raised, application.parameters.value("idle_current_ma"))

    problem = await refused()
    if problem:
        return problem
    if not application.events.hand_over(SHIP, cause, point("cell_min_mv")):
        return "the event log is busy"
    battery.shipping = True
    if not await _until(lambda: point("gates") == 0, _OPEN_TURNS):
        return "the gates did not open"
    # The recorder writes once a second what is new; its failure is a fault.
    checkpoint = battery.checkpoint
    checkpoint.due = point("soc_quality") > QUALITY_UNKNOWN
    await asyncio.sleep_ms(_WRITTEN_MS)
    if application.events.waiting() or checkpoint.due:
        return "what has to be kept could not be written"
    problem = await refused()
    if problem:
        return problem
    try:
        with open(MARK, "w"):
            pass  # resting.shipped looks for the file, not into it
    except OSError as failure:
        return "the flash takes no more (%s)" % failure
    battery.chip_mode = MODE_OFF
    if not await _until(lambda: battery.mode_told == MODE_OFF, _OFF_TURNS):
        return "the measuring chip does not take the command"
    application.recorder.expect_reset()
    board.reset()
    return "the board does not restart"


async def _until(true, turns):
    for _ in range(turns):
        if true():
            return True
        await asyncio.sleep_ms(_TURN_MS)
    return False


def _forget():
    try:
        os.remove(MARK)
    except OSError:
        pass  # it was not there
