"""What could not be read keeps its place in both roles and formats: nothing after it shifts."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Commit,
    Dialect,
    EncodeError,
    Execution,
    Limits,
    Operation,
    OperationResponse,
    Severity,
    Step,
    Unreadable,
    check_request,
    check_response,
    convert_request,
    decode_response,
    encode_request,
    encode_response,
    match,
    prepare,
    rules,
    split,
)
from odata_batch.dialects import GRAPH, ODATA_4_01

from .command_line import run
from .helpers import FORMATS, MULTIPART, PART_HEAD, Format, batch, change_set, member, part

POST = b"POST People HTTP/1.1\r\n\r\n"
CREATED = b"HTTP/1.1 201 Created\r\n\r\n"
BUSY = b"HTTP/1.1 429 Busy\r\n\r\n"
DAMAGED = b"HTTP/1.1 5OO X\r\n\r\n"
WITH_ID = PART_HEAD + b"Content-ID: 2\r\n"


def independent(count: int) -> BatchRequest:
    return BatchRequest.independent([Operation.post(f"A({index})") for index in range(count)])


def answer(data: bytes, content_type: str = MULTIPART) -> BatchResponse:
    report = check_response(data, content_type)
    assert report.value is not None
    assert not report.ok
    return report.value


def request(data: bytes, content_type: str = MULTIPART) -> BatchRequest:
    report = check_request(data, content_type)
    assert report.value is not None
    assert not report.ok
    return report.value


# -- reading --------------------------------------------------------------------------------------


def test_where_a_dialect_makes_light_of_the_error_decoding_keeps_the_place_too() -> None:
    light = replace(ODATA_4_01, severities=((rules.STATUS_LINE_SYNTAX, Severity.NOTE),))
    value = decode_response(batch(part(DAMAGED), part(CREATED)), MULTIPART, dialect=light)
    assert value.items == (Unreadable("response"), OperationResponse(201))
    report = check_response(
        batch(part(DAMAGED), part(CREATED)), MULTIPART, dialect=light, request=independent(2)
    )
    assert report.ok


# -- what it means --------------------------------------------------------------------------------


def states(asked: BatchRequest, value: BatchResponse, dialect: Dialect = ODATA_4_01) -> str:
    return " ".join(each.state.name for each in match(asked, value, dialect=dialect))


@pytest.mark.parametrize(
    ("second", "expected"),
    [(CREATED, "UNKNOWN SUCCEEDED SUCCEEDED"), (BUSY, "UNKNOWN FAILED SUCCEEDED")],
)
def test_what_comes_after_a_gap_is_in_its_place(second: bytes, expected: str) -> None:
    value = answer(batch(part(DAMAGED), part(second), part(CREATED)))
    assert states(independent(3), value) == expected


def test_an_operation_that_could_not_be_read_has_no_outcome_and_a_place() -> None:
    asked = request(
        batch(part(b"GET\r\n\r\n"), change_set(member(POST), member(b"x", b"2")), part())
    )
    value = BatchResponse([OperationResponse(400), OperationResponse(400), OperationResponse(200)])
    assert states(replace(asked, continue_on_error=True), value) == "FAILED SUCCEEDED"


def executed(asked: BatchRequest, format: Format, dialect: Dialect = ODATA_4_01) -> BatchResponse:
    execution = Execution(
        asked,
        batch_url="http://host/$batch",
        format=format,
        dialect=dialect,
        continue_on_error=True,
    )
    while not execution.finished:
        for work in execution.ready():
            assert not isinstance(work, Commit)  # no change set is begun that cannot be read
            assert isinstance(work, Step)
            execution.complete(work, OperationResponse(204))
    return execution.response()


def test_a_service_answers_in_the_place_of_what_it_could_not_read() -> None:
    bad_set = ChangeSet([Operation.delete("a", id="1"), Unreadable("operation", id="2")], id="g")
    nested = ChangeSet([ChangeSet([Unreadable("operation")])])
    asked = BatchRequest([Unreadable("operation", id="9"), bad_set, Operation.get("b", id="3")])
    response = executed(asked, "multipart")
    found = [(each.status, each.id) for each in response.responses()]
    assert found == [(400, "9"), (400, None), (204, "3")]
    response = executed(asked, "json")
    group = [(400, "1"), (400, "2")]
    found = [(each.status, each.id) for each in response.responses()]
    assert found == [(400, "9"), *group, (204, "3")]
    # Where groups are none, each operation is alone.
    response = executed(asked, "json", GRAPH)
    assert [each.status for each in response.responses()] == [400, 204, 400, 204]
    limits = Limits(change_set_depth=2)
    execution = Execution(BatchRequest([nested]), batch_url="http://host/$batch", limits=limits)
    assert execution.finished


# -- what can be done with it ---------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_what_could_not_be_read_cannot_be_written(format: Format) -> None:
    asked = BatchRequest([ChangeSet([Unreadable("operation")]), Unreadable("operation")])
    assert prepare(asked, format=format).items[1] == Unreadable("operation")
    with pytest.raises(EncodeError) as caught:
        encode_request(asked, format=format)
    answers = BatchResponse([ChangeSetResponse([Unreadable("response")]), Unreadable("response")])
    with pytest.raises(EncodeError) as of_answers:
        encode_response(answers, format=format)
    for error in (caught.value, of_answers.value):
        found = [(each.path, each.message) for each in error.diagnostics]
        message = "what could not be read cannot be written"
        assert found == [("items[0].items[0]", message), ("items[1]", message)]
    other: Format = "json" if format == "multipart" else "multipart"
    for items in ([Unreadable("operation")], [ChangeSet([Unreadable("operation")])]):
        with pytest.raises(EncodeError, match="what could not be read cannot be converted"):
            convert_request(BatchRequest(items), source=format, target=other)
    assert [len(each.items) for each in split(asked, max_operations=1)] == [2]


def test_it_is_a_value_like_others() -> None:
    value = Unreadable("change set", id="g", position=7)
    assert value == Unreadable("change set", id="g", position=8)
    assert hash(value) == hash(Unreadable("change set", id="g"))
    assert repr(value) == "Unreadable(kind='change set', id='g', position=7)"
    assert pickle.loads(pickle.dumps(value)) == value
    assert str(BatchRequest([value])) == repr(BatchRequest([value]))


def test_show_prints_its_place() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    data = head + batch(part(DAMAGED, head=WITH_ID), part(DAMAGED), part(CREATED))
    lines = "\n".join(run("show", "-", data=data).lines)
    assert (
        "items[0]  response that could not be read\n"
        "  id: 2\n"
        "items[1]  response that could not be read\n"
        "items[2]  201 Created"
    ) in lines.replace("<31m", "").replace("<1m", "").replace(">", "")
