"""`cellsteward log export`: the event log of a device as a table, the oldest event first.

From a port it asks the console; from a file it takes what the console answered to `log --json`.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

from cellsteward.console_client import ConsoleError, ask, parsed

FORMATS = ("csv", "json")
_COLUMNS: tuple[str, ...] = ("sequence", "boot", "uptime_s", "kind", "code", "value", "in_words")


def read(source: str) -> list[dict[str, Any]]:
    """The events of a port or a file. Raises ConsoleError."""
    path = Path(source)
    if path.is_file():
        try:
            answer = parsed(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConsoleError(f"can not read {source}: {error}") from error
    else:
        answer = ask(source, "log")
    events = answer.get("log_events")
    if not isinstance(events, list) or not all(_complete(event) for event in events):
        raise ConsoleError(f"{source} holds no log: save what the console says to `log --json`")
    return sorted(events, key=lambda event: event["sequence"])


def _complete(event: object) -> bool:
    return isinstance(event, dict) and set(_COLUMNS) <= set(event)


def written(events: list[dict[str, Any]], form: str) -> str:
    """The events as text of one of FORMATS."""
    if form == "json":
        return json.dumps(events, indent=1) + "\n"
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(events)
    return text.getvalue()
