"""`_execution`: what a batch lets run, in which order, and what it is answered with.

Why this long: every choice that a service has to make is one test, in both formats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Begin,
    ChangeSet,
    ChangeSetResponse,
    Commit,
    DecodeError,
    Execution,
    Headers,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Rollback,
    Rule,
    Severity,
    Step,
    check_request,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch.dialects import ODATA_2, ODATA_4_01
from odata_batch.strategies import batch_requests

from .helpers import CRLF, MULTIPART, batch, change_set, part

BATCH_URL = "http://host/service/$batch"
ROOT = "http://host/service/"

Format = Literal["multipart", "json"]
FORMATS: tuple[Format, ...] = ("multipart", "json")
Items = list[Operation | ChangeSet]
Ready = Step | Begin | Commit | Rollback
Service = Mapping[str, OperationResponse | int]

OK = OperationResponse(200)


def start(
    items: Sequence[Operation | ChangeSet] | BatchRequest,
    format: Format = "multipart",
    **options: Any,  # what the constructor takes, passed on
) -> Execution:
    request = items if isinstance(items, BatchRequest) else BatchRequest(items)
    return Execution(request, batch_url=BATCH_URL, format=format, **options)


def name(ready: Ready) -> str:
    """The end of a step's URL, or the kind of a signal and the item that it is for."""
    if isinstance(ready, Step):
        return ready.url.removeprefix(ROOT)
    return f"{type(ready).__name__} {ready.group}"


def names(ready: Iterable[Ready]) -> list[str]:
    return [name(each) for each in ready]


def obey(execution: Execution, ready: Ready, service: Service) -> None:
    """Answer a step or a signal as the service says, by name; 200 and done where it does not."""
    answer = service.get(name(ready), 200)
    response = OperationResponse(answer) if isinstance(answer, int) else answer
    if isinstance(ready, Step):
        execution.complete(ready, response)
    elif response.status >= 400:
        execution.fail(ready, response)
    else:
        execution.done(ready)


def run(execution: Execution, service: Service | None = None) -> list[str]:
    """Run the batch to its end, first in first out; return what was handed out, round by round."""
    rounds = []
    while not execution.finished:
        ready = execution.ready()
        assert ready, "nothing is handed out, and nothing is left to be completed"
        rounds.append(" + ".join(names(ready)))
        for each in ready:
            obey(execution, each, service or {})
    assert execution.ready() == ()
    return rounds


def statuses(response: BatchResponse) -> list[Any]:
    """The statuses, those of change sets in lists of their own."""
    return [
        [inner.status for inner in item.responses()]
        if isinstance(item, ChangeSetResponse)
        else item.status
        for item in response.items
    ]


def message_of(response: OperationResponse) -> str:
    return str(response.json()["error"]["message"])


get = Operation.get
post = Operation.post


# -- one after the other, and at the same time -----------------------------------------------------


def test_a_batch_without_items_is_finished() -> None:
    execution = start([])
    assert execution.finished and execution.ready() == ()
    assert execution.response() == BatchResponse(())


@pytest.mark.parametrize(
    ("format", "ordered", "expected"),
    [
        ("multipart", None, ["A", "B", "C"]),
        ("multipart", True, ["A", "B", "C"]),
        ("multipart", False, ["A + B + C"]),
        ("json", None, ["A + B + C"]),
        ("json", True, ["A", "B", "C"]),
        ("json", False, ["A + B + C"]),
    ],
)
def test_items_run_in_turn_or_at_the_same_time(
    format: Format, ordered: bool | None, expected: list[str]
) -> None:
    execution = start(
        [get("A"), get("B"), get("C")], format, ordered=ordered, continue_on_error=True
    )
    assert run(execution) == expected
    assert statuses(execution.response()) == [200, 200, 200]


def test_a_multipart_batch_that_stops_runs_in_turn_whatever_is_asked_for() -> None:
    assert run(start([get("A"), get("B")], ordered=False)) == ["A", "B"]


