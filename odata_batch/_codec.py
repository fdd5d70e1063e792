"""The front door: payloads to values and back, whole or as they arrive.

One-shot decoding is the incremental decoder, fed once; one-shot encoding writes the same octets as
the incremental encoder, after all items have been checked. Here, and only here, it is decided what
a finding means.

Why this long: two directions and two roles stand side by side, each call with its docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Protocol, TypeVar

from odata_batch import _jsonbatch as jsonbatch
from odata_batch import _multipart as multipart
from odata_batch import _rules as rules
from odata_batch._diagnostics import Diagnostic, Report, Reporter, Rule, Severity, quote
from odata_batch._errors import DecodeError, EncodeError, Findings, Stop, exceed, stop
from odata_batch._headers import Headers, MediaType, SectionReader, parse_media_type
from odata_batch._http import Request, Response, parse_request, parse_response
from odata_batch._limits import Limits
from odata_batch._model import (
    Annotations,
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    HeadersLike,
    Item,
    Operation,
    OperationResponse,
    Payload,
    RequestItem,
    ResponseItem,
)
from odata_batch._prepare import Format, Preparation, check_format, prepare
from odata_batch.dialects import ODATA_4_01, Dialect

_Item = TypeVar("_Item", bound=Item)
_Co = TypeVar("_Co", covariant=True)
_Batch = TypeVar("_Batch", BatchRequest, BatchResponse)
_Contra = TypeVar("_Contra", contravariant=True)
_DEFAULT_LIMITS = Limits()


# -- decoding ------------------------------------------------------------------------------------


class _FormatDecoder(Protocol[_Co]):
    """What the decoders of both formats are to the front door."""

    @property
    def format(self) -> Format | None:
        """The format, once it is known."""

    @property
    def truncated(self) -> bool:
        """Whether the close delimiter was missing."""

    @property
    def annotations(self) -> Annotations:
        """What stands beside the items."""

    @property
    def next_link(self) -> str | None:
        """The URL of the rest."""

    def receive_data(self, data: bytes) -> Iterator[tuple[int, _Co]]:
        """Yield the items that the octets complete, with their indexes."""

    def receive_eof(self) -> Iterator[tuple[int, _Co]]:
        """Yield the items that are left."""


class _Rules(Protocol[_Contra]):
    """What the rules of both roles are to the front door."""

    def check(self, item: _Contra, index: int) -> None:
        """Check an item, whose index is given."""

    def finish(self) -> None:
        """Check what needs the whole batch."""


@dataclass(frozen=True, slots=True)
class _Role(Generic[_Item]):
    """What decoding a request and decoding a response do differently."""

    name: str
    multipart: Callable[[bytes, Limits, Reporter, int], _FormatDecoder[_Item]]
    json: Callable[[Limits, Reporter, int], _FormatDecoder[_Item]]
    parse: Callable[[bytes, int, bytes, SectionReader], Request | Response | None]
    make_rules: Callable[[rules.Scope], _Rules[_Item]]
    check_outer: Callable[[Headers, rules.Say], None]


def _request_rules(scope: rules.Scope) -> rules.RequestRules:
    json = scope.format == "json"
    return rules.RequestRules(scope, rules.READ_JSON_OPERATION if json else rules.READ_OPERATION)


def _response_rules(scope: rules.Scope) -> rules.ResponseRules:
    json = scope.format == "json"
    return rules.ResponseRules(scope, rules.READ_JSON_RESPONSE if json else rules.READ_RESPONSE)


_REQUEST: _Role[RequestItem] = _Role(
    name="request",
    multipart=partial(multipart.MultipartDecoder, multipart.REQUEST),
    json=partial(jsonbatch.JsonDecoder, jsonbatch.REQUEST),
    parse=parse_request,
    make_rules=_request_rules,
    check_outer=rules.check_outer_request,
)
_RESPONSE: _Role[ResponseItem] = _Role(
    name="response",
    multipart=partial(multipart.MultipartDecoder, multipart.RESPONSE),
    json=partial(jsonbatch.JsonDecoder, jsonbatch.RESPONSE),
    parse=parse_response,
    make_rules=_response_rules,
    check_outer=rules.check_outer_response,
)


class _Wrapped(Generic[_Item]):
    """Decodes an HTTP message that is itself the body of one, as application/http.

    OData Protocol, 11.6: the result of an asynchronous batch may come as a whole HTTP response. Its
    head says which decoder reads its body.
    """

    def __init__(
        self,
        role: _Role[_Item],
        limits: Limits,
        report: Reporter,
        open: Callable[[str, Headers, int], _FormatDecoder[_Item]],
    ) -> None:
        self._role = role
        self._reader = SectionReader(limits, report)
        self._open = open
        self._head = bytearray()
        self._searched = 0
        self._inner: _FormatDecoder[_Item] | None = None

    @property
    def format(self) -> Format | None:
        return None if self._inner is None else self._inner.format

    @property
    def truncated(self) -> bool:
        return self._inner is not None and self._inner.truncated

    @property
    def annotations(self) -> Annotations:
        return () if self._inner is None else self._inner.annotations

    @property
    def next_link(self) -> str | None:
        return None if self._inner is None else self._inner.next_link

    def receive_data(self, data: bytes) -> Iterator[tuple[int, _Item]]:
        if self._inner is not None:
            yield from self._inner.receive_data(data)
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n", self._searched)
        self._searched = max(0, len(self._head) - 3)
        if end >= 0:
            yield from self._enter(end + 4).receive_data(bytes(self._head[end + 4 :]))
            self._head.clear()

    def receive_eof(self) -> Iterator[tuple[int, _Item]]:
        inner = self._inner
        yield from (self._enter(len(self._head)) if inner is None else inner).receive_eof()

    def _enter(self, end: int) -> _FormatDecoder[_Item]:
        message = self._role.parse(bytes(self._head[:end]), 0, b"\r\n", self._reader)
        if message is None:
            raise Stop(Rule.BATCH_MEDIA_TYPE)
        content_type = message.headers.get("content-type", "")
        self._inner = self._open(content_type, message.headers, end)
        return self._inner


class _Decoding(Generic[_Item]):
    """One payload that is being decoded; what is found goes to `findings`."""

    def __init__(
        self,
        role: _Role[_Item],
        content_type: str,
        headers: HeadersLike,
        dialect: Dialect,
        limits: Limits,
        findings: Findings,
    ) -> None:
        self.items: list[_Item] = []
        self.continue_on_error: bool | None = None
        self._findings = findings
        self._role = role
        self._dialect = dialect
        self._limits = limits
        self._received = 0
        self._rules: _Rules[_Item] | None = None
        outer = _outer_headers(headers, content_type)
        self._check_outer(outer, 0)
        media_type = self._media_type(content_type, 0)
        if media_type.name == "application/http":
            self.decoder: _FormatDecoder[_Item] = _Wrapped(role, limits, findings, self._open)
        else:
            self.decoder = self._decoder_for(media_type, content_type, 0)

    def receive_data(self, data: bytes) -> Iterator[_Item]:
        """Yield the items that the octets complete."""
        room = self._limits.message - self._received
        self._received += len(data)
        within = data if len(data) <= room else data[:room]
        yield from self._checked(self.decoder.receive_data(within))
        if len(data) > room:
            exceed(self._findings, self._limits, "message", self._limits.message)

    def receive_eof(self) -> Iterator[_Item]:
        """Yield the items that are left, and check the batch as a whole."""
        yield from self._checked(self.decoder.receive_eof())
        if self._rules is not None:
            self._rules.finish()

    def _checked(self, found: Iterator[tuple[int, _Item]]) -> Iterator[_Item]:
        for index, item in found:
            if self._rules is None:
                format = self.decoder.format or "multipart"
                scope = rules.Scope(format, self._dialect, self._limits, self._findings)
                self._rules = self._role.make_rules(scope)
            self._rules.check(item, index)
            self.items.append(item)
            yield item

    # -- choosing the decoder --

    def _open(self, content_type: str, headers: Headers, position: int) -> _FormatDecoder[_Item]:
        """Return the decoder of the wrapped message whose body begins at `position`."""
        self._check_outer(headers, position)
        media_type = self._media_type(content_type, position)
        return self._decoder_for(media_type, content_type, position)

    def _media_type(self, content_type: str, position: int) -> MediaType:
        if len(content_type) > self._limits.field_line:
            exceed(self._in_headers, self._limits, "field_line", position)
        media_type = parse_media_type(content_type)
        for rule, message in media_type.problems:
            diagnostic = Diagnostic(rule, message, position)
            if rule.fatal:
                stop(self._in_headers, diagnostic)
            self._in_headers(diagnostic)
        return media_type

    def _decoder_for(
        self, media_type: MediaType, content_type: str, position: int
    ) -> _FormatDecoder[_Item]:
        if media_type.name == "application/json":
            self._check_charset(media_type, position)
            return self._role.json(self._limits, self._findings, position)
        if not media_type.name.startswith("multipart/"):
            message = f"found {quote(content_type)}, expected multipart/mixed or application/json"
            stop(self._in_headers, Diagnostic(Rule.BATCH_MEDIA_TYPE, message, position))
        if media_type.name != "multipart/mixed":
            message = f"found {quote(media_type.name)}, expected multipart/mixed"
            self._in_headers(Diagnostic(Rule.MULTIPART_SUBTYPE, message, position))
        boundary = multipart.boundary_of(media_type, self._limits, self._in_headers, position)
        return self._role.multipart(boundary, self._limits, self._findings, position)

    def _check_charset(self, media_type: MediaType, position: int) -> None:
        charset = media_type.parameter("charset")
        if charset is not None and charset.lower() not in ("utf-8", "utf8"):
            message = f"found charset {quote(charset)}, expected utf-8"
            stop(self._in_headers, Diagnostic(Rule.JSON_CHARSET, message, position))

    def _check_outer(self, headers: Headers, position: int) -> None:
        def say(rule: Rule, message: str) -> None:
            self._in_headers(Diagnostic(rule, message, position))

        longest = max((len(value) for _, value in headers.pairs), default=0)
        if longest > self._limits.field_line:
            exceed(self._in_headers, self._limits, "field_line", position)
        self._role.check_outer(headers, say)
        preference = rules.continue_on_error(headers, say)
        if self.continue_on_error is None:
            self.continue_on_error = preference

    def _in_headers(self, diagnostic: Diagnostic) -> None:
        self._findings(replace(diagnostic, path="headers"))


def _outer_headers(headers: HeadersLike, content_type: str) -> Headers:
    if not isinstance(content_type, str):
        raise TypeError(f"content_type is a str, not {type(content_type).__name__}")
    outer = Headers(headers)
    for value in outer.get_all("content-type"):
        if value != content_type:
            raise ValueError(
                f"headers have Content-Type {value!r}, the argument is {content_type!r}"
            )
    return outer


def _octets(data: bytes) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"data is bytes, not {type(data).__name__}")
    return bytes(data)


class _Decoder(Generic[_Item]):
    """What `RequestDecoder` and `ResponseDecoder` have in common."""

    def __init__(
        self,
        role: _Role[_Item],
        content_type: str,
        headers: HeadersLike,
        dialect: Dialect,
        limits: Limits,
        strict: bool,
        report: Reporter | None,
    ) -> None:
        raise_from = Severity.WARNING if strict else Severity.ERROR
        self._findings = Findings(limits, dict(dialect.severities), raise_from, report)
        self._error: DecodeError | None = None
        self._ended = False
        self._decoding = _Decoding(role, content_type, headers, dialect, limits, self._findings)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What has been found so far, up to `Limits.diagnostics`."""
        return tuple(self._findings.diagnostics)

    @property
    def format(self) -> Format | None:
        """`"multipart"` or `"json"`; `None` until the head of a wrapped message has been read."""
        return self._decoding.decoder.format

    def receive_data(self, data: bytes) -> list[_Item]:
        """Take the next octets, in chunks of any size, and return the items that they complete.

        If an error is found behind items that this call completed, they are returned, and this
        error is raised by the next call and every later one. After `receive_eof`: `RuntimeError`.
        """
        return self._collect(self._decoding.receive_data, _octets(data))

    def receive_eof(self) -> list[_Item]:
        """Say that the payload ends here; return the items that are left, like `receive_data`."""
        items = self._collect(lambda _: self._decoding.receive_eof(), b"")
        self._ended = True
        return items

    def _collect(self, source: Callable[[bytes], Iterator[_Item]], data: bytes) -> list[_Item]:
        if self._error is not None:
            raise self._error
        if self._ended:
            raise RuntimeError("the end of the payload has been received")
        items: list[_Item] = []
        try:
            for item in source(data):
                items.append(item)
        except DecodeError as error:
            error.partial = tuple(self._decoding.items)
            self._error = error
            if not items:
                raise
        return items

    def _finished(self) -> _Decoding[_Item]:
        if self._error is not None:
            raise self._error
        if not self._ended:
            raise RuntimeError("the end of the payload has not been received; call receive_eof")
        return self._decoding


