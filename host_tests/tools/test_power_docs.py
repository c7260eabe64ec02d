"""docs/low-power.md says what the code does."""

import re

from cellsteward import generated_docs, power_docs
from host_tests.system import test_low_power


def test_the_page_is_what_the_code_says():
    text = power_docs.generate()
    assert generated_docs.run(power_docs.PAGE, text, ["--check"]) == 0, "run 'make docs'"


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(test_[a-z_]+)`", power_docs.PAGE.read_text(encoding="utf-8")))
    assert named
    assert all(hasattr(test_low_power, name) for name in named)
