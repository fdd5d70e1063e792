"""Conversion between the formats: what is carried over, and what is listed as lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Diagnostic,
    EncodeError,
    Headers,
    Operation,
    OperationResponse,
    Rule,
    Severity,
    convert_request,
    convert_response,
    decode_request,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch._model.dialect import Format
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01, Dialect
from odata_batch.strategies import batch_requests, batch_responses

PEOPLE = Operation.get("People", id="p")
ANN = Operation.delete("People(1)", id="a")
BOB = Operation.delete("People(2)", id="b")
CAT = Operation.delete("People(3)", id="c")
Found = list[tuple[Rule, str, str]]


def to_json(
    *items: Operation | ChangeSet,
    continue_on_error: bool | None = None,
    dialect: Dialect = ODATA_4_01,
) -> tuple[BatchRequest, Found]:
    batch = BatchRequest(items, continue_on_error=continue_on_error)
    converted, losses = convert_request(batch, source="multipart", target="json", dialect=dialect)
    encode_request(converted, format="json", dialect=dialect)
    return converted, listed(losses)


def to_multipart(
    *items: Operation | ChangeSet,
    continue_on_error: bool | None = None,
    dialect: Dialect = ODATA_4_01,
) -> tuple[BatchRequest, Found]:
    batch = BatchRequest(items, continue_on_error=continue_on_error)
    converted, losses = convert_request(batch, source="json", target="multipart", dialect=dialect)
    encode_request(converted, dialect=dialect)
    return converted, listed(losses)


def listed(losses: tuple[Diagnostic, ...]) -> Found:
    return [(loss.rule, loss.path, loss.message) for loss in losses]


def dependencies(batch: BatchRequest) -> dict[str | None, tuple[str, ...]]:
    return {operation.id: operation.depends_on for operation in batch.operations()}


# -- order and errors ------------------------------------------------------------------------------


@pytest.mark.parametrize("preference", [None, False])
def test_a_multipart_batch_that_stops_becomes_a_chain(preference: bool | None) -> None:
    batch, losses = to_json(ANN, BOB, CAT, continue_on_error=preference)
    assert dependencies(batch) == {"a": (), "b": ("a",), "c": ("b",)}
    assert (batch.continue_on_error, losses) == (preference, [])


def test_in_a_chain_all_members_of_a_group_depend_on_the_item_before() -> None:
    batch, _ = to_json(PEOPLE, ChangeSet([ANN, BOB]), CAT)
    assert dependencies(batch) == {"p": (), "a": ("p",), "b": ("p",), "c": ("g1",)}


def test_a_chain_keeps_the_dependencies_of_references() -> None:
    batch, losses = to_json(
        Operation.post("Orders", id="1"), ANN, Operation.patch("$1", json={}, id="2")
    )
    assert dependencies(batch) == {"1": (), "a": ("1",), "2": ("a", "1")}
    assert losses == []


def test_a_multipart_batch_that_goes_on_loses_its_order() -> None:
    batch, losses = to_json(ANN, BOB, continue_on_error=True)
    assert dependencies(batch) == {"a": (), "b": ()}
    assert batch.continue_on_error is True
    message = "the order is given up: a JSON batch that goes on after errors has none"
    assert losses == [(Rule.NOT_EXPRESSIBLE, "", message)]


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([ANN], id="one item"),
        pytest.param([ChangeSet([ANN, BOB])], id="one change set"),
        pytest.param([PEOPLE, Operation.get("Orders")], id="nothing is changed"),
        pytest.param([ANN, Operation.patch("$a", json={})], id="references say the order"),
    ],
)
def test_order_is_not_lost_where_there_is_none_to_lose(items: list[Operation]) -> None:
    batch, losses = to_json(*items, continue_on_error=True)
    assert (batch.continue_on_error, losses) == (True, [])


def test_what_headers_and_queries_refer_to_is_depended_on() -> None:
    tagged = Operation.patch("People(1)", headers={"If-Match": "$p"}, json={}, id="1")
    filtered = Operation.get("Orders?$filter=ID eq $p/ID", id="2")
    with_blanks = replace(filtered, url="Orders?$filter=ID%20eq%20$p/ID")
    batch, _ = to_json(PEOPLE, tagged, with_blanks, continue_on_error=True)
    assert dependencies(batch) == {"p": (), "1": ("p",), "2": ("p",)}


def test_a_default_that_a_service_turns_round_is_spelt_out() -> None:
    dialect = replace(ODATA_4_01, multipart_stops_on_error=False, json_stops_on_error=True)
    batch, losses = to_json(ANN, dialect=dialect)
    assert (batch.continue_on_error, losses) == (True, [])
    batch, losses = to_multipart(ANN, BOB, dialect=dialect)
    assert (batch.continue_on_error, losses) == (False, [])


@pytest.mark.parametrize(("preference", "expected"), [(None, None), (False, False), (True, False)])
def test_a_chain_becomes_a_multipart_batch_that_stops(
    preference: bool | None, expected: bool | None
) -> None:
    chain = (ANN, replace(BOB, depends_on=("a",)), replace(CAT, depends_on=("b",)))
    batch, losses = to_multipart(*chain, continue_on_error=preference)
    assert dependencies(batch) == {"a": (), "b": (), "c": ()}
    assert (batch.continue_on_error, losses) == (expected, [])


@pytest.mark.parametrize(("preference", "expected"), [(None, None), (True, True), (False, False)])
def test_a_chain_of_references_stops_unless_it_is_to_go_on(
    preference: bool | None, expected: bool | None
) -> None:
    batch, losses = to_multipart(
        ANN, Operation.patch("$a", json={}, id="2"), continue_on_error=preference
    )
    assert (batch.continue_on_error, losses) == (expected, [])


@pytest.mark.parametrize("preference", [None, True])
def test_independent_json_requests_go_on_after_errors_in_multipart(preference: bool | None) -> None:
    batch, losses = to_multipart(ANN, BOB, continue_on_error=preference)
    assert (batch.continue_on_error, losses) == (True, [])


def test_a_json_batch_that_may_stop_becomes_a_multipart_batch_that_stops() -> None:
    steps = (ANN, BOB, replace(CAT, depends_on=("a",)))
    batch, losses = to_multipart(*steps, continue_on_error=False)
    assert (batch.continue_on_error, losses) == (False, [])


def test_a_dependency_that_failures_would_have_to_tell_is_listed() -> None:
    batch, losses = to_multipart(ChangeSet([ANN], id="g"), BOB, replace(CAT, depends_on=("a", "b")))
    assert (batch.continue_on_error, dependencies(batch)["c"]) == (True, ())
    end = "is given up; the request is executed even if that one fails"
    assert losses == [
        (Rule.NOT_EXPRESSIBLE, "items[2]", f"dependsOn 'a' {end}"),
        (Rule.NOT_EXPRESSIBLE, "items[2]", f"dependsOn 'b' {end}"),
    ]


def test_a_dependency_that_a_reference_says_again_is_not_lost() -> None:
    note = Operation.post("$n/Notes", json={}, id="o")
    batch, losses = to_multipart(ChangeSet([replace(ANN, id="n")], id="g"), BOB, note)
    assert (batch.continue_on_error, losses) == (True, [])


def test_an_order_within_a_group_is_listed() -> None:
    group = ChangeSet([ANN, replace(BOB, depends_on=("a",))], id="g")
    batch, losses = to_multipart(group, continue_on_error=False)
    assert batch.operations() == (ANN, BOB)
    message = "dependsOn 'a' is given up; the operations of a change set are executed in any order"
    assert losses == [(Rule.NOT_EXPRESSIBLE, "items[0].items[1]", message)]


def test_a_condition_is_given_up() -> None:
    batch, losses = to_multipart(ANN, replace(BOB, depends_on=("a",), condition="$a/x eq 1"))
    assert (batch.items, batch.continue_on_error) == ((ANN, BOB), True)
    message = "the condition '$a/x eq 1' is given up; the request is executed without it"
    assert losses[0] == (Rule.NOT_EXPRESSIBLE, "items[1]", message)


# -- groups ----------------------------------------------------------------------------------------


def test_get_requests_are_taken_out_of_their_group() -> None:
    group = ChangeSet([PEOPLE, ANN, Operation.get("Orders", id="o")], id="g")
    batch, losses = to_multipart(group)
    assert batch.items == (PEOPLE, ChangeSet([ANN]), Operation.get("Orders", id="o"))
    end = "; neither fails with the other"
    assert losses == [
        (
            Rule.GET_IN_CHANGE_SET,
            "items[0].items[0]",
            f"GET 'People' is taken out of its change set and put in front of it{end}",
        ),
        (
            Rule.GET_IN_CHANGE_SET,
            "items[0].items[2]",
            f"GET 'Orders' is taken out of its change set and put behind it{end}",
        ),
    ]


def test_a_get_request_that_a_member_refers_to_is_put_in_front_of_it() -> None:
    group = ChangeSet([ANN, PEOPLE, Operation.patch("$p", json={}, id="2")], id="g")
    batch, _ = to_multipart(group)
    assert [item.id for item in batch.items] == ["p", None]


def test_a_get_request_that_refers_to_a_member_is_put_behind_it() -> None:
    group = ChangeSet([ANN, Operation.get("$a/Orders", id="o")], id="g")
    batch, _ = to_multipart(group)
    assert [item.id for item in batch.items] == [None, "o"]


def test_the_order_of_a_member_and_a_get_request_in_front_of_it_is_kept() -> None:
    group = ChangeSet([PEOPLE, replace(ANN, depends_on=("p",))], id="g")
    batch, losses = to_multipart(group, continue_on_error=False)
    assert batch.operations() == (PEOPLE, ANN)
    assert [rule for rule, _, _ in losses] == [Rule.GET_IN_CHANGE_SET]


def test_a_group_of_get_requests_is_dissolved() -> None:
    orders = Operation.get("Orders", id="o")
    batch, losses = to_multipart(ChangeSet([PEOPLE, orders], id="g"))
    assert batch.items == (PEOPLE, orders)
    assert [rule for rule, _, _ in losses] == [Rule.GET_IN_CHANGE_SET] * 2


def test_a_get_request_stays_where_the_dialect_allows_it() -> None:
    severities = ((Rule.GET_IN_CHANGE_SET, Severity.NOTE),)
    dialect = replace(ODATA_4_01, severities=severities)
    batch, losses = to_multipart(ChangeSet([PEOPLE, ANN], id="g"), dialect=dialect)
    assert (batch.items, losses) == ((ChangeSet([PEOPLE, ANN]),), [])


def test_a_group_whose_members_refer_to_a_get_request_that_refers_to_members_is_left_out() -> None:
    middle = Operation.get("$a/Orders(1)", id="m")
    last = Operation.patch("$m", json={}, id="l")
    batch, losses = to_multipart(ChangeSet([ANN, middle, last], id="g"), BOB)
    assert batch.items == (BOB,)
    assert losses[1:] == [
        (
            Rule.NOT_EXPRESSIBLE,
            "items[0].items[0]",
            "DELETE 'People(1)' is left out: its change set cannot be kept",
        ),
        (
            Rule.NOT_EXPRESSIBLE,
            "items[0].items[2]",
            "PATCH '$m' is left out: it refers to 'm', which comes later",
        ),
        (
            Rule.NOT_EXPRESSIBLE,
            "items[0].items[1]",
            "GET '$a/Orders(1)' is left out: it depends on 'a', which is left out",
        ),
    ]


def test_a_reference_across_change_sets_is_left_out_where_the_dialect_forbids_it() -> None:
    other = ChangeSet([Operation.patch("$a", json={}, id="2")], id="h")
    batch, losses = to_multipart(ChangeSet([ANN], id="g"), other, dialect=ODATA_4_0)
    assert batch.items == (ChangeSet([ANN]),)
    message = "PATCH '$a' is left out: it refers to 'a', which is not in its change set"
    assert losses == [(Rule.NOT_EXPRESSIBLE, "items[1].items[0]", message)]


def nested() -> ChangeSet:
    return ChangeSet([ANN, ChangeSet([BOB, ChangeSet([CAT])]), PEOPLE], id="outer")


@pytest.mark.parametrize(("source", "target"), [("multipart", "json"), ("json", "multipart")])
def test_nested_change_sets_are_dissolved(source: Format, target: Format) -> None:
    batch, losses = convert_request(BatchRequest([nested()]), source=source, target=target)
    change_set = next(item for item in batch.items if isinstance(item, ChangeSet))
    assert [operation.id for operation in change_set.operations()][:3] == ["a", "b", "c"]
    message = "the change set is dissolved in the one that it stands in"
    assert listed(losses)[0] == (Rule.NESTED_CHANGE_SET, "items[0].items[1]", message)


def test_change_sets_may_nest_deeper_than_the_stack() -> None:
    deep = ChangeSet([ANN])
    for _ in range(5000):
        deep = ChangeSet([deep])
    batch, losses = to_json(deep)
    assert (len(batch.operations()), len(losses)) == (1, 1)


def test_the_order_of_a_group_that_was_split_is_mended() -> None:
    body = b"""{"requests":[
        {"id":"1","atomicityGroup":"g","method":"DELETE","url":"People(1)"},
        {"id":"2","method":"POST","url":"Orders","headers":{"content-type":"text/plain"}},
        {"id":"3","atomicityGroup":"g","dependsOn":["2"],"method":"PATCH","url":"$2"}]}"""
    batch = decode_request(body, "application/json")
    converted, losses = convert_request(batch, source="json", target="multipart")
    assert [operation.id for operation in converted.operations()] == ["2", "1", "3"]
    assert losses == ()
    encode_request(converted)


def test_an_empty_change_set_is_left_out() -> None:
    batch, losses = to_json(ChangeSet([]), ANN)
    assert batch.items == (ANN,)
    assert losses == [(Rule.EMPTY_CHANGE_SET, "items[0]", "the empty change set is left out")]


# -- messages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "expected"), [("MERGE", "PATCH"), ("HEAD", "GET")])
def test_a_method_that_json_does_not_have_becomes_one_that_means_the_same(
    method: str, expected: str
) -> None:
    batch, losses = to_json(Operation(method, "People(1)"))
    assert batch.items == (Operation(expected, "People(1)", id="1"),)
    message = f"{method} 'People(1)' becomes {expected}, JSON has no {method}"
    assert losses == [(Rule.JSON_METHOD_UNKNOWN, "items[0]", message)]


def test_a_method_of_the_dialect_stays() -> None:
    dialect = replace(ODATA_4_01, methods=ODATA_4_01.methods | {"MERGE"})
    batch, losses = to_json(Operation("MERGE", "People(1)", id="1"), dialect=dialect)
    assert (batch.operations()[0].method, losses) == ("MERGE", [])


def test_a_dependency_is_not_expressed_by_a_price() -> None:
    first = Operation.post("X", json={}, id="5")
    second = Operation.post("Y", json={"Price": "$5"}, id="6", depends_on=["5"])
    _, losses = to_multipart(first, second, Operation.get("Z", id="7"))
    message = "dependsOn '5' is given up; the request is executed even if that one fails"
    assert losses == [(Rule.NOT_EXPRESSIBLE, "items[1]", message)]


def test_a_price_is_no_dependency() -> None:
    first = Operation.post("X", json={}, id="5")
    second = Operation.post("Y", json={"Price": "$5"}, id="6")
    batch = BatchRequest([first, second], continue_on_error=True)
    converted, _ = convert_request(batch, source="multipart", target="json")
    assert [each.depends_on for each in converted.operations()] == [(), ()]


def test_what_depends_on_others_stays_when_a_request_is_left_out() -> None:
    odd = Operation("BREW", "Pots(1)", id="1")
    named = replace(BOB, id="2")
    batch, losses = to_json(odd, named, Operation.patch("$2", json={}, id="3"))
    assert [each.id for each in batch.operations()] == ["2", "3"]
    assert [message for _, _, message in losses] == ["BREW 'Pots(1)' is left out: JSON has no BREW"]


def test_a_request_that_json_cannot_express_is_left_out_with_what_depends_on_it() -> None:
    odd = Operation("BREW", "Pots(1)", id="1")
    batch, losses = to_json(odd, ChangeSet([Operation.patch("$1", json={}, id="2"), ANN]), BOB)
    assert batch.items == (BOB,)
    assert losses == [
        (
            Rule.NOT_EXPRESSIBLE,
            "items[0]",
            "BREW 'Pots(1)' is left out: JSON has no BREW",
        ),
        (
            Rule.NOT_EXPRESSIBLE,
            "items[1].items[0]",
            "PATCH '$1' is left out: it depends on '1', which is left out",
        ),
        (
            Rule.NOT_EXPRESSIBLE,
            "items[1].items[1]",
            "DELETE 'People(1)' is left out: its change set cannot be kept",
        ),
    ]


JSON_TYPE = Headers({"Content-Type": "application/json"})
OCTETS = Headers({"Content-Type": "application/octet-stream"})
KEPT = "application/octet-stream, so that the octets are kept"


@pytest.mark.parametrize(
    ("fields", "body", "expected_fields", "expected_body", "rule", "message"),
    [
        pytest.param(
            {"Content-Type": "application/json"},
            b"null",
            {"Content-Type": "application/json"},
            b"",
            Rule.NOT_EXPRESSIBLE,
            "the body null is given up, it would be read as no body",
            id="null",
        ),
        pytest.param(
            {},
            b" not JSON ",
            {"Content-Type": "application/octet-stream"},
            b" not JSON ",
            Rule.JSON_SYNTAX,
            f"it gets {KEPT}: the body cannot stand in a JSON batch: "
            "found 'not JSON', expected JSON",
            id="no type and no JSON",
        ),
        pytest.param(
            {"Content-Type": "application/json", "X": "y"},
            b" ",
            {"Content-Type": "application/octet-stream", "X": "y"},
            b" ",
            Rule.JSON_SYNTAX,
            f"Content-Type 'application/json' becomes {KEPT}: the body cannot stand in a JSON "
            "batch: found ' ', expected JSON",
            id="JSON that is none",
        ),
        pytest.param(
            {"Content-Type": "text/plain;charset=utf-16"},
            b"\xff\xfea\0",
            {"Content-Type": "application/octet-stream"},
            b"\xff\xfea\0",
            Rule.TEXT_CHARSET,
            f"Content-Type 'text/plain;charset=utf-16' becomes {KEPT}: "
            "the body 'ÿþa\\x00' is not text in charset 'utf-16'",
            id="a charset that JSON cannot carry",
        ),
    ],
)
def test_a_body_that_json_cannot_carry(
    fields: dict[str, str],
    body: bytes,
    expected_fields: dict[str, str],
    expected_body: bytes,
    rule: Rule,
    message: str,
) -> None:
    batch, losses = to_json(Operation.post("People", headers=fields, body=body))
    assert batch.operations()[0].headers == Headers(expected_fields)
    assert batch.operations()[0].body == expected_body
    assert losses == [(rule, "items[0]", message)]


def test_a_body_deeper_than_the_limit_is_kept_as_octets() -> None:
    batch, losses = to_json(
        Operation.post("People", headers=JSON_TYPE, body=b"[" * 200 + b"]" * 200)
    )
    assert batch.operations()[0].headers == OCTETS
    assert [rule for rule, _, _ in losses] == [Rule.LIMIT_EXCEEDED]


def test_a_body_of_delete_is_given_up_in_json() -> None:
    batch, losses = to_json(Operation.delete("People(1)", headers=JSON_TYPE, body=b"{}", id="1"))
    assert batch.items == (Operation.delete("People(1)", headers=JSON_TYPE, id="1"),)
    message = "the body of 2 octets is given up, DELETE has none"
    assert losses == [(Rule.JSON_BODY_UNEXPECTED, "items[0]", message)]


def test_a_body_of_get_is_given_up_in_multipart() -> None:
    batch, losses = to_multipart(replace(PEOPLE, headers=JSON_TYPE, body=b"{}"))
    assert batch.items == (replace(PEOPLE, headers=JSON_TYPE),)
    message = "the body of 2 octets is given up, GET has none"
    assert losses == [(Rule.BODY_UNEXPECTED, "items[0]", message)]


def test_json_carries_one_cookie_and_one_of_equal_fields() -> None:
    pairs = [("Set-Cookie", "a=1"), ("Host", "h"), ("set-cookie", "b=2"), ("host", "h")]
    batch, losses = to_json(replace(PEOPLE, headers=Headers([*pairs, ("A", "x"), ("a", "y")])))
    expected = [("Set-Cookie", "a=1"), ("Host", "h"), ("A", "x"), ("a", "y")]
    assert batch.operations()[0].headers.pairs == tuple(expected)
    assert losses == [
        (Rule.NOT_EXPRESSIBLE, "items[0]", "Set-Cookie 'b=2' is given up, JSON carries one"),
        (Rule.REPEATED_HEADER_EQUAL, "items[0]", "one of the equal fields 'host' is given up"),
    ]


def test_multipart_carries_no_blanks_around_values_and_no_other_identifier() -> None:
    fields = {"A": " x ", "Content-ID": "9", "content-id": "p"}
    batch, losses = to_multipart(replace(PEOPLE, headers=Headers(fields)))
    assert batch.operations()[0].headers.pairs == (("A", "x"), ("content-id", "p"))
    assert losses == [
        (Rule.HEADER_BLANKS, "items[0]", "header 'A' loses the blanks around ' x '"),
        (
            Rule.CONTENT_ID_CONFLICT,
            "items[0]",
            "header 'Content-ID' is given up, '9' is not the id",
        ),
    ]


def test_a_content_length_that_json_does_not_carry_is_not_a_loss() -> None:
    post = Operation.post("People", headers={"Content-Length": "99"}, json={}, id="1")
    batch, losses = to_multipart(post)
    assert (batch.items, losses) == ((Operation.post("People", json={}, id="1"),), [])


def test_multipart_says_what_a_json_body_without_type_is() -> None:
    batch, losses = to_multipart(Operation.post("People", body=b"{}", id="1"))
    assert batch.operations()[0].headers == JSON_TYPE
    message = "the body gets application/json, which is what JSON takes it for"
    assert losses == [(Rule.CONTENT_TYPE_MISSING, "items[0]", message)]


@pytest.mark.parametrize(
    ("url", "expected", "rule"),
    [
        ("People?$filter=a eq 'b'", "People?$filter=a%20eq%20'b'", Rule.URL_BLANKS),
        ("Gr\u00f6\u00dfe(\udcff)", "Gr%C3%B6%C3%9Fe(%FF)", Rule.URL_CHARACTERS),
    ],
)
def test_a_url_is_percent_encoded(url: str, expected: str, rule: Rule) -> None:
    for convert in (to_json, to_multipart):
        batch, losses = convert(replace(PEOPLE, url=url))
        assert batch.operations()[0].url == expected
        assert losses == [(rule, "items[0]", f"URL {url!r} is percent-encoded")]


def test_a_preference_that_multipart_does_not_apply_is_listed() -> None:
    batch, losses = to_multipart(replace(PEOPLE, headers=Headers({"Prefer": "respond-async"})))
    assert batch.operations()[0].headers == Headers({"Prefer": "respond-async"})
    message = "the preference respond-async has no effect in one request of a multipart batch"
    assert losses == [(Rule.RESPOND_ASYNC_INSIDE, "items[0]", message)]


def test_an_empty_url_is_spelt_as_the_service_root() -> None:
    batch, losses = to_multipart(replace(PEOPLE, url=""))
    assert batch.operations()[0].url == "./"
    message = "the empty URL becomes './', a request line has no place for it"
    assert losses == [(Rule.JSON_URL_EMPTY, "items[0]", message)]


def test_annotations_are_given_up() -> None:
    batch = BatchRequest([replace(PEOPLE, annotations=(("x", b"1"),))], annotations=[("y", b"2")])
    converted, losses = convert_request(batch, source="json", target="multipart")
    assert converted == BatchRequest([PEOPLE])
    assert listed(losses) == [
        (Rule.NOT_EXPRESSIBLE, "", "the annotation 'y' is given up"),
        (Rule.NOT_EXPRESSIBLE, "items[0]", "the annotation 'x' is given up"),
    ]


def test_a_loss_has_the_position_of_what_was_decoded() -> None:
    payload = encode_request(BatchRequest([replace(PEOPLE, condition="true")]), format="json")
    batch = decode_request(payload.body, payload.content_type)
    converted, losses = convert_request(batch, source="json", target="multipart")
    assert [loss.position for loss in losses] == [batch.items[0].position]
    assert converted.items[0].position is None


# -- responses -------------------------------------------------------------------------------------


def response(
    *items: OperationResponse | ChangeSetResponse, source: Format, target: Format
) -> tuple[tuple[OperationResponse | ChangeSetResponse, ...], Found]:
    converted, losses = convert_response(BatchResponse(items), source=source, target=target)
    encode_response(converted, format=target)
    return converted.items, listed(losses)


def test_a_response_with_an_id_is_carried_over() -> None:
    answer = OperationResponse(200, JSON_TYPE, b"{}", id="1")
    assert response(answer, source="json", target="multipart") == ((answer,), [])
    assert response(answer, source="multipart", target="json") == ((answer,), [])


def test_an_id_that_json_wants_is_listed() -> None:
    items, losses = response(OperationResponse(204), source="multipart", target="json")
    assert items == (OperationResponse(204, id="1"),)
    message = "the response has no id; it gets '1', which need not be that of its request"
    assert losses == [(Rule.JSON_RESPONSE_ID_MISSING, "items[0]", message)]


def test_the_responses_to_a_change_set_get_a_group() -> None:
    answers = ChangeSetResponse([OperationResponse(204, id="1")], id="ignored")
    items, losses = response(answers, source="multipart", target="json")
    assert (items, losses) == ((replace(answers, id="g1"),), [])


def test_a_group_that_failed_is_answered_once_in_multipart() -> None:
    group = ChangeSetResponse(
        [OperationResponse(status, id=str(status)) for status in (200, 424, 409, 400)], id="g"
    )
    items, losses = response(group, source="json", target="multipart")
    assert items == (OperationResponse(409, id="409"),)
    end = "is given up; the change set that failed is answered with one response, that to '409'"
    assert losses == [
        (Rule.CHANGE_SET_ERROR_NESTED, f"items[0].items[{index}]", f"the response {status} {end}")
        for index, status in ((0, 200), (1, 424), (3, 400))
    ]


def test_a_group_of_which_nothing_but_424_is_known_is_answered_with_it() -> None:
    group = ChangeSetResponse([OperationResponse(424, id="1")], id="g")
    items, losses = response(group, source="json", target="multipart")
    assert (items, losses) == ((OperationResponse(424, id="1"),), [])


def test_a_group_that_succeeded_stays_a_group() -> None:
    group = ChangeSetResponse([OperationResponse(204, id="1")], id="g")
    items, losses = response(group, source="json", target="multipart")
    assert (items, losses) == ((ChangeSetResponse([OperationResponse(204, id="1")]),), [])


def test_nested_responses_are_dissolved() -> None:
    inner = ChangeSetResponse([OperationResponse(204, id="1")])
    items, losses = response(ChangeSetResponse([inner]), source="multipart", target="json")
    assert items == (ChangeSetResponse([OperationResponse(204, id="1")], id="g1"),)
    assert [rule for rule, _, _ in losses] == [Rule.NESTED_CHANGE_SET]


def test_a_reason_phrase_is_not_invented() -> None:
    answer = OperationResponse(200, id="1", reason="a\nb")
    converted, _ = convert_response(BatchResponse([answer]), source="json", target="multipart")
    assert converted.responses()[0].reason is None


def test_a_202_in_front_of_others_is_given_up_in_multipart() -> None:
    accepted = OperationResponse(202, {"Location": "monitor"}, id="1")
    done, last = OperationResponse(204, id="2"), replace(accepted, id="3")
    batch = BatchResponse([accepted, done, last])
    converted, losses = convert_response(batch, source="json", target="multipart")
    assert [each.id for each in converted.responses()] == ["2", "3"]
    assert [(each.rule, each.path, each.message) for each in losses] == [
        (
            Rule.ACCEPTED_NOT_LAST,
            "items[0]",
            "the response 202 to '1' is given up, it is not the last",
        )
    ]
    dialect = replace(ODATA_4_01, severities=((Rule.ACCEPTED_NOT_LAST, Severity.NOTE),))
    converted, losses = convert_response(batch, source="json", target="multipart", dialect=dialect)
    assert (len(converted.items), losses) == (3, ())


def test_what_stands_beside_the_responses_is_given_up() -> None:
    answer = OperationResponse(200, id="1")
    batch = BatchResponse([answer], next_link="more", annotations=[("x", b"1")])
    converted, losses = convert_response(batch, source="json", target="multipart")
    assert converted == BatchResponse([answer])
    assert listed(losses) == [
        (Rule.NOT_EXPRESSIBLE, "", "the annotation 'x' is given up"),
        (Rule.NOT_EXPRESSIBLE, "", "the next link 'more' is given up"),
    ]


def test_a_truncated_response_is_listed() -> None:
    batch = BatchResponse([OperationResponse(200, id="1")], truncated=True)
    converted, losses = convert_response(batch, source="multipart", target="json")
    assert converted == replace(batch, truncated=False)
    message = "that the response is truncated is not said any more"
    assert listed(losses) == [(Rule.NOT_EXPRESSIBLE, "", message)]


def test_no_identifier_is_invented_for_a_multipart_response() -> None:
    items, losses = response(OperationResponse(204), source="json", target="multipart")
    assert (items, losses) == ((OperationResponse(204),), [])


# -- edges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["multipart", "json"])
def test_nothing_is_done_between_equal_formats(format: Format) -> None:
    request = BatchRequest([nested()])
    assert convert_request(request, source=format, target=format) == (request, ())
    answer = BatchResponse([], truncated=True)
    assert convert_response(answer, source=format, target=format) == (answer, ())


def test_nothing_that_multipart_could_carry_is_an_error() -> None:
    expected = "warning[no-parts]: a multipart batch has at least one item, and none is left"
    with pytest.raises(EncodeError) as caught:
        convert_request(BatchRequest([ChangeSet([])]), source="json", target="multipart")
    assert str(caught.value) == expected
    with pytest.raises(EncodeError) as caught:
        convert_response(BatchResponse([]), source="json", target="multipart")
    assert str(caught.value) == expected


def test_wrong_use_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^batch is a BatchRequest, not BatchResponse$"):
        convert_request(BatchResponse([]), source="json", target="multipart")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match=r"^batch is a BatchResponse, not BatchRequest$"):
        convert_response(BatchRequest([]), source="json", target="multipart")  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match=r"^format is 'multipart' or 'json', not 'xml'$"):
        convert_request(BatchRequest([]), source="xml", target="json")  # type: ignore[arg-type]  # wrong on purpose


def test_a_severity_of_the_dialect_is_that_of_the_loss() -> None:
    dialect = replace(ODATA_2, severities=((Rule.EMPTY_CHANGE_SET, Severity.NOTE),))
    batch = BatchRequest([ChangeSet([]), ANN])
    _, losses = convert_request(batch, source="multipart", target="json", dialect=dialect)
    assert [loss.severity for loss in losses] == [Severity.NOTE]


def test_what_is_converted_is_written_in_the_target_unasked() -> None:
    made = BatchRequest([ANN]), BatchResponse([OperationResponse(204, id="1")])
    formats: tuple[Format, Format] = ("multipart", "json")
    for source, target in product(formats, formats):
        batch, _ = convert_request(made[0], source=source, target=target)
        answer, _ = convert_response(made[1], source=source, target=target)
        assert (batch.format, answer.format) == (target, target)
    assert (made[0].format, made[1].format) == (None, None)


# -- properties ------------------------------------------------------------------------------------

# There are many of them, and each writes what it has made.
HALF = settings(max_examples=max(1, settings().max_examples // 2))


@HALF
@given(batch_requests("multipart"))
def test_what_multipart_can_express_json_can_express_when_it_is_converted(
    batch: BatchRequest,
) -> None:
    converted, _ = convert_request(batch, source="multipart", target="json")
    encode_request(converted, format="json")


@HALF
@given(batch_requests("json"), st.sampled_from((ODATA_4_01, ODATA_4_0)))
def test_what_json_can_express_multipart_can_express_when_it_is_converted(
    batch: BatchRequest, dialect: Dialect
) -> None:
    try:
        converted, _ = convert_request(batch, source="json", target="multipart", dialect=dialect)
    except EncodeError as error:
        assert [found.rule for found in error.diagnostics] == [Rule.NO_PARTS]
    else:
        encode_request(converted, dialect=dialect)
        bodies = {item.id: item.body for item in prepare(batch, format="json").operations()}
        assert all(bodies[item.id] == item.body for item in converted.operations())


@HALF
@given(batch_responses("multipart"))
def test_multipart_responses_can_be_written_as_json_when_they_are_converted(
    batch: BatchResponse,
) -> None:
    converted, _ = convert_response(batch, source="multipart", target="json")
    encode_response(converted, format="json")


@HALF
@given(batch_responses("json").filter(lambda batch: batch.items != ()))
def test_json_responses_can_be_written_as_multipart_when_they_are_converted(
    batch: BatchResponse,
) -> None:
    converted, _ = convert_response(batch, source="json", target="multipart")
    encode_response(converted)


def identified(batch: BatchRequest) -> BatchRequest:
    """Return the batch as multipart writes it with the identifiers that JSON would give."""
    prepared = prepare(prepare(batch), format="json")
    items = [
        ChangeSet([replace(each, depends_on=()) for each in item.operations()])
        if isinstance(item, ChangeSet)
        else replace(item, depends_on=())
        for item in prepared.items
    ]
    return replace(batch, items=tuple(items))


@HALF
@given(batch_requests("both"))
def test_there_and_back_gives_the_same_where_nothing_is_listed(batch: BatchRequest) -> None:
    there, lost_there = convert_request(batch, source="multipart", target="json")
    back, lost_back = convert_request(there, source="json", target="multipart")
    if not lost_there and not lost_back:
        assert back == identified(batch)


@HALF
@given(batch_responses("both"))
def test_responses_come_back_the_same_where_nothing_is_listed(batch: BatchResponse) -> None:
    there, lost_there = convert_response(batch, source="multipart", target="json")
    back, lost_back = convert_response(there, source="json", target="multipart")
    if not lost_there and not lost_back:
        prepared = prepare(batch, format="json")
        items = [
            replace(item, id=None) if isinstance(item, ChangeSetResponse) else item
            for item in prepared.items
        ]
        assert back.items == tuple(items)


def test_a_long_batch_is_converted_with_its_dependencies() -> None:
    chain = [Operation.delete(f"People({number})") for number in range(2_000)]
    there, lost_there = convert_request(BatchRequest(chain), source="multipart", target="json")
    back, lost_back = convert_request(there, source="json", target="multipart")
    assert (lost_there, lost_back, len(back.items)) == ((), (), 2_000)
    assert back.continue_on_error is None