class RequestDecoder(_Decoder[RequestItem]):
    """Decodes a batch request that arrives in chunks; sans-IO.

    The arguments are those of `decode_request`. A Content-Type from which no batch can be decoded
    raises `DecodeError` here. JSON is decoded at the end, multipart item by item.

    >>> decoder = RequestDecoder("application/json")
    >>> decoder.receive_data(b'{"requests":[{"id":"1","method":"GET","url":"People"}]}')
    []
    >>> [operation.url for operation in decoder.receive_eof()]
    ['People']
    """

    def __init__(
        self,
        content_type: str,
        *,
        headers: HeadersLike = (),
        dialect: Dialect = ODATA_4_01,
        limits: Limits = _DEFAULT_LIMITS,
        strict: bool = False,
        report: Reporter | None = None,
    ) -> None:
        super().__init__(_REQUEST, content_type, headers, dialect, limits, strict, report)

    @property
    def result(self) -> BatchRequest:
        """The whole batch; before `receive_eof` it is `RuntimeError`."""
        return _request(self._finished())


class ResponseDecoder(_Decoder[ResponseItem]):
    """Decodes a batch response that arrives in chunks; sans-IO.

    The arguments are those of `decode_response`. A Content-Type from which no batch can be decoded
    raises `DecodeError` here. JSON is decoded at the end, multipart item by item.

    >>> decoder = ResponseDecoder("multipart/mixed; boundary=b")
    >>> head = b"--b\\r\\nContent-Type: application/http\\r\\n\\r\\n"
    >>> decoder.receive_data(head + b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    []
    >>> [response.status for response in decoder.receive_data(b"\\r\\n--b--\\r\\n")]
    [204]
    >>> decoder.receive_eof()
    []
    """

    def __init__(
        self,
        content_type: str,
        *,
        headers: HeadersLike = (),
        dialect: Dialect = ODATA_4_01,
        limits: Limits = _DEFAULT_LIMITS,
        strict: bool = False,
        report: Reporter | None = None,
    ) -> None:
        super().__init__(_RESPONSE, content_type, headers, dialect, limits, strict, report)

    @property
    def result(self) -> BatchResponse:
        """The whole batch; before `receive_eof` it is `RuntimeError`."""
        return _response(self._finished())


