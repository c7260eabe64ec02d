"""Shrunk firmware does what its source does, on the same lines, in less room."""

import ast
import os
from pathlib import Path

import pytest

from bms.parameters import Parameters
from cellsteward import ROOT
from cellsteward.shrink import shrink, shrink_files
from host_tests.system.simulated_board import SETTINGS, run_board

FIRMWARE = ROOT / "firmware"
SOURCES = [
    path.relative_to(FIRMWARE)
    for path in (FIRMWARE / "app.py", *sorted((FIRMWARE / "lib").rglob("*.py")))
]


def shrunk(text, **others):
    return shrink({"main": text, **others})["main"]


def result_of(text):
    results = []
    exec(text, {"print": results.append})
    return results[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("_LIMIT = 3 * 7\nprint(_LIMIT + 1)\n", 22),
        ("_A = 1 << 4\n_B = _A - 20\nprint(7 - _B)\n", 11),
        ("A, B, C = range(3)\nprint([C, B, A])\n", [2, 1, 0]),
        ("_N = 2\n_N = 3\nprint(_N)\n", 3),
        ("_N = 2\ndef f(_N):\n    return _N\nprint(f(5) + _N)\n", 7),
        ("_N = 1\ndef f():\n    global _N\n    _N = 9\nf()\nprint(_N)\n", 9),
        ("_T = (1, 2)\nprint(_T[1])\n", 2),
        ("_N = -4\nprint(10 - _N)\n", 14),
        ("_N = -4\nprint(_N ** 2)\n", 16),
        ("class C:\n    _x = 4\n    def _f(self, _y=3):\n        return self._x + _y\n"
         "print(C()._f(_y=8))\n", 12),
        ('_N = 3\nprint("_N")\n', "_N"),
        ("_N = 3\nprint([_N for _N in (7, 8)][-1])\n", 8),
    ],
)  # fmt: skip
def test_a_shrunk_program_comes_to_the_same(text, expected):
    assert result_of(text) == expected
    assert result_of(shrunk(text)) == expected


def test_constants_of_other_modules_are_put_in_and_their_imports_vanish():
    lender = "LIMIT_MA = 1 << 10\nNAME = 'x'\n"
    text = "from pack.lender import LIMIT_MA, NAME\nprint(LIMIT_MA + 1, NAME)\n"
    short = shrink({"pack.lender": lender, "main": text})
    assert short["main"] == "from pack.lender import NAME\nprint(1024 + 1, NAME)\n"
    assert "LIMIT_MA" not in short["pack.lender"]


def test_constants_of_a_module_that_is_imported_whole_are_put_in():
    lender = "OFF = 4\n"
    text = "from pack import lender\nprint(lender.OFF)\n"
    assert shrink({"pack.lender": lender, "main": text})["main"] == "pass\nprint(4)\n"


def test_a_constant_that_somebody_asks_an_unknown_module_for_stays():
    profile = "PERIOD_MS = 1000\n"
    text = "def start(profile):\n    return profile.PERIOD_MS\n"
    assert shrink({"pack.profile": profile, "main": text})["pack.profile"] == profile


def test_names_that_are_looked_up_by_a_string_stay():
    profile = "PERIOD_MS = 1000\n_HIDDEN = 3\nclass C:\n    _low_mv = 1\n"
    text = (
        "def start(profile):\n"
        "    return getattr(profile, 'PERIOD_MS', 5), getattr(profile, '_HIDDEN'), '_low_mv'\n"
    )
    assert shrink({"pack.profile": profile, "main": text})["pack.profile"] == profile


def test_what_a_module_hands_on_stays():
    base = "ROWS = (1, 2)\nPERIOD_MS = 5\n"
    child = "from pack.base import PERIOD_MS, ROWS\n"
    text = "def start(profile):\n    return profile.ROWS, getattr(profile, 'PERIOD_MS')\n"
    assert shrink({"pack.base": base, "pack.child": child, "main": text})["pack.child"] == child


