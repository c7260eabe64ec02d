"""asyncio's sleep on a clock of ours: sleeping moves the clock, nothing waits for real."""

import asyncio

TICKS_PERIOD = 1 << 30  # as on the boards


class End(BaseException):
    """The time of a run is over. Like a cancellation, no service may catch it."""


class VirtualTime:
    """A clock for one coroutine. `listeners` are called with the milliseconds of each sleep."""

    def __init__(self, start_ms=0):
        self.now_ms = start_ms  # never wraps; ticks do
        self.end_ms = None
        self.listeners = []
        self.oversleep_ms = 0  # every sleep lasts this much longer, as on a busy board

    def ticks_ms(self):
        return self.now_ms % TICKS_PERIOD

    @staticmethod
    def ticks_diff(late, early):
        half = TICKS_PERIOD // 2
        return (late - early + half) % TICKS_PERIOD - half

    async def sleep_ms(self, milliseconds):
        assert milliseconds >= 0
        self.pass_ms(milliseconds + self.oversleep_ms)

    def pass_ms(self, milliseconds):
        """Let time pass, in a sleep or in a stall."""
        for _ in range(milliseconds):
            self.now_ms += 1
            for listener in self.listeners:
                listener(1)
        if self.now_ms >= self.end_ms:
            raise End

    def run(self, coroutine, duration_ms):
        """Run until `duration_ms` have passed. What the coroutine raises comes through."""
        self.end_ms = self.now_ms + duration_ms
        original = getattr(asyncio, "sleep_ms", None)
        asyncio.sleep_ms = self.sleep_ms
        try:
            coroutine.send(None)
        except End:
            return
        finally:
            coroutine.close()
            if original is None:
                del asyncio.sleep_ms
            else:
                asyncio.sleep_ms = original
