"""Starts the application that boot.py chose, on the board that boot.py found.

MicroPython runs boot.py and main.py in the same module, so boot.py's names are here.
"""

# pyright knows no module of that name; it is the one boot.py ran in.
from __main__ import board, maintenance, trial  # pyright: ignore[reportMissingImports]

if trial:
    import update

    update.run(board)
elif not maintenance:
    import app

    app.run(board)
