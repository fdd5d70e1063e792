"""What the requests of a batch inherit from the batch request: OData Protocol, 8.1 and 8.2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.headers import Headers, Pair, without
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
        names = (*dropped, *dialect.forbidden_headers, "content-length", "transfer-encoding")
        self._left_out = {_gateway_name(name) for name in names}
        self._prefixes = tuple(name[:-1] for name in self._left_out if name.endswith("*"))
        self._fields = []
        for name, value in outer.pairs:
            if name.lower() == "accept":
                value = _without_batches(value)
            if name.lower() in _INHERITED and value:
                self._fields.append((name, value))
        self._preferences = {
            name: text for name, text in _preferences(outer) if name in _INHERITED_PREFERENCES
        }

    def apply(
        self, operation: Operation, etags: Mapping[str, str], may_be_later: bool
    ) -> tuple[Headers, Headers]:
        """Return the fields of the operation and those that it inherits; and those it may not say.

        ETags take the place of references, which are outside of quotes.
        """
        own: list[Pair] = []
        dropped: list[Pair] = []
        for name, value in operation.headers.pairs:
            asked = _gateway_name(name)
            if asked in self._left_out or asked.startswith(self._prefixes):
                dropped.append((name, value))
                continue
            if name.lower() in ETAG_FIELDS:
                value = _WORD.sub(lambda match: etags.get(match[0], match[0]), value)
            own.append((name, value))
        names = {_unprefixed(name) for name, _ in own}
        own += [pair for pair in self._fields if _unprefixed(pair[0]) not in names]
        if self._json and operation.body and "content-type" not in names:
            # A body that does not say otherwise is JSON. OData JSON, 19.1
            own.append(("Content-Type", "application/json"))
        return self._with_preferences(Headers(own), may_be_later), Headers(dropped)

    def _with_preferences(self, headers: Headers, may_be_later: bool) -> Headers:
        own = list(_preferences(headers))
        names = {name for name, _ in own}
        kept = [text for name, text in own if name != "respond-async" or may_be_later]
        added = [text for name, text in self._preferences.items() if name not in names]
        if not added and len(kept) == len(own):
            return headers
        prefer = [("Prefer", ", ".join(kept + added))] if kept or added else []
        return Headers([*without(headers, "prefer").pairs, *prefer])


def _gateway_name(name: str) -> str:
    """Return the name as CGI and WSGI see it, to which `X_Forwarded_For` is no other field."""
    return name.lower().replace("_", "-")


def _without_batches(accept: str) -> str:
    """Leave out the media types of batches: the field speaks of the batch response, too."""
    ranges = [each.strip(" \t") for each in accept.split(",")]
    kept = [
        each for each in ranges if not each.lower().startswith(("multipart/", "application/http"))
    ]
    return accept if len(kept) == len(ranges) else ", ".join(kept)


def _unprefixed(name: str) -> str:
    name = name.lower()
    return "isolation" if name == "odata-isolation" else name


def _preferences(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield the preferences of a message, each with its name, in lower case and without prefix."""
    for value in headers.get_all("prefer"):
        for match in grammar.PREFERENCE.finditer(value):
            yield match[1].lower().removeprefix("odata."), match[0].strip(" \t")
