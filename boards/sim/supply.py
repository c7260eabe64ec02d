"""What the simulated board itself takes from the pack: bookkeeping by state, on paper only.

The pack is not emptied by it: over a simulated day it is nothing, and runs stay what they were.
Written down whenever the chip's mode or the processor's changes, so it costs no time.
The processor and the transceivers hang on a converter; the measuring chip on the pack itself.

Sources: BQ76952: SLUSE13, features (286 uA; SLEEP 24 to 41; SHUTDOWN 1). BQ769x0: from memory.
Pico: 26 mA at 5 V running MicroPython (forums.pimoroni.com 25317), 1.5 mA in lightsleep
(MicroPython b004e7e397, measured at USB). Transceivers are data-sheet figures from memory:
SN65HVD230 10 mA recessive, MCP2515 5 mA, MAX3485 1 mA. A converter of 80 % is an assumption.
"""

CHIP_UA = {"normal": 286.0, "sleep": 41.0, "shutdown": 1.0, "ship": 1.0}
"""What the measuring chip takes, by its mode."""

PROCESSOR_UA = (26000.0, 1500.0)
"""A Pico at 5 V: awake, dozing."""

LINKS_UA = 16000.0
"""CAN controller, CAN and RS485 transceivers at 5 V, always on."""

_RAIL_V = 5.0
_EFFICIENCY = 0.8
_US_PER_H = 3.6e9


def pack_ua(mode, dozing, pack_v, links=True):
    """Current from a pack of `pack_v` volts, in uA. links: the transceivers have supply."""
    rail_ua = PROCESSOR_UA[1 if dozing else 0] + (LINKS_UA if links else 0.0)
    return CHIP_UA[mode] + rail_ua * _RAIL_V / (_EFFICIENCY * pack_v)


class Supply:
    """Sums up what was taken, by the chip's mode and whether the processor dozed."""

    def __init__(self, pack, afe):
        self._pack = pack
        self._afe = afe
        self._dozing = False
        self._mode = "normal"
        self._since_us = 0
        self._sums = {}  # by state: us, and uA times us

    def doze(self, dozing):
        """The processor falls asleep, or wakes."""
        self.note()
        self._dozing = dozing

    def note(self):
        """Something changed, or somebody wants to know: settle what was until now."""
        now_us = self._afe.time_us
        name = self._mode + (" dozing" if self._dozing else "")
        took = self._sums.setdefault(name, [0, 0.0])
        passed_us = max(0, now_us - self._since_us)  # time begins anew with each run
        took[0] += passed_us
        took[1] += passed_us * pack_ua(self._mode, self._dozing, self._pack.total_v)
        self._since_us = now_us
        self._mode = self._afe.mode

    def report(self):
        """[seconds, uAh] by state of chip and processor, since this run began."""
        self.note()
        return {name: [us / 1e6, ua_us / _US_PER_H] for name, (us, ua_us) in self._sums.items()}
