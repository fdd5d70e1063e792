"""Send a batch with requests; what is throttled is sent again, what is answered later is awaited.

python examples/client_requests.py 'https://host/service/$batch' People 'People(1)'
"""

import sys
import time

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from odata_batch import BatchRequest, BatchResult, Exchange, Operation

NOT_SENT = (ConnectTimeoutError, NewConnectionError)


def send(client: requests.Session, exchange: Exchange) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    while (request := exchange.next()) is not None:
        time.sleep(request.delay)
        try:
            answer = client.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,  # a redirect that is followed becomes a GET
            )
        except requests.RequestException as error:
            reason = getattr(error.args[0], "reason", None) if error.args else None
            exchange.fail(error, sent=not isinstance(reason, NOT_SENT))
        else:
            exchange.receive(answer.status_code, answer.headers, answer.content)
    return exchange.result


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with requests.Session() as client:
        for outcome in send(client, Exchange(batch, url)):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
