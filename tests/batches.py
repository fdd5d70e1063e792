"""Batches in one line of text, payloads of them that nobody has checked, and what is found there.

Items are separated by "; ", and "{ " and " }" enclose those of a change set:

    1: GET People; g{ 2: POST $1/Orders after 1; 3: PATCH a [If-Match: $1] = {} }; GET b after g

A message is an id, a method and a URL or else a status, and what follows: dependencies, a
condition, fields in brackets, a body; `3 * GET People` is three of them. A finding is a line, too:
its rule, where it was found (as `0.1` for `items[0].items[1]`), and its message.

A table of cases, as `data/rules.txt`, has such lines, findings without messages after an arrow
or, where it matters what they say, with them and indented below the batch; a comment above it that
says what the case is about, and before a bar what it is read and written with:

    # Members of a change set are told apart by their ids.
    multipart 4.0 ids_ignore_case=True | { a: POST People; A: POST People } -> duplicate-id 0.1
    multipart | { b: POST People; a: POST $1/Orders }
        reference-unknown 0.1: URL '$1/Orders' refers to '1', which no request has as its id

Without a format it is read in both. What reading warns of, writing refuses in the same words,
unless `read` tells that it is mended; what only `write` refuses cannot be read. The items are those
of a request, or of a `response`.
"""

from __future__ import annotations

import ast
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    Diagnostic,
    Dialect,
    EncodeError,
    Headers,
    Operation,
    OperationResponse,
    Payload,
    Severity,
    Unreadable,
    check_request,
    check_response,
    encode_request,
    encode_response,
)
from odata_batch.dialects import ODATA_4_01, PRESETS

from .helpers import CRLF, FORMATS, JSON, MULTIPART, PART_HEAD, Format, part

Message = Operation | OperationResponse
Set = ChangeSet | ChangeSetResponse
Item = Message | Set
Batch = BatchRequest | BatchResponse
_T = TypeVar("_T")

MESSAGE = re.compile(
    r"(?:(?P<id>\S+): )?(?P<what>\S+)(?: (?P<url>(?!\[|= |after |if )\S+))?"
    r"(?: after (?P<after>[^\[=]*?))?(?: if (?P<condition>[^\[]*?))?"
    r"(?P<headers>(?: \[[^\]]*\])*)(?: = (?P<body>.*))?"
)


def _message(text: str) -> dict[str, Any]:
    found = MESSAGE.fullmatch(text)
    assert found, text
    fields = re.findall(r"\[([^:\]]*): ?([^\]]*)\]", found["headers"])
    body = (found["body"] or "").encode()
    after = (found["after"] or "").split()
    return {**found.groupdict(), "headers": Headers(fields), "body": body, "after": after}


def operation(text: str) -> Operation:
    """Return the operation that a line says."""
    it = _message(text)
    return Operation(
        it["what"],
        it["url"] or "",
        it["headers"],
        it["body"],
        id=it["id"],
        depends_on=it["after"],
        condition=it["condition"],
    )


def answer(text: str) -> OperationResponse:
    """Return the response that a line says."""
    it = _message(text)
    return OperationResponse(int(it["what"]), it["headers"], it["body"], id=it["id"])


def _items(text: str, message: Callable[[str], _T], group: Callable[..., _T]) -> list[_T]:
    stack: list[tuple[str, list[_T]]] = [("", [])]
    for token in re.split(r"(\S*\{ | \}|; )", text):
        if token.endswith("{ "):
            stack.append((token[:-2], []))
        elif token == " }":
            name, items = stack.pop()
            stack[-1][1].append(group(items, id=name or None))
        elif token not in ("", "; "):
            times, _, each = token.rpartition(" * ")
            stack[-1][1].extend(message(each) for _ in range(int(times or 1)))
    ((_, items),) = stack
    return items


def request(text: str, **options: Any) -> BatchRequest:
    """Return the request that a line says; the options are those of the constructor."""
    items: list[Operation | ChangeSet] = _items(text, operation, ChangeSet)
    return BatchRequest(items, **options)


def response(text: str, **options: Any) -> BatchResponse:
    """Return the response that a line says; the options are those of the constructor."""
    items: list[OperationResponse | ChangeSetResponse] = _items(text, answer, ChangeSetResponse)
    return BatchResponse(items, **options)


# -- payloads --------------------------------------------------------------------------------------


def payload(of: Batch, format: Format, *, made_up: bool = True) -> tuple[bytes, str]:
    """Return the octets of a batch, right or wrong, and their Content-Type.

    Where the format wants an id or the name of a group and there is none, one may be `made_up`.
    What the format has no place for is left out.
    """
    ids = (f"made-up-{number}" if made_up else None for number in count())
    if format == "json":
        members = b",".join(_objects(of.items, None, ids))
        name = b"requests" if isinstance(of, BatchRequest) else b"responses"
        link = of.next_link if isinstance(of, BatchResponse) else None
        rest = b"" if link is None else b',"@odata.nextLink":' + _quoted(link)
        return b'{"%b":[%b]%b}' % (name, members, rest), JSON
    body = b"".join(_part(item, b"b", ids) for item in of.items)
    return body if isinstance(
        of, BatchResponse
    ) and of.truncated else body + b"--b--\r\n", MULTIPART


