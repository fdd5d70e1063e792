"""The corpus of slips: messages with one thing wrong, and what is found first; and sound ones.

`python -m tests.test_slips` writes down anew what is found first; read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from odata_batch import Diagnostic, Severity, check_request, check_response
from odata_batch.capture import parse_message

from . import corpora
from .corpora import Json, Row

MESSAGES, SLIPS, SOUND = (corpora.rows("slips", name) for name in ("messages", "slips", "sound"))
TEXTS = {row["name"]: row["octets"] for row in MESSAGES}


def found_in(row: Row) -> list[tuple[int, Diagnostic]]:
    """Return what is found in a message after where it begins in it; in its head that is -1."""
    text = TEXTS[row["of"]] if "of" in row else row["octets"]
    for start, length, replacement in reversed(row.get("edits", ())):
        text = text[:start] + replacement + text[start + length :]
    message = parse_message(text.encode("latin-1"))
    found = [(-1 if each.position is None else each.position, each) for each in message.diagnostics]
    body, content_type, headers = message.body, message.content_type, message.headers
    diagnostics: tuple[Diagnostic, ...] = ()
    if message.is_readable and message.kind == "request":
        url = message.start_line.split(" ")[1]
        diagnostics = check_request(body, content_type, headers=headers, url=url).diagnostics
    elif message.is_readable:
        diagnostics = check_response(body, content_type, headers=headers).diagnostics
    for each in diagnostics:
        is_outer = each.path == "headers" or each.position is None
        found.append(
            (-1 if is_outer else (message.body_position or 0) + (each.position or 0), each)
        )
    return sorted(found, key=lambda pair: pair[0])


def read(row: Row) -> dict[str, Json]:
    """Return the row with what is found first."""
    found = found_in(row)
    said: dict[str, Json] = {name: row[name] for name in row if name != "first"}
    if not found:
        return said
    position, first = found[0]
    length = {"length": first.length} if first.length else {}
    place: dict[str, Json] = {"rule": first.rule.slug, "position": position, **length}
    return said | {"first": {**place, "message": first.message}}


@pytest.mark.parametrize("row", SLIPS, ids=corpora.about)
def test_what_is_wrong_is_found_first(row: Row) -> None:
    assert read(row) == row


@pytest.mark.parametrize("row", SOUND, ids=corpora.about)
def test_what_is_odd_and_legal_has_no_warning(row: Row) -> None:
    assert [each for _, each in found_in(row) if each.severity > Severity.NOTE] == []


if __name__ == "__main__":
    sections: dict[str, Iterable[Row]] = {"messages": MESSAGES, "slips": map(read, SLIPS)}
    texts = [
        f'"{name}": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]"
        for name, rows in (sections | {"sound": SOUND}).items()
    ]
    text = f'{{"version": 1, {", ".join(texts)}}}\n'
    (corpora.CORPUS / "slips.json").write_text(text, newline="\n")
