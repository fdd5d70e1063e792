"""References to other requests of the same batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch._references import (
    EXPRESSION_LITERALS,
    SYSTEM_RESOURCES,
    is_batch_resource,
    referenced_id,
)


@pytest.mark.parametrize(
    ("url", "id"),
    [
        ("$1", "1"),
        ("$1/Orders", "1"),
        ("$10", "10"),
        ("$10(1)", "10"),
        ("$1?$expand=Orders", "1"),
        ("$1#fragment", "1"),
        ("$1/$2", "1"),
        ("$new-1.a_b~c/Orders", "new-1.a_b~c"),
        ("$batches", "batches"),
        ("$BATCH", "BATCH"),
        ("$metadata2", "metadata2"),
        ("$$1", "$1"),
    ],
)
def test_the_whole_first_segment_of_a_url_is_a_reference(url: str, id: str) -> None:
    assert referenced_id(url) == id


@pytest.mark.parametrize(
    "url",
    [
        "",
        "$",
        "$/Orders",
        "$(1)",
        "$?a=b",
        "1",
        "Orders",
        "Orders/$1",
        "Orders?$filter=$1",
        "/$1",
        "/service/$1",
        "http://host/service/$1",
        "%241",
        " $1",
    ],
)
def test_anything_else_is_no_reference(url: str) -> None:
    assert referenced_id(url) is None


@pytest.mark.parametrize("name", sorted(SYSTEM_RESOURCES))
@pytest.mark.parametrize("rest", ["", "/Orders", "(1)", "?a=b", "#fragment"])
def test_system_resources_come_before_identifiers(name: str, rest: str) -> None:
    assert referenced_id(f"${name}{rest}") is None


def test_the_reserved_names_are_those_of_the_standard() -> None:
    assert SYSTEM_RESOURCES == {
        *("all", "batch", "crossjoin", "entity", "id", "metadata", "root"),
    }
    assert EXPRESSION_LITERALS == {"it", "root", "this"}


@given(st.text())
def test_any_text_has_a_reference_or_none(url: str) -> None:
    id = referenced_id(url)
    assert id is None or url.startswith(f"${id}")


@pytest.mark.parametrize(
    "url",
    [
        "$batch",
        "/$batch",
        "/service/$batch",
        "http://host/service/$batch",
        "http://host/service/$batch/",
        "$batch?$format=json",
        "$batch#fragment",
        "%24batch",
        "/a/../$batch",
    ],
)
def test_a_batch_resource_is_the_last_segment_of_a_path(url: str) -> None:
    assert is_batch_resource(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "batch",
        "$batches",
        "$batch(1)",
        "$batch/1",
        "my$batch",
        "Orders?$expand=$batch",
        "Orders?a=/$batch",
        "Orders#/$batch",
        "$1",
    ],
)
def test_no_other_url_is_a_batch_resource(url: str) -> None:
    assert not is_batch_resource(url)


def test_a_long_url_is_judged_in_linear_time() -> None:
    assert not is_batch_resource("/$batch" * 100_000 + "(")
    assert referenced_id("$" + "1" * 1_000_000 + "(") == "1" * 1_000_000
