"""The real tables with a pack to show, for the tests of all serial languages."""

from bms.access import Access
from bms.faults import Faults
from bms.parameters import Parameters
from bms.points import STATE_ACTIVE, Points
from bms.requests import Requests

CODE = 4711
SETTINGS = {
    "chemistry": 0,
    "series_cells": 16,
    "design_capacity_mah": 280000,
    "cell_thermistors": 2,
    "access_code": CODE,
}

# A healthy pack of sixteen LiFePO4 cells being charged.
PACK = {
    "pack_voltage_mv": 53_120,
    "current_ma": 12_340,
    "power_w": 655,
    "soc_bp": 8_124,
    "soh_bp": 9_950,
    "remaining_mah": 226_000,
    "full_mah": 278_600,
    "design_mah": 280_000,
    "cycles": 12,
    "cell_min_mv": 3_312,
    "cell_max_mv": 3_341,
    "cell_min_index": 1,
    "cell_max_index": 3,
    "cell_delta_mv": 29,
    "temperature_min_dc": 214,
    "temperature_max_dc": 226,
    "temperature_dc": (214, 226),
    "board_temperature_dc": 310,
    "afe_temperature_dc": 305,
    "charge_voltage_limit_mv": 56_000,
    "charge_current_limit_ma": 50_000,
    "discharge_voltage_limit_mv": 48_000,
    "discharge_current_limit_ma": 100_000,
    "charge_allowed": 1,
    "discharge_allowed": 1,
    "gates": 3,
    "state": STATE_ACTIVE,
    "uptime_s": 3_600,
    "series_cells": 16,
    "faults": (0, 0, 0, 0),
    "warnings": (0, 0, 0, 0),
    "balancing": (0, 0),
    "cell_voltage_mv": tuple(3_320 + cell for cell in range(16)),
}


class Desk:
    """Points, parameters, faults, a door and a letter box, as the application hands them out."""

    def __init__(self, settings=SETTINGS, **shown):
        self.points = Points()
        self.parameters = Parameters()
        if settings:
            self.parameters.load(settings)
        self.faults = Faults()
        self.access = Access(self.parameters)
        self.requests = Requests()
        self.changes = []
        self.snapshot = self.points.new_snapshot()
        if settings:
            self.publish(**PACK)
        self.publish(**shown)

    def publish(self, **values):
        """Show these points; a list or tuple fills a vector."""
        for name, value in values.items():
            vector = value if isinstance(value, (list, tuple)) else [value]
            for slot, one in enumerate(vector):
                self.points.live[self.points.offset(name) + slot] = one

    def raise_faults(self, which, *names):
        """Set exactly these bits of `faults` or `warnings`."""
        words = [0, 0, 0, 0]
        for name in names:
            bit = self.faults.names.index(name)
            words[bit >> 4] |= 1 << (bit & 15)
        self.publish(**{which: words})