def _request(decoding: _Decoding[RequestItem]) -> BatchRequest:
    return BatchRequest(
        decoding.items,
        continue_on_error=decoding.continue_on_error,
        annotations=decoding.decoder.annotations,
    )


def _response(decoding: _Decoding[ResponseItem]) -> BatchResponse:
    decoder = decoding.decoder
    return BatchResponse(
        decoding.items,
        next_link=decoder.next_link,
        truncated=decoder.truncated,
        annotations=decoder.annotations,
    )


def decode_request(
    body: bytes,
    content_type: str,
    *,
    headers: HeadersLike = (),
    dialect: Dialect = ODATA_4_01,
    limits: Limits = _DEFAULT_LIMITS,
    strict: bool = False,
    report: Reporter | None = None,
) -> BatchRequest:
    """Return the batch request that the body of an HTTP request holds.

    `content_type` decides the format. `headers` are those of the HTTP request: its `Prefer` says
    whether to continue on error. Errors raise `DecodeError`, a limit its subclass `LimitExceeded`;
    with `strict`, warnings do, too. What does not raise goes to `report`. A Content-Type among the
    headers that differs from the argument is `ValueError`.

    >>> text = b'{"requests":[{"id":"1","method":"GET","url":"People"}]}'
    >>> decode_request(text, "application/json").items[0].url
    'People'
    """
    decoder = RequestDecoder(
        content_type,
        headers=headers,
        dialect=dialect,
        limits=limits,
        strict=strict,
        report=report,
    )
    decoder.receive_data(body)
    decoder.receive_eof()
    return decoder.result


