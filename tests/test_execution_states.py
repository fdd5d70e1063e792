"""`_execution` as a state machine: whatever order things come back in, and whatever fails.

The machine knows the batch and notes what it was handed and what it answered. Each note is held
against the rules at once; at the end `match` has to come to the same result as the notes.
"""

from __future__ import annotations

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
    Operation,
    OperationResponse,
    Rollback,
    State,
    Step,
    match,
)

from .helpers import Format

Ready: TypeAlias = Step | Begin | Commit | Rollback

ROOT = "http://host/service/"
FORMATS: st.SearchStrategy[Format] = st.sampled_from(("multipart", "json"))
STATUSES = st.sampled_from((200, 201, 404, 201, 204, 304, 200, 500))


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
            condition=draw(st.sampled_from((None, None, "yes", "no"))) if dependent else None,
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

    @initialize(
        data=st.data(),
        format=FORMATS,
        response_format=FORMATS,
        ordered=st.sampled_from((False, None, False, True)),
        evaluates=st.booleans(),
    )
    def begin(
        self,
        data: st.DataObject,
        format: Format,
        response_format: Format,
        ordered: bool | None,
        evaluates: bool,
    ) -> None:
        self.request = data.draw(requests(format))
        self.format, self.response_format = format, response_format
        self.ordered, self.evaluates = ordered, evaluates
        self.execution = Execution(
            self.request,
            batch_url=f"{ROOT}$batch",
            format=format,
            response_format=response_format,
            ordered=ordered,
            evaluate=(lambda condition, results: condition == "yes") if evaluates else None,
        )

    # -- what the machine does --

    @precondition(lambda self: not self.execution.finished)
    @rule()
    def fetch(self) -> None:
        for ready in self.execution.ready():
            if isinstance(ready, Step):
                self.note_step(ready)
            else:
                self.note_signal(ready)
            self.in_flight.append(ready)
        assert self.execution.ready() == ()
        assert self.execution.finished or self.in_flight, "nobody can go on"

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), status=STATUSES, fails=st.integers(0, 5).map(lambda n: n == 0))
    def answer(self, data: st.DataObject, status: int, fails: bool) -> None:
        index = data.draw(st.integers(0, len(self.in_flight) - 1))
        self.obey(self.in_flight.pop(index), status, fails)

    def obey(self, ready: Ready, status: int, fails: bool) -> None:
        self.past.append(ready)
        if isinstance(ready, Step):
            fields = {"Location": f"L({ready.index})"} if status == 201 else {}
            response = OperationResponse(status, fields)
            self.answers[ready.index] = response
            if ready.operation.id is not None:
                self.urls[ready.operation.id] = self.location(ready, response)
            self.stopped |= status >= 400 and ready.group is None and self.stops
            self.execution.complete(ready, response)
            return
        failed = fails or isinstance(ready, Rollback)
        if failed and not isinstance(ready, Commit):
            self.over.add(ready.group)
            self.open_groups.discard(ready.group)
            self.stopped |= self.stops
        elif isinstance(ready, Begin):
            self.open_groups.add(ready.group)
        elif not failed:
            self.over.add(ready.group)
            self.open_groups.discard(ready.group)
            self.committed.add(ready.group)
        if fails:
            self.execution.fail(ready, OperationResponse(503))
        else:
            self.execution.done(ready)

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
            assert self.evaluates and operation.condition == "yes"
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
        for ready in self.past[-1:]:
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
                self.obey(self.in_flight.pop(), 200, False)
            rounds += 1
            assert rounds < 100, "it comes to no end"
        self.finished_means_that_nothing_is_left()
        self.check_response()

    def check_response(self) -> None:
        response = self.execution.response()
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
            assert (outcome.state is State.SUCCEEDED) == succeeded, note
            assert outcome.state is not State.PENDING, note
            if outcome.state is State.UNKNOWN:
                # A JSON batch that stopped may have left out what stands before something executed.
                assert self.format == "json", note
            if outcome.state in (State.NOT_EXECUTED, State.UNKNOWN):
                assert self.stops and index not in self.handed_out, note
            if group is None and index in self.answers and outcome.response is not None:
                assert outcome.response.status == self.answers[index].status, note
        ids = [each.id for each in response.responses() if each.id is not None]
        assert len(ids) == len(set(ids)), "answered twice"


TestRunning = Running.TestCase
# What is left after these steps, the end brings about without failures.
TestRunning.settings = settings(stateful_step_count=25)
