"""What a `$batch` endpoint does in any framework, without I/O: an HTTP request in, an answer out.

OData Protocol, 11.7. `Endpoint` is what the owner of a service decides; `Serving` is one request.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal, TypeAlias

from odata_batch._coding.reading import RequestDecoder, decode, decoder_of
from odata_batch._coding.settings import Settings
from odata_batch._coding.streaming import ChangeSetEnd, ChangeSetStart, RequestEvent
from odata_batch._coding.writing import ResponseEncoder
from odata_batch._graph.urls import ascii_decoded
from odata_batch._model import findings, values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import BatchError, DecodeError, of_type, public, quote
from odata_batch._model.headers import Headers
from odata_batch._model.limits import Limits
from odata_batch._model.values import BatchRequest, Format, HeadersLike, OperationResponse
from odata_batch._server import steps
from odata_batch._server.execution import Execution
from odata_batch._server.steps import Begin, Commit, Signal, Step
from odata_batch._server.transactions import Entered, begun

Decode: TypeAlias = Callable[[bytes, str], BatchRequest]
Encode: TypeAlias = Callable[[values.BatchResponse], values.Payload]
Work: TypeAlias = Step | Signal

_FORMATS: Final[Mapping[str, Format]] = {"multipart/mixed": "multipart", "application/json": "json"}
# OData Protocol, 11.2.12: it replaces Accept, and may be abbreviated.
_FORMAT_OPTION = re.compile(r"(?:^|&)(?:\$|%24)format=([^&]*)")
_ABBREVIATED: Final[Mapping[str, str]] = {name: type for type, name in _FORMATS.items()}
# A media range and its weight. RFC 9110, 12.5.1
_RANGE = re.compile(r"([^,;\s]+)(?:[^,]*?;\s*q=([01](?:\.[0-9]*)?))?[^,]*")
_REFERENCES: Final = ("keep", "resolve")
_OPTIONS = frozenset("dropped_headers evaluate locate replaced service_root".split())
_ANSWERS: Final = ("as asked", "as sent")
_OWN: Final = frozenset("cookie user-agent traceparent tracestate".split())
# They speak of a message that is not there, or, Set-Cookie, cannot be said twice in JSON.
_LEFT_OUT = frozenset("connection content-length keep-alive set-cookie transfer-encoding".split())


@public
@dataclass(frozen=True, eq=False, kw_only=True)
class Endpoint:
    """A `$batch` endpoint, as the owner of a service wants it; sans-IO.

    `odata_batch.asgi` and `odata_batch.wsgi` have a `BatchMiddleware` each that is one. For another
    framework, make a `Serving` for each request to the path.

    >>> from odata_batch import BatchRequest, Endpoint, Operation, Serving, encode_request
    >>> payload = encode_request(BatchRequest([Operation.get("People")]))
    >>> headers = {"Host": "example.org", **payload.headers}
    >>> url = "http://example.org/service/$batch"
    >>> serving = Serving(Endpoint(), "POST", url, headers)
    >>> serving.receive_data(payload.body, more=False)
    >>> def call(step, transaction):
    ...     print(step.method, serving.request_of(step)[0])
    ...     return OperationResponse(200)
    >>> serving.run(call)
    GET /service/People
    >>> serving.answer.status
    200
    """

    HANDED_ON: ClassVar[frozenset[str]] = steps.WHO_ASKS | frozenset(
        """
        host authorization cookie origin referer user-agent traceparent tracestate
        """.split()
    )
    """The header fields of the batch request that say who asks, in lower case."""

    path: str = "/$batch"
    """Where the endpoint is. Operations stay within its directory; others are answered with 403."""
    begin: Callable[[], Any] | None = None
    """Called for each change set. What it gives, which may be awaited in ASGI, has `commit` and
    `rollback`, as a session of SQLAlchemy has; or it is a context manager, asynchronous or not,
    which is left with an error to roll back, as `atomic` of Django wants it, and what it gives when
    it is entered is the transaction (in ASGI, it is left by another task than entered it). With
    anything else, nothing of the change set is run, and it is answered with 500; without `begin`,
    change sets are answered with 501."""
    references: Literal["keep", "resolve"] = "keep"
    """As in `Execution`: whether `$1/Name` in a query, `"$1"` in `@odata.bind` and conditions are
    resolved."""
    codec: Settings = field(default_factory=lambda: Settings(limits=Limits(operations=100)))
    """A `Codec`, with the limits of the service; by default 100 operations are allowed, as in
    Microsoft's library. More is answered with 413 before anything has run. A codec's format, or the
    only one of its dialect, is that of all answers."""
    ordered: bool | None = None
    """As in `Execution`: whether operations run one after the other."""
    continue_on_error: bool | None = None
    """As in `Execution`: `None` obeys the client."""
    answer: Literal["as asked", "as sent"] = "as asked"
    """The format of the answer: the one that `$format` or `Accept` wants most, with regard to `q`,
    or else that of the request; or always that of the request, since some clients ask for JSON and
    read multipart alone."""
    validate: Callable[[BatchRequest, Headers], OperationResponse | None] | None = None
    """Sees the batch and the header fields of its request before anything runs. What it returns is
    the answer, unless that is `None`; a `ValueError` is answered with 400, a `BatchError` with its
    status."""
    formats: Mapping[str, tuple[Decode, Encode]] = field(default_factory=dict)
    """Further formats by media type: what decodes a body, given its Content-Type, and what encodes
    the response. Where a body cannot be read, a `ValueError` is answered with 400."""
    handed_on: frozenset[str] = HANDED_ON
    """The names, in lower case, of the fields of the batch request that each operation gets: who
    asks for the batch asks for its operations. A name that ends in `*` means all that begin so.
    What an operation itself says of these is dropped, like what `Execution` drops; but it may have
    its own Cookie, User-Agent and trace."""
    stream_from: int | None = None
    """Where the body is longer than this many octets, operations are run and answered while it
    arrives, as far as `Execution` does so with `more`; `None` waits for the end. Then nothing is
    refused as a whole once one has been run: what is wrong with an item is answered in its place,
    and an answer to what cannot be read, is too long or cut off has no end. Each operation, change
    set and response is kept as a whole, up to `Limits.body` for a body. What is sent or answered in
    one of `formats` waits for the end, however long it is. With `validate`, which sees the whole
    batch before anything runs, it is `ValueError`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of `Execution`, by name, such as `evaluate` or `service_root`."""

    def __post_init__(self) -> None:
        codec: object = self.codec
        if not of_type(self.path, str, "path").startswith("/"):
            raise ValueError(f"path begins with a slash, not {self.path!r}")
        if not isinstance(codec, Settings):
            hint = f": Codec({codec!r:.60})" if isinstance(codec, Dialect) else ""
            raise TypeError(f"codec is a Codec, not {type(codec).__name__}{hint}")
        for name in ("begin", "validate", "app"):
            findings.check_called(getattr(self, name, None), name)
        findings.names_in(self.handed_on, "handed_on")
        of_type(self.formats, Mapping, "formats")
        findings.optional(self.stream_from, int, "stream_from")
        if self.stream_from is not None and self.validate is not None:
            need = "validate sees the whole batch before anything runs"
            raise ValueError(f"stream_from runs what has arrived, and {need}: leave one out")
        if unknown := {*of_type(self.options, Mapping, "options")} - _OPTIONS:
            names = ", ".join(sorted(_OPTIONS))
            raise TypeError(f"options has {sorted(unknown)}, expected some of {names}")
        for name, known in (("references", _REFERENCES), ("answer", _ANSWERS)):
            if (value := getattr(self, name)) not in known:
                expected = " or ".join(map(repr, known))
                raise ValueError(f"{name} is {expected}, not {value!r:.60}")


@public
class Serving:
    """One batch request that is being served: octets in, work out, an answer at the end.

    - `endpoint`: the endpoint that it was sent to, which has an example.
    - `method`, `headers`: those of the HTTP request.
    - `url`: its absolute URL, as the client has it.

    Feed it the body as long as it `wants_data`, `run` it, or do what is `ready` until there is no
    more, and send the `answer`. Nothing that a client sends makes it raise.
    """

    transactions: dict[int | None, Any]
    """What has been begun and neither committed nor rolled back, by `Step.group`. Whatever is
    raised, and wherever one gives up, what is left here is to be rolled back."""
    wants_data: bool
    """Whether the body is to be read on: it has not ended, and is not refused yet."""
    head: OperationResponse | None = None
    """Status and fields of an answer that may begin before the body has ended, see `drain`."""
    _execution: Execution
    _type: str
    _decoder: RequestDecoder[Any]
    _encoder: ResponseEncoder
    _has_begun = _is_broken = False
    _received = 0

    def __init__(self, endpoint: Endpoint, method: str, url: str, headers: HeadersLike) -> None:
        of_type(endpoint, Endpoint, "endpoint")
        of_type(url, str, "url")
        self.transactions, self.wants_data = {}, True
        self._endpoint, self._headers, self._body = endpoint, Headers(headers), bytearray()
        self._answer: OperationResponse | None = None
        # The change sets that have begun in a body that is not complete, and what is in them
        self._sets: list[tuple[str | None, list[Any]]] = []
        known = _pattern_of(frozenset(endpoint.handed_on))
        self._handed_on = [pair for pair in self._headers.pairs if known.fullmatch(pair[0])]
        self._url, _, self._query = url.partition("?")
        length = self._headers.get("content-length", "")
        self._length = int(length[:19]) if length.isascii() and length.isdecimal() else 0
        if method != "POST":
            self.refuse(405, "" if method == "HEAD" else "a batch is sent with POST")
        elif not set(self._headers.get("host", "")).isdisjoint("/?#"):
            self.refuse(400, "the Host is not valid")  # it would move the service root
        elif self._headers.get("content-encoding", "identity").lower() != "identity":
            self.refuse(415, "a body with a content coding cannot be read; send it without")
        self._check_length(self._length)

    # -- the request --

    def receive_data(self, data: bytes, *, more: bool) -> None:
        """Take `data`, the next octets of the body, and whether there are `more`.

        Nothing is kept of a body that is refused.
        """
        data = findings.octets_of(data)
        self._received += len(data)
        self._check_length(self._received)
        if not self.wants_data:
            return
        self._body += data
        self.wants_data = more
        if not more and self._received < self._length:
            # What is cut off is not to be run, even if it reads as a whole. RFC 9112, 8
            self.refuse(400, f"the body ends before its Content-Length, {self._length}")
            return
        try:
            if self.head is not None or self._is_long():
                self._pass_on(more)
            elif not more:
                self._begin()
        except (BatchError, ValueError) as error:
            self._refuse_for(error)

    def refuse(self, status: int, message: str) -> None:
        """Answer with `status` and an error of OData that has the `message` (OData JSON, 21.1).

        Nothing else is done. Without a message the answer has no body. Where an operation has been
        run, what there is of the answer has no end.
        """
        self.wants_data, self._is_broken = False, self._has_begun
        if self._has_begun:
            self._execution.feed_eof()
        else:
            self._answer = _error(status, message)

    def _refuse_for(self, error: BatchError | ValueError) -> None:
        """Answer with what is wrong with the batch, and how to mend it."""
        if not isinstance(error, DecodeError):
            return self.refuse(getattr(error, "http_status", 400), str(error))
        own = self._headers.get("content-type", "").partition(";")[0].strip()
        known = (*_FORMATS, *self._endpoint.formats)
        if own.lower().startswith("multipart/") and own.lower() not in known:
            # Of whatever is wrong with the parts, it is the cause.
            message = f"found {quote(own)}, expected {' or '.join(known)}"
            error = DecodeError(
                findings.Diagnostic(findings.BATCH_MEDIA_TYPE, message, 0, "headers")
            )
        # A limit is for the owner of the service to raise.
        remedy = "" if error.diagnostic.limit else f". {error.diagnostic.remedy}"
        return self.refuse(error.http_status, f"{error}{remedy}")

    def _check_length(self, length: int) -> None:
        most = self._endpoint.codec.limits.message
        if length > most and self.wants_data:
            found = f"the body has {length} octets or more"
            self.refuse(413, f"{found}: the limit is {most} (Limits.message)")

    def _begin(self) -> None:
        endpoint, codec = self._endpoint, self._endpoint.codec
        content_type = self._headers.get("content-type", "")
        own = content_type.partition(";")[0].strip().lower()
        body, self._body = bytes(self._body), bytearray()  # it is not held while the batch runs
        if own in endpoint.formats:
            batch = endpoint.formats[own][0](body, content_type)
        else:
            decoder = decoder_of(RequestDecoder, codec, content_type, self._headers, None)
            batch = decode(decoder, body)
        if endpoint.validate is not None:
            self._answer = endpoint.validate(batch, self._headers)
        self._type = self._type_of(own)
        if self._answer is None:
            self._execution = self._execute(batch)

    def _execute(self, batch: BatchRequest, **options: Any) -> Execution:
        endpoint, codec = self._endpoint, self._endpoint.codec
        more = {**endpoint.options, "ordered": endpoint.ordered, "headers": self._headers}
        more |= {"continue_on_error": endpoint.continue_on_error, "limits": codec.limits}
        more["references"] = endpoint.references
        dropped = more.get("dropped_headers", steps.DROPPED_HEADERS)
        more["dropped_headers"] = {
            *findings.names_in(dropped, "dropped_headers"),
            *endpoint.handed_on,
        } - _OWN
        more |= {"dialect": codec.dialect, "response_format": _FORMATS.get(self._type, "multipart")}
        return Execution(batch, batch_url=self._url, **more, **options)

    def _is_long(self) -> bool:
        """Begin to run what is arriving, if the body is too long to wait for its end."""
        endpoint, content_type = self._endpoint, self._headers.get("content-type", "")
        if endpoint.stream_from is None or len(self._body) <= endpoint.stream_from:
            return False
        own = content_type.partition(";")[0].strip().lower()
        self._type = self._type_of(own)
        if not {own, self._type} <= {*_FORMATS} - {*endpoint.formats}:
            return False
        settings = endpoint.codec, content_type, self._headers, None, lambda head: False
        self._decoder = decoder_of(RequestDecoder, *settings)
        batch = BatchRequest((), continue_on_error=self._decoder.continue_on_error)
        self._execution = self._execute(batch, format=self._decoder.format, more=True)
        self._encoder, fields = self._execution.encoder()
        self.head = OperationResponse(200, fields)
        return True

    def _pass_on(self, more: bool) -> None:
        """Have the execution take what is complete."""
        data, self._body = bytes(self._body), bytearray()
        self._execution.feed(self._items(self._decoder.receive_data(data)))
        if not more:
            self._execution.feed(self._items(self._decoder.receive_eof()))
            self._execution.feed_eof()

    def _items(self, events: Iterable[RequestEvent]) -> Iterator[values.RequestItem]:
        """Yield the items that end here."""
        for event in events:
            if isinstance(event, ChangeSetStart):
                self._sets.append((event.id, []))
                continue
            item: Any = event
            if isinstance(event, ChangeSetEnd):
                id, members = self._sets.pop()
                item = values.ChangeSet(members, id=id)
            if self._sets:
                self._sets[-1][1].append(item)
            else:
                yield item

    # -- the work --

    def ready(self) -> tuple[Work, ...]:
        """Return what may be done now, at the same time, as `Execution.ready` does."""
        if self._answer is not None or (self.wants_data and self.head is None):
            return ()
        works = self._execution.ready()
        self._has_begun = self._has_begun or bool(works)
        return works

    def run(self, call: Callable[[Step, Any], OperationResponse]) -> None:
        """Do all that there is to do, in turn; what a step is, `call` does, see `do`.

        An exception is for `fail`. Whatever else is raised passes through, and nothing stays open.
        """
        try:
            while works := self.ready():
                for work in works:
                    try:
                        self.done(work, self.do(work, call))
                    except Exception as error:
                        self.fail(work, error)
        finally:
            while self.transactions:
                try:
                    self.transactions.popitem()[1].rollback()
                except BaseException as error:
                    self.fail(None, error)

    def do(self, work: Work, call: Callable[[Step, Any], Any]) -> Any:
        """Do `work`, or return what is to be awaited; what comes of it is for `done`.

        A step is `call(step, transaction)`, which gives an `OperationResponse`; the transaction of
        its change set is what `Endpoint.begin` gave.
        """
        transaction = self.transactions.get(work.group)
        if isinstance(work, Step):
            return call(work, transaction.value if type(transaction) is Entered else transaction)
        if isinstance(work, Begin):
            if self._endpoint.begin is None:
                raise RuntimeError("there is no `begin` for change sets")
            return begun(self._endpoint.begin())
        if transaction is None:
            raise RuntimeError("the transaction is over")
        if isinstance(work, Commit):
            return transaction.commit()
        return self.transactions.pop(work.group).rollback()

    def done(self, work: Work | None, outcome: Any = None) -> None:
        """Take the `outcome` of `work`: the response to a step, the transaction that has begun.

        A `work` of `None` is what nobody waits for any more, such as rolling back what is left.
        """
        if isinstance(work, Step):
            of_type(outcome, OperationResponse, "the response to a step")
            pairs = [pair for pair in outcome.headers.pairs if pair[0].lower() not in _LEFT_OUT]
            if len(pairs) < len(outcome.headers.pairs):
                outcome = replace(outcome, headers=pairs)
            self._execution.complete(work, outcome)
        elif work is not None:
            if isinstance(work, Begin):
                if not (hasattr(outcome, "commit") and hasattr(outcome, "rollback")):
                    given = f"`begin` gave {outcome!r:.60}"
                    expected = "`commit` and `rollback`, or a context manager"
                    raise TypeError(f"{given}, expected something with {expected}")
                self.transactions[work.group] = outcome
            else:
                self.transactions.pop(work.group, None)
            self._execution.done(work)

    def fail(self, work: Work | None, error: BaseException) -> None:
        """Log the `error` for which `work` could not be done; the client is told 500 alone.

        A change set without `Endpoint.begin` is 501, and no more than a warning in the log. A
        `work` of `None` is as in `done`.
        """
        import logging  # which is as large as all that is here

        log = logging.getLogger("odata_batch")
        if isinstance(work, Begin) and self._endpoint.begin is None:
            log.warning("a change set was refused: the endpoint has no `begin`")
            answer = _error(501, "this service takes no change sets")
        else:
            log.error("a batch has failed", exc_info=error)
            answer = _error(500, "it has failed")
        if isinstance(work, Step):
            self._execution.complete(work, answer)
        elif work is not None:
            self._execution.fail(work, answer)

    def request_of(self, step: Step) -> tuple[str, str, Headers]:
        """Return path, query and header fields of a step as a request of its own.

        The path is percent-encoded. The fields have a Content-Length, and say who asks.
        """
        path, _, query = step.url.partition("#")[0].split("/", 3)[3].partition("?")
        fields = [*step.headers.pairs, ("Content-Length", str(len(step.body)))]
        fields += [pair for pair in self._handed_on if pair[0] not in step.headers]
        return f"/{path}", query, Headers(fields)

    # -- the answer --

    def drain(self) -> bytes:
        """Return the next octets of an answer that has a `head`, as far as there are any.

        What has not been drained at the end is the body of `answer`.
        """
        items = () if self.head is None else self._execution.drain()
        octets = b"".join([self._encoder.send(item) for item in items])
        self._has_begun = self._has_begun or bool(octets)
        return octets

    @property
    def answer(self) -> OperationResponse | None:
        """The answer to the batch request; `None` as long as there is none yet."""
        is_over = self._answer is None and not self.wants_data and self._execution.finished
        if is_over and self.head is not None:
            rest = self.drain()
            rest += b"" if self._is_broken else self._encoder.close()
            self._answer = replace(self.head, body=rest)
        elif is_over:
            payload = self._execution.payload()
            if self._type not in _FORMATS:
                payload = self._endpoint.formats[self._type][1](self._execution.response())
            self._answer = OperationResponse(200, payload.headers, payload.body)
        return self._answer

    def _type_of(self, own: str) -> str:
        """Return the media type of the answer to a request of type `own`: what is wanted most."""
        endpoint, codec = self._endpoint, self._endpoint.codec
        spoken = codec.dialect.formats if codec.format is None else {codec.format}
        types = [*(name for name, each in _FORMATS.items() if each in spoken), *endpoint.formats]
        own = own if own in types else types[0]
        option = _FORMAT_OPTION.search(self._query)
        asked = self._headers.get("accept", "") if option is None else ascii_decoded(option[1])
        asked = _ABBREVIATED.get(asked.lower(), asked.lower())
        weights = {name: float(weight or 1) for name, weight in _RANGE.findall(asked)}
        # What any range allows is that of the request.
        weights.setdefault(own, weights.get(f"{own.split('/')[0]}/*", weights.get("*/*", 0.0)))
        best = max((name for name in weights if name in types), key=weights.__getitem__)
        return best if weights[best] and endpoint.answer == "as asked" else own


@lru_cache
def _pattern_of(names: frozenset[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, names)).replace(r"\*", ".*"), re.IGNORECASE)


def _error(status: int, message: str) -> OperationResponse:
    body = json.dumps({"error": {"code": str(status), "message": message}}).encode("ascii")
    fields = {"Content-Type": "application/json"} if message else {}
    fields |= {"Allow": "POST"} if status == 405 else {}
    return OperationResponse(status, fields, body if message else b"")
