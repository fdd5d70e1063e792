"""Send a batch with azure-core; what is throttled is sent again, what is answered later is awaited.

python examples/client_azure.py 'https://host/service/$batch' People 'People(1)'
"""

import sys
import time

from azure.core import PipelineClient
from azure.core.exceptions import AzureError, ServiceRequestError
from azure.core.pipeline.policies import HTTPPolicy, SansIOHTTPPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest, HttpResponse

from odata_batch import BatchRequest, BatchResult, Exchange, Operation

Client = PipelineClient[HttpRequest, HttpResponse]
Policy = HTTPPolicy[HttpRequest, HttpResponse] | SansIOHTTPPolicy[HttpRequest, HttpResponse]


def make_client(*policies: Policy) -> Client:
    """Return a client with these policies, as BearerTokenCredentialPolicy, and few others.

    Those of most clients follow redirects, send again what may have been applied, and decode.
    """
    return PipelineClient("", policies=[UserAgentPolicy(), *policies])


def send(client: Client, exchange: Exchange) -> BatchResult:
    """Return what became of each operation of the batch, in order."""
    while (request := exchange.next()) is not None:
        time.sleep(request.delay)
        headers, body = dict(request.headers), request.body or None
        own = HttpRequest(request.method, request.url, headers=headers, content=body)
        try:
            answer = client.send_request(own)
        except AzureError as error:
            exchange.fail(error, sent=not isinstance(error, ServiceRequestError))
        else:
            exchange.receive(answer.status_code, answer.headers.items(), answer.content)
    return exchange.result


def main(url: str, *paths: str) -> None:
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with make_client() as client:
        for outcome in send(client, Exchange(batch, url)):
            print(f"{outcome.operation.url} {outcome.state.value}: {outcome.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
