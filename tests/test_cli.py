"""The command line: arguments, exit status, files, pipes and terminals."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odata_batch import Rule
from odata_batch._cli.main import main

from .helpers import GET, batch, part

ROOT = Path(__file__).resolve().parent.parent
HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
PUT = b"PUT Books(1) HTTP/1.1\r\nContent-Type: text/plain\r\nIf-Match: *\r\n\r\nEmma\r\nJane Austen"
CLEAN = HEAD + batch(part(PUT), part())
WARNED = HEAD + b"--b--\r\n"
BROKEN = HEAD + b"--c--\r\n"
SHOWN = """\
batch request, multipart
  POST /service/$batch HTTP/1.1
  Content-Type: multipart/mixed; boundary=b

items[0]  PUT Books(1)
  body: 17 bytes of text/plain
    | Emma ...
items[1]  GET People

2 operations, 0 change sets; 0 errors, 0 warnings, 0 notes
"""

Capsys = pytest.CaptureFixture[str]


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


@pytest.fixture
def clean(tmp_path: Path) -> str:
    return write(tmp_path / "clean.http", CLEAN)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# -- show --


def test_a_file_is_shown(clean: str, capsys: Capsys) -> None:
    assert main(["show", clean]) == 0
    assert capsys.readouterr() == (SHOWN, "")


def test_headers_and_bodies_are_shown_on_request(clean: str, capsys: Capsys) -> None:
    assert main(["show", "--headers", "--bodies", clean]) == 0
    assert capsys.readouterr().out.split("\n")[4:10] == [
        "items[0]  PUT Books(1)",
        "  Content-Type: text/plain",
        "  If-Match: *",
        "  body: 17 bytes of text/plain",
        "    | Emma",
        "    | Jane Austen",
    ]


@pytest.mark.parametrize(
    ("data", "arguments", "status"),
    [
        (CLEAN, [], 0),
        (WARNED, [], 0),
        (WARNED, ["--strict"], 1),
        (CLEAN, ["--strict"], 0),
        (BROKEN, [], 1),
        (b"", [], 1),
    ],
)
def test_the_exit_status_says_whether_there_are_errors(
    data: bytes, arguments: list[str], status: int, tmp_path: Path
) -> None:
    assert main(["show", write(tmp_path / "a", data), *arguments]) == status


@pytest.mark.parametrize(
    ("name", "severity"), [("2", "warning"), ("4.0", "warning"), ("4.01", "note")]
)
def test_the_dialect_decides_about_severities(
    name: str, severity: str, tmp_path: Path, capsys: Capsys
) -> None:
    data = HEAD + batch(part(GET, head=b"Content-Type: application/http\r\n"))
    assert main(["show", "--dialect", name, write(tmp_path / "a", data)]) == 0
    assert f"{severity}[content-transfer-encoding-missing]" in capsys.readouterr().out


def test_a_hyphen_is_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CLEAN)))
    assert main(["show", "-"]) == 0
    assert capsys.readouterr() == (SHOWN, "")


# -- usage --


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "odata-batch: error: a command is expected: check, convert, rules or show"),
        (["show"], "odata-batch show: error: the following arguments are required: FILE"),
        (["show", "a", "b"], "odata-batch: error: unrecognized arguments: b"),
        (["show", "--head", "a"], "odata-batch: error: unrecognized arguments: --head"),
        (["check"], "odata-batch check: error: the following arguments are required: FILE"),
        (["check", "-", "-"], "odata-batch check: error: standard input can be read once only"),
        (
            ["convert", "a"],
            "odata-batch convert: error: the following arguments are required: --to",
        ),
        (
            ["convert", "--to", "json", "--boundary", "b", "a"],
            "odata-batch convert: error: a JSON batch has no boundary",
        ),
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], message: str, capsys: Capsys) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert capsys.readouterr().err.endswith(f"{message}\n")


@pytest.mark.parametrize("dialect", ["3", "4", ""])
def test_an_unknown_dialect_is_wrong_usage(dialect: str, capsys: Capsys) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["show", "--dialect", dialect, "a"])
    assert raised.value.code == 2
    assert f"invalid choice: {dialect!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("show", {"--help", "--headers", "--bodies", "--strict", "--dialect"}),
        ("check", {"--help", "--format", "--fail-on", "--strict", "--dialect"}),
        ("convert", {"--help", "--to", "--output", "--message", "--boundary", "--dialect"}),
        ("rules", {"--help"}),
    ],
)
def test_help_names_the_options(command: str, options: set[str], capsys: Capsys) -> None:
    with pytest.raises(SystemExit) as raised:
        main([command, "--help"])
    assert raised.value.code == 0
    assert options <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path, capsys: Capsys) -> None:
    file = str(tmp_path / "missing")
    assert main(["show", file]) == 2
    expected = f"odata-batch: cannot read {file!r}: No such file or directory\n"
    assert capsys.readouterr() == ("", expected)


def test_a_directory_ends_with_2(tmp_path: Path, capsys: Capsys) -> None:
    assert main(["show", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_that_no_file_can_have_ends_with_2(capsys: Capsys) -> None:
    assert main(["show", "a\0b"]) == 2
    expected = "odata-batch: cannot read 'a\\x00b': embedded null byte\n"
    assert capsys.readouterr() == ("", expected)


def test_a_closed_standard_input_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["show", "-"]) == 2
    assert capsys.readouterr().err == ("odata-batch: cannot read '-': standard input is closed\n")


def test_the_version_is_that_of_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    (tmp_path / "odata_batch-9.8.7.dist-info").mkdir()
    metadata = tmp_path / "odata_batch-9.8.7.dist-info" / "METADATA"
    metadata.write_text("Metadata-Version: 2.4\nName: odata-batch\nVersion: 9.8.7\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "odata-batch 9.8.7\n"


def test_without_a_distribution_there_is_no_version(
    monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "odata-batch (not installed)\n"


# -- where it is printed --


def test_a_terminal_is_given_colours(clean: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stdout(Terminal()) as terminal:
        assert main(["show", clean]) == 0
    text = terminal.getvalue()
    assert text.startswith("\x1b[1mbatch request, multipart\x1b[0m\n")
    assert re.sub(r"\x1b\[[0-9;]+m", "", text) == SHOWN


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
)
def test_the_environment_may_refuse_colours(
    environment: dict[str, str],
    is_coloured: bool,
    clean: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with redirect_stdout(Terminal()) as terminal:
        main(["show", clean])
    assert ("\x1b" in terminal.getvalue()) == is_coloured


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "\N{SNOWMAN}ë"), ("latin-1", "\\u2603ë"), ("ascii", "\\u2603\\xeb")],
)
def test_what_the_encoding_does_not_have_is_escaped(
    encoding: str, shown: str, tmp_path: Path
) -> None:
    data = HEAD + batch(part("GET \N{SNOWMAN}ë HTTP/1.1\r\n\r\n".encode()))
    octets = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(octets, encoding=encoding)):
        assert main(["show", write(tmp_path / "a", data)]) == 0
        assert f"items[0]  GET {shown}\n" in octets.getvalue().decode(encoding)


def test_a_closed_pipe_is_not_an_error(clean: str, capsys: Capsys) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe, redirect_stdout(pipe):
        assert main(["show", clean]) == 0
    assert capsys.readouterr().err == ""


def test_output_that_cannot_be_written_ends_with_2(clean: str, capsys: Capsys) -> None:
    read_only = os.open(clean, os.O_RDONLY)
    with open(read_only, "w") as file, redirect_stdout(file):
        assert main(["show", clean]) == 2
    assert capsys.readouterr().err == "odata-batch: cannot print: Bad file descriptor\n"


def test_a_closed_standard_output_is_not_an_error(clean: str, tmp_path: Path) -> None:
    with redirect_stdout(None):
        assert main(["show", clean]) == 0
        assert main(["show", write(tmp_path / "a", BROKEN)]) == 1


class Interrupted(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise KeyboardInterrupt


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted()))
    assert main(["show", "-"]) == 130
    assert capsys.readouterr() == ("", "")


# -- check --

NOTED = HEAD + batch(part(b"GET  People HTTP/1.1\r\n\r\n"))
FORMATS = ("text", "concise", "json", "github", "sarif")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Files without findings, with a note, a warning and an error."""
    contents = {"clean": CLEAN, "note": NOTED, "warning": WARNED, "error": BROKEN}
    return {name: write(tmp_path / name, data) for name, data in contents.items()}


