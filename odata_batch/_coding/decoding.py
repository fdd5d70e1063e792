"""From payloads to values: whole or as they arrive, decoded or only checked.

One-shot decoding is the incremental decoder, fed once. Here, and only here, it is decided what a
finding in a payload means.

Why this long: the calls of both roles stand side by side, each with its docstring.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Protocol, TypeVar

from odata_batch._checks import batch as rules
from odata_batch._checks import messages as message_rules
from odata_batch._checks import pairs as pair_rules
from odata_batch._checks import services as service_rules
from odata_batch._coding.settings import Settings
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import (
    DecodeError,
    Diagnostic,
    Findings,
    Report,
    Reporter,
    Stop,
    exceed,
    quote,
    stop,
)
from odata_batch._model.headers import Headers
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.public import public
from odata_batch._model.rules import Rule, Severity
from odata_batch._model.values import (
    Annotations,
    BatchRequest,
    BatchResponse,
    HeadersLike,
    Item,
    RequestItem,
    ResponseItem,
    with_format,
)
from odata_batch._wire import json as jsonbatch
from odata_batch._wire import multipart
from odata_batch._wire.http import Message, parse_request, parse_response
from odata_batch._wire.sections import MediaType, SectionReader, parse_media_type
from odata_batch.dialects import ODATA_4_01

_Item = TypeVar("_Item", bound=Item)
_Co = TypeVar("_Co", covariant=True)
_Batch = TypeVar("_Batch", BatchRequest, BatchResponse)


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


@dataclass(frozen=True, slots=True)
class _Role(Generic[_Item]):
    """What decoding a request and decoding a response do differently."""

    name: str
    multipart: Callable[[bytes, Limits, Reporter, int], _FormatDecoder[_Item]]
    json: Callable[[Limits, Reporter, int, Dialect], _FormatDecoder[_Item]]
    parse: Callable[
        [bytes, int, bytes, SectionReader],
        Message[tuple[str, str]] | Message[tuple[int, str]] | None,
    ]
    make_rules: Callable[[message_rules.Scope], rules.Rules[_Item]]
    check_outer: Callable[[Headers, message_rules.Say], None]
    check_service: Callable[[int, Headers, message_rules.Scope, message_rules.Say], None]


def _request_rules(scope: message_rules.Scope) -> rules.RequestRules:
    json = scope.format == "json"
    return rules.RequestRules(
        scope, message_rules.READ_JSON_OPERATION if json else message_rules.READ_OPERATION
    )


def _response_rules(scope: message_rules.Scope) -> rules.ResponseRules:
    json = scope.format == "json"
    return rules.ResponseRules(
        scope, message_rules.READ_JSON_RESPONSE if json else message_rules.READ_RESPONSE
    )


def _check_request_service(
    octets: int, headers: Headers, scope: message_rules.Scope, say: message_rules.Say
) -> None:
    service_rules.check_format_spoken(scope, say)
    service_rules.check_preference_prefix(headers, scope.dialect, say)
    service_rules.check_payload(octets, scope, say)


_REQUEST: _Role[RequestItem] = _Role(
    name="request",
    multipart=partial(multipart.MultipartDecoder, multipart.REQUEST),
    json=partial(jsonbatch.JsonDecoder, jsonbatch.REQUEST),
    parse=parse_request,
    make_rules=_request_rules,
    check_outer=message_rules.check_outer_request,
    check_service=_check_request_service,
)
_RESPONSE: _Role[ResponseItem] = _Role(
    name="response",
    multipart=partial(multipart.MultipartDecoder, multipart.RESPONSE),
    json=partial(jsonbatch.JsonDecoder, jsonbatch.RESPONSE),
    parse=parse_response,
    make_rules=_response_rules,
    check_outer=message_rules.check_outer_response,
    check_service=lambda octets, headers, scope, say: None,
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
        content_type = message.section.headers.get("content-type", "")
        self._inner = self._open(content_type, message.section.headers, end)
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
        self._outer = _outer_headers(headers, content_type)
        self.continue_on_error: bool | None = None
        self._findings = findings
        self._role = role
        self._dialect = dialect
        self._limits = limits
        self._received = 0
        self._rules: rules.Rules[_Item] | None = None
        self._check_outer(self._outer, 0)
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
        self._role.check_service(self._received, self._outer, self.scope, self._say_of_all)

    def _say_of_all(self, rule: Rule, message: str) -> None:
        self._findings(Diagnostic(rule, message, 0))

    def _checked(self, found: Iterator[tuple[int, _Item]]) -> Iterator[_Item]:
        for index, item in found:
            if self._rules is None:
                self._rules = self._role.make_rules(self.scope)
            self._rules.check(item, index)
            self.items.append(item)
            yield item

    @property
    def scope(self) -> message_rules.Scope:
        """What the rules are applied under, once the format is known."""
        format = self.decoder.format or "multipart"
        return message_rules.Scope(format, self._dialect, self._limits, self._findings)

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
            return self._role.json(self._limits, self._findings, position, self._dialect)
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
        preference = message_rules.continue_on_error(headers, say)
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
        Settings(dialect, None, limits)  # refuses what is none
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


@public
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
        limits: Limits = DEFAULT_LIMITS,
        strict: bool = False,
        report: Reporter | None = None,
    ) -> None:
        super().__init__(_REQUEST, content_type, headers, dialect, limits, strict, report)

    @property
    def result(self) -> BatchRequest:
        """The whole batch; before `receive_eof` it is `RuntimeError`."""
        return _request(self._finished())


@public
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
        limits: Limits = DEFAULT_LIMITS,
        strict: bool = False,
        report: Reporter | None = None,
    ) -> None:
        super().__init__(_RESPONSE, content_type, headers, dialect, limits, strict, report)

    @property
    def result(self) -> BatchResponse:
        """The whole batch; before `receive_eof` it is `RuntimeError`."""
        return _response(self._finished())


def _request(decoding: _Decoding[RequestItem]) -> BatchRequest:
    batch = BatchRequest(
        decoding.items,
        continue_on_error=decoding.continue_on_error,
        annotations=decoding.decoder.annotations,
    )
    return with_format(batch, decoding.decoder.format)


def _response(decoding: _Decoding[ResponseItem]) -> BatchResponse:
    decoder = decoding.decoder
    batch = BatchResponse(
        decoding.items,
        next_link=decoder.next_link,
        truncated=decoder.truncated,
        annotations=decoder.annotations,
    )
    return with_format(batch, decoder.format)


def decode_request(
    body: bytes,
    content_type: str,
    *,
    headers: HeadersLike = (),
    dialect: Dialect = ODATA_4_01,
    limits: Limits = DEFAULT_LIMITS,
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
    limits: Limits = DEFAULT_LIMITS,
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
    limits: Limits = DEFAULT_LIMITS,
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
    limits: Limits = DEFAULT_LIMITS,
    request: BatchRequest | None = None,
    request_format: Format | None = None,
) -> Report[BatchResponse]:
    """Return what is wrong with a batch response, and what could be read; never raises on bytes.

    With the `request` that it answers, also what is wrong between the two: a request without a
    response, a response without a request, ids and groups that differ. `request_format` is the
    format in which the request was sent, by default that of the response.

    >>> report = check_response(b'{"error":{"code":"1"}}', "application/json")
    >>> report.diagnostics[-1].rule.slug, report.complete
    ('json-error-response', False)
    """
    if request is not None and not isinstance(request, BatchRequest):
        raise TypeError(f"request is a BatchRequest, not {type(request).__name__}")

    def check_pair(response: BatchResponse, scope: message_rules.Scope) -> None:
        if request is not None:
            pair_rules.check_pair(request, response, request_format or scope.format, scope)

    if request_format == "multipart":
        # Requests of a multipart batch need no identifiers, nor then do the responses, whatever
        # their format; where one was sent, it is check_pair that asks for it.
        severities = (*dialect.severities, (Rule.JSON_RESPONSE_ID_MISSING, Severity.NOTE))
        dialect = replace(dialect, severities=severities)
    return _check(_RESPONSE, _response, body, content_type, headers, dialect, limits, check_pair)


def _check(
    role: _Role[_Item],
    result: Callable[[_Decoding[_Item]], _Batch],
    body: bytes,
    content_type: str,
    headers: HeadersLike,
    dialect: Dialect,
    limits: Limits,
    check_batch: Callable[[_Batch, message_rules.Scope], None] = lambda batch, scope: None,
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
        if findings.worst is not Severity.ERROR:  # an item may be missing, then, or be another's
            check_batch(result(decoding), decoding.scope)
    except Stop:
        complete = False
    value = None if decoding is None else result(decoding)
    if isinstance(value, BatchResponse) and _may_lack_something(findings):
        value = with_format(replace(value, truncated=True), value.format)
    return Report(
        value,
        tuple(findings.diagnostics),
        complete,
        findings.omitted,
        findings.worst,
    )


def _may_lack_something(findings: Findings) -> bool:
    """Tell whether items may be missing, or be another's; of what is no batch, none is."""
    is_batch = all(found.rule not in _NO_BATCH for found in findings.diagnostics)
    return is_batch and findings.worst is Severity.ERROR


_NO_BATCH = (Rule.JSON_ERROR_RESPONSE, Rule.JSON_ENVELOPE)
