"""The simulated BQ76952: measures a simulated pack, guards it, drives its two FETs.

Written from the chip's documents alone (afe.md; TI SLUUBY2B, by page where quoted), never from the
driver. The host talks to it through an I2C bus model (i2c.py); the world moves its time.

Goals: every trap that a driver must know is here, and time is cheap: the pack is taken as constant
within one advance(), so deadlines are computed, scans that nobody could tell apart are done once,
and there is no loop over milliseconds. The world asks next_event_us() and splits its step there.

Here: modes, alarms, balancing. Data memory, measurement, protections, FETs, load detection, host
port (CRC, buffer), sub-commands and saved state have files of their own, whose headers name what
they assume. Assumed here, where the documents are silent:
- CUV, COV and the current protections are comparators and go on when the scan is `frozen`.
- Leaving CONFIG_UPDATE restarts the firmware: host force-off from FET_INIT_OFF, SLEEP_EN from
  Power Config and the alarm mask are taken anew; FET_EN and PF_EN stay; POR is cleared.
- An alarm bit whose cause stands is latched again after it was cleared.
- SLEEP begins after Sleep Hysteresis Time below Sleep Current, without regard to a charger or
  a protection that trips. Woken by current, it begins to scan at its next whole second (data sheet
  of the sibling BQ76922, SLEEP mode).
- SHUTDOWN begins with the command. While a charger holds the LD pin high it is the "soft" one (TI
  FAQ, E2E 1273427): FETs off, communication goes on, nothing is guarded.
- With SHUT_TS2 the button is of no use (SLUUBY2B Power Config): a rising LD pin alone wakes.
- Host balancing lasts Cell Balance Interval (afe.md: "some seconds").
- A balancing switch pauses while its own cell or a neighbour is measured: 3 of a loop's slots.
- The supply holds through a short circuit (a board's diode and capacitor at BAT, or not): whoever
  wants it to fail calls power_on_reset(), as often as it shall.
Not modelled: PCHG, autonomous balancing, permanent failure, OTP, security.
"""

from struct import pack_into

from boards.sim import bq76952_memory as dm
from boards.sim import bq76952_state
from boards.sim.bq76952_gates import ALL_OFF, PIN_ACTIVE_LOW, PIN_SPECIAL, Gates
from boards.sim.bq76952_load import LoadDetector
from boards.sim.bq76952_measure import INPUTS, SENSORS, Measurement
from boards.sim.bq76952_memory import DataMemory
from boards.sim.bq76952_port import HostPort
from boards.sim.bq76952_protections import NEVER_US, Protections
from boards.sim.lcg import Lcg

_PASSQ_HOLD_US = 250_000  # afe.md section 3: RESET_PASSQ is ignored that soon after a reset

# Power Config: SLUUBY2B GUID-20200911-BM0T-BGP0-DMEL-769020000077.
_POWER_SLEEP = 0x0100
_SHUT_TS2 = 0x1000
_WAKE_ON_LD_V = 1.5  # unverified
_CB_NO_CMD = 0x10

# AlarmStatus (SLUUBY2B GUID-20200911-BM0T-BGP1-DCBF-769020000019).
_SSBC = 0x8000
_SSA = 0x4000
_MSK_SFALERT = 0x1000
_XCHG = 0x0040
_XDSG = 0x0020
_CB = 0x0004
_WAKE = 0x0001

# BatteryStatus and FETStatus, afe.md section 2.
_CFGUPDATE = 0x0001
_SLEEP_EN = 0x0004
_POR = 0x0008
_FULL_ACCESS = 0x0100
_SS = 0x0800
_SLEEP = 0x8000
_CHG_ON = 0x01
_DSG_ON = 0x04
_PDSG_ON = 0x08
_DCHG_PIN = 0x10  # asserted while CHG is off (TI FAQ, E2E 1237508)
_DDSG_PIN = 0x20
_ALRT_PIN = 0x40


