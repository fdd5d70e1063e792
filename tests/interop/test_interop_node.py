"""Node packages against our ASGI example: they encode a batch, send it, and decode our answer.

The scripts are in `node/`; `peer.mjs` there says what they send and what they print. What is
exchanged with those that do not fit the scheme of the others is in `talks.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from odata_batch import ChangeSet, Dialect, Operation, Unreadable
from odata_batch.dialects import ODATA_2, ODATA_4_01, PRESETS
from tests.interop.conftest import HERE, Table, keep, node_packages
from tests.interop.service import Exchange, People, Service, plain, serving, verbose

pytestmark = pytest.mark.interop

ANN = {"Id": 1, "Name": "Änn 😀\r\n--x"}
AL = {"Id": 1, "Name": "Al"}
BOB = {"Id": 7, "Name": "Bob"}
BEA = {"Id": 7, "Name": "Bea"}
CONFLICT = {"status": 409, "value": {"error": {"code": "409", "message": "there is one already"}}}
NAMES = {"ann": ANN, "al": AL, "bob": BOB, "bea": BEA, "conflict": CONFLICT["value"]}
TEXT = (HERE / "node" / "talks.json").read_text("utf-8")
for spelt, meant in NAMES.items():
    TEXT = TEXT.replace(json.dumps(spelt), json.dumps(meant))
OTHERS: dict[str, Any] = json.loads(TEXT)


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
    dialect: Dialect | None = None
    """That of the service, if the version does not say it."""
    root: str = "/service/"
    quoted: bool = False
    """Whether keys are strings."""


UI5 = "@openui5/sap.ui.core"
SDK = "@sap-cloud-sdk/odata-"
LENGTH = "content-length-mismatch"
PEERS = (
    Peer(f"datajs, in {UI5}", UI5, "datajs.mjs", "2", ("datajs",), ["content-id-missing", LENGTH]),
    Peer("ts-odatajs", "ts-odatajs", "datajs.mjs", "4", ("ts-odatajs",), ["content-id-in-message"]),
    Peer(f"_Batch.js, in {UI5}", UI5, "ui5.mjs", "4", rules=["epilogue"]),
    Peer("odata-batch-request", "odata-batch-request", "odata-batch-request.mjs", "4"),
    Peer(f"{SDK}v2", f"{SDK}v2", "sap-cloud-sdk.mjs", "2", ("v2",)),
    Peer(f"{SDK}v4", f"{SDK}v4", "sap-cloud-sdk.mjs", "4", ("v4",)),
)
ODATA_BATCH = Peer(
    "odata-batch", "odata-batch", "odata-batch.mjs", "2", rules=["content-id-missing"]
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
    is_two = peer.version == "2"
    people = People(key=lambda each: repr(str(each["Id"])) if peer.quoted else str(each["Id"]))
    people = replace(people, root=peer.root, show=verbose if is_two else plain)
    people.entities = {people.key(BOB): BOB}
    dialect = peer.dialect or (ODATA_2 if is_two else ODATA_4_01)
    service = Service(people, dialect, status=202 if is_two else 200)
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
    after = [{"status": 200, "value": [BOB]}] if peer.version == "2" else []
    assert spoken.understood == [{"status": 200, "value": BOB}, CONFLICT, *after]
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
    (found,) = [it for it in spoken.exchange.report.diagnostics if it.rule == LENGTH]
    assert found.message == "Content-Length is '36', the body has 34 octets"
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


@pytest.mark.parametrize(
    "row",
    OTHERS["talks"],
    ids=lambda row: f"{row['peer']} {row.get('variant', '')} {row['scenario']}",
)
def test_what_a_client_writes_and_understands(row: dict[str, Any], table: Table) -> None:
    name = row["peer"]
    traits = {**OTHERS["peers"][name], **row}
    preset = PRESETS[traits.get("dialect", "4.01")]
    peer = Peer(
        name=traits.get("label", name),
        package=name,
        script=traits["script"],
        version=traits.get("dialect", "4.01"),
        variant=(row["variant"],) if "variant" in row else (),
        dialect=replace(preset, formats=frozenset(traits.get("formats", preset.formats))),
        root=traits.get("root", Peer.root),
        quoted=traits.get("quoted", False),
    )
    spoken = talk(peer, row["scenario"])
    assert spoken.methods == row["methods"]
    assert spoken.exchange.findings == row.get("rules", [])
    assert spoken.understood == row["understood"]
    assert spoken.people == row["people"]
    if "capture" in row:
        keep(row["capture"], spoken.exchange.message)
    findings = [*row.get("rules", []), *row.get("faults", [])]
    table.add(*spoken.peer, row["exchanged"], row["result"], *findings)
