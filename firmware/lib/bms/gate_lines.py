"""Two ways to each gate of the measuring chip, and whether the gates do what they are told.

The chip's FET control over its bus, and an off line that works without that bus (law 1). Opening
uses both at once, the line first because it can not fail silently; closing needs both. A command
is repeated in every step until the chip says that the gates are as commanded.
Limits: it obeys a power path (bms.switch, bms.contactor_path), which alone decides.
Fast path only; nothing allocates after construction.
"""

from array import array

from bms.sample import GATE_CHARGE, GATE_DISCHARGE, OK

_GATES = 2  # GATE_CHARGE is bit 0, GATE_DISCHARGE bit 1


class GateLines:
    """`afe.command_gates(gates)` answers a code; the off lines are called with 1 for off."""

    def __init__(self, afe, charge_off, discharge_off, parameters, faults):
        self._afe = afe
        self._charge_off = charge_off
        self._discharge_off = discharge_off
        self._fault = faults.names.index("gate_mismatch")
        self._mismatch_max_ms = parameters.value("gate_mismatch_ms")
        self._differs_ms = array("i", [0] * _GATES)  # how long each gate is not as commanded
        self._taken = 0  # what the chip last acknowledged
        self._acknowledged = False
        self.commanded = 0  # GATE_* bits that shall be on
        self.open()

    def open(self):
        """Open both gates by their off lines, which needs no bus and can not fail."""
        self._charge_off(1)
        self._discharge_off(1)
        self._remember(0)

    def forget(self):
        """The chip may have restarted: what it acknowledged before no longer counts."""
        self._acknowledged = False

    def command(self, gates, actual):
        """Make the gates `gates` (GATE_* bits); `actual` is what the chip says is on."""
        self._charge_off(0 if gates & GATE_CHARGE else 1)
        self._discharge_off(0 if gates & GATE_DISCHARGE else 1)
        self._remember(gates)
        if not self._acknowledged or self._taken != gates or actual != gates:
            self._acknowledged = self._afe.command_gates(gates) == OK
            self._taken = gates

    def disobeyed(self, sample, excused, elapsed_ms, register):
        """Whether a gate has differed from its command for too long; reported as a fault.

        Call it on measured samples only, before the next command. `excused` are GATE_* bits that
        may stay off though commanded on; all of them may while the chip says that it tripped.
        """
        wrong = sample.gates & ~self.commanded
        if not sample.trips:
            wrong |= self.commanded & ~sample.gates & ~excused
        found = False
        for gate in range(_GATES):
            if not wrong >> gate & 1:
                self._differs_ms[gate] = 0
                continue
            differs_ms = min(self._differs_ms[gate] + elapsed_ms, self._mismatch_max_ms + 1)
            self._differs_ms[gate] = differs_ms
            if differs_ms > self._mismatch_max_ms:
                found = True
        if found:
            register.report(self._fault, 0)
        return found

    def _remember(self, gates):
        changed = gates ^ self.commanded
        for gate in range(_GATES):
            if changed >> gate & 1:
                self._differs_ms[gate] = 0
        self.commanded = gates
