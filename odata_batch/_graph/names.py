"""The index of a batch: what its identifiers mean, the order of operations, where it stops.

OData Protocol, 11.7.4 and 8.2.8.3, and OData JSON, 19.1. Which operation a name means, and whether
a batch ends at an error, is decided here for all: rules, preparing, planning, converting, matching,
executing. What one operation refers to is found in `expressions`. All work is linear in the size of
the batch, except for a bisection where identifiers start anew in each change set, and keeps its own
stack.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count, pairwise
from typing import Protocol

from odata_batch._graph import expressions
from odata_batch._model import values
from odata_batch._model.dialect import ODATA_4_01, Dialect
from odata_batch._model.values import (
    BatchRequest,
    ChangeSet,
    Format,
    Operation,
    RequestItem,
    Unreadable,
)


def stops_at_error(
    request: BatchRequest, format: Format, dialect: Dialect, asked: bool | None = None
) -> bool:
    """Tell whether nothing is executed after the first error (OData Protocol, 8.2.8.3).

    `asked` replaces the `continue_on_error` of the request, unless it is `None`. Where neither is
    given, `dialect` knows what the service does in this format.

    >>> stops_at_error(BatchRequest([]), "multipart", ODATA_4_01)
    True
    >>> stops_at_error(BatchRequest([]), "json", ODATA_4_01)
    False
    """
    goes_on = asked
    if goes_on is None and dialect.continue_on_error:
        goes_on = request.continue_on_error
    if goes_on is not None:
        return not goes_on
    if format == "multipart":
        return dialect.multipart_stops_on_error
    return dialect.json_stops_on_error


def key_of(dialect: Dialect) -> Callable[[str], str]:
    """Return the function that maps identifiers that are the same to one key."""
    return str.lower if dialect.ids_ignore_case else str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One operation depends on another one, or on a change set as a whole."""

    source: int
    """The index of the operation that depends."""
    name: str
    """The identifier, or the name of the change set, as it is written."""
    place: str
    """Where it is written: "depends_on", or the place of a `Reference`."""
    target: int | None
    """The node that has that name, see `Names`; `None` if nothing in the batch has."""


class Lookup(Protocol):
    """What identifiers mean."""

    dialect: Dialect

    def find(self, id: str, item: int) -> int | None:
        """Return the operation that an operation of this item means by an identifier."""

    def group(self, name: str) -> int | None:
        """Return the index of the first change set that has this name."""


def may_depend(operation: Operation) -> bool:
    """Tell, at little cost, whether there may be such names; most operations have none."""
    return (
        bool(operation.depends_on)
        or "$" in operation.url
        or expressions.may_refer_outside_url(operation)
    )


def shortened(item: RequestItem) -> RequestItem:
    """Return what is asked of an item when others are checked."""
    if isinstance(item, ChangeSet):
        return values.changed(item, items=tuple(map(shortened, item.items)))
    if isinstance(item, Unreadable):
        return item
    url, headers = "", values.NO_HEADERS
    rest: tuple[bool, tuple[str, ...], str | None, tuple[()]] = False, (), None, ()
    if may_depend(item):
        url, headers = item.url, item.headers
        rest = False, item.depends_on, item.condition, ()
    return values.operation_of(item.method, url, headers, b"", item.id, item.position, *rest)


def edges_of(operation: Operation, source: int, item: int, names: Lookup) -> Iterator[Edge]:
    """Yield an edge for each name that the operation uses outside of its body."""

    def group_node(name: str) -> int | None:
        group = names.group(name)
        return None if group is None else ~group

    for name in dict.fromkeys(operation.depends_on):
        group = group_node(name)
        target = names.find(name, item) if group is None else group
        yield Edge(source=source, name=name, place="depends_on", target=target)
    references = expressions.references_outside_body(operation, names.dialect)
    for name, place in dict.fromkeys((each.id, each.place) for each in references):
        target = names.find(name, item)
        if target is None and place == "condition":
            target = group_node(name)
        yield Edge(source=source, name=name, place=place, target=target)


def bindings_of(operation: Operation, source: int, item: int, names: Lookup) -> Iterator[Edge]:
    """Yield an edge for each name that a member such as `Customer@odata.bind` refers to."""
    # Most bodies hold no dollar sign, in either spelling; `in` takes twice as long.
    body = operation.body
    if body.find(b"$") < 0 and body.find(b"\\u0024") < 0:
        return
    for name in dict.fromkeys(expressions.bindings_in(operation, names.dialect)):
        target = names.find(name, item)
        yield Edge(source=source, name=name, place="body", target=target)


