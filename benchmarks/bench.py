"""Time, memory and import of the library beside floors of the same run, with aims and bounds.

A floor is what the standard library needs for the least of the same work: `json.loads` of the same
bodies, each alone, or in the JSON format `json.loads` or a compact `json.dumps` of the batch. Times
are CPU times, the least of several rounds, ours and the floor in turn. Each round takes a batch of
its own, with other bodies, entity tags and identifiers, so that nothing is remembered from round to
round but by a `Codec` that the row names.

`bounds.json` has of each row what is aimed at and the most that is allowed. With `--gate` a row
that is beyond 1.3 times that in the best of three measurements makes the exit status 1: a busy
machine makes a ratio worse, never better.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import platform
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeAlias
from wsgiref.types import StartResponse

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    Exchange,
    Execution,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    Payload,
    Step,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    match,
    outcomes,
    split,
)
from odata_batch.wsgi import BatchMiddleware

ROOT = Path(__file__).resolve().parent.parent
BOUNDS = Path(__file__).with_name("bounds.json")
URL = "http://host/service/$batch"
JSON_FIELD = [("Content-Type", "application/json")]
OPERATIONS = 1000
IN_A_CHANGE_SET = 10
ROUNDS = 12
GATE = 1.3
"""How much wider than its bound a row may be in CI, whose machines are busy."""

Work: TypeAlias = Callable[[], object]
Prepare: TypeAlias = Callable[[int], tuple[Work, Work]]
"""Makes what is measured and its floor, for a round."""


# -- the batches -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """How the header sections of a batch differ; nothing else matters as much."""

    unique: bool = False
    """Whether each operation has an entity tag of its own."""
    change_sets: bool = False
    """Whether they are in change sets of ten."""
    shared: bool = False
    """Whether equal header sections are one object, as in programs that make few."""
    count: int = OPERATIONS


REPEATED = Variety()
UNIQUE = Variety(unique=True)
CHANGE_SETS = Variety(unique=True, change_sets=True)


def body(index: int, seed: int) -> bytes:
    """Return about 300 octets of JSON."""
    value = {
        "@odata.etag": f'W/"{index % 5:08d}"',
        "ProductID": f"{index + 7919 * seed:08d}",
        "Name": f"Product {index:08d} {'x' * (40 + index % 5)}",
        "Price": 1234.5 + seed,
        "Discontinued": False,
        "Category": {"ID": 12, "Name": "Beverages", "Tags": ["cold", "sweet"]},
        "Comment": None,
        "Description": "What this catalogue says about it, in a line or so.",
    }
    return json.dumps(value).encode()


def sections(
    bodies: Iterable[bytes], seed: int, variety: Variety, etag: str, *more: tuple[str, str]
) -> list[Headers]:
    """Return the header sections of messages with these bodies."""
    known: dict[int, Headers] = {}
    found = []
    for index, octets in enumerate(bodies):
        tag = f"{index + 104729 * seed:08d}" if variety.unique else str(seed)
        fields = [
            ("Content-Type", "application/json;odata.metadata=minimal"),
            ("OData-Version", "4.0"),
            ("Content-Length", str(len(octets))),
            (etag, f'W/"{tag}"'),
            *more,
        ]
        made = Headers(fields)
        found.append(known.setdefault(len(octets), made) if variety.shared else made)
    return found


def make_response(seed: int, variety: Variety) -> tuple[BatchResponse, list[bytes]]:
    """Return a batch response, and the bodies in it."""
    bodies = [body(index, seed) for index in range(variety.count)]
    preference = ("Preference-Applied", "return=representation")
    messages = [
        OperationResponse(200, headers, octets, id=str(index + 1 + seed))
        for index, (headers, octets) in enumerate(
            zip(sections(bodies, seed, variety, "ETag", preference), bodies, strict=True)
        )
    ]
    if not variety.change_sets:
        return BatchResponse(messages), bodies
    starts = range(0, len(messages), IN_A_CHANGE_SET)
    groups = (
        ChangeSetResponse(messages[start : start + IN_A_CHANGE_SET], id=f"g{start}")
        for start in starts
    )
    return BatchResponse(groups), bodies


def make_request(seed: int, variety: Variety) -> tuple[BatchRequest, list[bytes]]:
    """Return a batch request, and the bodies in it."""
    bodies = [body(index, seed) for index in range(variety.count)]
    messages = [
        Operation("PATCH", f"Products('{index + seed:08d}')", headers, octets, id=f"{index + seed}")
        for index, (headers, octets) in enumerate(
            zip(sections(bodies, seed, variety, "If-Match"), bodies, strict=True), 1
        )
    ]
    if not variety.change_sets:
        return BatchRequest(messages), bodies
    starts = range(0, len(messages), IN_A_CHANGE_SET)
    groups = (
        ChangeSet(messages[start : start + IN_A_CHANGE_SET], id=f"g{start}") for start in starts
    )
    return BatchRequest(groups), bodies


# -- the rows --------------------------------------------------------------------------------------


def loads_each(bodies: Iterable[bytes]) -> Work:
    def work() -> None:
        for octets in bodies:
            json.loads(octets)

    return work


def decode_responses(variety: Variety) -> Prepare:
    def prepare(seed: int) -> tuple[Work, Work]:
        batch, bodies = make_response(seed, variety)
        sent = encode_response(batch)
        return lambda: decode_response(sent.body, sent.content_type), loads_each(bodies)

    return prepare


def decode_and_read(seed: int) -> tuple[Work, Work]:
    batch, bodies = make_response(seed, UNIQUE)
    sent = encode_response(batch)

    def work() -> None:
        read(decode_response(sent.body, sent.content_type))

    return work, loads_each(bodies)


def read(batch: BatchResponse) -> None:
    """Look at what programs look at."""
    for each in batch.responses():
        _ = each.headers.get("etag"), each.headers.pairs, each.body, each.id


def decode_requests(variety: Variety, left_out: bytes = b"") -> Prepare:
    def prepare(seed: int) -> tuple[Work, Work]:
        batch, bodies = make_request(seed, variety)
        sent = encode_request(batch)
        octets = sent.body.replace(left_out, b"") if left_out else sent.body
        return lambda: decode_request(octets, sent.content_type), loads_each(bodies)

    return prepare


def decode_small_responses(count: int, codec: Callable[[], Codec]) -> Prepare:
    """Decode as many batches of `count` as make `OPERATIONS`, each with what `codec` gives."""

    def prepare(seed: int) -> tuple[Work, Work]:
        payloads: list[Payload] = []
        bodies: list[bytes] = []
        for number in range(OPERATIONS // count):
            batch, more = make_response(seed * 1000 + number, replace(UNIQUE, count=count))
            payloads.append(encode_response(batch))
            bodies += more

        def work() -> None:
            for sent in payloads:
                codec().decode_response(sent.body, sent.content_type)

        return work, loads_each(bodies)

    return prepare


def decode_small_responses_with_one(count: int) -> Prepare:
    def prepare(seed: int) -> tuple[Work, Work]:
        one = Codec()
        return decode_small_responses(count, lambda: one)(seed)

    return prepare


def encode_responses(seed: int) -> tuple[Work, Work]:
    batch, bodies = make_response(seed, UNIQUE)
    return lambda: encode_response(batch), loads_each(bodies)


def encode_requests(variety: Variety) -> Prepare:
    def prepare(seed: int) -> tuple[Work, Work]:
        batch, bodies = make_request(seed, variety)
        return lambda: encode_request(batch), loads_each(bodies)

    return prepare


def decode_json_response(seed: int) -> tuple[Work, Work]:
    sent = encode_response(make_response(seed, UNIQUE)[0], format="json")
    return lambda: decode_response(sent.body, sent.content_type), lambda: json.loads(sent.body)


def decode_json_request(seed: int) -> tuple[Work, Work]:
    sent = encode_request(make_request(seed, UNIQUE)[0], format="json")
    return lambda: decode_request(sent.body, sent.content_type), lambda: json.loads(sent.body)


def dumps(sent: Payload) -> Work:
    value = json.loads(sent.body)
    return lambda: json.dumps(value, separators=(",", ":"))


def encode_json_response(seed: int) -> tuple[Work, Work]:
    batch, _ = make_response(seed, UNIQUE)
    floor = dumps(encode_response(batch, format="json"))
    return lambda: encode_response(batch, format="json"), floor


def encode_json_request(seed: int) -> tuple[Work, Work]:
    batch, _ = make_request(seed, UNIQUE)
    floor = dumps(encode_request(batch, format="json"))
    return lambda: encode_request(batch, format="json"), floor


def match_all(seed: int) -> tuple[Work, Work]:
    batch, bodies = make_request(seed, UNIQUE)
    answer, _ = make_response(seed, UNIQUE)
    return lambda: match(batch, answer), loads_each(bodies)


def split_by_hundreds(seed: int) -> tuple[Work, Work]:
    batch, bodies = make_request(seed, UNIQUE)
    return lambda: split(batch, max_operations=100), loads_each(bodies)


def execute(seed: int) -> tuple[Work, Work]:
    batch, bodies = make_request(seed, UNIQUE)

    def work() -> None:
        execution = Execution(batch, batch_url=URL)
        while not execution.finished:
            for step in execution.ready():
                assert isinstance(step, Step)  # no change set is among them
                execution.complete(step, OperationResponse(204))
        execution.response()

    return work, loads_each(bodies)


def exchange(seed: int) -> tuple[Work, Work]:
    """The floor is the same by hand."""
    batch, _ = make_request(seed, UNIQUE)
    payload = encode_response(make_response(seed, UNIQUE)[0])
    answer = 200, payload.headers, payload.body

    def work() -> None:
        engine = Exchange(batch, URL)
        engine.next()
        engine.receive(*answer)
        assert engine.finished and len(engine.result) == OPERATIONS

    def by_hand() -> None:
        encode_request(batch)
        outcomes(batch, *answer)

    return work, by_hand


def middleware(seed: int) -> tuple[Work, Work]:
    """The floor is the same without an application, by an `Execution`."""
    payload = encode_request(make_request(seed, UNIQUE)[0])
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/service/$batch", "wsgi.url_scheme": "http"}
    environ |= {"SERVER_NAME": "host", "SERVER_PORT": "80", "CONTENT_TYPE": payload.content_type}
    environ |= {"CONTENT_LENGTH": f"{len(payload.body)}"}

    def app(environ: dict[str, object], start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [*JSON_FIELD])
        return [payload.body[-400:-100]]

    codec = Codec(limits=Limits(operations=OPERATIONS))
    endpoint = BatchMiddleware(app, path="/service/$batch", codec=codec)

    def work() -> None:
        asked = {**environ, "wsgi.input": BytesIO(payload.body)}
        for _ in endpoint(asked, lambda *head: lambda data: None):
            pass

    def by_hand() -> None:
        batch = decode_request(payload.body, payload.content_type)
        execution = Execution(batch, batch_url=URL, headers=payload.headers)
        while not execution.finished:
            for step in execution.ready():
                assert isinstance(step, Step)
                answer = OperationResponse(200, [*JSON_FIELD], payload.body[-400:-100])
                execution.complete(step, answer)
        execution.payload()

    return work, by_hand


# Without this field in its head, each part has a note.
NOTED = b"Content-Transfer-Encoding: binary\r\n"
ROWS: dict[str, Prepare] = {
    "decode multipart response, repeated heads": decode_responses(REPEATED),
    "decode multipart response, unique heads": decode_responses(UNIQUE),
    "decode multipart response, change sets": decode_responses(CHANGE_SETS),
    "decode multipart request, unique heads": decode_requests(UNIQUE),
    "decode multipart request, change sets": decode_requests(CHANGE_SETS),
    "decode multipart response, unique heads, and read it": decode_and_read,
    "decode multipart request, a note on each": decode_requests(UNIQUE, NOTED),
    "decode multipart response of 20": decode_small_responses(20, Codec),
    "decode multipart response of 1": decode_small_responses(1, Codec),
    "decode multipart response of 20, one Codec": decode_small_responses_with_one(20),
    "decode multipart response of 1, one Codec": decode_small_responses_with_one(1),
    "encode multipart request, shared headers": encode_requests(Variety(shared=True)),
    "encode multipart request, unique heads": encode_requests(UNIQUE),
    "encode multipart response, unique heads": encode_responses,
    "encode multipart request, change sets": encode_requests(CHANGE_SETS),
    "decode JSON response": decode_json_response,
    "encode JSON response": encode_json_response,
    "decode JSON request": decode_json_request,
    "encode JSON request": encode_json_request,
    "match": match_all,
    "split": split_by_hundreds,
    "Execution": execute,
    "Exchange": exchange,
    "BatchMiddleware": middleware,
}


# -- measuring -------------------------------------------------------------------------------------


def elapsed(work: Work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def ratio(prepare: Prepare) -> tuple[float, str]:
    """Return how many times its floor a row takes, and the microseconds of an operation."""
    own = floor = math.inf
    for seed in range(ROUNDS):
        work, least = prepare(seed)
        gc.collect()
        own, floor = min(own, elapsed(work)), min(floor, elapsed(least))
    own_us, floor_us = (seconds / OPERATIONS * 1e6 for seconds in (own, floor))
    return own / floor, f"times the floor: {own_us:.2f} us an operation over {floor_us:.2f}"


def kept(variety: Variety, look: Callable[[BatchResponse], None]) -> tuple[float, str]:
    """Return the octets that a response keeps of each operation, its body left out."""
    batch, bodies = make_response(1, variety)
    sent = encode_response(batch)
    gc.collect()
    tracemalloc.start()
    value = decode_response(sent.body, sent.content_type)
    look(value)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    objects = sum(map(sys.getsizeof, bodies))
    return (size - objects) / len(value.items), "octets an operation beside its body"


def growth() -> tuple[float, str]:
    """Return the exponent with which time grows from 1000 to 30 000 operations."""
    limits = Limits(items=10**6, operations=10**6, headers_total=10**9)
    sizes, times = (OPERATIONS, 30 * OPERATIONS), []
    for count in sizes:
        batch, _ = make_response(3, replace(UNIQUE, count=count))
        sent = encode_response(batch, limits=limits)
        del batch
        gc.collect()
        gc.disable()  # what it collects grows otherwise
        work = partial(decode_response, sent.body, sent.content_type, limits=limits)
        times.append(min(elapsed(work) for _ in range(3)))
        gc.enable()
    return math.log(times[1] / times[0], sizes[1] / sizes[0]), "as the exponent of the number"


IMPORT = """
import sys, time
sys.path.insert(0, sys.argv[1])
start = time.process_time()
import collections.abc, dataclasses, enum, json, re, typing
between = time.process_time()
import odata_batch
print(between - start, time.process_time() - between)
"""


def imported() -> tuple[float, str]:
    """Return how many times as long as some modules of the standard library the import takes."""
    with tempfile.TemporaryDirectory() as cache:
        # Without `site`, which may bring some of these modules, or not
        options = ["-I", "-S", "-X", f"pycache_prefix={cache}"]
        command = [sys.executable, *options, "-c", IMPORT, str(ROOT)]
        runs = []
        for _ in range(ROUNDS):
            output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
            runs.append([float(word) for word in output.split()])
    # The first run compiles.
    floor, own = (min(times) for times in zip(*runs[1:], strict=True))
    return own / floor, f"times json, dataclasses, enum, re, typing: {own * 1e3:.1f} ms"


FIGURES: dict[str, Callable[[], tuple[float, str]]] = {
    **{name: partial(ratio, prepare) for name, prepare in ROWS.items()},
    "kept memory, repeated heads": lambda: kept(REPEATED, lambda batch: None),
    "kept memory, unique heads": lambda: kept(UNIQUE, read),
    "growth": growth,
    "import": imported,
}


def main() -> int:
    """Print the rows; tell by the exit status whether the gate is shut."""
    parser = argparse.ArgumentParser(description="Time the library beside floors of the same run.")
    parser.add_argument("words", nargs="*", help="only the rows whose names have all of these")
    parser.add_argument("--gate", action="store_true", help="fail beyond 1.3 times a bound")
    given = parser.parse_args()
    bounds = json.loads(BOUNDS.read_bytes())
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{python}; ~ is beyond what is aimed at, ! beyond the bound", flush=True)
    shut = []
    for name, measure in FIGURES.items():
        if not all(word in name for word in given.words):
            continue
        aim, bound = bounds[name]
        most = GATE * bound
        figure, unit = measure()
        for _ in range(2):
            if given.gate and figure > most:
                figure, unit = min((figure, unit), measure())
        if given.gate and figure > most:
            shut.append(name)
        mark = "!" if figure > bound else "~" if figure > aim else " "
        print(f"{mark} {name}: {figure:.2f} {unit}; aim {aim}, at most {bound}", flush=True)
    if shut:
        print(f"beyond what the gate allows: {'; '.join(shut)}", file=sys.stderr)
    return bool(shut)


if __name__ == "__main__":
    sys.exit(main())
