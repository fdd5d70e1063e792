"""Archives of messages: HAR files (HTTP Archive 1.2), and SAZ files (Fiddler).

A HAR file is one JSON text that holds start lines, fields and bodies apart, bodies as text or in
base64, with their codings undone. What else browsers write, more than half of a file, is dropped
while it is scanned. Text is made octets again in UTF-8, or in the charset that its type names.

A SAZ file is a ZIP archive of raw messages. Session 12 is `raw/12_c.txt`, what the client sent, and
`raw/12_s.txt`, what the server answered; its metadata, `raw/12_m.xml`, say nothing about the
messages. Sizes are checked before anything is unzipped, and what is unzipped is counted, so that a
small archive cannot become a large one.

Bytes that are no archive make one entry without a name and without messages.
"""

from __future__ import annotations

import binascii
import json
import re
import zipfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import TypeAlias, TypeVar

from odata_batch._model.findings import Diagnostic, Rule, error, note, quote, warning
from odata_batch._wire import grammar
from odata_batch._wire.sections import HEADER_SYNTAX
from odata_batch.capture import _raw
from odata_batch.capture._raw import CAPTURE_CODING, Budget, Entry, Raw, unreadable
from odata_batch.capture._spellings import SURROGATES, UTF_16_MARKS

# -- HAR -------------------------------------------------------------------------------------------

_Member = TypeVar("_Member")
_Fields: TypeAlias = list[tuple[str, str]]

_HAR_START = re.compile(rb'\s*\{\s*"log"\s*:\s*\{')
_LOG = re.compile(rb'"log"\s*:\s*\{')
# A member of an entry that nothing else has, and a member that is copied without its object.
_PIECE = re.compile(rb'"(?:headersSize|httpVersion|postData)"\s*:')
_BARE_MEMBER = re.compile(rb'\s*"(?:log|request|response|entries)"\s*:')
# Members that hold a message or say why there is none.
_KNOWN = frozenset(
    """
    log entries request response method url httpVersion headers postData params content bodySize
    name value text mimeType encoding size status statusText comment _base64 _error _file
    """.split()
)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([\w.:-]+)", re.I)
# Browsers read all of them as the last one (WHATWG Encoding, 4.2).
_WESTERN = ("us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252")
_BASE64 = str.maketrans("-_", "+/", " \t\r\n")
_LENGTH = re.compile(r"[0-9]{1,15}")
_HTTP_VERSION = re.compile(r"(?:HTTP/|H)([0-9](?:\.[0-9])?)", re.I)
# Requests that have a body, and responses that have none (RFC 9110, 6.4.1).
_METHODS_WITH_BODY = ("POST", "PUT", "PATCH", "MERGE")
_STATUSES_WITHOUT_BODY = (204, 205, 304)
# How the entry itself is called in messages.
_ENTRY = "the entry"
# An entry takes more memory than octets in the file; no capture has so many.
_MOST_ENTRIES = 65_535


def is_har(data: bytes) -> bool:
    """Tell whether a file is a HAR file, maybe a damaged one, or an entry or a message of one.

    >>> is_har(b'{"log":{"version":"1.2","entries":[]}}'), is_har(b'{"requests":[]}')
    (True, False)
    """
    text = _as_utf8(data)
    if _HAR_START.match(text):
        return True
    if not (_LOG.search(text) or _PIECE.search(text)):
        return False
    try:
        return _entries(text) is not None
    except (json.JSONDecodeError, RecursionError):
        return False


CAPTURE_DUPLICATE_MEMBER = error("""
    capture-duplicate-member: The members of a HAR file that hold a message appear once in their
    object. [RFC 8259, 4]
    Export the capture again with a tool that writes each member once.""")
CAPTURE_MEMBER = warning("""
    capture-member: The members of a HAR file have the JSON types that the format gives them. [RFC
    8259, 3]
    Export the capture again with a tool that follows HAR 1.2.""")


