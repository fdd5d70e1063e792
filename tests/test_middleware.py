"""`odata_batch.asgi` and `odata_batch.wsgi`: batches in, calls of an application, one answer out.

What both do is one test, run with an application of either kind. Most is asked in process; what a
server and a socket add is tested in test_examples_servers.py.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias
from wsgiref.util import setup_testing_defaults

import pytest

pytest.importorskip("httpx", reason="`make test` installs it")
pytest.importorskip("starlette", reason="`make test` installs it")

import httpx
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Codec,
    Endpoint,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    Payload,
    Serving,
    asgi,
    check_response,
    decode_response,
    encode_request,
    wsgi,
)
from odata_batch.dialects import GRAPH
from odata_batch.rules import RULES
from tests.batches import table
from tests.helpers import FORMATS, Format
from tests.servers import WATCHDOG

PATH = "/service/$batch"
HOST = "example.org"
GET, MISSING = Operation.get("People"), Operation.get("Missing")
TEXT = [("Content-Type", "text/plain")]
Answer: TypeAlias = tuple[int, list[tuple[str, str]], bytes]


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


# -- an application of either kind ----------------------------------------------------------------


@dataclass
class Asked:
    """One request, as an application sees it."""

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes
    transaction: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def by_path(asked: Asked) -> Answer:
    """Answer 404 for what is missing, and otherwise with the path."""
    return 404 if asked.path.endswith("Missing") else 200, TEXT, asked.path.encode()


@dataclass
class Service:
    """An application, asked through the middleware."""

    answer: Callable[[Asked], Answer] = by_path
    asked: list[Asked] = field(default_factory=list)

    def take(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.answer(asked)

    @property
    def lines(self) -> list[str]:
        return [str(each) for each in self.asked]

    def send(
        self, payload: Payload | None = None, *, method: str = "POST", url: str = PATH, **more: Any
    ) -> httpx.Response:
        """Send a request to the middleware; `more` are its settings, and `headers` to be added."""
        payload = payload or encode_request(BatchRequest([GET]))
        headers = [*payload.headers.pairs, *more.pop("headers", ())]
        content = more.pop("content", payload.body)
        url = f"http://{HOST}{url}"
        request = httpx.Request(method, url, content=content, headers=headers)
        return self.ask({"path": PATH, **more}, request)

    def ask(self, settings: dict[str, Any], request: httpx.Request) -> httpx.Response:
        raise NotImplementedError

    def post(self, batch: BatchRequest, format: Format = "multipart", **more: Any) -> BatchResponse:
        """Send the batch and return what came back."""
        answer = self.send(encode_request(batch, format=format), **more)
        assert answer.status_code == 200, answer.text
        return decode_response(answer.content, answer.headers["content-type"])


class AsgiService(Service):
    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        pairs = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        query, transaction = scope["query_string"].decode(), scope.get("odata.transaction")
        asked = Asked(scope["method"], scope["path"], query, Headers(pairs), body, transaction)
        status, fields, content = self.take(asked)
        octets = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        await send({"type": "http.response.start", "status": status, "headers": octets})
        for chunk in (content[:1], content[1:]):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    def ask(self, settings: dict[str, Any], request: httpx.Request) -> httpx.Response:
        async def chunks() -> Any:  # a body that comes in pieces
            content = request.read()
            for start in range(0, len(content), 100):
                yield content[start : start + 100]

        async def main() -> httpx.Response:
            transport = httpx.ASGITransport(asgi.BatchMiddleware(self.app, **settings))
            own = {"content": chunks(), "headers": request.headers.multi_items()}
            async with httpx.AsyncClient(transport=transport, timeout=WATCHDOG) as client:
                return await client.request(request.method, request.url, **own)

        return asyncio.run(main())


class WsgiService(Service):
    def app(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        names = [name for name in environ if name.startswith("HTTP_")]
        fields = {name[5:].replace("_", "-"): environ[name] for name in names}
        fields |= {f"CONTENT-{it}": environ[f"CONTENT_{it}"] for it in ("TYPE", "LENGTH")}
        path = (environ["SCRIPT_NAME"] + environ["PATH_INFO"]).encode("latin-1").decode()
        body, transaction = environ["wsgi.input"].read(), environ.get("odata.transaction")
        method, query = environ["REQUEST_METHOD"], environ["QUERY_STRING"]
        asked = Asked(method, path, query, Headers(fields), body, transaction)
        status, pairs, content = self.take(asked)
        write = start(f"{status} Whatever", pairs)
        if "odata.transaction" not in environ:  # httpx knows no `write`
            return [content]
        write(content[:1])
        return iter((content[1:],))

    def ask(self, settings: dict[str, Any], request: httpx.Request) -> httpx.Response:
        transport = httpx.WSGITransport(wsgi.BatchMiddleware(self.app, **settings))
        with httpx.Client(transport=transport) as client:
            return client.send(request)


@pytest.fixture(params=[AsgiService, WsgiService])
def service(request: pytest.FixtureRequest) -> Service:
    found: Service = request.param()
    return found


def statuses(response: BatchResponse) -> list[int]:
    return [each.status for each in response.responses()]


def error_of(answer: httpx.Response) -> str:
    message: str = answer.json()["error"]["message"]
    return message


def writes(*ids: str) -> ChangeSet:
    return ChangeSet([Operation.post(f"P{id}", json={}, id=id) for id in ids], id=f"g{ids[0]}")


# -- what is run ----------------------------------------------------------------------------------


def test_operations_run_in_order(service: Service, format: Format) -> None:
    names = [f"P{number}" for number in range(8)]
    response = service.post(BatchRequest(map(Operation.get, names)), format, ordered=True)
    assert service.lines == [f"GET /service/{name}" for name in names]
    assert [each.body.decode() for each in response.responses()] == [f"/service/{n}" for n in names]


@pytest.mark.parametrize(
    ("wanted", "preference", "settings", "expected"),
    [
        ("multipart", None, {}, [200, 404]),
        ("multipart", True, {}, [200, 404, 200]),
        ("json", None, {}, [200, 404, 200]),
        ("json", False, {"ordered": True}, [200, 404]),
        ("multipart", False, {"continue_on_error": True}, [200, 404, 200]),
        ("json", False, {"continue_on_error": True}, [200, 404, 200]),
        ("multipart", True, {"continue_on_error": False}, [200, 404]),
    ],
)
def test_continue_on_error_is_a_preference_unless_the_service_decides(
    service: Service,
    wanted: Format,
    preference: bool | None,
    settings: dict[str, bool],
    expected: list[int],
) -> None:
    batch = BatchRequest([GET, MISSING, GET], continue_on_error=preference)
    assert statuses(service.post(batch, wanted, **settings)) == expected
    assert len(service.asked) == len(expected)


def test_an_operation_is_a_request_of_its_own(service: Service) -> None:
    operation = Operation.post("Caf%C3%A9?$top=1&a=%20", json=[1], headers={"If-Match": '"1"'})
    service.post(BatchRequest([operation]), url=f"{PATH}?a=b")
    [asked] = service.asked
    assert (asked.path, asked.query, asked.body) == ("/service/Caf\u00e9", "$top=1&a=%20", b"[1]")
    assert asked.headers["if-match"] == '"1"' and asked.headers["content-length"] == "3"
    assert (asked.headers["host"], asked.headers["content-type"]) == (HOST, "application/json")


def test_an_operation_is_asked_by_whoever_asks_for_the_batch(service: Service) -> None:
    """Its own claims are dropped, except for a cookie, and what is for the batch alone is left
    out."""
    own = {"Cookie": "own=1", "X-Forwarded-User": "admin", "X_Real_IP": "::1", "Remote-User": "a"}
    own |= {"Origin": "http://elsewhere", "X-Tenant": "other", "X-Amzn-Oidc-Identity": "admin"}
    operations = [Operation.get("1"), Operation.get("2", headers=own)]
    outer = {
        "Authorization": "Basic x",
        "Cookie": "a=1",
        "X-Forwarded-User": "ann",
        "X-Amzn-Oidc-Identity": "ann",
        "X-Tenant": "own",
        "X-Original-URL": "/service/$batch",
        "X-HTTP-Method-Override": "DELETE",
        "If-Match": "*",
    }
    service.post(BatchRequest(operations), headers=outer.items())
    first, second = (each.headers for each in service.asked)
    for name in ("Authorization", "X-Forwarded-User", "X-Amzn-Oidc-Identity"):
        assert first[name] == second[name] == outer[name]
    assert (first["cookie"], second["cookie"]) == ("a=1", "own=1")
    left_out = {"x-original-url", "x-http-method-override", "if-match", "x-real-ip", "remote-user"}
    assert left_out.isdisjoint({name.lower().replace("_", "-") for name in [*first, *second]})
    assert "origin" not in second
    handed_on = Endpoint.HANDED_ON - {"cookie"} | {
        "x-original*",
        "x-tenant",
    }  # as the owner decides
    service.post(BatchRequest(operations), headers=outer.items(), handed_on=handed_on)
    first, second = (each.headers for each in service.asked[2:])
    assert "cookie" not in first and first["x-original-url"] == "/service/$batch"
    assert (second["cookie"], second["x-tenant"]) == ("own=1", "own")


def test_references_are_resolved_for_the_application(service: Service) -> None:
    batch = BatchRequest([Operation.get("People", id="1"), Operation.get("Orders?$id=$1")])
    for references, query in (("keep", "$id=$1"), ("resolve", f"$id=http://{HOST}/service/People")):
        service.post(batch, references=references)
        assert service.asked[-1].query == query


@pytest.mark.parametrize("url", ["http://elsewhere.example/", "/other/People", "../other"])
def test_a_url_outside_of_the_service_root_is_forbidden(service: Service, url: str) -> None:
    headers, batch = {"Authorization": "Basic x"}, BatchRequest([Operation.get(url)])
    assert statuses(service.post(batch, headers=headers.items())) == [403]
    assert service.asked == []


def test_what_concerns_a_message_of_its_own_is_left_out_of_a_response(service: Service) -> None:
    fields = "Connection Content-Length Keep-Alive Set-Cookie Transfer-Encoding ETag".split()
    service.answer = lambda asked: (200, [(name, '"1"') for name in fields], b"")
    [response] = service.post(BatchRequest([GET])).responses()
    assert response.headers.pairs == (("ETag", '"1"'),)


def test_everything_else_goes_to_the_application(service: Service) -> None:
    assert service.send(url="/service/People").text == "/service/People"
    assert service.send(url="/$batch", method="GET").text == "/$batch"
    assert service.asked[0].transaction is None


# -- formats --------------------------------------------------------------------------------------

LINES = "text/x-lines"
MIXED, JSON = "multipart/mixed", "application/json"


@pytest.mark.parametrize("row", table("accepts"))
def test_the_format_that_is_wanted_most_is_answered(service: Service, row: str) -> None:
    """A row has the query, Accept, and what is answered."""
    query, accept, expected = (each.strip() for each in row.split("|"))
    sent = encode_request(BatchRequest([GET]), format="multipart", accept=accept)
    answer = service.send(sent, url=PATH + query)
    assert answer.headers["content-type"].partition(";")[0] == expected
    assert answer.headers["vary"] == "OData-MaxVersion"
    assert answer.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize(
    ("format", "accept", "settings", "expected"),
    [
        ("json", MIXED, {"codec": Codec(GRAPH)}, JSON),
        ("multipart", MIXED, {"codec": Codec(format="json")}, JSON),
        ("multipart", JSON, {"answer": "as sent"}, MIXED),
    ],
)
def test_a_service_may_decide_on_the_format(
    service: Service, format: Format, accept: str, settings: dict[str, Any], expected: str
) -> None:
    sent = encode_request(BatchRequest([GET]), format=format, accept=accept)
    for query in ("", f"?$format={accept}"):
        answer = service.send(sent, url=PATH + query, **settings)
        assert answer.headers["content-type"].partition(";")[0] == expected


def decode_lines(body: bytes, content_type: str) -> BatchRequest:
    """Read a toy format: each line is a method, a space and a URL."""
    assert content_type.startswith(LINES)
    pairs = [line.partition(" ") for line in body.decode("ascii").splitlines()]
    return BatchRequest([Operation(method, url) for method, _, url in pairs])


def encode_lines(response: BatchResponse) -> Payload:
    lines = "".join(f"{each.status}\n" for each in response.responses())
    return Payload(lines.encode("ascii"), {"Content-Type": LINES})


TOY: dict[str, Any] = {"formats": {LINES: (decode_lines, encode_lines)}, "continue_on_error": True}


def test_a_third_format_plugs_in(service: Service) -> None:
    body = b"GET People\nGET Missing\nGET http://elsewhere.example/\n"
    answer = service.send(Payload(body, {"Content-Type": f"{LINES};a=b"}), **TOY)
    assert (answer.headers["content-type"], answer.text) == (LINES, "200\n404\n403\n")
    answer = service.send(encode_request(BatchRequest([GET, MISSING]), accept=LINES), **TOY)
    assert answer.text == "200\n404\n"
    answer = service.send(Payload(b"\xff", {"Content-Type": LINES}), **TOY)
    assert answer.status_code == 400 and "codec can't decode" in error_of(answer)


def test_a_body_that_is_cut_off_is_not_run_though_it_reads_as_a_whole(service: Service) -> None:
    sent = Payload(b"DELETE People(1)", {"Content-Type": LINES})
    answer = service.send(sent, headers=[("Content-Length", "18")], **TOY)
    assert (answer.status_code, service.asked) == (400, [])
    assert error_of(answer) == "the body ends before its Content-Length, 18"


# -- while it arrives -----------------------------------------------------------------------------

LONG: dict[str, Any] = {"stream_from": 1000, "codec": Codec(limits=Limits(operations=1000))}


def long_batch(*items: Operation | ChangeSet) -> BatchRequest:
    """Give a batch of which the first operation has come long before the last."""
    people, orders = Operation.get("People", id="9"), Operation.get("$9/Orders", id="10")
    rest = [Operation.post(f"Q{index}", json="x" * 30_000) for index in range(7)]
    items = people, writes("1", "2"), MISSING, *rest[:3], writes("3"), orders, *rest[3:], *items
    return BatchRequest(items, continue_on_error=True)


def test_a_long_batch_is_run_and_answered_while_it_arrives(
    service: Service, format: Format
) -> None:
    log, sent = Log(), encode_request(long_batch(), format=format)
    settings: dict[str, Any] = {"begin": log.begin, "ordered": True}
    whole = service.send(sent, **settings)
    asked, events = [*service.lines], [*log.events]
    long = service.send(sent, **settings, **LONG)
    assert service.lines == asked * 2 and log.events == events * 2
    assert {*whole.headers} - {*long.headers} == {"content-length"}
    first, second = (
        decode_response(each.content, each.headers["content-type"]) for each in (whole, long)
    )
    assert first == second and statuses(first).count(404) == 1
    sent = encode_request(long_batch(), accept=LINES)  # which is written when it is known
    for settings in ({"stream_from": 10**6}, TOY):
        again = service.send(sent, **{**LONG, "begin": log.begin, **settings})
        assert again.headers["content-length"] == str(len(again.content))


@pytest.mark.parametrize("cut", [False, True])
def test_an_answer_to_what_cannot_be_read_has_no_end(
    service: Service, format: Format, cut: bool
) -> None:
    sent = encode_request(long_batch(), format=format)
    body = sent.body[:-40] if cut else sent.body[:-40] + b"\0" * 70_000
    fields = [("Content-Length", str(len(sent.body)))] if cut else []
    headers = [pair for pair in sent.headers.pairs if pair[0] != "Content-Length"]
    answer = service.send(Payload(body, headers), headers=fields, begin=Log().begin, **LONG)
    assert answer.status_code == 200 and "GET /service/People" in service.lines
    content_type = answer.headers["content-type"]
    report = check_response(answer.content, content_type)
    assert report.value is None or report.value.truncated
    # Nothing has been run of what is wrong at the beginning.
    answer = service.send(Payload(b"\0" * 2000, sent.headers), **LONG)
    assert answer.status_code == 400


# -- what is refused ------------------------------------------------------------------------------

NO_FORM = "[batch-media-type] at byte 0 in headers: found 'Multipart/Form-Data', expected multipart"
NO_DELIMITER = "[no-delimiter] at byte 0: body starts with '--x', Content-Type says 'b'"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_a_batch_is_posted(service: Service, method: str) -> None:
    answer = service.send(method=method)
    assert (answer.status_code, answer.headers["allow"], service.asked) == (405, "POST", [])
    assert bool(answer.content) == ("content-type" in answer.headers) == (method != "HEAD")


@pytest.mark.parametrize(
    ("coding", "status"), [("gzip", 415), ("identity", 200), ("Identity", 200)]
)
def test_a_body_has_no_content_coding(service: Service, coding: str, status: int) -> None:
    answer = service.send(headers=[("Content-Encoding", coding)])
    assert answer.status_code == status
    assert ("content coding" in answer.text) == (status == 415)


@pytest.mark.parametrize(
    ("content_type", "body", "status", "message"),
    [
        (f"{MIXED}; boundary=b", b"--x\r\n", 400, NO_DELIMITER),
        ("multipart/mixed", b"--x\r\n", 400, "[boundary-missing] at byte 0 in headers: "),
        ("text/plain", b"", 415, "[batch-media-type] at byte 0 in headers: found 'text/plain'"),
        ("application/json", b'{"requests":', 400, "[json-syntax]"),
        ("Multipart/Form-Data; boundary=b", b"--b\r\nX: form-data\r\n\r\n1\r\n--b--", 415, NO_FORM),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused_with_its_rule(
    service: Service, content_type: str, body: bytes, status: int, message: str
) -> None:
    answer = service.send(Payload(body, {"Content-Type": content_type}))
    assert (answer.status_code, service.asked) == (status, [])
    assert error_of(answer).startswith(f"error{message}")
    assert error_of(answer).endswith(f". {RULES[message.partition(']')[0][1:]].remedy}")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("limit", "value"), [("operations", 8), ("items", 8), ("message", 300)])
def test_a_quota_is_kept(service: Service, format: Format, limit: str, value: int) -> None:
    codec = Codec(limits=Limits(**{limit: value}))
    if limit != "message":
        assert statuses(service.post(BatchRequest([GET] * 8), format, codec=codec)) == [200] * 8
        service.asked.clear()
    answer = service.send(encode_request(BatchRequest([GET] * 9), format=format), codec=codec)
    assert (answer.status_code, service.asked) == (413, [])
    assert f"the limit is {value} (Limits.{limit})" in error_of(answer)


def test_a_hundred_operations_are_the_quota_unless_the_owner_says_another(service: Service) -> None:
    assert service.send(encode_request(BatchRequest([GET] * 101))).status_code == 413


@pytest.mark.parametrize("host", ["a/b?c", "a/", "a?", "a#", "a b", "a:b", "u@a"])
def test_a_host_that_is_none_is_a_bad_request(service: Service, host: str) -> None:
    """With a path in the Host, the service root would be another one."""
    answer = service.send(headers=[("Host", host)])
    assert (answer.status_code, service.asked) == (400, [])


def test_a_batch_is_validated_before_anything_runs(service: Service) -> None:
    def validate(batch: BatchRequest, headers: Headers) -> OperationResponse | None:
        if headers.get("x-tenant") == "7":
            return OperationResponse(499, {"Retry-After": "5"}, b"later")
        if any(operation.method == "DELETE" for operation in batch.operations()):
            raise ValueError("nothing is deleted here")
        return None

    ask = partial(service.send, validate=validate)
    answer = ask(headers=[("X-Tenant", "7")])
    assert (answer.status_code, answer.headers["retry-after"], answer.text) == (499, "5", "later")
    answer = ask(encode_request(BatchRequest([GET, Operation.delete("P")])))
    assert (answer.status_code, error_of(answer)) == (400, "nothing is deleted here")
    assert service.asked == []
    assert ask().status_code == 200


# -- what fails -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, NotImplementedError])
def test_an_operation_in_which_the_application_fails_is_answered_with_500(
    service: Service, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(asked: Asked) -> Answer:
        raise error("the application is broken")

    service.answer = fail
    [response] = service.post(BatchRequest([GET])).responses()
    assert response.status == 500 and b"broken" not in response.body
    assert "the application is broken" in caplog.text


@pytest.mark.parametrize("answer", [(100, [], b""), (600, [], b""), (200, [], b"x" * 101)])
def test_a_response_that_is_none_or_too_large_is_answered_with_500(
    service: Service, answer: Answer
) -> None:
    service.answer = lambda asked: answer
    codec = Codec(limits=Limits(body=100))
    assert statuses(service.post(BatchRequest([GET]), codec=codec)) == [500]


def test_change_sets_without_transactions_are_not_implemented(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    [response] = service.post(BatchRequest([writes("1")])).responses()
    assert (response.status, service.asked) == (501, [])
    assert response.json()["error"]["message"] == "this service takes no change sets"
    assert [(each.levelname, each.exc_info) for each in caplog.records] == [("WARNING", None)]


WHOLE = "validate sees the whole batch before anything runs: leave one out"
OPTIONS = "dropped_headers, evaluate, locate, replaced, service_root"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "service/$batch"}, "path begins with a slash, not 'service/$batch'"),
        ({"codec": GRAPH}, "codec is a Codec, not Dialect: Codec(GRAPH)"),
        ({"codec": "json"}, "codec is a Codec, not str"),
        ({"begin": 3}, "begin is called, and 3 cannot be"),
        ({"path": 5}, "path is a str, not int: 5"),
        ({"handed_on": "cookie"}, "handed_on is an iterable of str, not str: 'cookie'"),
        ({"formats": ["a/b"]}, "formats is a Mapping, not list: ['a/b']"),
        ({"stream_from": "1M"}, "stream_from is an int or None, not str: '1M'"),
        ({"stream_from": 0, "validate": print}, f"stream_from runs what has arrived, and {WHOLE}"),
        ({"options": {"ordered": True}}, f"options has ['ordered'], expected some of {OPTIONS}"),
        ({"validate": True}, "validate is called, and True cannot be"),
        ({"references": "all"}, "references is 'keep' or 'resolve', not 'all'"),
        ({"answer": "json"}, "answer is 'as asked' or 'as sent', not 'json'"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(settings: dict[str, Any], message: str) -> None:
    app: Any = by_path
    for kind in (Endpoint, partial(asgi.BatchMiddleware, app), partial(wsgi.BatchMiddleware, app)):
        with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}$"):
            kind(**settings)


# -- transactions ---------------------------------------------------------------------------------


@dataclass
class Log:
    """Transactions that note what happens to them, and fail where they are told to."""

    events: list[str] = field(default_factory=list)
    failing: tuple[str, ...] = ()
    kind: str = "plain"
    """Whether what they do is awaited, and whether they are context managers."""

    def note(self, event: str) -> Any:
        self.events.append(event)
        if event in self.failing:
            raise OSError("the connection is lost")
        return asyncio.sleep(0, self) if self.kind == "awaited" else self

    def begin(self) -> Any:
        if self.kind == "manager":
            return self.manager()
        if self.kind == "awaited manager":
            return asyncio.sleep(0, self.manager())
        return self.amanager() if self.kind == "async manager" else self.note("begin")

    @contextmanager
    def manager(self) -> Iterator[Log]:
        self.note("begin")
        try:
            yield self
        except RuntimeError:
            self.note("rollback")
            raise
        self.note("commit")

    @asynccontextmanager
    async def amanager(self) -> AsyncIterator[Log]:
        with self.manager():
            yield self

    def commit(self) -> Any:
        return self.note("commit")

    def rollback(self) -> Any:
        return self.note("rollback")


@pytest.mark.parametrize(
    ("failing", "expected", "events"),
    [
        ((), {200}, ["begin", "1", "2", "commit"]),
        (("2",), {409, 424}, ["begin", "1", "2", "rollback"]),
        (("begin",), {500}, ["begin"]),
        (("commit",), {500}, ["begin", "1", "2", "commit", "rollback"]),
        (("2", "rollback"), {500}, ["begin", "1", "2", "rollback"]),
        (("commit", "rollback"), {500}, ["begin", "1", "2", "commit", "rollback"]),
    ],
)
@pytest.mark.parametrize(
    "kind", ["plain", "awaited", "manager", "async manager", "awaited manager"]
)
def test_a_change_set_is_committed_once_or_rolled_back_once(
    service: Service,
    format: Format,
    failing: tuple[str, ...],
    expected: set[int],
    events: list[str],
    kind: str,
) -> None:
    if isinstance(service, WsgiService):
        kind = {"awaited": "plain"}.get(kind, kind.removeprefix("async ").removeprefix("awaited "))
    log = Log(failing=failing, kind=kind)

    def answer(asked: Asked) -> Answer:
        assert asked.transaction is log
        log.events.append(asked.path[-1])
        return (409 if asked.path[-1] in failing else 200), [], b""

    service.answer = answer
    response = service.post(BatchRequest([writes("1", "2")]), format, begin=log.begin)
    assert set(statuses(response)) <= expected
    if "manager" in kind and "commit" in failing:
        events = events[:-1]  # it is left, come what may
    assert log.events == events


@pytest.mark.parametrize("given", [None, 1, "closed", Headers()])
def test_what_cannot_be_committed_fails_before_anything_is_run(
    service: Service, given: object, caplog: pytest.LogCaptureFixture
) -> None:
    response = service.post(BatchRequest([writes("1", "2")]), "json", begin=lambda: given)
    assert (set(statuses(response)), service.asked) == ({500}, [])
    expected = "expected something with `commit` and `rollback`, or a context manager"
    assert caplog.records[0].exc_info is not None
    assert str(caplog.records[0].exc_info[1]) == f"`begin` gave {given!r}, {expected}"


class Ended(BaseException):
    """As KeyboardInterrupt, of which asyncio itself makes an end of everything."""


@pytest.mark.parametrize("failing", [(), ("rollback",)])
def test_every_transaction_is_rolled_back_whatever_is_raised(
    service: Service, failing: tuple[str, ...]
) -> None:
    log = Log(failing=failing)

    def fail(asked: Asked) -> Answer:
        raise Ended

    service.answer = fail
    sets = BatchRequest([writes("1"), writes("2")])
    with pytest.raises(Ended):
        service.post(sets, "json", begin=log.begin, ordered=False)
    assert log.events == ["begin", "begin", "rollback", "rollback"]


@pytest.mark.parametrize("option", ["locate", "replaced"])
def test_what_a_function_of_the_owner_raises_leaves_nothing_open(
    service: Service, option: str
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    log = Log()
    content = b"NaN" if option == "replaced" else b"1"
    service.answer = lambda asked: (200, [("Content-Type", JSON)], content)
    follow = Operation.post("$1/Friends", json={}, id="2")
    batch = BatchRequest([ChangeSet([Operation.post("P", json={}, id="1"), follow])])
    with pytest.raises(RuntimeError):
        service.post(batch, "json", begin=log.begin, options={option: fail})
    assert log.events == ["begin", "rollback"]


# -- ASGI ------------------------------------------------------------------------------------------

Message: TypeAlias = dict[str, Any]
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Talk:
    """A client and a server of ASGI: what the middleware is given, and what it sends."""

    app: App
    batch: BatchRequest
    format: Format = "multipart"
    settings: dict[str, Any] = field(default_factory=dict)
    sent: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    """Whether an error is received after the request."""
    repeats: bool = False
    """Whether the end of the request is received again and again, as some middleware has it."""

    async def run(self, **scope: Any) -> None:
        payload = encode_request(self.batch, format=self.format)
        fields = [("Host", HOST), *payload.headers.pairs]
        scope = {
            **{"type": "http", "method": "POST", "path": PATH},
            **{"query_string": b"", "headers": [(n.encode(), v.encode()) for n, v in fields]},
            **scope,
        }
        half = len(payload.body) // 2
        first = {"type": "http.request", "body": payload.body[:half], "more_body": True}
        more = {"type": "http.request", "more_body": True}  # a body is nothing by default
        inbox: list[Message] = [{"type": "http.request", "body": payload.body[half:]}, more, first]

        async def receive() -> Message:
            if len(inbox) > self.repeats and not self.gone.is_set():
                return inbox.pop()
            if self.lost:
                raise OSError("the connection is lost")
            if self.repeats:
                return inbox[0]
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.sent.append(message)

        middleware = asgi.BatchMiddleware(self.app, path=PATH, **self.settings)
        async with asyncio.timeout(WATCHDOG):
            await middleware(scope, receive, send)

    @property
    def statuses(self) -> list[int]:
        start, body = self.sent
        fields = {name: value.decode() for name, value in start["headers"]}
        return statuses(decode_response(body["body"], fields[b"content-type"]))


async def respond(send: Any, status: int = 200, body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status})
    await send({"type": "http.response.body", "body": body})


def test_operations_of_a_json_batch_run_at_the_same_time_and_see_nothing_of_each_other() -> None:
    seen: list[object] = []
    variable = contextvars.ContextVar("variable", default="unset")

    async def main() -> list[int]:
        barrier = asyncio.Barrier(2)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await barrier.wait()
            seen.extend((variable.get(), dict(scope["state"]), scope["extensions"]))
            variable.set("set")
            scope["state"]["user"] = "ann"
            await respond(send)

        talk = Talk(app, BatchRequest([GET] * 4), "json")
        await talk.run(state={"pool": 1}, extensions={"http.response.pathsend": {}})
        return talk.statuses

    assert asyncio.run(main()) == [200] * 4
    assert seen == ["unset", {"pool": 1}, {}] * 4


@pytest.mark.parametrize("where", ["begin", "operation", "commit"])
@pytest.mark.parametrize("how", ["cancelled", "timeout", "gone"])
def test_a_change_set_that_is_interrupted_is_brought_to_an_end(
    where: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What begins and commits is not interrupted, operations are, or told of the client's end."""
    events: list[str] = []

    async def main() -> None:
        reached, enough = asyncio.Event(), asyncio.Event()

        async def reach(place: str) -> None:
            events.append(place)
            if place == where:
                reached.set()
                await enough.wait()
                events.append(f"{place} done")

        class Transaction:
            async def commit(self) -> None:
                await reach("commit")

            async def rollback(self) -> None:
                events.append("rollback")

        async def begin() -> Transaction:
            await reach("begin")
            return Transaction()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await reach("operation")
            if (where, how) == ("operation", "gone"):
                await receive()  # nobody waits for a response any more
                events.append((await receive())["type"])
                return
            await respond(send)

        talk = Talk(app, BatchRequest([writes("1"), GET]), settings={"begin": begin})
        limit = asyncio.timeout(WATCHDOG)

        async def run() -> None:
            async with limit:
                await talk.run()

        task = asyncio.create_task(run())
        await reached.wait()
        if how == "timeout":
            limit.reschedule(0.0)
        elif how == "cancelled":
            task.cancel()
        elif how == "gone":
            talk.gone.set()
        await asyncio.sleep(0.1)
        enough.set()
        await asyncio.wait((task,))
        expected = {"cancelled": asyncio.CancelledError, "timeout": TimeoutError, "gone": None}[how]
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        assert error is None if expected is None else isinstance(error, expected)
        assert talk.sent == []

    asyncio.run(main())
    done = [f"{where} done"]
    if where == "operation":
        done = [*done, "http.disconnect"] if how == "gone" else []
    before = {"begin": [], "operation": ["begin"], "commit": ["begin", "operation"]}[where]
    assert events == [*before, where, *done, *([] if where == "commit" else ["rollback"])]
    assert how != "gone" or caplog.records == []


