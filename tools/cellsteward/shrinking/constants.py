"""Puts whole numbers in where they are read, in all modules of a program.

MicroPython's own `const` does it within one file. Here it is done for every number that a module
assigns once, at its top, in all modules; its assignment and its imports vanish. Every statement
stays on its line.
"""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

# What a constant may be made of.
_OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
    ast.FloorDiv: int.__floordiv__,
    ast.Mod: int.__mod__,
    ast.LShift: int.__lshift__,
    ast.RShift: int.__rshift__,
    ast.BitOr: int.__or__,
    ast.BitAnd: int.__and__,
    ast.BitXor: int.__xor__,
}


# A piece of a program, and the text that takes its place.
Edit = tuple[ast.expr | ast.stmt, str]


def folded(sources: dict[str, str], users: Iterable[str] = ()) -> dict[str, str]:
    """The same modules with their constants put in. Keys are dotted module names; `users` are
    texts that import from them.

    Raises SyntaxError, whose text names the module, for what is no Python, and for f-strings.
    """
    modules = {
        name: _Module(text, name.replace(".", "/") + ".py") for name, text in sources.items()
    }
    while sum(module.find_constants(modules) for module in modules.values()):
        pass  # a constant may rest on one of another module
    folds = {name: list(module.folds(modules)) for name, module in modules.items()}
    asked = {name for module in modules.values() for name in module.attributes(modules)}
    asked |= {name.string for text in users for name in _names(text)}
    asked |= {text for module in modules.values() for text in module.strings()}
    return {
        name: module.rewritten(folds[name], asked, modules) for name, module in modules.items()
    }


