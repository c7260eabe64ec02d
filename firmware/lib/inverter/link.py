"""Tells the inverter in every period what the battery is and allows, over any CAN controller.

Goals: frames never wait for the inverter's own; what could not be sent in time is taken back, so
that nothing old goes out later as if it were live; a dead bus costs bounded time and is left by
restarts with growing pauses; what is wrong with the bus is told to links.diagnosis.
Limits: one profile, one controller in the shape of machine.CAN. Frames go in pairs with pauses,
because a receiver with two buffers (an MCP2515 again) loses frames of a longer burst (field
lessons, inverter links 25). Cooperative; it looks for frames ten times a second, and encodes
a frame right before it is sent, so that no turn takes more than about 2 ms of bytecode.
"""

import asyncio

from inverter.conditions import ASKED, AWAKE
from inverter.peers import Peers
from links.diagnosis import (
    CAN,
    CAN_BUS_OFFS,
    CAN_RECEIVE_ERRORS,
    CAN_TRANSMIT_ERRORS,
    CRC_ERRORS,
    FRAMES_OUT,
    GONE,
    LANGUAGE,
    LOST,
    PASSIVE,
    STOPPED,
    TIMEOUTS,
    TWIN,
    UNKNOWN,
)

_BURST = 2
# Two frames are at most 270 bits: 2.2 ms at 125 kbit/s.
_PACE_MS = 5
_PACES_MAX = 4  # how often to look again before a frame counts as not sent
_RECEIVE_MAX = 8  # frames fetched at once: more than any controller buffers between two looks
_LOOK_MS = 100  # between two looks for received frames
_FIRST_LOOK_MS = 20  # after a set: a Deye answers at once, and is known by that
_ANSWER_GAP_MS = 200  # two sets are never closer, however often the inverter asks
_ASKING_MS = 3000  # it still asks, if it did within this time
# A controller that only misses acknowledges stops counting at 128, or up to 7 above (ISO 11898-1,
# fault confinement); more are wrong bits. It leaves the bus at 256, returns with 0 after 2.8 ms of
# silence at 500 kbit/s, and is seldom caught outside.
_MISSED_ACKNOWLEDGES = 135
_FALL_MAX = 8  # each frame that left takes one off; more than a few between two looks is a return
_BACKOFF_FIRST_MS = 1000
_BACKOFF_MAX_MS = 30000
# The fast path counts uptime_s; if it stands still for this long, the values are old.
_STILL_MAX_MS = 3000
_SILENT_MS = 10000  # a Deye pauses for more than 5 s at midnight (inverter_can.md 1.8)
_AGE_MAX_MS = 1 << 29  # six days, and no heap object on the boards


class Profile:
    """What a link needs of a profile; inverter.profiles says what the rest means."""

    def __init__(self, encoder, rules, period_ms, keepalives, asks, answers, shutdown):
        self.encoder = encoder
        self.rules = rules
        self.period_ms = period_ms
        self.keepalives = keepalives
        self.asks, self.asks_bits = asks
        self.answers = answers
        self.shutdown, self.shutdown_bits = shutdown


