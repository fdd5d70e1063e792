"""What holds for every batch and for every sequence of bytes, stated once.

Round trip; both formats agree; what is encoded has no warnings; chunking does not matter; only
documented errors escape; bytes are left alone; nothing in a value gets out of its place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.targets import MARK, TARGETS, Source
from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    EncodeError,
    Limits,
    Operation,
    OperationResponse,
    Payload,
    Severity,
    decode_request,
    encode_request,
    prepare,
)
from odata_batch.dialects import GRAPH, ODATA_4_01, Dialect
from odata_batch.rules import RULES
from odata_batch.strategies import batch_requests, batch_responses

from .batches import WRITERS, Batch, Writer, decoded, written_and_read
from .corpora import CORPUS
from .helpers import FORMATS, JSON, MULTIPART, Format


def request_of(payload: Payload) -> BatchRequest:
    """Decode strictly what was encoded."""
    return decode_request(payload.body, payload.content_type, headers=payload.headers, strict=True)


def prepared(batch: Any, format: Format) -> Any:
    """Return what the batch should be then."""
    return prepare(batch, format=format)


# -- round trip --

ROLES = pytest.mark.parametrize("batches", [batch_requests, batch_responses])
IN_EACH_FORMAT = pytest.mark.parametrize("format", FORMATS)
Batches = Callable[[Any], st.SearchStrategy[Batch]]


@ROLES
@IN_EACH_FORMAT
@given(data=st.data())
def test_a_batch_comes_back_as_it_was_prepared(
    batches: Batches, format: Format, data: st.DataObject
) -> None:
    batch = data.draw(batches(format))
    assert written_and_read(batch, format) == prepared(batch, format)


@IN_EACH_FORMAT
@given(data=st.data())
def test_encoding_what_was_decoded_changes_nothing(format: Format, data: st.DataObject) -> None:
    boundary = "b-_-b" if format == "multipart" else None
    request = data.draw(batch_requests(format=format))
    try:
        payload = encode_request(request, format=format, boundary=boundary)
    except EncodeError as error:
        assert all(found.rule.slug == "boundary-in-content" for found in error.diagnostics)
        return
    assert encode_request(request_of(payload), format=format, boundary=boundary) == payload


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Limits of which one to three are small."""
    names = [each.name for each in fields(Limits) if each.name != "change_set_depth"]
    small = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    sizes = st.integers(0, 5) | st.integers(0, 130) | st.integers(0, 1000)
    return Limits(**{name: draw(sizes) for name in small})


@ROLES
@IN_EACH_FORMAT
@given(data=st.data(), limits=limits())
def test_what_is_written_is_read_under_the_same_limits(
    batches: Batches, format: Format, data: st.DataObject, limits: Limits
) -> None:
    batch, codec = data.draw(batches(format)), Codec(format=format, limits=limits, strict=True)
    for write in WRITERS:
        try:
            payload = write(codec, batch)
        except EncodeError as error:
            rules = {found.rule.slug for found in error.diagnostics}
            # Item by item, a name that was generated may be used later.
            assert rules <= {"limit-exceeded", "boundary-in-content"} or write is not WRITERS[0]
        else:
            decoded(codec, batch, payload)


# -- both formats --


def _leaves(batch: Batch) -> list[tuple[object, ...]]:
    if isinstance(batch, BatchRequest):
        return [(one.method, one.url, one.headers, one.body) for one in batch.operations()]
    return [(one.status, one.headers, one.body) for one in batch.responses()]


def _shape(batch: Batch) -> list[object]:
    items = [len(getattr(item, "items", ())) for item in batch.items]
    return [items, getattr(batch, "continue_on_error", None)]


@ROLES
@given(data=st.data())
def test_both_formats_give_the_same_batch(batches: Batches, data: st.DataObject) -> None:
    batch = data.draw(batches("both"))
    if isinstance(batch, BatchRequest) and batch.continue_on_error is False:
        batch = replace(batch, continue_on_error=None)  # which multipart does not write
    by_json, by_multipart = (written_and_read(batch, format) for format in ("json", "multipart"))
    assert _leaves(by_json) == _leaves(prepared(by_multipart, "json"))
    assert _shape(by_json) == _shape(by_multipart)


# -- hostile octets, values and answers --

