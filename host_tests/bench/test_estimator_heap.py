"""A short run of the proof that `make soc-heap` makes over a million steps."""

from host_tests.bench.estimator_heap import measured

STEPS = 6000
LEAK = """
from host_tests.bms.noalloc_estimator import Walk
class Leaky(Walk):
    kept = []
    def step(self, turn):
        Walk.step(self, turn)
        self.kept.append(bytearray(20))
"""


def test_the_estimators_heap_does_not_grow():
    assert measured(STEPS) == (0, 0)


def test_a_leak_would_be_seen():
    a_step, growth = measured(STEPS, LEAK, "Leaky")
    assert a_step >= 20
    assert growth >= 20 * (STEPS - 2000)
