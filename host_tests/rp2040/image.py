"""The flash of a Pico on which `cellsteward flash` has just been, with settings."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from cellsteward.flash import USUAL_MPY, build_release, find_compiler

ROOT = Path(__file__).parents[2]
MICROPYTHON = Path(sys.prefix) / "bin" / "micropython"


def flash_image(folder: Path, settings: dict[str, int] | None, main: str) -> bytes:
    """The file system's bytes. `folder`: for what is made on the way; `main`: text of main.py."""
    release = build_release(ROOT, "pico", folder / "compiled", find_compiler(USUAL_MPY))
    board = folder / "board"
    copied = {f"/slot_a/{path}": local for path, local in release.slot_files.items()}
    for path, local in (copied | release.root_files).items():
        target = board / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(local, target)
    (board / "slot").write_text("slot_a")
    (board / "main.py").write_text(main)
    image = folder / "flash.img"
    image.unlink(missing_ok=True)
    subprocess.run(
        [
            MICROPYTHON,
            "-X",
            "heapsize=8M",
            Path(__file__).with_name("fill_flash.py"),
            image,
            board,
            json.dumps(settings),
        ],
        cwd=ROOT,
        check=True,
    )
    return image.read_bytes()
