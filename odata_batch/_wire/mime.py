"""RFC 2046, 5.1: split a multipart body into its parts.

A delimiter is a whole line: a line end, two hyphens, the boundary, white space, a line end. The
search looks for the last octet of a line end, the hyphens and the boundary, and judges the rest of
the line; a line that only begins like a delimiter is content, in which other readers may see one.
`PartSplitter` keeps what it has not yet given out in one buffer and never searches an octet twice,
so its work is linear in the input, whatever the chunks. It gives out a part that goes on for longer
than a chunk in pieces, where they are wanted. Most bodies have nothing that looks like a
delimiter and is none: they are cut at whole delimiter lines at once, once counting has shown that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple, TypeAlias

from odata_batch._model.findings import (
    LIMIT_EXCEEDED,
    Diagnostic,
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
from odata_batch._model.limits import Limits, exceed, shortest

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What the header section of a part has, and no preamble
_FIRST = re.compile(rb"^content-type:", re.IGNORECASE | re.MULTILINE)
# What may be a delimiter line
_OUTER = re.compile(rb"^--[^\r\n]+", re.MULTILINE)
# What is longer is no delimiter line with a slip in it.
_LONGEST_LINE = 120
# What may be in front of it
_INDENT = b" \t>"
# How far from the end of a part such a line begins at most
TAIL = 512
# What is taken for the hyphens of a delimiter: dashes and hyphens of Unicode, and quotes of mail
_DASH = rb"(?:[-_]|\xe2\x80[\x90-\x95]|\xe2\x88\x92|\xe2\x80\xa6)"
# The octets of these, and what else is around a boundary
_AROUND = bytes({*b" \t>-_\xe2\x80\x88\x92\xa6", *range(0x90, 0x96)})
# A line with the first one of a header section after it, and the boundaries of change sets
_BEFORE_FIELDS = re.compile(
    rb"^([^\r\n]{1,120})(?=\r?\ncontent-[a-z-]+[ \t]*:)", re.IGNORECASE | re.MULTILINE
)
_DECLARED = re.compile(
    rb"^content-type:[ \t]*multipart/[^\r\n]*boundary=\"?([^\s\";]+)", re.IGNORECASE | re.MULTILINE
)


class Part(NamedTuple):
    """What is between two delimiter lines: a header section, an empty line and a body."""

    content: bytes
    position: int
    """Offset of the content in the payload."""
    lookalikes: re.Pattern[bytes] | None
    """Finds in the content what other readers take for a delimiter; `None` if nothing is there."""
    delimiter_length: int | None
    """Octets of the delimiter that ends the part, its line ends included; `None` if none does."""
    line_feed: int | None = None
    """Offset of that delimiter, if LF alone comes before it, where delimiter lines end in CRLF."""
    is_cut: bool = False
    """Whether this is the beginning of a part that is longer than the limits allow."""


class Extent(NamedTuple):
    """How long a part may be, as far as what there is of it tells."""

    longest: int
    limit: str
    """What is exceeded if it is longer; `body` once nothing that follows can change the length."""
    position: int
    """Offset in the part of what is too large then."""
    head: int = 0
    """Octets of what comes before the body; 0 if it is not known, or if the part is not to be given
    out in pieces."""


class Parts(NamedTuple):
    """Parts between whole delimiter lines that end in CRLF; nothing else looks like one."""

    contents: list[bytes]
    position: int
    """Offset of the first content in the payload."""
    delimiter_length: int
    """Octets of the delimiter after each part but the last, its line ends included."""


class Piece(NamedTuple):
    """The next octets of a part that goes on: first its head, and a `Part` last."""

    content: bytes
    position: int
    is_free: bool = False
    """Whether `PartSplitter.inner` would find nothing in it that looks like a delimiter."""


class Lookalike(NamedTuple):
    """What other readers take for a delimiter, in a part of which the first piece was given out."""

    octets: bytes
    position: int


Event: TypeAlias = Part | Parts | Piece | Lookalike | Diagnostic
"""The result of splitting: parts, and in front of each what was found on the way to its end."""


DELIMITER_MISSPELT = warning("""
    delimiter-misspelt (check): A line that was to be a delimiter line is two hyphens and the
    boundary, letter by letter. [RFC 2046, 5.1.1]
    Write the line as the message says; otherwise what follows belongs to the part before it.""")
PREAMBLE = note("""
    preamble: Text before the first delimiter is ignored. [OData Protocol, 11.7.7.1]
    Begin the body with the first delimiter line.""")
EPILOGUE = note("""
    epilogue (seam): Text after the close delimiter is ignored. [OData Protocol, 11.7.7.1]
    End the body with the close delimiter.""")


class _Line(NamedTuple):
    """A line that begins with two hyphens and the boundary, and what follows them."""

    whole: bool
    hyphens: int
    padding: int
    line_end: bytes
    end: int

    @property
    def is_delimiter(self) -> bool:
        return self.whole and self.hyphens != 1

    @property
    def is_close(self) -> bool:
        return self.hyphens >= 2


# How much white space after a boundary other readers skip; after that much, nothing else counts.
_SKIPPED = 256

# Patterns count no further than 2**31 - 2 where pointers have 32 bits; a limit may be any number.
_MOST_REPETITIONS = 2**30

# What ends a header section, and how often a part that is not yet long is looked at after one
_ENDS_HEAD = re.compile(rb"\n\r?\n")
_LOOKS = 16

# A pattern of its own for a boundary, which takes as long to make as a hundred lines to judge, pays
# where the content may be made of nothing but such lines.
_WORTH_A_PATTERN = 64 * 1024


NO_DELIMITER = fatal("""
    no-delimiter: A multipart body has a delimiter line made of two hyphens and the boundary. [RFC
    2046, 5.1.1]
    Make the delimiter lines and the boundary parameter agree, letter by letter.""")
NO_PARTS = warning("""
    no-parts: A multipart body has at least one part. [RFC 2046, 5.1]
    Leave the batch out if there is nothing to send.""")
LINE_FEED = warning(r"""
    line-feed: Lines end in CRLF, not in LF alone. [RFC 2046, 5.1.1]
    Write CRLF at the end of every line of the framing, for example with \r\n in place of \n.""")
MIXED_LINE_ENDINGS = error("""
    mixed-line-endings: All delimiter lines of a message end in the same way. [RFC 2046, 5.1.1]
    Write CRLF before and after every delimiter line, whatever the lines of a body end in.""")
DELIMITER_LOOKALIKE = warning("""
    delimiter-lookalike (seam): Nothing looks like a delimiter line without being one: not in
    content, not before it. [RFC 2046, 5.1.1]
    Choose a boundary that occurs nowhere else, best a random one.""")
BOUNDARY_OF_CHANGE_SET = error("""
    boundary-of-change-set: The Content-Type of the batch names the boundary of the batch, not that
    of a change set in it. [RFC 2046, 5.1]
    Write the boundary of the first delimiter line into the Content-Type of the batch.""")
CLOSE_DELIMITER_HYPHENS = warning("""
    close-delimiter-hyphens: A close delimiter ends in exactly two hyphens. [RFC 2046, 5.1.1]
    Write exactly two hyphens after the boundary of the close delimiter.""")
TRANSPORT_PADDING = note("""
    transport-padding: Composers put no white space after a boundary. [RFC 2046, 5.1.1]
    Remove the white space after the boundary.""")
EPILOGUE_DELIMITER = warning("""
    epilogue-delimiter (seam): No delimiter line follows the close delimiter. [RFC 2046, 5.1.1]
    Move the parts in front of the close delimiter, and send only one of them.""")


def _lookalikes(boundaries: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Return what finds hyphens and a boundary that other readers take for a delimiter.

    OData.Core finds one anywhere, if nothing but two hyphens and white space come between it and a
    CR or an LF; Olingo ends lines at a CR, too; and some look at the beginning of the line alone.
    """
    space = rb"[ \t\x0b\x0c\x85\xa0]"
    rest = rb"(?:--)?+(?:%b{%d}|%b*+(?:[\r\n]|\Z))" % (space, _SKIPPED, space)
    tokens = [re.escape(b"--" + boundary) for boundary in boundaries]
    forms = [rb"%b(?:%b|(?<![^\r\n]%b))" % (token, rest, token) for token in tokens]
    return re.compile(b"|".join(forms))


