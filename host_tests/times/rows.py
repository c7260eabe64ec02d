"""What is measured for docs/worst-case-times.md: one row for each cause and each layer that acts.

A row says how the cause is brought about on the simulated board, whose gate must open, and from
what parameters its bound follows: law 2 of the design (the fault's delay, two periods, the
measuring chip's scan time, and the longest stall), or the chip's own delay and reaction time. The
firmware's times are never copied here.
"""

from dataclasses import dataclass, field

from afe.bq76952_settings import Settings, temperature_delay_ms
from bms.parameters import Parameters
from host_tests.system.simulated_board import SETTINGS

AT_S = 9.0  # when causes come: all packs guard with closed gates by then

# Layers, as the page names them.
SOFTWARE = "software"
OFF_LINE = "software, off line"
CHIP = "chip alone"
WATCHDOG = "processor's watchdog"

SCAN_MS = 63  # SLUUBY2B: 18 slots and up to 3 thermistors of 3 ms (boards/sim/bq76952_measure.py)
FULL_SCAN_MS = 3 * SCAN_MS  # the stack's voltage and the temperatures take turns
SENSOR_SCAN_MS = 9  # INA228: two conversions of 1052 us, mean of 4 (firmware/lib/afe/ina228.py)
REACTION_MS = 250  # SLUUBY2B: reactions off the chip's fast path come up to 250 ms later
GRAIN_MS = 100  # while nobody reads the chip, its scans are looked at so often (world.py)
HOLDOVER_MS = 500  # law 3
WIRE_CHECK_MS = 1000  # the chip looks for open sense wires so often (bq76952_items.py, 9314)
RETRY_MS = 1000  # an inverter speaks once a second, and the slow path looks once a second
PROCESSOR_WATCHDOG_MS = 3000  # firmware/app.py
CONTACT_MS = 20  # armature of a contactor (boards/sim/contactors.py)
REST_MS = 10000  # afe.md: at rest after ten seconds without current (bms/deep_discharge.py)

