"""The JSON batch format as it is read: places, partial results, limits; the rest is in readings."""

from __future__ import annotations

import pytest

from odata_batch import (
    DecodeError,
    LimitExceeded,
    Limits,
    Operation,
    RequestDecoder,
    Unreadable,
    check_request,
    decode_request,
)

from .helpers import JSON, checked_request, fed

# What `{GET` and `{POST` are short for.
GET = '"id":"1","method":"GET","url":"a"'
POST = '"id":"1","method":"POST","url":"a"'


def spelt(text: str) -> str:
    for name, members in (("GET", GET), ("POST", POST)):
        text = text.replace("{" + name, "{" + members)
    return text


def requests(*objects: str) -> bytes:
    """Return a batch request of objects."""
    return spelt(f'{{"requests":[{",".join(objects)}]}}').encode()


def marked(data: bytes) -> tuple[bytes, int]:
    """Return the data without its mark, which is "^", and the position of the mark."""
    before, _, after = data.partition(b"^")
    return before + after, len(before)


# -- members --------------------------------------------------------------------------------------


def test_an_item_knows_its_offset_in_bytes() -> None:
    data, position = marked(requests(" ^{GET}").replace(b"{", '{"\xe9":"\u20ac",'.encode(), 1))
    assert decode_request(data, JSON).items[0].position == position
    data, position = marked(requests('^{GET,"atomicityGroup":"g"}'))
    assert decode_request(data, JSON).items[0].position == position


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


# Between the marks is the body that is read; there is none where there are no marks.
BODIES = [
    '{POST,"body":^{"a": 1.10}^}',
    '{POST,"body" \t:\r\n ^[1]^ \t\r\n}',
    '{"body":^[2]^,"id":"1","method":"POST","url":"a"}',
    '{POST,"body":^{"body":{"body":[]}}^}',
    '{POST,"body":{"a":1},"body":^[1]^}',
    '{POST,"body":[1],"b\\u006fdy":^{"body":2}^}',
    '{POST,"b\\u006fdy":^{"body":2}^}',
    '{POST,"b\\u006fdy":^{"a":2}^}',
    '{POST,"@a":{"body":1},"body":^[1]^}',
    '{POST,"@a":{"body":1}}',
    '{POST,"@a":{"body":1},"b\\u006fdy":^[2]^}',
    '{POST,"headers":{"body":"x"},"body":^[1]^}',
    '{POST,"headers":{"body":"x"},"b\\u006fdy":^[1]^}',
    '{POST,"if":"\\"body\\":1","body":^"\\u00e9\\n"^}',
    '{POST,"if":"body","body":^"\xe9"^}',
    '{POST,"\xe9":"\U0001f600","body":^["\xe9"]^}',
    '{POST,"\xe9":"\U0001f600"}',
    '{POST,"\\u00e9":"\xe9"}',
    '{POST,"@a":{"body":"\xe9"}}',
    '{POST,"body":^{"a":"' + 30_000 * "x" + '"}^ }',
    '{POST,"@a":"' + 5000 * "x" + '","body":^{"a":"' + 30_000 * "x" + '"}^}',
    '{POST,"body":null}',
]


@pytest.mark.parametrize("ends", [("", ""), ("{GET},", ',{POST,"body":{}}'), (" {GET} , ", " ")])
@pytest.mark.parametrize("item", BODIES)
def test_a_body_is_found_however_its_name_and_others_are_spelt(
    item: str, ends: tuple[str, str]
) -> None:
    before, _, rest = spelt(item).partition("^")
    body, _, after = rest.partition("^")
    data = requests(f"{ends[0]}{before}{body}{after}{ends[1]}")
    report = check_request(data, JSON)
    assert report.value is not None
    found = report.value.operations()[bool(ends[0])]
    assert found.body == body.encode()
    assert found.position == len(requests(ends[0])[:-2])


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ('{GET,"body" ^x:1}', "found 'x:1}]}', expected a colon"),
        ('{GET,"body"^x":1}', "found 'x\":1}]}', expected a colon"),
        ('{GET,"body":1 ^"a"}', "found '\"a\"}]}', expected a comma or '}'"),
        ('{GET,^b"body":1}', "found 'b\"body\":1}]}', expected the name of a member"),
        ("{GET} ^{}", "found '{}]}', expected a comma or ']'"),
        ('{GET,"body":[}^', ""),
    ],
)
def test_what_is_wrong_near_a_body_is_found_where_it_is(items: str, message: str) -> None:
    data, position = marked(requests(items))
    (found,) = check_request(data, JSON).diagnostics
    assert found.rule.slug == "json-syntax"
    assert not message or (found.position, found.message) == (position, message)


