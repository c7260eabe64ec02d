"""Command `health`: how worn the pack is, in words, and a table with a line for each cell."""

from bms.health import LEAKY, PAIRS, WEAK
from bms.points import PHASE_STALLED
from console.text import amount, duration, fixed

_WEAK_ADVICE = (
    "  WEAK: this cell holds less than the others, and ends charge and discharge for all.",
    "  Replace it, or live with the pack's capacity as it is.",
)
_LEAKY_ADVICE = (
    "  LEAKS: this cell discharges itself. Something lies across it, or it is shorted inside,",
    "  which can grow: look after it soon, and do not leave the pack alone until then.",
)


def health(console, _):
    """Command `health`."""
    state = console.services.battery.health
    if state is None:
        yield "There is no configuration: `status` says what to do."
        return
    yield "Capacity      %s" % _capacity(console, state)
    yield "Resistance    %s" % _resistance(console, state)
    yield "Use           %s full cycles' worth, %s deep discharges, guarded for %s" % (
        amount(console.point("cycles"), "-"),
        amount(console.point("deep_cycles"), "-"),
        duration(3600 * console.point("age_h")),
    )
    if console.point("charge_phase") == PHASE_STALLED:
        yield "Charging ends below full, so this can not be kept up to date: see `status`."
    yield "Cell  Resistance  of first  Capacity     Leak"
    for cell in range(state.cells):
        yield _cell(state, cell)
    if state.kept[WEAK]:
        yield from _WEAK_ADVICE
    if state.kept[LEAKY]:
        yield from _LEAKY_ADVICE
    yield "Capacity and leak are against the other cells; docs/health.md says how they are found."


def _capacity(console, state):
    if not state.kept[PAIRS]:
        return "not measured yet, %s is assumed; `measure capacity` leads through it" % (
            amount(console.parameters.value("design_capacity_mah"), "mAh")
        )
    return "%s +- %s, health %s, from %d measurements" % (
        amount(console.point("capacity_mah"), "mAh"),
        amount(console.point("capacity_sigma_mah"), "mAh"),
        amount(console.point("soh_bp"), "0.01%"),
        state.kept[PAIRS],
    )


def _resistance(console, state):
    if not state.resistance.learned:
        return "not learned yet: needs steps of the current, above 0.1 C"
    growth_bp = console.point("resistance_growth_bp")
    mean = sum([state.resistance.uohm(cell) for cell in range(state.cells)]) // state.cells
    return "%s mohm a cell at 25 C, %s of the first learned" % (
        fixed(mean, 3, 3),
        amount(growth_bp, "0.01%"),
    )


def _cell(state, cell):
    resistance = state.resistance
    shown = first = weak = leak = "--"
    if resistance.learned:
        shown = fixed(resistance.uohm(cell), 3, 3) + " mohm"
        if resistance.new_uv[cell] > 0:
            first = "%d %%" % (resistance.drop_uv[cell] * 100 // resistance.new_uv[cell])
    if state.weak_bp[cell]:
        weak = amount(state.weak_bp[cell], "0.01%", True)
    if state.leak_ua[cell]:
        leak = fixed(state.leak_ua[cell], 3, 1) + " mA"
    named = ", ".join(
        [
            word
            for word, place in (("WEAK", WEAK), ("LEAKS", LEAKY))
            if state.kept[place] >> cell & 1
        ]
    )
    line = "%4d  %10s  %8s  %8s  %7s  %s" % (cell + 1, shown, first, weak, leak, named)
    return line.rstrip()