_PERIODS = ("", "a period", "2 periods")
# The chip is not allowed to act before the software (or the row would not measure the software).
_QUIET_CHIP = ("afe_protections_off",)
_HANG = ({"inject": "watchdog_dead"}, {"inject": "firmware_hang"})
# A charge-blocked common port bridges the charge gate's body diode while the house draws current,
# which is no delay of the cut-off: separate ports show the gate alone.
_PORTS = {"power_path": 1}
_CONTACTORS = {
    "power_path": 2, "contactor_poles": 2, "contactor_aux": 1, "current_sensor": 1, "interlock": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """fault: a name of bms.faults, or "" for a row about no fault of it.
    gate: "c" or "d": which gate must open, "cd": the later of both.
    orders: [seconds after the cause (or before it), order]. since: "" for the moment of the
    orders with 0 s, "signal limit" for its crossing, "gate d" for the other gate's opening.
    delay: parameters whose sum is the configured delay, or a number of ms.
    more: further parts of the bound, as (name, ms).
    last_s: how long it may take at most, from AT_S on.
    contacts: the contactors are watched, not the gates.
    """

    name: str
    fault: str
    layer: str
    gate: str
    orders: tuple
    delay: tuple = ()
    scan_ms: int = SCAN_MS
    periods: int = 2
    more: tuple = ()
    since: str = ""
    settings: dict = field(default_factory=lambda: _PORTS)
    faults: tuple = _QUIET_CHIP
    last_s: float = 4
    contacts: bool = False
    stalls: bool = True  # whether a stall of the processor may come on top
    slow: bool = False  # needs too much simulated time for the quick tests

    @property
    def hung(self):
        """Whether the processor hangs: then it shows no fault, and nothing stalls it more."""
        return {"inject": "firmware_hang"} in [order for _, order in self.orders]

    def parameters(self):
        """The table with this row's settings."""
        table = Parameters()
        table.load({**SETTINGS, **self.settings})
        return table

    def delay_ms(self):
        """The configured delay."""
        table = self.parameters()
        return sum(table.value(part) if isinstance(part, str) else part for part in self.delay)

    def bound_ms(self):
        """What it may take at most, without a stall."""
        return sum(ms for _, ms in self.parts())

    def parts(self):
        """The bound's parts, as (name, ms)."""
        period_ms = self.parameters().value("step_period_ms")
        parts = [("delay", self.delay_ms())]
        if self.periods:
            parts.append((_PERIODS[self.periods], self.periods * period_ms))
        if self.scan_ms:
            parts.append(("scan", self.scan_ms))
        return parts + list(self.more)


def _now(*names):
    return tuple((0, {"inject": name}) for name in names)


def _hung(*names):
    """The cause comes, and in the same moment the processor hangs for good."""
    return (*((0, order) for order in _HANG), *_now(*names))


def _heated(name, hang_s):
    """The cause creeps up; the processor hangs so many seconds later, before it would act."""
    return ((0, {"inject": name}), *((hang_s, order) for order in _HANG))


def _taken(name):
    """What the chip makes of a parameter's default."""
    parameters = Parameters()
    parameters.load(SETTINGS)
    chip = Settings(parameters)
    chip.update()
    return chip.taken_value(name)


_LATE_WATCHDOG = {**_PORTS, "afe_watchdog_s": 5}  # so that it is not the host watchdog that acts
_CLOSE_CHIP = {**_LATE_WATCHDOG, "afe_temperature_margin_dc": 10}
_CHIP_TEMPERATURE_MS = temperature_delay_ms(2000, 1000)  # both defaults
_FAST_CHARGE = {**_LATE_WATCHDOG, "fast_overcurrent_charge_ma": 65000}
_FAST_DISCHARGE = {**_LATE_WATCHDOG, "fast_overcurrent_discharge_ma": 130000}
_HOT_SWITCHES = {
    **_CLOSE_CHIP, "fet_thermistor": 1, "afe_overtemperature_warn_dc": 1000,
    "afe_overtemperature_trip_dc": 1000, "fet_overtemperature_warn_dc": 700,
    "fet_overtemperature_trip_dc": 800,
}  # fmt: skip
_REACTION = (("reaction", REACTION_MS),)
_SLOW_CHIP = (*_REACTION, ("grain of the simulation", GRAIN_MS))
_CONTACT = (("contact", CONTACT_MS),)
_SOFTWARE_ROWS = (
    # name, fault, gate, injected, since, scan, last_s: the delay is the fault's own parameter
    ("cell_overvoltage", "c", "cell_overvoltage", "", SCAN_MS, 3),
    ("cell_undervoltage", "d", "cell_undervoltage", "", SCAN_MS, 4),
    ("pack_overvoltage", "c", "pack_overcharged", "", FULL_SCAN_MS, 4),
    ("pack_undervoltage", "d", "pack_emptied", "", FULL_SCAN_MS, 5),
    ("overcurrent_charge", "c", "overcurrent_charge", "", SCAN_MS, 5),
    ("overcurrent_discharge", "d", "overcurrent_discharge", "", SCAN_MS, 5),
    ("overtemperature_charge", "c", "overtemperature", "hot_dc 501", FULL_SCAN_MS, 14),
    ("overtemperature_discharge", "d", "overtemperature", "hot_dc 601", FULL_SCAN_MS, 21),
    ("undertemperature_charge", "c", "undertemperature", "cold_dc -1", FULL_SCAN_MS, 11),
    ("undertemperature_discharge", "d", "undertemperature", "cold_dc -201", FULL_SCAN_MS, 22),
    ("afe_overtemperature", "cd", "afe_hot", "", FULL_SCAN_MS, 4),
    ("stack_mismatch", "cd", "stack_mismatch", "", FULL_SCAN_MS, 3),
    ("cell_imbalance", "c", "cell_imbalance", "", SCAN_MS, 12),
    ("deep_discharge", "c", "deep_discharge", "", SCAN_MS, 7),
)


def _software(fault, gate, injected, since, scan_ms, last_s):
    return Row(
        fault, fault, SOFTWARE, gate, _now(injected), (f"{fault}_delay_ms",), scan_ms,
        since=since, last_s=last_s, slow=last_s > 10,
    )  # fmt: skip


def _blind(fault, injected, layer=SOFTWARE, scan_ms=SCAN_MS, more=(), **others):
    """Nothing valid is measured: the hold-over of law 3."""
    name = fault if layer == SOFTWARE else injected
    return Row(
        name, fault, layer, "cd", _now(injected), (HOLDOVER_MS,), scan_ms, more=more, **others
    )


ROWS = (
    *(_software(*row) for row in _SOFTWARE_ROWS),
    Row(
        "fet_overtemperature", "fet_overtemperature", SOFTWARE, "cd", _now("fet_hot"),
        ("fet_overtemperature_delay_ms",), FULL_SCAN_MS, since="board_dc 801",
        settings=_HOT_SWITCHES, last_s=15, slow=True,
    ),
    Row(
        "fast_overcurrent_charge", "fast_overcurrent_charge", SOFTWARE, "c",
        _now("overcurrent_charge"), ("fast_overcurrent_backup_ms",), settings=_FAST_CHARGE,
    ),
    Row(
        "fast_overcurrent_discharge", "fast_overcurrent_discharge", SOFTWARE, "d",
        _now("overcurrent_discharge"), ("fast_overcurrent_backup_ms",), settings=_FAST_DISCHARGE,
    ),
    _blind("measurement_stale", "afe_frozen"),
    _blind("measurement_implausible", "leads_reversed"),
    _blind("thermistor_open", "thermistor_open", scan_ms=FULL_SCAN_MS),
    _blind("thermistor_short", "thermistor_short", scan_ms=FULL_SCAN_MS),
    _blind("cell_wire_open", "open_wire", more=(("wire check", WIRE_CHECK_MS),)),
    _blind(
        "current_sensor_lost", "current_sensor_silent", scan_ms=SENSOR_SCAN_MS,
        settings={**_PORTS, "current_sensor": 1},
    ),
    _blind("afe_lost", "afe_silent", OFF_LINE),
    _blind("afe_lost", "afe_stuck", OFF_LINE),
    _blind("afe_corrupt", "afe_corrupt", OFF_LINE, settings={**_PORTS, "afe_crc": 1}),
    Row("afe_restarted", "afe_restarted", SOFTWARE, "cd", _now("afe_reset"), last_s=2),
    Row(  # 4 K: the first second of heating brings 4.8, and sensors are 0.2 off
        "thermistor_frozen", "thermistor_frozen", SOFTWARE, "cd",
        ((-63, {"inject": "thermistor_frozen"}), (0, {"inject": "overtemperature"})),
        (0,), FULL_SCAN_MS, since="hot_dc 258",
        settings={**_PORTS, "thermistor_frozen_s": 60, "thermistor_frozen_dc": 40}, last_s=4,
        slow=True,
    ),
    Row(  # without the default deep-discharge trip, which opens first
        "cell_below_floor", "cell_below_floor", SOFTWARE, "c", _now("cell_dead"), (REST_MS,),
        more=(("discharging ends", 2000 + 2 * 100 + SCAN_MS),),
        settings={**_PORTS, "deep_discharge_delay_ms": 60000}, last_s=15, slow=True,
    ),
    Row(
        "gates_off_current", "gates_off_current", SOFTWARE, "c",
        ((-1, {"inject": "discharge_gate_welded"}), (0, {"inject": "overcurrent_discharge"})),
        ("gates_off_current_delay_ms",), since="gate d", last_s=7,
    ),
    Row(
        "limited_current", "limited_current", SOFTWARE, "c",
        (
            (-17, {"inject": "deep_discharge"}), (-10, {"console": "unlock 1234\r"}),
            (-9, {"console": "acknowledge deep_discharge\r"}),
            (0, {"inject": "overcurrent_charge"}),
        ),
        ("limited_current_delay_ms",), settings={**_PORTS, "cell_imbalance_trip_mv": 3000},
        last_s=3, slow=True,
    ),
    Row(
        "inverter_required", "inverter_required", SOFTWARE, "cd", _now("inverter_silent"),
        (5000,), 0, more=(("inverter and slow path", 2 * RETRY_MS),),
        settings={**_PORTS, "link_loss_policy": 2, "link_loss_s": 5}, last_s=9,
    ),
    Row(
        "fast_path_overrun", "fast_path_overrun", SOFTWARE, "cd", ((0, {"stall_ms": 1600}),),
        (1600,), 0, 1, last_s=3, stalls=False,
    ),
    Row(
        "slow_steps", "fast_path_overrun", SOFTWARE, "cd", _now("watchdog_dead", "step_slow"),
        ("overrun_ms",), 0, 1, more=(("a slow step", 900),), last_s=3, stalls=False,
    ),
    Row(
        "interlock_open", "interlock_open", SOFTWARE, "cd", _now("interlock_broken"),
        (100,), 0,
        settings={**_PORTS, "interlock": 1}, last_s=2,
    ),
    # Contactors: everything opens, with or without a ramp before.
    Row(
        "contactor_interlock", "interlock_open", SOFTWARE, "cd", _now("interlock_broken"),
        (100,), 0,
        more=_CONTACT, settings=_CONTACTORS, contacts=True, last_s=2,
    ),
    Row(
        "contactor_overvoltage", "cell_overvoltage", SOFTWARE, "cd",
        ((-1, {"inject": "overcurrent_charge"}), (0, {"inject": "cell_overvoltage"})),
        ("cell_overvoltage_delay_ms", "contactor_ramp_ms"), more=_CONTACT,
        settings=_CONTACTORS, contacts=True,
    ),
    Row(
        "contactor_ramp", "overcurrent_discharge", SOFTWARE, "cd", _now("overcurrent_discharge"),
        ("overcurrent_discharge_delay_ms", "contactor_ramp_ms"), SENSOR_SCAN_MS, more=_CONTACT,
        settings=_CONTACTORS, contacts=True, last_s=7,
    ),
    Row(  # what it breaks welds it, so the supply of its coil is looked at
        "contactor_fuse_wait", "fuse_expected", SOFTWARE, "cd", _now("overcurrent_discharge"),
        ("overcurrent_discharge_delay_ms", "contactor_ramp_ms", "fuse_wait_ms"), SENSOR_SCAN_MS,
        settings={**_CONTACTORS, "contactor_break_max_ma": 100000}, last_s=6,
    ),
    Row(
        "contactor_precharge_relay_welded", "precharge_relay_welded", SOFTWARE, "cd",
        _now("precharge_relay_welded"), ("contactor_settle_ms",), 0, more=_CONTACT,
        settings=_CONTACTORS, contacts=True, last_s=2,
    ),
    Row(
        "contactor_stuck_open", "contactor_stuck_open", SOFTWARE, "cd",
        _now("contactor_stuck_open"), ("contactor_settle_ms",), 0,
        settings=_CONTACTORS, last_s=2,
    ),
    Row(
        "contactor_sensor_lost", "current_sensor_lost", SOFTWARE, "cd",
        _now("current_sensor_silent"), (HOLDOVER_MS,), SENSOR_SCAN_MS, more=_CONTACT,
        settings=_CONTACTORS, contacts=True,
    ),
    # The measuring chip while the processor hangs and its watchdog is dead.
    Row(
        "chip_cell_overvoltage", "cell_overvoltage", CHIP, "c", _hung("cell_overvoltage"),
        (_taken("cell_overvoltage_delay_ms"),), periods=0, settings=_LATE_WATCHDOG, faults=(),
    ),
    Row(
        "chip_cell_undervoltage", "cell_undervoltage", CHIP, "d", _hung("cell_undervoltage"),
        (_taken("cell_undervoltage_delay_ms"),), periods=0, settings=_LATE_WATCHDOG, faults=(),
    ),
    Row(
        "chip_fast_overcurrent_charge", "fast_overcurrent_charge", CHIP, "c",
        _hung("overcurrent_charge"), (_taken("fast_overcurrent_delay_ms"),), 0, 0,
        (("comparator", 4),), settings=_FAST_CHARGE, faults=(), last_s=2,
    ),
    Row(
        "chip_fast_overcurrent_discharge", "fast_overcurrent_discharge", CHIP, "d",
        _hung("overcurrent_discharge"), (_taken("fast_overcurrent_delay_ms"),), 0, 0,
        (("comparator", 4),), settings=_FAST_DISCHARGE, faults=(), last_s=2,
    ),
    Row(
        "chip_short_circuit", "short_circuit", CHIP, "cd", _hung("short_circuit"), (), 0, 0,
        (("delay and comparator", 1),), settings=_LATE_WATCHDOG, faults=(), last_s=2,
    ),
    # Temperatures move a tenth of the way once a second: towards 70, they pass 50 and 51 after 8
    # to 9 s, 60 a second before 61 after 15 to 16 s; towards -30, likewise after 5 to 6 and 16 to
    # 17; the switches towards 110, after 10 to 11. The hang comes before the software has waited
    # for its 2 s, and less than the host watchdog's 5 s before the chip's own trip.
    Row(
        "chip_overtemperature_charge", "overtemperature_charge", CHIP, "c",
        _heated("overtemperature", 9), (_CHIP_TEMPERATURE_MS,), FULL_SCAN_MS, 0, _SLOW_CHIP,
        "hot_dc 510", _CLOSE_CHIP, (), 16, slow=True,
    ),
    Row(
        "chip_overtemperature_discharge", "overtemperature_discharge", CHIP, "d",
        _heated("overtemperature", 15.5), (_CHIP_TEMPERATURE_MS,), FULL_SCAN_MS, 0, _SLOW_CHIP,
        "hot_dc 610", _CLOSE_CHIP, (), 23, slow=True,
    ),
    Row(
        "chip_undertemperature_charge", "undertemperature_charge", CHIP, "c",
        _heated("undertemperature", 6), (_CHIP_TEMPERATURE_MS,), FULL_SCAN_MS, 0, _SLOW_CHIP,
        "cold_dc -10", _CLOSE_CHIP, (), 13, slow=True,
    ),
    Row(
        "chip_undertemperature_discharge", "undertemperature_discharge", CHIP, "d",
        _heated("undertemperature", 16.5), (_CHIP_TEMPERATURE_MS,), FULL_SCAN_MS, 0, _SLOW_CHIP,
        "cold_dc -210", _CLOSE_CHIP, (), 24, slow=True,
    ),
    Row(
        "chip_fet_overtemperature", "fet_overtemperature", CHIP, "cd", _heated("fet_hot", 11),
        (_CHIP_TEMPERATURE_MS,), FULL_SCAN_MS, 0, _SLOW_CHIP, "board_dc 810", _HOT_SWITCHES, (),
        18, slow=True,
    ),
    Row(
        "chip_overtemperature", "afe_overtemperature", CHIP, "cd", _hung("afe_hot"),
        (_CHIP_TEMPERATURE_MS,), FULL_SCAN_MS, 0, _SLOW_CHIP, "", _LATE_WATCHDOG, (), 5,
    ),
    Row(
        "chip_host_watchdog", "afe_watchdog", CHIP, "cd", _hung(), (4000,), 0, 0, _REACTION,
        faults=(), last_s=6,
    ),
    Row(
        "chip_contactor_overvoltage", "cell_overvoltage", CHIP, "cd", _hung("cell_overvoltage"),
        (_taken("cell_overvoltage_delay_ms"),), periods=0, more=_CONTACT,
        settings={**_CONTACTORS, "afe_watchdog_s": 5}, faults=(), contacts=True,
    ),
    Row(
        "processor_watchdog", "", WATCHDOG, "cd", _now("firmware_hang"), (PROCESSOR_WATCHDOG_MS,),
        0, 0, faults=(), last_s=5,
    ),
)  # fmt: skip

BY_NAME = {row.name: row for row in ROWS}
