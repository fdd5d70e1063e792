"""Limits: one value, checked when it is made; the same in reading and in writing."""

from __future__ import annotations

import base64
import copy
import pickle
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

import pytest

from odata_batch import (
    BatchError,
    BatchRequest,
    BatchResponse,
    Codec,
    EncodeError,
    Limits,
    Operation,
    OperationResponse,
    RequestDecoder,
    ResponseDecoder,
    ResponseEncoder,
    check_request,
    check_response,
    decode_request,
    encode_request,
    encode_response,
)

from .batches import WRITERS, Batch, decoded, request, response
from .helpers import FORMATS, JSON, MULTIPART, PART_HEAD, Format, batch, part, untraced

NAMES = [field.name for field in fields(Limits)]


def test_the_defaults_are_those_that_are_documented() -> None:
    assert Limits() == Limits(
        message=67_108_864,
        items=10_000,
        operations=10_000,
        change_set_operations=1_000,
        change_set_depth=1,
        boundary=70,
        url=65_536,
        field_line=65_536,
        fields=64,
        header_section=131_072,
        headers_total=4_194_304,
        body=16_777_216,
        preamble=65_536,
        epilogue=65_536,
        transport_padding=256,
        json_depth=100,
        annotations=1000,
        id=256,
        depends_on=10_000,
        diagnostics=100,
    )
    assert len(NAMES) == 20


def test_items_are_as_many_as_operations_unless_somebody_says_otherwise() -> None:
    assert Limits(operations=20).items == 20
    assert Limits(operations=20, items=5).items == 5
    assert replace(Limits(items=5), operations=20).items == 5


@pytest.mark.parametrize("name", [name for name in NAMES if name != "change_set_depth"])
def test_a_limit_may_be_any_number_from_zero_on(name: str) -> None:
    for value in (0, 1, 10**12):
        assert getattr(replace(Limits(), **{name: value}), name) == value


@pytest.mark.parametrize("name", NAMES)
def test_a_negative_limit_is_refused(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        replace(Limits(), **{name: -1})
    assert str(caught.value) == f"limit {name} is not negative: -1"


def test_change_sets_nest_no_deeper_than_the_stack_allows() -> None:
    Limits(change_set_depth=32)
    with pytest.raises(ValueError, match="limit change_set_depth is at most 32"):
        Limits(change_set_depth=33)


def test_limits_are_a_value_that_is_given_by_name() -> None:
    limits = Limits(body=1)
    assert limits == Limits(body=1) != Limits(body=2)
    copies = [copy.copy(limits), copy.deepcopy(limits), pickle.loads(pickle.dumps(limits))]
    copies.append(eval(repr(limits)))
    assert copies == [limits] * 4
    assert {hash(each) for each in copies} == {hash(limits)}
    with pytest.raises(TypeError):
        Limits(1)  # type: ignore[call-arg] # that it is refused is the point


# -- what is written can be read back --

# A Content-ID in the message is written where it was.
INNER = batch(part(b"POST A HTTP/1.1\r\nX: y\r\nContent-ID: abcdefghijklmn\r\n\r\n"))
POST = "[Content-Type: a/json] [X: " + 90 * "y" + "] = {'a':[1]}".replace("'", '"')
BATCHES: list[tuple[Format, Batch]] = [
    *(
        (format, request(text))
        for text in (
            f"ab: POST A {POST}",
            f"g{{ a: POST A {POST}; b: DELETE B }}; GET C",
            "GET A; GET A; GET " + 30 * "a",
        )
        for format in FORMATS
    ),
    *(
        (format, response(text))
        for text in (f"ab: 200 {POST}", f"g{{ a: 200 {POST}; b: 204 }}; 200")
        for format in FORMATS
    ),
    ("json", response("")),
    ("json", request("1: GET A; 2: GET B after 1; 3: GET C after 1 2")),
    ("json", response("1: 200 [Content-Type: image/png] = octets", next_link="A")),
    ("json", response("1: 204", annotations=[("@a.b", b"[1]"), ("@a.c", b"2")])),
    ("multipart", decode_request(INNER, MULTIPART)),
]
# The outer fields count as lines, with their names; of start lines some octets may count, too; an
# object has room for its headers.
MORE = {"field_line": len("Content-Type: "), "headers_total": 6, "json_depth": 1}


def least(can: Callable[[int], bool]) -> int:
    """Return the smallest number with which something can be done."""
    return bisect_left(range(4096), True, key=can)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "change_set_depth"])
