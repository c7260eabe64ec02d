"""The FETs of the simulated BQ76952: commands, pins, protections, body diodes, predischarge.

A FET is on if every party lets it be on: FET_EN (or its test bit), the host's force-off, the
FET-off pins, the protections. Where CHG and DSG are in series (SFET), body diode protection turns
on the one that only a protection or predischarge holds off, while current flows through its diode
(SLUUBY1B GUID-E95F54CE). Force-off and FET-off pins win over it (TI of a sibling, E2E 1442791).

Predischarge (SLUUBY1B GUID-D8D92BE8, sibling manual): whenever DSG is to turn on, PDSG turns on
instead until the time-out, or until the LD pin's last measurement is within the stop delta of the
stack's, which is looked at each 250 ms only. A time-out or delta of 0 leaves that way out away.

What the documents leave open, and what is assumed here:
- The first look at the voltages comes 250 ms after PDSG turned on, even if the bus is full.
- With time-out and delta both 0 DSG never turns on.
- PDSG_OFF alone keeps PDSG off, while the mode runs its course as if it were on.
- What blocks DSG blocks PDSG. DSG that a body diode turned on needs no predischarge afterwards.
Not modelled: PCHG; that DFETOFF keeps a chip with PDSG_EN out of SLEEP.
"""

from boards.sim import bq76952_memory as dm
from boards.sim.bq76952_protections import NEVER_US

# FET Options: SLUUBY2B GUID-20200911-BM0T-BGP0-DMEL-769020000120.
_SFET = 0x01
_SLEEPCHG = 0x02
_HOST_FET_EN = 0x04
_FET_CTRL_EN = 0x08
_PDSG_EN = 0x10
_FET_INIT_OFF = 0x20

# FET_CONTROL and Manufacturing Status, afe.md section 2.
DSG_OFF = 0x01
PDSG_OFF = 0x02
CHG_OFF = 0x04
PCHG_OFF = 0x08
ALL_OFF = 0x0F
FET_EN = 0x10
CHG_TEST = 0x02
DSG_TEST = 0x04
PDSG_TEST = 0x20

# Pin configuration: the low two bits are the function, 2 being CFETOFF, DFETOFF or ALERT; the
# upper six are OPT5..OPT0 (sibling page SLUUCG7 ...DMEL-769020000071). OPT5 = active low (SLUAAQ5
# GUID-A4EB1C16). OPT4 of DFETOFF = both FETs: TI's example code sets 0x42 "to control BOTH CHG and
# DSG FET".
PIN_SPECIAL = 2
PIN_ACTIVE_LOW = 0x80
_PIN_BOTH_OFF = 0x40

_PREDISCHARGE_LOOK_US = 250_000
_PREDISCHARGE_STEP_US = 10_000


def _asserted(config, level):
    """True if a FET-off pin with this configuration is asserted by this level."""
    return config & 3 == PIN_SPECIAL and bool(level) != bool(config & PIN_ACTIVE_LOW)


