"""What the requests of a batch inherit from the batch request: OData Protocol, 8.1 and 8.2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.headers import Headers, Pair
from odata_batch._model.values import Operation
from odata_batch._wire import grammar

ETAG_FIELDS = frozenset(("if-match", "if-none-match"))
"""The fields in which a reference stands for the ETag of a response (OData Protocol, 11.7.5)."""
# entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE, or a reference        RFC 9110, 8.8.3
_WORD = re.compile(r'"[^"]*"?|[^\s,"]+')
# OData Protocol, 8.1 and 8.2; the versions of OData 2 are inherited like those of OData 4.
_INHERITED = frozenset(
    """
    accept accept-charset accept-language content-language isolation odata-isolation odata-version
    odata-maxversion dataserviceversion maxdataserviceversion
    """.split()
)
_INHERITED_PREFERENCES = frozenset(("allow-entityreferences", "include-annotations"))
_SUPERFLUOUS = frozenset(("content-length", "transfer-encoding"))

# Fields by which a proxy or a gateway tells the application who asks, and for what: the operation's
# own would be believed. A name that ends in "*" stands for all that begin so. With the hop-by-hop
# fields of RFC 9110, 7.6.1.
DROPPED_HEADERS = frozenset(
    """
    host forwarded x-forwarded-* x-original-* x-rewrite-url x-real-ip x-client-ip true-client-ip
    cf-connecting-ip remote-user x-remote-user x-auth-request-* x-arr-* x-ms-client-principal*
    x-ssl-* proxy x-http-method* connection keep-alive upgrade te trailer
    """.split()
)


class Inheritance:
    """What the requests of a batch inherit from the batch request, and what they may not say."""

    def __init__(
        self, outer: Headers, dialect: Dialect, format: Format, dropped: Iterable[str]
    ) -> None:
        self._json = format == "json"
        left_out = {_gateway_name(name) for name in (*dropped, *dialect.forbidden_headers)}
        left_out |= _SUPERFLUOUS
        self._prefixes = tuple(name[:-1] for name in left_out if name.endswith("*"))
        self._left_out = left_out
        self._fields = tuple(_inherited(outer))
        self._preferences = {
            name: text for name, text in _preferences(outer) if name in _INHERITED_PREFERENCES
        }

    def dropped(self, operation: Operation) -> tuple[Pair, ...]:
        """Return the operation's own fields that it may not say."""
        return tuple(pair for pair in operation.headers.pairs if self._is_dropped(pair[0]))

    def _is_dropped(self, name: str) -> bool:
        name = _gateway_name(name)
        return name in self._left_out or name.startswith(self._prefixes)

    def apply(self, operation: Operation, etags: Mapping[str, str], may_be_later: bool) -> Headers:
        """Return the fields of the operation and those that it inherits."""
        own = [
            (name, _with_etags(value, etags) if name.lower() in ETAG_FIELDS else value)
            for name, value in operation.headers.pairs
            if not self._is_dropped(name)
        ]
        names = {_unprefixed(name) for name, _ in own}
        own += [pair for pair in self._fields if _unprefixed(pair[0]) not in names]
        if self._json and operation.body and "content-type" not in names:
            # A body that does not say otherwise is JSON. OData JSON, 19.1
            own.append(("Content-Type", "application/json"))
        return self._with_preferences(Headers(own), may_be_later)

    def _with_preferences(self, headers: Headers, may_be_later: bool) -> Headers:
        own = list(_preferences(headers))
        names = {name for name, _ in own}
        kept = [text for name, text in own if name != "respond-async" or may_be_later]
        added = [text for name, text in self._preferences.items() if name not in names]
        if not added and len(kept) == len(own):
            return headers
        pairs = [pair for pair in headers.pairs if pair[0].lower() != "prefer"]
        return Headers([*pairs, *([("Prefer", ", ".join(kept + added))] if kept + added else [])])


def _gateway_name(name: str) -> str:
    """Return the name as CGI and WSGI see it, to which `X_Forwarded_For` is no other field."""
    return name.lower().replace("_", "-")


def _with_etags(value: str, etags: Mapping[str, str]) -> str:
    """Put the ETags in the place of the references, which stand outside of quotes."""
    return _WORD.sub(lambda match: etags.get(match[0], match[0]), value)


def _inherited(outer: Headers) -> Iterator[Pair]:
    for name, value in outer.pairs:
        if name.lower() == "accept":
            value = _without_batches(value)
        if name.lower() in _INHERITED and value:
            yield name, value


def _without_batches(accept: str) -> str:
    """Leave out the media types of batches: the field speaks of the batch response, too."""
    ranges = [each.strip(" \t") for each in accept.split(",")]
    kept = [
        each for each in ranges if not each.lower().startswith(("multipart/", "application/http"))
    ]
    return accept if len(kept) == len(ranges) else ", ".join(kept)


def _unprefixed(name: str) -> str:
    return (
        name.lower().removeprefix("odata-") if name.lower() == "odata-isolation" else name.lower()
    )


def _preferences(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield the preferences of a message, each with its name, in lower case and without prefix."""
    for value in headers.get_all("prefer"):
        for match in grammar.PREFERENCE.finditer(value):
            yield match[1].lower().removeprefix("odata."), match[0].strip(" \t")
