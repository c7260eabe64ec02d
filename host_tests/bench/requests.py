"""What a request costs: requests a second on an RP2040, and bytes allocated.

    python -m host_tests.bench.requests

Time is counted as in host_tests.bench.turns, from the bytes that arrived to the bytes to send,
without the wire, which is the limit below 115200 baud. Bytes are those that the 32-bit build
allocates meanwhile; asyncio's own few small objects a request are not among them.
"""

import re
import sys

from host_tests.bench.turns import JBD, MODBUS, PYLONTECH, Turns
from host_tests.links.bench import Desk
from host_tests.modbus.bench import with_crc
from host_tests.wasm import build
from links.diagnosis import Diagnosis
from serving.serial import SerialLinks

REQUESTS = {
    "Modbus, 125 registers": (0, with_crc(MODBUS[0])),
    "Modbus, 32 registers": (0, with_crc(MODBUS[1])),
    "SunSpec, 125 registers": (0, with_crc(MODBUS[2])),
    "Pylontech 42": (1, PYLONTECH[0]),
    "Pylontech 61": (1, PYLONTECH[1]),
    "Pylontech 63": (1, PYLONTECH[4]),
    "JBD 03": (2, JBD[0]),
    "JBD 04": (2, JBD[1]),
}

_SCRIPT = """
import gc
from bms.faults import Faults
from bms.parameters import Parameters
from bms.point_rows import ROWS
from bms.points import Points
from bms.requests import Requests
from links.diagnosis import Diagnosis
from serving.serial import SerialLinks

points = Points()
parameters = Parameters()
parameters.load({"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000})
for place in range(len(points.live)):
    points.live[place] = 3000 + place
points.live[points.offset("series_cells")] = 16
links = SerialLinks(points, parameters, Faults(), Requests(), print, Diagnosis())
for language in list(links._languages):
    for _ in language.wake():
        pass
response = bytearray(256)

def ask(language, frame):
    for _ in range(100):
        length = language.frame(frame, 0, len(frame))
        language.respond(frame, 0, length, response)

for name, place, text in %r:
    language = links._languages[place]
    frame = bytearray(bytes.fromhex(text))
    ask(language, frame)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    ask(language, frame)
    after = gc.mem_alloc()
    gc.enable()
    print("bytes", name, (after - before) // 100)
"""


def milliseconds():
    """Of the processor, for each of REQUESTS."""
    desk = Desk()
    links = SerialLinks(
        desk.points, desk.parameters, desk.faults, desk.requests, desk.changes.append, Diagnosis()
    )
    for language in list(links._languages):
        for _ in language.wake():
            pass
    response = bytearray(256)
    turns = Turns()
    for name, (place, frame) in REQUESTS.items():
        turns.name = name
        buffer = bytearray(frame)
        with turns:
            length = links._languages[place].frame(buffer, 0, len(buffer))
            links._languages[place].respond(buffer, 0, length, response)
    return {name: times[0] for name, times in turns.turns.items()}


def allocated(folder):
    """Bytes for each of REQUESTS, on the 32-bit build."""
    script = folder / "requests.py"
    rows = [(name, place, frame.hex()) for name, (place, frame) in REQUESTS.items()]
    script.write_text(_SCRIPT % (rows,))
    process = build.run(script)
    assert process.returncode == 0, process.stdout + process.stderr
    found = re.findall(r"^bytes (.*) (\d+)$", process.stdout, re.M)
    return {name: int(count) for name, count in found}


def main():
    """Print the table."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        counts = {} if build.missing() else allocated(Path(folder))
    print("request                    ms  requests a second  bytes allocated")
    for name, ms in milliseconds().items():
        print(f"{name:24} {ms:4.1f}  {1000 / ms:17.0f}  {counts.get(name, -1):15}")


if __name__ == "__main__":
    sys.exit(main())
