"""`cellsteward doctor`: reads a device and says, in plain words, what is wrong and what to check.

It reads over the console or over Modbus (RTU or TCP), changes nothing, and explains each link and
the usual complaints: no state of charge, communication fault, will not charge, voltage only,
lockout, jumps of the state of charge, wrong profile, damaged frames, time-outs. A complaint is
a row of COMPLAINTS: a test of the points that finds a cause, or nothing.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import serial

from bms.fault_rows import ROWS as FAULT_ROWS
from bms.parameter_rows import ROWS as PARAMETER_ROWS
from bms.point_rows import ROWS as POINT_ROWS
from bms.point_words import STATES
from bms.points import STATE_ACTIVE, STATE_COMMISSIONING, STATE_STANDBY, STATE_UNCONFIGURED
from bms.table import INVALID, rows
from links.diagnosis import CAN, LINKS, RS485
from links.peer_rows import ROWS as PEER_ROWS
from links.verdict_rows import ROWS as VERDICT_ROWS
from modbus.crc16 import crc16

# point or parameter -> its values; INVALID where there is none
Values = Mapping[str, list[int]]

_MAP_AT = 0x0100
_BATCH = 120  # registers in one request: at most 125
_SIZES = {"i32": 2, "u16": 1, "i16": 1, "b16": 1, "secret": 1}
_BLANKS = {"u16": 0xFFFF, "b16": 0xFFFF, "i16": -0x8000, "i32": -(1 << 31)}
_SETTINGS = ("inverter_profile", "rs485_protocol", "modbus_tcp_port")
_MBAP = 7
_TIMEOUT_S = 2.0
_TRIES = 3
_CONSOLE_LIMIT_S = 20.0
_YOUNG_S = 600
_TITLES = ("CAN", "RS485", "Modbus TCP", "Bluetooth")
_FULL_BP = 9_900


class DoctorError(Exception):
    """The device can not be read; the text says what to try."""


# Reading


def over_modbus(exchange: Callable[[bytes], bytes]) -> Values:
    """All points and the settings that matter. exchange: a PDU in, a PDU out."""
    table = list(rows(POINT_ROWS))
    size = sum(_SIZES[kind] * int(count) for _, _, kind, count, *_ in table)
    words: list[int] = []
    while len(words) < size:
        words += _read(exchange, _MAP_AT + len(words), min(_BATCH, size - len(words)))
    values: dict[str, list[int]] = {}
    for name, _, kind, count, *_ in table:
        width = _SIZES[kind]
        values[name] = [
            _value(words[at * width : (at + 1) * width], kind) for at in range(int(count))
        ]
        words = words[width * int(count) :]
    for register, name, _, kind, *_ in rows(PARAMETER_ROWS):
        if name in _SETTINGS:
            found = _read(exchange, int(register, 16), _SIZES[kind])
            values[name] = [_value(found, kind)]
    return values


def _read(exchange: Callable[[bytes], bytes], address: int, count: int) -> list[int]:
    request = bytes((3,)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
    answer = exchange(request)
    if len(answer) != 2 + 2 * count or answer[0] != request[0]:
        raise DoctorError(
            f"the device refused to show register {address}: is it Cellsteward, in this version?"
        )
    return [int.from_bytes(answer[at : at + 2], "big") for at in range(2, len(answer), 2)]


def _value(words: list[int], kind: str) -> int:
    signed = kind in ("i32", "i16")
    data = b"".join(word.to_bytes(2, "big") for word in words)
    value = int.from_bytes(data, "big", signed=signed)
    return INVALID if value == _BLANKS.get(kind) else value


def rtu(port: str, baud: int, address: int) -> Callable[[bytes], bytes]:
    """Exchange of PDUs over a serial port. Raises DoctorError if nobody answers."""
    try:
        line = serial.Serial(port, baud, timeout=_TIMEOUT_S / 10)
    except (serial.SerialException, ValueError) as error:
        raise DoctorError(f"can not open {port}: {error}") from error

    def exchange(pdu: bytes) -> bytes:
        request = bytes((address,)) + pdu
        for _ in range(_TRIES):
            line.reset_input_buffer()
            line.write(_with_crc(request))
            answer = b""
            deadline = time.monotonic() + _TIMEOUT_S
            while time.monotonic() < deadline:
                answer += line.read(256)
                if len(answer) > len(b"acc") and answer == _with_crc(answer[:-2]):
                    return answer[1:-2]
        raise DoctorError(
            f"nobody answers on {port} at {baud} baud, address {address}: check the wires (A to "
            "A, B to B), `modbus_baud`, `modbus_address`, and that nothing else uses the port"
        )

    return exchange


def _with_crc(frame: bytes) -> bytes:
    return frame + crc16(frame, 0, len(frame)).to_bytes(2, "little")


def tcp(host: str, port: int) -> Callable[[bytes], bytes]:
    """Exchange of PDUs over Modbus TCP. Raises DoctorError."""
    try:
        connection = socket.create_connection((host, port), _TIMEOUT_S)
    except OSError as error:
        raise DoctorError(
            f"can not connect to {host} port {port} ({error}): is `modbus_tcp_port` set, and the "
            "board in this network?"
        ) from error

    def exchange(pdu: bytes) -> bytes:
        header = bytes((0, 1, 0, 0)) + (len(pdu) + 1).to_bytes(2, "big") + b"\xff"
        connection.sendall(header + pdu)
        answer = b""
        while len(answer) < _MBAP or len(answer) < 6 + int.from_bytes(answer[4:6], "big"):
            try:
                piece = connection.recv(300)
            except OSError:
                piece = b""
            if not piece:
                raise DoctorError(
                    f"{host} hung up: it serves only the clients of its list "
                    "(`modbus_tcp_client_1_net` and `_host`)"
                )
            answer += piece
        return answer[_MBAP:]

    return exchange


def over_console(port: str) -> Values:
    """The same values by the console's command `raw`. Raises DoctorError."""
    try:
        line = serial.Serial(port, 115200, timeout=0.2)
    except (serial.SerialException, ValueError) as error:
        raise DoctorError(f"can not open {port}: {error}") from error
    line.reset_input_buffer()
    line.write(b"\x03raw\r")
    text = ""
    deadline = time.monotonic() + _CONSOLE_LIMIT_S
    while "raw end" not in text:
        if time.monotonic() > deadline:
            raise DoctorError(
                f"no console of Cellsteward answers on {port}: is another program connected to it?"
            )
        text += line.read(1024).decode(errors="replace")
    return from_raw(text)


