"""The server examples, run: real servers on loopback, asked by httpx, alone and by many at once."""

from __future__ import annotations

import asyncio
import importlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Operation,
    decode_response,
    encode_request,
)
from tests.helpers import FORMATS, Format
from tests.servers import WATCHDOG, asgi_server, wsgi_server

HOME = Path(__file__).resolve().parent.parent / "examples"
PATH = "/service/$batch"
GET = Operation.get("People")
Serve: TypeAlias = Callable[[Any], AbstractContextManager[str]]


@contextmanager
def aiohttp_server(app: Any) -> Iterator[str]:
    """Serve an app of aiohttp in a thread; yield its origin."""
    from aiohttp import web

    origin: list[str] = []
    started, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        runner = web.AppRunner(app)
        await runner.setup()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await web.SockSite(runner, listener).start()
            origin.append(f"http://127.0.0.1:{listener.getsockname()[1]}")
            started.set()
            await asyncio.to_thread(ended.wait)
            await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(WATCHDOG)
    try:
        yield origin[0]
    finally:
        ended.set()
        thread.join(WATCHDOG)


SERVERS: dict[str, tuple[Serve, str]] = {
    "fastapi": (asgi_server, "sqlalchemy"),
    "starlette": (asgi_server, ""),
    "flask": (wsgi_server, "sqlalchemy"),
    "django": (wsgi_server, ""),
    "aiohttp": (aiohttp_server, ""),
}
ON_DISK = ("fastapi", "flask", "django")


