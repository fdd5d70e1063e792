"""Send a batch with urllib3; what is throttled is sent again, what is answered later is awaited.

python examples/client_urllib3.py 'https://host/service/$batch' People 'People(1)'
"""

import sys
import time
from collections.abc import Callable
from typing import Literal

import urllib3

from odata_batch import BatchRequest, BatchResult, Exchange, Operation


def send(
    client: urllib3.PoolManager,
    url: str,
    batch: BatchRequest,
    format: Literal["multipart", "json"] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    exchange = Exchange(batch, url, format=format)
    while (request := exchange.next()) is not None:
        sleep(request.delay)
        try:
            # What is sent again here may be applied twice; a redirect becomes a GET.
            answer = client.request(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                redirect=False,
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            exchange.fail(error, sent=not isinstance(error, urllib3.exceptions.NewConnectionError))
        else:
            exchange.receive(answer.status, answer.headers.items(), answer.data)
    return exchange.result


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with urllib3.PoolManager() as client:
        for outcome in send(client, url, batch):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
