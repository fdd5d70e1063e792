"""Outcomes against a model service, which knows what it really did.

The model runs a generated batch in its head: every operation is applied, fails, is rolled back, is
never run, or is left for later. Then it answers as services do, in either format and in any of the
shapes of a failed change set, and on the way the answer may be damaged. What `match` makes of the
answer is compared with what was done. Only damage that can be noticed is done: where neither
identifiers nor the number of parts would tell, no reader can, and the model abstains.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    BatchResult,
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    State,
    Unreadable,
    match,
    prepare,
)
from odata_batch.dialects import ODATA_2, ODATA_4_01, Dialect
from odata_batch.strategies import batch_requests, batch_responses

from .helpers import FORMATS, Format

Item = OperationResponse | ChangeSetResponse

MONITOR = {"Location": "monitor"}
UNORDERED = replace(ODATA_4_01, name="No groups", atomicity_groups=False, ids_ignore_case=True)
BOTH = frozenset(FORMATS)
DIALECTS_OF_VALUES = (ODATA_4_01, ODATA_4_01, replace(ODATA_2, formats=BOTH), UNORDERED)


class Fate(Enum):
    """What the model did with an operation."""

    APPLIED = "applied"
    FAILED = "failed"
    ROLLED_BACK = "rolled back, for another member of its change set failed"
    DEPENDENT = "not tried, for what it depends on failed"
    NOT_RUN = "not run, for the batch had stopped"
    LATER = "accepted, not done yet"


NOT_APPLIED = {Fate.FAILED, Fate.ROLLED_BACK, Fate.DEPENDENT, Fate.NOT_RUN}
# What the states claim about the operation.
CLAIMS = {
    State.SUCCEEDED: {Fate.APPLIED},
    State.FAILED: {Fate.FAILED},
    State.ROLLED_BACK: NOT_APPLIED,
    State.DEPENDENCY_FAILED: NOT_APPLIED,
    State.NOT_EXECUTED: {Fate.NOT_RUN},
    State.PENDING: set(Fate),
    State.UNKNOWN: set(Fate),
}
# What an answer that is not damaged tells; a culprit that is not named counts as rolled back.
TOLD = {
    **{Fate.APPLIED: State.SUCCEEDED, Fate.FAILED: State.FAILED, Fate.LATER: State.PENDING},
    **{Fate.ROLLED_BACK: State.ROLLED_BACK, Fate.DEPENDENT: State.DEPENDENCY_FAILED},
    Fate.NOT_RUN: State.NOT_EXECUTED,
}
ANSWERS = {
    **{Fate.APPLIED: (200, 202, 204, 304), Fate.FAILED: (400, 503)},
    **{Fate.DEPENDENT: (424,), Fate.LATER: (202,)},
}


@dataclass(kw_only=True, slots=True)
class Item_:
    """One item of the request, what became of its operations, and how it was answered."""

    is_set: bool
    ids: list[str | None]
    """The identifiers that responses echo."""
    fates: list[Fate] = field(default_factory=list)
    answer: list[Item] = field(default_factory=list)
    """The items of the response that are about it."""
    identified: bool = True
    """Whether every response about it has an identifier of its own."""
    culprit_named: bool = True


@dataclass(kw_only=True, frozen=True, slots=True)
class Exchange:
    """A batch, its answer, and the truth."""

    request: BatchRequest
    response: BatchResponse
    format: Format
    answers_in: Format
    dialect: Dialect
    fates: tuple[Fate, ...]
    culprits_named: tuple[bool, ...]
    taken_apart: bool
    damage: str

    def match(self) -> BatchResult:
        return match(self.request, self.response, format=self.format, dialect=self.dialect)


@st.composite
def requests(draw: st.DrawFn, format: Format) -> BatchRequest:
    """Give batches whose top-level operations may have no identifiers in multipart."""
    sizes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=5))
    with_ids = format == "json" or draw(st.sampled_from((True, True, False)))
    names = iter(range(1, 99))
    items: list[Operation | ChangeSet] = []
    for number, size in enumerate(sizes):
        if size == 0:
            items.append(Operation.get("People", id=f"r{next(names)}" if with_ids else None))
        else:
            members = [Operation.delete("People", id=f"r{next(names)}") for _ in range(size)]
            items.append(ChangeSet(members, id=f"g{number}" if format == "json" else None))
    return BatchRequest(items, continue_on_error=draw(st.sampled_from((None, True, False))))


INDEXED = (
    b'{"odata.error":{"message":{"lang":"en","value":"%d:No."}}}',
    b'<m:error xmlns:m="m"><m:message xml:lang="en">%d:No.</m:message>',
)


class Service:
    """Executes the items of one batch in their order."""

    def __init__(self, draw: st.DrawFn, format: Format, dialect: Dialect) -> None:
        self.draw = draw
        self.format = format
        self.dialect = dialect
        self.answers_in: Format = draw(st.sampled_from(FORMATS))
        # Only in multipart, or where a dialect says so, a response may be told by its place alone.
        in_order = self.answers_in == "multipart" or dialect.json_responses_in_order
        may_be_nameless = format == self.answers_in and in_order
        self.echoes = not may_be_nameless or draw(st.sampled_from((True, True, False)))
        # Multipart answers to JSON are flat if they have the identifiers that they should have.
        self.flat = format == "json" and self.answers_in == "multipart" and self.echoes
        self.stops = False
        self.stopped = False
        self.leaves_at = draw(st.sampled_from((99, 99, 99, 99, 99, 0, 1, 2, 3)))
        """The item from which on the rest is left for later."""
        self.left = False
        """Whether the rest is left for later."""
        self.ends_with_202 = False
        self.next_link: str | None = None
        self.failures = 0

    def execute(self, request: BatchRequest) -> list[Item_]:
        in_multipart = self.format == "multipart"
        goes_on = request.continue_on_error if self.dialect.continue_on_error else None
        by_default = self.dialect.json_stops_on_error
        by_default = self.dialect.multipart_stops_on_error if in_multipart else by_default
        self.stops = by_default if goes_on is None else not goes_on
        done: list[Item_] = []
        for item in prepare(request, format=self.format).items:
            members = item.operations() if isinstance(item, ChangeSet) else (item,)
            ids = [member.id if self.echoes else None for member in members]
            one = Item_(is_set=isinstance(item, ChangeSet), ids=ids)
            if len(done) == self.leaves_at and not self.stopped:
                self.leave(one)
            self.decide(one, item.id)
            failed = Fate.FAILED in one.fates
            self.failures += failed
            self.stopped = self.stopped or (self.stops and failed)
            one.identified = one.identified and None not in (
                leaf.id for each in one.answer for leaf in leaves(each)
            )
            done.append(one)
        return done

    def decide(self, one: Item_, name: str | None) -> None:
        if self.stopped or self.left:
            one.fates = [Fate.NOT_RUN if self.stopped else Fate.LATER] * len(one.ids)
        elif one.is_set and self.dialect.atomicity_groups:
            self.run_together(one, name)
        else:
            self.run_each(one, name)

    def leave(self, one: Item_) -> None:
        """Answer with an interim result."""
        if self.answers_in == "multipart" and self.format == "json" and not self.echoes:
            return  # Without identifiers nothing tells what this 202 is the answer to.
        self.left = True
        if self.answers_in == "multipart":
            self.ends_with_202 = True
            one.answer = [OperationResponse(202, MONITOR)]
        else:
            self.next_link = "next"

    def run_each(self, one: Item_, name: str | None) -> None:
        """Run operations that are executed by themselves."""
        fates = [Fate.APPLIED, Fate.APPLIED, Fate.FAILED]
        fates += [Fate.DEPENDENT] if self.format == "json" and self.failures else []
        one.fates = [self.draw(st.sampled_from(fates)) for _ in one.ids]
        if not one.is_set and one.fates == [Fate.APPLIED] and self.draw(st.booleans()):
            one.fates = [Fate.LATER]
        self.answer_each(one, name)

    def run_together(self, one: Item_, name: str | None) -> None:
        """Run a change set, all or nothing."""
        size = len(one.ids)
        if self.draw(st.booleans()):
            one.fates = [Fate.APPLIED] * size
            self.answer_each(one, name)
            return
        culprit = self.draw(st.integers(0, size - 1))
        one.fates = [Fate.ROLLED_BACK] * size
        one.fates[culprit] = Fate.FAILED
        shapes = [self.in_place, self.nested, self.each_mixed]
        if self.answers_in == "json" or self.flat:
            shapes = [self.each_mixed]
            if self.echoes:
                shapes += [self.in_place]
        self.draw(st.sampled_from(shapes))(one, culprit, name)

    def in_place(self, one: Item_, culprit: int, name: str | None) -> None:
        """The standard's shape: one response is to all."""
        id = one.ids[culprit] if self.draw(st.booleans()) else None
        if id is None and self.format == "json" and self.echoes:
            id = name
            one.identified = False
        elif id is None and self.answers_in == "json" and self.echoes:
            id = one.ids[culprit]
        one.culprit_named = len(one.ids) == 1 or (id is not None and id in one.ids)
        one.answer = [OperationResponse(400, id=id)]

    def nested(self, one: Item_, culprit: int, name: str | None) -> None:
        """A change set response with a single error, which may name the culprit by its index."""
        id = one.ids[culprit] if self.draw(st.booleans()) else None
        body = self.draw(st.sampled_from((b"", *(text % culprit for text in INDEXED))))
        one.culprit_named = bool(id or body) or len(one.ids) == 1
        one.answer = [ChangeSetResponse([OperationResponse(409, body=body, id=id)])]

    def each_mixed(self, one: Item_, culprit: int, name: str | None) -> None:
        """A response to each member, with whatever status it had before the change set failed."""
        self.answer_each(one, name, (201, 204, 424))

    def answer_each(
        self, one: Item_, name: str | None, of_rolled_back: tuple[int, ...] = (424,)
    ) -> None:
        responses = []
        for id, fate in zip(one.ids, one.fates, strict=True):
            status = self.draw(st.sampled_from(ANSWERS.get(fate, of_rolled_back)))
            headers = MONITOR if fate is Fate.LATER else {}
            responses.append(OperationResponse(status, headers, id=id))
        one.answer = [*responses]
        if one.is_set and not self.flat:
            if None not in one.ids:
                responses = self.draw(st.permutations(responses))
            group = name or f"invented-{one.ids[0]}" if self.answers_in == "json" else None
            one.answer = [ChangeSetResponse(responses, id=group)]


