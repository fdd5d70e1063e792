"""Other parsers see what strict decoding sees: the same parts and octets, the same JSON values.

Most parsers of multipart know forms only, so each part is given the field that they insist on. A
parser may refuse what strict decoding takes; what it reads otherwise is in `DIFFERENCES`.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, TypeAlias

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    EncodeError,
    Operation,
    Report,
    Severity,
    check_request,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from odata_batch import Payload as Encoded
from tests.helpers import PROFILE
from tests.interop.conftest import NodePackages, Table, node_packages, python_peer
from tests.test_fixtures import CASES
from tests.test_other_readers import METHODS, mutated

pytestmark = [pytest.mark.interop, pytest.mark.untraced]

Parts: TypeAlias = list[tuple[str, bytes]]
"""Parts as their Content-Type and octets."""
Seen: TypeAlias = list[tuple[int | None, str, bytes]]
"""Messages as the number of their change set, the status or method and URL, and the body."""
Parse: TypeAlias = Callable[[list[tuple[bytes, bytes]]], list[Parts | None]]
"""What a parser makes of payloads with their boundaries; `None` where it refuses one."""

COUNT = {"quick": 500, "thorough": 100_000}.get(PROFILE, 1_000)
FIELD = b'Content-Disposition: form-data; name="a"; filename="a"\r\n'


NESTED = re.compile(rb"(?i)(%b(?:[^\r\n]+\r\n)*?)content-type:(?=\s*multipart/)" % re.escape(FIELD))


@dataclass(frozen=True)
class Payload:
    """A payload that strict decoding takes, and what it reads."""

    data: bytes
    boundary: bytes
    inner: list[bytes]
    """The boundaries of its change sets."""
    batch: BatchRequest | BatchResponse
    ours: Seen
    has_outside: bool
    """Whether anything is there that belongs to no part."""


def boundary_in(head: bytes) -> bytes:
    return str(BytesParser(policy=HTTP).parsebytes(head).get_boundary()).encode()


def taken(data: bytes, content_type: str, is_request: bool) -> Payload | None:
    """Return a payload with the field in each part, or `None` if strict decoding refuses it."""
    check: Callable[[bytes, str], Report[Any]] = check_request if is_request else check_response
    report = check(data, content_type)
    batch = report.value
    if batch is None or not report.ok or report.worst == Severity.WARNING:
        return None
    boundary = boundary_in(b"Content-Type: " + content_type.encode())
    places: list[int] = []
    inner: list[bytes] = []
    ours: Seen = []
    for item in batch.items:
        number, each_of = None, tuple[Any, ...]((item,))
        assert item.position is not None
        if isinstance(item, ChangeSet | ChangeSetResponse):
            each_of, start = item.items, data.rindex(b"--" + boundary, 0, item.position)
            places.append(data.index(b"\n", start) + 1)
            inner.append(boundary_in(data[places[-1] : item.position]))
            number = len(inner)
        for each in each_of:
            is_operation = isinstance(each, Operation)
            what = f"{each.method} {each.url}" if is_operation else str(each.status)
            ours.append((number, what, each.body))
            places.append(each.position)
    for place in sorted(places, reverse=True):
        data = data[:place] + FIELD + data[place:]
    outside = {"preamble", "epilogue"}.intersection(it.rule.slug for it in report.diagnostics)
    return Payload(data, boundary, inner, batch, ours, bool(outside))


def seen(payloads: list[Payload], parse: Parse) -> list[Seen | None]:
    """Return the messages that a parser finds in each payload, those of change sets included."""
    found = parse([(each.data, each.boundary) for each in payloads])
    pairs = list(zip(payloads, found, strict=True))
    nested = [
        (octets, payload.inner[number])
        for payload, parts in pairs
        for number, octets in enumerate(sets_in(parts, payload))
    ]
    inside = iter(parse(nested))
    return [
        None if parts is None else flat(parts, [next(inside) for _ in sets_in(parts, payload)])
        for payload, parts in pairs
    ]


def is_set(content_type: str) -> bool:
    return content_type.strip().lower().startswith("multipart/")


def sets_in(parts: Parts | None, payload: Payload) -> list[bytes]:
    sets = [octets for content_type, octets in parts or () if is_set(content_type)]
    return sets[: len(payload.inner)]


def flat(parts: Parts, inside: list[Parts | None]) -> Seen | None:
    """Return the messages in parts, those of change sets in what was found inside of these."""
    found: Seen = []
    sets = 0
    for content_type, octets in parts:
        members: Parts | None = [("", octets)]
        if is_set(content_type):
            members = inside[sets] if sets < len(inside) else [("", b"one more change set")]
            sets += 1
        if members is None:
            return None
        number = sets if is_set(content_type) else None
        found += [(number, *message(each)) for _, each in members]
    return found


def message(octets: bytes) -> tuple[str, bytes]:
    """Return the status, or the method and URL, of a message, and its body."""
    head, _, body = octets.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    first, _, rest = line.decode("utf-8", "surrogateescape").partition(" ")
    url = re.sub(r" +HTTP/1\.[01] *$", "", rest).strip(" ")
    what = f"{METHODS.get(first.upper(), first)} {url}"
    if first.startswith("HTTP/"):
        what = rest[:3]
    # Without the CRLF that a correct Content-Length does not count
    length = re.compile(rb"(?i)content-length[ \t]*:[ \t]*%d[ \t]*" % (len(body) - 2))
    return what, body[:-2] if any(map(length.fullmatch, fields)) else body


# -- multipart in Python ---------------------------------------------------------------------------


def each(parse: Callable[[bytes, bytes], Parts]) -> Parse:
    """Return a function of many payloads."""

    def one(data: bytes, boundary: bytes) -> Parts | None:
        try:
            return parse(data, boundary)
        except Exception:  # however a parser refuses
            return None

    return lambda payloads: [one(*payload) for payload in payloads]


def with_email(_: Any) -> Parse:
    def parse(data: bytes, boundary: bytes) -> Parts:
        head = b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n' % boundary
        # It parses what is nested itself, and so writes it again: as other parts it stays as it is.
        data = NESTED.sub(rb"\1X-Type:", data)
        parsed = BytesParser(policy=HTTP).parsebytes(head + data)
        assert parsed.is_multipart()
        parts: Parts = []
        for part in parsed.iter_parts():
            octets = part.get_payload(decode=True)
            content_type = part.get("X-Type", part["Content-Type"] or "")
            parts.append((str(content_type), octets if isinstance(octets, bytes) else b""))
        return parts

    return each(parse)


def with_werkzeug(module: Any) -> Parse:
    def parse(data: bytes, boundary: bytes) -> Parts:
        decoder = module.MultipartDecoder(boundary)
        decoder.receive_data(data)
        decoder.receive_data(None)
        parts: Parts = []
        while not isinstance(event := decoder.next_event(), module.Epilogue):
            assert not isinstance(event, module.NeedData)
            if isinstance(event, module.File | module.Field):
                parts.append((event.headers.get("Content-Type", ""), b""))
            elif isinstance(event, module.Data):
                parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
        return parts

    return each(parse)


def with_multipart(module: Any) -> Parse:
    def parse(data: bytes, boundary: bytes) -> Parts:
        parts: Parts = []
        with module.PushMultipartParser(boundary, strict=True, max_header_count=100) as parser:
            for event in parser.parse(data):
                if isinstance(event, module.MultipartSegment):
                    parts.append((event.header("Content-Type", ""), b""))
                elif event is not None:
                    parts[-1] = (parts[-1][0], parts[-1][1] + bytes(event))
        return parts

    return each(parse)


def with_python_multipart(module: Any) -> Parse:
    def parse(data: bytes, boundary: bytes) -> Parts:
        parts: Parts = []
        fields: list[bytes] = [b"", b""]

        def begin() -> None:
            parts.append(("", b""))

        def name(data: bytes, start: int, end: int) -> None:
            fields[0] += data[start:end]

        def value(data: bytes, start: int, end: int) -> None:
            fields[1] += data[start:end]

        def field() -> None:
            if fields[0].lower() == b"content-type":
                parts[-1] = (fields[1].decode("latin-1"), b"")
            fields[:] = [b"", b""]

        def octets(data: bytes, start: int, end: int) -> None:
            parts[-1] = (parts[-1][0], parts[-1][1] + data[start:end])

        callbacks = {"on_part_begin": begin, "on_part_data": octets, "on_header_field": name}
        callbacks |= {"on_header_value": value, "on_header_end": field}
        parser = module.MultipartParser(boundary, callbacks, max_header_count=100)
        parser.write(data)
        parser.finalize()
        return parts

    return each(parse)


def with_toolbelt(module: Any) -> Parse:
    def parse(data: bytes, boundary: bytes) -> Parts:
        content_type = f'multipart/mixed; boundary="{boundary.decode()}"'
        parts = module.MultipartDecoder(data, content_type).parts
        return [(part.headers.get(b"Content-Type", b"").decode(), part.content) for part in parts]

    return each(parse)


PYTHON = {
    "email": (with_email, "email.parser"),
    "werkzeug": (with_werkzeug, "werkzeug.sansio.multipart"),
    "multipart": (with_multipart, "multipart"),
    "python-multipart": (with_python_multipart, "python_multipart"),
    "requests-toolbelt": (with_toolbelt, "requests_toolbelt.multipart.decoder"),
}


# -- multipart in Node -----------------------------------------------------------------------------

NODE = ("busboy", "@fastify/busboy", "dicer", "undici")


def in_node(package: str, packages: NodePackages) -> Parse:
    def parse(payloads: list[tuple[bytes, bytes]]) -> list[Parts | None]:
        asked = [
            [base64.b64encode(data).decode(), boundary.decode("latin-1")]
            for data, boundary in payloads
        ]
        return [
            parts and [(content_type, base64.b64decode(octets)) for content_type, octets in parts]
            for parts in packages.answers("parsers.mjs", package, asked)
        ]

    return parse


# -- what they see ---------------------------------------------------------------------------------

PADDED = "a part with white space after its boundary is left out"
OUTSIDE = "a preamble or an epilogue that has an empty line is taken for a part"


def is_padded(payload: Payload) -> bool:
    names = b"|".join(map(re.escape, (payload.boundary, *payload.inner)))
    return re.search(rb"--(?:%b)[ \t]+\r\n" % names, payload.data) is not None


def has_outside(payload: Payload) -> bool:
    return payload.has_outside or payload.data.rstrip(b" \t").endswith(b"\r\n\r\n")


DIFFERENCES = {
    "busboy": (PADDED, is_padded),
    "@fastify/busboy": (PADDED, is_padded),
    "requests-toolbelt": (OUTSIDE, has_outside),
}

SOUND = [
    (case, payload)
    for case in CASES
    if case.content_type.lower().startswith("multipart/") and len(case.body) < 20_000
    if (payload := taken(case.body, case.content_type, case.is_request)) is not None
]


@pytest.fixture(scope="session")
def payloads() -> list[Payload]:
    """What strict decoding takes: fixtures, and many others that were made of them."""
    found = [payload for _, payload in SOUND]
    rnd = random.Random(PROFILE)
    for _ in range(COUNT):
        case, payload = rnd.choice(SOUND)
        data = mutated(rnd, case.body, payload.boundary)
        found += filter(None, [taken(data, case.content_type, case.is_request)])
    return found


def parser(name: str) -> tuple[str, Parse]:
    """Return the version of a parser, and what it makes of payloads."""
    if name in NODE:
        packages = node_packages("peers", name)
        return packages.version(name), in_node(name, packages)
    make, module = PYTHON[name]
    version, [imported] = python_peer(name, module)
    return version, make(imported)


@pytest.mark.parametrize("name", (*PYTHON, *NODE))
def test_a_parser_refuses_nothing_that_is_written(name: str, table: Table) -> None:
    version, parse = parser(name)
    written = []
    for case, payload in SOUND:
        encode: Callable[[Any], Encoded] = encode_request if case.is_request else encode_response
        with suppress(EncodeError):
            sent = encode(payload.batch)
            written.append(taken(sent.body, sent.headers["Content-Type"], case.is_request))
    payloads = [each for each in written if each is not None and each.ours]
    assert None not in written
    assert seen(payloads, parse) == [each.ours for each in payloads]
    table.add(name, version, "parser", "what is written", "the same parts and octets")


@pytest.mark.parametrize("name", (*PYTHON, *NODE))
def test_a_parser_sees_the_same_parts(name: str, payloads: list[Payload], table: Table) -> None:
    version, parse = parser(name)
    read = seen(payloads, parse)
    sentence, applies = DIFFERENCES.get(name, ("", lambda _: False))
    others = [
        each
        for each, found in zip(payloads, read, strict=True)
        if found is not None and found != each.ours
    ]
    assert not [(each.data, each.ours) for each in others if not applies(each)]
    assert bool(others) is bool(sentence)
    assert read.count(None) < len(payloads) / 4
    exchanged = "payloads that strict decoding takes, with a field of forms in each part"
    table.add(
        name, version, "parser", exchanged, "the same parts and octets", *filter(None, [sentence])
    )


# -- JSON ------------------------------------------------------------------------------------------

PIECES = (
    b'"',
    b"\\",
    b":",
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b"1",
    b"e9",
    b"\\u0041",
    b" ",
    b"\xc3\xa9",
)
CONTENT_TYPE = "application/json"
JSON = re.compile(r"(?i)application/json|.*\+json")
CONTENT = re.compile(
    r"(?a)(?P<type>[\w.+-]+/[\w.+-]+)(?: *; *(?:charset=(?P<charset>[\w-]+)|[\w.-]+=[^;]+))*"
)


def plain(value: object) -> object:
    """Return a value as JavaScript has it, without the padding of base64; empty text is nothing."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return list(map(plain, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None if abs(value) > 1.7e308 else float(value)
    return (value.rstrip("=") or None) if isinstance(value, str) else value


