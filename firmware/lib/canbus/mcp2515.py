"""Driver of the MCP2515 CAN controller (classic CAN; sends standard data frames) on SPI.

Shaped like machine.CAN of MicroPython 1.29 (docs/library/machine.CAN.rst), which our boards' ports
do not have, so that a native controller can take its place. Where the chip differs, the method
says so.

Goals: nothing waits for the bus; nothing allocates after construction except `set_filters` and
`restart`; a chip that is missing, or that restarted and forgot its settings, is noticed.
Limits: 29-bit frames are received where everything is, and never sent; two acceptance filters, one
per receive buffer; the owner polls (with the interrupt line: mcp2515_drained). One coroutine owns
the driver: its methods must not interrupt each other.
What starts the chip (canbus.mcp2515_start) is in memory only meanwhile.

The SPI bus must run in mode 0 at 10 MHz or less. Frames are started with the RTS instruction only:
our timer callback may run while CS is still low, and the silicon repeats a frame in that case for
every other way to start it (errata DS80000179, item 5).
Section and register numbers are of data sheet DS20001801J.
"""

from array import array

from bms.table import give_back

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
_TEC = 0x1C
CNF3 = 0x28
_EFLG = 0x2D
_TXB0CTRL = 0x30  # +0x10 for each further buffer

_MODE_BITS = 0xE0  # of CANSTAT and CANCTRL, registers 10-1 and 10-2
EXTENDED = 0x08  # RXFnSIDL.EXIDE and RXBnSIDL.IDE
_EXTENDED_REMOTE = 0x40  # RXBnDLC.RTR
_REQUESTED = 0x08  # TXBnCTRL.TXREQ

IDENTIFIER_MAX = 0x7FF
_DATA_MAX = 8

# EFLG, register 6-3
_OVERRUNS = 0xC0  # RX1OVR, RX0OVR
_BUS_OFF = 0x20  # TXBO
_PASSIVE = 0x18  # TXEP, RXEP
_WARNING = 0x06  # TXWAR, RXWAR

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
        from canbus.mcp2515_start import timing_registers

        self._timing = timing_registers(oscillator_hz, bitrate_kbit)
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
        from canbus.mcp2515_start import setup  # `_start` gives it back

        self._setup = setup(filters, self._timing)
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
        if flags or size > _DATA_MAX or not 0 <= identifier <= IDENTIFIER_MAX:
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
        if received[2] & EXTENDED:
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
        self._read(CNF3, 7)  # CNF3, CNF2, CNF1, CANINTE, CANINTF, EFLG, CANSTAT (mirror)
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
        from canbus.mcp2515_start import start

        give_back("canbus.mcp2515_start")
        self._state = self.STATE_STOPPED
        self._out[0] = _RESET
        self._write(1)
        start(self._read, self._store, self._in, self._setup)

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
