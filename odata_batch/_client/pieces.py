"""A batch in pieces that a service takes, and what each of them says when it is sent.

Where too much belongs together for `split`, it is cut here: what refers to an earlier piece waits
for its answer, and then has the Location in place of the reference (OData Protocol, 11.7.4), or the
ETag. References in queries, conditions and bodies are never rewritten, so that they keep operations
together; so does a change set. All work is linear in the number of operations, references and
dependencies, but for pieces that are halved because they have too many octets.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, groupby
from typing import NamedTuple

from odata_batch._checks import services
from odata_batch._client import plan
from odata_batch._client.outcomes import Outcome, State
from odata_batch._coding.settings import Settings
from odata_batch._coding.writing import RequestEncoder, encode
from odata_batch._graph.expressions import ETAG_FIELDS, KNOWN_BY_URL
from odata_batch._graph.names import Edge, Names
from odata_batch._graph.urls import location_of, resolve_url
from odata_batch._model import findings, values
from odata_batch._model.values import Operation

# What is wrong with a batch that may be right with its pieces, and what with their halves.
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


class Written(NamedTuple):
    """A piece as it is sent now."""

    batch: values.BatchRequest
    indexes: list[int]
    """The operations that are in it."""
    dropped: dict[int, tuple[State, str]]
    """The operations that cannot be in it, what becomes of them, and why."""


class _Unmet(findings.UnresolvedReference):
    """What an operation needs has not succeeded."""


class Pieces:
    """A batch and its pieces; operations are known by their indexes in the batch."""

    def __init__(self, settings: Settings, batch: values.BatchRequest, url: str) -> None:
        """Take a batch that is prepared, and the absolute URL that it is sent to."""
        self._settings, self._batch, self._url = settings, batch, url
        self._somewhere = resolve_url("0", url)
        self.names = Names(batch.items, dialect=settings.dialect)
        self._needs = plan.needs(self.names)
        edges = chain.from_iterable(self._needs)
        self._referred = {node for edge, node in edges if edge.place == "url"}
        self._locations: dict[int, str] = {}
        """The absolute URLs that references to operations stand for."""

    def needed(self, indexes: Sequence[int]) -> Iterator[int]:
        """Yield the operations that these need."""
        for index in indexes:
            for _, node in self._needs[index]:
                yield from self._operations_of(node)

    def _operations_of(self, node: int) -> Sequence[int]:
        size = len(self.names.operations)
        return (node,) if node < size else self.names.members[node - size]

    # -- a piece as it is sent --

    def encode(self, batch: values.BatchRequest) -> values.Payload:
        """Return the payload of a piece."""
        return encode(RequestEncoder, self._settings, batch, None)

    def write(self, indexes: Sequence[int], outcomes: Sequence[Outcome]) -> Written:
        """Return what these operations say, given what has become of all of them."""
        names, size = self.names, len(self.names.operations)
        inside = {*indexes, *(size + names.item_of[index] for index in indexes)}
        written = Written(self._batch, [], {})
        items: list[values.RequestItem] = []
        for number, group in groupby(indexes, names.item_of.__getitem__):
            members, item = list(group), names.items[number]
            units = [members] if names.dialect.atomicity_groups else [[each] for each in members]
            operations: list[Operation] = []
            for unit in units:
                try:
                    operations += [
                        self._detached(index, inside, outcomes, written.dropped) for index in unit
                    ]
                    written.indexes.extend(unit)
                except findings.UnresolvedReference as error:
                    state = error.args[1] if isinstance(error, _Unmet) else State.NOT_EXECUTED
                    written.dropped.update((index, (state, error.args[0])) for index in unit)
                    inside.difference_update(unit)
            if not operations:
                inside.discard(size + number)
            elif not isinstance(item, values.ChangeSet):
                items += operations
            elif tuple(operations) == item.operations():
                items.append(item)
            else:
                items.append(values.ChangeSet(operations, id=item.id))
        return written._replace(batch=plan.part(self._batch, items))

    def _detached(
        self,
        index: int,
        inside: set[int],
        outcomes: Sequence[Outcome],
        dropped: Mapping[int, tuple[State, str]],
    ) -> Operation:
        """Return the operation with what was answered in place of references to other pieces."""
        item = self.names.operations[index]
        gone = [(edge, node) for edge, node in self._needs[index] if node not in inside]
        if not gone:
            return item
        for edge, node in gone:
            for target in self._operations_of(node):
                state = dropped[target][0] if target in dropped else outcomes[target].state
                if state is not State.SUCCEEDED:
                    failed = state in plan.FAILING
                    word = "failed" if failed else f"is {state.value.replace('-', ' ')}"
                    reason = f"it was not sent: it needs {findings.quote(edge.name)}, which {word}"
                    raise _Unmet(reason, State.DEPENDENCY_FAILED if failed else State.NOT_EXECUTED)
        return plan.detached(item, gone, outcomes, self.names.dialect, self._locate)

    def _locate(self, item: Operation, edge: Edge, node: int, unresolved: str) -> str:
        if node not in self._locations:
            raise findings.UnresolvedReference(f"{unresolved} and has no Location")
        location, dialect = self._locations[node], self.names.dialect
        try:
            return resolve_url(
                item.url, self._url, locations={edge.name: location}, dialect=dialect
            )
        except ValueError:
            message = f"{unresolved} and has the Location {findings.quote(location)}"
            raise findings.UnresolvedReference(message) from None

    def learn(self, index: int, sent: Operation, response: values.OperationResponse | None) -> None:
        """Note what references to an operation stand for, should it have succeeded."""
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
            self.encode(self._batch)
            if count <= bound:
                return [list(range(count))] if count else []
        except findings.EncodeError as error:
            others = [it for it in error.diagnostics if is_unit or it.rule not in _MENDED]
            if others:
                raise findings.EncodeError(tuple(others)) from None
        if is_unit:
            message = f"found {count} operations that belong together, a batch may have {bound}"
            raise findings.EncodeError((findings.Diagnostic(findings.LIMIT_EXCEEDED, message),))
        if dialect.dependencies == "uniform":
            return self._fitting(self._waves(bound))
        return self._fitting(self._split(bound))

    def _fitting(self, pieces: Sequence[list[int]]) -> list[list[int]]:
        """Return the pieces, halved where they have too many octets, all as if they succeed."""
        response = values.OperationResponse(201, {"ETag": '"1"', "Location": self._somewhere})
        unsent = Outcome(operation=Operation("GET", ""), state=State.NOT_EXECUTED, reason="")
        done = replace(unsent, response=response, state=State.SUCCEEDED)
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
                outcomes[index] = done
                self._locations[index] = self._somewhere
        self._locations.clear()
        return fitting

    def _at_home(self, error: findings.EncodeError, piece: Sequence[int]) -> findings.EncodeError:
        """Return the error about a piece with the places in the batch."""
        items = list(dict.fromkeys(self.names.item_of[index] for index in piece))

        def path(match: re.Match[str]) -> str:
            return f"items[{items[int(match[1])]}]"

        # What is said of the whole is said of an item that is alone.
        whole = f"items[{items[0]}]" if len(items) == 1 else ""
        paths = (_FIRST_INDEX.sub(path, each.path, 1) or whole for each in error.diagnostics)
        found = zip(error.diagnostics, paths, strict=True)
        return findings.EncodeError(tuple(replace(each, path=path) for each, path in found))

    def _split(self, most: int) -> list[list[int]]:
        try:
            packed = plan.packed(self.names, most)
        except findings.EncodeError:
            packed = plan.packed(self._loosened(), most)
        return [[index for item in piece for index in self.names.members[item]] for piece in packed]

    def _loosened(self) -> Names:
        """Return the batch without what can be rewritten, so that it keeps nothing together."""
        indexes = range(len(self.names.operations))
        response = values.OperationResponse(201, {"ETag": '"1"'})
        loose = Outcome(
            operation=Operation("GET", ""), response=response, state=State.SUCCEEDED, reason=""
        )
        outcomes = [loose] * len(indexes)
        self._locations = dict.fromkeys(indexes, self._somewhere)
        dialect = self.names.dialect
        items: list[values.RequestItem] = []
        for item, members in zip(self.names.items, self.names.members, strict=True):
            operations = [self.names.operations[index] for index in members]
            for place, index in enumerate(members):
                needed = [it for it in self._needs[index] if it[0].place in _REWRITTEN]
                with suppress(findings.UnresolvedReference):
                    operations[place] = plan.detached(
                        operations[place], needed, outcomes, dialect, self._locate
                    )
            is_set = isinstance(item, values.ChangeSet)
            items += [values.ChangeSet(operations, id=item.id)] if is_set else operations
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