@pytest.mark.parametrize(
    ("ordered", "expected"),
    [
        (None, ["Begin 0", "A", "B", "Commit 0"]),
        (True, ["Begin 0", "A", "B", "Commit 0"]),
        (False, ["Begin 0", "A + B", "Commit 0"]),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_operations_of_a_change_set_run_in_turn_unless_ordered_is_false(
    format: Format, ordered: bool | None, expected: list[str]
) -> None:
    items: Items = [ChangeSet([post("A", id="1"), post("B", id="2")])]
    assert run(start(items, format, ordered=ordered)) == expected


def test_a_step_is_handed_out_once() -> None:
    execution = start([get("A")])
    assert names(execution.ready()) == ["A"]
    assert execution.ready() == ()
    assert not execution.finished


def test_a_step_shows_the_operation_as_the_caller_made_it() -> None:
    operation = post("A", json={"a": 1}, id="7")
    (step,) = start([operation], "json").ready()
    assert isinstance(step, Step)
    assert step.operation is operation
    assert (step.index, step.id, step.method, step.body) == (0, "7", "POST", b'{"a":1}')
    assert step.url == "http://host/service/A"
    assert step.group is None


def test_a_step_of_a_change_set_names_the_item_that_it_belongs_to() -> None:
    wanted = ChangeSet([post("B", id="1")])
    execution = start([get("A"), wanted], "json")
    step, begin = execution.ready()
    assert isinstance(begin, Begin)
    assert begin.group == 1 and begin.change_set is wanted
    execution.done(begin)
    (step,) = execution.ready()
    assert isinstance(step, Step)
    assert (step.group, step.index) == (1, 1)


def test_equal_change_sets_are_told_apart() -> None:
    execution = start([ChangeSet([post("A")])] * 2, "json")
    first, second = execution.ready()
    assert first != second and names([first, second]) == ["Begin 0", "Begin 1"]


# -- dependencies ----------------------------------------------------------------------------------


def test_a_request_runs_when_what_it_depends_on_has_succeeded() -> None:
    items: Items = [get("A", id="a"), get("B", id="b"), get("C", id="c", depends_on=["a", "b"])]
    execution = start(items, "json")
    a, b = execution.ready()
    obey(execution, b, {})
    assert execution.ready() == ()
    obey(execution, a, {})
    assert names(execution.ready()) == ["C"]


@pytest.mark.parametrize("status", [301, 304, 404, 500])
def test_what_depends_on_a_request_without_2xx_is_answered_with_424(status: int) -> None:
    items: Items = [
        get("A", id="a"),
        get("B", id="b", depends_on=["a"]),
        get("C", id="c", depends_on=["b"]),
    ]
    execution = start(items, "json")
    assert run(execution, {"A": status}) == ["A"]
    response = execution.response()
    assert statuses(response) == [status, 424, 424]
    assert [each.id for each in response.responses()] == ["a", "b", "c"]
    assert [message_of(each) for each in response.responses()[1:]] == [
        "'a' has not succeeded",
        "'b' has not succeeded",
    ]


def test_our_own_errors_are_errors_of_odata_in_json() -> None:
    execution = start([get("A", id="a"), get("B", id="b", depends_on=["a"])], "json")
    run(execution, {"A": 404})
    own = execution.response().responses()[1]
    assert own.headers == Headers({"Content-Type": "application/json"})
    assert own.json() == {"error": {"code": "FailedDependency", "message": "'a' has not succeeded"}}


def test_what_depends_on_a_group_waits_for_its_commit() -> None:
    items: Items = [ChangeSet([post("A", id="a")], id="g"), get("B", id="b", depends_on=["g"])]
    assert run(start(items, "json")) == ["Begin 0", "A", "Commit 0", "B"]


def test_what_depends_on_a_member_waits_for_the_commit_of_its_group() -> None:
    items: Items = [ChangeSet([post("A", id="a")], id="g"), get("B", id="b", depends_on=["a"])]
    execution = start(items, "json")
    assert run(execution, {"Commit 0": 500}) == ["Begin 0", "A", "Commit 0", "Rollback 0"]
    assert statuses(execution.response()) == [[500], 424]


def test_what_depends_on_a_member_that_is_not_2xx_is_answered_with_424() -> None:
    items: Items = [ChangeSet([get("A", id="a")], id="g"), get("B", id="b", depends_on=["g", "a"])]
    execution = start(items, "json")
    assert run(execution, {"A": 304}) == ["Begin 0", "A", "Commit 0"]
    assert statuses(execution.response()) == [[304], 424]


def test_a_group_whose_member_cannot_run_does_not_begin() -> None:
    items: Items = [
        get("A", id="a"),
        ChangeSet([post("B", id="b"), post("C", id="c", depends_on=["a"])], id="g"),
    ]
    execution = start(items, "json")
    assert run(execution, {"A": 404}) == ["A"]
    assert statuses(execution.response()) == [404, [424, 424]]


def test_a_group_begins_when_all_that_its_members_depend_on_is_settled() -> None:
    items: Items = [
        get("A", id="a"),
        ChangeSet([post("B", id="b"), post("C", id="c", depends_on=["a"])], id="g"),
    ]
    assert run(start(items, "json")) == ["A", "Begin 1", "B", "C", "Commit 1"]


def test_groups_can_be_depended_on_whatever_the_format() -> None:
    items: Items = [ChangeSet([post("A")], id="g"), get("B", depends_on=["g"])]
    execution = start(items, ordered=False, continue_on_error=True)
    assert run(execution, {"A": 409}) == ["Begin 0", "A", "Rollback 0"]
    assert statuses(execution.response()) == [409, 424]


def test_members_depend_on_each_other_without_waiting_for_the_commit() -> None:
    items: Items = [ChangeSet([post("A", id="a"), post("B", id="b", depends_on=["a"])], id="g")]
    execution = start(items, "json", ordered=False)
    assert run(execution) == ["Begin 0", "A", "B", "Commit 0"]


def test_a_member_that_depends_on_its_own_group_does_not_wait_for_it() -> None:
    items: Items = [ChangeSet([post("A", id="a", depends_on=["g"])], id="g")]
    assert run(start(items, "json")) == ["Begin 0", "A", "Commit 0"]


def test_a_group_that_was_split_on_the_wire_comes_after_what_it_depends_on() -> None:
    text = {
        "requests": [
            {"id": "a", "atomicityGroup": "g", "method": "post", "url": "A"},
            {"id": "x", "method": "get", "url": "X"},
            {"id": "b", "atomicityGroup": "g", "dependsOn": ["x"], "method": "post", "url": "B"},
        ]
    }
    request = decode_request(json.dumps(text).encode(), "application/json")
    for ordered in (None, True, False):
        execution = start(request, "json", ordered=ordered)
        assert run(execution)[:2] == ["X", "Begin 0"]
        assert [each.id for each in execution.response().responses()] == ["a", "b", "x"]


@pytest.mark.parametrize(
    ("condition", "expected"), [("true", ["A", "B"]), ("false", ["A"])], ids=["met", "not met"]
)
def test_a_condition_decides_in_place_of_the_status(condition: str, expected: list[str]) -> None:
    seen: list[tuple[str, dict[str, int]]] = []

    def evaluate(text: str, results: Mapping[str, OperationResponse]) -> bool:
        seen.append((text, {id: response.status for id, response in results.items()}))
        return text == "true"

    items: Items = [
        get("A", id="a"),
        get("Other", id="o"),
        Operation("GET", "B", id="b", depends_on=["a"], condition=condition),
    ]
    execution = start(items, "json", ordered=True, evaluate=evaluate)
    assert run(execution, {"A": 404}) == [expected[0], "Other", *expected[1:]]
    assert seen == [(condition, {"a": 404})]
    assert statuses(execution.response()) == [404, 200, 200 if condition == "true" else 424]


def test_a_condition_that_is_not_met_says_so() -> None:
    items: Items = [
        get("A", id="a"),
        Operation("GET", "B", id="b", depends_on=["a"], condition="c eq 1"),
    ]
    execution = start(items, "json", evaluate=lambda condition, results: False)
    run(execution)
    assert message_of(execution.response().responses()[1]) == "the condition 'c eq 1' is not met"


def test_a_condition_without_evaluator_fails_the_whole_group_before_it_begins() -> None:
    items: Items = [
        get("A", id="a"),
        ChangeSet(
            [
                post("B", id="b"),
                Operation("POST", "C", id="c", depends_on=["a"], condition="$a/$succeeded"),
            ],
            id="g",
        ),
    ]
    execution = start(items, "json")
    assert run(execution) == ["A"]
    assert statuses(execution.response()) == [200, [424, 424]]
    assert message_of(execution.response().responses()[2]) == "conditions are not supported"


def test_a_condition_that_is_not_met_within_a_group_rolls_it_back() -> None:
    items: Items = [
        ChangeSet(
            [
                post("B", id="b"),
                Operation("POST", "C", id="c", depends_on=["b"], condition="false"),
            ],
            id="g",
        )
    ]
    seen: list[list[str]] = []

    def evaluate(condition: str, results: Mapping[str, OperationResponse]) -> bool:
        seen.append(list(results))
        return False

    execution = start(items, "json", evaluate=evaluate)
    assert run(execution) == ["Begin 0", "B", "Rollback 0"]
    assert seen == [["b"]]
    assert statuses(execution.response()) == [[424, 424]]


@pytest.mark.parametrize(("commit", "expected"), [(200, {"g": 200}), (503, {"g": 503})])
def test_in_a_condition_a_group_stands_for_200_or_for_what_failed_it(
    commit: int, expected: dict[str, int]
) -> None:
    seen: list[dict[str, int]] = []

    def evaluate(condition: str, results: Mapping[str, OperationResponse]) -> bool:
        seen.append({id: response.status for id, response in results.items()})
        return True

    items: Items = [
        ChangeSet([post("A", id="a")], id="g"),
        Operation("GET", "B", id="b", depends_on=["g"], condition="c"),
    ]
    run(start(items, "json", evaluate=evaluate), {"Commit 0": commit})
    assert seen == [expected]


def test_a_condition_sees_the_members_of_a_failed_group_as_failed() -> None:
    seen: list[dict[str, int]] = []

    def evaluate(condition: str, results: Mapping[str, OperationResponse]) -> bool:
        seen.append({id: response.status for id, response in results.items()})
        return True

    items: Items = [
        ChangeSet([post("A", id="a"), post("B", id="b")], id="g"),
        Operation("GET", "C", id="c", depends_on=["a", "g"], condition="c"),
    ]
    execution = start(items, "json", evaluate=evaluate)
    assert run(execution, {"B": 409}) == ["Begin 0", "A", "B", "Rollback 0", "C"]
    assert seen == [{"a": 424, "g": 409}]


def test_a_condition_that_names_what_comes_later_does_not_wait_for_it() -> None:
    seen: list[list[str]] = []

    def evaluate(condition: str, results: Mapping[str, OperationResponse]) -> bool:
        seen.append(list(results))
        return True

    items: Items = [Operation("GET", "A", id="a", condition="$b/$succeeded"), get("B", id="b")]
    assert run(start(items, "json", evaluate=evaluate)) == ["A + B"]
    assert seen == [[]]


class Moody:
    """An evaluator that raises at first."""

    def __init__(self, failures: int = 1) -> None:
        self.failures = failures

    def __call__(self, condition: str, results: Mapping[str, OperationResponse]) -> bool:
        self.failures -= 1
        if self.failures >= 0:
            raise KeyError(condition)
        return True


def conditional(url: str, id: str, *depends_on: str) -> Operation:
    return Operation("POST", url, id=id, depends_on=depends_on, condition="c")


def test_what_the_evaluator_raises_passes_through_and_it_is_asked_again() -> None:
    moody = Moody()
    execution = start([get("A", id="a"), conditional("B", "b", "a")], "json", evaluate=moody)
    with pytest.raises(KeyError, match="c"):
        run(execution)
    assert not execution.finished
    assert run(execution) == ["B"]
    assert statuses(execution.response()) == [200, 200]


def test_within_a_change_set_the_evaluator_is_asked_again_too() -> None:
    items: Items = [ChangeSet([post("A", id="a"), conditional("B", "b", "a")], id="g")]
    execution = start(items, "json", ordered=False, evaluate=Moody())
    obey(execution, execution.ready()[0], {})
    with pytest.raises(KeyError):
        run(execution)
    assert run(execution) == ["B", "Commit 0"]


def test_what_waits_for_the_evaluator_does_not_start_after_a_stop() -> None:
    items: Items = [get("A", id="a"), get("B", id="b"), conditional("C", "c", "a")]
    execution = start(items, "json", continue_on_error=False, evaluate=Moody(2))
    a, b = execution.ready()
    with pytest.raises(KeyError):
        obey(execution, a, {})
    with pytest.raises(KeyError):
        obey(execution, b, {"B": 500})
    assert execution.ready() == () and execution.finished
    assert statuses(execution.response()) == [200, 500]


def test_what_a_condition_names_comes_first_even_if_nothing_depends_on_it() -> None:
    items: Items = [
        get("A", id="a"),
        Operation("GET", "B", id="b", condition="$a/$succeeded"),
    ]
    execution = start(items, "json", evaluate=lambda condition, results: results["a"].ok)
    assert run(execution) == ["A", "B"]


# -- errors ----------------------------------------------------------------------------------------

THREE = [get("A", id="1"), get("B", id="2"), get("C", id="3")]


@pytest.mark.parametrize(
    ("format", "preference", "argument", "expected"),
    [
        ("multipart", None, None, [200, 404]),
        ("multipart", True, None, [200, 404, 200]),
        ("multipart", False, None, [200, 404]),
        ("multipart", None, True, [200, 404, 200]),
        ("multipart", False, True, [200, 404, 200]),
        ("multipart", None, False, [200, 404]),
        ("multipart", True, False, [200, 404]),
        ("json", None, None, [200, 404, 200]),
        ("json", True, None, [200, 404, 200]),
        ("json", False, None, [200, 404]),
        ("json", False, True, [200, 404, 200]),
        ("json", None, False, [200, 404]),
        ("json", True, False, [200, 404]),
    ],
)
def test_three_requests_of_which_the_second_fails(
    format: Format, preference: bool | None, argument: bool | None, expected: list[int]
) -> None:
    request = BatchRequest(THREE, continue_on_error=preference)
    execution = start(request, format, ordered=True, continue_on_error=argument)
    assert run(execution, {"B": 404}) == ["A", "B", "C"][: len(expected)]
    assert statuses(execution.response()) == expected


def test_a_dialect_may_go_on_by_default() -> None:
    dialect = replace(ODATA_4_01, multipart_stops_on_error=False)
    execution = start(THREE, dialect=dialect)
    assert run(execution, {"B": 404}) == ["A", "B", "C"]


def test_a_redirection_is_no_error() -> None:
    assert run(start(THREE), {"B": 304}) == ["A", "B", "C"]


def test_after_a_stop_what_was_handed_out_is_completed_and_nothing_else_starts() -> None:
    items: Items = [
        *THREE,
        get("D", id="4", depends_on=["1"]),
        ChangeSet([post("E", id="5")], id="g"),
    ]
    execution = start(items, "json", continue_on_error=False)
    a, b, c, begin = execution.ready()
    obey(execution, a, {})  # makes D ready, which nobody fetches
    obey(execution, b, {"B": 404})
    assert execution.ready() == () and not execution.finished
    obey(execution, c, {})
    obey(execution, begin, {})
    assert names(execution.ready()) == ["E"]
    assert not execution.finished


def test_a_change_set_that_began_before_a_stop_is_finished() -> None:
    items: Items = [get("A", id="1"), ChangeSet([post("B", id="2"), post("C", id="3")], id="g")]
    execution = start(items, "json", continue_on_error=False)
    assert run(execution, {"A": 500}) == ["A + Begin 1", "B", "C", "Commit 1"]
    assert statuses(execution.response()) == [500, [200, 200]]


def test_a_change_set_that_was_not_fetched_before_a_stop_does_not_begin() -> None:
    items: Items = [
        get("A", id="1"),
        get("B", id="2"),
        ChangeSet([post("C", id="3", depends_on=["1"])], id="g"),
    ]
    execution = start(items, "json", continue_on_error=False)
    a, b = execution.ready()
    obey(execution, a, {})
    obey(execution, b, {"B": 404})
    assert execution.finished and execution.ready() == ()
    assert statuses(execution.response()) == [200, 404]


def test_a_second_error_after_a_stop_changes_nothing() -> None:
    execution = start(THREE, "json", continue_on_error=False)
    run(execution, {"A": 400, "B": 404})
    assert statuses(execution.response()) == [400, 404, 200]


# -- change sets -----------------------------------------------------------------------------------

CHANGES = ChangeSet([post("A", id="1"), post("B", id="2"), post("C", id="3")], id="g")
CREATED = OperationResponse(201, {"Location": "A(1)"})


def test_a_change_set_that_succeeded_is_answered_with_a_change_set() -> None:
    execution = start([CHANGES])
    assert run(execution, {"A": CREATED}) == ["Begin 0", "A", "B", "C", "Commit 0"]
    expected = [replace(CREATED, id="1"), replace(OK, id="2"), replace(OK, id="3")]
    assert execution.response() == BatchResponse([ChangeSetResponse(expected, id="g")])


def test_a_change_set_that_failed_is_one_response_in_multipart() -> None:
    execution = start([CHANGES, get("D", id="4")], continue_on_error=True)
    conflict = OperationResponse(409, {"Content-Type": "text/plain"}, b"no")
    assert run(execution, {"B": conflict}) == ["Begin 0", "A", "B", "Rollback 0", "D"]
    expected = [replace(conflict, id="2"), replace(OK, id="4")]
    assert execution.response() == BatchResponse(expected)


def test_a_change_set_that_failed_stops_a_multipart_batch() -> None:
    execution = start([CHANGES, get("D")])
    assert run(execution, {"B": 409}) == ["Begin 0", "A", "B", "Rollback 0"]
    assert statuses(execution.response()) == [409]


def test_in_json_all_members_of_a_group_that_failed_are_answered() -> None:
    execution = start([CHANGES], "json")
    assert run(execution, {"A": CREATED, "B": 409}) == ["Begin 0", "A", "B", "Rollback 0"]
    response = execution.response()
    assert statuses(response) == [[424, 409, 424]]
    (item,) = response.items
    assert isinstance(item, ChangeSetResponse) and item.id == "g"
    assert [each.id for each in item.responses()] == ["1", "2", "3"]
    assert message_of(item.responses()[0]) == "another request of the change set has failed"
    assert "location" not in item.responses()[0].headers


def test_a_change_set_rolls_back_when_all_that_runs_has_come_back() -> None:
    execution = start([CHANGES], "json", ordered=False)
    obey(execution, execution.ready()[0], {})
    a, b, c = execution.ready()
    obey(execution, b, {"B": 409})
    assert execution.ready() == ()
    obey(execution, a, {})
    assert execution.ready() == ()
    obey(execution, c, {"C": 412})
    assert names(execution.ready()) == ["Rollback 0"]


def test_members_that_were_not_fetched_before_a_failure_do_not_run() -> None:
    items: Items = [
        ChangeSet(
            [post("A", id="1"), post("B", id="2"), post("C", id="3", depends_on=["1"])], id="g"
        )
    ]
    execution = start(items, "json", ordered=False)
    obey(execution, execution.ready()[0], {})
    a, b = execution.ready()
    obey(execution, a, {})  # makes C ready, which nobody fetches
    obey(execution, b, {"B": 409})
    assert names(execution.ready()) == ["Rollback 0"]


def test_each_member_that_failed_keeps_its_own_response() -> None:
    execution = start([CHANGES], "json", ordered=False)
    run(execution, {"B": 409, "C": 412})
    assert statuses(execution.response()) == [[424, 409, 412]]


def test_the_response_to_a_change_set_is_that_of_the_operation_that_failed_first() -> None:
    execution = start([CHANGES], ordered=False)
    obey(execution, execution.ready()[0], {})
    a, b, c = execution.ready()
    for step in (c, b, a):
        obey(execution, step, {"B": 409, "C": 412})
    run(execution)
    assert execution.response() == BatchResponse([OperationResponse(412, id="3")])


BUSY = OperationResponse(503, {"Retry-After": "1"}, id="ignored")


@pytest.mark.parametrize(
    ("signal", "service", "expected"),
    [
        ("Begin 0", {}, ["Begin 0"]),
        ("Commit 0", {}, ["Begin 0", "A", "B", "C", "Commit 0", "Rollback 0"]),
        ("Rollback 0", {"A": 400}, ["Begin 0", "A", "Rollback 0"]),
    ],
)
def test_a_signal_that_fails_fails_the_change_set_as_a_whole(
    signal: str, service: Service, expected: list[str]
) -> None:
    execution = start([CHANGES])
    assert run(execution, {**service, signal: BUSY}) == expected
    assert execution.response() == BatchResponse([replace(BUSY, id=None)])
    execution = start([CHANGES], "json")
    assert run(execution, {**service, signal: BUSY}) == expected
    answers = [replace(BUSY, id=id) for id in ("1", "2", "3")]
    assert execution.response() == BatchResponse([ChangeSetResponse(answers, id="g")])


@pytest.mark.parametrize("format", FORMATS)
def test_202_fails_a_change_set(format: Format) -> None:
    execution = start([CHANGES], format)
    assert run(execution, {"B": 202}) == ["Begin 0", "A", "B", "Rollback 0"]
    (failed,) = [each for each in execution.response().responses() if each.status != 424]
    assert failed.status == 500 and failed.id == "2"
    assert message_of(failed) == "POST 'http://host/service/B' was answered with 202"


def test_202_is_the_answer_to_a_single_request_in_json() -> None:
    accepted = OperationResponse(202, {"Location": "/monitor"}, id="1")
    execution = start([get("A", id="1"), get("B", id="2")], "json")
    run(execution, {"A": accepted})
    assert execution.response().items[0] == accepted


@pytest.mark.parametrize("format", FORMATS)
def test_a_change_set_without_operations_is_answered_with_400(format: Format) -> None:
    execution = start([ChangeSet([]), get("A"), ChangeSet([])], format, continue_on_error=True)
    assert run(execution) == ["A"]
    assert statuses(execution.response()) == [400, 200, 400]
    assert message_of(execution.response().responses()[0]) == "the change set holds no request"


def test_nested_change_sets_are_one_transaction() -> None:
    inner = ChangeSet([post("B", id="2"), ChangeSet([post("C", id="3")])])
    items: Items = [ChangeSet([post("A", id="1"), inner, post("D", id="4")])]
    execution = start(items, limits=Limits(change_set_depth=3))
    assert run(execution) == ["Begin 0", "A", "B", "C", "D", "Commit 0"]
    one, two, three, four = (OperationResponse(200, id=id) for id in "1234")
    inner_response = ChangeSetResponse([two, ChangeSetResponse([three])])
    expected = BatchResponse([ChangeSetResponse([one, inner_response, four])])
    assert execution.response() == expected


LOOSE = replace(ODATA_4_01, atomicity_groups=False)


@pytest.mark.parametrize("format", FORMATS)
def test_a_dialect_may_run_the_operations_of_a_change_set_like_any_others(format: Format) -> None:
    items: Items = [CHANGES, get("D", id="4", depends_on=["g", "1"])]
    execution = start(items, format, dialect=LOOSE, ordered=True, continue_on_error=True)
    assert run(execution, {"B": 409, "C": 202}) == ["A", "B", "C", "D"]
    assert statuses(execution.response()) == [200, 409, 202, 200]


def test_a_step_shows_the_operation_of_a_change_set_that_is_none() -> None:
    (step, *_) = start([CHANGES], "json", dialect=LOOSE).ready()
    assert isinstance(step, Step)
    assert step.operation is CHANGES.items[0] and step.group is None


# -- references ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_reference_stands_for_the_location_of_the_response(format: Format) -> None:
    items: Items = [
        post("Customers", id="1"),
        post("$1/Orders", id="2"),
        get("$2/Items?$top=1", id="3"),
    ]
    service = {
        "Customers": OperationResponse(201, {"Location": "Customers('ALFKI')"}),
        "Customers('ALFKI')/Orders": OperationResponse(201, {"Location": "Orders(1)"}),
    }
    execution = start(items, format)
    assert run(execution, service) == [
        "Customers",
        "Customers('ALFKI')/Orders",
        "Customers('ALFKI')/Orders(1)/Items?$top=1",
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_members_refer_to_each_other(format: Format) -> None:
    items: Items = [ChangeSet([post("A", id="1"), Operation.patch("$1", id="2")], id="g")]
    execution = start(items, format)
    assert run(execution, {"A": CREATED}) == ["Begin 0", "A", "A(1)", "Commit 0"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_without_a_location_a_request_for_an_entity_stands_for_its_own_url(method: str) -> None:
    items: Items = [Operation(method, "A(1)", id="1"), get("$1/B", id="2"), get("$1/C", id="3")]
    assert run(start(items)) == ["A(1)", "A(1)/B", "A(1)/C"]


def test_without_a_location_a_reference_is_answered_with_424() -> None:
    items: Items = [post("A", id="1"), post("$1/B", id="2"), get("$1/C", id="3")]
    execution = start(items, continue_on_error=True)
    assert run(execution) == ["A"]
    assert statuses(execution.response()) == [200, 424, 424]
    message = "the response to '1' has no Location in this service"
    assert message_of(execution.response().responses()[1]) == message


def test_without_a_location_the_caller_is_asked_for_one_once() -> None:
    asked: list[tuple[str, int]] = []

    def locate(step: Step, response: OperationResponse) -> str | None:
        asked.append((step.url, response.status))
        return "A(7)"

    items: Items = [post("A", id="1"), post("$1/B", id="2"), get("$1/C", id="3")]
    assert run(start(items, locate=locate)) == ["A", "A(7)/B", "A(7)/C"]
    assert asked == [("http://host/service/A", 200)]


@pytest.mark.parametrize("location", ["http:///A(1)", "//", "http://other/service/A", "/A", "..//"])
def test_a_location_outside_the_service_is_answered_with_424(location: str) -> None:
    items: Items = [post("A", id="1"), get("$1/B", id="2")]
    execution = start(items)
    run(execution, {"A": OperationResponse(201, {"Location": location})})
    assert statuses(execution.response()) == [201, 424]


def test_a_location_of_the_caller_that_is_a_reference_is_answered_with_400() -> None:
    items: Items = [post("A", id="1"), get("$1/B", id="2")]
    execution = start(items, locate=lambda step, response: "$1")
    run(execution)
    assert statuses(execution.response()) == [200, 400]


def test_a_reference_to_a_request_that_failed_is_answered_with_424() -> None:
    items: Items = [post("A", id="1"), get("$1/B", id="2")]
    execution = start(items, continue_on_error=True)
    assert run(execution, {"A": 400}) == ["A"]
    assert message_of(execution.response().responses()[1]) == "'1' has not succeeded"


def test_a_reference_to_nothing_is_answered_with_400() -> None:
    execution = start([get("$x/B", id="2")])
    assert run(execution) == []
    assert statuses(execution.response()) == [400]
    assert message_of(execution.response().responses()[0]) == "'x' is no request of the batch"


def test_a_reference_to_a_group_is_answered_with_400() -> None:
    items: Items = [ChangeSet([post("A", id="1")], id="g"), get("$g/B", id="2", depends_on=["g"])]
    execution = start(items, "json")
    run(execution)
    assert statuses(execution.response()) == [[200], 400]


def test_a_condition_does_not_make_a_reference_to_a_failed_request_resolvable() -> None:
    items: Items = [
        post("A", id="1"),
        Operation("GET", "$1/B", id="2", depends_on=["1"], condition="c"),
    ]
    execution = start(items, "json", evaluate=lambda condition, results: True)
    assert run(execution, {"A": 400}) == ["A"]
    assert statuses(execution.response()) == [400, 424]


def test_in_an_etag_field_a_reference_stands_for_the_etag_of_the_response() -> None:
    items: Items = [
        get("A(1)", id="1"),
        Operation.patch(
            "A(1)", headers={"If-Match": "$1", "If-None-Match": 'W/"$1,$1",$1 , $9'}, id="2"
        ),
    ]
    execution = start(items)
    obey(execution, execution.ready()[0], {"A(1)": OperationResponse(200, {"ETag": 'W/"x"'})})
    (step,) = execution.ready()
    assert isinstance(step, Step)
    assert step.headers == Headers({"If-Match": 'W/"x"', "If-None-Match": 'W/"$1,$1",W/"x" , $9'})


def test_without_an_etag_a_reference_to_it_is_answered_with_424() -> None:
    items: Items = [
        get("A(1)", id="1"),
        Operation.patch("A(1)", headers={"If-Match": "$1"}, id="2"),
    ]
    execution = start(items)
    run(execution)
    assert statuses(execution.response()) == [200, 424]
    assert message_of(execution.response().responses()[1]) == "the response to '1' has no ETag"


def test_an_etag_of_a_change_set_that_is_not_committed_is_not_given_away() -> None:
    items: Items = [
        get("X", id="x"),
        Operation.patch("A", headers={"If-Match": "$b"}, id="a", depends_on=["x"]),
        ChangeSet([post("B", id="b"), post("C", id="c")], id="g"),
    ]
    execution = start(items, "json")
    x, begin = execution.ready()
    obey(execution, begin, {})
    obey(execution, execution.ready()[0], {"B": OperationResponse(200, {"ETag": '"1"'})})
    obey(execution, x, {})
    assert run(execution) == ["C", "Commit 2"]
    assert statuses(execution.response()) == [200, 424, [200, 200]]


def test_an_etag_reference_to_nothing_is_left_to_the_service() -> None:
    (step,) = start([Operation.patch("A(1)", headers={"If-Match": "$x"})]).ready()
    assert isinstance(step, Step) and step.headers["if-match"] == "$x"


# -- URLs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("People(1)?$select=Name", "http://host/service/People(1)?$select=Name"),
        ("/service/People", "http://host/service/People"),
        ("http://host/service/People", "http://host/service/People"),
        ("$metadata", "http://host/service/$metadata"),
    ],
)
def test_urls_are_resolved_against_that_of_the_batch(url: str, expected: str) -> None:
    (step,) = start([get(url)]).ready()
    assert isinstance(step, Step) and step.url == expected


@pytest.mark.parametrize(
    "operation",
    [
        get("http://other/service/People"),
        get("/admin/People"),
        get("../admin/People"),
        get("/service/People", headers={"Host": "other"}),
        get("%2e%2e/admin"),
    ],
    ids=str,
)
def test_a_url_outside_the_service_is_answered_with_403(operation: Operation) -> None:
    execution = start([operation])
    assert run(execution) == []
    assert statuses(execution.response()) == [403]
    assert "is outside the service" in message_of(execution.response().responses()[0])


def test_a_location_leads_nobody_outside_the_service() -> None:
    execution = start([post("A", id="1"), get("$1/B", id="2")])
    run(execution, {"A": OperationResponse(201, {"Location": "http://evil/A(1)"})})
    assert statuses(execution.response()) == [201, 424]
    message = "the response to '1' has no Location in this service"
    assert message_of(execution.response().responses()[1]) == message


def test_the_service_root_can_be_given() -> None:
    execution = start([get("/People")], service_root="http://host/")
    assert run(execution) == ["http://host/People"]


@pytest.mark.parametrize(
    "batch_url", ["http://host/api/batch", "http://host/api/$batch?$format=json#f"]
)
def test_the_service_root_is_the_directory_of_the_batch(batch_url: str) -> None:
    execution = Execution(BatchRequest([get("People"), get("/other")]), batch_url=batch_url)
    (step,) = execution.ready()
    assert isinstance(step, Step) and step.url == "http://host/api/People"
    execution.complete(step, OK)
    assert statuses(execution.response()) == [200, 403]


def test_a_batch_in_a_batch_that_is_seen_when_references_are_resolved_is_answered_with_400() -> (
    None
):
    items: Items = [post("A", id="1"), post("$1", id="2")]
    execution = start(items)
    run(execution, {"A": OperationResponse(201, {"Location": "$batch"})})
    assert statuses(execution.response()) == [201, 400]
    message = "URL 'http://host/service/$batch' names the batch resource"
    assert message_of(execution.response().responses()[1]) == message


def test_a_url_that_cannot_be_resolved_is_answered_with_400() -> None:
    execution = start([get("/service/A", headers={"Host": "a/b"})])
    run(execution)
    assert statuses(execution.response()) == [400]


@pytest.mark.parametrize("batch_url", ["/service/$batch", "$batch", "", "http:host"])
def test_the_url_of_the_batch_is_absolute(batch_url: str) -> None:
    with pytest.raises(ValueError) as caught:
        Execution(BatchRequest([]), batch_url=batch_url)
    assert str(caught.value) == f"batch_url is an absolute URL, not {batch_url!r}"


# -- header fields ---------------------------------------------------------------------------------

OUTER = Headers(
    [
        ("Accept", "multipart/mixed, application/json;q=0.9"),
        ("Accept-Charset", "utf-8"),
        ("Accept-Language", "de"),
        ("Content-Language", "en"),
        ("OData-Version", "4.01"),
        ("OData-MaxVersion", "4.01"),
        ("OData-Isolation", "snapshot"),
        ("Prefer", 'odata.continue-on-error, odata.include-annotations="a,b", return=minimal'),
        ("Prefer", "Allow-EntityReferences , respond-async;x=1"),
        ("Content-Type", "multipart/mixed; boundary=b"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "5"),
        ("Authorization", "Bearer x"),
        ("If-Match", "*"),
        ("Host", "host"),
    ]
)


def headers_of(operation: Operation, format: Format = "multipart", **options: Any) -> Headers:
    (step,) = start([operation], format, **options).ready()
    assert isinstance(step, Step)
    return step.headers


def test_a_request_inherits_what_odata_lets_it_inherit() -> None:
    assert headers_of(get("A"), headers=OUTER).pairs == (
        ("Accept", "application/json;q=0.9"),
        ("Accept-Charset", "utf-8"),
        ("Accept-Language", "de"),
        ("Content-Language", "en"),
        ("OData-Version", "4.01"),
        ("OData-MaxVersion", "4.01"),
        ("OData-Isolation", "snapshot"),
        ("Prefer", 'odata.include-annotations="a,b", Allow-EntityReferences'),
    )


def test_its_own_fields_come_before_those_that_it_could_inherit() -> None:
    own = {
        "accept": "text/plain",
        "accept-charset": "ascii",
        "accept-language": "fr",
        "content-language": "fr",
        "odata-version": "4.0",
        "odata-maxversion": "4.0",
        "isolation": "x",
        "prefer": "include-annotations=*, return=minimal, odata.allow-entityreferences",
    }
    assert headers_of(get("A", headers=own), headers=OUTER).pairs == tuple(own.items())


def test_preferences_are_inherited_one_by_one() -> None:
    headers = headers_of(get("A", headers={"Prefer": "return=minimal"}), headers=OUTER)
    assert headers.get_all("prefer") == (
        'return=minimal, odata.include-annotations="a,b", Allow-EntityReferences',
    )


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("multipart/mixed", None),
        ("Multipart/Mixed;q=1, application/http", None),
        ("application/json", "application/json"),
        ('a/b;c="d,e" ,*/*', 'a/b;c="d,e" ,*/*'),
    ],
)
def test_media_types_of_batches_are_not_inherited(accept: str, expected: str | None) -> None:
    assert headers_of(get("A"), headers={"Accept": accept}).get("accept") == expected


