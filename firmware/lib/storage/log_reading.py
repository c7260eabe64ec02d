"""Reads the files of storage.event_log: where the log ends, and what is in it.

In memory at the start, after a failure and while somebody reads the log.
"""

import os
import struct

from storage.event_log import (
    BYTES,
    FILE_RECORDS,
    FILES,
    FORMAT,
    UNREADABLE,
    check_of,
    path_of,
    size_of,
    slots_of,
)
from storage.slots import ENOENT

_CHECKED = BYTES - 2  # bytes of a record that its check is over
_CHUNK = 14  # records read at a time: 252 bytes
_NO_RECORD = (0, 0)


def find(directory, newest):
    """Make the directory if it is missing, and look through the files: their problems, the file
    that is being filled, the latest sequence number, the number given last, and the boot of the
    latest event. Fills `newest`. Raises OSError."""
    _make(directory)
    problems = []
    filling = 0
    last_sequence = 0
    boot = 0
    highest = 0  # number that an event may have had which can not be read any more
    unknown = 0  # events that files may hold of which nothing can be read
    for file in range(FILES):
        latest, damaged = _look(directory, file, problems)
        newest[file] = UNREADABLE if damaged < 0 else latest[0]
        if latest[0] == 0 and damaged:
            unknown += FILE_RECORDS
        highest = max(highest, latest[0] + damaged)
        if latest[0] > last_sequence:
            last_sequence = latest[0]
            filling = file
            boot = latest[1]
    return problems, filling, last_sequence, highest + unknown, boot


def records(directory, newest, last_sequence, count):
    """See EventLog.records."""
    before = last_sequence + 1
    for file in sorted(range(FILES), key=lambda file: -newest[file]):
        try:
            for record in _backwards(directory, file):
                # A file that is replaced meanwhile holds newer events than expected.
                if record is None or record[0] >= before:
                    continue
                if count <= 0:
                    return
                count -= 1
                before = record[0]
                yield record
        except OSError:
            continue  # `problems` tells of it


def _make(directory):
    try:
        os.stat(directory)
    except OSError as problem:
        if problem.errno != ENOENT:
            raise
        os.mkdir(directory)


def _look(directory, file, problems):
    """The latest record of a file, and how many damaged ones follow it; -1 if it can not be read
    at all."""
    damaged = 0
    try:
        for record in _backwards(directory, file):
            if record:
                break
            damaged += 1
        else:
            record = _NO_RECORD
    except OSError as problem:
        problems.append("%d.bin can not be read (%s): remove it" % (file, problem))
        return _NO_RECORD, -1
    if damaged:
        problems.append("%d.bin ends in %d damaged events" % (file, damaged))
    return record, damaged


def _backwards(directory, file):
    """Yield the records of a file, latest first, None for each damaged one. Raises OSError.

    The file is closed whenever this yields: littlefs may reuse its blocks once it changed.
    """
    path = path_of(directory, file)
    end = min(slots_of(size_of(path)), FILE_RECORDS)
    while end > 0:
        start = max(0, end - _CHUNK)
        with open(path, "rb") as content:
            content.seek(BYTES * start)
            data = content.read(BYTES * (end - start))
        for at in range(end - start - 1, -1, -1):
            yield _unpacked(data, BYTES * at)
        end = start


def _unpacked(data, at):
    """The record at a place of some bytes, without its check; None if it is not whole."""
    if at + BYTES > len(data):
        return None
    record = struct.unpack_from(FORMAT, data, at)
    if record[0] == 0 or record[-1] != check_of(data[at : at + _CHECKED]):
        return None
    return record[:-1]
