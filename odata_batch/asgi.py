"""A `$batch` endpoint for any ASGI application: Starlette, FastAPI, or none of them.

    app.add_middleware(BatchMiddleware, path="/service/$batch", begin=begin)

It needs asyncio and nothing beside the standard library.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from odata_batch import Endpoint, Headers, OperationResponse, Serving, Step

__all__ = ["BatchMiddleware"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, eq=False)
class BatchMiddleware(Endpoint):
    """Answers requests to `path`, below the root path; everything else goes to the application.

    Each operation is a call of the application, as a request of its own; operations of a JSON batch
    run at the same time unless they depend on each other, or are `ordered`. An exception is logged,
    and answered with 500.

    For each change set `begin()` is called, which may be awaited. What it gives has `commit` and
    `rollback`, which may be awaited, as an `AsyncSession` of SQLAlchemy has, or is a context
    manager, and the application finds it in its scope as `"odata.transaction"`. Each is committed
    once or rolled back once, whatever is raised, and if the request is cancelled in the middle:
    what begins, commits or rolls back is not interrupted. When a client goes away, operations that
    run receive `http.disconnect` and are finished, nothing else is begun, and open change sets are
    rolled back. Without `begin`, change sets are answered with 501.

    >>> async def app(scope, receive, send):
    ...     await send({"type": "http.response.start", "status": 200, "headers": []})
    ...     await send({"type": "http.response.body", "body": scope["raw_path"]})
    >>> app = BatchMiddleware(app, path="/service/$batch")
    """

    app: Callable[[Message, Receive, Send], Awaitable[None]]
    """The application."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        # A proxy may have left out the root path.
        is_http, root = scope["type"] == "http", scope.get("root_path", "")
        if not is_http or scope["path"].removeprefix(root) != self.path:
            return await self.app(scope, receive, send)
        headers = Headers(_decoded(scope["headers"]))
        url = f"{scope.get('scheme', 'http')}://{headers.get('host', '')}"
        url = f"{url}{quote(scope['path'], safe='/$')}?{scope['query_string'].decode('latin-1')}"
        serving, is_begun = Serving(self, scope["method"], url, headers), False
        while serving.wants_data:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            serving.receive_data(message.get("body", b""), more=message.get("more_body", False))
            if serving.wants_data and serving.head is not None:
                await self._run(scope, serving, _nothing)
                body = serving.drain()
                if body and not is_begun:
                    await send(_start(serving.head))
                    is_begun = True
                if body:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
        await self._run(scope, serving, receive)
        answer = serving.answer
        if answer is not None:  # else the client has gone
            if not is_begun:
                await send(_start(answer, ("Content-Length", str(len(answer.body)))))
            await send({"type": "http.response.body", "body": answer.body})

    async def _run(self, scope: Message, serving: Serving, receive: Receive) -> None:
        """Do all that there is to do, as much at the same time as may be."""
        finished: asyncio.Queue[asyncio.Task[Any]] = asyncio.Queue()
        running: dict[asyncio.Task[Any], Any] = {}
        stop: BaseException | None = None

        def start(work: object, function: Callable[..., Any], *arguments: object) -> None:
            task = asyncio.create_task(_awaited(function, *arguments))
            task.add_done_callback(finished.put_nowait)
            running[task] = work

        gone = asyncio.create_task(_disconnect(receive))
        gone.add_done_callback(finished.put_nowait)
        call = partial(self._call, scope, serving, gone)
        while True:
            try:
                if stop is None and not gone.done():
                    for work in serving.ready():
                        start(work, serving.do, work, call)
                if serving.transactions and not running:  # they are left
                    start(None, serving.transactions.popitem()[1].rollback)
                if not running:
                    break
                task = await finished.get()
                work = running.pop(task, None)
                try:
                    serving.done(work, task.result())
                except (Exception, asyncio.CancelledError) as error:
                    serving.fail(work, error)
            except BaseException as error:
                # What was begun is brought to an end first; only operations are interrupted.
                stop = error
                for task, work in running.items():
                    if isinstance(work, Step):
                        task.cancel()
        if stop is None and gone.done():
            stop = gone.exception()  # of `receive`; none if the client has gone
        gone.cancel()
        if stop is not None:
            raise stop

    async def _call(
        self,
        outer: Message,
        serving: Serving,
        gone: asyncio.Task[None],
        step: Step,
        transaction: object,
    ) -> OperationResponse:
        path, query, headers = serving.request_of(step)
        scope = {**outer, "method": step.method, "path": unquote(path), "raw_path": path.encode()}
        scope |= {"query_string": query.encode(), "headers": _encoded(headers.pairs)}
        # Nothing is sent from a file, and what one request keeps in its state is not for another.
        scope |= {"extensions": {}, "state": dict(outer.get("state", {}))}
        scope["odata.transaction"] = transaction
        inbox, over = [{"type": "http.request", "body": step.body}], asyncio.Event()
        gone.add_done_callback(lambda _: over.set())
        start, body, limit = dict[str, Any](), bytearray(), self.codec.limits.body
        is_complete = False

        async def receive() -> Message:
            if not inbox:
                await over.wait()
            return inbox.pop() if inbox else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal is_complete
            if is_complete:  # as in servers, it is not changed any more
                raise RuntimeError("the response is complete")
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if len(body) > limit:
                    raise OSError(f"the response is too large: the limit is {limit} (Limits.body)")
                if not message.get("more_body", False):
                    is_complete = True
                    over.set()

        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if not is_complete:
                raise
            serving.fail(None, error)  # as in servers, what has been sent has been sent
        if not is_complete and gone.done():
            return OperationResponse(500)  # to nobody
        if not (is_complete and start):
            raise EOFError("the application has ended before its response")
        return OperationResponse(start["status"], _decoded(start.get("headers", ())), bytes(body))


def _decoded(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]


def _encoded(fields: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]


def _start(answer: OperationResponse, *fields: tuple[str, str]) -> Message:
    pairs = _encoded([*answer.headers.pairs, *fields])
    return {"type": "http.response.start", "status": answer.status, "headers": pairs}


async def _nothing() -> Message:
    """Wait in place of `receive`, which gives the body and not whether the client has gone."""
    return await asyncio.Future()


async def _disconnect(receive: Receive) -> None:
    """Wait until the client has gone; what repeats the request does not tell."""
    if (await receive())["type"] != "http.disconnect":
        await asyncio.Event().wait()


async def _awaited(function: Callable[..., Any], *arguments: object) -> Any:
    result = function(*arguments)
    return await result if inspect.isawaitable(result) else result
