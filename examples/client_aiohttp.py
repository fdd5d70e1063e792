"""Send a batch with aiohttp, and send again what the service was too busy for.

python examples/client_aiohttp.py 'https://host/service/$batch' People 'People(1)'
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Literal

import aiohttp

from odata_batch import (
    BatchRequest,
    BatchResult,
    DecodeError,
    Headers,
    Operation,
    decode_response,
    encode_request,
    match,
    remaining,
    retry_after,
)

# What an error page breaks: then the batch was refused, or nobody knows.
NO_BATCH = {"batch-media-type", "content-type-syntax", "json-envelope", "json-error-response"}


async def send(
    client: aiohttp.ClientSession,
    url: str,
    batch: BatchRequest,
    format: Literal["multipart", "json"] = "multipart",
) -> BatchResult:
    """Return what became of each operation; `DecodeError` if a batch cannot be read."""
    payload = encode_request(batch, format=format)
    request = client.post(url, data=payload.body, headers=payload.headers, allow_redirects=False)
    async with request as answer:
        body, headers = await answer.read(), Headers(dict(answer.headers))
    try:
        response = decode_response(body, headers.get("Content-Type", ""), headers=headers)
    except DecodeError as error:
        if answer.status < 300 or error.rule.slug not in NO_BATCH:
            raise
        return match(batch, None, format=format, status=answer.status)
    return match(batch, response, format=format, status=answer.status)


async def send_patiently(
    client: aiohttp.ClientSession,
    url: str,
    batch: BatchRequest,
    format: Literal["multipart", "json"] = "multipart",
    attempts: int = 4,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[BatchResult]:
    """Yield the result of a batch, then those of what is sent again after a 429 or 503."""
    for left in reversed(range(attempts)):
        yield (result := await send(client, url, batch, format))
        batch = remaining(batch, result, format=format)
        if not (batch.items and left):
            break
        delay = retry_after(result, now=datetime.now(UTC))
        await sleep(1.0 if delay is None else delay)


async def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    async with aiohttp.ClientSession() as client:
        async for result in send_patiently(client, url, batch):
            for outcome in result:
                print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
