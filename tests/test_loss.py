"""Captures in which octets were replaced by U+FFFD, and texts that hold U+FFFD."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch.capture import parse_message

from .helpers import JSON, MULTIPART, batch, change_set, member, part

LOSSY, UNCLEAR = "capture-lossy", "capture-replacement-character"
PNG = b"\x89PNG\r\n\x1a\n\xff"  # two octets of it are replaced
U = "\ufffd".encode()


def as_text(body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode("utf-8")


def put(content: bytes, *fields: bytes) -> bytes:
    return (
        b"PUT Photo HTTP/1.1\r\n" + b"".join(each + b"\r\n" for each in fields) + b"\r\n" + content
    )


def found(
    body: bytes, content_type: str = MULTIPART, *lengths: object, line: str = "POST /$batch"
) -> str | None:
    """The rule about U+FFFD that a message with this body, type and lengths breaks."""
    fields = "".join(f"Content-Length: {each}\r\n" for each in lengths if each is not None)
    head = f"{line}\r\nContent-Type: {content_type}\r\n{fields}\r\n"
    message = parse_message(head.encode() + body)
    slugs = [each.rule.slug for each in message.diagnostics if each.rule.slug in (LOSSY, UNCLEAR)]
    assert message.lossy == (slugs == [LOSSY])
    return slugs[0] if slugs else None


# -- bodies of operations --


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Type: image/png",),
        (b"Content-Type: image/png", b"Content-Length: 9"),
        (b"Content-Type: image/png", b"Content-Length: 99"),
        (b"Content-Type: image/png", b"Content-Length: ####"),
        (b"Content-Length: 9",),
    ],
)
def test_a_binary_body_that_went_through_a_text_decoder_is_lossy(fields: tuple[bytes]) -> None:
    body = batch(part(put(PNG, *fields)))
    assert (found(body), found(as_text(body))) == (None, LOSSY)


def test_a_body_in_a_change_set_is_looked_at() -> None:
    body = batch(change_set(member(put(PNG, b"Content-Type: image/png"))))
    assert found(as_text(body)) == LOSSY


def test_a_binary_response_is_looked_at() -> None:
    body = batch(part(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + PNG))
    assert found(as_text(body), line="HTTP/1.1 200 OK") == LOSSY


@pytest.mark.parametrize(
    "type_",
    [
        *("application/json", "text/plain;charset=utf-8", "application/xml", "application/a+json"),
        *("application/atom+xml", "application/javascript", "application/x-www-form-urlencoded"),
        "multipart/form-data",
    ],
)
def test_a_text_that_holds_u_fffd_may_have_been_sent_so(type_: str) -> None:
    text = b'{"name":"' + U + b'"}'
    assert found(batch(part(put(text, b"Content-Type: " + type_.encode())))) == UNCLEAR
    assert found(batch(part(put(text)))) == UNCLEAR


TEXT = b'{"name":"' + U + b'"}'  # 14 octets


@pytest.mark.parametrize(
    ("length", "rule"),
    [(11, UNCLEAR), (12, LOSSY), (13, LOSSY), (14, None), (15, UNCLEAR)],
)
def test_a_text_is_lossy_if_u_fffd_has_made_it_longer(length: int, rule: str | None) -> None:
    fields = (b"Content-Type: application/json", b"Content-Length: %d" % length)
    assert found(batch(part(put(TEXT, *fields)))) == rule


def test_a_line_end_that_no_length_covers_shows_nothing() -> None:
    body = batch(part(put(TEXT + b"\r\n", b"Content-Length: 14")))
    assert found(body) == UNCLEAR
    body = batch(part(put(TEXT + b"\r\n", b"Content-Length: 15")))
    assert found(body) == LOSSY


def test_a_length_that_is_right_shows_that_a_binary_body_was_sent_so() -> None:
    body = batch(part(put(U, b"Content-Type: a/b", b"Content-Length: 3")))
    assert found(body) is None


def test_what_is_not_utf_8_has_lost_nothing() -> None:
    picture = b"\x89PNG" + U
    assert found(batch(part(put(picture, b"Content-Type: image/png")))) is None


def test_u_fffd_outside_of_bodies_may_have_been_sent_so() -> None:
    body = batch(part(b"GET People HTTP/1.1\r\nX: " + U + b"\r\n\r\n"))
    assert found(body) == UNCLEAR
    intact = part(put(TEXT, b"Content-Length: 14"))
    assert (found(batch(intact)), found(batch(intact) + U)) == (None, UNCLEAR)


# -- JSON --


def json_batch(body: object, headers: dict[str, str]) -> bytes:
    request = {"id": "1", "method": "POST", "url": "Photos", "headers": headers, "body": body}
    return json.dumps({"requests": [request]}, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"content-type": "image/png"}, UNCLEAR),
        ({"content-type": "image/png", "content-length": "2"}, LOSSY),
        ({"content-type": "text/plain"}, UNCLEAR),
        ({"content-type": "text/plain", "content-length": "2"}, LOSSY),
        ({"content-type": "text/plain", "content-length": "4"}, None),
        ({"content-type": "application/json"}, UNCLEAR),
    ],
)
def test_a_body_of_a_json_batch_is_looked_at(headers: dict[str, str], rule: str | None) -> None:
    assert found(json_batch("a\ufffd", headers), JSON) == rule


def test_text_that_went_through_a_decoder_of_ascii_is_lossy() -> None:
    sent = "\u00e9".encode()
    headers = {"content-type": "text/plain", "content-length": str(len(sent))}
    body = json_batch("\u00e9", headers)
    assert found(body.decode("ascii", "replace").encode(), JSON) == LOSSY
    assert found(body.decode("ascii", "replace").encode(), JSON, len(body)) == LOSSY


def test_an_escape_is_no_u_fffd() -> None:
    text = json_batch("a\ufffd", {"content-type": "image/png"}).decode()
    assert found(text.replace("\ufffd", "\\ufffd").encode(), JSON) is None


# -- the message as a whole --


@pytest.mark.parametrize(
    ("length", "rule"),
    [(None, UNCLEAR), (13, LOSSY), (14, None), (11, UNCLEAR), (20, UNCLEAR)],
)
def test_the_length_of_the_message_is_looked_at(length: int | None, rule: str | None) -> None:
    assert found(TEXT, JSON, length) == rule


def test_a_body_in_the_message_outweighs_its_length() -> None:
    body = as_text(batch(part(put(PNG, b"Content-Type: image/png"))))
    assert found(body, MULTIPART, len(body)) == LOSSY


@pytest.mark.parametrize(
    ("content_type", "rule"),
    [
        ("", UNCLEAR),
        ("text/html", UNCLEAR),
        ("multipart/mixed", UNCLEAR),
        ("image/png", LOSSY),
        ("Application/Octet-Stream", LOSSY),
    ],
)
def test_a_message_that_is_no_batch_is_told_by_its_type(content_type: str, rule: str) -> None:
    assert found(b"a" + U, content_type) == rule
    assert found(b"a", content_type) is None


@pytest.mark.parametrize(
    ("lengths", "rule"),
    [(("13",), LOSSY), (("####",), UNCLEAR), (("13", "14"), LOSSY), (("14", "13"), None)],
)
def test_the_length_is_the_first_content_length(lengths: tuple[str], rule: str | None) -> None:
    assert found(TEXT, JSON, *lengths) == rule


# -- properties --


@given(st.binary())
def test_octets_that_were_replaced_are_noticed_and_others_are_not(content: bytes) -> None:
    fields = (b"Content-Type: image/png", b"Content-Length: %d" % len(content))
    body = batch(part(put(content, *fields)))
    assert found(body) is None
    # A sequence of three octets that is cut before a fourth one leaves no trace.
    grown = len(as_text(content)) != len(content)
    expected = {LOSSY} if grown else {LOSSY, None}
    assert content.isascii() or as_text(content) == content or found(as_text(body)) in expected


@given(st.binary() | st.text().map(str.encode), st.sampled_from((MULTIPART, JSON, "a/b", "", "x;")))
def test_any_octets_are_lossy_or_not(body: bytes, content_type: str) -> None:
    assert found(body + U, content_type, len(body)) in (LOSSY, UNCLEAR, None)
