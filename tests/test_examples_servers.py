"""The server examples, run: real servers on loopback, asked by httpx.

What the seed systems of this library did by hand stands in the names of the tests: a server handler
that executes in order, has quotas, and continues on error or not.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias
from wsgiref.util import setup_testing_defaults

import flask
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from examples import server_django, server_sqlite, server_wsgi
from examples.server_asgi import BatchMiddleware
from examples.server_run import Run
from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Execution,
    Limits,
    Operation,
    OperationResponse,
    Payload,
    Step,
    decode_response,
    encode_request,
)
from tests.batches import request as batch_of
from tests.helpers import FORMATS, Format
from tests.servers import WATCHDOG, asgi_server, wsgi_server

App: TypeAlias = Callable[..., Any]
GET, MISSING = Operation.get("People"), Operation.get("Missing")
HOME = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


OpenClient: TypeAlias = Callable[[App], httpx.Client]
Serve: TypeAlias = "Callable[..., People]"


@pytest.fixture
def open_client() -> Iterator[OpenClient]:
    """What starts a server for an ASGI app and returns a client of it."""
    with ExitStack() as stack:

        def start(app: App) -> httpx.Client:
            origin = stack.enter_context(asgi_server(app))
            return stack.enter_context(httpx.Client(base_url=origin, timeout=WATCHDOG))

        yield start


@pytest.fixture
def serve(open_client: OpenClient) -> Serve:
    """What starts a server of people, with settings of the middleware."""

    def start(**settings: Any) -> People:
        people = People()
        people.client = open_client(behind_a_batch(people.app(), **settings))
        return people

    return start


def behind_a_batch(app: App, **settings: Any) -> BatchMiddleware:
    return BatchMiddleware(app, path="/service/$batch", **settings)


def answering(answer: Callable[[Request], Awaitable[Response]]) -> BatchMiddleware:
    """Return an app in which every URL is answered so."""
    return behind_a_batch(Starlette(routes=[Route("/{rest:path}", answer)]))


@dataclass
class People:
    """An app that notes what it is asked, and whether a request came before another had ended."""

    asked: list[str] = field(default_factory=list)
    running: int = 0
    most: int = 0
    last: Request | None = None
    client: httpx.Client = field(init=False)
    """Of the server, if there is one."""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{rest:path}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        self.asked.append(f"{request.method} {request.url.path}")
        self.last = request
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)  # lets others run, if there are any
        self.running -= 1
        status = 404 if request.url.path.endswith("Missing") else 200
        return PlainTextResponse(request.url.path, status)


def post(
    client: httpx.Client,
    batch: BatchRequest,
    format: Format = "multipart",
    *,
    path: str = "/service/$batch",
) -> BatchResponse:
    """Send the batch and return what came back."""
    answer = send(client, encode_request(batch, format=format), path)
    assert answer.status_code == 200, answer.text
    return decode_response(answer.content, answer.headers["content-type"])


def send(client: httpx.Client, payload: Payload, path: str = "/service/$batch") -> httpx.Response:
    return client.post(path, content=payload.body, headers=list(payload.headers.pairs))


def statuses(response: BatchResponse) -> list[int]:
    return [each.status for each in response.responses()]


def error_of(answer: httpx.Response) -> str:
    message: str = answer.json()["error"]["message"]
    return message


# -- what a server handler does -------------------------------------------------------------------


def test_a_server_handler_executes_in_order(serve: Serve, format: Format) -> None:
    people = serve(ordered=True)
    names = [f"P{number}" for number in range(8)]
    response = post(people.client, BatchRequest(map(Operation.get, names)), format)
    assert people.asked == [f"GET /service/{name}" for name in names]
    assert people.most == 1
    assert [each.body.decode() for each in response.responses()] == [f"/service/{n}" for n in names]


def test_a_server_handler_executes_in_parallel(open_client: OpenClient) -> None:
    """Each of two operations waits for the other one to have come."""
    barrier = asyncio.Barrier(2)

    async def answer(request: Request) -> Response:
        async with asyncio.timeout(WATCHDOG):
            await barrier.wait()
        return PlainTextResponse("met")

    client = open_client(answering(answer))
    assert statuses(post(client, BatchRequest([GET, GET]), "json")) == [200, 200]


def test_a_server_handler_refuses_the_ninth_operation_of_a_quota_of_eight(
    serve: Serve, format: Format
) -> None:
    people = serve(limits=Limits(operations=8))
    assert statuses(post(people.client, BatchRequest([GET] * 8), format)) == [200] * 8
    people.asked.clear()
    answer = send(people.client, encode_request(BatchRequest([GET] * 9), format=format))
    assert (answer.status_code, people.asked) == (413, [])
    assert "limit operations is 8" in error_of(answer)


@pytest.mark.parametrize(
    ("wanted", "preference", "settings", "expected"),
    [
        ("multipart", None, {}, [200, 404]),
        ("multipart", True, {}, [200, 404, 200]),
        ("multipart", False, {}, [200, 404]),
        ("json", None, {}, [200, 404, 200]),
        ("json", True, {}, [200, 404, 200]),
        ("json", False, {"ordered": True}, [200, 404]),
        ("multipart", None, {"continue_on_error": True}, [200, 404, 200]),
        ("multipart", False, {"continue_on_error": True}, [200, 404, 200]),
        ("json", False, {"continue_on_error": True}, [200, 404, 200]),
        ("multipart", True, {"continue_on_error": False}, [200, 404]),
    ],
)
def test_continue_on_error_is_a_preference_unless_the_server_decides(
    serve: Serve,
    wanted: Format,
    preference: bool | None,
    settings: dict[str, bool],
    expected: list[int],
) -> None:
    people = serve(**settings)
    batch = BatchRequest([GET, MISSING, GET], continue_on_error=preference)
    assert statuses(post(people.client, batch, wanted)) == expected
    assert len(people.asked) == len(expected)


# -- formats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["multipart/mixed", "application/json", "text/html, */*"])
def test_accept_chooses_the_format_of_the_response_if_it_names_one(
    serve: Serve, format: Format, accept: str
) -> None:
    sent = encode_request(BatchRequest([GET, GET]), format=format, accept=accept)
    answer = send(serve().client, sent)
    expected = sent.content_type.partition(";")[0] if "*" in accept else accept
    assert answer.headers["content-type"].partition(";")[0] == expected
    response = decode_response(answer.content, answer.headers["content-type"])
    assert statuses(response) == [200, 200]


@pytest.mark.parametrize(
    ("query", "accept", "settings", "expected"),
    [
        ("", "application/json;q=0.5, multipart/mixed;q=0.8", {}, "multipart/mixed"),
        ("", "multipart/mixed;q=0, application/json;q=0.1", {}, "application/json"),
        ("", "multipart/mixed;q=x, */*", {}, "multipart/mixed"),
        ("?$format=json", "multipart/mixed", {}, "application/json"),
        ("?%24format=multipart/mixed", "application/json", {}, "multipart/mixed"),
        ("", "application/json", {"answer_in": "multipart/mixed"}, "multipart/mixed"),
    ],
)
def test_the_format_that_is_wanted_most_is_answered_unless_the_server_decides(
    serve: Serve, query: str, accept: str, settings: dict[str, str], expected: str
) -> None:
    sent = encode_request(BatchRequest([GET]), format="multipart", accept=accept)
    answer = serve(**settings).client.post(
        f"/service/$batch{query}", content=sent.body, headers=dict(sent.headers)
    )
    assert answer.headers["content-type"].partition(";")[0] == expected
    assert answer.headers["vary"] == "OData-MaxVersion"


def test_what_the_format_cannot_carry_is_answered_all_the_same(open_client: OpenClient) -> None:
    async def answer(request: Request) -> Response:
        return Response(b"NaN", 200, {"Content-Type": "application/json"})

    client = open_client(answering(answer))
    assert statuses(post(client, BatchRequest([GET]), "json")) == [500]


LINES = "text/x-lines"


def decode_lines(body: bytes, content_type: str, **_: object) -> BatchRequest:
    """Read a toy format: each line is a method, a blank and a URL."""
    lines = body.decode("ascii").splitlines()
    pairs = [line.partition(" ") for line in lines]
    return BatchRequest([Operation(method, url) for method, _, url in pairs])


def encode_lines(response: BatchResponse, **_: object) -> Payload:
    lines = "".join(f"{each.status}\n" for each in response.responses())
    return Payload(lines.encode("ascii"), {"Content-Type": LINES})


TOY = {LINES: (decode_lines, encode_lines)}


def test_a_third_format_plugs_in(serve: Serve) -> None:
    people = serve(formats=TOY, continue_on_error=True)
    answer = people.client.post(
        "/service/$batch",
        content=b"GET People\nGET Missing\nGET http://elsewhere.example/\n",
        headers={"Content-Type": LINES},
    )
    assert (answer.headers["content-type"], answer.text) == (LINES, "200\n404\n403\n")


def test_a_third_format_answers_a_request_in_another_one(serve: Serve) -> None:
    people = serve(formats=TOY)
    payload = encode_request(BatchRequest([GET, MISSING]), format="json", accept=LINES)
    assert send(people.client, payload).text == "200\n404\n"


def test_what_a_third_format_cannot_read_is_a_bad_request(serve: Serve) -> None:
    people = serve(formats=TOY)
    answer = people.client.post("/service/$batch", content=b"\xff", headers={"Content-Type": LINES})
    assert answer.status_code == 400
    assert "codec can't decode" in error_of(answer)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body", "status", "message"),
    [
        (
            "multipart/mixed; boundary=b",
            b"--x\r\n",
            400,
            "[no-delimiter] at byte 0: body starts with '--x', Content-Type says 'b'",
        ),
        ("multipart/mixed", b"--x\r\n", 400, "[boundary-missing] at byte 0 in headers: "),
        ("text/plain", b"", 415, "[batch-media-type] at byte 0 in headers: found 'text/plain'"),
        ("application/json", b'{"requests":', 400, "[json-syntax]"),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused_with_its_rule(
    serve: Serve, content_type: str, body: bytes, status: int, message: str
) -> None:
    people = serve()
    headers = {"Content-Type": content_type}
    answer = people.client.post("/service/$batch", content=body, headers=headers)
    assert (answer.status_code, people.asked) == (status, [])
    assert error_of(answer).startswith(f"error{message}")
    assert answer.headers["content-type"] == "application/json"


def test_a_payload_above_the_limit_is_refused(serve: Serve) -> None:
    people = serve(limits=Limits(message=1000))
    payload = encode_request(BatchRequest([GET] * 50), format="json")
    answer = send(people.client, payload)
    assert answer.status_code == 413
    assert "limit message is 1000" in error_of(answer)


@pytest.mark.parametrize("host", ["a/b?c", "a/", "a?", "a#", "a b", "a:b", "u@a"])
def test_a_host_that_is_none_is_a_bad_request(serve: Serve, host: str) -> None:
    """With a path in the Host, the service root would be another one."""
    people = serve()
    payload = encode_request(BatchRequest([GET]))
    headers = [*payload.headers.pairs, ("Host", host)]
    answer = people.client.post("/service/$batch", content=payload.body, headers=headers)
    assert answer.status_code == 400
    assert people.asked == []


@pytest.mark.parametrize("url", ["http://elsewhere.example/", "/other/People", "../other"])
def test_a_url_outside_of_the_service_root_is_forbidden(serve: Serve, url: str) -> None:
    people = serve()
    assert statuses(post(people.client, BatchRequest([Operation.get(url)]))) == [403]
    assert people.asked == []


# -- how the app is called -------------------------------------------------------------------------


def test_the_path_of_the_endpoint_is_configurable(open_client: OpenClient) -> None:
    people = People()
    client = open_client(BatchMiddleware(people.app(), path="/v1/bulk"))
    assert statuses(post(client, BatchRequest([GET]), path="/v1/bulk")) == [200]
    assert people.asked == ["GET /v1/People"]


def test_everything_but_a_post_to_the_path_goes_to_the_app(serve: Serve) -> None:
    people = serve()
    people.client.get("/service/$batch")
    people.client.post("/service/People")
    assert people.asked == ["GET /service/$batch", "POST /service/People"]


def test_the_middleware_can_be_added_to_starlette(open_client: OpenClient) -> None:
    app = People().app()
    app.add_middleware(BatchMiddleware, path="/service/$batch")
    assert statuses(post(open_client(app), BatchRequest([GET, GET]))) == [200, 200]


def test_an_operation_has_query_and_fields_of_its_own(serve: Serve) -> None:
    people = serve()
    operation = Operation.get("Caf%C3%A9?$top=1&a=%20", headers={"If-None-Match": '"1"'})
    payload = encode_request(BatchRequest([operation]))
    headers = [*payload.headers.pairs, ("Cookie", "a=1"), ("Authorization", "Basic x")]
    people.client.post("/service/$batch", content=payload.body, headers=headers)
    assert people.last is not None
    assert people.last.scope["path"] == "/service/Caf\u00e9"
    assert people.last.scope["query_string"] == b"$top=1&a=%20"
    assert people.last.headers["if-none-match"] == '"1"'
    assert people.last.headers["host"] == people.client.base_url.netloc.decode()
    assert people.last.headers["cookie"] == "a=1"
    assert people.last.headers["authorization"] == "Basic x"


def test_a_streamed_response_of_the_app_is_taken_whole(open_client: OpenClient) -> None:
    async def answer(request: Request) -> Response:
        async def chunks() -> Any:
            for chunk in (b"one ", b"two ", b"three"):
                yield chunk

        return StreamingResponse(chunks(), media_type="text/plain")

    client = open_client(answering(answer))
    [response] = post(client, BatchRequest([GET])).responses()
    assert response.body == b"one two three"


def test_an_operation_in_which_the_app_fails_is_answered_with_500(
    open_client: OpenClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: Request) -> Response:
        raise RuntimeError("the app is broken")

    client = open_client(answering(answer))
    [response] = post(client, BatchRequest([GET])).responses()
    assert response.status == 500
    assert "the app is broken" in caplog.text
    assert b"the app is broken" not in response.body


def test_change_sets_without_transactions_are_not_implemented(serve: Serve) -> None:
    people = serve()
    change_set = ChangeSet([Operation.post("People", json={}, id="1")])
    assert statuses(post(people.client, BatchRequest([change_set]))) == [501]
    assert people.asked == []


# -- transactions ----------------------------------------------------------------------------------


def create(name: str, id: str, boss: int | None = None) -> Operation:
    return Operation.post("People", json={"Name": name, "Boss": boss}, id=id)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "people.db"


@pytest.fixture
def sqlite_client(open_client: OpenClient, database: Path) -> httpx.Client:
    """A client of a service that has a connection for each change set and for each operation."""
    return open_client(server_sqlite.make_app(str(database)))


@pytest.fixture(params=["sqlite", "flask", "django"])
def store(request: pytest.FixtureRequest) -> httpx.Client:
    """A client of each of the services that have transactions."""
    client: httpx.Client = request.getfixturevalue(f"{request.param}_client")
    return client


def people_of(client: httpx.Client) -> list[str]:
    """Return who is there when the batch is done."""
    found = client.get("/service/People").json()
    people = found["value"] if isinstance(found, dict) else found
    return [each["name"] if isinstance(each, dict) else each for each in people]


def test_a_change_set_is_committed(store: httpx.Client, format: Format) -> None:
    batch = BatchRequest([ChangeSet([create("Ann", "1"), create("Bob", "2")])])
    assert statuses(post(store, batch, format)) == [201, 201]
    assert people_of(store) == ["Ann", "Bob"]


def test_a_change_set_that_fails_leaves_nothing_behind(store: httpx.Client, format: Format) -> None:
    assert store.post("/service/People", json={"Name": "Ann"}).status_code == 201
    batch = BatchRequest([ChangeSet([create("Bob", "1"), create("Ann", "2"), create("Cy", "3")])])
    response = post(store, batch, format)
    assert statuses(response) == ([409] if format == "multipart" else [424, 409, 424])
    assert people_of(store) == ["Ann"]


def test_a_commit_that_fails_rolls_the_change_set_back(
    sqlite_client: httpx.Client, format: Format
) -> None:
    """That nobody has the number 99 is found out by the commit."""
    assert sqlite_client.post("/service/People", json={"Name": "Zoe"}).status_code == 201
    batch = BatchRequest([ChangeSet([create("Ann", "1"), create("Bob", "2", boss=99)])])
    assert set(statuses(post(sqlite_client, batch, format))) == {500}
    assert people_of(sqlite_client) == ["Zoe"]


def test_change_sets_of_a_json_batch_are_transactions_of_their_own(
    sqlite_client: httpx.Client,
) -> None:
    good = [ChangeSet([create(f"P{n}", f"{n}")], id=f"g{n}") for n in range(4)]
    bad = ChangeSet([create("Q", "8"), create("Q", "9")], id="bad")
    response = post(sqlite_client, BatchRequest([*good, bad]), "json")
    assert statuses(response) == [201, 201, 201, 201, 424, 409]
    assert sorted(people_of(sqlite_client)) == ["P0", "P1", "P2", "P3"]


def test_operations_outside_of_change_sets_are_kept_when_one_fails(store: httpx.Client) -> None:
    change_set = ChangeSet([create("Bob", "2"), create("Ann", "3")])
    items: list[Operation | ChangeSet] = [create("Ann", "1"), change_set, create("Cy", "4")]
    assert statuses(post(store, BatchRequest(items, continue_on_error=True))) == [201, 409, 201]
    assert people_of(store) == ["Ann", "Cy"]


@pytest.mark.parametrize(("service", "deleted"), [("sqlite", 200), ("flask", 204)])
def test_a_reference_leads_to_the_new_entity(
    request: pytest.FixtureRequest, service: str, deleted: int, format: Format
) -> None:
    client: httpx.Client = request.getfixturevalue(f"{service}_client")
    ann = create("Ann", "1")
    change_set = ChangeSet([ann, create("Bob", "2"), Operation.delete(ann.ref(), id="3")])
    assert statuses(post(client, BatchRequest([change_set]), format)) == [201, 201, deleted]
    assert people_of(client) == ["Bob"]


def test_a_begin_that_fails_fails_the_change_set(serve: Serve) -> None:
    async def begin() -> None:
        raise OSError("no database")

    people = serve(begin=begin)
    change_set = ChangeSet([Operation.post("People", json={}, id="1")])
    assert statuses(post(people.client, BatchRequest([change_set]))) == [500]
    assert people.asked == []


def test_a_batch_that_is_cancelled_rolls_back_what_has_begun() -> None:
    events: list[str] = []

    class Transaction:
        async def rollback(self) -> None:
            events.append("rollback")

    async def begin() -> Transaction:
        events.append("begin")
        return Transaction()

    async def main() -> None:
        called = asyncio.Event()

        async def call(step: Step, transaction: object) -> OperationResponse:
            called.set()
            await asyncio.Event().wait()
            return OperationResponse(200)

        batch = BatchRequest([ChangeSet([Operation.post("People", json={}, id="1")])])
        execution = Execution(batch, batch_url="http://host/service/$batch")
        task = asyncio.create_task(Run(execution, call, begin).in_parallel())
        await asyncio.wait_for(called.wait(), WATCHDOG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert events == ["begin", "rollback"]


class Failing:
    """A transaction that cannot even be rolled back, and is noted."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        events.append("begin")

    def rollback(self) -> None:
        self.events.append("rollback")
        raise OSError("the connection is lost")


