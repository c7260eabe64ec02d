"""What a statement with a call becomes when the statements of the called function take its place.

Its returns become assignments, or ends of the caller, and an early one makes branches: what
follows `if test: return 1` becomes the other side of the `if`. Where that does not do (a return
inside a loop), the function stays one.
"""

import ast
import copy
from collections.abc import Callable

# The statements that take the place of a return; None: the end without one.
Sink = Callable[[ast.Return | None], list[ast.stmt]]


class StaysError(Exception):
    """A function that can not be put where it is called."""


def as_statements(
    body: list[ast.stmt], statement: ast.stmt, call: ast.Call, caller: ast.FunctionDef
) -> list[ast.stmt]:
    """The statements that a statement with a call becomes; body: of the called function, its names
    being the caller's. Raises StaysError."""
    match statement:
        case ast.Return() if statement.value is call:
            ends = [] if _ends(body) else [ast.copy_location(ast.Return(None), statement)]
            return body + ends
        case ast.Expr() if statement.value is call:
            return _without_returns(body, _dropped) or [ast.copy_location(ast.Pass(), statement)]
        case ast.Assign(targets=[target]) if statement.value is call:
            return _without_returns(body, lambda found: _assigned(target, found, statement))
    if not _is_first(call, statement):
        raise StaysError
    nodes = [node for part in (caller, *body) for node in ast.walk(part)]
    taken = {node.id for node in nodes if isinstance(node, ast.Name)}
    name = "found"
    while name in taken:
        name += "_"
    target = ast.Name(name, ast.Store())
    made = _without_returns(body, lambda found: _assigned(target, found, statement))
    Replacing(call, ast.Name(name, ast.Load())).visit(statement)
    return [*made, statement]


def _without_returns(block: list[ast.stmt], sink: Sink) -> list[ast.stmt]:
    """The same with `sink` in the place of each return. Raises StaysError."""
    for place, node in enumerate(block):
        before, rest = block[:place], block[place + 1 :]
        if isinstance(node, ast.Return):
            return before + sink(node)
        if isinstance(node, ast.Raise):
            return [*before, node]
        if any(isinstance(inner, ast.Return) for inner in ast.walk(node)):
            if not isinstance(node, ast.If):
                raise StaysError
            if rest and _ends(node.body):
                node.orelse = node.orelse + rest
            elif rest and _ends(node.orelse):
                node.body = node.body + rest
            elif rest:
                raise StaysError
            node.body = _without_returns(node.body, sink)
            node.orelse = _without_returns(node.orelse, sink)
            if not node.body:
                node.test = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
                node.body, node.orelse = node.orelse or [ast.copy_location(ast.Pass(), node)], []
            return [*before, node]
    return block + sink(None)


def _dropped(found: ast.Return | None) -> list[ast.stmt]:
    if found is None or found.value is None or isinstance(found.value, ast.Constant | ast.Name):
        return []
    return [ast.copy_location(ast.Expr(found.value), found)]


def _assigned(target: ast.expr, found: ast.Return | None, statement: ast.stmt) -> list[ast.stmt]:
    value = found.value if found and found.value else ast.Constant(None)
    made = ast.Assign([copy.deepcopy(target)], value)
    return [ast.copy_location(made, found or statement)]


def _ends(block: list[ast.stmt]) -> bool:
    """Whether a block always returns or raises."""
    match block[-1:]:
        case [ast.Return() | ast.Raise()]:
            return True
        case [ast.If(body=body, orelse=orelse)]:
            return _ends(body) and _ends(orelse)
    return False


def _is_first(call: ast.Call, statement: ast.stmt) -> bool:
    """Whether a call is the first that a statement does."""
    match statement:
        case ast.Assign() | ast.Return() | ast.Expr():
            node = statement.value
        case ast.If():
            node = statement.test
        case ast.For():
            node = statement.iter
        case _:
            return False
    while node is not call:
        match node:
            case ast.UnaryOp():
                node = node.operand
            case ast.BinOp() | ast.Compare():
                node = node.left
            case ast.BoolOp():
                node = node.values[0]
            case ast.IfExp():
                node = node.test
            case ast.Subscript() | ast.Attribute():
                node = node.value
            case ast.Call(func=ast.Name(), args=[first, *_]):
                node = first
            case _:
                return False
    return True


class Replacing(ast.NodeTransformer):
    """Puts a value in the place of a call."""

    def __init__(self, call: ast.Call, value: ast.expr):
        self._call = call
        self._value = value

    def visit(self, node: ast.AST) -> ast.AST:
        """What a node becomes."""
        return self._value if node is self._call else self.generic_visit(node)