@pytest.fixture(scope="session")
def django_app(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """Django is set up once in a process."""
    database = tmp_path_factory.mktemp("django") / "people.db"
    return importlib.import_module("examples.server_django").make_app(str(database)), database


@pytest.fixture(params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def client(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of each of the services; nobody is there yet."""
    serve, needed = SERVERS[name]
    for package in (name, needed):
        if package:
            pytest.importorskip(package, reason="`make test` installs it")
    if name == "django":
        app, database = request.getfixturevalue("django_app")
        database.unlink(missing_ok=True)
    else:
        database = [str(tmp_path / "people.db")] if name in ON_DISK else []
        app = importlib.import_module(f"examples.server_{name}").make_app(*database)
    with serve(app) as origin, httpx.Client(base_url=origin, timeout=WATCHDOG) as client:
        yield client


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    return found


def create(name: str, id: str) -> Operation:
    return Operation.post("People", json={"Name": name}, id=id)


def post(client: httpx.Client, batch: BatchRequest, format: Format = "multipart") -> BatchResponse:
    """Send the batch and return what came back."""
    payload = encode_request(batch, format=format)
    answer = client.post(PATH, content=payload.body, headers=list(payload.headers.pairs))
    assert answer.status_code == 200, answer.text
    return decode_response(answer.content, answer.headers["content-type"])


def statuses(response: BatchResponse) -> list[int]:
    return [each.status for each in response.responses()]


def people_of(client: httpx.Client) -> list[str]:
    return [each["Name"] for each in client.get("/service/People").json()["value"]]


def test_operations_are_run_and_answered(client: httpx.Client, format: Format) -> None:
    batch = BatchRequest([ChangeSet([create("Ann", "1"), create("Bob", "2")]), GET])
    response = post(client, batch, format)
    assert statuses(response) == [201, 201, 200]
    assert "value" in response.responses()[2].json()
    assert people_of(client) == ["Ann", "Bob"]


def test_a_change_set_that_fails_leaves_nothing_behind(
    client: httpx.Client, format: Format
) -> None:
    assert client.post("/service/People", json={"Name": "Ann"}).status_code == 201
    change_set = ChangeSet([create("Bob", "1"), create("Ann", "2"), create("Cy", "3")])
    response = post(client, BatchRequest([change_set]), format)
    assert statuses(response) == ([409] if format == "multipart" else [424, 409, 424])
    batch = BatchRequest([change_set, create("Dee", "4"), GET], continue_on_error=True)
    assert statuses(post(client, batch))[-2:] == [201, 200]
    assert people_of(client) == ["Ann", "Dee"]


def test_a_reference_leads_to_the_new_entity(
    client: httpx.Client, name: str, format: Format
) -> None:
    if name == "django":
        pytest.skip("this example deletes nobody")
    ann = create("Ann", "1")
    change_set = ChangeSet([ann, create("Bob", "2"), Operation.delete(ann.ref(), id="3")])
    assert statuses(post(client, BatchRequest([change_set]), format)) == [201, 201, 204]
    assert people_of(client) == ["Bob"]


def test_what_is_no_batch_is_refused(client: httpx.Client) -> None:
    answer = client.post(PATH, content=b"--x", headers={"Content-Type": "text/x"})
    assert answer.status_code == 415
    assert answer.json()["error"]["message"].startswith("error[batch-media-type] at byte 0")
    answer = client.request("HEAD", PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_many_clients_are_served_at_the_same_time(client: httpx.Client, format: Format) -> None:
    """Each sends a change set that is committed, one that is rolled back, and reads."""

    async def send(many: httpx.AsyncClient, number: int) -> list[int]:
        bad = ChangeSet([create(f"X{number}", "3"), create("Ann", "4")], id="bad")
        good = ChangeSet([create(f"P{number}", "1"), create(f"Q{number}", "2")], id="good")
        batch = BatchRequest([bad, good, *[GET] * 6], continue_on_error=True)
        payload = encode_request(batch, format=format)
        headers = dict(payload.headers)
        answer = await many.post(PATH, content=payload.body, headers=headers)
        response = decode_response(answer.content, answer.headers["content-type"])
        return sorted(statuses(response))

    async def main() -> list[list[int]]:
        limits = httpx.Limits(max_connections=8)
        base = client.base_url
        async with httpx.AsyncClient(base_url=base, timeout=WATCHDOG, limits=limits) as many:
            return await asyncio.gather(*(send(many, number) for number in range(24)))

    client.post("/service/People", json={"Name": "Ann"})
    failed = [409] if format == "multipart" else [409, 424]
    assert asyncio.run(main()) == [[*[200] * 6, 201, 201, *failed]] * 24
    assert sorted(people_of(client)) == sorted(
        ["Ann", *(f"{letter}{number}" for number in range(24) for letter in "PQ")]
    )


def test_a_connection_that_is_cut_leaves_nothing_open(client: httpx.Client) -> None:
    """Wherever it is cut, the change set is done as a whole or not at all, and others go on."""
    payload = encode_request(BatchRequest([ChangeSet([create("Ann", "1"), create("Bob", "2")])]))
    fields = [*payload.headers.pairs, ("Host", "h"), ("Content-Length", str(len(payload.body)))]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    message = f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + payload.body
    url = urlsplit(str(client.base_url))
    for end in (len(message) - 9, len(message)):
        with socket.create_connection((url.hostname, url.port)) as connection:
            connection.sendall(message[:end])
    assert people_of(client) in ([], ["Ann", "Bob"])
    assert statuses(post(client, BatchRequest([ChangeSet([create("Cy", "1")])]))) == [201]
    assert people_of(client) in (["Cy"], ["Ann", "Bob", "Cy"], ["Cy", "Ann", "Bob"])


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


def test_a_change_set_that_django_would_not_commit_is_not_committed(django_app: Any) -> None:
    """An inner transaction that failed has it rolled back at its end, without an error."""
    from django.db import transaction

    change_set = importlib.import_module("examples.server_django").Transaction()
    transaction.set_rollback(True)
    with pytest.raises(RuntimeError, match="broken"):
        change_set.commit()
    change_set.rollback()
    assert not transaction.get_connection().in_atomic_block


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


@pytest.mark.parametrize("path", sorted(HOME.glob("server_*.py")), ids=lambda path: path.stem)
def test_a_server_example_is_shorter_than_100_lines_and_imports_none(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 100
    assert "from examples" not in text
