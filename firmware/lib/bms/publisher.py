"""Fills the fast half of the points table: measured values, decisions, faults.

Fast path only; nothing allocates after construction. Values are collected in an array of its own
and published whole, once a step.
"""

from array import array

from bms import protection
from bms.limits import NOT_MEASURED
from bms.points import PATH_OFF, STATE_FAILED
from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from bms.table import INVALID


class Publisher:
    """Names become offsets once, here. What is handed over is only read."""

    def __init__(self, points, measurement, chip, rebounds, deep_discharge):
        offset = points.offset
        self._measurement = measurement
        self._chip = chip
        self._rebounds = rebounds
        self._deep_discharge = deep_discharge
        self._points = points
        self._values = array("i", [INVALID] * points.fast_size)
        self._view = memoryview(self._values)
        self._measured = self._view[: points.blank_size]
        self._blank = memoryview(array("i", [INVALID] * points.blank_size))
        self._pack_voltage = offset("pack_voltage_mv")
        self._current = offset("current_ma")
        self._power = offset("power_w")
        self._cell_min = offset("cell_min_mv")
        self._cell_max = offset("cell_max_mv")
        self._cell_min_index = offset("cell_min_index")
        self._cell_max_index = offset("cell_max_index")
        self._cell_delta = offset("cell_delta_mv")
        self._temperature_min = offset("temperature_min_dc")
        self._temperature_max = offset("temperature_max_dc")
        self._board_temperature = offset("board_temperature_dc")
        self._cells = offset("cell_voltage_mv")
        self._temperatures = offset("temperature_dc")
        self._charge_limit = offset("charge_current_limit_ma")
        self._discharge_limit = offset("discharge_current_limit_ma")
        self._charge_reason = offset("charge_limit_reason")
        self._discharge_reason = offset("discharge_limit_reason")
        self._charge_allowed = offset("charge_allowed")
        self._discharge_allowed = offset("discharge_allowed")
        self._gates = offset("gates")
        self._state = offset("state")
        self._uptime = offset("uptime_s")
        self._age = offset("measurement_age_ms")
        self._faults = offset("faults")
        self._warnings = offset("warnings")
        self._bus_voltage = offset("bus_voltage_mv")
        self._chip_temperature = offset("afe_temperature_dc")
        self._path_state = offset("path_state")
        self._suspect_lead = offset("suspect_lead")
        self._self_test_failed = offset("self_test_failed")
        self._undervoltage_rebounds = offset("undervoltage_rebounds")
        self._longest_step = offset("longest_step_ms")
        self._lowest_cell = offset("lowest_cell_mv")
        self._limited = offset("limited")
        self._outputs = offset("outputs")
        self._balancing = offset("balancing")

    def measured(self, measurement):
        """Take the values of the last good measurement."""
        values = self._values
        sample = measurement.sample
        signals = measurement.signals
        values[self._pack_voltage] = sample.stack_mv
        values[self._current] = sample.current_ma
        # Shortened before multiplying: 58 V times 100 A in uW is no small integer on the boards.
        power_w = (sample.stack_mv // 10) * (abs(sample.current_ma) // 10) // 10000
        values[self._power] = power_w if sample.current_ma > 0 else -power_w
        low = signals[protection.CELL_MIN_MV]
        high = signals[protection.CELL_MAX_MV]
        values[self._cell_min] = low
        values[self._cell_max] = high
        values[self._cell_min_index] = measurement.cell_min_index
        values[self._cell_max_index] = measurement.cell_max_index
        values[self._cell_delta] = high - low
        values[self._temperature_min] = signals[protection.TEMPERATURE_MIN_DC]
        values[self._temperature_max] = signals[protection.TEMPERATURE_MAX_DC]
        values[self._board_temperature] = sample.board_temperature_dc
        values[self._chip_temperature] = sample.chip_temperature_dc
        values[self._bus_voltage] = sample.bus_mv
        cells = sample.cell_mv
        start = self._cells
        for index in range(len(cells)):
            values[start + index] = cells[index]
        temperatures = sample.temperature_dc
        start = self._temperatures
        for index in range(len(temperatures)):
            values[start + index] = temperatures[index]

    def blank(self):
        """There is no valid measurement: nothing old may look live (law 3)."""
        self._measured[0:] = self._blank

    def allowed(
        self, allowed, charge_limit_ma, discharge_limit_ma, charge_reason, discharge_reason
    ):
        """Publish which directions are allowed (GATE_* bits) and what limits them (bms.limits);
        a blocked one has no limit left."""
        values = self._values
        charge = 1 if allowed & GATE_CHARGE else 0
        discharge = 1 if allowed & GATE_DISCHARGE else 0
        values[self._charge_allowed] = charge
        values[self._discharge_allowed] = discharge
        values[self._charge_limit] = charge_limit_ma if charge else 0
        values[self._discharge_limit] = discharge_limit_ma if discharge else 0
        values[self._charge_reason] = charge_reason
        values[self._discharge_reason] = discharge_reason

    def alarms(self, fault_words, warning_words):
        """Publish faults and warnings, 16 bits to a word."""
        values = self._values
        for word in range(len(fault_words)):
            values[self._faults + word] = fault_words[word]
            values[self._warnings + word] = warning_words[word]

    def bleeding(self, cells, cells_high):
        """Publish which cells are bled, bit masks of cells 1 to 16 and 17 to 32."""
        self._values[self._balancing] = cells
        self._values[self._balancing + 1] = cells_high

    def supervised(self, path_state, longest_step_ms, limited, outputs):
        """Publish what the supervision of chip, path and cells found."""
        values = self._values
        values[self._path_state] = path_state
        values[self._suspect_lead] = self._measurement.suspect_lead
        values[self._self_test_failed] = self._chip.failed_checks
        values[self._undervoltage_rebounds] = self._rebounds.count
        values[self._longest_step] = longest_step_ms
        values[self._lowest_cell] = self._deep_discharge.lowest_mv
        values[self._limited] = 1 if limited else 0
        values[self._outputs] = outputs

    def publish(self, state, gates, uptime_s, age_ms):
        """Complete this step's values and publish them all at once."""
        values = self._values
        values[self._state] = state
        values[self._gates] = gates
        values[self._uptime] = uptime_s
        values[self._age] = age_ms
        self._points.publish_fast(self._view)

    def fail(self, fault_words):
        """The fast path stopped: publish that nothing is measured and nothing is allowed."""
        self.blank()
        self.bleeding(0, 0)
        self._points.show_slow(False)
        self.allowed(0, 0, 0, NOT_MEASURED, NOT_MEASURED)
        for word in range(len(fault_words)):
            self._values[self._faults + word] = fault_words[word]
            self._values[self._warnings + word] = 0
        self._values[self._path_state] = PATH_OFF
        self._values[self._limited] = 0
        self.publish(STATE_FAILED, 0, self._values[self._uptime], self._values[self._age])
