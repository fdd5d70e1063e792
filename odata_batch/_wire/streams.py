"""The OData multipart batch format, read as it arrives: heads, pieces of bodies, ends.

What is read and found is what `multipart` reads and finds, by the same functions: the head of a
part is read as a part that ends where its body begins, and what is to be said of the body needs
only its size, its last octets, and what looks like a delimiter in it.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeVar

from odata_batch._model import values
from odata_batch._model.findings import Diagnostic
from odata_batch._model.limits import Limits, exceed
from odata_batch._wire import grammar, http, mime, parthead
from odata_batch._wire.multipart import Boundaries, MultipartDecoder, Role, without_close

_Start = TypeVar("_Start", bound=tuple[object, str])
_Item = TypeVar("_Item")

_CRLF: Final = b"\r\n"
# As much of the end of a part as tells whether its last line was to be a close delimiter
_END: Final = mime.TAIL + 1


class Head(NamedTuple):
    """An operation, a response or a change set that begins; it is empty so far.

    After it come the octets of its body, or what the change set holds, and `END`.
    """

    item: object


END: Final = None


class _Level:
    """A multipart that is being read."""

    def __init__(self, splitter: mime.PartSplitter, boundaries: Boundaries) -> None:
        self.splitter = splitter
        self.boundaries = boundaries
        self.count = 0
        """How many parts are complete."""
        self.part: _Part | None = None
        """The one that is not."""
        self.line_end: bytes | None = None
        """What its lines end in, as soon as that has been judged."""


class _Part:
    """A part that has begun."""

    def __init__(self, head: bytes, position: int, extent: mime.Extent) -> None:
        self.head = head
        self.position = position
        self.extent = extent
        self.end = head[-_END:]
        """The last octets so far."""
        self.size = 0
        """How many octets came after the head."""
        self.feeds = 0
        """How many LF among them no CR precedes."""
        self.lookalike: mime.Lookalike | None = None
        """What is to be said of the body, unless something was said of the head."""
        self.is_told = False
        self.of_part: tuple[str, mime.Part, http.Measure] | None = None
        """Content-Length of the part, the part and the measure of its content so far."""
        self.of_body: tuple[str, tuple[int, int]] | None = None
        """Content-Length of the message, and its place."""
        self.exact = -1
        """How long the body may be according to that."""
        self.held = b""
        """The octets after so many, as long as they may be one line end."""
        self.given = 0
        """Octets of the body that were handed out."""
        self.inner: _Level | None = None
        """The change set that it holds."""
        self.unreadable: values.Unreadable | None = None


class StreamDecoder(MultipartDecoder[_Start, _Item]):
    """Decodes a multipart batch that arrives in chunks; what it returns are not items, see `Head`.

    What could not be read, or not in pieces, comes as a whole.
    """

    def __init__(
        self,
        role: Role[_Start, _Item],
        boundary: bytes,
        limits: Limits,
        known: parthead.Known,
        position: int = 0,
    ) -> None:
        super().__init__(role, boundary, limits, known, position)
        self._batch = self._level_of((boundary,), self._most, position)
        self._splitter = self._batch.splitter
        # The indexes of the parts that have begun, and how many of these a finding is about
        self._indexes: list[int] = []
        self._depth = 0
        self._beginning: _Part | None = None
        self._parts = []
        # How many parts that are located are complete
        self._done = 0

    def _level_of(self, boundaries: Boundaries, most: int, position: int) -> _Level:
        splitter = mime.PartSplitter(
            boundaries[0],
            self._limits,
            most,
            position=position,
            outer=boundaries[1:] or None,
            extent=self._extent,
            streams=True,
        )
        return _Level(splitter, boundaries)

    def _path(self) -> tuple[int, ...]:
        return tuple(self._indexes[: self._depth])

    def _forget_parts(self) -> None:
        del self._parts[: self._done]
        self._done = 0

    def _step(self, step: object) -> None:
        self._run.items.append(step)  # type: ignore[arg-type]  # a step is no item

    def _say_truncated(self, last: mime.Part, heads: bytes | None = None) -> None:
        self._depth = 0
        begun = self._batch.part
        if begun is not None:
            position = last.position + len(last.content)
            content = (begun.end + last.content)[-_END:]
            last = last._replace(content=content, position=position - len(content))
            heads = b"\n".join([content for _, content in self._parts])
        super()._say_truncated(last, heads)

    # -- a multipart --

    def _read_events(self, events: list[mime.Event]) -> None:
        self._events = []  # what is located is in a part that has begun
        self._read_level(self._batch, events)

    def _read_level(self, level: _Level, events: list[mime.Event]) -> None:
        depth = len(level.boundaries)
        for event in events:
            if isinstance(event, mime.Piece):
                if level.part is None:
                    self._begin(level, event.content, event.position, None)
                else:
                    self._go_on(level, level.part, event.content, event.is_free)
            elif isinstance(event, Diagnostic):
                self._depth = depth - 1
                (self._pass_on if depth == 1 else self._pass_on_inner)(event)
            elif isinstance(event, mime.Lookalike):
                assert level.part is not None  # that is where it was seen
                level.part.lookalike = event
            elif isinstance(event, mime.Parts):
                position = event.position
                for content in event.contents:
                    self._read_whole(level, mime.Part(content, position, None, 0))
                    position += len(content) + event.delimiter_length
            else:
                self._read_last(level, event)

    def _read_last(self, level: _Level, last: mime.Part) -> None:
        """Read a part as a whole, or the rest of it."""
        part, content = level.part, last.content
        if last.delimiter_length is None and not last.is_cut:
            if len(level.boundaries) == 1:
                # It is not complete, so that no length reaches across what is before it.
                opening = last.position if part is None else part.position
                opening -= len(b"--" + self.boundary + self._line_end)
                self._openings = [each for each in self._openings if each < opening]
                return
            end = content if part is None else (part.end + content)[-_END:]
            heads = None if part is None else part.head
            lost = len(end) - len(without_close(end, level.boundaries[0], heads))
            content = content[: len(content) - lost]
            if part is not None and part.lookalike is not None:
                # What was to be the close delimiter is not content that looks like one.
                if part.lookalike.position >= last.position + len(content):
                    part.lookalike = None
        if part is None:
            self._read_whole(level, last._replace(content=content))
        else:
            self._go_on(level, part, content)
            self._end_part(level, part, last.line_feed)

    def _read_whole(self, level: _Level, part: mime.Part) -> None:
        content = part.content
        head = 0 if part.is_cut else self._extent(content, self._line_end).head
        if head:
            begun = self._begin(level, content[:head], part.position, part)
            self._go_on(level, begun, content[head:])
            self._end_part(level, begun, part.line_feed)
            return
        self._enter_part(level, part.position, content)
        item = self._read_part(part, level.boundaries)
        self._step(item or self._unreadable(part))
        self._leave_part(level)

    def _enter_part(self, level: _Level, position: int, octets: bytes) -> None:
        """Come to the next part, if there is room for it."""
        depth = len(level.boundaries)
        self._indexes[depth - 1 :] = [level.count]
        self._depth = depth
        most, limit = self._limits.change_set_operations, "change_set_operations"
        if depth == 1:
            most = self._most
            limit = "items" if most < self._limits.operations else "operations"
        if level.count >= most:
            self._depth = max(1, depth - 1)
            exceed(self._report, self._limits, limit, position)
        if self._claims:
            self._note_openings(position, [octets], 0, level.boundaries)
        self._parts.append((position, octets))

    def _leave_part(self, level: _Level) -> None:
        level.count += 1
        level.part = level.splitter.inner = None
        if len(level.boundaries) == 1:
            self._done = len(self._parts)

    # -- a part --

    def _begin(self, level: _Level, head: bytes, position: int, whole: mime.Part | None) -> _Part:
        """Read what comes before the body of a part, which is there as a whole or goes on."""
        self._enter_part(level, position, head)
        extent = self._extent(head, self._line_end)
        begun = level.part = self._beginning = _Part(head, position, extent)
        lookalikes = None
        if any(boundary in head for boundary in level.boundaries):
            lookalikes = level.splitter.lookalikes
        part = mime.Part(head, position, lookalikes, 0)
        item = self._read_content(part, level.boundaries)
        self._beginning = None
        if begun.inner is not None:
            level.splitter.inner = begun.inner.splitter
        if item is None:
            begun.unreadable = self._unreadable(part)
        else:
            self._step(Head(item))
        if whole is not None and whole.lookalikes is not None:
            found = whole.lookalikes.search(whole.content, len(head))
            if found is not None:
                begun.lookalike = mime.Lookalike(found[0], position + found.start())
        return begun

    def _say_lookalike(self, octets: bytes, position: int) -> None:
        if self._beginning is not None:
            self._beginning.is_told = True
        super()._say_lookalike(octets, position)

    def _check_length(self, length: str, content: bytes, part: mime.Part) -> None:
        if self._beginning is None:
            super()._check_length(length, content, part)
        else:
            measured = http.measure(content, self._line_end)
            self._beginning.of_part = length, part, measured

    def _check_body(
        self, body: bytes, body_position: int, length: str | None, octets: bytes, position: int
    ) -> bytes:
        begun = self._beginning
        if begun is None:
            return super()._check_body(body, body_position, length, octets, position)
        if length is not None:
            begun.of_body = length, self._place_of_length(octets, position)
            begun.exact = int(length) if grammar.CONTENT_LENGTH.fullmatch(length) else -1
        return body

    def _split_change_set(
        self, part: mime.Part, content: bytes, boundaries: Boundaries
    ) -> list[_Item | values.Unreadable]:
        position, most = part.position + len(part.content), self._limits.change_set_operations
        assert self._beginning is not None  # without a head in front of it, it is not read
        self._beginning.inner = self._level_of(boundaries, most, position)
        return []

    def _go_on(self, level: _Level, part: _Part, data: bytes, is_free: bool = False) -> None:
        """Read the next octets of a part."""
        self._depth = len(level.boundaries)
        self._end_lines_in(level.splitter.line_end or _CRLF)
        if self._line_end == b"\n":
            part.feeds += http.measure(data, b"\n").lone_feeds
        part.size += len(data)
        part.end = data[-_END:] if len(data) >= _END else (part.end + data)[-_END:]
        if part.inner is not None:
            self._read_inner(part, part.inner, part.inner.splitter.receive_data(data, is_free))
            return
        longest, limit, at, _ = part.extent
        if len(part.head) + part.size > longest:
            exceed(self._report, self._limits, limit, part.position + at)
        if part.unreadable is None:
            self._hand_out(part, data)

    def _hand_out(self, part: _Part, data: bytes) -> None:
        """Hand out octets of a body, except for a line end that may not belong to it."""
        if part.exact >= 0:
            data = part.held + data
            left = part.exact - part.given
            part.held = data[left:] if 0 <= left and _CRLF.startswith(data[left:]) else b""
            data = data[: len(data) - len(part.held)]
            part.given += len(data)
        if data:
            self._step(data)

    def _end_part(self, level: _Level, part: _Part, line_feed: int | None) -> None:
        self._depth = len(level.boundaries)
        if part.inner is not None:
            self._end_change_set(part, part.inner, line_feed)
        elif line_feed is not None:
            self._say_line_feed(line_feed)
        is_message = part.inner is None and part.unreadable is None
        if part.lookalike is not None and is_message and not part.is_told:
            self._say_lookalike(*part.lookalike)
        ends_line = part.end.endswith(_CRLF)
        if part.of_part is not None:
            length, whole, head = part.of_part
            measured = http.Measure(head.size + part.size, ends_line, head.lone_feeds + part.feeds)
            self._judge_length_of(whole, length, measured)
        rule = None
        if part.of_body is not None:
            length, place = part.of_body
            measured = http.Measure(part.size, ends_line and part.size > 1, part.feeds)
            rule = self._judge_length(length, measured, part.position + len(part.head), place)
        if part.held and rule is not http.CONTENT_LENGTH_TRAILING_CRLF:
            self._step(part.held)
        self._step(END if part.unreadable is None else part.unreadable)
        self._leave_part(level)

    # -- a change set --

    def _read_inner(self, part: _Part, inner: _Level, events: list[mime.Event]) -> None:
        around, line_end = self._line_end, inner.splitter.line_end or _CRLF
        if inner.line_end is None and inner.splitter.line_end is not None:
            inner.line_end = line_end
            if line_end != around:
                self._say_vary(line_end, part.position + len(part.head))
        self._end_lines_in(line_end)
        self._read_level(inner, events)
        self._end_lines_in(around)
        self._depth = len(inner.boundaries) - 1

    def _end_change_set(self, part: _Part, inner: _Level, line_feed: int | None) -> None:
        boundary, first = inner.boundaries[0], part.position + len(part.head)
        self._read_inner(part, inner, inner.splitter.receive_eof())
        end = part.end[-part.size :] if part.size else b""
        is_closed = inner.splitter.closed
        if line_feed is not None:
            if not (is_closed and end.endswith(b"--%b--" % boundary)):
                self._say_line_feed(line_feed)
            elif inner.line_end == self._line_end:
                self._say_vary(self._line_end, first)
        if not is_closed:
            heads = b"\n".join([content for start, content in self._parts if start >= first])
            position = first + part.size - len(end)
            self._say_unclosed(self._role.unclosed, "change set", boundary, end, position, heads)
