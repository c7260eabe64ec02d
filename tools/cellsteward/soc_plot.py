"""The picture of `cellsteward soc --plot`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from cellsteward.logs import Log

_POINTS = 4000


def draw(log: Log, estimates: list[tuple[int, int, int]], path: Path, title: str) -> None:
    """Estimate with its 2 sigma, what is reported, and the reference; below it the error."""
    every = max(1, len(log) // _POINTS)
    hours = (np.array(log.t_s)[::every] - log.t_s[0]) / 3600
    soc, sigma, shown = (np.array(estimates, dtype=float)[::every] / 100).T
    rows = 1 if log.soc_ref is None else 2
    figure, axes = plt.subplots(rows, 1, figsize=(11, 4.5 * rows), squeeze=False)
    top = axes[0][0]
    low, high = np.maximum(0, soc - 2 * sigma), np.minimum(100, soc + 2 * sigma)
    top.fill_between(hours, low, high, alpha=0.2, color="tab:blue", label="2 sigma")
    top.plot(hours, soc, color="tab:blue", label="estimate")
    top.plot(hours, shown, color="tab:orange", linewidth=0.9, label="reported")
    top.set(xlabel="hours", ylabel="state of charge in %", title=title)
    if log.soc_ref is not None:
        truth = 100 * np.array(log.soc_ref)[::every]
        top.plot(hours, truth, color="black", linewidth=0.9, label="soc_ref")
        below = axes[1][0]
        below.fill_between(hours, -2 * sigma, 2 * sigma, alpha=0.2, color="tab:blue")
        below.plot(hours, soc - truth, color="tab:blue", linewidth=0.9)
        below.axhline(0, color="black", linewidth=0.6)
        below.set(xlabel="hours", ylabel="error in %")
    top.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
