"""Pylontech RS485 as one of the languages of a serial line: frames, addresses, error codes.

Source: serial_protocols.md 2.1 (V3.3, and V3.5 for 60 to 63). A frame is ASCII:
    ~ VER ADR CID1 CID2 LENGTH INFO CHKSUM CR
with upper-case hexadecimal in between; an answer has the return code RTN in the place of CID2.
LENGTH = LCHKSUM << 12 | LENID, LENID the number of characters of INFO, LCHKSUM = -(sum of its
three digits) & 0xF; CHKSUM = -(sum of the characters from VER to INFO) & 0xFFFF. (python-pylontech
and others leave out the last "&": their 0x10 and 0x10000 are no checksums that fit the field.)

Addresses: a battery has one from 2 on; 0x10 * m is the group m, and 0x02 + 0x10 * m its master,
who speaks for the system (system commands 60 to 63, or INFO FF). python-pylontech asks 4F and 51
at ADR 00. `address` 0 means: there is no other battery on this line. Then it is battery 2, and
the system of every group, because inverters differ in the group that they ask (02 or 12).
To frames for others silence is due; error codes are for our own masters. While nothing is
measured, what rests on measurements is refused with RTN 91 (internal communication error): the
protocol has no mark for a missing value, and nothing old may look live.
"""

from pylon_rs485.answers import ALL, COMMANDS, FOR_GROUPS, Answers
from pylon_rs485.characters import NO_DIGIT, VALUES, checksum, length_field, number, put_hex

_PEER = 3  # row of links.peer_rows

_SOI = 0x7E  # ~
_EOI = 0x0D
_CID1 = 0x46
_HEADER = 12  # characters from VER to LENGTH
_COMMAND_SIZE = 2  # characters of the only INFO that is known in requests
_MIN_SIZE = 18  # a frame without INFO
_MAX_SIZE = 96  # longer than any request of the documents

_VERSIONS = 0x20  # 2.x: masters send 20, 21, 28
_VERSION = 0x20  # of our own

# RTN, V3.3 table 6
_OK = 0x00
_VER_ERROR = 0x01
_CHKSUM_ERROR = 0x02
_LCHKSUM_ERROR = 0x03
_CID2_INVALID = 0x04
_FORMAT_ERROR = 0x05
_DATA_ERROR = 0x06
_ADR_ERROR = 0x90
_INTERNAL_ERROR = 0x91
_RETURN_CODES = (0, 1, 2, 3, 4, 5, 6, 0x90, 0x91)

_GET_VERSION = 0x4F
_LONE = 2  # address of a battery that is alone
_ANYBODY = (0x4F, 0x51)  # asked at ADR 00


