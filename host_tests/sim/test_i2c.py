"""The simulated I2C bus: shape of machine.I2C, faults, counts, and the heap lock."""

import errno

import pytest

from boards.sim import heap, i2c
from boards.sim.i2c import I2C


class Memory:
    """A device with 256 registers that refuses writes to register 0xFF."""

    address = 0x08

    def __init__(self):
        self.registers = bytearray(range(256))

    def read(self, register, buf):
        for i in range(len(buf)):
            buf[i] = self.registers[register + i]

    def write(self, register, buf):
        if register == 0xFF:
            return False
        self.registers[register : register + len(buf)] = buf
        return True


@pytest.fixture
def bus():
    bus = I2C()
    bus.attach(Memory())
    return bus


def failure(call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


def test_reads_registers_into_the_buffer(bus):
    buf = bytearray(3)
    bus.readfrom_mem_into(0x08, 0x14, buf)
    assert buf == b"\x14\x15\x16"


def test_reads_into_a_memoryview(bus):
    buf = bytearray(4)
    bus.readfrom_mem_into(0x08, 0x20, memoryview(buf)[1:3])
    assert buf == b"\x00\x20\x21\x00"


@pytest.mark.parametrize("data", [b"\x95\x00", bytearray(b"\x95\x00"), memoryview(b"\x95\x00")])
def test_writes_any_bytes_like(bus, data):
    bus.writeto_mem(0x08, 0x3E, data)
    buf = bytearray(2)
    bus.readfrom_mem_into(0x08, 0x3E, buf)
    assert buf == b"\x95\x00"


def test_an_address_where_nobody_lives_is_not_acknowledged(bus):
    assert failure(bus.readfrom_mem_into, 0x09, 0, bytearray(1)) == errno.ENODEV


def test_a_byte_that_the_device_refuses_is_not_acknowledged(bus):
    assert failure(bus.writeto_mem, 0x08, 0xFF, b"\x00") == errno.ENODEV


def test_a_silent_bus_does_not_acknowledge(bus):
    bus.silent = True
    assert failure(bus.writeto_mem, 0x08, 0, b"\x00") == errno.ENODEV


def test_a_stuck_bus_times_out(bus):
    bus.stuck = True
    assert failure(bus.readfrom_mem_into, 0x08, 0, bytearray(1)) == errno.ETIMEDOUT


def test_every_nth_transaction_can_be_refused(bus):
    bus.nack_every = 3
    outcomes = []
    for _ in range(6):
        try:
            bus.writeto_mem(0x08, 0, b"\x00")
            outcomes.append(True)
        except OSError:
            outcomes.append(False)
    assert outcomes == [True, True, False, True, True, False]


def flipped_bits(bus):
    buf = bytearray(4)
    bus.readfrom_mem_into(0x08, 0x10, buf)
    changes = (a ^ b for a, b in zip(buf, b"\x10\x11\x12\x13", strict=True))
    return sum(bin(change).count("1") for change in changes)


def test_the_next_reads_can_be_corrupted_by_one_bit_each(bus):
    bus.corrupt_reads = 2
    assert [flipped_bits(bus) for _ in range(4)] == [1, 1, 0, 0]


def test_all_reads_can_be_corrupted_and_the_bus_healed(bus):
    bus.corrupt_reads = i2c.ALL
    assert [flipped_bits(bus) for _ in range(40)] == [1] * 40
    bus.corrupt_reads = 0
    assert flipped_bits(bus) == 0


def test_counts_transactions_and_the_bytes_on_the_wire(bus):
    bus.readfrom_mem_into(0x08, 0x14, bytearray(32))  # address, register, address, 32 data
    bus.writeto_mem(0x08, 0x3E, b"\x95\x00")  # address, register, 2 data
    assert (bus.transactions, bus.bytes_moved) == (2, 35 + 4)


def test_tells_how_long_a_transaction_takes_on_the_wire():
    bus = I2C(frequency_hz=400_000)
    bus.attach(Memory())
    spent_us = []
    bus.elapse = spent_us.append
    bus.readfrom_mem_into(0x08, 0x14, bytearray(2))
    # micropython.md: a read of 2 bytes is 112 us on the wire at 400 kHz (5 bytes of 9 clocks).
    assert spent_us == [pytest.approx(112, abs=6)]


@pytest.mark.parametrize(
    ("data_bytes", "busy_us"),
    [
        (2, 161),  # micropython.md: measured
        (4, 161 + 45),  # with CRC: two bytes more, 22.5 us each
        (32, 161 + 30 * 22.5),
    ],
)
def test_tells_how_long_a_read_keeps_the_processor_busy(bus, data_bytes, busy_us):
    spent_us = []
    bus.charge_us = spent_us.append
    bus.readfrom_mem_into(0x08, 0x14, bytearray(data_bytes))
    assert spent_us == [pytest.approx(busy_us, abs=1)]


def test_a_write_costs_a_read_less_the_second_address_byte(bus):
    spent_us = []
    bus.charge_us = spent_us.append
    bus.readfrom_mem_into(0x08, 0x14, bytearray(2))
    bus.writeto_mem(0x08, 0x14, b"\x00\x00")
    assert spent_us[0] - spent_us[1] == pytest.approx(22.5, abs=1)


def test_a_time_out_keeps_the_processor_busy_for_2_ms_and_an_absent_device_for_one_byte(bus):
    spent_us = []
    bus.charge_us = spent_us.append
    failure(bus.readfrom_mem_into, 0x09, 0, bytearray(32))
    bus.stuck = True
    failure(bus.readfrom_mem_into, 0x08, 0, bytearray(32))
    assert spent_us[0] < 100
    assert spent_us[1] == pytest.approx(2000, abs=50)


def test_a_stuck_transaction_lasts_its_time_out():
    bus = I2C(timeout_us=2000)
    bus.attach(Memory())
    spent_us = []
    bus.elapse = spent_us.append
    bus.stuck = True
    failure(bus.readfrom_mem_into, 0x08, 0, bytearray(1))
    assert spent_us == [2000]


class HeapLock:
    """MicroPython's heap lock: unlocking answers how deep it still is locked."""

    def __init__(self):
        self.depth = 0
        self.trace = []  # depth after each change

    def lock(self):
        self.depth += 1
        self.trace.append(self.depth)

    def unlock(self):
        self.depth -= 1
        assert self.depth >= 0
        self.trace.append(self.depth)
        return self.depth


class Watcher(Memory):
    """A device that notes how deep the heap is locked while it works."""

    def __init__(self, heap_lock):
        super().__init__()
        self.heap_lock = heap_lock
        self.seen = []

    def read(self, memaddr, buf):
        self.seen.append(self.heap_lock.depth)
        super().read(memaddr, buf)


@pytest.fixture
def heap_lock(monkeypatch):
    fake = HeapLock()
    monkeypatch.setattr(heap, "lock", fake.lock)
    monkeypatch.setattr(heap, "unlock", fake.unlock)
    return fake


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_bus_lifts_the_heap_lock_while_a_device_works(heap_lock, depth):
    bus = I2C()
    watcher = Watcher(heap_lock)
    bus.attach(watcher)
    for _ in range(depth):
        heap_lock.lock()
    bus.readfrom_mem_into(0x08, 0, bytearray(1))
    assert watcher.seen == [0]
    assert heap_lock.depth == depth


def test_the_bus_restores_the_heap_lock_after_a_failure(bus, heap_lock):
    heap_lock.lock()
    bus.stuck = True
    failure(bus.writeto_mem, 0x08, 0, b"\x00")
    assert heap_lock.depth == 1


def test_a_bus_inside_a_bus_keeps_the_lock_lifted_until_the_outer_one_ends(heap_lock):
    heap_lock.lock()
    outer = heap.lift()
    inner = heap.lift()
    heap.restore(inner)
    assert heap_lock.depth == 0
    heap.restore(outer)
    assert heap_lock.depth == 1
