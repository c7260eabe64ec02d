"""Links between our pages lead somewhere: the file is there, and so is the heading."""

import re
from pathlib import Path

import pytest

from cellsteward import ROOT

_FOLDERS = ("boards", "docs", "firmware", "host_tests", "tools")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for at in _FOLDERS for page in (ROOT / at).rglob("*.md"))]
)

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"#{1,6} +(.+)")


def _prose(page: Path) -> list[str]:
    """The lines of a page outside of fenced code."""
    lines, code = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            code = not code
        elif not code:
            lines.append(line)
    return lines


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def _anchors(page: Path) -> set[str]:
    """All anchors of a page; a heading that comes again gets a number."""
    found: dict[str, int] = {}
    for line in _prose(page):
        heading = _HEADING.match(line)
        if heading:
            anchor = _anchor(heading[1])
            found[anchor] = found.get(anchor, -1) + 1
    return {
        f"{anchor}-{at}" if at else anchor for anchor, n in found.items() for at in range(n + 1)
    }


def _targets(page: Path) -> list[str]:
    """Where the links and pictures of a page lead, addresses on the net left out."""
    text = "\n".join(_prose(page))
    # a picture that is itself a link has its target behind the picture's closing bracket
    found = [*_LINK.findall(text), *re.findall(r"\)\]\(([^)\s]+)\)", text)]
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


def _broken(page: Path) -> list[str]:
    broken = []
    for target in _targets(page):
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        if not other.exists():
            broken.append(f"{target}: no such file")
        elif anchor and other.suffix == ".md" and anchor not in _anchors(other):
            broken.append(f"{target}: no such heading")
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_the_page_leads_somewhere(page):
    assert not _broken(page)


def test_broken_links_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# A `name`, and (more)\n## Twice\n## Twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](other.md) [b](other.md#a-name-and-more) [c](other.md#twice-1) [d](#here)\n\n# Here\n"
        "[e, over\ntwo lines](gone.md) [f](other.md#twice-2)\n"
        "![g](gone.svg) [![h](other.md)](gone_too.md)\n"
        "```\n[i](not_looked_at.md)\n```\n[j](https://example.org/gone.md)\n"
    )
    assert _broken(page) == [
        "gone.md: no such file",
        "other.md#twice-2: no such heading",
        "gone.svg: no such file",
        "gone_too.md: no such file",
    ]


def test_the_index_names_every_page_and_the_readme_names_the_index():
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in _targets(index)}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {index}
    assert not sorted(str(page.relative_to(ROOT)) for page in pages - named)
    assert index in {
        (ROOT / link.partition("#")[0]).resolve() for link in _targets(ROOT / "README.md")
    }
