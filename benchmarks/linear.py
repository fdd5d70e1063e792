"""Feed hostile input of n, 2n and 4n octets to the decoders: the time must double, not quadruple.

Each input is decoded as it arrives in chunks, which ends at the first error, and checked whole,
which goes on after it; under the default limits, and under limits so wide that none is met, which
shows what the limits do not hide. The exit status is 1 if something looks quadratic.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import (
    BatchError,
    LimitExceeded,
    Limits,
    RequestDecoder,
    ResponseDecoder,
    check_request,
    check_response,
)
from odata_batch.rules import LIMIT_EXCEEDED

KIB = 1024
MIB = 1024 * KIB

# A time that does more than triple when the input doubles, and is not mere noise, is quadratic.
SUSPICIOUS_RATIO = 3.0
NOISE_SECONDS = 0.02

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
REQUEST_HEAD = b'{"requests":[{"id":"1","method":"POST","url":"People","body":'


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
    chunk: int = 64 * KIB


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
    yield Case(name=spaces, size=2 * MIB, make=request(b"--b", b" "), chunk=KIB)
    tabs = "tabs after a later boundary, 1 KiB chunks"
    yield Case(name=tabs, size=2 * MIB, make=request(GET + b"\r\n--b", b"\t"), chunk=KIB)
    hyphens = "hyphens after a boundary, 1 KiB chunks"
    yield Case(name=hyphens, size=2 * MIB, make=request(b"--b", b"-"), chunk=KIB)
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
        yield Case(name=name, size=80 * KIB, make=response(OK, text, CLOSE), chunk=1)
    make = json_request(REQUEST_HEAD + b'"', b"x", b'"}]}')
    yield Case(name="byte by byte: JSON", size=80 * KIB, make=make, chunk=1)
    yield Case(name="byte by byte: a wrapped head", size=80 * KIB, make=wrapped_head, chunk=1)


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
    yield Case(name="a header section without end", size=4 * MIB, make=endless, chunk=KIB)
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


def feed(payload: Payload, limits: Limits, chunk: int) -> str:
    """Decode the payload in chunks, and say how it ended."""
    decoders = RequestDecoder if payload.is_request else ResponseDecoder
    body = payload.body
    try:
        decoder = decoders(payload.content_type, headers=headers_of(payload), limits=limits)
        items = 0
        for start in range(0, len(body), chunk):
            items += len(decoder.receive_data(body[start : start + chunk]))
        items += len(decoder.receive_eof())
        # An error after the last item is raised here.
        _ = decoder.result
    except LimitExceeded as error:
        return f"limit {error.limit}"
    except BatchError as error:
        return str(error).partition(" ")[0]
    return f"{items} items"


def check(payload: Payload, limits: Limits, chunk: int) -> str:
    """Check the payload whole, and say what came out."""
    checks = check_request if payload.is_request else check_response
    report = checks(payload.body, payload.content_type, headers=headers_of(payload), limits=limits)
    found = len(report.diagnostics) + report.omitted
    last = report.diagnostics[-1] if report.diagnostics else None
    if last is not None and last.rule is LIMIT_EXCEEDED and last.limit is not None:
        return f"limit {last.limit[0]}"
    return f"{found} findings"


Way = Callable[[Payload, Limits, int], str]
WAYS: tuple[tuple[str, Way, Limits], ...] = (
    ("fed", feed, DEFAULT),
    ("checked", check, DEFAULT),
    ("fed, wide", feed, WIDE),
    ("checked, wide", check, WIDE),
)


def seconds(way: Way, payload: Payload, limits: Limits, chunk: int) -> tuple[float, str]:
    """Return the CPU time, the best of three if it is short, and the outcome."""
    best = float("inf")
    outcome = ""
    for _ in range(3):
        start = time.process_time()
        outcome = way(payload, limits, chunk)
        best = min(best, time.process_time() - start)
        if best > 0.5:
            break
    return best, outcome


def measure(case: Case, way: Way, limits: Limits) -> tuple[list[float], str]:
    """Return the times at a quarter, a half and all of the size, and the last outcome.

    What looks quadratic is measured once more, since other work on the machine can look so, too.
    """
    times, outcome = measure_once(case, way, limits)
    if is_suspicious(times):
        again, outcome = measure_once(case, way, limits)
        times = [min(pair) for pair in zip(times, again, strict=True)]
    return times, outcome


def measure_once(case: Case, way: Way, limits: Limits) -> tuple[list[float], str]:
    """Measure each of the three sizes."""
    times = []
    outcome = ""
    for size in (case.size // 4, case.size // 2, case.size):
        elapsed, outcome = seconds(way, case.make(size), limits, case.chunk)
        times.append(elapsed)
    return times, outcome


def is_suspicious(times: list[float]) -> bool:
    """Tell whether the last doubling of the size took the time to more than three times as much."""
    *_, before, after = times
    return after > NOISE_SECONDS and after > SUSPICIOUS_RATIO * before


def main() -> int:
    """Print the table; return 1 if something in it looks quadratic."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="the cases whose names contain this text")
    wanted = parser.parse_args().only
    suspicious = 0
    print(f"{'':52}{'':14}{'n ms':>9}{'2n ms':>9}{'4n ms':>9}{'growth':>12}  outcome at 4n")
    for case in (*framing(), *bytewise(), *heads(), *outer(), *json_texts(), *json_items()):
        if wanted not in case.name:
            continue
        for name, way, limits in WAYS:
            times, outcome = measure(case, way, limits)
            growth = " ".join(f"{b / a:5.1f}" for a, b in pairwise(times))
            mark = "  QUADRATIC?" if is_suspicious(times) else ""
            suspicious += bool(mark)
            shown = "".join(f"{elapsed * 1000:9.1f}" for elapsed in times)
            print(f"{case.name:52}{name:14}{shown}{growth:>12}  {outcome}{mark}", flush=True)
    return 1 if suspicious else 0


if __name__ == "__main__":
    sys.exit(main())
