"""What every name in a program means: the parsed modules, and for each name in them its owner.

A name that a module binds at its top, or that it imports from there, is a global: one thing,
whatever it is called where. Other names are arguments, locals of a function, or belong to objects.
Limits: modules are imported as `from package import module` or `from package.module import name`,
never starred; what `__import__` loads is handed around as an object.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_COMPREHENSION = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class Global:
    """A name at the top of a module."""

    module: str
    name: str


class Scope:
    """The module, class or function that binds names; `origins` is where its imports come from."""

    def __init__(
        self,
        kind: str,
        module: str,
        parent: "Scope | None" = None,
        node: ast.ClassDef | None = None,
    ):
        self.kind = kind
        self.module = module
        self.parent = parent
        self.node = node
        self.bound: dict[str, int] = {}
        self.arguments: set[str] = set()
        self.elsewhere: dict[str, str] = {}  # declared global or nonlocal
        self.origins: dict[str, tuple[str, str]] = {}

    def bind(self, name: str) -> None:
        """Count one more place that gives `name` a meaning here."""
        self.bound[name] = self.bound.get(name, 0) + 1

    def owner(self, name: str) -> "Scope | None":
        """The scope that `name` means here; None: MicroPython's own."""
        scope: Scope | None = self
        if self.elsewhere.get(name) == "global":
            return self.top()
        while scope is not None:
            seen = scope.kind != "class" or scope is self
            if seen and name in scope.bound and scope.elsewhere.get(name) != "nonlocal":
                return scope
            scope = scope.parent
        return None

    def classy(self) -> "Scope | None":
        """The class that this is, or is inside of."""
        return self if self.kind == "class" or self.parent is None else self.parent.classy()

    def top(self) -> "Scope":
        """The module's scope."""
        return self if self.parent is None else self.parent.top()


@dataclass(frozen=True)
class Place:
    """Where a name stands: field `field` of `node`, its `index`-th one in a list; in `scope`."""

    node: ast.AST
    field: str
    scope: Scope
    index: int | None = None

    @property
    def name(self) -> str:
        """The name that stands there."""
        value = getattr(self.node, self.field)
        return value if self.index is None else value[self.index]

    def put(self, name: str) -> None:
        """Write another name there."""
        if self.index is None:
            setattr(self.node, self.field, name)
        else:
            getattr(self.node, self.field)[self.index] = name


@dataclass
class Module:
    """A parsed module and the places of its names, by kind."""

    name: str
    tree: ast.Module
    top: Scope
    names: list[Place] = field(default_factory=list)  # of variables: by their scope's owner
    attributes: list[Place] = field(default_factory=list)
    keywords: list[Place] = field(default_factory=list)
    imports: list[tuple[ast.ImportFrom, Scope]] = field(default_factory=list)
    classes: list[Scope] = field(default_factory=list)


def parsed(name: str, text: str) -> Module:
    """The module of a text, as `read` makes it."""
    return read(name, ast.parse(text, name.replace(".", "/") + ".py"))


def read(name: str, tree: ast.Module) -> Module:
    """The module of a tree, without docstrings and annotations, which MicroPython drops, too."""
    module = Module(name, tree, Scope("module", name))
    _Reader(module).read_body(tree.body, module.top)
    return module


class _Reader:
    """Walks a module once and notes its scopes and the places of its names."""

    def __init__(self, module: Module):
        self._module = module

    def read_body(self, body: list[ast.stmt], scope: Scope) -> None:
        """Statements of a module, class or function."""
        for first in body[:1]:
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                body[0] = ast.copy_location(ast.Pass(), first)
        for statement in body:
            self._read(statement, scope)

    def _read(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._bind(node, "name", scope)
                node.returns = None
                self._read_all(node.decorator_list, scope)
                self.read_body(node.body, self._arguments(node, scope))
            case ast.Lambda():
                self._read(node.body, self._arguments(node, scope))
            case ast.ClassDef():
                self._bind(node, "name", scope)
                self._read_all([*node.bases, *node.decorator_list], scope)
                inner = Scope("class", scope.module, scope, node)
                self._module.classes.append(inner)
                self.read_body(node.body, inner)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scope)
            case ast.Name():
                if not isinstance(node.ctx, ast.Load):
                    scope.bind(node.id)
                self._module.names.append(Place(node, "id", scope))
            case ast.Global() | ast.Nonlocal():
                for index, name in enumerate(node.names):
                    scope.elsewhere[name] = type(node).__name__.lower()
                    self._module.names.append(Place(node, "names", scope, index))
            case ast.ImportFrom() | ast.Import():
                self._import(node, scope)
            case _:
                self._other(node, scope)

    def _other(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.ExceptHandler(name=str()):
                self._bind(node, "name", scope)
            case ast.Attribute():
                self._module.attributes.append(Place(node, "attr", scope))
            case ast.keyword():
                self._module.keywords.append(Place(node, "arg", scope))
        self._read_all(ast.iter_child_nodes(node), scope)

    def _read_all(self, nodes, scope: Scope) -> None:
        for node in nodes:
            self._read(node, scope)

    def _bind(self, node: ast.AST, name_field: str, scope: Scope) -> None:
        place = Place(node, name_field, scope)
        scope.bind(place.name)
        self._module.names.append(place)

    def _arguments(self, node: Function, scope: Scope) -> Scope:
        """The scope of a function, its arguments bound; what they default to is of `scope`."""
        found = node.args
        defaults = [value for value in found.kw_defaults if value is not None]
        self._read_all([*found.defaults, *defaults], scope)
        inner = Scope("function", scope.module, scope)
        for argument in _each_argument(found):
            argument.annotation = None
            self._bind(argument, "arg", inner)
            inner.arguments.add(argument.arg)
        return inner

    def _comprehension(self, node: _COMPREHENSION, scope: Scope) -> None:
        inner = Scope("function", scope.module, scope)
        first, *others = node.generators
        self._read(first.iter, scope)
        self._read_all([first.target, *first.ifs, *others], inner)
        if isinstance(node, ast.DictComp):
            self._read_all([node.key, node.value], inner)
        else:
            self._read(node.elt, inner)

    def _import(self, node: ast.ImportFrom | ast.Import, scope: Scope) -> None:
        if isinstance(node, ast.ImportFrom):
            self._module.imports.append((node, scope))
        for alias in node.names:
            local = alias.asname or alias.name
            scope.bind(local)
            scope.origins[local] = (
                (node.module or "", alias.name) if isinstance(node, ast.ImportFrom) else ("", "")
            )


def _each_argument(found: ast.arguments) -> Iterator[ast.arg]:
    yield from (*found.posonlyargs, *found.args, *found.kwonlyargs)
    yield from (argument for argument in (found.vararg, found.kwarg) if argument is not None)
