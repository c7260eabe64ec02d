"""Names, units, ranges and defaults of the settings, and what checks a change of them.

Part of bms.parameters.Parameters, whose values it changes; in memory only while somebody needs it.
Rows are read in pieces of some milliseconds, because a board has other things to do.
"""

from array import array

from bms.names import LentTable, Names
from bms.parameters import APPLIES_NOW, TYPE_SECRET, ParameterError
from bms.table import INVALID, UnknownName, field, give_back, rows

_TYPES = ("u16", "i16", "i32", "secret")
_APPLIES = ("now", "afe", "restart")
_CHEMISTRIES = 4
_MAX_PROBLEMS = 5  # more would not be read, and the text must stay small
_PIECE = 8  # rows read without a pause


class Proposed:
    """Values that are not in force yet, asked by name like the table's own."""

    def __init__(self, parameters, values):
        self._parameters = parameters
        self._values = values

    def value(self, name):
        """Proposed value of a parameter."""
        return self._values[self._parameters.index(name)]


class Table(LentTable):
    """What `parameters` (bms.parameters) hands on to. Step through `build` first."""

    def __init__(self, parameters):
        super().__init__()
        self._parameters = parameters
        self.registers = array("H")
        self.minimums = array("i")  # the widest of all chemistries
        self.maximums = array("i")
        self._limited = {}  # rows whose range depends on the chemistry: where it begins below
        self._limits = array("h")  # minimum and maximum for each chemistry
        self._defaults = array("i")
        self._order = array("H")

    def build(self):
        """Read the rows: yields between pieces."""
        from bms.parameter_rows import ORDER, ROWS

        give_back("bms.parameter_rows")
        names = []
        units = []
        types = bytearray()
        applies = bytearray()
        for register, name, unit, kind, minimum, maximum, default, apply, _ in rows(ROWS):
            if len(names) % _PIECE == 0:
                yield
            names.append(name)
            units.append(unit)
            types.append(_TYPES.index(kind))
            applies.append(_APPLIES.index(apply))
            self.registers.append(int(register, 16))
            low = _by_chemistry(minimum)
            high = _by_chemistry(maximum)
            if "/" in minimum + maximum:
                self._limited[len(self.minimums)] = len(self._limits)
                for chemistry in range(_CHEMISTRIES):
                    self._limits.append(low[chemistry])
                    self._limits.append(high[chemistry])
            self.minimums.append(min(low))
            self.maximums.append(max(high))
            self._defaults.extend(array("i", _by_chemistry(default)))
        yield
        self.names = Names(names)
        self.units = Names(units)
        self.types = bytes(types)
        self.applies = bytes(applies)  # APPLIES_*, one a row
        self._chemistry = self.index("chemistry")
        for (line,) in rows(ORDER):
            lower, sign, higher = line.split()
            self._order.append(self.index(lower))
            self._order.append(self.index(higher))
            self._order.append(sign == "<=")

    def default(self, index, chemistry):
        """Default of a row for a chemistry; INVALID where the builder must choose."""
        return self._defaults[index * _CHEMISTRIES + chemistry]

    def minimum(self, index, chemistry):
        """Smallest value of a row for a chemistry; for all of them if that is INVALID."""
        return self._limit(index, chemistry, 0, self.minimums)

    def maximum(self, index, chemistry):
        """Largest value of a row for a chemistry; for all of them if that is INVALID."""
        return self._limit(index, chemistry, 1, self.maximums)

    def allowed(self, index, chemistry):
        """The range of a row for a chemistry, in words that name it where it matters."""
        text = "%d to %d" % (self.minimum(index, chemistry), self.maximum(index, chemistry))
        if index in self._limited and chemistry != INVALID:
            text += " for %s cells" % self.choices(self._chemistry)[chemistry]
        return text

    def choices(self, index):
        """Names of a choice's values, or an empty list for a number. Allocates."""
        unit = self.units.name(index)
        return unit.split() if " " in unit else []

    def help(self, index):
        """One line that says what a parameter does, read from flash. Allocates."""
        from bms.parameter_rows import ROWS

        give_back("bms.parameter_rows")
        return field(ROWS, index, 8)

    def load(self, settings):
        """Take a whole configuration: `settings` maps names to integers.

        What it does not name gets the default of its chemistry. Raises ParameterError, and keeps
        the values it had, if a name is unknown, a required one is missing, a value is out of its
        range or two values contradict each other.
        """
        problems = []
        given = {}
        for name in settings:
            try:
                given[self.index(name)] = settings[name]
            except UnknownName:
                problems.append("'%s' is not a parameter" % name)
        chemistry = self._chemistry_of(given, 0)
        for index in range(len(self.types)):
            given.setdefault(index, self.default(index, chemistry))
        self._take(given, chemistry, problems)

    def change(self, changes):
        """Change some values of a loaded configuration: `changes` is a list of (index, value).

        Returns the APPLIES_* bits of the values that differ. Raises ParameterError and changes
        nothing if any value is refused, or if no configuration was loaded yet.
        """
        if not self._parameters.loaded:
            raise ParameterError(
                "there is no configuration to change: set one up as a whole on the console first"
            )
        given = dict(changes)
        applies = APPLIES_NOW
        for index, value in given.items():
            if self._parameters.values[index] != value:
                applies |= self.applies[index]
        chemistry = self._chemistry_of(given, self._parameters.values[self._chemistry])
        if self._chemistry in given:  # the new one may not allow what was allowed before
            for index in self._limited:
                given.setdefault(index, self._parameters.values[index])
        self._take(given, chemistry, [])
        return applies

    def differing(self):
        """Names and values that are not the defaults of the chemistry, as `load` takes them."""
        chemistry = self._parameters.values[self._chemistry]
        return {
            self.names.name(index): self._parameters.values[index]
            for index in range(len(self.types))
            if self._parameters.values[index] != self.default(index, chemistry)
        }

    def _limit(self, index, chemistry, end, widest):
        at = self._limited.get(index, INVALID)
        if at == INVALID or chemistry == INVALID:
            return widest[index]
        return self._limits[at + 2 * chemistry + end]

    def _chemistry_of(self, given, before):
        """The chemistry that a batch is judged by; the first one if it asks for none there is."""
        chemistry = given.get(self._chemistry, before)
        return 0 if self._range_problem(self._chemistry, chemistry, 0) else chemistry

    def _range_problem(self, index, value, chemistry):
        if value is INVALID or value == INVALID:
            return "'%s' is missing; it has no default" % self.names.name(index)
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.minimum(index, chemistry) <= value <= self.maximum(index, chemistry)
        ):
            return None
        if self.types[index] == TYPE_SECRET:
            value = "the value given"
        name = self.names.name(index)
        allowed = self.allowed(index, chemistry)
        return "'%s' must be a whole number from %s, not %s" % (name, allowed, value)

    def _order_problems(self, proposed):
        problems = []
        for at in range(0, len(self._order), 3):
            low = self._order[at]
            high = self._order[at + 1]
            allowed = self._order[at + 2]
            if proposed[low] > proposed[high] or (proposed[low] == proposed[high] and not allowed):
                problems.append(
                    "'%s' (%d) must be below %s'%s' (%d)"
                    % (
                        self.names.name(low),
                        proposed[low],
                        "or equal to " if allowed else "",
                        self.names.name(high),
                        proposed[high],
                    )
                )
        return problems

    def _take(self, given, chemistry, problems):
        """Put what is `given` (row: value) in force, if all of it may be and fits the others."""
        proposed = array("i", self._parameters.values)
        for index in range(len(proposed)):
            if index in given:
                problem = self._range_problem(index, given[index], chemistry)
                if problem:
                    problems.append(problem)
                else:
                    proposed[index] = given[index]
        if not problems:
            problems = self._order_problems(proposed)
        if not problems:
            problems = self._parameters.check(proposed)
        if problems:
            more = len(problems) - _MAX_PROBLEMS
            text = "; ".join(problems[:_MAX_PROBLEMS])
            raise ParameterError(text + ("; and %d more" % more if more > 0 else ""))
        memoryview(self._parameters.values)[0:] = memoryview(proposed)
        self._parameters.loaded = True


def _by_chemistry(text):
    """The four values of a column that has one or four."""
    options = text.split("/")
    values = [INVALID if option == "-" else int(option) for option in options]
    return [values[chemistry % len(values)] for chemistry in range(_CHEMISTRIES)]
