"""Tells the inverter once a second what the battery is and allows, over any CAN controller.

Goals: frames never wait for the inverter's own 0x305; what could not be sent in time is taken
back, so that nothing old goes out later as if it were live; a dead bus costs bounded time and is
left by restarts with growing pauses.
Limits: one profile, one controller in the shape of machine.CAN. Frames go in pairs with pauses,
because a receiver with two buffers (an MCP2515 again) loses frames of a longer burst (field
lessons, inverter links 25). Cooperative; it wakes four times a second, and encoding,
its longest piece, is about 5 ms of bytecode on an RP2040 (counted).
"""

import asyncio

from inverter.frames import FrameEncoder

_PERIOD_MS = 1000  # PYL V1.2: every frame once a second
_BURST = 2
# Two frames are at most 270 bits: 2.2 ms at 125 kbit/s.
_PACE_MS = 5
_PACES_MAX = 4  # how often to look again before a frame counts as not sent
_RECEIVE_MAX = 8  # frames fetched at once: more than any controller buffers between two paces
_BACKOFF_MAX_S = 30
# The fast path counts uptime_s; if it stands still for this many periods, the values are old.
_STILL_MAX = 3
_AGE_MAX_MS = 1 << 29  # six days, and no heap object on the boards


class InverterLink:
    """The service; `run` it as a task. Its counters are for people and only ever read.

    sent, failed: frames that left, and that did not in their second; keepalives: 0x305 received;
    keepalive_age_ms: since the last one, to about a second, or -1 before the first;
    unknown: other frames noticed; restarts: of the controller; skipped: periods missed because
    the processor was busy; errors, last_error: OSErrors of the bus and the latest one.
    """

    def __init__(self, can, profile, points, faults, ticks_ms, ticks_diff):
        self._can = can
        self._points = points
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._encoder = FrameEncoder(profile, points, faults)
        self._keepalive_id = profile.KEEPALIVE_ID
        self._snapshot = points.new_snapshot()
        self._snapshot_view = memoryview(self._snapshot)
        self._uptime = points.offset("uptime_s")
        self._uptime_seen = -1
        self._still = 0  # periods since uptime_s moved
        self._message = [0, memoryview(bytearray(8)), 0, 0]
        self._counters = [0] * 8
        self._pause_s = 0  # until the controller is restarted; 0: on the bus
        self._backoff_s = 1  # the next pause
        self.sent = 0
        self.failed = 0
        self.keepalives = 0
        self.keepalive_age_ms = -1
        self.unknown = 0
        self.restarts = 0
        self.skipped = 0
        self.errors = 0
        self.last_error = None

    async def run(self):
        """Send until cancelled. Raises OSError when the controller is gone: start it again."""
        # The inverter's frame has a receive buffer for itself, whatever else is on the bus.
        self._can.set_filters(((self._keepalive_id, 0x7FF, 0), (0, 0, 0)))
        began = self._ticks_ms()
        late_ms = 0  # of this period's begin, against an ideal clock
        while True:
            self._resume()
            try:
                await self._cycle()
            except OSError as error:
                self.errors += 1
                self.last_error = error
            took_ms = self._ticks_diff(self._ticks_ms(), began)
            await asyncio.sleep_ms(max(_PERIOD_MS - late_ms - took_ms, 0))
            now = self._ticks_ms()
            elapsed_ms = self._ticks_diff(now, began)
            began = now
            late_ms += elapsed_ms - _PERIOD_MS
            if late_ms >= _PERIOD_MS:  # newest data wins: what was missed is not sent after
                self.skipped += late_ms // _PERIOD_MS
                late_ms = 0
            if self.keepalive_age_ms >= 0:
                self.keepalive_age_ms = min(self.keepalive_age_ms + elapsed_ms, _AGE_MAX_MS)

    async def _cycle(self):
        """Encode the present and send it, or count it as failed."""
        self._points.snapshot_into(self._snapshot_view)
        self._encoder.encode(self._snapshot, self._is_live())
        self._receive()
        if self._pause_s:
            self.failed += sum(self._encoder.due)
            return
        failed = self.failed
        try:
            await self._send_all()
        finally:
            # After sending, since only sending can lead to bus-off, and because a controller needs
            # a moment after a restart until it is on the bus.
            self._check_bus()
        if self._pause_s == 0 and self.failed == failed:
            self._backoff_s = 1

    def _is_live(self):
        """Whether the fast path still runs; the watchdog notices too, but takes seconds longer."""
        uptime_s = self._snapshot[self._uptime]
        if uptime_s != self._uptime_seen:
            self._uptime_seen = uptime_s
            self._still = 0
        else:
            self._still = min(self._still + 1, _STILL_MAX)
        return self._still < _STILL_MAX

    async def _send_all(self):
        encoder = self._encoder
        waiting = 0
        for index in range(len(encoder.frames)):
            if not encoder.due[index]:
                continue
            if self._can.send(encoder.identifiers[index], encoder.frames[index]) is None:
                self.failed += 1
            else:
                waiting += 1
            if waiting == _BURST:
                await self._settle(waiting)
                waiting = 0
        if waiting:
            await self._settle(waiting)

    async def _settle(self, queued):
        """Give `queued` frames time to leave, and take back those that did not."""
        for _ in range(_PACES_MAX):
            await asyncio.sleep_ms(_PACE_MS)
            self._receive()
            if self._waiting() == 0:
                self.sent += queued
                return
        unsent = min(self._waiting(), queued)
        self._cancel_all()
        self.failed += unsent
        self.sent += queued - unsent
        # A frame on the wire ends by itself; only then is its buffer free for the next one.
        await asyncio.sleep_ms(_PACE_MS)

    def _waiting(self):
        return self._can.get_counters(self._counters)[5]

    def _cancel_all(self):
        for index in range(self._can.TX_QUEUE_LEN):
            self._can.cancel_send(index)

    def _receive(self):
        for _ in range(_RECEIVE_MAX):
            if self._can.recv(self._message) is None:
                return
            if self._message[0] == self._keepalive_id:
                self.keepalives += 1
                self.keepalive_age_ms = 0
            else:
                self.unknown += 1

    def _check_bus(self):
        """Plan a restart if the controller left the bus. The pauses grow from 1 s to 30 s."""
        state = self._can.state()
        if state in (self._can.STATE_BUS_OFF, self._can.STATE_STOPPED):
            self._cancel_all()  # a controller may return by itself, and would send old frames
            self._pause_s = self._backoff_s
            self._backoff_s = min(2 * self._backoff_s, _BACKOFF_MAX_S)

    def _resume(self):
        """Count the pause down, a period a second, and restart the controller at its end."""
        if self._pause_s:
            self._pause_s -= 1
            if self._pause_s == 0:
                self.restarts += 1
                self._can.restart()
