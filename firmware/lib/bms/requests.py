"""What people and buses may ask of the fast path: one request at a time, carried out by a step.

Nothing here can close a gate against a fault (law 4): the battery looks at every request again
when it carries it out.
"""

NONE = 0
CLEAR_FAULTS = 1  # forget latched faults whose cause is gone
GATES_OFF = 2  # restrict: open both gates and keep them open
GATES_AUTO = 3  # take GATES_OFF back
REPROGRAM_AFE = 4  # open both gates, program and test the measuring chip anew, go on
ACKNOWLEDGE_DEEP_DISCHARGE = 5  # allow a limited charge current to cells below their minimum
CAPTURE = 6  # keep the latest raw sample for the commissioning check
TRY_CURRENT = 7  # commissioning: close the gates for a limited first current
CHARGE_OFF = 8  # instead of GATES_OFF or GATES_AUTO: keep only the charge gate open
DISCHARGE_OFF = 9  # the same for the discharge gate


class Requests:
    """A letter box with room for one request."""

    def __init__(self):
        self.pending = NONE

    def post(self, request):
        """Ask for something. False if another request still waits: try again after a step."""
        if self.pending != NONE:
            return False
        self.pending = request
        return True
