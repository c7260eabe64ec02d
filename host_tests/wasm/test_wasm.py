"""Law 7 on the 32-bit build: the fast path and what else promises it allocates nothing.

Every script named noalloc_*.py is such a proof. It locks the heap, does its work 10,000 times and
prints OK; whatever allocates meanwhile ends it with a MemoryError.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from host_tests.wasm import build, heap

pytestmark = pytest.mark.skipif(bool(build.missing()), reason=build.missing())

PROOFS = sorted((build.REPOSITORY / "host_tests").rglob("noalloc_*.py"))

# Each of these makes a heap object on our boards, some of them not on a 64-bit host.
ALLOCATIONS = {
    "a list": "[number]",
    "a slice": "data[1:]",
    "a float": "number * 0.5",
    "a bound method": "data.append",
    "text": "'%d' % number",
    "an integer of 2**30": "number + 1073741823",
    "an integer below -2**30": "-1073741824 - number",
}


# What a usual pack's firmware holds after boot, and at most may hold from here on. A plain Pico
# has 230 KB before our firmware comes (micropython.md).
HEAP_MAX = 133900
# Of the compiled files (.mpy) the bytes that stay loaded; the same holds.
RESIDENT_MAX = 64300


@pytest.fixture(scope="module")
def proofs():
    """All proofs, two at a time: what each came to."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {script: pool.submit(build.run, script, timeout_s=100) for script in PROOFS}


def last_line(process):
    return (process.stdout.splitlines() or [""])[-1]


@pytest.mark.parametrize(
    "script", PROOFS, ids=lambda script: f"{script.parent.name}/{script.stem}"
)
def test_nothing_is_allocated_under_heap_lock(script, proofs):
    process = proofs[script].result()
    assert last_line(process) == "OK", process.stdout + process.stderr
    assert process.returncode == 0


def test_the_fast_path_the_driver_the_frames_and_the_modbus_server_are_proven():
    assert {script.name for script in PROOFS} >= {
        "noalloc_step.py",
        "noalloc_full_step.py",
        "noalloc_bq76952.py",
        "noalloc_frames.py",
        "noalloc_server.py",
        "noalloc_paths.py",
        "noalloc_ina228.py",
        "noalloc_retained.py",
    }


def _under_lock(tmp_path, expression):
    script = tmp_path / "control.py"
    script.write_text(
        "import micropython\n"
        "number = 1\n"
        "data = bytearray(4)\n"
        "def work():\n"
        f"    {expression}\n"
        "micropython.heap_lock()\n"
        "try:\n"
        "    work()\n"
        "finally:\n"
        "    micropython.heap_unlock()\n"
        "print('OK')\n"
    )
    return build.run(script)


@pytest.mark.parametrize("expression", ALLOCATIONS.values(), ids=ALLOCATIONS)
def test_the_proof_fails_for_whatever_allocates(tmp_path, expression):
    process = _under_lock(tmp_path, expression)
    assert "MemoryError" in process.stderr
    assert process.returncode == 1
    assert last_line(process) != "OK"


def test_the_proof_holds_for_the_largest_small_integer(tmp_path):
    """-2**30 is INVALID: points full of it cost nothing."""
    process = _under_lock(tmp_path, "-1073741823 - number")
    assert last_line(process) == "OK", process.stderr


# A collection inside a running script leaves its garbage, one between two parts takes it all.
GARBAGE = """
import gc
garbage = None
before = after = 0
# ---
before = gc.mem_alloc()
# ---
garbage = bytearray(100000)
garbage = None
# ---
after = gc.mem_alloc()
# ---
garbage = bytearray(100000)
# ---
print(after - before < 1000, gc.mem_alloc() - before > 100000)
"""


def test_garbage_does_not_count_as_heap_and_what_is_held_does(tmp_path):
    script = tmp_path / "garbage.py"
    script.write_text(GARBAGE)
    assert last_line(build.run(script)) == "True True"


@pytest.fixture(scope="module")
def measured():
    return heap.measure()


def test_the_firmware_of_a_usual_pack_holds_no_more_heap_than_it_did(measured):
    assert measured.from_mpy < measured.from_source
    assert measured.from_mpy <= HEAP_MAX
    packages = {"app", "afe", "bms", "canbus", "console", "inverter", "modbus"}
    assert set(measured.sizes) >= packages


def test_no_more_code_of_a_usual_pack_stays_loaded_than_did(measured):
    assert sum(measured.sizes.values()) / 10 < measured.resident <= RESIDENT_MAX
