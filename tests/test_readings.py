"""The corpus of readings: octets, what is read of them, and everything that is found in them.

`python -m tests.test_readings` writes down anew what is read and found; read the difference. A
message is left out where a case of the manifest or another row is worded alike.
"""

from __future__ import annotations

from typing import Any

import pytest

from odata_batch import Limits, check_request, check_response

from .corpora import Row, about, as_said, batch_as_json, rows, write
from .helpers import JSON, MULTIPART, SPLITS, checked_request, checked_response

READINGS = rows("readings", "readings")


def read(row: Row) -> dict[str, Any]:
    """Return the row as this package fills it in; chunks make no difference."""
    data, content_type = row["octets"].encode("latin-1"), row.get("content_type", MULTIPART)
    limits, is_request = Limits(**row.get("limits", {})), row.get("kind", "request") == "request"
    check = check_request if is_request else check_response
    report = check(data, content_type, limits=limits)
    if report.value is not None:  # otherwise no octet is ever received
        splits = 4 if content_type == JSON else SPLITS
        checked = checked_request if is_request else checked_response
        assert checked(data, content_type, limits=limits, splits=splits) == report
    given = ("about", "kind", "content_type", "limits", "octets")
    filled: dict[str, Any] = {name: row[name] for name in given if name in row}
    if report.value is not None:
        filled["value"] = batch_as_json(report.value)
    if not report.complete:
        filled["complete"] = False
    return filled | {"diagnostics": as_said(report.diagnostics, row, "path")}


@pytest.mark.parametrize("row", READINGS, ids=about)
def test_octets_are_read_as_the_corpus_says(row: Row) -> None:
    assert read(row) == row


if __name__ == "__main__":
    write("readings", map(read, READINGS))
