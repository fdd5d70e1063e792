"""Time decoding and encoding of 1000 operations beside the floors of the same run.

A floor is what the standard library needs for a part of the same work on the same octets: it shows
what the machine can do, and a ratio to it means the same on another machine. Times are CPU times,
the best of several rounds; `python benchmarks/bench.py --quick` makes fewer of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Headers,
    Operation,
    OperationResponse,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)

OPERATIONS = 1000
OPERATIONS_IN_A_CHANGE_SET = 10

# What a run takes at least, so that the clock's resolution and the call do not count.
LEAST_SECONDS = 0.02


# -- the batches -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """How the header sections of a batch differ from each other; nothing else matters as much."""

    name: str
    etags: bool
    """Whether each operation has an entity tag of its own."""
    lengths: int
    """How many different lengths the bodies have; each message says its own."""


UNIFORM = Variety(name="uniform", etags=False, lengths=5)
LENGTHS = Variety(name="lengths vary", etags=False, lengths=OPERATIONS)
ETAGS = Variety(name="unique ETags", etags=True, lengths=5)
VARIETIES = (UNIFORM, LENGTHS, ETAGS)


def make_body(index: int, variety: Variety) -> bytes:
    """Return about 300 octets of JSON, or between 200 and 1200 where lengths vary."""
    padding = "x" * (40 + index % variety.lengths)
    value = {
        "@odata.etag": f'W/"{index:08d}"',
        "ProductID": f"{index:08d}",
        "Name": f"Product number {index:08d} {padding}",
        "Price": 1234.5,
        "Discontinued": False,
        "Category": {"ID": 12, "Name": "Beverages", "Tags": ["cold", "sweet", "new"]},
        "Comment": None,
        "Description": "A product of the catalogue that this benchmark reads and writes.",
    }
    return json.dumps(value).encode()


def make_headers(index: int, body: bytes, variety: Variety, etag: str) -> Headers:
    """Return five fields, six with an entity tag, of which Content-Length always varies."""
    fields = [
        ("Content-Type", "application/json;odata.metadata=minimal"),
        ("Content-Length", str(len(body))),
        ("OData-Version", "4.0"),
        ("Cache-Control", "no-cache"),
        ("Preference-Applied", "return=representation"),
    ]
    return Headers([*fields, (etag, f'W/"{index:08d}"')] if variety.etags else fields)


def make_responses(variety: Variety) -> list[OperationResponse]:
    """Return the responses, which share equal `Headers` as a server's would."""
    shared: dict[int, Headers] = {}
    responses = []
    for index in range(OPERATIONS):
        body = make_body(index, variety)
        headers = make_headers(index, body, variety, "ETag")
        if not variety.etags:
            headers = shared.setdefault(len(body), headers)
        responses.append(OperationResponse(200, headers, body, id=str(index + 1)))
    return responses


def make_operations(variety: Variety) -> list[Operation]:
    """Return requests whose header sections vary in the same way."""
    shared: dict[int, Headers] = {}
    operations = []
    for index in range(OPERATIONS):
        body = make_body(index, variety)
        headers = make_headers(index, body, variety, "If-Match")
        if not variety.etags:
            headers = shared.setdefault(len(body), headers)
        url = f"Products({index})"
        operations.append(Operation("PATCH", url, headers, body, id=str(index + 1)))
    return operations


def make_request(variety: Variety, *, change_sets: bool) -> BatchRequest:
    """Return a batch request, its operations on their own or in change sets."""
    operations = make_operations(variety)
    if not change_sets:
        return BatchRequest(operations)
    return BatchRequest(
        ChangeSet(operations[start : start + OPERATIONS_IN_A_CHANGE_SET], id=f"g{start}")
        for start in range(0, OPERATIONS, OPERATIONS_IN_A_CHANGE_SET)
    )


def make_response(variety: Variety, *, change_sets: bool) -> BatchResponse:
    """Return the batch response that answers it."""
    responses = make_responses(variety)
    if not change_sets:
        return BatchResponse(responses)
    return BatchResponse(
        ChangeSetResponse(responses[start : start + OPERATIONS_IN_A_CHANGE_SET], id=f"g{start}")
        for start in range(0, OPERATIONS, OPERATIONS_IN_A_CHANGE_SET)
    )


# -- measuring -------------------------------------------------------------------------------------


