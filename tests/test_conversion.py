"""Conversion between the formats, as far as no row of the corpus says it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    EncodeError,
    Operation,
    OperationResponse,
    Severity,
    Unreadable,
    convert_request,
    convert_response,
    decode_request,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01, Dialect
from odata_batch.rules import EMPTY_CHANGE_SET, NO_PARTS
from odata_batch.strategies import batch_requests, batch_responses

Format = Literal["multipart", "json"]

PEOPLE = Operation.get("People", id="p")
ANN = Operation.delete("People(1)", id="a")


# -- what no row says ------------------------------------------------------------------------------


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


def test_a_body_deeper_than_the_limit_is_kept_as_octets() -> None:
    fields = {"Content-Type": "application/json"}
    deep = Operation.post("People", headers=fields, body=b"[" * 200 + b"]" * 200)
    batch, losses = convert_request(BatchRequest([deep]), source="multipart", target="json")
    assert batch.operations()[0].headers["Content-Type"] == "application/octet-stream"
    assert [loss.rule.slug for loss in losses] == ["limit-exceeded"]


def test_a_url_that_is_not_utf_8_is_percent_encoded() -> None:
    odd = replace(PEOPLE, url="Gr\u00f6\u00dfe(\udcff)\ud800")
    formats: list[tuple[Format, Format]] = [("multipart", "json"), ("json", "multipart")]
    for source, target in formats:
        batch, losses = convert_request(BatchRequest([odd]), source=source, target=target)
        assert batch.operations()[0].url == "Gr%C3%B6%C3%9Fe(%FF)%ED%A0%80"
        assert [loss.rule.slug for loss in losses] == ["url-characters"]


def test_a_loss_has_the_position_of_what_was_decoded() -> None:
    payload = encode_request(BatchRequest([replace(PEOPLE, condition="true")]), format="json")
    batch = decode_request(payload.body, payload.content_type)
    converted, losses = convert_request(batch, source="json", target="multipart")
    assert [loss.position for loss in losses] == [batch.items[0].position]
    assert converted.items[0].position is None


def test_a_reason_phrase_is_not_invented() -> None:
    answer = OperationResponse(200, id="1", reason="a\nb")
    converted, _ = convert_response(BatchResponse([answer]), source="json", target="multipart")
    assert converted.responses()[0].reason is None


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^format is 'multipart' or 'json', not 'xml'$"):
        convert_request(BatchRequest([]), source="xml", target="json")  # type: ignore[arg-type]  # wrong on purpose


def test_a_severity_of_the_dialect_is_that_of_the_loss() -> None:
    dialect = replace(ODATA_2, severities=((EMPTY_CHANGE_SET, Severity.NOTE),))
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
        assert [found.rule for found in error.diagnostics] == [NO_PARTS]
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
        if not isinstance(item, Unreadable)
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
