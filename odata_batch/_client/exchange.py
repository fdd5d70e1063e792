"""The engine of a client: what to send next, until every operation has its outcome.

OData Protocol, 11.6 and 11.7. `Exchange` says what to send and takes the answers; how they are sent
is up to the caller. Each piece of a batch goes the same way: it is sent, answered, followed to
wherever the rest of its answer will be, and then judged: what is to be sent again becomes a piece
of its own, the rest is settled.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from odata_batch._client import plan
from odata_batch._client.answer import completed, outcomes, read
from odata_batch._client.dates import check_now, date_of
from odata_batch._client.outcomes import Answer, BatchResult, Outcome, State
from odata_batch._client.pieces import Attempts, Follow, Piece, Pieces
from odata_batch._client.repeating import made_repeatable
from odata_batch._coding.settings import Settings, format_of
from odata_batch._graph.names import stops_at_error
from odata_batch._graph.prepare import prepare, relative
from odata_batch._graph.urls import followed_url, origin_of, resolve_url
from odata_batch._model import values
from odata_batch._model.dialect import ODATA_4_01, Dialect
from odata_batch._model.findings import (
    EncodeError,
    at_least_1,
    check_called,
    octets_of,
    of_type,
    public,
    quote,
)
from odata_batch._model.headers import Headers
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.values import Format, OperationResponse

# RFC 9110, 15.5.5 and 15.5.11: there is no such result, or not any more.
_GONE = frozenset((404, 410))
_STOPPED = "it was not sent: an operation before it has not succeeded, and the batch stops"
_BUSY = "the batch as a whole was refused with 503 and Retry-After"


@public
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HttpRequest:
    """An HTTP request that is to be sent now, or after a while.

    Requests are told apart by identity: two may be equal, and both are sent.

    >>> from odata_batch import BatchRequest, Exchange, Operation
    >>> request = Exchange(BatchRequest([Operation.get("People")]), "http://host/$batch").next()
    >>> request.method, request.url, request.delay, request.headers["Accept"]
    ('POST', 'http://host/$batch', 0.0, 'multipart/mixed')
    """

    method: str
    """POST for a batch, GET for what is left of an answer."""
    url: str
    """The absolute URL."""
    headers: Headers
    """The header fields, those that were given to the exchange included."""
    body: bytes = b""
    """The octets of the body; empty if there is none."""
    delay: float = 0.0
    """How many seconds to wait before it is sent."""


@public
class Exchange:
    """One batch that is being sent: requests out, answers in, an outcome for each operation.

    It does nothing by itself: it has no threads and no I/O, and no clock but `now`. `batch` is what
    to send, and `url` the absolute URL of the service's batch resource.

    >>> from odata_batch import BatchRequest, BatchResponse, Operation, OperationResponse
    >>> from odata_batch import encode_response
    >>> def send(request):  # a service that is busy at first
    ...     busy = OperationResponse(429, {"Retry-After": "5"})
    ...     response = OperationResponse(204) if request.delay else busy
    ...     answer = encode_response(BatchResponse([response]))
    ...     return 200, answer.headers, answer.body
    >>> batch = BatchRequest([Operation.delete("People(1)")])
    >>> exchange = Exchange(batch, "http://host/service/$batch")
    >>> while (request := exchange.next()) is not None:
    ...     print(request.method, request.url, request.delay)
    ...     exchange.receive(*send(request))
    POST http://host/service/$batch 0.0
    POST http://host/service/$batch 5.0
    >>> exchange.result.ok
    True

    **Pieces.** The batch is divided by what the dialect and the limits allow: operations, change
    sets, octets, patterns of dependencies; `max_operations` allows less. A change set is never
    divided, nor a batch that is one transaction by the field Isolation. What belongs together stays
    together if it can, as with `split`; otherwise what refers to an operation of an earlier piece
    waits for the answer and then has the Location or ETag that it brought, and what depends on it
    is sent if it has succeeded. What cannot be divided is `EncodeError`, like all that
    `encode_request` refuses, or `UnresolvedReference`, before anything is sent. If the batch stops
    at errors, a piece is sent only if all before it have succeeded. Otherwise up to `parallel`
    requests are handed out at a time, in an order that does not matter.

    **Again.** Operations that a service answers with 429 or 503, and what failed or was not
    executed for their sake, are sent again after the longest `Retry-After` of the answer and its
    parts, or after 1, 2, 4 seconds and so on; never later than after `longest_delay` seconds. So is
    a batch that as a whole is answered with 429, or with 503 and `Retry-After`, or of which nothing
    was sent. Each operation is sent `attempts` times at most. What is unknown may have been applied
    and is not sent again, unless it is a GET or HEAD, or `resend`, which is called for each
    operation that has not succeeded, says so; or with `repeatable=True`, for a service that
    supports it: then each other operation gets `Repeatability-Request-ID` and
    `Repeatability-First-Sent` (OASIS Repeatable Requests 1.0). What was unknown once and does not
    succeed afterwards is unknown.

    **Later.** A batch answered with 202, the 202 at the end of an interim result, that of an
    operation in JSON, and a next link are followed with GET requests until the result is there.
    Where the service fails to give it, the operations stay pending, or are unknown if it is gone.

    `headers` are added to each request, as Authorization; not to one that goes to another origin.
    `now` returns the time with its time zone: dates in `Retry-After` are counted from it, or else
    from the `Date` of the answer, and `repeatable` needs it. `dialect`, `format`, `limits` and
    `strict` are as for `encode_request` and `decode_response`. What `resend` and `now` raise passes
    through, and ends the exchange. `relative_to` is as for `encode_request`.
    """

    def __init__(
        self,
        batch: values.BatchRequest,
        url: str,
        *,
        dialect: Dialect = ODATA_4_01,
        format: Format | None = None,
        limits: Limits = DEFAULT_LIMITS,
        strict: bool = False,
        headers: values.HeadersLike = (),
        max_operations: int | None = None,
        parallel: int = 1,
        attempts: int = 4,
        longest_delay: float = 120.0,
        resend: Callable[[Outcome], bool] | None = None,
        repeatable: bool = False,
        now: Callable[[], datetime] | None = None,
        relative_to: str | None = None,
    ) -> None:
        of_type(batch, values.BatchRequest, "batch")
        settings = Settings(dialect, format=format, limits=limits, strict=strict)
        self._format = format_of(settings, batch)
        self._settings = replace(settings, format=self._format)
        self._url, self._headers = of_type(url, str, "url"), Headers(headers)
        self._origin = _origin_in(url)
        if "content-type" in self._headers:
            raise ValueError("headers must not have a Content-Type: the batch determines it")
        most = 1 if max_operations is None else max_operations
        counts = {"parallel": parallel, "attempts": attempts, "max_operations": most}
        _check(counts, longest_delay, resend=resend, now=now)
        self._stops = stops_at_error(batch, self._format, dialect)
        self._parallel = 1 if self._stops else parallel
        self._most_attempts, self._longest, self._now = attempts, longest_delay, now
        check_now(None if now is None else now())
        own = batch.operations()
        asked = made_repeatable(batch, now) if repeatable else batch
        prepared = prepare(relative(asked, relative_to), format=self._format, dialect=dialect)
        self._pieces = Pieces(self._settings, prepared, url)
        isolation = self._headers.get("isolation", "").lower()
        is_unit = dialect.snapshot_is_atomic and isolation == "snapshot"
        planned = self._pieces.plan(max_operations, is_unit)
        self._queue = deque(Piece(indexes) for indexes in planned)
        self._follows: deque[Follow] = deque()
        self._sent: dict[HttpRequest, Piece | Follow] = {}
        self._attempts = Attempts(
            own, self._pieces.names, self._format, attempts, resend, repeatable, is_unit
        )
        self._answers: list[OperationResponse] = []
        self._pause = 0.0
        """How long everything waits, because the service sent a batch back as it was."""

    @property
    def finished(self) -> bool:
        """Whether each operation has its final outcome."""
        return not (self._queue or self._follows or self._sent)

    @property
    def result(self) -> BatchResult:
        """What is known of each operation of the batch, in its order.

        Before the end, what was not sent is not executed, and what was not answered is unknown.
        """
        return BatchResult(tuple(self._attempts.outcomes))

    @property
    def answers(self) -> tuple[OperationResponse, ...]:
        """The HTTP answers so far, in the order in which they came; batches without bodies."""
        return tuple(self._answers)

    # -- requests out --

    def next(self) -> HttpRequest | None:
        """Return what to send next, or `None`.

        `None` is the end if each request is answered before the next one is asked for. Otherwise it
        may also mean that an answer is to be received first; `finished` tells.
        """
        if len(self._sent) >= self._parallel:
            return None
        if self._follows:
            return self._hand_out_follow(self._follows.popleft())
        while (piece := self._take_ready()) is not None:
            request = self._hand_out(piece)
            if request is not None:
                return request
        return None

    def _take_ready(self) -> Piece | None:
        """Take the first piece that waits for nothing from the queue."""
        # The first waits for nothing but what is under way.
        for place, piece in enumerate(islice(self._queue, self._parallel)):
            waits = self._attempts.open.intersection(self._pieces.needed(piece.indexes))
            if waits.issubset(piece.indexes):
                del self._queue[place]
                return piece
        return None

    def _hand_out(self, piece: Piece) -> HttpRequest | None:
        written = self._pieces.write(piece.indexes, self._attempts.outcomes)
        dropped = dict(written.dropped)
        if dropped and self._stops:
            # What comes after is not sent either.
            first = piece.indexes.index(next(iter(dropped)))
            for index in piece.indexes[first:]:
                dropped.setdefault(index, (State.NOT_EXECUTED, _STOPPED))
            written = self._pieces.write(piece.indexes[:first], self._attempts.outcomes)
        payload = None
        try:
            payload = self._pieces.encode(written.batch) if written.indexes else None
        except EncodeError as error:
            # What an earlier answer brought cannot be written.
            reason = f"it was not sent: {error}"
            dropped.update(dict.fromkeys(written.indexes, (State.NOT_EXECUTED, reason)))
        for index, (state, reason) in dropped.items():
            self._attempts.drop(index, state, reason)
        if self._stops and self._attempts.has_failed:
            self._stop()
        if payload is None:
            return None
        piece.batch, piece.indexes = written.batch, written.indexes
        self._attempts.begin(piece)
        request = HttpRequest(
            method="POST",
            url=self._url,
            headers=Headers((*payload.headers.pairs, *self._headers.pairs)),
            body=payload.body,
            delay=max(piece.delay, self._pause),
        )
        self._sent[request] = piece
        return request

    def _hand_out_follow(self, follow: Follow) -> HttpRequest:
        accept: str | None = "application/json" if self._format == "json" else "multipart/mixed"
        if follow.is_alone and self._format == "json":
            accept = follow.piece.batch.operations()[follow.places[0]].headers.get("accept")
        fields = () if accept is None else (("Accept", accept),)
        # The headers are meant for the service, and not for another origin.
        own = self._headers.pairs if origin_of(follow.url) == self._origin else ()
        headers = Headers((*fields, *own))
        request = HttpRequest(method="GET", url=follow.url, headers=headers, delay=follow.delay)
        self._sent[request] = follow
        return request

    # -- answers in --

    def receive(
        self,
        status: int,
        headers: values.HeadersLike,
        body: bytes = b"",
        *,
        request: HttpRequest | None = None,
    ) -> None:
        """Take the answer to a request, the only one that was handed out or else the one named.

        - `status`, `headers`, `body`: those of the HTTP answer, whatever they are.
        - `request`: the request that is answered; by default the only one that waits for its
          answer. `RuntimeError` if there is no such request.
        """
        message = OperationResponse(status, headers, octets_of(body))
        task, answer = self._take(request), read(self._settings, message)
        kept = answer.message if answer.response is None else replace(answer.message, body=b"")
        self._answers.append(kept)
        if isinstance(task, Follow):
            self._receive_rest(task, message, answer)
        else:
            task.answer = answer
            self._note(task, answer)

    def fail(
        self, error: object, *, request: HttpRequest | None = None, sent: bool | None = None
    ) -> None:
        """Take an error in place of the answer to a request, as `receive` takes the answer.

        - `error`: what went wrong; its text becomes part of the reasons.
        - `request`: as for `receive`.
        - `sent`: `False` if nothing of the request has reached the service, so that it is sent
          again. Otherwise it may have been executed. By default it is `False` for
          `ConnectionRefusedError` only.
        """
        task = self._take(request)
        if isinstance(task, Follow):
            self._ask_again(task, None)
            return
        if sent is None:
            sent = not isinstance(error, ConnectionRefusedError)
        said = str(error)
        if isinstance(error, BaseException):
            said = ": ".join(filter(None, (type(error).__name__, said)))
        state = State.UNKNOWN if sent else State.NOT_EXECUTED
        reason = f"{'there was no answer' if sent else 'nothing was sent'}: {said}"
        task.is_unsent = not sent
        results = [replace(each, state=state, reason=reason) for each in task.outcomes]
        self._attempts.put(task, results)
        self._decide(task)

    def _take(self, request: HttpRequest | None) -> Piece | Follow:
        if request is None and len(self._sent) == 1:
            (request,) = self._sent
        if request is None:
            what = "no request waits for an answer; `next()` hands one out"
            if self._sent:
                what = f"{len(self._sent)} requests have no answer yet; say which one"
            raise RuntimeError(what)
        if request not in self._sent:
            raise RuntimeError("the request is not waiting for an answer")
        return self._sent.pop(request)

    def _told(self, piece: Piece, answer: Answer) -> Sequence[Outcome]:
        """Return what an answer says about the operations of a piece."""
        results = outcomes(self._settings, piece.batch, answer, self._headers).outcomes
        headers = answer.message.headers
        if answer.response is None and answer.message.status == 503 and "retry-after" in headers:
            # RFC 9110, 10.2.3: it says how long it is unavailable. Without that it may be a gateway
            # that lost the connection to a service which had begun.
            state = State.FAILED
            return [replace(each, state=state, reason=_BUSY, refusal=503) for each in results]
        return results

    def _note(self, piece: Piece, answer: Answer, base: str = "") -> None:
        """Take what the answer to a piece says, and follow what it says later."""
        base, message = base or self._url, answer.message
        self._attempts.put(piece, self._told(piece, answer))
        groups: dict[tuple[str | None, int], list[int]] = {}
        for place, outcome in enumerate(piece.outcomes):
            if outcome.state is State.PENDING and place not in piece.settled:
                # One response may answer several operations.
                groups.setdefault((outcome.location, id(outcome.response)), []).append(place)
        pending = frozenset(place for places in groups.values() for place in places)
        piece.fruitless = piece.fruitless + 1 if pending == piece.pending else 0
        piece.pending = pending
        for (location, _), places in groups.items():
            response = piece.outcomes[places[0]].response
            own = location if response is None else response.headers.get("location")
            # Of a change set, what was answered is pending for the sake of the rest.
            if location is None or own != location or piece.fruitless >= self._most_attempts:
                continue
            url = followed_url(location, base)
            if url is not None:
                is_alone = None not in (answer.response, response) and len(places) == 1
                follow = Follow(piece, places, url, response, is_alone)
                follow.asked = int(response is not None)
                found = [piece.outcomes[place] for place in places]
                follow.delay = self._delay(found, message, follow.asked)
                self._follows.append(follow)
                piece.follows += 1
        self._decide(piece)

    # -- the rest of an answer --

    def _receive_rest(self, follow: Follow, message: OperationResponse, answer: Answer) -> None:
        piece, batch = follow.piece, answer.response
        is_single = follow.is_alone and (batch is None or self._format == "json")
        is_cut = batch is not None and batch.truncated and not batch.items
        is_later = message.status == 202 and batch is None
        if is_later:
            location = message.headers.get("location", follow.url)
            follow.url = followed_url(location, follow.url) or follow.url
        # Without a sign that it is the result, it may be a page that says how far things are.
        may_be_page = not answer.is_result and (batch is None or is_single)
        if is_cut or is_later or may_be_page or not message.ok:
            self._ask_again(follow, message)
            return
        if is_single or batch is not None:
            piece.answer = completed(piece.answer, follow.response, answer, is_alone=is_single)
        else:
            told = self._told(piece, answer)
            piece.settled.update((place, told[place]) for place in follow.places)
        self._end(follow)

    def _end(self, follow: Follow) -> None:
        """Take note that nothing more is asked for here."""
        piece = follow.piece
        piece.follows -= 1
        if not piece.follows and piece.answer is not None:
            self._note(piece, piece.answer, follow.url)

    def _ask_again(self, follow: Follow, answer: OperationResponse | None) -> None:
        """Ask for the rest of an answer once more, or give up."""
        status, piece = None if answer is None else answer.status, follow.piece
        if status == 202:
            follow.asked += 1
        else:
            follow.failures += 1
        if status not in _GONE and follow.failures < self._most_attempts:
            follow.delay = self._delay((), answer, follow.asked + follow.failures)
            self._follows.append(follow)
            return
        lost: dict[str, Any] = {}
        if answer is not None and status in _GONE:
            reason = f"there is no result of it at {quote(follow.url)}, which answered {status}"
            lost = {"state": State.UNKNOWN, "reason": reason, "location": None}
            cut = Answer(answer, values.BatchResponse((), truncated=True))
            piece.answer = completed(piece.answer, follow.response, cut, is_alone=False)
        for place in follow.places:
            piece.settled[place] = replace(piece.outcomes[place], **lost)
        self._end(follow)

    # -- what becomes of a piece --

    def _decide(self, piece: Piece) -> None:
        """Settle what is not to be sent again, of a piece that is answered."""
        if piece.follows:
            return
        self._pause = 0.0
        again = self._attempts.decide(piece)
        answered = zip(piece.indexes, piece.batch.operations(), piece.outcomes, strict=True)
        for index, operation, outcome in answered:
            self._pieces.learn(index, operation, outcome.response)
        if self._stops and self._attempts.has_failed:
            self._stop()
        if not again:
            return
        indexes = [piece.indexes[place] for place in again]
        found = [piece.outcomes[place] for place in again]
        message = None if piece.answer is None else piece.answer.message
        delay = self._delay(found, message, self._attempts.number(indexes))
        if piece.answer is None or piece.answer.response is None:
            self._pause = delay
        self._queue.appendleft(Piece(indexes, delay))

    def _stop(self) -> None:
        """Send nothing more of a batch that stops at errors."""
        for piece in self._queue:
            for index in piece.indexes:
                self._attempts.drop(index, State.NOT_EXECUTED, _STOPPED)
        self._queue.clear()

    def _delay(
        self, outcomes: Sequence[Outcome], answer: OperationResponse | None, number: int
    ) -> float:
        """Return how long to wait, as the answer says it or else longer each time."""
        # The number may be large, where a service takes days.
        growing = 2.0 ** min(number - 1, 60) if number else 0.0
        now = None if self._now is None else self._now()
        if now is None and answer is not None:
            now = date_of(answer.headers.get("date", ""), None)
        named: float | None = None
        with suppress(ValueError):  # a date, and no time to count it from
            results = BatchResult(tuple(outcomes), answer)
            named = plan.retry_after(results, when=lambda _: True, now=now)
        return min(growing if named is None else named, self._longest)


def _origin_in(url: str) -> tuple[str, str, str]:
    try:
        return origin_of(resolve_url("/", url))
    except ValueError:
        raise ValueError(f"url is an absolute URL, not {quote(url)}") from None


def _check(counts: dict[str, int], longest_delay: float, **functions: object) -> None:
    for name, count in counts.items():
        at_least_1(count, name)
    for name, function in functions.items():
        check_called(function, name)
    if not isinstance(longest_delay, int | float) or not longest_delay >= 0:
        raise ValueError(f"longest_delay is a number of seconds, not {longest_delay!r:.60}")
