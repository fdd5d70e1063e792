"""The bulk validators of examples/, over the captured payloads of the project."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from examples.validate_captures import Validated, report, validate
from odata_batch import Diagnostic
from odata_batch.rules import NO_DELIMITER, PREAMBLE

from .command_line import BROKEN, CLEAN, NO_CONTENT, NOTED, har
from .helpers import batch, needed, part

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "spec-fixtures"
CAPTURED = [
    str(path)
    for folder in ("captured", "captures", "invalid")
    for path in sorted((FIXTURES / folder).iterdir())
    if path.suffix != ".json"
]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Yield the name of a file that does not exist yet."""
    yield tmp_path / "capture.http"


def test_there_is_something_to_validate() -> None:
    assert len(CAPTURED) > 150


@pytest.mark.parametrize(
    ("data", "slugs", "ok"),
    [
        (CLEAN, [], True),
        (BROKEN, ["no-delimiter"], False),
        # A response is held against its request.
        (har((batch(part(), part()), batch(NO_CONTENT))), ["response-missing"], True),
        # What is no batch is passed over.
        (har(), [], True),
    ],
)
def test_a_validator_finds_what_is_wrong(
    data: bytes, slugs: list[str], ok: bool, file: Path
) -> None:
    file.write_bytes(data)
    result = validate(str(file))
    assert ([found.rule.slug for found in result.findings], result.ok) == (slugs, ok)
    assert slugs or result == Validated(file=str(file))


def test_a_validator_says_why_a_file_cannot_be_read(file: Path) -> None:
    result = validate(str(file))
    assert result.findings == ()
    assert result.error == f"[Errno 2] No such file or directory: {str(file)!r}"
    assert not result.ok


def test_results_of_a_validator_pickle() -> None:
    results = [validate(file) for file in CAPTURED]
    assert pickle.loads(pickle.dumps(results)) == results


def test_a_report_counts_how_often_a_rule_is_broken() -> None:
    found = Diagnostic(NO_DELIMITER, "none", 0), Diagnostic(PREAMBLE, "found 'x'", 0)
    results = [
        Validated(file="a", findings=found),
        Validated(file="b", findings=found[1:]),
        Validated(file="c", error="gone"),
    ]
    assert list(report(results)) == [
        "a: error[no-delimiter] at byte 0: none",
        "a: note[preamble] at byte 0: found 'x'",
        "b: note[preamble] at byte 0: found 'x'",
        "c: gone",
        "     2 preamble",
        "     1 no-delimiter",
        "3 files, 2 with errors",
    ]


def test_processes_validate_as_one_does() -> None:
    files = CAPTURED[::10]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(validate, files, chunksize=8)) == [validate(file) for file in files]


def test_dask_validates_as_one_process_does() -> None:
    needed("dask.bag")
    from examples.validate_dask import validate_all

    results = validate_all(CAPTURED, scheduler="synchronous")
    assert results == [validate(file) for file in CAPTURED]


def test_a_validator_is_a_program(file: Path) -> None:
    file.write_bytes(NOTED)
    command = [sys.executable, "-W", "error", "-m", "examples.validate_captures", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{file}: note[request-line-spaces] at byte 74 in items[0]: found superfluous spaces in "
        "'GET  People HTTP/1.1'",
        "     1 request-line-spaces",
        "1 files, 0 with errors",
    ]
