"""From payloads to values: whole or as they arrive, decoded or only checked.

One-shot decoding is the incremental decoder, fed once. Here, and only here, it is decided what a
finding in a payload means.

A payload may itself be an HTTP message, as application/http: the result of an asynchronous batch
may come so (OData Protocol, 11.6). Its head says which decoder reads its body.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, overload

from odata_batch._checks import closer, fields, pairs, services
from odata_batch._checks.requests import RequestRules
from odata_batch._checks.responses import ResponseRules
from odata_batch._checks.scope import Rules, Say, Scope, path_of
from odata_batch._coding.settings import Settings
from odata_batch._coding.streaming import RequestEvent, ResponseEvent, Stream
from odata_batch._model import findings, values
from odata_batch._model.dialect import ODATA_4_01, Dialect
from odata_batch._model.findings import (
    Diagnostic,
    Reporter,
    Rule,
    Severity,
    Stop,
    check_called,
    octets_of,
    of_type,
    optional,
    public,
    quote,
)
from odata_batch._model.headers import Headers
from odata_batch._model.limits import DEFAULT_LIMITS, Findings, Limits, exceed
from odata_batch._model.values import Format, check_format
from odata_batch._wire import jsonitem, mime, multipart, sections
from odata_batch._wire.http import CONTENT_LENGTH_MISMATCH, LONGEST_METHOD, parse_message
from odata_batch._wire.json import JsonDecoder
from odata_batch._wire.mediatype import parse_media_type
from odata_batch._wire.multipart import MULTIPART_SUBTYPE, Found, MultipartDecoder, Run
from odata_batch._wire.parthead import in_part
from odata_batch._wire.streams import StreamDecoder

_Item = TypeVar("_Item", values.RequestItem, values.ResponseItem)
_Batch = TypeVar("_Batch", values.BatchRequest, values.BatchResponse)

_Kind = TypeVar("_Kind", "RequestDecoder[Any]", "ResponseDecoder[Any]")

# What a decoder hands out: items, unless it is said to stream. Type checkers know of defaults.
if TYPE_CHECKING:
    import typing_extensions as _typing

    _Request = _typing.TypeVar("_Request", default=values.RequestItem)
    _Response = _typing.TypeVar("_Response", default=values.ResponseItem)
else:
    _Request, _Response = TypeVar("_Request"), TypeVar("_Response")
_Out = TypeVar("_Out")

OfRequest: TypeAlias = Callable[[values.Operation], bool]
OfResponse: TypeAlias = Callable[[values.OperationResponse], bool]
"""Tells of a head whether it is to be streamed."""

_NO_FIELDS = Headers()
# How many items are checked at once. Where one is odd, each of them is checked, so there are fewer.
_MANY, _FEW = 1000, 100
# The Content-Type of most batches: a boundary that is a token, and no other parameter.
_PLAIN = re.compile(r"multipart/mixed; ?boundary=([0-9A-Za-z'+_\-.]+)")


def _always(head: object) -> bool:
    return True


class _Decoder(ABC, Generic[_Item, _Batch, _Out]):
    """One payload that is being decoded."""

    # The start line of a message has a type of its own, which nothing here sees.
    _multipart: multipart.Role[Any, _Item]
    _json: jsonitem.Role[_Item]
    _rules_of: Callable[[Scope], Rules[_Item]]
    _check_fields: Callable[[Headers, Say], None]
    # There is none of these until the head of a wrapped message has been read.
    _engine: MultipartDecoder[Any, _Item] | JsonDecoder[_Item] | None = None
    _scope: Scope
    _rules: Rules[_Item]
    _settings: Settings
    # The octets before the body of a wrapped message
    _head: bytearray
    _wrapped = False
    _outer = _NO_FIELDS
    _continue_on_error: bool | None = None
    _error: findings.DecodeError | None = None
    _ended = False
    _received = 0
    _searched = 0
    _wants: Callable[[Any], bool] | None = None
    _stream: Stream[_Item] | None = None

    def __init__(
        self,
        content_type: str,
        *,
        headers: values.HeadersLike = (),
        dialect: Dialect = ODATA_4_01,
        limits: Limits = DEFAULT_LIMITS,
        strict: bool = False,
        report: Reporter | None = None,
        stream: bool | Callable[[Any], bool] = False,
    ) -> None:
        settings = Settings(dialect, limits=limits, strict=strict)
        self._begin(settings, content_type, headers, _raising(settings, report), stream)

    def _begin(
        self,
        settings: Settings,
        content_type: str,
        headers: values.HeadersLike,
        found: Findings,
        stream: bool | Callable[[Any], bool] = False,
    ) -> None:
        """Read what comes before the payload; what is found goes to `found`."""
        if callable(stream):
            self._wants = stream
        elif stream:
            self._wants = _always
        self._settings, self._findings = settings, found
        self._dialect, self._limits = settings.dialect, settings.limits
        self._items: list[_Item] = []
        self._events: list[Any] = []
        of_type(content_type, str, "content_type")
        if headers != ():
            self._outer = Headers(headers)
            for value in self._outer.get_all("content-type"):
                if value != content_type:
                    message = f"headers have Content-Type {value!r}"
                    raise ValueError(f"{message}, the argument is {content_type!r}")
            self._check_outer(self._outer, 0)
        self._choose(content_type, 0)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What has been found so far, up to `Limits.diagnostics`."""
        return tuple(self._findings.diagnostics)

    @property
    def format(self) -> Format | None:
        """`"multipart"` or `"json"`; `None` until the head of a wrapped message has been read."""
        return None if self._engine is None else self._engine.format

    @property
    def result(self) -> _Batch:
        """The whole batch; before `receive_eof` it is `RuntimeError`."""
        if self._error is not None:
            raise self._error
        if not self._ended:
            raise RuntimeError("the end of the payload has not been received; call receive_eof")
        return self._value()

    def receive_data(self, data: bytes) -> list[_Out]:
        """Take the next octets, in chunks of any size, and return the items that they complete.

        If an error is found after items that this call completed, they are returned, and this
        error is raised by the next call and every later one. After `receive_eof`: `RuntimeError`.
        """
        return self._collect(self._receive, octets_of(data))

    def receive_eof(self) -> list[_Out]:
        """Say that the payload ends here, and return the items that are left.

        Whatever error is found is raised, as no call comes after this one; items that were
        completed before it are in its `partial`.
        """
        items = self._collect(self._receive_end)
        if self._error is not None:
            raise self._error
        self._ended = True
        return items

    def _collect(self, receive: Callable[..., None], *octets: bytes) -> list[_Out]:
        if self._error is not None:
            raise self._error
        if self._ended:
            raise RuntimeError("the end of the payload has been received")
        items: list[Any] = self._items
        if self._wants is not None:
            items = self._events
            items.clear()
        before = len(items)
        try:
            receive(*octets)
        except findings.DecodeError as error:
            error.partial = tuple(items)
            self._error = error
            if len(items) == before:
                raise
        return items[before:]

    def _receive(self, data: bytes) -> None:
        """Add the items that the octets complete."""
        octets, room = len(data), self._limits.message - self._received
        self._received += octets
        within = data if octets <= room else data[:room]
        engine = self._engine
        if engine is None:
            self._head += within
            end = self._head.find(b"\r\n\r\n", self._searched)
            self._searched = max(0, len(self._head) - 3)
            limits, size = self._limits, len(self._head) if end < 0 else end
            start_line = limits.url + limits.field_line + LONGEST_METHOD
            if size > start_line + limits.header_section:
                start = self._head.find(b"\n") + 1
                exceed(self._findings, limits, "header_section", start)
            if end >= 0:
                engine, within = self._enter(end + 4), bytes(self._head[end + 4 :])
                self._head.clear()
        if engine is not None:
            self._take(engine.receive_data(within))
        if octets > room:
            exceed(self._findings, self._limits, "message", self._limits.message)

    def _receive_end(self) -> None:
        """Add the items that are left, and check the batch as a whole."""
        engine = self._enter(len(self._head)) if self._engine is None else self._engine
        self._take(engine.receive_eof())
        self._rules.finish()
        if self._multipart.name == "request":

            def say(rule: Rule, message: str, member: str = "", /) -> None:
                self._findings(Diagnostic(rule, message, 0))

            services.check_format_spoken(self._scope, say)
            services.check_stop(self._continue_on_error, self._scope, say)
            services.check_preference_prefix(self._outer, self._dialect, say)
            services.check_payload(self._received, self._scope, say)

    def _take(self, read: Run[_Item]) -> None:
        """Add items, and report what was found in front of each."""
        if self._stream is not None:
            self._stream.take(read)
            return
        if not (read.items or read.found or read.stopped):
            return
        ahead = iter(read.found)
        finding = next(ahead, None)
        start, most = read.first, _MANY
        while piece := read.items[start - read.first : start - read.first + most]:
            is_silent = len(piece) > 1 and self._rules.take(piece, start)
            if not is_silent and len(piece) > _FEW:
                most = _FEW
                continue
            start += len(piece)
            if is_silent and (finding is None or finding.before >= start):
                self._items += piece
                continue
            for index, each in enumerate(piece, start - len(piece)):
                while finding is not None and finding.before <= index:
                    self._find(finding)
                    finding = next(ahead, None)
                if not is_silent:
                    self._rules.check(each, index)
                self._items.append(each)
        while finding is not None:
            self._find(finding)
            finding = next(ahead, None)
        if read.stopped is not None:
            raise read.stopped

    def _look_closer(self, octets: bytes, batch: _Batch, url: str | None) -> None:
        """Report what only checking looks for, now that the payload has been received."""
        engine = self._engine
        if engine is None or self._wrapped:
            return
        scope, taken = self._scope, list[int]()
        if isinstance(engine, MultipartDecoder):
            scope = replace(scope, locate=partial(_located, octets))
            found = [each for each in self.diagnostics if each.rule is mime.DELIMITER_LOOKALIKE]
            taken = [each.position or 0 for each in found]
            for at, line, expected, hint in mime.misspelt(octets, engine.boundary):
                taken.append(at)
                message = f"found {quote(line)}, expected {quote(expected)}{hint}"
                scope.report(Diagnostic(mime.DELIMITER_MISSPELT, message, at, length=len(line)))
        closer.look_closer(batch, octets, self._outer, url, scope, taken)

    def _find(self, finding: Found) -> None:
        """Report what was found in reading, unless it is to be counted only."""
        _, rule, message, position, path, limit, severity, length = finding
        if not self._findings.count(rule):
            severity, place = severity or rule.severity, path_of(path)
            self._findings(Diagnostic(rule, message, position, place, severity, limit, length))

    @abstractmethod
    def _value(self) -> _Batch:
        """Return the batch as far as it has been read."""

    # -- the head --

    def _enter(self, end: int) -> MultipartDecoder[Any, _Item] | JsonDecoder[_Item]:
        """Return the decoder of the wrapped message whose body begins at `end`."""
        known = sections.Known()
        reader = sections.SectionReader(self._limits, self._findings, known)
        parse_line = self._multipart.parse_line
        message = parse_message(bytes(self._head[:end]), 0, b"\r\n", reader, parse_line)
        if message is None:
            if self._findings.worst is not Severity.ERROR:  # the dialect calls its fault no error
                problem = "expected an HTTP message that can be read"
                self._findings(Diagnostic(findings.BATCH_MEDIA_TYPE, problem, 0))
            raise Stop(findings.BATCH_MEDIA_TYPE)
        headers = message[1].headers
        self._check_outer(headers, end)
        self._choose(headers.get("content-type", ""), end)
        assert self._engine is not None  # a message that is wrapped twice was refused
        return self._engine

    def _choose(self, content_type: str, position: int) -> None:
        """Choose the decoder for what begins at `position`, unless that is a wrapped message."""
        limits, report = self._limits, self._in_headers
        if len(content_type) > limits.field_line:
            exceed(report, limits, "field_line", position)
        plain = _PLAIN.fullmatch(content_type)
        boundary = None
        if plain is not None and len(plain[1]) <= limits.boundary:
            boundary = plain[1].encode("ascii")
        else:
            media_type = parse_media_type(content_type)
            for rule, message in media_type.problems:
                report(Diagnostic(rule, message, position))
                if rule.fatal:
                    raise Stop(rule)
            if media_type.name == "application/http" and position == 0:
                self._head = bytearray()
                self._wrapped = True
                return
            if media_type.name == "application/json":
                charset = media_type.parameter("charset")
                if charset is not None and charset.lower() not in ("utf-8", "utf8"):
                    message = f"found charset {quote(charset)}, expected utf-8"
                    findings.stop(report, Diagnostic(findings.JSON_CHARSET, message, position))
            else:
                expected = "expected multipart/mixed"
                if not media_type.name.startswith("multipart/"):
                    message = f"found {quote(content_type)}, {expected} or application/json"
                    problem = Diagnostic(findings.BATCH_MEDIA_TYPE, message, position)
                    findings.stop(report, problem)
                if media_type.name != "multipart/mixed":
                    message = f"found {quote(media_type.name)}, {expected}"
                    report(Diagnostic(MULTIPART_SUBTYPE, message, position))
                boundary = multipart.boundary_of(media_type, limits, report, position)
        found, dialect, tables = self._findings, self._dialect, self._settings._tables
        role = self._multipart
        if boundary is None:
            self._engine = JsonDecoder(self._json, limits, found, position, dialect)
        else:
            known = tables.of_multipart(role.name, limits)
            kind = MultipartDecoder if self._wants is None else StreamDecoder
            self._engine = kind(role, boundary, limits, known, position)
        format = self._engine.format
        sound = tables.sound(role.name, format)
        locate = self._engine.locate
        self._scope = Scope(format, dialect, limits, found, "read", sound, locate)
        self._rules = self._rules_of(self._scope)
        if self._wants is not None:
            self._stream = Stream(self._rules, self._wants, self._find, self._events)

    def _check_outer(self, headers: Headers, position: int) -> None:
        def say(rule: Rule, message: str, member: str = "", /) -> None:
            self._in_headers(Diagnostic(rule, message, position))

        if max([len(value) for _, value in headers.pairs], default=0) > self._limits.field_line:
            exceed(self._in_headers, self._limits, "field_line", position)
        self._check_fields(headers, say)
        preference = fields.continue_on_error(headers, say)
        if self._continue_on_error is None:
            self._continue_on_error = preference

    def _in_headers(self, diagnostic: Diagnostic) -> None:
        self._findings(replace(diagnostic, path="headers"))


