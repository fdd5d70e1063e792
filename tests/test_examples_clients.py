"""The clients of examples/, against a real server on loopback that runs what they send."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from wsgiref.types import StartResponse

import pytest

pytest.importorskip("aiohttp", reason="`make test` installs it")
pytest.importorskip("httpx", reason="`make test` installs it")
pytest.importorskip("requests", reason="`make test` installs it")
pytest.importorskip("urllib3", reason="`make test` installs it")

import aiohttp
import azure.core.rest
import httpx
import requests
import urllib3

from examples import (
    client_aiohttp,
    client_azure,
    client_httpx,
    client_requests,
    client_urllib,
    client_urllib3,
)
from examples.mock_graph import mock_graph
from examples.operations import (
    from_aiohttp,
    from_azure,
    from_httpx,
    from_requests,
    from_urllib,
    from_urllib3,
    parted,
)
from examples.queue_httpx import QueueingTransport
from examples.queue_requests import QueueingAdapter
from odata_batch import (
    BatchRequest,
    BatchResult,
    Codec,
    EncodeError,
    Exchange,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    Step,
    decode_request,
    decode_response,
    encode_request,
    match,
)
from odata_batch.dialects import DATAVERSE, GRAPH
from odata_batch.wsgi import BatchMiddleware

from .batches import request
from .helpers import FORMATS, MULTIPART, Format
from .models import Model
from .servers import WATCHDOG, wsgi_server

ROOT = Path(__file__).resolve().parent.parent
TEXT = {"Content-Type": "text/plain"}
GRAPH_URL = "https://graph.microsoft.com/v1.0/$batch"
DYNAMICS = "https://contoso.crm.dynamics.com/api/data/v9.2/"
JPEG = bytes((0xFF, 0xD8, 0xFF, 0xE0)) + b"\r\n--not a delimiter\0"
T = TypeVar("T")


# -- a service -------------------------------------------------------------------------------------


@dataclass
class Service:
    """A service of people, which remembers the batches that it ran."""

    answers: list[OperationResponse | None] = field(default_factory=list)
    """What it answers its first batches with, unless it is `None`, in place of running them."""
    url: str = ""
    batches: list[BatchRequest] = field(default_factory=list)
    heads: list[Headers] = field(default_factory=list)
    hold: Callable[[BatchRequest], object] = bool

    def see(self, batch: BatchRequest, headers: Headers) -> OperationResponse | None:
        if self.answers and (answer := self.answers.pop(0)) is not None:
            return answer
        self.batches.append(batch)
        self.heads.append(headers)
        self.hold(batch)
        return None


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Run the service on loopback; its URL is `service.url`."""
    path, codec = "/service/$batch", Codec(limits=Limits(operations=1000))
    app = BatchMiddleware(people, path=path, codec=codec, validate=service.see)
    with wsgi_server(app) as origin:
        service.url = origin + path
        yield service


def people(environ: dict[str, Any], start: StartResponse) -> list[bytes]:
    """Answer as a service of people does."""
    path, query = environ["PATH_INFO"].removeprefix("/service/"), environ["QUERY_STRING"]
    status, body = "200 OK", f"{path}?{query}".removesuffix("?").encode()
    if environ["REQUEST_METHOD"] == "POST":
        status, body = "201 Created", environ["wsgi.input"].read()
    elif environ["REQUEST_METHOD"] != "GET":
        status, body = "204 No Content", b""
    elif path == "People(404)":
        status, body = "404 Not Found", b"not found"
    start(status, list(TEXT.items()))
    return [body]


# -- the clients -----------------------------------------------------------------------------------


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    async def watched() -> T:
        async with asyncio.timeout(2 * WATCHDOG):
            return await coroutine

    return asyncio.run(watched())


Send = Callable[[Exchange], BatchResult]


def in_turn(send: Callable[[Any, Exchange], BatchResult], opened: Callable[[], Any]) -> Send:
    """Return what sends with a client that blocks."""

    def sent(exchange: Exchange) -> BatchResult:
        with opened() as client:
            return send(client, exchange)

    return sent


def awaited(send: Callable[..., Awaitable[BatchResult]], opened: Callable[[], Any]) -> Send:
    """Return what sends with a client that is awaited."""

    async def sent(exchange: Exchange) -> BatchResult:
        async with opened() as client:
            return await send(client, exchange)

    return lambda exchange: run(sent(exchange))


