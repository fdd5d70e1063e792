"""References to other requests of the same batch, and the order that they give it.

OData Protocol, 11.7.4 to 11.7.6, and OData JSON, 19.1. What a URL refers to is in `_urls`, what
other texts refer to is in `_expressions`; here are the operation and the batch as a whole. All work
is linear in the size of the batch and keeps its own stack.

Why this long: the graph stands beside what it is made of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Literal, TypeAlias

from odata_batch._graph.expressions import (
    etag_references,
    expression_references,
    json_bindings,
    json_references,
    query_references,
)
from odata_batch._graph.urls import reference_in
from odata_batch._model.dialect import Dialect
from odata_batch._model.headers import folded
from odata_batch._model.public import public
from odata_batch._model.values import BatchRequest, ChangeSet, Operation
from odata_batch._wire.sections import parse_media_type
from odata_batch.dialects import ODATA_4_01, check_dialect

Format: TypeAlias = Literal["multipart", "json"]
Place: TypeAlias = Literal["url", "if-match", "if-none-match", "query", "condition", "body"]
_ETAG_FIELDS: tuple[Literal["if-match", "if-none-match"], ...] = ("if-match", "if-none-match")


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference to another request of the batch, as an operation makes it."""

    id: str
    """The request identifier, without the dollar sign."""
    place: Place
    """Where it stands: in the first segment of the URL, in a field, in the query part of the URL,
    in the member `if`, or in the body."""
    text: str
    """The word or string that it begins; in a query, what percent-encodings stand for."""


def find_references(
    operation: Operation, *, dialect: Dialect = ODATA_4_01
) -> tuple[Reference, ...]:
    """Return the references to other requests that an operation makes (OData Protocol, 11.7.4).

    - "url": the first segment of a relative URL; `dialect` may allow more or less.
    - "if-match", "if-none-match": `$1`, or `$1` in a list; `"$1"` is an ETag (11.7.5).
    - "query", "condition": a word that begins with `$1`, is followed by nothing or a slash, and is
      in no string. Names of query options and literals such as `$it` come first (11.7.6).
    - "body": a string that is `$1` or begins with `$1/`, in JSON or a body of unknown type, which
      is parsed if it may have one. It may be a price: bodies are never rewritten.

    Nothing else is looked for: not in the path behind the first segment, not in other fields, not
    in member names, not in bodies that cannot be read as JSON, and not `%241`. Whether the batch
    has such a request is not asked.

    >>> url = "$1/Orders?$filter=Total gt $2/Total and Name ne '$3'&$orderby=Name"
    >>> [(found.id, found.place) for found in find_references(Operation.get(url))]
    [('1', 'url'), ('2', 'query')]
    """
    check_dialect(dialect)
    return (*references_outside_body(operation, dialect), *_references_in_body(operation, dialect))


def references_outside_body(operation: Operation, dialect: Dialect) -> Iterator[Reference]:
    """Yield what `find_references` returns less what is in the body, at little cost."""
    url = operation.url
    if "$" in url:
        reference = reference_in(url, dialect)
        if reference is not None:
            yield Reference(id=reference.id, place="url", text=f"${reference.id}")
        for id, text in query_references(url):
            yield Reference(id=id, place="query", text=text)
    fields = folded(operation.headers)
    for place in _ETAG_FIELDS:
        for value in fields.get(place, ()):
            for id in etag_references(value):
                yield Reference(id=id, place=place, text=f"${id}")
    if operation.condition is not None:
        for id, text in expression_references(operation.condition):
            yield Reference(id=id, place="condition", text=text)


def _references_in_body(operation: Operation, dialect: Dialect) -> Iterator[Reference]:
    if _has_json(operation):
        for id, text in json_references(operation.body, dialect):
            yield Reference(id=id, place="body", text=text)


def bindings_in(operation: Operation, dialect: Dialect = ODATA_4_01) -> Iterator[str]:
    """Yield the identifiers that members of the body such as `Customer@odata.bind` refer to."""
    if _has_json(operation):
        yield from json_bindings(operation.body, dialect)