def difference(line: bytes, expected: bytes) -> str:
    """Return in words what is wrong with a line that was meant to be a delimiter line."""
    plain, token = re.sub(_DASH, b"", line), re.sub(_DASH, b"", expected)
    if b"\\n" in line:
        return "; its line ends are spelt out"
    if line.startswith(b"\x1f\x8b"):  # RFC 1952, 2.3.1
        return "; it is compressed: undo the Content-Encoding first"
    if b"\0" in line:
        return "; it is UTF-16"
    if expected == b"--" + line and line.startswith(b"--"):
        return "; drop the two hyphens in the boundary parameter"
    if line == expected:
        return "; remove the white space before it"
    if line == b"--" + expected[2:].strip():
        return "; drop the space in the boundary parameter"
    if plain.strip(b" >\t") == token:
        return "; write two hyphens, and no other dash and no space"
    if plain.lower() == token.lower():
        return "; letters differ in case"
    if plain.strip(b" >\t").startswith(token):
        return "; nothing may follow the boundary but two hyphens at the end"
    return ""


def misspelt(octets: bytes, outer: bytes) -> Iterator[tuple[int, bytes, bytes, str]]:
    """Yield the lines before header sections that were to be delimiter lines, and what they lack.

    Before each comes its offset, after it the line that was meant. What is before the first
    delimiter line is left out, and so are lines that hold the one that was meant, in which reading
    finds what others see.
    """
    start = octets.find(b"--" + outer)
    if start < 0:
        return
    declared = _declared(octets)
    known = {_plain(each): each for each in (*declared, outer)}
    right = {b"--" + each for each in (*declared, outer)}
    for found in _BEFORE_FIELDS.finditer(octets, start):
        boundary = known.get(_plain(found[1]))
        if boundary is None or found[1].rstrip(b" \t") in right:
            continue
        if b"--" + boundary not in found[1]:
            line, expected = found[1].strip(b" \t>"), b"--" + boundary
            at = found.start() + found[1].index(line)
            yield at, line, expected, difference(line, expected)


