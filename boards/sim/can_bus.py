"""The simulated CAN wire: arbitration, frame times, acknowledgement and error conditions.

A node has: `bit_rate` (None: always right), `connected`, `on_wire` (the frame it is sending),
`quiet_until_us` (bus-off until then), and the methods `offer()` (its next frame or None),
`sent(frame)`, `failed(...)`, `lost_arbitration()`, `receive(frame)`, `receive_error()`,
`acknowledges()`. Frames are tuples (identifier, data bytes, extended, remote).
An idle bus costs nothing; repeated failing attempts of a lone sender are counted, not played.
Limits: a frame lasts its worst case with stuff bits (the true length depends on the data, up to
a fifth less); an attempt that fails lasts a whole frame and an error frame.
"""

# Davis, Burns, Bril, Lukkien 2007, "CAN schedulability analysis: refuted, revisited and revised",
# equation (1): g is 34 for 11-bit and 54 for 29-bit identifiers; 13 more bits are never stuffed.
_STUFFED_STANDARD, _STUFFED_EXTENDED, _UNSTUFFED = 34, 54, 13
_ERROR_FRAME_BITS = 6 + 6 + 8 + 3  # flag, the others' echo, delimiter, intermission
_RATE_TOLERANCE = 0.017  # DS20001801J 5.4: largest difference between two nodes
_QUEUE_FRAMES = 64


def frame_bits(frame):
    """Bits on the wire of a frame, with the most stuff bits and the intermission."""
    size = 0 if frame[3] else 8 * len(frame[1])
    stuffed = size + (_STUFFED_EXTENDED if frame[2] else _STUFFED_STANDARD)
    return stuffed + _UNSTUFFED + (stuffed - 1) // 4


def _arbitration(frame):
    """The frame's arbitration field as a number: the lower one wins."""
    identifier, _, extended, remote = frame
    if extended:
        low = (identifier & 0x3FFFF) << 1 | remote
        return (identifier >> 18) << 21 | 3 << 19 | low  # SRR and IDE are recessive
    return identifier << 21 | remote << 20


class CanBus:
    """One wire at `bit_rate` (bits per second). `shorted`: CANH and CANL touch."""

    def __init__(self, bit_rate=500000):
        self.bit_rate = bit_rate
        self.shorted = False
        self.time_us = 0
        self._nodes = []
        self._waiting = []  # nodes with something to send or recovering
        self._frame = None  # on the wire
        self._sender = None
        self._done_us = 0

    def join(self, node):
        self._nodes.append(node)
        node.bus = self
        return node

    def request(self, node):
        """A node has something to send, or time to wait for."""
        if node not in self._waiting:
            self._waiting.append(node)

    def bits_us(self, bits):
        return bits * 1000000 // self.bit_rate

    def advance(self, elapsed_us):
        end_us = self.time_us + elapsed_us
        while self._frame is not None or self._waiting:
            if self._frame is None and not self._start(end_us):
                break
            if self._done_us > end_us:
                break
            self.time_us = max(self.time_us, self._done_us)
            self._finish(end_us)
        self.time_us = end_us

    def _start(self, end_us):
        """Let the waiting nodes arbitrate; False if none of them may send before end_us."""
        while True:
            best = best_key = wake_us = None
            losers = []
            for node in list(self._waiting):
                if node.quiet_until_us > self.time_us:
                    wake_us = min(wake_us or node.quiet_until_us, node.quiet_until_us)
                    continue
                frame = node.offer()
                if frame is None:
                    self._waiting.remove(node)
                    continue
                # A node with a cut wire hears nobody: it must not win over those connected.
                key = _arbitration(frame) + (0 if node.connected else 1 << 40)
                if best_key is None or key < best_key:
                    if best is not None:
                        losers.append(best)
                    best, best_key, self._frame = node, key, frame
                else:
                    losers.append(node)
            if best is not None:
                break
            if wake_us is None or wake_us > end_us:
                return False
            self.time_us = wake_us
        for node in losers:
            node.lost_arbitration()
        self._sender = best
        best.on_wire = self._frame
        self._done_us = self.time_us + self.bits_us(frame_bits(self._frame))
        return True

    def _finish(self, end_us):
        """The frame on the wire ends: acknowledged and received, or an error."""
        frame, sender = self._frame, self._sender
        self._frame = self._sender = None
        if sender.on_wire is not frame:
            return  # the sender was reset meanwhile
        others = [
            node
            for node in self._nodes
            if node is not sender and node.connected and sender.connected
        ]
        heard = [node for node in others if node.acknowledges() and self._in_time(node)]
        if heard and self._in_time(sender) and not self.shorted:
            sender.on_wire = None
            sender.sent(frame)
            for node in others:
                if self._in_time(node):
                    node.receive(frame)
                else:
                    node.receive_error()
            return
        for node in others:
            if not self._in_time(node):
                node.receive_error()
        # Alone on the wire only the acknowledgement is missing; otherwise its bits are wrong.
        silence = not self.shorted and (not heard or not sender.connected)
        attempt_us = self.bits_us(frame_bits(frame) + _ERROR_FRAME_BITS)
        count = 1
        if len(self._waiting) == 1:
            count += max(0, end_us - self.time_us) // attempt_us
        made = sender.failed(count, attempt_us, self.time_us, silence)
        self.time_us += (made - 1) * attempt_us + self.bits_us(_ERROR_FRAME_BITS)

    def _in_time(self, node):
        if node.bit_rate is None:
            return True
        return abs(node.bit_rate - self.bit_rate) <= _RATE_TOLERANCE * self.bit_rate


class CanPort:
    """A well-behaved node: `send` queues a frame, `listener(identifier, data, extended, remote)`
    hears every frame of the others. For the inverter and the bridge to the outside."""

    bit_rate = None
    quiet_until_us = 0

    def __init__(self, listener):
        self.listener = listener
        self.connected = True
        self.bus = None  # set by CanBus.join
        self.on_wire = None
        self._queue = []

    def send(self, identifier, data, extended=False, remote=False):
        """Queue a frame; False if the queue is full, as it gets on a broken wire."""
        if len(self._queue) >= _QUEUE_FRAMES:
            return False
        self._queue.append((identifier, bytes(data), bool(extended), bool(remote)))
        self.bus.request(self)
        return True

    def offer(self):
        return self._queue[0] if self._queue else None

    def sent(self, frame):
        self._queue.pop(0)

    def failed(self, count, attempt_us, now_us, silence):
        """The outside gives a frame up at once; a stale limit is worth less than none."""
        self.on_wire = None
        self._queue.pop(0)
        return 1

    def lost_arbitration(self):
        """Nothing to note: the frame stays queued."""

    def receive(self, frame):
        self.listener(*frame)

    def receive_error(self):
        """Its bit rate is always right."""

    def acknowledges(self):
        return True