class FailingLater(Failing):
    async def rollback(self) -> None:  # type: ignore[override]  # it is awaited
        super().rollback()


def two_sets() -> Execution:
    sets = [ChangeSet([Operation.post("People", json={}, id=id)], id=f"g{id}") for id in "12"]
    return Execution(BatchRequest(sets), batch_url="http://host/service/$batch", format="json")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_every_transaction_is_rolled_back_whatever_is_raised(error: type[BaseException]) -> None:
    events: list[str] = []

    def call(step: Step, transaction: object) -> OperationResponse:
        raise error

    with pytest.raises(error):
        Run(two_sets(), call, lambda: Failing(events)).in_turn()
    assert events == ["begin", "begin", "rollback", "rollback"]


def test_every_transaction_is_rolled_back_when_calls_are_cancelled() -> None:
    events: list[str] = []

    async def call(step: Step, transaction: object) -> OperationResponse:
        raise asyncio.CancelledError

    async def begin() -> Failing:
        return FailingLater(events)

    asyncio.run(Run(two_sets(), call, begin).in_parallel())
    assert sorted(events) == ["begin", "begin", "rollback", "rollback"]


# -- WSGI, with Flask ------------------------------------------------------------------------------


def flask_app(connection: sqlite3.Connection) -> server_wsgi.BatchMiddleware:
    """A service whose only connection is the transaction, since its operations run in turn."""
    app = flask.Flask(__name__)

    @app.get("/service/People")
    def get() -> list[str]:
        return [name for (name,) in connection.execute("SELECT name FROM people ORDER BY id")]

    @app.post("/service/People")
    def post() -> tuple[str, int, dict[str, str]]:
        name = flask.request.get_json()["Name"]
        try:
            cursor = connection.execute("INSERT INTO people (name) VALUES (?)", [name])
        except sqlite3.IntegrityError:
            return "taken", 409, {}
        return "", 201, {"Location": f"/service/People({cursor.lastrowid})"}

    @app.delete("/service/People(<int:id>)")
    def delete(id: int) -> tuple[str, int]:
        connection.execute("DELETE FROM people WHERE id = ?", [id])
        return "", 204

    def begin() -> sqlite3.Connection:
        connection.execute("BEGIN")
        return connection

    return server_wsgi.BatchMiddleware(
        app.wsgi_app, path="/service/$batch", begin=begin, limits=Limits(operations=8)
    )


