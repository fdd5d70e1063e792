"""Collect ordinary httpx calls and send them as one batch.

    batch = QueueingTransport(outer, "https://host/service/$batch")  # outer is an AsyncClient
    client = httpx.AsyncClient(transport=batch, base_url="https://host/service/")
    people, city = batch.collect(client.get("People")), batch.collect(client.get("Cities(1)"))
    await batch.send()  # and then (await people).json(), (await city).status_code

To await a call before `send`, or without `collect`, is RuntimeError: it would wait for ever.
"""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

import httpx

from examples.operations import from_httpx
from odata_batch import (
    BatchRequest,
    BatchResult,
    Operation,
    OperationResponse,
    encode_request,
    outcomes,
)

T = TypeVar("T")


class Call(Generic[T]):
    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.coroutine = coroutine
        self.task: asyncio.Task[T] | None = None

    def __await__(self) -> Generator[Any, None, T]:
        if self.task is None:
            raise RuntimeError("the call is awaited before its batch is sent; call send() first")
        return self.task.__await__()


class QueueingTransport(httpx.AsyncBaseTransport):
    def __init__(self, outer: httpx.AsyncClient, url: str) -> None:
        self._outer, self._url, self._lock = outer, url, asyncio.Lock()
        self._calls: list[Call[Any]] = []
        self._open: tuple[list[Operation], asyncio.Future[BatchResult]] | None = None

    def collect(self, coroutine: Coroutine[Any, Any, T]) -> Call[T]:
        """Take `client.get(url)`, or whatever makes one such call, for the next batch."""
        self._calls.append(call := Call(coroutine))
        return call

    def reset(self) -> None:
        """Give up what was collected and not sent."""
        while self._calls:
            self._calls.pop().coroutine.close()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if self._open is None or self._open[1].done():
            raise RuntimeError("the call is awaited outside of a batch; use collect()")
        self._open[0].append(operation := from_httpx(request))
        outcome = (await asyncio.shield(self._open[1]))[operation]
        if outcome.status is None:
            raise httpx.RemoteProtocolError(f"{outcome.state.value}: {outcome.reason}")
        answer = outcome.response or OperationResponse(outcome.status)
        return httpx.Response(answer.status, headers=answer.headers.pairs, content=answer.body)

    async def send(self) -> None:
        """Begin the calls and send them as one batch; if that fails, each ends with its error."""
        batch: list[Operation] = []
        done: asyncio.Future[BatchResult] = asyncio.get_running_loop().create_future()
        try:
            async with self._lock:
                self._open = batch, done
                calls, self._calls = self._calls, []
                for call in calls:
                    call.task = asyncio.create_task(call.coroutine)
                for _ in range(100):
                    await asyncio.sleep(0)  # each comes as far as the transport, some in many turns
                self._open = None
            if batch:
                sent = BatchRequest.independent(batch)
                payload = encode_request(sent)
                answer = await self._outer.post(
                    self._url, content=payload.body, headers=payload.headers
                )
                fields = answer.headers.multi_items()
                done.set_result(outcomes(sent, answer.status_code, fields, answer.content))
        except BaseException as error:
            done.set_exception(error)
            raise
