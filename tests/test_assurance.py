"""Every promise has a test: the table behind docs/assurance.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from docs.assurance import PAGE, ROOT, promises

ROWS = [(file, row) for file, rows in promises().items() for row in rows]


def spelt(file: str) -> str:
    return re.sub(r"\s+", " ", (ROOT / file).read_text("utf-8"))


@pytest.mark.parametrize(("file", "row"), ROWS, ids=lambda each: str(each)[:60])
def test_a_promise_is_made_and_has_tests(file: str, row: dict[str, Any]) -> None:
    assert row["promise"] in spelt(file)
    assert row["promise"] in PAGE.read_text("utf-8")
    assert row["tests"]
    for test in row["tests"]:
        module, _, name = test.partition("::")
        text = Path(ROOT, "tests", module).read_text("utf-8")
        assert f"def {name.partition('[')[0]}" in text, test
        assert f"`{test.rpartition('::')[2]}` 0" not in PAGE.read_text("utf-8")


def test_no_promise_of_security_is_without_a_test() -> None:
    text = spelt("SECURITY.md").partition("## What it promises")[2].partition("## What remains")[0]
    for _, row in ROWS:
        text = text.replace(str(row["promise"]), "")
    left = re.sub(
        r"\*\*[^*]+\*\*|More, with the rule or the test that shows it, is in \S+", "", text
    )
    assert not left.strip()
