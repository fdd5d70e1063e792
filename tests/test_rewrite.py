"""What `convert` writes: the head of a message and its batch in the other format."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from odata_batch import (
    BatchRequest,
    EncodeError,
    Headers,
    Operation,
    Rule,
    decode_request,
    encode_request,
    strategies,
)
from odata_batch._cli.check import check_message
from odata_batch._cli.convert import rewritten, unwrapped
from odata_batch.capture import Message, parse_message
from odata_batch.dialects import ODATA_2, ODATA_4_01, Dialect

from .helpers import batch, change_set, member, part

PATCH = b'PATCH A(1) HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"a":1.10}'
HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


def to(
    target: str,
    data: bytes,
    *,
    boundary: str | None = None,
    dialect: Dialect = ODATA_4_01,
) -> tuple[bytes, list[str]]:
    """The message in the other format, and the losses as text."""
    message = parse_message(data)
    value = check_message(message, dialect).batch
    assert value is not None
    format: str = target
    octets, losses = rewritten(
        message,
        value,
        "json" if format == "json" else "multipart",
        dialect,
        boundary,
    )
    return octets, [str(loss) for loss in losses]


def test_a_request_becomes_json() -> None:
    data = HEAD + batch(change_set(member(PATCH)), part())
    octets, losses = to("json", data)
    assert losses == []
    assert octets == (
        b"POST /service/$batch HTTP/1.1\r\n"
        b"Content-Type: application/json\r\n"
        b"OData-Version: 4.01\r\n"
        b"Accept: application/json\r\n"
        b"Content-Length: 231\r\n"
        b"\r\n"
        b'{"requests":[{"id":"1","atomicityGroup":"g1","method":"PATCH","url":"A(1)",'
        b'"headers":{"content-type":"application/json"},"body":{"a":1.10}},'
        b'{"id":"2","dependsOn":["g1"],"method":"GET","url":"People"}]}'
    ).replace(b"231", str(len(octets) - octets.index(b"{")).encode())


def test_a_request_becomes_multipart() -> None:
    body = b'{"requests":[{"id":"x","method":"GET","url":"People"}]}'
    data = b"POST /$batch HTTP/1.1\nContent-Type: application/json\n\n" + body
    octets, losses = to("multipart", data, boundary="b")
    assert losses == []
    assert octets == (
        b"POST /$batch HTTP/1.1\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n"
        b"OData-Version: 4.0\r\n"
        b"Accept: multipart/mixed\r\n"
        b"Content-Length: 123\r\n"
        b"\r\n"
        b"--b\r\n"
        b"Content-Type: application/http\r\n"
        b"Content-Transfer-Encoding: binary\r\n"
        b"Content-ID: x\r\n"
        b"\r\n"
        b"GET People HTTP/1.1\r\n"
        b"\r\n"
        b"\r\n"
        b"--b--\r\n"
    ).replace(b"123", str(len(octets) - octets.index(b"--b")).encode())


def test_a_response_becomes_multipart() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    data = head + b'{"responses":[{"id":"1","status":204}]}'
    octets, losses = to("multipart", data, boundary="b")
    assert losses == []
    assert octets.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n")
    assert b"\r\nContent-ID: 1\r\n\r\nHTTP/1.1 204 No Content\r\n" in octets


def test_the_same_format_is_written_anew() -> None:
    octets, losses = to("multipart", HEAD + batch(part()), boundary="other")
    assert losses == [] and b"boundary=other\r\n" in octets


def test_a_bare_body_becomes_a_bare_body() -> None:
    octets, _ = to("json", batch(part()))
    assert json.loads(octets)["requests"][0]["url"] == "People"


def test_a_head_without_start_line_stays_without() -> None:
    octets, _ = to("json", HEAD.partition(b"\r\n")[2] + batch(part()))
    assert octets.startswith(b"Content-Type: application/json\r\nOData-Version: 4.01\r\n")


def test_what_is_lost_is_listed() -> None:
    data = (
        b'{"requests":[{"id":"1","method":"GET","url":"a"},'
        b'{"id":"2","method":"GET","url":"b","if":"$1"}]}'
    )
    _, losses = to("multipart", data)
    assert len(losses) == 1
    assert "in items[1]: the condition '$1' is given up; " in losses[0]


@pytest.mark.parametrize("boundary", ["\x1b", "", "a" * 71])
def test_a_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(EncodeError):
        to("multipart", HEAD + batch(part()), boundary=boundary)


# -- the head --


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        (b"Host: example.org", True),
        (b"X-A: \xe4", True),
        (b"OData-MaxVersion: 4.01", True),
        (b"Accept: multipart/mixed", False),
        (b"content-length: 1", False),
        (b"Content-Encoding: gzip", False),
        (b"Transfer-Encoding: chunked", False),
        (b"OData-Version: 4.0", False),
        (b"DataServiceVersion: 2.0", False),
        (b"Prefer: respond-async", True),
        (b"Prefer: odata.continue-on-error", False),
        (b"Prefer: Continue-On-Error=false", False),
        (b"Prefer: continue-on-errors", True),
    ],
)
def test_fields_that_say_nothing_about_the_body_are_kept(field: bytes, kept: bool) -> None:
    name, _, value = field.decode("latin-1").partition(": ")
    fields = {"Content-Type": "multipart/mixed; boundary=b", name: value}
    octets, _ = to_json_of(BatchRequest([Operation.get("a")]), Headers(fields))
    assert (octets.startswith(b"POST / HTTP/1.1\r\n" + field + b"\r\n")) == kept


def to_json_of(value: BatchRequest, headers: Headers) -> tuple[bytes, int]:
    message = Message(
        start_line="POST / HTTP/1.1",
        headers=headers,
        body=b"",
        content_type=headers["content-type"],
        kind="request",
        body_position=0,
        diagnostics=(),
    )
    octets, losses = rewritten(message, value, "json", ODATA_4_01, None)
    return octets, len(losses)


def test_fields_keep_their_order() -> None:
    fields = [("B", "1"), ("Content-Type", "multipart/mixed; boundary=b"), ("A", "2"), ("B", "3")]
    octets, _ = to_json_of(BatchRequest([Operation.get("a")]), Headers(fields))
    assert octets.startswith(b"POST / HTTP/1.1\r\nB: 1\r\nA: 2\r\nB: 3\r\nContent-Type: ")


def test_of_several_preferences_one_is_written_anew() -> None:
    prefer = 'respond-async, odata.continue-on-error, wait="1,2\\"", a'
    fields = {"Content-Type": "multipart/mixed; boundary=b", "Prefer": prefer}
    value = BatchRequest([Operation.get("a")], continue_on_error=False)
    octets, _ = to_json_of(value, Headers(fields))
    preferences = [line for line in octets.split(b"\r\n") if line.lower().startswith(b"prefer")]
    assert preferences == [
        b'Prefer: respond-async, wait="1,2\\"", a',
        b"Prefer: odata.continue-on-error=false",
    ]


def test_the_version_field_is_that_of_the_dialect() -> None:
    data = HEAD.replace(b"\r\n\r\n", b"\r\nDataServiceVersion: 1.0\r\n\r\n") + batch(part())
    octets, _ = to("multipart", data, dialect=ODATA_2)
    assert octets.count(b"DataServiceVersion: ") == 1
    assert b"\r\nDataServiceVersion: 2.0\r\n" in octets


# -- messages in messages --


def test_a_wrapped_message_is_unwrapped() -> None:
    inner = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}"
    outer = parse_message(b"HTTP/1.1 200 OK\r\nContent-Type: Application/HTTP\r\n\r\n" + inner)
    assert unwrapped(outer) == parse_message(inner)


def test_another_message_is_left_as_it_is() -> None:
    message = parse_message(HEAD)
    assert unwrapped(message) is message


# -- there and back --


@given(strategies.batch_requests(format="json"))
def test_what_is_written_can_be_read(value: BatchRequest) -> None:
    payload = encode_request(value, format="json")
    head = "".join(f"{name}: {value}\r\n" for name, value in payload.headers.pairs)
    try:
        octets, losses = to("multipart", head.encode("latin-1") + b"\r\n" + payload.body)
    except EncodeError as error:
        assert [found.rule for found in error.diagnostics] == [Rule.NO_PARTS]
        return
    message = parse_message(octets)
    decoded = decode_request(message.body, message.content_type, headers=message.headers)
    assert losses or len(decoded.operations()) == len(value.operations())
