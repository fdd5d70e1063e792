r"""What a text is a copy of: a message in a log, a mail, a ticket, a command or a string.

Editors, logs, tickets and browsers copy messages as texts, and people copy what is around them. A
text that begins with a message is a message as it is, and nothing is changed. In others, the first
place is looked for where one begins: a start line, a delimiter or a Content-Type with a field line
after it, or a JSON object with the member `requests` or `responses`, in one of the known spellings.
What is before it is cut off, on each line if it is on each line, and the spelling is undone. What
is after its end is cut off, too, where it has one: a close delimiter, a brace, the end of a fence.

Where a command or a line of a log has the URL and the boundary in other places, the request begins
with them. It cannot always be known what the octets were.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from itertools import chain, islice
from typing import NamedTuple

from odata_batch._model.findings import Diagnostic, note, quote
from odata_batch.capture._spellings import (
    CURL,
    DOUBLED,
    ESCAPES,
    SPELLINGS,
    UTF_16_MARKS,
    VALUE,
    WIRE,
    Spelling,
    octet_of,
    sent_by_curl,
)

CAPTURE_TEXT = note("""
    capture-text: A capture holds the octets of the message, not a text that was made of them. [RFC
    9112, 2.2]
    Read places as those in the text as it was undone; capture the octets if they may differ.""")


def undone(data: bytes) -> tuple[bytes, Diagnostic | None]:
    r"""Return the octets that a text means, and what was undone, if anything.

    >>> undone(rb'Sent: "--b\r\n\r\nGET People HTTP/1.1\r\n\r\n\r\n--b--\r\n", 12 ms')[0]
    b'--b\r\n\r\nGET People HTTP/1.1\r\n\r\n\r\n--b--\r\n'
    """
    found: list[str] = []
    if data.startswith(UTF_16_MARKS):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
        found.append("the text is UTF-16")
    if data.startswith(BOM_UTF8) and not data[3:].lstrip().startswith(b"{"):
        data = data[3:]
        found.append("a byte order mark begins the text")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\r\n")
        found.append("lines end in CR alone")
    data = _unwrapped(data, found)
    message = f"{' and '.join(found)}; it is read as the message that it is a copy of"
    return data, Diagnostic(CAPTURE_TEXT, message, 0) if found else None


def _respelt(text: bytes, mark: bytes, spelling: Spelling | None) -> tuple[str, bytes, int]:
    """Return what was undone, the text that is meant, and how much of what was given it is.

    The text begins with the message; `mark` is what is before it.
    """
    said = ""
    length = len(text)
    if spelling is None and mark == b'"' and (cell := _CELL.match(text)) and b'""' in cell[0]:
        spelling = DOUBLED
    elif spelling is None and mark == b"'" and _ESCAPED_MARK.search(text):
        spelling = ESCAPES
    level = 0
    while spelling is not None and level < _MOST_LEVELS:
        inside = spelling.inside.replace(b"Q", mark if mark in _QUOTATION_MARKS else b'"')
        if spelling is ESCAPES and mark not in _QUOTATION_MARKS:
            inside = rb"[^\r\n]*"
        raw = re.match(inside, text, re.DOTALL)
        assert raw is not None  # that all of them match
        length = length if level else raw.end()
        level += 1
        text = spelling.undo(raw[0].decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )
        said = said or spelling.said
        # A string in a string
        match = _BEGIN.search(text, 0, _LONGEST)
        place = None if match is None else _place(text, match)
        spelling = None if place is None else place.spelling
        mark = b'"'
    return said, text, length


# -- where a message begins ------------------------------------------------------------------------

_QUOTE = b"|".join((b'"', *(each.quote for each in SPELLINGS)))
_SPELT_END = b"|".join(each.line_end for each in SPELLINGS)
_SPACE = rb"(?:[ \t\r\n>|]|\\{1,31}[rnt]|&\#1[03];|%(?:20|0[ADad]))*"
_METHOD = rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|MERGE|OPTIONS)"
_BEGIN = re.compile(
    rb"""
    (?P<quote>QUOTE|) (?:requests|responses) (?:QUOTE|) SPACE (?P<colon>:|=>|%3[aA]) SPACE
        (?: \[ | %5[bB] )
    | (?<![\w/.\-]) HTTP/[0-9](?:\.[0-9])? [ ]+ [1-5][0-9][0-9] (?![0-9])
    | (?P<request> (?<![\w\-]) METHOD [ ]+ (?=[^\s:"]) )
    | (?P<delimiter> (?<![\w\-]) -- (?=[\w'()+,./:=?\-]) )
    | (?P<field> (?<![\w\-]) [Cc]ontent-[Tt]ype: [ \t]* (?:multipart/mixed|application/json) )
    """.replace(b"SPACE", _SPACE)
    .replace(b"QUOTE", _QUOTE)
    .replace(b"METHOD", _METHOD),
    re.VERBOSE,
)
# What is between such a member and the brace before it: other members that are no objects
_MEMBERS_BEFORE = re.compile(b"%b(?:(?:%b)@[^{}]*)?" % (_SPACE, _QUOTE), re.VERBOSE)
_WIRE_END = rb'(?:\[\\r\])?\[\\n\]"?'
_LINE_END = re.compile(rb"(?P<spelt>%b)|(?P<wire>%b)?\r?\n" % (_SPELT_END, _WIRE_END), re.VERBOSE)
_EMPTY = re.compile(rb"%b|%b|\r?\n" % (_SPELT_END, _WIRE_END), re.VERBOSE)
_BOUNDARY = re.compile(rb"-*[\w'()+,./:=?][\w'()+,./:=?\-]{0,199}[ \t]*")
_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9\-]{0,60}[ \t]*:")
# What is after a delimiter: a field, or the empty line in place of fields
_IN_PART = re.compile(
    rb"Content-|(?:%b|\r?\n)(?:HTTP/[0-9]|%b[ ])" % (_SPELT_END, _METHOD), re.I | re.VERBOSE
)
_DIGITS = re.compile(rb"[0-9]+")
# A text with "" that ends as cells of CSV do, and a quotation mark that is escaped
_CELL = re.compile(rb'[^"]*(?:""[^"]*)*"(?=[,;\t\r\n]|\Z)')
_ESCAPED_MARK = re.compile(rb"""\\'|\\\\\"""")
_QUOTATION_MARKS = (b'"', b"'")
_MOST_LEVELS = 5
# A message is looked for at so many places; so long are the lines that it begins with, and what is
# before it on them.
_MOST_PLACES = 1000
_MOST_MESSAGES = 10
_LONGEST = 4000
_LONGEST_PREFIX = 400


class _Place(NamedTuple):
    """Where a message begins in a text, and how it is written there."""

    at: int
    line: int
    kind: str
    spelling: Spelling | None = None
    prefix: re.Pattern[bytes] | None = None
    """What is before it on each line."""
    is_wire: bool = False

    @property
    def is_plain(self) -> bool:
        return self.spelling is None and not self.is_wire


def _place(data: bytes, match: re.Match[bytes]) -> _Place | None:
    """Return the place if a message begins there."""
    at, stop = match.span()
    if match["colon"]:
        start = max(0, at - _LONGEST_PREFIX)
        brace = max(data.rfind(each, start, at) for each in (b"{", b"%7B", b"%7b"))
        after = brace + (3 if data[brace : brace + 1] == b"%" else 1)
        if brace < 0 or not _MEMBERS_BEFORE.fullmatch(data, after, at):
            return None
        at = brace
    line = max(data.rfind(b"\n", max(0, at - _LONGEST_PREFIX), at) + 1, at - _LONGEST_PREFIX, 0)
    if match["colon"]:
        is_value = match["colon"] == b"=>" or not match["quote"]
        spelling = VALUE if is_value else _spelling(match["quote"], lambda each: each.quote)
        prefix, next_line = _prefix(data, line, at), data.find(b"\n", at, at + _LONGEST) + 1
        is_repeated = prefix and next_line and prefix.match(data, next_line)
        return _Place(at, line, "json", spelling, prefix if is_repeated else None)
    kind = match.lastgroup or "status"
    end = _LINE_END.search(data, stop, stop + _LONGEST)
    if end is None:
        return None
    rest = data[stop : end.start()]
    if kind == "delimiter":
        is_sound = _BOUNDARY.fullmatch(rest) is not None
    elif kind == "request":
        is_sound = b'"' not in rest and (b" HTTP/" in rest or b"$batch" in rest.lower())
    else:
        is_sound = kind == "field" or b'"' not in rest
    next_line, spelt = end.end(), end["spelt"]
    prefix = None if spelt else _prefix(data, line, at)
    if prefix is not None:
        # What else was logged meanwhile is between the lines of a log.
        find = prefix.match if end["wire"] is None else prefix.search
        repeated = find(data, next_line, next_line + _LONGEST)
        prefix, next_line = (prefix, repeated.end()) if repeated else (None, next_line)
    if kind == "delimiter":
        follows = _IN_PART.match(data, next_line)
    else:
        follows = _FIELD.match(data, next_line) or _EMPTY.match(data, next_line)
    if not is_sound or follows is None:
        return None
    if spelt:
        return _Place(at, line, kind, _spelling(spelt, lambda each: each.line_end))
    if kind == "field":
        at, line = _first_field(data, at, line, prefix)
    return _Place(at, line, kind, None, prefix, end["wire"] is not None)


def _spelling(spelt: bytes, pattern: Callable[[Spelling], bytes]) -> Spelling | None:
    found = (each for each in SPELLINGS if re.fullmatch(pattern(each), spelt, re.VERBOSE))
    return next(found, None)


def _prefix(data: bytes, line: int, at: int) -> re.Pattern[bytes] | None:
    """Return what lines begin with that begin as this one does, whatever their numbers."""
    before = data[line:at].rstrip(b" \t")
    space = at - line - len(before)
    pattern = _DIGITS.sub(b"[0-9]+", re.escape(before)) + b"[ \t]{0,%d}" % space
    return re.compile(b"^" + pattern, re.MULTILINE) if at > line else None


def _first_field(
    data: bytes, at: int, line: int, prefix: re.Pattern[bytes] | None
) -> tuple[int, int]:
    """Return where the first one of the field lines is that end with this one, and its line."""
    while line > 0:
        before = data.rfind(b"\n", max(0, line - _LONGEST), line - 1) + 1
        match = prefix and prefix.match(data, before)
        start = match.end() if match else before
        if not _FIELD.match(data, start):
            break
        at, line = start, before
    return at, line


# -- what is around a message ----------------------------------------------------------------------

# What is a message as it is, maybe a damaged one, begins with a start line, a delimiter, or fields.
_AS_IS = re.compile(
    rb"""\s*(?: HTTP/[0-9] | METHOD [ ]+ (?: [/$] | https?: | \S+ [ \t]* \r? (?:\n|\Z) )
    | (?![0-9]) [!#$%&'*+\-.^_`|~0-9A-Za-z]+ [ ] [^\n]* [ ]HTTP/[0-9][0-9.]* [ \t]* \r? (?:\n|\Z)
    | --\S+ [ \t]* \r? (?:\n|\Z)
    | (?: [A-Za-z][A-Za-z0-9+.\-]*:/ )? /[^\s$]* \$batch )""".replace(b"METHOD", _METHOD),
    re.VERBOSE,
)
_FIELDS = re.compile(rb"(?:[A-Za-z][\w\-]*[ \t]*:[^\n]*\n|[ \t]+[^\s][^\n]*\n)+\s*")
_KNOWN_FIELD = re.compile(rb"^(?:content-|odata-|dataservice|host|accept)", re.I | re.MULTILINE)
_JSON = re.compile(rb'\s*[\[{]\s*["\]}]')
_MEMBER = re.compile(rb'"(?:requests|responses|(?:odata\.)?error)"\s*:')
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_HAS_BATCH = re.compile(rb"(?:\A|\n\r?\n)(?:--|\{)")
_BRACKET = re.compile(
    rb"\"[^\"\\]*(?:\\.[^\"\\]*)*\"?|'[^'\\]*(?:\\.[^'\\]*)*'?|([\[{])|([\]}])", re.DOTALL
)
_OPENED = (b"```", b"~~~", b"{code", b"{noformat", b"<pre", b"<code", b"[code")
_CLOSED = re.compile(
    rb"^[ \t]*(?:```|~~~|\{code\}|\{noformat\}|</pre>|</code>|\[/code\])", re.MULTILINE
)
_COMMAND = re.compile(
    rb"Invoke-(?:WebRequest|RestMethod)|fetch\(|axios|requests\.(?:post|request)\(|HttpRequest"
)
_MIXED = re.compile(rb"multipart/mixed; ?boundary=[\\`\"']*([^\s\"'\\`,;)]+)")
_IS_ANSWER = re.compile(rb'\s*\{[^\[]*"responses"|--[^\n]*\n(?:[^\n:]+:[^\n]*\n|\r?\n)*HTTP/')
_WORDS_END = re.compile(rb"[\s\"'<>,;()]+")


def _unwrapped(data: bytes, found: list[str]) -> bytes:
    """Return the message in a text, and say what was undone; a message as it is stays as it is."""
    matches = islice(_BEGIN.finditer(data), _MOST_PLACES)
    places = filter(None, (_place(data, match) for match in matches))
    first = next(places, None)
    if first is not None and _is_message(data, first):
        return data
    curl = CURL.search(data, 0, first.at if first else len(data))
    if curl is not None and (first or not data[: curl.start()].strip()):
        found.append("the text is a command of curl")
        return sent_by_curl(data[curl.end() :].decode("utf-8", "surrogateescape"))
    if first is None:
        return data
    read = _read(data, first)
    others = (_read(data, place) for place in islice(places, _MOST_MESSAGES))
    # A log has messages without a body, too.
    batches = (each for each in chain([read], others) if _HAS_BATCH.search(each[0]))
    text, said = next(batches, read)
    found += said or ["there is text around the message"]
    return text


def _read(data: bytes, place: _Place) -> tuple[bytes, list[str]]:
    """Return the message at a place, and what is undone."""
    said = []
    if place.line > 0:
        number = data.count(b"\n", 0, place.line) + 1
        said.append(f"the message begins in line {number} of the text")
    before, text = data[place.line : place.at], data[place.at :]
    if place.prefix is not None:
        text = _without(place.prefix, before, text)
        mark = quote(before.strip())
        is_marked = f"is quoted with {mark}" if mark == "'>'" else f"begins with {mark}"
        said.append(f"each line {is_marked}" if before.strip() else "lines are indented")
    if place.is_wire:
        text = WIRE.sub(octet_of, text)
        said.append("it is a log of what was sent")
    what, text, length = _respelt(text, before[-1:], place.spelling)
    said += [what] if what else []
    end = _end_of(text)
    above = data[max(0, place.line - _LONGEST) : place.line].rstrip().rpartition(b"\n")[2]
    if end is None and above.lstrip().startswith(_OPENED):
        closed = _CLOSED.search(text)
        end = None if closed is None else closed.start()
    text = text[:end]
    if place.kind in ("json", "delimiter") and not _IS_ANSWER.match(text):
        text = _head(data, place, place.at + length) + text
    return text, said


def _is_message(data: bytes, place: _Place) -> bool:
    """Tell whether a text is a message as it is, in which a message as it is may be found, too."""
    if not data[: place.at].removeprefix(BOM_UTF8).strip():
        return place.is_plain and (place.kind == "json" or place.at == place.line)
    if _JSON.match(data):
        return _MEMBER.search(data, 0, place.at) is not None
    if _AS_IS.match(data):
        return True
    head = _FIELDS.fullmatch(data, 0, place.line)
    is_body = place.is_plain and place.kind in ("json", "delimiter")
    return is_body and head is not None and _KNOWN_FIELD.search(head[0]) is not None


def _without(prefix: re.Pattern[bytes], before: bytes, text: bytes) -> bytes:
    """Return lines without what they begin with, as far as they do.

    In a log, other lines are left out. Otherwise they end the message, but not where they are its
    body and the lines of its head are marked.
    """
    first, *lines = text.split(b"\n")
    kept = [first]
    is_log = re.search(rb"\w", before) is not None
    for number, line in enumerate(lines):
        match = prefix.match(line)
        if match is not None:
            kept.append(line[match.end() :])
        elif not is_log:
            is_body = (
                line.startswith((b"{", b"--"))
                and not kept[-1].strip()
                and all(each.strip() for each in kept[:-1])
            )
            kept += lines[number:] if is_body else [b""]
            break
    return b"\n".join(kept)


def _end_of(text: bytes) -> int | None:
    """Return where a message ends, if it says so."""
    start = 0
    if not text.startswith((b"{", b"--")):
        empty_line = _EMPTY_LINE.search(text)
        start = len(text) if empty_line is None else empty_line.end()
    if text.startswith(b"--", start):
        delimiter = text[start:].partition(b"\n")[0].rstrip()
        pattern = rb"^" + re.escape(delimiter.removesuffix(b"--")) + rb"--[ \t]*(?:\r?\n|\Z)"
        close = re.compile(pattern, re.MULTILINE).search(text, start)
        return None if close is None else close.end()
    depth = 0
    for match in _BRACKET.finditer(text, start) if text.startswith(b"{", start) else ():
        depth += (match[1] is not None) - (match[2] is not None)
        if depth == 0:
            return match.end()
    return None


def _head(data: bytes, place: _Place, end: int) -> bytes:
    """Return the request line and the Content-Type of what a command or a log has the body of."""
    start = max(0, place.at - _LONGEST)
    commands = list(_COMMAND.finditer(data, start, place.at))
    around = data[place.line : place.at]
    boundary = None
    if commands:
        around = data[commands[-1].start() : place.at] + b" " + data[end : end + _LONGEST]
        boundary = _MIXED.search(around)
    words = (each for each in _WORDS_END.split(around) if b"batch" in each and b"://" in each)
    url = next(words, b"").replace(b"`", b"").replace(b"\\", b"")
    line = b"POST %b HTTP/1.1\r\n" % url[url.find(b"http") :] if b"$batch" in url else b""
    field = b'Content-Type: multipart/mixed; boundary="%b"\r\n' % boundary[1] if boundary else b""
    return line + field + b"\r\n" if line or field else b""
