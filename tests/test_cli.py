"""The command line: arguments, exit status, files, pipes, terminals, and the rules."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from odata_batch.__main__ import main

from .command_line import (
    BROKEN,
    CLEAN,
    HEAD,
    NO_CONTENT,
    NOTED,
    RESPONSE_HEAD,
    WARNED,
    Output,
    har,
    run,
)
from .helpers import batch, part

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("text", "concise", "json", "github", "sarif")
SHOWN = """\
batch request, multipart
  POST /service/$batch HTTP/1.1
  Content-Type: multipart/mixed; boundary=b

items[0]  GET People

1 operation, 0 change sets; 0 errors, 0 warnings, 0 notes
"""

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Files without findings, with a note, a warning and an error."""
    contents = {"clean": CLEAN, "note": NOTED, "warning": WARNED, "error": BROKEN}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return {name: str(tmp_path / name) for name in contents}


@pytest.fixture
def clean(files: dict[str, str]) -> str:
    return files["clean"]


# -- usage --


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", ": error: a command is expected: check, convert, outcomes, rules or show"),
        ("show", " show: error: the following arguments are required: FILE"),
        ("rules a b", ": error: unrecognized arguments: b"),
        ("show --head a", ": error: unrecognized arguments: --head"),
        ("check", " check: error: the following arguments are required: FILE"),
        ("check - -", " check: error: standard input can be read once only"),
        ("convert a", " convert: error: the following arguments are required: --to"),
        *(
            (
                f"outcomes --status={each} a",
                f"argument --status: {each!r} is no status from 100 to 599",
            )
            for each in ("-5", "99", "600", "99999", "20\u0661", "x", "")
        ),
        ("check --rule-url h a", "argument --rule-url: 'h' has no {} for the name of the rule"),
        ("convert --to json --boundary b a", " convert: error: a JSON batch has no boundary"),
    ],
)
def test_wrong_usage_ends_with_2(arguments: str, message: str, capsys: Capsys) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments.split())
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
        (
            "show",
            "bodies color dialect fail-on headers ignore limit output resolve select strict url",
        ),
        ("check", "color dialect fail-on format ignore limit output rule-url select strict"),
        ("convert", "boundary color dialect ignore limit message output select to"),
        ("outcomes", "color dialect format limit output status"),
        ("rules", "color format output"),
    ],
)
def test_help_names_the_options_and_has_examples_that_work(
    command: str, options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("captures").mkdir()
    Path("captures/a.http").write_bytes(WARNED)
    Path("batch.http").write_bytes(CLEAN)
    Path("answer.http").write_bytes(RESPONSE_HEAD + batch(NO_CONTENT))
    Path("capture.har").write_bytes(har((batch(part()), batch(NO_CONTENT))))
    with pytest.raises(SystemExit) as raised:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert raised.value.code == 0 and options.split() == sorted(
        re.findall(r"^  (?:-o(?: OUT)?, )?--([a-z-]+)", text, re.MULTILINE)
    )
    examples = [shlex.split(line)[1:] for line in text.split("\n") if line[:14] == "  odata-batch "]
    assert [each[0] for each in examples] == [command] * len(examples) and examples
    for example in examples:
        done = run(*example)
        assert (done.status, done.errors) == (0, "")


def test_the_version_is_that_of_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odata_batch-9.8.7.dist-info").mkdir()
    metadata = tmp_path / "odata_batch-9.8.7.dist-info" / "METADATA"
    metadata.write_text("Metadata-Version: 2.4\nName: odata-batch\nVersion: 9.8.7\n")
    monkeypatch.setattr(sys, "path", [])
    assert run("--version") == (0, b"odata-batch (not installed)\n", "")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert run("--version") == (0, b"odata-batch 9.8.7\n", "")


def test_completion_is_printed_where_shtab_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = "--print-completion"
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "shtab", None)
        done = run(shell, "zsh")
    assert (done.status, done.octets) == (2, b"")
    assert "completion needs shtab; pip install 'odata-batch[completion]'" in done.errors
    pytest.importorskip("shtab")
    marks = {"bash": "complete -o", "zsh": ":_files", "fish": "__fish_complete_path"}
    for name, mark in marks.items():
        done = run(shell, name)
        assert done.status == 0 and mark in done.text and "sap-gateway" in done.text