def test_a_request_of_version_2_inherits_the_version() -> None:
    outer = {"DataServiceVersion": "2.0", "MaxDataServiceVersion": "3.0"}
    assert headers_of(get("A"), headers=outer, dialect=ODATA_2) == Headers(outer)


def test_what_a_request_in_a_batch_may_not_say_is_left_out() -> None:
    own = {
        **{"Host": "host", "Content-Length": "###", "Authorization": "Bearer x", "Range": "x"},
        **{"TE": "x", "Expect": "x", "From": "x", "Max-Forwards": "1", "X-Own": "1"},
    }
    assert headers_of(post("A", headers=own, body=b"1")).pairs == (("X-Own", "1"),)


SPOKEN_FOR = """
    Host Forwarded X-Forwarded-User X-Forwarded-For X-Original-URL X-Rewrite-URL X-Real-IP
    X-Client-IP True-Client-IP CF-Connecting-IP Remote-User X-Remote-User
    X-Auth-Request-Email X-ARR-LOG-ID
    X-MS-Client-Principal X-MS-Client-Principal-Id X-SSL-Client-DN Proxy X-HTTP-Method
    X-HTTP-Method-Override Connection Keep-Alive Upgrade TE Trailer
""".split()
KEPT = {"MSCRMCallerID": "x", "sap-client": "100", "Company": "x", "X-Forwarded": "x", "Via": "x"}


