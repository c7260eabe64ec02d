"""What is in memory together becomes one file, and happens in the same order."""

import re

import pytest

from cellsteward.shrinking import shrink
from host_tests.tools.programs import printed_both_ways

PACKAGE = {"pack.__init__": "", "other.__init__": ""}
PROGRAMS = {
    "names that several modules have": {
        "pack.low": "_row = [1]\ndef step():\n    return _row\nclass Cell:\n    row = 'low'\n",
        "pack.high": "_row = [2]\ndef step():\n    return _row\nclass Cell:\n    row = 'high'\n",
        "app": (
            "from pack.low import Cell, step\n"
            "from pack.high import Cell as HighCell\n"
            "from pack.high import step as high_step\n"
            "_row = [3]\n"
            "print(step(), high_step(), _row, Cell.row, HighCell.row)\n"
        ),
    },
    "modules that are imported whole": {
        "pack.low": "from pack import base\ndef read():\n    return base.shared + [1]\n",
        "pack.base": "shared = [7]\ndef reset():\n    shared.clear()\n",
        "app": (
            "from pack import base, low\n"
            "from pack import base as again\n"
            "def inside():\n"
            "    from pack import low as lower\n"
            "    from pack.base import shared as mine\n"
            "    return lower.read(), mine\n"
            "print(low.read(), base.shared is again.shared, inside())\n"
            "base.reset()\n"
            "print(low.read())\n"
        ),
    },
    "what happens while modules are imported": {
        "pack.low": "print('low')\nfrom pack.base import said\nsaid.append('low')\n",
        "pack.base": "said = ['base']\nprint('base')\n",
        "pack.high": (
            "from pack.base import said\n"
            "from pack import low\n"
            "print('high')\n"
            "said.append('high')\n"
        ),
        "app": "from pack import high\nfrom pack.base import said\nprint('app', said)\n",
    },
    "a module that is lent": {
        "pack.base": (
            "import sys\ndef forget():\n    return sys.modules.pop('pack.lent', 0) != 0\n"
        ),
        "pack.lent": (
            "from pack.low import rows\n"
            "from pack.kept import count\n"
            "names = [len(rows), count()]\n"
        ),
        "pack.kept": "times = []\ndef count():\n    times.append(1)\n    return len(times)\n",
        "pack.low": "rows = [1, 2]\n",
        "app": (
            "from pack.base import forget\n"
            "from pack.low import rows\n"
            "def asked():\n"
            "    from pack.lent import names\n"
            "    return names\n"
            "print(asked(), forget(), forget(), rows)\n"
            "rows.append(3)\n"
            "print(asked(), forget())\n"
        ),
    },
    "a module that is chosen by its name, and one that is handed around": {
        "pack.first": "rows = [1]\nweak_cell = 2\n",
        "pack.second": "rows = [2]\nweak_cell = 4\n",
        "pack.use": "def total(module):\n    return module.rows + [module.weak_cell]\n",
        "app": (
            "from pack import second\n"
            "from pack.use import total\n"
            "def chosen(name):\n"
            "    return __import__('pack.' + name, None, None, (name,))\n"
            "print(total(chosen('first')), total(second))\n"
        ),
    },
    "a file of several modules that is imported later": {
        "pack.inner": "def twice(number):\n    return 2 * number + start[0]\nstart = [1]\n",
        "pack.outer": (
            "from pack.inner import twice\nfrom pack.base import limit\n"
            "def bounded(number):\n    return min(twice(number), limit[0])\n"
        ),
        "pack.base": "limit = [9]\n",
        "pack.shared": "times = []\ndef count():\n    times.append(1)\n    return len(times)\n",
        "pack.first_user": "from pack.shared import count\n",
        "pack.second_user": "from pack.shared import count\n",
        "app": (
            "from pack.base import limit\n"
            "def later():\n    from pack.outer import bounded\n    return bounded\n"
            "def last():\n"
            "    from pack.first_user import count as first\n"
            "    from pack.second_user import count as second\n"
            "    return first(), second(), first()\n"
            "print(later()(3), later()(30), limit, last())\n"
        ),
    },
    "classes that inherit across modules": {
        "pack.base": (
            "class Base:\n"
            "    limit = 3\n"
            "    def __init__(self, first):\n"
            "        self._first = first\n"
            "    def _hidden(self):\n"
            "        return self._first\n"
        ),
        "pack.child": (
            "from pack.base import Base\n"
            "class Child(Base):\n"
            "    def __init__(self, first):\n"
            "        super().__init__(first)\n"
            "        self._second = 2\n"
            "    def all(self):\n"
            "        return self._hidden(), self._second, self.limit\n"
        ),
        "app": "from pack.child import Child\nprint(Child(first=1).all())\n",
    },
}

