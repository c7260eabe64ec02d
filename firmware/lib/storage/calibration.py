"""The calibration file: corrections that belong to one measuring chip, apart from the settings.

`calibration_a.json` and `calibration_b.json`, two files that take turns as storage.slots says,
under the key `calibration`: `chip`, the number that its factory trim gives (0 where it has none),
`cells`, how many it was made for, and the corrections that are not 0, by the names of
bms.calibration. An empty object is "none": a person cleared it.

Goals: `load` never raises, takes a file as a whole or not at all, and says in words what is wrong.
Limits: those of storage.slots; coroutines and start-up code only, never the fast path.
"""

from bms import calibration
from storage.slots import Slots


class CalibrationError(Exception):
    """The calibration could not be saved; the text says why and what to do."""


class SavedCalibration:
    """The two files in `directory`.

    corrections: of the newest whole file, for `cells` cells, or None; chip: whose they are.
    problems: what was wrong at the last load, as sentences.
    """

    def __init__(self, directory, cells):
        self._slots = Slots(directory, "calibration", "calibration")
        self._cells = cells
        self.corrections = None
        self.chip = 0
        self.problems = []

    def load(self):
        """Read the newest file that is whole and in range. Never raises."""
        self.corrections = None
        for slot, values in self._slots.read():
            refused = self._take(values)
            if refused is None:
                self._slots.kept = slot
                break
            self._slots.refuse(slot, refused)
        self.problems = self._slots.problems

    def save(self, corrections, chip):
        """Save these corrections, or None for none. Raises CalibrationError; the files are then
        as before."""
        values = {}
        if corrections is not None:
            values["chip"] = chip
            values["cells"] = self._cells
            for place in range(len(corrections)):
                if corrections[place]:
                    values[calibration.name(place)] = corrections[place]
        problem = self._slots.write(values)
        if problem:
            raise CalibrationError("%s; the calibration before stays saved" % problem)
        self.corrections = corrections
        self.chip = chip
        self.problems = []

    def _take(self, values):
        """Use these values; why not, in words, or None."""
        if not values:
            return None
        if values.get("cells") != self._cells or "chip" not in values:
            return "is refused: it was made for %s cells, and this pack has %d" % (
                values.get("cells", "unknown"),
                self._cells,
            )
        corrections = calibration.blank(self._cells)
        places = {calibration.name(place): place for place in range(len(corrections))}
        for key in values:
            if key in places:
                corrections[places[key]] = max(-(1 << 29), min(1 << 29, values[key]))
            elif key not in ("cells", "chip"):
                return "is refused: '%s' can not be calibrated" % key
        problem = calibration.problem(corrections)
        if problem:
            return "is refused: %s" % problem
        self.corrections = corrections
        self.chip = values["chip"]
        return None
