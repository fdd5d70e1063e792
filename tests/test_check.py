"""`check`: what is found in a file, where it is, what is counted, and how it is printed."""

from __future__ import annotations

import base64
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .command_line import (
    CLEAN,
    HEAD,
    JSON_HEAD,
    NO_CONTENT,
    NOTED,
    RESPONSE_HEAD,
    SPACE_BEFORE_COLON,
    TWO_SPACES,
    WARNED,
    checked,
    document,
    findings,
    har,
    run,
    slugs,
    validator,
)
from .helpers import GET, batch, change_set, member, needed, part


def places(data: bytes) -> list[Any]:
    return [each["place"] for each in findings(data)]


def chunked(fields: bytes, body: bytes) -> bytes:
    """A message whose body has no place in the file, because it is decoded."""
    head = HEAD.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n" + fields + b"\r\n")
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def saz(request: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("raw/1_c.txt", request)
    return file.getvalue()


# -- places --


def test_a_place_is_octet_line_and_column_in_the_file() -> None:
    data = HEAD + batch(part(b"GET People HTTP/1.1\r\nA: 1\r\nB : 2\r\n\r\n"))
    start = {"origin": "file", "offset": data.index(b"B : 2"), "length": 5, "line": 10}
    assert places(data) == [
        {**start, "column": 1, "endColumn": 6, "before": "", "after": r"B : 2\r\n"}
    ]


def test_a_column_counts_characters_and_octets_that_are_none() -> None:
    text = '{"é\N{SNOWMAN}":1,"requests":[{"id":"1","method":"GET","url":"a","url":"b"}]}'
    place = places(JSON_HEAD + text.encode())[-1]
    assert (place["line"], place["column"]) == (4, text.rindex('"url"') + 1)
    line = b'{"requests":[{"id":"1","method":"GET","url":"'
    (place,) = places(JSON_HEAD + line + b'\xff"}]}')
    assert (place["column"], place["endColumn"]) == (len(line) + 1, len(line) + 6)


def test_a_byte_order_mark_is_no_column() -> None:
    text = b'\xef\xbb\xbf{"requests":[{"id":"1","method":"GET","url":"a","x":1}]}'
    first, second, third = places(text)
    assert [(each["offset"], each["column"]) for each in (first, second)] == [(0, 1), (0, 1)]
    assert third["column"] == third["offset"] - 3 + 1


@pytest.mark.parametrize(
    ("line", "length", "columns"),
    [
        *((b"A : " + b"x" * 76, 80, 80), (b"A : " + b"x" * 77, 80, 80)),
        (b"A : " + b"x" * 75 + "ë".encode(), 79, 79),
        (b"A : " + b"x" * 74 + "ë".encode(), 80, 79),
        (b"A : " + b"x" * 73 + "\N{SNOWMAN}x".encode(), 80, 78),
        (b"A : " + b"x" * 74 + "\N{SNOWMAN}x".encode(), 78, 78),
        (b"A : " + b"x" * 73 + "\N{SLIGHTLY SMILING FACE}x".encode(), 77, 77),
        (b"A : " + b"\x80" * 100, 77, 77),
    ],
)
def test_80_octets_are_marked_and_no_character_is_cut(
    line: bytes, length: int, columns: int
) -> None:
    place = places(HEAD + batch(part(b"GET People HTTP/1.1\r\n" + line + b"\r\n\r\n")))[0]
    assert (place["length"], place["endColumn"] - place["column"]) == (length, columns)


def test_the_octets_that_are_wrong_are_marked_in_every_format() -> None:
    data = RESPONSE_HEAD.replace(b"\r\n\r\n", b"\r\nX a: 1\r\n\r\n") + batch()
    assert "  | X a: 1␍␊\n  | ^^^^^^\n" in run("check", "-", data=data).text
    (place,) = [each["place"] for each in findings(data) if each["rule"] == "header-syntax"]
    assert data[place["offset"] :][: place["length"]] == b"X a: 1"
    assert "col=1,endColumn=7," in run("check", "-", "--format", "github", data=data).text


def test_a_place_at_the_end_marks_nothing() -> None:
    data = HEAD + part()
    (place,) = places(data)
    assert (place["offset"], place["length"], place["after"]) == (len(data), 0, "")
    assert (place["line"], place["column"], place["endColumn"]) == (data.count(b"\n") + 1, 1, 1)


def test_of_a_long_line_a_window_is_kept() -> None:
    data = JSON_HEAD + b'{"requests":[],"x":"' + b"y" * 1000 + b'","z":"' + b"y" * 1000 + b'"}'
    place = places(data)[-1]
    assert (len(place["before"]), len(place["after"])) == (400, 400)


@given(
    st.lists(st.sampled_from([TWO_SPACES, part(b"GET a\r\n\r\n"), SPACE_BEFORE_COLON, b"\xff--b"]))
)
def test_every_place_agrees_with_the_octets(parts: list[bytes]) -> None:
    data = HEAD + batch(*parts)
    found = places(data)
    for place in found:
        before = data[: place["offset"]]
        assert place["line"] == before.count(b"\n") + 1
        assert place["column"] == len(before) - before.rfind(b"\n")
    # The decoder finds some things out last.
    assert [each["offset"] for each in found] == sorted(each["offset"] for each in found)


@pytest.mark.parametrize(
    ("start_line", "field", "slug"),
    [
        (b"POST /$batch HTTP/1.1", b"If-Match: *", "outer-precondition"),
        (b"POST /$batch HTTP/1.1", b"if-none-match: *", "outer-precondition"),
        (b"POST /$batch HTTP/1.1", b"X-HTTP-Method: PATCH", "method-tunnel"),
        (b"POST /$batch HTTP/1.1", b"Prefer: return", "outer-preference"),
        (b"POST /$batch HTTP/1.1", b"Prefer: maxpagesize", "outer-preference"),
        (b"POST /$batch HTTP/1.1", b"Prefer: odata.track-changes", "outer-preference"),
        (b"POST /$batch HTTP/1.1", b"Prefer: continue-on-error=maybe", "preference-value"),
        (b"POST /$batch HTTP/1.1", b"OData-MaxVersion: four", "version-header"),
        (b"HTTP/1.1 200 OK", b"OData-Version: four", "version-header"),
        (b"HTTP/1.1 200 OK\r\nOData-Version: 4.0", b"Location: a", "outer-response-header"),
        (b"HTTP/1.1 200 OK\r\nOData-Version: 4.0", b"OData-EntityId: a", "outer-response-header"),
        (b"HTTP/1.1 200 OK\r\nOData-Version: 4.0", b"AsyncResult: done", "async-result"),
    ],
)
def test_a_finding_about_the_header_section_points_to_its_field(
    start_line: bytes, field: bytes, slug: str
) -> None:
    head = b"\r\n".join((start_line, b"Content-Type: multipart/mixed; boundary=b", field, b"", b""))
    data = head + batch(NO_CONTENT if start_line.startswith(b"HTTP") else part())
    (found,) = findings(data)
    assert (found["rule"], found["path"]) == (slug, "headers")
    assert found["place"]["offset"] == head.index(field)


def test_of_two_such_fields_the_one_that_is_named_is_pointed_to() -> None:
    fields = b"\r\nETag: a\r\nLocation: b\r\n\r\n"
    data = RESPONSE_HEAD.replace(b"\r\n\r\n", fields) + batch(NO_CONTENT)
    assert [each["after"] for each in places(data)] == [r"ETag: a\r\n", r"Location: b\r\n"]


@pytest.mark.parametrize(
    ("inner", "after"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\n\r\n", r"content-type: a/b\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\nnothing", "nothing"),
    ],
)
def test_a_finding_in_the_head_of_a_wrapped_message_points_there(inner: bytes, after: str) -> None:
    outer = b"HTTP/1.1 200 OK\r\nOData-Version: 4.0\r\nContent-Type: application/http\r\n\r\n"
    assert [each["after"] for each in places(outer + inner)] == [after]


def test_findings_without_place_come_first_and_those_in_a_decoded_body_last() -> None:
    body = batch(TWO_SPACES)
    found = findings(chunked(b"If-Match: *\r\nA : b\r\n", body))
    assert [(each["rule"], each["place"] and each["place"]["origin"]) for each in found] == [
        ("outer-precondition", None),
        ("header-white-space-before-colon", "file"),
        ("capture-decoded", "file"),
        ("request-line-spaces", "body"),
    ]
    assert (found[-1]["place"]["offset"], found[-1]["place"]["line"]) == (body.index(b"GET"), 5)


def test_a_finding_of_the_capture_may_have_no_place() -> None:
    (found,) = findings(har((None, batch(NO_CONTENT))))
    assert (found["rule"], found["source"]) == ("capture-incomplete", "entries[1]")
    assert found["place"] is None


# -- what is counted --


def counts(data: bytes, *arguments: str) -> dict[str, int]:
    """What is not zero."""
    totals: dict[str, int] = checked(data, *arguments)["totals"]
    return {name: number for name, number in totals.items() if number and name != "files"}


MANY = HEAD + batch(*[TWO_SPACES] * 150, SPACE_BEFORE_COLON, SPACE_BEFORE_COLON)
MANY_IN_HEAD = HEAD.replace(b"\r\n\r\n", b"\r\n" + b"a\r\n" * 150 + b"\r\n") + batch(part())
PAGE = b"HTTP/1.1 413 Too Large\r\nContent-Type: text/html\r\n\r\n<title>Sorry</title>"
PICTURE = b"PUT a HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n\xef\xbf\xbdPNG"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (CLEAN, {"batches": 1}),
        (NOTED, {"batches": 1, "notes": 1}),
        (WARNED, {"batches": 1, "warnings": 1}),
        (PAGE, {"others": 1, "errors": 1}),
        (har((batch(part()), batch(NO_CONTENT))), {"batches": 2, "others": 1}),
        (MANY, {"batches": 1, "errors": 2, "notes": 150, "omitted": 52}),
        (MANY_IN_HEAD, {"batches": 1, "errors": 100, "omitted": 50}),
        # What a loss explains is left out, and nothing else.
        (HEAD + batch(part(PICTURE), TWO_SPACES), {"batches": 1, "notes": 2, "explained": 1}),
        (HEAD + part(PICTURE), {"batches": 1, "errors": 1, "notes": 1}),
    ],
)
def test_messages_and_findings_are_counted(data: bytes, expected: dict[str, int]) -> None:
    assert counts(data) == expected
    assert run("check", "-", data=data).status == int("errors" in expected)


