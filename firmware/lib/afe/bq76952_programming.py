"""Programming a BQ76952: from whatever state it is in to programmed, verified and guarding.

Goals: the order of afe.md section 5, one bounded piece of it a step (less than 6 ms of bus time at
400 kHz, six to twelve steps in all), gates off from the first command to the last, and nothing
that the chip holds differently from the settings goes unnoticed.
Limits: called from the fast path only; nothing waits and nothing allocates after construction. A
chip that is busy is asked again in the next step; after too many of them it counts as lost.
"""

from bms.sample import BUS_ERROR, BUSY, OK, VERIFY_FAILED, WRONG_DEVICE

DEVICE_NUMBER = 0x7695

# Direct commands (afe.md section 2)
_BATTERY_STATUS = 0x12
_ALARM_STATUS = 0x62
_FET_STATUS = 0x7F

# Subcommands (afe.md section 3)
_DEVICE_NUMBER = 0x0001
_FET_ENABLE = 0x0022  # toggles!
_MFG_STATUS = 0x0057
_SET_CFGUPDATE = 0x0090  # takes 2 ms
_EXIT_CFGUPDATE = 0x0092  # takes 1 ms
_ALL_FETS_OFF = 0x0095
_SLEEP_DISABLE = 0x009A
_NO_CELLS = b"\x83\x00\x00\x00"  # CB_ACTIVE_CELLS with an empty mask
_EVERY_ALARM = b"\xff\xff"

_CFGUPDATE = 0x01  # battery status, low byte
_POR = 0x08
_WD = 0x10
_FET_EN = 0x10  # manufacturing status: the chip controls the gates, no test mode
_FETS_ON = 0x05  # FET status: CHG, DSG

_WINDOW = 32  # bytes of data memory in one answer
# Bytes on the wire (22.5 us each at 400 kHz) after which a step ends. The longest stage moves 105
# more (an answer after four polls, with CRC): together less than 6 ms.
_STEP_BYTES = 160
_PATIENCE = 10  # steps that a stage may be busy before the chip counts as lost
_AGAIN = -1  # a stage's answer: it got on and is not done


