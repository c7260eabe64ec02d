"""What runs on the person's computer: the `cellsteward` command line.

The firmware's own tables (parameters, points, faults) are imported from the checkout that this
package is installed from, so that names and ranges exist once.
"""

import sys
from pathlib import Path

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parents[2]  # the checkout

_FIRMWARE_LIB = str(ROOT / "firmware" / "lib")
if _FIRMWARE_LIB not in sys.path:
    sys.path.append(_FIRMWARE_LIB)
