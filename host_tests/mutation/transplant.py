"""Puts a mutant into a running process, so that it need not import everything anew.

The mutated source is executed beside the original; functions of the original then get its code,
constants its values, also where other modules imported them by name. What others computed from a
constant when they were imported stays: such a mutant can survive wrongly, it is never killed
wrongly. A module that is imported anew whenever it is needed is found mutated instead.
"""

import ast
import sys
from importlib.util import spec_from_loader
from pathlib import Path
from types import FunctionType, ModuleType

_SLOTS = ("__code__", "__defaults__", "__kwdefaults__")


def importers(root):
    """{(module, name): [(module that imported it by name, its name there)]}, of what is loaded."""
    found = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not path or not path.endswith(".py") or not Path(path).is_relative_to(root):
            continue
        for node in ast.parse(Path(path).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    users = found.setdefault((node.module, alias.name), [])
                    users.append((module, alias.asname or alias.name))
    return found


def load(name, text):
    """A module of its own, of what `text` says. Raises whatever the text raises."""
    new = ModuleType(name)
    new.__file__ = getattr(sys.modules.get(name), "__file__", name)
    exec(compile(text, new.__file__, "exec"), new.__dict__)
    return new


def transplant(name, new, users):
    """Make the loaded module `name` what the module `new` is."""
    old = sys.modules[name]
    for key, value in new.__dict__.items():
        if key.startswith("__"):
            continue
        before = old.__dict__.get(key)
        if isinstance(value, FunctionType) and value.__module__ == name:
            _take_code(before, value)
        elif isinstance(value, type) and value.__module__ == name:
            _take_class(before, value)
        elif not isinstance(value, ModuleType) and before != value:
            setattr(old, key, value)
            for module, alias in users.get((name, key), ()):
                setattr(module, alias, value)


def lend(name, text):
    """From now on the module `name` is what `text` says, as often as it is imported."""
    sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Lender(name, text))


class _Lender:
    """Finds and loads one module, by the import system's protocol for both."""

    def __init__(self, name, text):
        self._name = name
        self._text = text

    def find_spec(self, name, path=None, target=None):
        return spec_from_loader(name, self) if name == self._name else None

    def create_module(self, spec):
        return None  # an ordinary one

    def exec_module(self, module):
        exec(compile(self._text, self._name, "exec"), module.__dict__)


def _take_class(old, new):
    for key, value in vars(new).items():
        before = vars(old).get(key)
        if isinstance(value, FunctionType) and isinstance(before, FunctionType):
            _take_code(before, value)
        elif isinstance(value, property) and isinstance(before, property):
            _take_code(before.fget, value.fget)
        elif isinstance(value, FunctionType | property):
            setattr(old, key, value)


def _take_code(old, new):
    for slot in _SLOTS:
        setattr(old, slot, getattr(new, slot))
