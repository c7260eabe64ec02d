"""docs/safety.md: every hazard has its row of tests, every test that it names is there."""

import ast
import re

from host_tests.system.simulated_board import ROOT

PAGE = (ROOT / "docs" / "safety.md").read_text()
TESTS = ROOT / "host_tests"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
# Where no software can help, and the page says so.
WITHOUT_TESTS = {28, 30}


def rows(heading):
    """The numbered rows of the table under a heading: number, the other cells."""
    part = PAGE.split("\n## %s\n" % heading)[1].split("\n## ")[0]
    found = {}
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0].isdigit():
            assert int(cells[0]) not in found
            found[int(cells[0])] = cells[1:]
    return found


def functions_of(path):
    """Names of the test functions of a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_is_there():
    named = NAMED.findall(PAGE)
    assert len(named) > len(rows("Hazards"))
    missing = [
        "%s::%s" % (file, test)
        for file, test in named
        if not (TESTS / file).exists() or test not in functions_of(TESTS / file)
    ]
    assert missing == []


def test_every_hazard_says_what_acts_what_remains_and_which_test_shows_it():
    hazards, shown = rows("Hazards"), rows("The tests")
    assert list(hazards) == list(range(1, len(hazards) + 1))
    assert list(shown) == list(hazards)
    for number, cells in hazards.items():
        assert len(cells) == 4
        assert all(cells), number
        assert (not NAMED.findall(shown[number][0])) == (number in WITHOUT_TESTS), number


def test_the_topics_of_the_standard_point_to_hazards_that_are_there():
    part = PAGE.split("\n## IEC 62619, by topic\n")[1].split("\n## ")[0]
    hazards = rows("Hazards")
    for line in part.splitlines():
        if line.startswith("| ") and "---" not in line and "Clause or topic" not in line:
            here = line.split("|")[2]
            numbers = [int(number) for number in re.findall(r"\b\d+\b", here)]
            assert all(number in hazards for number in numbers), line


def test_the_page_claims_no_certification_and_says_that_no_hardware_was_tested():
    lead = " ".join(PAGE.split("\n## ")[0].replace(">", "").split())
    assert "No certification." in lead
    assert "nothing here claims that it complies" in lead
    assert "on a real pack nothing of this is verified yet" in lead
