"""Hypothesis strategies for batches that can be encoded; needs the extra `hypothesis`.

Each strategy gives what `encode_request` or `encode_response` accepts in the format that it is
asked for, as widely as the format allows: odd spellings of JSON numbers, text in its charsets,
octets that look like delimiters, any token as the name of a field, identifiers or none, `$id`
references to earlier operations. With `format="both"` a batch can be written in either format, and
what was read from multipart, prepared for JSON, equals what was read from JSON.

For a service under test, requests have the dialect, URLs, methods and bodies that it knows; see
`batch_requests`.

A boundary of your own may occur in the content, which `encode_*` refuses; a random one does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar  # a body is any JSON value

from hypothesis import reject
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    Dialect,
    EncodeError,
    Headers,
    Operation,
    OperationResponse,
)
from odata_batch.dialects import ODATA_4_01, check_dialect
from odata_batch.strategies import _content

Format: TypeAlias = Literal["multipart", "json", "both"]
_Message = TypeVar("_Message", Operation, OperationResponse)
_Value = TypeVar("_Value")
_Item = TypeVar("_Item", Operation, BatchRequest)
Values: TypeAlias = Collection[_Value] | st.SearchStrategy[_Value]
"""Some values, or a strategy that gives them."""

_MOST_TRIES = 20
_MEMBERS = st.integers(1, 3)


# -- what messages are made of -------------------------------------------------------------------


def ids() -> st.SearchStrategy[str]:
    """Give identifiers of operations and names of change sets.

    >>> from hypothesis import find
    >>> find(ids(), lambda id: "~" in id)
    '~'
    """
    return _content.IDS


def headers(format: Format = "multipart") -> st.SearchStrategy[Headers]:
    """Give fields that any message may have; Content-Type and Content-Length depend on its body.

    >>> from hypothesis import find
    >>> find(headers(), lambda headers: len(headers) > 0 and not headers.pairs[0][1].isascii())
    Headers({'Accept': '\\x80'})
    """
    if format not in ("multipart", "json", "both"):
        raise ValueError(f"format is 'multipart', 'json' or 'both', not {format!r}")
    return _content.HEADERS if format == "multipart" else _content.JOINED_HEADERS


def json_texts() -> st.SearchStrategy[bytes]:
    """Give JSON texts, their numbers spelt in many ways, without white space around them.

    >>> from hypothesis import find
    >>> find(json_texts(), lambda text: text[:1].isdigit() and b"." in text)
    b'1.10'
    """
    return _content.JSON_TEXTS.map(str.encode)


def _contents(format: Format) -> st.SearchStrategy[_content.Content]:
    """Give Content-Types, or none, with bodies that may be empty."""
    return _content.ANY_CONTENT if format == "multipart" else _content.CONTENT


def _fields_of_content(content: _content.Content, with_length: bool) -> list[tuple[str, str]]:
    content_type, body = content
    fields = [] if content_type is None else [("Content-Type", content_type)]
    return [*fields, ("content-length", str(len(body)))] if with_length else fields


# -- requests ------------------------------------------------------------------------------------


class _Target(NamedTuple):
    """What requests are drawn for, and what is drawn into them."""

    format: Format
    dialect: Dialect
    urls: st.SearchStrategy[str]
    outside: st.SearchStrategy[str]
    """The methods of operations outside of change sets, if there are such operations."""
    inside: st.SearchStrategy[str]
    """Those in change sets, if there are change sets."""
    bodies: st.SearchStrategy[_content.Content]
    """The bodies of methods that write."""
    reference_ends: tuple[str, ...]
    """What may follow a reference; none if URLs refer to nothing."""

    @property
    def formats(self) -> tuple[Literal["multipart", "json"], ...]:
        return ("multipart", "json") if self.format == "both" else (self.format,)

    @property
    def is_default(self) -> bool:
        return self.dialect == ODATA_4_01

    def sound(self, draw: Callable[[], _Item], batch_of: Callable[[_Item], BatchRequest]) -> _Item:
        """Draw what can be written; by the rules of the default dialect, all can that is drawn."""
        codecs = [] if self.is_default else [Codec(self.dialect, format=it) for it in self.formats]
        for _ in range(_MOST_TRIES):
            item = draw()
            with suppress(EncodeError):
                for codec in codecs:
                    codec.encode_request(batch_of(item))
                return item
        reject()


def _target(
    format: Format | None,
    dialect: Dialect,
    urls: Values[str] | None,
    methods: Collection[str] | None,
    bodies: Values[Any] | None,
) -> _Target:
    check_dialect(dialect)
    for several in (urls, methods, bodies):
        if isinstance(several, str):
            raise TypeError(f"several values are expected, not a single str: {several!r:.60}")
    if format is None:
        format = "multipart" if "multipart" in dialect.formats else "json"
    if not dialect.formats.issuperset(("multipart", "json") if format == "both" else (format,)):
        raise ValueError(f"{dialect.name} does not have the format {format!r}")
    is_default, is_optional = dialect == ODATA_4_01, dialect.transactions == "optional"
    own_urls = _content.urls_of(dialect)
    if format == "json" and is_default:
        own_urls = st.just("") | own_urls
    outside = _content.METHODS if format == "multipart" else _content.JSON_METHODS
    inside = outside.map(
        lambda method: "DELETE" if method == "GET" and format != "json" else method
    )
    if methods is not None or not is_default:
        names = sorted(dialect.methods if methods is None else methods)
        outside = _any_of([name for name in names if is_optional or name == "GET"])
        may_group = dialect.atomicity_groups or not is_optional
        may_read = format == "json" and is_optional
        inside = _any_of([name for name in names if may_group and (may_read or name != "GET")])
    contents = _contents(format) if is_default else _content.OBJECTS
    return _Target(
        format,
        dialect,
        own_urls if urls is None else _any_of(urls),
        outside,
        inside,
        contents if bodies is None else _any_of(bodies).map(_json_content),
        () if dialect.references == "none" else ("",) if urls else _content.REFERENCE_ENDS,
    )


def _any_of(values: Values[_Value]) -> st.SearchStrategy[_Value]:
    if isinstance(values, st.SearchStrategy):
        return values
    return st.sampled_from([*values]) if values else st.nothing()


def _json_content(value: object) -> _content.Content:
    return "application/json", json.dumps(value, ensure_ascii=False).encode()


def operations(
    format: Format | None = None,
    *,
    dialect: Dialect = ODATA_4_01,
    urls: Values[str] | None = None,
    methods: Collection[str] | None = None,
    bodies: Values[Any] | None = None,
) -> st.SearchStrategy[Operation]:
    """Give operations that are valid in a batch by themselves; see `batch_requests`.

    >>> from hypothesis import find
    >>> find(operations(), lambda operation: operation.method == "MERGE").url
    'People/'
    """
    return st.composite(_operation)(_target(format, dialect, urls, methods, bodies))


def _operation(draw: st.DrawFn, target: _Target) -> Operation:
    return target.sound(
        lambda: _any_operation(draw, target, draw(target.outside)),
        lambda operation: BatchRequest([operation]),
    )


def _member(draw: st.DrawFn, target: _Target) -> Operation:
    return target.sound(
        lambda: _any_operation(draw, target, draw(target.inside)),
        lambda operation: BatchRequest([ChangeSet([operation])]),
    )


def _any_operation(draw: st.DrawFn, target: _Target, method: str) -> Operation:
    format, is_write = target.format, method in _content.WRITES
    is_empty = method == "GET" or (format != "multipart" and method == "DELETE")
    if target.is_default and target.bodies is _contents(format):
        is_write = not is_empty
    content = draw(target.bodies if is_write else _content.NO_CONTENT)
    fields = draw(headers(format)).pairs
    operation = Operation(
        method,
        draw(target.urls),
        [*_fields_of_content(content, draw(st.booleans())), *fields],
        content[1],
        id=draw(_content.MAYBE_IDS),
    )
    if format != "json" or not target.is_default:
        return operation
    return replace(
        operation,
        condition=draw(_content.MAYBE_TEXT),
        annotations=draw(_content.REQUEST_ANNOTATIONS),
    )


class _Names:
    """The names that a batch has used so far; each is used once."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._used: set[str] = set()
        self._ids: list[str] = []
        self._groups: list[str] = []

    def unused(self, name: str | None) -> str | None:
        """Return the name, or another one if it has been used, in whatever case."""
        if name is not None and name.lower() in self._used:
            name = self._draw(_content.IDS.filter(lambda name: name.lower() not in self._used))
        if name is not None:
            self._used.add(name.lower())
        return name

    def identify(self, message: _Message) -> _Message:
        """Return the message with an identifier that is its own, if it has one."""
        return replace(message, id=self.unused(message.id))

    def forget(self) -> None:
        """Let nothing that comes refer to what came before."""
        self._ids.clear()
        self._groups.clear()

    def member(self, operation: Operation, target: _Target) -> Operation:
        """Return the operation as a change set may hold it."""
        if operation.id is None and target.format == "both":
            # Both formats generate one, but not the same one.
            operation = replace(operation, id=self._draw(_content.IDS))
        return self.connect(operation, target)

    def connect(self, operation: Operation, target: _Target) -> Operation:
        """Return the operation, which may now refer to or depend on what came before it."""
        operation = self.identify(operation)
        if self._ids and target.reference_ends and self._draw(st.booleans()):
            ids, ends = st.sampled_from(self._ids), st.sampled_from(target.reference_ends)
            url = st.builds("${}{}".format, ids, ends).filter(lambda it: "batch" not in it)
            operation = replace(operation, url=self._draw(url))
        before = [*self._ids, *self._groups]
        if before and target.format == "json" and target.is_default:
            names = self._draw(st.lists(st.sampled_from(before), max_size=3))
            operation = replace(operation, depends_on=tuple(names))
        self._ids += [] if operation.id is None else [operation.id]
        return operation

    def group(self, name: str | None) -> str | None:
        """Return a name for a change set that is complete, or none."""
        name = self.unused(name)
        self._groups += [] if name is None else [name]
        return name


