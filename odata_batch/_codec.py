"""`Codec`, which holds settings for many calls, and the functions of the same names.

Everything here delegates: reading and writing to `_coding`, interpretation to `_client`, `_server`
and `_graph`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar, final, overload

from odata_batch._client import answer, plan
from odata_batch._client import match as matching
from odata_batch._client.convert import Requests, Responses, convert
from odata_batch._client.exchange import Exchange
from odata_batch._client.outcomes import BatchResult, Outcome
from odata_batch._client.plan import is_throttled
from odata_batch._coding import reading, writing
from odata_batch._coding.reading import OfRequest, OfResponse, RequestDecoder, ResponseDecoder
from odata_batch._coding.settings import Settings, format_of
from odata_batch._coding.streaming import RequestEvent, ResponseEvent
from odata_batch._coding.writing import RequestEncoder, ResponseEncoder
from odata_batch._graph import prepare as preparing
from odata_batch._model.dialect import ODATA_4_01, Dialect
from odata_batch._model.findings import Diagnostic, Report, Reporter, octets_of, public
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    Format,
    HeadersLike,
    OperationResponse,
    Payload,
)
from odata_batch._server.execution import Execution

_Batch = TypeVar("_Batch", BatchRequest, BatchResponse)


@public
@final
class Codec(Settings):
    """The settings of many calls: dialect, format, limits, and whether decoding is strict.

    `format` is that of what is written, and of the requests that `match`, `split`, `remaining`,
    `prepare` and `execution` are about. Where it is `None`, it is the only one that the dialect
    supports, or else the one in which the value was read, or else multipart. What is decoded says
    its format itself. `strict` concerns decoding alone: with it, warnings raise, too.

    All but the dialect is given by keyword. Each method does what the function of its name does;
    see there. A codec is equal to another with the same settings, can be hashed and pickled, and
    may be shared by threads.

    It remembers what the batches that it has read have in common, so that it reads the next ones
    faster: header sections, never a body, a URL, or a field such as Authorization or Cookie. Copies
    and pickles begin anew.

    >>> from odata_batch.dialects import GRAPH
    >>> codec = Codec(GRAPH)
    >>> codec.encode_request(BatchRequest([Operation.get("/me", id="1")])).body
    b'{"requests":[{"id":"1","method":"GET","url":"/me"}]}'
    """

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Codec cannot be changed, {name} cannot be set; see replace")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Codec cannot be changed, {name} cannot be deleted")

    def replace(self, **changes: Any) -> "Codec":
        """Return a codec with other settings, named as in the constructor.

        >>> Codec(strict=True).replace(format="json")
        Codec(ODATA_4_01, format='json', strict=True)
        """
        return replace(self, **changes)

    def clear(self) -> None:
        """Forget what has been learned from batches; it will be learned again."""
        self._tables.clear()

    def __reduce__(self) -> "tuple[Callable[..., Codec], tuple[object, ...]]":
        make = partial(Codec, format=self.format, limits=self.limits, strict=self.strict)
        return make, (self.dialect,)

    def __repr__(self) -> str:
        said = [repr(self.dialect)]
        for name, default in (("format", None), ("limits", DEFAULT_LIMITS), ("strict", False)):
            value = getattr(self, name)
            said += [f"{name}={value!r}"] if value != default else []
        return f"Codec({', '.join(said)})"

    # -- reading and writing ---------------------------------------------------------------------

    def encode_request(
        self,
        batch: BatchRequest,
        *,
        boundary: str | None = None,
        accept: str | None = None,
        relative_to: str | None = None,
    ) -> Payload:
        """Return the body and the header fields of the HTTP request that carries the batch."""
        batch = preparing.relative(batch, relative_to)
        return writing.encode(RequestEncoder, self, batch, boundary, accept)

    def encode_response(self, batch: BatchResponse, *, boundary: str | None = None) -> Payload:
        """Return the body and the header fields of the HTTP response that carries the batch."""
        return writing.encode(ResponseEncoder, self, batch, boundary)

    def decode_request(
        self,
        body: bytes,
        content_type: str,
        *,
        headers: HeadersLike = (),
        report: Reporter | None = None,
    ) -> BatchRequest:
        """Return the batch request that the body of an HTTP request holds."""
        decoder = self.request_decoder(content_type, headers=headers, report=report)
        return reading.decode(decoder, body)

    def decode_response(
        self,
        body: bytes,
        content_type: str,
        *,
        headers: HeadersLike = (),
        report: Reporter | None = None,
    ) -> BatchResponse:
        """Return the batch response that the body of an HTTP response holds."""
        decoder = self.response_decoder(content_type, headers=headers, report=report)
        return reading.decode(decoder, body)

    def check_request(
        self, body: bytes, content_type: str, *, headers: HeadersLike = (), url: str | None = None
    ) -> Report[BatchRequest]:
        """Return what is wrong with a batch request, and what could be read."""
        return reading.check(RequestDecoder, self, body, content_type, headers, url=url)

    def check_response(
        self,
        body: bytes,
        content_type: str,
        *,
        headers: HeadersLike = (),
        request: BatchRequest | None = None,
        request_format: Format | None = None,
    ) -> Report[BatchResponse]:
        """Return what is wrong with a batch response, alone or as the answer to `request`."""
        return reading.check(
            ResponseDecoder, self, body, content_type, headers, request, request_format
        )

    @overload
    def request_decoder(
        self,
        content_type: str,
        *,
        headers: HeadersLike = ...,
        report: Reporter | None = ...,
        stream: Literal[False] = ...,
    ) -> RequestDecoder: ...

    @overload
    def request_decoder(
        self,
        content_type: str,
        *,
        headers: HeadersLike = ...,
        report: Reporter | None = ...,
        stream: Literal[True] | OfRequest,
    ) -> RequestDecoder[RequestEvent]: ...

    def request_decoder(
        self,
        content_type: str,
        *,
        headers: HeadersLike = (),
        report: Reporter | None = None,
        stream: bool | OfRequest = False,
    ) -> RequestDecoder[Any]:
        """Return a decoder of a batch request that arrives in chunks."""
        return reading.decoder_of(RequestDecoder, self, content_type, headers, report, stream)

    @overload
    def response_decoder(
        self,
        content_type: str,
        *,
        headers: HeadersLike = ...,
        report: Reporter | None = ...,
        stream: Literal[False] = ...,
    ) -> ResponseDecoder: ...

    @overload
    def response_decoder(
        self,
        content_type: str,
        *,
        headers: HeadersLike = ...,
        report: Reporter | None = ...,
        stream: Literal[True] | OfResponse,
    ) -> ResponseDecoder[ResponseEvent]: ...

    def response_decoder(
        self,
        content_type: str,
        *,
        headers: HeadersLike = (),
        report: Reporter | None = None,
        stream: bool | OfResponse = False,
    ) -> ResponseDecoder[Any]:
        """Return a decoder of a batch response that arrives in chunks."""
        return reading.decoder_of(ResponseDecoder, self, content_type, headers, report, stream)

    def request_encoder(
        self,
        *,
        boundary: str | None = None,
        accept: str | None = None,
        continue_on_error: bool | None = None,
        annotations: Iterable[tuple[str, bytes]] = (),
    ) -> RequestEncoder:
        """Return an encoder of a batch request that is written item by item."""
        batch = BatchRequest((), continue_on_error=continue_on_error, annotations=annotations)
        return writing.encoder_of(RequestEncoder, self, batch, boundary, accept)

    def response_encoder(
        self, *, boundary: str | None = None, annotations: Iterable[tuple[str, bytes]] = ()
    ) -> ResponseEncoder:
        """Return an encoder of a batch response that is written item by item."""
        batch = BatchResponse((), annotations=annotations)
        return writing.encoder_of(ResponseEncoder, self, batch, boundary)

    # -- what it means ---------------------------------------------------------------------------

    def prepare(self, batch: _Batch) -> _Batch:
        """Return the batch as it is written and read back."""
        format = format_of(self, batch)
        return preparing.prepare(batch, format=format, dialect=self.dialect)

    def match(
        self,
        request: BatchRequest,
        response: BatchResponse | None,
        *,
        status: int | None = None,
        headers: HeadersLike = (),
        request_headers: HeadersLike = (),
    ) -> BatchResult:
        """Return what became of each operation of the batch."""
        return matching.match(self, request, response, status, headers, request_headers)

    def outcomes(
        self,
        batch: BatchRequest,
        status: int,
        headers: HeadersLike = (),
        body: bytes = b"",
        *,
        request_headers: HeadersLike = (),
    ) -> BatchResult:
        """Return what became of each operation of the batch, by the HTTP answer to it."""
        message = OperationResponse(status, headers, octets_of(body))
        return answer.outcomes(self, batch, answer.read(self, message), request_headers)

    def split(
        self, batch: BatchRequest, *, max_operations: int | None = None
    ) -> tuple[BatchRequest, ...]:
        """Return batches of at most `max_operations` operations that hold those of `batch`."""
        return plan.split(self, batch, max_operations)

    def remaining(
        self,
        batch: BatchRequest,
        results: BatchResult | Mapping[str, int],
        *,
        when: Callable[[Outcome], bool] = is_throttled,
    ) -> BatchRequest:
        """Return a batch of the operations that are to be sent again."""
        return plan.remaining(self, batch, results, when)

    def convert_request(
        self, batch: BatchRequest, *, target: Format, source: Format | None = None
    ) -> tuple[BatchRequest, tuple[Diagnostic, ...]]:
        """Return the batch as one of the format `target`, and what is lost."""
        return convert(Requests, self, batch, source, target)

    def convert_response(
        self, batch: BatchResponse, *, target: Format, source: Format | None = None
    ) -> tuple[BatchResponse, tuple[Diagnostic, ...]]:
        """Return the batch as one of the format `target`, and what is lost."""
        return convert(Responses, self, batch, source, target)

    def execution(self, request: BatchRequest, *, batch_url: str, **options: Any) -> Execution:
        """Return the engine that executes the batch; `options` are those of `Execution`."""
        settings = {"format": format_of(self, request), "limits": self.limits}
        return Execution(request, batch_url=batch_url, dialect=self.dialect, **(settings | options))

    def exchange(self, batch: BatchRequest, url: str, **options: Any) -> Exchange:
        """Return the engine that sends the batch; `options` are those of `Exchange`."""
        settings = {"format": self.format, "limits": self.limits, "strict": self.strict}
        return Exchange(batch, url, dialect=self.dialect, **(settings | options))


# -- one call --------------------------------------------------------------------------------------


def encode_request(
    batch: BatchRequest,
    *,
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
    limits: Limits = DEFAULT_LIMITS,
    boundary: str | None = None,
    accept: str | None = None,
    relative_to: str | None = None,
) -> Payload:
    """Return the body of the HTTP request that carries the batch, and the headers to send with it.

    - `batch`: the value to send; `prepare(batch)` is what is written.
    - `format`: by default the only one that the dialect supports, or else the one in which the
      batch was read, or else multipart.
    - `dialect`: the version or service whose rules hold.
    - `limits`: those of the reader; what exceeds one cannot be written.
    - `boundary`: makes multipart reproducible, in place of a random one; with JSON it is
      `ValueError`.
    - `accept`: the batch format wanted back, by default the same.

    Nothing is repaired. Whatever breaks a rule, even one with the severity warning, is in the
    `diagnostics` of one `EncodeError`. Absolute URLs that lie within `relative_to`, a service root,
    are written relative to it, as some services want them; the batch is sent to `$batch` directly
    below it.

    >>> batch = BatchRequest([Operation.get("https://host/service/People", id="1")])
    >>> encode_request(batch, format="json", relative_to="https://host/service").body
    b'{"requests":[{"id":"1","method":"GET","url":"People"}]}'
    """
    codec = Codec(dialect, format=format, limits=limits)
    return codec.encode_request(batch, boundary=boundary, accept=accept, relative_to=relative_to)


def encode_response(
    batch: BatchResponse,
    *,
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
    limits: Limits = DEFAULT_LIMITS,
    boundary: str | None = None,
) -> Payload:
    """Return the body of the HTTP response that carries the batch, and the headers to send with it.

    See `encode_request` for the arguments.

    >>> batch = BatchResponse([OperationResponse(204)])
    >>> encode_response(batch, boundary="b").content_type
    'multipart/mixed; boundary=b'
    """
    return Codec(dialect, format=format, limits=limits).encode_response(batch, boundary=boundary)


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

    - `body`: the octets of the body, its content coding undone.
    - `content_type`: the Content-Type of the request, which decides the format.
    - `headers`: the header fields of the request; `Prefer` says whether to continue on error.
    - `dialect`: the version or service whose rules hold.
    - `limits`: what exceeds one raises `LimitExceeded`, a subclass of `DecodeError`.
    - `strict`: whether warnings raise `DecodeError`, as errors always do.
    - `report`: called with each finding that does not raise.

    A Content-Type among the headers that differs from the argument is `ValueError`.

    >>> text = b'{"requests":[{"id":"1","method":"GET","url":"People"}]}'
    >>> decode_request(text, "application/json").items[0].url
    'People'
    """
    codec = Codec(dialect, limits=limits, strict=strict)
    return codec.decode_request(body, content_type, headers=headers, report=report)


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
    response without its close delimiter is `truncated`, which is a warning. See `decode_request`
    for the arguments.

    >>> text = b'{"responses":[{"id":"1","status":204}]}'
    >>> decode_response(text, "application/json").items[0].status
    204
    """
    codec = Codec(dialect, limits=limits, strict=strict)
    return codec.decode_response(body, content_type, headers=headers, report=report)


def check_request(
    body: bytes,
    content_type: str,
    *,
    headers: HeadersLike = (),
    url: str | None = None,
    dialect: Dialect = ODATA_4_01,
    limits: Limits = DEFAULT_LIMITS,
) -> Report[BatchRequest]:
    """Return what is wrong with a batch request, and what could be read; never raises on bytes.

    - `url`: that of the batch request: absolute, or the path of its request line, with which goes
      the field Host among the `headers`. Operations elsewhere are found where it is given.

    Damage within one part is reported for that part, and the next part is read. It is looked more
    closely than in decoding: into JSON bodies, into strings of URLs and at lines that are almost
    delimiter lines. See `decode_request` for the other arguments.

    >>> text = b'{"requests":[{"id":"1","method":"GET","url":"/People"}]}'
    >>> report = check_request(text, "application/json", url="https://host/service/$batch")
    >>> print(report.diagnostics[0].message)
    URL '/People' is 'https://host/People', not within '/service/'

    >>> report = check_request(b"--b--", "multipart/mixed; boundary=b")
    >>> [found.rule.slug for found in report.diagnostics], report.ok
    (['no-parts'], True)
    """
    codec = Codec(dialect, limits=limits)
    return codec.check_request(body, content_type, headers=headers, url=url)


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
    format in which the request was sent, by default that of the response. See `decode_request` for
    the other arguments.

    >>> report = check_response(b'{"error":{"code":"1"}}', "application/json")
    >>> report.diagnostics[-1].rule.slug, report.complete
    ('json-error-response', False)
    """
    return Codec(dialect, limits=limits).check_response(
        body, content_type, headers=headers, request=request, request_format=request_format
    )


