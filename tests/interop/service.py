"""What clients talk to on loopback: people in memory, served by the example of an ASGI endpoint."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from odata_batch import (
    BatchRequest,
    Codec,
    Dialect,
    Headers,
    Limits,
    OperationResponse,
    Report,
    check_request,
)
from odata_batch.asgi import BatchMiddleware
from tests.servers import asgi_server

Entity: TypeAlias = dict[str, object]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
JSON_TYPE = {"Content-Type": "application/json"}
# The rest says which machine and which libraries sent the request.
KEPT = frozenset(
    """
    accept content-length content-type dataserviceversion host maxdataserviceversion odata-version
    odata-maxversion prefer sap-cancel-on-close x-ms-version
    """.split()
)


@dataclass(frozen=True)
class Exchange:
    """One batch request as it came, and the answer as it went."""

    path: str
    headers: Headers
    body: bytes
    report: Report[BatchRequest]
    """What we found in the request, errors or not."""
    status: int
    answer_headers: Headers
    answer: bytes

    @property
    def request(self) -> BatchRequest:
        """The batch that was sent."""
        assert self.report.value is not None
        return self.report.value

    @property
    def findings(self) -> list[str]:
        """The rules that the request breaks, each once."""
        return list(dict.fromkeys(found.rule.slug for found in self.report.diagnostics))

    @property
    def message(self) -> bytes:
        """The request as an HTTP message."""
        return message(f"POST {self.path} HTTP/1.1", self.headers.pairs, self.body)


def message(start: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Return an HTTP message, without what does not concern the batch."""
    lines = [f"{name}: {value}" for name, value in headers if name.lower() in KEPT]
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1") + body


def plain(value: object) -> object:
    """Return what OData 4 makes of an entity or a collection."""
    return {"value": value} if isinstance(value, list) else value


def verbose(value: object) -> object:
    """Return what OData 2 makes of an entity or a collection."""
    return {"d": {"results": value} if isinstance(value, list) else value}


@dataclass
class People:
    """An ASGI app: people by key, and a transaction at a time."""

    key: Callable[[Entity], str] = lambda entity: str(entity["Id"])
    show: Callable[[object], object] = plain
    """How an entity or a collection is wrapped."""
    error: Callable[[int, str, int], object] = lambda status, text, index: {
        "error": {"code": str(status), "message": text}
    }
    """How an error is shown, given the index of the operation in its change set."""
    upsert: bool = False
    """Whether to change what does not exist, without If-Match, is to create it."""
    busy: frozenset[str] = frozenset()
    """The keys of those who are not to be disturbed."""
    root: str = "/service/"
    """The path of the service root."""
    entities: dict[str, Entity] = field(default_factory=dict)
    before: dict[str, Entity] = field(default_factory=dict)
    count: int = 0

    async def begin(self) -> People:
        self.before = copy.deepcopy(self.entities)
        self.count = 0
        return self

    async def commit(self) -> None:
        pass

    async def rollback(self) -> None:
        self.entities = self.before

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = Headers([(n.decode(), v.decode()) for n, v in scope["headers"]])
        body = (await receive()).get("body", b"")
        answer = self._answer(scope["method"], scope["path"], headers, body)
        self.count += 1
        fields = [(n.encode(), v.encode()) for n, v in answer.headers.pairs]
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body})

    def _answer(self, method: str, path: str, headers: Headers, body: bytes) -> OperationResponse:
        found = re.fullmatch(rf"{self.root}People(?:\((?:Id=)?(.*)\))?", path)
        if found is None:
            return self._refused(404, f"there is no {path}")
        key: str | None = found[1]
        if key in self.busy:
            return self._refused(429, "later", {"Retry-After": "3"})
        if method == "POST":
            return self._create(json.loads(body), path)
        if key is None:
            return self._answered(200, list(self.entities.values()))
        return self._one(method, key, headers, body)

    def _create(self, entity: Entity, path: str) -> OperationResponse:
        key = self.key(entity)
        if key in self.entities:
            return self._refused(409, "there is one already")
        self.entities[key] = entity
        return self._answered(201, entity, {"Location": f"{path}({key})"})

    def _one(self, method: str, key: str, headers: Headers, body: bytes) -> OperationResponse:
        entity = self.entities.get(key)
        condition = headers.get("If-Match")
        if entity is None and not (self.upsert and condition is None and body):
            return self._refused(404, "there is nobody")
        if condition not in (None, "*", etag_of(entity)):
            return self._refused(412, "somebody was faster")
        if method == "GET":
            return self._answered(200, entity, {"ETag": etag_of(entity)})
        if method == "DELETE":
            del self.entities[key]
            return OperationResponse(204)
        changed: Entity = json.loads(body)
        self.entities[key] = changed if method == "PUT" else {**(entity or {}), **changed}
        return OperationResponse(204, {"ETag": etag_of(self.entities[key])})

    def _answered(
        self, status: int, value: object, headers: Mapping[str, str] | None = None
    ) -> OperationResponse:
        fields = {**JSON_TYPE, **(headers or {})}
        if status == 201:
            fields["ETag"] = etag_of(value)
        body = json.dumps(self.show(value), ensure_ascii=False).encode()
        return OperationResponse(status, fields, body)

    def _refused(
        self, status: int, text: str, headers: Mapping[str, str] | None = None
    ) -> OperationResponse:
        body = json.dumps(self.error(status, text, self.count)).encode()
        return OperationResponse(status, {**JSON_TYPE, **(headers or {})}, body)


