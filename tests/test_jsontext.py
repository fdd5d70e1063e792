"""JSON texts as slices of their source, held against `json.loads`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Diagnostic, Limits, Rule
from odata_batch._model.findings import Reporter, Stop
from odata_batch._wire.jsontext import (
    JsonObject,
    JsonText,
    Number,
    deeper_than,
    scan_extent,
    scan_value,
)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Scanned: TypeAlias = "bool | str | list[Scanned] | tuple[tuple[str, Scanned], ...] | None"

NASTY = st.text(st.sampled_from('[]{}"\\,:/ uda0é€😀\n'), max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    NASTY,
)
VALUES: st.SearchStrategy[Json] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(NASTY | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)

PIECES = [b"", *(bytes((octet,)) for octet in b',"{}[]:1-0 \\a\xff\0\n')]
PIECES += [b"NaN", b"-Infinity", b"\\ud800", b"\\udc00", "é".encode()]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A JSON text, written in one of several ways."""
    indent = draw(st.sampled_from((None, 1, "\t", "\r\n ")))
    return json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()), indent=indent)


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """A JSON text in which some octets were replaced, inserted or left out."""
    data = bytearray(draw(texts()).encode())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 2)))
        data[start:end] = draw(st.sampled_from(PIECES))
    return bytes(data)


def ignore(diagnostic: Diagnostic) -> None:
    """A reporter for texts of which only the reading is of interest."""


def text_of(data: bytes, *, limits: Limits = Limits(), position: int = 0) -> JsonText:  # noqa: B008 - frozen
    return JsonText(data, limits, ignore, position)


def whole(text: JsonText) -> tuple[int, int]:
    """Scan the one value of a text and return its slice."""
    start = text.skip_space(0)
    _, end = text.value(start)
    rest = text.skip_space(end)
    if rest < len(text.text):
        text.refuse(rest, "nothing behind it")
    return start, end


def walked(text: JsonText, offset: int, names: frozenset[str]) -> tuple[Scanned, int]:
    """Read the value at `offset` by walking all of its objects and arrays; check every slice."""

    def scan(source: str, start: int) -> tuple[Scanned, int]:
        return walked(text, start, names)

    def read(start: int) -> int:
        element, end = walked(text, start, names)
        elements.append(element)
        return end

    elements: list[Scanned] = []
    if text.text.startswith("[", offset):
        end = text.read_array(offset, read)
        return elements, end
    if text.text.startswith("{", offset):
        found, end = text.read_object(offset, dict.fromkeys(names, scan))
        for name, span in found.spans.items():
            slice_of_it = text.text[slice(*span)]
            assert found.members[name] == scan_value(slice_of_it, 0)[0]
            assert scan_value(slice_of_it, 0)[1] == len(slice_of_it)
        return tuple(found.members.items()), end
    parsed: Scanned
    parsed, end = text.value(offset)
    return parsed, end


def names_in(value: Json) -> frozenset[str]:
    if isinstance(value, dict):
        return frozenset(value).union(*map(names_in, value.values()))
    return frozenset().union(*map(names_in, value)) if isinstance(value, list) else frozenset()


def refuse_constant(name: str) -> None:
    raise ValueError(name)


def accepted_by_json(data: bytes) -> bool:
    """Tell whether `json.loads` reads the octets as UTF-8 that holds no half of a pair."""
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=list, parse_constant=refuse_constant, parse_int=str
        )
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def accepted(data: bytes, read: Callable[[JsonText], object]) -> bool:
    try:
        read(text_of(data))
    except Stop:
        return False
    return True


def finding(
    data: bytes,
    read: Callable[[JsonText], object] = whole,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    position: int = 0,
) -> Diagnostic:
    """Return the finding at which the reading stops."""
    found: list[Diagnostic] = []
    with pytest.raises(Stop):
        read(JsonText(data, limits, found.append, position))
    return found[-1]


# -- what is read ---------------------------------------------------------------------------------


