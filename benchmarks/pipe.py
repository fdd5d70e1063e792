"""How much memory many small items take on their way through a service: nothing that grows.

A batch is read from chunks, run and answered while it arrives: decoder, engine and encoder make a
pipe. For each kind of item one row for 10 000 of them and one for 100 000: microseconds of CPU time
an item, measured with the fewer, the most that is allocated, measured under `tracemalloc`, and how
many octets of that are for each item more. Where items have names, these are kept with the URLs of
the answers, as later ones may refer to them: decoder, engine and encoder have a table each. With
`--gate` a row that is beyond its bound makes the exit status 1.
Two more rows are of bodies of 64 MiB and 1 GiB, in operations of 1 MiB, through the ASGI adapter.
`--only TEXT` chooses the rows whose names contain it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import (
    BatchRequest,
    ChangeSet,
    ChangeSetEnd,
    ChangeSetStart,
    Codec,
    Execution,
    Limits,
    Operation,
    OperationResponse,
    RequestDecoder,
    RequestEvent,
    ResponseEncoder,
    Step,
)
from odata_batch.asgi import BatchMiddleware

Format = Literal["multipart", "json"]
LONGEST = 16 * 2**20
SIZES = 10_000, 100_000
LARGE = 2**40
LIMITS = Limits(items=LARGE, operations=LARGE, message=LARGE, headers_total=LARGE)
TYPES = {"multipart": "multipart/mixed; boundary=b", "json": "application/json"}
PART = "--b\r\nContent-Type: application/http\r\n\r\nGET People({}) HTTP/1.1\r\n\r\n\r\n"
MEMBER = """\
--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r
\r\nPATCH People({}) HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--c--\r\n"""
THROUGH = "MiB through the ASGI adapter"
OBJECT = '{{"id":"{0}","method":"GET","url":"People({0})"}},'
ROWS: dict[str, tuple[Format, str, str, str, int]] = {
    "multipart": ("multipart", "", PART, "--b--\r\n", 2),
    "multipart, change sets": ("multipart", "", MEMBER, "--b--\r\n", 2),
    "JSON, with names": (
        "json",
        '{"requests":[',
        OBJECT,
        '{"id":"x","method":"GET","url":"A"}]}',
        2000,
    ),
}


def chunks(start: str, item: str, end: str, number: int) -> Iterator[bytes]:
    """Yield the octets of a batch."""
    yield start.encode()
    for first in range(0, number, 500):
        yield "".join([item.format(index) for index in range(first, first + 500)]).encode()
    yield end.encode()


def items_of(events: Iterable[RequestEvent]) -> Iterator[Operation | ChangeSet]:
    """Yield the items, which come as a whole; a change set is in one chunk here."""
    members: list[Operation] | None = None
    for event in events:
        if isinstance(event, ChangeSetStart):
            members = []
        elif isinstance(event, ChangeSetEnd):
            yield ChangeSet(members or ())
            members = None
        elif isinstance(event, Operation) and members is not None:
            members.append(event)
        elif isinstance(event, Operation):
            yield event


def pipe(format: Format, octets: Iterator[bytes]) -> int:
    """Return how long the response is."""
    decoder = RequestDecoder(TYPES[format], limits=LIMITS, stream=lambda head: False)
    url = "http://host/$batch"
    execution = Execution(BatchRequest([]), batch_url=url, format=format, limits=LIMITS, more=True)
    encoder = ResponseEncoder(format=format, limits=LIMITS)
    answer = OperationResponse(200, {"Content-Type": "application/json"}, b"{}")
    size = 0
    for chunk in octets:
        execution.feed(items_of(decoder.receive_data(chunk)))
        while works := execution.ready():
            for work in works:
                if isinstance(work, Step):
                    execution.complete(work, answer)
                else:
                    execution.done(work)
        for item in execution.drain():
            size += len(encoder.send(item))
    decoder.receive_eof()
    execution.feed_eof()
    return size + len(encoder.close())


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer whatever is asked."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def through_asgi(number: int) -> int:
    """Pass a body of as many MiB through the adapter; return how long the answer is."""
    codec = Codec(limits=LIMITS)
    middleware = BatchMiddleware(app, path="/$batch", codec=codec, stream_from=SIZES[0])
    head = PART.format(1).replace("GET", "PUT").removesuffix("\r\n\r\n")
    part = head.encode() + b"Content-Type: image/png\r\n\r\n" + b"x" * 2**20 + b"\r\n"
    octets = chain([part] * number, (b"--b--\r\n",))
    size = 0

    async def receive() -> dict[str, Any]:
        for piece in octets:
            return {"type": "http.request", "body": piece, "more_body": len(piece) > 10}
        return await asyncio.Future()

    async def send(message: Any) -> None:
        nonlocal size
        size += len(message.get("body", b""))

    fields = {b"host": b"host", b"content-type": TYPES["multipart"].encode()}
    scope = {"type": "http", "method": "POST", "path": "/$batch", "query_string": b""}
    asyncio.run(middleware({**scope, "headers": [*fields.items()]}, receive, send))
    return size


def main() -> None:
    """Print a row for each format and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", action="store_true", help="fail where memory grows")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose names contain it")
    arguments, fails = parser.parse_args(), False
    print(f"{'items':32}{'us an item':>12}{'KiB at most':>13}{'more an item':>14}{'bound':>7}")
    rows = {name: row for name, row in ROWS.items() if arguments.only in name}
    for name, (format, start, item, end, bound) in rows.items():
        begin, peaks = time.process_time(), list[int]()
        pipe(format, chunks(start, item, end, SIZES[0]))
        each = (time.process_time() - begin) / SIZES[0] * 1e6
        for number in SIZES:
            tracemalloc.start()
            pipe(format, chunks(start, item, end, number))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            grown = (peaks[-1] - peaks[0]) / (number - SIZES[0] or 1)
            is_far = grown > bound
            fails = fails or is_far
            row = f"{number:7} {name:24}{each:12.1f}{peaks[-1] / 1024:13.0f}{grown:14.1f}{bound:7}"
            print(f"{row}{'  !' if is_far else ''}", flush=True)
    for number in (64, 1024) if arguments.only in THROUGH else ():
        tracemalloc.start()
        through_asgi(number)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        fails = fails or peak > LONGEST
        row = f"{number:7} {THROUGH}{peak / 1024:10.0f} KiB"
        print(f"{row}{'  !' if peak > LONGEST else ''}", flush=True)
    sys.exit(arguments.gate and fails)


if __name__ == "__main__":
    main()
