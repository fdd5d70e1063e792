"""What a batch is: its operations, change sets, responses, as values.

The values are the objects of the OData JSON batch format (OData JSON, 19) in snake case; multipart
batches map onto them. They are frozen and hold only immutable things, so they can be hashed,
pickled, copied and shared between threads. `==` compares meaning: places and reason phrases take no
part in it.
"""

import json as _json
from collections.abc import Callable, Collection, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypeVar, cast

from odata_batch._model.findings import (
    DecodeError,
    Diagnostic,
    error,
    names_in,
    of_type,
    optional,
    public,
    quote,
)
from odata_batch._model.headers import HasItems, Headers
from odata_batch._model.jsonvalue import FAULTS, JSON_SYNTAX, value_of
from odata_batch._model.limits import DEEPEST

NOT_EXPRESSIBLE = error("""
    not-expressible (unwritten): A value is written only in a format that can express all of it.
    [OData Protocol, 11.7.1]
    Choose the other format, or convert the batch and accept what is lost.""")
NESTED_CHANGE_SET = error("""
    nested-change-set: A change set holds no change set. [OData Protocol, 11.7.2]
    Move the operations of the inner change set into the outer one.""")


Format: TypeAlias = Literal["multipart", "json"]
HeadersLike: TypeAlias = Headers | HasItems | Iterable[tuple[str, str]]
Annotations: TypeAlias = tuple[tuple[str, bytes], ...]

NO_HEADERS = Headers()
_put = object.__setattr__


class _CutBody(bytes):
    """A body whose `repr` shows its beginning."""

    def __repr__(self) -> str:
        return f"{self[:60]!r}... ({len(self)} bytes)"


class _Shown:
    """A value that `str` shows like `repr`, its long bodies cut."""

    __slots__ = ()

    def __str__(self) -> str:
        return repr(_cut(self))


def _cut(value: Any) -> Any:
    if isinstance(value, Unreadable):
        return value
    if isinstance(value, Operation | OperationResponse | Payload):
        return value if len(value.body) <= 60 else replace(value, body=_CutBody(value.body))
    return replace(value, items=tuple(map(_cut, value.items)))