class Pylontech:
    """One battery; see links.framing and rs485.port for what a language is.

    address: 2 to 255, or 0 for a battery that is alone on the line; rules: what an inverter is
    told of limits, an inverter.rules.ChargeRules. `build` it before it is used, then `step` it.
    """

    def __init__(self, address, points, parameters, rules):
        self.peer = _PEER
        self.refused = False
        self.damaged = False
        self.asleep = False
        self.effort = 0
        self.first = _SOI
        self._alone = address == 0
        self._address = address or _LONE
        self._answers = Answers(self._address, points, parameters, rules)

    def build(self, parameters, faults):
        """Get ready, in pieces of some milliseconds: yields between them."""
        return self._answers.build(parameters, faults)

    def step(self, elapsed_ms):
        """Let time pass, about once a second."""
        self._answers.step(elapsed_ms)

    def frame(self, buffer, at, fill):
        """See links.framing. A frame of ours may be wrong in itself: it gets an error code."""
        self.effort = 0
        if buffer[at] != _SOI:
            return 0
        end = self._end(buffer, at, fill)
        length = end + 1 - at
        if length < _MIN_SIZE:
            return 0
        cid2 = number(buffer, at + 7, 2)
        ours = (
            number(buffer, at + 5, 2) == _CID1
            and cid2 not in _RETURN_CODES
            and self._is_for_us(number(buffer, at + 3, 2), cid2)
        )
        if ours:
            return length
        return -length if self._sum_fits(buffer, at, end) else 0

    def burst(self, _buffer, _at, _fill):
        """Every frame ends by a mark."""
        return 0

    def pending(self, buffer, at, fill):
        """Whether an incomplete frame may begin at `at`; whose it is shows too late to ask."""
        if buffer[at] != _SOI or fill - at > _MAX_SIZE:
            return False
        for place in range(at + 1, fill):  # all() would build a generator
            if VALUES[buffer[place]] == NO_DIGIT:
                return False
        return fill > at

    def respond(self, buffer, at, length, response):
        """Put the answer to the request at `at` into `response`; returns its length."""
        version = number(buffer, at + 1, 2)
        address = number(buffer, at + 3, 2)
        cid2 = number(buffer, at + 7, 2)
        code = self._check(buffer, at, length)
        end = _HEADER + 1
        if code == _OK and cid2 != _GET_VERSION:
            command = number(buffer, at + _HEADER + 1, 2) if length > _MIN_SIZE else -1
            end = self._answers.put(cid2, command, address, response, end)
            if not end:
                code = _INTERNAL_ERROR
                end = _HEADER + 1
        if code == _VER_ERROR or cid2 == _GET_VERSION:
            version = _VERSION
        self.damaged = code == _CHKSUM_ERROR
        self.refused = code != _OK and code != _INTERNAL_ERROR
        response[0] = _SOI
        put_hex(response, 1, version, 2)
        put_hex(response, 3, address, 2)
        put_hex(response, 5, _CID1, 2)
        put_hex(response, 7, code, 2)
        put_hex(response, 9, length_field(end - _HEADER - 1), 4)
        end = put_hex(response, end, checksum(response, 1, end), 4)
        response[end] = _EOI
        return end + 1

    def _check(self, buffer, at, length):
        """RTN for a frame that is for us."""
        end = at + length - 1
        if length & 1:
            return _FORMAT_ERROR
        if not self._sum_fits(buffer, at, end):
            return _CHKSUM_ERROR
        if number(buffer, at + 1, 2) & 0xF0 != _VERSIONS:
            return _VER_ERROR
        field = number(buffer, at + 9, 4)
        characters = field & 0xFFF
        if field != length_field(characters):
            return _LCHKSUM_ERROR
        if characters != length - _MIN_SIZE:
            return _FORMAT_ERROR
        if number(buffer, at + 7, 2) not in COMMANDS:
            return _CID2_INVALID
        if characters == 0:
            return _OK
        if characters != _COMMAND_SIZE:
            return _DATA_ERROR
        command = number(buffer, at + _HEADER + 1, 2)
        if command == ALL or command == self._address or command == number(buffer, at + 3, 2):
            return _OK
        return _ADR_ERROR

    def _is_for_us(self, address, cid2):
        own = self._address
        if address == own:
            return True
        if own & 0xF != _LONE:
            return False  # only the master of a group speaks for others
        if address == 0 and cid2 in _ANYBODY:
            return True
        same_group = address & 0xF0 == own & 0xF0 or self._alone
        speaker = address & 0xF
        return same_group and (speaker == 0 or speaker == _LONE) and cid2 in FOR_GROUPS

    def _end(self, buffer, at, fill):
        """Place of the CR that ends the digits behind `at`; `at` itself if there is none."""
        for place in range(at + 1, min(fill, at + _MAX_SIZE)):
            if buffer[place] == _EOI:
                self.effort = place - at
                return place
            if VALUES[buffer[place]] == NO_DIGIT:
                self.effort = place - at
                return at
        self.effort = min(fill - at, _MAX_SIZE)
        return at

    def _sum_fits(self, buffer, at, end):
        return number(buffer, end - 4, 4) == checksum(buffer, at + 1, end - 4)
