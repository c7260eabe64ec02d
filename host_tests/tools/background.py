"""An asyncio loop in its own thread, so that blocking clients (pyserial, python-can) can be tested
against code that runs on a loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any


class BackgroundLoop:
    """Use it as a context manager; `call` runs a function on the loop and returns its result."""

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def run():
            result = function(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=10)
