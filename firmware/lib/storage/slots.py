"""Two files that take turns: named whole numbers that survive a power cut at any moment.

`<stem>_a.json` and `<stem>_b.json` hold the newest values and those before them. A write replaces
the older one: into a temporary file first, which is read back and then renamed, so that a power
cut at any moment leaves the old or the new values (littlefs replaces a file by renaming in one
step). A file looks like this; the third key is named by who keeps the values:

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
`format=1`, `sequence=7` and one `name=value` per value, sorted by name, joined by line feeds.

Goals: whatever is in the two files, `read` never raises; it takes one file as a whole or none, and
says in words what is wrong with a file that it refused.
Limits: coroutines and start-up code only, never the fast path (a flash write stalls an RP2040 for
up to 118 ms, micropython.md 2); the directory must exist; a FAT file system is not enough, because
its rename does not replace.
Wear: a write costs 0.4 block erases while the text is shorter than 512 bytes, which littlefs
keeps beside the file's name, then 1.3; 3 at most (600 writes on a real littlefs,
host_tests/storage/wear.py).
"""

import binascii
import json
import os

ENOENT = 2  # errno: no such file

_SUFFIXES = ("_a.json", "_b.json")
_FORMAT = 1
_MAX_BYTES = 16384  # every setting written out together takes less than 5000
_MAX_SENTENCE = 300  # a damaged file may hold names of any length


def inside(directory, name):
    """The path of a file in a directory."""
    return (directory if directory.endswith("/") else directory + "/") + name


class _Refused(Exception):
    """A file is not what it should be; the text says why."""


class Slots:
    """The two files of `stem` in `directory`; `section` is the key that holds the values.

    problems: what was wrong at the last read, as sentences
    kept: the slot (0 or 1) that the next write must not touch
    """

    def __init__(self, directory, stem, section):
        self._stem = inside(directory, stem)
        self._name = stem
        self._section = section
        self._sequences = [0, 0]  # of each slot; 0: missing or damaged
        self.problems = []
        self.kept = 1

    def read(self):
        """The values of both files, [(slot, values)], newest first; only those that are whole.

        Never raises: see `problems`.
        """
        self.problems = []
        found = [self._read(slot) for slot in range(len(_SUFFIXES))]
        self._sequences = [content[0] if content else 0 for content in found]
        newest = 1 if self._sequences[1] > self._sequences[0] else 0
        self.kept = newest if found[newest] else 1
        pairs = [(slot, found[slot]) for slot in (newest, 1 - newest)]
        return [(slot, content[1]) for slot, content in pairs if content]

    def write(self, values):
        """Put `values` into the slot that is not kept, and keep it. Returns what went wrong, as
        words, or None; the files are then as before."""
        sequence = max(self._sequences) + 1
        slot = 1 - self.kept
        temporary = self._stem + "_new.json"
        problem = _replace(temporary, self._stem + _SUFFIXES[slot], self._text(sequence, values))
        if problem:
            _remove(temporary)
            return problem
        self._sequences[slot] = sequence
        self.kept = slot
        return None

    def name(self, slot):
        """The name of a slot's file."""
        return self._name + _SUFFIXES[slot]

    def refuse(self, slot, reason):
        """Note a problem with a slot."""
        sentence = "%s %s" % (self.name(slot), reason)
        if len(sentence) > _MAX_SENTENCE:
            sentence = sentence[:_MAX_SENTENCE] + "..."
        self.problems.append(sentence)

    def _read(self, slot):
        """(sequence, values) of a file, or None if it is missing or damaged."""
        path = self._stem + _SUFFIXES[slot]
        try:
            size = os.stat(path)[6]
            if size > _MAX_BYTES:
                raise _Refused("is too large (%d bytes, at most %d)" % (size, _MAX_BYTES))
            with open(path, "rb") as file:
                return self._parsed(str(file.read(), "utf-8"))
        except OSError as problem:
            if problem.errno != ENOENT:
                self.refuse(slot, "can not be read (%s)" % problem)
        except _Refused as problem:
            self.refuse(slot, str(problem))
        except MemoryError:
            self.refuse(slot, "does not fit into the memory")
        except (ValueError, TypeError, RuntimeError):  # RuntimeError: nested too deep
            self.refuse(slot, "is damaged: it is not JSON")
        return None

    def _text(self, sequence, values):
        lines = ['    "%s": %d' % (name, values[name]) for name in sorted(values)]
        return (
            '{\n  "format": %d,\n  "sequence": %d,\n  "%s": {\n%s\n  },\n  "crc32": "%s"\n}\n'
            % (_FORMAT, sequence, self._section, ",\n".join(lines), _checksum(sequence, values))
        )

    def _parsed(self, text):
        """(sequence, values) of a file's text. Raises _Refused, or what json.loads raises."""
        content = json.loads(text)
        keys = ("format", "sequence", self._section, "crc32")
        _check_frame(content, keys)
        sequence = content["sequence"]
        values = content[self._section]
        _check_values(values, self._section)
        for name in list(values) + list(keys):
            if text.count('"%s"' % name) > 1:
                raise _Refused("gives '%s' twice" % name)
        expected = _checksum(sequence, values)
        if content["crc32"] != expected:
            raise _Refused(
                "does not fit its crc32: it was damaged or edited by hand; if you edited it and "
                "every value is as you want it, write %s into crc32" % expected
            )
        return sequence, values


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
        return refusal(problem)
    return None


def refusal(problem):
    """What an OSError of a write means, as words."""
    return "the flash refused to write (%s): free some space and try again" % problem


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        return  # it was not there, or the flash is read-only: the caller reports the cause


def whole(value):
    """Whether a value is a whole number, which a bool is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _checksum(sequence, values):
    lines = ["format=%d" % _FORMAT, "sequence=%d" % sequence]
    for name in sorted(values):
        lines.append("%s=%d" % (name, values[name]))
    return "%08x" % binascii.crc32("\n".join(lines).encode())


def _check_frame(content, keys):
    if not isinstance(content, dict):
        raise _Refused("is damaged: it must be an object with %s" % ", ".join(keys))
    for key in keys:
        if key not in content:
            raise _Refused("is damaged: '%s' is missing" % key)
    for key in content:
        if key not in keys:
            raise _Refused("holds '%s', which does not belong there" % key)
    if content["format"] != _FORMAT or not whole(content["format"]):
        raise _Refused("is not of format %d, the only one this firmware knows" % _FORMAT)
    if not whole(content["sequence"]) or content["sequence"] < 1:
        raise _Refused("is damaged: 'sequence' must be a whole number from 1 on")


def _check_values(values, section):
    if not isinstance(values, dict):
        raise _Refused("is damaged: '%s' must be an object of names and whole numbers" % section)
    for name in values:
        # MicroPython's JSON reader takes keys that are not strings.
        if not isinstance(name, str) or not whole(values[name]):
            raise _Refused("gives '%s' a value that is not a whole number" % name)