def test_a_loss_after_which_nothing_is_read_is_a_note() -> None:
    body = b"\x1f\x8b\x08\x00\xff".decode("utf-8", "replace").encode()
    head = HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    assert [(each["rule"], each["severity"]) for each in findings(head + body)] == [
        ("capture-coding", "note"),
        ("capture-lossy", "note"),
    ]


def test_a_dialect_gives_severities() -> None:
    data = HEAD + batch(part(head=b"Content-Type: application/http\r\n"))
    assert [counts(data, "--dialect", name) for name in ("4.01", "dataverse")] == [
        {"batches": 1, "notes": 1},
        {"batches": 1, "warnings": 1},
    ]


# -- a request and its response --


def test_a_response_is_checked_with_its_request() -> None:
    data = har((batch(part(), part()), batch(NO_CONTENT)), (None, batch(NO_CONTENT)))
    found = findings(data)
    assert [(each["rule"], each["source"]) for each in found] == [
        ("response-missing", "entries[1].response"),
        ("capture-incomplete", "entries[2]"),
    ]
    assert found[0]["place"]["origin"] == "body"


def test_a_response_is_not_compared_with_a_damaged_request() -> None:
    pair = (batch(SPACE_BEFORE_COLON, part()), batch(NO_CONTENT))
    assert slugs(har(pair)) == ["header-white-space-before-colon"]


