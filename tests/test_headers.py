"""Header sections as values."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Headers

# -- the mapping ---------------------------------------------------------------------------------


def test_a_field_is_found_without_regard_to_case() -> None:
    headers = Headers({"Content-Type": "text/plain"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == "text/plain"


def test_a_field_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="accept"):
        Headers({"Content-Type": "text/plain"})["Accept"]


def test_get_gives_the_value_or_the_default() -> None:
    headers = Headers([("A", "1"), ("a", "2")])
    assert headers.get("a") == "1, 2"
    assert headers.get("b") is None
    assert headers.get("b", "3") == "3"
    assert headers.get("b", 3) == 3


def test_the_values_of_a_repeated_field_are_joined() -> None:
    headers = Headers([("Accept", "text/plain"), ("X", "1"), ("accept", "text/html")])
    assert headers["ACCEPT"] == "text/plain, text/html"


def test_looking_up_set_cookie_gives_the_first() -> None:
    assert Headers([("Set-Cookie", "a=1"), ("set-cookie", "b=2")])["Set-Cookie"] == "a=1"


def test_get_all_gives_the_values_in_order() -> None:
    headers = Headers([("B", "1"), ("a", "2"), ("b", "3")])
    assert headers.get_all("b") == ("1", "3")
    assert headers.get_all("c") == ()


def test_pairs_keep_order_and_case() -> None:
    pairs = (("B", "1"), ("a", "2"), ("b", "3"))
    assert Headers(pairs).pairs == pairs


def test_as_a_mapping_it_has_names_in_lower_case_once_each() -> None:
    headers = Headers([("B", "1"), ("a", "2"), ("b", "3")])
    assert list(headers) == ["b", "a"]
    assert len(headers) == 2
    assert dict(headers) == {"b": "1, 3", "a": "2"}
    assert headers.keys() == {"a", "b"}
    assert list(headers.values()) == ["1, 3", "2"]


def test_membership_does_not_regard_case() -> None:
    headers = Headers({"Accept": "text/plain"})
    assert "ACCEPT" in headers
    assert "content-type" not in headers


def test_what_is_no_str_is_no_member() -> None:
    number: object = 5
    assert number not in Headers({"5": "x"})


@pytest.mark.parametrize("look_up", [Headers.__getitem__, Headers.get, Headers.get_all])
def test_looking_up_what_is_no_str_is_a_type_error(look_up: object) -> None:
    assert callable(look_up)
    with pytest.raises(TypeError):
        look_up(Headers({"5": "x"}), 5)


def test_no_fields_are_falsy() -> None:
    assert not Headers()
    assert Headers({"a": ""})


# -- construction --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"A": "1", "B": "2"},
        [("A", "1"), ("B", "2")],
        (("A", "1"), ("B", "2")),
        {"A": "1", "B": "2"}.items(),
        Headers({"A": "1", "B": "2"}),
    ],
)
def test_headers_are_made_of_mappings_and_pairs(
    fields: Headers | dict[str, str] | list[tuple[str, str]],
) -> None:
    assert Headers(fields).pairs == (("A", "1"), ("B", "2"))


def test_headers_are_made_of_an_iterator() -> None:
    assert Headers(iter([("A", "1")])).pairs == (("A", "1"),)


def test_a_field_may_be_a_list_of_two() -> None:
    fields = [["A", "1"]]
    assert Headers(fields).pairs == (("A", "1"),)  # type: ignore[arg-type] # as JSON gives it


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([("A", 1)], "a header field is a pair of str, not ('A', 1)"),
        ([(1, "A")], "a header field is a pair of str, not (1, 'A')"),
        ([(b"A", b"1")], "a header field is a pair of str, not (b'A', b'1')"),
        ({"A": None}, "a header field is a pair of str, not ('A', None)"),
        ([("A",)], "a header field is a pair of str, not ('A',)"),
        ([("A", "1", "2")], "a header field is a pair of str, not ('A', '1', '2')"),
        (["ab"], "a header field is a pair of str, not 'ab'"),
        ("ab", "a header field is a pair of str, not 'a'"),
        (b"ab", "a header field is a pair of str, not 97"),
        ([("A", b"x" * 60)], "a header field is a pair of str, not ('A', b'" + "x" * 52),
    ],
)
def test_what_are_no_pairs_of_str_are_a_type_error(fields: object, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        Headers(fields)  # type: ignore[arg-type] # the wrong type is the point
    assert str(caught.value) == message


@pytest.mark.parametrize("fields", [None, 5])
def test_what_cannot_be_iterated_is_a_type_error(fields: object) -> None:
    with pytest.raises(TypeError, match="is not iterable"):
        Headers(fields)  # type: ignore[arg-type] # the wrong type is the point


def test_later_changes_of_what_it_was_made_of_do_not_show() -> None:
    fields = {"A": "1"}
    headers = Headers(fields)
    fields["A"] = "2"
    assert headers["A"] == "1"


# -- values that do not change -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pairs", "other"])
def test_no_attribute_can_be_set(name: str) -> None:
    headers = Headers({"A": "1"})
    with pytest.raises(AttributeError) as caught:
        setattr(headers, name, ())
    assert str(caught.value) == f"Headers cannot be changed, {name} cannot be set"
    assert headers.pairs == (("A", "1"),)


@pytest.mark.parametrize("name", ["pairs", "other"])
def test_no_attribute_can_be_deleted(name: str) -> None:
    headers = Headers({"A": "1"})
    with pytest.raises(AttributeError) as caught:
        delattr(headers, name)
    assert str(caught.value) == f"Headers cannot be changed, {name} cannot be deleted"
    assert headers.pairs == (("A", "1"),)


def test_no_item_can_be_set_or_deleted() -> None:
    headers = Headers({"A": "1"})
    with pytest.raises(TypeError):
        headers["A"] = "2"  # type: ignore[index] # that it is refused is the point
    with pytest.raises(TypeError):
        del headers["A"]  # type: ignore[attr-defined] # that it is refused is the point


def test_there_is_no_dictionary_of_attributes() -> None:
    assert not hasattr(Headers(), "__dict__")


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
def test_a_representation_can_be_pasted_back(headers: Headers) -> None:
    assert eval(repr(headers)).pairs == headers.pairs


@pytest.mark.parametrize("headers", VALUES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_every_field(headers: Headers, protocol: int) -> None:
    assert pickle.loads(pickle.dumps(headers, protocol)).pairs == headers.pairs


@pytest.mark.parametrize("headers", VALUES)
def test_copies_have_the_same_fields(headers: Headers) -> None:
    assert copy.copy(headers).pairs == copy.deepcopy(headers).pairs == headers.pairs


def test_get_takes_its_default_by_name_as_every_mapping_does() -> None:
    assert Headers().get("a", default="b") == "b"