def from_raw(text: str) -> Values:
    """Values from what `raw` prints."""
    values: dict[str, list[int]] = {}
    for name, numbers in re.findall(r"^([a-z]\w*)=([-\d ]+)\r?$", text, re.M):
        values[name] = [int(number) for number in numbers.split()]
    return values


# Explaining


@dataclass(frozen=True)
class Complaint:
    """What people complain about, and how a cause is found."""

    title: str
    find: Callable[[Values], Iterator[str]]


def report(values: Values) -> Iterator[str]:
    """The whole report, line by line."""
    state = _first(values, "state")
    shown = STATES[state] if 0 <= state < len(STATES) else "unknown"
    yield f"State: {shown.replace('_', ' ')}."
    for kind in ("faults", "warnings"):
        for name, advice in _raised(values, kind):
            yield f"  {kind[:-1]} {name}: {advice}."
    yield "Links:"
    yield from _links(values)
    found = False
    for complaint in COMPLAINTS:
        causes = list(complaint.find(values))
        if causes:
            found = True
            yield f"{complaint.title}:"
            for cause in causes:
                yield f"  - {cause}"
    if not found:
        yield "Nothing else is wrong as far as the device can tell."


def _links(values: Values) -> Iterator[str]:
    verdicts = list(rows(VERDICT_ROWS))
    peers = list(rows(PEER_ROWS))
    for slot, title in enumerate(_TITLES):
        number = _first(values, "link_verdict", slot)
        if not 0 < number < len(verdicts):
            yield f"  {title}: not in use, or not judged yet."
            continue
        meaning, check = verdicts[number][5], verdicts[number][6]
        peer = _first(values, "link_peer", slot)
        who = f" The other side: {peers[peer][1]}." if 0 < peer < len(peers) else ""
        yield f"  {title}: {meaning}.{who}"
        if check:
            yield f"    Next: {check}."


def _first(values: Values, name: str, slot: int = 0) -> int:
    found = values.get(name, [])
    return found[slot] if slot < len(found) else INVALID


def _raised(values: Values, kind: str) -> list[tuple[str, str]]:
    words = values.get(kind, [])
    return [
        (row[0], row[3])
        for bit, row in enumerate(rows(FAULT_ROWS))
        if bit >> 4 < len(words) and words[bit >> 4] > 0 and words[bit >> 4] >> (bit & 15) & 1
    ]


def _verdict(values: Values, slot: int) -> str:
    number = _first(values, "link_verdict", slot)
    names = [row[4] for row in rows(VERDICT_ROWS)]
    return names[number] if 0 <= number < len(names) else ""


def _no_soc(values: Values) -> Iterator[str]:
    if _first(values, "soc_bp") == INVALID:
        state = _first(values, "state")
        if state == STATE_UNCONFIGURED:
            yield "The device has no configuration, so it measures nothing: set it up first."
        else:
            yield (
                "Nothing is measured at the moment, and an old value is never sent: the faults "
                "above say why. In the first seconds after a start this is normal."
            )
    elif _first(values, "inverter_profile") == 0 and not _is_well(values, RS485):
        yield "No inverter profile is set (`inverter_profile`), and nobody asks over RS485."
    elif _verdict(values, CAN) in ("can_never_heard", "can_no_acknowledge", "can_bus_off"):
        yield "The device knows its state of charge, but the inverter does not hear it: see CAN."


def _is_well(values: Values, slot: int) -> bool:
    return _verdict(values, slot) in ("well", "some_damaged", "can_well", "can_never_heard")


