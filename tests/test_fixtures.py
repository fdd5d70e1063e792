"""The conformance corpus of `spec-fixtures/`: its form, and that this package does what it says.

`python -m tests.test_fixtures` writes down anew what is read of each pair, that of a new one
included; read the difference, then run `docs/generate.py`.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.manifest import SECTIONS, octets_of, rows
from odata_batch import (
    BatchRequest,
    BatchResponse,
    DecodeError,
    Diagnostic,
    Dialect,
    EncodeError,
    Headers,
    Limits,
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
from odata_batch.capture import CapturedExchange, parse_capture

from . import corpora
from .corpora import CORPUS, Json, Row, batch_as_json, layout
from .helpers import JSON, PROFILE, Format, Outcome, fed, needed

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
    def slug(self) -> str:
        return str(self.row["slug"])

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
            url = self.row.get("url")
            return check_request(self.body, self.content_type, url=url, **settings)
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
        dialect=corpora.dialect(row),
    )


CASES = [case_of(row) for row in MANIFEST["cases"]]
BY_SLUG = {case.slug: case for case in CASES}
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.slug)


# -- the corpus itself -----------------------------------------------------------------------------


def test_the_corpus_has_cases() -> None:
    assert len(CASES) > 500


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.schema.json")), ids=lambda path: path.name)
def test_a_corpus_fits_its_schema(path: Path) -> None:
    validator = needed("jsonschema").Draft202012Validator
    schema = json.loads(path.read_bytes())
    validator.check_schema(schema)
    validator(schema).validate(json.loads(Path(str(path).replace(".schema", "")).read_bytes()))


def test_every_slug_and_every_sentence_is_there_once() -> None:
    for section in SECTIONS:
        found = Counter(row[name] for row in MANIFEST[section] for name in ("slug", "about"))
        assert [each for each, count in found.items() if count > 1] == []


def test_what_is_invalid_is_named_after_a_rule_and_what_is_valid_is_accepted() -> None:
    rules = tuple(MANIFEST["rules"])
    for case in CASES:
        named = case.slug.startswith((*rules, "adversarial-"))
        folder = case.row.get("file", "/").partition("/")[0]
        assert named or folder != "invalid", case.slug
        assert case.expectation["default"] == "accept" or folder != "valid", case.slug


# -- what the package makes of it ------------------------------------------------------------------


def decoded(case: Case, *, strict: bool = False) -> tuple[str, Json]:
    """Return the verdict, and the value or what is raised."""
    try:
        return "accept", batch_as_json(case.decode(strict=strict))
    except DecodeError as error:
        return "reject", {"rule": error.rule.slug, "position": error.position}


def listed(diagnostics: Iterable[Diagnostic], slug: str) -> list[Json]:
    """Return what is found; the case that is called like a rule says the message, too."""
    rows: list[Json] = []
    for found in diagnostics:
        row: dict[str, Json] = {"rule": found.rule.slug, "severity": found.severity.name.lower()}
        row |= {"position": found.position}
        rows.append({**row, "message": found.message} if found.rule.slug == slug else row)
    return rows


@cases
def test_decoding_does_what_the_manifest_says(case: Case) -> None:
    expected = case.expectation
    for mode, error in (("default", "error"), ("strict", "strict_error")):
        what = expected[error if expected[mode] == "reject" else "value"]
        assert decoded(case, strict=mode == "strict") == (expected[mode], what)


QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'(\.\.\.)?|"((?:[^"\\]|\\.)*)"(\.\.\.)?""")


@cases
def test_checking_reports_what_the_manifest_lists(case: Case) -> None:
    """The octets at a finding are what its message quotes."""
    report = case.check()
    assert listed(report.diagnostics, case.slug) == case.expectation["diagnostics"]
    assert report.omitted == case.expectation.get("omitted", 0)
    for found in report.diagnostics:
        if not found.length:
            continue
        assert found.position is not None
        octets = case.body[found.position :][: found.length]
        assert len(octets) == found.length
        message = found.message.lower()
        quoted = [each[0] or each[2] for each in QUOTED.findall(message)]
        spellings = []
        for text in (octets.decode("utf-8", "surrogateescape"), octets.decode("latin-1")):
            is_string = case.format == "json" and text.startswith('"')
            spellings.append(repr(json.loads(text) if is_string else text)[1:-1].lower())
        is_quoted = any(each in spelt for each in quoted for spelt in spellings)
        assert not quoted or is_quoted or any(spelt[:50] in message for spelt in spellings)


# A fixture is split at so many places, others for each, which together are many; a thorough run
# splits it everywhere.
SPLITS = {"quick": 2, "default": 8}.get(PROFILE)


def chunkings(case: Case) -> Iterator[list[bytes]]:
    """Yield two-way splits and chunks of one size."""
    body, count = case.body, SPLITS
    if len(case.body) >= 8192:
        count = 2 if SPLITS else 8
    step = len(body) // count + 1 if count else 1
    for index in range(1 + zlib.crc32(case.slug.encode()) % step, len(body), step):
        yield [body[:index], body[index:]]
    size = 1 if len(body) < 8192 else 4099
    yield [body[index : index + size] for index in range(0, len(body), size)]


