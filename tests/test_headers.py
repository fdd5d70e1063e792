"""Header sections as values."""

from __future__ import annotations

import copy
import http.client
import pickle
import threading
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Headers

# -- the mapping ---------------------------------------------------------------------------------

PAIRS_OF_THREE = (("B", "1"), ("a", "2"), ("b", "3"))


def test_fields_are_found_without_regard_to_case() -> None:
    headers = Headers(PAIRS_OF_THREE)
    assert headers["b"] == headers["B"] == headers.get("b") == "1, 3"
    assert (headers["A"], headers.get("c"), headers.get("c", "4")) == ("2", None, "4")
    assert (headers.get("c", 4), headers.get("c", default="d")) == (4, "d")
    assert (headers.get_all("B"), headers.get_all("c")) == (("1", "3"), ())
    assert "A" in headers and "c" not in headers
    with pytest.raises(KeyError, match="Accept"):
        headers["Accept"]


def test_looking_up_set_cookie_gives_the_first() -> None:
    assert Headers([("Set-Cookie", "a=1"), ("set-cookie", "b=2")])["Set-Cookie"] == "a=1"


def test_it_is_a_mapping_with_names_in_lower_case_once_each() -> None:
    headers = Headers(PAIRS_OF_THREE)
    assert headers.pairs == PAIRS_OF_THREE
    assert (list(headers), len(headers)) == (["b", "a"], 2)
    assert dict(headers) == {"b": "1, 3", "a": "2"}
    assert headers.keys() == {"a", "b"}
    assert list(headers.values()) == ["1, 3", "2"]
    assert Headers({"a": ""}) and not Headers()
    number: object = 5
    assert number not in Headers({"5": "x"})


@pytest.mark.parametrize("look_up", [Headers.__getitem__, Headers.get, Headers.get_all])
def test_looking_up_what_is_no_str_is_a_type_error(look_up: object) -> None:
    assert callable(look_up)
    with pytest.raises(TypeError):
        look_up(Headers({"5": "x"}), 5)


# -- construction --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        *({"A": "1", "B": "2"}, [("A", "1"), ("B", "2")], (("A", "1"), ("B", "2"))),
        *(
            {"A": "1", "B": "2"}.items(),
            Headers({"A": "1", "B": "2"}),
            iter([("A", "1"), ("B", "2")]),
        ),
        *([["A", "1"], ["B", "2"]], http.client.parse_headers(BytesIO(b"A: 1\r\nB: 2\r\n\r\n"))),
    ],
)
def test_headers_are_made_of_mappings_and_pairs(fields: Any) -> None:
    assert Headers(fields).pairs == (("A", "1"), ("B", "2"))


def test_later_changes_of_what_it_was_made_of_do_not_show() -> None:
    fields = {"A": "1"}
    headers = Headers(fields)
    fields["A"] = "2"
    assert headers["A"] == "1"


# -- values that do not change -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pairs", "other"])
def test_nothing_can_be_set_or_deleted(name: str) -> None:
    headers = Headers({"A": "1"})
    with pytest.raises(AttributeError) as caught:
        setattr(headers, name, ())
    assert str(caught.value) == f"Headers cannot be changed, {name} cannot be set"
    with pytest.raises(AttributeError) as caught:
        delattr(headers, name)
    assert str(caught.value) == f"Headers cannot be changed, {name} cannot be deleted"
    with pytest.raises(TypeError):
        headers["A"] = "2"  # type: ignore[index] # that it is refused is the point
    with pytest.raises(TypeError):
        del headers["A"]  # type: ignore[attr-defined] # that it is refused is the point
    assert headers.pairs == (("A", "1"),)
    assert not hasattr(headers, "__dict__")


