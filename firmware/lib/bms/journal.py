"""Posts what changed in a step to the log: faults, gates, power path, state.

Fast path only; nothing allocates after construction.
"""

from array import array

from bms import events
from bms.fault_register import WORDS

_BITS = 16
NO_FAULT = 255


class Journal:
    """`register` is the fault register, `log` a ring of bms.events."""

    def __init__(self, register, log):
        self._register = register
        self._log = log
        self._words = array("i", [0] * WORDS)
        self._gates = 0
        self._path_state = 0
        self._state = -1
        self.noted = False  # whether a fault came or went in the latest step
        self.last_fault = NO_FAULT  # bit of the fault that came last

    def note(self, gates, path_state, state, uptime_s):
        """Compare with the step before. True if a fault came or went."""
        log = self._log
        faults_changed = False
        words = self._register.words
        for word in range(WORDS):
            changed = words[word] ^ self._words[word]
            if changed:
                faults_changed = True
                self._words[word] = words[word]
                self._note_faults(word, changed, uptime_s)
        if gates != self._gates:
            self._gates = gates
            log.post(events.GATES, gates, 0, uptime_s)
        if path_state != self._path_state:
            self._path_state = path_state
            log.post(events.PATH, path_state, 0, uptime_s)
        if state != self._state:
            self._state = state
            log.post(events.STATE, state, 0, uptime_s)
        self.noted = faults_changed
        return faults_changed

    def _note_faults(self, word, changed, uptime_s):
        register = self._register
        for bit in range(_BITS):
            if changed >> bit & 1:
                fault = _BITS * word + bit
                if register.is_active(fault):
                    self.last_fault = fault
                    self._log.post(events.FAULT, fault, register.measured[fault], uptime_s)
                else:
                    self._log.post(events.FAULT_OVER, fault, 0, uptime_s)
