"""References in expressions, header fields and JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import BatchRequest, Dialect, Operation, find_references, split
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01

LONG = 200_000


def references(operation: Operation, dialect: Dialect = ODATA_4_01) -> list[tuple[str, str]]:
    found = find_references(operation, dialect=dialect)
    return [(each.id, each.text) for each in found if each.place != "url"]


def etag_references(value: str, name: str = "If-Match") -> list[str]:
    return [id for id, _ in references(Operation.get("A", headers={name: value}))]


def query_references(url: str) -> list[tuple[str, str]]:
    return references(Operation.get(url))


def expression_references(text: str) -> list[tuple[str, str]]:
    return references(Operation("GET", "A", condition=text))


def json_references(body: bytes, dialect: Dialect = ODATA_4_01) -> list[tuple[str, str]]:
    return references(Operation("POST", "A", body=body), dialect)


@pytest.mark.parametrize(
    ("dialect", "names"),
    [
        (ODATA_2, {"batch", "metadata"}),
        (
            ODATA_4_0,
            {"all", "batch", "crossjoin", "entity", "id", "it", "metadata", "root", "this"},
        ),
        (
            ODATA_4_01,
            {"all", "batch", "crossjoin", "entity", "id", "it", "metadata", "root", "this"},
        ),
    ],
)
def test_the_names_that_are_taken_depend_on_the_version(dialect: Dialect, names: set[str]) -> None:
    others = ["A", "all", "batch", "count", "crossjoin", "entity", "id", "it", "metadata", "root"]
    others += ["these", "this", "value", "Batch"]
    body = json.dumps([f"${name}" for name in others]).encode()
    assert {id for id, _ in json_references(body, dialect)} == {*others} - names


# The conformance corpus has more of each, with the operations around them: see test_references.
@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("$1", ["1"]),
        (" $1\t", ["1"]),
        ("$1,$2", ["1", "2"]),
        ('"$1"', []),
        ('W/"$1", $2', ["2"]),
        ('"a, $1", $2', ["2"]),
        ('"a, $1', []),
        ('$1"a"', []),
        ("$1 $2", []),
        ("$", []),
        ("*", []),
        ("", []),
        ("a$1", []),
        ("${7}", []),
        ("$1/x", []),
        ("$1;$2", []),
        ("$1?x, $1(2), $$1, $1%20", []),
        ("$\u00e9", []),
        ("$1/x, $2", ["2"]),
        ("$a-b.c_d~e", ["a-b.c_d~e"]),
    ],
)
def test_an_etag_reference_is_a_whole_member_without_quotes(value: str, ids: list[str]) -> None:
    assert etag_references(value) == etag_references(value, "if-none-match") == ids


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("Orders?$filter=Id eq $1/Id", [("1", "$1/Id")]),
        ("Orders?$filter=Id%20eq%20$1%2FId%20", [("1", "$1/Id")]),
        ("Orders?%24filter=Id eq $1", [("1", "$1")]),
        ("Orders?a=1&b=$1&c=$2", [("1", "$1"), ("2", "$2")]),
        ("Orders?a=$1=", []),
        ("Orders?$1=a", []),
        ("Orders?a=%2527$1%2527", []),
        ("Orders?a=%2524&b=%241", []),
        ("Orders?%73earch=$1", []),
        ("Orders#?a=$1", []),
        ("Orders/$1", []),
        ("Orders?", []),
        ("", []),
    ],
)
def test_a_value_reference_is_a_word_of_a_query(url: str, found: list[tuple[str, str]]) -> None:
    assert query_references(url) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$1/$succeeded", [("1", "$1/$succeeded")]),
        ("not $1/$succeeded", [("1", "$1/$succeeded")]),
        ("($1/A add --$2)mul $1", [("1", "$1/A"), ("2", "$2"), ("1", "$1")]),
        ("$a-b.c_d~e", [("a-b.c_d~e", "$a-b.c_d~e")]),
        ("[$1,{$2}]", [("1", "$1"), ("2", "$2")]),
        ("'$1'''$2", [("2", "$2")]),
        ("'$1''$2'", []),
        ("'a\\'$1'", [("1", "$1")]),
        ('"a\\"$1\\\\"$2', [("2", "$2")]),
        ('"$1', []),
        ("$it $this $root/A $these $all $count", []),
        ("$iterate/$it", [("iterate", "$iterate/$it")]),
        ("$filter=$1", [("1", "$1")]),
        ("$1\u00e9 $1@ $1% $1$2", []),
        ("a $", []),
        ("", []),
    ],
)
def test_an_expression_reference_is_a_word_outside_of_strings(
    text: str, found: list[tuple[str, str]]
) -> None:
    assert expression_references(text) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'"$1"', [("1", "$1")]),
        (b'{"a":"$1/B","c":["$2#d"]}', [("1", "$1/B"), ("2", "$2#d")]),
        (b'{"a":"$1","a":"$2"}', [("1", "$1"), ("2", "$2")]),
        (b'["$1\\n"]', []),
        (b'["$1/\\ud800\\n"]', [("1", "$1/\ud800\n")]),
        (b'["a\\"$1"]', []),
        (b'["$metadata","$root/A","$it","$this/B","$ 1","$"]', []),
        (b'["\\u00241"]', [("1", "$1")]),
        (b'{"$1":1}', []),
        (b'[1.5e400, -7, true, null, "$1"]', [("1", "$1")]),
        (b'["$1"', []),
        (b'["$1"] x', []),
        (b'["$1", NaN]', []),
        (b'["$1", -Infinity]', []),
        (b'["$1", "\xff"]', []),
        (b'\xef\xbb\xbf["$1"]', []),
        (b'$1 "$1"', []),
        (b"", []),
    ],
)
def test_a_reference_in_json_begins_a_string(body: bytes, found: list[tuple[str, str]]) -> None:
    assert json_references(body) == found


def test_a_name_that_a_version_does_not_have_may_be_an_identifier() -> None:
    body = b'["$root/A", "$it", "$metadata#A"]'
    assert json_references(body) == []
    assert json_references(body, ODATA_2) == [("root", "$root/A"), ("it", "$it")]


def test_a_number_of_many_digits_hides_no_reference() -> None:
    assert json_references(b"[" + b"7" * 5000 + b', "$1"]') == [("1", "$1")]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_that_is_too_deep_to_be_read_has_no_references(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    assert json_references(opening * LONG + b'"$1"' + closing * LONG) == []


def test_json_as_deep_as_it_is_read_has_references() -> None:
    assert json_references(b"[" * 100 + b'"$1"' + b"]" * 100) == [("1", "$1")]


def test_long_texts_are_read_in_linear_time() -> None:
    assert expression_references("'$1'" * LONG) == []
    assert expression_references('\\"$1' * LONG) == []
    assert expression_references("$" * LONG) == []
    assert expression_references("$1-" * LONG + "$") == []
    assert len(expression_references("$1 " * (LONG // 10))) == LONG // 10
    assert query_references("?" + "a=$&" * LONG) == []
    assert query_references("?a=" + "%24%27" * LONG) == []
    assert etag_references('"$1,' * LONG) == []
    assert etag_references(",$ " * LONG) == []
    assert json_references(b'["' + b"\\\\" * LONG + b'", "$1"]') == [("1", "$1")]


def test_a_body_of_16_mib_without_a_dollar_sign_in_front_is_not_read() -> None:
    # It is no JSON text: reading it would be an error, and is not tried.
    assert json_references(b'"a$' * (16 * 1024 * 1024 // 3)) == []


@given(st.text(alphabet="$1/'\" \\,()=&%274aé-"))
def test_any_text_is_read(text: str) -> None:
    for id, word in (*expression_references(text), *query_references(f"?{text}")):
        assert word.startswith(f"${id}")
    assert all(id for id in etag_references(text))


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["$1", "$2/a", "$metadata", "a$3", "$4 b", "\\"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["$5", "a", "b", "c"]), inner),
)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [each for inner in value.values() for each in strings(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in strings(inner)]
    return [value] if isinstance(value, str) else []


@given(JSON)
def test_the_references_in_json_are_those_of_its_value(value: object) -> None:
    found = [text for _, text in json_references(json.dumps(value).encode())]
    assert found == [text for text in strings(value) if text in ("$1", "$2/a")]


BODIES = [
    (b'{"Customer@odata.bind":"$1"}', True),
    (b'{"Orders@odata.bind":["$9","$1/Orders(3)"]}', True),
    (b'{"Orders":[{"@id":"$1"}]}', True),
    (b'{"Orders":[{"@odata.id":"$1"}]}', True),
    (b'{"Boss@bind":"$1"}', True),
    (b'{"Price":"$1","Customer@odata.bind":"Customers(1)"}', False),
    (b'["$1"]', False),
]


@pytest.mark.parametrize(("body", "binds"), BODIES)
def test_members_whose_names_say_so_bind(body: bytes, binds: bool) -> None:
    customer = Operation.post("A", body=b"{}", id="1")
    batch = BatchRequest([customer, Operation.get("B"), Operation.post("C", body=body)])
    pieces = split(batch, max_operations=2, format="multipart")
    urls = ["".join(each.url for each in piece.operations()) for piece in pieces]
    assert urls == (["AC", "B"] if binds else ["AB", "C"])