def prepare(
    batch: _Batch,
    *,
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
) -> _Batch:
    """Return the batch as the encoder writes it and the decoder gives it back.

    - `batch`: a batch request or a batch response.
    - `format`: the format in which it is to be written; see `encode_request`.
    - `dialect`: the version or service whose rules hold.

    In JSON every operation and every change set gets an `id`, an operation depends on what its URL
    refers to and on the groups of what it depends on, a JSON body without a media type gets one,
    and Content-Length and the white space around a JSON body are left out. In multipart the
    operations in change sets get an `id`, and change sets lose theirs. Generated identifiers are
    the smallest decimal numbers that the batch does not use, neither as an identifier nor as a
    reference; those of change sets are `g1`, `g2` and so on.

    It is pure, and preparing twice changes nothing more.

    >>> batch = BatchRequest([Operation.get("People"), Operation.get("People(1)", id="1")])
    >>> [operation.id for operation in prepare(batch, format="json").operations()]
    ['2', '1']
    """
    return Codec(dialect, format=format).prepare(batch)


def match(
    request: BatchRequest,
    response: BatchResponse | None,
    *,
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
    status: int | None = None,
    headers: HeadersLike = (),
    request_headers: HeadersLike = (),
) -> BatchResult:
    """Return what became of each operation of the batch.

    - `request`: the value that was given to `encode_request`; identifiers that `prepare` generates
      are known.
    - `response`: the value that was decoded; `None` if there is none that can be read.
    - `format`: that of the request, because it decides what happens after an error; the response
      may be in the other one.
    - `dialect`: the version or service whose rules hold.
    - `status`: that of the HTTP response.
    - `headers`: those of the HTTP response; the Location of a 202 tells where the result will be.
    - `request_headers`: those of the HTTP request; Isolation may make the batch one unit.

    Without a response everything is `UNKNOWN`, unless `status` is 4xx other than 408, which says
    that the batch was refused: then everything has `FAILED`. The same holds for a complete response
    that is empty. Otherwise `status` does not count, because services send results with 200, 202
    and 400 alike.

    Top-level responses to a multipart batch are matched by position, and their identifiers must not
    contradict; those of a change set, of a JSON batch, and of a JSON response are matched by
    identifier if each has one, or else by position. A position counts only if the service could
    have sent all of the answer so: what may be missing, doubled or moved leaves `UNKNOWN` what it
    may concern. No response raises an error.

    Nothing says the format of a request that was made by hand, without `format` and with a dialect
    that supports both. Where its response was read as JSON, identifiers alone count, and what none
    of them names is `UNKNOWN`.

    >>> batch = BatchRequest([Operation.get("People"), Operation.delete("People(1)")])
    >>> for outcome in match(batch, BatchResponse([OperationResponse(404)])):
    ...     print(f"{outcome.state.name}: {outcome.reason}")
    FAILED: 404 Not Found
    NOT_EXECUTED: the batch stopped at items[0], which failed
    """
    return Codec(dialect, format=format).match(
        request, response, status=status, headers=headers, request_headers=request_headers
    )


