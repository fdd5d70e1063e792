"""Outcomes: every shape of answer that services give, and every way in which an answer can be off.

Each test says the answer as values; how the shapes look in bytes is the codecs' concern.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import pytest

from odata_batch import (
    BatchError,
    BatchFailed,
    BatchRequest,
    BatchResponse,
    BatchResult,
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    Outcome,
    State,
    decode_response,
    encode_response,
    match,
)
from odata_batch.dialects import ODATA_2, ODATA_4_01

Format = Literal["multipart", "json"]
Told = list[tuple[str, str, str | None]]
Items = list[Operation | ChangeSet]
Responses = list[OperationResponse | ChangeSetResponse]
ResponseItems = Iterable[OperationResponse | ChangeSetResponse]

MONITOR = {"Location": "http://host/monitor/1"}
CASELESS = replace(ODATA_4_01, ids_ignore_case=True)
UNGROUPED = replace(ODATA_4_01, atomicity_groups=False)


def get(id: str | None = None) -> Operation:
    return Operation.get("People", id=id)


def members(*ids: str | None, name: str | None = None) -> ChangeSet:
    return ChangeSet([Operation.delete("People(1)", id=id) for id in ids], id=name)


def answer(status: int, id: str | None = None, *, to: str | None = None) -> OperationResponse:
    return OperationResponse(status, {} if to is None else {"Location": to}, id=id)


def group(*items: OperationResponse, name: str | None = None) -> ChangeSetResponse:
    return ChangeSetResponse(items, id=name)


def told(result: BatchResult) -> Told:
    return [(each.state.name, each.reason, each.matched_by) for each in result]


def states(result: BatchResult) -> list[str]:
    return [each.state.name for each in result]


def asked(
    items: Iterable[Operation | ChangeSet],
    responses: ResponseItems,
    *,
    format: Format = "multipart",
    goes_on: bool | None = None,
) -> BatchResult:
    """Match responses that are complete, by the standard."""
    request = BatchRequest(items, continue_on_error=goes_on)
    return match(request, BatchResponse(responses), format=format)


# -- single operations ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (200, "SUCCEEDED", "answered with 200"),
        (202, "SUCCEEDED", "answered with 202"),
        (304, "SUCCEEDED", "answered with 304"),
        (400, "FAILED", "answered with 400"),
        (599, "FAILED", "answered with 599"),
        (424, "DEPENDENCY_FAILED", "answered with 424"),
        (100, "UNKNOWN", "answered with 100, which is not final"),
        (600, "UNKNOWN", "answered with 600, which is not final"),
    ],
)
@pytest.mark.parametrize("format", ["multipart", "json"])
def test_an_operation_has_the_state_of_its_status(
    format: Format, status: int, state: str, reason: str
) -> None:
    result = asked([get("1")], [answer(status, "1")], format=format)
    assert told(result) == [(state, reason, "position" if format == "multipart" else "id")]


def test_an_outcome_holds_the_object_of_the_caller() -> None:
    operation = Operation.post("People", headers={"Content-Length": "2"}, body=b"{}")
    result = asked([operation], [answer(201, "1")], format="json")
    assert result.outcomes[0].operation is operation
    assert result.outcomes[0].id == "1"


def test_an_outcome_holds_the_response() -> None:
    response = answer(404)
    assert asked([get()], [response]).outcomes[0].response is response


def test_outcomes_are_in_the_order_of_submission() -> None:
    items: Items = [get("1"), members("2", "3"), get("4")]
    responses: Responses = [answer(200, "4"), answer(204, "3"), answer(200, "1"), answer(204, "2")]
    result = asked(items, responses, format="json")
    assert [outcome.id for outcome in result] == ["1", "2", "3", "4"]
    assert states(result) == ["SUCCEEDED"] * 4


# -- five shapes of a failed change set -----------------------------------------------------------

CULPRIT_UNKNOWN = "its change set failed with 400; the culprit is not named"
CULPRIT_2 = "its change set failed with 400 for operation '2'"


def test_a_single_response_in_place_fails_the_change_set() -> None:
    result = asked([members("1", "2"), get()], [answer(400), answer(200)], goes_on=True)
    assert told(result) == [
        ("ROLLED_BACK", CULPRIT_UNKNOWN, "position"),
        ("ROLLED_BACK", CULPRIT_UNKNOWN, "position"),
        ("SUCCEEDED", "answered with 200", "position"),
    ]


@pytest.mark.parametrize("response", [answer(400, "2"), group(answer(400, "2"))])
def test_a_single_response_may_name_the_culprit(
    response: OperationResponse | ChangeSetResponse,
) -> None:
    result = asked([members("1", "2")], [response])
    named = "its change set failed with 400; its id names it"
    assert told(result) == [("ROLLED_BACK", CULPRIT_2, "position"), ("FAILED", named, "position")]


def test_a_response_that_stands_for_all_is_the_response_of_all() -> None:
    response = answer(400, "2")
    result = asked([members("1", "2")], [response])
    assert [outcome.response for outcome in result] == [response, response]


def test_the_id_of_no_member_names_no_culprit() -> None:
    result = asked([members("1", "2")], [answer(400, "3")])
    assert {outcome.reason for outcome in result} == {CULPRIT_UNKNOWN}


def test_a_nested_error_fails_the_change_set() -> None:
    result = asked([members("1", "2")], [group(answer(400))])
    assert told(result) == [("ROLLED_BACK", CULPRIT_UNKNOWN, "position")] * 2


AZURE_JSON = (
    b'{"odata.error":{"code":"InvalidInput","message":{"lang":"en-US",'
    b'"value":"%s:One of the request inputs is not valid.\\nRequestId:1"}}}'
)
AZURE_XML = (
    b'<?xml version="1.0" encoding="utf-8"?><m:error xmlns:m="urn:m"><m:code>InvalidInput</m:code>'
    b'<m:message xml:lang="en-US">%s:One of the request inputs is not valid.</m:message></m:error>'
)


@pytest.mark.parametrize("body", [AZURE_JSON % b"1", AZURE_XML % b"1"])
def test_the_index_in_the_message_names_the_culprit(body: bytes) -> None:
    result = asked([members("1", "2")], [group(OperationResponse(400, body=body))])
    named = "its change set failed with 400; the index in its message names it"
    assert told(result) == [("ROLLED_BACK", CULPRIT_2, "position"), ("FAILED", named, "position")]


def test_an_id_and_an_index_that_agree_name_the_culprit() -> None:
    response = OperationResponse(400, body=AZURE_JSON % b"1", id="2")
    assert states(asked([members("1", "2")], [group(response)])) == ["ROLLED_BACK", "FAILED"]


def test_an_id_and_an_index_that_disagree_name_no_culprit() -> None:
    response = OperationResponse(400, body=AZURE_JSON % b"0", id="2")
    result = asked([members("1", "2")], [group(response)])
    note = "its id and the index in its message name different operations"
    assert (
        told(result) == [("ROLLED_BACK", f"its change set failed with 400; {note}", "position")] * 2
    )


@pytest.mark.parametrize(
    "body",
    [
        AZURE_JSON % b"2",
        AZURE_JSON % b"One",
        AZURE_JSON % b"1234567",
        b'{"odata.error":{"message":"1:One"}}',
        b'{"odata.error":["1:One"]}',
        b'["odata.error"]',
        b'{"odata.error":',
        b'{"error":{"message":"1:One"}}',
        b"<message>One</message>",
        b"1:One",
    ],
)
def test_what_is_no_index_names_no_culprit(body: bytes) -> None:
    result = asked([members("1", "2")], [group(OperationResponse(400, body=body))])
    assert {outcome.reason for outcome in result} == {CULPRIT_UNKNOWN}


def test_a_response_in_place_of_the_change_set_is_not_searched_for_an_index() -> None:
    result = asked([members("1", "2")], [OperationResponse(400, body=AZURE_JSON % b"1")])
    assert {outcome.reason for outcome in result} == {CULPRIT_UNKNOWN}


def test_flattened_responses_are_those_of_the_members() -> None:
    items: Items = [get(), members("1", "2"), get()]
    result = asked(items, [answer(200), answer(201), answer(400), answer(200)], goes_on=True)
    assert told(result) == [
        ("SUCCEEDED", "answered with 200", "position"),
        ("ROLLED_BACK", CULPRIT_2, "position"),
        ("FAILED", "answered with 400", "position"),
        ("SUCCEEDED", "answered with 200", "position"),
    ]


def test_flattened_responses_of_one_change_set_may_be_in_any_order() -> None:
    result = asked([members("1", "2"), get()], [answer(201, "2"), answer(400, "1"), answer(200)])
    assert states(result) == ["FAILED", "ROLLED_BACK", "SUCCEEDED"]


def test_the_batch_may_stop_within_flattened_responses() -> None:
    items: Items = [members("1", "2", "3"), get()]
    result = asked(items, [answer(201), answer(201), answer(400)])
    assert states(result) == ["ROLLED_BACK", "ROLLED_BACK", "FAILED", "NOT_EXECUTED"]


def test_members_of_a_json_group_share_the_failure_of_one() -> None:
    responses: Responses = [answer(201, "1"), answer(400, "2"), answer(424, "3"), answer(200, "4")]
    result = asked([members("1", "2", "3", name="g"), get("4")], responses, format="json")
    assert told(result) == [
        ("ROLLED_BACK", CULPRIT_2, "id"),
        ("FAILED", "answered with 400", "id"),
        ("ROLLED_BACK", CULPRIT_2, "id"),
        ("SUCCEEDED", "answered with 200", "id"),
    ]


def test_a_group_fails_with_what_it_depends_on() -> None:
    responses: Responses = [group(answer(201, "1"), answer(424, "2"), name="g")]
    result = asked([members("1", "2", name="g")], responses, format="json")
    assert told(result) == [
        ("ROLLED_BACK", "its change set failed with 424 for operation '2'", "id"),
        ("DEPENDENCY_FAILED", "answered with 424", "id"),
    ]


def test_a_change_set_that_is_answered_with_424_has_not_been_tried() -> None:
    result = asked([members("1", "2")], [answer(424)])
    assert states(result) == ["DEPENDENCY_FAILED"] * 2


def test_a_failed_member_takes_down_those_without_response() -> None:
    result = asked([members("1", "2", "3")], [group(answer(201, "1"), answer(400, "2"))])
    assert told(result) == [
        ("ROLLED_BACK", CULPRIT_2, "id"),
        ("FAILED", "answered with 400", "id"),
        ("ROLLED_BACK", CULPRIT_2, None),
    ]


def test_an_error_that_is_nobodys_fails_the_change_set() -> None:
    error = answer(400)
    result = asked([members("1", "2", "3")], [group(answer(201, "1"), error)])
    assert told(result) == [
        ("ROLLED_BACK", CULPRIT_UNKNOWN, "id"),
        ("ROLLED_BACK", CULPRIT_UNKNOWN, "position"),
        ("ROLLED_BACK", CULPRIT_UNKNOWN, "position"),
    ]
    assert result.outcomes[2].response is error


@pytest.mark.parametrize(
    ("responses", "reason", "shared"),
    [
        ([answer(201, "8"), answer(400, "9")], CULPRIT_UNKNOWN, 400),
        ([answer(201, "8"), answer(400, "2")], CULPRIT_2, None),
    ],
)
def test_responses_with_ids_that_were_not_sent_hide_no_failure(
    responses: list[OperationResponse], reason: str, shared: int | None
) -> None:
    outcome = asked([members("1", "2")], [group(*responses)]).outcomes[0]
    assert (outcome.state, outcome.reason) == (State.ROLLED_BACK, reason)
    assert (outcome.response and outcome.response.status) == shared


def test_an_error_with_an_id_that_was_not_sent_is_that_of_the_only_member() -> None:
    reason = "its change set failed with 400; it is the only one in it"
    assert told(asked([members("1")], [group(answer(400, "9"))])) == [
        ("FAILED", reason, "position")
    ]


def test_an_error_in_a_contradictory_place_still_names_the_culprit() -> None:
    result = asked([members("1", "2")], [group(answer(400, "2"), answer(201))])
    named = "its change set failed with 400; its id names it"
    assert told(result) == [("ROLLED_BACK", CULPRIT_2, "position"), ("FAILED", named, "position")]


def test_the_only_member_is_the_culprit() -> None:
    assert told(asked([members("1")], [answer(400)])) == [
        ("FAILED", "answered with 400", "position")
    ]


@pytest.mark.parametrize("item", [answer(201), group(answer(201))])
def test_the_response_to_an_only_member_may_stand_in_place(
    item: OperationResponse | ChangeSetResponse,
) -> None:
    assert states(asked([members("1")], [item])) == ["SUCCEEDED"]


def test_the_outermost_change_set_is_the_atomic_unit() -> None:
    items: Items = [ChangeSet([Operation.delete("a", id="1"), members("2", "3")])]
    response = ChangeSetResponse([answer(204, "1"), group(answer(204, "2"), answer(400, "3"))])
    assert states(asked(items, [response])) == ["ROLLED_BACK", "ROLLED_BACK", "FAILED"]


# -- change sets that succeed, or do not tell -----------------------------------------------------


def test_members_are_found_by_id_in_any_order() -> None:
    result = asked([members("1", "2")], [group(answer(204, "2"), answer(201, "1"))])
    assert told(result) == [
        ("SUCCEEDED", "answered with 201", "id"),
        ("SUCCEEDED", "answered with 204", "id"),
    ]


def test_members_without_ids_are_found_by_position() -> None:
    result = asked([members("1", "2")], [group(answer(201), answer(204, "2"))])
    assert told(result) == [
        ("SUCCEEDED", "answered with 201", "position"),
        ("SUCCEEDED", "answered with 204", "position"),
    ]


LOOSE = "its change set was answered, but not every response tells which operation it is for"


@pytest.mark.parametrize(
    ("responses", "reason"),
    [
        ([answer(201), answer(204, "1")], LOOSE),
        ([answer(201, "1"), answer(204, "3")], LOOSE),
        ([answer(201), answer(204), answer(204)], LOOSE),
        ([answer(201, "1"), answer(204, "1")], "2 responses to it were found"),
        (
            [answer(201, "1")],
            "not all of its change set is accounted for: no response to it was found",
        ),
        ([], "no response to it was found"),
        (
            [answer(201, "1"), answer(102, "2")],
            "not all of its change set is accounted for: answered with 102, which is not final",
        ),
    ],
)
def test_a_change_set_that_is_not_accounted_for_is_unknown(
    responses: list[OperationResponse], reason: str
) -> None:
    result = asked([members("1", "2"), get()], [group(*responses), answer(200)])
    assert states(result) == ["UNKNOWN", "UNKNOWN", "SUCCEEDED"]
    assert {outcome.reason for outcome in result.outcomes[:2]} == {reason}


def test_an_error_beyond_doubt_fails_a_change_set_with_doubts() -> None:
    responses: Responses = [group(answer(201, "1"), answer(201, "1"), answer(400, "2"))]
    assert states(asked([members("1", "2")], responses)) == ["ROLLED_BACK", "FAILED"]


def test_an_empty_change_set_has_no_outcomes_and_perhaps_a_place() -> None:
    items: Items = [ChangeSet([]), get()]
    assert states(asked(items, [answer(200)])) == ["SUCCEEDED"]
    assert states(asked(items, [group(), answer(200)])) == ["SUCCEEDED"]
    assert states(asked(items, [answer(400), answer(200)])) == ["SUCCEEDED"]


def test_change_sets_nest_deeper_than_the_stack() -> None:
    change_set, response = members(None), group(answer(204))
    for _ in range(3000):
        change_set, response = ChangeSet([change_set]), ChangeSetResponse([response])
    assert states(asked([change_set], [response])) == ["SUCCEEDED"]
    assert states(asked([change_set], [response], format="json")) == ["SUCCEEDED"]


def test_the_ids_of_each_change_set_may_start_anew() -> None:
    request = BatchRequest([members("1", "2"), members("1", "2")])
    response = BatchResponse([group(answer(204, "2"), answer(204, "1")), answer(400, "2")])
    result = match(request, response, dialect=ODATA_2)
    assert states(result) == ["SUCCEEDED", "SUCCEEDED", "ROLLED_BACK", "FAILED"]


# -- positions, and what contradicts them ---------------------------------------------------------


@pytest.mark.parametrize(
    ("responses", "reason"),
    [
        ([answer(200, "2"), answer(200, "1")], "the id '2' was found in place of '1'"),
        ([answer(200), answer(200, "9")], "the id '9' was found in place of '2'"),
        ([answer(200)], "found 1 response, expected 2"),
        ([], "found 0 responses, expected 2"),
        ([answer(200)] * 3, "found 3 responses, expected 2"),
        (
            [answer(200), group(answer(200))],
            "the response to a change set was found in place of that to items[1]",
        ),
    ],
)
def test_contradictory_positions_tell_nothing(
    responses: list[OperationResponse | ChangeSetResponse], reason: str
) -> None:
    assert told(asked([get("1"), get("2")], responses)) == [("UNKNOWN", reason, None)] * 2


def test_a_response_without_id_is_found_by_position() -> None:
    assert states(asked([get("1"), get("2")], [answer(200), answer(200)])) == ["SUCCEEDED"] * 2


def test_an_id_that_was_not_sent_does_not_contradict_where_none_was_sent() -> None:
    assert states(asked([get(), get()], [answer(200, "1"), answer(404, "2")])) == [
        "SUCCEEDED",
        "FAILED",
    ]


def test_the_id_of_another_item_contradicts() -> None:
    result = asked([get(), get("2")], [answer(200, "2"), answer(200)])
    reason = "the id '2' of another item was found in place of items[0]"
    assert told(result) == [("UNKNOWN", reason, None)] * 2


def test_position_and_id_together_hold_among_contradictions() -> None:
    items: Items = [get("1"), get("2"), members("3"), get("4")]
    result = asked(items, [answer(200, "1"), answer(200, "3"), group(answer(204, "3"))])
    reason = "the id '3' was found in place of '2'"
    assert told(result) == [
        ("SUCCEEDED", "answered with 200", "position"),
        ("UNKNOWN", reason, None),
        ("UNKNOWN", reason, None),
        ("UNKNOWN", reason, None),
    ]


def test_a_success_in_place_of_a_change_set_accounts_for_nothing() -> None:
    result = asked([members("1", "2")], [answer(200)])
    reason = "a single 200 was found in place of the responses to items[0]"
    assert told(result) == [("UNKNOWN", reason, None)] * 2


def test_a_gap_is_no_success_of_what_is_around_it() -> None:
    result = asked([get(), get(), get()], [answer(200), answer(404)], goes_on=True)
    assert told(result) == [("UNKNOWN", "found 2 responses, expected 3", None)] * 3


# -- fewer responses, for a reason ----------------------------------------------------------------


def test_a_multipart_batch_stops_at_the_first_error() -> None:
    result = asked([get(), get("2"), get("3")], [answer(200), answer(404)])
    assert told(result) == [
        ("SUCCEEDED", "answered with 200", "position"),
        ("FAILED", "answered with 404", "position"),
        ("NOT_EXECUTED", "the batch stopped at operation '2', which failed", None),
    ]


def test_a_batch_stops_at_a_change_set() -> None:
    result = asked([members("1", "2"), members("3")], [group(answer(400))])
    assert told(result)[2] == (
        "NOT_EXECUTED",
        "the batch stopped at items[0], which failed",
        None,
    )


@pytest.mark.parametrize(
    ("format", "goes_on", "state"),
    [
        ("multipart", None, "NOT_EXECUTED"),
        ("multipart", False, "NOT_EXECUTED"),
        ("multipart", True, "UNKNOWN"),
        ("json", None, "UNKNOWN"),
        ("json", False, "NOT_EXECUTED"),
        ("json", True, "UNKNOWN"),
    ],
)
def test_whether_a_batch_stops_depends_on_format_and_preference(
    format: Format, goes_on: bool | None, state: str
) -> None:
    result = asked([get("1"), get("2")], [answer(404, "1")], format=format, goes_on=goes_on)
    assert states(result) == ["FAILED", state]


@pytest.mark.parametrize("format", ["multipart", "json"])
@pytest.mark.parametrize("stops", [False, True])
def test_whether_a_batch_stops_depends_on_the_dialect(format: Format, stops: bool) -> None:
    dialect = replace(ODATA_4_01, json_stops_on_error=stops, multipart_stops_on_error=stops)
    request = BatchRequest([get("1"), get("2")])
    result = match(request, BatchResponse([answer(404, "1")]), format=format, dialect=dialect)
    assert states(result) == ["FAILED", "NOT_EXECUTED" if stops else "UNKNOWN"]


def test_a_service_that_went_on_after_an_error_has_not_stopped() -> None:
    result = asked([get(), get(), get()], [answer(404), answer(200)])
    assert states(result) == ["UNKNOWN"] * 3
    result = asked([get(), get(), get(), get()], [answer(404), answer(200), answer(404)])
    assert states(result) == ["UNKNOWN"] * 4


def test_a_service_may_go_on_after_an_error() -> None:
    assert states(asked([get(), get()], [answer(404), answer(200)])) == ["FAILED", "SUCCEEDED"]


def test_a_json_batch_that_stops_may_have_several_errors() -> None:
    items: Items = [get("1"), get("2"), get("3"), get("4"), get("5")]
    responses: Responses = [answer(500, "2"), answer(404, "1"), answer(424, "4")]
    result = asked(items, responses, format="json", goes_on=False)
    assert told(result) == [
        ("FAILED", "answered with 404", "id"),
        ("FAILED", "answered with 500", "id"),
        ("NOT_EXECUTED", "the batch stopped at operation '2', which failed", None),
        ("DEPENDENCY_FAILED", "answered with 424", "id"),
        ("NOT_EXECUTED", "the batch stopped at operation '2', which failed", None),
    ]


def test_what_was_executed_later_shows_that_a_response_is_missing() -> None:
    responses: Responses = [answer(404, "1"), answer(200, "3")]
    result = asked([get("1"), get("2"), get("3")], responses, format="json", goes_on=False)
    assert told(result)[1] == ("UNKNOWN", "no response to it was found", None)


def test_a_json_group_stops_the_batch() -> None:
    items: Items = [members("1", "2", name="g"), get("3")]
    result = asked(items, [answer(400, "g")], format="json", goes_on=False)
    assert told(result) == [
        ("ROLLED_BACK", CULPRIT_UNKNOWN, "id"),
        ("ROLLED_BACK", CULPRIT_UNKNOWN, "id"),
        ("NOT_EXECUTED", "the batch stopped at items[0], which failed", None),
    ]


def test_a_response_that_was_cut_off_leaves_the_rest_unknown() -> None:
    request = BatchRequest([get(), get(), get()])
    result = match(request, BatchResponse([answer(200), answer(404)], truncated=True))
    assert told(result) == [
        ("SUCCEEDED", "answered with 200", "position"),
        ("FAILED", "answered with 404", "position"),
        ("UNKNOWN", "the response was cut off before its part", None),
    ]


def test_a_202_at_the_end_stands_for_the_rest() -> None:
    items: Items = [get("1"), get("2"), members("3", "4")]
    result = asked(items, [answer(200), answer(202, to="later")])
    pending = ("PENDING", "the response ends with a 202 that stands for it", "position")
    assert told(result) == [("SUCCEEDED", "answered with 200", "position")] + [pending] * 3
    assert [outcome.location for outcome in result] == [None] + ["later"] * 3


def test_a_202_at_the_end_may_stand_for_the_last_operation_alone() -> None:
    assert states(asked([get(), get()], [answer(200), answer(202, to="l")])) == [
        "SUCCEEDED",
        "PENDING",
    ]


def test_a_202_at_the_end_of_flattened_responses_stands_for_the_rest() -> None:
    items: Items = [members("1", "2"), get()]
    result = asked(items, [answer(200), answer(200), answer(202, to="l")])
    assert states(result) == ["SUCCEEDED", "SUCCEEDED", "PENDING"]


def test_a_202_without_location_has_succeeded_and_leaves_a_gap() -> None:
    assert states(asked([get()], [answer(202)])) == ["SUCCEEDED"]
    assert states(asked([get(), get()], [answer(202)])) == ["UNKNOWN"] * 2


def test_a_202_before_the_end_has_succeeded() -> None:
    result = asked([get(), get()], [answer(202, to="l"), answer(200)])
    assert states(result) == ["SUCCEEDED"] * 2


def test_a_202_within_a_change_set_has_succeeded() -> None:
    result = asked([members("1", "2")], [answer(201), answer(202, to="l")])
    assert states(result) == ["SUCCEEDED"] * 2


def test_a_202_at_the_end_must_not_be_that_of_an_earlier_operation() -> None:
    result = asked([get("1"), get("2")], [answer(200), answer(202, "1", to="l")])
    reason = "the 202 at the end has the id '1' of an earlier operation"
    assert told(result) == [("UNKNOWN", reason, None)] * 2


def test_a_202_may_not_be_the_end_if_the_response_was_cut_off() -> None:
    request = BatchRequest([get(), get()])
    result = match(request, BatchResponse([answer(202, to="l")], truncated=True))
    assert told(result)[0] == (
        "UNKNOWN",
        "the response was cut off after a 202, which may stand for the rest",
        "position",
    )


def test_a_json_operation_is_pending_on_its_own() -> None:
    responses: Responses = [
        answer(202, "2", to="http://host/m"),
        answer(200, "1"),
        answer(202, "3"),
    ]
    result = asked([get("1"), get("2"), get("3")], responses, format="json")
    reason = "answered with 202, and the result will be at 'http://host/m'"
    assert told(result)[1:] == [
        ("PENDING", reason, "id"),
        ("SUCCEEDED", "answered with 202", "id"),
    ]
    assert result.outcomes[1].location == "http://host/m"


def test_a_group_is_pending_with_one_of_its_members() -> None:
    responses: Responses = [answer(201, "1"), answer(202, "2", to="l")]
    result = asked([members("1", "2", name="g")], responses, format="json")
    assert told(result) == [
        ("PENDING", "answered with 201, but the rest of its change set is pending", "id"),
        ("PENDING", "answered with 202, and the result will be at 'l'", "id"),
    ]
    assert [outcome.location for outcome in result] == ["l", "l"]


def test_what_is_left_to_the_next_link_is_pending() -> None:
    request = BatchRequest([get("1"), get("2"), members("3", "4", name="g")])
    response = BatchResponse([answer(200, "2"), answer(204, "3")], next_link="more")
    result = match(request, response, format="json")
    left = ("PENDING", "it is left to the next link 'more'", None)
    assert told(result) == [
        left,
        ("SUCCEEDED", "answered with 200", "id"),
        ("PENDING", "answered with 204, but the rest of its change set is pending", "id"),
        left,
    ]
    assert result.outcomes[0].location == "more"


def test_an_interim_answer_in_multipart_leaves_the_rest_of_a_json_batch_pending() -> None:
    responses: Responses = [answer(200, "2"), answer(202, to="l")]
    result = asked([get("1"), get("2"), get("3")], responses, format="json")
    assert states(result) == ["PENDING", "SUCCEEDED", "PENDING"]


def test_a_202_without_ids_explains_no_gap_in_a_json_batch() -> None:
    items, responses = [get("1"), get("2"), get("3")], [answer(200), answer(202, to="l")]
    result = asked(items, responses, format="json")
    assert told(result) == [("UNKNOWN", "found 2 responses, expected 3", None)] * 3
    assert states(asked(items[:2], responses, format="json")) == ["SUCCEEDED", "PENDING"]


# -- identifiers, and what contradicts them -------------------------------------------------------


def test_an_id_that_is_answered_twice_tells_nothing_of_its_operation() -> None:
    responses: Responses = [answer(200, "1"), answer(404, "1"), answer(200, "2")]
    result = asked([get("1"), get("2")], responses, format="json")
    assert told(result) == [
        ("UNKNOWN", "2 responses to it were found", None),
        ("SUCCEEDED", "answered with 200", "id"),
    ]


def test_an_id_that_is_answered_twice_may_be_that_of_what_is_missing() -> None:
    responses: Responses = [answer(404, "1"), answer(404, "1")]
    result = asked([get("1"), get("2")], responses, format="json", goes_on=False)
    assert told(result)[1] == ("UNKNOWN", "no response to it was found", None)


def test_an_id_that_was_not_sent_may_be_that_of_what_is_missing() -> None:
    responses: Responses = [answer(404, "1"), answer(200, "x")]
    result = asked([get("1"), get("2")], responses, format="json", goes_on=False)
    reason = "no response to it was found, but one with the id 'x', which was not sent"
    assert told(result) == [("FAILED", "answered with 404", "id"), ("UNKNOWN", reason, None)]


def test_an_id_that_was_sent_twice_tells_nothing() -> None:
    items: Items = [get("1"), get("1"), get("2")]
    responses: Responses = [answer(200, "1"), answer(200, "1"), answer(200, "2")]
    result = asked(items, responses, format="json")
    reason = "the id '1' was sent more than once"
    assert told(result) == [
        ("UNKNOWN", reason, None),
        ("UNKNOWN", reason, None),
        ("SUCCEEDED", "answered with 200", "id"),
    ]


def test_an_id_that_is_also_the_name_of_a_group_tells_nothing() -> None:
    items: Items = [get("g"), members("1", "2", name="g")]
    result = asked(items, [answer(200, "g"), group(answer(200), name="g")], format="json")
    assert {outcome.reason for outcome in result} == {"the id 'g' was sent more than once"}


def test_a_group_in_a_response_without_ids_is_found_by_its_name() -> None:
    items: Items = [members("1", "2", name="g"), members("3", name="h"), get("4")]
    responses: Responses = [
        answer(200, "4"),
        group(answer(204), name="h"),
        group(answer(500), name="g"),
    ]
    result = asked(items, responses, format="json")
    assert states(result) == ["ROLLED_BACK", "ROLLED_BACK", "SUCCEEDED", "SUCCEEDED"]


def test_the_id_of_another_item_in_a_group_contradicts() -> None:
    items: Items = [members("1", "2", name="g"), get("3")]
    responses: Responses = [group(answer(204), answer(204, "3"), name="g")]
    result = asked(items, responses, format="json")
    reason = "the id '3' of another item was found in its change set"
    assert {outcome.reason for outcome in result.outcomes[:2]} == {reason}
    assert states(result) == ["UNKNOWN"] * 3


@pytest.mark.parametrize("name", ["g", "h", None])
def test_a_response_in_a_group_that_it_was_not_sent_in_tells_nothing(name: str | None) -> None:
    items: Items = [members("1", name="g"), members("2", name="h"), get("3")]
    responses: Responses = [group(answer(204, "1"), answer(200, "3"), name=name), answer(204, "2")]
    result = asked(items, responses, format="json")
    reason = "its response is in a group that it was not sent in"
    assert told(result) == [
        ("UNKNOWN", reason, "id"),
        ("SUCCEEDED", "answered with 204", "id"),
        ("UNKNOWN", reason, "id"),
    ]


def test_one_response_may_fail_a_group() -> None:
    result = asked([members("1", "2", name="g")], [answer(400, "g")], format="json")
    assert told(result) == [("ROLLED_BACK", CULPRIT_UNKNOWN, "id")] * 2


def test_one_response_to_a_group_of_one_is_that_of_its_member() -> None:
    result = asked([members("1", name="g")], [answer(400, "g")], format="json")
    reason = "its change set failed with 400; it is the only one in it"
    assert told(result) == [("FAILED", reason, "id")]


def test_one_success_does_not_account_for_a_group() -> None:
    result = asked([members("1", "2", name="g")], [answer(200, "g")], format="json")
    assert told(result) == [("UNKNOWN", "a single 200 was found for its change set", None)] * 2


def test_two_responses_to_a_group_contradict() -> None:
    result = asked([members("1", name="g")], [answer(400, "g"), answer(500, "g")], format="json")
    assert told(result) == [("UNKNOWN", "2 responses to its change set were found", None)]


def test_case_matters_unless_the_dialect_says_otherwise() -> None:
    request = BatchRequest([get("a"), get("b")])
    response = BatchResponse([answer(200, "B"), answer(200, "A")])
    assert states(match(request, response, format="json")) == ["UNKNOWN"] * 2
    assert states(match(request, response, format="json", dialect=CASELESS)) == ["SUCCEEDED"] * 2


def test_ids_that_differ_in_case_alone_may_be_the_same() -> None:
    request = BatchRequest([get("a"), get("A")])
    response = BatchResponse([answer(200, "a"), answer(200, "A")])
    assert states(match(request, response, format="json")) == ["SUCCEEDED"] * 2
    assert states(match(request, response, format="json", dialect=CASELESS)) == ["UNKNOWN"] * 2


def test_a_json_answer_without_ids_is_matched_by_position() -> None:
    items: Items = [get(), members(None, None)]
    responses: Responses = [answer(200), answer(201), answer(400)]
    result = asked(items, responses, format="json")
    assert told(result) == [
        ("SUCCEEDED", "answered with 200", "position"),
        ("ROLLED_BACK", "its change set failed with 400 for operation '3'", "position"),
        ("FAILED", "answered with 400", "position"),
    ]


# -- answers in the other format ------------------------------------------------------------------


def test_a_multipart_answer_to_a_json_batch_is_flat() -> None:
    items: Items = [get("1"), members("2", "3", name="g"), get("4")]
    responses: Responses = [answer(204, "3"), answer(200, "4"), answer(204, "2"), answer(404, "1")]
    result = asked(items, responses, format="json")
    assert states(result) == ["FAILED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"]


def test_a_multipart_answer_to_a_json_batch_may_be_nested_without_ids() -> None:
    items: Items = [get("1"), members("2", name="g9")]
    result = asked(items, [answer(200), group(answer(201))], format="json")
    assert states(result) == ["SUCCEEDED"] * 2


def test_a_json_answer_to_a_multipart_batch_is_matched_by_id() -> None:
    items: Items = [get("1"), members("2", "3"), get("4")]
    responses: Responses = [
        answer(200, "4"),
        group(answer(204, "3"), answer(204, "2"), name="invented"),
        answer(404, "1"),
    ]
    result = asked(items, responses, goes_on=True)
    assert told(result) == [
        ("FAILED", "answered with 404", "id"),
        ("SUCCEEDED", "answered with 204", "id"),
        ("SUCCEEDED", "answered with 204", "id"),
        ("SUCCEEDED", "answered with 200", "id"),
    ]


def test_a_json_answer_to_operations_without_ids_is_matched_by_position() -> None:
    items: Items = [get(), members("2", "3")]
    responses: Responses = [answer(200), group(answer(204, "3"), answer(400, "2"), name="invented")]
    result = asked(items, responses)
    assert told(result) == [
        ("SUCCEEDED", "answered with 200", "position"),
        ("FAILED", "answered with 400", "id"),
        ("ROLLED_BACK", CULPRIT_2, "id"),
    ]


def test_a_json_answer_to_a_multipart_batch_tells_where_it_stopped() -> None:
    items: Items = [get("1"), members("2", "3"), get("4")]
    responses: Responses = [group(answer(424, "3"), answer(400, "2"), name="g"), answer(200, "1")]
    assert states(asked(items, responses)) == [
        "SUCCEEDED",
        "FAILED",
        "ROLLED_BACK",
        "NOT_EXECUTED",
    ]


def test_a_json_answer_to_a_multipart_batch_may_show_that_it_did_not_stop() -> None:
    items: Items = [get("1"), get("2"), get("3")]
    response = replace(answer(404, "1"), annotations=(("@n.a", b"1"),))
    result = asked(items, [answer(200, "2"), response])
    assert states(result) == ["FAILED", "SUCCEEDED", "UNKNOWN"]


def test_a_json_answer_to_a_multipart_batch_has_operations_that_are_pending_alone() -> None:
    request = BatchRequest([get("1"), get("2")])
    response = BatchResponse([answer(202, to="l"), answer(200)], annotations=(("@n.a", b"1"),))
    assert states(match(request, response)) == ["PENDING", "SUCCEEDED"]


def test_what_was_encoded_in_the_other_format_is_matched_after_decoding() -> None:
    request = BatchRequest([get("1"), members("2", "3"), get("4")])
    answered = BatchResponse([answer(200, "1"), group(answer(204, "3"), answer(204, "2"))])
    payload = encode_response(answered, format="json")
    response = decode_response(payload.body, payload.content_type)
    assert states(match(request, response)) == ["SUCCEEDED"] * 3 + ["UNKNOWN"]


# -- services without atomic groups ---------------------------------------------------------------


def ungrouped(
    items: Iterable[Operation | ChangeSet], responses: ResponseItems, format: Format = "multipart"
) -> BatchResult:
    request = BatchRequest(items, continue_on_error=True)
    return match(request, BatchResponse(responses), format=format, dialect=UNGROUPED)


def test_members_stand_on_their_own_where_groups_are_ignored() -> None:
    items: Items = [members("1", "2", "3", name="g")]
    responses: Responses = [answer(201, "1"), answer(400, "2")]
    assert states(ungrouped(items, responses, "json")) == ["SUCCEEDED", "FAILED", "UNKNOWN"]


def test_flattened_members_stand_on_their_own() -> None:
    items: Items = [members("1", "2"), get()]
    responses: Responses = [answer(201), answer(400), answer(200)]
    assert states(ungrouped(items, responses)) == ["SUCCEEDED", "FAILED", "SUCCEEDED"]


def test_a_single_error_in_place_does_not_tell_what_became_of_the_others() -> None:
    result = ungrouped([members("1", "2")], [answer(400)])
    reason = "a single 400 was found in place of the responses to items[0]"
    assert told(result) == [("UNKNOWN", reason, None)] * 2


def test_a_single_nested_error_is_that_of_the_member_that_it_names() -> None:
    result = ungrouped([members("1", "2")], [group(answer(400, "2"))])
    reason = "its change set was answered with a single 400; its id names it"
    assert told(result) == [("UNKNOWN", reason, "position"), ("FAILED", reason, "position")]


def test_a_response_that_is_nobodys_leaves_the_others_unknown() -> None:
    result = ungrouped([members("1", "2")], [group(answer(201, "1"), answer(400, "3"))])
    assert told(result) == [
        ("SUCCEEDED", "answered with 201", "id"),
        ("UNKNOWN", LOOSE, None),
    ]


def test_a_member_that_is_answered_twice_is_unknown_alone() -> None:
    responses: Responses = [group(answer(201, "1"), answer(201, "1"), answer(201, "2"))]
    assert told(ungrouped([members("1", "2")], responses)) == [
        ("UNKNOWN", "2 responses to it were found", None),
        ("SUCCEEDED", "answered with 201", "id"),
    ]


@pytest.mark.parametrize("goes_on", [None, True])
def test_responses_may_be_those_of_a_change_set_that_was_taken_apart(goes_on: bool | None) -> None:
    items: Items = [ChangeSet([Operation.delete("a"), Operation.delete("b")]), get()]
    response = BatchResponse([answer(400), answer(204)], truncated=goes_on is True)
    result = match(BatchRequest(items, continue_on_error=goes_on), response)
    reason = "the response in place of items[0] may be to one of its operations"
    assert told(result) == [("UNKNOWN", reason, None)] * 3


def test_an_identifier_behind_a_change_set_tells_that_it_was_not_taken_apart() -> None:
    items: Items = [members("1", "2"), get("3")]
    response = BatchResponse([answer(400), answer(204, "3")])
    assert states(match(BatchRequest(items), response))[2] == "SUCCEEDED"


# -- no response ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [None, 200, 202, 302, 408, 500, 503])
def test_without_a_response_everything_is_unknown(status: int | None) -> None:
    result = match(BatchRequest([get(), members("1")]), None, status=status)
    reason = "there is no response" + (f" but the status {status}" if status else "")
    assert told(result) == [("UNKNOWN", reason, None)] * 2
    assert result.statuses == {}


@pytest.mark.parametrize("response", [None, BatchResponse([])])
def test_a_batch_that_was_refused_has_failed(response: BatchResponse | None) -> None:
    result = match(BatchRequest([get("1"), members("2")]), response, status=413)
    assert told(result) == [("FAILED", "the batch as a whole was refused with 413", None)] * 2
    assert result.statuses == {"1": 413, "2": 413}


@pytest.mark.parametrize(
    "response",
    [
        BatchResponse([], truncated=True),
        BatchResponse([], next_link="more"),
        BatchResponse([answer(200)]),
    ],
)
def test_the_outer_status_does_not_decide_where_there_are_results(response: BatchResponse) -> None:
    request = BatchRequest([get()])
    assert match(request, response, status=400) == match(request, response)


def test_an_empty_batch_has_nothing_that_did_not_succeed() -> None:
    result = match(BatchRequest([]), BatchResponse([]), format="json")
    assert (result.ok, len(result), result.failures) == (True, 0, ())


def test_what_is_no_format_is_a_value_error() -> None:
    wrong: Format = "xml"  # type: ignore[assignment] # what it refuses
    with pytest.raises(ValueError, match="format is 'multipart' or 'json', not 'xml'"):
        match(BatchRequest([]), None, format=wrong)


# -- what the result offers -----------------------------------------------------------------------


def test_a_result_is_a_sequence_of_outcomes() -> None:
    result = asked([get(), get()], [answer(200), answer(404)])
    assert list(result) == list(result.outcomes)
    assert len(result) == 2
    assert [each.state for each in result.failures] == [State.FAILED]


@pytest.mark.parametrize(("status", "ok"), [(200, True), (304, True), (404, False), (100, False)])
def test_a_result_is_ok_if_everything_has_succeeded(status: int, ok: bool) -> None:
    assert asked([get(), get()], [answer(200), answer(status)]).ok is ok


def test_a_pending_operation_is_not_ok() -> None:
    assert not asked([get()], [answer(202, to="l")]).ok


def test_an_outcome_is_found_by_its_operation() -> None:
    first, second = get(), get()
    result = asked([first, second], [answer(200), answer(404)])
    assert result[first] is result.outcomes[0]
    assert result[second] is result.outcomes[1]


def test_an_outcome_is_found_by_an_equal_operation() -> None:
    result = asked([get("1"), get("2")], [answer(200), answer(404)])
    assert result[get("2")] is result.outcomes[1]


def test_an_outcome_is_found_by_a_generated_id() -> None:
    result = asked([get("1"), get()], [answer(200, "1"), answer(404, "2")], format="json")
    assert result["2"] is result.outcomes[1]


def test_equal_operations_are_told_apart_by_identity_alone() -> None:
    result = asked([get(), get()], [answer(200), answer(404)])
    with pytest.raises(LookupError, match=r"^2 operations answer to Operation.*; use outcomes$"):
        result[get()]


def test_an_object_that_was_sent_twice_is_ambiguous() -> None:
    operation = get()
    result = asked([operation, operation], [answer(200), answer(404)])
    with pytest.raises(LookupError, match="2 operations answer to"):
        result[operation]


def test_an_id_that_was_sent_twice_is_ambiguous() -> None:
    request = BatchRequest([members("1"), members("1")])
    result = match(request, BatchResponse([group(answer(204)), group(answer(204))]))
    with pytest.raises(LookupError, match="2 operations answer to 1; use outcomes"):
        result["1"]


@pytest.mark.parametrize("key", ["9", get("9")])
def test_what_was_not_sent_is_a_key_error(key: str | Operation) -> None:
    with pytest.raises(KeyError):
        asked([get("1")], [answer(200)])[key]


def test_a_result_survives_pickling_and_copying() -> None:
    first, second = get(), get()
    result = asked([first, second], [answer(200), answer(404)])
    assert result[second].state is State.FAILED
    again: BatchResult = pickle.loads(pickle.dumps(result))
    assert again == result
    assert hash(again) == hash(result)
    assert again[again.outcomes[1].operation] is again.outcomes[1]
    assert copy.copy(result)[second] is result.outcomes[1]


def test_statuses_are_those_by_which_others_know_what_to_do() -> None:
    items: Items = [members("1", "2", name="g"), get("3"), get("4"), get("5")]
    responses: Responses = [
        answer(201, "1"),
        answer(503, "2"),
        answer(202, "3", to="l"),
        answer(200, "4"),
    ]
    result = asked(items, responses, format="json")
    assert result.statuses == {"1": 424, "2": 503, "3": 202, "4": 200}


def test_a_rolled_back_operation_has_the_status_of_the_error_that_stands_for_it() -> None:
    result = asked([members("1", "2"), get("3")], [answer(503)])
    assert result.statuses == {"1": 503, "2": 503}


def test_a_rolled_back_operation_without_response_has_the_status_424() -> None:
    result = asked([members("1", "2", "3")], [group(answer(201, "1"), answer(400, "2"))])
    assert result.statuses == {"1": 424, "2": 400, "3": 424}


def test_what_is_left_to_the_next_link_has_the_status_202() -> None:
    response = BatchResponse([], next_link="more")
    assert match(BatchRequest([get("1")]), response, format="json").statuses == {"1": 202}


def test_statuses_leave_out_what_cannot_be_named() -> None:
    request = BatchRequest([get(), members("1"), members("1")])
    response = BatchResponse([answer(200), group(answer(204)), answer(400)])
    assert match(request, response).statuses == {}


def test_success_raises_nothing() -> None:
    asked([get()], [answer(200)]).raise_for_failures()


def test_failures_are_raised_with_the_result() -> None:
    items: Items = [get("1"), get(), members("3", "4"), get("5")]
    result = asked(items, [answer(200), answer(404), answer(400), answer(200)], goes_on=True)
    with pytest.raises(BatchFailed) as caught:
        result.raise_for_failures()
    assert isinstance(caught.value, BatchError)
    assert caught.value.result is result
    assert caught.value.http_status == 502
    assert str(caught.value) == (
        "3 of 5 operations did not succeed: GET 'People' is failed: answered with 404; "
        f"DELETE 'People(1)' (id '3') is rolled back: {CULPRIT_UNKNOWN}; "
        f"DELETE 'People(1)' (id '4') is rolled back: {CULPRIT_UNKNOWN}"
    )


def test_the_message_shows_the_first_failures() -> None:
    result = asked([get() for _ in range(5)], [answer(404) for _ in range(5)])
    assert str(BatchFailed(result)).endswith("; and 2 more")


def test_what_was_raised_survives_pickling() -> None:
    error = BatchFailed(asked([get()], [answer(404)]))
    again: BatchFailed = pickle.loads(pickle.dumps(error))
    assert (again.result, str(again)) == (error.result, str(error))


def test_an_outcome_can_be_made_by_hand() -> None:
    outcome = Outcome(operation=get(), state=State.UNKNOWN, reason="not asked")
    assert (outcome.status, outcome.response, outcome.location) == (None, None, None)


def test_many_operations_take_linear_time() -> None:
    # What is quadratic here takes minutes: every change set shares its identifiers with all others.
    count = 5_000
    items: Items = [members("1", "2") for _ in range(count)]
    nested = [group(answer(204, "2"), answer(204, "1")) for _ in range(count)]
    assert asked(items, nested).ok
    flat = [answer(204, id) for _ in range(count) for id in ("2", "1")]
    assert asked(items, flat).ok
    assert set(states(asked(items, flat, format="json"))) == {"UNKNOWN"}
    operations = [get(str(number)) for number in range(2 * count)]
    answers = [answer(200, str(number)) for number in reversed(range(2 * count))]
    result = asked(operations, answers, format="json")
    assert all(result[operation].state is State.SUCCEEDED for operation in operations)


def test_a_request_and_a_response_are_matched_and_nothing_else() -> None:
    with pytest.raises(TypeError, match="request is a BatchRequest, not list"):
        match([], None)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="response is a BatchResponse or None, not list"):
        match(BatchRequest([]), [])  # type: ignore[arg-type]  # wrong on purpose
