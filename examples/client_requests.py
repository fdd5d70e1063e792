"""Send a batch with requests; what is throttled is sent again, what is answered later is awaited.

python examples/client_requests.py 'https://host/service/$batch' People 'People(1)'
"""

import sys
import time
from collections.abc import Callable
from typing import Literal

import requests

from odata_batch import BatchRequest, BatchResult, Exchange, Operation


def send(
    client: requests.Session,
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
            # A redirect that is followed becomes a GET.
            answer = client.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            exchange.fail(error, sent=not isinstance(error, requests.exceptions.ConnectTimeout))
        else:
            exchange.receive(answer.status_code, answer.headers, answer.content)
    return exchange.result


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with requests.Session() as client:
        for outcome in send(client, url, batch):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
