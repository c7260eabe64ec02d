"""The faults by bit: what they block, which ones latch. The rows are in bms.fault_rows.

Their names and advice are in bms.fault_table, which is in memory only while somebody needs it.
"""

from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import Lent, give_back, rows


class Faults(Lent):
    """Blocked gates and latch policy of every fault, by bit; what is not here is in
    bms.fault_table.Table."""

    TABLE = "bms.fault_table"

    def __init__(self):
        from bms.fault_rows import ROWS

        table = list(rows(ROWS))
        give_back("bms.fault_rows")
        self.blocks = bytes(
            (GATE_CHARGE if "c" in row[1] else 0) | (GATE_DISCHARGE if "d" in row[1] else 0)
            for row in table
        )
        self.latching = bytes(row[2] == "y" for row in table)
        self.urgent = bytes("!" in row[1] or row[1] == "cd" for row in table)

    def __len__(self):
        return len(self.blocks)
