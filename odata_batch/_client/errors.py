"""The error that a service reports: code, message and target (OData JSON, 21.1)."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from odata_batch._model.findings import DecodeError
from odata_batch._model.jsonvalue import FAULTS, value_of
from odata_batch._model.public import public
from odata_batch._model.values import OperationResponse

# <error><code>...</code><message xml:lang="...">...</message>: OData 1 to 3 and Atom, [MS-ODATA]
# 2.2.8.1. Each repetition is bounded, and none begins where another could go on.
_XML_ERROR = re.compile(r"<(?:[A-Za-z]{1,9}:)?error[ >\t\r\n]")
_XML_MEMBER = re.compile(
    r"<(?:[A-Za-z]{1,9}:)?(code|message|target)(?: [^<>]{0,200})?>([^<]{0,4000})<"
)
# Azure Tables puts the index of the operation before the message, in JSON and in XML.
_INDEX = re.compile(r"([0-9]{1,6}):")
_XML_INDEX = re.compile(rb"<(?:[a-z]{1,9}:)?message(?: [^<>]{0,200})?>[ \t\r\n]{0,9}([0-9]{1,6}):")
# What is longer is a page, or an attack; an error is neither.
_SEARCHED = 64 * 1024


@public
@dataclass(frozen=True, slots=True)
class ServiceError:
    """An error that a service reports.

    >>> ServiceError("E1", "no such thing").target is None
    True
    """

    code: str
    """The code, for programs."""
    message: str
    """The message, for people."""
    target: str | None = None
    """What the error is about, such as the name of a property."""


def error_in(response: OperationResponse) -> ServiceError | None:
    """Return the error that a response is about, if it has one of the known shapes.

    They are the `error` of OData JSON, 21.1, also with the message of OData 3, an object with
    `lang` and `value`; its `odata.error`; and the XML element `error`.
    """
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if response.status < 400 or len(body) > _SEARCHED:
        return None
    found: dict[str, Any] = {}
    with suppress(*FAULTS):
        if body.startswith(b"<"):
            from html import unescape  # which has a large table

            text = body.decode("utf-8", "replace")
            if (start := _XML_ERROR.search(text)) is not None:
                # The first of each: what is inside of an inner error comes later.
                for name, value in reversed(_XML_MEMBER.findall(text, start.end() - 1)):
                    found[name] = unescape(value).strip()
        else:
            match value_of(body, strict=False):
                case {"error": dict(error)} | {"odata.error": dict(error)}:
                    found = error
    code, message, target = (found.get(name) for name in ("code", "message", "target"))
    if isinstance(message, dict):
        message = message.get("value")
    if code is None and message is None:
        return None
    code, message = (str(each) if isinstance(each, str | int) else "" for each in (code, message))
    return ServiceError(code, message, target if isinstance(target, str) else None)


def index_in(response: OperationResponse) -> int | None:
    """Return the index with which the message of an error begins, `1:...`."""
    found: re.Match[str] | re.Match[bytes] | None = _XML_INDEX.search(response.body)
    if b'"odata.error"' in response.body:
        found = _INDEX.match(_text_at(response, "odata.error", "message", "value") or "")
    return None if found is None else int(found[1])


def content_id_in(response: OperationResponse) -> str | None:
    """Return the Content-ID that an error annotates as that of the culprit, as CAP does."""
    return _text_at(response, "error", "@Core.ContentID") if b"ContentID" in response.body else None


def _text_at(response: OperationResponse, *names: str) -> str | None:
    value: object = None
    with suppress(DecodeError):
        value = response.json()
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
