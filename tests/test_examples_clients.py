"""The clients of examples/, against a real server on loopback that runs what they send."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import httpx
import pytest
import requests
import urllib3

from examples import client_aiohttp, client_httpx, client_requests, client_urllib3
from examples.mock_graph import mock_graph
from examples.operations import from_httpx, from_requests, from_urllib
from examples.queue_httpx import QueueingTransport
from odata_batch import (
    BatchError,
    BatchRequest,
    BatchResult,
    EncodeError,
    Execution,
    Headers,
    Operation,
    OperationResponse,
    Step,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    match,
    remaining,
    retry_after,
)
from odata_batch.dialects import GRAPH

from .batches import request
from .helpers import FORMATS, MULTIPART, Format
from .servers import WATCHDOG, wsgi_server

ROOT = Path(__file__).resolve().parent.parent
TEXT = {"Content-Type": "text/plain"}
T = TypeVar("T")
Answer = tuple[int, Headers, bytes]


# -- a service -------------------------------------------------------------------------------------


@dataclass
class Service:
    """Answers batches, one operation after the other, and remembers them."""

    outer: Callable[[bytes], Answer | None] = lambda body: None
    """What a batch is answered with instead of being run."""
    url: str = ""
    batches: list[BatchRequest] = field(default_factory=list)

    def app(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        fields = [
            (name.removeprefix("HTTP_").replace("_", "-"), value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        ]
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        status, headers, answer = self.serve(Headers(fields), body)
        start_response(f"{status} Whatever", list(headers.pairs))
        return [answer]

    def serve(self, headers: Headers, body: bytes) -> Answer:
        instead = self.outer(body)
        if instead is not None:
            return instead
        try:
            batch = decode_request(body, headers["Content-Type"], headers=headers)
            execution = Execution(batch, batch_url=self.url, headers=headers)
        except BatchError as error:
            return error.http_status, Headers(TEXT), str(error).encode()
        self.batches.append(batch)
        while not execution.finished:
            for work in execution.ready():
                assert isinstance(work, Step)
                execution.complete(work, people(work))
        payload = encode_response(execution.response())
        return 200, payload.headers, payload.body


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Run the service on loopback; its URL is `service.url`."""
    with wsgi_server(service.app) as origin:
        service.url = f"{origin}/service/$batch"
        yield service


def people(step: Step) -> OperationResponse:
    """Answer as a service of people does."""
    path = step.url.partition("/service/")[2]
    if step.method == "POST":
        return OperationResponse(201, TEXT, step.body)
    if step.method != "GET":
        return OperationResponse(204)
    if path == "People(404)":
        return OperationResponse(404, TEXT, b"not found")
    return OperationResponse(200, TEXT, path.encode())


# -- the four clients ------------------------------------------------------------------------------


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    async def watched() -> T:
        async with asyncio.timeout(2 * WATCHDOG):
            return await coroutine

    return asyncio.run(watched())


Send = Callable[[str, BatchRequest, Format | None, list[float]], BatchResult]


def in_turn(module: Any, opened: Callable[[], Any]) -> Send:
    """Return what sends by the module of a client that blocks."""

    def send(url: str, batch: BatchRequest, format: Format | None, slept: list[float]) -> Any:
        with opened() as client:
            return module.send(client, url, batch, format, slept.append)

    return send


def awaited(module: Any, opened: Callable[[], Any]) -> Send:
    """Return what sends by the module of a client that is awaited."""

    def send(url: str, batch: BatchRequest, format: Format | None, slept: list[float]) -> Any:
        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        async def sent() -> Any:
            async with opened() as client:
                return await module.send(client, url, batch, format, sleep)

        return run(sent())

    return send


def session() -> requests.Session:
    opened = requests.Session()
    opened.trust_env = False
    return opened


CLIENTS: dict[str, Send] = {
    "aiohttp": awaited(client_aiohttp, aiohttp.ClientSession),
    "httpx": awaited(client_httpx, partial(httpx.AsyncClient, trust_env=False)),
    "requests": in_turn(client_requests, session),
    "urllib3": in_turn(client_urllib3, urllib3.PoolManager),
}


