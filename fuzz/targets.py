"""What has to hold for any input, a function each; its first line is the invariant.

An input is messages and choices, parted by `MARK`. A message is read as the files of spec-fixtures
are: header fields, an empty line, a body. The choices are octets that say which dialect, limits and
chunks there are, and where a value is made hostile; beyond them, or without any, a checksum of the
input decides, so that an input alone reproduces what it did.
"""

from __future__ import annotations

import asyncio
import copy
import io
import pickle
import random
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from odata_batch import (
    BatchError,
    BatchRequest,
    BatchResponse,
    BatchResult,
    Begin,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    DecodeError,
    Dialect,
    EncodeError,
    Exchange,
    Execution,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    Payload,
    Report,
    Rollback,
    Severity,
    Step,
    Unreadable,
    UnresolvedReference,
    asgi,
    find_references,
    is_within,
    location_of,
    rebase_url,
    resolve_url,
    retry_after,
    wsgi,
)
from odata_batch.__main__ import main
from odata_batch.capture import parse_capture, parse_message
from odata_batch.dialects import ODATA_4_01, PRESETS
from odata_batch.rules import (
    BOUNDARY_IN_CONTENT,
    LIMIT_EXCEEDED,
    RULES,
    URL_CHARACTERS,
    URL_FRAGMENT,
    URL_WHITE_SPACE,
)

Role = Literal["request", "response"]
Format = Literal["multipart", "json"]
Batch = BatchRequest | BatchResponse
Item = Operation | OperationResponse | ChangeSet | ChangeSetResponse | Unreadable
_T = TypeVar("_T")

