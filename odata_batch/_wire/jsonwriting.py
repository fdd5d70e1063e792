"""The OData JSON batch format (OData JSON, 19), written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from json.encoder import encode_basestring as quoted
from typing import Final, TypeAlias

from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Diagnostic, Reporter, exceed, quote
from odata_batch._model.headers import folded, names_of
from odata_batch._model.limits import Limits
from odata_batch._model.values import (
    Annotations,
    ChangeSet,
    ChangeSetResponse,
    Item,
    Operation,
    OperationResponse,
)
from odata_batch._wire import jsonbody
from odata_batch._wire.json import JSON_NO_REQUESTS, NEXT_LINKS
from odata_batch._wire.jsonitem import JSON_DUPLICATE_MEMBER, REQUEST_MEMBERS, RESPONSE_MEMBERS
from odata_batch._wire.jsontext import JSON_ENCODING
from odata_batch._wire.sections import NOT_EXPRESSIBLE

_Message: TypeAlias = Operation | OperationResponse

# How many objects are around the members of a batch
_DEPTH: Final = 1
_SETS = (ChangeSet, ChangeSetResponse)


class Checker:
    """Reports what a JSON batch cannot carry, item by item."""

    def __init__(self, limits: Limits, report: Reporter) -> None:
        self._limits = limits
        self._report = report
        self._contents = jsonbody.Contents()
        self._items = 0

    def check_batch(self, batch: values.BatchRequest | values.BatchResponse, items: int) -> None:
        """Check the members beside the items, whose number is given."""
        if not items and isinstance(batch, values.BatchRequest):
            self._report(Diagnostic(JSON_NO_REQUESTS, "the array requests is empty"))
        known = frozenset(("requests", "responses"))
        if isinstance(batch, values.BatchResponse):
            known = known.union(NEXT_LINKS)
            if batch.truncated:
                message = "a truncated response cannot be written"
                self._report(Diagnostic(NOT_EXPRESSIBLE, message))
            _check_text("next_link", batch.next_link, self._report)
        _check_annotations(batch.annotations, known, _DEPTH, self._limits, self._report)

    def check(self, item: Item) -> None:
        """Check the next item."""
        path = f"items[{self._items}]"
        self._items += 1
        if not isinstance(item, _SETS):
            self._check(item, path)
            return
        for index, inner in enumerate(item.items):
            self._check(inner, f"{path}.items[{index}]")

    def _check(self, item: Item, path: str) -> None:
        def report(diagnostic: Diagnostic) -> None:
            self._report(replace(diagnostic, position=item.position, path=path))

        if isinstance(item, _SETS):
            report(Diagnostic(NOT_EXPRESSIBLE, "JSON has no group in a group"))
        else:
            _check_message(item, self._limits, self._contents, report)


class JsonEncoder:
    """Encodes the items of a JSON batch, prepared and checked ones, one after the other."""

    content_type = "application/json"

    def __init__(self, role_name: str, dialect: Dialect) -> None:
        self.headers_total = 0
        self._dialect = dialect
        self._pending = f'{{"{role_name}s":['.encode("ascii")
        self._contents = jsonbody.Contents()

    def send(self, item: Item) -> bytes:
        """Return the octets of the item, with what parts it from the one before."""
        if isinstance(item, _SETS):
            group = quoted(item.id or "")
            members = [self._object(inner, group) for inner in item.items]
        else:
            members = [self._object(item, None)]
        chunk = self._pending + b",".join(members)
        self._pending = b","
        return chunk

    def whole(
        self, items: Iterable[Item], annotations: values.Annotations, next_link: str | None
    ) -> bytes:
        """Return the octets of the batch."""
        return b"".join([*map(self.send, items), self.close(annotations, next_link)])

    def close(self, annotations: values.Annotations, next_link: str | None) -> bytes:
        """Return what ends the batch."""
        tail = [self._pending if self._pending != b"," else b"", b"]"]
        if next_link is not None:
            name = "@odata.nextLink" if self._dialect.json_version == "4.0" else "@nextLink"
            tail.append(f',"{name}":{quoted(next_link)}'.encode())
        return b"".join([*tail, _write_annotations(annotations), b"}"])

    def _object(self, item: Item, group: str | None) -> bytes:
        assert not isinstance(item, _SETS)  # groups in groups were refused
        # Names are tokens by now, in which nothing is to be escaped.
        fields = folded(item.headers).items()
        headers = ",".join([f'"{name}":{quoted(", ".join(found))}' for name, found in fields])
        self.headers_total += len(headers.encode()) + 2 if headers else 0
        head = _write_members(item, group, headers).encode()
        chunks = [b"{", head, _write_annotations(item.annotations)]
        if item.body:
            content = self._contents.of(item.headers)
            chunks += (b',"body":', jsonbody.write_body(item.body, content, self._dialect))
        return b"".join([*chunks, b"}"])


def _check_message(
    item: _Message, limits: Limits, contents: jsonbody.Contents, report: Reporter
) -> None:
    """Report what no object of a JSON batch can carry."""
    if limits.json_depth <= jsonbody.DEPTH:
        exceed(report, limits, "json_depth", item.position)
    if names_of(item.headers).count("set-cookie") > 1:
        message = "JSON cannot carry several Set-Cookie fields"
        report(Diagnostic(NOT_EXPRESSIBLE, message))
    if item.annotations:
        members = REQUEST_MEMBERS if isinstance(item, Operation) else RESPONSE_MEMBERS
        _check_annotations(item.annotations, members, jsonbody.DEPTH, limits, report)
    if isinstance(item, Operation):
        _check_text("condition", item.condition, report)
        for name in item.depends_on:
            _check_text("an entry of depends_on", name, report)
    if item.body:
        for found in jsonbody.check_body(item.body, contents.of(item.headers), limits):
            report(found)


def _check_annotations(
    annotations: Annotations, known: frozenset[str], depth: int, limits: Limits, report: Reporter
) -> None:
    """Report annotations that are members, or appear twice, or are no JSON."""
    names = set(known)
    for name, raw in annotations:
        what = f"the annotation {quote(name)}"
        if name in names:
            message = f"{what} stands twice, or is a member"
            report(Diagnostic(JSON_DUPLICATE_MEMBER, message))
        names.add(name)
        _check_text("the name of an annotation", name, report)
        for found in jsonbody.check_json(raw, what, limits, depth):
            report(found)


def _check_text(what: str, text: str | None, report: Reporter) -> None:
    """Report a text that UTF-8 cannot carry."""
    try:
        (text or "").encode("utf-8")
    except UnicodeEncodeError:
        message = f"{what} is {text!r:.60}, with half of a surrogate pair"
        report(Diagnostic(JSON_ENCODING, message))


def _write_members(item: _Message, group: str | None, headers: str) -> str:
    """Return the members of a message up to its headers; `group` and `headers` are JSON."""
    members = [] if item.id is None else [f'"id":{quoted(item.id)}']
    if group is not None:
        members.append(f'"atomicityGroup":{group}')
    if isinstance(item, OperationResponse):
        members.append(f'"status":{item.status}')
    else:
        if item.depends_on:
            members.append(f'"dependsOn":[{",".join(map(quoted, item.depends_on))}]')
        if item.condition is not None:
            members.append(f'"if":{quoted(item.condition)}')
        members.append(f'"method":{quoted(item.method)},"url":{quoted(item.url)}')
    if headers:
        members.append(f'"headers":{{{headers}}}')
    return ",".join(members)


def _write_annotations(annotations: Annotations) -> bytes:
    """Return annotations as members after others."""
    return b"".join([f",{quoted(name)}:".encode() + raw for name, raw in annotations])
