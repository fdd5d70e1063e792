"""Decoders that stream: put together, the events are what the decoder without stream reads."""

import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from odata_batch import (
    ChangeSet,
    ChangeSetEnd,
    ChangeSetResponse,
    ChangeSetStart,
    Codec,
    Data,
    DecodeError,
    Diagnostic,
    Dialect,
    Headers,
    ItemEnd,
    ItemStart,
    LimitExceeded,
    Limits,
    Operation,
    RequestDecoder,
    ResponseDecoder,
    Severity,
    rules,
)
from odata_batch.dialects import AZURE_TABLES, ODATA_4_01

from .helpers import CRLF, MULTIPART, PART_HEAD, PROFILE, batch, change_set, member, part, untraced
from .test_fixtures import CASES, Case

MUTATIONS = 20 if PROFILE == "thorough" else 1
INSERTED = (
    b"\r\n|\n|\r|--|-| |\r\n--b|--b|:|\r\n\r\n|x|\r\n--c--\r\n|--b \t|Content-Length: 5\r\n".split(
        b"|"
    )
)
ERRORS: dict[str, Severity] = {
    each: Severity.WARNING for each in rules.RULES.values() if each.severity is Severity.ERROR
}
PUT = b"PUT Photo HTTP/1.1\r\nContent-Type: image/png\r\n\r\n"


def together(events: list[Any], is_request: bool) -> list[Any]:
    """Return the items that the events are about; what does not end is left out."""
    levels: list[tuple[list[Any], ChangeSetStart | None]] = [([], None)]
    head: Any = None
    body: list[bytes] = []
    path = ""
    for event in events:
        items, start = levels[-1]
        if isinstance(event, ItemStart):
            head, body, path = event.item, [], event.path
        elif isinstance(event, Data):
            assert event.data
            body.append(event.data)
        elif isinstance(event, ItemEnd):
            assert event.path == path
            items.append(replace(head, body=b"".join(body)))
        elif isinstance(event, ChangeSetStart):
            levels.append(([], event))
        elif isinstance(event, ChangeSetEnd):
            assert start is not None
            assert start.path == event.path
            kind: Any = ChangeSet if is_request else ChangeSetResponse
            levels.pop()
            levels[-1][0].append(kind(items, id=start.id))
        else:
            items.append(event)
    return levels[0][0]


def read(decoder: Any, chunks: list[bytes]) -> tuple[list[Any], DecodeError | None]:
    """Return all that a decoder hands out, and the error that it raises."""
    out: list[Any] = []
    try:
        for chunk in chunks:
            out += decoder.receive_data(chunk)
        out += decoder.receive_eof()
    except DecodeError as error:
        return out, error
    return out, None


def cuts(body: bytes, is_whole: bool, source: random.Random) -> Iterator[list[bytes]]:
    yield [body[at : at + 7] for at in range(0, len(body), 7)]
    yield [body]
    yield [body[at : at + 1] for at in range(len(body))]
    places = range(1, len(body))
    for at in places if is_whole else source.sample(places, min(len(places), 2)):
        yield [body[:at], body[at:]]


def mutated(body: bytes, source: random.Random) -> bytes:
    octets = bytearray(body)
    for _ in range(source.choice((1, 1, 2, 3))):
        at, other = source.randrange(len(octets) + 1), source.randrange(len(octets) + 1)
        kind = source.random()
        if kind < 0.4:
            octets[at:at] = source.choice(INSERTED)
        elif kind < 0.7:
            del octets[at : at + source.randrange(1, 9)]
        else:
            octets[at:at] = octets[other : other + source.randrange(40)]
    return bytes(octets) or b"-"


