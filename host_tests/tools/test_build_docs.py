"""docs/build.md and docs/faults.md name only what the firmware knows."""

import re

import pytest

from bms.faults import Faults
from bms.parameter_rows import ROWS as PARAMETER_ROWS
from bms.point_rows import ROWS as POINT_ROWS
from bms.table import rows
from boards.sim.fault_rows import ROWS as INJECTED
from cellsteward import build_docs, fault_docs
from console.commands import COMMANDS

_PAGES = (build_docs.PAGE, fault_docs.PAGE)
_by_name = pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)


def _quoted(page):
    """What a page quotes as typed or shown, files left out."""
    texts = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))
    return [text for text in texts if "/" not in text and not text.endswith((".json", ".md"))]


@_by_name
def test_every_setting_value_and_fault_exists(page):
    faults = Faults()
    known = {faults.names.name(bit) for bit in range(len(faults))}
    known |= {row[1] for row in rows(PARAMETER_ROWS)} | {row[0] for row in rows(POINT_ROWS)}
    named = {
        name for text in _quoted(page) for name in re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", text)
    }
    assert named
    assert not sorted(named - known)


@_by_name
def test_every_command_exists(page):
    commands = {row[0] for row in COMMANDS} | {"cellsteward", "make"}
    typed = {text.split()[0] for text in _quoted(page) if re.match(r"[a-z]+ [a-z0-9]", text)}
    assert typed
    assert not sorted(typed - commands)


def test_the_rehearsal_injects_a_fault_that_exists():
    wanted = re.findall(r"--fault (\w+)", build_docs.PAGE.read_text(encoding="utf-8"))
    assert wanted
    assert set(wanted) <= {row[0] for row in INJECTED}