class Names:
    """The one index of a batch: its operations, their identifiers, and what depends on what.

    Its n operations are the nodes 0 to n - 1, in the order of the batch, those of change sets
    included. The item i of the batch, where it is a change set, is the node ~i, which is negative.
    Of several operations with the same identifier, the first in the same change set is meant, or
    else the first of all; `dialect` says whether the case of identifiers matters.
    """

    def __init__(self, items: Iterable[RequestItem] = (), *, dialect: Dialect = ODATA_4_01) -> None:
        self.dialect = dialect
        self.key = key_of(dialect)
        self.items: list[RequestItem] = []
        self.operations: list[Operation] = []
        self.item_of: list[int] = []
        """For each operation, the index of the item that it is or belongs to."""
        self.members: list[range] = []
        """For each item, the indexes of its operations."""
        # Both tables are filled up to here when a name is first looked up: few batches have any.
        self._operations_read = self._items_read = 0
        self._named: dict[str, list[int]] = {}
        self._groups: dict[str, int] = {}
        for item in items:
            self.add(item)

    def add(self, item: RequestItem) -> None:
        """Take the next item of the batch."""
        start = len(self.operations)
        if isinstance(item, ChangeSet):
            self.operations += item.operations()
        elif not isinstance(item, Unreadable):
            self.operations.append(item)
        end = len(self.operations)
        self.item_of += [len(self.items)] * (end - start)
        self.members.append(range(start, end))
        self.items.append(item)

    def replace(self, item: RequestItem | None) -> None:
        """Put an item with the same names in place of the last one, or nothing if it has none."""
        start = self.members.pop().start
        del self.operations[start:], self.item_of[start:], self.items[-1:]
        if item is not None:
            self.add(item)
        self._operations_read = min(self._operations_read, len(self.operations))
        self._items_read = min(self._items_read, len(self.items))

    # -- names --

    def named(self, id: str) -> Sequence[int]:
        """Return the operations that have this identifier, in order."""
        for index in range(self._operations_read, len(self.operations)):
            own = self.operations[index].id
            if own is not None:
                self._named.setdefault(self.key(own), []).append(index)
        self._operations_read = len(self.operations)
        return self._named.get(self.key(id), ())

    def within(self, id: str, members: range) -> Sequence[int]:
        """Return those of them that are among these operations."""
        # By bisection, because identifiers of OData 2 start anew in each of many change sets.
        found = self.named(id)
        return found[bisect_left(found, members.start) : bisect_left(found, members.stop)]

    def find(self, id: str, item: int) -> int | None:
        """Return the operation that an operation of this item means by an identifier."""
        found = self.within(id, self.members[item]) or self.named(id)
        return found[0] if found else None

    def group(self, name: str) -> int | None:
        """Return the index of the first change set that has this name."""
        for index in range(self._items_read, len(self.items)):
            item = self.items[index]
            if isinstance(item, ChangeSet) and item.id is not None:
                self._groups.setdefault(self.key(item.id), index)
        self._items_read = len(self.items)
        return self._groups.get(self.key(name))

    def change_set(self, index: int) -> int | None:
        """Return the index of the change set, among the items, that the operation belongs to."""
        item = self.item_of[index]
        return item if isinstance(self.items[item], ChangeSet) else None

    def group_of(self, index: int) -> str | None:
        """Return the name of the change set that the operation belongs to."""
        item = self.items[self.item_of[index]]
        return item.id if isinstance(item, ChangeSet) else None

    # -- what depends on what, of a batch that is complete --

    def item(self, node: int) -> int:
        """Return the index of the item that a node is or belongs to."""
        return ~node if node < 0 else self.item_of[node]

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """What depends on what, in the order of the operations that depend.

        Edges come from `depends_on`, from URLs that refer to another request, and, if they name a
        request of the batch, from references in If-Match, If-None-Match, queries and conditions.
        Strings in bodies make none: `bindings` has those that may be meant.

        >>> items = Operation.post("A", id="1"), Operation.get("$1/B"), Operation.get("$3")
        >>> [(edge.source, edge.name, edge.target) for edge in Names(items).edges]
        [(1, '1', 0), (2, '3', None)]
        """
        return tuple(
            [
                edge
                for source, operation in enumerate(self.operations)
                if may_depend(operation)
                for edge in edges_of(operation, source, self.item_of[source], self)
                if edge.target is not None or edge.place in ("url", "depends_on")
            ]
        )

    def bindings(self) -> Iterator[Edge]:
        """Yield an edge for each name that a member such as `Customer@odata.bind` refers to.

        Strings elsewhere in a body may be prices, and some services resolve no references at all.

        >>> order = Operation.post("Orders", json={"Customer@odata.bind": "$1", "Note": "$1"})
        >>> names = Names([Operation.post("Customers", json={}, id="1"), order])
        >>> [(edge.source, edge.target) for edge in names.bindings()]
        [(1, 0)]
        """
        if self.dialect.references == "none":
            return
        for source, operation in enumerate(self.operations):
            yield from bindings_of(operation, source, self.item_of[source], self)

    def order(self, edges: Iterable[Edge] | None = None) -> tuple[int, ...]:
        """Return the operations so that each comes after what it depends on, if that is possible.

        Change sets stay whole: what depends on one of their operations comes after all of them. The
        order is that of the batch except for what is needed by something before it, which is moved
        to where it is needed first. Operations and change sets that depend on each other in a
        circle keep the order of the batch among themselves: ask `cycles`. `edges` replaces those of
        the batch.

        >>> Names([Operation.get("$2/A", id="1"), Operation.post("B", id="2")]).order()
        (1, 0)
        """
        inner, outer = self._targets(self.edges if edges is None else edges)
        levels = *enumerate(inner), *enumerate(outer)
        if all(target < index for index, targets in levels for target in targets):
            return tuple(range(len(self.operations)))
        members: list[list[int]] = [[] for _ in self.items]
        for component in _components(inner):
            for index in sorted(component):
                members[self.item_of[index]].append(index)
        items = (item for component in _components(outer) for item in sorted(component))
        return tuple(index for item in items for index in members[item])

    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """Return the operations that depend on each other in a circle, each circle as a tuple.

        Each operation depends on the next one and the last on the first, or on the change set that
        holds it, or on another operation of that change set, because change sets are executed as
        one. What depends on itself or on its own change set makes no circle, nor does a tag, a
        query or a condition with the name of what comes later. Where circles have operations or
        change sets in common, one of them is returned. Each begins with the first of its
        operations, and so do they as a whole.

        >>> Names([Operation.get("$2/A", id="1"), Operation.get("$1/B", id="2")]).cycles()
        ((0, 1),)
        """
        inner, outer = self._targets(
            edge
            for edge in self.edges
            if edge.place in ("url", "depends_on") or self._begin(edge) < edge.source
        )
        found = [_circle(each, inner) for each in _components(inner) if len(each) > 1]
        for component in _components(outer):
            if len(component) > 1:
                circle = _circle(component, outer)
                ends = pairwise((*circle, *circle[:1]))
                found.append(tuple(outer[item][other] for item, other in ends))
        return tuple(sorted(found))

    def _begin(self, edge: Edge) -> int:
        """Return the first operation that an edge to something leads to."""
        assert edge.target is not None  # only the other places have edges to nothing
        return edge.target if edge.target >= 0 else self.members[~edge.target].start

    def _targets(self, edges: Iterable[Edge]) -> tuple[list[list[int]], list[dict[int, int]]]:
        """Return what each operation depends on within its item, and each item outside of it.

        That it depends on its own change set is left out. With what an item depends on goes the
        operation that first does.
        """
        inner: list[list[int]] = [[] for _ in self.operations]
        outer: list[dict[int, int]] = [{} for _ in self.items]
        for edge in edges:
            if edge.target is None:
                continue
            item, other = self.item_of[edge.source], self.item(edge.target)
            if item != other:
                outer[item].setdefault(other, edge.source)
            elif edge.target >= 0:
                inner[edge.source].append(edge.target)
        return inner, outer


