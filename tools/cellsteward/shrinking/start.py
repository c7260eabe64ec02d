"""Finds what runs only while the application is built: constructors, and what only they call.

On a plain Pico a fifth of the loaded code and most of its texts are needed once. What is needed
only below the constructor of the application is start code; `start_file` makes a file of it, which
is forgotten when the application stands.
Start code is only what is certain to be: all places that mention it are start code, too, and plain
calls (of tables: whatever reads them). A method counts by its name, so no other class may have one
of that name, nor MicroPython, unless it is called on `self`.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from cellsteward.shrinking.program import Global, Module, Scope
from cellsteward.shrinking.things import Things
from cellsteward.shrinking.units import INIT, Mention, Unit, Units
from cellsteward.shrinking.words import known

APPLICATION = "Application"  # the class, in the module that is started


class Start:
    """units: what is start code; calls: for each call of one that has to change, by its id, the
    unit; root: the constructor of the application, or None: then there is no start code."""

    def __init__(self, things: Things, users: Iterable[ast.Module], root: str):
        self._things = things
        self._found = Units(things, root)
        modules = things.modules.values()
        self._parents = {
            id(child): node
            for module in modules
            for node in ast.walk(module.tree)
            for child in ast.iter_child_nodes(node)
        }
        self._bound = Counter(chain.from_iterable(map(_bound, modules)))
        self._ambiguous = _ambiguous(modules)
        application = self._found.classes.get(Global(root, APPLICATION))
        self.root = None if application is None else self._found.constructors.get(application)
        self.units = set() if self.root is None else self._start_code(self.root, list(users))
        self.calls = {
            id(mention.call): unit
            for unit in self.units
            for mention in unit.mentions
            if mention.call is not None and mention.inside in self.units and unit.scope
        }

    def _start_code(self, root: Unit, users: list[ast.Module]) -> set[Unit]:
        """The largest set of units that only the root and each other mention."""
        refused = self._asked_for(users)
        for module in self._things.modules.values():
            refused |= set(self._read(module))
        # What is at the top of a module and nobody mentions goes, too.
        units = {unit for unit in self._found.all() if unit.mentions or unit.scope is None}
        units = units - refused | {root}
        while True:
            kept = {unit for unit in units if unit is root or self._is_start(unit, units)}
            if kept == units:
                return units
            units = kept

    def _is_start(self, unit: Unit, units: set[Unit]) -> bool:
        """Whether it may be moved if `units` are: an object whose constructor is called later
        must not have an inherited one that is called at once."""
        bases = self._found.bases(unit.scope) or () if unit.name == INIT else ()
        inherited = {self._found.constructor(base) for base in bases} - {None}
        return inherited <= units and all(mention.inside in units for mention in unit.mentions)

    def _asked_for(self, users: list[ast.Module]) -> set[Unit]:
        """Units that somebody else may ask for, or that are not alike for all who do."""
        modules = self._things.modules.values()
        asked = set(chain.from_iterable(_strings(module.tree) for module in modules))
        asked |= set(chain.from_iterable(map(_identifiers, users)))
        made = set(chain.from_iterable(map(_made, users)))
        return {
            unit
            for unit in self._found.all()
            if (unit.name in asked and unit.name != INIT)
            or (unit.scope is None and self._changes(unit.module, unit.name))
            or (unit.scope is not None and not self._is_sure(unit.scope, unit.name, made))
        }

    def _is_sure(self, scope: Scope, name: str, made: set[str]) -> bool:
        if name == INIT:
            known_bases = self._found.bases(scope) is not None
            return known_bases and scope.node is not None and scope.node.name not in made
        return self._found.is_alone(scope)

    def _changes(self, module: str, name: str) -> bool:
        """Whether a name at the top of a module is bound more than once."""
        imported = self._things.modules[module].top.bound.get(name, 0)
        return max(self._bound[module, name], imported) > 1

    def _read(self, module: Module) -> Iterator[Unit]:
        """Note what a module mentions; yields what it mentions in a way that can not be moved."""
        for place in module.names:
            if isinstance(place.node, ast.Name) and isinstance(place.node.ctx, ast.Load):
                owner = place.scope.owner(place.name)
                if owner is None:
                    continue
                yield from self._mention(place.node, self._things.meant(owner, place.name))
                inside = self._found.inside.get(id(place.node))
                if inside and owner.parent is None and self._changes(owner.module, place.name):
                    yield inside
        for place in module.attributes:
            assert isinstance(place.node, ast.Attribute)
            found = self._things.attribute_meant(place)
            if found is not None:
                yield from self._mention(place.node, found)
            elif ast.unparse(place.node.value) == "super()":
                yield from self._mention_inherited(place.node, place.scope)
            else:
                yield from self._mention_method(place.node, place.scope)
        if module.name not in self._found.file:
            for node, _ in module.imports:
                for alias in node.names:
                    found = Global(node.module or "", alias.name)
                    yield from filter(None, [self._found.at_tops.get(found)])

    def _mention(self, node: ast.AST, found: Global | None) -> Iterator[Unit]:
        """A name, or an attribute of a module, that means something at the top of a module."""
        if found is None:
            return
        call = self._call(node)
        unit = self._found.at_tops.get(found)
        if unit is None and found in self._found.classes:
            if self._is_looked_at(node):
                return
            unit = self._found.constructor(self._found.classes[found])
        if unit is None:
            return
        unit.mentions.append(Mention(self._found.inside.get(id(node)), call))
        if call is None and not isinstance(unit.node, ast.Assign):
            yield unit

    def _mention_inherited(self, node: ast.Attribute, scope: Scope) -> Iterator[Unit]:
        """`super().name`; only a constructor may call the one that it inherits."""
        inside, call = self._found.inside.get(id(node)), self._call(node)
        bases = self._found.bases(scope.classy()) or ()
        units = [unit for unit in map(self._found.constructor, bases) if unit is not None]
        if node.attr == INIT and call is not None and units:
            units[0].mentions.append(Mention(inside, call))
            return
        yield from (*units, *filter(None, [inside]))

    def _mention_method(self, node: ast.Attribute, scope: Scope) -> Iterator[Unit]:
        """`thing.name`"""
        units = self._found.methods.get(node.attr, [])
        call = self._call(node)
        mention = Mention(self._found.inside.get(id(node)), call)
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            own = [unit for unit in units if unit.scope is scope.classy()]
            if own and call is not None:
                own[0].mentions.append(mention)
                return
        of_class = self._found.class_named(node.value, scope) is not None
        if call is None or of_class or node.attr in self._ambiguous:
            yield from units
            return
        for unit in units:
            unit.mentions.append(mention)

    def _call(self, node: ast.AST) -> ast.Call | None:
        """The call of what a node names, if there is one."""
        parent = self._parents.get(id(node))
        return parent if isinstance(parent, ast.Call) and parent.func is node else None

    def _is_looked_at(self, node: ast.AST) -> bool:
        """Whether a class is inherited from, asked for what it has, or compared with."""
        match self._parents.get(id(node)):
            case ast.ClassDef() | ast.Attribute() | ast.Call(func=ast.Name(id="isinstance")):
                return True
        return False


def _bound(module: Module) -> Iterator[tuple[str, str]]:
    """Module and name for each place that gives a name at its top a meaning."""
    for place in module.names:
        loaded = isinstance(getattr(place.node, "ctx", None), ast.Load)
        declared = isinstance(place.node, ast.Global | ast.Nonlocal)
        if not loaded and not declared and place.scope.owner(place.name) is module.top:
            yield module.name, place.name


def _ambiguous(modules: Iterable[Module]) -> set[str]:
    """Names that, asked of some object, may mean something else than the method of one class."""
    scopes = [scope for module in modules for scope in module.classes]
    homes = Counter(chain.from_iterable(scope.bound for scope in scopes))
    found = {*known(), *(name for name, count in homes.items() if count > 1)}
    for module in modules:
        found.update(module.top.bound)
        found.update(
            place.name
            for place in module.attributes
            if not isinstance(place.node.ctx, ast.Load)  # pyright: ignore
        )
    return found


def _strings(tree: ast.Module) -> Iterator[str]:
    """Texts, whole and between their dots: they may be looked up."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.split(".")


def _identifiers(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        yield from filter(None, (getattr(node, "id", None), getattr(node, "attr", None)))
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def _made(tree: ast.Module) -> Iterator[str]:
    """Names of classes of others that a text may make objects of."""
    imported = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)):
                yield name
            case ast.Call(func=ast.Name(id=name)) if name in imported:
                yield imported[name]
