"""Send a batch with aiohttp; what is throttled is sent again, what is answered later is awaited.

python examples/client_aiohttp.py 'https://host/service/$batch' People 'People(1)'
"""

import asyncio
import sys

import aiohttp

from odata_batch import BatchRequest, BatchResult, Exchange, Operation

NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


async def send(client: aiohttp.ClientSession, exchange: Exchange) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    while (request := exchange.next()) is not None:
        await asyncio.sleep(request.delay)
        try:
            async with client.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,  # a redirect that is followed becomes a GET
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            exchange.fail(error, sent=not isinstance(error, NOT_SENT))
        else:
            exchange.receive(answer.status, answer.headers.items(), body)
    return exchange.result


async def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    async with aiohttp.ClientSession() as client:
        for outcome in await send(client, Exchange(batch, url)):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
