"""What must survive a power cut besides the settings: latched faults, and what a person decided.

`state_a.json` and `state_b.json`, two files that take turns as storage.slots says, under the key
`state`. All values are whole numbers, by these names:

    latched_0 .. latched_3          words of 16 latched faults, lowest bit first (bms.faults)
    restricted                      1: a person switched the gates off
    lowest_cell_mv                  lowest resting cell voltage, if it was a deep discharge
    deep_discharge_acknowledged     1: a person allowed the limited charge current
    undervoltage_rebounds           rounds since the last recharge
    empty                           1: undervoltage blocked the discharge
    forbidden                       gates that a bus asked to keep open: 1 charge, 2 discharge
    commissioned_chemistry          what the pack was when it was commissioned: the parameters
    commissioned_series_cells       of the same names
    commissioned_design_capacity_mah
    commissioned_shunt_microohm
    commissioned_current_sensor
    commissioned_ina228_shunt_microohm
    commissioned_power_path

Goals: `load` never raises; a value that is already saved is not written again.
Limits: those of storage.slots; coroutines and start-up code only, never the fast path. If neither
file is whole, nothing is known and `get` gives defaults: who asks for `commissioned_...` must then
treat the pack as not commissioned (law 3). If one file is damaged, the values are those before the
last change, and `problems` says so.
"""

from storage.slots import Slots, whole

NAMES = (
    "latched_0", "latched_1", "latched_2", "latched_3",
    "restricted", "lowest_cell_mv", "deep_discharge_acknowledged", "undervoltage_rebounds",
    "empty", "forbidden",
    "commissioned_chemistry", "commissioned_series_cells", "commissioned_design_capacity_mah",
    "commissioned_shunt_microohm", "commissioned_current_sensor",
    "commissioned_ina228_shunt_microohm", "commissioned_power_path",
)  # fmt: skip


class StateError(Exception):
    """The state could not be saved; the text says why and what to do."""


class SavedState:
    """The two files in `directory`, or `slots` (storage.fram) in their place.

    problems: what was wrong at the last load, as sentences; empty if the newest file was whole
    loaded: whether the last load found anything
    """

    def __init__(self, directory, slots=None):
        self._slots = slots or Slots(directory, "state", "state")
        self._values = {}
        self.loaded = False
        self.problems = []

    def load(self):
        """Read the newest file that is whole. False if there is none. Never raises."""
        found = self._slots.read()
        self._values = found[0][1] if found else {}
        self.loaded = bool(found)
        self.problems = self._slots.problems
        if not found:
            self.problems.append(
                "nothing is known about this pack from before: it counts as not commissioned; "
                "on the console, `commission` leads through it"
            )
        elif self.problems:
            self.problems.append(
                "%s is used instead: the last change is lost, so look through the faults"
                % self._slots.name(self._slots.kept)
            )
        return self.loaded

    def lost(self):
        """Whether the last load found files, and none of them whole."""
        return not self.loaded and len(self.problems) > 1  # the one that is always there tells it

    def get(self, name, default):
        """A saved value, or `default` if there is none. Raises StateError for another name."""
        _check_name(name)
        return self._values.get(name, default)

    def update(self, changes):
        """Save the values of `changes` beside the others. True if something had to be written.

        Raises StateError: files and values are then as before, so the next update tries again.
        """
        values = dict(self._values)
        for name in changes:
            _check_name(name)
            if not whole(changes[name]):
                raise StateError("'%s' must be a whole number" % name)
            values[name] = changes[name]
        if values == self._values:
            return False
        problem = self._slots.write(values)
        if problem:
            raise StateError("%s; the state before stays saved" % problem)
        self._values = values
        return True


def _check_name(name):
    if name not in NAMES:
        raise StateError("no state is named '%s': see storage.state" % name)