@pytest.mark.parametrize(
    ("type_", "expected"),
    [("application/json", []), ("multipart/mixed; boundary=b", ["response-after-error"])],
)
def test_the_format_of_the_request_counts(type_: str, expected: list[str]) -> None:
    # A JSON batch goes on after an error, a multipart batch ends.
    head = b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: "
    heads = [head + b"1\r\n", head + b"2\r\n"]
    answer = [b"HTTP/1.1 404 Not Found\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]
    response = batch(*(part(each, head=head) for each, head in zip(answer, heads, strict=True)))
    request = batch(*(part(head=each) for each in heads))
    if type_ == "application/json":
        items = b'{"id":"1","method":"GET","url":"a"},{"id":"2","method":"GET","url":"b"}'
        request = b'{"requests":[%s]}' % items
    document = json.loads(har((request, response)))
    sent = document["log"]["entries"][1]["request"]
    sent["headers"] = [{"name": "Content-Type", "value": type_}]
    assert slugs(json.dumps(document).encode()) == expected


# -- text --


def test_text_explains_a_rule_once_and_fits_into_80_columns() -> None:
    long = part(b"GET  People?$filter=" + b"x" * 500 + b" HTTP/1.1\r\n\r\n")
    lines = run("check", "-", data=HEAD + batch(TWO_SPACES, TWO_SPACES, long)).lines
    explanation = "  = One space separates the elements of a request line. (RFC 9112, 3)"
    assert lines[:6] == [
        "note[request-line-spaces]: found superfluous spaces in 'GET  People HTTP/1.1'",
        "  --> -:8:1, byte 150, items[0]",
        "  | GET  People HTTP/1.1␍␊",
        "  | ^",
        explanation,
        "  = To fix: Write one space between the elements, and none at the end of the",
    ]
    assert lines.count(explanation) == 1
    assert max(len(line) for line in lines if line.startswith("  ")) == 80


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\t\x00\x1b\x7f\xff\\n\xe2\x98\x83", r"␉␀␛␡\xff\\n" + "\N{SNOWMAN}"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}\N{LANGUAGE TAG}".encode(), r"\u202e\U000e0001"),
    ],
)
def test_an_excerpt_has_pictures_and_escapes(data: bytes, line: str) -> None:
    done = run("check", "-", data=HEAD + batch(part(b"GET " + data + b"\r\n\r\n")))
    assert f"  | GET {line}␍␊" in done.lines


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (CLEAN, "0 notes"),
        (HEAD + batch(*[TWO_SPACES] * 105), "105 notes; 5 not listed"),
        (HEAD + batch(part(PICTURE)), "1 note; 1 explained by octets that the capture has"),
        (har(), "0 notes; 1 message without a batch"),
        (b'{"log":{"entries":[]}}', "0 notes; no message"),
    ],
)
def test_the_summary_counts(data: bytes, line: str) -> None:
    assert f"1 file, 0 errors, 0 warnings, {line}" in run("check", "-", data=data).lines


