"""What `convert` writes: the head of a message and its batch in the other format."""

from __future__ import annotations

import json
import os
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given

from odata_batch import BatchRequest, decode_request, encode_request, strategies
from odata_batch.__main__ import main
from odata_batch.capture import parse_message

from .command_line import CLEAN, HEAD, SPACE_BEFORE_COLON, Output, har, run
from .helpers import PART_HEAD, batch, change_set, member, part

PATCH = b'PATCH A(1) HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"a":1.10}'
BODY = b'{"requests":[{"id":"1","method":"GET","url":"People"}]}'
AS_JSON = (
    b"POST /service/$batch HTTP/1.1\r\nContent-Type: application/json\r\nOData-Version: 4.01\r\n"
    b"Accept: application/json\r\nContent-Length: 55\r\n\r\n"
) + BODY
CONDITION = b'{"requests":[{"id":"1","method":"GET","url":"a","if":"$0"}]}'
ANSWER = batch(part(b"HTTP/1.1 204 No Content\r\n\r\n"))


def to(target: str, data: bytes, *arguments: str) -> bytes:
    done = run("convert", "--to", target, *arguments, "-", data=data)
    assert (done.status, done.errors) == (0, "")
    return done.octets


def test_a_request_becomes_json_and_comes_back() -> None:
    assert to("json", CLEAN) == AS_JSON
    assert to("multipart", AS_JSON, "--boundary", "b") == (
        b"POST /service/$batch HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        b"OData-Version: 4.0\r\nAccept: multipart/mixed\r\nContent-Length: 121\r\n\r\n"
    ) + batch(part(head=PART_HEAD + b"Content-ID: 1\r\n"))


def test_a_change_set_and_a_response_are_converted() -> None:
    octets = to("json", HEAD + batch(change_set(member(PATCH)), part()))
    assert octets.partition(b"\r\n\r\n")[2] == (
        b'{"requests":[{"id":"1","atomicityGroup":"g1","method":"PATCH","url":"A(1)",'
        b'"headers":{"content-type":"application/json"},"body":{"a":1.10}},'
        b'{"id":"2","dependsOn":["g1"],"method":"GET","url":"People"}]}'
    )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    octets = to("multipart", head + b'{"responses":[{"id":"1","status":204}]}', "--boundary", "b")
    assert octets.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n")
    assert b"\r\nContent-ID: 1\r\n\r\nHTTP/1.1 204 No Content\r\n" in octets


def test_what_is_missing_stays_missing() -> None:
    assert to("json", batch(part())) == BODY
    octets = to("json", HEAD.partition(b"\r\n")[2] + batch(part()))
    assert octets.startswith(b"Content-Type: application/json\r\nOData-Version: 4.01\r\n")


# -- the head --


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        (["Host: example.org"], ["Host: example.org"]),
        (["B: 1", "X-A: \xe4", "B: 3"], ["B: 1", "X-A: \xe4", "B: 3"]),
        (["OData-MaxVersion: 4.01"], ["OData-MaxVersion: 4.01"]),
        (["Accept: multipart/mixed", "content-length: 119", "OData-Version: 4.0"], []),
        (["Content-Encoding: identity", "Transfer-Encoding: identity"], []),
        (["Prefer: respond-async,a"], ["Prefer: respond-async,a"]),
        (["Prefer: continue-on-errors"], ["Prefer: continue-on-errors"]),
        (["Prefer: odata.continue-on-error"], ["Prefer: odata.continue-on-error"]),
        (
            ['Prefer: respond-async, Continue-On-Error=false, wait="1,2\\"", a'],
            ['Prefer: respond-async, wait="1,2\\"", a', "Prefer: odata.continue-on-error=false"],
        ),
    ],
)
def test_fields_that_say_nothing_about_the_body_are_kept(
    fields: list[str], kept: list[str]
) -> None:
    data = HEAD[:-2] + "".join(f"{field}\r\n" for field in fields).encode("latin-1") + b"\r\n"
    head = to("json", data + batch(part())).decode("latin-1").split("\r\n\r\n")[0]
    written = ("Content-Type: ", "OData-Version: ", "Accept: ", "Content-Length: ")
    assert [line for line in head.split("\r\n")[1:] if not line.startswith(written)] == kept


