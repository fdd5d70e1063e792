"""Which requests may be sent again: those that are safe, and those that a service recognises."""

from collections.abc import Callable
from datetime import datetime

from odata_batch._client.dates import http_date
from odata_batch._model import values
from odata_batch._model.headers import Headers

# RFC 9110, 9.2.1: sending them again changes nothing.
SAFE = frozenset(("GET", "HEAD"))


def made_repeatable(
    batch: values.BatchRequest, now: Callable[[], datetime] | None
) -> values.BatchRequest:
    """Return the batch with fields by which a service recognises what is sent again."""
    if now is None:
        raise ValueError("repeatable requests need the current time: pass now")
    first_sent = http_date(now())

    def change(item: values.RequestItem, path: str) -> values.RequestItem:
        if not isinstance(item, values.Operation) or item.method in SAFE:
            return item
        if "repeatability-request-id" in item.headers:
            return item
        # Some services take nothing but a UUID; this is one of version 4. RFC 9562, 5.4
        import secrets  # when needed, since this loads OpenSSL

        digits = secrets.token_hex(16)
        id = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
        fields = (("Repeatability-Request-ID", id), ("Repeatability-First-Sent", first_sent))
        return values.changed(item, headers=Headers((*item.headers.pairs, *fields)))

    return values.changed(batch, items=values.rebuilt(batch.items, change))
