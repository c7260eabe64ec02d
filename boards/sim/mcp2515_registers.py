"""Registers of the MCP2515 CAN controller: addresses, bits, reset and write rules, frame layout.

Facts of the data sheet DS20001801J only, whose section and table numbers stand beside them; the
chip's behaviour is in mcp2515.py. The functions work on the 128 bytes of its register file.
"""

# Table 11-1
CANSTAT, CANCTRL = 0x0E, 0x0F  # repeated at xE and xF
TEC, REC = 0x1C, 0x1D
CNF3, CNF2, CNF1 = 0x28, 0x29, 0x2A
CANINTE, CANINTF, EFLG = 0x2B, 0x2C, 0x2D
TXB = (0x30, 0x40, 0x50)
RXB0, RXB1 = 0x60, 0x70

# Bits
ABAT, OSM = 0x10, 0x08  # CANCTRL
CANCTRL_RESET = 0x87
RX0IF, RX1IF, TX0IF, ERRIF, WAKIF, MERRF = 0x01, 0x02, 0x04, 0x20, 0x40, 0x80  # CANINTF
RX1OVR, RX0OVR, TXBO = 0x80, 0x40, 0x20  # EFLG
TXEP, RXEP, TXWAR, RXWAR, EWARN = 0x10, 0x08, 0x04, 0x02, 0x01
ABTF, MLOA, TXERR, TXREQ, TXP = 0x40, 0x20, 0x10, 0x08, 0x03  # TXBnCTRL
RXM_ANY, RXRTR, BUKT, BUKT1 = 0x60, 0x08, 0x04, 0x02  # RXBnCTRL
EXTENDED, SRR = 0x08, 0x10  # SIDL
RTR = 0x40  # DLC

# Interrupt flags by their code, from 1 on (Table 7-1)
INTERRUPT_CODES = (ERRIF, WAKIF, 0x04, 0x08, 0x10, RX0IF, RX1IF)

# Acceptance: (filter register, mask register, number that RXBnCTRL and RX STATUS show)
RXB0_FILTERS = ((0x00, 0x20, 0), (0x04, 0x20, 1))
RXB1_FILTERS = ((0x08, 0x24, 2), (0x10, 0x24, 3), (0x14, 0x24, 4), (0x18, 0x24, 5))

# Registers that BIT MODIFY can change by bits; with any other the mask counts as FFh (12.10)
BIT_MODIFIABLE = (0x0C, 0x0D, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x30, 0x40, 0x50, 0x60, 0x70)

# Writable bits: (first register, last register, bits); all others are read-only
_WRITABLE = (
    (0x00, 0x0B, 0xFF), (0x0C, 0x0C, 0x3F), (0x0D, 0x0D, 0x07), (0x10, 0x1B, 0xFF),
    (0x20, 0x27, 0xFF), (0x28, 0x28, 0xC7), (0x29, 0x2C, 0xFF), (0x2D, 0x2D, 0xC0),
    (0x30, 0x30, 0x0B), (0x31, 0x3D, 0xFF), (0x40, 0x40, 0x0B), (0x41, 0x4D, 0xFF),
    (0x50, 0x50, 0x0B), (0x51, 0x5D, 0xFF), (0x60, 0x60, 0x64), (0x70, 0x70, 0x60),
)  # fmt: skip
# Bits that are not there, in SIDL of filters, masks and transmit buffers, and in their DLC
_FILTER_SIDL, _MASK_SIDL, _TX_SIDL, _TX_DLC = 0xEB, 0xE3, 0xEB, 0x4F
# Written in configuration mode only (10.1): filters, masks, CNF, TXRTSCTRL
_CONFIGURATION_ONLY = ((0x00, 0x0B), (0x0D, 0x0D), (0x10, 0x1B), (0x20, 0x2A))


