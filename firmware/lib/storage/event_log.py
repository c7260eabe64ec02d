"""The event log: what happened, kept over power cuts, in a ring of four small files.

`0.bin` to `3.bin` fill up one after the other; then the oldest is replaced, so that at least the
latest 681 events are there. A record is 18 bytes, struct format `<IHIBBiH`:

    sequence u32, boot u16, uptime_s u32, kind u8, code u8, value i32, check u16

kind, code and value are those of bms.events; boot counts the starts that could write here; check
is the low half of the crc32 of the 16 bytes before it. Sequence numbers start at 1 and rise by one
over files and boots; a gap says that records there were damaged.

Goals: an event counts as written once the file was closed without an error; from then on it
survives a power cut at any moment. On littlefs a batch is there as a whole or not at all. Where
half a record remains (another file system) the check tells, and the next batch starts at the next
whole multiple of 18 bytes. What could not be written waits here and is tried again, with a new
number: it may then be there twice, but never not at all. While it waits the ring of bms.events
fills up; what does not fit there is counted and logged as `lost`.
Limits: one coroutine, never the fast path. `append` writes to one file at most: one block erase,
in one batch out of ten two, because littlefs tidies its directory, never more. One stalls an
RP2040 for 54 ms (median; 118 ms worst, micropython.md 2; up to 400 ms by flash data sheets). Who
calls it decides how often a failing flash is tried again.
State: 18 bytes of flash an event, 16 KB in all; in RAM 16 bytes for each event that waits.
Wear: 0.9 to 1.1 block erases a batch, whether it holds one event or forty (600 batches on a real
littlefs, host_tests/storage/wear.py): batches make the flash last, not small events. littlefs
spreads erases over all free blocks: with 100 of them, each good for 100,000 erases (W25Q16JV data
sheet), some 9 million batches.
"""

import binascii
import os
import struct
from array import array

from bms.events import BOOT, FIELDS, LOST
from storage.slots import ENOENT, inside, refusal

_FILES = 4
_FORMAT = "<IHIBBiH"
_FORMAT_CHECKED = "<IHIBBi"  # what the check is over
_BYTES = 18
_CHECKED = 16  # bytes of it
_FILE_RECORDS = 227  # 4086 bytes: what fits into one block of an RP2040's flash
_CHUNK = 14  # records read at a time: 252 bytes
_BOOTS = 0xFFFF  # then the number of this start begins at 1 again
_NO_RECORD = (0, 0)
_UNREADABLE = -1  # in place of a sequence number


class EventLogError(Exception):
    """Events could not be written and wait; the text says why and what to do."""


