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
says in words what is wrong with a file that it refused. A file of a newer firmware is not lost:
the write that takes its place renames it to `<stem>_a_newer.json` or `<stem>_b_newer.json`.
Limits: coroutines and start-up code only, never the fast path (a flash write stalls an RP2040 for
up to 118 ms, micropython.md 2); the directory must exist; a FAT file system is not enough, because
its rename does not replace.
Wear: a write costs 0.4 block erases while the text is shorter than 512 bytes, which littlefs
keeps beside the file's name, then 1.3; 3 at most (600 writes on a real littlefs,
host_tests/storage/wear.py).
"""

import binascii
import os

from bms.table import give_back

ENOENT = 2  # errno: no such file

SUFFIXES = ("_a.json", "_b.json")
FORMAT = 1
NEWER = -1  # in place of a sequence number
_MAX_SENTENCE = 300  # a damaged file may hold names of any length


def inside(directory, name):
    """The path of a file in a directory."""
    return (directory if directory.endswith("/") else directory + "/") + name


class Slots:
    """The two files of `stem` in `directory`; `section` is the key that holds the values.

    problems: what was wrong at the last read, as sentences
    kept: the slot (0 or 1) that the next write must not touch
    """

    def __init__(self, directory, stem, section):
        self._stem = inside(directory, stem)
        self._name = stem
        self._section = section
        self._sequences = [0, 0]  # of each slot; 0: missing or damaged; NEWER: a later firmware's
        self.problems = []
        self.kept = 1

    def read(self):
        """The values of both files, [(slot, values)], newest first; only those that are whole.

        Never raises: see `problems`.
        """
        self.problems = []
        from storage import slot_reading

        found = []
        for slot in range(len(SUFFIXES)):
            path = self._stem + SUFFIXES[slot]
            content, reason = slot_reading.content(path, self._section)
            if reason:
                self.refuse(slot, reason)
            found.append(content)
        give_back("storage.slot_reading")
        self._sequences = [content[0] if content else 0 for content in found]
        newest = 1 if self._sequences[1] > self._sequences[0] else 0
        self.kept = newest if found[newest] else 1
        pairs = [(slot, found[slot]) for slot in (newest, 1 - newest)]
        return [
            (slot, content[1]) for slot, content in pairs if content and content[1] is not None
        ]

    def write(self, values):
        """Put `values` into the slot that is not kept, and keep it. Returns what went wrong, as
        words, or None; the files are then as before."""
        sequence = max(0, *self._sequences) + 1
        slot = 1 - self.kept
        path = self._stem + SUFFIXES[slot]
        temporary = self._stem + "_new.json"
        aside = self._sequences[slot] == NEWER
        problem = _replace(temporary, path, self._text(sequence, values), aside)
        if problem:
            _remove(temporary)
            return problem
        self._sequences[slot] = sequence
        self.kept = slot
        return None

    def name(self, slot):
        """The name of a slot's file."""
        return self._name + SUFFIXES[slot]

    def refuse(self, slot, reason):
        """Note a problem with a slot."""
        sentence = "%s %s" % (self.name(slot), reason)
        if len(sentence) > _MAX_SENTENCE:
            sentence = sentence[:_MAX_SENTENCE] + "..."
        self.problems.append(sentence)

    def _text(self, sequence, values):
        lines = ['    "%s": %d' % (name, values[name]) for name in sorted(values)]
        return (
            '{\n  "format": %d,\n  "sequence": %d,\n  "%s": {\n%s\n  },\n  "crc32": "%s"\n}\n'
            % (FORMAT, sequence, self._section, ",\n".join(lines), checksum(sequence, values))
        )


def _replace(temporary, path, text, aside):
    """Make `text` the content of `path` in one step. aside: what is there gets another name first.
    Returns what went wrong, or None."""
    try:
        with open(temporary, "w") as file:
            file.write(text)
            file.flush()
        with open(temporary) as file:
            if file.read() != text:
                return "the flash did not keep what was written: try again, or replace the board"
        if aside:
            os.rename(path, path[:-5] + "_newer.json")
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


def checksum(sequence, values):
    """The crc32 of a file, as text."""
    lines = ["format=%d" % FORMAT, "sequence=%d" % sequence]
    for name in sorted(values):
        lines.append("%s=%d" % (name, values[name]))
    return "%08x" % binascii.crc32("\n".join(lines).encode())
