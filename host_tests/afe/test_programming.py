"""Programming the chip: the order of afe.md section 5, and everything that can go wrong in it."""

import functools

import pytest

from afe.bq76952 import Bq76952
from bms.parameters import Parameters
from bms.sample import (
    BUS_ERROR,
    BUSY,
    CONFIGURATION_LOST,
    OK,
    VERIFY_FAILED,
    WRONG_DEVICE,
)
from host_tests.afe.items import ITEMS
from host_tests.afe.recording_bus import DATA_MEMORY, RecordingBus

MOST_CALLS = 15  # a board guards about a second after its start
BUS_BUDGET_US = 6000
US_PER_BYTE = 22.5  # 9 bits at 400 kHz

CRC = pytest.mark.parametrize("crc", [False, True])


@functools.cache
def make_parameters(**settings):
    parameters = Parameters()
    parameters.load(
        {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100000, **settings}
    )
    return parameters


def make(crc=False, bus=None, **settings):
    bus = bus or RecordingBus(crc=crc)
    return bus, Bq76952(bus, make_parameters(**settings), crc=crc)


def program(driver, most_calls=200):
    driver.start_programming()
    for calls in range(1, most_calls + 1):
        code = driver.programming_step()
        if code != BUSY:
            return code, calls
    raise AssertionError("programming does not end")


def bus_us(transactions):
    """Time on the wire: addresses, register and data, each byte with its acknowledge."""
    return sum((len(t.wire) + (2 if t.kind == "w" else 3)) * US_PER_BYTE + 5 for t in transactions)


def steps_of_start_up(bus):
    """Subcommands and data memory accesses as the chip saw them, in order."""
    steps = []
    for t in bus.transactions:
        if t.kind == "w" and t.register == 0x3E:
            code = t.data[0] | t.data[1] << 8
            if code < DATA_MEMORY:
                steps.append(f"{code:04x}")
            else:
                steps.append("write" if len(t.data) > 2 else "read back")
        elif t.kind == "w" and t.register == 0x62:
            steps.append("clear alarms")
    return [step for at, step in enumerate(steps) if at == 0 or steps[at - 1] != step]


@CRC
def test_start_up_follows_the_order_of_the_reference(crc):
    bus, driver = make(crc)
    assert program(driver)[0] == OK
    assert steps_of_start_up(bus) == [
        "0095",  # ALL_FETS_OFF before anything else
        "0083",  # balancing off
        "0001",  # who is there
        "0090",  # SET_CFGUPDATE
        "write",
        "read back",
        "0092",  # EXIT_CFGUPDATE
        "read back",  # of the factory's cell gains, which show only now
        "009a",  # SLEEP_DISABLE
        "0095",  # ALL_FETS_OFF before
        "0057",  # FET_EN is looked at before
        "0022",  # it is toggled
        "0095",  # and off at once, should the chip have restarted just now
        "clear alarms",
        "0057",
    ]
    assert driver.device_number == 0x7695
    assert not bus.lets_a_gate_on()


def test_balancing_is_cleared_with_an_empty_cell_mask():
    bus, driver = make()
    driver.start_programming()
    driver.programming_step()
    assert any(t.data == b"\x83\x00\x00\x00" for t in bus.transactions)


def test_fet_enable_is_not_toggled_when_the_chip_controls_the_gates_already():
    bus, driver = make()
    bus.mfg_status |= 0x10
    assert program(driver)[0] == OK
    assert 0x0022 not in bus.commands
    assert bus.mfg_status & 0x10


def test_programming_again_leaves_fet_enable_on():
    bus, driver = make()
    assert program(driver)[0] == OK
    assert program(driver)[0] == OK
    assert bus.commands.count(0x0022) == 1


@CRC
def test_the_host_keeps_the_gates_off_from_the_moment_the_chip_controls_them(crc):
    bus, driver = make(crc)
    program(driver)
    fet_options = bus.written(0x9308, 1)[0]
    assert fet_options & 0x20  # FET_INIT_OFF
    assert fet_options & 0x0D == 0x0D  # SFET, HOST_FET_EN, FET_CTRL_EN
    assert not fet_options & 0x10  # no predischarge by default


@CRC
def test_every_step_is_bounded_and_the_board_guards_after_a_dozen(crc):
    bus, driver = make(crc)
    driver.start_programming()
    for _ in range(MOST_CALLS):
        before = len(bus.transactions)
        code = driver.programming_step()
        assert bus_us(bus.transactions[before:]) <= BUS_BUDGET_US
        if code == OK:
            break
    assert code == OK


@CRC
def test_a_chip_that_is_a_little_slow_is_programmed_as_well(crc):
    bus, driver = make(crc)
    bus.busy_reads = 2
    code, calls = program(driver)
    assert code == OK
    assert calls <= MOST_CALLS


def test_every_listed_item_is_written():
    bus, driver = make()
    program(driver)
    for address, size, _ in ITEMS:
        for at in range(size):
            assert address + at in bus.memory


def test_nothing_else_is_written():
    bus, driver = make()
    program(driver)
    listed = {address + at for address, size, _ in ITEMS for at in range(size)}
    assert set(bus.memory) == listed
    # Regulators, communication and protection against OTP stay as they are.
    assert not listed & {0x9236, 0x9237, 0x9239, 0x923A, 0x923C}


