"""How warm the cells will be: the heat of their current, and what comes from outside.

Goals: a current limit that keeps the sensors below a temperature, found before it is reached.
Model: a current I heats the cells by I^2 R / C kelvin per second; a sensor follows within its
delay. So part of the heat that was already made is not seen yet (`hidden_uk`). What the sensors
moved beyond the cells' own heat came from outside, and goes on for as long as the forecast looks.
Limits: one temperature for all cells; cooling counts only as far as the sensors show it, so the
forecast is on the safe side. Slow path; integers: a sum of single-precision floats would lose the
heat of a second.
"""

_DELAYS = 2  # how far beyond the sensors' delay the heat forecast looks, in such delays
_WINDOW_MS = 300000  # of the outside's drift, which is forecast for twice that
_DRIFT_NOISE_DC = 1  # what a sensor moves by itself
_DRIFT_MAX_DC = 30
_UK_PER_DC = 100000
_HIDDEN_MAX_UK = 50000000


class Thermal:
    """warmer_dc, colder_dc: what the outside will add to the warmest and take from the coldest
    sensor within ten minutes (0 and above, 0 and below)."""

    def __init__(self, parameters):
        self._values = parameters.values
        self._delay_s = parameters.index("sensor_delay_s")
        self._heat = parameters.index("heat_capacity_j_k_ah")
        self._capacity = parameters.index("design_capacity_mah")
        self._hidden_uk = 0
        self._shown_uk = 0  # of the cells' own heat, since the window began
        self._window_ms = -1  # -1: it begins with the next measurement
        self._warm_dc = 0  # the sensors at its beginning
        self._cold_dc = 0
        self.warmer_dc = 0
        self.colder_dc = 0

    def forget(self):
        """The measurements stopped: what was hidden then may be seen by now."""
        self._window_ms = -1
        self.warmer_dc = 0
        self.colder_dc = 0

    def step(self, elapsed_ms, current_ma, resistance_uohm, cold_dc, warm_dc):
        """A turn with a good measurement; the resistance of a cell for lasting currents."""
        elapsed_ms = min(elapsed_ms, 1000)
        made_uk = self._heating(current_ma, resistance_uohm) * elapsed_ms // 1000
        shown_uk = self._hidden_uk // self._values[self._delay_s] * elapsed_ms // 1000
        self._hidden_uk = min(_HIDDEN_MAX_UK, self._hidden_uk + made_uk - shown_uk)
        self._shown_uk += shown_uk
        if 0 <= self._window_ms < _WINDOW_MS:
            self._window_ms += elapsed_ms
            return
        if self._window_ms >= 0:
            own_dc = self._shown_uk // _UK_PER_DC
            self.warmer_dc = max(0, _forecast(warm_dc - self._warm_dc - own_dc))
            self.colder_dc = min(0, _forecast(cold_dc - self._cold_dc - own_dc))
        self._window_ms = 0
        self._shown_uk = 0
        self._warm_dc = warm_dc
        self._cold_dc = cold_dc

    def limit_ma(self, most_ma, room_dc, resistance_uohm):
        """The current whose heat uses up `room_dc` within three of the sensors' delays, but at
        most `most_ma`."""
        room_uk = room_dc * _UK_PER_DC - self._hidden_uk
        if room_uk <= 0:
            return 0
        rate_uk = room_uk // (_DELAYS * self._values[self._delay_s])
        if self._heating(most_ma, resistance_uohm) <= rate_uk:
            return most_ma
        square = rate_uk * self._joule_per_kelvin() // resistance_uohm * 100  # of 0.1 A
        return min(most_ma, 100 * _square_root(square, most_ma // 100 + 1))

    def _heating(self, current_ma, resistance_uohm):
        """Microkelvin per second: A^2 times microohm are microwatts."""
        current = current_ma // 100  # 0.1 A
        square = current * current // 100
        return square * resistance_uohm // self._joule_per_kelvin()

    def _joule_per_kelvin(self):
        """Of one cell; the ranges of the settings keep it above 0."""
        return self._values[self._heat] * (self._values[self._capacity] // 100) // 10


def _forecast(drift_dc):
    if -_DRIFT_NOISE_DC <= drift_dc <= _DRIFT_NOISE_DC:
        return 0
    return max(-_DRIFT_MAX_DC, min(_DRIFT_MAX_DC, 2 * drift_dc))


def _square_root(square, root):
    """The whole part, by Newton's steps down from a `root` that is not too small, nor 0."""
    while root:
        better = (root + square // root) // 2
        if better >= root:
            break
        root = better
    return root
