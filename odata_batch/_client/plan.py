"""What to send next: `split`, `remaining` and `retry_after`.

All three are functions of values; nothing here waits, sends or asks for the time. What they plan
with is the prepared batch, so that identifiers stay the same in whatever batch an operation ends
up, and results can be put together by them.

Operations that refer to each other, that depend on each other, or that are in one change set belong
together. All work is linear in the number of operations, references and dependencies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from operator import sub
from typing import TypeAlias

from odata_batch._client.dates import check_now, date_of
from odata_batch._client.outcomes import BatchResult, Outcome, State
from odata_batch._coding.settings import Settings, format_of
from odata_batch._graph.expressions import ETAG_FIELDS, KNOWN_BY_URL, references_outside_body
from odata_batch._graph.names import Edge, Names
from odata_batch._graph.prepare import prepare
from odata_batch._model import findings, values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import UnresolvedReference, at_least_1, of_type, quote
from odata_batch._model.headers import Headers
from odata_batch._model.values import BatchRequest, Format, Operation

# RFC 6585, 4 and RFC 9110, 15.6.4: later, the same request may succeed.
_THROTTLED = frozenset((429, 503))
# How many members of what is too large are named one by one
_NAMED = 20
# An absolute URL or path, to which more can be added
_ABSOLUTE = re.compile(r"(?:https?:/)?/[^/?#][^?#]*", re.IGNORECASE)
FAILING = frozenset((State.FAILED, State.ROLLED_BACK, State.DEPENDENCY_FAILED))
_UNFIT = frozenset((State.FAILED, State.PENDING, State.UNKNOWN))


def is_throttled(outcome: Outcome) -> bool:
    """Tell whether a service asks to send the operation again, by status 429 or 503.

    >>> is_throttled(Outcome(operation=Operation.get("People"), state=State.UNKNOWN, reason=""))
    False
    """
    return of_type(outcome, Outcome, "outcome").status in _THROTTLED


def _names_of(batch: BatchRequest, settings: Settings) -> Names:
    of_type(batch, BatchRequest, "batch")
    format, dialect = format_of(settings, batch), settings.dialect
    return Names(prepare(batch, format=format, dialect=dialect).items, dialect=dialect)


When: TypeAlias = Callable[[Outcome], bool]
Needs: TypeAlias = list[list[tuple[Edge, int]]]


def needs(names: Names) -> Needs:
    """Return what each operation refers to or depends on, as far as it is in the batch."""
    found: Needs = [[] for _ in names.operations]
    for edge in (*names.edges, *names.bindings()):
        if edge.target is not None:
            found[edge.source].append((edge, edge.target))
    return found


# -- split -----------------------------------------------------------------------------------------


def split(
    settings: Settings, batch: BatchRequest, max_operations: int | None
) -> tuple[BatchRequest, ...]:
    """Return batches of at most `max_operations` operations that hold those of `batch`."""
    dialect = settings.dialect
    most = dialect.operations if max_operations is None else max_operations
    if most is None:
        raise ValueError(f"max_operations is missing, and {dialect.name} does not say how many")
    at_least_1(most, "max_operations")
    names = _names_of(batch, settings)
    items = _own_items(batch, names)
    pieces = (map(items.__getitem__, piece) for piece in packed(names, most))
    return tuple(values.changed(batch, items=tuple(piece)) for piece in pieces)


def packed(names: Names, most: int) -> list[list[int]]:
    """Return the items of each batch of at most so many operations, by their indexes."""
    dialect = names.dialect
    bounds = {
        "operations": most,
        "change sets": _or_any(dialect.change_sets),
        "items": _or_any(1 if dialect.transactions == "single" else None),
    }
    packing = _Packing(names, bounds)
    oversized = []
    limit = _or_any(dialect.change_set_operations)
    for index, (members, is_change_set, _) in enumerate(packing.sizes):
        if is_change_set and members > limit:
            excess = _excess("operations", members, limit, "change set")
            oversized.append(_oversized(names, [index], excess))
    start = reach = 0
    closures = _closures(names)
    if dialect.dependencies == "uniform":
        # What depends on nothing goes together, and what belongs together alone.
        order = [*(each for each in closures if len(each) == 1)]
        order += [each for index, each in enumerate(closures) if each[0] == index and each[1:]]
        for closure in order:
            too_much = packing.add(closure, alone=len(closure) > 1)
            oversized += [_oversized(names, closure, too_much)] if too_much else []
        packing.pieces.sort()
        closures = []
    for index, closure in enumerate(closures):
        reach = max(reach, closure[-1])
        if reach > index:
            continue
        # Up to here, nothing belongs together with anything after.
        block = range(start, index + 1)
        start = index + 1
        if packing.add(block) is not None:
            for closure in (closures[first] for first in block if closures[first][0] == first):
                too_much = packing.add(closure)
                if too_much is not None:
                    oversized.append(_oversized(names, closure, too_much))
    if oversized:
        raise findings.EncodeError(tuple(oversized))
    return list(map(sorted, packing.pieces))


def _own_items(batch: BatchRequest, names: Names) -> list[values.RequestItem]:
    """Return the caller's own objects, where no identifier had to be made."""
    return [
        own if item.id in (None, own.id) and _ids_of(own) == _ids_of(item) else item
        for own, item in zip(batch.items, names.items, strict=True)
    ]