# -- concise and github --

ENTRY = har((batch(TWO_SPACES), batch(NO_CONTENT)))
AT, AT_150 = "byte 74 of the body, items[0]", "byte 150, items[0]"


@pytest.mark.parametrize(
    ("data", "text", "where", "github"),
    [
        (NOTED, "-:8:1, byte 150, items[0]", "-:8:1: items[0]: ", "-,line=8,col=1"),
        (ENTRY, f"- entries[1].request, line 5, {AT}", f"-: entries[1].request, {AT}: ", "-"),
        (saz(NOTED), f"- raw/1.request, line 8, {AT_150}", f"-: raw/1.request, {AT_150}: ", "-"),
        (chunked(b"", batch(TWO_SPACES)), f"-, line 5, {AT}", f"-: {AT}: ", "-"),
    ],
)
def test_a_finding_says_where_it_is(data: bytes, text: str, where: str, github: str) -> None:
    assert f"  --> {text}" in run("check", "-", data=data).lines
    told = "found superfluous spaces in 'GET  People HTTP/1.1'"
    start, _, place = where.partition(": ")
    line = run("check", "--format", "concise", "-", data=data).lines[-1]
    assert line == f"{start}: note[request-line-spaces] {place}{told}"
    line = run("check", "--format", "github", "-", data=data).lines[-1]
    assert line == (
        f"::notice file={github},title=request-line-spaces::{place}{told}%0AOne space separates "
        "the elements of a request line. (RFC 9112, 3)%0AWrite one space between the elements, and "
        "none at the end of the line."
    )


def test_github_escapes_what_would_end_a_property_or_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "50%, a:b\r\n\x1bc"
    url = b"GET  100%\x1b HTTP/1.1\r\n\r\n"
    Path(name).write_bytes(HEAD + batch(part(url)))
    line, _, rest = run("check", "--format", "github", name).text.partition("::items[0]: ")
    assert line.startswith(
        "::error file=50%25%2C a%3Ab%0D%0A\x1bc,line=8,col=1,endColumn=20,title="
    )
    assert "100%25\\" in rest.partition("%0A")[0] and rest.count("\n") == 1 + rest.count("\n::")


# -- json and sarif --


def test_the_schema_of_sarif_refuses_something() -> None:
    with pytest.raises(needed("jsonschema").ValidationError):
        validator("sarif").validate({"version": "2.1.0", "runs": [{}]})


def sarif(data: bytes, *arguments: str) -> Any:
    return checked(data, *arguments, format="sarif")


def test_sarif_leads_to_the_pages_of_rules_where_they_are() -> None:
    assert "helpUri" not in sarif(WARNED)["tool"]["driver"]["rules"][0]
    (rule,) = sarif(WARNED, "--rule-url", "https://example.org/rules/{}/#{}")["tool"]["driver"][
        "rules"
    ]
    assert rule["helpUri"] == f"https://example.org/rules/{rule['id']}/#{rule['id']}"


