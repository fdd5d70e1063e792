"""What `check --format sarif` prints, against the JSON Schema of SARIF 2.1.0."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any  # a SARIF log is JSON

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Diagnostic, Rule
from odata_batch._cli.check import Checked, Finding, Place, check_file
from odata_batch._cli.sarif import sarif_lines, uri_of
from odata_batch.dialects import ODATA_4_0, ODATA_4_01

from .helpers import batch, part

SCHEMA = json.loads(
    Path(__file__).with_name("schemas").joinpath("sarif-2.1.0-rtm.5.json").read_bytes()
)
HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
TWO_BLANKS = b"GET  People HTTP/1.1\r\n\r\n"


def log_of(*results: Checked, tool: str | None = "9.8.7") -> dict[str, Any]:
    """The log, which is valid and in US-ASCII."""
    lines = list(sarif_lines(results, tool))
    assert all(line.isascii() and line.isprintable() for line in lines)
    log: dict[str, Any] = json.loads("\n".join(lines))
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    return log


def run_of(*results: Checked) -> dict[str, Any]:
    (run,) = log_of(*results)["runs"]
    return dict(run)


def checked(data: bytes, file: str = "a.http") -> Checked:
    return check_file(file, data, ODATA_4_01)


def place(*, origin: str = "file", offset: int = 7) -> Place:
    values = {"offset": offset, "length": 3, "line": 2, "column": 4, "end_column": 7}
    return Place(**values, origin=origin, before=b"GET", after=b"abc\r\n")  # type: ignore[arg-type]  # any origin


def finding(source: str, path: str, found: Place | None, message: str = "found it") -> Finding:
    diagnostic = Diagnostic(Rule.REQUEST_LINE_BLANKS, message, 7, path)
    return Finding(diagnostic=diagnostic, source=source, place=found)


def result_of(found: Finding) -> dict[str, Any]:
    (result,) = run_of(Checked(file="a.har", findings=(found,)))["results"]
    return dict(result)


def test_the_schema_is_one_itself() -> None:
    jsonschema.Draft4Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(SCHEMA).validate({"version": "2.1.0", "runs": [{}]})


def test_a_log_without_findings() -> None:
    assert log_of(checked(HEAD + batch(part()))) == {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
        "sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "odata-batch", "version": "9.8.7", "rules": []}},
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": []}],
                "artifacts": [{"location": {"uri": "a.http"}, "roles": ["analysisTarget"]}],
                "columnKind": "unicodeCodePoints",
                "defaultEncoding": "UTF-8",
                "results": [],
            }
        ],
    }


def test_a_version_that_is_not_known_is_left_out() -> None:
    assert log_of(tool=None)["runs"][0]["tool"]["driver"] == {"name": "odata-batch", "rules": []}


def test_a_finding_has_a_region_in_octets_and_the_same_in_lines() -> None:
    data = HEAD + batch(part("GET  ë HTTP/1.1\r\n\r\n".encode()))
    found = [each for each in run_of(checked(data))["results"] if "blanks" in each["ruleId"]]
    (result,) = found
    assert len(result.pop("partialFingerprints")["odataBatch/v1"]) == 64
    assert result == {
        "ruleId": "request-line-blanks",
        "ruleIndex": 0,
        "level": "note",
        "message": {"text": "found superfluous blanks in 'GET  Ã« HTTP/1.1'"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "a.http", "index": 0},
                    "region": {
                        "byteOffset": data.index(b"GET"),
                        "byteLength": 16,
                        "startLine": 8,
                        "startColumn": 1,
                        "endLine": 8,
                        "endColumn": 16,
                        "snippet": {"text": "GET  ë HTTP/1.1"},
                    },
                },
                "logicalLocations": [{"fullyQualifiedName": "items[0]"}],
            }
        ],
    }


def test_a_snippet_that_is_no_text_is_binary() -> None:
    octets = b"GET  \xff HTTP/1.1"
    regions = [
        each["locations"][0]["physicalLocation"]["region"]
        for each in run_of(checked(HEAD + batch(part(octets + b"\r\n\r\n"))))["results"]
        if each["ruleId"] == "request-line-blanks"
    ]
    assert [region["snippet"] for region in regions] == [
        {"binary": base64.b64encode(octets).decode()}
    ]


def test_a_finding_in_an_archive_has_a_logical_location() -> None:
    result = result_of(finding("entries[3].request", "items[0]", place(origin="body")))
    assert result["locations"] == [
        {
            "physicalLocation": {"artifactLocation": {"uri": "a.har", "index": 0}},
            "logicalLocations": [{"fullyQualifiedName": "entries[3].request.items[0]"}],
        }
    ]
    assert result["properties"] == {"origin": "body", "byteOffset": 7, "byteLength": 3}


@pytest.mark.parametrize(
    ("source", "path", "names"),
    [
        ("", "", None),
        ("", "headers", "headers"),
        ("raw/1.response", "", "raw/1.response"),
        ("raw/1.response", "items[0].headers", "raw/1.response.items[0].headers"),
    ],
)
def test_a_logical_location_is_message_and_item(source: str, path: str, names: str | None) -> None:
    result = result_of(finding(source, path, None))
    (location,) = result["locations"]
    expected = None if names is None else [{"fullyQualifiedName": names}]
    assert location.get("logicalLocations") == expected
    assert "region" not in location["physicalLocation"] and "properties" not in result


def test_rules_are_those_that_occur_in_the_order_of_the_catalogue() -> None:
    data = HEAD + batch(part(TWO_BLANKS), part(b"GET a HTTP/1.1\r\nB : c\r\n\r\n"))
    run = run_of(checked(data), checked(HEAD + b"--c--", "b.http"))
    slugs = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert slugs == ["no-delimiter", "header-blank-before-colon", "request-line-blanks"]
    for result in run["results"]:
        assert slugs[result["ruleIndex"]] == result["ruleId"]
    assert run["tool"]["driver"]["rules"][0] == {
        "id": "no-delimiter",
        "shortDescription": {
            "text": "A multipart body has a delimiter line made of two hyphens and the boundary."
        },
        "fullDescription": {
            "text": "A multipart body has a delimiter line made of two hyphens and the boundary. "
            "(RFC 2046, 5.1.1)"
        },
        "help": {
            "text": "Make the delimiter lines and the boundary parameter agree, letter by letter. "
            "See RFC 2046, 5.1.1."
        },
        "defaultConfiguration": {"level": "error"},
        "properties": {"citation": "RFC 2046, 5.1.1", "fatal": True},
    }


def test_the_level_is_that_of_the_dialect_and_the_default_that_of_the_catalogue() -> None:
    data = HEAD + batch(part(head=b"Content-Type: application/http\r\n"))
    run = run_of(check_file("a", data, ODATA_4_0))
    assert run["results"][0]["level"] == "warning"
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"] == {"level": "note"}


def test_every_level_is_one_of_sarif() -> None:
    data = HEAD + batch(part(TWO_BLANKS), part(b"GET a HTTP/1.1\r\nB : c\r\n\r\n")) + b"--b\r\n"
    levels = [result["level"] for result in run_of(checked(data))["results"]]
    assert levels == ["note", "error", "warning"]


def test_results_name_their_artifacts() -> None:
    one, two = checked(HEAD, "a"), checked(HEAD, "b c")
    run = run_of(one, two)
    artifacts = [each["location"]["uri"] for each in run["artifacts"]]
    assert artifacts == ["a", "b%20c"]
    for result in run["results"]:
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert artifacts[location["index"]] == location["uri"]


def test_a_file_that_is_given_twice_is_one_artifact() -> None:
    run = run_of(checked(HEAD, "a"), checked(HEAD, "b"), checked(HEAD, "a"))
    assert [each["location"]["uri"] for each in run["artifacts"]] == ["a", "b"]
    locations = [each["locations"][0]["physicalLocation"] for each in run["results"]]
    assert [each["artifactLocation"]["index"] for each in locations] == [0, 1, 0]


def test_what_cannot_be_read_makes_the_invocation_fail() -> None:
    (invocation,) = run_of(checked(HEAD), Checked(file="b", error="no such file"))["invocations"]
    assert invocation == {
        "executionSuccessful": False,
        "toolExecutionNotifications": [
            {
                "level": "error",
                "message": {"text": "no such file"},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": "b", "index": 1}}}],
            }
        ],
    }


def test_what_is_not_listed_is_said() -> None:
    (invocation,) = run_of(Checked(file="a", omitted=3, explained=2))["invocations"]
    assert invocation["executionSuccessful"]
    assert [
        (each["level"], each["message"]["text"])
        for each in invocation["toolExecutionNotifications"]
    ] == [
        ("warning", "3 more findings are not listed"),
        ("note", "2 findings are explained by octets that the capture has lost"),
    ]


def test_a_fingerprint_stays_when_lines_are_added_above() -> None:
    def fingerprints(*found: Finding) -> set[str]:
        results = run_of(Checked(file="a", findings=found))["results"]
        return {result["partialFingerprints"]["odataBatch/v1"] for result in results}

    one = finding("", "items[0]", place())
    assert len(fingerprints(one, finding("", "items[0]", place(offset=99)))) == 1
    assert len(fingerprints(one, finding("", "items[1]", place()))) == 2
    assert len(fingerprints(one, finding("raw/1", "items[0]", place()))) == 2
    assert len(fingerprints(one, finding("", "items[0]", place(), "found another"))) == 2


# -- URIs --


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a.http", "a.http"),
        ("-", "-"),
        ("dir/a b.http", "dir/a%20b.http"),
        ("a:b", "a%3Ab"),
        ("?#%", "%3F%23%25"),
        ("ë", "%C3%AB"),
        ("\udcff", "%FF"),
        ("\ud800", "%ED%A0%80"),
        ("\x1b", "%1B"),
        ("../a", "../a"),
        ("/var/a", "file:///var/a"),
        ("//a", "file:////a"),
        ("C:/a", "C%3A/a"),
    ],
)
def test_a_file_name_becomes_a_uri(file: str, uri: str) -> None:
    assert uri_of(file) == uri


pieces = st.sampled_from((HEAD, b"\x1b[2J", b"\xff", b"\r\n", b"--b--", part(), part(TWO_BLANKS)))


@given(st.lists(pieces).map(b"".join), st.text())
def test_every_log_is_valid(data: bytes, file: str) -> None:
    log_of(checked(data, file))
