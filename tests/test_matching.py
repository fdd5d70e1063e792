"""What became of the operations of a batch: the corpus of matches, and what a result offers."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable
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
    match,
)

Format = Literal["multipart", "json"]
Items = list[Operation | ChangeSet]
Responses = list[OperationResponse | ChangeSetResponse]

CULPRIT_UNKNOWN = "its change set failed with 400; the culprit is not named"


def get(id: str | None = None) -> Operation:
    return Operation.get("People", id=id)


def members(*ids: str | None, name: str | None = None) -> ChangeSet:
    return ChangeSet([Operation.delete("People(1)", id=id) for id in ids], id=name)


def answer(status: int, id: str | None = None, *, to: str | None = None) -> OperationResponse:
    return OperationResponse(status, {} if to is None else {"Location": to}, id=id)


def group(*items: OperationResponse, name: str | None = None) -> ChangeSetResponse:
    return ChangeSetResponse(items, id=name)


def states(result: BatchResult) -> list[str]:
    return [each.state.name for each in result]


def asked(
    items: Iterable[Operation | ChangeSet],
    responses: Iterable[OperationResponse | ChangeSetResponse],
    *,
    format: Format = "multipart",
    goes_on: bool | None = None,
) -> BatchResult:
    """Match responses that are complete, by the standard."""
    request = BatchRequest(items, continue_on_error=goes_on)
    return match(request, BatchResponse(responses), format=format)


# -- the corpus -----------------------------------------------------------------------------------


def test_an_outcome_holds_the_objects_of_the_caller() -> None:
    operation, response = Operation.post("People", body=b"{}"), answer(201, "1")
    (outcome,) = asked([operation], [response], format="json")
    assert outcome.operation is operation
    assert outcome.response is response


def test_a_batch_that_was_refused_has_the_status_of_the_refusal() -> None:
    request = BatchRequest([get("1"), members("2")])
    assert match(request, None, status=413).statuses == {"1": 413, "2": 413}
    assert match(request, None, status=500).statuses == {}


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
    with pytest.raises(LookupError, match=r"^2 operations match Operation.*; use outcomes$"):
        result[get()]


def test_an_object_that_was_sent_twice_is_ambiguous() -> None:
    operation = get()
    result = asked([operation, operation], [answer(200), answer(404)])
    with pytest.raises(LookupError, match="2 operations match"):
        result[operation]


def test_an_id_that_was_sent_twice_is_ambiguous() -> None:
    request = BatchRequest([members("1"), members("1")])
    result = match(request, BatchResponse([group(answer(204)), group(answer(204))]))
    with pytest.raises(LookupError, match="2 operations match 1; use outcomes"):
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
        "3 of 5 operations did not succeed: GET 'People' failed: 404 Not Found; "
        f"DELETE 'People(1)' (id '3') was rolled back: {CULPRIT_UNKNOWN}; "
        f"DELETE 'People(1)' (id '4') was rolled back: {CULPRIT_UNKNOWN}"
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


def test_a_group_that_is_answered_with_nothing_is_unknown() -> None:
    result = asked([members("1", "2", name="g")], [group(name="g")], format="json")
    assert states(result) == ["UNKNOWN"] * 2
    assert result.outcomes[0].reason == "its change set was answered with nothing"


def test_an_error_that_is_there_twice_leaves_a_flat_answer_unknown() -> None:
    result = asked([get(), members(None, None)], [answer(409), answer(409), answer(201)])
    assert states(result) == ["UNKNOWN"] * 3


def test_a_request_and_a_response_are_matched_and_nothing_else() -> None:
    with pytest.raises(TypeError, match="request is a BatchRequest, not list"):
        match([], None)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(TypeError, match="response is a BatchResponse or None, not list"):
        match(BatchRequest([]), [])  # type: ignore[arg-type]  # wrong on purpose
