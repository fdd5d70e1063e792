"""The JSON batch format as it is read: envelope, items, fields, bodies, groups, and damage."""

from __future__ import annotations

import itertools
import json

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Report,
    RequestDecoder,
    check_request,
    decode_request,
    decode_response,
)

from .helpers import JSON, checked_request, checked_response, fed, rows

# What `{GET`, `{POST` and `{OK` are short for.
GET = '"id":"1","method":"GET","url":"a"'
POST = '"id":"1","method":"POST","url":"a"'
OK = '"id":"1","status":200'


def spelt(text: str) -> str:
    for name, members in (("GET", GET), ("POST", POST), ("OK", OK)):
        text = text.replace("{" + name, "{" + members)
    return text


def requests(*objects: str) -> bytes:
    """Return a batch request of objects."""
    return spelt(f'{{"requests":[{",".join(objects)}]}}').encode()


def responses(*objects: str) -> bytes:
    """Return a batch response of objects."""
    return spelt(f'{{"responses":[{",".join(objects)}]}}').encode()


def marked(data: bytes) -> tuple[bytes, int]:
    """Return the data without its mark, which is "^", and the position of the mark."""
    before, _, after = data.partition(b"^")
    return before + after, len(before)


def slugs(report: Report[BatchRequest] | Report[BatchResponse]) -> list[str]:
    return [found.rule.slug for found in report.diagnostics]


# -- members --------------------------------------------------------------------------------------


def test_a_request_has_all_its_members() -> None:
    data = requests(
        "{GET}",
        '{"id":"2","atomicityGroup":"g","dependsOn":["1"],"if":"$1 eq 1","method":"POST",'
        '"url":"b","headers":{"content-type":"text/plain","x":"y"},"@a":[1],"body":"c"}',
    )
    second = Operation(
        "POST",
        "b",
        {"content-type": "text/plain", "x": "y"},
        b"c",
        id="2",
        depends_on=("1",),
        condition="$1 eq 1",
        annotations=[("@a", b"[1]")],
    )
    expected = BatchRequest([Operation.get("a", id="1"), ChangeSet([second], id="g")])
    assert decode_request(data, JSON) == expected


def test_a_response_has_all_its_members() -> None:
    data = responses(
        "{OK}",
        '{"id":"2","atomicityGroup":"g","status":201,"headers":{"location":"b"},"@a":1,"body":{}}',
    )
    second = OperationResponse(201, {"location": "b"}, b"{}", id="2", annotations=[("@a", b"1")])
    expected = BatchResponse([OperationResponse(200, id="1"), ChangeSetResponse([second], id="g")])
    assert decode_response(data, JSON) == expected


def test_members_may_have_any_order_and_any_blanks() -> None:
    members = ['"id" : "1"', '"method"\t:"POST"', '"url":\r\n"a"', '"body":\n{ "x" : 1 }']
    expected = BatchRequest([Operation("POST", "a", body=b'{ "x" : 1 }', id="1")])
    for order in itertools.permutations(members):
        assert decode_request(requests("{" + " ,\n".join(order) + " }"), JSON) == expected


@pytest.mark.parametrize(
    "item",
    [
        *(
            r'{"\u0069d":"1","m\u0065thod":"GET","url":"a","b\u006fdy":null}',
            '{GET,"dependsOn":[]}',
        ),
        *('{"id":"1","method":"get","url":"a"}', '{"id":"1","method":"gEt","url":"a"}'),
    ],
)
def test_members_may_be_spelt_in_several_ways(item: str) -> None:
    report = checked_request(requests(item), JSON, splits=4)
    assert report.value == BatchRequest([Operation.get("a", id="1")])
    assert report.diagnostics == ()


@pytest.mark.parametrize(
    "text", ["\xe9", "\u65e5", "\U0001f600", "\u2028", '"', "\\", "/", "a\u0301"]
)
def test_text_of_all_planes_is_read(text: str) -> None:
    for ascii in (True, False):
        item = f'{{GET,"if":{json.dumps(text, ensure_ascii=ascii)}}}'
        (found,) = decode_request(requests(item), JSON).operations()
        assert found.condition == text


