"""The conformance corpus of `spec-fixtures/`: its form, and that this package does what it says.

It is also the example of a runner: what another language has to do is in `Case` and the tests
below it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

import jsonschema
import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    Dialect,
    EncodeError,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    Payload,
    Report,
    RequestDecoder,
    ResponseDecoder,
    Rule,
    check_request,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch.capture import Exchange, parse_capture
from odata_batch.dialects import PRESETS

from .helpers import PROFILE, Outcome, fed

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Item: TypeAlias = Operation | OperationResponse | ChangeSet | ChangeSetResponse


class Found(TypedDict):
    rule: str
    position: int


class Expectation(TypedDict, total=False):
    default: str
    strict: str
    error: Found
    strict_error: Found
    value: dict[str, Json]
    diagnostics: list[Found]
    omitted: int


class DialectFields(TypedDict, total=False):
    json_bodies: Literal["raw", "structured", "base64"]


class Row(TypedDict, total=False):
    slug: str
    kind: str
    format: Literal["multipart", "json"]
    file: str
    generator: list[dict[str, str | int]]
    limits: dict[str, int]
    content_type: str
    dialect: str
    dialect_fields: DialectFields
    request: str
    expectation: Expectation


class RuleRow(TypedDict):
    severity: str
    fatal: bool
    produced_by: str
    sentence: str
    citation: str


class ItemRow(TypedDict, total=False):
    id: str
    method: str
    url: str
    status: int
    headers: list[list[str]]
    depends_on: list[str]
    condition: str
    body: dict[str, str]


class Value(TypedDict):
    items: list[ItemRow]


class Refusal(TypedDict, total=False):
    slug: str
    kind: str
    format: Literal["multipart", "json"]
    boundary: str
    value: Value
    rules: list[str]


class Captured(TypedDict):
    rule: str
    position: int | None


class ExchangeRow(TypedDict):
    name: str
    is_batch: bool
    lossy: bool
    diagnostics: list[Captured]


class CaptureRow(TypedDict):
    slug: str
    file: str
    exchanges: list[ExchangeRow]


class Manifest(TypedDict):
    version: int
    rules: dict[str, RuleRow]
    cases: list[Row]
    captures: list[CaptureRow]
    refusals: list[Refusal]


MANIFEST: Manifest = json.loads((CORPUS / "manifest.json").read_bytes())


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the corpus, ready to be decoded."""

    row: Row
    format: Literal["multipart", "json"]
    is_request: bool
    body: bytes
    content_type: str
    headers: Headers
    limits: Limits
    dialect: Dialect

    @property
    def expectation(self) -> Expectation:
        return self.row["expectation"]

    def decode(self, *, strict: bool = False) -> BatchRequest | BatchResponse:
        decode = decode_request if self.is_request else decode_response
        return decode(
            self.body,
            self.content_type,
            headers=self.headers,
            limits=self.limits,
            dialect=self.dialect,
            strict=strict,
        )

    def check(self) -> Report[BatchRequest] | Report[BatchResponse]:
        if self.is_request:
            return check_request(
                self.body,
                self.content_type,
                headers=self.headers,
                limits=self.limits,
                dialect=self.dialect,
            )
        asked = BY_SLUG.get(self.row.get("request", ""))
        return check_response(
            self.body,
            self.content_type,
            headers=self.headers,
            limits=self.limits,
            dialect=self.dialect,
            request=None if asked is None else asked.asked(),
            request_format=None if asked is None else asked.format,
        )

    def asked(self) -> BatchRequest:
        batch = self.decode()
        assert isinstance(batch, BatchRequest)
        return batch

    def outcome(self, chunks: list[bytes]) -> Outcome:
        decoder = RequestDecoder if self.is_request else ResponseDecoder
        made = decoder(
            self.content_type, headers=self.headers, limits=self.limits, dialect=self.dialect
        )
        return fed(made, chunks)