def outcomes(
    batch: BatchRequest,
    status: int,
    headers: HeadersLike = (),
    body: bytes = b"",
    *,
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
    limits: Limits = DEFAULT_LIMITS,
    strict: bool = False,
    request_headers: HeadersLike = (),
) -> BatchResult:
    """Return what became of each operation of the batch, by the HTTP answer to it.

    Any answer is accepted, and none raises an error. A batch is read as far as it can be, and
    matched: what could not be read, or has an error that is not one in `dialect` alone (with
    `strict` any error or warning), is `UNKNOWN`. A message that is wrapped as application/http is
    read in its place, and AsyncResult is the status if there is one. Anything else, such as an
    OData error, the page of a proxy or nothing, is the answer to all operations: everything has
    `FAILED` with 4xx other than 408, is `PENDING` with a 202 that has a Location, and is otherwise
    `UNKNOWN`.

    - `batch`: the value that was given to `encode_request`.
    - `status`: that of the HTTP answer.
    - `headers`: those of the answer; `answer` of the result has them and the status.
    - `body`: the octets of the answer, its content coding undone.
    - `format`: that of the request; see `match`.
    - `dialect`: the version or service whose rules hold.
    - `limits`: those under which the answer is read.
    - `strict`: whether a warning makes an outcome `UNKNOWN`, too.
    - `request_headers`: those of the HTTP request; see `match`.

    >>> batch = BatchRequest([Operation.get("People")])
    >>> body = b'{"error":{"code":"Throttled","message":"not now"}}'
    >>> fields = {"Content-Type": "application/json", "Retry-After": "5"}
    >>> result = outcomes(batch, 429, fields, body)
    >>> result.outcomes[0].state, result.outcomes[0].error
    (<State.FAILED: 'failed'>, ServiceError(code='Throttled', message='not now', target=None))
    >>> retry_after(result)
    5.0
    """
    codec = Codec(dialect, format=format, limits=limits, strict=strict)
    return codec.outcomes(batch, status, headers, body, request_headers=request_headers)


