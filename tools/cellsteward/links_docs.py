"""Generates the tables of docs/links.md from links.verdict_rows, links.peer_rows and what was
measured of the links' turns.

Usage: python -m cellsteward.links_docs [--check]
The turns are in docs/link-turns.json: python -m host_tests.bench.turns --out docs/link-turns.json
"""

import json
import sys

from bms.table import rows
from cellsteward.generated_docs import DOCS, run, table, with_parts
from links.diagnosis import LINKS
from links.peer_rows import ROWS as PEER_ROWS
from links.verdict_rows import ROWS as VERDICT_ROWS

PAGE = DOCS / "links.md"
TURNS = DOCS / "link-turns.json"

_WORDS = ("CAN", "RS485", "Modbus TCP", "Bluetooth")
_TITLES: dict[str, str] = dict(zip(LINKS, _WORDS, strict=True))


def generate() -> str:
    """The whole page as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    return with_parts(page, {"verdicts": _verdicts(), "peers": _peers(), "turns": _turns()})


def _verdicts() -> str:
    lines = []
    for number, (links, _, _, _, name, meaning, check) in enumerate(rows(VERDICT_ROWS)):
        shown = ", ".join(_TITLES[link] for link in links.split())
        lines.append([str(number), f"`{name}`", shown, meaning, check])
    return table(("Value", "Name", "Link", "What it means", "What to check next"), lines)


def _peers() -> str:
    lines = [[str(at), f"`{row[0]}`", row[1], row[2]] for at, row in enumerate(rows(PEER_ROWS))]
    return table(("Value", "Name", "Who", "Known by"), lines)


def _turns() -> str:
    data = json.loads(TURNS.read_text(encoding="utf-8"))
    titles = ("Link", "Longest, ms", *(f"< {high} ms" for high in data["bins_ms"]))
    lines = [
        [name, str(data["longest_ms"][name]), *map(str, counts)]
        for name, counts in data["turns"].items()
    ]
    return table(titles, lines)


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
