"""Names of the faults, and what to do about each.

Part of bms.faults.Faults; in memory only while somebody needs it. Rows are read in pieces of some
milliseconds, because a board has other things to do.
"""

from bms.names import LentTable, Names
from bms.table import field, give_back, rows

_PIECE = 8  # rows read without a pause


class Table(LentTable):
    """What `faults` (bms.faults) hands on to. Step through `build` first."""

    def __init__(self, _faults):
        super().__init__()

    def build(self):
        """Read the rows: yields between pieces."""
        from bms.fault_rows import ROWS

        give_back("bms.fault_rows")
        names = []
        for row in rows(ROWS):
            if len(names) % _PIECE == 0:
                yield
            names.append(row[0])
        yield
        self.names = Names(names)

    def advice(self, bit):
        """What the fault means and what to do, in a sentence, read from flash. Allocates."""
        from bms.fault_rows import ROWS

        give_back("bms.fault_rows")
        return field(ROWS, bit, 3)