@pytest.fixture
def flask_client(database: Path) -> Iterator[httpx.Client]:
    with closing(
        sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    ) as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        with (
            wsgi_server(flask_app(connection)) as origin,
            httpx.Client(base_url=origin, timeout=WATCHDOG) as client,
        ):
            yield client


# -- Django ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("django") / "people.db"


@pytest.fixture(scope="session")
def django_app(django_database: Path) -> App:
    app: App = server_django.make_app(str(django_database))  # Django is set up once in a process
    return app


@pytest.fixture
def django_client(django_app: App, django_database: Path) -> Iterator[httpx.Client]:
    django_database.unlink(missing_ok=True)
    with (
        wsgi_server(django_app) as origin,
        httpx.Client(base_url=origin, timeout=WATCHDOG) as client,
    ):
        yield client


# -- both ------------------------------------------------------------------------------------------


@pytest.fixture(params=["flask", "django"])
def wsgi_client(request: pytest.FixtureRequest) -> httpx.Client:
    client: httpx.Client = request.getfixturevalue(f"{request.param}_client")
    return client


def test_a_wsgi_server_handler_executes_in_order(wsgi_client: httpx.Client, format: Format) -> None:
    batch = BatchRequest([*(create(f"P{n}", f"{n}") for n in range(7)), GET])
    assert statuses(post(wsgi_client, batch, format)) == [201] * 7 + [200]
    assert people_of(wsgi_client) == [f"P{n}" for n in range(7)]


