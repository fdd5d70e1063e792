"""The OData multipart batch format (OData Protocol, 11.7.7), read.

The outer multipart is split as it arrives; a part that is complete is read at once, a change set
with a splitter of its own over the octets of that part. Damage within a part is reported for that
part, and the next part is read.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import accumulate
from operator import itemgetter
from typing import Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from odata_batch._model import values
from odata_batch._model.findings import (
    LIMIT_EXCEEDED,
    Diagnostic,
    Reporter,
    Rule,
    Severity,
    Stop,
    error,
    fatal,
    note,
    quote,
    stop,
    warning,
)
from odata_batch._model.headers import Headers, without
from odata_batch._model.limits import Limits, exceed, keep
from odata_batch._model.values import NESTED_CHANGE_SET, Format
from odata_batch._wire import grammar, http, mime, parthead, sections
from odata_batch._wire.http import (
    CONTENT_LENGTH_CROSSES_DELIMITER,
    CONTENT_LENGTH_MISMATCH,
    CONTENT_LENGTH_TRAILING_CRLF,
)
from odata_batch._wire.mediatype import MediaType, parse_media_type
from odata_batch._wire.mime import (
    DELIMITER_LOOKALIKE,
    EPILOGUE_DELIMITER,
    MIXED_LINE_ENDINGS,
    NO_PARTS,
)
from odata_batch._wire.parthead import (
    BOUNDARY_REUSED,
    CONTENT_TRANSFER_ENCODING_MISSING,
    PART_CONTENT_TYPE,
    in_part,
)

_Start = TypeVar("_Start", bound=tuple[object, str])
_Item = TypeVar("_Item")
_Items: TypeAlias = list[_Item | values.Unreadable]

# What is looked for in the head of a part that could not be read, and how far
_SEARCHED: Final = 4096
_CONTENT_ID = re.compile(rb"^content-id:[ \t]*([!-~]+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_MULTIPART = re.compile(rb"^content-type:[ \t]*multipart/", re.IGNORECASE | re.MULTILINE)


class Role(NamedTuple, Generic[_Start, _Item]):
    """The request- and response-specific parts of decoding."""

    name: str
    kind: Literal["operation", "response"]
    """What a part is that holds no change set."""
    recall_line: Callable[[bytes, int], _Start | None]
    """Returns what a usual start line means, if its URL is no longer than that."""
    parse_line: Callable[[bytes, int, sections.SectionReader], _Start | None]
    build: Callable[..., _Item]
    change_set: type[_Item]
    truncated: Rule
    unclosed: Rule
    ambiguous: Severity
    """How severe it is that other readers see something else."""


TRUNCATED = error("""
    truncated: The last part of a multipart request is followed by a close delimiter. [RFC 2046,
    5.1.1]
    End the body with two hyphens, the boundary and two more hyphens, and send it to its end.""")


REQUEST: Role[tuple[str, str], values.RequestItem] = Role(
    name="request",
    kind="operation",
    recall_line=http.recall_request_line,
    parse_line=http.parse_request_line,
    build=values.operation_of,
    change_set=values.ChangeSet,
    truncated=TRUNCATED,
    unclosed=TRUNCATED,
    ambiguous=Severity.ERROR,
)
TRUNCATED_RESPONSE = warning("""
    truncated-response: A response whose close delimiter is missing has failed as a whole. [OData
    Protocol, 9.4]
    Look for the reason in the server's log, or whether a copy was cut; do not count on operations
    without a response.""")
CHANGE_SET_UNCLOSED = warning("""
    change-set-unclosed (seam): The multipart of a change set response ends with its own close
    delimiter. [RFC 2046, 5.1.2]
    End the change set with two hyphens, its own boundary and two more hyphens.""")


RESPONSE: Role[tuple[int, str], values.ResponseItem] = Role(
    name="response",
    kind="response",
    recall_line=http.recall_status_line,
    parse_line=http.parse_status_line,
    build=values.response_of,
    change_set=values.ChangeSetResponse,
    truncated=TRUNCATED_RESPONSE,
    unclosed=CHANGE_SET_UNCLOSED,
    ambiguous=Severity.WARNING,
)


_Top: TypeAlias = tuple[_Start | None, sections.Section | None, Headers, int | None, int]
"""What the start line of a message means, and its header section, `None` where that is not known
or not needed; the fields and the `claim` of that, and how many octets it has."""
_NOTHING: Final = (None, values.NO_HEADERS, None)


class Found(NamedTuple):
    """A finding, and the index of the item of the batch that comes after it."""

    before: int
    rule: Rule
    message: str
    position: int | None
    path: tuple[int, ...]
    limit: tuple[str, int] | None = None
    severity: Severity | None = None
    length: int = 0


Boundaries: TypeAlias = tuple[bytes, ...]
"""The boundary of a multipart, and those of the multiparts around it."""


class _Claim(NamedTuple):
    """A Content-Length that reaches beyond its body, from `start` to `end`."""

    start: int
    end: int
    path: tuple[int, ...]
    rule: Rule
    message: str
    place: tuple[int, int]
    """Where the field is, and how long it is."""


class Run(Generic[_Item]):
    """Items that come one after the other, and what was found in reading them."""

    __slots__ = ("first", "found", "items", "stopped")

    def __init__(self, first: int) -> None:
        self.first = first
        """Index of the first."""
        self.items: list[_Item | values.Unreadable] = []
        self.found: list[Found] = []
        self.stopped: Stop | None = None
        """Why nothing is read any more, if so."""


MULTIPART_SUBTYPE = warning("""
    multipart-subtype: The multipart subtype of batches and change sets is mixed. [OData Protocol,
    11.7.7.1]
    Write multipart/mixed in the Content-Type.""")
BOUNDARY_PREFIX = warning("""
    boundary-prefix: The delimiters of a change set do not look like those of the batch. [RFC 2046,
    5.1]
    Let the boundary of the change set begin differently, for example with changeset_.""")
LINE_ENDS_VARY = warning("""
    line-ends-vary: The lines of all multiparts and messages in a batch end alike. [RFC 2046, 5.1.1]
    Write CRLF at the end of every line of the framing.""")
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
PART_CONTENT_LENGTH = note("""
    part-content-length (lossy seam): A Content-Length in a part's header section agrees with the
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
    """Decodes a multipart batch that arrives in chunks."""

    format: Format = "multipart"
    annotations: values.Annotations = ()
    next_link: str | None = None
    truncated = False
    _next = 0
    _line_end = b"\r\n"
    _known_of_lf: parthead.Known | None = None
    _run: Run[_Item]
    _events: list[mime.Event]
    # The parts that the last octets completed, each with its place, as soon as one is asked for
    _parts: list[tuple[int, bytes]]
    _located: tuple[int | None, dict[str, tuple[int, int]]] = None, {}

    def __init__(
        self,
        role: Role[_Start, _Item],
        boundary: bytes,
        limits: Limits,
        known: parthead.Known,
        position: int = 0,
    ) -> None:
        self._role: Role[_Start, _Item] = role
        self._limits = limits
        # What was read of the multiparts that are being read: at most one within the other
        self._levels: list[list[_Item | values.Unreadable]] = []
        self._end = position
        self.boundary = boundary
        self._known = known
        # Lengths that reach too far, and, once there is one, the delimiters that open a part
        self._claims: list[_Claim] = []
        self._openings: list[int] = []
        self._heads = parthead.HeadReader(role.name, limits, self._report, known, self._say_at)
        self._keeps_tops = role.name == "response"
        self._most = min(limits.items, limits.operations)
        self._extent = partial(parthead.extent, limits, role.name)
        self._splitter = mime.PartSplitter(
            boundary, limits, self._most, position=position, extent=self._extent
        )

    def receive_data(self, data: bytes) -> Run[_Item]:
        """Take the next octets and return the items that they complete."""
        self._end += len(data)
        return self._read_all(self._splitter.receive_data(data))

    def receive_eof(self) -> Run[_Item]:
        """Return what is left; without a close delimiter, the last part is not an item."""
        events = self._splitter.receive_eof()
        run = self._read_all(events)
        if self._claims:
            self._judge_claims()
        if not self._splitter.closed and run.stopped is None:
            self.truncated = True
            assert isinstance(events[-1], mime.Part)  # the last one, which nothing ends
            self._say_truncated(events[-1])
        # It refers to what has it, and would wait for the collector of such circles.
        del self._heads
        return run

    def _say_truncated(self, last: mime.Part, heads: bytes | None = None) -> None:
        rule, role = self._role.truncated, self._role.name
        self._say_unclosed(rule, role, self.boundary, last.content, last.position, heads)

    def locate(self, position: int | None, member: str) -> tuple[int | None, int]:
        """Return the place of a member of an item that the last octets completed."""
        if not member or position is None:
            return position, 0
        if not self._parts:
            for event in self._events:
                if isinstance(event, mime.Parts):
                    start = event.position
                    for content in event.contents:
                        self._parts.append((start, content))
                        start += len(content) + event.delimiter_length
                elif isinstance(event, mime.Part):
                    self._parts.append((event.position, event.content))
        if self._located[0] != position:
            self._located = position, {}
        known = self._located[1]
        if member not in known:  # the same is said of one member many times
            index = bisect_right(self._parts, position, key=itemgetter(0)) - 1
            start, content = self._parts[index]
            found = in_part(content, position - start, member)
            known[member] = (position, 0) if found is None else (start + found[0], found[1])
        return known[member]

    def _read_all(self, events: list[mime.Event]) -> Run[_Item]:
        run = self._run = Run(self._next)
        self._events = events
        self._forget_parts()
        if events:
            if self._splitter.line_end == b"\n":
                self._end_lines_in(b"\n")
            try:
                self._read_events(events)
            except Stop as stopped:
                run.stopped = stopped
            self._next += len(run.items)
        return run

    def _end_lines_in(self, line_end: bytes) -> None:
        """Read what comes next as lines that end so; what is known of lines depends on that."""
        self._line_end, known = line_end, self._known
        if line_end == b"\n":
            known = self._known_of_lf = self._known_of_lf or parthead.Known(self._limits)
        self._heads.known = known

    def _forget_parts(self) -> None:
        self._parts = []

    def _read_events(self, events: list[mime.Event]) -> None:
        items, boundaries = self._run.items, (self.boundary,)
        for event in events:
            if isinstance(event, mime.Parts):
                self._read_parts(event, items, boundaries)
            elif isinstance(event, Diagnostic):
                self._pass_on(event)
            elif isinstance(event, mime.Part) and (
                event.is_cut or event.delimiter_length is not None
            ):
                self._add_part(event, items, boundaries)

    def _pass_on(self, finding: Diagnostic) -> None:
        """Report what was found in splitting; after a fatal finding nothing is read."""
        # The answer to a batch without parts has none; so have those of other libraries.
        is_answer = finding.rule is NO_PARTS and self._role.name == "response"
        severity = Severity.NOTE if is_answer else finding.severity
        if finding.rule in (DELIMITER_LOOKALIKE, EPILOGUE_DELIMITER):
            severity = max(severity, self._role.ambiguous)
        seen = "; the service saw no request: check line ends and boundary of what was sent"
        message = finding.message + (seen if is_answer else "")
        found = finding.rule, message, finding.position, finding.limit
        self._say(*found, severity, finding.length)
        if finding.rule.fatal:
            raise Stop(finding.rule)

    def _report(self, finding: Diagnostic) -> None:
        found = finding.rule, finding.message, finding.position, finding.limit
        self._say(*found, finding.severity, finding.length)

    def _say(
        self,
        rule: Rule,
        message: str,
        position: int | None,
        limit: tuple[str, int] | None = None,
        severity: Severity | None = None,
        length: int = 0,
    ) -> None:
        run, path = self._run, self._path()
        before = run.first + len(run.items)
        run.found.append(Found(before, rule, message, position, path, limit, severity, length))

    def _say_at(self, rule: Rule, message: str, position: int, length: int) -> None:
        self._say(rule, message, position, None, None, length)

    def _say_of(
        self,
        octets: bytes,
        start: int,
        rule: Rule,
        message: str,
        member: str,
        severity: Severity | None = None,
    ) -> None:
        """Report a finding about a member of the part that has these octets."""
        at, length = in_part(octets, 0, member) or (0, 0)
        self._say(rule, message, start + at, None, severity, length)

    def _path(self) -> tuple[int, ...]:
        path = [len(items) for items in self._levels]
        path[:1] = [self._run.first + index for index in path[:1]]
        return tuple(path)

    # -- parts --

    def _read_parts(self, parts: mime.Parts, items: _Items[_Item], boundaries: Boundaries) -> None:
        """Add what these parts hold to the items before them.

        Of most, all is known of the heads, except for an identifier and what a start line says.
        """
        contents, position, step = parts
        heads, build, largest = self._heads, self._role.build, self._limits.body
        known, short, most = heads.known, heads.short, self._limits.headers_total
        total, (stem, tail, own, notes) = heads.total, known.recent
        # The start lines of requests have URLs, which enter no table.
        tops: dict[bytes, _Top[_Start]] | None = known.tops if self._keeps_tops else None
        is_visible, room = grammar.VISIBLE.fullmatch, self._room(items, len(boundaries))
        self._levels.append(items)
        for content in contents[:room]:
            item: _Item | values.Unreadable | None = None
            try:
                head, top, body = content.split(b"\r\n\r\n", 2)
            except ValueError:
                head = top = body = b""
            size, whole = len(head), len(content)
            if tail is None:
                is_known = head == stem
            else:
                value = head.removeprefix(stem).removesuffix(tail)
                is_known = size == own + len(value) and (value.isalnum() or bool(is_visible(value)))
            if is_known:
                octets, found = len(body), None if tops is None else tops.get(top)
                line, section, headers, claim, length = found or self._recall(top, octets)
                so_far = total + size + length
                fits = whole <= short or (octets <= largest and max(size, length) <= short)
                if line is not None and fits and so_far <= most:
                    total, id = so_far, None if tail is None else value.decode()
                    if notes:
                        self._say_notes(notes, content, position, position + size + 4)
                    if claim is None:
                        at = position + whole - octets - 4 - length
                        section = heads.settle(section, top[len(top) - length :], at)
                        headers, claim = section.headers, section.claim
                    if claim == octets or claim == -1:
                        item = build(line[0], line[1], headers, body, id, position)
                    else:
                        at = position + whole - octets
                        item = self._make_item(line, section, body, at, content, position, id)
            if item is None:
                part, heads.total = mime.Part(content, position, None, step), total
                item = self._read_part(part, boundaries) or self._unreadable(part)
                total, (stem, tail, own, notes) = heads.total, known.recent
            items.append(item)
            position += whole + step
        heads.total = total
        self._levels.pop()
        if self._claims:
            self._note_openings(parts.position, contents, step, boundaries)
        if len(contents) > room:
            self._enter(items, len(boundaries), position)

    def _recall(self, top: bytes, size: int) -> _Top[_Start]:
        """Return what a start line and the header section after it say, as far as it is known.

        After that comes a body of this size.
        """
        heads = self._heads
        start, _, octets = top.partition(b"\r\n")
        line = self._role.recall_line(start, self._limits.url)
        known = heads.known.sections.get(octets)
        if known is None:
            return line, *(heads.recall(octets, size) or _NOTHING), len(octets)
        found = line, known, known.headers, known.claim, len(octets)
        if line is not None and self._keeps_tops:
            keep(heads.known.tops, top, found)
        return found

    def _add_part(
        self,
        part: mime.Part,
        items: list[_Item | values.Unreadable],
        boundaries: Boundaries,
    ) -> None:
        """Read a part, and add what it holds to the items before it."""
        self._enter(items, len(boundaries), part.position)
        if self._claims:
            self._note_openings(part.position, [part.content], 0, boundaries)
        item = self._read_part(part, boundaries)
        items.append(item or self._unreadable(part))
        self._levels.pop()

    def _note_openings(
        self, position: int, contents: list[bytes], step: int, boundaries: Boundaries
    ) -> None:
        """Take note of the delimiters after which parts begin, of which the first is there."""
        sizes = (len(content) + step for content in contents[:-1])
        first = position - len(b"--" + boundaries[0] + self._line_end)
        self._openings += accumulate(sizes, initial=first)

    def _judge_claims(self) -> None:
        """Report lengths that reach beyond their bodies.

        OData.Core reads so many octets, and goes on at the next delimiter: what begins within them
        is lost, if there are so many.
        """
        self._openings.sort()
        for start, end, path, rule, message, (at, length) in self._claims:
            index = bisect_right(self._openings, start)
            if end <= self._end and bisect_left(self._openings, end) > index:
                rule = CONTENT_LENGTH_CROSSES_DELIMITER
            before = self._run.first + len(self._run.items)
            self._run.found.append(Found(before, rule, message, at, path, length=length))

    def _room(self, items: list[_Item | values.Unreadable], depth: int) -> int:
        """Return how many parts may follow what was read of a multipart."""
        if depth > 1:
            return self._limits.change_set_operations - len(items)
        return self._most - self._run.first - len(items)

    def _unreadable(self, part: mime.Part) -> values.Unreadable:
        """Return what keeps the place of a part that could not be read."""
        head = part.content.partition(self._line_end * 2)[0][:_SEARCHED]
        ids = _CONTENT_ID.findall(head)
        id = ids[0].decode("latin-1") if len(ids) == 1 else None
        kind = "change set" if _MULTIPART.search(head) else self._role.kind
        return values.Unreadable(kind, id=id, position=part.position)

    def _enter(self, items: list[_Item | values.Unreadable], depth: int, position: int) -> None:
        """Come to the next part, if there is room for it."""
        if depth == 1:
            self._levels.append(items)
        if self._room(items, depth) < 1:
            limit = "items" if self._most < self._limits.operations else "operations"
            limit = limit if depth == 1 else "change_set_operations"
            exceed(self._report, self._limits, limit, position)
        if depth > 1:
            self._levels.append(items)

    def _read_part(self, part: mime.Part, boundaries: Boundaries) -> _Item | None:
        if len(part.content) > self._heads.short:
            longest, limit, at, _ = self._extent(part.content, self._line_end)
            if len(part.content) > longest:
                # What comes before the body is read, for what is too large there comes first.
                if limit == "body":
                    cut = part._replace(content=part.content[: longest + 1], is_cut=True)
                    self._read_content(cut._replace(lookalikes=None, line_feed=None), boundaries)
                exceed(self._report, self._limits, limit, part.position + at)
        return self._read_content(part, boundaries)

    def _read_content(self, part: mime.Part, boundaries: Boundaries) -> _Item | None:
        line_end = self._line_end
        own = self._end_of(part.content, part.position, "header section of the part")
        if own is not line_end:
            self._end_lines_in(own)
        found = self._heads.read_head(part, own, boundaries[0])
        if own is not line_end:
            self._end_lines_in(line_end)
        if found is None:
            if part.line_feed is not None:
                self._say_line_feed(part.line_feed)
            return None
        head, id, inner, content = found
        position = part.position + len(part.content) - len(content)
        is_message = not head.is_set
        if part.line_feed is not None and is_message:
            self._say_line_feed(part.line_feed)
        if head.notes is not None and is_message:
            self._say_notes(head.notes, part.content, part.position, position)
            return self._read_message(content, position, part, id)
        for problem in head.findings:
            self._say_of(part.content, part.position, *problem)
        length = head.section.length
        if length is not None and not part.is_cut:
            self._check_length(length, content, part)
        media_type = head.media_type
        for problem in head.type_findings:
            self._say_of(part.content, part.position, *problem)
        if head.assumed is not None:
            media_type = self._assumed_type(head.assumed, content, part.position)
        if media_type is None:
            return None
        if media_type.name.startswith("multipart/"):
            return self._read_change_set(part, content, head, id, inner, boundaries)
        if head.coding != "binary":
            decoded = self._decode_transfer(head.coding, content, position, part)
            if decoded is None:
                return None
            content = decoded
        return self._read_message(content, position, part, id)

    def _end_of(self, octets: bytes, position: int, what: str) -> bytes:
        """Return what ends the lines of a header section, which its first line decides."""
        first = None if self._line_end == b"\n" else parthead.FIRST_IN_LF.match(octets)
        if first is None:
            return self._line_end
        message = f"the lines of the {what} end in LF, the delimiter lines in CRLF"
        severity = self._role.ambiguous
        self._say(LINE_ENDS_VARY, message, position, None, severity, len(first[1]))
        return b"\n"

    def _say_line_feed(self, position: int) -> None:
        message = "LF alone comes before a delimiter line that ends in CRLF"
        self._say(MIXED_LINE_ENDINGS, message, position)

    def _say_notes(
        self, notes: tuple[parthead.Note, ...], octets: bytes, position: int, content: int
    ) -> None:
        """Report what is to be said of a part, or at its content."""
        for rule, message, member in notes:
            if member == parthead.CONTENT:
                self._say(rule, message, content)
            else:
                self._say_of(octets, position, rule, message, member)

    def _check_length(self, length: str, content: bytes, part: mime.Part) -> None:
        self._judge_length_of(part, length, http.measure(content, self._line_end))

    def _judge_length_of(self, part: mime.Part, length: str, content: http.Measure) -> None:
        if http.judge_length(length, content) is None:
            return
        message = f"Content-Length of the part is {quote(length)}, "
        message += f"its content has {content.size} octets"
        crosses = http.most_claimed(length) > content.size + 1
        severity = Severity.WARNING if crosses else None
        place = part.content, part.position
        self._say_of(*place, PART_CONTENT_LENGTH, message, "part=content-length", severity)

    def _assumed_type(self, found: str, content: bytes, position: int) -> MediaType | None:
        if parthead.start_line_of(content.lstrip(b"\r\n")) is None:
            message = f"{found}, expected application/http or multipart/mixed"
            self._say(PART_CONTENT_TYPE, message, position)
            return None
        message = f"{found}, expected application/http; the content looks like it"
        self._say(PART_CONTENT_TYPE_ASSUMED, message, position)
        return _APPLICATION_HTTP

    def _decode_transfer(
        self, coding: str | None, content: bytes, position: int, part: mime.Part
    ) -> bytes | None:
        """Undo the content transfer encoding (RFC 2045, 6)."""
        if coding is None:
            self._say(CONTENT_TRANSFER_ENCODING_MISSING, parthead.CODING_MISSING, position)
            return content
        if coding.lower() in parthead.IDENTITY_ENCODINGS:
            return content
        decoded = None
        if coding.lower() == "base64":
            with suppress(binascii.Error):  # its lines are broken: RFC 2045, 6.8
                decoded = binascii.a2b_base64(b"".join(content.split()), strict_mode=True)
        if decoded is None:
            message = f"found {quote(coding)}, expected binary"
            self._say_of(part.content, part.position, CONTENT_TRANSFER_ENCODING, message, _CODING)
            return None
        message = f"a part of {len(content)} octets was decoded from base64"
        self._say(CONTENT_TRANSFER_ENCODING_DECODED, message, position)
        return decoded

    # -- an operation or a response --

    def _read_message(
        self, content: bytes, position: int, part: mime.Part, outer: str | None
    ) -> _Item | None:
        around = self._line_end
        if around == b"\n" and content[: content.find(b"\n")].endswith(b"\r"):
            message = "the lines of the message end in CRLF, the delimiter lines in LF"
            self._say(LINE_ENDS_VARY, message, position, severity=self._role.ambiguous)
        self._end_lines_in(self._end_of(content, position, "message"))
        line_end, parse_line = self._line_end, self._role.parse_line
        read = http.parse_message(content, position, line_end, self._heads, parse_line)
        self._end_lines_in(around)
        if read is None:
            return None
        start, fields, body, at = read
        if part.lookalikes is not None:
            self._find_lookalike(part.content, at - part.position, part)
        return self._make_item(start, fields, body, at, part.content, part.position, outer)

    def _find_lookalike(self, text: bytes, body: int, part: mime.Part) -> None:
        """Report the first that others take for a delimiter, in header sections as a line alone."""
        assert part.lookalikes is not None
        for found in part.lookalikes.finditer(text):
            at = found.start()
            if at >= body or mime.begins_line(text, at):
                self._say_lookalike(found[0], part.position + at)
                return

    def _say_lookalike(self, octets: bytes, position: int) -> None:
        message = f"found {quote(octets)}, which other readers take for a delimiter"
        length = len(octets.rstrip(b"\r\n"))
        self._say(DELIMITER_LOOKALIKE, message, position, None, self._role.ambiguous, length)

    def _make_item(
        self,
        start: _Start,
        fields: sections.Section | None,
        body: bytes,
        body_position: int,
        octets: bytes,
        position: int,
        outer: str | None,
    ) -> _Item:
        """Return what a message and the identifier of its part make, which has these octets."""
        assert fields is not None  # left out where nothing is to be said of the length
        length = None if start[0] == 304 else fields.length  # RFC 9110, 8.6
        body = self._check_body(body, body_position, length, octets, position)
        id, headers = outer, fields.headers
        if fields.id is not None or outer == "":
            id = self._identify(outer, fields.id, octets, position)
        in_message = fields.id is not None and not outer
        if in_message:
            headers = without(headers, "content-id")
        return self._role.build(*start, headers, body, id, position, in_message)

    def _check_body(
        self, body: bytes, body_position: int, length: str | None, octets: bytes, position: int
    ) -> bytes:
        """Report what is wrong with the length of a body; return it, as far as it is one."""
        if length is None or length == str(len(body)):
            return body
        place = self._place_of_length(octets, position)
        measured = http.measure(body, self._line_end)
        rule = self._judge_length(length, measured, body_position, place)
        return body[:-2] if rule is CONTENT_LENGTH_TRAILING_CRLF else body

    def _place_of_length(self, octets: bytes, position: int) -> tuple[int, int]:
        at, size = in_part(octets, 0, "headers=content-length") or (0, 0)
        return position + at, size

    def _judge_length(
        self, length: str, body: http.Measure, position: int, place: tuple[int, int]
    ) -> Rule | None:
        """Report what is wrong with a Content-Length; return the rule."""
        rule = http.judge_length(length, body)
        if rule is not None:
            self._say_length(rule, length, body.size, position, place)
        return rule

    def _say_length(
        self, rule: Rule, length: str, size: int, position: int, place: tuple[int, int]
    ) -> None:
        """Report what is wrong with the Content-Length of a body of this size."""
        message = f"Content-Length is {quote(length)}, the body has {size} octets"
        claimed, severity = http.most_claimed(length), None
        if self._role.name == "request" and claimed > size:
            claim = _Claim(position, position + claimed, self._path(), rule, message, place)
            self._claims.append(claim)
            return
        if not size and rule is CONTENT_LENGTH_MISMATCH:  # it may answer a HEAD
            severity = Severity.NOTE
        self._say(rule, message, place[0], None, severity, place[1])

    def _identify(
        self, outer: str | None, inner: str | None, octets: bytes, position: int
    ) -> str | None:
        """Return the request identifier.

        [MS-ODATA] 2.2.7.6.6: either place is recognised; the answer goes to the same place.
        """
        if outer == "" or (outer is None and inner == ""):
            self._say_of(octets, position, CONTENT_ID_EMPTY, "found an empty Content-ID", "id")
            outer = None
        if inner is None:
            return outer
        if outer is None:
            if inner:
                found = f"Content-ID {quote(inner)} is in the HTTP message"
                self._say_of(octets, position, CONTENT_ID_IN_MESSAGE, found, _INNER_ID)
            return inner or None
        if inner != outer:
            found = f"Content-ID is {quote(outer)} in the part and {quote(inner)} in the message"
            self._say_of(octets, position, CONTENT_ID_CONFLICT, found, _INNER_ID)
        return outer

    # -- a change set --

    def _read_change_set(
        self,
        part: mime.Part,
        content: bytes,
        head: parthead.Head,
        id: str | None,
        boundary: bytes | None,
        boundaries: Boundaries,
    ) -> _Item | None:
        position, depth = part.position + len(part.content) - len(content), len(boundaries)
        if depth > self._limits.change_set_depth:
            message = f"found a change set at depth {depth}"
            self._say(NESTED_CHANGE_SET, message, position)
            return None
        assert head.media_type is not None  # that is what brought us here
        if head.notes is None:
            self._check_change_set_head(head, head.media_type, id, part)
        try:
            if boundary is None:
                at, length = in_part(part.content, 0, _TYPE) or (0, 0)
                place = part.position + at, length
                boundary = boundary_of(head.media_type, self._limits, self._report, *place)
            if part.lookalikes is not None or boundary == boundaries[0]:
                self._check_boundary(boundary, part, position - part.position, boundaries[0])
            items = self._split_change_set(part, content, (boundary, *boundaries))
        except Stop as stopped:
            # What a change set lacks concerns that part alone; a limit concerns the whole message.
            if stopped.rule is LIMIT_EXCEEDED:
                raise
            return None
        return values.change_set_of(self._role.change_set, tuple(items), position)

    def _check_change_set_head(
        self, head: parthead.Head, media_type: MediaType, id: str | None, part: mime.Part
    ) -> None:
        place = part.content, part.position
        if media_type.name != "multipart/mixed":
            message = f"found {quote(media_type.name)}, expected multipart/mixed"
            self._say_of(*place, MULTIPART_SUBTYPE, message, _TYPE)
        if head.coding is not None and head.coding.lower() not in parthead.IDENTITY_ENCODINGS:
            message = f"found {quote(head.coding)} on a multipart, expected binary"
            self._say_of(*place, CONTENT_TRANSFER_ENCODING, message, _CODING)
        if id is not None:
            # A head that was recalled has the Content-ID of another, but only one.
            ids = head.section.headers["content-id"] if head.section.findings else id
            message = f"the change set has Content-ID {quote(ids)}; not kept"
            self._say_of(*place, CONTENT_ID_ON_CHANGE_SET, message, "id")

    def _check_boundary(self, boundary: bytes, part: mime.Part, content: int, outer: bytes) -> None:
        position = part.position + content
        if boundary == outer:
            message = f"the boundary {quote(boundary)} is that of the enclosing multipart"
            self._say(BOUNDARY_REUSED, message, position)
            return
        assert part.lookalikes is not None  # that is what brought us here
        if part.lookalikes.search(b"--" + boundary + b"\n"):
            found, other = f"--{boundary.decode()}", quote(b"--" + outer)
            self._say(BOUNDARY_PREFIX, f"{found} looks like the outer delimiter {other}", position)
        self._find_lookalike(part.content[:content], content, part)

    def _split_change_set(
        self, part: mime.Part, content: bytes, boundaries: Boundaries
    ) -> list[_Item | values.Unreadable]:
        position = part.position + len(part.content) - len(content)
        boundary, line_end, most = boundaries[0], self._line_end, self._limits.change_set_operations
        outer = () if part.lookalikes is None else boundaries[1:]
        events, closed, inner_end = mime.split(
            content, boundary, self._limits, most, position, outer
        )
        inner_end = inner_end or line_end  # where no delimiter line says otherwise
        is_mixed = not (closed and content.endswith(b"--%b--" % boundary))
        if part.line_feed is not None and is_mixed:
            self._say_line_feed(part.line_feed)
        if inner_end != line_end or (part.line_feed is not None and not is_mixed):
            self._say_vary(inner_end, position)
        items: list[_Item | values.Unreadable] = []
        self._end_lines_in(inner_end)
        for event in events:
            if isinstance(event, mime.Parts):
                self._read_parts(event, items, boundaries)
            elif isinstance(event, Diagnostic):
                self._pass_on_inner(event)
            else:
                assert isinstance(event, mime.Part)  # there are no pieces where nothing streams
                if event.delimiter_length is None:
                    inner = without_close(event.content, boundary)
                    event = event._replace(content=inner, delimiter_length=part.delimiter_length)
                self._add_part(event, items, boundaries)
        self._end_lines_in(line_end)
        if not closed:
            self._say_unclosed(self._role.unclosed, "change set", boundary, content, position)
        return items

    def _pass_on_inner(self, finding: Diagnostic) -> None:
        """Report what was found in splitting a change set."""
        if finding.rule is NO_PARTS:
            message = "found a change set without operations"
            finding = Diagnostic(EMPTY_CHANGE_SET, message, finding.position)
        self._pass_on(finding)

    def _say_vary(self, inner: bytes, position: int) -> None:
        names = ["LF" if each == b"\n" else "CRLF" for each in (inner, self._line_end)]
        message = "the lines of the change set end in {}, those around it in {}".format(*names)
        self._say(LINE_ENDS_VARY, message, position, severity=self._role.ambiguous)

    def _say_unclosed(
        self,
        rule: Rule,
        what: str,
        boundary: bytes,
        content: bytes,
        position: int,
        heads: bytes | None = None,
    ) -> None:
        """Report that nothing closes a multipart, at the line that was to do so if there is one."""
        message = f"the {what} ends without {quote(b'--' + boundary + b'--')}"
        meant = mime.meant_to_close(content, boundary, heads)
        if meant is not None:
            start, line, hint = meant
            message = f"{message}, but with {quote(line)}{hint}"
            self._say(rule, message, position + start, None, None, len(line))
        elif not content and what != "change set":
            line = b"--" + boundary + self._line_end
            message = f"{message}, but with {quote(line.rstrip())}; write two hyphens after it"
            self._say(rule, message, position - len(line), None, None, len(line.rstrip()))
        else:
            self._say(rule, message, position + len(content))


