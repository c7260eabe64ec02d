"""What the console tells programs about the pack: the rows (console.twin) of status, cells, faults
and health. Values are those of the points; null stands for what is not measured."""

from bms.health import LEAKY, PAIRS, WEAK
from bms.point_words import BALANCING_STATES, PATH_STATES, POWER_STATES, QUALITIES, STATES
from bms.sample import MAX_THERMISTORS
from bms.table import INVALID, give_back
from console.report import DIRECTIONS, KINDS, NO_CELLS, causes, headline
from console.twin_rows import known, labelled, point_value
from console.usage import Refusal

# What `status` shows, in its order.
STATUS_POINTS = (
    "pack_voltage_mv", "current_ma", "power_w", "soc_bp", "remaining_mah", "full_mah", "soh_bp",
    "cycles", "soc_quality", "soc_estimate_bp", "soc_sigma_bp", "full_age_h", "cell_min_mv",
    "cell_min_index", "cell_max_mv", "cell_max_index", "cell_delta_mv", "temperature_min_dc",
    "temperature_max_dc", "board_temperature_dc", "gates", "charge_allowed", "discharge_allowed",
    "path_state", "limited", "bus_voltage_mv", "charge_current_limit_ma",
    "charge_voltage_limit_mv", "charge_phase", "charge_limit_reason",
    "discharge_current_limit_ma", "discharge_voltage_limit_mv", "discharge_limit_reason",
    "full_charge_requested", "force_charge_requested", "balancing_state", "balance_suspect",
    "state", "uptime_s", "measurement_age_ms", "power_state", "suspect_lead", "weak_cells",
    "leaky_cells", "self_test_failed", "boots", "watchdog_resets",
)  # fmt: skip
_HEALTH_POINTS = (
    "capacity_mah", "capacity_sigma_mah", "soh_bp", "cycles", "deep_cycles", "age_h",
    "resistance_growth_bp", "charge_phase",
)  # fmt: skip


def status(console, _):
    """Rows of `status`."""
    yield "summary", headline(console)
    yield from faults(console, _)
    yield "configuration_problems", list(console.configuration.problems)
    yield "settings_unsaved", console.settings.unsaved()
    yield "values", "{", _points(console, STATUS_POINTS)
    yield "in_words", "{", _words(console)


def _points(console, names):
    for name in names:
        yield name, point_value(console, name)


def _words(console):
    """What the numbers of some points mean."""
    from bms import limit_curves

    give_back("bms.limit_curves")
    for name, words in (
        ("state", STATES),
        ("path_state", PATH_STATES),
        ("power_state", POWER_STATES),
        ("soc_quality", QUALITIES),
        ("balancing_state", BALANCING_STATES),
        ("charge_phase", limit_curves.PHASES),
        ("charge_limit_reason", limit_curves.REASONS),
        ("discharge_limit_reason", limit_curves.REASONS),
    ):
        value = console.point(name)
        yield name, None if value == INVALID else words[value]


def faults(console, _):
    """Rows of `faults`."""
    yield from console.faults.fetch()
    for kind, _noun in KINDS:
        yield kind, "[", _raised(console, kind)
    yield "causes", [line.strip() for line in causes(console)]


def _raised(console, kind):
    table = console.faults
    for bit in console.raised(kind):
        yield labelled(
            "name advice blocks latching" if kind == "faults" else "name advice",
            (
                table.names.name(bit),
                table.advice(bit),
                DIRECTIONS[table.blocks[bit]],
                bool(table.latching[bit]),
            ),
        )


def cells(console, _):
    """Rows of `cells`."""
    count = max(0, console.point("series_cells"))
    voltages = console.vector("cell_voltage_mv", count)
    if not count or INVALID in voltages:
        raise Refusal(NO_CELLS)
    balancing = console.vector("balancing", 2)
    yield "cell_voltage_mv", voltages
    yield "cell_mean_mv", sum(voltages) // count
    for name in ("cell_min_index", "cell_max_index", "cell_delta_mv"):
        yield name, point_value(console, name)
    for name in ("cell_undervoltage_trip_mv", "cell_overvoltage_trip_mv"):
        yield name, console.settings.value(console.parameters.index(name))
    yield "balanced", [bool(balancing[cell >> 4] >> (cell & 15) & 1) for cell in range(count)]
    sensors = console.vector("temperature_dc", MAX_THERMISTORS)
    yield "temperature_dc", [known(value) for value in sensors]


def health(console, _):
    """Rows of `health`."""
    state = console.services.battery.health
    if state is None:
        raise Refusal("There is no configuration: `status` says what to do.")
    yield "measurements", state.kept[PAIRS]
    yield "values", "{", _points(console, _HEALTH_POINTS)
    yield "cells", "[", _cells_health(state)


def _cells_health(state):
    resistance = state.resistance
    for cell in range(state.cells):
        drop_uv, new_uv = resistance.drop_uv[cell], resistance.new_uv[cell]
        learned = resistance.learned
        yield labelled(
            "resistance_uohm first_percent capacity_bp leak_ua weak leaks",
            (
                resistance.uohm(cell) if learned else None,
                drop_uv * 100 // new_uv if learned and new_uv > 0 else None,
                state.weak_bp[cell] or None,  # 0: not known yet
                state.leak_ua[cell] or None,
                bool(state.kept[WEAK] >> cell & 1),
                bool(state.kept[LEAKY] >> cell & 1),
            ),
        )