@pytest.mark.parametrize("accept", ["multipart/mixed", "application/json"])
def test_a_wsgi_server_answers_in_the_format_that_is_accepted(
    wsgi_client: httpx.Client, accept: str
) -> None:
    answer = send(wsgi_client, encode_request(BatchRequest([GET]), accept=accept))
    assert answer.headers["content-type"].partition(";")[0] == accept


@pytest.mark.parametrize(
    ("text", "preference", "expected"),
    [
        ("GET People; GET Missing; GET People", None, [200, 404]),
        ("GET People; GET Missing; GET People", True, [200, 404, 200]),
        ("GET /other", None, [403]),
    ],
)
def test_a_wsgi_server_stops_at_errors_and_at_urls_outside_of_the_service_root(
    wsgi_client: httpx.Client, text: str, preference: bool | None, expected: list[int]
) -> None:
    batch = batch_of(text, continue_on_error=preference)
    assert statuses(post(wsgi_client, batch)) == expected


def test_a_wsgi_server_refuses_what_it_cannot_read(wsgi_client: httpx.Client) -> None:
    for content_type, status, slug in (
        ("multipart/mixed; boundary=b", 400, "no-delimiter"),
        ("text/x", 415, "batch-media-type"),
    ):
        headers = {"Content-Type": content_type}
        answer = wsgi_client.post("/service/$batch", content=b"--x", headers=headers)
        assert answer.status_code == status
        assert error_of(answer).startswith(f"error[{slug}] at byte 0")


