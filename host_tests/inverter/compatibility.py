"""Runs what speaks for each inverter profile, and writes down what came out, for docs/.

    python -m host_tests.inverter.compatibility [--out docs/compatibility.json]

A test says what it tries and against what evidence by the marker `evidence(tried, against)`; its
profile is its parameter `profile`, or the marker's keyword `profiles`. The page is made from the
file by cellsteward.compatibility_docs.
"""

import argparse
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = (
    "host_tests/inverter",
    "host_tests/tools/test_decode.py",
    "host_tests/system/test_inverters.py",
)


class Collector:
    """results: (profile, tried, against) to [passed, failed]."""

    def __init__(self):
        self.results = {}
        self._meaning = {}

    def pytest_collection_modifyitems(self, items):
        chosen = []
        for item in items:
            marks = list(item.iter_markers("evidence"))
            if marks:
                chosen.append(item)
                self._meaning[item.nodeid] = (marks, getattr(item, "callspec", None))
        items[:] = chosen

    def pytest_runtest_logreport(self, report):
        if report.when != "call" and not report.failed:
            return
        marks, parameters = self._meaning[report.nodeid]
        for mark in marks:
            profiles = mark.kwargs.get("profiles")
            if profiles is None:
                profiles = (parameters.params["profile"],)
            for profile in profiles:
                row = self.results.setdefault((profile, *mark.args), [0, 0])
                row[not report.passed] += 1


def main(arguments):
    """Run the tests, write the file; the exit code is pytest's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "compatibility.json")
    options = parser.parse_args(arguments)
    collector = Collector()
    code = pytest.main(["-q", *(str(ROOT / test) for test in TESTS)], plugins=[collector])
    rows = [
        {"profile": key[0], "tried": key[1], "against": key[2], "passed": good, "failed": bad}
        for key, (good, bad) in sorted(collector.results.items())
    ]
    options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