def case_of(row: Row) -> Case:
    head, _, body = octets_of(row).partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
    fields = [(name, value.strip(" \t")) for name, _, value in lines]
    given = row.get("content_type")
    if given is not None:
        fields = [field for field in fields if field[0] != "Content-Type"]
    headers = Headers(fields)
    return Case(
        row=row,
        format=row["format"],
        is_request=row["kind"] == "request",
        body=body,
        content_type=headers["Content-Type"] if given is None else given,
        headers=headers,
        limits=Limits(**row.get("limits", {})),
        dialect=replace(PRESETS[row.get("dialect", "4.01")], **row.get("dialect_fields", {})),
    )


def octets_of(row: Row) -> bytes:
    if "file" in row:
        return (CORPUS / row["file"]).read_bytes()
    pieces = [piece for each in row["generator"] for piece in repeated(each)]
    return "".join(pieces).encode("utf-8")


def repeated(piece: dict[str, str | int]) -> Iterator[str]:
    text = str(piece["text"])
    for number in range(int(piece.get("count", 1))):
        yield text.replace("{n}", str(number))


CASES = [case_of(row) for row in MANIFEST["cases"]]
BY_SLUG = {case.row["slug"]: case for case in CASES}
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.row["slug"])


# -- values as the manifest spells them ------------------------------------------------------------


def batch_as_json(batch: BatchRequest | BatchResponse) -> dict[str, Json]:
    members: dict[str, Json] = {"items": [item_as_json(item) for item in batch.items]}
    if isinstance(batch, BatchRequest):
        members["continue_on_error"] = batch.continue_on_error
    else:
        members["next_link"] = batch.next_link
        members["truncated"] = batch.truncated or None
    members["annotations"] = annotations_as_json(batch.annotations)
    return without_none(members)


def item_as_json(item: Item) -> Json:
    if isinstance(item, ChangeSet | ChangeSetResponse):
        return without_none({"id": item.id, "items": [item_as_json(each) for each in item.items]})
    members: dict[str, Json] = {
        "id": item.id,
        "headers": [list(pair) for pair in item.headers.pairs] or None,
        "body": octets_as_json(item.body) if item.body else None,
        "annotations": annotations_as_json(item.annotations),
    }
    if isinstance(item, Operation):
        members["method"] = item.method
        members["url"] = url_as_json(item.url)
        members["depends_on"] = list(item.depends_on) or None
        members["condition"] = item.condition
    else:
        members["status"] = item.status
        members["reason"] = item.reason
    return without_none(members)


def without_none(members: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in members.items() if value is not None}


def annotations_as_json(annotations: tuple[tuple[str, bytes], ...]) -> Json:
    return [[name, raw.decode("utf-8")] for name, raw in annotations] or None


def url_as_json(url: str) -> Json:
    octets = url.encode("utf-8", "surrogateescape")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return in_base64(octets)