@pytest.mark.parametrize(
    ("arguments", "least"),
    [
        ([], "error"),
        (["--strict"], "warning"),
        (["--fail-on", "error"], "error"),
        (["--fail-on", "warning"], "warning"),
        (["--fail-on", "note"], "note"),
        (["--fail-on", "never"], None),
        (["--strict", "--fail-on", "note"], "note"),
        (["--strict", "--fail-on", "never"], None),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_the_exit_status_of_check_depends_on_the_worst_finding(
    arguments: list[str], least: str | None, format: str, files: dict[str, str]
) -> None:
    order = ["clean", "note", "warning", "error"]
    for name in order:
        expected = least is not None and order.index(name) >= order.index(least)
        command = ["check", "--format", format, *arguments, files["clean"], files[name]]
        assert main(command) == int(expected)


def test_many_files_are_checked_in_their_order(files: dict[str, str], capsys: Capsys) -> None:
    names = [files[name] for name in ("error", "clean", "note", "warning")]
    assert main(["check", *names]) == 1
    lines = capsys.readouterr().out.split("\n")
    places = [line.split(" ")[3] for line in lines if line.startswith("  --> ")]
    assert [place.split(":")[0] for place in places] == [names[0], names[2], names[3]]
    assert lines[-2] == "4 files, 1 error, 1 warning, 1 note"


def test_check_prints_text_by_default(clean: str, capsys: Capsys) -> None:
    assert main(["check", clean]) == 0
    assert capsys.readouterr() == ("1 file, 0 errors, 0 warnings, 0 notes\n", "")


@pytest.mark.parametrize(
    ("format", "beginning"),
    [
        ("text", "note[request-line-blanks]: found "),
        ("concise", "FILE:8:1: note[request-line-blanks] items[0]: found "),
        ("json", '{\n  "version": 1,\n'),
        ("github", "::notice file=FILE,line=8,col=1,title=request-line-blanks::items[0]: found "),
        ("sarif", '{\n  "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/'),
    ],
)
def test_check_prints_in_five_formats(
    format: str, beginning: str, files: dict[str, str], capsys: Capsys
) -> None:
    assert main(["check", "--format", format, files["note"]]) == 0
    output, errors = capsys.readouterr()
    assert errors == "" and output.startswith(beginning.replace("FILE", files["note"]))


@pytest.mark.parametrize("format", ["concise", "github"])
def test_formats_for_programs_say_nothing_about_clean_files(
    format: str, clean: str, capsys: Capsys
) -> None:
    assert main(["check", "--format", format, clean]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("format", FORMATS)
def test_behind_a_file_that_cannot_be_read_the_others_are_checked(
    format: str, files: dict[str, str], tmp_path: Path, capsys: Capsys
) -> None:
    command = ["check", "--format", format, str(tmp_path), "a\0b", files["error"]]
    assert main(command) == 2
    output, errors = capsys.readouterr()
    assert errors == (
        f"odata-batch: cannot read {str(tmp_path)!r}: Is a directory\n"
        "odata-batch: cannot read 'a\\x00b': embedded null byte\n"
    )
    assert "no-delimiter" in output


def test_check_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Capsys) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BROKEN)))
    assert main(["check", "--format", "concise", "-"]) == 1
    assert capsys.readouterr().out.startswith("-:4:1: error[no-delimiter] ")


