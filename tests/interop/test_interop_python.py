"""Python clients against our ASGI example: of Azure Tables, of OData 2, and of Microsoft Graph."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest

from odata_batch import ChangeSet, remaining
from odata_batch.dialects import AZURE_TABLES, GRAPH, ODATA_2
from tests.interop.conftest import Table, keep, python_peer
from tests.interop.service import Entity, People, Service, serving, verbose

pytestmark = [
    pytest.mark.interop,
    pytest.mark.filterwarnings("default"),  # those of the packages are not our concern
]


# -- azure-data-tables ---------------------------------------------------------------------------

CODES = {404: "ResourceNotFound", 409: "EntityAlreadyExists", 412: "UpdateConditionNotSatisfied"}


@dataclass(frozen=True)
class Tables:
    """The package, a client of it, and the service that this client talks to."""

    peer: tuple[str, str, str]
    module: ModuleType
    client: Any
    service: Service


def _table_key(entity: Entity) -> str:
    return f"PartitionKey='{entity['PartitionKey']}',RowKey='{entity['RowKey']}'"


def _table_error(status: int, text: str, index: int) -> object:
    # The number before the colon is the index of the operation that failed.
    message = {"lang": "en-US", "value": f"{index}:{text}"}
    return {"odata.error": {"code": CODES[status], "message": message}}


@pytest.fixture
def tables() -> Iterator[Tables]:
    """A service that answers as Azure Tables does, and holds the rows 4, 5 and 6."""
    name = "azure-data-tables"
    version, [module, core] = python_peer(name, "azure.data.tables", "azure.core.credentials")
    people = People(key=_table_key, error=_table_error, upsert=True)
    people.entities = {_table_key(row(key)): row(key) for key in "456"}
    credential = core.AzureNamedKeyCredential("account", "a2V5")
    with serving(Service(people, AZURE_TABLES, status=202)) as service:
        client = module.TableClient(service.url, "People", credential=credential, retry_total=0)
        with client:
            yield Tables((name, version, "client"), module, client, service)


def row(key: str, **fields: object) -> Entity:
    return {"PartitionKey": "p", "RowKey": key, "Name": "Änn", **fields}


def test_a_transaction_of_azure_tables_is_applied(tables: Tables, table: Table) -> None:
    answer = tables.client.submit_transaction(
        [
            ("create", row("1")),
            ("upsert", row("2", Age=2)),
            ("upsert", row("3"), {"mode": "replace"}),
            ("update", row("4", Age=4)),
            ("update", row("5", Age=5), {"mode": "replace"}),
            ("delete", row("6")),
        ]
    )
    exchange = tables.service.last
    assert exchange.findings == []
    (change_set,) = exchange.request.items
    assert isinstance(change_set, ChangeSet)
    methods = ["POST", "PATCH", "PUT", "PATCH", "PUT", "DELETE"]
    operations = exchange.request.operations()
    assert [each.method for each in operations] == methods
    assert [each.id for each in operations] == ["0", "1", "2", "3", "4", "5"]
    assert [sorted(each) for each in answer] == [["etag"]] * 5 + [[]]
    entities = tables.service.people.entities.values()
    ages = {entity["RowKey"]: entity.get("Age") for entity in entities}
    assert ages == {"1": None, "2": 2, "3": None, "4": 4, "5": 5}
    keep("azure-data-tables-every-operation-in-one-transaction", exchange.message)
    exchanged = "a transaction that creates, merges, replaces, updates and deletes"
    table.add(*tables.peer, exchanged, "applied; the ETags are understood")


def test_a_transaction_of_azure_tables_that_fails_is_not_applied(
    tables: Tables, table: Table
) -> None:
    operations = [("create", row("1")), ("delete", row("4")), ("delete", row("3"))]
    with pytest.raises(tables.module.TableTransactionError) as raised:
        tables.client.submit_transaction([*operations, ("create", row("2"))])
    assert (raised.value.index, raised.value.status_code) == (2, 404)
    assert raised.value.error_code == tables.module.TableErrorCode.RESOURCE_NOT_FOUND
    entities = tables.service.people.entities
    assert list(entities) == [_table_key(row(key)) for key in "456"]
    assert tables.service.last.findings == []
    exchanged = "a transaction of which the third operation fails"
    result = "not applied; index, status and code of the error are understood"
    table.add(*tables.peer, exchanged, result)


def test_an_etag_that_is_out_of_date_fails_the_transaction_of_azure_tables(
    tables: Tables, table: Table
) -> None:
    stale = {"etag": 'W/"0"', "match_condition": _match_conditions().IfNotModified}
    with pytest.raises(tables.module.TableTransactionError) as raised:
        tables.client.submit_transaction(
            [("create", row("1")), ("update", row("4", Age=4), stale), ("create", row("2"))]
        )
    assert (raised.value.index, raised.value.status_code) == (1, 412)
    assert tables.service.last.findings == []
    assert "Age" not in tables.service.people.entities[_table_key(row("4"))]
    keep("azure-data-tables-etag-that-is-out-of-date", tables.service.last.message)
    exchanged = "a transaction with an ETag that is out of date"
    table.add(*tables.peer, exchanged, "not applied; index and status 412 are understood")


def _match_conditions() -> Any:
    return python_peer("azure-core", "azure.core")[1][0].MatchConditions


def test_a_transaction_of_azure_tables_that_is_too_large_is_refused(
    tables: Tables, table: Table
) -> None:
    with pytest.raises(tables.module.RequestTooLargeError) as raised:
        tables.client.submit_transaction([("create", row(str(key))) for key in range(101)])
    assert raised.value.status_code == 413
    assert "the limit is 100 (" in raised.value.message
    assert len(tables.service.people.entities) == 3
    assert tables.service.last.findings == ["too-many-operations", "change-set-too-large"]
    exchanged = "a transaction of 101 operations"
    result = "refused with 413, which is understood"
    table.add(*tables.peer, exchanged, result, *tables.service.last.findings)


def test_the_client_of_azure_tables_asks_for_json_and_reads_multipart(
    tables: Tables, table: Table
) -> None:
    tables.client.submit_transaction([("delete", row("4"))])
    exchange = tables.service.last
    assert exchange.headers.get("Accept") == "application/json"
    assert exchange.answer_headers.get("Content-Type", "").startswith("multipart/mixed")
    exchanged = "a transaction that deletes"
    finding = "it sends `Accept: application/json` and cannot read batches in JSON"
    table.add(*tables.peer, exchanged, "applied; the answer is in multipart all the same", finding)


# -- pyodata -------------------------------------------------------------------------------------

METADATA = b"""<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"
  xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">
  <edmx:DataServices m:DataServiceVersion="2.0">
    <Schema Namespace="Directory" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">
      <EntityType Name="Person">
        <Key><PropertyRef Name="Id"/></Key>
        <Property Name="Id" Type="Edm.Int32" Nullable="false"/>
        <Property Name="Name" Type="Edm.String" Nullable="true"/>
      </EntityType>
      <EntityContainer Name="Container" m:IsDefaultEntityContainer="true">
        <EntitySet Name="People" EntityType="Directory.Person"/>
      </EntityContainer>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>"""


@dataclass(frozen=True)
class Directory:
    """The package, a client of it, and the service that this client talks to."""

    peer: tuple[str, str, str]
    exceptions: ModuleType
    client: Any
    service: Service

    @property
    def people(self) -> Any:
        """The proxy of the entity set."""
        return self.client.entity_sets.People


@pytest.fixture
def directory() -> Iterator[Directory]:
    """A service of OData 2 that knows Bob, 7, and Cy, 8."""
    version, [pyodata, exceptions] = python_peer("pyodata", "pyodata", "pyodata.exceptions")
    _, [requests] = python_peer("requests", "requests")
    people = People(show=verbose)
    people.entities = {"7": {"Id": 7, "Name": "Bob"}, "8": {"Id": 8, "Name": "Cy"}}
    with serving(Service(people, ODATA_2, status=202)) as service, requests.Session() as session:
        client = pyodata.Client(service.url, session, metadata=METADATA)
        yield Directory(("pyodata", version, "client"), exceptions, client, service)


def test_a_batch_of_pyodata_is_understood_and_so_is_its_answer(
    directory: Directory, table: Table
) -> None:
    change_set = directory.client.create_changeset()
    change_set.add_request(directory.people.create_entity().set(Id=1, Name="Änn\r\n--x"))
    change_set.add_request(directory.people.update_entity(7).set(Name="Bea"))
    change_set.add_request(directory.people.delete_entity(8))
    batch = directory.client.create_batch()
    batch.add_request(directory.people.get_entity(7))
    batch.add_request(change_set)
    batch.add_request(directory.people.get_entities())
    bob, (ann, *nothing), everybody = batch.execute()
    assert (bob.Name, ann.Name, nothing) == ("Bob", "Änn\r\n--x", [None, None])
    assert [(each.Id, each.Name) for each in everybody] == [(7, "Bea"), (1, "Änn\r\n--x")]
    exchange = directory.service.last
    assert exchange.findings == ["content-id-missing"]
    assert [operation.url for operation in exchange.request.operations()] == [
        "People%287%29",
        "People",
        "People%287%29",
        "People%288%29",
        "People",
    ]
    keep("pyodata-get-change-set-of-three-get", exchange.message)
    exchanged = "a query, a change set that creates, updates and deletes, and a query"
    table.add(*directory.peer, exchanged, "all applied and understood", *exchange.findings)


def test_a_change_set_of_pyodata_that_fails_is_not_applied(
    directory: Directory, table: Table
) -> None:
    change_set = directory.client.create_changeset()
    change_set.add_request(directory.people.create_entity().set(Id=1, Name="Ann"))
    change_set.add_request(directory.people.create_entity().set(Id=7, Name="Bea"))
    batch = directory.client.create_batch()
    batch.add_request(directory.people.get_entity(7))
    batch.add_request(change_set)
    batch.add_request(directory.people.get_entities())
    with pytest.raises(directory.exceptions.HttpError) as raised:
        batch.execute()
    assert str(raised.value) == (
        "Changeset cannot be processed due to single response received, status code: 409"
    )
    assert json.loads(raised.value.response.content)["error"]["message"] == "there is one already"
    assert list(directory.service.people.entities) == ["7", "8"]
    exchange = directory.service.last
    assert exchange.findings == ["content-id-missing"]
    table.add(
        *directory.peer,
        "a change set that fails, between two queries",
        "not applied; the error is understood",
        *exchange.findings,
        "the answers to the queries are lost with the exception",
    )


def test_pyodata_takes_no_answer_but_202(directory: Directory, table: Table) -> None:
    directory.service.status = 200
    batch = directory.client.create_batch()
    batch.add_request(directory.people.get_entity(7))
    with pytest.raises(directory.exceptions.HttpError, match="failed with status code 200"):
        batch.execute()
    exchange = directory.service.last
    assert exchange.findings == []
    exchanged = "a query, answered with 200 as since OData 4"
    finding = "it takes 202 alone, as OData 2 has it"
    table.add(*directory.peer, exchanged, "refused by the client", finding)


# -- msgraph-core --------------------------------------------------------------------------------

REQUESTS = "msgraph_core.requests.batch_request"
KIOTA_JSON = "kiota_serialization_json.json_"


@dataclass(frozen=True)
class Graph:
    """The classes of the package, and the service that its client talks to."""

    peer: tuple[str, str, str]
    names: Mapping[str, Any]
    service: Service

    def item(
        self, id: str, method: str, url: str, *, body: bytes | None = None, after: str | None = None
    ) -> Any:
        """Return a request for a batch, whose body has the type of JSON."""
        information = self.names["RequestInformation"]()
        information.http_method = self.names["Method"][method]
        information.url = url
        if body is not None:
            information.headers.add("Content-Type", "application/json")
            information.content = body
        return self.names["BatchRequestItem"](information, id, [after] if after else None)

    def send(self, *items: Any) -> Any:
        """Return what the client makes of the answer to a batch."""
        content = self.names["BatchRequestContent"]({item.id: item for item in items})
        return asyncio.run(self._post(content))

    async def _post(self, content: Any) -> Any:
        async with self.names["AsyncClient"]() as client:
            adapter = self.names["HttpxRequestAdapter"](
                self.names["AnonymousAuthenticationProvider"](),
                self.names["JsonParseNodeFactory"](),
                self.names["JsonSerializationWriterFactory"](),
                client,
            )
            adapter.base_url = self.service.url
            return await self.names["BatchRequestBuilder"](adapter).post(content)


@pytest.fixture
def graph() -> Iterator[Graph]:
    """A service like Microsoft Graph that knows Bob, 7, and Cy, 8, who is busy."""
    modules = [
        "httpx",
        "kiota_abstractions.authentication",
        "kiota_abstractions.method",
        "kiota_abstractions.request_information",
        "kiota_http.httpx_request_adapter",
        f"{KIOTA_JSON}parse_node_factory",
        f"{KIOTA_JSON}serialization_writer_factory",
        f"{REQUESTS}_builder",
        f"{REQUESTS}_content_collection",
    ]
    version, found = python_peer("msgraph-core", *modules)
    names = {name: value for module in found for name, value in vars(module).items()}
    people = People(busy=frozenset("8"))
    people.entities = {"7": {"Id": 7, "Name": "Bob"}, "8": {"Id": 8, "Name": "Cy"}}
    with serving(Service(people, GRAPH)) as service:
        yield Graph(("msgraph-core", version, "client"), names, service)


def test_msgraph_core_does_not_require_all_that_it_imports(graph: Graph, table: Table) -> None:
    required = importlib.metadata.requires("msgraph-core") or []
    assert not [each for each in required if each.startswith("deprecated")]
    assert "deprecated" in vars(importlib.import_module(f"{REQUESTS}_item"))
    answer = graph.send(graph.item("1", "GET", "/People(7)"))
    assert answer.get_response_status_codes() == {"1": 200}
    assert graph.service.last.findings == ["json-member-misspelt"]
    finding = "it imports `deprecated`, which it does not require"
    table.add(*graph.peer, "a query", "the status is understood", "json-member-misspelt", finding)


def test_the_dependencies_of_msgraph_core_are_lost(graph: Graph, table: Table) -> None:
    answer = graph.send(
        graph.item("1", "GET", "/People(3)"),
        graph.item("2", "POST", "/People", body=b'{"Id":1,"Name":"Ann"}', after="1"),
    )
    exchange = graph.service.last
    assert json.loads(exchange.body)["requests"][1]["depends_on"] == ["1"]
    assert [each.depends_on for each in exchange.request.operations()] == [(), ()]
    assert exchange.findings == ["json-member-misspelt"]
    assert answer.get_response_status_codes() == {"1": 404, "2": 201}
    keep("msgraph-core-depends-on-with-underscore", exchange.message)
    table.add(
        *graph.peer,
        "a request that depends on one that fails",
        "executed all the same, since nothing says that it depends on anything",
        *exchange.findings,
        "the member is `depends_on` where the standard and Graph have `dependsOn`",
    )


def test_what_failed_is_sent_again_by_the_statuses_of_msgraph_core(
    graph: Graph, table: Table
) -> None:
    items = [graph.item(id, "GET", f"/People({id})") for id in "789"]
    statuses = graph.send(*items).get_response_status_codes()
    assert statuses == {"7": 200, "8": 429, "9": 404}
    first = graph.service.last.request
    graph.service.people.busy = frozenset()
    again = graph.send(*(item for item in items if statuses[item.id] == 429))
    assert again.get_response_status_codes() == {"8": 200}
    assert graph.service.last.request == remaining(first, statuses, format="json", dialect=GRAPH)
    with pytest.raises(AttributeError, match="'str' object has no attribute 'status_code'"):
        _collection(graph, items).new_batch_with_failed_requests()
    table.add(
        *graph.peer,
        "three queries, of which one is throttled and sent again",
        "by the statuses, `remaining` makes the batch that the client sends",
        "json-member-misspelt",
        "`new_batch_with_failed_requests` always raises AttributeError",
    )


def _collection(graph: Graph, items: list[Any]) -> Any:
    collection = graph.names["BatchRequestContentCollection"]()
    for item in items:
        collection.add_batch_request_item(item)
    return collection


def test_msgraph_core_reads_no_json_in_answers(graph: Graph, table: Table) -> None:
    answer = graph.send(graph.item("1", "GET", "/People(7)"))
    assert json.loads(graph.service.last.answer)["responses"][0]["body"]["Name"] == "Bob"
    response = answer.get_response_by_id("1")
    assert response.headers["content-type"] == "application/json"
    assert response.body is None
    table.add(
        *graph.peer,
        "a query whose answer has a JSON object for a body",
        "status and headers are understood",
        "json-member-misspelt",
        "the body is `None`; it reads base64 alone",
    )


def test_bodies_in_base64_are_understood_both_ways(graph: Graph, table: Table) -> None:
    graph.service.dialect = replace(GRAPH, json_bodies="base64")
    answer = graph.send(
        graph.item("1", "PUT", "/People(7)", body=b"[1]"), graph.item("2", "GET", "/People(7)")
    )
    exchange = graph.service.last
    assert json.loads(exchange.body)["requests"][0]["body"] == "WzFd"
    assert str(graph.service.people.entities["7"]) == "[1]"
    assert json.loads(answer.get_response_stream_by_id("2").read()) == {"value": [1]}
    assert exchange.findings == ["json-member-misspelt"]
    keep("msgraph-core-json-array-as-base64", exchange.message)
    exchanged = 'a body that is a JSON array, where `Dialect.json_bodies` is "base64"'
    table.add(*graph.peer, exchanged, "understood, and so is the answer", "json-member-misspelt")


def test_msgraph_core_cannot_send_bodies_that_are_not_json(graph: Graph, table: Table) -> None:
    with pytest.raises(UnicodeDecodeError):
        graph.send(graph.item("1", "PUT", "/People(7)", body=b"\x89PNG"))
    assert graph.service.exchanges == []
    exchanged = "a body of octets"
    finding = "it reads the body as JSON to find out whether to write it as base64"
    table.add(*graph.peer, exchanged, "not sent: UnicodeDecodeError", finding)


def test_a_batch_of_msgraph_core_has_twenty_requests_at_most(graph: Graph, table: Table) -> None:
    items = [graph.item(str(number), "GET", "/People(7)") for number in range(45)]
    sizes = [len(batch.requests) for batch in _collection(graph, items).batches]
    answers = [graph.send(*batch.requests.values()) for batch in _collection(graph, items).batches]
    assert sizes == [20, 20, 5]
    statuses = [status for each in answers for status in each.get_response_status_codes().values()]
    assert statuses == [200] * 45
    assert graph.service.last.findings == ["json-member-misspelt"]
    exchanged = "45 queries in a collection, that is three batches"
    table.add(*graph.peer, exchanged, "all are understood", "json-member-misspelt")
