"""What to send next: splitting a batch, sending the rest again, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    BatchResult,
    ChangeSet,
    EncodeError,
    Operation,
    OperationResponse,
    Outcome,
    State,
    Unreadable,
    UnresolvedReference,
    decode_request,
    encode_request,
    find_references,
    match,
    prepare,
    remaining,
    retry_after,
    split,
)
from odata_batch.dialects import DATAVERSE, GRAPH
from odata_batch.rules import LIMIT_EXCEEDED
from odata_batch.strategies import batch_requests

from .batches import table

Format = Literal["multipart", "json"]
Item = Operation | ChangeSet | Unreadable


def delete(id: str, *depends_on: str) -> Operation:
    return Operation.delete(f"People({id})", id=id, depends_on=depends_on)


def ids(items: tuple[Item, ...]) -> list[Any]:
    """Return the identifiers of the operations, those of a change set in a list of their own."""
    return [ids(item.items) if isinstance(item, ChangeSet) else item.id for item in items]


# -- split -----------------------------------------------------------------------------------------


def test_what_fits_is_not_split() -> None:
    batch = BatchRequest([delete("a"), ChangeSet([delete("b")])], continue_on_error=True)
    assert split(batch, max_operations=2) == (batch,)


def test_what_depends_on_several_stays_with_all_of_them() -> None:
    items = [delete("1"), delete("2"), delete("3", "1", "2"), delete("4")]
    batch = BatchRequest([*items, delete("5", "4"), delete("6", "3", "5")])
    more = replace(batch, items=(*batch.items, delete("7")))
    whole, rest = split(more, max_operations=6, format="json")
    assert (ids(whole.items), ids(rest.items)) == (list("123456"), ["7"])


def test_every_piece_says_what_the_batch_says() -> None:
    batch = BatchRequest(map(delete, "ab"), continue_on_error=False, annotations=[("x", b"1")])
    for piece in split(batch, max_operations=1):
        assert (piece.continue_on_error, piece.annotations) == (False, (("x", b"1"),))


def test_a_large_closure_is_named_in_part() -> None:
    batch = BatchRequest([ChangeSet(delete(str(number)) for number in range(30))])
    with pytest.raises(EncodeError) as caught:
        split(batch, max_operations=29)
    (found,) = caught.value.diagnostics
    beginning = "found 30 operations that belong together, a batch may have 29: "
    assert found.message.startswith(beginning)
    assert found.message.endswith(", 'DELETE People(19)', 10 more")


def test_a_long_batch_is_split_with_its_dependencies() -> None:
    steps = [delete("0"), *(delete(str(number), str(number - 1)) for number in range(1, 10_000))]
    whole = BatchRequest(steps)
    assert split(whole, max_operations=10_000, format="json") == (whole,)
    with pytest.raises(EncodeError):
        split(whole, max_operations=9_999, format="json")


def references(batch: BatchRequest) -> int:
    """Return how many references and dependencies are to something in the batch."""
    known = {item.id for item in (*batch.operations(), *batch.items)}
    count = 0
    for item in batch.operations():
        referred = (each.id for each in find_references(item) if each.place != "body")
        count += len(known & {*item.depends_on, *referred})
    return count


@given(st.data(), st.sampled_from(("multipart", "json")), st.integers(1, 8))
def test_the_pieces_are_the_batch(data: st.DataObject, format: Format, most: int) -> None:
    batch = data.draw(batch_requests(format))
    prepared = prepare(batch, format=format)
    try:
        found = split(prepared, max_operations=most, format=format)
    except EncodeError as error:
        assert {each.rule for each in error.diagnostics} == {LIMIT_EXCEEDED}
        return
    items = [str(item) for piece in found for item in piece.items]
    assert sorted(items) == sorted(map(str, prepared.items))
    order = {id(operation): place for place, operation in enumerate(prepared.operations())}
    assert sum(map(references, found)) == references(prepared)
    for piece in found:
        places = [order[id(operation)] for operation in piece.operations()]
        assert places == sorted(places)
        assert len(piece.operations()) <= most
        assert split(piece, max_operations=most, format=format) == (piece,)
        encode_request(piece, format=format)


# -- remaining: what is sent again -----------------------------------------------------------------


def test_what_is_unknown_is_sent_again_if_asked() -> None:
    batch, statuses = BatchRequest(map(delete, "abc")), {"a": 100, "c": 200}
    assert remaining(batch, statuses).items == ()
    rest = remaining(batch, statuses, when=lambda outcome: outcome.state is State.UNKNOWN)
    assert ids(rest.items) == ["a", "b"]


def test_what_has_succeeded_is_sent_again_if_asked() -> None:
    steps = (delete("a"), delete("b", "a"))
    statuses = {"a": 200, "b": 429}
    batch = remaining(BatchRequest(steps), statuses, when=lambda outcome: True, format="json")
    assert batch.items == steps


def test_ten_thousand_dependencies_of_one_operation_are_pruned() -> None:
    names = [str(number) for number in range(10_000)]
    batch = BatchRequest([*map(delete, names), delete("x", *names)])
    rest = remaining(batch, {**dict.fromkeys(names, 204), "x": 429}, format="json")
    assert rest.items == (delete("x"),)


# -- remaining: results ----------------------------------------------------------------------------


def test_results_are_those_of_the_batch() -> None:
    batch = BatchRequest([delete("a")])
    other = match(BatchRequest([delete("b")]), None)
    with pytest.raises(ValueError, match=r"^the results are those of another batch$"):
        remaining(batch, other)
    message = r"^the results are those of another batch, none of this has id 'b'$"
    with pytest.raises(ValueError, match=message):
        remaining(batch, {"b": 429})


def test_the_rest_of_a_piece_is_found_by_the_results_of_the_piece() -> None:
    whole = BatchRequest([Operation.delete(f"People({number})") for number in range(4)])
    _, piece = split(whole, max_operations=2, format="json")
    answers = [OperationResponse(429, id="4"), OperationResponse(204, id="3")]
    results = match(piece, BatchResponse(answers), format="json")
    assert ids(remaining(piece, results, format="json").items) == ["4"]


@given(st.data(), st.sampled_from(("multipart", "json")))
def test_what_is_sent_again_and_what_is_not_are_the_batch(
    data: st.DataObject, format: Format
) -> None:
    batch = data.draw(batch_requests(format))
    prepared = prepare(batch, format=format)
    statuses = st.sampled_from((200, 400, 424, 429))
    all_ids = [each.id for each in prepared.operations() if each.id is not None]
    given_statuses = {id: data.draw(statuses) for id in all_ids}
    try:
        rest = remaining(batch, given_statuses, format=format)
    except UnresolvedReference:
        return
    sent = {each.id for each in rest.operations()}
    for item in prepared.items:
        members = {each.id for each in BatchRequest([item]).operations()}
        throttled = {id for id in members if id is not None and given_statuses[id] == 429}
        assert not sent & members or members <= sent
        if isinstance(item, Operation) and throttled and not item.depends_on:
            assert members <= sent or item.url.startswith("$") or item.headers
        assert not any(id and given_statuses[id] == 400 for id in members & sent)
    assert remaining(rest, dict.fromkeys(filter(None, sent), 429), format=format) == rest
    if format == "json":
        encode_request(rest, format=format)


def served(batch: BatchRequest, busy: Callable[[], bool]) -> dict[str, int]:
    """Return the statuses that a service gives which is too busy for some items."""
    statuses: dict[str, int] = {}
    failed: set[str] = set()
    for item in batch.items:
        operations = BatchRequest([item]).operations()
        names = [each.id or "" for each in operations]
        is_hindered = any(not failed.isdisjoint(each.depends_on) for each in operations)
        is_busy = busy()
        if is_hindered or is_busy:
            failed.update(names, [item.id or ""])
        own = 424 if is_hindered else 429
        statuses |= dict.fromkeys(names, own if is_hindered or is_busy else 200)
    return statuses


@given(st.data(), batch_requests("json"))
def test_sending_the_rest_until_none_is_left_executes_everything_once(
    data: st.DataObject, batch: BatchRequest
) -> None:
    rest = prepare(batch, format="json")
    rest = replace(rest, items=tuple(map(without_references, rest.items)))
    expected = sorted(each.id or "" for each in rest.operations())
    executed: list[str] = []
    for rounds in range(20):
        is_busy = st.booleans() if rounds < 3 else st.just(False)
        statuses = served(rest, partial(data.draw, is_busy))
        executed += [id for id, status in statuses.items() if status == 200]
        rest = remaining(rest, statuses, format="json")
        encode_request(rest, format="json")
        if not rest.items:
            break
    assert sorted(executed) == expected


def without_references(item: Item) -> Item:
    if isinstance(item, ChangeSet):
        return ChangeSet([plain(each) for each in item.operations()], id=item.id)
    assert isinstance(item, Operation)
    return plain(item)


def plain(item: Operation) -> Operation:
    return Operation(item.method, "People", id=item.id, depends_on=item.depends_on)


def test_the_rest_of_a_long_batch_is_found() -> None:
    members = [delete(f"m{number}") for number in range(1_000)]
    steps = [delete(str(number), "g", str(number - 1)) for number in range(1, 5_000)]
    batch = BatchRequest([ChangeSet(members, id="g"), delete("0", "g"), *steps])
    statuses = {each.id or "": 424 for each in batch.operations()}
    rest = remaining(batch, {**statuses, "m0": 429}, format="json")
    assert rest == batch


# -- retry_after -----------------------------------------------------------------------------------

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)
GET = Operation.get("People", id="1")


def results(*answers: OperationResponse) -> BatchResult:
    failed = Outcome(operation=GET, state=State.FAILED, reason="")
    return BatchResult(tuple(replace(failed, response=answer) for answer in answers))


def throttled(**headers: str) -> OperationResponse:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return OperationResponse(429, fields)


def test_the_longest_delay_of_what_is_sent_again_counts() -> None:
    others = [OperationResponse(503, {"Retry-After": "7.25"})]
    others += [OperationResponse(400, {"Retry-After": "99"})]
    answers = [throttled(Retry_After="3"), throttled(), *others]
    assert retry_after(results(*answers)) == 7.25
    assert retry_after(results(*answers), when=lambda outcome: outcome.status == 400) == 99.0


def test_nobody_may_say_when() -> None:
    assert retry_after(BatchResult(())) is None
    unanswered = Outcome(operation=GET, state=State.DEPENDENCY_FAILED, reason="", refusal=429)
    assert retry_after(BatchResult((unanswered,))) is None


@pytest.mark.parametrize("row", [row for row in table("delays") if row[0] != "#"])
def test_a_date_is_counted_from_now_and_what_is_none_is_passed_over(row: str) -> None:
    value, _, expected = (part.strip() for part in row.partition("=>"))
    answer = throttled(Retry_After=value)
    if expected:
        assert retry_after(results(answer), now=NOW) == float(expected)
    else:
        assert retry_after(results(answer)) is None
        assert retry_after(results(answer, throttled(Retry_After="2")), now=NOW) == 2.0


def test_a_date_is_counted_from_the_date_of_its_response() -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    dated = throttled(Retry_After=date, Date="Sunday, 06-Nov-94 08:49:07 GMT")
    assert retry_after(results(dated)) == 30.0


@pytest.mark.parametrize("headers", [{}, {"Date": "today"}])
def test_a_date_needs_another_one(headers: dict[str, str]) -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    with pytest.raises(ValueError, match=rf"^Retry-After is the date '{date}'; pass now to count"):
        retry_after(results(throttled(Retry_After=date, **headers)))


def test_what_is_sent_next_is_written_as_it_was_read() -> None:
    payload = encode_request(BatchRequest(map(delete, "ab")), format="json")
    batch = decode_request(payload.body, payload.content_type)
    rest = remaining(batch, {"a": 200, "b": 429})
    for piece in (*split(batch, max_operations=1), rest):
        assert encode_request(piece).content_type == payload.content_type
    by_hand = BatchRequest(map(delete, "ab"))
    pieces = split(by_hand, max_operations=1, format="json")
    assert [piece.format for piece in pieces] == [None, None]
    assert remaining(by_hand, {"a": 429}, format="json").format is None


def test_a_condition_about_a_group_that_is_not_sent_again_is_refused() -> None:
    group = ChangeSet([delete("a")], id="g")
    batch = BatchRequest([group, replace(delete("b"), condition="$g eq 1")])
    with pytest.raises(UnresolvedReference, match="in its condition; rewrite it"):
        remaining(batch, {"a": 200, "b": 429}, format="json")


def test_an_empty_change_set_at_the_end_is_left_out() -> None:
    batch = BatchRequest([delete("a"), ChangeSet([])])
    assert remaining(batch, {"a": 429}).items == (delete("a"),)


def test_graph_gets_pieces_that_it_takes_and_the_callers_own_objects() -> None:
    get = Operation.get
    chain = [get("/a", id="1"), get("/b", id="2"), get("/c", id="3", depends_on=["1"])]
    batch = BatchRequest([*chain, get("/d", id="4")])
    pieces = split(batch, dialect=GRAPH)
    assert [[each.id for each in piece.operations()] for piece in pieces] == [
        ["1", "3"],
        ["2", "4"],
    ]
    for piece in pieces:
        encode_request(piece, dialect=GRAPH)
        assert all(any(each is own for own in batch.items) for each in piece.items)
    body = Operation.post("tasks", json={}, id="1")
    (piece,) = split(BatchRequest.single_change_set([body]), dialect=DATAVERSE)
    assert piece.operations()[0] is body
