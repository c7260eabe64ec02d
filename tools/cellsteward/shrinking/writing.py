"""Writes the files: modules of one file below each other, imports and names as they are now."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from cellsteward.shrinking.frequent import with_frequent_first
from cellsteward.shrinking.layout import module_meant
from cellsteward.shrinking.names import Names
from cellsteward.shrinking.program import Module, Scope
from cellsteward.shrinking.start import Start
from cellsteward.shrinking.start_file import moved
from cellsteward.shrinking.things import Things

_CLASS_EXTRAS = ("__module__", "__qualname__")  # py/compile.c, compile_scope of a class


@dataclass(frozen=True)
class Written:
    """A file's name, its text, and for each of its lines the module and the line that it comes
    from."""

    name: str
    text: str
    origins: list[tuple[str, int]]


def written(things: Things, names: Names, start: Start, root: str) -> dict[str, Written]:
    """Each file, by the name of its module in the source, and that of the start code."""
    found = _Writer(things, names).statements()
    if start.root is not None:
        file = f"{root}_start"
        found[file] = moved(start, found[root], file, root)
    return {
        file: _written(names.files.get(file, file), statements)
        for file, statements in found.items()
    }


def _written(file: str, statements: list[tuple[str, ast.stmt]]) -> Written:
    tree = ast.fix_missing_locations(ast.Module([statement for _, statement in statements], []))
    text = with_frequent_first(file, _with_bare_tuples(ast.unparse(tree) + "\n"))
    again = ast.parse(text).body
    again = again[len(again) - len(statements) :]
    origins = [("", 0)] * (text.count("\n") + 1)
    for (module, before), after in zip(statements, again, strict=True):
        for old, new in zip(_inside(before), _inside(after), strict=True):
            for line in range(new.lineno, (new.end_lineno or new.lineno) + 1):
                origins[line] = module, old.lineno
    return Written(file, text, origins)


def _with_bare_tuples(text: str) -> str:
    """The same without parentheses in `a, b = (b, a)`, where ast.unparse puts them: MicroPython
    makes a tuple for them on the heap, which the fast path must not touch, and none for
    `a, b = b, a` (py/compile.c, compile_expr_stmt)."""
    lines = text.encode().splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            line = lines[node.lineno - 1]
            start, end = node.value.col_offset, node.value.end_col_offset or 0
            if isinstance(node.targets[0], ast.Tuple):
                lines[node.lineno - 1] = line[:start] + line[start + 1 : end - 1] + line[end:]
    return b"".join(lines).decode()


def _inside(statement: ast.stmt) -> Iterator[ast.stmt | ast.ExceptHandler]:
    """A statement and those inside it, outer ones first."""
    for node in ast.walk(statement):
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            yield node


class _Writer:
    def __init__(self, things: Things, names: Names):
        self._things = things
        self._names = names

    def statements(self) -> dict[str, list[tuple[str, ast.stmt]]]:
        """The statements of each file, each with its module."""
        for module in self._things.modules.values():
            self._rewrite(module)
        return {
            file: [
                (name, statement)
                for name in inner
                for statement in self._things.modules[name].tree.body
                if not isinstance(statement, ast.Pass)
            ]
            for file, inner in self._things.files.items()
        }

    def _rewrite(self, module: Module) -> None:
        """Imports first: what they bind decides what names mean, and is read before it changes."""
        new: dict[int, list] = {}
        puts = []
        for node, scope in module.imports:
            new[id(node)] = self._import(node, scope, module)
        for place in module.attributes:
            found = self._things.attribute_meant(place)
            lender = module_meant(place, self._things.modules)
            if found is None or lender is None:
                puts.append((place, self._names.attributes.get(place.name, place.name)))
            elif self._things.together(lender, module.name):
                new[id(place.node)] = [ast.Name(self._names.globals[found], _context(place.node))]
            else:
                puts.append((place, self._names.globals[found]))
        for place in module.names:
            owner = place.scope.owner(place.name)
            if owner is None:
                continue
            found = self._things.meant(owner, place.name)
            if found is not None:
                puts.append((place, self._names.globals[found]))
            elif owner.kind == "class":
                puts.append((place, self._names.attributes[place.name]))
            elif place.name in owner.arguments:
                puts.append((place, self._names.arguments[place.name]))
        for place in module.keywords:
            if place.name is not None:
                puts.append((place, self._names.arguments.get(place.name, place.name)))
        for place, name in puts:
            place.put(name)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = self._names.files.get(node.value, node.value)
        _Replacing(new).visit(module.tree)
        for scope in module.classes:
            _without_extras(scope)
        if any(place.name in _CLASS_EXTRAS for place in module.attributes):
            raise SyntaxError(f"{module.name} asks a class for {' or '.join(_CLASS_EXTRAS)}")

    def _import(self, node: ast.ImportFrom, scope: Scope, module: Module) -> list[ast.stmt]:
        """The statements that an import becomes."""
        made: list[ast.stmt] = []
        plain: dict[str, list[ast.alias]] = {}
        for alias in node.names:
            local = alias.asname or alias.name
            whole = f"{node.module}.{alias.name}"
            bound = self._things.meant(scope, local)
            as_local = local if bound is None else self._names.globals[bound]
            if whole in self._things.modules:
                if not self._things.together(whole, module.name):
                    made.append(_import_of(self._file(whole), as_local))
            elif node.module not in self._things.modules:
                plain.setdefault(node.module or "", []).append(alias)
            elif not self._things.together(node.module, module.name):
                top = self._things.modules[node.module].top
                found = self._things.meant(top, alias.name)
                lent = alias.name if found is None else self._names.globals[found]
                plain.setdefault(self._file(node.module), []).append(_alias(lent, as_local))
            elif bound is None or bound.module == module.name:
                # Bound more than once, so that it is no other name for what is in this file.
                raise SyntaxError(f"{module.name} binds {local} more than once")
        made += [ast.ImportFrom(name, aliases, 0) for name, aliases in plain.items()]
        return made or [ast.Pass()]

    def _file(self, module: str) -> str:
        """The name of the file that a module went into."""
        return self._names.files[self._things.file_of[module]]


def _without_extras(scope: Scope) -> None:
    """Take out of a class what MicroPython puts into its dictionary first and never asks for: 16
    bytes a class. Their places are taken by the next names."""
    if scope.node is not None:
        targets: list[ast.expr] = [ast.Name(name, ast.Del()) for name in _CLASS_EXTRAS]
        scope.node.body.insert(0, ast.copy_location(ast.Delete(targets), scope.node))


def _context(node: ast.AST) -> ast.expr_context:
    assert isinstance(node, ast.Attribute)
    return node.ctx


def _alias(name: str, local: str) -> ast.alias:
    return ast.alias(name, None if name == local else local)


def _import_of(file: str, local: str) -> ast.stmt:
    package, _, name = file.rpartition(".")
    if package:
        return ast.ImportFrom(package, [_alias(name, local)], 0)
    return ast.Import([_alias(name, local)])


class _Replacing(ast.NodeTransformer):
    def __init__(self, new: dict[int, list]):
        self._new = new

    def visit(self, node: ast.AST) -> ast.AST | list[ast.AST]:
        if id(node) not in self._new:
            return self.generic_visit(node)
        found = [ast.copy_location(new, node) for new in self._new[id(node)]]
        return found if isinstance(node, ast.stmt) else found[0]
