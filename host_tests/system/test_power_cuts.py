"""The whole board loses its supply at a write of its flash: what a person sees after it.

A sample of all writes; `make power-cuts` plays each of them.
"""

import pytest

from host_tests.system.power_cuts import LOG_LINE, Cuts
from host_tests.system.simulated_board import run_board


@pytest.fixture(scope="module")
def cuts(tmp_path_factory):
    return Cuts(tmp_path_factory.mktemp("cuts"))


@pytest.mark.parametrize(("tenth", "part"), [(1, 0), (4, 100), (7, 4096), (9, 100)])
def test_the_log_goes_on_and_the_state_of_charge_is_within_half_a_percent(cuts, tenth, part):
    cuts.cut(cuts.writes * tenth // 10, part)


def test_the_console_tells_starts_with_their_causes_and_numbers_that_go_on(tmp_path):
    causes = (("power_on", "power on"), ("watchdog", "watchdog"), ("soft", "soft"))
    for cause, _ in causes:
        run = run_board(
            tmp_path, duration_s=12, reset_cause=cause, orders=[[10, {"console": "log 60\r"}]]
        )
    console = run.received["console"].decode().replace("\r", "")
    events = [(int(number), int(start), text) for number, start, text in LOG_LINE.findall(console)]
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert [start for _, start, _ in events] == sorted(start for _, start, _ in events)
    starts = [(start, text) for _, start, text in events if text.startswith("started after")]
    assert starts == [(at + 1, f"started after {words}") for at, (_, words) in enumerate(causes)]
