"""Bodies that are written in pieces: joined, the octets are what `send` returns of the whole."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    ChangeSet,
    ChangeSetResponse,
    Codec,
    Dialect,
    EncodeError,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    RequestEncoder,
    ResponseEncoder,
    Severity,
)
from odata_batch.dialects import GRAPH, ODATA_4_01
from odata_batch.rules import RULES
from odata_batch.strategies import batch_requests, batch_responses

from .batches import stream
from .helpers import FORMATS, Format

BOUNDARY = "b-b"
PUT = Operation("PUT", "a", id="1")
OK = OperationResponse(200, id="1")
LENIENT = Dialect(name="lenient", severities=tuple((rule, Severity.NOTE) for rule in RULES))
TEXT = '"\\\r\n\0é\U0001f600 --'
COUNTED = replace(ODATA_4_01, content_length=True)
# Media types and bodies
BODIES = [
    ("image/png", b"\r\n--b-\r\n----b--b-\xff\xfe--b-x--"),
    ("image/png", b"-"),
    *(("text/plain;charset=" + each, TEXT.encode(each)) for each in ("utf-8", "utf-16le")),
    ("text/plain", "\xe9\U0010ffff".encode()),
    ("text/plain;charset=latin1", b"\xe9\n\x80"),
    ("text/plain;charset=big5", "\u8868\u3042 a".encode("big5")),
    ("application/json", b' {"a" : "\xc3\xa9--"}\n'),
]
CODECS = [
    *(Codec(ODATA_4_01, format=each) for each in FORMATS),
    *map(Codec, (GRAPH, COUNTED)),
    Codec(replace(ODATA_4_01, base64_standard_alphabet=True, base64_padding=False), format="json"),
]


def encoder_for(item: Operation | OperationResponse, codec: Codec) -> Any:
    boundary = BOUNDARY if codec.request_encoder().headers["Content-Type"][0] == "m" else None
    if isinstance(item, Operation):
        return codec.request_encoder(boundary=boundary)
    return codec.response_encoder(boundary=boundary)


def cuts(body: bytes) -> Iterator[Any]:
    """Yield the body as one may give it."""
    for at in range(len(body) + 1):
        yield [body[:at], body[at:]]
    yield (body[at : at + 1] for at in range(len(body)))
    yield [b"", bytearray(body), b"", memoryview(b"")]
    yield memoryview(body), b""
    yield body
    yield io.BytesIO(body)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("item", [PUT, OK])
def test_a_body_may_turn_out_to_be_empty(item: Any, format: Format) -> None:
    sent = encoder_for(item, Codec(format=format)).send(item)
    for body in [], [b"", memoryview(b"")], io.BytesIO():
        assert [*encoder_for(item, Codec(format=format)).stream(item, body)] == [sent]


@pytest.mark.parametrize(("content_type", "body"), BODIES)
@pytest.mark.parametrize("codec", CODECS, ids=lambda it: f"{it.dialect.name} {it.format}")
@pytest.mark.parametrize("item", [PUT, OK])
def test_pieces_joined_are_what_is_sent_whole(
    item: Any, codec: Codec, content_type: str, body: bytes
) -> None:
    fields = {"Content-Type": content_type}
    for headers in fields, {**fields, "Content-Length": str(len(body))}:
        item = replace(item, headers=headers)
        whole = encoder_for(item, codec)
        expected = whole.send(replace(item, body=body)) + whole.close()
        for pieces in cuts(body):
            encoder = encoder_for(item, codec)
            assert b"".join([*encoder.stream(item, pieces), encoder.close()]) == expected


@pytest.mark.parametrize("strategy", [batch_requests, batch_responses])
@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data(), size=st.integers(1, 9))
def test_items_of_any_batch_are_the_same_in_pieces(
    strategy: Callable[[Format], st.SearchStrategy[Any]],
    format: Format,
    data: st.DataObject,
    size: int,
) -> None:
    # Where a name has to be made up, nothing looks for it in bodies.
    codec = Codec(format=format)
    items = codec.prepare(data.draw(strategy(format))).items
    boundary = "b-_-b" if format == "multipart" else None
    kind = codec.request_encoder if strategy is batch_requests else codec.response_encoder
    whole, streamed = kind(boundary=boundary), kind(boundary=boundary)
    for item in items:
        try:
            expected = whole.send(item)
        except EncodeError as error:
            with pytest.raises(EncodeError) as caught:
                stream(streamed, item, size)
            assert caught.value.diagnostics[0].rule == error.diagnostics[0].rule
            return
        assert stream(streamed, item, size) == expected


def handed_out(pieces: Iterator[bytes]) -> tuple[bytes, Exception | None]:
    """Return what comes before an error, and the error."""
    octets = b""
    try:
        for piece in pieces:
            octets += piece
    except (EncodeError, OSError, TypeError) as error:
        return octets, error
    return octets, None


def given_out(*pieces: Any) -> Iterator[Any]:
    for piece in pieces:
        if isinstance(piece, OSError):
            raise piece
        yield piece


def of_type(content_type: str) -> Headers:
    return Headers({"Content-Type": content_type})


PNG, UTF8, BIG5 = map(of_type, ("image/png", "text/plain", "text/a;charset=big5"))


def sized(length: object) -> Operation:
    return replace(PUT, headers=Headers({**PNG, "Content-Length": str(length)}))


SMALL = Limits(body=9)
# The item, its body in pieces of two octets, what of that is handed out before an error, as the
# format writes it, and what the error says
FAULTS: list[tuple[Format, Operation | OperationResponse, bytes, bytes | None, str]] = [
    ("multipart", replace(PUT, headers=PNG), b"01--b-b56", b"01", "boundary-in-content"),
    ("multipart", replace(OK, headers=PNG), b"0---b-b", b"0-", "boundary-in-content"),
    ("multipart", replace(PUT, headers=PNG), b"0123456789", b"01234567", "limit-exceeded"),
    ("json", replace(PUT, headers=PNG), b"0123456789", b"MDEyMzQ1", "limit-exceeded"),
    ("json", replace(PUT, headers=UTF8), b"\xc3\xa90\xff", "é".encode(), "text-charset"),
    ("json", replace(PUT, headers=UTF8), b"01\xc3", b"01", "text-charset"),
    ("json", replace(PUT, headers=BIG5), b"0\xa2\xce", b"0", "text-charset"),
    ("json", replace(PUT, headers=of_type("text/a;charset=b")), b"0", None, "charset 'b'"),
    ("json", replace(PUT, headers=of_type("application/json")), b"{01", None, "json-syntax"),
    ("json", PUT, b"[1,1,1,1,1]", None, "limit-exceeded"),
    ("multipart", sized(3), b"012345", b"01", "'3', the body has 4 octets"),
    ("multipart", sized(9), b"01--b-b56", b"01", "boundary-in-content"),
    ("multipart", sized(5), b"012", b"012", "'5', the body has 3 octets"),
    ("multipart", sized(1), b"012", None, "content-length-mismatch"),
    ("multipart", sized(10), b"012", None, "limit-exceeded"),
    ("multipart", sized("9" * 5000), b"012", None, "limit-exceeded"),
    ("multipart", sized("+3"), b"012", None, "content-length-mismatch"),
    ("multipart", replace(PUT, method="GET", headers=PNG), b"012", None, "body-unexpected"),
    ("json", replace(OK, status=204, headers=PNG), b"012", None, "body-forbidden"),
    ("multipart", replace(PUT, url="a b"), b"012", None, "url-white-space"),
    ("multipart", replace(PUT, depends_on=("2",)), b"012", None, "cannot carry depends_on"),
]


ALWAYS = {"boundary-in-content", "limit-exceeded", "text-charset", "json-syntax", "charset 'b'"}


@pytest.mark.parametrize(("format", "item", "body", "before", "match"), FAULTS)
def test_what_is_wrong_is_raised_before_it_is_handed_out(
    format: Format, item: Any, body: bytes, before: bytes | None, match: str
) -> None:
    pieces = [body[at : at + 2] for at in range(0, len(body), 2)]
    for dialect in (ODATA_4_01, LENIENT) if match in ALWAYS else (ODATA_4_01,):
        encoder = encoder_for(item, Codec(dialect, format=format, limits=SMALL))
        if before is None:
            with pytest.raises(EncodeError, match=match):
                encoder.stream(item, pieces)
        else:
            octets, error = handed_out(encoder.stream(item, pieces))
            start = b"\r\n\r\n" if format == "multipart" else b'"body":"'
            assert octets.rpartition(start)[2] == before
            assert isinstance(error, EncodeError)
            assert len(error.diagnostics) == 1
            assert match in str(error)
        with pytest.raises(EncodeError, match=match):
            encoder.close()


def test_a_boundary_is_found_wherever_it_is_cut() -> None:
    body = b"-----b-\r\n--b-b- and so on"
    item = replace(PUT, headers=PNG)
    head = RequestEncoder(boundary=BOUNDARY).send(replace(item, body=b"0")).removesuffix(b"0\r\n")
    start = head + body[: body.index(b"--b-b")]
    for pieces in cuts(body):
        octets, error = handed_out(RequestEncoder(boundary=BOUNDARY).stream(item, pieces))
        assert start.startswith(octets)
        assert "boundary-in-content]: '--b-b' occurs in the content" in str(error)


@pytest.mark.parametrize("format", FORMATS)
def test_a_change_set_takes_a_body_for_each_message_that_has_none(format: Format) -> None:
    own = replace(OK, headers=of_type("application/json"), body=b"[1]", id="4")
    codec, photo = Codec(format=format), replace(OK, headers=PNG)
    expected = encoder_for(OK, codec).send(ChangeSetResponse([replace(photo, body=b"01"), own]))
    encoder = encoder_for(OK, codec)
    pieces = encoder.stream(ChangeSetResponse([photo, own]), [[b"0", b"1"], None])
    assert b"".join(pieces) == expected
    with pytest.raises(EncodeError, match="change sets nested 2 deep"):
        encoder.stream(ChangeSetResponse([ChangeSetResponse([photo])]), [[b"0"]])


def test_a_body_holds_no_boundary_of_its_change_set_and_is_as_long_as_it_says() -> None:
    change_set = ChangeSet([replace(PUT, headers=PNG), replace(sized(3), id="2")])
    sent = RequestEncoder(boundary=BOUNDARY).send(ChangeSet([PUT])).decode()
    boundary = sent.partition("boundary=")[2].partition("\r")[0].encode()
    for first, second, match in (
        (b"--" + boundary, b"012", "boundary-in-content"),
        (b"0--b-b", b"012", "'--b-b' occurs in the content"),
        (b"0", b"01", "in items[0].items[1]: Content-Length is '3', the body has 2 octets"),
    ):
        pieces = RequestEncoder(boundary=BOUNDARY).stream(change_set, [[first], [second]])
        assert match in str(handed_out(pieces)[1])


@pytest.mark.parametrize("format", FORMATS)
def test_what_passes_is_counted_in_the_message(format: Format) -> None:
    codec = Codec(replace(ODATA_4_01, payload=500), format=format, limits=Limits(message=1000))
    for item, match in ((PUT, "payload-too-large"), (OK, "limit-exceeded")):
        encoder = encoder_for(item, codec)
        octets, error = handed_out(encoder.stream(replace(item, headers=PNG), repeat(b"0123")))
        assert len(octets) in range(480, 501) if item is PUT else range(980, 1001)
        assert match in str(error)


@pytest.mark.parametrize(
    ("item", "body", "error", "match"),
    [
        (PUT, "", TypeError, "a body is bytes in pieces, or a binary file, not str"),
        (PUT, io.StringIO("text"), TypeError, "bytes in pieces, or a binary file, not str"),
        (PUT, None, TypeError, "bytes in pieces, or a binary file, not NoneType"),
        (PUT, [1], TypeError, "bytes in pieces, or a binary file, not int"),
        (OK, [b""], TypeError, "an item whose body comes in pieces is an Operation, not Op"),
        (ChangeSet([PUT]), [], ValueError, "has 0 bodies, the change set 1 messages: give None wh"),
        (ChangeSet([PUT]), None, TypeError, "bodies of a change set is an Iterable, not NoneType"),
        (replace(PUT, body=b"0"), [b"0"], ValueError, "the item has a body, and so has the call"),
        (PUT, given_out(OSError("gone")), OSError, "gone"),
    ],
)
def test_what_is_no_body_is_refused_and_nothing_is_lost(
    item: Any, body: Any, error: type[Exception], match: str
) -> None:
    encoder = RequestEncoder(format="json")
    with pytest.raises(error, match=match):
        encoder.stream(item, body)
    assert encoder.send(PUT) == b'{"requests":[{"id":"1","method":"PUT","url":"a"}'


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("body", "taken"),
    [([b"0", b"1"], 0), ([b"0", b"1"], 2), ([b"0", OSError()], 9), ([b"0", "1"], 9), ([], 0)],
)
def test_an_encoder_does_not_go_on_before_an_item_is_whole(
    format: Format, body: Any, taken: int
) -> None:
    encoder = ResponseEncoder(format=format)
    pieces = encoder.stream(replace(OK, headers=PNG), given_out(*body))
    handed_out(islice(pieces, taken))
    for go_on in (encoder.close, lambda: encoder.send(OK), lambda: encoder.stream(OK, [b""])):
        with pytest.raises(RuntimeError, match="take all that stream returned"):
            go_on()


def test_pieces_pass_as_they_come_and_where_all_is_needed_it_is_taken() -> None:
    chunks = [bytes(1000), b"-" * 1000, bytes(1000)]
    source = iter(chunks)
    pieces = ResponseEncoder().stream(replace(OK, headers=PNG), source)
    next(pieces)
    assert next(pieces) is chunks[0]
    assert next(source) is chunks[1]
    photo = replace(PUT, headers=PNG)
    for item, codec in (photo, Codec(GRAPH)), (OK, Codec(COUNTED)), (PUT, Codec(format="json")):
        source = iter([b"[", b"1", b"]"])
        assert len([*encoder_for(item, codec).stream(item, source)]) == 1
