"""What a `$batch` endpoint does in any framework, without I/O; the servers here build on it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, quote

import odata_batch as odata
from odata_batch import Headers, OperationResponse
from odata_batch.dialects import ODATA_4_01

Codec: TypeAlias = tuple[Callable[..., odata.BatchRequest], Callable[..., odata.Payload] | None]
FORMATS: Final[Mapping[str, Codec]] = {
    "multipart/mixed": (odata.decode_request, None),
    "application/json": (odata.decode_request, None),
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
    answer_in: str | None = None
    """The media type of all answers; some clients ask for JSON and read multipart alone."""

    def open(
        self, base: tuple[str, bytes, str], headers: Headers, body: bytes, ordered: bool | None
    ) -> tuple[odata.Execution, Callable[[], OperationResponse]]:
        """Return what is to be run, and what then makes the answer; errors are for `refusal`.

        `base` has the scheme, the path and the query of the URL.
        """
        host = headers.get("host", "")
        if not set(host).isdisjoint("/?#"):  # it would move the service root
            raise ValueError("the Host is none")
        formats = {**FORMATS, **self.formats}
        content_type = headers.get("content-type", "")
        # What nobody knows is left to `decode_request`, which says what is wrong with it.
        own = preferred(content_type, formats) or "multipart/mixed"
        asked = dict(parse_qsl(base[2])).get("$format", headers.get("accept", ""))
        asked = {"json": "application/json", "multipart": "multipart/mixed"}.get(asked, asked)
        wanted = self.answer_in or preferred(asked, formats) or own
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
            payload = encode(execution.response()) if encode else execution.payload()
            return OperationResponse(200, payload.headers, payload.body)

        return execution, answer


def refusal(error: odata.BatchError | ValueError) -> OperationResponse:
    """Return the answer to a batch that cannot be read, is too large, or was sent to no host."""
    return failure(error.http_status if isinstance(error, odata.BatchError) else 400, str(error))


def failure(status: int, message: str) -> OperationResponse:
    """Return an error of OData (OData JSON, 21.1)."""
    body = json.dumps({"error": {"code": str(status), "message": message}}).encode()
    return OperationResponse(status, {"Content-Type": "application/json"}, body)


def preferred(header: str, formats: Mapping[str, Codec]) -> str | None:
    """Return the media type of a field that is known and wanted most (RFC 9110, 12.5.1)."""
    found = []
    for each in header.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        weights = [part[2:] for part in parameters if part.startswith("q=")] or ["1"]
        weight = float(weights[0]) if weights[0].replace(".", "", 1).isdecimal() else 0
        found += [(weight, name)] if name in formats and weight else []
    return max(found, key=itemgetter(0))[1] if found else None