def test_the_version_field_is_that_of_the_dialect() -> None:
    data = HEAD[:-2] + b"DataServiceVersion: 1.0\r\n\r\n" + batch(part())
    octets = to("multipart", data, "--dialect", "2", "--boundary", "other")
    assert octets.count(b"DataServiceVersion: ") == 1
    assert b"\r\nDataServiceVersion: 2.0\r\n" in octets and b"boundary=other\r\n" in octets


# -- what is lost and what is refused --

WRAPPED = b"HTTP/1.1 200 OK\r\nContent-Type: Application/HTTP\r\n\r\n" + (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"responses":[]}'
)
LOSSY = HEAD + batch(part(b"PUT a HTTP/1.1\r\nContent-Type: image/png\r\n\r\n\xef\xbf\xbdPNG"))
DAMAGED = HEAD + batch(SPACE_BEFORE_COLON)
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nLocation: a\r\n\r\n"
ARCHIVE = har((batch(part()), ANSWER))
CANNOT, BOTH = "cannot convert '-'\n", "entries[1].request, entries[1].response"
NO_MESSAGE = "there is no message 'a'; choose one with --message"
BLANK = "error[header-white-space-before-colon]: field line 'Prefer : return=minimal' has\n"
EMPTY = "note[capture-accepted]: status 202 with an empty body and the Location 'a'\n"
CHOOSE = (
    "choose a directory that exists with --output for 2 messages, or one of them with --message"
)


@pytest.mark.parametrize(
    ("arguments", "data", "status", "message"),
    [
        ("--to multipart", CONDITION, 0, "lost in items[0]: the condition '$0' is dropped; "),
        ("--to json", WRAPPED, 0, "lost: the message of type application/http around the batch\n"),
        ("--to json", LOSSY, 0, "lost: octets, before this, when the message was captured\n"),
        ("--to json", DAMAGED, 1, CANNOT + BLANK),
        ("--to multipart --boundary \x1b", CONDITION, 1, f"{CANNOT}warning[boundary-characters]: "),
        ("--to json", ACCEPTED, 1, CANNOT + EMPTY),
        ("--to json", ARCHIVE, 2, f"{CHOOSE}: {BOTH}\n"),
        ("--to json -o no", ARCHIVE, 2, f"'no' is no directory; {CHOOSE}: {BOTH}\n"),
        ("--to json --message a", ARCHIVE, 2, f"{NO_MESSAGE}: {BOTH}\n"),
        ("--to json --message a", CLEAN, 2, f"{NO_MESSAGE}: none has a name\n"),
    ],
)
def test_what_is_lost_or_refused_is_said(
    arguments: str, data: bytes, status: int, message: str
) -> None:
    done = run("convert", *arguments.split(" "), "-", data=data)
    assert done.status == status and (done.octets != b"") == (status == 0)
    assert done.errors.startswith(f"odata-batch: {message}")
    assert done.errors.count("\n") == 1 or message.startswith(CANNOT)


def test_one_message_of_an_archive_is_converted_or_all_into_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert to("json", ARCHIVE, "--message", "entries[1].request").endswith(BODY)
    (tmp_path / "a.har").write_bytes(ARCHIVE)
    (tmp_path / "out").mkdir()
    done = run("convert", "--to", "json", "-o", "out", "missing", "a.har", "-", data=DAMAGED)
    assert (done.status, done.octets) == (2, b"")
    said = [line for line in done.errors.split("\n") if line.startswith("odata-batch: ")]
    assert [line.partition(": ")[2][:30] for line in said] == [
        "cannot read 'missing': No such",
        "a.har entries[1].response: los",
        "-: cannot convert '-'",
    ]
    written = sorted((tmp_path / "out").iterdir())
    assert [each.name for each in written] == [
        *("a.har-entries-1-.request", "a.har-entries-1-.response")
    ]
    assert written[0].read_bytes().endswith(BODY)


