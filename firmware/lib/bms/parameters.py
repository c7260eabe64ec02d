"""The settings: their values, and the only door through which a value changes.

A change is a batch: every value is checked against its range, then all of them together against
each other (`ORDER` in the rows), and only then all take effect. A refused batch changes nothing
and raises ParameterError, whose text names the value, its range and why.
The fast path reads `values[index]`, which allocates nothing.
"""

from array import array

from bms.table import INVALID, Names, UnknownName, field, give_back, rows

TYPE_U16 = 0
TYPE_I16 = 1
TYPE_I32 = 2
TYPE_SECRET = 3
_TYPES = ("u16", "i16", "i32", "secret")

# What a change needs before it is in force; bits, because a batch may need several.
APPLIES_NOW = 0
APPLIES_AFE = 1
APPLIES_RESTART = 2
_APPLIES = ("now", "afe", "restart")

_CHEMISTRIES = 4
_MAX_PROBLEMS = 5  # more would not be read, and the text must stay small


class ParameterError(ValueError):
    """A value or a combination was refused; the text says which, its range and why."""


class Proposed:
    """Values that are not in force yet, asked by name like the table's own."""

    def __init__(self, parameters, values):
        self._parameters = parameters
        self._values = values

    def value(self, name):
        """Proposed value of a parameter."""
        return self._values[self._parameters.index(name)]


class Parameters:
    """The parameters table.

    Until `load` accepted a configuration, `loaded` is False and the values are the defaults of the
    first chemistry, so that the links come up and the board can be set up; what has no default is
    INVALID, and nothing is measured or switched.
    """

    def __init__(self):
        from bms.parameter_rows import ORDER, ROWS

        names = []
        units = []
        types = bytearray()
        applies = bytearray()
        self.registers = array("H")
        self.minimums = array("i")  # the widest of all chemistries
        self.maximums = array("i")
        self._limited = {}  # rows whose range depends on the chemistry: where it begins below
        self._limits = array("h")  # minimum and maximum for each chemistry
        self._defaults = array("i")
        for register, name, unit, kind, minimum, maximum, default, apply, _ in rows(ROWS):
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
        self.names = Names(names)
        self.units = Names(units)
        self.types = bytes(types)
        self.applies = bytes(applies)  # APPLIES_*, one a row
        self.values = array("i", [self.default(row, 0) for row in range(len(names))])
        self.loaded = False
        # Another judge of a whole batch: gets the proposed values, returns sentences of refusal.
        self.check = _no_objection
        self._chemistry = self.index("chemistry")
        self._order = array("H")
        for (line,) in rows(ORDER):
            lower, sign, higher = line.split()
            self._order.append(self.index(lower))
            self._order.append(self.index(higher))
            self._order.append(sign == "<=")
        give_back("bms.parameter_rows")

    def __len__(self):
        return len(self.types)

    def index(self, name):
        """Row of a parameter. Keep it: looking up allocates. Raises UnknownName."""
        return self.names.index(name)

    def value(self, name):
        """Value by name, for start-up code; the fast path keeps the index instead."""
        return self.values[self.index(name)]

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
        for index in range(len(self)):
            given.setdefault(index, self.default(index, chemistry))
        self._take(given, chemistry, problems)

    def change(self, changes):
        """Change some values of a loaded configuration: `changes` is a list of (index, value).

        Returns the APPLIES_* bits of the values that differ. Raises ParameterError and changes
        nothing if any value is refused, or if no configuration was loaded yet.
        """
        if not self.loaded:
            raise ParameterError(
                "there is no configuration to change: set one up as a whole on the console first"
            )
        given = dict(changes)
        applies = APPLIES_NOW
        for index, value in given.items():
            if self.values[index] != value:
                applies |= self.applies[index]
        chemistry = self._chemistry_of(given, self.values[self._chemistry])
        if self._chemistry in given:  # the new one may not allow what was allowed before
            for index in self._limited:
                given.setdefault(index, self.values[index])
        self._take(given, chemistry, [])
        return applies

    def differing(self):
        """Names and values that are not the defaults of the chemistry, as `load` takes them."""
        chemistry = self.values[self._chemistry]
        return {
            self.names.name(index): self.values[index]
            for index in range(len(self))
            if self.values[index] != self.default(index, chemistry)
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
        proposed = array("i", self.values)
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
            problems = self.check(proposed)
        if problems:
            more = len(problems) - _MAX_PROBLEMS
            text = "; ".join(problems[:_MAX_PROBLEMS])
            raise ParameterError(text + ("; and %d more" % more if more > 0 else ""))
        memoryview(self.values)[0:] = memoryview(proposed)
        self.loaded = True


def _by_chemistry(text):
    """The four values of a column that has one or four."""
    options = text.split("/")
    values = [INVALID if option == "-" else int(option) for option in options]
    return [values[chemistry % len(values)] for chemistry in range(_CHEMISTRIES)]


def _no_objection(values):
    return []