def told(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return sorted([repr(each) for each in diagnostics])


def agree(case: Case, body: bytes, dialect: Dialect, cut: list[list[bytes]], stream: Any) -> None:
    """Compare a decoder that streams, given the body in chunks, with one that does not."""
    kind: Any = RequestDecoder if case.is_request else ResponseDecoder
    settings = case.settings | {"dialect": dialect}
    try:
        whole = kind(case.content_type, **settings)
    except DecodeError:  # it says of what; nothing is streamed
        return
    expected = *read(whole, [body]), whole.diagnostics
    for number, chunks in enumerate(cut):
        streaming = kind(case.content_type, stream=stream, **settings)
        try:
            with untraced() if number > 1 else nullcontext():
                compare(case, expected, streaming, chunks)
        except Exception as failure:
            failure.add_note(f"{body!r} in {[*map(len, chunks)][:9]}, {dialect.name}")
            raise


def compare(case: Case, expected: Any, streaming: Any, chunks: list[bytes]) -> None:
    """Compare what a decoder hands out that streams with what is read and found without."""
    items, error, found = expected
    events, other = read(streaming, chunks)
    others = streaming.diagnostics
    if any("truncated" in each.rule for each in found):
        # The head of the last part, which nothing ends, was handed out.
        last = f"items[{len(items)}]"
        if other is not None and other.path.startswith(last):
            return
        others = tuple([each for each in others if not each.path.startswith(last)])
    if error is None or other is None:
        assert (error, other) == (None, None)
        assert together(events, case.is_request) == items
        assert told(others) == told(found)
    else:
        # A line end before a delimiter is found at the end of a part, after its head.
        assert error.rule is rules.MIXED_LINE_ENDINGS or other.diagnostic == error.diagnostic


CUT = [each for each in CASES[:: 4 if PROFILE == "quick" else 1] if len(each.body) < 20_000]


@pytest.mark.parametrize("case", CUT, ids=lambda case: case.slug)
def test_a_stream_has_what_is_read_without(case: Case) -> None:
    source = random.Random(case.slug)
    lowered: dict[str, Severity] = {**dict(case.dialect.severities), **ERRORS}
    lenient = replace(case.dialect, severities=tuple(lowered.items()))
    wants: tuple[bool | Callable[[Any], bool], ...] = True, lambda head: len(head.headers) != 1
    bodies = [case.body, *[mutated(case.body, source) for _ in range(MUTATIONS)]]
    for number, body in enumerate(bodies):
        is_whole = PROFILE == "thorough" and not number and len(body) < 600
        cut = [*cuts(body, is_whole, source)]
        with untraced() if number else nullcontext():
            agree(case, body, case.dialect, cut, wants[number % 2])
            if number or case.expectation["default"] == "reject":
                agree(case, body, lenient, cut if is_whole else cut[1:3], wants[number % 2])


# What ends where it is not expected to
LONG = part(PUT + b"x" * 600)
SIZED = PUT.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n") + b"12345"
SET = change_set(member(PUT + b"x"))
STARTS = b"--b- --c--- \r\n-\r--\n--\r\n--bx\n" + b"y" * 520 + b"\r\n--cx"
DEEP = change_set(member(PUT + b"y" * 120, boundary=b"d"), boundary=b"d", outer=b"c")
SEAMS = {
    "what begins like delimiters": batch(change_set(member(PUT + STARTS))),
    "no set in a set": batch(change_set(DEEP)),
    "no set in a set, nor its names": batch(change_set(DEEP)).replace(CRLF, b"\n"),
    "a long line that ends the octets": batch(LONG)[: -len(CRLF + b"--b--" + CRLF)],
    "half of a line end after the length": batch(part(SIZED + b"\r")),
    "a line end after the length": batch(part(SIZED + CRLF)),
    "LF before the delimiter after a change set": batch(SET).replace(b"\r\n--b--", b"\n--b--"),
    "LF after what follows a change set": batch(SET + b"x\n"),
    "two lookalikes": batch(part(PUT + (b"--b\r" + b"x" * 600) * 2)),
    "what goes on like no lookalike": batch(part(PUT + b"y--bx" * 200)),
    "a lookalike in a head": batch(part(PUT.replace(CRLF * 2, b"\r\nX: --b\r\n\r\n") + b"x" * 99)),
    "CRLF among lines that end in LF": batch(part(SIZED.replace(b": 5", b": 6")))
    .replace(CRLF, b"\n")
    .replace(b"12345", b"1\r\n2\n"),
    "a field that begins as a delimiter does": batch(part(PUT, head=PART_HEAD + b"--bX: 1\r\n")),
    "a length of what is encoded": batch(
        part(PUT, head=PART_HEAD.replace(b"binary", b"base64\r\nContent-Length: 5"))
    ),
    "what looks like the delimiter that is missing": batch(SET.replace(b"--c--", b"--cx\r\n")),
}


@pytest.mark.parametrize("body", SEAMS.values(), ids=SEAMS)
def test_a_stream_ends_where_what_is_read_without_ends(body: bytes) -> None:
    limits = Limits(body=100 if b"--d--" in body else 10_000)
    case = Case({}, "multipart", True, body, MULTIPART, Headers(), limits, ODATA_4_01)
    for dialect in (ODATA_4_01, replace(ODATA_4_01, severities=tuple(ERRORS.items()))):
        agree(case, body, dialect, [*cuts(body, True, random.Random(0))], True)


def test_a_body_is_handed_out_as_it_arrives() -> None:
    limits = Limits(message=10**9, body=10**9)
    decoder = RequestDecoder(MULTIPART, limits=limits, stream=True)
    head = b"--b" + CRLF + PART_HEAD + CRLF + PUT
    assert [decoder.receive_data(head[at : at + 1]) for at in range(len(head) - 1)][-1] == []
    (start,) = decoder.receive_data(head[-1:] + b"x")[:1]
    assert isinstance(start, ItemStart)
    assert (start.item.url, start.item.body, start.path) == ("Photo", b"", "items[0]")
    chunk = b"some octets, --and a few more" * 1000
    assert decoder.receive_data(chunk) == [Data(chunk)]
    assert decoder.receive_data(b"y\r\n--") == [Data(b"y")]
    assert decoder.receive_data(b"b--\r\n") == [ItemEnd("items[0]")]
    assert decoder.receive_eof() == []
    assert decoder.result.items == ()


def test_an_error_in_a_head_is_raised_before_the_body_and_a_limit_within_it() -> None:
    decoder = RequestDecoder(MULTIPART, stream=True)
    with pytest.raises(DecodeError, match="method-syntax"):
        decoder.receive_data(b"--b" + CRLF + PART_HEAD + CRLF + PUT.replace(b"P", b"(", 1) + b"x")
    one = RequestDecoder(MULTIPART, limits=Limits(operations=1), stream=True)
    one.receive_data(part(PUT) + part(PUT))
    with pytest.raises(LimitExceeded):
        one.receive_data(b"x")
    small = Codec(limits=Limits(body=10)).request_decoder(MULTIPART, stream=True)
    events = small.receive_data(b"--b" + CRLF + PART_HEAD + CRLF + PUT + b"0123456789")
    assert events[1:] == [Data(b"0123456789")]
    with pytest.raises(LimitExceeded) as caught:
        small.receive_data(b"0")
    assert (caught.value.limit, caught.value.partial) == ("body", ())


def test_what_is_not_wanted_in_pieces_comes_whole_in_change_sets_and_json_too() -> None:
    members = member(PUT + b"1"), member(PUT.replace(b"Photo", b"Film") + b"2", b"2")
    payload = batch(change_set(*members), part(PUT))
    decoder = RequestDecoder(MULTIPART, stream=lambda head: head.url == "Photo")
    kinds = [type(each) for each in read(decoder, [payload])[0]]
    whole = [ChangeSetStart, ItemStart, Data, ItemEnd, Operation, ChangeSetEnd, ItemStart, ItemEnd]
    assert kinds == whole
    text = b"""{"requests": [
        {"id": "1", "method": "PUT", "url": "Photo", "atomicityGroup": "g", "body": 1},
        {"id": "2", "method": "PUT", "url": "Film", "atomicityGroup": "g", "body": 2},
        {"id": "3", "method": "GET", "url": "Photo"}]}"""
    events, _ = read(RequestDecoder("application/json", stream=lambda x: x.url == "Photo"), [text])
    assert [type(each) for each in events] == whole
    assert events[0] == ChangeSetStart("g", "items[0]")  # wherever in the payload it is


def test_a_dialect_that_looks_into_bodies_finds_the_same_in_a_stream() -> None:
    body = b"POST T HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
    first, second = (body + b'{"PartitionKey":"%s"}' % key for key in (b"a", b"b"))
    payload = batch(change_set(member(first), member(second, b"2")))
    decoder = Codec(AZURE_TABLES).request_decoder(MULTIPART, stream=True)
    error = read(decoder, [payload])[1]
    assert error is not None
    assert error.rule is rules.PARTITION_MIXED


def test_the_answer_says_how_the_batch_goes_on() -> None:
    decoder = ResponseDecoder(MULTIPART, stream=True, dialect=ODATA_4_01)
    read(decoder, [b"--b" + CRLF + PART_HEAD + CRLF + b"HTTP/1.1 200 OK\r\n\r\nsome"])
    assert decoder.result.truncated
    assert decoder.result.items == ()
