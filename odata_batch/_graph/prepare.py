"""The value that an encoder writes: identifiers and dependencies filled in, the rest dropped.

`decode(encode(batch)) == prepare(batch)` is the law, for both formats and both roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeVar

from odata_batch._graph.expressions import bindings_in, referenced_id, references_outside_body
from odata_batch._graph.names import key_of
from odata_batch._graph.urls import is_within, rebase_url, root_of
from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import of_type
from odata_batch._model.headers import Headers, without
from odata_batch._model.values import Format, Operation, check_format
from odata_batch._wire import grammar
from odata_batch._wire.mediatype import parse_media_type

_Batch = TypeVar("_Batch", values.BatchRequest, values.BatchResponse)
_Item = TypeVar("_Item", values.RequestItem, values.ResponseItem)
_Message = TypeVar("_Message", Operation, values.OperationResponse)


def prepare(batch: _Batch, *, format: Format, dialect: Dialect) -> _Batch:
    """Return the batch as it is written in this format and read back; see `odata_batch.prepare`."""
    check_format(format)
    if not isinstance(batch, values.BatchResponse):
        of_type(batch, values.BatchRequest, "batch", " or BatchResponse")
    items = Preparation(format, dialect, batch.items).items(batch.items)
    if isinstance(batch, values.BatchRequest):
        goes_on = written_preference(batch.continue_on_error, format, dialect)
        return values.changed(batch, items=items, continue_on_error=goes_on, format=format)
    return values.changed(batch, items=items, format=format)


def relative(batch: values.BatchRequest, root: str | None) -> values.BatchRequest:
    """Return the batch with absolute URLs below the service root, if any, made relative to it."""
    if root is None:
        return batch
    of_type(batch, values.BatchRequest, "batch")
    root_of(root, "relative_to")

    def change(item: values.RequestItem, path: str) -> values.RequestItem:
        if not isinstance(item, Operation) or grammar.SCHEME.match(item.url) is None:
            return item
        if not is_within(item.url, root):
            return item
        url = rebase_url(item.url, source=root, target=root, form="relative")
        return values.changed(item, url=url)

    return values.changed(batch, items=values.rebuilt(batch.items, change))


def written_preference(goes_on: bool | None, format: Format, dialect: Dialect) -> bool | None:
    """Return what is written of `continue_on_error`.

    Olingo takes the preference for true whatever its value, so false is not written in multipart
    where it says nothing.
    """
    is_default = goes_on is False and format == "multipart" and dialect.multipart_stops_on_error
    is_known = dialect.preferences and dialect.continue_on_error
    return goes_on if is_known and not is_default else None


class Preparation:
    """Prepares the items of one batch, one after the other.

    No identifier is generated that is used in `known`, or in what `add` was given.
    """

    def __init__(self, format: Format, dialect: Dialect, known: Iterable[values.Item] = ()) -> None:
        self.tail = ""
        """What generated names end in, so that no item that comes later has one of them."""
        self._json = format == "json"
        self._dialect = dialect
        self._key = key_of(dialect)
        # Names are looked for only if one has to be generated: bodies may be long.
        self._unread: list[values.Item] = list(known)
        self._used: set[str] = set()
        self._next = {"": 1, "g": 1}
        self._made: set[str] = set()
        self._groups: set[str] = set()
        # The change set of each operation before
        self._group_of: dict[str, str | None] = {}

    def add(self, item: values.Item) -> None:
        """Take note of the identifiers in an item of a batch that is not known as a whole."""
        self._used.update(map(self._key, _names_in((item,))))

    def is_complete(self, items: Iterable[values.Item]) -> bool:
        """Tell whether nothing is to be filled in but what a batch needs that refers to others."""
        if not self._json:
            return not self._dialect.content_length
        members = [
            inner for item in items if isinstance(item, values.CHANGE_SETS) for inner in item.items
        ]
        every = [*items, *members]
        return None not in {item.id for item in every} and not any(map(_lacks_type, every))

    def clash(self, item: values.Item) -> str | None:
        """Return a name that the item refers to and that was generated for an earlier one.

        Identifiers of its own are compared with the others by the rules.
        """
        if not self._made:
            return None
        names = [*_names_outside_bodies((item,))]
        for operation in values.leaves((item,)):
            if isinstance(operation, Operation) and self._dialect.references != "none":
                names += bindings_in(operation, self._dialect)
        own = {item.id, *(each.id for each in values.leaves((item,)))}
        made = (name for name in names if self._key(name) in self._made and name not in own)
        return next(made, None)

    def items(self, items: tuple[_Item, ...]) -> tuple[_Item, ...]:
        """Return items as they are written."""
        if not (self._json or self._dialect.content_length or values.holds_change_sets(items)):
            return items
        return tuple([self.item(item) for item in items])

    def item(self, item: _Item, group: str | None = None) -> _Item:
        """Return an item as it is written; `group` is the change set that it is in.

        Where change sets have no names, that is the empty string.
        """
        if isinstance(item, Operation | values.OperationResponse):
            return self._message(item, group)
        if isinstance(item, values.Unreadable):
            return item
        group = ""
        if self._json:
            group = self._generated("g") if item.id is None else item.id
            self._groups.add(self._key(group))
        items = tuple([self.item(inner, group) for inner in item.items])
        return values.changed(item, items=items, id=group if self._json else None)

    def _message(self, item: _Message, group: str | None) -> _Message:
        id, body = item.id, item.body
        headers: Headers = item.headers
        # OData JSON, 19.5: a response has the id of its request, and none if that has none.
        if id is None and isinstance(item, Operation) and (self._json or group is not None):
            id = self._generated("")
        if self._json:
            headers, body = self._json_content(headers, body)
            if _lacks_type(item):
                headers = Headers((*headers.pairs, ("Content-Type", "application/json")))
        elif self._dialect.content_length and body and "content-length" not in headers:
            headers = Headers((*headers.pairs, ("Content-Length", str(len(body)))))
        is_same = id == item.id and headers is item.headers and body is item.body
        places: tuple[int | None, bool] = (item.position, item.id_in_message)
        # What `replace` does, for types that are known, and at a third of its cost
        if isinstance(item, values.OperationResponse):
            if is_same:
                return item
            return values.response_of(
                item.status, item.reason, headers, body, id, *places, item.annotations
            )
        depends_on = item.depends_on
        if self._json and id is not None:
            depends_on = self._dependencies(item, group)
            self._group_of[self._key(id)] = group
        if is_same and depends_on == item.depends_on:
            return item
        rest = (*places, depends_on, item.condition, item.annotations)
        return values.operation_of(item.method, item.url, headers, body, id, *rest)

    def _dependencies(self, item: Operation, own_group: str | None) -> tuple[str, ...]:
        """Add what it refers to, and the groups of what is depended on (OData JSON, 19.1).

        A URL that begins with a reference is nothing else; other places may have one to an
        operation before, or to a group.
        """
        reference = referenced_id(item.url, self._dialect)
        # In a query, an entity tag, a condition or a body
        others: list[str] = []
        if self._dialect.references != "none":
            others += [each.id for each in references_outside_body(item, self._dialect)]
            others += bindings_in(item, self._dialect)
        if reference is None and not item.depends_on and not others:
            return ()
        found = dict.fromkeys(map(self._key, item.depends_on), "")
        count = len(found)
        if reference is not None:
            found.setdefault(self._key(reference), reference)
        for name in others:
            key = self._key(name)
            is_group = key in self._groups and name != own_group
            if (key in self._group_of and name != item.id) or is_group:
                found.setdefault(key, name)
        given, members = {self._key(name): name for name in item.depends_on}, set()
        for key in tuple(found):
            group = self._group_of.get(key)
            if group is not None and group != own_group:
                members.add(key)
                found.setdefault(self._key(group), group)
        if self._dialect.depends_on_members:
            return (*item.depends_on, *tuple(found.values())[count:])
        return tuple([name for key, name in (found | given).items() if key not in members])

    def _json_content(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        """Leave out what a JSON batch does not carry; in base64, white space around it stays."""
        if "content-length" in headers:
            headers = without(headers, "content-length")
        stripped = body if self._dialect.json_bodies == "base64" else body.strip(b" \t\r\n")
        if 0 < len(stripped) < len(body):
            content_type = headers.get("content-type")
            if content_type is None or parse_media_type(content_type).is_json:
                body = stripped
        return headers, body

    def _generated(self, prefix: str) -> str:
        self._used.update(map(self._key, _names_in(self._unread)))
        self._unread.clear()
        number = self._next[prefix]
        while (name := f"{prefix}{number}{self.tail}") in self._used:
            number += 1
        self._next[prefix] = number + 1
        self._made.add(name)
        return name


def _lacks_type(item: values.Item) -> bool:
    """Tell whether a body needs a media type that it does not have (OData JSON, 19.1)."""
    return isinstance(item, Operation) and item.body != b"" and "content-type" not in item.headers


def _names_in(items: Iterable[values.Item]) -> Iterator[str]:
    """Yield the identifiers that the items use, and all that might be taken for a reference."""
    items = list(items)
    yield from _names_outside_bodies(items)
    for item in values.leaves(tuple(items)):
        if isinstance(item, Operation) and b"$" in item.body:
            for number in grammar.DOLLAR_NUMBER_BYTES.findall(item.body):
                yield number.decode("ascii")


def _names_outside_bodies(items: Iterable[values.Item]) -> Iterator[str]:
    for item in items:
        if item.id is not None:
            yield item.id
        if isinstance(item, values.CHANGE_SETS):
            yield from _names_outside_bodies(item.items)
        elif isinstance(item, Operation):
            yield from item.depends_on
            fields = (item.headers.get_all(name) for name in ("if-match", "if-none-match"))
            for text in (item.url, item.condition or "", *chain.from_iterable(fields)):
                if "$" in text:
                    yield from grammar.DOLLAR_NUMBER.findall(text)