def test_the_dialect_of_check_decides(tmp_path: Path) -> None:
    data = HEAD + batch(part(GET, head=b"Content-Type: application/http\r\n"))
    command = ["check", "--strict", write(tmp_path / "a", data)]
    assert main(command) == 0
    assert main([*command, "--dialect", "sap-gateway"]) == 1


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "␍␊"), ("latin-1", "\\r\\n")])
def test_line_ends_are_pictures_where_the_encoding_has_them(
    encoding: str, shown: str, files: dict[str, str]
) -> None:
    octets = io.BytesIO()
    with redirect_stdout(io.TextIOWrapper(octets, encoding=encoding)):
        assert main(["check", files["note"]]) == 0
        assert f"  | GET  People HTTP/1.1{shown}\n" in octets.getvalue().decode(encoding)


def test_check_without_standard_output_has_its_status(files: dict[str, str]) -> None:
    with redirect_stdout(None):
        assert main(["check", files["error"]]) == 1


def test_check_ends_with_2_where_it_cannot_print(files: dict[str, str], capsys: Capsys) -> None:
    for command in (["check", files["error"]], ["check", "--format", "json", files["error"]]):
        read_only = os.open(files["clean"], os.O_RDONLY)
        with open(read_only, "w") as file, redirect_stdout(file):
            assert main(command) == 2
        assert capsys.readouterr().err == "odata-batch: cannot print: Bad file descriptor\n"


