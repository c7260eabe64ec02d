"""Runs mutants inside pytest: collects the tests once, then forks a process for every mutant.

Started by `host_tests.mutation` in a copy of the tree: `python -m host_tests.mutation.worker
PLAN`, a JSON file. Nothing is ever written into the code: a mutant lives in the memory of its
process. A process that uses several times the processor time that a test needs is ended by the
kernel: that mutant counts as killed, too.
"""

import gc
import hashlib
import importlib
import json
import math
import os
import pickle
import resource
import signal
import sys
import time
from pathlib import Path

import coverage
import hypothesis
import pytest
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from host_tests.mutation.mutants import mutants_of, source_of, unchanged
from host_tests.mutation.selection import FIRST_S, LEFT_OUT, LENT, MODULES, SLOW
from host_tests.mutation.transplant import importers, lend, load, transplant

ROOT = Path.cwd()
BMS = ROOT / "firmware" / "lib" / "bms"
TESTS = ROOT / "host_tests" / "bms"
_SURVIVED, _KILLED, _BROKEN = 0, 1, 2  # exit codes of a mutant's process
_CPU_FACTOR, _CPU_MIN_S = 4, 3
_SHARED_S = 60  # in thorough runs a test may also have to make what its file shares
_MEMORY_MAX = 8 << 30


