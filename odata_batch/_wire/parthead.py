"""The header section of a part: what it says about the part, and what is wrong with it.

A check sees a value, and says which member of it is wrong; only then are the octets that it was
read from looked at again, for the place, so that nothing needs to be kept of all that is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

from odata_batch._model.findings import Diagnostic, Reporter, Rule, error, note, quote, warning
from odata_batch._model.headers import by_lower_name
from odata_batch._model.limits import DEFAULT_LIMITS, Limits, keep
from odata_batch._wire import grammar, http, mime, sections
from odata_batch._wire.http import TRANSFER_ENCODING
from odata_batch._wire.mediatype import MediaType, parse_media_type
from odata_batch._wire.sections import EMPTY_LINE_WHITE_SPACE

IDENTITY_ENCODINGS = frozenset(("7bit", "8bit", "binary"))

PART_CONTENT_ENCODING = warning("""
    part-content-encoding: A part has no content coding; its content is read as it is. [OData
    Protocol, 8.1.2]
    Remove the Content-Encoding of the part, and compress the batch as a whole.""")


# Fields that a part must not have: what they would undo has no place in a batch
_CODINGS = (
    ("transfer-encoding", TRANSFER_ENCODING),
    ("content-encoding", PART_CONTENT_ENCODING),
)
# The fields that have a meaning or a rule of their own. RFC 2046, 5.1
_FIELDS = frozenset(
    (
        *("content-type", "content-transfer-encoding", "content-id", "content-length"),
        *("content-encoding", "transfer-encoding"),
    )
)
_SPELLINGS = grammar.spellings(_FIELDS)


CONTENT: Final = "content"


class Note(NamedTuple):
    """Which rule a head breaks and how, and the member of the part where it is said."""

    rule: Rule
    message: str
    member: str


_TYPE: Final = "part=content-type"
CODING_MISSING: Final = "the part has no Content-Transfer-Encoding, expected binary"


class Head(NamedTuple):
    """What the header section of a part says; its findings are about the part as a whole."""

    section: sections.Section
    findings: tuple[Note, ...]
    media_type: MediaType | None
    type_findings: tuple[Note, ...]
    assumed: str | None
    """What was found in place of a media type, where the content decides what it is."""
    coding: str | None
    notes: tuple[Note, ...] | None
    """What is to be said of each such part, if its content is taken as it is."""
    is_set: bool
    """Whether this is a change set, that is, a multipart."""


PART_CONTENT_TYPE = error("""
    part-content-type: A part is application/http, or multipart/mixed where it is a change set.
    [OData Protocol, 11.7.7.1]
    Write Content-Type: application/http, or multipart/mixed with a boundary for a change set.""")
MESSAGE_TYPE = warning("""
    message-type: The msgtype parameter of application/http agrees with the content. [RFC 9112,
    10.2]
    Write msgtype=request in requests and msgtype=response in responses, or leave it out.""")
CONTENT_TRANSFER_ENCODING_MISSING = note("""
    content-transfer-encoding-missing: OData up to 4.0 requires Content-Transfer-Encoding: binary
    in every part. [OData 4.0 Protocol, 11.7.2]
    Add Content-Transfer-Encoding: binary to the header section of the part.""")
PART_HEADER_IGNORED = note("""
    part-header-ignored: A part's header section holds Content-Type, -Transfer-Encoding, -ID and
    -Length only. [RFC 2046, 5.1]
    Move the header below the request line or status line, or remove it.""")


def _fate(name: str) -> str:
    meant = grammar.nearest(name, _SPELLINGS)
    return "it is not kept" if meant is None else f"is {meant} meant?"


def _head_of(section: sections.Section, role_name: str) -> Head:
    fields = by_lower_name(section.headers)
    findings = [
        Note(
            PART_HEADER_IGNORED,
            f"found the part header {quote(name)}; {_fate(name)}",
            f"part.{name}",
        )
        for name in fields
        if name not in _FIELDS
    ]
    for name, rule in _CODINGS:
        if name in fields:
            value = quote(section.headers[name])
            findings.append(Note(rule, f"the part has {name.title()} {value}", f"part.{name}"))
    (coding,) = fields.get("content-transfer-encoding", (None,))[:1]
    (text,) = fields.get("content-type", (None,))[:1]
    head = Head(section, tuple(findings), None, (), None, coding, None, False)
    if text is None:
        return head._replace(assumed="the part has no Content-Type")
    media_type = parse_media_type(text)
    if media_type.name == "message/http":
        return head._replace(assumed=f"found {quote(text)}")
    multipart = media_type.name.startswith("multipart/")
    if media_type.broken or not (multipart or media_type.name == "application/http"):
        message = f"found {quote(text)}, expected application/http or multipart/mixed"
        return head._replace(type_findings=(Note(PART_CONTENT_TYPE, message, _TYPE),))
    problems = [Note(*problem, _TYPE) for problem in media_type.problems]
    kind = None if multipart else media_type.parameter("msgtype")
    if kind is not None and kind.lower() != role_name:
        message = f"found msgtype {quote(kind)}, expected {role_name}"
        problems.append(Note(MESSAGE_TYPE, message, _TYPE))
    notes = findings + problems
    if coding is None:
        notes.append(Note(CONTENT_TRANSFER_ENCODING_MISSING, CODING_MISSING, CONTENT))
    is_as_it_is = coding is None or coding.lower() in IDENTITY_ENCODINGS
    head = head._replace(media_type=media_type, type_findings=tuple(problems), is_set=multipart)
    if not is_as_it_is or section.length is not None:
        return head
    if not multipart:
        return head._replace(notes=tuple(notes))
    is_odd = findings or problems or media_type.name != "multipart/mixed" or section.id is not None
    return head if is_odd else head._replace(notes=())


_Key: TypeAlias = tuple[bytes, bytes, bytes]
"""A head without what differs from part to part: what comes before it, its name, what follows."""


PART_HEADER_FOLDED = note("""
    part-header-folded: Folded field lines of a part's header section are unfolded. [RFC 5322,
    2.2.3]
    Write the field on one line.""")


@cache
def _usual_heads() -> dict[_Key, Head]:
    """Return the heads that most batches have, as a decoder knows them."""
    findings: list[Diagnostic] = []
    reader = sections.SectionReader(DEFAULT_LIMITS, findings.append, sections.Known())
    http = b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary"
    keys = (
        (http + b"\r\n", b"Content-ID: ", b""),
        (http, b"", b""),
        (b"Content-Type: multipart/mixed; ", b"boundary=", b""),
    )
    texts = [b"".join(key) + key[1][:1] for key in keys]  # any value will do
    read = [reader.read(text, 0, b"\r\n", PART_HEADER_FOLDED) for text in texts]
    return {key: _head_of(section, "") for key, section in zip(keys, read, strict=True)}


_FIELDS_OF_A_USUAL_HEAD: Final = 3


class Recent(NamedTuple):
    """A head of which all is known but the identifier: the octets before and after it.

    Where it has none, the octets before are all that there are.
    """

    stem: bytes
    tail: bytes | None
    size: int
    """Octets of the head less the identifier."""
    notes: tuple[Note, ...]


BOUNDARY_REUSED = error("""
    boundary-reused: A nested multipart has a boundary of its own. [RFC 2046, 5.1]
    Give the change set a boundary of its own.""")
PART_WITHOUT_HEADERS = error("""
    part-without-headers: A part begins with its header section. [OData Protocol, 11.7.7.1]
    Write Content-Type: application/http and an empty line after the delimiter line.""")
PART_WITHOUT_BODY = error("""
    part-without-body: An empty line separates the header section of a part from its content. [RFC
    2046, 5.1]
    Write an empty line after the header section of the part.""")
REQUEST_LINE_IN_PART_HEADERS = error("""
    request-line-in-part-headers: The header section of a part comes before the request, not below
    its request line. [OData Protocol, 11.7.7.1]
    Write an empty line between the header section of the part and the request line.""")


_USUAL_STEM: Final = (
    b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: "
)
_USUAL_HEAD: Final = Recent(_USUAL_STEM, b"", len(_USUAL_STEM), ())
_NO_HEAD: Final = Recent(b"\0", None, 0, ())


class Known(sections.Known):
    """What has been learned of batches in one role whose lines end alike, under the same limits."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        is_wide = limits.fields >= _FIELDS_OF_A_USUAL_HEAD
        self.heads: dict[_Key, Head] = {**_usual_heads()} if is_wide else {}
        self.tops: dict[bytes, Any] = {}
        """Start lines and header sections of responses."""
        self.recent = _USUAL_HEAD if is_wide else _NO_HEAD
        """The last head whose content was a message as it is; most are followed by one like it."""


