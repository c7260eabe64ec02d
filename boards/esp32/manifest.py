"""For who builds MicroPython with the firmware frozen in: docs/boards/bring-your-own.md.

make -C ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=.../boards/esp32/manifest.py
"""

include("$(PORT_DIR)/boards/manifest.py")
include("../_manifest.py")
