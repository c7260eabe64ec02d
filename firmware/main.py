"""Starts the application that boot.py chose, on the board that boot.py found.

MicroPython runs boot.py and main.py in the same module, so boot.py's names are here.
"""

from __main__ import board, maintenance

if not maintenance:
    import app

    app.run(board)
