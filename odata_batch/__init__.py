"""OData `$batch` payloads, encoded and decoded: multipart and JSON, requests and responses.

The library does no I/O: it turns values into the bytes of a message, and bytes into values.

* Values: `BatchRequest` holds `Operation` and `ChangeSet`; `BatchResponse` holds
  `OperationResponse` and `ChangeSetResponse`; `Headers`; `Payload` is a body with its headers.
* Settings: `Codec` holds dialect, format, limits and strictness; it has a method for each of the
  functions below.
* Whole messages: `encode_request`, `encode_response`, `decode_request`, `decode_response`.
* Messages in chunks: `RequestEncoder`, `ResponseEncoder`, `RequestDecoder`, `ResponseDecoder`,
  which with `stream` hand out `ItemStart`, `Data`, `ItemEnd`, `ChangeSetStart`, `ChangeSetEnd`.
* Findings: `check_request` and `check_response` return a `Report` of `Diagnostic`s, each an
  instance of a `Rule` with a `Severity`, and a value in which `Unreadable` keeps the place of what
  could not be read; errors are `BatchError` and its descendants.
* Limits and services: `Limits`, and `Dialect` with its presets in `odata_batch.dialects`.
* Outcomes: `outcomes` and `match` return a `BatchResult` of `Outcome`s, each with a `State` and the
  `ServiceError`.
* Planning and conversion: `split`, `remaining` and `retry_after`; `convert_request` and
  `convert_response`.
* The engine of a client: `Exchange` hands out one `HttpRequest` after the other, takes the answers,
  and has an outcome for each operation at the end.
* The engine of a server: `Execution` hands out one `Step` after the other, with the signals
  `Begin`, `Commit` and `Rollback`, and takes the responses.
* What answers a batch request: `Endpoint` has a `Serving` for each; `odata_batch.asgi` and
  `odata_batch.wsgi` have a `BatchMiddleware`, which is one.
* URLs: `find_references`, `resolve_url`, `location_of`, `rebase_url`, `is_within`.

>>> batch = BatchRequest([Operation.get("People"), Operation.delete("People(1)")])
>>> payload = encode_request(batch)
>>> decode_request(payload.body, payload.content_type) == batch
True
"""

from odata_batch._client.exchange import Exchange, HttpRequest
from odata_batch._client.outcomes import BatchFailed, BatchResult, Outcome, ServiceError, State
from odata_batch._client.plan import is_throttled, retry_after
from odata_batch._codec import (
    Codec,
    check_request,
    check_response,
    convert_request,
    convert_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    match,
    outcomes,
    prepare,
    remaining,
    split,
)
from odata_batch._coding.reading import RequestDecoder, ResponseDecoder
from odata_batch._coding.streaming import (
    ChangeSetEnd,
    ChangeSetStart,
    Data,
    ItemEnd,
    ItemStart,
    RequestEvent,
    ResponseEvent,
)
from odata_batch._coding.writing import RequestEncoder, ResponseEncoder
from odata_batch._graph.expressions import Reference, find_references
from odata_batch._graph.urls import is_within, location_of, rebase_url, resolve_url
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import (
    BatchError,
    DecodeError,
    Diagnostic,
    EncodeError,
    LimitExceeded,
    Report,
    Rule,
    Severity,
    UnresolvedReference,
)
from odata_batch._model.headers import Headers
from odata_batch._model.limits import Limits
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    Payload,
    Unreadable,
)
from odata_batch._server.endpoint import Endpoint, Serving
from odata_batch._server.execution import Execution
from odata_batch._server.steps import Begin, Commit, Rollback, Step

__version__ = "0.1.0"

__all__ = [
    "BatchError",
    "BatchFailed",
    "BatchRequest",
    "BatchResponse",
    "BatchResult",
    "Begin",
    "ChangeSet",
    "ChangeSetEnd",
    "ChangeSetResponse",
    "ChangeSetStart",
    "Codec",
    "Commit",
    "Data",
    "DecodeError",
    "Diagnostic",
    "Dialect",
    "EncodeError",
    "Endpoint",
    "Exchange",
    "Execution",
    "Headers",
    "HttpRequest",
    "ItemEnd",
    "ItemStart",
    "LimitExceeded",
    "Limits",
    "Operation",
    "OperationResponse",
    "Outcome",
    "Payload",
    "Reference",
    "Report",
    "RequestDecoder",
    "RequestEncoder",
    "RequestEvent",
    "ResponseDecoder",
    "ResponseEncoder",
    "ResponseEvent",
    "Rollback",
    "Rule",
    "ServiceError",
    "Serving",
    "Severity",
    "State",
    "Step",
    "Unreadable",
    "UnresolvedReference",
    "check_request",
    "check_response",
    "convert_request",
    "convert_response",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "find_references",
    "is_throttled",
    "is_within",
    "location_of",
    "match",
    "outcomes",
    "prepare",
    "rebase_url",
    "remaining",
    "resolve_url",
    "retry_after",
    "split",
]
