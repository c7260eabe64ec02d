"""The configuration file: the settings of this pack, kept over restarts and power cuts.

Two files, `config_a.json` and `config_b.json`, hold the newest settings and those before them.
A save writes the older one: into a temporary file first, which is read back and then renamed, so
that a power cut at any moment leaves the old or the new settings (littlefs replaces a file by
renaming in one step). A file looks like this, and only settings that differ from the defaults of
their chemistry are in it:

    {
      "format": 1,
      "sequence": 7,
      "settings": {
        "chemistry": 0,
        "series_cells": 16
      },
      "crc32": "53c3ce46"
    }

`sequence` says which file is newer. `crc32` is over the meaning, not the spelling: the lines
`format=1`, `sequence=7` and one `name=value` per setting, sorted by name, joined by line feeds.

Goals: whatever is in the two files, `load` never raises; it takes one file as a whole or none, and
says in words what is wrong with a file that it refused.
Limits: coroutines and start-up code only, never the fast path (a flash write stalls an RP2040 for
up to 118 ms, micropython.md 2); the directory must exist; a FAT file system is not enough, because
its rename does not replace.
"""

import binascii
import json
import os
from array import array

from bms.parameters import ParameterError
from bms.table import INVALID

_FILES = ("config_a.json", "config_b.json")
_TEMPORARY = "config_new.json"
_FORMAT = 1
_KEYS = ("format", "sequence", "settings", "crc32")
_MAX_BYTES = 16384  # every setting written out together takes less than 5000
_MAX_SENTENCE = 300  # a damaged file may hold names of any length
_ENOENT = 2


class ConfigurationError(Exception):
    """The settings could not be saved; the text says why and what to do."""


class _Refused(Exception):
    """A file is not a configuration; the text says why."""


class Configuration:
    """The two files in `directory`.

    loaded: whether the settings in force came from a file or were saved to one
    problems: what was wrong at the last load, as sentences; at most one a file and one in all
    """

    def __init__(self, directory):
        self._directory = directory if directory.endswith("/") else directory + "/"
        self.loaded = False
        self.problems = []
        self._sequences = [0, 0]  # of each file; 0: missing or damaged
        self._kept = 1  # the file that the next save must not touch
        self._saved = array("i")  # the values that the newest file gives; none yet: empty

    def load(self, parameters):
        """Give `parameters` the newest settings that are whole and valid. True if there are any.

        Otherwise `parameters` stays as it is. Never raises: see `problems`.
        """
        self.loaded = False
        self.problems = []
        found = [self._read(slot) for slot in range(len(_FILES))]
        self._sequences = [content[0] if content else 0 for content in found]
        newest = 1 if self._sequences[1] > self._sequences[0] else 0
        self._kept = newest if found[newest] else 1
        for slot in (newest, 1 - newest):
            content = found[slot]
            if content and self._take(parameters, slot, content[1]):
                break
        if not self.loaded:
            self.problems.append(self._what_to_do(parameters))
        elif self.problems:
            self.problems.append(
                "%s is used instead: look through the settings, then save them"
                % _FILES[self._kept]
            )
        return self.loaded

    def save(self, parameters):
        """Write the settings in force. Raises ConfigurationError; the files are then as before."""
        if not parameters.loaded:
            raise ConfigurationError("there are no valid settings to save yet")
        sequence = max(self._sequences) + 1
        slot = 1 - self._kept
        values = array("i", parameters.values)
        text = _text(sequence, parameters.differing())
        temporary = self._directory + _TEMPORARY
        problem = _replace(temporary, self._directory + _FILES[slot], text)
        if problem:
            _remove(temporary)
            raise ConfigurationError("%s; the settings before stay saved" % problem)
        self._sequences[slot] = sequence
        self._kept = slot
        self._saved = values
        self.loaded = True
        self.problems = []

    def unsaved(self, parameters):
        """Whether a restart would lose settings that are in force."""
        return parameters.loaded and parameters.values != self._saved

    def _read(self, slot):
        """(sequence, settings) of a file, or None if it is missing or damaged."""
        path = self._directory + _FILES[slot]
        try:
            size = os.stat(path)[6]
            if size > _MAX_BYTES:
                raise _Refused("is too large (%d bytes, at most %d)" % (size, _MAX_BYTES))
            with open(path, "rb") as file:
                return _parsed(str(file.read(), "utf-8"))
        except OSError as problem:
            if problem.errno != _ENOENT:
                self._refuse(slot, "can not be read (%s)" % problem)
        except _Refused as problem:
            self._refuse(slot, str(problem))
        except MemoryError:
            self._refuse(slot, "does not fit into the memory")
        except (ValueError, TypeError, RuntimeError):  # RuntimeError: nested too deep
            self._refuse(slot, "is damaged: it is not JSON")
        return None

    def _take(self, parameters, slot, settings):
        try:
            parameters.load(settings)
        except ParameterError as problem:
            self._refuse(slot, "is refused: %s" % problem)
            return False
        self.loaded = True
        self._kept = slot
        self._saved = array("i", parameters.values)
        return True

    def _refuse(self, slot, reason):
        self.problems.append(_clip("%s %s" % (_FILES[slot], reason)))

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


