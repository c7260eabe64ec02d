"""Runs on MicroPython (32-bit WebAssembly build): power paths and outputs allocate nothing.

10,000 steps of each path under heap lock, with random inputs that walk all of its states. OK is
printed only if every state was seen.
"""

import micropython

from bms.contactor_path import ContactorPath
from bms.outputs import Outputs
from bms.point_words import PATH_STATES
from bms.sample import GATES_BOTH
from bms.switch import FetPath
from host_tests.bms.path_parts import STACK_MV, PathBench

ROUNDS = 10000
CYCLE = 100
CALM = 60  # rounds of a cycle in which the path may get on
FET_STATES = (0, 1, 2, 3, 6, 7)
CONTACTOR_STATES = (0, 1, 2, 3, 4, 5, 6)


class Pins:
    def alarm(self, level):
        pass

    def heater(self, level):
        pass

    def fan(self, level):
        pass


def make_fets(chip, parameters, table, contactors):
    return FetPath(chip, chip.charge_off, chip.discharge_off, parameters, table)


def make_contactors(chip, parameters, table, contactors):
    return ContactorPath(chip, chip.charge_off, chip.discharge_off, contactors, parameters, table)


def harm(bench, random):
    """Change one thing; most often back to what lets the path go on."""
    kind = random & 15
    amount = random >> 4 & 0xFF
    sample = bench.sample
    if kind == 0:
        bench.allowed = amount & 3
        sample.current_ma = -20000 if amount & 2 else 20000
    elif kind == 1:
        bench.urgent = amount & 1 == 1
    elif kind == 2:
        bench.measured = amount & 3 != 0
    elif kind == 3:
        sample.current_ma = (amount - 128) * 6000
        bench.allowed = amount & 3
    elif kind == 4:
        sample.bus_mv = 300 * amount
    elif kind == 5:
        bench.contactors.forced[amount % 3] = amount >> 7
    elif kind == 6:
        bench.obeying = False
        sample.gates = amount & 3
    elif kind == 7:
        bench.path.open_lines()
        bench.path.forget(amount, bench.register)
    elif kind < 10:
        clear(bench.register)
    else:
        heal(bench)


def clear(register):
    register.ask()
    register.clear_asked(True)


def heal(bench):
    clear(bench.register)
    bench.allowed = GATES_BOTH
    bench.urgent = False
    bench.measured = True
    bench.obeying = True
    bench.sample.current_ma = 0
    bench.sample.bus_mv = STACK_MV
    for contactor in range(3):
        bench.contactors.forced[contactor] = None


def run(bench, outputs, seen, rounds):
    random = 4711
    for turn in range(rounds):
        random = (random * 4005 + 12347) & 0x3FFFF  # stays below 2**30
        if turn % CYCLE == 0:
            heal(bench)
            if turn // CYCLE % 3 == 2:
                bench.sample.bus_mv = 0  # precharge fails
        elif turn % CYCLE > CALM and random & 3 == 0:
            harm(bench, random >> 5)
        elapsed_ms = 2000 if random & 0x7F00 == 0 else 100
        bench.step(elapsed_ms)
        outputs.step(bench.allowed, bench.measured, random & 0x1FF, 300, 400, random & 1 == 1)
        seen[bench.path.state] = 1


def prove(bench, states):
    outputs = Outputs(Pins(), bench.parameters)
    seen = bytearray(len(PATH_STATES))
    run(bench, outputs, seen, 100)  # whatever is made once on first use
    micropython.heap_lock()
    try:
        run(bench, outputs, seen, ROUNDS)
    finally:
        micropython.heap_unlock()
    for state in states:
        assert seen[state], PATH_STATES[state]


FITTED = {"alarm_relay": 1, "heater": 1, "fan": 1, "precharge_cooldown_s": 8}
prove(PathBench(make_fets, predischarge=1, **FITTED), FET_STATES)
for aux in range(2):
    settings = {"power_path": 2, "contactor_poles": 2, "contactor_aux": aux}
    settings["contactor_bleed_s"] = 2
    settings.update(FITTED)
    prove(PathBench(make_contactors, **settings), CONTACTOR_STATES)
print("OK")
