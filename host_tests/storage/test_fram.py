"""An FRAM in place of files: old or new after a power cut behind any byte; a failure is told."""

import subprocess
from array import array

import pytest

from bms import requests
from bms.events import Events
from boards.sim.fram import SIZE, Fram
from boards.sim.i2c import I2C
from host_tests.bms.bench import Bench
from host_tests.storage.scripts import LIBRARY, MICROPYTHON
from host_tests.system.simulated_board import run_board
from recorder.recorder import Recorder
from storage.fram import PLACES, FramSlots
from storage.slots import Slots
from storage.state import NAMES

ADDRESS = 0x50  # FM24CL64B data sheet: 1010, then A2 to A0, which are open


def estimates(add=0, cells=16):
    values = {"soc_bp": 5_000 + add, "soc_sigma_bp": 150, "full_age_s": -(2**29)}
    for cell in range(cells):
        values[f"imbalance_{cell}_mah"] = -100_000 - add
        values[f"imbalance_{cell}_sigma_bp"] = 10_000
    return values


def state(add=0):
    return dict.fromkeys(NAMES, -(2**30) + add)


class Chip:
    """An FRAM on its bus, and the directory of the files that it takes the place of."""

    def __init__(self, directory, path=None):
        self.directory = f"{directory}/"
        self.model = Fram(path)
        self.bus = I2C()
        self.bus.attach(self.model)

    def slots(self, stem="estimates"):
        files = Slots(self.directory, stem, stem)
        return FramSlots((self.bus, ADDRESS), self.directory, stem, stem, files)

    def values(self, stem="estimates"):
        slots = self.slots(stem)
        found = slots.read()
        assert slots.problems == []
        return found[0][1] if found else None

    def written(self, *batches, stem="estimates"):
        slots = self.slots(stem)
        slots.read()
        for values in batches:
            assert slots.write(values) is None


@pytest.fixture
def chip(tmp_path):
    return Chip(tmp_path)


def test_the_model_counts_addresses_as_the_data_sheet_says(chip):
    """13 bits, the upper three of 16 ignored, and from 1FFFh to 0000h."""
    chip.bus.writeto_mem(ADDRESS, 0x1FFE, b"abc", addrsize=16)
    assert chip.model.memory[0x1FFE:] == b"ab"
    assert chip.model.memory[0] == ord("c")
    found = bytearray(3)
    chip.bus.readfrom_mem_into(ADDRESS, 0x5FFE, found, addrsize=16)
    assert found == b"abc"


def test_two_address_bytes_are_on_the_wire(chip):
    chip.bus.writeto_mem(ADDRESS, 0, b"abcd", addrsize=16)
    assert chip.bus.bytes_moved == 1 + 2 + 4


@pytest.mark.parametrize(("stem", "make"), [("state", state), ("estimates", estimates)])
def test_what_was_written_is_there_after_a_restart(chip, stem, make):
    assert chip.values(stem) is None
    for add in range(5):
        chip.written(make(add), stem=stem)
        assert chip.values(stem) == make(add)


def test_the_largest_values_fit_and_the_kinds_do_not_touch_each_other(chip):
    chip.written(state(1), state(2), stem="state")
    chip.written(estimates(3, cells=32), estimates(4, cells=32))
    assert chip.values("state") == state(2)
    assert chip.values() == estimates(4, cells=32)
    ends = sorted((start, start + 2 * size) for start, size in PLACES.values())
    assert ends[0][1] <= ends[1][0]
    assert ends[-1][1] <= SIZE


def test_a_power_cut_behind_any_byte_leaves_old_or_new(tmp_path):
    chip = Chip(tmp_path)
    old, new = (estimates(1, cells=3), estimates(2, cells=3)), estimates(3, cells=3)
    chip.written(old[0], old[1])
    before = bytes(chip.model.memory)
    chip.model.bytes_written = 0
    chip.written(new)
    assert chip.model.bytes_written > 250
    outcomes = []
    for behind in range(chip.model.bytes_written + 1):
        chip.model.memory[:] = before
        slots = chip.slots()
        slots.read()
        chip.model.cut_after = behind
        problem = slots.write(new)
        assert "does not answer" in problem
        chip.model.cut_after = None
        values = chip.values()
        assert values in (old[1], new)
        outcomes.append(values == new)
        chip.written(old[0])
        assert chip.values() == old[0]
    assert outcomes == sorted(outcomes)
    assert outcomes.count(True) == 1  # with the last byte


