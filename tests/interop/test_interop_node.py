"""Node packages against our ASGI example: they encode a batch, send it, and decode our answer.

The scripts are in `node/`; `peer.mjs` there says what they send and what they print.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from odata_batch import ChangeSet, Operation, Unreadable
from odata_batch.dialects import ODATA_2, ODATA_4_01
from tests.interop.conftest import Table, node_packages
from tests.interop.service import Exchange, People, Service, serving, verbose

pytestmark = pytest.mark.interop

ANN = {"Id": 1, "Name": "Änn 😀\r\n--x"}
AL = {"Id": 1, "Name": "Al"}
BOB = {"Id": 7, "Name": "Bob"}
BEA = {"Id": 7, "Name": "Bea"}
CONFLICT = {
    "status": 409,
    "value": {"error": {"code": "409", "message": "there is one already"}},
}


@dataclass(frozen=True)
class Peer:
    """A package and the script that uses it."""

    name: str
    package: str
    script: str
    version: str
    """Of OData."""
    variant: tuple[str, ...] = ()
    rules: list[str] = field(default_factory=list)
    """What its requests break."""


UI5 = "@openui5/sap.ui.core"
SDK = "@sap-cloud-sdk/odata-"
PEERS = (
    Peer(
        name=f"datajs, in {UI5}",
        package=UI5,
        script="datajs.mjs",
        variant=("datajs",),
        version="2",
        rules=["content-length-mismatch", "content-id-missing"],
    ),
    Peer(
        name="ts-odatajs",
        package="ts-odatajs",
        script="datajs.mjs",
        variant=("ts-odatajs",),
        version="4",
        rules=["content-id-in-message"],
    ),
    Peer(
        name=f"_Batch.js, in {UI5}", package=UI5, script="ui5.mjs", version="4", rules=["epilogue"]
    ),
    Peer(
        name="odata-batch-request",
        package="odata-batch-request",
        script="odata-batch-request.mjs",
        version="4",
    ),
    Peer(
        name=f"{SDK}v2",
        package=f"{SDK}v2",
        script="sap-cloud-sdk.mjs",
        variant=("v2",),
        version="2",
    ),
    Peer(
        name=f"{SDK}v4",
        package=f"{SDK}v4",
        script="sap-cloud-sdk.mjs",
        variant=("v4",),
        version="4",
    ),
)
ODATA_BATCH = Peer(
    name="odata-batch",
    package="odata-batch",
    script="odata-batch.mjs",
    version="2",
    rules=["content-id-missing"],
)
EVERY = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
REFERRING = pytest.mark.parametrize("peer", PEERS[:3], ids=lambda peer: peer.name)


@dataclass(frozen=True)
class Talk:
    """What was exchanged in one scenario, and what the package made of it."""

    peer: tuple[str, str, str]
    understood: object
    exchange: Exchange
    people: list[object]
    """Who is there at the end."""

    @property
    def methods(self) -> list[object]:
        """The methods that were sent; those of a change set in a list of their own."""
        return [_methods(item) for item in self.exchange.request.items]


def _methods(item: Operation | ChangeSet | Unreadable) -> object:
    assert not isinstance(item, Unreadable)
    return [_methods(each) for each in item.items] if isinstance(item, ChangeSet) else item.method


def talk(peer: Peer, scenario: str) -> Talk:
    """Run the script of a peer against a service that knows Bob, 7; or skip the test."""
    packages = node_packages("peers", peer.package)
    if peer.version == "2":
        service = Service(People(show=verbose), ODATA_2, status=202)
    else:
        service = Service(People(), ODATA_4_01)
    service.people.entities = {"7": BOB}
    with serving(service):
        understood = packages.run(peer.script, service.url, scenario, *peer.variant)
    label = (peer.name, packages.version(peer.package), "client")
    return Talk(label, understood, service.last, list(service.people.entities.values()))


@EVERY
def test_a_batch_is_understood_and_so_is_its_answer(peer: Peer, table: Table) -> None:
    spoken = talk(peer, "apply")
    assert spoken.understood == [
        {"status": 200, "value": BOB},
        [{"status": 201, "value": ANN}, {"status": 204, "value": None}],
        {"status": 200, "value": [BEA, ANN]},
    ]
    assert spoken.people == [BEA, ANN]
    change = "MERGE" if "datajs" in peer.name and peer.version == "2" else "PATCH"
    assert spoken.methods == ["GET", ["POST", change], "GET"]
    assert spoken.exchange.findings == peer.rules
    exchanged = "a query, a change set that creates and changes, and a query"
    result = "all applied and understood"
    table.add(*spoken.peer, exchanged, result, *peer.rules)


@EVERY
def test_a_change_set_that_fails_is_not_applied_and_its_error_is_understood(
    peer: Peer, table: Table
) -> None:
    spoken = talk(peer, "fail")
    # Batches of OData 4 stop at the error.
    behind = [{"status": 200, "value": [BOB]}] if peer.version == "2" else []
    assert spoken.understood == [{"status": 200, "value": BOB}, CONFLICT, *behind]
    assert spoken.people == [BOB]
    assert spoken.exchange.findings == peer.rules
    exchanged = "a query, a change set of which the second request fails, and a query"
    result = "not applied; the error is understood"
    table.add(*spoken.peer, exchanged, result, *peer.rules)


@REFERRING
def test_a_reference_within_a_change_set_is_resolved(peer: Peer, table: Table) -> None:
    spoken = talk(peer, "refer")
    assert spoken.people == [BOB, AL]
    exchanged = "a change set that creates and, by `$` and its Content-ID, changes what it created"
    rules = spoken.exchange.findings
    table.add(*spoken.peer, exchanged, "the reference is resolved", *rules)


def test_datajs_miscounts_characters_above_u_ffff(table: Table) -> None:
    spoken = talk(PEERS[0], "apply")
    first, *_ = spoken.exchange.report.diagnostics
    assert first.message == "Content-Length is '36', the body has 34 octets"
    exchanged = "a body with a character above U+FFFF, whose UTF-8 has four octets"
    finding = "its Content-Length counts six octets for that character"
    table.add(*spoken.peer, exchanged, "applied as it was meant", *PEERS[0].rules, finding)


def test_odata_batch_reads_the_answer_to_a_change_set(table: Table) -> None:
    spoken = talk(ODATA_BATCH, "create")
    assert spoken.understood == [{"status": 201, "value": ANN}]
    assert spoken.people == [BOB, ANN]
    assert spoken.exchange.findings == ODATA_BATCH.rules
    table.add(
        *spoken.peer, "a change set that creates", "applied and understood", *ODATA_BATCH.rules
    )


def test_odata_batch_reads_the_error_of_a_change_set(table: Table) -> None:
    spoken = talk(ODATA_BATCH, "fail")
    assert spoken.understood == [{"status": 201, "value": ANN}, CONFLICT]
    assert spoken.people == [BOB, ANN]
    assert spoken.exchange.findings == ODATA_BATCH.rules
    exchanged = "two change sets, of which the second fails"
    table.add(*spoken.peer, exchanged, "the first applied; both understood", *ODATA_BATCH.rules)


def test_odata_batch_cannot_read_an_answer_without_body(table: Table) -> None:
    spoken = talk(ODATA_BATCH, "apply")
    assert spoken.understood == {"error": "Unexpected end of JSON input"}
    assert spoken.people == [BEA, ANN]
    assert spoken.exchange.findings == ODATA_BATCH.rules
    exchanged = "two change sets, of which the second is answered with 204"
    finding = "it raises SyntaxError for a response without body, and all answers are lost"
    table.add(*spoken.peer, exchanged, "both applied", *ODATA_BATCH.rules, finding)
