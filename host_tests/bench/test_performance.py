"""docs/performance.md: the page fits its figures, and the figures fit this firmware."""

import json

import pytest

from cellsteward import generated_docs, performance_docs
from cellsteward.can_layout import profile_names
from host_tests.bench import performance, soak
from host_tests.bench.requests import REQUESTS
from host_tests.system.simulated_board import Run
from host_tests.wasm import build
from host_tests.wasm.test_wasm import HEAP_MAX, RESIDENT_MAX

# Opcodes differ between versions of Python, and code changes a little: then measure anew.
WITHIN = 0.15
PACKS = ((4, False), (8, False), (16, False), (16, True), (32, True))


@pytest.fixture(scope="module")
def kept():
    return json.loads(performance_docs.DATA.read_text(encoding="utf-8"))


def test_the_page_is_what_the_figures_say():
    text = performance_docs.generate()
    assert generated_docs.run(performance_docs.PAGE, text, ["--check"]) == 0, "run 'make docs'"


def test_every_part_pack_profile_and_request_is_there(kept):
    assert set(kept) == set(performance.PARTS)
    assert [(row["cells"], row["crc"]) for row in kept["steps"]] == list(PACKS)
    assert set(kept["frames"]) == set(profile_names())
    assert set(kept["requests"]) == set(REQUESTS)


@pytest.mark.parametrize(("cells", "crc"), PACKS)
def test_the_steps_shown_are_of_this_firmware(kept, cells, crc):
    shown = kept["steps"][PACKS.index((cells, crc))]
    now = performance.counted(cells, crc)
    for name in ("opcodes", "code_us", "total_us"):
        assert shown[name] == pytest.approx(now[name], rel=WITHIN), "run 'make bench'"
    for name in ("wire_bytes", "least_bytes"):
        assert shown[name] == now[name], "run 'make bench'"


def test_the_slow_path_shown_is_of_this_firmware(kept):
    now = performance.slow_path()
    for name, figures in kept["slow_path"].items():
        assert figures["mean_ms"] == pytest.approx(now[name]["mean_ms"], rel=2 * WITHIN)


def test_the_memory_shown_is_what_the_tests_of_the_build_allow(kept):
    """They measure it; here is only that the page is not of another age."""
    packages = kept["memory"]["packages"].values()
    assert kept["memory"]["from_mpy"] == pytest.approx(HEAP_MAX, rel=WITHIN)
    resident = sum(sizes["resident"] for sizes in packages)
    assert resident == pytest.approx(RESIDENT_MAX, rel=WITHIN)
    assert all(sizes["resident"] <= sizes["mpy"] for sizes in packages)


def test_the_least_on_the_bus_for_16_cells_and_no_sensors():
    """By hand: 0x03 to 0x3B is one read (no gap in it is longer than 3 bytes, except those of one
    byte's address), then 0x62-63, 0x68-69, 0x7F; and the alarm is cleared."""
    first = 3 + (0x3C - 0x03)
    apart = (3 + 2) + (3 + 2) + (3 + 1)
    assert performance.least_bytes(16, 0, 0, False) == first + apart + (2 + 2)


def test_crc_makes_gaps_dearer():
    """With CRC a byte costs two: 0x08 to 0x0A, three bytes between 0x07 and 0x0B, are left out."""
    reads = (0x07 - 0x03 + 1, 0x3C - 0x0B, 2, 2, 1)
    assert performance.least_bytes(16, 0, 0, True) == sum(3 + 2 * size for size in reads) + 2 + 4


def test_no_step_reads_less_than_the_least(kept):
    for row in kept["steps"]:
        assert row["least_bytes"] <= row["wire_bytes"] <= row["most_bytes"]


@pytest.mark.parametrize(("growth", "code"), [(1024, "met"), (1025, "**not met**")])
def test_what_is_beyond_a_budget_is_said(kept, growth, code):
    week = {**json.loads(performance_docs.SOAK.read_text()), "simulated_h": 168.0}
    page = performance_docs._budgets(kept, {**week, "heap_growth": growth})
    assert f"| none (1024 bytes) | {growth:+d} bytes in 168.0 h | {code} |" in page


def test_a_run_that_ended_early_shows_no_week(kept):
    part = {**json.loads(performance_docs.SOAK.read_text()), "simulated_h": 20.0, "heap_growth": 0}
    assert "| +0 bytes in 20.0 h | not shown: less than a week |" in performance_docs._budgets(
        kept, part
    )


def test_what_an_emulated_rp2040_found_is_shown(kept, tmp_path, monkeypatch):
    found = tmp_path / "rp2040.json"
    monkeypatch.setattr(performance_docs, "RP2040", found)
    assert "not measured yet" in performance_docs._boot(kept["simulated"])
    found.write_text('{"how": "emulated", "figures": {"Importing": "1.9 s"}}')
    assert "| Importing | 1.9 s | emulated |" in performance_docs._boot(kept["simulated"])


@pytest.mark.parametrize(
    ("notes", "growth"),
    [
        ([100, 500, 500, 9700, 500, 500, 500, 9700, 500], 0),  # lent code comes and goes
        ([100, 500, 510, 520, 530, 540, 550, 560, 570], 60),  # a leak does not
    ],
)
def test_a_soak_tells_growth_from_lent_code(notes, growth):
    end = {"t_s": 5400, "heap_bytes": notes, "steps": 54000, "real_s": 60.0, "speed": 90.0}
    points = {"soc_bp": 5000, "faults": []}
    run = Run(end=end, statuses=[{"points": points, "truth": {"soc_bp": 5050}}])
    told = soak.summary(run, 168, 250)
    assert (told["heap_first"], told["heap_growth"]) == (500, growth)
    assert (told["simulated_h"], told["asked_h"]) == (1.5, 168)


@pytest.mark.skipif(bool(build.missing()), reason=build.missing())
def test_both_builds_step_under_the_heap_lock():
    for rows in performance.timed():
        assert [(row["cells"], row["crc"]) for row in rows] == list(PACKS)
        assert all(row["firmware_us"] > 0 and row["wire_bytes"] > 0 for row in rows)
