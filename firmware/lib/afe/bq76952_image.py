"""What a BQ76952 was told and found to hold: what the driver goes on needing of its settings.

`bq76952_settings` computes it, and is in memory only while the chip is programmed.
"""

from array import array

TAKEN_VALUES = 24


class Image:
    """runs: blocks of data memory: address (low, high), then the data, by ascending address.
    taken: what the chip takes, in the order of bq76952_settings.TAKEN.
    """

    def __init__(self):
        self.runs = []
        self.taken = array("i", [0] * TAKEN_VALUES)
        self.current_unit_ma = 10  # what one count of the chip's current stands for
        self.fet_thermistor = 0  # whether HDQ measures the switches
        self.cells = 0  # in series; this and the next are taken at the first update
        self.thermistors = 0
        # Whether the predischarge gate may be on with the discharge gate
        self.predischarge = False
        self.gate_outputs = False  # whether DCHG and DDSG tell what the gates do
        # Bits of the battery status that were there at the end of programming and say nothing new:
        # WD stays from a watchdog reset of the chip until its next reset, which sets POR
        # (SLUUBY2B).
        self.known_status = 0
