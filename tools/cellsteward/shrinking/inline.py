"""Puts a function that is called from one place there.

A function costs 45 bytes of heap beside what it does: its object, its row in a table, the code to
enter and to leave it. So what the source splits for its readers becomes one function again.

Put elsewhere are a method `_name` of a class that is alone (inherits from none, and none from it)
which another method of it calls on `self`, and a function of a module which another one there
calls. Neither caller nor called may wait (generators and coroutines keep their locals meanwhile),
and the called one has no functions inside.
Limits: a local is assigned before it is read; nobody asks for a function by a name that is made.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from cellsteward.shrinking.returns import Replacing, StaysError, as_statements

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_WAITS = ast.Yield | ast.YieldFrom | ast.Await
_INSIDE = (
    _FUNCTIONS | ast.ClassDef | ast.Lambda
    | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
)  # fmt: skip
_BINDS_OTHERWISE = ast.Global | ast.Nonlocal | ast.Import | ast.ImportFrom | ast.Delete


def inline(trees: Iterable[ast.Module], users: Iterable[ast.Module]) -> None:
    """Change the modules of a program; `users` are files that use them and stay as they are."""
    trees = list(trees)
    asked = set()
    for tree in users:
        asked |= set(_names_in(tree))
    for tree in trees:
        asked |= set(_said(tree))
    foreign = {name for tree in trees for name in _foreign(tree)}
    beside = {name for tree in trees for name in _attributes(tree)} | set(_imported(trees))
    parents = {
        ast.unparse(base) for tree in trees for node in _classes(tree) for base in node.bases
    }
    for tree in trees:
        for node in _classes(tree):
            if not node.bases and node.name not in parents:
                _Inliner(node, asked | foreign).run()
        _Inliner(tree, asked | beside).run()


class _Inliner:
    """The functions of a class or a module. Those in `kept` stay."""

    def __init__(self, home: ast.ClassDef | ast.Module, kept: set[str]):
        self._home = home
        self._is_class = isinstance(home, ast.ClassDef)
        self._kept = kept
        self._put: set[int] = set()  # ids of nodes that were put into callers
        self._spare: dict[str, set[str]] = {}  # names that were put into a caller, by its name

    def run(self) -> None:
        """Put one after the other elsewhere, until no more can be."""
        while True:
            found = next(self._candidates(), None)
            if found is None:
                return
            function, caller, call = found
            try:
                self._move(function, caller, call)
                self._home.body.remove(function)
            except StaysError:
                self._kept = self._kept | {function.name}

    def _candidates(self) -> Iterator[tuple[ast.FunctionDef, ast.FunctionDef, ast.Call]]:
        functions = [node for node in self._home.body if isinstance(node, ast.FunctionDef)]
        bound = Counter(_bound(self._home))
        mentions = Counter(_attributes(self._home) if self._is_class else _named(self._home))
        calls = {
            name: (caller, call) for caller in functions for name, call in self._calls(caller)
        }
        for function in functions:
            name = function.name
            once = bound[name] == 1 and mentions[name] == 1
            if once and name in calls and name not in self._kept and self._is_simple(function):
                caller, call = calls[name]
                if caller is not function and not _waits(caller):
                    yield function, caller, call

    def _calls(self, caller: ast.FunctionDef) -> Iterator[tuple[str, ast.Call]]:
        """Calls of functions here, with their names, but not those in functions inside."""
        for node in _own(caller):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                    if self._is_class and _first_argument(caller) == "self":
                        yield name, node
                case ast.Call(func=ast.Name(id=name)) if not self._is_class:
                    yield name, node

    def _is_simple(self, function: ast.FunctionDef) -> bool:
        found = function.args
        if self._is_class and not (function.name[0] == "_" != function.name[1]):
            return False
        return not (
            function.decorator_list
            or (self._is_class and _first_argument(function) != "self")
            or found.vararg
            or found.kwarg
            or found.kwonlyargs
            or not all(isinstance(value, ast.Constant) for value in found.defaults)
            or any(
                isinstance(node, _WAITS | _INSIDE | _BINDS_OTHERWISE)
                or (isinstance(node, ast.ExceptHandler) and node.name)
                for statement in function.body
                for node in ast.walk(statement)
            )
        )

    def _move(self, function: ast.FunctionDef, caller: ast.FunctionDef, call: ast.Call) -> None:
        """Put a function where it is called. Raises StaysError, and has changed nothing then."""
        values = self._arguments(function, call)
        spare = set() if id(call) in self._put else self._spare.get(caller.name, set())
        names = _new_names(function, caller, values, spare)
        before = [
            ast.copy_location(ast.Assign([_stored(names[name])], value), call)
            for name, value in values.items()
            if names[name] is not value
        ]
        body = [_Renaming(names).visit(copy.deepcopy(node)) for node in function.body]
        block, place = _place(caller, call)
        match body[1:] if _is_docstring(body[0]) else body:
            case [ast.Return(value=ast.expr() as value)] if not before:
                Replacing(call, value).visit(block[place])
                made = [block[place]] if id(call) in self._put else []
            case body:
                made = before + as_statements(body, block[place], call, caller)
                block[place : place + 1] = made
        self._put |= {id(node) for statement in made for node in ast.walk(statement)}
        fresh = {_text(names[name]) for name in names if names[name] is not values.get(name)}
        self._spare[caller.name] = self._spare.get(caller.name, set()) | fresh

    def _arguments(self, function: ast.FunctionDef, call: ast.Call) -> dict[str, ast.expr]:
        """What each argument is given."""
        names = [argument.arg for argument in function.args.args][self._is_class :]
        defaults = function.args.defaults
        missing = len(names) - len(call.args)
        if call.keywords or not 0 <= missing <= len(defaults) or _is_starred(call):
            raise StaysError
        given = [*call.args, *(defaults[-missing:] if missing else ())]
        return dict(zip(names, given, strict=True))


def _new_names(
    function: ast.FunctionDef,
    caller: ast.FunctionDef,
    values: dict[str, ast.expr],
    spare: set[str],
) -> dict[str, ast.expr]:
    """What each local of the function becomes in the caller."""
    ours, theirs = _locals(function), _locals(caller)
    free = set(_named(function)) - ours
    if free & theirs or any(isinstance(node, ast.Nonlocal) for node in ast.walk(caller)):
        raise StaysError
    taken = (theirs | set(_named(caller))) - spare | free
    changed = {node.id for node in ast.walk(function) if _is_stored(node)}
    found: dict[str, ast.expr] = {}
    for name in sorted(ours - {"self"}):
        value = values.get(name)
        is_lasting = isinstance(value, ast.Constant) or _text(value) in theirs
        if value is not None and is_lasting and name not in changed:
            found[name] = value
            continue
        new = name
        while new in taken:
            new += "_"
        taken.add(new)
        found[name] = ast.Name(new, ast.Load())
    return found


def _place(caller: ast.FunctionDef, call: ast.Call) -> tuple[list[ast.stmt], int]:
    """The block and the place in it of the innermost statement with a call."""
    found = None
    for node in ast.walk(caller):
        for _, block in ast.iter_fields(node):
            if isinstance(block, list):
                for place, inner in enumerate(block):
                    if isinstance(inner, ast.stmt) and any(
                        part is call for part in ast.walk(inner)
                    ):
                        found = block, place
    assert found is not None
    return found


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: dict[str, ast.expr]):
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self._names.get(node.id)
        if value is None:
            return node
        if isinstance(value, ast.Name):
            return ast.copy_location(ast.Name(value.id, node.ctx), node)
        return ast.copy_location(copy.deepcopy(value), node)


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _INSIDE):
            waiting += ast.iter_child_nodes(node)


def _waits(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, _WAITS) for node in _own(function))


def _locals(function: ast.FunctionDef) -> set[str]:
    found = {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
    for node in ast.walk(function):
        if _is_stored(node):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)


def _stored(name: ast.expr) -> ast.expr:
    assert isinstance(name, ast.Name)
    return ast.Name(name.id, ast.Store())


def _text(node: ast.AST | None) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _first_argument(function: ast.FunctionDef) -> str:
    return function.args.args[0].arg if function.args.args else ""


def _is_starred(call: ast.Call) -> bool:
    return any(isinstance(argument, ast.Starred) for argument in call.args)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _bound(home: ast.ClassDef | ast.Module) -> Iterator[str]:
    """What the body of a class or a module gives a meaning."""
    for statement in home.body:
        if isinstance(statement, _FUNCTIONS | ast.ClassDef):
            yield statement.name
        else:
            yield from (node.id for node in ast.walk(statement) if _is_stored(node))


def _named(tree: ast.AST) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _attributes(tree: ast.AST) -> Iterator[str]:
    return (node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def _foreign(tree: ast.Module) -> Iterator[str]:
    """Attributes that are asked of something else than `self`, or given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not (
            _text(node.value) == "self" and isinstance(node.ctx, ast.Load)
        ):
            yield node.attr


def _imported(trees: Iterable[ast.Module]) -> Iterator[str]:
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                yield from (alias.name for alias in node.names)


def _names_in(tree: ast.Module) -> Iterator[str]:
    """Every name that a file uses."""
    yield from _named(tree)
    yield from _attributes(tree)
    yield from _imported([tree])
    yield from _said(tree)


def _said(tree: ast.Module) -> Iterator[str]:
    """Names in strings: they may be looked up."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.split(".")
