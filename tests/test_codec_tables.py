"""What a `Codec` learns from one batch changes nothing of what it says about the next."""

from __future__ import annotations

import copy
import gc
import pickle
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType, ModuleType

import pytest

from odata_batch import BatchRequest, BatchResponse, Codec, DecodeError, Limits, OperationResponse

from .helpers import GET, JSON, MULTIPART, PART_HEAD, PROFILE, batch, part
from .test_fixtures import CASES, Case

SMALL = [case for case in CASES if len(case.body) < 4000]
ROUNDS = {"quick": 1, "thorough": 40}.get(PROFILE, 1)

TIGHT = [
    *({"operations": 3}, {"headers_total": 900}, {"header_section": 120}, {"body": 40}),
    *({"field_line": 30}, {"fields": 3}, {"url": 20}, {"change_set_operations": 2}, {"id": 1}),
    *({"boundary": 10}, {"message": 1500}, {"diagnostics": 1}, {"change_set_depth": 2}),
]
TOKENS = [
    *(b"\r\n", b"\n", b" ", b"\t", b"--", b":", b"$", b"%", b"\xe9", b"\0", b"GET", b"x" * 70),
    *(b"Content-Length: 5\r\n", b"Content-ID: 1\r\n", b"content-id: 2\r\n", b"ETag: 1\r\n"),
    *(b"ETag: Content-Length: 5\r\n", b"If-Match: $1\r\n", b"Location: $1\r\n", b"Host: a\r\n"),
    *(b"OData-Version: x\r\n", b"Authorization: x\r\n", b"Prefer: respond-async\r\n"),
    *(b"Content-Type: application/http\r\n", b"HTTP/1.1 202 OK\r\n", b"GET $1/x HTTP/1.1\r\n"),
]


def mutated(body: bytes, rnd: random.Random) -> bytes:
    data = bytearray(body)
    for _ in range(rnd.randrange(4)):
        at = data.find(b"\n", rnd.randrange(len(data) + 1)) + 1
        match rnd.randrange(4):
            case 0:
                data[at:at] = rnd.choice(TOKENS)
            case 1:
                del data[at : at + rnd.choice((1, 2, 10, 50))]
            case 2:
                data[at:at] = data[-rnd.randrange(1, 400) :]
            case _:
                lines = bytes(data).split(b"\r\n")
                rnd.shuffle(lines) if len(lines) < 9 else lines.insert(3, rnd.choice(lines))
                data = bytearray(b"\r\n".join(lines))
    return bytes(data)


def places(items: tuple[object, ...]) -> Iterator[tuple[object, ...]]:
    """Yield where each item was found, which `==` does not compare."""
    for item in items:
        yield getattr(item, "position", None), getattr(item, "id_in_message", None)
        yield from places(getattr(item, "items", ()))


def said(codec: Codec, case: Case, body: bytes, size: int | None = None) -> tuple[object, ...]:
    """Return all that a codec says of a payload, which comes whole or in pieces of that size."""
    check = codec.check_request if case.is_request else codec.check_response
    report = check(body, case.content_type, headers=case.headers)
    decoder_of = codec.request_decoder if case.is_request else codec.response_decoder
    partial: tuple[object, ...] = ()
    batch: BatchRequest | BatchResponse | None = None
    found: list[object] = []
    try:
        decoder = decoder_of(case.content_type, headers=case.headers, report=found.append)
        for at in range(0, len(body), size or len(body) or 1):
            decoder.receive_data(body[at : at + (size or len(body))])
        decoder.receive_eof()
        batch = decoder.result
        partial = batch.items
    except DecodeError as error:
        found.append(str(error))
        partial = error.partial
    checked = () if report.value is None else report.value.items
    return report, [*places(checked)], batch, partial, [*places(partial)], found


def test_sections_that_are_too_long_to_be_remembered_are_read_all_the_same() -> None:
    long = b"".join(b"%s: %s\r\n" % (name, name * 600) for name in (b"A", b"B", b"C"))
    start = b"GET People HTTP/1.1\r\n" + long
    parts = [part(start + b"Number: %d\r\n\r\n" % n) for n in range(4)]
    read = Codec().check_request(batch(*parts), MULTIPART).value
    assert read is not None
    found = [each.headers["number"] for each in read.operations()]
    assert found == [str(n) for n in range(4)]


