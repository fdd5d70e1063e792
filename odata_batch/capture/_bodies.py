"""What the body of a captured message is: which batch it looks like, or what is there instead.

Proxies, gateways and identity providers answer in the place of a service, and services answer with
one error if they refuse the batch as a whole (OData Protocol, 9.4). What is quoted of them is what
a person would look for: the title of a page, the message of an error.

A tool that keeps a message as text puts U+FFFD where it is not UTF-8. The loss cannot be undone,
only recognised. A body in which octets were replaced is UTF-8 from beginning to end; one that is
not has lost nothing, even if a picture in it holds the three octets of U+FFFD by chance. Then two
things show a loss: U+FFFD in a body that is no text, and a body that is longer than its
Content-Length says, by what U+FFFD has made it grow. It takes three octets where one was, or two,
or three. A Content-Length that is right shows that nothing was lost. What is left are texts that
hold U+FFFD, which may have been sent so. All of a JSON batch is text: if a body in it should be
binary and holds U+FFFD, it was the sender that lost octets.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Final, Literal

from odata_batch._coding import reading
from odata_batch._coding.settings import Settings
from odata_batch._model.findings import Diagnostic, note, quote
from odata_batch._model.headers import Headers
from odata_batch._model.values import BatchRequest, BatchResponse, leaves
from odata_batch._wire import grammar
from odata_batch.capture import _raw
from odata_batch.capture._raw import media_type

# -- what it looks like ---------------------------------------------------------------------------

_DELIMITER_LINE = re.compile(rb"^--", re.MULTILINE)
# The first start line in a multipart body: nothing else in a head is a word and a space.
_START_LINE_IN_PART = re.compile(rb"^(?:(HTTP/[0-9])|[A-Za-z]+ +[^ :])", re.MULTILINE)
_JSON_MEMBER = re.compile(rb'"(requests|responses|(?:odata\.)?error)"[ \t\r\n]*:')


def content_type_of(body: bytes) -> str:
    """Return `application/json` or `multipart/mixed` with its boundary, or nothing."""
    if _is_json(body):
        return "application/json"
    line = _raw.first_line(body)[1].rstrip(b" \t")
    if not line.startswith(b"--") or line == b"--":
        return ""
    # A close delimiter that is alone is an empty batch.
    is_closed = line.endswith(b"--") and body.count(line) == 1
    boundary = (line[2:-2] if is_closed else line[2:]).decode("latin-1")
    quoted = boundary.replace("\\", "\\\\").replace('"', '\\"')
    return f'multipart/mixed; boundary="{quoted}"'


def kind_of(start_line: str, body: bytes) -> Literal["request", "response"]:
    """Return who has sent a message: what the start line says, or else what the body looks like."""
    octets = start_line.encode("latin-1")
    if _raw.STATUS_LINE.match(octets):
        return "response"
    if _raw.REQUEST_LINE.match(octets):
        return "request"
    if _is_json(body):
        member = _JSON_MEMBER.search(body)
        return "response" if member is not None and member[1] != b"requests" else "request"
    delimiter = _DELIMITER_LINE.search(body)
    line = _START_LINE_IN_PART.search(body, 0 if delimiter is None else delimiter.start())
    return "response" if line is not None and line[1] else "request"


def _is_json(body: bytes) -> bool:
    return body.removeprefix(BOM_UTF8).lstrip(b" \t\r\n")[:1] == b"{"


# -- what is there instead -----------------------------------------------------------------------

_BATCH_TYPES = ("multipart/", "application/http", "application/json")
_STATUS = re.compile(r"HTTP/[0-9.]+ +([1-5][0-9][0-9])(?![0-9])")
# Titles and messages are near the beginning; this keeps the search short whatever the body.
_REACH = 64 * 1024

_HTML = re.compile(rb"\s*(?:<!--(?s:.{0,1000}?)-->\s*)?<(?:!doctype\s+html|html|head)\b", re.I)
_TITLES = (re.compile(rb"<title[^<>]*>([^<]*)", re.I), re.compile(rb"<h[1-3][^<>]*>([^<]+)", re.I))
_XML = re.compile(rb"\s*<(?:\?xml\s|[A-Za-z][\w.:-]*[\s/>])")
# OData up to 3.0 has error/message, SOAP has faultstring or Reason/Text.
_XML_MESSAGES = (
    re.compile(rb"<(?:[\w.-]+:)?message(?:\s[^<>]*)?>([^<]+)", re.I),
    re.compile(rb"<(?:[\w.-]+:)?(?:faultstring|Text)(?:\s[^<>]*)?>([^<]+)"),
)
_JSON_START = re.compile(rb"\s*[\[{]")
_JSON_BATCH = re.compile(rb'"(?:requests|responses)"\s*:\s*\[')
_JSON_ERRORS = frozenset(("error", "odata.error"))
_DELIMITER = re.compile(rb"\s*--[^\s>]")
_JSON_MESSAGES: Final = ("message", "Message", "error_description", "detail", "title")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def status_of(start_line: str) -> int | None:
    """Return the status code of a status line.

    >>> status_of("HTTP/1.1 413 Request Entity Too Large")
    413
    """
    match = _STATUS.match(start_line)
    return None if match is None else int(match[1])


def is_json_batch(body: bytes) -> bool:
    """Tell whether a body is a JSON batch; arrays that are called so are common elsewhere, too.

    >>> is_json_batch(b'{"requests":[{"method":"GET","url":"People"}]}')
    True
    >>> is_json_batch(b'{"requests":[{"indexName":"people","query":"Ann"}]}')
    False
    """
    match _parsed(body) if _JSON_BATCH.search(body) else None:
        case {"requests": [{"method": _, "url": _}, *_]}:
            return True
        case {"responses": [{"id": _, "status": _}, *_]}:
            return True
    return False


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def what_instead(start_line: str, headers: Headers, content_type: str, body: bytes) -> str | None:
    """Return what a message holds in place of a batch, or `None` if it may hold one.

    Its Content-Type decides; below that of a batch, a response is an error if it is empty or is a
    JSON error, and of anything else the decoders say what is wrong.

    >>> page = b"<html><head><title>Request Entity Too Large</title></head></html>"
    >>> what_instead("HTTP/1.1 413 Too Large", Headers(), "text/html", page)
    "status 413 with an HTML page 'Request Entity Too Large'"
    """
    name = media_type(content_type)
    status = status_of(start_line)
    if name != "multipart/form-data" and name.startswith(_BATCH_TYPES):
        what = _refusal(start_line, name, body)
    elif _DELIMITER.match(body) or is_json_batch(body):
        return None
    else:
        what = _page(name, body)
        if what is None and status is not None:
            what = "form data" if name in _FORMS else "an empty body"
            if body and name in ("", "text/plain"):
                what = _with_text("the text", body[:_REACH])
            elif body and name not in _FORMS:
                what = f"a body of {name[:60]!r}"
    if status is None or what is None:
        return what
    location = headers.get("location")
    if location is not None and 300 <= status < 400:
        what = f"a redirection to {_quoted(location.encode('utf-8', 'replace'))}"
    return f"status {status} with {what}"


def _refusal(start_line: str, name: str, body: bytes) -> str | None:
    """Return what a response of a Content-Type of batches is if the batch was refused."""
    status = status_of(start_line)
    if start_line and status is None:
        return None
    is_error = status is not None and status >= 400
    if is_error and not body.strip():
        return "an empty body"
    found = _object(body) if name == "application/json" else {}
    if found.keys() & _JSON_ERRORS or (is_error and found.keys() & set(_JSON_MESSAGES)):
        return _with_text("a JSON error", _json_message(found))
    return None


def _page(name: str, body: bytes) -> str | None:
    """Return what a body is that a person can read and that is no batch."""
    start = body[:_REACH].removeprefix(BOM_UTF8)
    if _HTML.match(start) or (name == "text/html" and start.strip()):
        return _with_text("an HTML page", _first(_TITLES, start))
    if _XML.match(start):
        message = _first(_XML_MESSAGES, start)
        return "an XML document" if message is None else _with_text("an XML error", message)
    if _JSON_START.match(start):
        message = _json_message(_object(body))
        return None if message is None else _with_text("a JSON error", message)
    return None


def _first(patterns: tuple[re.Pattern[bytes], ...], start: bytes) -> bytes | None:
    matches = (pattern.search(start) for pattern in patterns)
    return next((match[1] for match in matches if match is not None), None)


def _object(body: bytes) -> Mapping[str, object]:
    """Return the members of a JSON object that may be an error; of anything else, none."""
    found = _parsed(body) if len(body) <= _REACH else None
    return found if isinstance(found, dict) and not found.keys() & {"requests", "responses"} else {}


def _json_message(found: Mapping[str, object]) -> bytes | None:
    """Return the message of a JSON error in one of the usual shapes, empty if it has none."""
    # Azure Tables and OData 3.0 JSON Light call it odata.error.
    error = found.get("error", found.get("odata.error", found))
    if not isinstance(error, dict):
        error = found if "error_description" in found else {"message": error}
    for name in _JSON_MESSAGES:
        match error.get(name):
            # OData up to 3.0: {"message": {"lang": "en-US", "value": "..."}}
            case str(message) | {"value": str(message)}:
                return message.encode("utf-8", "replace")
    return b"" if found.keys() & _JSON_ERRORS else None


def _with_text(what: str, text: bytes | None) -> str:
    return what if not (text or b"").strip() else f"{what} {_quoted(text or b'')}"


def _quoted(text: bytes) -> str:
    return quote(" ".join(text.decode("utf-8", "replace").split()))


# -- what was lost --------------------------------------------------------------------------------

REPLACEMENT = b"\xef\xbf\xbd"
_GROWTH = len(REPLACEMENT) - 1
_TEXT = (*_BATCH_TYPES, "text/", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml", "javascript", "-urlencoded")


CAPTURE_LOSSY = note("""
    capture-lossy: A capture keeps the octets of the message and replaces none of them by U+FFFD.
    [RFC 9112, 2.2]
    Capture with a tool that keeps octets, and do not save binary content as text.""")
CAPTURE_REPLACEMENT_CHARACTER = note("""
    capture-replacement-character: U+FFFD in a captured text is there because it was sent, not
    in place of lost octets. [RFC 9112, 2.2]
    Compare with another capture if characters seem to be wrong.""")


def find_replacement(
    kind: str, content_type: str, body: bytes, length: int | None
) -> Diagnostic | None:
    r"""Return what U+FFFD in a body says, if it is in there.

    `length` is how many octets the body had when it was sent, if that is known.

    >>> find_replacement("response", "image/png", b"\xef\xbf\xbdPNG", None).rule.slug
    'capture-lossy'
    """
    if not _may_be_lossy(body):
        return None
    type_ = media_type(content_type)
    whole = _verdict(type_, body, length)
    inside = _verdicts_inside(kind, content_type, body) if type_.startswith(_BATCH_TYPES) else []
    number = body.count(REPLACEMENT)
    are = "U+FFFD appears once" if number == 1 else f"U+FFFD appears {number} times"
    if whole or any(verdict for verdict, _ in inside):
        lost = "other octets were sent; lengths and binary bodies cannot be believed"
        return Diagnostic(CAPTURE_LOSSY, f"{are} where {lost}")
    # Nothing was lost in the whole, or in all bodies that hold U+FFFD.
    if whole is False or number == sum(each for verdict, each in inside if verdict is False):
        return None
    text = "the text; it may have been sent so, or replace octets that are lost"
    return Diagnostic(CAPTURE_REPLACEMENT_CHARACTER, f"{are} in {text}")


def length_of(headers: Headers) -> int | None:
    """Return the Content-Length, if it is a number."""
    values = headers.get_all("content-length")
    return int(values[0]) if values and grammar.CONTENT_LENGTH.fullmatch(values[0]) else None


def _may_be_lossy(body: bytes) -> bool:
    if REPLACEMENT not in body:
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _verdict(type_: str, body: bytes, length: int | None) -> bool | None:
    """Tell whether octets were replaced; `None` if nothing shows it, or the opposite."""
    growth = None if length is None else len(body) - length
    if growth == 0:
        return False
    most = _GROWTH * body.count(REPLACEMENT)
    # One CRLF too many before a delimiter is common.
    is_line_end = growth == len(b"\r\n") and body.endswith(b"\r\n")
    if growth is not None and 0 < growth <= most and not is_line_end:
        return True
    is_text = not type_ or type_.startswith(_TEXT) or type_.endswith(_TEXT_SUFFIXES)
    return None if is_text else True


def _verdicts_inside(kind: str, content_type: str, body: bytes) -> list[tuple[bool | None, int]]:
    """Return what the bodies in a batch show, and how often U+FFFD appears in them."""
    read = Settings(), body, content_type, ()
    batch: BatchRequest | BatchResponse | None
    if kind == "request":
        batch = reading.check(reading.RequestDecoder, *read).value
    else:
        batch = reading.check(reading.ResponseDecoder, *read).value
    is_multipart = media_type(content_type).startswith("multipart/")
    found: list[tuple[bool | None, int]] = []
    for leaf in leaves(batch.items if batch else ()):
        if _may_be_lossy(leaf.body):
            type_ = media_type(leaf.headers.get("content-type", "")) if is_multipart else ""
            verdict = _verdict(type_, leaf.body, length_of(leaf.headers))
            found.append((verdict, leaf.body.count(REPLACEMENT)))
    return found
