"""The adapter of a processor's own controller, on a stand-in for machine.CAN.

The same calls as those of inverter.link; no hardware has seen them.
"""

import inspect
from pathlib import Path

import pytest

from canbus.mcp2515 import MCP2515
from canbus.mcp2515_drained import DrainedMCP2515
from canbus.native import NativeCan
from cellsteward.shrinking import shrink
from host_tests.canbus.machine_can import CAN, Controller
from starting import can as starting_can


@pytest.fixture
def pair():
    driver: Controller = NativeCan(lambda bitrate: CAN(1, bitrate=bitrate), 500)
    return driver, CAN.made


def message():
    return [0, memoryview(bytearray(8)), 0, 0]


def test_it_is_on_the_bus_at_once_and_hears_everything(pair):
    driver, port = pair
    assert driver.state() == CAN.STATE_ACTIVE
    port.arrives(0x305, bytes(range(8)))
    port.arrives(0x12345, b"\x01", CAN.FLAG_EXT_ID)
    got = message()
    assert driver.recv(got) is got
    assert (got[0], bytes(got[1]), got[2]) == (0x305, bytes(range(8)), 0)
    assert driver.recv(got) is got
    assert (got[0], bytes(got[1])) == (0x12345, b"\x01")
    assert got[2] & driver.FLAG_EXT_ID
    assert driver.recv(got) is None
    port.arrives(0x306, bytes(range(8)))  # after a short one all eight fit again
    assert bytes(driver.recv(got)[1]) == bytes(range(8))


def test_the_links_filters_hear_wide_frames_too(pair):
    driver, port = pair
    driver.set_filters(((0x305, 0x7FF, 0), (0, 0, 0)))
    port.arrives(0x12345, b"\x01", CAN.FLAG_EXT_ID)
    assert driver.recv(message()) is not None
    driver.set_filters(((0x305, 0x7FF, 0),))
    port.arrives(0x306, b"")
    assert driver.recv(message()) is None


def test_a_full_queue_and_bus_off_are_none(pair):
    driver, port = pair
    assert [driver.send(0x351, bytes(8)) for _ in range(4)] == [0, 1, 2, None]
    assert driver.get_counters([0] * 8)[5] == 3
    assert driver.cancel_send(1)
    assert not driver.cancel_send(1)
    port.bus_state = CAN.STATE_BUS_OFF
    assert driver.send(0x351, bytes(8)) is None
    assert driver.state() == driver.STATE_BUS_OFF
    driver.restart()
    assert driver.state() == driver.STATE_ACTIVE
    assert driver.get_counters([0] * 8)[5] == 0


def test_a_stopped_controller_is_set_up_anew_with_its_filters(pair):
    driver, port = pair
    driver.set_filters(((0x305, 0x7FF, 0),))
    port.bus_state = CAN.STATE_STOPPED
    port.filters = ()
    driver.restart()
    assert port.inits == 2
    assert port.filters == ((0x305, 0x7FF, 0),)
    assert driver.state() == driver.STATE_ACTIVE


def test_what_a_port_does_not_count_is_0(pair):
    assert pair[0].get_counters([9] * 8) == [1, 2, 0, 4, 5, 0, 0, 0]


def test_all_drivers_have_what_the_link_asks_for():
    wanted = [name for name, _ in inspect.getmembers(Controller, inspect.isfunction)]
    wanted = {name for name in wanted if not name.startswith("_")} | set(
        Controller.__annotations__
    )
    assert len(wanted) == 12
    NativeCan(lambda bitrate: CAN(1, bitrate=bitrate), 500)
    for driver in (MCP2515, DrainedMCP2515, NativeCan(lambda bitrate: CAN(1, bitrate), 500)):
        assert not [name for name in wanted if not hasattr(driver, name)]


def test_the_shrunk_adapter_still_asks_for_the_ports_own_names():
    folder = Path(starting_can.__file__).parents[1]
    modules = ("canbus.native", "canbus.mcp2515", "starting.can")
    texts = {name: (folder / f"{name.replace('.', '/')}.py").read_text() for name in modules}
    files = shrink({"app": "from starting import can\n\ncan.controller(1, 2)\n", **texts}, [])
    (native,) = [file.text for file in files.values() if "STATE_STO" in file.text]
    assert "STATE_STOPPED" not in native
    assert not any("set_filters" in file.text for file in files.values())
    names = {}
    exec(native, names)
    (adapter,) = [thing for thing in names.values() if inspect.isclass(thing)]
    adapter(lambda bitrate: CAN(1, bitrate=bitrate), 500)
    CAN.made.arrives(0x305, b"")
    assert CAN.made.received  # its filters were set


class Board:
    """What starting.can asks of a board."""

    def __init__(self, native=None, interrupt=None):
        self.native = native
        self.interrupt = interrupt

    def native_can(self):
        return self.native

    def can_interrupt(self):
        return self.interrupt

    def can_bus(self):
        from boards.sim.mcp2515 import Mcp2515
        from boards.sim.spi import ChipSelect, InterruptLine, Spi

        chip = Mcp2515(8_000_000)
        spi = Spi(chip)
        if self.interrupt:
            self.interrupt = InterruptLine(chip)
        return spi, ChipSelect(spi), 8_000_000


def five_hundred(name):
    return {"can_bitrate_kbit": "500"}[name]


def test_a_processors_own_controller_comes_first():
    board = Board(lambda bitrate: CAN(0, bitrate=bitrate, tx=4, rx=5), interrupt=True)
    assert isinstance(starting_can.controller(board, lambda name: "250"), NativeCan)
    assert CAN.made.pins == {"tx": 4, "rx": 5}


def test_else_an_mcp2515_is_drained_where_its_interrupt_is_wired():
    assert type(starting_can.controller(Board(interrupt=True), five_hundred)) is DrainedMCP2515
    assert type(starting_can.controller(Board(), five_hundred)) is MCP2515