@dataclass
class Talk:
    """What a client got back for a batch, which a line of text says, and what the service saw."""

    client: Send
    batch: str
    format: Format
    service: Service = field(default_factory=Service)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        with serving(self.service) as service:
            self.result = self.client(service.url, request(self.batch), self.format, self.slept)
        self.states = [outcome.state.value for outcome in self.result]


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Send:
    return CLIENTS[request.param]


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


def bodies(result: BatchResult) -> list[bytes]:
    return [b"" if each.response is None else each.response.body for each in result]


def test_client_batch_queries_are_answered_each_for_itself(client: Send, format: Format) -> None:
    result = Talk(client, "GET People; GET People(1)/Name", format).result
    assert bodies(result) == [b"People", b"People(1)/Name"]
    assert result.ok


def answered(*answers: Answer | None) -> Service:
    """Return a service that answers batches so, one after the other; `None` runs the batch."""
    left = [*answers]
    return Service(lambda _: left.pop(0))


def test_a_client_sends_again_what_the_service_was_too_busy_for(client: Send) -> None:
    busy = 429, Headers({**TEXT, "Retry-After": "9"}), b"busy"
    talk = Talk(client, "GET People; DELETE People(1)", "multipart", answered(busy, None))
    assert (talk.states, talk.slept) == (["succeeded"] * 2, [0.0, 9.0])


def test_a_client_does_not_follow_a_redirect(client: Send) -> None:
    elsewhere = 302, Headers({**TEXT, "Location": "/elsewhere"}), b""
    talk = Talk(client, "POST People; DELETE People(1)", "multipart", answered(elsewhere))
    assert talk.states == ["unknown"] * 2


