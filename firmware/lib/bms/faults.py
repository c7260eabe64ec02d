"""The faults by bit: names, what they block, which ones latch. The rows are in bms.fault_rows."""

from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import Names, field, give_back, rows


class Faults:
    """Names, blocked gates and latch policy of every fault, by bit."""

    def __init__(self):
        from bms.fault_rows import ROWS

        table = list(rows(ROWS))
        give_back("bms.fault_rows")
        self.names = Names([row[0] for row in table])
        self.blocks = bytes(
            (GATE_CHARGE if "c" in row[1] else 0) | (GATE_DISCHARGE if "d" in row[1] else 0)
            for row in table
        )
        self.latching = bytes(row[2] == "y" for row in table)
        self.urgent = bytes("!" in row[1] or row[1] == "cd" for row in table)

    def __len__(self):
        return len(self.blocks)

    def advice(self, bit):
        """What the fault means and what to do, in a sentence, read from flash. Allocates."""
        from bms.fault_rows import ROWS

        give_back("bms.fault_rows")
        return field(ROWS, bit, 3)
