"""Packed tables: a few bytes a row stay in memory, whatever the row says.

Goals: rows are written as readable lines, become indices once at load, and cost little RAM
(architecture section 4: 120 rows as tuples would take 32 KB of the target's 264 KB).
Limits: numbers are below 2**30, because larger integers are heap objects on our boards.
"""

import sys

INVALID = -(1 << 30)
"""What a value reads as when there is no trustworthy measurement behind it.

The smallest integer that is not a heap object on the boards: absurd in every unit we use, so that
a reader who forgets to ask shows nonsense instead of an old value that looks live.
"""


_COMMENT = ord("#")
_KEPT_S = 10  # without use


def give_back(name):
    """Forget a module that was imported for a moment: texts and code that nobody uses any more are
    freed by the next collection, and imported again from flash when needed."""
    sys.modules.pop(name, None)
    package, _, module = name.rpartition(".")
    package = sys.modules.get(package)
    if hasattr(package, module):  # a package holds on to its modules, too
        delattr(package, module)


class Lent:
    """An object whose seldom needed part is lent: a table in a module of its own, which is loaded
    when an attribute is asked for that is not here, and given back when nobody asked for a while.

    TABLE: the module, which has a class `Table(this object)`, a bms.names.LentTable. Loading takes
    more than a hundred milliseconds on a board: whoever can wait steps through `fetch` first.
    """

    _table = None
    _unused_s = 0

    def __getattr__(self, name):
        for _ in self.fetch():
            pass
        return getattr(self._table, name)

    def fetch(self):
        """Load the table in pieces of some milliseconds: yields between them."""
        self._unused_s = 0
        if self._table is None:
            table = __import__(self.TABLE, None, None, ("Table",)).Table(self)
            yield
            yield from table.build()
            self._table = table

    def second(self):
        """A second passed."""
        self._unused_s += 1
        if self._unused_s == _KEPT_S:
            self.put_away()

    def put_away(self):
        """Give the table back."""
        self._table = None
        give_back(self.TABLE)
        give_back("bms.names")


class UnknownName(KeyError):
    """No row has this name; the message names the nearest thing to do."""


def rows(text):
    """Yield the fields of each line of a table's text (bytes, `|` separated) as a list of str.

    Empty lines and lines that start with `#` are comments.
    """
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        if end < 0:
            end = len(text)
        line = str(text[start:end], "utf-8").strip()
        start = end + 1
        if line and not line.startswith("#"):
            yield [field.strip() for field in line.split("|")]


def field(text, row, column):
    """One field of one row, without taking the other rows apart; "" if there is no such row."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start)
        if end < 0:
            end = len(text)
        if end > start and text[start] != _COMMENT:
            if row == 0:
                return str(text[start:end], "utf-8").split("|")[column].strip()
            row -= 1
        start = end + 1
    return ""
