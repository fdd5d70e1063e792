"""What `check` prints as text, concise, json and github; word for word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import Diagnostic, Rule, Severity
from odata_batch._cli.check import Checked, Finding, Place, check_file
from odata_batch._cli.report import (
    Style,
    concise_lines,
    dumped,
    github_lines,
    json_lines,
    summary_lines,
    text_lines,
)
from odata_batch._cli.terminal import pictured, quoted
from odata_batch.dialects import GRAPH, ODATA_4_01

from .helpers import batch, change_set, member, part

SCHEMA = Path(__file__).with_name("schemas") / "check.schema.json"
HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
TWO_BLANKS = b"GET  People HTTP/1.1\r\n\r\n"
BLANK_BEFORE_COLON = b"GET People HTTP/1.1\r\nPrefer : return=minimal\r\n\r\n"


def plain(colour: str, text: str) -> str:
    return text


STYLE = Style(paint=plain, show=pictured)


def place(origin: str = "file") -> Place:
    values = {"offset": 7, "length": 3, "line": 2, "column": 4, "end_column": 7}
    return Place(**values, origin=origin, before=b"GET", after=b" \x1ba\r\n")  # type: ignore[arg-type]  # any origin


def finding(
    source: str = "", path: str = "", found: Place | None = None, message: str = "found it"
) -> Finding:
    return Finding(
        diagnostic=Diagnostic(Rule.REQUEST_LINE_BLANKS, message, 7, path),
        source=source,
        place=found,
    )


def text_of(checked: Checked, style: Style = STYLE) -> str:
    return "".join(f"{line}\n" for line in text_lines(checked, style))


def of(*findings: Finding, file: str = "a.http") -> Checked:
    return Checked(file=file, findings=findings, batches=1, worst=Severity.NOTE)


# -- text --


def test_text_shows_place_octets_and_remedy_and_explains_a_rule_once() -> None:
    data = HEAD + batch(part(BLANK_BEFORE_COLON), part(TWO_BLANKS), part(TWO_BLANKS))
    assert text_of(check_file("captures/a.http", data, ODATA_4_01)) == dedent(
        r"""
        error[header-blank-before-colon]: field line 'Prefer : return=minimal' has a
            blank before its colon
          --> captures/a.http:9:1, byte 171, items[0]
          | Prefer : return=minimal␍␊
          | ^
          = No blank stands between a field name and its colon. (RFC 9112, 5.1)
          = To fix: Remove the blank before the colon.

        note[request-line-blanks]: found superfluous blanks in 'GET  People HTTP/1.1'
          --> captures/a.http:16:1, byte 274, items[1]
          | GET  People HTTP/1.1␍␊
          | ^
          = One blank separates the elements of a request line. (RFC 9112, 3)
          = To fix: Write one blank between the elements, and none at the end of the
            line.

        note[request-line-blanks]: found superfluous blanks in 'GET  People HTTP/1.1'
          --> captures/a.http:23:1, byte 374, items[2]
          | GET  People HTTP/1.1␍␊
          | ^

        """
    ).removeprefix("\n")


def test_text_says_where_reading_has_ended() -> None:
    assert text_of(check_file("a", HEAD + b"--c--", ODATA_4_01)) == dedent(
        r"""
        error[no-delimiter]: body starts with '--c--', Content-Type says 'b'
          --> a:4:1, byte 76
          | --c--
          | ^
          = A multipart body has a delimiter line made of two hyphens and the boundary.
            (RFC 2046, 5.1.1)
          = To fix: Make the delimiter lines and the boundary parameter agree, letter by
            letter.
          = Nothing behind this place was read.

        """
    ).removeprefix("\n")


def test_text_without_pictures_has_escapes() -> None:
    style = Style(paint=plain, show=quoted)
    assert r"  | GET \x1ba\r\n" in text_of(of(finding(found=place())), style).split("\n")


def test_text_of_a_file_without_findings_is_empty() -> None:
    assert text_of(check_file("a", HEAD + batch(part()), ODATA_4_01)) == ""


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (finding(), "a.http"),
        (finding(path="headers"), "a.http, headers"),
        (finding(found=place()), "a.http:2:4, byte 7"),
        (finding(found=place("body")), "a.http, line 2, byte 7 of the body"),
        (finding("raw/1.request", found=place("member")), "a.http raw/1.request, line 2, byte 7"),
        (
            finding("entries[3].response", "items[0]", place("body")),
            "a.http entries[3].response, line 2, byte 7 of the body, items[0]",
        ),
        (finding("entries[3]", "headers"), "a.http entries[3], headers"),
    ],
)
def test_text_tells_the_place_by_what_it_counts_in(found: Finding, line: str) -> None:
    lines = text_of(of(found)).split("\n")
    assert lines[1] == f"  --> {line}"
    assert lines[2].startswith("  | ") == (found.place is not None)


def test_text_is_coloured_by_severity() -> None:
    style = Style(paint=lambda colour, text: f"<{colour} {text}>", show=quoted)
    data = HEAD + batch(part(BLANK_BEFORE_COLON), part(TWO_BLANKS)) + b"--b\r\n"
    headings = [
        line.split(":")[0]
        for line in text_of(check_file("a", data, ODATA_4_01), style).split("\n")
        if line.startswith("<")
    ]
    assert headings == [
        "<1;31 error[header-blank-before-colon]>",
        "<1;36 note[request-line-blanks]>",
        "<1;33 warning[epilogue-delimiter]>",
    ]


def test_text_fits_into_80_columns() -> None:
    url = b"People?$filter=" + b"x" * 500
    data = HEAD + batch(part(b"GET  " + url + b" HTTP/1.1\r\n\r\n"), part(BLANK_BEFORE_COLON))
    lines = text_of(check_file("a", data, ODATA_4_01)).split("\n")
    assert max(len(line) for line in lines if line.startswith("  ")) == 80


# -- the summary --


@pytest.mark.parametrize(
    ("results", "lines"),
    [
        ([], ["0 files, 0 errors, 0 warnings, 0 notes"]),
        ([Checked(file="a")], ["1 file, 0 errors, 0 warnings, 0 notes"]),
        ([of(finding(), finding()), of(finding())], ["2 files, 0 errors, 0 warnings, 3 notes"]),
        (
            [Checked(file="a", omitted=2)],
            ["1 file, 0 errors, 0 warnings, 0 notes; 2 more not listed"],
        ),
        (
            [Checked(file="a", explained=1, others=1)],
            [
                "1 file, 0 errors, 0 warnings, 0 notes; 1 explained by octets that the capture",
                "    has lost; 1 message without a batch",
            ],
        ),
        (
            [Checked(file="a", others=2), Checked(file="b", error="no such file")],
            [
                "2 files, 0 errors, 0 warnings, 0 notes; 2 messages without a batch; 1 file not",
                "    read",
            ],
        ),
    ],
)
def test_the_summary_counts(results: list[Checked], lines: list[str]) -> None:
    assert list(summary_lines(results)) == lines


def test_the_summary_counts_by_severity() -> None:
    data = HEAD + batch(part(BLANK_BEFORE_COLON), part(TWO_BLANKS)) + b"--b\r\n"
    found = check_file("a", data, ODATA_4_01)
    assert list(summary_lines([found, found])) == ["2 files, 2 errors, 2 warnings, 2 notes"]


# -- concise --


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (finding(found=place()), "a.http:2:4: note[request-line-blanks] found it"),
        (
            finding(path="items[0]", found=place()),
            "a.http:2:4: note[request-line-blanks] items[0]: found it",
        ),
        (finding(), "a.http: note[request-line-blanks] found it"),
        (
            finding("entries[3].request", "items[0]", place("body")),
            "a.http: note[request-line-blanks] entries[3].request, byte 7 of the body, items[0]: "
            "found it",
        ),
        (
            finding("raw/1.request", found=place("member")),
            "a.http: note[request-line-blanks] raw/1.request, byte 7: found it",
        ),
        (
            finding(message="a\x1b[1m\nb"),
            r"a.http: note[request-line-blanks] a\x1b[1m\nb",
        ),
    ],
)
def test_concise_is_one_line_for_each_finding(found: Finding, line: str) -> None:
    assert list(concise_lines(of(found))) == [line]


# -- github --


def test_github_annotates_line_and_column() -> None:
    data = HEAD + batch(part(TWO_BLANKS)) + b"--b\r\n"
    assert list(github_lines(check_file("dir/a.http", data, ODATA_4_01))) == [
        "::notice file=dir/a.http,line=8,col=1,title=request-line-blanks::items[0]: found "
        "superfluous blanks in 'GET  People HTTP/1.1'%0AOne blank separates the elements of a "
        "request line. (RFC 9112, 3)%0AWrite one blank between the elements, and none at the end "
        "of the line.",
        "::warning file=dir/a.http,line=12,col=1,title=epilogue-delimiter::a delimiter line "
        "follows the close delimiter; it is not read%0ANo delimiter line follows the close "
        "delimiter. (RFC 2046, 5.1.1)%0AMove the parts in front of the close delimiter, and send "
        "only one of them.",
    ]


def test_github_escapes_what_would_end_a_property_or_a_command() -> None:
    found = finding(message="100% \x1b[1m\r\na: b, c")
    (line,) = github_lines(of(found, file="50%, a:b\r\n\x1bc"))
    assert line.startswith(
        "::notice file=50%25%2C a%3Ab%0D%0A\x1bc,title=request-line-blanks::"
        "100%25 \\x1b[1m\\r\\na: b, c%0AOne blank"
    )


@given(st.text())
def test_a_workflow_command_names_the_file_in_one_line(file: str) -> None:
    (line,) = github_lines(of(finding(), file=file))
    assert "\r" not in line and "\n" not in line
    beginning, found, _ = line.partition(",title=")
    name = beginning.removeprefix("::notice file=")
    assert found and ":" not in name and "," not in name
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ",")):
        name = name.replace(escape, character)
    assert name.replace("%25", "%") == file


def test_github_has_no_line_where_the_file_has_none() -> None:
    (line,) = github_lines(of(finding("entries[0].request", "items[1]", place("body"))))
    assert line.startswith(
        "::notice file=a.http,title=request-line-blanks::"
        "entries[0].request, byte 7 of the body, items[1]: found it%0A"
    )


def test_github_says_errors_and_unreadable_files() -> None:
    data = HEAD + batch(part(BLANK_BEFORE_COLON))
    (line,) = github_lines(check_file("a", data, ODATA_4_01))
    assert line.startswith("::error file=a,line=9,")
    assert list(github_lines(Checked(file="b", error="Is a directory"))) == [
        "::error file=b,title=unreadable::Is a directory"
    ]


# -- json --


def document(*results: Checked) -> dict[str, object]:
    text = "\n".join(json_lines(results, "9.8.7", GRAPH))
    loaded: dict[str, object] = json.loads(text)
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_bytes())).validate(loaded)
    return loaded


def test_json_is_one_document() -> None:
    data = HEAD + batch(part(TWO_BLANKS))
    assert document(check_file("a", data, ODATA_4_01), Checked(file="b", error="no")) == {
        "version": 1,
        "tool": {"name": "odata-batch", "version": "9.8.7"},
        "dialect": GRAPH.name,
        "files": [
            {
                "file": "a",
                "error": None,
                "batches": 1,
                "others": 0,
                "findings": [
                    {
                        "rule": "request-line-blanks",
                        "severity": "note",
                        "message": "found superfluous blanks in 'GET  People HTTP/1.1'",
                        "source": "",
                        "path": "items[0]",
                        "place": {
                            "origin": "file",
                            "offset": data.index(b"GET"),
                            "length": 20,
                            "line": 8,
                            "column": 1,
                            "endColumn": 21,
                            "before": "",
                            "after": r"GET  People HTTP/1.1\r\n",
                        },
                    }
                ],
                "omitted": 0,
                "explained": 0,
            },
            {
                "file": "b",
                "error": "no",
                "batches": 0,
                "others": 0,
                "findings": [],
                "omitted": 0,
                "explained": 0,
            },
        ],
        "rules": {
            "request-line-blanks": {
                "severity": "note",
                "fatal": False,
                "sentence": "One blank separates the elements of a request line.",
                "citation": "RFC 9112, 3",
                "remedy": "Write one blank between the elements, and none at the end of the line.",
            }
        },
        "totals": {
            "files": 2,
            "unreadable": 1,
            "batches": 1,
            "others": 0,
            "errors": 0,
            "warnings": 0,
            "notes": 1,
            "omitted": 0,
            "explained": 0,
        },
    }


def test_json_of_a_finding_without_place() -> None:
    files = document(of(finding("entries[0].request", message="\ud800\x1b"), file="\udcff"))[
        "files"
    ]
    assert files == [
        {
            "file": "\udcff",
            "error": None,
            "batches": 1,
            "others": 0,
            "findings": [
                {
                    "rule": "request-line-blanks",
                    "severity": "note",
                    "message": r"\ud800\x1b",
                    "source": "entries[0].request",
                    "path": "",
                    "place": None,
                }
            ],
            "omitted": 0,
            "explained": 0,
        }
    ]


def test_json_of_nothing() -> None:
    assert document()["files"] == []


def test_json_of_an_unknown_version() -> None:
    assert json.loads("\n".join(json_lines([], None, ODATA_4_01)))["tool"]["version"] is None


@given(st.text())
def test_a_json_text_is_printable_ascii(text: str) -> None:
    lines = list(dumped({"a": text}))
    assert json.loads("\n".join(lines)) == {"a": text}
    assert all(line.isascii() and line.isprintable() for line in lines)


# -- anything --

pieces = st.sampled_from(
    (
        *(HEAD, b"\x1b[2J", b"\xff", b"\r\n", b"\n", b"--b--", b"{", part(), part(TWO_BLANKS)),
        *(part(BLANK_BEFORE_COLON), change_set(member(b"PUT \xe2 a\r\n\r\n\x9b"))),
        *(b'{"requests":[', b'{"id":"\\u001b","method":"GET","url":"a"}', b"]}"),
    )
)


@given(st.lists(pieces).map(b"".join), st.text())
def test_a_terminal_obeys_nothing_in_a_capture(data: bytes, file: str) -> None:
    checked = check_file(file, data, ODATA_4_01)
    commands = github_lines(replace(checked, file="a"))
    lines = [*text_lines(checked, STYLE), *concise_lines(checked), *commands]
    assert all(line.isprintable() for line in (*lines, *json_lines([checked], "1", GRAPH)))
