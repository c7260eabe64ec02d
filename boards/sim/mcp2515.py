"""Register-level model of the MCP2515 CAN controller, from its data sheet DS20001801J.

Seen from SPI it is the chip: instructions, registers with their reset values, write masks and
"configuration mode only" rules, modes, interrupt flags, error counters. Seen from the wire it is a
node of can_bus.py. Section and table numbers below are the data sheet's.
Limits: no CLKOUT, SOF, RXnBF and TXnRTS pins; receive buffers hold 0 after power-up instead of
noise; loopback takes no time; bus-off recovery does not wait longer on a busy wire; the flag
ERRIF may be cleared while its condition lasts (drivers in the field rely on it).
"""

from boards.sim import mcp2515_registers as reg

# Table 12-1
_RESET, _READ, _WRITE, _BIT_MODIFY = 0xC0, 0x03, 0x02, 0x05
_RTS, _READ_STATUS, _RX_STATUS = 0x80, 0xA0, 0xB0
_READ_RX_ADDRESS = {0x90: 0x61, 0x92: 0x66, 0x94: 0x71, 0x96: 0x76}
_LOAD_TX_ADDRESS = {0x40: 0x31, 0x41: 0x36, 0x42: 0x41, 0x43: 0x46, 0x44: 0x51, 0x45: 0x56}

NORMAL, SLEEP, LOOPBACK, LISTEN_ONLY, CONFIGURATION = 0, 1, 2, 3, 4  # REQOP, OPMODE
# 7.6.2, 7.6.4, 7.6.6 and Figure 6-1
_WARNING, _PASSIVE, _BUS_OFF = 96, 128, 256
_RECOVERY_BITS = 128 * 11


