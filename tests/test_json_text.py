"""JSON texts as they are read: their syntax, encoding and depth, and the slices that are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    Diagnostic,
    LimitExceeded,
    Limits,
    Report,
    check_request,
    check_response,
    decode_request,
)

from .helpers import JSON, checked_request

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

NASTY = st.text(st.sampled_from('[]{}"\\,:/ uda0\xe9\u20ac\U0001f600\n'), max_size=8)
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
PIECES += [b"NaN", b"-Infinity", b"\\ud800", b"\\udc00", "\xe9".encode()]


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


def request_with(text: bytes) -> bytes:
    """Return a batch in which the text is a body, and two annotations."""
    item = b'{"id":"1","method":"POST","url":"a","@a":%b,"body":%b}' % (text, text)
    return b'{"@b":%b,"requests":[%b]}' % (text, item)


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


# -- what is read ---------------------------------------------------------------------------------


@given(texts(), st.sampled_from(("", " ", "\r\n\t")))
def test_a_slice_is_the_source_of_its_value(source: str, blanks: str) -> None:
    raw = source.encode()
    batch = decode_request(request_with(f"{blanks}{source}{blanks}".encode()), JSON)
    (operation,) = batch.operations()
    assert operation.body == (b"" if raw == b"null" else raw)
    assert operation.annotations == (("@a", raw),)
    assert batch.annotations == (("@b", raw),)


@given(mutilated())
def test_what_json_refuses_is_refused_and_nothing_else(text: bytes) -> None:
    data = request_with(text)
    slugs = {each.rule.slug for each in check_request(data, JSON).diagnostics}
    assert bool(slugs & {"json-syntax", "json-encoding"}) != accepted_by_json(data)


@pytest.mark.parametrize(
    ("data", "members"),
    [
        (b'"a":"b"', [("a", b'"b"')]),
        (b'"a":1.10,"b":-0,"c":1e400', [("a", b"1.10"), ("b", b"-0"), ("c", b"1e400")]),
        (b'"a":true,"b":false,"c":null', [("a", b"true"), ("b", b"false"), ("c", b"null")]),
        (b'"a":[1,"2",[ ]]', [("a", b'[1,"2",[ ]]')]),
        (b'"a":{"b":1,"b":2}', [("a", b'{"b":1,"b":2}')]),
        (b' \t"a"\r\n:\n1 , "b" : 2\n', [("a", b"1"), ("b", b"2")]),
        (b'"\\u0061":1,"b\\n":2', [("a", b"1"), ("b\n", b"2")]),
        (b'"\xc3\xa9":"\xf0\x9f\x98\x80"', [("\xe9", b'"\xf0\x9f\x98\x80"')]),
        (b'"":""', [("", b'""')]),
        (b'"a":"\\ud83d\\ude00"', [("a", b'"\\ud83d\\ude00"')]),
        (b'"\\ud83d\\ude00":1', [("\U0001f600", b"1")]),
        (b'"a":"\\\\ud83d"', [("a", b'"\\\\ud83d"')]),
        (b'"a":' + b"9" * 5000, [("a", b"9" * 5000)]),
    ],
)
def test_a_member_has_the_slice_that_spells_it(
    data: bytes, members: list[tuple[str, bytes]]
) -> None:
    for text in (b'{%b,"requests":[]}', b'{"requests":[],%b}'):
        assert decode_request(text % data, JSON).annotations == tuple(members)
    for text in (b'{%b,"id":"1","status":200}', b'{"id":"1","status":200,%b}'):
        report = check_response(b'{"responses":[%b]}' % (text % data), JSON)
        assert report.value is not None
        assert report.value.responses()[0].annotations == tuple(members)


def test_of_members_that_are_given_twice_the_last_one_counts() -> None:
    data = b'{"@a":1,"@b":2,"\\u0040a":3,"@a":4,"requests":[{"id":"1","method":"GET","url":"a"}]}'
    report = checked_request(data, JSON)
    assert report.value is not None
    assert report.value.annotations == (("@a", b"4"), ("@b", b"2"))
    assert [(each.rule.slug, each.position) for each in report.diagnostics] == [
        ("json-duplicate-other-member", 25),
        ("json-duplicate-other-member", 32),
    ]


# -- what is refused ------------------------------------------------------------------------------

BROKEN = [
    (b"", 0, "found the end, expected a JSON batch"),
    (b" \n", 2, "found the end, expected a JSON batch"),
    (b"tru", 0, "found 'tru', expected JSON"),
    (b"[1,]", 3, "found ']', expected JSON"),
    (b'{"a":[1 , ] }', 10, "found '] }', expected JSON"),
    (b'[{"a":1 , } ]', 10, "found '} ]', expected JSON"),
    (b"[{,}]", 3, "found '}]', expected JSON"),
    (b"[1,,]", 3, "found ',]', expected JSON"),
    (b"01", 1, "found '1', expected nothing behind the JSON text"),
    (b"{} {}", 3, "found '{}', expected nothing behind the JSON text"),
    (b"[] // x", 3, "found '// x', expected nothing behind the JSON text"),
    (b'"a', 0, "found '\"a', expected JSON"),
    (b'"a\nb"', 2, "found '\\nb\"', expected JSON"),
    (b'"\\x"', 1, "found '\\\\x\"', expected JSON"),
    (b'"\xe2\x82\xac\\x"', 4, "found '\\\\x\"', expected JSON"),
    (b"[NaN]", 0, "found '[NaN]', expected JSON without NaN and Infinity"),
    (b" Infinity", 1, "found 'Infinity', expected JSON without NaN and Infinity"),
    (b"-Infinity", 0, "found '-Infinity', expected JSON without NaN and Infinity"),
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
    (b'{"requests":[', 13, "found the end, expected JSON"),
    (b'{"requests":[,]', 13, "found ',]', expected JSON"),
    (b'{"requests":[1,]', 15, "found ']', expected JSON"),
    (b'{"requests":[1 2]', 15, "found '2]', expected a comma or ']'"),
    (b'{"requests":[1}', 14, "found '}', expected a comma or ']'"),
    (b'{"requests":[1 ', 15, "found the end, expected a comma or ']'"),
    (b'{"requests":[{"body":', 21, "found the end, expected JSON"),
    (b'{"requests":[{"body":[1,]', 24, "found ']', expected JSON"),
    (b'{"requests":[{"body":"a\n"', 23, "found '\\n\"', expected JSON"),
    (b'{"requests":[{"body":[NaN]', 21, "found '[NaN]', expected JSON without NaN and Infinity"),
]


def finding(data: bytes, limits: Limits = Limits()) -> Diagnostic:  # noqa: B008 - frozen
    """Return the finding at which the reading stops."""
    report = checked_request(data, JSON, limits=limits, splits=8)
    assert not report.complete
    return report.diagnostics[-1]


@pytest.mark.parametrize(("data", "position", "message"), BROKEN)
def test_broken_syntax_is_refused_at_its_place(data: bytes, position: int, message: str) -> None:
    found = finding(data)
    assert (found.rule.slug, found.position) == ("json-syntax", position)
    assert found.message == message


# -- encodings ------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_reported_and_counts() -> None:
    report = checked_request(b'\xef\xbb\xbf{"requests":[1 2]}', JSON)
    assert [(each.rule.slug, each.position) for each in report.diagnostics] == [
        ("json-byte-order-mark", 0),
        ("json-syntax", 18),
    ]
    assert report.diagnostics[0].message == "the text begins with a byte order mark"


def test_a_second_byte_order_mark_is_not_json() -> None:
    found = finding(b"\xef\xbb\xbf" * 2 + b"{}")
    assert (found.rule.slug, found.position) == ("json-syntax", 3)
    assert found.message == "found '\\ufeff{}', expected JSON"


@pytest.mark.parametrize(
    ("data", "position", "message"),
    [
        *(
            (text, 0, f"the text begins with {text[:8].decode('latin-1')!r}, which is not UTF-8")
            for text in map(
                '{"a":1}'.encode,
                ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
            )
        ),
        (b"\xfe\xff12", 0, "the text begins with '\xfe\xff12', which is not UTF-8"),
        (b"\xef\xbb\xbf1\0", 3, "the text begins with '1\\x00', which is not UTF-8"),
        (b"123\0", 0, "the text begins with '123\\x00', which is not UTF-8"),
        (b'"a\xff"', 2, "found '\xff\"', which is not UTF-8"),
        (b'"\xc3\xa9\xc3"', 3, "found '\xc3\"', which is not UTF-8"),
        (b'"\xed\xa0\x80"', 1, "found '\xed\\xa0\\x80\"', which is not UTF-8"),
        (b'"\xc0\xaf0123456789"', 1, "found '\xc0\xaf012345', which is not UTF-8"),
        (b'\xef\xbb\xbf"\xff"', 4, "found '\xff\"', which is not UTF-8"),
    ],
)
def test_what_is_not_utf_8_is_refused(data: bytes, position: int, message: str) -> None:
    found = finding(data)
    assert (found.rule.slug, found.position) == ("json-encoding", position)
    assert found.message == message


HALVES = [
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
]


@pytest.mark.parametrize(("data", "position", "escape"), HALVES)
def test_half_of_a_surrogate_pair_is_refused(data: bytes, position: int, escape: str) -> None:
    found = finding(data)
    assert (found.rule.slug, found.position) == ("json-encoding", position)
    expected = f"a string has the escape {escape}, which is half of a surrogate pair"
    assert found.message == expected


@pytest.mark.parametrize(
    "text",
    [
        *(b'"\\ud83d\\ude00"', b'"\\uD83D\\uDE00\\uD83D\\uDE00"', b'"\\\\ud800"'),
        *(b'"\\\\\\\\udc00"', b'"\\ud7ff\\ue000"', b'"\\\\ud83d\\ud83d\\ude00"'),
    ],
)
def test_whole_pairs_and_escaped_backslashes_are_no_half_pairs(text: bytes) -> None:
    assert decode_request(request_with(text), JSON).annotations == (("@b", text),)


# -- offsets --------------------------------------------------------------------------------------


@given(
    st.lists(st.text(max_size=600), max_size=5), st.sampled_from(("\xe9", "\u20ac\U0001f600", ""))
)
def test_positions_count_octets(names: list[str], filler: str) -> None:
    urls = [name + filler * 300 for name in names]
    items = [
        json.dumps({"id": str(index), "method": "GET", "url": url}, ensure_ascii=False)
        for index, url in enumerate(urls)
    ]
    data = f'{{"requests":[{", ".join([*items, "1"])}]}}'.encode()
    report = check_request(data, JSON, limits=Limits(diagnostics=1000))
    assert report.value is not None
    starts = [data.index(item.encode()) for item in items]
    assert [each.position for each in report.value.items] == starts
    assert report.diagnostics[0].position in (*starts, len(data) - 3)
    assert len(data) - 3 in [each.position for each in report.diagnostics]


@pytest.mark.parametrize("length", [255, 256, 257, 511, 512, 513])
def test_a_position_may_be_anywhere_in_a_long_text(length: int) -> None:
    text = "\xe9" * (length - 1)
    found = finding(f'"{text}'.encode() + b'\n"')
    assert (found.rule.slug, found.position) == ("json-syntax", 2 * length - 1)
    assert finding(f'"{text}" 1'.encode()).position == 2 * length + 1


# -- depth ----------------------------------------------------------------------------------------


def depth_of(value: Json) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def too_deep(report: Report[BatchRequest]) -> bool:
    return "limit-exceeded" in [each.rule.slug for each in report.diagnostics]


@given(texts(), st.integers(0, 8))
def test_depth_is_the_depth_of_the_value(source: str, limit: int) -> None:
    report = check_request(source.encode(), JSON, limits=Limits(json_depth=limit))
    assert too_deep(report) == (depth_of(json.loads(source)) > limit)


DEPTHS = [
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
]


@pytest.mark.parametrize(("data", "depth"), DEPTHS)
def test_brackets_are_counted_outside_of_strings(data: bytes, depth: int) -> None:
    for limit in range(depth + 3):
        report = check_request(data, JSON, limits=Limits(json_depth=limit))
        assert too_deep(report) == (limit < depth)


def exceeded(data: bytes, limits: Limits = Limits()) -> tuple[str, int | None]:  # noqa: B008
    """Return the message and the position of the limit of depth that is exceeded."""
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=limits)
    assert (caught.value.limit, caught.value.value) == ("json_depth", limits.json_depth)
    return caught.value.diagnostic.message, caught.value.position


@pytest.mark.parametrize("ends", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_as_deep_as_the_limit_is_read(ends: tuple[bytes, bytes]) -> None:
    nested = ends[0] * 97 + b"1" + ends[1] * 97
    assert decode_request(request_with(nested), JSON).operations()[0].body == nested
    message = "limit json_depth is 100, and the message exceeds it"
    assert exceeded(request_with(ends[0] + nested + ends[1])) == (message, 0)


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
    assert exceeded(data)[1] == 0


@pytest.mark.parametrize("text", [b'"%b"' % (b"[" * 200_000), b"[" + b"[]," * 100_000 + b"[]]"])
def test_200_000_brackets_that_do_not_nest_are_read(text: bytes) -> None:
    assert decode_request(request_with(text), JSON).operations()[0].body == text


@pytest.mark.parametrize(
    "data",
    [b"]" * 200_000, b"]" * 100_000 + b"[" * 100_000, b"}{" * 100_000, b'"' + b"[" * 200_000],
)
def test_brackets_that_do_not_nest_are_broken_syntax(data: bytes) -> None:
    assert check_request(data, JSON).diagnostics[-1].rule.slug == "json-syntax"


@pytest.mark.parametrize(("start", "position"), [(b"  ", 2), (b'{"a":', 5), (b'{"requests":[', 13)])
def test_what_is_too_deep_for_the_scanner_exceeds_the_limit(start: bytes, position: int) -> None:
    message = "limit json_depth is 1000000, and the message exceeds it"
    deep = Limits(json_depth=1_000_000)
    assert exceeded(start + b"[" * 200_000, deep) == (message, position)


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
    nested = b"[" * 90 + b"]" * 90
    found: list[bytes | str] = []

    def decode() -> None:
        try:
            found.append(decode_request(request_with(nested), JSON).operations()[0].body)
        except LimitExceeded as error:
            found.append(error.limit)

    # Some interpreters count frames and levels of the scanner together, others apart.
    below(frames_left() - 60, decode)
    assert found in ([nested], ["json_depth"])
