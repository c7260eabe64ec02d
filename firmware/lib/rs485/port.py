"""A port on RS485: waits for requests in any of its languages, answers, drives the transceiver.

Goals: an idle link costs nothing (the coroutine sleeps until bytes arrive); nothing waits busily;
what a noisy line brings is survived, and one request gets one answer in its own language (see
links.framing, which also says what a language is). Here a language has besides
    respond(buffer, at, length, response)   puts the answer into `response`; its length, or 0
    peer, refused, damaged                  of the latest request, for links.diagnosis
Timing (Modbus over serial line V1.02, 2.5.1.1): t3.5 is 3.5 characters up to 19200 baud, 1.75 ms
above. An answer starts t3.5 after its request was complete, which also gives the master time to
turn its own transceiver around.
Limits: 8 data bits, no parity, 1 stop bit. The UART must not wait in readinto (timeout=0); its
transmit buffer should hold 256 bytes, or answers go out in pieces. asyncio counts in
milliseconds, so the transceiver keeps the line up to 2 ms longer than the last bit, plus what
other coroutines take. It must not hear itself while it sends (tie /RE to DE), or the echo of a
Modbus function 06 answer looks like its request again.
Memory: buffers are made once; per request asyncio allocates a few small objects, bounded.
"""

import asyncio

from links.diagnosis import CRC_ERRORS, FRAMES_OUT, REFUSED, RS485, STOPPED, TIMEOUTS
from links.framing import BUSY, IDLE, MAX_FRAME, PAUSED, Framer

_BITS_PER_BYTE = 10  # start, 8 data, stop
_FIXED_PAUSE_BAUD = 19200
_FIXED_PAUSE_MS = 2  # 1.75 ms in the specification
# Bytes that became no frame are forgotten after this silence: longer than the gaps that USB
# adapters (16 ms) and busy hosts put into a request, shorter than any master's time-out.
_IDLE_MS = 100
_SENDING_EXTRA_MS = 50  # how much longer than computed sending may take before it is given up


class Port:
    """Serves `languages` on `uart` at `baud`; `transmit_enable(1)` and `(0)` switch the
    transceiver (None: it switches by itself). Counts on the RS485 link of `diagnosis`."""

    def __init__(self, uart, baud, languages, diagnosis, transmit_enable=None):
        self._uart = uart
        self._baud = baud
        self._diagnosis = diagnosis
        self._transmit_enable = transmit_enable
        self._framer = Framer(languages, diagnosis, RS485)
        self._response = bytearray(MAX_FRAME)
        self._response_view = memoryview(self._response)
        if baud > _FIXED_PAUSE_BAUD:
            self._pause_ms = _FIXED_PAUSE_MS
        else:
            self._pause_ms = -(-3500 * _BITS_PER_BYTE // baud)

    async def run(self):
        """Serve until cancelled. Raises OSError if the line itself is gone."""
        self._diagnosis.open(RS485)
        self._diagnosis.tell(RS485, STOPPED, False)
        try:
            await self._listen(asyncio.StreamReader(self._uart))
        except OSError:
            self._diagnosis.tell(RS485, STOPPED, True)
            raise

    async def _listen(self, reader):
        while True:
            count = await reader.readinto(self._framer.space())
            if count:
                self._framer.received(count)
                await self._serve()
            else:  # readable, but empty: a closed socket, and it stays so
                await asyncio.sleep_ms(_IDLE_MS)

    async def _serve(self):
        """Answer what has arrived and what follows, until nothing is left to become a frame."""
        framer = self._framer
        silent_ms = 0
        while framer.pending():
            length = framer.find(PAUSED if silent_ms > 0 else BUSY)
            if not length and silent_ms >= _IDLE_MS:
                length = framer.find(IDLE)
                if not length:
                    framer.clear()
                    return
            if length and framer.language.asleep:
                for _ in framer.language.wake():
                    await asyncio.sleep_ms(0)
                framer.look_again()
                continue
            if length:
                await asyncio.sleep_ms(self._pause_ms)
                await self._answer(length)
                continue
            await asyncio.sleep_ms(self._pause_ms)
            count = self._uart.readinto(framer.space())
            if count:
                framer.received(count)
                silent_ms = 0
            else:
                silent_ms += self._pause_ms

    async def _answer(self, length):
        framer = self._framer
        language = framer.language
        size = language.respond(framer.buffer, framer.start, length, self._response)
        framer.drop(length)
        self._diagnosis.heard(RS485, language.peer)
        self._diagnosis.tell(RS485, REFUSED, language.refused)
        if language.damaged:
            self._diagnosis.count(CRC_ERRORS, RS485)
        if size:
            sent = await self._transmit(size)
            self._diagnosis.count(FRAMES_OUT if sent else TIMEOUTS, RS485)

    async def _transmit(self, size):
        """Send `size` bytes of the response. False if the UART did not take them in time."""
        switch = self._transmit_enable
        if not switch:
            return await self._write(size)
        switch(1)
        try:
            written = await self._write(size)
            if written:
                # One more for the division, one because a sleep may begin late in its millisecond.
                await asyncio.sleep_ms(self._sending_ms(size) + 2)
                await self._wait_until_sent()
            return written
        finally:
            switch(0)

    def _sending_ms(self, size):
        return size * 1000 * _BITS_PER_BYTE // self._baud

    async def _write(self, size):
        left_ms = self._sending_ms(size) + _SENDING_EXTRA_MS
        sent = 0
        while left_ms > 0:
            sent += self._uart.write(self._response_view[sent:size]) or 0
            if sent >= size:
                return True
            await asyncio.sleep_ms(self._pause_ms)
            left_ms -= self._pause_ms
        return False

    async def _wait_until_sent(self):
        """The time for sending is over; if the UART knows better, believe it for a while.

        rp2's txdone says yes while the last byte is still on its way (docs of machine.UART.flush),
        hence one more millisecond after it: a character at 9600 baud.
        """
        txdone = getattr(self._uart, "txdone", None)
        if txdone is None or txdone():
            return
        for _ in range(_SENDING_EXTRA_MS):
            await asyncio.sleep_ms(1)
            if txdone():
                break
        await asyncio.sleep_ms(2)