def _located(octets: bytes, position: int | None, member: str) -> tuple[int | None, int]:
    """Return the place of a member of the part at a position of a multipart."""
    found = None if position is None else in_part(octets, position, member)
    return (position, 0) if found is None else found


# -- as they arrive ------------------------------------------------------------------------------


@public
class RequestDecoder(
    _Decoder[values.RequestItem, values.BatchRequest, _Request], Generic[_Request]
):
    """Decodes a batch request that arrives in chunks; sans-IO.

    The arguments are those of `decode_request`. A Content-Type from which no batch can be decoded
    raises `DecodeError` here. Items come as they are complete; in JSON, those from the first
    atomicity group on come at the end of the array, since members of a group may be anywhere in it.

    With `stream=True` it hands out events: an `ItemStart` with an operation without its body, the
    pieces of that as `Data`, an `ItemEnd`; `ChangeSetStart` and `ChangeSetEnd` around those of a
    change set. With a function of such a head, that is so where it answers true, and other
    operations come as a whole. What is in base64 comes in one piece, and so does a body in JSON. An
    item that does not end is not complete. What is found about a head is reported before its start,
    what is found about a body before its end; of change sets, rules about identifiers, URLs and
    references before the end of the set. Nothing is kept of what was handed out: `result` has no
    items, and `DecodeError.partial` only the events of the call that failed. Only where the dialect
    has rules about what is in bodies, as that of Azure Tables, is each body kept until its end.

    >>> decoder = RequestDecoder("application/json")
    >>> items = decoder.receive_data(b'{"requests":[{"id":"1","method":"GET","url":"People"}')
    >>> [operation.url for operation in items]
    ['People']
    >>> decoder.receive_data(b']}') + decoder.receive_eof()
    []
    >>> decoder = RequestDecoder("multipart/mixed; boundary=b", stream=True)
    >>> head = b"--b\\r\\nContent-Type: application/http\\r\\n\\r\\nPUT Photo HTTP/1.1\\r\\n\\r\\n"
    >>> start, data = decoder.receive_data(head + b"some octets")
    >>> start.item.url, data
    ('Photo', Data(data=b'some octets'))
    >>> decoder.receive_data(b", and more\\r\\n--b--\\r\\n")
    [Data(data=b', and more'), ItemEnd(path='items[0]')]
    """

    _multipart, _json, _rules_of = multipart.REQUEST, jsonitem.REQUEST, RequestRules
    _check_fields = staticmethod(fields.check_outer_request)

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: "RequestDecoder[values.RequestItem]",
            content_type: str,
            *,
            headers: values.HeadersLike = ...,
            dialect: Dialect = ...,
            limits: Limits = ...,
            strict: bool = ...,
            report: Reporter | None = ...,
            stream: Literal[False] = ...,
        ) -> None: ...

        @overload
        def __init__(
            self: "RequestDecoder[RequestEvent]",
            content_type: str,
            *,
            headers: values.HeadersLike = ...,
            dialect: Dialect = ...,
            limits: Limits = ...,
            strict: bool = ...,
            report: Reporter | None = ...,
            stream: Literal[True] | OfRequest,
        ) -> None: ...

        def __init__(self, content_type: str, **settings: Any) -> None: ...

    @property
    def continue_on_error(self) -> bool | None:
        """What the header fields say, as `BatchRequest.continue_on_error`."""
        return self._continue_on_error

    def _value(self) -> values.BatchRequest:
        annotations = () if self._engine is None else self._engine.annotations
        fields = tuple(self._items), self._continue_on_error, annotations, self.format
        return values.batch_of(values.BatchRequest, *fields)


