"""What the firmware's work costs on an RP2040, charged to virtual time if option `costs` is on.

Without it the firmware is infinitely fast: decisions depend on periods and delays alone, and runs
are quick. With it, times from cause to gate speak of the board, not of the laptop. How many
operations a step has is counted opcode by opcode by host_tests/bench/operations.py, at the prices
of micropython.md ("Numbers: RP2040 at 125 MHz"); host_tests/times compares the constants here with
a live count. Those prices come from an emulator that silicon undercuts: it takes up to 1.4 times
as long, so what runs on the processor is charged so.
A step's own time passes before its first act on an off line or a coil, after the sample was taken:
the later end of what a board does. Deterministic: the same run costs the same.
Limits: coroutines are charged per turn, not for what they do in it; a collection of garbage that
MicroPython starts by itself is not seen (the firmware collects by itself every few seconds);
transfers to the CAN controller are free. A step that programs or tests the chip is charged like
one that guards.
"""

import gc
import sys

_SILICON_PERCENT = 140  # "silicon takes 1.1 to 1.4 times as long"

# One step by host_tests/bench/operations.py, wire time apart: fixed part, and for each cell x 10.
# Counted: battery 4610 us at 4 cells and 4867 us at 16, driver 1141 us and 1721 us.
_BATTERY_US, _BATTERY_CELL_TENTHS = 4524, 214
_DRIVER_US, _DRIVER_CELL_TENTHS = 948, 483
_CRC_BYTE_TENTHS = 96  # one byte of a table CRC: 615 us over 64
_CRC_BYTES_A_CELL = 2
_COLLECT_US = 21_400  # a heap with 136 KB alive
_TURN_US = 200  # asyncio: one ready task's round trip
ERASE_US = 45_000  # one flash sector, typical
ERASE_WORST_US = 400_000  # flash data sheets
PROGRAM_US = 400  # one page of 256 bytes
PAGE = 256


def step_us(cells, crc=False, chips=1):
    """Microseconds of one step on the processor alone."""
    cell_tenths = _BATTERY_CELL_TENTHS + _DRIVER_CELL_TENTHS
    if crc:
        cell_tenths += _CRC_BYTES_A_CELL * _CRC_BYTE_TENTHS
    # Rounded by cell, so that every cell costs the same.
    cell_us = cell_tenths * _SILICON_PERCENT // 1000
    return (_BATTERY_US + chips * _DRIVER_US) * _SILICON_PERCENT // 100 + cells * cell_us


class Costs:
    """Charges the clock. Create it once, before the firmware runs; call `install` then."""

    def __init__(self, clock, cells, crc=False, chips=1):
        self._clock = clock
        self._step_us = step_us(cells, crc, chips)
        self._owed_us = 0  # of the running step

    def install(self, *buses):
        """Charge transfers on these I2C buses, collections of garbage and turns of tasks."""
        for bus in buses:
            bus.charge_us = self._clock.charge
        self._clock.poller.turn_us = _TURN_US * _SILICON_PERCENT // 100
        # Whoever imports gc from now on gets this one; the built-in module can not be changed.
        sys.modules["gc"] = _Collector(self._clock)

    def begin_step(self):
        """The firmware's timer calls."""
        self._owed_us = self._step_us

    def settle(self):
        """Let the rest of the running step's own time pass: it is about to act, or done."""
        owed_us = self._owed_us
        if owed_us:
            self._owed_us = 0
            self._clock.charge(owed_us)


class _Collector:
    """Stands in for the module gc: collecting takes time."""

    def __init__(self, clock):
        self._clock = clock

    def __getattr__(self, name):
        return getattr(gc, name)

    def collect(self):
        """As gc.collect, at the processor's pace."""
        gc.collect()
        self._clock.charge(_COLLECT_US * _SILICON_PERCENT // 100)
