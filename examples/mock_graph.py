"""A mock of Microsoft Graph for tests: a transport for httpx that answers JSON batches.

client = httpx.Client(transport=mock_graph(lambda step: OperationResponse(204)))
"""

from collections.abc import Callable

import httpx

from odata_batch import BatchError, Codec, OperationResponse, Step
from odata_batch.dialects import GRAPH

CODEC = Codec(GRAPH)


def mock_graph(answer: Callable[[Step], OperationResponse]) -> httpx.MockTransport:
    """Return a transport on which POST to `/v1.0/$batch` calls `answer` for each operation."""

    def serve(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1.0/$batch":
            return httpx.Response(404, json={"error": {"code": "NotFound", "message": "no batch"}})
        try:
            content_type = request.headers.get("Content-Type", "")
            batch = CODEC.decode_request(request.read(), content_type)
            execution = CODEC.execution(batch, batch_url=str(request.url))
        except BatchError as error:
            fault = {"code": "BadRequest", "message": str(error)}
            return httpx.Response(error.http_status, json={"error": fault})
        while not execution.finished:
            for step in execution.ready():
                assert isinstance(step, Step)  # Graph has no transactions to begin
                execution.complete(step, answer(step))
        payload = CODEC.encode_response(execution.response())
        return httpx.Response(200, headers=payload.headers, content=payload.body)

    return httpx.MockTransport(serve)