@pytest.mark.parametrize(("format", "batch"), BATCHES)
def test_what_is_written_within_a_limit_is_read_within_it(
    format: Format, batch: Batch, name: str
) -> None:
    def bounded(value: int) -> Codec:
        return Codec(format=format, limits=Limits(**{name: value}), strict=True)

    def written(write: Callable[[Codec, Batch], object], value: int) -> object:
        return write(bounded(value), batch)

    def found_by(call: Callable[[int], object], limit: Callable[[Any], object]) -> int:
        def can(value: int) -> bool:
            try:
                call(value)
            except BatchError as error:
                assert limit(error) == (name, value)
                return False
            return True

        with untraced():
            found = least(can)
        assert can(found) and not (found and can(found - 1))
        return found

    payload = WRITERS[0](bounded(5000), batch)
    reads = found_by(
        lambda value: decoded(bounded(value), batch, payload), lambda error: error.diagnostic.limit
    )
    for write in WRITERS:
        writes = found_by(partial(written, write), lambda error: error.diagnostics[0].limit)
        assert reads <= writes <= reads + MORE.get(name, 0) * (len(batch.items) + 1)


# -- what is too long is refused as it arrives --

HEAD = "--b\r\n" + PART_HEAD.decode() + "\r\n"
START = {"request": "POST A HTTP/1.1\r\n", "response": "HTTP/1.1 200 OK\r\n"}
FIRST = {"request": "POST ", "response": "HTTP/1.1 200 "}
ANYTHING = {"body": 1000, "header_section": 100, "url": 100, "field_line": 100}
LENGTH = HEAD.replace("\r\n\r\n", "\r\nContent-Length: 17\r\n\r\n")
LINES = {"fields": 5, "header_section": 1000}
# Limits, what comes before and what is repeated, which limit is exceeded, and where: that many
# octets before the first that is repeated
UNFINISHED = [
    ({"body": 1000}, HEAD + "{start}A: b\r\n\r\n", "x", "body", 0),
    ({"body": 1000}, LENGTH + "{start}\r\n", "x\r\n--bx", "body", 0),
    ({"body": 1000}, HEAD + "{start}\r\n\r\n--b\r\n" + HEAD[5:] + "{start}\r\n", "\r\n", "body", 0),
    ({"body": 1000}, HEAD.replace("\r", "") + "{start}A: b\n\n", "x", "body", 0),
    ({"body": 1000}, HEAD + "{line}\nA: b\n\n", "x", "body", 0),
    ({"body": 1000}, HEAD + "{line}\n\n", "\n", "body", 0),
    ({"body": 1000, "fields": 5}, HEAD + "{start}" + "A: b\r\n" * 9 + "\r\n", "x", "fields", 56),
    (ANYTHING, "--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n", "x", "body", 5),
    (ANYTHING, HEAD + "\r\n\r\n-\r\n", "x", "header_section", 0),
    (LINES, HEAD + "{start}", "A: b\r\n", "header_section", 0),
    (LINES, HEAD + "{start}", "A: b\r\n c\r\n", "header_section", 0),
    ({"header_section": 1000}, HEAD + "{line}\n", "A: b\n", "header_section", 0),
    ({"header_section": 1000}, HEAD + "\r\n{start}A: ", "x", "header_section", 3),
    ({"header_section": 1000}, "--b\r\n", "A: b\r\n", "header_section", 0),
    ({"header_section": 1000}, "--b\r\n{start}", "\r", "header_section", 17),
    ({"url": 1000, "field_line": 1000}, HEAD + "{first}", "A", "url or field_line", "{first}"),
    ({"url": 1000, "field_line": 1000}, HEAD, "\r\n", "url or field_line", None),
    ({"preamble": 1000}, "", "x", "preamble", 0),
    ({"epilogue": 1000}, HEAD + "{start}\r\n\r\n--b--\r\n", "x", "epilogue", 0),
    ({"transport_padding": 1000}, HEAD + "{start}\r\n\r\n--b", " ", "transport_padding", 3),
]


def reading(
    role: str, limits: dict[str, int], octets: bytes, chunk: int, content_type: str = MULTIPART
) -> tuple[object, int]:
    """Return what is said of octets that come in chunks, and how many came before that."""
    make = RequestDecoder if role == "request" else ResponseDecoder
    decoder: RequestDecoder | ResponseDecoder = make(content_type, limits=Limits(**limits))
    fed = 0
    try:
        for fed in range(chunk, len(octets) + chunk, chunk):
            decoder.receive_data(octets[fed - chunk : fed])
        decoder.receive_eof()
    except BatchError as error:
        return (error.args, decoder.diagnostics), fed
    return decoder.result, fed


