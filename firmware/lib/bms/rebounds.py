"""Counts how often an empty pack rebounds: connects its load again and is at once empty again.

Undervoltage releases on charge current; a little sun on a cloudy day does that over and over.
After `undervoltage_rebounds_max` such rounds without a recharge of 5 % only a person lets the pack
discharge again.
Fast path only; nothing allocates.
"""

_RECHARGE_SHARE = 20  # a twentieth of the capacity counts as recharged


class Rebounds:
    """count: rounds since the last recharge."""

    def __init__(self, parameters, faults, register):
        self._values = parameters.values
        self._max = parameters.index("undervoltage_rebounds_max")
        self._capacity = parameters.index("design_capacity_mah")
        self._fault = faults.names.index("undervoltage_rebounds")
        self._register = register
        self._empty = False
        self._emptied = False  # the pack was empty once since the last recharge
        self._mah = 0  # the charge counter when it was last empty
        self.count = 0

    def step(self, empty, net_mah):
        """empty: undervoltage is active now; net_mah: the charge counter."""
        if empty:
            if not self._empty:
                if self._emptied:
                    self.count += 1
                if self.count >= self._values[self._max]:
                    self._register.report(self._fault, 0)
            self._emptied = True
            self._mah = net_mah
        elif self._emptied and net_mah - self._mah >= self._recharge_mah():
            self._emptied = False
            self.count = 0
            self._register.clear_one(self._fault)
        self._empty = empty

    def restore(self, count, empty):
        """What was counted before the processor stopped, and whether the pack was empty then."""
        self.count = count
        self._emptied = empty or count > 0
        self._empty = empty

    def forgive(self):
        """A person took over: count anew."""
        self.count = 0

    def _recharge_mah(self):
        return self._values[self._capacity] // _RECHARGE_SHARE
