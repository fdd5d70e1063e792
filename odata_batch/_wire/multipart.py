"""The OData multipart batch format (OData Protocol, 11.7.7), read.

The outer multipart is split as it arrives; a part that is complete is read at once, a change set
with a splitter of its own over the octets of that part. Damage within a part is reported for that
part, and the next part is read.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from odata_batch._model import values
from odata_batch._model.dialect import Format
from odata_batch._model.findings import Diagnostic, Reporter, Stop, exceed, quote, stop
from odata_batch._model.headers import Headers, folded, without
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.rules import Rule, Severity
from odata_batch._wire import grammar, http, mime, sections

_Start = TypeVar("_Start")
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Role(Generic[_Start, _Item]):
    """What decoding a request and decoding a response do differently."""

    name: str
    parse_line: Callable[[bytes, int, sections.SectionReader], _Start | None]
    build: Callable[[_Start, Headers, bytes, str | None, int, bool], _Item]
    change_set: Callable[[list[_Item]], _Item]
    truncated: Rule
    unclosed: Rule


REQUEST: Role[tuple[str, str], values.RequestItem] = Role(
    name="request",
    parse_line=http.parse_request_line,
    build=lambda start, headers, body, id, position, id_in_message: values.operation_of(
        start[0], start[1], headers, body, id, position=position, id_in_message=id_in_message
    ),
    change_set=values.ChangeSet,
    truncated=Rule.TRUNCATED,
    unclosed=Rule.TRUNCATED,
)
RESPONSE: Role[tuple[int, str], values.ResponseItem] = Role(
    name="response",
    parse_line=http.parse_status_line,
    build=lambda start, headers, body, id, position, id_in_message: values.response_of(
        start[0], headers, body, id, start[1], position=position, id_in_message=id_in_message
    ),
    change_set=values.ChangeSetResponse,
    truncated=Rule.TRUNCATED_RESPONSE,
    unclosed=Rule.CHANGE_SET_UNCLOSED,
)

# The fields of a part's header section that have a meaning or a rule of their own. RFC 2046, 5.1
_PART_FIELDS = frozenset(
    (
        "content-type",
        "content-transfer-encoding",
        "content-id",
        "content-length",
        "content-encoding",
        "transfer-encoding",
    )
)
# Those of them that a part must not have: what they would undo has no place in a batch
_CODINGS = (
    ("transfer-encoding", Rule.TRANSFER_ENCODING),
    ("content-encoding", Rule.PART_CONTENT_ENCODING),
)
_IDENTITY_ENCODINGS = frozenset(("7bit", "8bit", "binary"))


class _Head(NamedTuple):
    """What the header section of a part says; its findings are about the part as a whole."""

    section: sections.Section
    findings: tuple[sections.Problem, ...]
    media_type: sections.MediaType | None
    type_findings: tuple[sections.Problem, ...]
    assumed: str | None
    """What was found in place of a media type, where the content decides what it is."""
    coding: str | None
    is_plain: bool
    """Whether this is an HTTP message about whose head there is nothing to say."""

    def with_boundary(self, boundary: str) -> _Head:
        """Return the head of another change set, whose boundary is this one."""
        assert self.media_type is not None  # that is what has a boundary
        media_type = sections.MediaType(self.media_type.name, (("boundary", boundary),), ())
        return self._replace(media_type=media_type)


def _judge_head(section: sections.Section, role_name: str) -> _Head:
    fields = folded(section.headers)
    findings = [
        (Rule.PART_HEADER_IGNORED, f"found the part header {quote(name)}; it is not kept")
        for name in fields
        if name not in _PART_FIELDS
    ]
    for name, rule in _CODINGS:
        if name in fields:
            value = quote(section.headers[name])
            findings.append((rule, f"the part has {name.title()} {value}"))
    (coding,) = fields.get("content-transfer-encoding", (None,))[:1]
    (text,) = fields.get("content-type", (None,))[:1]
    head = _Head(section, tuple(findings), None, (), None, coding, False)
    if text is None:
        return head._replace(assumed="the part has no Content-Type")
    media_type = sections.parse_media_type(text)
    if media_type.name == "message/http":
        return head._replace(assumed=f"found {quote(text)}")
    multipart = media_type.name.startswith("multipart/")
    if media_type.broken or not (multipart or media_type.name == "application/http"):
        message = f"found {quote(text)}, expected application/http or multipart/mixed"
        return head._replace(type_findings=((Rule.PART_CONTENT_TYPE, message),))
    problems = media_type.problems
    kind = None if multipart else media_type.parameter("msgtype")
    if kind is not None and kind.lower() != role_name:
        message = f"found msgtype {quote(kind)}, expected {role_name}"
        problems += ((Rule.MESSAGE_TYPE, message),)
    is_plain = not (multipart or findings or problems)
    is_plain = is_plain and coding == "binary" and section.length is None
    return head._replace(media_type=media_type, type_findings=problems, is_plain=is_plain)


def _usual_heads() -> dict[tuple[bytes, bytes, bytes], _Head]:
    """Return the heads that most batches have, as a decoder knows them."""
    findings: list[Diagnostic] = []
    reader = sections.SectionReader(DEFAULT_LIMITS, findings.append)
    http = b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary"
    keys = (
        (http + b"\r\n", b"Content-ID: ", b""),
        (http, b"", b""),
        (b"Content-Type: multipart/mixed; ", b"boundary=", b""),
    )
    found = {}
    for key in keys:
        section = reader.read(
            b"".join(key) + (b"1" if key[1] else b""), 0, b"\r\n", Rule.PART_HEADER_FOLDED
        )
        found[key] = _judge_head(section, "")
    return found


_USUAL_HEADS: Final[Mapping[tuple[bytes, bytes, bytes], _Head]] = _usual_heads()
_FIELDS_OF_A_USUAL_HEAD: Final = 3


class MultipartDecoder(Generic[_Start, _Item]):
    """Decodes a multipart batch that arrives in chunks; each iterator must be used up."""

    format: Format = "multipart"
    annotations: values.Annotations = ()
    next_link: str | None = None

    def __init__(
        self,
        role: Role[_Start, _Item],
        boundary: bytes,
        limits: Limits,
        report: Reporter,
        position: int = 0,
    ) -> None:
        self.truncated = False
        self._role: Role[_Start, _Item] = role
        self._limits = limits
        self._report_outer = report
        self._path: list[int] = []
        self._parts = 0
        self._end = position
        self._boundary = boundary
        self._reader = sections.SectionReader(limits, self._report)
        self._heads: dict[tuple[bytes, bytes, bytes], _Head] = {}
        if limits.fields >= _FIELDS_OF_A_USUAL_HEAD:
            self._heads.update(_USUAL_HEADS)
        # A head that is no longer exceeds no limit that another with the same fields keeps.
        self._short = min(limits.field_line, limits.header_section)
        self._splitter = mime.PartSplitter(boundary, limits, limits.operations, position=position)

    def receive_data(self, data: bytes) -> Iterator[tuple[int, _Item]]:
        """Take the next octets and yield the items that they complete, with their indexes."""
        self._end += len(data)
        return self._read_all(self._splitter.receive_data(data))

    def receive_eof(self) -> Iterator[tuple[int, _Item]]:
        """Yield what is left; without a close delimiter, the last part is not an item."""
        yield from self._read_all(self._splitter.receive_eof())
        if not self._splitter.closed:
            self.truncated = True
            expected = quote(b"--" + self._boundary + b"--")
            message = f"the {self._role.name} ends without {expected}"
            self._say(self._role.truncated, message, self._end)

    def _read_all(self, events: list[mime.Event]) -> Iterator[tuple[int, _Item]]:
        line_end = self._splitter.line_end or b"\r\n"
        for event in events:
            if isinstance(event, Diagnostic):
                self._pass_on(event)
                continue
            if event.delimiter_length is None:
                return
            index = self._parts
            self._parts += 1
            self._path = [index]
            if self._parts > self._limits.operations:
                exceed(self._report, self._limits, "operations", event.position)
            item = self._read_part(event, 1, line_end, self._boundary)
            self._path = []
            if item is not None:
                yield index, item

    def _pass_on(self, finding: Diagnostic) -> None:
        """Report what was found in splitting; after a fatal finding nothing is read."""
        self._report(finding)
        if finding.rule.fatal:
            raise Stop(finding.rule)

    def _report(self, finding: Diagnostic) -> None:
        self._say(finding.rule, finding.message, finding.position, finding.limit)

    def _say(
        self, rule: Rule, message: str, position: int | None, limit: tuple[str, int] | None = None
    ) -> None:
        path = ".".join([f"items[{index}]" for index in self._path])
        self._report_outer(Diagnostic(rule, message, position, path, limit=limit))

    # -- one part --

    def _read_part(
        self, part: mime.Part, depth: int, line_end: bytes, boundary: bytes
    ) -> _Item | None:
        found = self._read_head(part, line_end, boundary)
        if found is None:
            return None
        head, id, content = found
        position = part.position + len(part.content) - len(content)
        if head.is_plain and part.lookalike is None:
            return self._read_message(content, position, part, id, line_end)
        for problem in head.findings:
            self._say(*problem, part.position)
        length = head.section.length
        if length is not None and length != str(len(content)):
            self._check_length(length, content, part)
        media_type = head.media_type
        for problem in head.type_findings:
            self._say(*problem, part.position)
        if head.assumed is not None:
            media_type = self._assumed_type(head.assumed, content, part.position)
        if media_type is None:
            return None
        if media_type.name.startswith("multipart/"):
            inner = part._replace(content=content, position=position)
            return self._read_change_set(inner, head, id, depth, line_end, boundary)
        if part.lookalike is not None:
            message = f"a line of content begins with {quote(b'--' + boundary)}"
            self._say(Rule.DELIMITER_LOOKALIKE, message, part.lookalike)
        if head.coding != "binary":
            decoded = self._decode_transfer(head.coding, content, position)
            if decoded is None:
                return None
            content = decoded
        return self._read_message(content, position, part, id, line_end)

    def _read_head(
        self, part: mime.Part, line_end: bytes, boundary: bytes
    ) -> tuple[_Head, str | None, bytes] | None:
        """Return what the header section of a part says, its Content-ID, and the content.

        Heads differ in nothing but their Content-ID, or the boundary of a change set, so that is
        cut out before they are looked up. One that was read without a finding tells of all with
        another plain value.
        """
        section, empty, content = part.content.partition(b"\r\n\r\n")
        has_head = True
        if not empty or line_end == b"\n" or section.startswith(b"\r\n"):
            found = http.split_head(part.content, line_end)
            has_head = found is not None
            section, content = found or (b"", b"")
        before, name, rest = section.partition(b"Content-ID: ")
        if not name:
            before, name, rest = before.partition(b"boundary=")
        value, _, after = rest.partition(line_end)
        known = self._heads.get((before, name, after))
        if known is not None and len(section) <= self._short:
            id = None
            if name == b"Content-ID: ":
                is_plain = value.isalnum() or grammar.VISIBLE.fullmatch(value)
                id = value.decode("latin-1")
            elif name:
                is_plain = grammar.PLAIN_BOUNDARY.fullmatch(value)
                known = known.with_boundary(value.decode("latin-1"))
            if not name or is_plain:
                self._reader.count(section, part.position)
                return known, id, content
        if self._is_no_head(section if has_head else None, part, line_end, boundary):
            return None
        read = self._reader.read(section, part.position, line_end, Rule.PART_HEADER_FOLDED)
        head = _judge_head(read, self._role.name)
        if not read.findings and _is_cut(head, before, name, value):
            sections.remember(self._heads, (before, name, after), head)
        return head, read.id, content

    def _is_no_head(
        self, section: bytes | None, part: mime.Part, line_end: bytes, boundary: bytes
    ) -> bool:
        """Tell whether what a part begins with cannot be read as its header section."""
        first = _first_line(part.content)
        if _is_start_line(first):
            rule = Rule.REQUEST_LINE_IN_PART_HEADERS
            message = f"found {quote(first)} where the header section of the part begins; "
            message += "the part's own headers and an empty line belong above it"
        elif section is None and _declares(part.content, boundary, line_end):
            rule = Rule.BOUNDARY_REUSED
            message = f"the boundary {quote(boundary)} is that of the enclosing multipart"
        elif section is None:
            rule = Rule.PART_WITHOUT_BODY
            message = "no empty line ends the header section of the part"
        elif not section:
            rule = Rule.PART_WITHOUT_HEADERS
            message = "the part has no header section, expected Content-Type at least"
        else:
            return False
        self._say(rule, message, part.position)
        return True

    def _check_length(self, length: str, content: bytes, part: mime.Part) -> None:
        rule = http.judge_length(length, content, part.delimiter_length)
        if rule is None or rule.severity is not Severity.ERROR:
            rule = Rule.PART_CONTENT_LENGTH
        message = f"Content-Length of the part is {quote(length)}, "
        message += f"its content has {len(content)} octets"
        self._say(rule, message, part.position)

    def _assumed_type(self, found: str, content: bytes, position: int) -> sections.MediaType | None:
        if not _is_start_line(_first_line(content.lstrip(b"\r\n"))):
            message = f"{found}, expected application/http or multipart/mixed"
            self._say(Rule.PART_CONTENT_TYPE, message, position)
            return None
        message = f"{found}, expected application/http; the content looks like it"
        self._say(Rule.PART_CONTENT_TYPE_ASSUMED, message, position)
        return _APPLICATION_HTTP

    def _decode_transfer(self, coding: str | None, content: bytes, position: int) -> bytes | None:
        """Undo the content transfer encoding (RFC 2045, 6)."""
        if coding is None:
            message = "the part has no Content-Transfer-Encoding, expected binary"
            self._say(Rule.CONTENT_TRANSFER_ENCODING_MISSING, message, position)
            return content
        if coding.lower() in _IDENTITY_ENCODINGS:
            return content
        decoded = _from_base64(content) if coding.lower() == "base64" else None
        if decoded is None:
            message = f"found {quote(coding)}, expected binary"
            self._say(Rule.CONTENT_TRANSFER_ENCODING, message, position)
            return None
        message = f"a part of {len(content)} octets was decoded from base64"
        self._say(Rule.CONTENT_TRANSFER_ENCODING_DECODED, message, position)
        return decoded

    # -- an operation or a response --

    def _read_message(
        self, content: bytes, position: int, part: mime.Part, outer: str | None, line_end: bytes
    ) -> _Item | None:
        read = http.parse_message(content, position, line_end, self._reader, self._role.parse_line)
        if read is None:
            return None
        start, fields, body, body_position = read
        length = fields.length
        if length is not None and length != str(len(body)):
            rule = http.judge_length(length, body, part.delimiter_length)
            if rule is not None:
                message = f"Content-Length is {quote(length)}, the body has {len(body)} octets"
                self._say(rule, message, body_position)
        id, headers = outer, fields.headers
        if fields.id is not None or outer == "":
            id = self._identify(outer, fields.id, part.position)
        in_message = fields.id is not None and not outer
        if in_message:
            headers = without(headers, "content-id")
        return self._role.build(start, headers, body, id, part.position, in_message)

    def _identify(self, outer: str | None, inner: str | None, position: int) -> str | None:
        """Return the request identifier.

        [MS-ODATA] 2.2.7.6.6: either place is recognised; the answer goes to the same place.
        """
        if outer == "" or (outer is None and inner == ""):
            self._say(Rule.CONTENT_ID_EMPTY, "found an empty Content-ID", position)
            outer = None
        if inner is None:
            return outer
        if outer is None:
            if inner:
                found = f"Content-ID {quote(inner)} stands in the HTTP message"
                self._say(Rule.CONTENT_ID_IN_MESSAGE, found, position)
            return inner or None
        if inner != outer:
            found = f"Content-ID is {quote(outer)} in the part and {quote(inner)} in the message"
            self._say(Rule.CONTENT_ID_CONFLICT, found, position)
        return outer

    # -- a change set --

    def _read_change_set(
        self,
        part: mime.Part,
        head: _Head,
        id: str | None,
        depth: int,
        line_end: bytes,
        outer: bytes,
    ) -> _Item | None:
        if depth > self._limits.change_set_depth:
            message = f"found a change set at depth {depth}"
            self._say(Rule.NESTED_CHANGE_SET, message, part.position)
            return None
        assert head.media_type is not None  # that is what brought us here
        self._check_change_set_head(head, head.media_type, id, part.position)
        try:
            boundary = boundary_of(head.media_type, self._limits, self._report, part.position)
            self._check_boundary(boundary, outer, part)
            items = self._split_change_set(part, boundary, depth, line_end)
        except Stop as stopped:
            # What a change set lacks concerns that part alone; a limit concerns the whole message.
            if stopped.rule is Rule.LIMIT_EXCEEDED:
                raise
            return None
        item = self._role.change_set(items)
        values.place(item, part.position, False)
        return item

    def _check_change_set_head(
        self, head: _Head, media_type: sections.MediaType, id: str | None, position: int
    ) -> None:
        if media_type.name != "multipart/mixed":
            message = f"found {quote(media_type.name)}, expected multipart/mixed"
            self._say(Rule.MULTIPART_SUBTYPE, message, position)
        if head.coding is not None and head.coding.lower() not in _IDENTITY_ENCODINGS:
            message = f"found {quote(head.coding)} on a multipart, expected binary"
            self._say(Rule.CONTENT_TRANSFER_ENCODING, message, position)
        if id is not None:
            # A head that was recalled has the Content-ID of another, but only one.
            ids = head.section.headers["content-id"] if head.section.findings else id
            message = f"the change set has Content-ID {quote(ids)}; not kept"
            self._say(Rule.CONTENT_ID_ON_CHANGE_SET, message, position)

    def _check_boundary(self, boundary: bytes, outer: bytes, part: mime.Part) -> None:
        if boundary == outer:
            message = f"the boundary {quote(boundary)} is that of the enclosing multipart"
            self._say(Rule.BOUNDARY_REUSED, message, part.position)
        elif boundary.startswith(outer):
            message = f"the boundary {quote(boundary)} begins with {quote(outer)}, the outer one"
            self._say(Rule.BOUNDARY_PREFIX, message, part.position)
        elif part.lookalike is not None:
            message = f"a line of content begins with {quote(b'--' + outer)}"
            self._say(Rule.DELIMITER_LOOKALIKE, message, part.lookalike)

    def _split_change_set(
        self, part: mime.Part, boundary: bytes, depth: int, line_end: bytes
    ) -> list[_Item]:
        most = self._limits.change_set_operations
        events, closed = mime.split(
            part.content, boundary, self._limits, most, part.position, line_end
        )
        items: list[_Item] = []
        index = -1
        for event in events:
            if isinstance(event, Diagnostic):
                self._pass_on(_within_change_set(event))
                continue
            index += 1
            if index >= most:
                exceed(self._report, self._limits, "change_set_operations", event.position)
            if event.delimiter_length is None:
                # What ends this part is the delimiter line of the enclosing multipart.
                event = event._replace(delimiter_length=part.delimiter_length)
            self._path.append(index)
            item = self._read_part(event, depth + 1, line_end, boundary)
            self._path.pop()
            if item is not None:
                items.append(item)
        if not closed:
            expected = quote(b"--" + boundary + b"--")
            message = f"the change set ends without {expected}"
            self._say(self._role.unclosed, message, part.position + len(part.content))
        return items


def _within_change_set(finding: Diagnostic) -> Diagnostic:
    if finding.rule is not Rule.NO_PARTS:
        return finding
    message = "found a change set without operations"
    return Diagnostic(Rule.EMPTY_CHANGE_SET, message, finding.position)


def _is_cut(head: _Head, before: bytes, name: bytes, value: bytes) -> bool:
    """Tell whether what was cut out of the head is the value of what has that name."""
    if name == b"boundary=":
        in_type = before.rpartition(b"\n")[2].lower().startswith(b"content-type:")
        parameters = (("boundary", value.decode("latin-1")),)
        is_plain = head.media_type is not None and head.media_type.parameters == parameters
        return in_type and is_plain and not head.type_findings and head.section.id is None
    if name:
        return head.section.id is not None and (not before or before.endswith(b"\n"))
    return head.section.id is None


def _first_line(content: bytes) -> bytes:
    end = content.find(b"\n")
    return (content if end < 0 else content[:end]).rstrip(b"\r")


def _declares(head: bytes, boundary: bytes, line_end: bytes) -> bool:
    """Tell whether one of the field lines declares this boundary."""
    for line in head[:_LONGEST_LOOK].split(line_end):
        field, _ = sections.parse_field_line(line)
        if field is not None and field[0].lower() == "content-type":
            return sections.parse_media_type(field[1]).parameter("boundary") == boundary.decode(
                "ascii"
            )
    return False


# How far a part without an empty line is searched for the reason. Header sections are shorter.
_LONGEST_LOOK = 8192


def _is_start_line(line: bytes) -> bool:
    """Tell whether a line begins a message; a field line, which has a colon first, does not."""
    if not line.partition(b" ")[0].isalpha():
        return line.startswith(b"HTTP/")
    return grammar.REQUEST_LINE_LIKE.fullmatch(line) is not None


_APPLICATION_HTTP = sections.parse_media_type("application/http")


def _from_base64(content: bytes) -> bytes | None:
    """Undo the content transfer encoding base64, whose lines are broken (RFC 2045, 6.8)."""
    try:
        return binascii.a2b_base64(b"".join(content.split()), strict_mode=True)
    except binascii.Error:
        return None


def boundary_of(
    media_type: sections.MediaType, limits: Limits, report: Reporter, position: int
) -> bytes:
    """Return the boundary parameter (RFC 2046, 5.1.1), or stop if there is none to be used."""
    given = [value for name, value in media_type.parameters if name == "boundary"]
    if not given or not given[0]:
        message = "multipart without boundary parameter" if not given else "boundary is empty"
        stop(report, Diagnostic(Rule.BOUNDARY_MISSING, message, position))
    boundary = given[0]
    if any(value != boundary for value in given):
        message = f"found boundaries {quote(given[0])} and {quote(given[-1])}"
        stop(report, Diagnostic(Rule.BOUNDARY_CONFLICT, message, position))
    for name, value in media_type.parameters:
        # RFC 2231, 3 and 4: to some readers these spell a boundary, too.
        if name.startswith("boundary*"):
            message = (
                f"found the parameters boundary and {name}, {quote(boundary)} and {quote(value)}"
            )
            stop(report, Diagnostic(Rule.BOUNDARY_CONFLICT, message, position))
    if len(given) > 1:
        message = f"boundary {quote(boundary)} is given {len(given)} times"
        report(Diagnostic(Rule.BOUNDARY_REPEATED, message, position))
    if not boundary.isascii() or not boundary.isprintable():
        message = f"boundary {quote(boundary)} is not printable US-ASCII"
        stop(report, Diagnostic(Rule.BOUNDARY_SYNTAX, message, position))
    if len(boundary) > limits.boundary:
        exceed(report, limits, "boundary", position)
    if not grammar.BOUNDARY.fullmatch(boundary):
        message = f"boundary {quote(boundary)} has characters that RFC 2046 does not allow"
        report(Diagnostic(Rule.BOUNDARY_CHARACTERS, message, position))
    return boundary.encode("ascii")
