"""Long work on a BQ76952 in bounded pieces: a list of stages, some of them a step.

Goals: a step takes less than 6 ms of bus time at 400 kHz whatever the stages are, and a chip that
stays busy is given up after a while.
Limits: called from the fast path only; allocates nothing after construction.
"""

from bms.sample import BUS_ERROR, BUSY, CORRUPT, OK

# What a stage may answer besides OK (on to the next stage), BUSY (the chip is: call it in the next
# step, with `busy` > 0 so that it does not send its command again; a damaged answer counts like
# that) and why it failed.
MORE = -1  # it got on and is not done
WAIT = -2  # nothing to do before the next step, and the chip is not to blame

# Bytes on the wire (22.5 us each at 400 kHz) after which a step ends. The longest stage moves 105
# more (an answer after four polls, with CRC): together less than 6 ms.
_STEP_BYTES = 160
_PATIENCE = 10  # steps that a stage may be busy or damaged before the chip counts as lost


class Stages:
    """Runs `stages`, functions without arguments, one after the other."""

    def __init__(self, link, stages):
        self.busy = 0  # times in a row that the stage, having sent its command, got nowhere
        self.running = False
        self._link = link
        self._stages = stages
        self._stage = 0

    def start(self):
        """Begin, or begin again, with the first stage. No bus traffic yet."""
        self.running = True
        self.busy = 0
        self._stage = 0

    def step(self):
        """Some stages: BUSY while more is to do, OK at the end, else why it failed."""
        link = self._link
        link.moved = 0
        while link.moved < _STEP_BYTES:
            code = self._stages[self._stage]()
            if code == BUSY or code == CORRUPT:
                # On noisy wires, too, one damaged answer is no reason to begin anew.
                self.busy += 1
                if self.busy <= _PATIENCE:
                    return BUSY
                if code == BUSY:
                    code = BUS_ERROR
            if code > OK:
                self.running = False
                return code
            self.busy = 0
            if code == WAIT:
                return BUSY
            if code == OK:
                self._stage += 1
                if self._stage == len(self._stages):
                    self.running = False
                    return OK
        return BUSY
