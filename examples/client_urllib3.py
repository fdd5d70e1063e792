"""Send a batch with urllib3; what is throttled is sent again, what is answered later is awaited.

python examples/client_urllib3.py 'https://host/service/$batch' People 'People(1)'
"""

import sys
import time

import urllib3

from odata_batch import BatchRequest, BatchResult, Exchange, Operation

NOT_SENT = (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError)


def send(client: urllib3.PoolManager, exchange: Exchange) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    while (request := exchange.next()) is not None:
        time.sleep(request.delay)
        try:
            answer = client.request(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                redirect=False,  # a redirect that is followed becomes a GET
                retries=False,  # what is sent again may be applied twice
            )
        except urllib3.exceptions.HTTPError as error:
            exchange.fail(error, sent=not isinstance(error, NOT_SENT))
        else:
            exchange.receive(answer.status, answer.headers.items(), answer.data)
    return exchange.result


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with urllib3.PoolManager() as client:
        for outcome in send(client, Exchange(batch, url)):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