def test_an_item_knows_its_offset_in_bytes() -> None:
    data, position = marked(requests(" ^{GET}").replace(b"{", '{"\xe9":"\u20ac",'.encode(), 1))
    assert decode_request(data, JSON).items[0].position == position
    data, position = marked(requests('^{GET,"atomicityGroup":"g"}'))
    assert decode_request(data, JSON).items[0].position == position


def test_depends_on_is_read_in_order() -> None:
    items = ["{GET}", "{GET}".replace("GET", GET.replace("1", "2"))]
    third = "{" + GET.replace("1", "3") + ',"dependsOn":["2","1","2"]}'
    found = decode_request(requests(*items, third), JSON).operations()
    assert found[2].depends_on == ("2", "1", "2")


# -- the envelope ---------------------------------------------------------------------------------

# A text with a mark where something is found, and what is found; `*` is what is expected.
BROKEN = rows(r"""
^ => json-syntax: found the end, expected a JSON batch
  ^ => json-syntax: found the end, expected a JSON batch
^--batch => json-syntax: found '--batch', expected JSON
[] ^[] => json-syntax: found '[]', expected nothing behind the JSON text
{"requests":[]}^x => json-syntax: found 'x', expected nothing behind the JSON text
{"requests":^} => json-syntax: found '}', expected JSON
{"requests":[^ => json-syntax: found the end, expected JSON
{"requests":[1^ => json-syntax: found the end, expected a comma or ']'
{"requests":[1,^]} => json-syntax: found ']}', expected JSON
{"requests":[{"a":1,^}]} => json-syntax: found '}]}', expected the name of a member
{"requests":[{"body":^x}]} => json-syntax: found 'x}]}', expected JSON
{"requests":[^NaN]} => json-syntax: found 'NaN]}', expected JSON without NaN and Infinity
^[] => json-envelope: found '[]', * requests
 ^"requests" => json-envelope: found '"requests"', * requests
^null => json-envelope: found 'null', * requests
 ^{} => json-envelope: found no such member, * requests
^{"requests":null} => json-envelope: found 'null', * requests
^{"requests":{"a":1}} => json-envelope: found '{"a":1}', * requests
^{"responses":[]} => json-envelope: found the member responses, * requests
^{"requests":[],"responses":[]} => json-envelope: found both requests and responses, * requests
^{"requests":[],"requests":1} => json-envelope: found '1', * requests
^{"error":{}} => json-envelope: found no such member, * requests
^[] => json-envelope: found '[]', * responses
^{} => json-envelope: found no such member, * responses
^{"requests":[]} => json-envelope: found the member requests, * responses
^{"error":{},"responses":1} => json-envelope: found '1', * responses
^{"error":{"code":"1"}} => json-error-response: found the single error '{"code":"1"}', * response
""")


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_a_broken_batch_is_refused(text: str, expected: str) -> None:
    data, position = marked(text.encode())
    is_response = expected.endswith(("* responses", "* response"))
    report = checked_response(data, JSON) if is_response else checked_request(data, JSON)
    (found,) = report.diagnostics
    expected = expected.replace("* response", "expected a batch response$")
    expected = expected.replace("a batch response$s", "an object with the array responses")
    expected = expected.replace("* requests", "expected an object with the array requests")
    assert f"{found.rule.slug}: {found.message}" == expected.rstrip("$")
    assert (found.position, found.path, report.complete) == (position, "", False)


def test_a_batch_without_operations_is_noted_in_requests() -> None:
    report = checked_request(b'{"requests":[]}', JSON)
    (found,) = report.diagnostics
    assert (found.rule.slug, found.position) == ("json-no-requests", 0)
    assert (report.value, found.message) == (BatchRequest([]), "the array requests is empty")
    response = checked_response(b'{"responses":[]}', JSON)
    assert (response.value, response.diagnostics) == (BatchResponse([]), ())


