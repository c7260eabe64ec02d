"""`cellsteward` from the outside, with a stand-in for the firmware process (fake_firmware.py)."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import serial
from typer.testing import CliRunner

from cellsteward import ROOT, __version__, sim
from cellsteward.cli import app
from cellsteward.options import (
    OptionError,
    afe_assignments,
    parse_duration,
    parse_settings,
    parse_speed,
    read_load,
)

FAKE = str(Path(__file__).with_name("fake_firmware.py"))
LOAD = "t_s,I_A,V_V\n0,0,3.3\n1,-4,3.2\n2,2,3.4\n"


@pytest.fixture
def cellsteward(monkeypatch):
    """Run the command line in this process, with the firmware process in a given mode."""

    def run(*arguments, mode="run", text=None):
        monkeypatch.setattr(sim, "COMMAND", (sys.executable, FAKE, mode))
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=text)

    return run


@pytest.fixture
def start():
    """Start the command line as a process of its own; it is ended with the test."""
    running = []

    def run(mode, *arguments):
        program = (
            "import sys; from cellsteward import cli, sim; "
            f"sim.COMMAND = (sys.executable, {FAKE!r}, {mode!r}); cli.main()"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def wait_for_file(path):
    until = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.01)
    return json.loads(path.read_text())


def test_version(cellsteward):
    result = cellsteward("--version")
    assert (result.exit_code, result.stdout) == (0, f"cellsteward {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--load", "nowhere.csv"), "--load: can not read nowhere.csv: No such file"),
        (("--load", ROOT), "Is a directory"),
        (("--load-scale", "2"), "--load-scale needs --load"),
        (("--load-scale", "much"), "--load-scale takes 'auto' or a factor"),
        (("--speed", "fast"), "--speed takes 'max' or a factor above 0, such as 10, not 'fast'."),
        (("--speed", "0"), "--speed takes 'max' or a factor above 0"),
        (("--speed", "nan"), "--speed takes 'max' or a factor above 0"),
        (("--duration", "1week"), "--duration takes a time such as 90s, 10m, 2h or 1d"),
        (("--duration", "0"), "--duration takes a time"),
        (("--set", "series_cells"), "--set takes NAME=VALUE, not 'series_cells'."),
        (("--set", "cells=4"), "'cells' is not a parameter"),
        (("--set", "series_cells=99"), "'series_cells' must be a whole number from 3 to 32"),
        (("--set", "series_cells=many"), "'series_cells' takes a whole number, not 'many'"),
        (("--set", "chemistry=lead"), "'chemistry' takes one of lfp, nmc, lto, sodium"),
        (("--set", "charge_cell_mv=3700"), "'charge_cell_mv' (3700) must be below"),
        (("--fresh",), "--fresh needs --state-dir"),
        (("--ports-file", "/nowhere/ports.json"), "there is no folder /nowhere."),
        (("--ports-file", ROOT), f"--ports-file: {ROOT} is there already and is none of ours"),
        (("--ports-file", ROOT / "LICENSE"), "LICENSE is there already and is none of ours"),
        (("--unconfigured", "--set", "series_cells=4"), "--unconfigured and --set exclude each"),
        (("--screenshot", "x.svg"), "--screenshot needs --duration or --load"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_exit_code_2(cellsteward, arguments, sentence):
    result = cellsteward("sim", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.startswith("cellsteward: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no columns t_s and I_A"),
        ("time,amps\n0,1\n", "has no columns t_s and I_A"),
        ("t_s,I_A\n0,1\n1,two\n", "line 3 of"),
        ("t_s,I_A\n0,1\n1\n", "line 3 of"),
        ("t_s,I_A\n0,1\n1,nan\n", "line 3 of"),
        ("t_s,I_A\n5,1\n4,1\n", "time runs backwards in line 3"),
        ("t_s,I_A\n5,1\n", "less than two moments"),
        ("t_s,I_A\r0,1\r1,2\r", "line 1 of"),
        ('t_s,I_A,note\n0,1,"of two\nlines"\n', "line 2 of"),
        ('t_s,I_A\n0,"1,5"\n1,2\n', "quoted field that holds a comma"),
    ],
)
def test_a_load_that_can_not_run_is_refused_with_its_line(cellsteward, tmp_path, text, sentence):
    path = tmp_path / "load.csv"
    path.write_bytes(text.encode())
    result = cellsteward("sim", "--load", path)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_load_may_come_from_a_spreadsheet_with_a_mark_quotes_and_its_line_ends(tmp_path):
    path = tmp_path / "load.csv"
    path.write_bytes(b'\xef\xbb\xbf"t_s", "I_A"\r\n"0",1\r\n"60","-4"\r\n')
    load = read_load(path)
    assert (load.seconds, load.charge_a, load.discharge_a) == (60, 1, 4)


def test_a_binary_file_is_no_load(tmp_path):
    path = tmp_path / "load.csv"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(OptionError, match=r"--load: .*load\.csv"):
        read_load(path)


def test_columns_of_a_load_may_stand_in_any_order_and_lines_may_be_empty(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("T_C,I_A,t_s\n25,-4,10\n25,2,3610\n\n")
    load = read_load(path)
    assert (load.seconds, load.charge_a, load.discharge_a) == (3600, 2, 4)


def test_a_load_is_scaled_to_half_the_capacity_or_to_what_the_pack_allows(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text(LOAD)  # at most 2 A in, 4 A out
    load = read_load(path)
    parameters, _ = parse_settings([])
    # 280 Ah: 0.5 C is 140 A, but 100 A out (25 times) and 50 A in (25 times) are allowed.
    assert load.scale_for(parameters) == 25
    parameters, _ = parse_settings(["charge_current_max_ma=10000"])
    assert load.scale_for(parameters) == 5
    parameters, _ = parse_settings(["design_capacity_mah=8000"])
    assert load.scale_for(parameters) == 1


def test_choices_are_set_by_name_and_numbers_by_value():
    parameters, settings = parse_settings(
        ["chemistry=nmc", "modbus_baud=115200", "overtemperature_charge_trip_dc=470"]
    )
    assert parameters.value("chemistry") == 1
    assert settings["modbus_baud"] == 4
    assert settings["overtemperature_charge_trip_dc"] == 470


@pytest.mark.parametrize(
    ("chip", "cells", "sensors"), [("bq76940", 15, 2), ("bq76930", 10, 2), ("bq76920", 5, 1)]
)
def test_a_measuring_chip_comes_with_a_pack_that_fills_it(chip, cells, sensors):
    parameters, _ = parse_settings(afe_assignments(chip))
    assert parameters.value("series_cells") == cells
    assert parameters.value("cell_thermistors") == sensors
    smaller, _ = parse_settings([*afe_assignments(chip), f"series_cells={cells - 1}"])
    assert smaller.value("series_cells") == cells - 1


def test_a_pack_that_the_measuring_chip_can_not_guard_is_refused():
    with pytest.raises(OptionError, match="--afe: 'bq76907' is none of"):
        afe_assignments("bq76907")
    with pytest.raises(OptionError, match=r"'series_cells' is 16: .* 9 to 15 cells\."):
        parse_settings(["afe_chip=bq76940"])
    with pytest.raises(OptionError, match="can not guard such cells"):
        parse_settings([*afe_assignments("bq76940"), "chemistry=lto"])


def test_durations_and_speeds():
    assert [parse_duration(text) for text in ("90", "90s", "10m", "2h", "1d", "1.5h")] == [
        90, 90, 600, 7_200, 86_400, 5_400,
    ]  # fmt: skip
    assert [parse_speed(text) for text in ("max", "1", "10x", "0.5")] == [0, 1, 10, 0.5]


def test_a_run_without_a_terminal_prints_lines_and_a_summary(cellsteward):
    result = cellsteward("sim", "--speed", "max", "--duration", "8")
    assert result.exit_code == 0
    first, ports, header, line, *_, summary = result.stdout.splitlines()
    assert first == (
        "Simulated pack: 16 cells in series, LFP, 280 Ah; a household's days; speed max"
    )
    assert re.fullmatch(r"rs485 /dev/\S+  console /dev/\S+  can /dev/\S+", ports)
    for title, value in (("SoC", "61.20 %"), ("true", "61.25 %"), ("current", "-12.34 A")):
        column = header.index(title)
        assert line[column : column + len(value)] == value
    assert summary.startswith("Ended (duration): 8 s simulated in ")
    assert "about 0.00 Ah in, 0.02 Ah out; SoC 61.20 %, true 61.25 %; faults seen: none." in (
        summary
    )


def test_a_recorded_load_and_its_scale_are_named_in_the_first_line(cellsteward, tmp_path):
    path = tmp_path / "drive.csv"
    path.write_text(LOAD)
    result = cellsteward("sim", "--load", path, "--speed", "max", "--duration", "2")
    assert "load drive.csv (0.0 h), current times 25" in result.stdout.splitlines()[0]


def test_faults_at_the_start_are_shown_and_summed_up(cellsteward):
    result = cellsteward("sim", "--speed", "max", "--duration", "3", "--fault", "cell_high")
    assert result.exit_code == 0
    assert re.search(r" -D    cell_overvoltage$", result.stdout, re.MULTILINE)
    assert "faults seen: cell_overvoltage." in result.stdout


def test_values_that_are_not_valid_are_dashes_and_not_numbers(cellsteward):
    result = cellsteward("sim", "--speed", "max", "--duration", "3", "--fault", "afe_silent")
    header, line = result.stdout.splitlines()[2:4]
    for title in ("SoC", "voltage", "current", "power", "cells", "warmest"):
        assert line[header.index(title) :].startswith("-- ")
    assert line[header.index("true") :].startswith("61.25 %")


def test_an_unknown_fault_is_refused_with_the_known_ones(cellsteward):
    result = cellsteward("sim", "--fault", "meteor")
    assert result.exit_code == 2
    assert "'meteor' is none of" in result.stderr
    assert "cell_high, afe_silent" in result.stderr
    assert result.stderr.count("\n") == 1  # nothing of the firmware's own traceback


def test_a_firmware_that_dies_is_shown_and_fails_the_run(cellsteward):
    result = cellsteward("sim", "--duration", "5", mode="dies")
    assert result.exit_code == 1
    assert "RuntimeError: the battery model fell over" in result.stderr
    assert "the firmware process died with exit code 1" in result.stderr


def test_a_firmware_that_never_reports_is_ended(cellsteward, monkeypatch):
    monkeypatch.setattr(sim, "_HELLO_LIMIT_S", 0.3)
    result = cellsteward("sim", mode="stuck")
    assert result.exit_code == 1
    assert "did not report within" in result.stderr


def test_a_missing_interpreter_is_one_sentence(cellsteward, monkeypatch):
    monkeypatch.setattr(sim, "COMMAND", ("/nowhere/micropython",))
    result = CliRunner().invoke(app, ["sim", "--no-ui"])
    assert result.exit_code == 2
    assert result.stderr.startswith("cellsteward: /nowhere/micropython is missing")


def test_after_a_watchdog_reset_the_run_goes_on_for_the_rest_of_its_time(cellsteward):
    result = cellsteward("sim", "--speed", "max", "--duration", "8", mode="watchdog")
    assert result.exit_code == 0
    assert "The watchdog reset the firmware" in result.stderr
    assert "Ended (duration): 8 s simulated" in result.stdout  # 3 s and then 5 s


def test_a_firmware_that_resets_for_ever_is_given_up(cellsteward):
    result = cellsteward("sim", "--speed", "max", mode="resets")
    assert result.exit_code == 1
    assert "it was reset 11 times within a minute" in result.stderr


def test_a_maintenance_boot_ends_the_run_well_and_says_what_to_do(cellsteward):
    result = cellsteward("sim", "--speed", "max", mode="maintenance")
    assert result.exit_code == 0
    assert "Ended (maintenance)" in result.stdout
    assert result.stdout.splitlines()[-1] == (
        "The board is in maintenance: gates off, waiting for new software. "
        "Start it again to go on guarding."
    )


def test_an_unconfigured_board_gets_no_settings_then_or_later(cellsteward, tmp_path):
    def run(*more):
        return cellsteward(
            *("sim", "--speed", "max", "--duration", "1", "--state-dir", tmp_path, *more),
            mode="settings",
        )

    first = run("--unconfigured")
    assert first.exit_code == 0, first.stderr
    assert first.stderr == "firmware: null\n"
    assert "LFP, 280 Ah, to be set up on its console; " in first.stdout.splitlines()[0]
    assert run().stderr == run("--unconfigured").stderr == "firmware: null\n"
    assert json.loads(run("--fresh").stderr.removeprefix("firmware: "))["series_cells"] == 16
    refused = run("--unconfigured")
    assert refused.exit_code == 2
    assert "holds a pack that is set up already; add --fresh." in refused.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("settings.json", b"{"),
        ("settings.json", b"[1]"),
        ("settings.json", b'{"cells": 4}'),
        ("settings.json", b"[" * 100_000),
        ("world.json", b""),
        ("world.json", b'{"pack": '),
        ("world.json", b"[]"),
        ("world.json", b"{}"),
        ("flash.img", b""),
        ("flash.img", b"\xff" * (352 * 4096)),
        ("flash.img", b"\0\0\0\0\0\0\0\0littlefs"),
    ],
)
def test_a_damaged_file_of_a_kept_pack_is_named_with_what_to_do(
    cellsteward, tmp_path, name, content
):
    (tmp_path / name).write_bytes(content)
    result = cellsteward("sim", "--state-dir", tmp_path)
    assert result.exit_code == 2
    assert f"{name} is damaged: add --fresh to start over (" in result.stderr
    assert result.stderr.count("\n") == 1
    again = cellsteward(
        "sim", "--state-dir", tmp_path, "--fresh", "--speed", "max", "--duration", "1"
    )
    assert again.exit_code == 0, again.stderr


def test_a_whole_flash_is_one_of_the_simulated_boards_size():
    source = (ROOT / "boards/sim/flash.py").read_text()
    block, blocks = (
        int(re.findall(rf"^{name} = (\d+)", source, re.MULTILINE)[0])
        for name in ("_BLOCK", "_BLOCKS")
    )
    assert block * blocks == sim._FLASH_BYTES


def test_a_ports_file_that_a_killed_run_left_is_written_anew(cellsteward, tmp_path):
    path = tmp_path / "ports.json"
    path.write_text('{"rs485": "a", "console": "b", "can": "c", "pid": 1}')
    result = cellsteward("sim", "--speed", "max", "--duration", "1", "--ports-file", path)
    assert result.exit_code == 0, result.stderr
    assert not path.exists()


def test_a_kept_pack_stays_what_it_was_commissioned_as(cellsteward, tmp_path):
    state = tmp_path / "state"

    def settings_after(*more):
        arguments = ("sim", "--speed", "max", "--duration", "1", "--state-dir", state)
        result = cellsteward(*arguments, *more, mode="settings")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stderr.splitlines()[0].removeprefix("firmware: "))

    small = {
        "chemistry": 0,
        "series_cells": 4,
        "design_capacity_mah": 280_000,
        "access_code": 1234,
    }
    assert settings_after("--set", "series_cells=4") == small
    assert settings_after() == small
    (state / sim.FLASH_FILE).touch()  # what the firmware would have left
    refused = cellsteward("sim", "--state-dir", state, "--set", "series_cells=8")
    assert refused.exit_code == 2
    assert "add --fresh" in refused.stderr
    assert settings_after("--fresh")["series_cells"] == 16
    assert not (state / sim.FLASH_FILE).exists()
    (state / "settings.json").write_text("{")
    damaged = cellsteward("sim", "--state-dir", state)
    assert damaged.exit_code == 2
    assert "settings.json is damaged" in damaged.stderr


def test_ports_are_told_when_everything_answers_and_taken_back_at_the_end(start, tmp_path):
    path = tmp_path / "ports.json"
    process = start("run", "sim", "--speed", "20", "--ports-file", path)
    ports = wait_for_file(path)
    assert set(ports) == {"rs485", "console", "can", "pid"}
    assert ports["pid"] == process.pid
    for _ in range(2):
        with serial.Serial(ports["rs485"], timeout=5) as port:
            port.write(b"\x01\x03\xff\x00\n\r")
            assert port.read(6) == b"\x01\x03\xff\x00\n\r"
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Ended (quit):" in output
    assert errors == ""
    assert list(tmp_path.iterdir()) == []


def test_clients_keep_their_port_over_a_watchdog_reset(start, tmp_path):
    path = tmp_path / "ports.json"
    process = start("watchdog", "sim", "--speed", "20", "--ports-file", path)
    ports = wait_for_file(path)
    with serial.Serial(ports["rs485"], timeout=0.2) as port:
        assert "reset" in process.stderr.readline()
        answer = b""
        until = time.monotonic() + 10
        while not answer and time.monotonic() < until:
            port.write(b"?")  # what is sent while the processor starts is lost
            answer = port.read(1)
        assert answer == b"?"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_can_and_console_pass_through_the_same_run(start, tmp_path):
    path = tmp_path / "ports.json"
    start("run", "sim", "--speed", "20", "--ports-file", path)
    ports = wait_for_file(path)
    with (
        serial.Serial(ports["can"], timeout=5) as adapter,
        serial.Serial(ports["console"], timeout=5) as console,
    ):
        adapter.write(b"S6\rO\rt30580000000000000000\r")
        assert b"t35181402E803E803C001\r" in adapter.read_until(b"C001\r")
        assert console.read_until(b"\r") == b"bus: t30580000000000000000\r"
        console.write(b"status\r")
        assert console.read_until(b"> ") == b"you said status\r\r\n> "


def test_a_firmware_that_does_not_quit_is_terminated(cellsteward, monkeypatch):
    monkeypatch.setattr(sim, "_QUIT_LIMIT_S", 0.1)
    began = time.monotonic()
    result = cellsteward("sim", "--fault", "meteor", mode="deaf")
    assert result.exit_code == 2
    assert time.monotonic() - began < 5


def test_a_reader_that_leaves_ends_the_run_quietly(start):
    process = start("run", "sim", "--speed", "max")
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ('{"no_such_point": 1}', "no_such_point"),
        ('{"soc_bp": ' + "[" * 100_000, "is nested too deeply"),
        ('{"soc_bp": ' + "9" * 5_000 + "}", "is beyond what the device can hold"),
        ('{"soc_bp": 1, "soh_bp": 2, "soc_bp": 3}', "'soc_bp' is there twice."),
        (b"\xff", "it is not text"),
    ],
)
def test_frames_refuses_a_wrong_state_in_one_sentence(cellsteward, text, sentence):
    result = cellsteward("frames", "--profile", "pylontech", "--state", "-", text=text)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_frames_takes_a_state_that_begins_with_a_byte_order_mark(cellsteward, tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b'\xef\xbb\xbf{"soc_bp": 6400}')
    result = cellsteward("frames", "--state", path)
    assert result.exit_code == 0, result.stderr
    assert "355#40000000" in result.stdout


def test_frames_names_a_file_that_is_not_there(cellsteward):
    result = cellsteward("frames", "--state", "nowhere.json")
    assert result.exit_code == 2
    assert result.stderr == (
        "cellsteward: --state: can not read nowhere.json: No such file or directory.\n"
    )


def test_a_picture_of_the_view_is_drawn_without_a_terminal(cellsteward, tmp_path):
    picture = tmp_path / "running.svg"
    result = cellsteward(
        "sim", "--speed", "max", "--duration", "5", "--screenshot", picture, "--fault", "cell_high"
    )
    assert result.exit_code == 0, result.stderr
    text = picture.read_text()
    assert text.startswith("<svg")
    assert "CHARGE" in text
