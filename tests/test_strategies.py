"""The strategies: what they give is accepted, in strict terms, and is as diverse as they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar  # a body is any JSON value

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck, NoSuchExample, Unsatisfiable

import odata_batch
from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    Dialect,
    Headers,
    Operation,
    OperationResponse,
    encode_request,
    strategies,
)
from odata_batch.dialects import AZURE_TABLES, GRAPH, ODATA_4_0, ODATA_4_01, PRESETS

from .batches import Batch, written_and_read
from .helpers import PROFILE

WireFormat = Literal["multipart", "json"]
T = TypeVar("T")

BOTH_FORMATS: tuple[WireFormat, ...] = ("multipart", "json")
FORMATS: tuple[strategies.Format, ...] = (*BOTH_FORMATS, "both")
EACH_FORMAT = pytest.mark.parametrize("format", FORMATS)

# Nothing is looked up, made simpler, or different the next time.
SEARCH = settings(
    max_examples=2_000,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)


def missing(
    strategy: st.SearchStrategy[T], conditions: Mapping[str, Callable[[T], object]]
) -> set[str]:
    """Return the names of the conditions that no value of the strategy meets."""
    left = dict(conditions)

    def meets_the_last(value: T) -> bool:
        for name in [name for name, condition in left.items() if condition(value)]:
            del left[name]
        return not left

    with suppress(NoSuchExample):
        find(strategy, meets_the_last, settings=SEARCH)
    return set(left)


def wire_formats(format: strategies.Format) -> tuple[WireFormat, ...]:
    return BOTH_FORMATS if format == "both" else (format,)


def assert_survives(batch: Batch, format: strategies.Format) -> None:
    for wire_format in wire_formats(format):
        codec = Codec(format=wire_format)
        assert written_and_read(batch, wire_format) == codec.prepare(batch)  # type: ignore[type-var]  # of either role


# -- what they give is accepted --


@EACH_FORMAT
@given(data=st.data())
def test_headers_are_accepted_on_requests_and_responses(
    format: strategies.Format, data: st.DataObject
) -> None:
    headers = data.draw(strategies.headers(format))
    assert_survives(BatchRequest([Operation("GET", "People", headers)]), format)
    assert_survives(BatchResponse([OperationResponse(200, headers)]), format)


@given(data=st.data(), id=strategies.ids())
def test_ids_are_accepted_for_operations_and_groups(data: st.DataObject, id: str) -> None:
    other = data.draw(strategies.ids().filter(lambda name: name != id))
    operation = Operation.delete("People(1)", id=id)
    assert_survives(BatchRequest([ChangeSet([operation], id=other)]), "json")


@given(text=strategies.json_texts())
def test_json_texts_are_parsed_by_the_standard_library(text: bytes) -> None:
    json.loads(text, parse_int=str)


KINDS: Mapping[str, Callable[[strategies.Format], st.SearchStrategy[Batch]]] = {
    "operations": lambda it: strategies.operations(it).map(lambda it: BatchRequest([it])),
    "change sets": lambda it: strategies.change_sets(it).map(lambda it: BatchRequest([it])),
    "requests": strategies.batch_requests,
    "responses": lambda it: strategies.operation_responses(it).map(lambda it: BatchResponse([it])),
    "change set responses": lambda it: strategies.change_set_responses(it).map(
        lambda it: BatchResponse([it])
    ),
    "batch responses": strategies.batch_responses,
}


@EACH_FORMAT
@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_batches_are_accepted(format: strategies.Format, kind: str, data: st.DataObject) -> None:
    assert_survives(data.draw(KINDS[kind](format)), format)


TARGETS = [
    (dialect, format)
    for dialect in PRESETS.values()
    for format in (*sorted(dialect.formats), "both")
    if format in dialect.formats or len(dialect.formats) == 2
]


@pytest.mark.parametrize(("dialect", "format"), TARGETS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_each_dialect_accepts_what_is_for_it(
    dialect: Dialect, format: strategies.Format, data: st.DataObject
) -> None:
    batch = data.draw(strategies.batch_requests(format, dialect=dialect))
    for wire_format in wire_formats(format):
        encode_request(batch, format=wire_format, dialect=dialect)


@pytest.mark.parametrize("dialect", [ODATA_4_0, ODATA_4_01, GRAPH, AZURE_TABLES])
def test_a_service_is_sent_what_it_knows(dialect: Dialect) -> None:
    """The examples are the same each time, so that what they cover may be measured."""

    @settings(derandomize=True, database=None)
    @given(data=st.data())
    def sends_what_it_knows(data: st.DataObject) -> None:
        known: dict[str, Any] = {"urls": ["/a(1)", "/b"], "bodies": st.just({"name": "Ann"})}
        methods = data.draw(st.sampled_from([("GET",), ("POST",), ("GET", "PATCH")]))
        each = strategies.batch_requests(dialect=dialect, methods=methods, **known)
        for operation in data.draw(each).operations():
            assert operation.url in ("/a(1)", "/b") or dialect.references != "none"
            assert operation.url in ("/a(1)", "/b") or operation.url.startswith("$")
            assert operation.method in methods
            body, content_type = operation.body, operation.headers.get("content-type")
            assert body == (b"" if operation.method == "GET" else b'{"name": "Ann"}')
            assert not body or content_type == "application/json"

    sends_what_it_knows()


def test_what_a_dialect_refuses_is_not_given() -> None:
    with pytest.raises(ValueError, match="Microsoft Graph does not have the format 'both'"):
        strategies.operations("both", dialect=GRAPH)
    unsendable = strategies.operations(dialect=GRAPH, urls=["a b"], methods=["GET"])
    with pytest.raises((Unsatisfiable, FailedHealthCheck)):
        given(unsendable)(lambda operation: None)()


PROGRAM = """
from hypothesis import given, settings
from odata_batch import strategies
for each in (strategies.batch_requests, strategies.batch_responses):
    settings(max_examples=10)(given(each("{}"))(lambda batch: None))()