# Members beside `responses` with a mark, the annotations or the next link, and what is found.
BESIDE = rows(
    r"""
"@a": 1.10  => @a=1.10 =>
"b":^{ "c":[ ]} => b={ "c":[ ]} => json-unknown-member: found the member 'b'; it is kept
    as an annotation
"@odata.context":^"d" => @odata.context="d" => json-context: found @odata.context
"@context":^null => @context=null => json-context: found @context
"error":^{} => error={} => json-unknown-member: found the member 'error'; it is kept
    as an annotation
"@a":1,"@a":^2 => @a=2 => json-duplicate-other-member: found the member '@a' once more
"responses":^[] =>  => json-duplicate-member: found the member 'responses' once more
"@nextLink":"é?$skip=1" => next é?$skip=1 =>
"@odata.nextLink":"a" => next a =>
"@odata.nextLink":"a","@nextLink":"a" => next a =>
"@nextLink":^1 =>  => json-next-link: @nextLink is '1', expected one string
"@nextLink":^null =>  => json-next-link: @nextLink is 'null', expected one string
"@odata.nextLink":^["a"] =>  => json-next-link: @odata.nextLink is '["a"]', expected one string
"@odata.nextLink":^"b","@nextLink":"a" => next a => json-next-link: @odata.nextLink is '"b"',
    expected one string
"""
)


@pytest.mark.parametrize(("members", "kept", "expected"), BESIDE)
def test_members_beside_the_array_are_kept_as_they_are_spelt(
    members: str, kept: str, expected: str
) -> None:
    data, position = marked(f'{{"responses":[],{members}}}'.encode())
    report = checked_response(data, JSON, splits=8)
    assert report.value is not None and report.value.items == ()
    value = [f"{name}={raw.decode()}" for name, raw in report.value.annotations]
    value += [f"next {report.value.next_link}"] if report.value.next_link else []
    assert value == ([kept] if kept else [])
    found = [(f"{each.rule.slug}: {each.message}", each.position) for each in report.diagnostics]
    assert found == ([(expected, position)] if expected else [])


def test_in_a_request_a_next_link_is_an_annotation() -> None:
    data = requests("{GET}").replace(b"]}", b'],"@nextLink":"a"}')
    assert decode_request(data, JSON).annotations == (("@nextLink", b'"a"'),)


# -- findings about an item -----------------------------------------------------------------------

