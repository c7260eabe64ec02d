"""What must happen for each of the simulator's faults: the campaign's table of expectations.

Reasoned from the faults table (what blocks which direction, what latches), the default parameters
(delays, release delays) and law 2 of the design (delay + two periods + the chip's scan), never
from what the firmware was seen to do. Times in ms count from the moment at which the cause is
there: the injection, or for what follows a measured quantity, the moment at which the truth
crosses the trip (host_tests/campaign/truth.py).
"""

from dataclasses import dataclass, replace

PERIOD_MS = 100  # default of step_period_ms
SCAN_MS = 63  # SLUUBY2B: a scan of all slots with three thermistors
FULL_SCAN_MS = 3 * SCAN_MS  # stack and temperatures take turns
LAW_MS = 2 * PERIOD_MS + SCAN_MS
HOLDOVER_MS = 500  # law 3
BLIND_MS = HOLDOVER_MS + 2 * PERIOD_MS + SCAN_MS
CHIP_REACTION_MS = 250  # SLUUBY2B: reactions off the fast path come up to 250 ms later
HOLD_S = 5  # faults of chip and link stay this long after their last sign
PROGRAM_S = 8  # programming and self-test of the measuring chip take about 6 s here

# How it ends once its cause is gone.
SELF = "by itself"
PERSON = "after `clear`"
CHARGE = "by charge current or `clear`"
NEVER = "never"

FETS, PREDISCHARGE, CONTACTORS = "fets", "fets_predischarge", "contactors"
ALL = (FETS, PREDISCHARGE, CONTACTORS)
WITH_FETS = (FETS, PREDISCHARGE)

# Where in a boot an episode may stand.
ANYWHERE = "anywhere"
ONCE = "once"  # what the firmware counts over ten minutes
LATE = "late"  # after all others
LAST = "last"  # nothing can be judged afterwards


@dataclass(frozen=True)
class Row:
    """opens: "c", "d", "cd" or "": directions that the injection alone must open within_ms.
    signals: rows of the truth whose crossing this fault brings about; they have their own times.
    names: faults of which at least one must be logged and shown, if anything had to open.
    also: other faults that the same cause may raise.
    with_others: what it may raise, too, beside another fault.
    stubborn: faults of which one must be named, in place of names, if it stood for stubborn_s.
    masked_by: (fault, faults): beside that one, one of these does in place of stubborn.
    hidden_by: (fault, ms): if that one was there within ms, too, this one comes to nothing, or
    nobody can see it.
    unmasks: faults of which one must be named once something opened the path.
    hold_s: how long it must stand until the slowest of this is over.
    recovers_s: after its cause is gone (and, for PERSON, after `clear` as well).
    blinds: no measurement is valid meanwhile: nothing is shown, other causes need no name.
    fuse: a fuse ends it, and a closed path shows that; who opens the path first is named instead.
    cuts_coils: it takes the coils' supply from contactors at once, whatever current they carry.
    """

    name: str
    opens: str = ""
    within_ms: int = 0
    signals: tuple = ()
    names: tuple = ()
    also: tuple = ()
    with_others: tuple = ()
    stubborn: tuple = ()
    stubborn_s: float = 0
    masked_by: tuple = ("", ())
    hidden_by: tuple = ("", 0)
    unmasks: tuple = ()
    ends: str = SELF
    stands: tuple = ()  # for NEVER: faults of which one stands at the end
    recovers_s: float = 8
    hold_s: float = 3
    blinds: bool = False
    packs: tuple = ALL
    place: str = ANYWHERE
    retries_s: float = 0  # closes again for a look after so long, though its cause stands
    lasts_s: float = 1e9  # the cause is over by itself after so long
    needs: str = ""  # direction that must be on for the cause to do anything
    pairs: bool = True
    from_start: bool = False  # also worth a boot that begins with it
    cuts_coils: bool = False
    fuse: bool = False


