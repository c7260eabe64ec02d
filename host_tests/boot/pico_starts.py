"""MicroPython script: the Pico's board file started again and again; prints what it did as JSON.

micropython pico_starts.py REPOSITORY
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

from host_tests.boot import machine_double

sys.modules["machine"] = machine_double


def start():
    """The board file from its first line on; the scratch registers keep what they held."""
    for name in [name for name in sys.modules if name.startswith("boards")]:
        del sys.modules[name]
    return __import__("boards.pico.board", None, None, ("board",))


def levels(board):
    """Of all that switches, by name."""
    contactors = board.contactors()
    outputs = board.outputs()
    return {
        "charge_off": board.charge_off(),
        "discharge_off": board.discharge_off(),
        "positive": contactors.positive(),
        "negative": contactors.negative(),
        "precharge": contactors.precharge(),
        "alarm": outputs.alarm(),
        "heater": outputs.heater(),
        "fan": outputs.fan(),
    }


def fill_scratch(value):
    for region in machine_double.scratch:
        for word in range(len(region)):
            region[word] = value


def causes():
    """The reset causes of a life: what the hardware says, and what the board makes of it."""
    found = {}
    fill_scratch(0)
    board = start()
    found["power-up"] = board.reset_cause()
    board.retained()[3] = 1  # the application keeps something
    found["power-up, asked later"] = board.reset_cause()
    found["restart from the prompt"] = start().reset_cause()
    machine_double.hardware_cause = machine_double.WDT_RESET  # MicroPython issue 19409
    machine_double.mem32[0x4005801C] = 0  # pico-sdk: watchdog_reboot
    found["reset()"] = start().reset_cause()
    machine_double.mem32[0x4005801C] = 0x6AB73121  # pico-sdk: watchdog_enable
    found["watchdog"] = start().reset_cause()
    fill_scratch(0)
    found["watchdog before anything was kept"] = start().reset_cause()
    machine_double.hardware_cause = machine_double.PWRON_RESET
    found["power-up again"] = start().reset_cause()
    return found


def retained():
    """Fill it, restart, read it back."""
    memory = start().retained()
    values = [0x3FFFFFFF - 1234567 * word for word in range(len(memory))]
    for word in range(len(values)):
        memory[word] = values[word]
    memory = start().retained()
    return {
        "wanted": values,
        "kept": [memory[word] for word in range(len(memory))],
        "registers": [word for region in machine_double.scratch for word in region],
    }


def contacts(board):
    """What each contact and the loop say for each level of its pin."""
    contactors = board.contactors()
    found = {}
    for name in ("positive_closed", "negative_closed", "precharge_closed"):
        signal = getattr(contactors, name)
        signal.pin.level = False
        low = signal()
        signal.pin.level = True
        found[name] = [low, signal()]
    board.interlock.level = False
    low = int(board.interlock())
    board.interlock.level = True
    found["interlock"] = [low, int(board.interlock())]
    return found


board = start()
made = levels(board)
for switch in (board.charge_off, board.discharge_off):
    switch(0)
for group in (board.contactors(), board.outputs()):
    for pin in group.__dict__.values():
        if isinstance(pin, machine_double.Pin):
            pin(1)
board.gates_off()
off = levels(board)
print(
    json.dumps(
        {
            "made": made,
            "off": off,
            "contacts": contacts(board),
            "emergency_bytes": sys.modules["micropython"].emergency_bytes,
            "retained": retained(),
        }
    )
)
print(json.dumps(causes()))
