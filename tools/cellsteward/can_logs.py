"""Reads what was recorded on a CAN bus, whoever recorded it.

candump (to a file with -L, or what it prints), SLCAN lines as an adapter sends them, and all that
python-can reads by the end of the name (.asc, .blf, .trc, .csv and more). The text formats are
recognized by their lines, whatever the file is called.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import can

from cellsteward.slcan import frame_line

_BY_NAME = (".asc", ".blf", ".csv", ".mf4", ".trc", ".db")
_CANDUMP_LOG = re.compile(
    r"\((\d+\.\d+)\)\s+\S+\s+([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#(R\d?|[0-9A-Fa-f.]*)"
)
_CANDUMP_PRINT = re.compile(
    r"(?:\((?P<time>[-\d.: ]+)\)\s+)?\S+\s+(?:(?:RX|TX)\s+\S+\s+\S+\s+)?"
    r"(?P<id>[0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})\s+\[(?P<size>\d+)\]\s*(?P<data>remote request|"
    r"(?:[0-9A-Fa-f]{2}(?:\s+|$))*)"
)
_SLCAN_STAMP = re.compile(r"([tTrR][0-9A-Fa-f]*?)([0-9A-Fa-f]{4})")
_STAMP_WRAP_S = 60.0
_ERROR_FRAME = 1 << 29  # CAN_ERR_FLAG of Linux: no frame of the bus, but news of its controller
_MANY = 50  # lines that are looked at to recognize a format


class LogError(ValueError):
    """The file can not be read as a log; the text says why."""


@dataclass(frozen=True)
class Frame:
    """time_s: of the recording, None if it has none."""

    time_s: float | None
    identifier: int
    data: bytes
    extended: bool = False
    remote: bool = False


def read_log(path: Path) -> list[Frame]:
    """All frames of a recording. Raises LogError, and OSError if there is no such file."""
    if path.suffix.lower() in _BY_NAME:
        return list(_by_python_can(path))
    text = path.read_bytes().decode("utf-8", "replace")
    lines = [line.strip() for line in re.split(r"[\r\n\a]+", text)]
    lines = [line for line in lines if line]
    for reader in (_candump_log, _candump_print, _slcan):
        if any(reader(lines[:_MANY])):
            return list(reader(lines))
    raise LogError(
        f"{path.name} is no log of candump or of an SLCAN adapter; others are known by the end "
        f"of their names: {', '.join(_BY_NAME)}."
    )


def _by_python_can(path: Path) -> Iterator[Frame]:
    try:
        with can.LogReader(path) as reader:
            for message in reader:
                if not message.is_error_frame:
                    yield Frame(
                        message.timestamp,
                        message.arbitration_id,
                        bytes(message.data),
                        message.is_extended_id,
                        message.is_remote_frame,
                    )
    except (ValueError, IndexError, KeyError, EOFError, struct.error, can.CanError) as problem:
        raise LogError(f"{path.name} is no log of its kind: {problem}.") from problem


def _candump_log(lines: list[str]) -> Iterator[Frame]:
    for line in lines:
        found = _CANDUMP_LOG.match(line)
        if found is None:
            continue
        time, identifier, data = found.groups()
        remote = data.startswith("R")
        digits = "" if remote else data.replace(".", "")
        if len(digits) % 2 == 0 and not int(identifier, 16) & _ERROR_FRAME:
            yield Frame(
                float(time),
                int(identifier, 16),
                bytes.fromhex(digits),
                len(identifier) > 3,  # noqa: PLR2004
                remote,
            )


def _candump_print(lines: list[str]) -> Iterator[Frame]:
    for line in lines:
        found = _CANDUMP_PRINT.match(line)
        if found is None:
            continue
        remote = found["data"].startswith("remote")
        data = b"" if remote else bytes.fromhex("".join(found["data"].split()))
        if int(found["id"], 16) & _ERROR_FRAME:
            continue
        if remote or len(data) == int(found["size"]):
            yield Frame(
                _seconds(found["time"]),
                int(found["id"], 16),
                data,
                len(found["id"]) > 3,  # noqa: PLR2004
                remote,
            )


def _seconds(stamp: str | None) -> float | None:
    """Seconds of a candump stamp: absolute or since the frame before is not told apart."""
    if not stamp:
        return None
    try:
        return float(stamp)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(stamp).timestamp()  # candump -t A
    except ValueError:
        return None


def _slcan(lines: list[str]) -> Iterator[Frame]:
    begin_s = before_s = 0.0
    for line in lines:
        stamp = None
        frame = frame_line(line)
        if frame is None:
            stamped = _SLCAN_STAMP.fullmatch(line)
            frame = frame_line(stamped[1]) if stamped else None
            stamp = stamped[2] if stamped else None
        if frame is None:
            continue
        time_s = None
        if stamp is not None:
            now_s = int(stamp, 16) / 1000
            if now_s < before_s:
                begin_s += _STAMP_WRAP_S
            before_s = now_s
            time_s = begin_s + now_s
        digits = 8 if frame[0] in "TR" else 3
        data = frame[2 + digits :] if frame[0] in "tT" else ""
        yield Frame(
            time_s,
            int(frame[1 : 1 + digits], 16),
            bytes.fromhex(data),
            frame[0] in "TR",
            frame[0] in "rR",
        )
