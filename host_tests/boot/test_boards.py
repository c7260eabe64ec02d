"""Every board file on the real MicroPython, with a strict stand-in for its port's `machine`."""

import json
import subprocess
from pathlib import Path

import pytest

from cellsteward import board_files
from host_tests.boot.board_flash import MICROPYTHON, ROOT

SCRIPT = Path(__file__).with_name("board_starts.py")
PROCESSORS = {
    "pico": "rp2040",
    "pico_w": "rp2040",
    "pico2": "rp2350",
    "pico2_w": "rp2350",
    "esp32": "esp32",
    "esp32s3": "esp32s3",
}
LINES = {"charge_off", "discharge_off"}  # high is off; everything else is off while low

# What must not lead to a switch. ESP32: read at reset (data sheet, strapping pins; 12 wants the
# low level that the fan's resistor gives), or moving while the ROM starts (14). ESP32-S3: read at
# reset, or high for a moment at power-up (data sheet, power-up glitches).
INT = "can_interrupt"
NOT_FOR_SWITCHES = {"esp32": {0, 1, 2, 3, 5, 14, 15}, "esp32s3": {0, 3, 18, 19, 20, 45, 46}}
# Low for a moment at power-up (the same table): an off line would allow its gate.
NOT_FOR_LINES = {"esp32": {12}, "esp32s3": set(range(1, 21))}
SWITCHES = {
    "charge_off", "discharge_off", "positive_coil", "negative_coil", "precharge_coil",
    "alarm", "heater", "fan",
}  # fmt: skip