def etag_of(entity: object) -> str:
    """Return an ETag that tells apart the states of an entity that the tests bring about."""
    return f'W/"{len(json.dumps(entity))}"'


@dataclass
class Service:
    """The ASGI app with the endpoint, which takes note of what comes and goes."""

    people: People
    dialect: Dialect
    status: int = 200
    """The status of a batch response; OData 2 and 3 have 202."""
    url: str = ""
    """The URL of the service root."""
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def last(self) -> Exchange:
        """The exchange that was the last."""
        return self.exchanges[-1]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "there is nothing to start or to end"
        pairs = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        body = await _read(receive)
        answer: list[Message] = []

        async def replay() -> Message:
            return {"type": "http.request", "body": body}

        async def collect(message: Message) -> None:
            answer.append(message)

        understood = {**scope, "headers": self._understood(scope["headers"])}
        await self._endpoint()(understood, replay, collect)
        if answer[0]["status"] == 200:
            answer[0]["status"] = self.status
        # The client may look at what was exchanged as soon as it has the answer.
        self.exchanges.append(self._exchange(scope["path"], Headers(pairs), body, answer))
        for message in answer:
            await send(message)

    def _endpoint(self) -> BatchMiddleware:
        people, path = self.people, f"{self.people.root}$batch"
        codec = Codec(self.dialect, limits=Limits(operations=100))
        return BatchMiddleware(people, path=path, begin=people.begin, codec=codec)

    def _understood(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        # Clients for services that know multipart alone ask for JSON, and mean the operations.
        ignored = () if "json" in self.dialect.formats else (b"accept",)
        return [(name, value) for name, value in headers if name not in ignored]

    def _exchange(
        self, path: str, headers: Headers, body: bytes, answer: list[Message]
    ) -> Exchange:
        others = [pair for pair in headers.pairs if pair[0] != "content-type"]
        content_type = headers.get("content-type", "")
        report = check_request(body, content_type, headers=others, dialect=self.dialect)
        start, content = answer
        fields = Headers([(name.decode(), value.decode()) for name, value in start["headers"]])
        return Exchange(path, headers, body, report, start["status"], fields, content["body"])


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message.get("more_body", False)
    return body


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Serve on a free port of loopback."""
    pytest.importorskip("uvicorn", reason="uvicorn is not installed; `make interop` installs it")
    with asgi_server(service) as origin:
        service.url = f"{origin}{service.people.root}"
        yield service
