"""The server examples, run: real servers on loopback, asked by httpx, alone and by many at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="`make test` installs it")

import httpx

from benchmarks.load import cut, press, served
from odata_batch import BatchRequest, Operation, encode_request
from tests.servers import SERVERS, WATCHDOG, make_app, wsgi_server

HOME = Path(__file__).resolve().parent.parent / "examples"
PATH = "/service/$batch"


@pytest.fixture(params=SERVERS)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def client(name: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of each of the services; nobody is there yet."""
    serve, needed = SERVERS[name]
    for package in filter(None, (name.partition("-")[0], needed)):
        pytest.importorskip(package, reason="`make test` installs it")
    database = str(tmp_path / "people.db")
    with ExitStack() as stack:
        if "django" in name:  # which is set up once in a process
            origin, _ = stack.enter_context(served(name, database))
        else:
            origin = stack.enter_context(serve(make_app(name, database)))
        yield stack.enter_context(httpx.Client(base_url=origin, timeout=WATCHDOG))


def test_a_body_that_comes_in_chunks_is_read_where_the_server_tells_its_end(
    client: httpx.Client, name: str
) -> None:
    """It is a long one, too. What wsgiref gives to an application has no end."""
    ann = Operation.post("People", json={"Name": "Ann" * 99_999})
    payload = encode_request(BatchRequest([*[Operation.get("People")] * 99, ann]))
    chunks = (payload.body[start : start + 9999] for start in range(0, len(payload.body), 9999))
    answer = client.post(PATH, content=chunks, headers=dict(payload.headers))
    is_known = SERVERS[name][0] is not wsgi_server
    assert answer.status_code == (200 if is_known else 411)
    assert len(client.get("/service/People").json()["value"]) == is_known


def test_what_is_no_batch_is_refused(client: httpx.Client) -> None:
    answer = client.post(PATH, content=b"--x", headers={"Content-Type": "text/x"})
    assert answer.status_code == 415
    assert answer.json()["error"]["message"].startswith("error[batch-media-type] at byte 0")
    answer = client.request("HEAD", PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_many_clients_are_served_at_the_same_time(client: httpx.Client) -> None:
    """A small form of what `python -m benchmarks.load` measures: what is committed and what is
    rolled back, references and reads, in both formats."""
    assert asyncio.run(press(str(client.base_url), range(16), 8)) == []


def test_a_connection_that_is_cut_leaves_nothing_open(client: httpx.Client) -> None:
    """Wherever it is cut, the change set is done as a whole or not at all, and others go on."""
    assert asyncio.run(cut(str(client.base_url), 8, 8))[1] == []


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
    # For what Django rolls back without a word, and for a database that there is not
    errors = "inside TransactionManagementError False ConnectionDoesNotExist False"
    assert (done.stderr, done.stdout) == ("", f"default [409, 201] ['B', 'C'] {errors} ")


# Django is set up once in a process.
DJANGO = """
import asyncio, sys

inside, how, database = sys.argv[1:]
from examples import server_django
from odata_batch.django import *
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
    # The view of the batch is none of the transactions that requests are.
    print(*server_django.urlpatterns[0].callback._non_atomic_requests, end=" ")
    print([each.status for each in response.responses()], names(), end=" ")

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
for using in None, "absent":
    try:
        with change_set(using):
            transaction.set_rollback(True)
            print("inside", end=" ")
    except Exception as error:
        print(type(error).__name__, connection.in_atomic_block, end=" ")
connections.close_all()
"""


@pytest.mark.parametrize("path", sorted(HOME.glob("server_*.py")), ids=lambda path: path.stem)
def test_a_server_example_is_shorter_than_100_lines_and_imports_none(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 100
    assert "from examples" not in text
