"""From values to payloads: whole, or item by item.

One-shot encoding writes the octets of the incremental encoder, after all items have been checked;
what must not be written is raised in one error.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from odata_batch._checks import messages, services
from odata_batch._checks.batch import path_of
from odata_batch._checks.scope import Scope
from odata_batch._coding.roles import REQUEST, RESPONSE, Role
from odata_batch._coding.settings import Settings
from odata_batch._graph.prepare import Preparation, depth_of, prepare
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import Diagnostic, EncodeError, Stop, exceed
from odata_batch._model.headers import Headers
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.public import public
from odata_batch._model.rules import Rule, Severity
from odata_batch._model.values import (
    Annotations,
    BatchRequest,
    BatchResponse,
    Item,
    Payload,
    RequestItem,
    ResponseItem,
)
from odata_batch._wire import json as jsonbatch
from odata_batch._wire import multipart
from odata_batch.dialects import ODATA_4_01

_Item = TypeVar("_Item", bound=Item)


class _FormatEncoder(Protocol):
    """What the encoders of both formats are to the front door."""

    headers_total: int

    @property
    def content_type(self) -> str:
        """The Content-Type of the batch."""

    def send(self, item: Item) -> bytes:
        """Return the octets of an item."""

    def close(self, annotations: Annotations, next_link: str | None) -> bytes:
        """Return what ends the batch."""

    def whole(
        self, items: Iterable[Item], annotations: Annotations, next_link: str | None
    ) -> bytes:
        """Return the octets of the batch."""


class _Checker(Protocol):
    """Says what of a batch a format cannot carry."""

    def check(self, item: Item) -> None:
        """Check the next item."""

    def check_batch(self, batch: BatchRequest | BatchResponse, items: int) -> None:
        """Check the members beside the items, whose number is given."""


class _Encoding(Generic[_Item]):
    """One batch that is being encoded; what must not be written is collected and raised at once."""

    def __init__(
        self,
        role: Role[_Item],
        settings: Settings,
        format: Format,
        boundary: str | None,
        fields: Iterable[tuple[str, str]],
    ) -> None:
        if format == "json" and boundary is not None:
            raise ValueError("a JSON batch has no boundary")
        dialect, limits = settings.dialect, settings.limits
        self._limits = limits
        self._severities = dict(dialect.severities)
        self._is_request = role.name == "request"
        self._found: list[Diagnostic] = []
        self._items = 0
        self._length = 0
        self._scope = Scope(format, dialect, limits, self._report, "written")
        self._rules = role.rules(self._scope)
        if self._is_request:
            services.check_format_spoken(self._scope, self._say)
        self._checker: _Checker = multipart.Checker(self._report)
        version = dialect.multipart_version
        if format == "json":
            self._checker = jsonbatch.Checker(limits, self._report)
            self.encoder: _FormatEncoder = jsonbatch.JsonEncoder(role.name, dialect)
            version = dialect.json_version
        else:
            if boundary is not None:
                multipart.check_boundary(boundary, limits, self._report)
            self.encoder = multipart.MultipartEncoder(role.name, boundary, self._report)
        self._fields = Headers(((dialect.version_header, version), *fields))
        for name, value in self._fields.pairs:
            for problem in messages.field_problems(name, value):
                self._report(Diagnostic(*problem))

    @property
    def headers(self) -> Headers:
        """The header fields to send with the body; those of one-shot encoding after its end."""
        return Headers((("Content-Type", self.encoder.content_type), *self._fields.pairs))

    def check_depth(self, items: Iterable[_Item]) -> None:
        """Raise for a change set that nests deeper than allowed, before anything walks into it."""
        deep = []
        for index, item in enumerate(items, self._items):
            depth = depth_of(item)
            if depth > self._limits.change_set_depth:
                message = f"found change sets nested {depth} deep"
                path = path_of([index])
                deep.append(Diagnostic(Rule.NESTED_CHANGE_SET, message, item.position, path))
        if deep:
            self._found += deep
            self.raise_findings()

    def check_items(self, items: Sequence[_Item]) -> None:
        """Collect what is wrong with prepared items, the next ones of the batch."""
        first = self._items
        self._items += len(items)
        with suppress(Stop):  # a limit, which is reported, too, ends the checks
            for index, item in enumerate(items, first):
                self._rules.check(item, index)
                self._checker.check(item)

    def check_batch(self, batch: BatchRequest | BatchResponse) -> None:
        """Collect what is wrong with the batch as a whole, all of its items having been checked."""
        self._rules.finish()
        self._checker.check_batch(batch, self._items)

    def whole(
        self,
        batch: BatchRequest | BatchResponse,
        items: tuple[_Item, ...],
        next_link: str | None,
    ) -> Payload:
        """Return the payload of a batch that is prepared, or raise what is wrong with it."""
        self.check_items(items)
        self.check_batch(batch)
        self.raise_findings()
        body = self.count(self.encoder.whole(items, batch.annotations, next_link))
        return Payload(body, self.headers)

    def count(self, chunk: bytes) -> bytes:
        """Hold the totals against the limits; return the chunk."""
        self._length += len(chunk)
        if self._is_request:
            services.check_payload(self._length, self._scope, self._say)
        with suppress(Stop):
            if self._length > self._limits.message:
                exceed(self._report, self._limits, "message", None)
            if self.encoder.headers_total > self._limits.headers_total:
                exceed(self._report, self._limits, "headers_total", None)
        self.raise_findings()
        return chunk

    def raise_findings(self) -> None:
        """Raise what has been collected, if anything has."""
        if self._found:
            raise EncodeError(tuple(self._found))

    def _say(self, rule: Rule, message: str) -> None:
        self._report(Diagnostic(rule, message))

    def _report(self, diagnostic: Diagnostic) -> None:
        severity = self._severities.get(diagnostic.rule, diagnostic.severity)
        if severity > Severity.NOTE:
            self._found.append(replace(diagnostic, severity=severity))


class _Encoder(Generic[_Item]):
    """What `RequestEncoder` and `ResponseEncoder` have in common."""

    def __init__(
        self,
        role: Role[_Item],
        settings: Settings,
        boundary: str | None,
        fields: Iterable[tuple[str, str]] = (),
    ) -> None:
        format = settings.format_of(None)
        self._role = role
        self._preparation = Preparation(format, settings.dialect)
        self._encoding = _Encoding(role, settings, format, boundary, fields)
        self._encoding.raise_findings()
        self._closed = False

    @property
    def headers(self) -> Headers:
        """The header fields to send with the body."""
        return self._encoding.headers

    def send(self, item: _Item) -> bytes:
        """Return the octets of an item; `EncodeError` if it cannot be written."""
        self._use()
        if not isinstance(item, self._role.kinds):
            names = " or ".join(kind.__name__ for kind in self._role.kinds)
            raise TypeError(f"an item is {names}, not {type(item).__name__}")
        self._encoding.check_depth([item])
        self._preparation.add(item)
        prepared = self._role.prepare(self._preparation, item)
        self._encoding.check_items([prepared])
        self._encoding.raise_findings()
        return self._encoding.count(self._encoding.encoder.send(prepared))

    def _close(self, batch: BatchRequest | BatchResponse, next_link: str | None) -> bytes:
        self._use()
        self._encoding.check_batch(batch)
        self._encoding.raise_findings()
        self._closed = True
        return self._encoding.count(self._encoding.encoder.close(batch.annotations, next_link))

    def _use(self) -> None:
        self._encoding.raise_findings()
        if self._closed:
            raise RuntimeError("the encoder is closed")


@public
class RequestEncoder(_Encoder[RequestItem]):
    """Encodes a batch request item by item; the chunks, joined, are the body.

    `headers` are complete at construction, so that an HTTP request can begin before the first item
    is known. The chunks are those of `encode_request` with the same boundary, provided that no
    later item uses an identifier that had to be generated for an earlier one; such an item is an
    `EncodeError`. After an error every further call raises it again.

    >>> encoder = RequestEncoder(boundary="b")
    >>> encoder.headers["Content-Type"]
    'multipart/mixed; boundary=b'
    >>> body = encoder.send(Operation.get("People")) + encoder.close()
    """

    def __init__(
        self,
        *,
        format: Format | None = None,
        dialect: Dialect = ODATA_4_01,
        limits: Limits = DEFAULT_LIMITS,
        boundary: str | None = None,
        accept: str | None = None,
        continue_on_error: bool | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        settings = Settings(dialect, format, limits)
        fields = _request_fields(settings.format_of(None), accept, continue_on_error)
        super().__init__(REQUEST, settings, boundary, fields)
        self._batch = BatchRequest((), continue_on_error=continue_on_error, annotations=annotations)

    def close(self) -> bytes:
        """Return what ends the body; `EncodeError` if the batch as a whole breaks a rule."""
        return self._close(self._batch, None)


@public
class ResponseEncoder(_Encoder[ResponseItem]):
    """Encodes a batch response item by item; the chunks, joined, are the body.

    See `RequestEncoder`.

    >>> encoder = ResponseEncoder(format="json")
    >>> encoder.send(OperationResponse(204, id="1")) + encoder.close()
    b'{"responses":[{"id":"1","status":204}]}'
    """

    def __init__(
        self,
        *,
        format: Format | None = None,
        dialect: Dialect = ODATA_4_01,
        limits: Limits = DEFAULT_LIMITS,
        boundary: str | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        super().__init__(RESPONSE, Settings(dialect, format, limits), boundary)
        self._annotations = BatchResponse((), annotations=annotations).annotations

    def close(self, *, next_link: str | None = None) -> bytes:
        """Return what ends the body, with the URL of the rest where there is one (JSON only)."""
        batch = BatchResponse((), next_link=next_link, annotations=self._annotations)
        return self._close(batch, next_link)


def encode_request(
    settings: Settings, batch: BatchRequest, boundary: str | None, accept: str | None
) -> Payload:
    """Return the body and the header fields of the HTTP request that carries the batch."""
    if not isinstance(batch, BatchRequest):
        raise TypeError(f"batch is a BatchRequest, not {type(batch).__name__}")
    format = settings.format_of(batch)
    fields = _request_fields(format, accept, batch.continue_on_error)
    encoding = _Encoding(REQUEST, settings, format, boundary, fields)
    encoding.check_depth(batch.items)
    prepared = prepare(batch, format=format, dialect=settings.dialect)
    return encoding.whole(prepared, prepared.items, None)


def encode_response(settings: Settings, batch: BatchResponse, boundary: str | None) -> Payload:
    """Return the body and the header fields of the HTTP response that carries the batch."""
    if not isinstance(batch, BatchResponse):
        raise TypeError(f"batch is a BatchResponse, not {type(batch).__name__}")
    format = settings.format_of(batch)
    encoding = _Encoding(RESPONSE, settings, format, boundary, ())
    encoding.check_depth(batch.items)
    prepared = prepare(batch, format=format, dialect=settings.dialect)
    return encoding.whole(prepared, prepared.items, batch.next_link)


def _request_fields(
    format: Format, accept: str | None, continue_on_error: bool | None
) -> list[tuple[str, str]]:
    wanted = "application/json" if format == "json" else "multipart/mixed"
    fields = [("Accept", wanted if accept is None else accept)]
    if continue_on_error is not None:
        # Services of all versions know the name with its prefix. OData Protocol, 8.2.8
        value = "" if continue_on_error else "=false"
        fields.append(("Prefer", f"odata.continue-on-error{value}"))
    return fields