def _ids_of(item: values.RequestItem) -> list[str | None]:
    return [each.id for each in values.leaves((item,))]


class _Packing:
    """Fills one batch after the other; what has been put into one stays there."""

    def __init__(self, names: Names, bounds: Mapping[str, float]) -> None:
        self.pieces: list[list[int]] = []
        self.sizes = [
            (len(members), isinstance(item, values.ChangeSet), 1)
            for item, members in zip(names.items, names.members, strict=True)
        ]
        """Of each item what is bounded: its operations, whether it is a change set, itself."""
        self._bounds = bounds
        self._free: tuple[float, ...] = (-1, -1, -1)

    def add(self, indexes: Sequence[int], *, alone: bool = False) -> str | None:
        """Put items into the last batch or a new one, or return what is more than one can hold."""
        if alone:
            self._free = (-1, -1, -1)
        load: Iterable[float] = self.sizes[indexes[0]]
        if len(indexes) > 1:
            load = [*map(sum, zip(*(self.sizes[index] for index in indexes), strict=True))]
        free = tuple(map(sub, self._free, load))
        if min(free) < 0:
            for count, (name, most) in zip(load, self._bounds.items(), strict=True):
                if count > most:
                    return _excess(name, count, most, "batch")
            free = tuple(map(sub, self._bounds.values(), load))
            self.pieces.append([])
        self.pieces[-1] += indexes
        self._free = free
        return None


def _or_any(limit: int | None) -> float:
    return float("inf") if limit is None else limit


def _excess(what: str, count: float, most: float, where: str) -> str:
    return f"found {count} {what} that belong together, a {where} may have {most}"


def _closures(names: Names) -> list[list[int]]:
    """Return for each item those that it belongs together with, itself included, in order."""
    closures = [[index] for index in range(len(names.items))]
    for edge, target in chain.from_iterable(needs(names)):
        smaller, larger = closures[names.item_of[edge.source]], closures[names.item(target)]
        if smaller is not larger:
            if len(smaller) > len(larger):
                smaller, larger = larger, smaller
            # What an item is with at least doubles each time that it moves: nearly linear.
            larger += smaller
            for index in smaller:
                closures[index] = larger
    for closure in {id(each): each for each in closures if len(each) > 1}.values():
        closure.sort()
    return closures


def _oversized(names: Names, indexes: Sequence[int], excess: str) -> findings.Diagnostic:
    operations = [names.operations[each] for index in indexes for each in names.members[index]]
    called = [quote(f"{each.method} {each.url}") for each in operations[:_NAMED]]
    called += [f"{len(operations) - _NAMED} more"] if len(operations) > _NAMED else []
    position = names.items[indexes[0]].position
    message = f"{excess}: {', '.join(called)}"
    return findings.Diagnostic(findings.LIMIT_EXCEEDED, message, position, f"items[{indexes[0]}]")


# -- remaining -------------------------------------------------------------------------------------


def remaining(
    settings: Settings, batch: BatchRequest, results: BatchResult | Mapping[str, int], when: When
) -> BatchRequest:
    """Return a batch of the operations that are to be sent again, under their identifiers."""
    names = _names_of(batch, settings)
    if isinstance(results, BatchResult):
        outcomes = results.outcomes
        if tuple(each.operation for each in outcomes) != batch.operations():
            raise ValueError("the results are those of another batch")
    elif isinstance(results, Mapping):
        outcomes = tuple(_outcomes(results, names))
    else:
        raise TypeError(f"results is a BatchResult or a mapping, not {type(results).__name__}")
    choice = Choice(names, outcomes, when, format_of(settings, batch))
    items: list[values.RequestItem] = []
    for item, members in zip(names.items, names.members, strict=True):
        left = [choice.detached(index) for index in members if index in choice.chosen]
        items += regrouped(item, left)
    return values.changed(batch, items=tuple(items))


def regrouped(item: values.RequestItem, operations: list[Operation]) -> list[values.RequestItem]:
    """Return what is left of an item of which these operations are."""
    if not isinstance(item, values.ChangeSet):
        return [*operations]
    is_whole = tuple(operations) == item.operations()
    return [item if is_whole else values.ChangeSet(operations, id=item.id)] if operations else []


