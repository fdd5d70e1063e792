"""How the body of a message appears in JSON (OData JSON, 19.1): itself, as text, or in base64.

A JSON body is the slice of the source text that spells it: it is never parsed into Python values
and written again, so the spelling of its numbers and the order of its members survive. Where the
dialect writes JSON bodies as base64, a string is read so if JSON comes out, and else as it is.
"""

from __future__ import annotations

import binascii
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from json.encoder import encode_basestring as quoted
from typing import Final, Literal, NamedTuple

from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import (
    Diagnostic,
    Problem,
    Reporter,
    Stop,
    error,
    note,
    quote,
    warning,
)
from odata_batch._model.headers import Headers
from odata_batch._model.jsonvalue import is_surely_json, scan_extent, scan_value
from odata_batch._model.limits import Limits, remember
from odata_batch._model.values import NOT_EXPRESSIBLE
from odata_batch._wire.jsontext import JSON_SURROGATE, sound
from odata_batch._wire.mediatype import parse_media_type

# How many arrays and objects are around the members of an item: its own, the array, the batch's
DEPTH: Final = 3
SPACE: Final = b" \t\r\n"
# As many octets are converted at a time, a multiple of three.
_PIECE: Final = 3 * 2**13


class Content(NamedTuple):
    """How the bodies of one Content-Type appear: as themselves, as text, or in base64url."""

    form: Literal["json", "text", "binary"]
    content_type: str
    charset: str = "utf-8"
    codec: str | None = None
    """The codec of Python for a text in that charset; `None` if the charset is not known."""


