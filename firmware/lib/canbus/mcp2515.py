"""Driver of the MCP2515 CAN controller (classic CAN; sends standard data frames) on SPI.

Shaped like machine.CAN of MicroPython 1.29 (docs/library/machine.CAN.rst), which our boards' ports
do not have, so that a native controller can take its place. Where the chip differs, the method
says so.

Goals: nothing waits for the bus; nothing allocates after construction except `set_filters` and
`restart`; a chip that is missing, or that restarted and forgot its settings, is noticed.
Limits: 29-bit frames are received where everything is, and never sent; two acceptance filters, one
per receive buffer; the owner polls (with the interrupt line: mcp2515_drained). One coroutine owns
the driver: its methods must not interrupt each other.

The SPI bus must run in mode 0 at 10 MHz or less. Frames are started with the RTS instruction only:
our timer callback may run while CS is still low, and the silicon repeats a frame in that case for
every other way to start it (errata DS80000179, item 5).
Section and register numbers are of data sheet DS20001801J.
"""

from array import array

# SPI instructions, table 12-1
_RESET = 0xC0
_READ = 0x03
_WRITE = 0x02
_BIT_MODIFY = 0x05
_READ_STATUS = 0xA0
_READ_RX0 = 0x90  # from RXB0SIDH on; raising CS frees the buffer
_READ_RX1 = 0x94
_LOAD_TX0 = 0x40  # from TXB0SIDH on; +2 for each further buffer
_REQUEST_TO_SEND = 0x80  # | 1 << buffer

# Registers, table 11-1
_RXF0SIDH = 0x00
_RXF3SIDH = 0x10
_TEC = 0x1C
_RXM0SIDH = 0x20
_CNF3 = 0x28
_EFLG = 0x2D
_CANSTAT = 0x0E
_CANCTRL = 0x0F
_TXB0CTRL = 0x30  # +0x10 for each further buffer
_RXB0CTRL = 0x60

_MODE_BITS = 0xE0  # of CANSTAT and CANCTRL, registers 10-1 and 10-2
_MODE_CONFIGURATION = 0x80
_NORMAL_MODE = 0x00  # CANCTRL: retries on, CLKOUT off (a needless radiator)
# CANCTRL after a reset: nothing aborted, no one-shot, CLKOUT on at an eighth (register 10-1). The
# mode bits above them read differently in older data sheets (DS21801D), so they are not asked.
_RESET_CONTROL_BITS = 0x1F
_RESET_CONTROL = 0x07
_EXTENDED = 0x08  # RXFnSIDL.EXIDE and RXBnSIDL.IDE
_EXTENDED_REMOTE = 0x40  # RXBnDLC.RTR
_ROLLOVER = 0x04  # RXB0CTRL.BUKT: a second frame goes to RXB1
_REQUESTED = 0x08  # TXBnCTRL.TXREQ

_IDENTIFIER_MAX = 0x7FF
_DATA_MAX = 8

# EFLG, register 6-3
_OVERRUNS = 0xC0  # RX1OVR, RX0OVR
_BUS_OFF = 0x20  # TXBO
_PASSIVE = 0x18  # TXEP, RXEP
_WARNING = 0x06  # TXWAR, RXWAR

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

# Which buffer takes the next frame, by the buffers that wait (bit n: TXBn). The chip sends the
# highest number first (section 3.2), so a frame below all waiting ones never overtakes; -1: full.
_NEXT_BUFFER = (2, -1, 0, -1, 1, -1, 0, -1)


class ControllerNotFoundError(OSError):
    """No MCP2515 answers, or it does not keep what is written; the text says what to check."""


