"""Our client against azurite, which is Azure Tables; `match` is held against what is stored."""

from __future__ import annotations

import hmac
import http.client
import json
from base64 import b64encode
from contextlib import nullcontext
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import pytest

import odata_batch as odata
from odata_batch import BatchRequest, ChangeSet, Operation
from odata_batch.dialects import AZURE_TABLES
from tests.interop.conftest import HERE, Server, Table, keep
from tests.interop.service import JSON_TYPE, message

pytestmark = pytest.mark.interop

UNLIMITED = replace(AZURE_TABLES, operations=None, change_set_operations=None)
NAME = "Ünïcödé 😀\r\n--batch\r\nContent-Type: x\r\n\r\n\u2028"
CONDITIONS = {"*": "*", "stale": "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""}


@dataclass(frozen=True)
class Rows:
    """Those of a partition, a test each."""

    server: Server
    partition: str

    def call(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return the status, the header fields and the body of the answer."""
        date = formatdate(usegmt=True)
        signed = hmac.digest(b"key", f"{date}\n/account/account/{path}".encode(), "sha256")
        login = f"SharedKeyLite account:{b64encode(signed).decode()}"
        accept = {"Accept": "application/json;odata=nometadata", "x-ms-version": "2019-02-02"}
        headers = {**accept, **headers, "Authorization": login, "x-ms-date": date}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request(method, f"/account/{path}", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def stored(self) -> dict[str, object]:
        """Return the names by the keys, read without a batch."""
        rows: list[dict[str, Any]] = json.loads(self.call("GET", "People()", {})[2])["value"]
        return {row["RowKey"]: row["Name"] for row in rows if row["PartitionKey"] == self.partition}

    def operation(self, text: str) -> Operation:
        """Return what is spelt as method, key, condition (as in "PUT 4 *") and Content-ID."""
        method, key, condition, id = [*text.split(), "", ""][:4]
        keys = {"PartitionKey": self.partition, "RowKey": key}
        url = f"http://127.0.0.1:{self.server.port}/account/People"
        if method != "POST":
            url += f"({','.join(f'{name}={quote(value)!r}' for name, value in keys.items())})"
        fields = {"If-Match": CONDITIONS[condition]} if condition in CONDITIONS else {}
        if method in ("GET", "DELETE"):
            return Operation(method, url, fields)
        body = json.dumps({**keys, "Name": NAME + method}).encode()
        return Operation(method, url, {**fields, **JSON_TYPE}, body, id=id or None)

    def send(self, batch: BatchRequest, capture: str) -> tuple[odata.BatchResult, list[str]]:
        """Return what became of the operations, and the rules that the response breaks."""
        payload = odata.encode_request(batch, dialect=UNLIMITED)
        headers = dict(payload.headers.pairs)
        status, fields, body = self.call("POST", "$batch", headers, payload.body)
        keep(f"azurite-{capture}", message(f"HTTP/1.1 {status} Accepted", fields, body))
        content_type = dict(fields)["content-type"]
        settings: dict[str, Any] = {"headers": fields, "dialect": AZURE_TABLES}
        report = odata.check_response(body, content_type, request=batch, **settings)
        result = odata.match(batch, report.value, dialect=AZURE_TABLES, status=status)
        return result, list(dict.fromkeys(found.rule.slug for found in report.diagnostics))


@pytest.mark.parametrize("row", json.loads((HERE / "azurite.json").read_bytes()))
def test_match_agrees_with_what_azurite_stores(
    azurite: Server, table: Table, row: dict[str, Any]
) -> None:
    rows = Rows(azurite, row["name"])
    rows.call("POST", "Tables", JSON_TYPE, b'{"TableName": "People"}')
    there = ChangeSet(map(rows.operation, ["POST 1", "POST 2", "POST 3"]))
    assert rows.send(BatchRequest([there]), "three-insertions")[0].ok
    count = row.get("insertions", 1)
    steps = row.get("steps") or [f"POST n{number}" for number in range(count)]
    operations = [*map(rows.operation, steps)]
    batch = BatchRequest(operations if steps == ["GET 1"] else [ChangeSet(operations)])
    result, rules = rows.send(batch, row["name"])
    assert [each.state.value for each in result.outcomes] == row["states"] * count
    assert rules == row.get("rules", [])
    stored = row.get("stored") or dict.fromkeys("123", "POST")
    stored |= {each.split()[1]: "POST" for each in steps if count == 100}
    assert rows.stored() == {key: NAME + method for key, method in stored.items()}
    with pytest.raises(odata.EncodeError) if count > 100 else nullcontext():
        odata.encode_request(batch, dialect=AZURE_TABLES)
    outcome = row.get("result", "match agrees with what is stored")
    findings, version = [*rules, *row.get("faults", [])], azurite.packages.version("azurite")
    table.add("azurite", version, "server", row["exchanged"], outcome, *findings)
