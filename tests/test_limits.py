"""Limits: one value, checked when it is made; the same in reading and in writing."""

from __future__ import annotations

import copy
import pickle
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from odata_batch import BatchError, Codec, Limits, decode_request

from .batches import WRITERS, Batch, decoded, request, response
from .helpers import FORMATS, MULTIPART, Format, batch, part

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
        id=256,
        depends_on=10_000,
        diagnostics=100,
    )
    assert len(NAMES) == 19


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


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_a_limit_that_is_no_int_is_refused(value: object) -> None:
    with pytest.raises(TypeError) as caught:
        Limits(body=value)  # type: ignore[arg-type] # the wrong type is the point
    assert str(caught.value) == f"limit body is an int, not {type(value).__name__}"


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
    with pytest.raises(FrozenInstanceError):
        limits.body = 1  # type: ignore[misc] # that it is refused is the point
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

    def found_by(call: Callable[[int], object], limit: Callable[[Any], object]) -> int:
        def can(value: int) -> bool:
            try:
                call(value)
            except BatchError as error:
                assert limit(error) == (name, value)
                return False
            return True

        return least(can)

    payload = WRITERS[0](bounded(5000), batch)
    reads = found_by(
        lambda value: decoded(bounded(value), batch, payload), lambda error: error.diagnostic.limit
    )
    for write in WRITERS:
        writes = found_by(
            lambda value, write=write: write(bounded(value), batch),  # type: ignore[misc]  # bound
            lambda error: error.diagnostics[0].limit,
        )
        assert reads <= writes <= reads + MORE.get(name, 0) * (len(batch.items) + 1)
