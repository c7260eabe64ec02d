"""Runs one boot of the campaign on the simulated board."""

import tempfile
from pathlib import Path

from host_tests.campaign.judge import judge
from host_tests.campaign.plan import SETTINGS
from host_tests.system.simulated_board import run_board

_REAL_S_PER_SIMULATED_S = 0.2  # five times real time, on the most crowded machine
_REAL_START_S = 60


def play(boot):
    """Run a boot; hand back what happened (host_tests.system.simulated_board.Run)."""
    with tempfile.TemporaryDirectory() as folder:
        load = Path(folder) / "load.csv"
        rows = "".join(f"{at_s},{ampere}\n" for at_s, ampere in boot.load)
        load.write_text("t_s,I_A\n" + rows)
        return run_board(
            Path(folder),
            duration_s=boot.duration_s,
            timeout_s=_REAL_START_S + boot.duration_s * _REAL_S_PER_SIMULATED_S,
            load=str(load),
            load_obeys=boot.obeys,
            soc=boot.soc,
            settings=dict(SETTINGS[boot.pack]),
            orders=boot.orders(),
            faults=boot.faults_at_start(),
        )


def play_and_judge(boot):
    """Run a boot and judge it. Returns the verdict."""
    return judge(boot, play(boot))
