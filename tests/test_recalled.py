"""Header sections that differ in little: what is known of one says nothing wrong about another."""

from dataclasses import replace

import pytest

from odata_batch import Limits, RequestDecoder, Severity
from odata_batch.dialects import ODATA_4_01

from .helpers import (
    CRLF,
    MULTIPART,
    PART_HEAD,
    batch,
    checked_request,
    checked_response,
    member,
    part,
)

DELETE = b"DELETE x HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    ("second", "id", "slugs"),
    [
        (b"Content-ID: 2", "2", []),
        (b"Content-ID: a b", "a b", ["id-syntax"]),
        (b"Content-ID: ", None, ["content-id-empty"]),
        (b"Content-ID: 2\r\n 3", "2 3", ["header-folded", "id-syntax"]),
        (b"Content-ID: 2\r\nContent-ID: 2", "2", ["repeated-header-equal"]),
        (b"Content-ID: \xe9", "\xe9", ["header-not-ascii", "id-syntax"]),
        (b"X-Content-ID: 2", None, ["part-header-ignored"]),
        (b"X: Content-ID: 2\r\nContent-ID: 3", "3", ["part-header-ignored"]),
    ],
)
def test_a_head_with_an_odd_content_id_is_read_after_plain_ones(
    second: bytes, id: str | None, slugs: list[str]
) -> None:
    lines = (b"Content-ID: 0", b"Content-ID: 1", second, second)
    report = checked_request(batch(*[part(DELETE, head=PART_HEAD + x + CRLF) for x in lines]))
    assert report.value is not None
    operations = report.value.operations()
    assert [each.id for each in operations] == ["0", "1", id, id]
    found = [each.rule.slug for each in report.diagnostics if each.path == "items[2]"]
    assert [slug.replace("part-", "").replace("header-", "") for slug in found] == [
        slug.replace("part-", "").replace("header-", "") for slug in slugs
    ]


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Type: text/plain\r\nContent-Length: %d\r\nETag: X%dX",
        b"Content-Length: %d\r\nETag: %d",
        b"X-Content-Length: %d\r\nETag: %d",
        b"ETag: %d\r\nContent-Length: %d",
        b"X: 1 Content-Length: %d\r\nETag: %d",
    ],
)
def test_a_section_is_known_with_another_content_length(lines: bytes) -> None:
    message = b"HTTP/1.1 200 OK\r\n%s\r\n\r\n%s"
    sizes = [*((size, size) for size in (*range(1, 9), 3, 9)), (3, 4), (9, 9)]
    parts = [part(message % (lines % (said, said), b"x" * size)) for said, size in sizes]
    whole, *alone = [checked_response(batch(*each)) for each in (parts, *([x] for x in parts))]
    assert [x.rule for x in whole.diagnostics] == [x.rule for r in alone for x in r.diagnostics]
    pairs = [x.headers.pairs for r in (whole, *alone) if r.value for x in r.value.responses()]
    assert pairs[: len(parts)] == pairs[len(parts) :]


def change_set(head: bytes, name: bytes) -> bytes:
    """Return a part with these lines in its header section, whose boundary has that name."""
    content = member(DELETE, boundary=name) + b"--" + name + b"--" + CRLF
    return part(content, head=head + CRLF)


@pytest.mark.parametrize("line", [b"X: boundary=%s\r\n", b"X: 1; boundary=%s\r\nY: 1\r\n"])
def test_what_looks_like_a_boundary_in_another_field_is_none(line: bytes) -> None:
    field = b"Content-Type: multipart/mixed; Boundary=c"
    report = checked_request(batch(*[change_set(line % x + field, b"c") for x in (b"c", b"d")]))
    assert report.value is not None
    assert len(report.value.operations()) == 2


def test_boundaries_of_change_sets_may_be_quoted_or_not() -> None:
    spelt = [(b"c", b"c"), (b"d", b"d"), (b'"e e"', b"e e"), (b"f; x=y", b"f"), (b"g", b"g")]
    field = b"Content-Type: multipart/mixed; boundary="
    report = checked_request(batch(*[change_set(field + x, name) for x, name in spelt]))
    assert report.value is not None
    assert len(report.value.operations()) == 5
    assert {each.rule.slug for each in report.diagnostics} == {"duplicate-id-across-change-sets"}


@pytest.mark.parametrize("most", [28, 90, 100, 105, 160, 200, 210, 250])
def test_sections_that_are_recalled_count(most: int) -> None:
    message = b"HTTP/1.1 200 OK\r\nETag: 0123456789\r\n\r\n"
    heads = [PART_HEAD + b"Content-ID: %d\r\n" % index for index in range(3)]
    data = batch(*[part(message, head=head) for head in heads])
    sizes = [size for head in heads for size in (len(head) - 2, 16)]
    report = checked_response(data, limits=Limits(headers_total=most))
    assert [each.rule.slug for each in report.diagnostics] == ["limit-exceeded"]
    assert report.value is not None
    read = sum(sum(sizes[: 2 * count]) <= most for count in (1, 2, 3))
    assert len(report.value.items) == read


@pytest.mark.parametrize("fields", [1, 2, 3])
def test_usual_heads_keep_the_limit_of_fields(fields: int) -> None:
    data = batch(part(DELETE, head=PART_HEAD + b"Content-ID: 1\r\n"))
    report = checked_request(data, limits=Limits(fields=fields))
    found = [each.rule.slug for each in report.diagnostics]
    assert found == ([] if fields == 3 else ["limit-exceeded"])


@pytest.mark.parametrize(
    ("rest", "slugs"),
    [
        *((b"", []), (b" \r\n", []), (b"x", ["epilogue"]), (b"--b\r\n", ["epilogue-delimiter"])),
        (b"\r\n--b--", ["epilogue-delimiter"]),
    ],
)
def test_what_follows_a_body_that_came_at_once_is_an_epilogue(
    rest: bytes, slugs: list[str]
) -> None:
    body = batch(part(DELETE), part(DELETE))
    calm = replace(ODATA_4_01, severities=(("epilogue-delimiter", Severity.WARNING),))
    decoder = RequestDecoder(MULTIPART, dialect=calm)
    assert len(decoder.receive_data(body)) == 2
    assert decoder.receive_data(rest) + decoder.receive_eof() == []
    assert [each.rule.slug for each in decoder.diagnostics] == slugs
    assert {each.position for each in decoder.diagnostics} <= {len(body), len(body) + 2}


@pytest.mark.parametrize(
    "data", [b"--b\r\n--b\r\n%s", b"--b\r\n--b--\r\n", b"--b\r\n\r\n--b\r\n%s"]
)
def test_delimiters_that_share_a_line_end_leave_an_empty_part(data: bytes) -> None:
    data = data.replace(b"%s", batch(part(DELETE)).removeprefix(b"--b\r\n"))
    report = checked_request(data)
    assert "items[0]" in {each.path for each in report.diagnostics}
