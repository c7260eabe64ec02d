"""For who builds MicroPython with the firmware frozen in: docs/boards/bring-your-own.md.

make -C ports/rp2 BOARD=RPI_PICO FROZEN_MANIFEST=.../boards/pico/manifest.py
"""

include("$(PORT_DIR)/boards/manifest.py")
include("../_manifest.py")
