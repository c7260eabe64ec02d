"""Which modules become one file: what is in memory for as long as the application is.

Every module costs its own tables, names and imports, about 200 bytes. The modules that the
application imports at its top, and these at theirs, stay for ever: they become one file with it,
in the order in which they would have been imported, so that everything happens in the same order.
What is imported later, inside a function, keeps its file, and takes in what only it needs.
Kept apart is a module that others ask for by its name: one that stands in a string (it is lent,
and given back), one that is handed around as an object, and one that a user imports, with what it
imports itself.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from cellsteward.shrinking.program import Module, Place, Scope


def files(modules: dict[str, Module], root: str, users: list[ast.Module]) -> dict[str, list[str]]:
    """For each file that remains the modules in it, in the order of their import, itself last."""
    lent = _lent(modules) | _handed_around(modules)
    asked = _imported(users) & set(modules) - {root}
    asked |= set(chain.from_iterable(_reached(name, modules, {root}) for name in asked))
    apart = lent | asked | {root}
    found = {root: _reached(root, modules, apart)}
    inside = set(found[root])
    later = sorted((_imported_later(modules) | asked) - inside - lent)
    reached = {name: _reached(name, modules, apart | inside | set(later)) for name in later}
    shared = Counter(chain.from_iterable(reached.values()))
    for name in later:
        found[name] = [other for other in reached[name] if shared[other] == 1]
    for name in modules:
        if not any(name in inner for inner in found.values()):
            found[name] = [name]
    return found


def _reached(root: str, modules: dict[str, Module], apart: set[str]) -> list[str]:
    """The modules that `root` brings into memory, in that order, without those kept apart."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        for lender in lenders(modules[name], modules):
            if lender not in order and lender not in apart:
                visit(lender)
        order[name] = None

    visit(root)
    return list(order)


def _imported_later(modules: dict[str, Module]) -> set[str]:
    """Modules that are imported inside functions."""
    return {
        name
        for module in modules.values()
        for node, scope in module.imports
        if scope is not module.top
        for alias in node.names
        for name in (f"{node.module}.{alias.name}", node.module or "")
        if name in modules
        and (name != node.module or f"{node.module}.{alias.name}" not in modules)
    }


def lenders(module: Module, modules: dict[str, Module]) -> Iterator[str]:
    """Modules of ours that a module imports at its top."""
    for node, scope in module.imports:
        if scope is module.top:
            for alias in node.names:
                for name in (f"{node.module}.{alias.name}", node.module or ""):
                    if name in modules:
                        yield name
                        break


def module_meant(place: Place, modules: dict[str, Module]) -> str | None:
    """The module that `name` of `name.attribute` at a place is, if it is one."""
    value = place.node.value if isinstance(place.node, ast.Attribute) else None
    if not isinstance(value, ast.Name):
        return None
    owner = place.scope.owner(value.id)
    return None if owner is None else module_named(owner, value.id, modules)


def module_named(owner: Scope, name: str, modules: dict[str, Module]) -> str | None:
    """The module that a name of a scope always is, or None."""
    package, inner = owner.origins.get(name, ("", ""))
    found = f"{package}.{inner}"
    return found if found in modules and owner.bound[name] == 1 else None


def _lent(modules: dict[str, Module]) -> set[str]:
    """Modules whose name stands in a string; of those that are only imported inside functions also
    the ones whose name begins like one: `"console." + name`."""
    said = {
        node.value
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value
    }
    at_tops = set(chain.from_iterable(lenders(module, modules) for module in modules.values()))
    return said | {
        name for name in set(modules) - at_tops if any(name.startswith(text) for text in said)
    }


def _imported(users: list[ast.Module]) -> set[str]:
    found: set[str] = set()
    for tree in users:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
    return found


def _handed_around(modules: dict[str, Module]) -> set[str]:
    """Modules whose name stands somewhere without asking it for an attribute."""
    found = set()
    for module in modules.values():
        asked = {id(place.node.value) for place in module.attributes}  # pyright: ignore
        for place in module.names:
            owner = place.scope.owner(place.name)
            if owner is not None and id(place.node) not in asked:
                found.add(module_named(owner, place.name, modules) or "")
    for module in modules.values():
        for node, scope in module.imports:
            for alias in node.names:
                local = alias.asname or alias.name
                name = f"{node.module}.{alias.name}"
                if name in modules and scope.bound[local] > 1:
                    found.add(name)
    return found
