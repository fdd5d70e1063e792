"""Header sections and media types: how many and how long; the rest is in the corpus of readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import DecodeError, Limits, check_request, decode_request

from .helpers import CRLF, PART_HEAD, batch, part, places

pytestmark = pytest.mark.untraced

HEAD = b"--b\r\n" + PART_HEAD + CRLF + b"GET x HTTP/1.1\r\n"


def test_more_lines_and_sections_than_are_remembered_are_read_all_the_same() -> None:
    etags = [f'"{number}"' for number in range(1100)] * 2
    parts = [part(f"GET x HTTP/1.1\r\nIf-Match: {etag}\r\n\r\n".encode()) for etag in etags]
    request = decode_request(batch(*parts), "multipart/mixed; boundary=b", strict=True)
    assert [operation.headers["if-match"] for operation in request.operations()] == etags


def test_many_continuation_lines_with_many_problems_are_read_in_linear_time() -> None:
    section = b"?\r\n" * 20_000 + b"A: 1" + b"\r\n x" * 20_000 + b"\r\n?" * 20_000
    limits = Limits(fields=100_000, header_section=len(section))
    data = HEAD + section + b"\r\n\r\n\r\n--b--"
    report = check_request(data, "multipart/mixed; boundary=b", limits=limits)
    assert len(report.diagnostics) + report.omitted == 40_001


# -- media types --


@pytest.mark.parametrize("end", ['"', ""])
def test_fifty_thousand_quoted_pairs_are_read_in_linear_time(end: str) -> None:
    text = 'multipart/mixed; boundary=b; c="' + '\\"' * 50_000 + end
    report = check_request(b"", text, limits=Limits(field_line=200_000))
    assert places(report) == ("no-delimiter@0" if end else "content-type-syntax@0")


@pytest.mark.parametrize(
    "piece", [";", "; ", ' ;a="b"', ";a=b", ";a=b\t", "; a = b", ";boundary=@"]
)
def test_fifty_thousand_parameters_are_read_in_linear_time(piece: str) -> None:
    limits = Limits(field_line=1_000_000)
    report = check_request(b"", "multipart/mixed" + piece * 50_000, limits=limits)
    assert report.diagnostics[-1].rule.slug != "content-type-syntax"


@given(st.text())
def test_no_text_makes_a_batch_of_nothing(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_request(b"", text)
