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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

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
from odata_batch.rules import RULES

from .helpers import PROFILE, Format, Outcome, fed

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Item: TypeAlias = Operation | OperationResponse | ChangeSet | ChangeSetResponse


# What a row of the manifest holds is said by its schema, which it is held against below.
Row: TypeAlias = Mapping[str, Any]

MANIFEST: Row = json.loads((CORPUS / "manifest.json").read_bytes())


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the corpus, ready to be decoded."""

    row: Row
    format: Format
    is_request: bool
    body: bytes
    content_type: str
    headers: Headers
    limits: Limits
    dialect: Dialect

    @property
    def expectation(self) -> Row:
        expected: Row = self.row["expectation"]
        return expected

    @property
    def settings(self) -> dict[str, Any]:
        return {"headers": self.headers, "limits": self.limits, "dialect": self.dialect}

    def decode(self, *, strict: bool = False) -> BatchRequest | BatchResponse:
        decode = decode_request if self.is_request else decode_response
        return decode(self.body, self.content_type, strict=strict, **self.settings)

    def check(self) -> Report[BatchRequest] | Report[BatchResponse]:
        settings = self.settings
        if self.is_request:
            return check_request(self.body, self.content_type, **settings)
        if "request" in self.row:
            asked = BY_SLUG[self.row["request"]]
            settings |= {"request": asked.decode(), "request_format": asked.format}
        return check_response(self.body, self.content_type, **settings)

    def outcome(self, chunks: list[bytes]) -> Outcome:
        decoder = RequestDecoder if self.is_request else ResponseDecoder
        return fed(decoder(self.content_type, **self.settings), chunks)


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
        return (CORPUS / str(row["file"])).read_bytes()
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
        for rule in RULES.values()
    }
    rows = {
        slug: (row["severity"], row["fatal"], row["sentence"], row["citation"])
        for slug, row in MANIFEST["rules"].items()
    }
    assert rows == catalogue


def shown() -> Iterator[tuple[str, str, str]]:
    """Yield who finds something, in a case of which name, and the rule."""
    for case in CASES:
        path = case.row.get("file", f"invalid/{case.row['slug']}")
        for found in case.expectation["diagnostics"]:
            yield "decoder", path.removeprefix("invalid/"), found["rule"]
    for capture in MANIFEST["captures"]:
        for found in chain.from_iterable(each["diagnostics"] for each in capture["exchanges"]):
            yield "capture reader", capture["slug"], found["rule"]
    for refusal in MANIFEST["refusals"]:
        yield from (("encoder", refusal["slug"], slug) for slug in refusal["rules"])


def test_every_rule_has_a_case_of_its_name() -> None:
    by_name = {(who, slug) for who, name, slug in shown() if name.startswith(slug)}
    rules = {(row["produced_by"], slug) for slug, row in MANIFEST["rules"].items()}
    assert rules - by_name == set()


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
    prepared: Callable[..., object] = prepare
    assert again == prepared(batch, format=case.format, dialect=case.dialect)
    assert written(again, case) == payload


def written(batch: BatchRequest | BatchResponse, case: Case) -> Payload:
    settings: dict[str, Any] = {"limits": case.limits, "dialect": case.dialect}
    settings |= {} if case.format == "json" else {"boundary": "fixture_of_this_test"}
    if isinstance(batch, BatchRequest):
        return encode_request(batch, format=case.format, **settings)
    return encode_response(batch, format=case.format, **settings)


# -- what is not written, and what captures hold ---------------------------------------------------


def batch_of(refusal: Row) -> BatchRequest | BatchResponse:
    """Return the value that `batch_as_json` spells so, as far as the refusals need it."""
    if refusal["kind"] == "request":
        return BatchRequest([operation_of(item) for item in refusal["value"]["items"]])
    return BatchResponse([response_of(item) for item in refusal["value"]["items"]])


def operation_of(item: Row) -> Operation:
    return Operation(
        item["method"],
        item["url"],
        [(name, value) for name, value in item.get("headers", [])],
        item.get("body", {"text": ""})["text"].encode(),
        id=item.get("id"),
        depends_on=item.get("depends_on", []),
        condition=item.get("condition"),
    )


def response_of(item: Row) -> OperationResponse:
    headers = [(name, value) for name, value in item.get("headers", [])]
    return OperationResponse(item["status"], headers, id=item.get("id"))


@pytest.mark.parametrize("refusal", MANIFEST["refusals"], ids=lambda refusal: refusal["slug"])
def test_what_the_manifest_refuses_is_not_written(refusal: Row) -> None:
    batch = batch_of(refusal)
    with pytest.raises(EncodeError) as caught:
        if isinstance(batch, BatchRequest):
            boundary = refusal.get("boundary")
            encode_request(batch, format=refusal["format"], boundary=boundary)
        else:
            encode_response(batch, format=refusal["format"])
    assert [found.rule.slug for found in caught.value.diagnostics] == refusal["rules"]


@pytest.mark.parametrize("capture", MANIFEST["captures"], ids=lambda capture: capture["slug"])
def test_a_capture_holds_what_the_manifest_says(capture: Row) -> None:
    exchanges = parse_capture((CORPUS / capture["file"]).read_bytes())
    assert [exchange_as_json(exchange) for exchange in exchanges] == capture["exchanges"]


def exchange_as_json(exchange: Exchange) -> Row:
    messages = [each for each in (exchange.request, exchange.response) if each is not None]
    found = [*exchange.diagnostics, *(found for each in messages for found in each.diagnostics)]
    return {
        "name": exchange.name,
        "is_batch": exchange.is_batch,
        "lossy": any(message.lossy for message in messages),
        "diagnostics": [{"rule": each.rule.slug, "position": each.position} for each in found],
    }
