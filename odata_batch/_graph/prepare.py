"""The value that an encoder writes: identifiers and dependencies filled in, the rest left out.

`decode(encode(batch)) == prepare(batch)` is the law, for both formats and both roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from odata_batch._graph.names import key_of
from odata_batch._graph.urls import referenced_id
from odata_batch._model.dialect import Dialect, Format, check_format
from odata_batch._model.findings import Diagnostic, EncodeError
from odata_batch._model.headers import Headers, without
from odata_batch._model.rules import Rule
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Item,
    Operation,
    OperationResponse,
    RequestItem,
    ResponseItem,
    keep_places,
    with_format,
)
from odata_batch._wire import grammar
from odata_batch._wire.sections import parse_media_type
from odata_batch.dialects import ODATA_4_01

_Batch = TypeVar("_Batch", BatchRequest, BatchResponse)
_SETS = (ChangeSet, ChangeSetResponse)
# Change sets within change sets are for other protocols; each level takes a few frames of the
# interpreter's stack.
_DEEPEST = 32


def prepare(
    batch: _Batch, *, format: Format = "multipart", dialect: Dialect = ODATA_4_01
) -> _Batch:
    """Return the batch as the encoder writes it and the decoder gives it back.

    In JSON every operation and every change set gets an `id`, an operation depends on what its URL
    refers to and on the groups of what it depends on, and Content-Length and the blanks around a
    JSON body are left out. In multipart the operations in change sets get an `id`, and change sets
    lose theirs. Generated identifiers are the smallest decimal numbers that the batch does not use,
    neither as an identifier nor as a reference; those of change sets are `g1`, `g2` and so on.

    It is pure, and preparing twice changes nothing more. Change sets that nest more than 32 deep,
    which no `Limits` allow, are an `EncodeError`.

    >>> batch = BatchRequest([Operation.get("People"), Operation.get("People(1)", id="1")])
    >>> [operation.id for operation in prepare(batch, format="json").operations()]
    ['2', '1']
    """
    check_format(format)
    _check_depth(batch.items)
    preparation = Preparation(format, dialect, batch.items)
    if isinstance(batch, BatchRequest):
        return with_format(
            replace(batch, items=tuple(map(preparation.request_item, batch.items))), format
        )
    return with_format(
        replace(batch, items=tuple(map(preparation.response_item, batch.items))), format
    )


def depth_of(item: Item) -> int:
    """Return how deep change sets nest; values may nest deeper than the interpreter's stack."""
    depth = 0
    level = [item]
    while level := [inner for outer in level if isinstance(outer, _SETS) for inner in outer.items]:
        depth += 1
    return depth


def _check_depth(items: Iterable[Item]) -> None:
    found = []
    for index, item in enumerate(items):
        if isinstance(item, _SETS) and (depth := depth_of(item)) > _DEEPEST:
            message = f"found change sets nested {depth} deep"
            path = f"items[{index}]"
            found.append(Diagnostic(Rule.NESTED_CHANGE_SET, message, item.position, path))
    if found:
        raise EncodeError(tuple(found))


