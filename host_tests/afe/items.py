"""The driver's list of programmed data memory, as (address, bytes, value or None if computed)."""

from afe.bq76952_items import ROWS
from bms.table import rows

ITEMS = tuple(
    (int(address, 16), int(size), None if value == "*" else int(value, 16))
    for address, size, value, _ in rows(ROWS)
)
