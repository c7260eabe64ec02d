"""The page of the mutation tests: what was not run here stays as the page says."""

from host_tests.mutation import report

PAGE = report.PAGE.read_text(encoding="utf-8")


def written(kept, monkeypatch, tmp_path):
    page = tmp_path / "mutation.md"
    page.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(report, "PAGE", page)
    report.show(kept, True)
    return page.read_text(encoding="utf-8")


def test_without_any_run_the_page_stays_as_it_is(monkeypatch, tmp_path):
    assert written({}, monkeypatch, tmp_path) == PAGE


def test_a_run_of_one_module_replaces_its_row_and_its_survivors_only(monkeypatch, tmp_path):
    mutant = {"module": "ramp", "function": "Ramp.step", "line": 1, "was": "a", "now": "b",
              "nth": 1, "tests": 3, "outcome": "killed"}  # fmt: skip
    mutants = [mutant, {**mutant, "was": "c", "outcome": "survived"}]
    page = written({"ramp": {"mutants": mutants, "when": "now"}}, monkeypatch, tmp_path)
    assert "| ramp | 2 | 1 | 1 | 50.0 % | now |" in page
    assert "### ramp\n\n`Ramp.step`: **Not explained yet.**\n\n```diff\n- c\n+ b\n```" in page
    before = {line for line in PAGE.splitlines() if not line.startswith(("| ramp ", "| all "))}
    assert before <= set(page.splitlines())
