"""Names of the faults, and what to do about each.

Part of bms.faults.Faults; in memory only while somebody needs it.
"""

from bms.names import LentTable, Names
from bms.table import field, give_back, rows


class Table(LentTable):
    """What `faults` (bms.faults) hands on to. Step through `build` first."""

    def __init__(self, _faults):
        super().__init__()

    def build(self):
        """Read the rows."""
        from bms.fault_rows import ROWS

        yield
        self.names = Names([row[0] for row in rows(ROWS)])
        give_back("bms.fault_rows")

    def advice(self, bit):
        """What the fault means and what to do, in a sentence, read from flash. Allocates."""
        from bms.fault_rows import ROWS

        give_back("bms.fault_rows")
        return field(ROWS, bit, 3)
