"""Constants are put in where they are read, and what a program comes to stays the same."""

import pytest

from cellsteward.shrinking.constants import folded


def shrunk(text, **others):
    return folded({"main": text, **others})["main"]


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
        ("_T = (7, 8)\nA, B = range(len(_T))\nprint((B, A))\n", (1, 0)),
        ("_S = (7,)\n_T = (*_S, *_S)\nA, B = range(len(_T))\nprint((B, A))\n", (1, 0)),
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
def test_a_folded_program_comes_to_the_same(text, expected):
    assert result_of(text) == expected
    assert result_of(shrunk(text)) == expected


def test_constants_of_other_modules_are_put_in_and_their_imports_vanish():
    lender = "LIMIT_MA = 1 << 10\nNAME = 'x'\n"
    text = "from pack.lender import LIMIT_MA, NAME\nprint(LIMIT_MA + 1, NAME)\n"
    short = folded({"pack.lender": lender, "main": text})
    assert short["main"] == "from pack.lender import NAME\nprint(1024 + 1, NAME)\n"
    assert "LIMIT_MA" not in short["pack.lender"]


def test_places_in_a_table_are_put_in_and_the_table_is_not_asked_for_its_length():
    text = shrunk('_ROWS = ("a", "b")\n_A, _B = range(len(_ROWS))\nprint(_B)\n')
    assert "print(1)" in text
    assert "len" not in text


def test_constants_of_a_module_that_is_imported_whole_are_put_in():
    lender = "OFF = 4\n"
    text = "from pack import lender\nprint(lender.OFF)\n"
    assert folded({"pack.lender": lender, "main": text})["main"] == "pass\nprint(4)\n"


def test_a_constant_that_somebody_asks_an_unknown_module_for_stays():
    profile = "PERIOD_MS = 1000\n"
    text = "def start(profile):\n    return profile.PERIOD_MS\n"
    assert folded({"pack.profile": profile, "main": text})["pack.profile"] == profile


def test_names_that_are_looked_up_by_a_string_stay():
    profile = "PERIOD_MS = 1000\n_HIDDEN = 3\nclass C:\n    _low_mv = 1\n"
    text = (
        "def start(profile):\n"
        "    return getattr(profile, 'PERIOD_MS', 5), getattr(profile, '_HIDDEN'), '_low_mv'\n"
    )
    assert folded({"pack.profile": profile, "main": text})["pack.profile"] == profile


def test_what_a_module_hands_on_stays():
    base = "ROWS = (1, 2)\nPERIOD_MS = 5\n"
    child = "from pack.base import PERIOD_MS, ROWS\n"
    text = "def start(profile):\n    return profile.ROWS, getattr(profile, 'PERIOD_MS')\n"
    assert folded({"pack.base": base, "pack.child": child, "main": text})["pack.child"] == child


def test_a_constant_that_a_file_outside_uses_stays():
    lender = "OFF = 4\nON = 5\n"
    short = folded({"pack.lender": lender}, ["from pack.lender import OFF\n"])
    assert short["pack.lender"] == "OFF = 4\npass\n"


def test_names_of_the_world_outside_stay():
    text = "import time\nprint(time.time_ns)\n"
    assert shrunk(text) == text


def test_an_f_string_is_refused_with_the_file_that_has_it():
    with pytest.raises(SyntaxError, match="use %") as refusal:
        folded({"bms.talk": 'text = f"{1}"\n'})
    assert refusal.value.filename == "bms/talk.py"