@pytest.mark.parametrize("name", SPOKEN_FOR)
@pytest.mark.parametrize("spell", [str, str.lower, lambda name: name.replace("-", "_").upper()])
def test_what_a_proxy_says_is_not_believed_of_an_operation(
    name: str, spell: Callable[[str], str]
) -> None:
    own = {spell(name): "admin", **KEPT}
    for operation in (get("A", headers=own), post("A", headers=own, body=b"1")):
        (step,) = start([operation]).ready()
        assert isinstance(step, Step)
        assert step.headers == Headers(KEPT)
        assert step.dropped.pairs == ((spell(name), "admin"),)


def test_fields_are_added_to_those_that_are_dropped_and_taken_from_them() -> None:
    dropped = Execution.DROPPED_HEADERS - {"x-http-method*"} | {"X_Tenant", "x-my-*"}
    own = {"X-HTTP-Method": "PATCH", "X-Tenant": "a", "X-My-Own": "b", "Remote-User": "c"}
    (step,) = start([get("A", headers=own)], dropped_headers=dropped).ready()
    assert isinstance(step, Step)
    assert step.headers == Headers({"X-HTTP-Method": "PATCH"})
    assert set(step.dropped) == {"x-tenant", "x-my-own", "remote-user"}


def test_a_dialect_may_allow_what_others_forbid() -> None:
    dialect = replace(ODATA_4_01, forbidden_headers=frozenset())
    own = {"Authorization": "Bearer x"}
    assert headers_of(get("A", headers=own), dialect=dialect) == Headers(own)
    assert headers_of(get("A"), dialect=dialect, headers=own) == Headers()


