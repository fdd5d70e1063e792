"""From payloads to values: whole or as they arrive, decoded or only checked.

One-shot decoding is the incremental decoder, fed once. Here, and only here, it is decided what a
finding in a payload means.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from odata_batch._checks import messages, pairs
from odata_batch._checks.batch import Rules
from odata_batch._checks.scope import Scope
from odata_batch._coding.roles import REQUEST, RESPONSE, Role
from odata_batch._coding.settings import Settings
from odata_batch._model import values
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
from odata_batch._wire import multipart
from odata_batch._wire.http import parse_message
from odata_batch._wire.json import JsonDecoder
from odata_batch._wire.sections import MediaType, SectionReader, parse_media_type
from odata_batch.dialects import ODATA_4_01

_Item = TypeVar("_Item", bound=values.Item)
_Co = TypeVar("_Co", covariant=True)
_Batch = TypeVar("_Batch", values.BatchRequest, values.BatchResponse)


class _FormatDecoder(Protocol[_Co]):
    """What the decoders of both formats are to whoever feeds them."""

    format: Format
    truncated: bool
    """Whether the close delimiter was missing."""
    annotations: values.Annotations
    """What is beside the items."""
    next_link: str | None
    """The URL of the rest."""

    def receive_data(self, data: bytes) -> Iterator[tuple[int, _Co]]:
        """Yield the items that the octets complete, with their indexes."""

    def receive_eof(self) -> Iterator[tuple[int, _Co]]:
        """Yield the items that are left."""


class _Decoding(Generic[_Item]):
    """One payload that is being decoded; what is found goes to `findings`.

    The payload may itself be an HTTP message, as application/http: the result of an asynchronous
    batch may come so (OData Protocol, 11.6). Its head says which decoder reads its body.
    """

    def __init__(
        self,
        role: Role[_Item],
        settings: Settings,
        content_type: str,
        headers: values.HeadersLike,
        findings: Findings,
    ) -> None:
        self.items: list[_Item] = []
        self.decoder: _FormatDecoder[_Item] | None = None
        """`None` until the head of a wrapped message has been read."""
        self.continue_on_error: bool | None = None
        self._role = role
        self._dialect, self._limits = settings.dialect, settings.limits
        self._findings = findings
        self._outer = _outer_headers(headers, content_type)
        self._head = bytearray()
        self._searched = 0
        self._received = 0
        self._rules: Rules[_Item] | None = None
        self._check_outer(self._outer, 0)
        media_type = self._media_type(content_type, 0)
        if media_type.name != "application/http":
            self.decoder = self._decoder_for(media_type, content_type, 0)

    @property
    def format(self) -> Format | None:
        """The format, once it is known."""
        return None if self.decoder is None else self.decoder.format

    @property
    def scope(self) -> Scope:
        """What the rules are applied under, once the format is known."""
        format = self.format or "multipart"
        return Scope(format, self._dialect, self._limits, self._findings)

    def receive_data(self, data: bytes) -> None:
        """Add the items that the octets complete."""
        room = self._limits.message - self._received
        self._received += len(data)
        within = data if len(data) <= room else data[:room]
        if self.decoder is not None:
            self._take(self.decoder.receive_data(within))
        else:
            self._head += within
            end = self._head.find(b"\r\n\r\n", self._searched)
            self._searched = max(0, len(self._head) - 3)
            if end >= 0:
                decoder = self._enter(end + 4)
                self._take(decoder.receive_data(bytes(self._head[end + 4 :])))
                self._head.clear()
        if len(data) > room:
            exceed(self._findings, self._limits, "message", self._limits.message)

    def receive_eof(self) -> None:
        """Add the items that are left, and check the batch as a whole."""
        decoder = self.decoder
        self._take((self._enter(len(self._head)) if decoder is None else decoder).receive_eof())
        if self._rules is not None:
            self._rules.finish()
        self._role.check_service(
            self._received,
            self._outer,
            self.scope,
            lambda rule, message: self._findings(Diagnostic(rule, message, 0)),
        )

    def _take(self, found: Iterator[tuple[int, _Item]]) -> None:
        for index, item in found:
            if self._rules is None:
                self._rules = self._role.rules(self.scope)
            self._rules.check(item, index)
            self.items.append(item)

    # -- choosing the decoder --

    def _enter(self, end: int) -> _FormatDecoder[_Item]:
        """Return the decoder of the wrapped message whose body begins at `end`."""
        reader = SectionReader(self._limits, self._findings)
        head, parse_line = bytes(self._head[:end]), self._role.multipart.parse_line
        message = parse_message(head, 0, b"\r\n", reader, parse_line)
        if message is None:
            raise Stop(Rule.BATCH_MEDIA_TYPE)
        headers = message[1].headers
        content_type = headers.get("content-type", "")
        self._check_outer(headers, end)
        self.decoder = self._decoder_for(self._media_type(content_type, end), content_type, end)
        return self.decoder

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
        role, limits, report = self._role, self._limits, self._in_headers
        if media_type.name == "application/json":
            charset = media_type.parameter("charset")
            if charset is not None and charset.lower() not in ("utf-8", "utf8"):
                message = f"found charset {quote(charset)}, expected utf-8"
                stop(report, Diagnostic(Rule.JSON_CHARSET, message, position))
            return JsonDecoder(role.json, limits, self._findings, position, self._dialect)
        if not media_type.name.startswith("multipart/"):
            message = f"found {quote(content_type)}, expected multipart/mixed or application/json"
            stop(report, Diagnostic(Rule.BATCH_MEDIA_TYPE, message, position))
        if media_type.name != "multipart/mixed":
            message = f"found {quote(media_type.name)}, expected multipart/mixed"
            report(Diagnostic(Rule.MULTIPART_SUBTYPE, message, position))
        boundary = multipart.boundary_of(media_type, limits, report, position)
        return multipart.MultipartDecoder(
            role.multipart, boundary, limits, self._findings, position
        )

    def _check_outer(self, headers: Headers, position: int) -> None:
        def say(rule: Rule, message: str) -> None:
            self._in_headers(Diagnostic(rule, message, position))

        if max((len(value) for _, value in headers.pairs), default=0) > self._limits.field_line:
            exceed(self._in_headers, self._limits, "field_line", position)
        self._role.check_outer(headers, say)
        preference = messages.continue_on_error(headers, say)
        if self.continue_on_error is None:
            self.continue_on_error = preference

    def _in_headers(self, diagnostic: Diagnostic) -> None:
        self._findings(replace(diagnostic, path="headers"))


def _request(decoding: _Decoding[values.RequestItem]) -> values.BatchRequest:
    decoder = decoding.decoder
    batch = values.BatchRequest(
        decoding.items,
        continue_on_error=decoding.continue_on_error,
        annotations=() if decoder is None else decoder.annotations,
    )
    return values.with_format(batch, decoding.format)


def _response(decoding: _Decoding[values.ResponseItem]) -> values.BatchResponse:
    decoder = decoding.decoder
    if decoder is None:
        return values.BatchResponse(())
    batch = values.BatchResponse(
        decoding.items,
        next_link=decoder.next_link,
        truncated=decoder.truncated,
        annotations=decoder.annotations,
    )
    return values.with_format(batch, decoder.format)


def _outer_headers(headers: values.HeadersLike, content_type: str) -> Headers:
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


# -- as they arrive ------------------------------------------------------------------------------


class _Decoder(Generic[_Item]):
    """What `RequestDecoder` and `ResponseDecoder` have in common."""

    def __init__(
        self,
        role: Role[_Item],
        settings: Settings,
        content_type: str,
        headers: values.HeadersLike,
        report: Reporter | None,
    ) -> None:
        raise_from = Severity.WARNING if settings.strict else Severity.ERROR
        severities = dict(settings.dialect.severities)
        self._findings = Findings(settings.limits, severities, raise_from, report)
        self._error: DecodeError | None = None
        self._ended = False
        self._decoding = _Decoding(role, settings, content_type, headers, self._findings)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What has been found so far, up to `Limits.diagnostics`."""
        return tuple(self._findings.diagnostics)

    @property
    def format(self) -> Format | None:
        """`"multipart"` or `"json"`; `None` until the head of a wrapped message has been read."""
        return self._decoding.format

    def receive_data(self, data: bytes) -> list[_Item]:
        """Take the next octets, in chunks of any size, and return the items that they complete.

        If an error is found behind items that this call completed, they are returned, and this
        error is raised by the next call and every later one. After `receive_eof`: `RuntimeError`.
        """
        octets = _octets(data)
        return self._collect(lambda: self._decoding.receive_data(octets))

    def receive_eof(self) -> list[_Item]:
        """Say that the payload ends here; return the items that are left, like `receive_data`."""
        items = self._collect(self._decoding.receive_eof)
        self._ended = True
        return items

    def _collect(self, receive: Callable[[], None]) -> list[_Item]:
        if self._error is not None:
            raise self._error
        if self._ended:
            raise RuntimeError("the end of the payload has been received")
        items = self._decoding.items
        before = len(items)
        try:
            receive()
        except DecodeError as error:
            error.partial = tuple(items)
            self._error = error
            if len(items) == before:
                raise
        return items[before:]

    def _finished(self) -> _Decoding[_Item]:
        if self._error is not None:
            raise self._error
        if not self._ended:
            raise RuntimeError("the end of the payload has not been received; call receive_eof")
        return self._decoding


