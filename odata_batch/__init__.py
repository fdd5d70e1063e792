"""OData `$batch` payloads, encoded and decoded: multipart and JSON, requests and responses.

The library does no I/O: it turns values into the bytes of a message, and bytes into values.

* Values: `BatchRequest` holds `Operation` and `ChangeSet`; `BatchResponse` holds
  `OperationResponse` and `ChangeSetResponse`; `Headers`; `Payload` is a body with its headers.
* Whole messages: `encode_request`, `encode_response`, `decode_request`, `decode_response`.
* Messages in chunks: `RequestEncoder`, `ResponseEncoder`, `RequestDecoder`, `ResponseDecoder`.
* What is wrong: `check_request` and `check_response` return a `Report` of `Diagnostic`s, each an
  instance of a `Rule` with a `Severity`; errors are `BatchError` and its descendants.
* What is allowed: `Limits`, and `Dialect` with its presets in `odata_batch.dialects`.

>>> batch = BatchRequest([Operation.get("People"), Operation.delete("People(1)")])
>>> payload = encode_request(batch)
>>> decode_request(payload.body, payload.content_type) == batch
True
"""

from odata_batch._decoding import (
    RequestDecoder,
    ResponseDecoder,
    check_request,
    check_response,
    decode_request,
    decode_response,
)
from odata_batch._diagnostics import Diagnostic, Report, Rule, Severity
from odata_batch._encoding import RequestEncoder, ResponseEncoder, encode_request, encode_response
from odata_batch._errors import (
    BatchError,
    DecodeError,
    EncodeError,
    LimitExceeded,
    UnresolvedReference,
)
from odata_batch._headers import Headers
from odata_batch._limits import Limits
from odata_batch._model import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    Payload,
)
from odata_batch._prepare import prepare
from odata_batch.dialects import Dialect

__all__ = [
    "BatchError",
    "BatchRequest",
    "BatchResponse",
    "ChangeSet",
    "ChangeSetResponse",
    "DecodeError",
    "Diagnostic",
    "Dialect",
    "EncodeError",
    "Headers",
    "LimitExceeded",
    "Limits",
    "Operation",
    "OperationResponse",
    "Payload",
    "Report",
    "RequestDecoder",
    "RequestEncoder",
    "ResponseDecoder",
    "ResponseEncoder",
    "Rule",
    "Severity",
    "UnresolvedReference",
    "check_request",
    "check_response",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "prepare",
]