def test_a_wsgi_server_handler_refuses_the_ninth_operation_of_a_quota_of_eight(
    flask_client: httpx.Client,
) -> None:
    batch = BatchRequest([create(f"P{n}", f"{n}") for n in range(9)])
    assert send(flask_client, encode_request(batch)).status_code == 413
    assert people_of(flask_client) == []


@pytest.mark.parametrize("framing", ["-1", "+5", "", "1_0", None])
def test_a_wsgi_server_reads_what_has_a_length_alone(framing: str | None) -> None:
    environ = environ_of_a_batch()
    if framing is None:
        del environ["CONTENT_LENGTH"]
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    else:
        environ["CONTENT_LENGTH"] = framing
    assert answer_of(environ) == ("411 Length Required", None)


def test_a_wsgi_server_has_a_name_of_its_own() -> None:
    environ = environ_of_a_batch()
    assert answer_of(environ) == ("200 OK", [200])
    assert SEEN == ["example.org:8080"]
    assert answer_of({**environ_of_a_batch(), "HTTP_HOST": "other"}) == ("200 OK", [200])
    assert SEEN[1:] == ["other"]


SEEN: list[str] = []


def environ_of_a_batch() -> dict[str, Any]:
    payload = encode_request(BatchRequest([GET]), format="json")
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    del environ["HTTP_HOST"]
    environ |= {"SERVER_NAME": "example.org", "SERVER_PORT": "8080"}
    environ |= {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/service/$batch"}
    environ |= {"CONTENT_TYPE": payload.content_type, "CONTENT_LENGTH": str(len(payload.body))}
    return environ | {"wsgi.input": BytesIO(payload.body)}


def answer_of(environ: dict[str, Any]) -> tuple[str, list[int] | None]:
    """Return what a WSGI app answers that notes its host: the status line, those of the batch."""

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        SEEN.append(environ["HTTP_HOST"])
        start("200 OK", [])
        return []

    lines: list[str] = []
    batch = server_wsgi.BatchMiddleware(app, path="/service/$batch")
    body = b"".join(batch(environ, lambda status, fields: lines.append(status)))  # type: ignore[arg-type]  # what `start_response` returns is not asked for
    found = None if lines[0][0] != "2" else statuses(decode_response(body, "application/json"))
    return lines[0], found


@pytest.mark.parametrize("inside", ["autocommit", "atomic", "atomic requests"])
@pytest.mark.parametrize("client", ["test", "asgi", "test case"])
def test_a_change_set_is_a_transaction_of_django_however_it_is_asked(
    tmp_path: Path, inside: str, client: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DJANGO, inside, client, str(tmp_path / "people.db")],
        capture_output=True,
        text=True,
        cwd=HOME.parent,
        timeout=WATCHDOG,
    )
    assert (done.stderr, done.stdout) == ("", "[409, 201] ['B', 'C']\n")


