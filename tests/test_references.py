"""References of operations, and what depends on what in a batch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    ChangeSet,
    DecodeError,
    Execution,
    Operation,
    OperationResponse,
    Reference,
    Step,
    convert_request,
    decode_request,
    find_references,
    split,
)
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01

from .batches import Case, cases, operation, read, request
from .helpers import JSON

LONG = 200_000
_Node = TypeVar("_Node", int, str)


# -- the references of one operation ---------------------------------------------------------------


def test_a_reference_says_what_it_was_found_in() -> None:
    operation = Operation(
        "PATCH",
        "$1/Orders?$filter=A eq -$2%2FB",
        {"If-None-Match": "$6", "If-Match": ' $3, "a"', "Content-Type": "application/json"},
        b'["$4/C"]',
        condition="$5/$succeeded",
    )
    assert find_references(operation) == (
        Reference(id="1", place="url", text="$1"),
        Reference(id="2", place="query", text="$2/B"),
        Reference(id="3", place="if-match", text="$3"),
        Reference(id="6", place="if-none-match", text="$6"),
        Reference(id="5", place="condition", text="$5/$succeeded"),
        Reference(id="4", place="body", text="$4/C"),
    )


def words(operation: Operation, **options: Any) -> str:
    """Return the places and texts of the references, in one line."""
    found = find_references(operation, **options)
    assert all(re.split("[/?#(]", each.text[1:])[0] == each.id for each in found)
    return " ".join(f"{each.place}:{each.text}" for each in found)


@cases("references")
def test_what_is_a_reference(case: Case) -> None:
    line, _, expected = case.text.partition(" =>")
    assert words(operation(line)).replace("\n", r"\n") == expected.strip()


def test_a_body_is_read_as_deep_and_as_long_as_there_is_need() -> None:
    def found(body: bytes) -> str:
        return words(Operation.post("A", body=body))

    assert found(b"[" * 100 + b'"$1"' + b"]" * 100) == "body:$1"
    assert found(b"[" + b"7" * 5000 + b', "$1"]') == "body:$1"
    assert found(b'["$1", "\xff"]') == found(b'\xef\xbb\xbf["$1"]') == ""
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        assert found(opening * LONG + b'"$1"' + closing * LONG) == ""
    # It is no JSON text: reading it would be an error, and is not tried.
    assert found(b'"a$' * (16 * 1024 * 1024 // 3)) == ""


def test_a_dialect_says_what_refers() -> None:
    body = b'["$root/A", "$it", "$all", "$metadata#A"]'
    taken = Operation("POST", "$entity/Orders", body=body, condition="$it/A")
    assert words(taken) == words(taken, dialect=ODATA_4_0) == ""
    assert words(taken, dialect=ODATA_2) == "url:$entity body:$root/A body:$it body:$all"
    later = Operation.get("/service/$1/Orders")
    assert words(later) == ""
    assert words(later, dialect=replace(ODATA_4_01, references="rooted")) == "url:$1"
    assert words(Operation.get("$1"), dialect=replace(ODATA_4_01, references="none")) == ""


@pytest.mark.untraced
def test_long_texts_are_read_in_linear_time() -> None:
    def found(place: str, text: str) -> int:
        url, headers = (text, "") if place == "url" else ("A", text)
        condition = text if place == "condition" else None
        return len(
            find_references(Operation("GET", url, {"If-Match": headers}, condition=condition))
        )

    for text in ("'$1'", '\\"$1', "$"):
        assert found("condition", text * LONG) == 0
    assert found("condition", "$1-" * LONG + "$") == 0
    assert found("condition", "$1 " * (LONG // 10)) == LONG // 10
    assert found("url", "?" + "a=$&" * LONG) == found("url", "?a=" + "%24%27" * LONG) == 0
    assert found("if-match", '"$1,' * LONG) == found("if-match", ",$ " * LONG) == 0
    body = b'["' + b"\\\\" * LONG + b'", "$1"]'
    assert words(Operation.post("A", body=body)) == "body:$1"


@given(st.text(alphabet="$1/'\" \\,()=&?#%274aé-"), st.binary())
def test_any_operation_has_references_or_none(text: str, body: bytes) -> None:
    headers = {"If-Match": text}
    operation = Operation("POST", f"?{text}", headers, b'["$1"' + body, condition=text)
    for each in find_references(operation):
        assert each.id and each.text.startswith(f"${each.id}")


VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["$1", "$2/a", "$metadata", "a$3", "$4 b", "\\"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["$5", "a", "b", "c"]), inner),
)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [each for inner in value.values() for each in strings(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in strings(inner)]
    return [value] if isinstance(value, str) else []


@given(VALUES)
def test_the_references_in_json_are_those_of_its_value(value: object) -> None:
    found = find_references(Operation.post("A", body=json.dumps(value).encode()))
    assert [each.text for each in found] == [it for it in strings(value) if it in ("$1", "$2/a")]


# -- what depends on what: it is sent in one piece -------------------------------------------------


@cases("pieces")
def test_pieces(case: Case) -> None:
    text, _, expected = case.text.partition(" => ")
    (format,) = case.formats
    pieces = split(request(text), max_operations=2, format=format, dialect=case.dialect)
    found = [" ".join(each.id or "" for each in piece.operations()) for piece in pieces]
    assert "; ".join(found) == expected


# -- order: only a group that was split on the wire is moved ---------------------------------------


def decoded(*lines: str) -> BatchRequest:
    """Return what these lines of a JSON batch are read as, in each an id, a group, dependencies."""
    requests = []
    for each in lines:
        id, group, *depends_on = each.split(" ")
        members = {"id": id, "method": "POST", "url": id, "headers": {}, "dependsOn": depends_on}
        requests.append(members if group == "-" else {**members, "atomicityGroup": group})
    return decode_request(json.dumps({"requests": requests}).encode(), JSON)


def executed(batch: BatchRequest) -> list[str]:
    """Return the ids in the order in which the operations are executed one after the other."""
    execution = Execution(batch, batch_url="http://h/$batch", format="json", ordered=True)
    found = []
    while not execution.finished:
        for step in execution.ready():
            if isinstance(step, Step):
                found.append(step.operation.id or "")
                execution.complete(step, OperationResponse(200))
            else:
                execution.done(step)
    return found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["1 -", "2 - 1", "3 -", "4 - 3 1"], "1 2 3 4"),
        (["1 g", "2 -", "3 g 2"], "2 1 3"),
        (["1 g", "2 -", "3 g 2", "4 - 2"], "2 1 3 4"),
        (["1 g", "2 - ", "3 - 2", "4 -", "5 g 3 1"], "2 3 1 5 4"),
        (["1 g", "2 h", "3 - ", "4 h 3", "5 g 4"], "3 2 4 1 5"),
        (["1 g", "2 g 1", "3 -", "4 - g"], "1 2 3 4"),
        (["1 g", "2 -", "3 - 2", "4 h 3", "5 g 4", "6 h 4", "7 - 5 6"], "2 3 4 6 1 5 7"),
        (["1 -", "2 g", "3 -", "4 g 3", "5 - 4 g 1"], "1 3 2 4 5"),
    ],
)
def test_what_is_needed_comes_first(lines: list[str], expected: str) -> None:
    batch = decoded(*(line.rstrip() for line in lines))
    assert " ".join(executed(batch)) == expected


def test_a_batch_without_operations_has_no_order() -> None:
    assert executed(BatchRequest([])) == executed(BatchRequest([ChangeSet([])])) == []


def reached(start: _Node, targets: Mapping[_Node, set[_Node]]) -> set[_Node]:
    """Return all that the node leads to."""
    seen: set[_Node] = set()
    todo = [start]
    while todo:
        for target in targets.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


@st.composite
def split_groups(draw: st.DrawFn) -> list[tuple[str, str, list[str]]]:
    """Return id, group and dependencies of requests that depend on earlier ones alone."""
    ids = [str(number) for number in range(draw(st.integers(1, 7)))]
    names = [
        draw(st.lists(st.sampled_from(ids[:it]), max_size=2)) if it else []
        for it in range(len(ids))
    ]
    return [
        (id, draw(st.sampled_from("--gh")), needed) for id, needed in zip(ids, names, strict=True)
    ]


@given(split_groups())
def test_an_order_keeps_what_it_promises(requests: list[tuple[str, str, list[str]]]) -> None:
    lines = [" ".join([id, group, *needed]) for id, group, needed in requests]
    unit_of = {id: id if group == "-" else group for id, group, _ in requests}
    between: dict[str, set[str]] = {unit: set() for unit in unit_of.values()}
    for id, _, needed in requests:
        between[unit_of[id]] |= {unit_of[other] for other in needed} - {unit_of[id]}
    if any(unit in reached(unit, between) for unit in between):
        with pytest.raises(DecodeError, match="depends-on-cycle"):
            decoded(*lines)
        return
    batch = decoded(*lines)
    found = executed(batch)
    assert sorted(found) == [id for id, _, _ in requests]
    for id, _, needed in requests:
        assert all(found.index(id) > found.index(other) for other in needed)
    units = list(dict.fromkeys(unit_of[id] for id in found))
    assert [unit_of[id] for id in found] == [
        it for it in units for other in unit_of.values() if it == other
    ]
    collected = list(between)
    if all(collected.index(other) < collected.index(it) for it in between for other in between[it]):
        assert units == collected
    converted, _ = convert_request(batch, source="json", target="multipart")
    assert [each.url for each in converted.operations()] == found


# -- circles ---------------------------------------------------------------------------------------

NAMES = [str(number) for number in range(6)] + ["g0", "g1", "g2"]


@st.composite
def batches(draw: st.DrawFn) -> BatchRequest:
    names = st.lists(st.sampled_from(NAMES), max_size=2)
    ids = iter(draw(st.permutations(NAMES[:6])))
    items: list[Operation | ChangeSet] = []
    for index, size in enumerate(draw(st.lists(st.integers(0, 3), max_size=3))):
        members = [
            Operation.get("A", id=next(ids, f"x{index}{each}"), depends_on=draw(names))
            for each in range(size or 1)
        ]
        items.append(ChangeSet(members, id=f"g{index}") if size else members[0])
    return BatchRequest(items)


@given(batches())
def test_there_is_a_circle_exactly_if_something_depends_on_itself(batch: BatchRequest) -> None:
    items = [item.operations() if isinstance(item, ChangeSet) else (item,) for item in batch.items]
    operations = batch.operations()
    item_of = [index for index, members in enumerate(items) for _ in members]
    index_of = {each.id: index for index, each in enumerate(operations)}
    groups = {
        item.id: index for index, item in enumerate(batch.items) if isinstance(item, ChangeSet)
    }
    within: dict[int, set[int]] = {}
    between: dict[int, set[int]] = {}
    leads_to: dict[int, set[int]] = {}
    for source, each in enumerate(operations):
        for name in each.depends_on:
            other = groups.get(name, item_of[index_of[name]] if name in index_of else None)
            if other is not None and other != item_of[source]:
                between.setdefault(item_of[source], set()).add(other)
                leads_to.setdefault(source, set()).add(other)
            elif name in index_of and index_of[name] != source:
                within.setdefault(source, set()).add(index_of[name])
    knots = any(each in reached(each, graph) for graph in (within, between) for each in graph)
    circles = [each for each in read(batch, "json") if each.startswith("depends-on-cycle")]
    assert bool(circles) is knots
    for circle in circles:
        first, *others = re.findall("'(.+?)'", circle)
        indexes = [index_of[first], *(index_of[each] for each in others)]
        assert indexes[0] == min(indexes) == indexes[-1]
        assert len(set(indexes)) == len(indexes) - 1 > 1
        for source, target in pairwise(indexes):
            if item_of[source] == item_of[target]:
                assert target in within[source]
            else:
                assert item_of[target] in leads_to[source]
