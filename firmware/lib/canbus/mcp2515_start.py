"""What an MCP2515 needs when it starts: at first, with other filters, and after bus-off.

Section and register numbers are of data sheet DS20001801J.
"""

from canbus.mcp2515 import CNF3, EXTENDED, IDENTIFIER_MAX, MCP2515, ControllerNotFoundError

# Registers, table 11-1
_RXF0SIDH = 0x00
_RXF3SIDH = 0x10
_RXM0SIDH = 0x20
_CANSTAT = 0x0E
_CANCTRL = 0x0F
_RXB0CTRL = 0x60

_MODE_CONFIGURATION = 0x80
_NORMAL_MODE = 0x00  # CANCTRL: retries on, CLKOUT off (a needless radiator)
# CANCTRL after a reset: nothing aborted, no one-shot, CLKOUT on at an eighth (register 10-1). The
# mode bits above them read differently in older data sheets (DS21801D), so they are not asked.
_RESET_CONTROL_BITS = 0x1F
_RESET_CONTROL = 0x07
_ROLLOVER = 0x04  # RXB0CTRL.BUKT: a second frame goes to RXB1

# The chip needs 128 oscillator cycles after a reset (section 8.1: 16 us at 8 MHz), and one read
# takes at least 3 us on the wire and about 50 us of our own time.
_RESET_READS = 20

# Bit timing (section 5): oscillator Hz, kbit/s -> BRP, and in time quanta PropSeg, PS1, PS2, SJW.
# A quantum is 2 * (BRP + 1) oscillator periods; the bit begins with one quantum of SyncSeg.
# The sample point is at 75 % everywhere, as machine.CAN has it by default. 87.5 % (CiA 301) is out
# of reach at 8 MHz and 500 kbit/s: 8 quanta a bit, and PS2 must be 2 or more (section 5.4).
_TIMINGS = {
    (8_000_000, 500): (0, 3, 2, 2, 1),
    (8_000_000, 250): (0, 7, 4, 4, 2),
    (8_000_000, 125): (1, 7, 4, 4, 2),
    (16_000_000, 500): (0, 7, 4, 4, 2),
    (16_000_000, 250): (1, 7, 4, 4, 2),
    (16_000_000, 125): (3, 7, 4, 4, 2),
}


def timing_registers(oscillator_hz, bitrate_kbit):
    """CNF3, CNF2, CNF1 as the chip holds them (section 5)."""
    timing = _TIMINGS.get((oscillator_hz, bitrate_kbit))
    if timing is None:
        raise ValueError(
            "no bit timing for %s kbit/s from a %s Hz crystal:"
            " use 125, 250 or 500 kbit/s and a crystal of 8 or 16 MHz"
            % (bitrate_kbit, oscillator_hz)
        )
    prescaler, propagation, phase1, phase2, jump = timing
    # CNF2 bit 7: PS2 is what CNF3 says
    return bytes(
        (phase2 - 1, 0x80 | (phase1 - 1) << 3 | propagation - 1, (jump - 1) << 6 | prescaler)
    )


def setup(filters, timing):
    """What to write for these filters (see MCP2515.set_filters), by address. Raises ValueError."""
    if filters is None:
        filters = ((0, 0, 0),)
    if not 1 <= len(filters) <= MCP2515.FILTERS_MAX:
        raise ValueError("one or two filters, or None to accept all frames")
    for identifier, mask, flags in filters:
        if flags or not (0 <= identifier <= IDENTIFIER_MAX and 0 <= mask <= IDENTIFIER_MAX):
            raise ValueError("invalid id: filters are for standard data frames, 0 to 0x7ff")
    first = filters[0]
    last = filters[-1]
    # Every filter of a buffer is in force (section 4.5), so unused ones repeat the used one.
    # Mask bytes for the extended identifier stay 0: they would match data bytes (4.5.1).
    # A filter is for one kind of frames (EXIDE): the sixth is for 29-bit ones.
    wide = _identifier(last[0]) if last[1] else bytes((0, EXTENDED, 0, 0))
    return (
        (_RXF0SIDH, _identifier(first[0]) * 2 + _identifier(last[0])),
        (_RXF3SIDH, _identifier(last[0]) * 2 + wide),
        (_RXM0SIDH, _identifier(first[1]) + _identifier(last[1])),
        (_RXB0CTRL, bytes((_ROLLOVER if len(filters) == 1 else 0,))),
        (CNF3, timing),
    )


def start(read, store, reply, contents):
    """Wait for a chip that was reset, write `contents` (see `setup`), read the bit timing back and
    join the bus. read, store: the driver's; reply: where what was read is, from byte 2 on. Raises
    ControllerNotFoundError."""
    for _ in range(_RESET_READS):
        read(_CANSTAT, 2)
        if reply[2] == _MODE_CONFIGURATION and reply[3] & _RESET_CONTROL_BITS == _RESET_CONTROL:
            break
    else:
        raise ControllerNotFoundError(
            "no MCP2515 answers: check its supply, its crystal and the SPI wires"
            " (CANSTAT reads 0x%02x, CANCTRL 0x%02x)" % (reply[2], reply[3])
        )
    for address, content in contents:
        store(address, content)
    read(CNF3, 3)
    if bytes(reply[2:5]) != contents[-1][1]:
        raise ControllerNotFoundError(
            "the MCP2515 does not keep its settings: check the SPI wires and lower the clock"
        )
    # It joins after 11 recessive bits. Not waited for: a shorted bus must not stop a boot, and
    # the driver's `state` tells.
    store(_CANCTRL, bytes((_NORMAL_MODE,)))


def _identifier(identifier):
    """SIDH, SIDL, EID8, EID0 of a standard identifier or mask (section 4.5)."""
    return bytes((identifier >> 3, (identifier & 7) << 5, 0, 0))
