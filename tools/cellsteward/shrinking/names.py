"""Gives the program's names words that MicroPython has anyway.

A name that is new to MicroPython takes about 20 bytes of heap for ever: its text and its row in
the table of names. A word of MicroPython's own takes none. There are fewer of these than names in
the firmware, but names that never meet can share one.

Two names meet where they stand in the same module, or in modules whose classes inherit from one
another. So within a module each word means one thing, and a word on a board leads back to a name.
Kept are names that the world outside knows: those of other files, of MicroPython, of hardware, of
exceptions (people read them), and whatever a string says, because it may be looked up.
Limits: an attribute belongs to a class that mentions it; a name that is looked up stands in a
string as a whole, or between its dots.
"""

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain, product
from pathlib import Path

_WORDS = Path(__file__).with_name("words.txt")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DOTTED = re.compile(r"[\w.]+")


def renamed(
    modules: dict[str, str], users: Iterable[str] = ()
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The same modules with other names, and for each module what its new words stand for.
    `users` are texts that use the modules and keep their own names."""
    users = list(users)
    trees = {name: ast.parse(text) for name, text in modules.items()}
    free, reserved = words()
    kept = set(chain(free, reserved, keyword.kwlist, keyword.softkwlist, dir(builtins)))
    kept |= set(chain.from_iterable(name.split(".") for name in modules))
    for text in users:
        kept |= _names_and_strings(text)
    for tree in trees.values():
        kept |= _said(tree) | _foreign(tree, modules) | _exceptions(tree)
    ours = set(chain.from_iterable(_bound(tree) for tree in trees.values())) - kept
    ours = {name for name in ours if name and name[:2] != "__" and name != "_"}
    family = _families(trees)
    homes: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for name, text in modules.items():
        for token in _tokens(text):
            counts[token.string] += 1
            homes.setdefault(token.string, set()).add(family[name])
    everywhere = set(family.values())
    for name in _injected(trees.values()) & ours:
        homes[name] = everywhere
    short = _shared(
        [name for name, _ in counts.most_common() if name in ours],
        homes,
        set(counts).union(*map(_names_and_strings, users)),
        free,
    )
    return (
        {name: _rewritten(text, short) for name, text in modules.items()},
        {
            name: {short[token.string]: token.string for token in _tokens(text)
                   if token.string in short}
            for name, text in modules.items()
        },
    )  # fmt: skip


@cache
def words() -> tuple[tuple[str, ...], frozenset[str]]:
    """MicroPython's own words that a program may use, and words that it may not."""
    sections: dict[str, list[str]] = {}
    section: list[str] = []
    for line in _WORDS.read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            section.extend(line.split())
    reserved = frozenset(sections["asked for"] + sections["hardware"])
    return tuple(word for word in sections["free"] if word not in reserved), reserved


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token


def _names_and_strings(text: str) -> set[str]:
    return {token.string for token in _tokens(text)} | _said(ast.parse(text))


def _said(tree: ast.Module) -> set[str]:
    """Names in strings: they may be looked up."""
    return set(
        chain.from_iterable(
            node.value.split(".")
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _DOTTED.fullmatch(node.value)
        )
    )


def _foreign(tree: ast.Module, modules: dict[str, str]) -> set[str]:
    """Names that are asked of modules that are not ours, and names of modules."""
    packages = {name.split(".")[0] for name in modules}
    foreign = set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.update(alias.name.split("."))
                foreign.add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            path = (node.module or "").split(".")
            found.update(path)
            if path[0] not in packages:
                found.update(alias.name for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in foreign:
            found.add(node.attr)
    return found


def _exceptions(tree: ast.Module) -> set[str]:
    """Classes that inherit from an exception of Python's."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name) and hasattr(builtins, base.id)
    }


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that gets a meaning in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname
        elif isinstance(node, ast.ExceptHandler):
            yield node.name or ""


def _injected(trees: Iterable[ast.Module]) -> set[str]:
    """Attributes that are only ever given to objects from outside: of which class, nobody says."""
    declared: set[str] = set()
    given: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                own = isinstance(node.value, ast.Name) and node.value.id == "self"
                (declared if own else given).add(node.attr)
            elif isinstance(node, ast.ClassDef | ast.Module):
                declared.update(chain.from_iterable(map(_made, node.body)))
    return given - declared


def _made(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _families(trees: dict[str, ast.Module]) -> dict[str, str]:
    """For each module the first of those that its classes inherit from, or that inherit from its
    classes: their names meet in one object."""
    family = {name: name for name in trees}
    for name, tree in trees.items():
        for parent in _parents(tree):
            if parent in trees:
                first, other = sorted((family[name], family[parent]))
                family = {key: first if old == other else old for key, old in family.items()}
    return family


def _parents(tree: ast.Module) -> Iterator[str]:
    """Modules that classes of this one inherit from."""
    lenders = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                names = ast.unparse(base).split(".")
                module, name = lenders.get(names[0], ("", ""))
                yield module if len(names) == 1 else f"{module}.{name}"


def _shared(
    names: list[str], homes: dict[str, set[str]], used: set[str], free: Iterable[str]
) -> dict[str, str]:
    """A word for each name: names that meet get different ones, others share what there is."""
    letters = (product(_LETTERS, repeat=length) for length in (1, 2, 3))
    made = map("".join, chain.from_iterable(letters))
    candidates = [
        word for word in chain(free, made) if word not in used and not keyword.iskeyword(word)
    ]
    taken: dict[str, set[str]] = {}
    short = {}
    for name in names:
        short[name] = next(
            word for word in candidates if taken.get(word, set()).isdisjoint(homes[name])
        )
        taken.setdefault(short[name], set()).update(homes[name])
    return short


def _rewritten(text: str, short: dict[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    for token in reversed(list(_tokens(text))):
        if token.string in short:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + short[token.string] + line[token.end[1] :]
    return "".join(lines)
