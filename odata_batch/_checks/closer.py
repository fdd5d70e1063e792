"""What checking looks at more closely than decoding does, which would cost every reader time.

Delimiter lines that are misspelt, so that a part is taken for the end of a body; bodies that are no
JSON; what URLs and references mean beside the URL of the batch. Rules with the tag `check` are of
this kind. Work is linear in the size of the payload.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from odata_batch._checks.scope import Scope, Spot
from odata_batch._checks.urls import REFERENCE_ABSOLUTE
from odata_batch._graph.expressions import bindings_in, query_references, reference_in
from odata_batch._graph.names import Names
from odata_batch._graph.urls import ascii_decoded, is_batch_resource, resolve_url
from odata_batch._model import values
from odata_batch._model.findings import (
    Diagnostic,
    Rule,
    Stop,
    UnresolvedReference,
    note,
    quote,
    warning,
)
from odata_batch._model.headers import Headers
from odata_batch._model.jsonvalue import is_surely_json, scan_extent
from odata_batch._wire import grammar
from odata_batch._wire.jsontext import sound
from odata_batch._wire.mediatype import parse_media_type

JSON_BODY_SYNTAX = warning("""
    json-body-syntax (check): A body that is said to be JSON is one JSON text. [RFC 8259, 2]
    Write the body with a JSON serialiser, or say in its Content-Type what it is.""")
BODY_REFERENCE_UNKNOWN = note("""
    body-reference-unknown (check @body): A reference in a binding or in a query names a request
    that comes before. [OData Protocol, 11.7.4]
    Correct the identifier, or move the request after the one that it refers to.""")
VERSION_DIFFERS = note("""
    version-differs (check @headers.odata-version): The messages in a batch have the OData version
    of the batch. [OData Protocol, 8.1.5]
    Leave OData-Version out of the messages in the batch, or make them all agree.""")
URL_OUTSIDE_ROOT = note("""
    url-outside-root (check @url): The URLs of a batch are within the service that it is sent to.
    [OData Protocol, 11.7]
    Write the URL relative to that of the batch, without a slash at its beginning.""")
URL_OTHER_HOST = warning("""
    url-other-host (check @url): An absolute URL names the host that the batch is sent to. [OData
    Protocol, 11.7.7.1]
    Send the request to its own host, or write the URL relative to that of the batch.""")
URL_QUOTES = note("""
    url-quotes (check @url): A string in a URL ends in a quote, and quotes in it are doubled. [OData
    URL Conventions, 5.1.1.6.1]
    Write two single quotes for each one in a string.""")
URL_AMPERSAND = note("""
    url-ampersand (check @url): An ampersand in a string is percent-encoded, since a raw one ends
    the query option. [OData URL Conventions, 2]
    Write %26 for each ampersand in a string.""")
URL_PLUS = note("""
    url-plus (check @url): A plus sign in a query is percent-encoded, since many readers take a raw
    one for a space. [OData URL Conventions, 2]
    Write %2B for each plus sign that is meant.""")

# A string of OData, then what shows that it was to go on; or a quote that begins none
_STRING = re.compile(r"'(?:[^']|'')*'(?=([0-9A-Za-z_\"])?)|(')")
_OPTION = re.compile(r"\$(?:apply|compute|expand|filter|orderby|select)|@[^=]*", re.IGNORECASE)
# In a string, or in an offset from UTC
_PLUS = re.compile(r"'(?:[^'&]|'')*'|([0-9]\+[0-9]{2}:[0-9]{2})")
_ABSOLUTE_REFERENCE = re.compile(rb'"(https?://[^"\s$]*/\$([0-9A-Za-z\-._~]+))["/?#(]')
_HOST_FIELDS = ("host", "x-forwarded-host", "x-original-host")


def look_closer(
    batch: values.BatchRequest | values.BatchResponse,
    octets: bytes,
    outer: Headers,
    url: str | None,
    scope: Scope,
    taken: Sequence[int],
) -> None:
    """Report what is wrong with the messages of a batch; `url` is that of the batch itself.

    Where delimiters are `taken` to be, a body is not whole.
    """
    names, taken = None, sorted(taken)
    if isinstance(batch, values.BatchRequest):
        names = Names(batch.items, dialect=scope.dialect)
    root = None if url is None else _Root.of(url, outer)
    version = outer.get("odata-version")
    for index, (path, item) in enumerate(_leaves(batch.items)):
        say = partial(_say, scope, path, item.position)
        own = item.headers.get("odata-version")
        if own is not None and version not in (None, own):
            found = f"OData-Version is {quote(own)}, that of the batch {quote(version or '')}"
            say(VERSION_DIFFERS, found)
            version = None
        body = None
        if item.body.strip() and scope.format == "multipart":
            body, _ = scope.locate(item.position, "body")
            if body is not None and octets.startswith(item.body, body):
                if bisect_left(taken, body) == bisect_left(taken, body + len(item.body)):
                    _check_json(item, body, scope, say)
        if names is not None:
            _check_references(item, index, names, body, scope, say)
            _check_strings(item.url, say)
            if root is not None:
                root.check(item, scope, say)


def _say(
    scope: Scope,
    path: str,
    position: int | None,
    rule: Rule,
    message: str,
    member: str = "",
    span: Spot | None = None,
) -> None:
    place = span or scope.locate(position, member or rule.member)
    scope.report(Diagnostic(rule, message, place[0], path, length=place[1]))


def heads_in(request: values.BatchRequest) -> set[str]:
    """Return the paths of HEAD requests: the answer says a length, and is empty (RFC 9110, 8.6)."""
    return {path for path, item in _leaves(request.items) if item.method == "HEAD"}


def _leaves(items: Sequence[Any], parent: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the messages of these items with their paths; what could not be read is none."""
    for index, item in enumerate(items):
        path = f"{parent}items[{index}]"
        if isinstance(item, values.CHANGE_SETS):
            yield from _leaves(item.items, f"{path}.")
        elif not isinstance(item, values.Unreadable):
            yield path, item