def test_a_client_that_goes_away_before_its_batch_has_come_asks_for_nothing() -> None:
    async def main() -> list[Message]:
        talk = Talk(by_nobody, BatchRequest([GET]))
        talk.gone.set()
        await talk.run()
        return talk.sent

    assert asyncio.run(main()) == []


async def by_nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing is called")


async def ends_too_early(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def begins_with_the_end(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"whole"})


async def fails_too_late(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, 201)
    assert (await receive())["type"] == "http.request"
    assert (await receive())["type"] == "http.disconnect"
    await respond(send, 500)


async def says_more(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.debug", "info": {}})
    await respond(send, 203)


async def gives_itself_up(scope: Any, receive: Any, send: Any) -> None:
    raise asyncio.CancelledError


def test_a_request_that_is_repeated_is_no_end_of_the_connection() -> None:
    talk = Talk(says_more, BatchRequest([GET] * 3), repeats=True)
    asyncio.run(talk.run())
    assert talk.statuses == [203] * 3


def test_what_a_server_raises_about_the_connection_passes_through() -> None:
    talk = Talk(says_more, BatchRequest([GET] * 3), lost=True)
    with pytest.raises(OSError, match="the connection is lost"):
        asyncio.run(talk.run())
    assert talk.sent == []


@pytest.mark.parametrize(
    ("app", "status", "said"),
    [
        (ends_too_early, 500, "the application has ended before its response"),
        (begins_with_the_end, 500, "the application has ended before its response"),
        (fails_too_late, 201, "the response is complete"),
        (says_more, 203, ""),
        (gives_itself_up, 500, "CancelledError"),
    ],
)
def test_what_an_application_sends_is_the_response_once_it_is_complete(
    app: App, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk(app, BatchRequest([GET, GET], continue_on_error=True))
    asyncio.run(talk.run())
    assert talk.statuses == [status] * 2
    assert said in caplog.text
    assert {each.name for each in caplog.records} == ({"odata_batch"} if said else set())


def test_a_path_below_the_root_path_and_no_other_kind_of_connection_is_answered() -> None:
    asked: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append((scope["type"], scope.get("path"), scope.get("raw_path")))
        await respond(send)

    async def main() -> None:
        for root in ("/v1", ""):  # a proxy leaves it out, or not
            url = f"https://{HOST}{root}/service/Caf%C3%A9%2F1"
            talk = Talk(app, BatchRequest([Operation.get(url)]))
            await talk.run(root_path="/v1", path=f"{root}{PATH}", scheme="https")
            assert talk.statuses == [200]
        for scope in ({"type": "lifespan"}, {"type": "websocket"}, {"path": f"/v1{PATH}"}):
            await talk.run(**scope)

    asyncio.run(main())
    assert asked == [
        ("http", "/v1/service/Caf\u00e9/1", b"/v1/service/Caf%C3%A9%2F1"),
        ("http", "/service/Caf\u00e9/1", b"/service/Caf%C3%A9%2F1"),
        *(("lifespan", PATH, None), ("websocket", PATH, None), ("http", f"/v1{PATH}", None)),
    ]


def test_no_more_of_a_body_is_received_than_the_limit() -> None:
    taken, sent = 0, list[Message]()

    async def receive() -> Message:
        nonlocal taken
        taken += 100
        return {"type": "http.request", "body": bytes(100), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": []}
    app = asgi.BatchMiddleware(by_nobody, path=PATH, codec=Codec(limits=Limits(message=500)))
    asyncio.run(app(scope, receive, send))
    assert (taken, sent[0]["status"]) == (600, 413)


def test_the_middleware_can_be_added_to_starlette() -> None:
    async def endpoint(request: Request) -> Response:
        body = await request.body()

        async def chunks() -> Any:
            yield body
            yield b" and more"

        return StreamingResponse(chunks(), media_type="text/plain")

    async def dispatch(request: Request, call_next: Any) -> Any:
        """Let through; what Starlette makes of it also listens for the end of the connection."""
        return await call_next(request)

    async def main() -> httpx.Response:
        app = Starlette(routes=[Route("/{rest:path}", endpoint, methods=["POST"])])
        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
        app.add_middleware(asgi.BatchMiddleware, path=PATH)
        payload = encode_request(BatchRequest([Operation.post("P", json=1)] * 2), format="json")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            return await client.post(PATH, content=payload.body, headers=dict(payload.headers))

    answer = asyncio.run(main())
    response = decode_response(answer.content, answer.headers["content-type"])
    assert [each.body for each in response.responses()] == [b"1 and more"] * 2


# -- WSGI ------------------------------------------------------------------------------------------


@dataclass
class Body:
    """A body that is read in pieces, and how large they were asked for."""

    content: bytes
    sizes: list[int] = field(default_factory=list)

    def read(self, size: int) -> bytes:
        self.sizes.append(size)
        taken, self.content = self.content[: min(size, 100)], self.content[min(size, 100) :]
        return taken


def environ_of(batch: BatchRequest, **more: str | bool) -> dict[str, Any]:
    payload = encode_request(batch, format="json")
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    del environ["HTTP_HOST"]
    environ |= {"SERVER_NAME": "example.org", "SERVER_PORT": "8080", "SCRIPT_NAME": "/v1"}
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": PATH, "REQUEST_URI": f"/v1{PATH}"}
    environ |= {"CONTENT_TYPE": payload.content_type, "CONTENT_LENGTH": str(len(payload.body))}
    return environ | {"wsgi.input": Body(payload.body)} | more


@dataclass
class Site:
    """A WSGI application that notes what it is given, and whether its answer was closed."""

    environ: dict[str, Any] = field(default_factory=dict)
    closed: int = 0

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        self.environ = environ
        start("500 No", [])
        try:
            raise ValueError
        except ValueError:
            start("200 OK", [("Content-Type", "text/plain")], sys.exc_info())
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"a", b"b"))

    def close(self) -> None:
        self.closed += 1

    def ask(self, environ: dict[str, Any], **settings: Any) -> tuple[str, bytes]:
        """Return the status line and the body of the answer."""
        lines: list[str] = []
        batch = wsgi.BatchMiddleware(self, path=PATH, **settings)
        body = b"".join(batch(environ, lambda status, *_: lines.append(status)))  # type: ignore[arg-type]  # nothing is written
        return lines[0], body


@pytest.mark.parametrize("length", ["-1", "+5", "", "1_0", "\u0661", None])
def test_a_body_without_a_length_is_read_if_the_server_tells_its_end(length: str | None) -> None:
    for is_told in (False, True):
        environ = environ_of(BatchRequest([GET]), **{"wsgi.input_terminated": is_told})
        environ["CONTENT_LENGTH"] = length
        if length is None:
            del environ["CONTENT_LENGTH"]
        line, said = Site().ask(environ)
        assert line == ("200 OK" if is_told else "411 Length Required")
        assert is_told != (b"a batch request has a Content-Length" in said)
        assert bool(environ["wsgi.input"].sizes) == is_told


def test_no_more_of_a_body_is_read_than_its_length_and_the_limit() -> None:
    environ = environ_of(BatchRequest([GET] * 20))
    body, length = environ["wsgi.input"], int(environ["CONTENT_LENGTH"])
    body.content += b"the next request"
    assert Site().ask(environ)[0] == "200 OK"
    assert (body.content, body.sizes[:2]) == (b"the next request", [length, length - 100])
    for codec, length, count in ((500, 1000, 0), (500, 10**30, 0), (500, 400, 5)):
        environ = environ_of(BatchRequest([GET] * 20), CONTENT_LENGTH=str(length))
        settings = Codec(limits=Limits(message=codec))
        Site().ask(environ, codec=settings)
        assert len(environ["wsgi.input"].sizes) <= count
    environ = environ_of(BatchRequest([GET] * 20), **{"wsgi.input_terminated": True})
    del environ["CONTENT_LENGTH"]
    assert Site().ask(environ, codec=settings)[0].startswith("413 ")
    assert environ["wsgi.input"].sizes == [501, 401, 301, 201, 101, 1]


def test_an_application_that_starts_no_response_has_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = wsgi.BatchMiddleware(lambda environ, start: [b""], path=PATH)
    b"".join(app(environ_of(BatchRequest([GET])), lambda *_: print))
    assert "EOFError: the application has not called start_response" in caplog.text


def test_an_operation_has_an_environ_of_its_own() -> None:
    """Where nobody says another name, the server has its own."""
    site = Site()
    operation = Operation.get("Caf%C3%A9?a=%20", headers={"X-A": "1", "X_A": "2"})
    line, body = site.ask(environ_of(BatchRequest([operation]), RAW_URI="x", HTTP_IF_MATCH="*"))
    [response] = decode_response(body, JSON).responses()
    assert (line, response.status, response.body, site.closed) == ("200 OK", 200, b"ab", 1)
    expected = {
        **{"HTTP_HOST": "example.org:8080", "SCRIPT_NAME": "/v1", "HTTP_X_A": "1"},
        **{"PATH_INFO": "/service/Caf\u00c3\u00a9", "QUERY_STRING": "a=%20", "CONTENT_LENGTH": "0"},
        **{"REQUEST_URI": "/v1/service/Caf%C3%A9?a=%20", "RAW_URI": "/v1/service/Caf%C3%A9?a=%20"},
        **{"REQUEST_METHOD": "GET", "CONTENT_TYPE": "", "odata.transaction": None},
    }
    assert {name: site.environ[name] for name in expected} == expected
    assert "HTTP_IF_MATCH" not in site.environ


def test_what_has_been_answered_counts_if_closing_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The script name may be missing if it is empty (PEP 3333)."""

    class Fails(Site):
        def close(self) -> None:
            raise OSError("it cannot be closed")

    environ = environ_of(BatchRequest([GET]))
    del environ["SCRIPT_NAME"]
    _, body = Fails().ask(environ)
    assert statuses(decode_response(body, JSON)) == [200]
    assert "it cannot be closed" in caplog.text


# -- without either --------------------------------------------------------------------------------


def test_what_is_refused_has_nothing_to_be_done_and_takes_no_more() -> None:
    serving = Serving(Endpoint(), "POST", "https://h/$batch", {"Content-Type": "text/plain"})
    assert (serving.answer, serving.ready(), serving.drain()) == (None, (), b"")
    serving.refuse(401, "who are you?")
    serving.receive_data(b"x", more=False)
    assert serving.answer is not None and serving.answer.status == 401
    assert (serving.wants_data, serving.ready()) == (False, ())


def test_a_transaction_that_is_over_is_not_committed_again() -> None:
    payload = encode_request(BatchRequest([writes("1")]))
    serving = Serving(Endpoint(begin=Log().begin), "POST", "https://h/$batch", payload.headers)
    serving.receive_data(payload.body, more=False)
    (begin,) = serving.ready()
    serving.done(begin, serving.do(begin, print))
    (step,) = serving.ready()
    with pytest.raises(TypeError, match="the response to a step is an OperationResponse, not None"):
        serving.done(step)
    serving.done(step, OperationResponse(204))
    (commit,) = serving.ready()
    serving.done(commit, serving.do(commit, print))
    with pytest.raises(RuntimeError, match="the transaction is over"):
        serving.do(commit, print)
