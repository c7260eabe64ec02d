"""`cellsteward soc`: the device's estimator over a log, its output, and every way to misuse it."""

import csv
import json
import math
import os
import pathlib

import pytest
from typer.testing import CliRunner

from cells.nmc import CELL as NMC_CELL
from cellsteward.cli import app
from cellsteward.logs import read_log
from cellsteward.soc_kernel import MISSING
from cellsteward.soc_log import Sensors, prepare

DATA = pathlib.Path(
    os.environ.get("CELLSTEWARD_DATA") or pathlib.Path(__file__).parents[3] / "shared" / "data"
)
measured = pytest.mark.skipif(not DATA.is_dir(), reason="the measured files are not here")

NMC_CURVE_DMV = NMC_CELL["ocv_discharge_dmv"]
HEAD = "t_s,I_A,V_V,T_C,soc_ref"


def discharge(seconds=7200, step_s=1.0, current_a=-1.0, start=0.9, capacity_ah=3.0):
    """Rows of a constant discharge of the built-in NMC cell, on its discharge branch."""
    rows = []
    r0 = NMC_CELL["r0_uohm"][NMC_CELL["r0_temperature_dc"].index(250)] * 1e-6 * 100 / capacity_ah
    for index in range(int(seconds / step_s) + 1):
        t_s = index * step_s
        soc = start + current_a * t_s / 3600 / capacity_ah
        at = 100 * soc
        low = int(at)
        curve = NMC_CURVE_DMV[low] + (at - low) * (NMC_CURVE_DMV[low + 1] - NMC_CURVE_DMV[low])
        drop = 1.0 if index else 0.0
        for tau_s, permille in zip(NMC_CELL["rc_tau_s"], NMC_CELL["rc_permille"], strict=True):
            drop += permille / 1000 * (1 - math.exp(-t_s / tau_s))
        voltage = round(curve / 1e4 + r0 * current_a * drop, 4)
        rows.append([t_s, current_a if index else 0.0, voltage, 25.0, soc])
    return rows


