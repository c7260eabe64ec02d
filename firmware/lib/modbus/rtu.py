"""Modbus RTU slave on a UART: waits for requests, answers them, drives the transceiver.

Goals: an idle link costs nothing (the coroutine sleeps until bytes arrive); nothing waits busily;
what a noisy line brings is survived (see modbus.framing).
Timing (Modbus over serial line V1.02, 2.5.1.1): t3.5 is 3.5 characters up to 19200 baud, 1.75 ms
above. An answer starts t3.5 after its request was complete, which also gives the master time to
turn its own transceiver around.
Limits: 8 data bits, no parity, 1 stop bit. The UART must not wait in readinto (timeout=0); its
transmit buffer should hold 256 bytes, or answers go out in pieces. asyncio counts in
milliseconds, so the transceiver keeps the line up to 2 ms longer than the last bit, plus what
other coroutines take. It must not hear itself while it sends (tie /RE to DE), or the echo of a
function 06 answer looks like its request again.
Memory: buffers are made once; per request asyncio allocates a few small objects, bounded.
"""

import asyncio

from modbus.framing import Framer
from modbus.server import EXCEPTION_FLAG, MAX_ADU

_BITS_PER_BYTE = 10  # start, 8 data, stop
_FIXED_PAUSE_BAUD = 19200
_FIXED_PAUSE_MS = 2  # 1.75 ms in the specification
# Bytes that became no frame are forgotten after this silence: longer than the gaps that USB
# adapters (16 ms) and busy hosts put into a request, shorter than any master's time-out.
_IDLE_MS = 100
_SENDING_EXTRA_MS = 50  # how much longer than computed sending may take before it is given up


class RtuSlave:
    """Serves `server` on `uart` at `baud`; `transmit_enable(1)` and `(0)` switch the transceiver
    (None: it switches by itself). Counts requests for us, answers, and the exceptions in them."""

    def __init__(self, uart, baud, server, transmit_enable=None):
        self.requests = 0
        self.answers = 0
        self.exceptions = 0
        self._uart = uart
        self._baud = baud
        self._server = server
        self._transmit_enable = transmit_enable
        self._framer = Framer(server.address)
        self._response = bytearray(MAX_ADU)
        self._response_view = memoryview(self._response)
        if baud > _FIXED_PAUSE_BAUD:
            self._pause_ms = _FIXED_PAUSE_MS
        else:
            self._pause_ms = -(-3500 * _BITS_PER_BYTE // baud)

    @property
    def others(self):
        """Valid frames on the line that were no request for us."""
        return self._framer.others

    @property
    def crc_errors(self):
        """Bursts of bytes that were no valid frame."""
        return self._framer.crc_errors

    async def run(self):
        """Serve until cancelled. Raises OSError if the line itself is gone."""
        reader = asyncio.StreamReader(self._uart)
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
            length = framer.find(silent_ms > 0)
            if length:
                await asyncio.sleep_ms(self._pause_ms)
                await self._answer(length)
                continue
            if silent_ms >= _IDLE_MS:
                framer.clear()
                return
            await asyncio.sleep_ms(self._pause_ms)
            count = self._uart.readinto(framer.space())
            if count:
                framer.received(count)
                silent_ms = 0
            else:
                silent_ms += self._pause_ms

    async def _answer(self, length):
        framer = self._framer
        size = self._server.respond(framer.buffer, length, self._response, framer.start)
        framer.drop(length)
        self.requests += 1
        if size and await self._transmit(size):
            self.answers += 1
            if self._response[1] & EXCEPTION_FLAG:
                self.exceptions += 1

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
