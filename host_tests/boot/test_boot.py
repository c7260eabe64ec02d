"""firmware/boot.py and main.py on the real MicroPython, on a littlefs like a board's."""

import pytest

GATES_FIRST = ["board", "gates off"]


def app_of(start):
    """The slot whose application ran, or None."""
    ran = [entry for entry in start.diary if entry.startswith("app of ")]
    assert len(ran) <= 1
    return ran[0].removeprefix("app of ") if ran else None


@pytest.mark.parametrize("slot", ["slot_a", "slot_b"])
def test_the_slot_that_is_named_runs(install, slot):
    start = install("slot_a", "slot_b", files={"/slot": slot}).start()
    assert app_of(start) == slot
    assert start.slot == "/" + slot
    assert start.problems == []


def test_the_slots_own_library_comes_first_and_the_other_slot_is_not_looked_at(install):
    start = install("slot_a", "slot_b", files={"/slot": "slot_b\n"}).start()
    assert start.path == ["/slot_b", "/slot_b/lib", "", ".frozen", "/lib"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"slot_c", id="a slot that does not exist"),
        pytest.param(b"../boards", id="a path"),
        pytest.param(b"\xff" * 40, id="erased flash"),
        pytest.param(b"\x00\x80\xc3", id="bytes that are no text"),
        pytest.param(None, id="a folder"),
    ],
)
def test_a_corrupt_choice_starts_the_slot_that_is_there(install, content):
    start = install("slot_b", files={"/slot": content}).start()
    assert start.diary[:2] == GATES_FIRST
    assert app_of(start) == "slot_b"


def test_without_a_choice_the_first_slot_that_has_an_application_starts(install):
    assert app_of(install("slot_a", "slot_b").start()) == "slot_a"


def test_a_choice_that_holds_no_application_gives_way_to_the_other(install):
    start = install("slot_a", files={"/slot": "slot_b", "/slot_b/lib/helper.py": ""}).start()
    assert app_of(start) == "slot_a"


def test_gates_are_off_before_the_slot_is_chosen(install):
    # What gates_off writes is what the choice then reads.
    order = 'choice = open("/slot", "w"); choice.write("slot_b"); choice.close()'
    start = install("slot_a", "slot_b", on_gates_off=order, files={"/slot": "slot_a"}).start()
    assert app_of(start) == "slot_b"


@pytest.mark.parametrize("pin", [False, True])
def test_gates_are_off_before_the_pin_is_read_and_before_the_application_starts(install, pin):
    assert install("slot_a", pin=pin).start().diary[:2] == GATES_FIRST


def test_without_an_application_gates_are_off_and_the_board_says_what_to_do(install):
    start = install().start()
    assert start.diary[:2] == GATES_FIRST
    assert start.slot is None
    assert start.maintenance is True
    assert "make flash" in start.printed
    assert start.problems == []


@pytest.mark.parametrize("content", ["", "anything", None])
def test_the_flag_holds_the_application_back(install, content):
    start = install("slot_a", files={"/maintenance": content}).start()
    assert start.diary[:2] == GATES_FIRST
    assert app_of(start) is None
    assert start.maintenance is True
    assert "gates off, no watchdog" in start.printed
    assert "Remove /maintenance" in start.printed
    assert start.problems == []


def test_the_pin_holds_the_application_back(install):
    start = install("slot_a", "slot_b", pin=True, files={"/slot": "slot_b"}).start()
    assert app_of(start) is None
    assert start.maintenance is True


def test_in_maintenance_the_application_can_be_looked_at(install):
    start = install("slot_a", pin=True).start()
    assert start.path[:2] == ["/slot_a", "/slot_a/lib"]


@pytest.mark.parametrize(
    "app",
    [
        pytest.param("import nothing_of_that_name", id="an import fails"),
        pytest.param("def run(board)", id="it is no Python"),
        pytest.param("raise MemoryError('no room')", id="memory runs out"),
        pytest.param("def run(board):\n    raise ValueError('no')", id="it fails at once"),
    ],
)
def test_an_application_that_does_not_start_leaves_the_gates_off(install, app):
    start = install("slot_a", files={"/slot_a/app.py": app}).start()
    assert start.diary == [*GATES_FIRST, "pin"]
    assert len(start.problems) == 1