# An item with a mark where something is found, and what is found.
ITEMS = rows(
    r"""
^null => json-item: found 'null', expected an object
^[{}] => json-item: found '[{}]', expected an object
^{"method":"GET","url":"a"} => json-missing-member: the object has no id
^{"id":"1","url":"a"} => json-missing-member: the object has no method
^{"id":"1","method":"GET"} => json-missing-member: the object has no url
{"id":^1.10,"method":"GET","url":"a"} => json-id-number: id is the number '1.10', expected a string
{"id":^null,"method":"GET","url":"a"} => json-type: id is 'null', expected a string
{"id":^true,"method":"GET","url":"a"} => json-type: id is 'true', expected a string
{"id":"1","method":^null,"url":"a"} => json-type: method is 'null', expected a string
{"id":"1","method":"GET","url":^1} => json-type: url is '1', expected a string
{GET,"if":^true} => json-type: if is 'true', expected a string
{GET,"if":^1} => json-type: if is '1', expected a string
{GET,"atomicityGroup":^1} => json-type: atomicityGroup is '1', expected a string
{GET,"atomicityGroup":^""} => json-type: atomicityGroup is '""', expected a name
{GET,"dependsOn":^1} => json-type: dependsOn is '1', expected an array of strings
{GET,"dependsOn":^{"a":"b"}} => json-type: dependsOn is '{"a":"b"}', expected an array of strings
{GET,"dependsOn":^["0",1]} => json-type: dependsOn is '["0",1]', expected an array of strings
{GET,"headers":^[]} => json-type: headers is '[]', expected an object
{GET,"headers":^"a: b"} => json-type: headers is '"a: b"', expected an object
{GET,"headers":^{"a":null}} => json-type: header 'a' is neither a string, a number nor a boolean
{GET,"headers":^{"a":[]}} => json-type: header 'a' is neither a string, a number nor a boolean
{GET,"headers":^{"a":["b"]}} => json-type: header 'a' is neither a string, a number nor a boolean
{GET,"headers":^{"a":{"b":1}}} => json-type: header 'a' is neither a string, a number nor a boolean
{GET,"headers":^{"a":1.10}} => json-header-value: header 'a' is 1.10, expected a string
{GET,"headers":^{"a":true}} => json-header-value: header 'a' is true, expected a string
{GET,"headers":^{"Accept":"b"}} => json-header-case: header names are not in lower case
{GET,"headers":^{"a":"b","a":"c"}} => json-header-collision: header 'a' is both 'b' and 'c'
{GET,"headers":^{"a":"","a":""}} => json-header-collision-equal: header 'a' stands twice
    with the same value
{GET,"atomicityGroup":^null} => json-null-member: atomicityGroup is null, expected that
    it is left out
{GET,"dependsOn":^null} => json-null-member: dependsOn is null, expected that
    it is left out
{GET,"if":^null} => json-null-member: if is null, expected that
    it is left out
{GET,"headers":^null} => json-null-member: headers is null, expected that
    it is left out
{GET,"x y":^1} => json-unknown-member: found the member 'x y'; it is kept as an annotation
{GET,"@context":^1} => json-context: found @context
{GET,"id":^"1"} => json-duplicate-member: found the member 'id' once more
{GET,"method":^"GET"} => json-duplicate-member: found the member 'method' once more
{GET,"\u0075rl":^"b"} => json-duplicate-member: found the member 'url' once more
{GET,"headers":{},"headers":^{}} => json-duplicate-member: found the member 'headers' once more
{GET,"body":null,"body":^null} => json-duplicate-member: found the member 'body' once more
{GET,"dependsOn":[],"dependsOn":^[]} => json-duplicate-member: found the member 'dependsOn' once
    more
{GET,"@a":1,"@a":^2} => json-duplicate-other-member: found the member '@a' once more
"""
)
ITEMS += [
    (f'^"{"x" * 70}"', f"json-item: found '\"{'x' * 59}'..., expected an object"),
    (
        f'{{"id":"1","method":"GET","url":^["{"x" * 70}"]}}',
        f"json-type: url is '[\"{'x' * 58}'..., expected a string",
    ),
    (
        f'{{GET,"headers":^{{"a":{"9" * 99}}}}}',
        f"json-header-value: header 'a' is {'9' * 60}, expected a string",
    ),
]


def one_finding(report: Report[BatchRequest] | Report[BatchResponse], position: int) -> str:
    """Return what is found in the first item, at this position and nowhere else."""
    (found,) = report.diagnostics
    assert (found.position, found.path, report.complete) == (position, "items[0]", True)
    return f"{found.rule.slug}: {found.message}"


@pytest.mark.parametrize(("item", "expected"), ITEMS)
def test_what_is_wrong_with_a_request_is_found(item: str, expected: str) -> None:
    data, position = marked(requests(item))
    assert one_finding(checked_request(data, JSON, splits=8), position) == expected


RESPONSES = rows(r"""
^1 => json-item: found '1', expected an object
^{"status":200} => json-response-id-missing: the object has no id
{"id":^null,"status":200} => json-null-member: id is null, expected that it is left out
{"id":^7,"status":200} => json-id-number: id is the number '7', expected a string
{"id":^[],"status":200} => json-type: id is '[]', expected a string
^{"id":"1"} => json-missing-member: the object has no status
{OK,"@a":1,"@a":^2} => json-duplicate-other-member: found the member '@a' once more
{OK,"status":^200} => json-duplicate-member: found the member 'status' once more
{OK,"method":^"GET"} => json-unknown-member: found the member 'method'; it is kept as an annotation
""")
RESPONSES += [
    *(
        (
            f'{{"id":"1","status":^{status}}}',
            f"json-status: status is {status!r}, expected a number from 100 to 599",
        )
        for status in (
            *("null", "true", "99", "600", "1000", "-200", "2e2", "200.5", "0", '""', '"OK"'),
            *('" 200"', '"200 OK"', "[200]", "{}"),
        )
    ),
    *(
        (
            f'{{"id":"1","status":^{status}}}',
            f"json-status-spelling: status is {status!r}, expected 204",
        )
        for status in ('"204"', "204.0", "204.000", '"204.0"')
    ),
]


