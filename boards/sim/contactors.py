"""The simulated contactors: coils, main contacts, auxiliary contacts, and what ruins them.

Two main contactors and a precharge relay hang on one supply for their coils, which dc_bus.py cuts
and gives. A contact follows its coil after the time that its armature needs. A main contact that
opens under more current than it can break burns together and stays closed; so does one that is
closed into an empty bus (dc_bus.py says when).
Limits: no bounce, no coil heating, no wear; what a weld carries is not asked.
"""

NEVER_US = 1 << 59

_MOVE_US = 20_000  # coil to contact: power contactors of this class need 10 to 30 ms either way
_SAVED = ("closed", "welded", "stuck_open", "aux_stuck")


class Contactor:
    """level: the firmware's line, 1 is "close". closed: what the main contact is.

    Faults: welded (conducts always), stuck_open (never conducts), aux_stuck (the auxiliary
    contact says "closed" whatever is true).
    """

    def __init__(self, name):
        self.name = name
        self.level = 0
        self.closed = False
        self.welded = False
        self.stuck_open = False
        self.aux_stuck = False
        self.left_us = NEVER_US  # until the contact follows the coil

    @property
    def conducts(self):
        """Whether current can flow."""
        return self.welded or (self.closed and not self.stuck_open)

    def auxiliary(self):
        """The auxiliary contact, which is moved by the main contact: 1 is closed."""
        return 1 if self.aux_stuck or self.conducts else 0

    def feed(self, supplied):
        """Give the coil what line and supply make of it now."""
        if bool(self.level and supplied) == self.closed:
            self.left_us = NEVER_US
        elif self.left_us == NEVER_US:
            self.left_us = _MOVE_US

    def advance(self, elapsed_us):
        """Let time pass. True when the contact moved at its end."""
        if self.left_us == NEVER_US:
            return False
        self.left_us -= elapsed_us
        if self.left_us > 0:
            return False
        self.left_us = NEVER_US
        self.closed = not self.closed
        return True

    def save(self):
        """State as a dict that JSON can hold."""
        return {name: getattr(self, name) for name in _SAVED}

    def restore(self, saved):
        """Take back what `save` gave; a line of a processor in reset is low."""
        for name in _SAVED:
            setattr(self, name, saved[name])
        self.level = 0


class Contactors:
    """poles: 1 (the negative one is a piece of copper) or 2. break_a: what they can break.

    welds: what ruined a contact, as [name, words].
    """

    def __init__(self, poles=1, break_a=250.0):
        self.poles = poles
        self.break_a = break_a
        self.positive = Contactor("positive")
        self.negative = Contactor("negative")
        self.precharge = Contactor("precharge")
        self.all = (self.positive, self.negative, self.precharge)
        self.welds = []
        self._closed_last = self.positive

    @property
    def main_closed(self):
        """Whether pack and bus are connected."""
        return self.positive.conducts and (self.poles == 1 or self.negative.conducts)

    @property
    def precharge_closed(self):
        """Whether the resistor connects pack and bus; it bridges the positive contact."""
        return self.precharge.conducts and (self.poles == 1 or self.negative.conducts)

    def feed(self, supplied):
        """The coils' supply is there or not."""
        for contactor in self.all:
            contactor.feed(supplied)

    def next_event_us(self):
        """Time until a contact moves."""
        return min([contactor.left_us for contactor in self.all])

    def advance(self, elapsed_us, current_a):
        """Let time pass. True when a contact moved at its end; current_a flows until then.

        Two poles that open together break together.
        """
        moved = False
        flowed = self.main_closed
        for contactor in self.all:
            if not contactor.advance(elapsed_us):
                continue
            moved = True
            if contactor.closed:
                self._closed_last = contactor
            elif flowed and contactor is not self.precharge and abs(current_a) > self.break_a:
                self._weld(contactor, "breaking %d A" % abs(current_a))
        return moved

    def inrush(self, current_a):
        """The contact that closed last did so into a voltage difference and burned together."""
        self._weld(self._closed_last, "inrush of %d A" % current_a)

    def bits(self):
        """What conducts: 1 positive, 2 negative, 4 precharge."""
        return sum([1 << i for i in range(3) if self.all[i].conducts])

    def save(self):
        """State as a dict that JSON can hold."""
        saved = {contactor.name: contactor.save() for contactor in self.all}
        saved["welds"] = self.welds
        return saved

    def restore(self, saved):
        """Take back what `save` gave, with all lines low."""
        for contactor in self.all:
            contactor.restore(saved[contactor.name])
        self.welds = list(saved["welds"])

    def _weld(self, contactor, words):
        contactor.welded = True
        self.welds.append([contactor.name, words])


class ContactorLines:
    """What the board hands to the firmware: lines to the coils, auxiliary contacts.

    Safe under the heap lock. before_change: called before a line changes (costs.py).
    """

    def __init__(self, contactors, before_change):
        self._contactors = contactors
        self._before_change = before_change

    def positive(self, level):
        """Coil of the positive contactor; 1 is "close"."""
        self._drive(self._contactors.positive, level)

    def negative(self, level):
        """Coil of the negative contactor; 1 is "close"."""
        self._drive(self._contactors.negative, level)

    def precharge(self, level):
        """Coil of the precharge relay; 1 is "close"."""
        self._drive(self._contactors.precharge, level)

    def positive_closed(self):
        """Auxiliary contact of the positive contactor; 1 is closed."""
        return self._contactors.positive.auxiliary()

    def negative_closed(self):
        """Auxiliary contact of the negative contactor; 1 is closed."""
        return self._contactors.negative.auxiliary()

    def precharge_closed(self):
        """Auxiliary contact of the precharge relay; 1 is closed."""
        return self._contactors.precharge.auxiliary()

    def _drive(self, contactor, level):
        if contactor.level != level:
            self._before_change()
            contactor.level = level
