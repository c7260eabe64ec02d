"""A language of a serial line that is loaded when somebody speaks it.

Goal: a port that understands several languages costs the memory of those that are spoken. Until
then a language here is its first two bytes, its last one, and a length; Modbus, which has no
marks, is a function behind whatever address.
"""

# V1.1b3, 6: the functions whose frames have a length that modbus.rtu knows.
_FUNCTIONS = b"\x01\x02\x03\x04\x05\x06\x0f\x10\x16\x17"
_SHORTEST = 8  # bytes of a request with one of these
_SHORTEST_OF_ALL = 4


class Sleeping:
    """Stands in `languages` (a list of links.framing) until somebody speaks it.

    load(place): a generator that puts the language into `languages[place]`, in pieces of some
    milliseconds. first: the byte that a request begins with; second: those that may follow; last:
    the one that ends it, within `reach` bytes.
    """

    def __init__(self, languages, load, first, second, last, reach):
        self.effort = 0
        self.asleep = True
        self._languages = languages
        self._load = load
        self.first = first
        self._second = second
        self._last = last
        self._reach = reach

    def frame(self, buffer, at, fill):
        """Length of what may be a request, for which the language has to be woken."""
        self.effort = 0
        if not self.pending(buffer, at, fill) or fill - at <= 1:
            return 0
        for place in range(at + 2, min(fill, at + self._reach)):
            self.effort += 1
            if buffer[place] == self._last:
                return place + 1 - at
        return 0

    def burst(self, _buffer, _at, _fill):
        """Every frame ends by a mark."""
        return 0

    def pending(self, buffer, at, fill):
        """Whether a request may begin at `at`."""
        return (
            self.asleep
            and buffer[at] == self.first
            and fill - at < self._reach
            and (fill - at == 1 or buffer[at + 1] in self._second)
        )

    def wake(self):
        """Load the language: yields between pieces. Without memory for it, sleep for good."""
        place = self._languages.index(self)
        try:
            yield from self._load(place)
        except MemoryError:
            print("there is no memory for another language on RS485: choose rs485_protocol")
        self.asleep = False


class SleepingModbus(Sleeping):
    """The same for Modbus RTU at `address`. Woken also by what others may say to each other: it
    knows that such frames are no noise."""

    def __init__(self, languages, load, address):
        super().__init__(languages, load, address, _FUNCTIONS, 0, _SHORTEST)
        self._ours = (address, 0)

    def frame(self, buffer, at, fill):
        """Length of what may be a frame for anybody."""
        if self.asleep and fill - at >= _SHORTEST and buffer[at + 1] in _FUNCTIONS:
            return _SHORTEST
        return 0

    def burst(self, buffer, at, fill):
        """A function that is not known yet may be for us."""
        length = fill - at
        known = self.asleep and length >= _SHORTEST_OF_ALL and buffer[at] in self._ours
        return length if known else 0
