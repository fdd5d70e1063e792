"""What a decoder hands out of a batch that it streams.

A message of an item begins, its body comes in pieces, it ends; so does a change set around its own.
`Stream` makes these events of what is read; what is written takes a body in pieces, too.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Final, Generic, Self, TypeAlias, TypeVar

from odata_batch._checks.scope import Rules, path_of
from odata_batch._model import values
from odata_batch._model.findings import public
from odata_batch._model.values import Operation, OperationResponse, Unreadable
from odata_batch._wire.multipart import Found, Run
from odata_batch._wire.streams import END, Head

_Item = TypeVar("_Item", values.RequestItem, values.ResponseItem)
_Message_co = TypeVar("_Message_co", bound=Operation | OperationResponse, covariant=True)


@public
@dataclass(frozen=True, slots=True)
class ItemStart(Generic[_Message_co]):
    """An operation or a response begins: all of it but its body, which comes next.

    >>> from odata_batch import BatchRequest, RequestDecoder, encode_request
    >>> payload = encode_request(BatchRequest([Operation.put("Photos(1)", body=b"\\xff\\xd8")]))
    >>> decoder = RequestDecoder(payload.content_type, stream=True)
    >>> start, *pieces, end = [*decoder.receive_data(payload.body), *decoder.receive_eof()]
    >>> start.path, start.item.method, start.item.body
    ('items[0]', 'PUT', b'')
    >>> pieces, end
    ([Data(data=b'\\xff\\xd8')], ItemEnd(path='items[0]'))
    """

    item: _Message_co
    """The operation or the response; its body is empty."""
    path: str
    """Where it is, as in `items[2].items[0]`."""


@public
@dataclass(frozen=True, slots=True)
class Data:
    """The next octets of the body of what began last.

    >>> events = [Data(b"one "), Data(b"body"), ItemEnd("items[0]")]
    >>> b"".join(event.data for event in events if isinstance(event, Data))
    b'one body'
    """

    data: bytes
    """They are not empty."""


@public
@dataclass(frozen=True, slots=True)
class ItemEnd:
    """The operation or the response that began last is complete.

    >>> ItemEnd("items[2].items[0]").path
    'items[2].items[0]'
    """

    path: str
    """Where it is."""


@public
@dataclass(frozen=True, slots=True)
class ChangeSetStart:
    """A change set begins; what comes until its end belongs to it.

    >>> from odata_batch import BatchRequest, ChangeSet, RequestDecoder, encode_request
    >>> batch = BatchRequest([ChangeSet([Operation.delete("People(1)")])])
    >>> payload = encode_request(batch)
    >>> decoder = RequestDecoder(payload.content_type, stream=lambda head: False)
    >>> for event in [*decoder.receive_data(payload.body), *decoder.receive_eof()]:
    ...     print(type(event).__name__, getattr(event, "path", "wanted whole"))
    ChangeSetStart items[0]
    Operation wanted whole
    ChangeSetEnd items[0]
    """

    id: str | None
    """The name of the atomicity group; multipart does not carry it."""
    path: str
    """Where it is."""
    position: int | None = field(default=None, compare=False)
    """Offset in bytes at which it was found."""


@public
@dataclass(frozen=True, slots=True)
class ChangeSetEnd:
    """The change set that began last is complete.

    >>> ChangeSetEnd("items[0]").path
    'items[0]'
    """

    path: str
    """Where it is."""


RequestEvent: TypeAlias = (
    ItemStart[Operation] | Data | ItemEnd | ChangeSetStart | ChangeSetEnd | Operation | Unreadable
)
"""What `RequestDecoder` hands out where it streams; an `Operation` is one that is wanted whole."""
ResponseEvent: TypeAlias = (
    ItemStart[OperationResponse]
    | Data
    | ItemEnd
    | ChangeSetStart
    | ChangeSetEnd
    | OperationResponse
    | Unreadable
)
"""What `ResponseDecoder` hands out where it streams."""


class Size(bytes):
    """In place of the octets of a body that has passed: what is checked of them is their number."""

    size: int

    def __new__(cls, size: int, octets: bytes = b"") -> Self:
        made = super().__new__(cls, octets)
        made.size = min(size, sys.maxsize)  # no more can be the length of anything
        return made

    def __len__(self) -> int:
        return self.size


Pieces: TypeAlias = Iterable[bytes] | BinaryIO
"""A body in any pieces, or a binary file."""

# As much of a file is read at a time.
_PIECE: Final = 64 * 1024


def with_messages(made: dict[tuple[int, ...], Any], item: Any, place: tuple[int, ...]) -> Any:
    """Return an item with what was made of the messages in it."""
    if isinstance(item, values.CHANGE_SETS):
        places = [(*place, index) for index in range(len(item.items))]
        items = tuple(map(partial(with_messages, made), item.items, places))
        return values.changed(item, items=items)
    return made.get(place, item)


def pieces_of(body: Pieces) -> Iterator[bytes]:
    """Yield the octets of a body in pieces, of which none is empty."""
    kinds = bytes, bytearray, memoryview
    read = getattr(body, "read", None)
    pieces: Iterable[object] = (body,)  # what is no octets is refused as a piece
    if read is not None:
        pieces = iter(partial(read, _PIECE), b"")
    elif isinstance(body, Iterable) and not isinstance(body, (str, *kinds)):
        pieces = body
    for piece in pieces:
        if not isinstance(piece, kinds):
            found = type(piece).__name__
            raise TypeError(f"a body is bytes in pieces, or a binary file, not {found}")
        if piece:
            yield bytes(piece)


class Stream(Generic[_Item]):
    """Turns what is read of one batch into events, which the rules are applied to.

    `wants` tells of a head whether it is to be followed by pieces of its body, or comes as a whole.
    """

    def __init__(
        self,
        rules: Rules[_Item],
        wants: Callable[[Any], bool],
        find: Callable[[Found], None],
        out: list[Any],
    ) -> None:
        self.out = out
        self._rules: Rules[_Item] = rules
        rules.forgets, self._needs_bodies = True, rules.needs_bodies
        self._wants, self._find = wants, find
        # The indexes of what comes next, and what was in the change sets that have begun
        self._indexes = [0]
        self._sets: list[tuple[Any, list[Any]]] = []
        self._head: Any = None
        self._is_whole = False
        self._size = 0
        self._kept: list[bytes] = []

    def take(self, read: Run[Any]) -> None:
        """Add the events of what was read, and report what was found in front of each."""
        ahead = iter(read.found)
        finding = next(ahead, None)
        for index, step in enumerate(read.items, read.first):
            while finding is not None and finding.before <= index:
                self._find(finding)
                finding = next(ahead, None)
            self._add(step)
        while finding is not None:
            self._find(finding)
            finding = next(ahead, None)

    def _add(self, step: Any) -> None:
        if type(step) is bytes:
            self._size += len(step)
            if self._is_whole or self._needs_bodies:
                self._kept.append(step)
            if not self._is_whole:
                self.out.append(Data(step))
        elif isinstance(step, Head):
            self._begin(step.item)
        elif step is END:
            self._end()
        else:
            if not self._sets:
                self._check(step)
            self._tell(step)

    def _check(self, item: Any) -> None:
        index = self._indexes[0]
        if not self._rules.take((item,), index):
            self._rules.check(item, index)

    def _tell(self, item: Any) -> None:
        """Add the events of what was read as a whole."""
        if isinstance(item, values.CHANGE_SETS):
            self.out.append(ChangeSetStart(item.id, path_of(self._indexes), item.position))
            self._indexes.append(0)
            for inner in item.items:
                self._tell(inner)
            self._indexes.pop()
            self.out.append(ChangeSetEnd(path_of(self._indexes)))
        elif isinstance(item, Unreadable):
            self.out.append(item)
        else:
            head = values.changed(item, body=b"")
            if self._wants(head):
                path = path_of(self._indexes)
                self.out.append(ItemStart(head, path))
                if item.body:
                    self.out.append(Data(item.body))
                self.out.append(ItemEnd(path))
            else:
                self.out.append(item)
        if self._sets:
            self._sets[-1][1].append(item)
        self._indexes[-1] += 1

    def _begin(self, item: Any) -> None:
        path = path_of(self._indexes)
        if isinstance(item, values.CHANGE_SETS):
            self.out.append(ChangeSetStart(item.id, path, item.position))
            self._sets.append((item, []))
            self._indexes.append(0)
            return
        self._head, self._size = item, 0
        if not self._sets and not self._needs_bodies:
            self._check(item)
        self._is_whole = not self._wants(item)
        if not self._is_whole:
            self.out.append(ItemStart(item, path))

    def _end(self) -> None:
        """End the message that has begun, or else the last change set."""
        head, self._head = self._head, None
        event: Any
        if head is None:
            self._indexes.pop()
            change_set, members = self._sets.pop()
            item = values.changed(change_set, items=tuple(members))
            event = ChangeSetEnd(path_of(self._indexes))
        else:
            item = values.changed(head, body=Size(self._size)) if self._size else head
            whole = values.changed(head, body=b"".join(self._kept)) if self._kept else head
            self._kept.clear()
            if self._needs_bodies:
                item = whole
            event = whole if self._is_whole else ItemEnd(path_of(self._indexes))
        if self._sets:
            self._sets[-1][1].append(item)
        elif head is None or self._needs_bodies:
            self._check(item)
        elif self._size:
            self._rules.check_body(item, (self._indexes[0],))
        self._indexes[-1] += 1
        self.out.append(event)