class Contents(dict[str | None, Content]):
    """The contents that values of Content-Type announce: a batch has few media types.

    Without Content-Type it is JSON. Some dialects have text in base64, too.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._has_texts = dialect.json_bodies != "objects"

    def __missing__(self, content_type: str | None) -> Content:
        media_type = parse_media_type(content_type or "")
        if media_type.is_json or content_type is None:
            content = Content("json", content_type or "")
        elif media_type.is_text and self._has_texts:
            charset = media_type.parameter("charset") or "utf-8"
            content = Content("text", content_type, charset, _CODECS.get(charset.lower()))
        else:
            content = Content("binary", content_type)
        return remember(self, content_type, content)

    def of(self, headers: Headers) -> Content:
        """Return the content that the headers announce."""
        return self[headers.get("content-type")]


# No charset is looked up by a name that was received: some codecs take quadratic time, or are none.
_CODECS: Final[Mapping[str, str]] = {
    **{name: name for name in ("utf-8", "iso-8859-1", "koi8-r", "koi8-u", "shift_jis", "euc-jp")},
    **{name: name for name in ("euc-kr", "gb18030", "big5", "utf-16le", "utf-16be")},
    **{name: name for name in (f"iso-8859-{part}" for part in range(2, 17) if part != 12)},
    **{name: name for name in (f"windows-{page}" for page in range(1250, 1259))},
    **{"utf8": "utf-8", "us-ascii": "ascii", "ascii": "ascii", "latin1": "iso-8859-1"},
}


JSON_BODY_TYPE = warning("""
    json-body-type: A body whose media type is not JSON is a string. [OData JSON, 19.1]
    Write the body as a string, text as it is and other octets in base64url.""")
BASE64 = error("""
    base64: A binary body is base64url, without white space, with the unused bits zero. [RFC
    4648, 5]
    Encode the octets as base64url, on one line.""")
JSON_BODY_LOSSY = warning("""
    json-body-lossy (lossy): A binary body is base64url, not text in which octets were replaced by
    U+FFFD. [OData JSON, 19.1]
    Encode the octets as base64url, before anything reads them as text.""")
BASE64_ALPHABET = warning("""
    base64-alphabet: A binary body is written with the alphabet of base64url, with - and _. [OData
    JSON, 19.1]
    Write - for + and _ for /.""")
JSON_BODY_TEXT = warning("""
    json-body-text: A body that is neither JSON nor text/* is base64url, even if it can be read.
    [OData JSON, 19.1]
    Encode the octets as base64url.""")
TEXT_CHARSET = warning("""
    text-charset (lossy unwritten): The charset of a text body is a well-known one, and can hold the
    text. [OData JSON, 19.1]
    Write the text in UTF-8, and say charset=utf-8 in its content-type.""")
JSON_BODY_NOT_BASE64 = note("""
    json-body-not-base64: A string is the base64 of a JSON body, where the service writes bodies so.
    [Microsoft Graph, JSON batching, Creating a batch request]
    Write the body as a JSON object, or encode it in base64.""")


# Media types that are text without being called so: what is no base64 is meant as it is.
_READABLE = re.compile(
    r"(?i:text/[^;]*|[^;]*[/+]xml|application/x-www-form-urlencoded)[ \t]*(?:;.*)?", re.DOTALL
)


def read_body(
    raw: bytes, content: Content | None, dialect: Dialect, limits: Limits
) -> tuple[bytes, Problem | None]:
    """Return the octets that the JSON value `raw` is in place of, and what is wrong with it."""
    if raw == b"null" or content is None:
        return b"", None
    is_string = raw.startswith(b'"')
    if content.form == "json" and not (is_string and dialect.json_bodies == "base64"):
        return raw, None
    if not is_string:
        found = f"the body of {quote(content.content_type)} is {quote(raw)}"
        return raw, (JSON_BODY_TYPE, f"{found}, expected a string")
    text, _ = scan_value(raw.decode("utf-8"), 0)
    if content.form == "text":
        with suppress(UnicodeError):
            octets = text.encode(content.codec or "ascii")
            if content.codec is not None and octets.decode(content.codec) == text:
                return octets, None
        message = f"the charset {quote(content.charset)} is unknown, or cannot hold the text"
        return text.encode("utf-8", "replace"), (TEXT_CHARSET, message)
    octets, plain = decode_base64(text), text.encode("utf-8", "replace")
    is_whole = "\ufffd" not in text and plain.decode("utf-8") == text
    if octets is None and is_whole and _READABLE.fullmatch(content.content_type):
        message = f"the body of {quote(content.content_type)} is text, expected base64url"
        return plain, (JSON_BODY_TEXT, message)
    if content.form == "json" and (octets is None or check_body(octets, content, limits)):
        message = f"found {quote(raw)}, not the base64 of a JSON body; it is read as it is"
        return raw, (JSON_BODY_NOT_BASE64, message)
    if octets is None:
        rule = JSON_BODY_LOSSY if "\ufffd" in text else BASE64
        message = f"found {quote(text)}, expected base64url"
        return plain, (rule, message)
    if ("+" in text or "/" in text) and not dialect.base64_standard_alphabet:
        message = f"found {quote(text)}, with + or /, expected - or _"
        return octets, (BASE64_ALPHABET, message)
    return octets, None


def write_body(body: bytes, content: Content, dialect: Dialect) -> bytes:
    """Return the JSON value in place of a body that `check_body` has found nothing wrong with."""
    if content.form == "json" and dialect.json_bodies != "base64":
        return body
    if content.form == "text":
        return quoted(body.decode(content.codec or "utf-8")).encode("utf-8")
    return b'"%b"' % encode_base64(body, dialect)


def write_pieces(
    pieces: Iterable[bytes], content: Content, dialect: Dialect, report: Reporter
) -> Iterator[bytes]:
    """Yield what is between the quotes of a string in place of a body that arrives in pieces.

    Its charset is known. After what is no text in that, which is reported, nothing is read.
    """
    carry = b""
    # A character is at most six octets in JSON.
    parts = (each[at : at + _PIECE] for each in pieces for at in range(0, len(each), _PIECE))
    if content.codec is None:
        for part in parts:
            carry += part
            end = len(carry) - len(carry) % 3
            yield encode_base64(carry[:end], dialect)
            carry = carry[end:]
        yield encode_base64(carry, dialect)
        return
    decoder = getincrementaldecoder(content.codec)()
    for part in chain(parts, (b"",)):
        carry += part
        with suppress(UnicodeError):
            text = decoder.decode(part, final=not part)
            octets = text.encode(content.codec)
            if carry.startswith(octets) if part else carry == octets:
                carry = carry[len(octets) :]
                yield quoted(text)[1:-1].encode("utf-8")
                continue
        report(_no_text(carry, content))
        return


def check_body(body: bytes, content: Content, limits: Limits) -> list[Diagnostic]:
    """Return why JSON cannot carry the body."""
    if content.form == "json":
        body = body.strip(SPACE) or body
        found = check_json(body, "the body", limits, DEPTH)
        if body == b"null":
            message = "the body null would be read as no body"
            found.append(Diagnostic(NOT_EXPRESSIBLE, message))
        return found
    if content.form == "binary":
        return []
    with suppress(UnicodeError):
        if content.codec is not None and body.decode(content.codec).encode(content.codec) == body:
            return []
    return [_no_text(body, content)]


def _no_text(octets: bytes, content: Content) -> Diagnostic:
    message = f"the body {quote(octets)} is not text in charset {quote(content.charset)}"
    return Diagnostic(TEXT_CHARSET, message)


def check_json(octets: bytes, what: str, limits: Limits, depth: int) -> list[Diagnostic]:
    """Return why the octets are no JSON text that can be `depth` levels deep in a batch."""
    found: list[Diagnostic] = []
    if is_surely_json(octets, limits.json_depth - depth):
        return found

    def report(diagnostic: Diagnostic) -> None:
        message = f"{what} is not allowed in a JSON batch: {diagnostic.message}"
        found.append(Diagnostic(diagnostic.rule, message, limit=diagnostic.limit))

    with suppress(Stop):  # it has been reported
        text = sound(octets, limits, report, depth=depth)
        _, end = text.value(0, scan_extent)
        if end != len(text.text):
            text.refuse(end, "nothing after it")
        if (half := text.half(JSON_SURROGATE, 0, len(octets))) is not None:
            report(half)
    return found


def decode_base64(text: str) -> bytes | None:
    """Return the octets; `None` if the text is not canonical.

    Both alphabets are read, not mixed; padding is optional, unused bits are zero (RFC 4648, 3.5).
    """
    digits = text.rstrip("=")
    padded = digits + "=" * (-len(digits) % 4)
    is_standard = "+" in text or "/" in text
    plain = padded if is_standard else padded.replace("-", "+").replace("_", "/")
    with suppress(ValueError):
        octets = binascii.a2b_base64(plain)
        if (
            text in (digits, padded)
            and binascii.b2a_base64(octets, newline=False) == plain.encode()
        ):
            return octets
    return None


def encode_base64(octets: bytes, dialect: Dialect) -> bytes:
    """Return base64url, or what the dialect wants in its place."""
    text = binascii.b2a_base64(octets, newline=False)
    if not dialect.base64_standard_alphabet:
        text = text.replace(b"+", b"-").replace(b"/", b"_")
    return text if dialect.base64_padding else text.rstrip(b"=")
