"""What the simulated firmware tells once a second, and the words that people read for it."""

from dataclasses import dataclass, field
from typing import Any

from bms.faults import Faults
from bms.sample import GATE_CHARGE, GATE_DISCHARGE

# Ends that were asked for; any other end of the firmware is a failure.
GOOD_ENDS = ("duration", "load finished", "quit", "maintenance")
# What to know after an end, where the summary does not say it.
END_ADVICE = {
    "maintenance": (
        "The board is in maintenance: gates off, waiting for new software. "
        "Start it again to go on guarding."
    ),
}

_FAULTS = Faults()


class PointValues(dict[str, Any]):
    """Values by point name; None while not valid, and before the firmware reports any."""

    def __missing__(self, name: str) -> None:
        return None


@dataclass(frozen=True)
class Status:
    """One moment of a run. t_s: simulated seconds since the run began."""

    t_s: float
    speed: float
    points: PointValues
    truth: dict[str, Any]
    injected: list[str]
    reason: str

    @property
    def gates(self) -> tuple[bool, bool]:
        """Whether the charge and the discharge gate are on, as the firmware measured them."""
        bits = self.points["gates"] or 0
        return bool(bits & GATE_CHARGE), bool(bits & GATE_DISCHARGE)


@dataclass(frozen=True)
class End:
    """How a run ended. t_s: simulated seconds, real_s: seconds on the wall."""

    reason: str
    text: str
    t_s: float
    real_s: float

    @property
    def good(self) -> bool:
        """True if the run ended as asked."""
        return self.reason in GOOD_ENDS


@dataclass
class Totals:
    """Sums over the statuses of a run; between two statuses the true current is taken as even."""

    charged_ah: float = 0.0
    discharged_ah: float = 0.0
    faults: list[str] = field(default_factory=list)
    first: Status | None = None
    last: Status | None = None

    def add(self, status: Status) -> None:
        """Take the next status."""
        if self.first is None:
            self.first = status
        if self.last is not None and status.t_s > self.last.t_s:
            mean_ma = (self.last.truth["current_ma"] + status.truth["current_ma"]) / 2
            moved_ah = mean_ma * (status.t_s - self.last.t_s) / 3_600_000
            self.charged_ah += max(moved_ah, 0.0)
            self.discharged_ah += max(-moved_ah, 0.0)
        for name in status.points["faults"] or ():
            if name not in self.faults:
                self.faults.append(name)
        self.last = status

    def summary(self, end: End) -> str:
        """One line that says what the run was."""
        factor = end.t_s / end.real_s if end.real_s > 0 else 0.0
        text = (
            f"Ended ({end.reason}): {end.t_s:.0f} s simulated in {end.real_s:.1f} s, "
            f"{factor:.0f} times real time"
        )
        if self.last is None:
            return text + "; the firmware reported nothing."
        return (
            f"{text}; about {self.charged_ah:.2f} Ah in, {self.discharged_ah:.2f} Ah out; "
            f"SoC {percent(self.last.points['soc_bp'])}, true {percent(self.last.truth['soc_bp'])}"
            f"; faults seen: {', '.join(self.faults) or 'none'}."
        )


def clock(t_s: float) -> str:
    """Simulated time as days, hours, minutes and seconds."""
    minutes, seconds = divmod(int(t_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24}d {hours % 24:02}:{minutes:02}:{seconds:02}"


def percent(basis_points: int | None) -> str:
    """0.01 % as text with two decimals."""
    return "--" if basis_points is None else f"{basis_points / 100:.2f} %"


def scaled(value: int | None, divisor: int, decimals: int, unit: str) -> str:
    """An integer point in a unit that people read, or `--` while it is not valid."""
    return "--" if value is None else f"{value / divisor:.{decimals}f} {unit}"


def words(name: str) -> str:
    """A fault's or state's name as people write it."""
    return name.replace("_", " ")


def advice(fault: str) -> str:
    """What a fault means and what to do, from the firmware's own table."""
    return _FAULTS.advice(_FAULTS.names.index(fault))
