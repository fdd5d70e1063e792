"""Time what other programs do with the same batches in the same run, and write docs/performance.md.

`make bench-peers` installs them in an environment of their own. Each is asked for what it offers:
most check little, some change bodies, and the page says so. That is why a row tells what comes out
as well. Times are CPU times for an operation, the least of several rounds in which all take turns;
each round takes a batch of its own.
"""

from __future__ import annotations

import gc
import json
import math
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from email.parser import BytesParser
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bench import (
    CHANGE_SETS,
    OPERATIONS,
    UNIQUE,
    Work,
    elapsed,
    loads_each,
    make_request,
    make_response,
)
from odata_batch import (
    BatchRequest,
    Operation,
    Payload,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
NODE_MODULES = ROOT / ".interop" / "peers"
ROUNDS = 5
CRLF = b"\r\n"
SERVICE = "https://host.example/service"


@dataclass(frozen=True, slots=True)
class Given:
    """A batch as it is read, and as it is written."""

    sent: Payload
    request: BatchRequest
    boundary: str


Peer: TypeAlias = Callable[[Given], Work]
"""Makes what is timed; what takes no part is done before."""


# -- reading multipart responses -------------------------------------------------------------------


def parts_of(sent: Payload) -> list[bytes]:
    """Split a batch, or take change sets apart, as anybody would: nothing is checked."""
    delimiter = b"--" + sent.content_type.partition("boundary=")[2].encode()
    found = []
    for piece in sent.body.split(delimiter)[1:-1]:
        head, _, content = piece.partition(CRLF * 2)
        if b"boundary=" in head:
            inner = b"--" + head.partition(b"boundary=")[2]
            found += [each.partition(CRLF * 2)[2][:-2] for each in content.split(inner)[1:-1]]
        else:
            found.append(content[:-2])
    return found


def ours_of_responses(given: Given) -> Work:
    return lambda: decode_response(given.sent.body, given.sent.content_type).responses()


def odatapy_of_responses(given: Given) -> Work:
    parse = import_module("odatapy.client.batch").parse_multipart_batch_response
    return lambda: parse(given.sent.body, given.boundary)


def dataverse_of_responses(given: Given) -> Work:
    base = import_module("PowerPlatform.Dataverse.data._batch_base")._BatchBase
    text = given.sent.body.decode()
    response = SimpleNamespace(headers={"Content-Type": given.sent.content_type}, text=text)
    return lambda: base._parse_batch_response(None, response).responses


def h11_of_responses(given: Given) -> Work:
    h11 = import_module("h11")
    asked = h11.Request(method="GET", target="/", headers=[("Host", "host.example")])

    def one(octets: bytes) -> object:
        connection = h11.Connection(h11.CLIENT)
        connection.send(asked)
        connection.send(h11.EndOfMessage())
        connection.receive_data(octets)
        return [connection.next_event(), connection.next_event().data, connection.next_event()]

    return lambda: [one(octets) for octets in parts_of(given.sent)]


def email_of(given: Given) -> Work:
    """Parse the batch and then each message, its start line taken off."""

    def work() -> object:
        head = f"Content-Type: {given.sent.content_type}\r\n\r\n".encode()
        found = []
        for part in BytesParser().parsebytes(head + given.sent.body).walk():
            if part.get_content_type() == "application/http":
                octets = part.get_payload(decode=True)
                assert isinstance(octets, bytes)
                line, _, rest = octets.partition(CRLF)
                found.append((line, BytesParser().parsebytes(rest)))
        return found

    return work


def pyodata_of_responses(given: Given) -> Work:
    service = import_module("pyodata.v2.service")
    parse, message_of = service.decode_multipart, service.ODataHttpResponse.from_string
    text = given.sent.body.decode()
    return lambda: [message_of(part) for (part,) in parse(text, given.sent.content_type)]


def azure_of_responses(given: Given) -> Work:
    transport = import_module("azure.core.pipeline.transport")
    asked = transport.HttpRequest("POST", SERVICE)
    asked.set_multipart_mixed(*(transport.HttpRequest("GET", SERVICE) for _ in range(OPERATIONS)))
    response = transport.HttpResponse(asked, None)
    response.content_type = given.sent.content_type
    response.body = lambda: given.sent.body
    return lambda: list(response.parts())


def office365_of_responses(given: Given) -> Work:
    kind = import_module("office365.runtime.odata.v3.batch_request").ODataBatchV3Request
    reader = object.__new__(kind)  # it needs a connection to be made
    query = SimpleNamespace(ordered_queries=[None] * OPERATIONS)
    headers = {"Content-Type": given.sent.content_type}
    response = SimpleNamespace(headers=headers, content=given.sent.body)
    return lambda: list(reader._extract_response(response, query))


# -- reading multipart requests --------------------------------------------------------------------


def ours_of_requests(given: Given) -> Work:
    return lambda: decode_request(given.sent.body, given.sent.content_type).operations()


def odatapy_of_requests(given: Given) -> Work:
    parser = import_module("odatapy.server.batch").BatchParser(SERVICE)
    return lambda: [
        item
        for part in parser.parse(given.sent.body, given.boundary)
        for item in part.changeset.items
    ]


def h11_of_requests(given: Given) -> Work:
    h11 = import_module("h11")

    def one(octets: bytes) -> object:
        connection = h11.Connection(h11.SERVER)
        # It refuses a request without Host, and none in a batch has one.
        connection.receive_data(octets.replace(CRLF, b"\r\nHost: host.example\r\n", 1))
        return [connection.next_event(), connection.next_event().data, connection.next_event()]

    return lambda: [one(octets) for octets in parts_of(given.sent)]


# -- writing multipart requests --------------------------------------------------------------------


def ours_in_writing(given: Given) -> Work:
    return lambda: encode_request(given.request).body


def dataverse_in_writing(given: Given) -> Work:
    base = import_module("PowerPlatform.Dataverse.data._batch_base")._BatchBase(None)
    raw = import_module("PowerPlatform.Dataverse.data._raw_request")._RawRequest
    requests = [
        raw(each.method, each.url, each.body.decode(), dict(each.headers.pairs), each.id)
        for each in given.request.operations()
    ]
    return lambda: base._build_batch_body(requests, "batch_1").encode()


def odatapy_in_writing(given: Given) -> Work:
    batch = import_module("odatapy.client.batch")
    made = batch.BatchRequest(SERVICE)
    for each in given.request.operations():
        fields = dict(each.headers.pairs)
        made.parts.append(batch.BatchItem(each.method, each.url, fields, each.body, each.id))
    serialize: Work = made.serialize
    return serialize


def pyodata_in_writing(given: Given) -> Work:
    encode = import_module("pyodata.v2.service").encode_multipart

    def request_of(each: Operation) -> object:
        fields, text = dict(each.headers.pairs), each.body.decode()
        return SimpleNamespace(
            get_method=lambda: each.method,
            get_path=lambda: each.url,
            get_query_params=dict,
            get_headers=lambda: fields,
            get_body=lambda: text,
        )

    requests = [request_of(each) for each in given.request.operations()]
    return lambda: encode("batch_1", requests).encode()


def azure_in_writing(given: Given) -> Work:
    transport = import_module("azure.core.pipeline.transport")
    requests = [
        transport.HttpRequest(
            each.method, f"{SERVICE}/{each.url}", dict(each.headers.pairs), data=each.body
        )
        for each in given.request.operations()
    ]
    whole = transport.HttpRequest("POST", f"{SERVICE}/$batch")
    whole.set_multipart_mixed(*requests)

    def work() -> object:
        whole.prepare_multipart_body()
        return whole.data

    return work


def office365_in_writing(given: Given) -> Work:
    kind = import_module("office365.runtime.odata.v3.batch_request").ODataBatchV3Request
    options = import_module("office365.runtime.http.request_options").RequestOptions

    def request_of(url: str, method: str, fields: dict[str, str], body: bytes) -> object:
        made = options(f"{SERVICE}/{url}")
        made.method, made.headers, made.data = method, fields, json.loads(body)
        return made

    built = [
        request_of(each.url, each.method, dict(each.headers.pairs), each.body)
        for each in given.request.operations()
    ]
    query = SimpleNamespace(
        current_boundary="batch_1",
        has_change_sets=False,
        get_queries=[SimpleNamespace(build_request=lambda made=made: made) for made in built],
        context=SimpleNamespace(current_query_scope=nullcontext),
    )
    return lambda: object.__new__(kind)._prepare_payload(query)


# -- reading JSON responses ------------------------------------------------------------------------


def odatapy_of_json(given: Given) -> Work:
    parse = import_module("odatapy.client.batch").parse_json_batch_response
    return lambda: parse(given.sent.body)


def office365_of_json(given: Given) -> Work:
    kind = import_module("office365.runtime.odata.v4.batch_request").ODataV4BatchRequest
    query = SimpleNamespace(queries=[None] * OPERATIONS * 2)
    response = SimpleNamespace(json=lambda: json.loads(given.sent.body))
    return lambda: list(kind._extract_response(response, query))


# -- the page --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """What all are asked to do, and who can."""

    title: str
    about: str
    prepare: Callable[[int], tuple[Given, list[bytes]]]
    peers: Mapping[str, tuple[Peer, str]]
    """By the name of its distribution, or of what else it is: what is timed, and what comes out."""


def responses(seed: int) -> tuple[Given, list[bytes]]:
    batch, bodies = make_response(seed, UNIQUE)
    return given_of(encode_response(batch)), bodies


def json_responses(seed: int) -> tuple[Given, list[bytes]]:
    batch, bodies = make_response(seed, UNIQUE)
    return given_of(encode_response(batch, format="json")), bodies


def change_sets(seed: int) -> tuple[Given, list[bytes]]:
    batch, bodies = make_request(seed, CHANGE_SETS)
    return given_of(encode_request(batch), batch), bodies


def requests(seed: int) -> tuple[Given, list[bytes]]:
    batch, bodies = make_request(seed, UNIQUE)
    return given_of(encode_request(batch), batch), bodies


def given_of(sent: Payload, request: BatchRequest | None = None) -> Given:
    return Given(sent, request or BatchRequest([]), sent.content_type.partition("boundary=")[2])


BYTES = "octets as they were, fields in order"
TASKS = (
    Task(
        "Reading a multipart response",
        "1000 responses, each with an entity tag of its own.",
        responses,
        {
            "odata-batch": (ours_of_responses, f"{BYTES}; all rules checked"),
            "odatapy": (odatapy_of_responses, "octets, a dictionary of fields; nothing checked"),
            "PowerPlatform-Dataverse-Client": (
                dataverse_of_responses,
                "the body parsed as JSON, line ends replaced",
            ),
            "h11": (h11_of_responses, "octets, fields; HTTP checked, MIME split by hand"),
            "email": (email_of, "messages of the standard library, parsed twice"),
            "pyodata": (pyodata_of_responses, "octets of the body, a dictionary of fields"),
            "azure-core": (azure_of_responses, "responses with a body still to be read"),
            "Office365-REST-Python-Client": (office365_of_responses, "`requests.Response`"),
        },
    ),
    Task(
        "Reading a multipart request",
        "100 change sets of 10 requests, each with If-Match and a Content-ID.",
        change_sets,
        {
            "odata-batch": (ours_of_requests, f"{BYTES}; all rules checked"),
            "odatapy": (odatapy_of_requests, "octets, a dictionary of fields; lines checked"),
            "h11": (h11_of_requests, "octets, fields; HTTP checked, MIME split by hand"),
            "email": (email_of, "messages of the standard library, parsed twice"),
        },
    ),
    Task(
        "Writing a multipart request",
        "1000 requests whose values are made before, each with If-Match.",
        requests,
        {
            "odata-batch": (ours_in_writing, "all rules checked, no body holds a delimiter"),
            "odatapy": (odatapy_in_writing, "nothing checked"),
            "PowerPlatform-Dataverse-Client": (dataverse_in_writing, "nothing checked"),
            "pyodata": (pyodata_in_writing, "nothing checked"),
            "azure-core": (azure_in_writing, "through `email`"),
            "Office365-REST-Python-Client": (office365_in_writing, "through `email` and JSON"),
        },
    ),
    Task(
        "Reading a JSON response",
        "1000 responses, each with an entity tag of its own.",
        json_responses,
        {
            "odata-batch": (ours_of_responses, f"{BYTES}; all rules checked"),
            "odatapy": (odatapy_of_json, "bodies written anew, a dictionary of fields"),
            "Office365-REST-Python-Client": (office365_of_json, "bodies written anew"),
        },
    ),
)


def measure(task: Task) -> tuple[dict[str, float], float]:
    """Return the microseconds of an operation by peer, and those of the floor."""
    least = dict.fromkeys(task.peers, math.inf)
    floor = math.inf
    for seed in range(ROUNDS):
        given, bodies = task.prepare(seed)
        for name, (peer, _) in task.peers.items():
            found = peer(given)()
            if isinstance(found, list | tuple) and len(found) != OPERATIONS:
                sys.exit(f"{task.title}: {name} found {len(found)} of {OPERATIONS} operations")
            del found
            gc.collect()
            least[name] = min(least[name], elapsed(peer(given)) / OPERATIONS * 1e6)
        floor = min(floor, elapsed(loads_each(bodies)) / OPERATIONS * 1e6)
    return least, floor


def odatajs() -> float | None:
    """Return the microseconds of ts-odatajs on Node, `None` if it is not installed."""
    if not (NODE_MODULES / "node_modules" / "ts-odatajs").exists():
        return None
    batches = [responses(seed)[0].sent for seed in range(ROUNDS * 4)]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump([[sent.content_type, sent.body.decode()] for sent in batches], file)
        file.flush()
        script = Path(__file__).with_name("odatajs.mjs")
        command = ["node", str(script), str(NODE_MODULES), file.name]
        return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def known_version(name: str) -> str:
    own = {"odata-batch": "this checkout", "email": platform.python_version()}
    return own.get(name) or version(name)


def table(task: Task, javascript: float | None) -> str:
    times, floor = measure(task)
    rows = [
        (us, f"{name} {known_version(name)}", task.peers[name][1]) for name, us in times.items()
    ]
    if javascript is not None:
        package = json.loads(
            (NODE_MODULES / "node_modules" / "ts-odatajs" / "package.json").read_bytes()
        )
        rows.append((javascript, f"ts-odatajs {package['version']}", "bodies parsed as JSON; V8"))
    lines = [
        f"| {name} | {us:.1f} | {us / floor:.1f} | {gives} |" for us, name, gives in sorted(rows)
    ]
    return "\n".join(
        [
            f"## {task.title}\n",
            f"{task.about}\n`json.loads` of the bodies, each alone, took {floor:.1f} us.\n",
            "| program | us | times `json.loads` | what comes out |",
            "|---|---|---|---|",
            *lines,
            "",
        ]
    )


HEAD = """<!-- Written by benchmarks/peers.py; changes made here are overwritten. -->

# Performance

What an operation costs, in microseconds of CPU time, beside what other programs need for the same
batch in the same run: bodies of 300 octets of JSON, four or five header fields.
This was {python}{node}; only the ratios mean anything on another machine.

`make bench-peers` installs the other programs in an environment of their own, runs all and writes
this page. `make bench` prints the figures of this library alone, with what is aimed at and the most
that is allowed: [benchmarks](../benchmarks/README.md).

They do not do the same: the last column says what comes out. What is called checked here is all
that [the rules](rules.md) say, with the position of each finding.
"""


def main() -> None:
    javascript = odatajs()
    node = ""
    if javascript is not None:
        said = subprocess.run(["node", "--version"], capture_output=True, check=True, text=True)
        node = f", Node {said.stdout.strip().removeprefix('v')}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    tables = [table(task, None if index else javascript) for index, task in enumerate(TASKS)]
    PAGE.write_text("\n".join([HEAD.format(python=python, node=node), *tables]), "utf-8")
    print(PAGE.read_text("utf-8"))


if __name__ == "__main__":
    main()
