"""The command line: arguments, exit status, files, pipes and terminals."""

from __future__ import annotations

import io
import os
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odata_batch._cli import main

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
        ([], "odata-batch: error: a command is expected: show"),
        (["show"], "odata-batch show: error: the following arguments are required: FILE"),
        (["show", "a", "b"], "odata-batch: error: unrecognized arguments: b"),
        (["show", "--head", "a"], "odata-batch: error: unrecognized arguments: --head"),
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


def test_help_names_the_options(capsys: Capsys) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["show", "--help"])
    assert raised.value.code == 0
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out))
    assert options == {"--help", "--headers", "--bodies", "--strict", "--dialect"}


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
