"""ESP32 (WROOM module) with BQ76952, MCP2515 and an RS485 transceiver.

Why these pins: docs/boards/esp32.md, with the wiring. GPIO6 to 11 belong to the flash; 34 to 39
are inputs only; 0, 2, 5, 12 and 15 are read at reset, and lead to nothing that minds.
"""

from boards._common import Board
from boards._esp32 import Esp32

PINS = {
    "charge_off": 32,
    "discharge_off": 33,
    "afe_sda": 21,
    "afe_scl": 22,
    "sensor_sda": 15,  # a pull-up, as it wants at reset
    "sensor_scl": 14,
    "rs485_tx": 17,
    "rs485_rx": 16,
    "rs485_send": 2,  # pulled down in reset: it listens
    "positive_coil": 25,
    "negative_coil": 26,
    "precharge_coil": 27,
    "positive_contact": 35,
    "negative_contact": 36,
    "precharge_contact": 39,
    "interlock": 34,
    "alarm": 4,
    "heater": 13,
    "fan": 12,  # pulled down, as it wants at reset
    "can_sck": 18,
    "can_mosi": 23,
    "can_miso": 19,
    "can_select": 5,  # pulled up in reset: not selected
    "maintenance": 0,  # the button BOOT, pressed after the reset
}

board = Board(
    "esp32",
    Esp32(can_spi=2, input_only=True),
    PINS,
    afe_trips_open_contactors=True,  # as docs/boards/wiring.md wires the coils' supply
)