@pytest.mark.parametrize(("item", "expected"), RESPONSES)
def test_what_is_wrong_with_a_response_is_found(item: str, expected: str) -> None:
    data, position = marked(responses(item))
    assert one_finding(checked_response(data, JSON, splits=8), position) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *(('"201"', 201), ("201.0", 201), ("201.000", 201), ('"201.0"', 201), ("100", 100)),
        *(("199", 199), ("404", 404), ("599", 599)),
    ],
)
def test_a_status_is_read_in_many_spellings(status: str, expected: int) -> None:
    (found,) = decode_response(responses(f'{{"id":"1","status":{status}}}'), JSON).responses()
    assert found.status == expected


def test_what_is_odd_is_read_all_the_same() -> None:
    items = [
        '{"id":1.10,"method":"GET","url":"a"}',
        "{GET}",
        "{GET,URL}".replace("URL", '"url":"b"'),
    ]
    items.append('{"id":"2","method":"GET","url":"a","dependsOn":"1","URL":"/evil"}')
    report = checked_request(requests(*items), JSON)
    assert report.value is not None
    first, _, third, fourth = report.value.operations()
    assert (first.id, third.url) == ("1.10", "b")
    assert (fourth.url, fourth.annotations) == ("a", (("URL", b'"/evil"'),))
    assert fourth.depends_on == ("1",)
    found = [each for each in report.diagnostics if each.rule.slug == "json-depends-on-string"]
    assert [each.message for each in found] == ["dependsOn is the string '1', expected an array"]
    (response,) = decode_response(responses('{"status":200}'), JSON).responses()
    assert response.id is None


# -- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "pairs", "found"),
    [
        ("{}", [], ""),
        ('{ "a" : "b" ,\n"c":"" }', [("a", "b"), ("c", "")], ""),
        ('{"Accept":"b"}', [("Accept", "b")], "json-header-case"),
        (
            '{"a":1.10,"b":true,"c":false}',
            [("a", "1.10"), ("b", "true"), ("c", "false")],
            "json-header-value json-header-value json-header-value",
        ),
        ('{"a":"\\u00e9\\"\\\\"}', [("a", '\xe9"\\')], ""),
        ('{"__proto__":"x","__class__":"y"}', [("__proto__", "x"), ("__class__", "y")], ""),
        ('{"a":null,"b":"c"}', [("b", "c")], "json-type"),
        ('{"a":"1","b":"2","a":"3"}', [("a", "3"), ("b", "2")], "json-header-collision"),
        ('{"a":"1","A":"3"}', [("A", "3")], "json-header-collision json-header-case"),
        ("null", [], "json-null-member"),
        ("1", [], "json-type"),
    ],
)
def test_headers_are_read(spelling: str, pairs: list[tuple[str, str]], found: str) -> None:
    report = checked_request(requests(f'{{GET,"headers":{spelling}}}'), JSON, splits=8)
    assert report.value is not None
    assert report.value.operations()[0].headers.pairs == tuple(pairs)
    assert " ".join(slugs(report)) == found


def test_a_number_in_headers_is_found_where_a_string_was_right_before() -> None:
    fields = ['{"a":"1"}', '{"a":1}', '{"a":"1"}']
    data = requests(*[f'{{GET,"headers":{field}}}' for field in fields])
    report = check_request(data, JSON)
    found = [each.path for each in report.diagnostics if each.rule.slug == "json-header-value"]
    assert found == ["items[1]"]


def test_headers_with_a_finding_are_found_again() -> None:
    item = '{GET,"headers":{"Accept":"a"}}'
    other = spelt(item).replace('"1"', '"2"')
    assert slugs(checked_request(requests(item, other), JSON)) == ["json-header-case"] * 2


