"""The bulk validators of examples/, over the captured payloads of the project."""

from __future__ import annotations

import json
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

from .helpers import needed

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "spec-fixtures"
CAPTURED = [
    str(path)
    for folder in ("captured", "captures", "invalid")
    for path in sorted((FIXTURES / folder).iterdir())
    if path.suffix != ".json"
]
REQUEST = b"""\
POST /service/$batch HTTP/1.1
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: application/http

GET People HTTP/1.1


--b--
"""


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Yield the name of a file that does not exist yet."""
    yield tmp_path / "capture.http"


def slugs(result: Validated) -> list[str]:
    return [found.rule.slug for found in result.findings]


def test_there_is_something_to_validate() -> None:
    assert len(CAPTURED) > 150


def test_a_validator_finds_nothing_wrong_with_a_good_capture(file: Path) -> None:
    part = b"Content-Type: application/http\n"
    file.write_bytes(crlf(REQUEST.replace(part, part + b"Content-Transfer-Encoding: binary\n")))
    assert validate(str(file)) == Validated(file=str(file))
    assert validate(str(file)).ok


def test_a_validator_finds_what_is_wrong_with_a_bad_capture(file: Path) -> None:
    file.write_bytes(crlf(REQUEST.replace(b"boundary=b", b"boundary=other")))
    result = validate(str(file))
    assert slugs(result) == ["no-delimiter"]
    assert not result.ok


def test_a_validator_says_why_a_file_cannot_be_read(file: Path) -> None:
    result = validate(str(file))
    assert result.findings == ()
    assert result.error == f"[Errno 2] No such file or directory: {str(file)!r}"
    assert not result.ok


def test_a_validator_holds_a_response_against_its_request(file: Path) -> None:
    request = '{"requests":[{"id":"1","method":"GET","url":"People"}]}'
    response = '{"responses":[{"id":"2","status":200}]}'
    file.write_text(har(request, response), "utf-8")
    assert slugs(validate(str(file))) == ["response-unexpected", "response-missing"]


def test_a_validator_passes_over_what_is_no_batch(file: Path) -> None:
    file.write_text(har("{}", "{}", url="https://host/service/People"), "utf-8")
    assert validate(str(file)) == Validated(file=str(file))


def har(request: str, response: str, url: str = "https://host/service/$batch") -> str:
    """Return a HAR file with one exchange."""
    sent = {
        "method": "POST",
        "url": url,
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "postData": {"mimeType": "application/json", "text": request},
    }
    answered = {
        "status": 200,
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "content": {"mimeType": "application/json", "text": response},
    }
    return json.dumps({"log": {"entries": [{"request": sent, "response": answered}]}})


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
    file.write_bytes(crlf(REQUEST))
    command = [sys.executable, "-W", "error", "-m", "examples.validate_captures", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{file}: note[content-transfer-encoding-missing] at byte 39 in items[0]: the part has no "
        "Content-Transfer-Encoding, expected binary",
        "     1 content-transfer-encoding-missing",
        "1 files, 0 with errors",
    ]
