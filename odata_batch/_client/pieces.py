"""A batch in pieces that a service takes: what each says when it is sent, and what came of it.

Where too much belongs together for `split`, it is cut here: what refers to an earlier piece waits
for its answer, and then has the Location in place of the reference (OData Protocol, 11.7.4), or the
ETag. References in queries, conditions and bodies are never rewritten, so that they keep operations
together; so does a change set. All work is linear in the number of operations, references and
dependencies, except for pieces that are halved because they have too many octets.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, pairwise
from typing import NamedTuple

from odata_batch._checks import services
from odata_batch._client import plan
from odata_batch._client.outcomes import VERBS, Answer, Outcome, State
from odata_batch._client.repeating import SAFE
from odata_batch._coding.settings import Settings
from odata_batch._coding.writing import RequestEncoder, encode
from odata_batch._graph.expressions import ETAG_FIELDS, KNOWN_BY_URL
from odata_batch._graph.names import Edge, Names
from odata_batch._graph.urls import location_of, resolve_url
from odata_batch._model import findings, values
from odata_batch._model.values import BatchRequest, Format, Operation

# The rules that a batch may break although its pieces do not, and those for their halves.
_TOO_LONG = frozenset((services.PAYLOAD_TOO_LARGE, findings.LIMIT_EXCEEDED))
_MENDED = _TOO_LONG | {
    services.TOO_MANY_OPERATIONS,
    services.TOO_MANY_CHANGE_SETS,
    services.QUERY_NOT_ALONE,
    services.ENTITY_TWICE,
    services.DEPENDENCIES_MIXED,
}
_REWRITTEN = ETAG_FIELDS | {"url", "depends_on"}
_FIRST_INDEX = re.compile(r"items\[([0-9]+)\]")
_ANSWERED = frozenset((State.SUCCEEDED, State.PENDING))
# What has not been applied for its own reasons, or may have been
_OWN = frozenset((State.FAILED, State.UNKNOWN, State.PENDING, State.SUCCEEDED))


@dataclass(slots=True, eq=False)
class Piece:
    """Operations that are sent together, by their indexes; places are counted in the piece."""

    indexes: list[int]
    delay: float = 0.0
    batch: BatchRequest = field(default_factory=lambda: BatchRequest(()))
    """What was sent."""
    outcomes: list[Outcome] = field(default_factory=list)
    answer: Answer | None = None
    """What was answered, with the rest of it as far as that has come."""
    follows: int = 0
    """How many parts of the answer are yet to come."""
    settled: dict[int, Outcome] = field(default_factory=dict)
    """What became of operations about which the answer will say no more."""
    pending: frozenset[int] = frozenset()
    fruitless: int = 0
    """How often in succession a rest of the answer left as much pending as before."""
    is_unsent: bool = False
    """Whether nothing of it reached the service."""


@dataclass(slots=True, eq=False)
class Follow:
    """The rest of the answer to a piece, and where it will be."""

    piece: Piece
    places: list[int]
    """The operations of the piece that it is about."""
    url: str
    response: values.OperationResponse | None
    """The response that represents it in the answer, if there is one."""
    is_alone: bool
    """Whether that is about one operation, so that the rest may be the response to it."""
    asked: int = 0
    """How often the service was asked and had nothing yet."""
    delay: float = 0.0
    failures: int = 0
    """How often asking brought no progress."""


class Written(NamedTuple):
    """A piece as it is sent now."""

    batch: BatchRequest
    indexes: list[int]
    """The operations that are in it."""
    dropped: dict[int, tuple[State, str]]
    """The operations that cannot be in it, what becomes of them, and why."""


class _Unmet(findings.UnresolvedReference):
    """An operation needs another one that has not succeeded."""


class Pieces:
    """A batch and its pieces; operations are known by their indexes in the batch."""

    def __init__(self, settings: Settings, batch: BatchRequest, url: str) -> None:
        """Take a batch that is prepared, and the absolute URL that it is sent to."""
        self._settings, self._batch, self._url = settings, batch, url
        self._somewhere = resolve_url("0", url)
        answer = values.OperationResponse(201, {"ETag": '"1"', "Location": self._somewhere})
        known = Outcome(operation=Operation("GET", ""), state=State.SUCCEEDED, reason="")
        self._done = replace(known, response=answer)
        """An operation that has succeeded, whatever it is."""
        self.names = Names(batch.items, dialect=settings.dialect)
        self._needs = plan.needs(self.names)
        edges = chain.from_iterable(self._needs)
        self._referred = {node for edge, node in edges if edge.place == "url"}
        self._locations: dict[int, str] = {}
        """The absolute URLs that replace references to operations."""
        self._is_one = False
        """Whether the batch is sent as it is."""
        self._payload: values.Payload | None = None
        """The payload of the batch, until it is asked for."""

    def needed(self, indexes: Sequence[int]) -> Iterator[int]:
        """Yield the operations that these need."""
        for index in indexes:
            for _, node in self._needs[index]:
                yield from self._operations_of(node)

    def _operations_of(self, node: int) -> Sequence[int]:
        return self.names.members[~node] if node < 0 else (node,)

    # -- a piece as it is sent --

    def encode(self, batch: BatchRequest) -> values.Payload:
        """Return the payload of a piece."""
        if batch is self._batch and self._payload is not None:
            payload, self._payload = self._payload, None
            return payload
        return encode(RequestEncoder, self._settings, batch, None)

    def write(self, indexes: Sequence[int], outcomes: Sequence[Outcome]) -> Written:
        """Return what these operations say, given what has become of all of them."""
        names = self.names
        if self._is_one and len(indexes) == len(names.operations):
            return Written(self._batch, [*indexes], {})
        inside = {*indexes, *(~names.item_of[index] for index in indexes)}
        before = {index: (it, ~names.item_of[it]) for it, index in pairwise(indexes)}
        dropped: dict[int, tuple[State, str]] = {}
        written = Written(self._batch, [], dropped)
        items: list[values.RequestItem] = []
        for number, group in groupby(indexes, names.item_of.__getitem__):
            members = list(group)
            units = [members] if names.dialect.atomicity_groups else [[each] for each in members]
            operations: list[Operation] = []
            for unit in units:
                try:
                    operations += [
                        self._detached(index, before.get(index, ()), inside, outcomes, dropped)
                        for index in unit
                    ]
                    written.indexes.extend(unit)
                except findings.UnresolvedReference as error:
                    state = error.args[1] if isinstance(error, _Unmet) else State.NOT_EXECUTED
                    dropped.update((index, (state, error.args[0])) for index in unit)
                    inside.difference_update(unit)
            if not operations:
                inside.discard(~number)
            items += plan.regrouped(names.items[number], operations)
        return written._replace(batch=values.changed(self._batch, items=tuple(items)))

    def _detached(
        self,
        index: int,
        before: Collection[int],
        inside: set[int],
        outcomes: Sequence[Outcome],
        dropped: Mapping[int, tuple[State, str]],
    ) -> Operation:
        """Return the operation with what was answered in place of references to other pieces.

        `before` are the nodes of the operation before it.
        """
        item, dialect = self.names.operations[index], self.names.dialect
        gone = [(edge, node) for edge, node in self._needs[index] if node not in inside]
        for edge, node in gone:
            for target in self._operations_of(node):
                state = dropped[target][0] if target in dropped else outcomes[target].state
                if state is not State.SUCCEEDED:
                    failed = state in plan.FAILING
                    word = "failed" if failed else VERBS[state]
                    reason = f"it was not sent: it needs {findings.quote(edge.name)}, which {word}"
                    raise _Unmet(reason, State.DEPENDENCY_FAILED if failed else State.NOT_EXECUTED)
        if dialect.dependencies == "uniform":
            needs = [it for it in self._needs[index] if it[0].place == "depends_on"]
            others = [it for it in needs if it[1] in inside and it[1] not in before]
            # In a chain, the one before needs the others itself.
            gone += others if any(node in before for _, node in needs) else []
        return plan.detached(item, gone, outcomes, dialect, self._locate)

    def _locate(self, item: Operation, edge: Edge, node: int, unresolved: str) -> str:
        if node not in self._locations:
            raise findings.UnresolvedReference(f"{unresolved} and has no Location")
        found, dialect = self._locations[node], self.names.dialect
        try:
            return resolve_url(item.url, self._url, locations={edge.name: found}, dialect=dialect)
        except ValueError:
            message = f"{unresolved} and has the Location {findings.quote(found)}"
            raise findings.UnresolvedReference(message) from None

    def learn(self, index: int, sent: Operation, response: values.OperationResponse | None) -> None:
        """Note what replaces references to an operation, should it have succeeded."""
        if index not in self._referred or response is None:
            return
        locations = {
            edge.name: self._locations[node]
            for edge, node in self._needs[index]
            if edge.place == "url" and node in self._locations
        }
        host, dialect = sent.headers.get("host"), self.names.dialect
        with suppress(findings.UnresolvedReference, ValueError):
            url = resolve_url(sent.url, self._url, host=host, locations=locations, dialect=dialect)
            location = location_of(url, response)
            if location is None and sent.method in KNOWN_BY_URL:
                location = url
            if location is not None:
                self._locations[index] = location

    # -- the plan --

    def plan(self, most: int | None, is_unit: bool) -> list[list[int]]:
        """Return the operations of each piece, none of which needs a later one.

        What is a unit as a whole is one piece.
        `EncodeError` and `UnresolvedReference` are raised for all that no pieces would mend.
        """
        dialect = self.names.dialect
        bounds = (most, dialect.operations, self._settings.limits.operations)
        bound = min(each for each in bounds if each is not None)
        count = len(self.names.operations)
        if not self.names.items:
            return []
        try:
            payload = self.encode(self._batch)
            if count <= bound:
                if dialect.dependencies != "uniform":  # where not all may be named
                    self._is_one, self._payload = True, payload
                return [list(range(count))] if count else []
        except findings.EncodeError as error:
            others = [it for it in error.diagnostics if is_unit or it.rule not in _MENDED]
            if others:
                raise findings.EncodeError(tuple(others)) from None
        if is_unit:
            message = f"found {count} operations that belong together, a batch may have {bound}"
            raise findings.EncodeError((findings.Diagnostic(findings.LIMIT_EXCEEDED, message),))
        cut = self._waves if dialect.dependencies == "uniform" else self._split
        return self._fitting(cut(bound))

    def _fitting(self, pieces: Sequence[list[int]]) -> list[list[int]]:
        """Return the pieces, halved where they have too many octets, all as if they succeed."""
        unsent = replace(self._done, response=None, state=State.NOT_EXECUTED)
        outcomes = [unsent] * len(self.names.operations)
        queue, fitting = deque(pieces), []
        while queue:
            piece = queue.popleft()
            written = self.write(piece, outcomes)
            if written.dropped:
                raise findings.UnresolvedReference(next(iter(written.dropped.values()))[1])
            try:
                self.encode(written.batch)
            except findings.EncodeError as error:
                items = [list(group) for _, group in groupby(piece, self.names.item_of.__getitem__)]
                half = len(items) // 2
                if not half or any(found.rule not in _TOO_LONG for found in error.diagnostics):
                    raise self._at_home(error, piece) from None
                queue.appendleft([index for item in items[half:] for index in item])
                queue.appendleft([index for item in items[:half] for index in item])
                continue
            fitting.append(piece)
            for index in piece:
                outcomes[index] = self._done
                self._locations[index] = self._somewhere
        self._locations.clear()
        return fitting

    def _at_home(self, error: findings.EncodeError, piece: Sequence[int]) -> findings.EncodeError:
        """Return the error about a piece with the places in the batch."""
        items = list(dict.fromkeys(self.names.item_of[index] for index in piece))

        # What is said of the whole is said of an item that is alone.
        whole = f"items[{items[0]}]" if len(items) == 1 else ""

        def at_home(found: findings.Diagnostic) -> findings.Diagnostic:
            path = _FIRST_INDEX.sub(lambda it: f"items[{items[int(it[1])]}]", found.path, 1)
            return replace(found, path=path or whole)

        return findings.EncodeError(tuple(map(at_home, error.diagnostics)))

    def _split(self, most: int) -> list[list[int]]:
        try:
            packed = plan.packed(self.names, most)
        except findings.EncodeError:
            packed = plan.packed(self._loosened(), most)
        return [[index for item in piece for index in self.names.members[item]] for piece in packed]

    def _loosened(self) -> Names:
        """Return the batch without what can be rewritten, so that it keeps nothing together."""
        operations, dialect = [*self.names.operations], self.names.dialect
        outcomes = [self._done] * len(operations)
        self._locations = dict.fromkeys(range(len(operations)), self._somewhere)
        for index, item in enumerate(self.names.operations):
            loose = [it for it in self._needs[index] if it[0].place in _REWRITTEN]
            with suppress(findings.UnresolvedReference):
                operations[index] = plan.detached(item, loose, outcomes, dialect, self._locate)
        items: list[values.RequestItem] = []
        for each, members in zip(self.names.items, self.names.members, strict=True):
            own = operations[members.start : members.stop]
            is_set = isinstance(each, values.ChangeSet)
            items += [values.ChangeSet(own, id=each.id)] if is_set else own
        return Names(items, dialect=dialect)

    def _waves(self, most: int) -> list[list[int]]:
        """Return pieces in which none depends on any, or each on the one before it.

        Always as many as can be sent next, in one of the two ways.
        """
        names = self.names
        needs: list[set[int]] = [set() for _ in names.items]
        dependents: list[list[int]] = [[] for _ in names.items]
        alone = set()
        for edge, node in chain.from_iterable(self._needs):
            item, other = names.item_of[edge.source], names.item(node)
            if other == item:
                alone.add(item)
            elif other not in needs[item]:
                needs[item].add(other)
                dependents[other].append(item)
        missing = [len(each) for each in needs]
        ready = deque(item for item, count in enumerate(missing) if not count)
        placed: set[int] = set()
        pieces: list[list[int]] = []
        while ready:
            wave: list[int] = []
            load = 0
            for item in ready:
                load += len(names.members[item])
                if wave and (load > most or item in alone or wave[0] in alone):
                    break
                wave.append(item)
            link = [ready[0]]
            while len(link) < most and len(names.members[link[-1]]) == 1:
                done = placed.union(link)
                following = (each for each in dependents[link[-1]] if needs[each] <= done)
                item = next((each for each in following if len(names.members[each]) == 1), -1)
                if item < 0:
                    break
                link.append(item)
            piece = max(wave, link, key=len)
            for _ in wave if piece is wave else link[:1]:
                ready.popleft()
            placed.update(piece)
            for item in piece:
                for each in dependents[item]:
                    missing[each] -= 1
                    if not missing[each] and each not in placed:
                        ready.append(each)
            pieces.append([index for item in piece for index in names.members[item]])
        # What depends on itself is never ready; to encode it tells.
        rest = [index for index, item in enumerate(names.item_of) if item not in placed]
        return [*pieces, rest] if rest else pieces


class Attempts:
    """The operations of a batch, by their indexes: what is known of them, how often they were sent.

    They are open until they are settled: then nothing is sent of them any more.
    """

    def __init__(
        self,
        own: Sequence[values.Operation],
        names: Names,
        format: Format,
        most: int,
        resend: Callable[[Outcome], bool] | None,
        is_repeatable: bool,
        is_unit: bool,
    ) -> None:
        """Take the operations as they were given, and the batch that is sent."""
        self._names, self._format, self._most = names, format, most
        self._resend, self._is_repeatable, self._is_unit = resend, is_repeatable, is_unit
        state, reason = State.NOT_EXECUTED, "it has not been sent"
        self.outcomes = [
            Outcome(operation=each, state=state, reason=reason, id=sent.id)
            for each, sent in zip(own, names.operations, strict=True)
        ]
        self._unsent = tuple(self.outcomes)
        self.open = set(range(len(own)))
        self.has_failed = False
        """Whether one that is settled has not succeeded."""
        self._failures = [0] * len(own)
        """How often each was sent without success."""
        self._sent = [0] * len(own)
        """How often each was handed out."""
        self._doubtful: set[int] = set()
        """Those of which an attempt is unknown."""

    def begin(self, piece: Piece) -> None:
        """Take note that a piece is sent."""
        reason = "it was sent, and no answer was given to `receive`"
        for index in piece.indexes:
            self._sent[index] += 1
            self.outcomes[index] = replace(self._unsent[index], state=State.UNKNOWN, reason=reason)
        piece.outcomes = [self.outcomes[index] for index in piece.indexes]

    def put(self, piece: Piece, results: Iterable[Outcome]) -> None:
        """Set what is known of the operations of a piece."""
        for place, (index, found) in enumerate(zip(piece.indexes, results, strict=True)):
            known = self.outcomes[index]
            outcome = piece.settled.get(place, found)
            if outcome.operation is not known.operation or outcome.id != known.id:
                outcome = replace(outcome, operation=known.operation, id=known.id)
            piece.outcomes[place] = self.outcomes[index] = outcome

    def drop(self, index: int, state: State, reason: str) -> None:
        """Settle an operation that cannot be sent, or not again."""
        if self.outcomes[index] is self._unsent[index]:
            self.outcomes[index] = replace(self.outcomes[index], state=state, reason=reason)
        self._settle(index)

    def number(self, indexes: Iterable[int]) -> int:
        """Return how often one of these was sent without success, at most."""
        return max(self._failures[index] for index in indexes)

    def decide(self, piece: Piece) -> list[int]:
        """Settle the operations of a piece; return the places of those to be sent again."""
        outcomes = piece.outcomes
        asked = {
            id(outcome)
            for index, outcome in zip(piece.indexes, outcomes, strict=True)
            if self._failures[index] + 1 < self._most and self._is_asked(piece, outcome)
        }

        def when(outcome: Outcome) -> bool:
            return id(outcome) in asked

        chosen: set[int] = set()
        if asked and self._is_unit:
            # Operations that failed because of others are sent again with them, all or none.
            own = {id(each) for each in outcomes if each.state in _OWN}
            chosen.update(range(len(outcomes)) if own <= asked else ())
        elif asked:
            names = Names(piece.batch.items, dialect=self._names.dialect)
            chosen = plan.Choice(names, outcomes, when, self._format).chosen
        for place, (index, outcome) in enumerate(zip(piece.indexes, outcomes, strict=True)):
            if place not in chosen:
                self._settle(index)
                continue
            self._failures[index] += when(outcome)
            if outcome.state is State.UNKNOWN and not piece.is_unsent:
                self._doubtful.add(index)
        return [place for place in range(len(outcomes)) if place in chosen]

    def _is_asked(self, piece: Piece, outcome: Outcome) -> bool:
        """Tell whether an operation may be sent again because of its own outcome."""
        is_safe = self._is_repeatable or outcome.operation.method in SAFE
        is_lost = outcome.state is State.UNKNOWN and is_safe
        if is_lost or piece.is_unsent or plan.is_throttled(outcome):
            return True
        resend = self._resend
        return resend is not None and outcome.state not in _ANSWERED and resend(outcome)

    def _settle(self, index: int) -> None:
        outcome = self.outcomes[index]
        self.open.discard(index)
        if outcome.state is State.SUCCEEDED:
            return
        self.has_failed = True
        if outcome.state is State.PENDING:
            return
        if index in self._doubtful and outcome.operation.method not in SAFE:
            reason = f"{outcome.reason}; but it may have been applied when it was sent before"
            self.outcomes[index] = replace(outcome, state=State.UNKNOWN, reason=reason)
        elif self._sent[index] > 1:
            reason = f"{outcome.reason}; it was tried {self._sent[index]} times"
            self.outcomes[index] = replace(outcome, reason=reason)