@public
class RequestDecoder(_Decoder[values.RequestItem]):
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
        headers: values.HeadersLike = (),
        dialect: Dialect = ODATA_4_01,
        limits: Limits = DEFAULT_LIMITS,
        strict: bool = False,
        report: Reporter | None = None,
    ) -> None:
        settings = Settings(dialect, None, limits, strict)
        super().__init__(REQUEST, settings, content_type, headers, report)

    @property
    def result(self) -> values.BatchRequest:
        """The whole batch; before `receive_eof` it is `RuntimeError`."""
        return _request(self._finished())


@public
class ResponseDecoder(_Decoder[values.ResponseItem]):
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
        headers: values.HeadersLike = (),
        dialect: Dialect = ODATA_4_01,
        limits: Limits = DEFAULT_LIMITS,
        strict: bool = False,
        report: Reporter | None = None,
    ) -> None:
        settings = Settings(dialect, None, limits, strict)
        super().__init__(RESPONSE, settings, content_type, headers, report)

    @property
    def result(self) -> values.BatchResponse:
        """The whole batch; before `receive_eof` it is `RuntimeError`."""
        return _response(self._finished())


# -- only checked --------------------------------------------------------------------------------


def check_request(
    settings: Settings, body: bytes, content_type: str, headers: values.HeadersLike
) -> Report[values.BatchRequest]:
    """Return what is wrong with a batch request, and what could be read."""
    return _check(REQUEST, _request, settings, body, content_type, headers)


