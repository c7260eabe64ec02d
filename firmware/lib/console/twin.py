"""The machine-readable twin of the commands: with --json, one answers in one line of JSON.

Goals: names and numbers are those of points and settings; a failing command answers
{"error": sentence}; no long text is ever held, since the line leaves in pieces of some words with
a turn for the other coroutines between them.
Limits: what leads a person step by step (DIALOGUES) has no twin. A command without rows of its own
answers {"said": [lines]}: what it says to people.

Rows are tuples (name, value), or (name, "{" or "[", rows) for what is long; the rows of a list are
its values. None among them is a turn for the others, a number a pause of so many ms.
"""

from json import dumps

from console.lending import called
from console.usage import Refusal

DIALOGUES = ("commission", "measure", "calibrate")
# command | what yields its rows
ROWS = {
    "status": "twin_pack.status",
    "cells": "twin_pack.cells",
    "health": "twin_pack.health",
    "faults": "twin_pack.faults",
    "link": "twin_rows.link",
    "log": "twin_rows.log",
    "get": "twin_rows.get",
    "raw": "twin_rows.raw",
    "version": "twin_rows.version",
    "help": "twin_rows.help_with",
}
_PAIR = 2  # a name and its value, on one level
_PIECE = 80  # characters that are gathered before they leave
_ENDS = {"{": "}", "[": "]"}


def answer(console, words):
    """The line that answers the typed `words`: pieces of it as bytes, its end as text."""
    line = _Line()
    try:
        yield from line.nested("{", console.run(words, _rows))
        yield line.text
    except Exception as problem:
        yield line.failed(console.sentence(problem, words[0]))


def _rows(console, command, arguments):
    name = command[0]
    if name in DIALOGUES:
        raise Refusal("`%s` is a dialogue; type it without --json and follow it" % name)
    if name in ROWS:
        yield from called(ROWS[name], console, arguments)
    else:
        yield "said", "[", called(command[6], console, arguments)


class _Line:
    """text: what did not leave yet."""

    def __init__(self):
        self.text = ""
        self._begun = False  # something left
        self._ends = ""  # of what is open, the innermost first

    def nested(self, opening, rows):
        """Yield what is ready to leave while `rows` are written as an object or a list."""
        self.text += opening
        self._ends = _ENDS[opening] + self._ends
        between = ""
        for row in rows:
            if row is None or isinstance(row, int):
                yield row
                continue
            self.text += between
            between = ", "
            if not isinstance(row, tuple):
                self.text += dumps(row)
            else:
                self.text += dumps(row[0]) + ": "
                if len(row) > _PAIR:
                    yield from self.nested(row[1], row[2])
                else:
                    self.text += dumps(row[1])
            if len(self.text) > _PIECE:
                yield self.text.encode()
                self.text = ""
                self._begun = True
        self.text += self._ends[0]
        self._ends = self._ends[1:]

    def failed(self, sentence):
        """The end of the line after a failure: what left already is closed."""
        before = self.text + self._ends[:-1] + ", " if self._begun else "{"
        return before + '"error": ' + dumps(sentence) + "}"