def _has_json(operation: Operation) -> bool:
    content_type = operation.headers.get("content-type")
    return bool(operation.body) and (content_type is None or parse_media_type(content_type).is_json)


Node: TypeAlias = int
"""An operation, or a change set as a whole: see `Dependencies`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One operation depends on another one, or on a change set as a whole."""

    source: int
    """The index of the operation that depends."""
    name: str
    """The identifier, or the name of the change set, as it is written."""
    place: str
    """Where it is written: "depends_on", or the place of a `Reference`."""
    target: Node | None
    """What has that name; `None` if nothing in the batch has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What depends on what in a batch request.

    Its n operations are the nodes 0 to n - 1, in the order of the batch. The item i of the batch,
    where it is a change set, is the node n + i.
    """

    operations: tuple[Operation, ...]
    """The operations in the order of the batch, those of change sets included."""
    item_of: tuple[int, ...]
    """For each operation, the index of the item of the batch that it is or belongs to."""
    edges: tuple[Edge, ...]
    """What depends on what, in the order of the operations that depend."""

    def forward(self) -> tuple[Edge, ...]:
        """Return the edges from an operation to one, or to a change set, that comes later.

        OData JSON, 19.1, and OData Protocol, 11.7.4, allow none.

        >>> batch = BatchRequest([Operation.get("$2/A", id="1"), Operation.post("B", id="2")])
        >>> [(edge.source, edge.target) for edge in dependencies_of(batch).forward()]
        [(0, 1)]
        """
        size = len(self.operations)
        return tuple(
            edge
            for edge, target, item, other in self._found()
            if edge.source < target < size or item < other
        )

    def order(self) -> tuple[int, ...]:
        """Return the operations so that each comes after what it depends on; it may not exist.

        Change sets stay whole: what depends on one of their operations comes after all of them. The
        order is that of the batch but for what is needed by something before it, which is moved to
        where it is needed first. Operations and change sets that depend on each other in a circle
        keep the order of the batch among themselves: ask `cycles`.

        >>> batch = BatchRequest([Operation.get("$2/A", id="1"), Operation.post("B", id="2")])
        >>> dependencies_of(batch).order()
        (1, 0)
        """
        members: dict[int, list[int]] = {}
        for component in _components(self._between_operations()):
            for index in sorted(component):
                members.setdefault(self.item_of[index], []).append(index)
        found: list[int] = []
        for component in _components(self._between_items()):
            for item in sorted(component):
                found += members.get(item, ())
        return tuple(found)

    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """Return the operations that depend on each other in a circle, each circle as a tuple.

        Each operation depends on the next one and the last on the first, or on the change set that
        holds it, or on another operation of that change set, because change sets are executed as
        one. An operation that depends on itself or on its own change set is a circle of one. Where
        circles have operations or change sets in common, one of them is returned. Each begins with
        the first of its operations, and so do they as a whole.

        >>> batch = BatchRequest([Operation.get("$2/A", id="1"), Operation.get("$1/B", id="2")])
        >>> dependencies_of(batch).cycles()
        ((0, 1),)
        """
        operations, items = self._between_operations(), self._between_items()
        found = [_circle(component, operations) for component in _components(operations)]
        sources: dict[tuple[int, int], int] = {}
        for edge, _, item, other in self._found():
            sources.setdefault((item, other), edge.source)
        for component in _components(items):
            circle = _circle(component, items)
            found.append(tuple(sources[ends] for ends in pairwise((*circle, *circle[:1]))))
        return tuple(sorted(circle for circle in found if circle))

    def _found(self) -> Iterator[tuple[Edge, Node, int, int]]:
        """Yield the edges that have a target, it, and the items that hold source and target."""
        size = len(self.operations)
        for edge in self.edges:
            target = edge.target
            if target is not None:
                other = self.item_of[target] if target < size else target - size
                yield edge, target, self.item_of[edge.source], other

    def _between_operations(self) -> list[list[int]]:
        """Within items; on its own change set, an operation depends as it does on itself."""
        found: list[list[int]] = [[] for _ in self.operations]
        for edge, target, item, other in self._found():
            if item == other:
                found[edge.source].append(target if target < len(found) else edge.source)
        return found

    def _between_items(self) -> list[list[int]]:
        pairs = [(item, other) for _, _, item, other in self._found()]
        last = max((*self.item_of, *(other for _, other in pairs)), default=-1)
        found: list[list[int]] = [[] for _ in range(last + 1)]
        for item, other in pairs:
            if item != other:
                found[item].append(other)
        return found