USED = {
    "pack.deep": "made = []\nprint('deep')\n",
    "pack.base": (
        "from pack.deep import made\ndef make():\n    made.append(1)\n    return made\n"
    ),
    "pack.low": "from pack.base import make\ndef low():\n    return make()\n",
    "app": "from pack.low import low\nprint('app')\ndef run():\n    return low()\n",
}
USER = "from pack.base import make\nprint(make())\nimport app\nprint(app.run())\n"


@pytest.mark.parametrize("modules", PROGRAMS.values(), ids=PROGRAMS)
def test_a_merged_program_prints_the_same(modules, tmp_path):
    printed_both_ways(tmp_path, PACKAGE | modules)


def test_a_merged_program_with_a_user_prints_the_same(tmp_path):
    printed_both_ways(tmp_path, PACKAGE | USED, USER)


def files(name):
    return set(shrink(PROGRAMS[name]))


def test_modules_that_stay_become_one_file():
    assert files("names that several modules have") == {"app"}
    assert files("modules that are imported whole") == {"app"}
    assert files("what happens while modules are imported") == {"app"}


def test_modules_that_others_ask_for_stay():
    assert files("a module that is lent") == {"app", "pack.kept", "pack.lent"}
    assert files("a module that is chosen by its name, and one that is handed around") == {
        "app",
        "pack.first",
        "pack.second",
    }


def test_what_is_imported_later_takes_in_what_only_it_needs():
    assert files("a file of several modules that is imported later") == {
        "app",
        "pack.first_user",
        "pack.outer",
        "pack.second_user",
        "pack.shared",
    }


def test_what_a_user_imports_stays_with_what_it_needs():
    assert set(shrink(USED, [USER])) == {"app", "pack.base", "pack.deep"}


@pytest.mark.parametrize(
    "modules",
    [
        {"pack.low": "step = [1]\n", "app": "from pack.low import step\nstep = [2]\n"},
        {"pack.low": "abs = [1]\n", "app": "from pack import low\nuse(low, 'abs')\n"},
        {"app": "import pack\nclass A(pack.B):\n    pass\n"},
        {"app": "class A:\n    pass\nprint(A.__module__)\n"},
    ],
    ids=["a name that is imported and assigned", "a name of Python's", "an unknown parent",
         "what is taken out of classes"],
)  # fmt: skip
def test_what_it_can_not_treat_is_refused_with_the_module(modules):
    with pytest.raises(SyntaxError, match=r"app|low"):
        shrink(modules)


def test_a_swap_makes_no_tuple(tmp_path):
    """MicroPython makes one only where the right side stands in parentheses."""
    swap = "def swap(low, high):\n    low, high = high, low\n    return low - high\n"
    program = {"app": swap + "print('ä', swap(1, 3))\n"}
    assert printed_both_ways(tmp_path, program)[0] == "ä 2\n"
    (text,) = (file.text for file in shrink(program, []).values())
    assert re.search(r"^    (\w+), (\w+) = \2, \1$", text, re.MULTILINE)
