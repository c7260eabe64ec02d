"""The test that measured each row of docs/worst-case-times.md, and what the page says of it.

By default each row runs once, at the phase at which it was slowest when the page was made, and
some with the worst stall before the step that decides; rows that take much simulated time are left
out. With CELLSTEWARD_TIMES=all every row is measured anew at other phases, with every stall.
"""

import json
import os
import random

import pytest

from bms.faults import Faults
from cellsteward import generated_docs, times_docs
from host_tests.times.measure import (
    PAGE_DATA,
    PERIOD_MS,
    SPREAD_MS,
    STALLS_MS,
    NotMeasured,
    measure,
    run_row,
    violations,
    worst_moments,
)
from host_tests.times.rows import BY_NAME, CHIP, ROWS
from host_tests.times.unmeasured import UNMEASURED

ALL = os.environ.get("CELLSTEWARD_TIMES") == "all"
SEED = 2  # other phases than the page's
PAGE = {row["name"]: row for row in json.loads(PAGE_DATA.read_text(encoding="utf-8"))["rows"]}
WORST = "write_worst"
HOLDOVER_PERIODS = 2  # it may end this much early, so as not to be over late


@pytest.mark.timeout(600 if ALL else 120)
@pytest.mark.parametrize("name", [name for name in BY_NAME if ALL or not BY_NAME[name].slow])
def test_the_gate_is_off_within_the_bound(name):
    row = BY_NAME[name]
    if ALL:
        draw = random.Random(f"{SEED} {name}")
        assert violations(measure(row, [draw.randrange(SPREAD_MS) for _ in range(10)])) == []
        return
    run = run_row(row, PAGE[name]["phase_ms"])
    assert row.delay_ms() - HOLDOVER_PERIODS * PERIOD_MS <= run.taken_ms <= row.bound_ms()


@pytest.mark.parametrize("name", ["cell_overvoltage", "afe_silent", "contactor_ramp"])
def test_a_stall_before_the_deciding_step_delays_it_by_its_length_at_most(name):
    row, phase_ms = BY_NAME[name], PAGE[name]["phase_ms"]
    quiet = run_row(row, phase_ms)
    stalled = run_row(row, phase_ms, STALLS_MS[WORST], worst_moments(row, quiet)[1])
    assert quiet.taken_ms + 300 < stalled.taken_ms <= row.bound_ms() + STALLS_MS[WORST]


def test_a_stall_that_begins_within_the_deciding_step_waits_for_its_end():
    row, phase_ms = BY_NAME["cell_overvoltage"], PAGE["cell_overvoltage"]["phase_ms"]
    quiet = run_row(row, phase_ms)
    assert run_row(row, phase_ms, 400, quiet.opened_ms - 5).taken_ms == quiet.taken_ms


def test_a_gate_that_does_not_open_is_no_measurement():
    row = BY_NAME["interlock_open"]
    never = type(row)(**{**row.__dict__, "settings": {"power_path": 1}})  # no loop connected
    with pytest.raises(NotMeasured, match="still on at the end"):
        run_row(never, 0)


def test_every_fault_that_opens_a_gate_is_measured_or_says_why_not():
    faults = Faults()
    opening = {faults.names.name(bit) for bit in range(len(faults)) if faults.blocks[bit]}
    measured = {row.fault for row in ROWS if row.fault}
    told = {row[0] for row in UNMEASURED}
    assert measured | told == opening
    assert not measured & told


def test_what_is_not_measured_names_a_test_that_exists():
    for _, _, _, test in UNMEASURED:
        assert (generated_docs.ROOT / test).is_file(), test


def test_the_page_has_every_row_with_the_bound_of_now():
    assert {name: page["bound_ms"] for name, page in PAGE.items()} == {
        row.name: row.bound_ms() for row in ROWS
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_no_published_time_breaks_its_bound(name):
    assert violations(PAGE[name]) == []


def test_a_time_beyond_its_bound_is_found():
    page = dict(PAGE["cell_overvoltage"])
    page["quiet_ms"] = page["bound_ms"] + 1
    assert len(violations(page)) == 1
    page["stalled_ms"] = {**page["stalled_ms"], WORST: page["bound_ms"] + 401}
    assert len(violations(page)) == 2


def test_the_software_is_measured_with_every_stall():
    for row in ROWS:
        if row.stalls and not row.hung:
            assert set(PAGE[row.name]["stalled_ms"]) == set(STALLS_MS)
        assert row.hung == (row.layer not in {"software", "software, off line"}), row.name
    assert any(row.layer == CHIP for row in ROWS)


def test_the_page_is_what_was_measured():
    text = times_docs.generate()
    assert generated_docs.run(times_docs.PAGE, text, ["--check"]) == 0, "run 'make docs'"
