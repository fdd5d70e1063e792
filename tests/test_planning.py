"""What to send next: splitting a batch, sending the rest again, and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

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
    Rule,
    State,
    UnresolvedReference,
    decode_request,
    encode_request,
    is_throttled,
    match,
    prepare,
    remaining,
    retry_after,
    split,
)
from odata_batch._graph.references import Dependencies, dependencies_of
from odata_batch._model.dialect import Format
from odata_batch.dialects import ODATA_4_01, Dialect
from odata_batch.strategies import batch_requests

Item = Operation | ChangeSet


def delete(id: str, *depends_on: str) -> Operation:
    return Operation.delete(f"People({id})", id=id, depends_on=depends_on)


def ids(batch: BatchRequest) -> str:
    """Return the identifiers of the operations, those of a change set in brackets."""
    return " ".join(
        f"[{ids(BatchRequest(item.items))}]" if isinstance(item, ChangeSet) else str(item.id)
        for item in batch.items
    )


# -- split -----------------------------------------------------------------------------------------


def pieces(
    *items: Item, most: int, format: Format = "multipart", dialect: Dialect = ODATA_4_01
) -> list[str]:
    found = split(BatchRequest(items), max_operations=most, format=format, dialect=dialect)
    return [ids(piece) for piece in found]


def test_operations_are_split_in_order() -> None:
    assert pieces(*map(delete, "abcde"), most=2) == ["a b", "c d", "e"]


def test_what_fits_is_not_split() -> None:
    batch = BatchRequest([delete("a"), ChangeSet([delete("b")])], continue_on_error=True)
    assert split(batch, max_operations=2) == (batch,)


def test_an_empty_batch_needs_no_batches() -> None:
    assert split(BatchRequest([]), max_operations=1) == ()


def test_every_piece_says_what_the_batch_says() -> None:
    batch = BatchRequest(map(delete, "ab"), continue_on_error=False, annotations=[("x", b"1")])
    for piece in split(batch, max_operations=1):
        assert (piece.continue_on_error, piece.annotations) == (False, (("x", b"1"),))


def test_a_change_set_is_not_cut() -> None:
    change_set = ChangeSet([delete("b"), delete("c")])
    assert pieces(delete("a"), change_set, delete("d"), most=2) == ["a", "[b c]", "d"]


def test_generated_identifiers_are_those_of_the_whole() -> None:
    batch = BatchRequest([ChangeSet([Operation.delete("People(1)")]) for _ in range(3)])
    assert [ids(piece) for piece in split(batch, max_operations=1)] == ["[1]", "[2]", "[3]"]
    single = BatchRequest([Operation.get("People")] * 2)
    assert [ids(piece) for piece in split(single, max_operations=1, format="json")] == ["1", "2"]


@pytest.mark.parametrize(
    ("later", "format"),
    [
        pytest.param(Operation.get("$b/Orders", id="c"), "multipart", id="url"),
        pytest.param(
            Operation.get("People", headers={"If-Match": "$b"}, id="c"), "multipart", id="tag"
        ),
        pytest.param(Operation.get("People?$filter=$b/ID", id="c"), "multipart", id="value"),
        pytest.param(
            Operation.post("People", json={"Boss@odata.bind": ["$b"]}, id="c"),
            "multipart",
            id="body",
        ),
        pytest.param(delete("c", "b"), "json", id="dependsOn"),
        pytest.param(replace(delete("c"), condition="$b/$succeeded"), "json", id="condition"),
    ],
)
def test_an_operation_stays_with_what_it_refers_to(later: Operation, format: Format) -> None:
    steps = (delete("a"), delete("b"), later, delete("d"))
    assert pieces(*steps, most=2, format=format) == ["a", "b c", "d"]


def test_bodies_refer_to_nothing_where_the_dialect_has_no_references() -> None:
    dialect = replace(ODATA_4_01, references="none")
    price = Operation.post("Prices", json=["$b"], id="c")
    assert pieces(delete("a"), delete("b"), price, most=2, dialect=dialect) == ["a b", "c"]


def test_a_body_that_holds_a_string_like_a_reference_to_nothing_or_to_itself_is_no_matter() -> None:
    price = Operation.post("Prices", json=["$9", "$c"], id="c")
    assert pieces(delete("a"), delete("b"), price, most=2) == ["a b", "c"]


def test_a_body_refers_to_the_same_change_set_first() -> None:
    change_sets = [
        ChangeSet([delete("1"), Operation.post("People", json=["$1"], id="2")]) for _ in range(2)
    ]
    assert pieces(*change_sets, most=2) == ["[1 2]", "[1 2]"]


def test_an_operation_stays_with_the_group_that_it_depends_on() -> None:
    group = ChangeSet([delete("a"), delete("b")], id="g")
    assert pieces(delete("x"), group, delete("c", "g"), most=3, format="json") == ["x", "[a b] c"]


def test_a_dependency_on_nothing_in_the_batch_keeps_nothing_together() -> None:
    assert pieces(delete("a"), Operation.get("$z", id="b"), most=1) == ["a", "b"]


def test_what_belongs_together_is_brought_together_where_what_is_between_does_not_fit() -> None:
    last = Operation.get("$a", id="e")
    assert pieces(*map(delete, "abcd"), last, most=2) == ["a e", "b c", "d"]


def test_order_is_kept_where_all_fits() -> None:
    last = Operation.get("$a", id="c")
    assert pieces(delete("x"), delete("a"), delete("b"), last, most=3) == ["x", "a b c"]


def test_an_oversized_closure_is_an_error_that_names_it() -> None:
    batch = BatchRequest([delete("x"), delete("a"), Operation.get("$a", id="b"), delete("y")])
    with pytest.raises(EncodeError) as caught:
        split(batch, max_operations=1)
    (found,) = caught.value.diagnostics
    message = "found 2 operations that belong together, a batch may have 1: "
    assert found.message == message + "'DELETE People(a)', 'GET $a'"
    assert (found.rule, found.path) == (Rule.LIMIT_EXCEEDED, "items[1]")


def test_a_large_closure_is_named_in_part() -> None:
    batch = BatchRequest([ChangeSet(delete(str(number)) for number in range(30))])
    with pytest.raises(EncodeError) as caught:
        split(batch, max_operations=29)
    (found,) = caught.value.diagnostics
    assert found.message.startswith(
        "found 30 operations that belong together, a batch may have 29: "
    )
    assert found.message.endswith(", 'DELETE People(19)', 10 more")


def test_all_oversized_closures_are_named_at_once() -> None:
    change_sets = [ChangeSet([delete("a"), delete("b")]), ChangeSet([delete("c"), delete("d")])]
    with pytest.raises(EncodeError) as caught:
        split(BatchRequest(change_sets), max_operations=1)
    assert [found.path for found in caught.value.diagnostics] == ["items[0]", "items[1]"]


def test_the_dialect_says_how_many_operations_a_batch_may_have() -> None:
    dialect = replace(ODATA_4_01, operations=2)
    assert len(split(BatchRequest(map(delete, "abc")), dialect=dialect)) == 2
    assert len(split(BatchRequest(map(delete, "abc")), max_operations=3, dialect=dialect)) == 1


def test_the_dialect_says_how_many_change_sets_a_batch_may_have() -> None:
    dialect = replace(ODATA_4_01, change_sets=1)
    steps = (ChangeSet([delete("a")]), delete("b"), ChangeSet([delete("c")]))
    assert pieces(*steps, most=9, dialect=dialect) == ["[a] b", "[c]"]


def test_the_dialect_says_how_many_operations_a_change_set_may_have() -> None:
    dialect = replace(ODATA_4_01, change_set_operations=1)
    batch = BatchRequest([delete("x"), ChangeSet([delete("a"), delete("b")])])
    with pytest.raises(EncodeError) as caught:
        split(batch, max_operations=9, dialect=dialect)
    (found,) = caught.value.diagnostics
    message = "found 2 operations that belong together, a change set may have 1: "
    assert found.message == message + "'DELETE People(a)', 'DELETE People(b)'"
    assert found.path == "items[1]"


def test_change_sets_that_belong_together_are_named_where_a_batch_has_one() -> None:
    dialect = replace(ODATA_4_01, change_sets=1)
    other = ChangeSet([Operation.patch("$a", json={}, id="b")])
    with pytest.raises(EncodeError) as caught:
        split(BatchRequest([ChangeSet([delete("a")]), other]), max_operations=9, dialect=dialect)
    message = "found 2 change sets that belong together, a batch may have 1: "
    (found,) = caught.value.diagnostics
    assert found.message == message + "'DELETE People(a)', 'PATCH $a'"


def test_where_a_change_set_is_the_whole_batch_every_item_is() -> None:
    dialect = replace(ODATA_4_01, transactions="single")
    steps = (ChangeSet([delete("a")]), Operation.get("People", id="b"), ChangeSet([delete("c")]))
    assert pieces(*steps, most=9, dialect=dialect) == ["[a]", "b", "[c]"]


def test_how_many_must_be_known_and_positive() -> None:
    message = r"^max_operations is missing, and OData 4\.01 does not say how many$"
    with pytest.raises(ValueError, match=message):
        split(BatchRequest([]))
    with pytest.raises(ValueError, match=r"^max_operations is at least 1, not 0$"):
        split(BatchRequest([]), max_operations=0)


def test_a_batch_is_wanted() -> None:
    with pytest.raises(TypeError, match=r"^batch is a BatchRequest, not list$"):
        split([], max_operations=1)  # type: ignore[arg-type]  # wrong on purpose


def test_change_sets_that_nest_deeper_than_the_stack_are_refused() -> None:
    deep = ChangeSet([delete("a")])
    for _ in range(5000):
        deep = ChangeSet([deep])
    with pytest.raises(EncodeError) as caught:
        split(BatchRequest([deep]), max_operations=1)
    expected = "error[nested-change-set] in items[0]: found change sets nested 5001 deep"
    assert str(caught.value) == expected


def test_a_long_batch_is_split_with_its_dependencies() -> None:
    steps = [delete("0"), *(delete(str(number), str(number - 1)) for number in range(1, 10_000))]
    whole = BatchRequest(steps)
    assert split(whole, max_operations=10_000, format="json") == (whole,)
    with pytest.raises(EncodeError):
        split(whole, max_operations=9_999, format="json")


def resolved(dependencies: Dependencies) -> int:
    return sum(edge.target is not None for edge in dependencies.edges)


@given(st.data(), st.sampled_from(("multipart", "json")), st.integers(1, 8))
def test_the_pieces_are_the_batch(data: st.DataObject, format: Format, most: int) -> None:
    batch = data.draw(batch_requests(format))
    prepared = prepare(batch, format=format)
    try:
        found = split(prepared, max_operations=most, format=format)
    except EncodeError as error:
        assert {each.rule for each in error.diagnostics} == {Rule.LIMIT_EXCEEDED}
        return
    assert sorted(map(str, (item for piece in found for item in piece.items))) == sorted(
        map(str, prepared.items)
    )
    order = {id(operation): place for place, operation in enumerate(prepared.operations())}
    whole = dependencies_of(prepared, format=format)
    parts = [dependencies_of(piece, format=format) for piece in found]
    assert sum(map(resolved, parts)) == resolved(whole)
    for piece in found:
        places = [order[id(operation)] for operation in piece.operations()]
        assert places == sorted(places)
        assert len(piece.operations()) <= most
        assert split(piece, max_operations=most, format=format) == (piece,)
        encode_request(piece, format=format)


# -- remaining: what is sent again -----------------------------------------------------------------


def again(
    *items: Item,
    statuses: dict[str, int],
    when: Callable[[Outcome], bool] = is_throttled,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
) -> str:
    return ids(remaining(BatchRequest(items), statuses, when=when, format=format, dialect=dialect))


def test_what_was_throttled_is_sent_again() -> None:
    statuses = {"a": 200, "b": 429, "c": 404, "d": 503, "e": 304}
    assert again(*map(delete, "abcde"), statuses=statuses) == "b d"


def test_what_is_unknown_is_not_sent_again_unless_asked() -> None:
    assert again(*map(delete, "abc"), statuses={"a": 100, "c": 200}) == ""

    def is_unknown(outcome: Outcome) -> bool:
        return outcome.state is State.UNKNOWN

    assert again(*map(delete, "abc"), statuses={"a": 100, "c": 200}, when=is_unknown) == "a b"


def test_what_has_succeeded_is_sent_again_if_asked() -> None:
    steps = (delete("a"), delete("b", "a"))
    statuses = {"a": 200, "b": 429}
    batch = remaining(BatchRequest(steps), statuses, when=lambda outcome: True, format="json")
    assert batch.items == steps


def test_everything_else_of_the_batch_is_kept() -> None:
    batch = BatchRequest([delete("a")], continue_on_error=True, annotations=[("x", b"1")])
    assert remaining(batch, {"a": 429}, format="json") == batch
    assert remaining(batch, {"a": 200}, format="json") == replace(batch, items=())


def test_dependents_are_sent_again_with_what_took_them_down() -> None:
    steps = (delete("a"), delete("b", "a"), delete("c", "b"), delete("d"))
    statuses = {"a": 429, "b": 424, "c": 424, "d": 200}
    assert again(*steps, statuses=statuses, format="json") == "a b c"


def test_dependents_of_what_failed_for_good_are_not_sent_again() -> None:
    steps = (delete("a"), delete("b"), delete("c", "a", "b"), delete("d", "c"))
    statuses = {"a": 429, "b": 400, "c": 424, "d": 429}
    assert again(*steps, statuses=statuses, format="json") == "a"


def test_a_424_without_a_cause_is_not_sent_again() -> None:
    assert again(delete("a"), delete("b"), statuses={"a": 429, "b": 424}) == "a"


def test_dependencies_on_what_has_succeeded_are_pruned() -> None:
    group = ChangeSet([delete("a")], id="g")
    steps = (group, delete("b"), delete("c", "a", "g", "b"), delete("d", "c"))
    statuses = {"a": 204, "b": 429, "c": 424, "d": 424}
    batch = remaining(BatchRequest(steps), statuses, format="json")
    assert batch.items == (delete("b"), delete("c", "b"), delete("d", "c"))
    encode_request(batch, format="json")


def test_a_group_is_sent_again_as_a_whole() -> None:
    group = ChangeSet([delete("a"), delete("b")], id="g")
    statuses = {"a": 200, "b": 429, "c": 424}
    batch = remaining(BatchRequest([group, delete("c", "g")]), statuses, format="json")
    assert batch.items == (group, delete("c", "g"))


def test_a_member_of_a_group_that_is_sent_again_may_have_no_status() -> None:
    group = ChangeSet([delete("a"), delete("b")], id="g")
    assert again(group, statuses={"b": 429}, format="json") == "[a b]"


@pytest.mark.parametrize("other", [400, 100])
def test_a_group_with_a_failure_of_another_kind_is_not_sent_again(other: int) -> None:
    group = ChangeSet([delete("a"), delete("b")], id="g")
    assert again(group, statuses={"a": other, "b": 429}, format="json") == ""


def test_a_member_depends_on_its_group_without_harm() -> None:
    group = ChangeSet([delete("a"), delete("b", "a", "g")], id="g")
    assert again(group, statuses={"a": 429, "b": 424}, format="json") == "[a b]"


def test_a_group_that_a_dependency_took_down_is_sent_again_with_it() -> None:
    group = ChangeSet([delete("b"), delete("c", "a")], id="g")
    statuses = {"a": 503, "b": 424, "c": 424}
    assert again(delete("a"), group, statuses=statuses, format="json") == "a [b c]"
    statuses = {"a": 500, "b": 424, "c": 424}
    assert again(delete("a"), group, statuses=statuses, format="json") == ""


def test_where_change_sets_are_not_atomic_their_members_stand_alone() -> None:
    dialect = replace(ODATA_4_01, atomicity_groups=False)
    group = ChangeSet([delete("a"), delete("b"), delete("d", "b")], id="g")
    steps = (group, delete("c", "g"))
    statuses = {"a": 200, "b": 429, "c": 424, "d": 424}
    assert again(*steps, statuses=statuses, format="json", dialect=dialect) == "[b d] c"


def test_a_change_set_within_a_change_set_stays() -> None:
    change_set = ChangeSet([delete("a"), ChangeSet([delete("b")])])
    assert remaining(BatchRequest([change_set]), {"a": 429}).items == (change_set,)


def test_ten_thousand_dependencies_of_one_operation_are_pruned() -> None:
    names = [str(number) for number in range(10_000)]
    batch = BatchRequest([*map(delete, names), delete("x", *names)])
    rest = remaining(batch, {**dict.fromkeys(names, 204), "x": 429}, format="json")
    assert rest.items == (delete("x"),)


# -- remaining: references to what is not sent again -----------------------------------------------


def outcome(
    operation: Operation, state: State, status: int | None = None, **headers: str
) -> Outcome:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = None if status is None else OperationResponse(status, fields, id=operation.id)
    return Outcome(operation=operation, response=answer, state=state, reason="")


def rest(first: Operation, second: Operation, format: Format = "multipart", **headers: str) -> Item:
    results = (
        outcome(first, State.SUCCEEDED, 201, **headers),
        outcome(second, State.FAILED, 429),
    )
    (item,) = remaining(BatchRequest([first, second]), BatchResult(results), format=format).items
    return item


NEW = Operation.post("People", json={}, id="1")


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("$1", "http://host/People(7)", "http://host/People(7)"),
        ("$1/Orders", "/service/People(7)", "/service/People(7)/Orders"),
        ("$1/Orders", "HTTPS://host/People/7/", "HTTPS://host/People/7/Orders"),
        ("$1?$select=ID", "http://host/People/7/", "http://host/People/7/?$select=ID"),
    ],
)
def test_a_url_that_refers_to_what_has_succeeded_gets_its_location(
    url: str, location: str, expected: str
) -> None:
    found = rest(NEW, Operation.get(url, id="2"), location=location)
    assert found == Operation.get(expected, id="2")


def test_a_url_is_rewritten_together_with_the_dependency_that_it_implies() -> None:
    found = rest(NEW, Operation.get("$1", id="2"), format="json", location="/People(7)")
    assert found == Operation.get("/People(7)", id="2")


@pytest.mark.parametrize(
    "location", ["People(7)", "//host/People(7)", "/P?a=b", "/P#a", "ftp://x/y"]
)
def test_a_location_that_is_not_absolute_is_refused(location: str) -> None:
    with pytest.raises(UnresolvedReference) as caught:
        rest(NEW, Operation.get("$1/Orders", id="2"), location=location)
    message = "'GET $1/Orders' refers to '1', which is not sent again and has the Location "
    assert str(caught.value) == f"{message}{location!r}, expected an absolute one"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_a_request_without_location_stands_for_its_own_url(method: str) -> None:
    first = Operation(method, "People(1)", id="1")
    batch = BatchRequest([first, Operation.post("$1/Orders", json={}, id="2")])
    (again,) = remaining(batch, {"1": 200, "2": 503}).operations()
    assert again.url == "People(1)/Orders"


@pytest.mark.parametrize("url", ["People?$top=1", "$0", "People/"])
def test_not_every_url_can_be_continued(url: str) -> None:
    batch = BatchRequest([Operation.get(url, id="1"), Operation.get("$1/Orders", id="2")])
    with pytest.raises(UnresolvedReference, match="no Location"):
        remaining(batch, {"1": 200, "2": 503})


def test_a_string_that_looks_like_a_reference_may_be_a_price() -> None:
    posts = [Operation.post("Items", json={"Price": "$5"}, id=str(n)) for n in range(1, 8)]
    statuses = {str(n): 201 for n in range(1, 8)} | {"2": 429, "3": 503}
    again = remaining(BatchRequest(posts), statuses)
    assert [each.id for each in again.operations()] == ["2", "3"]
    assert len(split(BatchRequest(posts), max_operations=1)) == 7


def test_a_url_without_location_is_refused() -> None:
    with pytest.raises(UnresolvedReference) as caught:
        remaining(BatchRequest([NEW, Operation.get("$1", id="2")]), {"1": 201, "2": 429})
    message = "'GET $1' refers to '1', which is not sent again and has no Location, "
    assert str(caught.value) == message + "expected an absolute one"


def test_a_tag_that_refers_to_what_has_succeeded_gets_its_etag() -> None:
    fields = [("If-Match", "$1"), ("A", "$1"), ("If-None-Match", "$1")]
    found = rest(NEW, Operation.delete("People(7)", headers=fields, id="2"), ETag='"x"')
    assert isinstance(found, Operation)
    assert found.headers.pairs == (("If-Match", '"x"'), ("A", "$1"), ("If-None-Match", '"x"'))


def test_a_tag_in_a_list_is_refused() -> None:
    with pytest.raises(UnresolvedReference) as caught:
        rest(
            NEW, Operation.delete("People(7)", headers={"If-Match": '"y", $1'}, id="2"), ETag='"x"'
        )
    message = (
        "'DELETE People(7)' refers to '1', which is not sent again, in its if-match; rewrite it"
    )
    assert str(caught.value) == message


def test_a_reference_behind_the_service_root_is_refused() -> None:
    dialect = replace(ODATA_4_01, references="rooted", root_segments=frozenset(("v1",)))
    batch = BatchRequest([NEW, Operation.get("/v1/$1", id="2")])
    with pytest.raises(UnresolvedReference) as caught:
        remaining(batch, {"1": 201, "2": 429}, dialect=dialect)
    message = "'GET /v1/$1' refers to '1', which is not sent again, in its url; rewrite it"
    assert str(caught.value) == message


def test_a_name_that_is_nowhere_in_the_batch_stays() -> None:
    batch = BatchRequest([delete("a", "z")])
    assert remaining(batch, {"a": 429}, format="json") == batch


def test_a_tag_without_etag_is_refused() -> None:
    with pytest.raises(UnresolvedReference) as caught:
        rest(NEW, Operation.delete("People(7)", headers={"If-Match": "$1"}, id="2"))
    message = "'DELETE People(7)' refers to '1', which is not sent again and has no ETag"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("second", "place"),
    [
        (Operation.get("People?$filter=$1/ID", id="2"), "query"),
        (replace(delete("2", "1"), condition="$1/$succeeded"), "condition"),
        (Operation.post("Orders", json={"Person@odata.bind": "$1"}, id="2"), "body"),
    ],
)
def test_other_references_to_what_has_succeeded_are_refused(second: Operation, place: str) -> None:
    with pytest.raises(UnresolvedReference) as caught:
        rest(NEW, second, format="json", location="/People(7)")
    assert str(caught.value) == (
        f"'{second.method} {second.url}' refers to '1', which is not sent again, "
        f"in its {place}; rewrite it"
    )


def test_references_to_what_is_sent_again_stay() -> None:
    second = Operation.get("$1/Orders?$filter=$1/ID", headers={"If-Match": "$1"}, id="2")
    assert again(NEW, second, statuses={"1": 429, "2": 424}) == "1 2"


# -- remaining: results ----------------------------------------------------------------------------


def test_results_are_those_of_the_batch() -> None:
    batch = BatchRequest([delete("a")])
    other = BatchResult((outcome(delete("b"), State.FAILED, 429),))
    with pytest.raises(ValueError, match=r"^the results are those of another batch$"):
        remaining(batch, other)
    message = r"^the results are those of another batch, none of this has id 'b'$"
    with pytest.raises(ValueError, match=message):
        remaining(batch, {"b": 429})


def test_identifiers_are_found_without_regard_to_case_where_the_dialect_says_so() -> None:
    dialect = replace(ODATA_4_01, ids_ignore_case=True)
    assert again(delete("a"), delete("b"), statuses={"A": 429}, dialect=dialect) == "a"


def test_operations_without_identifier_have_no_status() -> None:
    assert again(Operation.get("People"), delete("a"), statuses={"a": 429}) == "a"


@pytest.mark.parametrize(("status", "expected"), [(429, "b c d"), (400, "")])
def test_what_was_not_executed_is_sent_again_with_what_stopped_the_batch(
    status: int, expected: str
) -> None:
    batch = BatchRequest(map(delete, "abcd"))
    answers = [OperationResponse(204, id="a"), OperationResponse(status, id="b")]
    results = match(batch, BatchResponse(answers))
    assert results["d"].state is State.NOT_EXECUTED
    assert ids(remaining(batch, results)) == expected


def test_a_change_set_can_stop_a_batch() -> None:
    change_set = ChangeSet([delete("b"), delete("c")])
    batch = BatchRequest([delete("a"), change_set, delete("d")])
    answers = [OperationResponse(204, id="a"), OperationResponse(503)]
    assert ids(remaining(batch, match(batch, BatchResponse(answers)))) == "[b c] d"


@pytest.mark.parametrize(("status", "expected"), [(503, "a b c"), (400, "b")])
def test_what_a_json_batch_did_not_execute_is_sent_again_if_all_failures_are(
    status: int, expected: str
) -> None:
    batch = BatchRequest(map(delete, "abc"), continue_on_error=False)
    results = BatchResult(
        (
            outcome(batch.operations()[0], State.FAILED, status),
            outcome(batch.operations()[1], State.FAILED, 429),
            outcome(batch.operations()[2], State.NOT_EXECUTED),
        )
    )
    assert ids(remaining(batch, results, format="json")) == expected


def test_what_waits_is_not_sent_again() -> None:
    batch = BatchRequest([delete("a"), delete("b", "a")])
    results = BatchResult(
        (
            outcome(batch.operations()[0], State.PENDING, 202),
            outcome(batch.operations()[1], State.FAILED, 429),
        )
    )
    assert ids(remaining(batch, results, format="json")) == ""


def test_a_batch_that_was_refused_as_a_whole_is_sent_again() -> None:
    batch = BatchRequest([delete("a"), ChangeSet([delete("b")])])
    assert remaining(batch, match(batch, None, status=429)) == batch
    assert remaining(batch, match(batch, None, status=400)).items == ()


def test_the_rest_of_a_piece_is_found_by_the_results_of_the_piece() -> None:
    whole = BatchRequest([Operation.delete(f"People({number})") for number in range(4)])
    _, piece = split(whole, max_operations=2, format="json")
    answers = [OperationResponse(429, id="4"), OperationResponse(204, id="3")]
    results = match(piece, BatchResponse(answers), format="json")
    assert ids(remaining(piece, results, format="json")) == "4"


@given(st.data(), st.sampled_from(("multipart", "json")))
def test_what_is_sent_again_and_what_is_not_are_the_batch(
    data: st.DataObject, format: Format
) -> None:
    batch = data.draw(batch_requests(format))
    prepared = prepare(batch, format=format)
    statuses = st.sampled_from((200, 400, 424, 429))
    given_statuses = {
        each.id: data.draw(statuses) for each in prepared.operations() if each.id is not None
    }
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
        statuses = served(rest, lambda: data.draw(is_busy))  # noqa: B023  # called at once
        executed += [id for id, status in statuses.items() if status == 200]
        rest = remaining(rest, statuses, format="json")
        encode_request(rest, format="json")
        if not rest.items:
            break
    assert sorted(executed) == expected


def without_references(item: Item) -> Item:
    if isinstance(item, ChangeSet):
        return ChangeSet([plain(each) for each in item.operations()], id=item.id)
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
    return BatchResult(
        tuple(
            Outcome(operation=GET, response=answer, state=State.FAILED, reason="")
            for answer in answers
        )
    )


def throttled(**headers: str) -> OperationResponse:
    return OperationResponse(
        429, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_the_longest_delay_of_what_is_sent_again_counts() -> None:
    answers = [
        throttled(Retry_After="3"),
        throttled(),
        OperationResponse(503, {"Retry-After": "7.25"}),
        OperationResponse(400, {"Retry-After": "99"}),
    ]
    assert retry_after(results(*answers)) == 7.25
    assert retry_after(results(*answers), when=lambda outcome: outcome.status == 400) == 99.0


def test_nobody_may_say_when() -> None:
    assert retry_after(BatchResult(())) is None
    unanswered = Outcome(operation=GET, state=State.DEPENDENCY_FAILED, reason="", refusal=429)
    assert retry_after(BatchResult((unanswered,))) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30.0),
        ("Sun Nov  6 08:49:37 1994", 30.0),
        ("Wed Nov 16 08:49:07 1994", 864_000.0),
        ("Sun, 06 Nov 1994 08:49:60 GMT", 53.0),
        ("Sun, 06 Nov 1994 08:48:00 GMT", 0.0),
        # RFC 9110, 5.6.7: a year that seems to be more than 50 years ahead is in the past
        (
            "Sunday, 06-Nov-44 08:49:07 GMT",
            (datetime(2044, 11, 6) - datetime(1994, 11, 6)).days * 86400.0,
        ),
        ("Sunday, 06-Nov-45 08:49:07 GMT", 0.0),
    ],
)
def test_a_date_is_counted_from_now(value: str, expected: float) -> None:
    assert retry_after(results(throttled(Retry_After=value)), now=NOW) == expected


def test_now_may_be_in_any_time_zone() -> None:
    now = NOW.astimezone(timezone(timedelta(hours=-7)))
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert retry_after(results(throttled(Retry_After=date)), now=now) == 30.0


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "-1", "1e3", "0x10", "1" * 19, ".5", "\u0661"),
        *("Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT", "06 Nov 1994 08:49 GMT"),
        *("Wed, 30 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT"),
        *("Sun, 06 Nov 1994 08:49:61 GMT", "Fri, 31 Dec 9999 23:59:60 GMT"),
        *("Sun, 06 Nov 0000 08:49:37 GMT",),
    ],
)
def test_what_is_neither_number_nor_date_is_passed_over(value: str) -> None:
    assert retry_after(results(throttled(Retry_After=value))) is None
    answers = results(throttled(Retry_After=value), throttled(Retry_After="2"))
    assert retry_after(answers, now=NOW) == 2.0


def test_a_date_is_counted_from_the_date_of_its_response() -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    dated = throttled(Retry_After=date, Date="Sunday, 06-Nov-94 08:49:07 GMT")
    assert retry_after(results(dated)) == 30.0


@pytest.mark.parametrize("headers", [{}, {"Date": "today"}])
def test_a_date_needs_another_one(headers: dict[str, str]) -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    with pytest.raises(ValueError, match=rf"^Retry-After is the date '{date}'; pass now to count"):
        retry_after(results(throttled(Retry_After=date, **headers)))


def test_now_has_a_time_zone() -> None:
    with pytest.raises(ValueError, match=r"^now has no time zone$"):
        retry_after(results(), now=datetime(1994, 11, 6))


@pytest.mark.parametrize("most", [1.5, True, "2"])
def test_a_number_of_operations_is_an_int(most: object) -> None:
    with pytest.raises(TypeError, match=f"max_operations is an int, not {type(most).__name__}"):
        split(BatchRequest([]), max_operations=most)  # type: ignore[arg-type]  # wrong on purpose


def test_results_are_a_result_or_a_mapping() -> None:
    with pytest.raises(TypeError, match="results is a BatchResult or a mapping, not list"):
        remaining(BatchRequest([]), [])  # type: ignore[arg-type]  # wrong on purpose


def test_what_binds_to_nothing_or_to_itself_keeps_nothing_together() -> None:
    posts = [
        Operation.post("A", json={"X@odata.bind": "$9"}, id="1"),
        Operation.post("B", json={"X@odata.bind": "$2"}, id="2"),
    ]
    assert len(split(BatchRequest(posts), max_operations=1)) == 2


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
