"""The public API: choosing the format, chunks, errors, limits, headers, encoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    DecodeError,
    EncodeError,
    Execution,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    RequestDecoder,
    RequestEncoder,
    ResponseDecoder,
    ResponseEncoder,
    Severity,
    Step,
    Unreadable,
    check_request,
    check_response,
    convert_request,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from odata_batch.dialects import GRAPH, ODATA_2, ODATA_4_0

from .batches import line, places, response
from .batches import request as batch_of
from .helpers import JSON, MULTIPART, Format, batch, chunkings, fed, member, outcomes, part

ONE = b'{"requests":[{"id":"1","method":"GET","url":"People"}]}'
ANSWER = b'{"responses":[{"id":"1","status":204}]}'
TWO_GETS = batch(part(b"GET a HTTP/1.1\r\n\r\n"), part(b"GET b HTTP/1.1\r\n\r\n"))
NO_CONTENT = part(b"HTTP/1.1 204 No Content\r\n\r\n")


# -- choosing the format --


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (TWO_GETS, 'Multipart/Mixed; Boundary="b"'),
        (TWO_GETS, 'MULTIPART/MIXED ; charset=utf-8 ;boundary=b ; x="y;boundary=z"'),
        (TWO_GETS, 'multipart/mixed; boundary="\\b";'),
        (ONE, "Application/JSON;odata.metadata=minimal"),
        (ONE, 'application/json;charset="UTF-8"'),
    ],
)
def test_a_batch_is_recognised_in_all_spellings(data: bytes, content_type: str) -> None:
    expected = decode_request(data, JSON if data is ONE else MULTIPART)
    assert decode_request(data, content_type, strict=True) == expected


@pytest.mark.parametrize(
    ("content_type", "slug", "http_status"),
    [
        ("text/plain", "batch-media-type", 415),
        ("application/json+x", "batch-media-type", 415),
        ("application/json; charset=utf-16", "json-charset", 415),
        ("", "content-type-syntax", 400),
        ("multipart/mixed", "boundary-missing", 400),
        ("multipart/mixed; boundary=" + "b" * 71, "limit-exceeded", 413),
    ],
)
def test_a_content_type_without_batch_is_an_error_at_once(
    content_type: str, slug: str, http_status: int
) -> None:
    for decoder in (RequestDecoder, ResponseDecoder):
        with pytest.raises(DecodeError) as caught:
            decoder(content_type)
        assert (caught.value.rule.slug, caught.value.http_status) == (slug, http_status)
        assert (caught.value.position, caught.value.path) == (0, "headers")
    report = check_request(ONE, content_type)
    assert (report.value, report.complete) == (None, False)
    assert report.diagnostics == (caught.value.diagnostic,)


def test_the_response_decides_its_own_format() -> None:
    same = batch(member(b"HTTP/1.1 204 No Content\r\n\r\n", boundary=b"b"))
    assert decode_response(ANSWER, JSON) == decode_response(same, MULTIPART)


# -- application/http --


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "
WRAPPED = {
    "multipart": HEAD + b"multipart/mixed; boundary=b\r\n\r\n" + batch(NO_CONTENT),
    "json": HEAD + b"application/json\r\n\r\n" + ANSWER,
}


@pytest.mark.parametrize(("format", "id"), [("multipart", None), ("json", "1")])
def test_an_http_message_around_a_batch_is_unwrapped(format: str, id: str | None) -> None:
    (outcome,) = outcomes(ResponseDecoder, "application/http", WRAPPED[format])
    assert (outcome[0], outcome[2]) == (BatchResponse([OperationResponse(204, id=id)]), ())
    decoder = ResponseDecoder("application/http")
    assert decoder.format is None
    decoder.receive_data(WRAPPED[format])
    assert decoder.format == format


def test_positions_in_a_wrapped_batch_count_from_the_start_of_the_payload() -> None:
    data = WRAPPED["multipart"]
    (single,) = decode_response(data, "application/http").items
    assert isinstance(single, OperationResponse)
    assert single.position == data.index(b"--b\r\n") + 5
    broken = data.replace(b"--b\r\n", b"--x\r\n")
    with pytest.raises(DecodeError) as caught:
        decode_response(broken, "application/http")
    assert caught.value.position == data.index(b"--b\r\n")
    broken = WRAPPED["json"].replace(b"204", b"999")
    with pytest.raises(DecodeError) as caught:
        decode_response(broken, "application/http")
    assert caught.value.position == broken.index(b"999")


def test_a_wrapped_request_brings_its_preference() -> None:
    data = (
        b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        b"Prefer: odata.continue-on-error\r\n\r\n"
    ) + batch(part())
    assert decode_request(data, "application/http").continue_on_error is True
    headers = {"Prefer": "continue-on-error=false"}
    assert decode_request(data, "application/http", headers=headers).continue_on_error is False


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "empty-message"),
        (b"GET / HTTP/1.1\r\n\r\n", "message-kind"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "content-type-syntax"),
        (HEAD + b"application/http\r\n\r\n", "batch-media-type"),
        (HEAD + b"application/json", "json-syntax"),
    ],
)
def test_a_wrapper_that_holds_no_batch_is_an_error(data: bytes, slug: str) -> None:
    (outcome,) = outcomes(ResponseDecoder, "application/http", data)
    assert outcome[2][-1].rule.slug == slug
    report = check_response(data, "application/http")
    assert (report.complete, report.diagnostics[-1].rule.slug) == (False, slug)
    assert report.value == BatchResponse([], truncated=True)


def test_a_fault_in_the_head_of_a_wrapper_has_its_place() -> None:
    data = HEAD + b"multipart/mixed;boundary=b\r\nA : b\r\n\r\n" + batch(part())
    found = check_response(data, "application/http").diagnostics[0]
    assert (found.rule.slug, found.position) == (
        "header-white-space-before-colon",
        data.index(b"A :"),
    )


def test_a_response_of_which_something_may_be_missing_is_truncated() -> None:
    of_none = check_response(b'{"error":{"code":"1","message":"no"}}', JSON)
    assert of_none.value == BatchResponse([])
    cut = check_response(b'{"responses":[{"id":"1","status":204}', JSON)
    assert cut.value == BatchResponse([OperationResponse(204, id="1")], truncated=True)
    broken = check_response(batch(part(b"HTTP/1.1 2x0 OK\r\n\r\n"), NO_CONTENT), MULTIPART)
    assert broken.value == BatchResponse([Unreadable("response"), OperationResponse(204)])


# -- the outer headers --


def test_outer_headers_are_bounded() -> None:
    long = 'multipart/mixed; boundary="' + '\\"' * 50_000
    for content_type, headers in ((long, {}), (MULTIPART, {"Prefer": "," * 65_537})):
        with pytest.raises(LimitExceeded, match="the field line is too large: the limit is 65536"):
            decode_request(batch(part()), content_type, headers=headers)


def test_what_was_asked_wrongly_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="headers have Content-Type 'a/b', the argument is 'c/d'"):
        decode_request(b"", "c/d", headers={"content-type": "a/b"})
    with pytest.raises(ValueError, match="a JSON batch has no boundary"):
        encode_request(REQUEST, format="json", boundary="b")
    words: Any = "xml"
    with pytest.raises(ValueError, match="format is 'multipart' or 'json', not 'xml'"):
        encode_request(BatchRequest([]), format=words)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_octets_is_taken(kind: type) -> None:
    assert len(decode_request(kind(TWO_GETS), MULTIPART).items) == 2
    assert check_request(kind(TWO_GETS), MULTIPART).ok


# -- chunks --


def test_items_come_as_soon_as_they_are_complete() -> None:
    decoder = RequestDecoder(MULTIPART)
    first, second = TWO_GETS.index(b"GET b"), TWO_GETS.index(b"--b--")
    assert decoder.receive_data(TWO_GETS[:first]) == [Operation.get("a")]
    assert decoder.receive_data(TWO_GETS[first:second]) == []
    assert decoder.receive_data(TWO_GETS[second:]) == [Operation.get("b")]
    assert decoder.receive_eof() == []
    assert decoder.result == decode_request(TWO_GETS, MULTIPART)


def test_an_error_behind_complete_items_is_raised_by_the_next_call_and_every_later_one() -> None:
    data = TWO_GETS.replace(b"GET b", b"nothing")
    decoder = RequestDecoder(MULTIPART)
    assert decoder.receive_data(data) == [Operation.get("a")]
    with pytest.raises(DecodeError) as first:
        decoder.receive_data(b"")
    with pytest.raises(DecodeError) as second:
        decoder.receive_eof()
    with pytest.raises(DecodeError) as third:
        _ = decoder.result
    assert first.value is second.value is third.value
    assert first.value.partial == (Operation.get("a"),)
    assert (first.value.path, first.value.position) == ("items[1]", data.index(b"nothing"))


def test_an_error_carries_the_items_before_it_whatever_the_chunks() -> None:
    data = TWO_GETS.replace(b"GET b", b"b")
    for chunks in chunkings(data):
        decoder = RequestDecoder(MULTIPART)
        with pytest.raises(DecodeError) as caught:
            _ = [*map(decoder.receive_data, chunks), decoder.receive_eof()]
        assert caught.value.partial == (Operation.get("a"),)


def test_nothing_is_taken_behind_the_end() -> None:
    decoder = RequestDecoder(JSON)
    with pytest.raises(RuntimeError, match="the end of the payload has not been received"):
        _ = decoder.result
    decoder.receive_data(ONE)
    decoder.receive_eof()
    with pytest.raises(RuntimeError, match="the end of the payload has been received"):
        decoder.receive_data(b"")
    with pytest.raises(RuntimeError, match="the end of the payload has been received"):
        decoder.receive_eof()
    assert decoder.format == "json"


def test_a_message_is_bounded_whatever_the_chunks() -> None:
    limits = Limits(message=len(TWO_GETS))
    assert len(decode_request(TWO_GETS, MULTIPART, limits=limits).items) == 2
    for chunks in chunkings(TWO_GETS + b"x"):
        text, items, _ = fed(RequestDecoder(MULTIPART, limits=limits), chunks)
        assert f"at byte {len(TWO_GETS)}: the message is too large: " in str(text)
        assert items == (Operation.get("a"), Operation.get("b"))


# -- diagnostics --


def test_a_dialect_changes_severities() -> None:
    data = batch(part(head=b"Content-Type: application/http\r\n"))
    decode_request(data, MULTIPART, strict=True)
    with pytest.raises(DecodeError, match=r"warning\[content-transfer-encoding-missing\]"):
        decode_request(data, MULTIPART, strict=True, dialect=ODATA_4_0)
    (found,) = check_request(data, MULTIPART, dialect=ODATA_2).diagnostics
    assert found.severity is Severity.WARNING


# -- encoding --


REQUEST = batch_of(
    "1: GET People [Accept: text/plain]; { 2: POST People [Content-Type: application/json] = {} }",
    continue_on_error=True,
)
RESPONSE = response("1: 200 [Content-Type: text/plain] = hello; { 2: 201 [Location: People(1)] }")


@pytest.mark.parametrize(
    ("format", "boundary", "media_type", "version"),
    [
        ("multipart", "b", "multipart/mixed; boundary=b", "4.0"),
        ("multipart", "a b", 'multipart/mixed; boundary="a b"', "4.0"),
        ("json", None, JSON, "4.01"),
    ],
)
def test_a_payload_says_its_format_and_version(
    format: Format, boundary: str | None, media_type: str, version: str
) -> None:
    headers = [("Content-Type", media_type), ("OData-Version", version)]
    response = encode_response(RESPONSE, format=format, boundary=boundary)
    assert [*response.headers.pairs] == headers
    headers += [("Accept", media_type.partition(";")[0]), ("Prefer", "odata.continue-on-error")]
    request = encode_request(REQUEST, format=format, boundary=boundary)
    assert [*request.headers.pairs] == headers


def test_a_payload_has_the_version_of_its_dialect() -> None:
    get = BatchRequest([Operation.get("a", id="1")])
    assert encode_request(get, dialect=ODATA_2).headers["DataServiceVersion"] == "2.0"
    json = encode_request(get, format="json", dialect=ODATA_4_0)
    assert json.headers["OData-Version"] == "4.0"


@pytest.mark.parametrize(
    ("preference", "expected"),
    [(None, None), (True, "odata.continue-on-error"), (False, "odata.continue-on-error=false")],
)
def test_the_preference_is_written(preference: bool | None, expected: str | None) -> None:
    request = BatchRequest([Operation.get("a")], continue_on_error=preference)
    default = encode_request(request, format="multipart").headers.get("Prefer")
    assert default == (expected if preference else None)  # false is the default there
    payload = encode_request(request, format="json")
    assert payload.headers.get("Prefer") == expected
    decoded = decode_request(payload.body, payload.content_type, headers=payload.headers)
    assert decoded.continue_on_error is preference


def test_the_wanted_format_can_be_another() -> None:
    payload = encode_request(REQUEST, accept="application/json")
    assert payload.headers["Accept"] == "application/json"
    with pytest.raises(EncodeError, match="control-character"):
        encode_request(REQUEST, accept="a\r\nb: c")


def test_an_encoder_refuses_what_does_not_fit_what_it_has_written() -> None:
    encoder = RequestEncoder(format="multipart")
    encoder.send(Operation.get("$9/a"))
    with pytest.raises(EncodeError, match="refers to '9', which no request has as its id"):
        encoder.close()
    encoder = RequestEncoder(format="json")
    encoder.send(Operation.get("a"))
    with pytest.raises(EncodeError, match="the id '1' is used twice"):
        encoder.send(Operation.get("a", id="1"))
    responses = ResponseEncoder(format="json")
    responses.close()
    with pytest.raises(RuntimeError, match="the encoder is closed"):
        responses.close()
    with pytest.raises(RuntimeError, match="the encoder is closed"):
        responses.send(OperationResponse(204))


def test_an_encoder_that_raised_raises_again() -> None:
    encoder = RequestEncoder()
    for _ in range(2):
        with pytest.raises(EncodeError, match="url-white-space"):
            encoder.send(Operation.get("a b"))
    with pytest.raises(EncodeError, match="url-white-space"):
        encoder.close()


@pytest.mark.parametrize("depth", [2, 3])
def test_nested_change_sets_round_trip_where_they_are_allowed(depth: int) -> None:
    request = batch_of("{ " * depth + "1: DELETE a; 2: DELETE b" + " }" * depth + "; GET c")
    limits = Limits(change_set_depth=depth)
    payload = encode_request(request, limits=limits, boundary="b")
    for chunks in chunkings(payload.body):
        decoder = RequestDecoder(payload.content_type, limits=limits, strict=True)
        assert fed(decoder, chunks)[0] == request
    with pytest.raises(EncodeError, match="nested-change-set"):
        encode_request(request)
    with pytest.raises(DecodeError, match="nested-change-set"):
        decode_request(payload.body, payload.content_type)
    with pytest.raises(EncodeError, match="JSON has no group in a group"):
        encode_request(request, format="json", limits=limits)


@pytest.mark.parametrize("escapes", [0, 1, 20_000])
def test_a_quoted_string_that_is_not_closed_hides_the_preferences_in_it(escapes: int) -> None:
    # With 20 000 of them, reading takes minutes where each quote is tried as the first of a string.
    hidden = 'a="' + 'b\\"' * escapes + ", continue-on-error=false"
    for prefer, expected in ((hidden, None), (f"continue-on-error, {hidden}", True)):
        headers = {"Prefer": prefer}
        assert (
            decode_request(batch(part()), MULTIPART, headers=headers).continue_on_error is expected
        )
    wrapped = f"POST $batch HTTP/1.1\r\nPrefer: {hidden}\r\nContent-Type: {MULTIPART}\r\n\r\n"
    message = wrapped.encode() + batch(part())
    assert check_request(message, "application/http").value is not None
    operation = Operation.get("A", headers={"Prefer": hidden}, id="1")
    step = Execution(BatchRequest([operation]), batch_url="http://host/$batch").ready()[0]
    assert isinstance(step, Step)
    assert step.headers == operation.headers
    converted, _ = convert_request(BatchRequest([operation]), source="json", target="multipart")
    assert converted.operations()[0].headers == operation.headers


# -- one error for all that must not be written ----------------------------------------------------


DEEP = ChangeSet([ChangeSet([Operation.delete("a")])])
MANY: list[Operation | ChangeSet] = [
    Operation("G T", "a b", {"x": "\n"}),
    ChangeSet([]),
    Operation.get("$9", depends_on=["1"]),
]
AROUND = "format-not-supported, boundary-characters, control-character"
WRONG: Any = {"format": "multipart", "dialect": GRAPH, "boundary": "b!", "accept": "a\nb"}


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (
            lambda: encode_request(BatchRequest(MANY, annotations=[("@a", b"1")])),
            "url-white-space 0, method-syntax 0, control-character 0, empty-change-set 1, "
            "not-expressible 2, depends-on-unknown 2, reference-unknown 2, not-expressible",
        ),
        (
            lambda: encode_request(
                BatchRequest([Operation("G ET", "a b")], annotations=[("a", b"1")]), **WRONG
            ),
            f"{AROUND}, url-white-space 0, method-syntax 0, not-expressible",
        ),
        (
            lambda: encode_response(BatchResponse([OperationResponse(99)]), boundary="b!"),
            "boundary-characters, status-line-syntax 0",
        ),
        (
            lambda: encode_request(BatchRequest([DEEP]), format="multipart", dialect=GRAPH),
            "format-not-supported, nested-change-set 0",
        ),
        (lambda: RequestEncoder(**WRONG), AROUND),
    ],
)
def test_all_findings_are_in_one_error(write: Callable[[], object], expected: str) -> None:
    with pytest.raises(EncodeError) as caught:
        write()
    assert ", ".join(places(map(line, caught.value.diagnostics))) == expected
    assert caught.value.http_status == 500