@pytest.mark.parametrize("address", [a + n for a, size, _ in ITEMS for n in range(size)])
def test_any_single_setting_that_the_chip_holds_differently_fails_the_verification(address):
    class Forgetful(RecordingBus):
        def _commit(self, checksum, length):
            super()._commit(checksum, length)
            if address in self.memory:
                self.memory[address] = spoiled

    reference, driver = make()
    program(driver)
    spoiled = reference.memory[address] ^ 0x01
    bus, driver = make(bus=Forgetful())
    assert program(driver)[0] == VERIFY_FAILED
    assert 0x0022 not in bus.commands  # it never came to control the gates
    assert not bus.lets_a_gate_on()


def test_another_chip_is_refused_before_anything_is_written_to_it():
    bus, driver = make(bus=RecordingBus(device_number=0x7694))
    assert program(driver) == (WRONG_DEVICE, 1)
    assert driver.device_number == 0x7694
    assert bus.memory == {}
    assert 0x0090 not in bus.commands


@CRC
def test_no_acknowledge_at_any_transaction_ends_programming_with_a_bus_error(crc):
    bus, driver = make(crc)
    program(driver)
    for index in range(len(bus.transactions)):
        failing, driver = make(crc)
        failing.fail_at = index
        assert program(driver)[0] == BUS_ERROR
        assert len(failing.transactions) == index + 1
        assert not failing.lets_a_gate_on()


@CRC
def test_a_flipped_bit_in_any_read_never_passes_for_success_unnoticed(crc):
    """With CRC it is noticed, and that read is made again; without, the answer's own checksum
    guards what is compared."""
    bus, driver = make(crc)
    program(driver)
    for index, transaction in enumerate(bus.transactions):
        if transaction.kind == "w":
            continue
        flipped, driver = make(crc)
        flipped.corrupt_read_at = index
        code, _ = program(driver)
        if crc or transaction.register == 0x40:
            # VERIFY_FAILED: the look before FET_ENABLE, which is never sent twice.
            assert code in (OK, VERIFY_FAILED)
        else:
            assert code in (OK, BUS_ERROR, VERIFY_FAILED)
        if code == OK:
            assert flipped.memory == bus.memory
        assert not flipped.lets_a_gate_on()


@pytest.mark.parametrize("stuck", [False, True])
def test_a_chip_that_never_enters_or_leaves_config_update_is_given_up(stuck):
    bus, driver = make()
    bus.stuck_in_update = stuck
    code, calls = program(driver)
    assert code == BUS_ERROR
    assert calls < 30
    assert not bus.lets_a_gate_on()


def test_a_chip_slower_than_a_step_is_polled_on_and_never_toggled_twice():
    """A subcommand that outlasts the polls of a step is not sent again, above all FET_ENABLE."""
    bus, driver = make()
    driver.start_programming()
    code = BUSY
    slow = False
    while code == BUSY:
        # Ten echoes of 0xFF after each command that has an answer or is waited for.
        bus.busy_reads = 0 if slow else 10
        code = driver.programming_step()
        slow = not slow
    assert code == OK
    assert bus.commands.count(0x0022) == 1
    assert bus.mfg_status & 0x10


def test_a_chip_that_is_always_busy_is_given_up():
    bus, driver = make()
    bus.busy_reads = 1000
    assert program(driver)[0] == BUS_ERROR


def test_fet_enable_that_does_not_take_fails_the_verification():
    class Stubborn(RecordingBus):
        def _subcommand(self, code):
            if code != 0x0022:
                super()._subcommand(code)

    assert program(make(bus=Stubborn())[1])[0] == VERIFY_FAILED


@CRC
def test_fet_enable_is_followed_by_all_off_at_once_in_the_same_step(crc):
    """A chip that restarted just before would have closed its gates: for less than half a ms."""
    bus, driver = make(crc)
    driver.start_programming()
    while 0x0022 not in bus.commands:
        first = len(bus.transactions)
        assert driver.programming_step() in (OK, BUSY)
    subcommands = [t for t in bus.transactions[first:] if t.kind == "w" and t.register == 0x3E]
    at = [t.data for t in subcommands].index(b"\x22\x00")
    assert subcommands[at + 1].data == b"\x95\x00"
    start, end = (bus.transactions.index(t) for t in subcommands[at : at + 2])
    assert bus_us(bus.transactions[start : end + 1]) < 500


def test_a_chip_that_restarts_before_the_end_fails():
    class Restarting(RecordingBus):
        def _subcommand(self, code):
            super()._subcommand(code)
            if code == 0x0022:
                self.registers[0x12] |= 0x08

    assert program(make(bus=Restarting())[1])[0] == CONFIGURATION_LOST


def test_a_gate_that_stays_on_keeps_programming_from_ending_well():
    bus, driver = make()
    bus.registers[0x7F] = 0x04
    assert program(driver)[0] == BUS_ERROR


def test_after_a_failure_the_next_call_begins_anew_with_gates_off():
    bus, driver = make()
    bus.fail_at = 40
    assert program(driver)[0] == BUS_ERROR
    del bus.transactions[:]
    bus.fail_at = None
    assert driver.programming_step() == BUSY
    assert bus.transactions[0].data == b"\x95\x00"


def test_starting_again_takes_the_parameters_of_now():
    parameters = make_parameters.__wrapped__()
    bus = RecordingBus()
    driver = Bq76952(bus, parameters)
    program(driver)
    assert bus.written(0x92B2, 2) == b"\x04\x00"
    parameters.change([(parameters.index("afe_watchdog_s"), 2)])
    program(driver)
    assert bus.written(0x92B2, 2) == b"\x02\x00"


def test_starting_causes_no_bus_traffic():
    bus, driver = make()
    driver.start_programming()
    assert bus.transactions == []