# -- files and exit status --

ORDER = ["clean", "note", "warning", "error"]


@pytest.mark.parametrize(
    ("command", "least"),
    [
        ("show", "error"),
        ("show --strict", "warning"),
        ("check", "error"),
        ("check --strict", "warning"),
        ("check --fail-on error", "error"),
        ("check --fail-on warning", "warning"),
        ("check --fail-on note", "note"),
        ("check --fail-on never", None),
        ("check --strict --fail-on note", "note"),
        ("check --strict --fail-on never", None),
        *((f"check --format {format}", "error") for format in FORMATS),
    ],
)
def test_the_exit_status_depends_on_the_worst_finding(
    command: str, least: str | None, files: dict[str, str]
) -> None:
    for name in ORDER:
        expected = least is not None and ORDER.index(name) >= ORDER.index(least)
        assert run(*command.split(" "), files[name]).status == int(expected)


def test_many_files_are_checked_in_their_order(files: dict[str, str]) -> None:
    names = [files[name] for name in ("error", "clean", "note", "warning")]
    done = run("check", *names)
    places = [line.split(" ")[3] for line in done.lines if line.startswith("  --> ")]
    assert [place.split(":")[0] for place in places] == [names[0], names[2], names[3]]
    assert (done.status, done.lines[-1]) == (1, "4 files, 1 error, 1 warning, 1 note")


