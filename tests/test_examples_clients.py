"""The clients of examples/, against a real server on loopback that runs what they send."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

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
    ChangeSet,
    DecodeError,
    EncodeError,
    Execution,
    Headers,
    Operation,
    OperationResponse,
    State,
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

from .servers import WATCHDOG, wsgi_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

ROOT = Path(__file__).resolve().parent.parent
TEXT = {"Content-Type": "text/plain"}
T = TypeVar("T")
Format = Literal["multipart", "json"]
Answer = tuple[int, Headers, bytes]


# -- a service -------------------------------------------------------------------------------------


@dataclass
class Service:
    """Answers batches, one operation after the other, and remembers what it was asked."""

    answer: Callable[[Step], OperationResponse]
    outer: Callable[[bytes], Answer | None] = lambda body: None
    """What a batch is answered with instead of being run."""
    url: str = ""
    batches: list[BatchRequest] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
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
            json = headers["Content-Type"].startswith("application/json")
            format: Format = "json" if json else "multipart"
            execution = Execution(batch, batch_url=self.url, format=format, headers=headers)
        except BatchError as error:
            return error.http_status, Headers(TEXT), str(error).encode()
        self.batches.append(batch)
        while not execution.finished:
            for work in execution.ready():
                if isinstance(work, Step):
                    self.steps.append(work)
                    execution.complete(work, self.answer(work))
                else:
                    self.signals.append(type(work).__name__)
                    execution.done(work)
        payload = encode_response(execution.response(), format=format)
        return 200, payload.headers, payload.body


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Run the service on loopback; its URL is `service.url`."""
    with wsgi_server(service.app) as origin:
        service.url = f"{origin}/service/$batch"
        yield service


def path_of(step: Step) -> str:
    """Return the URL of a step, relative to the service."""
    return step.url.partition("/service/")[2]


def people(step: Step) -> OperationResponse:
    """Answer as a service of people does, in which nobody can be called Nobody."""
    path = path_of(step)
    if step.method == "POST":
        if b"Nobody" in step.body:
            return OperationResponse(400, TEXT, b"nobody is called Nobody")
        location = step.url + "(1)"
        return OperationResponse(201, {"Location": location, **TEXT}, step.body)
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


def by_requests(
    url: str, batch: BatchRequest, format: Format, slept: list[float]
) -> list[BatchResult]:
    with requests.Session() as client:
        client.trust_env = False
        send = client_requests.send_patiently
        return list(send(client, url, batch, format, sleep=slept.append))


def by_urllib3(
    url: str, batch: BatchRequest, format: Format, slept: list[float]
) -> list[BatchResult]:
    with urllib3.PoolManager() as client:
        send = client_urllib3.send_patiently
        return list(send(client, url, batch, format, sleep=slept.append))


async def collected(results: AsyncIterator[BatchResult]) -> list[BatchResult]:
    return [result async for result in results]


def by_httpx(
    url: str, batch: BatchRequest, format: Format, slept: list[float]
) -> list[BatchResult]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def sent() -> list[BatchResult]:
        async with httpx.AsyncClient(trust_env=False) as client:
            send = client_httpx.send_patiently
            return await collected(send(client, url, batch, format, sleep=sleep))

    return run(sent())


def by_aiohttp(
    url: str, batch: BatchRequest, format: Format, slept: list[float]
) -> list[BatchResult]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def sent() -> list[BatchResult]:
        async with aiohttp.ClientSession() as client:
            send = client_aiohttp.send_patiently
            return await collected(send(client, url, batch, format, sleep=sleep))

    return run(sent())


Send = Callable[[str, BatchRequest, Format, list[float]], list[BatchResult]]
CLIENTS: dict[str, Send] = {
    "aiohttp": by_aiohttp,
    "httpx": by_httpx,
    "requests": by_requests,
    "urllib3": by_urllib3,
}
FORMATS: tuple[Format, ...] = ("multipart", "json")


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Send:
    return CLIENTS[request.param]


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


def states(result: BatchResult) -> list[str]:
    return [outcome.state.value for outcome in result]


def bodies(result: BatchResult) -> list[bytes]:
    return [b"" if each.response is None else each.response.body for each in result]