def main():
    """Reads the plan, runs it, writes its results."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # The same examples for every mutant, and no search for the smallest one.
    hypothesis.settings.register_profile(
        "mutation",
        derandomize=True,
        deadline=None,
        database=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutation")
    out = LEFT_OUT if plan["slow"] else LEFT_OUT + SLOW
    files = [str(path) for path in sorted(TESTS.glob("test_*.py")) if path.stem not in out]
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:timeout", "-o", "addopts=",
               "--import-mode=importlib", "--no-header", "--no-summary"]  # fmt: skip
    return pytest.main([*options, *files], plugins=[Run(plan)])


class Run:
    """A pytest plugin whose test loop is the whole run."""

    def __init__(self, plan):
        self._plan = plan
        self._failed = False
        self._results = []

    def pytest_runtest_logreport(self, report):
        """Called in a mutant's process."""
        if report.failed:
            self._failed = True

    def pytest_runtestloop(self, session):
        """Baseline, then all mutants."""
        self._items = session.items
        for module in self._plan["modules"]:
            importlib.import_module(f"bms.{module}")
        self._baseline = {}
        self._find_tests()
        self._users = importers(ROOT)
        mutants = []
        self._sources = {}
        for module in self._plan["modules"]:
            self._sources[module] = (BMS / f"{module}.py").read_text(encoding="utf-8")
            mutants.append(unchanged(module, self._sources[module]))
            mutants += mutants_of(module, self._sources[module])
        if self._plan["only"] is not None:
            only = {tuple(key) for key in self._plan["only"]}
            mutants = [mutant for mutant in mutants if mutant.key in only or not mutant.operator]
        gc.collect()
        gc.freeze()
        self._run_all(mutants)
        return True

    def _find_tests(self):
        """What is known of every test: whether it passes unmutated, its time, its lines."""
        cache = Path(self._plan["cache"])
        known = pickle.loads(cache.read_bytes()) if cache.exists() else {}
        shared = _digest(sorted(BMS.glob("*.py")) + sorted(TESTS.glob("[!t]*.py")))
        digests = {item.path: shared + _digest([item.path]) for item in self._items}
        todo = [item for item in self._items if digests[item.path] not in known]
        self._trace_all(todo)
        for item in todo:
            file = known.setdefault(digests[item.path], {})
            file[item.nodeid] = self._baseline[item.nodeid]
        for digest in digests.values():
            self._baseline.update(known[digest])
        cache.write_bytes(pickle.dumps({digest: known[digest] for digest in digests.values()}))
        failing = sorted(name for name, test in self._baseline.items() if not test["passed"])
        if failing:
            print("Not used, because they fail without any mutation:", *failing, sep="\n  ")

    def _trace_all(self, items):
        running = {}
        for job in range(self._plan["jobs"]):
            path = ROOT / f"baseline-{job}"
            pid = os.fork()
            if pid == 0:
                self._silence()
                try:
                    path.write_bytes(pickle.dumps(self._trace(items[job :: self._plan["jobs"]])))
                finally:
                    os._exit(0)
            running[pid] = path
        while running:
            pid, _ = os.wait()
            self._baseline.update(pickle.loads(running.pop(pid).read_bytes()))

    def _trace(self, items):
        include = [f"{BMS}/{module}.py" for module in MODULES]
        tracer = coverage.Coverage(data_file=None, include=include, config_file=False)
        tracer.start()
        found = {}
        for item in items:
            tracer.switch_context(item.nodeid)
            self._failed = False
            start = time.process_time()
            self._run_items([item])
            used_s = time.process_time() - start
            found[item.nodeid] = {"passed": not self._failed, "s": used_s, "lines": {}}
        tracer.stop()
        data = tracer.get_data()
        for path in data.measured_files():
            module = Path(path).stem
            for line, contexts in data.contexts_by_lineno(path).items():
                for context in contexts:
                    if context in found:
                        found[context]["lines"].setdefault(module, set()).add(line)
        return found

    def _tests_for(self, mutant):
        """Tests that may notice, in the order in which they run."""
        lines = set(mutant.lines)
        own = MODULES[mutant.module]
        chosen = []
        for item in self._items:
            test = self._baseline[item.nodeid]
            hit = lines & test["lines"].get(mutant.module, set())
            if test["passed"] and (hit or (not mutant.function and item.path.stem in own)):
                file = item.path.stem
                place = file not in own
                chosen.append((place, test["s"], item.nodeid, item))
        chosen.sort(key=lambda row: row[:3])
        items, total_s = [], 0
        for _, used_s, _, item in chosen:
            if not self._plan["thorough"] and total_s + used_s > FIRST_S:
                continue
            items.append(item)
            total_s += used_s
        return items

    def _run_all(self, mutants):
        running = {}
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns) as progress:
            task = progress.add_task(self._plan["modules"][0], total=len(mutants))
            waiting = list(reversed(mutants))
            while waiting or running:
                while waiting and len(running) < self._plan["jobs"]:
                    self._start(waiting.pop(), running)
                pid, status, usage = os.wait4(-1, 0)
                mutant = self._note(*running.pop(pid), status, usage)
                progress.advance(task)
                survivors = sum(result["outcome"] == "survived" for result in self._results)
                progress.update(task, description=f"{mutant.module}, {survivors} survive")

    def _start(self, mutant, running):
        items = self._tests_for(mutant)
        path = ROOT / f"killer-{len(self._results)}-{mutant.line}-{time.monotonic_ns()}"
        pid = os.fork()
        if pid == 0:
            self._silence()
            code = _BROKEN
            try:
                code = self._be(mutant, items, path)
            finally:
                os._exit(code)
        running[pid] = (mutant, len(items), path)

    def _be(self, mutant, items, path):
        """Be the mutant: the exit code of its process."""
        self._allow(_CPU_MIN_S)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MAX, _MEMORY_MAX))
        name, text = f"bms.{mutant.module}", self._sources[mutant.module]
        if mutant.operator:
            text = source_of(mutant, text)
        try:
            module = load(name, text)
        except Exception as failure:
            path.write_text(f"import: {failure}", encoding="utf-8")
            return _KILLED
        if mutant.module in LENT:
            lend(name, text)
        else:
            transplant(name, module, self._users)
        self._failed = False
        killer = self._run_items(items, bounded=True)
        if killer is None:
            return _SURVIVED
        path.write_text(killer, encoding="utf-8")
        return _KILLED

    def _allow(self, seconds):
        """From now on this process may use so much processor time, and no more."""
        limit_s = math.ceil(time.process_time() + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, resource.RLIM_INFINITY))

    def _run_items(self, items, bounded=False):
        """Node of the first test that fails, or None."""
        for index, item in enumerate(items):
            if bounded:
                least_s = _SHARED_S if self._plan["thorough"] else _CPU_MIN_S
                self._allow(max(least_s, _CPU_FACTOR * self._baseline[item.nodeid]["s"]))
            following = items[index + 1] if index + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return item.nodeid
        return None

    def _silence(self):
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)

    def _note(self, mutant, tests, path, status, usage):
        killer = path.read_text(encoding="utf-8") if path.exists() else ""
        if os.WIFSIGNALED(status):
            over = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
            outcome = "timeout" if over else "broken"
        else:
            code = os.WEXITSTATUS(status)
            outcome = {_SURVIVED: "survived", _KILLED: "killed"}.get(code, "broken")
        if not mutant.operator:
            if outcome != "survived":
                print(f"{mutant.module} fails without any mutation: {killer or outcome}")
                os._exit(1)
            return mutant
        self._results.append(
            {
                "module": mutant.module, "function": mutant.function, "line": mutant.line,
                "operator": mutant.operator, "was": mutant.was, "now": mutant.now,
                "nth": mutant.nth, "outcome": outcome, "by": killer, "tests": tests,
                "s": round(usage.ru_utime + usage.ru_stime, 2),
            }
        )  # fmt: skip
        Path(self._plan["results"]).write_text(json.dumps(self._results), encoding="utf-8")
        return mutant


def _digest(paths):
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
