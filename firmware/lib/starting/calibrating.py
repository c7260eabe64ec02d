"""Hands a saved calibration to the measuring chip's driver, and saves a new one. Lent."""

from bms import calibration
from bms.parameters import APPLIES_AFE
from bms.table import give_back
from storage.calibration import CalibrationError, SavedCalibration

_FOREIGN = "it is of another measuring chip (%d, this one is %d)"


class Calibrator:
    """What the console's `calibrate` asks for; everything is read from the files and the driver
    anew, so nothing of it stays in memory.

    image: of the driver; cells: of the pack; changed: called with APPLIES_AFE when the chip has to
    take another one.
    """

    def __init__(self, directory, image, cells, changed):
        self._saved = SavedCalibration(directory, cells)
        self._saved.load()
        self._image = image
        self._cells = cells
        self._changed = changed

    def offer(self):
        """At the start: let the driver use what is saved. Sentences about what is wrong."""
        self._image.offered = self._saved.corrections
        self._image.offered_trim = self._saved.chip
        return self._saved.problems

    @property
    def problems(self):
        """Why a saved calibration is not used, as sentences."""
        image = self._image
        if image.offered is None or image.corrections is not None or not image.trim:
            return self._saved.problems
        return self._saved.problems + [_FOREIGN % (image.offered_trim, image.trim)]

    @property
    def chip(self):
        """The number of the chip; 0: not known yet."""
        return self._image.trim

    def corrections(self):
        """A copy of the corrections in force."""
        fresh = calibration.blank(self._cells)
        if self._image.corrections is not None:
            fresh[0:] = self._image.corrections
        return fresh

    def save(self, corrections):
        """Save these corrections (None: none) and use them. Why that failed, in words, or None."""
        try:
            self._saved.save(corrections, self._image.trim)
        except CalibrationError as refused:
            return str(refused)
        self.offer()
        self._changed(APPLIES_AFE)
        return None


def check(application):
    """The chip was programmed: whether it uses what is saved. Puts this module away."""
    problems = application.calibrator.problems
    application.battery.condition("calibration_unused", bool(problems))
    put_away()


def put_away():
    """Forget this module and what it brought."""
    for name in ("bms.calibration", "storage.calibration", "starting.calibrating"):
        give_back(name)