def leaves(item: Item | Unreadable) -> tuple[OperationResponse, ...]:
    assert not isinstance(item, Unreadable)
    return item.responses() if isinstance(item, ChangeSetResponse) else (item,)


@st.composite
def exchanges(
    draw: st.DrawFn, damaged: bool, dialects: tuple[Dialect, ...] = DIALECTS_OF_VALUES
) -> Exchange:
    dialect = draw(st.sampled_from(dialects))
    format: Format = draw(st.sampled_from([each for each in FORMATS if each in dialect.formats]))
    request = draw(requests(format))
    service = Service(draw, format, dialect)
    done = service.execute(request)
    items = [item for one in done for item in one.answer]
    flat: list[Item] = [leaf for item in items for leaf in leaves(item)]
    complete = sum(len(one.fates) for one in done) == len(flat) > len(done)
    taken_apart = not service.flat and complete and draw(st.booleans())
    if taken_apart:
        items = flat  # change sets taken apart, where it can be told from one part for each of them
    identified = all(one.identified for one in done) and not service.ends_with_202
    if format == "json" and service.echoes and not service.ends_with_202:
        items = draw(st.permutations(items))
    response = BatchResponse(items, next_link=service.next_link)
    damage = "none"
    if damaged:
        damage = draw(st.sampled_from(possible_damage(service, response, done, identified)))
        response = damage_done(draw, response, damage)
    return Exchange(
        request=request,
        response=response,
        format=format,
        answers_in=service.answers_in,
        dialect=dialect,
        fates=tuple(fate for one in done for fate in one.fates),
        culprits_named=tuple(one.culprit_named for one in done for _ in one.fates),
        taken_apart=taken_apart,
        damage=damage,
    )


