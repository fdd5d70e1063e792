"""Dialects are data: frozen, compared by value, each quirk in one field."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import FrozenInstanceError, fields, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypedDict, TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Diagnostic,
    Dialect,
    EncodeError,
    Limits,
    Operation,
    OperationResponse,
    RequestEncoder,
    Rule,
    Severity,
    check_request,
    decode_request,
    dialects,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch._model.dialect import Format
from odata_batch._wire import json as jsonbatch
from odata_batch.dialects import (
    AZURE_TABLES,
    BUSINESS_CENTRAL,
    DATAVERSE,
    GRAPH,
    ODATA_2,
    ODATA_4_0,
    ODATA_4_01,
    ODATA_4_02,
    SAP_BUSINESS_ONE,
    SAP_CAP,
    SAP_GATEWAY,
    SHAREPOINT,
)
from odata_batch.strategies import batch_requests, batch_responses, json_texts

PRESETS = list(dialects.PRESETS.values())
FIELDS = [field for field in fields(Dialect) if field.init]
GRAPH_BASE64 = replace(GRAPH, json_bodies="base64")
_Item = TypeVar("_Item")


def named(dialect: object) -> str | None:
    return dialect.name if isinstance(dialect, Dialect) else None


every_preset = pytest.mark.parametrize("dialect", PRESETS, ids=named)


# -- the presets -----------------------------------------------------------------------------------


def test_every_preset_has_a_name_for_the_command_line() -> None:
    assert dict(dialects.PRESETS) == {
        "2": ODATA_2,
        "4.0": ODATA_4_0,
        "4.01": ODATA_4_01,
        "4.02": ODATA_4_02,
        "graph": GRAPH,
        "dataverse": DATAVERSE,
        "azure-tables": AZURE_TABLES,
        "sharepoint": SHAREPOINT,
        "sap-gateway": SAP_GATEWAY,
        "sap-business-one": SAP_BUSINESS_ONE,
        "sap-cap": SAP_CAP,
        "business-central": BUSINESS_CENTRAL,
    }
    public = [value for value in vars(dialects).values() if isinstance(value, Dialect)]
    assert set(public) == set(PRESETS)


def test_presets_differ() -> None:
    assert len({dialect.name for dialect in PRESETS}) == len(set(PRESETS)) == len(PRESETS) == 12


@pytest.mark.parametrize(
    ("dialect", "name", "header", "multipart", "json"),
    [
        (ODATA_2, "OData 2", "DataServiceVersion", "2.0", "2.0"),
        (ODATA_4_0, "OData 4.0", "OData-Version", "4.0", "4.0"),
        (ODATA_4_01, "OData 4.01", "OData-Version", "4.0", "4.01"),
        (ODATA_4_02, "OData 4.02", "OData-Version", "4.02", "4.02"),
        (GRAPH, "Microsoft Graph", "OData-Version", "4.0", "4.0"),
        (DATAVERSE, "Microsoft Dataverse", "OData-Version", "4.0", "4.01"),
        (AZURE_TABLES, "Azure Tables", "DataServiceVersion", "3.0", "3.0"),
        (SHAREPOINT, "SharePoint", "OData-Version", "4.0", "4.01"),
        (SAP_GATEWAY, "SAP Gateway", "DataServiceVersion", "2.0", "2.0"),
        (SAP_BUSINESS_ONE, "SAP Business One", "OData-Version", "4.0", "4.01"),
        (SAP_CAP, "SAP CAP", "OData-Version", "4.0", "4.01"),
        (BUSINESS_CENTRAL, "Business Central", "OData-Version", "4.0", "4.01"),
    ],
    ids=named,
)
def test_a_preset_names_its_version(
    dialect: Dialect, name: str, header: str, multipart: str, json: str
) -> None:
    assert dialect.name == name
    assert dialect.version_header == header
    assert dialect.multipart_version == multipart
    assert dialect.json_version == json


def having(holds: Callable[[Dialect], bool]) -> list[str]:
    return [dialect.name for dialect in PRESETS if holds(dialect)]


@pytest.mark.parametrize(
    ("holds", "expected"),
    [
        (lambda it: "json" not in it.formats, [
            "OData 2", "Microsoft Dataverse", "Azure Tables", "SharePoint", "SAP Gateway",
            "SAP Business One",
        ]),
        (lambda it: "multipart" not in it.formats, ["Microsoft Graph"]),
        (lambda it: "MERGE" in it.methods, ["OData 2", "Azure Tables", "SAP Gateway"]),
        (lambda it: it.content_length, ["Microsoft Dataverse", "SAP Gateway"]),
        (lambda it: it.paths_from_service_root, ["Microsoft Graph", "SAP CAP"]),
        (lambda it: it.root_segments == {"v1.0", "beta"}, ["Microsoft Graph"]),
        (lambda it: it.references == "none", ["Microsoft Graph", "Azure Tables", "SharePoint"]),
        (lambda it: it.references == "rooted", ["SAP Business One"]),
        (lambda it: it.ids_ignore_case, ["Microsoft Graph"]),
        (lambda it: it.dependencies == "uniform", ["Microsoft Graph"]),
        (lambda it: it.transactions == "required", ["OData 2", "SharePoint", "SAP Gateway"]),
        (lambda it: it.transactions == "single", ["Azure Tables"]),
        (lambda it: not it.atomicity_groups, ["Microsoft Graph", "SharePoint"]),
        (lambda it: it.flat_responses, ["SharePoint"]),
        (lambda it: not it.multipart_stops_on_error, [
            "OData 2", "Azure Tables", "SharePoint", "SAP Gateway",
        ]),
        (lambda it: it.json_stops_on_error, ["Business Central"]),
        (lambda it: it.preference_prefix, ["OData 4.0", "Microsoft Dataverse", "SAP CAP"]),
        (lambda it: it.json_bodies == "structured", ["SAP CAP"]),
        (lambda it: it.json_bodies == "base64", []),
        (lambda it: it.base64_standard_alphabet, ["Microsoft Graph"]),
        (lambda it: not it.base64_padding, []),
    ],
)  # fmt: skip
def test_a_quirk_is_that_of_some_presets(
    holds: Callable[[Dialect], bool], expected: list[str]
) -> None:
    assert having(holds) == expected


@pytest.mark.parametrize(
    ("dialect", "operations", "change_sets", "change_set_operations", "payload"),
    [
        (GRAPH, 20, None, None, None),
        (DATAVERSE, 1000, None, 1000, None),
        (AZURE_TABLES, 100, 1, 100, 4194304),
        (SHAREPOINT, 100, None, None, None),
        (SAP_GATEWAY, None, None, 1, None),
        (BUSINESS_CENTRAL, 100, None, None, None),
    ],
    ids=named,
)
def test_a_preset_knows_the_limits_of_its_service(
    dialect: Dialect,
    operations: int | None,
    change_sets: int | None,
    change_set_operations: int | None,
    payload: int | None,
) -> None:
    assert dialect.operations == operations
    assert dialect.change_sets == change_sets
    assert dialect.change_set_operations == change_set_operations
    assert dialect.payload == payload


@pytest.mark.parametrize(
    "dialect",
    [ODATA_2, ODATA_4_0, ODATA_4_01, ODATA_4_02, SAP_BUSINESS_ONE, SAP_CAP],
    ids=named,
)
def test_a_limit_that_is_not_known_is_none(dialect: Dialect) -> None:
    limits = (dialect.operations, dialect.change_sets, dialect.change_set_operations)
    assert (*limits, dialect.payload) == (None, None, None, None)


@every_preset
def test_forbidden_headers_are_written_in_lower_case(dialect: Dialect) -> None:
    assert dialect.forbidden_headers == {
        *("authorization", "proxy-authorization", "expect", "from", "max-forwards", "range", "te"),
    }


@every_preset
def test_no_preset_changes_the_severity_of_a_fatal_rule(dialect: Dialect) -> None:
    assert not [rule.slug for rule, _ in dialect.severities if rule.fatal]


@every_preset
def test_a_preset_changes_a_severity_once_and_to_another(dialect: Dialect) -> None:
    rules = [rule for rule, _ in dialect.severities]
    assert len(set(rules)) == len(rules)
    for rule, severity in dialect.severities:
        assert isinstance(severity, Severity)
        assert severity is not rule.severity


@pytest.mark.parametrize(
    ("dialect", "rule", "severity"),
    [
        (ODATA_4_02, Rule.DEPENDS_ON_GROUP_MISSING, Severity.NOTE),
        (GRAPH, Rule.JSON_CONTENT_TYPE_MISSING, Severity.ERROR),
        (GRAPH, Rule.RESPONSE_GROUP, Severity.NOTE),
        (DATAVERSE, Rule.OUTER_PRECONDITION, Severity.NOTE),
        (DATAVERSE, Rule.CHANGE_SET_ERROR_NESTED, Severity.NOTE),
        (AZURE_TABLES, Rule.CHANGE_SET_ERROR_NESTED, Severity.NOTE),
        (AZURE_TABLES, Rule.CONTENT_ID_MISSING, Severity.NOTE),
        (AZURE_TABLES, Rule.URL_FORM, Severity.WARNING),
        (SHAREPOINT, Rule.ATOMICITY_IGNORED, Severity.NOTE),
        (SHAREPOINT, Rule.WRITE_OUTSIDE_CHANGE_SET, Severity.WARNING),
        (SAP_GATEWAY, Rule.CHANGE_SET_TOO_LARGE, Severity.NOTE),
        (SAP_BUSINESS_ONE, Rule.CONTENT_ID_MISSING, Severity.ERROR),
        (SAP_CAP, Rule.JSON_NO_REQUESTS, Severity.ERROR),
        (SAP_CAP, Rule.REFERENCE_DEPENDENCY_MISSING, Severity.NOTE),
        (ODATA_2, Rule.WRITE_OUTSIDE_CHANGE_SET, Severity.NOTE),
    ],
    ids=str,
)
def test_a_preset_is_stricter_or_milder_than_the_standard(
    dialect: Dialect, rule: Rule, severity: Severity
) -> None:
    assert dict(dialect.severities)[rule] is severity


@every_preset
def test_a_preset_is_hashable_and_can_be_copied(dialect: Dialect) -> None:
    assert copy.copy(dialect) == copy.deepcopy(dialect) == dialect
    assert pickle.loads(pickle.dumps(dialect)) == dialect
    assert hash(replace(dialect)) == hash(dialect)


def documented() -> dict[str, str]:
    """Return the docstrings that stand below the assignments of the module."""
    body = ast.parse(Path(dialects.__file__).read_bytes()).body
    found = {}
    for statement, below in pairwise(body):
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        value = below.value if isinstance(below, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found.update({ast.unparse(target): value.value for target in targets})
    return found


@pytest.mark.parametrize("name", ["GRAPH", "DATAVERSE", "AZURE_TABLES", "SHAREPOINT",
                                  "SAP_GATEWAY", "SAP_BUSINESS_ONE", "SAP_CAP",
                                  "BUSINESS_CENTRAL"])  # fmt: skip
def test_the_preset_of_a_service_names_its_sources_and_their_dates(name: str) -> None:
    text = documented()[name]
    assert re.search(r"\b20[12][0-9]\b", text)
    assert '"' in text or "@" in text


# -- dialects of one's own -------------------------------------------------------------------------


def test_a_dialect_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ODATA_4_01.name = "other"  # type: ignore[misc] # that it is refused is the point


def test_a_dialect_is_made_by_keyword() -> None:
    with pytest.raises(TypeError):
        Dialect("mine")  # type: ignore[call-arg] # that it is refused is the point


def test_a_dialect_of_ones_own_begins_as_the_default() -> None:
    assert Dialect(name="OData 4.01") == ODATA_4_01


def test_every_field_can_be_overridden() -> None:
    for field in FIELDS:
        value = getattr(GRAPH, field.name)
        assert replace(ODATA_4_01, **{field.name: value}) == replace(
            GRAPH,
            **{
                other.name: getattr(ODATA_4_01, other.name)
                for other in FIELDS
                if other.name != field.name
            },
        )


def test_another_dialect_is_derived_with_replace() -> None:
    graph = replace(ODATA_4_01, name="Graph", base64_standard_alphabet=True)
    body = Operation.put("a", headers={"content-type": "image/png"}, body=b"\xfb\xff", id="1")
    payload = encode_request(BatchRequest([body]), format="json", dialect=graph)
    assert b'"body":"+/8="' in payload.body


def test_a_severity_of_a_dialect_is_in_force() -> None:
    strict = replace(ODATA_4_01, severities=((Rule.NO_PARTS, Severity.ERROR),))
    body = b"--b--\r\n"
    found = check_request(body, "multipart/mixed; boundary=b", dialect=strict)
    assert [(each.rule, each.severity) for each in found.diagnostics] == [
        (Rule.NO_PARTS, Severity.ERROR)
    ]
    assert not found.ok
    assert check_request(body, "multipart/mixed; boundary=b").ok


# -- what encoding does for a dialect --------------------------------------------------------------


def test_graph_gets_binary_bodies_in_the_standard_alphabet() -> None:
    image = {"content-type": "image/png"}
    photo = Operation.put("/me/photo", headers=image, body=b"\xfb\xff\xfe", id="1")
    payload = encode_request(BatchRequest([photo]), format="json", dialect=GRAPH)
    assert b'"body":"+//+"' in payload.body
    assert payload.headers["OData-Version"] == "4.0"


@pytest.mark.parametrize("json_bodies", ["raw", "base64"])
@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("standard", [True, False])
def test_the_alphabet_that_is_written_is_read_without_a_finding(
    standard: bool, padding: bool, json_bodies: Literal["raw", "base64"]
) -> None:
    dialect = replace(
        ODATA_4_01,
        json_bodies=json_bodies,
        base64_padding=padding,
        base64_standard_alphabet=standard,
    )
    octets = Operation.put("a", headers={"content-type": "image/png"}, body=b"\xfb\xff", id="1")
    batch = BatchRequest([octets, Operation.put("b", json="\xfb\xff?", id="2")])
    payload = encode_request(batch, format="json", dialect=dialect)
    report = check_request(payload.body, payload.content_type, dialect=dialect)
    assert (report.value, report.diagnostics) == (batch, ())


def test_base64url_is_read_without_a_finding_where_the_standard_alphabet_is_written() -> None:
    body = b'{"responses":[{"id":"1","status":200,"headers":{"content-type":"a/b"},"body":"-_8"}]}'
    ((response,), found) = decoded(jsonbatch.RESPONSE, body, GRAPH)
    assert isinstance(response, OperationResponse)
    assert (response.body, found) == (b"\xfb\xff", [])


def test_an_empty_batch_is_written_where_it_is_allowed() -> None:
    empty = BatchRequest([])
    for dialect in (ODATA_4_01, GRAPH):
        assert encode_request(empty, format="json", dialect=dialect).body == b'{"requests":[]}'
    answer = encode_response(BatchResponse([]), format="json", dialect=SAP_CAP)
    assert answer.body == b'{"responses":[]}'
    with pytest.raises(EncodeError, match=r"json-no-requests.*the array requests is empty"):
        RequestEncoder(format="json", dialect=SAP_CAP).close()


def test_graph_gets_json_bodies_as_they_are() -> None:
    operation = Operation.post("/me/events", json={"subject": "1"}, id="1")
    payload = encode_request(BatchRequest([operation]), format="json", dialect=GRAPH)
    assert b'"body":{"subject":"1"}' in payload.body


def test_json_bodies_are_written_as_base64_where_the_dialect_says_so() -> None:
    operation = Operation.post("/me/events", json={"a": "\xfb\xff"}, id="1")
    batch = BatchRequest([operation])
    payload = encode_request(batch, format="json", dialect=GRAPH_BASE64)
    assert b'"body":"eyJhIjoiw7vDvyJ9"}' in payload.body


@pytest.mark.parametrize("dialect", [DATAVERSE, SAP_GATEWAY], ids=named)
def test_a_content_length_is_written_where_it_is_wanted(dialect: Dialect) -> None:
    batch = BatchRequest.single_change_set([Operation.post("People", json={}, id="1")])
    assert b"\r\nContent-Length: 2\r\n\r\n{}\r\n" in encode_request(batch, dialect=dialect).body


def decoded(
    role: jsonbatch.Role[_Item], body: bytes, dialect: Dialect
) -> tuple[list[_Item], list[Diagnostic]]:
    found: list[Diagnostic] = []
    decoder = jsonbatch.JsonDecoder(role, Limits(), found.append, 0, dialect)
    decoder.receive_data(body)
    return [item for _, item in decoder.receive_eof()], found


AS_BASE64 = replace(ODATA_4_01, json_bodies="base64", base64_padding=False)


@given(batch_requests("json"))
def test_a_request_with_json_bodies_in_base64_is_read_back(batch: BatchRequest) -> None:
    body = encode_request(batch, format="json", dialect=AS_BASE64).body
    items, _ = decoded(jsonbatch.REQUEST, body, AS_BASE64)
    assert tuple(items) == prepare(batch, format="json", dialect=AS_BASE64).items


@given(batch_responses("json"))
def test_a_response_with_json_bodies_in_base64_is_read_back(batch: BatchResponse) -> None:
    body = encode_response(batch, format="json", dialect=AS_BASE64).body
    items, _ = decoded(jsonbatch.RESPONSE, body, AS_BASE64)
    assert tuple(items) == prepare(batch, format="json", dialect=AS_BASE64).items


@given(json_texts(), st.sampled_from(["", " ", "\r\n\t"]))
def test_base64_keeps_the_octets_of_a_json_body_and_the_blanks_around_it(
    text: bytes, blanks: str
) -> None:
    assume(text.strip() != b"null")  # which would be read as no body, so that it is refused
    body = blanks.encode() + text + blanks.encode()
    response = OperationResponse(200, {"content-type": "application/json"}, body, id="1")
    payload = encode_response(BatchResponse([response]), format="json", dialect=AS_BASE64)
    assert decoded(jsonbatch.RESPONSE, payload.body, AS_BASE64) == ([response], [])


@pytest.mark.parametrize("spelling", [b'{"a":1}', b"[]", b"1", b"true"])
def test_json_that_is_no_string_is_read_as_it_stands(spelling: bytes) -> None:
    body = b'{"responses":[{"id":"1","status":200,"body":%b}]}' % spelling
    ((response,), found) = decoded(jsonbatch.RESPONSE, body, AS_BASE64)
    assert isinstance(response, OperationResponse)
    assert (response.body, found) == (spelling, [])


@pytest.mark.parametrize(
    "spelling",
    [
        b'""',
        b'"text"',
        b'"not base64"',
        b'"bnVsbA"',
        b'"IG51bGwg"',
        b'"e30gMQ"',
        b'"77u_e30"',
        b'"e32="',
    ],
    ids=str,
)
def test_a_string_that_is_no_base64_of_a_json_body_is_read_as_it_stands(spelling: bytes) -> None:
    body = b'{"responses":[{"id":"1","status":200,"body":%b}]}' % spelling
    ((response,), found) = decoded(jsonbatch.RESPONSE, body, AS_BASE64)
    assert isinstance(response, OperationResponse)
    assert response.body == spelling
    quoted = spelling.decode()
    assert [(each.rule, each.message, each.position, each.path) for each in found] == [
        (
            Rule.JSON_BODY_NOT_BASE64,
            f"found '{quoted}', not the base64 of a JSON body; it is read as it stands",
            44,
            "items[0]",
        )
    ]


def test_json_bodies_in_the_standard_alphabet_are_told_apart() -> None:
    body = b'{"responses":[{"id":"1","status":200,"body":"IsO7w78/Ig=="}]}'
    ((response,), found) = decoded(jsonbatch.RESPONSE, body, AS_BASE64)
    assert isinstance(response, OperationResponse)
    assert response.body.decode() == '"\xfb\xff?"'
    assert [(each.rule, each.message) for each in found] == [
        (Rule.BASE64_ALPHABET, "found 'IsO7w78/Ig==', with + or /, expected - or _")
    ]


def test_without_the_dialect_a_string_is_a_string() -> None:
    body = b'{"responses":[{"id":"1","status":200,"body":"e30"}]}'
    ((response,), _) = decoded(jsonbatch.RESPONSE, body, GRAPH)
    assert isinstance(response, OperationResponse)
    assert response.body == b'"e30"'


# -- what is encoded for a service, and what is refused --------------------------------------------


def inserts(*urls: str, first: int = 1) -> BatchRequest:
    """Return one change set of inserts with ids in order."""
    operations = [Operation.post(url, json={}, id=str(id)) for id, url in enumerate(urls, first)]
    return BatchRequest.single_change_set(operations)


HOST = "https://account.table.example"
QUERY = Operation.get("People")
ACCEPTED: list[tuple[Dialect, Format, BatchRequest]] = [
    (ODATA_2, "multipart", BatchRequest([QUERY, *inserts("People", "$1/Orders").items])),
    (ODATA_2, "multipart", BatchRequest.independent([Operation.post("People", json={})])),
    (ODATA_4_0, "multipart", BatchRequest([QUERY, *inserts("People", "$1/Orders").items])),
    (ODATA_4_0, "json", BatchRequest([QUERY])),
    (ODATA_4_01, "json", BatchRequest([QUERY, *inserts("People", "$1/Orders").items])),
    (ODATA_4_02, "json", BatchRequest([QUERY, Operation("POST", "Reset")])),
    (GRAPH, "json", BatchRequest([Operation.get("/me"), Operation.post("users", json={})])),
    (GRAPH_BASE64, "json", BatchRequest([Operation.post("/users", json={"a": "\xfb\xff\xfe"})])),
    (DATAVERSE, "multipart", BatchRequest([QUERY, *inserts("tasks", "$1/notes").items])),
    (AZURE_TABLES, "multipart", inserts(f"{HOST}/Blogs", f"{HOST}/Blogs")),
    (AZURE_TABLES, "multipart", BatchRequest([Operation.get(f"{HOST}/Blogs()")])),
    (SHAREPOINT, "multipart", BatchRequest([QUERY, *inserts("Lists").items])),
    (SHAREPOINT, "multipart", inserts("Lists", "Lists")),
    (SAP_GATEWAY, "multipart", BatchRequest([QUERY, *inserts("Products", "$1/Items").items])),
    (SAP_BUSINESS_ONE, "multipart", inserts("/b1s/v2/Items", "Orders")),
    (SAP_CAP, "json", BatchRequest([QUERY, *inserts("/Books", "$1/authors").items])),
    (SAP_CAP, "multipart", inserts("/Books")),
    (BUSINESS_CENTRAL, "json", BatchRequest([QUERY, Operation.post("items", json=[])])),
]


@pytest.mark.parametrize(("dialect", "format", "batch"), ACCEPTED, ids=named)
def test_what_is_encoded_for_a_dialect_is_read_back_with_it(
    dialect: Dialect, format: Format, batch: BatchRequest
) -> None:
    payload = encode_request(batch, format=format, dialect=dialect)
    read = decode_request(
        payload.body, payload.content_type, headers=payload.headers, dialect=dialect, strict=True
    )
    assert read == prepare(batch, format=format, dialect=dialect)


def test_there_is_a_batch_that_is_accepted_for_every_preset() -> None:
    assert {dialect for dialect, _, _ in ACCEPTED} >= set(PRESETS)


def refused(
    batch: BatchRequest, dialect: Dialect, format: Format = "multipart"
) -> list[tuple[str, str]]:
    """Return the rules and places of what encoding refuses."""
    with pytest.raises(EncodeError) as caught:
        encode_request(batch, format=format, dialect=dialect)
    return [(each.rule.slug, each.path) for each in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("dialect", "format", "items", "expected"),
    [
        (GRAPH, "multipart", [Operation.get("/me")], [("format-not-spoken", "")]),
        (
            GRAPH,
            "multipart",
            [Operation.get("/me"), Operation.get("/v1.0/me")],
            [("format-not-spoken", ""), ("url-root-segment", "items[1]")],
        ),
        (
            GRAPH,
            "json",
            [
                Operation.get("https://graph.example/v1.0/me", id="a"),
                Operation.get("/beta/me", id="A"),
                Operation("POST", "/me", body=b"{}"),
                Operation.get("$a/members"),
            ],
            [
                ("url-form", "items[0]"),
                ("url-root-segment", "items[1]"),
                ("id-case-ignored", "items[1]"),
                ("json-content-type-missing", "items[2]"),
                ("reference-not-supported", "items[3]"),
                ("dependencies-mixed", "items[3]"),
            ],
        ),
        (GRAPH, "json", [QUERY] * 21, [("too-many-operations", "items[20]")]),
        (
            GRAPH,
            "json",
            list(inserts("a", "b").items),
            [("atomicity-ignored", "items[0].items[1]")],
        ),
        (
            AZURE_TABLES,
            "multipart",
            [*inserts(f"{HOST}/A").items, *inserts(f"{HOST}/B", first=2).items],
            [("too-many-change-sets", "items[1].items[0]")],
        ),
        (
            AZURE_TABLES,
            "multipart",
            [Operation.get("A"), Operation.delete(f"{HOST}/A(1)")],
            [
                ("url-form", "items[0]"),
                ("write-outside-change-set", "items[1]"),
                ("query-not-alone", "items[1]"),
            ],
        ),
        (
            SAP_GATEWAY,
            "multipart",
            [Operation.post("Products", json={})],
            [("write-outside-change-set", "items[0]")],
        ),
        (
            SAP_CAP,
            "json",
            [Operation.put("/Books(1)/title", json="Emma")],
            [("json-body-not-structured", "items[0]")],
        ),
        (SAP_CAP, "json", [], [("json-no-requests", "")]),
        (BUSINESS_CENTRAL, "json", [QUERY] * 101, [("too-many-operations", "items[100]")]),
    ],
    ids=named,
)
def test_what_a_service_refuses_is_refused(
    dialect: Dialect,
    format: Format,
    items: list[Operation | ChangeSet],
    expected: list[tuple[str, str]],
) -> None:
    assert refused(BatchRequest(items), dialect, format) == expected


def test_a_payload_that_is_too_large_is_refused() -> None:
    dialect = replace(AZURE_TABLES, payload=100)
    (found,) = refused(inserts(f"{HOST}/Blogs"), dialect)
    assert found == ("payload-too-large", "")


def test_a_service_of_4_0_is_told_the_preference_with_its_prefix() -> None:
    batch = BatchRequest([QUERY], continue_on_error=True)
    payload = encode_request(batch, dialect=SAP_CAP)
    assert payload.headers["Prefer"] == "odata.continue-on-error"
    report = check_request(
        payload.body, payload.content_type, headers=payload.headers, dialect=SAP_CAP
    )
    assert report.diagnostics == ()


def test_checking_for_a_service_says_where_it_would_refuse_the_batch() -> None:
    text = b'{"requests":[{"id":"1","method":"GET","url":"/v1.0/me"}]}'
    (found,) = check_request(text, "application/json", dialect=GRAPH).diagnostics
    assert (found.rule, found.severity) == (Rule.URL_ROOT_SEGMENT, Severity.ERROR)
    assert (found.position, found.path) == (13, "items[0]")
    assert found.message == (
        "URL '/v1.0/me' begins with v1.0, "
        "which for Microsoft Graph belongs to the URL of the batch; write '/me'"
    )


# -- every quirk has a fixture ---------------------------------------------------------------------

# The field or rule in which a preset differs from OData 4.01, and the case that shows it.
FIXTURES: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("2", "version_header"): "dialect-odata-2",
        ("2", "multipart_version"): "dialect-odata-2-merge",
        ("2", "json_version"): "format-not-spoken-2",
        ("2", "formats"): "format-not-spoken-2",
        ("2", "methods"): "dialect-odata-2-merge",
        ("2", "transactions"): "dialect-odata-2-write",
        ("2", "multipart_stops_on_error"): "dialect-odata-2-goes-on",
        ("2", "content-transfer-encoding-missing"): "content-transfer-encoding-missing-2",
        ("2", "reference-across-change-sets"): "reference-across-change-sets-2",
        ("2", "method-tunnel"): "method-tunnel-2",
        ("2", "write-outside-change-set"): "dialect-odata-2-write",
        ("2", "content-id-missing"): "dialect-odata-2-no-content-id",
        ("2", "duplicate-id-across-change-sets"): "dialect-odata-2-same-ids",
        ("4.0", "json_version"): "dialect-odata-4.0-json",
        ("4.0", "preference_prefix"): "preference-unprefixed-4.0",
        ("4.0", "content-transfer-encoding-missing"): "content-transfer-encoding-missing-4.0",
        ("4.0", "reference-across-change-sets"): "reference-across-change-sets-4.0",
        ("4.02", "multipart_version"): "dialect-odata-4.02-multipart",
        ("4.02", "json_version"): "dialect-odata-4.02",
        ("4.02", "depends-on-group-missing"): "dialect-odata-4.02",
        ("graph", "json_version"): "dialect-graph-response",
        ("graph", "formats"): "format-not-spoken",
        ("graph", "operations"): "too-many-operations",
        ("graph", "url_forms"): "url-form",
        ("graph", "paths_from_service_root"): "reference-not-supported-slash",
        ("graph", "root_segments"): "url-root-segment",
        ("graph", "references"): "reference-not-supported",
        ("graph", "ids_ignore_case"): "id-case-ignored",
        ("graph", "dependencies"): "dependencies-mixed",
        ("graph", "atomicity_groups"): "atomicity-ignored",
        ("graph", "base64_standard_alphabet"): "dialect-graph",
        ("graph", "json-content-type-missing"): "json-content-type-missing-graph",
        ("graph", "response-group"): "dialect-graph-response-group",
        ("dataverse", "formats"): "format-not-spoken-dataverse",
        ("dataverse", "content_length"): "dialect-dataverse-content-length",
        ("dataverse", "operations"): "too-many-operations-dataverse",
        ("dataverse", "change_set_operations"): "too-many-operations-dataverse-change-set",
        ("dataverse", "preference_prefix"): "preference-unprefixed-dataverse",
        ("dataverse", "outer-precondition"): "dialect-dataverse",
        ("dataverse", "content-transfer-encoding-missing"): (
            "content-transfer-encoding-missing-dataverse"
        ),
        ("dataverse", "reference-across-change-sets"): "reference-across-change-sets-dataverse",
        ("dataverse", "change-set-error-nested"): "dialect-dataverse-failed",
        ("azure-tables", "version_header"): "dialect-azure-tables",
        ("azure-tables", "multipart_version"): "dialect-azure-tables",
        ("azure-tables", "json_version"): "format-not-spoken-azure-tables",
        ("azure-tables", "formats"): "format-not-spoken-azure-tables",
        ("azure-tables", "methods"): "dialect-azure-tables",
        ("azure-tables", "operations"): "too-many-operations-azure-tables",
        ("azure-tables", "change_sets"): "too-many-change-sets",
        ("azure-tables", "change_set_operations"): "too-many-operations-azure-tables",
        ("azure-tables", "payload"): "payload-too-large",
        ("azure-tables", "url_forms"): "url-form-azure-tables",
        ("azure-tables", "references"): "reference-not-supported-azure-tables",
        ("azure-tables", "transactions"): "query-not-alone",
        ("azure-tables", "multipart_stops_on_error"): "response-unexpected-azure-tables",
        ("azure-tables", "content-transfer-encoding-missing"): (
            "content-transfer-encoding-missing-azure-tables"
        ),
        ("azure-tables", "method-tunnel"): "method-tunnel-azure-tables",
        ("azure-tables", "url-form"): "url-form-azure-tables",
        ("azure-tables", "content-id-missing"): "dialect-azure-tables-no-content-id",
        ("azure-tables", "change-set-error-nested"): "dialect-azure-tables-failed",
        ("sharepoint", "formats"): "format-not-spoken-sharepoint",
        ("sharepoint", "operations"): "too-many-operations-sharepoint",
        ("sharepoint", "references"): "reference-not-supported-sharepoint",
        ("sharepoint", "transactions"): "write-outside-change-set-sharepoint",
        ("sharepoint", "atomicity_groups"): "dialect-sharepoint-change-set",
        ("sharepoint", "flat_responses"): "dialect-sharepoint-flat",
        ("sharepoint", "multipart_stops_on_error"): "dialect-sharepoint-goes-on",
        ("sharepoint", "write-outside-change-set"): "write-outside-change-set-sharepoint",
        ("sharepoint", "atomicity-ignored"): "dialect-sharepoint-change-set",
        ("sharepoint", "content-id-missing"): "dialect-sharepoint",
        ("sap-gateway", "version_header"): "dialect-sap-gateway",
        ("sap-gateway", "multipart_version"): "dialect-sap-gateway",
        ("sap-gateway", "json_version"): "format-not-spoken-sap-gateway",
        ("sap-gateway", "formats"): "format-not-spoken-sap-gateway",
        ("sap-gateway", "methods"): "dialect-sap-gateway",
        ("sap-gateway", "content_length"): "dialect-sap-gateway-content-length",
        ("sap-gateway", "change_set_operations"): "change-set-too-large",
        ("sap-gateway", "transactions"): "write-outside-change-set-sap-gateway",
        ("sap-gateway", "multipart_stops_on_error"): "dialect-sap-gateway-goes-on",
        ("sap-gateway", "content-transfer-encoding-missing"): (
            "content-transfer-encoding-missing-sap-gateway"
        ),
        ("sap-gateway", "method-tunnel"): "method-tunnel-sap-gateway",
        ("sap-gateway", "change-set-too-large"): "change-set-too-large",
        ("sap-gateway", "content-id-missing"): "dialect-sap-gateway-no-content-id",
        ("sap-gateway", "duplicate-id-across-change-sets"): "dialect-sap-gateway-same-ids",
        ("sap-business-one", "formats"): "format-not-spoken-sap-business-one",
        ("sap-business-one", "references"): "dialect-sap-business-one",
        ("sap-business-one", "content-id-missing"): "content-id-missing-sap-business-one",
        ("sap-business-one", "content-transfer-encoding-missing"): (
            "content-transfer-encoding-missing-sap-business-one"
        ),
        ("sap-cap", "paths_from_service_root"): "dialect-sap-cap-slash",
        ("sap-cap", "preference_prefix"): "preference-unprefixed",
        ("sap-cap", "json_bodies"): "json-body-not-structured",
        ("sap-cap", "json-no-requests"): "json-no-requests-sap-cap",
        ("sap-cap", "group-split"): "group-split-sap-cap",
        ("sap-cap", "depends-on-group-missing"): "dialect-sap-cap-group",
        ("sap-cap", "reference-dependency-missing"): "dialect-sap-cap",
        ("business-central", "operations"): "too-many-operations-business-central",
        ("business-central", "json_stops_on_error"): "dialect-business-central-stops",
    }
)


def quirks() -> Iterator[tuple[str, str]]:
    """Yield what the presets have that OData 4.01 has not."""
    for name, dialect in dialects.PRESETS.items():
        for field in FIELDS:
            if getattr(dialect, field.name) != getattr(ODATA_4_01, field.name):
                if field.name not in ("name", "severities"):
                    yield name, field.name
        yield from ((name, rule.slug) for rule, _ in dialect.severities)


class Shown(TypedDict):
    diagnostics: list[dict[str, str | int]]


class Case(TypedDict, total=False):
    slug: str
    dialect: str
    expectation: Shown


def cases() -> dict[str, Case]:
    root = Path(__file__).resolve().parent.parent
    manifest = json.loads((root / "spec-fixtures" / "manifest.json").read_bytes())
    found: list[Case] = manifest["cases"]
    return {case["slug"]: case for case in found}


def test_every_quirk_has_a_fixture_and_no_other_has() -> None:
    assert set(FIXTURES) == set(quirks())


def test_the_fixture_of_a_quirk_is_one_of_the_preset() -> None:
    known = cases()
    assert [slug for slug in FIXTURES.values() if slug not in known] == []
    assert [
        (name, slug) for (name, _), slug in FIXTURES.items() if known[slug].get("dialect") != name
    ] == []


def test_the_fixture_of_a_severity_has_a_finding_of_the_rule() -> None:
    known = cases()
    slugs = {rule.slug for rule in Rule}
    for (_, quirk), slug in FIXTURES.items():
        found = [each["rule"] for each in known[slug]["expectation"]["diagnostics"]]
        assert quirk not in slugs or quirk in found, slug