_Say = Callable[..., None]


def _check_json(item: Any, position: int, scope: Scope, say: _Say) -> None:
    """RFC 8259, 2: a text in UTF-8, without a content coding."""
    media_type = parse_media_type(item.headers.get("content-type", ""))
    charset = (media_type.parameter("charset") or "utf-8").lower()
    if not media_type.is_json or charset != "utf-8" or "content-encoding" in item.headers:
        return
    if is_surely_json(item.body, scope.limits.json_depth):
        return
    found: list[Diagnostic] = []
    with suppress(Stop):
        text = sound(item.body, scope.limits, found.append, position)
        _, end = text.value(text.skip_space(0), scan_extent)
        if text.skip_space(end) != len(text.text):
            text.refuse(text.skip_space(end), "nothing after the JSON text")
    for each in found:
        if each.rule.fatal and each.limit is None:
            message = f"the body is not JSON: {each.message}"
            say(JSON_BODY_SYNTAX, message, span=(each.position, each.length))


def _check_references(
    item: values.Operation, index: int, names: Names, body: int | None, scope: Scope, say: _Say
) -> None:
    """OData Protocol, 11.7.4 to 11.7.6: references beside those that begin a URL."""
    if scope.dialect.references == "none":
        return
    places = [("body", id) for id in bindings_in(item, scope.dialect)]
    places += [("url", word.id) for word in query_references(item.url)]
    for member, id in dict.fromkeys(places):
        if min(names.named(id)[:1], default=index) >= index:
            where = "the body" if member == "body" else "the query"
            message = f"{where} refers to {quote(id)}, which no earlier request has as its id"
            say(BODY_REFERENCE_UNKNOWN, message, member)
            break
    found = _ABSOLUTE_REFERENCE.search(item.body)
    if found and min(names.named(found[2].decode())[:1], default=index) < index:
        message = f"found {quote(found[1])}, which is a URL like any other and no reference"
        span = None if body is None else (body + found.start(1), len(found[1]))
        say(REFERENCE_ABSOLUTE, message, "body", span)


def _check_strings(url: str, say: _Say) -> None:
    """OData URL Conventions, 2 and 5.1.1.6.1: strings in keys and query options."""
    if "'" not in url and "+" not in url:
        return
    path, _, query = url.partition("?")
    options = [each for each in query.split("&") if each]
    texts = [path] if "(" in path else []  # without, a key is a segment, which has no quotes around
    texts += [each for each in options if _OPTION.match(each) and not _is_json(each)]
    broken = [text for text in texts if _is_broken(ascii_decoded(text))]
    if any(found[1] or "+" in found[0] for found in _PLUS.finditer(query)):
        say(URL_PLUS, f"URL {quote(url)} has a raw plus sign in a value")
    elif (
        broken
        and broken[0] != path
        and "=" not in options[(options.index(broken[0]) + 1) % len(options)]
    ):
        say(URL_AMPERSAND, f"URL {quote(url)} has a raw ampersand in a string")
    elif broken:
        say(URL_QUOTES, f"URL {quote(url)} has quotes that do not pair in {quote(broken[0])}")


def _is_json(option: str) -> bool:
    """Tell whether the value of a parameter alias is JSON, whose strings have other quotes."""
    return ascii_decoded(option.partition("=")[2]).startswith(("{", "[", '"'))


def _is_broken(text: str) -> bool:
    return any(found[1] or found[2] for found in _STRING.finditer(text))


class _Root:
    """The service that a batch is sent to, by the URL of the batch."""

    def __init__(self, url: str, path: str, hosts: frozenset[str]) -> None:
        self._url, self._path, self._hosts = url, path, hosts

    @staticmethod
    def of(url: str, outer: Headers) -> _Root | None:
        """Return the service of the batch resource; `None` if this is the URL of none."""
        if not is_batch_resource(url):
            return None
        hosts = [value for name in _HOST_FIELDS for value in outer.get_all(name)]
        if url.startswith("/"):
            url = f"https://{hosts[0] if hosts else 'host.invalid'}{url}"
        match = grammar.AUTHORITY.match(url)
        if match is None:
            return None
        path = url[match.end() :].partition("?")[0].rpartition("/")[0]
        known = frozenset(map(_plain_host, (match[1], *hosts)))
        return _Root(url, f"{path}/".lower(), known)

    def check(self, item: values.Operation, scope: Scope, say: _Say) -> None:
        """Report a URL that is elsewhere."""
        if reference_in(item.url, scope.dialect) is not None:
            return
        try:
            host = item.headers.get("host")
            url = resolve_url(item.url, self._url, host=host, dialect=scope.dialect)
        except (UnresolvedReference, ValueError):
            return
        match = grammar.AUTHORITY.match(url)
        if match is None:
            return
        if _plain_host(match[1]) not in self._hosts and "host.invalid" not in self._hosts:
            say(URL_OTHER_HOST, f"URL {quote(item.url)} is on another host than the batch")
        elif not f"{url[match.end() :].partition('?')[0]}/".lower().startswith(self._path):
            say(
                URL_OUTSIDE_ROOT,
                f"URL {quote(item.url)} is {quote(url)}, not within {quote(self._path)}",
            )


def _plain_host(authority: str) -> str:
    return authority.rpartition("@")[2].lower().removesuffix(":443").removesuffix(":80").rstrip(":")
