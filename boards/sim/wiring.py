"""Wrong wiring between the simulated pack and its measuring chip.

Stands in for the pack, as the chip sees it, while something is wired wrongly; a pack that is
wired well is seen directly. Leads count from 0, the pack's negative end, to the highest cell's
upper end; a cell's voltage is what lies between two neighbouring leads.
"""


class Wiring:
    """Everything else is the pack's own.

    swapped_lead: this one and the next higher one are swapped; 0: none is. turned: the plug of the
    leads is the wrong way round. shunt_sign: -1 for a shunt whose sense leads are swapped.
    """

    def __init__(self, pack):
        self._pack = pack
        self.swapped_lead = 0
        self.turned = False
        self.shunt_sign = 1

    @property
    def as_it_should_be(self):
        """Whether nothing is wired wrongly any more."""
        return self.shunt_sign == 1 and not self.swapped_lead and not self.turned

    @property
    def cell_v(self):
        """Between neighbouring inputs, V."""
        leads_v = [0.0]
        for cell_v in self._pack.cell_v:
            leads_v.append(leads_v[-1] + cell_v)
        at = self.swapped_lead
        if at:
            leads_v[at], leads_v[at + 1] = leads_v[at + 1], leads_v[at]
        if self.turned:
            leads_v.reverse()
        return [leads_v[cell + 1] - leads_v[cell] for cell in range(self._pack.cells)]

    @property
    def current_a(self):
        """As the shunt's sense leads give it, charging positive."""
        return self.shunt_sign * self._pack.current_a

    def __getattr__(self, name):
        return getattr(self._pack, name)
