"""What the standards ask of the URL of an operation, whatever it refers to."""

from __future__ import annotations

from odata_batch._checks.scope import Say, Scope
from odata_batch._graph.urls import is_batch_resource
from odata_batch._model.findings import quote
from odata_batch._model.headers import names_of
from odata_batch._model.rules import Rule
from odata_batch._model.values import Operation
from odata_batch._wire import grammar


def check_url(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 3986, 2 and the URL forms of OData Protocol, 11.7.7.1 and OData JSON, 19.1."""
    url = item.url
    if grammar.PLAIN_URL.fullmatch(url) and ("%" not in url or _encodes(url)):
        return
    if not url:
        rule = Rule.JSON_URL_EMPTY if scope.format == "json" else Rule.REQUEST_LINE_SYNTAX
        say(rule, "the URL is empty")
    _check_url_characters(url, say)
    if url.startswith("//"):
        json = scope.format == "json"
        rule = Rule.JSON_URL_AUTHORITY if json else Rule.URL_AUTHORITY
        say(rule, f"URL {quote(url)} begins with two slashes")
    if "#" in url:
        say(Rule.URL_FRAGMENT, f"URL {quote(url)} has a fragment")
    if ":" in url:
        _check_url_colon(url, scope, say)


def _check_url_characters(url: str, say: Say) -> None:
    if grammar.URL.fullmatch(url) and _encodes(url):
        return
    if grammar.CONTROL_OR_TAB.search(url):
        say(Rule.CONTROL_CHARACTER, f"URL {quote(url)} has a control character")
    if "\\" in url:
        say(Rule.URL_BACKSLASH, f"URL {quote(url)} has a backslash")
    if " " in url:
        say(Rule.URL_BLANKS, f"URL {quote(url)} has blanks, expected %20")
    odd = grammar.URL_ODD_CHARACTER.search(url)
    if odd:
        say(Rule.URL_CHARACTERS, f"URL {quote(url)} has {odd[0]!r}, expected a percent-encoding")


def _encodes(url: str) -> bool:
    """Tell whether every percent sign begins a percent-encoding."""
    return grammar.LONE_PERCENT.search(url) is None


def _check_url_colon(url: str, scope: Scope, say: Say) -> None:
    scheme = grammar.SCHEME.match(url)
    if scheme is not None:
        if scheme[1].lower() not in ("http", "https") or not url.startswith("//", scheme.end()):
            say(Rule.URL_SCHEME, f"URL {quote(url)} begins with {quote(scheme[0])}")
        elif scope.format == "json":
            say(Rule.JSON_URL_ABSOLUTE, f"URL {quote(url)} is absolute")
    elif ":" in url.partition("?")[0]:
        say(Rule.URL_COLON, f"URL {quote(url)} has a colon in its path, expected %3A")


def check_nested_batch(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7: an individual request is not a batch request."""
    if is_batch_resource(item.url):
        say(Rule.NESTED_BATCH, f"URL {quote(item.url)} names the batch resource")


def check_host(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 9112, 3.2.2: an absolute URL says more than Host does."""
    if "host" not in names_of(item.headers):
        return
    authority = grammar.AUTHORITY.match(item.url)
    if authority is None:
        return
    port = ":443" if item.url[:5].lower() == "https" else ":80"
    host = item.headers["host"]
    if authority[1].lower().removesuffix(port) != host.lower().removesuffix(port):
        say(Rule.HOST_CONFLICT, f"URL {quote(item.url)} is absolute, and Host is {quote(host)}")
