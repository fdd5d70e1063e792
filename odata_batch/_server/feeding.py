"""The plan of a batch whose items are fed as they arrive, and forgotten when they are over.

What is kept of an item that is over is what later ones may refer to: the identifier of each
operation that has one, and the name of each change set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from odata_batch._checks.requests import RequestRules
from odata_batch._checks.scope import Scope
from odata_batch._graph.expressions import ETAG_FIELDS
from odata_batch._graph.names import Edge, Names, bindings_of, edges_of, key_of, may_depend
from odata_batch._graph.prepare import Preparation
from odata_batch._model.findings import DecodeError, Diagnostic, LimitExceeded, Severity, Stop
from odata_batch._model.values import ChangeSet, Operation, RequestItem, Unreadable, parts_of
from odata_batch._server.plan import Plan, Schedule, Unit, Way, arranged, check_counts, check_depth

_OVER = Unit(-1, range(0))
_OVER.settled = True


class _Taken(NamedTuple):
    """A unit that is to be planned: its item, as it is sent, and the number of what it came in."""

    unit: int
    members: range
    item: RequestItem
    number: int


class Feed(Plan):
    """A plan to which items are added.

    They are planned as they come, until one uses a name that has not come. It and all after it
    wait for the end, and are planned together. What breaks a rule is a unit with a fault.
    """

    def __init__(self, way: Way) -> None:
        self.operations: dict[int, Operation] = {}
        self.source: dict[int, RequestItem] = {}
        self.ids: dict[int, str | None] = {}
        self.size = self._count = self._number = 0
        self._begin(way)
        self.schedule, self._in_turn, self._last = Schedule((), [], False), way.in_turn, -1
        self.dialect, self._limits = way.settings.dialect, way.settings.limits
        format, self._check_names = way.format, way.check_names
        self._key = key_of(self.dialect)
        self._severities = dict(self.dialect.severities)
        self._rules = RequestRules(Scope(format, self.dialect, self._limits, self._report, "made"))
        self._rules.forgets = True
        # In JSON, an operation depends on what it refers to, though it does not say so.
        self._filling = _Filling(format, self.dialect) if format == "json" else None
        self._decisive = {"condition", *ETAG_FIELDS, *(("query", "body") if way.resolves else ())}
        self._counts = {"operations": 0, "change_sets": 0, "items": 0}
        self._faults: dict[int, DecodeError] = {}
        self._at = 0
        self._taken: list[_Taken] = []
        self._waits = False
        # The units of operations that are not over
        self._unit_of: dict[int, int] = {}
        # What a name means first of all, and in a change set that is not over; and change sets
        self._named: dict[str, int] = {}
        self._members: dict[tuple[int, str], int] = {}
        self._groups: dict[str, int] = {}
        self._dissolved: set[str] = set()

    # -- what comes --

    def add(self, items: Sequence[RequestItem]) -> None:
        """Take the next items of the batch."""
        first, self._number = self._number, self._number + len(items)
        for number, item in enumerate(items, first):
            try:
                self._admit(item, number)
            except DecodeError as error:
                self._faults[number] = error
        is_sound = not self._faults and self._rules.take(items, first)
        for number, item in enumerate(items, first):
            before = len(self._taken)
            waits = not is_sound and self._check(item, number)
            for part in self._parts(item):
                waits = self._take(part, number) or waits
            if waits and not self._waits:
                self._arrange(before)
                self._waits = True
        if not self._waits:
            self._arrange(len(self._taken))

    def end(self) -> None:
        """Plan what has waited; nothing else comes."""
        self._rules.finish()
        self._arrange(len(self._taken))

    def _admit(self, item: RequestItem, number: int) -> None:
        """Raise `DecodeError` for an item that is too much, or that could not be answered."""
        operations, is_set = _operations_of(item), isinstance(item, ChangeSet)
        self._counts["items"] += 1
        self._counts["change_sets"] += is_set
        self._counts["operations"] += len(operations)
        size = {"change_set_operations": len(operations) if is_set else 0}
        check_counts(self._counts | size, self._limits, self.dialect)
        check_depth(item, number, self._limits)
        self._check_names([each.id for each in operations], [item])

    def _check(self, item: RequestItem, number: int) -> bool:
        """Apply the rules to an item; tell whether something of it is known at the end only."""
        self._at, pending = number, len(self._rules.pending)
        if number in self._faults:
            self._rules.pass_by(item, number)
            return False
        with suppress(Stop):
            self._rules.check(item, number)
        return len(self._rules.pending) > pending

    def _report(self, found: Diagnostic) -> None:
        """Take note of what is wrong with an item."""
        severity = self._severities.get(found.rule, found.severity)
        if severity is Severity.ERROR or found.rule.fatal:
            at = found.path.removeprefix("items[").partition("]")[0]
            error = LimitExceeded if found.limit else DecodeError
            number = int(at) if at else self._at
            self._faults.setdefault(number, error(replace(found, severity=severity)))

    def _parts(self, item: RequestItem) -> Iterator[RequestItem]:
        """Yield an item, or what is executed in its place if change sets are not run as one."""
        if self.dialect.atomicity_groups:
            yield item
            return
        if isinstance(item, ChangeSet) and item.id is not None:
            self._dissolved.add(self._key(item.id))
        for part in parts_of(item):
            if isinstance(part, Operation) and part.depends_on:
                kept = [each for each in part.depends_on if self._key(each) not in self._dissolved]
                part = replace(part, depends_on=tuple(kept))
            yield part

    def _take(self, item: RequestItem, number: int) -> bool:
        """Take a unit; tell whether it uses names that may come later."""
        index, fault, operations = self.size, self._faults.get(number), _operations_of(item)
        members = range(self._count, self._count + len(operations))
        self.size, self._count, self.source[index] = index + 1, members.stop, item
        for node, operation in zip(members, operations, strict=True):
            self.operations[node], self._unit_of[node] = operation, index
            self.ids[node] = id = self._usable(operation.id, fault)
            if id is not None:
                self._members.setdefault((index, self._key(id)), node)
                self.depended_on.add(node)
                self._named.setdefault(self._key(id), node)
        if self._filling is not None and fault is None:
            item = self._filling.item(item)
        if isinstance(item, ChangeSet) and item.id is not None:
            if self._groups.setdefault(self._key(item.id), index) == index:
                self.depended_on.add(~index)
        taken = _Taken(index, members, item, number)
        self._taken.append(taken)
        edges = self._edges(taken)
        return any(edge.target is None and edge.place in self._decisive for edge in edges)

    def _usable(self, id: str | None, fault: DecodeError | None) -> str | None:
        """Return an identifier, unless nothing can be answered under it."""
        if fault is None or id is None:
            return id
        is_taken = self._key(id) in self._named or self._key(id) in self._groups
        if not is_taken and len(id) <= self._limits.id:
            with suppress(DecodeError):
                self._check_names([id], ())
                return id
        return None

    # -- what depends on what --

    def find(self, id: str, item: int) -> int | None:
        """Return the operation that an operation of this item means by an identifier."""
        key = self._key(id)
        return self._members.get((item, key), self._named.get(key))

    def group(self, name: str) -> int | None:
        """Return the index of the first change set that has this name."""
        return self._groups.get(self._key(name))

    def find_from(self, name: str, source: int) -> int | None:
        """Return the operation that another one means by an identifier."""
        return self.find(name, self._unit_of.get(source, -1))

    def unit(self, index: int) -> Unit:
        """Return the unit of an item that is not over."""
        return self.units[index]

    def method(self, node: int) -> str:
        """Return the method of an operation that is not over."""
        return self.operations[node].method if node in self.operations else ""

    def unit_of(self, node: int) -> Unit:
        """Return the unit of an operation, or of a change set."""
        return self.units.get(self._item(node), _OVER)

    def _item(self, node: int) -> int:
        """Return the index of the item of a node, -1 for an operation that is over."""
        return ~node if node < 0 else self._unit_of.get(node, -1)

    def _edges(self, taken: _Taken) -> Iterator[Edge]:
        """Yield what a unit depends on, itself left out."""
        if taken.number in self._faults:
            return
        for source, operation in zip(taken.members, _operations_of(taken.item), strict=True):
            edges: list[Edge] = []
            if may_depend(operation):
                edges += edges_of(operation, source, taken.unit, self)
            if self.resolves:
                edges += bindings_of(operation, source, taken.unit, self)
            yield from (edge for edge in edges if edge.target != ~taken.unit)

    def _arrange(self, count: int) -> None:
        """Plan the first of the units that were taken; they use no names that come later."""
        taken, self._taken = self._taken[:count], self._taken[count:]
        if not taken:
            return
        names = Names([each.item for each in taken], dialect=self.dialect)
        base, start = taken[0].unit, taken[0].members.start
        edges: list[Edge] = []
        # The same, without what is beyond these units
        own: list[Edge] = []
        others: list[set[int]] = [set() for _ in taken]
        for at, each in enumerate(taken):
            for edge in self._edges(each):
                target = edge.target
                other = -1 if target is None else self._item(target)
                is_unknown = target is None and edge.place not in ("url", "depends_on", "body")
                if is_unknown or other >= base + len(taken):
                    continue  # what comes later decides nothing
                edges.append(edge)
                if target is not None and other >= base:
                    target += base if target < 0 else -start
                else:
                    others[at].add(other)
                    target = None
                own.append(replace(edge, source=edge.source - start, target=target))
        turns = arranged(names, own)
        self._note(edges, turns.forward)
        for first, second in turns.between:
            others[second].add(first + base)
        for at in turns.items:
            index, item = taken[at].unit, self.source[taken[at].unit]
            item = ChangeSet(()) if isinstance(item, Unreadable) else item
            unit = turns.unit(names, at, item, self._members_in_turn, base, start)
            unit.fault = self._faults.get(taken[at].number)
            self.units[index] = unit
            before = [self._last] if self._in_turn else others[at]
            self._last = index
            over = {each for each in before if self.units.get(each, _OVER).settled}
            self.schedule.add(index, {*before} - over)
        for each in taken:
            self._faults.pop(each.number, None)

    # -- what is over --

    def forget(self, unit: Unit) -> list[int]:
        """Forget a unit that is over; return its nodes that later ones may refer to."""
        del self.units[unit.index], self.source[unit.index]
        nodes = (~unit.index, *unit.members)
        named = [node for node in nodes if node in self.depended_on]
        self.depended_on.difference_update(nodes)
        for node in unit.members:
            del self.operations[node], self._unit_of[node]
            self.edges.pop(node, None)
            id = self.ids.pop(node)
            self._members.pop((unit.index, self._key(id or "")), None)
        return named


class _Filling(Preparation):
    """Fills dependencies in as items come; what has no name gets one that nothing can refer to."""

    _count = 0

    def _generated(self, prefix: str) -> str:
        self._count += 1
        return f"\0{self._count}"


def _operations_of(item: RequestItem) -> Sequence[Operation]:
    if isinstance(item, ChangeSet):
        return item.operations()
    return (item,) if isinstance(item, Operation) else ()
