"""The configuration file: taken as a whole or not at all, and never a reason to stop booting."""

import binascii
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms.parameters import Parameters
from storage.configuration import Configuration, ConfigurationError

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "firmware" / "lib"
MICROPYTHON = Path(sys.executable).with_name("micropython")
PACK = {"chemistry": 0, "series_cells": 16, "design_capacity_mah": 100_000}


def crc32(sequence, settings_):
    """The checksum as docs/console.md describes it, computed apart from the firmware."""
    lines = ["format=1", f"sequence={sequence}"]
    lines += [f"{name}={settings_[name]}" for name in sorted(settings_)]
    return f"{binascii.crc32(chr(10).join(lines).encode()):08x}"


def content(settings_, sequence=1, **changes):
    """A whole file as JSON; `changes` replace or add keys."""
    file = {"format": 1, "sequence": sequence, "settings": settings_}
    try:
        file["crc32"] = crc32(sequence, settings_)
    except (TypeError, IndexError):
        file["crc32"] = "00000000"
    return json.dumps(file | changes)


def write(directory, text, name="config_a.json"):
    (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def loaded(directory):
    parameters = Parameters()
    configuration = Configuration(str(directory))
    assert configuration.load(parameters) is configuration.loaded
    assert parameters.loaded is configuration.loaded
    return parameters, configuration


def saved(directory, *batches):
    """Save each batch of settings over PACK, one after the other."""
    parameters, configuration = loaded(directory)
    for batch in batches:
        parameters.load({**PACK, **batch})
        configuration.save(parameters)
    return parameters, configuration


def test_what_was_saved_is_loaded(tmp_path):
    saved(tmp_path, {"full_cell_mv": 3_460, "undertemperature_charge_trip_dc": -5})
    parameters, configuration = loaded(tmp_path)
    assert configuration.problems == []
    assert parameters.value("full_cell_mv") == 3_460
    assert parameters.value("undertemperature_charge_trip_dc") == -5


def test_the_file_is_for_people_and_holds_what_differs_from_the_defaults(tmp_path):
    saved(tmp_path, {"full_cell_mv": 3_460})
    text = (tmp_path / "config_a.json").read_text()
    differing = {**PACK, "full_cell_mv": 3_460}
    assert json.loads(text) == {
        "format": 1,
        "sequence": 1,
        "settings": differing,
        "crc32": crc32(1, differing),
    }
    assert '\n    "full_cell_mv": 3460,\n' in text


def test_two_files_take_turns_and_the_newest_is_loaded(tmp_path):
    saved(tmp_path, {"modbus_address": 1}, {"modbus_address": 2}, {"modbus_address": 3})
    sequences = {
        name: json.loads((tmp_path / name).read_text())["sequence"]
        for name in ("config_a.json", "config_b.json")
    }
    assert sequences == {"config_a.json": 3, "config_b.json": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(sequences)
    assert loaded(tmp_path)[0].value("modbus_address") == 3


def test_without_files_it_says_what_to_do(tmp_path):
    _, configuration = loaded(tmp_path)
    assert configuration.problems == [
        "no configuration: on the console, `set` at least chemistry, series_cells, "
        "design_capacity_mah, then `save`"
    ]


def test_a_damaged_newest_file_gives_way_to_the_one_before(tmp_path):
    saved(tmp_path, {"modbus_address": 1}, {"modbus_address": 2})
    write(tmp_path, (tmp_path / "config_b.json").read_bytes()[:-20], "config_b.json")
    parameters, configuration = loaded(tmp_path)
    assert parameters.value("modbus_address") == 1
    assert configuration.problems == [
        "config_b.json is damaged: it is not JSON",
        "config_a.json is used instead: look through the settings, then save them",
    ]


def test_a_save_after_a_damaged_file_replaces_the_damaged_one(tmp_path):
    saved(tmp_path, {"modbus_address": 1}, {"modbus_address": 2})
    write(tmp_path, "", "config_b.json")
    parameters, configuration = loaded(tmp_path)
    kept = (tmp_path / "config_a.json").read_text()
    configuration.save(parameters)
    assert configuration.problems == []
    assert (tmp_path / "config_a.json").read_text() == kept
    assert loaded(tmp_path)[1].problems == []


def test_a_newest_file_that_the_parameters_refuse_gives_way_too(tmp_path):
    saved(tmp_path, {"modbus_address": 9})
    write(tmp_path, content({**PACK, "series_cells": 99}, sequence=2), "config_b.json")
    parameters, configuration = loaded(tmp_path)
    assert parameters.value("modbus_address") == 9
    assert configuration.problems[0] == (
        "config_b.json is refused: 'series_cells' must be a whole number from 3 to 32, not 99"
    )
    configuration.save(parameters)
    assert json.loads((tmp_path / "config_b.json").read_text())["sequence"] == 3


def test_a_hand_edited_file_is_refused_until_its_checksum_was_mended(tmp_path):
    saved(tmp_path, {})
    edited = json.loads((tmp_path / "config_a.json").read_text())
    edited["settings"]["series_cells"] = 15
    write(tmp_path, json.dumps(edited))
    _, configuration = loaded(tmp_path)
    expected = crc32(1, edited["settings"])
    assert configuration.problems[0] == (
        "config_a.json does not fit its crc32: it was damaged or edited by hand; if you edited "
        f"it and every value is as you want it, write {expected} into crc32"
    )
    edited["crc32"] = expected
    write(tmp_path, json.dumps(edited, indent=8, sort_keys=True))  # the layout is free
    assert loaded(tmp_path)[0].value("series_cells") == 15


BAD_FILES = {
    "empty": ("", "not JSON"),
    "not text": (b"\xff\xfe\x00", "not JSON"),
    "not JSON": ("{", "not JSON"),
    "a list": ("[1, 2]", "must be an object with format, sequence, settings, crc32"),
    "a number": ("7", "must be an object"),
    "null": ("null", "must be an object"),
    "nothing in it": ("{}", "'format' is missing"),
    "no checksum": (json.dumps(json.loads(content(PACK)) | {"crc32": None}), "crc32"),
    "another key": (content(PACK, comment=1), "holds 'comment', which does not belong there"),
    "another format": (content(PACK, format=0), "is not of format 1, which this firmware writes"),
    "format true": (content(PACK, format=True), "is not of format 1"),
    "sequence 0": (content(PACK, 0), "'sequence' must be a whole number from 1 on"),
    "sequence text": (content(PACK, sequence="1"), "'sequence' must be a whole number"),
    "settings a list": (content([1]), "'settings' must be an object of names"),
    "a float": (content({**PACK, "series_cells": 16.0}), "gives 'series_cells' a value that is"),
    "a bool": (content({**PACK, "chemistry": True}), "gives 'chemistry' a value that is not a w"),
    "a text": (content({**PACK, "chemistry": "lfp"}), "gives 'chemistry' a value that is not a w"),
    "nested": (content({**PACK, "chemistry": {"a": [1]}}), "gives 'chemistry' a value"),
    "an unknown name": (content({**PACK, "cells": 16}), "'cells' is not a parameter"),
    "a missing value": (
        content({"chemistry": 0, "series_cells": 4}),
        "'design_capacity_mah' is m",
    ),
    "out of range": (
        content({**PACK, "chemistry": 4}),
        "must be a whole number from 0 to 3, not 4",
    ),
    "a huge number": (
        content({**PACK, "chemistry": 10**40}),
        "must be a whole number from 0 to 3",
    ),
    "a contradiction": (content({**PACK, "full_cell_mv": 3_600}), "'full_cell_mv' (3600) must be"),
    "a name twice": (
        content(PACK).replace('"series_cells": 16', '"series_cells": 15, "series_cells": 16'),
        "gives 'series_cells' twice",
    ),
    "settings twice": (
        content(PACK).replace('"format": 1', '"settings": {}, "format": 1'),
        "gives 'settings' twice",
    ),
    "too large": (content(PACK) + " " * 16_384, "is too large"),
    "nested deeply": ("[" * 8_000 + "]" * 8_000, ""),
    "a name without end": (content({"x" * 15_000: 1}), "..."),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path, case):
    text, reason = BAD_FILES[case]
    write(tmp_path, text)
    _, configuration = loaded(tmp_path)
    assert not configuration.loaded
    problem, advice = configuration.problems
    assert problem.startswith("config_a.json ")
    assert reason in problem
    assert len(problem) < 320
    assert advice.startswith("no valid configuration: on the console, `set` at least chemistry")


def test_micropython_refuses_the_same_files_and_every_damage(tmp_path):
    good = content(PACK).encode()
    dice = random.Random(1)
    files = {f"case {at}": case[0] for at, case in enumerate(BAD_FILES.values())}
    files["keys that are no text"] = '{1: 2, "format": 1}'
    files["settings whose keys are no text"] = content(PACK).replace('"chemistry"', "7")
    for number in range(300):
        at = dice.randrange(len(good))
        files[f"damage {number}"] = good[:at] + dice.randbytes(2) + good[at + dice.randrange(4) :]
    for name, text in files.items():
        (tmp_path / name).mkdir()
        write(tmp_path / name, text)
    run = subprocess.run(
        [MICROPYTHON, HERE / "load_directories.py", tmp_path],
        env={**os.environ, "MICROPYPATH": f".frozen:{LIBRARY}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert {name for name, _, _ in results} == set(files)
    for name, taken, problems in results:
        if taken is None:
            assert len(problems) == 2, name
            assert problems[0].startswith("config_a.json "), name
        else:  # what was damaged was no more than the layout
            assert name.startswith("damage"), name
            assert taken == PACK, name


def test_a_refused_access_code_is_not_shown(tmp_path):
    write(tmp_path, content({**PACK, "access_code": 70_000}))
    assert "70000" not in " ".join(loaded(tmp_path)[1].problems)


def test_a_directory_in_place_of_a_file_is_survived(tmp_path):
    (tmp_path / "config_a.json").mkdir()
    assert "can not be read" in loaded(tmp_path)[1].problems[0]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damage_is_taken_for_a_configuration(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("damage")
    good = content(PACK).encode()
    at = data.draw(st.integers(0, len(good) - 1))
    cut = data.draw(st.integers(0, 3))
    bad = good[:at] + data.draw(st.binary(max_size=4)) + good[at + cut :]
    write(directory, bad)
    parameters, configuration = loaded(directory)
    if configuration.loaded:  # only what has the same meaning may pass
        assert json.loads(bad) == json.loads(good)
        assert parameters.differing() == PACK
    assert len(configuration.problems) <= 3


def test_saving_without_valid_settings_is_refused(tmp_path):
    parameters, configuration = loaded(tmp_path)
    with pytest.raises(ConfigurationError, match="no valid settings to save"):
        configuration.save(parameters)
    assert list(tmp_path.iterdir()) == []


def test_a_flash_that_refuses_leaves_the_settings_before(tmp_path, monkeypatch):
    parameters, configuration = saved(tmp_path, {"modbus_address": 1}, {"modbus_address": 2})
    parameters.load({**PACK, "modbus_address": 3})

    def full(_from, _to):
        raise OSError(28, "ENOSPC")

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", full)
        with pytest.raises(
            ConfigurationError, match=r"refused to write .*ENOSPC.*free some space"
        ):
            configuration.save(parameters)
    assert configuration.unsaved(parameters)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config_a.json", "config_b.json"]
    assert loaded(tmp_path)[0].value("modbus_address") == 2
    configuration.save(parameters)
    assert loaded(tmp_path)[0].value("modbus_address") == 3


def test_a_change_is_unsaved_until_it_is_saved_or_taken_back(tmp_path):
    parameters, configuration = loaded(tmp_path)
    assert not configuration.unsaved(parameters)
    parameters, configuration = saved(tmp_path, {})
    address = parameters.index("modbus_address")
    assert not configuration.unsaved(parameters)
    parameters.change([(address, 5)])
    assert configuration.unsaved(parameters)
    parameters.change([(address, 1)])
    assert not configuration.unsaved(parameters)
    parameters.change([(address, 5)])
    configuration.save(parameters)
    assert not configuration.unsaved(parameters)
