"""The power path of FETs: charge and discharge switches on a common port, or a port for each.

Goals: what is not allowed is off in the same step, by two ways (bms.gate_lines); the blocked
switch's body diode does not burn while current flows the allowed way (common port only, as on
separate ports no current crosses the other port's switch); a gate that disobeys is a fault; with
predischarge, the discharge gate comes on only over a full bus (bms.predischarge).
Limits: the chip's series-FET mode does not spare the body diode of a gate that the host forced
off, so the path does it: both gates on while that current flows.
Fast path only; nothing allocates after construction.
"""

from bms.gate_lines import GateLines
from bms.points import PATH_BRIDGING, PATH_FAILED, PATH_OFF, PATH_ON
from bms.sample import GATE_CHARGE, GATE_DISCHARGE, GATES_BOTH

_COMMON_PORT = 0  # choice of the parameter power_path

# Bounded reverse charge: every reversal costs one step of reverse current at most (two, if the
# first sample of it is damaged), and after three of them within a minute the body diode has to
# bear the current for a minute.
_REVERSAL_MS = 60000
_PAUSE_MS = 60000


class BodyDiode:
    """When a blocked switch is closed to spare its body diode."""

    def __init__(self, start_ma):
        self._start_ma = start_ma
        self._last_ms = _REVERSAL_MS  # since the latest reversal
        self._before_ms = _REVERSAL_MS  # since the one before it
        self._pause_ms = 0  # until it may be spared again
        self._clear = False  # the latest sample was good, and more than the limit flowed
        self.spared = False

    def step(self, flow_ma, elapsed_ms, known=True):
        """Decide anew. `flow_ma` is the current the allowed way, below 0 against it; 0 if none may
        count. `known` False: this sample is damaged, and nothing else speaks against sparing.

        Closed above the limit, open again below half of it, so that it does not chatter; nor by a
        single damaged sample: a current that was clearly the allowed way is believed for one more.
        """
        self._last_ms = min(self._last_ms + elapsed_ms, _REVERSAL_MS)
        self._before_ms = min(self._before_ms + elapsed_ms, _REVERSAL_MS)
        self._pause_ms = max(self._pause_ms - elapsed_ms, 0)
        clear = self._clear
        self._clear = flow_ma > self._start_ma
        if not known:
            self.spared = self.spared and clear
            return
        if not self.spared:
            self.spared = flow_ma > self._start_ma and self._pause_ms == 0
            return
        if 2 * flow_ma < self._start_ma:
            self.spared = False
        if flow_ma < 0:
            self._note_reversal()

    def _note_reversal(self):
        if self._before_ms < _REVERSAL_MS:
            self._pause_ms = _PAUSE_MS
        self._before_ms = self._last_ms
        self._last_ms = 0


class FetPath:
    """`afe.command_gates(gates)` answers a code; the off lines are called with 1 for off.

    `parameters` and `faults` are the tables; what is configured is looked up here, once.
    """

    def __init__(self, afe, charge_off, discharge_off, parameters, faults):
        self._lines = GateLines(afe, charge_off, discharge_off, parameters, faults)
        self._mismatch = faults.names.index("gate_mismatch")
        self._common_port = parameters.value("power_path") == _COMMON_PORT
        self._body_diode = BodyDiode(parameters.value("body_diode_ma"))
        self._asked = 0  # GATE_* bits that the latest step was to make
        self._predischarge = None
        if parameters.value("predischarge"):
            from bms.predischarge import Predischarge

            self._predischarge = Predischarge(parameters, faults)
        self.commanded = 0  # GATE_* bits that shall be on
        self.state = PATH_OFF
        self.holds_limits = False

    def open_lines(self):
        """Open both gates by their off lines, which needs no bus and can not fail."""
        self._lines.open()
        self._body_diode.spared = False
        if self._predischarge is not None:
            self._predischarge.forget()
        self.commanded = 0
        self.state = PATH_OFF

    def forget(self, elapsed_ms, register):
        """The chip may have restarted: what it acknowledged before no longer counts.

        In place of `step`, as long as the chip is not ready.
        """
        self._lines.forget()

    def step(self, allowed, urgent, sample, measured, elapsed_ms, register):
        """Make the gates `allowed` (GATE_* bits), or what the configured path makes of that.

        `urgent`: something other than a fault of direction blocks. The sample's values count only
        while `measured`; its gates are what the chip said last.
        """
        predischarge = self._predischarge
        state = PATH_ON
        if self._disobeyed(sample, measured, elapsed_ms, register):
            state = PATH_FAILED
            allowed = 0
        if predischarge is not None:
            predischarge.step(sample, measured, elapsed_ms, register)
            allowed = predischarge.permit(allowed, sample, measured)
            state = max(state, predischarge.state)  # PATH_ON is the lowest of theirs
        self.holds_limits = state != PATH_ON
        flow_ma = 0
        known = True
        if not urgent and self._common_port:
            known = measured or allowed != self._asked
            if measured:
                flow_ma = _flow_ma(allowed, sample.current_ma)
        self._asked = allowed
        self._body_diode.step(flow_ma, elapsed_ms, known)
        if self._body_diode.spared:
            state = PATH_BRIDGING
            allowed = GATES_BOTH
        elif not allowed and state == PATH_ON:
            state = PATH_OFF
        self._lines.command(allowed, sample.gates)
        self.commanded = allowed
        self.state = state

    def _disobeyed(self, sample, measured, elapsed_ms, register):
        """Whether a gate disobeys now, or did and nobody cleared the fault yet."""
        excused = 0
        predischarge = self._predischarge
        if predischarge is not None and (predischarge.running or self._body_diode.spared):
            excused = GATE_DISCHARGE  # the chip fills the bus first
        found = measured and self._lines.disobeyed(sample, excused, elapsed_ms, register)
        return found or register.is_active(self._mismatch)


def _flow_ma(gates, current_ma):
    """Current the allowed way while one direction is blocked; 0 if none or both are."""
    if gates == GATE_CHARGE:
        return current_ma
    if gates == GATE_DISCHARGE:
        return -current_ma
    return 0
