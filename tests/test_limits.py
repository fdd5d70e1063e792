"""Limits: one value, checked when it is made."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from odata_batch import Limits

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
