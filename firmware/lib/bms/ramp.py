"""A limit that falls fast, rises slowly, and does not swing.

Goals: each step is bounded both ways; noise of what the limit follows never makes it rise and fall
in turns: it rises only after there was clearly more room for a while. Slow path; integers.
"""

_CALM_MS = 30000  # so long there must be more room before a limit rises,
_BAND = 32  # and by this share of the most: a 100 A limit does not follow what moves by 3 A
_STEP_MAX_MS = 1500  # a late turn makes no larger step; 600 A for so long stay below 2**30


class Ramp:
    """`value` follows an aim. Rates are the seconds from nothing to `most` and back."""

    def __init__(self):
        self.value = 0
        self._calm_ms = _CALM_MS  # since there was no reason to stay; the first rise is at once

    def step(self, aim, most, rise_s, fall_s, elapsed_ms):
        """Move towards `aim` (0 to `most`). True while it stays below on purpose."""
        elapsed_ms = min(elapsed_ms, _STEP_MAX_MS)
        if aim <= self.value:
            self.value = max(aim, self.value - _share(most, elapsed_ms, fall_s))
            self._calm_ms = 0
            return False
        if self._calm_ms >= _CALM_MS:
            self.value = min(aim, self.value + _share(most, elapsed_ms, rise_s))
        elif aim < most and aim - self.value <= most // _BAND:
            self._calm_ms = 0
        else:
            self._calm_ms += elapsed_ms
        return self.value < aim

    def drop(self):
        """Nothing is offered any more, at once; what comes then begins at nothing."""
        self.value = 0
        self._calm_ms = _CALM_MS


def _share(most, elapsed_ms, seconds):
    whole_ms = 1000 * seconds
    return (most * elapsed_ms + whole_ms - 1) // whole_ms  # rounded up: small limits move, too
