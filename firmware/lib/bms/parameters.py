"""The settings: their values, and the only door through which a value changes.

A change is a batch: every value is checked against its range, then all of them together against
each other (`ORDER` in the rows), and only then all take effect. A refused batch changes nothing
and raises ParameterError, whose text names the value, its range and why.
The fast path reads `values[index]`, which allocates nothing. All else (names, ranges, defaults,
checks) is in bms.parameter_table, which is in memory only while somebody needs it.
"""

from array import array

from bms.table import Lent

TYPE_U16 = 0
TYPE_I16 = 1
TYPE_I32 = 2
TYPE_SECRET = 3

# What a change needs before it is in force; bits, because a batch may need several.
APPLIES_NOW = 0
APPLIES_AFE = 1
APPLIES_RESTART = 2


class ParameterError(ValueError):
    """A value or a combination was refused; the text says which, its range and why."""


class Parameters(Lent):
    """The parameters table; what is not here is in bms.parameter_table.Table.

    Until `load` accepted a configuration, `loaded` is False and the values are the defaults of the
    first chemistry, so that the links come up and the board can be set up; what has no default is
    INVALID, and nothing is measured or switched.
    """

    TABLE = "bms.parameter_table"

    def __init__(self):
        self.loaded = False
        # Another judge of a whole batch: gets the proposed values, returns sentences of refusal.
        self.check = _no_objection
        self.values = array("i", [self.default(row, 0) for row in range(len(self.types))])

    def __len__(self):
        return len(self.values)

    def value(self, name):
        """Value by name, for start-up code; the fast path keeps the index instead."""
        return self.values[self.index(name)]


def _no_objection(values):
    return []
