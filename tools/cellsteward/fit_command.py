"""`cellsteward fit`: files in, a cell file and plots out."""

from collections.abc import Callable
from pathlib import Path

from cellsteward.cell_file import cell_text
from cellsteward.cell_fit import CHEMISTRIES, Fit, LogResult, check, fit
from cellsteward.logs import LogError, read_log
from cellsteward.ocv_test import read_ocv_test

Say = Callable[[str], None]


def run(
    ocv: Path,
    logs: list[Path],
    checks: list[Path],
    out: Path,
    plots: Path | None,
    name: str | None,
    source: str | None,
    chemistry: str | None,
    capacity_mah: float | None,
    start_soc: float | None,
    say: Say,
) -> None:
    """Fit, write, and say how it went. Raises LogError."""
    if chemistry is not None and chemistry not in CHEMISTRIES:
        raise LogError(f"--chemistry must be one of {', '.join(CHEMISTRIES)}, not '{chemistry}'.")
    say(f"reading {ocv.name} ...")
    test = read_ocv_test(ocv)
    measured = [read_log(path) for path in logs]
    say(f"fitting {', '.join(path.name for path in logs) or 'without a log'} ...")
    made = fit(
        test,
        measured,
        name or out.stem,
        source or "cellsteward fit: " + ", ".join(path.name for path in (ocv, *logs)),
        chemistry,
        capacity_mah,
        start_soc,
    )
    checked = [check(made.cell, read_log(path), made.capacity_mah, start_soc) for path in checks]
    try:
        out.write_text(cell_text(made.cell), encoding="utf-8")
        for line in summary(made, checked):
            say(line)
        if plots is not None:
            from cellsteward.fit_plots import draw

            plots.mkdir(parents=True, exist_ok=True)
            for path in draw(made, checked, test, plots):
                say(f"plot: {path}")
    except OSError as error:
        raise LogError(f"can not write {error.filename}: {error.strerror}.") from error
    say(f"cell file: {out}. To the board: see docs/cell-models.md.")


def summary(made: Fit, checked: list[LogResult]) -> list[str]:
    """What was found, in lines for the person."""
    cell = made.cell
    branches = ", ".join(
        f"{tau} s with {permille / 1000:.2f} R0"
        for tau, permille in zip(cell["rc_tau_s"], cell["rc_permille"], strict=True)
    )
    lines = [
        f"{cell['name']}: {cell['chemistry']}, {cell['capacity_mah']} mAh"
        + (
            f" (measured: {made.capacity_found_mah:.0f} mAh)"
            if made.capacity_found_mah is not None
            else ""
        ),
        f"open circuit at 0 / 50 / 100 %: {cell['ocv_discharge_dmv'][0] / 1e4:.3f} / "
        f"{(cell['ocv_discharge_dmv'][50] + cell['ocv_charge_dmv'][50]) / 2e4:.3f} / "
        f"{cell['ocv_charge_dmv'][100] / 1e4:.3f} V; hysteresis at half charge +-"
        f"{(cell['ocv_charge_dmv'][50] - cell['ocv_discharge_dmv'][50]) / 20:.1f} mV, changes "
        f"within {cell['hysteresis_bp'] / 100:g} % of capacity",
        "R0: "
        + ", ".join(
            f"{ohm / 1000:.3g} mohm at {t_dc / 10:g} degC"
            for t_dc, ohm in zip(cell["r0_temperature_dc"], cell["r0_uohm"], strict=True)
        ),
        f"polarization: {branches or 'none found'}",
    ]
    for what, results in (("fitted", made.logs), ("checked", checked)):
        lines += [
            f"{what}: {result.name} at {result.temperature_c:.0f} degC: voltage RMSE "
            f"{1000 * result.rmse_v:.1f} mV, slow error {1000 * result.slow_v:.1f} mV"
            for result in results
        ]
    lines.append(f"error for the device: {cell['error_dmv'] / 10:g} mV")
    return lines + [f"note: {note}." for note in made.notes]