def test_very_many_different_headers_and_media_types_are_read() -> None:
    types = [f"text/x{index}" for index in range(1100)] * 2
    items = [
        f'{{"id":"{index}","method":"PUT","url":"a","headers":{{"content-type":"{name}"}},'
        '"body":"\xe9"}'
        for index, name in enumerate(types)
    ]
    found = decode_request(requests(*items), JSON).operations()
    assert [item.headers["content-type"] for item in found] == types
    assert {item.body for item in found} == {"\xe9".encode()}


# -- bodies ---------------------------------------------------------------------------------------

JSON_BODIES = [
    *("{}", "[]", '""', "0", "true", "false", "1.10", "-0", "12345678901234567.89", "1e400"),
    *('"null"', '{"null":null}', '{ "a" :\t[ 1 ,\r\n2 ] }', '"{\\"a\\":1}"', "9" * 5000),
    *('{"b":1.10,"a":12345678901234567.89,"a2":1e400,"a":0}', '"\\u00e9\\/\xe9\\ud83d\\ude00"'),
]


def with_body(content_type: str | None, spelling: str, more: str = "") -> bytes:
    headers = (
        "" if content_type is None else f',"headers":{{"content-type":"{content_type}"{more}}}'
    )
    return requests(f'{{POST{headers},"body":^{spelling}}}')


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x+json; a=b"])
@pytest.mark.parametrize("spelling", JSON_BODIES)
def test_a_json_body_is_the_octets_that_spell_it(content_type: str | None, spelling: str) -> None:
    data, _ = marked(with_body(content_type, spelling))
    assert decode_request(data, JSON).operations()[0].body == spelling.encode()


# A media type, a body, its octets with escapes as Python has them, and what is found.
BODIES = rows(
    r"""
APPLICATION/JSON;odata.metadata=none => "QUI=" => "QUI=" =>
application/merge-patch+json => "QUI=" => "QUI=" =>
application/problem+JSON => "QUI=" => "QUI=" =>
application/json => null =>  =>
text/plain => "a\r\n\u00e9\u0000" => a\r\n\xc3\xa9\x00 =>
TEXT/XML => "\u00e9" => \xc3\xa9 =>
text/json => "QUI=" => QUI= =>
text/x; charset=UTF-8 => "\u00e9" => \xc3\xa9 =>
text/x;charset=utf8 => "\u00e9" => \xc3\xa9 =>
text/plain => null =>  =>
text/plain => "" =>  =>
text/plain; charset=us-ascii => "a" => a =>
text/plain; charset=ASCII => "a" => a =>
text/plain; charset=ISO-8859-1 => "\u00e9\u00ff" => \xe9\xff =>
text/plain; charset=latin1 => "\u0080" => \x80 =>
text/x;charset=koi8-r => "a" => a => text-charset: the charset 'koi8-r'*
text/x;charset=us-ascii => "\u00e9" => \xc3\xa9 => text-charset: the charset 'us-ascii'*
text/x;charset=latin1 => "\u20ac" => \xe2\x82\xac => text-charset: the charset 'latin1'*
text/plain => 1.10 => 1.10 => json-body-type: the body of 'text/plain' is '1.10', expected a string
application/xml => {"a":1} => {"a":1} =>
    json-body-type: the body of 'application/xml' is '{"a":1}', expected a string
no media type => true => true =>
    json-body-type: the body of 'no media type' is 'true', expected a string
application/octet-stream => "_-8" => \xff\xef =>
application/xml => "_-8" => \xff\xef =>
application/jsonp => "_-8" => \xff\xef =>
application/json-seq => "_-8" => \xff\xef =>
application/text => "_-8" => \xff\xef =>
image/x+json => "_-8" => \xff\xef =>
textile/x => "_-8" => \xff\xef =>
multipart/mixed; boundary=b => "_-8" => \xff\xef =>
image/png => null =>  =>
image/png => "" =>  =>
image/png => "/+8=" => \xff\xef => base64-alphabet: found '/+8=', with + or /, expected - or _
image/png => "QR==" => QR== => base64: found 'QR==', expected base64url
image/png => "\ufffdP\r\n" => \xef\xbf\xbdP\r\n =>
    json-body-lossy: found '\ufffdP\r\n', expected base64url
"""
)


