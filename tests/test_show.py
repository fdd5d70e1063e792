"""What `show` prints, detail by detail; `test_recorded` has whole captures."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .command_line import (
    CLEAN,
    HEAD,
    JSON_HEAD,
    NO_CONTENT,
    RESPONSE_HEAD,
    SPACE_BEFORE_COLON,
    TWO_SPACES,
    WARNED,
    Output,
    har,
    run,
)
from .helpers import batch, change_set, member, part


def shown(data: bytes, *arguments: str) -> list[str]:
    return run("show", *arguments, "-", data=data).lines


ODD = b"GET a\xffb\xe2\x98\x83\xc2\x9b HTTP/1.1\r\n\r\n"


def tree(data: bytes, *arguments: str) -> list[str]:
    """The lines between the outer message and the findings."""
    return "\n".join(shown(data, *arguments)).split("\n\n")[1].split("\n")


def findings(data: bytes) -> list[list[str]]:
    """Every finding with its excerpt and explanations."""
    texts = "\n".join(shown(data)).split("\n\n")
    return [text.split("\n") for text in texts if text.startswith(("error[", "warning[", "note["))]


def test_what_is_no_batch_is_told() -> None:
    done = run("show", "-", data=b'{"log":{"entries":[{"request":{"method":"GET","url":"/a"}}]}}')
    assert done == (0, b"-: no batch among 1 exchange\n", "")
    done = run("show", "-", data=b"PK\x03\x04")
    assert done.status == 1 and done.lines[0].startswith("error[capture-unreadable]: ")


JSON_RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"responses":[]}'


def wrapped(inner: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/http\r\n\r\n" + inner


@pytest.mark.parametrize(
    ("data", "heading"),
    [
        (b"", "unknown format"),
        (b"--b--", "batch request, multipart"),
        (b'{"responses":[]}', "batch response, JSON"),
        (b"GET / HTTP/1.1\nContent-Type: Multipart/Other\n\n", "batch request, multipart"),
        (b"Content-Type: text/plain\n\n", "batch request, unknown format"),
        (wrapped(RESPONSE_HEAD + b"--b--"), "batch response, multipart in application/http"),
        (wrapped(JSON_RESPONSE), "batch response, JSON in application/http"),
        (wrapped(b"HTTP/1.1 500 \r\n\r\n"), "batch response, unknown format in application/http"),
        (b"Host: a\r\n\r\n{}", "unknown format"),
    ],
)
def test_the_first_line_says_kind_and_format(data: bytes, heading: str) -> None:
    assert shown(data)[0] == heading


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (HEAD + b"--b--\r\n", ["body: 7 bytes", "  | --b--"]),
        (HEAD + batch(change_set()), ["items[0]  change set of 0 operations"]),
        (RESPONSE_HEAD + batch(NO_CONTENT), ["items[0]  204 No Content"]),
        (RESPONSE_HEAD + batch(part(b"HTTP/1.1 200 \r\n\r\n")), ["items[0]  200"]),
        (RESPONSE_HEAD + batch(part(b"HTTP/1.1 200 \xe4\r\n\r\n")), ["items[0]  200 ä"]),
        (HEAD + batch(part(ODD)), ["items[0]  GET a\\xffb\N{SNOWMAN}\\x9b"]),
        (
            JSON_HEAD + b'{"requests":[{"id":"1","method":"GET","url":"a","atomicityGroup":"g"},'
            b'{"id":"2","method":"GET","url":"b","dependsOn":["1","g"],"if":"$1 eq 1","x":{}}]}',
            [
                *("items[0]  change set g of 1 operation", "  items[0].items[0]  GET a"),
                *("    id: 1", "items[1]  GET b", "  id: 2", "  dependsOn: 1, g", "  if: $1 eq 1"),
                "  x: {} (not defined by the standard)",
            ],
        ),
    ],
)
def test_items_are_shown(data: bytes, lines: list[str]) -> None:
    assert tree(data) == lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"Prefer: continue-on-error\r\n", ["  continue-on-error: true"]),
        (b"prefer: OData.Continue-On-Error=false\r\n", ["  continue-on-error: false"]),
        (b"", []),
    ],
)
def test_continue_on_error_is_shown_where_it_is_set(data: bytes, lines: list[str]) -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n" + data + b"\r\n"
    assert shown(head + batch(part()))[2 : 2 + len(lines) + 1] == [*lines, ""]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"a", "  | a"),
        (b"a\r\n", "  | a"),
        (b"a\r\nb", "  | a ..."),
        (b"a\n", "  | a"),
        (b"\na", "  |  ..."),
        (b"a" * 92, f"  | {'a' * 92}"),
        (b"a" * 93, f"  | {'a' * 92} ..."),
        ("\N{SNOWMAN}".encode() * 200, f"  | {chr(0x2603) * 92} ..."),
        (b"\xff\x00\x1b[1m\t\x7f\xc2\x85\xe2\x80\xae", r"  | \xff\x00\x1b[1m\t\x7f\x85\u202e"),
        (b"\\", "  | \\"),
    ],
)
def test_of_a_body_the_beginning_is_shown(body: bytes, line: str) -> None:
    assert tree(HEAD + batch(part(b"PUT a HTTP/1.1\r\n\r\n" + body)))[1:] == [
        f"  body: {len(body)} byte{'s' * (len(body) > 1)}",
        f"  {line}",
    ]


def test_all_headers_and_lines_of_bodies_are_shown_on_request() -> None:
    put = b"PUT a HTTP/1.1\r\nB: \x1b[1m\r\nA: 1\r\nb: \xe4\r\n\r\na\r\n\n\x08b\\n\n"
    assert tree(HEAD + batch(part(put)), "--headers", "--bodies")[1:] == [
        "  B: \\x1b[1m",
        "  A: 1",
        "  b: ä",
        "  body: 9 bytes",
        "    | a",
        "    | ",
        r"    | \x08b\n",
    ]


def test_colours_say_how_bad_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    head = RESPONSE_HEAD.replace(b"\r\n\r\n", b"\r\nETag: x\r\n\r\n")
    ok = part(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n")
    data = head + ok + part(b"HTTP/1.1 400 Bad\r\n\r\n") + b"--b\r\n"
    lines = run("show", "-", data=data, output=Output(is_terminal=True)).lines
    painted = [
        line.replace("\x1b[0m", ">").replace("\x1b[", "<") for line in lines if "\x1b" in line
    ]
    assert [line.partition(">:")[0].removesuffix(">") + ">" for line in painted] == [
        "<1mbatch response, multipart>",
        "  <31mtruncated: the close delimiter is missing>",
        "<1mitems[0]>  <32m200 OK>",
        "<1mitems[1]>  <31m400 Bad>",
        "<1;36mnote[outer-response-header]>",
        "<1;31merror[header-white-space-before-colon]>",
        "<1;33mwarning[truncated-response]>",
    ]


@pytest.mark.parametrize(
    ("data", "arguments", "lines"),
    [
        (har((batch(part()), None)), ["--resolve"], ["-> https://h/service/People"]),
        (
            HEAD.replace(b"\r\nC", b"\r\nHost: a\r\nC") + batch(part()),
            ["--resolve"],
            ["-> https://a/service/People"],
        ),
        (HEAD + batch(part()), ["--resolve"], []),
        (HEAD + batch(part()), ["--url", "http://c/$batch"], ["-> http://c/People"]),
        (
            HEAD + batch(part(b"GET $9 HTTP/1.1\r\n\r\n")),
            ["--url", "http://c/$batch"],
            ["-> 9: nothing in this batch"],
        ),
        (RESPONSE_HEAD + batch(NO_CONTENT), ["--resolve"], []),
    ],
)
def test_what_urls_mean_is_shown(data: bytes, arguments: list[str], lines: list[str]) -> None:
    shown_lines = [line.strip() for line in shown(data, *arguments)]
    assert [line for line in shown_lines if line.startswith("-> ")] == lines
    with pytest.raises(SystemExit):
        run("show", "--url", "/$batch", "-")


# -- the findings, which `check` prints likewise --


def test_a_finding_is_explained_and_has_its_place_in_a_decoded_body() -> None:
    body = batch(TWO_SPACES)
    fields = b"\r\nTransfer-Encoding: chunked\r\nIf-Match: *\r\n\r\n"
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    found = findings(HEAD.replace(b"\r\n\r\n", fields) + chunks)
    assert [each for lines in found for each in lines if each.startswith("  -->")] == [
        *(
            "  --> -, headers",
            "  --> -:6:1, byte 117",
            "  --> -, line 5, byte 74 of the body, items[0]",
        )
    ]
    (found_last,) = findings(HEAD + b"--c--")
    assert found_last[-1] == "  = Nothing after this point was read."


@pytest.mark.parametrize(
    ("data", "line", "caret"),
    [
        (HEAD + batch(part(b"GET  a\\n\tHTTP/1.1\r\n\r\n")), r"GET  a\\n␉HTTP/1.1␍␊", 0),
        (HEAD + batch(part(b"GET \x00\x7f\xff\r\n\r\n")), r"GET ␀␡\xff␍␊", 0),
        (HEAD + batch(part("GET  \u2603\u202e\r\n\r\n".encode())), "GET  \u2603\\u202e␍␊", 5),
        (CLEAN.replace(b"\r\n", b"\n"), "--b␊", 0),
        (WARNED.rstrip(), "--b--", 0),
        (HEAD + part(), "(end)", 0),
        # A line that just fits, and lines that are cut.
        (HEAD + batch(part(b"GET  " + b"a" * 66 + b"\r\n\r\n")), f"GET  {'a' * 66}␍␊", 0),
        (HEAD + batch(part(b"GET  " + b"a" * 67 + b"\r\n\r\n")), f"GET  {'a' * 67}␍...", 0),
        *(
            (
                JSON_HEAD + f'{{"requests":[],"x":"{each * 1000}","y":"{each * 1000}"}}'.encode(),
                f'...{each * 35}","y":"{each * 28}...',
                40,
            )
            for each in ("a", "\N{SNOWMAN}", "\N{SLIGHTLY SMILING FACE}")
        ),
    ],
)
def test_the_line_of_a_finding_is_quoted(data: bytes, line: str, caret: int) -> None:
    shown, carets = (each for each in findings(data)[-1] if each.startswith("  | "))
    assert (shown, carets.rstrip("^")) == (f"  | {line}", f"  | {' ' * caret}")


# -- the summary --

PUT = b"PUT a HTTP/1.1\r\n\r\n"
SETS = batch(change_set(member(PUT, b"1"), member(PUT, b"2")), part(), change_set(member(PUT)))
NO_SETS = ", 0 change sets; 0 errors, 0 warnings, "


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "no batch; 1 error, 0 warnings, 0 notes"),
        (HEAD + SETS, "4 operations, 2 change sets; 0 errors, 1 warning, 0 notes"),
        (RESPONSE_HEAD + batch(NO_CONTENT), f"1 response{NO_SETS}0 notes"),
        (HEAD + batch(*[TWO_SPACES] * 105), f"105 operations{NO_SETS}105 notes; 5 not listed"),
    ],
)
def test_the_summary_counts(data: bytes, line: str) -> None:
    assert shown(data)[-1] == line


pieces = st.sampled_from(
    (
        *(HEAD, RESPONSE_HEAD, JSON_HEAD, b"\x1b[2J", b"\xff", b"\r\n", b"\n", b"--b--", b"{"),
        *(
            part(),
            part(b"HTTP/1.1 204 \r\n\r\n\x07"),
            change_set(member(b"PUT \xe2 a\r\n\r\n\x9b")),
        ),
        *(b'{"requests":[', b'{"id":"\\u001b","method":"GET","url":"a"}', b"]}", wrapped(b"")),
        SPACE_BEFORE_COLON,
    )
)


@given(
    st.binary() | st.lists(pieces).map(b"".join),
    st.sets(st.sampled_from(["--headers", "--bodies"])),
)
def test_a_terminal_obeys_nothing_in_a_capture(data: bytes, options: set[str]) -> None:
    done = run("show", *sorted(options), "-", data=data)
    assert all(line.isprintable() for line in done.lines) and done.status in (0, 1)
    totals = r".*; \d+ errors?, \d+ warnings?, \d+ notes?(; \d+ not listed)?"
    assert re.fullmatch(totals, done.lines[-1])
