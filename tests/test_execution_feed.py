"""An `Execution` that is fed and drained answers as one that has the whole batch."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Begin,
    ChangeSet,
    ChangeSetResponse,
    Commit,
    DecodeError,
    Execution,
    Limits,
    Operation,
    OperationResponse,
    ResponseEncoder,
    Rollback,
    Step,
    Unreadable,
    UnresolvedReference,
    decode_request,
    decode_response,
)
from odata_batch.dialects import GRAPH, PRESETS

from .batches import request
from .helpers import PROFILE, Format

EXAMPLES = {"quick": 5, "thorough": 10_000}.get(PROFILE, 10)  # of each of many cases
CASES = [
    (dialect, format, goes_on)
    for dialect in PRESETS
    for format in sorted(PRESETS[dialect].formats)
    for goes_on in (False, None, True)
]
WAYS = ("url", "etag", "query", "body", "after", "group", "if")


@st.composite
def batches(draw: st.DrawFn, format: str, hostile: bool) -> list[Any]:
    """Give items that refer to those before; if they are hostile, to others and to themselves."""
    items: list[Any] = []
    count = 0

    def operation(group: int | None) -> Operation | Unreadable:
        nonlocal count
        count += 1
        own, most = str(count), count + 2 if hostile else count - 1
        options: dict[str, Any] = {"id": own}
        url = f"A({own})"
        ways = draw(st.lists(st.sampled_from(WAYS), max_size=2)) if most else []
        for way in ways:
            name = str(draw(st.integers(1, most)))
            if way == "url":
                url = f"${name}/B({own})"
            elif way == "etag":
                options["headers"] = {"If-Match": f"${name}"}
            elif way == "query":
                url = f"{url.partition('?')[0]}?$filter=C eq ${name}/C".replace(" ", "%20")
            elif way == "body":
                options["body"] = b'{"C@odata.bind":"$%s"}' % name.encode()
            elif format == "json" and way == "after":
                options["depends_on"] = (name,)
            elif format == "json" and way == "group" and group is not None and group > 0:
                options["depends_on"] = (f"g{draw(st.integers(0, group - 1))}",)
            elif format == "json" and way == "if":
                options |= {"depends_on": (name,), "condition": f"${name}/$succeeded"}
        if options.get("body"):
            options["headers"] = {**options.get("headers", {}), "Content-Type": "application/json"}
        odd = draw(st.integers(0, 30)) if hostile else 9
        if odd < 3:
            options["id"] = draw(st.sampled_from(("1", "2", "g0", "g1", "x y")))
        if odd == 3:
            url = "http://[" if draw(st.booleans()) else "A B"
        if odd == 4:
            return Unreadable(id=f"u{own}", kind="operation")
        if group is None and format == "multipart" and draw(st.booleans()):
            options["id"] = None
        method = "GET" if group is None and draw(st.booleans()) else "POST"
        if "body" in options:
            method = "POST"
        return Operation(method, url, **options)

    for size in draw(st.lists(st.sampled_from((1, 0, 0, 2, 0, 3)), min_size=1, max_size=8)):
        group = len(items)
        members = [operation(group) for _ in range(size)]
        name = f"g{draw(st.integers(0, group)) if hostile else group}" if format == "json" else None
        items.append(ChangeSet(members, id=name) if size else operation(None))
    return items


def answer(step: Step, moods: int) -> OperationResponse:
    """Return what the service answers, which the step alone decides."""
    mood = (sum(map(ord, step.url)) * 7 + moods) % 11
    if mood < 2:
        return OperationResponse(404)
    fields = {"Location": f"http://host/service/New({step.index})", "ETag": f'W/"{mood}"'}
    if mood % 3 == 0:
        return OperationResponse(204)
    fields["Content-Type"] = "application/json"
    return OperationResponse(200, fields, b'{"C":%d}' % mood)


def evaluate(condition: str, known: Mapping[str, OperationResponse]) -> bool:
    return sum(len(each.body) + each.status for each in known.values()) % 3 > 0


def locate(step: Step, response: OperationResponse) -> str:
    return f"{step.url}/{step.method}({len(response.body)})"


class Running:
    """A batch that is run in any order; how each step and signal ends is decided by itself."""

    def __init__(self, execution: Execution, moods: int, random: Random) -> None:
        self.execution, self.moods, self.random = execution, moods, random
        self.flying: list[Step | Begin | Commit | Rollback] = []
        self.open: set[int] = set()
        self.drained: list[OperationResponse | ChangeSetResponse | Unreadable] = []

    def go_on(self) -> bool:
        """Do something; tell whether there was anything to do."""
        if self.random.random() < 0.5:
            self.drained += self.execution.drain()
        self.flying += self.execution.ready()
        if not self.flying:
            return False
        work = self.random.choice(self.flying)
        if isinstance(work, Step) and work.group is not None:
            # Which operation of a change set fails first would be chance, too.
            work = next(each for each in self.flying if each.group == work.group)
        self.flying.remove(work)
        if isinstance(work, Step):
            self.execution.complete(work, answer(work, self.moods))
            return True
        if isinstance(work, Begin):
            assert work.group not in self.open
            self.open.add(work.group)
        elif isinstance(work, Rollback):
            self.open.remove(work.group)
        if (work.group + self.moods) % 7 == 0 and isinstance(work, Begin | Commit):
            self.execution.fail(work, OperationResponse(503))
            self.open -= {work.group} if isinstance(work, Begin) else set()
        else:
            self.execution.done(work)
            self.open -= {work.group} if isinstance(work, Commit) else set()
        return True

    def feed(self, items: Sequence[Any]) -> None:
        """Feed it these items, in pieces, and do something in between."""
        rest = [*items]
        while rest:
            number = self.random.randrange(1, len(rest) + 1)
            self.execution.feed(rest[:number])
            del rest[:number]
            while self.random.random() < 0.7 and self.go_on():
                pass

    def response(self) -> BatchResponse:
        """Run it to the end."""
        while self.go_on():
            pass
        assert self.execution.finished and not self.open
        return BatchResponse([*self.drained, *self.execution.response().items])


@pytest.mark.parametrize(("dialect", "format", "goes_on"), CASES)
@settings(max_examples=EXAMPLES)
@given(data=st.data(), random=st.randoms(use_true_random=True))
def test_what_is_fed_is_answered_as_a_whole_is(
    dialect: str, format: Format, goes_on: bool | None, data: st.DataObject, random: Random
) -> None:
    items = data.draw(batches(format, data.draw(st.booleans())))
    answered: Format = data.draw(st.sampled_from(("multipart", "json")))
    options: dict[str, Any] = {
        "batch_url": "http://host/service/$batch",
        "format": format,
        "dialect": PRESETS[dialect],
        "continue_on_error": goes_on,
        # Where a batch may stop and items run at the same time, it is chance what has begun.
        "ordered": data.draw(st.sampled_from((None, True, False))) if goes_on else True,
        "references": data.draw(st.sampled_from(("keep", "resolve"))),
        "response_format": answered,
        "evaluate": data.draw(st.sampled_from((None, evaluate))),
        "locate": data.draw(st.sampled_from((None, locate))),
    }
    moods = data.draw(st.integers(0, 10))
    first = random.randrange(len(items) + 1)
    fed = Running(Execution(BatchRequest(items[:first]), more=True, **options), moods, random)
    fed.feed(items[first:])
    assert not fed.execution.finished
    if data.draw(st.sampled_from((False, False, False, True))):
        fed.flying = [each for each in fed.flying if isinstance(each, Rollback)]
        fed.flying += fed.execution.abandon()
        fed.response()
        return
    fed.execution.feed_eof()
    response = fed.response()
    # Whatever comes of it can be written, one after the other.
    encoder, _ = fed.execution.encoder()
    body = b"".join([*map(encoder.send, response.items), encoder.close()])
    assert decode_response(body, encoder.headers["Content-Type"], dialect=PRESETS[dialect])
    try:
        whole = Execution(BatchRequest(items), **options)
    except DecodeError as error:
        if goes_on:
            said, _, _ = error.diagnostic.message.partition(": found")  # how many of all there are
            assert any(
                said in each.json()["error"]["message"]
                for each in response.responses()
                if each.status in (400, 413)
            )
    else:
        assert response == Running(whole, moods, random).response()


@pytest.mark.parametrize(
    ("options", "text", "statuses"),
    [
        ({"references": "resolve"}, "1: GET A; 1: GET B; 2: GET $1/C", [200, 400, 404]),
        ({}, "1: GET A; 2: GET B; 3: GET C; 4: GET D; 5: GET E", [200, 204, 200, 404, 413]),
        ({}, "1: GET A; 2: GET $3/B; 3: GET A after 2", [200, 400, 424]),
        ({"locate": locate}, "1: POST A; g{ 1: POST B; 2: POST $1/C }", [200, 400, 400]),
        ({}, "g{ 1: POST A }; g{ 3: POST A }; 4: GET B after g", [200, 400, 204]),
        (
            {"dialect": GRAPH},
            "g{ 1: POST A; 2: POST B after g }; 3: GET A after 2",
            [200, 204, 200],
        ),
        ({"continue_on_error": False}, "1: GET A; 1: GET B; 3: GET C", [200, 400]),
    ],
)
def test_what_a_batch_may_not_have_is_answered_in_its_place(
    options: dict[str, Any], text: str, statuses: list[int]
) -> None:
    url, limits = "http://host/service/$batch", Limits(operations=4)
    base: dict[str, Any] = {"continue_on_error": True, "batch_url": url, "format": "json"}
    execution = Execution(BatchRequest([]), more=True, limits=limits, **base | options)
    running = Running(execution, 2, Random(0))
    for item in request(text).items:
        execution.feed([item])
        while "continue_on_error" in options and running.go_on():
            pass
    execution.feed_eof()
    assert [each.status for each in running.response().responses()] == statuses


def test_nothing_waits_for_what_could_not_be_read_or_is_refused() -> None:
    url = "http://host/service/$batch"
    execution = Execution(BatchRequest([]), batch_url=url, format="json", dialect=GRAPH, more=True)
    one = Operation.get("A", id="2")
    lost = Unreadable(id="1", kind="operation")
    execution.feed([lost, one, one, replace(one, id="\ud800"), replace(one, id="3")])
    running = Running(execution, 2, Random(0))
    while running.go_on():
        pass
    drained = BatchResponse([*running.drained, *execution.drain()]).responses()
    assert [(each.id, each.ok) for each in drained] == [
        *(("1", False), ("2", True), (None, False), (None, False), ("3", True))
    ]


def test_what_was_drained_is_referred_to_by_its_name() -> None:
    url = "http://host/service/$batch"
    change_set = ChangeSet([Operation.post("A", id="1"), Operation.post("A")])
    execution = Execution(BatchRequest([change_set]), batch_url=url, format="json", more=True)
    running = Running(execution, 2, Random(0))
    while running.go_on():
        pass
    # No names are generated: others that come may have them.
    drained = BatchResponse([*running.drained, *execution.drain()])
    assert [each.id for each in drained.responses()] == ["1", None]
    assert execution.reference("$1") == "http://host/service/New(0)"
    with pytest.raises(UnresolvedReference, match="no request of the batch is named '2'"):
        execution.reference("$2")
    with pytest.raises(UnresolvedReference):  # its body is not kept
        execution.reference("$1/C")
    execution.feed([Operation.get("$1/B", id="2")])
    (step,) = execution.ready()
    assert isinstance(step, Step) and step.url == "http://host/service/New(0)/B"
    execution.complete(step, OperationResponse(204))
    execution.feed_eof()
    assert execution.finished
    assert [each.id for each in execution.response().responses()] == ["2"]
    for done in (execution, Execution(BatchRequest([]), batch_url=url)):
        with pytest.raises(RuntimeError, match="the batch is complete"):
            done.feed([])


def test_no_name_that_was_made_up_is_that_of_a_later_item() -> None:
    url, first = "http://host/$batch", BatchRequest([ChangeSet([Operation.post("A", id="x y")])])
    execution = Execution(first, batch_url=url, response_format="json", more=True)
    encoder, headers = execution.encoder()
    octets = b""
    for item in (Operation.get("B", id="g1"), Operation.get("C", id="g2")):
        while not (drained := execution.drain()):
            for work in execution.ready():
                if isinstance(work, Step):
                    execution.complete(work, OperationResponse(204))
                else:
                    execution.done(work)
        octets += encoder.send(drained[0])
        execution.feed([item])
    response = decode_response(octets + encoder.close(), headers["Content-Type"])
    assert [each.id for each in response.responses()] == ["x y", "g1"]


def test_a_group_may_depend_on_what_comes_within_it() -> None:
    requests = [
        {"id": "1", "method": "POST", "url": "A(1)", "atomicityGroup": "g"},
        {"id": "2", "method": "POST", "url": "A(2)"},
        {"id": "3", "method": "POST", "url": "A(3)", "atomicityGroup": "g", "dependsOn": ["2"]},
    ]
    batch = decode_request(json.dumps({"requests": requests}).encode(), "application/json")
    url = "http://host/service/$batch"
    whole = Running(Execution(batch, batch_url=url), 2, Random(0)).response()
    execution = Execution(BatchRequest([]), batch_url=url, format="json", more=True)
    fed = Running(execution, 2, Random(0))
    fed.feed(batch.items)
    assert not fed.drained  # what it waits for comes later
    fed.execution.feed_eof()
    assert fed.response() == whole and len(whole.items) == 2


def test_a_name_that_comes_later_matters_only_where_it_decides() -> None:
    items = [Operation.get("A?$filter=C%20eq%20$2/C"), Operation.get("$3/B", id="2")]
    batch, url = BatchRequest(items, continue_on_error=True), "http://host/service/$batch"
    fed = Running(Execution(batch, batch_url=url, more=True), 2, Random(0))
    assert fed.go_on() and not fed.go_on()  # the other waits for the end
    fed.execution.feed_eof()
    assert fed.response() == Running(Execution(batch, batch_url=url), 2, Random(0)).response()


def passed(number: int) -> int:
    """Return what is kept when a batch has been fed, run, drained and written, in octets."""
    limits = Limits(items=10**6, operations=10**6)
    url = "http://host/$batch"
    gc.collect()
    tracemalloc.start()
    try:
        execution = Execution(BatchRequest([]), batch_url=url, limits=limits, more=True)
        encoder = ResponseEncoder(limits=limits)
        for index in range(number):
            one = Operation.post(f"A({index})", json=index)
            execution.feed([one, ChangeSet([one])] if index % 2 else [one])
            while works := execution.ready():
                for work in works:
                    if isinstance(work, Step):
                        execution.complete(work, OperationResponse(200, {"ETag": '"1"'}))
                    else:
                        execution.done(work)
            for item in execution.drain():
                encoder.send(item)
        execution.feed_eof()
        assert execution.finished and encoder.close()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.untraced
def test_what_is_over_is_forgotten() -> None:
    passed(50)
    assert passed(800) <= passed(200) + 20_000
