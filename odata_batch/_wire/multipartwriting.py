"""The OData multipart batch format (OData Protocol, 11.7.7), written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import TypeAlias, cast

from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Diagnostic, Reporter, Stop, error, of_type, quote
from odata_batch._model.limits import Limits, check_sizes, remember, sizes_of
from odata_batch._wire import grammar, http
from odata_batch._wire.heads import Heads, Judge, Message, Unsettled
from odata_batch._wire.mime import NO_PARTS
from odata_batch._wire.multipart import BOUNDARY_CHARACTERS

_Parts: TypeAlias = tuple[list[bytes], list[bytes]]
"""The head of each part, and what follows it."""

# How many boundaries are tried until one does not occur in the content. With 128 bits the first
# will do, unless the content was made to hold it.
_ATTEMPTS = 8


BOUNDARY_IN_CONTENT = error("""
    boundary-in-content (unwritten): A boundary does not occur in what it delimits. [RFC 2046, 5.1]
    Choose another boundary, or none, so that one is made up.""")


class _Lengths(dict[str | None, int | None]):
    """How many octets the values of Content-Length say; -1 for what is no plain number."""

    def __missing__(self, value: str | None) -> int | None:
        number = int(value) if value and grammar.CONTENT_LENGTH.fullmatch(value) else -1
        return remember(self, value, number if str(number) == value else -1)


class MultipartEncoder:
    """Encodes the items of a multipart batch, prepared ones that have been checked.

    Without a `boundary` one is made of 128 random bits; with one, everything is reproducible.
    """

    def __init__(
        self,
        role_name: str,
        boundary: str | None,
        dialect: Dialect,
        limits: Limits,
        report: Reporter,
    ) -> None:
        self.headers_total = 0
        self._report = report
        self._limits = limits
        self._is_request = role_name == "request"
        parameter = f"; msgtype={role_name}" if dialect.message_type else ""
        self._part_head = f"Content-Type: application/http{parameter}\r\n{_CODING}"
        self._suffix = "" if self._is_request else "response"
        self._change_sets = 0
        # The boundaries in the item that was sent last
        self._within: list[str] = []
        self._counts = dialect.content_length
        self._heads = Heads(limits, "content-length", _Lengths({None: None}))
        self._judge: Judge | None = None
        self._given = boundary
        if boundary is not None:
            self._check_boundary(boundary)
        self.boundary = boundary or self._random("batch")
        self._longest = min(limits.field_line, limits.header_section)
        # Whether no head of a part exceeds a limit
        self._is_roomy = self._longest >= _MOST_LINES + limits.id and limits.fields >= _MOST_FIELDS
        self._is_roomy = self._is_roomy and limits.boundary >= _MOST_LETTERS

    def _check_boundary(self, boundary: str) -> None:
        """Report what a caller's boundary must not be (RFC 2046, 5.1.1)."""
        if not grammar.BOUNDARY.fullmatch(of_type(boundary, str, "boundary")):
            found = f"found the boundary {quote(boundary)}"
            message = f"{found}, expected digits, letters, '()+_,-./:=? and spaces"
            self._report(Diagnostic(BOUNDARY_CHARACTERS, message))
        if len(boundary) > 70:
            message = f"the boundary has {len(boundary)} characters, at most 70 are allowed"
            self._report(Diagnostic(BOUNDARY_CHARACTERS, message))

    @property
    def content_type(self) -> str:
        """The Content-Type of the batch, its boundary quoted where it is not a token."""
        boundary = self.boundary
        quoted = boundary if grammar.TOKEN.fullmatch(boundary) else f'"{boundary}"'
        return f"multipart/mixed; boundary={quoted}"

    # -- what a multipart batch cannot carry --

    def check_batch(self, batch: values.BatchRequest | values.BatchResponse, items: int) -> None:
        """Report what is wrong beside the items, whose number is given."""
        if not items and isinstance(batch, values.BatchRequest):
            self._report(Diagnostic(NO_PARTS, "a multipart batch has at least one item"))
        lost = [f"the annotation {quote(name)}" for name, _ in batch.annotations]
        if isinstance(batch, values.BatchResponse):
            lost += ["next_link"] if batch.next_link is not None else []
            lost += ["truncated"] if batch.truncated else []
        self._refuse(lost, None, "")

    def check(self, item: values.Item, path: str) -> None:
        """Report what is lost of an item."""
        if isinstance(item, values.CHANGE_SETS):
            for index, inner in enumerate(item.items):
                self.check(inner, f"{path}.items[{index}]")
            return
        if isinstance(item, values.Unreadable):
            return
        lost = [f"the annotation {quote(name)}" for name, _ in item.annotations]
        if isinstance(item, values.Operation):
            lost += ["depends_on"] if item.depends_on else []
            lost += ["condition"] if item.condition is not None else []
        self._refuse(lost, item.position, path)

    def _refuse(self, lost: list[str], position: int | None, path: str) -> None:
        for name in lost:
            message = f"a multipart batch cannot carry {name}"
            self._report(Diagnostic(values.NOT_EXPRESSIBLE, message, position, path))

    # -- octets --

    def send(self, item: values.Item) -> bytes:
        """Return the octets of the item, its delimiter in front."""
        self._within.clear()
        body, _ = self._joined(self._parts([item]), (self.boundary,))
        return body[: -len(self.close((), None))]

    def is_whole(self, item: Message) -> bool:
        """Tell whether the body has to be known as a whole: where its length has to be."""
        return self._counts and "content-length" not in item.headers

    def mark(self, item: Message, token: str) -> bytes:
        """Return the body of a message in which this token appears."""
        return token.encode("ascii")

    def write_pieces(self, item: Message, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a body that arrives in pieces, but what may be the beginning of a boundary.

        After what holds a boundary, which is reported, nothing is read.
        """
        boundaries = self.boundary, *self._within
        tokens = [b"--" + each.encode("ascii") for each in boundaries]
        longest = max(map(len, tokens))
        starts = {each[:size] for each in tokens for size in range(1, len(each))}
        held = b""
        for piece in pieces:
            octets = held + piece if held else piece
            for token, boundary in zip(tokens, boundaries, strict=True):
                if token in octets:
                    self._report(_occurs(boundary))
                    return
            tail = octets[1 - longest :]
            start = tail.find(b"-")
            while start >= 0 and tail[start:] not in starts:
                start = tail.find(b"-", start + 1)
            held = tail[start:] if start >= 0 else b""
            yield octets[: len(octets) - len(held)]
        yield held

    def close(self, annotations: values.Annotations, next_link: str | None) -> bytes:
        """Return the close delimiter; multipart has no place for what is given."""
        return f"--{self.boundary}--\r\n".encode("ascii")

    def whole(
        self,
        items: Sequence[values.Item],
        annotations: values.Annotations,
        next_link: str | None,
        judge: Judge | None = None,
    ) -> bytes:
        """Return the octets of the batch; a random boundary is chosen to suit the content.

        With a `judge` it is `Unsettled` if a rule may object to an item.
        """
        self._judge = judge
        self.headers_total = self._change_sets = 0
        boundaries = self._boundaries("batch") if self._given is None else (self._given,)
        body, self.boundary = self._joined(self._parts(items), boundaries)
        return body

    def _parts(self, items: Sequence[values.Item]) -> _Parts:
        if not values.holds_change_sets(items):
            return self._messages(cast("Sequence[Message]", items))
        heads, contents = [], []
        for item in items:
            if isinstance(item, values.CHANGE_SETS):
                boundaries = self._boundaries("changeset")
                content, boundary = self._joined(self._parts(item.items), boundaries)
                self._within.append(boundary)
                self._change_sets += 1
                head = f"{_SET_HEAD}{boundary}\r\n\r\n".encode("ascii")
                self.headers_total += len(head) - len("\r\n\r\n")
                if not self._is_roomy:
                    self._check_heads((head,), len(boundary))
                heads.append(head)
                contents.append(content)
            else:
                assert not isinstance(item, values.Unreadable)  # that was refused
                part = self._messages([item])
                heads += part[0]
                contents += part[1]
        return heads, contents

    def _messages(self, items: Sequence[Message]) -> _Parts:
        """Return the parts that are messages; what decides what rules say is looked up or asked."""
        judge, known, learn = self._judge, self._heads.known.get, self._heads.learn
        part_head = self._part_head
        before, kinds, ends, after, uncounted = self._start_lines(items)
        bodies = [item.body for item in items]
        sizes = [*map(len, bodies)]
        joined = "".join(ends)
        if judge is not None:
            if any(map(_annotations, items)) or max({*sizes}, default=0) > self._limits.body:
                raise Unsettled
            if not (joined.isascii() and joined.isprintable()):
                raise Unsettled
            if len(joined) > self._limits.url and max({*map(len, ends)}) > self._limits.url:
                raise Unsettled
        heads = []
        for item, kind, end, size in zip(items, kinds, ends, sizes, strict=True):
            headers, id = item.headers, item.id
            _, text, length, sound = known(_address(headers)) or learn(headers)
            if judge is not None and (
                sound is None
                or ((kind, size > 0) not in sound and not judge(item, (kind, size > 0), sound))
                or (length is not None and length != size)
            ):
                raise Unsettled
            if id is None:
                head = f"{part_head}{before}{kind} {end}{after}{text}\r\n"
            elif item.id_in_message:
                is_large = len(text) + len(id) + _MOST_LINES > self._longest
                if judge is not None and (is_large or len(headers.pairs) >= self._limits.fields):
                    raise Unsettled
                head = f"{part_head}{before}{kind} {end}{after}{text}Content-ID: {id}\r\n\r\n"
            else:
                head = f"{part_head}Content-ID: {id}\r\n{before}{kind} {end}{after}{text}\r\n"
            heads.append(head.encode("latin-1"))
        # Start lines and empty lines do not count: at least so many octets of each.
        self.headers_total += sum(map(len, heads)) - len(joined) - uncounted * len(heads)
        if not self._is_roomy:
            self._check_heads(heads)
        return heads, bodies

    def _start_lines(
        self, items: Sequence[Message]
    ) -> tuple[str, Sequence[str | int], list[str], str, int]:
        """Return start lines as what is before two words, these, what is after, and its size."""
        if self._is_request:
            operations = cast("Sequence[values.Operation]", items)
            methods, urls = [it.method for it in operations], [it.url for it in operations]
            return "\r\n", methods, urls, " HTTP/1.1\r\n", 19
        responses = cast("Sequence[values.OperationResponse]", items)
        statuses = [it.status for it in responses]
        reasons = [it.reason or http.REASONS.get(it.status, http.NO_REASON) for it in responses]
        return "\r\nHTTP/1.1 ", statuses, reasons, "\r\n", 21

    def _check_heads(self, heads: Iterable[bytes], boundary: int = 0) -> None:
        """Report the first head of a part, or a boundary of this length, that exceeds a limit."""
        with suppress(Stop):
            for head in heads:
                lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
                sizes = {**sizes_of([*map(len, lines)]), "boundary": boundary}
                check_sizes(self._report, self._limits, sizes)

    # -- boundaries --

    def _random(self, prefix: str) -> str:
        import secrets  # when needed, since this loads OpenSSL

        return f"{prefix}{self._suffix}_{secrets.token_hex(16)}"

    def _boundaries(self, prefix: str) -> Iterator[str]:
        """Yield boundaries to try; those of change sets follow from a batch's that was given."""
        for attempt in range(_ATTEMPTS):
            if self._given is None:
                yield self._random(prefix)
            else:
                import hashlib  # as above

                seed = f"{self._given}/{self._change_sets}/{attempt}".encode("ascii")
                yield f"{prefix}{self._suffix}_{hashlib.sha256(seed).hexdigest()[:32]}"

    def _joined(self, parts: _Parts, boundaries: Iterable[str]) -> tuple[bytes, str]:
        """Return the body of these parts, and the first boundary that does not occur in them.

        After the last part comes a CRLF that some parsers want.
        """
        heads, contents = parts
        for boundary in boundaries:
            token = b"--" + boundary.encode("ascii")
            chunks = [b"\r\n%b\r\n" % token] * (3 * len(heads))
            chunks[1::3], chunks[2::3] = heads, contents
            chunks.append(b"\r\n%b--\r\n" % token)
            chunks[0] = chunks[0].removeprefix(b"\r\n")
            body = b"".join(chunks)
            if body.count(token) == len(heads) + 1:
                return body, boundary
        if self._judge is not None:
            raise Unsettled
        self._report(_occurs(boundary))
        return body, boundary


def _occurs(boundary: str) -> Diagnostic:
    return Diagnostic(BOUNDARY_IN_CONTENT, f"{quote('--' + boundary)} occurs in the content")


_address = id
_annotations = attrgetter("annotations")
_CODING = "Content-Transfer-Encoding: binary\r\n"
_SET_HEAD = "Content-Type: multipart/mixed; boundary="
# How many octets the head of a part has at most beside an identifier, how many lines, and how many
# characters the boundary of a change set
_MOST_LINES = 120
_MOST_FIELDS = 3
_MOST_LETTERS = len("changesetresponse_") + 32
