"""After a restart nothing is closed while a protection is on its way to trip."""

import pytest

from bms.points import PATH_BRIDGING
from bms.sample import GATE_DISCHARGE
from host_tests.bms.bench import Bench

HIGH_MV = 3900  # beyond the trip of cell_overvoltage


@pytest.mark.parametrize("load_ma", [0, -30000])
def test_a_load_does_not_have_the_charge_gate_allowed_before_its_protection_trips(load_ma):
    """Its current closes the charge gate to spare the body diode, which permits no charging."""
    bench = Bench(cell_overvoltage_delay_ms=5000)
    bench.chip.set_cells(HIGH_MV)
    bench.run_until(lambda: bench.chip.gates() & GATE_DISCHARGE, 2500)
    bench.chip.current_ma = load_ma
    bridged = False
    for _ in range(30):
        bench.step()
        assert bench.point("charge_allowed") == 0
        bridged = bridged or bench.point("path_state") == PATH_BRIDGING
        if not load_ma:
            assert bench.chip.gates() == GATE_DISCHARGE
    assert bridged == bool(load_ma)
