"""MicroPython script: a board file started again and again; prints what it did as JSON.

micropython board_starts.py REPOSITORY BOARD PROCESSOR
"""

import json
import sys

import micropython

sys.path.insert(0, sys.argv[1])

from host_tests.boot import machine_double as machine

sys.modules["machine"] = machine
COILS = ("positive", "negative", "precharge")
OUTPUTS = ("alarm", "heater", "fan")


def start():
    """The board file from its first line on; memory that survives a reset keeps what it held."""
    for name in [name for name in sys.modules if name.startswith("boards")]:
        del sys.modules[name]
    machine.restart()
    return __import__("boards.%s.board" % sys.argv[2], None, None, ("board",)).board


def switches(board):
    """All that switches, by name."""
    found = {"charge_off": board.charge_off, "discharge_off": board.discharge_off}
    for name in COILS:
        found[name] = getattr(board.contactors(), name)
    for name in OUTPUTS:
        found[name] = getattr(board.outputs(), name)
    return found


def levels(board):
    return {name: pin() for name, pin in switches(board).items()}


def all_on(board):
    for name, pin in switches(board).items():
        pin(0 if name.endswith("_off") else 1)


def peripherals(board):
    """Make them all: a pin with two purposes would not survive it."""
    board.afe_bus(100000)
    board.sensor_bus()
    board.can_bus()
    board.can_interrupt()
    board.rs485_port(9600)
    board.watchdog(3000)
    board.start_timer(100, None)
    board.doze(940)
    return list(machine.journal)


def can_interrupt(board):
    """Whether there is one, what it does to the machine, and what it hands on."""
    machine.restart()
    line = start().can_interrupt()
    if line is None:
        return None
    seen = []
    line.listen(seen.append)
    line._pin.handler("edge")
    line.enable(line.disable())
    return [seen, machine.journal[-3:]]


def native_can(board):
    """What a board makes of machine.CAN: without it, with it, and with a board file that says how
    the processor's own controller is wired."""

    class CAN:
        def __init__(self, *arguments, **named):
            self.made_with = [arguments, named]

    found = [board.native_can() is None]
    machine.CAN = CAN
    found.append(board.native_can() is None)
    board._native_can = {"id": 0, "tx": 4, "rx": 5}
    found.append(board.native_can()(250000).made_with)
    del machine.CAN
    found.append(board.native_can() is None)
    board._native_can = None
    return found


def contacts(board):
    """What each contact and the loop say for each level of its pin."""
    contactors = board.contactors()
    found = {}
    for name in ("positive_closed", "negative_closed", "precharge_closed"):
        signal = getattr(contactors, name)
        signal.pin.level = 0
        low = signal()
        signal.pin.level = 1
        found[name] = [low, signal()]
    board.interlock.level = 0
    low = int(board.interlock())
    board.interlock.level = 1
    found["interlock"] = [low, int(board.interlock())]
    return found


def maintenance(board):
    """What the board makes of the pin's level."""
    found = []
    for level in (0, 1):
        board._maintenance.level = level
        found.append(board.maintenance_requested())
    return found


def lock_held(function):
    """Run under the heap lock, as the fast path does."""
    micropython.heap_lock()
    try:
        function()
    finally:
        micropython.heap_unlock()


def bus_under_the_lock():
    """Writes of every length, and a read: what the chip saw."""
    machine.restart()
    bus = start().afe_bus()
    seen = []
    for size in (1, 2, 36, 76):
        data = memoryview(bytearray(range(100, 100 + size)))
        lock_held(lambda data=data: bus.writeto_mem(8, 0x3E, data))
        seen.append([bus._i2c.sent[0], list(bus._i2c.sent[1 : bus._i2c.size])])
    into = bytearray(4)
    lock_held(lambda: bus.readfrom_mem_into(8, 0x40, into))
    return {"writes": seen, "read": list(into)}


def retained():
    """Fill it, restart, read it back; written and read under the heap lock."""
    memory = start().retained()
    values = [0x3FFFFFFF - 1234567 * word for word in range(len(memory))]

    def write():
        for word in range(len(values)):
            memory[word] = values[word]

    lock_held(write)
    memory = start().retained()
    return {"wanted": values, "kept": [memory[word] for word in range(len(memory))]}


def retained_without_mem_backup():
    """As in a MicroPython before 1.29: the addresses that are written, in order."""
    backup, registers = machine.mem_backup, machine.mem32
    del machine.mem_backup
    machine.mem32 = {}
    memory = sys.modules["boards._rp2"].Rp2(0x4005801C).retained()
    for word in range(len(memory)):
        memory[word] = 1000 + word
    written = sorted([[value, address] for address, value in machine.mem32.items()])
    kept = [memory[word] for word in range(len(memory))]
    machine.mem_backup, machine.mem32 = backup, registers
    return {"written": written, "kept": kept}


def fill_retained(value):
    for region in machine.scratch:
        for word in range(len(region)):
            region[word] = value


def cause(hardware, timed_out=False):
    machine.hardware_cause = hardware
    machine.time_out(timed_out)
    return start().reset_cause()


def rp2_causes():
    """A life: what the hardware says, and what the board makes of it."""
    fill_retained(0)
    found = [("power-up", cause(machine.PWRON_RESET))]
    board = start()
    board.retained()[3] = 1  # the application keeps something
    found.append(("power-up, asked later", board.reset_cause()))
    found.append(("restart from the prompt", start().reset_cause()))
    found.append(("reset()", cause(machine.WDT_RESET)))  # micropython issue 19409
    found.append(("watchdog", cause(machine.WDT_RESET, True)))
    fill_retained(0)
    found.append(("watchdog before anything was kept", cause(machine.WDT_RESET, True)))
    found.append(("power-up again", cause(machine.PWRON_RESET)))
    return found


def esp32_causes():
    """ports/esp32/modmachine.c, mp_machine_reset_cause: what it says for what happened."""
    return [
        ("power-up", cause(machine.PWRON_RESET)),
        ("restart from the prompt", cause(machine.SOFT_RESET)),
        ("reset()", cause(machine.HARD_RESET)),
        ("watchdog", cause(machine.WDT_RESET)),
        ("nobody knows", cause(0)),
        ("power-up again", cause(machine.PWRON_RESET)),
    ]


is_rp2 = sys.argv[3].startswith("rp2")
machine.become(sys.argv[3])
board = start()
made = levels(board)
order = list(machine.journal)
all_on(board)
board.gates_off()
off = levels(board)
emergency_bytes = sys.modules["micropython"].emergency_bytes
print(
    json.dumps(
        {
            "name": board.NAME,
            "trips": board.AFE_TRIPS_OPEN_CONTACTORS,
            "lacks": list(board.LACKS),
            "order": order,
            "all": peripherals(board),
            "made": made,
            "off": off,
            "contacts": contacts(board),
            "maintenance": maintenance(board),
            "can_interrupt": can_interrupt(board),
            "native_can": native_can(board),
            "emergency_bytes": emergency_bytes,
            "bus": bus_under_the_lock(),
            "retained": retained(),
            "without_mem_backup": is_rp2 and retained_without_mem_backup(),
            "causes": rp2_causes() if is_rp2 else esp32_causes(),
        }
    )
)