def decode_response(
    body: bytes,
    content_type: str,
    *,
    headers: HeadersLike = (),
    dialect: Dialect = ODATA_4_01,
    limits: Limits = _DEFAULT_LIMITS,
    strict: bool = False,
    report: Reporter | None = None,
) -> BatchResponse:
    """Return the batch response that the body of an HTTP response holds, whatever its status.

    The response's own `content_type` decides the format, not that of the request. A multipart
    response without its close delimiter is `truncated`, which is a warning; see `decode_request`
    for the rest.

    >>> text = b'{"responses":[{"id":"1","status":204}]}'
    >>> decode_response(text, "application/json").items[0].status
    204
    """
    decoder = ResponseDecoder(
        content_type,
        headers=headers,
        dialect=dialect,
        limits=limits,
        strict=strict,
        report=report,
    )
    decoder.receive_data(body)
    decoder.receive_eof()
    return decoder.result


def check_request(
    body: bytes,
    content_type: str,
    *,
    headers: HeadersLike = (),
    dialect: Dialect = ODATA_4_01,
    limits: Limits = _DEFAULT_LIMITS,
) -> Report[BatchRequest]:
    """Return what is wrong with a batch request, and what could be read; never raises on bytes.

    Damage within one part is reported for that part, and the next part is read.

    >>> report = check_request(b"--b--", "multipart/mixed; boundary=b")
    >>> [found.rule.slug for found in report.diagnostics], report.ok
    (['no-parts'], True)
    """
    return _check(_REQUEST, _request, body, content_type, headers, dialect, limits)