def said(batch: BatchRequest | BatchResponse) -> object:
    """Return what each message of a batch says, in the order of the payload."""
    messages: tuple[Any, ...]
    messages = batch.operations() if isinstance(batch, BatchRequest) else batch.responses()
    found = []
    each: Any
    for each in sorted(messages, key=lambda each: each.position or 0):
        content = CONTENT.fullmatch(each.headers.get("content-type", CONTENT_TYPE))
        assert content is not None, "how the body is spelt is not certain"
        charset = content["charset"] or "utf-8"
        body: object = base64.urlsafe_b64encode(each.body).decode()
        with suppress(ValueError):  # what is no such text, was base64
            if each.body and JSON.fullmatch(content["type"]):
                body = json.loads(each.body.decode(charset))
            elif content["type"].lower().startswith("text/"):
                body = each.body.decode(charset)
        what = each.url if isinstance(each, Operation) else each.status
        found.append([each.id, what, body])
    return plain(found)


def heard(value: Any) -> object:
    """Return the same of what a parser made of a batch."""
    items = value.get("requests", value.get("responses"))
    return plain([[it.get("id"), it.get("url", it.get("status")), it.get("body")] for it in items])


@pytest.fixture(scope="session")
def batches() -> list[tuple[bytes, object]]:
    """JSON batches that strict decoding takes, and what they say."""
    found: list[tuple[bytes, object]] = []
    rnd = random.Random(PROFILE)
    cases = [
        case
        for case in CASES
        if case.content_type.startswith(CONTENT_TYPE) and len(case.body) < 20_000
    ]
    for number in range(len(cases) + COUNT):
        case = cases[number] if number < len(cases) else rnd.choice(cases)
        data = case.body
        if number >= len(cases):
            at = rnd.randrange(len(data) + 1)
            data = data[:at] + rnd.choice(PIECES) + data[at + rnd.randrange(3) :]
        decode: Callable[..., BatchRequest | BatchResponse]
        decode = decode_request if case.is_request else decode_response
        with suppress(DecodeError, AssertionError, LookupError):
            found.append((data, said(decode(data, case.content_type, strict=True))))
    return found


@pytest.mark.parametrize("name", ["json", "orjson", "JSON"])
def test_a_parser_sees_the_same_values(
    name: str, batches: list[tuple[bytes, object]], table: Table
) -> None:
    read: list[Any] = []
    if name == "JSON":
        packages = node_packages("peers", NODE[0])
        parts = in_node(name, packages)([(data, b"") for data, _ in batches])
        read = [each and json.loads(each[0][1]) for each in parts]
        version = "of Node"
    else:
        version, [module] = python_peer(name, name)
        for data, _ in batches:
            with suppress(ValueError):
                read.append(module.loads(data))
                continue
            read.append(None)
    others = [
        (data, ours)
        for (data, ours), found in zip(batches, read, strict=True)
        if found is not None and heard(found) != ours
    ]
    assert not others
    assert read.count(None) < len(batches) / 20
    exchanged = "JSON batches that strict decoding takes"
    table.add(name, version, "parser", exchanged, "the same values")
