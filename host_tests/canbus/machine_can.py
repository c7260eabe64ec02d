"""A stand-in for machine.CAN, written from its documentation (docs/library/machine.CAN.rst of the
development branch, 2026). Not a model of any chip: what the text says a caller may meet, and no
more. Where the text leaves a choice to the port, `port` chooses.
"""

from typing import Protocol


class Controller(Protocol):
    """What inverter.link asks of a CAN controller; every driver in canbus offers it."""

    STATE_STOPPED: int
    STATE_PASSIVE: int
    STATE_BUS_OFF: int
    FLAG_EXT_ID: int
    TX_QUEUE_LEN: int

    def set_filters(self, filters, /): ...

    def send(self, identifier, data, flags=0, /) -> int | None: ...

    def recv(self, message, /) -> list | None: ...

    def cancel_send(self, index, /) -> bool: ...

    def state(self) -> int: ...

    def get_counters(self, counters, /) -> list: ...

    def restart(self) -> None: ...


class CAN:
    STATE_STOPPED = 10  # the text gives names, no numbers
    STATE_ACTIVE = 11
    STATE_WARNING = 12
    STATE_PASSIVE = 13
    STATE_BUS_OFF = 14
    FLAG_RTR = 2
    FLAG_EXT_ID = 4
    FLAG_UNORDERED = 8
    RECV_ERR_FULL = 1
    RECV_ERR_OVERRUN = 2
    TX_QUEUE_LEN = 3
    FILTERS_MAX = 14
    made: "CAN"

    def __init__(self, id, *args, **kwargs):
        CAN.made = self
        self.id = id
        self.pins = {name: kwargs.pop(name) for name in ("tx", "rx") if name in kwargs}
        self.filters = ()  # "must be called before any messages can be received"
        self.waiting = [None] * self.TX_QUEUE_LEN
        self.received = []
        self.bus_state = self.STATE_STOPPED
        self.inits = 0
        self.uncounted = (2, 7)  # "will return None for that list element"
        self.init(*args, **kwargs)

    def init(self, bitrate, mode=0, sample_point=75, sjw=1, tseg1=None, tseg2=None):
        assert bitrate in (125_000, 250_000, 500_000)  # bits per second
        self.inits += 1
        self.bus_state = self.STATE_ACTIVE

    def set_filters(self, filters):
        if filters is not None:
            if len(filters) > self.FILTERS_MAX:
                raise ValueError
            for identifier, mask, flags in filters:
                top = 0x1FFFFFFF if flags & self.FLAG_EXT_ID else 0x7FF
                if identifier > top or mask > top:
                    raise ValueError("invalid id")
        self.filters = filters

    def arrives(self, identifier, data, flags=0, errors=0):
        """From the wire."""
        if self._accepts(identifier, flags):
            self.received.append((identifier, data, flags, errors))

    def _accepts(self, identifier, flags):
        if self.filters is None:
            return True
        for wanted, mask, kind in self.filters:
            same_kind = not (kind ^ flags) & self.FLAG_EXT_ID
            if same_kind and not (wanted ^ identifier) & mask:
                return True
        return False

    def send(self, id, data, flags=0):
        if self.bus_state in (self.STATE_BUS_OFF, self.STATE_STOPPED):
            raise OSError(5)
        if None not in self.waiting:
            return None
        place = self.waiting.index(None)
        self.waiting[place] = (id, bytes(data), flags)
        return place

    def cancel_send(self, index):
        waited = self.waiting[index] is not None
        self.waiting[index] = None
        return waited

    def recv(self, arg=None):
        if not self.received:
            return None
        identifier, data, flags, errors = self.received.pop(0)
        assert isinstance(arg[1], memoryview) and len(arg) >= 4
        # "will be resized to hold exactly the bytes": the list's own view, over the same bytes.
        whole = memoryview(arg[1].obj)
        whole[: len(data)] = data
        arg[0], arg[1], arg[2], arg[3] = identifier, whole[: len(data)], flags, errors
        return arg

    def state(self):
        return self.bus_state

    def get_counters(self, list=None):
        pending = self.TX_QUEUE_LEN - self.waiting.count(None)
        values = [1, 2, 3, 4, 5, pending, len(self.received), 6]
        for place, value in enumerate(values):
            list[place] = None if place in self.uncounted else value
        return list

    def restart(self):
        assert self.bus_state != self.STATE_STOPPED, "the text: exits bus-off, no more"
        self.bus_state = self.STATE_ACTIVE
        self.waiting = [None] * self.TX_QUEUE_LEN
