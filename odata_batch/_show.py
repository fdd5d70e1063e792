"""What `odata-batch show` prints: the tree of a captured batch and what is wrong with it, as lines.

Functions called `..._lines` yield what is printed, without line ends. Nothing is read or printed
here. Whatever comes from the capture goes through `_visible` on its way to a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Diagnostic,
    Dialect,
    Headers,
    Operation,
    OperationResponse,
    Report,
    Rule,
    Severity,
    check_request,
    check_response,
)
from odata_batch.capture import Message, parse_message

_Batch: TypeAlias = BatchRequest | BatchResponse
_Item: TypeAlias = Operation | ChangeSet | OperationResponse | ChangeSetResponse
Paint: TypeAlias = Callable[[str, str], str]

_BOLD, _RED, _GREEN = "1", "31", "32"
_COLOURS: Final[Mapping[Severity, str]] = {
    Severity.ERROR: "1;31",
    Severity.WARNING: "1;33",
    Severity.NOTE: "1;36",
}

# A quoted line and its indentation fit into 100 columns.
_WIDTH = 92
# Every finding counts, and so many are printed.
_PRINTED_FINDINGS = 200

# Where a finding about the header section is to be seen; if not here, then in the Content-Type.
_FIELDS: Final[Mapping[Rule, tuple[str, ...]]] = {
    Rule.OUTER_PRECONDITION: ("if-match", "if-none-match"),
    Rule.OUTER_PREFERENCE: ("prefer",),
    Rule.OUTER_RESPONSE_HEADER: ("etag", "location", "odata-entityid"),
    Rule.METHOD_TUNNEL: ("x-http-method",),
    Rule.PREFERENCE_VALUE: ("prefer",),
    Rule.ASYNC_RESULT: ("asyncresult",),
    Rule.VERSION_HEADER: ("odata-version", "odata-maxversion"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is to be shown, and how."""

    headers: bool
    bodies: bool
    paint: Paint


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A capture, read and checked; each finding is a diagnostic behind its offset in `data`."""

    data: bytes
    message: Message
    batch: _Batch | None
    findings: tuple[tuple[int, Diagnostic], ...]
    omitted: int
    worst: Severity | None


def examine(data: bytes, dialect: Dialect) -> Capture:
    """Read and check a capture."""
    message = parse_message(data)
    report = _check(message, dialect)
    findings = [(found.position or 0, found) for found in message.diagnostics]
    findings += [(_offset_of(found, data, message), found) for found in report.diagnostics]
    severities = [found.severity for _, found in findings]
    return Capture(
        data=data,
        message=message,
        batch=report.value,
        findings=tuple(sorted(findings, key=lambda finding: finding[0])),
        omitted=report.omitted,
        worst=max(filter(None, (*severities, report.worst)), default=None),
    )


def _check(message: Message, dialect: Dialect) -> Report[BatchRequest] | Report[BatchResponse]:
    if any(found.rule.fatal for found in message.diagnostics):
        return Report(None, ())
    check = check_request if message.kind == "request" else check_response
    return check(message.body, message.content_type, headers=message.headers, dialect=dialect)


def _offset_of(found: Diagnostic, data: bytes, message: Message) -> int:
    """Return the place in the capture; what concerns a header section stands in front of it."""
    offset = message.body_position + (found.position or 0)
    if found.path != "headers":
        return offset
    # A head that is not at the start is that of a message in the message.
    start = message.body_position if found.position else 0
    section = b"\n" + data[start:offset].lower()
    names = _FIELDS.get(found.rule, ("content-type",))
    for name in sorted(names, key=lambda name: name not in found.message.lower()):
        place = section.find(f"\n{name}:".encode())
        if place >= 0:
            return start + place
    return offset


# -- the batch -----------------------------------------------------------------------------------


def capture_lines(capture: Capture, options: Options) -> Iterator[str]:
    """Yield everything that is to be shown of a capture."""
    batch = capture.batch
    yield from _message_lines(capture.message, options)
    if batch is not None:
        yield from _indented(_batch_lines(batch, options.paint))
    if batch is not None and batch.items:
        yield ""
        for index, item in enumerate(batch.items):
            yield from _item_lines(item, f"items[{index}]", options)
    elif capture.message.body:
        yield ""
        yield from _body_lines("", capture.message.body, options)
    yield from _finding_lines(capture, options.paint)
    yield ""
    yield _summary(capture)


def _message_lines(message: Message, options: Options) -> Iterator[str]:
    yield options.paint(_BOLD, _heading(message))
    if message.start_line:
        yield f"  {_visible(message.start_line)}"
    if options.headers:
        yield from _indented(_header_lines(message.headers))
    elif "content-type" in message.headers:
        yield f"  Content-Type: {_visible(message.content_type)}"


def _heading(message: Message) -> str:
    media_type = _media_type(message)
    if not media_type:
        return "unknown format"
    if media_type == "application/http":
        inner = _media_type(parse_message(message.body))
        return f"batch {message.kind}, {_format_of(inner)} in application/http"
    return f"batch {message.kind}, {_format_of(media_type)}"


def _media_type(message: Message) -> str:
    return message.content_type.partition(";")[0].strip(" \t").lower()


def _format_of(media_type: str) -> str:
    if media_type.startswith("multipart/"):
        return "multipart"
    return "JSON" if media_type == "application/json" else "unknown format"


def _batch_lines(batch: _Batch, paint: Paint) -> Iterator[str]:
    """Yield what a batch has beside its items."""
    if isinstance(batch, BatchRequest):
        if batch.continue_on_error is not None:
            yield f"continue-on-error: {str(batch.continue_on_error).lower()}"
    else:
        if batch.truncated:
            yield paint(_RED, "truncated: the close delimiter is missing")
        if batch.next_link is not None:
            yield f"next link: {_visible(batch.next_link)}"
    yield from _annotation_lines(batch.annotations)


def _item_lines(item: _Item, path: str, options: Options) -> Iterator[str]:
    yield f"{options.paint(_BOLD, path)}  {_title(item, options.paint)}"
    if isinstance(item, ChangeSet | ChangeSetResponse):
        for index, member in enumerate(item.items):
            yield from _indented(_item_lines(member, f"{path}.items[{index}]", options))
    else:
        yield from _indented(_detail_lines(item, options))


def _title(item: _Item, paint: Paint) -> str:
    if isinstance(item, Operation):
        return f"{_visible(item.method)} {_visible(item.url)}"
    if isinstance(item, OperationResponse):
        status = f"{item.status} {_visible(item.reason or '')}".rstrip(" ")
        return paint(_GREEN if item.status < 400 else _RED, status)
    group = "" if item.id is None else f" {_visible(item.id)}"
    noun = "operation" if isinstance(item, ChangeSet) else "response"
    return f"change set{group} of {_count(len(item.items), noun)}"


def _detail_lines(item: Operation | OperationResponse, options: Options) -> Iterator[str]:
    if item.id is not None:
        yield f"id: {_visible(item.id)}"
    if isinstance(item, Operation):
        if item.depends_on:
            yield f"dependsOn: {_visible(', '.join(item.depends_on))}"
        if item.condition is not None:
            yield f"if: {_visible(item.condition)}"
    if options.headers:
        yield from _header_lines(item.headers)
    yield from _annotation_lines(item.annotations)
    yield from _body_lines(item.headers.get("content-type", ""), item.body, options)


def _header_lines(headers: Headers) -> Iterator[str]:
    for name, value in headers.pairs:
        yield f"{_visible(name)}: {_visible(value)}"


def _annotation_lines(annotations: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    for name, value in annotations:
        yield f"{_visible(name)}: {_beginning(value)} (not defined by the standard)"


def _body_lines(content_type: str, body: bytes, options: Options) -> Iterator[str]:
    if not body:
        return
    kind = f" of {_visible(content_type)}" if content_type else ""
    yield f"body: {_count(len(body), 'byte')}{kind}"
    if options.bodies:
        for line in body.removesuffix(b"\n").split(b"\n"):
            text = _visible_bytes(line.removesuffix(b"\r"))
            yield f"  | {text}"
    else:
        yield f"  | {_beginning(body)}"


def _beginning(body: bytes) -> str:
    """Return the first line, cut, with dots if there is more."""
    line = body[: 4 * _WIDTH].partition(b"\n")[0]
    text = _visible_bytes(line.removesuffix(b"\r"))
    is_whole = len(text) <= _WIDTH and len(body) <= len(line) + 1
    return text if is_whole else f"{text[:_WIDTH]} ..."


# -- the findings --------------------------------------------------------------------------------


def _finding_lines(capture: Capture, paint: Paint) -> Iterator[str]:
    explained: set[Rule] = set()
    line = 1
    last = 0
    for offset, found in capture.findings[:_PRINTED_FINDINGS]:
        # From the last place on, so that the octets are gone through once.
        line += capture.data.count(b"\n", last, offset)
        last = offset
        name = paint(_COLOURS[found.severity], f"{found.severity.name.lower()}[{found.rule.slug}]")
        path = f", {found.path}" if found.path else ""
        yield ""
        yield f"{name} at byte {offset}, line {line}{path}: {_visible(found.message)}"
        yield from _indented(_excerpt(capture.data, offset))
        if found.rule not in explained:
            explained.add(found.rule)
            yield f"  = {found.rule.sentence} ({found.rule.citation})"
        if found.rule.fatal:
            yield "  = Nothing behind this place was read."


def _excerpt(data: bytes, offset: int) -> tuple[str, str]:
    """Return the line around the offset, its end made visible, and a caret below the place."""
    reach = 4 * _WIDTH  # bytes; a character has four at most
    nearest = max(0, offset - reach)
    start = data.rfind(b"\n", nearest, offset) + 1 or nearest
    before = _quoted(data[start:offset])
    if len(before) > _WIDTH // 2:
        before = f"...{before[-_WIDTH // 2 :]}"
    stop = data.find(b"\n", offset, offset + reach) + 1 or offset + reach
    after = _quoted(data[offset:stop]) or "(end)"
    room = _WIDTH - len(before)
    if len(after) > room:
        after = f"{after[:room]}..."
    return f"| {before}{after}", f"| {' ' * len(before)}^"


def _summary(capture: Capture) -> str:
    severities = [found.severity for _, found in capture.findings]
    counts = [
        _count(severities.count(severity), severity.name.lower())
        for severity in (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    ]
    summary = f"{_contents(capture.batch)}; {', '.join(counts)}"
    unlisted = max(0, len(severities) - _PRINTED_FINDINGS) + capture.omitted
    return f"{summary}; {unlisted} more not listed" if unlisted else summary


def _contents(batch: _Batch | None) -> str:
    if batch is None:
        return "no batch"
    if isinstance(batch, BatchRequest):
        leaves = _count(len(batch.operations()), "operation")
    else:
        leaves = _count(len(batch.responses()), "response")
    change_sets = [item for item in batch.items if isinstance(item, ChangeSet | ChangeSetResponse)]
    return f"{leaves}, {_count(len(change_sets), 'change set')}"


# -- text ----------------------------------------------------------------------------------------


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield f"  {line}"


def _visible(text: str) -> str:
    """Return the text with escapes for what a terminal would obey or not show."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # an octet, as `surrogateescape` hides it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def _visible_bytes(data: bytes) -> str:
    return _visible(data.decode("utf-8", "backslashreplace"))


def _quoted(data: bytes) -> str:
    r"""Return the octets made visible, with `\\` for a backslash, so that `\n` is a line feed."""
    return _visible(data.decode("utf-8", "surrogateescape").replace("\\", "\\\\"))
