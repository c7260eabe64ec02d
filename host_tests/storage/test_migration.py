"""Configuration files of every firmware that there ever was, and of one that there is not yet.

`recorded/` holds one file for each version of the table of settings in this repository's history,
named by the time and the commit, and written by that commit's own code: nearly every setting as
far from its default as that firmware allowed it together with the others.
"""

import json
import shutil
from pathlib import Path

import pytest

from bms.parameters import Parameters
from host_tests.storage.test_configuration import PACK, content, loaded, saved, write
from storage.configuration import Configuration

RECORDED = sorted((Path(__file__).parent / "recorded").glob("2*.json"))
BEYOND = next((Path(__file__).parent / "recorded").glob("trips*.json"))
# What older firmware allowed and this one does not: name, and what it is now.
NEAREST = {
    "contactor_ramp_ms": lambda value: min(value, 1300),
    "overcurrent_charge_release_ma": lambda value: max(value, 100),
    "overcurrent_discharge_release_ma": lambda value: max(value, 100),
}


def test_there_is_a_file_of_every_version():
    assert len(RECORDED) == 13


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_every_setting_of_an_older_firmware_is_in_force_or_at_the_nearest_and_told(tmp_path, file):
    shutil.copy(file, tmp_path / "config_a.json")
    parameters, configuration = loaded(tmp_path)
    settings = json.loads(file.read_text())["settings"]
    assert len(settings) > 60
    changed = {}
    for name, value in settings.items():
        expected = NEAREST.get(name, int)(value)
        assert parameters.value(name) == expected, name
        if expected != value:
            changed[name] = (value, expected)
    text = " ".join(configuration.problems)
    assert len(configuration.problems) == bool(changed)
    for name, (value, expected) in changed.items():
        assert f"'{name}' was {value} and is {expected} now" in text
    assert configuration.unsaved(parameters) == bool(changed)
    assert (tmp_path / "config_a.json").read_bytes() == file.read_bytes()
    configuration.save(parameters)
    again, configuration = loaded(tmp_path)
    assert configuration.problems == []
    assert again.values == parameters.values


def test_both_kinds_of_older_files_are_among_them(tmp_path):
    told = []
    for file in RECORDED:
        shutil.copy(file, tmp_path / "config_a.json")
        told += loaded(tmp_path)[1].problems
    assert any("'contactor_ramp_ms' was" in sentence for sentence in told)
    assert any("release_ma' was 0 and is 100" in sentence for sentence in told)


def test_trips_beyond_the_limits_of_now_are_a_persons_matter(tmp_path):
    shutil.copy(BEYOND, tmp_path / "config_a.json")
    parameters, configuration = loaded(tmp_path)
    assert not parameters.loaded
    assert "is refused: 'cell_overvoltage_trip_mv' must be" in configuration.problems[0]


def test_what_an_older_firmware_did_not_allow_either_is_refused(tmp_path):
    write(tmp_path, content({**PACK, "contactor_ramp_ms": 10_001}))
    parameters, configuration = loaded(tmp_path)
    assert not parameters.loaded
    assert "'contactor_ramp_ms' must be" in configuration.problems[0]


def test_an_older_file_with_another_fault_is_refused(tmp_path):
    write(tmp_path, content({**PACK, "contactor_ramp_ms": 5_000, "series_cells": 99}))
    parameters, configuration = loaded(tmp_path)
    assert not parameters.loaded
    assert "is refused" in configuration.problems[0]


NEWER = '{"format": 2, "sequence": 8, "settings": {"cells": [1]}, "signature": "unknown"}'


def test_a_newer_file_is_refused_with_what_to_do_and_the_older_one_is_used(tmp_path):
    saved(tmp_path, {"modbus_address": 9})
    write(tmp_path, NEWER, "config_b.json")
    parameters, configuration = loaded(tmp_path)
    assert parameters.value("modbus_address") == 9
    assert configuration.problems[0].startswith(
        "config_b.json is of format 2, of a newer firmware: install that again, or set up anew"
    )
    assert (tmp_path / "config_b.json").read_text() == NEWER


@pytest.mark.parametrize("slots", ["a", "b", "ab"])
def test_no_save_loses_a_newer_file(tmp_path, slots):
    for slot in slots:
        write(tmp_path, NEWER, f"config_{slot}.json")
    parameters = Parameters()
    configuration = Configuration(str(tmp_path))
    assert not configuration.load(parameters)
    for address in (5, 6, 7):
        parameters.load({**PACK, "modbus_address": address})
        configuration.save(parameters)
        assert loaded(tmp_path)[0].value("modbus_address") == address
    for slot in slots:
        assert (tmp_path / f"config_{slot}_newer.json").read_text() == NEWER


def test_a_flash_that_refuses_leaves_the_newer_file(tmp_path, monkeypatch):
    write(tmp_path, NEWER, "config_a.json")
    parameters = Parameters()
    configuration = Configuration(str(tmp_path))
    configuration.load(parameters)
    parameters.load(PACK)

    def full(_from, _to):
        raise OSError(28, "ENOSPC")

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", full)
        with pytest.raises(Exception, match="free some space"):
            configuration.save(parameters)
    assert (tmp_path / "config_a.json").read_text() == NEWER