def test_sarif_has_regions_in_octets_and_the_same_in_lines() -> None:
    for octets, columns, snippet in (
        ("GET  ë HTTP/1.1".encode(), 15, {"text": "GET  ë HTTP/1.1"}),
        (b"GET  \xff HTTP/1.1", 15, {"binary": base64.b64encode(b"GET  \xff HTTP/1.1").decode()}),
    ):
        data = HEAD + batch(part(octets + b"\r\n\r\n"))
        results = sarif(data)["results"]
        (result,) = [each for each in results if each["ruleId"] == "request-line-spaces"]
        (location,) = result["locations"]
        assert location["physicalLocation"] == {
            "artifactLocation": {"uri": "-", "index": 0},
            "region": {
                **{"byteOffset": data.index(b"GET"), "byteLength": len(octets)},
                **{"startLine": 8, "startColumn": 1, "endLine": 8, "endColumn": 1 + columns},
                "snippet": snippet,
            },
        }
        assert location["logicalLocations"] == [{"fullyQualifiedName": "items[0]"}]


def test_sarif_has_a_logical_location_where_the_file_has_no_octets() -> None:
    pair = (batch(TWO_SPACES), None)
    incomplete, result = sarif(har(pair))["results"]
    (location,) = incomplete["locations"]
    assert location["physicalLocation"] == {"artifactLocation": {"uri": "-", "index": 0}}
    assert location["logicalLocations"] == [{"fullyQualifiedName": "entries[1]"}]
    assert "properties" not in incomplete
    assert result["locations"][0]["logicalLocations"] == [
        {"fullyQualifiedName": "entries[1].request.items[0]"}
    ]
    assert result["properties"] == {"origin": "body", "byteOffset": 74, "byteLength": 20}


def test_a_finding_of_the_whole_message_has_no_logical_location_in_sarif() -> None:
    (result,) = sarif(WARNED)["results"]
    assert "logicalLocations" not in result["locations"][0]


def test_a_fingerprint_stays_when_lines_are_added_above() -> None:
    def prints(data: bytes) -> list[str]:
        results = sarif(data)["results"]
        return [each["partialFingerprints"]["odataBatch/v1"] for each in results]

    (one,) = prints(NOTED)
    assert prints(b"\r\n\r\n" + NOTED) == [one]
    assert one not in prints(HEAD + batch(part(), TWO_SPACES))
    assert one not in prints(HEAD + batch(part(b"GET  a HTTP/1.1\r\n\r\n")))


def test_files_and_what_is_not_listed_are_in_sarif_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [])
    many = HEAD + batch(part(PICTURE), *[TWO_SPACES] * 105)
    names = ["b c", "?#%:", "\u00eb", "\x1b"]
    for name, data in zip(names, (WARNED, many, CLEAN, CLEAN), strict=True):
        Path(name).write_bytes(data)
    absolute = os.path.abspath("b c")
    log = document("sarif", run("check", "--format", "sarif", *names, "b c", absolute, "missing"))
    uris = [each["location"]["uri"] for each in log["artifacts"]]
    expected = ["b%20c", "%3F%23%25%3A", "%C3%AB", "%1B", "missing"]
    assert [*uris[:4], uris[5]] == expected
    assert uris[4].startswith("file:///") and uris[4].endswith("/b%20c")
    places = [each["locations"][0]["physicalLocation"] for each in log["results"]]
    assert [each["artifactLocation"]["index"] for each in places] == [0, *[1] * 100, 0, 4]
    # A version that is not known is left out.
    assert set(log["tool"]["driver"]) == {"name", "rules"}
    (invocation,) = log["invocations"]
    assert not invocation["executionSuccessful"]
    told = invocation["toolExecutionNotifications"]
    assert [(each["level"], each["message"]["text"]) for each in told] == [
        ("warning", "6 more findings are not listed"),
        ("note", "1 findings are explained by octets that the capture has lost"),
        ("error", "No such file or directory"),
    ]


# -- anything --

pieces = st.sampled_from(
    (
        *(HEAD, b"\x1b[2J", b"\xff", b"\r\n", b"\n", b"--b--", b"{", part(), TWO_SPACES),
        *(SPACE_BEFORE_COLON, change_set(member(b"PUT \xe2 a\r\n\r\n\x9b")), part(GET, head=b"")),
        *(b'{"requests":[', b'{"id":"\\u001b","method":"GET","url":"a"}', b"]}"),
    )
)


@given(st.binary() | st.lists(pieces).map(b"".join))
def test_a_terminal_obeys_nothing_in_a_capture(data: bytes) -> None:
    for format in ("text", "concise", "github"):
        done = run("check", "--format", format, "-", data=data)
        assert all(line.isprintable() for line in done.lines) and done.errors == ""
    for format in ("json", "sarif"):
        checked(data, format=format)
