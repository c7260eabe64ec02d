"""What the outside wants from the pack: currents over time, charging positive.

Every load has `demand_a(t_s)` (amperes at a simulated time in seconds, asked with never falling
times), `finished` (a recorded load reached its end) and `recorded` (currents that really flowed
once: no inverter limits them). Loads know nothing of gates.
"""

from math import isfinite

from boards.sim.lcg import Lcg

_DAY_MINUTES = 1440

# A home that uses 18 kWh a day, with photovoltaics that give 19, at a 16 cell 280 Ah (14 kWh)
# battery: it gets full on a clear afternoon.
# Corners of the day's consumption: minute of the day, amperes at about 53 V.
_USE = (
    (0, 5.0), (330, 4.5), (390, 12.0), (430, 26.0), (510, 18.0), (570, 8.0), (700, 9.0),
    (730, 16.0), (780, 9.0), (1000, 9.0), (1060, 20.0), (1120, 34.0), (1230, 27.0), (1330, 14.0),
    (1400, 7.0), (1440, 5.0),
)  # fmt: skip
_SUNRISE, _SUNSET = 400, 1160  # a clear day in spring
_SUN_PEAK_A = 51.0
_KETTLE_A, _KETTLE_MINUTES = 38.0, 4
_FRIDGE_A, _FRIDGE_PERIOD, _FRIDGE_ON = 2.2, 45, 15
_KETTLES = (415, 445, 740, 1075, 1180)


class ConstantLoad:
    """The same current for ever."""

    finished = False
    recorded = False

    def __init__(self, current_a=0.0):
        self.current_a = current_a

    def demand_a(self, t_s):
        return self.current_a


class HouseholdDay:
    """A believable day of a home with photovoltaics, the same every day for one seed.

    seed: clouds and appliance times; capacity_ah: the currents are scaled to this cell size;
    start_minute: minute of the day at simulated time 0.
    """

    finished = False
    recorded = False

    def __init__(self, seed=1, capacity_ah=280.0, start_minute=0):
        self._start_minute = start_minute
        self._until_s = -1.0
        self._value = 0.0
        self._minutes = _day(Lcg(seed).uniform, capacity_ah / 280.0)

    def demand_a(self, t_s):
        if t_s >= self._until_s or t_s < self._until_s - 60:
            minute = int(t_s // 60)
            self._until_s = (minute + 1) * 60
            self._value = self._minutes[(minute + self._start_minute) % _DAY_MINUTES]
        return self._value


def _day(draw, scale):
    """Net current of each minute of a day."""
    minutes = []
    kettles = [minute + int(draw(-20, 20)) for minute in _KETTLES]
    fridge_start = int(draw(0, _FRIDGE_PERIOD))
    cloud, corner = 1.0, 0
    for minute in range(_DAY_MINUTES):
        while minute >= _USE[corner + 1][0]:
            corner += 1
        left, right = _USE[corner], _USE[corner + 1]
        use = left[1] + (right[1] - left[1]) * (minute - left[0]) / (right[0] - left[0])
        use *= draw(0.9, 1.1)
        if (minute + fridge_start) % _FRIDGE_PERIOD < _FRIDGE_ON:
            use += _FRIDGE_A
        for kettle in kettles:
            if kettle <= minute < kettle + _KETTLE_MINUTES:
                use += _KETTLE_A
        cloud += (draw(0.55, 1.1) - cloud) * 0.2
        sun = 0.0
        if _SUNRISE < minute < _SUNSET:
            height = (minute - _SUNRISE) / (_SUNSET - _SUNRISE)
            sun = _SUN_PEAK_A * 4 * height * (1 - height) * min(cloud, 1.0)
        minutes.append((sun - use) * scale)
    return minutes


class LoadFileError(ValueError):
    """A load file cannot be used; the message names file, line and what to change."""


class CsvLoad:
    """A recorded load, read line by line: the current of a row holds until the next row's time.

    Needs the columns `t_s` and `I_A` in its header, in any order among others; times must not
    fall. Time counts from the first row. scale: multiplies every current (a small cell's record
    for a large pack). After the last row `finished` is true and the current 0.
    """

    recorded = True

    def __init__(self, path, scale=1.0):
        self.finished = False
        self._path = path
        self._scale = scale
        self._line = 0
        try:
            self._file = open(path)
        except OSError:
            raise LoadFileError("%s: there is no such file that can be read" % path) from None
        try:
            # Spreadsheets begin a file with a byte order mark and put fields into quotes.
            header = self._next_line().replace("\ufeff", "").replace('"', "")
            names = [name.strip() for name in header.split(",")]
        except UnicodeError:
            raise LoadFileError("%s: this is not a text file; expected CSV" % path) from None
        for name in ("t_s", "I_A"):
            if name not in names:
                self._fail(
                    "the header has no column %s (found: %s)" % (name, ", ".join(names)[:60])
                )
        self._time_column = names.index("t_s")
        self._current_column = names.index("I_A")
        self._value = 0.0
        first = self._next_row()
        if first is None:
            self._fail("no rows after the header")
        self._start_s = first[0]
        self._time_s, self._next_a = first
        self._until_s = 0.0

    def demand_a(self, t_s):
        while t_s >= self._until_s and not self.finished:
            self._value = self._next_a
            row = self._next_row()
            if row is None:
                # The last row has no successor that would say how long it holds.
                self.finished = True
                self._value = 0.0
                self._file.close()
                break
            if row[0] < self._time_s:
                self._fail("t_s goes back from %s to %s" % (self._time_s, row[0]))
            self._time_s, self._next_a = row
            self._until_s = self._time_s - self._start_s
        return self._value

    def _next_row(self):
        """(seconds, scaled amperes) of the next row, or None at the end."""
        text = self._next_line()
        while text and not text.strip():
            text = self._next_line()
        if not text:
            return None
        fields = text.replace('"', "").split(",")
        try:
            row = float(fields[self._time_column]), float(fields[self._current_column])
        except (ValueError, IndexError):
            self._fail("t_s and I_A must be numbers, not %r" % text.strip()[:60])
        if not (isfinite(row[0]) and isfinite(row[1])):
            self._fail("t_s and I_A must be finite, not %r" % text.strip()[:60])
        return row[0], row[1] * self._scale

    def _next_line(self):
        self._line += 1
        return self._file.readline()

    def _fail(self, what):
        raise LoadFileError("%s, line %d: %s" % (self._path, self._line, what))
