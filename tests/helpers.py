"""What several test modules share: ways to feed bytes, and parts to build payloads from."""

from __future__ import annotations

import os
import re
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

from odata_batch import (
    BatchError,
    BatchRequest,
    BatchResponse,
    Diagnostic,
    Report,
    RequestDecoder,
    ResponseDecoder,
    Severity,
    check_request,
    check_response,
)

if TYPE_CHECKING:
    from _typeshed import TraceFunction

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
"""How much is tried, of generated examples and of splits: quick, default or thorough."""
SPLITS = {"quick": 2, "default": 20}.get(PROFILE, 10**9)
"""At how many places octets are split, beside their delimiters; a thorough run splits at each."""

Format: TypeAlias = Literal["multipart", "json"]
FORMATS: tuple[Format, ...] = ("multipart", "json")


def needed(package: str) -> Any:
    """Return what is no need of the library; without it, whoever asks is skipped."""
    return pytest.importorskip(package, reason=f"{package} is installed by `make test`")


CRLF = b"\r\n"
MULTIPART = "multipart/mixed; boundary=b"
JSON = "application/json"
PART_HEAD = b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
GET = b"GET People HTTP/1.1\r\n\r\n"


def part(message: bytes = GET, *, head: bytes = PART_HEAD, boundary: bytes = b"b") -> bytes:
    """Return a delimiter, a part that holds the message, and the CRLF after it."""
    return b"--" + boundary + CRLF + head + CRLF + message + CRLF


def batch(*parts: bytes, boundary: bytes = b"b") -> bytes:
    """Return the parts and a close delimiter."""
    return b"".join(parts) + b"--" + boundary + b"--" + CRLF


def change_set(*parts: bytes, boundary: bytes = b"c", outer: bytes = b"b") -> bytes:
    """Return a part of the outer multipart that holds a change set of these parts."""
    head = b"Content-Type: multipart/mixed; boundary=" + boundary + CRLF
    content = b"".join(parts) + b"--" + boundary + b"--"
    return b"--" + outer + CRLF + head + CRLF + content + CRLF


def member(message: bytes, id: bytes | None = b"1", *, boundary: bytes = b"c") -> bytes:
    """Return a part of a change set, with a Content-ID unless it is `None`."""
    head = PART_HEAD if id is None else PART_HEAD + b"Content-ID: " + id + CRLF
    return part(message, head=head, boundary=boundary)


@contextmanager
def untraced(
    main: TraceFunction | None = None, threads: TraceFunction | None = None
) -> Iterator[None]:
    """Run what is tried over and over without what measures coverage, which takes twice as long."""
    tracers = sys.gettrace(), threading.gettrace()
    sys.settrace(main)
    threading.settrace(threads)
    try:
        yield
    finally:
        sys.settrace(tracers[0])
        threading.settrace(tracers[1])


def chunkings(data: bytes, splits: int = SPLITS) -> Iterator[list[bytes]]:
    """Yield the data whole, in small pieces, and in two: at delimiters and at so many places."""
    yield [data]
    step = 1 + len(data) // splits
    places = {*range(1 + zlib.crc32(data) % step, len(data), step)}
    places |= {it.start() + n for it in list(re.finditer(b"\n--", data))[:20] for n in (0, 1, 2, 3)}
    for index in sorted(places - {0}):
        yield [data[:index], data[index:]]
    size = 1 if len(data) < 5000 else 1009
    yield [data[index : index + size] for index in range(0, len(data), size)]


Decoder = RequestDecoder | ResponseDecoder
Outcome = tuple[BatchRequest | BatchResponse | str, tuple[object, ...], tuple[Diagnostic, ...]]


def fed(decoder: Decoder, chunks: list[bytes]) -> Outcome:
    """Return the batch or the error's text, the items given out, and the diagnostics."""
    items: list[object] = []
    try:
        for chunk in chunks:
            items += decoder.receive_data(chunk)
        items += decoder.receive_eof()
        return decoder.result, tuple(items), decoder.diagnostics
    except BatchError as error:
        return str(error), tuple(items), decoder.diagnostics


def outcomes(
    decoder: type[Decoder], content_type: str, data: bytes, *, strict: bool = False
) -> set[Outcome]:
    """Return the different outcomes of all chunkings of the data; there should be one."""
    return {fed(decoder(content_type, strict=strict), chunks) for chunks in chunkings(data)}


def checked_request(
    data: bytes, content_type: str = MULTIPART, *, splits: int = SPLITS, **options: Any
) -> Report[BatchRequest]:
    """Return what `check_request` says; decoding says the same, whatever the chunks."""
    report = check_request(data, content_type, **options)
    agree(report, partial(RequestDecoder, content_type, **options), data, splits)
    return report


def checked_response(
    data: bytes, content_type: str = MULTIPART, *, splits: int = SPLITS, **options: Any
) -> Report[BatchResponse]:
    """Return what `check_response` says; decoding says the same, whatever the chunks."""
    report = check_response(data, content_type, **options)
    agree(report, partial(ResponseDecoder, content_type, **options), data, splits)
    return report


def agree(
    report: Report[BatchRequest] | Report[BatchResponse],
    decoder: Callable[[], Decoder],
    data: bytes,
    splits: int,
) -> None:
    """Hold what decoding gives, whatever the chunks, against the report, up to the first error."""
    with untraced():
        ((result, _, found),) = {fed(decoder(), chunks) for chunks in chunkings(data, splits)}
    told = tuple(each for each in report.diagnostics if "check" not in each.rule.tags)
    assert found == told[: len(found)]
    if report.ok:
        assert (result, found) == (report.value, told)
    else:
        assert result == str(found[-1]) == str(report.of(Severity.ERROR)[0])


def places(report: Report[BatchRequest] | Report[BatchResponse], start: int = 0) -> str:
    """Return what was found as slugs and positions, which are counted from `start`."""
    found = [(each.rule.slug, each.position) for each in report.diagnostics]
    return " ".join(f"{slug}@{'' if at is None else at - start}" for slug, at in found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """One fenced block of a Markdown document."""

    language: str
    text: str
    line: int


def fences(markdown: str) -> Iterator[Fence]:
    """Yield the fenced blocks with the lines at which their texts begin."""
    for found in re.finditer(r"^```(.*)\n((?s:.*?))^```$", markdown, re.MULTILINE):
        line = markdown.count("\n", 0, found.start(2)) + 1
        yield Fence(language=found[1], text=found[2], line=line)
