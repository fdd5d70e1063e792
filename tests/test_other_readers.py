"""Models of other readers of multipart requests, held against strict decoding.

What strict decoding takes, none of them reads as other operations. Each model is of a kind:
OData.Core takes a delimiter anywhere in a line and trusts a Content-Length, Olingo ends lines at a
bare CR, and some servers know no line end but CRLF. A model that gives up reads nothing else.
"""

from __future__ import annotations

import random
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from odata_batch import BatchRequest, ChangeSet, DecodeError, Operation, decode_request

from .helpers import MULTIPART, PART_HEAD, PROFILE, batch, change_set, member, part
from .test_fixtures import CASES

pytestmark = pytest.mark.untraced

Read: TypeAlias = list[tuple[int | None, str, str, bytes]]
"""Operations as the number of their change set, method, URL and body."""


class GivesUp(Exception):
    """The payload is refused, or is not understood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """How another program finds what it reads."""

    before: bytes
    """What comes before a delimiter, as a pattern."""
    padding: bytes = rb"[ \t]*"
    """What may follow the boundary."""
    line_end: bytes
    """What ends a line."""
    trusts_lengths: bool = False
    """Whether Content-Length says where a body ends."""

    def read(self, data: bytes, boundary: bytes) -> Read:
        """Return the operations that it would execute."""
        found: Read = []
        stack, sets = [boundary], 0
        delimiter, at = self._delimiter(data, 0, stack), 0
        while delimiter is not None:
            del stack[stack.index(delimiter["boundary"]) + 1 :]
            at = delimiter.end()
            if delimiter["close"]:
                stack.pop()
                if not stack:
                    return found
                delimiter = self._delimiter(data, at, stack)
                continue
            head, at = self._section(data, at)
            media_type = _field(head, rb"content-type")
            inner = re.search(rb'(?i)^multipart/.*boundary="?([^";]+)', media_type)
            if inner is not None:
                stack.append(inner[1])
                sets += 1
                delimiter = self._delimiter(data, at, stack)
                continue
            if not media_type.lower().startswith(b"application/http"):
                raise GivesUp
            section, at = self._section(data, at)
            line, *fields = section
            first, _, rest = line.partition(b" ")
            url, _, version = rest.rpartition(b" ")
            if not re.fullmatch(rb"HTTP/1\.[01]", version):
                raise GivesUp
            length = _field(fields, rb"content-length") if self.trusts_lengths else b""
            end = at + int(length) if length.isdigit() else None
            delimiter = self._delimiter(data, at if end is None else end, stack)
            if delimiter is None or (end is not None and end > len(data)):
                raise GivesUp
            body = data[at : max(at, delimiter.start()) if end is None else end]
            number = sets if len(stack) > 1 else None
            found.append((number, first.decode(), url.strip(b" ").decode("utf-8", "replace"), body))
        raise GivesUp

    def _delimiter(self, data: bytes, at: int, stack: list[bytes]) -> re.Match[bytes] | None:
        names = b"|".join(map(re.escape, sorted(stack, key=len, reverse=True)))
        form = rb"(?:%b)--(?P<boundary>%b)(?P<close>--)?%b(?:%b|\Z)"
        pattern = re.compile(form % (self.before, names, self.padding, self.line_end))
        # A delimiter shares its first line end with what ends there.
        start = at - len(re.split(rb"[^\r\n]", data[max(0, at - 2) : at])[-1])
        return pattern.search(data, start)

    def _section(self, data: bytes, at: int) -> tuple[list[bytes], int]:
        """Return the lines before the next empty one, and where that ends; one is passed over."""
        lines: list[bytes] = []
        line_end = re.compile(self.line_end)
        while (end := line_end.search(data, at)) is not None:
            line, at = data[at : end.start()], end.end()
            if not line and lines:
                return lines, at
            lines += [line] if line else []
        raise GivesUp


def _field(lines: list[bytes], name: bytes) -> bytes:
    for line in lines:
        found = re.fullmatch(rb"(?i)%b[ \t]*:[ \t]*(.*?)[ \t]*" % name, line, re.DOTALL)
        if found is not None:
            return found[1]
    return b""


ANY = rb"\r\n|\r|\n"
READERS = {
    "length-framed": Reader(before=rb"\r?\n|\A", line_end=rb"\r?\n", trusts_lengths=True),
    "mid-line-splitting": Reader(
        before=ANY + b"|", padding=rb"[ \t\x0b\x0c\x85\xa0]*", line_end=ANY
    ),
    "CR-splitting": Reader(before=ANY + rb"|\A", padding=rb"[ \t\x0b\x0c]*", line_end=ANY),
    "CRLF-only": Reader(before=rb"\r\n|\A", line_end=rb"\r\n"),
}


def ours(request: BatchRequest) -> Read:
    found: Read = []
    sets = 0
    for item in request.items:
        sets += isinstance(item, ChangeSet)
        operations = item.operations() if isinstance(item, ChangeSet) else [item]
        for each in operations:
            assert isinstance(each, Operation)
            number = sets if isinstance(item, ChangeSet) else None
            found.append((number, each.method, each.url, each.body))
    return found


METHODS = {name: name for name in "GET HEAD POST PUT PATCH MERGE DELETE OPTIONS".split()}


def explained(read: Read, request: BatchRequest) -> Read:
    """Take off the CRLF that a correct Content-Length does not count, and what is in upper case."""
    lengths = [each.headers.get("content-length") for each in request.operations()]
    return [
        (
            number,
            METHODS.get(method.upper(), method),
            url,
            body[:-2] if length == str(len(body) - 2) else body,
        )
        for (number, method, url, body), length in zip(read, lengths, strict=False)
    ] + read[len(lengths) :]


def boundary_of(content_type: str) -> bytes:
    found = re.search(r'(?i)boundary="?([^";]+)', content_type)
    return b"" if found is None else found[1].encode()


def disagreements(data: bytes, content_type: str) -> list[str] | None:
    """Return the models that read something else than strict decoding; `None` if that refuses."""
    try:
        request = decode_request(data, content_type, strict=True)
    except DecodeError:
        return None
    found = []
    for name, reader in READERS.items():
        try:
            read = reader.read(data, boundary_of(content_type))
        except GivesUp:
            continue
        if explained(read, request) != ours(request):
            found.append(name)
    return found


REQUESTS = [case for case in CASES if case.is_request and case.format == "multipart"]
REQUESTS = [case for case in REQUESTS if len(case.body) < 20_000]
SOUND = [case for case in REQUESTS if disagreements(case.body, case.content_type) is not None]


def test_no_other_reader_sees_anything_else_in_what_strict_decoding_takes() -> None:
    assert len(SOUND) > 50
    odd = {case.slug: disagreements(case.body, case.content_type) for case in REQUESTS}
    assert not {slug: found for slug, found in odd.items() if found}


@pytest.mark.parametrize("name", READERS)
def test_each_model_reads_what_is_written_plainly(name: str) -> None:
    data = batch(part(), change_set(member(b"POST A HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")))
    assert READERS[name].read(data, b"b") == ours(decode_request(data, MULTIPART))


SMUGGLED = PART_HEAD + b"\r\nDELETE A HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("length-framed", b"Content-Length: 40\r\n\r\nabc"),
        ("mid-line-splitting", b"\r\nabc--b\r\n" + SMUGGLED),
        ("mid-line-splitting", b"\r\nabc--b \x85\xa0\n" + SMUGGLED),
        ("CR-splitting", b"\r\nabc\r--b\r\n" + SMUGGLED),
        ("CR-splitting", b"\r\nabc\r\n--b\r" + SMUGGLED),
        ("CRLF-only", b"\r\nabc\n--b\r\n" + SMUGGLED),
    ],
)
def test_each_model_can_be_misled_and_strict_decoding_cannot(name: str, message: bytes) -> None:
    data = batch(part(b"POST A HTTP/1.1\r\nContent-Type: a/b\r\n" + message), part(), part())
    assert disagreements(data, MULTIPART) is None
    reads = {other: reader.read(data, b"b") for other, reader in READERS.items()}
    assert any(read != reads[name] for read in reads.values())


PIECES = (
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\x0b",
    b"\x85",
    b"\xa0",
    b"-",
    b"--",
    b"x",
    b"",
    b"9",
)


def mutated(rnd: random.Random, data: bytes, boundary: bytes) -> bytes:
    """Change a few places, most of them near a boundary, a line end or a length."""
    for _ in range(rnd.randint(1, 3)):
        places = [each.start() for each in re.finditer(rb"--|\r\n|(?i:content-length: )", data)]
        at = min(len(data), max(0, rnd.choice(places or [0]) + rnd.randint(-2, 18)))
        piece = rnd.choice(
            (*PIECES, b"--" + boundary, b"\r\n--%b\r\n" % boundary, b"--a" + boundary)
        )
        piece = rnd.choice((piece, piece, b"\r\nContent-Length: %d" % rnd.randint(0, 300)))
        data = data[:at] + piece + data[at + rnd.choice((0, 0, len(piece))) :]
    return data


def mutations(count: int) -> Iterator[tuple[bytes, str]]:
    rnd = random.Random(zlib.crc32(PROFILE.encode()))
    for _ in range(count):
        case = rnd.choice(SOUND)
        boundary = boundary_of(case.content_type)
        yield mutated(rnd, case.body, boundary), case.content_type


def test_no_other_reader_sees_anything_else_in_what_was_damaged() -> None:
    counted: Counter[bool] = Counter()
    for data, content_type in mutations(100_000 if PROFILE == "thorough" else 5_000):
        found = disagreements(data, content_type)
        assert not found, (found, data)
        counted[found is None] += 1
    assert min(counted.values()) > 100
