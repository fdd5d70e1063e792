"""Send a batch with httpx; what is throttled is sent again, what is answered later is awaited.

python examples/client_httpx.py 'https://host/service/$batch' People 'People(1)'
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Literal

import httpx

from odata_batch import BatchRequest, BatchResult, Exchange, Operation


async def send(
    client: httpx.AsyncClient,
    url: str,
    batch: BatchRequest,
    format: Literal["multipart", "json"] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    exchange = Exchange(batch, url, format=format)
    while (request := exchange.next()) is not None:
        await sleep(request.delay)
        try:
            answer = await client.request(
                request.method, request.url, content=request.body, headers=request.headers
            )
        except httpx.TransportError as error:
            exchange.fail(error, sent=not isinstance(error, httpx.ConnectError))
        else:
            exchange.receive(answer.status_code, answer.headers.multi_items(), answer.content)
    return exchange.result


async def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    async with httpx.AsyncClient() as client:
        for outcome in await send(client, url, batch):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
