"""Raspberry Pi Pico 2: BQ76952, MCP2515, RS485 transceiver. Wiring: docs/boards/pico2.md."""

from boards._common import Board
from boards._rp2 import PICO_PINS, RP2350

board = Board(
    "pico2",
    RP2350,
    PICO_PINS,
    afe_trips_open_contactors=True,  # as docs/boards/wiring.md wires the coils' supply
    drain_can=True,
)
