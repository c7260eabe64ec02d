"""The flash check of the self-test: what the firmware needs from its flash can be read."""

import builtins
import errno

import pytest

from storage import flash_check

NAMES = [
    *(f"{stem}_{slot}.json" for stem in ("config", "state") for slot in "ab"),
    *(f"log/{number}.bin" for number in range(4)),
]


@pytest.fixture
def flash(tmp_path):
    (tmp_path / "log").mkdir()
    for name in NAMES:
        (tmp_path / name).write_bytes(b"x" * 4086)
    return tmp_path


def failing(monkeypatch, name, number=errno.EIO, after=0):
    """Reading that file fails `after` so many bytes. Returns the bytes read of every file."""
    read = {}

    class File:
        def __init__(self, path):
            self.path = path
            self.file = builtins.open(path, "rb")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def readinto(self, buffer):
            got = self.file.readinto(buffer)
            read[self.path] = read.get(self.path, 0) + got
            if self.path.endswith(name) and read[self.path] > after:
                raise OSError(number, "failed")
            return got

    monkeypatch.setattr(flash_check, "open", lambda path, _: File(path), raising=False)
    return read


def test_files_that_can_be_read_are_no_problem(flash):
    assert flash_check.unreadable(str(flash)) == []


def test_a_new_board_without_any_file_is_no_problem(tmp_path):
    assert flash_check.unreadable(str(tmp_path)) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("after", [0, 4000])
def test_a_read_that_fails_anywhere_is_told_with_the_file_and_what_to_do(
    flash, monkeypatch, name, after
):
    failing(monkeypatch, name, after=after)
    (problem,) = flash_check.unreadable(str(flash))
    assert problem.startswith(f"the flash check failed: {name} can not be read")
    assert "failed" in problem
    assert "replace the board" in problem


def test_a_file_that_is_missing_while_others_fail_is_not_named(flash):
    (flash / "config_a.json").unlink()
    (flash / "log/2.bin").unlink()
    (flash / "log/2.bin").mkdir()  # can not be opened
    (problem,) = flash_check.unreadable(str(flash))
    assert "log/2.bin" in problem


def test_the_effort_is_bounded_and_every_byte_of_ours_is_read(flash, monkeypatch):
    (flash / "log/3.bin").write_bytes(b"x" * 1_000_000)
    read = failing(monkeypatch, "no file")
    assert flash_check.unreadable(str(flash)) == []
    read = {path.removeprefix(f"{flash}/"): size for path, size in read.items()}
    assert read.pop("log/3.bin") == 16384
    assert read == dict.fromkeys(NAMES[:-1], 4086)