def check_response(
    body: bytes,
    content_type: str,
    *,
    headers: HeadersLike = (),
    dialect: Dialect = ODATA_4_01,
    limits: Limits = _DEFAULT_LIMITS,
) -> Report[BatchResponse]:
    """Return what is wrong with a batch response, and what could be read; never raises on bytes.

    >>> report = check_response(b'{"error":{"code":"1"}}', "application/json")
    >>> report.diagnostics[-1].rule.slug, report.complete
    ('json-error-response', False)
    """
    return _check(_RESPONSE, _response, body, content_type, headers, dialect, limits)


def _check(
    role: _Role[_Item],
    result: Callable[[_Decoding[_Item]], _Batch],
    body: bytes,
    content_type: str,
    headers: HeadersLike,
    dialect: Dialect,
    limits: Limits,
) -> Report[_Batch]:
    octets = _octets(body)
    findings = Findings(limits, dict(dialect.severities), None)
    decoding: _Decoding[_Item] | None = None
    complete = True
    try:
        decoding = _Decoding(role, content_type, headers, dialect, limits, findings)
        for source in (decoding.receive_data(octets), decoding.receive_eof()):
            for _ in source:
                pass
    except Stop:
        complete = False
    return Report(
        None if decoding is None else result(decoding),
        tuple(findings.diagnostics),
        complete,
        findings.omitted,
        findings.worst,
    )