def change_sets(
    format: Format | None = None,
    *,
    dialect: Dialect = ODATA_4_01,
    urls: Values[str] | None = None,
    methods: Collection[str] | None = None,
    bodies: Values[Any] | None = None,
) -> st.SearchStrategy[ChangeSet]:
    """Give change sets that are valid in a batch by themselves; see `batch_requests`.

    >>> from hypothesis import find
    >>> len(find(change_sets(), lambda change_set: len(change_set.items) > 1).items)
    2
    """
    return st.composite(_change_set)(_target(format, dialect, urls, methods, bodies))


def _change_set(draw: st.DrawFn, target: _Target, names: _Names | None = None) -> ChangeSet:
    names = names or _Names(draw)
    may_be_many = target.dialect.transactions != "single"
    number = draw(_MEMBERS) if may_be_many and target.dialect.change_set_operations != 1 else 1
    found = [_member(draw, target) for _ in range(number)]
    items = [names.member(operation, target) for operation in found]
    name = None if target.format == "both" else draw(_content.MAYBE_IDS)
    return ChangeSet(items, id=names.group(name))


def batch_requests(
    format: Format | None = None,
    *,
    max_items: int = 4,
    dialect: Dialect = ODATA_4_01,
    urls: Values[str] | None = None,
    methods: Collection[str] | None = None,
    bodies: Values[Any] | None = None,
) -> st.SearchStrategy[BatchRequest]:
    """Give batch requests whose operations refer to each other.

    - `format`: "multipart", "json" or "both"; by default multipart if the dialect has it.
    - `max_items`: the largest number of operations and change sets at the top level.
    - `dialect`: the version or service whose rules hold.
    - `urls`: those that the service knows, or a strategy for them; besides, an operation may have
      `$id`, the URL of one before it. By default any that the dialect allows.
    - `methods`: those that the service knows; in multipart, change sets hold no GET. By default
      those of the dialect; the default dialect has any token in multipart.
    - `bodies`: JSON values, or a strategy for them, of which each POST, PATCH, PUT and MERGE has
      one. By default any content, or, but for the default dialect, any JSON object.

    >>> from hypothesis import given
    >>> from odata_batch import decode_request, encode_request, prepare
    >>> @given(batch_requests("json"))
    ... def test_what_is_written_is_read_back(batch):
    ...     payload = encode_request(batch, format="json")
    ...     read = decode_request(payload.body, payload.content_type, headers=payload.headers)
    ...     assert read == prepare(batch, format="json")
    >>> test_what_is_written_is_read_back()

    A service under test is sent what it knows:

    >>> from odata_batch.dialects import GRAPH
    >>> people = batch_requests(
    ...     dialect=GRAPH, urls=["/users", "/me"], methods=["GET", "POST"], bodies=[{"name": "Ann"}]
    ... )
    >>> @given(people)
    ... def test_the_service_answers_any_batch(batch):
    ...     body = encode_request(batch, dialect=GRAPH).body  # to be sent
    ...     assert {operation.url for operation in batch.operations()} <= {"/users", "/me"}
    >>> test_the_service_answers_any_batch()
    """
    return st.composite(_batch_request)(_target(format, dialect, urls, methods, bodies), max_items)


