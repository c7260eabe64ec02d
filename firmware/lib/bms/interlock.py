"""The interlock or emergency stop loop: open means that everything opens.

Fast path only; nothing allocates.
"""

_STEPS = 2  # a single open look is a glitch on the wire


class Interlock:
    """`closed()` is 1 while current flows in the loop; None: there is no loop."""

    def __init__(self, closed, faults, register):
        self._closed = closed
        self._fault = faults.names.index("interlock_open")
        self._register = register
        self._open_steps = 0

    def step(self):
        """Look once, and report an open loop."""
        if self._closed is None or self._closed():
            self._open_steps = 0
            return
        self._open_steps = min(self._open_steps + 1, _STEPS)
        if self._open_steps == _STEPS:
            self._register.report(self._fault, 0)