@pytest.mark.parametrize(
    ("format", "body", "expected"),
    [("json", b"1", "application/json"), ("json", b"", None), ("multipart", b"1", None)],
)
def test_a_body_of_a_json_batch_is_json_unless_it_says_otherwise(
    format: Format, body: bytes, expected: str | None
) -> None:
    assert headers_of(post("A", body=body), format).get("content-type") == expected
    text = headers_of(post("A", headers={"Content-Type": "text/plain"}, body=body), format)
    assert text.get("content-type") == "text/plain"


ASYNC = {"Prefer": "respond-async, wait=10"}


@pytest.mark.parametrize(
    ("format", "response_format", "expected"),
    [
        ("json", None, "respond-async, wait=10"),
        ("multipart", "json", "respond-async, wait=10"),
        ("json", "multipart", "wait=10"),
        ("multipart", None, "wait=10"),
    ],
)
def test_respond_async_is_passed_on_where_the_response_can_be_202(
    format: Format, response_format: Format | None, expected: str
) -> None:
    headers = headers_of(get("A", headers=ASYNC), format, response_format=response_format)
    assert headers == Headers({"Prefer": expected})


def test_respond_async_is_not_passed_on_where_others_depend_on_it() -> None:
    items: Items = [
        get("A", headers=ASYNC, id="1"),
        get("B", headers=ASYNC, id="2", depends_on=["1"]),
    ]
    execution = start(items, "json", ordered=True)
    for expected in (Headers({"Prefer": "wait=10"}), Headers(ASYNC)):
        (step,) = execution.ready()
        assert isinstance(step, Step) and step.headers == expected
        execution.complete(step, OK)


