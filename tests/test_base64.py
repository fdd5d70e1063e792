"""Bodies in base64url: which texts encode octets, and how octets are written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import BatchResponse, Dialect, OperationResponse, check_response, encode_response
from odata_batch.dialects import ODATA_4_01

from .helpers import JSON


def read(text: str, dialect: Dialect = ODATA_4_01) -> tuple[bytes, str]:
    """Return the body that the text encodes, and what is found in it."""
    data = (
        '{"responses":[{"id":"1","status":200,"headers":{"content-type":"image/png"},'
        f'"body":"{text}"}}]}}'
    )
    report = check_response(data.encode(), JSON, dialect=dialect)
    assert report.value is not None
    assert {each.position for each in report.diagnostics} <= {len(data.encode()) - 5 - width(text)}
    (response,) = report.value.responses()
    return response.body, " ".join(each.rule.slug for each in report.diagnostics)


def width(text: str) -> int:
    return len(text.encode())


def write(octets: bytes, dialect: Dialect = ODATA_4_01) -> str:
    response = OperationResponse(200, {"content-type": "image/png"}, octets, id="1")
    payload = encode_response(BatchResponse([response]), format="json", dialect=dialect)
    return payload.body.decode().rpartition('"body":"')[2].removesuffix('"}]}')


def dialect_of(standard: bool, padding: bool = True) -> Dialect:
    return replace(ODATA_4_01, base64_standard_alphabet=standard, base64_padding=padding)


@pytest.mark.parametrize(
    ("standard", "spelling", "found"),
    [
        (False, "+/8=", "base64-alphabet"),
        (False, "-_8=", ""),
        (True, "+/8=", ""),
        (True, "-_8=", ""),
        (True, "+_8=", "base64"),
    ],
)
def test_the_standard_alphabet_is_odd_where_it_is_not_written(
    standard: bool, spelling: str, found: str
) -> None:
    assert read(spelling, dialect_of(standard))[1] == found


@pytest.mark.parametrize(
    ("standard", "padding", "text"),
    [(False, True, "_-8="), (False, False, "_-8"), (True, True, "/+8="), (True, False, "/+8")],
)
def test_a_dialect_says_how_base64_is_written(standard: bool, padding: bool, text: str) -> None:
    assert write(b"\xff\xef", dialect_of(standard, padding)) == text


@given(st.binary(min_size=1, max_size=100), st.booleans(), st.booleans())
def test_base64_of_any_octets_is_decoded_again(octets: bytes, standard: bool, pad: bool) -> None:
    dialect = dialect_of(standard, pad)
    assert read(write(octets, dialect), dialect) == (octets, "")


@given(st.text(alphabet="AQgw+/-_=", min_size=1, max_size=9))
def test_no_two_texts_of_one_form_decode_to_the_same_octets(text: str) -> None:
    octets, found = read(text)
    if found != "base64":
        dialect = dialect_of(found == "base64-alphabet", text.endswith("="))
        assert write(octets, dialect).rstrip("=") == text.rstrip("=")
