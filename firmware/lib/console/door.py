"""Where a person comes in: waits for typing, and keeps the console in memory while somebody types.

Goals: idle costs nothing (the stream wakes it) and, after a minute, no memory either; a draft of
settings, a commissioning that goes on and half a line keep the console there.
"""

import asyncio

from bms.table import give_back

PROMPT = "> "
_GREETING = b"Cellsteward console. `status` says how the pack is, `help` lists all commands.\r\n> "
_CHUNK = 32  # bytes looked at between two turns of the other coroutines
_SILENCE_MS = 500  # a stream that wakes us without data (its far end is gone) is asked this often
_KEPT_S = 60  # without typing
_LENT = ("console", "lending", "line", "settings", "text", "usage")


class Door:
    """make(): a new console.console.Console; whoever calls `second` lets it go again.

    console: the one that is in memory while somebody types, or None.
    """

    def __init__(self, make):
        self._make = make
        self.console = None
        self._quiet_s = 0
        self._answering = False

    async def run(self, port):
        """Serve `port` (shaped like machine.UART, pollable) for ever. Raises OSError if the port
        is gone; whoever started it may start it again."""
        stream = asyncio.StreamReader(port)
        chunk = bytearray(_CHUNK)
        self.console = None  # whatever was typed before
        await _greet(stream)
        while True:
            self._answering = False
            count = await stream.readinto(chunk)
            if not count:
                await asyncio.sleep_ms(_SILENCE_MS)
                continue
            self._answering = True
            self._quiet_s = 0
            if self.console is None:
                self.console = self._make()
            await self.console.take(stream, chunk, count)

    def second(self):
        """A second passed."""
        self._quiet_s += 1
        console = self.console
        if console is None or self._answering or self._quiet_s < _KEPT_S or not console.idle():
            return
        self.console = None
        for name in _LENT:
            give_back("console." + name)


async def _greet(stream):
    stream.write(_GREETING)
    await stream.drain()