@pytest.mark.parametrize("format", ["concise", "github"])
def test_formats_for_programs_say_nothing_about_clean_files(format: str, clean: str) -> None:
    assert run("check", "--format", format, clean) == (0, b"", "")


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("missing", "cannot read 'missing': No such file or directory"),
        ("empty", "cannot read 'empty': there are no files in this directory, or only hidden ones"),
        ("a\0b", "cannot read 'a\\x00b': embedded null byte"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_2(
    file: str, reason: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    expected = f"odata-batch: {reason}\n"
    assert run("show", file) == (2, b"", expected)
    done = run("show", file, files["error"])
    assert (done.status, done.errors) == (2, expected) and "no-delimiter" in done.text
    for format in FORMATS:
        done = run("check", "--format", format, file, files["error"])
        # The others are checked all the same.
        assert (done.status, done.errors) == (2, expected) and "no-delimiter" in done.text


def test_a_closed_standard_input_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["show", "-"]) == 2
    assert capsys.readouterr().err == "odata-batch: cannot read '-': standard input is closed\n"


@pytest.mark.parametrize("command", ["show", "check", "convert --to json"])
@pytest.mark.parametrize("file", ["/dev/zero", "-"])
def test_no_more_is_read_than_the_limits_allow(command: str, file: str) -> None:
    done = run(*command.split(" "), "--limit", "message=1000", file, data=b"0" * 1001)
    reason = "it has more than 1000 octets; allow more with --limit message=N"
    assert (done.status, done.errors) == (2, f"odata-batch: cannot read '{file}': {reason}\n")


def test_limits_are_those_of_the_command_line(clean: str, capsys: Capsys) -> None:
    done = run("check", "--format", "concise", "--limit", "header-section=9", clean)
    assert (done.status, "limit is 9 (Limits.header_section)" in done.text) == (1, True)
    for wrong in ("message", "message=many", "message=-1", "massage=1"):
        with pytest.raises(SystemExit):
            main(["check", "--limit", wrong, clean])
        assert (
            f"{wrong!r} is not NAME=N with a number and one of these names: m"
            in capsys.readouterr().err
        )


def test_a_directory_stands_for_the_files_in_it(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".hidden").write_bytes(b"?")
    (tmp_path / "deep" / "readme").write_bytes(b"?")
    done = run("check", str(tmp_path / "deep"))
    assert (done.status, done.errors) == (2, "odata-batch: no message among 1 file\n")
    assert run("check", str(tmp_path / "deep" / "readme")).status == 1
    Path(files["error"]).rename(tmp_path / "deep" / "error")
    done = run("check", str(tmp_path))
    assert done.lines[-1] == "5 files, 1 error, 1 warning, 1 note; 1 message without a batch"
    (tmp_path / "deep" / "readme").unlink()
    shown = [line for line in run("show", str(tmp_path)).lines if line.startswith("== ")]
    names = [tmp_path / name for name in ("clean", "deep/error", "note", "warning")]
    assert shown == [f"== {name}" for name in names]


def test_rules_are_selected_and_ignored(files: dict[str, str], capsys: Capsys) -> None:
    command = ("check", "--format", "concise", *files.values())
    assert len(run(*command).lines) == 3
    assert [run(*command, "--ignore", "no-delimiter").status, run(*command).status] == [0, 1]
    (line,) = run(*command, "--select", "no-parts, truncated").lines
    assert line.startswith(f"{files['warning']}:") and "[no-parts]" in line
    with pytest.raises(SystemExit):
        main([*command, "--ignore", "no-part"])
    hint = "there is no rule 'no-part'; do you mean no-parts?"
    assert hint in " ".join(capsys.readouterr().err.split())


def test_a_report_is_written_to_a_file(files: dict[str, str], tmp_path: Path) -> None:
    report = tmp_path / "report"
    for format in FORMATS:
        command = ("check", "--format", format, *files.values())
        assert run(*command, "--output", str(report)) == (1, b"", "")
        assert report.read_bytes() == run(*command).octets
    done = run(*command, "--output", str(tmp_path / "no" / "report"))
    assert (done.status, "cannot write" in done.errors) == (2, True)


def test_colours_and_dialects_are_chosen(clean: str) -> None:
    for command in (["show", clean], ["rules", "no-parts"], ["rules"]):
        assert "\x1b[" in run(*command, "--color", "always").text
        never = run(*command, "--color", "never", output=Output(is_terminal=True))
        assert "\x1b[" not in never.text
    assert run("show", "--dialect", "SAP-CAP", clean).status == 0


@pytest.mark.parametrize(
    ("request_", "answer", "arguments", "status", "told"),
    [
        (batch(part()), batch(NO_CONTENT), "", 0, "succeeded: 204 No Content"),
        (
            batch(part()),
            b'{"error":{"code":"E","message":"m","target":"t"}}',
            "--status 400",
            1,
            "400, the batch as a whole was refused with 400\n    the service says E: m (target t)",
        ),
        (batch(part()), b"HTTP/1.1 429 \nRetry-After: 5\n\n", "", 1, "asked again after 5 seconds"),
        (
            batch(part(b"GET\r\n\r\n")),
            RESPONSE_HEAD + batch(NO_CONTENT),
            "",
            1,
            "    unknown: it could not be read in the request\n  the request has 1 error;",
        ),
        (batch(part()), har((batch(part()), batch(NO_CONTENT))), "", 2, "1 exchange not usable"),
        (batch(part()), b"<html>no</html>", "--status 403", 1, "refused with 403"),
        (batch(part()), b"", "--status 403", 1, "refused with 403"),
        (b"--c\r\n", b"", "", 2, "cannot be read: error[no-delimiter] at byte 0: "),
    ],
)
def test_outcomes_are_those_of_two_messages(
    request_: bytes, answer: bytes, arguments: str, status: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "1").write_bytes(HEAD + request_)
    (tmp_path / "2").write_bytes(answer)
    done = run("outcomes", *arguments.split(), str(tmp_path))
    assert (done.status, done.errors, told in done.text) == (status, "", True)


def test_without_a_batch_there_are_no_outcomes() -> None:
    done = run("outcomes", "-", data=har())
    assert (done.status, done.errors) == (2, "odata-batch: no batch among 1 exchange\n")
    done = run("outcomes", "-", data=b"\nneither\r\nthis")
    assert (done.status, done.errors) == (2, "")
    message = "not usable: the request cannot be read: error[batch-media-type] at byte 0: found "
    assert message in done.text and " (line 1, column 1)\n" in done.text


def test_rules_are_printed_for_programs() -> None:
    document = json.loads(run("rules", "--format", "json").text)
    assert document["version"] == 1 and [*document["rules"]] == RULES
    (rule,) = json.loads(run("rules", "no-parts", "--format", "json").text)["rules"].values()
    assert rule["remedy"] == "Leave the batch out if there is nothing to send."


# -- where it is printed --


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [
        *(({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "xterm", "NO_COLOR": ""}, True)),
        ({"TERM": "dumb", "NO_COLOR": ""}, False),
    ],
)
def test_a_terminal_is_given_colours_if_it_wants_them(
    environment: dict[str, str], is_coloured: bool, clean: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = run("show", clean, output=Output(is_terminal=True)).text
    assert re.sub(r"\x1b\[[0-9;]+m", "", text) == SHOWN and ("\x1b" in text) == is_coloured


@pytest.mark.parametrize(
    ("encoding", "shown", "line_end"),
    [
        ("utf-8", "\N{SNOWMAN}ë", "␍␊"),
        *(("latin-1", "\\u2603ë", "\\r\\n"), ("ascii", "\\u2603\\xeb", "\\r\\n")),
    ],
)
def test_what_the_encoding_does_not_have_is_escaped(
    encoding: str, shown: str, line_end: str
) -> None:
    data = HEAD + batch(part("GET  \N{SNOWMAN}ë HTTP/1.1\r\n\r\n".encode()))
    done = run("show", "-", data=data, output=Output(encoding))
    assert f"items[0]  GET {shown}\n" in done.octets.decode(encoding)
    done = run("check", "-", data=data, output=Output(encoding))
    assert f"  | GET  {shown} HTTP/1.1{line_end}\n" in done.octets.decode(encoding)


def test_a_closed_pipe_is_not_an_error(clean: str, capsys: Capsys) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe, redirect_stdout(pipe):
        assert main(["show", clean]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "command", [["show"], ["check"], ["check", "--format", "json"], ["check", "--format", "github"]]
)
def test_output_that_cannot_be_written_ends_with_2(
    command: list[str], files: dict[str, str], capsys: Capsys
) -> None:
    read_only = os.open(files["clean"], os.O_RDONLY)
    with open(read_only, "w") as file, redirect_stdout(file):
        assert main([*command, files["error"]]) == 2
    assert capsys.readouterr().err == "odata-batch: cannot print: Bad file descriptor\n"


def test_closed_outputs_are_not_an_error(files: dict[str, str]) -> None:
    with redirect_stdout(None):
        assert main(["show", files["clean"]]) == 0
        assert main(["show", files["error"]]) == 1
        assert main(["check", "--format", "github", files["error"]]) == 1
    with redirect_stderr(None):
        assert main(["convert", "--to", "json", "missing"]) == 2


class Interrupted(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise KeyboardInterrupt


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_how_far_it_is(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    names = [files["clean"]] * 39 + [files["error"], "missing"] + [files["clean"]] * 20
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


def test_nobody_else_is_told(clean: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stdout(io.StringIO()), redirect_stderr(Terminal()) as terminal:
        assert main(["check", *[clean] * 20]) == 0
    assert terminal.getvalue() == ""
    with redirect_stdout(io.StringIO()), redirect_stderr(None):
        assert main(["check", *[clean] * 20]) == 0


# -- rules --

RULES = [line[8:].partition(":")[0] for line in run("rules").lines]


def test_rules_are_listed_with_their_severities(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run("rules").lines
    assert len(set(RULES)) == len(RULES) > 200
    assert RULES == sorted(RULES)
    place = RULES.index("batch-media-type")
    assert "error   batch-media-type: The media type of a batch is multipart/mixed" in lines[place]
    assert "warning no-parts: A multipart body has at least one part." in lines
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = run("rules", output=Output(is_terminal=True)).lines
    assert coloured[place].startswith("\x1b[1;31merror  \x1b[0m batch-media-type: ")


def test_every_rule_can_be_explained() -> None:
    for slug in RULES:
        done = run("rules", slug)
        assert done.status == 0 and all(len(line) <= 80 for line in done.lines)
        remedy = " ".join(done.text.partition("To fix:")[2].split())
        assert remedy[0].isupper() and remedy[-1] == "." and remedy.isprintable()
        assert remedy.isascii() and len(remedy) <= 120


# -- as a program --


def program(
    *arguments: str | bytes,
    input: bytes | None = None,
    stdout: int = subprocess.PIPE,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = ROOT,
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "odata_batch", *arguments]
    return subprocess.run(
        command, input=input, stdout=stdout, stderr=subprocess.PIPE, env=env, cwd=cwd, check=False
    )


def test_the_package_can_be_run() -> None:
    done = program("show", "-", input=CLEAN)
    assert (done.returncode, done.stdout, done.stderr) == (0, SHOWN.encode(), b"")
    done = program("show", "-", input=BROKEN)
    assert done.returncode == 1 and b"error[no-delimiter]: body starts" in done.stdout


def test_the_package_runs_as_a_module_and_exits_with_its_status(
    clean: str, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["odata-batch", "show", clean])
    monkeypatch.delitem(sys.modules, "odata_batch.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("odata_batch", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == SHOWN


def test_the_program_ends_quietly_when_nobody_reads(clean: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = program("show", clean, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_real_terminal_is_given_colours(clean: str) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are for POSIX")
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    done = program("show", clean, env=environment, stdout=slave)
    output = os.read(master, 10_000)
    os.close(slave)
    os.close(master)
    assert done.returncode == 0
    assert output.startswith(b"\x1b[1mbatch request, multipart\x1b[0m\r\n")


# Escapes, a line end, what ends a property, and an octet that is not UTF-8.
ODD_NAME = b"\x1b[2J%0A,a:\n\xc3\xbc\\n\xff.http"


@pytest.mark.skipif(
    sys.platform != "linux", reason="only on Linux may any octets be the name of a file"
)
@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "1"},
    ],
)
def test_programs_are_told_the_name_of_a_file_in_any_locale(
    locale: dict[str, str], tmp_path: Path
) -> None:
    with open(os.fsencode(tmp_path) + b"/" + ODD_NAME, "wb") as file:
        file.write(NOTED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **locale}
    printed = {}
    for format in ("json", "sarif", "github"):
        arguments = ("check", "--format", format, ODD_NAME)
        done = program(*arguments, cwd=tmp_path, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        printed[format] = done.stdout
    assert printed["json"].isascii() and b"\x1b" not in printed["json"]
    (found,) = json.loads(printed["json"])["files"]
    assert found["file"].encode("utf-8", "surrogateescape") == ODD_NAME
    (artifact,) = json.loads(printed["sarif"])["runs"][0]["artifacts"]
    assert artifact["location"]["uri"] == "%1B%5B2J%250A%2Ca%3A%0A%C3%BC%5Cn%FF.http"
    name = b"\x1b[2J%250A%2Ca%3A%0A\xc3\xbc\\n\xff.http"
    assert printed["github"].startswith(
        b"::notice file=" + name + b",line=8,col=1,title=request-line-spaces"
    )


def test_a_terminal_obeys_no_name_in_a_workflow_command() -> None:
    done = run("check", "--format", "github", "\x1b[2J\n", output=Output(is_terminal=True))
    assert done.text.startswith("::error file=\\x1b[2J%0A,title=unreadable::No such file")


@pytest.mark.parametrize("format", FORMATS)
def test_a_name_that_cannot_be_octets_is_printed_all_the_same(format: str) -> None:
    done = run("check", "--format", format, "\ud800")
    assert done.status == 2 and (done.octets or format == "concise")
    assert done.errors.startswith("odata-batch: cannot read '\\ud800': ")
    if format == "sarif":
        assert '"%ED%A0%80"' in done.text


@pytest.mark.parametrize("format", FORMATS)
def test_the_corpus_is_checked_twice_with_the_same_output(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT / "spec-fixtures")
    names = sorted(str(path) for path in Path(".").glob("invalid/*.http"))[::4]
    done = run("check", "--format", format, *names)
    assert (len(names) > 60, done.status, done.errors) == (True, 1, "")
    # The second time with another order of what has none.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1", "PYTHONUTF8": "1"}
    again = program("check", "--format", format, *names, cwd=None, env=environment)
    assert (again.returncode, again.stdout, again.stderr) == (1, done.octets, b"")
