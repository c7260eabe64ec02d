"""Gives the program's names words that MicroPython has anyway.

A name that is new to MicroPython takes about 20 bytes of heap for ever: its text and its row in
the table of names. A word of MicroPython's own takes none, and a word that one file uses for many
names stands once in that file's table. So names that never meet share a word:

- globals meet in a file, and with whatever the bodies of its classes bind;
- attributes meet in a class and those that it inherits from; those of a class that asks others for
  what it has not (`__getattr__`) meet all;
- arguments meet in a function and those inside it; they have words of their own, because a
  function's globals meet them there. Other locals of a function have no name on a board.

Kept are names that the world outside knows: those of other files, of MicroPython, of hardware, of
exceptions (people read them), and whatever a string says, because it may be looked up.
Limits: an attribute belongs to a class that mentions it as its own or as `self.name`; a name that
is looked up stands in a string as a whole, or between its dots.
"""

import ast
import builtins
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, product

from cellsteward.shrinking.file_names import file_names
from cellsteward.shrinking.program import Global, Module, Scope
from cellsteward.shrinking.things import Things
from cellsteward.shrinking.words import words

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DOTTED = re.compile(r"[\w.]+")
_ARGUMENT_WORDS = 40


class Names:
    """The word of every global, attribute, argument and file."""

    def __init__(self, things: Things, users: Iterable[ast.Module]):
        self._things = things
        users = list(users)
        self.files = file_names(things.files, things.modules, users)
        modules = things.modules.values()
        free, reserved = words()
        self._used = set(chain.from_iterable(map(_identifiers, users)))
        asked = self._used | set(chain.from_iterable(_said(module.tree) for module in modules))
        asked |= self._looked_at()
        used = asked | set(chain.from_iterable(_identifiers(module.tree) for module in modules))
        pool = [word for word in chain(free, _made()) if word not in used]
        kept = asked | reserved | set(free) | self._foreign()
        self.arguments = self._argument_words(pool[:_ARGUMENT_WORDS], kept)
        self.globals = self._global_words(pool[_ARGUMENT_WORDS:], asked)
        taken = {self.globals[found] for found in self._in_classes()}
        self.attributes = self._attribute_words([w for w in pool if w not in taken], kept)

    def _looked_at(self) -> set[str]:
        """Names at the top of modules that may be handed around, which are asked of something."""
        asked = {
            place.name
            for module in self._things.modules.values()
            for place in module.attributes
            if place.name[0] != "_" and self._things.attribute_meant(place) is None
        }
        return asked & set(
            chain.from_iterable(
                self._things.modules[name].top.bound for name in self._things.files
            )
        )

    def _foreign(self) -> set[str]:
        """Names that are asked of modules that are not ours."""
        return {
            place.name
            for module in self._things.modules.values()
            for place in module.attributes
            if isinstance(place.node, ast.Attribute) and isinstance(place.node.value, ast.Name)
            if place.node.value.id in module.top.origins
            if self._things.attribute_meant(place) is None
        }

    def _argument_words(self, pool: list[str], kept: set[str]) -> dict[str, str]:
        homes: dict[str, set[object]] = {}
        for module in self._things.modules.values():
            for place in module.names:
                if place.name in place.scope.arguments and isinstance(place.node, ast.arg):
                    homes.setdefault(place.name, set()).update(_functions(place.scope))
        return _shared(homes, pool, kept)

    def _global_words(self, pool: list[str], asked: set[str]) -> dict[Global, str]:
        homes: dict[Global, set[object]] = {}
        for module in self._things.modules.values():
            file = self._things.file_of[module.name]
            for found in self.globals_in(module):
                homes.setdefault(found, set()).update((file, self._things.file_of[found.module]))
        # In a file of several modules the same name may mean several things: then none keeps it.
        alone = Counter((self._things.file_of[found.module], found.name) for found in homes)
        raised = set(chain.from_iterable(map(_exceptions, self._things.modules.values())))
        kept = {
            found: found.name
            for found in homes
            if found.name[:2] == "__"
            or (found.module in self._things.files and found.name in asked)
            or (
                found.name in raised | self._used
                and alone[self._things.file_of[found.module], found.name] == 1
            )
        }
        for found in kept:
            if hasattr(builtins, found.name):
                raise SyntaxError(f"{found.module} has a {found.name}, which is Python's own")
        named = _shared({found: homes[found] for found in homes if found not in kept}, pool, set())
        return kept | named

    def globals_in(self, module: Module) -> Iterator[Global]:
        """The global of each place in a module where one stands."""
        for place in module.names:
            owner = place.scope.owner(place.name)
            found = None if owner is None else self._things.meant(owner, place.name)
            if found is not None:
                yield found
        for place in module.attributes:
            found = self._things.attribute_meant(place)
            if found is not None:
                yield found
        for node, scope in module.imports:
            for alias in node.names:
                found = self._things.meant(scope, alias.asname or alias.name)
                if found is not None:
                    yield found
                if node.module in self._things.modules:
                    top = self._things.modules[node.module].top
                    found = self._things.meant(top, alias.name)
                    if found is not None:
                        yield found

    def _in_classes(self) -> Iterator[Global]:
        """Globals that bodies of classes read: what is bound there must not hide them."""
        for module in self._things.modules.values():
            for place in module.names:
                if place.scope.kind == "class":
                    owner = place.scope.owner(place.name)
                    found = None if owner is None else self._things.meant(owner, place.name)
                    if found is not None:
                        yield found

    def _attribute_words(self, pool: list[str], kept: set[str]) -> dict[str, str]:
        family = self._families()
        everywhere = set(family.values())
        homes: dict[str, set[object]] = {}
        given: set[str] = set()
        for module in self._things.modules.values():
            for scope in module.classes:
                for name in scope.bound:
                    homes.setdefault(name, set()).add(family[scope])
            for place in module.attributes:
                if not isinstance(place.node.ctx, ast.Load):  # pyright: ignore
                    scope = place.scope.classy()
                    if ast.unparse(place.node.value) == "self" and scope in family:  # pyright: ignore
                        homes.setdefault(place.name, set()).add(family[scope])
                    elif self._things.attribute_meant(place) is None:
                        given.add(place.name)
        asking = {family[scope] for scope in family if "__getattr__" in scope.bound}
        for name in given | set(homes):
            if name not in homes or not asking.isdisjoint(homes[name]):
                homes[name] = set(everywhere)
        return _shared(homes, pool, kept)

    def _families(self) -> dict[Scope, Scope]:
        """For each class one of those that it inherits from or that inherit from it."""
        family = {scope: scope for m in self._things.modules.values() for scope in m.classes}
        at = {Global(scope.module, scope.node.name): scope for scope in family if scope.node}
        for scope in list(family):
            for base in scope.node.bases if scope.node else ():
                parent = self._parent(base, scope)
                if parent in at:
                    first, other = family[at[parent]], family[scope]
                    family = {key: first if old is other else old for key, old in family.items()}
        return family

    def _parent(self, base: ast.expr, scope: Scope) -> Global | None:
        if not isinstance(base, ast.Name):
            raise SyntaxError(f"{scope.module}: what a class inherits from has to be a name")
        owner = (scope.parent or scope).owner(base.id)
        return None if owner is None else self._things.meant(owner, base.id)


