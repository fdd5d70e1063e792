"""What became of a batch by the HTTP answer to it, whatever that is, and what the service says."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from odata_batch import (
    BatchFailed,
    BatchRequest,
    BatchResult,
    ChangeSet,
    Codec,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    Outcome,
    ServiceError,
    State,
    outcomes,
    retry_after,
)
from odata_batch.dialects import ASPNET

from .helpers import CRLF, JSON, MULTIPART, PART_HEAD, batch, change_set, member, part

ASKED = BatchRequest([Operation.get("People", id="1"), Operation.delete("People(1)", id="2")])
OK = b"HTTP/1.1 200 OK\r\n\r\n"
GONE = b"HTTP/1.1 404 Not Found\r\n\r\n"
ERROR = b'{"error":{"code":"E1","message":"no"}}'
BAD = b"HTTP/1.1 400 Bad\r\n\r\n"
PAGE = b"<html><title>Bad Gateway</title></html>"
WRAPPED = MULTIPART.encode() + CRLF + CRLF + batch(part(OK), part(GONE))
IN_JSON = b'{"responses":[{"id":"1","status":200},{"id":"2","status":404}]}'


def states(result: BatchResult) -> str:
    return " ".join(each.state.name for each in result)


# -- any answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "body", "expected"),
    [
        (200, {"Content-Type": MULTIPART}, batch(part(OK), part(GONE)), "SUCCEEDED FAILED"),
        (202, {"content-type": MULTIPART}, batch(part(OK), part(GONE)), "SUCCEEDED FAILED"),
        (400, {"Content-Type": MULTIPART}, batch(part(OK), part(GONE)), "SUCCEEDED FAILED"),
        (200, {"Content-Type": JSON}, IN_JSON, "SUCCEEDED FAILED"),
        # An error of the service, of a proxy, of a gateway
        (400, {"Content-Type": JSON}, ERROR, "FAILED FAILED"),
        (500, {"Content-Type": JSON}, ERROR, "UNKNOWN UNKNOWN"),
        (200, {"Content-Type": JSON}, ERROR, "UNKNOWN UNKNOWN"),
        (400, {"Content-Type": JSON}, b"[]", "FAILED FAILED"),
        (400, {"Content-Type": "application/xml"}, b"<error/>", "FAILED FAILED"),
        (502, {"Content-Type": "text/html"}, PAGE, "UNKNOWN UNKNOWN"),
        (200, {"Content-Type": "text/html"}, PAGE, "UNKNOWN UNKNOWN"),
        (403, {"Content-Type": "text/html"}, PAGE, "FAILED FAILED"),
        (401, {}, b"", "FAILED FAILED"),
        (408, {}, b"", "UNKNOWN UNKNOWN"),
        (302, {"Location": "https://login"}, b"", "UNKNOWN UNKNOWN"),
        (200, {}, b"", "UNKNOWN UNKNOWN"),
        # The whole batch was accepted.
        (202, {"Location": "m/1"}, b"", "PENDING PENDING"),
        (202, {"Location": "m/1", "Content-Type": "text/plain"}, b"wait", "PENDING PENDING"),
        (202, {}, b"", "UNKNOWN UNKNOWN"),
        # Something is wrong with it.
        (400, {"Content-Type": "multipart/mixed"}, b"--b--", "UNKNOWN UNKNOWN"),
        (400, {"Content-Type": MULTIPART}, b"nothing of the kind", "UNKNOWN UNKNOWN"),
        (400, {"Content-Type": JSON}, IN_JSON[:-9], "SUCCEEDED UNKNOWN"),
        (200, {"Content-Type": MULTIPART}, part(OK) + part(GONE)[:-2], "SUCCEEDED UNKNOWN"),
        (200, {"Content-Type": MULTIPART}, b"x\n" + batch(part(OK), part(GONE)), "UNKNOWN UNKNOWN"),
        (200, {"Content-Type": MULTIPART}, batch(part(OK)) + b"--b-", "UNKNOWN UNKNOWN"),
    ],
)
def test_any_answer_tells_something(
    status: int, fields: dict[str, str], body: bytes, expected: str
) -> None:
    result = outcomes(ASKED, status, fields, body)
    assert states(result) == expected
    assert result.answer is not None
    assert (result.answer.status, result.answer.headers) == (status, Headers(fields))
    assert Codec().outcomes(ASKED, status, fields, body) == result


def test_what_is_no_batch_is_the_answer_to_each_operation() -> None:
    fields = {"Content-Type": JSON, "Retry-After": "7"}
    result = outcomes(ASKED, 429, fields, ERROR)
    assert [each.response for each in result] == [result.answer] * 2
    assert result.answer == OperationResponse(429, fields, ERROR)
    assert result.statuses == {"1": 429, "2": 429}
    assert {each.error for each in result} == {ServiceError("E1", "no")}
    assert retry_after(result) == 7
    pending = outcomes(ASKED, 202, {"Location": "m/1", "Retry-After": "3"})
    assert [each.location for each in pending] == ["m/1", "m/1"]
    assert (retry_after(pending), pending.statuses) == (3, {"1": 202, "2": 202})


def test_the_retry_after_of_the_answer_counts_beside_those_within() -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 2\r\n\r\n"
    fields = {"Content-Type": MULTIPART, "Retry-After": "9"}
    result = outcomes(ASKED, 200, fields, batch(part(OK), part(busy)))
    assert retry_after(result) == 9
    assert result.answer == OperationResponse(200, fields)
    assert pickle.loads(pickle.dumps(result)) == result


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (b"200 OK\r\nContent-Type: " + WRAPPED, "SUCCEEDED FAILED"),
        (b"200 OK\r\nContent-Type: application/json\r\n\r\n" + IN_JSON, "SUCCEEDED FAILED"),
        (b"400 Bad\r\nContent-Type: application/json\r\n\r\n" + ERROR, "FAILED FAILED"),
        (b"202 Accepted\r\nLocation: m/2\r\n\r\n", "PENDING PENDING"),
        (b"200 OK\r\nContent-Type: application/http\r\n\r\n" + BAD, "UNKNOWN UNKNOWN"),
        (b"2x0 OK\r\n\r\n", "UNKNOWN UNKNOWN"),
    ],
)
def test_an_answer_may_be_wrapped(inner: bytes, expected: str) -> None:
    fields = {"Content-Type": "application/http", "Retry-After": "4"}
    result = outcomes(ASKED, 200, fields, b"HTTP/1.1 " + inner)
    assert states(result) == expected
    assert result.answer is not None
    assert retry_after(result) == 4
    if inner[:3].isdigit():
        assert result.answer.status == int(inner[:3])


def test_the_result_of_a_batch_may_have_its_status_in_a_field() -> None:
    for value, expected in {"400": "FAILED FAILED", "4e2": "UNKNOWN UNKNOWN"}.items():
        assert states(outcomes(ASKED, 200, {"AsyncResult": value})) == expected


def test_a_wrapped_answer_that_exceeds_a_limit_tells_nothing() -> None:
    fields = {"Content-Type": "application/http"}
    result = outcomes(ASKED, 200, fields, b"HTTP/1.1 400 Bad\r\n\r\n12", limits=Limits(body=1))
    assert states(result) == "UNKNOWN UNKNOWN"


# -- what is doubtful in a batch ------------------------------------------------------------------


def multipart(*parts: bytes, asked: BatchRequest = ASKED, **options: Any) -> str:
    return states(outcomes(asked, 200, {"Content-Type": MULTIPART}, batch(*parts), **options))


def test_a_response_with_an_error_is_doubted() -> None:
    assert multipart(part(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n"), part(GONE)) == "UNKNOWN UNKNOWN"
    assert multipart(part(OK), part(b"HTTP/1.1 404 No\r\nA : b\r\n\r\n")) == "SUCCEEDED UNKNOWN"
    conflict = PART_HEAD + b"Content-ID: 1" + CRLF
    message = b"HTTP/1.1 200 OK\r\nContent-ID: 2\r\n\r\n"
    assert multipart(part(message, head=conflict), part(GONE)) == "UNKNOWN UNKNOWN"


def test_a_warning_is_a_doubt_where_reading_is_strict() -> None:
    wrong = part(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n123")
    two = BatchRequest.independent(ASKED.operations())
    assert multipart(wrong, part(OK), asked=two) == "SUCCEEDED SUCCEEDED"
    assert multipart(wrong, part(OK), asked=two, strict=True) == "UNKNOWN SUCCEEDED"
    refused = part(b"HTTP/1.1 404\r\n\r\n")  # by other readers, but nobody misreads it
    assert multipart(refused, dialect=ASPNET) == "FAILED NOT_EXECUTED"
    assert multipart(refused, dialect=ASPNET, strict=True) == "UNKNOWN UNKNOWN"


def test_a_member_with_an_error_is_doubted() -> None:
    members = [Operation.delete("a", id="1"), Operation.delete("b", id="2")]
    asked = BatchRequest([ChangeSet(members)])
    bad = b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n"
    assert multipart(change_set(member(OK), member(bad, b"2")), asked=asked) == "UNKNOWN UNKNOWN"


def test_where_a_delimiter_may_be_missing_nothing_after_it_is_counted() -> None:
    asked = BatchRequest([*ASKED.operations(), Operation.get("c")])
    merged = part(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx" + CRLF + PART_HEAD + CRLF + OK)
    assert multipart(merged, part(GONE), asked=asked) == "SUCCEEDED UNKNOWN UNKNOWN"
    hidden = part(b"HTTP/1.1 200 OK\r\n\r\nx" + CRLF + PART_HEAD + CRLF + OK)
    assert multipart(hidden, part(GONE), asked=asked) == "SUCCEEDED UNKNOWN UNKNOWN"
    one = Operation.delete("a", id="1")
    asked = BatchRequest([ChangeSet([one]), ChangeSet([replace(one, id="2")]), Operation.get("c")])
    sets = change_set(member(OK)) + change_set(member(OK, b"2")).replace(b"--b", b"x-b")
    assert multipart(sets, part(GONE), asked=asked) == "SUCCEEDED UNKNOWN UNKNOWN"


# -- what the service says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xef\xbb\xbf" + ERROR, ServiceError("E1", "no")),
        (b'{"error":{"code":"<","message":"a","target":"b"}}', ServiceError("<", "a", "b")),
        (b'{"error":{"code":null,"message":"no","target":1}}', ServiceError("", "no")),
        (b'{"error":{"code":-1,"message":{"lang":"en","value":"no"}}}', ServiceError("-1", "no")),
        (b'{"odata.error":{"code":"E1","message":{"value":"no"}}}', ServiceError("E1", "no")),
        (b'{"error":{"code":"E1","message":[]}}', ServiceError("E1", "")),
        (
            b'<?xml version="1.0"?>\r\n<error xmlns="http://x"><code>E1</code>'
            b'<message xml:lang="en-US">&lt;no&gt; \xff &#38; &#x6e;ever</message>'
            b"<innererror><message>x</message></innererror></error>",
            ServiceError("E1", "<no> \ufffd & never"),
        ),
        (b"<m:error><m:code/><m:message>no</m:message></m:error>", ServiceError("", "no")),
        *(
            (it, None)
            for it in (PAGE, b"", b"[]", b'{"error":"no"}', b'{"error":{}}', b'{"error":')
        ),
        (b'<html><p class="error"><code>x</code></p></html>', None),
        (b'{"value":[]}', None),
        (b'{"error":{"code":"E1","message":"%b"}}' % (b"x" * 70_000), None),
    ],
)
def test_what_the_service_says_of_an_error(body: bytes, expected: ServiceError | None) -> None:
    (operation, *_), failure = ASKED.operations(), OperationResponse(400, body=body)
    failed = Outcome(operation=operation, response=failure, state=State.FAILED, reason="")
    assert failed.error == expected
    kept = replace(failed, response=OperationResponse(200, body=body), state=State.SUCCEEDED)
    assert kept.error is None


def test_a_failed_batch_says_what_the_service_says() -> None:
    answer = b'{"error":{"code":"E1","message":"%b"}}' % (b"x" * 200)
    result = outcomes(ASKED, 400, {"Content-Type": JSON}, answer)
    with pytest.raises(BatchFailed) as caught:
        result.raise_for_failures()
    said = "GET 'People' (id '1') failed: the batch as a whole was refused with 400 "
    assert f"{said}('E1': '{'x' * 120}'...); DELETE" in str(caught.value)
