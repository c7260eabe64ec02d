"""Words of MicroPython's own, from words.txt, which says where they come from."""

from functools import cache
from itertools import chain
from pathlib import Path

_WORDS = Path(__file__).with_name("words.txt")
_FIRST_NUMBERED = 7


def words() -> tuple[tuple[str, ...], frozenset[str]]:
    """Words that a program may use for names of its own, and words that it may not."""
    found = _sections()
    reserved = frozenset(found["asked for"] + found["hardware"])
    return tuple(word for word in found["free"] if word not in reserved), reserved


def known() -> frozenset[str]:
    """All words of MicroPython's that are listed: some object of its own may have that name."""
    return frozenset(chain.from_iterable(_sections().values()))


def numbered(number: int) -> str:
    """The word that has this number in every .mpy file, or "?"."""
    found = _sections()["numbered"]
    place = number - _FIRST_NUMBERED
    return found[place] if 0 <= place < len(found) else "?"


@cache
def _sections() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    section: list[str] = []
    for line in _WORDS.read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            section.extend(line.split())
    return sections
