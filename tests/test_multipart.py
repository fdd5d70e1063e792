"""The multipart format as it is written: octets, boundaries, and what it cannot carry."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    EncodeError,
    Limits,
    Operation,
    OperationResponse,
    RequestDecoder,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)

from .batches import request, response
from .helpers import CRLF, MULTIPART, PART_HEAD, batch, change_set, member, part

A_B = {"Content-Type": "a/b"}
WITH_ID = PART_HEAD + b"Content-ID: 2\r\n"
NUL = Operation("POST", "People", A_B, b"\x00\r\n", id="1")
REQUEST = BatchRequest(
    [*request("GET People [Accept: a/b]").items, ChangeSet([NUL]), Operation.delete("x", id="2")]
)
RESPONSE = BatchResponse([ChangeSetResponse([OperationResponse(204, id="1")])])


def derived(boundary: str, index: int, attempt: int, prefix: str = "changeset") -> str:
    """Return the boundary that is derived for a change set."""
    digest = hashlib.sha256(f"{boundary}/{index}/{attempt}".encode()).hexdigest()
    return f"{prefix}_{digest[:32]}"


def written(request: BatchRequest, boundary: str = "b") -> bytes:
    return encode_request(request, format="multipart", boundary=boundary).body


def refusals(request: BatchRequest | BatchResponse, boundary: str | None = None) -> list[str]:
    """Return what is said when the batch is not written."""
    with pytest.raises(EncodeError) as caught:
        if isinstance(request, BatchRequest):
            encode_request(request, format="multipart", boundary=boundary)
        else:
            encode_response(request, format="multipart", boundary=boundary)
    return [f"{each.rule.slug}: {each.message}" for each in caught.value.diagnostics]


def test_a_request_is_written_octet_by_octet() -> None:
    inner = derived("b", 0, 0).encode()
    body = b"POST People HTTP/1.1\r\nContent-Type: a/b\r\n\r\n\x00\r\n"
    expected = batch(
        part(b"GET People HTTP/1.1\r\nAccept: a/b\r\n\r\n"),
        b"--b\r\nContent-Type: multipart/mixed; boundary=" + inner + CRLF * 2,
        member(body, boundary=inner),
        b"--" + inner + b"--\r\n\r\n",
        part(b"DELETE x HTTP/1.1\r\n\r\n", head=WITH_ID),
    )
    assert written(REQUEST) == expected


def test_a_response_is_written_with_boundaries_of_its_own() -> None:
    inner = derived("r", 0, 0, "changesetresponse").encode()
    message = b"HTTP/1.1 204 No Content\r\n\r\n"
    expected = change_set(member(message, boundary=inner), boundary=inner, outer=b"r")
    expected = expected.removesuffix(CRLF) + CRLF * 2 + b"--r--\r\n"
    assert encode_response(RESPONSE, format="multipart", boundary="r").body == expected


def test_a_content_id_is_written_where_it_was_found() -> None:
    message = b"HTTP/1.1 204 No Content\r\nA: b\r\nContent-ID: 1\r\n\r\n"
    data = batch(part(message), part(message.replace(b"Content-ID: 1\r\n", b""), head=WITH_ID))
    response = decode_response(data, MULTIPART)
    assert [each.id for each in response.responses()] == ["1", "2"]
    assert encode_response(response, format="multipart", boundary="b").body == data


def test_change_sets_nest_as_deep_as_the_limit() -> None:
    value = request("{ 1: DELETE x; { 2: DELETE x } }")
    limits = Limits(change_set_depth=2)
    payload = encode_request(value, format="multipart", limits=limits)
    assert decode_request(payload.body, payload.content_type, limits=limits) == value


def test_items_know_where_they_begin() -> None:
    data = batch(part(), change_set(member(b"DELETE x HTTP/1.1\r\n\r\n")), part())
    read, start = decode_request(data, MULTIPART), data.index(b"--c\r\n")
    assert [each.position for each in read.items] == [5, start, data.rindex(b"--b\r\n") + 5]
    assert read.operations()[1].position == start + 5


def test_items_are_checked_once_however_many_come_at_once() -> None:
    body = written(BatchRequest([Operation.get("A", id=str(number)) for number in range(300)]))
    decoder = RequestDecoder(MULTIPART, strict=True)
    items = [*decoder.receive_data(body[:9000]), *decoder.receive_data(body[9000:])]
    assert [*items, *decoder.receive_eof()] == [*decode_request(body, MULTIPART).items]


def test_boundaries_are_random_unless_one_is_given() -> None:
    requests = [encode_request(REQUEST, format="multipart") for _ in range(2)]
    responses = [encode_response(RESPONSE, format="multipart") for _ in range(2)]
    for suffix, made in (("", requests), ("response", responses)):
        first, second = (payload.content_type for payload in made)
        prefix = f"multipart/mixed; boundary=batch{suffix}_"
        assert first != second
        assert first.startswith(prefix) and len(first) == len(prefix) + 32
        assert f"boundary=changeset{suffix}_".encode() in made[0].body


def test_every_change_set_has_a_boundary_of_its_own() -> None:
    body = written(request("{ 1: DELETE x }; { 2: DELETE x }; { 3: DELETE x }"))
    assert all(f"boundary={derived('b', index, 0)}".encode() in body for index in range(3))


def holding(boundaries: list[str]) -> BatchRequest:
    """Return a batch with a change set whose content holds these boundaries after hyphens."""
    body = b"".join(b"--" + boundary.encode() for boundary in boundaries)
    return BatchRequest([ChangeSet([Operation("POST", "x", A_B, body, id="1")])])


def test_a_derived_boundary_that_occurs_in_the_content_is_passed_over() -> None:
    taken = [derived("b", 0, attempt) for attempt in range(8)]
    payload = encode_request(holding(taken[:7]), format="multipart", boundary="b")
    assert f"boundary={derived('b', 0, 7)}\r\n".encode() in payload.body
    assert decode_request(payload.body, payload.content_type, strict=True) == holding(taken[:7])
    expected = f"boundary-in-content: '--{taken[7]}' occurs in the content"
    assert refusals(holding(taken), "b") == [expected]


@pytest.mark.parametrize("body", [b"--b", b"x--b", b"\r\n--b\r\n", b"--bb"])
def test_content_that_holds_the_boundary_is_refused(body: bytes) -> None:
    operation = Operation("POST", "x", A_B, body)
    expected = "boundary-in-content: '--b' occurs in the content"
    assert refusals(BatchRequest([operation]), "b") == [expected]


def test_the_boundary_of_the_batch_may_not_begin_that_of_a_change_set() -> None:
    expected = "boundary-in-content: '--changeset' occurs in the content"
    assert refusals(REQUEST, "changeset") == [expected]


@pytest.mark.parametrize(
    ("boundary", "spelling"),
    [
        *(("b", "b"), ("a.b_c-1'+", "a.b_c-1'+"), ("a b", '"a b"'), ("a/b", '"a/b"')),
        *(("(a,b):=?", '"(a,b):=?"'), ("b" * 70, "b" * 70)),
    ],
)
def test_a_boundary_is_quoted_where_it_is_no_token(boundary: str, spelling: str) -> None:
    payload = encode_request(REQUEST, format="multipart", boundary=boundary)
    assert payload.content_type == f"multipart/mixed; boundary={spelling}"
    decoded = decode_request(
        payload.body, payload.content_type, headers=payload.headers, strict=True
    )
    assert decoded == REQUEST


EXPECTED = "expected digits, letters, '()+_,-./:=? and spaces"
TOO_LONG = "boundary-characters: the boundary has 71 characters, at most 70 are allowed"


@pytest.mark.parametrize("boundary", ["", "b ", "b;", 'b"', "b\r\n", "\xe9", "\u0661" * 60])
def test_an_illegal_boundary_is_refused(boundary: str) -> None:
    expected = f"boundary-characters: found the boundary {boundary!r}, {EXPECTED}"
    assert refusals(REQUEST, boundary) == [expected]


def test_a_boundary_is_no_longer_than_the_limit() -> None:
    assert refusals(REQUEST, "b" * 71) == [TOO_LONG]
    assert refusals(REQUEST, "\u0661" * 71) == [
        f"boundary-characters: found the boundary '{chr(0x661) * 60}'..., {EXPECTED}",
        TOO_LONG,
    ]


NO = "a multipart batch cannot carry"
NOTE = [("@a", b"1")]
NOTED = replace(request("DELETE z if $1").operations()[0], annotations=(*NOTE,))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (request(""), ["a multipart batch has at least one item"]),
        (request("GET x", annotations=NOTE), [f"{NO} the annotation '@a'"]),
        (request("1: GET x; { 2: DELETE y after 1 }"), [f"{NO} depends_on"]),
        (BatchRequest([NOTED]), [f"{NO} the annotation '@a'", f"{NO} condition"]),
        (response("204", next_link="x", truncated=True), [f"{NO} next_link", f"{NO} truncated"]),
        (
            BatchResponse([ChangeSetResponse([OperationResponse(204, annotations=NOTE)])]),
            [f"{NO} the annotation '@a'"],
        ),
    ],
)
def test_what_multipart_cannot_carry_is_refused(
    value: BatchRequest | BatchResponse, expected: list[str]
) -> None:
    found = [each.partition(": ") for each in refusals(value)]
    assert [message for _, _, message in found] == expected
    assert {slug for slug, _, _ in found} <= {"not-expressible", "no-parts"}
