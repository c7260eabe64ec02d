"""Pages for people with parts that are generated from the code.

A generated part stands between two marker lines, so that prose and tables live in one page:

    <!-- generated: NAME -->
    ...
    <!-- end: NAME -->
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cellsteward import ROOT

DOCS = ROOT / "docs"


class MarkerError(ValueError):
    """A page lacks a marker of a generated part; the text says which."""


def with_parts(page: str, parts: Mapping[str, str]) -> str:
    """The text of `page` with every part of `parts` (name: Markdown) in its place."""
    for name, body in parts.items():
        begin = f"<!-- generated: {name} -->\n"
        end = f"<!-- end: {name} -->"
        before, found_begin, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise MarkerError(f"write the lines '{begin.strip()}' and '{end}' into the page")
        page = f"{before}{begin}\n{body.strip()}\n\n{end}{after}"
    return page


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def run(page: Path, text: str, arguments: Sequence[str]) -> int:
    """Write `text` to `page`; with --check only say whether it is there. Returns an exit code."""
    name = page.relative_to(ROOT)
    if "--check" not in arguments:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.read_text(encoding="utf-8") == text:
        return 0
    print(f"{name} is not what the code says: run 'make docs'", file=sys.stderr)
    return 1
