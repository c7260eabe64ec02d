"""What a BQ76952 was told and found to hold: what the driver goes on needing of its settings.

`bq76952_settings` computes it, and is in memory only while the chip is programmed.
"""

from array import array

from bms.sample import CORRECTED_STACK, corrected

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
        # The pack's lowest cell of this chip; above 0: a stack's upper one, away from the switches
        self.first_cell = 0
        # Whether the predischarge gate may be on with the discharge gate
        self.predischarge = False
        self.gate_outputs = False  # whether DCHG and DDSG tell what the gates do
        # Bits of the battery status that were there at the end of programming and say nothing new:
        # WD stays from a watchdog reset of the chip until its next reset, which sets POR
        # (SLUUBY2B).
        self.known_status = 0
        # Calibration, see bms.calibration. offered: corrections for the chip whose factory trim is
        # `offered_trim`, or None; set by the slow path, they count from the next programming on.
        # corrections: those in force, or None. trim: what tells this chip from others; 0: unknown.
        self.offered = None
        self.offered_trim = 0
        self.corrections = None
        self.trim = 0

    def stack_mv(self, shown_mv):
        """The stack's voltage of what the chip shows; its own gain for it (TOS) is left alone,
        since no document says that what the factory put there can be read."""
        if self.corrections is None:
            return shown_mv
        return corrected(shown_mv, self.corrections[CORRECTED_STACK])
