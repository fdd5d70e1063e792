"""The JSON batch format as it is written, and what it cannot carry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Dialect,
    EncodeError,
    Headers,
    Limits,
    Operation,
    OperationResponse,
    RequestEncoder,
    ResponseEncoder,
    Severity,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch.dialects import ODATA_4_0, ODATA_4_01
from odata_batch.rules import RULES

from .batches import line, refused, request, response, table
from .helpers import JSON

TEXT = {"Content-Type": "text/plain"}
PNG = {"content-type": "image/png"}
LATIN = {"Content-Type": "text/x;charset=latin1"}


def post(body: bytes, headers: dict[str, str] | None = None) -> Operation:
    return Operation("POST", "a", headers or {}, body, id="1")


def get(*annotations: tuple[str, bytes], id: str = "1", headers: Any = ()) -> Operation:
    return Operation("GET", "a", headers, id=id, annotations=annotations)


def rows(name: str) -> list[tuple[Any, str]]:
    """Return the operations of a table, which are evaluated, and what it expects of them."""
    pairs = [row.split(" -> ") for row in table(name)]
    return [(eval(call), expected) for call, expected in pairs]


BATCHES = [
    ("", ""),
    (
        "g{ 1: PUT a; 2: PUT b }; 3: GET c after g 1",
        '{"id":"1","atomicityGroup":"g","method":"PUT","url":"a","headers":{}},'
        '{"id":"2","atomicityGroup":"g","method":"PUT","url":"b","headers":{}},'
        '{"id":"3","dependsOn":["g","1"],"method":"GET","url":"c"}',
    ),
    (
        '1: POST a; g{ 2: PATCH $1 after 1 if $1/a eq "\xe9\U0001f600" [If-Match: W/"1"] = [] }',
        '{"id":"1","method":"POST","url":"a"},'
        '{"id":"2","atomicityGroup":"g","dependsOn":["1"],"if":"$1/a eq \\"\xe9\U0001f600\\"",'
        '"method":"PATCH","url":"$1","headers":{"if-match":"W/\\"1\\"","content-type":"application/json"},"body":[]}',
    ),
]
REQUESTS = [
    *((BatchRequest([operation]), text) for operation, text in rows("json_written")),
    *((request(text), objects) for text, objects in BATCHES),
]


@pytest.mark.parametrize(("batch", "objects"), REQUESTS)
def test_requests_are_written_exactly_so(batch: BatchRequest, objects: str) -> None:
    expected = f'{{"requests":[{objects}]}}'.encode()
    payload = encode_request(batch, format="json")
    assert (payload.body, payload.content_type) == (expected, "application/json")
    assert decode_request(expected, JSON, strict=True) == prepare(batch, format="json")


ANNOTATED = OperationResponse(200, PNG, b"\xff\xef", id="1", reason="F", annotations=[("@a", b"0")])


@pytest.mark.parametrize(
    ("batch", "objects"),
    [
        (response(""), ""),
        (response("1: 204"), '{"id":"1","status":204}'),
        (
            BatchResponse([ANNOTATED]),
            '{"id":"1","status":200,"headers":{"content-type":"image/png"},"@a":0,"body":"_-8="}',
        ),
        (
            response("g{ 1: 201; 2: 204 }; 3: 404"),
            '{"id":"1","atomicityGroup":"g","status":201,"headers":{}},'
            '{"id":"2","atomicityGroup":"g","status":204,"headers":{}},{"id":"3","status":404}',
        ),
    ],
)
def test_responses_are_written_exactly_so(batch: BatchResponse, objects: str) -> None:
    expected = f'{{"responses":[{objects}]}}'.encode()
    assert encode_response(batch, format="json").body == expected
    assert decode_response(expected, JSON, strict=True) == batch


JSON_BODIES = [
    *("{}", "[]", '""', "0", "true", "false", "1.10", "-0", "12345678901234567.89", "1e400"),
    *('"null"', '{"null":null}', '{ "a" :\t[ 1 ,\r\n2 ] }', '"{\\"a\\":1}"', "9" * 5000),
    *('{"b":1.10,"a":12345678901234567.89,"a2":1e400,"a":0}', '"\\u00e9\\/\xe9\\ud83d\\ude00"'),
]


@pytest.mark.parametrize("spelling", JSON_BODIES)
def test_json_bodies_are_spliced(spelling: str) -> None:
    batch = BatchRequest([post(spelling.encode(), {"content-type": "application/json"})])
    body = encode_request(batch, format="json").body
    assert body.endswith(f',"body":{spelling}}}]}}'.encode())
    assert decode_request(body, JSON) == batch


def test_annotations_follow_the_array() -> None:
    batch = BatchRequest([get()], annotations=[("@a", b"1.10"), ("\xe9", b'""')])
    item = '{"id":"1","method":"GET","url":"a"}'
    expected = f'{{"requests":[{item}],"@a":1.10,"\xe9":""}}'
    assert encode_request(batch, format="json").body.decode() == expected


@pytest.mark.parametrize(
    ("dialect", "name"), [(ODATA_4_01, "@nextLink"), (ODATA_4_0, "@odata.nextLink")]
)
def test_a_next_link_has_the_name_of_its_version(dialect: Dialect, name: str) -> None:
    batch = BatchResponse((), next_link="\xe9", annotations=[("@a", b"1")])
    body = encode_response(batch, format="json", dialect=dialect).body
    assert body.decode() == f'{{"responses":[],"{name}":"\xe9","@a":1}}'
    assert decode_response(body, JSON) == batch


def test_a_next_link_may_be_known_at_the_end_only() -> None:
    encoder = ResponseEncoder(format="json", annotations=[("@a", b"1")])
    response = OperationResponse(200, id="1")
    chunks = [encoder.send(response), encoder.close(next_link="b")]
    batch = BatchResponse([response], next_link="b", annotations=[("@a", b"1")])
    assert b"".join(chunks) == encode_response(batch, format="json").body


def test_headers_that_are_shared_or_many_are_written_for_each_item() -> None:
    shared = Headers({"X": "y"})
    batch = BatchRequest([get(headers=shared, id=str(index)) for index in range(3)])
    assert encode_request(batch, format="json").body.count(b'"headers":{"x":"y"}') == 3
    items = [get(headers={"x": str(index)}, id=str(index)) for index in range(1100)]
    body = encode_request(BatchRequest(items), format="json").body
    assert decode_request(body, JSON) == BatchRequest(items)


def test_a_dialect_may_forbid_a_request_without_operations() -> None:
    dialect = replace(ODATA_4_01, severities=((RULES["json-no-requests"], Severity.WARNING),))
    with pytest.raises(EncodeError) as caught:
        encode_request(BatchRequest([]), format="json", dialect=dialect)
    (found,) = caught.value.diagnostics
    assert (found.message, found.severity) == ("the array requests is empty", Severity.WARNING)


# -- what is not written --------------------------------------------------------------------------

LONE = "\ud800"
HALF = b'"\\ud800"'
COOKIES = [("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
SPLICED = "is not allowed in a JSON batch"
DEEP = b"[" * 98 + b"]" * 98
TOO_DEEP = f"{SPLICED}: the json depth is too large: the limit is 100 (Limits.json_depth)"
TWICE = "json-duplicate-member: the annotation {!r} appears twice, or is a member"
ASCII = {"content-type": "text/plain;charset=us-ascii"}
UTF_16 = {"content-type": "text/plain;charset=utf-16"}
NO_NULL = "not-expressible: the body null would be read as no body"

MEMBERS = "id atomicityGroup headers body method url dependsOn if".split()
OF_MEMBERS = [(get((name, b"1")), TWICE.format(name)) for name in MEMBERS]


@pytest.mark.parametrize(("item", "expected"), [*rows("json_refused"), *OF_MEMBERS])
def test_what_json_cannot_carry_is_refused(item: Operation, expected: str) -> None:
    other = Operation.put("b", id="0")
    assert refused(BatchRequest([other, item]), "json") == [expected.replace(":", " 1:", 1)]
    group = ChangeSet([other, item], id="g")
    assert refused(BatchRequest([group]), "json") == [expected.replace(":", " 0.1:", 1)]
    encoder = RequestEncoder(format="json")
    encoder.send(other)
    with pytest.raises(EncodeError) as caught:
        encoder.send(item)
    (found,) = caught.value.diagnostics
    assert (line(found), found.position) == (expected.replace(":", " 1:", 1), None)
    assert (found.limit is None) == (found.rule.slug != "limit-exceeded")


LIKE = "json-member-misspelt 0: found the member"
NO_NAME = [
    "id-syntax 0: found the id '', expected letters, digits and - . _ ~",
    "not-expressible 0: JSON has no group with an empty name",
]
NO_GROUP = "not-expressible 0.0: JSON has no group in a group"
NOT, HALVED = "not-expressible:", r"'\ud800', with half of a surrogate pair"


def noted(value: bytes) -> BatchRequest:
    return BatchRequest((), annotations=[("@a", value)])


BY_NAME: list[BatchRequest | BatchResponse] = [
    *(BatchRequest((), annotations=[(name, b"1")]) for name in ("requests", "responses")),
    *(
        BatchResponse((), annotations=[(name, b"1")])
        for name in ("requests", "responses", "@nextLink", "@odata.nextLink")
    ),
]


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (request("g{ h{ 1: PUT a } }"), [NO_GROUP]),
        (response("g{ h{ 1: 200 } }"), [NO_GROUP]),
        (BatchRequest([ChangeSet([Operation("PUT", "a", id="1")], id="")]), NO_NAME),
        (BatchResponse((), truncated=True), [f"{NOT} a truncated response cannot be written"]),
        (BatchResponse((), next_link=LONE), [f"json-encoding: next_link is {HALVED}"]),
        (BatchRequest([get(("dependOn", b"[]"))]), [f"{LIKE} 'dependOn', expected 'dependsOn'"]),
        (noted(b"}"), [f"json-syntax: the annotation '@a' {SPLICED}: found '}}', expected JSON"]),
        (noted(b"[" * 100 + b"]" * 100), [f"limit-exceeded: the annotation '@a' {TOO_DEEP}"]),
        *((batch, [TWICE.format(batch.annotations[0][0])]) for batch in BY_NAME),
        *(
            (
                BatchResponse([OperationResponse(200, id="1", annotations=[(name, b"1")])]),
                [TWICE.format(name).replace(":", " 0:", 1)],
            )
            for name in ("id", "atomicityGroup", "headers", "body", "status")
        ),
        (
            BatchRequest([post(b"null"), get(("id", b"x"), id="2")]),
            [
                NO_NULL.replace(":", " 0:"),
                TWICE.format("id").replace(":", " 1:"),
                f"json-syntax 1: the annotation 'id' {SPLICED}: found 'x', expected JSON",
            ],
        ),
    ],
)
def test_what_a_json_batch_cannot_carry_is_refused(
    batch: BatchRequest | BatchResponse, expected: list[str]
) -> None:
    assert refused(batch, "json", limits=Limits(change_set_depth=2)) == expected


def test_half_of_a_surrogate_pair_in_depends_on_is_refused() -> None:
    batch = BatchRequest([Operation.get("a", id="1", depends_on=(LONE,))])
    message = r"json-encoding 0: an entry of depends_on is '\ud800', with half of a surrogate pair"
    assert message in refused(batch, "json")


def test_a_member_of_the_other_role_may_be_an_annotation() -> None:
    batch = BatchResponse([OperationResponse(200, id="1", annotations=[("url", b"1")])])
    assert decode_response(encode_response(batch, format="json").body, JSON) == batch


@pytest.mark.parametrize(
    ("name", "rule"), [("b$", "json-unknown-member"), ("@context", "json-context")]
)
def test_an_annotation_that_a_dialect_calls_an_error_is_not_written(name: str, rule: str) -> None:
    batch = BatchRequest([replace(get(), annotations=((name, b"1"),))])
    assert decode_request(encode_request(batch, format="json").body, JSON) == batch
    dialect = replace(ODATA_4_01, severities=((RULES[rule], Severity.ERROR),))
    (message,) = refused(batch, "json", dialect=dialect)
    assert message.startswith(f"{rule} 0: the annotation")


def test_what_is_written_as_deep_as_the_limit_is_read_again() -> None:
    nested = b"[" * 97 + b"]" * 97
    typed = {"content-type": "application/json"}
    item = replace(post(nested, typed), annotations=(("@a", nested),))
    batch = BatchRequest([item], annotations=[("@b", b"[" * 99 + b"]" * 99)])
    assert decode_request(encode_request(batch, format="json").body, JSON) == batch
    in_a_string = BatchRequest([post(rb'["\"' + b"[" * 200 + b'"]', typed)])
    assert decode_request(encode_request(in_a_string, format="json").body, JSON) == in_a_string
    message = "limit-exceeded 0: the json depth is too large: the limit is 3 (Limits.json_depth)"
    assert refused(BatchRequest([get()]), "json", limits=Limits(json_depth=3)) == [message]


def test_the_headers_that_are_written_count() -> None:
    batch = BatchRequest([get(headers={"x": "y"}, id=str(index)) for index in range(3)])
    assert encode_request(batch, format="json", limits=Limits(headers_total=27)).body
    with pytest.raises(EncodeError) as caught:
        encode_request(batch, format="json", limits=Limits(headers_total=26))
    assert [found.limit for found in caught.value.diagnostics] == [("headers_total", 26)]