def _made() -> Iterator[str]:
    letters = chain.from_iterable(product(_LETTERS, repeat=length) for length in (1, 2, 3))
    return (word for word in map("".join, letters) if not keyword.iskeyword(word))


def _identifiers(tree: ast.Module) -> Iterator[str]:
    """Every name in a module, also those in strings."""
    for node in ast.walk(tree):
        for value in vars(node).values():
            if isinstance(value, str):
                yield from value.split(".")
            elif isinstance(value, list):
                yield from (name for name in value if isinstance(name, str))


def _said(tree: ast.Module) -> Iterator[str]:
    """Names in strings: they may be looked up."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and _DOTTED.fullmatch(text):
            yield from text.split(".")


def _exceptions(module: Module) -> Iterator[str]:
    """Classes that inherit from an exception of Python's."""
    for scope in module.classes:
        for base in scope.node.bases if scope.node else ():
            if isinstance(base, ast.Name) and hasattr(builtins, base.id):
                yield scope.node.name  # pyright: ignore


def _functions(scope: Scope | None) -> Iterator[Scope]:
    """A function and those around it."""
    while scope is not None:
        if scope.kind == "function":
            yield scope
        scope = scope.parent


def _shared(homes: dict, pool: Iterable[str], kept: set[str]) -> dict:
    """A word for each name: those that share a home get different ones, others what there is.
    First those with most homes: they are the hardest to place."""
    taken: dict[str, set[object]] = {}
    found = {}
    pool = list(pool)
    for name in sorted(homes, key=lambda name: (-len(homes[name]), str(name))):
        if str(name) in kept or str(name)[:2] == "__" or name == "_":
            found[name] = name
            continue
        found[name] = next(w for w in pool if taken.get(w, set()).isdisjoint(homes[name]))
        taken.setdefault(found[name], set()).update(homes[name])
    return found