def session() -> requests.Session:
    opened = requests.Session()
    opened.trust_env = False
    return opened


def opener(exchange: Exchange) -> BatchResult:
    handlers = urllib.request.ProxyHandler({}), client_urllib.NoRedirect
    return client_urllib.send(urllib.request.build_opener(*handlers), exchange)


CLIENTS: dict[str, Send] = {
    "aiohttp": awaited(client_aiohttp.send, aiohttp.ClientSession),
    "azure": in_turn(client_azure.send, client_azure.make_client),
    "httpx": in_turn(client_httpx.send, partial(httpx.Client, trust_env=False)),
    "httpx async": awaited(client_httpx.send_async, partial(httpx.AsyncClient, trust_env=False)),
    "requests": in_turn(client_requests.send, session),
    "urllib": opener,
    "urllib3": in_turn(client_urllib3.send, urllib3.PoolManager),
}


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Send:
    return CLIENTS[request.param]


def talk(
    client: Send, batch: str, service: Service, format: Format = "multipart", wait: float = 0.0
) -> BatchResult:
    """Send a batch, which a line of text says, to the service."""
    with serving(service):
        return client(Exchange(request(batch), service.url, format=format, longest_delay=wait))


def bodies(result: BatchResult) -> list[bytes]:
    return [b"" if each.response is None else each.response.body for each in result]


def states(result: BatchResult) -> list[str]:
    return [outcome.state.value for outcome in result]


@pytest.mark.parametrize("format", FORMATS)
def test_client_batch_queries_are_answered_each_for_itself(client: Send, format: Format) -> None:
    result = talk(client, "GET People; GET People(1)/Name", Service(), format)
    assert bodies(result) == [b"People", b"People(1)/Name"]
    assert result.ok


def test_a_client_waits_and_sends_again_what_the_service_was_too_busy_for(client: Send) -> None:
    service = Service([OperationResponse(429, {"Retry-After": "9"})])
    began = time.monotonic()
    batch = "GET People; DELETE People(1)"
    assert states(talk(client, batch, service, wait=0.05)) == ["succeeded"] * 2
    assert time.monotonic() - began >= 0.05


def test_a_client_does_not_follow_a_redirect(client: Send) -> None:
    elsewhere = OperationResponse(302, {"Location": "/elsewhere"})
    result = talk(client, "POST People; DELETE People(1)", Service([elsewhere]))
    assert states(result) == ["unknown"] * 2


def test_a_client_takes_octets_as_they_are(client: Send) -> None:
    image = PART + b"HTTP/1.1 200 OK\r\n\r\n" + JPEG + b"\r\n--b--"
    answer = OperationResponse(200, {"Content-Type": MULTIPART}, image)
    assert bodies(talk(client, "GET People", Service([answer]))) == [JPEG]


def test_a_client_sends_a_write_again_only_where_nobody_has_got_it(client: Send) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/service/$batch"

        def hang_up() -> None:
            with listener.accept()[0] as connection:
                connection.recv(65536)

        thread = threading.Thread(target=hang_up)
        thread.start()
        cut = client(Exchange(request("POST People"), url, longest_delay=0.0))
        thread.join(WATCHDOG)
    lost = client(Exchange(request("POST People"), url, longest_delay=0.0))
    assert (states(cut), states(lost)) == (["unknown"], ["not-executed"])


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/client_*.py")), ids=lambda it: it.stem)
def test_a_client_is_a_program(path: Path) -> None:
    with serving(Service()) as service:
        command = [sys.executable, "-W", "error", str(path), service.url, "People", "People(404)"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        ["People succeeded: 200 OK", "People(404) failed: 404 Not Found"],
    )


# -- the queues ------------------------------------------------------------------------------------

PART = b"--b\r\nContent-Type: application/http\r\n\r\n"
CUT = PART + b"HTTP/1.1 204 No Content\r\n\r\n\r\n" + PART
ANN, BASIC = ("ann", "secret"), "Basic YW5uOnNlY3JldA=="
End = tuple[int, str] | BaseException
Make = Callable[..., Exchange]


