"""Send a batch with aiohttp; what is throttled is sent again, what is answered later is awaited.

python examples/client_aiohttp.py 'https://host/service/$batch' People 'People(1)'
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Literal

import aiohttp

from odata_batch import BatchRequest, BatchResult, Exchange, Operation


async def send(
    client: aiohttp.ClientSession,
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
            # A redirect that is followed becomes a GET.
            async with client.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            exchange.fail(error, sent=not isinstance(error, aiohttp.ClientConnectorError))
        else:
            exchange.receive(answer.status, answer.headers.items(), body)
    return exchange.result


async def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    async with aiohttp.ClientSession() as client:
        for outcome in await send(client, url, batch):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