def _outcomes(statuses: Mapping[str, int], names: Names) -> Iterator[Outcome]:
    """Yield what statuses by identifier say about a batch."""
    status_of = {names.key(id): status for id, status in statuses.items()}
    for id in status_of:
        if not names.named(id):
            raise ValueError(f"the results are those of another batch, none of this has id {id!r}")
    for item, members in zip(names.items, names.members, strict=True):
        operations = [names.operations[index] for index in members]
        found = [status_of.get(names.key(each.id or "")) for each in operations]
        is_atomic = isinstance(item, values.ChangeSet) and names.dialect.atomicity_groups
        failed = is_atomic and any(status is not None and status >= 400 for status in found)
        for operation, status in zip(operations, found, strict=True):
            response = None if status is None else values.OperationResponse(status)
            given = "no status" if status is None else f"the status {status}"
            if status is not None and status >= 400:
                state = State.DEPENDENCY_FAILED if status == 424 else State.FAILED
            elif status is not None and status < 200:
                state = State.UNKNOWN
            elif failed:
                state = State.ROLLED_BACK
            else:
                state = State.UNKNOWN if status is None else State.SUCCEEDED
            reason = f"{given} was given for it"
            yield Outcome(operation=operation, response=response, state=state, reason=reason)


class Choice:
    """The operations that are sent again; what belongs to a change set is chosen at once.

    It speaks of nodes: operations, and change sets as a whole (see `Names`).
    """

    def __init__(
        self, names: Names, outcomes: Sequence[Outcome], when: When, format: Format
    ) -> None:
        """Choose from a batch in this format, after these outcomes."""
        self._names, self._outcomes = names, outcomes
        self._asked = list(map(when, outcomes))
        self._needs = needs(names)
        self._open = [0] * len(names.items)
        """How many operations of each item have not succeeded and are not chosen."""
        for item, outcome in zip(names.item_of, outcomes, strict=True):
            self._open[item] += outcome.state is not State.SUCCEEDED
        done = [i for i, outcome in enumerate(outcomes) if outcome.state is State.SUCCEEDED]
        done += [~item for item, count in enumerate(self._open) if not count]
        self._finished = frozenset(done)
        """The nodes that have succeeded."""
        self._met = set(done)
        """Those that have succeeded or are sent again as well."""
        self.chosen: set[int] = set()
        """Those that are sent again, change sets in part."""
        # What stopped a JSON batch, whose order is unknown, is sent again if all failures are; what
        # stopped a multipart batch is the last failure before.
        failed = [each for each in outcomes if each.state is State.FAILED]
        in_order = format == "multipart"
        resume = not in_order and bool(failed) and all(map(when, failed))
        units = names.members
        if not names.dialect.atomicity_groups:
            units = [range(index, index + 1) for index in range(len(outcomes))]
        for unit in units:
            is_chosen = self._is_wanted(unit, resume) and not self._is_hindered(unit)
            for index in unit if is_chosen else ():
                item = names.item_of[index]
                group = ~item
                self._open[item] -= index not in self._finished
                self._met.update((index,) if self._open[item] else (index, group))
                self.chosen.update((index, group))
            if in_order and any(outcomes[index].state in FAILING for index in unit):
                resume = is_chosen

    def _is_wanted(self, unit: range, resume: bool) -> bool:
        for index in unit:
            state = self._outcomes[index].state
            if self._asked[index] or (state is State.NOT_EXECUTED and resume):
                return True
            # It was taken down by something that is not in this change set.
            if state is State.DEPENDENCY_FAILED:
                if not self._finished.issuperset(self._needed_outside(index, unit)):
                    return True
        return False

    def _is_hindered(self, unit: range) -> bool:
        """Tell whether one operation could not succeed, or might be applied twice."""
        return any(
            (self._outcomes[index].state in _UNFIT and not self._asked[index])
            or not self._met.issuperset(self._needed_outside(index, unit))
            for index in unit
        )

    def _needed_outside(self, index: int, unit: range) -> Iterator[int]:
        own_group = ~self._names.item_of[index]
        for _, target in self._needs[index]:
            if target not in unit and target != own_group:
                yield target

    def detached(self, index: int) -> Operation:
        """Return the operation without the names of what is not sent again."""
        gone = [(edge, node) for edge, node in self._needs[index] if node not in self.chosen]
        item = self._names.operations[index]

        def locate(item: Operation, edge: Edge, node: int, unresolved: str) -> str:
            if not item.url.startswith(f"${edge.name}"):
                raise UnresolvedReference(f"{unresolved}, in its url; rewrite it")
            return _located(self._outcomes[node], item.url[len(edge.name) + 1 :], unresolved)

        return detached(item, gone, self._outcomes, self._names.dialect, locate)