def factory_trim(seed):
    """Cell gains as the factory finds them: TI's example has 12122 to 12170 (SLUAA32A 2.9.2)."""
    spread = Lcg(seed)
    return [int(spread.uniform(12100, 12200)) for _ in range(INPUTS)]


class Bq76952:
    """`pack` has cell_v (V, lowest first), current_a (charging positive), cell_temperature_c (of
    three), board_temperature_c, bus_v, shunt_ohm; and, if it likes, stack_v (else the cells' sum)
    and load_present (something hangs on the bus; else nothing does).

    Less than 16 cells: the top one is on input 16, the others from input 1 on, the inputs between
    are shorted; VCell Mode must say so (13 cells: 0x8FFF). `inputs` is each cell's input, from 0.

    In: cfetoff, dfetoff (levels 0 or 1). They act at the next advance or transaction, in the same
    instant of virtual time, or at once by pins_changed().
    Out: charge_on, discharge_on, predischarge_on (through the resistor); balancing_inputs, a bit
    mask of the 16 inputs as commanded and read back, bleeding_inputs() of those that do,
    bleeding_cells() the same by cell, for bleed_duty of the time; neighbours_bled: how often
    adjacent cells were commanded together, which no host may (afe.md section 6);
    gate_listener(time_us, charge_on, discharge_on) is called at each change of these two.
    mode_listener() is called when `mode` changes: normal, sleep or shutdown.
    Faults: protections_off; frozen (the scan stands still); thermistor_faults (wires of TS1, TS2,
    TS3, HDQ: None, "open", "short"); frozen_sensors (those whose reading stands still, whatever
    becomes of their wires); open_wires (a set of k: the wire between cells k and k + 1);
    stuck_balance (a set of inputs, from 0, whose switch never turns on. The chip shows no sign of
    it: it pauses balancing to measure, and reads back its command. Only the cell's charge tells).
    sensor_b_kelvin: B of the cells' sensors; None: they are 103AT, which the chip takes them for.
    Errors of what it measures, as shares of the value: cell_errors (by cell), stack_error,
    bus_error; shunt_offset_v is what its current input sees without a current. `trim_seed` stands
    for the piece: each has cell gains of its own from the factory.
    """

    address = 0x08
    device_number = 0x7695
    firmware_version = 0x0036
    build_number = hardware_version = signature = 0
    vreg18_counts = 29199  # 1.8 V in 2**-15 of 5/3 VREF1; only its constancy means something

    def __init__(self, pack, crc=False, trim_seed=1):
        self.pack = pack
        self.time_us = 0
        self.cfetoff = 0
        self.dfetoff = 0
        self.charge_on = False
        self.discharge_on = False
        self.predischarge_on = False
        self.balancing_inputs = 0
        self.gate_listener = None
        self.protections_off = False
        self.frozen = False
        self.thermistor_faults = [None] * SENSORS
        self.frozen_sensors = set()
        self.sensor_b_kelvin = None
        self.open_wires = set()
        self.stuck_balance = set()
        self.neighbours_bled = 0
        self.cell_errors = [0.0] * len(pack.cell_v)
        self.stack_error = self.bus_error = self.shunt_offset_v = 0.0
        self.sleeping = False
        self.shut = self._soft_shut = False
        self.mode_listener = None
        self._balancing_since_us = 0
        self._rare_due_us = NEVER_US  # of predischarge, load detection and balancing
        self._stale = True  # the status registers
        self.memory = DataMemory(factory_trim(trim_seed))
        self.meter = Measurement(self)
        self.inputs = self.meter.inputs
        self.protections = Protections()
        self.gates = Gates(self)
        self.load = LoadDetector(self)
        self.port = HostPort(self, crc)
        self.power_on_reset()

    def advance(self, elapsed_us):
        """Let time pass, with the pack as it is now."""
        if self.shut:
            self.time_us += elapsed_us
            self._watch_charger()
            return
        end_us = self.time_us + elapsed_us
        self._react()
        due_us = self._next_due_us()
        while due_us <= end_us:
            self.time_us = max(self.time_us, due_us)
            if self._rare_due_us <= due_us:
                self._measure()  # what these will look at
            self._fire()
            if self.shut:
                self.time_us = end_us
                return
            self._react()
            due_us = self._next_due_us()
        self.time_us = end_us
        if self._stale or self.protections.changed:
            self._publish()
        self._measure()

    def next_event_us(self):
        """Time until the chip itself may change a gate or the balancing, if the pack stays.

        2**59 or more: nothing is under way.
        """
        if self.shut:
            return NEVER_US
        self._react()
        return max(0, self._next_due_us() - self.time_us)

    def shut_down(self):
        """SHUTDOWN: both gates off, nothing measured or guarded, settings lost on waking."""
        self.shut = True
        self._soft_shut = self.pack.bus_v >= _WAKE_ON_LD_V
        self.gates.force_off(ALL_OFF)
        self.sleeping = False
        self.balance(0)
        self.load.stop()
        self.protections.clear(self.time_us)
        self._set_gates()
        self._publish()
        self._tell_mode()

    def press_button(self):
        """The button at TS2 is pressed."""
        if self.shut and not self.memory.u16(dm.POWER_CONFIG) & _SHUT_TS2:
            self._wake_up()

    def _watch_charger(self):
        """In SHUTDOWN the LD pin, rising, wakes."""
        high = self.pack.bus_v >= _WAKE_ON_LD_V
        if self._soft_shut:
            self._soft_shut = high
        elif high:
            self._wake_up()

    def _wake_up(self):
        self.shut = self._soft_shut = False
        self.power_on_reset()
        self._tell_mode()

    @property
    def mode(self):
        """ "normal", "sleep" or "shutdown"."""
        if self.shut and not self._soft_shut:
            return "shutdown"
        return "sleep" if self.sleeping else "normal"

    def _tell_mode(self):
        if self.mode_listener:
            self.mode_listener()

    def pins_changed(self):
        """React to cfetoff and dfetoff now."""
        if self.shut:
            return
        self._set_gates()
        self._publish()

    def read(self, register, buf):
        """A read transaction of the host."""
        if self.shut and not self._soft_shut:
            raise OSError(19, "ENODEV")
        self._hear()
        self.port.read(register, buf)

    def write(self, register, buf):
        """A write transaction of the host. False: not acknowledged."""
        if self.shut:
            return self._soft_shut
        acknowledged = self.port.write(register, buf)
        if acknowledged:
            self.protections.heard(self.time_us)
        self.pins_changed()
        return acknowledged

    def power_on_reset(self):
        """A full reset (supply lost, or RESET): RAM to its defaults, gates off, POR set."""
        self.memory.reset()
        self.port.reset()
        self.config_update = False
        self.por = True
        self.mfg_status = self.memory.u16(dm.MFG_STATUS_INIT)
        self._reset_us = self.time_us
        self.meter.seed_charge()
        self._restart()
        self.pins_changed()

    def enter_config_update(self):
        """Stop measuring and guarding, gates off."""
        self.config_update = True
        self.balance(0)
        self.load.stop()
        self.protections.clear(self.time_us)

    def leave_config_update(self):
        """Restart normal operation with the settings as they are now."""
        if self.config_update:
            self.config_update = False
            self.por = False
            self._restart()

    def balance(self, inputs):
        """Start (or refresh, or with 0 stop) host-controlled balancing on these inputs."""
        if self.config_update or self.memory.u8(dm.CB_CONFIG) & _CB_NO_CMD:
            inputs = 0
        if inputs & (inputs >> 1 | inputs >> 15 << len(self.inputs) - 2):
            self.neighbours_bled += 1  # cell 16's input is beside the highest of the others
        if inputs and not self.balancing_inputs:
            self._balancing_since_us = self.time_us
        self.balancing_inputs = inputs
        interval_us = self.memory.u8(dm.CB_INTERVAL) * 1_000_000
        self._balancing_until_us = self.time_us + interval_us if inputs else NEVER_US

    def says_both_on(self):
        """Whether DCHG and DDSG are driven high, with pull-downs, while both gates are on."""
        for config in (self._dchg_config, self._ddsg_config):
            if config & 3 != PIN_SPECIAL or not config & PIN_ACTIVE_LOW:
                return False
        return self.charge_on and self.discharge_on

    def bleeding_inputs(self):
        """Bit mask of the inputs whose balancing switch conducts."""
        inputs = self.balancing_inputs
        for i in self.stuck_balance:
            inputs &= ~(1 << i)
        return inputs

    def bleeding_cells(self):
        """Bit mask of the cells whose balancing switch conducts."""
        if not self.balancing_inputs:
            return 0
        bleeding = self.bleeding_inputs()
        cells = 0
        for cell, i in enumerate(self.inputs):
            cells |= (bleeding >> i & 1) << cell
        return cells

    @property
    def bleed_duty(self):
        """Share of the time that a balancing switch conducts."""
        return 1 - 3 / self.meter.slots

    def balancing_seconds(self):
        """For how long balancing has been on."""
        if not self.balancing_inputs:
            return 0
        return min(0xFFFF, (self.time_us - self._balancing_since_us) // 1_000_000)

    def reset_passed_charge(self):
        """RESET_PASSQ."""
        if self.time_us - self._reset_us >= _PASSQ_HOLD_US:
            self.meter.seed_charge()

    def save(self):
        """The whole state, faults included, as a dict that JSON can hold."""
        return bq76952_state.save(self)

    def restore(self, saved):
        """Go on from what save() gave, time beginning at 0; gate_listener is not called."""
        bq76952_state.restore(self, saved)

    def _restart(self):
        """Take the settings and begin to measure and guard."""
        memory = self.memory
        self.protections.configure(memory, self.time_us)
        self.meter.restart(memory, self.time_us)
        self.gates.restart(memory)
        self.load.restart(memory)
        self._dchg_config = memory.u8(dm.DCHG_PIN)
        self._ddsg_config = memory.u8(dm.DDSG_PIN)
        self._drives_alert = memory.u8(dm.ALERT_PIN) & 3 == PIN_SPECIAL
        self._alert_masks = [memory.u8(dm.SF_ALERT_MASK_A + i) for i in range(3)]
        self.port.alarm_status = 0
        self.port.alarm_enable = memory.u16(dm.DEFAULT_ALARM_MASK)
        self.sleep_enabled = bool(memory.u16(dm.POWER_CONFIG) & _POWER_SLEEP)
        self._sleep_ma = memory.i16(dm.SLEEP_CURRENT)
        self._sleep_delay_us = memory.u8(dm.SLEEP_HYSTERESIS_TIME) * 1_000_000
        self._sleep_due_us = NEVER_US
        self.sleeping = False
        self.balancing_inputs = 0
        self._balancing_until_us = NEVER_US

    def _measure(self):
        """Let the scans happen up to now."""
        if not self.config_update:
            self._latch_alarms(self._alarms_raw | self.meter.run(self.time_us))
            if self.protections.changed:  # the scan found the load removed
                self.pins_changed()

    def _next_due_us(self):
        if self.config_update:
            return self.port.busy_until_us
        due_us = min(self.port.busy_until_us, self._sleep_due_us, self._rare_due_us)
        if not self.protections_off:
            due_us = min(due_us, self.protections.next_us())
        if self.open_wires or self.meter.drifted_wires:
            due_us = min(due_us, self.meter.wire_check_due_us)
        return due_us

    def _fire(self):
        """Let everything happen that is due now."""
        now_us = self.time_us
        self._stale = True
        if self.port.busy_until_us <= now_us:
            self.port.finish()
        if self.config_update or self.shut:
            return
        if not self.protections_off:
            self.protections.fire(now_us)
        if self._sleep_due_us <= now_us:
            self._sleep_due_us = NEVER_US
            self.sleeping = True
            self._tell_mode()
            self.meter.set_period(self.memory.u8(dm.VOLTAGE_TIME) * 1_000_000, now_us)
        if self._balancing_until_us <= now_us:
            self.balance(0)
        self.gates.look(now_us)
        self.load.switch(now_us)
        if self.open_wires or self.meter.drifted_wires:
            self.meter.check_wires(now_us)

    def _react(self):
        """Look at pack and pins as they are now; start and stop delays, set the gates."""
        if not self.config_update:
            self.meter.sense()
            if not self.protections_off:
                self.protections.evaluate(self.meter.signals, self.time_us)
            self._watch_sleep()
        if self._stale or self.protections.changed or self.gates.may_change():
            self._set_gates()

    def _set_gates(self):
        if self.gates.decide():
            self._stale = True
        self.load.watch()
        self._rare_due_us = min(self.gates.due_us, self.load.due_us, self._balancing_until_us)

    def _hear(self):
        """The host communicated. Only a watchdog that had tripped changes anything visible."""
        tripped = self.protections.status[2]
        self.protections.heard(self.time_us)
        if tripped:
            self.pins_changed()

    def _watch_sleep(self):
        if not self.sleep_enabled or abs(self.meter.current_ma) >= self._sleep_ma:
            self._sleep_due_us = NEVER_US
            if self.sleeping:
                self.sleeping = False
                self._tell_mode()
                self.meter.set_period(0, self._next_second_us())
                self.port.alarm_status |= _WAKE & self.port.alarm_enable
                self._stale = True
        elif not self.sleeping and self._sleep_due_us == NEVER_US:
            self._sleep_due_us = self.time_us + self._sleep_delay_us

    def _next_second_us(self):
        """When scanning goes on; at once where the host woke it."""
        if not self.sleep_enabled:
            return self.time_us
        return (self.time_us // 1_000_000 + 1) * 1_000_000

    def _publish(self):
        """Bring the status registers up to date."""
        self._stale = self.protections.changed = False
        registers = self.port.registers
        alert = self.protections.alert
        status = self.protections.status
        raw = 0
        for i in range(3):
            registers[2 + 2 * i] = alert[i]
            registers[3 + 2 * i] = status[i]
            if alert[i] & self._alert_masks[i]:
                raw = _MSK_SFALERT
        if status[0]:
            raw |= _SSA
        if status[1] or status[2]:
            raw |= _SSBC
        fets = 0
        if self.charge_on:
            fets = _CHG_ON
        else:
            raw |= _XCHG
        if self.discharge_on:
            fets |= _DSG_ON
        else:
            raw |= _XDSG
        if self._dchg_config & 3 == PIN_SPECIAL and not self.charge_on:
            fets |= _DCHG_PIN
        if self._ddsg_config & 3 == PIN_SPECIAL and not self.discharge_on:
            fets |= _DDSG_PIN
        if self.predischarge_on:
            fets |= _PDSG_ON
        if self.balancing_inputs:
            raw |= _CB
        self._alarms_raw = raw
        registers[0x00] = self.load.control_status
        registers[0x7F] = fets
        pack_into("<H", registers, 0x12, self._battery_status())
        pack_into("<H", registers, 0x64, raw)
        pack_into("<H", registers, 0x66, self.port.alarm_enable)
        self._latch_alarms(raw)

    def _battery_status(self):
        battery = _FULL_ACCESS
        if self._alarms_raw & (_SSA | _SSBC):
            battery |= _SS
        if self.config_update:
            battery |= _CFGUPDATE
        if self.sleep_enabled:
            battery |= _SLEEP_EN
        if self.por:
            battery |= _POR
        if self.sleeping:
            battery |= _SLEEP
        return battery

    def _latch_alarms(self, raw):
        port = self.port
        port.alarm_status |= raw & port.alarm_enable
        pack_into("<H", port.registers, 0x62, port.alarm_status)
        if port.alarm_status and self._drives_alert:
            port.registers[0x7F] |= _ALRT_PIN
        else:
            port.registers[0x7F] &= ~_ALRT_PIN
