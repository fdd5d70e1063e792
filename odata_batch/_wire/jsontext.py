"""JSON texts (RFC 8259) as slices of their source: scanned by the standard library, not rewritten.

`JsonText` says what the values of a text are and where they begin and end; the C scanner of `json`
reads them. The octets are viewed as ISO-8859-1, so that an offset is one of bytes and a slice needs
no translation: what frames JSON is ASCII. What is not ASCII is decoded before it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn, TypeAlias

from odata_batch._model import jsonvalue
from odata_batch._model.findings import Diagnostic, Reporter, Rule, fatal, quote, stop, warning
from odata_batch._model.jsonvalue import JSON_SYNTAX
from odata_batch._model.limits import Limits, exceed
from odata_batch._wire import grammar

Span: TypeAlias = tuple[int, int]
"""Where a value begins and ends."""

Members: TypeAlias = dict[str, Any]

NOWHERE: Final = (0, 0)

TOO_MANY: Final = object()
"""What is read of fields or dependencies that are so many that a limit is surely exceeded."""

_NOTHING: Final[Mapping[str, jsonvalue.Scan]] = {}

_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"?|,')
_SPACE = grammar.JSON_SPACE.pattern

# array = "[" ws [ value *( ws "," ws value ) ] ws "]", up to the next value     RFC 8259, 5
_NEXT_ELEMENT = re.compile(rf"{_SPACE}(?:(,){_SPACE}|\])")

_TRAILING_COMMA = re.compile(rf",{_SPACE}(?=[\]}}])")
_NO_COMMA: Final = "no comma before a bracket"
_NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|(NaN|-?Infinity)', re.DOTALL)

# An escape for half of a surrogate pair: a first one with no second one after it, or a second one
# with no first one before it                                                    RFC 8259, 8.2
_LONE_SURROGATE = re.compile(
    r"\\u[Dd](?:[89ABab]..(?!\\u[Dd][C-Fc-f])|(?<!\\u[Dd][89ABab]..\\u[Dd])[C-Fc-f]..)"
)

# An escape for something else than a quote, a slash, or a backslash, maybe with a letter after it
_ESCAPE = re.compile(r"\\[bfnrtu]")
_UNICODE_ESCAPE = re.compile(r"\\u")

_MARK = b"\xef\xbb\xbf"
_SPACES = " \t\r\n"
_BODY_NAME = '"body"'

# In how many octets the name of a body is looked for, and the next one after it: so little that all
# items together are searched once. An item in which more follow is walked, so that what is large in
# it is never parsed into values, which are many times as large.
_NEAR = jsonvalue.LARGE

# How many objects are walked before where their members are is forgotten
_WALKED = 16

MOST_MEMBERS: Final = 8
"""How many members the standard gives to a request, the largest of the objects."""


JSON_ENCODING = fatal("""
    json-encoding: A JSON batch is valid UTF-8 and holds no unpaired surrogate. [RFC 8259, 8.1]
    Encode the batch in UTF-8, and write characters above U+FFFF as one character or as a whole
    pair.""")
JSON_SURROGATE = warning("""
    json-surrogate: A string of a body or an annotation holds no half of a surrogate pair. [RFC
    8259, 8.2]
    Write characters above U+FFFF as one character or as a whole pair.""")
JSON_BYTE_ORDER_MARK = warning("""
    json-byte-order-mark: A JSON text does not begin with a byte order mark. [RFC 8259, 8.1]
    Remove the three octets EF BB BF at the beginning.""")


class JsonText:
    """A JSON text that is read; what breaks its syntax is reported and stops the reading.

    It is read as far as it is UTF-8. Where there are octets to come, it is so even if a character
    is cut off at its end. Of a text that was left out after `gap`, the length is added to places.
    """

    def __init__(
        self,
        data: bytes,
        limits: Limits,
        report: Reporter,
        position: int = 0,
        is_end: bool = True,
        gap: Span = NOWHERE,
    ) -> None:
        self._limits = limits
        self._report = report
        self.origin = position
        self._gap = gap
        self.is_end = is_end
        self.octets = self.data = data
        self.broken = -1
        """Where the first octets are that are no UTF-8."""
        try:
            if not data.isascii():
                data.decode("utf-8")
        except UnicodeDecodeError as error:
            if is_end or error.end < len(data) or not error.reason.startswith("unexpected end"):
                self.broken = error.start
                self.data = data[: error.start]
        self.text = self.data.decode("latin-1")
        self._is_ascii = self.data.isascii()
        self.is_printable = (
            self._is_ascii and "\x7f" not in self.text and not _ESCAPE.search(self.text)
        )
        """Whether every string of it is ASCII and has no control character."""
        has_escapes = not self.is_printable and _UNICODE_ESCAPE.search(self.text) is not None
        self._is_plain = self._is_ascii and not has_escapes
        self.start = self.end = 0
        """Where the current item of an array begins, and the last octet before what is not read."""
        self.is_closed = False
        """Whether that octet ends the array."""
        self._spans: dict[int, dict[str, Span]] = {}
        self.duplicates: dict[int, list[tuple[str, int]]] = {}
        """The names of members that appear once more, and where their values are.

        They are those of the objects that begin there; an object without any is not among them.
        """
        # Spaces in place of escaped backslashes and quotes: all that is left means what it seems.
        self._halves = ""
        if has_escapes and grammar.SURROGATE_ESCAPE.search(self.text):
            self._halves = self.text.replace(r"\\", "  ").replace(r"\"", "  ")
            self._halves = self._halves if _LONE_SURROGATE.search(self._halves) else ""
        self.has_halves = self._halves != ""
        """Whether a string of it has an escape for half of a surrogate pair."""

    def place(self, offset: int) -> int:
        """Return the position in the payload."""
        return self.origin + offset + (self._gap[1] if offset >= self._gap[0] else 0)

    def offset(self, position: int) -> int:
        """Return the offset of a place in the payload."""
        at = position - self.origin
        return at - (self._gap[1] if at >= sum(self._gap) else 0)

    def refuse_encoding(self) -> NoReturn:
        """Stop where the text is no UTF-8."""
        found = quote(self.octets[self.broken : self.broken + 8])
        message = f"found {found}, which is not UTF-8"
        stop(self._report, Diagnostic(JSON_ENCODING, message, self.place(self.broken)))

    def half(self, rule: Rule, start: int, end: int) -> Diagnostic | None:
        """Return what is to be said of the first half of a surrogate pair between two offsets."""
        match = _LONE_SURROGATE.search(self._halves, start, end)
        if match is None:
            return None
        message = f"a string has the escape {match[0]}, which is half of a surrogate pair"
        return Diagnostic(rule, message, self.place(match.start()), length=len(match[0]))

    def check_depth(self, depth: int = 0) -> None:
        """Stop if something nests too deep in a text that is itself `depth` levels deep."""
        if self.is_deeper(self._limits.json_depth - depth, 0, len(self.data)):
            exceed(self._report, self._limits, "json_depth", self.origin)

    def is_deeper(self, depth: int, start: int, end: int) -> bool:
        """Tell whether something nests deeper between two offsets."""
        if end - start > _NEAR:
            number = self.data.count(b"{", start, end) + self.data.count(b"[", start, end)
        else:  # three times as fast, but it copies
            octets = self.data[start:end]
            number = len(octets) - len(octets.replace(b"{", b"").replace(b"[", b""))
        return number > depth and jsonvalue.deeper_than(self.data[start:end], depth)

    def raw(self, span: Span) -> bytes:
        """Return the octets that spell a value."""
        return self.data[span[0] : span[1]]

    def characters(self, start: int, end: int) -> str:
        """Return what is found there; a character that is cut off at the end is left out."""
        return self.data[start:end].decode("utf-8", "ignore")

    def skip_space(self, offset: int) -> int:
        """Return the offset of the first character that is not white space."""
        match = grammar.JSON_SPACE.match(self.text, offset)
        return match.end() if match else offset

    def refuse(self, offset: int, expected: str, length: int = 0) -> NoReturn:
        """Stop at a place where the text is not what it should be."""
        # No character has more than four octets.
        found = self.characters(offset, offset + 120)[:30]
        message = f"found {quote(found) if found else 'the end'}, expected {expected}"
        stop(self._report, Diagnostic(JSON_SYNTAX, message, self.place(offset), length=length))

    def value(self, offset: int, scan: jsonvalue.Scan = jsonvalue.scan_value) -> tuple[Any, int]:
        """Return the value at `offset`, and the offset after it.

        Strings are `str`, numbers `bytes`, arrays lists and objects tuples of pairs.
        """
        try:
            parsed, end = scan(self.text, offset)
            if scan is jsonvalue.scan_value and not self._is_ascii:
                parsed, _ = scan(self.data[offset:end].decode("utf-8"), 0)
            return parsed, end
        except RecursionError:
            exceed(self._report, self._limits, "json_depth", self.place(offset))
        except StopIteration as error:
            offset = error.value
        except json.JSONDecodeError as error:
            offset = error.pos
            if error.msg.startswith(("Invalid", "Unterminated")):  # it is within a string
                self.refuse(offset, "JSON")
        except ValueError:
            found = next((it for it in _NO_NUMBER.finditer(self.text, offset) if it[1]), None)
            offset, end = (offset, offset) if found is None else found.span()
            self.refuse(offset, "JSON without NaN and Infinity", end - offset)
        before = self.text[:offset].rstrip(_SPACES)
        # Python 3.13 says where the comma is, older ones where the bracket is.
        comma = offset if self.text.startswith(",", offset) else len(before) - 1
        if _TRAILING_COMMA.match(self.text, comma):
            self.refuse(comma, _NO_COMMA, 1)
        self.refuse(offset, "JSON")

    def items(self, room: int) -> Iterator[tuple[Members, int, Span | None]]:
        """Yield the members of each item of an array, where it begins, and the span of its body.

        The body is not kept. An item that is no object has no members and no span. There is `room`
        for so many. What is at `end` has been read: a bracket, a comma, or the last octet of an
        item; so it is again after the last item that is complete.

        An item is scanned at once. If its last member is a body, the octets that spell this name
        are found once in it, and nothing is escaped, they are that name.
        """
        text = self.text
        name, next_name, size = -1, -1, len(text) + 1
        # What is scanned at once, and where it begins
        window, base, limit = "", 0, 0
        end = self._next(self.end + 1)
        while end >= 0:
            start = value = end
            if not room:
                exceed(self._report, self._limits, "operations", self.place(start))
            room -= 1
            body: Span | None = NOWHERE
            if name < start:
                # Where there is none, which is -1, this makes it the end.
                name = next_name if next_name >= start else text.find(_BODY_NAME, start) % size
                next_name = text.find(_BODY_NAME, name + 1) % size
            is_simple = next_name - name < _NEAR or name - start > _NEAR
            try:
                if is_simple:
                    if start >= limit:
                        window, base, limit = text[start : start + 2 * _NEAR], start, start + _NEAR
                    pairs, end = jsonvalue.scan_value(window, start - base)
                    end += base
                    members = dict(pairs)
                    is_simple = len(members) == len(pairs) and text[start] == "{"
            except (TypeError, *jsonvalue.FAULTS):
                is_simple = False  # it is no object, or broken, or not complete, or long
                limit = 0
            if is_simple and "body" in members:
                value, after = name + 7, end - 1
                is_simple = name < end <= next_name and pairs[-1][0] == "body"
                if is_simple and (text[name + 6] != ":" or text[value] in _SPACES):
                    value = self.skip_space(text.index(":", name) + 1)
                if text[after - 1] in _SPACES:
                    after = value + len(text[value:after].rstrip(_SPACES))
                members["body"], body = None, (value, after)
            if not is_simple or not (self._is_plain or self._is_plainly_spelt(start, end, value)):
                members, body, end = self._item(start, name)
            self.end = end - 1
            yield members, start, body
            if text.startswith(",{", end):
                self.start, self.end = end + 1, end
                end += 1
            else:
                end = self._next(end)

    def _next(self, at: int) -> int:
        """Return where the next element of an array begins; -1 if there is none, or none yet."""
        text, before = self.text, self.text[self.end]
        if before in "[,":
            at = self.skip_space(at)
            self.is_closed = before == "[" and text.startswith("]", at)
            self.end = at if self.is_closed else self.end
        else:
            match = _NEXT_ELEMENT.match(text, at)
            if match is None:
                self.start = at = self.skip_space(at)
                if at < len(text) or (at == len(self.octets) and self.is_end):
                    self.refuse(at, "a comma or ']'")
                return -1
            at = match.end()
            self.is_closed = match[1] is None
            self.end = at - 1 if self.is_closed else match.start(1)
        self.start = at
        return -1 if self.is_closed or (at == len(self.octets) and not self.is_end) else at

    def _is_plainly_spelt(self, start: int, end: int, body: int) -> bool:
        head = self.text[start : end if body == start else body]
        return head.isascii() and self.text.find("\\u", start, end) < 0

    def _item(self, start: int, name: int) -> tuple[Members, Span | None, int]:
        """Return the members of the item at `start`, the span of its body, and where it ends.

        What comes before the name of a body is scanned at once, with a number in the place of the
        body. If that makes an object whose last member is the body, this is where it begins: its
        extent is scanned for itself. If the object ends before, it has no such member. Otherwise
        its members are walked.
        """
        text = self.text
        is_near = name - start <= _NEAR
        cut = self.data[start : name if is_near else start + _NEAR]
        head = cut.decode("utf-8", "ignore") + '"body":0}'
        try:
            pairs, length = jsonvalue.scan_value(head, 0)
            members = dict(pairs)
            if len(members) == len(pairs) and text[start] == "{":
                if length < len(head) and "body" not in members:
                    return members, NOWHERE, start + len(head[:length].encode())
                colon = self.skip_space(name + 6)
                if length == len(head) and is_near and text.startswith(":", colon):
                    value = self.skip_space(colon + 1)
                    _, end = jsonvalue.scan_extent(text, value)
                    after = self.skip_space(end)
                    if text.startswith("}", after):
                        members["body"] = None
                        return members, (value, end), after + 1
        except (TypeError, *jsonvalue.FAULTS):
            pass  # it is no object, or the walk finds out what is wrong
        return self.walk_item(start)

    def walk_item(self, start: int) -> tuple[Members, Span | None, int]:
        """Return the same, read member by member."""
        if not self.text.startswith("{", start):
            return {}, None, self.value(start, jsonvalue.scan_extent)[1]
        limits = self._limits
        scans = {
            "headers": self._bounded("{", limits.fields),
            "dependsOn": self._bounded("[", limits.depends_on),
        }
        members, end = self.walk(start, scans)
        return members, self._spans[start].get("body", NOWHERE), end

    def spans(self, start: int) -> dict[str, Span]:
        """Return the spans of the members of the item that begins there."""
        if start not in self._spans:
            self.walk(start, _NOTHING)
        return self._spans[start]

    def name_at(self, value: int) -> Span:
        """Return where the name of the member is whose value begins there."""
        end = self.text.rindex('"', 0, self.text.rindex(":", 0, value))
        start = self.text.rindex('"', 0, end)
        while self.text[start - 1] == "\\":
            start = self.text.rindex('"', 0, start)
        return start, end + 1

    def strings(self, start: int) -> dict[str, Span]:
        """Return the spans of what is in the array of strings that begins there, or of a string."""
        found: dict[str, Span] = {}
        if self.text.startswith('"', start):
            value, end = jsonvalue.scan_extent(self.text, start)
            return {value: (start, end)}
        at = self.skip_space(start + 1)
        while not self.text.startswith("]", at):
            value, end = jsonvalue.scan_extent(self.text, at)
            found.setdefault(value, (at, end))
            at = self.skip_space(end)
            at = self.skip_space(at + 1) if self.text.startswith(",", at) else at
        return found

    def walk(self, offset: int, scans: Mapping[str, jsonvalue.Scan]) -> tuple[Members, int]:
        """Return the object whose brace is at `offset`, read member by member, and where it ends.

        Of members that appear more than once the last one counts. Of arrays and objects only the
        extent is read, but as `scans` says for members of these names. If members are so many that
        there are too many annotations, not all are kept.

        object = "{" ws [ member *( ws "," ws member ) ] ws "}"                (RFC 8259, 4)
        """
        text = self.text
        members: dict[str, Any] = {}
        spans: dict[str, Span] = {}
        end, left = offset, self._limits.annotations + MOST_MEMBERS
        while not text.startswith("}", end):
            start = self.skip_space(end + 1)
            if text.startswith("}", start):
                if spans:
                    self.refuse(end, _NO_COMMA, 1)
                end = start
                break
            if not text.startswith('"', start):
                self.refuse(start, "the name of a member")
            left -= 1
            if left < -1:
                end = self.value(offset, jsonvalue.scan_extent)[1] - 1
                break
            name, end = self.value(start)
            colon = self.skip_space(end)
            if not text.startswith(":", colon):
                self.refuse(colon, "a colon")
            start = self.skip_space(colon + 1)
            is_plain = name != "body" and not text.startswith(("[", "{"), start)
            scan = jsonvalue.scan_value if is_plain else scans.get(name, jsonvalue.scan_extent)
            members[name], after = self.value(start, scan)
            if name in spans:
                self.duplicates.setdefault(offset, []).append((name, start))
            spans[name] = (start, after)
            end = self.skip_space(after)
            if not text.startswith((",", "}"), end):
                if text.startswith(',"', after - 2):  # a name begins where the string should end
                    self.refuse(start, "a double quote where the string ends", after - start)
                self.refuse(end, "a comma or '}'")
        if len(self._spans) >= _WALKED:
            self._spans.clear()
        self._spans[offset] = spans
        return members, end + 1

    def _bounded(self, bracket: str, most: int) -> jsonvalue.Scan:
        """Return what scans so many values at most, at least where they are long."""

        def scan(text: str, start: int) -> tuple[Any, int]:
            size, end = self.value(start, jsonvalue.scan_extent)
            if end - start > _NEAR:
                if not text.startswith(bracket, start):
                    return size, end
                commas = (each[0] == "," for each in _COMMA.finditer(text, start, end))
                if sum(commas) >= most:
                    return TOO_MANY, end
            return self.value(start)

        return scan


def sound(
    octets: bytes, limits: Limits, report: Reporter, position: int = 0, depth: int = 0
) -> JsonText:
    """Return a text that is whole, in UTF-8, and not too deep, being `depth` levels deep itself."""
    data = marked(octets, report, position)
    text = JsonText(data, limits, report, position + len(octets) - len(data))
    if text.broken >= 0:
        text.refuse_encoding()
    text.check_depth(depth)
    return text


def marked(data: bytes, report: Reporter, position: int) -> bytes:
    """Return the octets of a JSON text without a byte order mark; stop if they are in UTF-16."""
    if data.startswith(_MARK):
        message = "the text begins with a byte order mark"
        report(Diagnostic(JSON_BYTE_ORDER_MARK, message, position))
        data, position = data[len(_MARK) :], position + len(_MARK)
    if b"\0" in data[:4] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        message = f"the text begins with {quote(data[:8])}, which is not UTF-8"
        stop(report, Diagnostic(JSON_ENCODING, message, position))
    return data
