"""Generates docs/compatibility.md: each profile, what was tried, against what evidence.

From docs/compatibility.json, which `make compatibility` writes from test results, and from what
the profiles themselves say is UNVERIFIED.
Usage: python -m cellsteward.compatibility_docs [--check]
"""

import json
import re
import sys

from cellsteward.can_layout import layout, period_ms, profile_module, profile_names
from cellsteward.generated_docs import DOCS, run, table, with_parts

PAGE = DOCS / "compatibility.md"
RESULTS = DOCS / "compatibility.json"

# How the evidence of a test begins, and its column
_BATTERY = "a real battery"
_COLUMNS = (
    (_BATTERY, "Frames of a real battery, byte for byte"),
    ("the document", "The maker's document: fields and bits of alarms"),
    ("one independent implementation", "Another implementation"),
    ("an independent decoder", "An independent decoder (cantools)"),
    ("`cellsteward decode`", "A strict reader"),
    ("the rules", "The rules for packs that are not measured"),
    ("on a simulated bus", "An inverter of its family, on a simulated bus"),
    ("the whole firmware", "The same, with the whole firmware"),
)


def generate() -> str:
    """The whole page as it should be."""
    parts = {"profiles": _profiles(), "evidence": _evidence(), "unverified": _unverified()}
    return with_parts(PAGE.read_text(encoding="utf-8"), parts)


def _profiles() -> str:
    lines = []
    for name in profile_names():
        module = profile_module(name)
        frames = " ".join(f"{message.identifier:03X}" for message in layout(module))
        about = _about(name).partition("\n\n")[0].replace("\n", " ")
        lines.append([f"`{name}`", about, frames, f"{period_ms(module)} ms"])
    return table(("Profile", "What it is", "Frames", "Sent every"), lines)


def _evidence() -> str:
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))
    lines = []
    for name in profile_names():
        own = [row for row in rows if row["profile"] == name]
        lines.append([f"`{name}`", *(_cell(own, against) for against, _ in _COLUMNS)])
    return table(("Profile", *(title for _, title in _COLUMNS)), lines)


def _cell(rows: list[dict], against: str) -> str:
    """What the tests came to, and against whom if that differs."""
    found = [row for row in rows if row["against"].startswith(against)]
    if not found:
        return "-"
    failed = sum(row["failed"] for row in found)
    text = f"{sum(row['passed'] for row in found)} passed"
    if failed:
        text += f", **{failed} failed**"
    if against == _BATTERY:
        text += f" ({found[0]['against'].partition('(')[2]}"
    return text


def _unverified() -> str:
    lines = []
    for name in profile_names():
        text = " ".join(_about(name).split())
        for found in re.finditer(
            r"[^.:;(]*\bUN(?:VERIFIED|RESOLVED)\b[^.]*(?:\.[^ .][^.]*)*\.", text
        ):
            lines.append([f"`{name}`", found[0].strip(" ();")])
    return table(("Profile", "What is not sure"), lines)


def _about(name: str) -> str:
    return (profile_module(name).__doc__ or "").strip()


if __name__ == "__main__":
    sys.exit(run(PAGE, generate(), sys.argv[1:]))