@given(texts())
def test_walking_a_text_gives_what_json_gives(source: str) -> None:
    expected = json.loads(
        source,
        object_pairs_hook=lambda pairs: tuple(dict(pairs).items()),
        parse_int=str,
        parse_float=str,
    )
    text = text_of(source.encode())
    assert walked(text, 0, names_in(json.loads(source))) == (expected, len(source))


@given(texts(), st.sampled_from(("", " ", "\r\n\t")))
def test_a_slice_is_the_source_of_its_value(source: str, blanks: str) -> None:
    text = text_of(f"{blanks}{source}{blanks}".encode())
    assert text.raw(whole(text)) == source.encode()


@given(mutilated())
def test_what_json_refuses_is_refused_and_nothing_else(data: bytes) -> None:
    assert accepted(data, whole) == (accepted_by_json(data) and b"\0" not in data[:4])


@given(mutilated())
def test_walking_refuses_what_scanning_refuses(data: bytes) -> None:
    names = frozenset(NAMES)

    def walk(text: JsonText) -> None:
        _, end = walked(text, text.skip_space(0), names)
        rest = text.skip_space(end)
        if rest < len(text.text):
            text.refuse(rest, "nothing behind it")

    assert accepted(data, walk) == accepted(data, whole)


NAMES = ("", "a", "u", "d", '"', "[", "]", "{", "}", "\\", ":", ",", "é", "😀")