def _declared(octets: bytes) -> list[bytes]:
    """Return the boundaries that a text declares, but those that are too long to be any."""
    return [each for each in _DECLARED.findall(octets) if len(each) <= _LONGEST_LINE]


def _plain(line: bytes) -> bytes:
    """Return a boundary without what is around it, and in lower case."""
    return line.strip(_AROUND).lower()


def meant_to_close(
    content: bytes, boundary: bytes, heads: bytes | None = None
) -> tuple[int, bytes, str] | None:
    """Return the line at the end of a part that was to be a close delimiter, and what it lacks.

    Before it comes its offset. That of a change set in the part is none; where the content is not
    there from its beginning, `heads` is what declares these.
    """
    before = max(0, len(content) - TAIL)
    text = content[before:].rstrip()
    start = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    if before and not start:
        return None
    start += len(text[start:]) - len(text[start:].lstrip(_INDENT))
    line, expected = text[start:], b"--" + boundary + b"--"
    if len(line) > _LONGEST_LINE:
        return None
    name = line.strip(_AROUND)
    plain, is_dashed = _plain(boundary), not line.lower().startswith(name.lower())
    is_like = name.lower() == plain or (is_dashed and plain and name.lower().startswith(plain))
    is_meant = is_like or line[:2] == line[-2:] == b"--"
    if is_meant and name.lower() != plain:
        declared = _declared(content if heads is None else heads)
        is_meant = name not in [each.strip(_AROUND) for each in declared]
    return (before + start, line, difference(line, expected)) if is_meant and name else None


def begins_line(text: bytes, index: int) -> bool:
    """Tell whether a line begins there, if a CR alone ends one, too."""
    return index == 0 or text[index - 1] in b"\r\n"


