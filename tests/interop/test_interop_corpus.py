"""The corpus, as others read it: a verdict on each case, held against those that were recorded.

`RECORD=1 pytest -m interop tests/interop/test_interop_corpus.py` writes down anew what is found, in
`verdicts.json` here and in `docs/conformance.md`.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from odata_batch import BatchRequest, Operation
from tests.interop.conftest import HERE, ROOT, NodePackages, Table, node_packages, python_peer
from tests.test_fixtures import CASES, Case

pytestmark = pytest.mark.interop

Messages: TypeAlias = list[list[str]]
"""The status, or the method and URL, of each message, and its body."""
Read: TypeAlias = Callable[[list[Case]], list[Messages | None]]

RECORDED = HERE / "verdicts.json"
PAGE = ROOT / "docs" / "conformance.md"
WRONG = {
    "misreads": "reads something else",
    "rejects": "refuses what every reader should take",
    "tolerates": "takes what two readers may read in different ways",
}
HEAD = """\
# How others read the corpus

Each case of [the corpus](../spec-fixtures/README.md) in multipart that names no dialect and no
limit, as other programs read it: the statuses, or methods and URLs, and the bodies, in order. A
verdict is right if that is what the case says, or if what has no single meaning is refused. Three
things are not compared: line ends at the end of a body, a slash before a path, and whether a body
is `{}` or empty. What is wrong is listed by its case; the tests of `make interop` assert all of it.
"""


CASES_OF = [
    case
    for case in CASES
    if case.format == "multipart" and case.content_type.lower().startswith("multipart/")
    if not case.row.keys() & {"dialect", "dialect_fields", "limits", "generator", "content_type"}
]


def plain(what: str, body: str) -> tuple[str, object]:
    """Return a message without what is not compared."""
    try:
        value: object = json.loads(body)
    except ValueError:
        value = body.strip("\r\n")
    return what.replace(" /", " ", 1), "" if value == {} else value


def expected(case: Case) -> list[tuple[str, object]]:
    batch = case.decode()
    messages: tuple[Any, ...]
    messages = batch.operations() if isinstance(batch, BatchRequest) else batch.responses()
    return [
        plain(
            f"{each.method} {each.url}" if isinstance(each, Operation) else str(each.status),
            each.body.decode("utf-8", "replace"),
        )
        for each in messages
    ]


def verdict(case: Case, found: Messages | None) -> str:
    """Return what is wrong, or nothing."""
    must_agree = "required" in case.row["tags"]
    if case.expectation["default"] == "reject":
        return "tolerates" if found is not None and must_agree else ""
    if found is None:
        return "rejects" if must_agree else ""
    return "" if [plain(*each) for each in found] == expected(case) else "misreads"


# -- programs --------------------------------------------------------------------------------------


def one_by_one(read: Callable[[Case], Messages]) -> Read:
    def cases(cases: list[Case]) -> Iterator[Messages | None]:
        for case in cases:
            try:
                yield read(case)
            except Exception:  # however a program refuses
                yield None

    return lambda each: list(cases(each))


def azure(module: Any) -> Read:
    class Response(module.HttpResponse):  # type: ignore[misc]  # it is known later
        def __init__(self, request: object, case: Case) -> None:
            super().__init__(request, None)
            self.content, self.content_type = case.body, case.content_type

        def body(self) -> bytes:
            return bytes(self.content)

    def asked(items: tuple[Any, ...]) -> Any:
        request = module.HttpRequest("POST", "https://example.org/$batch")
        sets = (getattr(item, "items", None) for item in items)
        inner = [asked(each) if each else module.HttpRequest("GET", "/a") for each in sets]
        request.set_multipart_mixed(*inner)
        return request

    def read(case: Case) -> Messages:
        batch = case.check().value
        request = asked(batch.items if batch is not None else (None,) * 9)
        parts = Response(request, case).parts()
        return [[str(part.status_code), part.body().decode()] for part in parts]

    return one_by_one(read)


def pyodata(module: Any) -> Read:
    def messages(parts: list[Any]) -> Messages:
        found: Messages = []
        for part in parts:
            if isinstance(part, list):
                found += messages(part)
            else:
                response = module.ODataHttpResponse.from_string(part)
                found.append([str(response.status_code), response.content.decode()])
        return found

    return one_by_one(
        lambda case: messages(module.decode_multipart(case.body.decode(), case.content_type))
    )


PYTHON = {
    "azure-core": (azure, "azure.core.pipeline.transport"),
    "pyodata": (pyodata, "pyodata.v2.service"),
}
NODE = {
    "ts-odatajs": ("ts-odatajs", "peers"),
    "datajs": ("@openui5/sap.ui.core", "peers"),
    "_Batch.js": ("@openui5/sap.ui.core", "peers"),
    "@sap-cloud-sdk/odata-common": ("@sap-cloud-sdk/odata-common", "peers"),
    "@sap/cds": ("@sap/cds", "cap"),
}


def in_node(name: str, packages: NodePackages) -> Read:
    def read(cases: list[Case]) -> list[Messages | None]:
        asked = [[case.content_type, base64.b64encode(case.body).decode()] for case in cases]
        return packages.answers("corpus.mjs", name, asked)

    return read


def program(name: str) -> tuple[str, Read]:
    """Return the version of a program, and how it reads."""
    if name in NODE:
        package, where = NODE[name]
        packages = node_packages(where, package)
        return packages.version(package), in_node(name, packages)
    make, module = PYTHON[name]
    version, [imported] = python_peer(name, module)
    return version, make(imported)


# -- verdicts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", (*PYTHON, *NODE))
def test_a_program_reads_the_corpus_as_it_was_recorded(name: str, table: Table) -> None:
    version, read = program(name)
    cases = [case for case in CASES_OF if case.is_request is (name == "@sap/cds")]
    wrong: dict[str, list[str]] = {how: [] for how in WRONG}
    for case, found in zip(cases, read(cases), strict=True):
        if how := verdict(case, found):
            wrong[how].append(case.slug)
    told = {"version": version, "cases": len(cases), **wrong}
    recorded = json.loads(RECORDED.read_text("utf-8")) if RECORDED.exists() else {}
    if os.environ.get("RECORD"):
        recorded[name] = told
        RECORDED.write_text(json.dumps(recorded, indent=1) + "\n", "utf-8")
        PAGE.write_text(page(recorded), "utf-8")
    assert recorded[name] == told
    assert PAGE.read_text("utf-8") == page(recorded)
    right = len(cases) - sum(map(len, wrong.values()))
    result = f"{right} of {len(cases)} verdicts are right"
    table.add(name, version, "reader", "[the corpus](conformance.md)", result)


def page(recorded: dict[str, Any]) -> str:
    """Return the page of verdicts."""
    blocks = [HEAD, "\n| program | version | cases | right | misreads | rejects | tolerates |\n"]
    blocks.append("|---|---|---|---|---|---|---|\n")
    for name, told in recorded.items():
        counts = [len(told[how]) for how in WRONG]
        cells = [name, told["version"], told["cases"], told["cases"] - sum(counts), *counts]
        blocks.append(f"| {' | '.join(map(str, cells))} |\n")
    files = {case.slug: case.row["file"] for case in CASES_OF}
    for name, told in recorded.items():
        blocks.append(f"\n## {name} {told['version']}\n")
        for how, sentence in WRONG.items():
            links = [f"[{slug}](../spec-fixtures/{files[slug]})" for slug in told[how]]
            if links:
                blocks.append(f"\nIt {sentence}:\n{', '.join(links)}.\n")
    return "".join(blocks)