def split(
    batch: BatchRequest,
    *,
    max_operations: int | None = None,
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
) -> tuple[BatchRequest, ...]:
    """Return batches of at most `max_operations` operations that hold those of `batch`, prepared.

    - `batch`: the batch to divide.
    - `max_operations`: by default what the dialect says; `ValueError` if it says nothing.
    - `format`: the format in which the batch is or was sent; see `encode_request`.
    - `dialect`: the version or service whose rules hold.

    The dialect also says how many change sets a batch may have, and how many operations a change
    set. A change set stays whole, and an operation stays with all that it refers to or depends on;
    if that is more than a batch may have, `EncodeError` names it, under the rule `limit-exceeded`.

    Operations keep their order, except that what belongs together is brought together where all
    that lies between does not fit. Each batch stops at its own first error only: if `batch` stops
    at errors, send the next one only if the one before has succeeded. An empty batch needs none.
    Each is written in the format in which `batch` was read; one that was made by hand has none.

    >>> batch = BatchRequest([Operation.delete(f"People({number})") for number in range(5)])
    >>> [len(piece.items) for piece in split(batch, max_operations=2)]
    [2, 2, 1]
    """
    return Codec(dialect, format=format).split(batch, max_operations=max_operations)


def remaining(
    batch: BatchRequest,
    results: BatchResult | Mapping[str, int],
    *,
    when: Callable[[Outcome], bool] = is_throttled,
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
) -> BatchRequest:
    """Return a batch of the operations that are to be sent again, under their identifiers.

    - `batch`: the batch that was sent.
    - `results`: what `match` returned for it, or the status of each operation by its identifier.
    - `when`: whether an operation is to be sent again; by default those with status 429 or 503.
    - `format`: the format in which the batch is or was sent; see `encode_request`.
    - `dialect`: the version or service whose rules hold.

    An operation that a mapping of statuses does not have is unknown. Sent again are the operations
    for which `when` is true, and those that failed or were not executed because of them and of
    nothing else. By default that is what status 429 or 503 took down. A change set is sent again as
    a whole, and not at all if a member of it failed for another reason or is unknown. What is
    unknown may have been applied, so `when` has to ask for it. The batch may come out empty.

    What has succeeded is left out. `depends_on` does not name it any more; a URL that refers to it
    begins with the Location of its response instead, or with the URL of a GET, PUT or PATCH request
    that has none, and an If-Match or If-None-Match has its ETag.
    `UnresolvedReference` is raised if the response has no ETag or no Location that is absolute, and
    if a query, a condition or a body refers to it.

    `ValueError` is raised if the results are those of another batch.

    >>> batch = BatchRequest([Operation.get("People", id="1"), Operation.get("Orders", id="2")])
    >>> [operation.id for operation in remaining(batch, {"1": 200, "2": 429}).operations()]
    ['2']
    """
    return Codec(dialect, format=format).remaining(batch, results, when=when)