@pytest.mark.untraced
@cases
def test_chunking_does_not_matter(case: Case) -> None:
    try:
        whole = case.outcome([case.body])
    except DecodeError:
        return  # The Content-Type is at fault, so no octet is ever received.
    for chunks in chunkings(case):
        assert case.outcome(chunks) == whole


DAMAGE = [bytes((octet,)) for octet in b',"{}[]:1x \\\xff\xc3\0\n']
DAMAGE += [b"", b'"body":', b"[[[", b"\\ud800"]


@given(
    st.sampled_from(
        [case for case in CASES if case.content_type == JSON and len(case.body) < 2000]
    ),
    st.randoms(use_true_random=False),
)
def test_chunks_make_no_difference_in_json_that_was_damaged(case: Case, rnd: random.Random) -> None:
    body, limits = bytearray(case.body), case.limits
    for _ in range(rnd.randrange(4)):
        at = rnd.randrange(len(body) + 1)
        body[at : at + rnd.randrange(3)] = rnd.choice(DAMAGE)
    if rnd.random() < 0.5:
        name = rnd.choice(("body", "url", "id", "headers_total", "json_depth", "operations"))
        limits = replace(limits, **{name: rnd.choice((1, 3, 5, 20))})
    damaged = replace(case, body=bytes(body), limits=limits)
    whole, cut = damaged.outcome([damaged.body]), rnd.randrange(len(body) + 1)
    for chunks in ([body[:cut], body[cut:]], [body[at : at + 1] for at in range(len(body))]):
        assert damaged.outcome([bytes(each) for each in chunks]) == whole


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.expectation["strict"] == "accept"
        # These are notes in reading at most, and are not written.
        if {"url-fragment", "url-white-space", "url-characters"}.isdisjoint(
            each["rule"] for each in case.expectation["diagnostics"]
        )
    ],
    ids=lambda case: case.slug,
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


@pytest.mark.parametrize("refusal", MANIFEST["refusals"], ids=lambda refusal: refusal["slug"])
def test_what_the_manifest_refuses_is_not_written(refusal: Row) -> None:
    assert refusal == {**refusal, **refused(refusal)}


def refused(row: Row) -> dict[str, Json]:
    """Return the rules that forbid to write a value; the message for the one of that name."""
    boundary = {"boundary": row["boundary"]} if "boundary" in row else {}
    with pytest.raises(EncodeError) as caught:
        if row["kind"] == "request":
            encode_request(corpora.request(row["value"]), format=row["format"], **boundary)
        else:
            encode_response(corpora.response(row["value"]), format=row["format"], **boundary)
    said = {each.rule.slug: each.message for each in caught.value.diagnostics}
    message: dict[str, Json] = {"message": said[row["slug"]]} if row["slug"] in said else {}
    return {"rules": [each.rule.slug for each in caught.value.diagnostics], **message}


@pytest.mark.parametrize("capture", MANIFEST["captures"], ids=lambda capture: capture["slug"])
def test_a_capture_holds_what_the_manifest_says(capture: Row) -> None:
    assert exchanges(capture) == capture["exchanges"]


def exchanges(row: Row) -> list[Json]:
    """Return what a capture holds."""
    found = parse_capture((CORPUS / row["file"]).read_bytes())
    return [exchange_as_json(exchange, row["slug"]) for exchange in found]


def exchange_as_json(exchange: CapturedExchange, slug: str) -> Json:
    messages = [each for each in (exchange.request, exchange.response) if each is not None]
    found = [*exchange.diagnostics, *(found for each in messages for found in each.diagnostics)]
    return {
        "name": exchange.name,
        "is_batch": exchange.is_batch,
        "lossy": any(message.lossy for message in messages),
        "diagnostics": listed(found, slug),
    }


# -- what is read, written down anew ---------------------------------------------------------------


def expectation(case: Case) -> dict[str, Json]:
    """Return what is read of a case, as its pair says it."""
    (verdict, found), (strictly, error) = decoded(case), decoded(case, strict=True)
    report = case.check()
    members: dict[str, Json] = {"default": verdict, "strict": strictly}
    members |= {"error": found} if verdict == "reject" else {}
    members |= {"strict_error": error} if strictly == "reject" else {}
    members |= {"value": found} if verdict == "accept" else {}
    members["diagnostics"] = listed(report.diagnostics, case.slug)
    return members | ({"omitted": report.omitted} if report.omitted else {})


if __name__ == "__main__":
    pairs = {folder: [*rows(folder)] for folders in SECTIONS.values() for folder in folders}
    BY_SLUG |= {row["slug"]: case_of(row) for each in SECTIONS["cases"] for row in pairs[each]}
    for folder, row in ((folder, row) for folder, found in pairs.items() for row in found):
        pair = {name: value for name, value in row.items() if name not in ("slug", "file")}
        if folder == "captures":
            pair["exchanges"] = exchanges(row)
        elif folder == "refusals":
            pair |= refused(row)
        else:
            pair["expectation"] = expectation(BY_SLUG[row["slug"]])
        path = CORPUS / folder / f"{row['slug']}.json"
        path.write_text(f"{layout(pair)}\n", newline="\n")