class Gates:
    """Sets the chip's charge_on, discharge_on and predischarge_on.

    host_off: the host's force-off bits. due_us: when predischarge has something to do.
    """

    def __init__(self, chip):
        self._chip = chip
        self.host_off = 0
        self.due_us = NEVER_US
        self._options = 0
        self._body_diode_ma = 0
        self._diode_watch = False  # the current may turn a FET on or off
        self._filled = False  # predischarge is over, or was not needed
        self._look_us = NEVER_US
        self._timeout_us = NEVER_US
        self._predischarge_us = 0
        self._stop_delta_v = 0.0
        self._cfetoff_config = self._dfetoff_config = 0
        self._seen_cfetoff = self._seen_dfetoff = 0
        self._seen_off = False

    def restart(self, memory):
        """Take the settings."""
        self._options = memory.u8(dm.FET_OPTIONS)
        self.host_off = ALL_OFF if self._options & _FET_INIT_OFF else 0
        self._body_diode_ma = memory.i16(dm.BODY_DIODE_THRESHOLD)
        self._cfetoff_config = memory.u8(dm.CFETOFF_PIN)
        self._dfetoff_config = memory.u8(dm.DFETOFF_PIN)
        self._predischarge_us = memory.u8(dm.PREDISCHARGE_TIMEOUT) * _PREDISCHARGE_STEP_US
        self._stop_delta_v = memory.u8(dm.PREDISCHARGE_STOP_DELTA) / 100
        self._begin_or_end(False)

    def force_off(self, bits):
        """Set the host's force-off bits (layout of FET_CONTROL); ignored without HOST_FET_EN."""
        if self._options & _HOST_FET_EN:
            self.host_off = bits

    def may_change(self):
        """False where pins and current leave decide() with what it had last."""
        chip = self._chip
        return (
            self._diode_watch
            or chip.cfetoff != self._seen_cfetoff
            or chip.dfetoff != self._seen_dfetoff
            or chip.protections_off != self._seen_off
        )

    def decide(self):
        """Set the gates by what is so now. Returns True if one changed."""
        chip = self._chip
        charge = discharge = predischarge = self._diode_watch = False
        self._seen_cfetoff = chip.cfetoff
        self._seen_dfetoff = chip.dfetoff
        self._seen_off = chip.protections_off
        if not chip.config_update and self._options & _FET_CTRL_EN:
            charge_off, discharge_off = self._forced_off()
            charge = not charge_off and chip.mfg_status & (FET_EN | CHG_TEST)
            discharge = not discharge_off and chip.mfg_status & (FET_EN | DSG_TEST)
            if not chip.protections_off:
                charge = charge and not chip.protections.blocks_charge
                discharge = discharge and not chip.protections.blocks_discharge
            if not chip.mfg_status & FET_EN:
                predischarge = not discharge_off and chip.mfg_status & PDSG_TEST
            elif self._options & _PDSG_EN:
                predischarge = self._predischarges(discharge)
                discharge = discharge and not predischarge
            if self._options & _SFET and bool(charge) != bool(discharge):
                self._diode_watch = True
                if charge:
                    discharge = not discharge_off and chip.meter.current_ma > self._body_diode_ma
                else:
                    charge = not charge_off and chip.meter.current_ma < -self._body_diode_ma
        else:
            self._begin_or_end(False)
        predischarge = predischarge and not discharge and not self.host_off & PDSG_OFF
        return self._switch(bool(charge), bool(discharge), bool(predischarge))

    def look(self, now_us):
        """End predischarge if its time or the bus says so; when due_us is reached."""
        if self.due_us > now_us:
            return
        meter = self._chip.meter
        if self._look_us <= now_us:
            self._look_us += _PREDISCHARGE_LOOK_US
            if meter.load_v >= meter.stack_v - self._stop_delta_v:
                self._filled = True
        if self._timeout_us <= now_us:
            self._filled = True
        self.due_us = NEVER_US if self._filled else min(self._look_us, self._timeout_us)

    def _forced_off(self):
        """(charge, discharge): what host, pins and SLEEP hold off, whatever flows."""
        chip = self._chip
        dfetoff = _asserted(self._dfetoff_config, chip.dfetoff)
        charge_off = self.host_off & CHG_OFF or _asserted(self._cfetoff_config, chip.cfetoff)
        if dfetoff and self._dfetoff_config & _PIN_BOTH_OFF:
            charge_off = True
        if chip.sleeping and not self._options & _SLEEPCHG:
            charge_off = True
        return charge_off, self.host_off & DSG_OFF or dfetoff

    def _predischarges(self, released):
        """True while PDSG must be on in place of DSG."""
        if not released:
            self._begin_or_end(False)
            return False
        if self._chip.discharge_on:
            self._filled = True
            self.due_us = NEVER_US
        elif not self._filled and self.due_us == NEVER_US:
            self._begin_or_end(True)
        return not self._filled

    def _begin_or_end(self, begin):
        """Start the times of predischarge, or forget that there was one."""
        self._filled = False
        self._look_us = self._timeout_us = NEVER_US
        now_us = self._chip.time_us
        if begin and self._stop_delta_v:
            self._look_us = now_us + _PREDISCHARGE_LOOK_US
        if begin and self._predischarge_us:
            self._timeout_us = now_us + self._predischarge_us
        self.due_us = min(self._look_us, self._timeout_us)

    def _switch(self, charge, discharge, predischarge):
        chip = self._chip
        heard = charge != chip.charge_on or discharge != chip.discharge_on
        changed = heard or predischarge != chip.predischarge_on
        chip.charge_on = charge
        chip.discharge_on = discharge
        chip.predischarge_on = predischarge
        if heard and chip.gate_listener is not None:
            chip.gate_listener(chip.time_us, charge, discharge)
        return changed
