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

from odata_batch import Diagnostic, Headers, Rule, check_request, check_response
from odata_batch._wire import grammar
from odata_batch.capture._heads import media_type

REPLACEMENT = b"\xef\xbf\xbd"
_GROWTH = len(REPLACEMENT) - 1
_BATCH = ("multipart/", "application/http", "application/json")
_TEXT = (*_BATCH, "text/", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml", "javascript", "-urlencoded")


def find_loss(kind: str, content_type: str, body: bytes, length: int | None) -> Diagnostic | None:
    r"""Return what U+FFFD in a body says, if it is in there.

    `length` is how many octets the body had when it was sent, if that is known.

    >>> find_loss("response", "image/png", b"\xef\xbf\xbdPNG", None).rule.slug
    'capture-lossy'
    """
    if not _may_be_lossy(body):
        return None
    type_ = media_type(content_type)
    whole = _verdict(type_, body, length)
    inside = _verdicts_inside(kind, content_type, body) if type_.startswith(_BATCH) else []
    number = body.count(REPLACEMENT)
    are = "U+FFFD stands once" if number == 1 else f"U+FFFD stands {number} times"
    if whole or any(verdict for verdict, _ in inside):
        lost = "other octets were sent; lengths and binary bodies cannot be believed"
        return Diagnostic(Rule.CAPTURE_LOSSY, f"{are} where {lost}")
    # Nothing was lost in the whole, or in all bodies that hold U+FFFD.
    if whole is False or number == sum(each for verdict, each in inside if verdict is False):
        return None
    text = "the text; it may have been sent so, or stand for octets that are lost"
    return Diagnostic(Rule.CAPTURE_REPLACEMENT_CHARACTER, f"{are} in {text}")


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
    request = check_request(body, content_type).value if kind == "request" else None
    response = check_response(body, content_type).value if kind == "response" else None
    leaves = request.operations() if request else response.responses() if response else ()
    is_multipart = media_type(content_type).startswith("multipart/")
    found: list[tuple[bool | None, int]] = []
    for leaf in leaves:
        if _may_be_lossy(leaf.body):
            type_ = media_type(leaf.headers.get("content-type", "")) if is_multipart else ""
            verdict = _verdict(type_, leaf.body, length_of(leaf.headers))
            found.append((verdict, leaf.body.count(REPLACEMENT)))
    return found