def without_close(content: bytes, boundary: bytes, heads: bytes | None = None) -> bytes:
    """Return the content of a part of a change set that no delimiter of its own ends.

    What ends it is the delimiter line of the enclosing multipart, or what was to be the close
    delimiter.
    """
    meant = mime.meant_to_close(content, boundary, heads)
    return content if meant is None else re.sub(rb"\r?\n[ \t>]*\Z", b"", content[: meant[0]])


_APPLICATION_HTTP = parse_media_type("application/http")
# Members of a part, as `in_part` calls them
_CODING, _TYPE, _INNER_ID = (
    "part=content-transfer-encoding",
    "part=content-type",
    "headers=content-id",
)


BOUNDARY_MISSING = fatal("""
    boundary-missing: A multipart media type has a boundary parameter that is not empty. [RFC 2046,
    5.1.1]
    Add a boundary parameter with the text that follows the hyphens of the delimiter
    lines.""")
BOUNDARY_CONFLICT = fatal("""
    boundary-conflict: A multipart media type has one boundary parameter. [RFC 2046, 5.1.1]
    Keep the boundary parameter whose value is in the delimiter lines, and remove the
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
    boundary-characters (unwritten): A boundary consists of digits, letters, '()+_,-./:=? and
    spaces, and ends in no space. [RFC 2046, 5.1.1]
    Choose a boundary of letters, digits, hyphens and underscores.""")