def possible_damage(
    service: Service, response: BatchResponse, done: list[Item_], identified: bool
) -> list[str]:
    kinds = []
    nested = any(isinstance(item, ChangeSetResponse) for item in response.items)
    standard = len(response.items) <= len(done)
    if service.answers_in == "multipart" and service.format == "multipart":
        kinds += ["truncated"] if identified or standard else []
    if any(len(leaves(item)) > 1 for item in response.items):
        kinds += ["change set cut"]
    if identified and response.items:
        kinds += ["repeated", "renamed", "swapped"]
        # What a JSON batch that has stopped leaves out was not executed.
        kinds += [] if service.format == "json" and service.stops else ["lost"]
    if not (service.stops or service.left) and (nested or standard) and response.items:
        kinds += ["lost"]
    return kinds or ["none", "void"]


def damage_done(draw: st.DrawFn, response: BatchResponse, damage: str) -> BatchResponse:
    items = list(response.items)
    if damage == "none":
        return response
    if damage == "void":
        return BatchResponse(())
    if damage == "truncated":
        return BatchResponse(items[: draw(st.integers(0, len(items)))], truncated=True)
    places = range(len(items))
    if damage == "change set cut":
        place = draw(st.sampled_from([at for at in places if len(leaves(items[at])) > 1]))
        inner = leaves(items[place])
        kept = inner[: draw(st.integers(0, len(inner) - 1))]
        items[place] = ChangeSetResponse(kept, id=items[place].id)
        return replace(response, items=tuple(items))
    place, other = draw(st.sampled_from(places)), draw(st.sampled_from(places))
    if damage == "lost":
        del items[place]
    elif damage == "repeated":
        items.insert(draw(st.integers(0, len(items))), items[place])
    elif damage == "swapped":
        items[place], items[other] = items[other], items[place]
    else:  # the first response within gets an identifier that was not sent
        item = items[place]
        first, *others = leaves(item)
        renamed = replace(first, id="stranger")
        is_set = isinstance(item, ChangeSetResponse)
        items[place] = ChangeSetResponse([renamed, *others], id=item.id) if is_set else renamed
    return replace(response, items=tuple(items))


