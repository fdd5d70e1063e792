"""Dialects are data: frozen, compared by value, each quirk in one field."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from odata_batch import (
    BatchRequest,
    Dialect,
    Operation,
    Rule,
    Severity,
    check_request,
    encode_request,
)
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01

PRESETS = [ODATA_4_01, ODATA_4_0, ODATA_2]


@pytest.mark.parametrize(
    ("dialect", "name", "header", "multipart", "json"),
    [
        (ODATA_4_01, "OData 4.01", "OData-Version", "4.0", "4.01"),
        (ODATA_4_0, "OData 4.0", "OData-Version", "4.0", "4.0"),
        (ODATA_2, "OData 2", "DataServiceVersion", "2.0", "2.0"),
    ],
)
def test_a_preset_names_its_version(
    dialect: Dialect, name: str, header: str, multipart: str, json: str
) -> None:
    assert dialect.name == name
    assert dialect.version_header == header
    assert dialect.multipart_version == multipart
    assert dialect.json_version == json


@pytest.mark.parametrize("dialect", PRESETS)
def test_no_preset_writes_a_content_length(dialect: Dialect) -> None:
    assert not dialect.content_length


@pytest.mark.parametrize("dialect", PRESETS)
def test_every_preset_writes_base64url_with_padding(dialect: Dialect) -> None:
    assert dialect.base64_padding
    assert not dialect.base64_standard_alphabet


def test_only_old_odata_has_merge() -> None:
    assert [dialect for dialect in PRESETS if "MERGE" in dialect.methods] == [ODATA_2]
    assert ODATA_4_01.methods == {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("dialect", PRESETS)
def test_forbidden_headers_are_written_in_lower_case(dialect: Dialect) -> None:
    assert dialect.forbidden_headers == {
        *("authorization", "proxy-authorization", "expect", "from", "max-forwards", "range", "te"),
    }


@pytest.mark.parametrize("dialect", PRESETS)
def test_no_preset_changes_the_severity_of_a_fatal_rule(dialect: Dialect) -> None:
    assert not [rule.slug for rule, _ in dialect.severities if rule.fatal]


@pytest.mark.parametrize("dialect", PRESETS)
def test_a_preset_changes_a_severity_once_and_to_another(dialect: Dialect) -> None:
    rules = [rule for rule, _ in dialect.severities]
    assert len(set(rules)) == len(rules)
    for rule, severity in dialect.severities:
        assert isinstance(severity, Severity)
        assert severity is not rule.severity


def test_presets_differ() -> None:
    assert len({hash(dialect) for dialect in PRESETS}) == len(set(PRESETS)) == 3


@pytest.mark.parametrize("dialect", PRESETS)
def test_a_preset_is_hashable_and_can_be_copied(dialect: Dialect) -> None:
    assert copy.copy(dialect) == copy.deepcopy(dialect) == dialect
    assert pickle.loads(pickle.dumps(dialect)) == dialect
    assert hash(replace(dialect)) == hash(dialect)


def test_a_dialect_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        ODATA_4_01.name = "other"  # type: ignore[misc] # that it is refused is the point


def test_a_dialect_is_made_by_keyword() -> None:
    with pytest.raises(TypeError):
        Dialect("mine")  # type: ignore[call-arg] # that it is refused is the point


def test_a_dialect_of_ones_own_begins_as_the_default() -> None:
    assert Dialect(name="OData 4.01") == ODATA_4_01


def test_another_dialect_is_derived_with_replace() -> None:
    graph = replace(ODATA_4_01, name="Graph", base64_standard_alphabet=True)
    body = Operation.put("a", {"content-type": "image/png"}, body=b"\xfb\xff", id="1")
    payload = encode_request(BatchRequest([body]), format="json", dialect=graph)
    assert b'"body":"+/8="' in payload.body


def test_a_severity_of_a_dialect_is_in_force() -> None:
    strict = replace(ODATA_4_01, severities=((Rule.NO_PARTS, Severity.ERROR),))
    body = b"--b--\r\n"
    found = check_request(body, "multipart/mixed; boundary=b", dialect=strict)
    assert [(each.rule, each.severity) for each in found.diagnostics] == [
        (Rule.NO_PARTS, Severity.ERROR)
    ]
    assert not found.ok
    assert check_request(body, "multipart/mixed; boundary=b").ok
