"""Dialects are data: frozen, compared by value, each quirk in one field."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Dialect,
    EncodeError,
    Operation,
    OperationResponse,
    RequestEncoder,
    Severity,
    check_request,
    check_response,
    decode_request,
    decode_response,
    dialects,
    encode_request,
    encode_response,
    prepare,
)
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

from .batches import line, places, refused
from .helpers import MULTIPART, Format

PRESETS = list(dialects.PRESETS.values())
FIELDS = [field.name for field in fields(Dialect) if field.init]
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
    ("dialect", "slug", "severity"),
    [
        (ODATA_4_02, "depends-on-group-missing", "NOTE"),
        (GRAPH, "json-content-type-missing", "ERROR"),
        (GRAPH, "response-group", "NOTE"),
        (DATAVERSE, "outer-precondition", "NOTE"),
        (DATAVERSE, "change-set-error-nested", "NOTE"),
        (AZURE_TABLES, "change-set-error-nested", "NOTE"),
        (AZURE_TABLES, "content-id-missing", "NOTE"),
        (AZURE_TABLES, "url-form", "WARNING"),
        (SHAREPOINT, "atomicity-ignored", "NOTE"),
        (SHAREPOINT, "write-outside-change-set", "WARNING"),
        (SAP_GATEWAY, "change-set-too-large", "NOTE"),
        (SAP_BUSINESS_ONE, "content-id-missing", "ERROR"),
        (SAP_CAP, "json-no-requests", "ERROR"),
        (SAP_CAP, "reference-dependency-missing", "NOTE"),
        (ODATA_2, "write-outside-change-set", "NOTE"),
    ],
    ids=str,
)
def test_a_preset_is_stricter_or_milder_than_the_standard(
    dialect: Dialect, slug: str, severity: str
) -> None:
    found = {rule.slug: severity.name for rule, severity in dialect.severities}
    assert found[slug] == severity


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
    graph = {field: getattr(GRAPH, field) for field in FIELDS}
    ours = {field: getattr(ODATA_4_01, field) for field in FIELDS}
    for field, value in graph.items():
        mixed = replace(GRAPH, **{**ours, field: value})
        assert replace(ODATA_4_01, **{field: value}) == mixed


def test_another_dialect_is_derived_with_replace() -> None:
    graph = replace(ODATA_4_01, name="Graph", base64_standard_alphabet=True)
    body = Operation.put("a", headers={"content-type": "image/png"}, body=b"\xfb\xff", id="1")
    payload = encode_request(BatchRequest([body]), format="json", dialect=graph)
    assert b'"body":"+/8="' in payload.body


def test_a_severity_of_a_dialect_is_in_force() -> None:
    report = check_request(b"--b--\r\n", MULTIPART)
    (found,) = report.diagnostics
    assert report.ok and found.rule.slug == "no-parts"
    strict = replace(ODATA_4_01, severities=((found.rule, Severity.ERROR),))
    report = check_request(b"--b--\r\n", MULTIPART, dialect=strict)
    (again,) = report.diagnostics
    assert (again.rule, again.severity, report.ok) == (found.rule, Severity.ERROR, False)


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


AS_BASE64 = replace(ODATA_4_01, json_bodies="base64", base64_padding=False)


@given(batch_requests("json"))
def test_a_request_with_json_bodies_in_base64_is_read_back(batch: BatchRequest) -> None:
    payload = encode_request(batch, format="json", dialect=AS_BASE64)
    items = decode_request(payload.body, payload.content_type, dialect=AS_BASE64).items
    assert items == prepare(batch, format="json", dialect=AS_BASE64).items


@given(batch_responses("json"))
def test_a_response_with_json_bodies_in_base64_is_read_back(batch: BatchResponse) -> None:
    payload = encode_response(batch, format="json", dialect=AS_BASE64)
    items = decode_response(payload.body, payload.content_type, dialect=AS_BASE64).items
    assert items == prepare(batch, format="json", dialect=AS_BASE64).items


def decoded(body: bytes, dialect: Dialect = AS_BASE64) -> tuple[bytes, list[str]]:
    """Return the body of the only response as it is read, and what is found."""
    report = check_response(body, "application/json", dialect=dialect)
    assert report.value is not None
    (response,) = report.value.responses()
    return response.body, [line(each) for each in report.diagnostics]


@given(json_texts(), st.sampled_from(["", " ", "\r\n\t"]))
def test_base64_keeps_the_octets_of_a_json_body_and_the_white_space_around_it(
    text: bytes, space: str
) -> None:
    assume(text.strip() != b"null")  # which would be read as no body, so that it is refused
    body = space.encode() + text + space.encode()
    response = OperationResponse(200, {"content-type": "application/json"}, body, id="1")
    payload = encode_response(BatchResponse([response]), format="json", dialect=AS_BASE64)
    assert decoded(payload.body) == (body, [])


NOT_BASE64 = "json-body-not-base64 0: found '{}', not the base64 of a JSON body; it is read as it"
ALPHABET = "base64-alphabet 0: found 'IsO7w78/Ig==', with + or /, expected - or _"


@pytest.mark.parametrize(
    ("spelling", "dialect", "body", "found"),
    [
        # JSON that is no string is read as it is.
        *((each, AS_BASE64, each, None) for each in (b'{"a":1}', b"[]", b"1", b"true")),
        # So is a string that is no base64 of a JSON body.
        *(
            (each, AS_BASE64, each, NOT_BASE64.format(each.decode()))
            for each in (
                *(b'""', b'"text"', b'"not base64"', b'"bnVsbA"', b'"IG51bGwg"', b'"e30gMQ"'),
                *(b'"77u_e30"', b'"e32="'),
            )
        ),
        (b'"IsO7w78/Ig=="', AS_BASE64, '"\xfb\xff?"'.encode(), ALPHABET),
        # Without the dialect a string is a string.
        (b'"e30"', GRAPH, b'"e30"', None),
    ],
)
def test_json_bodies_that_may_be_base64(
    spelling: bytes, dialect: Dialect, body: bytes, found: str | None
) -> None:
    head = b'"headers":{"content-type":"application/json"}'
    text = b'{"responses":[{"id":"1","status":200,%b,"body":%b}]}' % (head, spelling)
    read, lines = decoded(text, dialect)
    assert read == body
    assert [each.startswith(found or "-") for each in lines] == [True] * (found is not None)


def test_both_alphabets_of_base64_are_read_where_the_standard_one_is_written() -> None:
    text = b'{"responses":[{"id":"1","status":200,"headers":{"content-type":"a/b"},"body":"-_8"}]}'
    assert decoded(text, GRAPH) == (b"\xfb\xff", [])


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


GRAPH_SEES = """
GET https://graph.example/v1.0/me; A: GET /beta/me; POST /me = {}; GET $a/members
"""


@pytest.mark.parametrize(
    ("dialect", "format", "text", "expected"),
    [
        (GRAPH, "multipart", "GET /me", ["format-not-spoken"]),
        (GRAPH, "multipart", "GET /v1.0/me", ["format-not-spoken", "url-root-segment 0"]),
        (
            GRAPH,
            "json",
            f"a: {GRAPH_SEES.strip()}",
            [
                *("url-form 0", "id-case-ignored 1", "url-root-segment 1"),
                *("json-content-type-missing 2", "reference-not-supported 3"),
                "dependencies-mixed 3",
            ],
        ),
        (GRAPH, "json", "21 * GET /me", ["too-many-operations 20"]),
        (GRAPH, "json", "{ POST /a; POST /b }", ["atomicity-ignored 0.1"]),
        (SHAREPOINT, "multipart", "POST a", ["write-outside-change-set 0"]),
        (
            AZURE_TABLES,
            "multipart",
            "{ POST http://h/A }; { POST http://h/B }",
            ["too-many-change-sets 1.0"],
        ),
        (
            AZURE_TABLES,
            "multipart",
            "GET A; DELETE http://h/A(1)",
            ["url-form 0", "write-outside-change-set 1", "query-not-alone 1"],
        ),
        (SAP_GATEWAY, "multipart", "POST Products", ["write-outside-change-set 0"]),
        (SAP_CAP, "json", "PUT /Books(1)/title [A: b] = 1", ["json-body-not-structured 0"]),
        (SAP_CAP, "json", "", ["json-no-requests"]),
        (BUSINESS_CENTRAL, "json", "101 * GET A", ["too-many-operations 100"]),
    ],
    ids=named,
)
def test_what_a_service_refuses_is_refused(
    dialect: Dialect, format: Format, text: str, expected: list[str]
) -> None:
    found = places(refused(text, format, dialect=dialect))
    assert [each for each in found if each not in expected] in ([], ["json-content-type-missing 0"])
    assert [each for each in found if each in expected] == expected


def test_a_payload_that_is_too_large_is_refused() -> None:
    found = refused(inserts(f"{HOST}/Blogs"), dialect=replace(AZURE_TABLES, payload=100))
    assert places(found) == ["payload-too-large"]


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
    assert (found.rule.slug, found.severity) == ("url-root-segment", Severity.ERROR)
    assert (found.position, found.path) == (13, "items[0]")
    assert found.message == (
        "URL '/v1.0/me' begins with v1.0, "
        "which for Microsoft Graph belongs to the URL of the batch; write '/me'"
    )


# -- every quirk has a fixture ---------------------------------------------------------------------

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"
CASES = {
    case["slug"]: case for case in json.loads((CORPUS / "manifest.json").read_bytes())["cases"]
}
# The field or rule in which a preset differs from OData 4.01, and the case that shows it.
QUIRKS = [
    (name, quirk, slug)
    for name, quirks in json.loads((CORPUS / "quirks.json").read_bytes()).items()
    for quirk, slug in quirks.items()
]


def quirks() -> Iterator[tuple[str, str]]:
    """Yield what the presets have that OData 4.01 has not."""
    for name, dialect in dialects.PRESETS.items():
        for field in FIELDS:
            if getattr(dialect, field) != getattr(ODATA_4_01, field):
                if field not in ("name", "severities"):
                    yield name, field
        yield from ((name, rule.slug) for rule, _ in dialect.severities)


def test_every_quirk_has_a_fixture_and_no_other_has() -> None:
    assert sorted((name, quirk) for name, quirk, _ in QUIRKS) == sorted(quirks())


@pytest.mark.parametrize(("name", "quirk", "slug"), QUIRKS)
def test_the_fixture_of_a_quirk_is_one_of_the_preset(name: str, quirk: str, slug: str) -> None:
    assert CASES[slug].get("dialect") == name
    if "-" in quirk:  # a rule, whose severity is another one
        assert quirk in [each["rule"] for each in CASES[slug]["expectation"]["diagnostics"]]
