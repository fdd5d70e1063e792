"""A service in memory that is strict about batches, for the pages of docs/ and for scenarios."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odata_batch import (
    BatchError,
    Begin,
    Codec,
    Dialect,
    Exchange,
    Headers,
    HttpRequest,
    Operation,
    OperationResponse,
    Rollback,
    Step,
)
from odata_batch.dialects import ODATA_4_01, PRESETS, SAP_GATEWAY

Answer = tuple[int, Headers, bytes]

if TYPE_CHECKING:
    import httpx


@dataclass
class Model:
    """Keeps what it is sent; a text that is empty is refused, and so is a batch without a token."""

    dialect: Dialect
    busy: Counter[str] = field(default_factory=Counter)
    """How often the end of a URL is answered with 429, before it is answered as it should be."""
    later: bool = False
    """Whether batches are answered later, at a status monitor."""
    entities: dict[str, Any] = field(default_factory=dict)
    batches: list[tuple[Operation, ...]] = field(default_factory=list)
    monitors: dict[str, list[Answer]] = field(default_factory=dict)

    def exchange(self, request: HttpRequest) -> Answer:
        """Answer an HTTP request."""
        if request.url in self.monitors:
            return self.monitors[request.url].pop(0)
        if "authorization" not in request.headers and not request.url.endswith("?sig=secret"):
            return 401, Headers({"WWW-Authenticate": "Bearer"}), b""
        if request.method == "GET":
            return 200, Headers({"X-CSRF-Token": "t0ken"}), b""
        if self.dialect is SAP_GATEWAY and request.headers.get("x-csrf-token") != "t0ken":
            return 403, Headers({"X-CSRF-Token": "Required"}), b""
        codec = Codec(self.dialect, strict=True)
        try:
            content_type = request.headers.get("content-type", "")
            batch = codec.decode_request(request.body, content_type, headers=request.headers)
            url, fields = request.url, request.headers
            execution = codec.execution(batch, batch_url=url, headers=fields, ordered=True)
        except BatchError as error:
            raise AssertionError(f"a service would refuse this: {error}") from error
        self.batches.append(batch.operations())
        before = first = dict(self.entities)
        while not execution.finished:
            for work in execution.ready():
                if isinstance(work, Step):
                    execution.complete(work, self.run(work))
                    continue
                if isinstance(work, Begin):
                    before = dict(self.entities)
                elif isinstance(work, Rollback):
                    self.entities = before
                execution.done(work)
        payload, responses = execution.payload(), execution.response().responses()
        if "isolation" in request.headers and not all(each.ok for each in responses):
            self.entities = first
        result = 200, payload.headers, payload.body
        if not self.later:
            return result
        monitor = request.url.replace("$batch", f"status-{len(self.batches)}")
        fields = Headers({"Location": monitor, "Retry-After": "0"})
        self.monitors[monitor] = [(202, fields, b""), result]
        return 202, fields, b""

    def run(self, step: Step) -> OperationResponse:
        """Answer an operation."""
        url = step.url.partition("?")[0]
        name = url.rpartition("/")[2]
        if self.busy[name] > 0:
            self.busy[name] -= 1
            return OperationResponse(429, {"Retry-After": "0"})
        body = json.loads(step.body) if step.body.startswith(b"{") else {}
        for member in body:
            if body[member] == "":
                error = {"code": "Required", "message": f"{member} is empty"}
                return said(400, {"error": error})
        if step.method == "GET":
            own = [each for key, each in self.entities.items() if key.startswith(f"{url}(")]
            return said(200, self.entities.get(url, {"value": own}))
        if step.method == "POST":
            key = sum("(" in each for each in self.entities) + 1
            url = f"{url}({key})"
            self.entities[url] = {"ID": key, **body}
            return said(201, self.entities[url], Location=url)
        self.entities[url] = body
        return OperationResponse(204)

    def transport(self) -> httpx.MockTransport:
        """Return what a client of httpx sends through in place of a connection."""
        import httpx  # only pages that use it ask for it

        def send(own: httpx.Request) -> httpx.Response:
            fields = own.headers.multi_items()
            request = HttpRequest(
                method=own.method, url=str(own.url), headers=Headers(fields), body=own.read()
            )
            status, headers, body = self.exchange(request)
            return httpx.Response(status, headers=headers.pairs, content=body)

        return httpx.MockTransport(send)

    def finish(self, exchange: Exchange) -> list[str]:
        """Answer everything that an exchange sends; return the states of its operations."""
        while (request := exchange.next()) is not None:
            exchange.receive(*self.exchange(request))
        return [outcome.state.value for outcome in exchange.result]


def of_page(name: str) -> Model:
    """Return the service of a page of docs/how-to/."""
    users = "https://graph.microsoft.com/v1.0/users"
    people = {f"{users}/{number}": {"displayName": f"Person {number}"} for number in range(45)}
    busy = Counter({"accounts(7)": 2, "accounts(200)": 1})
    dialect = PRESETS.get(name, ODATA_4_01)
    return Model(dialect, busy, name == "asynchronous-batches", people)


def said(status: int, value: object, **headers: str) -> OperationResponse:
    fields = {"Content-Type": "application/json", **headers}
    return OperationResponse(status, fields, json.dumps(value).encode())
