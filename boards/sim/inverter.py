"""The simulated inverter: a node on the CAN bus that speaks its family's language and obeys.

It turns what the household wants into what a real inverter would draw or charge: within the
pack's limits, with charging and discharging as the pack allows, holding the charge voltage like a
CC/CV charger, and nothing at all when the pack has been silent for as long as its family bears.
The languages are in inverter_languages.py.
"""

from boards.sim.can_bus import CanPort
from boards.sim.inverter_languages import Pylontech

_KEEPALIVE_US = 1000000
_VOLTAGE_GAIN_A_PER_VS = 400.0  # holds the charge voltage within a second on 4 mohm


class Inverter:
    """obeys: follows the pack's limits; else it passes the demand on unchanged.
    talking: sends its own frames and listens; off for an inverter that hangs.
    language: see inverter_languages.py."""

    def __init__(self, language=None):
        self.language = language or Pylontech()
        self.port = CanPort(self._on_frame)
        self.obeys = True
        self.talking = True
        self.charge_limit_v = 0.0
        self.charge_limit_a = 0.0
        self.discharge_limit_a = 0.0
        self.charge_enabled = False
        self.discharge_enabled = False
        self._silent_us = self.language.silence_us  # since the last limits
        self._keepalive_us = 0  # until its next frames
        self._voltage_loop_a = 0.0  # charge current that the voltage loop allows

    def current_a(self, elapsed_us, demand_a, bus_v):
        """The current it will draw or feed during the next elapsed_us, charging positive."""
        self._keepalive_us -= elapsed_us
        if self._keepalive_us <= 0:
            self._keepalive_us += _KEEPALIVE_US
            if self.talking:
                for identifier, data in self.language.says:
                    self.port.send(identifier, data)
        self._silent_us += elapsed_us
        if hasattr(self.language, "pass_time"):
            self.language.pass_time(elapsed_us)
        if not self.obeys:
            return demand_a
        if self._silent_us > self.language.silence_us or self.language.standby(self):
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

    def heard_limits(self):
        """The language took limits from a frame."""
        self._silent_us = 0

    def _on_frame(self, identifier, data, extended, remote):
        if not extended and not remote and self.talking:
            self.language.hear(self, identifier, data)
