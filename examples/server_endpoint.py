"""What a `$batch` endpoint does in any framework, without I/O; the servers here build on it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import quote

import odata_batch as odata
from odata_batch import Headers, OperationResponse
from odata_batch.dialects import ODATA_4_01

Codec: TypeAlias = tuple[Callable[..., odata.BatchRequest], Callable[..., odata.Payload]]
FORMATS: Final[Mapping[str, Codec]] = {
    "multipart/mixed": (odata.decode_request, partial(odata.encode_response, format="multipart")),
    "application/json": (odata.decode_request, partial(odata.encode_response, format="json")),
}
QUOTAS: Final = odata.Limits(operations=100)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """What the owner of a service decides; `odata_batch.Execution` says what it means."""

    path: str = "/$batch"
    continue_on_error: bool | None = None
    limits: odata.Limits = QUOTAS
    dialect: odata.Dialect = ODATA_4_01
    formats: Mapping[str, Codec] = field(default_factory=dict)
    """Further formats: how the requests of a media type are decoded, and the responses encoded."""

    def open(
        self, base: tuple[str, bytes], headers: Headers, body: bytes, ordered: bool | None = True
    ) -> tuple[odata.Execution, Callable[[], OperationResponse]]:
        """Return what is to be run, and what then makes the answer; errors are for `refusal`."""
        host = headers.get("host", "")
        if not set(host).isdisjoint("/?#"):  # it would move the service root
            raise ValueError("the Host is none")
        formats = {**FORMATS, **self.formats}
        content_type = headers.get("content-type", "")
        # What nobody knows is left to `decode_request`, which says what is wrong with it.
        own = _first(content_type, formats, "multipart/mixed")
        wanted = _first(headers.get("accept", ""), formats, own)
        others = [pair for pair in headers.pairs if pair[0].lower() != "content-type"]
        decode, encode = formats[own][0], formats[wanted][1]
        execution = odata.Execution(
            decode(body, content_type, headers=others, dialect=self.dialect, limits=self.limits),
            batch_url=f"{base[0]}://{host}{quote(base[1], safe='/$')}",
            format="json" if own == "application/json" else "multipart",
            response_format="json" if wanted == "application/json" else "multipart",
            headers=headers,
            ordered=ordered,
            continue_on_error=self.continue_on_error,
            dialect=self.dialect,
            limits=self.limits,
        )

        def answer() -> OperationResponse:
            payload = encode(execution.response(), dialect=self.dialect)
            return OperationResponse(200, payload.headers, payload.body)

        return execution, answer


def refusal(error: odata.BatchError | ValueError) -> OperationResponse:
    """Return the answer to a batch that cannot be read, is too large, or was sent to no host."""
    return failure(error.http_status if isinstance(error, odata.BatchError) else 400, str(error))


def failure(status: int, message: str) -> OperationResponse:
    """Return an error of OData (OData JSON, 21.1)."""
    body = json.dumps({"error": {"code": str(status), "message": message}}).encode()
    return OperationResponse(status, {"Content-Type": "application/json"}, body)


def _first(header: str, formats: Mapping[str, Codec], default: str) -> str:
    names = (each.partition(";")[0].strip().lower() for each in header.split(","))
    return next((name for name in names if name in formats), default)
