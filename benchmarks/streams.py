"""How fast a body that is larger than memory is read or written in pieces, and what that keeps.

64 MiB in chunks of 64 KiB, of each kind of content one row: gigabytes a second of CPU time, the
best of several runs, and the most that is allocated beside the chunks, in another run under
`tracemalloc`. `AIM` and `BOUND` are the least speeds, but for what is converted for JSON; in a
change set two boundaries are looked for, each of which takes the time of one. `MEMORY` is the most
memory; with `--gate` a row that is beyond these makes the exit status 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import Data, Limits, Operation, RequestDecoder, RequestEncoder

SIZE, CHUNK = 64 * 1024 * 1024, 64 * 1024
BOUNDARY = b"batch_36d5c8c69a3f4b7e8c110123456789ab"
TYPE = f"multipart/mixed; boundary={BOUNDARY.decode()}"
LIMITS = Limits(message=2 * SIZE, body=2 * SIZE)
AIM, BOUND, MEMORY = 3.0, 1.5, 256 * 1024
ROUNDS = 5
LINE = b"\r\n--" + BOUNDARY
PART = b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
MESSAGE = b"PUT Photos(1)/$value HTTP/1.1\r\nContent-Type: image/png\r\n\r\n"
INNER = (
    b"Content-Type: multipart/mixed; boundary=changeset_77162fcd\r\n\r\n--changeset_77162fcd\r\n"
)
HEAD = LINE[2:] + b"\r\n" + PART + MESSAGE
IN_CHANGE_SET = LINE[2:] + b"\r\n" + INNER + PART + MESSAGE
END = LINE + b"--\r\n"

TEXTS = {
    "JSON": b'{"Name":"Some name","Price":12.50,"At":"2024-05-06","Tags":["a","b"]},',
    "random octets": os.urandom(CHUNK - 7),
    "lines": b"Some text in a line of its own, as there are many\r\n",
    "false starts of the delimiter": LINE[:-1] + b"x some text",
    "CRs and dashes": b"\r--\r-\n-\r\n--",
    "dashes": b"-",
}


def chunks_of(text: bytes) -> list[bytes]:
    """Return the chunks that make up a body, which differ in where the text begins."""
    whole = text * (2 * CHUNK // len(text) + 2)
    return [whole[start : start + CHUNK] for start in range(min(16, len(text)))]


def repeated(chunks: list[bytes]) -> Iterator[bytes]:
    """Yield the chunks of a body."""
    return islice(cycle(chunks), SIZE // CHUNK)


def passed(head: bytes, chunks: list[bytes]) -> int:
    """Return how many octets of the body were handed out."""
    decoder = RequestDecoder(TYPE, limits=LIMITS, stream=True)
    decoder.receive_data(head)
    size = 0
    for chunk in repeated(chunks):
        for event in decoder.receive_data(chunk):
            if isinstance(event, Data):
                size += len(event.data)
    end = b"\r\n--changeset_77162fcd--" + END if head is IN_CHANGE_SET else END
    for event in decoder.receive_data(end) + decoder.receive_eof():
        if isinstance(event, Data):
            size += len(event.data)
    return size


def written(format: Literal["multipart", "json"], content_type: str, chunks: list[bytes]) -> int:
    """Return how many octets of the body were taken."""
    encoder = RequestEncoder(format=format, limits=LIMITS)
    photo = Operation.put("Photos(1)/$value", headers={"Content-Type": content_type})
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for chunk in repeated(chunks):
            size += len(chunk)
            yield chunk

    for _ in encoder.stream(photo, counted()):
        pass
    encoder.close()
    return size


def measured(passing: Callable[[list[bytes]], int], text: bytes) -> tuple[float, int]:
    """Return the speed, and the most memory beside the chunks."""
    chunks = chunks_of(text)
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        size = passing(chunks)
        best = min(best, time.process_time() - start)
        if size != SIZE:
            sys.exit(f"{size} octets passed")
    tracemalloc.start()
    passing(chunks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return SIZE / best / 1e9, peak


def main() -> None:
    """Print a row for each kind of content."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", action="store_true", help="fail where a bound is not kept")
    gate, fails = parser.parse_args().gate, False
    print(
        f"{'64 MiB in chunks of 64 KiB':45}{'GB/s':>7}{'aim':>6}{'bound':>7}{'KiB':>7}{'most':>6}"
    )
    each = TEXTS.items()
    rows = [(f"{name}, one operation", partial(passed, HEAD), text) for name, text in each]
    within = partial(passed, IN_CHANGE_SET)
    rows += [(f"{name}, in a change set", within, TEXTS[name]) for name in ("JSON", "lines")]
    write = partial(written, "multipart", "image/png")
    rows += [(f"{name}, written", write, text) for name, text in each]
    for name, content_type in (("random octets", "image/png"), ("lines", "text/plain")):
        write = partial(written, "json", content_type)
        rows.append((f"{name}, written in JSON", write, TEXTS[name]))
    for name, passing, text in rows:
        speed, memory = measured(passing, text)
        aim, bound = (0, 0) if name.endswith("in JSON") else (AIM, BOUND)
        if name.endswith("in a change set"):
            aim, bound = aim * 2 / 3, bound * 2 / 3
        is_far = speed < bound or memory > MEMORY
        fails = fails or is_far
        row = f"{name:45}{speed:7.1f}{aim:6.1f}{bound:7.1f}{memory // 1024:7}{MEMORY // 1024:6}"
        print(f"{row}{'  !' if is_far else ''}")
    sys.exit(gate and fails)


if __name__ == "__main__":
    main()
