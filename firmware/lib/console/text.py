"""Numbers and lists for people: 53120 mV reads 53.12 V, a missing value reads `--`.

All integer arithmetic, half away from zero, so that a value reads the same on every board.
"""

from bms.table import INVALID

MISSING = "--"

_ANY = (1 << 30) - 1
# unit | for magnitudes below | decimals in the integer | decimals shown | symbol
_SCALES = (
    ("mV", 1000, 0, 0, "mV"),
    ("mV", 10000, 3, 3, "V"),
    ("mV", _ANY, 3, 2, "V"),
    ("mA", 10000, 3, 2, "A"),
    ("mA", _ANY, 3, 1, "A"),
    ("0.01%", _ANY, 2, 1, "%"),
    ("mAh", _ANY, 3, 1, "Ah"),
    ("0.1C", _ANY, 1, 1, "C"),
    ("-", _ANY, 0, 0, ""),
)
_ALIKE = 2  # how many points behind the best a guess may be and is still offered
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_DURATIONS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def fixed(value, decimals, shown):
    """`value` / 10**decimals with `shown` decimals (at most `decimals`), rounded."""
    divisor = 10 ** (decimals - shown)
    magnitude = (abs(value) + divisor // 2) // divisor
    sign = "-" if value < 0 and magnitude else ""
    if not shown:
        return "%s%d" % (sign, magnitude)
    one = 10**shown
    return "%s%d.%0*d" % (sign, magnitude // one, shown, magnitude % one)


def amount(value, unit, signed=False):
    """A point's value with its unit as people say it; `signed` shows a plus for positive ones."""
    if value == INVALID:
        return MISSING
    decimals, shown, symbol = 0, 0, unit
    for scale in _SCALES:
        if scale[0] == unit and abs(value) < scale[1]:
            decimals, shown, symbol = scale[2:]
            break
    number = fixed(value, decimals, shown)
    plus = "+" if signed and value > 0 else ""
    return (plus + number + " " + symbol).rstrip()


def duration(seconds):
    """The two largest units of a time: 3 d 4 h, 12 min 5 s, 40 s."""
    if seconds == INVALID:
        return MISSING
    for at in range(len(_DURATIONS) - 1):
        size, symbol = _DURATIONS[at]
        if seconds >= size:
            smaller, smaller_symbol = _DURATIONS[at + 1]
            rest = seconds % size // smaller
            return "%d %s %d %s" % (seconds // size, symbol, rest, smaller_symbol)
    return "%d s" % seconds


def counted(count, noun):
    """1 fault, 2 faults, No faults: the beginning of a sentence."""
    return "%s %s%s" % (count or "No", noun, "" if count == 1 else "s")


def ordinal(number):
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    teen = number // 10 % 10 == 1
    return "%d%s" % (number, "th" if teen else _ORDINALS.get(number % 10, "th"))


def bar(value, low, high, width):
    """A bar of `width` characters: empty at `low`, full at `high`."""
    filled = (value - low) * width // max(1, high - low)
    filled = max(0, min(width, filled))
    return "#" * filled + "." * (width - filled)


def nearest(word, names):
    """Up to three of `names` (short ones) that somebody who typed `word` may have meant."""
    scored = []
    for name in names:
        rest = list(name)
        common = 0
        for letter in word:
            if letter in rest:
                rest.remove(letter)
                common += 1
        score = 2 * common - max(len(word), len(name)) + (name[:1] == word[:1])
        if score > 0:
            scored.append((-score, name))
    scored.sort()
    return [name for score, name in scored[:3] if score <= scored[0][0] + _ALIKE]
