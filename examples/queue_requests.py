"""Collect ordinary calls of requests, made in threads, and send them as one batch.

    adapter = QueueingAdapter("https://host/service/$batch")
    session.mount("https://host/service/", adapter)  # a Session, with auth and all
    with adapter.batch() as batch:
        people = batch.submit(session.get, "https://host/service/People")
        city = batch.submit(session.post, "https://host/service/Cities", json={"Name": "Ghent"})
    print(people.result().json(), city.result().status_code)

What is submitted may be any function, also one that waits for something before its call, or makes
several. The batch is sent when the block has ended and each function has come to a call; calls that
come later are a further batch. What is there is sent anyway if nothing happens for `patience`
seconds, as where the block waits for a result. Calls that were not submitted are sent at once.

Credentials of the calls, `auth` of the session above all, go to the batch request; calls that
differ in them go in different batches.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from io import BytesIO
from typing import Any, ParamSpec, Self, TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter

from examples.client_requests import NOT_SENT
from examples.operations import from_requests, parted
from odata_batch import (
    BatchRequest,
    BatchResult,
    Exchange,
    Headers,
    OperationResponse,
    Outcome,
    is_within,
)

P = ParamSpec("P")
T = TypeVar("T")
Options = Mapping[str, Any]


class QueueingAdapter(HTTPAdapter):
    """Sends batches to `url`; `make` may be `Codec(GRAPH).exchange`."""

    def __init__(self, url: str, make: Callable[..., Exchange] = Exchange) -> None:
        super().__init__()
        self.url, self.root, self.make = url, url.partition("$batch")[0], make

    def batch(self, patience: float = 1.0) -> "Batch":
        return Batch(self, patience)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]  # they are handed on as they are
        batch = BATCH.get()
        if batch and batch.adapter is self and is_within(request.url or "", self.root):
            return batch.answer(request, options)
        return super().send(request, **options)


class Call:
    """What a batch has of a call, and what became of it."""

    def __init__(self, request: requests.PreparedRequest, options: Options) -> None:
        self.operation, self.credentials = parted(from_requests(request))
        self.options: Options = {**options, "stream": False}
        self.outcome: Future[Outcome] = Future()


BATCH: ContextVar["Batch | None"] = ContextVar("BATCH", default=None)


class Batch:
    """Functions whose calls are sent together; it is used as a `ThreadPoolExecutor` is."""

    def __init__(self, adapter: QueueingAdapter, patience: float) -> None:
        self.adapter, self._patience = adapter, patience
        self._pool, self._changed = ThreadPoolExecutor(1000), threading.Condition()
        self._coming = 0  # functions of which a call may come at any time
        self._ended, self._given_up = False, False
        self._calls: list[Call] = []

    def __enter__(self) -> Self:
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        self._sender.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._changed:
            self._ended, self._given_up = True, kind is not None
            self._changed.notify()
        self._sender.join()
        self._pool.shutdown()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        def run() -> T:
            BATCH.set(self)
            try:
                return function(*args, **kwargs)
            finally:
                BATCH.set(None)
                self._come(-1)

        self._come(1)
        return self._pool.submit(run)

    def _come(self, number: int) -> None:
        with self._changed:
            self._coming += number
            self._changed.notify()

    def answer(self, request: requests.PreparedRequest, options: Options) -> requests.Response:
        call = Call(request, options)
        with self._changed:
            self._calls.append(call)
            self._coming -= 1
            self._changed.notify()
        outcome = call.outcome.result()
        if outcome.status is None:
            raise requests.ConnectionError(f"{outcome.state.value}: {outcome.reason}")
        found = outcome.response or OperationResponse(outcome.status)
        fields, body = urllib3.HTTPHeaderDict(found.headers.pairs), BytesIO(found.body)
        native = urllib3.HTTPResponse(body, fields, found.status, preload_content=False)
        return self.adapter.build_response(request, native)

    def _send_all(self) -> None:
        while True:
            with self._changed:
                while (self._coming or not self._ended) and self._changed.wait(self._patience):
                    pass
                calls, self._calls = self._calls, []
                self._coming += len(calls)  # each function goes on
                if not calls and not self._coming and self._ended:
                    return
            groups: dict[Headers, list[Call]] = {}
            for call in calls:
                groups.setdefault(call.credentials, []).append(call)
            for group in groups.values():
                self._send(group)

    def _send(self, calls: list[Call]) -> None:
        batch = BatchRequest.independent(call.operation for call in calls)
        own, first = self.adapter, calls[0]
        try:
            if self._given_up:
                raise RuntimeError("the block of the batch has failed; nothing was sent")
            fields, root = first.credentials, own.root
            exchange = own.make(batch, own.url, headers=fields, relative_to=root)
            for call, outcome in zip(calls, self._finish(exchange, first.options), strict=True):
                call.outcome.set_result(outcome)
        except Exception as error:
            for call in calls:
                call.outcome.set_exception(error)

    def _finish(self, exchange: Exchange, options: Options) -> BatchResult:
        while (request := exchange.next()) is not None:
            time.sleep(request.delay)
            own = requests.Request(
                request.method, request.url, request.headers, data=request.body
            ).prepare()
            try:
                answer = HTTPAdapter.send(self.adapter, own, **options)
            except requests.RequestException as error:
                reason = getattr(error.args[0], "reason", None) if error.args else None
                exchange.fail(error, sent=not isinstance(reason, NOT_SENT))
            else:
                exchange.receive(answer.status_code, answer.headers, answer.content)
        return exchange.result
