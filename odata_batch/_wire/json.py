"""The OData JSON batch format (OData JSON, 19): decoder and encoder.

The text is first walked to its end, so that broken syntax is found before anything is made of it;
then the objects are read in order, those of an atomicity group at the place of its first. A JSON
body is the slice of the source text that spells it: it is never parsed into Python values and
written again, so the spelling of its numbers and the order of its members survive. Where the
dialect writes JSON bodies as base64, a string is read so if JSON comes out, and else as it stands.

Why this long: both directions of the format stand side by side.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from json.encoder import encode_basestring as quoted
from typing import Any, Final, Generic, NamedTuple, NoReturn, TypeAlias, TypeVar

from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import Diagnostic, Reporter, Stop, exceed, quote, stop
from odata_batch._model.headers import Headers, Pair, folded, headers_of
from odata_batch._model.limits import Limits
from odata_batch._model.rules import Rule
from odata_batch._model.values import (
    Annotations,
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Item,
    Operation,
    OperationResponse,
    RequestItem,
    ResponseItem,
    operation_of,
    place,
    response_of,
)
from odata_batch._wire import grammar
from odata_batch._wire.http import KNOWN_METHODS
from odata_batch._wire.jsontext import (
    JsonObject,
    JsonText,
    Number,
    Scan,
    Span,
    scan_extent,
    scan_value,
)
from odata_batch._wire.sections import parse_media_type
from odata_batch.dialects import ODATA_4_01

_Item = TypeVar("_Item")


# How many header sections and media types are remembered, however many there are.
_REMEMBERED = 1024


# -- how a body stands in JSON -------------------------------------------------------------------


class Form(Enum):
    """What the member body is (OData JSON, 19.1)."""

    JSON = "the JSON value itself"
    TEXT = "a string of its characters"
    BINARY = "a string in base64url"


class Content(NamedTuple):
    """How the bodies of one Content-Type stand in JSON."""

    form: Form
    content_type: str
    charset: str = "utf-8"

    def encode(self, text: str) -> bytes | None:
        """Return the octets of a text body; `None` if the charset is unknown or cannot hold it."""
        codec = _CHARSETS.get(self.charset.lower())
        try:
            return None if codec is None else text.encode(codec)
        except UnicodeEncodeError:
            return None

    def decode(self, octets: bytes) -> str | None:
        """Return the characters of a text body; `None` if the charset is unknown or another."""
        codec = _CHARSETS.get(self.charset.lower())
        try:
            return None if codec is None else octets.decode(codec)
        except UnicodeDecodeError:
            return None


class Contents:
    """Says how bodies stand in JSON, and remembers it: a batch has few media types."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Content] = {(): Content(Form.JSON, "")}

    def of(self, headers: Headers) -> Content:
        """Return the content that the headers announce; without Content-Type it is JSON."""
        values = headers.get_all("content-type")
        known = self._known.get(values)
        if known is None:
            known = _content(", ".join(values))
            if len(self._known) < _REMEMBERED:
                self._known[values] = known
        return known


def _content(content_type: str) -> Content:
    media_type = parse_media_type(content_type)
    if media_type.is_json:
        return Content(Form.JSON, content_type)
    if media_type.is_text:
        return Content(Form.TEXT, content_type, media_type.parameter("charset") or "utf-8")
    return Content(Form.BINARY, content_type)


# The charsets whose characters are Unicode's own, so that nothing needs a table
_CHARSETS: Final[Mapping[str, str]] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
}


