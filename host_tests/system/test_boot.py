"""Law 1: whatever is wrong at start, the gates stay off and every link answers and says why."""

import json
import subprocess

import pytest
from pymodbus.framer import FramerRTU

from host_tests.system.simulated_board import MICROPYTHON, ROOT, SETTINGS, run_board

MODBUS_STATE = 0x0116  # docs/modbus.md: state, an i32
UNCONFIGURED, FAULT = 1, 5  # docs/points.md
SYSTEM_ERROR = 0x08  # inverter_can.md: 0x359 byte 1 bit 3


def modbus_read(address, count):
    request = bytes((1, 4)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
    return request + FramerRTU.compute_CRC(request).to_bytes(2, "big")


def corrupt_configuration(image, text):
    """Write a configuration file into a board's flash, as a person or a broken write would."""
    script = (
        "import sys, vfs\n"
        "sys.path.insert(0, '.')\n"
        "from boards.sim.flash import Flash\n"
        f"flash = Flash({str(image)!r})\n"
        "vfs.VfsLfs2.mkfs(flash)\n"
        "vfs.mount(vfs.VfsLfs2(flash), '/board')\n"
        "import os\n"
        "for folder in ('boards', 'boards/sim', 'slot_a'):\n"
        "    os.mkdir('/board/' + folder)\n"
        "with open('/board/config_a.json', 'w') as file:\n"
        f"    file.write({text!r})\n"
        "vfs.umount('/board')\n"
    )
    path = image.parent / "corrupt.py"
    path.write_text(script)
    subprocess.run([MICROPYTHON, path], cwd=ROOT, check=True, timeout=60)


def check_safe_and_talking(run, state, *reason):
    assert run.end["reason"] == "duration"
    assert run.end["trace"] == []  # no gate ever closed
    points = run.statuses[-1]["points"]
    assert points["charge_allowed"] == points["discharge_allowed"] == 0
    assert points["charge_current_limit_ma"] == points["discharge_current_limit_ma"] == 0
    for words in reason:
        assert words in run.statuses[-1]["reason"]
    answer = run.received["rs485"]
    assert answer[:3] == bytes((1, 4, 4))
    assert int.from_bytes(answer[3:7], "big") == state
    console = run.received["console"].decode()
    assert "> " in console
    for words in reason:
        assert words in " ".join(console.split())
    frames = dict(run.frames())
    assert frames[0x351][2:6] == bytes(4)  # CCL and DCL are 0
    assert frames[0x359][1] & SYSTEM_ERROR
    assert frames[0x35C][0] & 0xC0 == 0  # neither charge nor discharge enable
    assert 0x355 not in frames  # nothing old, nothing invented
    assert 0x356 not in frames


def boot(tmp_path, **options):
    """A boot of twenty seconds; after some of them somebody asks on Modbus and on the console."""
    return run_board(
        tmp_path,
        duration_s=20,
        speed=10,
        send_after_s=1.4,
        send={"rs485": modbus_read(MODBUS_STATE, 2), "console": b"status\rfaults\r"},
        **options,
    )


def test_without_a_configuration(tmp_path):
    run = boot(tmp_path, settings=None)
    check_safe_and_talking(run, UNCONFIGURED, "no configuration")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", "config_a.json"),
        (json.dumps({"format": 1, "sequence": 1, "settings": {}, "crc32": "0"}), "crc32"),
    ],
)
def test_with_a_corrupt_configuration(tmp_path, text, words):
    image = tmp_path / "corrupt.img"
    corrupt_configuration(image, text)
    run = boot(tmp_path, image=image, settings=SETTINGS)
    check_safe_and_talking(run, UNCONFIGURED, words)


def test_with_a_chip_that_does_not_answer(tmp_path):
    run = boot(tmp_path, faults=["afe_silent"])
    check_safe_and_talking(run, FAULT, "does not answer")


def test_with_another_chip_than_expected(tmp_path):
    run = boot(tmp_path, faults=["afe_wrong_device"])
    check_safe_and_talking(run, FAULT, "Another chip")


def test_a_good_boot_closes_the_gates_once_after_the_chip_was_verified(tmp_path):
    run = run_board(tmp_path, duration_s=10)
    first = run.end["trace"][0]
    assert first[1:3] == [True, True]
    # Programming, then the self-test, which waits for the chip's open-wire check and its clock.
    assert 4_000_000 < first[0] < 8_000_000
    assert all(s["points"]["state"] != "active" for s in run.statuses if s["t_s"] * 1e6 < first[0])
    assert run.statuses[-1]["points"]["state"] == "active"


def test_leaving_the_program_opens_the_gates(tmp_path):
    run = run_board(tmp_path, duration_s=10)
    assert run.end["trace"][-1] == [10_000_000, False, False]