def check_claims(exchange: Exchange, result: BatchResult) -> None:
    assert len(result) == len(exchange.fates)
    for outcome, operation, fate in zip(
        result, exchange.request.operations(), exchange.fates, strict=True
    ):
        assert outcome.operation is operation
        assert fate in CLAIMS[outcome.state], (outcome, fate)
        assert outcome.reason
    successes = {id for id, status in result.statuses.items() if status < 400 and status != 202}
    fates = zip(result, exchange.fates, strict=True)
    assert successes <= {outcome.id for outcome, fate in fates if fate is Fate.APPLIED}
    assert not result.ok or set(exchange.fates) <= {Fate.APPLIED}


@given(exchanges(damaged=False))
def test_a_sound_answer_tells_what_was_done(exchange: Exchange) -> None:
    check_told(exchange, exchange.match())


def check_told(exchange: Exchange, result: BatchResult) -> None:
    """Every outcome is known, and it is what happened."""
    check_claims(exchange, result)
    is_repeated = any(one == other for one, other in pairwise(exchange.response.items))
    for outcome, fate, named in zip(result, exchange.fates, exchange.culprits_named, strict=True):
        told = {TOLD[fate] if named or fate is not Fate.FAILED else State.ROLLED_BACK}
        if exchange.taken_apart and told == {State.ROLLED_BACK}:
            # A service that does that may not execute change sets as one.
            told = {State.UNKNOWN, State.ROLLED_BACK}
        if exchange.taken_apart and not exchange.dialect.flat_responses and is_repeated:
            # Not as the standard has it; and without the repetition it may be.
            told |= {State.UNKNOWN}
        if outcome.response is not None and outcome.response.status == 424:
            # In a change set, 424 may also be the answer to what another member took down.
            told = {State.DEPENDENCY_FAILED} | (told & {State.ROLLED_BACK})
        assert outcome.state in told, (outcome, fate)
    assert result.ok is (set(exchange.fates) <= {Fate.APPLIED})


