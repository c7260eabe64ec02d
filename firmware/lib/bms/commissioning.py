"""Commissioning: what a person has shown about a new pack before its gates may close.

Three steps: the measured cells fit the configured ones (bms.wiring), the person typed in once more
what the pack is, and a limited first current flowed the way that the shunt says (bms.trial). Then
a record of what the pack was taken for is saved; as soon as the settings say something else, it no
longer fits, and the pack is commissioned anew.
Each step remembers the settings it was done with, so that it counts only as long as they stand.
Pure logic; coroutine context; allocates.
"""

from bms import trial

WIRING = 0
PACK = 1
CURRENT = 2
STEPS = ("wiring", "pack", "current")

# The settings that a commissioned pack is recognized by.
IDENTITY = (
    "chemistry", "series_cells", "design_capacity_mah", "shunt_microohm", "current_sensor",
    "ina228_shunt_microohm", "power_path",
)  # fmt: skip


class Commissioning:
    """The procedure, from the start of the processor on; nothing of it is kept but the record.

    trying: a first current was asked for and nobody was told its result yet
    """

    def __init__(self, parameters):
        self.trying = False
        self._parameters = parameters
        self._done_with = [{} for _ in STEPS]

    def record(self):
        """What to save: the settings of IDENTITY by name."""
        return {name: self._parameters.value(name) for name in IDENTITY}

    def fits(self, record):
        """Whether a saved record (None: there is none) is that of the settings in force."""
        return self._parameters.loaded and record == self.record()

    def differing(self, record):
        """Names of IDENTITY whose value is another than in `record`, a saved one."""
        now = self.record()
        return [name for name in IDENTITY if record.get(name) != now[name]]

    def missing(self):
        """The steps (WIRING, PACK, CURRENT) still to do, in order."""
        now = self.record()
        return [step for step in range(len(STEPS)) if self._done_with[step] != now]

    def check_wiring(self, cell_mv, stack_mv):
        """Judge a raw measurement. Returns the findings of bms.wiring; done if there is none."""
        from bms.wiring import Limits, check_wiring

        findings = check_wiring(cell_mv, stack_mv, Limits(self._parameters))
        self._mark(WIRING, not findings)
        return findings

    def confirm_pack(self, chemistry, series_cells, design_capacity_mah):
        """Compare what a person typed with the settings; chemistry by its position.

        Returns the names of the settings that say something else; done if there is none.
        """
        typed = {
            "chemistry": chemistry,
            "series_cells": series_cells,
            "design_capacity_mah": design_capacity_mah,
        }
        now = self.record()
        differing = [name for name in IDENTITY if name in typed and typed[name] != now[name]]
        self._mark(PACK, not differing)
        return differing

    def judge_first_current(self, result):
        """Take the result of bms.trial. True if it shows that the shunt counts the right way."""
        self._mark(CURRENT, result == trial.DISCHARGE_SEEN)
        return result == trial.DISCHARGE_SEEN

    def _mark(self, step, done):
        self._done_with[step] = self.record() if done else {}
