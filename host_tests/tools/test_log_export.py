"""`cellsteward log export`: a saved answer of the console becomes a table, or a sentence."""

import csv
import io
import json
import os
import pty
import threading

import pytest
from typer.testing import CliRunner

from cellsteward.cli import app
from cellsteward.console_client import ConsoleError, ask

EVENT = {
    "sequence": 1, "boot": 2, "uptime_s": 3, "kind": 1, "code": 0, "value": None,
    "in_words": "fault x, y",
}  # fmt: skip
NEWER = {**EVENT, "sequence": 2, "value": -5}


def export(*arguments):
    return CliRunner().invoke(app, ["log", "export", *map(str, arguments)])


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"log_events": [NEWER, EVENT]}))
    return path


def test_the_oldest_comes_first_and_what_is_unknown_is_empty(saved):
    rows = list(csv.DictReader(io.StringIO(export(saved).stdout)))
    assert [row["sequence"] for row in rows] == ["1", "2"]
    assert [row["value"] for row in rows] == ["", "-5"]
    assert rows[0]["in_words"] == "fault x, y"


def test_json_is_the_same_events(saved, tmp_path):
    out = tmp_path / "log.json"
    assert export(saved, "--format", "json", "-o", out).exit_code == 0
    assert json.loads(out.read_text()) == [EVENT, NEWER]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[]", "no JSON object"),
        ("{}", "holds no log"),
        ('{"log_events": [{}]}', "holds no log"),
        ('{"error": "Locked."}', "the device says: Locked."),
    ],
)
def test_what_is_no_log_is_one_sentence(tmp_path, text, words):
    path = tmp_path / "answer.json"
    path.write_text(text)
    result = export(path)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stdout == ""


def test_a_wrong_format_and_a_port_that_is_not_there_are_one_sentence(saved):
    result = export(saved, "--format", "parquet")
    assert (result.exit_code, "csv, json" in result.stderr) == (2, True)
    result = export("/dev/no_such_port")
    assert (result.exit_code, "can not talk to" in result.stderr) == (1, True)


def console(answer):
    """A port on which somebody answers so to the first line."""
    board, line = pty.openpty()

    def run():
        typed = b""
        while not typed.endswith(b"\r"):
            typed += os.read(board, 100)
        os.write(board, answer)

    threading.Thread(target=run, daemon=True).start()
    return os.ttyname(line)


def test_the_answer_is_the_line_after_the_echo():
    answer = b'> \r\n> log --json\r\n{"log_events": []}\r\n> '
    assert ask(console(answer), "log") == {"log_events": []}


def test_an_answer_that_breaks_off_is_none():
    with pytest.raises(ConsoleError, match="no console of Cellsteward answers"):
        ask(console(b'> log --json\r\n{"log_eve'), "log", silence_s=0.5)