@pytest.fixture(scope="module", params=sorted(PROCESSORS))
def started(request):
    """A board's name, and what board_starts.py found."""
    board = request.param
    done = subprocess.run(
        [MICROPYTHON, SCRIPT, ROOT, board, PROCESSORS[board]],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return board, json.loads(done.stdout)


def test_every_board_is_tested():
    assert set(board_files.names()) == set(PROCESSORS)


def test_the_board_names_itself_as_its_folder_and_declares_the_wire_to_the_coils(started):
    board, found = started
    assert found["name"] == board
    assert found["trips"] is True
    assert found["lacks"] == ["modbus_tcp_port"]


def test_the_off_lines_come_first_of_all_then_all_else_that_switches(started):
    board, found = started
    pins = board_files.pins(board)
    order = found["order"]
    assert order[:2] == [["out", pins["charge_off"], 1], ["out", pins["discharge_off"], 1]]
    outputs = [place for place, entry in enumerate(order) if entry[0] == "out"]
    assert outputs == list(range(len(SWITCHES)))
    assert {entry[1] for entry in order[:8]} == {pins[purpose] for purpose in SWITCHES}


def test_everything_that_switches_is_off_as_soon_as_it_is_an_output(started):
    assert started[1]["made"] == {name: int(name in LINES) for name in started[1]["made"]}
    assert len(started[1]["made"]) == 8


def test_gates_off_opens_both_lines_and_all_contactors_and_stops_the_heater(started):
    off = started[1]["off"]
    assert off["charge_off"] == off["discharge_off"] == 1
    assert off["positive"] == off["negative"] == off["precharge"] == off["heater"] == 0


def test_gates_off_leaves_the_alarm_and_the_fan_as_they_are(started):
    assert started[1]["off"]["alarm"] == started[1]["off"]["fan"] == 1


@pytest.mark.parametrize("name", ["positive_closed", "negative_closed", "precharge_closed"])
def test_an_auxiliary_contact_is_closed_while_it_pulls_to_ground(started, name):
    assert started[1]["contacts"][name] == [1, 0]  # low, high


def test_the_interlock_is_closed_only_while_its_loop_carries_current(started):
    assert started[1]["contacts"]["interlock"] == [0, 1]


def test_the_maintenance_pin_asks_for_a_maintenance_boot_while_it_is_low(started):
    assert started[1]["maintenance"] == [True, False]


def test_a_failure_in_the_timers_callback_has_room_for_its_text(started):
    assert started[1]["emergency_bytes"] == 100


def test_exactly_the_pins_of_the_table_are_used_each_for_its_purpose(started):
    """The double refuses a pin that is made twice, or that this processor does not have."""
    board, found = started
    pins = board_files.pins(board)
    drained = {INT} if found["can_interrupt"] else set()
    by_kind = {entry[0]: entry for entry in found["all"]}
    buses = [entry for entry in found["all"] if entry[0] == "i2c"]
    assert [entry[1:] for entry in buses] == [
        [pins["afe_sda"], pins["afe_scl"], 100000, 2000],  # as a BQ769x0 asks for
        [pins["sensor_sda"], pins["sensor_scl"], 400000, 2000],
    ]
    spi = [pins["can_sck"], pins["can_mosi"], pins["can_miso"], 8000000]
    assert by_kind["spi"][1:] == spi
    assert by_kind["uart"][1:] == [pins["rs485_tx"], pins["rs485_rx"], 9600, 0]
    assert ["out", pins["can_select"], 1] in found["all"]
    assert ["out", pins["rs485_send"], 0] in found["all"]
    made = {entry[1] for entry in found["all"] if entry[0] in ("in", "out")}
    for entry in found["all"]:
        if entry[0] in ("i2c", "uart"):
            made |= set(entry[1:3])
        elif entry[0] == "spi":
            made |= set(entry[1:4])
    used = {purpose: pins[purpose] for purpose in pins if purpose in drained or purpose != INT}
    assert made == set(used.values())
    assert len(made) == len(used)


def test_the_can_controllers_interrupt_is_a_hard_one_and_can_be_held_off(started):
    board, found = started
    pins = board_files.pins(board)
    # An ESP32's interrupts are soft ones; the memory of an RP2040 is scarce.
    assert (found["can_interrupt"] is None) == (board not in ("pico2", "pico2_w"))
    if found["can_interrupt"] is None:
        return
    seen, journal = found["can_interrupt"]
    assert seen == ["edge"]
    assert journal == [
        ["irq", pins["can_interrupt"], True],
        ["interrupts", "off"],
        ["interrupts", "on"],
    ]


def test_a_processors_own_can_needs_a_board_file_that_says_so_and_a_port_that_has_it(started):
    made_with = [[], {"bitrate": 250000, "id": 0, "tx": 4, "rx": 5}]
    assert started[1]["native_can"] == [True, True, made_with, True]


@pytest.mark.parametrize("board", sorted(NOT_FOR_SWITCHES))
def test_no_switch_is_on_a_pin_that_moves_or_is_read_while_the_processor_starts(board):
    pins = board_files.pins(board)
    used = {pins[purpose] for purpose in SWITCHES}
    assert used & NOT_FOR_SWITCHES[board] == set()
    assert {pins[line] for line in LINES} & NOT_FOR_LINES[board] == set()


def test_the_bus_writes_under_the_heap_lock_with_the_register_in_front(started):
    bus = started[1]["bus"]
    assert bus["writes"] == [[0x3E, list(range(100, 100 + size))] for size in (1, 2, 36, 76)]
    assert bus["read"] == [0x40, 0x41, 0x42, 0x43]


def test_seven_retained_words_survive_a_restart_and_are_written_under_the_heap_lock(started):
    retained = started[1]["retained"]
    assert len(retained["wanted"]) == 7
    assert retained["kept"] == retained["wanted"]


def test_an_older_micropython_keeps_the_same_seven_words(started):
    found = started[1]["without_mem_backup"]
    if not found:
        return  # an ESP32
    # RP2040 data sheet 4.7.6: SCRATCH0 to 3 at 0x4005800c, SCRATCH5 to 7 from 0x40058020 on
    places = [0x4005800C, 0x40058010, 0x40058014, 0x40058018, 0x40058020, 0x40058024, 0x40058028]
    assert found["written"] == [[1000 + word, place] for word, place in enumerate(places)]
    assert found["kept"] == [1000 + word for word in range(7)]


CAUSES = {
    "rp2": {
        "power-up": "power_on",
        "power-up, asked later": "power_on",
        "restart from the prompt": "soft",
        # MicroPython says that its own reset() was the watchdog: micropython issue 19409.
        "reset()": "soft",
        "watchdog": "watchdog",
        "watchdog before anything was kept": "watchdog",
        "power-up again": "power_on",
    },
    "esp": {
        "power-up": "power_on",
        "restart from the prompt": "soft",
        "reset()": "soft",
        "watchdog": "watchdog",
        "nobody knows": "soft",
        "power-up again": "power_on",
    },
}


def test_the_reset_cause_is_told(started):
    board, found = started
    assert dict(found["causes"]) == CAUSES[PROCESSORS[board][:3]]


# Your own

MINE = """
import sys
sys.path.insert(0, {root!r})
from host_tests.boot import machine_double
sys.modules["machine"] = machine_double
{code}
print(board.LACKS, board.AFE_TRIPS_OPEN_CONTACTORS, board.contactors(), board.interlock)
board.gates_off()
print(board.charge_off(), board.discharge_off(), board.outputs().heater, board.can_bus()[2])
"""


def start_mine(tmp_path, code):
    script = tmp_path / "mine.py"
    script.write_text(MINE.format(root=str(ROOT), code=code))
    return subprocess.run(
        [MICROPYTHON, script], capture_output=True, text=True, timeout=20, check=False
    )


@pytest.fixture
def example():
    page = (ROOT / "docs" / "boards" / "bring-your-own.md").read_text()
    return page.split("```python\n")[1].split("```")[0]


def test_the_board_of_the_page_starts_and_says_what_it_lacks(tmp_path, example):
    done = start_mine(tmp_path, example)
    assert done.stdout.splitlines() == [
        "['interlock', 'current_sensor', 'alarm_relay', 'heater', 'fan', 'modbus_tcp_port'] "
        "False None None",
        "1 1 None 16000000",
    ], done.stderr


def test_an_fram_is_there_where_it_is_declared_on_the_current_sensors_bus(tmp_path, example):
    asked = "\nprint(getattr(board, 'fram', 'none declared'))\n"
    assert "none declared" in start_mine(tmp_path, example + asked).stdout
    declared = example.replace("PINS, can", "PINS, fram_address=0x50, can").replace(
        "PINS = {", 'PINS = {\n    "sensor_sda": 26, "sensor_scl": 27,'
    )
    assert ", 80)" in start_mine(tmp_path, declared + asked).stdout


def test_a_board_without_coils_can_not_promise_to_open_them(tmp_path, example):
    promised = example.replace("PINS, can", "PINS, afe_trips_open_contactors=True, can")
    assert promised != example
    assert " False None None" in start_mine(tmp_path, promised).stdout


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"charge_off": 10', '"charge_off": 11'), "GPIO11 has two purposes"),
        (('"maintenance": 15', '"maintenance": 24'), "GPIO24 of the rp2040 is no pin"),
        (('"afe_scl": 21', '"afe_scl": 19'), "bad scl pin GP19"),
        (('"can_mosi": 7', '"can_mosi": 12'), "bad mosi pin GP12"),
    ],
)
def test_a_mistake_in_the_pins_shows_at_the_start(tmp_path, example, change, says):
    code = example.replace(*change)
    assert code != example
    assert says in start_mine(tmp_path, f"{code}\nboard.afe_bus()\nboard.can_bus()\n").stdout


@pytest.mark.parametrize("board", sorted(PROCESSORS))
def test_the_manifest_freezes_every_package_of_the_firmware(board, monkeypatch):
    """As MicroPython's tools/manifestfile.py runs it: from the manifest's own folder."""
    frozen = set()

    def package(name, base_path):
        assert (Path(base_path) / name).is_dir()
        frozen.update((Path(base_path).resolve() / name).rglob("*.py"))

    def include(path):
        if path.startswith("$("):
            return
        monkeypatch.chdir(Path(path).parent)
        exec(Path(Path(path).name).read_text(), names)

    names = {"package": package, "include": include}
    monkeypatch.chdir(ROOT / "boards" / board)
    exec(Path("manifest.py").read_text(), names)
    assert frozen == set((ROOT / "firmware" / "lib").rglob("*.py"))
