"""The value that an encoder writes: what is filled in, and what is left out."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given

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
    decode_request,
    encode_request,
    prepare,
)
from odata_batch._graph.prepare import Preparation, depth_of
from odata_batch._model.dialect import Format
from odata_batch._model.values import place
from odata_batch.dialects import GRAPH, ODATA_4_01
from odata_batch.strategies import batch_requests, batch_responses

Items = list[Operation | ChangeSet]

FORMATS: list[Format] = ["multipart", "json"]
WITH_LENGTH = replace(ODATA_4_01, content_length=True)


def prepared(*items: Operation | ChangeSet, format: Format) -> tuple[Operation | ChangeSet, ...]:
    return prepare(BatchRequest(items), format=format).items


def ids(*items: Operation | ChangeSet, format: Format) -> list[str | None]:
    """Return the identifiers of all operations, prepared."""
    return [each.id for each in prepare(BatchRequest(items), format=format).operations()]


def dependencies(*items: Operation | ChangeSet) -> list[tuple[str, ...]]:
    """Return what each operation depends on, prepared for JSON."""
    return [each.depends_on for each in prepare(BatchRequest(items), format="json").operations()]


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
    assert (response.headers.pairs, response.body) == (operation.headers.pairs, operation.body)
    return operation.headers, operation.body


@pytest.mark.parametrize("format", ["xml", "JSON", ""])
def test_another_format_is_a_value_error(format: str) -> None:
    with pytest.raises(ValueError) as caught:
        prepare(BatchRequest([]), format=format)  # type: ignore[arg-type] # that is the point
    assert str(caught.value) == f"format is 'multipart' or 'json', not {format!r}"


def test_multipart_is_the_default() -> None:
    batch = BatchRequest([Operation.get("a"), ChangeSet([Operation.delete("b")], id="g1")])
    assert prepare(batch) == prepare(batch, format="multipart")


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_batch_stays_empty(format: Format) -> None:
    assert prepare(BatchRequest([]), format=format) == BatchRequest([])
    assert prepare(BatchResponse([]), format=format) == BatchResponse([])


@pytest.mark.parametrize("format", FORMATS)
def test_what_belongs_to_the_batch_is_kept(format: Format) -> None:
    request = BatchRequest([], continue_on_error=False, annotations=[("x", b"1")])
    assert prepare(request, format=format) == request
    response = BatchResponse([], next_link="next", truncated=True, annotations=[("x", b"1")])
    assert prepare(response, format=format) == response


# -- identifiers ---------------------------------------------------------------------------------


def test_in_json_every_operation_has_an_id() -> None:
    items: Items = [Operation.get("a"), ChangeSet([Operation.delete("b")]), Operation.get("c")]
    assert ids(*items, format="json") == ["1", "2", "3"]


def test_in_multipart_operations_of_change_sets_have_an_id() -> None:
    items: Items = [Operation.get("a"), ChangeSet([Operation.delete("b")]), Operation.get("c")]
    assert ids(*items, format="multipart") == [None, "1", None]


@pytest.mark.parametrize("format", FORMATS)
def test_an_id_that_is_given_is_kept(format: Format) -> None:
    items: Items = [Operation.get("a", id="x"), ChangeSet([Operation.delete("b", id="y")])]
    assert ids(*items, format=format) == ["x", "y"]


def test_generated_ids_are_the_smallest_numbers_that_are_free() -> None:
    items: Items = [
        Operation.get("a"),
        Operation.get("b", id="3"),
        Operation.get("c"),
        ChangeSet([Operation.delete("d", id="1"), Operation.delete("e")], id="5"),
        Operation.get("f"),
    ]
    assert ids(*items, format="json") == ["2", "3", "4", "1", "6", "7"]


def test_in_json_every_change_set_has_an_id() -> None:
    change_set = ChangeSet([])
    items = prepared(change_set, ChangeSet([], id="g1"), change_set, format="json")
    assert [item.id for item in items] == ["g2", "g1", "g3"]


def test_the_name_of_a_change_set_avoids_the_ids_of_operations() -> None:
    items = prepared(ChangeSet([Operation.get("a", id="g1")]), format="json")
    assert items[0].id == "g2"


def test_in_multipart_change_sets_have_no_id() -> None:
    items = prepared(ChangeSet([ChangeSet([], id="g2")], id="g1"), format="multipart")
    assert items == (ChangeSet([ChangeSet([])]),)


def test_a_nested_change_set_is_prepared_too() -> None:
    items = prepared(ChangeSet([ChangeSet([Operation.get("a")])]), format="json")
    assert items == (ChangeSet([ChangeSet([Operation.get("a", id="1")], id="g2")], id="g1"),)


def test_ids_in_nested_change_sets_are_not_generated_again() -> None:
    items: Items = [
        Operation.get("a"),
        ChangeSet([ChangeSet([Operation.get("b", id="1")], id="2")]),
    ]
    assert ids(*items, format="json") == ["3", "1"]


@pytest.mark.parametrize(
    "operation",
    [
        Operation.get("$1/Orders", id="x"),
        Operation.get("Orders?$filter=Id eq $1", id="x"),
        Operation.get("a", headers={"If-Match": "$1"}, id="x"),
        Operation.get("a", headers=[("If-Match", "*"), ("if-match", "$1")], id="x"),
        Operation.get("a", headers={"If-None-Match": "$1"}, id="x"),
        Operation("GET", "a", condition="$1/Age gt 4", id="x"),
        Operation.post("a", body=b'{"Customer@odata.bind":"$1"}', id="x"),
        Operation.post("a", body=b"\xff$1\xff", id="x"),
        Operation.get("a", depends_on=["1"], id="x"),
        Operation.get("a", id="1"),
    ],
)
def test_a_generated_id_is_not_one_that_is_referred_to(operation: Operation) -> None:
    for items in ((Operation.get("b"), operation), (operation, Operation.get("b"))):
        assert sorted(filter(None, ids(*items, format="json"))) == sorted([operation.id or "", "2"])
    change_sets = (ChangeSet([Operation.delete("b")]), ChangeSet([operation]))
    assert ids(*change_sets, format="multipart") == ["2", operation.id]


@pytest.mark.parametrize(
    "operation",
    [
        Operation.get("$10/Orders", id="x"),
        Operation.get("a?b=1", id="x"),
        Operation.get("a", headers={"X": "$1"}, id="x"),
        Operation.post("a", body=b"1 $$ $a", id="x"),
    ],
)
def test_what_is_no_reference_to_a_number_leaves_it_free(operation: Operation) -> None:
    assert ids(Operation.get("b"), operation, format="json") == ["1", "x"]


def test_in_json_every_response_has_an_id() -> None:
    batch = BatchResponse(
        [
            OperationResponse(200),
            ChangeSetResponse([OperationResponse(204, id="1"), OperationResponse(204)]),
            ChangeSetResponse([ChangeSetResponse([])], id="g1"),
        ]
    )
    assert prepare(batch, format="json").items == (
        OperationResponse(200, id="2"),
        ChangeSetResponse(
            [OperationResponse(204, id="1"), OperationResponse(204, id="3")], id="g2"
        ),
        ChangeSetResponse([ChangeSetResponse([], id="g3")], id="g1"),
    )


def test_in_multipart_responses_keep_the_ids_that_they_have() -> None:
    responses = [OperationResponse(204, id="1"), OperationResponse(204)]
    batch = BatchResponse([OperationResponse(200), ChangeSetResponse(responses, id="g1")])
    assert prepare(batch) == BatchResponse([OperationResponse(200), ChangeSetResponse(responses)])


def test_a_batch_that_comes_item_by_item_avoids_the_ids_it_is_told() -> None:
    preparation = Preparation("json", ODATA_4_01)
    first = Operation.get("$4", id="1")
    preparation.add(first)
    assert preparation.item(first).id == "1"
    assert preparation.item(Operation.get("b")).id == "2"
    third = ChangeSet([Operation.get("c", id="3"), Operation.get("d")])
    preparation.add(third)
    assert preparation.item(third) == ChangeSet(
        [Operation.get("c", id="3"), Operation.get("d", id="5")], id="g1"
    )
    assert preparation.item(OperationResponse(200)).id == "6"


# -- dependencies --------------------------------------------------------------------------------


def test_an_operation_depends_on_what_its_url_refers_to() -> None:
    assert dependencies(Operation.post("a", id="1"), Operation.get("$1/Orders")) == [(), ("1",)]


def test_a_dependency_that_is_named_is_not_named_again() -> None:
    items: Items = [
        Operation.post("a", id="1"),
        Operation.post("b", id="2"),
        Operation.get("$1", depends_on=["2", "1"]),
        Operation.get("$1", depends_on=["2"]),
    ]
    assert dependencies(*items)[2:] == [("2", "1"), ("2", "1")]


def test_dependencies_that_are_repeated_stay_so() -> None:
    items: Items = [Operation.post("a", id="1"), Operation.get("b", depends_on=["1", "1"])]
    assert dependencies(*items)[1] == ("1", "1")


def test_an_operation_depends_on_the_groups_of_what_it_depends_on() -> None:
    items: Items = [
        ChangeSet([Operation.post("a", id="1")], id="one"),
        ChangeSet([Operation.post("b", id="2")]),
        Operation.get("$2/Orders", depends_on=["1"]),
    ]
    assert dependencies(*items)[2] == ("1", "2", "one", "g1")


def test_an_operation_does_not_depend_on_its_own_group() -> None:
    items: Items = [
        ChangeSet([Operation.post("a", id="1"), Operation.get("$1/Orders", id="2")], id="one"),
        ChangeSet([Operation.get("b", depends_on=["1"])], id="two"),
    ]
    assert dependencies(*items) == [(), ("1",), ("1", "one")]


def test_what_comes_later_has_no_group_yet() -> None:
    items: Items = [
        Operation.get("b", depends_on=["1"]),
        ChangeSet([Operation.post("a", id="1")], id="one"),
    ]
    assert dependencies(*items)[0] == ("1",)


def test_a_system_resource_is_no_dependency() -> None:
    assert dependencies(Operation.get("$metadata"), Operation.get("$batch2")) == [(), ("batch2",)]


def test_multipart_has_no_implied_dependencies() -> None:
    items: Items = [ChangeSet([Operation.post("a", id="1"), Operation.get("$1/Orders", id="2")])]
    assert prepared(*items, format="multipart") == tuple(items)


# -- what JSON leaves out ------------------------------------------------------------------------


def test_json_has_no_content_length() -> None:
    headers, body = content({"A": "1", "content-LENGTH": "2", "B": "2"}, b"{}")
    assert headers.pairs == (("A", "1"), ("B", "2"))
    assert body == b"{}"


def test_multipart_keeps_a_content_length() -> None:
    headers, _ = content({"content-LENGTH": "2"}, b"{}", format="multipart")
    assert headers.pairs == (("content-LENGTH", "2"),)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "APPLICATION/JSON; charset=utf-8"},
        {"Content-Type": "application/problem+json"},
    ],
)
@pytest.mark.parametrize("body", [b"{}\n", b" {}", b"\r\n\t {} \t\r\n", b"{}"])
def test_blanks_around_a_json_body_are_left_out_in_json(
    headers: dict[str, str], body: bytes
) -> None:
    assert content(headers, body) == (Headers(headers), b"{}")


@pytest.mark.parametrize("media_type", ["text/plain", "application/octet-stream", "text/json", "?"])
@pytest.mark.parametrize("body", [b"{}\n", b" {}"])
def test_blanks_around_other_bodies_are_kept(media_type: str, body: bytes) -> None:
    assert content({"Content-Type": media_type}, body)[1] == body


@pytest.mark.parametrize("body", [b"{}\n", b" {}", b"\r\n"])
def test_blanks_around_a_body_are_kept_in_multipart(body: bytes) -> None:
    assert content({"Content-Type": "application/json"}, body, format="multipart")[1] == body


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n", b"{ }", b"\x0b{}", b"{}\0", b"\xa0{}"])
def test_no_other_octets_are_left_out(body: bytes) -> None:
    assert content({"Content-Type": "application/json"}, body)[1] == body


# -- what a dialect adds -------------------------------------------------------------------------


def test_a_dialect_may_ask_for_a_content_length() -> None:
    batch = BatchRequest([Operation.put("a", headers={"A": "1"}, body=b"abc")])
    (operation,) = prepare(batch, dialect=WITH_LENGTH).operations()
    assert operation.headers.pairs == (("A", "1"), ("Content-Length", "3"))
    (response,) = prepare(
        BatchResponse([OperationResponse(200, body=b"abc")]), dialect=WITH_LENGTH
    ).responses()
    assert response.headers.pairs == (("Content-Length", "3"),)


def test_without_a_body_there_is_no_content_length() -> None:
    batch = BatchRequest([Operation.get("a")])
    assert prepare(batch, dialect=WITH_LENGTH) == batch


def test_a_content_length_of_the_caller_is_kept() -> None:
    batch = BatchRequest([Operation.put("a", headers={"content-length": "4"}, body=b"abc")])
    assert prepare(batch, dialect=WITH_LENGTH) == batch


def test_a_dialect_may_ignore_the_case_of_the_names_that_are_used() -> None:
    known = ChangeSet([Operation.get("a", id="1")], id="G1")
    unnamed = ChangeSet([Operation.get("b", id="2")])
    batch = BatchRequest([known, unnamed])
    names = [item.id for item in prepare(batch, format="json", dialect=GRAPH).items]
    assert names == ["G1", "g2"]
    assert [item.id for item in prepare(batch, format="json").items] == ["G1", "g1"]


def test_in_base64_the_blanks_around_a_json_body_stay() -> None:
    dialect = replace(GRAPH, json_bodies="base64")
    operation = Operation("POST", "a", {"content-type": "application/json"}, b" {}\r\n", id="1")
    (prepared,) = prepare(BatchRequest([operation]), format="json", dialect=dialect).operations()
    assert prepared is operation


def test_json_has_no_content_length_whatever_the_dialect() -> None:
    batch = BatchRequest([Operation.put("a", body=b"abc", id="1")])
    assert prepare(batch, format="json", dialect=WITH_LENGTH) == batch


# -- laws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_an_item_that_is_complete_is_the_same_object(format: Format) -> None:
    operation = Operation.put("a", headers={"Content-Type": "application/json"}, body=b"{}", id="1")
    assert prepare(BatchRequest([operation]), format=format).items[0] is operation
    response = OperationResponse(200, {"A": "1"}, b"{}", id="1")
    assert prepare(BatchResponse([response]), format=format).items[0] is response


def test_places_and_reasons_are_kept() -> None:
    operation, response = Operation.get("a"), OperationResponse(200, reason="Fine")
    change_set, answers = ChangeSet([operation]), ChangeSetResponse([response])
    for position, item in enumerate((operation, response, change_set, answers), 1):
        place(item, position, True)
    (read,) = prepare(BatchRequest([change_set]), format="json").items
    assert isinstance(read, ChangeSet)
    assert read.position == 3
    (inner,) = read.operations()
    assert (inner.id, inner.position, inner.id_in_message) == ("1", 1, True)
    (answer,) = prepare(BatchResponse([answers]), format="json").items
    assert isinstance(answer, ChangeSetResponse)
    assert answer.position == 4
    (leaf,) = answer.responses()
    assert (leaf.id, leaf.position, leaf.id_in_message, leaf.reason) == ("1", 2, True, "Fine")


def test_what_is_given_is_not_changed() -> None:
    batch = BatchRequest(
        [
            Operation.post("a", headers={"Content-Length": "3"}, body=b"{}\n"),
            ChangeSet([Operation.get("$1")]),
        ]
    )
    before = copy.deepcopy(batch)
    assert prepare(batch, format="json") != batch
    assert batch == before
    assert prepare(batch, format="json") == prepare(batch, format="json")


@given(batch_requests("both"))
def test_preparing_a_request_twice_changes_nothing_more(batch: BatchRequest) -> None:
    before = copy.deepcopy(batch)
    for format in FORMATS:
        for dialect in (ODATA_4_01, WITH_LENGTH):
            once = prepare(batch, format=format, dialect=dialect)
            assert prepare(once, format=format, dialect=dialect) == once
    assert batch == before


@given(batch_requests("json", max_items=3))
def test_a_prepared_json_request_has_unique_ids_and_stays_as_it_is(batch: BatchRequest) -> None:
    once = prepare(batch, format="json")
    assert prepare(once, format="json") == once
    used = [operation.id for operation in once.operations()]
    used += [item.id for item in once.items if isinstance(item, ChangeSet)]
    assert None not in used
    assert len(set(used)) == len(used)


@given(batch_responses("both"))
def test_preparing_a_response_twice_changes_nothing_more(batch: BatchResponse) -> None:
    before = copy.deepcopy(batch)
    for format in FORMATS:
        for dialect in (ODATA_4_01, WITH_LENGTH):
            once = prepare(batch, format=format, dialect=dialect)
            assert prepare(once, format=format, dialect=dialect) == once
    assert batch == before


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_read_back_is_what_was_prepared(format: Format) -> None:
    batch = BatchRequest(
        [
            Operation.get("People"),
            ChangeSet([Operation.post("People", json={"Age": 1}), Operation.delete("People(1)")]),
        ]
    )
    payload = encode_request(batch, format=format)
    read = decode_request(payload.body, payload.content_type, headers=payload.headers)
    assert read == prepare(batch, format=format)


# -- change sets in change sets --------------------------------------------------------------------


def nested(depth: int) -> ChangeSet:
    item = ChangeSet([Operation.delete("a")])
    for _ in range(depth - 1):
        item = ChangeSet([item])
    return item


def nested_response(depth: int) -> ChangeSetResponse:
    item = ChangeSetResponse([OperationResponse(204)])
    for _ in range(depth - 1):
        item = ChangeSetResponse([item])
    return item


@pytest.mark.parametrize("format", FORMATS)
def test_as_deep_as_limits_allow_is_prepared(format: Format) -> None:
    (request,) = prepare(BatchRequest([nested(32)]), format=format).items
    (response,) = prepare(BatchResponse([nested_response(32)]), format=format).items
    assert depth_of(request) == depth_of(response) == 32


@pytest.mark.parametrize("depth", [33, 5000])
@pytest.mark.parametrize("format", FORMATS)
def test_what_nests_deeper_is_refused(format: Format, depth: int) -> None:
    request = BatchRequest([Operation.get("a"), nested(depth), nested(1), nested(40)])
    response = BatchResponse([OperationResponse(204), nested_response(depth)])
    message = f"found change sets nested {depth} deep"
    found = Diagnostic(Rule.NESTED_CHANGE_SET, message, None, "items[1]")
    other = Diagnostic(Rule.NESTED_CHANGE_SET, "found change sets nested 40 deep", None, "items[3]")
    with pytest.raises(EncodeError) as caught:
        prepare(request, format=format)
    assert caught.value.diagnostics == (found, other)
    with pytest.raises(EncodeError) as caught:
        prepare(response, format=format)
    assert caught.value.diagnostics == (found,)
