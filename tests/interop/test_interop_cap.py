"""Our client against a CAP server; what `match` says is compared with what the database holds."""

from __future__ import annotations

import http.client
import importlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from odata_batch import (
    BatchRequest,
    BatchResult,
    ChangeSet,
    Dialect,
    Exchange,
    Operation,
    Payload,
    State,
    check_response,
    convert_request,
    encode_request,
    match,
    split,
)
from odata_batch.dialects import ODATA_2, SAP_CAP
from tests.interop.conftest import HERE, Server, Table, keep, python_peer
from tests.interop.service import JSON_TYPE, message

pytestmark = pytest.mark.interop

Format = Literal["multipart", "json"]
FORMATS: tuple[Format, ...] = ("multipart", "json")
MEDIA_TYPES = {"multipart": "multipart/mixed", "json": "application/json"}
BOTH = pytest.mark.parametrize("format", FORMATS)
OTHER: dict[Format, Format] = {"multipart": "json", "json": "multipart"}
SUCCEEDED, FAILED, ROLLED_BACK = State.SUCCEEDED, State.FAILED, State.ROLLED_BACK
# In JSON the members of a change set keep the status that they had before it was rolled back.
ROLLED_BACK_WITH_201: dict[Format, list[str]] = {"multipart": [], "json": ["group-status-mixed"]}


@dataclass(frozen=True)
class Shop:
    """The service of `cap/srv/shop.cds`, which has no books when a test begins."""

    cap: Server
    package: str = "@sap/cds"
    root: str = "/shop/"
    dialect: Dialect = SAP_CAP
    content_types: list[str] = field(default_factory=list)
    """Those of the batch responses."""

    @property
    def peer(self) -> tuple[str, str, str]:
        """Who is talked to, as the table names it."""
        return self.package, self.cap.packages.version(self.package), "server"

    def call(
        self, method: str, path: str, payload: Payload | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the status, the header fields and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.cap.port, timeout=30)
        headers = dict(payload.headers.pairs) if payload else {}
        connection.request(method, path, payload.body if payload else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), body

    def books(self) -> list[dict[str, Any]]:
        """Return what the database holds, read without a batch."""
        _, _, body = self.call("GET", "/shop/Books?$orderby=ID")
        entities: list[dict[str, Any]] = json.loads(body)["value"]
        return entities

    def ids(self) -> list[int]:
        return [book["ID"] for book in self.books()]

    def send(
        self, batch: BatchRequest, format: Format, answer: Format | None = None, capture: str = ""
    ) -> tuple[BatchResult, list[str]]:
        """Return what became of the operations, and the rules that the response breaks."""
        accept = MEDIA_TYPES[answer or format]
        payload = encode_request(batch, format=format, dialect=self.dialect, accept=accept)
        status, headers, body = self.call("POST", f"{self.root}$batch", payload)
        if capture:
            keep(
                f"odata-v2-adapter-{capture}", message(f"HTTP/1.1 {status} Accepted", headers, body)
            )
        content_type = next(value for name, value in headers if name.lower() == "content-type")
        self.content_types.append(content_type)
        report = check_response(
            body,
            content_type,
            headers=headers,
            dialect=self.dialect,
            request=batch,
            request_format=format,
        )
        result = match(batch, report.value, format=format, dialect=self.dialect, status=status)
        return result, list(dict.fromkeys(found.rule.slug for found in report.diagnostics))


@pytest.fixture
def shop(cap: Server) -> Shop:
    shop = Shop(cap)
    for id in shop.ids():
        shop.call("DELETE", f"/shop/Books({id})")
    return shop


def book(id: int, **fields: object) -> Operation:
    """Return a request that creates a book, and bears its number."""
    entity = {"ID": id, "title": f"Book {id}", "stock": 1, "isbn": f"isbn-{id}", **fields}
    return Operation.post("Books", json=entity, id=f"b{id}")


def states(result: BatchResult) -> list[State]:
    return [outcome.state for outcome in result.outcomes]


CROSSED = BatchRequest(
    [
        book(1),
        ChangeSet([book(2), book(3, stock=5000)]),
        book(4),
        Operation.get("Books(99)", id="missing"),
    ]
)


