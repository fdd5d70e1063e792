"""The JSON batch format as it is read: values, places, partial results and limits."""

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
    RequestDecoder,
    check_request,
    decode_request,
    decode_response,
)

from .helpers import JSON, checked_request, fed

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


def test_in_a_request_a_next_link_is_an_annotation() -> None:
    data = requests("{GET}").replace(b"]}", b'],"@nextLink":"a"}')
    assert decode_request(data, JSON).annotations == (("@nextLink", b'"a"'),)


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


def test_a_number_in_headers_is_found_where_a_string_was_right_before() -> None:
    fields = ['{"a":"1"}', '{"a":1}', '{"a":"1"}']
    data = requests(*[f'{{GET,"headers":{field}}}' for field in fields])
    report = check_request(data, JSON)
    found = [each.path for each in report.diagnostics if each.rule.slug == "json-header-value"]
    assert found == ["items[1]"]


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


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x+json; a=b"])
@pytest.mark.parametrize("spelling", JSON_BODIES)
def test_a_json_body_is_the_octets_that_spell_it(content_type: str | None, spelling: str) -> None:
    headers = f',"headers":{{"content-type":"{content_type}"}}' if content_type else ""
    data = requests(f'{{POST{headers},"body":{spelling}}}')
    assert decode_request(data, JSON).operations()[0].body == spelling.encode()


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


@pytest.mark.parametrize(
    ("value", "limits", "found"),
    [
        ("1 ", {}, ["header-blanks"]),
        (" 1", {}, ["header-blanks"]),
        ("1 2", {}, []),
        ("\\u0001", {}, ["control-character"]),
        ("\\u20ac", {}, ["header-characters"]),
        ("1" * 30, {"field_line": 20}, ["limit-exceeded"]),
        ("1" * 30, {"header_section": 20}, ["limit-exceeded"]),
    ],
)
def test_every_header_value_is_looked_at(
    value: str, limits: dict[str, int], found: list[str]
) -> None:
    data = requests('{GET,"headers":{"a":"1"}}', '{GET,"headers":{"a":"VALUE"}}')
    data = data.replace(b'"1"', b'"2"', 1).replace(b"VALUE", value.encode())
    report = check_request(data, JSON, limits=Limits(**limits))
    assert [each.rule.slug for each in report.diagnostics] == found
