"""Raspberry Pi Pico: BQ76952, MCP2515, RS485 transceiver. Wiring: docs/boards/pico.md."""

from boards._common import Board
from boards._rp2 import PICO_PINS, RP2040

board = Board(
    "pico",
    RP2040,
    PICO_PINS,
    afe_trips_open_contactors=True,  # as docs/boards/wiring.md wires the coils' supply
)
