"""A new board's flash for every test, and how to put the firmware on it."""

import pytest

from host_tests.boot.board_flash import Flash


@pytest.fixture
def install(tmp_path):
    """Flash.install of a new flash."""
    return Flash(tmp_path).install
