"""HTTP messages in a part: how they are written, and that any octets are read somehow."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Headers,
    Operation,
    OperationResponse,
    check_request,
    check_response,
    decode_request,
    encode_request,
    encode_response,
)

from .batches import table
from .helpers import CRLF, MULTIPART, PART_HEAD, batch


def data_of(message: bytes, line_end: bytes = CRLF) -> bytes:
    """Return a batch that holds the message, with another part after it."""
    data = batch(b"--b\r\n" + PART_HEAD + CRLF + b"@\r\n").replace(CRLF, line_end)
    return data.replace(b"@", message)


# -- writing --


@pytest.mark.parametrize(
    ("operation", "octets"),
    [
        (Operation.get("People"), b"GET People HTTP/1.1\r\n\r\n"),
        (
            Operation("PATCH", "/a?b=c", {"b": "1", "Content-Type": "a/b", "X": ""}, b"\x00\xff\n"),
            b"PATCH /a?b=c HTTP/1.1\r\nb: 1\r\nContent-Type: a/b\r\nX: \r\n\r\n\x00\xff\n",
        ),
        (
            Operation("GET", "x", [("b", "1"), ("A", "\xe9"), ("B", "2")]),
            b"GET x HTTP/1.1\r\nb: 1\r\nA: \xe9\r\nB: 2\r\n\r\n",
        ),
    ],
)
def test_a_request_is_written_with_fields_in_order_and_case(
    operation: Operation, octets: bytes
) -> None:
    assert encode_request(BatchRequest([operation]), boundary="b").body == data_of(octets)


@pytest.mark.parametrize("line", table("reasons"))
def test_without_a_reason_the_usual_phrase_is_written(line: str) -> None:
    for reason in (None, ""):
        response = OperationResponse(int(line[:3]), {"Location": "x"}, reason=reason)
        payload = encode_response(BatchResponse([response]), format="multipart", boundary="b")
        assert payload.body == data_of(f"HTTP/1.1 {line}\r\nLocation: x\r\n\r\n".encode())


def test_a_reason_is_written_as_it_is() -> None:
    response = BatchResponse([OperationResponse(404, {"A": "b"}, reason="Not  Found ")])
    payload = encode_response(response, format="multipart", boundary="b")
    assert payload.body == data_of(b"HTTP/1.1 404 Not  Found \r\nA: b\r\n\r\n")


# -- properties --

OCTETS = st.lists(
    st.sampled_from((b"GET", b" ", b"x", b"HTTP/1.1", b"200", b"\r\n", b"\n", b"\r", b"A:", b"\t"))
    | st.binary(max_size=3),
    max_size=14,
).map(b"".join)


@given(OCTETS, st.sampled_from((CRLF, b"\n")))
def test_any_octets_are_a_message_or_have_a_finding(octets: bytes, line_end: bytes) -> None:
    data = data_of(octets, line_end)
    request, response = check_request(data, MULTIPART), check_response(data, MULTIPART)
    assert request.value is not None and response.value is not None
    assert request.value.items or request.diagnostics
    assert response.value.items or response.diagnostics
    assert all(octets.endswith(operation.body) for operation in request.value.operations())


TOKENS = st.text("!#$%&'*+-.^_`|~09AZ", min_size=1, max_size=8)
VALUES = st.text('!"(),/:;<=>?@[]{} \tAz09', max_size=12).map(lambda text: text.strip(" \t"))
HEADERS = st.lists(st.tuples(TOKENS, VALUES), max_size=4).map(Headers)


@given(TOKENS, HEADERS, st.binary(max_size=30))
def test_what_is_written_is_read_back(method: str, headers: Headers, body: bytes) -> None:
    assume(b"--b" not in body)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.pairs).encode()
    data = data_of(method.encode() + b" x HTTP/1.1\r\n" + fields + b"\r\n" + body)
    (operation,) = decode_request(data, MULTIPART).operations()
    assert (operation.method, operation.body) == (method, body)
    assert operation.headers.pairs == headers.pairs