def _batch_request(draw: st.DrawFn, target: _Target, max_items: int) -> BatchRequest:
    return target.sound(lambda: _any_batch(draw, target, max_items), lambda batch: batch)


def _any_batch(draw: st.DrawFn, target: _Target, max_items: int) -> BatchRequest:
    names, dialect = _Names(draw), target.dialect
    items: list[Operation | ChangeSet] = []
    is_wide = target.format == "json" and target.is_default
    most = 1 if dialect.transactions == "single" else max_items
    for _ in range(draw(st.integers(0 if is_wide else 1, most))):
        may_group = not target.inside.is_empty
        if target.outside.is_empty or (may_group and draw(st.booleans())):
            items.append(_change_set(draw, target, names))
        else:
            items.append(names.connect(_operation(draw, target), target))
        if dialect.references_stay:
            names.forget()
    has_preference = dialect.preferences and dialect.continue_on_error
    return BatchRequest(
        items,
        continue_on_error=draw(_content.PREFERENCES) if has_preference else None,
        annotations=draw(_content.REQUEST_ANNOTATIONS) if is_wide else (),
    )


# -- responses -----------------------------------------------------------------------------------


def operation_responses(format: Format = "multipart") -> st.SearchStrategy[OperationResponse]:
    """Give responses that are valid in a batch by themselves.

    >>> from hypothesis import find
    >>> find(operation_responses(), lambda response: response.ok and response.body != b"").status
    200
    """
    return st.composite(_operation_response)(format)