# -- encoding ------------------------------------------------------------------------------------


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


class _Encoding(Generic[_Item]):
    """One batch that is being encoded; what must not be written is collected and raised at once."""

    def __init__(
        self,
        role: _Writing[_Item],
        format: Format,
        dialect: Dialect,
        limits: Limits,
        boundary: str | None,
    ) -> None:
        check_format(format)
        if format == "json" and boundary is not None:
            raise ValueError("a JSON batch has no boundary")
        self.format = format
        self._dialect = dialect
        self._limits = limits
        self._severities = dict(dialect.severities)
        self._found: list[Diagnostic] = []
        self._items = 0
        self._length = 0
        self._checker = (jsonbatch if format == "json" else multipart).Checker(limits, self._report)
        self._rules = role.make_rules(rules.Scope(format, dialect, limits, self._report))
        self.encoder = self._format_encoder(role.name, boundary)
        self.raise_findings()

    def _format_encoder(self, role_name: str, boundary: str | None) -> _FormatEncoder:
        if self.format == "json":
            return jsonbatch.JsonEncoder(role_name, self._dialect)
        if boundary is not None:
            multipart.check_boundary(boundary, self._limits, self._report)
        return multipart.MultipartEncoder(role_name, boundary, self._report)

    def outer_headers(self, *fields: tuple[str, str]) -> Headers:
        """Return Content-Type, version and `fields`, checked."""
        json = self.format == "json"
        version = self._dialect.json_version if json else self._dialect.multipart_version
        content_type = ("Content-Type", self.encoder.content_type)
        headers = Headers((content_type, (self._dialect.version_header, version), *fields))
        for name, value in headers.pairs:
            for problem in rules.field_problems(name, value):
                self._report(Diagnostic(*problem))
        self.raise_findings()
        return headers

    def check_depth(self, items: Iterable[_Item]) -> None:
        """Raise for a change set that nests deeper than allowed, before anything walks into it."""
        for index, item in enumerate(items, self._items):
            depth = rules.depth_of(item)
            if depth > self._limits.change_set_depth:
                message = f"found change sets nested {depth} deep"
                path = rules.path_of([index])
                found = Diagnostic(Rule.NESTED_CHANGE_SET, message, item.position, path)
                self._report(found)
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

    def count(self, chunk: bytes) -> bytes:
        """Hold the totals against the limits; return the chunk."""
        self._length += len(chunk)
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

    def _report(self, diagnostic: Diagnostic) -> None:
        severity = self._severities.get(diagnostic.rule, diagnostic.severity)
        if severity > Severity.NOTE:
            self._found.append(replace(diagnostic, severity=severity))


@dataclass(frozen=True, slots=True)
class _Writing(Generic[_Item]):
    """What encoding a request and encoding a response do differently."""

    name: str
    make_rules: Callable[[rules.Scope], _Rules[_Item]]
    prepare: Callable[[Preparation, _Item], _Item]
    kinds: tuple[type, ...]


_WRITE_REQUEST: _Writing[RequestItem] = _Writing(
    name="request",
    make_rules=lambda scope: rules.RequestRules(scope, rules.WRITE_OPERATION),
    prepare=Preparation.request_item,
    kinds=(Operation, ChangeSet),
)
_WRITE_RESPONSE: _Writing[ResponseItem] = _Writing(
    name="response",
    make_rules=lambda scope: rules.ResponseRules(scope, rules.WRITE_RESPONSE),
    prepare=Preparation.response_item,
    kinds=(OperationResponse, ChangeSetResponse),
)


