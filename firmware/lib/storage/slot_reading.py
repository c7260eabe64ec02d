"""Reads one file of storage.slots, as a whole or not at all. In memory only meanwhile."""

import json
import os

from storage.slots import ENOENT, FORMAT, NEWER, checksum, whole

_MAX_BYTES = 16384  # every setting written out together takes less than 5000


class _Refused(Exception):
    """A file is not what it should be; the text says why."""


class _Newer(_Refused):
    """A file of a later firmware, which knows more about it."""


def content(path, section):
    """A file's (sequence, values) and None; (None, None) without a file; None, or (NEWER, None),
    and why it is refused, in words, if it is damaged or of a newer firmware."""
    try:
        size = os.stat(path)[6]
        if size > _MAX_BYTES:
            return None, "is too large (%d bytes, at most %d)" % (size, _MAX_BYTES)
        with open(path, "rb") as file:
            data = file.read()
    except OSError as problem:
        missing = problem.errno == ENOENT
        return None, None if missing else "can not be read (%s)" % problem
    except MemoryError:
        return None, "does not fit into the memory"
    return parsed(data, section)


def parsed(data, section):
    """The same of a file's bytes."""
    try:
        return _parsed(str(data, "utf-8"), section), None
    except _Newer as problem:
        return (NEWER, None), str(problem)
    except _Refused as problem:
        return None, str(problem)
    except MemoryError:
        return None, "does not fit into the memory"
    except (ValueError, TypeError, RuntimeError):  # RuntimeError: nested too deep
        return None, "is damaged: it is not JSON"


def _parsed(text, section):
    """(sequence, values) of a file's text. Raises _Refused, or what json.loads raises."""
    content = json.loads(text)
    keys = ("format", "sequence", section, "crc32")
    _check_frame(content, keys)
    sequence = content["sequence"]
    values = content[section]
    _check_values(values, section)
    for name in list(values) + list(keys):
        if text.count('"%s"' % name) > 1:
            raise _Refused("gives '%s' twice" % name)
    expected = checksum(sequence, values)
    if content["crc32"] != expected:
        raise _Refused(
            "does not fit its crc32: it was damaged or edited by hand; if you edited it and "
            "every value is as you want it, write %s into crc32" % expected
        )
    return sequence, values


def _check_format(content):
    """Before all else: what another format means, only its own firmware knows."""
    number = content.get("format", FORMAT) if isinstance(content, dict) else FORMAT
    if whole(number) and number > FORMAT:
        raise _Newer(
            "is of format %d, of a newer firmware: install that again, or set up anew; the next "
            "save keeps the file under another name" % number
        )
    if number != FORMAT or not whole(number):
        raise _Refused("is not of format %d, which this firmware writes" % FORMAT)


def _check_frame(content, keys):
    if not isinstance(content, dict):
        raise _Refused("is damaged: it must be an object with %s" % ", ".join(keys))
    _check_format(content)
    for key in keys:
        if key not in content:
            raise _Refused("is damaged: '%s' is missing" % key)
    for key in content:
        if key not in keys:
            raise _Refused("holds '%s', which does not belong there" % key)
    if not whole(content["sequence"]) or content["sequence"] < 1:
        raise _Refused("is damaged: 'sequence' must be a whole number from 1 on")


def _check_values(values, section):
    if not isinstance(values, dict):
        raise _Refused("is damaged: '%s' must be an object of names and whole numbers" % section)
    for name in values:
        # MicroPython's JSON reader takes keys that are not strings.
        if not isinstance(name, str) or not whole(values[name]):
            raise _Refused("gives '%s' a value that is not a whole number" % name)
