"""Header sections as values and as lines, and media types."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Diagnostic, Headers, Limits, Rule
from odata_batch._model.findings import Stop
from odata_batch._model.headers import folded, headers_of, without
from odata_batch._wire.sections import (
    MediaType,
    Problem,
    SectionReader,
    first_fold,
    folds,
    parse_field_line,
    parse_media_type,
    serialize_fields,
    starts_of,
    unfold,
)

CRLF = b"\r\n"
LF = b"\n"


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


@pytest.mark.parametrize("name", ["_pairs", "_index", "pairs", "other"])
def test_no_attribute_can_be_set(name: str) -> None:
    headers = Headers({"A": "1"})
    with pytest.raises(AttributeError) as caught:
        setattr(headers, name, ())
    assert str(caught.value) == f"Headers cannot be changed, {name} cannot be set"
    assert headers.pairs == (("A", "1"),)


@pytest.mark.parametrize("name", ["_pairs", "_index", "pairs", "other"])
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


# -- what the package makes ----------------------------------------------------------------------


def test_headers_of_known_pairs_equal_those_of_the_constructor() -> None:
    pairs = (("A", "1"), ("a", "2"))
    assert headers_of(pairs).pairs == pairs
    assert headers_of(pairs, {"a": ("1", "2")})["A"] == Headers(pairs)["A"]


def test_folded_gives_all_values_by_name() -> None:
    assert folded(Headers([("A", "1"), ("a", "2")])) == {"a": ("1", "2")}


def test_without_leaves_out_all_fields_of_a_name() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])
    assert without(headers, "a").pairs == (("B", "2"),)


def test_fields_are_written_in_order_and_case() -> None:
    headers = Headers([("b", "1"), ("A", ""), ("b", "2")])
    assert serialize_fields(headers) == "b: 1\r\nA: \r\nb: 2\r\n"


# -- field lines ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        (b"Accept: text/plain", ("Accept", "text/plain")),
        (b"Accept:text/plain", ("Accept", "text/plain")),
        (b"Accept:  \t text/plain \t ", ("Accept", "text/plain")),
        (b"Accept:", ("Accept", "")),
        (b"Accept: ", ("Accept", "")),
        (b"A: b:c", ("A", "b:c")),
        (b"A: b\tc", ("A", "b\tc")),
        (b"!#$%&'*+-.^_`|~09azAZ: x", ("!#$%&'*+-.^_`|~09azAZ", "x")),
        (b'A: "\\"', ("A", '"\\"')),
    ],
)
def test_a_field_line_is_a_name_and_a_value(line: bytes, pair: tuple[str, str]) -> None:
    assert parse_field_line(line) == (pair, None)


@pytest.mark.parametrize(
    ("line", "pair", "problem"),
    [
        (
            b"A: x\x00y",
            ("A", "x\x00y"),
            (Rule.CONTROL_CHARACTER, "field line 'A: x\\x00y' has a control character"),
        ),
        (
            b"A: x\ry",
            ("A", "x\ry"),
            (Rule.CONTROL_CHARACTER, "field line 'A: x\\ry' has a control character"),
        ),
        (
            b"A: x\ny",
            ("A", "x\ny"),
            (Rule.CONTROL_CHARACTER, "field line 'A: x\\ny' has a control character"),
        ),
        (
            b"A: \x7f",
            ("A", "\x7f"),
            (Rule.CONTROL_CHARACTER, "field line 'A: \\x7f' has a control character"),
        ),
        (
            b"A: \xe9\x01",
            ("A", "\xe9\x01"),
            (Rule.CONTROL_CHARACTER, "field line 'A: \xe9\\x01' has a control character"),
        ),
        (
            b"A: caf\xe9",
            ("A", "caf\xe9"),
            (Rule.HEADER_NOT_ASCII, "field line 'A: caf\xe9' is not US-ASCII"),
        ),
        (
            b"A: \xa0x\xa0",
            ("A", "\xa0x\xa0"),
            (Rule.HEADER_NOT_ASCII, "field line 'A: \\xa0x\\xa0' is not US-ASCII"),
        ),
        (
            b"A : x",
            ("A", "x"),
            (Rule.HEADER_BLANK_BEFORE_COLON, "field line 'A : x' has a blank before its colon"),
        ),
        (
            b" A\t: x",
            ("A", "x"),
            (Rule.HEADER_BLANK_BEFORE_COLON, "field line ' A\\t: x' has a blank before its colon"),
        ),
        (
            b" A: x",
            None,
            (Rule.HEADER_SYNTAX, "found ' A: x', expected a name, a colon and a value"),
        ),
        (b"", None, (Rule.HEADER_SYNTAX, "found '', expected a name, a colon and a value")),
        (b":", None, (Rule.HEADER_SYNTAX, "found ':', expected a name, a colon and a value")),
        (b": x", None, (Rule.HEADER_SYNTAX, "found ': x', expected a name, a colon and a value")),
        (b"A", None, (Rule.HEADER_SYNTAX, "found 'A', expected a name, a colon and a value")),
        (b"A ", None, (Rule.HEADER_SYNTAX, "found 'A ', expected a name, a colon and a value")),
        (
            b"A B: x",
            None,
            (Rule.HEADER_SYNTAX, "found 'A B: x', expected a name, a colon and a value"),
        ),
        (
            b"A B : x",
            None,
            (Rule.HEADER_SYNTAX, "found 'A B : x', expected a name, a colon and a value"),
        ),
        (
            b"A\x00: x",
            None,
            (Rule.HEADER_SYNTAX, "found 'A\\x00: x', expected a name, a colon and a value"),
        ),
        (
            b"\xe9: x",
            None,
            (Rule.HEADER_SYNTAX, "found '\xe9: x', expected a name, a colon and a value"),
        ),
        (
            b"?" * 61,
            None,
            (Rule.HEADER_SYNTAX, f"found '{'?' * 60}'..., expected a name, a colon and a value"),
        ),
    ],
)
def test_what_is_wrong_with_a_field_line_is_told(
    line: bytes, pair: tuple[str, str] | None, problem: Problem
) -> None:
    assert parse_field_line(line) == (pair, problem)


# -- header sections -----------------------------------------------------------------------------


def read(
    section: bytes, line_end: bytes = CRLF, *, position: int = 0, limits: Limits | None = None
) -> tuple[Headers, list[Diagnostic]]:
    """Return the fields of a section, and what is reported, which is the same when read again."""
    found: list[Diagnostic] = []
    reader = SectionReader(limits or Limits(), found.append)
    headers = reader.read(section, position, line_end, Rule.HEADER_FOLDED)
    first = found.copy()
    found.clear()
    again = reader.read(section, position, line_end, Rule.HEADER_FOLDED)
    assert (again.pairs, found) == (headers.pairs, first)
    return headers, first


def places(found: list[Diagnostic]) -> list[tuple[str, int | None]]:
    return [(each.rule.slug, each.position) for each in found]


@pytest.mark.parametrize("line_end", [CRLF, LF])
def test_a_section_is_read_into_its_fields(line_end: bytes) -> None:
    section = line_end.join([b"B: 1", b"a:2", b"b: 3"])
    headers, found = read(section, line_end)
    assert headers.pairs == (("B", "1"), ("a", "2"), ("b", "3"))
    assert headers["b"] == "1, 3"
    assert not found


@pytest.mark.parametrize("line_end", [CRLF, LF])
def test_an_empty_section_has_no_fields(line_end: bytes) -> None:
    assert read(b"", line_end) == (Headers(), [])


def test_lines_of_a_line_feed_section_may_end_in_crlf() -> None:
    assert read(b"A: 1\r\nB: 2\nC: 3\r", LF) == (Headers({"A": "1", "B": "2", "C": "3"}), [])


def test_a_line_feed_does_not_end_a_line_of_a_crlf_section() -> None:
    headers, found = read(b"A: 1\nB: 2")
    assert headers.pairs == (("A", "1\nB: 2"),)
    assert places(found) == [("control-character", 0)]


def test_a_carriage_return_never_ends_a_line() -> None:
    headers, found = read(b"A: 1\rB: 2")
    assert headers.pairs == (("A", "1\rB: 2"),)
    assert places(found) == [("control-character", 0)]


def test_a_line_with_a_problem_is_reported_where_it_begins() -> None:
    headers, found = read(b"A: 1\r\nno field\r\nB: \x00\r\nC: 2", position=100)
    assert headers.pairs == (("A", "1"), ("B", "\x00"), ("C", "2"))
    assert found == [
        Diagnostic(
            Rule.HEADER_SYNTAX, "found 'no field', expected a name, a colon and a value", 106
        ),
        Diagnostic(Rule.CONTROL_CHARACTER, "field line 'B: \\x00' has a control character", 116),
    ]


def test_in_a_line_feed_section_problems_are_found_at_their_lines() -> None:
    _, found = read(b"A: 1\nno field\r\nB: \x00\nC: 2", LF, position=100)
    assert places(found) == [("header-syntax", 105), ("control-character", 115)]


@pytest.mark.parametrize(("line_end", "position"), [(CRLF, 128), (LF, 123)])
def test_problems_after_a_folded_line_are_found_at_their_lines(
    line_end: bytes, position: int
) -> None:
    section = line_end.join([b"A: 1", b"B: 2", b"  3", b"\t4", b"C: 5 ", b"\xe9"])
    _, found = read(section, line_end, position=100)
    assert places(found) == [
        ("header-folded", 100 + len(b"A: 1" + line_end)),
        ("header-syntax", position),
    ]


def test_a_problem_in_a_folded_line_is_found_where_that_line_begins() -> None:
    headers, found = read(b"A: 1\r\nB: 2\r\n \x01\r\nC: 3")
    assert headers.pairs == (("A", "1"), ("B", "2 \x01"), ("C", "3"))
    assert places(found) == [("header-folded", 6), ("control-character", 6)]


def test_every_line_may_have_a_problem() -> None:
    _, found = read(b"\r\n".join([b"?"] * 3))
    assert places(found) == [("header-syntax", 0), ("header-syntax", 3), ("header-syntax", 6)]


def test_a_line_with_a_problem_is_reported_each_time() -> None:
    found: list[Diagnostic] = []
    reader = SectionReader(Limits(), found.append)
    for position in (0, 100):
        reader.read(b"A: 1\r\nB : 2", position, CRLF, Rule.HEADER_FOLDED)
    assert places(found) == [
        ("header-blank-before-colon", 6),
        ("header-blank-before-colon", 106),
    ]


# -- folding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "value"),
    [
        (b"A: 1\r\n 2", "1 2"),
        (b"A: 1\r\n\t2", "1 2"),
        (b"A: 1 \r\n \t 2 ", "1  2"),
        (b"A:\r\n 1", "1"),
        (b"A: 1\r\n 2\r\n\t3", "1 2 3"),
        (b"A: 1\r\n ", "1"),
        (b"A: multipart/mixed;\r\n boundary=b", "multipart/mixed; boundary=b"),
    ],
)
def test_a_folded_line_is_unfolded(section: bytes, value: str) -> None:
    headers, found = read(section)
    assert headers.pairs == (("A", value),)
    assert found == [
        Diagnostic(Rule.HEADER_FOLDED, "a field line is folded; it is read unfolded", 0)
    ]


def test_the_rule_that_a_folded_line_breaks_is_the_callers() -> None:
    found: list[Diagnostic] = []
    reader = SectionReader(Limits(), found.append)
    reader.read(b"A: 1\r\n 2", 7, CRLF, Rule.PART_HEADER_FOLDED)
    assert places(found) == [("part-header-folded", 7)]


def test_several_folded_lines_are_reported_once_at_the_first() -> None:
    headers, found = read(b"A: 1\r\nB: 2\r\n\t2\r\nC: 3\r\n 3")
    assert headers.pairs == (("A", "1"), ("B", "2 2"), ("C", "3 3"))
    assert places(found) == [("header-folded", 6)]


def test_a_first_line_with_a_blank_in_front_continues_nothing() -> None:
    headers, found = read(b" A: 1\r\nB: 2")
    assert headers.pairs == (("B", "2"),)
    assert places(found) == [("header-syntax", 0)]


def test_a_folded_first_line_with_a_blank_in_front_is_one_line() -> None:
    headers, found = read(b" A: 1\r\n 2\r\nB: 2")
    assert headers.pairs == (("B", "2"),)
    assert places(found) == [("header-folded", 0), ("header-syntax", 0)]


@pytest.mark.parametrize(
    ("section", "start"),
    [
        (b"A: 1\r\n 2", 0),
        (b"A: 1\r\nB: 2\r\n\t2\r\n 3", 6),
        (b"A: 1\nB: 2\n 2\n\t3", 5),
    ],
)
def test_the_first_fold_begins_where_its_field_line_begins(section: bytes, start: int) -> None:
    assert folds(section)
    assert first_fold(section) == start


def test_a_section_without_continuation_lines_does_not_fold() -> None:
    assert not folds(b" A: 1\r\nB: \t 2")


def test_lines_are_joined_by_one_blank() -> None:
    assert unfold([b"A: 1 ", b" \t2\t", b"B: 2", b"\t"]) == [b"A: 1  2", b"B: 2 "]


def test_unfolded_lines_begin_at_their_field_lines() -> None:
    assert starts_of(b" A\r\n B\r\nC\r\n\tD\r\nE", CRLF) == [0, 8, 15]


def test_many_continuation_lines_with_many_problems_are_read_in_linear_time() -> None:
    section = b"?\r\n" * 20_000 + b"A: 1" + b"\r\n x" * 20_000 + b"\r\n?" * 20_000
    limits = Limits(fields=100_000, header_section=len(section))
    _, found = read(section, limits=limits)
    assert len(found) == 40_001


# -- repeated fields -----------------------------------------------------------------------------


def test_a_single_field_with_two_values_is_reported() -> None:
    headers, found = read(b"A: 1\r\nHost: a\r\nContent-ID: 1\r\nhost: b", position=5)
    assert headers.get_all("host") == ("a", "b")
    assert found == [Diagnostic(Rule.REPEATED_HEADER, "host has the values 'a' and 'b'", 5)]


def test_a_single_field_with_the_same_value_twice_is_noted() -> None:
    headers, found = read(b"Content-ID: 1\r\ncontent-id:1\r\nContent-Id: 1")
    assert len(headers.pairs) == 3
    message = "content-id stands 3 times with the same value"
    assert found == [Diagnostic(Rule.REPEATED_HEADER_EQUAL, message, 0)]


def test_all_repeated_single_fields_are_reported_by_name() -> None:
    names = [
        *("Host", "Content-Type", "Content-Length", "Content-ID"),
        "Content-Transfer-Encoding",
    ]
    lines = [f"{name}: {value}".encode() for value in "12" for name in names]
    _, found = read(CRLF.join(lines))
    assert [each.message for each in found] == [
        "content-id has the values '1' and '2'",
        "content-length has the values '1' and '2'",
        "content-transfer-encoding has the values '1' and '2'",
        "content-type has the values '1' and '2'",
        "host has the values '1' and '2'",
    ]


def test_other_fields_may_be_repeated() -> None:
    headers, found = read(b"Accept: a\r\nAccept: b")
    assert headers["accept"] == "a, b"
    assert not found


def test_problems_of_lines_come_before_repeated_fields() -> None:
    _, found = read(b"Host: a\r\nHost: b\r\n?")
    assert places(found) == [("header-syntax", 18), ("repeated-header", 0)]


# -- limits --------------------------------------------------------------------------------------


def exceeded(section: bytes, limits: Limits, *, position: int = 0) -> Diagnostic:
    found: list[Diagnostic] = []
    reader = SectionReader(limits, found.append)
    with pytest.raises(Stop):
        reader.read(section, position, CRLF, Rule.HEADER_FOLDED)
    return found[-1]


def test_a_field_line_may_be_as_long_as_its_limit() -> None:
    assert not read(b"A: 1", limits=Limits(field_line=4))[1]


@pytest.mark.parametrize("section", [b"A: 12", b"A: 1\r\n 2", b"A: 1\r\nB: 12"])
def test_a_field_line_longer_than_its_limit_is_refused(section: bytes) -> None:
    assert exceeded(section, Limits(field_line=4), position=9) == Diagnostic(
        Rule.LIMIT_EXCEEDED,
        "limit field_line is 4, and the message exceeds it",
        9,
        limit=("field_line", 4),
    )


def test_more_field_lines_than_the_limit_are_refused() -> None:
    limits = Limits(fields=2)
    assert not read(b"A: 1\r\nA: 1", limits=limits)[1]
    assert exceeded(b"A: 1\r\nA: 1\r\nA: 1", limits, position=9) == Diagnostic(
        Rule.LIMIT_EXCEEDED,
        "limit fields is 2, and the message exceeds it",
        9,
        limit=("fields", 2),
    )


def test_continuation_lines_do_not_count_as_fields() -> None:
    assert places(read(b"A: 1\r\n 2\r\n 3", limits=Limits(fields=1))[1]) == [("header-folded", 0)]


def test_a_section_longer_than_its_limit_is_refused() -> None:
    limits = Limits(header_section=10)
    assert not read(b"A: 1\r\nB: 2", limits=limits)[1]
    assert exceeded(b"A: 1\r\nB: 23", limits, position=9) == Diagnostic(
        Rule.LIMIT_EXCEEDED,
        "limit header_section is 10, and the message exceeds it",
        9,
        limit=("header_section", 10),
    )


def test_sections_together_longer_than_their_limit_are_refused() -> None:
    found: list[Diagnostic] = []
    reader = SectionReader(Limits(headers_total=12), found.append)
    for position in (0, 10, 20):
        assert reader.read(b"A: 1", position, CRLF, Rule.HEADER_FOLDED) == Headers({"A": "1"})
    with pytest.raises(Stop):
        reader.read(b"A: 1", 30, CRLF, Rule.HEADER_FOLDED)
    assert found == [
        Diagnostic(
            Rule.LIMIT_EXCEEDED,
            "limit headers_total is 12, and the message exceeds it",
            30,
            limit=("headers_total", 12),
        )
    ]


def test_more_lines_and_sections_than_are_remembered_are_read_all_the_same() -> None:
    found: list[Diagnostic] = []
    reader = SectionReader(Limits(), found.append)
    for _ in range(2):
        for number in range(1100):
            section = b"ETag: %d" % number
            headers = reader.read(section, 0, CRLF, Rule.HEADER_FOLDED)
            assert headers.pairs == (("ETag", str(number)),)
    assert not found


# -- media types ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("text/plain", "text/plain", ()),
        ("Text/PLAIN", "text/plain", ()),
        (" \ttext/plain\t ", "text/plain", ()),
        ("multipart/mixed;boundary=b", "multipart/mixed", (("boundary", "b"),)),
        ("multipart/mixed ; Boundary=B ", "multipart/mixed", (("boundary", "B"),)),
        ('multipart/mixed; boundary="b c"', "multipart/mixed", (("boundary", "b c"),)),
        ('a/b; c="\\"\\\\\\d"', "a/b", (("c", '"\\d'),)),
        ('a/b; c=""', "a/b", (("c", ""),)),
        ('a/b; c=";d=e"; f=g', "a/b", (("c", ";d=e"), ("f", "g"))),
        ("a/b; c=d; C=e", "a/b", (("c", "d"), ("c", "e"))),
        ("a/b;", "a/b", ()),
        ("a/b; ;; \t;c=d;;", "a/b", (("c", "d"),)),
        ('a/b; c="\xe9\t"', "a/b", (("c", "\xe9\t"),)),
        ("application/atom+xml;type=entry", "application/atom+xml", (("type", "entry"),)),
    ],
)
def test_a_media_type_is_a_name_and_parameters(
    text: str, name: str, parameters: tuple[tuple[str, str], ...]
) -> None:
    assert parse_media_type(text) == MediaType(name, parameters, ())


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("", "", ()),
        ("text", "", ()),
        ("text/", "", ()),
        ("/plain", "", ()),
        ("text /plain", "", ()),
        ("text/plain, text/html", "text/plain", ()),
        ("text/plain (comment)", "text/plain", ()),
        ("text/plain; a", "text/plain", ()),
        ("text/plain; a=b c", "text/plain", (("a", "b"),)),
        ("text/plain; a=b (comment); c=d", "text/plain", (("a", "b"),)),
        ("text/plain; a=(comment)", "text/plain", (("a", "(comment)"),)),
        ("text/plain; a=", "text/plain", (("a", ""),)),
        ("text/plain; a=\xe9", "text/plain", (("a", "\xe9"),)),
        ('text/plain; a="b', "text/plain", (("a", ""),)),
        ('text/plain; a="b\\"', "text/plain", (("a", ""),)),
        ('text/plain; a="b"c', "text/plain", (("a", "b"),)),
        ('text/plain; a=b"c"', "text/plain", (("a", "b"),)),
        ("text/plain; =b", "text/plain", ()),
        ('multipart/mixed; boundary="b', "multipart/mixed", (("boundary", ""),)),
        ("te\xe9t/plain", "", ()),
        ("text/pl\xe9in", "text/pl", ()),
    ],
)
def test_a_media_type_that_cannot_be_read_to_its_end_is_reported(
    text: str, name: str, parameters: tuple[tuple[str, str], ...]
) -> None:
    media_type = parse_media_type(text)
    message = f"found {text!r}, expected type/subtype and parameters"
    assert media_type == MediaType(name, parameters, ((Rule.CONTENT_TYPE_SYNTAX, message),))
    assert media_type.broken


def test_the_text_of_a_broken_media_type_is_cut() -> None:
    message = f"found '{'x' * 60}'..., expected type/subtype and parameters"
    assert parse_media_type("x" * 61).problems == ((Rule.CONTENT_TYPE_SYNTAX, message),)


@pytest.mark.parametrize("text", ["a/b; c =d", "a/b; c= d", "a/b; C\t=\td", 'a/b; c = "d"'])
def test_blanks_around_an_equals_sign_are_reported(text: str) -> None:
    media_type = parse_media_type(text)
    message = "blanks around the = of parameter c"
    assert media_type == MediaType("a/b", (("c", "d"),), ((Rule.PARAMETER_BLANKS, message),))
    assert not media_type.broken


@pytest.mark.parametrize("boundary", ["a:b", "a/b", "(b)", "b=", "caf\xe9", "a@b"])
def test_a_boundary_that_wants_quotes_is_read_without(boundary: str) -> None:
    media_type = parse_media_type(f"multipart/mixed; boundary={boundary}; a=b")
    assert media_type == MediaType(
        "multipart/mixed",
        (("boundary", boundary), ("a", "b")),
        ((Rule.BOUNDARY_UNQUOTED, f"boundary {boundary!r} is not quoted"),),
    )


def test_an_empty_boundary_is_left_to_the_caller() -> None:
    media_type = parse_media_type("multipart/mixed; boundary=; a=b")
    assert media_type == MediaType("multipart/mixed", (("boundary", ""), ("a", "b")), ())


@pytest.mark.parametrize("end", ['"', ""])
def test_fifty_thousand_quoted_pairs_are_read_in_linear_time(end: str) -> None:
    media_type = parse_media_type('a/b; c="' + '\\"' * 50_000 + end)
    assert media_type.broken == (not end)
    assert media_type.parameter("c") == ('"' * 50_000 if end else "")


@pytest.mark.parametrize(
    "piece", [";", "; ", ' ;a="b"', ";a=b", ";a=b\t", "; a = b", ";boundary=@"]
)
def test_fifty_thousand_parameters_are_read_in_linear_time(piece: str) -> None:
    assert not parse_media_type("a/b" + piece * 50_000).broken


def test_the_first_of_equal_parameters_counts() -> None:
    media_type = parse_media_type("a/b; C=d; c=e")
    assert media_type.parameter("c") == "d"
    assert media_type.parameter("f") is None


@pytest.mark.parametrize(
    ("text", "is_json"),
    [
        ("application/json", True),
        ("application/JSON; odata.metadata=minimal", True),
        ("application/problem+json", True),
        ("text/json", False),
        ("application/jsonp", False),
        ("application/json-seq", False),
        ("image/x+json", False),
        ("", False),
    ],
)
def test_json_is_application_json_and_its_suffix(text: str, is_json: bool) -> None:
    assert parse_media_type(text).is_json is is_json


@pytest.mark.parametrize(
    ("text", "is_text"), [("text/plain", True), ("TEXT/x", True), ("application/text", False)]
)
def test_text_is_told_by_its_type(text: str, is_text: bool) -> None:
    assert parse_media_type(text).is_text is is_text


@given(st.text())
def test_any_text_is_a_media_type_or_has_problems(text: str) -> None:
    media_type = parse_media_type(text)
    assert media_type.name or media_type.broken


def test_get_takes_its_default_by_name_as_every_mapping_does() -> None:
    assert Headers().get("a", default="b") == "b"
