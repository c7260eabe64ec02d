"""Asks a device's console as a program does: a command with --json, one object back."""

import json
import time
from typing import Any

import serial

_BAUD = 115200  # a USB serial port ignores it
_SILENCE_S = 10.0  # a console that says nothing for so long does not answer
_FORGET = b"\x03"  # Ctrl-C: nobody's half-typed line is carried out


class ConsoleError(Exception):
    """There is no answer, or the device refused; the text says why and what to do."""


def ask(port: str, command: str, silence_s: float = _SILENCE_S) -> dict[str, Any]:
    """What the console at `port` answers to `command`. Raises ConsoleError."""
    typed = f"{command} --json".encode()
    try:
        with serial.Serial(port, _BAUD, timeout=0.2) as line:
            line.reset_input_buffer()
            line.write(_FORGET + typed + b"\r")
            text = _answer(line, typed, silence_s)
    except (OSError, ValueError) as error:  # serial.SerialException is an OSError
        raise ConsoleError(f"can not talk to {port}: {error}") from error
    if text is None:
        raise ConsoleError(
            f"no console of Cellsteward answers on {port}: is another program connected to it?"
        )
    return parsed(text)


def parsed(text: str) -> dict[str, Any]:
    """The object in one answer. Raises ConsoleError if it is none, or says `error`."""
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise ConsoleError(f"the answer is damaged ({error}): try again") from error
    if not isinstance(answer, dict):
        raise ConsoleError("the answer is no JSON object: is this a console's?")
    if "error" in answer:
        raise ConsoleError(f"the device says: {answer['error'].rstrip('.')}")
    return answer


def _answer(line: serial.Serial, typed: bytes, silence_s: float) -> str | None:
    """The line after the echo of what was typed, or None if it does not come."""
    received = b""
    heard_s = time.monotonic()
    while time.monotonic() - heard_s < silence_s:
        piece = line.read(max(1, line.in_waiting))
        if piece:
            heard_s = time.monotonic()
            received += piece
            if b"\n" not in piece:
                continue
            _, echoed, after = received.partition(typed + b"\r\n")
            if echoed and b"\n" in after:
                return after.partition(b"\n")[0].decode(errors="replace")
    return None