def _replace(temporary, path, text):
    """Make `text` the content of `path` in one step. Returns what went wrong, or None."""
    try:
        with open(temporary, "w") as file:
            file.write(text)
            file.flush()
        with open(temporary) as file:
            if file.read() != text:
                return "the flash did not keep what was written: try again, or replace the board"
        os.rename(temporary, path)
    except OSError as problem:
        return "the flash refused to write (%s): free some space and try again" % problem
    return None


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        return  # it was not there, or the flash is read-only: the caller reports the cause


def _clip(sentence):
    if len(sentence) <= _MAX_SENTENCE:
        return sentence
    return sentence[:_MAX_SENTENCE] + "..."


def _whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _checksum(sequence, settings):
    lines = ["format=%d" % _FORMAT, "sequence=%d" % sequence]
    for name in sorted(settings):
        lines.append("%s=%d" % (name, settings[name]))
    return "%08x" % binascii.crc32("\n".join(lines).encode())


def _text(sequence, settings):
    lines = ['    "%s": %d' % (name, settings[name]) for name in sorted(settings)]
    return (
        '{\n  "format": %d,\n  "sequence": %d,\n  "settings": {\n%s\n  },\n  "crc32": "%s"\n}\n'
        % (_FORMAT, sequence, ",\n".join(lines), _checksum(sequence, settings))
    )


def _parsed(text):
    """(sequence, settings) of a file's text. Raises _Refused, or what json.loads raises."""
    content = json.loads(text)
    _check_frame(content)
    sequence = content["sequence"]
    settings = content["settings"]
    _check_settings(settings)
    for name in list(settings) + list(_KEYS):
        if text.count('"%s"' % name) > 1:
            raise _Refused("gives '%s' twice" % name)
    expected = _checksum(sequence, settings)
    if content["crc32"] != expected:
        raise _Refused(
            "does not fit its crc32: it was damaged or edited by hand; if you edited it and "
            "every value is as you want it, write %s into crc32" % expected
        )
    return sequence, settings


def _check_frame(content):
    if not isinstance(content, dict):
        raise _Refused("is damaged: it must be an object with %s" % ", ".join(_KEYS))
    for key in _KEYS:
        if key not in content:
            raise _Refused("is damaged: '%s' is missing" % key)
    for key in content:
        if key not in _KEYS:
            raise _Refused("holds '%s', which does not belong there" % key)
    if content["format"] != _FORMAT or not _whole(content["format"]):
        raise _Refused("is not of format %d, the only one this firmware knows" % _FORMAT)
    if not _whole(content["sequence"]) or content["sequence"] < 1:
        raise _Refused("is damaged: 'sequence' must be a whole number from 1 on")


def _check_settings(settings):
    if not isinstance(settings, dict):
        raise _Refused("is damaged: 'settings' must be an object of names and whole numbers")
    for name in settings:
        # MicroPython's JSON reader takes keys that are not strings.
        if not isinstance(name, str) or not _whole(settings[name]):
            raise _Refused("gives '%s' a value that is not a whole number" % name)