@dataclass
class Ask:
    """One call, and for how long its caller does something else before."""

    url: str
    method: str = "GET"
    options: dict[str, Any] = field(default_factory=dict)
    wait: float = 0.0


def by_httpx(service: Service, asks: Sequence[Ask], make: Make = Exchange) -> list[End]:
    """Return the status and the text of each answer, or the error."""

    async def sent() -> list[End]:
        async with asynchronous(service, make) as (client, transport):

            async def call(ask: Ask) -> tuple[int, str]:
                await asyncio.sleep(ask.wait)
                answer = await client.request(ask.method, ask.url, **ask.options)
                assert answer.request.method == ask.method
                return answer.status_code, answer.text

            async with transport.batch(patience=WATCHDOG) as batch:
                tasks = [batch.create_task(call(ask)) for ask in asks]
            return [task.exception() or task.result() for task in tasks]

    return run(sent())


@asynccontextmanager
async def asynchronous(
    service: Service, make: Make = Exchange
) -> AsyncIterator[tuple[httpx.AsyncClient, QueueingTransport]]:
    transport, root = QueueingTransport(service.url, make=make), service.url.removesuffix("$batch")
    async with httpx.AsyncClient(transport=transport, base_url=root, auth=ANN) as client:
        yield client, transport


def by_requests(service: Service, asks: Sequence[Ask], make: Make = Exchange) -> list[End]:
    """Do the same in threads."""
    with threaded(service, make) as (client, adapter, root):

        def call(ask: Ask) -> tuple[int, str]:
            time.sleep(ask.wait)
            answer = client.request(ask.method, root + ask.url, **ask.options)
            assert answer.request.method == ask.method
            return answer.status_code, answer.text

        with adapter.batch(patience=WATCHDOG) as batch:
            futures = [batch.submit(call, ask) for ask in asks]
        return [future.exception() or future.result() for future in futures]


@contextmanager
def threaded(
    service: Service, make: Make = Exchange
) -> Iterator[tuple[requests.Session, QueueingAdapter, str]]:
    root = service.url.removesuffix("$batch")
    with session() as client:
        client.auth = ANN
        adapter = QueueingAdapter(service.url, make)
        client.mount(root, adapter)
        yield client, adapter, root


queues = pytest.mark.parametrize("queue", [by_httpx, by_requests])
Queue = Callable[..., list[End]]
PATIENT = partial(Exchange, longest_delay=0.0)


def queued(queue: Queue, service: Service, *asks: Ask, make: Make = Exchange) -> list[End]:
    """Return what the callers got, under a watchdog."""
    ends: list[End] = []
    with serving(service):
        sending = threading.Thread(
            target=lambda: ends.extend(queue(service, asks, make)), daemon=True
        )
        sending.start()
        sending.join(2 * WATCHDOG)
    assert not sending.is_alive()
    return ends


@queues
def test_ordinary_calls_are_one_batch_and_each_has_its_own_answer(queue: Queue) -> None:
    service = Service()
    found, made, lost = queued(
        queue,
        service,
        Ask("People", options={"params": {"$top": "1"}}),
        Ask("People", "POST", {"json": {"Name": "Ann"}}),
        Ask("People(404)"),
    )
    assert found == (200, "People?%24top=1")
    assert isinstance(made, tuple) and json.loads(made[1]) == {"Name": "Ann"}
    assert lost == (404, "not found")
    assert len(service.batches) == 1


@queues
def test_500_calls_get_their_own_answers_from_one_batch(queue: Queue) -> None:
    service, urls = Service(), [f"People({number})/Name" for number in range(500)]
    assert queued(queue, service, *map(Ask, urls)) == [(200, url) for url in urls]
    assert len(service.batches) == 1


@queues
def test_a_batch_waits_for_callers_that_do_something_else_before(queue: Queue) -> None:
    service, waits = Service(), (0.0, 0.15, 0.05)
    ends = queued(queue, service, *(Ask("People", wait=wait) for wait in waits))
    assert (ends, len(service.batches)) == ([(200, "People")] * 3, 1)