def _comm_fault(values: Values) -> Iterator[str]:
    for slot, name in enumerate(LINKS):
        verdict = _verdict(values, slot)
        if verdict in ("", "closed", "never_heard") or _is_well(values, slot):
            continue
        age_s = _first(values, "link_age_s", slot)
        since = f", last heard {age_s} s ago" if age_s >= 0 else ""
        yield f"{_TITLES[LINKS.index(name)]} is not well{since}: do what is said above about it."
        if slot == CAN:
            yield (
                "Many inverters keep a communication fault (F58, W31 and the like) until they are "
                "switched off completely and on again."
            )


def _wont_charge(values: Values) -> Iterator[str]:
    if _first(values, "charge_allowed") == 0:
        blocking = [
            f"{name}: {advice}" for name, advice in _raised(values, "faults") if _blocks(name, "c")
        ]
        yield from (f"Charging is blocked by {cause}." for cause in blocking)
        if not blocking:
            yield from _not_allowed(values)
    elif _first(values, "charge_current_limit_ma") == 0:
        if _first(values, "soc_bp") >= _FULL_BP:
            yield "The pack is full."
        else:
            yield (
                "No fault blocks it, but the charge limit is 0 A: a cell is near its upper limit, "
                "or too cold or too warm. `cells` on the console shows them."
            )


def _not_allowed(values: Values) -> Iterator[str]:
    state = _first(values, "state")
    if state == STATE_STANDBY:
        yield "Somebody opened the gates by command: `gates auto` on the console takes it back."
    elif state == STATE_COMMISSIONING:
        yield "The pack is not commissioned yet: `commission` on the console leads through it."
    elif state == STATE_ACTIVE:
        yield (
            "No fault blocks it: a program asked over a bus to keep the charge gate open (E1 of "
            "JBD), and `gates auto` on the console takes that back; or a protection is about to "
            "judge, then look again in half a minute."
        )
    else:
        yield "The device does not guard yet, or is testing itself: look again in half a minute."


def _blocks(name: str, direction: str) -> bool:
    return any(row[0] == name and direction in row[1] for row in rows(FAULT_ROWS))


def _voltage_only(values: Values) -> Iterator[str]:
    if _first(values, "pack_voltage_mv") == INVALID:
        return
    if _first(values, "inverter_profile") not in (0, INVALID) and not _is_well(values, CAN):
        yield (
            "An inverter that measures the voltage by itself and hears no battery works by "
            "voltage alone: set its battery type to lithium (not AGM, not user-defined), and mend "
            "the link."
        )


def _lockout(values: Values) -> Iterator[str]:
    for name, advice in _raised(values, "faults"):
        latching = any(row[0] == name and row[2] == "y" for row in rows(FAULT_ROWS))
        if latching:
            yield f"{name} stays until a person clears it: {advice}. Then `clear` on the console."
    if _first(values, "state") == STATE_STANDBY:
        yield from _not_allowed(values)
    if _first(values, "undervoltage_rebounds") > 0:
        yield "The pack was emptied again and again without being charged: charge it by 5 % first."


def _soc_jumps(values: Values) -> Iterator[str]:
    if _first(values, "watchdog_resets") > 0:
        yield (
            "The watchdog reset the processor lately, and a restart makes the estimate less sure: "
            "save the log (`log 200`) and report it."
        )
    if 0 <= _first(values, "uptime_s") < _YOUNG_S:
        yield (
            "The processor started less than ten minutes ago; until the next full or empty the "
            "state of charge is less sure, and moves when it finds one."
        )


def _wrong_profile(values: Values) -> Iterator[str]:
    if _verdict(values, CAN) == "can_other_language":
        yield "The inverter speaks another language than `inverter_profile`: see CAN above."
    if _verdict(values, RS485) == "only_noise" and _first(values, "rs485_protocol") != 0:
        yield "RS485 hears bytes but no request: with `rs485_protocol` auto it takes any master."
    if "refused" in [_verdict(values, slot) for slot in range(len(LINKS))]:
        yield "A master asks for registers that there are not: it is set to another battery."


def _counted(point: str, text: str) -> Callable[[Values], Iterator[str]]:
    def find(values: Values) -> Iterator[str]:
        for slot, title in enumerate(_TITLES):
            count = _first(values, point, slot)
            good = max(0, _first(values, "link_frames_in", slot))
            if count > 0:
                yield f"{title}: {count} beside {good} good ones. {text}"

    return find


COMPLAINTS = (
    Complaint("No state of charge", _no_soc),
    Complaint("Communication fault", _comm_fault),
    Complaint("Will not charge", _wont_charge),
    Complaint("The inverter works by voltage only", _voltage_only),
    Complaint("Locked out", _lockout),
    Complaint("The state of charge jumps", _soc_jumps),
    Complaint("Wrong profile", _wrong_profile),
    Complaint(
        "Damaged frames",
        _counted(
            "link_crc_errors",
            "A few after plugging in are nothing; if they grow, check termination (120 ohm at "
            "both ends), ground, and the distance to power cables.",
        ),
    ),
    Complaint(
        "Time-outs",
        _counted(
            "link_timeouts",
            "The other side gives up early or stops listening: raise its time-out to 500 ms or "
            "more, and ask less often.",
        ),
    ),
)