def _components(targets: Sequence[Collection[int]]) -> Iterator[list[int]]:
    """Yield the strongly connected components, each after all that it leads to.

    Tarjan's algorithm, on a stack of its own. Nodes are started from in order, so that those which
    lead only to nodes before them are yielded in order.
    """
    done = len(targets) + 1
    number = [0] * len(targets)
    low = [0] * len(targets)
    path: list[int] = []
    work: list[tuple[int, int, Iterator[int]]] = []

    def enter(node: int) -> None:
        number[node] = low[node] = next(numbers)
        work.append((node, len(path), iter(targets[node])))
        path.append(node)

    numbers = count(1)
    for start in range(len(targets)):
        if not number[start]:
            enter(start)
        while work:
            node, begin, rest = work[-1]
            for target in rest:
                if not number[target]:
                    enter(target)
                    break
                low[node] = min(low[node], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    yield path[begin:]
                    for each in path[begin:]:
                        number[each] = done
                    del path[begin:]


def _circle(component: list[int], targets: Sequence[Collection[int]]) -> tuple[int, ...]:
    """Return a circle within a component of several nodes, from its least node on."""
    node = min(component)
    # From each of its nodes something leads to another one, so that the walk comes round.
    within = set(component)
    places: dict[int, int] = {}
    while node not in places:
        places[node] = len(places)
        node = next(each for each in targets[node] if each in within and each != node)
    walk = list(places)[places[node] :]
    least = walk.index(min(walk))
    return (*walk[least:], *walk[:least])
