"""A pack that switches itself off: what happens when something on the way fails."""

import asyncio

import pytest

from bms.sample import GATES_BOTH
from bms.table import Lent
from host_tests.bms.bench import Bench
from resting import ship, shipped


class Recorder:
    """Writes at once; the memory that survives a reset fails if `broken`."""

    broken = False

    def expect_reset(self):
        if self.broken:
            raise OSError("no such memory")


class Application:
    """What resting.ship wants of app.Application."""

    def __init__(self, bench):
        self.battery = bench.battery
        self.points = bench.points
        self.parameters = bench.parameters
        self.faults = bench.table
        self.events = bench.log
        self.recorder = Recorder()
        self.asked_to_ship = True


class Board:
    """A reset ends the story."""

    def reset(self):
        raise KeyboardInterrupt


@pytest.fixture
def bench():
    bench = Bench().start()
    bench.run(2000)
    return bench


@pytest.fixture
def mark(monkeypatch, tmp_path):
    """Where /ship is here."""
    path = tmp_path / "ship"
    monkeypatch.setattr(ship, "MARK", str(path))
    monkeypatch.setattr(shipped, "MARK", str(path))
    return path


@pytest.fixture
def application(bench, monkeypatch, mark):
    application = Application(bench)

    async def sleep_ms(duration_ms):
        """The bench's time passes, the recorder takes what is to be written."""
        bench.run(duration_ms)
        bench.events()
        application.battery.checkpoint.due = False

    monkeypatch.setattr(asyncio, "sleep_ms", sleep_ms, raising=False)
    return application


def test_it_ends_with_a_reset_gates_off_and_the_mark_left(bench, application, mark):
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ship.ship(application, Board()))
    assert bench.chip.gates() == 0
    assert mark.exists()


def test_no_table_is_loaded_in_one_turn(application, monkeypatch):
    """That takes more than a hundred milliseconds on a board."""
    loaded_at_once = []
    load = Lent.__getattr__

    def asked(table, name):
        if table._table is None:
            loaded_at_once.append(name)
        return load(table, name)

    for table in (application.points, application.faults, application.parameters):
        table.put_away()
    monkeypatch.setattr(Lent, "__getattr__", asked)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(ship.ship(application, Board()))
    assert loaded_at_once == []


def test_without_room_for_the_names_the_pack_stays_on(bench, application, monkeypatch, mark):
    looks = []
    refusal = ship.refusal

    def second_one_fails(*arguments):
        looks.append(bench.chip.gates())
        if len(looks) == 2:
            raise MemoryError
        return refusal(*arguments)

    monkeypatch.setattr(ship, "refusal", second_one_fails)
    with pytest.raises(MemoryError):
        asyncio.run(ship.ship(application, Board()))
    assert looks == [GATES_BOTH, 0]
    bench.run(3000)
    assert bench.chip.gates() == GATES_BOTH
    assert not mark.exists()


def test_a_pack_whose_chip_was_told_is_measured_again_before_a_gate_closes(
    bench, application, mark
):
    application.recorder.broken = True
    with pytest.raises(OSError, match="no such memory"):
        asyncio.run(ship.ship(application, Board()))
    programmings = bench.chip.programmings
    samples = bench.chip.samples
    assert programmings > 1
    bench.run(3000)
    assert bench.chip.samples > samples
    assert bench.chip.gates() == GATES_BOTH
    assert not mark.exists()


def test_a_flash_that_takes_nothing_does_not_keep_a_woken_board_dark(mark, monkeypatch):
    class Woken:
        def afe_bus(self, _frequency_hz):
            return self

        def readfrom_mem_into(self, *_):
            pass

        def reset_cause(self):
            return "power_on"

    def fails(_path):
        raise OSError("read only")

    mark.touch()
    monkeypatch.setattr(shipped.os, "remove", fails)
    shipped.wait(Woken())
