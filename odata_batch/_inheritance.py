"""What the requests of a batch inherit from the batch request: OData Protocol, 8.1 and 8.2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from odata_batch import _grammar as grammar
from odata_batch._headers import Headers, Pair
from odata_batch._model import Operation
from odata_batch._prepare import Format
from odata_batch.dialects import Dialect

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
_SUPERFLUOUS = frozenset(("host", "content-length", "transfer-encoding"))


class Inheritance:
    """What the requests of a batch inherit from the batch request, and what they may not say."""

    def __init__(self, outer: Headers, dialect: Dialect, format: Format) -> None:
        self._json = format == "json"
        self._left_out = dialect.forbidden_headers | _SUPERFLUOUS
        self._fields = tuple(_inherited(outer))
        self._preferences = {
            name: text for name, text in _preferences(outer) if name in _INHERITED_PREFERENCES
        }

    def apply(self, operation: Operation, etags: Mapping[str, str], may_be_later: bool) -> Headers:
        """Return the fields of the operation and those that it inherits."""
        own = [
            (name, _with_etags(value, etags) if name.lower() in ETAG_FIELDS else value)
            for name, value in operation.headers.pairs
            if name.lower() not in self._left_out
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
