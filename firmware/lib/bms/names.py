"""Names of a table's rows, a few bytes each: part of the tables that are lent (bms.table.Lent)."""

from array import array

from bms.table import UnknownName


class LentTable:
    """What a Lent object lends: names, and other columns. Has a generator `build`, which has to be
    stepped through first and yields between pieces of some milliseconds."""

    def __init__(self):
        self.names = Names(())

    def index(self, name):
        """Row of a name. Keep it: looking up allocates. Raises UnknownName."""
        return self.names.index(name)


class Names:
    """The names of a table's rows in one blob; a row is its index from here on."""

    def __init__(self, names):
        blob = bytearray()
        self._ends = array("H")
        for name in names:
            blob.extend(name.encode())
            self._ends.append(len(blob))
        self._blob = bytes(blob)

    def __len__(self):
        return len(self._ends)

    def name(self, index):
        start = self._ends[index - 1] if index else 0
        return str(self._blob[start : self._ends[index]], "utf-8")

    def index(self, name):
        """Row of `name`. Allocates: call it at load, keep the index. Raises UnknownName."""
        wanted = name.encode()
        ends = self._ends
        at = self._blob.find(wanted)
        while 0 <= at < len(self._blob):
            row = self._row_at(at)
            if (ends[row - 1] if row else 0) == at and ends[row] - at == len(wanted):
                return row
            at = self._blob.find(wanted, at + 1)  # it was only a part of another name
        raise UnknownName("no row is named '%s'" % name)

    def _row_at(self, place):
        """The row whose name has the character at `place` of the blob, by bisection."""
        low = 0
        high = len(self._ends) - 1
        while low < high:
            middle = (low + high) >> 1
            if self._ends[middle] <= place:
                low = middle + 1
            else:
                high = middle
        return low
