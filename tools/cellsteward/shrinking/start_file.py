"""Makes the file of the start code: what `start` found, moved there when all names are given.

A constructor becomes a function that fills a bare object: `Cell(3)` is now `fill(Cell(), 3)`, and
a method's call `self.build(3)` is `build(self, 3)`. In the application's constructor stays what
imports the file, calls it, and forgets it: the next collection of garbage frees it.
"""

import ast
from collections.abc import Iterator

from cellsteward.shrinking.program import parsed
from cellsteward.shrinking.start import Start
from cellsteward.shrinking.units import INIT, Unit
from cellsteward.shrinking.words import words

Statements = list[tuple[str, ast.stmt]]


def moved(start: Start, statements: Statements, file: str, root: str) -> Statements:
    """The statements of the start file `file`, taken out of those of the file `root`. Both are
    pairs of a module and a statement of it."""
    return _Mover(start, statements, root).moved(file)


class _Mover:
    def __init__(self, start: Start, statements: Statements, root: str):
        assert start.root is not None
        self._start = start
        self._statements = statements
        self._root = root
        self._application = start.root
        taken = {name for _, statement in statements for name in _identifiers(statement)}
        fresh = (word for word in words()[0] if word not in taken)
        self._word = {
            unit: next(fresh) if unit.scope else ""
            for unit in sorted(start.units, key=lambda unit: (unit.module, unit.node.lineno))
        }

    def moved(self, file: str) -> Statements:
        """Take the units out; returns the statements of their file."""
        self._rewrite_calls()
        found = [(unit.module, self._taken(unit)) for unit in self._units()]
        self._statements[:] = [
            (module, statement)
            for module, statement in self._statements
            if not any(statement is moved for _, moved in found)
        ]
        self._leave_stub(file)
        return [*self._imports(found), *found]

    def _units(self) -> list[Unit]:
        """In the order of the file, in which tables rest on each other."""
        places = {
            id(node): place
            for place, (_, statement) in enumerate(self._statements)
            for node in ast.walk(statement)
        }
        return sorted(self._word, key=lambda unit: (places[id(unit.node)], unit.node.lineno))

    def _rewrite_calls(self) -> None:
        for unit in self._start.units:
            for node in ast.walk(unit.node):
                called = self._start.calls.get(id(node))
                if called is not None:
                    assert isinstance(node, ast.Call)
                    self._rewrite(node, called, unit)

    def _rewrite(self, call: ast.Call, called: Unit, inside: Unit) -> None:
        match call.func:
            case ast.Attribute(value=value) if ast.unparse(value) == "super()":
                thing: ast.expr = ast.Name(_self(inside), ast.Load())
            case ast.Attribute(value=value) if called.name != INIT:
                thing = value
            case maker:
                thing = ast.Call(maker, [], [])
        call.args.insert(0, thing)
        call.func = ast.Name(self._word[called], ast.Load())
        for node in (thing, call.func):
            ast.copy_location(node, call)

    def _taken(self, unit: Unit) -> ast.stmt:
        """The unit as a statement of the start file."""
        if unit.scope is None or unit.scope.node is None:
            return unit.node
        assert isinstance(unit.node, ast.FunctionDef | ast.AsyncFunctionDef)
        body = unit.scope.node.body
        body[body.index(unit.node)] = ast.copy_location(ast.Pass(), unit.node)
        if unit is self._application:
            stub = ast.FunctionDef(INIT, unit.node.args, [], [])
            body.append(ast.copy_location(stub, unit.node))
            self._stub = stub
        unit.node.name = self._word[unit]
        if unit.name == INIT:
            _return_self(unit.node)
        return unit.node

    def _leave_stub(self, file: str) -> None:
        stub, word = self._stub, self._word[self._application]
        arguments = ", ".join(argument.arg for argument in stub.args.args)
        text = (
            f"from {file} import {word}\n"
            f"import sys\n"
            f"{word}({arguments})\n"
            f"sys.modules.pop('{file}')\n"
        )
        stub.body = ast.parse(text).body
        for statement in stub.body:
            for node in ast.walk(statement):
                ast.copy_location(node, stub)

    def _imports(self, found: Statements) -> Statements:
        """What the start file needs of the other."""
        other = parsed(self._root, _text(self._statements)).top.bound
        module = parsed("", _text(found))
        missing = {place.name for place in module.names if place.scope.owner(place.name) is None}
        names = [ast.alias(name) for name in sorted(missing & set(other))]
        return [("", ast.ImportFrom(self._root, names, 0))] if names else []


def _self(unit: Unit) -> str:
    assert isinstance(unit.node, ast.FunctionDef | ast.AsyncFunctionDef)
    return unit.node.args.args[0].arg


def _return_self(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Let a constructor return its object, at its end and where it returns early."""
    name = node.args.args[0].arg
    for inner in ast.walk(node):
        if isinstance(inner, ast.Return):
            inner.value = ast.copy_location(ast.Name(name, ast.Load()), inner)
    node.body.append(ast.Return(ast.Name(name, ast.Load()), lineno=0, col_offset=0))


def _identifiers(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        for value in vars(node).values():
            if isinstance(value, str):
                yield value


def _text(statements: Statements) -> str:
    tree = ast.Module([statement for _, statement in statements], [])
    return ast.unparse(ast.fix_missing_locations(tree))
