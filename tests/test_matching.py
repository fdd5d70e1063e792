"""What a result offers of what became of the operations; the corpus of matches says the rest."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest

from odata_batch import (
    BatchError,
    BatchFailed,
    BatchRequest,
    BatchResponse,
    BatchResult,
    Operation,
    Outcome,
    State,
    match,
)

from .batches import request, response
from .helpers import Format

CULPRIT_UNKNOWN = "its change set failed with 400; the culprit is not named"
TWO = "GET People; GET People"


def asked(
    batch: str | BatchRequest, answer: str, format: Format = "multipart", **more: Any
) -> BatchResult:
    """Match responses that are complete, by the standard."""
    sent = request(batch) if isinstance(batch, str) else batch
    return match(replace(sent, **more), response(answer), format=format)


def test_an_outcome_holds_the_objects_of_the_caller() -> None:
    batch, answer = request("POST People = {}"), response("1: 201")
    (outcome,) = match(batch, answer, format="json")
    assert outcome.operation is batch.items[0]
    assert outcome.response is answer.items[0]


def test_what_is_no_format_is_a_value_error() -> None:
    wrong: Format = "xml"  # type: ignore[assignment] # what it refuses
    with pytest.raises(ValueError, match="format is 'multipart' or 'json', not 'xml'"):
        match(BatchRequest([]), None, format=wrong)


def test_a_result_is_a_sequence_of_outcomes() -> None:
    result = asked(TWO, "200; 404")
    assert list(result) == list(result.outcomes)
    assert len(result) == 2
    assert [each.state for each in result.failures] == [State.FAILED]


@pytest.mark.parametrize(
    ("status", "ok"),
    [("200", True), ("304", True), ("404", False), ("100", False), ("202 [Location: l]", False)],
)
def test_a_result_is_ok_if_everything_has_succeeded(status: str, ok: bool) -> None:
    assert asked(TWO, f"200; {status}").ok is ok


def test_an_outcome_is_found_by_its_operation_or_an_equal_one_or_its_id() -> None:
    batch = request(TWO)
    result = asked(batch, "200; 404")
    assert [result[each] for each in batch.operations()] == list(result)
    result = asked("1: GET People; 2: GET People", "200; 404")
    assert result[Operation.get("People", id="2")] is result.outcomes[1]
    result = asked("1: GET People; GET People", "1: 200; 2: 404", "json")
    assert result["2"] is result.outcomes[1]


OPERATION = Operation.get("People")


@pytest.mark.parametrize(
    ("batch", "answer", "key", "error"),
    [
        (TWO, "200; 404", OPERATION, r"^2 operations match Operation.*; use outcomes$"),
        (BatchRequest([OPERATION] * 2), "200; 404", OPERATION, "2 operations match"),
        (
            "{ 1: POST A }; { 1: POST A }",
            "{ 204 }; { 204 }",
            "1",
            "2 operations match '1'; use out",
        ),
        ("1: GET People", "200", "9", "no operation matches '9'; the ids are '1'\""),
        ("; ".join(f"{n}: GET A" for n in range(12)), "200", "x", "are '0', .*, '9', 2 more\""),
        ("GET People", "200", None, "no operation matches None; the ids are none"),
    ],
)
def test_what_was_not_sent_or_was_sent_twice_is_not_found(
    batch: str | BatchRequest, answer: str, key: Any, error: str
) -> None:
    with pytest.raises(LookupError, match=error) as caught:
        asked(batch, answer)[key]
    assert isinstance(caught.value, KeyError) == ("are " in error)


def test_a_result_survives_pickling_and_copying() -> None:
    batch = request(TWO)
    result, second = asked(batch, "200; 404"), batch.operations()[1]
    assert result[second].state is State.FAILED
    again: BatchResult = pickle.loads(pickle.dumps(result))
    assert again == result
    assert hash(again) == hash(result)
    assert again[again.outcomes[1].operation] is again.outcomes[1]
    assert copy.copy(result)[second] is result.outcomes[1]


@pytest.mark.parametrize(
    ("batch", "answer", "format", "expected"),
    [
        # Those by which others know what to do
        (
            "g{ 1: POST A; 2: POST B }; 3: GET C; 4: GET D; 5: GET E",
            "1: 201; 2: 503; 3: 202 [Location: l]; 4: 200",
            "json",
            {"1": 424, "2": 503, "3": 202, "4": 200},
        ),
        # What was rolled back has that of the error that stands for it, or 424.
        ("{ 1: POST A; 2: POST B }; 3: GET C", "503", "multipart", {"1": 503, "2": 503}),
        (
            "{ 1: POST A; 2: POST B; 3: POST C }",
            "{ 1: 201; 2: 400 }",
            "multipart",
            {"1": 424, "2": 400, "3": 424},
        ),
        # What cannot be named is left out.
        ("GET A; { 1: POST B }; { 1: POST C }", "200; { 204 }; 400", "multipart", {}),
    ],
)
def test_a_result_has_the_statuses(
    batch: str, answer: str, format: Format, expected: dict[str, int]
) -> None:
    assert asked(batch, answer, format).statuses == expected


def test_a_result_has_the_statuses_of_what_is_refused_or_left_for_later() -> None:
    batch = request("1: GET A; { 2: POST B }")
    assert match(batch, None, status=413).statuses == {"1": 413, "2": 413}
    assert match(batch, None, status=500).statuses == {}
    assert {each.refusal for each in match(batch, None, status=500)} == {None}
    later = BatchResponse([], next_link="more")
    assert match(request("1: GET A"), later, format="json").statuses == {"1": 202}


def test_failures_are_raised_with_the_result() -> None:
    asked("GET A", "200").raise_for_failures()
    batch = "1: GET People; GET People; { 3: DELETE P; 4: DELETE P }; 5: GET People"
    result = asked(batch, "200; 404; 400; 200", continue_on_error=True)
    with pytest.raises(BatchFailed) as caught:
        result.raise_for_failures()
    assert isinstance(caught.value, BatchError)
    assert caught.value.result is result
    assert caught.value.http_status == 502
    assert str(caught.value) == (
        "3 of 5 operations did not succeed: GET 'People' failed: 404 Not Found; "
        f"DELETE 'P' (id '3') was rolled back: {CULPRIT_UNKNOWN}; "
        f"DELETE 'P' (id '4') was rolled back: {CULPRIT_UNKNOWN}"
    )
    again: BatchFailed = pickle.loads(pickle.dumps(caught.value))
    assert (again.result, str(again)) == (result, str(caught.value))
    assert str(BatchFailed(asked("5 * GET A", "5 * 404"))).endswith("; and 2 more")


def test_an_outcome_can_be_made_by_hand() -> None:
    outcome = Outcome(operation=OPERATION, state=State.UNKNOWN, reason="not asked")
    assert (outcome.status, outcome.response, outcome.location) == (None, None, None)


@pytest.mark.untraced
def test_many_operations_take_linear_time() -> None:
    # What is quadratic here takes minutes: every change set shares its identifiers with all others.
    count = 5_000
    sets = request("; ".join(["{ 1: DELETE A; 2: DELETE A }"] * count))
    assert asked(sets, "; ".join(["{ 2: 204; 1: 204 }"] * count)).ok
    flat = "; ".join(["2: 204; 1: 204"] * count)
    assert asked(sets, flat).ok
    assert {each.state for each in asked(sets, flat, "json")} == {State.UNKNOWN}
    batch = request("; ".join(f"{number}: GET A" for number in range(2 * count)))
    answers = "; ".join(f"{number}: 200" for number in reversed(range(2 * count)))
    result = asked(batch, answers, "json")
    assert all(result[each].state is State.SUCCEEDED for each in batch.operations())
