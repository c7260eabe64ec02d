"""Shrunk firmware does what its source does, in less room."""

import ast
import os
from functools import cache

import pytest

from bms.parameters import Parameters
from cellsteward import ROOT
from cellsteward.shrinking import shrink_files
from host_tests.jbd.test_jbd import READ_BASIC
from host_tests.modbus.bench import with_crc
from host_tests.pylon_rs485.test_pylontech import frame
from host_tests.system.simulated_board import SETTINGS, run_board

FIRMWARE = ROOT / "firmware"
SOURCES = [
    path.relative_to(FIRMWARE)
    for path in (FIRMWARE / "app.py", *sorted((FIRMWARE / "lib").rglob("*.py")))
]


def test_every_line_of_the_shrunk_firmware_leads_to_its_statement():
    """The same kind of statement stands there, in the file that is named."""
    checked = 0
    for file in shrink_files(FIRMWARE, SOURCES).values():
        for node in ast.walk(ast.parse(file.text)):
            if isinstance(node, ast.FunctionDef | ast.Return | ast.Raise | ast.For | ast.While):
                path, line = file.origins[node.lineno]
                if line == 0:  # put in by the tool
                    continue
                assert (line, type(node)) in kinds(path), (path, line)
                checked += 1
    assert checked > 2000


@cache
def kinds(path):
    tree = ast.parse((FIRMWARE / path).read_text())
    return {(node.lineno, type(node)) for node in ast.walk(tree) if isinstance(node, ast.stmt)}


@pytest.fixture(scope="module")
def shrunk_checkout(tmp_path_factory):
    """The repository as the simulated board needs it, its firmware shrunk."""
    root = tmp_path_factory.mktemp("shrunk")
    os.symlink(ROOT / "boards", root / "boards")
    at_root = [FIRMWARE / "boot.py", FIRMWARE / "main.py"]
    boards = sorted((ROOT / "boards" / "sim").glob("*.py"))
    shrunk = shrink_files(FIRMWARE, SOURCES, [*boards, *at_root])
    texts = {path: file.text for path, file in shrunk.items()}
    texts |= {path.relative_to(FIRMWARE): path.read_text() for path in at_root}
    for path, text in texts.items():
        target = root / "firmware" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root


@pytest.mark.parametrize(
    ("orders", "profile", "more"),
    [
        ([], "goodwe_lv", {}),  # whose period is a constant that the link looks up by its name
        ([[20, {"inject": "cell_overvoltage"}], [40, {"inject": "afe_silent"}]], "pylontech", {}),
        # Another driver; its lent code is loaded again for a chip that restarted.
        (
            [[20, {"inject": "afe_reset"}], [45, {"inject": "cell_overvoltage"}]],
            "pylontech",
            {"afe_chip": 3, "series_cells": 15, "afe_crc": 1},
        ),
        (
            [[20, {"inject": "upper_afe_reset"}], [45, {"inject": "upper_cell_overvoltage"}]],
            "pylontech",
            {"afe_chip": 4, "series_cells": 24, "cell_thermistors": 4, "fet_side": 1},
        ),
    ],
    ids=[
        "an ordinary minute",
        "a minute with faults",
        "a minute with a BQ76940",
        "a minute with a stack",
    ],
)
def test_the_shrunk_firmware_publishes_what_the_unshrunk_one_does(
    shrunk_checkout, tmp_path, orders, profile, more
):
    """Every point of every second, every frame on CAN."""
    parameters = Parameters()
    profiles = parameters.choices(parameters.index("inverter_profile"))
    settings = {**SETTINGS, **more, "inverter_profile": profiles.index(profile)}
    runs = []
    for name, root in (("source", ROOT), ("shrunk", shrunk_checkout)):
        folder = tmp_path / name
        folder.mkdir()
        runs.append(run_board(folder, duration_s=60, orders=orders, settings=settings, root=root))
    source, shrunk_run = runs
    assert len(source.statuses) > 50
    assert source.statuses[-1]["points"]["state"] in ("active", "fault")
    assert [s["points"] for s in shrunk_run.statuses] == [s["points"] for s in source.statuses]
    assert shrunk_run.frames() == source.frames()
    assert shrunk_run.end["reason"] == source.end["reason"]


def test_the_shrunk_firmware_answers_in_every_language_of_rs485(shrunk_checkout, tmp_path):
    """Languages are loaded when they are spoken, and the rules for inverters with the first."""
    requests = [frame("", cid2=0x61), frame("02", cid2=0x92), READ_BASIC, with_crc("01039c400044")]
    for name, root in (("source", ROOT), ("shrunk", shrunk_checkout)):
        folder = tmp_path / name
        folder.mkdir()
        story = run_board(
            folder,
            duration_s=24,
            speed=8,
            settings={**SETTINGS, "inverter_profile": 0},
            send={"rs485": b"".join(requests)},
            send_after_s=2,
            root=root,
        )
        analog, management, rest = story.received["rs485"].split(b"\r", 2)
        assert (len(analog), analog[:9]) == (115, b"~20024600"), name
        assert (len(management), management[:9]) == (37, b"~20024600"), name
        assert rest.startswith(b"\xdd\x03\x00"), name
        sunspec = rest[rest[3] + 7 :]
        assert (len(sunspec), sunspec[:7]) == (141, b"\x01\x03\x88SunS"), name


def test_the_shrunk_firmware_rests_dozes_and_switches_itself_off(shrunk_checkout, tmp_path):
    """What is lent while nothing flows, and what brings it back."""
    load = tmp_path / "nothing.csv"
    load.write_text("t_s,I_A\n0,0\n1000000,0\n")
    rest = {"inverter_profile": 0, "idle_after_s": 1, "sleep_after_s": 10, "processor_sleep": 1}
    typed = ((100, "unlock 1234"), (105, "ship now"))
    run = run_board(
        tmp_path,
        duration_s=150,
        root=shrunk_checkout,
        settings={**SETTINGS, **rest},
        load=str(load),
        orders=[[at_s, {"console": line + "\r"}] for at_s, line in typed],
    )
    assert run.points_at(99)["power_state"] == 2, run.output
    assert run.points_at(99)["faults"] == []
    assert run.end["reason"] == "reset", run.output