def test_client_batch_queries_are_answered_each_for_itself(client: Send, format: Format) -> None:
    batch = BatchRequest([Operation.get("People"), Operation.get("People(1)/Name")])
    with serving(Service(people)) as service:
        (result,) = client(service.url, batch, format, [])
    assert bodies(result) == [b"People", b"People(1)/Name"]
    assert result.ok


def test_a_single_change_set_of_a_client_succeeds_as_a_whole(client: Send, format: Format) -> None:
    ann = Operation.post("People", json={"Name": "Ann"}, id="ann")
    batch = BatchRequest.single_change_set([ann, Operation.patch(ann.ref(), json={"Age": 7})])
    with serving(Service(people)) as service:
        (result,) = client(service.url, batch, format, [])
    assert [outcome.status for outcome in result] == [201, 204]
    assert [path_of(step) for step in service.steps] == ["People", "People(1)"]
    assert service.signals == ["Begin", "Commit"]


def test_a_single_change_set_of_a_client_fails_as_a_whole(client: Send, format: Format) -> None:
    names = ("Ann", "Nobody", "Bob")
    operations = [Operation.post("People", json={"Name": name}, id=name) for name in names]
    with serving(Service(people)) as service:
        (result,) = client(service.url, BatchRequest.single_change_set(operations), format, [])
    assert states(result) == ["rolled-back", "failed", "rolled-back"]
    assert service.signals == ["Begin", "Rollback"]


def test_independent_operations_of_a_client_fail_alone(client: Send, format: Format) -> None:
    paths = ("People", "People(404)", "People(1)")
    batch = BatchRequest.independent(Operation.get(path) for path in paths)
    with serving(Service(people)) as service:
        (result,) = client(service.url, batch, format, [])
    assert states(result) == ["succeeded", "failed", "succeeded"]


def test_relative_urls_of_a_client_lead_below_the_service(client: Send, format: Format) -> None:
    with serving(Service(people)) as service:
        root = service.url.removesuffix("$batch")
        urls = ("People", "/service/People", f"{root}People", "../People")
        batch = BatchRequest.independent(Operation.get(url) for url in urls)
        (result,) = client(service.url, batch, format, [])
    assert [outcome.status for outcome in result] == [200, 200, 200, 403]
    assert [step.url for step in service.steps] == [f"{root}People"] * 3


def test_a_json_batch_of_a_client_has_ids(client: Send) -> None:
    batch = BatchRequest([Operation.get("People"), Operation.get("People(404)")])
    with serving(Service(people)) as service:
        (result,) = client(service.url, batch, "json", [])
    assert result.statuses == {"1": 200, "2": 404}


@dataclass
class Throttle:
    """Answers the first calls of a path with 429, and then as `people` does."""

    times: int
    headers: dict[str, str]
    path: str = "People(1)"

    def __call__(self, step: Step) -> OperationResponse:
        if path_of(step) == self.path and self.times:
            self.times -= 1
            return OperationResponse(429, self.headers)
        return people(step)


def test_a_client_sends_again_what_the_service_was_too_busy_for(
    client: Send, format: Format
) -> None:
    batch = BatchRequest.independent([Operation.get("People"), Operation.get("People(1)")])
    slept: list[float] = []
    with serving(Service(Throttle(2, {"Retry-After": "7"}))) as service:
        results = client(service.url, batch, format, slept)
    assert [len(result) for result in results] == [2, 1, 1]
    assert [path_of(step) for step in service.steps] == ["People", *["People(1)"] * 3]
    assert (slept, results[-1].ok) == ([7.0, 7.0], True)


def test_a_client_waits_a_second_if_nobody_says_how_long(client: Send) -> None:
    slept: list[float] = []
    with serving(Service(Throttle(1, {}))) as service:
        results = client(service.url, BatchRequest([Operation.get("People(1)")]), "json", slept)
    assert (slept, results[-1].ok) == ([1.0], True)


def test_a_client_gives_up_after_four_attempts(client: Send) -> None:
    slept: list[float] = []
    with serving(Service(Throttle(9, {"Retry-After": "0"}))) as service:
        results = client(service.url, BatchRequest([Operation.get("People(1)")]), "json", slept)
    assert (len(results), slept) == (4, [0.0] * 3)
    assert states(results[-1]) == ["failed"]