def test_respond_async_is_not_passed_on_in_a_change_set() -> None:
    operation = Operation.delete("A", headers={"Prefer": "respond-async"})
    execution = start([ChangeSet([operation])], "json")
    obey(execution, execution.ready()[0], {})
    (step,) = execution.ready()
    assert isinstance(step, Step) and step.headers == Headers()


# -- the response ----------------------------------------------------------------------------------


def test_the_identifier_of_a_response_is_that_of_the_request() -> None:
    execution = start([get("A", id="1"), get("B")])
    run(execution, {"A": OperationResponse(200, id="x"), "B": OperationResponse(200, id="y")})
    assert [each.id for each in execution.response().responses()] == ["1", None]


def test_what_the_format_names_is_answered_by_its_name() -> None:
    items: Items = [get("A"), ChangeSet([post("B")])]
    execution = start(items, "json", ordered=True)
    run(execution)
    first, second = (OperationResponse(200, id=id) for id in "12")
    assert execution.response() == BatchResponse([first, ChangeSetResponse([second], id="g1")])


def test_what_was_sent_without_identifier_is_answered_without() -> None:
    execution = start([ChangeSet([post("B")], id=None)])
    run(execution)
    assert execution.response() == BatchResponse([ChangeSetResponse([OK])])


@pytest.mark.parametrize("service", [{}, {"C": 409}], ids=["success", "failure"])
def test_a_content_id_is_echoed_where_it_was_read(service: Service) -> None:
    inside = part(b"DELETE C HTTP/1.1\r\nContent-ID: 7\r\n\r\n", boundary=b"c")
    body = batch(change_set(inside))
    request = decode_request(body, MULTIPART, dialect=ODATA_2)
    execution = start(request, dialect=ODATA_2)
    run(execution, service)
    payload = encode_response(execution.response(), boundary="b", dialect=ODATA_2)
    assert CRLF + b"Content-ID: 7" + CRLF + CRLF in payload.body
    message = payload.body.partition(b"HTTP/1.1 ")[2]
    assert message.count(b"Content-ID") == 1


