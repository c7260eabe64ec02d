"""Command `calibrate`: what the measuring chip shows is compared with a reference meter.

Each comparison is a line: the command takes the mean of some seconds, refuses what moves or what
no good board needs, and notes the correction. `done` saves all of them and lets the chip take
them, which opens the gates for some seconds; then it shows before and after. What was noted is
kept in the console: [corrections, [(words, point, slot, unit, sum shown, meter)]].
"""

from bms import calibration
from bms.sample import CORRECTED_BUS, CORRECTED_CELLS, CORRECTED_CURRENT, CORRECTED_STACK
from bms.sample import CORRECTED_ZERO as ZERO
from bms.table import INVALID
from console.text import amount, counted, fixed
from console.usage import UsageError

_PAUSE_MS = 250
_READINGS = 12  # three seconds
_PATIENCE = 120  # pauses until the chip took a calibration and was tested: half a minute
_DECIMALS = 3  # of volts and amperes as typed
_LEAST_CURRENT_MA = 2000  # below it a reading's last digit, 10 mA, is more than 0.5 %
_ZERO_MOVES_MA = 100
_ZERO_WORDS = "zero"
_LEAST_CELL_MV = 1500
_LEAST_PACK_MV = 5000
# The most that a steady reading moves: twice its last digit and a little.
_CELL_MOVES_MV = 5
_PACK_MOVES_MV = 60
_CURRENT_MOVES = 50  # a 50th of it

_HOW_TO = (
    "Compares what is measured with your meter: a voltmeter of 0.1 % or better at the cell's own",
    "terminals, a clamp or shunt of 0.5 % for the current. Load and charger must be steady.",
    "  calibrate cell 1          shows a steady reading; with the meter's volts it is noted:",
    "  calibrate cell 1 3.312",
    "  calibrate pack 52.98      at the cell stack;  calibrate bus 52.97  at the terminals",
    "  calibrate zero            while surely no current flows;  then, with a steady current:",
    "  calibrate current -20.15  charging is positive, discharging negative",
    "  calibrate done            saves what was noted; both gates open for some seconds",
)


def calibrate(console, arguments):
    """Command `calibrate`."""
    if not console.settings.configured():
        yield "First `set` at least chemistry, series_cells and design_capacity_mah; then `save`,"
        yield "`restart`, and come back."
    elif not arguments:
        yield from _HOW_TO
        yield from _noted(console)
    else:
        for name, least, most, part in _PARTS:
            if name == arguments[0].lower() and least <= len(arguments) <= most:
                yield from part(console, arguments)
                return
        raise UsageError()


def _noted(console):
    if console.calibration:
        for words, _point, _slot, unit, total, true in console.calibration[1]:
            yield "Not saved yet: %s shows %s, the meter %s." % (
                words,
                amount(_mean(total), unit),
                amount(true, unit),
            )


def _show(console, _):
    calibrator = console.services.calibrator
    for problem in calibrator.problems:
        yield "Not used: %s." % problem
    corrections = calibrator.corrections()
    count = 0
    for place in range(len(corrections)):
        if corrections[place]:
            count += 1
            yield "  %-8s %s" % (_called(place), _size(place, corrections[place]))
    yield "%s in force, for the chip with the number %d." % (
        counted(count, "correction"),
        calibrator.chip,
    )
    yield from _noted(console)


def _cell(console, arguments):
    cells = console.parameters.value("series_cells")
    if not arguments[1].isdigit():
        raise UsageError()
    number = int(arguments[1])
    if not 1 <= number <= cells:
        yield "Cells count from 1 at pack minus to %d." % cells
        return
    place = CORRECTED_CELLS + number - 1
    if max(console.vector("balancing", 2)):
        yield "Cells are being balanced, which makes them read low: `gates off` ends that."
        return
    yield from _voltage(
        console, arguments[2:], place, "cell_voltage_mv", _LEAST_CELL_MV, _CELL_MOVES_MV
    )


