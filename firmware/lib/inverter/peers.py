"""What an inverter looks like by what it sends (inverter_can.md 1.1 to 1.6, "inverter -> BMS").

A hint for people, and the ground for the verdict that the configured profile is another one's.
"""

from bms.table import field, give_back

_GROWATT = 0x301
_GROWATT_ASKS = b"\x11\x22\x33"
_BYD = 0x151
_PYLONTECH = 0x305

# identifier | first byte | the bytes there (b"" any, None: not all zero) | row of links.peer_rows;
# the surest first
_SIGNS = (
    (0x307, 4, b"VIC", "victron"),
    (_GROWATT, 0, _GROWATT_ASKS, "growatt"),
    (_BYD, 0, b"", "byd_client"),
    (0x0D1, 0, b"", "byd_client"),
    (0x306, 0, None, "sma"),
    (_PYLONTECH, 0, None, "sma"),
    (0x300, 0, b"", "luxpower"),
    (_PYLONTECH, 0, b"", "pylontech_can"),
)
_DEYE = "deye"
_WIDE = "wide"
_BESIDE_FIRST, _BESIDE_LAST = 0x300, 0x30F  # SMA sends 0x300 to 0x309, Venus 0x305 to 0x307
_ANSWERS = 10  # keepalives in a row that came right after 0x356, and none at another time


class Peers:
    """Remembers the surest sign. wide: row of links.peer_rows for 29-bit identifiers."""

    def __init__(self):
        from links.peer_rows import ROWS

        self._rows = bytes(_row(ROWS, sign[3]) for sign in _SIGNS)
        self._deye = _row(ROWS, _DEYE)
        self.wide = _row(ROWS, _WIDE)
        give_back("links.peer_rows")
        self._best = len(_SIGNS)
        self._answers = 0

    def look(self, identifier, data):
        """A frame came. Returns the row of links.peer_rows, 0 while nothing is known."""
        for sign in range(len(_SIGNS)):
            if sign >= self._best:
                break
            wanted, first, content, _ = _SIGNS[sign]
            if wanted == identifier and _fits(data, first, content):
                self._best = sign
        if self._best == len(_SIGNS):
            return 0
        if self._best == len(_SIGNS) - 1 and self._answers >= _ANSWERS:
            return self._deye
        return self._rows[self._best]

    def keepalive(self, at_once):
        """0x305 came; at_once: right after the pack's frames. A Deye never sends it otherwise."""
        self._answers = min(self._answers + 1, _ANSWERS) if at_once else 0

    def knows(self, identifier):
        """Whether inverters of this family send such frames beside their keepalive."""
        return _BESIDE_FIRST <= identifier <= _BESIDE_LAST

    def asks_another(self, identifier, data, keepalives):
        """Whether that frame is how an inverter of another profile speaks to its battery."""
        if identifier in keepalives:
            return False
        if identifier == _GROWATT:  # SMA has such a frame, too
            return _fits(data, 0, _GROWATT_ASKS)
        return identifier == _BYD or identifier == _PYLONTECH


def _fits(data, first, content):
    """Whether data has these bytes there; content None: whether it has any that is not 0."""
    if content is None:
        largest = 0
        for index in range(len(data)):
            largest = max(largest, data[index])
        return largest > 0
    same = len(data) >= first + len(content)
    for index in range(len(content)):
        same = same and data[first + index] == content[index]
    return same


def _row(text, name):
    row = 0
    while field(text, row, 0) != name:
        row += 1
    return row