def test_a_client_sends_again_what_nobody_has_got(client: Send) -> None:
    """Nobody listens; what was written may have been applied if the connection broke later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/service/$batch"
    result = client(url, BatchRequest([Operation.post("People", json={})]), None, [])
    assert result.outcomes[0].state.value in ("not-executed", "unknown")


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_is_a_program(name: str) -> None:
    with serving(Service()) as service:
        paths = ("People", "People(404)")
        command = [sys.executable, "-W", "error", f"examples/client_{name}.py", service.url, *paths]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        ["People succeeded: 200 OK", "People(404) failed: 404 Not Found"],
    )


# -- the queueing transport ------------------------------------------------------------------------


@dataclass
class Queue:
    """A client whose calls are collected, the batch that collects them, and the service."""

    service: Service
    batch: QueueingTransport
    client: httpx.AsyncClient
    outer: httpx.AsyncClient


QueueTest = Callable[[Queue], Coroutine[Any, Any, None]]


def queueing(
    make: Callable[[], Service] = Service,
) -> Callable[[QueueTest], Callable[[], None]]:
    """Run a test with a queue in front of the service, under a watchdog."""

    def queued(test: QueueTest) -> Callable[[], None]:
        async def opened(service: Service) -> None:
            root = service.url.removesuffix("$batch")
            async with httpx.AsyncClient(trust_env=False) as outer:
                batch = QueueingTransport(outer, service.url)
                async with httpx.AsyncClient(transport=batch, base_url=root) as client:
                    await test(Queue(service, batch, client, outer))

        def run_test() -> None:
            with serving(make()) as service:
                run(opened(service))

        return run_test

    return queued


@queueing()
async def test_a_queueing_handler_sends_ordinary_calls_as_one_batch(queue: Queue) -> None:
    found = queue.batch.collect(queue.client.get("People", params={"$top": "1"}))
    made = queue.batch.collect(queue.client.post("People", json={"Name": "Ann"}))
    await queue.batch.send()
    assert (await found).text == "People?%24top=1"
    assert (await made).json() == {"Name": "Ann"}
    assert (await made).request.method == "POST"
    assert len(queue.service.batches) == 1


@queueing()
async def test_a_queueing_handler_gives_500_concurrent_calls_their_own_responses(
    queue: Queue,
) -> None:
    urls = [f"People({number})/Name" for number in range(500)]
    calls = [queue.batch.collect(queue.client.get(url)) for url in urls]
    sending = asyncio.create_task(queue.batch.send())
    await asyncio.sleep(0)
    answers = await asyncio.gather(*calls)
    assert [answer.text for answer in answers] == urls
    assert len(queue.service.batches) == 1
    await sending


@queueing()
async def test_a_queueing_handler_waits_for_calls_that_take_their_turns(queue: Queue) -> None:
    async def hook(request: httpx.Request) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    queue.client.event_hooks = {"request": [hook]}
    calls = [queue.batch.collect(queue.client.get(f"People({number})")) for number in range(3)]
    await queue.batch.send()
    assert [(await call).text for call in calls] == ["People(0)", "People(1)", "People(2)"]
    assert len(queue.service.batches) == 1


@queueing()
async def test_a_queueing_handler_gives_a_call_its_own_error_response(queue: Queue) -> None:
    calls = [queue.batch.collect(queue.client.get(f"People({n})")) for n in (1, 404, 2)]
    await queue.batch.send()
    assert [(await call).status_code for call in calls] == [200, 404, 200]


PART = b"--b\r\nContent-Type: application/http\r\n\r\n"
CUT = PART + b"HTTP/1.1 204 No Content\r\n\r\n\r\n" + PART


@queueing(lambda: answered((200, Headers({"Content-Type": MULTIPART}), CUT)))
async def test_a_queueing_handler_gives_a_call_its_own_failure(queue: Queue) -> None:
    calls = [queue.batch.collect(queue.client.get("People")) for _ in range(2)]
    await queue.batch.send()
    assert (await calls[0]).status_code == 204
    with pytest.raises(httpx.RemoteProtocolError, match="unknown: the response was cut off"):
        await calls[1]


@queueing()
async def test_a_queueing_handler_collects_whatever_makes_a_call(queue: Queue) -> None:
    async def name_of(number: int) -> str:
        answer = await queue.client.get(f"People({number})/Name")
        return answer.raise_for_status().text.upper()

    name = queue.batch.collect(name_of(1))
    await queue.batch.send()
    assert await name == "PEOPLE(1)/NAME"


WAITS: list[Callable[[Queue], Awaitable[object]]] = [
    lambda queue: queue.client.get("People"),
    lambda queue: asyncio.gather(queue.client.get("People"), queue.client.get("People(1)")),
    lambda queue: asyncio.create_task(queue.client.get("People")),
    lambda queue: asyncio.wait_for(queue.client.get("People"), 2 * WATCHDOG),
    lambda queue: queue.batch.collect(queue.client.get("People")),
    lambda queue: asyncio.gather(*(queue.batch.collect(queue.client.get("P")) for _ in range(2))),
]


@queueing()
async def test_a_queueing_handler_refuses_at_once_what_is_awaited_before_it_is_sent(
    queue: Queue,
) -> None:
    for wait in WAITS:
        message = r"the call is awaited (before its|outside of a) batch"
        with pytest.raises(RuntimeError, match=message):
            await wait(queue)
        queue.batch.reset()


@queueing()
async def test_a_queueing_handler_answers_later_what_was_awaited_too_early(queue: Queue) -> None:
    call = queue.batch.collect(queue.client.get("People"))
    with pytest.raises(RuntimeError):
        await call
    await queue.batch.send()
    assert (await call).text == "People"


@queueing()
async def test_a_queueing_handler_ends_every_call_with_the_failure_of_the_batch(
    queue: Queue,
) -> None:
    batch = QueueingTransport(queue.outer, "http://127.0.0.1:1/$batch")
    client = httpx.AsyncClient(transport=batch, base_url="http://127.0.0.1:1/")
    calls = [batch.collect(client.get("People")) for _ in range(3)]
    with pytest.raises(httpx.ConnectError) as failure:
        await batch.send()
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert all(error is failure.value for error in errors)


@queueing()
async def test_a_queueing_handler_ends_every_call_if_the_batch_is_cancelled(queue: Queue) -> None:
    released, began = threading.Event(), asyncio.Event()

    async def hook(request: httpx.Request) -> None:
        began.set()

    def hold(body: bytes) -> None:
        released.wait(WATCHDOG)

    queue.service.outer = hold
    queue.outer.event_hooks = {"request": [hook]}
    calls = [queue.batch.collect(queue.client.get("People")) for _ in range(3)]
    sending = asyncio.create_task(queue.batch.send())
    await began.wait()
    sending.cancel()
    ends = await asyncio.gather(sending, *calls, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 4
    released.set()


@queueing()
async def test_a_queueing_handler_ends_every_call_if_it_is_cancelled_as_it_begins(
    queue: Queue,
) -> None:
    call = queue.batch.collect(queue.client.get("People"))
    sending = asyncio.create_task(queue.batch.send())
    await asyncio.sleep(0)
    sending.cancel()
    ends = await asyncio.gather(sending, call, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
    with pytest.raises(RuntimeError, match="outside of a batch"):
        await queue.client.get("People")


@queueing()
async def test_a_queueing_handler_lets_one_call_be_cancelled_alone(queue: Queue) -> None:
    first, second = (queue.batch.collect(queue.client.get(f"People({n})")) for n in (1, 2))
    sending = asyncio.create_task(queue.batch.send())
    await asyncio.sleep(0)
    assert first.task is not None
    first.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second).text == "People(2)"
    await sending


@queueing(lambda: answered((413, Headers(TEXT), b"too much")))
async def test_a_queueing_handler_gives_every_call_the_status_of_a_refusal(queue: Queue) -> None:
    calls = [queue.batch.collect(queue.client.get("People")) for _ in range(2)]
    await queue.batch.send()
    assert [(await call).status_code for call in calls] == [413, 413]


@queueing()
async def test_a_queueing_handler_leaves_no_call_behind_that_cannot_be_encoded(
    queue: Queue,
) -> None:
    headers = {"Authorization": "Bearer secret"}
    call = queue.batch.collect(queue.client.get("People", headers=headers))
    other = queue.batch.collect(queue.client.get("People"))
    with pytest.raises(EncodeError, match="forbidden-header") as failure:
        await queue.batch.send()
    ends = await asyncio.gather(call, other, return_exceptions=True)
    assert list(ends) == [failure.value, failure.value]


@queueing()
async def test_a_queueing_handler_sends_a_second_batch_after_reset(queue: Queue) -> None:
    first = queue.batch.collect(queue.client.get("People(1)"))
    await queue.batch.send()
    given_up = queue.batch.collect(queue.client.get("People(2)"))
    queue.batch.reset()
    last = queue.batch.collect(queue.client.get("People(3)"))
    await queue.batch.send()
    assert [(await call).text for call in (first, last)] == ["People(1)", "People(3)"]
    with pytest.raises(RuntimeError, match="awaited before its batch is sent"):
        await given_up
    assert [len(batch.items) for batch in queue.service.batches] == [1, 1]


@queueing()
async def test_a_queueing_handler_answers_all_who_send_at_the_same_time(queue: Queue) -> None:
    async def use(number: int) -> str:
        call = queue.batch.collect(queue.client.get(f"People({number})"))
        await queue.batch.send()
        return (await call).text

    texts = await asyncio.gather(*map(use, range(3)))
    assert texts == ["People(0)", "People(1)", "People(2)"]
    assert sum(len(batch.items) for batch in queue.service.batches) == 3


# -- the mock of Microsoft Graph -------------------------------------------------------------------

BINARY = {"Content-Type": "image/jpeg"}
JPEG = bytes((0xFF, 0xD8, 0xFF, 0xE0)) + b"\r\n--not a delimiter\0"
GRAPH_URL = "https://graph.microsoft.com/v1.0/$batch"


@dataclass
class Directory:
    """A few users, their photos, and mail that is throttled at first."""

    photos: dict[str, bytes] = field(default_factory=dict)
    throttled: int = 1
    steps: list[Step] = field(default_factory=list)

    def __call__(self, step: Step) -> OperationResponse:
        self.steps.append(step)
        path = step.url.removeprefix("https://graph.microsoft.com/v1.0")
        if path == "/me/photo/$value":
            if step.method == "PUT":
                self.photos[path] = step.body
            photo = self.photos.get(path, b"")
            return OperationResponse(200 if photo else 404, {"Content-Type": "image/jpeg"}, photo)
        if path == "/me/messages" and self.throttled:
            self.throttled -= 1
            return OperationResponse(429, {"Retry-After": "2"})
        if path == "/me/missing":
            return OperationResponse(404)
        body = json.dumps({"path": path}).encode()
        return OperationResponse(200, {"Content-Type": "application/json"}, body)


def post(client: httpx.Client, batch: BatchRequest) -> BatchResult:
    payload = encode_request(batch, format="json", dialect=GRAPH)
    answer = client.post(GRAPH_URL, content=payload.body, headers=payload.headers)
    content_type = answer.headers["Content-Type"]
    response = decode_response(answer.content, content_type, dialect=GRAPH)
    return match(batch, response, format="json", dialect=GRAPH)


def answers(directory: Directory, batch: BatchRequest) -> BatchResult:
    with httpx.Client(transport=mock_graph(directory)) as client:
        return post(client, batch)


def test_a_graph_content_object_gives_every_operation_an_id() -> None:
    result = answers(Directory(), request("GET /me; users: GET /users"))
    assert result.statuses == {"1": 200, "users": 200}
    assert result["users"].response is not None
    assert result["users"].response.json() == {"path": "/users"}


def test_a_graph_content_object_runs_what_depends_on_others_behind_them() -> None:
    batch = request("z: GET /first; y: GET /second after z")
    assert b'"dependsOn":["z"]' in encode_request(batch, format="json", dialect=GRAPH).body
    directory = Directory()
    assert answers(directory, batch).ok
    assert [step.id for step in directory.steps] == ["z", "y"]


def test_a_graph_content_object_does_not_run_what_depends_on_a_failure() -> None:
    directory = Directory()
    result = answers(directory, request("1: GET /me/missing; 2: GET /second after 1"))
    assert (result.statuses, len(directory.steps)) == ({"1": 404, "2": 424}, 1)


def test_a_graph_content_object_carries_an_image_in_base64_both_ways() -> None:
    put = Operation.put("/me/photo/$value", headers=BINARY, body=JPEG, id="1")
    batch = BatchRequest([put, Operation.get("/me/photo/$value", id="2", depends_on=["1"])])
    payload = encode_request(batch, format="json", dialect=GRAPH)
    assert b'"body":"/9j/4A0KLS1ub3QgYSBkZWxpbWl0ZXIA"' in payload.body
    directory = Directory()
    result = answers(directory, batch)
    assert (directory.steps[0].body, bodies(result)[1]) == (JPEG, JPEG)


def test_a_graph_content_object_retries_what_has_failed_and_its_dependents() -> None:
    batch = request(
        "me: GET /me; mail: GET /me/messages after me; after: GET /me/events after mail"
    )
    directory = Directory()
    with httpx.Client(transport=mock_graph(directory)) as client:
        first = post(client, batch)
        again = remaining(batch, first, format="json", dialect=GRAPH)
        second = post(client, again)
    assert first.statuses == {"me": 200, "mail": 429, "after": 424}
    assert retry_after(first) == 2.0
    assert [operation.id for operation in again.operations()] == ["mail", "after"]
    assert second.statuses == {"mail": 200, "after": 200}


def test_a_mock_graph_ignores_groups() -> None:
    group = request("{ 1: DELETE /users/1; 2: GET /me/missing }")
    payload = encode_request(group, format="json")
    with httpx.Client(transport=mock_graph(Directory())) as client:
        answer = client.post(GRAPH_URL, content=payload.body, headers=payload.headers)
    statuses = {each["id"]: each["status"] for each in answer.json()["responses"]}
    assert statuses == {"1": 200, "2": 404}


@pytest.mark.parametrize(
    ("url", "body", "status"),
    [
        (GRAPH_URL, b"{}", 400),
        (GRAPH_URL, encode_request(request("21 * GET /me"), format="json").body, 400),
        ("https://graph.microsoft.com/v1.0/me", b"{}", 404),
    ],
)
def test_a_mock_graph_refuses_what_is_no_batch(url: str, body: bytes, status: int) -> None:
    with httpx.Client(transport=mock_graph(Directory())) as client:
        answer = client.post(url, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}


# -- operations made from requests -----------------------------------------------------------------

URL = "https://host/service/People?$top=1"


OF_JSON = {"Content-Type": "application/json", "Host": "other"}
PIECES = [JPEG[:5], JPEG[5:]]
Get, Put, Post = (partial(requests.Request, method) for method in ("GET", "PUT", "POST"))
PutByUrllib = partial(urllib.request.Request, URL, headers=BINARY, method="PUT")


@pytest.mark.parametrize(
    "operation",
    [
        from_httpx(httpx.Request("POST", URL, json={"Name": "Ann"})),
        from_requests(Post(URL, json={"Name": "Ann"}).prepare()),
        from_urllib(urllib.request.Request(URL, b'{"Name":"Ann"}', OF_JSON)),
    ],
    ids=["httpx", "requests", "urllib"],
)
def test_a_request_with_json_becomes_an_operation(operation: Operation) -> None:
    assert (operation.method, operation.url) == ("POST", URL)
    assert operation.headers == Headers({"Content-Type": "application/json"})
    assert operation.json() == {"Name": "Ann"}


@pytest.mark.parametrize(
    "operation",
    [
        *(
            from_httpx(httpx.Request("PUT", URL, content=body, headers=BINARY))
            for body in (JPEG, iter(PIECES))
        ),
        *(
            from_requests(Put(URL, data=body, headers=BINARY).prepare())
            for body in (JPEG, BytesIO(JPEG), iter(PIECES))
        ),
        *map(from_urllib, map(PutByUrllib, (JPEG, BytesIO(JPEG), PIECES, memoryview(JPEG)))),
    ],
)
def test_a_request_with_octets_becomes_an_operation(operation: Operation) -> None:
    assert operation == Operation.put(URL, headers=BINARY, body=JPEG)


def test_a_request_without_a_body_becomes_an_operation_without_fragment() -> None:
    url = URL + "#top"
    assert from_httpx(httpx.Request("GET", url)) == Operation.get(URL)
    assert from_requests(Get(url).prepare()) == Operation.get(URL)
    assert from_urllib(urllib.request.Request(url)) == Operation.get(URL)


def test_text_is_utf_8_in_a_body_and_iso_8859_1_in_a_field() -> None:
    operation = from_requests(Post(URL, data="\u00e9", headers={"X-Name": b"\xe9"}).prepare())
    assert (operation.body, operation.headers["X-Name"]) == (b"\xc3\xa9", "\u00e9")


def test_fields_of_the_connection_are_left_out_of_an_operation() -> None:
    kept = Headers({"Accept": "application/json", "Prefer": "return=minimal"})
    fields = {**kept, "Accept-Encoding": "gzip", "Connection": "keep-alive, X-Hop"}
    fields |= {"Content-Length": "0", "Host": "host", "Keep-Alive": "timeout=5"}
    fields |= {"Transfer-Encoding": "chunked", "X-Hop": "1"}
    prepared = requests.Request("DELETE", URL, headers=fields).prepare()
    assert from_requests(prepared).headers == kept
    assert from_httpx(httpx.Request("DELETE", URL, headers=fields)).headers == kept
    assert from_urllib(urllib.request.Request(URL, headers=fields)).headers == kept


def test_what_clients_add_by_themselves_can_be_encoded() -> None:
    with httpx.Client() as client, requests.Session() as session:
        operations = [
            from_httpx(client.build_request("POST", URL, json=[1])),
            from_requests(session.prepare_request(Post(URL, json=[1]))),
        ]
    payload = encode_request(BatchRequest(operations))
    assert decode_request(payload.body, payload.content_type).operations() == tuple(operations)


def test_credentials_of_a_request_are_refused_and_not_lost() -> None:
    operation = from_requests(Get(URL, auth=("ann", "secret")).prepare())
    with pytest.raises(EncodeError, match=r"forbidden-header.* found the header authorization"):
        encode_request(BatchRequest([operation]))


def test_repeated_fields_of_a_request_stay_apart() -> None:
    request = httpx.Request("GET", URL, headers=[("Prefer", "a"), ("Prefer", "b")])
    assert from_httpx(request).headers.get_all("Prefer") == ("a", "b")


def test_a_request_that_is_not_prepared_is_no_operation() -> None:
    with pytest.raises(ValueError, match="the request is not prepared"):
        from_requests(requests.PreparedRequest())


def test_a_body_of_numbers_is_no_body() -> None:
    request = urllib.request.Request(URL)
    request.data = 7  # type: ignore[assignment]  # what somebody without a type checker may do
    with pytest.raises(TypeError, match="the body is bytes, text, a file or an iterable, not int"):
        from_urllib(request)