class PartSplitter:
    """Splits a multipart body that arrives in chunks.

    `position` is the offset of the body in the payload. `line_end` is what ends a delimiter line,
    known after the first one. No part is looked for after one more than the `most` that the caller
    takes. A finding that is fatal is the last event of its list, and nothing is to be read after
    it. `outer` has the boundaries of enclosing multiparts that may be found within; it is `None` if
    there is no such multipart. `extent` tells of the beginning of a part, and of what delimiter
    lines end in, how long the part may be: the beginning of a longer one is given out, cut, as soon
    as that is known, and is the last event. It is looked at when it is longer than `shortest`, and
    again whenever it has become twice as long, so the work remains linear.

    With `streams`, a part whose `extent` tells where its head ends is given out in pieces, as soon
    as that is there: all that cannot be the beginning of a delimiter, or of what looks like one.
    """

    line_end: bytes | None = None
    closed = False
    """Whether the close delimiter has been read."""
    inner: PartSplitter | None = None
    """What splits the part that goes on. It looks for all delimiters that are looked for here, so
    that one search will do."""
    _looked = 0
    _looks = 0, 0
    """How much of a part was there when its head was looked for, and how often it was."""
    _open = False
    """Whether the first piece of a part has been given out."""
    _seen = False
    """Whether a lookalike in it has been."""
    _begun = False
    _is_inner = False
    _content = 1
    _searched = 0
    _closing: tuple[int, bytes] = 0, b""

    def __init__(
        self,
        boundary: bytes,
        limits: Limits,
        most: int,
        *,
        position: int,
        outer: tuple[bytes, ...] | None = None,
        extent: Callable[[bytes, bytes], Extent] | None = None,
        streams: bool = False,
    ) -> None:
        self._streams = streams
        self._extent = extent
        self._boundary = boundary
        self._boundaries = (boundary, *(outer or ()))
        self._is_enclosed = outer is not None
        self._limits = limits
        self._room = most + 1
        self._events: list[Event]
        # A line end in front of the first octet lets a delimiter be the very first line.
        self._buffer = bytearray(b"\n")
        self._offset = position - 1
        self._token = b"\n--" + boundary
        self._line = b"\r\n--" + boundary + b"\r\n"

    def receive_data(self, data: bytes, is_free: bool = False) -> list[Event]:
        """Take the next octets and return the parts that they complete; see `Piece.is_free`."""
        self._events = []
        if self._open and (passed := self._pass_through(data, is_free)) is not None:
            return passed  # which is not kept
        is_first = self.line_end is None and len(self._buffer) == len(self._boundaries) == 1
        if is_first and data.startswith(self._line[2:]):
            # Nothing has come before, and most often nothing comes after.
            used = self._cut_at_once(data, len(self._line) - 2)
            self._offset += used
            data = data[used:]
            if not data:
                return self._events
        self._buffer += data
        if not self._begun and self._buffer.startswith(b"\n" + _BYTE_ORDER_MARK):
            message = "found a byte order mark, for which other readers may miss the first part"
            self._say(PREAMBLE, message, 1, Severity.WARNING)
            self._buffer[1:4] = b" \r\n"
            self._searched = 0
        with suppress(Stop):
            self._split(at_end=False)
            if self._streams and self._begun and not self.closed and self._room > 0:
                self._hand_out()
        return self._events

    def receive_eof(self) -> list[Event]:
        """Return what is left: a last part without `delimiter_length` if no delimiter ends it."""
        self._events = []
        if self.closed and len(self._buffer) == 1 and not self._closing[1]:
            return self._events
        with suppress(Stop):
            self._discard(at_end=True)  # whole or in chunks, before more is said of the last line
            self._split(at_end=True)
            if not self._begun:
                self._stop_without_delimiter()
            elif not self.closed:
                self._events.append(self._cut(len(self._buffer), None))
            else:
                self._check_epilogue()
        return self._events

    def _report(self, finding: Diagnostic) -> None:
        self._events.append(finding)

    def _say(
        self, rule: Rule, message: str, at: int, severity: Severity | None = None, length: int = 0
    ) -> None:
        """Report what was found at an index of the buffer."""
        place, severity = self._offset + at, severity or rule.severity
        self._events.append(Diagnostic(rule, message, place, severity=severity, length=length))

    def _split(self, at_end: bool) -> None:
        at_once = len(self._boundaries) == 1
        while not self.closed and self._room > 0:
            start = self._buffer.find(self._token, self._searched)
            if start < 0:
                self._searched = max(self._searched, len(self._buffer) - len(self._token) + 1)
                break
            # Tried once for each chunk, and only where a part ends for sure: what is copied then
            # has been given out before the next chunk comes, so the work remains linear.
            if at_once and self._begun and not self._open and self.line_end == b"\r\n":
                if self._buffer.startswith(self._line, start - 1):
                    at_once = False
                    with memoryview(self._buffer) as view, view[self._content :] as rest:
                        used = self._cut_at_once(rest.tobytes(), 0)
                    if used:
                        self._content += used
                        self._searched = self._content - 1
                        self._looked = 0
                        continue
            self._searched = start
            line = self._line_at(start, at_end)
            if line is None:
                break
            if line.is_delimiter:
                self._advance(start, line)
            else:
                self._pass_over(start)
        self._discard(at_end)

    def _check_extent(self, end: int, looked: int) -> None:
        """Give out the part whose content comes up to an index at least, if that is too long.

        It is not looked at if it is no longer than what has been `looked` at.
        """
        size = end - self._content
        if self._extent is None or self._open or size <= max(looked, self.shortest):
            return
        assert self.line_end is not None  # a delimiter line begins the part
        with memoryview(self._buffer) as view, view[self._content : end] as content_view:
            content = content_view.tobytes()
        longest, limit, _, _ = self._extent(content, self.line_end)
        if size > longest:
            cut = Part(
                content[: longest + 1], self._offset + self._content, None, None, is_cut=True
            )
            self._events.append(cut)
            raise Stop(LIMIT_EXCEEDED)
        self._looked = longest if limit == "body" else min(longest, 2 * size)

    def _cut_at_once(self, data: bytes, first: int) -> int:
        """Take all parts that whole delimiter lines end; return how many octets these are."""
        position = self._offset + self._content
        cut = _cut_at_lines(data, self._line, self._room, position, first, at_end=False)
        if cut is None:
            return 0
        parts, used, self.closed = cut
        self._events.append(parts)
        self._room -= len(parts.contents)
        self.line_end = b"\r\n"
        self._begun = True
        return used

    def _line_at(self, start: int, at_end: bool) -> _Line | None:
        """Say what the line at `start` is, or `None` if more octets are needed to tell."""
        buffer = self._buffer
        rest = self._rest.match(buffer, start + len(self._token))
        assert rest is not None  # both of its groups may be empty
        end = rest.end()
        hyphens, padding = len(rest[1]), len(rest[2])
        for line_end in (b"\r\n", b"\n"):
            if buffer.startswith(line_end, end):
                return _Line(True, hyphens, padding, line_end, end + len(line_end))
        if padding > self._limits.transport_padding:
            return _Line(True, hyphens, padding, b"", end)
        if bytes(buffer[end : end + 2]) not in (b"", b"\r"):
            return _Line(False, hyphens, padding, b"", end)
        # The last line may lack its line end only where nothing but a close delimiter can be meant.
        # One that is cut off after its CR is the one line that a bare CR ends.
        rest_of_line = b"" if self._is_enclosed else b"\r"
        closes = hyphens >= 2 and bytes(buffer[end:]) in (b"", rest_of_line)
        if at_end and closes and buffer.endswith(b"\r"):
            message = "the close delimiter ends in CR alone, at the end of the message"
            self._say(LINE_FEED, message, start + 1)
            return _Line(True, hyphens, padding, b"", len(buffer))
        return _Line(closes, hyphens, padding, b"", end) if at_end else None

    def _advance(self, start: int, line: _Line) -> None:
        """Go past a delimiter line and give out the part that it ends, if it ends one."""
        if not self._begun:
            self._check_preamble_length(start)
            self._check_line(start, line)
            self._end_preamble(start, line)
        else:
            self._check_extent(start - (self._buffer[start - 1] == ord("\r")), 0)
            self._looked = 0
            self._check_line(start, line)
            if not line.is_close and line.line_end != self.line_end:
                self._say_mixed("ends in", line.line_end, start + 1)
            self._events.append(self._cut(start, line))
            self._room -= 1
            self._open = self._seen = False
            self._looks = 0, 0
        self._begun, self.closed = True, line.is_close
        if line.is_close and line.line_end not in (b"", self.line_end):
            self._closing = self._offset + start + 1, line.line_end
        self._content = line.end
        # The end of this delimiter line may be the line end in front of the next one.
        self._searched = line.end - 1

    def _check_line(self, start: int, line: _Line) -> None:
        if line.padding > self._limits.transport_padding:
            exceed(self._report, self._limits, "transport_padding", self._offset + start + 1)
        if line.hyphens == 3:
            message = "the close delimiter ends in three hyphens, expected two"
            self._say(CLOSE_DELIMITER_HYPHENS, message, start + 1)
        if line.padding:
            message = f"found padding of {line.padding} octets after the boundary, expected none"
            self._say(TRANSPORT_PADDING, message, start + 1)

    def _cut(self, start: int, line: _Line | None) -> Part:
        """Return the part whose content ends before the delimiter line at `start`."""
        begin, end = self._content, start
        delimiter_length = line_feed = None
        if line is not None:
            if start > begin and self._buffer[start - 1] == ord("\r"):
                end -= 1
            elif start >= begin and self.line_end == b"\r\n":
                line_feed = self._offset + start + 1
            end = max(begin, end)
            delimiter_length = line.end - end
        with memoryview(self._buffer) as view, view[begin:end] as content_view:
            content = content_view.tobytes()
        if self._open:
            self._see(begin, end, end)
        found = None if self._open else self._lookalike_in(content)
        lookalikes = None if found is None else found.re
        return Part(content, self._offset + begin, lookalikes, delimiter_length, line_feed)

    def _lookalike_in(self, text: bytes) -> re.Match[bytes] | None:
        if not any(b"--" + boundary in text for boundary in self._boundaries):
            return None
        return self.lookalikes.search(text)

    # -- pieces --

    def _pass_through(self, data: bytes, is_free: bool) -> list[Event] | None:
        """Return the octets of a part that goes on, if nothing in them looks like a delimiter."""
        held, inner = bytes(self._buffer[1:]), self.inner
        if len(data) < self._reach:
            held, data = b"", held + data
        is_free_within = not is_free and inner is not None and inner._is_free(held, data)
        if not (is_free or is_free_within or self._finds_nothing(held, data)):
            return None
        end = self._held_from(data)
        # What is large is copied once at most.
        octets = held + memoryview(data)[:end] if held else data[:end]
        piece = Piece(octets, self._offset + 1, is_free_within)
        self._buffer = bytearray((octets or self._buffer[:1])[-1:] + data[end:])
        self._offset += len(octets)
        self._searched = max(1, self._searched - len(octets))
        return [piece] if octets else []

    def _is_free(self, held: bytes, data: bytes) -> bool:
        """Tell whether octets that come after what is kept can pass through."""
        return self._open and self._finds_nothing(bytes(self._buffer[1:]) + held, data)

    def _finds_nothing(self, held: bytes, data: bytes) -> bool:
        """Tell whether nothing looks like a delimiter in octets, of which few are `held` so far."""
        seam = held and held + data[: self._reach]
        for dash in self._dashes:
            if dash in data or dash in seam:
                return False
        return True

    def _kept(self) -> bytes:
        with memoryview(self._buffer) as view, view[1:] as rest:
            return rest.tobytes()

    def _hand_out(self) -> None:
        """Give out what is there of a part that goes on, if the end of its head is there."""
        assert self._extent is not None  # a stream has one
        octets, head = self._kept(), 0
        end = self._held_from(octets)
        for dash in self._dashes:  # what is after it decides what it is
            at = octets.find(dash, max(0, len(octets) - self._undecided))
            end = end if at < 0 else min(end, at - (octets[max(0, at - 2) : at] == b"\r\n") - 1)
        if not self._open:
            size, number = self._looks
            # An empty line ends a head. Few are looked at, so the work remains linear.
            is_new = number < _LOOKS and _ENDS_HEAD.search(octets, max(0, size - 2), max(0, end))
            if not is_new and end < max(1, 2 * size):
                return
            self._looks = end, number + 1
            assert self.line_end is not None  # a delimiter line begins the part
            head = self._extent(octets, self.line_end).head
            if not 0 < head <= end:
                return
            self._open = True
        given = len(self._events)
        self._see(1 + head, 1 + end, len(self._buffer))
        seen = self._events[given:]
        del self._events[given:]
        self._give(octets, end, head)
        self._events += seen

    def _give(self, octets: bytes, end: int, head: int) -> None:
        """Give out the first of these octets; keep the others."""
        if end > 0:
            self._buffer = bytearray(octets[end - 1 :])  # one that is cut keeps its memory
            if head:
                self._events.append(Piece(octets[:head], self._offset + 1))
            if head < end:
                self._events.append(Piece(octets[head:end], self._offset + 1 + head))
            self._offset += end
            self._searched = max(1, self._searched - end)
        else:
            self._buffer[1:] = octets

    def _see(self, start: int, stop: int, end: int) -> None:
        """Give out the first lookalike between two indexes, in a buffer that is read to an end."""
        if self._seen or not any(self._buffer.find(each, start, end) >= 0 for each in self._dashes):
            return
        found = self.lookalikes.search(self._buffer, start, end)
        if found is not None and found.start() < stop:
            self._seen = True
            self._events.append(Lookalike(found[0], self._offset + found.start()))

    def _held_from(self, octets: bytes) -> int:
        """Return where a delimiter may begin, or what looks like one, of which the end is missing.

        In an enclosed multipart, that may be any short line: the close delimiter may be missing,
        and the last line what was to be it.
        """
        held = len(octets)
        for beginning in self._beginnings.get(octets[-1:], ()):
            if octets.endswith(beginning):
                held -= len(beginning)
                break
        if self._is_enclosed:
            text = octets[-TAIL:].rstrip()
            at = max(text.rfind(b"\n"), text.rfind(b"\r"))
            if at >= 0 and len(text[at + 1 :].lstrip(_INDENT)) <= _LONGEST_LINE:
                at += max(0, len(octets) - TAIL)
                held = min(held, at - (octets[max(0, at - 1) : at + 1] == b"\r\n"))
        return held

    @cached_property
    def _dashes(self) -> tuple[bytes, ...]:
        return tuple([b"--" + boundary for boundary in self._boundaries])

    @cached_property
    def _reach(self) -> int:
        """How many octets tell where at the end of them a delimiter may begin."""
        return max(TAIL, *map(len, self._dashes)) + len(b"\r\n")

    @cached_property
    def _undecided(self) -> int:
        """Octets at the end in which a delimiter or what looks like one may go on."""
        longest = max(map(len, self._dashes))
        return longest + len(b"---\r\n") + max(self._blanks, _SKIPPED)

    @cached_property
    def _beginnings(self) -> dict[bytes, tuple[bytes, ...]]:
        """What delimiters and lookalikes begin with, the longest first, by the last octet."""
        whole = [end + dash for dash in self._dashes for end in (b"", b"\n", b"\r\n")]
        found = {each[:size] for each in (*whole, b"\r\n") for size in range(1, len(each))}
        by_end: dict[bytes, tuple[bytes, ...]] = {}
        for each in sorted(found, key=len, reverse=True):
            by_end[each[-1:]] = (*by_end.get(each[-1:], ()), each)
        return by_end

    def _say_mixed(self, where: str, line_end: bytes, at: int) -> None:
        found, wanted = ("LF" if each == b"\n" else "CRLF" for each in (line_end, self.line_end))
        message = f"a delimiter line {where} {found}, the first one ends in {wanted}"
        self._say(MIXED_LINE_ENDINGS, message, at)

    def _pass_over(self, start: int) -> None:
        self._searched = start + 1
        if len(self._buffer) > _WORTH_A_PATTERN:
            possible = self._possible.search(self._buffer, self._searched)
            last = len(self._buffer) - len(self._token) + 1
            self._searched = max(self._searched, last) if possible is None else possible.start()

    @cached_property
    def shortest(self) -> int:
        """How long a part may be in any case."""
        return shortest(self._limits)

    @cached_property
    def lookalikes(self) -> re.Pattern[bytes]:
        """Finds what other readers take for a delimiter."""
        return _lookalikes(self._boundaries)

    @cached_property
    def _rest(self) -> re.Pattern[bytes]:
        """Finds what may follow the boundary in a delimiter line."""
        # Both repetitions are bounded, so a line is judged in constant time, however often.
        return re.compile(rb"(-{0,3})([ \t]{0,%d})" % self._blanks)

    @cached_property
    def _blanks(self) -> int:
        return min(self._limits.transport_padding + 1, _MOST_REPETITIONS)

    @cached_property
    def _possible(self) -> re.Pattern[bytes]:
        """Finds the next line that is a delimiter, or may become one when more octets come."""
        # One hyphen makes no delimiter, unless another follows.
        rest = rb"(?:(?:-{2,3})?(?:[ \t]{%d}|[ \t]{0,%d}\r?(?:\n|\Z))|-\Z)"
        rest %= (self._blanks, self._blanks)
        return re.compile(re.escape(self._token) + rest)

    def _discard(self, at_end: bool) -> None:
        if not self._begun:
            self._check_preamble_length(self._searched)
            return
        if len(self._buffer) - self._content > self._limits.epilogue and self.closed:
            exceed(self._report, self._limits, "epilogue", self._offset + self._content)
        if not self.closed and self._room > 0:
            # A delimiter may begin with the CR there.
            self._check_extent(self._searched - 1, 0 if at_end else self._looked)
        used = self._content - 1
        del self._buffer[:used]
        self._offset += used
        self._searched -= used
        self._content = 1

    # -- preamble and epilogue --

    def _check_preamble_length(self, length: int) -> None:
        if length > self._limits.preamble:
            if self._first_line().startswith(b"--"):
                self._stop_without_delimiter()
            exceed(self._report, self._limits, "preamble", self._offset + 1)

    def _end_preamble(self, start: int, line: _Line) -> None:
        text = self._buffer[1:start].strip(b" \t\r\n")
        if line.is_close:
            if text:
                self._stop_without_delimiter()
            self._say(NO_PARTS, "found a close delimiter and no part", start + 1)
        if text and not self._is_spoiled(start):
            message = f"found {quote(bytes(text))} before the first delimiter"
            self._say(PREAMBLE, message, 1)
            if (other := self._lookalike_in(bytes(self._buffer[1:start]))) is not None:
                self._say_lookalike(other, 1)
        self.line_end = line.line_end
        if line.line_end == b"\n" and not self._is_enclosed:
            message = "the first delimiter line ends in LF alone, and so does every line"
            self._say(LINE_FEED, message, start + 1)
        is_fed = start > 0 and self._buffer[start - 1] != ord("\r")
        if is_fed and line.line_end == b"\r\n" and not line.is_close:
            self._say_mixed("comes after", b"\n", start + 1)

    def _is_spoiled(self, start: int) -> bool:
        """Report what may have been the first delimiter, before it was changed.

        A part must not be lost with less than an error.
        """
        buffer, expected = self._buffer, quote(b"--" + self._boundary)
        field = _FIRST.search(buffer, 1, start)
        outer = _OUTER.search(buffer, 1, start)
        spoiled = buffer.find(self._token[1:], 1, start)
        if outer and self._boundary in _DECLARED.findall(buffer, outer.end(), start):
            found = f"the boundary {quote(self._boundary)} is that of a change set"
            message = f"{found}; the delimiter lines around it are {quote(outer[0])}"
            self._is_inner = True
            place = outer.start(), Severity.ERROR, len(outer[0])
            self._say(BOUNDARY_OF_CHANGE_SET, message, *place)
            return True
        if spoiled < 0 and field is None:
            return False
        at = spoiled if field is None or spoiled >= 0 else field.start()
        line = buffer.rfind(b"\n", 0, at - 1) + 1 if spoiled < 0 else at
        at = line if buffer[line:at].strip() else at
        text = bytes(buffer[at : buffer.find(b"\n", at)]).rstrip(b"\r")
        whole = bytes(buffer[buffer.rfind(b"\n", 0, at) + 1 : at]) + text
        message = f"found {quote(whole)} where the first part begins, expected {expected}"
        self._say(DELIMITER_LOOKALIKE, message, at, Severity.ERROR, len(text))
        return True

    def _say_lookalike(self, found: re.Match[bytes], at: int) -> None:
        message = f"found {quote(found[0])}, which other readers take for a delimiter"
        length = len(found[0].rstrip(b"\r\n"))
        self._say(DELIMITER_LOOKALIKE, message, at + found.start(), None, length)

    def _stop_without_delimiter(self) -> None:
        first, expected = self._first_line(), b"--" + self._boundary
        at = self._buffer.find(first)
        boundary, hint = quote(self._boundary), difference(first, expected)
        if not first:
            message = f"the body is empty, the boundary is {boundary}"
        elif first.startswith(b"--"):
            message = f"body starts with {quote(first)}, Content-Type says {boundary}{hint}"
        else:
            message = f"body starts with {quote(first)}, and no line is '--' and {boundary}{hint}"
        place = self._offset + max(1, at)
        stop(self._report, Diagnostic(NO_DELIMITER, message, place, length=len(first)))

    def _first_line(self) -> bytes:
        return re.split(
            rb"[\r\n]", bytes(self._buffer[: self._limits.preamble]).strip(), maxsplit=1
        )[0]

    def _check_epilogue(self) -> None:
        start = self._content - 1
        while (start := self._buffer.find(self._token, start)) >= 0:
            line = self._line_at(start, at_end=True)
            if line is not None and line.is_delimiter:
                message = "a delimiter line follows the close delimiter; it is not read"
                self._say(EPILOGUE_DELIMITER, message, start + 1)
                return
            start += 1
        text = bytes(self._buffer[self._content :])
        position, line_end = self._closing
        if line_end and (text or self._is_enclosed):
            self._say_mixed("ends in", line_end, position - self._offset)
        elif line_end == b"\n":
            message = "the close delimiter ends in LF alone, the delimiters end in CRLF"
            self._say(LINE_FEED, message, position - self._offset)
        if (found := self._lookalike_in(text)) is not None:
            self._say_lookalike(found, self._content)
        text = text.strip(b" \t\r\n")
        if text and not self._is_inner:
            message = f"found {quote(text)} after the close delimiter"
            self._say(EPILOGUE, message, self._content)
            if found := _FIRST.search(self._buffer, self._content):  # see `_is_spoiled`
                message = "what comes after the close delimiter looks like a part"
                self._say(DELIMITER_LOOKALIKE, message, found.start(), Severity.ERROR)