class Programming:
    """`start` it, then `step` it until the answer is not BUSY.

    `note_trips()` is called once the chip is known to be ours, before it is changed; it answers OK
    or BUS_ERROR.
    """

    def __init__(self, link, settings, note_trips):
        self.device_number = 0  # what answered last
        # Bits of the battery status that were there at the end and say nothing new: WD stays from
        # a watchdog reset of the chip until its next reset, which sets POR (SLUUBY2B).
        self.known_status = 0
        self._link = link
        self._settings = settings
        self._status = bytearray(2)
        self._fets = bytearray(1)
        self._stages = (
            # Off first: a restart of the processor alone leaves gates and balancing on.
            self._all_fets_off,
            self._balancing_off,
            self._identify,
            note_trips,  # now or never: CONFIG_UPDATE forgets them
            self._set_update,
            self._entered_update,
            self._write,
            self._verify,
            self._exit_update,
            self._left_update,
            self._sleep_disable,
            self._all_fets_off,
            self._ask_control,
            self._take_control,
            self._clear_alarms,
            self._ask_control,
            self._guarding,
        )
        self._stage = -1  # -1: not started
        self._busy = 0  # times in a row that the stage, having sent its command, got nowhere
        self._run = 0  # next block to write or verify

    def start(self):
        """Begin, or begin again, with the parameters of now. No bus traffic yet."""
        self._settings.update()
        self._stage = 0
        self._busy = 0
        self._run = 0

    def step(self):
        """Some stages: BUSY while more is to do, OK at the end, else why it failed."""
        if self._stage < 0:
            self.start()
        self._link.moved = 0
        while self._link.moved < _STEP_BYTES:
            code = self._stages[self._stage]()
            if code == OK:
                self._stage += 1
                self._run = 0
                if self._stage == len(self._stages):
                    self._stage = -1
                    return OK
            elif code != _AGAIN:
                self._busy += 1
                if code == BUSY and self._busy <= _PATIENCE:
                    return BUSY
                self._stage = -1
                return BUS_ERROR if code == BUSY else code
            self._busy = 0
        return BUSY

    # The stages. Each answers OK (on to the next), _AGAIN, BUSY (to be called in the next step,
    # without sending its command again) or why it failed.

    def all_off(self):
        """Gates and balancing off, outside of programming: OK, BUSY or BUS_ERROR."""
        code = self._link.command(_ALL_FETS_OFF)
        return self._balancing_off() if code == OK else code

    def _all_fets_off(self):
        return self._link.command(_ALL_FETS_OFF, self._busy > 0)

    def _balancing_off(self):
        return self._link.transfer(_NO_CELLS)

    def _identify(self):
        code = self._link.ask(_DEVICE_NUMBER, self._busy > 0)
        if code != OK:
            return code
        self.device_number = _word(self._link.answer)
        return OK if self.device_number == DEVICE_NUMBER else WRONG_DEVICE

    def _set_update(self):
        return self._link.send(_SET_CFGUPDATE)

    def _entered_update(self):
        return self._updating(True)  # after 2 ms

    def _write(self):
        runs = self._settings.runs
        code = self._link.transfer(runs[self._run])
        if code != OK:
            return code
        self._run += 1
        return OK if self._run == len(runs) else _AGAIN

    def _verify(self):
        """Read back what was written, all of it after all was written."""
        runs = self._settings.runs
        start = _word(runs[self._run])
        code = self._link.ask(start, self._busy > 0)
        if code != OK:
            return code
        if not self._matches(start):
            return VERIFY_FAILED
        return OK if self._run == len(runs) else _AGAIN

    def _matches(self, start):
        """Compare all blocks that lie in the answer that begins at `start`, and step over them."""
        runs = self._settings.runs
        answer = self._link.answer
        while self._run < len(runs):
            run = runs[self._run]
            offset = _word(run) - start
            size = len(run) - 2
            if offset + size > _WINDOW:
                return True
            for at in range(size):
                if answer[offset + at] != run[2 + at]:
                    return False
            self._run += 1
        return True

    def _exit_update(self):
        return self._link.send(_EXIT_CFGUPDATE)

    def _left_update(self):
        return self._updating(False)  # after 1 ms

    def _sleep_disable(self):
        return self._link.command(_SLEEP_DISABLE, self._busy > 0)

    def _ask_control(self):
        return self._link.ask(_MFG_STATUS, self._busy > 0)

    def _take_control(self):
        """From FET test mode to the chip's control of the gates, which the host forces off.

        A chip that restarted meanwhile forgot to wait for the host and would close the gates.
        """
        if self._link.answer[0] & _FET_EN:
            return OK
        if self._busy == 0:
            if not self._read_status():
                return BUS_ERROR
            if self._status[0] & (_CFGUPDATE | _POR):
                return VERIFY_FAILED
        return self._link.command(_FET_ENABLE, self._busy > 0)

    def _clear_alarms(self):
        return OK if self._link.write(_ALARM_STATUS, _EVERY_ALARM) else BUS_ERROR

    def _guarding(self):
        """The chip controls the gates, both are off, and it did not restart meanwhile."""
        link = self._link
        if not link.answer[0] & _FET_EN:
            return VERIFY_FAILED
        if not (link.read_into(_FET_STATUS, self._fets) and self._read_status()):
            return BUS_ERROR
        if self._status[0] & (_CFGUPDATE | _POR):
            return VERIFY_FAILED
        if self._fets[0] & _FETS_ON:
            return BUSY
        self.known_status = self._status[0] & _WD
        return OK

    def _updating(self, wanted):
        """Whether the chip is in CONFIG_UPDATE as wanted, or BUSY."""
        if not self._read_status():
            return BUS_ERROR
        return OK if (self._status[0] & _CFGUPDATE != 0) == wanted else BUSY

    def _read_status(self):
        return self._link.read_into(_BATTERY_STATUS, self._status)


def _word(view):
    return view[0] | view[1] << 8