def write(path, rows, head=HEAD):
    path.write_text(head + "\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


def soc(*arguments):
    return CliRunner().invoke(app, ["soc", *map(str, arguments)])


NMC = ("--chemistry", "nmc", "--capacity-mah", 3000)


@pytest.fixture
def log(tmp_path):
    return write(tmp_path / "log.csv", discharge())


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_row_gets_an_estimate_in_the_unit_of_the_reference(log, tmp_path):
    result = soc(*NMC, "--initial-soc", 90, log, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    rows = read(tmp_path / "out.csv")
    assert list(rows[0]) == ["t_s", "soc", "sigma", "reported"]
    assert [float(row["t_s"]) for row in rows] == list(range(7201))
    for row in rows:
        assert 0 <= float(row["soc"]) <= 1
        assert 0 < float(row["sigma"]) < 1
        assert 0 <= float(row["reported"]) <= 1
    assert float(rows[0]["soc"]) == pytest.approx(0.9, abs=0.001)


def test_the_error_is_printed_whole_and_after_the_first_hour(log, tmp_path):
    result = soc(*NMC, "--initial-soc", 90, log, "-o", tmp_path / "out.csv")
    truth = read_log(log).soc_ref
    errors = [
        100 * (float(row["soc"]) - true)
        for row, true in zip(read(tmp_path / "out.csv"), truth, strict=True)
    ]
    rmse = math.sqrt(sum(error**2 for error in errors) / len(errors))
    late = [error for second, error in enumerate(errors) if second > 3600]
    assert f"RMSE {rmse:.2f} %, maximum {max(map(abs, errors)):.2f} %" in result.output
    rmse = math.sqrt(sum(error**2 for error in late) / len(late))
    assert f"after the first hour: RMSE {rmse:.2f} %" in result.output


def test_without_reference_nothing_is_compared(tmp_path):
    rows = [row[:4] for row in discharge(600)]
    log = write(tmp_path / "log.csv", rows, "t_s,I_A,V_V,T_C")
    result = soc(*NMC, "--initial-soc", 90, log, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0
    assert "error" not in result.output
    assert len(read(tmp_path / "out.csv")) == 601


def test_other_columns_and_another_order_do_no_harm(tmp_path):
    plain = write(tmp_path / "a.csv", discharge(600))
    rows = [[t_c, "x", v, a, t, s] for t, a, v, t_c, s in discharge(600)]
    mixed = write(tmp_path / "b.csv", rows, "T_C,note,V_V,I_A,t_s,soc_ref")
    for log in (plain, mixed):
        assert soc(*NMC, "--initial-soc", 90, log, "-o", log.with_suffix(".out")).exit_code == 0
    assert (tmp_path / "a.out").read_text() == (tmp_path / "b.out").read_text()


def test_micropython_gives_the_same_numbers(tmp_path):
    log = write(tmp_path / "log.csv", discharge(1500))
    for place in ("cpython", "micropython"):
        result = soc(
            *NMC, "--initial-soc", 60, "--noise-mv", 1, "--gain", 1, "--offset-ma", 3, log,
            "-o", tmp_path / place, "--on", place,
        )  # fmt: skip
        assert result.exit_code == 0, result.output
    assert (tmp_path / "cpython").read_text() == (tmp_path / "micropython").read_text()


def test_a_pack_of_four_is_a_cell_of_a_fourth_of_its_voltage(tmp_path):
    pack = write(tmp_path / "pack.csv", [[t, a, 4 * v, c, s] for t, a, v, c, s in discharge(1800)])
    result = soc(*NMC, "--initial-soc", 50, "--cells", 4, pack, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0
    assert float(read(tmp_path / "out.csv")[-1]["soc"]) == pytest.approx(
        discharge(1800)[-1][4], abs=0.06
    )
    wrong = soc(*NMC, "--initial-soc", 50, pack)
    assert wrong.exit_code == 2
    assert "Say --cells" in wrong.stderr


@pytest.mark.parametrize("step_s", [0.1, 0.5, 2, 60])
def test_rows_may_be_a_tenth_of_a_second_or_a_minute_apart(tmp_path, step_s):
    log = write(tmp_path / "log.csv", discharge(1200 if step_s < 1 else 7200, step_s))
    result = soc(*NMC, "--initial-soc", 90, log, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0
    rows = read(tmp_path / "out.csv")
    assert float(rows[-1]["soc"]) == pytest.approx(read_log(log).soc_ref[-1], abs=0.04)


# --- the sensors --------------------------------------------------------------------------------


def test_sensor_errors_are_put_on_the_log(log):
    read_back = read_log(log)
    plain = prepare(read_back, 1, Sensors()).rows
    wrong = prepare(read_back, 1, Sensors(gain=2.0, offset_ma=50)).rows
    assert plain[10] == (1000, -1000, plain[10][2], 250)
    assert wrong[10][1] == -970  # -1000 * 1.02 + 50
    noisy = prepare(read_back, 1, Sensors(noise_mv=2.0)).rows
    off = [(a[2] - b[2]) / 10 for a, b in zip(noisy, plain, strict=True)]
    assert math.sqrt(sum(x * x for x in off) / len(off)) == pytest.approx(2.0, rel=0.1)


def test_a_single_cell_is_measured_in_whole_millivolts_and_no_millisecond_is_lost(tmp_path):
    log = write(tmp_path / "log.csv", discharge(100, 1 / 3))
    rows = prepare(read_log(log), 1, Sensors()).rows
    assert all(mean_dmv % 10 == 0 for _, _, mean_dmv, _ in rows)
    assert sum(elapsed_ms for elapsed_ms, *_ in rows) == 100_000


# --- holes and pauses ---------------------------------------------------------------------------


def test_a_row_with_a_hole_is_no_measurement_but_its_charge_counts(tmp_path):
    rows = discharge(600)
    rows[100][2] = ""
    rows[200][2] = "nan"
    rows[300][1] = ""
    rows[400][3] = ""
    log = write(tmp_path / "log.csv", rows)
    prepared = prepare(read_log(log), 1, Sensors()).rows
    missing = [index for index, row in enumerate(prepared) if row[2] == MISSING]
    assert missing == [100, 200, 300]
    assert prepared[300][1] == -1000  # the current of a second ago
    assert prepared[400][3] == 250  # so the temperature
    result = soc(*NMC, "--initial-soc", 90, log, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0
    assert "4 rows have holes" in result.output
    assert len(read(tmp_path / "out.csv")) == 601


def test_a_missing_current_is_held_for_a_minute_and_no_longer(tmp_path):
    rows = discharge(600)
    for row in rows[100:400]:
        row[1] = "nan"
    prepared = prepare(read_log(write(tmp_path / "log.csv", rows)), 1, Sensors()).rows
    assert [row[1] for row in prepared[99:102]] == [-1000] * 3
    assert [row[1] for row in prepared[165:400]] == [0] * 235


def test_a_pause_counts_with_the_smaller_current_and_is_told(tmp_path):
    rows = discharge(600)
    for row in rows[300:]:
        row[0] += 1800
        row[1] = -0.2
    log = write(tmp_path / "log.csv", rows)
    assert prepare(read_log(log), 1, Sensors()).rows[300][:2] == (1_801_000, -200)
    result = soc(*NMC, "--initial-soc", 90, log)
    assert result.exit_code == 0
    assert "1 pauses of more than two minutes" in result.output


def test_rows_of_the_same_time_are_one(tmp_path):
    rows = discharge(600)
    rows.insert(101, [100.0, -1.0, 3.9, 25.0, rows[100][4]])
    log = read_log(write(tmp_path / "log.csv", rows))
    assert len(log) == 601
    assert log.voltage_v[100] == 3.9


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        (HEAD + "\n", "holds no rows"),
        ("t_s,I_A,V_V\n0,0,3.7\n", "has no column T_C"),
        ("t_s;I_A;V_V;T_C\n0;0;3,7;25\n", "separated by semicolons"),
        (HEAD + "\n0,0,3.7,25,1\n5,0,3.7,25,1\n4,0,3.7,25,1\n", "line 4: time goes back"),
        (HEAD + "\nnoon,0,3.7,25,1\n", "line 2: 'noon' is no time"),
        (HEAD + "\n0,,,,\n1,nan,nan,nan,nan\n", "no row has current, voltage and temperature"),
        (HEAD + "\n0,0,3700,25,1\n1,0,3700,25,1\n", "write volts"),
    ],
)  # fmt: skip
def test_a_log_that_can_not_be_used_is_refused_with_a_sentence(tmp_path, content, sentence):
    (tmp_path / "log.csv").write_text(content)
    result = soc(*NMC, "--initial-soc", 50, tmp_path / "log.csv", "-o", tmp_path / "out.csv")
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--capacity-mah", 3000, "--initial-soc", 50), "either --cell FILE or"),
        ((*NMC, "--cell", "x.json", "--initial-soc", 50), "either --cell FILE or"),
        (("--chemistry", "gold", "--capacity-mah", 3000, "--initial-soc", 50), "one of lfp"),
        ((*NMC, "--initial-soc", 101), "from 0 to 100"),
        ((*NMC, "--initial-soc", -1), "from 0 to 100"),
        ((*NMC, "--initial-soc", 50, "--initial-sigma", 0), "--initial-sigma is in percent"),
        ((*NMC, "--initial-soc", 50, "--noise-mv", -1), "--noise-mv"),
        ((*NMC, "--initial-soc", 50, "--cells", 0), "--cells must be 1 or more"),
        ((*NMC, "--initial-soc", 50, "--on", "mars"), "--on must be cpython or micropython"),
        (("--chemistry", "nmc", "--capacity-mah", 1, "--initial-soc", 50), "must be from 500"),
        (("--cell", "no.json", "--capacity-mah", 3000, "--initial-soc", 50), "can not read no"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused_with_a_sentence(log, options, sentence):
    result = soc(*options, log)
    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("{", "is not JSON"), ("[]", "cell.json: "), ('{"name": "x"}', "'source'")],
)
def test_a_broken_cell_file_is_refused_with_the_sentence_of_the_device(
    log, tmp_path, content, sentence
):
    (tmp_path / "cell.json").write_text(content)
    result = soc(
        "--cell", tmp_path / "cell.json", "--capacity-mah", 3000, "--initial-soc", 50, log
    )
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_cell_file_is_taken_like_a_built_in_model(log, tmp_path):
    (tmp_path / "cell.json").write_text(json.dumps(NMC_CELL))
    rest = ("--capacity-mah", 3000, "--initial-soc", 50, log, "-o")
    assert soc("--cell", tmp_path / "cell.json", *rest, tmp_path / "a").exit_code == 0
    assert soc("--chemistry", "nmc", *rest, tmp_path / "b").exit_code == 0
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


def test_a_built_in_model_can_be_written_as_a_file_for_the_board(tmp_path):
    result = CliRunner().invoke(app, ["cell", "nca", "-o", str(tmp_path / "cell.json")])
    assert result.exit_code == 0
    assert json.loads((tmp_path / "cell.json").read_text())["name"] == "generic nca"
    result = CliRunner().invoke(app, ["cell", "gold", "-o", str(tmp_path / "no.json")])
    assert result.exit_code == 2
    assert "one of lfp" in result.stderr


def test_a_picture_is_written(log, tmp_path):
    result = soc(*NMC, "--initial-soc", 60, log, "--plot", tmp_path / "soc.png")
    assert result.exit_code == 0
    assert (tmp_path / "soc.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_an_output_that_can_not_be_written_is_named(log, tmp_path):
    result = soc(*NMC, "--initial-soc", 60, log, "-o", tmp_path / "no" / "out.csv")
    assert result.exit_code == 2
    assert "can not write" in result.stderr


# --- measured cells -----------------------------------------------------------------------------


@measured
@pytest.mark.parametrize(
    ("chemistry", "capacity_mah", "file", "rmse", "maximum"),
    [
        # the goal of issue 4 is 0.7 and 2 % for NMC and NCA; the generic model is of other cells
        # (the reference in the first file counts with another capacity than the cell's: README)
        ("nmc", 2781, "nmc_lghg2_mixed7_25C.csv", 1.4, 2.5),
        ("nca", 2900, "nca_pan18650pf_cycle1_25C.csv", 1.3, 2.5),
    ],
)
def test_measured_cells_from_a_guess_that_is_30_percent_wrong(
    tmp_path, chemistry, capacity_mah, file, rmse, maximum
):
    result = soc(
        "--chemistry", chemistry, "--capacity-mah", capacity_mah, "--initial-soc", 70,
        "--noise-mv", 1, "--gain", 1, DATA / file, "-o", tmp_path / "out.csv",
    )  # fmt: skip
    assert result.exit_code == 0
    log = read_log(DATA / file)
    late = [
        100 * (float(row["soc"]) - truth)
        for row, truth, t_s in zip(read(tmp_path / "out.csv"), log.soc_ref, log.t_s, strict=True)
        if t_s - log.t_s[0] > 3600
    ]
    assert math.sqrt(sum(error**2 for error in late) / len(late)) < rmse
    assert max(map(abs, late)) < maximum
