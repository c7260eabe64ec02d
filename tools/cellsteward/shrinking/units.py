"""Takes a file apart into what could be somewhere else: functions, constructors, methods, tables.

Limits: no decorated functions and no functions inside functions: these could outlive the file that
they are moved to, and would keep all of it in memory.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from cellsteward.shrinking.program import Global, Module, Scope
from cellsteward.shrinking.things import Things

INIT = "__init__"

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_PLAIN = (
    *(ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Name, ast.UnaryOp, ast.BinOp),
    *(ast.expr_context, ast.unaryop, ast.operator),
)


@dataclass(eq=False)
class Unit:
    """What stays or goes as a whole; `scope` is its class, if it is a method."""

    module: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign
    name: str
    scope: Scope | None = None
    mentions: list["Mention"] = field(default_factory=list)


@dataclass(frozen=True)
class Mention:
    """A place that asks for a unit: the unit that it is in, and the call that it is, if so."""

    inside: Unit | None
    call: ast.Call | None


class Units:
    """The units of the file `root`: at_tops by what they are called, constructors by their class,
    methods by their name; and for each node inside one, by its id, that unit."""

    def __init__(self, things: Things, root: str):
        self.things = things
        self.file = things.files[root]
        self.at_tops: dict[Global, Unit] = {}
        self.constructors: dict[Scope, Unit] = {}
        self.methods: dict[str, list[Unit]] = {}
        self.inside: dict[int, Unit] = {}
        self.classes = {
            Global(scope.module, scope.node.name): scope
            for module in things.modules.values()
            for scope in module.classes
            if scope.node is not None
        }
        for name in self.file:
            self._take_apart(things.modules[name])
        for unit in self.all():
            self.inside |= {id(node): unit for node in ast.walk(unit.node)}

    def all(self) -> Iterator[Unit]:
        """Each of them."""
        yield from self.at_tops.values()
        yield from self.constructors.values()
        for units in self.methods.values():
            yield from units

    def constructor(self, scope: Scope) -> Unit | None:
        """What making an object of a class calls: its own constructor, or an inherited one."""
        if scope in self.constructors:
            return self.constructors[scope]
        found = (self.constructor(base) for base in self.bases(scope) or ())
        return next((unit for unit in found if unit is not None), None)

    def bases(self, scope: Scope | None) -> list[Scope] | None:
        """The classes that a class inherits from; None: one of them is not in this file."""
        found = []
        for base in scope.node.bases if scope and scope.node else ():
            parent = self.class_named(base, scope)
            if parent is None or parent.module not in self.file:
                return None
            found.append(parent)
        return found

    def class_named(self, node: ast.expr, scope: Scope | None) -> Scope | None:
        """The class that a name in a scope always is, if it is one of ours."""
        if not isinstance(node, ast.Name) or scope is None:
            return None
        owner = scope.owner(node.id)
        found = None if owner is None else self.things.meant(owner, node.id)
        return None if found is None else self.classes.get(found)

    def is_alone(self, scope: Scope | None) -> bool:
        """Whether a class inherits from none, and none from it."""
        return self.bases(scope) == [] and not any(
            self.class_named(base, other) is scope
            for other in self.classes.values()
            for base in (other.node.bases if other.node else ())
        )

    def _take_apart(self, module: Module) -> None:
        scopes = {id(scope.node): scope for scope in module.classes}
        for node in module.tree.body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() if _is_movable(node):
                    self._add(Unit(module.name, node, node.name))
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_plain(value):
                    self._add(Unit(module.name, node, name))
                case ast.ClassDef(body=body):
                    for inner in body:
                        if isinstance(inner, _Function) and _is_movable(inner):
                            self._add(Unit(module.name, inner, inner.name, scopes[id(node)]))

    def _add(self, unit: Unit) -> None:
        if unit.scope is None:
            self.at_tops[Global(unit.module, unit.name)] = unit
        elif unit.name == INIT:
            self.constructors[unit.scope] = unit
        else:
            self.methods.setdefault(unit.name, []).append(unit)


def _is_plain(value: ast.expr) -> bool:
    return all(isinstance(node, _PLAIN) for node in ast.walk(value))


def _is_movable(node: _Function) -> bool:
    lasting = ast.Lambda | _Function
    changing = ast.Global | ast.Nonlocal
    inner = [found for found in ast.walk(node) if isinstance(found, lasting | changing)]
    defaults = [value for value in (*node.args.defaults, *node.args.kw_defaults) if value]
    return inner == [node] and not node.decorator_list and all(map(_is_plain, defaults))
