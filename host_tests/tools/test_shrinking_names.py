"""Names become words of MicroPython's, and nobody who asks for a name notices."""

import re
import subprocess

import pytest

from cellsteward.shrinking import shrink
from cellsteward.shrinking.words import numbered, words
from host_tests.tools.programs import printed_both_ways
from host_tests.wasm import build
from host_tests.wasm.heap import MPY_CROSS


def short(modules, users=()):
    return {name: file.text for name, file in shrink(modules, users).items()}


PROGRAMS = {
    "names that meet in one object through a parent": {
        "pack.base": "class Base:\n    def __init__(self):\n        self._low_mv = 1\n",
        "app": (
            "from pack.base import Base\n"
            "class Child(Base):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self._high_mv = 2\n"
            "    def both(self):\n"
            "        return self._low_mv, self._high_mv\n"
            "print(Child().both())\n"
        ),
    },
    "an attribute that another module gives": {
        "pack.cell": (
            "class Cell:\n"
            "    def __init__(self, low_mv):\n"
            "        self.low_mv = low_mv\n"
            "    def low(self):\n"
            "        return self.low_mv\n"
        ),
        "pack.marks": "def mark(cell):\n    cell.seen_by = 'marks'\n",
        "pack.reader": "def seen(cell):\n    return cell.seen_by\n",
        "app": (
            "from pack.cell import Cell\n"
            "from pack import marks\n"
            "from pack.reader import seen\n"
            "cell = Cell(3)\n"
            "marks.mark(cell)\n"
            "print(cell.low(), seen(cell))\n"
        ),
    },
    "arguments by name, defaults, closures and a generator": {
        "pack.tools": (
            "def scaled(reading, gain_ppm=1, *, offset_mv=0):\n"
            "    def shifted(value):\n"
            "        return value + offset_mv\n"
            "    return shifted(reading * gain_ppm)\n"
            "def climbing(first):\n"
            "    while True:\n"
            "        first += 1\n"
            "        yield first\n"
        ),
        "app": (
            "from pack.tools import climbing, scaled\n"
            "print(scaled(2, offset_mv=5, gain_ppm=3), next(climbing(first=4)))\n"
            "print([index for index, _ in enumerate('ab')], sorted((3, 1), key=lambda a: a))\n"
        ),
    },
    "names that are looked up": {
        "pack.profile": "PERIOD_MS = (5,)\ndef shown_mv():\n    return 7\nmark_here = 8\n",
        "app": (
            "from pack import profile\n"
            "print(getattr(profile, 'PERIOD_MS'), hasattr(profile, 'missing_name'))\n"
            "module, function = 'profile.shown_mv'.split('.')\n"
            "print(getattr(profile, function)(), profile.mark_here)\n"
        ),
    },
    "a name of a class and the same name of its module": {
        "app": (
            "gain_ppm = [5]\n"
            "shared_row = (6, 7)\n"
            "class Scale:\n"
            "    step_mv = len(gain_ppm)\n"
            "    rows = shared_row\n"
            "    gain_ppm = 3\n"
            "    def gain(self, first_mv=step_mv, other=shared_row):\n"
            "        return gain_ppm, self.gain_ppm, self.step_mv, first_mv, other\n"
            "    def shared_row(self):\n"
            "        return shared_row\n"
            "print(Scale().gain(), Scale().shared_row(), Scale.rows)\n"
        ),
    },
    "an object that asks another one for what it has not": {
        "pack.lent": (
            "class Table:\n"
            "    def __init__(self):\n"
            "        self.first_mv = 7\n"
            "    def second_mv(self):\n"
            "        return self.first_mv + 1\n"
        ),
        "app": (
            "from pack.lent import Table\n"
            "class Asking:\n"
            "    def __init__(self):\n"
            "        self.low_mv = 1\n"
            "        self.table_here = Table()\n"
            "    def __getattr__(self, name_here):\n"
            "        return getattr(self.table_here, name_here)\n"
            "class Child(Asking):\n"
            "    high_mv = 2\n"
            "asking = Child()\n"
            "print(asking.low_mv, asking.high_mv, asking.first_mv, asking.second_mv())\n"
        ),
    },
    "a class with many names, and globals in its body": {
        "app": (
            "".join(f"global_{n}_mv = [{n}]\n" for n in range(150))
            + "class Many:\n"
            + "".join(f"    own_{n}_mv = global_{(n * 37) % 150}_mv[0]\n" for n in range(150))
            + "print([%s])\n" % ", ".join(f"Many.own_{n}_mv" for n in range(150))
        ),
    },
    "a local that hides a global, in every kind of scope": {
        "app": (
            "low_mv = [1]\n"
            "high_mv = [2]\n"
            "def hiding(low_mv):\n"
            "    high_mv = low_mv + 1\n"
            "    def inner(other_mv):\n"
            "        nonlocal high_mv\n"
            "        high_mv += other_mv\n"
            "        return [low_mv for low_mv in range(other_mv)], high_mv\n"
            "    return inner(2), high_mv\n"
            "def reading():\n"
            "    return low_mv, high_mv, (lambda high_mv: (low_mv, high_mv))(3)\n"
            "print(hiding(5), reading(), {low_mv: high_mv for low_mv, high_mv in ((8, 9),)})\n"
            "try:\n"
            "    [][1]\n"
            "except IndexError as low_mv:\n"
            "    print(low_mv is None)\n"
        ),
    },
    "names of MicroPython, of its modules, and of exceptions": {
        "app": (
            "import sys\n"
            "from array import array as packed\n"
            "class PackError(ValueError):\n"
            "    pass\n"
            "class Port:\n"
            "    def write(self, text_out):\n"
            "        return len(text_out)\n"
            "try:\n"
            "    raise PackError('low')\n"
            "except PackError as refused:\n"
            "    print(type(refused).__name__, refused)\n"
            "print(packed('h', (1, 2))[1], Port().write('abc'), sys.byteorder)\n"
            "global_count = 0\n"
            "def count():\n"
            "    global global_count\n"
            "    global_count += 1\n"
            "    return global_count\n"
            "print(count(), count())\n"
        ),
    },
}


