"""Settings as a person changes them: live on a configured board, as a draft on a new one.

A board without a valid configuration has no value to change one by one, because the first one
would be checked against values that are not there. So its settings are collected in a draft,
which `save` checks as a whole, puts in force and then writes to the file.
"""

from bms.parameters import (
    APPLIES_AFE,
    APPLIES_NOW,
    APPLIES_RESTART,
    TYPE_SECRET,
    ParameterError,
)
from bms.table import INVALID
from console.text import amount

_OCTETS = "octets"  # unit of half an IPv4 address, which people write as 192.168
_OCTET_MAX = 255
_PAIR = 2

EFFECTS = {
    APPLIES_NOW: "takes effect now",
    APPLIES_AFE: "the gates open for some seconds while the measuring chip is programmed anew",
    APPLIES_RESTART: "takes effect after the next restart",
}


class Settings:
    """What `get` and `set` work on. `changed(applies)` is called with an APPLIES_* of
    bms.parameters whenever settings took effect, so that the application can act on it."""

    def __init__(self, parameters, configuration, changed):
        self.parameters = parameters
        self._configuration = configuration
        self._changed = changed
        self.draft = {}

    def configured(self):
        """Whether valid settings are in force."""
        return self.parameters.loaded

    def unsaved(self):
        """Whether a restart would lose settings."""
        return bool(self.draft) or self._configuration.unsaved(self.parameters)

    def value(self, index):
        """The value in force, or what the draft would give; INVALID where none is set."""
        parameters = self.parameters
        if self.configured():
            return parameters.values[index]
        default = parameters.default(index, self.draft.get("chemistry", 0))
        return self.draft.get(parameters.names.name(index), default)

    def set(self, index, text):
        """Take a value as typed. Returns the APPLIES_* it needs, or None if it was so already or
        went into the draft. Raises ParameterError."""
        value = self._parsed(index, text)
        parameters = self.parameters
        if not self.configured():
            self.draft[parameters.names.name(index)] = value
            return None
        if parameters.values[index] == value:
            return None
        applies = parameters.change([(index, value)])
        self._changed(applies)
        return applies

    def take_draft(self):
        """Put the draft in force, as a whole. Raises ParameterError and keeps the draft."""
        self.parameters.load(self.draft)
        self.draft = {}
        self._changed(APPLIES_RESTART)

    def shown(self, index):
        """A setting's value in the words and numbers that `set` takes, with its unit."""
        value = self.value(index)
        parameters = self.parameters
        if parameters.types[index] == TYPE_SECRET:
            return "(set, not shown)" if value > 0 else "(not set)"
        if value == INVALID:
            return "(must be set)"
        choices = parameters.choices(index)
        if choices:
            return choices[value]
        unit = parameters.units.name(index)
        if unit == _OCTETS:
            return "%d.%d" % (value >> 8, value & 0xFF)
        if unit == "0.1C":
            return "%d (%s)" % (value, amount(value, unit))
        return ("%d %s" % (value, "" if unit == "-" else unit)).rstrip()

    def allowed(self, index):
        """The values that a setting takes: a range or its choices."""
        parameters = self.parameters
        choices = parameters.choices(index)
        if choices:
            return ", ".join(choices)
        if parameters.units.name(index) == _OCTETS:
            return "0.0 to 255.254"
        return parameters.allowed(index, self._chemistry())

    def _chemistry(self):
        """Chemistry of the cells; INVALID while a draft does not say it."""
        if self.configured():
            return self.parameters.value("chemistry")
        return self.draft.get("chemistry", INVALID)

    def _parsed(self, index, text):
        parameters = self.parameters
        choices = parameters.choices(index)
        if text in choices:
            return choices.index(text)
        if parameters.units.name(index) == _OCTETS:
            text = _from_octets(text)
        try:
            value = int(text)
        except ValueError:
            value = INVALID
        chemistry = self._chemistry()
        low = parameters.minimum(index, chemistry)
        if low <= value <= parameters.maximum(index, chemistry):
            return value
        unit = "" if choices else parameters.units.name(index)
        raise ParameterError(
            "'%s' must be %s %s%s"
            % (
                parameters.names.name(index),
                "one of" if choices else "a whole number from",
                self.allowed(index),
                " (in units of %s)" % unit if unit not in ("", "-") else "",
            )
        )


def _from_octets(text):
    """The number that "192.168" stands for, as text; what is no such pair stays as it is."""
    parts = text.split(".")
    try:
        pair = [int(part) for part in parts]
    except ValueError:
        return text
    if len(pair) == _PAIR and min(pair) >= 0 and max(pair) <= _OCTET_MAX:
        return str(pair[0] << 8 | pair[1])
    return text
