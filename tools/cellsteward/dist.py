"""Makes a release: a folder and an archive that install with `mpremote mip`, without this project.

Usage: python -m cellsteward.dist [FOLDER]    (build/dist)
The compiled application is one for all boards: no file of it holds native code, so that the
bytecode is the same for armv6m, armv7emsp, xtensawin and rv32imc (a test compiles for each).
Beside it stand boot.py and the like, the boards' files, and for each board and slot a list for
mip, which names the file that puts the slot on trial last: an installation that was interrupted is
not started (firmware/update.py).
"""

import hashlib
import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from cellsteward import ROOT, board_files
from cellsteward.device import FlashError
from cellsteward.flash import USUAL_MPY, build_release, files_at_root, find_compiler

SLOTS = ("slot_a", "slot_b")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of zip: the same files make the same archive

_README = """\
# Cellsteward {version}

For MicroPython 1.29 or newer with mpremote 1.29 (pip install mpremote). Never tried on hardware.

A new board, here a Pico 2 (the folders are the boards: {boards}):

    mpremote mip install --target / pico2/package.json + reset

An update, with the board in maintenance boot (`maintenance` on its console), into the slot that is
not in use. `mpremote fs cat :/slot` says which one is; for slot_a in use:

    mpremote rm -r :/slot_b
    mpremote mip install --target / pico2/package_slot_b.json
    mpremote rm :/maintenance + reset

The new version is on trial for a minute; if it does not hold, the one before is back. SHA256SUMS
has a line for each file: sha256sum -c SHA256SUMS. Nothing is signed.
"""


def version(root: Path = ROOT) -> str:
    """What the application calls itself."""
    found = re.search(r'^VERSION = "(.+)"$', (root / "firmware" / "app.py").read_text(), re.M)
    if not found:
        raise FlashError("firmware/app.py does not say VERSION.")
    return found[1]


def make(out: Path, root: Path = ROOT) -> Path:
    """Write the release into the folder `out`; returns its archive. Raises FlashError."""
    compiler = find_compiler(USUAL_MPY)
    if compiler is None:
        raise FlashError(f"a release needs mpy-cross for .mpy files of version {USUAL_MPY}.")
    boards = board_files.names(root)
    name = f"cellsteward-{version(root)}"
    with tempfile.TemporaryDirectory() as folder:
        release = build_release(root, boards[0], Path(folder), compiler)
        slot = {path: local.read_bytes() for path, local in release.slot_files.items()}
    at_root = {board: files_at_root(root, board) for board in boards}
    files = {f"slot/{path}": content for path, content in slot.items()}
    files |= {f"trial/{slot_name}": slot_name.encode() for slot_name in SLOTS}
    for board, found in at_root.items():
        files |= {path[1:]: local.read_bytes() for path, local in found.items()}
        for slot_name in SLOTS:
            package = "package.json" if slot_name == SLOTS[0] else f"package_{slot_name}.json"
            files[f"{board}/{package}"] = _package(list(slot), list(found), slot_name, root)
    files["README.md"] = _README.format(version=version(root), boards=", ".join(boards)).encode()
    files["SHA256SUMS"] = "".join(
        f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files)
    ).encode()
    return _write(out, name, files)


def _package(slot: list[str], at_root: list[str], slot_name: str, root: Path) -> bytes:
    """The list for mip, of one board and slot: what stands outside, the slot, and last of all the
    file that puts it on trial."""
    # boot.py comes after what it loads.
    outside = sorted(at_root, key=lambda path: (not path.startswith("/boards/"), "boot" in path))
    urls = [[path[1:], f"..{path}"] for path in outside]
    urls += [[f"{slot_name}/{path}", f"../slot/{path}"] for path in sorted(slot)]
    urls.append(["trial", f"../trial/{slot_name}"])
    return json.dumps({"version": version(root), "deps": [], "urls": urls}, indent=1).encode()


def _write(out: Path, name: str, files: dict[str, bytes]) -> Path:
    """The folder and the archive of it."""
    archive = out / f"{name}.zip"
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(files):
            target = out / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[path])
            packed.writestr(zipfile.ZipInfo(f"{name}/{path}", _EPOCH), files[path])
    return archive


def main(arguments: Sequence[str]) -> int:
    """Returns an exit code."""
    out = Path(arguments[0]) if arguments else ROOT / "build" / "dist"
    try:
        archive = make(out)
    except FlashError as problem:
        print(f"cellsteward: {problem}", file=sys.stderr)
        return 1
    print(f"{archive}: {archive.stat().st_size / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
