"""How each link is: frames, errors, age and peer, counted by the links, and a verdict on them.

Goals: counting is a few integer operations and allocates nothing; one array holds what all links
count, in the order of the points that show it; what is wrong is said by the rows of
links.verdict_rows, whose texts stay in flash and whose conditions take six bytes each.
A verdict is about the latest window of some seconds: what was wrong an hour ago is in the
counters, not in the verdict.
Who may call: links and the slow path, from coroutines.
"""

from array import array

from bms.table import give_back, rows

LINKS = ("can", "rs485", "tcp", "bluetooth")
CAN, RS485, TCP, BLUETOOTH = range(4)
_COUNT = 4

# Where each field of link 0 lies in `values`; link n lies n further on.
FRAMES_IN = 0  # understood, and for us
FRAMES_OUT = 4  # sent: frames or answers
CRC_ERRORS = 8  # damaged: bursts that were no frame, or errors the controller saw
TIMEOUTS = 12  # not sent in time, or ended half-way
UNKNOWN = 16  # whole frames that are for others, or of an unknown kind
AGE_S = 20  # since the latest frame for us; -1: none yet
PEER = 24  # row of links.peer_rows
VERDICT = 28  # row of links.verdict_rows
CAN_TRANSMIT_ERRORS = 32
CAN_RECEIVE_ERRORS = 33
CAN_BUS_OFFS = 34  # how often the controller left the bus
_SIZE = 35

# Facts about a link that the rows of verdicts ask for; a row names them by FACT_NAMES.
FACT_NAMES = (
    "open", "ever", "heard", "sent", "damaged", "noisy", "late", "foreign",
    "stopped", "refused", "passive", "lost", "twin", "language", "gone",
)  # fmt: skip
OPEN = 1 << 0  # the link runs
EVER = 1 << 1  # a frame for us came since the start
HEARD = 1 << 2  # one came in the window
SENT = 1 << 3  # something was sent in the window
DAMAGED = 1 << 4  # something damaged came in the window
NOISY = 1 << 5  # at least one in four was damaged
LATE = 1 << 6  # something could not be sent, or ended half-way
FOREIGN = 1 << 7  # frames came that were for others
# The links themselves say these, by `tell`:
STOPPED = 1 << 8  # the controller is off the bus, or the port is closed
REFUSED = 1 << 9  # somebody was turned away, or asked for what there is not
PASSIVE = 1 << 10  # CAN error passive: nobody acknowledges
LOST = 1 << 11  # the peer's keepalive does not come any more
TWIN = 1 << 12  # somebody else sends what we send
LANGUAGE = 1 << 13  # somebody speaks another profile's language
GONE = 1 << 14  # the controller itself does not answer

WINDOW_MS = 10000
_NOISY_ONE_IN = 4
_COUNTER_MAX = (1 << 30) - 1
_AGE_MAX_S = 1 << 24  # half a year
_NEVER = -1


class Diagnosis:
    """All links' counters in `values`, ordered as links.point_names says. `step` it about once a
    second."""

    def __init__(self):
        from links.verdict_rows import ROWS

        self.values = array("i", [0] * _SIZE)
        self._before = array("i", [0] * AGE_S)  # the counters when the window began
        self._age_ms = array("i", [_NEVER] * _COUNT)
        self._told = array("H", [0] * _COUNT)
        self._open = bytearray(_COUNT)
        self._window_ms = 0
        self._links = bytearray()  # of each verdict: bits of the links that it is for
        self._ranks = bytearray()
        self._needs = array("H")
        self._without = array("H")
        for links, rank, needs, without, _, _, _ in rows(ROWS):
            self._links.append(_bits(links, LINKS))
            self._ranks.append(int(rank))
            self._needs.append(_bits(needs, FACT_NAMES))
            self._without.append(_bits(without, FACT_NAMES))
        give_back("links.verdict_rows")
        for link in range(_COUNT):
            self.values[AGE_S + link] = _NEVER

    def open(self, link):
        """The link's service runs: from now on there is a verdict on it."""
        self._open[link] = 1

    def count(self, field, link, more=1):
        """Add to one of the counters, FRAMES_IN to UNKNOWN. Allocates nothing."""
        self.values[field + link] = (self.values[field + link] + more) & _COUNTER_MAX

    def heard(self, link, peer):
        """A frame for us came, from somebody who looks like `peer` (row of links.peer_rows; 0:
        can not be told). Allocates nothing."""
        self.count(FRAMES_IN, link)
        self._age_ms[link] = 0
        self.values[AGE_S + link] = 0
        self.looks_like(link, peer)

    def looks_like(self, link, peer):
        """Somebody is there, perhaps without a frame for us; peer as for `heard`."""
        if peer:
            self.values[PEER + link] = peer

    def tell(self, link, fact, true):
        """One of STOPPED, REFUSED, PASSIVE, LOST is so from now on, or is not."""
        told = self._told[link]
        self._told[link] = told | fact if true else told & ~fact

    def step(self, elapsed_ms):
        """Let time pass; at the end of a window, judge. Allocates nothing."""
        for link in range(_COUNT):
            age_ms = self._age_ms[link]
            if age_ms != _NEVER:
                age_s = self.values[AGE_S + link] + (age_ms + elapsed_ms) // 1000
                self.values[AGE_S + link] = min(age_s, _AGE_MAX_S)
                self._age_ms[link] = (age_ms + elapsed_ms) % 1000
        self._window_ms += elapsed_ms
        if self._window_ms >= WINDOW_MS:
            self._window_ms = 0
            for link in range(_COUNT):
                self.values[VERDICT + link] = self._verdict(link, self._facts(link))
            for field in range(AGE_S):
                self._before[field] = self.values[field]

    def _lately(self, field):
        return (self.values[field] - self._before[field]) & _COUNTER_MAX

    def _facts(self, link):
        """FACT bits of one link in the window that ends now."""
        if not self._open[link]:
            return 0
        heard = self._lately(FRAMES_IN + link)
        damaged = self._lately(CRC_ERRORS + link)
        facts = OPEN | self._told[link]
        if self.values[AGE_S + link] != _NEVER:
            facts |= EVER
        if heard:
            facts |= HEARD
        if self._lately(FRAMES_OUT + link):
            facts |= SENT
        if damaged:
            facts |= DAMAGED
        if damaged and _NOISY_ONE_IN * damaged >= heard + damaged:
            facts |= NOISY
        if self._lately(TIMEOUTS + link):
            facts |= LATE
        if self._lately(UNKNOWN + link):
            facts |= FOREIGN
        return facts

    def _verdict(self, link, facts):
        """The row with the highest rank whose conditions hold; of equals the first."""
        best = 0
        for row in range(len(self._ranks)):
            if (
                self._links[row] >> link & 1
                and facts & self._needs[row] == self._needs[row]
                and not facts & self._without[row]
                and self._ranks[row] > self._ranks[best]
            ):
                best = row
        return best


def _bits(text, names):
    bits = 0
    for name in text.split():
        bits |= 1 << names.index(name)
    return bits
