"""The configuration file: the settings of this pack, kept over restarts and power cuts.

`config_a.json` and `config_b.json`, two files that take turns as storage.slots says, under the key
`settings`; only settings that differ from the defaults of their chemistry are in them.

Goals: whatever is in the two files, `load` never raises; it takes one file as a whole or none, and
says in words what is wrong with a file that it refused.
Limits: those of storage.slots; coroutines and start-up code only, never the fast path.
"""

import binascii

from bms.parameters import ParameterError
from bms.table import INVALID, give_back
from storage.slots import Slots


class ConfigurationError(Exception):
    """The settings could not be saved; the text says why and what to do."""


class Configuration:
    """The two files in `directory`.

    loaded: whether the settings in force came from a file or were saved to one
    problems: what was wrong at the last load, as sentences; at most one a file and one in all;
    also what was changed in a file of an older firmware (storage.migration)
    """

    def __init__(self, directory):
        self._slots = Slots(directory, "config", "settings")
        self.loaded = False
        self.problems = []
        self._saved = None  # crc32 of the values that the newest file gives; None: none yet

    def load(self, parameters):
        """Give `parameters` the newest settings that are whole and valid. True if there are any.

        Otherwise `parameters` stays as it is. Never raises: see `problems`.
        """
        self.loaded = False
        found = self._slots.read()
        for slot, settings in found:
            if self._take(parameters, slot, settings):
                break
        self.problems = self._slots.problems
        if not self.loaded:
            self.problems.append(self._what_to_do(parameters))
        elif self.problems and self._saved is not None:
            self.problems.append(
                "%s is used instead: look through the settings, then save them"
                % self._slots.name(self._slots.kept)
            )
        return self.loaded

    def save(self, parameters):
        """Write the settings in force. Raises ConfigurationError; the files are then as before."""
        if not parameters.loaded:
            raise ConfigurationError("there are no valid settings to save yet")
        saved = binascii.crc32(parameters.values)
        problem = self._slots.write(parameters.differing())
        if problem:
            raise ConfigurationError("%s; the settings before stay saved" % problem)
        self._saved = saved
        self.loaded = True
        self.problems = []

    def unsaved(self, parameters):
        """Whether a restart would lose settings that are in force."""
        return parameters.loaded and binascii.crc32(parameters.values) != self._saved

    def _take(self, parameters, slot, settings):
        self._saved = None
        try:
            parameters.load(settings)
            self._saved = binascii.crc32(parameters.values)
        except ParameterError as problem:
            from storage import migration

            changed = migration.load(parameters, settings)
            give_back("storage.migration")
            self._slots.refuse(slot, changed or "is refused: %s" % problem)
            if not changed:
                return False
        self.loaded = True
        self._slots.kept = slot
        return True

    def _what_to_do(self, parameters):
        required = [
            parameters.names.name(index)
            for index in range(len(parameters))
            if parameters.default(index, 0) == INVALID
        ]
        return "%s configuration: on the console, `set` at least %s, then `save`" % (
            "no valid" if self.problems else "no",
            ", ".join(required),
        )
