r"""Captured payloads: what a proxy, a log, a browser or an editor has kept of HTTP (RFC 9112, 2.1).

A capture is read as it comes. Of a raw message the lines may end in LF, the start line may be
missing, or both the start line and the header section; what had to be guessed is a diagnostic.
Nothing frames the body: it is everything behind the empty line, with its codings undone. HAR and
SAZ files hold many messages, in pairs, most of which are no batches.

>>> message = parse_message(b'POST /$batch HTTP/1.1\n\n{"requests":[]}')
>>> message.kind, message.content_type, message.body_position
('request', 'application/json', 23)
"""

from odata_batch.capture._message import (
    LOSS_EXPLAINS,
    Exchange,
    Kind,
    Message,
    parse_capture,
    parse_har,
    parse_message,
    parse_saz,
)

__all__ = [
    "LOSS_EXPLAINS",
    "Exchange",
    "Kind",
    "Message",
    "parse_capture",
    "parse_har",
    "parse_message",
    "parse_saz",
]
