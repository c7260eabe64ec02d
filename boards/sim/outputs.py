"""The simulated board's outputs: alarm relay, heater and fan, as levels that the host can see."""


class Outputs:
    """1 is on. The heater's pad warms the cells; alarm and fan move nothing here."""

    def __init__(self, pack):
        self.levels = {"alarm": 0, "heater": 0, "fan": 0}
        self._pack = pack

    def alarm(self, level):
        """The alarm relay."""
        self.levels["alarm"] = level

    def heater(self, level):
        """The heater's switch."""
        self.levels["heater"] = level
        self._pack.heater_on = level == 1

    def fan(self, level):
        """The fan's switch."""
        self.levels["fan"] = level
