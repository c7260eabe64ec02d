"""What the files in boards/ say, read without running them: pins, and which files a board needs.

A board's folder holds `board.py`; what boards share stands beside the folders, in files that begin
with "_". `board.py` ends with `board = Board(...)`, whose pins are a table of its own or one that
it imports.
"""

import ast
from pathlib import Path

from cellsteward import ROOT


class BoardError(ValueError):
    """A board file is not as this house writes them; the text says what is missing."""


def names(root: Path = ROOT) -> list[str]:
    """All boards that are no simulation."""
    found = (path.parent.name for path in (root / "boards").glob("*/board.py"))
    return sorted(name for name in found if name != "sim")


def files(name: str, root: Path = ROOT) -> list[Path]:
    """The board's own files and those that it shares with others, paths relative to boards/; what
    is imported comes before what imports it."""
    boards = root / "boards"
    found: list[Path] = []

    def add(path: Path) -> None:
        if path in found:
            return
        for module in _imports(_tree(boards / path)):
            add(Path(f"{module}.py"))
        found.append(path)

    for path in sorted((boards / name).glob("*.py")):
        if path.name != "manifest.py":  # for who builds a MicroPython, not for the board
            add(path.relative_to(boards))
    return found


def pins(name: str, root: Path = ROOT) -> dict[str, int]:
    """The board's GPIO numbers by purpose."""
    boards = root / "boards"
    tree = _tree(boards / name / "board.py")
    call = next(
        (
            statement.value
            for statement in tree.body
            if isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Call)
            and _targets(statement) == ["board"]
        ),
        None,
    )
    table = next((argument for argument in call.args[2:3]), None) if call else None
    if not isinstance(table, ast.Name):
        raise BoardError(f"boards/{name}/board.py does not say 'board = Board(NAME, ..., PINS)'")
    for path in files(name, root):
        for statement in _tree(boards / path).body:
            if isinstance(statement, ast.Assign) and _targets(statement) == [table.id]:
                return ast.literal_eval(statement.value)
    raise BoardError(f"{table.id} of boards/{name}/board.py is nowhere")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(tree: ast.Module) -> list[str]:
    """Names of what boards share, as far as this file imports it."""
    return [
        statement.module.removeprefix("boards.")
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom)
        and statement.module
        and statement.module.startswith("boards._")
    ]


def _targets(statement: ast.Assign) -> list[str]:
    return [target.id for target in statement.targets if isinstance(target, ast.Name)]
