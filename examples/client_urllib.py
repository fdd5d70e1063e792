"""Send a batch with urllib.request; throttled operations are sent again, later answers awaited.

python examples/client_urllib.py 'https://host/service/$batch' People 'People(1)'
"""

import sys
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from odata_batch import BatchRequest, BatchResult, Exchange, Operation


class NoRedirect(HTTPRedirectHandler):
    """Follows no redirect: it would become a GET."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def send(client: OpenerDirector, exchange: Exchange) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    while (request := exchange.next()) is not None:
        time.sleep(request.delay)
        fields = dict(request.headers)
        own = Request(request.url, request.body or None, fields, method=request.method)
        try:
            with client.open(own) as answer:
                exchange.receive(answer.status, answer.getheaders(), answer.read())
        except HTTPError as answer:
            exchange.receive(answer.code, answer.headers.items(), answer.read())
        except (OSError, HTTPException) as error:
            exchange.fail(getattr(error, "reason", error))
    return exchange.result


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    for outcome in send(build_opener(NoRedirect), Exchange(batch, url)):
        print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
