"""Parts and change sets as they are read: places, identifiers, partial results, what is cut off."""

from __future__ import annotations

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    Diagnostic,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Report,
    Unreadable,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)

from .helpers import (
    MULTIPART,
    PART_HEAD,
    batch,
    change_set,
    checked_request,
    checked_response,
    member,
    part,
)

DELETE = b"DELETE x HTTP/1.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
X = Operation.delete("x")


def listed(report: Report[BatchRequest] | Report[BatchResponse]) -> list[str]:
    """Return all findings as text, without their severities."""
    return [told(each) for each in report.diagnostics]


def told(found: Diagnostic) -> str:
    path = f" in {found.path}" if found.path else ""
    return f"{found.rule.slug}@{found.position}{path}: {found.message}"


def slugs(report: Report[BatchRequest] | Report[BatchResponse]) -> str:
    return " ".join(each.rule.slug for each in report.diagnostics)


def marked(data: bytes) -> tuple[bytes, int]:
    """Return the data without its mark, which is "^", and the position of the mark."""
    before, _, after = data.partition(b"^")
    return before + after, len(before)


# -- what a batch looks like --


def test_a_request_is_read_with_all_its_operations() -> None:
    body = b"POST /People HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nJos\xe9\r\n"
    data = batch(part(), change_set(member(body), member(DELETE, b"2")), part(DELETE))
    post = Operation("POST", "/People", {"Content-Type": "text/plain"}, b"Jos\xe9\r\n", id="1")
    change = ChangeSet([post, Operation.delete("x", id="2")])
    for content, notes in ((data, ""), (data.replace(b"\r\n", b"\n"), "line-feed")):
        report = checked_request(content)
        assert report.value is not None
        assert report.value.items[0] == Operation.get("People")
        assert [item.id for item in report.value.operations()] == [None, "1", "2", None]
        assert slugs(report) == notes
    report = checked_request(data)
    assert report.value == BatchRequest([Operation.get("People"), change, X])
    assert [item.position for item in report.value.items] == [5, data.index(b"--c\r\n"), 421]
    assert [each.position for each in report.value.operations()][1] == data.index(b"--c\r\n") + 5


def test_a_response_is_read_with_all_its_items() -> None:
    created = b"HTTP/1.1 201 Created\r\nLocation: x\r\n\r\n"
    report = checked_response(
        batch(part(OK), change_set(member(created), member(NO_CONTENT, b"2")))
    )
    first, second = (
        OperationResponse(201, {"Location": "x"}, id="1"),
        OperationResponse(204, id="2"),
    )
    assert report.value == BatchResponse(
        [OperationResponse(200), ChangeSetResponse([first, second])]
    )
    assert [each.reason for each in report.value.responses()] == ["OK", "Created", "No Content"]
    assert report.diagnostics == ()


# -- one part --


def test_damage_in_one_part_is_reported_and_the_next_part_is_read() -> None:
    broken = member(b"^x\r\n\r\n", b"2")
    members = change_set(member(DELETE), broken, member(DELETE, b"3"))
    data, position = marked(batch(part(), members, part(DELETE)))
    report = checked_request(data)
    first, third = Operation.delete("x", id="1"), Operation.delete("x", id="3")
    change = ChangeSet([first, Unreadable("operation", id="2"), third])
    assert report.value == BatchRequest([Operation.get("People"), change, X])
    message = "found 'x', expected a method and a URL"
    assert listed(report) == [f"request-line-syntax@{position} in items[1].items[1]: {message}"]
    with pytest.raises(DecodeError) as caught:
        decode_request(data, MULTIPART)
    assert (caught.value.path, caught.value.position) == ("items[1].items[1]", position)
    assert caught.value.partial == (Operation.get("People"),)


# -- Content-ID --


def test_a_content_id_is_written_where_it_was_found() -> None:
    message = b"HTTP/1.1 204 No Content\r\nA: b\r\nContent-ID: 1\r\n\r\n"
    data = batch(part(message), part(NO_CONTENT, head=PART_HEAD + b"Content-ID: 2\r\n"))
    response = decode_response(data, MULTIPART)
    assert [each.id for each in response.responses()] == ["1", "2"]
    assert encode_response(response, format="multipart", boundary="b").body == data


# -- change sets --


def test_a_change_set_may_have_as_many_operations_as_the_limit() -> None:
    data = batch(change_set(member(DELETE), member(DELETE, b"2")))
    request = decode_request(data, MULTIPART, limits=Limits(change_set_operations=2))
    assert len(request.operations()) == 2
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, MULTIPART, limits=Limits(change_set_operations=1))
    assert (caught.value.limit, caught.value.path) == ("change_set_operations", "items[0]")
    assert caught.value.position == data.index(b"Content-ID: 2") - len(PART_HEAD)


# -- change sets in change sets --

INNER = change_set(
    member(DELETE, b"2", boundary=b"d"),
    member(DELETE, b"3", boundary=b"d"),
    boundary=b"d",
    outer=b"c",
)
NESTED = batch(change_set(member(DELETE), INNER, member(DELETE, b"4")), part())


def test_change_sets_nest_as_deep_as_the_limit() -> None:
    first, second, third, fourth = (Operation.delete("x", id=id) for id in "1234")
    people = Operation.get("People")
    report = checked_request(NESTED, splits=100)
    assert report.value == BatchRequest(
        [ChangeSet([first, Unreadable("change set"), fourth]), people]
    )
    message = f"nested-change-set@{NESTED.index(b'--d')} in items[0].items[1]: found a change set"
    assert listed(report) == [f"{message} at depth 2"]
    expected = BatchRequest([ChangeSet([first, ChangeSet([second, third]), fourth]), people])
    limits = Limits(change_set_depth=2)
    report = checked_request(NESTED, limits=limits, splits=100)
    assert (report.value, report.diagnostics) == (expected, ())
    payload = encode_request(expected, format="multipart", limits=limits)
    assert decode_request(payload.body, payload.content_type, limits=limits) == expected
    report = checked_request(NESTED, limits=Limits(change_set_depth=0), splits=8)
    assert report.value == BatchRequest([Unreadable("change set"), people])
    assert [each.message for each in report.diagnostics] == ["found a change set at depth 1"]