def _write_masks():
    masks = bytearray(128)
    for first, last, bits in _WRITABLE:
        for address in range(first, last + 1):
            masks[address] = bits
    for address in (0x01, 0x05, 0x09, 0x11, 0x15, 0x19):
        masks[address] = _FILTER_SIDL
    masks[0x21] = masks[0x25] = _MASK_SIDL
    for buffer in TXB:
        masks[buffer + 2] = _TX_SIDL
        masks[buffer + 5] = _TX_DLC
    return bytes(masks)


WRITE_MASKS = _write_masks()


def configuration_only(address):
    """True for a register that only configuration mode lets write."""
    return any(first <= address <= last for first, last in _CONFIGURATION_ONLY)


def bit_rate(registers, oscillator_hz):
    """Bits per second (section 5): a bit is 1 + PRSEG + PS1 + PS2 quanta of 2 x (BRP + 1)
    clocks; PS2 is at least 2 quanta and, without BTLMODE, as long as PS1."""
    cnf1, cnf2, cnf3 = registers[CNF1], registers[CNF2], registers[CNF3]
    phase1 = (cnf2 >> 3 & 7) + 1
    phase2 = max((cnf3 & 7) + 1, 2) if cnf2 & 0x80 else max(phase1, 2)
    quanta = 1 + (cnf2 & 7) + 1 + phase1 + phase2
    return oscillator_hz / (2 * ((cnf1 & 0x3F) + 1) * quanta)


def identifier(registers, address):
    """The 29 bits of the SIDH, SIDL, EID8, EID0 registers from address on."""
    low = registers[address + 1]
    return (
        registers[address] << 21
        | (low & 0xE0) << 13
        | (low & 0x03) << 16
        | registers[address + 2] << 8
        | registers[address + 3]
    )


def frame_at(registers, address):
    """The frame in the transmit buffer whose SIDH is at address."""
    can_id = identifier(registers, address)
    extended = bool(registers[address + 1] & EXTENDED)
    if not extended:
        can_id >>= 18
    length = registers[address + 4]
    size = min(length & 0x0F, 8)
    remote = bool(length & RTR)
    # A remote frame carries a length but no data; zeros stand for the length.
    data = bytes(size) if remote else bytes(registers[address + 5 : address + 5 + size])
    return can_id, data, extended, remote


def match(registers, frame, buffer, filters):
    """Number of the first filter that lets the frame into the buffer, or None. Section 4.5"""
    if registers[buffer] & RXM_ANY == RXM_ANY:
        return filters[0][2]
    can_id, data, extended, _ = frame
    if extended:
        wanted = can_id
    else:  # the extended bits apply to the first two data bytes
        pair = data[:2] + b"\0\0"
        wanted = can_id << 18 | pair[0] << 8 | pair[1]
    for filter_address, mask_address, number in filters:
        if bool(registers[filter_address + 1] & EXTENDED) != extended:
            continue
        mask = identifier(registers, mask_address)
        if not extended:
            mask &= ~0x30000  # EID17 and EID16 have no data bits
        if (identifier(registers, filter_address) ^ wanted) & mask == 0:
            return number
    return None


def store(registers, frame, buffer, hit):
    """Put a received frame into a receive buffer; hit: the filter that let it in."""
    can_id, data, extended, remote = frame
    if extended:
        high = can_id >> 18
        registers[buffer + 2] = (high & 7) << 5 | EXTENDED | can_id >> 16 & 3
        registers[buffer + 3] = can_id >> 8 & 0xFF
        registers[buffer + 4] = can_id & 0xFF
    else:
        high = can_id
        registers[buffer + 2] = (high & 7) << 5 | (SRR if remote else 0)
    registers[buffer + 1] = high >> 3
    registers[buffer + 5] = len(data) | (RTR if remote and extended else 0)
    if not remote:
        registers[buffer + 6 : buffer + 6 + len(data)] = data
    kept, shown = (RXM_ANY | BUKT | BUKT1, hit & 1) if buffer == RXB0 else (RXM_ANY, hit)
    kept &= registers[buffer]
    registers[buffer] = kept | (RXRTR if remote else 0) | shown
