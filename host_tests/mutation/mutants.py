"""All mutants of a module: what changes, where, and which lines of tests' interest it touches."""

import ast
import re
from collections import Counter
from dataclasses import dataclass

from host_tests.mutation import operators


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    lines: a test that executes none of these can not notice it. nth: counts the same change of the
    same text within a function.
    """

    module: str
    operator: str
    occurrence: int
    function: str
    line: int
    lines: tuple
    was: str
    now: str
    nth: int

    @property
    def key(self):
        """What stays the same when lines move: module, function and the changed text."""
        return (self.module, self.function, self.was, self.now, self.nth)


def mutants_of(module, source):
    """Every mutant of a module that compiles and differs from the original."""
    spans = _spans(ast.parse(source))
    found = []
    seen = set()
    times = Counter()
    for name, operator in operators.operators().items():
        for occurrence, line in enumerate(operators.positions(source, operator)):
            text = operators.mutate(source, operator, occurrence)
            if text in seen or text == source or not _compiles(text):
                continue
            seen.add(text)
            function, lines = _place(spans, source, line)
            was, now = _change(source, text)
            times[function, was, now] += 1
            nth = times[function, was, now]
            found.append(Mutant(module, name, occurrence, function, line, lines, was, now, nth))
    return sorted(found, key=lambda mutant: mutant.line)


def unchanged(module, source):
    """What must survive, or the run says nothing: a module put in place of itself."""
    lines = tuple(range(1, len(source.splitlines()) + 1))
    return Mutant(module, "", 0, "", 0, lines, "", "", 1)


def source_of(mutant, source):
    """The module's whole text with the mutant's change."""
    return operators.mutate(source, operators.operators()[mutant.operator], mutant.occurrence)


def _compiles(text):
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _change(source, text):
    """The lines that differ, without indentation."""
    before, after = source.splitlines(), text.splitlines()
    first = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    tail = 0
    while (
        before[-1 - tail] == after[-1 - tail] and tail < min(len(before), len(after)) - first - 1
    ):
        tail += 1
    return (
        " ".join(line.strip() for line in before[first : len(before) - tail]),
        " ".join(line.strip() for line in after[first : len(after) - tail]),
    )


def _spans(tree):
    """(first line, last line, qualified function name or "", lines that run it, or None where it
    runs on import) of every statement; headers only of those that contain others."""
    spans = []

    def walk(node, name, in_function):
        for child in ast.iter_child_nodes(node):
            inner, inside = name, in_function
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{name}.{child.name}".lstrip(".")
                inside = in_function or isinstance(child, ast.FunctionDef)
            if isinstance(child, ast.stmt):
                body = getattr(child, "body", None)
                last = max(child.lineno, body[0].lineno - 1) if body else child.end_lineno
                lines = tuple(range(child.lineno, last + 1)) if in_function else None
                if isinstance(child, ast.FunctionDef):  # its defaults and decorators
                    lines = tuple(range(last + 1, child.end_lineno + 1))
                first = min(
                    [child.lineno, *(d.lineno for d in getattr(child, "decorator_list", ()))]
                )
                spans.append((first, last, inner, lines))
            walk(child, inner, inside)

    walk(tree, "", False)
    return spans


def _place(spans, source, line):
    """Function and lines of the smallest statement around a line."""
    around = [span for span in spans if span[0] <= line <= span[1]]
    if not around:
        return "", ()
    first, last, name, lines = min(around, key=lambda span: span[1] - span[0])
    return name, _users(source, first, last) if lines is None else lines


def _users(source, first, last):
    """Lines inside functions that use what a statement outside of them defines, directly or by
    way of other such statements."""
    tree = ast.parse(source)
    lines = source.splitlines()
    inside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            inside.update(range(node.body[0].lineno, node.end_lineno + 1))
    wanted = _defined(tree, first, last)
    while True:
        users = {
            number
            for number, text in enumerate(lines, 1)
            if any(re.search(rf"\b{name}\b", text) for name in wanted)
        }
        more = set(wanted)
        for node in tree.body:
            if users & set(range(node.lineno, node.end_lineno + 1)):
                more |= _defined(tree, node.lineno, node.end_lineno)
        if more == wanted:
            return tuple(sorted(users & inside or inside))
        wanted = more


def _defined(tree, first, last):
    """Names that the statement of the module's top level around these lines defines."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.lineno <= first and last <= node.end_lineno:
            for target in node.targets:
                names |= {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names
