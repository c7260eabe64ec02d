"""For who builds MicroPython with the firmware frozen in: docs/boards/bring-your-own.md.

make -C ports/rp2 BOARD=RPI_PICO_W FROZEN_MANIFEST=.../boards/pico_w/manifest.py
"""

include("$(BOARD_DIR)/manifest.py")
include("../_manifest.py")