# -- writing and reading ---------------------------------------------------------------------------


def _send(encoder: Any, item: Any) -> bytes:
    sent: bytes = encoder.send(item)
    return sent


def stream(encoder: Any, item: Any, size: int = 3) -> bytes:
    """Return the octets of an item, the bodies of which, if there are any, come in such pieces."""
    bodies: list[list[bytes]] = []

    def head_of(each: Any) -> Any:
        if isinstance(each, Set):
            return type(each)([*map(head_of, each.items)], id=each.id)
        bodies.append([each.body[at : at + size] for at in range(0, len(each.body), size)])
        return replace(each, body=b"") if each.body else each

    head = head_of(item)
    return b"".join(encoder.stream(head, bodies if isinstance(item, Set) else bodies[0]))


def _in_items(codec: Codec, batch: Batch, send: Callable[[Any, Any], bytes] = _send) -> Payload:
    """Encode item by item."""
    pieces: list[bytes] = []
    if isinstance(batch, BatchRequest):
        goes_on = batch.continue_on_error
        requests = codec.request_encoder(annotations=batch.annotations, continue_on_error=goes_on)
        pieces += [*map(partial(send, requests), batch.items), requests.close()]
        return Payload(b"".join(pieces), requests.headers)
    responses = codec.response_encoder(annotations=batch.annotations)
    pieces += [
        *map(partial(send, responses), batch.items),
        responses.close(next_link=batch.next_link),
    ]
    return Payload(b"".join(pieces), responses.headers)


def _as_a_whole(codec: Codec, batch: Batch) -> Payload:
    """Encode in one call."""
    if isinstance(batch, BatchRequest):
        return codec.encode_request(batch)
    return codec.encode_response(batch)


Writer = Callable[[Codec, Batch], Payload]
WRITERS: tuple[Writer, ...] = (_as_a_whole, _in_items, partial(_in_items, send=stream))


def decoded(codec: Codec, batch: Batch, payload: Payload) -> Batch:
    """Decode a payload in the role of the batch."""
    fields = payload.headers
    if isinstance(batch, BatchRequest):
        return codec.decode_request(payload.body, payload.content_type, headers=fields)
    return codec.decode_response(payload.body, payload.content_type, headers=fields)


def written_and_read(batch: Batch, format: Format) -> Batch:
    """Return what a batch is after encoding and decoding it strictly."""
    codec = Codec(format=format, strict=True)
    return decoded(codec, batch, _as_a_whole(codec, batch))


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()


def _objects(
    items: Iterable[Item | Unreadable], group: str | None, ids: Iterator[str | None]
) -> Iterator[bytes]:
    for item in items:
        assert not isinstance(item, Unreadable)
        if isinstance(item, Set):
            yield from _objects(item.items, item.id or next(ids), ids)
            continue
        id = next(ids) if item.id is None else item.id
        members: dict[str, object] = {} if id is None else {"id": id}
        if group is not None:
            members["atomicityGroup"] = group
        if isinstance(item, OperationResponse):
            members["status"] = item.status
        else:
            members |= {"method": item.method, "url": item.url}
            members |= {"dependsOn": item.depends_on} if item.depends_on else {}
            members |= {} if item.condition is None else {"if": item.condition}
        if item.headers or group is not None:
            members["headers"] = {name.lower(): value for name, value in item.headers.pairs}
        body = b""
        if item.body:
            kind = item.headers.get("content-type", JSON)
            in_base64 = _quoted(urlsafe_b64encode(item.body).decode())
            text = _quoted(item.body.decode("latin-1")) if kind.startswith("text/") else in_base64
            body = b',"body":' + (item.body if "json" in kind else text)
        yield json.dumps(members).encode()[:-1] + body + b"}"


def _part(item: Item | Unreadable, boundary: bytes, ids: Iterator[str | None]) -> bytes:
    assert not isinstance(item, Unreadable)
    if isinstance(item, Set):
        inner = bytes([boundary[0] + 1])  # begins with no outer one
        content = b"".join(_part(each, inner, ids) for each in item.items)
        head = b"Content-Type: multipart/mixed; boundary=" + inner + CRLF
        return part(content + b"--" + inner + b"--", head=head, boundary=boundary)
    id = (
        next(ids)
        if item.id is None and boundary != b"b" and isinstance(item, Operation)
        else item.id
    )
    if isinstance(item, Operation):
        start = f"{item.method} {item.url} HTTP/1.1".encode("utf-8", "surrogateescape")
    else:
        start = b"HTTP/1.1 %d Fine" % item.status
    fields = "".join(f"{name}: {value}\r\n" for name, value in item.headers.pairs).encode("latin-1")
    head = PART_HEAD if id is None else PART_HEAD + b"Content-ID: " + id.encode() + CRLF
    return part(start + CRLF + fields + CRLF + item.body, head=head, boundary=boundary)