def decode_base64(text: str) -> tuple[bytes | None, bool]:
    """Return the octets and whether the text has + or /; no octets if it is not canonical.

    Both alphabets are read, not mixed; padding is optional, unused bits are zero (RFC 4648, 3.5).
    """
    digits = text.rstrip("=")
    standard = not grammar.BASE64_URL.fullmatch(digits)
    if standard and not grammar.BASE64_STANDARD.fullmatch(digits):
        return None, standard
    padding = len(text) - len(digits)
    needed = -len(digits) % 4
    if needed == 3 or padding not in (0, needed):
        return None, standard
    plain = digits.replace("-", "+").replace("_", "/") + "=" * needed
    octets = binascii.a2b_base64(plain)
    tail = binascii.b2a_base64(octets[len(octets) // 3 * 3 :], newline=False).decode("ascii")
    return (octets if plain.endswith(tail) else None), standard


def encode_base64(octets: bytes, dialect: Dialect) -> str:
    """Return base64url, or what the dialect wants in its place."""
    text = binascii.b2a_base64(octets, newline=False).decode("ascii")
    if not dialect.base64_standard_alphabet:
        text = text.replace("+", "-").replace("/", "_")
    return text if dialect.base64_padding else text.rstrip("=")


# -- reading -------------------------------------------------------------------------------------

Element: TypeAlias = JsonObject | Span
"""An element of the array: an object, or where anything else stands."""


@dataclass(frozen=True, slots=True)
class Role(Generic[_Item]):
    """What decoding a request and decoding a response do differently."""

    array: str
    other: str
    members: frozenset[str]
    read: Callable[[Reader, JsonObject], _Item | None]
    change_set: Callable[[list[_Item], str], _Item]


class Reader:
    """Reads the members of one object after the other; what it reports is about the one at hand."""

    def __init__(
        self, text: JsonText, limits: Limits, report: Reporter, dialect: Dialect = ODATA_4_01
    ) -> None:
        self.text = text
        self.limits = limits
        self._report = report
        self._json_as_base64 = dialect.json_bodies == "base64"
        self._standard_alphabet = dialect.base64_standard_alphabet
        self._said = 0
        self._contents = Contents()
        self._headers: dict[str, Headers] = {}
        self._headers_total = 0

    def say(self, rule: Rule, message: str, offset: int) -> None:
        self._said += 1
        self._report(Diagnostic(rule, message, self.text.byte_offset(offset)))

    def stop_at(self, limit: str, offset: int) -> NoReturn:
        exceed(self._report, self.limits, limit, self.text.byte_offset(offset))

    def refuse_type(self, source: JsonObject, name: str, expected: str) -> None:
        start, end = source.spans[name]
        message = f"{name} is {quote(self.text.text[start:end])}, expected {expected}"
        self.say(Rule.JSON_TYPE, message, start)

    def say_null(self, source: JsonObject, name: str) -> None:
        """Report that a member other than a body is null; it is read as if it were missing."""
        message = f"{name} is null, expected that it is left out"
        self.say(Rule.JSON_NULL_MEMBER, message, source.spans[name][0])

    def string(self, source: JsonObject, name: str) -> str | None:
        """Return a string that may be missing."""
        if name not in source.members:
            return None
        parsed = source.members[name]
        if type(parsed) is str:
            return parsed
        if parsed is None:
            self.say_null(source, name)
        else:
            self.refuse_type(source, name, "a string")
        return None

    def required_string(self, source: JsonObject, name: str) -> str | None:
        """Return a string that must not be missing."""
        parsed = source.members.get(name)
        if type(parsed) is str:
            return parsed
        if name in source.members:
            self.refuse_type(source, name, "a string")
        else:
            self.say(Rule.JSON_MISSING_MEMBER, f"the object has no {name}", source.start)
        return None

    def id(self, source: JsonObject) -> str | None:
        """Return the id of a request; a number is read as its spelling."""
        if isinstance(source.members.get("id"), Number):
            spelling = str(source.members["id"])
            message = f"id is the number {quote(spelling)}, expected a string"
            self.say(Rule.JSON_ID_NUMBER, message, source.spans["id"][0])
            return spelling
        return self.required_string(source, "id")

    def response_id(self, source: JsonObject) -> str | None:
        """Return the id of a response, which may be missing."""
        if "id" not in source.members:
            self.say(Rule.JSON_RESPONSE_ID_MISSING, "the object has no id", source.start)
            return None
        if source.members["id"] is None:
            self.say_null(source, "id")
            return None
        return self.id(source)

    def check_group(self, source: JsonObject) -> None:
        """Report a member atomicityGroup that names no group."""
        if self.string(source, "atomicityGroup") == "":
            self.refuse_type(source, "atomicityGroup", "a name")

    def annotations(self, source: JsonObject, known: frozenset[str]) -> Annotations:
        """Return the members that the standard does not define, as they are spelt."""
        if source.members.keys() <= known:
            return ()
        found = []
        for name, span in source.spans.items():
            if name not in known:
                self._check_unknown(name, span[0])
                found.append((name, self.text.raw(span)))
        return tuple(found)

    def _check_unknown(self, name: str, offset: int) -> None:
        """Report a member that is neither known nor an annotation (OData JSON, 4.5)."""
        if "@" not in name:
            message = f"found the member {quote(name)}; it is kept as an annotation"
            self.say(Rule.JSON_UNKNOWN_MEMBER, message, offset)
        elif name in ("@context", "@odata.context"):
            self.say(Rule.JSON_CONTEXT, f"found {name}", offset)

    def check_duplicates(self, source: JsonObject, decisive: frozenset[str]) -> None:
        """Report members that stand more than once; the last one is read."""
        for name, offset in source.duplicates:
            rule = Rule.JSON_DUPLICATE_OTHER_MEMBER
            if name in decisive:
                rule = Rule.JSON_DUPLICATE_MEMBER
            self.say(rule, f"found the member {quote(name)} once more", offset)

    def depends_on(self, source: JsonObject) -> tuple[str, ...]:
        """Return the names in dependsOn."""
        if "dependsOn" not in source.members:
            return ()
        parsed = source.members["dependsOn"]
        if isinstance(parsed, list):
            names = tuple(name for name in parsed if type(name) is str)
            if len(names) == len(parsed):
                return names
        if type(parsed) is str:
            message = f"dependsOn is the string {quote(parsed)}, expected an array"
            self.say(Rule.JSON_DEPENDS_ON_STRING, message, source.spans["dependsOn"][0])
            return (parsed,)
        if parsed is None:
            self.say_null(source, "dependsOn")
        else:
            self.refuse_type(source, "dependsOn", "an array of strings")
        return ()

    # -- headers --

    def headers(self, source: JsonObject) -> Headers:
        """Return the member headers; what gave no reason for a finding is remembered."""
        if "headers" not in source.members:
            return _NO_HEADERS
        parsed = source.members["headers"]
        if not isinstance(parsed, tuple):
            if parsed is None:
                self.say_null(source, "headers")
            else:
                self.refuse_type(source, "headers", "an object")
            return _NO_HEADERS
        start, end = source.spans["headers"]
        self._headers_total += end - start
        if self._headers_total > self.limits.headers_total:
            self.stop_at("headers_total", start)
        spelling = self.text.text[start:end]
        known = self._headers.get(spelling)
        return self._read_headers(parsed, spelling, start) if known is None else known

    def _read_headers(
        self, members: tuple[tuple[str, Any], ...], spelling: str, start: int
    ) -> Headers:
        if len(members) > self.limits.fields:
            self.stop_at("fields", start)
        said = self._said
        headers = headers_of(self._fields(members, start))
        if self._said == said and len(self._headers) < _REMEMBERED:
            self._headers[spelling] = headers
        return headers

    def _fields(self, members: tuple[tuple[str, Any], ...], start: int) -> tuple[Pair, ...]:
        fields: dict[str, Pair] = {}
        cased = False
        for name, parsed in members:
            text = parsed if type(parsed) is str else self._field_value(name, parsed, start)
            if text is None:
                continue
            key = name.lower()
            cased = cased or key != name
            if key in fields:
                self._collide(name, text, fields[key][1], start)
            fields[key] = (name, text)
        if cased:
            self.say(Rule.JSON_HEADER_CASE, "header names are not in lower case", start)
        return tuple(fields.values())

    def _field_value(self, name: str, parsed: Any, start: int) -> str | None:
        if isinstance(parsed, Number):
            text = str(parsed)
        elif isinstance(parsed, bool):
            text = "true" if parsed else "false"
        else:
            message = f"header {quote(name)} is neither a string, a number nor a boolean"
            self.say(Rule.JSON_TYPE, message, start)
            return None
        message = f"header {quote(name)} is {text:.60}, expected a string"
        self.say(Rule.JSON_HEADER_VALUE, message, start)
        return text

    def _collide(self, name: str, text: str, other: str, start: int) -> None:
        if text == other:
            message = f"header {quote(name)} stands twice with the same value"
            self.say(Rule.JSON_HEADER_COLLISION_EQUAL, message, start)
        else:
            message = f"header {quote(name)} is both {quote(other)} and {quote(text)}"
            self.say(Rule.JSON_HEADER_COLLISION, message, start)

    # -- body --

    def body(self, source: JsonObject, headers: Headers) -> bytes:
        """Return the octets that the member body stands for (OData JSON, 19.1)."""
        content = self._contents.of(headers)
        span = source.spans.get("body")
        if span is None or self.text.text.startswith("null", span[0]):
            octets = b""
        elif content.form is Form.JSON and not self._json_as_base64:
            octets = self.text.raw(span)
        elif content.form is Form.JSON:
            octets = self._json_body(source.members["body"], span)
        else:
            octets = self._other_body(source.members["body"], span, content)
        if len(octets) > self.limits.body:
            self.stop_at("body", source.spans["body"][0])
        if content.form is not Form.JSON and "content-length" in headers:
            self._check_content_length(source, headers["content-length"], octets)
        return octets

    def _json_body(self, parsed: Any, span: Span) -> bytes:
        """Return the JSON that a string is the base64 of; anything else as it stands."""
        raw = self.text.raw(span)
        if type(parsed) is not str:
            return raw
        octets, standard = decode_base64(parsed)
        if octets is None or not self._is_json_body(octets):
            message = f"found {quote(raw)}, not the base64 of a JSON body; it is read as it stands"
            self.say(Rule.JSON_BODY_NOT_BASE64, message, span[0])
            return raw
        self._check_alphabet(standard, parsed, span)
        return octets

    def _is_json_body(self, octets: bytes) -> bool:
        """Tell whether a JSON batch could carry these octets as a JSON body, blanks around it."""
        found: list[Diagnostic] = []
        body = octets.strip(_BLANKS)
        _check_json(body, self.limits, _ITEM_DEPTH, found.append)
        return not found and body != b"null"

    def _other_body(self, parsed: Any, span: Span, content: Content) -> bytes:
        if not isinstance(parsed, str):
            raw = self.text.raw(span)
            found = f"the body of {quote(content.content_type)} is {quote(raw)}"
            self.say(Rule.JSON_BODY_TYPE, f"{found}, expected a string", span[0])
            return raw
        if content.form is Form.TEXT:
            return self._text_body(parsed, span, content)
        return self._binary_body(parsed, span)

    def _text_body(self, parsed: str, span: Span, content: Content) -> bytes:
        octets = content.encode(parsed)
        if octets is None:
            found = quote(content.charset)
            message = f"the charset {found} is unknown, or cannot hold the text"
            self.say(Rule.TEXT_CHARSET, message, span[0])
            return parsed.encode("utf-8")
        return octets

    def _binary_body(self, parsed: str, span: Span) -> bytes:
        octets, standard = decode_base64(parsed)
        if octets is None:
            rule = Rule.JSON_BODY_LOSSY if "\ufffd" in parsed else Rule.BASE64
            self.say(rule, f"found {quote(parsed)}, expected base64url", span[0])
            return parsed.encode("utf-8")
        self._check_alphabet(standard, parsed, span)
        return octets

    def _check_alphabet(self, standard: bool, parsed: str, span: Span) -> None:
        if standard and not self._standard_alphabet:
            message = f"found {quote(parsed)}, with + or /, expected - or _"
            self.say(Rule.BASE64_ALPHABET, message, span[0])

    def _check_content_length(self, source: JsonObject, length: str, body: bytes) -> None:
        if length != str(len(body)):
            message = f"content-length is {quote(length)}, the body stands for {len(body)} octets"
            self.say(Rule.JSON_CONTENT_LENGTH, message, source.start)


def _check_json(octets: bytes, limits: Limits, depth: int, report: Reporter) -> None:
    """Report why the octets are no JSON text that can stand `depth` levels deep in a batch."""
    with suppress(Stop):  # it has been reported
        text = JsonText(octets, limits, report, depth=depth)
        _, end = text.value(0, scan_extent)
        if end != len(text.text):
            text.refuse(end, "nothing behind it")


_NO_HEADERS = Headers()
_BLANKS = b" \t\r\n"
# How many arrays and objects are around the members of a batch, and of an item
_BATCH_DEPTH = 1
_ITEM_DEPTH = 3
_SHARED = frozenset(("id", "atomicityGroup", "headers", "body"))
_REQUEST_MEMBERS = _SHARED | {"method", "url", "dependsOn", "if"}
_RESPONSE_MEMBERS = _SHARED | {"status"}


def _read_request(reader: Reader, source: JsonObject) -> RequestItem | None:
    id = reader.id(source)
    reader.check_group(source)
    headers = reader.headers(source)
    body = reader.body(source, headers)
    annotations = reader.annotations(source, _REQUEST_MEMBERS)
    method = reader.required_string(source, "method")
    url = reader.required_string(source, "url")
    depends_on = reader.depends_on(source)
    condition = reader.string(source, "if")
    if method is None or url is None:
        return None
    if len(url) > reader.limits.url:
        reader.stop_at("url", source.spans["url"][0])
    upper = method.upper()
    method = upper if upper in KNOWN_METHODS else method
    return operation_of(method, url, headers, body, id, depends_on, condition, annotations)


def _read_response(reader: Reader, source: JsonObject) -> ResponseItem | None:
    id = reader.response_id(source)
    reader.check_group(source)
    headers = reader.headers(source)
    body = reader.body(source, headers)
    annotations = reader.annotations(source, _RESPONSE_MEMBERS)
    status = _status(reader, source)
    if status is None:
        return None
    return response_of(status, headers, body, id, None, annotations)


def _status(reader: Reader, source: JsonObject) -> int | None:
    if "status" not in source.members:
        reader.say(Rule.JSON_MISSING_MEMBER, "the object has no status", source.start)
        return None
    parsed = source.members["status"]
    if type(parsed) is Number and grammar.STATUS.fullmatch(parsed):
        return int(parsed)
    start, end = source.spans["status"]
    found = quote(reader.text.text[start:end])
    match = grammar.STATUS_SPELLING.fullmatch(parsed) if isinstance(parsed, str) else None
    if match is None:
        message = f"status is {found}, expected a number from 100 to 599"
        reader.say(Rule.JSON_STATUS, message, start)
        return None
    reader.say(Rule.JSON_STATUS_SPELLING, f"status is {found}, expected {match[1]}", start)
    return int(match[1])


def _change_set(items: list[RequestItem], id: str) -> RequestItem:
    return ChangeSet(items, id=id)


def _change_set_response(items: list[ResponseItem], id: str) -> ResponseItem:
    return ChangeSetResponse(items, id=id)


REQUEST: Role[RequestItem] = Role(
    array="requests",
    other="responses",
    members=_REQUEST_MEMBERS,
    read=_read_request,
    change_set=_change_set,
)
RESPONSE: Role[ResponseItem] = Role(
    array="responses",
    other="requests",
    members=_RESPONSE_MEMBERS,
    read=_read_response,
    change_set=_change_set_response,
)


def _located(diagnostic: Diagnostic, indexes: tuple[int, ...]) -> Diagnostic:
    path = ".".join(f"items[{index}]" for index in indexes)
    return replace(diagnostic, path=path) if path else diagnostic


_NEXT_LINKS = ("@nextLink", "@odata.nextLink")
_ITEM_SCANS: Final[Mapping[str, Scan]] = {"body": scan_extent}


class JsonDecoder(Generic[_Item]):
    """Decodes a JSON batch that arrives in chunks; it is read at the end of the input."""

    format: Format = "json"
    truncated = False

    def __init__(
        self,
        role: Role[_Item],
        limits: Limits,
        report: Reporter,
        position: int = 0,
        dialect: Dialect = ODATA_4_01,
    ) -> None:
        self._position = position
        self._dialect = dialect
        self.annotations: Annotations = ()
        self.next_link: str | None = None
        self._role = role
        self._limits = limits
        self._report_outer = report
        self._path: tuple[int, ...] = ()
        self._chunks: list[bytes] = []

    def receive_data(self, data: bytes) -> Iterator[tuple[int, _Item]]:
        """Take the next octets; there are no items before the end."""
        self._chunks.append(data)
        return iter(())

    def receive_eof(self) -> Iterator[tuple[int, _Item]]:
        """Yield the items, each with its index."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        text = JsonText(data, self._limits, self._report, self._position)
        reader = Reader(text, self._limits, self._report, self._dialect)
        elements = self._walk_envelope(reader)
        yield from self._items(elements, reader)

    def _report(self, diagnostic: Diagnostic) -> None:
        self._report_outer(_located(diagnostic, self._path))

    # -- the envelope --

    def _walk_envelope(self, reader: Reader) -> list[Element]:
        text = reader.text
        start = text.skip_space(0)
        if not text.text.startswith("{", start):
            if start == len(text.text):
                text.refuse(start, "a JSON batch")
            self._check_rest(text, text.value(start)[1])
            self._refuse_envelope(reader, start, f"found {quote(text.text[start : start + 30])}")
        elements: list[Element] = []

        def read(offset: int) -> int:
            element, end = self._walk_element(reader, offset)
            elements.append(element)
            if len(elements) > self._limits.operations:
                reader.stop_at("operations", offset)
            return end

        def scan_array(source: str, offset: int) -> tuple[Any, int]:
            elements.clear()
            if not source.startswith("[", offset):
                return scan_value(source, offset)
            return elements, text.read_array(offset, read)

        envelope, end = text.read_object(start, {self._role.array: scan_array})
        self._check_rest(text, end)
        self._check_envelope(reader, envelope)
        return elements

    def _walk_element(self, reader: Reader, offset: int) -> tuple[Element, int]:
        text = reader.text
        if text.text.startswith("{", offset):
            return text.read_object(offset, _ITEM_SCANS)
        _, end = text.value(offset)
        return (offset, end), end

    def _check_rest(self, text: JsonText, end: int) -> None:
        end = text.skip_space(end)
        if end < len(text.text):
            text.refuse(end, "nothing behind the JSON text")

    def _check_envelope(self, reader: Reader, envelope: JsonObject) -> None:
        array, other = self._role.array, self._role.other
        members, spans = envelope.members, envelope.spans
        if other in members:
            found = "both requests and responses" if array in members else f"the member {other}"
            self._refuse_envelope(reader, envelope.start, f"found {found}")
        if array not in members:
            if array == "responses" and "error" in members:
                self._refuse_error(reader, envelope)
            self._refuse_envelope(reader, envelope.start, "found no such member")
        if not isinstance(members[array], list):
            found = quote(reader.text.raw(spans[array]))
            self._refuse_envelope(reader, envelope.start, f"found {found}")
        reader.check_duplicates(envelope, frozenset((array,)))
        self._read_envelope(reader, envelope)

    def _refuse_envelope(self, reader: Reader, offset: int, found: str) -> NoReturn:
        message = f"{found}, expected an object with the array {self._role.array}"
        position = reader.text.byte_offset(offset)
        stop(self._report, Diagnostic(Rule.JSON_ENVELOPE, message, position))

    def _refuse_error(self, reader: Reader, envelope: JsonObject) -> NoReturn:
        error = quote(reader.text.raw(envelope.spans["error"]))
        message = f"found the single error {error}, expected a batch response"
        position = reader.text.byte_offset(envelope.start)
        stop(self._report, Diagnostic(Rule.JSON_ERROR_RESPONSE, message, position))

    def _read_envelope(self, reader: Reader, envelope: JsonObject) -> None:
        known = {self._role.array}
        if self._role.array == "responses":
            known.update(_NEXT_LINKS)
            for name in _NEXT_LINKS:
                if name in envelope.members:
                    self._read_next_link(reader, envelope, name)
        self.annotations = reader.annotations(envelope, frozenset(known))

    def _read_next_link(self, reader: Reader, envelope: JsonObject, name: str) -> None:
        link = envelope.members[name]
        if type(link) is not str or self.next_link not in (None, link):
            span = envelope.spans[name]
            message = f"{name} is {quote(reader.text.raw(span))}, expected one string"
            reader.say(Rule.JSON_NEXT_LINK, message, span[0])
        else:
            self.next_link = link

    # -- the items --

    def _items(self, elements: list[Element], reader: Reader) -> Iterator[tuple[int, _Item]]:
        if not elements and self._role is REQUEST:
            reader.say(Rule.JSON_NO_REQUESTS, "the array requests is empty", 0)
        for index, found in enumerate(_grouped(elements)):
            self._path = (index,)
            if isinstance(found, _Group):
                item = self._group(found, index, reader)
            else:
                item = self._item(found, reader)
            self._path = ()
            if item is not None:
                yield index, item

    def _group(self, group: _Group, index: int, reader: Reader) -> _Item | None:
        items = []
        expected = group.members[0][0]
        for inner, (number, source) in enumerate(group.members):
            self._path = (index, inner)
            if number != expected and self._role is REQUEST:
                message = "a member of an atomicity group is parted from the others"
                reader.say(Rule.GROUP_SPLIT, message, source.start)
            expected = number + 1
            item = self._item(source, reader)
            if item is not None:
                items.append(item)
        if not items:
            return None
        change_set = self._role.change_set(items, group.name)
        place(change_set, reader.text.byte_offset(group.members[0][1].start), False)
        return change_set

    def _item(self, source: Element, reader: Reader) -> _Item | None:
        if not isinstance(source, JsonObject):
            found = quote(reader.text.raw(source))
            reader.say(Rule.JSON_ITEM, f"found {found}, expected an object", source[0])
            return None
        if source.duplicates:
            reader.check_duplicates(source, self._role.members)
        item = self._role.read(reader, source)
        if item is not None:
            place(item, reader.text.byte_offset(source.start), False)
        return item


@dataclass(frozen=True, slots=True)
class _Group:
    """The members of an atomicity group, each with its index in the array."""

    name: str
    members: list[tuple[int, JsonObject]]


def _grouped(elements: list[Element]) -> list[Element | _Group]:
    """Collect the members of each group at the place of the first."""
    found: list[Element | _Group] = []
    groups: dict[str, _Group] = {}
    for index, element in enumerate(elements):
        if not isinstance(element, JsonObject):
            found.append(element)
            continue
        name = element.members.get("atomicityGroup")
        if type(name) is not str or not name:
            found.append(element)
        elif name in groups:
            groups[name].members.append((index, element))
        else:
            groups[name] = _Group(name, [(index, element)])
            found.append(groups[name])
    return found


# -- writing -------------------------------------------------------------------------------------

Message: TypeAlias = Operation | OperationResponse
_SETS = (ChangeSet, ChangeSetResponse)


class Checker:
    """Reports what a JSON batch cannot carry, item by item."""

    def __init__(self, limits: Limits, report: Reporter) -> None:
        self._limits = limits
        self._report_outer = report
        self._contents = Contents()
        self._items = 0
        self._path: tuple[int, ...] = ()

    def check_batch(self, batch: BatchRequest | BatchResponse, items: int) -> None:
        """Check the members beside the items, whose number is given."""
        self._path = ()
        if not items and isinstance(batch, BatchRequest):
            self._report(Diagnostic(Rule.JSON_NO_REQUESTS, "the array requests is empty"))
        known = frozenset(("requests", "responses"))
        if isinstance(batch, BatchResponse):
            known |= set(_NEXT_LINKS)
            if batch.truncated:
                self._refuse("a truncated response cannot be written", None)
            self._check_text("next_link", batch.next_link, None)
        self._check_annotations(batch.annotations, known, _BATCH_DEPTH, None)

    def check(self, item: Item) -> None:
        """Check the next item."""
        index = self._items
        self._items += 1
        if not isinstance(item, _SETS):
            self._path = (index,)
            self._check_message(item)
            return
        for inner_index, inner in enumerate(item.items):
            self._path = (index, inner_index)
            if isinstance(inner, _SETS):
                self._refuse("JSON has no group in a group", inner.position)
            else:
                self._check_message(inner)

    def _report(self, diagnostic: Diagnostic) -> None:
        self._report_outer(_located(diagnostic, self._path))

    def _check_message(self, item: Message) -> None:
        if self._limits.json_depth <= _ITEM_DEPTH:
            exceed(self._report, self._limits, "json_depth", item.position)
        if len(item.headers.get_all("set-cookie")) > 1:
            self._refuse("JSON cannot carry several Set-Cookie fields", item.position)
        members = _REQUEST_MEMBERS if isinstance(item, Operation) else _RESPONSE_MEMBERS
        self._check_annotations(item.annotations, members, _ITEM_DEPTH, item.position)
        if isinstance(item, Operation):
            self._check_text("condition", item.condition, item.position)
            for name in item.depends_on:
                self._check_text("an entry of depends_on", name, item.position)
        if item.body:
            self._check_body(item)

    def _check_body(self, item: Message) -> None:
        content = self._contents.of(item.headers)
        if content.form is Form.JSON:
            body = item.body.strip(_BLANKS) or item.body
            self._check_json(body, "the body", _ITEM_DEPTH, item.position)
            if body == b"null":
                self._refuse("the body null would be read as no body", item.position)
        elif content.form is Form.TEXT and content.decode(item.body) is None:
            charset = quote(content.charset)
            message = f"the body {quote(item.body)} is not text in charset {charset}"
            self._report(Diagnostic(Rule.TEXT_CHARSET, message, item.position))

    def _check_annotations(
        self, annotations: Annotations, known: frozenset[str], depth: int, position: int | None
    ) -> None:
        names = set(known)
        for name, raw in annotations:
            if name in names:
                message = f"the annotation {quote(name)} stands twice, or is a member"
                self._report(Diagnostic(Rule.JSON_DUPLICATE_MEMBER, message, position))
            names.add(name)
            self._check_text("the name of an annotation", name, position)
            self._check_json(raw, f"the annotation {quote(name)}", depth, position)

    def _check_json(self, octets: bytes, what: str, depth: int, position: int | None) -> None:
        """Check a JSON text that is spliced `depth` levels deep into the batch."""
        found: list[Diagnostic] = []
        _check_json(octets, self._limits, depth, found.append)
        for diagnostic in found:
            message = f"{what} cannot stand in a JSON batch: {diagnostic.message}"
            self._report(replace(diagnostic, message=message, position=position))

    def _check_text(self, what: str, text: str | None, position: int | None) -> None:
        try:
            (text or "").encode("utf-8")
        except UnicodeEncodeError:
            message = f"{what} is {text!r:.60}, with half of a surrogate pair"
            self._report(Diagnostic(Rule.JSON_ENCODING, message, position))

    def _refuse(self, message: str, position: int | None) -> None:
        self._report(Diagnostic(Rule.NOT_EXPRESSIBLE, message, position))


class JsonEncoder:
    """Encodes the items of a JSON batch, prepared and checked ones, one after the other."""

    content_type = "application/json"

    def __init__(self, role_name: str, dialect: Dialect) -> None:
        self.headers_total = 0
        self._dialect = dialect
        self._pending = f'{{"{role_name}s":['.encode("ascii")
        self._contents = Contents()
        self._headers: dict[int, tuple[Headers, bytes]] = {}

    def send(self, item: Item) -> bytes:
        """Return the octets of the item, with what parts it from the one before."""
        if isinstance(item, _SETS):
            group = quoted(item.id or "")
            members = [self._object(inner, group) for inner in item.items]
        else:
            members = [self._object(item, None)]
        chunk = self._pending + b",".join(members)
        self._pending = b","
        return chunk

    def whole(
        self, items: Iterable[Item], annotations: Annotations, next_link: str | None
    ) -> bytes:
        """Return the octets of the batch."""
        chunks = [self.send(item) for item in items]
        chunks.append(self.close(annotations, next_link))
        return b"".join(chunks)

    def close(self, annotations: Annotations, next_link: str | None) -> bytes:
        """Return what ends the batch."""
        opening = self._pending if self._pending != b"," else b""
        tail = [b"]"]
        if next_link is not None:
            name = "@odata.nextLink" if self._dialect.json_version == "4.0" else "@nextLink"
            tail.append(f',"{name}":{quoted(next_link)}'.encode())
        tail += [_annotation(name, raw) for name, raw in annotations]
        return opening + b"".join(tail) + b"}"

    def _object(self, item: Item, group: str | None) -> bytes:
        assert isinstance(item, Operation | OperationResponse)  # groups in groups were refused
        members = [] if item.id is None else [f'"id":{quoted(item.id)}']
        if group is not None:
            members.append(f'"atomicityGroup":{group}')
        if isinstance(item, Operation):
            members += _request_members(item)
        else:
            members.append(f'"status":{item.status}')
        chunks = [b"{", ",".join(members).encode("utf-8")]
        if item.headers.pairs:
            headers = self._headers_object(item.headers)
            self.headers_total += len(headers)
            chunks += (b',"headers":', headers)
        chunks += [_annotation(name, raw) for name, raw in item.annotations]
        if item.body:
            chunks += (b',"body":', self._body(item))
        chunks.append(b"}")
        return b"".join(chunks)

    def _headers_object(self, headers: Headers) -> bytes:
        """Return the object; the same `Headers` are often shared by many operations."""
        known = self._headers.get(id(headers))
        if known is not None:
            return known[1]
        fields = [
            f"{quoted(name)}:{quoted(', '.join(values))}"
            for name, values in folded(headers).items()
        ]
        octets = f"{{{','.join(fields)}}}".encode()
        if len(self._headers) < _REMEMBERED:
            # The entry holds the object, so that its id() cannot become another's.
            self._headers[id(headers)] = (headers, octets)
        return octets

    def _body(self, item: Message) -> bytes:
        content = self._contents.of(item.headers)
        if content.form is Form.JSON and self._dialect.json_bodies != "base64":
            return item.body
        if content.form is Form.TEXT:
            return quoted(content.decode(item.body) or "").encode()
        return f'"{encode_base64(item.body, self._dialect)}"'.encode("ascii")


def _request_members(item: Operation) -> list[str]:
    members = []
    if item.depends_on:
        members.append(f'"dependsOn":[{",".join(map(quoted, item.depends_on))}]')
    if item.condition is not None:
        members.append(f'"if":{quoted(item.condition)}')
    members += (f'"method":{quoted(item.method)}', f'"url":{quoted(item.url)}')
    return members


def _annotation(name: str, raw: bytes) -> bytes:
    return f",{quoted(name)}:".encode() + raw
