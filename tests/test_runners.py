"""The runners of `spec-fixtures/`, in Python and in JavaScript, over this package.

`python -m tests.test_runners` answers the questions that they ask.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from docs.corpus import archive
from odata_batch import Headers, Limits

from .corpora import CORPUS, Json, Row, dialect
from .test_fixtures import BY_SLUG, CASES, Case, decoded, listed

PROGRAMS = {"run.mjs": shutil.which("node")}
runners = pytest.mark.parametrize("name", ["run.py", "run.mjs"])


def summary(name: str, *command: str) -> tuple[str, int]:
    """Return the last line that a runner prints about a command, and its exit status."""
    program = PROGRAMS.get(name, sys.executable)
    if program is None:
        pytest.skip("Node is not installed")
    run = [program, str(CORPUS / name), sys.executable, *command]
    done = subprocess.run(run, cwd=CORPUS.parent, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.splitlines()[-1], done.returncode


@runners
def test_this_package_answers_as_the_manifest_says(name: str) -> None:
    found = summary(name, "-m", "tests.test_runners")
    assert found == (f"{3 * len(CASES)} as expected, 0 not, 0 without an answer", 0)


def test_this_package_answers_as_the_readings_say() -> None:
    found, status = summary("readings.py", "-m", "tests.test_runners")
    assert (found.partition(" ")[2], status) == ("as expected, 0 not, 0 without an answer", 0)


@runners
def test_a_runner_tells_wrong_answers_and_none(name: str) -> None:
    refuse = """'{"verdict": "reject"}' if 'true' in line[:40] else '{"error": {}}'"""
    verdicts = [case.expectation[mode] for case in CASES for mode in ("default", "strict")]
    right, wrong = (verdicts.count(verdict) for verdict in ("reject", "accept"))
    answers = f"for line in open(0): print('{{}}' if 'check' in line[:20] else {refuse})"
    found = summary(name, "-c", answers)
    assert found == (f"{right} as expected, {wrong} not, {len(CASES)} without an answer", 1)


def test_an_archive_of_the_corpus_has_the_same_octets_each_time(tmp_path: Path) -> None:
    first, second = (archive(tmp_path / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as tar:
        tar.extractall(tmp_path, filter="data")
    found = tmp_path / first.name.removesuffix(".tar.gz")
    silent = [sys.executable, "-c", "for line in open(0): print('{}')"]
    run = [sys.executable, str(found / "run.py"), "--only", "wrapped-json", *silent]
    done = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=False)
    told = "0 as expected, 0 not, 3 without an answer\n"
    assert (done.stdout, done.returncode) == (f"response json: {told}{told}", 1)


def case_of(question: Row) -> Case:
    """Return the case of a question, and remember it."""
    row = dict(question)
    if "request" in row:
        row["request"] = case_of(row["request"]).slug
    case = Case(
        row=row,
        format=question["format"],
        is_request=question["kind"] == "request",
        body=base64.b64decode(question["body"]),
        content_type=question["content_type"],
        headers=Headers([(name, value) for name, value in question["headers"]]),
        limits=Limits(**question.get("limits", {})),
        dialect=dialect(question),
    )
    BY_SLUG[case.slug] = case
    return case


def answer(question: Row) -> Json:
    case = case_of(question)
    if question["do"] == "check":
        report = case.check()
        return {"diagnostics": listed(report.diagnostics, ""), "omitted": report.omitted}
    verdict, found = decoded(case, strict=question["strict"])
    if question["strict"] and isinstance(found, dict):
        found.pop("position", None)  # a rule alone is compared
    return {"value" if verdict == "accept" else "error": found}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))))
