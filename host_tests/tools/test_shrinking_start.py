"""What runs only while the application is built is a file of its own, and is forgotten."""

import ast

import pytest

from cellsteward.shrinking import shrink
from host_tests.tools.programs import printed_both_ways

START = (
    "import sys\nimport app\n"
    "application = app.Application(3)\n"
    "print(application.shown(), 'app_start' in sys.modules)\n"
)
PACKAGE = {"pack.__init__": ""}
CELL = """
ROWS = (("low", -4), ("high", 5))
LATER = ("later", 1)
def twice(number):
    return 2 * number
class Cell:
    weight = 3
    def __init__(self, number, text="none"):
        self.rows = [(text, twice(number) + value) for _, value in ROWS]
        self.more = LATER
        self._open_places(number)
    def _open_places(self, number):
        self.places = list(range(number))
    def row(self, which):
        return self.rows[which], LATER, self.places
"""
PROGRAMS = {
    "constructors, what only they call, and what only they read": {
        "pack.cell": CELL,
        "app": (
            "from pack.cell import Cell\n"
            "class Application:\n"
            "    def __init__(self, number):\n"
            "        self._cells = [Cell(number), Cell(1, text='one')]\n"
            "        self._cells.append(Cell(text='two', number=2))\n"
            "    def shown(self):\n"
            "        return [cell.row(1) for cell in self._cells], Cell.weight\n"
        ),
    },
    "a module that is imported whole": {
        "pack.cell": CELL,
        "app": (
            "from pack import cell\n"
            "class Application:\n"
            "    def __init__(self, number):\n"
            "        self._cell = cell.Cell(cell.twice(number))\n"
            "    def shown(self):\n"
            "        return self._cell.row(0), isinstance(self._cell, cell.Cell)\n"
        ),
    },
    "constructors that call those they inherit": {
        "pack.base": (
            "class Base:\n"
            "    def __init__(self, number):\n"
            "        self.number = number\n"
            "        if number > 3:\n"
            "            return\n"
            "        self.number = 4\n"
            "class Child(Base):\n"
            "    def __init__(self, number):\n"
            "        super().__init__(number + 1)\n"
            "        self.child = number\n"
            "class Other(Base):\n"
            "    child = 'none'\n"
        ),
        "app": (
            "from pack.base import Child, Other\n"
            "class Application:\n"
            "    def __init__(self, number):\n"
            "        self._things = (Child(number), Child(1), Other(9), Other(2))\n"
            "    def shown(self):\n"
            "        return [(thing.number, thing.child) for thing in self._things]\n"
        ),
    },
    "methods of other objects": {
        "pack.cell": (
            "class Cell:\n"
            "    def __init__(self):\n"
            "        self.rows = []\n"
            "    def fill_rows_first(self, number):\n"
            "        self.rows.append(number)\n"
            "        return self\n"
            "    def take(self, number):\n"
            "        self.rows.append(number)\n"
            "class Other:\n"
            "    def take(self, number):\n"
            "        print('took', number)\n"
        ),
        "app": (
            "from pack.cell import Cell, Other\n"
            "class Application:\n"
            "    def __init__(self, number):\n"
            "        self._cell = Cell().fill_rows_first(number)\n"
            "        self._cell.fill_rows_first(8).fill_rows_first(9)\n"
            "        for thing in (self._cell, Other()):\n"
            "            thing.take(1)\n"
            "    def shown(self):\n"
            "        return self._cell.rows\n"
        ),
    },
}  # fmt: skip
STAYS = {
    "a class that is made later, too": (
        "class Cell:\n"
        "    def __init__(self):\n"
        "        self.text = 'stays'\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._cell = Cell()\n"
        "    def shown(self):\n"
        "        return Cell().text, self._cell.text\n"
    ),
    "a class that is handed around": (
        "class Cell:\n"
        "    def __init__(self):\n"
        "        self.text = 'stays'\n"
        "def made(maker):\n"
        "    return maker()\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._cell = made(Cell)\n"
        "    def shown(self):\n"
        "        return self._cell.text\n"
    ),
    "a class whose parent's constructor stays": (
        "class Base:\n"
        "    def __init__(self):\n"
        "        self.base = 2\n"
        "class Cell(Base):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.text = 'stays'\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._cell = Cell()\n"
        "    def shown(self):\n"
        "        return self._cell.text, self._cell.base, Base().base\n"
    ),
    "a function that is handed around": (
        "def text():\n"
        "    return 'stays'\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._text = text\n"
        "    def shown(self):\n"
        "        return self._text()\n"
    ),
    "a function that is called later, too": (
        "def text(number):\n"
        "    return 'stays' * number\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._text = text(number)\n"
        "    def shown(self):\n"
        "        return self._text + text(1)\n"
    ),
    "a method that is handed around": (
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._text = self._long_text\n"
        "    def _long_text(self):\n"
        "        return 'stays'\n"
        "    def shown(self):\n"
        "        return self._text()\n"
    ),
    "a method that several classes have": (
        "class Cell:\n"
        "    def fill_text(self):\n"
        "        self.text = 'stays'\n"
        "class Pack:\n"
        "    def fill_text(self):\n"
        "        self.text = 'pack'\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._things = (Cell(), Pack())\n"
        "        for thing in self._things:\n"
        "            thing.fill_text()\n"
        "    def shown(self):\n"
        "        return [thing.text for thing in self._things]\n"
    ),
    "a method that something of MicroPython's has": (
        "class Cell:\n"
        "    text = 'stays'\n"
        "    def append(self, number):\n"
        "        self.text = 'stays' * number\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._things = ([], Cell())\n"
        "        for thing in self._things:\n"
        "            thing.append(number)\n"
        "    def shown(self):\n"
        "        return self._things[0], self._things[1].text\n"
    ),
    "a method that is looked up by its name": (
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._long_text()\n"
        "    def _long_text(self):\n"
        "        return 'stays'\n"
        "    def shown(self):\n"
        "        return getattr(self, '_long_text')()\n"
    ),
    "what a property reads": (
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._text = self._long_text\n"
        "    @property\n"
        "    def _long_text(self):\n"
        "        return 'stays'\n"
        "    def shown(self):\n"
        "        return self._text\n"
    ),
    "functions that could outlive the start": (
        "class Cell:\n"
        "    def __init__(self, number):\n"
        "        self.text = lambda: 'stays' * number\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        self._cell = Cell(number)\n"
        "    def shown(self):\n"
        "        return self._cell.text()\n"
    ),
    "what reads something that changes": (
        "count = 1\n"
        "def grow():\n"
        "    global count\n"
        "    count += 1\n"
        "class Cell:\n"
        "    def __init__(self):\n"
        "        self.text = 'stays' * count\n"
        "class Application:\n"
        "    def __init__(self, number):\n"
        "        grow()\n"
        "        self._cell = Cell()\n"
        "    def shown(self):\n"
        "        return self._cell.text\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("modules", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_whose_start_is_lent_prints_the_same(modules, tmp_path):
    printed, files = printed_both_ways(tmp_path, PACKAGE | modules, START)
    assert printed.endswith("False\n")
    assert set(files) == {"app", "app_start", "pack.__init__"}


def test_only_a_stub_of_it_stays():
    files = shrink(
        PACKAGE | PROGRAMS["constructors, what only they call, and what only they read"]
    )
    resident = ast.parse(files["app"].text)
    functions = [node for node in ast.walk(resident) if isinstance(node, ast.FunctionDef)]
    assert len(functions) == 3  # row, shown, and the application's constructor
    assert "'later'" in files["app"].text  # a table that is read later, too
    assert "'high'" not in files["app"].text
    assert "'high'" in files["app_start"].text


@pytest.mark.parametrize("text", STAYS.values(), ids=STAYS)
def test_what_may_be_needed_later_stays(text, tmp_path):
    _, files = printed_both_ways(tmp_path, {"app": text}, START)
    assert "'stays'" in files["app"]
    assert "'stays'" not in files["app_start"]


def test_what_nobody_mentions_goes():
    program = (
        "ROWS = ('gone', 1)\n"
        "def spare():\n"
        "    return 'gone'\n"
        "class Application:\n"
        "    def __init__(self):\n"
        "        self.rows = ()\n"
    )
    assert "'gone'" not in shrink({"app": program})["app"].text


def test_what_a_user_makes_or_calls_stays(tmp_path):
    program = {
        "app": (
            "class Cell:\n"
            "    def __init__(self):\n"
            "        self.text = 'stays'\n"
            "    def fill_text(self):\n"
            "        self.text = 'filled'\n"
            "class Application:\n"
            "    def __init__(self, number):\n"
            "        self.cell = Cell()\n"
            "        self.cell.fill_text()\n"
        )
    }
    start = (
        "import app\n"
        "cell = app.Application(1).cell\n"
        "print(cell.text, app.Cell().text)\n"
        "cell.fill_text()\n"
    )
    _, files = printed_both_ways(tmp_path, program, start)
    assert "'stays'" in files["app"]
    assert "'filled'" in files["app"]


def test_without_an_application_there_is_no_such_file():
    text = PROGRAMS["methods of other objects"]["app"].replace("Application", "Program")
    modules = {**PACKAGE, **PROGRAMS["methods of other objects"], "app": text}
    assert set(shrink(modules)) == {"app", "pack.__init__"}