@pytest.mark.parametrize(("content_type", "spelling", "octets", "expected"), BODIES)
def test_a_body_is_read_by_its_media_type(
    content_type: str, spelling: str, octets: str, expected: str
) -> None:
    data, position = marked(with_body(content_type, spelling))
    report = checked_request(data, JSON, splits=8)
    assert report.value is not None
    body = octets.encode().decode("unicode_escape").encode("latin-1")
    assert report.value.operations()[0].body == body
    expected = expected.replace("*", " is unknown, or cannot hold the text")
    expected = expected.replace(r"\ufffd", "\ufffd")
    assert (one_finding(report, position) if report.diagnostics else "") == expected


@pytest.mark.parametrize(
    ("content_type", "length", "body", "octets"),
    [
        ("text/plain", "2", '"\xe9"', None),
        ("text/plain", "1", '"\xe9"', 2),
        ("image/png", "4", '"QQ=="', 1),
        ("image/png", "x", "null", 0),
        ("application/json", "1", "{}", None),
    ],
)
def test_a_content_length_is_compared_unless_the_body_is_json(
    content_type: str, length: str, body: str, octets: int | None
) -> None:
    data, _ = marked(with_body(content_type, body, f',"content-length":"{length}"'))
    report = checked_request(data, JSON, splits=8)
    message = f"content-length is '{length}', the body stands for {octets} octets"
    expected = "" if octets is None else f"json-content-length: {message}"
    found = one_finding(report, data.index(b'{"id"')) if report.diagnostics else ""
    assert found == expected


# -- groups ---------------------------------------------------------------------------------------


def grouped(id: str, group: str | None = None) -> str:
    members = f'"id":"{id}","method":"PUT","url":"a"'
    return f"{{{members}}}" if group is None else f'{{{members},"atomicityGroup":"{group}"}}'


def shape(batch: BatchRequest | BatchResponse | None) -> str:
    """Return the ids of the items; a change set is its name and those of its members."""
    assert batch is not None
    return " ".join(
        f"{item.id}:{','.join(str(inner.id) for inner in item.items)}"
        if isinstance(item, ChangeSet | ChangeSetResponse)
        else str(item.id)
        for item in batch.items
    )


NO_URL = '{"id":"0","method":"PUT","atomicityGroup":"g"}'
SPLIT = "a member of an atomicity group is parted from the others"

# The items as ids and their groups, what is read, and what is found where.
GROUPS = rows(
    r"""
1g 2g 3 4h => g:1,2 3 h:4 =>
1g 2G => g:1 G:2 =>
1 2g 3h 4g 5g 6 7g => 1 g:2,4,5,7 h:3 6 => SPLIT items[1].items[1] 3 ; SPLIT items[1].items[3] 6
1g x 2g => g:1,2 => SPLIT items[0].items[1] 2 ; found 'x', expected an object items[1] 1
1g ! => g:1 => the object has no url items[0].items[1] 1
! 1 => 1 => the object has no url items[0].items[0] 0
"""
)


@pytest.mark.parametrize(("texts", "expected", "findings"), GROUPS)
def test_members_of_a_group_are_a_change_set(texts: str, expected: str, findings: str) -> None:
    odd = {"x": '"x"', "!": NO_URL}
    items = [
        odd[each] if each in odd else grouped(each[0], each[1:] or None) for each in texts.split()
    ]
    report = checked_request(requests(*items), JSON, splits=60)
    assert shape(report.value) == expected
    starts = [
        len(b'{"requests":[') + sum(len(each) + 1 for each in items[:index])
        for index in range(len(items))
    ]
    found = [
        f"{each.message} {each.path} {starts.index(each.position or 0)}"
        for each in report.diagnostics
    ]
    expected = findings.replace("SPLIT", SPLIT).replace("'x'", "'\"x\"'")
    assert " ; ".join(found) == expected


