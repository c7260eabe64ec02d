"""What all tests share: where CI runs, nothing may skip."""

import os

import pytest

_skipped = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().skipped:
        _skipped.append(item.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if os.environ.get("CI") and _skipped and session.exitstatus == 0:
        print("\nIn CI nothing may skip, but these did: " + ", ".join(_skipped))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
