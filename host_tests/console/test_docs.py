"""The generated parts of the docs say what the code says."""

import re

import pytest

from bms.parameters import Parameters
from cellsteward import (
    ROOT,
    build_docs,
    commissioning_docs,
    console_docs,
    generated_docs,
    limit_docs,
    links_docs,
    parameter_docs,
    point_docs,
)
from storage.configuration import Configuration

GENERATORS = (
    build_docs,
    commissioning_docs,
    console_docs,
    limit_docs,
    links_docs,
    parameter_docs,
    point_docs,
)


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.PAGE.name)
def test_the_page_is_what_the_code_says(generator):
    text = generator.generate()
    assert generated_docs.run(generator.PAGE, text, ["--check"]) == 0, "run 'make docs'"


def test_make_docs_runs_every_generator():
    recipe = (ROOT / "Makefile").read_text().split("\ndocs:")[1].split("\n\n")[0]
    generators = {
        source.stem
        for source in (ROOT / "tools" / "cellsteward").glob("*.py")
        if "--check]" in source.read_text(encoding="utf-8")
    }
    assert "fault_docs" in generators
    assert not generators - set(re.findall(r"\w+", recipe))


def test_a_stale_page_is_found_and_left_alone(capsys):
    before = console_docs.PAGE.read_text(encoding="utf-8")
    assert generated_docs.run(console_docs.PAGE, before + "more", ["--check"]) == 1
    assert "docs/console.md is not what the code says" in capsys.readouterr().err
    assert console_docs.PAGE.read_text(encoding="utf-8") == before


def test_a_page_without_its_marker_is_named():
    with pytest.raises(generated_docs.MarkerError, match="<!-- generated: commands -->"):
        generated_docs.with_parts("# A page", {"commands": "text"})


def test_a_generated_part_replaces_only_what_stands_between_its_markers():
    page = "a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb\n"
    once = generated_docs.with_parts(page, {"x": "new"})
    assert once == "a\n<!-- generated: x -->\n\nnew\n\n<!-- end: x -->\nb\n"
    assert generated_docs.with_parts(once, {"x": "new"}) == once


def test_the_example_of_a_configuration_file_is_a_valid_one(tmp_path):
    page = console_docs.PAGE.read_text(encoding="utf-8")
    example = page.split("```json\n")[1].split("```")[0]
    (tmp_path / "config_a.json").write_text(example)
    parameters = Parameters()
    assert Configuration(str(tmp_path)).load(parameters)
    assert parameters.value("design_capacity_mah") == 280_000
