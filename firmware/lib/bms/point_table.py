"""Names, units, types and places of the points.

Part of bms.points.Points; in memory only while somebody needs it. Rows are read in pieces of some
milliseconds, because a board has other things to do.
"""

from array import array

from bms.names import LentTable, Names
from bms.table import give_back, rows

_TYPES = ("i32", "u16", "i16", "b16")
_PATHS = ("fast", "live", "slow", "count")
_PIECE = 8  # rows read without a pause


class Table(LentTable):
    """What `points` (bms.points) hands on to. Step through `build` first.

    ends: where the values of each path end in a snapshot.
    """

    def __init__(self, _points):
        super().__init__()

    def build(self):
        """Read the rows: yields between pieces."""
        from bms.point_rows import ROWS

        give_back("bms.point_rows")
        names = []
        units = []
        types = bytearray()
        counts = bytearray()
        paths = bytearray()
        for name, unit, kind, count, path, _ in rows(ROWS):
            if len(names) % _PIECE == 0:
                yield
            names.append(name)
            units.append(unit)
            types.append(_TYPES.index(kind))
            counts.append(int(count))
            paths.append(_PATHS.index(path))
        yield
        self.names = Names(names)
        self.units = Names(units)
        self.types = bytes(types)
        self.counts = bytes(counts)
        self.offsets = array("H", [0] * len(names))
        self.ends = []
        size = 0
        for path in range(len(_PATHS)):
            for row in range(len(names)):
                if paths[row] == path:
                    self.offsets[row] = size
                    size += counts[row]
            self.ends.append(size)

    def offset(self, name):
        """Place of a point's first value in a snapshot. Keep it: looking up allocates."""
        return self.offsets[self.names.index(name)]