def test_a_terminal_is_told_how_far_it_is(
    clean: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    names = [clean] * 39 + [files["error"], "missing"] + [clean] * 20
    with redirect_stdout(io.StringIO()), redirect_stderr(Terminal()) as terminal:
        assert main(["check", *names]) == 2
    clear = "\r\x1b[K"
    failure = "odata-batch: cannot read 'missing': No such file or directory\n"
    assert terminal.getvalue() == (
        f"\r20 of 61 files\r40 of 61 files{clear}{failure}\r60 of 61 files{clear}"
    )


def test_an_interrupt_leaves_the_terminal_clear(
    clean: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted()))
    with redirect_stdout(io.StringIO()), redirect_stderr(Terminal()) as terminal:
        assert main(["check", *[clean] * 19, "-"]) == 130
    assert terminal.getvalue() == "\r20 of 20 files\r\x1b[K"


def test_a_dumb_terminal_is_told_nothing(clean: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stdout(io.StringIO()), redirect_stderr(Terminal()) as terminal:
        assert main(["check", *[clean] * 20]) == 0
    assert terminal.getvalue() == ""


def test_without_standard_error_nobody_is_told(clean: str) -> None:
    with redirect_stdout(io.StringIO()), redirect_stderr(None):
        assert main(["check", *[clean] * 20]) == 0


@pytest.fixture(scope="module")
def captures_1000(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of 1000 captures: all fixtures, and damaged ones."""
    captures = [path.read_bytes() for path in sorted((ROOT / "spec-fixtures").glob("*/*.http"))]
    assert len(captures) > 500
    directory = tmp_path_factory.mktemp("captures")
    for index in range(1000):
        number = index % len(captures)
        data = captures[number][:4_000]
        if index >= len(captures):
            data = data[: len(data) // 2] if number % 2 else data.replace(b"\r\n", b"\n")
        write(directory / f"{index:03}.http", data)
    return directory


@pytest.mark.parametrize("format", FORMATS)
def test_1000_captures_are_checked_twice_with_the_same_output(
    format: str, captures_1000: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.chdir(captures_1000)
    names = sorted(os.listdir())
    command = ["check", "--format", format, "--dialect", "4.01", *names]
    assert (len(names), main(command)) == (1000, 1)
    output, errors = capsys.readouterr()
    # The second time with another order of what has none.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1", "PYTHONUTF8": "1"}
    program = [sys.executable, "-m", "odata_batch", *command]
    done = subprocess.run(program, env=environment, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr, errors) == (1, "", "")
    assert done.stdout == output != ""


# -- archives --


def har(*bodies: tuple[bytes, bytes]) -> bytes:
    """A HAR file with these requests and responses, and with a picture before them."""
    logo = {"request": {"method": "GET", "url": "https://example.org/logo.png"}}
    entries: list[object] = [logo]
    for request, response in bodies:
        type_ = {"name": "Content-Type", "value": "multipart/mixed; boundary=b"}
        entries.append(
            {
                "request": {
                    "method": "POST",
                    "url": "https://example.org/service/$batch",
                    "headers": [type_],
                    "postData": {"mimeType": type_["value"], "text": request.decode()},
                },
                "response": {
                    "status": 200,
                    "statusText": "OK",
                    "headers": [type_],
                    "content": {
                        "mimeType": type_["value"],
                        "text": base64.b64encode(response).decode(),
                        "encoding": "base64",
                    },
                },
            }
        )
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


ANSWER = batch(part(b"HTTP/1.1 204 No Content\r\n\r\n"))


def test_an_archive_is_checked_pair_by_pair(tmp_path: Path, capsys: Capsys) -> None:
    request = batch(part(b"GET  People HTTP/1.1\r\n\r\n"), part())
    file = write(tmp_path / "a.har", har((batch(part()), ANSWER), (request, ANSWER)))
    assert main(["check", "--strict", "--format", "concise", file]) == 1
    offset = request.index(b"GET")
    assert capsys.readouterr().out.split("\n")[:-1] == [
        f"{file}: note[request-line-blanks] entries[2].request, byte {offset} of the body, "
        "items[0]: found superfluous blanks in 'GET  People HTTP/1.1'",
        f"{file}: warning[response-missing] entries[2].response, byte 0 of the body: there is no "
        "response to GET 'People'",
    ]


def test_what_is_no_batch_in_an_archive_is_counted(tmp_path: Path, capsys: Capsys) -> None:
    file = write(tmp_path / "a.har", har((batch(part()), ANSWER)))
    assert main(["check", file]) == 0
    assert capsys.readouterr().out == (
        "1 file, 0 errors, 0 warnings, 0 notes; 1 message without a batch\n"
    )


def test_a_page_in_place_of_a_batch_is_said_to_be_one(tmp_path: Path, capsys: Capsys) -> None:
    page = b"HTTP/1.1 413 Too Large\r\nContent-Type: text/html\r\n\r\n<title>Sorry</title>"
    assert main(["check", write(tmp_path / "a", page)]) == 1
    lines = capsys.readouterr().out.split("\n")
    assert lines[0] == (
        "error[capture-not-a-batch]: status 413 with an HTML page 'Sorry', not a batch"
    )
    assert lines[-2] == "1 file, 1 error, 0 warnings, 0 notes; 1 message without a batch"


# -- rules --


def test_rules_are_listed(capsys: Capsys) -> None:
    assert main(["rules"]) == 0
    output, errors = capsys.readouterr()
    assert errors == "" and output.count("\n") == len(Rule)


def test_a_rule_is_explained(capsys: Capsys) -> None:
    assert main(["rules", "no-parts"]) == 0
    assert capsys.readouterr().out == (
        "no-parts\n"
        "  A multipart body has at least one part.\n"
        "\n"
        "  Standard:  RFC 2046, 5.1\n"
        "  Severity:  warning\n"
        "  To fix:    Leave the batch out if there is nothing to send.\n"
    )


@pytest.mark.parametrize(
    ("slug", "hint"),
    [
        ("no-part", "; do you mean no-parts?"),
        ("json-duplicate", "; do you mean json-duplicate-member or json-duplicate-other-member?"),
        ("qqqq", ""),
    ],
)
def test_an_unknown_rule_ends_with_2_and_a_suggestion(slug: str, hint: str, capsys: Capsys) -> None:
    assert main(["rules", slug]) == 2
    assert capsys.readouterr() == ("", f"odata-batch: there is no rule {slug!r}{hint}\n")


# -- convert --

AS_JSON = (
    b"POST /service/$batch HTTP/1.1\r\n"
    b"Content-Type: application/json\r\n"
    b"OData-Version: 4.01\r\n"
    b"Accept: application/json\r\n"
    b"Content-Length: 55\r\n"
    b"\r\n"
    b'{"requests":[{"id":"1","method":"GET","url":"People"}]}'
)
CONDITION = b'{"requests":[{"id":"1","method":"GET","url":"a","if":"$0"}]}'


class Octets(io.TextIOWrapper):
    """A standard output that shows what was written."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    def written(self) -> bytes:
        self.seek(0)
        return bytes(self.buffer.read())


class OctetTerminal(Octets):
    def isatty(self) -> bool:
        return True


def converted(*arguments: str, output: Octets | None = None) -> tuple[int, bytes]:
    """The exit status and the octets on standard output."""
    with redirect_stdout(output or Octets()) as written:
        return main(["convert", *arguments]), written.written()


def test_a_batch_is_converted(tmp_path: Path, capsys: Capsys) -> None:
    file = write(tmp_path / "a", HEAD + batch(part()))
    assert converted("--to", "json", file) == (0, AS_JSON)
    assert capsys.readouterr().err == ""


def test_a_converted_batch_is_written_to_a_file(tmp_path: Path) -> None:
    file, output = write(tmp_path / "a", HEAD + batch(part())), tmp_path / "out"
    assert converted("--to", "json", "-o", str(output), file) == (0, b"")
    assert output.read_bytes() == AS_JSON


def test_a_boundary_makes_the_output_reproducible(tmp_path: Path) -> None:
    file = write(tmp_path / "a", AS_JSON.partition(b"\r\n\r\n")[2])
    status, octets = converted("--to", "multipart", "--boundary", "mine", file)
    assert status == 0 and octets.startswith(b"--mine\r\n")


def test_what_is_lost_is_listed_on_standard_error(tmp_path: Path, capsys: Capsys) -> None:
    status, octets = converted("--to", "multipart", write(tmp_path / "a", CONDITION))
    assert status == 0 and b"GET a HTTP/1.1" in octets
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("odata-batch: lost in items[0]: the condition '$0' is given up; ")


def test_that_a_wrapping_message_is_lost_is_said(tmp_path: Path, capsys: Capsys) -> None:
    outer = b"HTTP/1.1 200 OK\r\nContent-Type: application/http\r\n\r\n"
    inner = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"responses":[]}'
    assert converted("--to", "json", write(tmp_path / "a", outer + inner))[0] == 0
    assert capsys.readouterr().err == (
        "odata-batch: lost: the message of type application/http around the batch\n"
    )


def test_that_octets_were_lost_before_is_said(tmp_path: Path, capsys: Capsys) -> None:
    put = b"PUT a HTTP/1.1\r\nContent-Type: image/png\r\n\r\n\xef\xbf\xbdPNG"
    assert converted("--to", "json", write(tmp_path / "a", HEAD + batch(part(put))))[0] == 0
    assert capsys.readouterr().err == (
        "odata-batch: lost: octets, before this, when the message was captured\n"
    )


def test_a_batch_with_errors_is_not_converted(tmp_path: Path, capsys: Capsys) -> None:
    file = write(tmp_path / "a", HEAD + batch(part(b"GET a HTTP/1.1\r\nB : c\r\n\r\n")))
    assert converted("--to", "json", file) == (1, b"")
    assert capsys.readouterr().err == (
        f"odata-batch: cannot convert {file!r}: error[header-blank-before-colon] at byte 90 in "
        "items[0]: field line 'B : c' has a blank before its colon\n"
    )


def test_what_the_format_cannot_hold_is_not_converted(tmp_path: Path, capsys: Capsys) -> None:
    file = write(tmp_path / "a", CONDITION)
    assert converted("--to", "multipart", "--boundary", "\x1b", file) == (1, b"")
    assert capsys.readouterr().err.startswith(f"odata-batch: cannot convert {file!r}: warning[bou")


def test_what_is_accepted_is_no_batch(tmp_path: Path, capsys: Capsys) -> None:
    file = write(tmp_path / "a", b"HTTP/1.1 202 Accepted\r\nLocation: a\r\n\r\n")
    assert converted("--to", "json", file) == (1, b"")
    assert capsys.readouterr().err == (
        f"odata-batch: cannot convert {file!r}: note[capture-accepted] at byte 38: "
        "status 202 with an empty body and the Location 'a'\n"
    )


@pytest.mark.parametrize("name", [[], ["--message", "entries[0].request"]])
def test_of_an_archive_a_message_has_to_be_chosen(
    name: list[str], tmp_path: Path, capsys: Capsys
) -> None:
    file = write(tmp_path / "a.har", har((batch(part()), ANSWER)))
    assert converted("--to", "json", *name, file) == (2, b"")
    assert capsys.readouterr().err == (
        f"odata-batch: choose a message of {file!r} with --message: entries[1].request, "
        "entries[1].response\n"
    )


def test_a_message_of_an_archive_is_converted(tmp_path: Path) -> None:
    file = write(tmp_path / "a.har", har((batch(part()), ANSWER)))
    status, octets = converted("--to", "json", "--message", "entries[1].request", file)
    assert status == 0 and octets.endswith(AS_JSON.partition(b"\r\n\r\n")[2])


def test_a_message_without_name_cannot_be_chosen(clean: str, capsys: Capsys) -> None:
    assert converted("--to", "json", "--message", "a", clean) == (2, b"")
    assert capsys.readouterr().err == (
        f"odata-batch: choose a message of {clean!r} with --message: none has a name\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MISSING"], "cannot read 'MISSING': No such file or directory"),
        (["-o", "MISSING/a", "FILE"], "cannot write 'MISSING/a': No such file or directory"),
        (["-o", "a\0b", "FILE"], "cannot write 'a\\x00b': embedded null byte"),
    ],
)
def test_convert_ends_with_2_where_it_cannot_read_or_write(
    arguments: list[str], message: str, clean: str, tmp_path: Path, capsys: Capsys
) -> None:
    missing = str(tmp_path / "missing")
    names = [each.replace("MISSING", missing).replace("FILE", clean) for each in arguments]
    assert converted("--to", "multipart", *names) == (2, b"")
    expected = f"odata-batch: {message}\n".replace("MISSING", missing)
    assert capsys.readouterr().err == expected