def refuse(status: int, body: bytes = b"<p>Sorry</p>", content_type: str = "text/html") -> Service:
    answer = status, Headers({"Content-Type": content_type}), body
    return Service(people, outer=lambda _: answer)


@pytest.mark.parametrize(
    ("status", "state"), [(401, State.FAILED), (413, State.FAILED), (500, State.UNKNOWN)]
)
def test_a_client_tells_what_an_error_page_means_for_each_operation(
    client: Send, status: int, state: State
) -> None:
    batch = BatchRequest([Operation.get("People"), Operation.delete("People(1)")])
    with serving(refuse(status)) as service:
        (result,) = client(service.url, batch, "multipart", [])
    assert [outcome.state for outcome in result] == [state, state]


def test_a_client_does_not_follow_a_redirect(client: Send) -> None:
    elsewhere = 302, Headers({"Location": "/elsewhere"}), b""
    with serving(Service(people, outer=lambda _: elsewhere)) as service:
        (result,) = client(service.url, BatchRequest([Operation.get("People")]), "json", [])
    assert states(result) == ["unknown"]


def test_a_client_sends_everything_again_after_a_429_for_the_batch(client: Send) -> None:
    refusals = [(429, Headers(TEXT), b"busy")]
    service = Service(people, outer=lambda _: refusals.pop() if refusals else None)
    batch = BatchRequest([Operation.get("People"), Operation.delete("People(1)")])
    with serving(service):
        results = client(service.url, batch, "multipart", [])
    assert [states(result) for result in results] == [["failed"] * 2, ["succeeded"] * 2]


def test_a_client_reads_results_that_come_with_an_error_status(client: Send) -> None:
    body = b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n\r\n--b--"
    batch = BatchRequest([Operation.get("People(404)"), Operation.get("People")])
    with serving(refuse(400, body, "multipart/mixed; boundary=b")) as service:
        (result,) = client(service.url, batch, "multipart", [])
    assert states(result) == ["failed", "not-executed"]


@pytest.mark.parametrize("status", [200, 400])
def test_a_client_raises_if_the_answer_is_a_batch_that_cannot_be_read(
    client: Send, status: int
) -> None:
    part = b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n"
    broken = b"--b\r\nContent-Type: application/http\r\n\r\nwhat?\r\n\r\n\r\n--b--"
    with (
        serving(refuse(status, part + broken, "multipart/mixed; boundary=b")) as service,
        pytest.raises(DecodeError, match="status-line"),
    ):
        client(service.url, BatchRequest([Operation.get("People")]), "multipart", [])


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_is_a_program(name: str) -> None:
    with serving(Service(people)) as service:
        paths = ("People", "People(404)")
        command = [sys.executable, "-W", "error", f"examples/client_{name}.py", service.url, *paths]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "People succeeded: answered with 200",
        "People(404) failed: answered with 404",
    ]


# -- the queueing transport ------------------------------------------------------------------------


@dataclass
class Queue:
    """A client whose calls are collected, the batch that collects them, and the service."""

    service: Service
    batch: QueueingTransport
    client: httpx.AsyncClient
    outer: httpx.AsyncClient


def queueing(service: Service, test: Callable[[Queue], Coroutine[Any, Any, None]]) -> None:
    """Run a test with a queue in front of the service, under a watchdog."""

    async def opened() -> None:
        root = service.url.removesuffix("$batch")
        async with httpx.AsyncClient(trust_env=False) as outer:
            batch = QueueingTransport(outer, service.url)
            async with httpx.AsyncClient(transport=batch, base_url=root) as client:
                await test(Queue(service, batch, client, outer))

    with serving(service):
        run(opened())


def test_a_queueing_handler_sends_ordinary_calls_as_one_batch() -> None:
    async def test(queue: Queue) -> None:
        found = queue.batch.collect(queue.client.get("People", params={"$top": "1"}))
        made = queue.batch.collect(queue.client.post("People", json={"Name": "Ann"}))
        await queue.batch.send()
        assert (await found).text == "People?%24top=1"
        assert (await made).json() == {"Name": "Ann"}
        assert (await made).request.method == "POST"
        assert len(queue.service.batches) == 1

    queueing(Service(people), test)


