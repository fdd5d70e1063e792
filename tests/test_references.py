"""References of operations, and what depends on what in a batch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import BatchRequest, ChangeSet, Operation, Reference, find_references
from odata_batch._graph.expressions import bindings_in
from odata_batch._graph.names import Edge, Names
from odata_batch.dialects import ODATA_2, ODATA_4_01

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"


# -- the references of one operation ---------------------------------------------------------------


def about(case: Mapping[str, Any]) -> str:
    return str(case["about"])


@pytest.mark.parametrize(
    "case", json.loads((CORPUS / "urls.json").read_bytes())["references"], ids=about
)
def test_the_corpus_of_references(case: Mapping[str, Any]) -> None:
    operation = Operation(
        "POST",
        case["url"],
        [(name, value) for name, value in case.get("headers", ())],
        case.get("body", "").encode(),
        condition=case.get("condition"),
    )
    found = find_references(operation)
    assert [[each.id, each.place] for each in found] == case["references"]


def test_a_reference_says_what_it_was_found_in() -> None:
    operation = Operation(
        "PATCH",
        "$1/Orders?$filter=A eq -$2%2FB",
        {"If-Match": ' $3, "a"', "Content-Type": "application/json"},
        b'["$4/C"]',
        condition="$5/$succeeded",
    )
    assert find_references(operation) == (
        Reference(id="1", place="url", text="$1"),
        Reference(id="2", place="query", text="$2/B"),
        Reference(id="3", place="if-match", text="$3"),
        Reference(id="5", place="condition", text="$5/$succeeded"),
        Reference(id="4", place="body", text="$4/C"),
    )


def test_an_operation_without_dollar_signs_has_no_references() -> None:
    assert find_references(Operation.post("People", json={"Name": "Ann"})) == ()


def test_every_field_of_a_name_may_refer() -> None:
    operation = Operation.get("A", headers=[("If-Match", "$1"), ("if-match", "$2")])
    assert [found.id for found in find_references(operation)] == ["1", "2"]


def test_a_dialect_says_what_refers() -> None:
    rooted = replace(ODATA_4_01, references="rooted")
    none = replace(ODATA_4_01, references="none")
    operation = Operation.get("/service/$1/Orders")
    assert find_references(operation) == ()
    assert find_references(operation, dialect=rooted) == (
        Reference(id="1", place="url", text="$1"),
    )
    assert find_references(Operation.get("$1"), dialect=none) == ()


def test_names_that_are_taken_depend_on_the_version() -> None:
    operation = Operation.post("$entity/Orders", body=b'["$all"]')
    assert find_references(operation) == ()
    assert find_references(operation, dialect=ODATA_2) == (
        Reference(id="entity", place="url", text="$entity"),
        Reference(id="all", place="body", text="$all"),
    )


def test_a_media_type_that_cannot_be_read_is_not_json() -> None:
    operation = Operation.post("A", headers={"Content-Type": "json"}, body=b'["$1"]')
    assert find_references(operation) == ()


@given(st.text(alphabet="$1/'\" ,()=&?#%24é-"), st.binary())
def test_any_operation_has_references_or_none(text: str, body: bytes) -> None:
    headers = {"If-Match": text.replace("é", "")}
    operation = Operation("POST", text, headers, b'["$1"' + body, condition=text)
    assert all(found.id for found in find_references(operation))


# -- what depends on what --------------------------------------------------------------------------


def get(url: str = "A", *depends_on: str, id: str | None = None, **more: str) -> Operation:
    """Return an operation; `more` may be a condition or, as `if_match`, a field."""
    headers = {"If-Match": more["if_match"]} if "if_match" in more else {}
    condition = more.get("condition")
    return Operation("GET", url, headers, id=id, depends_on=depends_on, condition=condition)


def ends(batch: BatchRequest) -> list[tuple[int, str, str, int | None]]:
    found = Names(batch.items)
    return [(edge.source, edge.name, edge.place, edge.target) for edge in found.edges]


def test_nodes_are_operations_and_change_sets() -> None:
    one, two, three, four = get(id="1"), get(id="2"), get(id="3"), get("B", "2", "g", id="4")
    batch = BatchRequest([one, ChangeSet([two, three], id="g"), four])
    found = Names(batch.items)
    assert found.operations == [one, two, three, four]
    assert found.item_of == [0, 1, 1, 2]
    assert found.edges == (
        Edge(source=3, name="2", place="depends_on", target=1),
        Edge(source=3, name="g", place="depends_on", target=5),
    )


def test_every_reference_is_an_edge() -> None:
    batch = BatchRequest(
        [
            *(get(id=str(number)) for number in range(5)),
            get("$0/A?$filter=B eq $1/B", "2", if_match="$3", condition="$4/$succeeded"),
        ]
    )
    assert ends(batch) == [
        (5, "2", "depends_on", 2),
        (5, "0", "url", 0),
        (5, "1", "query", 1),
        (5, "3", "if-match", 3),
        (5, "4", "condition", 4),
    ]


def test_what_must_refer_to_something_does_so_to_nothing() -> None:
    batch = BatchRequest([get("$8/A?b=$7", "9", if_match="$6", condition="$5")])
    assert ends(batch) == [(0, "9", "depends_on", None), (0, "8", "url", None)]


def test_strings_in_bodies_are_no_edges() -> None:
    batch = BatchRequest([get(id="1"), Operation.post("A", json={"Price": "$1"})])
    assert ends(batch) == []


def test_names_that_are_repeated_make_one_edge_for_each_place() -> None:
    batch = BatchRequest([get(id="1"), get("$1?a=$1&b=$1", "1", "1", if_match="$1, $1")])
    assert ends(batch) == [
        (1, "1", "depends_on", 0),
        (1, "1", "url", 0),
        (1, "1", "query", 0),
        (1, "1", "if-match", 0),
    ]


def test_a_name_is_looked_for_in_the_same_change_set_first() -> None:
    batch = BatchRequest(
        [
            ChangeSet([get(id="1"), get("$1")]),
            ChangeSet([get(id="1"), get("$1")]),
            ChangeSet([get("$1"), get(id="1"), get(id="1")]),
            get("$1"),
        ]
    )
    assert ends(batch) == [
        (1, "1", "url", 0),
        (3, "1", "url", 2),
        (4, "1", "url", 5),
        (7, "1", "url", 0),
    ]


def test_dependencies_and_conditions_may_name_a_change_set() -> None:
    batch = BatchRequest([ChangeSet([get(id="1")], id="g"), get("A", "g", condition="$g")])
    assert ends(batch) == [(1, "g", "depends_on", 2), (1, "g", "condition", 2)]


def test_a_url_does_not_refer_to_a_change_set() -> None:
    batch = BatchRequest([ChangeSet([get(id="1")], id="g"), get("$g/A")])
    assert ends(batch) == [(1, "g", "url", None)]


def test_the_case_of_identifiers_matters_unless_the_dialect_says_otherwise() -> None:
    operations = (ChangeSet([get(id="A")], id="G"), get("$a", "A", "g"))
    batch = BatchRequest(operations)
    assert ends(batch) == [
        (1, "A", "depends_on", 0),
        (1, "g", "depends_on", None),
        (1, "a", "url", None),
    ]
    dialect = replace(ODATA_4_01, ids_ignore_case=True)
    found = Names(batch.items, dialect=dialect)
    assert [edge.target for edge in found.edges] == [0, 2, 0]


def test_a_dialect_says_what_is_an_edge() -> None:
    batch = BatchRequest([get(id="1"), get("/service/$1/A"), get("$1")])
    rooted = replace(ODATA_4_01, references="rooted")
    found = Names(batch.items, dialect=rooted)
    assert [(edge.source, edge.target) for edge in found.edges] == [(1, 0), (2, 0)]
    none = replace(ODATA_4_01, references="none")
    assert Names(batch.items, dialect=none).edges == ()


# -- order -----------------------------------------------------------------------------------------


def order(*items: Operation | ChangeSet) -> tuple[int, ...]:
    return Names(items).order()


def cycles(*items: Operation | ChangeSet) -> tuple[tuple[int, ...], ...]:
    return Names(items).cycles()


def forward(found: Names) -> list[Edge]:
    """Return the edges to what comes later, which no batch may have."""
    return [
        edge
        for edge in found.edges
        if edge.target is not None
        and (
            edge.source < edge.target < len(found.operations)
            or found.item_of[edge.source] < found.item(edge.target)
        )
    ]


def test_an_empty_batch_has_an_empty_order() -> None:
    assert (order(), cycles()) == ((), ())
    assert (order(ChangeSet([])), cycles(ChangeSet([]))) == ((), ())


def test_what_is_in_order_stays_in_order() -> None:
    assert order(get(id="1"), get(), get("$1"), get("A", "1", id="2"), get("$2")) == (0, 1, 2, 3, 4)


def test_what_is_needed_is_moved_to_the_front() -> None:
    assert order(get(id="0"), get("A", "3"), get(id="2"), get("A", "4", id="3"), get(id="4")) == (
        *(0, 4, 3, 1, 2),
    )


def test_change_sets_stay_whole() -> None:
    batch = (get("A", "3"), get(), ChangeSet([get(id="2"), get(id="3")]), get())
    assert order(*batch) == (2, 3, 0, 1, 4)


def test_what_depends_on_a_change_set_comes_after_it() -> None:
    assert order(get("A", "g"), ChangeSet([get("B", "2"), get(id="2")], id="g")) == (2, 1, 0)


def test_what_depends_on_an_empty_change_set_is_in_the_order() -> None:
    assert order(get("A", "g"), ChangeSet([], id="g")) == (0,)


def test_operations_of_nested_change_sets_are_those_of_the_outermost() -> None:
    deep = ChangeSet([get("$2"), ChangeSet([get("$1", id="2")]), get(id="1")])
    found = Names([get("$1"), deep])
    assert found.item_of == [0, 1, 1, 1]
    assert found.order() == (3, 2, 1, 0)
    assert found.cycles() == ()


def test_a_circle_of_operations_is_returned_from_the_first_on() -> None:
    items = (get("A", "3", id="1"), get("A", "1", id="2"), get("A", "2", id="3"), get("A", "1"))
    assert cycles(*items) == ((0, 2, 1),)
    assert order(*items) == (0, 1, 2, 3)


def test_a_chain_is_no_circle() -> None:
    assert cycles(get(id="1"), get("A", "1", id="2"), get("A", "1", "2")) == ()


def test_an_operation_that_depends_on_itself_is_a_circle() -> None:
    assert cycles(get(), get("$1", id="1")) == ((1,),)


def test_an_operation_that_depends_on_its_own_change_set_is_a_circle() -> None:
    assert cycles(ChangeSet([get(), get("A", "g")], id="g")) == ((1,),)


def test_circles_may_stay_within_a_change_set() -> None:
    items = (ChangeSet([get("$2", id="1"), get("$1", id="2"), get("$1")]), get())
    assert cycles(*items) == ((0, 1),)
    assert order(*items) == (0, 1, 2, 3)


def test_circles_may_pass_through_a_change_set_as_a_whole() -> None:
    items = (ChangeSet([get(id="1"), get("$x", id="2")], id="g"), get("$1", id="x"))
    assert cycles(*items) == ((1, 2),)
    assert order(*items) == (0, 1, 2)


def test_circles_may_pass_through_the_name_of_a_change_set() -> None:
    items = (get("A", "g", id="x"), ChangeSet([get(), get("$x")], id="g"))
    assert cycles(*items) == ((0, 2),)


def test_one_of_the_circles_that_meet_is_returned() -> None:
    items = (get("A", "2", "3", id="1"), get("A", "1", id="2"), get("A", "1", id="3"))
    assert cycles(*items) == ((0, 1),)


def test_circles_that_do_not_meet_are_all_returned() -> None:
    assert cycles(
        get("A", "4", id="1"), get("A", "3", id="2"), get("A", "2", id="3"), get("A", "1", id="4")
    ) == ((0, 3), (1, 2))


def test_a_circle_may_be_entered_in_its_middle() -> None:
    # From the first operation of a knot the walk may lead to a circle that does not hold it.
    items = (
        get("A", "2", id="1"),
        get("A", "3", id="2"),
        get("A", "2", "1", id="3"),
    )
    assert cycles(*items) == ((1, 2),)


NAMES = [str(number) for number in range(6)] + ["g0", "g1", "g2"]


@st.composite
def batches(draw: st.DrawFn) -> BatchRequest:
    names = st.lists(st.sampled_from(NAMES), max_size=2)
    ids = iter(draw(st.permutations(NAMES[:6])))
    items: list[Operation | ChangeSet] = []
    for index, size in enumerate(draw(st.lists(st.integers(0, 3), max_size=3))):
        members = [get("A", *draw(names), id=next(ids, None)) for _ in range(size or 1)]
        items.append(ChangeSet(members, id=f"g{index}") if size else members[0])
    return BatchRequest(items)


def successors(found: Names, item_edges: bool) -> dict[int, set[int]]:
    """Who depends on whom, written down as the definition has it: of items, or within them."""
    size = len(found.operations)
    result: dict[int, set[int]] = {}
    for edge in found.edges:
        if edge.target is None:
            continue
        item = found.item_of[edge.source]
        other = found.item_of[edge.target] if edge.target < size else edge.target - size
        if item_edges and item != other:
            result.setdefault(item, set()).add(other)
        elif not item_edges and item == other:
            target = edge.target if edge.target < size else edge.source
            result.setdefault(edge.source, set()).add(target)
    return result


def reached(start: int, targets: Mapping[int, set[int]]) -> set[int]:
    seen: set[int] = set()
    todo = [start]
    while todo:
        for target in targets.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def comes_after(order: Iterable[int], targets: Mapping[int, set[int]]) -> bool:
    places = {node: place for place, node in enumerate(order)}
    return all(
        places[node] > places[target] or node in reached(target, targets)
        for node, all_targets in targets.items()
        for target in all_targets
        if node in places and target in places
    )


@given(batches())
def test_an_order_keeps_what_it_promises(batch: BatchRequest) -> None:
    found = Names(batch.items)
    operations = found.order()
    assert sorted(operations) == list(range(len(found.operations)))
    items = list(dict.fromkeys(found.item_of[index] for index in operations))
    assert [found.item_of[index] for index in operations] == [
        item for item in items for other in found.item_of if other == item
    ]
    assert comes_after(operations, successors(found, item_edges=False))
    assert comes_after(items, successors(found, item_edges=True))
    if not forward(found):
        assert operations == tuple(range(len(found.operations)))


@given(batches())
def test_there_is_a_circle_exactly_if_something_depends_on_itself(batch: BatchRequest) -> None:
    found = Names(batch.items)
    within, between = successors(found, item_edges=False), successors(found, item_edges=True)
    knots = [each for each in within if each in reached(each, within)]
    knots += [each for each in between if each in reached(each, between)]
    circles = found.cycles()
    assert bool(circles) is bool(knots)
    for circle in circles:
        assert circle[0] == min(circle) and len(set(circle)) == len(circle)
        for source, target in zip(circle, (*circle[1:], circle[0]), strict=True):
            item, other = found.item_of[source], found.item_of[target]
            assert target in within.get(source, ()) if item == other else other in between[item]


# -- size ------------------------------------------------------------------------------------------


def test_ten_thousand_operations_may_depend_in_a_chain() -> None:
    count = 10_000
    chain = [get("A", str(number - 1), id=str(number)) for number in range(count)]
    found = Names(chain)
    assert len(found.edges) == count
    assert found.order() == tuple(range(count))
    assert (found.cycles(), forward(found)) == ((), [])


def test_ten_thousand_operations_may_depend_in_a_chain_backwards() -> None:
    count = 10_000
    chain = [get("A", str(number + 1), id=str(number)) for number in range(count)]
    found = Names(chain)
    assert found.order() == tuple(reversed(range(count)))
    assert (found.cycles(), len(forward(found))) == ((), count - 1)


@pytest.mark.parametrize("is_group", [False, True])
def test_ten_thousand_operations_may_depend_in_a_circle(is_group: bool) -> None:
    count = 10_000
    circle = [get("A", str((number + 1) % count), id=str(number)) for number in range(count)]
    items = [ChangeSet(circle)] if is_group else circle
    found = Names(items)
    assert found.cycles() == (tuple(range(count)),)
    assert found.order() == tuple(range(count))


def test_ten_thousand_operations_may_depend_on_one() -> None:
    count = 10_000
    batch = BatchRequest([get(id="1"), *(get("$1") for _ in range(count))])
    found = Names(batch.items)
    assert found.order() == tuple(range(count + 1))


def test_one_operation_may_depend_on_ten_thousand() -> None:
    count = 10_000
    names = [str(number) for number in range(count)]
    batch = BatchRequest([get("A", *names), *(get(id=name) for name in names)])
    found = Names(batch.items)
    assert found.order() == (*range(1, count + 1), 0)
    assert (found.cycles(), len(forward(found))) == ((), count)


def test_change_sets_may_nest_deeper_than_the_stack() -> None:
    item = ChangeSet([get("$1", id="2")])
    for _ in range(10_000):
        item = ChangeSet([item])
    found = Names([get(id="1"), item])
    assert found.order() == (0, 1)


def test_bindings_are_looked_for_in_json_alone() -> None:
    body = b'{"Customer@odata.bind":"$1"}'
    assert list(bindings_in(Operation.post("a", body=body))) == ["1"]
    assert (
        list(bindings_in(Operation.post("a", headers={"Content-Type": "text/plain"}, body=body)))
        == []
    )
    assert list(bindings_in(Operation.get("a"))) == []
