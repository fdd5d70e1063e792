"""The command line as the tests call it: with octets on standard input, in this process."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple  # what a program prints is JSON
from unittest import mock

from odata_batch.__main__ import main

from .helpers import batch, needed, part

HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
RESPONSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nOData-Version: 4.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
)
JSON_HEAD = b"POST /service/$batch HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
NO_CONTENT = part(b"HTTP/1.1 204 No Content\r\n\r\n")
TWO_SPACES = part(b"GET  People HTTP/1.1\r\n\r\n")
SPACE_BEFORE_COLON = part(b"GET People HTTP/1.1\r\nPrefer : return=minimal\r\n\r\n")
CLEAN = HEAD + batch(part())
NOTED = HEAD + batch(TWO_SPACES)
WARNED = HEAD + b"--b--\r\n"
BROKEN = HEAD + b"--c--\r\n"

SCHEMAS = Path(__file__).with_name("schemas")


@cache
def validator(format: str) -> Any:
    """Return what validates a report against the schema of its format."""
    is_sarif = format == "sarif"
    schema = SCHEMAS / ("sarif-2.1.0-rtm.5.json" if is_sarif else "check.schema.json")
    draft = "Draft4Validator" if is_sarif else "Draft7Validator"
    return getattr(needed("jsonschema"), draft)(json.loads(schema.read_bytes()))


class Done(NamedTuple):
    """What a command did."""

    status: int
    octets: bytes
    errors: str

    @property
    def text(self) -> str:
        """What was printed on standard output."""
        return self.octets.decode("utf-8", "surrogateescape")

    @property
    def lines(self) -> list[str]:
        """The lines on standard output."""
        return self.text.split("\n")[:-1]


class Output(io.TextIOWrapper):
    """A standard output that may be a terminal."""

    def __init__(self, encoding: str = "utf-8", is_terminal: bool = False) -> None:
        self.octets = io.BytesIO()
        self.is_terminal = is_terminal
        super().__init__(self.octets, encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return self.is_terminal


def run(*arguments: str, data: bytes = b"", output: Output | None = None) -> Done:
    """Run a command; `data` is its standard input."""
    errors = io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(data))
    output = output or Output()
    with redirect_stdout(output), redirect_stderr(errors), mock.patch.object(sys, "stdin", stdin):
        status = main(arguments)
        return Done(status, output.octets.getvalue(), errors.getvalue())


def checked(data: bytes, *arguments: str, format: str = "json") -> Any:
    """What `check` prints of a capture, a valid document."""
    return document(format, run("check", "--format", format, *arguments, "-", data=data))


def document(format: str, done: Done) -> Any:
    """The JSON text that was printed, which is valid and in US-ASCII."""
    assert all(line.isascii() and line.isprintable() for line in done.lines)
    loaded = json.loads(done.text)
    validator(format).validate(loaded)
    return loaded["runs"][0] if format == "sarif" else loaded


def findings(data: bytes, *arguments: str) -> list[dict[str, Any]]:
    """What is found in a capture."""
    return [each for file in checked(data, *arguments)["files"] for each in file["findings"]]


def slugs(data: bytes, *arguments: str) -> list[str]:
    """The rules of what is found in a capture."""
    return [each["rule"] for each in findings(data, *arguments)]


def har(*pairs: tuple[bytes | None, bytes | None]) -> bytes:
    """A HAR file with these requests and responses, bodies of multipart, after a picture."""
    entries: list[object] = [{"request": {"method": "GET", "url": "https://h/logo.png"}}]
    headers = [{"name": "Content-Type", "value": "multipart/mixed; boundary=b"}]
    for request, response in pairs:
        entry: dict[str, object] = {}
        if request is not None:
            content = {"text": request.decode()}
            url = "https://h/service/$batch"
            entry["request"] = {
                "method": "POST",
                "url": url,
                "headers": headers,
                "postData": content,
            }
        if response is not None:
            content = {"text": response.decode()}
            entry["response"] = {"status": 200, "headers": headers, "content": content}
        entries.append(entry)
    return json.dumps({"log": {"entries": entries}}).encode()