def test_octets_that_a_terminal_would_obey_are_not_sent_to_one(
    tmp_path: Path, capsys: Capsys
) -> None:
    harmless = write(tmp_path / "a", HEAD + batch(part()))
    status, octets = converted("--to", "json", harmless, output=OctetTerminal())
    assert (status, octets) == (0, AS_JSON)
    body = b"PUT a HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n\x1b[2J"
    harmful = write(tmp_path / "b", HEAD + batch(part(body)))
    arguments = ("--to", "multipart", harmful)
    assert converted(*arguments, output=OctetTerminal()) == (2, b"")
    assert capsys.readouterr().err == (
        "odata-batch: there are control characters in it; write it to a file with -o\n"
    )
    assert converted(*arguments)[0] == 0


def test_a_converted_batch_can_be_written_to_nowhere(clean: str, capsys: Capsys) -> None:
    with redirect_stdout(None):
        assert main(["convert", "--to", "json", clean]) == 0
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe, redirect_stdout(pipe):
        assert main(["convert", "--to", "json", clean]) == 0
    assert capsys.readouterr().err == ""


def test_without_standard_error_nothing_is_said(tmp_path: Path) -> None:
    with redirect_stderr(None):
        assert main(["convert", "--to", "json", str(tmp_path / "missing")]) == 2


