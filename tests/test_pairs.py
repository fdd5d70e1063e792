"""What is wrong between a response and its request; every finding with its place and message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from odata_batch import BatchRequest, BatchResponse, check_request, check_response

from .batches import Case, as_expected, cases, line, payload, request, response
from .helpers import FORMATS, JSON, MULTIPART, Format, batch, part

RULES = {
    *("response-missing", "response-unexpected", "response-id", "response-structure"),
    *("response-group", "response-after-error", "change-set-success-single"),
    "accepted-with-dependents",
}


def found(
    asked: BatchRequest, answered: BatchResponse, formats: list[Format], **options: Any
) -> list[str]:
    """Return what is wrong between the two, in lines; the formats are those of both, in order."""
    body, content_type = payload(answered, formats[-1], made_up=False)
    options |= {"request": asked, "request_format": formats[0]}
    report = check_response(body, content_type, **options)
    return [line(each) for each in report.diagnostics if each.rule.slug in RULES]


# The shape of a case is told in `batches`: words, what is asked, what is answered, findings. The
# formats are those of request and response.


@cases("pairs")
def test_pairs(case: Case) -> None:
    asked, _, answered = case.text.partition("=>")
    wanted = True if "on" in case.words else False if "off" in case.words else None
    batch = replace(request(asked.strip()), continue_on_error=wanted)
    formats: list[Format] = [word for word in case.words if word in FORMATS]
    lines = found(batch, response(answered.strip()), formats, dialect=case.dialect)
    assert as_expected(lines, case.expected) == [*case.expected]


@pytest.mark.parametrize(
    ("asked", "answer", "formats"),
    [
        ("GET A; GET B", response("200", truncated=True), ["multipart"]),
        ("{ 1: POST A; 2: POST B }", response("{ 2: 200 }", truncated=True), ["multipart"]),
        ("GET A; GET B", response("200", next_link="$batch?skip=1"), ["multipart", "json"]),
        ("1: GET A; 2: GET B", response("1: 200", next_link="$batch?skip=1"), ["json"]),
    ],
)
def test_nothing_is_missing_where_more_may_come(
    asked: str, answer: BatchResponse, formats: list[Format]
) -> None:
    assert found(request(asked), answer, formats) == []
    whole = replace(answer, truncated=False, next_link=None)
    assert "response-missing" in str(found(request(asked), whole, formats))


def test_the_format_of_the_request_is_that_of_the_response_unless_told() -> None:
    body = b'{"responses":[{"id":"1","status":200}]}'
    asked = request("GET A; GET B")
    assert [str(each) for each in check_response(body, JSON, request=asked).diagnostics] == [
        "warning[response-missing] at byte 0: there is no response to GET 'B'"
    ]
    assert check_response(body, JSON).diagnostics == ()
    body = batch(part(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert check_response(body, MULTIPART, request=request("GET A")).diagnostics == ()
    report = check_response(body, MULTIPART, request=request("GET A"), request_format="json")
    assert [str(each) for each in report.diagnostics] == [
        "warning[response-id] at byte 5 in items[0]: a response to a JSON request has no Content-ID"
    ]


def test_nothing_is_compared_where_items_could_not_be_read() -> None:
    body = batch(part(b"HTTP/1.1 20x OK\r\n\r\n"), part(b"HTTP/1.1 200 OK\r\n\r\n"))
    report = check_response(body, MULTIPART, request=request("GET A; GET B"))
    assert [each.rule.slug for each in report.diagnostics] == ["status-line-syntax"]


def test_a_response_is_missing_to_what_could_not_be_read() -> None:
    asked = check_request(batch(part(b"GET HTTP/1.1\r\n\r\n", head=b"")), MULTIPART).value
    report = check_response(b"--b--\r\n", MULTIPART, request=asked)
    assert "there is no response to the operation that could not be read" in [
        each.message for each in report.diagnostics
    ]