def test_what_is_recalled_says_the_same_as_what_is_read() -> None:
    rnd = random.Random(PROFILE)
    codecs: dict[object, Codec] = {}
    for case in rnd.sample(SMALL * ROUNDS, len(SMALL) * ROUNDS):
        limits = Limits(**rnd.choice(TIGHT)) if rnd.random() < 0.4 else case.limits
        body = mutated(case.body, rnd)
        fresh = Codec(case.dialect, limits=limits, strict=rnd.random() < 0.2)
        warm = codecs.setdefault(fresh, fresh.replace())
        expected = said(fresh.replace(), case, body)
        assert said(warm, case, body) == expected, (case.slug, limits, body)
        # Shorter than a delimiter line, so that each part is taken on its own.
        assert said(fresh, case, body, size=5) == expected, (case.slug, limits, body)


@pytest.mark.untraced
def test_threads_share_a_codec() -> None:
    shared = Codec()
    cases = [case for case in SMALL if case.format == "multipart"]
    expected = {case.slug: said(Codec(), case, case.body) for case in cases}

    def read(seed: int) -> None:
        for case in random.Random(seed).sample(cases, len(cases)):
            assert said(shared, case, case.body) == expected[case.slug], case.slug

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(read, range(8))] == [None] * 8


def reached(start: object) -> Iterator[str | bytes]:
    """Yield the texts that an object holds, directly or not."""
    seen, ahead = {id(start)}, [start]
    while ahead:
        each = ahead.pop()
        if isinstance(each, str | bytes):
            yield each
        for other in gc.get_referents(each):
            if id(other) not in seen and not isinstance(other, type | ModuleType | FunctionType):
                seen.add(id(other))
                ahead.append(other)


def holds(codec: Codec, text: str) -> bool:
    return any(
        text in each if isinstance(each, str) else text.encode() in each for each in reached(codec)
    )


SECRETS = ("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Location")


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("tag", ["1", "%d"])
def test_a_codec_keeps_no_secrets(name: str, tag: str) -> None:
    codec = Codec()
    for index in range(3):
        for value in ("TELLTALE", f"TELLTALE{index}"):
            fields = {"Content-Type": "text/plain", name: value, "X-Known": "KNOWN"}
            fields["ETag"] = tag.replace("%d", str(index))
            item = OperationResponse(200, fields, b"TELLTALE")
            payload = Codec().encode_response(BatchResponse([item, item]))
            codec.check_response(payload.body, payload.content_type)
            body = payload.body.replace(b"HTTP/1.1 200 OK", b"POST TELLTALE HTTP/1.1")
            codec.check_request(body, payload.content_type)
    head = PART_HEAD + f"{name}: TELLTALE\r\n{name}x: KNOWN\r\n".encode()
    codec.check_request(batch(part(GET, head=head), part(GET, head=head)), MULTIPART)
    assert not holds(codec, "TELLTALE")
    assert holds(codec, "KNOWN")


def test_a_codec_forgets() -> None:
    codec = Codec(strict=True)
    payload = codec.encode_response(BatchResponse([OperationResponse(204, {"X-Known": "KNOWN"})]))
    for _ in range(2):
        codec.decode_response(payload.body, payload.content_type)
    assert holds(codec, "KNOWN")
    for other in (copy.copy(codec), copy.deepcopy(codec), pickle.loads(pickle.dumps(codec))):
        assert other == codec
        assert not holds(other, "KNOWN")
    assert not holds(codec.replace(format="json"), "KNOWN")
    codec.clear()
    assert not holds(codec, "KNOWN")


@pytest.mark.untraced
@pytest.mark.parametrize("name", ["ETag", "X-Other", "Prefer"])
def test_tables_are_bounded(name: str) -> None:
    """Fields of which each batch has other values and names are forgotten some time."""
    codec = Codec()
    for index in range(2500):
        fields = {name: f'W/"{index}"', f"X-{index}": "1"}
        payload = codec.encode_response(
            BatchResponse([OperationResponse(204, fields)]), boundary="b"
        )
        (read,) = codec.decode_response(payload.body, payload.content_type).responses()
        assert read.ok
    assert len({each for each in reached(codec) if isinstance(each, bytes)}) < 6000


def test_a_kind_of_message_is_sound_whatever_its_body() -> None:
    codec = Codec()
    text = b'{"responses":[{"id":"1","status":200,"body":%s}]}'
    found = [codec.check_response(text % body, JSON).diagnostics for body in (b"{}", b'"yes"')]
    assert [[each.rule.slug for each in one] for one in found] == [[], ["json-string-body"]]