# Django is set up once in a process.
DJANGO = """
import asyncio, sys

inside, how, database = sys.argv[1:]
from examples import server_django
from odata_batch import BatchRequest, ChangeSet, Operation, decode_response, encode_request
from asgiref.sync import sync_to_async
from django.conf import settings
server_django.make_app(database)
from django.db import connection, connections, transaction
from django.test import AsyncClient, Client, TestCase
from django.urls import path

people = server_django.people
if inside == "atomic requests":
    settings.DATABASES["default"]["ATOMIC_REQUESTS"] = True
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = True
elif inside == "atomic":
    server_django.urlpatterns[1] = path("service/People", transaction.atomic(people))
settings.ALLOWED_HOSTS.append("testserver")

def create(id, name):
    return Operation.post("People", json={"Name": name}, id=id)

with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name UNIQUE)")
    cursor.execute("INSERT INTO people (name) VALUES ('B')")
batch = BatchRequest(
    [ChangeSet([create("1", "A"), create("2", "B")]), create("3", "C")], continue_on_error=True
)
sent = encode_request(batch, format="multipart")
fields = {"content_type": sent.content_type, "headers": {"Prefer": sent.headers["prefer"]}}
url = "/service/$batch"

def names():
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM people ORDER BY name")
        return [name for (name,) in cursor]

def show(answer):
    response = decode_response(answer.content, answer["content-type"])
    print([each.status for each in response.responses()], names())

if how == "asgi":
    async def ask():
        answer = await AsyncClient().post(url, sent.body, **fields)
        await sync_to_async(connections.close_all)()  # those of the thread that ran the views
        return answer
    show(asyncio.run(ask()))
elif how == "test case":
    class Case(TestCase):
        def runTest(self):
            show(self.client.post(url, sent.body, **fields))
    Case.setUpClass()
    Case().debug()
    Case.tearDownClass()
else:
    show(Client().post(url, sent.body, **fields))
connections.close_all()
"""


# -- the examples themselves -----------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(HOME.glob("server_*.py")), ids=lambda path: path.stem)
def test_a_server_example_is_shorter_than_100_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) < 100