@public
class ResponseDecoder(
    _Decoder[values.ResponseItem, values.BatchResponse, _Response], Generic[_Response]
):
    """Decodes a batch response that arrives in chunks; sans-IO.

    The arguments are those of `decode_response`. A Content-Type from which no batch can be decoded
    raises `DecodeError` here. Items come as those of requests do, and with `stream` events do.

    >>> decoder = ResponseDecoder("multipart/mixed; boundary=b")
    >>> head = b"--b\\r\\nContent-Type: application/http\\r\\n\\r\\n"
    >>> decoder.receive_data(head + b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    []
    >>> [response.status for response in decoder.receive_data(b"\\r\\n--b--\\r\\n")]
    [204]
    >>> decoder.receive_eof()
    []
    """

    _multipart, _json, _rules_of = multipart.RESPONSE, jsonitem.RESPONSE, ResponseRules
    _check_fields = staticmethod(fields.check_outer_response)

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: "ResponseDecoder[values.ResponseItem]",
            content_type: str,
            *,
            headers: values.HeadersLike = ...,
            dialect: Dialect = ...,
            limits: Limits = ...,
            strict: bool = ...,
            report: Reporter | None = ...,
            stream: Literal[False] = ...,
        ) -> None: ...

        @overload
        def __init__(
            self: "ResponseDecoder[ResponseEvent]",
            content_type: str,
            *,
            headers: values.HeadersLike = ...,
            dialect: Dialect = ...,
            limits: Limits = ...,
            strict: bool = ...,
            report: Reporter | None = ...,
            stream: Literal[True] | OfResponse,
        ) -> None: ...

        def __init__(self, content_type: str, **settings: Any) -> None: ...

    def _value(self) -> values.BatchResponse:
        engine = self._engine
        if engine is None:
            return values.BatchResponse(())
        fields = tuple(self._items), engine.next_link, engine.truncated, engine.annotations
        return values.batch_of(values.BatchResponse, *fields, engine.format)