@BOTH
def test_a_change_set_that_refers_to_itself_succeeds(
    shop: Shop, table: Table, format: Format
) -> None:
    first = book(1)
    change_set = ChangeSet(
        [
            first,
            Operation.patch(first.ref(), json={"stock": 5}),
            Operation.post(first.ref("pages"), json={"number": 1, "text": "Once"}),
        ]
    )
    batch = BatchRequest([change_set, Operation.get("Books(1)?$expand=pages")])
    result, findings = shop.send(batch, format)
    assert result.ok
    assert findings == []
    assert [outcome.status for outcome in result.outcomes] == [201, 200, 201, 200]
    assert [book["stock"] for book in shop.books()] == [5]
    last = result.outcomes[-1].response
    assert last is not None
    assert [page["text"] for page in json.loads(last.body)["pages"]] == ["Once"]
    exchanged = f"{format}: a change set whose requests refer to its first, then a query"
    table.add(*shop.peer, exchanged, "all succeeded")


@BOTH
def test_a_change_set_that_fails_is_not_applied_and_the_rest_is(
    shop: Shop, table: Table, format: Format
) -> None:
    batch = BatchRequest(
        [book(1), ChangeSet([book(2), book(3, stock=5000), book(4)]), book(5)],
        continue_on_error=True,
    )
    result, findings = shop.send(batch, format)
    assert states(result) == [SUCCEEDED, ROLLED_BACK, FAILED, ROLLED_BACK, SUCCEEDED]
    assert shop.ids() == [1, 5]
    assert findings == ROLLED_BACK_WITH_201[format]
    failed = result["b3"].response
    assert failed is not None
    assert json.loads(failed.body)["error"]["code"] == "ASSERT_RANGE"
    exchanged = f"{format}: a change set of which one request is refused, between two others"
    table.add(*shop.peer, exchanged, "match agrees with the database", *findings)


@BOTH
def test_a_change_set_that_fails_at_the_commit_is_not_applied(
    shop: Shop, table: Table, format: Format
) -> None:
    batch = BatchRequest(
        [book(1), ChangeSet([book(2), book(3, isbn="isbn-1")]), Operation.get("Books/$count")],
        continue_on_error=True,
    )
    result, findings = shop.send(batch, format)
    assert states(result) == [SUCCEEDED, ROLLED_BACK, FAILED, SUCCEEDED]
    assert shop.ids() == [1]
    assert findings == ROLLED_BACK_WITH_201[format]
    exchanged = "a change set that breaks a unique key, between two others"
    table.add(*shop.peer, f"{format}: {exchanged}", "match agrees with the database", *findings)


@BOTH
def test_what_comes_after_the_error_at_which_the_batch_stops_is_not_executed(
    shop: Shop, table: Table, format: Format
) -> None:
    batch = BatchRequest([book(1), Operation.get("Books(7)"), book(2)], continue_on_error=False)
    result, findings = shop.send(batch, format)
    assert states(result) == [SUCCEEDED, FAILED, State.NOT_EXECUTED]
    assert shop.ids() == [1]
    assert findings == []
    exchanged = f"{format}: a query that fails between two requests, stopping there"
    table.add(*shop.peer, exchanged, "the third is known not to have been executed")


def test_json_goes_on_behind_an_error_unless_told_otherwise(shop: Shop, table: Table) -> None:
    batch = BatchRequest([book(1), Operation.get("Books(7)"), book(2)])
    result, findings = shop.send(batch, "json")
    assert states(result) == [SUCCEEDED, FAILED, SUCCEEDED]
    assert shop.ids() == [1, 2]
    assert findings == []
    exchanged = "json: a query that fails between two requests"
    table.add(*shop.peer, exchanged, "the third is executed, as the standard has it")


def test_what_depends_on_a_failure_is_not_applied(shop: Shop, table: Table) -> None:
    first = book(1, title=None)
    broken = ChangeSet([book(2), book(3, stock=5000)], id="broken")
    items: list[Operation | ChangeSet] = [
        first,
        Operation.patch(first.ref(), json={"stock": 2}, depends_on=["b1"]),
        ChangeSet([book(4), Operation.post("Books", json={"ID": 5}, depends_on=["b1"], id="b5")]),
        broken,
        Operation.post("Books", json={"ID": 6}, depends_on=["broken"], id="b6"),
        book(7),
    ]
    result, findings = shop.send(BatchRequest(items), "json")
    assert states(result) == [
        FAILED,
        State.DEPENDENCY_FAILED,
        ROLLED_BACK,
        State.DEPENDENCY_FAILED,
        ROLLED_BACK,
        FAILED,
        State.DEPENDENCY_FAILED,
        SUCCEEDED,
    ]
    assert shop.ids() == [7]
    assert findings == ["group-status-mixed"]
    exchanged = "json: dependencies on a request and on a change set that fail"
    table.add(*shop.peer, exchanged, "match agrees with the database", *findings)


