"""Makes the firmware smaller before it is compiled for a board, without changing what it does.

On a plain Pico loaded code fills most of the heap. What this does about it, one idea a file:

- constants: whole numbers are put in where they are read, over the whole program.
- inline: a function that is called from one place goes there.
- layout: modules that are in memory together become one file.
- file_names: files get short names, all in one folder.
- start: what only builds the application becomes a file of its own, which is forgotten then.
- names: names become words that MicroPython has anyway, as few as can be.
- frequent: the most used words stand where bytecode names them with one byte.
- lines: numbers in tracebacks are rows of a table that stays on the computer (after compiling).

Goals: the shrunk program does exactly what the source does (a test runs the whole firmware both
ways and compares every published value); a traceback from a board leads to the source.
Limits: it knows programs as this house writes them: modules are imported as `from package import
module` or by name; a name that is looked up stands in a string; no f-strings.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cellsteward.shrinking import constants, layout
from cellsteward.shrinking.inline import inline
from cellsteward.shrinking.names import Names
from cellsteward.shrinking.program import read
from cellsteward.shrinking.start import Start
from cellsteward.shrinking.things import Things
from cellsteward.shrinking.writing import Written, written

ROOT = "app"


@dataclass(frozen=True)
class Shrunk:
    """A file's text, its module in the source, its name for tracebacks, and where each of its
    lines comes from: the file, relative to the firmware's folder, and the line there."""

    module: str
    name: str
    text: str
    origins: list[tuple[Path, int]]


def shrink_files(
    firmware: Path, paths: Iterable[Path], users: Iterable[Path] = ()
) -> dict[Path, Shrunk]:
    """The files that `paths` (relative to the folder `firmware`) become, shrunk together; `users`
    are files that stay as they are and use them, such as a board's."""
    modules = {_module(path): path for path in paths}
    files = shrink(
        {name: (firmware / path).read_text() for name, path in modules.items()},
        [path.read_text() for path in users],
    )
    return {
        _path(modules.get(module, Path(f"{module}.py")), module, file.name): Shrunk(
            module,
            file.name,
            file.text,
            [(modules.get(module, Path()), line) for module, line in file.origins],
        )
        for module, file in files.items()
    }


def shrink(
    modules: dict[str, str], users: Iterable[str] = (), root: str = ROOT
) -> dict[str, Written]:
    """The files that the modules become, by the module that each was.

    Keys are dotted module names, like `bms.soc`; `root` is the one that is started; `users` are
    texts that use them and stay as they are.

    Raises SyntaxError, whose text names the module, for what is no Python, and for what it does
    not know how to treat, like f-strings.
    """
    users = list(users)
    trees = [ast.parse(text) for text in users]
    folded = constants.folded(modules, users)
    found = {
        name: ast.parse(text, name.replace(".", "/") + ".py") for name, text in folded.items()
    }
    inline(found.values(), trees)
    parts = {name: read(name, tree) for name, tree in found.items()}
    things = Things(parts, layout.files(parts, root, trees))
    return written(things, Names(things, trees), Start(things, trees, root), root)


def _path(source: Path, module: str, name: str) -> Path:
    """Where the file of a module goes: new names are all in one folder."""
    if name == module:
        return source
    deep = module.count(".") + (source.name == "__init__.py")
    return source.parents[deep] / f"{name}.py"


def _module(path: Path) -> str:
    return ".".join(part for part in path.with_suffix("").parts if part not in ("lib", "__init__"))
