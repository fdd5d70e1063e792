"""One message of a batch made fit for the other format, and what it loses thereby."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Diagnostic, Stop, quote
from odata_batch._model.headers import Headers, Pair, without
from odata_batch._model.limits import DEFAULT_LIMITS
from odata_batch._model.rules import Rule, Severity
from odata_batch._model.values import Operation, OperationResponse
from odata_batch._wire import grammar
from odata_batch._wire.json import Checker
from odata_batch._wire.sections import SINGLE_FIELDS

_Message = TypeVar("_Message", Operation, OperationResponse)
_BLANKS = b" \t\r\n"
_OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands in the batch that is converted."""

    path: str
    position: int | None


WHOLE = Place("", None)


class Losses:
    """The list of what is lost, and what the dialect says about its rules."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.found: list[Diagnostic] = []
        self._severities = dict(dialect.severities)

    def add(self, rule: Rule, message: str, place: Place) -> None:
        severity = self._severities.get(rule, rule.severity)
        self.found.append(Diagnostic(rule, message, place.position, place.path, severity))

    def refuses(self, rule: Rule) -> bool:
        """Tell whether encoding refuses what breaks the rule."""
        return self._severities.get(rule, rule.severity) > Severity.NOTE


def plain_url(item: Operation, place: Place, losses: Losses) -> Operation:
    """Encode blanks and characters that have no place in a URL (RFC 3986, 2.1)."""
    url = item.url
    if " " not in url and not grammar.URL_ODD_CHARACTER.search(url):
        return item
    rule = Rule.URL_BLANKS if " " in url else Rule.URL_CHARACTERS
    plain = grammar.URL_ODD_CHARACTER.sub(_percent_encoded, url.replace(" ", "%20"))
    losses.add(rule, f"URL {quote(url)} is percent-encoded", place)
    return replace(item, url=plain)


def _percent_encoded(match: re.Match[str]) -> str:
    octets = match[0].encode("utf-8", "surrogateescape")
    return "".join(f"%{octet:02X}" for octet in octets)


def without_body(
    item: Operation, methods: tuple[str, ...], rule: Rule, place: Place, losses: Losses
) -> Operation:
    """Leave out a body that the method must not have in the target."""
    if not item.body or item.method not in methods or not losses.refuses(rule):
        return item
    message = f"the body of {len(item.body)} octets is given up, {item.method} has none"
    losses.add(rule, message, place)
    return replace(item, body=b"")


def json_headers(item: _Message, place: Place, losses: Losses) -> _Message:
    """Leave out what would be spoiled when the values of repeated fields are joined."""
    headers = item.headers
    if len(headers) == len(headers.pairs):
        return item
    seen: set[str] = set()
    kept = []
    for name, value in headers.pairs:
        folded = name.lower()
        if folded in seen and folded == "set-cookie":
            message = f"Set-Cookie {quote(value)} is given up, JSON carries one"
            losses.add(Rule.NOT_EXPRESSIBLE, message, place)
        elif folded in seen and folded in SINGLE_FIELDS and value == headers.get_all(name)[0]:
            message = f"one of the equal fields {quote(name)} is given up"
            losses.add(Rule.REPEATED_HEADER_EQUAL, message, place)
        else:
            kept.append((name, value))
        seen.add(folded)
    return replace(item, headers=Headers(kept))


class JsonContent:
    """Makes bodies fit for JSON by the test that encoding puts them to."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._found: list[Diagnostic] = []
        self._checker = Checker(DEFAULT_LIMITS, self._found.append)

    def convert(self, item: _Message, place: Place) -> _Message:
        if not item.body:
            return item
        content_type = item.headers.get_all("content-type")
        fields = [("Content-Type", value) for value in content_type]
        self._found.clear()
        with suppress(Stop):  # a limit, which is reported, too
            octets = item.body.strip(_BLANKS) or item.body
            self._checker.check(OperationResponse(200, fields, octets))
        if not self._found:
            return item
        if self._found[0].rule is Rule.NOT_EXPRESSIBLE:
            message = "the body null is given up, it would be read as no body"
            self._losses.add(Rule.NOT_EXPRESSIBLE, message, place)
            return replace(item, body=b"")
        return self._as_octets(item, ", ".join(content_type), place)

    def _as_octets(self, item: _Message, content_type: str, place: Place) -> _Message:
        """Keep the octets, which JSON can only carry under another type."""
        found = self._found[0]
        given_up = f"Content-Type {quote(content_type)} becomes" if content_type else "it gets"
        message = f"{given_up} {_OCTETS}, so that the octets are kept: {found.message}"
        self._losses.add(found.rule, message, place)
        return replace(item, headers=_with_type(item.headers, _OCTETS))


def _with_type(headers: Headers, content_type: str) -> Headers:
    return Headers((*without(headers, "content-type").pairs, ("Content-Type", content_type)))


def multipart_message(item: _Message, place: Place, losses: Losses) -> _Message:
    lose_annotations(item.annotations, place, losses)
    fields: list[Pair] = list(_multipart_fields(item.headers, item.id, place, losses))
    if item.body and "content-type" not in item.headers:
        message = "the body gets application/json, which is what JSON takes it for"
        losses.add(Rule.CONTENT_TYPE_MISSING, message, place)
        fields.append(("Content-Type", "application/json"))
    return replace(item, headers=Headers(fields), annotations=())


def _multipart_fields(
    headers: Headers, id: str | None, place: Place, losses: Losses
) -> Iterator[tuple[str, str]]:
    for name, value in headers.pairs:
        plain = value.strip(" \t")
        if plain != value:
            message = f"header {quote(name)} loses the blanks around {quote(value)}"
            losses.add(Rule.HEADER_BLANKS, message, place)
        if name.lower() == "content-id" and plain != id:
            message = f"header {quote(name)} is given up, {quote(value)} is not the id"
            losses.add(Rule.CONTENT_ID_CONFLICT, message, place)
        else:
            yield name, plain


def lose_annotations(
    annotations: tuple[tuple[str, bytes], ...], place: Place, losses: Losses
) -> None:
    for name, _ in annotations:
        losses.add(Rule.NOT_EXPRESSIBLE, f"the annotation {quote(name)} is given up", place)
