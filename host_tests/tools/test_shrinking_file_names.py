"""Files get short names in one folder, and whoever asks for them still finds them."""

import subprocess
from pathlib import Path

import pytest

from cellsteward import ROOT
from cellsteward.shrinking import shrink, shrink_files
from host_tests.system.simulated_board import MICROPYTHON
from host_tests.tools.programs import printed_both_ways

GIVING_BACK = (ROOT / "firmware" / "lib" / "bms" / "table.py").read_text()
PACKAGE = {"bms.table": GIVING_BACK}
LENT = "print('loaded')\nLIMITS = (1, 2)\ndef low():\n    return LIMITS[0]\n"

PROGRAMS = {
    "lent, and given back by its name": {
        "pack.lent": LENT,
        "app": (
            "import sys\n"
            "from bms.table import give_back\n"
            "def low():\n"
            "    from pack.lent import low\n"
            "    give_back('pack.lent')\n"
            "    return low()\n"
            "before = len(sys.modules)\n"
            "print(low(), low(), len(sys.modules) - before < 2)\n"
        ),
    },
    "loaded by its whole name": {
        "pack.lent": LENT,
        "app": (
            "class Table:\n"
            "    TABLE = 'pack.lent'\n"
            "    def limits(self):\n"
            "        return __import__(self.TABLE, None, None, ('LIMITS',)).LIMITS\n"
            "print(Table().limits())\n"
        ),
    },
    "loaded by a name that is made": {
        "pack.lent_low": LENT,
        "pack.lent_high": LENT,
        "app": (
            "def limits(which):\n"
            "    return __import__('pack.lent_' + which, None, None, ('LIMITS',)).LIMITS\n"
            "print(limits('low'), limits('high'))\n"
        ),
    },
    "one that imports another": {
        "pack.lent": LENT,
        "pack.user": "from pack import lent\ndef low():\n    return lent.low()\n",
        "app": (
            "NAMES = ('pack.user', 'pack.lent')\n"
            "def low():\n"
            "    from pack import user\n"
            "    return user.low()\n"
            "print(low())\n"
        ),
    },
}


def names(modules, users=()):
    return {module: file.name for module, file in shrink(modules, users).items()}


@pytest.mark.parametrize("modules", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_with_short_file_names_prints_the_same(modules, tmp_path):
    printed_both_ways(tmp_path, PACKAGE | modules)


def test_a_file_that_is_asked_for_by_its_whole_name_gets_a_short_one():
    found = names(PACKAGE | PROGRAMS["one that imports another"])
    assert found["app"] == "app"
    short = {found["pack.user"], found["pack.lent"]}
    assert len(short) == 2
    assert all(name.isupper() for name in short)


def test_a_file_whose_name_is_made_keeps_it():
    found = names(PACKAGE | PROGRAMS["loaded by a name that is made"])
    assert found["pack.lent_low"] == "pack.lent_low"


@pytest.mark.parametrize(
    "user", ["from pack import lent\n", "from pack.lent import low\n", "load('pack.lent')\n"]
)
def test_a_file_that_is_known_outside_keeps_its_name(user):
    found = names(PACKAGE | PROGRAMS["loaded by its whole name"], [user])
    assert found["pack.lent"] == "pack.lent"


def test_short_names_are_all_different_and_none_is_a_module_of_micropythons():
    firmware = ROOT / "firmware"
    sources = [firmware / "app.py", *sorted((firmware / "lib").rglob("*.py"))]
    shrunk = shrink_files(firmware, [path.relative_to(firmware) for path in sources])
    short = [file.name for file in shrunk.values() if file.name != file.module]
    assert len(set(short)) == len(short) > 50
    assert {path for path in shrunk if path.stem in short} == {
        Path("lib", f"{name}.py") for name in short
    }
    done = subprocess.run(
        [str(MICROPYTHON), "-c", "help('modules')"], capture_output=True, text=True, check=True
    )
    assert not set(short) & set(done.stdout.split())