def decoder_of(
    kind: type[_Kind],
    settings: Settings,
    content_type: str,
    headers: values.HeadersLike,
    report: Reporter | None,
    stream: bool | Callable[[Any], bool] = False,
) -> _Kind:
    """Return a decoder with these settings."""
    decoder = kind.__new__(kind)
    decoder._begin(settings, content_type, headers, _raising(settings, report), stream)
    return decoder


def _raising(settings: Settings, report: Reporter | None) -> Findings:
    check_called(report, "report")
    raise_from = Severity.WARNING if settings.strict else Severity.ERROR
    severities, silent = settings.dialect.severities, settings.dialect.silent
    return Findings(settings.limits, severities, raise_from, report, silent)


# -- whole ---------------------------------------------------------------------------------------


def decode(decoder: _Decoder[Any, _Batch, Any], body: bytes) -> _Batch:
    """Return the batch that the body holds, of which the decoder has received nothing yet."""
    octets = octets_of(body)
    try:
        decoder._receive(octets)
        decoder._receive_end()
    except findings.DecodeError as error:
        error.partial = tuple(decoder._items)
        raise
    return decoder._value()


def check(
    kind: type[_Decoder[_Item, _Batch, Any]],
    settings: Settings,
    body: bytes,
    content_type: str,
    headers: values.HeadersLike,
    request: values.BatchRequest | None = None,
    request_format: Format | None = None,
    url: str | None = None,
) -> findings.Report[_Batch]:
    """Return what is wrong with a batch, sent to `url`, alone or as the answer to `request`."""
    optional(request, values.BatchRequest, "request")
    optional(url, str, "url")
    if request_format is not None:
        check_format(request_format)
    octets = octets_of(body)
    severities, silent = settings.dialect.severities, settings.dialect.silent
    found = Findings(settings.limits, severities, None, silent=silent)
    decoder = kind.__new__(kind)
    complete = False
    value: _Batch | None = None
    with suppress(Stop):
        decoder._begin(settings, content_type, headers, found)
        try:
            decoder.receive_data(octets)
            decoder.receive_eof()
            # Where there is an error, an item may be missing, or be another's.
            if request is not None and found.worst is not Severity.ERROR:
                response = decoder.result
                assert isinstance(response, values.BatchResponse)  # that is what answers a request
                scope = decoder._scope
                pairs.check_pair(request, response, request_format or scope.format, scope)
                found.forget(CONTENT_LENGTH_MISMATCH, closer.heads_in(request))
            complete = True
        finally:
            value = decoder._value()
            decoder._look_closer(octets, value, url)
    if value is not None and found.worst is Severity.ERROR:
        value = _with_reasons(value, found, settings.dialect)
    notes, warnings, errors = found.counts.values()
    totals, recorded = (notes, warnings, errors), tuple(found.diagnostics)
    return findings.Report(value, recorded, complete, found.omitted, found.worst, totals)


