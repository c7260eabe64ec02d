"""The faults table: every fault once, with its bit, what it blocks and what to do about it.

Columns: name | blocks (c charge, d discharge, cd both) | latching (y: stays until a person clears it
after its cause is gone) | what it means and what to do
The line number is the bit in the points `faults` and `warnings`, so only ever append.
"""

from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import Names, field, rows

ROWS = b"""
cell_overvoltage|c|n|A cell is above its limit: let the pack discharge; if it returns, look for a weak cell
cell_undervoltage|d|n|A cell is below its limit: charge the pack
overcurrent_charge|c|n|Charge current above its limit: lower the charger's current
overcurrent_discharge|d|n|Discharge current above its limit: reduce the load
overtemperature_charge|c|n|Cells too warm to charge: let them cool, check the ventilation
overtemperature_discharge|d|n|Cells too warm to discharge: let them cool, check the ventilation
undertemperature_charge|c|n|Cells too cold to charge: warm them
undertemperature_discharge|d|n|Cells too cold to discharge: warm them
stack_mismatch|cd|n|Sum of cells and stack voltage disagree: check balance leads and calibration
afe_lost|cd|n|The measuring chip does not answer: check its supply and the I2C wires
measurement_stale|cd|n|The measuring chip answers but stopped measuring
measurement_implausible|cd|n|The measuring chip reports values no battery has: check leads and sensors
afe_wrong_device|cd|n|Another chip than expected answers: check the board and its configuration
afe_configuration|cd|n|The measuring chip does not keep its settings: it can not protect, replace it
afe_restarted|cd|n|The measuring chip restarted and forgot its settings; it is being programmed again
short_circuit|cd|y|The measuring chip saw a short circuit: find it, then clear this fault
afe_overtemperature|cd|n|The measuring chip or the board is too hot
afe_watchdog|cd|n|The measuring chip missed the processor and opened the gates
afe_failed|cd|y|The measuring chip found a permanent failure in itself: replace it
configuration_invalid|cd|n|There is no valid configuration: set it up on the console
step_failed|cd|y|The firmware's own fast path failed: save the log and report it
"""


class Faults:
    """Names, blocked gates and latch policy of every fault, by bit."""

    def __init__(self):
        table = list(rows(ROWS))
        self.names = Names([row[0] for row in table])
        self.blocks = bytes(
            (GATE_CHARGE if "c" in row[1] else 0) | (GATE_DISCHARGE if "d" in row[1] else 0)
            for row in table
        )
        self.latching = bytes(row[2] == "y" for row in table)

    def __len__(self):
        return len(self.blocks)

    def advice(self, bit):
        """What the fault means and what to do, in a sentence. Allocates."""
        return field(ROWS, bit, 3)
