"""Programming a BQ76952: from whatever state it is in to programmed, verified and guarding.

Goals: the order of afe.md section 5, one bounded piece of it a step (less than 6 ms of bus time at
400 kHz, seven to fourteen steps in all, some more with a calibration), gates off from the first
command to the last, and nothing that the chip holds differently from the settings goes unnoticed.
Limits: called from the fast path only; nothing waits and nothing allocates after construction.
"""

from afe.bq76952_stages import MORE, Stages
from bms.sample import BUSY, CONFIGURATION_LOST, OK, VERIFY_FAILED, WRONG_DEVICE

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
_CELL_GAINS = 0x9180
_CELL_GAINS_SIZE = 32
_TRIM_MASK = 0xFFFFFF

_CFGUPDATE = 0x01  # battery status, low byte
_POR = 0x08
_WD = 0x10
_FET_EN = 0x10  # manufacturing status: the chip controls the gates, no test mode
_FETS_ON = 0x0F  # FET status: CHG, PCHG, DSG, PDSG


class Programming:
    """`start` it, then `step` it until the answer is not BUSY.

    `note_trips()` is called once the chip is known to be ours, before it is changed; it answers OK
    or why it could not. `verification` compares what was written.
    """

    def __init__(self, link, settings, verification, note_trips):
        self.device_number = 0  # what answered last
        self._link = link
        self._settings = settings
        self._verification = verification
        self._status = bytearray(2)
        self._fets = bytearray(1)
        self._stages = Stages(
            link,
            (
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
                self._take_trim,
                # What a calibration changes is relative to the factory's cell gains, which show
                # only while no others are programmed: so there is a second round.
                self._if_calibrated(self._set_update),
                self._if_calibrated(self._entered_update),
                self._if_calibrated(self._write),
                self._if_calibrated(self._verify),
                self._if_calibrated(self._exit_update),
                self._if_calibrated(self._left_update),
                self._sleep_disable,
                self._all_fets_off,
                self._ask_control,
                self._take_control,
                self._fets_off_finished,
                self._clear_alarms,
                self._ask_control,
                self._guarding,
            ),
        )
        self._run = 0  # next block to write

    def start(self):
        """Begin, or begin again, with the parameters of now. No bus traffic yet."""
        self._settings.update()
        self._verification.restart()
        self._stages.start()
        self._run = 0

    def step(self):
        """Some stages: BUSY while more is to do, OK at the end, else why it failed."""
        if not self._stages.running:
            self.start()
        return self._stages.step()

    # The stages; bq76952_stages says what they may answer.

    def _all_fets_off(self):
        return self._link.command(_ALL_FETS_OFF, self._stages.busy > 0)

    def _balancing_off(self):
        return self._link.transfer(_NO_CELLS)

    def _identify(self):
        code = self._link.ask(_DEVICE_NUMBER, self._stages.busy > 0)
        if code != OK:
            return code
        self.device_number = _word(self._link.answer)
        return OK if self.device_number == DEVICE_NUMBER else WRONG_DEVICE

    def _if_calibrated(self, stage):
        image = self._settings.image

        def run():
            return OK if image.corrections is None else stage()

        return run

    def _take_trim(self):
        """The factory's cell gains, which the chip shows outside of CONFIG_UPDATE (SLUSE13B,
        voltage calibration), tell one chip from another."""
        code = self._link.ask(_CELL_GAINS, self._stages.busy > 0)
        if code != OK:
            return code
        image = self._settings.image
        answer = self._link.answer
        gains = image.runs[0]
        trim = 0
        for at in range(_CELL_GAINS_SIZE):
            gains[2 + at] = answer[at]
            trim = (33 * trim + answer[at]) & _TRIM_MASK
        image.trim = trim
        image.corrections = image.offered if image.offered_trim == trim else None
        if image.corrections is not None:
            self._settings.correct(image.corrections)
            self._run = 0
        return OK

    def _set_update(self):
        return self._link.send(_SET_CFGUPDATE)

    def _entered_update(self):
        return self._updating(True)  # after 2 ms

    def _write(self):
        runs = self._settings.image.runs
        code = self._link.transfer(runs[self._run])
        if code != OK:
            return code
        self._run += 1
        return OK if self._run == len(runs) else MORE

    def _verify(self):
        """Read back what was written, all of it after all was written."""
        code = self._verification.step(self._stages.busy > 0)
        if code != VERIFY_FAILED:
            return code
        # A chip that restarted meanwhile left CONFIG_UPDATE, and forgot what was written.
        if not self._read_status():
            return self._link.failure
        return code if self._status[0] & _CFGUPDATE else CONFIGURATION_LOST

    def _exit_update(self):
        return self._link.send(_EXIT_CFGUPDATE)

    def _left_update(self):
        return self._updating(False)  # after 1 ms

    def _sleep_disable(self):
        return self._link.command(_SLEEP_DISABLE, self._stages.busy > 0)

    def _ask_control(self):
        return self._link.ask(_MFG_STATUS, self._stages.busy > 0)

    def _take_control(self):
        """From FET test mode to the chip's control of the gates, which the host forces off.

        A chip that restarted meanwhile forgot to wait for the host (FET_INIT_OFF) and what its off
        lines are for (their pins are unused by default), and would close the gates. Hence the look
        at its status just before. The 0.2 ms between look and command can not be closed from here;
        but the off command that follows at once, which a chip with defaults obeys too
        (HOST_FET_EN), ends such an accident within another 0.3 ms.
        """
        if self._link.answer[0] & _FET_EN:
            return OK
        if self._stages.busy == 0:
            if not self._read_status():
                return self._link.failure
            if self._status[0] & (_CFGUPDATE | _POR):
                return CONFIGURATION_LOST
        code = self._link.command(_FET_ENABLE, self._stages.busy > 0)
        return self._link.send(_ALL_FETS_OFF) if code == OK else code

    def _fets_off_finished(self):
        return self._link.command(_ALL_FETS_OFF, True)

    def _clear_alarms(self):
        return OK if self._link.write(_ALARM_STATUS, _EVERY_ALARM) else self._link.failure

    def _guarding(self):
        """The chip controls the gates, both are off, and it did not restart meanwhile."""
        link = self._link
        if not link.answer[0] & _FET_EN:
            return VERIFY_FAILED
        if not (link.read_into(_FET_STATUS, self._fets) and self._read_status()):
            return link.failure
        if self._status[0] & (_CFGUPDATE | _POR):
            return CONFIGURATION_LOST
        if self._fets[0] & _FETS_ON:
            return BUSY
        self._settings.image.known_status = self._status[0] & _WD
        return OK

    def _updating(self, wanted):
        """Whether the chip is in CONFIG_UPDATE as wanted, or BUSY."""
        if not self._read_status():
            return self._link.failure
        return OK if (self._status[0] & _CFGUPDATE != 0) == wanted else BUSY

    def _read_status(self):
        return self._link.read_into(_BATTERY_STATUS, self._status)


def _word(view):
    return view[0] | view[1] << 8