def test_the_reason_phrase_and_annotations_of_a_response_are_kept() -> None:
    answer = OperationResponse(200, reason="Fine", annotations=[("@a", b"1")])
    execution = start([get("A", id="1")], "json")
    run(execution, {"A": answer})
    (found,) = execution.response().responses()
    assert (found.reason, found.annotations) == ("Fine", (("@a", b"1"),))


MIXED = BatchRequest(
    [
        get("A", id="1"),
        ChangeSet([post("B", id="2"), post("C", id="3")], id="g"),
        get("D", id="4"),
    ],
    continue_on_error=True,
)


@pytest.mark.parametrize(
    ("format", "response_format", "service", "expected"),
    [
        ("multipart", "json", {}, [200, [200, 200], 200]),
        ("multipart", "json", {"C": 409}, [200, [424, 409], 200]),
        ("json", "multipart", {}, [200, 200, 200, 200]),
        ("json", "multipart", {"C": 409}, [200, 424, 409, 200]),
        ("json", "multipart", {"Commit 1": 503}, [200, 503, 503, 200]),
    ],
)
def test_the_response_may_be_in_the_other_format(
    format: Format, response_format: Format, service: Service, expected: list[Any]
) -> None:
    execution = start(MIXED, format, response_format=response_format)
    run(execution, service)
    response = execution.response()
    assert statuses(response) == expected
    assert [each.id for each in response.responses()] == ["1", "2", "3", "4"]
    payload = encode_response(response, format=response_format)
    read = decode_response(payload.body, payload.content_type, strict=True)
    assert read == prepare(response, format=response_format)


# -- what is refused -------------------------------------------------------------------------------


def changes(count: int) -> ChangeSet:
    return ChangeSet([Operation.delete(f"A({number})") for number in range(count)])


@pytest.mark.parametrize("format", FORMATS)
def test_eight_operations_pass_a_quota_of_eight_and_nine_do_not(format: Format) -> None:
    eight: Items = [get("A"), changes(3), get("B"), changes(3)]
    limits = Limits(operations=8)
    assert run(start(eight, format, limits=limits, ordered=True))[-1] == "Commit 3"
    with pytest.raises(LimitExceeded) as caught:
        start([*eight, get("C")], format, limits=limits)
    assert str(caught.value) == (
        "error[limit-exceeded]: limit operations is 8, and the batch has 9"
    )
    assert (caught.value.limit, caught.value.value) == ("operations", 8)
    assert caught.value.http_status == 413


DIALECT = replace(ODATA_4_01, operations=3, change_sets=1, change_set_operations=2)


@pytest.mark.parametrize(
    ("items", "options", "limit", "value"),
    [
        ([changes(3)], {"limits": Limits(change_set_operations=2)}, "change_set_operations", 2),
        ([changes(0)] * 3, {"limits": Limits(operations=2)}, "change_sets", 2),
        ([get("A")] * 4, {"dialect": DIALECT}, "operations", 3),
        ([get("A")] * 4, {"dialect": DIALECT, "limits": Limits(operations=9)}, "operations", 3),
        ([get("A")] * 4, {"dialect": DIALECT, "limits": Limits(operations=2)}, "operations", 2),
        ([changes(1), changes(1)], {"dialect": DIALECT}, "change_sets", 1),
        ([changes(3)], {"dialect": DIALECT}, "change_set_operations", 2),
    ],
)
def test_quotas_are_refused_before_anything_runs(
    items: Items, options: dict[str, Any], limit: str, value: int
) -> None:
    with pytest.raises(LimitExceeded) as caught:
        start(items, **options)
    assert (caught.value.limit, caught.value.value) == (limit, value)


def test_limits_hold_even_if_a_dialect_makes_light_of_them() -> None:
    dialect = replace(ODATA_4_01, severities=((Rule.LIMIT_EXCEEDED, Severity.NOTE),))
    items: Items = [get("A", id="1"), get("B", id="2", depends_on=["1"])]
    with pytest.raises(LimitExceeded) as caught:
        start(items, "json", dialect=dialect, limits=Limits(depends_on=0))
    assert (caught.value.limit, caught.value.http_status) == ("depends_on", 413)


@pytest.mark.parametrize(
    ("items", "rule"),
    [
        ([get("A", id="1"), get("B", id="1")], Rule.DUPLICATE_ID),
        ([get("A", id="1", depends_on=["2"]), get("B", id="2")], Rule.DEPENDS_ON_FORWARD),
        ([get("A", id="1", depends_on=["x"])], Rule.DEPENDS_ON_UNKNOWN),
        ([get("A", id="1", depends_on=["1"])], Rule.DEPENDS_ON_SELF),
        (
            [get("A", id="1", depends_on=["2"]), get("B", id="2", depends_on=["1"])],
            Rule.DEPENDS_ON_FORWARD,
        ),
        ([get("$2/A", id="1"), get("B", id="2")], Rule.REFERENCE_FORWARD),
        ([get("$batch")], Rule.NESTED_BATCH),
        ([get("A", headers={"X": "a\r\nb"})], Rule.CONTROL_CHARACTER),
        ([get("A b\r\n")], Rule.CONTROL_CHARACTER),
        ([Operation("A B", "C")], Rule.METHOD_SYNTAX),
        ([ChangeSet([ChangeSet([post("A", id="1")])])], Rule.NESTED_CHANGE_SET),
    ],
)
def test_what_decoding_would_refuse_is_refused(items: Items, rule: Rule) -> None:
    with pytest.raises(DecodeError) as caught:
        start(items, "json")
    assert caught.value.rule is rule
    assert caught.value.http_status == 400


def test_groups_that_wait_for_each_other_are_refused() -> None:
    text = {
        "requests": [
            {"id": "a", "atomicityGroup": "g", "method": "post", "url": "A"},
            {"id": "x", "dependsOn": ["g"], "method": "get", "url": "X"},
            {"id": "b", "atomicityGroup": "g", "dependsOn": ["x"], "method": "post", "url": "B"},
        ]
    }
    body = json.dumps(text).encode()
    request = check_request(body, "application/json").value
    assert request is not None
    with pytest.raises(DecodeError) as caught:
        start(request, "json")
    assert caught.value.rule is Rule.DEPENDS_ON_CYCLE


def test_groups_that_wait_for_each_other_end_if_somebody_lets_them_pass() -> None:
    severities = ((Rule.DEPENDS_ON_CYCLE, Severity.NOTE), (Rule.DEPENDS_ON_FORWARD, Severity.NOTE))
    items: Items = [
        ChangeSet([post("A", id="a"), post("B", id="b", depends_on=["x"])], id="g"),
        get("X", id="x", depends_on=["g"]),
    ]
    execution = start(items, "json", dialect=replace(ODATA_4_01, severities=severities))
    assert run(execution) == []
    assert statuses(execution.response()) == [[424, 424], 424]


def test_a_dialect_decides_how_severe_a_rule_is() -> None:
    items: Items = [
        ChangeSet([post("A", id="1")]),
        ChangeSet([post("B", id="1"), post("$1", id="2")]),
    ]
    execution = start(items, dialect=ODATA_2)
    expected = ["Begin 0", "A", "Commit 0", "Begin 1", "B", "B(1)", "Commit 1"]
    assert run(execution, {"B": OperationResponse(201, {"Location": "B(1)"})}) == expected


