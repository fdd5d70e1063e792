"""`Execution`: what references in queries, bodies and conditions mean, and what becomes of them.

What they mean is in the corpus `resolutions`; batches are in the words of `batches`.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    Begin,
    DecodeError,
    Execution,
    Limits,
    Operation,
    OperationResponse,
    Step,
    UnresolvedReference,
)
from odata_batch.dialects import ODATA_2, ODATA_4_01

from . import corpora
from .batches import request
from .helpers import FORMATS, Format

BATCH_URL = "http://host/service/$batch"
ROOT = "http://host/service/"
JSON = {"Content-Type": "application/json;charset=utf-8"}
SERVICE = {
    name: OperationResponse(it["status"], it.get("headers", ()), it.get("body", "").encode())
    for name, it in corpora.sections("resolutions")["responses"].items()
}
UNREADABLE = (
    b'{"N": "\xe9"}',
    b"[" * 200_000,
    b'{"N": ' + b"1" * 5000 + b"}",
    b'\xef\xbb\xbf{"N":1}',
)


def start(batch: BatchRequest | str, format: Format = "json", **options: Any) -> Execution:
    batch = request(batch) if isinstance(batch, str) else batch
    options = {"references": "resolve", **options}
    return Execution(batch, batch_url=BATCH_URL, format=format, **options)


def answer(execution: Execution, work: Any, **service: OperationResponse) -> None:
    """Answer a step by the last segment of its URL, and obey a signal."""
    if isinstance(work, Step):
        responses = {**SERVICE, **service}
        name = work.url.rpartition("/")[2]
        execution.complete(work, responses.get(name, OperationResponse(204)))
    else:
        execution.done(work)


def reached(
    execution: Execution, *, meant: list[Any] | None = None, **service: OperationResponse
) -> str:
    """Run the batch, and return how the last operation was handed out, or what answered it.

    What `$1` means to operations 2 goes to `meant`.
    """
    last = ""
    while not execution.finished:
        for each in execution.ready():
            if isinstance(each, Step):
                last = f"{each.url.removeprefix(ROOT)} {each.body.decode()}".strip()
                if meant is not None and each.id == "2":
                    meant.append(execution.reference("$1", step=each))
            answer(execution, each, **service)
    response = execution.response().responses()[-1]
    if response.status < 400:
        return last
    return f"{response.status} {response.json()['error']['message']}"


def expected(row: corpora.Row, is_: str) -> str:
    return is_ + row["is"] if "is" in row else f"{row['status']} {row['because']}"


@pytest.mark.parametrize("row", corpora.rows("resolutions", "queries"), ids=lambda it: it["query"])
def test_a_value_is_written_in_the_query(row: corpora.Row) -> None:
    asked = f"a: {row.get('method', 'POST')} {row.get('url', 'A')}"
    text = f"{asked}; b: GET B?{row['query']}"
    assert reached(start(text, "multipart", continue_on_error=True)) == expected(row, "B?")
    if "url" not in row:  # and in JSON, and in a change set, in whatever order
        assert reached(start(text, ordered=False)) == expected(row, "B?")
        assert reached(start(f"g{{ {text} }}", ordered=False)) == expected(row, "B?")


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_cannot_be_read_has_no_values(body: bytes) -> None:
    found = reached(
        start("a: GET A; GET B?f=$a/N", "multipart"), A=OperationResponse(200, JSON, body)
    )
    assert found == "424 the response to 'a' has no body that can be read as JSON"


def test_spaces_as_the_standard_prints_them_are_encoded_in_what_is_made() -> None:
    batch = BatchRequest([Operation.post("A", id="a"), Operation.get("B?$filter=X eq $a/N")])
    assert reached(start(batch, "multipart")) == "B?$filter=X%20eq%201.10"


@pytest.mark.parametrize("row", corpora.rows("resolutions", "bindings"), ids=lambda it: it["body"])
def test_what_binds_is_a_url(row: corpora.Row) -> None:
    body = row["body"]
    text = f"a: POST A; b: POST B = {body}"
    for format in FORMATS if body[-1] == "}" else FORMATS[:1]:
        assert reached(start(text, format)) == expected(row, "B ")
    assert reached(start(text, "multipart", references="keep")) == f"B {body}"
    text = f"a: POST A; b: POST B [Content-Type: text/plain] = {body}"
    assert reached(start(text, "multipart")) == f"B {body}"


@pytest.mark.parametrize(
    "row", corpora.rows("resolutions", "conditions"), ids=lambda it: it["condition"]
)
def test_a_condition_is_evaluated(row: corpora.Row) -> None:
    names = "a: POST A; b: GET Bad; p: GET Property; n: GET Number; g{ m: POST M }"
    batch = request(f"{names}; c: GET C after a b p n g; d: GET D after c")
    asking = replace(batch.operations()[5], condition=row["condition"])
    execution = start(replace(batch, items=(*batch.items[:5], asking, batch.items[6])))
    assert (reached(execution) == "D") is row.get("met", False)
    response = execution.response().responses()[5]
    if not row.get("met"):
        message = f"the condition {row['condition']!r} is not met"
        if "because" in row:
            message = f"the condition {row['condition']!r} cannot be evaluated: {row['because']}"
        assert (response.status, response.json()["error"]["message"]) == (424, message)


def test_conditions_and_queries_are_read_in_linear_time() -> None:
    limits = Limits(url=400_000)
    for word in ("(", "not ", "'", "true or ", "a.", "$a and ", "-"):
        asking = Operation("GET", "B", id="b", condition=word * 20_000)
        execution = start(BatchRequest([Operation.get("A", id="a"), asking]), limits=limits)
        assert reached(execution).startswith("424 the condition")
    batch = BatchRequest(
        [Operation.get("A", id="a"), Operation.get("B?" + "f=%27$a/No%27&" * 20_000)]
    )
    assert reached(start(batch, "multipart", limits=limits)).startswith("B?f=%27")
    text = f"a: GET A; b: GET B if '{'x' * 400}' eq 'x'"
    assert reached(start(text, limits=Limits(url=400))).endswith("it is longer than a URL may be")


def test_what_is_made_of_references_is_limited_like_what_arrives() -> None:
    def found(text: str, **limits: int) -> str:
        return reached(start(f"a: POST A; {text}", "multipart", limits=Limits(**limits)))

    query, bound = "GET B?f=$a/Name,$a/Name", '"$a",' * 20
    body = f'POST B = {{"C@bind":[{bound}1]}}'
    assert found(query, url=50) == "414 the references in it make more than 50 octets"
    assert found(query, url=14) == "414 '$a/Name' has 15 characters"
    assert found(body, body=554).startswith("B ")
    assert found(body, body=553) == "413 the references in it make more than 553 octets"
    for text, what in (
        (query, "424 the values"),
        (f"GET B?{'$id=$a&' * 20}", "414 the URLs"),
        (body, "413 the bodies"),
    ):
        expected = f"{what} made from references are larger than a message"
        assert found(text, message=400) == expected


def test_what_is_asked_of_an_execution_is_what_a_reference_means() -> None:
    text = "a: POST A if c; b: GET Bad; { c: POST Entity; d: POST D }; e: PUT E"
    asked: list[str] = []

    def evaluate(condition: str, responses: object) -> bool:
        asked.append(condition)
        return True

    execution = start(text, ordered=True, evaluate=evaluate)

    def refused(text: str, reason: str) -> None:
        with pytest.raises(UnresolvedReference, match=reason):
            execution.reference(text)

    refused("$a", "'a' has not succeeded")
    while not execution.finished:
        for each in execution.ready():
            if isinstance(each, Step) and each.id == "d":
                assert execution.reference("c", step=each) == f"{ROOT}Entity(1)"
                refused("c", "'c' has not succeeded")
            answer(execution, each)
    assert execution.reference("$a") == execution.reference("a") == f"{ROOT}A(1)"
    assert execution.reference("$a/N") == Decimal("1.10")
    assert execution.reference("a/Address") == {"City": "Kiel", "Street": None, "a/b": 1}
    for name, reason in (
        ("z", "named 'z'"),
        ("b/N", "succeeded"),
        ("d", "no Location"),
        ("e/x", "no body"),
    ):
        refused(name, reason)
    assert asked == ["c"]
    execution = start("", references="keep")
    refused("a", "named 'a'")


def test_an_identifier_means_what_it_means_where_it_is_used() -> None:
    text = '{ 1: POST A; 2: POST $1 }; { 1: POST Entity; 2: POST B = {"C@bind":"$1"} }'
    execution, meant = start(text, "multipart", dialect=ODATA_2), list[Any]()
    assert reached(execution, meant=meant) == f'B {{"C@bind":"{ROOT}Entity(1)"}}'
    assert meant == [f"{ROOT}A(1)", f"{ROOT}Entity(1)"]
    text = 'a: POST A; b: POST B?f=$a/N = {"C@bind":"$a"}'
    none = replace(ODATA_4_01, references="none")
    assert reached(start(text, "multipart", dialect=none)) == 'B?f=$a/N {"C@bind":"$a"}'


@pytest.mark.parametrize("format", FORMATS)
def test_what_refers_waits_for_what_it_refers_to(format: Format) -> None:
    execution = start(
        'a: POST A; b: POST B?f=$c = {"C@bind":"$a"}; c: GET C',
        format,
        ordered=False,
        continue_on_error=True,
    )
    assert [each.id for each in execution.ready() if isinstance(each, Step)] == ["a", "c"]


def test_a_change_set_does_not_begin_where_a_reference_means_nothing() -> None:
    execution = start("a: GET Bad; g{ b: POST B; c: POST C?f=$a/N }")
    (step,) = execution.ready()
    answer(execution, step)
    assert not any(isinstance(each, Begin) for each in execution.ready()) and execution.finished


PIECES = """$a $b /N ' " ( ) %27 %C3%A9 not 1 \\u0024a @bind : { } , $a/$succeeded and eq""".split()
TEXTS = st.lists(st.sampled_from([*PIECES, " "])).map("".join)