def doubts(found: Iterable[Diagnostic], dialect: Dialect) -> list[Diagnostic]:
    """Return the errors, those left out that a dialect has because its readers refuse something.

    What they refuse can be read all the same, and nobody reads it otherwise.
    """
    raised = {rule for rule, severity in dialect.severities if severity is Severity.ERROR}
    return [
        each
        for each in found
        if each.severity is Severity.ERROR
        and (each.rule.severity is Severity.ERROR or each.rule not in raised)
    ]


def _with_reasons(value: _Batch, found: Findings, dialect: Dialect) -> _Batch:
    """Return the batch in which what is unreadable says why.

    A response with other errors may lack its end: nothing is counted in it.
    """
    by_path: dict[str, list[Diagnostic]] = {}
    for each in found.diagnostics:
        steps = each.path.split(".")
        for end in range(1, len(steps) + 1):
            by_path.setdefault(".".join(steps[:end]), []).append(each)
    explained: set[int] = set()

    def explain(item: values.Item, path: str) -> values.Item:
        if not isinstance(item, values.Unreadable):
            return item
        reasons = tuple(by_path.get(path, ()))
        explained.update(map(id, reasons))
        return replace(item, diagnostics=reasons)

    value = values.changed(value, items=values.rebuilt(value.items, explain))
    if isinstance(value, values.BatchResponse):
        errors = doubts(found.diagnostics, dialect)
        is_batch = all("no-batch" not in each.rule.tags for each in errors)
        if is_batch and (found.omitted or any(id(each) not in explained for each in errors)):
            return values.changed(value, truncated=True)
    return value
