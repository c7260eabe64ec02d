"""Does the state-of-charge estimator's heap grow? A million steps on 32-bit MicroPython.

python -m host_tests.bench.estimator_heap [STEPS]          (make soc-heap)
"""

import sys
import tempfile
from pathlib import Path

from host_tests.wasm import build

STEPS = 1_000_000
_STEPS_A_SECOND = 500  # far below what any machine does
_SCRIPT = "from host_tests.bms.estimator_heap import measure\n{before}measure({steps}{kind})\n"


def measured(steps, before="", kind=""):
    """(bytes a step, bytes of growth) over so many steps on the 32-bit build; with `before`, code
    that makes another `kind` of pack."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "steps.py")
        script.write_text(_SCRIPT.format(steps=steps, before=before, kind=kind and f", {kind}"))
        run = build.run(script, timeout_s=60 + steps / _STEPS_A_SECOND)
    if run.returncode:
        raise RuntimeError(run.stdout + run.stderr)
    done, a_step, growth = run.stdout.split()
    assert int(done) == steps
    return float(a_step), int(growth)


def main():
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    a_step, growth = measured(steps)
    print(f"{steps} steps: {a_step:g} bytes a step, heap grew by {growth} bytes")


if __name__ == "__main__":
    main()
