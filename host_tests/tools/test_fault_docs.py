"""docs/faults.md: every fault, under what the firmware blocks for it, with published times."""

import json
import re

from bms.faults import Faults
from bms.sample import GATE_CHARGE, GATE_DISCHARGE
from cellsteward import fault_docs, generated_docs

_HEADINGS = {
    "Blocks charging and discharging": GATE_CHARGE | GATE_DISCHARGE,
    "Blocks charging": GATE_CHARGE,
    "Blocks discharging": GATE_DISCHARGE,
    "Blocks nothing": 0,
}
_TIMES_PAGE = generated_docs.DOCS / "worst-case-times.md"
_BOUND = re.compile(r"\[(\d+) ms\]\(worst-case-times\.md#([a-z-]+)\)")


def _published() -> dict[str, tuple[int, list[str]]]:
    """Fault: what the page says that it blocks, and the cells of its row."""
    found = {}
    for section in fault_docs.PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        for line in body.splitlines() if heading in _HEADINGS else ():
            if line.startswith("| `"):
                name, *cells = [cell.strip() for cell in line.strip("|").split(" | ")]
                assert name not in found, "a fault stands there twice"
                found[name.strip("` ")] = (_HEADINGS[heading], cells)
    return found


def test_the_page_is_what_the_code_says():
    text = fault_docs.generate()
    assert generated_docs.run(fault_docs.PAGE, text, ["--check"]) == 0, "run 'make docs'"


def test_every_fault_stands_under_what_the_firmware_blocks_for_it():
    faults, published = Faults(), _published()
    assert len(published) == len(faults)
    for bit in range(len(faults)):
        name = faults.names.name(bit)
        blocks, (advice, latching, *_) = published[name]
        assert blocks == faults.blocks[bit], name
        assert latching == ("**yes**" if faults.latching[bit] else "no"), name
        assert advice == faults.advice(bit), name


def test_whatever_blocks_something_says_how_soon():
    silent = [name for name, (blocks, cells) in _published().items() if blocks and not cells[3]]
    assert not silent


def test_each_time_is_the_bound_that_the_linked_table_publishes():
    sections = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"): body
        for heading, _, body in (
            part.partition("\n")
            for part in _TIMES_PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
        )
    }
    count = 0
    for name, (_, cells) in _published().items():
        for bound, anchor in _BOUND.findall(cells[3]):
            rows = [row for row in sections[anchor].splitlines() if f"| `{name}` |" in row]
            bounds = [int(found) for row in rows for found in re.findall(r"\| (\d+): ", row)]
            assert int(bound) == max(bounds), name
            count += 1
    data = json.loads(fault_docs.TIMES.read_text(encoding="utf-8"))
    assert count >= len({row["fault"] for row in data["rows"] if row["fault"]})
