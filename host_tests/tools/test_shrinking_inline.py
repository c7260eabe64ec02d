"""A function that is called once goes where it is called, and the program does the same."""

import ast

import pytest

from cellsteward.shrinking.inline import inline
from host_tests.tools.programs import printed_both_ways

CELL = """
class Cell:
    def __init__(self, mv):
        self.mv = mv
{methods}

for mv in (-1, 0, 1, 2, 3300):
    try:
        print(Cell(mv).step(mv, 5))
    except ValueError as problem:
        print(problem)
"""

# Methods of one class: `step` is called, the others are called once.
GO = {
    "a value in the middle": """
    def step(self, low, high):
        return high - self._gap(low) * 2
    def _gap(self, mv):
        return self.mv - mv + 1
""",
    "statements, with names that the caller has, too": """
    def step(self, low, high):
        total = low
        self._note(high, low)
        return total, self.mv, low, high
    def _note(self, low, total):
        total += 1
        high = low + total
        self.mv = high
""",
    "early ends, in a place of its own": """
    def step(self, low, high):
        self._limit(low)
        return self.mv
    def _limit(self, low):
        if low < 0:
            self.mv = 0
            return
        if low > 1000:
            self.mv = 1000
            return
        self.mv += 1
""",
    "early values, assigned": """
    def step(self, low, high):
        word = self._word(low)
        return word, high
    def _word(self, mv):
        if mv < 0:
            return "below"
        if mv == 0:
            word = "nothing"
        elif mv == 1:
            return "one"
        else:
            return "more"
        return word
""",
    "a value that is missing on one way": """
    def step(self, low, high):
        word = self._word(low)
        return word
    def _word(self, mv):
        if mv > 0:
            return "above"
""",
    "two values at once": """
    def step(self, low, high):
        low, high = self._swapped(low, high)
        return low, high
    def _swapped(self, low, high):
        if low < high:
            return high, low
        return low, high
""",
    "returns in a loop, handed on": """
    def step(self, low, high):
        return self._first(low)
    def _first(self, mv):
        for place in range(3):
            if place == mv:
                return place
""",
    "a test": """
    def step(self, low, high):
        if low == 7:
            return 7
        elif not self._is_sound(low) or high < 0:
            return "no"
        return "yes"
    def _is_sound(self, mv):
        if mv < 0:
            return False
        self.mv += 1
        return mv != 1
""",
    "one that raises": """
    def step(self, low, high):
        self._check(low)
        return high
    def _check(self, mv):
        if mv == 0:
            raise ValueError("zero")
        if mv == 1:
            return
        self.mv = mv
""",
    "one after the other, and one inside the other": """
    def step(self, low, high):
        first = self._one(low)
        second = self._two(high)
        return first, second, low, high
    def _one(self, mv):
        found = mv
        for place in range(2):
            more = self._three(found)
            found += place + more
        return found
    def _two(self, mv):
        place = mv
        found = place * 2
        return found + self.mv
    def _three(self, mv):
        place = mv
        found = place + 1
        return found * 10
""",
    "in a loop, with a default": """
    def step(self, low, high):
        total = 0
        for place in range(3):
            total = self._more(total)
        return total
    def _more(self, total, by=2):
        if total > 100:
            by = 0
        return total + by
""",
}
STAY = {
    "ways that meet again": """
    def step(self, low, high):
        word = self._kept(low)
        return word
    def _kept(self, mv):
        if mv > 0:
            if mv == 1:
                return "one"
            word = "more"
        else:
            word = "less"
        return word
""",
    "a return in a loop, assigned": """
    def step(self, low, high):
        found = self._kept(low)
        return found
    def _kept(self, mv):
        for place in range(3):
            if place == mv:
                return place
        return -1
""",
    "called twice": """
    def step(self, low, high):
        return self._kept(low) + self._kept(high)
    def _kept(self, mv):
        return mv + self.mv
""",
    "handed around": """
    def step(self, low, high):
        kept = self._kept
        return kept(low)
    def _kept(self, mv):
        return mv
""",
    "looked up by its name": """
    def step(self, low, high):
        self._kept(low)
        return getattr(self, "_kept")(low)
    def _kept(self, mv):
        return mv
""",
    "not the first that happens": """
    def step(self, low, high):
        return self.mv + self._kept(low)
    def _kept(self, mv):
        self.mv = 5
        return mv
""",
    "not always called": """
    def step(self, low, high):
        return low > 1 and self._kept(low)
    def _kept(self, mv):
        self.mv = 5
        return mv
""",
    "a generator": """
    def step(self, low, high):
        return list(self._kept(low))
    def _kept(self, mv):
        yield mv
""",
    "called by a generator": """
    def step(self, low, high):
        return list(self.steps(low))
    def steps(self, low):
        self._kept(low)
        yield self.mv
    def _kept(self, mv):
        self.mv = mv + 1
""",
    "calls itself": """
    def step(self, low, high):
        return low
    def _kept(self, mv):
        return self._kept(mv)
""",
    "called in every round of a loop": """
    def step(self, low, high):
        while self._kept(low):
            pass
        return self.mv
    def _kept(self, mv):
        self.mv += 1
        return self.mv < 5
""",
}
FUNCTIONS = """
_LIMITS = (1, 2)
def step(mv, high):
    limits = (5, 6)
    return _within(mv), limits
def _within(mv):
    return _LIMITS[0] <= mv <= _LIMITS[1] + _most()
def _most():
    return 7
for mv in (0, 1, 9, 10):
    print(step(mv, 5))
"""
HIDDEN = """
limits = (1, 2)
def step(mv):
    limits = (5, 6)
    return _within(mv), limits
def _within(mv):
    return limits[0] <= mv
print(step(1), step(0))
"""


def functions(text, users=()):
    """Names of the functions that are left."""
    tree = ast.parse(text)
    inline([tree], [ast.parse(user) for user in users])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("methods", [*GO.values(), *STAY.values()], ids=[*GO, *STAY])
def test_the_program_prints_the_same(methods, tmp_path):
    printed_both_ways(tmp_path, {"app": CELL.format(methods=methods)})


@pytest.mark.parametrize("methods", GO.values(), ids=GO)
def test_what_is_called_once_goes_where_it_is_called(methods):
    assert functions(CELL.format(methods=methods)) == {"__init__", "step"}


@pytest.mark.parametrize("methods", STAY.values(), ids=STAY)
def test_what_can_not_go_stays(methods):
    assert "_kept" in functions(CELL.format(methods=methods))


def test_functions_of_a_module_go_too(tmp_path):
    printed_both_ways(tmp_path, {"app": FUNCTIONS})
    assert functions(FUNCTIONS) == {"step"}


def test_a_function_whose_names_mean_something_else_there_stays(tmp_path):
    printed_both_ways(tmp_path, {"app": HIDDEN})
    assert functions(HIDDEN) == {"step", "_within"}


def test_a_function_that_a_file_outside_uses_stays():
    assert functions(FUNCTIONS, ["from app import _within\n"]) == {"step", "_within"}


@pytest.mark.parametrize(
    "more",
    [
        "class Child(Cell):\n    def _gap(self, mv):\n        return 0\n",
        "def look(cell):\n    return cell._gap(1)\n",
        "def change(cell, gap):\n    cell._gap = gap\n",
    ],
    ids=["a class inherits it", "somebody else calls it", "somebody else gives it"],
)
def test_a_method_that_others_may_mean_stays(more):
    text = CELL.format(methods=GO["a value in the middle"]) + more
    assert "_gap" in functions(text)
