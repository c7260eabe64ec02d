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
from bms.table import give_back
from storage.slots import ENOENT, inside, refusal

FILES = 4
FORMAT = "<IHIBBiH"
_FORMAT_CHECKED = "<IHIBBi"  # what the check is over
BYTES = 18
FILE_RECORDS = 227  # 4086 bytes: what fits into one block of an RP2040's flash
_BOOTS = 0xFFFF  # then the number of this start begins at 1 again
UNREADABLE = -1  # in place of a sequence number


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
        self._newest = array("i", [0] * FILES)  # latest sequence of each file, or UNREADABLE
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
        from storage import log_reading

        give_back("storage.log_reading")
        return log_reading.records(self._directory, self._newest, self.last_sequence, count)

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
            count = min(len(self._waiting) // FIELDS, FILE_RECORDS - slots_of(used))
            # If this fails, some of it may be there all the same: look again before the next.
            self._found = False
            with open(self._path(self._file), "ab" if used else "wb") as file:
                file.write(self._packed(-used % BYTES, count))
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
            packed.extend(struct.pack("<H", check_of(record)))
        return packed

    def _place(self):
        """Choose the file to write to. Returns the bytes that it holds; 0: begin it anew."""
        used = size_of(self._path(self._file))
        if self._newest[self._file] != UNREADABLE and slots_of(used) < FILE_RECORDS:
            return used
        for _ in range(FILES - 1):
            self._file = (self._file + 1) % FILES
            if self._newest[self._file] != UNREADABLE:
                break
        return 0

    def _find(self):
        """Look through the files for the latest event. Raises OSError."""
        from storage import log_reading

        found = log_reading.find(self._directory, self._newest)
        give_back("storage.log_reading")
        self.problems, self._file, self.last_sequence, self._sequence, boot = found
        if not self.boot:
            self.boot = boot % _BOOTS + 1
        self._found = True

    def _path(self, file):
        return path_of(self._directory, file)


def path_of(directory, file):
    """Path of one of the files."""
    return inside(directory, "%d.bin" % file)


def size_of(path):
    """Bytes of a file, 0 if it is missing. Raises OSError."""
    try:
        return os.stat(path)[6]
    except OSError as problem:
        if problem.errno != ENOENT:
            raise
        return 0


def slots_of(size):
    """Places for records that a file of this size takes up, the last perhaps in part."""
    return (size + BYTES - 1) // BYTES


def check_of(record):
    """The check of a record's other bytes."""
    return binascii.crc32(record) & 0xFFFF