@pytest.mark.parametrize("modules", PROGRAMS.values(), ids=PROGRAMS)
def test_a_renamed_program_prints_the_same(modules, tmp_path):
    printed_both_ways(tmp_path, modules)


def test_names_that_never_meet_share_a_word():
    after = short({"app": "class A:\n    low_mv = 1\nclass B:\n    high_mv = 2\nprint(A, B)\n"})[
        "app"
    ]
    first, second = re.findall(r"    (\w+) = ", after)
    assert first == second != "low_mv"


def test_an_attribute_that_only_others_give_shares_its_word_with_nobody():
    """`mark` gives it to a Cell, whose class does not mention it."""
    after = short(PROGRAMS["an attribute that another module gives"])["app"]
    word = re.search(r"\.(\w+) = 'marks'", after)[1]
    assert after.count(f".{word}") == 2


def test_a_word_is_never_one_that_the_program_uses():
    free, _ = words()
    text = "class Cell:\n    long_name_mv = 1\nprint(%s)\n" % ", ".join(free[:100])
    after = short({"app": text})["app"]
    assert after.split("print")[1].split() == text.split("print")[1].split()
    assert not set(free[:100]) & set(re.findall(r"\w+", after.split("print")[0]))


def test_names_of_files_outside_stay():
    text = "def start_here(board):\n    return board.rs485_baud\n"
    other = "from app import start_here\nclass Other:\n    rs485_baud = start_here\n"
    user = "import app\napp.start_here(1)\nclass Board:\n    rs485_baud = 1\n"
    modules = {"app": text, "other": other}
    assert "start_here" in short(modules, [user])["app"]
    assert "start_here" not in short(modules)["app"]
    assert "rs485_baud" in short(modules, [user])["other"]
    assert "rs485_baud" not in short(modules)["other"]


def test_names_of_hardware_stay():
    text = "class Bus:\n    def readfrom_mem_into(self, address_here):\n        pass\n"
    after = short({"app": text})["app"]
    assert "readfrom_mem_into" in after
    assert "address_here" not in after


def test_what_is_looked_for_in_an_object_is_no_word_for_us():
    many = "".join(f"cell_{number}_mv = ({number},)\n" for number in range(900))
    made = set(re.findall(r"^(\w+) =", short({"app": many})["app"], re.MULTILINE))
    assert len(made) == 900
    assert not made & {"read", "write", "send", "throw", "close", "value", "const", "super"}


def test_words_with_a_number_are_the_ones_of_this_mpy_cross(tmp_path):
    """Its files hold 2 * number + 1 for such a word (py/persistentcode.c)."""
    source = tmp_path / "words.py"
    source.write_text("print.value.zip\n")
    compiled = tmp_path / "words.mpy"
    subprocess.run([MPY_CROSS, "-s", "abs", "-o", compiled, source], check=True)
    _, _, _, _, count, _, *table = compiled.read_bytes()
    found = []
    value = 0
    for byte in table:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            found.append(numbered(value >> 1))
            value = 0
    assert sorted(found[:count]) == ["<module>", "abs", "print", "value", "zip"]


@pytest.mark.skipif(bool(build.missing()), reason=build.missing())
def test_the_words_take_no_room_on_the_32_bit_build(tmp_path):
    """MicroPython counts the names that it had to add; none of the words is one."""
    script = tmp_path / "words.py"
    free, _ = words()
    ask = "for value in %r.split():\n    getattr(object, value, None)\nmicropython.qstr_info()\n"
    new = "surely_no_word_of_micropython"
    script.write_text("import micropython\n" + ask % "self" + ask % " ".join(free) + ask % new)
    before, after, with_another = re.findall(r"n_qstr=(\d+)", build.run(script, {}).stdout)
    assert before == after
    assert int(with_another) == int(after) + 1