"""


@EACH_FORMAT
def test_the_first_example_on_a_machine_passes_health_checks(
    format: strategies.Format, tmp_path: Path
) -> None:
    # As if it were installed: of what is being developed, Hypothesis reads the constants, too.
    package = Path(odata_batch.__file__).parent
    shutil.copytree(package, tmp_path / "site-packages" / package.name)
    python = [sys.executable, "-c", PROGRAM.format(format)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site-packages")}
    # Where ten processes share a core, ten examples may take a second.
    for attempt in map(str, range(4)):
        (tmp_path / attempt).mkdir()
        done = subprocess.run(
            python, cwd=tmp_path / attempt, env=environment, stderr=subprocess.PIPE, check=False
        )
        assert not (tmp_path / attempt / ".hypothesis" / "unicode_data").exists()
        if done.returncode == 0:
            break
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("kind", ["requests", "batch responses"])
@given(data=st.data())
def test_a_batch_for_both_formats_reads_the_same_from_both(kind: str, data: st.DataObject) -> None:
    batch = data.draw(KINDS[kind]("both"))
    multipart: Any = written_and_read(batch, "multipart")
    if isinstance(batch, BatchRequest) and batch.continue_on_error is False:
        multipart = replace(multipart, continue_on_error=False)  # which multipart does not say
    prepared = Codec(format="json").prepare(multipart)
    assert prepared == written_and_read(batch, "json")


@pytest.mark.parametrize("max_items", [1, 2])
@given(data=st.data())
def test_no_batch_has_more_items_than_asked_for(max_items: int, data: st.DataObject) -> None:
    request = data.draw(strategies.batch_requests(max_items=max_items))
    response = data.draw(strategies.batch_responses(max_items=max_items))
    assert len(request.items) <= max_items and len(response.items) <= max_items


# -- what they give is diverse --


HEADERS: Mapping[str, Callable[[Headers], object]] = {
    "none": lambda headers: not headers.pairs,
    "obs-text": lambda headers: any(not value.isascii() for value in headers.values()),
    "tab": lambda headers: any("\t" in value for value in headers.values()),
    "C1 control": lambda headers: any("\x85" in value for value in headers.values()),
    "odd space at an end": lambda headers: any(it != it.strip() for _, it in headers.pairs),
    "empty value": lambda headers: "" in headers.values(),
    "odd token": lambda headers: any("|" in name for name in headers),
    "repeated field": lambda headers: len(headers) < len(headers.pairs),
    "Host": lambda headers: "host" in headers,
    "Set-Cookie": lambda headers: "set-cookie" in headers,
}


def holds(part: str) -> Callable[[str], bool]:
    return lambda text: part in text


IDS: Mapping[str, Callable[[str], object]] = {
    **{character: holds(character) for character in "-._~aZ09"},
    "longest": lambda id: len(id) == 256,
}


JSON_TEXTS: Mapping[str, Callable[[bytes], object]] = {
    "infinite": lambda text: b"1e400" in text,
    "exponent": lambda text: re.match(rb"-?[0-9.]+e[0-35-9]", text),
    "minus zero": lambda text: b"-0" in text,
    "final zero": lambda text: b"1.10" in text,
    "escape": lambda text: b"\\u" in text,
    "UTF-8": lambda text: not text.isascii(),
    "array": lambda text: text.startswith(b"["),
    "object": lambda text: text.startswith(b"{"),
    "blanks": lambda text: b"\n" in text,
    "null": lambda text: text == b"null",
}


Message = Operation | OperationResponse


def has(message: Message, content_type: str) -> bool:
    """Tell whether the message has a body of that media type."""
    return message.body != b"" and content_type in message.headers.get("content-type", "none")


def claims(message: Message, length: int) -> bool:
    return message.headers.get("content-length") == str(length)


MESSAGES: Mapping[str, Callable[[Message], object]] = {
    "no body": lambda message: message.body == b"",
    "no type": lambda message: has(message, "none"),
    "JSON": lambda message: has(message, "json") and message.body[:1] in b"[{",
    "JSON and blanks": lambda message: has(message, "json") and message.body.endswith(b"\n"),
    "US-ASCII": lambda message: has(message, "us-ascii"),
    "ISO-8859-1": lambda message: has(message, "ISO-8859-1") and not message.body.isascii(),
    "UTF-8": lambda message: has(message, "utf-8") and not message.body.isascii(),
    "binary": lambda message: has(message, "octet-stream") and not message.body.isascii(),
    "broken type": lambda message: has(message, "nonsense"),
    "NUL": lambda message: b"\0" in message.body,
    "delimiter": lambda message: b"\n--b" in message.body,
    "mid-line delimiter": lambda message: b"x--b" in message.body,
    "final CRLF": lambda message: message.body.endswith(b"\r\n"),
    "LF": lambda message: b"\n" in message.body.replace(b"\r\n", b""),
    "length": lambda message: claims(message, len(message.body)),
    "no id": lambda message: message.id is None,
    "id": lambda message: message.id is not None,
}
OPERATIONS: Mapping[str, Callable[[Operation], object]] = {
    **MESSAGES,
    "GET": lambda operation: operation.method == "GET",
    "POST": lambda operation: operation.method == "POST",
    "PUT": lambda operation: operation.method == "PUT",
    "PATCH": lambda operation: operation.method == "PATCH",
    "DELETE": lambda operation: operation.method == "DELETE",
    "relative URL": lambda operation: operation.url.startswith("People"),
    "absolute path": lambda operation: operation.url.startswith("/"),
    "absolute URL": lambda operation: operation.url.startswith("HTTPS:"),
    "system resource": lambda operation: operation.url.startswith("$metadata"),
    "query alone": lambda operation: operation.url.startswith("?"),
    "asterisk": lambda operation: operation.url.startswith("*"),
    "colon in path": lambda operation: ":" in operation.url.replace("//", "").partition("?")[0],
}
MULTIPART_OPERATIONS: Mapping[str, Callable[[Operation], object]] = {
    "MERGE": lambda operation: operation.method == "MERGE",
    "lower-case method": lambda operation: operation.method.islower(),
    "DELETE with a body": lambda operation: operation.method == "DELETE" and operation.body,
}
JSON_OPERATIONS: Mapping[str, Callable[[Operation], object]] = {
    "condition": lambda operation: operation.condition,
    "empty condition": lambda operation: operation.condition == "",
    "annotations": lambda operation: len(operation.annotations) > 1,
    "empty URL": lambda operation: operation.url == "",
}


def change_sets_of(batch: BatchRequest) -> list[ChangeSet]:
    return [item for item in batch.items if isinstance(item, ChangeSet)]


def refers(batch: BatchRequest) -> bool:
    ids = {operation.id for operation in batch.operations()}
    return any(found.url.partition("/")[0][1:] in ids for found in batch.operations())


def depends_on_a_group(batch: BatchRequest) -> bool:
    names = {change_set.id for change_set in change_sets_of(batch)}
    return any(names & set(operation.depends_on) for operation in batch.operations())


def reads_in_a_change_set(batch: BatchRequest) -> bool:
    change_sets = change_sets_of(batch)
    return any(found.method == "GET" for each in change_sets for found in each.operations())


BATCH_REQUESTS: Mapping[str, Callable[[BatchRequest], object]] = {
    "reference": refers,
    "change sets": lambda batch: len(change_sets_of(batch)) > 1,
    "operations only": lambda batch: batch.items and not change_sets_of(batch),
    "both": lambda batch: 0 < len(change_sets_of(batch)) < len(batch.items),
    "no preference": lambda batch: batch.continue_on_error is None,
    "continue": lambda batch: batch.continue_on_error is True,
    "stop": lambda batch: batch.continue_on_error is False,
}
JSON_BATCH_REQUESTS: Mapping[str, Callable[[BatchRequest], object]] = {
    "empty": lambda batch: not batch.items,
    "annotations": lambda batch: batch.annotations,
    "dependsOn a group": depends_on_a_group,
    "group without a name": lambda batch: any(each.id is None for each in change_sets_of(batch)),
    "GET in a change set": reads_in_a_change_set,
}


RESPONSES: Mapping[str, Callable[[OperationResponse], object]] = {
    "body": lambda response: response.body,
    "no body": lambda response: response.ok and not response.body,
    "1xx": lambda response: response.status < 200,
    "204": lambda response: response.status == 204,
    "304": lambda response: response.status == 304,
    "5xx": lambda response: response.status >= 500,
    "usual reason": lambda response: response.reason is None,
    "odd reason": lambda response: response.reason and not response.reason.isascii(),
    "no reason": lambda response: response.reason == "",
}


def change_sets_in(batch: BatchResponse) -> int:
    return sum(isinstance(item, ChangeSetResponse) for item in batch.items)


BATCH_RESPONSES: Mapping[str, Callable[[BatchResponse], object]] = {
    "change sets": lambda batch: change_sets_in(batch) > 1,
    "responses only": lambda batch: batch.items and not change_sets_in(batch),
    "both": lambda batch: 0 < change_sets_in(batch) < len(batch.items),
}
MULTIPART_BATCH_RESPONSES: Mapping[str, Callable[[BatchResponse], object]] = {
    "202 at the end": lambda batch: len(batch.items) > 1 and batch.responses()[-1].status == 202
}
JSON_BATCH_RESPONSES: Mapping[str, Callable[[BatchResponse], object]] = {
    "next link": lambda batch: batch.next_link,
    "annotations": lambda batch: batch.annotations,
    "empty": lambda batch: not batch.items,
}


# What both formats take has to be the most diverse; a thorough run looks at each of them.
SEARCHED = FORMATS if PROFILE == "thorough" else ("both",)
Give = Callable[..., st.SearchStrategy[Any]]
EACH: list[tuple[Give, Mapping[str, Callable[[Any], object]]]] = [
    (strategies.headers, HEADERS),
    (strategies.operations, OPERATIONS),
    (strategies.batch_requests, BATCH_REQUESTS),
    (strategies.operation_responses, RESPONSES),
    (strategies.batch_responses, BATCH_RESPONSES),
]
DIVERSE = [
    *((partial(each, format), wanted) for each, wanted in EACH for format in SEARCHED),
    (strategies.headers, {"cookies": lambda headers: len(headers.get_all("set-cookie")) > 1}),
    (strategies.ids, IDS),
    (strategies.json_texts, JSON_TEXTS),
    (strategies.operations, MULTIPART_OPERATIONS),
    (partial(strategies.operations, "json"), JSON_OPERATIONS),
    (partial(strategies.batch_requests, "json"), JSON_BATCH_REQUESTS),
    (partial(strategies.batch_responses, "json"), JSON_BATCH_RESPONSES),
    (strategies.batch_responses, MULTIPART_BATCH_RESPONSES),
    (strategies.change_sets, {"two": lambda change_set: len(change_set.items) > 1}),
    (strategies.change_set_responses, {"two": lambda change_set: len(change_set.items) > 1}),
]


@pytest.mark.parametrize(("strategy", "wanted"), DIVERSE)
def test_what_they_give_is_diverse(
    strategy: Give, wanted: Mapping[str, Callable[[Any], object]]
) -> None:
    assert missing(strategy(), wanted) == set()


@given(strategies.batch_responses())
def test_in_multipart_batch_responses_202_comes_nowhere_else(batch: BatchResponse) -> None:
    assert all(each.status != 202 for each in batch.responses()[:-1])