MARK = b"\0~\0"
NO_FIELDS = Headers()
ROLES: tuple[Role, ...] = ("request", "response")
FORMATS: tuple[Format, Format] = ("multipart", "json")
BATCH_URL = "http://host/service/$batch"
# To it nothing is an error, as far as something can be read.
LENIENT = replace(ODATA_4_01, severities=tuple([(each, Severity.NOTE) for each in RULES.values()]))
# Makes what is written reproducible. No input holds it but on purpose, which encoding refuses.
BOUNDARY = "5a7c2f0e91b34d68"
TINY = Limits(
    **{field.name: 4 for field in fields(Limits)}  # and what nothing could be read with:
    | {"message": 4000, "headers_total": 500, "header_section": 100, "field_line": 60}
    | {"boundary": 20, "url": 20, "body": 50, "preamble": 10, "json_depth": 5}
)
STATUSES = (200, 201, 202, 204, 304, 400, 404, 412, 424, 429, 500, 503, 599, 207, 302)
NAMES = (
    *("Content-Type", "Content-ID", "Content-Length", "Transfer-Encoding", "Content-Encoding"),
    *("Location", "ETag", "If-Match", "Prefer", "Retry-After", "Date", "Host", "Set-Cookie"),
    *("OData-MaxVersion", "OData-Version", "X-Forwarded-User", "Isolation", "AsyncResult", "X"),
)
TEXTS = (
    *("", " ", "\r\n", "a\r\nb: c", "\0", "\x7f", "\ud800", "a\udcffb", "é", "€", "\U0001f600"),
    *("$", "$1", "$1/x", "$$1", "$g1/Orders(1)", "$batch", "../$batch", "%24batch", "/", "//", "."),
    *("http://h:99999999999/", "http://[::1", "http://a@h/", "http://h/service/A", "//h", "?", "#"),
    *("%", "%zz", "%c0%ae", "'", "a'b''c", "A(x='$1',y=$2)?$filter=B eq $1/B", "(" * 3000, "a:b"),
    *("0", "-1", "1", "01", "1.0", "1e999", "9" * 5000, "1" * 70, "²", "a" * 70000, "g1", "1:2"),
    *('W/"1"', "*", '"', '"a', "$1,$1", "$succeeded($1)", "odata.continue-on-error=false", ";=,"),
    *(
        "application/json",
        "text/plain; charset=\0",
        "text/plain; charset=latin1",
        "chunked",
        "gzip",
    ),
    *("multipart/mixed; boundary=b", "multipart/mixed; boundary=", "image/png", "4.0", "9.9"),
    *("Thu, 31 Feb 2030 99:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "snapshot", "null"),
    *("$1/x eq 'b' or not ($1/$succeeded and 1.5 le $2/B)", "a?b=$1/B&c=$1&$id=$2/x"),
)
BODIES = (
    *(b"", b"{}", b"null", b"\xff", b"\xef\xbb\xbf{}", b'{"a":1,"a":2}', b'"\\ud800"', b"NaN"),
    *(b"[" * 99, b"[" * 99 + b"]" * 99, b"[" * 5000, b"9" * 5000, b"\r\n--b\r\n", b"<html>"),
    *(b'{"error":{"code":1,"message":{"value":"m"},"@Core.ContentID":"1"}}', b"\x1f\x8b\x08"),
    *(b'{"A@odata.bind":"$1","B@odata.bind":["$2/x"]}', b"--b--", b'{"responses":[]}', b"\0" * 9),
    *(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", b'{"error":{"message":[]}}'),
    *(b'{"responses":[{"id":"1","status":202,"headers":{"location":"m"}}],"@nextLink":"n"}',),
    *(b'{"x":"b\'","B":1.5}', b'{"@context":"","value":null,"A":{"@id":"$1"}}'),
)


class Source:
    """An input: messages, and choices."""

    def __init__(self, data: bytes) -> None:
        *messages, choices = data.split(MARK)
        self.whole = data
        self.messages = messages or [data]
        self._choices = iter(choices if messages else b"")
        self._random = random.Random(zlib.crc32(data))

    def number(self, most: int) -> int:
        """Choose a number that is less than `most`."""
        octet = next(self._choices, None)
        return self._random.randrange(most) if octet is None else octet % most

    def pick(self, values: Sequence[_T]) -> _T:
        """Choose a value."""
        return values[self.number(len(values))]

    def rarely(self, one_in: int = 6) -> bool:
        """Choose whether to do what is not usual."""
        return self.number(one_in) == 1

    def message(self, role: Role = "request") -> tuple[bytes, str, Headers]:
        """Return body, Content-Type and header fields; a body without a head is recognised."""
        data = self.messages[-1 if role == "response" else 0]
        head, empty_line, body = data.partition(b"\r\n\r\n")
        lines = [line.decode("latin-1").partition(":") for line in head.split(b"\r\n")]
        headers = Headers([(name, value.strip(" \t")) for name, colon, value in lines if colon])
        content_types = headers.get_all("content-type")
        if empty_line and len(content_types) == 1:
            return body, content_types[0], headers
        if data.lstrip()[:1] == b"{":
            return data, "application/json", Headers()
        boundary = data[2:].partition(b"\n")[0].rstrip().decode("latin-1")
        return data, f'multipart/mixed; boundary="{boundary}"', Headers()

    def codec(self, *dialects: Dialect, strict: bool = False) -> Codec:
        """Return a codec with any preset, or one of these dialects, and any limits."""
        dialect = self.pick((ODATA_4_01, *dialects, *PRESETS.values()))
        format = self.pick((None, *FORMATS))
        return Codec(dialect, format=format, limits=self.limits(), strict=strict)

    def limits(self) -> Limits:
        """Return limits, those by default three times in four."""
        odd = Limits(change_set_depth=3, diagnostics=1, fields=1, json_depth=3, id=1)
        return self.pick((Limits(), Limits(), TINY, Limits(), odd, Limits()))

    def texts(self) -> str:
        """Return a text that may mean anything."""
        return self.pick(TEXTS) + (self.pick(TEXTS) if self.rarely() else "")

    def headers(self, known: Headers = NO_FIELDS, most: int = 3) -> Headers:
        """Return fields that may hold anything."""
        names = [self.texts() if self.rarely() else self.pick(NAMES) for _ in range(most)]
        return Headers((*known.pairs, *[(name, self.texts()) for name in names]))

    def request(self) -> BatchRequest:
        """Return what could be read of a request, maybe with values that nobody could read."""
        read = check(Codec(), "request", *self.message("request")).value
        batch = read if isinstance(read, BatchRequest) else BatchRequest(())
        items = self.items(batch.items, Operation.get("A"), ChangeSet)
        if self.rarely():
            note = (self.texts(), self.pick(BODIES))
            batch = replace(batch, annotations=(note,), continue_on_error=self.rarely(2))
        return replace(batch, items=tuple(items))

    def response(self) -> BatchResponse:
        """Return the same of a response."""
        read = check(Codec(), "response", *self.message("response")).value
        batch = read if isinstance(read, BatchResponse) else BatchResponse(())
        items = self.items(batch.items, OperationResponse(200), ChangeSetResponse)
        if self.rarely():
            note = (self.texts(), self.pick(BODIES))
            batch = replace(batch, annotations=(note,), truncated=self.rarely(2))
            batch = replace(batch, next_link=self.texts())
        return replace(batch, items=tuple(items))

    def items(self, read: Sequence[Any], plain: Any, change_set: Callable[..., Any]) -> list[Any]:
        """Return items that were read, with some that nobody could read in place of them."""
        items = [self.item(item) for item in read[:12]]
        if self.rarely(3) or not items:
            made = [self.item(plain) for _ in range(self.number(4))]
            if self.rarely(2):
                made = [change_set(made, id=self.pick((None, "g1", *TEXTS)))]
            items[self.number(len(items) + 1) :] = made
        return items

    def item(self, item: Any) -> Any:
        """Return an item, one in three times with a hostile value in one of its fields."""
        if isinstance(item, Unreadable):
            return item
        if isinstance(item, ChangeSet | ChangeSetResponse):
            of_these: Callable[..., Any] = type(item)
            inner = map(self.item, (*item.items, *[Unreadable("operation")] * self.rarely()))
            made = of_these(inner, id=item.id)
            return of_these((made, *made.items), id=item.id) if self.rarely(20) else made
        if not self.rarely(3):
            return item
        name = self.pick([field.name for field in fields(item) if field.init])
        value: object = self.texts()
        if name == "headers":
            value = self.headers(item.headers)
        elif name == "body":
            value = self.pick(BODIES)
        elif name == "status":
            value = self.pick((*STATUSES, 0, 99, 600, -1, 999))
        elif name == "depends_on":
            value = [self.texts(), "1", "g1", "$1"][self.number(4) :]
        elif name == "annotations":
            value = [(self.texts(), self.pick(BODIES))]
        return replace(item, **{name: value})

    def chunks(self, data: bytes) -> list[bytes]:
        """Return the data in chunks, many of them small, or all of them single octets."""
        longest = self.pick((1, 3, 40, len(data) + 1))
        chunks = []
        while data:
            size = 1 + self._random.randrange(longest)
            chunks.append(data[:size])
            data = data[size:]
        return chunks


def check(
    codec: Codec, role: Role, body: bytes, content_type: str, headers: Headers
) -> Report[BatchRequest] | Report[BatchResponse]:
    """Check a message; what is found can be shown."""
    function = codec.check_request if role == "request" else codec.check_response
    report = function(body, content_type, headers=headers)
    for found in report.diagnostics:
        assert found.message.isprintable() and len(found.message) <= 500, found
        assert found.position is None or 0 <= found.position <= len(body), found
    return report


def encode(codec: Codec, batch: Batch, format: Format | None = None) -> Payload:
    """Encode reproducibly."""
    codec = codec if format is None else codec.replace(format=format)
    written = format or codec.format or "multipart"
    boundary = BOUNDARY if written == "multipart" else None
    if isinstance(batch, BatchRequest):
        return codec.replace(format=written).encode_request(batch, boundary=boundary)
    return codec.replace(format=written).encode_response(batch, boundary=boundary)


def prepared_as(codec: Codec, batch: Batch) -> Batch:
    """Prepare either role, which `prepare` does, but of no union of both."""
    if isinstance(batch, BatchRequest):
        return codec.prepare(batch)
    return codec.prepare(batch)


def read(codec: Codec, role: Role, body: bytes, content_type: str, headers: Headers) -> Batch:
    """Decode a message."""
    function = codec.decode_request if role == "request" else codec.decode_response
    return function(body, content_type, headers=headers)


def read_back(codec: Codec, role: Role, payload: Payload) -> Batch:
    """Decode what was encoded."""
    return read(codec, role, payload.body, payload.content_type, payload.headers)


@contextmanager
def only(*errors: type[Exception]) -> Iterator[None]:
    """Go on after errors that are documented, and after no others, derived ones included."""
    try:
        yield
    except errors as error:
        if type(error) not in errors and not isinstance(error, BatchError):
            raise
        str(error), repr(error), pickle.loads(pickle.dumps(error))
        if isinstance(error, BatchError):
            assert 400 <= error.http_status <= 599


# -- octets ----------------------------------------------------------------------------------------


def decode(source: Source) -> None:
    """Nothing but BatchError leaves decoding, and checking finds an error exactly then.

    What a codec has read, it reads the same once more.
    """
    codec = source.codec(LENIENT)
    for role in ROLES:
        message = source.message(role)
        report = check(codec, role, *message)
        assert check(codec, role, *message) == report
        body, content_type, headers = message
        try:
            batch = read_back(codec, role, Payload(body, headers or {"Content-Type": content_type}))
        except DecodeError as error:
            assert not report.ok and error.diagnostic in report.diagnostics, (error, report)
        else:
            assert report.ok and report.value == batch, (batch, report)


def chunks(source: Source) -> None:
    """Nothing but BatchError leaves an incremental decoder, and chunks do not matter."""
    codec = source.codec(LENIENT, strict=source.rarely(2))

    def outcome(role: Role, pieces: Sequence[bytes]) -> object:
        _, content_type, headers = source.message(role)
        make = codec.request_decoder if role == "request" else codec.response_decoder
        items: list[object] = []
        try:
            decoder = make(content_type, headers=headers)
        except BatchError as error:
            return str(error)
        try:
            for chunk in pieces:
                items += decoder.receive_data(chunk)
            items += decoder.receive_eof()
            return decoder.result, items, decoder.diagnostics, decoder.format
        except DecodeError as error:
            return str(error), items, error.partial, decoder.diagnostics, decoder.format

    for role in ROLES:
        body, _, _ = source.message(role)
        whole, parts = outcome(role, [body]), outcome(role, source.chunks(body))
        assert whole == parts, f"{role}: whole {whole}, in chunks {parts}"


# What is read with a note and not written, and what is bad luck
NOT_WRITTEN = {URL_WHITE_SPACE, URL_CHARACTERS, URL_FRAGMENT, BOUNDARY_IN_CONTENT}


def again(source: Source) -> None:
    """What decodes in strict mode is encoded again, and is read back equal, in either format.

    Written once more it is the same octets. The other format may refuse it.
    """
    codec = Codec(strict=True)
    for role in ROLES:
        body, content_type, headers = source.message(role)
        with only(BatchError):
            batch = read_back(codec, role, Payload(body, headers or {"Content-Type": content_type}))
            read_in = "json" if content_type.lower().startswith("application/json") else "multipart"
            for format in FORMATS:
                try:
                    payload = encode(codec, batch, format)
                except EncodeError as error:
                    excused = {found.rule for found in error.diagnostics} <= NOT_WRITTEN
                    wrapped = content_type.lower().startswith("application/http")
                    assert excused or wrapped or format != read_in, f"{role}: {batch} gives {error}"
                    continue
                found = read_back(codec, role, payload)
                wanted = prepared_as(codec.replace(format=format), batch)
                assert found == wanted, f"{role}: {format}: {wanted} came back as {found}"
                assert encode(codec, found, format) == payload, f"{payload} is written otherwise"


# -- values ----------------------------------------------------------------------------------------


def values(source: Source) -> None:
    """Nothing but documented errors leaves a value or a URL, whatever it holds."""
    batch: Batch = source.request() if source.rarely(2) else source.response()
    assert copy.deepcopy(batch) == batch == pickle.loads(pickle.dumps(batch))
    hash(batch), repr(batch), str(batch)
    messages: Sequence[Operation | OperationResponse]
    messages = batch.operations() if isinstance(batch, BatchRequest) else batch.responses()
    base = source.pick((BATCH_URL, source.texts()))
    for message in messages:
        with only(DecodeError):
            message.json(strict=source.rarely(2))
        url = message.url if isinstance(message, Operation) else message.headers.get("location", "")
        with only(ValueError, UnresolvedReference):
            found = find_references(message) if isinstance(message, Operation) else ()
            locations = {reference.id: base for reference in found}
            host = message.headers.get("host")
            effective = resolve_url(url, base, host=host, locations=locations)
            if isinstance(message, OperationResponse):
                location_of(effective, message)
        with only(ValueError):
            is_within(url, base)
        with only(ValueError):
            rebase_url(url, source=base, target=source.pick((BATCH_URL, source.texts())))


def write(source: Source) -> None:
    """Nothing but EncodeError leaves encoding; what is written, whole or item by item, is read.

    An encoder that takes the items of a prepared batch one by one writes the same octets.
    """
    codec = source.codec()
    batch: Batch = source.request() if source.rarely(2) else source.response()
    role: Role = "request" if isinstance(batch, BatchRequest) else "response"
    format = codec.format or "multipart"
    codec = codec.replace(format=format)
    prepared = prepared_as(codec, batch)
    reader = Codec(codec.dialect, limits=Limits(change_set_depth=3), strict=True)
    payload = None
    with only(EncodeError):
        payload = encode(codec, batch)
        found = read_back(reader, role, payload)
        assert found == prepared, f"{prepared} came back as {found}"
    boundary = BOUNDARY if format == "multipart" else None
    with only(EncodeError):
        pieces: list[bytes] = []
        if isinstance(prepared, BatchRequest):
            requests = codec.request_encoder(
                boundary=boundary,
                continue_on_error=prepared.continue_on_error,
                annotations=prepared.annotations,
            )
            pieces += [requests.send(item) for item in prepared.items]
            pieces.append(requests.close())
        else:
            responses = codec.response_encoder(boundary=boundary, annotations=prepared.annotations)
            pieces += [responses.send(item) for item in prepared.items]
            pieces.append(responses.close(next_link=prepared.next_link))
        assert payload is None or payload.body == b"".join(pieces), (payload, pieces)


# -- what it means ---------------------------------------------------------------------------------


def pair(source: Source) -> tuple[BatchRequest, BatchResponse]:
    """Return a request and a response; often one that fits it in number and identifiers."""
    request, response = source.request(), source.response()
    if source.rarely(2):
        items = [answered(source, item) for item in request.items if not source.rarely()]
        response = replace(response, items=tuple(items))
    return request, response


def answered(source: Source, item: Item) -> OperationResponse | ChangeSetResponse:
    """Return a response to an item."""
    if isinstance(item, ChangeSet) and not source.rarely(3):
        return ChangeSetResponse([answered(source, each) for each in item.items], id=item.id)
    id = None if source.rarely(3) or isinstance(item, ChangeSet) else item.id
    headers, body = source.headers(most=source.number(3)), source.pick(BODIES)
    return OperationResponse(source.pick(STATUSES), headers, body, id=id)


def judge(source: Source, request: BatchRequest, result: BatchResult, codec: Codec) -> None:
    """What a result says can be asked for, and is about the operations in their order."""
    operations = request.operations()
    assert [outcome.operation for outcome in result] == list(operations)
    assert result.ok is not bool(result.failures)
    for outcome in result:
        str(outcome.error), outcome.status, repr(outcome)
        with only(LookupError, KeyError):
            result[outcome.operation]
    with only(BatchError):
        result.raise_for_failures()
    with only(ValueError):
        retry_after(result, now=source.pick((None, datetime.now(UTC))))
    with only(UnresolvedReference, EncodeError):
        codec.remaining(request, result, when=lambda outcome: source.rarely(2))


def outcomes(source: Source) -> None:
    """Nothing leaves `match` and `outcomes`, and each operation has one outcome, in its place."""
    codec = source.codec(strict=source.rarely())
    request, response = pair(source)
    status, headers = source.pick(STATUSES), source.headers(most=source.number(3))
    matched = codec.match(
        request, source.pick((response, response, None)), status=status, headers=headers
    )
    judge(source, request, matched, codec)
    body, _, fields = source.message("response")
    with only(BatchError):
        if source.rarely(2):
            payload = encode(codec.replace(limits=Limits()), response, source.pick(FORMATS))
            body, fields = payload.body[: source.pick((None, -9))], payload.headers
    fields = Headers((*fields.pairs, *headers.pairs))
    judge(source, request, codec.outcomes(request, status, fields, body), codec)


def plan(source: Source) -> None:
    """Nothing but documented errors leaves prepare, split, remaining and convert.

    Pieces hold the operations, each once; what can be written in one format can be in the other
    when it has been converted.
    """
    codec = source.codec()
    request, response = pair(source)
    prepared = codec.prepare(request)
    most = source.pick((None, 1, 2, 3, 1000))
    with only(EncodeError, ValueError):
        pieces = codec.split(request, max_operations=most)
        sent = [operation for piece in pieces for operation in piece.operations()]
        own = {each.id for each in request.operations()}
        known = [each.id for each in sent if each.id in own]
        assert (
            sorted(map(repr, known))
            == sorted(repr(each.id) for each in prepared.operations() if each.id in own)
            or None in own
        )
        assert len(sent) == len(prepared.operations())
        assert most is None or all(len(piece.operations()) <= most for piece in pieces)
    with only(UnresolvedReference, EncodeError):
        ids = [operation.id for operation in prepared.operations() if operation.id is not None]
        codec.remaining(request, {id: source.pick((*STATUSES, 0, -1)) for id in ids})
    of, to = source.pick((FORMATS, FORMATS[::-1]))
    for batch in (request, response):
        with only(EncodeError):
            if isinstance(batch, BatchRequest):
                converted: Batch = codec.convert_request(batch, source=of, target=to)[0]
            else:
                converted = codec.convert_response(batch, source=of, target=to)[0]
            encode(Codec(), batch, of)
            if codec.dialect is ODATA_4_01:
                try:
                    encode(Codec(), converted, to)
                except EncodeError as error:
                    rules = {found.rule for found in error.diagnostics}
                    assert rules <= {BOUNDARY_IN_CONTENT, LIMIT_EXCEEDED}, (converted, error)


# -- engines ---------------------------------------------------------------------------------------


def execute(source: Source) -> None:
    """Nothing but documented errors leaves an Execution, and what it has finished is written.

    Each `Begin` that was done ends in one `Commit` or `Rollback`; what is written can be read.
    """
    codec = source.codec()
    request = source.request()
    written = source.pick((None, *FORMATS))
    options: dict[str, Any] = {
        "batch_url": source.pick((BATCH_URL, BATCH_URL, source.texts())),
        "response_format": written,
        "headers": source.headers(most=source.number(3)),
        "ordered": source.pick((None, True, False)),
        "continue_on_error": source.pick((None, True, False)),
        "evaluate": source.pick((None, lambda condition, results: bool(int(condition)))),
        "locate": source.pick((None, lambda *_: source.texts())),
        "references": source.pick(("keep", "resolve")),
    }
    execution = None
    with only(BatchError, ValueError):
        execution = codec.execution(request, **options)
    if execution is not None:
        run(source, execution)
        payload = execution.payload()
        dialect = replace(codec.dialect, severities=())
        read_back(Codec(dialect), "response", payload)
        judge(source, request, codec.match(request, execution.response()), codec)


def run(source: Source, execution: Execution) -> None:
    """Run steps in any order, with any response, and account for transactions."""
    transactions: dict[int, int] = {}
    waiting: list[Any] = []
    while not execution.finished:
        waiting += execution.ready()
        work = waiting.pop(source.number(len(waiting)))
        if isinstance(work, Step):
            response = source.item(answered(source, work.operation))
            if not 200 <= response.status <= 599:
                with only(ValueError):
                    execution.complete(work, response)
                response = OperationResponse(500)
            execution.complete(work, response)
            with only(UnresolvedReference):
                text = source.pick(("1", "$1/x", source.texts()))
                execution.reference(text, step=source.pick((None, work)))
        elif source.rarely() and not isinstance(work, Rollback):
            execution.fail(work, OperationResponse(503, source.headers()))
        else:
            execution.done(work)
            transactions[work.group] = transactions.get(work.group, 0) + (
                1 if isinstance(work, Begin) else -1
            )
        if source.rarely(40):
            waiting = [each for each in waiting if isinstance(each, Rollback)]
            waiting += execution.abandon()
    assert not any(transactions.values()), transactions


def exchange(source: Source) -> None:
    """Nothing but documented errors leaves an Exchange, and it ends with all outcomes."""
    codec = source.codec(strict=source.rarely())
    request, response = pair(source)
    options: dict[str, Any] = {
        "headers": source.headers(most=source.number(2)),
        "max_operations": source.pick((None, 1, 2)),
        "parallel": source.pick((1, 3)),
        "attempts": source.pick((1, 2, 4)),
        "repeatable": source.rarely(),
        "resend": source.pick((None, lambda outcome: source.rarely(2))),
        "now": source.pick((None, lambda: datetime.now(UTC))),
    }
    engine = None
    with only(BatchError, ValueError):
        engine = codec.exchange(
            request, source.pick((BATCH_URL, BATCH_URL, source.texts())), **options
        )
    if engine is not None:
        send(source, engine, response)
        judge(source, request, engine.result, codec)


def send(source: Source, engine: Exchange, response: BatchResponse) -> None:
    """Answer requests, in any order, until there are none."""
    waiting: list[Any] = []
    for _ in range(200):
        while (request := engine.next()) is not None:
            assert 0 <= request.delay <= 120
            waiting.append(request)
        if not waiting:
            break
        request = waiting.pop(source.number(len(waiting)))
        if source.rarely(8):
            engine.fail(
                source.pick((OSError(1), "gone")), request=request, sent=source.pick((None, False))
            )
            continue
        body, _, fields = source.message("response")
        with only(BatchError):
            payload = encode(
                Codec(), source.pick((response, BatchResponse(()))), source.pick(FORMATS)
            )
            body, fields = payload.body, payload.headers
        if source.rarely(4):
            body, fields = source.pick(BODIES), source.headers()
        headers = source.headers(fields, most=source.number(3))
        engine.receive(source.pick((200, 200, *STATUSES, 0, 999)), headers, body, request=request)
    else:
        return  # services may answer 202 for as long as they like
    assert engine.finished


# -- adapters --------------------------------------------------------------------------------------


ROOTS = ("", "", "/v1", "/é€", "/a b", "/a?b=c#d", "/%41%zz", "/$batch", "/$1", "/A(x='$1')", "//h")
"""Where an application is, below which the service is."""


class Ended(BaseException):
    """What ends a process, or a thread of it."""


class Service:
    """An application and its transactions, which do what the input says."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.behaves = source.rarely(2)
        """Whether only what ends transactions may fail."""
        self.later = False
        """Whether what transactions do is awaited."""
        self.transactions: list[Transaction] = []
        self.wrong: list[object] = []
        """What operations have that they should not; what is raised in them is answered."""

    def begin(self) -> Any:
        self.may_raise()
        transaction = Transaction(self)
        self.transactions.append(transaction)
        transaction.has_begun = not self.source.rarely(3)
        if not transaction.has_begun:
            return AsyncManager(transaction) if self.later else Manager(transaction)
        return self.given(transaction)

    def given(self, value: object) -> Any:
        return asyncio.sleep(0, value) if self.later else value

    def may_raise(self, one_in: int = 12) -> None:
        if self.source.rarely(one_in) and not (self.behaves and one_in == 12):
            raise self.source.pick((LookupError("lost"), ValueError("wrong"), Ended()))

    def validate(self, batch: BatchRequest, headers: Headers) -> OperationResponse | None:
        if self.source.rarely():
            raise self.source.pick((ValueError("\ud800"), EncodeError(())))
        return self.source.pick((None, None, OperationResponse(299, {"A": "b"}, b"later")))

    def answer(self) -> tuple[int, Headers, bytes]:
        """Return what an operation is answered with; whatever it is, the batch is answered."""
        if self.behaves:
            return 200, Headers(), b""
        self.may_raise()
        status = self.source.pick((*STATUSES, 0, 99, 600)) if self.source.rarely(3) else 200
        fields = self.source.headers(most=self.source.number(3))
        return status, fields, self.source.pick(BODIES)


class Transaction:
    """A transaction that notes how it ends."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.has_begun = False
        self.ends: list[str] = []

    def commit(self) -> Any:
        self.ends.append("committing")
        self.service.may_raise(4)
        self.ends[-1] = "committed"
        return self.service.given(None)

    def rollback(self) -> Any:
        self.ends.append("rolled back")
        self.service.may_raise()
        return self.service.given(None)


class Manager:
    """A transaction that is entered and left."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction

    def __enter__(self) -> Transaction:
        self.transaction.service.may_raise()
        self.transaction.has_begun = True
        return self.transaction

    def __exit__(self, kind: object, *_: object) -> None:
        self.transaction.ends.append("rolled back" if kind else "committed")
        self.transaction.service.may_raise(4)


class AsyncManager:
    """The same for asyncio."""

    def __init__(self, transaction: Transaction) -> None:
        self.manager = Manager(transaction)

    async def __aenter__(self) -> Transaction:
        return self.manager.__enter__()

    async def __aexit__(self, *error: object) -> None:
        self.manager.__exit__(*error)


def adapters(source: Source) -> None:
    """A batch is answered whatever comes of it, and what comes out of an adapter is its owner's.

    Each transaction is committed once or rolled back once; operations are within the service and
    asked by who asks for the batch; no more than the limit is read; an answer can be read.
    """
    service, codec = Service(source), source.codec() if source.rarely(2) else Codec()
    body, content_type, fields = source.message()
    others = [pair for pair in fields.pairs if pair[0].lower() not in ("content-type", "host")]
    fields = source.headers(Headers([("Content-Type", content_type), *others]), source.number(3))
    settings: dict[str, Any] = {
        "path": "/service/$batch",
        "begin": source.pick((service.begin, service.begin, None)),
        "codec": codec,
        "ordered": source.pick((None, True, False)),
        "continue_on_error": source.pick((None, True, False)),
        "answer": source.pick(("as asked", "as sent")),
        "validate": source.pick((None, None, service.validate)),
        "options": {"locate": lambda *_: source.texts()} if source.rarely() else {},
    }
    ask = source.pick((ask_wsgi, ask_asgi))
    answer = None
    with suppress(Ended, OSError, asyncio.CancelledError):
        answer = ask(service, settings, fields, body)
    for transaction in service.transactions:
        ends = transaction.ends
        assert ends in (["committed"], ["rolled back"], ["committing", "rolled back"], []), ends
        assert ends or not transaction.has_begun
    assert service.wrong == [], service.wrong
    if answer is not None:
        status, headers, content = answer
        assert headers["content-length"] == str(len(content)) and 200 <= status <= 599
        if status == 200:
            dialect = replace(codec.dialect, severities=())
            payload = Payload(content, headers)
            deep = Codec(dialect, limits=Limits(change_set_depth=9))
            read_back(deep, "response", payload)


def ask_wsgi(
    service: Service, settings: dict[str, Any], fields: Headers, body: bytes
) -> tuple[int, Headers, bytes] | None:
    """Ask through the adapter for WSGI."""
    source, start, taken = service.source, list[Any](), 0
    content = io.BytesIO(body * source.pick((1, 1, 1, 200)))

    class Input:
        def read(self, size: int) -> bytes:
            nonlocal taken
            data = content.read(min(size, source.pick((7, 100, size))))
            taken += len(data)
            assert taken <= settings["codec"].limits.message + 1
            return data

    def app(own: dict[str, Any], start_response: Any) -> Any:
        if not f"{own['SCRIPT_NAME']}{own['PATH_INFO']}".startswith(f"{name}/service/"):
            service.wrong.append(own["PATH_INFO"])
        for key, other in (("HTTP_X_FORWARDED_USER", None), ("HTTP_HOST", "localhost:80")):
            if own.get(key) != environ.get(key, other):
                service.wrong.append((key, own.get(key)))
        status, headers, data = service.answer()
        if service.behaves:
            start_response("200 OK", headers.pairs)
            return [data]
        if source.rarely():
            return source.pick(((), None, [data]))
        write = start_response(source.pick((f"{status} A", f"{status}", "")), headers.pairs)
        if source.rarely():
            write(data)
        return source.pick((Closing(service, data), [data, data], (b"", b""), b"ab"))

    name = latin(source.pick(ROOTS))
    environ: dict[str, Any] = {
        **{"REQUEST_METHOD": "POST", "SERVER_NAME": "localhost", "SERVER_PORT": "80"},
        **{"SCRIPT_NAME": name, "PATH_INFO": settings["path"], "wsgi.url_scheme": "http"},
        **{"QUERY_STRING": latin(source.texts()), "wsgi.input": Input()},
        **{"CONTENT_TYPE": latin(fields["content-type"]), "CONTENT_LENGTH": str(len(body))},
    }
    for key, value in fields.pairs:
        if key.lower() not in ("content-type", "content-length"):
            environ[f"HTTP_{latin(key).upper().replace('-', '_')}"] = latin(value)
    if source.rarely():
        environ["CONTENT_LENGTH"] = source.texts()
        environ["wsgi.input_terminated"] = source.rarely(2)
    if source.rarely():
        environ["REQUEST_METHOD"] = source.pick(("GET", "HEAD", "", "post"))
    adapter = wsgi.BatchMiddleware(app, **settings)
    data = b"".join(adapter(environ, lambda *line: start.extend(line)))  # type: ignore[arg-type]  # nothing is written
    return int(start[0][:3]), Headers(start[1]), data


class Closing:
    """An iterable whose `close` may fail."""

    def __init__(self, service: Service, data: bytes) -> None:
        self.service, self.data = service, data

    def __iter__(self) -> Iterator[bytes]:
        yield self.data
        self.service.may_raise()

    def close(self) -> None:
        self.service.may_raise()


def ask_asgi(
    service: Service, settings: dict[str, Any], fields: Headers, body: bytes
) -> tuple[int, Headers, bytes] | None:
    """Ask through the adapter for ASGI, and go away or cancel in the middle."""
    source, sent, taken = service.source, list[Any](), 0
    chunks, ending = source.chunks(body), source.number(8)
    pairs = [(octets(name.lower()), octets(value)) for name, value in fields.pairs]
    root = source.pick(ROOTS)
    service.later = source.rarely(2)

    async def receive() -> MutableMapping[str, Any]:
        nonlocal taken
        if chunks or not taken:
            assert taken <= settings["codec"].limits.message
            data = chunks.pop(0) if chunks else b""
            taken += len(data) or 1
            return {"type": "http.request", "body": data, "more_body": bool(chunks)}
        await asyncio.sleep(0)
        if ending > 2:
            await asyncio.Event().wait()
        if ending:
            return {"type": "http.disconnect"}
        raise OSError("the connection is lost")

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith(f"{root}/service/"):
            service.wrong.append(scope["path"])
        for key in (b"x-forwarded-user", b"host"):
            own = [value for name, value in scope["headers"] if name == key]
            if own != [value for name, value in pairs if name == key]:
                service.wrong.append((key, own))
        status, headers, data = service.answer()
        if (await receive())["type"] != "http.request":
            service.wrong.append("the request does not come")
        head = [(octets(name), octets(value)) for name, value in headers.pairs]
        if service.behaves or not source.rarely(12):
            await send({"type": "http.response.start", "status": status, "headers": head})
        ends = ((False,), (True, False)) if service.behaves else ((False,), (True,), (False, False))
        for more in source.pick(ends):
            await send({"type": "http.response.body", "body": data, "more_body": more})
        service.may_raise()

    scope = {
        **{"type": "http", "method": "POST", "root_path": root, "path": root + settings["path"]},
        **{"query_string": octets(source.texts()), "headers": pairs, "scheme": "http"},
    }
    adapter = asgi.BatchMiddleware(app, **settings)

    async def talk() -> None:
        task = asyncio.ensure_future(adapter(scope, receive, send))
        for _ in range(source.number(60) if ending == 7 else 0):
            await asyncio.sleep(0)
        if ending == 7:
            task.cancel()
        await task

    asyncio.run(talk())
    if not sent:
        return None
    start, end = sent
    headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in start["headers"]]
    return start["status"], Headers(headers), end["body"]


def octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def latin(text: str) -> str:
    return octets(text).decode("latin-1")


# -- captures and the command line -----------------------------------------------------------------


def capture(source: Source) -> None:
    """Nothing leaves the readers of captures: any octets are one, and what is found lies in it."""
    limits = source.limits()
    message = parse_message(source.whole, limits=limits)
    if message.body_position is not None:
        assert message.source[message.body_position :] == message.body
    for exchange in parse_capture(source.whole, limits=limits):
        for each in (exchange.request, exchange.response):
            if each is not None:
                assert all(found.message.isprintable() for found in each.diagnostics)
                check(Codec(limits=limits), each.kind, each.body, each.content_type, each.headers)


def command(source: Source) -> None:
    """The command line ends with 0, 1 or 2, whatever it reads, and says why if it is 2."""
    format = source.pick(("text", "concise", "json", "github", "sarif"))
    arguments = source.pick(
        (
            ("check", "--format", format, "-"),
            ("check", "--strict", "--format", format, "--limit", "diagnostics=2", "-"),
            ("show", "--headers", "--bodies", "--color", source.pick(("always", "never")), "-"),
            ("convert", "--to", "json", "-"),
            ("convert", "--to", "multipart", "--dialect", source.pick(tuple(PRESETS)), "-"),
        )
    )
    errors, output, known = io.StringIO(), io.TextIOWrapper(io.BytesIO(), "utf-8"), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(source.whole))
    try:
        with redirect_stdout(output), redirect_stderr(errors):
            status = main(arguments)
    finally:
        sys.stdin = known
    assert status in (0, 1) or (status == 2 and errors.getvalue().endswith("\n")), status
    assert "Traceback" not in errors.getvalue()


TARGETS: Mapping[str, Callable[[Source], None]] = {
    target.__name__: target
    for target in (
        *(decode, chunks, again, values, write, outcomes, plan, execute, exchange),
        *(adapters, capture, command),
    )
}
