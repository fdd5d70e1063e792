"""Send a batch with urllib3, and send again what the service was too busy for.

python examples/client_urllib3.py 'https://host/service/$batch' People 'People(1)'
"""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal

import urllib3

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


def send(
    client: urllib3.PoolManager,
    url: str,
    batch: BatchRequest,
    format: Literal["multipart", "json"] = "multipart",
) -> BatchResult:
    """Return what became of each operation; `DecodeError` if a batch cannot be read."""
    payload = encode_request(batch, format=format)
    answer = client.request("POST", url, payload.body, headers=payload.headers, redirect=False)
    headers = Headers(dict(answer.headers))
    try:
        response = decode_response(answer.data, headers.get("Content-Type", ""), headers=headers)
    except DecodeError as error:
        if answer.status < 300 or error.rule.slug not in NO_BATCH:
            raise
        return match(batch, None, format=format, status=answer.status)
    return match(batch, response, format=format, status=answer.status)


def send_patiently(
    client: urllib3.PoolManager,
    url: str,
    batch: BatchRequest,
    format: Literal["multipart", "json"] = "multipart",
    attempts: int = 4,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[BatchResult]:
    """Yield the result of a batch, then those of what is sent again after a 429 or 503."""
    for left in reversed(range(attempts)):
        yield (result := send(client, url, batch, format))
        batch = remaining(batch, result, format=format)
        if not (batch.items and left):
            break
        delay = retry_after(result, now=datetime.now(UTC))
        sleep(1.0 if delay is None else delay)


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with urllib3.PoolManager() as client:
        for result in send_patiently(client, url, batch):
            for outcome in result:
                print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
