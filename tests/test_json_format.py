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

from .helpers import JSON, fed

# What `{GET` is short for.
GET = '"id":"1","method":"GET","url":"a"'


def requests(*objects: str) -> bytes:
    """Return a batch request of objects."""
    return f'{{"requests":[{",".join(objects)}]}}'.replace("{GET", "{" + GET).encode()


# -- members --------------------------------------------------------------------------------------


def test_an_item_knows_its_offset_in_bytes() -> None:
    for item in (" {GET}", '{GET,"atomicityGroup":"g"}'):
        data = requests(item).replace(b"{", '{"\xe9":"\u20ac",'.encode(), 1)
        assert decode_request(data, JSON).items[0].position == data.index(b'{"id"')


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
        f'{{GET,"headers":{{"content-type":"{text}"}},"body":"\xe9\U0001f600"}}',
        grouped("2", "g"),
        grouped("3", "g").replace("}", ',"dependsOn":["1"],"@a":{"b":1.10}}'),
        grouped("4").replace("}", ',"if":null}'),
    )
    for data in (DAMAGED, other):
        decoders = (RequestDecoder(JSON, strict=strict) for _ in data)
        outcomes = {fed(decoder, [data[:cut], data[cut:]]) for cut, decoder in enumerate(decoders)}
        outcomes.add(fed(RequestDecoder(JSON, strict=strict), [bytes([each]) for each in data]))
        assert len(outcomes) == 1


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


def test_a_message_as_long_as_the_limit_is_read() -> None:
    data = requests("{GET}")
    assert decode_request(data, JSON, limits=Limits(message=len(data))).items
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, JSON, limits=Limits(message=len(data) - 1))
    assert caught.value.limit == "message"