def check_response(
    settings: Settings,
    body: bytes,
    content_type: str,
    headers: values.HeadersLike,
    request: values.BatchRequest | None = None,
    request_format: Format | None = None,
) -> Report[values.BatchResponse]:
    """Return what is wrong with a batch response, alone or as the answer to `request`."""
    if request is not None and not isinstance(request, values.BatchRequest):
        raise TypeError(f"request is a BatchRequest, not {type(request).__name__}")

    def check_pair(response: values.BatchResponse, scope: Scope) -> None:
        if request is not None:
            pairs.check_pair(request, response, request_format or scope.format, scope)

    if request_format == "multipart":
        # Requests of a multipart batch need no identifiers, nor then do the responses, whatever
        # their format; where one was sent, it is check_pair that asks for it.
        dialect = settings.dialect
        severities = (*dialect.severities, (Rule.JSON_RESPONSE_ID_MISSING, Severity.NOTE))
        settings = replace(settings, dialect=replace(dialect, severities=severities))
    return _check(RESPONSE, _response, settings, body, content_type, headers, check_pair)


def _check(
    role: Role[_Item],
    result: Callable[[_Decoding[_Item]], _Batch],
    settings: Settings,
    body: bytes,
    content_type: str,
    headers: values.HeadersLike,
    check_batch: Callable[[_Batch, Scope], None] = lambda batch, scope: None,
) -> Report[_Batch]:
    octets = _octets(body)
    findings = Findings(settings.limits, dict(settings.dialect.severities), None)
    decoding: _Decoding[_Item] | None = None
    complete = True
    try:
        decoding = _Decoding(role, settings, content_type, headers, findings)
        decoding.receive_data(octets)
        decoding.receive_eof()
        if findings.worst is not Severity.ERROR:  # an item may be missing, then, or be another's
            check_batch(result(decoding), decoding.scope)
    except Stop:
        complete = False
    value = None if decoding is None else result(decoding)
    if isinstance(value, values.BatchResponse) and _may_lack_something(findings):
        value = values.with_format(replace(value, truncated=True), value.format)
    diagnostics = tuple(findings.diagnostics)
    return Report(value, diagnostics, complete, findings.omitted, findings.worst)


def _may_lack_something(findings: Findings) -> bool:
    """Tell whether items may be missing, or be another's; of what is no batch, none is."""
    is_batch = all(found.rule not in _NO_BATCH for found in findings.diagnostics)
    return is_batch and findings.worst is Severity.ERROR


_NO_BATCH = (Rule.JSON_ERROR_RESPONSE, Rule.JSON_ENVELOPE)
