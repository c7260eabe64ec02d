"""Register maps of Modbus, SunSpec, Pylontech RS485 and JBD, from the firmware's own tables.

Usage: python -m cellsteward.register_maps [--check]
Writes the tables of docs/sunspec.md, docs/pylontech-rs485.md and docs/jbd.md, and one CSV file for
each protocol into docs/registers/. (The Markdown of Modbus is cellsteward.modbus_docs.)
"""

import csv
import io
import sys
from collections.abc import Iterator, Sequence

from bms.parameter_rows import ROWS as PARAMETER_ROWS
from bms.table import rows
from cellsteward.generated_docs import DOCS, run, table, with_parts
from cellsteward.modbus_docs import telemetry_addresses
from cellsteward.sunspec_names import NAMES
from jbd import tables as jbd
from modbus import sunspec_rows as sunspec
from modbus.registers import COMMAND, SUNSPEC, UNLOCK, UNLOCKED, VERSION_ADDRESS
from pylon_rs485 import tables as pylontech

SUNSPEC_PAGE = DOCS / "sunspec.md"
PYLONTECH_PAGE = DOCS / "pylontech-rs485.md"
JBD_PAGE = DOCS / "jbd.md"
FOLDER = DOCS / "registers"

Row = tuple[str, ...]

_REGISTERS = {"i32": 2, "u16": 1, "i16": 1, "b16": 1, "secret": 1}
_PYLONTECH_KINDS = {pylontech.U8: (1, "u8"), pylontech.U16: (2, "u16"), pylontech.S16: (2, "s16")}
_JBD_KINDS = {jbd.U8: "u8", jbd.U16: "u16", jbd.S16: "s16", jbd.BYTES: "two u8"}
_KELVIN = {2731: "0.1 K"}
_UNITS = {"mv": "mV", "ma": "mA", "mah": "mAh", "dc": "0.1 °C", "bp": "0.01 %", "ms": "ms"}


def modbus_rows() -> Iterator[Row]:
    """Address, hexadecimal, registers, name, type, unit, access, meaning."""
    yield _register(VERSION_ADDRESS, 1, "map_version", "u16", "", "read", "Version of this map")
    for address, (name, unit, kind, count, _, meaning) in telemetry_addresses():
        size = _REGISTERS[kind]
        for slot in range(int(count)):
            shown = name if count == "1" else f"{name}[{slot}]"
            yield _register(address + slot * size, size, shown, kind, unit, "read", meaning)
    for address, name, access, meaning in (
        (UNLOCK, "unlock", "write", "The access code"),
        (COMMAND, "command", "write, unlocked", "See the table of controls"),
        (UNLOCKED, "unlocked", "read", "1 while writes are unlocked"),
    ):
        yield _register(address, 1, name, "u16", "", access, meaning)
    for register, name, unit, kind, *_, meaning in rows(PARAMETER_ROWS):
        access = "write, unlocked" if kind == "secret" else "read; write, unlocked"
        size = _REGISTERS[kind]
        yield _register(int(register, 16), size, name, kind, unit, access, meaning)


def _register(address: int, size: int, *rest: str) -> Row:
    return (str(address), f"0x{address:04X}", str(size), *(part.strip() for part in rest))


def sunspec_rows() -> Iterator[Row]:
    """Address, model, offset, point, what it holds."""
    held = {(model, at): text for model, at, text in _sunspec_held()}
    address = SUNSPEC
    yield (str(address), "", "", "SunS", "0x53756E53, two registers")
    address += 2
    for model, length in sunspec.MODELS:
        for offset in range(length + 2):
            name = NAMES[model].get(offset, "")
            if offset < len(("ID", "L")):
                held[model, offset] = str((model, length)[offset])
            if name or (model, offset) in held:
                text = held.get((model, offset), "not implemented")
                yield (str(address + offset), str(model), str(offset), name, text)
        address += length + 2
    yield (str(address), "", "", "end", "0xFFFF, 0")


