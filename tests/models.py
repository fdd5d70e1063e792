"""A service in memory that is strict about batches, for the pages of docs/ and for scenarios."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

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

Answer = tuple[int, Headers, bytes]


@dataclass
class Model:
    """Keeps what it is sent; a Name that is empty is refused, and so is a batch without a token."""

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
        if request.headers.get("authorization") is None:
            return 401, Headers({"WWW-Authenticate": "Bearer"}), b""
        codec = Codec(self.dialect, strict=True)
        try:
            content_type = request.headers.get("content-type", "")
            batch = codec.decode_request(request.body, content_type, headers=request.headers)
            execution = codec.execution(batch, batch_url=request.url, headers=request.headers)
        except BatchError as error:
            raise AssertionError(f"a service would refuse this: {error}") from error
        self.batches.append(batch.operations())
        before = self.entities
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
        payload = execution.payload()
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
        body = json.loads(step.body) if step.body else {}
        if body.get("Name") == "":
            return said(400, {"error": {"code": "Required", "message": "Name is empty"}})
        if step.method == "GET":
            found = self.entities.get(url, self.children(url))
            missing = {"error": {"code": "NotFound", "message": f"there is no {name}"}}
            return said(404, missing) if found is None else said(200, found)
        if step.method == "POST":
            key = len(self.entities) + 1
            url = f"{url}({key})"
            self.entities[url] = {"ID": key, **body}
            return said(201, self.entities[url], Location=url)
        self.entities.pop(url, None) if step.method == "DELETE" else self.entities.update(
            {url: body}
        )
        return OperationResponse(204)

    def children(self, url: str) -> Any:
        """Return a collection: all of which the key is in parentheses or a segment."""
        found = [
            each for key, each in self.entities.items() if key.startswith((f"{url}(", f"{url}/"))
        ]
        return {"value": found} if found or "(" not in url else None

    def transport(self) -> httpx.MockTransport:
        """Return what a client of httpx sends through in place of a connection."""

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


def said(status: int, value: object, **headers: str) -> OperationResponse:
    fields = {"Content-Type": "application/json", **headers}
    return OperationResponse(status, fields, json.dumps(value).encode())