def dependencies_of(
    batch: BatchRequest,
    *,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
) -> Dependencies:
    """Return what depends on what in a batch (OData JSON, 19.1, and OData Protocol, 11.7.4).

    Edges come from `depends_on`, from URLs that refer to another request, and, if they name a
    request of the batch, from references in If-Match, If-None-Match, queries and conditions.
    Strings in bodies make no edges: `find_references` has them. Only in JSON have change sets
    names. Of several operations with the same identifier, the first in the same change set is
    meant, or else the first of all; `dialect` says whether the case of identifiers matters.

    >>> operations = Operation.post("A", id="1"), Operation.get("$1/B"), Operation.get("$3")
    >>> batch = BatchRequest(operations)
    >>> [(edge.source, edge.name, edge.target) for edge in dependencies_of(batch).edges]
    [(1, '1', 0), (2, '3', None)]
    """
    names = _Names(batch, dialect, format)
    return Dependencies(
        operations=tuple(names.operations),
        item_of=tuple(names.item_of),
        edges=tuple(names.edges()),
    )


class _Names:
    """What the names in a batch stand for."""

    def __init__(self, batch: BatchRequest, dialect: Dialect, format: Format) -> None:
        self.operations: list[Operation] = []
        self.item_of: list[int] = []
        self._dialect = dialect
        self._key: Callable[[str], str] = str.lower if dialect.ids_ignore_case else str
        self._anywhere: dict[str, Node] = {}
        self._members: dict[tuple[int, str], Node] = {}
        for index, item in enumerate(batch.items):
            for operation in item.operations() if isinstance(item, ChangeSet) else (item,):
                self._add(operation, index)
        self._groups: dict[str, Node] = {}
        for index, item in enumerate(batch.items if format == "json" else ()):
            if isinstance(item, ChangeSet) and item.id is not None:
                self._groups.setdefault(self._key(item.id), len(self.operations) + index)

    def edges(self) -> Iterator[Edge]:
        for source, operation in enumerate(self.operations):
            for name in dict.fromkeys(operation.depends_on):
                group = self._groups.get(self._key(name))
                target = self._find(name, source) if group is None else group
                yield Edge(source=source, name=name, place="depends_on", target=target)
            found = [
                (each.id, each.place) for each in references_outside_body(operation, self._dialect)
            ]
            for name, place in dict.fromkeys(found):
                target = self._find(name, source)
                if target is None and place == "condition":
                    target = self._groups.get(self._key(name))
                if target is not None or place == "url":
                    yield Edge(source=source, name=name, place=place, target=target)

    def _add(self, operation: Operation, item: int) -> None:
        if operation.id is not None:
            key = self._key(operation.id)
            self._anywhere.setdefault(key, len(self.operations))
            self._members.setdefault((item, key), len(self.operations))
        self.operations.append(operation)
        self.item_of.append(item)

    def _find(self, name: str, source: int) -> Node | None:
        key = self._key(name)
        member = self._members.get((self.item_of[source], key))
        return self._anywhere.get(key) if member is None else member


def _components(targets: Sequence[Sequence[int]]) -> Iterator[list[int]]:
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


def _circle(component: list[int], targets: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return a circle within a component, from its least node on; empty if there is none."""
    node = min(component)
    if len(component) == 1:
        return (node,) if node in targets[node] else ()
    # From each of its nodes something leads to another one, so that the walk comes round.
    within = set(component)
    places: dict[int, int] = {}
    while node not in places:
        places[node] = len(places)
        node = next(each for each in targets[node] if each in within and each != node)
    walk = list(places)[places[node] :]
    least = walk.index(min(walk))
    return (*walk[least:], *walk[:least])
