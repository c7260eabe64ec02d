"""The simulated inverter: a node on the CAN bus that speaks Pylontech and obeys the pack.

It turns what the household wants into what a real inverter would draw or charge: within the
limits of 0x351, with charging and discharging as 0x35C allows, holding the charge voltage like a
CC/CV charger, and nothing at all when the pack has been silent for 3 s (real ones differ: 3 s to
60 s; inverter_can.md). Frame layouts: inverter_can.md section 1.1.
"""

from boards.sim.can_bus import CanPort

_KEEPALIVE_ID, _KEEPALIVE_DATA, _KEEPALIVE_US = 0x305, bytes(8), 1000000
_LIMITS_ID, _REQUEST_ID = 0x351, 0x35C
_CHARGE_ENABLE, _DISCHARGE_ENABLE = 0x80, 0x40
_SILENCE_US = 3000000
_VOLTAGE_GAIN_A_PER_VS = 400.0  # holds the charge voltage within a second on 4 mohm


def _signed(low, high):
    value = low | high << 8
    return value - 0x10000 if value & 0x8000 else value


class Inverter:
    """obeys: follows the pack's limits; else it passes the demand on unchanged.
    talking: sends its 0x305 and listens; off for an inverter that hangs."""

    def __init__(self):
        self.port = CanPort(self._on_frame)
        self.obeys = True
        self.talking = True
        self.charge_limit_v = 0.0
        self.charge_limit_a = 0.0
        self.discharge_limit_a = 0.0
        self.charge_enabled = False
        self.discharge_enabled = False
        self._silent_us = _SILENCE_US  # since the last 0x351
        self._keepalive_us = 0  # until the next 0x305
        self._voltage_loop_a = 0.0  # charge current that the voltage loop allows

    def current_a(self, elapsed_us, demand_a, bus_v):
        """The current it will draw or feed during the next elapsed_us, charging positive."""
        self._keepalive_us -= elapsed_us
        if self._keepalive_us <= 0:
            self._keepalive_us += _KEEPALIVE_US
            if self.talking:
                self.port.send(_KEEPALIVE_ID, _KEEPALIVE_DATA)
        self._silent_us += elapsed_us
        if not self.obeys:
            return demand_a
        if self._silent_us > _SILENCE_US:
            self._voltage_loop_a = 0.0
            return 0.0
        if demand_a <= 0:
            self._voltage_loop_a = 0.0
            if not self.discharge_enabled:
                return 0.0
            return max(demand_a, -self.discharge_limit_a)
        if not self.charge_enabled:
            self._voltage_loop_a = 0.0
            return 0.0
        limit = min(demand_a, self.charge_limit_a)
        room_v = self.charge_limit_v - bus_v
        allowed = self._voltage_loop_a + room_v * _VOLTAGE_GAIN_A_PER_VS * elapsed_us * 1e-6
        allowed = max(0.0, min(allowed, limit))
        self._voltage_loop_a = allowed
        return allowed

    def save(self):
        """State as a dict that JSON can hold."""
        return {"obeys": self.obeys, "talking": self.talking}

    def restore(self, saved):
        self.obeys = saved["obeys"]
        self.talking = saved["talking"]

    def _on_frame(self, identifier, data, extended, remote):
        if extended or remote or not self.talking:
            return
        if identifier == _LIMITS_ID and len(data) >= 6:
            self.charge_limit_v = (data[0] | data[1] << 8) / 10
            self.charge_limit_a = max(0, _signed(data[2], data[3])) / 10
            self.discharge_limit_a = max(0, _signed(data[4], data[5])) / 10
            self._silent_us = 0
        elif identifier == _REQUEST_ID and data:
            self.charge_enabled = bool(data[0] & _CHARGE_ENABLE)
            self.discharge_enabled = bool(data[0] & _DISCHARGE_ENABLE)
