"""How fast a body that is larger than memory passes a decoder that streams, and what that keeps.

64 MiB in chunks of 64 KiB, of each kind of content one row: gigabytes a second of CPU time, the
best of several runs, and the most that is allocated beside the chunk, in another run under
`tracemalloc`. `AIM` and `BOUND` are the least speeds, `MEMORY` is the most memory; with `--gate` a
row that is beyond these makes the exit status 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tracemalloc
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import Data, Limits, RequestDecoder

SIZE, CHUNK = 64 * 1024 * 1024, 64 * 1024
BOUNDARY = b"batch_36d5c8c69a3f4b7e8c110123456789ab"
TYPE = f"multipart/mixed; boundary={BOUNDARY.decode()}"
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


def chunks(text: bytes) -> Iterator[bytes]:
    """Yield the chunks of a body, which differ in where the text begins."""
    whole = text * (2 * CHUNK // len(text) + 2)
    starts = [whole[start : start + CHUNK] for start in range(min(16, len(text)))]
    return islice((each for several in repeat(starts) for each in several), SIZE // CHUNK)


def passed(head: bytes, text: bytes) -> int:
    """Return how many octets of the body were handed out."""
    limits = Limits(message=2 * SIZE, body=2 * SIZE)
    decoder = RequestDecoder(TYPE, limits=limits, stream=True)
    decoder.receive_data(head)
    size = 0
    for chunk in chunks(text):
        for event in decoder.receive_data(chunk):
            if isinstance(event, Data):
                size += len(event.data)
    end = b"\r\n--changeset_77162fcd--" + END if head is IN_CHANGE_SET else END
    for event in decoder.receive_data(end) + decoder.receive_eof():
        if isinstance(event, Data):
            size += len(event.data)
    return size


def measured(head: bytes, text: bytes) -> tuple[float, int]:
    """Return the speed, and the most memory beside the chunk."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        size = passed(head, text)
        best = min(best, time.process_time() - start)
        if size != SIZE:
            sys.exit(f"{size} octets came out")
    held = sum(map(len, dict.fromkeys(islice(chunks(text), 16))))
    tracemalloc.start()
    passed(head, text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The chunks of the generator, the text that these are cut from, and the one that is decoded
    return SIZE / best / 1e9, max(0, peak - held - len(text) - 2 * CHUNK - CHUNK)


def main() -> None:
    """Print a row for each kind of content."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", action="store_true", help="fail where a bound is not kept")
    gate, fails = parser.parse_args().gate, False
    print(
        f"{'64 MiB in chunks of 64 KiB':45}{'GB/s':>7}{'aim':>6}{'bound':>7}{'KiB':>7}{'most':>6}"
    )
    rows = [(f"{name}, one operation", HEAD, text) for name, text in TEXTS.items()]
    rows.append(("JSON, in a change set", IN_CHANGE_SET, TEXTS["JSON"]))
    for name, head, text in rows:
        speed, memory = measured(head, text)
        is_far = speed < BOUND or memory > MEMORY
        fails = fails or is_far
        row = f"{name:45}{speed:7.1f}{AIM:6.1f}{BOUND:7.1f}{memory // 1024:7}{MEMORY // 1024:6}"
        print(f"{row}{'  !' if is_far else ''}")
    sys.exit(gate and fails)


if __name__ == "__main__":
    main()