def test_change_sets_deeper_than_the_stack_are_refused() -> None:
    item: Operation | ChangeSet = post("A", id="1")
    for _ in range(5000):
        item = ChangeSet([item])
    with pytest.raises(DecodeError) as caught:
        start([item])
    assert caught.value.diagnostic.message == "found change sets nested 5000 deep"
    assert caught.value.path == "items[0]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "xml"}, "format is 'multipart' or 'json', not 'xml'"),
        ({"response_format": "xml"}, "format is 'multipart' or 'json', not 'xml'"),
        ({"service_root": "/service/"}, "service_root is an absolute URL, not '/service/'"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        start([], **options)
    assert str(caught.value) == message


def test_a_request_of_another_type_is_refused() -> None:
    request: Any = [get("A")]
    with pytest.raises(TypeError) as caught:
        Execution(request, batch_url=BATCH_URL)
    assert str(caught.value) == "request is a BatchRequest, not list"


# -- wrong use -------------------------------------------------------------------------------------


def test_a_response_before_the_end_is_wrong_use() -> None:
    execution = start([get("A")])
    with pytest.raises(RuntimeError) as caught:
        execution.response()
    assert str(caught.value) == "the batch is not finished, 1 of its items are open"


def test_a_step_is_completed_once() -> None:
    execution = start([get("A"), get("B")])
    (step,) = execution.ready()
    assert isinstance(step, Step)
    execution.complete(step, OK)
    with pytest.raises(RuntimeError) as caught:
        execution.complete(step, OK)
    assert str(caught.value) == "Step cannot be completed: it was not handed out, or it is over"


def test_a_step_of_another_execution_is_unknown() -> None:
    (step,) = start([get("A")]).ready()
    assert isinstance(step, Step)
    with pytest.raises(RuntimeError):
        start([get("A")]).complete(step, OK)


def test_steps_are_completed_and_signals_are_done_or_failed() -> None:
    execution = start([get("A"), changes(1)], "json")
    step, begin = execution.ready()
    wrong: list[Callable[[], None]] = [
        lambda: execution.complete(begin, OK),  # type: ignore[arg-type]  # this is the test
        lambda: execution.done(step),  # type: ignore[arg-type]  # this is the test
        lambda: execution.fail(step, BUSY),  # type: ignore[arg-type]  # this is the test
        lambda: execution.done(None),  # type: ignore[arg-type]  # this is the test
    ]
    messages = []
    for call in wrong:
        with pytest.raises(RuntimeError) as caught:
            call()
        messages.append(str(caught.value).partition(":")[0])
    assert messages == [
        "Begin cannot be completed",
        "Step cannot be done",
        "Step cannot be failed",
        "NoneType cannot be done",
    ]
    obey(execution, step, {})
    obey(execution, begin, {})


def test_a_signal_is_done_or_failed_once() -> None:
    execution = start([changes(1)])
    (begin,) = execution.ready()
    assert isinstance(begin, Begin)
    execution.done(begin)
    with pytest.raises(RuntimeError):
        execution.done(begin)
    with pytest.raises(RuntimeError):
        execution.fail(begin, BUSY)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (100, "the status is from 200 to 599 here, not 100"),
        (600, "the status is from 200 to 599 here, not 600"),
    ],
)
def test_a_step_is_completed_with_a_final_response(status: int, message: str) -> None:
    execution = start([get("A")])
    (step,) = execution.ready()
    assert isinstance(step, Step)
    with pytest.raises(ValueError) as caught:
        execution.complete(step, OperationResponse(status))
    assert str(caught.value) == message
    execution.complete(step, OK)


def test_a_signal_fails_with_an_error() -> None:
    execution = start([changes(1)])
    (begin,) = execution.ready()
    assert isinstance(begin, Begin)
    with pytest.raises(ValueError) as caught:
        execution.fail(begin, OK)
    assert str(caught.value) == "the status is from 400 to 599 here, not 200"


def test_a_response_of_another_type_is_refused() -> None:
    execution = start([get("A")])
    (step,) = execution.ready()
    response: Any = 200
    assert isinstance(step, Step)
    with pytest.raises(TypeError) as caught:
        execution.complete(step, response)
    assert str(caught.value) == "response is an OperationResponse, not int"


# -- formats of somebody else, and large batches ---------------------------------------------------


def test_a_format_of_somebody_else_needs_values_only() -> None:
    """One request a line, one status a line."""
    lines = "GET A\nPOST B\nGET C"
    items: Items = [Operation(line.split()[0], line.split()[1]) for line in lines.splitlines()]
    execution = start(items, continue_on_error=True)
    run(execution, {"B": 404})
    assert "\n".join(str(each.status) for each in execution.response().responses()) == (
        "200\n404\n200"
    )


LARGE = 10_000


def chain(reference: str) -> Items:
    """Each operation depends on the one before it; the ids are made up of their own numbers."""
    items: Items = [get("A", id="0")]
    for number in range(1, LARGE):
        before = str(number - 1)
        if reference == "url":
            items.append(get(f"${before}/B?{number}", id=str(number)))
        else:
            items.append(get(f"A({number})", id=str(number), depends_on=[before]))
    return items


def test_a_chain_of_10_000_dependencies_runs_link_by_link() -> None:
    execution = start(chain("depends-on"), "json")
    assert len(run(execution)) == LARGE
    assert len(execution.response().items) == LARGE


def test_a_chain_of_10_000_dependencies_breaks_at_once() -> None:
    execution = start(chain("depends-on"), "json")
    assert run(execution, {"A": 404}) == ["A"]
    assert statuses(execution.response()) == [404] + [424] * (LARGE - 1)


def test_10_000_operations_that_depend_on_one_run_at_the_same_time() -> None:
    items: Items = [get("A", id="0")]
    items += [get(f"A({n})", id=str(n), depends_on=["0"]) for n in range(1, LARGE)]
    execution = start(items, "json")
    assert [len(line.split(" + ")) for line in run(execution)] == [1, LARGE - 1]


def test_groups_of_1000_operations_run_and_fail() -> None:
    groups = [
        ChangeSet([post(f"A({group})/B({n})") for n in range(1000)], id=f"g{group}")
        for group in range(3)
    ]
    execution = start(groups, "json", ordered=False)
    run(execution, {"A(1)/B(500)": 409})
    assert [sum(item) for item in statuses(execution.response())] == [
        200_000,
        424 * 999 + 409,
        200_000,
    ]


# -- whatever can be sent --------------------------------------------------------------------------


def encodable(request: BatchRequest, format: Format, response_format: Format) -> None:
    """Send the request, run it, send the response: nobody finds anything wrong with it."""
    sent = encode_request(request, format=format)
    read = decode_request(sent.body, sent.content_type, headers=sent.headers)
    execution = start(read, format, response_format=response_format, headers=sent.headers)
    count = len(read.operations())
    while not execution.finished:
        for number, each in enumerate(execution.ready()):
            obey(execution, each, {name(each): (204, 404, 200)[(count + number) % 3]})
    payload = encode_response(execution.response(), format=response_format)
    report = check_response(payload.body, payload.content_type, request=read, request_format=format)
    assert [found for found in report.diagnostics if found.severity > Severity.NOTE] == []


@given(batch_requests("multipart"))
def test_whatever_can_be_sent_in_multipart_can_be_run(request: BatchRequest) -> None:
    for response_format in FORMATS:
        encodable(request, "multipart", response_format)


@given(batch_requests("json"))
def test_whatever_can_be_sent_in_json_can_be_run(request: BatchRequest) -> None:
    # An empty batch has no multipart response.
    for response_format in FORMATS if request.items else ("json",):
        encodable(request, "json", response_format)
