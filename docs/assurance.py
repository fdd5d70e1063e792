"""Run the tests behind each promise, and write what became of them to docs/assurance.md.

`python docs/assurance.py` needs a few minutes. The promises and their tests are in
tests/assurance.json; `make check` compares the page with them, but for what was counted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import Limits

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "assurance.json"
PAGE = ROOT / "docs" / "assurance.md"
HEAD = """# Assurance

What this library promises, sentence by sentence, and the tests that show it, with the number of
cases that were passed when `make assurance` wrote this page. Where a test is missing or fails, it
writes none. No sentence of [SECURITY.md](../SECURITY.md) is without a test.
"""
LIMITS = """
## Limits

What is one more than a limit is refused, and what is as large is read. Each limit has a message of
[the corpus](../spec-fixtures/README.md) that exceeds it.

| limit | default | messages that exceed it |
|---|---|---|
"""


def promises() -> dict[str, list[dict[str, Any]]]:
    """Return the promises by the file that makes them."""
    found: dict[str, list[dict[str, Any]]] = json.loads(TABLE.read_text("utf-8"))
    return found


def passed(tests: set[str]) -> Counter[str]:
    """Run tests; return how many cases of each were passed, or end the program."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "report.xml")
        names = sorted(f"tests/{test}" for test in tests)
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", f"--junitxml={report}"]
        done = subprocess.run([*command, *names], cwd=ROOT, check=False)
        if done.returncode:
            sys.exit(f"the tests did not pass ({done.returncode})")
        cases = ElementTree.parse(report).iter("testcase")
        ids = [
            f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
            for case in cases
            if case.find("skipped") is None
        ]
    return Counter(test for test in tests for id in ids if covers(test, id.removeprefix("tests/")))


def covers(test: str, id: str) -> bool:
    """Tell whether a case is one of a test, which may be a whole file."""
    file, _, name = test.partition("::")
    is_named = re.fullmatch(rf"{re.escape(name)}(\[.*\])?", id.rpartition("::")[2], re.DOTALL)
    stem = file.removesuffix(".py")
    return id.startswith(stem) and (not name or is_named is not None)


def page(counts: Counter[str]) -> str:
    """Return the page."""
    blocks = [HEAD]
    for file, rows in promises().items():
        blocks.append(f"\n## {file}\n\n| promise | tests, and cases passed |\n|---|---|\n")
        for row in rows:
            tests = [f"`{test.rpartition('::')[2]}` {counts[test]}" for test in row["tests"]]
            tests += [f"figures: {row['measured']}"] if "measured" in row else []
            blocks.append(f"| {row['promise']} | {'<br>'.join(tests)} |\n")
    blocks.append(LIMITS)
    for field in fields(Limits):
        slugs = (path.stem for path in (ROOT / "spec-fixtures" / "invalid").glob("*.http"))
        name = f"limit-exceeded-{field.name.replace('_', '-')}"
        found = sorted(slug for slug in slugs if slug in (name, f"{name}-json"))
        links = [f"[{slug}](../spec-fixtures/invalid/{slug}.http)" for slug in found]
        blocks.append(
            f"| `{field.name}` | {getattr(Limits(), field.name):,} | {', '.join(links)} |\n"
        )
    return "".join(blocks)


def main() -> None:
    """Write the page."""
    tests = {test for rows in promises().values() for row in rows for test in row["tests"]}
    PAGE.write_text(page(passed(tests)), "utf-8")


if __name__ == "__main__":
    main()