_CELL_TRIPS = ("cell_overvoltage", "cell_undervoltage")  # the chip sees the same cells
_CHIP_GONE = ("afe_watchdog", "afe_trip_unseen", "afe_restarted", "afe_lost")
_TEMPERATURES = (
    "overtemperature_charge", "overtemperature_discharge",
    "undertemperature_charge", "undertemperature_discharge",
)  # fmt: skip
_WRONG_CELLS = (*_CELL_TRIPS, "self_test_failed", "stack_mismatch")

ROWS = (
    # Cells and pack. Release: 5 s beyond the release threshold, the chip's own recovery 5 s.
    Row(
        "cell_overvoltage", signals=("cell_overvoltage",), names=("cell_overvoltage",),
        also=("cell_imbalance",), recovers_s=13, from_start=True,
    ),
    Row(
        "cell_undervoltage", signals=("cell_undervoltage",), names=("cell_undervoltage",),
        also=("cell_imbalance", "deep_discharge"), ends=CHARGE,
        recovers_s=13, from_start=True,
    ),
    Row(
        "deep_discharge", signals=("cell_undervoltage", "deep_discharge"),
        names=("deep_discharge",),
        also=("cell_undervoltage", "cell_imbalance"), ends=PERSON,
        recovers_s=14, hold_s=7, from_start=True,
    ),
    Row(
        "cell_dead", signals=("cell_undervoltage", "deep_discharge"),
        names=("cell_below_floor",),
        also=("cell_undervoltage", "deep_discharge", "cell_imbalance"),
        ends=NEVER, stands=("cell_below_floor",), recovers_s=14, hold_s=18, place=LAST,
    ),
    Row(
        "cell_imbalance", signals=("cell_imbalance",), names=("cell_imbalance",),
        also=_CELL_TRIPS, recovers_s=24, hold_s=12,
    ),
    Row(
        "pack_overcharged", signals=("pack_overvoltage",), names=("pack_overvoltage",),
        also=("cell_overvoltage",), recovers_s=13, hold_s=4,
    ),
    Row(
        "pack_emptied", signals=("pack_undervoltage",), names=("pack_undervoltage",),
        also=("cell_undervoltage",), ends=CHARGE, recovers_s=13, hold_s=5,
    ),
    # Currents: 30 s below the release, then the gate is tried again.
    Row(
        "overcurrent_charge", signals=("overcurrent_charge",), names=("overcurrent_charge",),
        also=("cell_overvoltage", "pack_overvoltage", "limited_current"),
        recovers_s=36, hold_s=5, retries_s=29,
    ),
    Row(
        "overcurrent_discharge", signals=("overcurrent_discharge",),
        names=("overcurrent_discharge",),
        also=("cell_undervoltage", "pack_undervoltage", "limited_current"),
        recovers_s=36, hold_s=5, retries_s=29,
    ),
    Row(
        "short_circuit", opens="cd", within_ms=CHIP_REACTION_MS + LAW_MS,
        names=("short_circuit",), also=("fast_overcurrent_discharge",), ends=PERSON,
        recovers_s=14, needs="d", packs=WITH_FETS,
    ),
    Row(  # no chip that sees the current: the fuse is what ends it
        "short_circuit", opens="cd", within_ms=3000,
        names=("contactor_stuck_open", "fast_overcurrent_discharge", "fuse_expected"),
        also=("cell_undervoltage", "pack_undervoltage", "measurement_implausible",
              "deep_discharge", "precharge_failed", "stack_mismatch"),
        ends=NEVER, needs="d", packs=(CONTACTORS,), place=LAST, fuse=True,
    ),
    # Temperatures: reached within 17 s, gone within 10 s, released 10 s later.
    Row(
        "overtemperature", signals=("overtemperature_charge", "overtemperature_discharge"),
        names=("overtemperature_charge",), also=("overtemperature_discharge", "thermistor_frozen"),
        recovers_s=26, hold_s=20,
    ),
    Row(
        "undertemperature", signals=("undertemperature_charge", "undertemperature_discharge"),
        names=("undertemperature_charge",),
        also=("undertemperature_discharge", "thermistor_frozen"), recovers_s=30, hold_s=21,
    ),
    Row(  # the chip sits beside the switches and is as hot; they cool with 60 s
        "fet_hot", signals=("fet_overtemperature",),
        names=("fet_overtemperature", "afe_overtemperature"),
        also=("afe_overtemperature", "fet_overtemperature"), recovers_s=80, hold_s=16,
    ),
    Row(  # without a sensor at the switches the chip's own temperature stands in for theirs
        "afe_hot", opens="cd", within_ms=2000 + 2 * PERIOD_MS + FULL_SCAN_MS,
        names=("afe_overtemperature", "fet_overtemperature"),
        also=("afe_overtemperature", "fet_overtemperature"), recovers_s=18, hold_s=3.5,
    ),
    # The measuring chip and the link to it.
    Row(
        "afe_silent", opens="cd", within_ms=BLIND_MS, names=("afe_lost",), also=_CHIP_GONE,
        blinds=True, recovers_s=HOLD_S + PROGRAM_S, from_start=True,
    ),
    Row(
        "afe_stuck", opens="cd", within_ms=BLIND_MS, names=("afe_lost",), also=_CHIP_GONE,
        blinds=True, recovers_s=HOLD_S + PROGRAM_S, from_start=True,
    ),
    Row(
        "afe_corrupt", opens="cd", within_ms=BLIND_MS, names=("afe_corrupt", "afe_lost"),
        also=_CHIP_GONE, blinds=True, recovers_s=HOLD_S + PROGRAM_S, packs=(FETS,),
        from_start=True,
    ),
    Row(
        "afe_crc_noise", with_others=("afe_corrupt",), packs=(FETS,), hold_s=6, from_start=True,
    ),
    Row(
        "afe_frozen", opens="cd", within_ms=BLIND_MS, names=("measurement_stale",),
        # Registers that were never filled say 0 kelvin, until the sensors had their turn.
        also=("self_test_failed", "thermistor_open"), blinds=True,
        recovers_s=HOLD_S + PROGRAM_S, from_start=True,
    ),
    Row(
        "afe_reset", opens="cd", within_ms=LAW_MS, names=("afe_restarted",),
        also=("afe_restarting",), blinds=True, recovers_s=HOLD_S + PROGRAM_S, hold_s=0.5,
        lasts_s=2, place=ONCE, cuts_coils=True,
    ),
    Row(  # one restart is told as such; the third within ten minutes latches (docs/safety.md, 13)
        "afe_brownouts", opens="cd", within_ms=LAW_MS, names=("afe_restarting", "afe_restarted"),
        stubborn=("afe_restarting",), stubborn_s=12,
        # The chip's identity is asked for first (number 4 of the issue), so one that is not ours
        # is never programmed, and a chip without settings has none to lose: its restarts show no
        # sign. That it is another chip is what a person has to know.
        masked_by=("afe_wrong_device", ("afe_restarting", "afe_wrong_device")),
        also=(*_CHIP_GONE, "afe_configuration", "self_test_failed"), blinds=True, ends=PERSON,
        recovers_s=HOLD_S + PROGRAM_S, hold_s=40, place=LATE, from_start=True, cuts_coils=True,
    ),
    # Asked for at programming only, so it shows when something else restarts the chip; the chip's
    # identity is also the first check of the self-test (issue 3, number 4), which latches.
    Row(
        "afe_wrong_device", also=("afe_wrong_device", "self_test_failed"), ends=PERSON,
        recovers_s=HOLD_S + PROGRAM_S,
        from_start=True,
    ),
    Row("afe_protections_off"),
    # Sense wires and sensors. The chip trips on what it sees, too.
    Row(
        "open_wire", opens="cd", within_ms=2000 + BLIND_MS, names=("cell_wire_open",),
        also=(*_WRONG_CELLS, "measurement_implausible"), blinds=True, ends=CHARGE,
        recovers_s=14, hold_s=4, from_start=True,
    ),
    Row(
        "lead_missing", opens="cd", within_ms=2000 + BLIND_MS, names=("cell_wire_open",),
        also=(*_WRONG_CELLS, "measurement_implausible"), blinds=True, ends=CHARGE,
        recovers_s=14, hold_s=4, from_start=True,
    ),
    Row(
        "leads_swapped", opens="cd", within_ms=BLIND_MS,
        names=("measurement_implausible", "cell_wire_open"),
        also=(*_WRONG_CELLS, "cell_wire_open", "measurement_implausible"), blinds=True,
        ends=CHARGE, recovers_s=14, from_start=True,
    ),
    Row(
        "leads_reversed", opens="cd", within_ms=BLIND_MS, names=("measurement_implausible",),
        also=_WRONG_CELLS, blinds=True, ends=CHARGE, recovers_s=14, from_start=True,
    ),
    # Found at commissioning; in a running pack it makes every other judgement of currents
    # meaningless, so it is broken alone: discharging looks like charging, and where an inverter
    # does not obey, like charging that a charge gate does not stop.
    Row(
        "shunt_reversed", also=("overcurrent_charge", "gates_off_current"), ends=PERSON,
        recovers_s=40, pairs=False,
    ),
    Row(
        "thermistor_open", opens="cd", within_ms=BLIND_MS + FULL_SCAN_MS,
        names=("thermistor_open",), also=(*_TEMPERATURES, "self_test_failed"), blinds=True,
        recovers_s=20, from_start=True,
    ),
    Row(
        "thermistor_short", opens="cd", within_ms=BLIND_MS + FULL_SCAN_MS,
        names=("thermistor_short",), also=(*_TEMPERATURES, "self_test_failed"), blinds=True,
        recovers_s=20, from_start=True,
        # The same sensor: a reading that stands still before the short was converted says nothing
        # of it, ever. That it stands still shows once the others move (bms.thermistor_watch).
        hidden_by=("thermistor_frozen", FULL_SCAN_MS),
    ),
    Row(  # a chip that restarts has 0 kelvin in the register that stands still
        "thermistor_frozen", also=("thermistor_frozen",),
        with_others=("thermistor_open", "self_test_failed", *_TEMPERATURES), recovers_s=16,
        hold_s=10,
    ),
    Row(
        "stack_mismatch", opens="cd", within_ms=1000 + 2 * PERIOD_MS + FULL_SCAN_MS,
        names=("stack_mismatch",), also=("pack_undervoltage", "self_test_failed"),
        recovers_s=10, from_start=True,
    ),
    Row("weak_cell", also=(*_CELL_TRIPS, "cell_imbalance"), hold_s=8),
    Row("balance_switch_dead", hold_s=8),  # only charge tells, after hours
    # Switches that can not open: nothing shows while nothing asks them to.
    Row("charge_gate_welded", also=("gates_off_current",), ends=PERSON, packs=WITH_FETS),
    Row(  # with a short circuit behind it, nothing but a fuse would end that
        "discharge_gate_welded", also=("gates_off_current",),
        with_others=(
            "cell_undervoltage", "pack_undervoltage", "overcurrent_discharge",
            "fast_overcurrent_discharge",
        ),
        ends=PERSON, recovers_s=40, packs=WITH_FETS,
    ),
    Row(
        "contactor_positive_welded", unmasks=("contactor_positive_welded",), ends=PERSON,
        also=("contactor_positive_welded",), recovers_s=10, packs=(CONTACTORS,), from_start=True,
    ),
    Row(
        "contactor_negative_welded", unmasks=("contactor_negative_welded",), ends=PERSON,
        also=("contactor_negative_welded",), recovers_s=10, packs=(CONTACTORS,), from_start=True,
    ),
    Row(  # open while the main contactors are closed, so its contact shows it at once
        "precharge_relay_welded", opens="cd", within_ms=200 + LAW_MS,
        names=("precharge_relay_welded",), ends=PERSON, recovers_s=10, packs=(CONTACTORS,),
        from_start=True,
    ),
    Row(
        "contactor_stuck_open", opens="cd", within_ms=200 + LAW_MS,
        names=("contactor_stuck_open",), also=("precharge_failed",), ends=PERSON, recovers_s=10,
        packs=(CONTACTORS,), from_start=True,
        needs="d",  # a contact that is open anyway shows nothing
        # The same contact: one that is welded conducts, whatever its coil or its spring do.
        hidden_by=("contactor_positive_welded", 0),
    ),
    Row(
        "contactor_aux_stuck", unmasks=("contactor_positive_welded",), ends=PERSON,
        also=("contactor_positive_welded",), recovers_s=10, packs=(CONTACTORS,), from_start=True,
    ),
    Row(
        "precharge_resistor_open", also=("precharge_failed",), ends=PERSON, recovers_s=70,
        packs=(PREDISCHARGE, CONTACTORS), from_start=True,
    ),
    Row(
        "bus_shorted", also=("precharge_failed", "overcurrent_discharge"),
        with_others=("fast_overcurrent_discharge",), ends=PERSON, recovers_s=70,
        packs=(PREDISCHARGE, CONTACTORS), from_start=True,
    ),
    Row(
        "interlock_broken", opens="cd", within_ms=LAW_MS, names=("interlock_open",), ends=PERSON,
        recovers_s=10, packs=(CONTACTORS,), from_start=True,
    ),
    Row(
        "current_sensor_silent", opens="cd", within_ms=BLIND_MS, names=("current_sensor_lost",),
        blinds=True, recovers_s=HOLD_S + 4, packs=(CONTACTORS,), from_start=True,
    ),
    Row(
        "current_sensor_frozen", opens="cd", within_ms=BLIND_MS, names=("current_sensor_lost",),
        blinds=True, recovers_s=HOLD_S + 4, packs=(CONTACTORS,), from_start=True,
    ),
    # Links: the policy is "warn", so nothing opens.
    Row("can_bus_off", also=("inverter_lost",), hold_s=8, recovers_s=6),
    Row("can_no_peer", also=("inverter_lost",), hold_s=8, recovers_s=6),
    Row("inverter_silent", also=("inverter_lost",), hold_s=8, recovers_s=6),
    # The processor's flash; hangs and resets are in restarts.py.
    Row("flash_stall", hold_s=8),
    Row("flash_failing", also=("event_log_failed",), hold_s=8, recovers_s=6),
)  # fmt: skip