class Preparation:
    """Prepares the items of one batch, one after the other.

    No identifier is generated that is used in `known`, or in what `add` was given.
    """

    def __init__(self, format: Format, dialect: Dialect, known: Iterable[Item] = ()) -> None:
        self._json = format == "json"
        self._dialect = dialect
        self._key = key_of(dialect)
        # Names are looked for only if one has to be generated: bodies may be long.
        self._unread: list[Item] = list(known)
        self._used: set[str] = set()
        self._next = {"": 1, "g": 1}
        self._group_of: dict[str, str] = {}

    def add(self, item: Item) -> None:
        """Take note of the identifiers in an item of a batch that is not known as a whole."""
        self._use((item,))

    def request_item(self, item: RequestItem) -> RequestItem:
        """Return the operation or change set as it is written."""
        if isinstance(item, ChangeSet):
            return self._change_set(item)
        return self._operation(item, None, self._json)

    def response_item(self, item: ResponseItem) -> ResponseItem:
        """Return the response, or the responses to a change set, as they are written."""
        if isinstance(item, ChangeSetResponse):
            return self._change_set_response(item)
        return self._response(item)

    def _change_set(self, item: ChangeSet) -> ChangeSet:
        group = self._group_id(item.id)
        items = [
            self._change_set(inner)
            if isinstance(inner, ChangeSet)
            else self._operation(inner, group, True)
            for inner in item.items
        ]
        return keep_places(item, ChangeSet(items, id=group))

    def _change_set_response(self, item: ChangeSetResponse) -> ChangeSetResponse:
        group = self._group_id(item.id)
        items = [
            self._change_set_response(inner)
            if isinstance(inner, ChangeSetResponse)
            else self._response(inner)
            for inner in item.items
        ]
        return keep_places(item, ChangeSetResponse(items, id=group))

    def _operation(self, item: Operation, group: str | None, needs_id: bool) -> Operation:
        id = self._generated("") if item.id is None and needs_id else item.id
        headers, body, depends_on = item.headers, item.body, item.depends_on
        if self._json:
            headers, body = self._json_content(headers, body)
            depends_on = self._dependencies(item, group)
            if id is not None and group is not None:
                self._group_of[self._key(id)] = group
        else:
            headers = self._with_length(headers, body)
        if (id, depends_on) == (item.id, item.depends_on) and _same(item, headers, body):
            return item
        changed = replace(item, id=id, headers=headers, body=body, depends_on=depends_on)
        return keep_places(item, changed)

    def _response(self, item: OperationResponse) -> OperationResponse:
        id, headers, body = item.id, item.headers, item.body
        if self._json:
            id = self._generated("") if id is None else id
            headers, body = self._json_content(headers, body)
        else:
            headers = self._with_length(headers, body)
        if id == item.id and _same(item, headers, body):
            return item
        return keep_places(item, replace(item, id=id, headers=headers, body=body))

    def _dependencies(self, item: Operation, own_group: str | None) -> tuple[str, ...]:
        """Add what the URL refers to, and the groups of what is depended on (OData JSON, 19.1)."""
        reference = referenced_id(item.url, self._dialect)
        if reference is None and not item.depends_on:
            return ()
        found = dict.fromkeys(map(self._key, item.depends_on), "")
        count = len(found)
        if reference is not None:
            found.setdefault(self._key(reference), reference)
        for key in tuple(found):
            group = self._group_of.get(key)
            if group is not None and group != own_group:
                found.setdefault(self._key(group), group)
        return (*item.depends_on, *tuple(found.values())[count:])

    def _with_length(self, headers: Headers, body: bytes) -> Headers:
        if not (self._dialect.content_length and body) or "content-length" in headers:
            return headers
        return Headers((*headers.pairs, ("Content-Length", str(len(body)))))

    def _json_content(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        """Leave out what a JSON batch does not carry; in base64 the blanks around a body stay."""
        if "content-length" in headers:
            headers = without(headers, "content-length")
        stripped = body if self._dialect.json_bodies == "base64" else body.strip(b" \t\r\n")
        if 0 < len(stripped) < len(body):
            content_type = headers.get("content-type")
            if content_type is None or parse_media_type(content_type).is_json:
                body = stripped
        return headers, body

    def _group_id(self, id: str | None) -> str | None:
        if not self._json:
            return None
        return self._generated("g") if id is None else id

    def _generated(self, prefix: str) -> str:
        self._use(self._unread)
        self._unread.clear()
        number = self._next[prefix]
        while f"{prefix}{number}" in self._used:
            number += 1
        self._next[prefix] = number + 1
        return f"{prefix}{number}"

    def _use(self, items: Iterable[Item]) -> None:
        self._used.update(map(self._key, _names_in(items)))


def _same(item: Operation | OperationResponse, headers: Headers, body: bytes) -> bool:
    return headers is item.headers and body is item.body


def _names_in(items: Iterable[Item]) -> Iterator[str]:
    """Yield the identifiers that the items use, and all that might be taken for a reference."""
    for item in items:
        if item.id is not None:
            yield item.id
        if isinstance(item, ChangeSet | ChangeSetResponse):
            yield from _names_in(item.items)
        elif isinstance(item, Operation):
            yield from item.depends_on
            yield from _references_in(item)


def _references_in(item: Operation) -> Iterator[str]:
    texts = [item.url, item.condition or "", *item.headers.get_all("if-match")]
    texts += item.headers.get_all("if-none-match")
    for text in texts:
        if "$" in text:
            yield from grammar.DOLLAR_NUMBER.findall(text)
    if b"$" in item.body:
        for number in grammar.DOLLAR_NUMBER_BYTES.findall(item.body):
            yield number.decode("ascii")