@given(exchanges(damaged=True))
def test_a_damaged_answer_claims_nothing_that_was_not_done(exchange: Exchange) -> None:
    check_claims(exchange, exchange.match())


@given(exchanges(damaged=False), st.sampled_from((None, 200, 302, 400, 404, 408, 413, 500)))
def test_without_an_answer_nothing_succeeds(exchange: Exchange, status: int | None) -> None:
    result = match(exchange.request, None, format=exchange.format, status=status)
    refused = status in (400, 404, 413)
    assert {outcome.state for outcome in result} == {State.FAILED if refused else State.UNKNOWN}


IN_FORMATS: st.SearchStrategy[Format] = st.sampled_from(FORMATS)
DIALECTS = st.sampled_from((ODATA_4_01, ODATA_2, UNORDERED))


@given(IN_FORMATS, IN_FORMATS, DIALECTS, st.data())
def test_nothing_succeeds_by_an_answer_to_something_else(
    format: Format, other: Format, dialect: Dialect, data: st.DataObject
) -> None:
    request = data.draw(batch_requests(format))
    response = data.draw(batch_responses(other))
    response = replace(response, truncated=data.draw(st.booleans()))
    check_accounts(request, response, match(request, response, format=format, dialect=dialect))


# Few names, so that they meet often, in values that no encoder would take.
NAMES = st.sampled_from((None, "1", "2", "A", "a"))
OPERATIONS = st.builds(Operation.delete, st.just("People"), id=NAMES)
STATUSES = st.sampled_from((100, 200, 202, 304, 400, 424, 503, 600))
RESPONSES = st.builds(OperationResponse, STATUSES, st.sampled_from(({}, MONITOR)), id=NAMES)
SETS = st.recursive(
    OPERATIONS, lambda inner: st.builds(ChangeSet, st.lists(inner, max_size=3), id=NAMES)
)
SET_RESPONSES = st.recursive(
    RESPONSES, lambda inner: st.builds(ChangeSetResponse, st.lists(inner, max_size=3), id=NAMES)
)


@given(
    st.builds(
        BatchRequest, st.lists(SETS, max_size=4), continue_on_error=st.none() | st.booleans()
    ),
    st.builds(
        BatchResponse,
        st.lists(SET_RESPONSES, max_size=6),
        next_link=st.sampled_from((None, None, "next")),
        truncated=st.booleans(),
    ),
    IN_FORMATS,
    DIALECTS,
    st.sampled_from((None, 200, 400)),
)
def test_nothing_succeeds_by_an_answer_that_makes_no_sense(
    request: BatchRequest,
    response: BatchResponse,
    format: Format,
    dialect: Dialect,
    status: int | None,
) -> None:
    result = match(request, response, format=format, dialect=dialect, status=status)
    check_accounts(request, response, result)
    if dialect.atomicity_groups:
        check_change_sets(request, result)


def check_accounts(request: BatchRequest, response: BatchResponse, result: BatchResult) -> None:
    """Every success is by a success in the response, which is that of no other operation."""
    assert [outcome.operation for outcome in result] == list(request.operations())
    successes = {id(each) for each in response.responses() if 200 <= each.status < 400}
    succeeded = [id(each.response) for each in result if each.state is State.SUCCEEDED]
    assert len(set(succeeded)) == len(succeeded)
    assert successes.issuperset(succeeded)
    assert all(outcome.reason for outcome in result)
    assert all(outcome.matched_by for outcome in result if outcome.response is not None)


def check_change_sets(request: BatchRequest, result: BatchResult) -> None:
    """A change set succeeds as a whole or not at all."""
    outcomes = iter(result)
    for item in request.items:
        if isinstance(item, ChangeSet):
            states = {next(outcomes).state for _ in item.operations()}
            assert len(states) <= 1 or State.SUCCEEDED not in states
            failed = {State.FAILED, State.ROLLED_BACK, State.DEPENDENCY_FAILED}
            assert states <= failed or not states & failed
        else:
            next(outcomes)
