"""What is executed of a batch, and in which order: what its identifiers mean, who waits for whom.

An item of the batch is a unit: an operation alone, or a change set. A unit starts once all that its
operations depend on is settled; within a change set the same holds for its operations. Both are a
`Schedule`, which counts down what each of its nodes waits for, so that all work is linear in the
number of operations and dependencies, and nothing recurses. Where nothing depends on anything, as
in most batches, the order is that of the batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple, TypeAlias, TypeVar

from odata_batch._checks.requests import RequestRules
from odata_batch._checks.scope import Scope, path_of
from odata_batch._coding.settings import Settings
from odata_batch._graph.names import Edge, Names
from odata_batch._graph.prepare import prepare
from odata_batch._model import findings, values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Diagnostic
from odata_batch._model.limits import Findings, Limits
from odata_batch._model.values import ChangeSet, Format, Operation, RequestItem, Unreadable

_T = TypeVar("_T")
_Pairs = list[tuple[int, int]]
Numbered: TypeAlias = Sequence[_T] | dict[int, _T]


class Way(NamedTuple):
    """How a batch is planned."""

    format: Format
    settings: Settings
    check_names: Callable[[list[str | None], Sequence[RequestItem]], None]
    """Raises `DecodeError` for identifiers of operations, and items, that could not be answered."""
    in_turn: bool
    """Whether items run one after the other."""
    members_in_turn: bool
    """Whether operations of a change set do."""
    resolves: bool
    """Whether references are resolved where the value is needed."""


def _dissolved(request: values.BatchRequest, dialect: Dialect) -> values.BatchRequest:
    """Return the operations without the change sets, and nothing that depends on one."""
    names = Names(request.items, dialect=dialect)
    items: list[RequestItem] = []
    for item in request.items:
        for each in values.parts_of(item):
            if isinstance(each, Operation):
                kept = tuple(name for name in each.depends_on if names.group(name) is None)
                each = replace(each, depends_on=kept)
            items.append(each)
    return replace(request, items=tuple(items))


def _index(request: values.BatchRequest, format: Format, dialect: Dialect, limits: Limits) -> Names:
    """Return the index; raise for what decoding would have raised for, and for what is too much."""
    sizes = [len(item.operations()) for item in request.items if isinstance(item, ChangeSet)]
    counts = {
        "operations": len(request.items) - len(sizes) + sum(sizes),
        "change_sets": len(sizes),
        "change_set_operations": max(sizes, default=0),
        "items": len(request.items),
    }
    check_counts(counts, limits, dialect)
    report = Findings(limits, dialect.severities, findings.Severity.ERROR)
    # Values may come from another decoder: they are checked as if nothing had checked them.
    checks = RequestRules(Scope(format, dialect, limits, report, "made"))
    if checks.take(request.items, 0):
        return Names(request.items, dialect=dialect)
    for index, item in enumerate(request.items):
        check_depth(item, index, limits)
        checks.check(item, index)
    checks.finish()
    return checks.names


def check_counts(counts: Mapping[str, int], limits: Limits, dialect: Dialect) -> None:
    """Raise `LimitExceeded` for more than a batch may have of something."""
    for limit, count in counts.items():
        quotas = getattr(limits, limit, limits.operations), getattr(dialect, limit, None)
        allowed = min(each for each in quotas if each is not None)
        if count > allowed:
            what = limit.replace("_", " ")
            message = f"too many {what}: found {count}, the limit is {allowed}"
            found = Diagnostic(findings.LIMIT_EXCEEDED, message, limit=(limit, allowed))
            raise findings.LimitExceeded(found)


def check_depth(item: RequestItem, index: int, limits: Limits) -> None:
    """Raise `DecodeError` for a change set that nests deeper than allowed."""
    depth = values.depth_of(item) if isinstance(item, ChangeSet) else 0
    if depth > limits.change_set_depth:
        message, path = f"found change sets nested {depth} deep", path_of([index])
        found = Diagnostic(values.NESTED_CHANGE_SET, message, item.position, path)
        raise findings.DecodeError(found)


class Schedule:
    """Which nodes may start: those for which everything is settled that they wait for.

    In turn each waits for the one before it in this order, and for nothing else.
    """

    def __init__(self, order: Iterable[int], pairs: _Pairs, in_turn: bool) -> None:
        self._rest: Iterator[int] = iter(order)
        self._waiting: dict[int, int] = {}
        self._after: dict[int, list[int]] = {}
        if in_turn:
            self.startable = deque(islice(self._rest, 1))
            return
        for first, second in pairs:
            self._after.setdefault(first, []).append(second)
            self._waiting[second] = self._waiting.get(second, 0) + 1
        self.startable = deque(node for node in self._rest if node not in self._waiting)

    def settle(self, node: int) -> None:
        """Take note that nothing needs to wait for the node any more."""
        for other in self._rest:
            self.startable.append(other)
            return
        for other in self._after.pop(node, ()):
            self._waiting[other] -= 1
            if not self._waiting[other]:
                del self._waiting[other]
                self.startable.append(other)

    def add(self, node: int, others: Collection[int]) -> None:
        """Add a node that waits for others, none of which is settled."""
        for other in others:
            self._after.setdefault(other, []).append(node)
        if others:
            self._waiting[node] = len(others)
        else:
            self.startable.append(node)


class Unit:
    """An item of the batch while it is executed."""

    running = 0
    """How many operations have been handed out and not completed."""
    begun = False
    """Whether a step or signal of it has been handed out."""
    settled = False
    """Whether it is over."""
    lost = False
    """Whether it was abandoned while it ran, and its outcome is not known."""
    failed = False
    """Whether one of its operations has, or it has as a whole."""
    culprit = -1
    """The operation that failed first."""
    failure: values.OperationResponse | None = None
    """The response to all of it, where it failed as a whole."""
    fault: findings.DecodeError | None = None
    """Why it is not to be run, if it was fed and breaks a rule."""

    def __init__(self, index: int, members: range) -> None:
        self.index = index
        self.members = members
        """The indexes of its operations."""
        self.left = len(members)
        """How many operations have not been answered."""

    def fail(self, response: values.OperationResponse) -> None:
        """Take note that it has failed as a whole."""
        self.failed, self.failure = True, response


class Group(Unit):
    """A change set while it is executed."""

    is_open = False
    """Whether its `Begin` was done, and no `Commit` or `Rollback` was."""

    def __init__(self, index: int, members: range, item: ChangeSet, schedule: Schedule) -> None:
        super().__init__(index, members)
        self.change_set, self.schedule = item, schedule


class Turns(NamedTuple):
    """The order in which items are run, and the operations of each."""

    items: Sequence[int]
    between: _Pairs
    """Items of which the second waits for the first."""
    ranks: Sequence[int]
    """The place of each operation."""
    within: Mapping[int, _Pairs]
    """For an item, the operations of which the second waits for the first."""
    forward: Collection[int]
    """The indexes of the edges to what does not come before, which nothing waits for."""

    def unit(
        self,
        names: Names,
        at: int,
        item: RequestItem,
        members_in_turn: bool,
        base: int = 0,
        start: int = 0,
    ) -> Unit:
        """Return the unit of an item; `base` items and `start` operations come before these."""
        index, own = base + at, names.members[at]
        members = range(start + own.start, start + own.stop)
        if not isinstance(item, ChangeSet):
            return Unit(index, members)
        turns = [start + each for each in sorted(own, key=self.ranks.__getitem__)]
        pairs = [(start + first, start + second) for first, second in self.within.get(at, ())]
        return Group(index, members, item, Schedule(turns, pairs, members_in_turn))


def arranged(names: Names, edges: Sequence[Edge]) -> Turns:
    """Return in which order items are run that have these edges, and what waits for what."""
    within: dict[int, _Pairs] = {}
    between: _Pairs = []
    forward: set[int] = set()
    if not edges:
        return Turns(range(len(names.items)), between, range(len(names.operations)), within, ())
    # Only a group that was split on the wire may depend on what now comes later; other
    # references than these two do not change the order.
    order = names.order(edge for edge in edges if edge.place in ("depends_on", "url"))
    ranks = sorted(range(len(order)), key=order.__getitem__)
    # Change sets stay whole in this order; an item without operations stays where it is.
    unit_ranks: list[int] = []
    for members in names.members:
        before = unit_ranks[-1] if unit_ranks else -1
        unit_ranks.append(ranks[members[0]] if members else before)
    for at, edge in enumerate(edges):
        if edge.target is None:
            continue
        unit, other = names.item_of[edge.source], names.item(edge.target)
        # Nothing waits for what comes later, so that nothing waits forever.
        if unit != other and unit_ranks[other] < unit_ranks[unit]:
            between.append((other, unit))
        elif unit == other and ranks[edge.target] < ranks[edge.source]:
            within.setdefault(unit, []).append((edge.target, edge.source))
        else:
            forward.add(at)
    items = sorted(range(len(unit_ranks)), key=unit_ranks.__getitem__)
    return Turns(items, between, ranks, within, forward)


class Plan:
    """The units of a batch, and what their operations depend on.

    With `in_turn` the units run one after the other, with `members_in_turn` the operations of each
    change set. If it `resolves` references, what binds in a body depends on something, too.
    """

    operations: Numbered[Operation]
    """The caller's own operations."""
    source: Numbered[RequestItem]
    """The items with the identifiers that they were sent with; their operations alone, where change
    sets are not executed as one."""
    ids: Numbered[str | None]
    """The identifiers of the operations."""
    size: int
    """How many items there are."""

    def __init__(self, request: values.BatchRequest, way: Way) -> None:
        """Plan a batch that is known as a whole; raise what `Execution` says."""
        format, dialect = way.format, way.settings.dialect
        names = _index(request, format, dialect, way.settings.limits)
        self.operations, source, items = tuple(names.operations), request, request.items
        if format == "json":
            # A JSON request names its operations; what else is generated was never sent. One that
            # was read and does not is answered without names.
            source = prepare(request, format=format, dialect=dialect)
            names = Names(source.items, dialect=dialect)
        sent = self.operations if request.format == format else names.operations
        self.ids = ids = [each.id for each in sent]
        if not dialect.atomicity_groups:
            items, source = _dissolved(request, dialect).items, _dissolved(source, dialect)
            names = Names(source.items, dialect=dialect)
        self.source, self.size = source.items, len(items)
        way.check_names(ids, source.items)
        # What could not be read is run like a change set without operations: it fails at once.
        items = tuple(ChangeSet(()) if isinstance(each, Unreadable) else each for each in items)
        self._names, self._items = names, items
        self._begin(way)
        found = (*names.edges, *names.bindings()) if way.resolves else names.edges
        # Nothing waits for its own change set.
        edges = [it for it in found if it.target != ~names.item_of[it.source]]
        self._turns = arranged(names, edges)
        self._note(edges, self._turns.forward)
        self.schedule = Schedule(self._turns.items, self._turns.between, way.in_turn)

    def _begin(self, way: Way) -> None:
        self._members_in_turn, self.resolves = way.members_in_turn, way.resolves
        self.edges: dict[int, list[Edge]] = {}
        """For each operation that depends on something, on what, its own change set left out.

        In place of what does not come before, it depends on itself: whether that has been answered
        is chance, and it never has when it is asked.
        """
        self.depended_on: set[int] = set()
        """The nodes that something depends on."""
        self.units: dict[int, Unit] = {}
        """Those that have been looked up, by their index."""

    def _note(self, edges: Iterable[Edge], forward: Collection[int]) -> None:
        for at, edge in enumerate(edges):
            if at in forward:
                edge = replace(edge, target=edge.source)
            elif edge.target is not None:
                self.depended_on.add(edge.target)
            self.edges.setdefault(edge.source, []).append(edge)

    def unit(self, index: int) -> Unit:
        """Return the unit of an item."""
        unit = self.units.get(index)
        if unit is None:
            item = self._items[index]
            unit = self._turns.unit(self._names, index, item, self._members_in_turn)
            self.units[index] = unit
        return unit

    def find_from(self, name: str, source: int) -> int | None:
        """Return the operation that another one means by an identifier."""
        names = self._names
        return names.find(name, names.item_of[source]) if names.operations else None

    def method(self, node: int) -> str:
        """Return the method of an operation, nothing for a change set."""
        return self.operations[node].method if node >= 0 else ""

    def unit_of(self, node: int) -> Unit:
        """Return the unit of an operation, or of a change set."""
        return self.unit(self._names.item(node))