def test_threads_that_look_up_first_at_once_find_the_same() -> None:
    pairs = [(f"Name-{number % 50}", str(number)) for number in range(500)]
    headers = Headers(pairs)
    barrier = threading.Barrier(8)
    found: list[dict[str, str]] = []

    def look_up() -> None:
        barrier.wait()
        found.append(dict(headers))

    threads = [threading.Thread(target=look_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [dict(Headers(pairs))] * 8


# -- equality ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([("A", "1"), ("B", "2")], [("B", "2"), ("A", "1")]),
        ([("A", "1")], [("a", "1")]),
        ([("A", "1"), ("a", "2")], [("A", "1, 2")]),
        ([("A", "1"), ("B", "3"), ("a", "2")], [("b", "3"), ("A", "1, 2")]),
        ([("Set-Cookie", "1"), ("set-cookie", "2")], [("SET-COOKIE", "1"), ("Set-Cookie", "2")]),
        ([], []),
    ],
)
def test_headers_of_the_same_meaning_are_equal(
    left: list[tuple[str, str]], right: list[tuple[str, str]]
) -> None:
    assert Headers(left) == Headers(right)
    assert hash(Headers(left)) == hash(Headers(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([("A", "1")], [("A", "2")]),
        ([("A", "1")], [("B", "1")]),
        ([("A", "x")], [("A", "X")]),
        ([("A", "1"), ("A", "2")], [("A", "2"), ("A", "1")]),
        ([("A", "1"), ("A", "1")], [("A", "1")]),
        ([("Set-Cookie", "1"), ("Set-Cookie", "2")], [("Set-Cookie", "1, 2")]),
        ([("Set-Cookie", "1"), ("Set-Cookie", "2")], [("Set-Cookie", "2"), ("Set-Cookie", "1")]),
        ([("A", "1")], []),
    ],
)
def test_headers_of_another_meaning_are_not_equal(
    left: list[tuple[str, str]], right: list[tuple[str, str]]
) -> None:
    assert Headers(left) != Headers(right)


def test_headers_do_not_equal_a_dict() -> None:
    assert Headers({"a": "1"}) != {"a": "1"}
    assert Headers({"a": "1"}).__eq__({"a": "1"}) is NotImplemented


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(("A", "a", "B", "Set-Cookie", "set-cookie", "Content-Type")),
        st.sampled_from(("1", "2", "1, 2", "")),
    ),
    max_size=5,
)


@given(PAIRS.flatmap(lambda pairs: st.tuples(st.just(pairs), st.permutations(pairs))))
def test_the_order_of_different_fields_does_not_matter(
    drawn: tuple[list[tuple[str, str]], list[tuple[str, str]]],
) -> None:
    pairs, permuted = drawn
    names = dict.fromkeys(name.lower() for name, _ in permuted)
    moved = [pair for name in names for pair in pairs if pair[0].lower() == name]
    assert Headers(moved) == Headers(pairs)
    assert hash(Headers(moved)) == hash(Headers(pairs))


@given(PAIRS, PAIRS, PAIRS)
def test_equality_is_an_equivalence_with_equal_hashes(
    first: list[tuple[str, str]], second: list[tuple[str, str]], third: list[tuple[str, str]]
) -> None:
    one, two, three = Headers(first), Headers(second), Headers(third)
    assert one == Headers(first)
    assert (one == two) == (two == one)
    if one == two:
        assert hash(one) == hash(two)
        assert (one == three) == (two == three)


# -- representation, copies ----------------------------------------------------------------------

VALUES = [
    Headers(),
    Headers({"A": "1"}),
    Headers([("A", "1"), ("a", "2")]),
    Headers([("A", "'\"\\\xe9"), ("Set-Cookie", "1"), ("Set-Cookie", "2")]),
]


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (VALUES[0], "Headers()"),
        (VALUES[1], "Headers({'A': '1'})"),
        (VALUES[2], "Headers([('A', '1'), ('a', '2')])"),
    ],
)
def test_the_representation_is_a_mapping_where_that_is_enough(headers: Headers, text: str) -> None:
    assert repr(headers) == str(headers) == text


@pytest.mark.parametrize("headers", VALUES)
def test_copies_have_the_same_fields(headers: Headers) -> None:
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    copies = [pickle.loads(pickle.dumps(headers, protocol)) for protocol in protocols]
    copies += [copy.copy(headers), copy.deepcopy(headers), eval(repr(headers))]
    assert [each.pairs for each in copies] == [headers.pairs] * len(copies)