@queues
def test_credentials_go_to_the_batch_request_and_divide_batches(queue: Queue) -> None:
    service = Service()
    asks = [Ask("People"), Ask("People", options={"auth": ("bob", "x")}), Ask("People(1)")]
    assert queued(queue, service, *asks) == [(200, ask.url) for ask in asks]
    urls = [sorted([each.url for each in batch.operations()]) for batch in service.batches]
    sent = [(head["authorization"], *each) for head, each in zip(service.heads, urls, strict=True)]
    # Threads may come in any order.
    assert sorted(sent) == sorted([(BASIC, "People", "People(1)"), ("Basic Ym9iOng=", "People")])


CUT_OFF = OperationResponse(200, {"Content-Type": MULTIPART}, CUT)
TOO_MUCH = OperationResponse(413, TEXT, b"too much")
RANGE = {"headers": {"Range": "bytes=0-1"}}


@queues
@pytest.mark.parametrize(
    ("answer", "ask", "expected"),
    [
        (CUT_OFF, Ask("People", "DELETE"), ["(204, '')", "unknown: the response was cut off"]),
        (TOO_MUCH, Ask("People"), ["(413, 'too much')"] * 2),
        (OperationResponse(429), Ask("People"), ["(200, 'People')"] * 2),
        (None, Ask("People", options=RANGE), ["refused[forbidden-header]"] * 2),
    ],
    ids=["cut off", "refused", "throttled", "not written"],
)
def test_a_caller_gets_what_became_of_its_call(
    queue: Queue, answer: OperationResponse | None, ask: Ask, expected: list[str]
) -> None:
    ends = queued(queue, Service([answer]), ask, ask, make=PATIENT)
    told = sorted(map(str, ends))  # threads may come in any order
    assert [end[: len(text)] for end, text in zip(told, expected, strict=True)] == expected


@queues
def test_each_caller_gets_the_error_of_a_service_that_is_not_there(queue: Queue) -> None:
    ends = queue(Service(url="http://127.0.0.1:1/$batch"), [Ask("People")] * 2, PATIENT)
    assert [str(end).partition(":")[0] for end in ends] == ["not-executed"] * 2


@queues
def test_a_queue_divides_its_calls_as_the_exchange_says(queue: Queue) -> None:
    service = Service()
    make = partial(Exchange, max_operations=2, format="json")
    assert queued(queue, service, *[Ask("People")] * 5, make=make) == [(200, "People")] * 5
    assert [len(batch.items) for batch in service.batches] == [2, 2, 1]


def test_callers_of_httpx_may_wait_for_each_other_and_for_what_is_no_task() -> None:
    async def sent(service: Service) -> None:
        async with (
            asynchronous(service) as (client, transport),
            transport.batch(patience=0.02) as batch,
        ):
            first = batch.create_task(client.get("People(1)"))

            async def after() -> list[str]:
                both = asyncio.gather(client.get((await first).text), client.get("People(2)"))
                return [answer.text for answer in await both]

            texts = batch.create_task(after())
            assert (await client.get("People")).text == "People"
            assert (await first).text == "People(1)"
        assert texts.result() == ["People(1)", "People(2)"]
        assert [len(each.items) for each in service.batches] == [1, 2]
        late = client.get("People")
        with pytest.raises(RuntimeError, match="the batch has ended"):
            batch.create_task(late)

    with serving(Service()) as service:
        run(sent(service))


def test_functions_with_requests_may_wait_for_each_other_and_for_what_is_not_submitted() -> None:
    with serving(Service()) as service, threaded(service) as (client, adapter, root):
        with adapter.batch(patience=0.02) as batch:
            first = batch.submit(client.get, f"{root}People(1)")
            second = batch.submit(lambda: client.get(root + first.result().text).text)
            assert client.get(f"{root}People").text == "People"
            assert first.result().text == "People(1)"
        assert second.result() == "People(1)"
        assert [len(each.items) for each in service.batches] == [1, 1]


def test_a_block_that_fails_sends_nothing_and_leaves_no_caller_waiting() -> None:
    async def sent(service: Service) -> None:
        async with asynchronous(service) as (client, transport):
            with pytest.raises(ZeroDivisionError):
                async with transport.batch() as batch:
                    task = batch.create_task(client.get("People"))
                    raise ZeroDivisionError
            assert task.cancelled()

    with serving(Service()) as service, threaded(service) as (client, adapter, root):
        run(sent(service))
        with pytest.raises(ZeroDivisionError), adapter.batch() as batch:
            future = batch.submit(client.get, f"{root}People")
            raise ZeroDivisionError
        with pytest.raises(RuntimeError, match="nothing was sent"):
            future.result()
        assert service.batches == []


