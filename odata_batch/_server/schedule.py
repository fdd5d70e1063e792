"""What of a batch waits for what, while it is executed.

An item of the batch is a unit: an operation alone, or a change set. A unit starts once all that its
operations depend on is settled; within a change set the same holds for its operations. Both are a
`Schedule`, which counts down what each of its nodes waits for, so that all work is linear in the
number of operations and dependencies, and nothing recurses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from odata_batch._graph.references import Dependencies, Edge
from odata_batch._model.values import BatchRequest, ChangeSet, OperationResponse


class Schedule:
    """Which nodes may start: those for which everything is settled that they wait for."""

    def __init__(self, order: Iterable[int], pairs: Iterable[tuple[int, int]]) -> None:
        self._waiting = dict.fromkeys(order, 0)
        self._after: dict[int, list[int]] = {}
        for first, second in pairs:
            self._after.setdefault(first, []).append(second)
            self._waiting[second] += 1
        self.startable = deque(node for node, waiting in self._waiting.items() if not waiting)

    def settle(self, node: int) -> None:
        """Take note that nothing needs to wait for the node any more."""
        for other in self._after.get(node, ()):
            self._waiting[other] -= 1
            if not self._waiting[other]:
                self.startable.append(other)


@dataclass(slots=True, eq=False)
class Unit:
    """An item of the batch while it is executed."""

    index: int
    change_set: ChangeSet | None
    members: range
    """The indexes of its operations."""
    schedule: Schedule
    left: int
    """How many operations have not been answered."""
    running: int = 0
    """How many operations have been handed out and not completed."""
    begun: bool = False
    """Whether a step or signal of it has been handed out."""
    settled: bool = False
    """Whether it is over."""
    culprit: int = -1
    """The operation that failed first."""
    failure: OperationResponse | None = None
    """The response to all of it, where it failed as a whole."""

    @property
    def failed(self) -> bool:
        return self.culprit >= 0 or self.failure is not None


class Plan:
    """The units of a batch, and what their operations depend on."""

    def __init__(
        self,
        request: BatchRequest,
        dependencies: Dependencies,
        order: Sequence[int],
        in_turn: bool,
        members_in_turn: bool,
    ) -> None:
        members = _members(request)
        unit_order = _unit_order([dependencies.item_of[index] for index in order], members)
        self._item_of = dependencies.item_of
        self._edges: list[list[Edge]] = [[] for _ in order]
        self._depended_on: set[int] = set()
        between: list[tuple[int, int]] = []
        within: list[list[tuple[int, int]]] = [[] for _ in members]
        ranks = {index: rank for rank, index in enumerate(order)}
        unit_ranks = {index: rank for rank, index in enumerate(unit_order)}
        for source, target in self._take_edges(dependencies.edges):
            unit, other = self._item_of[source], self._unit_index(target)
            # Nothing waits for what comes later, so that nothing waits forever.
            if unit != other and unit_ranks[other] < unit_ranks[unit]:
                between.append((other, unit))
            elif unit == other and ranks[target] < ranks[source]:
                within[unit].append((target, source))
        self.schedule = Schedule(unit_order, pairwise(unit_order) if in_turn else between)
        member_order: list[list[int]] = [[] for _ in members]
        for index in order:
            member_order[self._item_of[index]].append(index)
        self.units = [
            Unit(
                index=index,
                change_set=item if isinstance(item, ChangeSet) else None,
                members=members[index],
                schedule=Schedule(
                    member_order[index],
                    pairwise(member_order[index]) if members_in_turn else within[index],
                ),
                left=len(members[index]),
            )
            for index, item in enumerate(request.items)
        ]

    def edges_of(self, index: int) -> Sequence[Edge]:
        """Return what an operation depends on, its own change set left out."""
        return self._edges[index]

    def is_depended_on(self, index: int) -> bool:
        """Tell whether an operation depends on this one."""
        return index in self._depended_on

    def unit_of(self, node: int) -> Unit:
        """Return the unit of an operation, or of a change set."""
        return self.units[self._unit_index(node)]

    def _unit_index(self, node: int) -> int:
        count = len(self._item_of)
        return self._item_of[node] if node < count else node - count

    def _take_edges(self, edges: Iterable[Edge]) -> Iterator[tuple[int, int]]:
        """Keep the edges; yield the ends of those that have two."""
        for edge in edges:
            source, target = edge.source, edge.target
            if target is not None:
                if (
                    target >= len(self._item_of)
                    and self._unit_index(target) == self._item_of[source]
                ):
                    continue  # nothing waits for its own change set
                self._depended_on.add(target)
                yield source, target
            self._edges[source].append(edge)


def _members(request: BatchRequest) -> list[range]:
    """Return the indexes of the operations of each item."""
    members = []
    stop = 0
    for item in request.items:
        start = stop
        stop += len(item.operations()) if isinstance(item, ChangeSet) else 1
        members.append(range(start, stop))
    return members


def _unit_order(order: Iterable[int], members: Sequence[range]) -> list[int]:
    """Return the units in the order of their operations; one without any stays where it is."""
    found = []
    for unit in (-1, *dict.fromkeys(order)):
        found.append(unit)
        while unit + 1 < len(members) and not members[unit + 1]:
            unit += 1
            found.append(unit)
    return found[1:]
