"""Names become words of MicroPython's, and nobody who asks for a name notices."""

import re

import pytest

from cellsteward.shrinking.names import renamed, words
from host_tests.tools.programs import printed_both_ways
from host_tests.wasm import build


def short(modules, users=()):
    return renamed(modules, users)[0]


PROGRAMS = {
    "names that meet in one object through a parent": {
        "pack.base": "class Base:\n    def __init__(self):\n        self._low_mv = 1\n",
        "main": (
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
        "main": (
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
        "main": (
            "from pack.tools import climbing, scaled\n"
            "print(scaled(2, offset_mv=5, gain_ppm=3), next(climbing(first=4)))\n"
            "print([index for index, _ in enumerate('ab')], sorted((3, 1), key=lambda a: a))\n"
        ),
    },
    "names that are looked up": {
        "pack.profile": "PERIOD_MS = (5,)\ndef shown_mv():\n    return 7\nmark_here = 8\n",
        "main": (
            "from pack import profile\n"
            "print(getattr(profile, 'PERIOD_MS'), hasattr(profile, 'missing_name'))\n"
            "module, function = 'profile.shown_mv'.split('.')\n"
            "print(getattr(profile, function)(), profile.mark_here)\n"
        ),
    },
    "names of MicroPython, of its modules, and of exceptions": {
        "main": (
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
    _, after = printed_both_ways(tmp_path, modules, short)
    assert after != modules


def test_names_are_the_same_words_in_all_modules():
    first = "class A:\n    def __init__(self):\n        self._remaining_mah = 1\n"
    second = "def look(a):\n    return a._remaining_mah\n"
    after = short({"first": first, "second": second})
    names = {}
    exec(after["first"], names)
    (made,) = [value for value in names.values() if isinstance(value, type)]
    exec(after["second"], names)
    look = list(names.values())[-1]
    assert look(made()) == 1
    assert "_remaining_mah" not in after["first"]


def test_names_that_never_meet_share_a_word():
    first = "class A:\n    low_mv = 1\n"
    second = "class B:\n    high_mv = 2\n"
    after = short({"first": first, "second": second})
    assert first != after["first"]
    assert after["first"].replace("1", "2") == after["second"]


def test_an_attribute_that_only_others_give_shares_its_word_with_nobody():
    """`mark` gives it to a Cell, whose module does not know it, nor it the other's names."""
    modules = PROGRAMS["an attribute that another module gives"]
    after = short(modules)
    word = re.search(r"\.(\w+) = 'marks'", after["pack.marks"])[1]
    assert not re.search(rf"\b{word}\b", after["pack.cell"])


def test_a_word_is_never_one_that_the_program_uses():
    free, _ = words()
    text = "class Cell:\n    long_name_mv = 1\nprint(%s)\n" % ", ".join(free[:100])
    after = short({"main": text})["main"]
    assert after.split("print")[1] == text.split("print")[1]
    assert not set(free[:100]) & set(re.findall(r"\w+", after.split("print")[0]))


def test_names_of_files_outside_stay():
    text = "def start_here(board):\n    return board.rs485_baud\n"
    user = "import app\napp.start_here(1)\nclass Board:\n    rs485_baud = 1\n"
    assert "start_here" in short({"app": text}, [user])["app"]
    assert "rs485_baud" in short({"app": text}, [user])["app"]
    other = "class Other:\n    rs485_baud = 1\n"
    assert "rs485_baud" in short({"app": text, "other": other}, [user])["other"]
    assert "rs485_baud" not in short({"app": text, "other": other})["other"]


def test_names_of_hardware_stay():
    text = "class Bus:\n    def readfrom_mem_into(self, address_here):\n        pass\n"
    after = short({"main": text})["main"]
    assert "readfrom_mem_into" in after
    assert "address_here" not in after


def test_what_is_looked_for_in_an_object_is_no_word_for_us():
    many = "".join(f"cell_{number}_mv = {number}\n" for number in range(900))
    made = set(re.findall(r"^\w+", short({"main": many})["main"], re.MULTILINE))
    assert len(made) == 900
    assert not made & {"read", "write", "send", "throw", "close", "value", "const", "super"}


def test_every_word_of_a_module_leads_back_to_its_name():
    modules = PROGRAMS["arguments by name, defaults, closures and a generator"]
    after, meanings = renamed(modules)
    for name, text in after.items():
        back = re.sub(r"\w+", lambda word, at=name: meanings[at].get(word[0], word[0]), text)
        assert back == modules[name]


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
