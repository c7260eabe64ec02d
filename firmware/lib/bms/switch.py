"""The only one who commands gates: a charge and a discharge FET pair on a common port.

Two ways lead to each gate: the measuring chip's FET control over its bus, and an off line that
works without that bus (law 1). Opening uses both at once, the line first because it can not fail
silently; closing needs both. A command is repeated in every step until the chip says that the
gates are as commanded.
Limits: with one direction blocked, current the allowed way flows through the blocked FET's body
diode, because a forced-off FET stays off (the chip's series-FET mode yields to the host).
Fast path only; nothing allocates.
"""

from bms.sample import GATE_CHARGE, GATE_DISCHARGE, OK


class Switch:
    """`afe.command_gates(gates)` answers a code; the off lines are called with 1 for off."""

    def __init__(self, afe, charge_off, discharge_off):
        self._afe = afe
        self._charge_off = charge_off
        self._discharge_off = discharge_off
        self._taken = 0  # what the chip last acknowledged
        self._acknowledged = False
        self.commanded = 0  # GATE_* bits that shall be on
        self.open_lines()

    def open_lines(self):
        """Open both gates by their off lines, which needs no bus and can not fail."""
        self._charge_off(1)
        self._discharge_off(1)
        self.commanded = 0

    def forget(self):
        """The chip may have restarted: what it acknowledged before no longer counts."""
        self._acknowledged = False

    def step(self, allowed, actual):
        """Make the gates `allowed` (GATE_* bits); `actual` is what the chip says is on."""
        self.commanded = allowed
        self._charge_off(0 if allowed & GATE_CHARGE else 1)
        self._discharge_off(0 if allowed & GATE_DISCHARGE else 1)
        if not self._acknowledged or self._taken != allowed or actual != allowed:
            self._acknowledged = self._afe.command_gates(allowed) == OK
            self._taken = allowed
