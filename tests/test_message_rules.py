"""The rules for one message and for the outer header section, in reading and in writing."""

from __future__ import annotations

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Dialect,
    EncodeError,
    Limits,
    Operation,
    OperationResponse,
    check_request,
    decode_request,
    encode_request,
    encode_response,
)

from .batches import places, read, refused, request, response
from .helpers import FORMATS, MULTIPART, Format, batch, part

get = Operation.get

# -- URLs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "url", "rule"),
    [
        ("multipart", "a b", "url-white-space"),
        ("json", "a\tb", "control-character"),
        ("json", "a\r\nb", "control-character"),
        ("multipart", "\udcff", "url-characters"),
    ],
)
def test_a_url_that_no_line_can_hold_is_reported(format: Format, url: str, rule: str) -> None:
    batch = BatchRequest([get(url, id="1")])
    assert places(read(batch, format)) == [f"{rule} 0"]
    assert f"{rule} 0" in places(refused(batch, format))


@pytest.mark.parametrize("status", [100, 199, 204, 304])
def test_a_body_with_a_status_that_has_none_is_a_warning(status: int) -> None:
    answer = response(f"{status} [content-type: text/plain] = x")
    for format in FORMATS:
        found = read(answer, format)
        assert places(found) == ["body-forbidden 0"] and refused(answer, format) == found


@pytest.mark.parametrize("id", "metadata entity it root batch all id this crossjoin".split())
def test_an_identifier_that_cannot_be_referred_to_is_a_note(id: str) -> None:
    for format in FORMATS:
        assert places(read(f"{id}: GET a", format)) == ["id-unreferenceable 0"]
    assert refused(f"{id}: GET a") == []


FORBIDDEN = "authorization proxy-authorization expect from max-forwards range te"


@pytest.mark.parametrize("name", FORBIDDEN.split())
def test_headers_that_do_not_belong_into_an_operation_are_a_warning(name: str) -> None:
    found = read(f"GET a [{name.title()}: x]")
    assert places(found) == ["forbidden-header 0"] and refused(f"GET a [{name}: x]") == found
    dialect = Dialect(name="lax", forbidden_headers=frozenset())
    assert read(f"GET a [{name}: x]", dialect=dialect) == []
    assert refused(f"GET a [{name}: x]", dialect=dialect) == []


# -- identifiers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["", "a b", "é", "<1>", "a/b", "1\n"])
def test_an_identifier_with_odd_characters_is_a_warning(id: str) -> None:
    batch, answer = (
        BatchRequest([get("People", id=id)]),
        BatchResponse([OperationResponse(204, id=id)]),
    )
    for found in (read(batch, "json"), refused(batch), refused(answer)):
        assert "id-syntax 0" in places(found)


def test_an_identifier_is_bounded() -> None:
    limits = Limits(id=3)
    encode_request(request("abc: GET a"), limits=limits)
    (found,) = refused("abcd: GET a", limits=limits)
    assert found.startswith("limit-exceeded: the id is too large: the limit is 3 (Limits.id)")


# -- fields, in JSON and in writing ----------------------------------------------------------------

NAME = "header-syntax 0: found the header name"
CONTROL = "control-character 0: header 'a' has the value"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *((each, "x", f"{NAME} {each!r}, expected a token") for each in ("a b", "", "é")),
        *(("a", each, f"{CONTROL} {each!r}, with a control character") for each in ("\n", "\0")),
        ("a", "€", "header-characters 0: header 'a' has the value '€', not in ISO-8859-1"),
    ],
)
def test_a_header_that_no_field_line_can_carry_is_refused(
    name: str, value: str, expected: str
) -> None:
    batch = BatchRequest([get("People", headers={name: value}, id="1")])
    answer = BatchResponse([OperationResponse(204, {name: value}, id="1")])
    twice = BatchRequest([get("People", headers={name: value}, id=id) for id in "12"])
    assert read(twice, "json") == [expected, expected.replace(" 0:", " 1:")]
    assert read(batch, "json") == read(answer, "json") == [expected]
    for format in FORMATS:
        assert refused(batch, format) == refused(answer, format) == [expected]
        second = BatchRequest([get("People", headers={"a": "x"}, id="0"), *batch.items])
        assert refused(second, format) == [expected.replace(" 0:", " 1:")]


@pytest.mark.parametrize("value", ["", "x", "a\tb", "\xa0", "\x80\xff", "a  b", " x", "x\t", " "])
def test_white_space_at_the_ends_of_a_header_is_for_json_only(value: str) -> None:
    batch = BatchRequest([get("People", headers={"a": value}, id="1")])
    message = f"header 'a' has the value {value!r}, with white space at an end"
    odd = value != value.strip(" \t")
    said = [each for each in read(batch, "json") if not each.startswith("header-not-ascii")]
    assert said == [f"header-white-space 0: {message}"] * odd
    assert refused(batch) == [f"not-expressible 0: {message}"] * odd
    for format in FORMATS[odd:]:
        payload = encode_request(batch, format=format)
        assert decode_request(payload.body, payload.content_type, strict=True) == batch


def test_a_content_length_that_decoding_does_not_complain_about_is_written() -> None:
    for length, body in (("1", b"x"), ("3", b"x\r\n")):
        headers = {"Content-Length": length, "Content-Type": "a/b"}
        batch = BatchRequest([Operation.post("People", headers=headers, body=body)])
        payload = encode_request(batch)
        assert decode_request(payload.body, payload.content_type, strict=True) == batch


@pytest.mark.parametrize("status", [0, 99, 600, -200, 1000])
def test_a_status_out_of_range_is_refused(status: int) -> None:
    batch = response(f"1: {status}")
    message = f"found the status {status}, expected 100 to 599"
    assert refused(batch) == [f"status-line-syntax 0: {message}"]
    assert refused(batch, "json") == [f"json-status 0: {message}"]


def test_a_reason_phrase_fits_on_its_line() -> None:
    for reason, expected in (
        ("a\nb", "control-character 0: the reason phrase 'a\\nb' has a control character"),
        ("€", "header-characters 0: the reason phrase '€' is not ISO-8859-1"),
    ):
        batch = BatchResponse([OperationResponse(200, reason=reason, id="1")])
        assert refused(batch) == [expected]
        encode_response(batch, format="json")  # where there is none


def test_repeated_headers_are_bounded_as_json_joins_them() -> None:
    fields = [("Accept", "a" * 40_000), ("Accept", "b" * 40_000)]
    batch = BatchRequest([get("People", headers=fields)])
    encode_request(batch)
    with pytest.raises(EncodeError, match="the field line is too large: the limit is 65536"):
        encode_request(batch, format="json")


# -- the outer message -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('a="x, continue-on-error"', None),
        ("continue-on-error, odata.continue-on-error=false", True),
        ("continue-on-error=maybe", None),
        ('continue-on-error="\\true"', True),
        *((value, None) for value in ("," * 65_000, " " * 65_000, '"' * 65_000, 'a="' * 20_000)),
    ],
)
def test_the_preference_is_read_in_forms_that_are_not_in_the_corpus(
    value: str, expected: bool | None
) -> None:
    headers = {"Prefer": value}
    report = check_request(batch(part()), MULTIPART, headers=headers)
    assert report.value is not None
    assert report.value.continue_on_error is expected
