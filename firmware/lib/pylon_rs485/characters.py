"""Numbers as upper-case hexadecimal characters, and the two checksums over them.

Nothing here allocates.
"""

_DIGITS = b"0123456789ABCDEF"
NO_DIGIT = 0xFF


def _make_values():
    values = bytearray([NO_DIGIT] * 256)
    for value in range(len(_DIGITS)):
        values[_DIGITS[value]] = value
    return bytes(values)


VALUES = _make_values()
"""Value of each character, NO_DIGIT for what is none: lower case is none either."""


def number(buffer, at, digits):
    """Value of so many characters, which were checked before."""
    value = 0
    for place in range(at, at + digits):
        value = value << 4 | VALUES[buffer[place]]
    return value


def put_hex(buffer, at, value, digits):
    """Write `value` in so many characters; returns the place behind them."""
    for place in range(at + digits - 1, at - 1, -1):
        buffer[place] = _DIGITS[value & 0xF]
        value >>= 4
    return at + digits


def length_field(characters):
    """LENGTH of an INFO of so many characters: LCHKSUM << 12 | LENID."""
    check = -((characters >> 8) + (characters >> 4 & 0xF) + (characters & 0xF)) & 0xF
    return check << 12 | characters


def checksum(buffer, start, end):
    """CHKSUM over `buffer[start:end]`."""
    total = 0
    for at in range(start, end):
        total += buffer[at]
    return -total & 0xFFFF
