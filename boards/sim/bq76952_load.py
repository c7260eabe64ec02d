"""Load detection of the simulated BQ76952: a weak current source out of the LD pin.

With a load across the open terminals the pin stays low, without one it rises to the stack's
voltage. The chip itself uses it while a latch of OCD or SCD stands and DSG is off: source on for
Active Time, off for Retry Delay (0: always on), until a measurement finds LD above 4 V, which
recovers the latches, or until Timeout since the first of these (SLUUBY2B GUID-6C36CD83). Active
Time 0, the default, turns that off and leaves the source to the host's commands (E2E 1307728).

What the documents leave open, and what is assumed here:
- LOAD_DETECT_ON and OFF do nothing unless Active Time is 0 (users saw no LD_ON: E2E 1491407).
- Timeout 0 means none. A recovery by load clears the latch's counter, as the command does.
- The load is the pack's word, load_present (without it there is none): with a load, or with the
  source off, LD is what stands on the bus. The PACK pin does not see the source.
"""

from boards.sim import bq76952_memory as dm
from boards.sim.bq76952_protections import NEVER_US, OCDL, SCDL

_REMOVED_V = 4.0
_HOUR_US = 3_600_000_000
# ControlStatus: SLUUBY2B GUID-20200911-BM0T-BGP1-DCBF-769020000001.
_LD_ON = 0x01
_LD_TIMEOUT = 0x02
_LATCHES = 1 << OCDL | 1 << SCDL


class LoadDetector:
    """source_on: the current source is on. due_us: when it next changes by itself.

    control_status: register 0x00, low byte.
    """

    def __init__(self, chip):
        self._chip = chip
        self._active_us = self._retry_us = self._limit_us = 0
        self.control_status = 0
        self.stop()

    def restart(self, memory):
        """Take the settings; off."""
        self._active_us = memory.u8(dm.LOAD_DETECT_ACTIVE) * 1_000_000
        self._retry_us = memory.u8(dm.LOAD_DETECT_RETRY) * 1_000_000
        self._limit_us = memory.u16(dm.LOAD_DETECT_TIMEOUT) * _HOUR_US
        self.stop()

    def stop(self):
        """All off, and forget that time ran out."""
        self.source_on = False
        self.due_us = self._timeout_us = NEVER_US
        self._running = False  # the chip's own detection
        self._timed_out = False
        self.control_status &= ~_LD_TIMEOUT

    def command(self, source_on):
        """LOAD_DETECT_ON and LOAD_DETECT_OFF."""
        if not self._active_us and not self._chip.config_update:
            self.source_on = source_on

    def retry(self):
        """LOAD_DETECT_RESTART: begin anew, if there is a latch to recover."""
        if self._running or self._timed_out:
            self.stop()
            self.watch()

    def watch(self):
        """Begin or end the chip's own detection as latches and DSG are now."""
        chip = self._chip
        latched = chip.protections.status[2] & _LATCHES
        if latched and not chip.discharge_on:
            if self._active_us and not self._running and not self._timed_out:
                self._running = self.source_on = True
                if self._limit_us:
                    self._timeout_us = chip.time_us + self._limit_us
                self._await(self._active_us if self._retry_us else NEVER_US)
        elif self._running or (self._timed_out and not latched):
            self.stop()

    def switch(self, now_us):
        """Source on or off, or the end of trying; when due_us is reached."""
        if self.due_us > now_us:
            return
        if self._timeout_us <= now_us:
            self.stop()
            self._timed_out = True
            self.control_status |= _LD_TIMEOUT
        else:
            self.source_on = not self.source_on
            self._await(self._active_us if self.source_on else self._retry_us)

    def pin_v(self, bus_v, stack_v):
        """Measure the LD pin: its voltage, and what that means for the latches."""
        self.control_status &= ~_LD_ON
        if not self.source_on:
            return bus_v
        self.control_status |= _LD_ON
        load_v = bus_v
        if not getattr(self._chip.pack, "load_present", False):
            load_v = max(bus_v, stack_v)
        if self._running and load_v > _REMOVED_V:
            self._chip.protections.recover_latch(OCDL)
            self._chip.protections.recover_latch(SCDL)
        return load_v

    def _await(self, period_us):
        self.due_us = min(self._chip.time_us + period_us, self._timeout_us)
