"""What is captured where a batch was expected: error pages, login pages, single errors, nothing.

Proxies, gateways and identity providers answer in the place of a service, and services answer with
one error if they refuse the batch as a whole (OData Protocol, 9.4). What is quoted of them is what
a person would look for: the title of a page, the message of an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from odata_batch import Headers
from odata_batch._model.findings import quote
from odata_batch.capture._heads import media_type

_STATUS = re.compile(r"HTTP/[0-9.]+ +([1-5][0-9][0-9])(?![0-9])")
_BATCH_TYPES = ("multipart/", "application/json", "application/http")
# Titles and messages stand near the beginning; this keeps the search short whatever the body.
_REACH = 64 * 1024

_HTML = re.compile(rb"\s*(?:<!--(?s:.{0,1000}?)-->\s*)?<(?:!doctype\s+html|html|head)\b", re.I)
_HTML_TITLES = (
    re.compile(rb"<title[^<>]*>([^<]*)", re.I),
    re.compile(rb"<h[1-3][^<>]*>([^<]+)", re.I),
)
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
    start = body[:_REACH].removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(start) or (name == "text/html" and start.strip()):
        return _with_text("an HTML page", _first(_HTML_TITLES, start))
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