PIECES = (
    b"--b|--|b|\r\n|\n|\r| |\t|:|\0|-|Content-Type: application/http\r\n|"
    b"Content-Type: multipart/mixed; |boundary=c|--c|GET a HTTP/1.1|HTTP/1.1 200 OK|"
    b"Content-Length: 3|Content-ID: 1\r\n|Content-Transfer-Encoding: base64\r\n|Z2V0|x|"
    b'{"requests":[|{"responses":[|{"id":"1",|"method":"GET",|"url":"a"|"status":200|"body":|'
    b'"headers":{|"atomicityGroup":"g",|}|]|,|"dependsOn":["1"]|null|"|\\u|\xff|\xef\xbb\xbf|1e400'
)
HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(PIECES.split(b"|")), max_size=60).map(b"".join),
)
HEADS = [f"Content-Type: {kind}\r\n\r\n".encode() for kind in (MULTIPART, JSON, "application/http")]
CORPUS_CASES = [file.read_bytes() for file in sorted(CORPUS.glob("*/*.http"))]


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A case of the corpus, the ends of two, or a head with hostile octets."""
    case, other = draw(st.sampled_from(CORPUS_CASES)), draw(st.sampled_from(CORPUS_CASES))
    if draw(st.booleans()):
        return draw(st.sampled_from(HEADS)) + draw(HOSTILE)
    start, end = draw(st.integers(0, len(case))), draw(st.integers(0, len(other)))
    return draw(st.sampled_from((case, case[:start] + draw(HOSTILE) + other[end:])))


@pytest.mark.parametrize("target", TARGETS)
@given(st.lists(messages(), min_size=1, max_size=2), st.binary(max_size=60))
def test_nothing_but_documented_errors_leaves_a_public_function(
    target: str, octets: list[bytes], choices: bytes
) -> None:
    """What it says for each target, `fuzz` says in its first line."""
    TARGETS[target](Source(MARK.join((*octets, choices))))


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
    *(
        (f"{name} as {kind}", f"application/{kind}", body)
        for kind in ("json", "merge-patch+json")
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
    request: Batch = BatchRequest([Operation("POST", "a", headers, body, id="1")])
    response: Batch = BatchResponse([OperationResponse(200, headers, body, id="1")])
    for format in (*FORMATS, FORMATS[0]):
        request, response = (written_and_read(each, format) for each in (request, response))
        assert [_leaves(each)[0][-1] for each in (request, response)] == [body, body]


# -- no injection --

NASTY = (
    "| |  |\t|\r|\n|\r\n|\r\n\r\n|\0|\x7f|\x0b|\x0c|\x1c|\x85|\u2028|\u2029|a\r\nX: 1|a\nX: 1|"
    "a\rX: 1|a\r\n X: 1|\r\n--b\r\n|\r\n--b--\r\n|--b|a HTTP/1.1\r\n\r\n|a HTTP/1.1|"
    'GET /x HTTP/1.1|"|\\"|","id":"2|\\|\\u0000|"}]}|{|\ud800|\udcff|é|😀|€|$1|1 | 1|a:b|../..|'
    "//evil/a|%0d%0a|\ufeff|=?utf-8?q?x?=|a;b|a,b|a=b|(a)"
).split("|")


def test_there_are_at_least_forty_nasty_strings() -> None:
    assert len(set(NASTY)) >= 40


def _batches_with(text: str) -> Iterator[Batch]:
    notes = [[("x", text.encode("utf-8", "surrogatepass"))], [(text, b"1")]]
    headers: list[tuple[dict[str, str], bytes]] = [
        ({text: "x"}, b""),
        ({"x": text}, b""),
        ({"Content-Type": text}, b"{}"),
        ({"Content-Type": f"text/plain; charset={text}"}, b"x"),
        ({"Content-Type": "text/plain"}, text.encode("utf-16", "surrogatepass")),
    ]
    post = partial(Operation, "POST", "a", id="1")
    operations = [
        Operation(text, "a", id="1"),
        Operation("POST", text, id="1"),
        Operation("POST", "a", id=text),
        post(depends_on=[text]),
        post(condition=text),
        *(post(headers=fields, body=body) for fields, body in headers),
        *(post(annotations=each) for each in notes),
    ]
    yield from (BatchRequest([operation]) for operation in operations)
    yield BatchRequest([ChangeSet([post()], id=text)])
    yield from (BatchRequest([post()], annotations=each) for each in notes)
    answer = partial(OperationResponse, 200, id="1")
    responses = [
        OperationResponse(200, id=text),
        answer(reason=text),
        *(answer(headers=fields, body=body) for fields, body in headers),
        *(answer(annotations=each) for each in notes),
    ]
    yield from (BatchResponse([response]) for response in responses)
    yield BatchResponse([ChangeSetResponse([answer()], id=text)])
    yield BatchResponse([answer()], next_link=text)
    yield from (BatchResponse([answer()], annotations=each) for each in notes)


def _reason(batch: Batch) -> str | None:
    return batch.responses()[0].reason if isinstance(batch, BatchResponse) else None


LENIENT = Dialect(name="lenient", severities=tuple((rule, Severity.NOTE) for rule in RULES))
CODECS = [
    *(Codec(dialect, format=format) for dialect in (ODATA_4_01, LENIENT) for format in FORMATS),
    Codec(GRAPH),
]


@pytest.mark.untraced
@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: f"{codec.dialect.name} {codec.format}")
@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_no_string_in_a_batch_gets_out_of_its_place(text: str, codec: Codec, write: Writer) -> None:
    """Nor where a dialect takes everything: it comes back as it was, or is refused."""
    for batch in _batches_with(text):
        try:
            payload = write(codec, batch)
        except EncodeError:
            continue
        read = decoded(codec, batch, payload)
        assert read == codec.prepare(batch)  # type: ignore[type-var]  # of either role
        if read.format == "multipart":
            assert _reason(batch) in (None, "", _reason(read))


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_no_argument_of_an_encoder_gets_out_of_its_place(text: str) -> None:
    request = BatchRequest([Operation("POST", "a", id="1")])
    for boundary, accept in ((text, None), (None, text)):
        try:
            payload = encode_request(request, boundary=boundary, accept=accept)
        except EncodeError:
            continue
        assert request_of(payload) == request
        assert payload.headers["Accept"] == ("multipart/mixed" if accept is None else accept)
