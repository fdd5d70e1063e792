"""What the README shows is what happens: its programs, what they print, its commands."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from .helpers import Fence, fences

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
TEXT = README.read_text("utf-8")
ADVERTISED = "http://127.0.0.1:8000"


@pytest.fixture
def service() -> Iterator[str]:
    """The server of the README, on loopback; its origin."""
    from .servers import wsgi_server

    [program] = [fence for fence in fences(TEXT) if "\napp = BatchMiddleware(" in fence.text]
    names: dict[str, Any] = {}
    output_of(program, names, "")
    with wsgi_server(names["app"]) as origin:
        yield origin


def test_the_programs_of_the_readme_print_what_it_shows(service: str) -> None:
    names: dict[str, object] = {"__name__": "readme"}
    python = [each for each in fences(TEXT) if each.language in ("python", "text")]
    for fence, following in pairwise([*python, Fence(language="", text="", line=0)]):
        if fence.language == "python":
            printed = output_of(fence, names, service)
            if following.language == "text":
                assert printed == following.text


def output_of(fence: Fence, names: dict[str, object], origin: str) -> str:
    text = fence.text.replace(ADVERTISED, origin)
    source = "\n" * (fence.line - 1) + text  # a traceback shows the README's line
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(source, str(README), "exec", dont_inherit=True), names)
    return output.getvalue()


def commands() -> list[str]:
    shell = [fence.text for fence in fences(TEXT) if fence.language == "sh"]
    return re.findall(r"^python (-m odata_batch .*)$", "".join(shell), re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_readme_run(command: str) -> None:
    run = subprocess.run(
        [sys.executable, *shlex.split(command)], cwd=ROOT, capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout


def test_no_code_in_the_readme_hides_from_the_tests() -> None:
    known = {"console", "http", "json", "python", "sh", "text", "toml"}
    assert [each.line for each in fences(TEXT) if each.language not in known] == []


def test_the_make_targets_in_the_readme_exist() -> None:
    named = {one or other for one, other in re.findall(MAKE, TEXT, re.MULTILINE)}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert named and named <= targets


MAKE = r"^(?:\$ )?make ([a-z]+)|`make ([a-z]+)"