class Mcp2515:
    """oscillator_hz: the crystal; bit timing follows from it. `interrupt_level()` is the INT pin;
    `interrupt_changed()`, if somebody sets it, is called when it may have moved.

    As a node of the CAN bus it offers what can_bus.py asks of one; nobody else calls these.
    """

    def __init__(self, oscillator_hz=8000000):
        self.oscillator_hz = oscillator_hz
        self.connected = True
        self.interrupt_changed = None
        self.bus = None  # set by CanBus.join
        self.bit_rate = 0  # bits per second, from CNF1 to CNF3
        self.on_wire = None
        self.quiet_until_us = 0
        self._instruction = None
        self._reset()

    def _reset(self):
        """RESET pin or instruction, or power-up."""
        self._registers = bytearray(128)
        self._registers[reg.CANCTRL] = reg.CANCTRL_RESET
        self._mode = CONFIGURATION
        self._tec = self._rec = 0
        self._sending = None  # transmit buffer on the wire, 0..2
        self._abort = 0  # bit n: buffer n stops after its present attempt
        self._filter_hit = [0, 0]  # of the messages in RXB0 and RXB1, as RX STATUS shows it
        self.on_wire = None
        self.quiet_until_us = 0

    def interrupt_level(self):
        """Level of the INT pin: 0 while an enabled flag is set."""
        return 0 if self._registers[reg.CANINTE] & self._registers[reg.CANINTF] else 1

    # SPI side. The first byte after chip select is the instruction.

    def select(self, active):
        if not active and self._instruction in _READ_RX_ADDRESS:
            # 12.4: the flag clears when chip select rises
            first = _READ_RX_ADDRESS[self._instruction] < reg.RXB1
            self._registers[reg.CANINTF] &= ~(reg.RX0IF if first else reg.RX1IF)
        self._instruction = None
        self._count = 0
        if not active and self.interrupt_changed:
            self.interrupt_changed()

    def exchange(self, byte):
        count = self._count
        self._count = count + 1
        if count == 0:
            self._begin(byte)
            return 0xFF
        instruction = self._instruction
        if instruction == _READ_STATUS:
            return self._read_status()
        if instruction == _RX_STATUS:
            return self._rx_status()
        if instruction in (_READ, _WRITE, _BIT_MODIFY) and count == 1:
            self._address = byte & 0x7F
        elif instruction == _READ or instruction in _READ_RX_ADDRESS:
            return self._read(self._next_address())
        elif instruction == _WRITE or instruction in _LOAD_TX_ADDRESS:
            self._write(self._next_address(), byte, 0xFF)
        elif instruction == _BIT_MODIFY:
            if count == 2:
                self._mask = byte
            elif count == 3:
                address = self._address
                changeable = address in reg.BIT_MODIFIABLE or address & 0x0F == reg.CANCTRL
                self._write(address, byte, self._mask if changeable else 0xFF)
        return 0xFF

    def _begin(self, instruction):
        self._instruction = instruction
        if instruction == _RESET:
            self._reset()
        elif instruction in _READ_RX_ADDRESS:
            self._address = _READ_RX_ADDRESS[instruction]
        elif instruction in _LOAD_TX_ADDRESS:
            self._address = _LOAD_TX_ADDRESS[instruction]
        elif instruction & 0xF8 == _RTS:
            for number in range(3):
                if instruction >> number & 1:
                    self._write(reg.TXB[number], reg.TXREQ, reg.TXREQ)

    def _next_address(self):
        address = self._address
        self._address = (address + 1) & 0x7F
        return address

    def _read(self, address):
        low = address & 0x0F
        if low == reg.CANCTRL:
            return self._registers[reg.CANCTRL]
        if low == reg.CANSTAT:
            return self._mode << 5 | self._interrupt_code() << 1
        if address == reg.TEC:
            return min(self._tec, 255)
        if address == reg.REC:
            return self._rec
        return self._registers[address]

    def _write(self, address, value, mask):
        registers = self._registers
        if address & 0x0F == reg.CANCTRL:
            registers[reg.CANCTRL] = registers[reg.CANCTRL] & ~mask | value & mask
            self._control()
            return
        if address & 0x70 in reg.TXB:
            control = address & 0x70
            if address == control:
                mask &= reg.TXREQ | reg.TXP
                self._transmit_control(reg.TXB.index(control), value, mask)
                return
            if registers[control] & reg.TXREQ:
                return  # 3.1: a buffer is not written while it is pending
        if self._mode != CONFIGURATION and reg.configuration_only(address):
            return
        mask &= reg.WRITE_MASKS[address]
        registers[address] = registers[address] & ~mask | value & mask
        if address == reg.RXB0:
            bukt1 = reg.BUKT1 if registers[address] & reg.BUKT else 0
            registers[address] = registers[address] & ~reg.BUKT1 | bukt1
        elif address == reg.CANINTF and self._mode == SLEEP and registers[address] & reg.WAKIF:
            self._wake()  # 10.2

    def _interrupt_code(self):
        pending = self._registers[reg.CANINTE] & self._registers[reg.CANINTF]
        for code, flag in enumerate(reg.INTERRUPT_CODES):
            if pending & flag:
                return code + 1
        return 0

    def _read_status(self):
        """Figure 12-8"""
        registers = self._registers
        flags = registers[reg.CANINTF]
        status = flags & (reg.RX0IF | reg.RX1IF)
        for number in range(3):
            if registers[reg.TXB[number]] & reg.TXREQ:
                status |= 0x04 << 2 * number
            if flags & reg.TX0IF << number:
                status |= 0x08 << 2 * number
        return status

    def _rx_status(self):
        """Figure 12-9: of RXB0 while it is full."""
        registers = self._registers
        full = registers[reg.CANINTF] & (reg.RX0IF | reg.RX1IF)
        if not full:
            return 0
        first = full & reg.RX0IF
        buffer = reg.RXB0 if first else reg.RXB1
        extended = registers[buffer + 2] & reg.EXTENDED
        hit = self._filter_hit[0 if first else 1]
        remote = registers[buffer] & reg.RXRTR
        return full << 6 | (0x10 if extended else 0) | (0x08 if remote else 0) | hit

    # Modes and transmission

    def _control(self):
        """CANCTRL was written."""
        if self._registers[reg.CANCTRL] & reg.ABAT:
            for number in range(3):
                self._abort_buffer(number)
        self._change_mode()

    def _change_mode(self):
        """Into the requested mode, if nothing speaks against it yet."""
        mode = self._registers[reg.CANCTRL] >> 5
        if mode == self._mode or mode > CONFIGURATION:
            return
        if self._mode == SLEEP:
            return  # the oscillator stands still: only WAKIF or the wire wakes the chip
        if self._mode == NORMAL and self._pending():
            return  # 10.0: not before all pending transmissions are complete
        self._mode = mode
        if mode == CONFIGURATION:
            self._tec = self._rec = 0  # 10.1
            self.quiet_until_us = 0
            self._update_errors()
        else:
            self.bit_rate = reg.bit_rate(self._registers, self.oscillator_hz)
            self._request()

    def _wake(self):
        """10.2: awake in listen-only mode; the message that woke it is lost."""
        self._mode = LISTEN_ONLY
        control = self._registers[reg.CANCTRL]
        self._registers[reg.CANCTRL] = control & 0x1F | LISTEN_ONLY << 5
        self._registers[reg.CANINTF] |= reg.WAKIF

    def _pending(self):
        registers = self._registers
        return (registers[0x30] | registers[0x40] | registers[0x50]) & reg.TXREQ

    def _transmit_control(self, number, value, mask):
        """TXBnCTRL is written, with the bits of mask."""
        registers = self._registers
        address = reg.TXB[number]
        before = registers[address]
        after = before & ~mask & 0xFF | value & mask
        if after & reg.TXREQ and not before & reg.TXREQ:
            if registers[reg.CANCTRL] & reg.ABAT:
                after &= ~reg.TXREQ
            else:
                after &= ~(reg.ABTF | reg.MLOA | reg.TXERR)
                self._abort &= ~(1 << number)
            registers[address] = after
            self._request()
        elif before & reg.TXREQ and not after & reg.TXREQ:
            registers[address] = after | reg.TXREQ
            self._abort_buffer(number)
        else:
            registers[address] = after

    def _abort_buffer(self, number):
        """3.6: a message on the wire may finish; others stop at once."""
        if not self._registers[reg.TXB[number]] & reg.TXREQ:
            return
        if self._sending == number:
            self._abort |= 1 << number
        else:
            self._drop(number)

    def _drop(self, number):
        address = reg.TXB[number]
        self._registers[address] = self._registers[address] & ~reg.TXREQ | reg.ABTF
        self._abort &= ~(1 << number)
        self._change_mode()

    def _request(self):
        """Pending buffers: to the wire, or round in loopback mode."""
        if self._mode == NORMAL and self._pending():
            self.bus.request(self)
        while self._mode == LOOPBACK and self._pending():
            frame = self.offer()
            self._complete()
            self._accept(frame)

    def offer(self):
        """The pending message of highest priority, as a frame; the end of bus-off also."""
        if self._tec >= _BUS_OFF:
            self._tec = self._rec = 0
            self._update_errors()
        if self._mode not in (NORMAL, LOOPBACK) or not self._pending():
            return None
        registers = self._registers
        best, best_priority = 0, -1
        for number in range(3):
            control = registers[reg.TXB[number]]
            # 3.2: at equal priority the highest buffer number goes first
            if control & reg.TXREQ and control & reg.TXP >= best_priority:
                best, best_priority = number, control & reg.TXP
        self._sending = best
        return reg.frame_at(registers, reg.TXB[best] + 1)

    def lost_arbitration(self):
        number, self._sending = self._sending, None
        self._registers[reg.TXB[number]] |= reg.MLOA
        if self._registers[reg.CANCTRL] & reg.OSM:
            self._drop(number)

    def sent(self, frame):
        self._tec = max(0, self._tec - 1)
        self._complete()
        self._update_errors()
        self._change_mode()

    def _complete(self):
        number, self._sending = self._sending, None
        self._registers[reg.TXB[number]] &= ~reg.TXREQ
        self._registers[reg.CANINTF] |= reg.TX0IF << number
        self._abort &= ~(1 << number)

    def failed(self, count, attempt_us, now_us, silence):
        """Up to count attempts in a row end in an error; how many were really made.

        silence: only the acknowledgement was missing. Then an error-passive sender counts no
        further (ISO 11898-1, fault confinement, exception A), so it never gets to bus-off.
        """
        self.on_wire = None
        number, self._sending = self._sending, None
        registers = self._registers
        registers[reg.TXB[number]] |= reg.TXERR
        registers[reg.CANINTF] |= reg.MERRF
        once = registers[reg.CANCTRL] & reg.OSM or self._abort >> number & 1
        made = 1 if once else count
        limit = _PASSIVE if silence else _BUS_OFF
        counted = min(made, (limit - self._tec + 7) // 8) if self._tec < limit else 0
        self._tec += 8 * counted
        if self._tec >= _BUS_OFF:
            made = counted
            self.quiet_until_us = now_us + (made - 1) * attempt_us
            self.quiet_until_us += self.bus.bits_us(_RECOVERY_BITS)
        self._update_errors()
        if once:
            self._drop(number)
        return made

    # Reception

    def acknowledges(self):
        return self._mode == NORMAL and self._tec < _BUS_OFF

    def receive(self, frame):
        if self._mode == SLEEP:
            self._wake()
        elif self._mode == LISTEN_ONLY:
            self._accept(frame)
        elif self.acknowledges():
            if self._rec:
                # ISO 11898-1: an error-passive receiver goes back to 119..127
                self._rec = 120 if self._rec > 127 else self._rec - 1
                self._update_errors()
            self._accept(frame)
        if self.interrupt_changed:
            self.interrupt_changed()

    def receive_error(self):
        """A frame that its bit timing cannot follow."""
        if self._mode == SLEEP:
            self._wake()
        elif self.acknowledges():
            # A stuff error, then its own error flag was answered: 1 + 8 (ISO 11898-1)
            self._rec = min(255, self._rec + 9)
            self._registers[reg.CANINTF] |= reg.MERRF
            self._update_errors()

    def _accept(self, frame):
        """Acceptance filters and the two buffers: Figure 4-3."""
        registers = self._registers
        flags = registers[reg.CANINTF]
        hit = reg.match(registers, frame, reg.RXB0, reg.RXB0_FILTERS)
        if hit is not None:
            if not flags & reg.RX0IF:
                self._fill(frame, reg.RXB0, hit)
            elif not registers[reg.RXB0] & reg.BUKT:
                self._overflow(reg.RX0OVR)
            elif flags & reg.RX1IF:
                self._overflow(reg.RX1OVR)
            else:
                self._fill(frame, reg.RXB1, hit)
            return
        hit = reg.match(registers, frame, reg.RXB1, reg.RXB1_FILTERS)
        if hit is not None and flags & reg.RX1IF:
            self._overflow(reg.RX1OVR)
        elif hit is not None:
            self._fill(frame, reg.RXB1, hit)

    def _fill(self, frame, buffer, hit):
        reg.store(self._registers, frame, buffer, hit)
        if buffer == reg.RXB0:
            self._registers[reg.CANINTF] |= reg.RX0IF
            self._filter_hit[0] = hit
        else:
            self._registers[reg.CANINTF] |= reg.RX1IF
            self._filter_hit[1] = hit if hit > 1 else 6 + hit  # rolled over from RXB0

    def _overflow(self, flag):
        """7.6.1: the new message is lost."""
        self._registers[reg.EFLG] |= flag
        self._registers[reg.CANINTF] |= reg.ERRIF

    def _update_errors(self):
        """EFLG from the two counters; ERRIF when its condition changes for the worse."""
        tec, rec = self._tec, self._rec
        flags = 0
        if tec >= _BUS_OFF:
            flags |= reg.TXBO
        if tec >= _PASSIVE:
            flags |= reg.TXEP
        if rec >= _PASSIVE:
            flags |= reg.RXEP
        if tec >= _WARNING:
            flags |= reg.TXWAR | reg.EWARN
        if rec >= _WARNING:
            flags |= reg.RXWAR | reg.EWARN
        before = self._registers[reg.EFLG]
        self._registers[reg.EFLG] = before & (reg.RX0OVR | reg.RX1OVR) | flags
        if flags & ~before:
            self._registers[reg.CANINTF] |= reg.ERRIF
