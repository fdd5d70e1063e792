"""The value corpora of `spec-fixtures/`, as values: matches, plans and conversions.

A row spells values as the manifest does; a request of `GET People` needs no method and no URL.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Diagnostic,
    Dialect,
    Operation,
    OperationResponse,
    Severity,
    decode_response,
    encode_response,
)
from odata_batch.dialects import PRESETS
from odata_batch.rules import RULES

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"
Row = Mapping[str, Any]


def rows(name: str, section: str) -> list[Row]:
    """Return the rows of a section of a corpus, which fits its schema."""
    corpus = json.loads((CORPUS / f"{name}.json").read_bytes())
    schema = json.loads((CORPUS / f"{name}.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(corpus)
    found: list[Row] = corpus[section]
    return found


def about(row: Row) -> str:
    """Return the sentence that says what a row shows."""
    return str(row["about"])


def dialect(row: Row) -> Dialect:
    """Return the version or service of a row."""
    fields = dict(row.get("dialect_fields", {}))
    severities = fields.pop("severities", {})
    by_slug = {rule.slug: rule for rule in RULES.values()}
    pairs = tuple((by_slug[slug], Severity[name.upper()]) for slug, name in severities.items())
    fields |= {"severities": pairs} if pairs else {}
    fields |= {name: frozenset(value) for name, value in fields.items() if isinstance(value, list)}
    return replace(PRESETS[row.get("dialect", "4.01")], **fields)


def request(batch: Row) -> BatchRequest:
    """Return the request that a row spells."""
    return BatchRequest(
        map(operation, batch["items"]),
        continue_on_error=batch.get("continue_on_error"),
        annotations=raw_members(batch),
    )


def operation(item: Row) -> Operation | ChangeSet:
    """Return the operation or change set that a row spells."""
    if "items" in item:
        return ChangeSet(map(operation, item["items"]), id=item.get("id"))
    return Operation(
        item.get("method", "GET"),
        item.get("url", "People"),
        [(name, value) for name, value in item.get("headers", ())],
        octets(item),
        id=item.get("id"),
        depends_on=item.get("depends_on", ()),
        condition=item.get("condition"),
        annotations=raw_members(item),
    )


def response(batch: Row) -> BatchResponse:
    """Return the response that a row spells; with a `format`, as if it was read in it."""
    made = BatchResponse(
        map(answer, batch["items"]),
        next_link=batch.get("next_link"),
        truncated=batch.get("truncated", False),
        annotations=raw_members(batch),
    )
    if "format" not in batch:
        return made
    payload = encode_response(made, format=batch["format"])
    return decode_response(payload.body, payload.content_type)


def answer(item: Row) -> OperationResponse | ChangeSetResponse:
    """Return the response, or the responses to a change set, that a row spells."""
    if "items" in item:
        return ChangeSetResponse(map(answer, item["items"]), id=item.get("id"))
    return OperationResponse(
        item["status"],
        [(name, value) for name, value in item.get("headers", ())],
        octets(item),
        id=item.get("id"),
        reason=item.get("reason"),
        annotations=raw_members(item),
    )


def octets(item: Row) -> bytes:
    body = item.get("body", {"text": ""})
    if "text" in body:
        return str(body["text"]).encode("utf-8", "surrogateescape")
    return base64.b64decode(body["base64"])


def raw_members(item: Row) -> list[tuple[str, bytes]]:
    return [(name, raw.encode("utf-8")) for name, raw in item.get("annotations", ())]


def listed(diagnostics: Iterable[Diagnostic]) -> list[list[str]]:
    """Return the rule, the path and the message of each."""
    return [[found.rule.slug, found.path, found.message] for found in diagnostics]
