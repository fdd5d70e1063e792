"""Dialects are data: frozen, compared by value, each quirk in one field."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from docs.names import definitions
from odata_batch import (
    BatchRequest,
    BatchResponse,
    Dialect,
    EncodeError,
    Execution,
    Operation,
    OperationResponse,
    RequestEncoder,
    Severity,
    Step,
    check_request,
    check_response,
    convert_request,
    convert_response,
    decode_request,
    decode_response,
    dialects,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch.dialects import (
    ASPNET,
    AZURE_TABLES,
    BUSINESS_CENTRAL,
    DATAVERSE,
    GRAPH,
    ODATA_2,
    ODATA_4_01,
    SAP_CAP,
    SAP_GATEWAY,
)
from odata_batch.rules import RULES, unknown
from odata_batch.strategies import batch_requests, batch_responses, json_texts

from . import corpora
from .batches import Case, cases, line, places, refused, request, table
from .helpers import JSON, MULTIPART

PRESETS = list(dialects.PRESETS.values())
FIELDS = [field.name for field in fields(Dialect) if field.init]
GRAPH_BASE64 = replace(GRAPH, json_bodies="base64")


def named(dialect: object) -> str | None:
    return dialect.name if isinstance(dialect, Dialect) else None


every_preset = pytest.mark.parametrize("dialect", PRESETS, ids=named)


# -- the presets -----------------------------------------------------------------------------------


def test_every_preset_has_a_name_for_the_command_line() -> None:
    public = {name: value for name, value in vars(dialects).items() if isinstance(value, Dialect)}
    versions = {name for name in public if name.startswith("ODATA_")}
    assert dict(dialects.PRESETS) == {
        name[6:].replace("_", ".") if name in versions else name.lower().replace("_", "-"): value
        for name, value in public.items()
    }
    assert set(public.values()) == set(PRESETS)


@every_preset
def test_no_preset_changes_the_severity_of_a_fatal_rule(dialect: Dialect) -> None:
    assert not unknown(dialect)
    assert not [slug for slug, _ in dialect.severities if RULES[slug].fatal]


@every_preset
def test_a_preset_changes_a_severity_once_and_to_another(dialect: Dialect) -> None:
    slugs = [slug for slug, _ in dialect.severities]
    assert len(set(slugs)) == len(slugs)
    for slug, severity in dialect.severities:
        assert isinstance(severity, Severity)
        assert severity is not RULES[slug].severity


@every_preset
def test_a_preset_is_hashable_and_can_be_copied(dialect: Dialect) -> None:
    assert copy.copy(dialect) == copy.deepcopy(dialect) == dialect
    assert pickle.loads(pickle.dumps(dialect)) == dialect
    assert hash(replace(dialect)) == hash(dialect)


@pytest.mark.parametrize("name", ["GRAPH", "DATAVERSE", "AZURE_TABLES", "SHAREPOINT",
                                  "SAP_GATEWAY", "SAP_BUSINESS_ONE", "SAP_CAP",
                                  "BUSINESS_CENTRAL", "ASPNET", "SAP_V2_ADAPTER"])  # fmt: skip
def test_the_preset_of_a_service_names_its_sources_and_their_dates(name: str) -> None:
    text = definitions(dialects.__name__)[name].docstring
    assert re.search(r"\b20[12][0-9]\b", text)
    assert '"' in text or "@" in text


# -- dialects of one's own -------------------------------------------------------------------------


def test_a_dialect_is_made_by_keyword_and_begins_as_the_default() -> None:
    with pytest.raises(TypeError):
        Dialect("mine")  # type: ignore[call-arg] # that it is refused is the point
    assert Dialect(name="OData 4.01") == ODATA_4_01


def test_the_repr_of_a_dialect_says_what_is_not_the_default() -> None:
    own = Dialect(name="mine", operations=7, methods=frozenset(("GET",)))
    assert repr(own) == "Dialect(name='mine', methods=frozenset({'GET'}), operations=7)"
    assert eval(repr(own), {"Dialect": Dialect}) == own


def test_every_field_can_be_overridden() -> None:
    graph = {field: getattr(GRAPH, field) for field in FIELDS}
    ours = {field: getattr(ODATA_4_01, field) for field in FIELDS}
    for field, value in graph.items():
        mixed = replace(GRAPH, **{**ours, field: value})
        assert replace(ODATA_4_01, **{field: value}) == mixed


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
    alphabet: dict[str, Any] = {"base64_padding": padding, "base64_standard_alphabet": standard}
    dialect = replace(ODATA_4_01, json_bodies=json_bodies, **alphabet)
    octets = Operation.put("a", headers={"content-type": "image/png"}, body=b"\xfb\xff", id="1")
    batch = BatchRequest([octets, Operation.put("b", json="\xfb\xff?", id="2")])
    payload = encode_request(batch, format="json", dialect=dialect)
    report = check_request(payload.body, payload.content_type, dialect=dialect)
    assert (report.value, report.diagnostics) == (batch, ())


def test_an_empty_batch_is_written_where_it_is_allowed() -> None:
    empty = BatchRequest([])
    for dialect in (ODATA_4_01, BUSINESS_CENTRAL):
        assert encode_request(empty, format="json", dialect=dialect).body == b'{"requests":[]}'
    answer = encode_response(BatchResponse([]), format="json", dialect=SAP_CAP)
    assert answer.body == b'{"responses":[]}'
    with pytest.raises(EncodeError, match=r"json-no-requests.*the array requests is empty"):
        RequestEncoder(format="json", dialect=SAP_CAP).close()


@pytest.mark.parametrize(
    ("dialect", "body"),
    [(GRAPH, b'{"a":"\xc3\xbb\xc3\xbf"}'), (GRAPH_BASE64, b'"eyJhIjoiw7vDvyJ9"')],
)
def test_json_bodies_are_written_as_the_dialect_says(dialect: Dialect, body: bytes) -> None:
    operation = Operation.post("/me/events", json={"a": "\xfb\xff"}, id="1")
    payload = encode_request(BatchRequest([operation]), format="json", dialect=dialect)
    assert b'"body":%b}' % body in payload.body


@pytest.mark.parametrize("dialect", [DATAVERSE, SAP_GATEWAY], ids=named)
def test_a_content_length_is_written_where_it_is_wanted(dialect: Dialect) -> None:
    batch = BatchRequest.single_change_set([Operation.post("People", json={}, id="1")])
    assert b"\r\nContent-Length: 2\r\n\r\n{}\r\n" in encode_request(batch, dialect=dialect).body


AS_BASE64 = replace(ODATA_4_01, json_bodies="base64", base64_padding=False)


@given(batch_requests("json"), batch_responses("json"))
def test_what_has_json_bodies_in_base64_is_read_back(
    asked: BatchRequest, answered: BatchResponse
) -> None:
    payload = encode_request(asked, format="json", dialect=AS_BASE64)
    request = decode_request(payload.body, payload.content_type, dialect=AS_BASE64)
    assert request.items == prepare(asked, format="json", dialect=AS_BASE64).items
    payload = encode_response(answered, format="json", dialect=AS_BASE64)
    response = decode_response(payload.body, payload.content_type, dialect=AS_BASE64)
    assert response.items == prepare(answered, format="json", dialect=AS_BASE64).items


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


@cases("accepted")
def test_what_is_encoded_for_a_dialect_is_read_back_with_it(case: Case) -> None:
    batch, dialect = request(case.text), case.dialect
    for format in case.formats:
        payload = encode_request(batch, format=format, dialect=dialect)
        fields = payload.headers
        read = decode_request(
            payload.body, payload.content_type, headers=fields, dialect=dialect, strict=True
        )
        assert read == prepare(batch, format=format, dialect=dialect)


def test_there_is_a_batch_that_is_accepted_for_every_preset() -> None:
    words = " ".join(line.partition(" | ")[0] for line in table("accepted")).split()
    assert {*words} >= {*dialects.PRESETS}


def test_a_payload_that_is_too_large_is_refused() -> None:
    found = refused(inserts(f"{HOST}/Blogs"), dialect=replace(AZURE_TABLES, payload=100))
    assert places(found) == ["payload-too-large"]


def test_a_service_of_4_0_is_told_the_preference_with_its_prefix() -> None:
    batch = BatchRequest([QUERY], continue_on_error=True)
    payload = encode_request(batch, dialect=SAP_CAP)
    assert payload.headers["Prefer"] == "odata.continue-on-error"
    options: dict[str, Any] = {"headers": payload.headers, "dialect": SAP_CAP}
    assert check_request(payload.body, payload.content_type, **options).diagnostics == ()


# -- every quirk is in the corpus ------------------------------------------------------------------

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"
MANIFEST = json.loads((CORPUS / "manifest.json").read_bytes())
CASES = {case["slug"]: case for case in MANIFEST["cases"]}
MATCHES = {row["about"]: row for row in corpora.rows("matches", "matches")}
QUIRKS: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(
    (CORPUS / "quirks.json").read_bytes()
)


def test_the_corpus_of_quirks_has_every_preset_and_every_field() -> None:
    assert list(QUIRKS) == list(dialects.PRESETS)
    assert [*QUIRKS["4.01"]] == [field for field in FIELDS if field != "severities"]


@pytest.mark.parametrize("name", QUIRKS)
def test_a_preset_is_what_the_corpus_says(name: str) -> None:
    dialect = dialects.PRESETS[name]
    severities = {slug: severity.name.lower() for slug, severity in dialect.severities}
    values = {field: getattr(dialect, field) for field in QUIRKS["4.01"]}
    plain = {it: sorted(v) if isinstance(v, frozenset) else v for it, v in values.items()}
    standard = {quirk: row["is"] for quirk, row in QUIRKS["4.01"].items()}
    own = {quirk: row["is"] for quirk, row in QUIRKS[name].items()}
    assert {**plain, **severities} == {**standard, **own}
    assert name == "4.01" or not [it for it in own if standard.get(it) == own[it]]


@pytest.mark.parametrize(
    ("name", "quirk", "slug"),
    [
        (name, quirk, row.get("case") or row["match"])
        for name, quirks in QUIRKS.items()
        for quirk, row in quirks.items()
        if name != "4.01" and quirk != "name"
    ],
)
def test_a_quirk_is_shown_by_a_case_of_the_preset(name: str, quirk: str, slug: str) -> None:
    shown = CASES[slug] if slug in CASES else MATCHES[slug]
    assert shown.get("dialect") == name
    if "-" in quirk:  # a rule, whose severity is another one
        assert quirk in [each["rule"] for each in CASES[slug]["expectation"]["diagnostics"]]


# -- what other programs can read of what is written ----------------------------------------------


@cases("seen")
def test_what_is_written_can_be_read_by_others(case: Case) -> None:
    text, _, written = case.text.partition(" => ")
    dialect = replace(case.dialect, severities=())
    for format in case.formats:
        payload = encode_request(request(text), format=format, dialect=dialect)
        assert written.encode() in payload.body


def test_a_space_in_a_url_is_not_written_though_a_service_reads_it() -> None:
    batch = BatchRequest([Operation.get("/users?$filter=a eq b")])
    assert places(refused(batch, "json", dialect=GRAPH)) == ["url-white-space 0"]


def test_a_service_that_always_stops_need_not_be_asked() -> None:
    stops = replace(ODATA_2, multipart_stops_on_error=True)
    batch = BatchRequest([Operation.get("A")], continue_on_error=False)
    assert "prefer" not in encode_request(batch, dialect=stops).headers
    with pytest.raises(EncodeError, match="stop-not-supported"):
        encode_request(batch, dialect=ODATA_2)


def test_conversion_lists_what_json_does_not_carry_and_writes_what_is_no_reference() -> None:
    headers = {"sap-messages": "J\xc3\xbcrgen"}
    answer = BatchResponse([OperationResponse(304, headers, id="1")])
    _, losses = convert_response(answer, target="json")
    assert [each.rule.slug for each in losses] == ["header-not-ascii"]
    request = BatchRequest([Operation.get("$metadata"), Operation.get("A#b")])
    converted, losses = convert_request(request, target="json", dialect=ASPNET)
    assert [each.url for each in converted.operations()] == ["./$metadata", "A%23b"]
    assert {"reference-lookalike", "url-fragment"} <= {each.rule.slug for each in losses}


def test_a_request_without_id_is_answered_without_one() -> None:
    body = b'{"requests":[{"method":"GET","url":"A"},{"method":"GET","url":"B"}]}'
    execution = Execution(decode_request(body, JSON), batch_url="http://h/s/$batch")
    while not execution.finished:
        for step in execution.ready():
            assert isinstance(step, Step)
            execution.complete(step, OperationResponse(200 if step.url.endswith("A") else 404))
    assert execution.payload().body == b'{"responses":[{"status":200},{"status":404}]}'
