"""The JSON batch format: what is read from it, what is found in it, and what is written."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    DecodeError,
    Diagnostic,
    Dialect,
    EncodeError,
    Headers,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Report,
    RequestDecoder,
    RequestEncoder,
    ResponseDecoder,
    ResponseEncoder,
    Rule,
    Severity,
    check_request,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch._wire.json import decode_base64, encode_base64
from odata_batch.dialects import ODATA_4_0, ODATA_4_01

from .helpers import JSON, chunkings, outcomes

Batch = TypeVar("Batch", BatchRequest, BatchResponse)

PLAIN = '"id":"1","method":"GET","url":"a"'
POST = '"id":"1","method":"POST","url":"a"'
OK = '"id":"1","status":200'


def requests(*objects: str) -> bytes:
    """Return a batch request of objects with these members."""
    return f'{{"requests":[{",".join(f"{{{members}}}" for members in objects)}]}}'.encode()


def responses(*objects: str) -> bytes:
    """Return a batch response of objects with these members."""
    return f'{{"responses":[{",".join(f"{{{members}}}" for members in objects)}]}}'.encode()


def marked(data: bytes) -> tuple[bytes, int]:
    """Return the data without its mark, which is "^", and the position of the mark."""
    before, mark, behind = data.partition(b"^")
    assert mark
    return before + behind, len(before)


def operation(data: bytes, limits: Limits | None = None) -> Operation:
    """Return the one operation of a batch request."""
    (found,) = decode_request(data, JSON, limits=limits or Limits()).items
    assert isinstance(found, Operation)
    return found


def response(data: bytes) -> OperationResponse:
    """Return the one response of a batch response."""
    (found,) = decode_response(data, JSON).items
    assert isinstance(found, OperationResponse)
    return found


def body_of(content_type: str | None, spelling: str) -> bytes:
    """Return the octets that a spelling of the member body stands for."""
    headers = "" if content_type is None else f',"headers":{{"content-type":"{content_type}"}}'
    return operation(requests(f'{POST}{headers},"body":{spelling}')).body


def rules(report: Report[Batch]) -> list[Rule]:
    return [found.rule for found in report.diagnostics]


# -- members of a request -------------------------------------------------------------------------


def test_a_request_has_all_its_members() -> None:
    data = requests(
        PLAIN,
        '"id":"2","atomicityGroup":"g","dependsOn":["1"],"if":"$1 eq 1","method":"POST",'
        '"url":"b","headers":{"content-type":"text/plain","x":"y"},"@a":[1],"body":"c"',
    )
    headers = {"content-type": "text/plain", "x": "y"}
    second = Operation(
        "POST",
        "b",
        headers,
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
        OK,
        '"id":"2","atomicityGroup":"g","status":201,"headers":{"location":"b"},"@a":1,"body":{}',
    )
    second = OperationResponse(201, {"location": "b"}, b"{}", id="2", annotations=[("@a", b"1")])
    expected = BatchResponse([OperationResponse(200, id="1"), ChangeSetResponse([second], id="g")])
    assert decode_response(data, JSON) == expected


def test_members_stand_in_any_order_with_any_blanks() -> None:
    members = ['"id" : "1"', '"method"\t:"POST"', '"url":\r\n"a"', '"body":\n{ "x" : 1 }']
    expected = Operation("POST", "a", body=b'{ "x" : 1 }', id="1")
    for order in itertools.permutations(members):
        assert operation(requests(" ,\n".join(order) + " ")) == expected


def test_names_of_members_may_be_spelt_with_escapes() -> None:
    data = requests(r'"\u0069d":"1","m\u0065thod":"GET","url":"a","b\u006fdy":null')
    assert operation(data) == Operation.get("a", id="1")


def test_names_of_members_are_compared_with_case() -> None:
    found = operation(requests(f'{PLAIN},"URL":"/evil"'))
    assert (found.url, found.annotations) == ("a", (("URL", b'"/evil"'),))


def test_an_item_knows_its_offset_in_bytes() -> None:
    data, position = marked('{"é":"€","requests":[ ^{"id":"1","method":"GET","url":"a"}]}'.encode())
    assert operation(data).position == position


def test_a_change_set_knows_the_offset_of_its_first_member() -> None:
    data, position = marked(b'{"requests":[^{%b,"atomicityGroup":"g"}]}' % PLAIN.encode())
    assert decode_request(data, JSON).items[0].position == position


@pytest.mark.parametrize(
    ("spelling", "method"),
    [
        ("get", "GET"),
        ("Patch", "PATCH"),
        ("PUT", "PUT"),
        ("dElEtE", "DELETE"),
        ("Unknown", "Unknown"),
    ],
)
def test_known_methods_are_read_in_upper_case(spelling: str, method: str) -> None:
    assert operation(requests(f'"id":"1","method":"{spelling}","url":"a"')).method == method


@pytest.mark.parametrize("text", ["é", "日本", "😀", "\u2028", '"', "\\", "/", "\u00a0", "a\u0301"])
def test_text_of_all_planes_is_read(text: str) -> None:
    data = requests(f'"id":"1","method":"GET","url":"a","if":{json.dumps(text)}')
    raw = requests(f'"id":"1","method":"GET","url":"a","if":{json.dumps(text, ensure_ascii=False)}')
    assert operation(data).condition == operation(raw).condition == text


def test_depends_on_is_read_in_order() -> None:
    first, second = PLAIN, PLAIN.replace("1", "2")
    third = PLAIN.replace("1", "3") + ',"dependsOn":["2","1","2"]'
    found = decode_request(requests(first, second, third), JSON).operations()
    assert found[2].depends_on == ("2", "1", "2")


def test_no_dependencies_may_be_written_as_an_empty_array() -> None:
    assert operation(requests(f'{PLAIN},"dependsOn":[]')).depends_on == ()


# -- findings about the envelope ------------------------------------------------------------------

NO_REQUESTS = "expected an object with the array requests"
NO_RESPONSES = "expected an object with the array responses"
BROKEN_REQUESTS = [
    (b"^", Rule.JSON_SYNTAX, "found the end, expected a JSON batch"),
    (b" \n^", Rule.JSON_SYNTAX, "found the end, expected a JSON batch"),
    (b"^[]", Rule.JSON_ENVELOPE, f"found '[]', {NO_REQUESTS}"),
    (b' ^"requests"', Rule.JSON_ENVELOPE, f"found '\"requests\"', {NO_REQUESTS}"),
    (b"^null", Rule.JSON_ENVELOPE, f"found 'null', {NO_REQUESTS}"),
    (b"^--batch", Rule.JSON_SYNTAX, "found '--batch', expected JSON"),
    (b"[] ^[]", Rule.JSON_SYNTAX, "found '[]', expected nothing behind the JSON text"),
    (b" ^{}", Rule.JSON_ENVELOPE, f"found no such member, {NO_REQUESTS}"),
    (b'^{"requests":null}', Rule.JSON_ENVELOPE, f"found 'null', {NO_REQUESTS}"),
    (b'^{"requests":{"a":1}}', Rule.JSON_ENVELOPE, f"found '{{\"a\":1}}', {NO_REQUESTS}"),
    (b'^{"responses":[]}', Rule.JSON_ENVELOPE, f"found the member responses, {NO_REQUESTS}"),
    (
        b'^{"requests":[],"responses":[]}',
        Rule.JSON_ENVELOPE,
        f"found both requests and responses, {NO_REQUESTS}",
    ),
    (b'^{"requests":[],"requests":1}', Rule.JSON_ENVELOPE, f"found '1', {NO_REQUESTS}"),
    (b'^{"error":{}}', Rule.JSON_ENVELOPE, f"found no such member, {NO_REQUESTS}"),
    (b'{"requests":[]}^x', Rule.JSON_SYNTAX, "found 'x', expected nothing behind the JSON text"),
    (b'{"requests":^}', Rule.JSON_SYNTAX, "found '}', expected JSON"),
    (b'{"requests":[^', Rule.JSON_SYNTAX, "found the end, expected JSON"),
    (b'{"requests":[1^', Rule.JSON_SYNTAX, "found the end, expected a comma or ']'"),
    (b'{"requests":[1,^]}', Rule.JSON_SYNTAX, "found ']}', expected JSON"),
    (b'{"requests":[{"a":1,^}]}', Rule.JSON_SYNTAX, "found '}]}', expected the name of a member"),
    (b'{"requests":[{"body":^x}]}', Rule.JSON_SYNTAX, "found 'x}]}', expected JSON"),
    (
        b'{"requests":[{"body":^[NaN]}]}',
        Rule.JSON_SYNTAX,
        "found '[NaN]}]}', expected JSON without NaN and Infinity",
    ),
    (
        b'{"requests":[{"body":^"\\ud800"}]}',
        Rule.JSON_ENCODING,
        "a string has the escape \\ud800, which is half of a surrogate pair",
    ),
]


@pytest.mark.parametrize(("data", "rule", "message"), BROKEN_REQUESTS)
def test_a_broken_request_is_refused(data: bytes, rule: Rule, message: str) -> None:
    data, position = marked(data)
    report = check_request(data, JSON)
    assert report.diagnostics == (Diagnostic(rule, message, position),)
    assert not report.complete
    assert len(outcomes(RequestDecoder, JSON, data)) == 1


ERROR = '{"error":{"code":"1"}}'
BROKEN_RESPONSES = [
    (b"^[]", Rule.JSON_ENVELOPE, f"found '[]', {NO_RESPONSES}"),
    (b"^{}", Rule.JSON_ENVELOPE, f"found no such member, {NO_RESPONSES}"),
    (b'^{"requests":[]}', Rule.JSON_ENVELOPE, f"found the member requests, {NO_RESPONSES}"),
    (
        f"^{ERROR}".encode(),
        Rule.JSON_ERROR_RESPONSE,
        'found the single error \'{"code":"1"}\', expected a batch response',
    ),
    (b'^{"error":{},"responses":1}', Rule.JSON_ENVELOPE, f"found '1', {NO_RESPONSES}"),
]


@pytest.mark.parametrize(("data", "rule", "message"), BROKEN_RESPONSES)
def test_a_broken_response_is_refused(data: bytes, rule: Rule, message: str) -> None:
    data, position = marked(data)
    report = check_response(data, JSON)
    assert report.diagnostics == (Diagnostic(rule, message, position),)
    assert not report.complete
    assert len(outcomes(ResponseDecoder, JSON, data)) == 1


def test_a_request_without_operations_is_noted() -> None:
    found = Diagnostic(Rule.JSON_NO_REQUESTS, "the array requests is empty", 0)
    report = check_request(b'{"requests":[]}', JSON)
    assert (report.value, report.diagnostics) == (BatchRequest(()), (found,))


def test_a_request_without_operations_is_written_unless_the_dialect_forbids_it() -> None:
    empty = BatchRequest([])
    assert encode_request(empty, format="json").body == b'{"requests":[]}'
    dialect = replace(ODATA_4_01, severities=((Rule.JSON_NO_REQUESTS, Severity.WARNING),))
    with pytest.raises(EncodeError) as caught:
        encode_request(empty, format="json", dialect=dialect)
    found = Diagnostic(
        Rule.JSON_NO_REQUESTS, "the array requests is empty", severity=Severity.WARNING
    )
    assert caught.value.diagnostics == (found,)


def test_a_response_without_operations_is_not() -> None:
    report = check_response(b'{"responses":[]}', JSON)
    assert (report.value, report.diagnostics) == (BatchResponse(()), ())


def test_of_two_arrays_the_last_one_is_read_with_an_error() -> None:
    source = b'{"requests":[{"id":"0","method":"PUT","url":"b"}],"requests":^[{%s}]}'
    data, position = marked(source.replace(b"%s", PLAIN.encode()))
    report = check_request(data, JSON)
    message = "found the member 'requests' once more"
    assert report.diagnostics == (Diagnostic(Rule.JSON_DUPLICATE_MEMBER, message, position),)
    assert report.value == BatchRequest([Operation.get("a", id="1")])


def test_members_beside_the_array_are_kept_as_they_are_spelt() -> None:
    data = b'{"@a": 1.10 ,"responses":[],"b":{ "c":[ ]},"@odata.context":"d","@context":null}'
    report = check_response(data, JSON)
    assert report.value is not None
    assert report.value.annotations == (
        ("@a", b"1.10"),
        ("b", b'{ "c":[ ]}'),
        ("@odata.context", b'"d"'),
        ("@context", b"null"),
    )
    unknown = "found the member 'b'; it is kept as an annotation"
    assert report.diagnostics == (
        Diagnostic(Rule.JSON_UNKNOWN_MEMBER, unknown, data.index(b"{ ")),
        Diagnostic(Rule.JSON_CONTEXT, "found @odata.context", data.index(b'"d"')),
        Diagnostic(Rule.JSON_CONTEXT, "found @context", data.index(b"null")),
    )


def test_an_annotation_that_stands_twice_is_a_warning() -> None:
    data, position = marked(b'{"requests":[{%b}],"@a":1,"@a":^2}' % PLAIN.encode())
    report = check_request(data, JSON)
    message = "found the member '@a' once more"
    assert report.diagnostics == (Diagnostic(Rule.JSON_DUPLICATE_OTHER_MEMBER, message, position),)
    assert report.value is not None
    assert report.value.annotations == (("@a", b"2"),)


def test_an_error_beside_responses_is_an_annotation() -> None:
    assert decode_response(b'{"responses":[],"error":{}}', JSON).annotations == (("error", b"{}"),)


@pytest.mark.parametrize("name", ["@nextLink", "@odata.nextLink"])
def test_a_next_link_is_read(name: str) -> None:
    found = decode_response(f'{{"responses":[],"{name}":"é?$skip=1"}}'.encode(), JSON, strict=True)
    assert (found.next_link, found.annotations) == ("é?$skip=1", ())


def test_two_next_links_may_say_the_same() -> None:
    data = b'{"@odata.nextLink":"a","responses":[],"@nextLink":"a"}'
    assert decode_response(data, JSON, strict=True).next_link == "a"


@pytest.mark.parametrize(
    ("members", "message", "link"),
    [
        ('"@nextLink":^1', "@nextLink is '1', expected one string", None),
        ('"@nextLink":^null', "@nextLink is 'null', expected one string", None),
        ('"@odata.nextLink":^["a"]', "@odata.nextLink is '[\"a\"]', expected one string", None),
        (
            '"@odata.nextLink":^"b","@nextLink":"a"',
            "@odata.nextLink is '\"b\"', expected one string",
            "a",
        ),
    ],
)
def test_a_next_link_that_is_not_one_string_is_a_warning(
    members: str, message: str, link: str | None
) -> None:
    data, position = marked(f'{{"responses":[],{members}}}'.encode())
    report = check_response(data, JSON)
    assert report.diagnostics == (Diagnostic(Rule.JSON_NEXT_LINK, message, position),)
    assert report.value is not None
    assert report.value.next_link == link


def test_in_a_request_a_next_link_is_an_annotation() -> None:
    found = decode_request(b'{"requests":[{%b}],"@nextLink":"a"}' % PLAIN.encode(), JSON)
    assert found.annotations == (("@nextLink", b'"a"'),)


def test_a_byte_order_mark_is_a_warning_and_counts() -> None:
    data, position = marked(b"\xef\xbb\xbf" + b'{"requests":[^{%b}]}' % PLAIN.encode())
    report = check_request(data, JSON)
    message = "the text begins with a byte order mark"
    assert report.diagnostics == (Diagnostic(Rule.JSON_BYTE_ORDER_MARK, message, 0),)
    assert report.value is not None
    assert report.value.items[0].position == position


# -- findings about an item -----------------------------------------------------------------------

LETTERS = "x" * 70
TYPED = "expected a string"
ITEM_FINDINGS: list[tuple[str, Rule, str]] = [
    ("^null", Rule.JSON_ITEM, "found 'null', expected an object"),
    ("^[{}]", Rule.JSON_ITEM, "found '[{}]', expected an object"),
    (f'^"{LETTERS}"', Rule.JSON_ITEM, f"found '\"{LETTERS[:59]}'..., expected an object"),
    ('^{"method":"GET","url":"a"}', Rule.JSON_MISSING_MEMBER, "the object has no id"),
    ('^{"id":"1","url":"a"}', Rule.JSON_MISSING_MEMBER, "the object has no method"),
    ('^{"id":"1","method":"GET"}', Rule.JSON_MISSING_MEMBER, "the object has no url"),
    (
        '{"id":^1.10,"method":"GET","url":"a"}',
        Rule.JSON_ID_NUMBER,
        "id is the number '1.10', expected a string",
    ),
    ('{"id":^null,"method":"GET","url":"a"}', Rule.JSON_TYPE, f"id is 'null', {TYPED}"),
    ('{"id":^true,"method":"GET","url":"a"}', Rule.JSON_TYPE, f"id is 'true', {TYPED}"),
    ('{"id":"1","method":^null,"url":"a"}', Rule.JSON_TYPE, f"method is 'null', {TYPED}"),
    ('{"id":"1","method":"GET","url":^1}', Rule.JSON_TYPE, f"url is '1', {TYPED}"),
    (
        f'{{"id":"1","method":"GET","url":^["{LETTERS}"]}}',
        Rule.JSON_TYPE,
        f"url is '[\"{LETTERS[:58]}'..., {TYPED}",
    ),
    (f'{{{PLAIN},"if":^true}}', Rule.JSON_TYPE, f"if is 'true', {TYPED}"),
    (f'{{{PLAIN},"if":^1}}', Rule.JSON_TYPE, f"if is '1', {TYPED}"),
    (f'{{{PLAIN},"atomicityGroup":^1}}', Rule.JSON_TYPE, f"atomicityGroup is '1', {TYPED}"),
    (
        f'{{{PLAIN},"atomicityGroup":^""}}',
        Rule.JSON_TYPE,
        "atomicityGroup is '\"\"', expected a name",
    ),
    (
        f'{{{PLAIN},"dependsOn":^1}}',
        Rule.JSON_TYPE,
        "dependsOn is '1', expected an array of strings",
    ),
    (
        f'{{{PLAIN},"dependsOn":^{{"a":"b"}}}}',
        Rule.JSON_TYPE,
        'dependsOn is \'{"a":"b"}\', expected an array of strings',
    ),
    (
        f'{{{PLAIN},"dependsOn":^["0",1]}}',
        Rule.JSON_TYPE,
        "dependsOn is '[\"0\",1]', expected an array of strings",
    ),
    (f'{{{PLAIN},"headers":^[]}}', Rule.JSON_TYPE, "headers is '[]', expected an object"),
    (f'{{{PLAIN},"headers":^"a: b"}}', Rule.JSON_TYPE, "headers is '\"a: b\"', expected an object"),
    *(
        (
            f'{{{PLAIN},"headers":^{{"a":{value}}}}}',
            Rule.JSON_TYPE,
            "header 'a' is neither a string, a number nor a boolean",
        )
        for value in ("null", "[]", '["b"]', "{}", '{"b":[1]}')
    ),
    (
        f'{{{PLAIN},"headers":^{{"a":1.10}}}}',
        Rule.JSON_HEADER_VALUE,
        f"header 'a' is 1.10, {TYPED}",
    ),
    (
        f'{{{PLAIN},"headers":^{{"a":true}}}}',
        Rule.JSON_HEADER_VALUE,
        f"header 'a' is true, {TYPED}",
    ),
    (
        f'{{{PLAIN},"headers":^{{"a":{"9" * 99}}}}}',
        Rule.JSON_HEADER_VALUE,
        f"header 'a' is {'9' * 60}, {TYPED}",
    ),
    (
        f'{{{PLAIN},"headers":^{{"Accept":"b"}}}}',
        Rule.JSON_HEADER_CASE,
        "header names are not in lower case",
    ),
    (
        f'{{{PLAIN},"headers":^{{"a":"b","a":"c"}}}}',
        Rule.JSON_HEADER_COLLISION,
        "header 'a' is both 'b' and 'c'",
    ),
    (
        f'{{{PLAIN},"headers":^{{"a":"b","a":"b"}}}}',
        Rule.JSON_HEADER_COLLISION_EQUAL,
        "header 'a' stands twice with the same value",
    ),
    *(
        (
            f'{{{PLAIN},"{name}":^null}}',
            Rule.JSON_NULL_MEMBER,
            f"{name} is null, expected that it is left out",
        )
        for name in ("atomicityGroup", "dependsOn", "if", "headers")
    ),
    (
        f'{{{PLAIN},"x y":^1}}',
        Rule.JSON_UNKNOWN_MEMBER,
        "found the member 'x y'; it is kept as an annotation",
    ),
    (f'{{{PLAIN},"@context":^1}}', Rule.JSON_CONTEXT, "found @context"),
    *(
        (
            f'{{{POST},"headers":{{"content-type":"image/png"}},"body":{first},"{name}":^{last}}}',
            Rule.JSON_DUPLICATE_MEMBER,
            f"found the member '{name}' once more",
        )
        for first, name, last in (
            ("null", "id", '"1"'),
            ("null", "method", '"POST"'),
            ("null", "url", '"a"'),
            ("null", "headers", "{}"),
            ("null", "body", "null"),
        )
    ),
    (
        f'{{{PLAIN},"dependsOn":[],"dependsOn":^[]}}',
        Rule.JSON_DUPLICATE_MEMBER,
        "found the member 'dependsOn' once more",
    ),
    (
        f'{{{PLAIN},"\\u0075rl":^"b"}}',
        Rule.JSON_DUPLICATE_MEMBER,
        "found the member 'url' once more",
    ),
    (
        f'{{{PLAIN},"@a":1,"@a":^2}}',
        Rule.JSON_DUPLICATE_OTHER_MEMBER,
        "found the member '@a' once more",
    ),
]


@pytest.mark.parametrize(("item", "rule", "message"), ITEM_FINDINGS)
def test_what_is_wrong_with_a_request_is_found(item: str, rule: Rule, message: str) -> None:
    data, position = marked(f'{{"requests":[{item}]}}'.encode())
    report = check_request(data, JSON)
    assert report.diagnostics == (Diagnostic(rule, message, position, "items[0]"),)
    assert report.complete
    assert len(outcomes(RequestDecoder, JSON, data)) == 1


def test_a_string_as_depends_on_is_one_name() -> None:
    source = requests(PLAIN, '"id":"2","method":"GET","url":"a","dependsOn":^"1"')
    data, position = marked(source)
    report = check_request(data, JSON)
    message = "dependsOn is the string '1', expected an array"
    found = Diagnostic(Rule.JSON_DEPENDS_ON_STRING, message, position, "items[1]")
    assert report.diagnostics == (found,)
    assert report.value is not None
    assert report.value.operations()[1].depends_on == ("1",)


RESPONSE_FINDINGS: list[tuple[str, Rule, str]] = [
    ("^1", Rule.JSON_ITEM, "found '1', expected an object"),
    ('^{"status":200}', Rule.JSON_RESPONSE_ID_MISSING, "the object has no id"),
    (
        '{"id":^null,"status":200}',
        Rule.JSON_NULL_MEMBER,
        "id is null, expected that it is left out",
    ),
    (
        '{"id":^7,"status":200}',
        Rule.JSON_ID_NUMBER,
        "id is the number '7', expected a string",
    ),
    ('{"id":^[],"status":200}', Rule.JSON_TYPE, "id is '[]', expected a string"),
    ('^{"id":"1"}', Rule.JSON_MISSING_MEMBER, "the object has no status"),
    *(
        (
            f'{{"id":"1","status":^{status}}}',
            Rule.JSON_STATUS,
            f"status is {status!r}, expected a number from 100 to 599",
        )
        for status in (
            "null",
            "true",
            "99",
            "600",
            "1000",
            "-200",
            "2e2",
            "200.5",
            "0",
            '""',
            '"OK"',
            '" 200"',
            '"200 OK"',
            "[200]",
            "{}",
        )
    ),
    *(
        (
            f'{{"id":"1","status":^{status}}}',
            Rule.JSON_STATUS_SPELLING,
            f"status is {status!r}, expected 204",
        )
        for status in ('"204"', "204.0", "204.000", '"204.0"')
    ),
    (
        f'{{{OK},"@a":1,"@a":^2}}',
        Rule.JSON_DUPLICATE_OTHER_MEMBER,
        "found the member '@a' once more",
    ),
    (f'{{{OK},"status":^200}}', Rule.JSON_DUPLICATE_MEMBER, "found the member 'status' once more"),
    (
        f'{{{OK},"method":^"GET"}}',
        Rule.JSON_UNKNOWN_MEMBER,
        "found the member 'method'; it is kept as an annotation",
    ),
]


@pytest.mark.parametrize(("item", "rule", "message"), RESPONSE_FINDINGS)
def test_what_is_wrong_with_a_response_is_found(item: str, rule: Rule, message: str) -> None:
    data, position = marked(f'{{"responses":[{item}]}}'.encode())
    report = check_response(data, JSON)
    assert report.diagnostics == (Diagnostic(rule, message, position, "items[0]"),)
    assert report.complete
    assert len(outcomes(ResponseDecoder, JSON, data)) == 1


@pytest.mark.parametrize("spelling", ['"201"', "201.0", "201.000", "201"])
def test_a_status_is_read_in_many_spellings(spelling: str) -> None:
    assert response(responses(f'"id":"1","status":{spelling}')).status == 201


@pytest.mark.parametrize("status", [100, 199, 200, 404, 599])
def test_every_status_of_three_digits_is_read(status: int) -> None:
    assert response(responses(f'"id":"1","status":{status}')).status == status


def test_an_id_that_is_a_number_is_its_spelling() -> None:
    assert operation(requests('"id":1.10,"method":"GET","url":"a"')).id == "1.10"


def test_a_response_without_id_is_read() -> None:
    assert response(responses('"status":200')).id is None


def test_the_last_of_equal_members_is_read() -> None:
    report = check_request(requests(f'{PLAIN},"url":"b"'), JSON)
    assert report.value == BatchRequest([Operation.get("b", id="1")])


def test_strict_decoding_raises_a_warning() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(requests(f'{PLAIN},"if":null'), JSON, strict=True)
    assert (caught.value.rule, caught.value.path) == (Rule.JSON_NULL_MEMBER, "items[0]")


# -- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "pairs"),
    [
        ("{}", ()),
        ('{"a":"b"}', (("a", "b"),)),
        ('{ "a" : "b" ,\n"c":"" }', (("a", "b"), ("c", ""))),
        ('{"Accept":"b"}', (("Accept", "b"),)),
        ('{"a":1.10,"b":true,"c":false}', (("a", "1.10"), ("b", "true"), ("c", "false"))),
        ('{"a":"\\u00e9\\"\\\\"}', (("a", 'é"\\'),)),
        ('{"__proto__":"x","__class__":"y"}', (("__proto__", "x"), ("__class__", "y"))),
    ],
)
def test_headers_are_read(spelling: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert operation(requests(f'{PLAIN},"headers":{spelling}')).headers.pairs == pairs


@pytest.mark.parametrize(
    ("spelling", "pairs"),
    [
        ('{"a":null,"b":"c"}', (("b", "c"),)),
        ('{"a":"1","b":"2","a":"3"}', (("a", "3"), ("b", "2"))),
        ('{"a":"1","A":"3"}', (("A", "3"),)),
        ("null", ()),
        ("1", ()),
    ],
)
def test_of_broken_headers_the_rest_is_read(
    spelling: str, pairs: tuple[tuple[str, str], ...]
) -> None:
    report = check_request(requests(f'{PLAIN},"headers":{spelling}'), JSON)
    assert report.value is not None
    assert report.value.operations()[0].headers.pairs == pairs


def test_names_that_differ_in_case_collide() -> None:
    data = requests(f'{PLAIN},"headers":{{"a":"b","A":"c"}}')
    assert rules(check_request(data, JSON)) == [Rule.JSON_HEADER_COLLISION, Rule.JSON_HEADER_CASE]


def test_equal_headers_are_the_same_object() -> None:
    headers = '"headers":{"accept":"a"}'
    data = requests(f"{PLAIN},{headers}", f"{PLAIN.replace('1', '2')},{headers}")
    first, second = decode_request(data, JSON).operations()
    assert first.headers is second.headers


def test_headers_with_a_finding_are_found_again() -> None:
    headers = '"headers":{"Accept":"a"}'
    data = requests(f"{PLAIN},{headers}", f"{PLAIN.replace('1', '2')},{headers}")
    assert rules(check_request(data, JSON)) == [Rule.JSON_HEADER_CASE] * 2


def test_very_many_different_headers_and_media_types_are_read() -> None:
    types = [f"text/x{index}" for index in range(1100)]
    items = [
        f'"id":"{index}","method":"PUT","url":"a","headers":{{"content-type":"{name}"}},"body":"é"'
        for index, name in enumerate(types)
    ]
    found = decode_request(requests(*items), JSON).operations()
    assert [item.headers["content-type"] for item in found] == types
    assert {item.body for item in found} == {"é".encode()}


# -- bodies ---------------------------------------------------------------------------------------

JSON_BODIES = [
    "{}",
    "[]",
    '""',
    "0",
    "true",
    "false",
    "1.10",
    "-0",
    "12345678901234567.89",
    "1e400",
    "9" * 5000,
    '{"b":1.10,"a":12345678901234567.89,"a2":1e400,"a":0}',
    '{ "a" :\t[ 1 ,\r\n2 ] }',
    '"{\\"a\\":1}"',
    '"\\u00e9\\/é😀\\ud83d\\ude00"',
    '{"null":null}',
    '"null"',
]


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x+json; a=b"])
@pytest.mark.parametrize("spelling", JSON_BODIES)
def test_a_json_body_is_the_octets_that_spell_it(content_type: str | None, spelling: str) -> None:
    assert body_of(content_type, spelling) == spelling.encode()


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON;odata.metadata=none",
        "application/merge-patch+json",
        "application/problem+JSON",
    ],
)
def test_these_media_types_are_json(content_type: str) -> None:
    assert body_of(content_type, '"QUI="') == b'"QUI="'


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "TEXT/XML", "text/json", "text/x; charset=UTF-8", "text/x;charset=utf8"],
)
def test_a_text_body_is_the_octets_of_its_characters(content_type: str) -> None:
    assert body_of(content_type, '"a\\r\\n\\u00e9😀\\u0000"') == "a\r\né😀\0".encode()


@pytest.mark.parametrize(
    ("charset", "octets"),
    [("us-ascii", b"a"), ("ASCII", b"a"), ("ISO-8859-1", b"\xe9\xff"), ("latin1", b"\x80")],
)
def test_a_text_body_is_in_its_charset(charset: str, octets: bytes) -> None:
    spelling = json.dumps(octets.decode("latin-1"))
    assert body_of(f"text/plain; charset={charset}", spelling) == octets


@pytest.mark.parametrize(
    ("charset", "text"), [("us-ascii", "é"), ("iso-8859-1", "€"), ("koi8-r", "a")]
)
def test_a_charset_that_cannot_hold_the_text_is_an_error(charset: str, text: str) -> None:
    report, position = body_findings(f"text/plain;charset={charset}", f'"{text}"')
    message = f"the charset {charset!r} is unknown, or cannot hold the text"
    found = Diagnostic(Rule.TEXT_CHARSET, message, position, "items[0]")
    assert report.diagnostics == (found,)
    assert report.value is not None
    assert report.value.operations()[0].body == text.encode()


BASE64 = [
    ("", b""),
    ("QQ==", b"A"),
    ("QQ", b"A"),
    ("QUI=", b"AB"),
    ("QUI", b"AB"),
    ("QUJD", b"ABC"),
    ("QUJDRA==", b"ABCD"),
    ("_-8=", b"\xff\xef"),
    ("____", b"\xff\xff\xff"),
    ("AAAA", b"\0\0\0"),
]


@pytest.mark.parametrize(("text", "octets"), BASE64)
def test_base64url_is_decoded(text: str, octets: bytes) -> None:
    assert decode_base64(text) == (octets, False)


@pytest.mark.parametrize(("text", "octets"), [("/+8=", b"\xff\xef"), ("/+8", b"\xff\xef")])
def test_standard_base64_is_decoded_and_told_apart(text: str, octets: bytes) -> None:
    assert decode_base64(text) == (octets, True)


NO_BASE64 = [
    "Q",  # one digit too few
    "QUJDQ",
    "QQ=",  # padding that is too short or too long
    "QUI==",
    "QUJD=",
    "QUJD====",
    "=",
    "====",
    "QR==",  # unused bits that are not zero
    "QR",
    "QUJ=",
    "QUJ",
    "QQ==QQ==",  # something behind the padding
    "Q=Q=",
    "QU I=",  # blanks and line ends
    " QUI=",
    "QUI=\n",
    "QU\r\nI=",
    "+-8=",  # two alphabets
    "_/8=",
    "Q!==",  # other characters
    "QÜ==",
    "\ufffdPNG",
]


@pytest.mark.parametrize("text", NO_BASE64)
def test_what_is_not_canonical_base64_has_no_octets(text: str) -> None:
    assert decode_base64(text)[0] is None


@given(st.binary(max_size=100), st.booleans(), st.booleans())
def test_base64_of_any_octets_is_decoded_again(octets: bytes, standard: bool, pad: bool) -> None:
    dialect = replace(ODATA_4_01, base64_standard_alphabet=standard, base64_padding=pad)
    assert decode_base64(encode_base64(octets, dialect))[0] == octets


@given(st.text(alphabet="AQgw+/-_=", max_size=9))
def test_no_two_texts_of_one_form_decode_to_the_same_octets(text: str) -> None:
    octets, standard = decode_base64(text)
    if octets is not None:
        dialect = replace(
            ODATA_4_01, base64_standard_alphabet=standard, base64_padding=text.endswith("=")
        )
        assert encode_base64(octets, dialect).rstrip("=") == text.rstrip("=")


@pytest.mark.parametrize(
    "content_type",
    ["application/octet-stream", "image/png", "application/xml", "multipart/mixed; boundary=b"],
)
def test_every_other_body_is_base64url(content_type: str) -> None:
    assert body_of(content_type, '"_-8"') == b"\xff\xef"


def body_findings(content_type: str, spelling: str) -> tuple[Report[BatchRequest], int]:
    headers = f'"headers":{{"content-type":"{content_type}"}}'
    data, position = marked(requests(f'{POST},{headers},"body":^{spelling}'))
    assert len(outcomes(RequestDecoder, JSON, data)) == 1
    return check_request(data, JSON), position


@pytest.mark.parametrize(
    ("content_type", "spelling", "rule", "message", "body"),
    [
        (
            "image/png",
            '"QR=="',
            Rule.BASE64,
            "found 'QR==', expected base64url",
            b"QR==",
        ),
        (
            "image/png",
            '"\\ufffdPNG\\r\\n"',
            Rule.JSON_BODY_LOSSY,
            "found '\ufffdPNG\\r\\n', expected base64url",
            b"\xef\xbf\xbdPNG\r\n",
        ),
        (
            "image/png",
            '"/+8="',
            Rule.BASE64_ALPHABET,
            "found '/+8=', with + or /, expected - or _",
            b"\xff\xef",
        ),
        (
            "application/xml",
            '{ "a":1}',
            Rule.JSON_BODY_TYPE,
            "the body of 'application/xml' is '{ \"a\":1}', expected a string",
            b'{ "a":1}',
        ),
        (
            "text/plain",
            "1.10",
            Rule.JSON_BODY_TYPE,
            "the body of 'text/plain' is '1.10', expected a string",
            b"1.10",
        ),
        (
            "no media type",
            "true",
            Rule.JSON_BODY_TYPE,
            "the body of 'no media type' is 'true', expected a string",
            b"true",
        ),
    ],
)
def test_what_is_wrong_with_a_body_is_found(
    content_type: str, spelling: str, rule: Rule, message: str, body: bytes
) -> None:
    report, position = body_findings(content_type, spelling)
    assert report.diagnostics == (Diagnostic(rule, message, position, "items[0]"),)
    assert report.value is not None
    assert report.value.operations()[0].body == body


@pytest.mark.parametrize("content_type", [None, "text/plain", "image/png"])
def test_null_is_no_body(content_type: str | None) -> None:
    assert body_of(content_type, "null") == b""


@pytest.mark.parametrize("content_type", ["text/plain", "image/png"])
def test_an_empty_string_is_no_octets(content_type: str) -> None:
    assert body_of(content_type, '""') == b""


LENGTHS = [
    ("text/plain", "2", '"é"', None),
    (
        "text/plain",
        "1",
        '"é"',
        "content-length is '1', the body stands for 2 octets",
    ),
    ("image/png", "4", '"QQ=="', "content-length is '4', the body stands for 1 octets"),
    ("image/png", "x", "null", "content-length is 'x', the body stands for 0 octets"),
    ("application/json", "1", "{}", None),
]


@pytest.mark.parametrize(("content_type", "length", "body", "message"), LENGTHS)
def test_a_content_length_is_compared_unless_the_body_is_json(
    content_type: str, length: str, body: str, message: str | None
) -> None:
    headers = f'"headers":{{"content-type":"{content_type}","content-length":"{length}"}}'
    data, position = marked(b'{"requests":[^{%b}]}' % f'{POST},{headers},"body":{body}'.encode())
    expected = [
        Diagnostic(Rule.JSON_CONTENT_LENGTH, text, position, "items[0]")
        for text in (message,)
        if text is not None
    ]
    assert [*check_request(data, JSON).diagnostics] == expected


@pytest.mark.parametrize(
    ("standard", "spelling", "findings"),
    [
        (False, b"+/8=", [Rule.BASE64_ALPHABET]),
        (False, b"-_8=", []),
        (True, b"+/8=", []),
        (True, b"-_8=", []),
        (True, b"+_8=", [Rule.BASE64]),
    ],
)
def test_the_standard_alphabet_is_odd_where_it_is_not_written(
    standard: bool, spelling: bytes, findings: list[Rule]
) -> None:
    dialect = replace(ODATA_4_01, base64_standard_alphabet=standard)
    item = b'{"id":"1","status":200,"headers":{"content-type":"image/png"},"body":"%b"}' % spelling
    report = check_response(b'{"responses":[%b]}' % item, JSON, dialect=dialect)
    assert [each.rule for each in report.diagnostics] == findings


# -- groups ---------------------------------------------------------------------------------------


def grouped(id: str, group: str | None) -> str:
    members = f'"id":"{id}","method":"PUT","url":"a"'
    return members if group is None else f'{members},"atomicityGroup":"{group}"'


def shape(batch: BatchRequest | BatchResponse | None) -> list[object]:
    """Return the ids of the items; a change set is its name and those of its members."""
    assert batch is not None
    return [
        (item.id, *(inner.id for inner in item.items))
        if isinstance(item, ChangeSet | ChangeSetResponse)
        else item.id
        for item in batch.items
    ]


def test_members_of_a_group_are_a_change_set() -> None:
    data = requests(grouped("1", "g"), grouped("2", "g"), grouped("3", None), grouped("4", "h"))
    assert shape(decode_request(data, JSON, strict=True)) == [("g", "1", "2"), "3", ("h", "4")]


def test_names_of_groups_are_compared_with_case() -> None:
    data = requests(grouped("1", "g"), grouped("2", "G"))
    assert shape(decode_request(data, JSON, strict=True)) == [("g", "1"), ("G", "2")]


def test_a_split_group_is_collected_at_its_first_member() -> None:
    data = requests(
        grouped("1", None),
        grouped("2", "g"),
        grouped("3", "h"),
        grouped("4", "g"),
        grouped("5", "g"),
        grouped("6", None),
        grouped("7", "g"),
    )
    report = check_request(data, JSON)
    assert shape(report.value) == ["1", ("g", "2", "4", "5", "7"), ("h", "3"), "6"]
    message = "a member of an atomicity group is parted from the others"
    assert report.diagnostics == (
        Diagnostic(Rule.GROUP_SPLIT, message, data.index(b'{"id":"4"'), "items[1].items[1]"),
        Diagnostic(Rule.GROUP_SPLIT, message, data.index(b'{"id":"7"'), "items[1].items[3]"),
    )
    assert len(outcomes(RequestDecoder, JSON, data)) == 1


def test_something_that_is_no_object_splits_a_group() -> None:
    data = b'{"requests":[{%b},1,{%b}]}' % (grouped("1", "g").encode(), grouped("2", "g").encode())
    report = check_request(data, JSON)
    assert rules(report) == [Rule.GROUP_SPLIT, Rule.JSON_ITEM]
    assert shape(report.value) == [("g", "1", "2")]


def test_responses_of_a_group_may_stand_anywhere() -> None:
    members = ['"id":"1","status":200,"atomicityGroup":"g"', '"id":"2","status":200']
    data = responses(*members, members[0].replace("1", "3"))
    assert shape(decode_response(data, JSON, strict=True)) == [("g", "1", "3"), "2"]


def test_damage_in_a_group_is_reported_for_its_member() -> None:
    data = requests(grouped("1", "g"), '"id":"2","method":"PUT","atomicityGroup":"g"')
    report = check_request(data, JSON)
    assert [(found.message, found.path) for found in report.diagnostics] == [
        ("the object has no url", "items[0].items[1]")
    ]
    assert shape(report.value) == [("g", "1")]


def test_a_group_of_which_nothing_can_be_read_is_left_out() -> None:
    data = requests('"id":"2","method":"PUT","atomicityGroup":"g"', grouped("1", None))
    report = check_request(data, JSON)
    assert rules(report) == [Rule.JSON_MISSING_MEMBER]
    assert shape(report.value) == ["1"]


# -- damage and partial results -------------------------------------------------------------------

DAMAGED = requests(PLAIN, '"id":"2","method":"GET"', PLAIN.replace("1", "3"))


def test_checking_goes_on_with_the_next_object() -> None:
    report = check_request(DAMAGED, JSON)
    assert shape(report.value) == ["1", "3"]
    assert [found.path for found in report.diagnostics] == ["items[1]"]


def test_an_error_holds_the_items_before_it() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(DAMAGED, JSON)
    assert caught.value.partial == (Operation.get("a", id="1"),)
    assert caught.value.position == DAMAGED.index(b'{"id":"2"')


def test_broken_syntax_is_found_before_any_item() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_request(requests(PLAIN, '"id":'), JSON)
    assert caught.value.partial == ()


def test_items_arrive_at_the_end() -> None:
    decoder = RequestDecoder(JSON)
    assert decoder.receive_data(requests(PLAIN)) == []
    assert decoder.format == "json"
    assert decoder.receive_eof() == [Operation.get("a", id="1")]


def ending(decoder: RequestDecoder) -> BatchRequest | str:
    """Return the batch, or the error that was found behind the items that were given out."""
    try:
        return decoder.result
    except DecodeError as error:
        return f"{error}, behind {error.partial}"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        DAMAGED,
        requests(
            f'{POST},"headers":{{"content-type":"text/plain; charset=utf-8"}},"body":"é😀"',
            grouped("2", "g"),
            grouped("3", "g") + ',"dependsOn":["1"],"@a":{"b":1.10}',
            grouped("4", None) + ',"if":null',
        ),
    ],
)
def test_chunking_does_not_matter(data: bytes, strict: bool) -> None:
    found = set()
    for chunks in chunkings(data):
        decoder = RequestDecoder(JSON, strict=strict)
        assert [item for chunk in chunks for item in decoder.receive_data(chunk)] == []
        found.add((tuple(decoder.receive_eof()), ending(decoder), decoder.diagnostics))
    assert len(found) == 1


# -- limits ---------------------------------------------------------------------------------------

HEADERS = '"headers":{"a":"b","c":"d"}'
BIG = f'"id":"1","method":"POST","url":"abc",{HEADERS},"body":[1,2]'
LIMITS = [
    (requests(BIG, "^" + PLAIN), Limits(operations=2), None),
    (b'{"requests":[{%b},^{%b}]}' % (BIG.encode(), PLAIN.encode()), Limits(operations=1), 1),
    (requests(BIG.replace('"abc"', '^"abc"')), Limits(url=2), 2),
    (requests(BIG.replace('"abc"', '^"abc"')), Limits(url=3), None),
    (requests(BIG.replace("[1,2]", "^[1,2]")), Limits(body=4), 4),
    (requests(BIG.replace("[1,2]", "^[1,2]")), Limits(body=5), None),
    (requests(BIG.replace('{"a"', '^{"a"')), Limits(fields=1), 1),
    (requests(BIG.replace('{"a"', '^{"a"')), Limits(fields=2), None),
    (requests(BIG.replace('{"a"', '^{"a"')), Limits(headers_total=16), 16),
    (requests(BIG.replace('{"a"', '^{"a"')), Limits(headers_total=17), None),
    (b"^" + requests(BIG), Limits(json_depth=3), 3),
    (b"^" + requests(BIG), Limits(json_depth=4), None),
]


@pytest.mark.parametrize(("data", "limits", "value"), LIMITS)
def test_a_limit_is_the_largest_size_that_is_read(
    data: bytes, limits: Limits, value: int | None
) -> None:
    data, position = marked(data)
    report = check_request(data, JSON, limits=limits)
    if value is None:
        assert Rule.LIMIT_EXCEEDED not in rules(report)
        return
    found = report.diagnostics[-1]
    assert (found.position, report.complete) == (position, False)
    assert found.limit is not None
    name, limit = found.limit
    assert (getattr(limits, name), limit) == (value, value)
    assert found.message == f"limit {name} is {value}, and the message exceeds it"
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=limits)
    assert (caught.value.limit, caught.value.value) == (name, value)


def test_all_headers_of_a_message_count() -> None:
    data = requests(f"{PLAIN},{HEADERS}", f"{PLAIN.replace('1', '2')},{HEADERS}")
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=Limits(headers_total=33))
    assert caught.value.partial == (Operation.get("a", headers={"a": "b", "c": "d"}, id="1"),)
    assert decode_request(data, JSON, limits=Limits(headers_total=34)).items[1].id == "2"


def test_a_message_as_long_as_the_limit_is_read() -> None:
    data = requests(PLAIN)
    assert decode_request(data, JSON, limits=Limits(message=len(data))).items
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=Limits(message=len(data) - 1))
    assert caught.value.limit == "message"


def test_a_binary_body_is_measured_in_octets() -> None:
    data = requests(f'{POST},"headers":{{"content-type":"image/png"}},"body":"QUJD"')
    assert operation(data, Limits(body=3)).body == b"ABC"


# -- encoding -------------------------------------------------------------------------------------

TEXT = {"Content-Type": "text/plain"}
PNG = {"content-type": "image/png"}
ENCODED_REQUESTS: list[tuple[list[Operation | ChangeSet], str]] = [
    ([], ""),
    ([Operation.get("a", id="1")], '{"id":"1","method":"GET","url":"a"}'),
    ([Operation.get("a")], '{"id":"1","method":"GET","url":"a"}'),
    (
        [Operation.get("a", headers={"Accept": "b", "X-Y": "é"}, id="1")],
        '{"id":"1","method":"GET","url":"a","headers":{"accept":"b","x-y":"é"}}',
    ),
    (
        [Operation.get("a", headers=[("X", "b"), ("Y", "c"), ("x", "d")], id="1")],
        '{"id":"1","method":"GET","url":"a","headers":{"x":"b, d","y":"c"}}',
    ),
    (
        [Operation.get("a", headers={"Set-Cookie": "b"}, id="1")],
        '{"id":"1","method":"GET","url":"a","headers":{"set-cookie":"b"}}',
    ),
    (
        [Operation.post("a", json={"b": 1}, id="1")],
        '{"id":"1","method":"POST","url":"a",'
        '"headers":{"content-type":"application/json"},"body":{"b":1}}',
    ),
    (
        [Operation("POST", "a", {}, b' {"b" : 1.10}\r\n', id="1")],
        '{"id":"1","method":"POST","url":"a","body":{"b" : 1.10}}',
    ),
    (
        [Operation("POST", "a", TEXT, 'b"\\\r\n\0é😀'.encode(), id="1")],
        '{"id":"1","method":"POST","url":"a","headers":{"content-type":"text/plain"},'
        '"body":"b\\"\\\\\\r\\n\\u0000é😀"}',
    ),
    (
        [Operation("POST", "a", {"Content-Type": "text/x;charset=latin1"}, b"\xe9", id="1")],
        '{"id":"1","method":"POST","url":"a",'
        '"headers":{"content-type":"text/x;charset=latin1"},"body":"é"}',
    ),
    (
        [Operation("POST", "a", TEXT, b"null", id="1")],
        '{"id":"1","method":"POST","url":"a","headers":{"content-type":"text/plain"},'
        '"body":"null"}',
    ),
    (
        [Operation("POST", "a", PNG, b"\xff\xef", id="1")],
        '{"id":"1","method":"POST","url":"a","headers":{"content-type":"image/png"},"body":"_-8="}',
    ),
    (
        [Operation("POST", "a", {"Content-Length": "2", **PNG}, b"\xff\xef", id="1")],
        '{"id":"1","method":"POST","url":"a","headers":{"content-type":"image/png"},"body":"_-8="}',
    ),
    (
        [
            ChangeSet([Operation.put("a", id="1"), Operation.put("b", id="2")], id="g"),
            Operation.get("c", id="3", depends_on=("g", "1")),
        ],
        '{"id":"1","atomicityGroup":"g","method":"PUT","url":"a"},'
        '{"id":"2","atomicityGroup":"g","method":"PUT","url":"b"},'
        '{"id":"3","dependsOn":["g","1"],"method":"GET","url":"c"}',
    ),
    (
        [
            Operation.post("a", id="1"),
            ChangeSet(
                [
                    Operation(
                        "PATCH",
                        "$1",
                        {"If-Match": 'W/"1"'},
                        b"[]",
                        id="2",
                        depends_on=("1",),
                        condition='$1/a eq "é😀"',
                        annotations=[("@a", b"1.10"), ("b\n", b'{ "c":[]}')],
                    )
                ],
                id="g",
            ),
        ],
        '{"id":"1","method":"POST","url":"a"},'
        '{"id":"2","atomicityGroup":"g","dependsOn":["1"],"if":"$1/a eq \\"é😀\\"",'
        '"method":"PATCH","url":"$1","headers":{"if-match":"W/\\"1\\""},'
        '"@a":1.10,"b\\n":{ "c":[]},"body":[]}',
    ),
]


@pytest.mark.parametrize(("items", "objects"), ENCODED_REQUESTS)
def test_requests_are_written_exactly_so(items: list[Operation | ChangeSet], objects: str) -> None:
    payload = encode_request(BatchRequest(items), format="json")
    assert payload.body.decode() == f'{{"requests":[{objects}]}}'
    assert payload.content_type == "application/json"


@pytest.mark.parametrize(("items", "objects"), ENCODED_REQUESTS)
def test_what_is_written_is_read_again(items: list[Operation | ChangeSet], objects: str) -> None:
    batch = BatchRequest(items)
    assert decode_request(f'{{"requests":[{objects}]}}'.encode(), JSON, strict=True) == prepare(
        batch, format="json"
    )


@pytest.mark.parametrize(("items", "objects"), ENCODED_REQUESTS)
def test_requests_that_are_sent_one_by_one_are_the_same(
    items: list[Operation | ChangeSet], objects: str
) -> None:
    encoder = RequestEncoder(format="json")
    chunks = [*map(encoder.send, items), encoder.close()]
    assert b"".join(chunks).decode() == f'{{"requests":[{objects}]}}'


ENCODED_RESPONSES: list[tuple[list[OperationResponse | ChangeSetResponse], str]] = [
    ([], ""),
    ([OperationResponse(204, id="1")], '{"id":"1","status":204}'),
    (
        [
            OperationResponse(
                200, PNG, b"\xff\xef", id="1", reason="Fine", annotations=[("@a", b"0")]
            )
        ],
        '{"id":"1","status":200,"headers":{"content-type":"image/png"},"@a":0,"body":"_-8="}',
    ),
    (
        [
            ChangeSetResponse(
                [OperationResponse(201, id="1"), OperationResponse(204, id="2")], id="g"
            ),
            OperationResponse(404, id="3"),
        ],
        '{"id":"1","atomicityGroup":"g","status":201},'
        '{"id":"2","atomicityGroup":"g","status":204},{"id":"3","status":404}',
    ),
]


@pytest.mark.parametrize(("items", "objects"), ENCODED_RESPONSES)
def test_responses_are_written_exactly_so(
    items: list[OperationResponse | ChangeSetResponse], objects: str
) -> None:
    body = f'{{"responses":[{objects}]}}'
    assert encode_response(BatchResponse(items), format="json").body.decode() == body
    assert decode_response(body.encode(), JSON, strict=True) == BatchResponse(items)
    encoder = ResponseEncoder(format="json")
    assert b"".join([*map(encoder.send, items), encoder.close()]).decode() == body


def test_annotations_stand_behind_the_array() -> None:
    batch = BatchRequest([Operation.get("a", id="1")], annotations=[("@a", b"1.10"), ("é", b'""')])
    expected = '{"requests":[{"id":"1","method":"GET","url":"a"}],"@a":1.10,"é":""}'
    assert encode_request(batch, format="json").body.decode() == expected


@pytest.mark.parametrize(
    ("dialect", "name"), [(ODATA_4_01, "@nextLink"), (ODATA_4_0, "@odata.nextLink")]
)
def test_a_next_link_has_the_name_of_its_version(dialect: Dialect, name: str) -> None:
    batch = BatchResponse((), next_link="é", annotations=[("@a", b"1")])
    body = encode_response(batch, format="json", dialect=dialect).body
    assert body.decode() == f'{{"responses":[],"{name}":"é","@a":1}}'
    assert decode_response(body, JSON) == batch


def test_a_next_link_may_be_known_at_the_end_only() -> None:
    encoder = ResponseEncoder(format="json", annotations=[("@a", b"1")])
    chunks = [encoder.send(OperationResponse(200, id="1")), encoder.close(next_link="b")]
    batch = BatchResponse(
        [OperationResponse(200, id="1")], next_link="b", annotations=[("@a", b"1")]
    )
    assert b"".join(chunks) == encode_response(batch, format="json").body


@pytest.mark.parametrize(
    ("standard", "padding", "text"),
    [
        (False, True, "_-8="),
        (False, False, "_-8"),
        (True, True, "/+8="),
        (True, False, "/+8"),
    ],
)
def test_a_dialect_says_how_base64_is_written(standard: bool, padding: bool, text: str) -> None:
    dialect = replace(ODATA_4_01, base64_standard_alphabet=standard, base64_padding=padding)
    batch = BatchRequest([Operation("PUT", "a", PNG, b"\xff\xef", id="1")])
    body = encode_request(batch, format="json", dialect=dialect).body
    assert body.endswith(f'"body":"{text}"}}]}}'.encode())


def test_headers_that_are_shared_are_written_for_each_item() -> None:
    headers = Headers({"X": "y"})
    batch = BatchRequest([Operation.get("a", headers=headers, id=str(index)) for index in range(3)])
    assert encode_request(batch, format="json").body.count(b'"headers":{"x":"y"}') == 3


def test_very_many_different_headers_are_written() -> None:
    items = [Operation.get("a", headers={"x": str(index)}, id=str(index)) for index in range(1100)]
    body = encode_request(BatchRequest(items), format="json").body
    assert decode_request(body, JSON) == BatchRequest(items)


@pytest.mark.parametrize("spelling", JSON_BODIES)
def test_json_bodies_are_spliced(spelling: str) -> None:
    batch = BatchRequest([Operation("POST", "a", body=spelling.encode(), id="1")])
    body = encode_request(batch, format="json").body
    assert body.endswith(f',"body":{spelling}}}]}}'.encode())
    assert decode_request(body, JSON) == batch


# -- what is not written --------------------------------------------------------------------------

LONE = "\ud800"
SPLICED = "cannot stand in a JSON batch"


def post(body: bytes, headers: dict[str, str] | None = None) -> Operation:
    return Operation("POST", "a", headers or {}, body, id="1")


def get(*annotations: tuple[str, bytes]) -> Operation:
    return Operation("GET", "a", id="1", annotations=annotations)


REFUSED: list[tuple[Operation | ChangeSet, Rule, str]] = [
    (
        Operation.get("a", headers=[("Set-Cookie", "a=1"), ("set-cookie", "b=2")], id="1"),
        Rule.NOT_EXPRESSIBLE,
        "JSON cannot carry several Set-Cookie fields",
    ),
    (post(b"null"), Rule.NOT_EXPRESSIBLE, "the body null would be read as no body"),
    (
        post(b" null\r\n", {"content-type": "application/x+json"}),
        Rule.NOT_EXPRESSIBLE,
        "the body null would be read as no body",
    ),
    (post(b"a=b"), Rule.JSON_SYNTAX, f"the body {SPLICED}: found 'a=b', expected JSON"),
    (
        post(b"{}{}"),
        Rule.JSON_SYNTAX,
        f"the body {SPLICED}: found '{{}}', expected nothing behind it",
    ),
    (post(b" "), Rule.JSON_SYNTAX, f"the body {SPLICED}: found ' ', expected JSON"),
    (
        post(b"[NaN]"),
        Rule.JSON_SYNTAX,
        f"the body {SPLICED}: found '[NaN]', expected JSON without NaN and Infinity",
    ),
    (
        post(b'"\xff"'),
        Rule.JSON_ENCODING,
        f"the body {SPLICED}: found '\u00ff\"', which is not UTF-8",
    ),
    (
        post(b'"\\ud800"'),
        Rule.JSON_ENCODING,
        f"the body {SPLICED}: a string has the escape \\ud800, which is half of a surrogate pair",
    ),
    (
        post(b"\xef\xbb\xbf{}"),
        Rule.JSON_BYTE_ORDER_MARK,
        f"the body {SPLICED}: the text begins with a byte order mark",
    ),
    (
        post(b"[" * 98 + b"]" * 98),
        Rule.LIMIT_EXCEEDED,
        f"the body {SPLICED}: limit json_depth is 100, and the message exceeds it",
    ),
    (
        post(b"a\xff", TEXT),
        Rule.TEXT_CHARSET,
        "the body 'a\u00ff' is not text in charset 'utf-8'",
    ),
    (
        post(b"\x80", {"content-type": "text/plain;charset=us-ascii"}),
        Rule.TEXT_CHARSET,
        "the body '\\x80' is not text in charset 'us-ascii'",
    ),
    (
        post(b"a", {"content-type": "text/plain;charset=utf-16"}),
        Rule.TEXT_CHARSET,
        "the body 'a' is not text in charset 'utf-16'",
    ),
    *(
        (
            get((name, b"1")),
            Rule.JSON_DUPLICATE_MEMBER,
            f"the annotation {name!r} stands twice, or is a member",
        )
        for name in ("id", "atomicityGroup", "headers", "body", "method", "url", "dependsOn", "if")
    ),
    (
        get(("@a", b"1"), ("@a", b"2")),
        Rule.JSON_DUPLICATE_MEMBER,
        "the annotation '@a' stands twice, or is a member",
    ),
    (
        get(("@a", b"")),
        Rule.JSON_SYNTAX,
        f"the annotation '@a' {SPLICED}: found the end, expected JSON",
    ),
    (
        get(("@a", b'1},{"id":"2"')),
        Rule.JSON_SYNTAX,
        f"the annotation '@a' {SPLICED}: found '}},{{\"id\":\"2\"', expected nothing behind it",
    ),
    (
        get(("@a", b"[" * 98 + b"]" * 98)),
        Rule.LIMIT_EXCEEDED,
        f"the annotation '@a' {SPLICED}: limit json_depth is 100, and the message exceeds it",
    ),
    (
        get((LONE, b"1")),
        Rule.JSON_ENCODING,
        "the name of an annotation is '\\ud800', with half of a surrogate pair",
    ),
    (
        Operation("GET", "a", id="1", condition="a" + LONE),
        Rule.JSON_ENCODING,
        "condition is 'a\\ud800', with half of a surrogate pair",
    ),
]


def refusals(batch: BatchRequest | BatchResponse) -> tuple[Diagnostic, ...]:
    with pytest.raises(EncodeError) as caught:
        if isinstance(batch, BatchRequest):
            encode_request(batch, format="json")
        else:
            encode_response(batch, format="json")
    return caught.value.diagnostics


@pytest.mark.parametrize(("item", "rule", "message"), REFUSED)
def test_what_json_cannot_carry_is_refused(item: Operation, rule: Rule, message: str) -> None:
    batch = BatchRequest([Operation.get("b", id="0"), item])
    (found,) = refusals(batch)
    assert (found.rule, found.message, found.path) == (rule, message, "items[1]")
    assert (found.limit is None) == (rule is not Rule.LIMIT_EXCEEDED)


@pytest.mark.parametrize(("item", "rule", "message"), REFUSED)
def test_what_json_cannot_carry_is_refused_one_by_one(
    item: Operation, rule: Rule, message: str
) -> None:
    encoder = RequestEncoder(format="json")
    encoder.send(Operation.get("b", id="0"))
    with pytest.raises(EncodeError) as caught:
        encoder.send(item)
    (found,) = caught.value.diagnostics
    assert (found.rule, found.message, found.path) == (rule, message, "items[1]")


@pytest.mark.parametrize(("item", "rule", "message"), REFUSED)
def test_what_json_cannot_carry_is_refused_in_a_group(
    item: Operation, rule: Rule, message: str
) -> None:
    batch = BatchRequest([ChangeSet([Operation.put("b", id="0"), item], id="g")])
    (found,) = refusals(batch)
    assert (found.rule, found.message, found.path) == (rule, message, "items[0].items[1]")


def test_all_refusals_are_reported_at_once() -> None:
    batch = BatchRequest([post(b"null"), replace(get(("id", b"x")), id="2")])
    assert [(found.rule, found.path) for found in refusals(batch)] == [
        (Rule.NOT_EXPRESSIBLE, "items[0]"),
        (Rule.JSON_DUPLICATE_MEMBER, "items[1]"),
        (Rule.JSON_SYNTAX, "items[1]"),
    ]


def test_half_of_a_surrogate_pair_in_depends_on_is_refused() -> None:
    batch = BatchRequest([Operation.get("a", id="1", depends_on=(LONE,))])
    message = "an entry of depends_on is '\\ud800', with half of a surrogate pair"
    assert Diagnostic(Rule.JSON_ENCODING, message, None, "items[0]") in refusals(batch)


def test_a_group_in_a_group_is_refused() -> None:
    inner = ChangeSet([Operation.put("a", id="1")], id="h")
    batch = BatchRequest([ChangeSet([inner], id="g")])
    with pytest.raises(EncodeError) as caught:
        encode_request(batch, format="json", limits=Limits(change_set_depth=2))
    message = "JSON has no group in a group"
    found = Diagnostic(Rule.NOT_EXPRESSIBLE, message, None, "items[0].items[0]")
    assert caught.value.diagnostics == (found,)


def test_a_group_in_a_group_of_responses_is_refused() -> None:
    inner = ChangeSetResponse([OperationResponse(200, id="1")], id="h")
    batch = BatchResponse([ChangeSetResponse([inner], id="g")])
    with pytest.raises(EncodeError) as caught:
        encode_response(batch, format="json", limits=Limits(change_set_depth=2))
    assert [found.rule for found in caught.value.diagnostics] == [Rule.NOT_EXPRESSIBLE]


@pytest.mark.parametrize("name", ["id", "atomicityGroup", "headers", "body", "status"])
def test_an_annotation_of_a_response_is_no_member_of_it(name: str) -> None:
    batch = BatchResponse([OperationResponse(200, id="1", annotations=[(name, b"1")])])
    message = f"the annotation {name!r} stands twice, or is a member"
    assert refusals(batch) == (Diagnostic(Rule.JSON_DUPLICATE_MEMBER, message, None, "items[0]"),)


def test_a_member_of_the_other_role_may_be_an_annotation() -> None:
    batch = BatchResponse([OperationResponse(200, id="1", annotations=[("url", b"1")])])
    assert decode_response(encode_response(batch, format="json").body, JSON) == batch


@pytest.mark.parametrize(
    ("batch", "rule", "message"),
    [
        (
            BatchResponse((), truncated=True),
            Rule.NOT_EXPRESSIBLE,
            "a truncated response cannot be written",
        ),
        (
            BatchResponse((), next_link=LONE),
            Rule.JSON_ENCODING,
            "next_link is '\\ud800', with half of a surrogate pair",
        ),
        *(
            (
                BatchResponse((), annotations=[(name, b"1")]),
                Rule.JSON_DUPLICATE_MEMBER,
                f"the annotation {name!r} stands twice, or is a member",
            )
            for name in ("requests", "responses", "@nextLink", "@odata.nextLink")
        ),
        *(
            (
                BatchRequest((), annotations=[(name, b"1")]),
                Rule.JSON_DUPLICATE_MEMBER,
                f"the annotation {name!r} stands twice, or is a member",
            )
            for name in ("requests", "responses")
        ),
        (
            BatchRequest((), annotations=[("@a", b"}")]),
            Rule.JSON_SYNTAX,
            f"the annotation '@a' {SPLICED}: found '}}', expected JSON",
        ),
        (
            BatchRequest((), annotations=[("@a", b"[" * 100 + b"]" * 100)]),
            Rule.LIMIT_EXCEEDED,
            f"the annotation '@a' {SPLICED}: limit json_depth is 100, and the message exceeds it",
        ),
    ],
)
def test_what_cannot_stand_beside_the_array_is_refused(
    batch: BatchRequest | BatchResponse, rule: Rule, message: str
) -> None:
    (found,) = refusals(batch)
    assert (found.rule, found.message, found.position, found.path) == (rule, message, None, "")


def test_what_is_written_as_deep_as_the_limit_is_read_again() -> None:
    nested = b"[" * 97 + b"]" * 97
    item = replace(post(nested), annotations=(("@a", nested),))
    batch = BatchRequest([item], annotations=[("@b", b"[" * 99 + b"]" * 99)])
    assert decode_request(encode_request(batch, format="json").body, JSON) == batch


def test_items_that_are_too_deep_for_the_limit_are_refused() -> None:
    limits = Limits(json_depth=3)
    with pytest.raises(EncodeError) as caught:
        encode_request(BatchRequest([Operation.get("a", id="1")]), format="json", limits=limits)
    message = "limit json_depth is 3, and the message exceeds it"
    limit = ("json_depth", 3)
    found = Diagnostic(Rule.LIMIT_EXCEEDED, message, None, "items[0]", limit=limit)
    assert caught.value.diagnostics == (found,)


def test_the_headers_that_are_written_count() -> None:
    batch = BatchRequest(
        [Operation.get("a", headers={"x": "y"}, id=str(index)) for index in range(3)]
    )
    assert encode_request(batch, format="json", limits=Limits(headers_total=27)).body
    with pytest.raises(EncodeError) as caught:
        encode_request(batch, format="json", limits=Limits(headers_total=26))
    assert [found.limit for found in caught.value.diagnostics] == [("headers_total", 26)]
