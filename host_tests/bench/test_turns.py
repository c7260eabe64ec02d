"""The links leave the processor to others: no turn over 20 ms, and requests cost no memory."""

import json

import pytest

from cellsteward.links_docs import TURNS
from host_tests.bench import requests, turns
from host_tests.wasm import build


@pytest.fixture(scope="module")
def measured():
    return turns.measure()


def test_no_turn_of_any_link_is_longer_than_20_ms(measured):
    for name, times in measured.items():
        assert max(times) < turns.LIMIT_MS, name
        assert sum(turns.histogram(times)) == len(times)


def test_requests_of_all_languages_were_really_served(measured):
    assert sum(ms > 1 for ms in measured["rs485"]) > 25 * turns.SECONDS


def test_noise_between_the_requests_does_not_stretch_a_turn():
    """Garbage that looks like the beginning of everything."""
    noise = (b"\x01\x10\x10\x00\x00\x3c\x78" + b"~2002" + b"\xdd\xa5\x03") * 12
    counted = turns.Turns()
    turns.serial_turns(counted, noise, seconds=1)
    assert max(counted.turns["rs485"]) < turns.LIMIT_MS


@pytest.mark.parametrize("language", ["MODBUS", "JBD", "PYLONTECH"])
def test_a_language_alone_loads_what_another_would_have_lent_it_in_pieces(language, monkeypatch):
    """Tables that all need are loaded by the first of them."""
    for other in {"MODBUS", "JBD", "PYLONTECH"} - {language}:
        monkeypatch.setattr(turns, other, ("",) if other == "MODBUS" else (b"",))
    counted = turns.Turns()
    turns.serial_turns(counted, seconds=1)
    assert sum(ms > 1 for ms in counted.turns["rs485"]) > 5
    assert max(counted.turns["rs485"]) < turns.LIMIT_MS


def test_the_page_shows_a_histogram_of_this_firmware(measured):
    """Within half: opcodes differ between versions of Python, and code changes a little."""
    shown = json.loads(TURNS.read_text(encoding="utf-8"))
    assert shown["bins_ms"] == list(turns.BINS_MS)
    for name, times in measured.items():
        assert shown["longest_ms"][name] == pytest.approx(max(times), rel=0.5, abs=1)


@pytest.mark.skipif(bool(build.missing()), reason=build.missing())
def test_no_request_that_reads_allocates(tmp_path):
    counts = requests.allocated(tmp_path)
    assert set(counts) == set(requests.REQUESTS)
    assert set(counts.values()) == {0}
