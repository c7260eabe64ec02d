"""Architecture, section 5: a step between any two lines of slow code leaves nothing torn.

The step comes from sys.settrace; it runs on the 32-bit build, whose bytecode is that of the
boards (see tearing.py).
"""

from pathlib import Path

import pytest

from host_tests.wasm import build

pytestmark = pytest.mark.skipif(bool(build.missing()), reason=build.missing())


def test_a_step_between_any_two_lines_of_slow_code_leaves_nothing_torn():
    process = build.run(Path(__file__).with_name("tearing.py"), settrace=True)
    assert process.stdout == "OK\n", process.stdout + process.stderr