@BOTH
def test_more_requests_than_the_server_takes_are_sent_in_pieces(
    shop: Shop, table: Table, format: Format
) -> None:
    change_set = ChangeSet([book(number) for number in range(2, 8)])
    batch = BatchRequest([book(1), change_set, book(8), book(9)])
    refused, findings = shop.send(batch, format)
    assert {outcome.reason for outcome in refused.outcomes} == {
        "the batch as a whole was refused with 429"
    }
    assert findings == ["json-error-response"]
    assert shop.ids() == []
    pieces = split(batch, max_operations=8, format=format, dialect=SAP_CAP)
    results = [shop.send(piece, format) for piece in pieces]
    assert [len(result.outcomes) for result, _ in results] == [8, 1]
    assert all(result.ok for result, _ in results)
    assert shop.ids() == list(range(1, 10))
    exchanged = f"{format}: nine requests where eight are allowed, then the same in two batches"
    table.add(*shop.peer, exchanged, "refused with 429; then all succeeded")


@BOTH
def test_text_that_looks_like_a_batch_comes_back_as_it_went(
    shop: Shop, table: Table, format: Format
) -> None:
    title = "Ünïcödé \U0001f600\r\n--batch\r\nContent-Type: x\r\n\r\n\0\u2028"
    batch = BatchRequest(
        [ChangeSet([book(1, title=title)]), Operation.get("Books(1)/title/$value")]
    )
    result, findings = shop.send(batch, format)
    assert result.ok
    assert findings == []
    assert shop.books()[0]["title"] == title
    raw = result.outcomes[-1].response
    assert raw is not None
    assert raw.body.decode() == title
    exchanged = f"{format}: a title with line ends, delimiters and characters of all sizes"
    table.add(*shop.peer, exchanged, "stored and read back octet by octet")


def test_a_path_is_taken_to_begin_at_the_service_root(shop: Shop, table: Table) -> None:
    urls = ["Books/$count", "/Books/$count", "/shop/Books/$count"]
    batch = BatchRequest([Operation.get(url) for url in urls], continue_on_error=True)
    result, _ = shop.send(batch, "multipart")
    assert [outcome.status for outcome in result.outcomes] == [200, 200, 404]
    finding = "`/shop/Books`, relative to the host (OData Protocol, 11.7.7.1), is answered with 404"
    exchanged = "multipart: one URL in three forms"
    table.add(*shop.peer, exchanged, "two of them are understood", finding)


@BOTH
def test_the_same_batch_in_the_other_format_has_the_same_outcome(
    shop: Shop, table: Table, format: Format
) -> None:
    batch = BatchRequest(
        [book(1), ChangeSet([book(2), book(3)]), Operation.get("Books(99)"), book(4)],
        continue_on_error=False,
    )
    converted, losses = convert_request(batch, source=format, target=OTHER[format], dialect=SAP_CAP)
    result, _ = shop.send(converted, OTHER[format])
    assert losses == ()
    assert [outcome.state.name for outcome in result.outcomes][:4] == [
        "SUCCEEDED",
        "SUCCEEDED",
        "SUCCEEDED",
        "FAILED",
    ]
    assert result.outcomes[4].state in (State.NOT_EXECUTED, State.DEPENDENCY_FAILED)
    assert shop.ids() == [1, 2, 3]
    exchanged = f"{format}: a batch that stops at an error, converted to {OTHER[format]}"
    table.add(*shop.peer, exchanged, "the same requests were executed")


def test_nothing_is_claimed_where_ids_are_not_those_of_the_request(
    shop: Shop, table: Table
) -> None:
    result, findings = shop.send(CROSSED, "multipart", "json")
    assert set(states(result)) == {State.UNKNOWN}
    assert result.outcomes[0].reason == (
        "no response to it was found, but one with the id 'r1', which was not sent"
    )
    assert shop.ids() == [1, 4]
    assert findings == ["group-status-mixed", "response-unexpected"]
    table.add(
        *shop.peer,
        "multipart, to be answered in JSON: a change set that fails, and others around it",
        "all are unknown, and nothing is claimed",
        *findings,
        "the ids are `r1`, `r2` and so on, whatever the Content-IDs were",
        "a multipart batch does not stop at the error, as it does when answered in multipart",
    )