def octets_as_json(octets: bytes) -> Json:
    if len(octets) > 16 * 1024:
        return {"length": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        return in_base64(octets)
    control = any((each < " " and each not in "\t\r\n") or each == "\x7f" for each in text)
    return in_base64(octets) if control else {"text": text}


def in_base64(octets: bytes) -> Json:
    return {"base64": base64.b64encode(octets).decode("ascii")}


# -- the corpus itself -----------------------------------------------------------------------------


def test_the_corpus_has_cases() -> None:
    assert len(CASES) > 500


def test_the_manifest_fits_its_schema() -> None:
    schema = json.loads((CORPUS / "manifest.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(MANIFEST)


def test_every_slug_stands_once() -> None:
    for rows in (MANIFEST["cases"], MANIFEST["captures"], MANIFEST["refusals"]):
        slugs = Counter(row["slug"] for row in rows)
        assert [slug for slug, count in slugs.items() if count > 1] == []


def test_every_file_of_the_corpus_is_named_by_its_case() -> None:
    named = [row["file"] for row in MANIFEST["cases"] if "file" in row]
    named += [row["file"] for row in MANIFEST["captures"]]
    present = [path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*/*")]
    assert sorted(named) == sorted(present)


def test_every_file_is_named_like_its_case() -> None:
    named = [(row["slug"], row["file"]) for row in MANIFEST["cases"] if "file" in row]
    named += [(row["slug"], row["file"]) for row in MANIFEST["captures"]]
    assert [slug for slug, file in named if Path(file).stem != slug] == []


def test_the_directories_hold_nothing_else() -> None:
    suffixes = {
        path.suffix for each in CORPUS.iterdir() if each.is_dir() for path in each.iterdir()
    }
    assert suffixes == {".har", ".http", ".saz"}


def test_the_rules_of_the_manifest_are_those_of_the_catalogue() -> None:
    catalogue = {
        rule.slug: (rule.severity.name.lower(), rule.fatal, rule.sentence, rule.citation)
        for rule in Rule
    }
    rows = {
        slug: (row["severity"], row["fatal"], row["sentence"], row["citation"])
        for slug, row in MANIFEST["rules"].items()
    }
    assert rows == catalogue


def produced_by(who: str) -> list[str]:
    return [slug for slug, row in MANIFEST["rules"].items() if row["produced_by"] == who]


def test_every_rule_is_produced_by_someone() -> None:
    known = [slug for who in ("decoder", "capture reader", "encoder") for slug in produced_by(who)]
    assert sorted(known) == sorted(rule.slug for rule in Rule)


@pytest.mark.parametrize("slug", produced_by("capture reader"))
def test_every_rule_of_captures_has_a_capture_of_its_name(slug: str) -> None:
    assert [
        capture["slug"]
        for capture in MANIFEST["captures"]
        if capture["slug"].startswith(slug)
        and slug
        in [found["rule"] for each in capture["exchanges"] for found in each["diagnostics"]]
    ]


@pytest.mark.parametrize("slug", produced_by("encoder"))
def test_every_rule_of_writing_has_a_refusal_of_its_name(slug: str) -> None:
    assert [
        refusal["slug"]
        for refusal in MANIFEST["refusals"]
        if refusal["slug"].startswith(slug) and slug in refusal["rules"]
    ]


@pytest.mark.parametrize("slug", produced_by("decoder"))
def test_every_rule_has_a_case_of_its_name(slug: str) -> None:
    breaking = [
        case.row["slug"]
        for case in CASES
        if case.row.get("file", f"invalid/{case.row['slug']}").startswith(f"invalid/{slug}")
        and slug in [found["rule"] for found in case.expectation["diagnostics"]]
    ]
    assert breaking


# -- what the package makes of it ------------------------------------------------------------------


@cases
def test_decoding_does_what_the_manifest_says(case: Case) -> None:
    if case.expectation["default"] == "reject":
        with pytest.raises(DecodeError) as caught:
            case.decode()
        assert found_in(caught.value) == case.expectation["error"]
    else:
        assert batch_as_json(case.decode()) == case.expectation["value"]


@cases
def test_strict_decoding_does_what_the_manifest_says(case: Case) -> None:
    if case.expectation["strict"] == "reject":
        with pytest.raises(DecodeError) as caught:
            case.decode(strict=True)
        assert found_in(caught.value) == case.expectation["strict_error"]
    else:
        assert batch_as_json(case.decode(strict=True)) == case.expectation["value"]


def found_in(error: DecodeError) -> dict[str, str | int | None]:
    return {"rule": error.rule.slug, "position": error.position}


@cases
def test_checking_reports_what_the_manifest_lists(case: Case) -> None:
    report = case.check()
    found = [{"rule": each.rule.slug, "position": each.position} for each in report.diagnostics]
    assert found == case.expectation["diagnostics"]
    assert report.omitted == case.expectation.get("omitted", 0)


# A fixture is split at so many places, others for each, which together are many; a thorough run
# splits it everywhere.
SPLITS = {"quick": 2, "default": 8}.get(PROFILE)


def chunkings(case: Case) -> Iterator[list[bytes]]:
    """Yield two-way splits and chunks of one size; of JSON, read at its end, few will do."""
    body, count = case.body, SPLITS
    if case.format == "json" or len(case.body) >= 8192:
        count = 2 if SPLITS else 8
    step = len(body) // count + 1 if count else 1
    for index in range(1 + zlib.crc32(case.row["slug"].encode()) % step, len(body), step):
        yield [body[:index], body[index:]]
    size = 1 if len(body) < 8192 else 4099
    yield [body[index : index + size] for index in range(0, len(body), size)]


@cases
def test_chunking_does_not_matter(case: Case) -> None:
    try:
        whole = case.outcome([case.body])
    except DecodeError:
        return  # The Content-Type is at fault, so no octet is ever received.
    for chunks in chunkings(case):
        assert case.outcome(chunks) == whole


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.expectation["strict"] == "accept"],
    ids=lambda case: case.row["slug"],
)
def test_what_is_read_without_warnings_can_be_written_and_read_again(case: Case) -> None:
    batch = case.decode()
    payload = written(batch, case)
    decode = decode_request if case.is_request else decode_response
    again = decode(
        payload.body,
        payload.content_type,
        headers=payload.headers,
        limits=case.limits,
        dialect=case.dialect,
        strict=True,
    )
    assert again == prepared(batch, case)
    assert written(again, case) == payload


def prepared(batch: BatchRequest | BatchResponse, case: Case) -> BatchRequest | BatchResponse:
    if isinstance(batch, BatchRequest):
        return prepare(batch, format=case.format, dialect=case.dialect)
    return prepare(batch, format=case.format, dialect=case.dialect)


def written(batch: BatchRequest | BatchResponse, case: Case) -> Payload:
    boundary = None if case.format == "json" else "fixture_of_this_test"
    if isinstance(batch, BatchRequest):
        return encode_request(
            batch,
            format=case.format,
            limits=case.limits,
            dialect=case.dialect,
            boundary=boundary,
        )
    return encode_response(
        batch, format=case.format, limits=case.limits, dialect=case.dialect, boundary=boundary
    )


# -- what is not written, and what captures hold ---------------------------------------------------


def batch_of(refusal: Refusal) -> BatchRequest | BatchResponse:
    """Return the value that `batch_as_json` spells so, as far as the refusals need it."""
    if refusal["kind"] == "request":
        return BatchRequest([operation_of(item) for item in refusal["value"]["items"]])
    return BatchResponse([response_of(item) for item in refusal["value"]["items"]])


def operation_of(item: ItemRow) -> Operation:
    return Operation(
        item["method"],
        item["url"],
        [(name, value) for name, value in item.get("headers", [])],
        item.get("body", {"text": ""})["text"].encode(),
        id=item.get("id"),
        depends_on=item.get("depends_on", []),
        condition=item.get("condition"),
    )


def response_of(item: ItemRow) -> OperationResponse:
    headers = [(name, value) for name, value in item.get("headers", [])]
    return OperationResponse(item["status"], headers, id=item.get("id"))


@pytest.mark.parametrize("refusal", MANIFEST["refusals"], ids=lambda refusal: refusal["slug"])
def test_what_the_manifest_refuses_is_not_written(refusal: Refusal) -> None:
    batch = batch_of(refusal)
    with pytest.raises(EncodeError) as caught:
        if isinstance(batch, BatchRequest):
            boundary = refusal.get("boundary")
            encode_request(batch, format=refusal["format"], boundary=boundary)
        else:
            encode_response(batch, format=refusal["format"])
    assert [found.rule.slug for found in caught.value.diagnostics] == refusal["rules"]


@pytest.mark.parametrize("capture", MANIFEST["captures"], ids=lambda capture: capture["slug"])
def test_a_capture_holds_what_the_manifest_says(capture: CaptureRow) -> None:
    exchanges = parse_capture((CORPUS / capture["file"]).read_bytes())
    assert [exchange_as_json(exchange) for exchange in exchanges] == capture["exchanges"]


def exchange_as_json(exchange: Exchange) -> ExchangeRow:
    messages = [each for each in (exchange.request, exchange.response) if each is not None]
    found = [*exchange.diagnostics, *(found for each in messages for found in each.diagnostics)]
    return {
        "name": exchange.name,
        "is_batch": exchange.is_batch,
        "lossy": any(message.lossy for message in messages),
        "diagnostics": [{"rule": each.rule.slug, "position": each.position} for each in found],
    }