def _pack(console, arguments):
    yield from _voltage(
        console, arguments[1:], CORRECTED_STACK, "pack_voltage_mv", _LEAST_PACK_MV, _PACK_MOVES_MV
    )


def _bus(console, arguments):
    yield from _voltage(
        console, arguments[1:], CORRECTED_BUS, "bus_voltage_mv", _LEAST_PACK_MV, _PACK_MOVES_MV
    )


def _voltage(console, typed, place, point, least_mv, moves_mv):
    slot = max(0, place - CORRECTED_CELLS)
    true_mv = _milli(typed[0]) if typed else 0
    total = yield from _steady(console, point, slot, "mV", moves_mv)
    if total is None:
        return
    words = _called(place)
    if total < _READINGS * least_mv:
        yield "The %s reads %s: too little to be compared." % (words, amount(_mean(total), "mV"))
        return
    if not typed:
        yield "The %s reads %s. Type the command again with the meter's volts behind it." % (
            words,
            amount(_mean(total), "mV"),
        )
        return
    before = console.services.calibrator.corrections()[place]
    yield from _note(
        console,
        place,
        calibration.gain(before, total, _READINGS * true_mv),
        (words, point, slot, "mV", total, true_mv),
    )


def _zero(console, _):
    total = yield from _steady(console, "current_ma", 0, "mA", _ZERO_MOVES_MA)
    if total is None:
        return
    before = console.services.calibrator.corrections()
    whole = 100000 + before[CORRECTED_CURRENT]
    seen_nv = total * _shunt_microohm(console) * 100000 // (whole * _READINGS)
    yield from _note(
        console, ZERO, before[ZERO] + seen_nv, (_ZERO_WORDS, "current_ma", 0, "mA", total, 0)
    )


