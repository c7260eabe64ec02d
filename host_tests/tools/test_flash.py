"""`cellsteward flash`: what it decides before it touches a board.

What it then does on one is in test_flash_on_a_board.py.
"""

import hashlib
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cellsteward import ROOT, board_files
from cellsteward.cli import app
from cellsteward.device import Device, FlashError, Port
from cellsteward.flash import (
    TARGETS,
    Compare,
    Copy,
    Found,
    build_release,
    check,
    choose_port,
    dry_run,
    find_compiler,
    parse_found,
    plan,
)
from host_tests.tools.small_firmware import small_checkout

PICO = TARGETS["pico"]
MPY = 6  # MicroPython 1.29 docs, "MicroPython .mpy files": version 6

PICO_PORT = Port("/dev/ttyACM0", (0x2E8A, 0x0005), "e6614", "Board in FS mode")
OTHER_PICO = Port("COM7", (0x2E8A, 0x0005), "e6615", "Board in FS mode")
RS485_ADAPTER = Port("/dev/ttyUSB0", (0x1A86, 0x7523), None, "USB Serial")
BUILT_IN = Port("/dev/ttyS0", None, None, "ttyS0")


@pytest.fixture
def checkout(tmp_path):
    return small_checkout(tmp_path / "checkout")


# Which port


def test_auto_takes_the_only_board_of_that_kind_and_no_other_adapter():
    assert choose_port("auto", PICO, [RS485_ADAPTER, PICO_PORT, BUILT_IN]) is PICO_PORT


def test_a_port_that_is_none_is_refused_with_the_systems_own_words():
    with pytest.raises(FlashError, match=r"^can not open /dev/null: .*Inappropriate ioctl.*\.$"):
        Device(Port("/dev/null")).state()


def test_two_boards_are_listed_instead_of_guessed():
    with pytest.raises(FlashError) as refused:
        choose_port("auto", PICO, [PICO_PORT, RS485_ADAPTER, OTHER_PICO])
    assert "/dev/ttyACM0" in str(refused.value)
    assert "COM7" in str(refused.value)
    assert "/dev/ttyUSB0" not in str(refused.value)


def test_without_a_board_the_other_ports_are_listed_and_the_way_to_a_new_one_is_said():
    with pytest.raises(FlashError, match=r"docs/flashing\.md.*--port(?s:.*)/dev/ttyUSB0"):
        choose_port("auto", PICO, [RS485_ADAPTER])
    with pytest.raises(FlashError, match="no Raspberry Pi Pico with MicroPython is plugged in"):
        choose_port("auto", PICO, [])


@pytest.mark.parametrize("name", ["/dev/ttyACM3", "COM5", "/dev/cu.usbmodem1101"])
def test_a_port_that_is_named_is_taken_as_it_is(name):
    assert choose_port(name, PICO, [PICO_PORT]) == Port(name)


def test_a_board_that_is_named_by_its_port_is_known_by_its_serial_number():
    assert choose_port("COM7", PICO, [PICO_PORT, OTHER_PICO]).serial_number == "e6615"


# Which board


def found(**changes):
    usual = {
        "version": (1, 29, 0),
        "machine": "Raspberry Pi Pico with RP2040",
        "mpy": MPY,
        "slot": None,
        "boards": (),
    }
    return Found(**(usual | changes))


@pytest.mark.parametrize("version", [(1, 29, 0), (1, 30, 1), (2, 0, 0)])
def test_a_new_enough_micropython_is_accepted(version):
    check(found(version=version, boards=("pico",)), PICO)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": (1, 28, 0)}, r"MicroPython 1\.28\.0.*needs 1\.29"),
        ({"machine": "Generic ESP32 module with ESP32"}, "'Generic ESP32 module with ESP32', not"),
        ({"machine": "Raspberry Pi Pico2 with RP2350"}, "not a Raspberry Pi Pico"),
        ({"boards": ("esp32",)}, "was set up as 'esp32'"),
        ({"boards": ("pico_w",)}, "was set up as 'pico_w'"),
    ],
)
def test_a_board_that_this_firmware_is_not_for_is_refused_in_a_sentence(changes, says):
    with pytest.raises(FlashError, match=says):
        check(found(**changes), PICO)


# MICROPY_HW_BOARD_NAME "with" MICROPY_HW_MCU_NAME of MicroPython's boards/*/mpconfigboard.h
MACHINES = {
    "pico": ["Raspberry Pi Pico with RP2040"],
    "pico_w": ["Raspberry Pi Pico W with RP2040"],
    "pico2": ["Raspberry Pi Pico2 with RP2350"],
    "pico2_w": ["Raspberry Pi Pico 2 W with RP2350"],
    "esp32": ["Generic ESP32 module with ESP32", "Generic ESP32 module with SPIRAM with ESP32"],
    "esp32s3": [
        "Generic ESP32S3 module with ESP32S3",
        "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3",
    ],
}


@pytest.mark.parametrize("board", sorted(TARGETS))
def test_a_board_file_goes_on_its_own_processor_only(board):
    target = TARGETS[board]
    for other, machines in MACHINES.items():
        for machine in machines:
            if TARGETS[other].machine == target.machine:
                check(found(machine=machine), target)
            else:
                with pytest.raises(FlashError, match="not a"):
                    check(found(machine=machine), target)


def test_an_esp32_is_never_guessed_among_serial_adapters():
    with pytest.raises(FlashError, match=r"can not be told.*--port(?s:.*)/dev/ttyUSB0"):
        choose_port("auto", TARGETS["esp32"], [RS485_ADAPTER])
    with pytest.raises(FlashError, match="none is plugged in"):
        choose_port("auto", TARGETS["esp32"], [])
    assert choose_port("/dev/ttyUSB0", TARGETS["esp32"], [RS485_ADAPTER]) is RS485_ADAPTER