@public
@dataclass(frozen=True, slots=True, init=False)
class Operation(_Shown):
    """One individual request of a batch (OData Protocol, 11.7.2).

    A wrong type raises `TypeError` here; what the standard forbids is found by `encode_request`.

    >>> Operation.post("People", json={"Name": "Ann"}, id="1").body
    b'{"Name":"Ann"}'
    """

    method: str
    """The method, in upper case."""
    url: str
    """The URL as it is in the batch: absolute, an absolute path, relative, or `$id/...`; octets
    that are not UTF-8 are surrogates, as `surrogateescape` makes them."""
    headers: Headers
    """The header fields of the request; values are ISO-8859-1."""
    body: bytes
    """The octets of the body, never changed; empty if there is none."""
    id: str | None
    """The request identifier: Content-ID in multipart, `id` in JSON."""
    depends_on: tuple[str, ...]
    """Identifiers of requests and groups that come first; JSON only."""
    condition: str | None
    """The member `if`, an expression that is not looked into; JSON only."""
    annotations: Annotations
    """Members that the standard does not define, as `(name, raw JSON)`; JSON only."""
    position: int | None = field(init=False, compare=False, repr=False)
    """Offset in bytes at which the item was found; `None` if it was not decoded."""
    id_in_message: bool = field(init=False, compare=False, repr=False)
    """Whether the Content-ID was found in the HTTP message and is written there again."""

    def __init__(
        self,
        method: str,
        url: str,
        headers: HeadersLike = NO_HEADERS,
        body: bytes = b"",
        *,
        id: str | None = None,
        depends_on: Iterable[str] = (),
        condition: str | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        _put(self, "method", of_type(method, str, "method"))
        _put(self, "url", of_type(url, str, "url"))
        _put(self, "headers", _headers(headers))
        _put(self, "body", of_type(body, bytes, "body"))
        _put(self, "id", optional(id, str, "id"))
        names = names_in(depends_on, "depends_on") if depends_on != () else ()
        _put(self, "depends_on", tuple(names))
        _put(self, "condition", optional(condition, str, "condition"))
        _put(self, "annotations", _annotations(annotations) if annotations != () else ())
        _put(self, "position", None)
        _put(self, "id_in_message", False)

    @classmethod
    def get(
        cls,
        url: str,
        *,
        headers: HeadersLike = NO_HEADERS,
        json: Any = None,
        body: bytes = b"",
        id: str | None = None,
        depends_on: Iterable[str] = (),
    ) -> "Operation":
        """Return a GET request; see `patch` for the arguments. Few services take a body here.

        >>> Operation.get("People").method
        'GET'
        """
        return cls("GET", url, *_content(headers, json, body), id=id, depends_on=depends_on)

    @classmethod
    def post(
        cls,
        url: str,
        *,
        headers: HeadersLike = NO_HEADERS,
        json: Any = None,
        body: bytes = b"",
        id: str | None = None,
        depends_on: Iterable[str] = (),
    ) -> "Operation":
        """Return a POST request; see `patch` for the arguments."""
        return cls("POST", url, *_content(headers, json, body), id=id, depends_on=depends_on)

    @classmethod
    def patch(
        cls,
        url: str,
        *,
        headers: HeadersLike = NO_HEADERS,
        json: Any = None,
        body: bytes = b"",
        id: str | None = None,
        depends_on: Iterable[str] = (),
    ) -> "Operation":
        """Return a PATCH request.

        - `url`: absolute, an absolute path, relative, or `$id/...`.
        - `headers`: the header fields of the operation.
        - `json`: a value other than `None` is serialised without white space and given the
          Content-Type `application/json`, unless `headers` has one. `ValueError` if JSON cannot
          express it, as it cannot NaN and infinity.
        - `body`: the octets of the body, in place of `json`; `ValueError` if both are given.
        - `id`: the request identifier.
        - `depends_on`: the identifiers of requests and groups that come first; JSON only.

        >>> Operation.patch("People(1)", json={"Name": "Ann"}).headers["content-type"]
        'application/json'
        """
        return cls("PATCH", url, *_content(headers, json, body), id=id, depends_on=depends_on)

    @classmethod
    def put(
        cls,
        url: str,
        *,
        headers: HeadersLike = NO_HEADERS,
        json: Any = None,
        body: bytes = b"",
        id: str | None = None,
        depends_on: Iterable[str] = (),
    ) -> "Operation":
        """Return a PUT request; see `patch` for the arguments."""
        return cls("PUT", url, *_content(headers, json, body), id=id, depends_on=depends_on)

    @classmethod
    def delete(
        cls,
        url: str,
        *,
        headers: HeadersLike = NO_HEADERS,
        json: Any = None,
        body: bytes = b"",
        id: str | None = None,
        depends_on: Iterable[str] = (),
    ) -> "Operation":
        """Return a DELETE request; see `patch` for the arguments. Few services take a body here.

        >>> Operation.delete("People(1)").method
        'DELETE'
        """
        return cls("DELETE", url, *_content(headers, json, body), id=id, depends_on=depends_on)

    def json(self, *, strict: bool = True) -> Any:
        """Return the body, parsed as JSON; `DecodeError` if it is not a JSON text in UTF-8.

        A member that appears twice in an object is a `DecodeError`, too, because readers do not
        agree about it; unless `strict` is `False`, and the last one counts.

        >>> Operation.post("People", body=b'{"Name": "Ann"}').json()
        {'Name': 'Ann'}
        """
        return _parsed(self.body, strict)

    def ref(self, path: str = "") -> str:
        """Return a URL that refers to what this operation creates or returns, and `path` below it.

        Without an `id` there is nothing to refer to: `RuntimeError`.

        >>> Operation.post("Customers", id="1").ref("Orders")
        '$1/Orders'
        """
        if self.id is None:
            raise RuntimeError("an operation without id cannot be referred to; give it one")
        return f"${self.id}/{path}" if path else f"${self.id}"


@public
@dataclass(frozen=True, slots=True)
class Unreadable:
    """The place of an item that could not be read, in the values of `Report`.

    It is counted like what should be in its place, so that nothing after it is taken for something
    else. It cannot be written.

    >>> from odata_batch import check_response
    >>> report = check_response(b'{"responses":[{"id":"1","status":"fine"}]}', "application/json")
    >>> report.value.items
    (Unreadable(kind='response', id='1', position=14),)
    """

    kind: Literal["operation", "response", "change set"]
    """What should be in its place."""
    id: str | None = field(default=None, kw_only=True)
    """The identifier, or the name of the change set, where that could be read."""
    position: int | None = field(default=None, compare=False, kw_only=True)
    """Offset in bytes at which the item was found."""
    diagnostics: tuple[Diagnostic, ...] = field(default=(), compare=False, repr=False, kw_only=True)
    """Why it could not be read, as far as that was recorded; they are in the report, too."""


@public
@dataclass(frozen=True, slots=True, init=False)
class ChangeSet(_Shown):
    """Operations that succeed or fail together: a change set or, in JSON, an atomicity group.

    >>> ChangeSet([Operation.delete("People(1)", id="1")]).operations()[0].url
    'People(1)'
    """

    items: "tuple[Operation | ChangeSet | Unreadable, ...]"
    """The operations in order. Change sets within are for other protocols, 32 deep at most
    (`ValueError`): OData forbids them."""
    id: str | None
    """The name of the atomicity group; multipart does not carry it."""
    position: int | None = field(init=False, compare=False, repr=False)
    """Offset in bytes at which the item was found; `None` if it was not decoded."""

    def __init__(
        self, items: "Iterable[Operation | ChangeSet | Unreadable]", *, id: str | None = None
    ) -> None:
        _put(self, "items", _items(items, (Operation, ChangeSet)))
        _check_depth(self)
        _put(self, "id", optional(id, str, "id"))
        _put(self, "position", None)

    def operations(self) -> tuple[Operation, ...]:
        """Return all operations in order, those of nested change sets included.

        What could not be read is left out.
        """
        return tuple(leaves(self.items))


@public
@dataclass(frozen=True, slots=True, init=False)
class BatchRequest(_Shown):
    """A batch request: operations and change sets in order (OData Protocol, 11.7).

    >>> batch = BatchRequest([Operation.get("People"), ChangeSet([Operation.delete("People(1)")])])
    >>> [operation.method for operation in batch.operations()]
    ['GET', 'DELETE']
    """

    items: tuple[Operation | ChangeSet | Unreadable, ...]
    """The operations and change sets in order."""
    continue_on_error: bool | None
    """The preference of that name. `None` leaves it out: then multipart batches stop at the first
    error, and JSON batches go on."""
    annotations: Annotations
    """Members of the JSON object beside `requests`, as `(name, raw JSON)`; JSON only."""
    format: Format | None = field(init=False, compare=False, repr=False)
    """The format in which the batch was read; `None` if it was made by hand."""

    def __init__(
        self,
        items: Iterable[Operation | ChangeSet | Unreadable],
        *,
        continue_on_error: bool | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        _put(self, "items", _items(items, (Operation, ChangeSet)))
        _put(self, "continue_on_error", optional(continue_on_error, bool, "continue_on_error"))
        _put(self, "annotations", _annotations(annotations))
        _put(self, "format", None)

    @classmethod
    def single_change_set(cls, operations: Iterable[Operation]) -> "BatchRequest":
        """Return a batch in which all operations succeed or fail together.

        >>> len(BatchRequest.single_change_set([Operation.delete("People(1)")]).items)
        1
        """
        return cls([ChangeSet(operations)])

    @classmethod
    def independent(cls, operations: Iterable[Operation]) -> "BatchRequest":
        """Return a batch in which each operation succeeds or fails alone, with continue-on-error.

        >>> BatchRequest.independent([Operation.delete("People(1)")]).continue_on_error
        True
        """
        return cls(operations, continue_on_error=True)

    def operations(self) -> tuple[Operation, ...]:
        """Return all operations in order, those of change sets included.

        What could not be read is left out.
        """
        return tuple(leaves(self.items))


@public
@dataclass(frozen=True, slots=True, init=False)
class OperationResponse(_Shown):
    """The response to one individual request (OData Protocol, 11.7.7.5).

    >>> OperationResponse(404, {"Content-Type": "text/plain"}, b"gone", id="1").ok
    False
    """

    status: int
    """The status code; `ValueError` if it has more than nine digits."""
    headers: Headers
    """The header fields of the response; values are ISO-8859-1."""
    body: bytes
    """The octets of the body, never changed; empty if there is none."""
    id: str | None
    """The identifier of the request that it answers, where there is one."""
    reason: str | None = field(compare=False)
    """The reason phrase, ISO-8859-1; where there is none, the usual one is written. JSON does not
    carry it."""
    annotations: Annotations
    """Members that the standard does not define, as `(name, raw JSON)`; JSON only."""
    position: int | None = field(init=False, compare=False, repr=False)
    """Offset in bytes at which the item was found; `None` if it was not decoded."""
    id_in_message: bool = field(init=False, compare=False, repr=False)
    """Whether the Content-ID was found in the HTTP message and is written there again."""

    def __init__(
        self,
        status: int,
        headers: HeadersLike = NO_HEADERS,
        body: bytes = b"",
        *,
        id: str | None = None,
        reason: str | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        if abs(of_type(status, int, "status")) >= 10**9:
            raise ValueError("status has more than nine digits")
        _put(self, "status", int(status))
        _put(self, "headers", _headers(headers))
        _put(self, "body", of_type(body, bytes, "body"))
        _put(self, "id", optional(id, str, "id"))
        _put(self, "reason", optional(reason, str, "reason"))
        _put(self, "annotations", _annotations(annotations) if annotations != () else ())
        _put(self, "position", None)
        _put(self, "id_in_message", False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self, *, strict: bool = True) -> Any:
        """Return the body, parsed as JSON; `DecodeError` if it is not; see `Operation.json`."""
        return _parsed(self.body, strict)


@public
@dataclass(frozen=True, slots=True, init=False)
class ChangeSetResponse(_Shown):
    """The responses to the operations of a change set that succeeded, in any order.

    A change set that failed is answered by a single `OperationResponse` in its place.

    >>> ChangeSetResponse([OperationResponse(204, id="1")]).responses()[0].status
    204
    """

    items: "tuple[OperationResponse | ChangeSetResponse | Unreadable, ...]"
    """The responses in order."""
    id: str | None
    """The name of the atomicity group; multipart does not carry it."""
    position: int | None = field(init=False, compare=False, repr=False)
    """Offset in bytes at which the item was found; `None` if it was not decoded."""

    def __init__(
        self,
        items: "Iterable[OperationResponse | ChangeSetResponse | Unreadable]",
        *,
        id: str | None = None,
    ) -> None:
        _put(self, "items", _items(items, (OperationResponse, ChangeSetResponse)))
        _check_depth(self)
        _put(self, "id", optional(id, str, "id"))
        _put(self, "position", None)

    def responses(self) -> tuple[OperationResponse, ...]:
        """Return all responses in order, those of nested change sets included.

        What could not be read is left out.
        """
        return tuple(leaves(self.items))


@public
@dataclass(frozen=True, slots=True, init=False)
class BatchResponse(_Shown):
    """A batch response: responses to operations and change sets (OData Protocol, 11.7.7.5).

    >>> BatchResponse([OperationResponse(200)]).responses()[0].ok
    True
    """

    items: tuple[OperationResponse | ChangeSetResponse | Unreadable, ...]
    """The responses in order."""
    next_link: str | None
    """The URL of the rest, where the service answers in pages; JSON only."""
    truncated: bool
    """Whether the end is missing: the close delimiter, because the service failed while it was
    writing, or what comes after an error at which `check_response` stopped. What could not be read
    in between is `Unreadable`."""
    annotations: Annotations
    """Members of the JSON object beside `responses`, as `(name, raw JSON)`; JSON only."""
    format: Format | None = field(init=False, compare=False, repr=False)
    """The format in which the batch was read; `None` if it was made by hand."""

    def __init__(
        self,
        items: Iterable[OperationResponse | ChangeSetResponse | Unreadable],
        *,
        next_link: str | None = None,
        truncated: bool = False,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        _put(self, "items", _items(items, (OperationResponse, ChangeSetResponse)))
        _put(self, "next_link", optional(next_link, str, "next_link"))
        _put(self, "truncated", of_type(truncated, bool, "truncated"))
        _put(self, "annotations", _annotations(annotations))
        _put(self, "format", None)

    def responses(self) -> tuple[OperationResponse, ...]:
        """Return all responses in order, those of change sets included.

        What could not be read is left out.
        """
        return tuple(leaves(self.items))


@public
@dataclass(frozen=True, slots=True, init=False)
class Payload(_Shown):
    """What an encoder made: the body of an HTTP message, and the header fields to send with it.

    >>> Payload(b"{}", Headers({"Content-Type": "application/json"})).content_type
    'application/json'
    """

    body: bytes
    """The octets of the body."""
    headers: Headers
    """Content-Type and the version, on requests also Accept and, where it is set, Prefer."""

    def __init__(self, body: bytes, headers: HeadersLike) -> None:
        _put(self, "body", of_type(body, bytes, "body"))
        _put(self, "headers", _headers(headers))

    @property
    def content_type(self) -> str:
        """The Content-Type, which names the boundary of a multipart body."""
        return self.headers["Content-Type"]


RequestItem: TypeAlias = Operation | ChangeSet | Unreadable
ResponseItem: TypeAlias = OperationResponse | ChangeSetResponse | Unreadable
Item: TypeAlias = RequestItem | ResponseItem

_Batch = TypeVar("_Batch", BatchRequest, BatchResponse)
_Kind = TypeVar("_Kind")


# What is still being made: to set the fields of a frozen value takes longer, and so does a way
# through `__init__`. Type checkers cannot see that the other class has the same slots.
_OpenOperation: Any = type("_OpenOperation", (_Shown,), {"__slots__": Operation.__slots__})
_OpenResponse: Any = type("_OpenResponse", (_Shown,), {"__slots__": OperationResponse.__slots__})


def operation_of(
    method: str,
    url: str,
    headers: Headers,
    body: bytes,
    id: str | None,
    position: int | None = None,
    id_in_message: bool = False,
    depends_on: tuple[str, ...] = (),
    condition: str | None = None,
    annotations: Annotations = (),
) -> Operation:
    """Return the operation that a decoder has read: all types are known to be right."""
    made = _OpenOperation()
    made.method = method
    made.url = url
    made.headers = headers
    made.body = body
    made.id = id
    made.depends_on = depends_on
    made.condition = condition
    made.annotations = annotations
    made.position = position
    made.id_in_message = id_in_message
    made.__class__ = Operation
    operation: Operation = made
    return operation


def response_of(
    status: int,
    reason: str | None,
    headers: Headers,
    body: bytes,
    id: str | None,
    position: int | None = None,
    id_in_message: bool = False,
    annotations: Annotations = (),
) -> OperationResponse:
    """Return the response that a decoder has read."""
    made = _OpenResponse()
    made.status = status
    made.reason = reason
    made.headers = headers
    made.body = body
    made.id = id
    made.annotations = annotations
    made.position = position
    made.id_in_message = id_in_message
    made.__class__ = OperationResponse
    response: OperationResponse = made
    return response


class _OpenSet(_Shown):
    """A change set, or the responses to one, that is still being made."""

    __slots__ = tuple(each.name for each in fields(ChangeSet))

    def __init__(
        self, kind: type, items: tuple[object, ...], position: int | None, id: str | None
    ) -> None:
        self.items = items
        self.id = id
        self.position = position
        self.__class__ = kind


def change_set_of(
    kind: type[_Kind], items: tuple[object, ...], position: int | None, id: str | None = None
) -> _Kind:
    """Return the change set, or the responses to one, that a decoder has read."""
    return cast("_Kind", _OpenSet(kind, items, position, id))


def batch_of(kind: type[_Batch], *fields: object) -> _Batch:
    """Return the batch that a decoder has read, whose fields are in the order of its class."""
    made = object.__new__(kind)
    for name, value in zip(kind.__slots__, fields, strict=True):
        _put(made, name, value)
    return made


def changed(value: _Kind, **changes: Any) -> _Kind:
    """Return the value with other fields, whose types are known to be right.

    What `replace` forgets stays, unless it is changed: places, and the format of a batch.
    """
    made = copy(value)
    for name, each in changes.items():
        _put(made, name, each)
    return made


def rebuilt(
    items: tuple[Any, ...], change: Callable[[Any, str], Any], parent: str = ""
) -> tuple[Any, ...]:
    """Return what `change` makes of each item and its path, of a change set after its own items."""
    made = []
    for index, item in enumerate(items):
        path = f"{parent}items[{index}]"
        if isinstance(item, CHANGE_SETS):
            item = changed(item, items=rebuilt(item.items, change, f"{path}."))
        made.append(change(item, path))
    return tuple(made)


def _headers(value: HeadersLike) -> Headers:
    return value if isinstance(value, Headers) else Headers(value)


def _annotations(values: Iterable[object]) -> Annotations:
    entries = []
    for entry in of_type(values, Iterable, "annotations"):
        match entry:
            case (str(name), bytes(value)):
                entries.append((name, value))
            case _:
                raise TypeError(f"an annotation is a pair of str and bytes, not {entry!r:.60}")
    return tuple(entries)


def _items(values: Iterable[object], kinds: tuple[type, type]) -> tuple[object, ...]:
    if isinstance(values, kinds):
        raise TypeError(f"items is an iterable of items, not a single {type(values).__name__}")
    items = tuple(of_type(values, Iterable, "items"))
    for item in () if {*kinds}.issuperset(map(type, items)) else items:
        if not isinstance(item, kinds) and not isinstance(item, Unreadable):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"an item is {names}, not {type(item).__name__}: {item!r:.60}")
    return items


CHANGE_SETS = (ChangeSet, ChangeSetResponse)
_NO_MESSAGES = (*CHANGE_SETS, Unreadable)
_MESSAGES = frozenset((Operation, OperationResponse))


def depth_of(item: object) -> int:
    """Return how deep change sets nest in an item."""
    depth = 0
    level = [item]
    while level := [
        inner for outer in level if isinstance(outer, CHANGE_SETS) for inner in outer.items
    ]:
        depth += 1
    return depth


def _check_depth(change_set: ChangeSet | ChangeSetResponse) -> None:
    if any(isinstance(item, CHANGE_SETS) for item in change_set.items):
        if (depth := depth_of(change_set)) > DEEPEST:
            raise ValueError(f"change sets nest at most {DEEPEST} deep, not {depth}")


def leaves(items: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the messages in these items, in order."""
    for item in items:
        if isinstance(item, CHANGE_SETS):
            yield from leaves(item.items)
        elif not isinstance(item, Unreadable):
            yield item


def parts_of(item: RequestItem) -> Iterator[Operation | Unreadable]:
    """Yield an item, or what a change set holds: operations, and what could not be read."""
    if isinstance(item, ChangeSet):
        for inner in item.items:
            yield from parts_of(inner)
    else:
        yield item


def holds_change_sets(items: Collection[object]) -> bool:
    """Tell whether one of the items is no message: a change set, or what could not be read."""
    others = {*map(type, items)} - _MESSAGES  # most often none
    return bool(others) and any(issubclass(kind, _NO_MESSAGES) for kind in others)


def _content(headers: HeadersLike, json: Any, body: bytes) -> tuple[Headers, bytes]:
    fields = _headers(headers)
    if json is None:
        return fields, body
    if body:
        raise ValueError("a request has either json or body, not both")
    if "content-type" not in fields:
        fields = Headers((*fields.pairs, ("Content-Type", "application/json")))
    text = _json.dumps(json, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return fields, text.encode("utf-8")


def _parsed(body: bytes, strict: bool) -> Any:
    try:
        return value_of(body, strict)
    except FAULTS as error:
        message = f"the body {quote(body)} cannot be read as JSON: {error}"
        raise DecodeError(Diagnostic(JSON_SYNTAX, message)) from None


def check_format(format: str) -> None:
    """Raise `ValueError` for what is no format."""
    if format not in ("multipart", "json"):
        raise ValueError(f"format is 'multipart' or 'json', not {format!r}")
