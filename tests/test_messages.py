"""The corpus of captured messages: octets, and what is read of them.

`python -m tests.test_messages` writes anew what is read; read the difference.
"""

from __future__ import annotations

import pytest

from odata_batch.capture import parse_message

from . import corpora


def read(row: corpora.Row) -> corpora.Row:
    """Return the row as this package fills it in: what is empty or usual is left out."""
    message = parse_message(row["octets"].encode("latin-1"))
    members = {
        "about": row["about"],
        "octets": row["octets"],
        "kind": message.kind,
        "content_type": message.content_type,
        "body_position": message.body_position,
        "start_line": message.start_line,
        "headers": [list(pair) for pair in message.headers.pairs],
        "body": None if message.body_position is not None else message.body.decode("latin-1"),
        "readable": None if message.is_readable else False,
        "lossy": message.lossy or None,
        "not_a_batch": message.not_a_batch,
        "diagnostics": corpora.as_said(message.diagnostics, row),
    }
    always = ("octets", "content_type", "body_position")
    return {
        name: value
        for name, value in members.items()
        if value not in (None, "", []) or name in always
    }


ROWS = corpora.rows("messages", "messages")


@pytest.mark.parametrize("row", ROWS, ids=corpora.about)
def test_the_corpus_of_captured_messages(row: corpora.Row) -> None:
    data = row["octets"].encode("latin-1")
    message = parse_message(data)
    assert read(row) == row
    assert message.source == data
    assert message.body_position is None or data[message.body_position :] == message.body


if __name__ == "__main__":
    corpora.write("messages", map(read, ROWS))