class InverterLink:
    """The service; `run` it as a task. Its counters are for people and only ever read.

    profile: of inverter.profiles.load; diagnosis: of links.diagnosis; shut_down: called when
    the inverter asks the pack to switch itself off, again and again until it returns True.
    sent, failed: frames that left, and that did not in their period; keepalives: the inverter's
    own frames; keepalive_age_ms: since the last one, to about a second, or -1 before the first;
    unknown: other frames noticed; restarts: of the controller; skipped: periods missed because
    the processor was busy; errors, last_error: OSErrors of the bus and the latest one.
    """

    def __init__(self, can, profile, points, diagnosis, ticks_ms, ticks_diff, shut_down=None):
        self._can = can
        self._profile = profile
        self._encoder = profile.encoder
        self._rules = profile.rules
        self._points = points
        self._diagnosis = diagnosis
        self._ticks_ms = ticks_ms
        self._ticks_diff = ticks_diff
        self._shut_down = shut_down
        self._peers = Peers()
        self._snapshot, self._points_view = profile.rules.new_snapshot()
        self._uptime = points.offset("uptime_s")
        self._uptime_seen = -1
        self._still_ms = 0  # since uptime_s moved
        self._message = [0, memoryview(bytearray(8)), 0, 0]
        self._counters = [0] * 8
        self._pause_ms = 0  # until the controller is restarted; 0: on the bus
        self._backoff_ms = _BACKOFF_FIRST_MS  # the next pause
        self._asked = False  # since the latest set
        self._ask_age_ms = _AGE_MAX_MS
        self._at_once = False  # this look is the first after a set
        self._shutdown_due = False
        self._receive_errors = 0  # when looked at last
        self._transmit_errors = 0
        self._left_bus = False  # at a moment when nobody looked
        self._twin_ms = 0  # until another battery on the bus counts as gone
        self._language_ms = 0  # until an inverter of another language does
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
        self._diagnosis.open(CAN)
        self._diagnosis.tell(CAN, GONE, True)
        # The inverter's frame has a receive buffer for itself, whatever else is on the bus.
        self._can.set_filters(((self._profile.keepalives[0], 0x7FF, 0), (0, 0, 0)))
        self._diagnosis.tell(CAN, GONE, False)
        try:
            await self._serve()
        except OSError:
            self._diagnosis.tell(CAN, GONE, True)
            raise

    async def _serve(self):
        period_ms = self._profile.period_ms
        began = self._ticks_ms()
        elapsed_ms = 0
        late_ms = 0  # of this period's begin, against an ideal clock
        while True:
            self._resume(elapsed_ms)
            try:
                await self._cycle(elapsed_ms)
            except OSError as error:
                self.errors += 1
                self.last_error = error
            early = await self._wait(began, max(period_ms - late_ms, 0))
            now = self._ticks_ms()
            elapsed_ms = self._ticks_diff(now, began)
            began = now
            late_ms = 0 if early else late_ms + elapsed_ms - period_ms
            if late_ms >= period_ms:  # newest data wins: what was missed is not sent after
                self.skipped += late_ms // period_ms
                late_ms = 0
            self._grow_old(elapsed_ms)

    async def _wait(self, began, length_ms):
        """Look for frames until the period ends. True if it ended early, to answer."""
        look_ms = _FIRST_LOOK_MS
        self._at_once = True
        while True:
            passed_ms = self._ticks_diff(self._ticks_ms(), began)
            if self._asked and passed_ms >= _ANSWER_GAP_MS:
                return True
            if passed_ms >= length_ms:
                return False
            await asyncio.sleep_ms(min(length_ms - passed_ms, look_ms))
            try:
                self._receive()
            except OSError as error:
                self.errors += 1
                self.last_error = error
            self._at_once = False
            look_ms = _LOOK_MS

    async def _cycle(self, elapsed_ms):
        """Find what to tell now and send it, or count it as failed."""
        self._points.snapshot_into(self._points_view)
        self._receive()
        if self._profile.answers and not self._asked and self._ask_age_ms < _ASKING_MS:
            return
        heard = (AWAKE if self.keepalives else 0) | (ASKED if self._asked else 0)
        conditions = self._rules.apply(
            self._snapshot, elapsed_ms, self._is_live(elapsed_ms), heard
        )
        self._asked = False
        await asyncio.sleep_ms(0)
        self._encoder.begin(self._snapshot, conditions, elapsed_ms)
        if self._pause_ms:
            self._count_failed(sum(self._encoder.due))
            return
        failed = self.failed
        try:
            await self._send_all(conditions)
        finally:
            # After sending, since only sending can lead to bus-off, and because a controller needs
            # a moment after a restart until it is on the bus.
            self._check_bus()
        if self._pause_ms == 0 and self.failed == failed:
            self._backoff_ms = _BACKOFF_FIRST_MS

    def _is_live(self, elapsed_ms):
        """Whether the fast path still runs; the watchdog notices too, but takes seconds longer."""
        uptime_s = self._snapshot[self._uptime]
        if uptime_s != self._uptime_seen:
            self._uptime_seen = uptime_s
            self._still_ms = 0
        else:
            self._still_ms = min(self._still_ms + elapsed_ms, _STILL_MAX_MS)
        return self._still_ms < _STILL_MAX_MS

    async def _send_all(self, conditions):
        encoder = self._encoder
        waiting = 0
        for index in range(len(encoder.frames)):
            if not encoder.due[index]:
                continue
            encoder.encode_fields(index, self._snapshot, conditions)
            if self._can.send(encoder.identifiers[index], encoder.frames[index]) is None:
                self._count_failed(1)
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
            if self._waiting() == 0:
                self._count_sent(queued)
                return
        unsent = min(self._waiting(), queued)
        self._cancel_all()
        self._count_failed(unsent)
        self._count_sent(queued - unsent)
        # A frame on the wire ends by itself; only then is its buffer free for the next one.
        await asyncio.sleep_ms(_PACE_MS)

    def _waiting(self):
        """How many frames wait; notes by the way whether the controller left the bus."""
        counters = self._can.get_counters(self._counters)
        errors = counters[0]
        if errors > _MISSED_ACKNOWLEDGES or errors + _FALL_MAX < self._transmit_errors:
            self._left_bus = True
        self._transmit_errors = errors
        return counters[5]

    def _cancel_all(self):
        for index in range(self._can.TX_QUEUE_LEN):
            self._can.cancel_send(index)

    def _count_sent(self, frames):
        self.sent += frames
        self._diagnosis.count(FRAMES_OUT, CAN, frames)

    def _count_failed(self, frames):
        self.failed += frames
        self._diagnosis.count(TIMEOUTS, CAN, frames)

    def _receive(self):
        message = self._message
        for _ in range(_RECEIVE_MAX):
            if self._can.recv(message) is None:
                return
            if message[2] & self._can.FLAG_EXT_ID:
                self._take_wide()
            else:
                self._take(message[0], message[1])

    def _take_wide(self):
        """A frame with a 29-bit identifier came. No inverter for low voltage batteries sends any;
        where one of these is here as well, it is other traffic."""
        self.unknown += 1
        self._diagnosis.count(UNKNOWN, CAN)
        if self.keepalives == 0:
            self._diagnosis.looks_like(CAN, self._peers.wide)
            self._language_ms = _SILENT_MS

    def _take(self, identifier, data):
        """A frame came."""
        profile = self._profile
        first = data[0] if len(data) else 0
        known = identifier in profile.keepalives
        peer = self._peers.look(identifier, data)
        if identifier == profile.asks:
            if first & profile.asks_bits == profile.asks_bits:
                self._asked = True
                self._ask_age_ms = 0
        elif identifier == profile.shutdown:
            known = True
            if first & profile.shutdown_bits:
                self._shutdown_due = True
        if known:
            self._peers.keepalive(self._at_once)
            if self.keepalives == 0 and profile.asks >= 0:
                self._asked = True  # it may have asked before this start
            self.keepalives += 1
            self.keepalive_age_ms = 0
            self._diagnosis.heard(CAN, peer)
            self._diagnosis.tell(CAN, LOST, False)
            return
        self._diagnosis.looks_like(CAN, peer)
        if self._encoder.sends(identifier):
            self._twin_ms = _SILENT_MS
        elif self._peers.asks_another(identifier, data, profile.keepalives):
            self._language_ms = _SILENT_MS
        elif self._peers.knows(identifier):
            return
        self.unknown += 1
        self._diagnosis.count(UNKNOWN, CAN)

    def _grow_old(self, elapsed_ms):
        self._ask_age_ms = min(self._ask_age_ms + elapsed_ms, _AGE_MAX_MS)
        if self.keepalive_age_ms >= 0:
            self.keepalive_age_ms = min(self.keepalive_age_ms + elapsed_ms, _AGE_MAX_MS)
            self._diagnosis.tell(CAN, LOST, self.keepalive_age_ms > _SILENT_MS)
        self._diagnosis.tell(CAN, TWIN, self._twin_ms > 0)
        self._twin_ms = max(self._twin_ms - elapsed_ms, 0)
        self._diagnosis.tell(CAN, LANGUAGE, self._language_ms > 0)
        self._language_ms = max(self._language_ms - elapsed_ms, 0)
        if self._shutdown_due and self._shut_down is not None:
            self._shutdown_due = not self._shut_down()

    def _check_bus(self):
        """Plan a restart if the controller left the bus. The pauses grow from 1 s to 30 s."""
        can = self._can
        state = can.state()
        left = state == can.STATE_BUS_OFF or self._left_bus
        off = left or state == can.STATE_STOPPED
        self._left_bus = False
        self._note_bus(state, left, off)
        if off:
            self._cancel_all()  # a controller may return by itself, and would send old frames
            self._pause_ms = self._backoff_ms
            self._backoff_ms = min(2 * self._backoff_ms, _BACKOFF_MAX_MS)

    def _note_bus(self, state, left, off):
        """Tell the diagnosis what the controller says; left: the bus, by its error counter."""
        can = self._can
        diagnosis = self._diagnosis
        counters = can.get_counters(self._counters)
        if counters[1] > self._receive_errors:
            diagnosis.count(CRC_ERRORS, CAN)
        self._receive_errors = counters[1]
        values = diagnosis.values
        values[CAN_TRANSMIT_ERRORS] = counters[0]
        values[CAN_RECEIVE_ERRORS] = counters[1]
        if left:
            values[CAN_BUS_OFFS] += 1
        diagnosis.tell(CAN, PASSIVE, state == can.STATE_PASSIVE)
        diagnosis.tell(CAN, STOPPED, off)

    def _resume(self, elapsed_ms):
        """Count the pause down, and restart the controller at its end."""
        if self._pause_ms:
            self._pause_ms = max(self._pause_ms - elapsed_ms, 0)
            if self._pause_ms == 0:
                self.restarts += 1
                self._transmit_errors = 0
                self._can.restart()