def test_a_constant_that_a_file_outside_uses_stays():
    lender = "OFF = 4\nON = 5\n"
    short = shrink({"pack.lender": lender}, ["from pack.lender import OFF\n"])
    assert short["pack.lender"] == "OFF = 4\npass\n"


def test_names_of_the_world_outside_stay():
    text = "import time\nprint(time.time_ns)\n"
    assert shrunk(text) == text


def test_private_names_are_the_same_short_ones_in_all_modules():
    first = "class A:\n    def __init__(self):\n        self._remaining_mah = 1\n"
    second = "def look(a):\n    return a._remaining_mah\n"
    short = shrink({"first": first, "second": second})
    names = {}
    exec(short["first"] + short["second"], names)
    assert names["look"](names["A"]()) == 1
    assert "_remaining_mah" not in short["first"]


def test_private_names_that_meet_in_one_object_stay_different():
    base = "class Base:\n    def __init__(self):\n        self._low_mv = 1\n"
    child = (
        "from pack.base import Base\n"
        "class Child(Base):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self._high_mv = 2\n"
    )
    short = shrink({"pack.base": base, "pack.child": child})
    names = {}
    exec(short["pack.base"] + short["pack.child"].split("\n", 1)[1], names)
    assert sorted(vars(names["Child"]()).values()) == [1, 2]


def test_private_names_that_never_meet_share_a_short_one():
    first = "class A:\n    _low_mv = 1\n"
    second = "class B:\n    _high_mv = 2\n"
    short = shrink({"first": first, "second": second})
    assert short["first"].split("_")[1][:2] == short["second"].split("_")[1][:2]


def test_a_short_name_is_never_one_that_is_in_use():
    text = "_a = 'taken'\nclass C:\n    _remaining_mah = 'long'\nprint((_a, C._remaining_mah))\n"
    assert result_of(shrunk(text)) == ("taken", "long")


def test_an_f_string_is_refused_with_the_file_that_has_it():
    with pytest.raises(SyntaxError, match="use %") as refusal:
        shrink({"bms.talk": 'text = f"{1}"\n'})
    assert refusal.value.filename == "bms/talk.py"


def statements(text):
    """Line and kind of everything that a traceback may name."""
    return [
        (node.lineno, type(node).__name__)
        for node in ast.walk(ast.parse(text))
        if isinstance(
            node, ast.FunctionDef | ast.Return | ast.Raise | ast.If | ast.For | ast.While
        )
    ]


def test_every_statement_of_the_firmware_stays_on_its_line():
    for path, text in shrink_files(FIRMWARE, SOURCES).items():
        assert statements(text) == statements((FIRMWARE / path).read_text()), path


@pytest.fixture(scope="module")
def shrunk_checkout(tmp_path_factory):
    """The repository as the simulated board needs it, its firmware shrunk."""
    root = tmp_path_factory.mktemp("shrunk")
    os.symlink(ROOT / "boards", root / "boards")
    texts = shrink_files(FIRMWARE, SOURCES, sorted((ROOT / "boards" / "sim").glob("*.py")))
    texts |= {Path(name): (FIRMWARE / name).read_text() for name in ("boot.py", "main.py")}
    for path, text in texts.items():
        target = root / "firmware" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root


@pytest.mark.parametrize(
    ("orders", "profile"),
    [
        ([], "goodwe_lv"),  # whose period is a constant that the link looks up by its name
        ([[20, {"inject": "cell_overvoltage"}], [40, {"inject": "afe_silent"}]], "pylontech"),
    ],
    ids=["an ordinary minute", "a minute with faults"],
)
def test_the_shrunk_firmware_publishes_what_the_unshrunk_one_does(
    shrunk_checkout, tmp_path, orders, profile
):
    """Every point of every second, every frame on CAN."""
    parameters = Parameters()
    profiles = parameters.choices(parameters.index("inverter_profile"))
    settings = {**SETTINGS, "inverter_profile": profiles.index(profile)}
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
