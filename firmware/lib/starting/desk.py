"""The console, and what its commands ask for beside what they are handed. Lent: made when somebody
types, and forgotten with the console."""

import sys

from console.console import Console


def console(application, board, version):
    """A console.console.Console of this application."""
    desk = Desk(application, board)
    return Console(
        application.points,
        application.parameters,
        application.faults,
        application.console_lock,
        application.battery.requests,
        application.configuration,
        "Cellsteward %s on board '%s', MicroPython %d.%d.%d"
        % ((version, board.NAME) + sys.implementation.version[:3]),
        application.changed,
        desk.restart,
        desk.maintain,
        desk,
    )


class Desk:
    """events_log, battery: for `log` and `commission`. commission: who keeps the record of a
    commissioned pack, this one."""

    def __init__(self, application, board):
        self._application = application
        self._board = board
        self.events_log = application.recorder.events_log
        self.battery = application.battery
        self.commission = self

    def record_saved(self):
        """The saved record of the commissioned pack, or None."""
        return self._application.recorder.commissioned()

    def save(self, record):
        """Keep a record, and let the gates close for that pack. Raises StateError."""
        self._application.recorder.save_commissioned(record)
        self._application.check_commissioned()

    @property
    def calibrator(self):
        """Who saves a calibration and hands it to the chip, for `calibrate`. Lent."""
        return self._application.calibrator

    def ship(self):
        """The pack switches itself off as soon as it can."""
        __import__("resting.ship")  # without room for it the command fails, not the slow path
        self._application.asked_to_ship = True

    def restart(self):
        """Start anew, gates off."""
        self._application.recorder.expect_reset()
        self._board.reset()

    def maintain(self):
        """Start anew, into maintenance."""
        with open("/maintenance", "w"):
            pass  # boot.py looks for the file, not into it
        self.restart()