# -- findings --------------------------------------------------------------------------------------


def line(found: Diagnostic) -> str:
    """Return the rule, the place and the message of a finding."""
    place = found.path.replace("items[", "").replace("]", "")
    message = re.sub(", first at byte [0-9]+$", "", found.message)
    return f"{found.rule.slug} {place}: {message}" if place else f"{found.rule.slug}: {message}"


def check(of: Batch, format: Format, **options: Any) -> tuple[Diagnostic, ...]:
    """Return what checking the batch finds, which nobody has checked before."""
    body, content_type = payload(of, format)
    if isinstance(of, BatchRequest):
        return check_request(body, content_type, **options).diagnostics
    return check_response(body, content_type, **options).diagnostics


def read(of: str | Batch, format: Format = "multipart", **options: Any) -> list[str]:
    """Return what reading the batch finds, as lines; a text is a request."""
    found = check(request(of) if isinstance(of, str) else of, format, **options)
    return [line(each) for each in found]


def refused(of: str | Batch, format: Format = "multipart", **options: Any) -> list[str]:
    """Return what keeps the batch from being written, as lines; a text is a request."""
    batch = request(of) if isinstance(of, str) else of
    try:
        if isinstance(batch, BatchRequest):
            encode_request(batch, format=format, **options)
        else:
            encode_response(batch, format=format, **options)
    except EncodeError as error:
        return [line(each) for each in error.diagnostics]
    return []


def places(found: Iterable[str]) -> list[str]:
    """Return the findings without their messages."""
    return [each.partition(":")[0] for each in found]


def as_expected(found: Iterable[str], expected: Sequence[str]) -> list[str]:
    """Return the findings without those messages that are not expected either."""
    silent = {index for index, each in enumerate(expected) if ":" not in each}
    return [each.partition(":")[0] if index in silent else each for index, each in enumerate(found)]


# -- tables ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One case of a table."""

    about: str
    words: tuple[str, ...]
    text: str
    expected: tuple[str, ...]

    @property
    def formats(self) -> list[Format]:
        return [each for each in FORMATS if each in self.words] or [*FORMATS]

    @property
    def dialect(self) -> Dialect:
        presets = [PRESETS[word] for word in self.words if word in PRESETS]
        fields = [word.split("=") for word in self.words if "=" in word]
        values = {name: ast.literal_eval(value) for name, value in fields}
        sets = {name: frozenset(it) for name, it in values.items() if isinstance(it, set | tuple)}
        return replace(presets[0] if presets else ODATA_4_01, **{**values, **sets})

    def batch(self) -> Batch:
        return response(self.text) if "response" in self.words else request(self.text)

    def run(self) -> None:
        """Read and write the batch, and compare what is found."""
        for format in self.formats:
            heard = [*self.expected]
            if "write" not in self.words:
                found = check(self.batch(), format, dialect=self.dialect)
                lines = as_expected(map(line, found), self.expected)
                assert lines == heard
                heard = [
                    each
                    for each, it in zip(lines, found, strict=True)
                    if it.severity > Severity.NOTE
                ]
            if "read" not in self.words:
                lines = refused(self.batch(), format, dialect=self.dialect)
                assert as_expected(lines, heard) == heard


def table(name: str) -> list[str]:
    """Return the lines of a table in data/, in which `<word>` is what `<word> = ...` says."""
    text = (Path(__file__).parent / "data" / f"{name}.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith(("## ", "<"))]
    for word, meaning in re.findall(r"^(<\w+>) = (.*)$", text, re.MULTILINE):
        lines = [line.replace(word, meaning) for line in lines]
    return lines


def cases(name: str) -> pytest.MarkDecorator:
    """Run a test with each case of a table in data/."""
    found: list[Case] = []
    about = ""
    for text in table(name):
        if text.startswith("# "):
            about = text[2:]
        elif text.startswith("    "):
            more = [text[4:]] if ":" in text else text[4:].split(", ")
            found[-1] = replace(found[-1], expected=(*found[-1].expected, *more))
        else:
            head, _, rest = text.rpartition(" | ")
            batch, _, findings = rest.partition(" -> ")
            found.append(
                Case(about, tuple(head.split()), batch, tuple(filter(None, findings.split(", "))))
            )
    return pytest.mark.parametrize("case", found, ids=lambda case: f"{case.about} {case.text}")


def scripts(name: str) -> pytest.MarkDecorator:
    """Run a test with each script of a table in data/: words, a batch, and what is done."""
    rows: list[tuple[str, str, str, str]] = []
    about = ""
    for text in table(name):
        if text.startswith("# "):
            about = text[2:]
        elif not text.startswith("    "):
            words, _, batch = text.partition("| ")
            rows.append((words, batch, "", about))
        else:
            rows[-1] = (*rows[-1][:2], rows[-1][2] + text, about)
    found = [pytest.param(*row[:3], id=f"{row[3]} {number}") for number, row in enumerate(rows)]
    return pytest.mark.parametrize(("words", "batch", "script"), found)