def _current(console, arguments):
    true_ma = _milli(arguments[1]) if len(arguments) > 1 else 0
    if true_ma and abs(true_ma) < _LEAST_CURRENT_MA:
        yield "Take at least %s: a small current shows the gain badly." % (
            amount(_LEAST_CURRENT_MA, "mA")
        )
        return
    moves_ma = max(_ZERO_MOVES_MA, abs(true_ma or console.point("current_ma")) // _CURRENT_MOVES)
    total = yield from _steady(console, "current_ma", 0, "mA", moves_ma)
    if total is None:
        return
    if not true_ma:
        yield (
            "The current reads %s. Type the command again with the meter's amperes behind it."
            % (amount(_mean(total), "mA", True))
        )
        return
    if total * true_ma <= 0:
        yield (
            "The chip reads %s: the sign differs. Discharging is negative; `commission` shows"
            % (amount(_mean(total), "mA", True))
        )
        yield "whether the shunt is reversed."
        return
    before = console.services.calibrator.corrections()
    shown = total
    if console.calibration:  # a new zero counts already
        moved_nv = console.calibration[0][ZERO] - before[ZERO]
        shown -= _READINGS * moved_nv // _shunt_microohm(console)
    yield from _note(
        console,
        CORRECTED_CURRENT,
        calibration.gain(before[CORRECTED_CURRENT], abs(shown), _READINGS * abs(true_ma)),
        ("current", "current_ma", 0, "mA", total, true_ma),
    )


def _note(console, place, correction, note):
    words = _called(place)
    if abs(correction) > calibration.largest(place):
        yield "Refused: the %s would be corrected by %s, and no good board needs more than %s:" % (
            words,
            _size(place, correction),
            _size(place, calibration.largest(place)),
        )
        yield "look at the meter, its range and where it is connected, then at the wires."
        return
    if not console.services.calibrator.chip:
        yield "The measuring chip was not programmed yet: see `status`."
        return
    if console.calibration is None:
        console.calibration = [console.services.calibrator.corrections(), []]
    corrections, notes = console.calibration
    corrections[place] = correction
    notes[:] = [old for old in notes if old[0] != words] + [note]
    yield "Noted: the %s reads %s, the meter %s: %s in all. `calibrate done` saves it." % (
        words,
        amount(_mean(note[4]), note[3]),
        amount(note[5], note[3]),
        _size(place, correction),
    )


def _done(console, _):
    if console.calibration is None:
        yield "Nothing is noted: `calibrate` says how."
        return
    console.check_access()
    corrections, notes = console.calibration
    refused = console.services.calibrator.save(corrections)
    if refused:
        yield "Refused: %s." % refused
        return
    console.calibration = None
    yield "Saved. The chip takes it and is tested: both gates are open for some seconds."
    if not (yield from _taken(console)):
        yield "It did not measure again within half a minute: see `status`."
        return
    after = [0] * len(notes)
    for _ in range(_READINGS):
        yield _PAUSE_MS
        console.look_again()
        for row in range(len(notes)):
            after[row] += console.point(notes[row][1], notes[row][2])
    for row in range(len(notes)):
        words, _point, _slot, unit, before, true = notes[row]
        if words == _ZERO_WORDS:
            continue  # there may be a current by now
        yield "  %-8s before %s, meter %s, now %s" % (
            words,
            amount(_mean(before), unit),
            amount(true, unit),
            amount(_mean(after[row]), unit),
        )
    yield "The current may be another one by now: `calibrate current` shows it."


def _taken(console):
    """Wait until the chip was programmed and measures again."""
    began = False
    for _ in range(_PATIENCE):
        yield _PAUSE_MS
        if console.services.battery.preparing:
            began = True
        elif began:
            console.look_again()
            if console.point("cell_min_mv") != INVALID:
                return True
    return False


def _drop(console, _):
    console.calibration = None
    yield "What was noted is forgotten; what was saved stays in force."


def _clear(console, _):
    console.check_access()
    refused = console.services.calibrator.save(None)
    if refused:
        yield "Refused: %s." % refused
        return
    console.calibration = None
    yield "Cleared: the chip measures as its factory left it, after some seconds with open gates."


def _steady(console, point, slot, unit, moves):
    """The sum of all readings, or None after a line that says why there is none."""
    low = -INVALID
    high = INVALID
    total = 0
    for _ in range(_READINGS):
        yield _PAUSE_MS
        console.look_again()
        value = console.point(point, slot)
        if value == INVALID:
            yield "Nothing is measured there now: see `status`."
            return None
        low = min(low, value)
        high = max(high, value)
        total += value
    if high - low > moves:
        yield (
            "The reading is not steady, it moved from %s to %s in three seconds: wait until load"
            % (
                amount(low, unit),
                amount(high, unit),
            )
        )
        yield "and charger are steady or off, then again."
        return None
    return total


def _mean(total):
    return (total + _READINGS // 2) // _READINGS


def _shunt_microohm(console):
    value = console.parameters.value
    return value("ina228_shunt_microohm") if value("current_sensor") else value("shunt_microohm")


def _called(place):
    if place >= CORRECTED_CELLS:
        return "cell %d" % (place - CORRECTED_CELLS + 1)
    return ("pack", "bus", "current", _ZERO_WORDS)[place]


def _size(place, correction):
    if place == ZERO:
        return "%s uV" % fixed(correction, 3, 1)
    return "%s %%" % fixed(correction, 3, 2)


def _milli(text):
    """Millivolts or milliamperes of volts or amperes as typed: 3.312, -20, 52.98."""
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("+-").partition(".")
    digits = whole + part
    if not digits.isdigit() or len(part) > _DECIMALS or len(digits) > 2 * _DECIMALS + 1:
        raise UsageError()
    return sign * int(digits) * 10 ** (_DECIMALS - len(part))


# The word that follows `calibrate`, words in all from and to, and what it does.
_PARTS = (
    ("show", 1, 1, _show),
    ("cell", 2, 3, _cell),
    ("pack", 1, 2, _pack),
    ("bus", 1, 2, _bus),
    ("zero", 1, 1, _zero),
    ("current", 1, 2, _current),
    ("done", 1, 1, _done),
    ("drop", 1, 1, _drop),
    ("clear", 1, 1, _clear),
)
