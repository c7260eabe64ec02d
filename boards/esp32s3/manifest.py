"""For who builds MicroPython with the firmware frozen in: docs/boards/bring-your-own.md.

make -C ports/esp32 BOARD=ESP32_GENERIC_S3 FROZEN_MANIFEST=.../boards/esp32s3/manifest.py
"""

include("$(PORT_DIR)/boards/manifest.py")
include("../_manifest.py")