def test_no_batch_is_left_out_or_overwritten_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    for name in ("x-y/z", "x/y-z"):
        Path(name).parent.mkdir()
        Path(name).write_bytes(CLEAN)
    for arguments, data, said in (
        ("-o empty x-y/z x/y-z", b"", f"two messages would be written to {'empty/x-y-z'!r}"),
        ("-", b"PK\x03\x04", "cannot read '-': error[capture-unreadable]"),
        ("-", b'{"log":{"entries":[]}}', "there is no batch to convert"),
    ):
        done = run("convert", "--to", "json", *arguments.split(), data=data)
        assert (done.status, said in done.errors) == (2, True), done.errors


def test_what_is_ignored_does_not_keep_a_batch_from_being_converted() -> None:
    data = HEAD + batch(part(b"GET People HTTP/1.1\r\nA: 1\r\n\r\n"), SPACE_BEFORE_COLON)
    rule = "header-white-space-before-colon"
    done = run("convert", "--to", "json", "--ignore", rule, "-", data=data)
    assert (done.status, b'"prefer":"return=minimal"' in done.octets, done.errors) == (0, True, "")


# -- where it is written --


def test_a_converted_batch_is_written_to_a_file(tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert to("json", CLEAN, "-o", str(output)) == b"" and output.read_bytes() == AS_JSON


@pytest.mark.parametrize("command", ["check", "show", "outcomes", "convert --to json"])
def test_nothing_is_written_over_what_is_read(command: str, tmp_path: Path) -> None:
    file, link = tmp_path / "a", tmp_path / ".hidden"
    file.write_bytes(CLEAN)
    link.symlink_to(file)
    for read, output in ((file, file), (file, link), (tmp_path, file)):
        done = run(*command.split(), str(tmp_path / "missing"), str(read), "-o", str(output))
        expected = f"cannot write {str(output)!r}: it is one of the files that are read\n"
        assert (done.status, done.errors.endswith(expected)) == (2, True), done.errors
    assert file.read_bytes() == CLEAN


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "cannot read 'missing': No such file or directory"),
        (["-o", "missing/a", "-"], "cannot write 'missing/a': No such file or directory"),
        (["-o", "a\0b", "-"], "cannot write 'a\\x00b': embedded null byte"),
    ],
)
def test_convert_ends_with_2_where_it_cannot_read_or_write(
    arguments: list[str], message: str
) -> None:
    done = run("convert", "--to", "json", *arguments, data=CLEAN)
    assert done == (2, b"", f"odata-batch: {message}\n")


def test_octets_that_a_terminal_would_obey_are_not_sent_to_one() -> None:
    command = ("convert", "--to", "json", "-")
    assert run(*command, data=CLEAN, output=Output(is_terminal=True)) == (0, AS_JSON, "")
    harmful = HEAD + batch(part(b"PUT a HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n\x1b[2J"))
    command = ("convert", "--to", "multipart", "-")
    done = run(*command, data=harmful, output=Output(is_terminal=True))
    expected = "odata-batch: there are control characters in it; write it to a file with -o\n"
    assert done == (2, b"", expected)
    assert run(*command, data=harmful).status == 0


def test_a_converted_batch_can_be_written_to_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_bytes(CLEAN)
    command = ["convert", "--to", "json", str(tmp_path / "a")]
    with redirect_stdout(None):
        assert main(command) == 0
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe, redirect_stdout(pipe):
        assert main(command) == 0
    assert capsys.readouterr().err == ""


@given(strategies.batch_requests(format="json"))
def test_what_is_written_can_be_read(value: BatchRequest) -> None:
    payload = encode_request(value, format="json")
    head = "".join(f"{name}: {value}\r\n" for name, value in payload.headers.pairs)
    data = head.encode("latin-1") + b"\r\n" + payload.body
    done = run("convert", "--to", "multipart", "-", data=data)
    if done.status:
        assert "[no-parts]: " in done.errors and not json.loads(payload.body)["requests"]
        return
    message = parse_message(done.octets)
    decoded = decode_request(message.body, message.content_type, headers=message.headers)
    assert done.errors or len(decoded.operations()) == len(value.operations())
