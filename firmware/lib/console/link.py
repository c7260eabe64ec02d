"""Command `link`: for each link how it is, what was counted, and what to check next."""

from bms.table import INVALID, field
from console.text import MISSING, duration
from links import peer_rows, verdict_rows
from links.diagnosis import CAN, LINKS
from links.point_names import POINTS

# Columns of links.verdict_rows and links.peer_rows.
VERDICT_MEANING = 5
VERDICT_NEXT = 6
_PEER_WORDS = 1

TITLES = ("CAN", "RS485", "Modbus TCP", "Bluetooth")
_COUNTERS = ("in", "out", "damaged", "timed out", "not for us")


def link(console, _):
    """Command `link`."""
    count = 0
    for slot in range(len(LINKS)):
        values = [console.point(name, slot) for name in POINTS[:8]]
        verdict = max(0, values[7])
        if not verdict and not values[0] and not values[1]:
            continue
        count += 1
        yield "%s: %s." % (TITLES[slot], field(verdict_rows.ROWS, verdict, VERDICT_MEANING))
        yield "  Frames %s" % ", ".join(
            ["%d %s" % (values[at], _COUNTERS[at]) for at in range(len(_COUNTERS))]
        )
        if slot == CAN:
            yield "  Error counters: transmit %s, receive %s; off the bus %s times" % tuple(
                [_number(console.point(name)) for name in POINTS[8:]]
            )
        if values[5] >= 0 or values[6] > 0:
            age = "%s ago" % duration(values[5]) if values[5] >= 0 else "nothing for this battery"
            peer = field(peer_rows.ROWS, max(0, values[6]), _PEER_WORDS)
            yield "  Heard %s; the other side: %s" % (age, peer)
        check = field(verdict_rows.ROWS, verdict, VERDICT_NEXT)
        if check:
            yield "  Next: %s." % check
    if not count:
        yield "No link was judged yet: ask again in ten seconds."


def _number(value):
    return MISSING if value == INVALID else value
