"""The world: time, gates and their trace, the inverter, what outlives a reset, determinism."""

import itertools
import json
import pathlib
import struct
import subprocess
import sys

import pytest

from boards.sim import faults
from boards.sim.load import ConstantLoad, HouseholdDay
from boards.sim.world import World

SECOND = 1_000_000
FET_ENABLE, ALL_FETS_ON, ALL_FETS_OFF = 0x0022, 0x0096, 0x0095  # afe.md section 1
DSG_PDSG_OFF = 0x0093
SHUNT_OHM = 50e-6  # the chip's default short-circuit threshold of 10 mV is 200 A here
ROOT = pathlib.Path(__file__).parents[2]
MICROPYTHON = pathlib.Path(sys.prefix) / "bin" / "micropython"


def command(world, number):
    world.i2c.writeto_mem(0x08, 0x3E, bytes((number & 0xFF, number >> 8)))
    world.advance(10_000)


def with_gates_on(world):
    """As the firmware would close the gates, with the chip's default settings."""
    world.pack.shunt_ohm = SHUNT_OHM
    command(world, FET_ENABLE)
    command(world, ALL_FETS_ON)
    assert world.status()["gates"] == 3
    return world


def limits(world, volts=57.6, charge_a=50.0, discharge_a=100.0, request=0xC0):
    """The pack's frames, sent by a stand-in for the firmware."""
    numbers = round(volts * 10), round(charge_a * 10), round(discharge_a * 10), 480
    world.can_outside.send(0x351, struct.pack("<HhhH", *numbers))
    world.can_outside.send(0x35C, bytes((request, 0)))


def run(world, seconds, send=None):
    for _ in range(int(seconds)):
        if send:
            send(world)
        world.advance(SECOND)


def test_time_is_the_sum_of_what_passed_however_it_is_cut():
    whole, cut = World(load=HouseholdDay()), World(load=HouseholdDay())
    for world in (whole, cut):
        world.inverter.obeys = False
        with_gates_on(world)
    whole.advance(600 * SECOND)
    for elapsed_us in (1, 99_999, 250_000, 7, 349_993) * 857:
        cut.advance(elapsed_us)
    cut.advance(whole.time_us - cut.time_us)  # 857 times 0.7 s is 0.1 s short of 600 s
    assert cut.time_us == whole.time_us
    assert cut.pack.charge_as == pytest.approx(whole.pack.charge_as, rel=1e-3)
    assert cut.pack.cell_v == pytest.approx(whole.pack.cell_v, abs=1e-3)


def test_charge_flows_only_through_gates_that_are_on():
    world = World(load=ConstantLoad(-20.0))
    world.inverter.obeys = False
    world.advance(SECOND)
    assert world.status()["current_ma"] == 0
    assert world.status()["demand_ma"] == -20000
    with_gates_on(world)
    assert world.status()["current_ma"] == -20000
    world.set_off_lines(discharge=1)
    world.advance(1000)
    # With the chip's default settings DFETOFF is not configured as such: the line does nothing
    assert world.status()["current_ma"] == -20000
    command(world, ALL_FETS_OFF)
    assert world.status()["current_ma"] == 0


def test_the_trace_holds_every_change_of_the_gates_and_is_bounded():
    world = with_gates_on(World())
    closed = world.gate_trace[-1]
    assert closed[1:] == [True, True]
    assert 0 < closed[0] <= world.time_us
    for _ in range(300):
        command(world, ALL_FETS_OFF)
        command(world, ALL_FETS_ON)
    assert len(world.gate_trace) == 256
    assert json.loads(json.dumps(world.gate_trace)) == world.gate_trace


def test_a_short_is_over_within_a_millisecond_even_in_one_long_advance():
    world = with_gates_on(World())
    before_us = world.time_us
    faults.inject(world, "short_circuit")
    assert world.status()["current_ma"] < -1_000_000
    world.advance(SECOND)
    opened = next(entry for entry in world.gate_trace if entry[0] >= before_us)
    assert not opened[2]
    # The chip's default SCD delay is 15 us times (2 - 1); the FETs follow at once
    assert opened[0] - before_us < 1000
    assert abs(world.pack.charge_as) < 3000 * 0.001  # 3 kA for a millisecond


def test_a_watched_limit_is_noted_when_it_is_crossed():
    world = World(soc=0.96, load=ConstantLoad(50.0))
    world.inverter.obeys = False
    with_gates_on(world)
    world.watch("cell_high_mv", 3420)
    before = 0.0
    while "cell_high_mv" not in world.crossed_us:
        before = max(world.pack.cell_v)
        world.advance(SECOND)
    assert before * 1000 <= 3420 <= max(world.pack.cell_v) * 1000
    assert world.time_us - SECOND <= world.crossed_us["cell_high_mv"] <= world.time_us


def test_an_injected_jump_crosses_a_watched_limit_at_once():
    world = World()
    world.advance(123_456)
    world.watch("cell_high_mv", 3650)
    world.watch("cold_dc", -100)
    faults.inject(world, "cell_overvoltage")
    assert world.crossed_us == {"cell_high_mv": 123_456}


def test_the_inverter_says_hello_each_second():
    world = World()
    heard, times_us = [], []
    world.can_outside.listener = lambda *frame: heard.append(frame)
    for _ in range(100):
        before = len(heard)
        world.advance(100_000)
        times_us += [world.time_us] * (len(heard) - before)
    assert set(heard) == {(0x305, bytes(8), False, False)}
    gaps_us = [after - before for before, after in itertools.pairwise(times_us)]
    assert len(gaps_us) >= 9
    assert all(900_000 <= gap_us <= 1_100_000 for gap_us in gaps_us)


