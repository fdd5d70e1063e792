"""Execution order: which operations wait for which.

An item of the batch is a unit: an operation alone, or a change set. A unit starts once all that its
operations depend on is settled; within a change set the same holds for its operations. Both are a
`Schedule`, which counts down what each of its nodes waits for, so that all work is linear in the
number of operations and dependencies, and nothing recurses.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from odata_batch._graph.names import Edge, Names
from odata_batch._model.values import ChangeSet, OperationResponse, RequestItem


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
    """The units of a batch, and what their operations depend on.

    `names` is the index of the batch, `items` are those of the caller. With `in_turn` the units run
    one after the other, with `members_in_turn` the operations of each change set.
    """

    def __init__(
        self, names: Names, items: Sequence[RequestItem], in_turn: bool, members_in_turn: bool
    ) -> None:
        self._names = names
        size = len(names.operations)
        # Nothing waits for its own change set.
        edges = [
            edge
            for edge in names.edges
            if edge.target is None or edge.target != size + names.item_of[edge.source]
        ]
        # Only a group that was split on the wire may depend on what now comes later; other
        # references than these two do not change the order.
        order = names.order(edge for edge in edges if edge.place in ("depends_on", "url"))
        ranks = {index: rank for rank, index in enumerate(order)}
        # Change sets stay whole in this order; an item without operations stays where it is.
        unit_ranks: list[int] = []
        for members in names.members:
            before = unit_ranks[-1] if unit_ranks else -1
            unit_ranks.append(ranks[members[0]] if members else before)
        unit_order = sorted(range(len(unit_ranks)), key=unit_ranks.__getitem__)
        self.edges: list[list[Edge]] = [[] for _ in order]
        """For each operation, what it depends on, its own change set left out."""
        self.depended_on: set[int] = set()
        """The nodes that something depends on."""
        between: list[tuple[int, int]] = []
        within: list[list[tuple[int, int]]] = [[] for _ in items]
        for edge in edges:
            self.edges[edge.source].append(edge)
            if edge.target is None:
                continue
            self.depended_on.add(edge.target)
            unit, other = names.item_of[edge.source], names.item(edge.target)
            # Nothing waits for what comes later, so that nothing waits forever.
            if unit != other and unit_ranks[other] < unit_ranks[unit]:
                between.append((other, unit))
            elif unit == other and ranks[edge.target] < ranks[edge.source]:
                within[unit].append((edge.target, edge.source))
        self.schedule = Schedule(unit_order, pairwise(unit_order) if in_turn else between)
        self.units = []
        for index, (item, members) in enumerate(zip(items, names.members, strict=True)):
            turns = sorted(members, key=ranks.__getitem__)
            schedule = Schedule(turns, pairwise(turns) if members_in_turn else within[index])
            change_set = item if isinstance(item, ChangeSet) else None
            self.units.append(Unit(index, change_set, members, schedule, len(members)))

    def unit_of(self, node: int) -> Unit:
        """Return the unit of an operation, or of a change set."""
        return self.units[self._names.item(node)]