def test_any_wrong_bit_is_noticed(chip):
    chip.written({"soc_bp": 1}, {"soc_bp": 2})
    start, size = PLACES["estimates"]
    slots = chip.slots()
    slots.read()
    newest = start + slots.kept * size
    length = 3 + len('{"format":1,"sequence":2,"estimates":{"soc_bp":2},"crc32":"01234567"}')
    for at in range(newest, newest + length):
        for bit in range(8):
            chip.model.memory[at] ^= 1 << bit
            found = chip.slots().read()
            assert [values for _, values in found][-1] == {"soc_bp": 1}
            if len(found) == 2:  # only the spelling changed
                assert found[0][1] == {"soc_bp": 2}
            chip.model.memory[at] ^= 1 << bit


def test_a_board_that_gets_an_fram_goes_on_from_its_files_and_removes_them(tmp_path):
    files = Slots(f"{tmp_path}/", "state", "state")
    files.write(state(1))
    files.write(state(2))
    chip = Chip(tmp_path)
    assert chip.values("state") == state(2)
    assert len(list(tmp_path.iterdir())) == 2
    chip.written(state(3), stem="state")
    assert list(tmp_path.iterdir()) == []
    assert chip.values("state") == state(3)


def test_an_fram_that_loses_everything_does_not_bring_old_files_back(tmp_path):
    Slots(f"{tmp_path}/", "state", "state").write(state(1))
    chip = Chip(tmp_path)
    chip.written(state(2), stem="state")
    chip.model.memory[:] = bytes(SIZE)
    assert chip.values("state") is None


def test_write_protection_is_told(chip):
    chip.written(estimates(1), estimates(2))
    chip.model.protected = True
    slots = chip.slots()
    slots.read()
    assert "check its WP pin" in slots.write(estimates(3))
    assert chip.values() == estimates(2)


@pytest.mark.parametrize("fault", ["silent", "stuck"])
def test_a_chip_that_does_not_answer_is_told(chip, fault):
    chip.written(estimates(1))
    setattr(chip.bus, fault, True)
    slots = chip.slots()
    assert slots.read() == []
    assert "in the FRAM can not be read" in slots.problems[0]
    assert "check its supply and wires" in slots.write(estimates(2))


def test_what_does_not_fit_is_told_and_nothing_is_written(chip):
    slots = chip.slots("state")
    slots.read()
    assert "no room for 'state'" in slots.write({f"k{at}": at for at in range(200)})
    assert chip.model.bytes_written == 0


def test_the_recorder_keeps_state_and_estimates_there_and_writes_no_such_file(tmp_path):
    chip = Chip(tmp_path)

    def boot():
        bench = Bench()
        fram = (chip.bus, ADDRESS)
        recorder = Recorder(chip.directory, array("i", [0] * 7), Events(), fram)
        recorder.begin("power_on")
        recorder.restore(bench.battery)
        return bench, recorder

    bench, recorder = boot()
    bench.start()
    bench.ask(requests.GATES_OFF)
    bench.step()
    assert recorder._write_state(bench.battery) is None
    bench.battery.checkpoint.due = True
    assert recorder._write_estimates(bench.battery.checkpoint) is None
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    bench, recorder = boot()
    assert bench.battery.restricted
    assert bench.battery.checkpoint.restored


def test_nothing_of_it_is_loaded_on_a_board_without_one():
    script = (
        "import sys\n"
        "from bms.events import Events\n"
        "from recorder.recorder import Recorder\n"
        "Recorder('/tmp/nowhere/', [0] * 7, Events())\n"
        "print('storage.fram' in sys.modules)\n"
    )
    printed = subprocess.run(
        [MICROPYTHON, "-c", script],
        env={"MICROPYPATH": f".frozen:{LIBRARY}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert printed == "False\n"


def test_the_whole_board_knows_its_charge_within_a_tenth_of_a_percent(tmp_path):
    load = tmp_path / "load.csv"
    load.write_text("t_s,I_A\n0,4\n30,4\n31,-100\n100000,-100\n")

    def run(duration_s):
        board = run_board(tmp_path, duration_s=duration_s, load=str(load), soc=0.993, fram=True)
        shown = [status["points"].get("soc_bp") for status in board.statuses]
        return board, [soc_bp for soc_bp in shown if soc_bp is not None]

    for duration_s in (60, 20):
        before, shown = run(duration_s)
        assert before.end["reason"] == "duration"
    before_bp = shown[-1]
    _, shown = run(10)
    assert abs(shown[0] - before_bp) <= 10
    image = (tmp_path / "flash.img").read_bytes()
    assert b"estimates_a" not in image
    assert b'"estimates":{' in (tmp_path / "flash.img.fram").read_bytes()
