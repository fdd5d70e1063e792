"""Captured messages together with decoders, files, limits and losses; and any octets at all.

What is read of a message is in the corpus, `spec-fixtures/messages.json`; see `test_messages`.
"""

from __future__ import annotations

import base64
import gzip
import json
import pickle
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Limits, Severity, check_request, check_response
from odata_batch.capture import CapturedExchange, Message, parse_capture, parse_har, parse_message
from odata_batch.rules import RULES

from .helpers import JSON, MULTIPART, batch, part

REQUEST = batch(part())
RESPONSE = batch(part(b"HTTP/1.1 204 No Content\r\n\r\n"))
MULTIPART_HEAD = b"Content-Type: multipart/mixed; boundary=b\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n" + MULTIPART_HEAD
U_FFFD = "\ufffd".encode()


def found(message: Message) -> list[tuple[str, int | None, str]]:
    return [(each.rule.slug, each.position, each.message) for each in message.diagnostics]


def slugs(message: Message) -> list[str]:
    return [each.rule.slug for each in message.diagnostics]


def as_text(body: bytes, coding: str = "utf-8") -> bytes:
    return body.decode(coding, "replace").encode("utf-8")


# -- together with the decoders --


def test_the_position_of_the_body_leads_from_its_findings_to_the_capture() -> None:
    data = b"POST /$batch HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n--b--\r\n"
    message = parse_message(data)
    (finding,) = check_request(message.body, message.content_type).diagnostics
    assert finding.position is not None and message.body_position is not None
    assert data[message.body_position + finding.position :] == b"--b--\r\n"


def put(content: bytes, *fields: bytes) -> bytes:
    return b"PUT P HTTP/1.1\r\n" + b"".join(each + b"\r\n" for each in fields) + b"\r\n" + content


def test_a_loss_explains_that_a_length_reaches_too_far() -> None:
    # One U+FFFD for a run of octets, as some decoders do it.
    sent = batch(part(put(b"\xff" * 40, b"Content-Type: a/b", b"Content-Length: 40")))
    message = parse_message(MULTIPART_HEAD + b"\r\n" + sent)
    assert check_request(message.body, message.content_type).ok
    message = parse_message(MULTIPART_HEAD + b"\r\n" + re.sub(b"\xff+", U_FFFD, sent))
    assert message.lossy
    (found,) = check_request(message.body, message.content_type).of(Severity.WARNING)
    assert found.rule.slug == "content-length-mismatch" and "lossy" in found.rule.tags


def json_batch(headers: dict[str, str], length: str) -> bytes:
    headers = {**headers, "content-length": length}
    request = {"id": "1", "method": "PUT", "url": "P", "headers": headers, "body": "\u00e9"}
    return json.dumps({"requests": [request]}, ensure_ascii=False).encode("utf-8")


def putting(content: bytes, *fields: bytes) -> bytes:
    return batch(part(put(content, BINARY, *fields)))


BINARY = b"Content-Type: a/b"
HEAD_WITH_LENGTH = b"Content-Type: application/http\r\nContent-Length: 38\r\n"
LOSSES = {
    "capture-content-length": (MULTIPART, putting(b"\xff\xff")),
    "content-length-mismatch": (MULTIPART, putting(b"\xff\xff", b"Content-Length: 2")),
    "part-content-length": (MULTIPART, batch(part(put(b"\xff", BINARY), head=HEAD_WITH_LENGTH))),
    "json-content-length": (JSON, json_batch({"content-type": "text/plain"}, "2")),
    "header-characters": (JSON, json_batch({"content-type": "text/plain", "slug": "\u00e9"}, "2")),
    "text-charset": (JSON, json_batch({"content-type": "text/plain;charset=iso-8859-1"}, "1")),
}


