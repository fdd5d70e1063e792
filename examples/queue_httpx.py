"""Collect ordinary calls of httpx and send them as one batch.

    transport = QueueingTransport("https://host/service/$batch")
    async with httpx.AsyncClient(transport=transport, base_url="https://host/service/") as client:
        async with transport.batch() as batch:
            people = batch.create_task(client.get("People"))
            city = batch.create_task(client.post("Cities", json={"Name": "Ghent"}))
        print(people.result().json(), city.result().status_code)

A task may be any coroutine, also one that awaits something before its call, or makes several. The
batch is sent when the block has ended and each task has come to a call; calls that come later are a
further batch. What is there is sent anyway if nothing happens for `patience` seconds, as where a
task waits for another one, or the block for a task. Calls outside of such tasks are sent at once.

Credentials of the calls, `auth=` of the client above all, go to the batch request; calls that
differ in them go in different batches.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any, Self, TypeVar

import httpx

from examples.client_httpx import send_async
from examples.operations import from_httpx, parted
from odata_batch import (
    BatchRequest,
    Exchange,
    Headers,
    OperationResponse,
    Outcome,
    is_within,
)

T = TypeVar("T")


class QueueingTransport(httpx.AsyncBaseTransport):
    """Sends batches to `url` through `inner`; `make` may be `Codec(GRAPH).exchange`."""

    def __init__(
        self,
        url: str,
        inner: httpx.AsyncBaseTransport | None = None,
        make: Callable[..., Exchange] = Exchange,
    ) -> None:
        self.url, self.root, self.make = url, url.partition("$batch")[0], make
        self.inner = httpx.AsyncHTTPTransport() if inner is None else inner

    def batch(self, patience: float = 1.0) -> "Batch":
        return Batch(self, patience)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        batch, key = TASK.get()
        if batch is None or not batch.takes(request, self):
            return await self.inner.handle_async_request(request)
        await request.aread()
        return await batch.answer(request, key)

    async def aclose(self) -> None:
        await self.inner.aclose()


TASK: ContextVar[tuple["Batch | None", object]] = ContextVar("TASK", default=(None, None))


class Call:
    """What a batch has of a call, and what became of it."""

    def __init__(self, request: httpx.Request) -> None:
        self.operation, self.credentials = parted(from_httpx(request))
        self.timeout = httpx.Timeout(**request.extensions["timeout"])
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()


class Batch:
    """Tasks whose calls are sent together; it is used as an `asyncio.TaskGroup` is."""

    def __init__(self, transport: QueueingTransport, patience: float) -> None:
        self.transport, self._patience, self._ended = transport, patience, False
        self._tasks: dict[object, asyncio.Task[Any]] = {}
        self._coming: set[object] = set()  # tasks of which a call may come at any time
        self._calls: list[Call] = []
        self._stirred = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send_all())
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        self._ended = True
        self._stirred.set()
        try:
            if kind is None:
                await self._sender
        finally:
            tasks = (self._sender, *self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def create_task(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        if self._sender.done():
            coroutine.close()
            raise RuntimeError("the batch has ended; begin another one")
        key, context = object(), copy_context()
        context.run(TASK.set, (self, key))
        task = asyncio.create_task(coroutine, context=context)
        self._tasks[key] = task
        self._coming.add(key)
        task.add_done_callback(lambda _: self._leave(key))
        return task

    def _leave(self, key: object) -> None:
        del self._tasks[key]
        self._coming.discard(key)
        self._stirred.set()

    def takes(self, request: httpx.Request, transport: QueueingTransport) -> bool:
        is_own = transport is self.transport and is_within(str(request.url), transport.root)
        return is_own and not self._sender.done()

    async def answer(self, request: httpx.Request, key: object) -> httpx.Response:
        self._calls.append(call := Call(request))
        self._coming.discard(key)
        self._stirred.set()
        try:
            outcome = await call.outcome
        finally:
            self._coming.update({key}.intersection(self._tasks))
        if outcome.status is None:
            raise httpx.RemoteProtocolError(f"{outcome.state.value}: {outcome.reason}")
        found = outcome.response or OperationResponse(outcome.status)
        return httpx.Response(found.status, headers=found.headers.pairs, content=found.body)

    async def _send_all(self) -> None:
        while self._tasks or self._calls or not self._ended:
            with suppress(TimeoutError):
                while not self._ended or (self._tasks and (self._coming or not self._calls)):
                    async with asyncio.timeout(self._patience):
                        await self._stirred.wait()
                    self._stirred.clear()
            groups: dict[Headers, list[Call]] = {}
            for call in self._calls:
                if not call.outcome.cancelled():
                    groups.setdefault(call.credentials, []).append(call)
            self._calls = []
            for group in groups.values():
                await self._send(group)

    async def _send(self, calls: list[Call]) -> None:
        batch = BatchRequest.independent(call.operation for call in calls)
        own, first = self.transport, calls[0]
        client = httpx.AsyncClient(transport=own.inner, timeout=first.timeout)
        ends: list[Outcome | Exception]
        try:
            fields, root = first.credentials, own.root
            exchange = own.make(batch, own.url, headers=fields, relative_to=root)
            ends = [*await send_async(client, exchange)]
        except Exception as error:
            ends = [error] * len(calls)
        for call, end in zip(calls, ends, strict=True):
            if call.outcome.cancelled():
                continue
            if isinstance(end, Exception):
                call.outcome.set_exception(end)
            else:
                call.outcome.set_result(end)
