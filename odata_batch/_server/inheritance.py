"""What the requests of a batch inherit from the batch request: OData Protocol, 8.1 and 8.2."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import NamedTuple

from odata_batch._checks.messages import has_octets
from odata_batch._coding.settings import Settings
from odata_batch._model.dialect import Format
from odata_batch._model.findings import quote
from odata_batch._model.headers import (
    Headers,
    Pair,
    Pairs,
    Shape,
    headers_of,
    names_of,
    shaped,
    without,
)
from odata_batch._model.values import Operation
from odata_batch._server.answers import Refused
from odata_batch._wire import grammar
from odata_batch._wire.sections import remember

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
_NOTHING = Headers()


class _Plan(NamedTuple):
    """What becomes of the fields of an operation, which the names of its fields decide."""

    kept: Callable[[Pairs], Pairs] | None
    """What picks those that stay; `None` if all do."""
    dropped: Callable[[Pairs], Pairs]
    """What picks the others."""
    added: Pairs
    """The fields that are inherited."""
    shape: Shape
    """That of the fields that stay and are inherited."""
    dropped_shape: Shape
    """That of those that are dropped."""
    prefers: bool
    """Whether there are preferences among them, or to be inherited."""


class Inheritance:
    """What the requests of a batch inherit from the batch request, and what they may not say."""

    def __init__(
        self,
        outer: Headers,
        settings: Settings,
        response_format: Format,
        dropped: Iterable[str],
    ) -> None:
        self._json = settings.format == "json"
        self._longest = settings.limits.field_line
        names = {*dropped, *settings.dialect.forbidden_headers}
        names |= {"content-length", "transfer-encoding"}
        if response_format == "json":
            names.add("accept-encoding")  # JSON carries no body with a content coding
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
        # By the names of the fields, and whether there is a body
        self._plans: dict[tuple[tuple[str, ...], bool], _Plan] = {}

    def apply(
        self, operation: Operation, etags: Mapping[str, str], may_be_later: bool
    ) -> tuple[Headers, Headers]:
        """Return the fields of the operation and those that it inherits; and those it may not say.

        ETags take the place of references, which are outside of quotes. `Refused` for what would
        be too long then, or has a transfer coding that nobody here knows.
        """
        headers, dropped = operation.headers, _NOTHING
        key = (names_of(headers), operation.body != b"")
        plan = self._plans.get(key) or remember(self._plans, key, self._plan(*key))
        if plan.kept is not None:
            dropped = shaped(plan.dropped(headers.pairs), plan.dropped_shape)
            if self._json and "transfer-encoding" in dropped:
                _check_coding(operation)
            headers = shaped(plan.kept(headers.pairs) + plan.added, plan.shape)
        elif plan.added:
            headers = shaped(headers.pairs + plan.added, plan.shape)
        if etags:
            headers = self._with_etags(headers, etags)
        if plan.prefers:
            headers = self._with_preferences(headers, may_be_later)
        return headers, dropped

    def _plan(self, names: tuple[str, ...], has_body: bool) -> _Plan:
        kept: list[int] = []
        dropped: list[int] = []
        for index, name in enumerate(names):
            asked = _gateway_name(name)
            is_dropped = asked in self._left_out or asked.startswith(self._prefixes)
            (dropped if is_dropped else kept).append(index)
        own = [names[index] for index in kept]
        said = set(map(_unprefixed, own))
        added = [pair for pair in self._fields if _unprefixed(pair[0]) not in said]
        if self._json and has_body and "content-type" not in own:
            # A body that does not say otherwise is JSON. OData JSON, 19.1
            added.append(("Content-Type", "application/json"))
        return _Plan(
            _pick(kept) if dropped else None,
            _pick(dropped),
            tuple(added),
            Shape((*own, *(name.lower() for name, _ in added))),
            Shape(tuple([names[index] for index in dropped])),
            "prefer" in own or bool(self._preferences),
        )

    def _with_etags(self, headers: Headers, etags: Mapping[str, str]) -> Headers:
        def replaced(match: re.Match[str]) -> str:
            return etags.get(match[0], match[0])

        pairs: list[Pair] = []
        for name, value in headers.pairs:
            if name.lower() in ETAG_FIELDS:
                # What is derived is no longer than what arrives; it is not made to be measured.
                if sum(len(replaced(word)) for word in _WORD.finditer(value)) > self._longest:
                    raise Refused(431, f"{name} is too long with the ETags that it refers to")
                value = _WORD.sub(replaced, value)
            pairs.append((name, value))
        return headers_of(tuple(pairs), names_of(headers))

    def _with_preferences(self, headers: Headers, may_be_later: bool) -> Headers:
        own = list(_preferences(headers))
        names = {name for name, _ in own}
        kept = [text for name, text in own if name != "respond-async" or may_be_later]
        added = [text for name, text in self._preferences.items() if name not in names]
        if not added and len(kept) == len(own):
            return headers
        prefer = [("Prefer", ", ".join(kept + added))] if kept or added else []
        return Headers([*without(headers, "prefer").pairs, *prefer])


def _pick(indexes: list[int]) -> Callable[[Pairs], Pairs]:
    if len(indexes) == 1:
        (only,) = indexes
        return lambda pairs: (pairs[only],)
    return itemgetter(*indexes) if indexes else lambda pairs: ()


def _check_coding(operation: Operation) -> None:
    """OData JSON, 19.1: octets in base64 may have a transfer coding; and RFC 9112, 6.1."""
    coding = operation.headers["transfer-encoding"].strip(" \t")
    if has_octets(operation) and coding.lower() not in ("", "identity"):
        raise Refused(501, f"the transfer coding {quote(coding)} is not understood")


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
