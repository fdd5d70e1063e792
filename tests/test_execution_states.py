"""`Execution` as a state machine: whatever order things come back in, and whatever fails.

The machine knows the batch and notes what it was handed and what it answered. Each note is held
against the rules at once. Conditions cannot be evaluated, or something is raised into whoever
evaluates them; responses are what no batch can carry; the whole may be abandoned at any time. At
the end the answer is encoded and read strictly, and `match` has to come to the same result as the
notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from odata_batch import (
    BatchRequest,
    Begin,
    ChangeSet,
    Commit,
    Execution,
    Headers,
    Operation,
    OperationResponse,
    Rollback,
    State,
    Step,
    decode_response,
    match,
)

from .helpers import Format

Ready: TypeAlias = Step | Begin | Commit | Rollback

ROOT = "http://host/service/"
CONDITIONS = (None, None, None, "yes", "no", "odd", "moody")
FORMATS: st.SearchStrategy[Format] = st.sampled_from(("multipart", "json"))
STATUSES = st.sampled_from((200, 201, 404, 201, 204, 304, 200, 500, 202))
HOSTS = ("http://a@host", "http://host:b", "http://host%", "http://h ost", "http://[::1", "host")


class Cancelled(BaseException):
    """What a framework raises into whoever waits."""


def spoiled(response: OperationResponse, how: int) -> tuple[OperationResponse, frozenset[str]]:
    """Return a response that cannot be carried as it is, and the formats in which it cannot."""
    pairs = response.headers.pairs
    typed = (*pairs, ("Content-Type", "application/json"))
    has_body = response.status not in (204, 304)
    both = frozenset(("multipart", "json"))
    if how == 1:
        return replace(response, headers=Headers((*pairs, ("X", "a\r\n--b--")))), both
    if how == 2:
        cookies = (("Set-Cookie", "a"), ("Set-Cookie", "b"))
        return replace(response, headers=Headers((*pairs, *cookies))), frozenset(("json",))
    if how == 3:
        bad = frozenset(("json",)) if has_body else both
        return replace(response, headers=Headers(typed), body=b"NaN"), bad
    if how == 4:
        return replace(response, reason="Fine\n"), frozenset(("multipart",))
    if how == 5:
        fields = (*typed, ("Content-Length", "1"))
        bad = frozenset(("multipart",)) if has_body else both
        return replace(response, headers=Headers(fields), body=b"{}"), bad
    return response, frozenset()


@st.composite
def requests(draw: st.DrawFn, format: Format) -> BatchRequest:
    """Give batches in which each operation may depend on and refer to those before it."""
    items: list[Operation | ChangeSet] = []
    ids: list[str] = []
    groups: list[str] = []

    def operation(member: bool) -> Operation:
        id = str(len(ids) + 1)
        before = draw(st.sampled_from(ids)) if ids and draw(st.integers(0, 3)) == 0 else None
        names = [*ids, *groups]
        wanted = st.lists(st.sampled_from(names), max_size=2) if names else st.just([])
        url = f"A({id})" if before is None else f"${before}/B({id})"
        dependent = format == "json" and draw(st.booleans())
        made = Operation(
            "POST" if member else draw(st.sampled_from(("GET", "POST"))),
            url,
            id=id,
            depends_on=draw(wanted) if dependent else (),
            condition=draw(st.sampled_from(CONDITIONS)) if dependent else None,
        )
        ids.append(id)
        return made

    # How many members each item has; 0 is an operation outside of change sets.
    for size in draw(st.lists(st.sampled_from((3, 0, 2, 0, 4, 1)), min_size=2, max_size=6)):
        if size == 0:
            items.append(operation(member=False))
        else:
            name = f"g{len(items)}"
            members = [operation(member=True) for _ in range(size)]
            items.append(ChangeSet(members, id=name if format == "json" else None))
            groups.append(name)
    return BatchRequest(items, continue_on_error=draw(st.sampled_from((False, None, True))))


class Running(RuleBasedStateMachine):
    """A batch that is run by somebody who takes any time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.request = BatchRequest([])
        self.format: Format = "multipart"
        self.response_format: Format = "multipart"
        self.ordered: bool | None = None
        self.evaluates = False
        self.execution = Execution(self.request, batch_url=f"{ROOT}$batch")
        self.in_flight: list[Ready] = []
        self.past: list[Ready] = []
        self.handed_out: set[int] = set()
        self.signals: set[tuple[str, int]] = set()
        self.answers: dict[int, OperationResponse] = {}
        self.urls: dict[str, str] = {}
        self.open_groups: set[int] = set()
        self.committed: set[int] = set()
        self.over: set[int] = set()
        self.stopped = False
        self.moods = 0
        self.abandoned = False
        self.lost: set[int] = set()
        self.never_begun: set[int] = set()

    @initialize(
        data=st.data(),
        format=FORMATS,
        response_format=FORMATS,
        ordered=st.sampled_from((False, None, False, True)),
        evaluates=st.booleans(),
        moods=st.integers(0, 3),
        host=st.sampled_from(HOSTS),
    )
    def begin(
        self,
        data: st.DataObject,
        format: Format,
        response_format: Format,
        ordered: bool | None,
        evaluates: bool,
        moods: int,
        host: str,
    ) -> None:
        self.request = data.draw(requests(format))
        self.format, self.response_format = format, response_format
        self.ordered, self.evaluates = ordered, evaluates

        def make(batch_url: str) -> Execution:
            return Execution(
                self.request,
                batch_url=batch_url,
                format=format,
                response_format=response_format,
                ordered=ordered,
                evaluate=self.evaluate if evaluates else None,
            )

        with pytest.raises(ValueError):
            make(f"{host}/service/$batch")
        self.execution = make(f"{ROOT}$batch")
        self.moods = moods

    def evaluate(self, condition: str, results: Mapping[str, OperationResponse]) -> bool:
        if condition == "odd":
            raise ValueError(condition)
        if condition == "moody" and self.moods:
            self.moods -= 1
            raise Cancelled
        return condition != "no"

    # -- what the machine does --

    @precondition(lambda self: not self.execution.finished)
    @rule()
    def fetch(self) -> None:
        try:
            handed_out = self.execution.ready()
        except Cancelled:
            return
        assert not (self.abandoned and handed_out)
        for ready in handed_out:
            if isinstance(ready, Step):
                self.note_step(ready)
            else:
                self.note_signal(ready)
            self.in_flight.append(ready)
        assert self.execution.finished or self.in_flight, "nobody can go on"

    @precondition(lambda self: self.in_flight)
    @rule(
        data=st.data(),
        status=STATUSES,
        fails=st.integers(0, 5).map(lambda n: n == 0),
        how=st.integers(0, 12),
    )
    def answer(self, data: st.DataObject, status: int, fails: bool, how: int) -> None:
        index = data.draw(st.integers(0, len(self.in_flight) - 1))
        self.obey(self.in_flight.pop(index), status, fails, how)

    def obey(self, ready: Ready, status: int, fails: bool, how: int) -> None:
        self.past.append(ready)
        try:
            if isinstance(ready, Step):
                self.complete(ready, status, how)
            else:
                self.settle(ready, fails)
        except Cancelled:
            pass  # it was taken note of all the same

    def complete(self, step: Step, status: int, how: int) -> None:
        if status == 202 and step.group is None:
            status = 200  # what 202 means there is another matter
        fields = {"Location": f"L({step.index})"} if status == 201 else {}
        plain = OperationResponse(status, fields)
        response, formats = spoiled(plain, how)
        answer = plain
        if self.response_format in formats or status == 202:
            if step.group is not None or step.method == "GET" or status >= 400:
                answer = OperationResponse(500)
        self.answers[step.index] = answer
        if step.operation.id is not None:
            self.urls[step.operation.id] = self.location(step, answer)
        self.stopped |= answer.status >= 400 and step.group is None and self.stops
        self.execution.complete(step, response)

    def settle(self, signal: Begin | Commit | Rollback, fails: bool) -> None:
        failed = fails or isinstance(signal, Rollback)
        if fails and isinstance(signal, Begin):
            self.never_begun.add(signal.group)
        if failed and not isinstance(signal, Commit):
            self.over.add(signal.group)
            self.open_groups.discard(signal.group)
            self.stopped |= self.stops
        elif isinstance(signal, Begin):
            self.open_groups.add(signal.group)
        elif not failed:
            self.over.add(signal.group)
            self.open_groups.discard(signal.group)
            self.committed.add(signal.group)
        if fails:
            self.execution.fail(signal, OperationResponse(503, {"Retry-After": "1\n"}))
        else:
            self.execution.done(signal)

    @precondition(lambda self: not (self.execution.finished or self.abandoned))
    @rule(really=st.integers(0, 7).map(lambda n: n == 0))
    def abandon(self, really: bool) -> None:
        if not really:
            return
        self.abandoned = self.stopped = True
        given_up = [each for each in self.in_flight if not isinstance(each, Rollback)]
        self.past += given_up
        self.never_begun |= {each.group for each in given_up if isinstance(each, Begin)}
        self.lost = {n.index for n in given_up if isinstance(n, Step) and n.group is None}
        self.in_flight = [each for each in self.in_flight if isinstance(each, Rollback)]
        rolling = {each.group for each in self.in_flight if isinstance(each, Rollback)}
        rollbacks = self.execution.abandon()
        assert {each.group for each in rollbacks} == self.open_groups - rolling
        for rollback in rollbacks:
            self.note_signal(rollback)
            self.in_flight.append(rollback)
        assert self.execution.ready() == self.execution.abandon() == ()

    @precondition(lambda self: self.execution.finished)
    @rule()
    def stay_finished(self) -> None:
        assert self.execution.ready() == ()
        assert self.execution.response() == self.execution.response()

    # -- what the machine knows --

    @property
    def stops(self) -> bool:
        wanted = self.request.continue_on_error
        return self.format == "multipart" if wanted is None else not wanted

    @staticmethod
    def location(step: Step, response: OperationResponse) -> str:
        if "location" in response.headers:
            return step.url.rpartition("/")[0] + "/" + response.headers["location"]
        return step.url if step.method == "GET" else ""

    def members(self, group: int) -> list[int]:
        """The indexes of the operations of a change set."""
        sizes = [len(BatchRequest([item]).operations()) for item in self.request.items]
        return list(range(sum(sizes[:group]), sum(sizes[: group + 1])))

    def group_of(self, index: int) -> int | None:
        for number, item in enumerate(self.request.items):
            if index in self.members(number):
                return number if isinstance(item, ChangeSet) else None
        raise AssertionError(f"there is no operation {index}")

    def is_well(self, name: str, group: int | None) -> bool:
        """Whether what depends on the name may run, seen from within a group."""
        for number, item in enumerate(self.request.items):
            if isinstance(item, ChangeSet) and item.id == name:
                return number in self.committed
        (index,) = [n for n, each in enumerate(self.request.operations()) if each.id == name]
        other = self.group_of(index)
        committed = other is None or other == group or other in self.committed
        return committed and index in self.answers and self.answers[index].ok

    def note_step(self, step: Step) -> None:
        assert step.index not in self.handed_out, "handed out twice"
        self.handed_out.add(step.index)
        assert step.operation is self.request.operations()[step.index]
        assert step.group == self.group_of(step.index)
        if step.group is None:
            assert not self.stopped, "started after a stop"
        else:
            assert step.group in self.open_groups, "not within its transaction"
            answers = [self.answers[n] for n in self.members(step.group) if n in self.answers]
            assert all(each.status < 400 for each in answers), "run after a failure"
        operation = step.operation
        if operation.condition is None:
            assert all(self.is_well(name, step.group) for name in operation.depends_on)
        else:
            assert self.evaluates and operation.condition in ("yes", "moody")
        if operation.url.startswith("$"):
            name, _, rest = operation.url[1:].partition("/")
            assert self.is_well(name, step.group)
            assert step.url == f"{self.urls[name]}/{rest}"
        else:
            assert step.url == ROOT + operation.url

    def note_signal(self, signal: Begin | Commit | Rollback) -> None:
        kind = (type(signal).__name__, signal.group)
        assert kind not in self.signals, "handed out twice"
        self.signals.add(kind)
        assert signal.change_set is self.request.items[signal.group]
        members = self.members(signal.group)
        running = [each.index for each in self.in_flight if isinstance(each, Step)]
        assert not set(members) & set(running)
        answered = [self.answers[n].status for n in members if n in self.answers]
        if isinstance(signal, Begin):
            assert not answered and not self.stopped
        else:
            assert signal.group in self.open_groups
        if isinstance(signal, Commit):
            assert len(answered) == len(members) and max(answered) < 400

    # -- what holds at any time, and in the end --

    @invariant()
    def what_must_come_one_by_one_does(self) -> None:
        steps = [each for each in self.in_flight if isinstance(each, Step)]
        if self.ordered or (self.format == "multipart" and (self.stops or self.ordered is None)):
            assert len(steps) <= 1 or self.ordered is False
            assert len(self.in_flight) <= 1 or {each.group for each in steps} == {steps[0].group}
        if self.ordered is not False:
            groups = [each.group for each in steps if each.group is not None]
            assert len(groups) == len(set(groups))

    @invariant()
    def finished_means_that_nothing_is_left(self) -> None:
        if self.execution.finished:
            assert not self.in_flight and not self.open_groups
        else:
            with pytest.raises(RuntimeError):
                self.execution.response()

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        for ready in self.past[-3:]:
            with pytest.raises(RuntimeError):
                if isinstance(ready, Step):
                    self.execution.complete(ready, OperationResponse(200))
                else:
                    self.execution.done(ready)

    def teardown(self) -> None:
        rounds = 0
        while not self.execution.finished:
            self.fetch()
            while self.in_flight:
                self.obey(self.in_flight.pop(), 200, False, 0)
            rounds += 1
            assert rounds < 100, "it comes to no end"
        self.finished_means_that_nothing_is_left()
        self.check_response()

    def check_response(self) -> None:
        """Hold what a client makes of the answer against what was done."""
        payload = self.execution.payload()
        response = decode_response(
            payload.body, payload.content_type, headers=payload.headers, strict=True
        )
        result = match(self.request, response, format=self.format)
        for index, outcome in enumerate(result.outcomes):
            group = self.group_of(index)
            note = f"operation {index} is {outcome.state}: {outcome.reason}"
            if group is None:
                succeeded = index in self.answers and self.answers[index].status < 400
            else:
                succeeded = group in self.committed
                answer = outcome.response
                assert succeeded or answer is None or answer.status >= 400, note
            assert outcome.state is not State.PENDING, note
            if index in self.lost or (self.lost and outcome.state is State.UNKNOWN):
                assert outcome.state is State.UNKNOWN, note
                continue
            assert (outcome.state is State.SUCCEEDED) == succeeded, note
            if outcome.state is State.UNKNOWN:
                # A JSON batch that stopped may have left out what comes before something executed.
                assert self.format == "json", note
            if outcome.state in (State.NOT_EXECUTED, State.UNKNOWN):
                assert self.stops and index not in self.handed_out, note
            if group is None and index in self.answers and outcome.response is not None:
                assert outcome.response.status == self.answers[index].status, note
        ids = [each.id for each in response.responses() if each.id is not None]
        assert len(ids) == len(set(ids)), "answered twice"
        rolled_back = {group for kind, group in self.signals if kind == "Rollback"}
        begun = {each.group for each in self.past if isinstance(each, Begin)}
        assert rolled_back.isdisjoint(self.committed), "ended twice"
        assert rolled_back | self.committed == begun - self.never_begun, "left open"


TestRunning = Running.TestCase
# What is left after these steps, the end brings about without failures.
TestRunning.settings = settings(stateful_step_count=25)