@given(TEXTS, TEXTS, st.sampled_from(list(SERVICE.values())), st.sampled_from(FORMATS))
def test_whatever_refers_is_resolved_or_answered_and_stays_without_the_option(
    query: str, text: str, response: OperationResponse, format: Format
) -> None:
    body = b'{"C@bind":["$a","' + text.encode() + b'"]}'
    url = "B?f=" + query.replace(" ", "%20").replace('"', "%22").translate(
        {92: None, 123: None, 125: None}
    )
    two = Operation("POST", url, JSON, body, id="b", condition=text if format == "json" else None)
    batch = BatchRequest([Operation.post("A", id="a"), two])
    for options in ({"references": "keep", "evaluate": lambda *_: True}, {}):
        try:
            execution = start(batch, format, **options)
        except DecodeError:
            return
        while not execution.finished:
            for each in execution.ready():
                assert isinstance(each, Step)
                if options:
                    assert (
                        each.body is each.operation.body and each.url == ROOT + each.operation.url
                    )
                execution.complete(each, response)
        last = execution.response().responses()[-1]
        # Where there is no reason, something else was raised.
        assert last is not None and b' cannot be evaluated"' not in last.body
        execution.payload()


def test_the_option_is_checked() -> None:
    with pytest.raises(ValueError, match="references is 'keep' or 'resolve', not 'yes'"):
        start("GET A", references="yes")
