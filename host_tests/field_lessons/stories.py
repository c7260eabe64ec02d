"""A run of the whole firmware, told as a story, and what must hold in every one of them.

Runs are `host_tests.system.simulated_board.run_board` with what all lessons share; nothing here
knows a lesson.
"""

from bms.events import KINDS
from bms.faults import Faults
from host_tests.system.simulated_board import SETTINGS, run_board

CHARGE, DISCHARGE = 1, 2  # columns of the gate trace, and bits of the gates
POSITIVE, NEGATIVE, PRECHARGE = 1, 2, 4  # bits of the contact trace (boards/sim/contactors.py)
CONTACTORS = {"power_path": 2, "contactor_poles": 1, "contactor_aux": 1}
PATH_ON, PATH_OPENING, PATH_BUS_ABOVE = 1, 4, 8  # docs/points.md
CVL_MV = 16 * 3500  # series_cells times the default of charge_cell_mv for LiFePO4
LEAST_CVL_MV = 16 * 3300  # a resting pack: no lower for any cell's sake
UNLOCK = "unlock %d\r" % SETTINGS["access_code"]
_NAMES = Faults().names
_CAUSES = ("fault", "afe_trip", "request")


def run(path, duration_s, *, settings=None, orders=(), **options):
    """A run that ends with a note of all that was logged."""
    orders = [*orders, [duration_s - 0.5, {"note": 200}]]
    story = run_board(
        path,
        duration_s=duration_s,
        # Stories are short: limits rise as fast as they can be told to.
        settings={**SETTINGS, "limit_rise_s": 5, **(settings or {})},
        orders=orders,
        **options,
    )
    assert story.end["reason"] in ("duration", "watchdog"), story.output
    check_promises(story)
    return story


def check_promises(story):
    """Lessons 16, 18 and 34, for every second of every story."""
    comes_down_s = 0
    for status in story.statuses[:-1]:  # the last one is of a program that ended
        points, gates = status["points"], status["truth"]["gates"]
        if not points:
            continue  # not built yet
        charge_ma = points["charge_current_limit_ma"]
        discharge_ma = points["discharge_current_limit_ma"]
        if points["pack_voltage_mv"] is None:
            assert charge_ma == discharge_ma == 0, status
            assert points["soc_bp"] is None, status
            assert set(points["cell_voltage_mv"]) == {None}, status
        assert gates & CHARGE or charge_ma == 0, status
        assert gates & DISCHARGE or discharge_ma == 0, status
        if points["path_state"] == PATH_BUS_ABOVE:  # then the charger has to come down first
            comes_down_s = status["t_s"] + 3
        if status["t_s"] > comes_down_s:
            assert LEAST_CVL_MV <= points["charge_voltage_limit_mv"] <= CVL_MV, status


def events(story):
    """(uptime_s, kind, name of a fault or code, value) of all that was logged, oldest first."""
    told = []
    for _, _, uptime_s, kind, code, value in reversed(story.notes[-1]["events"]):
        name = KINDS[kind]
        told.append((uptime_s, name, _NAMES.name(code) if "fault" in name else code, value))
    return told


def logged_faults(story):
    """Names of the faults that were logged, in order."""
    return [name for _, kind, name, _ in events(story) if kind == "fault"]


def unexplained_drops(story):
    """Times in s at which a gate went off with no cause logged in the second before or after."""
    causes_s = [at for at, kind, _, _ in events(story) if kind in _CAUSES]
    drops = []
    before = [0, False, False]
    for entry in story.end["trace"]:
        at_s = entry[0] / 1e6
        dropped = any(was and not now for was, now in zip(before[1:], entry[1:], strict=True))
        before = entry
        explained = any(abs(at_s - cause_s) <= 1 for cause_s in causes_s)
        if dropped and not explained and at_s < story.end["t_s"]:
            drops.append(at_s)
    return drops


def gates_at(story, t_s):
    """GATE_* bits that were really on at a moment."""
    gates = 0
    for at_us, charge, discharge in story.end["trace"]:
        if at_us > t_s * 1e6:
            break
        gates = charge * CHARGE | discharge * DISCHARGE
    return gates


def statuses_between(story, first_s, last_s):
    """The statuses of these seconds, both ends included; there is at least one."""
    found = [s for s in story.statuses if first_s <= s["t_s"] <= last_s]
    assert found
    return found


def frames(story, identifier):
    """The data of all CAN frames with this identifier."""
    return [data for found, data in story.frames() if found == identifier]


def load_file(path, *rows):
    """A load of (seconds, amperes) rows, charging positive, for run's `load`."""
    file = path / "load.csv"
    file.write_text("t_s,I_A\n" + "".join("%g,%g\n" % row for row in rows))
    return str(file)