def test_a_group_keeps_the_place_of_what_cannot_be_read() -> None:
    odd, plain = '{"id":"2","atomicityGroup":"g"}', '{GET,"atomicityGroup":"g"}'
    report = check_request(requests(odd, plain, "{GET}"), JSON)
    assert report.value is not None
    assert [item.id for item in report.value.items] == ["g", "1"]
    assert [item.id for item in report.value.operations()] == ["1", "1"]
    report = check_request(requests(odd, "{GET}"), JSON)
    assert report.value is not None
    assert [item.id for item in report.value.items] == ["g", "1"]
    assert [item.id for item in report.value.operations()] == ["1"]


def test_long_values_of_headers_that_decide_are_read() -> None:
    media_type = f"text/plain; a={1100 * 'a'}"
    item = f'{{POST,"headers":{{"content-type":"{media_type}"}},"body":"b"}}'
    for found in decode_request(
        requests(item, spelt(item).replace('"1"', '"2"')), JSON
    ).operations():
        assert (found.headers["content-type"], found.body) == (media_type, b"b")


# -- damage and partial results -------------------------------------------------------------------

DAMAGED = requests("{GET}", '{"id":"2","method":"GET"}', "{" + GET.replace("1", "3") + "}")


def test_an_error_holds_the_items_before_it() -> None:
    report = check_request(DAMAGED, JSON)
    assert report.value is not None
    assert [item.id for item in report.value.items] == ["1", "2", "3"]
    (unreadable,) = (each for each in report.value.items if isinstance(each, Unreadable))
    assert unreadable.diagnostics == report.diagnostics
    assert [found.path for found in report.diagnostics] == ["items[1]"]
    with pytest.raises(DecodeError) as caught:
        decode_request(DAMAGED, JSON)
    assert caught.value.partial == (Operation.get("a", id="1"),)
    assert caught.value.position == DAMAGED.index(b'{"id":"2"')
    with pytest.raises(DecodeError) as caught:
        decode_request(requests("{GET}", '{"id":}'), JSON)
    assert caught.value.partial == (Operation.get("a", id="1"),)


def grouped(id: str, group: str | None = None) -> str:
    members = f'"id":"{id}","method":"PUT","url":"a"'
    return f"{{{members}}}" if group is None else f'{{{members},"atomicityGroup":"{group}"}}'


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


@pytest.mark.parametrize(
    ("data", "slug", "items"),
    [
        (b'{"requests":1,' + requests("{GET}")[1:], "json-duplicate-member", 1),
        (b'{"requests":{},' + requests("{GET}")[1:], "json-duplicate-member", 1),
        (requests("{GET}")[:-1] + b',"requests":[{}]}', "json-duplicate-member", 1),
        (b'{"\xff":1,' + requests("{GET}")[1:], "json-encoding", 0),
        (requests("{GET}").replace(b"]", b" \xff]"), "json-encoding", 1),
        (b'{"\\x":[1],' + requests("{GET}")[1:], "json-syntax", 0),
        (requests("{GET}").replace(b"req", b"\\u0072eq") + b" 1", "json-syntax", 1),
    ],
)
def test_items_before_a_fault_are_handed_out(data: bytes, slug: str, items: int) -> None:
    said = {fed(RequestDecoder(JSON), [data[:cut], data[cut:]]) for cut in range(len(data))}
    said.add(fed(RequestDecoder(JSON), [bytes([each]) for each in data]))
    ((error, found, _),) = said
    assert str(error).startswith(f"error[{slug}]")
    assert len(found) == items


def test_items_come_as_they_are_complete() -> None:
    decoder = RequestDecoder(JSON)
    data = requests("{GET}", grouped("2"), grouped("3", "g"), grouped("4"))
    counts = [len(decoder.receive_data(bytes([each]))) for each in data]
    assert [at for at, count in enumerate(counts, 1) if count] == [
        data.index(b",{", 20),
        data.index(b',{"id":"3"'),
        len(data) - 1,
    ]
    assert (sum(counts), decoder.receive_eof()) == (4, [])


# -- limits ---------------------------------------------------------------------------------------

HEADERS = '"headers":{"a":"b","c":"d"}'
OTHER = '{"id":"2","method":"GET","url":"a","headers":{"a":"b","c":"d"}}'
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
        ([OTHER, "{GET}", BIG.replace('{"a"', '^{"a"').replace('"1"', '"3"')], "headers_total", 34),
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
    assert found.message.endswith(f": the limit is {enough - 1} (Limits.{limit})")
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=limits)
    assert (caught.value.limit, caught.value.value) == (limit, enough - 1)
    assert len(caught.value.partial) == len(items) - 1


def test_a_message_as_long_as_the_limit_is_read() -> None:
    data = requests("{GET}")
    assert decode_request(data, JSON, limits=Limits(message=len(data))).items
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=Limits(message=len(data) - 1))
    assert caught.value.limit == "message"