def test_one_caller_may_be_cancelled_alone_or_all_with_the_batch() -> None:
    released = threading.Event()

    def hold(batch: BatchRequest) -> None:
        assert batch.operations()[0].url == "People(1)" or released.wait(WATCHDOG)

    service = Service(hold=hold)

    async def sent() -> None:
        async with asynchronous(service) as (client, transport):
            async with transport.batch() as batch:
                first, second = (batch.create_task(client.get(f"People({n})")) for n in (1, 2))
                await asyncio.sleep(0.01)
                second.cancel()
            assert (first.result().text, second.cancelled()) == ("People(1)", True)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1), transport.batch() as batch:
                    third = batch.create_task(client.get("People(3)"))
            assert third.cancelled()
            released.set()

    with serving(service):
        run(sent())


# -- scenarios -------------------------------------------------------------------------------------

TOKEN = {"Authorization": "Bearer token"}


@pytest.mark.untraced
def test_5000_upserts_go_in_batches_of_100_and_the_rows_that_failed_are_named() -> None:
    busy = Counter({f"accounts({row})": 1 + row % 3 for row in range(0, 5000, 7)})
    model = Model(DATAVERSE, busy)
    wrong = {17, 1234, 4999}
    rows = ["" if row in wrong else f"row {row}" for row in range(5000)]
    batch = BatchRequest.independent(
        Operation.patch(f"accounts({row})", json={"Name": name}) for row, name in enumerate(rows)
    )
    exchange = Codec(DATAVERSE).exchange(
        batch, f"{DYNAMICS}$batch", headers=TOKEN, max_operations=100
    )
    model.finish(exchange)
    failed = {each.operation.url: each.error.message for each in exchange.result if each.error}
    assert failed == {f"accounts({row})": "Name is empty" for row in wrong}
    kept = {f"{DYNAMICS}accounts({row})": {"Name": name} for row, name in enumerate(rows) if name}
    assert model.entities == kept
    assert max(map(len, model.batches)) == 100
    sent = Counter(each.url for operations in model.batches for each in operations)
    assert sent == {f"accounts({row})": 1 + busy_at_first(row) for row in range(5000)}


def busy_at_first(row: int) -> int:
    return 0 if row % 7 else 1 + row % 3


def test_45_calls_of_graph_go_in_batches_of_20_after_what_they_depend_on() -> None:
    model = Model(GRAPH, Counter(Tasks=1))
    operations = []
    for number in range(15):
        made = Operation.post("/Lists", json={"Name": f"list {number}"}, id=f"list{number}")
        url, after = f"/Lists({number})/Tasks", [f"list{number}"]
        task = Operation.post(url, json={}, id=f"task{number}", depends_on=after)
        operations += [made, task, Operation.get("/me", id=f"me{number}")]
    exchange = Codec(GRAPH).exchange(BatchRequest(operations), GRAPH_URL, headers=TOKEN)
    model.finish(exchange)
    assert exchange.result.ok and [each.operation for each in exchange.result] == operations
    assert [len(batch) for batch in model.batches] == [20, 20, 1, 5]
    order = [each.id for batch in model.batches for each in batch]
    assert all(order.index(f"list{n}") < order.index(f"task{n}") for n in range(15))
    assert Counter(order) == {**dict.fromkeys(order, 1), "task0": 2}


# -- the mock of Microsoft Graph -------------------------------------------------------------------

BINARY = {"Content-Type": "image/jpeg"}


def directory(step: Step) -> OperationResponse:
    """Answer with what was sent, or with the path."""
    path = step.url.removeprefix("https://graph.microsoft.com/v1.0")
    status = 404 if path == "/me/missing" else 200
    return OperationResponse(status, BINARY, step.body or path.encode())


def mocked(batch: BatchRequest, **options: Any) -> httpx.Response:
    payload = encode_request(batch, format="json", **options)
    with httpx.Client(transport=mock_graph(directory)) as client:
        return client.post(GRAPH_URL, content=payload.body, headers=payload.headers)


