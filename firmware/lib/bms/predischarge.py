"""Supervision of the measuring chip's predischarge, in which the discharge gate comes on last.

The chip switches: told to let the discharge gate on, it turns on the predischarge switch and its
resistor, and the discharge gate when the bus is within its stop delta, or when its own time-out of
2550 ms is over, full or not (SLUUBY2B, predischarge mode). So the gate is taken back before that
time-out, and as soon as it comes on with a bus that is not full.
Limits: a fall of the current is not asked for: the chip has closed the gate by then, and what
flows is the load's. Fast path only; nothing allocates after construction.
"""

from bms.points import PATH_COOLING, PATH_FAILED, PATH_ON, PATH_PRECHARGING
from bms.precharge import Precharge
from bms.sample import GATE_DISCHARGE


class Predischarge:
    """Says whether the discharge gate may be let on, and takes it back in time."""

    def __init__(self, parameters, faults):
        self._precharge = Precharge(parameters, faults)
        self._filled = False  # the bus was full when the gate came on, and the gate stayed on
        self.state = PATH_ON  # PATH_*; also while nobody wants to discharge

    @property
    def running(self):
        """Whether the discharge gate may still be off though it is let on."""
        return self._precharge.running

    def forget(self):
        """The discharge gate was opened."""
        self._filled = False
        self._precharge.stop()

    def step(self, sample, measured, elapsed_ms, register):
        """Let time pass; call it first in a step."""
        self._precharge.step(sample, measured, elapsed_ms, register)

    def permit(self, allowed, sample, measured):
        """What of `allowed` (GATE_* bits) to command now."""
        self.state = PATH_FAILED if self._precharge.failed else PATH_ON
        if not allowed & GATE_DISCHARGE:
            self.forget()
            return allowed
        if measured:
            self._look(sample)
        if self._precharge.running and self._precharge.ends(0):
            self._precharge.fail()
        if self._filled:
            return allowed
        if self._precharge.running:
            self.state = PATH_PRECHARGING
            return allowed
        self.state = PATH_FAILED if self._precharge.failed else PATH_COOLING
        return allowed & ~GATE_DISCHARGE

    def _look(self, sample):
        precharge = self._precharge
        on = sample.gates & GATE_DISCHARGE
        if precharge.running:
            if on and precharge.filled(sample):
                precharge.succeed()
                self._filled = True
            elif on:
                precharge.fail()
            return
        if not on:
            self._filled = False  # the chip opened it, and will predischarge again
        if not self._filled and precharge.ready(sample.stack_mv):
            precharge.begin(sample.stack_mv)