def test_a_queueing_handler_gives_500_concurrent_calls_their_own_responses() -> None:
    async def test(queue: Queue) -> None:
        urls = [f"People({number})/Name" for number in range(500)]
        calls = [queue.batch.collect(queue.client.get(url)) for url in urls]
        sending = asyncio.create_task(queue.batch.send())
        await asyncio.sleep(0)
        answers = await asyncio.gather(*calls)
        assert [answer.text for answer in answers] == urls
        assert len(queue.service.batches) == 1
        await sending

    queueing(Service(people), test)


def test_a_queueing_handler_waits_for_calls_that_take_their_turns() -> None:
    async def test(queue: Queue) -> None:
        async def hook(request: httpx.Request) -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        queue.client.event_hooks = {"request": [hook]}
        calls = [queue.batch.collect(queue.client.get(f"People({number})")) for number in range(3)]
        await queue.batch.send()
        assert [(await call).text for call in calls] == ["People(0)", "People(1)", "People(2)"]
        assert len(queue.service.batches) == 1

    queueing(Service(people), test)


def test_a_queueing_handler_gives_a_call_its_own_error_response() -> None:
    async def test(queue: Queue) -> None:
        calls = [queue.batch.collect(queue.client.get(f"People({n})")) for n in (1, 404, 2)]
        await queue.batch.send()
        assert [(await call).status_code for call in calls] == [200, 404, 200]

    queueing(Service(people), test)


def test_a_queueing_handler_gives_a_call_its_own_failure() -> None:
    head = b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 "
    cut = head + b"204 No Content\r\n\r\n\r\n" + head

    async def test(queue: Queue) -> None:
        calls = [queue.batch.collect(queue.client.get("People")) for _ in range(2)]
        await queue.batch.send()
        assert (await calls[0]).status_code == 204
        with pytest.raises(httpx.RemoteProtocolError, match="unknown: the response was cut off"):
            await calls[1]

    queueing(refuse(200, cut, "multipart/mixed; boundary=b"), test)


def test_a_queueing_handler_collects_whatever_makes_a_call() -> None:
    async def name_of(client: httpx.AsyncClient, number: int) -> str:
        answer = await client.get(f"People({number})/Name")
        return answer.raise_for_status().text.upper()

    async def test(queue: Queue) -> None:
        name = queue.batch.collect(name_of(queue.client, 1))
        await queue.batch.send()
        assert await name == "PEOPLE(1)/NAME"

    queueing(Service(people), test)


async def directly(queue: Queue) -> None:
    await queue.client.get("People")


async def gathered(queue: Queue) -> None:
    await asyncio.gather(queue.client.get("People"), queue.client.get("People(1)"))


async def as_a_task(queue: Queue) -> None:
    await asyncio.create_task(queue.client.get("People"))


async def with_a_timeout(queue: Queue) -> None:
    await asyncio.wait_for(queue.client.get("People"), 2 * WATCHDOG)


async def collected_before(queue: Queue) -> None:
    await queue.batch.collect(queue.client.get("People"))


async def collected_and_gathered(queue: Queue) -> None:
    calls = [queue.batch.collect(queue.client.get("People")) for _ in range(2)]
    await asyncio.gather(*calls)


@pytest.mark.parametrize(
    "wait",
    [directly, gathered, as_a_task, with_a_timeout, collected_before, collected_and_gathered],
)
def test_a_queueing_handler_refuses_at_once_what_is_awaited_before_it_is_sent(
    wait: Callable[[Queue], Coroutine[Any, Any, None]],
) -> None:
    async def test(queue: Queue) -> None:
        with pytest.raises(
            RuntimeError, match=r"the call is awaited (before its|outside of a) batch"
        ):
            await wait(queue)
        queue.batch.reset()

    queueing(Service(people), test)


def test_a_queueing_handler_answers_later_what_was_awaited_too_early() -> None:
    async def test(queue: Queue) -> None:
        call = queue.batch.collect(queue.client.get("People"))
        with pytest.raises(RuntimeError):
            await call
        await queue.batch.send()
        assert (await call).text == "People"

    queueing(Service(people), test)