class MCP2515:
    """One CAN controller, on the bus as soon as it is constructed.

    spi: like machine.SPI (`write`, `write_readinto`); cs: a pin called with 0 or 1, high now.
    bitrate_kbit: 125, 250 or 500. oscillator_hz: of the crystal, 8 or 16 MHz.
    Raises ValueError for other speeds and ControllerNotFoundError.
    """

    STATE_STOPPED = 0  # not on the bus: chip gone, restarted, or the bus is held dominant
    STATE_ACTIVE = 1
    STATE_WARNING = 2  # an error counter is at 96 or above
    STATE_PASSIVE = 3  # an error counter is at 128 or above
    STATE_BUS_OFF = 4
    FLAG_RTR = 1
    FLAG_EXT_ID = 2
    RECV_ERR_OVERRUN = 2
    TX_QUEUE_LEN = 3
    FILTERS_MAX = 2

    def __init__(self, spi, cs, bitrate_kbit, oscillator_hz):
        self._spi = spi
        self._cs = cs
        self._timing = _timing_registers(oscillator_hz, bitrate_kbit)
        out = bytearray(14)  # the longest transaction: instruction, 5 header and 8 data bytes
        reply = bytearray(14)
        received = bytearray(14)
        self._out = out
        self._in = reply
        self._received = received
        # Views of every length, because taking a slice allocates.
        self._out_views = [memoryview(out)[:length] for length in range(15)]
        self._in_views = [memoryview(reply)[:length] for length in range(15)]
        self._received_view = memoryview(received)
        self._data_views = [memoryview(received)[6 : 6 + length] for length in range(9)]
        self._state = self.STATE_STOPPED
        self._entered = array("i", [0] * 5)  # how often each state was entered, by state
        self._overruns = 0
        self._overrun = False  # an overrun that `recv` has not reported yet
        self.set_filters(None)

    def set_filters(self, filters):
        """Accept the standard frames that match, and start the chip anew. Allocates.

        filters: None for all, or one or two of (identifier, bit_mask, 0). With two, the first has
        receive buffer 0 and the second buffer 1 for itself: traffic of the one never displaces
        a frame of the other. The constructor accepts all. A last filter whose mask is 0 accepts
        frames with 29-bit identifiers, too.
        """
        if filters is None:
            filters = ((0, 0, 0),)
        if not 1 <= len(filters) <= self.FILTERS_MAX:
            raise ValueError("one or two filters, or None to accept all frames")
        for identifier, mask, flags in filters:
            if flags or not (0 <= identifier <= _IDENTIFIER_MAX and 0 <= mask <= _IDENTIFIER_MAX):
                raise ValueError("invalid id: filters are for standard data frames, 0 to 0x7ff")
        first = filters[0]
        last = filters[-1]
        # Every filter of a buffer is in force (section 4.5), so unused ones repeat the used one.
        # Mask bytes for the extended identifier stay 0: they would match data bytes (4.5.1).
        # A filter is for one kind of frames (EXIDE): the sixth is for 29-bit ones.
        wide = _identifier(last[0]) if last[1] else bytes((0, _EXTENDED, 0, 0))
        self._setup = (
            (_RXF0SIDH, _identifier(first[0]) * 2 + _identifier(last[0])),
            (_RXF3SIDH, _identifier(last[0]) * 2 + wide),
            (_RXM0SIDH, _identifier(first[1]) + _identifier(last[1])),
            (_RXB0CTRL, bytes((_ROLLOVER if len(filters) == 1 else 0,))),
            (_CNF3, self._timing),
        )
        self._start()

    def restart(self):
        """Reset the chip and set it up again: the way out of bus-off and STATE_STOPPED. Allocates.

        Waiting frames are dropped and error counters cleared. Raises ControllerNotFoundError.
        """
        for state in range(len(self._entered)):
            self._entered[state] = 0
        self._start()

    def send(self, identifier, data, flags=0):
        """Queue a standard data frame of up to 8 bytes; never waits, never allocates.

        Returns the transmit buffer, 0 to TX_QUEUE_LEN - 1, or None if the queue is full. Frames
        leave in the order they were queued (machine.CAN: by identifier). The chip repeats
        a frame until somebody acknowledges it; `cancel_send` ends that. In bus-off a frame waits.
        """
        size = len(data)
        if flags or size > _DATA_MAX or not 0 <= identifier <= _IDENTIFIER_MAX:
            raise ValueError("only standard data frames of up to 8 bytes, identifiers to 0x7ff")
        buffer = _NEXT_BUFFER[self._waiting(self._status())]
        if buffer < 0:
            return None
        out = self._out
        out[0] = _LOAD_TX0 + 2 * buffer
        out[1] = identifier >> 3
        out[2] = (identifier & 7) << 5
        out[3] = 0
        out[4] = 0
        out[5] = size
        for index in range(size):
            out[6 + index] = data[index]
        self._write(6 + size)
        out[0] = _REQUEST_TO_SEND | 1 << buffer
        self._write(1)
        return buffer

    def cancel_send(self, index):
        """Take back the frame in transmit buffer `index`; False if none waited there.

        True means it was asked for: a frame that is on the wire at this moment still completes, or
        fails for the last time, which takes up to 1.3 ms at 125 kbit/s (section 3.6).
        """
        if not self._waiting(self._status()) >> index & 1:
            return False
        self._modify(_TXB0CTRL + 0x10 * index, _REQUESTED)
        return True

    def recv(self, message):
        """Fetch a received frame into `message`, or return None; never allocates.

        message: a list of [identifier, data, flags, errors], returned filled. Flags: FLAG_EXT_ID
        for an identifier of 29 bits, FLAG_RTR for a remote request. Data becomes
        a memoryview of exactly the bytes received (zeros for a remote request), valid until the
        next call. A frame in buffer 0 comes first; between the buffers, order is not kept.
        """
        if not self._fetch():
            return None
        received = self._received
        message[0] = received[1] << 3 | received[2] >> 5
        size = min(received[5] & 15, _DATA_MAX)
        message[2] = 0
        if received[2] & _EXTENDED:
            message[0] = message[0] << 2 | received[2] & 3
            message[0] = message[0] << 16 | received[3] << 8 | received[4]
            message[2] = self.FLAG_EXT_ID
            remote = received[5] & _EXTENDED_REMOTE
        else:
            remote = received[2] & 0x10  # RXBnSIDL.SRR
        if remote:  # a remote request has a length but no data
            message[2] |= self.FLAG_RTR
            for index in range(size):
                received[6 + index] = 0
        message[1] = self._data_views[size]
        message[3] = self.RECV_ERR_OVERRUN if self._overrun else 0
        self._overrun = False
        return message

    def state(self):
        """STATE_* of the chip now; never allocates. Counts overruns and states entered since.

        STATE_STOPPED also when the chip does not hold the bit timing it was given: it restarted or
        is gone. The bus-off state ends by itself after 128 idle phases (figure 6-1), so
        a late look may miss it.
        """
        self._read(_CNF3, 7)  # CNF3, CNF2, CNF1, CANINTE, CANINTF, EFLG, CANSTAT (mirror)
        reply = self._in
        timing = self._timing
        if (
            reply[2] != timing[0]
            or reply[3] != timing[1]
            or reply[4] != timing[2]
            or reply[8] & _MODE_BITS
        ):
            self._state = self.STATE_STOPPED
            return self._state
        errors = reply[7]
        if errors & _BUS_OFF:
            state = self.STATE_BUS_OFF
        elif errors & _PASSIVE:
            state = self.STATE_PASSIVE
        elif errors & _WARNING:
            state = self.STATE_WARNING
        else:
            state = self.STATE_ACTIVE
        for passed in range(self._state + 1, state + 1):
            self._entered[passed] += 1
        self._state = state
        if errors & _OVERRUNS:
            self._overruns += 1
            self._overrun = True
            self._modify(_EFLG, errors & _OVERRUNS)
        return state

    def get_counters(self, counters):
        """Fill and return the list `counters`; never allocates.

        TEC, REC, how often the states warning, passive and bus-off were entered (as `state` saw
        it, since `restart`), frames waiting to be sent, frames waiting to be fetched, overruns.
        """
        status = self._status()
        waiting = self._waiting(status)
        counters[5] = (waiting & 1) + (waiting >> 1 & 1) + (waiting >> 2)
        counters[6] = (status & 1) + (status >> 1 & 1)
        self._read(_TEC, 2)
        counters[0] = self._in[2]
        counters[1] = self._in[3]
        counters[2] = self._entered[self.STATE_WARNING]
        counters[3] = self._entered[self.STATE_PASSIVE]
        counters[4] = self._entered[self.STATE_BUS_OFF]
        counters[7] = self._overruns
        return counters

    def _fetch(self):
        """Put the next frame into `_received`; False: there is none."""
        status = self._status()
        if not status & 3:  # figure 12-8: RX0IF, RX1IF
            return False
        self._out[0] = _READ_RX0 if status & 1 else _READ_RX1
        self._exchange(self._out_views[14], self._received_view)
        return True

    def _start(self):
        """Reset, set everything up, read the bit timing back and join the bus."""
        self._state = self.STATE_STOPPED
        self._out[0] = _RESET
        self._write(1)
        for _ in range(_RESET_READS):
            self._read(_CANSTAT, 2)
            if (
                self._in[2] == _MODE_CONFIGURATION
                and self._in[3] & _RESET_CONTROL_BITS == _RESET_CONTROL
            ):
                break
        else:
            raise ControllerNotFoundError(
                "no MCP2515 answers: check its supply, its crystal and the SPI wires"
                " (CANSTAT reads 0x%02x, CANCTRL 0x%02x)" % (self._in[2], self._in[3])
            )
        for address, content in self._setup:
            self._store(address, content)
        self._read(_CNF3, 3)
        if bytes(self._in_views[5][2:]) != self._timing:
            raise ControllerNotFoundError(
                "the MCP2515 does not keep its settings: check the SPI wires and lower the clock"
            )
        # It joins after 11 recessive bits. Not waited for: a shorted bus must not stop a boot, and
        # `state` tells.
        self._store(_CANCTRL, bytes((_NORMAL_MODE,)))

    def _store(self, address, content):
        out = self._out
        out[0] = _WRITE
        out[1] = address
        for index in range(len(content)):
            out[2 + index] = content[index]
        self._write(2 + len(content))

    def _modify(self, address, cleared):
        """Clear bits of a register that allows it (table 11-1)."""
        out = self._out
        out[0] = _BIT_MODIFY
        out[1] = address
        out[2] = cleared
        out[3] = 0
        self._write(4)

    def _status(self):
        self._out[0] = _READ_STATUS
        self._exchange(self._out_views[2], self._in_views[2])
        return self._in[1]

    def _waiting(self, status):
        """Transmit buffers that wait, bit n for TXBn, from READ STATUS (figure 12-8)."""
        return status >> 2 & 1 | status >> 3 & 2 | status >> 4 & 4

    def _read(self, address, count):
        """Read registers from `address` on; they are in the reply from byte 2 on."""
        self._out[0] = _READ
        self._out[1] = address
        self._exchange(self._out_views[2 + count], self._in_views[2 + count])

    def _write(self, length):
        self._cs(0)
        try:
            self._spi.write(self._out_views[length])
        finally:
            self._cs(1)

    def _exchange(self, out, reply):
        self._cs(0)
        try:
            self._spi.write_readinto(out, reply)
        finally:
            self._cs(1)


def _identifier(identifier):
    """SIDH, SIDL, EID8, EID0 of a standard identifier or mask (section 4.5)."""
    return bytes((identifier >> 3, (identifier & 7) << 5, 0, 0))


def _timing_registers(oscillator_hz, bitrate_kbit):
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
