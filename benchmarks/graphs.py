"""Time what takes a whole batch, at 2500, 5000 and 10 000 operations with as many dependencies.

Each doubling must double the time, not quadruple it. The exit status is 1 if something looks
quadratic. `--only TEXT` chooses the rows whose names contain it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Execution,
    Operation,
    OperationResponse,
    Step,
    check_request,
    check_response,
    convert_request,
    encode_request,
    encode_response,
    match,
    remaining,
    split,
)

SIZES = (2500, 5000, 10_000)
# A time that does more than triple when the input doubles, and is not mere noise, is quadratic.
SUSPICIOUS_RATIO = 3.0
NOISE_SECONDS = 0.02

Graph = Callable[[int], BatchRequest]
Way = Callable[[BatchRequest], str]


# -- the batches -----------------------------------------------------------------------------------


def operation(index: int, depends_on: Sequence[int] = (), url: str = "People") -> Operation:
    """Return the operation with this number, which depends on those."""
    return Operation.post(url, json={}, id=str(index), depends_on=list(map(str, depends_on)))


def chain(size: int) -> BatchRequest:
    """Each operation depends on the one before."""
    return BatchRequest([operation(each, [each - 1] if each else []) for each in range(size)])


def star(size: int) -> BatchRequest:
    """Each operation depends on the first."""
    return BatchRequest([operation(each, [0] if each else []) for each in range(size)])


def references(size: int) -> BatchRequest:
    """Each URL refers to the operation before."""
    first, *others = range(size)
    referring = [operation(each, [each - 1], f"${each - 1}/Friends") for each in others]
    return BatchRequest([operation(first), *referring])


def groups(size: int) -> BatchRequest:
    """Groups of ten, each of whose members depends on the group before."""
    items = []
    for start in range(0, size, 10):
        before = [f"g{start - 10}"] if start else []
        members = [
            Operation.post("People", json={}, id=str(each), depends_on=before)
            for each in range(start, start + 10)
        ]
        items.append(ChangeSet(members, id=f"g{start}"))
    return BatchRequest(items)


GRAPHS: dict[str, Graph] = {
    "a chain": chain,
    "a star": star,
    "references": references,
    "groups": groups,
}


def answered(batch: BatchRequest, status: int = 200) -> BatchResponse:
    """Return one response to each operation."""
    return BatchResponse([OperationResponse(status, id=each.id) for each in batch.operations()])


# -- what is done with them ------------------------------------------------------------------------


def checked(batch: BatchRequest) -> str:
    """Encode the batch and check it."""
    payload = encode_request(batch, format="json")
    return f"{len(check_request(payload.body, payload.content_type).diagnostics)} findings"


def paired(batch: BatchRequest) -> str:
    """Check a response beside its request."""
    payload = encode_response(answered(batch), format="json")
    report = check_response(payload.body, payload.content_type, request=batch)
    return f"{len(report.diagnostics) + report.omitted} findings"


def matched(batch: BatchRequest) -> str:
    """Match a response to its request."""
    return f"{len(match(batch, answered(batch), format='json').failures)} failures"


def divided(batch: BatchRequest) -> str:
    """Split the batch, of which nothing can be separated, at its own size."""
    return f"{len(split(batch, max_operations=len(batch.operations()), format='json'))} batch"


def repeated(batch: BatchRequest) -> str:
    """Ask what is left to be done when everything was throttled."""
    result = match(batch, answered(batch, 503), format="json")
    return f"{len(remaining(batch, result, format='json').operations())} operations"


def converted(batch: BatchRequest) -> str:
    """Convert the batch to multipart."""
    return f"{len(convert_request(batch, source='json', target='multipart')[1])} losses"


def executed(batch: BatchRequest) -> str:
    """Execute the batch; every operation creates something."""
    execution = Execution(batch, batch_url="http://host/service/$batch", format="json")
    steps = 0
    while not execution.finished:
        for ready in execution.ready():
            if isinstance(ready, Step):
                steps += 1
                location = {"Location": f"http://host/service/People({steps})"}
                execution.complete(ready, OperationResponse(201, location))
            else:
                execution.done(ready)
    return f"{len(execution.response().responses())} responses"


WAYS: dict[str, Way] = {
    "check_request": checked,
    "check_response": paired,
    "match": matched,
    "split": divided,
    "remaining": repeated,
    "convert_request": converted,
    "Execution": executed,
}


# -- measuring -------------------------------------------------------------------------------------


def seconds(way: Way, batch: BatchRequest) -> tuple[float, str]:
    """Return the CPU time, the best of three, and the outcome."""
    best, outcome = float("inf"), ""
    for _ in range(3):
        start = time.process_time()
        outcome = way(batch)
        best = min(best, time.process_time() - start)
    return best, outcome


def rows(only: str) -> Iterator[tuple[str, list[float], str]]:
    """Yield name, times and outcome of what is done with each graph."""
    for graph, make in GRAPHS.items():
        batches = [make(size) for size in SIZES]
        for name, way in WAYS.items():
            if only in f"{name}, {graph}":
                found = [seconds(way, batch) for batch in batches]
                yield f"{name}, {graph}", [taken for taken, _ in found], found[-1][1]


def main() -> int:
    """Print a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the names of the rows to run")
    worst = 0
    print(f"{'':34}" + "".join(f"{size:>9}" for size in SIZES) + "    ratios   outcome")
    for name, times, outcome in rows(parser.parse_args().only):
        ratios = [after / before for before, after in pairwise(times)]
        quadratic = ratios[-1] > SUSPICIOUS_RATIO and times[-1] > NOISE_SECONDS
        worst |= quadratic
        shown = "".join(f"{each:8.3f}s" for each in times)
        doubling = " ".join(f"{each:.1f}x" for each in ratios)
        print(f"{name:34}{shown}  {doubling}  {outcome}{'  QUADRATIC?' * quadratic}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
