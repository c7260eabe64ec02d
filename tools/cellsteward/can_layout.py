"""What each bit of a profile's frames means, read from the tables that the device sends by.

One list of messages with their signals serves the DBC files, the decoder of logs and the docs.
Physical values are in V, A, Ah, kWh, degC and %; `to_point` is in the unit of the point.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from types import ModuleType

from bms.parameters import Parameters
from bms.point_rows import ROWS
from bms.table import rows
from inverter import conditions
from inverter.tables import EVERY_OTHER

_KIND_BITS = {"u8": 8, "u15": 16, "u16": 16, "s16": 16, "u32": 32}
_UNITS = {  # unit of points: unit on paper, how many of the points' make one
    "mV": ("V", 1000),
    "mA": ("A", 1000),
    "mAh": ("Ah", 1000),
    "Wh": ("kWh", 1000),
    "0.1C": ("degC", 10),
    "0.01%": ("%", 100),
    "W": ("W", 1),
    "s": ("s", 1),
    "ms": ("ms", 1),
    "-": ("", 1),
    "bits": ("", 1),
}
_SAME_AS = {"@temperature_above": "temperature_max_dc"}  # but for 0.1 C, at times
_POINT_UNITS = {row[0]: row[1] for row in rows(ROWS)}
_CONDITIONS = {
    value: name.lower()
    for name, value in vars(conditions).items()
    if name.isupper() and name != "ALWAYS"
}


@dataclass(frozen=True)
class Signal:
    """Some bits of a message. bit: of the lowest byte's lowest bit in the order of the bytes.

    point: name of the point (vectors as `name:slot`), or "" for a flag or an alarm; faults: names
    that an alarm tells of; paired: two bits, 01 raised and 10 cleared.
    raw * multiply + offset is the value in the unit of the point.
    """

    name: str
    at: int  # first byte
    bit: int  # in that byte
    size: int  # bits
    big: bool = False
    signed: bool = False
    multiply: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    unit: str = "-"  # of the point
    point: str = ""
    invalid: int | None = None  # raw value that stands in while there is none
    digits: bool = False  # decimal digits as text
    faults: tuple[str, ...] = ()
    paired: bool = False

    def raw(self, data: bytes) -> int | None:
        """The number on the wire, or None if the frame is too short or says nothing."""
        if self.digits:
            text = data[self.at : self.at + 3].rstrip(b"\0 ")
            return int(text) if text.isdigit() else None
        end = self.at + (self.bit + self.size + 7) // 8
        if len(data) < end:
            return None
        number = int.from_bytes(data[self.at : end], "big" if self.big else "little")
        number = number >> self.bit & (1 << self.size) - 1
        if self.signed and number >> self.size - 1:
            number -= 1 << self.size
        return number

    def to_point(self, data: bytes) -> int | None:
        """The value in the unit of the point, rounded; None if there is none."""
        number = self.raw(data)
        if number is None or number == self.invalid:
            return None
        value = number * self.multiply + self.offset
        return int(value + Fraction(1, 2)) if value >= 0 else -int(-value + Fraction(1, 2))

    @property
    def paper_unit(self) -> str:
        """The unit for people."""
        return _UNITS[self.unit][0]

    @property
    def per_paper(self) -> int:
        """How many units of the point make one of those for people."""
        return _UNITS[self.unit][1]


@dataclass
class Message:
    """A frame that the battery sends. needs: bits of inverter.conditions."""

    identifier: int
    size: int
    needs: int
    content: bytes
    period_ms: int
    signals: list[Signal] = field(default_factory=list)


def profile_names() -> list[str]:
    """The choices of the parameter inverter_profile that are profiles."""
    parameters = Parameters()
    names = parameters.choices(parameters.index("inverter_profile"))
    names.remove("none")
    return names


def profile_module(name: str) -> ModuleType:
    """The tables of a profile. `name` is one of `profile_names`."""
    return importlib.import_module(f"inverter.{name}")


def period_ms(module: ModuleType) -> int:
    """Time between two sets, as the profile has it."""
    return getattr(module, "PERIOD_MS", 1000)


def layout(module: ModuleType) -> list[Message]:
    """All messages of a profile, in sending order; one for frames that share an identifier."""
    messages: dict[int, Message] = {}
    for identifier, needs, content, *period in module.FRAMES:
        messages.setdefault(
            identifier,
            Message(
                identifier,
                len(content),
                needs,
                content,
                (period or [0])[0] or period_ms(module),
            ),
        )
    for message in messages.values():
        names: set[str] = set()
        for signal in _signals(module, message.identifier):
            name = signal.name
            number = 2
            while name in names:
                name = f"{signal.name}_{number}"
                number += 1
            names.add(name)
            message.signals.append(
                signal if name == signal.name else Signal(**{**vars(signal), "name": name})
            )
    return list(messages.values())


def _signals(module: ModuleType, identifier: int) -> Iterable[Signal]:
    for row in module.FIELDS:
        if row[0] == identifier:
            yield _field(*row[1:])
    paired = identifier in getattr(module, "PAIRED", ())
    told: dict[int, Signal] = {}
    for row in getattr(module, "ALARMS", ()):
        if row[0] == identifier:
            faults = _named(module, identifier) if row[5] == EVERY_OTHER else row[5].split()
            short = "other" if row[5] == EVERY_OTHER else faults[0]
            for kind, byte, bit in (("alarm", *row[1:3]), ("warning", *row[3:5])):
                if byte >= 0 and 8 * byte + bit not in told:
                    told[8 * byte + bit] = Signal(
                        f"{kind}_{short}",
                        byte,
                        bit,
                        2 if paired else 1,
                        faults=tuple(faults),
                        paired=paired,
                    )
    for _, byte, bit, needs, unless in [
        row for row in getattr(module, "FLAGS", ()) if row[0] == identifier
    ]:
        if 8 * byte + bit not in told:
            name = _condition(needs, unless)
            before = told.get(8 * byte + bit - 1) if bit else None
            if before is not None and before.name == name and not paired:  # one flag, many bits
                told[8 * byte + bit] = Signal(name, byte, before.bit, before.size + 1)
                del told[8 * byte + bit - 1]
            else:
                told[8 * byte + bit] = Signal(name, byte, bit, 2 if paired else 1, paired=paired)
    yield from (told[place] for place in sorted(told))


def _field(first, kind, point: str, multiply, divide, _needs, otherwise, add=0) -> Signal:
    point = _SAME_AS.get(point, point)
    unit = _POINT_UNITS.get(point.partition(":")[0], "-")
    name = point.lstrip("@").replace(":", "_")
    for suffix in ("_mv", "_ma", "_mah", "_dc", "_bp", "_wh"):
        name = name.removesuffix(suffix)
    if kind == "id":
        return Signal(name, first, 0, 24, digits=True, point=point, offset=Fraction(-add))
    size = _KIND_BITS[kind[1:]]
    factor = Fraction(divide, multiply)
    signed = kind[1:] in ("s16", "u15")
    return Signal(
        name,
        first,
        0,
        size,
        big=kind[0] == ">",
        signed=signed,
        multiply=factor,
        offset=-add * factor,
        unit=unit,
        point=point,
        invalid=_marker(otherwise, size, signed),
    )


def _marker(otherwise: int, size: int, signed: bool) -> int | None:
    """The raw value of "invalid", where the profile has a mark for it."""
    if otherwise == (0x8000 if signed else (1 << size) - 1):
        return -0x8000 if signed else otherwise
    return None


def _named(module: ModuleType, identifier: int) -> list[str]:
    """Faults without a row of their own in this frame."""
    from bms.fault_rows import ROWS as FAULTS

    told = " ".join(row[5] for row in module.ALARMS if row[0] == identifier).split()
    return [row[0] for row in rows(FAULTS) if row[0] not in told]


def _condition(needs: int, unless: int) -> str:
    """A name for a flag: the last condition it needs, or what must not be."""
    if needs:
        return _CONDITIONS[1 << needs.bit_length() - 1]
    return "not_" + _CONDITIONS[1 << unless.bit_length() - 1]