def convert_request(
    batch: BatchRequest,
    *,
    target: Format,
    source: Format | None = None,
    dialect: Dialect = ODATA_4_01,
) -> tuple[BatchRequest, tuple[Diagnostic, ...]]:
    """Return the batch as one of the format `target`, and what is lost of one of format `source`.

    - `batch`: the batch to convert.
    - `target`: the format that it gets.
    - `source`: the format that it has; by default see `format` of `encode_request`.
    - `dialect`: the version or service whose rules hold.

    Whatever `encode_request` accepts in the format `source`, it accepts in `target` after
    conversion, except for limits and for what one service refuses. `EncodeError` is raised only if
    nothing is left that multipart could carry. Each loss has the path of the item in `batch`, and
    its position if it was decoded. What is not in the list is as it was, and so is a batch whose
    two formats are the same. A request that cannot be expressed is left out, with its change set
    and with all that depends on it.

    To JSON, order and the stop at the first error become a chain of `depends_on`; what would not
    have been executed is then answered with 424. With continue-on-error the order is lost, unless
    all requests are GET requests. To multipart, such a chain becomes the stop at the first error,
    independent requests become continue-on-error, and of anything in between the dependencies that
    are no references are lost, unless `continue_on_error` is `False`. GET requests are moved out of
    their groups, and conditions are dropped, so that only an error keeps a request from being
    executed.

    >>> steps = BatchRequest([Operation.delete("People(1)"), Operation.delete("People(2)")])
    >>> batch, losses = convert_request(steps, source="multipart", target="json")
    >>> [(operation.id, operation.depends_on) for operation in batch.operations()], losses
    ([('1', ()), ('2', ('1',))], ())
    """
    return Codec(dialect).convert_request(batch, source=source, target=target)


def convert_response(
    batch: BatchResponse,
    *,
    target: Format,
    source: Format | None = None,
    dialect: Dialect = ODATA_4_01,
) -> tuple[BatchResponse, tuple[Diagnostic, ...]]:
    """Return the batch as one of the format `target`, and what is lost of one of format `source`.

    - `batch`: the batch to convert.
    - `target`: the format that it gets.
    - `source`: the format that it has; by default see `format` of `encode_request`.
    - `dialect`: the version or service whose rules hold.

    See `convert_request`. The responses keep their order, which is what tells multipart responses
    apart that have no id; in JSON nothing does, so that these are listed. To multipart, a group in
    which a request failed becomes the one response that says so.

    >>> batch, losses = convert_response(
    ...     BatchResponse([OperationResponse(204, id="1")]), source="json", target="multipart"
    ... )
    >>> batch.responses()[0].id, losses
    ('1', ())
    """
    return Codec(dialect).convert_response(batch, source=source, target=target)