def boundary_of(
    media_type: MediaType, limits: Limits, report: Reporter, position: int, length: int = 0
) -> bytes:
    """Return the boundary parameter (RFC 2046, 5.1.1), or stop if there is none to be used."""

    def found(rule: Rule, message: str) -> Diagnostic:
        return Diagnostic(rule, message, position, length=length)

    given = [value for name, value in media_type.parameters if name == "boundary"]
    if not given or not given[0]:
        message = "multipart without boundary parameter" if not given else "boundary is empty"
        stop(report, found(BOUNDARY_MISSING, message))
    boundary = given[0]
    if any(value != boundary for value in given):
        message = f"found boundaries {quote(given[0])} and {quote(given[-1])}"
        stop(report, found(BOUNDARY_CONFLICT, message))
    for name, value in media_type.parameters:
        # RFC 2231, 3 and 4: to some readers these spell a boundary, too.
        if name.startswith("boundary*"):
            names = f"found the parameters boundary and {name}"
            message = f"{names}, {quote(boundary)} and {quote(value)}"
            stop(report, found(BOUNDARY_CONFLICT, message))
    if len(given) > 1:
        message = f"boundary {quote(boundary)} is given {len(given)} times"
        report(found(BOUNDARY_REPEATED, message))
    if not boundary.isascii() or not boundary.isprintable():
        message = f"boundary {quote(boundary)} is not printable US-ASCII"
        stop(report, found(BOUNDARY_SYNTAX, message))
    if len(boundary) > limits.boundary:
        exceed(report, limits, "boundary", position)
    if not grammar.BOUNDARY.fullmatch(boundary):
        message = f"boundary {quote(boundary)} has characters that RFC 2046 does not allow"
        report(found(BOUNDARY_CHARACTERS, message))
    return boundary.encode("ascii")
