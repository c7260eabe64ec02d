"""docs/compatibility.md: every lesson about inverters has its row, every test named is there."""

import re

from host_tests.field_lessons.test_safety_page import NAMED, TESTS, functions_of
from host_tests.system.simulated_board import ROOT

PART = (ROOT / "docs" / "compatibility.md").read_text().split("\n## What is shown, and where\n")[1]
LESSONS = 25  # field_lessons.md, "Inverter links"
NOTHING_TO_TEST = {20}


def test_every_test_that_the_page_names_is_there():
    missing = [
        f"{file}::{test}"
        for file, test in NAMED.findall(PART)
        if not (TESTS / file).exists() or test not in functions_of(TESTS / file)
    ]
    assert missing == []


def test_every_lesson_has_a_row_with_a_test_or_a_reason():
    numbers = []
    for line in PART.splitlines():
        found = re.match(r"\| ([\d, ]+) \|", line)
        if found:
            here = [int(number) for number in found[1].split(",")]
            numbers += here
            assert NAMED.search(line) or set(here) <= NOTHING_TO_TEST, line
    assert sorted(numbers) == list(range(1, 1 + LESSONS))
