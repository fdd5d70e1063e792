"""Captures that have lost octets: who keeps a message as text puts U+FFFD where it is not UTF-8.

The loss cannot be undone, only recognised. A body in which octets were replaced is UTF-8 from
beginning to end; one that is not has lost nothing, even if a picture in it holds the three octets
of U+FFFD by chance. Then two things show a loss: U+FFFD in a body that is no text, and a body that
is longer than its Content-Length says, by what U+FFFD has made it grow. It takes three octets where
one was, or two, or three. A Content-Length that is right shows that nothing was lost. What is left
are texts that hold U+FFFD, which may have been sent so. All of a JSON batch is text: if a body in
it should be binary and holds U+FFFD, it was the sender who has lost octets.
"""

from __future__ import annotations

from odata_batch import Headers, Rule, check_request, check_response
from odata_batch._wire import grammar
from odata_batch.capture._heads import media_type

REPLACEMENT = b"\xef\xbf\xbd"
_GROWTH = len(REPLACEMENT) - 1
_BATCH = ("multipart/", "application/http", "application/json")
_TEXT = (*_BATCH, "text/", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml", "javascript", "-urlencoded")


def find_loss(kind: str, content_type: str, body: bytes, length: int | None) -> Rule | None:
    r"""Return the rule that U+FFFD in a body is an instance of, if it is in there.

    `length` is how many octets the body had when it was sent, if that is known.

    >>> find_loss("response", "image/png", b"\xef\xbf\xbdPNG", None).slug
    'capture-lossy'
    """
    if not _may_be_lossy(body):
        return None
    type_ = media_type(content_type)
    whole = _verdict(type_, body, length)
    inside = _verdicts_inside(kind, content_type, body) if type_.startswith(_BATCH) else []
    if whole or any(verdict for verdict, _ in inside):
        return Rule.CAPTURE_LOSSY
    # Nothing was lost in the whole, or in all bodies that hold U+FFFD.
    intact = sum(number for verdict, number in inside if verdict is False)
    is_intact = whole is False or intact == body.count(REPLACEMENT)
    return None if is_intact else Rule.CAPTURE_REPLACEMENT_CHARACTER


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
    # One CRLF in front of a delimiter that belongs to nobody is common.
    is_line_end = growth == len(b"\r\n") and body.endswith(b"\r\n")
    if growth is not None and 0 < growth <= most and not is_line_end:
        return True
    is_text = not type_ or type_.startswith(_TEXT) or type_.endswith(_TEXT_SUFFIXES)
    return None if is_text else True


def _verdicts_inside(kind: str, content_type: str, body: bytes) -> list[tuple[bool | None, int]]:
    """Return what the bodies in a batch show, and how often U+FFFD appears in them."""
    if kind == "request":
        request = check_request(body, content_type).value
        leaves = [(each.headers, each.body) for each in request.operations()] if request else []
    else:
        response = check_response(body, content_type).value
        leaves = [(each.headers, each.body) for each in response.responses()] if response else []
    is_multipart = media_type(content_type).startswith("multipart/")
    found: list[tuple[bool | None, int]] = []
    for headers, content in leaves:
        if _may_be_lossy(content):
            type_ = media_type(headers.get("content-type", "")) if is_multipart else ""
            verdict = _verdict(type_, content, length_of(headers))
            found.append((verdict, content.count(REPLACEMENT)))
    return found