def _sunspec_held() -> Iterator[tuple[int, int, str]]:
    for model, at, _, text in sunspec.TEXTS:
        yield model, at, f'"{text.decode()}"'
    yield sunspec.COMMON, 66, "`modbus_address`"
    for model, at, value in sunspec.CONSTANTS:
        yield model, at, str(value) if value < 1 << 15 else "pad"
    for model, at, kind, name, multiply, divide in sunspec.VALUES:
        if kind == sunspec.SPECIAL:
            yield model, at, f"worked out: {name.replace('_', ' ')}"
            continue
        point, _, slot = name.partition("+")
        half = {sunspec.HIGH: ", high word", sunspec.LOW: ", low word"}.get(kind, "")
        scale = "" if divide == 1 else f" / {divide}"
        shown = f"`{point}`" + (f" word {slot}" if slot else "")
        yield model, at, f"{shown}{scale}{half}" + ("" if multiply == 1 else f" x {multiply}")


def pylontech_rows() -> Iterator[Row]:
    """CID2, first byte of INFO, bytes, type, what it holds, unit."""
    for cid2, begin, fields in (
        ("61", 0, pylontech.FIELDS_61),
        ("63", 0, pylontech.FIELDS_63),
        ("92", 1, pylontech.FIELDS_92),
        ("47", 1, pylontech.FIELDS_47),
    ):
        at = begin
        if begin:
            what = "number of the battery" if cid2 == "92" else "INFOFLAG, 0"
            yield (cid2, "0", "1", "u8", what, "")
        for kind, name, multiply, divide, add in fields:
            size, shown = _PYLONTECH_KINDS[kind]
            what, unit = _pylontech_value(name, multiply, divide, add)
            yield (cid2, str(at), str(size), shown, what, unit)
            at += size
        if cid2 in ("63", "92"):
            what = "bit 7 charging allowed, bit 6 discharging allowed"
            yield (cid2, str(at), "1", "bits", what, "")
    yield from _PYLONTECH_FIXED
    for byte, bit, names in pylontech.BITS_62:
        what = ", ".join(f"`{name}`" for name in names.split())
        yield ("62", str(byte), "", f"bit {bit}", f"alarm: warning {what}", "")
        if (byte, bit) != (0, 0):
            yield ("62", str(byte + 2), "", f"bit {bit}", f"protection: fault {what}", "")
    byte, bit = pylontech.OTHER_ALARM
    yield ("62", str(byte), "", f"bit {bit}", "alarm: any other warning, or nothing measured", "")
    byte, bit = pylontech.OTHER_PROTECTION
    yield ("62", str(byte + 2), "", f"bit {bit}", "protection: any other, or nothing measured", "")
    for bit, names in pylontech.STATUS_1:
        what = ", ".join(f"`{name}`" for name in names.split())
        yield ("44", "status 1", "", f"bit {bit}", f"fault {what}", "")


# What pylon_rs485.answers writes by code, in the same columns.
_PYLONTECH_FIXED = (
    ("42", "0", "1", "u8", "INFOFLAG, 0", ""),
    ("42", "1", "1", "u8", "number of the battery; 1 battery for INFO FF", ""),
    ("42", "2", "1", "u8", "M, number of cells", ""),
    ("42", "3", "2 M", "u16", "`cell_voltage_mv` of each cell", "mV"),
    ("42", "3 + 2 M", "1", "u8", "N, number of temperatures", ""),
    ("42", "4 + 2 M", "2 N", "u16", "`board_temperature_dc`, then `temperature_dc`", "0.1 K"),
    ("42", "then", "2", "s16", "`current_ma` / 100", "100 mA"),
    ("42", "then", "2", "u16", "`pack_voltage_mv`", "mV"),
    ("42", "then", "2", "u16", "`remaining_mah`, FFFF above 65 Ah", "mAh"),
    ("42", "then", "1", "u8", "2, or 4 above 65 Ah", ""),
    ("42", "then", "2", "u16", "`full_mah`, FFFF above 65 Ah", "mAh"),
    ("42", "then", "2", "u16", "`cycles`", ""),
    ("42", "then", "3", "u24", "`remaining_mah`, above 65 Ah only", "mAh"),
    ("42", "then", "3", "u24", "`full_mah`, above 65 Ah only", "mAh"),
    ("44", "0", "1", "u8", "INFOFLAG, 0", ""),
    ("44", "1", "1", "u8", "number of the battery; 1 battery for INFO FF", ""),
    ("44", "2", "1 + M", "u8", "M, then each cell: 00 normal, 01 below, 02 above, F0 unknown", ""),
    ("44", "then", "1 + N", "u8", "N, then each temperature, the same", ""),
    ("44", "then", "3", "u8", "charge current, pack voltage, discharge current, the same", ""),
    ("44", "then", "1", "bits", "status 1", ""),
    ("44", "then", "1", "bits", "status 2: 3 in use, 2 discharge gate on, 1 charge gate on", ""),
    ("44", "then", "1", "bits", "status 3: 7 charging, 6 discharging, 3 full", ""),
    ("44", "then", "2", "bits", "status 4 and 5: cells 1 to 8, 9 to 16 outside their limits", ""),
    ("44", "then", "1", "u8", "0, as recorded batteries send it", ""),
    ("4F", "", "0", "", "nothing: the version is VER of the answer", ""),
    ("51", "0", "10", "text", "name", ""),
    ("51", "10", "2", "u8", "version", ""),
    ("51", "12", "20", "text", "manufacturer", ""),
    ("60", "0", "10", "text", "name (layout of 60 unverified)", ""),
    ("60", "10", "20", "text", "manufacturer", ""),
    ("60", "30", "2", "u8", "version", ""),
    ("60", "32", "1", "u8", "number of batteries, 1", ""),
    ("60", "33", "16", "text", "serial number", ""),
    ("93", "0", "1", "u8", "number of the battery", ""),
    ("93", "1", "16", "text", "serial number", ""),
    ("96", "0", "1", "u8", "number of the battery", ""),
    ("96", "1", "2", "u8", "version of the manufacturer", ""),
    ("96", "3", "3", "u8", "version of the main line", ""),
)


