"""Names that people type: found, or answered with near ones."""

from bms.table import UnknownName
from console.usage import Refusal

_LISTED = 3  # names offered instead of an unknown one
BREATH = 16  # names looked at between two turns of the other coroutines


def index_of(table, name):
    """Row of a setting or value, or None."""
    try:
        return table.index(name)
    except UnknownName:
        return None


def unknown_name(console, unknown):
    """Raise a Refusal that says that no setting has this name, and which ones share a word."""
    names = console.parameters.names
    scored = []
    words = [word for word in unknown.split("_") if word]
    for index in range(len(names)):
        name = names.name(index)
        common = sum([len(word) for word in words if word in name])
        if common:
            scored.append((-common, name))
        if index % BREATH == 0:
            yield None
    scored.sort()
    near = [name for _, name in scored[:_LISTED]]
    advice = "Did you mean %s?" % " or ".join(near) if near else "`get` lists all settings."
    raise Refusal("Nothing is named '%s'. %s" % (unknown, advice))
