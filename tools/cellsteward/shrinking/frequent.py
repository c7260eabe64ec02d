"""Puts the words that a file uses most at the beginning of its table of names.

A bytecode that names something holds the name's place in the table: one byte for the first 128,
two for the others. mpy-cross fills the table in the order in which it meets the names, so a block
at the top of the file that never runs names them in the wanted order; it is code of the module's
body, which is gone from memory once the file is imported.
"""

import ast
from collections import Counter

from cellsteward.shrinking.program import parsed

_SHORT_PLACES = 128


def with_frequent_first(name: str, text: str) -> str:
    """The same file, with such a block if it has more names than short places."""
    counts = _counts(name, text)
    if len(counts) <= _SHORT_PLACES:
        return text
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:_SHORT_PLACES]
    return "if not __name__:\n    %s\n%s" % (".".join(frequent), text)


def _counts(name: str, text: str) -> Counter[str]:
    """How often each name stands where bytecode holds it."""
    module = parsed(name, text)
    counts = Counter(place.name for place in module.attributes)
    for place in module.names:
        owner = place.scope.owner(place.name)
        if owner is None or owner.kind != "function" or isinstance(place.node, ast.arg):
            counts[place.name] += 1
    return counts
