"""Gives files short names, all in one folder.

MicroPython keeps the name, the last part of it and the path of every file that was ever imported,
also of what was given back long ago: 80 bytes each, and 150 more for each package. A file whose
name is a word of MicroPython's own leaves nothing but its path.

Kept are the names of packages, of what files outside import or name, and all whose beginning
stands in a string: somebody makes a name of it (`"console." + name`).
Limits: a string that is the name of one of our modules means that module.
"""

import ast
from collections.abc import Iterable, Iterator
from itertools import chain, product
from string import ascii_uppercase

from cellsteward.shrinking.program import Module
from cellsteward.shrinking.words import words


def file_names(
    files: Iterable[str], modules: dict[str, Module], users: Iterable[ast.Module]
) -> dict[str, str]:
    """The new name of each file; the same for those that keep theirs."""
    outside = set(chain.from_iterable(map(_named, users)))
    said = set(chain.from_iterable(_strings(module.tree) for module in modules.values()))
    begun = tuple(text for text in said - set(modules) if "." in text.lstrip("."))
    free = _words()
    return {
        name: name if _is_kept(name, outside, begun, modules) else next(free)
        for name in sorted(files)
    }


def _is_kept(
    name: str, outside: set[str], begun: tuple[str, ...], modules: dict[str, Module]
) -> bool:
    is_package = any(other.startswith(name + ".") for other in modules)
    return is_package or "." not in name or name in outside or name.startswith(begun)


def _words() -> Iterator[str]:
    """Words in capitals, free ones first: no module of MicroPython's is called so."""
    found = sorted((word for word in words()[0] if word.isupper()), key=len)
    return chain(found, map("".join, product(ascii_uppercase, repeat=2)))


def _named(tree: ast.Module) -> Iterator[str]:
    """The modules that a file imports, and whatever its strings say."""
    yield from _strings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _strings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