def test_the_inverter_keeps_within_the_limits_it_was_told():
    for wanted_a, told, expected_ma in (
        (-80.0, {"discharge_a": 30.0}, -30000),
        (-80.0, {"request": 0x80}, 0),
        (40.0, {"charge_a": 12.5}, 12500),
        (40.0, {"request": 0x40}, 0),
        (40.0, {"charge_a": 0.0}, 0),
        (-80.0, {"discharge_a": -30.0}, 0),
    ):
        world = with_gates_on(World(load=ConstantLoad(wanted_a)))
        run(world, 5, lambda world, told=told: limits(world, **told))
        assert world.status()["current_ma"] == pytest.approx(expected_ma, abs=10), told


def test_the_inverter_stops_three_seconds_after_the_pack_fell_silent():
    world = with_gates_on(World(load=ConstantLoad(-20.0)))
    assert world.status()["current_ma"] == 0  # no word from the pack yet
    run(world, 3, limits)
    assert world.status()["current_ma"] == -20000
    world.advance(1_900_000)
    assert world.status()["current_ma"] == -20000
    world.advance(1_200_000)
    assert world.status()["current_ma"] == 0


def test_the_inverter_holds_the_charge_voltage_and_lets_the_current_taper():
    world = with_gates_on(World(soc=0.97, load=ConstantLoad(50.0)))
    currents, volts = [], []
    for _ in range(3600):
        limits(world, volts=56.0)
        world.advance(SECOND)
        currents.append(world.pack.current_a)
        volts.append(sum(world.pack.cell_v))
    assert max(currents) == 50.0
    assert max(volts) < 56.05
    assert volts[-1] == pytest.approx(56.0, abs=0.05)
    assert currents[-1] < 10.0


def _behind_a_blocked_discharge(load_a, volts):
    """Currents of five seconds with the discharge gate forced off, and a charger at `volts`."""
    world = with_gates_on(World(load=ConstantLoad(load_a)))
    command(world, DSG_PDSG_OFF)
    assert world.status()["gates"] == 1
    currents = []
    for _ in range(50):
        limits(world, volts=volts)
        world.advance(SECOND // 10)
        currents.append(world.pack.current_a)
    return currents


def test_a_charger_below_the_pack_pushes_nothing_through_a_body_diode():
    """Not even for a moment: else a blocked switch is told of a current that is gone again."""
    assert set(_behind_a_blocked_discharge(20.0, 44.0)) == {0.0}
    assert _behind_a_blocked_discharge(20.0, 57.6)[-1] == 20.0


def test_a_disobedient_inverter_passes_the_demand_on():
    world = World(load=ConstantLoad(-20.0))
    world.inverter.obeys = False
    assert with_gates_on(world).status()["current_ma"] == -20000


def test_status_is_made_of_integers_in_the_units_of_the_points():
    status = with_gates_on(World(soc=0.55)).status()
    assert json.loads(json.dumps(status)) == status
    assert status["soc_bp"] == pytest.approx(5500, abs=150)
    assert len(status["cell_voltage_mv"]) == 16
    assert status["pack_voltage_mv"] == pytest.approx(sum(status["cell_voltage_mv"]), abs=16)
    assert status["temperature_dc"] == [220, 220, 220]


def test_pack_and_day_go_on_after_a_reset_of_the_processor():
    world = World(seed=2, load=HouseholdDay(2))
    world.inverter.obeys = False
    with_gates_on(world)
    world.advance(3600 * SECOND)
    after = World(seed=9, load=HouseholdDay(2))
    after.restore(json.loads(json.dumps(world.save())))
    assert after.time_us == 0
    assert after.status()["cell_voltage_mv"] == world.status()["cell_voltage_mv"]
    assert after.status()["soc_bp"] == world.status()["soc_bp"]
    after.advance(1000)
    world.advance(1000)
    assert after.status()["demand_ma"] == world.status()["demand_ma"]


_SCRIPT = """
import json, sys
sys.path.insert(0, %r)
from boards.sim.world import World
from boards.sim.load import HouseholdDay
from boards.sim import faults
world = World(seed=7, load=HouseholdDay(7))
world.inverter.obeys = False
world.pack.charge_welded = world.pack.discharge_welded = True
for second in range(1800):
    world.advance(1000000)
faults.inject(world, "weak_cell")
world.advance(60000000)
print(json.dumps(world.status()))
world = World(seed=7, load=HouseholdDay(7), contactor_poles=1)
world.inverter.obeys = False
world.afe.charge_on = world.afe.discharge_on = True
world.afe.says_both_on = lambda: True
world.contactors.precharge.level = 1
for step in range(200):
    world.dc_bus.advance(10000, -5.0)
faults.inject(world, "leads_swapped")
print(json.dumps(world.status()))
"""


def test_micropython_and_cpython_simulate_the_same():
    if not MICROPYTHON.exists():
        pytest.skip(f"no {MICROPYTHON}: install the project's environment (make test)")
    script = _SCRIPT % str(ROOT)
    runs = [
        subprocess.run([*program, "-c", script], capture_output=True, text=True, check=True)
        for program in ((MICROPYTHON, "-X", "heapsize=4M"), (sys.executable,))
    ]
    lines = [[json.loads(line) for line in run.stdout.splitlines()] for run in runs]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 2