@pytest.mark.parametrize("slug", LOSSES)
def test_what_a_loss_explains_is_no_fault_of_what_was_sent(slug: str) -> None:
    content_type, body = LOSSES[slug]
    head = f"POST /$batch HTTP/1.1\r\nContent-Length: {len(body)}\r\nContent-Type: {content_type}"
    data = head.encode() + b"\r\n\r\n" + body
    explained = {rule.slug for rule in RULES.values() if "lossy" in rule.tags}

    def rules(message: Message) -> set[str]:
        report = check_request(message.body, message.content_type)
        return {each.rule.slug for each in (*message.diagnostics, *report.diagnostics)}

    assert not rules(parse_message(data)) & explained
    lossy = parse_message(as_text(data, "ascii"))
    assert lossy.lossy and slug in rules(lossy) & explained


def test_what_a_loss_explains_is_never_fatal_to_a_batch() -> None:
    fatal = [rule for rule in RULES.values() if rule.fatal and "lossy" in rule.tags]
    assert fatal == ["capture-coding"]


# -- files --


def test_a_plain_message_is_half_an_exchange() -> None:
    data = b"POST /$batch HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n" + REQUEST
    message, nothing = parse_message(data), {"name": "", "response": None, "diagnostics": ()}
    half: dict[str, Any] = {**nothing, "request": message, "url": "/$batch", "is_batch": True}
    assert parse_capture(data) == (CapturedExchange(**half),)
    (exchange,) = parse_capture(HEAD + b"\r\n" + RESPONSE)
    assert (exchange.request, exchange.url) == (None, "")
    assert exchange.response == parse_message(HEAD + b"\r\n" + RESPONSE)


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("POST https://h/a/$batch?x=y HTTP/1.1", "https://h/a/$batch?x=y"),
        ("POST  /$batch", "/$batch"),
        ("POST /a b/$batch  HTTP/2", "/a b/$batch"),
        ("https://h/$batch", "https://h/$batch"),
        ("https://h/$batch HTTP/1.1", "https://h/$batch"),
        ("", ""),
    ],
)
def test_the_url_is_that_of_the_request_line(line: str, url: str) -> None:
    (exchange,) = parse_capture(line.encode() + b"\r\n" + MULTIPART_HEAD + b"\r\n" + REQUEST)
    assert exchange.url == url


def test_a_json_batch_that_mentions_a_log_is_a_message() -> None:
    data = b'{"requests":[{"id":"1","method":"PUT","url":"P","body":{"log":{"entries":[]}}}]}'
    (exchange,) = parse_capture(data)
    assert exchange.request is not None and exchange.request.content_type == "application/json"


def test_exchanges_can_be_pickled_and_name_their_public_module() -> None:
    exchanges = parse_capture(HEAD + b"\r\n" + RESPONSE)
    assert pickle.loads(pickle.dumps(exchanges)) == exchanges
    assert {CapturedExchange.__module__, Message.__module__} == {"odata_batch.capture"}


# -- limits --


def test_a_head_beyond_the_limit_is_not_read() -> None:
    fields = b"a: b\n" * 30_000
    message = parse_message(b"HTTP/1.1 200 OK\n" + fields + b"\n{}")
    assert (message.start_line, len(message.headers), message.body_position) == ("", 0, 0)
    expected = "the header section is too large: the limit is 131072 (Limits.header_section)"
    assert found(message) == [("limit-exceeded", 0, expected)]
    assert message.diagnostics[0].limit == ("header_section", 131072)