class _Object(dict[str, object]):
    """The members of a JSON object that are of interest, and what is wrong with them."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs if name in _KNOWN]
        super().__init__(pair for pair in pairs if pair[0] in _KNOWN)
        # The first ones of few names, so that this is linear.
        is_whole = len(names) == len(self)
        self._repeated = None if is_whole else next(each for each in names if names.count(each) > 1)

    def at(self, path: str, found: list[Diagnostic]) -> _Object:
        """Return the object, which is at this path and says there what is wrong."""
        self._path = path
        self.found = found
        if self._repeated is not None:
            message = f"has the member {self._repeated!r} more than once, and the last counts"
            self.say(CAPTURE_DUPLICATE_MEMBER, f"{path} {message}")
        return self

    def say(self, rule: Rule, message: str) -> None:
        self.found.append(Diagnostic(rule, message))

    def path_of(self, name: str) -> str:
        return f"{self._path}.{name}".removeprefix(f"{_ENTRY}.")

    def member(self, name: str, kind: type[_Member], expected: str) -> _Member | None:
        """Return a member, or `None` if it is missing, null or of another type."""
        value = self.get(name)
        if isinstance(value, kind):
            return value
        if value is not None:
            self.say(CAPTURE_MEMBER, f"{self.path_of(name)} is {_kind(value)}, expected {expected}")
        return None

    def text(self, name: str) -> str:
        return self.member(name, str, "a string") or ""

    def number(self, name: str) -> int:
        """Return a number that is not negative; with -1 a HAR file says that it is unknown."""
        return max(0, self.member(name, int, "a number") or 0)

    def inner(self, name: str, found: list[Diagnostic]) -> _Object:
        """Return a member that is an object; one that is missing is as good as an empty one."""
        members = self.member(name, _Object, "an object")
        return (_Object([]) if members is None else members).at(self.path_of(name), found)


def read_har(data: bytes, budget: Budget) -> list[Entry]:
    """Return the entries of a HAR file."""
    if len(data) > budget.left:
        return [Entry("", [budget.too_large("the HAR file")])]
    try:
        entries = _entries(_as_utf8(data))
    except RecursionError:
        return [unreadable("the JSON text of the HAR file nests too deeply")]
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos : error.pos + 30]
        found = repr(rest) if rest else "the end"
        return [unreadable(f"found {found} at character {error.pos}, expected JSON")]
    if not isinstance(entries, list):
        return [unreadable("found no array log.entries, expected a HAR file")]
    known = entries[:_MOST_ENTRIES]
    read = [_entry(f"entries[{index}]", entry) for index, entry in enumerate(known)]
    if len(entries) > len(known):
        number = f"{len(entries)} elements, and {_MOST_ENTRIES} of them are read"
        read.append(unreadable(f"log.entries has {number}"))
    return read


def _as_utf8(data: bytes) -> bytes:
    if data.startswith(UTF_16_MARKS):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(BOM_UTF8)


def _entries(data: bytes) -> object:
    """Return the entries of a file, or of what was copied out of one: an entry, or its members."""
    if _BARE_MEMBER.match(data):
        data = b"{%b}" % data.strip().removesuffix(b",")
    root: object = json.loads(
        # An octet that is not UTF-8 becomes an octet of the body again.
        data.decode("utf-8", "surrogateescape").rstrip().removesuffix(","),
        object_pairs_hook=_Object,
        parse_int=_number,
        parse_float=_number,
        parse_constant=_number,
    )
    match root:
        case {"log": {"entries": entries}} | {"entries": entries}:
            return entries
        case [{"request": {"headers": _}}, *_]:
            return root
        case {"request": {"headers": _}} | {"response": {"headers": _}}:
            return [root]
        case {"method": _, "url": _, "headers": _}:
            return [_Object([("request", root)])]
        case {"status": _, "content": _, "headers": _}:
            return [_Object([("response", root)])]
    return None


def _number(text: str) -> int:
    number = float(text)
    return int(number) if abs(number) < 1e15 else -1


def _kind(value: object) -> str:
    # All numbers were read as `int`.
    kinds = {bool: "a boolean", str: "a string", int: "a number", list: "an array"}
    return "null" if value is None else kinds.get(type(value), "an object")


def _entry(name: str, members: object) -> Entry:
    if not isinstance(members, _Object):
        return unreadable(f"the entry is {_kind(members)}, expected an object", name)
    entry = members.at(_ENTRY, [])
    url, method, request = _request(entry)
    return Entry(name, entry.found, url, request, _response(entry, method))


CAPTURE_INCOMPLETE = note("""
    capture-incomplete: An exchange is captured with its request and its response. [RFC 9110, 3.4]
    Capture until the response has come.""")


def _request(entry: _Object) -> tuple[str, str, Raw | None]:
    """Return the URL, the method and the request, if there is one."""
    source = entry.inner("request", [])
    fields, pseudo = _fields(source)
    method = source.text("method") or pseudo.get(":method", "")
    url = source.text("url")
    if not url:
        authority, scheme = pseudo.get(":authority", ""), pseudo.get(":scheme", "https")
        url = (f"{scheme}://{authority}" if authority else "") + pseudo.get(":path", "")
    if not method:
        entry.say(CAPTURE_INCOMPLETE, "the entry has no request")
        return url, "", None
    content = source.inner("postData", source.found)
    sent = _value(fields, "content-length")
    length = max(source.number("bodySize"), _octets_of(sent))
    is_empty = content.get("text") == "" and source.get("bodySize") == 0
    may_have_body = not sent and not is_empty and method.upper() in _METHODS_WITH_BODY
    start_line = f"{method} {url} {_version(source)}"
    return url, method, _half(start_line, fields, content, length, length > 0 or may_have_body)


def _response(entry: _Object, method: str) -> Raw | None:
    source = entry.inner("response", [])
    fields, pseudo = _fields(source)
    status = source.number("status") or _octets_of(pseudo.get(":status", ""))
    if not 100 <= status <= 599:
        # A browser that got no answer writes the status 0.
        error = source.text("_error")
        reason = f": {error[:60]!r}" if error else ""
        entry.say(CAPTURE_INCOMPLETE, f"the entry has no response{reason}")
        return None
    content = source.inner("content", source.found)
    length = max(content.number("size"), _octets_of(_value(fields, "content-length")))
    is_multipart = _value(fields, "content-type").lower().startswith("multipart/")
    is_empty = content.get("text") == "" and content.get("size") == 0
    has_body = length > 0 or (is_multipart and not is_empty)
    if method.upper() == "HEAD" or status < 200 or status in _STATUSES_WITHOUT_BODY:
        has_body = False
    start_line = f"{_version(source)} {status} {source.text('statusText')}"
    return _half(start_line, fields, content, length, has_body)


CAPTURE_BODY_MISSING = warning("""
    capture-body-missing: A message is captured with its body, not with the length of its body only.
    [RFC 9110, 6.4]
    Export the capture with content, or read it with a tool that keeps bodies.""")


def _half(start_line: str, fields: _Fields, content: _Object, length: int, has_body: bool) -> Raw:
    # Chrome writes x-unknown.
    media_type = content.text("mimeType").removeprefix("x-unknown")
    body = _body(content, _value(fields, "content-type") or media_type)
    if not body and has_body:
        octets = f"; it had {length} octets" if length else ""
        file = content.text("_file")
        place = f"; it is in the file {file[:60]!r}" if file else ""
        state = "empty" if content.get("text") == "" else "missing"
        message = f"{content.path_of('text')} is {state}, which is the body{octets}{place}"
        content.say(CAPTURE_BODY_MISSING, message)
    size = content.number("size") or None
    kept: list[_raw.Field] = []
    for name, value in fields:
        if grammar.TOKEN.fullmatch(name):
            kept.append((None, name, value))
        else:
            content.say(HEADER_SYNTAX, f"found the field name {quote(name)}, expected a token")
    return Raw(start_line, kept, body, content.found, None, media_type, size)


def _fields(source: _Object) -> tuple[_Fields, dict[str, str]]:
    """Return the fields of a header section, and the pseudo fields of HTTP/2 (RFC 9113, 8.3)."""
    elements: list[object] = source.member("headers", list, "an array") or []
    fields: _Fields = []
    pseudo: dict[str, str] = {}
    unknown = 0
    for element in elements:
        match element:
            case {"name": str(name), "value": str(value)} if name.startswith(":"):
                pseudo[name] = value
            case {"name": str(name), "value": str(value)}:
                # Browsers join repeated fields by line feeds.
                fields += [(name, line.strip(" \t\r")) for line in value.split("\n")]
            case _:
                unknown += 1
    if unknown:
        what = f"{source.path_of('headers')} has {unknown} elements"
        source.say(CAPTURE_MEMBER, f"{what} that are not objects with the strings name and value")
    return fields, pseudo


def _value(fields: _Fields, name: str) -> str:
    return next((value for key, value in fields if key.lower() == name), "")


def _octets_of(length: str) -> int:
    return int(length) if _LENGTH.fullmatch(length) else 0


def _version(source: _Object) -> str:
    match = _HTTP_VERSION.match(source.text("httpVersion"))
    return f"HTTP/{match[1]}" if match else "HTTP/1.1"


def _body(content: _Object, content_type: str) -> bytes:
    """Return the octets of a text, in UTF-8 unless a charset is named."""
    text = content.text("text")
    encoding = content.text("encoding")
    if encoding.lower() == "base64" or content.member("_base64", bool, "a boolean"):
        digits = text.translate(_BASE64).rstrip("=")
        try:
            return binascii.a2b_base64(digits + "=" * (-len(digits) % 4), strict_mode=True)
        except ValueError:
            content.say(CAPTURE_CODING, f"{content.path_of('text')} is not base64")
    elif encoding:
        found = f"{content.path_of('encoding')} is {encoding[:60]!r}"
        content.say(CAPTURE_MEMBER, f"{found}, expected 'base64'; the text is read as it is")
    text = SURROGATES.sub("\ufffd", text)
    charset = _CHARSET.search(content_type)
    if charset is not None and charset[1].lower() in _WESTERN:
        for coding in ("cp1252", "latin-1"):
            with suppress(UnicodeEncodeError):
                return text.encode(coding, "surrogateescape")
    return text.encode("utf-8", "surrogateescape")


# -- SAZ -------------------------------------------------------------------------------------------

# Old versions of Fiddler write a backslash.
_RAW = re.compile(r"raw[/\\]([0-9]{1,18})_([cs])\.txt", re.I)
# What a ZIP archive holds at most without an extension; each takes a kilobyte of memory.
_MOST_FILES = 65_535
_CENTRAL_HEADER = b"PK\x01\x02"
_ENCRYPTED = 1
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What `zipfile` raises when an archive contradicts itself; NotImplementedError, which is a
# RuntimeError, is what it says of a compression or an encryption that it does not know.
_LIES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, OverflowError, RuntimeError, ValueError)
_Files: TypeAlias = dict[str, list[zipfile.ZipInfo]]


def is_zip(data: bytes) -> bool:
    """Tell whether a file is a ZIP archive, as a SAZ file is.

    >>> is_zip(b"PK\\x05\\x06" + bytes(18))
    True
    """
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_saz(data: bytes, budget: Budget) -> Iterator[Entry]:
    """Yield the sessions of a SAZ file in the order of their numbers."""
    # So that the list of a hostile archive is not made before it is found to be too long.
    if data.count(_CENTRAL_HEADER) > _MOST_FILES:
        yield unreadable(f"the ZIP archive has more than {_MOST_FILES} files")
        return
    try:
        archive = zipfile.ZipFile(BytesIO(data))
    except _LIES:
        yield unreadable("not a ZIP archive, or damaged")
        return
    with archive:
        sessions: dict[tuple[int, str], _Files] = {}
        flags = 0
        for info in archive.infolist():
            match = _RAW.fullmatch(info.filename)
            if match is not None:
                files = sessions.setdefault((int(match[1]), match[1]), {})
                files.setdefault(match[2].lower(), []).append(info)
                flags |= info.flag_bits
        if not sessions:
            what = "no file such as raw/1_c.txt in the ZIP archive"
            yield unreadable(f"found {what}, expected a SAZ file")
        elif flags & _ENCRYPTED:
            remedy = "it can be read if it is saved without a password"
            yield unreadable(f"the ZIP archive is encrypted; {remedy}")
        else:
            for (_, number), files in sorted(sessions.items()):
                yield _session(archive, f"raw/{number}", files, budget)


def _session(archive: zipfile.ZipFile, name: str, files: _Files, budget: Budget) -> Entry:
    found: list[Diagnostic] = []
    for same in files.values():
        if len(same) > 1:
            message = f"{same[0].filename} appears more than once in the archive; the last is read"
            found.append(Diagnostic(CAPTURE_DUPLICATE_MEMBER, message))
    messages: list[Raw | None] = []
    for side, what in (("c", "request"), ("s", "response")):
        content = _unzipped(archive, files[side][-1], budget) if side in files else b""
        # An unanswered request has an empty file.
        if content == b"":
            content = Diagnostic(CAPTURE_INCOMPLETE, f"the session has no {what}")
        if isinstance(content, bytes):
            messages.append(_raw.split(content, budget.limits))
        else:
            found.append(content)
            messages.append(None)
    request, response = messages
    url = _raw.target_of(request.start_line) if request else ""
    return Entry(name, found, url, request, response)


def _unzipped(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget
) -> bytes | Diagnostic:
    if info.compress_type not in _READ_METHODS:
        found = f"{info.filename} has the compression method {info.compress_type}"
        return Diagnostic(_raw.CAPTURE_UNREADABLE, f"{found}, expected 0 or 8")
    most = budget.for_body + budget.limits.header_section
    if info.file_size > most:
        return budget.too_large(info.filename)
    # What is read is counted, too: archives may have the same octets in all of their files.
    budget.take(info.compress_size)
    try:
        with archive.open(info) as file:
            content = file.read(most + 1)
    except _LIES:
        return Diagnostic(_raw.CAPTURE_UNREADABLE, f"{info.filename} is damaged")
    budget.take(len(content))
    return content
