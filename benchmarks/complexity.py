"""Hold what decoding costs to the size of the input, whatever the octets and the chunks.

Each hostile payload is made in four sizes, each twice the one before, and decoded whole and in
chunks of 1000, 7 and 1 octets, under the default limits and under limits so wide that none is met,
and checked whole, which goes on after an error. The log-log slope of CPU time over the three
doublings is at most 1.15: what exceeds that is measured again before it is called so, and makes the
exit status 1. What an octet costs that comes alone is shown, and marked beyond 2.5 us, but depends
on the machine. With `--small`, sizes and ways are fewer.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import (
    BatchError,
    Limits,
    RequestDecoder,
    ResponseDecoder,
    check_request,
    check_response,
)

KIB = 1024
MIB = 1024 * KIB

STEEPEST = 1.15
DEAREST = 2.5e-6
DOUBLINGS = 3
# Measured so often before it is believed, the best time of each size; shorter times are noise.
ATTEMPTS = 4
NOISE_SECONDS = 0.004
CHUNKS = (1 << 62, 1000, 7, 1)
# How many octets come in small chunks, which takes long.
MOST = {7: 256 * KIB, 1: 64 * KIB}

# These are left as they are, for they bound what is done again: each level of JSON or of change
# sets is one more pass over the text, each chunk of padding one more look at the line.
KEPT = ("boundary", "change_set_depth", "diagnostics", "json_depth", "transport_padding")
DEFAULT = Limits()
WIDE = Limits(**{field.name: 2**40 for field in fields(Limits) if field.name not in KEPT})

MULTIPART = "multipart/mixed; boundary=b"
JSON = "application/json"
PART = b"--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
GET = PART + b"GET People HTTP/1.1\r\n"
OK = PART + b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
CLOSE = b"\r\n--b--\r\n"
FIRST = b'{"requests":[{"id":"1","method":"POST","url":"People"'
REQUEST_HEAD = FIRST + b',"body":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A hostile payload."""

    body: bytes
    content_type: str = MULTIPART
    prefer: str = ""
    is_request: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of hostile payload, made in any size."""

    name: str
    size: int
    """The largest size, in octets or items; a quarter and a half of it are made, too."""
    make: Callable[[int], Payload]


Make = Callable[[int], Payload]
"""Makes a payload of about so many octets."""


def request(before: bytes, text: bytes, after: bytes = b"") -> Make:
    """Return what makes a multipart request that repeats the text between the others."""
    return lambda size: Payload(body=before + repeated(text, size) + after)


def response(before: bytes, text: bytes, after: bytes = b"") -> Make:
    """Return what makes a multipart response that repeats the text between the others."""
    return lambda size: Payload(body=before + repeated(text, size) + after, is_request=False)


def json_request(before: bytes, text: bytes, after: bytes = b"") -> Make:
    """Return what makes a JSON request that repeats the text between the others."""
    return lambda size: Payload(body=before + repeated(text, size) + after, content_type=JSON)


def repeated(text: bytes, size: int) -> bytes:
    """Return the text as often as it fits."""
    return text * (size // len(text))


def framing() -> Iterator[Case]:
    """What a search for delimiters could stumble over."""
    spaces = "spaces after the first boundary, 1 KiB chunks"
    yield Case(name=spaces, size=2 * MIB, make=request(b"--b", b" "))
    tabs = "tabs after a later boundary, 1 KiB chunks"
    yield Case(name=tabs, size=2 * MIB, make=request(GET + b"\r\n--b", b"\t"))
    hyphens = "hyphens after a boundary, 1 KiB chunks"
    yield Case(name=hyphens, size=2 * MIB, make=request(b"--b", b"-"))
    for text in (b"\r\n--b-", b"\r\n--bx", b"\r\n--b \tx", b"\r\n--b\r", b"\n--b--x"):
        yield Case(name=f"near-boundaries {text!r}", size=4 * MIB, make=response(OK, text, CLOSE))
    for text in (b"\r\n--", b"\r", b"\n", b"\r\n", b"-", b"--b"):
        yield Case(name=f"a body of {text!r}", size=MIB, make=response(OK, text, CLOSE))
        make = request(b"", text, b"\r\n" + GET + CLOSE)
        yield Case(name=f"a preamble of {text!r}", size=MIB, make=make)
    for text in (b"x", b"\r\n--b\r\n", b"\r\n--bx", b"\r\n--b--\r\n"):
        yield Case(name=f"an epilogue of {text!r}", size=MIB, make=request(GET + CLOSE, text))
    yield Case(name="an LF, then no line end", size=4 * MIB, make=response(b"--b\n", b"x"))
    many = b"\r\n--b" + b"-" * 60
    yield Case(name="lines of hyphens after the boundary", size=2 * MIB, make=request(GET, many))
    yield Case(name="empty parts", size=MIB, make=request(b"", b"--b\r\n", CLOSE))
    yield Case(name="parts", size=MIB, make=request(b"", GET + b"\r\n", CLOSE))
    change_set = b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    empty = request(change_set, b"--c\r\n", CLOSE)
    yield Case(name="a change set of empty parts", size=MIB // 4, make=empty)
    sets = request(b"", change_set + b"--c--\r\n", CLOSE)
    yield Case(name="empty change sets", size=MIB, make=sets)


def bytewise() -> Iterator[Case]:
    """Payloads that arrive byte by byte."""
    near_blanks = b"\r\n--b" + b" " * 200
    for text in (b"x", b"\r", b"\r\n--bx", b"\r\n", near_blanks, OK + b"text\r\n"):
        name = f"byte by byte: {text[:20]!r}"
        yield Case(name=name, size=80 * KIB, make=response(OK, text, CLOSE))
    make = json_request(REQUEST_HEAD + b'"', b"x", b'"}]}')
    yield Case(name="byte by byte: JSON", size=80 * KIB, make=make)
    yield Case(name="byte by byte: a wrapped head", size=80 * KIB, make=wrapped_head)


def wrapped_head(size: int) -> Payload:
    """Return a wrapped response whose header section does not end."""
    body = b"HTTP/1.1 200 OK\r\nX: " + b"x" * size
    return Payload(body=body, content_type="application/http", is_request=False)


def heads() -> Iterator[Case]:
    """What readers of start lines and header sections could stumble over."""
    empty = request(b"--b\r\n", b"\r\n", CLOSE)
    yield Case(name="100 000 empty header lines", size=200_000, make=empty)
    folded = request(GET + b"A: b\r\n", b" c\r\n", b"\r\n" + CLOSE)
    yield Case(name="a million folded lines", size=4_000_000, make=folded)
    endless = request(GET, b"X: y\r\n")
    yield Case(name="a header section without end", size=4 * MIB, make=endless)
    for line in (b"X: y\r\n", b"X:\r\n", b"nonsense\r\n", b" y\r\n", b"Host: a\r\n"):
        make = request(GET + b"A: b\r\n", line, b"\r\n" + CLOSE)
        yield Case(name=f"fields {line!r}", size=100_000, make=make)
        make = request(PART[:-2], line, b"\r\nGET People HTTP/1.1\r\n" + CLOSE)
        yield Case(name=f"fields {line!r} of the part", size=100_000, make=make)
    end = b"\r\n\r\n" + CLOSE
    lines = (
        *((b"GET ", b" ", b"People HTTP/1.1"), (b"GET People", b" ", b"HTTP/1.1")),
        *((b"GET ", b"x ", b"HTTP/1.1"), (b"GET ", b"/", b"batch HTTP/1.1"), (b"", b"G", b"")),
        *(
            (b"GET $", b"$", b" HTTP/1.1"),
            (b"HTTP/1.1 ", b"2", b""),
            (b"GET a", b" HTTP/1.1", b" "),
        ),
    )
    for before, text, after in lines:
        name = f"start line {before!r} {text!r}.. {after!r}"
        yield Case(name=name, size=64 * KIB, make=request(PART + before, text, after + end))
        make = request(b"--b\r\n" + before, text, after + b" !" + end)
        yield Case(name=f"{name} in the part", size=MIB, make=make)


def outer() -> Iterator[Case]:
    """What readers of Content-Type and Prefer could stumble over."""
    quoted = ('a="', '"', '"\\', 'a="\\"', 'b\\"', '\\"', 'a="b" ')
    texts = (*quoted, "a=", "a;", "a,", ",", ";", "a = ", " ", "=")
    for text in texts:
        yield Case(name=f"Content-Type of {text!r}", size=64 * KIB, make=content_type(text))
        yield Case(name=f"Prefer of {text!r}", size=16 * KIB, make=prefer(text))
    head = b"--b\r\nContent-Type: application/http"
    make = request(head, b";a=b", b"\r\n\r\nGET People HTTP/1.1\r\n" + CLOSE)
    yield Case(name="parameters of a part", size=64 * KIB, make=make)


def content_type(text: str) -> Make:
    """Return what makes a batch whose Content-Type repeats the text."""
    begin = "multipart/mixed; boundary=b; "
    return lambda size: Payload(
        body=GET + b"\r\n" + CLOSE, content_type=begin + text * (size // len(text))
    )


def prefer(text: str) -> Make:
    """Return what makes a batch whose Prefer repeats the text."""
    return lambda size: Payload(body=GET + b"\r\n" + CLOSE, prefer=text * (size // len(text)))


# What comes after the first members of a request, what is repeated, and the end of the batch
MANY = (
    *((f',"{name}":['.encode(), b"[],", b"1]}]}") for name in ("body", "x", "headers")),
    *((b',"body":[', text, b"1]}]}") for text in (b"1,", b"[[0]],", b'{"a":[{}]},', b"[ ],")),
    (b',"body":' + b'{"a":[' * 40, b'"a",', b"1" + b"]}" * 40 + b"}]}"),
    *((f',"{name}":{{'.encode(), b'"a":1,', b'"b":2}}]}') for name in ("body", "headers", "x")),
    (b',"dependsOn":[', b'"22",', b'"1"]}]}'),
    *((b"", text, b"}]}") for text in (b',"a":1', b',"id":"2"', b',"a":[[],{}]')),
    *((b"}],", text, b'"y":1}') for text in (b'"a":1,', b'"a":[[],{}],')),
)


def json_texts() -> Iterator[Case]:
    """What a reader of JSON text could stumble over."""
    yield Case(name="200 000 nested brackets", size=400_000, make=nested)
    endless = json_request(REQUEST_HEAD, b'{"a":[')
    yield Case(name="nested brackets without end", size=MIB, make=endless)
    beside = json_request(REQUEST_HEAD + b"[", b"[],", b"0]}]}")
    yield Case(name="brackets beside each other", size=MIB, make=beside)
    quoted = json_request(REQUEST_HEAD + b'["', b'[\\"{', b'"]}]}')
    yield Case(name="brackets in strings", size=MIB, make=quoted)
    texts = (
        *(b" ", b"\\", b"\\u00e9", b"\\ud83d\\ude00", b"\xc3\xa9", b"\\ud83d", b"1", b"[", b'"'),
    )
    for text in texts:
        make = json_request(REQUEST_HEAD + b'"', text, b'"}]}')
        yield Case(name=f"a string of {text!r}", size=MIB, make=make)
    yield Case(name="digits", size=MIB, make=json_request(REQUEST_HEAD, b"1", b"}]}"))
    yield Case(name="white space before JSON", size=MIB, make=json_request(b"", b" ", b"{"))
    end = b'","headers":{"content-type":"image/png"}}]}'
    yield Case(name="base64", size=MIB, make=json_request(REQUEST_HEAD + b'"', b"A", end))
    begin = b'{"requests":[{"id":"1","method":"GET","url":"People","headers":{'
    fields = json_request(begin, b'"x":"y",', b'"z":""}}]}')
    yield Case(name="fields of one name in JSON", size=MIB, make=fields)
    begin = b'{"requests":[{"id":"0"},{"id":"1","method":"GET","url":"People","dependsOn":['
    for begin, text, end in MANY:
        name = f"many {text!r} after {begin!r}"
        make = json_request(FIRST + begin, text, end)
        yield Case(name=name, size=MIB, make=make)
    yield Case(name="dependencies", size=MIB, make=json_request(begin, b'"0",', b'"0"]}]}'))


def nested(size: int) -> Payload:
    """Return a JSON request of nested arrays."""
    half = size // 2
    body = REQUEST_HEAD + b"[" * half + b"]" * half + b"}]}"
    return Payload(body=body, content_type=JSON)


def json_items() -> Iterator[Case]:
    """What the rules of a batch could stumble over."""
    forms = {
        "objects": '{"id":"%","method":"GET","url":"People"}',
        "objects with surrogates": '{"id":"%","method":"GET","url":"People","x":"\\ud83d\\ude00"}',
        "objects that are not ASCII": '{"id":"%","method":"GET","url":"People","x":"\u00e9"}',
        "objects of one id": '{"id":"1","method":"GET","url":"People"}',
        "members of one name": '{"id":"%","id":"%","method":"GET","url":"People"}',
        "members of one group": '{"id":"%","atomicityGroup":"g","method":"PUT","url":"People"}',
        "groups": '{"id":"%","atomicityGroup":"g%","method":"PUT","url":"People"}',
        "unknown dependencies": '{"id":"%","dependsOn":["x%"],"method":"GET","url":"People"}',
        "unknown references": '{"id":"%","method":"GET","url":"$1%"}',
        "unknown members": '{"id":"%","method":"GET","url":"People","x%":"\u00e9","y%":1}',
        "damaged objects": "%",
    }
    for name, form in forms.items():
        yield Case(name=f"20 000 {name}", size=20_000, make=objects(form))
    yield Case(name="20 000 halves of groups, not ASCII", size=20_000, make=parted_groups)


def objects(form: str) -> Make:
    """Return what makes this number of objects; each has its number wherever % is."""

    def make(count: int) -> Payload:
        items = ",".join(form.replace("%", str(index)) for index in range(count))
        return Payload(body=f'{{"requests":[{items}]}}'.encode(), content_type=JSON)

    return make


def parted_groups(count: int) -> Payload:
    """Return a JSON request whose groups are each parted in two, far from each other.

    The text is not ASCII, so that offsets in characters are not offsets in bytes.
    """
    form = '{{"id":"{}","atomicityGroup":"g{}","method":"POST","url":"People"}}'
    half = count // 2
    items = [form.format(index, index % half) for index in range(count)]
    middle = '{"id":"x","method":"POST","url":"People","body":"\u00e9' + "y" * 20 * count + '"}'
    items.insert(half, middle)
    return Payload(body=f'{{"requests":[{",".join(items)}]}}'.encode(), content_type=JSON)


# -- measuring -------------------------------------------------------------------------------------


def headers_of(payload: Payload) -> dict[str, str]:
    """Return the header fields of the outer message."""
    return {"Prefer": payload.prefer} if payload.prefer else {}


def feed(payload: Payload, limits: Limits, chunk: int) -> None:
    """Decode the payload in chunks."""
    decoders = RequestDecoder if payload.is_request else ResponseDecoder
    body = payload.body
    try:
        decoder = decoders(payload.content_type, headers=headers_of(payload), limits=limits)
        for start in range(0, len(body), chunk):
            decoder.receive_data(body[start : start + chunk])
        decoder.receive_eof()
    except BatchError:
        pass


def check(payload: Payload, limits: Limits, chunk: int) -> None:
    """Check the payload whole."""
    checks = check_request if payload.is_request else check_response
    checks(payload.body, payload.content_type, headers=headers_of(payload), limits=limits)


Way = Callable[[Payload, Limits, int], None]
WAYS: tuple[tuple[str, Way, Limits, int], ...] = (
    *((f"fed {min(chunk, 9999)}", feed, DEFAULT, chunk) for chunk in CHUNKS),
    *((f"fed {min(chunk, 9999)}, wide", feed, WIDE, chunk) for chunk in CHUNKS),
    ("checked", check, DEFAULT, CHUNKS[0]),
    ("checked, wide", check, WIDE, CHUNKS[0]),
)
SMALL = [each for each in WAYS if each[0] in ("fed 9999, wide", "fed 1, wide", "checked")]


def seconds(way: Way, payload: Payload, limits: Limits, chunk: int) -> float:
    """Return the CPU time."""
    start = time.process_time()
    way(payload, limits, chunk)
    return time.process_time() - start


def measure(payloads: list[Payload], way: Way, limits: Limits, chunk: int) -> tuple[float, float]:
    """Return the slope of the time, and what an octet costs that comes alone, or else 0."""
    best = [math.inf] * len(payloads)
    slope = dear = 0.0
    for _ in range(ATTEMPTS):
        for index, payload in enumerate(payloads):
            best[index] = min(best[index], seconds(way, payload, limits, chunk))
        slope = slope_of(best) if best[-1] > NOISE_SECONDS else 0.0
        size = len(payloads[-1].body) if best[-1] > NOISE_SECONDS else math.inf
        dear = best[-1] / size if chunk == 1 else 0.0
        if slope <= STEEPEST:
            break
    return slope, dear


def slope_of(times: list[float]) -> float:
    """Return the slope of the line through the logarithms of sizes and times (least squares)."""
    middle = (len(times) - 1) / 2
    points = [(index - middle, math.log2(max(each, 1e-9))) for index, each in enumerate(times)]
    return sum(x * y for x, y in points) / sum(x * x for x, _ in points)


def main() -> int:
    """Print the table; return 1 if something in it grows too fast or costs too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the cases whose names contain this text")
    parser.add_argument("--small", action="store_true", help="small sizes, and only what is odd")
    given = parser.parse_args()
    failed = 0
    for case in (*framing(), *bytewise(), *heads(), *outer(), *json_texts(), *json_items()):
        if given.only not in case.name:
            continue
        # Where little is measured, what is beside the octets counts; quadratic is 2.
        steepest = 1.4 if given.small else STEEPEST
        for name, way, limits, chunk in SMALL if given.small else WAYS:
            largest = min(case.size, MOST.get(chunk, case.size)) // (8 if given.small else 1)
            payloads = [case.make(largest >> (DOUBLINGS - step)) for step in range(DOUBLINGS + 1)]
            slope, dear = measure(payloads, way, limits, chunk)
            mark = "  TOO STEEP" if slope > steepest else "  dear" * (dear > DEAREST)
            failed += slope > steepest
            if slope > steepest or not given.small:
                print(f"{case.name:52}{name:16}{slope:6.2f}{dear * 1e6:8.2f} us{mark}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