def _pylontech_value(name: str, multiply: int, divide: int, add: int) -> tuple[str, str]:
    if name == pylontech.ADDRESS:
        return "number of the battery", ""
    if name == pylontech.AVERAGE:
        return "mean of `temperature_dc`", "0.1 K"
    what = f"`{name}`"
    if multiply == 0:
        what += " x cells"
    elif multiply < 0:
        what += ", negative"
    if divide != 1:
        what += f" / {divide}"
    return what, _scaled_unit(name, divide, add)


def _scaled_unit(name: str, divide: int, add: int) -> str:
    if add in _KELVIN:
        return _KELVIN[add]
    unit = _UNITS.get(name.rpartition("_")[2], "")
    if unit == "0.01 %" and divide != 1:
        return "%"
    return f"{divide} {unit}" if unit and divide != 1 else unit


def jbd_rows() -> Iterator[Row]:
    """Register, place, type, what it holds, unit, access."""
    at = 0
    for kind, name, _, divide in jbd.BASIC:
        unit = _scaled_unit(name, divide, 0)
        yield ("03", f"byte {at}", _JBD_KINDS[kind], f"`{name}` / {divide}", unit, "read")
        at += 2
    yield from _JBD_BASIC_REST
    for bit, names in jbd.PROTECTIONS:
        what = ", ".join(f"`{name}`" for name in names.split())
        yield ("03", "byte 16", f"bit {bit}", f"fault {what}", "", "read")
    other = "any other fault that blocks, or gates off by command"
    yield ("03", "byte 16", f"bit {jbd.OTHER_PROTECTION}", other, "", "read")
    yield from _JBD_FIXED
    names = dict(jbd.PROTECTIONS)
    for number, bit in enumerate(jbd.COUNTERS):
        what = f"times of {names[bit].split()[0]}, since the start"
        yield ("AA", f"byte {2 * number}", "u16", what, "", "read")
    eeprom: list[Row] = []
    for register, kind, setting, multiply, divide, add in jbd.SETTINGS:
        what = " and ".join(f"`{name}`" for name in setting.split())
        what += {0: " x cells", -1: ", negative", 4: " in bit 2"}.get(multiply, "")
        unit = "s, s" if kind == jbd.BYTES else _scaled_unit(setting, divide, add)
        access = "read; write, unlocked and in factory mode"
        if kind != jbd.BYTES and divide != 1:
            what += f" / {divide}"
        eeprom.append((f"{register:02X}", "", _JBD_KINDS[kind], what, unit, access))
    for register, name, _, divide in jbd.POINTS:
        shown = f"`{name}`" + ("" if divide == 1 else f" / {divide}")
        unit = _scaled_unit(name, divide, 0)
        eeprom.append((f"{register:02X}", "", "u16", shown, unit, "read"))
    for register in jbd.BLANKS:
        eeprom.append(
            (f"{register:02X}", "", "u16", _JBD_BLANKS.get(register, _JBD_BLANK), "", "read")
        )
    yield from sorted(eeprom)


