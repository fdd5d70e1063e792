"""JSON texts as they are read: their syntax, encoding and depth, and the slices that are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import BatchRequest, LimitExceeded, Limits, Report, check_request, decode_request

from .helpers import JSON

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

LIMITS = Limits()
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


def found_by_json(data: bytes) -> set[str]:
    """Return what is wrong with the octets for `json.loads`, in the words of the rules."""
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=list, parse_constant=refuse_constant, parse_int=str
        )
    except ValueError:
        return {"json-syntax"}
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return {"json-surrogate"}
    return set()


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
    slugs = {"json-syntax" if slug == "json-encoding" else slug for slug in slugs}
    assert slugs & {"json-syntax", "json-surrogate"} == found_by_json(data)


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
    assert [each.position for each in report.value.items[:-1]] == starts
    urls_found = [found for found in report.diagnostics if found.rule != "json-item"]
    marked = [data[found.position :][: found.length] for found in urls_found]
    assert set(marked) <= {json.dumps(url, ensure_ascii=False).encode() for url in urls}
    assert len(data) - 3 in [each.position for each in report.diagnostics]


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


def exceeded(data: bytes, limits: Limits = LIMITS) -> tuple[str, int | None]:
    """Return the message and the position of the limit of depth that is exceeded."""
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=limits)
    assert (caught.value.limit, caught.value.value) == ("json_depth", limits.json_depth)
    return caught.value.diagnostic.message, caught.value.position


@pytest.mark.parametrize("ends", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_as_deep_as_the_limit_is_read(ends: tuple[bytes, bytes]) -> None:
    nested = ends[0] * 97 + b"1" + ends[1] * 97
    assert decode_request(request_with(nested), JSON).operations()[0].body == nested
    message = "the json depth is too large: the limit is 100 (Limits.json_depth)"
    assert exceeded(request_with(ends[0] + nested + ends[1])) == (message, 0)


@pytest.mark.parametrize(
    "data",
    [
        *(b"[" * 200_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000, b"[{" * 100_000),
        b'["",' * 100_000,
    ],
)
def test_200_000_nested_brackets_are_refused(data: bytes) -> None:
    assert exceeded(data)[1] == 0


@pytest.mark.untraced
@pytest.mark.parametrize("text", [b'"%b"' % (b"[" * 200_000), b"[" + b"[]," * 100_000 + b"[]]"])
def test_200_000_brackets_that_do_not_nest_are_read(text: bytes) -> None:
    assert decode_request(request_with(text), JSON).operations()[0].body == text


@pytest.mark.parametrize(
    "data",
    [b"]" * 200_000, b"]" * 100_000 + b"[" * 100_000, b"}{" * 100_000, b'"' + b"[" * 200_000],
)
def test_brackets_that_do_not_nest_are_broken_syntax(data: bytes) -> None:
    assert check_request(data, JSON).diagnostics[-1].rule.slug == "json-syntax"


# What may come last in an array, some of it broken
LAST = [
    *(b"[[[1]], {}]]", b'{"a":[{"b":[]} , 1 ]} ]', b'{"a":{"b":{}},"c":{"d":{}}}]', b"1 2]"),
    *(b'"\\x"]', b'"\x01"]', b"NaN]", b"01]", b"[[1}]]", b'{"a":[[1],]}]', b"[[[,1]]]]"),
    *(b'{"a":}]', b"[[1] [2]]]", b"[[1", b'[["', b"[[]]", b'{"a":[[]] "b":1}]', b"[[1]]:1]"),
    b",1]",
]


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("member", [b"body", b"@a", b"headers"])
def test_what_is_long_is_sound_or_broken_like_what_is_short(member: bytes, last: bytes) -> None:
    def found_in(values: bytes) -> list[tuple[str, str, int]]:
        text = b'{"requests":[{"%b":[%b%b}]}' % (member, values, last)
        found = check_request(text, JSON).diagnostics[-1]
        is_syntax = found.rule.slug == "json-syntax"
        at = found.position - len(values) if is_syntax and found.position is not None else 0
        return [(found.rule.slug, found.message if is_syntax else "", at)]

    assert found_in(b'[[1],"a"],' * 2000) == found_in(b'[[1],"a"],')


def test_long_fields_and_dependencies_are_read_up_to_their_limits() -> None:
    fields = {"x": "\xe9," * 3000, "y": "["}
    names = [50 * "\xe9," + str(number) for number in range(100)]
    item = {"id": "1", "method": "GET", "url": "A", "headers": fields, "dependsOn": names}
    octets = json.dumps({"requests": [item]}, ensure_ascii=False).encode()
    for limits in (Limits(), Limits(fields=2), Limits(depends_on=100)):
        request = check_request(octets, JSON, limits=limits).value
        assert request is not None
        operation = request.operations()[0]
        assert ({**operation.headers}, operation.depends_on) == (fields, tuple(names))
    for limits in (Limits(fields=1), Limits(depends_on=99)):
        found = check_request(octets, JSON, limits=limits).diagnostics[-1]
        assert found.limit in (("fields", 1), ("depends_on", 99))


@pytest.mark.parametrize("members", [',"a":1', ',"id":"2"', ',"@a%d":[[],{}]'])
def test_an_item_has_annotations_up_to_their_limit(members: str) -> None:
    many = "".join(members.replace("%d", str(number)) for number in range(1010))
    octets = f'{{"requests":[{{"id":"1","method":"GET","url":"A"{many}}}]}}'.encode()
    for limits in (Limits(), Limits(annotations=1009)):
        found = check_request(octets, JSON, limits=limits).diagnostics[-1]
        assert (found.limit, found.position) == (("annotations", limits.annotations), 13)
    report = check_request(octets, JSON, limits=Limits(annotations=1010))
    assert report.complete and "limit-exceeded" not in [it.rule for it in report.diagnostics]


@pytest.mark.untraced
@pytest.mark.parametrize(("start", "position"), [(b"  ", 2), (b'{"a":', 5), (b'{"requests":[', 13)])
def test_what_is_too_deep_for_the_scanner_exceeds_the_limit(start: bytes, position: int) -> None:
    message = "the json depth is too large: the limit is 1000000 (Limits.json_depth)"
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
