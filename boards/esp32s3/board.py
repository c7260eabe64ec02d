"""ESP32-S3 (WROOM module) with BQ76952, MCP2515 and an RS485 transceiver.

Why these pins: docs/boards/esp32s3.md, with the wiring. GPIO26 to 32 belong to the flash, 33 to
37 to some modules' memory, 19 and 20 to USB; 0, 3, 45 and 46 are read at reset; 1 to 20 move for
60 us while power comes up.
"""

from boards._common import Board
from boards._esp32 import Esp32

PINS = {
    "charge_off": 41,
    "discharge_off": 42,
    "afe_sda": 8,
    "afe_scl": 9,
    "sensor_sda": 1,
    "sensor_scl": 2,
    "rs485_tx": 17,
    "rs485_rx": 18,
    "rs485_send": 14,
    "positive_coil": 4,
    "negative_coil": 5,
    "precharge_coil": 6,
    "positive_contact": 21,
    "negative_contact": 39,
    "precharge_contact": 40,
    "interlock": 47,
    "alarm": 7,
    "heater": 15,
    "fan": 16,
    "can_sck": 12,
    "can_mosi": 11,
    "can_miso": 13,
    "can_select": 10,
    "maintenance": 0,  # the button BOOT, pressed after the reset
}

board = Board(
    "esp32s3",
    Esp32(can_spi=1, input_only=False),
    PINS,
    afe_trips_open_contactors=True,  # as docs/boards/wiring.md wires the coils' supply
)