_JBD_BLANK = "0: there is nothing like it here"
_JBD_BLANKS = {
    jbd.DATE: "date of manufacture, as in 03",
    jbd.SENSORS: "a bit for each sensor that is fitted",
}

_JBD_BASIC_REST = (
    ("03", "byte 10", "u16", "date of manufacture, not known: 2026-01-01", "", "read"),
    ("03", "byte 12", "bits", "`balancing`, bit 0 is cell 1", "", "read"),
    ("03", "byte 14", "bits", "`balancing`, bit 0 is cell 17", "", "read"),
    ("03", "byte 16", "bits", "protections, below", "", "read"),
    ("03", "byte 18", "u8", "version 1.0, BCD", "", "read"),
    ("03", "byte 19", "u8", "`soc_bp` / 100", "%", "read"),
    ("03", "byte 20", "bits", "`gates`: bit 0 charge, bit 1 discharge", "", "read"),
    ("03", "byte 21", "u8", "`series_cells`", "", "read"),
    ("03", "byte 22", "u8", "n, number of sensors", "", "read"),
    ("03", "byte 23", "n u16", "`temperature_dc`", "0.1 K", "read"),
)
_JBD_FIXED = (
    (
        "00",
        "",
        "u16",
        "5678: enter factory mode, for a minute after the latest request",
        "",
        "write",
    ),
    ("01", "", "u16", "0000 or 2828: leave it, and lock", "", "write"),
    ("04", "byte 0", "u16", "`cell_voltage_mv` of each cell", "mV", "read"),
    ("05", "byte 0", "text", "name", "", "read"),
    (
        "06",
        "byte 0",
        "text",
        "06, then six digits: the access code; zeros open nothing",
        "",
        "write",
    ),
    ("A0", "byte 0", "text", "length, manufacturer", "", "read"),
    ("A1", "byte 0", "text", "length, device", "", "read"),
    ("A2", "byte 0", "text", "length, bar code", "", "read"),
    ("E1", "", "u16", "bit 0 no charging, bit 1 no discharging", "", "write, unlocked"),
)

_MODBUS_TITLES = ("address", "hex", "registers", "name", "type", "unit", "access", "meaning")
_SUNSPEC_TITLES = ("address", "model", "offset", "point", "holds")
_PYLONTECH_TITLES = ("cid2", "byte", "bytes", "type", "holds", "unit")
_JBD_TITLES = ("register", "place", "type", "holds", "unit", "access")

MAPS = {
    "modbus.csv": (_MODBUS_TITLES, modbus_rows),
    "sunspec.csv": (_SUNSPEC_TITLES, sunspec_rows),
    "pylontech-rs485.csv": (_PYLONTECH_TITLES, pylontech_rows),
    "jbd.csv": (_JBD_TITLES, jbd_rows),
}
"""File in docs/registers: titles, and what yields its rows."""


def csv_text(titles: Sequence[str], lines: Iterator[Row]) -> str:
    """One map as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows([[cell.replace("`", "") for cell in line] for line in lines])
    return text.getvalue()


def pages() -> Iterator[tuple]:
    """Each page and file with its text as it should be."""
    for page, titles, lines in (
        (SUNSPEC_PAGE, ("Register", "Model", "Offset", "Point", "Holds"), sunspec_rows),
        (PYLONTECH_PAGE, ("CID2", "Byte", "Bytes", "Type", "Holds", "Unit"), pylontech_rows),
        (JBD_PAGE, ("Register", "Place", "Type", "Holds", "Unit", "Access"), jbd_rows),
    ):
        text = page.read_text(encoding="utf-8")
        yield page, with_parts(text, {"map": table(titles, list(lines()))})
    for name, (titles, lines) in MAPS.items():
        yield FOLDER / name, csv_text(titles, lines())


def main(arguments: Sequence[str]) -> int:
    """Write or check all of them. Returns an exit code."""
    return max([run(page, text, arguments) for page, text in pages()])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
