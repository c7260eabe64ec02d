"""A checkout for the flash tests: the real boot.py, main.py and Pico, and a tiny application."""

from dataclasses import replace

from cellsteward import ROOT, board_files
from cellsteward.flash import TARGETS
from host_tests.boot.board_flash import APP, BOARD

# The unix port calls its machine "linux [...]".
PICO_ON_UNIX = replace(TARGETS["pico"], machine="linux")


def small_checkout(folder, app=APP):
    """Write it into `folder`; its application names itself "new"."""
    boards = {f"boards/{path}": ROOT / "boards" / path for path in board_files.files("pico")}
    files = {
        "firmware/boot.py": (ROOT / "firmware" / "boot.py").read_text(),
        "firmware/main.py": (ROOT / "firmware" / "main.py").read_text(),
        "firmware/update.py": (ROOT / "firmware" / "update.py").read_text(),
        "firmware/app.py": app,
        "firmware/lib/helper.py": "NAME = 'new'\n",
        "firmware/lib/deep/er/__init__.py": '"""A package."""\n',
        "boards/stub/board.py": BOARD.format(pin=False, on_gates_off="pass"),
    } | {name: path.read_text() for name, path in boards.items()}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