def detached(
    item: Operation,
    gone: Sequence[tuple[Edge, int]],
    outcomes: Sequence[Outcome],
    dialect: Dialect,
    locate: Callable[[Operation, Edge, int, str], str],
) -> Operation:
    """Return the operation without the names of what has succeeded and is in another batch."""
    pruned = {edge.name for edge, _ in gone if edge.place == "depends_on"}
    if pruned:
        item = replace(item, depends_on=tuple(n for n in item.depends_on if n not in pruned))
    for edge, node in gone:
        called = quote(f"{item.method} {item.url}")
        unresolved = f"{called} refers to {quote(edge.name)}, which is not sent again"
        if edge.place == "url":
            item = replace(item, url=locate(item, edge, node, unresolved))
        elif edge.place in ETAG_FIELDS:
            item = _tagged(item, edge, outcomes[node], unresolved)
            found = references_outside_body(item, dialect)
            if (edge.name, edge.place) in ((each.id, each.place) for each in found):
                raise UnresolvedReference(f"{unresolved}, in its {edge.place}; rewrite it")
        elif edge.place != "depends_on":
            raise UnresolvedReference(f"{unresolved}, in its {edge.place}; rewrite it")
    return item


def _located(target: Outcome, rest: str, unresolved: str) -> str:
    """Return the URL that a reference means (OData Protocol, 11.7.4), and what follows it."""
    location = None if target.response is None else target.response.headers.get("location")
    own = target.operation
    # What was asked for by its own URL is that entity, unless nothing can be added to the URL.
    if location is None and own.method in KNOWN_BY_URL:
        if not re.search(r"^\$|[?#]|/$", own.url):
            return own.url + rest
    if location is None or not _ABSOLUTE.fullmatch(location):
        found = "no Location" if location is None else f"the Location {quote(location)}"
        raise UnresolvedReference(f"{unresolved} and has {found}, expected an absolute one")
    return (location.rstrip("/") if rest.startswith("/") else location) + rest


def _tagged(item: Operation, edge: Edge, target: Outcome, unresolved: str) -> Operation:
    """Return the operation with the ETag of the response in place of the reference."""
    etag = None if target.response is None else target.response.headers.get("etag")
    if etag is None:
        raise UnresolvedReference(f"{unresolved} and has no ETag")
    fields = (
        (name, etag if name.lower() == edge.place and value == f"${edge.name}" else value)
        for name, value in item.headers.pairs
    )
    return replace(item, headers=Headers(fields))


# -- retry_after -----------------------------------------------------------------------------------


def retry_after(
    results: BatchResult,
    *,
    when: Callable[[Outcome], bool] = is_throttled,
    now: datetime | None = None,
) -> float | None:
    """Return after how many seconds `remaining` may be sent, `None` if no response says it.

    - `results`: what `match` or `outcomes` returned.
    - `when`: the operations whose Retry-After counts; by default those with 429 or 503.
    - `now`: the time with its time zone, from which a date is counted.

    It is the longest Retry-After of the operations for which `when` is true. A Retry-After that is
    a date (RFC 9110, 10.2.3) is counted from `now`, which has a time zone, or else from the Date of
    the same response; `ValueError` if there is neither. What is past is 0. A value that is neither
    a number nor a date is passed over. The Retry-After of the HTTP answer as a whole counts, too,
    where `outcomes` was given it.

    >>> throttled = OperationResponse(429, {"Retry-After": "2.5"})
    >>> get = Operation.get("People")
    >>> result = Outcome(operation=get, response=throttled, state=State.FAILED, reason="")
    >>> retry_after(BatchResult((result,)))
    2.5
    """
    outcomes = of_type(results, BatchResult, "results").outcomes
    check_now(now)
    asked = [outcome.response for outcome in outcomes if when(outcome)]
    delays = [
        _delay(value, response.headers, now)
        for response in (*asked, results.answer)
        if response is not None
        for value in response.headers.get_all("retry-after")
    ]
    return max((delay for delay in delays if delay is not None), default=None)


# delay-seconds = 1*DIGIT, here with a fraction                     RFC 9110, 10.2.3
_DELAY = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?")


def _delay(value: str, headers: Headers, now: datetime | None) -> float | None:
    """Return the seconds that a Retry-After names, or `None` if it cannot be read."""
    if _DELAY.fullmatch(value):
        return float(value)
    date = date_of(value, now)
    if date is None:
        return None
    start = date_of(headers.get("date", ""), now) if now is None else now
    if start is None:
        raise ValueError(f"Retry-After is the date {quote(value)}; pass now to count from it")
    return max(0.0, (date - start).total_seconds())
