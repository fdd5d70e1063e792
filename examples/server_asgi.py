"""A `$batch` endpoint for any ASGI app: Starlette, FastAPI, or none of them.

    app = BatchMiddleware(app, path="/service/$batch", begin=begin)

Each operation is a call of the app. For each change set `begin()` is awaited; what it returns has
`commit` and `rollback`, as an AsyncSession of SQLAlchemy has, and the app finds it in its scope as
"odata.transaction". Without `begin`, change sets are answered with 501.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

from examples.server_calls import (
    decoded,
    encoded,
    fields_of,
    no_change_sets,
    response_of,
    target_of,
)
from examples.server_endpoint import Endpoint, refusal
from examples.server_run import Run
from odata_batch import BatchError, Headers, OperationResponse, Step

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class BatchMiddleware(Endpoint):
    """Answers what is posted to `path`, below the root path; everything else goes to the app."""

    app: App
    _: KW_ONLY
    begin: Callable[[], Awaitable[Any]] = no_change_sets
    ordered: bool | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        here = scope.get("path") == scope.get("root_path", "") + self.path
        if scope["type"] != "http" or scope["method"] != "POST" or not here:
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, await self._read(receive))
        fields = encoded(answer.headers.pairs)
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body})

    async def _read(self, receive: Receive) -> bytes:
        body, more = bytearray(), True
        while more and len(body) <= self.limits.message:  # more than that is refused anyway
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)

    async def _answer(self, scope: Message, body: bytes) -> OperationResponse:
        headers = Headers(decoded(scope["headers"]))
        base = (scope["scheme"], scope["path"].encode(), scope["query_string"].decode("latin-1"))

        async def call(step: Step, transaction: object) -> OperationResponse:
            path, query = target_of(step)
            inner = {**scope, "method": step.method, "path": unquote(path), "raw_path": path}
            inner |= {"query_string": query, "headers": encoded(fields_of(step, headers))}
            inner |= {"extensions": {}, "odata.transaction": transaction}
            inbox, outbox = asyncio.Queue[Message](), asyncio.Queue[Message]()
            inbox.put_nowait({"type": "http.request", "body": step.body})
            await self.app(inner, inbox.get, outbox.put)
            start, *rest = [outbox.get_nowait() for _ in range(outbox.qsize())]
            content = b"".join(message.get("body", b"") for message in rest)
            return response_of(start["status"], decoded(start.get("headers", ())), content)

        try:
            execution, answer = self.open(base, headers, body, self.ordered)
            await Run(execution, call, self.begin).in_parallel()
            return answer()
        except (BatchError, ValueError) as error:
            return refusal(error)