class EventLog:
    """The files in `directory`, which is made if it is missing.

    last_sequence: number of the latest event that is safely written, 0 if none ever was
    boot: number of this start, from 1; 0 until the files could be looked through
    problems: what was wrong with the files when they were last looked through, as sentences
    """

    def __init__(self, directory):
        self._directory = directory
        self.last_sequence = 0
        self.boot = 0
        self.problems = []
        self._sequence = 0  # the number given last, also to an event that was not written
        self._file = 0  # the file that is being filled
        self._newest = array("i", [0] * _FILES)  # latest sequence of each file, or _UNREADABLE
        self._found = False  # whether the files are as the four lines above say
        self._waiting = array("i")  # FIELDS for each event that is taken and not yet written
        self._event = array("i", [0] * FIELDS)
        self._lost = 0  # events lost in the ring that a record tells of, or will

    def open(self):
        """Find where the log ends. Never raises: see `problems`; `append` tries again."""
        try:
            self._find()
        except OSError as problem:
            self.problems = ["the event log can not be read (%s)" % problem]

    def append(self, events, limit):
        """Take events from the ring of bms.events until `limit` wait here, and write them as far
        as one file has room. Returns how many are safely written.

        Raises EventLogError: they wait here and are tried again by the next call.
        """
        while len(self._waiting) < FIELDS * limit and events.take_into(self._event):
            self._waiting.extend(self._event)
        if events.lost != self._lost and len(self._waiting) < FIELDS * limit:
            # They were posted at the earliest while the latest one taken was waiting.
            self._wait(LOST, 0, events.lost - self._lost, self._event[3])
            self._lost = events.lost
        return self._write()

    def append_boot(self, cause_index):
        """Write that the firmware started; `cause_index` is of bms.events.RESET_CAUSES.

        Returns how many events are safely written. Raises EventLogError, as `append` does.
        """
        self._wait(BOOT, cause_index, self.boot, 0)
        return self._write()

    def records(self, count):
        """Yield the latest `count` events, newest first, as tuples (sequence, boot, uptime_s,
        kind, code, value). Skips what is damaged. Events may be written meanwhile."""
        before = self.last_sequence + 1
        for file in sorted(range(_FILES), key=lambda file: -self._newest[file]):
            try:
                for record in self._backwards(file):
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

    def _wait(self, kind, code, value, uptime_s):
        self._waiting.extend(array("i", (kind, code, value, uptime_s)))

    def _write(self):
        """Write what waits, as far as one file has room. Returns how many events that were."""
        if not self._waiting:
            return 0
        try:
            if not self._found:
                self._find()
            used = self._place()
            count = min(len(self._waiting) // FIELDS, _FILE_RECORDS - _slots(used))
            # If this fails, some of it may be there all the same: look again before the next.
            self._found = False
            with open(self._path(self._file), "ab" if used else "wb") as file:
                file.write(self._packed(-used % _BYTES, count))
                file.flush()
        except OSError as problem:
            raise EventLogError("%s; events wait to be logged" % refusal(problem))
        self._found = True
        self._sequence += count
        self.last_sequence = self._sequence
        self._newest[self._file] = self._sequence
        self._waiting = self._waiting[FIELDS * count :]
        return count

    def _packed(self, padding, count):
        """The bytes of the first events that wait, behind what fills up half a record."""
        packed = bytearray(b"\xff" * padding)
        for at in range(0, FIELDS * count, FIELDS):
            record = struct.pack(
                _FORMAT_CHECKED,
                self._sequence + 1 + at // FIELDS,
                self.boot,
                # An event that is out of range must not keep all others from being written.
                self._waiting[at + 3] & 0xFFFFFFFF,
                self._waiting[at] & 0xFF,
                self._waiting[at + 1] & 0xFF,
                self._waiting[at + 2],
            )
            packed.extend(record)
            packed.extend(struct.pack("<H", _check(record)))
        return packed

    def _place(self):
        """Choose the file to write to. Returns the bytes that it holds; 0: begin it anew."""
        used = self._size(self._file)
        if self._newest[self._file] != _UNREADABLE and _slots(used) < _FILE_RECORDS:
            return used
        for _ in range(_FILES - 1):
            self._file = (self._file + 1) % _FILES
            if self._newest[self._file] != _UNREADABLE:
                break
        return 0

    def _find(self):
        """Look through the files for the latest event. Raises OSError."""
        self._make_directory()
        self.problems = []
        self._file = 0
        self.last_sequence = 0
        boot = 0
        highest = 0  # number that an event may have had which can not be read any more
        unknown = 0  # events that files may hold of which nothing can be read
        for file in range(_FILES):
            latest, damaged = self._look(file)
            self._newest[file] = _UNREADABLE if damaged < 0 else latest[0]
            if latest[0] == 0 and damaged:
                unknown += _FILE_RECORDS
            highest = max(highest, latest[0] + damaged)
            if latest[0] > self.last_sequence:
                self.last_sequence = latest[0]
                self._file = file
                boot = latest[1]
        self._sequence = highest + unknown
        if not self.boot:
            self.boot = boot % _BOOTS + 1
        self._found = True

    def _look(self, file):
        """The latest record of a file, and how many damaged ones follow it; -1 if it can not be
        read at all."""
        damaged = 0
        try:
            for record in self._backwards(file):
                if record:
                    break
                damaged += 1
            else:
                record = _NO_RECORD
        except OSError as problem:
            self.problems.append("%d.bin can not be read (%s): remove it" % (file, problem))
            return _NO_RECORD, -1
        if damaged:
            self.problems.append("%d.bin ends in %d damaged events" % (file, damaged))
        return record, damaged

    def _backwards(self, file):
        """Yield the records of a file, latest first, None for each damaged one. Raises OSError.

        The file is closed whenever this yields: littlefs may reuse its blocks once it changed.
        """
        end = min(_slots(self._size(file)), _FILE_RECORDS)
        while end > 0:
            start = max(0, end - _CHUNK)
            with open(self._path(file), "rb") as content:
                content.seek(_BYTES * start)
                data = content.read(_BYTES * (end - start))
            for at in range(end - start - 1, -1, -1):
                yield _unpacked(data, _BYTES * at)
            end = start

    def _size(self, file):
        try:
            return os.stat(self._path(file))[6]
        except OSError as problem:
            if problem.errno != ENOENT:
                raise
            return 0

    def _path(self, file):
        return inside(self._directory, "%d.bin" % file)

    def _make_directory(self):
        try:
            os.stat(self._directory)
        except OSError as problem:
            if problem.errno != ENOENT:
                raise
            os.mkdir(self._directory)


def _slots(size):
    """Places for records that a file of this size takes up, the last perhaps in part."""
    return (size + _BYTES - 1) // _BYTES


def _check(record):
    return binascii.crc32(record) & 0xFFFF


def _unpacked(data, at):
    """The record at a place of some bytes, without its check; None if it is not whole."""
    if at + _BYTES > len(data):
        return None
    record = struct.unpack_from(_FORMAT, data, at)
    if record[0] == 0 or record[-1] != _check(data[at : at + _CHECKED]):
        return None
    return record[:-1]
