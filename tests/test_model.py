"""The values: what they take, what they refuse, what equals what."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import pytest

import odata_batch
from odata_batch import (
    BatchError,
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    Headers,
    Operation,
    OperationResponse,
    Payload,
    capture,
    decode_request,
    decode_response,
    match,
    strategies,
)

from .batches import Batch, Item, table
from .helpers import CRLF, MULTIPART, PART_HEAD, batch, change_set, part

Value = Item | Batch | Payload

OPERATION = Operation(
    "PATCH",
    "People('\udcff')",
    [("A", "1"), ("a", "2")],
    b"\0\xff'\"",
    id="1",
    depends_on=["2", "g1"],
    condition="$1/Age gt 4",
    annotations=[("@a.b", b"[1.10]")],
)
RESPONSE = OperationResponse(
    404, {"A": "\xe9"}, b"gone", id="1", reason="Not here", annotations=[("x", b"1")]
)
NOTE = [("x", b"{}")]
GROUP, ANSWERS = ChangeSet([OPERATION]), ChangeSetResponse([RESPONSE])
VALUES: list[Value] = [
    *(Operation.get("People"), OPERATION, OperationResponse(200), RESPONSE),
    *(ChangeSet([]), ChangeSet([OPERATION, GROUP], id="g1")),
    *(ChangeSetResponse([]), ChangeSetResponse([RESPONSE, ANSWERS], id="g1")),
    BatchRequest([]),
    BatchRequest([OPERATION, GROUP], continue_on_error=False, annotations=NOTE),
    BatchResponse([]),
    BatchResponse([RESPONSE, ANSWERS], next_link="next", truncated=True, annotations=NOTE),
    Payload(b"{}", {"Content-Type": "application/json"}),
]


# -- construction --------------------------------------------------------------------------------


def test_what_comes_first_is_taken_by_position_and_the_rest_has_defaults() -> None:
    nothing = {"id": None, "annotations": ()}
    headers = Headers({"A": "1"})
    for value, expected in (
        (
            Operation("POST", "People", {"A": "1"}, b"{}"),
            {"method": "POST", "url": "People", "headers": headers, "body": b"{}"},
        ),
        (
            Operation("GET", "People"),
            {"headers": Headers(), "body": b"", "depends_on": (), "condition": None, **nothing},
        ),
        (
            OperationResponse(200, {"A": "1"}, b"{}"),
            {"status": 200, "headers": headers, "body": b"{}"},
        ),
        (OperationResponse(204), {"headers": Headers(), "body": b"", "reason": None, **nothing}),
        (ChangeSet([]), {"id": None}),
        (ChangeSetResponse([]), {"id": None}),
        (BatchRequest([]), {"continue_on_error": None, "annotations": ()}),
        (BatchResponse([]), {"next_link": None, "truncated": False, "annotations": ()}),
    ):
        assert {name: getattr(value, name) for name in expected} == expected


def test_the_rest_is_given_by_keyword() -> None:
    for call in (
        *('Operation("GET", "a", {}, b"", "1")', 'OperationResponse(200, {}, b"", "1")'),
        *('ChangeSet([], "g1")', 'ChangeSetResponse([], "g1")'),
        *("BatchRequest([], True)", 'BatchResponse([], "next")'),
    ):
        with pytest.raises(TypeError, match="positional argument"):
            eval(call)


def test_what_the_caller_gives_becomes_tuples_and_headers() -> None:
    operation = Operation(
        "GET", "a", {"A": "1"}, depends_on=iter(["1", "2"]), annotations=[("x", b"1")]
    )
    assert type(operation.headers) is Headers
    assert operation.depends_on == ("1", "2")
    assert operation.annotations == (("x", b"1"),)
    assert ChangeSet(iter([operation])).items == (operation,)
    assert BatchRequest([operation], annotations=[("x", b"1")]).annotations == (("x", b"1"),)
    response = OperationResponse(200, [("A", "1")], annotations=iter([("x", b"1")]))
    assert type(response.headers) is Headers
    assert response.annotations == (("x", b"1"),)
    assert ChangeSetResponse([response]).items == (response,)
    assert BatchResponse(iter([response]), annotations=[("x", b"1")]).items == (response,)
    assert type(Payload(b"", [("A", "1")]).headers) is Headers
    headers = Headers({"A": "1"})
    assert Operation.get("a", headers=headers).headers is headers
    pair = ["x", b"1"]
    operation = Operation("GET", "a", annotations=[pair])  # type: ignore[list-item] # as JSON has
    assert operation.annotations == (("x", b"1"),)
    names = ["1"]
    operation = Operation.get("a", depends_on=names)
    names.append("2")
    assert operation.depends_on == ("1",)
    status = OperationResponse(HTTPStatus.NOT_FOUND).status
    assert (type(status), status) == (int, 404)


ITEM = Operation.get("a")
ANSWER = OperationResponse(200)
NAMES = {**vars(odata_batch), **globals(), "datetime": datetime}
NAMES |= {"capture": capture, "strategies": strategies}


@pytest.mark.parametrize("text", table("wrong_types"))
def test_what_is_of_a_wrong_type_is_named(text: str) -> None:
    """Each line is what a caller may do who has no type checker, and what is said of it."""
    call, _, message = text.partition(" -> ")
    with pytest.raises((TypeError, ValueError)) as caught:
        eval(call, NAMES)
    assert str(caught.value) == message


ANYTHING = (None, 5, -1, 0.5, True, "\udcff", b"x", [None], {5: ""}, {"x"}, ITEM, ANSWER, Headers())


@pytest.mark.parametrize("text", table("calls"))
def test_whatever_is_passed_the_error_is_a_documented_one(text: str) -> None:
    call = eval(text, NAMES)
    for place in (*range(len(call.args)), *call.keywords):
        for wrong in ANYTHING:
            arguments = [wrong if each == place else value for each, value in enumerate(call.args)]
            with suppress(BatchError, TypeError, ValueError, RuntimeError):
                call.func(
                    *arguments, **call.keywords | ({place: wrong} if place in call.keywords else {})
                )


# -- constructors that people type ---------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "PUT", "DELETE"])
def test_a_constructor_names_the_method(method: str) -> None:
    constructor = getattr(Operation, method.lower())
    assert constructor("a") == Operation(method, "a")
    operation = constructor("a", headers={"A": "1"}, id="1", depends_on=["2"])
    assert operation == Operation(method, "a", [("A", "1")], id="1", depends_on=("2",))
    assert constructor("a", body=b" {} \n") == Operation(method, "a", body=b" {} \n")
    value = {"Name": "\xc5sa", "Ages": [1, 2.5, None]}
    operation = constructor("a", headers={"Prefer": "x"}, json=value)
    assert operation.body == '{"Name":"\xc5sa","Ages":[1,2.5,null]}'.encode()
    assert operation.headers.pairs == (("Prefer", "x"), ("Content-Type", "application/json"))
    assert operation.method == method


@pytest.mark.parametrize("value", [{}, [], 0, False, "", 1.5, "text"])
def test_every_json_value_but_null_makes_a_body(value: object) -> None:
    operation = Operation.post("a", json=value)
    assert operation.body == json.dumps(value).encode()
    assert operation.json() == value


def test_a_content_type_is_named_unless_the_caller_has() -> None:
    assert Operation.post("a", json=None).headers == Headers()
    headers = [("content-TYPE", "application/json; charset=utf-8")]
    assert Operation.post("a", headers=headers, json={}).headers.pairs == tuple(headers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"json": {}, "body": b"{}"}, "^a request has either json or body, not both$"),
        *(({"json": [float(each)]}, "not JSON compliant") for each in ("nan", "inf", "-inf")),
        ({"json": "\ud800"}, "surrogates not allowed"),
    ],
)
def test_what_no_body_can_be_is_a_value_error(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Operation.post("a", **options)


@pytest.mark.parametrize("value", [b"x", {1, 2}, object(), {b"x": 1}])
def test_what_json_does_not_know_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        Operation.post("a", json=value)


def test_changes_are_saved_in_one_change_set_or_independently() -> None:
    operations = [Operation.get("a"), Operation.get("b")]
    saved = BatchRequest.single_change_set(iter(operations))
    assert saved == BatchRequest([ChangeSet(operations)], continue_on_error=None)
    saved = BatchRequest.independent(iter(operations))
    assert saved == BatchRequest(operations, continue_on_error=True)


# -- bodies, references, leaves ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "value"),
    [
        *((b"{}", {}), (b' [1, "a\\u00e9", "\xc3\xa9"] \n', [1, "a\xe9", "\xe9"]), (b"null", None)),
        (b"1e400", float("inf")),
    ],
)
def test_a_body_is_parsed_as_json(body: bytes, value: object) -> None:
    assert Operation.post("a", body=body).json() == value
    assert OperationResponse(200, body=body).json() == value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body '' cannot be read as JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{", "the body '{' cannot be read as JSON: Expecting property name enclosed in"),
        (b"{} x", "the body '{} x' cannot be read as JSON: Extra data: line 1 column 4 (char 3)"),
        (b"NaN", "the body 'NaN' cannot be read as JSON: JSON has no NaN"),
        (b"[-Infinity]", "the body '[-Infinity]' cannot be read as JSON: JSON has no -Infinity"),
        (b'"\xff"', "the body '\"\xff\"' cannot be read as JSON: 'utf-8' codec can't decode byte"),
        (b"\xef\xbb\xbf{}", "the body '\\ufeff{}' cannot be read as JSON: Unexpected UTF-8"),
        (b"[" * 200_000, f"the body '{'[' * 60}'... cannot be read as JSON: "),
        (b"1" * 5000, f"the body '{'1' * 60}'... cannot be read as JSON: Exceeds the limit"),
    ],
)
def test_a_body_that_is_not_json_is_a_decode_error(body: bytes, message: str) -> None:
    for value in (Operation.post("a", body=body), OperationResponse(200, body=body)):
        with pytest.raises(DecodeError) as caught:
            value.json()
        assert caught.value.rule.slug == "json-syntax"
        assert caught.value.position is None
        assert caught.value.diagnostic.message.startswith(message)


def test_a_reference_begins_with_the_id() -> None:
    operation = Operation.post("Customers", id="1")
    assert (operation.ref(), operation.ref("Orders")) == ("$1", "$1/Orders")
    with pytest.raises(RuntimeError) as caught:
        Operation.post("Customers").ref("Orders")
    assert str(caught.value) == "an operation without id cannot be referred to; give it one"


@pytest.mark.parametrize(
    ("status", "ok"), [(199, False), (200, True), (299, True), (300, False), (0, False)]
)
def test_a_response_is_ok_from_200_to_299(status: int, ok: bool) -> None:
    assert OperationResponse(status).ok is ok


def test_leaves_are_walked_in_order() -> None:
    a, b, c, d = (Operation.get(name) for name in "abcd")
    group = ChangeSet([b, ChangeSet([ChangeSet([]), c])])
    assert (group.operations(), BatchRequest([]).operations()) == ((b, c), ())
    assert BatchRequest([a, group, d]).operations() == (a, b, c, d)
    e, f, g, h = (OperationResponse(status) for status in (201, 202, 203, 204))
    answers = ChangeSetResponse([f, ChangeSetResponse([ChangeSetResponse([]), g])])
    assert (answers.responses(), BatchResponse([]).responses()) == ((f, g), ())
    assert BatchResponse([e, answers, h]).responses() == (e, f, g, h)


def test_change_sets_nest_no_deeper_than_the_stack_allows() -> None:
    group, answers = ChangeSet([OPERATION]), ChangeSetResponse([RESPONSE])
    for _ in range(31):
        group, answers = ChangeSet([group]), ChangeSetResponse([answers])
    batch, response = BatchRequest([group]), BatchResponse([answers])
    assert (batch.operations(), response.responses()) == ((OPERATION,), (RESPONSE,))
    assert hash(batch) == hash(eval(repr(batch)))
    assert [each.response for each in match(batch, response)] == [RESPONSE]
    with pytest.raises(ValueError, match="change sets nest at most 32 deep, not 33"):
        ChangeSet([group])
    with pytest.raises(ValueError, match="change sets nest at most 32 deep, not 33"):
        ChangeSetResponse([answers])


def test_a_status_can_be_printed() -> None:
    for status in (10**9, -(10**9), 10**5000):  # the last has no `str`
        with pytest.raises(ValueError, match="status has more than nine digits"):
            OperationResponse(status)


def test_a_payload_names_its_content_type() -> None:
    payload = Payload(b"", {"content-type": "multipart/mixed; boundary=b"})
    assert payload.content_type == "multipart/mixed; boundary=b"


# -- equality ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "equal"), [("1, 2", True), ("2, 1", False)])
def test_headers_are_compared_by_what_they_mean(value: str, equal: bool) -> None:
    for make in (partial(Operation, "GET", "a"), partial(OperationResponse, 200)):
        first, second = make(headers=[("A", "1"), ("a", "2")]), make(headers={"a": value})
        assert (first == second) is equal
        assert not equal or hash(first) == hash(second)


def test_the_reason_phrase_takes_no_part() -> None:
    one, two = OperationResponse(200, reason="OK"), OperationResponse(200, reason="Fine")
    assert one == two == OperationResponse(200)
    assert hash(one) == hash(two)


OTHERS: dict[str, Any] = {"headers": Headers(), "body": b"", "id": "3", "annotations": ()}


@pytest.mark.parametrize(
    ("value", "others"),
    [
        (OPERATION, {**OTHERS, "method": "PUT", "url": "a", "depends_on": (), "condition": None}),
        (RESPONSE, {**OTHERS, "status": 400}),
    ],
)
def test_every_other_field_takes_part(
    value: Operation | OperationResponse, others: Mapping[str, Any]
) -> None:
    for name, other in others.items():
        assert replace(value, **{name: other}) != value


def test_values_of_different_kinds_are_not_equal() -> None:
    values: list[object] = [ChangeSet([]), ChangeSetResponse([]), BatchRequest([]), None]
    for index, value in enumerate(values):
        assert all((value == other) == (index == i) for i, other in enumerate(values))


# -- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", VALUES)
def test_a_value_has_no_room_for_more_and_can_be_a_key(value: Value) -> None:
    assert not hasattr(value, "__dict__")
    assert hash(value) == hash(copy.deepcopy(value))


# -- places, copies ------------------------------------------------------------------------------

PLACES = [(50, None), (55, True)] * 2


def placed() -> list[Item]:
    """Return what a decoder makes: items and members of change sets, ids in their own headers."""
    items: list[Item] = []
    for start, decode in (
        (b"DELETE a HTTP/1.1", decode_request),
        (b"HTTP/1.1 204 No Content", decode_response),
    ):
        message = start + CRLF + b"Content-ID: 1" + CRLF * 2
        inner = part(message, head=PART_HEAD, boundary=b"c")
        (group,) = decode(batch(change_set(inner)), MULTIPART).items
        assert isinstance(group, ChangeSet | ChangeSetResponse)
        items += [group, *group.items]
    return items


def places_of(item: object) -> tuple[object, object]:
    return getattr(item, "position", None), getattr(item, "id_in_message", None)


def test_what_was_decoded_has_a_place() -> None:
    assert list(map(places_of, placed())) == PLACES
    operation = Operation.delete("a", id="1")
    response = OperationResponse(204, id="1", reason="No Content")
    plain: list[Item] = [
        *(ChangeSet([operation]), operation),
        *(ChangeSetResponse([response]), response),
    ]
    assert [places_of(each)[0] for each in plain] == [None] * 4
    assert (operation.id_in_message, response.id_in_message) == (False, False)
    for one, two in zip(placed(), plain, strict=True):
        assert (one, hash(one), repr(one)) == (two, hash(two), repr(two))
        again = replace(one)
        assert (again, again.position) == (one, None)


COPIES: list[Callable[[Any], Any]] = [
    *(copy.copy, copy.deepcopy),
    *(
        partial(lambda protocol, value: pickle.loads(pickle.dumps(value, protocol)), protocol)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("copied", COPIES)
def test_copies_keep_places(copied: Callable[[Any], Any]) -> None:
    assert [copied(item) for item in placed()] == placed()
    assert [places_of(copied(item)) for item in placed()] == PLACES


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("copied", [*COPIES, replace])
def test_copies_are_equal(value: Value, copied: Callable[[Any], Any]) -> None:
    assert copied(value) == value
    assert repr(copied(value)) == repr(value)


# -- representation ------------------------------------------------------------------------------


LONG, SHOWN = b"x" * 61, f"b'{'x' * 60}'... (61 bytes)"
LONG_ITEM, LONG_ANSWER = Operation.post("a", body=LONG), OperationResponse(200, body=LONG)
LONG_VALUES: list[Value] = [
    *(LONG_ITEM, LONG_ANSWER, ChangeSet([LONG_ITEM]), ChangeSet([ChangeSet([LONG_ITEM])])),
    *(BatchRequest([ChangeSet([LONG_ITEM])]), ChangeSetResponse([LONG_ANSWER])),
    *(BatchResponse([LONG_ANSWER]), Payload(LONG, {})),
]


@pytest.mark.parametrize("value", [*VALUES, *LONG_VALUES])
def test_a_representation_can_be_pasted_back(value: Value) -> None:
    read = eval(repr(value))
    assert (read, repr(read)) == (value, repr(value))


@pytest.mark.parametrize("value", [*VALUES, *LONG_VALUES])
def test_long_bodies_are_cut_where_a_value_is_shown(value: Value) -> None:
    assert str(value) == repr(value).replace(repr(LONG), SHOWN)
    assert (str(value) != repr(value)) is (value in LONG_VALUES)


def test_what_looks_like_a_body_is_not_cut() -> None:
    operation = Operation.post(f"body={LONG!r}", body=LONG)
    assert str(operation) == repr(operation).replace(f", body={LONG!r}", f", body={SHOWN}")


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'[{"b":{"a":1,"\\u0061":2}}]'])
def test_a_member_that_appears_twice_is_refused_unless_that_is_allowed(body: bytes) -> None:
    for value in (Operation.post("a", body=body), OperationResponse(200, body=body)):
        with pytest.raises(DecodeError, match="the member 'a' appears more than once"):
            value.json()
        assert "2" in str(value.json(strict=False))
    assert OperationResponse(200, body=b'"\\ud800"').json() == "\ud800"