@pytest.mark.parametrize("goes_on", [None, True], ids=["stopping", "going on"])
def test_nothing_is_claimed_where_a_json_batch_is_answered_without_ids(
    shop: Shop, table: Table, goes_on: bool | None
) -> None:
    batch = BatchRequest(CROSSED.items, continue_on_error=goes_on)
    result, findings = shop.send(batch, "json", "multipart")
    assert set(states(result)) == {State.UNKNOWN}
    responses = 4 if goes_on else 2
    assert result.outcomes[0].reason == f"no response has its id, and {responses} have none"
    assert shop.ids() == ([1, 4] if goes_on else [1])
    assert findings == ["response-id", "response-missing"]
    assert shop.content_types == ["multipart/mixed;boundary=undefined"]
    stop = "a JSON batch stops at the error, as it does not when answered in JSON"
    exchanged = "a change set that fails, and others around it"
    table.add(
        *shop.peer,
        f"json, to be answered in multipart: {'the same, going on' if goes_on else exchanged}",
        "all are unknown, and nothing is claimed",
        *findings,
        *([] if goes_on else [stop]),
        "no part has a Content-ID, and the boundary is `undefined`",
    )


@BOTH
@pytest.mark.parametrize("package", ["requests", "urllib3"])
def test_a_client_of_the_examples_is_told_what_failed(
    shop: Shop, table: Table, package: str, format: Format
) -> None:
    _, [module] = python_peer(package, package)
    example = importlib.import_module(f"examples.client_{package}")
    connect = module.Session if package == "requests" else module.PoolManager
    batch = BatchRequest([book(1), ChangeSet([book(2), book(3, stock=5000)]), book(4)])
    with connect() as client:
        url = f"http://127.0.0.1:{shop.cap.port}/shop/$batch"
        result = example.send(client, Exchange(batch, url, format=format))
    stops = format == "multipart"
    last = State.NOT_EXECUTED if stops else SUCCEEDED
    assert states(result) == [SUCCEEDED, ROLLED_BACK, FAILED, last]
    assert shop.ids() == ([1] if stops else [1, 4])
    exchanged = f"{format}: `examples/client_{package}.py`, with a change set that fails"
    table.add(*shop.peer, exchanged, "match agrees with the database")


# -- the adapter for OData 2 ---------------------------------------------------------------------


def step(text: str) -> Operation:
    """Return what is spelt as method, number or URL, and fields, as in "POST 3 stock=5000"."""
    method, target, *rest = text.split(" ", 2)
    fields: dict[str, object] = {**dict(each.split("=", 1) for each in rest)}
    fields |= {"stock": int(str(fields["stock"]))} if "stock" in fields else {}
    if method == "POST":
        return book(int(target), **fields)
    body = json.dumps(fields).encode() if fields else b""
    return Operation(method, target, JSON_TYPE if fields else {}, body)


@pytest.mark.parametrize(
    "row", json.loads((HERE / "adapter.json").read_bytes()), ids=lambda row: str(row["name"])
)
def test_match_agrees_with_what_the_adapter_for_odata_2_does(
    cap: Server, shop: Shop, table: Table, row: dict[str, Any]
) -> None:
    dialect = replace(ODATA_2, multipart_stops_on_error="dialect" not in row)
    adapter = Shop(cap, "@cap-js-community/odata-v2-adapter", "/odata/v2/shop/", dialect)
    items = [
        ChangeSet(map(step, each)) if isinstance(each, list) else step(each)
        for each in row["items"]
    ]
    result, rules = adapter.send(BatchRequest(items), "multipart", capture=row["name"])
    assert [state.value for state in states(result)] == row["states"]
    assert rules == row.get("rules", [])
    assert {str(each["ID"]): each["stock"] for each in shop.books()} == row.get("stored", {})
    last = result.outcomes[-1].response
    assert "last" not in row or (last is not None and last.body.decode() == row["last"])
    outcome = row.get("result", "match agrees with the database")
    table.add(*adapter.peer, row["exchanged"], outcome, *rules, *row.get("faults", []))
