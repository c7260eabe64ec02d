"""An SLCAN adapter: what a CAN-to-serial stick does between its bus and its serial port.

Goal: python-can, SavvyCAN, slcand and a person at a terminal find the adapter they know. On the
bus side frames are SLCAN lines too, but always open and without handshake.
The commands are those of the Lawicel CANUSB manual (chapter "Commands"): each ends with CR and is
answered with CR or, if refused, BEL. Limits: any bit rate is accepted, since the simulated bus has
no second opinion about it; acceptance filters (M, m) are accepted and every frame still passes.
Pure logic: bytes in, bytes out through the functions handed in.
"""

import re
from collections.abc import Callable

_CR, _LF = 0x0D, 0x0A
OK = b"\r"
REFUSED = b"\a"

# Longest line: T, 8 digits of identifier, length, 16 of data, 4 of time stamp.
LINE_LIMIT = 30
# Time stamps count milliseconds and wrap after a minute (CANUSB manual, command Z).
_STAMP_WRAP_MS = 60_000

_DATA_FRAME = re.compile(r"(?:t[0-7][0-9A-F]{2}|T[01][0-9A-F]{7})([0-8])((?:[0-9A-F]{2})*)")
_REMOTE_FRAME = re.compile(r"(?:r[0-7][0-9A-F]{2}|R[01][0-9A-F]{7})[0-8]")

_CLOSED = ("closed",)
_OPEN = ("normal", "listen")
_NORMAL = ("normal",)
_ANY = _CLOSED + _OPEN


def frame_line(line: str) -> str | None:
    """The frame that an SLCAN line means, in upper-case digits, or None if it is none."""
    line = line[:1] + line[1:].upper()
    data_frame = _DATA_FRAME.fullmatch(line)
    if data_frame is not None:
        return line if len(data_frame[2]) == 2 * int(data_frame[1]) else None
    return line if _REMOTE_FRAME.fullmatch(line) else None


class LineSplitter:
    """Cuts a byte stream into lines that end with CR; drops LF and what is too long."""

    def __init__(self, overlong: Callable[[], None]):
        self._overlong = overlong
        self._line = bytearray()
        self._skipping = False

    def split(self, data: bytes) -> list[str]:
        """The lines that `data` completes; `overlong` is called for each that was dropped."""
        lines = []
        for byte in data:
            if byte == _CR:
                if self._skipping:
                    self._overlong()
                else:
                    lines.append(self._line.decode("latin-1"))
                self._line.clear()
                self._skipping = False
            elif len(self._line) >= LINE_LIMIT:
                self._skipping = True
            elif byte != _LF:
                self._line.append(byte)
        return lines


class SlcanAdapter:
    """One adapter; starts closed.

    to_client, to_bus: take bytes for the serial port and for the frame link.
    discard: drops what the client has not read yet (frames of a session that is over).
    now_ms: any millisecond clock, for time stamps.
    """

    def __init__(
        self,
        to_client: Callable[[bytes], None],
        to_bus: Callable[[bytes], None],
        discard: Callable[[], None],
        now_ms: Callable[[], int],
    ):
        self._to_client = to_client
        self._to_bus = to_bus
        self._discard = discard
        self._now_ms = now_ms
        self.channel = "closed"  # or "normal", or "listen": receives but never sends
        self._stamps = False
        self._client_lines = LineSplitter(lambda: to_client(REFUSED))
        self._bus_lines = LineSplitter(lambda: None)
        # pattern of the command, channel states in which it is allowed, what does it
        self._commands = tuple(
            (re.compile(pattern), states, action)
            for pattern, states, action in (
                (r"", _ANY, self._accept),  # a lone CR clears the line
                (r"S[0-8]", _CLOSED, self._accept),
                (r"s[0-9A-Fa-f]{4}", _CLOSED, self._accept),
                (r"O", _CLOSED, self._open),
                (r"L", _CLOSED, self._listen),
                (r"C", _OPEN, self._close),
                (r"[tTrR].*", _NORMAL, self._send),
                (r"Z[01]", _CLOSED, self._set_stamps),
                (r"[Mm][0-9A-Fa-f]{8}", _CLOSED, self._accept),
                (r"F", _OPEN, lambda _: b"F00\r"),  # status: nothing to report
                (r"V", _ANY, lambda _: b"V0101\r"),  # hardware 01, software 01
                (r"v", _ANY, lambda _: b"v0101\r"),
                (r"N", _ANY, lambda _: b"NCELL\r"),  # serial number: four characters
            )
        )

    def from_client(self, data: bytes) -> None:
        """Take bytes that the client wrote, however cut into pieces."""
        for line in self._client_lines.split(data):
            self._to_client(self._answer(line))

    def from_bus(self, data: bytes) -> None:
        """Take frame lines from the bus; the client sees them while the channel is open."""
        for line in self._bus_lines.split(data):
            frame = frame_line(line)
            if frame is not None and self.channel in _OPEN:
                if self._stamps:
                    frame += f"{self._now_ms() % _STAMP_WRAP_MS:04X}"
                self._to_client(frame.encode() + OK)

    def _answer(self, line: str) -> bytes:
        for pattern, states, action in self._commands:
            if pattern.fullmatch(line):
                return action(line) if self.channel in states else REFUSED
        return REFUSED

    def _accept(self, _line: str) -> bytes:
        return OK

    def _open(self, _line: str) -> bytes:
        self.channel = "normal"
        return OK

    def _listen(self, _line: str) -> bytes:
        self.channel = "listen"
        return OK

    def _close(self, _line: str) -> bytes:
        self.channel = "closed"
        self._discard()
        return OK

    def _set_stamps(self, line: str) -> bytes:
        self._stamps = line == "Z1"
        return OK

    def _send(self, line: str) -> bytes:
        frame = frame_line(line)
        if frame is None:
            return REFUSED
        self._to_bus(frame.encode() + OK)
        return b"Z\r" if line[0] in "TR" else b"z\r"