def _operation_response(draw: st.DrawFn, format: Format) -> OperationResponse:
    status = draw(_content.STATUSES)
    empty = status < 200 or status in (204, 304)
    content = draw(_content.NO_CONTENT if empty else _contents(format))
    location = [("Location", "/monitor/1")] if status == 202 else []
    fields = [*_fields_of_content(content, draw(st.booleans())), *location]
    return OperationResponse(
        status,
        [*fields, *draw(headers(format)).pairs],
        content[1],
        id=draw(_content.MAYBE_IDS),
        reason=draw(_content.REASONS),
        annotations=draw(_content.RESPONSE_ANNOTATIONS) if format == "json" else (),
    )


def change_set_responses(format: Format = "multipart") -> st.SearchStrategy[ChangeSetResponse]:
    """Give responses to change sets that are valid in a batch by themselves.

    >>> from hypothesis import find
    >>> len(find(change_set_responses(), lambda change_set: len(change_set.items) > 1).items)
    2
    """
    return st.composite(_change_set_response)(format)


def _change_set_response(
    draw: st.DrawFn, format: Format, names: _Names | None = None
) -> ChangeSetResponse:
    names = names or _Names(draw)
    items = []
    for response in [_operation_response(draw, format) for _ in range(draw(_MEMBERS))]:
        unwanted = response.status == 202 or (response.status >= 400 and format != "json")
        items.append(names.identify(replace(response, status=200) if unwanted else response))
    name = None if format == "both" else draw(_content.MAYBE_IDS)
    return ChangeSetResponse(items, id=names.group(name))


def batch_responses(
    format: Format = "multipart", *, max_items: int = 4
) -> st.SearchStrategy[BatchResponse]:
    """Give complete batch responses.

    - `format`: "multipart", "json" or "both".
    - `max_items`: the largest number of responses at the top level.

    >>> from hypothesis import find
    >>> find(batch_responses("json"), lambda batch: batch.next_link is not None).next_link
    ''
    """
    return st.composite(_batch_response)(format, max_items)


def _batch_response(draw: st.DrawFn, format: Format, max_items: int) -> BatchResponse:
    json = format == "json"
    names = _Names(draw)
    items: list[OperationResponse | ChangeSetResponse] = []
    for _ in range(draw(st.integers(0 if json else 1, max_items))):
        if draw(st.booleans()):
            items.append(_change_set_response(draw, format, names))
        else:
            items.append(names.identify(_operation_response(draw, format)))
    for index, item in enumerate(items[:-1]):
        # In a multipart response, 202 answers all that is left.
        if not json and isinstance(item, OperationResponse) and item.status == 202:
            items[index] = replace(item, status=200)
    return BatchResponse(
        items,
        next_link=draw(_content.MAYBE_TEXT) if json else None,
        annotations=draw(_content.RESPONSE_ANNOTATIONS) if json else (),
    )
