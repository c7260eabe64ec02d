"""Follows a name through imports and files to the one thing that it means."""

from cellsteward.shrinking.layout import module_meant, module_named
from cellsteward.shrinking.program import Global, Module, Place, Scope


class Things:
    """The parsed modules, the file that each went into, and what names in them mean."""

    def __init__(self, modules: dict[str, Module], files: dict[str, list[str]]):
        self.modules = modules
        self.files = files
        self.file_of = {name: file for file, inner in files.items() for name in inner}

    def meant(self, owner: Scope, name: str) -> Global | None:
        """The global that a name of a scope is, if it is one that has to be called the same
        everywhere; None: a name of MicroPython's, of a library, or of this scope alone."""
        if name in owner.origins and owner.bound[name] == 1:
            package, inner = owner.origins[name]
            if module_named(owner, name, self.modules) is None:
                if package not in self.modules:
                    return None
                if owner.parent is None or self.together(package, owner.module):
                    return self.meant(self.modules[package].top, inner)
        if owner.kind == "module" and not self._foreign(owner, name):
            return Global(owner.module, name)
        return None

    def attribute_meant(self, place: Place) -> Global | None:
        """The global that `module.name` at a place is, if it is one."""
        found = module_meant(place, self.modules)
        return None if found is None else self.meant(self.modules[found].top, place.name)

    def together(self, one: str, other: str) -> bool:
        """Whether two modules are in one file."""
        return self.file_of[one] == self.file_of[other]

    def _foreign(self, owner: Scope, name: str) -> bool:
        package = owner.origins.get(name, (None, ""))[0]
        return package is not None and package.split(".")[0] not in {
            module.split(".")[0] for module in self.modules
        }
