"""What holds for every batch and for every sequence of bytes, stated once.

Round trip; both formats agree; what is encoded has no warnings; chunking does not matter; only
`BatchError` escapes; bytes are left alone; nothing in a value gets out of its place.
"""

from __future__ import annotations

import email
import random
from email.policy import HTTP

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odata_batch import (
    BatchError,
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Diagnostic,
    EncodeError,
    Operation,
    OperationResponse,
    Payload,
    RequestDecoder,
    ResponseDecoder,
    Severity,
    check_request,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch.strategies import batch_requests, batch_responses

from .helpers import FORMATS, JSON, MULTIPART, Decoder, Format, fed


def request_of(payload: Payload) -> BatchRequest:
    """Decode strictly what was encoded; nothing worse than a note may be found."""
    found: list[Diagnostic] = []
    request = decode_request(
        payload.body,
        payload.content_type,
        headers=payload.headers,
        strict=True,
        report=found.append,
    )
    assert all(each.severity is Severity.NOTE for each in found)
    return request


def response_of(payload: Payload) -> BatchResponse:
    """Decode strictly what was encoded."""
    return decode_response(payload.body, payload.content_type, headers=payload.headers, strict=True)


# -- round trip --


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_a_request_comes_back_as_it_was_prepared(format: Format, data: st.DataObject) -> None:
    request = data.draw(batch_requests(format=format))
    payload = encode_request(request, format=format)
    assert request_of(payload) == prepare(request, format=format)


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_a_response_comes_back_as_it_was_prepared(format: Format, data: st.DataObject) -> None:
    response = data.draw(batch_responses(format=format))
    payload = encode_response(response, format=format)
    assert response_of(payload) == prepare(response, format=format)


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_encoding_what_was_decoded_changes_nothing(format: Format, data: st.DataObject) -> None:
    boundary = "b-_-b" if format == "multipart" else None
    request = data.draw(batch_requests(format=format))
    try:
        payload = encode_request(request, format=format, boundary=boundary)
    except EncodeError as error:
        assert all(found.rule.slug == "boundary-in-content" for found in error.diagnostics)
        return
    again = encode_request(request_of(payload), format=format, boundary=boundary)
    assert again == payload


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_preparing_twice_is_preparing_once(format: Format, data: st.DataObject) -> None:
    request = data.draw(batch_requests(format=format))
    once = prepare(request, format=format)
    assert prepare(once, format=format) == once


# -- both formats --


@given(batch_requests(format="both"))
def test_both_formats_give_the_same_request(request: BatchRequest) -> None:
    by_json = request_of(encode_request(request, format="json"))
    by_multipart = request_of(encode_request(request))
    assert [_common(one) for one in by_json.operations()] == [
        _common(one) for one in prepare(by_multipart, format="json").operations()
    ]
    assert by_json.continue_on_error == by_multipart.continue_on_error
    assert _shape(by_json) == _shape(by_multipart)


@given(batch_responses(format="both"))
def test_both_formats_give_the_same_response(response: BatchResponse) -> None:
    by_json = response_of(encode_response(response, format="json"))
    by_multipart = response_of(encode_response(response))
    assert [(one.status, one.headers, one.body) for one in by_json.responses()] == [
        (one.status, one.headers, one.body)
        for one in prepare(by_multipart, format="json").responses()
    ]
    assert _shape(by_json) == _shape(by_multipart)


def _common(operation: Operation) -> tuple[object, ...]:
    return operation.method, operation.url, operation.headers, operation.body


def _shape(batch: BatchRequest | BatchResponse) -> list[int]:
    return [
        len(item.items) if isinstance(item, ChangeSet | ChangeSetResponse) else 0
        for item in batch.items
    ]


# -- chunks and hostile bytes --


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut the data at these places, wherever they fall."""
    ends = [*sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [
                b"--b",
                b"--",
                b"b",
                b"\r\n",
                b"\n",
                b"\r",
                b" ",
                b"\t",
                b":",
                b"\0",
                b"-",
                b"Content-Type: application/http\r\n",
                b"Content-Type: multipart/mixed; ",
                b"boundary=c",
                b"--c",
                b"GET a HTTP/1.1",
                b"HTTP/1.1 200 OK",
                b"Content-Length: 3",
                b"Content-ID: 1\r\n",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Z2V0",
                b"x",
                b'{"requests":[',
                b'{"responses":[',
                b'{"id":"1",',
                b'"method":"GET",',
                b'"url":"a"',
                b'"status":200',
                b'"body":',
                b'"headers":{',
                b'"atomicityGroup":"g",',
                b"}",
                b"]",
                b",",
                b'"dependsOn":["1"]',
                b"null",
                b'"',
                b"\\u",
                b"\xff",
                b"\xef\xbb\xbf",
                b"1e400",
            ]
        ),
        max_size=60,
    ).map(b"".join),
)
CONTENT_TYPES = st.sampled_from([MULTIPART, JSON, "application/http"])


@given(
    HOSTILE,
    CONTENT_TYPES,
    st.sampled_from([RequestDecoder, ResponseDecoder]),
    st.booleans(),
    st.lists(st.integers(min_value=0, max_value=500), max_size=6),
)
def test_any_bytes_give_a_batch_or_a_batch_error_whatever_the_chunks(
    data: bytes, content_type: str, decoder: type[Decoder], strict: bool, places: list[int]
) -> None:
    whole = fed(decoder(content_type, strict=strict), [data])
    assert fed(decoder(content_type, strict=strict), cut(data, places)) == whole


@given(HOSTILE, st.text(max_size=40) | CONTENT_TYPES)
def test_checking_never_raises(data: bytes, content_type: str) -> None:
    for check in (check_request, check_response):
        report = check(data, content_type)
        assert report.ok is (report.worst is not Severity.ERROR)


@given(HOSTILE, CONTENT_TYPES)
def test_checking_and_decoding_agree(data: bytes, content_type: str) -> None:
    report = check_request(data, content_type)
    try:
        request = decode_request(data, content_type)
    except BatchError as error:
        first = next(found for found in report.diagnostics if found.severity is Severity.ERROR)
        assert str(error) == str(first)
    else:
        assert report.ok
        assert report.value == request


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(HOSTILE, CONTENT_TYPES)
def test_what_decodes_strictly_is_written_again(data: bytes, content_type: str) -> None:
    try:
        request = decode_request(data, content_type, strict=True)
    except BatchError:
        return
    format: Format = "json" if content_type == JSON else "multipart"
    assert request_of(encode_request(request, format=format)) == prepare(request, format=format)


# -- bytes --

BODIES = {
    "a bare line feed": b"one\ntwo\n",
    "a bare carriage return": b"one\rtwo\r",
    "NUL": b"\0one\0",
    "a line end at the end": b"one\r\n",
    "only a line end": b"\r\n",
    "two line ends": b"\r\n\r\n",
    "a look-alike in mid-line": b"x--b\r\nx --b--",
    "a look-alike with a suffix": b"\r\n--bX\r\n--b-\r\n--batch_\r\n",
    "a header section": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "random octets": random.Random(20).randbytes(64 * 1024),
    "all octets": bytes(range(256)),
}
JSON_BODIES = {
    "numbers": b'{"a":1.10,"b":12345678901234567.89,"a2":1e400,"c":-0.0,"d":1E+2}',
    "order and blanks": b'{ "z" : 1 ,\t"a":\n[ 1 , 2 ]\r\n}',
    "escapes": rb'{"a":"\u00e9\/\n","b":"\ud83d\ude00"}',
    "not ASCII": '{"é":"😀"}'.encode(),
    "duplicate members": b'{"a":1,"a":2}',
    "a string": b'"text"',
    "a number": b"1.0",
    "many digits": b"9" * 5000,
    "true": b"true",
}
CASES = [
    *((f"{name} as octets", "application/octet-stream", body) for name, body in BODIES.items()),
    *((f"{name} as JSON", "application/json", body) for name, body in JSON_BODIES.items()),
    *(
        (f"{name} as +json", "application/merge-patch+json", body)
        for name, body in JSON_BODIES.items()
    ),
    ("latin text", "text/plain; charset=ISO-8859-1", bytes(range(256))),
    ("ascii text", "text/plain; charset=us-ascii", bytes(range(128))),
    ("utf-8 text", "text/plain", "é\ufeff\u2028😀\0\r\n".encode()),
]


@pytest.mark.parametrize(
    ("content_type", "body"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_body_survives_multipart_and_json_and_multipart_again(
    content_type: str, body: bytes
) -> None:
    headers = {"Content-Type": content_type}
    request = BatchRequest([Operation("POST", "a", headers, body, id="1")])
    response = BatchResponse([OperationResponse(200, headers, body, id="1")])
    for format in ("multipart", "json", "multipart"):
        request = request_of(encode_request(request, format=format))
        response = response_of(encode_response(response, format=format))
        assert request.operations()[0].body == body
        assert response.responses()[0].body == body


def test_the_standard_library_reads_the_same_parts() -> None:
    request = BatchRequest(
        [
            Operation.get("People", headers={"Accept": "text/plain"}, id="1"),
            ChangeSet([Operation.post("People", json={"a": 1}), Operation.delete("People(1)")]),
        ]
    )
    payload = encode_request(request)
    head = f"Content-Type: {payload.content_type}\r\n\r\n".encode("ascii")
    message = email.message_from_bytes(head + payload.body, policy=HTTP)
    single, change_set = message.iter_parts()
    assert (single.get_content_type(), single["Content-ID"]) == ("application/http", "1")
    assert single.get_payload(decode=True) == b"GET People HTTP/1.1\r\nAccept: text/plain\r\n\r\n"
    assert change_set.get_content_type() == "multipart/mixed"
    assert [part["Content-ID"] for part in change_set.iter_parts()] == ["2", "3"]
    assert not message.defects


# -- no injection --

NASTY = [
    "",
    " ",
    "  ",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "\0",
    "\x7f",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "a\r\nX: 1",
    "a\nX: 1",
    "a\rX: 1",
    "a\r\n X: 1",
    "\r\n--b\r\n",
    "\r\n--b--\r\n",
    "--b",
    "a HTTP/1.1\r\n\r\n",
    "a HTTP/1.1",
    "GET /x HTTP/1.1",
    '"',
    '\\"',
    '","id":"2',
    "\\",
    "\\u0000",
    '"}]}',
    "{",
    "\ud800",
    "\udcff",
    "é",
    "😀",
    "€",
    "$1",
    "1 ",
    " 1",
    "a:b",
    "../..",
    "//evil/a",
    "%0d%0a",
    "\ufeff",
    "=?utf-8?q?x?=",
    "a;b",
    "a,b",
    "a=b",
    "(a)",
]


def test_there_are_at_least_forty_nasty_strings() -> None:
    assert len(set(NASTY)) >= 40


def _requests_with(text: str) -> list[BatchRequest]:
    annotations = [("x", text.encode("utf-8", "surrogatepass")), (text, b"1")]
    operations = [
        Operation(text, "a", id="1"),
        Operation("POST", text, id="1"),
        Operation("POST", "a", {text: "x"}, id="1"),
        Operation("POST", "a", {"x": text}, id="1"),
        Operation("POST", "a", {"Content-Type": text}, b"{}", id="1"),
        Operation("POST", "a", {"Content-Type": f"text/plain; charset={text}"}, b"x", id="1"),
        Operation("POST", "a", id=text),
        Operation("POST", "a", id="1", depends_on=[text]),
        Operation("POST", "a", id="1", condition=text),
        *(Operation("POST", "a", id="1", annotations=[each]) for each in annotations),
    ]
    return [
        *(BatchRequest([operation]) for operation in operations),
        BatchRequest([ChangeSet([Operation("POST", "a", id="1")], id=text)]),
        *(
            BatchRequest([Operation("POST", "a", id="1")], annotations=[each])
            for each in annotations
        ),
    ]


def _responses_with(text: str) -> list[BatchResponse]:
    annotations = [("x", text.encode("utf-8", "surrogatepass")), (text, b"1")]
    responses = [
        OperationResponse(200, {text: "x"}, id="1"),
        OperationResponse(200, {"x": text}, id="1"),
        OperationResponse(200, {"Content-Type": text}, b"{}", id="1"),
        OperationResponse(200, id=text),
        OperationResponse(200, id="1", reason=text),
        *(OperationResponse(200, id="1", annotations=[each]) for each in annotations),
    ]
    single = OperationResponse(200, id="1")
    return [
        *(BatchResponse([response]) for response in responses),
        BatchResponse([ChangeSetResponse([single], id=text)]),
        BatchResponse([single], next_link=text),
        *(BatchResponse([single], annotations=[each]) for each in annotations),
    ]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_no_string_in_a_request_gets_out_of_its_place(text: str, format: Format) -> None:
    for request in _requests_with(text):
        try:
            payload = encode_request(request, format=format)
        except EncodeError:
            continue
        assert request_of(payload) == prepare(request, format=format)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_no_string_in_a_response_gets_out_of_its_place(text: str, format: Format) -> None:
    for response in _responses_with(text):
        try:
            payload = encode_response(response, format=format)
        except EncodeError:
            continue
        decoded = response_of(payload)
        assert decoded == prepare(response, format=format)
        if format == "multipart" and response.responses()[0].reason is not None:
            assert decoded.responses()[0].reason == response.responses()[0].reason


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_no_argument_of_an_encoder_gets_out_of_its_place(text: str) -> None:
    request = BatchRequest([Operation("POST", "a", id="1")])
    for arguments in ({"boundary": text}, {"accept": text}):
        try:
            payload = encode_request(request, **arguments)  # type: ignore[arg-type]  # two of str
        except EncodeError:
            continue
        assert request_of(payload) == request
        assert payload.headers["Accept"] == arguments.get("accept", "multipart/mixed")
