"""Makes the firmware smaller before it is compiled for a board, without changing what it does.

On a plain Pico loaded code fills most of the heap. What this does about it, one idea a file:

- constants: whole numbers are put in where they are read, over the whole program.
- names: names become words that MicroPython has anyway.

Goals: the shrunk program does exactly what the source does (a test runs the whole firmware both
ways and compares every published value); every statement stays on its line, so that a traceback
from a board leads to the source.
Limits: it knows programs as this house writes them: modules are imported as `from package import
module` or by name; a name that is looked up stands in a string; no f-strings.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cellsteward.shrinking import constants, names


@dataclass(frozen=True)
class Shrunk:
    """Texts of the modules, and for each of them what its new words stand for."""

    texts: dict[str, str]
    words: dict[str, dict[str, str]]


def shrink_files(
    firmware: Path, paths: Iterable[Path], users: Iterable[Path] = ()
) -> dict[Path, str]:
    """Texts of the files `paths` (relative to the folder `firmware`), shrunk together; `users` are
    files that stay as they are and use them, such as a board's."""
    modules = {_module(path): path for path in paths}
    shrunk = shrink(
        {name: (firmware / path).read_text() for name, path in modules.items()},
        [path.read_text() for path in users],
    )
    return {modules[name]: text for name, text in shrunk.texts.items()}


def shrink(modules: dict[str, str], users: Iterable[str] = ()) -> Shrunk:
    """The same modules, shorter. Keys are dotted module names, like `bms.soc`; `users` are texts
    that use them and stay as they are.

    Raises SyntaxError, whose text names the module, for what is no Python, and for f-strings.
    """
    users = list(users)
    return Shrunk(*names.renamed(constants.folded(modules, users), users))


def _module(path: Path) -> str:
    return ".".join(part for part in path.with_suffix("").parts if part not in ("lib", "__init__"))
