"""The OData multipart batch format (OData Protocol, 11.7.7), read.

The outer multipart is split as it arrives; a part that is complete is read at once, a change set
with a splitter of its own over the octets of that part. Damage within a part is reported for that
part, and the next part is read.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from odata_batch._model import values
from odata_batch._model.dialect import Format
from odata_batch._model.findings import (
    LIMIT_EXCEEDED,
    Diagnostic,
    Reporter,
    Rule,
    Severity,
    Stop,
    error,
    exceed,
    fatal,
    note,
    quote,
    stop,
    warning,
)
from odata_batch._model.headers import Headers, without
from odata_batch._model.limits import Limits
from odata_batch._model.values import NESTED_CHANGE_SET
from odata_batch._wire import grammar, http, mime, parthead, sections
from odata_batch._wire.mime import DELIMITER_LOOKALIKE, NO_PARTS
from odata_batch._wire.parthead import BOUNDARY_REUSED, PART_CONTENT_TYPE

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


TRUNCATED = error("""
    truncated: The last part of a multipart request is followed by a close delimiter. [RFC 2046,
    5.1.1]
    End the body with two hyphens, the boundary and two more hyphens, and send it to its end.""")


REQUEST: Role[tuple[str, str], values.RequestItem] = Role(
    name="request",
    parse_line=http.parse_request_line,
    build=lambda start, headers, body, id, position, id_in_message: values.operation_of(
        start[0], start[1], headers, body, id, position=position, id_in_message=id_in_message
    ),
    change_set=values.ChangeSet,
    truncated=TRUNCATED,
    unclosed=TRUNCATED,
)
TRUNCATED_RESPONSE = warning("""
    truncated-response: A response whose close delimiter is missing has failed as a whole. [OData
    Protocol, 9.4]
    Look for the reason in the log of the server, and do not count on operations without a
    response.""")
CHANGE_SET_UNCLOSED = warning("""
    change-set-unclosed: The multipart of a change set response ends with its own close delimiter.
    [RFC 2046, 5.1.2]
    End the change set with two hyphens, its own boundary and two more hyphens.""")


RESPONSE: Role[tuple[int, str], values.ResponseItem] = Role(
    name="response",
    parse_line=http.parse_status_line,
    build=lambda start, headers, body, id, position, id_in_message: values.response_of(
        start[0], headers, body, id, start[1], position=position, id_in_message=id_in_message
    ),
    change_set=values.ChangeSetResponse,
    truncated=TRUNCATED_RESPONSE,
    unclosed=CHANGE_SET_UNCLOSED,
)


MULTIPART_SUBTYPE = warning("""
    multipart-subtype: The multipart subtype of batches and change sets is mixed. [OData Protocol,
    11.7.7.1]
    Write multipart/mixed in the Content-Type.""")
BOUNDARY_PREFIX = note("""
    boundary-prefix: The boundary of a change set does not begin with the boundary of the batch.
    [RFC 2046, 5.1]
    Let the boundary of the change set begin differently, for example with changeset_.""")
PART_CONTENT_TYPE_ASSUMED = warning("""
    part-content-type-assumed: A part that holds a request or a response says application/http.
    [OData Protocol, 11.7.7.1]
    Write Content-Type: application/http into the header section of the part.""")
CONTENT_TRANSFER_ENCODING = error("""
    content-transfer-encoding: The content transfer encoding of a part is 7bit, 8bit or binary. [RFC
    2046, 5.1]
    Write Content-Transfer-Encoding: binary, and the content as it is.""")
CONTENT_TRANSFER_ENCODING_DECODED = warning("""
    content-transfer-encoding-decoded: HTTP messages are carried as they are, not in base64. [RFC
    9112, B.5]
    Write Content-Transfer-Encoding: binary, and the content as it is.""")
CONTENT_TRANSFER_ENCODING_MISSING = note("""
    content-transfer-encoding-missing: OData up to 4.0 wants Content-Transfer-Encoding: binary in
    every part. [OData 4.0 Protocol, 11.7.2]
    Add Content-Transfer-Encoding: binary to the header section of the part.""")
PART_CONTENT_LENGTH = note("""
    part-content-length (lossy): A Content-Length in a part's header section agrees with the
    content. [RFC 2046, 5.1.1]
    Remove the Content-Length of the part, or make it the length of the HTTP message.""")
CONTENT_ID_EMPTY = warning("""
    content-id-empty: A Content-ID is not empty. [OData Protocol, 11.7.3]
    Give the Content-ID a value, or remove it.""")
CONTENT_ID_IN_MESSAGE = note("""
    content-id-in-message: Content-ID is a field of the part, not of the HTTP message in it. [OData
    Protocol, 11.7.7.1]
    Move the Content-ID above the empty line, into the header section of the part.""")
CONTENT_ID_CONFLICT = warning("""
    content-id-conflict: The Content-ID of a part and the one in its HTTP message agree. [OData
    Protocol, 11.7.7.1]
    Keep the Content-ID in the header section of the part, and remove the other one.""")
CONTENT_ID_ON_CHANGE_SET = note("""
    content-id-on-change-set: A Content-ID on a change set has no meaning. [OData Protocol,
    11.7.7.1]
    Remove the Content-ID, and give one to each operation in the change set.""")
EMPTY_CHANGE_SET = warning("""
    empty-change-set: A change set holds at least one operation. [OData v3 Batch Processing, 2.2]
    Leave the change set out.""")


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
        self._heads = parthead.HeadReader(role.name, limits, self._reader, self._say)
        most = min(limits.items, limits.operations)
        self._splitter = mime.PartSplitter(boundary, limits, most, position=position)

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
            if self._parts > self._limits.items:
                exceed(self._report, self._limits, "items", event.position)
            item = self._read_part(event, 1, line_end, self._boundary)
            self._path = []
            if item is not None:
                yield index, item

    def _pass_on(self, finding: Diagnostic) -> None:
        """Report what was found in splitting; after a fatal finding nothing is read."""
        if finding.rule is NO_PARTS and self._role.name == "response":
            # The answer to a batch without parts has none; so have those of other libraries.
            finding = replace(finding, severity=Severity.NOTE)
        self._report(finding)
        if finding.rule.fatal:
            raise Stop(finding.rule)

    def _report(self, finding: Diagnostic) -> None:
        path = ".".join([f"items[{index}]" for index in self._path])
        self._report_outer(replace(finding, path=path))

    def _say(self, rule: Rule, message: str, position: int | None) -> None:
        self._report(Diagnostic(rule, message, position))

    # -- one part --

    def _read_part(
        self, part: mime.Part, depth: int, line_end: bytes, boundary: bytes
    ) -> _Item | None:
        found = self._heads.read(part, line_end, boundary)
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
            self._say(DELIMITER_LOOKALIKE, message, part.lookalike)
        if head.coding != "binary":
            decoded = self._decode_transfer(head.coding, content, position)
            if decoded is None:
                return None
            content = decoded
        return self._read_message(content, position, part, id, line_end)

    def _check_length(self, length: str, content: bytes, part: mime.Part) -> None:
        rule = http.judge_length(length, content, part.delimiter_length)
        if rule is None or rule.severity is not Severity.ERROR:
            rule = PART_CONTENT_LENGTH
        message = f"Content-Length of the part is {quote(length)}, "
        message += f"its content has {len(content)} octets"
        self._say(rule, message, part.position)

    def _assumed_type(self, found: str, content: bytes, position: int) -> sections.MediaType | None:
        if parthead.start_line_of(content.lstrip(b"\r\n")) is None:
            message = f"{found}, expected application/http or multipart/mixed"
            self._say(PART_CONTENT_TYPE, message, position)
            return None
        message = f"{found}, expected application/http; the content looks like it"
        self._say(PART_CONTENT_TYPE_ASSUMED, message, position)
        return _APPLICATION_HTTP

    def _decode_transfer(self, coding: str | None, content: bytes, position: int) -> bytes | None:
        """Undo the content transfer encoding (RFC 2045, 6)."""
        if coding is None:
            message = "the part has no Content-Transfer-Encoding, expected binary"
            self._say(CONTENT_TRANSFER_ENCODING_MISSING, message, position)
            return content
        if coding.lower() in parthead.IDENTITY_ENCODINGS:
            return content
        decoded = None
        if coding.lower() == "base64":
            with suppress(binascii.Error):  # its lines are broken: RFC 2045, 6.8
                decoded = binascii.a2b_base64(b"".join(content.split()), strict_mode=True)
        if decoded is None:
            message = f"found {quote(coding)}, expected binary"
            self._say(CONTENT_TRANSFER_ENCODING, message, position)
            return None
        message = f"a part of {len(content)} octets was decoded from base64"
        self._say(CONTENT_TRANSFER_ENCODING_DECODED, message, position)
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
            self._say(CONTENT_ID_EMPTY, "found an empty Content-ID", position)
            outer = None
        if inner is None:
            return outer
        if outer is None:
            if inner:
                found = f"Content-ID {quote(inner)} stands in the HTTP message"
                self._say(CONTENT_ID_IN_MESSAGE, found, position)
            return inner or None
        if inner != outer:
            found = f"Content-ID is {quote(outer)} in the part and {quote(inner)} in the message"
            self._say(CONTENT_ID_CONFLICT, found, position)
        return outer

    # -- a change set --

    def _read_change_set(
        self,
        part: mime.Part,
        head: parthead.Head,
        id: str | None,
        depth: int,
        line_end: bytes,
        outer: bytes,
    ) -> _Item | None:
        if depth > self._limits.change_set_depth:
            message = f"found a change set at depth {depth}"
            self._say(NESTED_CHANGE_SET, message, part.position)
            return None
        assert head.media_type is not None  # that is what brought us here
        self._check_change_set_head(head, head.media_type, id, part.position)
        try:
            boundary = boundary_of(head.media_type, self._limits, self._report, part.position)
            self._check_boundary(boundary, outer, part)
            items = self._split_change_set(part, boundary, depth, line_end)
        except Stop as stopped:
            # What a change set lacks concerns that part alone; a limit concerns the whole message.
            if stopped.rule is LIMIT_EXCEEDED:
                raise
            return None
        return values.place(self._role.change_set(items), part.position)

    def _check_change_set_head(
        self, head: parthead.Head, media_type: sections.MediaType, id: str | None, position: int
    ) -> None:
        if media_type.name != "multipart/mixed":
            message = f"found {quote(media_type.name)}, expected multipart/mixed"
            self._say(MULTIPART_SUBTYPE, message, position)
        if head.coding is not None and head.coding.lower() not in parthead.IDENTITY_ENCODINGS:
            message = f"found {quote(head.coding)} on a multipart, expected binary"
            self._say(CONTENT_TRANSFER_ENCODING, message, position)
        if id is not None:
            # A head that was recalled has the Content-ID of another, but only one.
            ids = head.section.headers["content-id"] if head.section.findings else id
            message = f"the change set has Content-ID {quote(ids)}; not kept"
            self._say(CONTENT_ID_ON_CHANGE_SET, message, position)

    def _check_boundary(self, boundary: bytes, outer: bytes, part: mime.Part) -> None:
        if boundary == outer:
            message = f"the boundary {quote(boundary)} is that of the enclosing multipart"
            self._say(BOUNDARY_REUSED, message, part.position)
        elif boundary.startswith(outer):
            message = f"the boundary {quote(boundary)} begins with {quote(outer)}, the outer one"
            self._say(BOUNDARY_PREFIX, message, part.position)
        elif part.lookalike is not None:
            message = f"a line of content begins with {quote(b'--' + outer)}"
            self._say(DELIMITER_LOOKALIKE, message, part.lookalike)

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
                if event.rule is NO_PARTS:
                    message = "found a change set without operations"
                    event = Diagnostic(EMPTY_CHANGE_SET, message, event.position)
                self._pass_on(event)
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


_APPLICATION_HTTP = sections.parse_media_type("application/http")


BOUNDARY_MISSING = fatal("""
    boundary-missing: A multipart media type has a boundary parameter that is not empty. [RFC 2046,
    5.1.1]
    Add a boundary parameter with the text that stands behind the hyphens of the delimiter
    lines.""")
BOUNDARY_CONFLICT = fatal("""
    boundary-conflict: A multipart media type has one boundary parameter. [RFC 2046, 5.1.1]
    Keep the boundary parameter whose value stands in the delimiter lines, and remove the
    others.""")
BOUNDARY_REPEATED = warning("""
    boundary-repeated: The boundary parameter is given once, even if its values are equal. [RFC
    2046, 5.1.1]
    Give the boundary parameter once.""")
BOUNDARY_SYNTAX = fatal("""
    boundary-syntax: A boundary holds no control character and nothing outside US-ASCII. [RFC 2046,
    5.1.1]
    Choose a boundary of letters, digits, hyphens and underscores.""")
BOUNDARY_CHARACTERS = warning("""
    boundary-characters: A boundary consists of digits, letters, '()+_,-./:=? and blanks, and ends
    in no blank. [RFC 2046, 5.1.1]
    Choose a boundary of letters, digits, hyphens and underscores.""")


def boundary_of(
    media_type: sections.MediaType, limits: Limits, report: Reporter, position: int
) -> bytes:
    """Return the boundary parameter (RFC 2046, 5.1.1), or stop if there is none to be used."""
    given = [value for name, value in media_type.parameters if name == "boundary"]
    if not given or not given[0]:
        message = "multipart without boundary parameter" if not given else "boundary is empty"
        stop(report, Diagnostic(BOUNDARY_MISSING, message, position))
    boundary = given[0]
    if any(value != boundary for value in given):
        message = f"found boundaries {quote(given[0])} and {quote(given[-1])}"
        stop(report, Diagnostic(BOUNDARY_CONFLICT, message, position))
    for name, value in media_type.parameters:
        # RFC 2231, 3 and 4: to some readers these spell a boundary, too.
        if name.startswith("boundary*"):
            found = f"found the parameters boundary and {name}"
            message = f"{found}, {quote(boundary)} and {quote(value)}"
            stop(report, Diagnostic(BOUNDARY_CONFLICT, message, position))
    if len(given) > 1:
        message = f"boundary {quote(boundary)} is given {len(given)} times"
        report(Diagnostic(BOUNDARY_REPEATED, message, position))
    if not boundary.isascii() or not boundary.isprintable():
        message = f"boundary {quote(boundary)} is not printable US-ASCII"
        stop(report, Diagnostic(BOUNDARY_SYNTAX, message, position))
    if len(boundary) > limits.boundary:
        exceed(report, limits, "boundary", position)
    if not grammar.BOUNDARY.fullmatch(boundary):
        message = f"boundary {quote(boundary)} has characters that RFC 2046 does not allow"
        report(Diagnostic(BOUNDARY_CHARACTERS, message, position))
    return boundary.encode("ascii")