def test_findings_about_a_head_are_recorded_up_to_the_limit() -> None:
    data = (
        b"HTTP/1.1 200 OK\r\n"
        + b"a\r\n" * 7
        + b"OData-Version: 4.0\r\n"
        + MULTIPART_HEAD
        + b"\r\n"
        + RESPONSE
    )
    message = parse_message(data, limits=Limits(diagnostics=3))
    assert [each.position for each in message.diagnostics] == [17, 20, 23]
    assert message.omitted == 4
    data = data.replace(b"mixed", b"other").replace(b"multipart", b"image")
    message = parse_message(data.replace(RESPONSE, b""), limits=Limits(diagnostics=3))
    assert slugs(message)[3:] == ["capture-not-a-batch"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b'{"a":' + b"[" * 100_000, "a body of 'text/json'"),
        (b'{"message":"' + b"a" * 70_000 + b'"}', "a body of 'text/json'"),
        (b'{"requests":[' + b"[" * 100_000, "a body of 'text/json'"),
        (b"<html>" + b"a" * 70_000 + b"<title>b</title>", "an HTML page"),
    ],
)
def test_what_is_large_or_deep_is_not_searched_for_an_error(data: bytes, what: str) -> None:
    message = parse_message(b"HTTP/1.1 500 Error\r\nContent-Type: text/json\r\n\r\n" + data)
    assert message.not_a_batch == f"status 500 with {what}"


def chunked(body: bytes, size: int = 7) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


def undo(fields: str, body: bytes, limits: Limits | None = None) -> Message:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n{fields}\r\n\r\n"
    return parse_message(head.encode() + body, limits=limits or Limits())


def test_a_body_is_inflated_up_to_the_limit() -> None:
    body = gzip.compress(bytes(1000))
    assert undo("Content-Encoding: gzip", body, Limits(message=1000)).body == bytes(1000)
    message = undo("Content-Encoding: gzip", body, Limits(message=999))
    expected = "the content of 'gzip' is too large: the limit is 999 (Limits.message)"
    assert (message.body, message.diagnostics[0].message) == (body, expected)
    assert message.diagnostics[0].limit == ("message", 999)


def test_the_bodies_of_a_file_share_four_times_the_limit() -> None:
    text = base64.b64encode(zlib.compress(bytes(9000))).decode()
    headers = [{"name": "Content-Encoding", "value": "deflate"}]
    content = {"text": text, "encoding": "base64"}
    request = {"method": "POST", "url": "/$batch", "headers": headers, "postData": content}
    data = json.dumps({"log": {"entries": [{"request": request}] * 5}}).encode()
    requests = [each.request for each in parse_har(data, limits=Limits(message=10_000))]
    read = [each is not None and each.body == bytes(9000) for each in requests]
    assert read == [True, True, True, True, False]


# -- properties --


@given(st.binary(max_size=400), st.integers(1, 50))
def test_every_body_comes_back(body: bytes, size: int) -> None:
    fields = "Content-Encoding: deflate, gzip\r\nTransfer-Encoding: chunked"
    assert undo(fields, chunked(gzip.compress(zlib.compress(body)), size)).body == body


@given(
    st.binary() | st.binary().map(gzip.compress) | st.binary().map(chunked),
    st.lists(st.sampled_from(("gzip", "deflate", "br", "chunked", "identity", "")), max_size=5),
    st.data(),
)
def test_any_octets_are_a_body_in_any_coding(
    body: bytes, codings: list[str], data: st.DataObject
) -> None:
    stop = data.draw(st.integers(0, len(body)))
    fields = f"Transfer-Encoding: {', '.join(codings)}"
    message = undo(fields, body[:stop] + b"\xff" + body[stop:])
    assert all(each.message for each in message.diagnostics)


@given(st.binary())
def test_octets_that_were_replaced_are_noticed_and_others_are_not(content: bytes) -> None:
    fields = (b"Content-Type: image/png", b"Content-Length: %d" % len(content))
    data = MULTIPART_HEAD + b"\r\n" + batch(part(put(content, *fields)))
    assert not parse_message(data).lossy
    # A sequence of three octets that is cut before a fourth one leaves no trace.
    if len(as_text(content)) != len(content):
        assert parse_message(as_text(data)).lossy


SENT = b"POST /$batch HTTP/1.1\r\n" + MULTIPART_HEAD + b"\r\n" + batch(part())
CODED_TEXTS = [
    ("the text is UTF-16", SENT.decode().encode("utf-16")),
    ("the text is UTF-16", b"\xfe\xff" + SENT.decode().encode("utf-16be")),
    ("a byte order mark begins the text", b"\xef\xbb\xbf" + SENT),
]


