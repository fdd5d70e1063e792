"""The value that an encoder writes: what is filled in, and what is left out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    EncodeError,
    Headers,
    Operation,
    OperationResponse,
    RequestEncoder,
    ResponseEncoder,
    decode_request,
    decode_response,
    prepare,
)
from odata_batch.dialects import GRAPH, ODATA_4_01
from odata_batch.strategies import batch_requests, batch_responses

from .batches import Case, cases, request, response
from .helpers import (
    CRLF,
    FORMATS,
    JSON,
    MULTIPART,
    PART_HEAD,
    Format,
    batch,
    change_set,
    member,
    part,
)

WITH_LENGTH = replace(ODATA_4_01, content_length=True)

# The shape of a case is told in `batches`: words, a batch, and what it is prepared to.


@cases("prepared")
def test_a_batch_is_prepared(case: Case) -> None:
    before, _, after = (each.strip() for each in case.text.partition("=>"))
    for format in case.formats:
        if "response" in case.words:
            answer = prepare(response(before), format=format, dialect=case.dialect)
            assert repr(answer) == repr(response(after))
        else:
            asked = prepare(request(before), format=format, dialect=case.dialect)
            assert repr(asked) == repr(request(after))


@pytest.mark.parametrize(
    "operation",
    [
        *("GET $1/Orders", "GET Orders?$filter=$1", "GET a [If-Match: $1]", "GET a after 1"),
        *("GET a [If-Match: *] [if-match: $1]", "GET a [If-None-Match: $1]", "GET a if $1/Age"),
        'POST a = {"Customer@odata.bind":"$1"}',
        "POST a = \xff$1\xff",
    ],
)
def test_a_generated_id_is_not_one_that_is_referred_to(operation: str) -> None:
    for text in (f"GET b; x: {operation}", f"x: {operation}; GET b"):
        ids = [each.id for each in prepare(request(text), format="json").operations()]
        assert sorted(map(str, ids)) == ["2", "x"]
    text = f"{{ DELETE b }}; {{ x: {operation} }}"
    assert [each.id for each in prepare(request(text)).operations()] == ["2", "x"]


@pytest.mark.parametrize("format", ["xml", "JSON", ""])
def test_another_format_is_a_value_error(format: str) -> None:
    with pytest.raises(ValueError) as caught:
        prepare(BatchRequest([]), format=format)  # type: ignore[arg-type] # that is the point
    assert str(caught.value) == f"format is 'multipart' or 'json', not {format!r}"


def test_multipart_is_the_default() -> None:
    batch = BatchRequest([Operation.get("a"), ChangeSet([Operation.delete("b")], id="g1")])
    assert prepare(batch) == prepare(batch, format="multipart")


@pytest.mark.parametrize("format", FORMATS)
def test_what_belongs_to_the_batch_is_kept(format: Format) -> None:
    request = BatchRequest([], continue_on_error=False, annotations=[("x", b"1")])
    # Olingo takes the preference for true whatever its value, and in multipart it is the default.
    goes_on = None if format == "multipart" else False
    assert prepare(request, format=format) == replace(request, continue_on_error=goes_on)
    response = BatchResponse([], next_link="next", truncated=True, annotations=[("x", b"1")])
    assert prepare(response, format=format) == response


def test_a_batch_that_comes_item_by_item_avoids_the_ids_that_it_has_seen() -> None:
    encoder = RequestEncoder(format="json")
    items = request("1: PUT a [content-type: text/plain] = $4; GET b; { 3: GET c; GET d }").items
    sent = b"".join([*map(encoder.send, items), encoder.close()])
    ids = [each.id for each in decode_request(sent, JSON).operations()]
    assert ids == ["1", "2", "3", "5"]
    answers = ResponseEncoder(format="json")
    sent = b"".join([*map(answers.send, response("2: 200; 200; 200").items), answers.close()])
    assert [each.id for each in decode_response(sent, JSON).responses()] == ["2", None, None]


# -- bodies ----------------------------------------------------------------------------------------


def content(
    headers: dict[str, str], body: bytes, *, format: Format = "json"
) -> tuple[Headers, bytes]:
    """Return headers and body of a prepared request, which are those of a response, too."""
    (operation,) = prepare(
        BatchRequest([Operation("PUT", "a", headers, body, id="1")]), format=format
    ).operations()
    (response,) = prepare(
        BatchResponse([OperationResponse(200, headers, body, id="1")]), format=format
    ).responses()
    assert response.body == operation.body
    return response.headers, operation.body


@pytest.mark.parametrize(
    ("media_type", "body", "expected"),
    [
        *(
            (media_type, body, b"{}")
            for media_type in (
                None,
                JSON,
                "APPLICATION/JSON; charset=utf-8",
                "application/problem+json",
            )
            for body in (b"{}\n", b" {}", b"\r\n\t {} \t\r\n", b"{}")
        ),
        *(
            (media_type, body, body)
            for media_type in ("text/plain", "application/octet-stream", "text/json", "?")
            for body in (b"{}\n", b" {}")
        ),
        *(
            (JSON, body, body)
            for body in (b"", b" ", b"\r\n", b"{ }", b"\x0b{}", b"{}\0", b"\xa0{}")
        ),
    ],
)
def test_white_space_around_a_json_body_is_left_out_in_json(
    media_type: str | None, body: bytes, expected: bytes
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    assert content(headers, body) == (Headers(headers), expected)
    assert content(headers, body, format="multipart") == (Headers(headers), body)


def test_in_base64_the_white_space_around_a_json_body_stays() -> None:
    dialect = replace(GRAPH, json_bodies="base64")
    operation = Operation("POST", "a", {"content-type": JSON}, b" {}\r\n", id="1")
    (found,) = prepare(BatchRequest([operation]), format="json", dialect=dialect).operations()
    assert found is operation


# -- laws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_an_item_that_is_complete_is_the_same_object(format: Format) -> None:
    operation = Operation.put("a", headers={"Content-Type": "application/json"}, body=b"{}", id="1")
    assert prepare(BatchRequest([operation]), format=format).items[0] is operation
    response = OperationResponse(200, {"A": "1"}, b"{}", id="1")
    assert prepare(BatchResponse([response]), format=format).items[0] is response


def test_places_and_reasons_are_kept() -> None:
    head = b"Content-ID: 1" + CRLF
    inside = part(b"DELETE a HTTP/1.1\r\n" + head + CRLF, head=PART_HEAD, boundary=b"c")
    data = batch(change_set(inside))
    asked = decode_request(data, MULTIPART)
    (before,), (after,) = asked.items, prepare(asked, format="json").items
    assert isinstance(before, ChangeSet) and isinstance(after, ChangeSet)
    assert after.position == before.position is not None
    ((inner,), (kept,)) = before.operations(), after.operations()
    assert (kept.position, kept.id_in_message) == (inner.position, inner.id_in_message)
    assert (kept.position is not None, kept.id_in_message) == (True, True)
    data = batch(change_set(member(b"HTTP/1.1 200 Fine\r\n\r\n", None)))
    answered = prepare(decode_response(data, MULTIPART), format="json")
    (answer,) = answered.items
    assert isinstance(answer, ChangeSetResponse)
    assert answer.position == before.position
    (leaf,) = answer.responses()
    assert (leaf.id, leaf.position, leaf.reason) == (None, inner.position, "Fine")


@given(batch_requests("both"), batch_responses("both"))
def test_preparing_twice_changes_nothing_more_and_not_what_is_given(
    asked: BatchRequest, answered: BatchResponse
) -> None:
    before = copy.deepcopy((asked, answered))
    for format in FORMATS:
        for dialect in (ODATA_4_01, WITH_LENGTH):
            request = prepare(asked, format=format, dialect=dialect)
            assert prepare(request, format=format, dialect=dialect) == request
            response = prepare(answered, format=format, dialect=dialect)
            assert prepare(response, format=format, dialect=dialect) == response
    assert (asked, answered) == before


@given(batch_requests("json", max_items=3))
def test_a_prepared_json_request_has_unique_ids_and_stays_as_it_is(batch: BatchRequest) -> None:
    once = prepare(batch, format="json")
    assert prepare(once, format="json") == once
    used = [operation.id for operation in once.operations()]
    used += [item.id for item in once.items if isinstance(item, ChangeSet)]
    assert None not in used
    assert len(set(used)) == len(used)


# -- change sets in change sets --------------------------------------------------------------------


def nested(depth: int, text: str = "DELETE a") -> str:
    return "{ " * depth + text + " }" * depth


def depths(batch: BatchRequest | BatchResponse) -> Iterator[int]:
    """Yield how deep the items nest."""
    for item in batch.items:
        depth = 0
        while isinstance(item, ChangeSet | ChangeSetResponse):
            item, depth = item.items[0], depth + 1
        yield depth


@pytest.mark.parametrize("format", FORMATS)
def test_as_deep_as_limits_allow_is_prepared(format: Format) -> None:
    assert [*depths(prepare(request(nested(32)), format=format))] == [32]
    assert [*depths(prepare(response(nested(32, "204")), format=format))] == [32]


@pytest.mark.parametrize(
    "item",
    [
        "DELETE $1/Photo",
        "DELETE a after 1",
        "DELETE a [If-Match: $1]",
        "DELETE a after x if $1/x",
        "DELETE a?$filter=$1/c",
        'POST a [content-type: application/json] = {"A@odata.bind":"$1"}',
        "{ DELETE $1/Photo }",
    ],
)
def test_what_comes_item_by_item_does_not_mean_what_was_generated(item: str) -> None:
    encoder = RequestEncoder(format="json")
    encoder.send(Operation.delete("People(7)"))
    with pytest.raises(EncodeError, match=r"duplicate-id.*items\[1\]: the id '1' was generated"):
        encoder.send(request(item).items[0])
    others = RequestEncoder(format="json")
    others.send(Operation.delete("People(7)"))
    price = 'POST a [content-type: application/json] = {"Price":"$1"}'
    others.send(request(f"10: {price}").items[0])
    others.send(Operation.delete("$10/Photo", id="11"))