# What only both together can raise. A chip that restarts is at its factory settings until it is
# programmed: short circuits on, from 10 mV on (SLUUBY2B), which is 20 A at 500 uohm. Behind a
# welded gate a load goes on through that; what the chip tripped is mirrored (law 5), and latches.
#
# Heat gun and hot chip together are 185 C, and no chip measures that. Beyond what it bears, 150 C,
# a reading is implausible (bms.measurement), and a pack that is blind is off (law 3).
RAISED_BY_PAIRS = {
    frozenset(("fet_hot", "afe_hot")): ("measurement_implausible",),
    frozenset(("discharge_gate_welded", "afe_reset")): ("short_circuit",),
    frozenset(("discharge_gate_welded", "afe_brownouts")): ("short_circuit",),
}

# What a fault is beside another one, where that takes away what its row relies on.
#
# Short circuit belongs to the measuring chip alone (law 5). One whose protections do nothing
# leaves it to the software's backup of the fast over-current (docs/worst-case-times.md), which
# knows the current's direction, waits fast_overcurrent_backup_ms, and closes again as after any
# over-current.
BESIDE = {
    ("short_circuit", "afe_protections_off"): {
        "opens": "d", "within_ms": 1000 + LAW_MS, "names": ("fast_overcurrent_discharge",),
        "ends": SELF, "recovers_s": 36, "retries_s": 29,
    },
}  # fmt: skip

PROCESSOR = ("firmware_hang", "watchdog_dead", "step_slow")
"""Faults of the simulator that need boots of their own: see restarts.py."""


def rows_of(pack):
    """The rows that say something about a pack, by name."""
    return {row.name: row for row in ROWS if pack in row.packs}


def beside(row, faults):
    """The row as it is where these faults are there when it comes."""
    if row.fuse:
        return row  # the chip does not see that current
    for other in faults:
        row = replace(row, **BESIDE.get((row.name, other), {}))
    return row