MEMBERS = [
    (b'{"a":"b"}', {"a": "b"}),
    (b'{"a":1.10}', {"a": "1.10"}),
    (b'{"a":12345678901234567.89}', {"a": "12345678901234567.89"}),
    (b'{"a":1e400}', {"a": "1e400"}),
    (b'{"a":-0}', {"a": "-0"}),
    (b'{"a":true,"b":false,"c":null}', {"a": True, "b": False, "c": None}),
    (b'{"a":[1,"2",[]]}', {"a": ["1", "2", []]}),
    (b'{"a":{"b":1,"b":2}}', {"a": (("b", "1"), ("b", "2"))}),
    (b'{ \t"a"\r\n:\n1 , "b" : 2\n}', {"a": "1", "b": "2"}),
    (b'{"\\u0061":1,"b\\n":2}', {"a": "1", "b\n": "2"}),
    (b'{"\xc3\xa9":"\xf0\x9f\x98\x80"}', {"é": "😀"}),
    (b'{"":""}', {"": ""}),
    (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    (b'{"a":"\\\\ud83d"}', {"a": "\\ud83d"}),
    (b"{}", {}),
    (b"{ \r\n\t}", {}),
]


@pytest.mark.parametrize(("data", "members"), MEMBERS)
def test_the_members_of_an_object_are_read(data: bytes, members: dict[str, object]) -> None:
    found, end = text_of(data).read_object(0, {})
    assert (found.members, end) == (members, len(data.decode()))


@pytest.mark.parametrize(("data", "members"), MEMBERS)
def test_a_member_has_the_slice_that_spells_it(data: bytes, members: dict[str, object]) -> None:
    text = text_of(data)
    found, _ = text.read_object(0, {})
    assert [scan_value(text.raw(span).decode(), 0)[0] for span in found.spans.values()] == [
        *members.values()
    ]


def test_numbers_are_their_spelling() -> None:
    assert type(text_of(b"1.10").value(0)[0]) is Number


def test_a_number_of_5000_digits_is_as_good_as_any() -> None:
    digits = "9" * 5000
    assert text_of(digits.encode()).value(0) == (digits, 5000)


def test_a_number_of_5000_digits_has_an_extent() -> None:
    assert scan_extent("[" + "9" * 5000 + "]", 0)[1] == 5002


def test_an_object_says_where_it_begins() -> None:
    found, _ = text_of(b' {"a":1}').read_object(1, {})
    assert found.start == 1


def test_of_members_that_stand_twice_the_last_one_counts() -> None:
    found, _ = text_of(b'{"a":1,"b":2,"\\u0061":3}').read_object(0, {})
    assert found.members == {"a": "3", "b": "2"}
    assert found.spans == {"a": (22, 23), "b": (11, 12)}


def test_members_that_stand_more_than_once_are_listed() -> None:
    found, _ = text_of(b'{"a":1,"\\u0061":2,"a":3}').read_object(0, {})
    assert found.duplicates == [("a", 16), ("a", 22)]


def test_an_object_without_duplicates_lists_none() -> None:
    assert JsonObject(0).duplicates == []


def test_a_member_is_scanned_as_it_is_asked_for() -> None:
    found, end = text_of(b'{"a":{"b":[1]},"c":{}}').read_object(0, {"a": scan_extent})
    assert (found.members, found.spans, end) == (
        {"a": 1, "c": ()},
        {"a": (5, 14), "c": (19, 21)},
        22,
    )


@pytest.mark.parametrize("source", ['"a\\n"', "[1]", "{}", "1", "1.5", "true", "null", '{"a":"b"}'])
def test_of_an_extent_only_strings_are_kept(source: str) -> None:
    parsed, end = scan_extent(source, 0)
    assert isinstance(parsed, str) == source.startswith('"')
    assert end == len(source)


@pytest.mark.parametrize(
    ("data", "offsets", "end"),
    [
        (b"[]", [], 2),
        (b"[ \n]", [], 4),
        (b"[1]", [1], 3),
        (b"[ 1 ,\r\n[2] ]", [2, 7], 12),
        (b'[{"a":"]"},"b"]', [1, 11], 15),
    ],
)
def test_an_array_is_walked_element_by_element(data: bytes, offsets: list[int], end: int) -> None:
    text = text_of(data)
    found: list[int] = []

    def read(offset: int) -> int:
        found.append(offset)
        return text.value(offset)[1]

    assert text.read_array(0, read) == end
    assert found == offsets


# -- what is refused ------------------------------------------------------------------------------

BROKEN = [
    (b"", 0, "found the end, expected JSON"),
    (b" \n", 2, "found the end, expected JSON"),
    (b"tru", 0, "found 'tru', expected JSON"),
    (b"[1,]", 3, "found ']', expected JSON"),
    (b'{"a":[1 , ] }', 10, "found '] }', expected JSON"),
    (b'[{"a":1 , } ]', 10, "found '} ]', expected JSON"),
    (b"[{,}]", 3, "found '}]', expected JSON"),
    (b"[1,,]", 3, "found ',]', expected JSON"),
    (b"01", 1, "found '1', expected nothing behind it"),
    (b"{} {}", 3, "found '{}', expected nothing behind it"),
    (b"[] // x", 3, "found '// x', expected nothing behind it"),
    (b'"a', 0, "found '\"a', expected JSON"),
    (b'"a\nb"', 2, "found '\\nb\"', expected JSON"),
    (b'"\\x"', 1, "found '\\\\x\"', expected JSON"),
    (b'"\xe2\x82\xac\\x"', 4, "found '\\\\x\"', expected JSON"),
    (b"[NaN]", 0, "found '[NaN]', expected JSON without NaN and Infinity"),
    (b" Infinity", 1, "found 'Infinity', expected JSON without NaN and Infinity"),
    (b"-Infinity", 0, "found '-Infinity', expected JSON without NaN and Infinity"),
    (b"x" * 40, 0, f"found '{'x' * 30}', expected JSON"),
]


@pytest.mark.parametrize(("data", "position", "message"), BROKEN)
def test_broken_syntax_is_refused_at_its_place(data: bytes, position: int, message: str) -> None:
    assert finding(data) == Diagnostic(Rule.JSON_SYNTAX, message, position)


BROKEN_OBJECTS = [
    (b"{", 1, "found the end, expected the name of a member"),
    (b"{a:1}", 1, "found 'a:1}', expected the name of a member"),
    (b"{'a':1}", 1, "found \"'a':1}\", expected the name of a member"),
    (b'{"a":1,}', 7, "found '}', expected the name of a member"),
    (b'{"a":1, 2}', 8, "found '2}', expected the name of a member"),
    (b'{"a" 1}', 5, "found '1}', expected a colon"),
    (b'{"\\n"', 5, "found the end, expected a colon"),
    (b'{"a":1,"b"}', 10, "found '}', expected a colon"),
    (b'{"a', 1, "found '\"a', expected JSON"),
    (b'{"a\tb":1}', 3, "found '\\tb\":1}', expected JSON"),
    (b'{"a":}', 5, "found '}', expected JSON"),
    (b'{"a":1 "b":2}', 7, "found '\"b\":2}', expected a comma or '}'"),
    (b'{"a":1{"b":2}', 6, "found '{\"b\":2}', expected a comma or '}'"),
    (b'{"a":1]', 6, "found ']', expected a comma or '}'"),
    (b'{"a":1 ', 7, "found the end, expected a comma or '}'"),
    (b'{"a":NaN}', 5, "found 'NaN}', expected JSON without NaN and Infinity"),
    (b'{"a":"\\u12"}', 7, "found 'u12\"}', expected JSON"),
]


@pytest.mark.parametrize(("data", "position", "message"), BROKEN_OBJECTS)
def test_a_broken_object_is_refused_at_its_place(data: bytes, position: int, message: str) -> None:
    found = finding(data, lambda text: text.read_object(0, {}))
    assert found == Diagnostic(Rule.JSON_SYNTAX, message, position)


BROKEN_ARRAYS = [
    (b"[", 1, "found the end, expected JSON"),
    (b"[,]", 1, "found ',]', expected JSON"),
    (b"[1,]", 3, "found ']', expected JSON"),
    (b"[1 2]", 3, "found '2]', expected a comma or ']'"),
    (b"[1}", 2, "found '}', expected a comma or ']'"),
    (b"[1 ", 3, "found the end, expected a comma or ']'"),
]


@pytest.mark.parametrize(("data", "position", "message"), BROKEN_ARRAYS)
def test_a_broken_array_is_refused_at_its_place(data: bytes, position: int, message: str) -> None:
    def walk(text: JsonText) -> None:
        text.read_array(0, lambda offset: text.value(offset)[1])

    assert finding(data, walk) == Diagnostic(Rule.JSON_SYNTAX, message, position)


# -- encodings ------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_reported_and_left_out() -> None:
    found: list[Diagnostic] = []
    text = JsonText(b"\xef\xbb\xbf{}", Limits(), found.append, 7)
    message = "the text begins with a byte order mark"
    assert found == [Diagnostic(Rule.JSON_BYTE_ORDER_MARK, message, 7)]
    assert text.text == "{}"


def test_positions_count_the_byte_order_mark() -> None:
    assert finding(b"\xef\xbb\xbf[1 2]", position=7).position == 7 + 3 + 3


def test_a_second_byte_order_mark_is_not_json() -> None:
    found = finding(b"\xef\xbb\xbf" * 2 + b"{}")
    message = "found '\\ufeff{}', expected JSON"
    assert found == Diagnostic(Rule.JSON_SYNTAX, message, 3)


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_other_encodings_of_unicode_are_refused(encoding: str) -> None:
    data = '{"a":1}'.encode(encoding)
    message = f"the text begins with {data[:8].decode('latin-1')!r}, which is not UTF-8"
    assert finding(data, position=5) == Diagnostic(Rule.JSON_ENCODING, message, 5)


def test_utf_16_behind_a_byte_order_mark_of_utf_8_is_refused() -> None:
    found = finding(b"\xef\xbb\xbf" + b"1\0")
    message = "the text begins with '1\\x00', which is not UTF-8"
    assert found == Diagnostic(Rule.JSON_ENCODING, message, 3)


@pytest.mark.parametrize(
    ("data", "position", "quoted"),
    [
        (b'"a\xff"', 2, "'\u00ff\"'"),
        (b'"\xc3\xa9\xc3"', 3, "'\u00c3\"'"),
        (b'"\xed\xa0\x80"', 1, "'\u00ed\\xa0\\x80\"'"),
        (b'"\xc0\xaf0123456789"', 1, "'\u00c0\u00af012345'"),
        (b'\xef\xbb\xbf"\xff"', 4, "'\u00ff\"'"),
    ],
)
def test_octets_that_are_not_utf_8_are_refused(data: bytes, position: int, quoted: str) -> None:
    message = f"found {quoted}, which is not UTF-8"
    assert finding(data) == Diagnostic(Rule.JSON_ENCODING, message, position)


@pytest.mark.parametrize(
    ("data", "position", "escape"),
    [
        (b'"\\ud800"', 0, "\\ud800"),
        (b'"\\udc00"', 0, "\\udc00"),
        (b'"\\uDBFFx"', 0, "\\uDBFF"),
        (b'["a","b\\udfff"]', 5, "\\udfff"),
        (b'{"\\ud800":1}', 1, "\\ud800"),
        (b'"\\"\\ud800"', 0, "\\ud800"),
        (b'"\\\\\\ud800"', 0, "\\ud800"),
        (b'"\\\\\\\\","\\\\","\\ud800"', 12, "\\ud800"),
        (b'"\\ud83d\\ud83d\\ude00"', 0, "\\ud83d"),
        (b'"\\ud83d\\ude00\\ude00"', 0, "\\ude00"),
        (b'"\\ud83d \\ude00"', 0, "\\ud83d"),
        (b'"\\\\ud83d\\ude00"', 0, "\\ude00"),
        (b'"\xe2\x82\xac","\\ud800"', 6, "\\ud800"),
        (b'{"a":"\\ud800","a":1}', 5, "\\ud800"),
        (b"\\ud800", 0, "\\ud800"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(data: bytes, position: int, escape: str) -> None:
    message = f"a string has the escape {escape}, which is half of a surrogate pair"
    assert finding(data) == Diagnostic(Rule.JSON_ENCODING, message, position)


@pytest.mark.parametrize(
    "data",
    [
        b'"\\ud83d\\ude00"',
        b'"\\uD83D\\uDE00\\uD83D\\uDE00"',
        b'"\\\\ud800"',
        b'"\\\\\\\\udc00"',
        b'"\\ud7ff\\ue000"',
        b'"\\\\ud83d\\ud83d\\ude00"',
    ],
)
def test_whole_pairs_and_escaped_backslashes_are_no_half_pairs(data: bytes) -> None:
    assert accepted(data, whole)


# -- offsets --------------------------------------------------------------------------------------

LONG = "aé€😀" * 200


@pytest.mark.parametrize("order", [1, -1, 7, -263])
def test_offsets_in_bytes_are_right_in_any_order(order: int) -> None:
    text = text_of(f'"{LONG}"'.encode(), position=9)
    offsets = [*range(len(text.text) + 1)]
    offsets = [offsets[index * order % len(offsets)] for index in range(len(offsets))]
    expected = [9 + len(text.text[:offset].encode()) for offset in offsets]
    assert [text.byte_offset(offset) for offset in offsets] == expected


def test_an_offset_in_ascii_is_that_of_the_character() -> None:
    assert text_of(b'"abc"', position=9).byte_offset(3) == 12


def test_the_end_of_a_text_as_long_as_a_stride_has_an_offset() -> None:
    source = "é" * 512
    assert text_of(source.encode()).byte_offset(512) == 1024


@given(st.text(max_size=600), st.integers(0, 600))
def test_an_offset_counts_the_octets_before_it(source: str, offset: int) -> None:
    text = text_of(b" " * 4 + source.encode("utf-8"))
    offset = min(offset, len(text.text))
    assert text.byte_offset(offset) == len(text.text[:offset].encode("utf-8"))


# -- depth ----------------------------------------------------------------------------------------


def depth_of(value: Json) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(texts(), st.integers(0, 8))
def test_depth_is_the_depth_of_the_value(source: str, limit: int) -> None:
    assert deeper_than(source.encode(), limit) == (depth_of(json.loads(source)) > limit)


@pytest.mark.parametrize(
    ("data", "depth"),
    [
        (b"1", 0),
        (b"[]", 1),
        (b"[[],[],[[]]]", 3),
        (b'[{"a":[]}]', 3),
        (b'["[[[["]', 1),
        (b'["\\"[[[["]', 1),
        (b'["\\\\",[[]]]', 3),
        (b'["\\\\\\"[[[["]', 1),
        (b'["","[","",["]"]]', 2),
        (b"[[[", 3),
        (b'["[[[[', 1),
        (b'["a","[[[[', 1),
        (b"]]]][[", 0),
        (b"[[]]]]]]]]]][[[[", 2),
        (b"[}[}[}", 1),
        (b"", 0),
    ],
)
def test_brackets_are_counted_outside_of_strings(data: bytes, depth: int) -> None:
    assert [deeper_than(data, limit) for limit in range(depth, depth + 3)] == [False] * 3
    assert depth == 0 or deeper_than(data, depth - 1)


def exceeded(position: int, limit: int = 100) -> Diagnostic:
    message = f"limit json_depth is {limit}, and the message exceeds it"
    return Diagnostic(Rule.LIMIT_EXCEEDED, message, position, limit=("json_depth", limit))


@pytest.mark.parametrize("ends", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_as_deep_as_the_limit_is_read(ends: tuple[bytes, bytes]) -> None:
    assert accepted(ends[0] * 100 + b"1" + ends[1] * 100, whole)


@pytest.mark.parametrize("ends", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_deeper_than_the_limit_is_refused(ends: tuple[bytes, bytes]) -> None:
    found = finding(ends[0] * 101 + b"1" + ends[1] * 101, position=3)
    assert found == exceeded(3)


def test_what_is_around_a_text_counts() -> None:
    limits = Limits(json_depth=4)
    assert JsonText(b"[1]", limits, ignore, depth=3).text == "[1]"
    with pytest.raises(Stop):
        JsonText(b"[[1]]", limits, ignore, depth=3)


def test_a_text_that_may_not_stand_anywhere_is_refused() -> None:
    with pytest.raises(Stop):
        JsonText(b"1", Limits(json_depth=2), ignore, depth=3)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b"[{" * 100_000,
        b'["",' * 100_000,
    ],
)
def test_200_000_nested_brackets_are_refused(data: bytes) -> None:
    assert finding(data) == exceeded(0)


def test_200_000_brackets_in_a_string_are_a_string() -> None:
    assert accepted(b'"' + b"[" * 200_000 + b'"', whole)


def test_200_000_brackets_side_by_side_are_an_array() -> None:
    assert accepted(b"[" + b"[]," * 100_000 + b"[]]", whole)


@pytest.mark.parametrize(
    "data",
    [b"]" * 200_000, b"]" * 100_000 + b"[" * 100_000, b"}{" * 100_000, b'"' + b"[" * 200_000],
)
def test_brackets_that_do_not_nest_are_broken_syntax(data: bytes) -> None:
    assert finding(data).rule is Rule.JSON_SYNTAX


DEEP = Limits(json_depth=1_000_000)


def test_what_is_too_deep_for_the_scanner_exceeds_the_limit() -> None:
    found = finding(b"  " + b"[" * 200_000, limits=DEEP)
    assert found == exceeded(2, 1_000_000)


def test_a_member_that_is_too_deep_for_the_scanner_exceeds_the_limit() -> None:
    data = b'{"a":' + b"[" * 200_000
    found = finding(data, lambda text: text.read_object(0, {}), limits=DEEP)
    assert found == exceeded(5, 1_000_000)


def below(frames: int, action: Callable[[], None]) -> None:
    """Call `action` with so many more frames on the stack."""
    if frames:
        below(frames - 1, action)
    else:
        action()


def frames_left() -> int:
    frames = 0
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        frames += 1
    return sys.getrecursionlimit() - frames


def test_a_deep_caller_sees_a_limit_and_no_recursion_error() -> None:
    found: list[Diagnostic] = []
    text = JsonText(b"[" * 90 + b"]" * 90, Limits(), found.append)

    def scan() -> None:
        try:
            assert text.value(0)[1] == 180
        except Stop:
            assert found == [exceeded(0)]

    # Some interpreters count frames and levels of the scanner together, others apart.
    below(frames_left() - 50, scan)


def test_the_reporter_may_raise_in_place_of_the_reader() -> None:
    class Refused(Exception):
        pass

    def refuse(diagnostic: Diagnostic) -> None:
        raise Refused

    reporter: Reporter = refuse
    with pytest.raises(Refused):
        whole(JsonText(b"x", Limits(), reporter))