def test_a_mock_graph_heeds_dependencies_and_carries_images_both_ways() -> None:
    photo = Operation.put("/me/photo/$value", headers=BINARY, body=JPEG, id="photo")
    lost = request("no: GET /me/missing; after: GET /me after no").operations()
    batch = BatchRequest([*lost, photo, Operation.get("/me", id="me")])
    answer = mocked(batch)
    response = decode_response(answer.content, answer.headers["Content-Type"], dialect=GRAPH)
    result = match(batch, response, format="json", dialect=GRAPH)
    assert result.statuses == {"no": 404, "after": 424, "photo": 200, "me": 200}
    assert bodies(result)[2:] == [JPEG, b"/me"]


def test_a_mock_graph_ignores_groups() -> None:
    answer = mocked(request("{ 1: DELETE /users/1; 2: GET /me/missing }"))
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
    with httpx.Client(transport=mock_graph(directory)) as client:
        answer = client.post(url, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}


# -- operations made from requests -----------------------------------------------------------------

URL = "https://host/service/People?$top=1"


OF_JSON = {"Content-Type": "application/json", "Host": "other"}
PIECES = [JPEG[:5], JPEG[5:]]
Get, Put, Post = (partial(requests.Request, method) for method in ("GET", "PUT", "POST"))
PutByUrllib = partial(urllib.request.Request, URL, headers=BINARY, method="PUT")
PutByAzure = partial(azure.core.rest.HttpRequest, "PUT", URL, headers=BINARY)


def by_aiohttp(method: str, **options: Any) -> Operation:
    """Return what a middleware makes of a call, which goes no further."""
    found: list[Operation] = []

    async def collect(request: aiohttp.ClientRequest, _: object) -> aiohttp.ClientResponse:
        found.append(await from_aiohttp(request))
        raise aiohttp.ClientError("it is collected")

    async def call() -> None:
        skipped = ("Accept", "User-Agent")
        with pytest.raises(aiohttp.ClientError, match="collected"):
            async with aiohttp.ClientSession(middlewares=[collect]) as client:
                await client.request(method, URL, skip_auto_headers=skipped, **options)

    run(call())
    return found[0]


@pytest.mark.parametrize(
    "operation",
    [
        by_aiohttp("POST", json={"Name": "Ann"}),
        from_azure(azure.core.rest.HttpRequest("POST", URL, json={"Name": "Ann"})),
        from_httpx(httpx.Request("POST", URL, json={"Name": "Ann"})),
        from_requests(Post(URL, json={"Name": "Ann"}).prepare()),
        from_urllib(urllib.request.Request(URL, b'{"Name":"Ann"}', OF_JSON)),
        from_urllib3("POST", URL, json={"Name": "Ann"}),
    ],
    ids=["aiohttp", "azure", "httpx", "requests", "urllib", "urllib3"],
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
        *(from_azure(PutByAzure(content=body)) for body in (JPEG, BytesIO(JPEG), iter(PIECES))),
        *(by_aiohttp("PUT", data=body, headers=BINARY) for body in (JPEG, BytesIO(JPEG))),
        *(from_urllib3("PUT", URL, body, BINARY) for body in (JPEG, iter(PIECES))),
    ],
)
def test_a_request_with_octets_becomes_an_operation(operation: Operation) -> None:
    assert operation == Operation.put(URL, headers=BINARY, body=JPEG)


def test_a_request_without_a_body_becomes_an_operation_without_fragment() -> None:
    url = URL + "#top"
    assert from_httpx(httpx.Request("GET", url)) == Operation.get(URL)
    assert from_requests(Get(url).prepare()) == Operation.get(URL)
    assert from_urllib(urllib.request.Request(url)) == Operation.get(URL)
    assert from_urllib3("GET", url) == by_aiohttp("GET") == Operation.get(URL)
    asked = azure.core.rest.HttpRequest("GET", URL.partition("?")[0], params={"a": "b c"})
    assert from_azure(asked).url == "https://host/service/People?a=b%20c"


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


def test_credentials_of_a_request_are_refused_unless_they_are_parted_from_it() -> None:
    operation = from_requests(Get(URL, auth=ANN).prepare())
    with pytest.raises(EncodeError, match=r"forbidden-header.* found the header authorization"):
        encode_request(BatchRequest([operation]))
    assert parted(operation) == (Operation.get(URL), Headers({"Authorization": BASIC}))


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