class _Encoder(Generic[_Item]):
    """What `RequestEncoder` and `ResponseEncoder` have in common."""

    def __init__(
        self,
        role: _Writing[_Item],
        format: Format,
        dialect: Dialect,
        limits: Limits,
        boundary: str | None,
    ) -> None:
        self._role = role
        self._preparation = Preparation(format, dialect)
        self._encoding = _Encoding(role, format, dialect, limits, boundary)
        self._headers = Headers()
        self._closed = False

    @property
    def headers(self) -> Headers:
        """The header fields to send with the body."""
        return self._headers

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
        format: Format = "multipart",
        dialect: Dialect = ODATA_4_01,
        limits: Limits = _DEFAULT_LIMITS,
        boundary: str | None = None,
        accept: str | None = None,
        continue_on_error: bool | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        super().__init__(_WRITE_REQUEST, format, dialect, limits, boundary)
        self._batch = BatchRequest((), continue_on_error=continue_on_error, annotations=annotations)
        fields = _request_fields(format, accept, continue_on_error)
        self._headers = self._encoding.outer_headers(*fields)

    def close(self) -> bytes:
        """Return what ends the body; `EncodeError` if the batch as a whole breaks a rule."""
        return self._close(self._batch, None)


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
        format: Format = "multipart",
        dialect: Dialect = ODATA_4_01,
        limits: Limits = _DEFAULT_LIMITS,
        boundary: str | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        super().__init__(_WRITE_RESPONSE, format, dialect, limits, boundary)
        self._annotations = BatchResponse((), annotations=annotations).annotations
        self._headers = self._encoding.outer_headers()

    def close(self, *, next_link: str | None = None) -> bytes:
        """Return what ends the body, with the URL of the rest where there is one (JSON only)."""
        batch = BatchResponse((), next_link=next_link, annotations=self._annotations)
        return self._close(batch, next_link)


def encode_request(
    batch: BatchRequest,
    *,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
    limits: Limits = _DEFAULT_LIMITS,
    boundary: str | None = None,
    accept: str | None = None,
) -> Payload:
    """Return the body of the HTTP request that carries the batch, and the headers to send with it.

    What is written is `prepare(batch)`; it is never repaired. Whatever breaks a rule, be it only a
    warning, is in the `diagnostics` of one `EncodeError`. With a `boundary` multipart is
    reproducible; with JSON it is `ValueError`. `accept` is the batch format wanted back, by default
    the same.

    >>> encode_request(BatchRequest([Operation.get("People", id="1")]), format="json").body
    b'{"requests":[{"id":"1","method":"GET","url":"People"}]}'
    """
    if not isinstance(batch, BatchRequest):
        raise TypeError(f"batch is a BatchRequest, not {type(batch).__name__}")
    encoding = _Encoding(_WRITE_REQUEST, format, dialect, limits, boundary)
    encoding.check_depth(batch.items)
    prepared = prepare(batch, format=format, dialect=dialect)
    body = _whole(encoding, prepared, prepared.items, None)
    fields = _request_fields(format, accept, batch.continue_on_error)
    return Payload(body, encoding.outer_headers(*fields))


def encode_response(
    batch: BatchResponse,
    *,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
    limits: Limits = _DEFAULT_LIMITS,
    boundary: str | None = None,
) -> Payload:
    """Return the body of the HTTP response that carries the batch, and the headers to send with it.

    See `encode_request`.

    >>> batch = BatchResponse([OperationResponse(204)])
    >>> encode_response(batch, boundary="b").content_type
    'multipart/mixed; boundary=b'
    """
    if not isinstance(batch, BatchResponse):
        raise TypeError(f"batch is a BatchResponse, not {type(batch).__name__}")
    encoding = _Encoding(_WRITE_RESPONSE, format, dialect, limits, boundary)
    encoding.check_depth(batch.items)
    prepared = prepare(batch, format=format, dialect=dialect)
    body = _whole(encoding, prepared, prepared.items, batch.next_link)
    return Payload(body, encoding.outer_headers())


def _whole(
    encoding: _Encoding[_Item],
    batch: BatchRequest | BatchResponse,
    items: tuple[_Item, ...],
    next_link: str | None,
) -> bytes:
    encoding.check_items(items)
    encoding.check_batch(batch)
    encoding.raise_findings()
    return encoding.count(encoding.encoder.whole(items, batch.annotations, next_link))


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
