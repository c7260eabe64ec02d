"""The compatibility page: every profile is there, and nothing failed when it was made."""

import json

from cellsteward import compatibility_docs
from cellsteward.can_layout import profile_names


def test_the_page_is_what_the_results_say():
    assert compatibility_docs.PAGE.read_text(encoding="utf-8") == compatibility_docs.generate()


def test_every_profile_was_tried_and_nothing_failed():
    rows = json.loads(compatibility_docs.RESULTS.read_text(encoding="utf-8"))
    assert {row["profile"] for row in rows} == set(profile_names())
    assert [row for row in rows if row["failed"] or not row["passed"]] == []


def test_what_is_unverified_is_said():
    text = compatibility_docs.generate()
    for name in ("byd_hv", "seplos", "sofar", "solark", "victron"):
        part = text.partition("## What is not sure")[2]
        assert f"| `{name}` |" in part