def split(
    data: bytes, boundary: bytes, limits: Limits, most: int, position: int, outer: tuple[bytes, ...]
) -> tuple[Sequence[Event], bool, bytes | None]:
    """Split an enclosed body that is complete; the arguments are those of `PartSplitter`.

    After what was found follow whether its close delimiter is there, and what ends its lines.
    """
    line = b"\r\n--" + boundary + b"\r\n"
    if not outer and data.startswith(line[2:]):
        cut = _cut_at_lines(data, line, most + 1, position, len(line) - 2, at_end=True)
        if cut is not None and cut[2]:
            return cut[:1], True, b"\r\n"
    splitter = PartSplitter(boundary, limits, most, position=position, outer=outer)
    events = splitter.receive_data(data) + splitter.receive_eof()
    return events, splitter.closed, splitter.line_end


def _cut_at_lines(
    data: bytes, line: bytes, room: int, position: int, first: int, *, at_end: bool
) -> tuple[Parts, int, bool] | None:
    """Return the parts that such delimiter lines end, if nothing else looks like one.

    Then follow how many octets these are, and whether the last line closes the multipart. `first`
    is the length of the delimiter line that `data` begins with, `position` the offset of `data`,
    and there is room for so many lines. Whether more may follow, `at_end` says.
    """
    contents = data.split(line, room)
    content, close, after = contents[-1].partition(line[:-2] + b"--")
    is_closed = close != b"" and (after == b"\r\n" or (at_end and not after))
    used = len(data) if is_closed else len(data) - len(contents[-1])
    contents[-1:] = (content,) if is_closed else ()
    # As many tokens as delimiter lines; two lines may share a line end, though.
    if not contents or data.count(line[2:-2], 0, used) != len(contents) + (first > 0):
        return None
    if len(contents[0]) < first:
        return None
    contents[0] = contents[0][first:]
    return Parts(contents, position + first, len(line)), used, is_closed
