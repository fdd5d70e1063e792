"""The corpus of captured messages: octets, and what is read of them.

`python -m tests.test_messages` writes anew what is read; read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from odata_batch.capture import Message, parse_message

from . import corpora


def spelled(message: Message) -> dict[str, object]:
    """What is read of a message, as a row spells it: what is empty or usual is left out."""
    members = {
        "start_line": message.start_line,
        "headers": [list(pair) for pair in message.headers.pairs],
        "kind": message.kind,
        "content_type": message.content_type,
        "body_position": message.body_position,
        "body": None if message.body_position is not None else message.body.decode("latin-1"),
        "readable": None if message.is_readable else False,
        "lossy": message.lossy or None,
        "not_a_batch": message.not_a_batch,
        "diagnostics": [
            {"rule": each.rule.slug, "position": each.position, "message": each.message}
            for each in message.diagnostics
        ],
    }
    always = ("kind", "content_type", "body_position")
    unusual = {name: value for name, value in members.items() if value not in (None, "", [])}
    return {**{name: members[name] for name in always}, **unusual}


def written(rows: Iterable[object]) -> str:
    """The corpus with these rows, one a line."""
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{{"version": 1, "messages": [\n{lines}\n]}}\n'


ROWS = corpora.rows("messages", "messages")


@pytest.mark.parametrize("row", ROWS, ids=corpora.about)
def test_the_corpus_of_captured_messages(row: corpora.Row) -> None:
    data = row["octets"].encode("latin-1")
    message = parse_message(data)
    assert {"about": row["about"], "octets": row["octets"], **spelled(message)} == row
    assert message.source == data
    assert message.body_position is None or data[message.body_position :] == message.body


if __name__ == "__main__":
    read = (row["octets"].encode("latin-1") for row in ROWS)
    rows = [
        {"about": row["about"], "octets": row["octets"], **spelled(parse_message(data))}
        for row, data in zip(ROWS, read, strict=True)
    ]
    (corpora.CORPUS / "messages.json").write_text(written(rows), newline="\n")
