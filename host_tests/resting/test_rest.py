"""A rest that fails costs power, and nothing else."""

import asyncio
import sys
from types import SimpleNamespace

from resting import rest


def test_a_request_that_fails_is_not_tried_again_every_second(monkeypatch, capsys):
    async def no_room(_application):
        raise MemoryError

    monkeypatch.setattr(rest, "fetched", no_room)
    monkeypatch.setattr(sys, "print_exception", print, raising=False)
    application = SimpleNamespace(
        asked_to_ship=True, resting="this task", quiet_s=60, resting_state=[1]
    )
    asyncio.run(rest.rest(application, None))
    assert not application.asked_to_ship
    assert application.resting is None
    assert application.quiet_s < 0
    assert application.resting_state == [0]
    assert "stays awake" in capsys.readouterr().out
