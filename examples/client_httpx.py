"""Send a batch with httpx; what is throttled is sent again, what is answered later is awaited.

python examples/client_httpx.py 'https://host/service/$batch' People 'People(1)'
"""

import asyncio
import sys
import time

import httpx

from odata_batch import BatchRequest, BatchResult, Exchange, Operation

NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def send(client: httpx.Client, exchange: Exchange) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    while (request := exchange.next()) is not None:
        time.sleep(request.delay)
        try:
            answer = client.request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body,
                follow_redirects=False,  # a redirect that is followed becomes a GET
            )
        except httpx.TransportError as error:
            exchange.fail(error, sent=not isinstance(error, NOT_SENT))
        else:
            exchange.receive(answer.status_code, answer.headers.multi_items(), answer.content)
    return exchange.result


async def send_async(client: httpx.AsyncClient, exchange: Exchange) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    while (request := exchange.next()) is not None:
        await asyncio.sleep(request.delay)
        try:
            answer = await client.request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body,
                follow_redirects=False,
            )
        except httpx.TransportError as error:
            exchange.fail(error, sent=not isinstance(error, NOT_SENT))
        else:
            exchange.receive(answer.status_code, answer.headers.multi_items(), answer.content)
    return exchange.result


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with httpx.Client() as client:
        for outcome in send(client, Exchange(batch, url)):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