# -- as a program --


def run(*arguments: str, data: bytes = b"") -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-m", "odata_batch", *arguments]
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True)
    return done.returncode, done.stdout.replace(b"\r\n", b"\n"), done.stderr


def test_the_package_can_be_run(clean: str) -> None:
    assert run("show", clean) == (0, SHOWN.encode(), b"")


def test_the_program_reads_standard_input() -> None:
    status, output, errors = run("show", "-", data=BROKEN)
    assert (status, errors) == (1, b"")
    assert b"error[no-delimiter] at byte 76, line 4: " in output


def test_the_program_ends_quietly_when_nobody_reads(clean: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "odata_batch", "show", clean]
    done = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


# Escapes, a line end, what ends a property, and an octet that is not UTF-8.
ODD_NAME = b"\x1b[2J%0A,a:\n\xc3\xbc\\n\xff.http"
LOCALES = (
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C", "PYTHONUTF8": "1"},
)
only_where_names_are_octets = pytest.mark.skipif(
    sys.platform != "linux", reason="only on Linux may any octets be the name of a file"
)


def run_beside_odd_name(directory: Path, locale: dict[str, str], format: str) -> bytes:
    with open(os.fsencode(directory) + b"/" + ODD_NAME, "wb") as file:
        file.write(HEAD + batch(part(b"GET  People HTTP/1.1\r\n\r\n")))
    command: list[str | bytes] = [sys.executable, "-m", "odata_batch", "check", "--format", format]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **locale}
    done = subprocess.run([*command, ODD_NAME], cwd=directory, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@only_where_names_are_octets
@pytest.mark.parametrize("locale", LOCALES)
def test_json_has_the_name_of_the_file_in_any_locale(
    locale: dict[str, str], tmp_path: Path
) -> None:
    output = run_beside_odd_name(tmp_path, locale, "json")
    assert output.isascii() and b"\x1b" not in output
    (file,) = json.loads(output)["files"]
    assert file["file"].encode("utf-8", "surrogateescape") == ODD_NAME


@only_where_names_are_octets
@pytest.mark.parametrize("locale", LOCALES)
def test_sarif_has_the_name_of_the_file_in_any_locale(
    locale: dict[str, str], tmp_path: Path
) -> None:
    output = json.loads(run_beside_odd_name(tmp_path, locale, "sarif"))
    (artifact,) = output["runs"][0]["artifacts"]
    assert artifact["location"]["uri"] == "%1B%5B2J%250A%2Ca%3A%0A%C3%BC%5Cn%FF.http"


@only_where_names_are_octets
@pytest.mark.parametrize("locale", LOCALES)
def test_a_workflow_command_has_the_name_of_the_file_in_any_locale(
    locale: dict[str, str], tmp_path: Path
) -> None:
    output = run_beside_odd_name(tmp_path, locale, "github")
    name = b"\x1b[2J%250A%2Ca%3A%0A\xc3\xbc\\n\xff.http"
    assert output.startswith(b"::notice file=" + name + b",line=8,col=1,title=request-line-blanks")


def test_a_terminal_obeys_no_name_in_a_workflow_command() -> None:
    with redirect_stdout(Terminal()) as terminal:
        assert main(["check", "--format", "github", "\x1b[2J\n"]) == 2
    assert terminal.getvalue().startswith("::error file=\\x1b[2J%0A,title=unreadable::No such file")


@pytest.mark.parametrize("format", FORMATS)
def test_a_name_that_cannot_be_octets_is_printed_all_the_same(format: str, capsys: Capsys) -> None:
    with redirect_stdout(Octets()) as output:
        assert main(["check", "--format", format, "\ud800"]) == 2
    assert output.written() or format == "concise"
    errors = capsys.readouterr().err
    assert errors.startswith("odata-batch: cannot read '\\ud800': ")


def test_a_real_terminal_is_given_colours(clean: str) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are for POSIX")
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "odata_batch", "show", clean]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=slave)
    output = os.read(master, 10_000)
    os.close(slave)
    os.close(master)
    assert done.returncode == 0
    assert output.startswith(b"\x1b[1mbatch request, multipart\x1b[0m\r\n")


# -- anything --


def captures() -> st.SearchStrategy[bytes]:
    pieces = (
        HEAD,
        CLEAN,
        WARNED,
        part(),
        b"\r\n",
        b"{",
        b'{"responses":[',
        b"\x00",
        b"\xff",
        b"A:",
    )
    return st.binary() | st.lists(st.sampled_from(pieces)).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=captures())
def test_any_octets_are_shown(data: bytes, tmp_path: Path) -> None:
    with redirect_stdout(io.StringIO()) as output:
        assert main(["show", "--headers", "--bodies", write(tmp_path / "a", data)]) in (0, 1)
    assert re.fullmatch(
        r".*; \d+ errors?, \d+ warnings?, \d+ notes?(; \d+ more not listed)?",
        output.getvalue().split("\n")[-2],
    )


def test_the_package_runs_as_a_module_and_exits_with_its_status(
    clean: str, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["odata-batch", "show", clean])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("odata_batch", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == SHOWN