def seconds(works: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the CPU time of one call of each: the best of several rounds, each of many calls.

    They take turns, so that what else the machine does strikes all of them.
    """
    gc.collect()
    counts = [calls_for(work) for work in works]
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for index, work in enumerate(works):
            best[index] = min(best[index], elapsed_of(work, counts[index]) / counts[index])
    return best


def calls_for(work: Callable[[], object]) -> int:
    """Return how many calls take long enough to be timed."""
    calls = 1
    while (elapsed := elapsed_of(work, calls)) < LEAST_SECONDS:
        calls = max(calls + 1, int(calls * LEAST_SECONDS / max(elapsed, 1e-6)))
    return calls


def elapsed_of(work: Callable[[], object], calls: int) -> float:
    """Return the CPU time of so many calls."""
    start = time.process_time()
    for _ in range(calls):
        work()
    return time.process_time() - start


def memory(work: Callable[[], object]) -> tuple[int, int]:
    """Return the bytes allocated at the peak of a call, and those of them that its result keeps."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    result = work()
    gc.collect()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return peak - before, after - before


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What the standard library does with the same octets."""

    name: str
    work: Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that the library does, and what it is compared with."""

    name: str
    work: Callable[[], object]
    floors: tuple[Floor, ...]
    aim: Callable[[float], float] | None = None
    """Microseconds aimed at, from those of the first floor."""


def json_loads_each(bodies: Sequence[bytes]) -> Floor:
    """Parse the bodies, each alone."""

    def work() -> None:
        for body in bodies:
            json.loads(body)

    return Floor(name="json.loads of each body", work=work)


def multipart_cases(variety: Variety, *, change_sets: bool) -> Iterator[Case]:
    """Both roles and directions of the multipart format."""
    kind = f"{variety.name}, change sets" if change_sets else variety.name
    response = make_response(variety, change_sets=change_sets)
    encoded = encode_response(response)
    bodies = [each.body for each in response.responses()]
    delimiter = b"\r\n--" + encoded.content_type.partition("boundary=")[2].encode()
    yield Case(
        name=f"decode multipart response, {kind}",
        work=lambda: decode_response(encoded.body, encoded.content_type),
        floors=(
            json_loads_each(bodies),
            Floor(name="bytes.split", work=lambda: encoded.body.split(delimiter)),
        ),
        aim=lambda floor: 4 * floor,
    )
    request = make_request(variety, change_sets=change_sets)
    sent = encode_request(request)
    yield Case(
        name=f"decode multipart request, {kind}",
        work=lambda: decode_request(sent.body, sent.content_type),
        floors=(json_loads_each([each.body for each in request.operations()]),),
    )
    chunks = [chunk for body in bodies for chunk in (body[:200], body)]
    join = Floor(name='b"".join', work=lambda: b"".join(chunks))
    yield Case(
        name=f"encode multipart response, {kind}",
        work=lambda: encode_response(response),
        floors=(join,),
        aim=lambda floor: 1.5 + floor,
    )
    yield Case(
        name=f"encode multipart request, {kind}",
        work=lambda: encode_request(request),
        floors=(join,),
        aim=lambda floor: 1.5 + floor,
    )


def json_cases(variety: Variety, *, change_sets: bool) -> Iterator[Case]:
    """Both roles and directions of the JSON format."""
    kind = f"{variety.name}, change sets" if change_sets else variety.name
    response = make_response(variety, change_sets=change_sets)
    encoded = encode_response(response, format="json")
    yield Case(
        name=f"decode JSON response, {kind}",
        work=lambda: decode_response(encoded.body, encoded.content_type),
        floors=(Floor(name="json.loads of the batch", work=lambda: json.loads(encoded.body)),),
        aim=lambda floor: 3 * floor,
    )
    request = make_request(variety, change_sets=change_sets)
    sent = encode_request(request, format="json")
    yield Case(
        name=f"decode JSON request, {kind}",
        work=lambda: decode_request(sent.body, sent.content_type),
        floors=(Floor(name="json.loads of the batch", work=lambda: json.loads(sent.body)),),
        aim=lambda floor: 3 * floor,
    )
    values = json.loads(encoded.body)
    yield Case(
        name=f"encode JSON response, {kind}",
        work=lambda: encode_response(response, format="json"),
        floors=(Floor(name="json.dumps of the batch", work=lambda: json.dumps(values)),),
    )
    sent_values = json.loads(sent.body)
    yield Case(
        name=f"encode JSON request, {kind}",
        work=lambda: encode_request(request, format="json"),
        floors=(Floor(name="json.dumps of the batch", work=lambda: json.dumps(sent_values)),),
    )


def cases() -> Iterator[Case]:
    """All cases, each made when it is asked for, so that the others do not fill the memory."""
    for make_cases in (multipart_cases, json_cases):
        for variety in VARIETIES:
            yield from make_cases(variety, change_sets=False)
        yield from make_cases(UNIFORM, change_sets=True)
        yield from make_cases(ETAGS, change_sets=True)


# -- the table -------------------------------------------------------------------------------------

HEAD = f"{'':53}{'us/op':>7}{'floor':>7}{'ratio':>7}  {'aim':<16}{'peak':>7}{'kept':>7}  floor is"


def measure(case: Case, rounds: int) -> Iterator[str]:
    """Yield the lines of a case: one for each of its floors."""
    peak, kept = memory(case.work)
    times = seconds([case.work, *(floor.work for floor in case.floors)], rounds)
    own, *others = [elapsed * 1e6 / OPERATIONS for elapsed in times]
    for index, (floor, other) in enumerate(zip(case.floors, others, strict=True)):
        figures = f"{other:7.2f}{own / other:6.1f}x"
        if index:
            yield f"{'':60}{figures}{'':34}{floor.name}"
            continue
        aim = ""
        if case.aim is not None:
            wanted = case.aim(other)
            aim = f"{wanted:.2f} {'met' if own <= wanted else 'missed'}"
        sizes = f"{peak / OPERATIONS:7.0f}{kept / OPERATIONS:7.0f}"
        yield f"{case.name:53}{own:7.2f}{figures}  {aim:<16}{sizes}  {floor.name}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, about ten seconds")
    rounds = 4 if parser.parse_args().quick else 15
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}, {OPERATIONS} operations, best of {rounds}, memory in bytes per operation")
    print(HEAD)
    for case in cases():
        for line in measure(case, rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