class HeadReader(sections.SectionReader):
    """Reads the header sections of the parts of one batch, and of the messages in them.

    `say` reports at an offset.
    """

    known: Known

    def __init__(
        self,
        role_name: str,
        limits: Limits,
        report: Reporter,
        known: Known,
        say: Callable[[Rule, str, int, int], None],
    ) -> None:
        super().__init__(limits, report, known)
        self._role_name = role_name
        self._say = say

    def read_head(
        self, part: mime.Part, line_end: bytes, boundary: bytes
    ) -> tuple[Head, str | None, bytes | None, bytes] | None:
        """Return what the header section of a part says, its Content-ID, and the content.

        In front of the content comes the boundary of a change set, if it is a plain one.

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
            before, name, rest = section.partition(b"boundary=")
        value, end, after = rest.partition(line_end)
        known = self.known.heads.get((before, name, after))
        if known is not None and len(section) <= self.short and self._is_plain(name, value):
            self.count(section, part.position)
            if known.notes is not None and line_end == b"\r\n" and not known.is_set:
                tail = end + after if name else None
                size = len(section) - len(value) if name else len(section)
                self.known.recent = Recent(before + name, tail, size, known.notes)
            if name == b"boundary=":
                return known, None, value, content
            return known, value.decode("ascii") if name else None, None, content
        if self._is_no_head(section if has_head else None, part, line_end, boundary):
            return None
        read = self.read(section, part.position, line_end, PART_HEADER_FOLDED)
        head = _head_of(read, self._role_name)
        if not read.findings and _is_cut(head, before, name, value):
            if sections.may_be_kept(read, before + after):
                keep(self.known.heads, (before, name, after), head)
        return head, read.id, None, content

    def _is_plain(self, name: bytes, value: bytes) -> bool:
        """Tell whether nothing can be said of a value that was cut out of a head."""
        if name == b"boundary=":
            is_short = len(value) <= self.limits.boundary
            return is_short and grammar.PLAIN_BOUNDARY.fullmatch(value) is not None
        return value.isalnum() or not name or grammar.VISIBLE.fullmatch(value) is not None

    def _is_no_head(
        self, section: bytes | None, part: mime.Part, line_end: bytes, boundary: bytes
    ) -> bool:
        """Tell whether what a part begins with cannot be read as its header section."""
        head = part.content[:_LONGEST_LOOK] if section is None else section
        first = start_line_of(part.content)
        found = None if first is not None else grammar.START_LINE_IN_HEAD.search(head)
        at = length = 0
        if first is not None:
            rule, length = REQUEST_LINE_IN_PART_HEADERS, len(first)
            message = f"found {quote(first)} where the header section of the part begins; "
            message += "the part's own headers and an empty line belong above it"
        elif found is not None and found[1] is not None:
            rule = EMPTY_LINE_WHITE_SPACE
            at, length = found.start(1), len(found[1])
            message = f"found {quote(found[1])} in place of the empty line above {quote(found[2])}"
        elif found is not None:
            rule, group = REQUEST_LINE_IN_PART_HEADERS, 3 if found[2] is None else 2
            at, length = found.start(group), len(found[group])
            message = f"found {quote(found[group])} in the header section of the part; "
            message += "an empty line belongs above it"
        elif (inner := _inner_delimiter(head)) is not None:
            rule, at, length = PART_WITHOUT_BODY, inner.start(2), len(inner[2])
            message = f"no empty line is above the delimiter line {quote(inner[2])}"
            if inner[1]:
                rule, at, length = EMPTY_LINE_WHITE_SPACE, inner.start(1), len(inner[1].rstrip())
                message = f"found white space in place of the empty line above {quote(inner[2])}"
        elif section is None and _declares(part.content, boundary, line_end):
            rule = BOUNDARY_REUSED
            message = f"the boundary {quote(boundary)} is that of the enclosing multipart"
        elif section is None:
            rule = PART_WITHOUT_BODY
            message = "no empty line ends the header section of the part"
        elif not section:
            rule = PART_WITHOUT_HEADERS
            message = "the part has no header section, expected Content-Type at least"
        else:
            return False
        self._say(rule, message, part.position + at, length)
        return True


def _is_cut(head: Head, before: bytes, name: bytes, value: bytes) -> bool:
    """Tell whether what was cut out of the head is the value of what has that name."""
    if name == b"boundary=":
        in_type = before.rpartition(b"\n")[2].lower().startswith(b"content-type:")
        parameters = (("boundary", value.decode("latin-1")),)
        is_plain = head.media_type is not None and head.media_type.parameters == parameters
        return in_type and is_plain and not head.type_findings and head.section.id is None
    if name:
        return head.section.id is not None and (not before or before.endswith(b"\n"))
    return head.section.id is None


def _declares(head: bytes, boundary: bytes, line_end: bytes) -> bool:
    """Tell whether one of the field lines declares this boundary."""
    for line in head[:_LONGEST_LOOK].split(line_end):
        field, _ = sections.parse_field_line(line)
        if field is not None and field[0].lower() == "content-type":
            declared = parse_media_type(field[1]).parameter("boundary")
            return declared == boundary.decode("ascii")
    return False


# The first line of a head whose lines end in LF alone: an empty line or a field follows
FIRST_IN_LF = re.compile(rb"([^\r\n]+)\n(?:\r?\n|%b[ \t]*:)" % grammar.TOKEN_BYTES.pattern)
# The first media type, where it is that of a change set
_MEDIA_TYPE = re.compile(rb"^content-type:[ \t\r\n]*(multipart/)?", re.MULTILINE)
# How much longer a start line may be than the URL or the reason phrase in it
_AROUND: Final = http.LONGEST_METHOD + len(b" HTTP/1.1 200 ")
_EMPTY_LINE: Final = len(b"\r\n\r\n")


def extent(limits: Limits, role_name: str, content: bytes, line_end: bytes) -> mime.Extent:
    """Return how long a part may be that begins so, in a multipart whose delimiter lines end so.

    It is a header section and a message: a start line, a header section, a body. Of each is looked
    at no more than there may be, so what makes a part too long is the same for all beginnings of it
    that are longer. A change set is as long as the batch at most, and what is encoded as what that
    makes of a message, with some white space.
    """
    section = limits.header_section + _EMPTY_LINE
    start = _after_section(content, 0, section, _line_end_of(content, 0, section, line_end))
    if start < 0:
        return mime.Extent(section, "header_section", 0)
    head = content[:start].lower()
    media_type = _MEDIA_TYPE.search(head)
    if media_type is not None and media_type[1]:
        return mime.Extent(limits.message, "body", 0, start)
    longest, limit = limits.url, "url"
    if role_name == "response":
        longest, limit = limits.field_line, "field_line"
    most = start + longest + _AROUND
    if b"base64" in head or b"multipart/" in head:
        encoded = 2 * (most + section + limits.body)
        return mime.Extent(min(limits.message, encoded), "body", 0)
    line_end = _line_end_of(content, start, most, line_end)
    empty = grammar.EMPTY_LINES.match(content, start, most)
    first = start if empty is None else empty.end()
    end = content.find(line_end, first, most)
    if end < 0:
        return mime.Extent(most, limit, first)
    is_message = start_line_of(content[first:end]) is not None
    end += len(line_end)
    body = _after_section(content, end, end + section, line_end)
    if not is_message:  # it may be anything
        return mime.Extent(most + section + limits.body, "body", start, max(0, body))
    if body < 0:
        return mime.Extent(end + section, "header_section", end)
    return mime.Extent(body + limits.body, "body", body, body)


def _line_end_of(octets: bytes, start: int, end: int, around: bytes) -> bytes:
    """Return what ends the lines of a header section, which its first line decides."""
    return b"\n" if FIRST_IN_LF.match(octets, start, end) else around


def _after_section(octets: bytes, start: int, most: int, line_end: bytes) -> int:
    """Return where the empty line ends that ends a header section, or -1; see `split_head`."""
    if line_end == b"\n":
        found = grammar.EMPTY_LINE.match(octets, start, most)
        found = found or grammar.EMPTY_LINE_AFTER.search(octets, start, most)
        return -1 if found is None else found.end()
    if octets.startswith(b"\r\n", start):
        return start + 2
    at = octets.find(b"\r\n\r\n", start, most)
    return at if at < 0 else at + _EMPTY_LINE


_INNER_DELIMITER = re.compile(rb"^([ \t]+\r?\n)?(--[^\r\n]+)", re.MULTILINE)


def _inner_delimiter(head: bytes) -> re.Match[bytes] | None:
    """Return the delimiter line of a change set in the header section that declares it."""
    return _INNER_DELIMITER.search(head) if b"boundary=" in head else None


# How far a part without an empty line is searched for the reason. Header sections are shorter.
_LONGEST_LOOK = 8192


def start_line_of(content: bytes) -> bytes | None:
    """Return the first line if it begins a message; a field line, with a colon first, does not."""
    end = content.find(b"\n")
    line = (content if end < 0 else content[:end]).rstrip(b"\r")
    if line.partition(b" ")[0].isalpha():
        return line if grammar.REQUEST_LINE_LIKE.fullmatch(line) else None
    return line if line.startswith(b"HTTP/") else None


# -- where in a part the members of an item are --------------------------------------------------


def in_part(octets: bytes, start: int, member: str) -> tuple[int, int] | None:
    """Return the place of a member of the item in the part at `start`, if it is known.

    That is an offset, and how many octets are meant. Members have the names of the model; a field
    of the header section is `headers.` and its name in lower case, one of the part `part.` and its
    name. With `=` in place of the dot it is the value that is meant.
    """
    head = grammar.EMPTY_LINES_AFTER.search(octets, start)  # more may come before a start line
    message = len(octets) if head is None else head.end()
    if member == "id":
        return _field(octets, start, "content-id", 2) or _field(octets, message, "content-id", 2)
    if member.startswith(("part.", "part=")):
        return _field(octets, start, member[5:], 1 + (member[4] == "="))
    if member.startswith(("headers.", "headers=")):
        return _field(octets, message, member[8:], 1 + (member[7] == "="))
    if member == "body":
        empty = grammar.EMPTY_LINE_AFTER.search(octets, message)
        return None if empty is None else (empty.end(), 0)
    line = octets[message : octets.find(b"\n", message) + 1 or None].rstrip()
    first, _, rest = line.partition(b" ")
    if member == "method":
        return message, len(first)
    at = len(line) - len(rest.lstrip(b" "))
    if member == "status":
        return message + at, len(line[at:].partition(b" ")[0])
    last = line.rfind(b" ")
    end = len(line[:last].rstrip(b" ")) if line.startswith(b"HTTP/", last + 1) else len(line)
    return message + at, end - at


def _field(octets: bytes, start: int, name: str, group: int) -> tuple[int, int] | None:
    """Return where the name of a field is, or its value, in the header section at `start`."""
    empty = grammar.EMPTY_LINE_AFTER.search(octets, start)
    stop = len(octets) if empty is None else empty.start()
    line = rb"^(%s)[ \t]*:[ \t]*([^\r\n]*)" % re.escape(name.encode("latin-1"))
    found = re.compile(line, re.IGNORECASE | re.MULTILINE).search(octets, start, stop)
    return None if found is None else (found.start(group), len(found[group].rstrip(b" \t")))