@pytest.mark.parametrize("size", [20_000, 2400])
@pytest.mark.parametrize("end", ["", "\r\n--b \t\n\r\n--b--x", "\r\n--b--\r"])
@pytest.mark.parametrize("role", ["request", "response"])
@pytest.mark.parametrize(("limits", "before", "text", "name", "back"), UNFINISHED)
def test_what_is_too_long_is_refused_as_it_arrives(
    limits: dict[str, int],
    before: str,
    text: str,
    name: str,
    back: int | str | None,
    role: str,
    end: str,
    size: int,
) -> None:
    start = START[role]
    before = before.format(start=start, line=start.strip(), first=FIRST[role])
    octets = (before + text * (size // len(text)) + end).encode()
    said, _ = reading(role, limits, octets, 1 << 20)
    with untraced():
        others = [reading(role, limits, octets, each) for each in (1000, 7, 1)]
    for chunk, (other, fed) in zip((1000, 7, 1), others, strict=True):
        assert other == said
        assert fed <= len(before) + sum(limits.values()) + 1100 + chunk
    check = check_request if role == "request" else check_response
    diagnostic = next(
        each for each in check(octets, MULTIPART, limits=Limits(**limits)).diagnostics if each.limit
    )
    exceeded = name.split(" or ")[0 if role == "request" else -1]
    assert diagnostic.limit == (exceeded, limits[exceeded])
    if back is not None:
        length = len(FIRST[role]) if isinstance(back, str) else back
        assert diagnostic.position == len(before) - length


ARRAY = {"request": '{"requests":[', "response": '{"responses":['}
IN_ARRAY = [
    ({"body": 1000}, '{"id":"1","body":[', "[1],", "body", 1),
    ({"body": 100}, '{"body":"1","headers":{},"body":"', "\\u0041", "body", 1),
    ({"body": 100}, '{"body":', "1", "body", 0),
    ({"url": 100}, '{},{"url" : "', "x", "url", 1),
    ({"id": 100}, '{"atomicityGroup":"', '\\"', "id", 1),
    ({"headers_total": 100}, '{"headers":{', '"a":"b",', "headers_total", 1),
    ({"annotations": 100}, '{"@b":', '1,"":', "annotations", 6),
    ({"json_depth": 50}, '{"@a":', '{"a":', "json_depth", None),
    ({"operations": 2}, "{},{} , ", '"x', "operations", 0),
]


@pytest.mark.parametrize("end", ["", "}]}", '"]}'])
@pytest.mark.parametrize("role", ["request", "response"])
@pytest.mark.parametrize(("limits", "before", "text", "name", "back"), IN_ARRAY)
def test_what_is_too_long_in_json_is_refused_as_it_arrives(
    limits: dict[str, int], before: str, text: str, name: str, back: int | None, role: str, end: str
) -> None:
    before = ARRAY[role] + before
    octets = (before + text * (8000 // len(text)) + end).encode()
    (said, _), *others = [
        reading(role, limits, octets, each, JSON) for each in (1 << 20, 1000, 7, 1)
    ]
    for chunk, (other, fed) in zip((1000, 7, 1), others, strict=True):
        assert other == said
        assert fed <= len(before) + 6 * sum(limits.values()) + 10 + chunk
    check = check_request if role == "request" else check_response
    found = check(octets, JSON, limits=Limits(**limits)).diagnostics[-1]
    position = 0 if back is None else len(before) - back
    assert (found.limit, found.position) == ((name, limits[name]), position)


SMALL = {"body": 100, "header_section": 100, "url": 100, "field_line": 100, "operations": 9}
SET = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
INNER_PART = HEAD.replace("--b", "--c") + "{start}\r\n{body}\r\n"
CODED = HEAD.replace("binary", "base64")


@pytest.mark.parametrize("role", ["request", "response"])
@pytest.mark.parametrize("size", [100, 101])
@pytest.mark.parametrize(
    "text",
    [
        HEAD + "{start}\r\n{body}\r\n--b--\r\n",
        SET + INNER_PART * 9 + "--c--\r\n--b--\r\n",
        (HEAD.replace("\r", " \r", 1) + "{start}\r\n{body}\r\n") * 9 + "--b--\r\n",
        CODED + "{coded}\r\n--b--\r\n",
    ],
)
def test_what_keeps_the_limits_is_read_and_what_is_one_octet_longer_is_not(
    text: str, size: int, role: str
) -> None:
    body = "x" * size
    coded = base64.encodebytes(f"{START[role]}\r\n{body}".encode()).decode()
    octets = text.format(start=START[role], body=body, coded=coded).encode()
    (said, _), *others = [reading(role, SMALL, octets, each) for each in (1 << 20, 1000, 7, 1)]
    assert isinstance(said, tuple) is (size > SMALL["body"])
    assert all(other == said for other, _ in others)


@pytest.mark.parametrize("chunk", [1 << 20, 1000, 7, 1])
def test_the_head_of_a_wrapped_batch_is_bounded_as_it_arrives(chunk: int) -> None:
    octets = b"POST /$batch HTTP/1.1\r\n" + b"A: b\r\n" * 5000
    said, fed = reading("request", ANYTHING, octets, chunk, "application/http")
    assert fed <= 3 * 100 + 1000 + chunk
    assert "(Limits.header_section)', position=23, path=''" in str(said)


def test_a_start_line_that_would_not_be_read_is_not_written() -> None:
    limits = Limits(field_line=100)
    answer = BatchResponse([OperationResponse(200, reason="x" * 101)])
    with pytest.raises(EncodeError, match=r"Limits\.field_line"):
        encode_response(answer, limits=limits)
    with pytest.raises(EncodeError, match=r"Limits\.field_line"):
        ResponseEncoder(limits=limits).send(answer.responses()[0])
    encode_response(answer, limits=limits, format="json")
    with pytest.raises(EncodeError, match=r"Limits\.url"):
        encode_request(BatchRequest([Operation("M" * 1001, "A")]))
