"""The corpora of `spec-fixtures/`: their rows as values, and values as they spell them.

In matches, plans and conversions a request of `GET People` needs no method and no URL.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeAlias

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
    Unreadable,
    decode_response,
    encode_response,
)
from odata_batch.dialects import PRESETS
from odata_batch.rules import RULES

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"
Row: TypeAlias = Mapping[str, Any]
"""What a row holds is said by the schema of its corpus."""
Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Item: TypeAlias = Operation | OperationResponse | ChangeSet | ChangeSetResponse


def rows(name: str, section: str) -> list[Row]:
    """Return the rows of a section of a corpus."""
    found: list[Row] = sections(name)[section]
    return found


def sections(name: str) -> Row:
    """Return the sections of a corpus."""
    found: Row = json.loads((CORPUS / f"{name}.json").read_bytes())
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


def operation(item: Row) -> Operation | ChangeSet | Unreadable:
    """Return the operation or change set that a row spells."""
    if "unreadable" in item:
        return Unreadable(item["unreadable"], id=item.get("id"))
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


def answer(item: Row) -> OperationResponse | ChangeSetResponse | Unreadable:
    """Return the response, or the responses to a change set, that a row spells."""
    if "unreadable" in item:
        return Unreadable(item["unreadable"], id=item.get("id"))
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


# -- values as the corpora spell them --------------------------------------------------------------


def batch_as_json(batch: BatchRequest | BatchResponse) -> dict[str, Json]:
    members: dict[str, Json] = {"items": [item_as_json(item) for item in batch.items]}
    if isinstance(batch, BatchRequest):
        members["continue_on_error"] = batch.continue_on_error
    else:
        members["next_link"] = batch.next_link
        members["truncated"] = batch.truncated or None
    members["annotations"] = annotations_as_json(batch.annotations)
    return without_none(members)


def item_as_json(item: Item | Unreadable) -> Json:
    if isinstance(item, Unreadable):
        return without_none({"unreadable": item.kind, "id": item.id})
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


def listed(diagnostics: Iterable[Diagnostic]) -> list[list[str]]:
    """Return the rule, the path and the message of each."""
    return [[found.rule.slug, found.path, found.message] for found in diagnostics]


def as_said(diagnostics: Iterable[Diagnostic], row: Row, *names: str) -> list[dict[str, Json]]:
    """Return what is found, with these attributes, and what the rule or the row does not tell."""
    said = chain(row.get("diagnostics", ()), repeat({"message": ""}))
    return [
        {"rule": each.rule.slug, "position": each.position}
        | ({} if each.severity == each.rule.severity else {"severity": each.severity.name.lower()})
        | {name: getattr(each, name) for name in names}
        | ({"message": each.message} if "message" in known else {})
        for each, known in zip(diagnostics, said, strict=False)
    ]


def write(name: str, rows: Iterable[Row]) -> None:
    """Write the corpus with these rows, one a line."""
    lines = ",\n".join(map(json.dumps, rows))
    text = f'{{"version": 1, "{name}": [\n{lines}\n]}}\n'
    (CORPUS / f"{name}.json").write_text(text, newline="\n")


def layout(value: Json, indent: str = "") -> str:
    """Return JSON text with as much on a line as fits into it, except for the outermost braces."""
    text = json.dumps(value)
    if not isinstance(value, dict | list) or not value or (indent and len(indent + text) < 100):
        return text
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [f"{json.dumps(name)}: {layout(each, inner)}" for name, each in value.items()]
    else:
        lines = [layout(each, inner) for each in value]
    brackets = "{}" if isinstance(value, dict) else "[]"
    return (
        f"{brackets[0]}\n" + ",\n".join(inner + line for line in lines) + f"\n{indent}{brackets[1]}"
    )