class _Module:
    """One source file: its constants, and what its names mean."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.tree = ast.parse(text, file)
        if any(isinstance(node, ast.JoinedStr) for node in ast.walk(self.tree)):
            refusal = SyntaxError("it has an f-string, whose names can not be followed: use %")
            refusal.filename = file
            raise refusal
        self.constants: dict[str, int] = {}
        self._bindings = _bindings(self.tree)
        self._imports = [
            (node, alias)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]

    def find_constants(self, modules: dict[str, "_Module"]) -> bool:
        """Note what can be known by now; True if something is new."""
        before = len(self.constants)
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign):
                for name, value in self._assigned(statement, modules):
                    if value is not None and self._bindings[name] == 1:
                        self.constants[name] = value
        return len(self.constants) > before

    def folds(self, modules: dict[str, "_Module"]) -> Iterator[tuple[ast.expr, int]]:
        """Places where a constant is read, with its value."""
        for node in _expressions(self.tree):
            value = self._named(node, modules)
            if value is not None:
                yield node, value

    def attributes(self, modules: dict[str, "_Module"]) -> Iterator[str]:
        """Attribute names that are read of something other than a module known here: a constant of
        such a name may be meant."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and self._named(node, modules) is None:
                yield node.attr

    def rewritten(
        self,
        folds: list[tuple[ast.expr, int]],
        asked: set[str],
        modules: dict[str, "_Module"],
    ) -> str:
        """The text with constants put in, and without what only named them."""
        gone = {name for name in self.constants if name not in asked}
        inside = {id(name) for node, _ in folds for name in ast.walk(node)}
        read = {
            node.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and id(node) not in inside
        }
        edits: list[Edit] = [(node, f"({n})" if n < 0 else f"{n}") for node, n in folds]
        for statement in self.tree.body:
            if isinstance(statement, ast.Assign):
                names = [name for name, _ in self._assigned(statement, modules)]
                if names and gone.issuperset(names):
                    edits = [(node, text) for node, text in edits if not _within(node, statement)]
                    edits.append((statement, "pass"))
        ours = {name.split(".")[0] for name in modules}
        for statement in {node: None for node, _ in self._imports}:
            kept = [
                alias
                for alias in statement.names
                if _local(alias) in read | asked or not self._lends(statement, alias, modules)
            ]
            if (statement.module or "").split(".")[0] in ours and len(kept) < len(statement.names):
                shorter = ast.ImportFrom(statement.module, kept, statement.level)
                edits.append((statement, ast.unparse(shorter) if kept else "pass"))
        return _edited(self.text, edits)

    def strings(self) -> Iterator[str]:
        """Texts in the program: names in them may be looked up."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value

    def _assigned(self, statement: ast.Assign, modules: dict[str, "_Module"]):
        """Pairs of a name and the whole number that a statement gives it; None: another value."""
        target = statement.targets[0]
        if len(statement.targets) > 1:
            return []
        if isinstance(target, ast.Name):
            return [(target.id, self._value(statement.value, modules))]
        if isinstance(target, ast.Tuple) and self._counts(statement.value, len(target.elts)):
            return [(ast.unparse(name), place) for place, name in enumerate(target.elts)]
        return []

    def _counts(self, node: ast.expr, count: int) -> bool:
        """Whether it is `range(count)`, or `range(len(table))` of a table at the top of the module
        with so many places."""
        found = [
            f"range(len({statement.targets[0].id}))"
            for statement in self.tree.body
            if isinstance(statement, ast.Assign)
            and isinstance(statement.targets[0], ast.Name)
            and isinstance(statement.value, ast.Tuple)
            and len(statement.value.elts) == count
            and not any(isinstance(value, ast.Starred) for value in statement.value.elts)
            and self._bindings[statement.targets[0].id] == 1
        ]
        return ast.unparse(node) in {f"range({count})", *found}

    def _value(self, node: ast.expr, modules: dict[str, "_Module"]) -> int | None:
        if isinstance(node, ast.Constant):
            return node.value if type(node.value) is int else None
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._value(node.operand, modules)
            return None if value is None else -value
        if isinstance(node, ast.BinOp):
            left, right = self._value(node.left, modules), self._value(node.right, modules)
            operation = _OPERATIONS.get(type(node.op))
            if left is None or right is None or operation is None:
                return None
            return operation(left, right)
        return self._named(node, modules)

    def _named(self, node: ast.expr, modules: dict[str, "_Module"]) -> int | None:
        """Value of the constant that a name or an attribute reads, or None."""
        if not isinstance(getattr(node, "ctx", None), ast.Load):
            return None
        if isinstance(node, ast.Name):
            if node.id in self.constants:
                return self.constants[node.id]
            lender, name = self._lender(node.id)
            return modules[lender].constants.get(name) if lender in modules else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            package, module = self._lender(node.value.id)
            found = modules.get(f"{package}.{module}")
            return None if found is None else found.constants.get(node.attr)
        return None

    def _lends(
        self, statement: ast.ImportFrom, alias: ast.alias, modules: dict[str, "_Module"]
    ) -> bool:
        """Whether an import is of a constant, or of a module that lends constants: nobody else
        may look for the name here."""
        lender = modules.get(statement.module or "")
        whole = modules.get(f"{statement.module}.{alias.name}")
        return bool((whole and whole.constants) or (lender and alias.name in lender.constants))

    def _lender(self, local: str) -> tuple[str, str]:
        """Where a name comes from, if it is imported and never means anything else."""
        found = [(node, alias) for node, alias in self._imports if local == _local(alias)]
        if not found or len(found) != self._bindings[local]:
            return "", ""
        origins = {(node.module or "", alias.name) for node, alias in found}
        return origins.pop() if len(origins) == 1 else ("", "")


def _local(alias: ast.alias) -> str:
    return alias.asname or alias.name


def _bindings(tree: ast.Module) -> Counter[str]:
    """How often each name gets a meaning, anywhere in a module."""
    counts: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            counts[node.id] += 1
        elif isinstance(node, ast.arg):
            counts[node.arg] += 1
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            counts[node.name] += 1
        elif isinstance(node, ast.ImportFrom | ast.Import):
            counts.update(_local(alias) for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            counts[node.name] += 1
    return counts


def _expressions(tree: ast.Module) -> Iterator[ast.expr]:
    """Names and attributes, but not the module's name within `module.CONSTANT`."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) or (
            isinstance(node, ast.Name) and id(node) not in inner
        ):
            yield node


def _within(node: ast.AST, outer: ast.AST) -> bool:
    return any(node is inner for inner in ast.walk(outer))


def _edited(text: str, edits: list[Edit]) -> str:
    """Replace nodes by texts; lines that a replacement spares stay as empty ones."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    data = b"".join(lines)
    for node, new in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset))[::-1]:
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        spared = "\n" * data[begin:end].count(b"\n")
        data = data[:begin] + (new + spared).encode() + data[end:]
    return data.decode()


def _names(text: str) -> Iterator[tokenize.TokenInfo]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token