def test_responses_of_a_group_may_be_anywhere() -> None:
    first, second = '{"id":"1","status":200,"atomicityGroup":"g"}', '{"id":"2","status":200}'
    data = responses(first, second, first.replace('"1"', '"3"'))
    assert shape(decode_response(data, JSON, strict=True)) == "g:1,3 2"


# -- damage and partial results -------------------------------------------------------------------

DAMAGED = requests("{GET}", '{"id":"2","method":"GET"}', "{" + GET.replace("1", "3") + "}")


def test_an_error_holds_the_items_before_it() -> None:
    report = check_request(DAMAGED, JSON)
    assert shape(report.value) == "1 3"
    assert [found.path for found in report.diagnostics] == ["items[1]"]
    with pytest.raises(DecodeError) as caught:
        decode_request(DAMAGED, JSON)
    assert caught.value.partial == (Operation.get("a", id="1"),)
    assert caught.value.position == DAMAGED.index(b'{"id":"2"')
    with pytest.raises(DecodeError) as caught:
        decode_request(requests("{GET}", '{"id":}'), JSON)
    assert caught.value.partial == ()


@pytest.mark.parametrize("strict", [False, True])
def test_chunking_does_not_matter(strict: bool) -> None:
    text = "text/plain; charset=utf-8"
    other = requests(
        f'{{POST,"headers":{{"content-type":"{text}"}},"body":"\xe9\U0001f600"}}',
        grouped("2", "g"),
        grouped("3", "g").replace("}", ',"dependsOn":["1"],"@a":{"b":1.10}}'),
        grouped("4").replace("}", ',"if":null}'),
    )
    for data in (DAMAGED, other):
        decoders = (RequestDecoder(JSON, strict=strict) for _ in data)
        outcomes = {fed(decoder, [data[:cut], data[cut:]]) for cut, decoder in enumerate(decoders)}
        outcomes.add(fed(RequestDecoder(JSON, strict=strict), [bytes([each]) for each in data]))
        assert len(outcomes) == 1


# -- limits ---------------------------------------------------------------------------------------

HEADERS = '"headers":{"a":"b","c":"d"}'
BIG = f'{{"id":"1","method":"POST","url":"abc",{HEADERS},"body":[1,2]}}'


@pytest.mark.parametrize(
    ("items", "limit", "enough"),
    [
        ([BIG, "^{GET}"], "operations", 2),
        ([BIG.replace('"abc"', '^"abc"')], "url", 3),
        ([BIG.replace("[1,2]", "^[1,2]")], "body", 5),
        (['{POST,"headers":{"content-type":"image/png"},"body":^"QUJD"}'], "body", 3),
        ([BIG.replace('{"a"', '^{"a"')], "fields", 2),
        ([BIG.replace('{"a"', '^{"a"')], "headers_total", 17),
        ([BIG, spelt(f"{{GET,{HEADERS}}}").replace('{"a"', '^{"a"')], "headers_total", 34),
    ],
)
def test_a_limit_is_the_largest_size_that_is_read(
    items: list[str], limit: str, enough: int
) -> None:
    data, position = marked(requests(*items))
    assert checked_request(data, JSON, limits=Limits(**{limit: enough}), splits=8).complete
    limits = Limits(**{limit: enough - 1})
    report = checked_request(data, JSON, limits=limits, splits=8)
    found = report.diagnostics[-1]
    assert (found.position, report.complete) == (position, False)
    assert (found.rule.slug, found.limit) == ("limit-exceeded", (limit, enough - 1))
    assert found.message == f"limit {limit} is {enough - 1}, and the message exceeds it"
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=limits)
    assert (caught.value.limit, caught.value.value) == (limit, enough - 1)
    assert len(caught.value.partial) == (len(items) - 1 if limit != "operations" else 0)


def test_a_message_as_long_as_the_limit_is_read() -> None:
    data = requests("{GET}")
    assert decode_request(data, JSON, limits=Limits(message=len(data))).items
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=Limits(message=len(data) - 1))
    assert caught.value.limit == "message"