def test_an_esp32s3_is_found_by_its_own_usb():
    port = Port("/dev/ttyACM1", (0x303A, 0x4001), "7cdfa1", "Espressif Device")
    assert choose_port("auto", TARGETS["esp32s3"], [PICO_PORT, RS485_ADAPTER, port]) is port


@pytest.mark.parametrize("printed", ["", "Traceback", "[1]", '{"version": 1}'])
def test_an_answer_that_makes_no_sense_is_an_error_in_words(printed):
    with pytest.raises(FlashError, match="nobody understands"):
        parse_found(printed)


# What is copied


def test_without_mpy_cross_all_sources_of_the_application_are_copied(tmp_path):
    release = build_release(ROOT, "pico", tmp_path, None)
    firmware = ROOT / "firmware"
    assert set(release.slot_files) == {"digests"} | {
        path.relative_to(firmware).as_posix()
        for path in firmware.rglob("*.py")
        if path.name not in ("boot.py", "main.py", "update.py")
    }
    assert list(release.root_files) == [
        "/boot.py",
        "/main.py",
        "/update.py",
        "/boards/_common.py",
        "/boards/_rp2.py",
        "/boards/pico/board.py",
    ]


@pytest.mark.parametrize("board", sorted(TARGETS))
def test_every_board_gets_its_own_file_and_what_it_imports_and_no_other(board, tmp_path):
    shared = "_rp2.py" if board.startswith("pico") else "_esp32.py"
    assert set(build_release(ROOT, board, tmp_path, None).root_files) == {
        "/boot.py",
        "/main.py",
        "/update.py",
        "/boards/_common.py",
        f"/boards/{shared}",
        f"/boards/{board}/board.py",
    }


def test_with_mpy_cross_the_application_is_compiled_for_this_micropython(tmp_path):
    release = build_release(ROOT, "pico", tmp_path, find_compiler(MPY))
    compiled_files = dict(release.slot_files)
    digests = compiled_files.pop("digests").read_text().splitlines()
    assert digests == [
        f"{hashlib.sha256(compiled_files[path].read_bytes()).hexdigest()} {path}"
        for path in sorted(compiled_files)
    ]
    assert {Path(path).suffix for path in compiled_files} == {".mpy"}
    for compiled in compiled_files.values():
        assert compiled.read_bytes()[:2] == bytes((ord("M"), MPY))
    # MicroPython starts boot.py and main.py only as source.
    assert {path.suffix for path in release.root_files.values()} == {".py"}


def test_a_board_that_wants_another_version_of_mpy_gets_source():
    assert find_compiler(MPY + 1) is None


def test_a_source_that_does_not_compile_is_named(checkout, tmp_path):
    (checkout / "firmware" / "app.py").write_text("def broken(:\n")
    with pytest.raises(FlashError, match=r"app\.py does not compile"):
        build_release(checkout, "stub", tmp_path, find_compiler(MPY))


# In which order


@pytest.mark.parametrize(
    ("in_use", "written"), [(None, "slot_a"), ("slot_a", "slot_b"), ("slot_b", "slot_a")]
)
def test_only_the_slot_that_is_not_in_use_is_written(checkout, in_use, written):
    operations = plan(build_release(checkout, "stub", checkout, None), "stub", in_use)
    copied = [remote for op in operations if isinstance(op, Copy) for _, remote in op.files]
    in_slots = [remote for remote in copied if remote.startswith("/slot_")]
    assert in_slots
    assert all(remote.startswith(f"/{written}/") for remote in in_slots)
    # All else arrives beside what it replaces.
    assert all(remote.endswith(".new") for remote in set(copied) - set(in_slots))


def test_the_slot_is_named_only_after_every_file_was_compared(checkout):
    operations = plan(build_release(checkout, "stub", checkout, None), "stub", "slot_a")
    compare = next(number for number, op in enumerate(operations) if isinstance(op, Compare))
    switch = [
        number for number, op in enumerate(operations) if "switch(" in getattr(op, "call", "")
    ]
    copies = [number for number, op in enumerate(operations) if isinstance(op, Copy)]
    assert max(copies) < compare < min(switch)
    assert set(operations[compare].digests) == {
        remote for number in copies for _, remote in operations[number].files
    }


@pytest.mark.parametrize(("in_use", "named"), [(None, "/slot"), ("slot_a", "/trial")])
def test_a_version_that_can_take_over_again_puts_the_new_one_on_trial(checkout, in_use, named):
    operations = plan(build_release(checkout, "stub", checkout, None), "stub", in_use)
    switch = next(op for op in operations if "switch(" in getattr(op, "call", ""))
    assert switch.call.endswith(f", '{named}')")
    assert ("on trial" in switch.words) == (named == "/trial")


def test_a_dry_run_prints_the_plan_and_every_file():
    lines = list(dry_run(PICO))
    assert re.match(r"1\. hold the board in maintenance boot", lines[1])
    assert any(line.endswith("  /boot.py.new") for line in lines)
    assert any("/slot_a/lib/console/report." in line for line in lines)


# The command line


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--board", "toaster"], 2, "there is no board 'toaster'; known are: pico, pico_w, "),
        (["--port", "/dev/no-such-port"], 1, "can not open /dev/no-such-port: No such file"),
    ],
)
def test_mistakes_are_one_sentence(arguments, code, says):
    result = CliRunner().invoke(app, ["flash", *arguments])
    assert result.exit_code == code
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_every_board_can_be_flashed_and_has_a_page():
    assert sorted(TARGETS) == board_files.names()
    for name in TARGETS:
        assert (ROOT / "docs" / "boards" / f"{name}.md").is_file()