@pytest.mark.parametrize(("what", "text"), CODED_TEXTS)
def test_a_text_is_read_as_the_message_that_it_stands_for(what: str, text: bytes) -> None:
    message = parse_message(text)
    (found,) = message.diagnostics
    assert found.message == f"{what}; it is read as the message that it is a copy of"
    assert replace(message, diagnostics=()) == parse_message(SENT)


_, *SECTIONS = (Path(__file__).parent / "data" / "texts.txt").read_text("utf-8").split("\n=== ")
MEANT = dict(each[8:].split("\n", 1) for each in SECTIONS if each.startswith("message "))
TEXTS = [each.split("\n", 1) for each in SECTIONS if not each.startswith("message ")]
COPIES = [(*head.split(" | "), text) for head, text in TEXTS]


@pytest.mark.parametrize(("about", "name", "said", "text"), COPIES)
def test_the_message_in_a_text_is_found(about: str, name: str, said: str, text: str) -> None:
    message = parse_message(text.encode())
    meant = text if name == "itself" else MEANT[name]
    assert message.source.decode().replace("\r\n", "\n").rstrip() == meant.rstrip()
    found = [each.message for each in message.diagnostics if each.rule.slug == "capture-text"]
    assert found == ([f"{said}; it is read as the message that it is a copy of"] if said else [])


def test_characters_are_what_they_were_before_they_were_spelt_out() -> None:
    spelt = b'"--b\\r\\nContent-ID: \\ud83d\\ude00 \\ud800 \\x41 \xff \\"\\r\\n"'
    body = "--b\r\nContent-ID: \U0001f600 \N{REPLACEMENT CHARACTER} A ".encode() + b'\xff "\r\n'
    assert parse_message(spelt).body == body
    message = parse_message(b"curl -d \xff=$'\\n' -d '\"b\\' -k https://h/\\$batch")
    assert (message.start_line, message.body) == ("POST https://h/$batch HTTP/1.1", b'\xff=\n&"b\\')
    assert parse_message(b"curl https://h/$batch ' ").start_line == "GET https://h/$batch HTTP/1.1"


PIECES = (
    *(b"curl ", b"$'", b"'", b'"', b"\\u0041", rb"\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"> "),
    *(b"{'requests': [", rb"\"", b"^", b"`", b'""', b"&quot;", b"%22requests", rb"[\r][\n]" b'"'),
    *(b"\r\n", b"\n", b"\r", b" ", b":", b"--b", b"--", b"{", b'"responses":', b"}", b"\xff"),
    *(b"HTTP/1.1 200 OK", b"POST /$batch HTTP/1.1", b"https://a/", b"Content-Length: 7"),
    *(b"Content-Type: application/json", MULTIPART_HEAD, b"Content-Type: application/http"),
)
captures = st.binary() | st.lists(st.sampled_from(PIECES)).map(b"".join)


@given(captures)
def test_any_octets_are_a_message(data: bytes) -> None:
    message = parse_message(data)
    assert message.body_position is not None
    assert message.source[message.body_position :] == message.body
    assert all(0 <= (each.position or 0) <= len(message.source) for each in message.diagnostics)
    no_batch = any(each.rule.fatal for each in message.diagnostics)
    assert no_batch == (not message.content_type and "content-type" not in message.headers)
    check = check_request if message.kind == "request" else check_response
    report = check(message.body, message.content_type, headers=message.headers)
    assert report.ok or report.diagnostics


CODED = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"


@given(
    captures, st.sampled_from((b"", CODED, b"\xef\xbf\xbd", b"PK\x03\x04", b'{"log":{"entries":'))
)
def test_any_octets_are_a_capture(data: bytes, beginning: bytes) -> None:
    assert parse_capture(beginning + data) or beginning.startswith(b'{"log"')
