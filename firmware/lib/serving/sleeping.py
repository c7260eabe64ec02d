"""A language of a serial line that is loaded when somebody speaks it.

Goal: a port that understands several languages costs the memory of those that are spoken. Until
then a language here is its first two bytes, its last one, and a length.
"""


class Sleeping:
    """Stands in `languages` (a list of links.framing) for what `load()` returns.

    first: the byte that a request begins with; second: those that may follow; last: the one that
    ends it, within `reach` bytes. failed: it could not be loaded; a restart tries again.
    """

    def __init__(self, languages, load, first, second, last, reach):
        self.effort = 0
        self.failed = False
        self._languages = languages
        self._load = load
        self._first = first
        self._second = second
        self._last = last
        self._reach = reach

    def frame(self, buffer, at, fill):
        """Look for a frame; the first one wakes the language, which takes this one's place."""
        self.effort = 0
        if not self.pending(buffer, at, fill) or fill - at < len("ab"):
            return 0
        for place in range(at + 2, min(fill, at + self._reach)):
            self.effort += 1
            if buffer[place] == self._last:
                return self._wake(buffer, at, fill)
        return 0

    def burst(self, _buffer, _at, _fill):
        """Every frame ends by a mark."""
        return 0

    def pending(self, buffer, at, fill):
        """Whether a request may begin at `at`."""
        return (
            not self.failed
            and buffer[at] == self._first
            and fill - at < self._reach
            and (fill - at == 1 or buffer[at + 1] in self._second)
        )

    def begins(self, byte):
        """See links.framing."""
        return byte == self._first

    def _wake(self, buffer, at, fill):
        try:
            language = self._load()
        except MemoryError:
            self.failed = True
            print("there is no memory for another language on RS485: choose rs485_protocol")
            return 0
        self._languages[self._languages.index(self)] = language
        return language.frame(buffer, at, fill)
