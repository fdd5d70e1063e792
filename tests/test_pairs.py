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

PAIRS = """
# A multipart request is answered item by item.
multipart | GET A; GET B; GET C => 200; 200; 200
multipart json | GET A; GET B; GET C => 200; 200; 200
multipart |  =>
multipart | 1: GET A => 1: 200
multipart | GET A => 7: 200
    response-id 0: the response to GET 'A' has the id '7', one that was not sent
# It stops at an error, unless the client or the dialect says otherwise.
multipart | GET A; GET B; GET C => 200; 404
multipart json | GET A; GET B; GET C => 200; 404
multipart | GET A; GET B; GET C => 404; 200; 200 -> response-after-error 1
multipart | GET A; GET B; GET C => 404; 404 -> response-after-error 1
multipart | GET A; GET B; GET C => 399; 400
multipart on | GET A; GET B; GET C => 200; 404; 200
multipart on | GET A; GET B; GET C => 200; 404
    response-missing: there is no response to GET 'C'
multipart 2 | GET A; GET B; GET C => 404; 200; 200
multipart 2 | GET A; GET B; GET C => 404
    response-missing: there is no response to GET 'B' and 1 more
multipart 2 off | GET A; GET B => 404
multipart 2 off | GET A; GET B => 404; 200 -> response-after-error 1
multipart | GET A; { 1: POST B; 2: POST C }; GET D => 200; { 2: 400 }; 200 -> response-after-error 2
multipart | GET A; { 1: POST B; 2: POST C }; GET D => 200; { 2: 400 }
# A 202 at the end is for all that is left.
multipart | GET A; GET B; GET C => 202
multipart | GET A; GET B; GET C => 202; 200
    response-missing: there is no response to GET 'C'
# Otherwise each has a response.
multipart | GET A; GET B; GET C => 200
    response-missing: there is no response to GET 'B' and 1 more
multipart | GET A; GET B; GET C =>
    response-missing: there is no response to GET 'A' and 2 more
multipart | GET A; { 1: POST B; 2: POST C } => 200
    response-missing: there is no response to a change set of 2 operations
multipart | GET A; { 1: POST B } => 200
    response-missing: there is no response to a change set of 1 operation
# None has two.
multipart | GET A => 200; 200; 200 -> response-unexpected 1, response-unexpected 2
# An id that was sent comes back.
multipart | 1: GET A; 2: GET B => 200; 1: 200 -> response-id 0, response-id 1
multipart | GET A; 2: DELETE B => 2: 200; 2: 204
    response-id 0: the response to GET 'A' has the id '2', that of another request
multipart ids_ignore_case=True | Ab: GET A => aB: 200
# A change set is answered with one, whatever the order, or with an error.
multipart | { 1: POST A; 2: POST B } => { 1: 201; 2: 201 }
multipart json | { 1: POST A; 2: POST B } => g{ 1: 201; 2: 201 }
multipart | { 1: POST A; 2: POST B } => { 2: 201; 1: 201 }
multipart | { 1: POST A; 2: POST B } => 404
multipart | { 1: POST A; 2: POST B } => 202
multipart | { 1: POST A; 2: POST B } => { 2: 400 }
multipart | { 1: POST A; 2: POST B } => { 404 }
multipart | { 1: POST A; 2: POST B } => 201 -> change-set-success-single 0
multipart | { 1: POST A; 2: POST B } => 1: 399; 2: 201
    change-set-success-single 0, response-unexpected 1
multipart | GET A => { 1: 201; 2: 201 } -> response-structure 0
# Its members have the ids of their requests.
multipart | { 1: POST A; 2: POST B } => { 1: 200; 200; 3: 200 }
    response-id 0.1: a response in a change set has no id
    response-unexpected 0.2: no operation of this change set has the id '3'
multipart | { 1: POST A; 2: POST B } => { 1: 400; 400 } -> response-id 0.1
multipart ids_ignore_case=True | { a: POST A; b: POST B } => { A: 201; B: 201 }
# They are counted by their ids.
multipart | { 1: POST A; 2: POST B } => { 1: 200 }
    response-missing 0: 1 of 2 operations have a response
multipart | { 1: POST A; 2: POST B } => { 1: 200; 1: 200 } -> response-missing 0
multipart | { 1: POST A; 2: POST B; 3: POST C } => { 1: 200; 9: 200; 200 }
    response-unexpected 0.1, response-id 0.2, response-missing 0
# An id is asked for only where one was sent.
multipart | { POST A; POST B } => { 201; 201 }
multipart | { POST A; POST B } => { 1: 201; 2: 201 }
multipart | { POST A; 2: POST B } => { 201; 201 }
multipart | { POST A; 2: POST B } => { 201 } -> response-missing 0
# A service may answer change sets without their structure.
multipart flat_responses=True | { 1: POST A; 2: POST B }; GET C => 1: 201; 2: 201; 200
multipart flat_responses=True | { 1: POST A; 2: POST B }; GET C => { 1: 201; 2: 201 }; 200
multipart flat_responses=True | { 1: POST A; 2: POST B }; GET C => 1: 201; 2: 201
    response-missing: there is no response to GET 'C'
# A multipart request is answered in JSON by ids where it had them; the others are counted.
multipart json | GET A; 1: GET B; GET C => 200; 200; 1: 200
multipart json | 1: GET A => 200
    response-id 0: a response has no id, expected that of its request
multipart json on | 1: GET A; GET B => 200
    response-missing: there is no response to GET 'A'
multipart json on | GET A; GET B; 1: GET C => 1: 200; 404
    response-missing: there is no response to GET 'B'
multipart json | GET A; GET B; 1: GET C => 404
multipart json | 1: GET A => 2: 200
    response-unexpected 0: no request has the id '2'
    response-missing: there is no response to GET 'A'
# Its change sets are groups of any name.
multipart json | GET A; { 1: POST B; 2: POST C } => 200; 2: 201; x{ 1: 201 }
    response-group 1: the response to POST 'C' has no group
multipart json | 1: GET A; { 2: POST B } => x{ 1: 200; 2: 201 }
    response-group 0.0: the response to GET 'A' has the group 'x'
# A JSON request is answered by ids, in any order.
json | <named> => a: 200; g{ b: 200; c: 200 }; d: 200
json | <named> => d: 200; g{ c: 200; b: 200 }; a: 200
json | <named> => a: 200; g{ b: 200; c: 200 }; d: 202
json | <named> => a: 200; g{ b: 200; c: 200 }
    response-missing: there is no response to GET 'D'
json | <named> => A: 200; a: 200; d: 200; g{ b: 200; c: 200 }
    response-unexpected 0: no request has the id 'A'
json ids_ignore_case=True | <named> => A: 200; d: 200; G{ b: 200; C: 200 }
# It may stop at an error where the client or the service says so.
json | <named> => a: 500
    response-missing: there is no response to POST 'B' and 2 more
json off | <named> => a: 500
json json_stops_on_error=True | <named> => a: 404
json json_stops_on_error=True on | <named> => a: 404
    response-missing: there is no response to POST 'B' and 2 more
# Responses are in the groups of their requests.
json | <named> => a: 200; b: 200; d: 200; h{ c: 200 }
    response-group 1
    response-group 3.0: the group of POST 'C' is 'g', here it is 'h'
json | <named> => g{ a: 200; b: 200; c: 200 }; d: 200
    response-group 0.0: the group of GET 'A' is none, here it is 'g'
# What others depend on is not accepted for later.
json | <named> => a: 202; g{ b: 200; c: 200 }; d: 200 -> accepted-with-dependents 0
json ids_ignore_case=True | a: GET A; b: GET B after A => A: 202; b: 200
    accepted-with-dependents 0
# A multipart response to it is flat and has all ids.
json multipart | <named> => a: 200; b: 200; c: 200; d: 200
json multipart | <named> => a: 200; 200; d: 200; { b: 200; c: 200 }
    response-id 1: a response to a JSON request has no Content-ID
    response-structure 3.0: found a change set in the response to a JSON request
    response-structure 3.1
json multipart | <named> => a: 200; 202
json multipart | GET A; GET B => 200; 202; 200 -> response-id 0, response-id 1, response-id 2
# Those without an id may be those that seem to be missing.
json multipart | <named> => a: 200; 200; 200; 200 -> response-id 1, response-id 2, response-id 3
json multipart | <named> => a: 200; 200; 200
    response-id 1, response-id 2
    response-missing: there is no response to POST 'B' and 2 more
"""


@cases(PAIRS, named="a: GET A; g{ b: POST B; c: POST C }; d: GET D after a")
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


def test_a_request_is_a_batch_request() -> None:
    with pytest.raises(TypeError, match="request is a BatchRequest, not str"):
        check_response(b"", JSON, request="GET A")  # type: ignore[arg-type]  # wrong on purpose