def test_a_queueing_handler_ends_every_call_with_the_failure_of_the_batch() -> None:
    async def test(queue: Queue) -> None:
        batch = QueueingTransport(queue.outer, "http://127.0.0.1:1/$batch")
        client = httpx.AsyncClient(transport=batch, base_url="http://127.0.0.1:1/")
        calls = [batch.collect(client.get("People")) for _ in range(3)]
        with pytest.raises(httpx.ConnectError) as failure:
            await batch.send()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert all(error is failure.value for error in errors)

    queueing(Service(people), test)


def test_a_queueing_handler_ends_every_call_if_the_batch_is_cancelled() -> None:
    released = threading.Event()

    def hold(body: bytes) -> None:
        released.wait(WATCHDOG)

    service = Service(people, outer=hold)

    async def test(queue: Queue) -> None:
        began = asyncio.Event()

        async def hook(request: httpx.Request) -> None:
            began.set()

        queue.outer.event_hooks = {"request": [hook]}
        calls = [queue.batch.collect(queue.client.get("People")) for _ in range(3)]
        sending = asyncio.create_task(queue.batch.send())
        await began.wait()
        sending.cancel()
        ends = await asyncio.gather(sending, *calls, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 4
        released.set()

    queueing(service, test)


def test_a_queueing_handler_ends_every_call_if_it_is_cancelled_as_it_begins() -> None:
    async def test(queue: Queue) -> None:
        call = queue.batch.collect(queue.client.get("People"))
        sending = asyncio.create_task(queue.batch.send())
        await asyncio.sleep(0)
        sending.cancel()
        ends = await asyncio.gather(sending, call, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
        with pytest.raises(RuntimeError, match="outside of a batch"):
            await queue.client.get("People")

    queueing(Service(people), test)


def test_a_queueing_handler_lets_one_call_be_cancelled_alone() -> None:
    async def test(queue: Queue) -> None:
        first, second = (queue.batch.collect(queue.client.get(f"People({n})")) for n in (1, 2))
        sending = asyncio.create_task(queue.batch.send())
        await asyncio.sleep(0)
        assert first.task is not None
        first.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second).text == "People(2)"
        await sending

    queueing(Service(people), test)


def test_a_queueing_handler_gives_every_call_the_status_of_a_refusal() -> None:
    async def test(queue: Queue) -> None:
        calls = [queue.batch.collect(queue.client.get("People")) for _ in range(2)]
        await queue.batch.send()
        assert [(await call).status_code for call in calls] == [413, 413]

    queueing(refuse(413), test)


def test_a_queueing_handler_leaves_no_call_behind_that_cannot_be_encoded() -> None:
    async def test(queue: Queue) -> None:
        headers = {"Authorization": "Bearer secret"}
        call = queue.batch.collect(queue.client.get("People", headers=headers))
        other = queue.batch.collect(queue.client.get("People"))
        with pytest.raises(EncodeError, match="forbidden-header") as failure:
            await queue.batch.send()
        ends = await asyncio.gather(call, other, return_exceptions=True)
        assert list(ends) == [failure.value, failure.value]

    queueing(Service(people), test)


def test_a_queueing_handler_sends_a_second_batch_after_reset() -> None:
    async def test(queue: Queue) -> None:
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

    queueing(Service(people), test)


def test_a_queueing_handler_answers_all_who_send_at_the_same_time() -> None:
    async def test(queue: Queue) -> None:
        async def use(number: int) -> str:
            call = queue.batch.collect(queue.client.get(f"People({number})"))
            await queue.batch.send()
            return (await call).text

        texts = await asyncio.gather(*map(use, range(3)))
        assert texts == ["People(0)", "People(1)", "People(2)"]
        assert sum(len(batch.items) for batch in queue.service.batches) == 3

    queueing(Service(people), test)


# -- the mock of Microsoft Graph -------------------------------------------------------------------

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
    batch = BatchRequest([Operation.get("/me"), Operation.get("/users", id="users")])
    result = answers(Directory(), batch)
    assert result.statuses == {"1": 200, "users": 200}
    assert result["users"].response is not None
    assert result["users"].response.json() == {"path": "/users"}


def test_a_graph_content_object_runs_what_depends_on_others_behind_them() -> None:
    first = Operation.get("/first", id="z")
    second = Operation.get("/second", id="y", depends_on=["z"])
    directory = Directory()
    payload = encode_request(BatchRequest([first, second]), format="json", dialect=GRAPH)
    assert b'"dependsOn":["z"]' in payload.body
    result = answers(directory, BatchRequest([first, second]))
    assert [step.id for step in directory.steps] == ["z", "y"]
    assert result.ok


def test_a_graph_content_object_does_not_run_what_depends_on_a_failure() -> None:
    first = Operation.get("/me/missing", id="1")
    second = Operation.get("/second", id="2", depends_on=["1"])
    directory = Directory()
    result = answers(directory, BatchRequest([first, second]))
    assert result.statuses == {"1": 404, "2": 424}
    assert len(directory.steps) == 1


def test_a_graph_content_object_carries_an_image_in_base64_both_ways() -> None:
    image = {"Content-Type": "image/jpeg"}
    put = Operation.put("/me/photo/$value", headers=image, body=JPEG, id="1")
    get = Operation.get("/me/photo/$value", id="2", depends_on=["1"])
    batch = BatchRequest([put, get])
    payload = encode_request(batch, format="json", dialect=GRAPH)
    assert b'"body":"/9j/4A0KLS1ub3QgYSBkZWxpbWl0ZXIA"' in payload.body
    directory = Directory()
    result = answers(directory, batch)
    assert directory.steps[0].body == JPEG
    assert bodies(result)[1] == JPEG


def test_a_graph_content_object_retries_what_has_failed_and_its_dependents() -> None:
    mail = Operation.get("/me/messages", id="mail", depends_on=["me"])
    after = Operation.get("/me/events", id="after", depends_on=["mail"])
    batch = BatchRequest([Operation.get("/me", id="me"), mail, after])
    directory = Directory()
    with httpx.Client(transport=mock_graph(directory)) as client:
        first = post(client, batch)
        again = remaining(batch, first, format="json", dialect=GRAPH)
        second = post(client, again)
    assert first.statuses == {"me": 200, "mail": 429, "after": 424}
    assert retry_after(first) == 2.0
    assert [operation.id for operation in again.operations()] == ["mail", "after"]
    assert second.statuses == {"mail": 200, "after": 200}


def test_a_graph_content_object_retries_by_statuses_alone() -> None:
    batch = BatchRequest([Operation.get("/me", id="1"), Operation.get("/users", id="2")])
    again = remaining(batch, {"1": 503, "2": 200}, format="json", dialect=GRAPH)
    assert answers(Directory(), again).statuses == {"1": 200}


def test_a_mock_graph_ignores_groups() -> None:
    group = ChangeSet([Operation.delete("/users/1", id="1"), Operation.get("/me/missing", id="2")])
    payload = encode_request(BatchRequest([group]), format="json")
    with httpx.Client(transport=mock_graph(Directory())) as client:
        answer = client.post(GRAPH_URL, content=payload.body, headers=payload.headers)
    statuses = {each["id"]: each["status"] for each in answer.json()["responses"]}
    assert statuses == {"1": 200, "2": 404}


@pytest.mark.parametrize(
    ("url", "body", "status"),
    [
        (GRAPH_URL, b"{}", 400),
        (
            GRAPH_URL,
            encode_request(BatchRequest([Operation.get("/me")] * 21), format="json").body,
            400,
        ),
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


@pytest.mark.parametrize(
    "operation",
    [
        from_httpx(httpx.Request("POST", URL, json={"Name": "Ann"})),
        from_requests(requests.Request("POST", URL, json={"Name": "Ann"}).prepare()),
        from_urllib(
            urllib.request.Request(
                URL, b'{"Name":"Ann"}', {"Content-Type": "application/json", "Host": "other"}
            )
        ),
    ],
    ids=["httpx", "requests", "urllib"],
)
def test_a_request_with_json_becomes_an_operation(operation: Operation) -> None:
    assert (operation.method, operation.url) == ("POST", URL)
    assert operation.headers == Headers({"Content-Type": "application/json"})
    assert operation.json() == {"Name": "Ann"}


BINARY = {"Content-Type": "image/jpeg"}


@pytest.mark.parametrize(
    "operation",
    [
        from_httpx(httpx.Request("PUT", URL, content=JPEG, headers=BINARY)),
        from_httpx(httpx.Request("PUT", URL, content=iter([JPEG[:5], JPEG[5:]]), headers=BINARY)),
        from_requests(requests.Request("PUT", URL, data=JPEG, headers=BINARY).prepare()),
        from_requests(requests.Request("PUT", URL, data=BytesIO(JPEG), headers=BINARY).prepare()),
        from_requests(
            requests.Request("PUT", URL, data=iter([JPEG[:5], JPEG[5:]]), headers=BINARY).prepare()
        ),
        from_urllib(urllib.request.Request(URL, JPEG, BINARY, method="PUT")),
        from_urllib(urllib.request.Request(URL, BytesIO(JPEG), BINARY, method="PUT")),
        from_urllib(urllib.request.Request(URL, [JPEG[:5], JPEG[5:]], BINARY, method="PUT")),
        from_urllib(urllib.request.Request(URL, memoryview(JPEG), BINARY, method="PUT")),
    ],
)
def test_a_request_with_octets_becomes_an_operation(operation: Operation) -> None:
    assert operation == Operation.put(URL, headers=BINARY, body=JPEG)


@pytest.mark.parametrize(
    "operation",
    [
        from_httpx(httpx.Request("GET", URL + "#top")),
        from_requests(requests.Request("GET", URL + "#top").prepare()),
        from_urllib(urllib.request.Request(URL + "#top")),
    ],
    ids=["httpx", "requests", "urllib"],
)
def test_a_request_without_a_body_becomes_an_operation_without_fragment(
    operation: Operation,
) -> None:
    assert operation == Operation.get(URL)


def test_text_is_utf_8_in_an_operation() -> None:
    request = requests.Request("POST", URL, data="\u00e9").prepare()
    assert from_requests(request).body == b"\xc3\xa9"


def test_fields_of_the_connection_are_left_out_of_an_operation() -> None:
    fields = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "Connection": "keep-alive, X-Hop",
        "Content-Length": "0",
        "Host": "host",
        "Keep-Alive": "timeout=5",
        "Prefer": "return=minimal",
        "Transfer-Encoding": "chunked",
        "X-Hop": "1",
    }
    kept = Headers({"Accept": "application/json", "Prefer": "return=minimal"})
    prepared = requests.Request("DELETE", URL, headers=fields).prepare()
    assert from_requests(prepared).headers == kept
    assert from_httpx(httpx.Request("DELETE", URL, headers=fields)).headers == kept
    assert from_urllib(urllib.request.Request(URL, headers=fields)).headers == kept


def test_what_clients_add_by_themselves_can_be_encoded() -> None:
    with httpx.Client() as client, requests.Session() as session:
        operations = [
            from_httpx(client.build_request("POST", URL, json=[1])),
            from_requests(session.prepare_request(requests.Request("POST", URL, json=[1]))),
        ]
    payload = encode_request(BatchRequest(operations))
    assert decode_request(payload.body, payload.content_type).operations() == tuple(operations)


def test_credentials_of_a_request_are_refused_and_not_lost() -> None:
    operation = from_requests(requests.Request("GET", URL, auth=("ann", "secret")).prepare())
    with pytest.raises(EncodeError, match=r"forbidden-header.* found the header authorization"):
        encode_request(BatchRequest([operation]))


def test_repeated_fields_of_a_request_stay_apart() -> None:
    request = httpx.Request("GET", URL, headers=[("Prefer", "a"), ("Prefer", "b")])
    assert from_httpx(request).headers.get_all("Prefer") == ("a", "b")


def test_octets_in_a_field_are_iso_8859_1() -> None:
    request = requests.Request("GET", URL, headers={"X-Name": b"\xe9"}).prepare()
    assert from_requests(request).headers["X-Name"] == "\u00e9"


def test_a_request_that_is_not_prepared_is_no_operation() -> None:
    with pytest.raises(ValueError, match="the request is not prepared"):
        from_requests(requests.PreparedRequest())


def test_a_body_of_numbers_is_no_body() -> None:
    request = urllib.request.Request(URL)
    request.data = 7  # type: ignore[assignment]  # what somebody without a type checker may do
    with pytest.raises(TypeError, match="the body is bytes, text, a file or an iterable, not int"):
        from_urllib(request)
