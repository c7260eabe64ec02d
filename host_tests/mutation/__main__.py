"""Command line of the mutation tests: `python -m host_tests.mutation --help`; docs/mutation.md.

Works in a copy of the tree, so that others can go on working in this one. Results of earlier runs
are kept in build/mutation/results.json, module by module.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from host_tests.mutation import report
from host_tests.mutation.selection import MODULES

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "mutation"
RESULTS = OUT / "results.json"
_COPIED = ("firmware", "host_tests", "boards", "tools", "pyproject.toml")


def main(arguments=None):
    """Returns the exit code: 0 if enough mutants were killed and every survivor is explained."""
    options = _parse(arguments)
    OUT.mkdir(parents=True, exist_ok=True)
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if not options.report:
        with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
            tree = Path(folder) / "tree"
            _copy(tree)
            for step in _steps(options, kept):
                _merge(kept, step, _run(step, tree, Path(folder)), tree)
                RESULTS.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    return report.show(kept, options.report or set(options.modules) == set(MODULES))


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m host_tests.mutation",
        description="Change the code a little, thousands of times, and see whether a test fails.",
    )
    parser.add_argument("modules", nargs="*", help="modules of bms (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument(
        "--survivors", action="store_true", help="only what survived last time, with all tests"
    )
    parser.add_argument("--quick", action="store_true", help="no second round for survivors")
    parser.add_argument("--slow", action="store_true", help="with the tests that take minutes")
    parser.add_argument("--report", action="store_true", help="run nothing, write docs anew")
    options = parser.parse_args(arguments)
    unknown = set(options.modules) - set(MODULES)
    if unknown:
        parser.error(f"no such module: {', '.join(sorted(unknown))}; choose of {list(MODULES)}")
    options.modules = options.modules or list(MODULES)
    return options


def _steps(options, kept):
    """Plans, module by module: all mutants with a few seconds of tests, then those that survived
    and nobody explained with every test."""
    explained = report.explanations()
    for module in options.modules:
        plan = {
            "modules": [module],
            "jobs": options.jobs,
            "cache": str(OUT / "tests.pickle"),
            "only": None,
            "thorough": False,
            "slow": options.slow,
        }
        if not options.survivors:
            yield plan
        only = [
            key
            for result in kept.get(module, {}).get("mutants", ())
            if result["outcome"] == "survived" and (key := report.key(result)) not in explained
        ]
        if only and not options.quick:
            yield {**plan, "only": only, "thorough": True}


def _copy(tree):
    tree.mkdir()
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, tree / name)


def _run(plan, tree, folder):
    results = folder / "results.json"
    results.write_text("[]", encoding="utf-8")
    path = folder / "plan.json"
    path.write_text(json.dumps({**plan, "results": str(results)}), encoding="utf-8")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COVERAGE_CORE": "ctrace"}
    command = [sys.executable, "-m", "host_tests.mutation.worker", str(path)]
    ended = subprocess.run(command, cwd=tree, env=environment, check=False)
    if ended.returncode not in (0, 5):  # 5: pytest itself ran no test
        raise SystemExit(f"The tests could not be run (pytest's exit code {ended.returncode}).")
    return json.loads(results.read_text(encoding="utf-8"))


def _merge(kept, plan, results, tree):
    """Replace a module's results, or only those of the mutants that met the tests again."""
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    for module in plan["modules"]:
        fresh = [result for result in results if result["module"] == module]
        if plan["only"] is None:
            kept[module] = {"mutants": fresh}
        elif fresh:
            again = {report.key(result): result for result in fresh}
            kept[module]["mutants"] = [
                again.get(report.key(result), result) for result in kept[module]["mutants"]
            ]
        elif not kept.get(module):
            continue
        kept[module]["when"] = now
        kept[module]["source"] = report.source(tree / "firmware" / "lib" / "bms", module)


if __name__ == "__main__":
    sys.exit(main())
