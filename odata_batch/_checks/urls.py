"""The rules for the URL of an operation, whatever it refers to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from odata_batch._checks.scope import Say, Scope
from odata_batch._graph.urls import is_batch_resource, names_host
from odata_batch._model.findings import error, note, quote, warning
from odata_batch._model.headers import names_of
from odata_batch._model.values import Operation
from odata_batch._wire import grammar
from odata_batch._wire.http import REQUEST_LINE_SYNTAX
from odata_batch._wire.sections import CONTROL_CHARACTER

# The characters of URLs that are relative and have no fragment, and the separator between two
_PLAIN = b"!$%&'()*+,-./0123456789;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz~\n"


URL_AUTHORITY = warning("""
    url-authority (@url): A URL does not begin with two slashes, which would name another host.
    [OData Protocol, 11.7.7.1]
    Begin the URL with one slash, or with the scheme if the host is meant.""")
JSON_URL_AUTHORITY = error("""
    json-url-authority (@url): A URL of a JSON batch does not begin with two slashes, which would
    name another host. [OData JSON, 19.1]
    Begin the URL with one slash, or leave the slashes out.""")
JSON_URL_EMPTY = note("""
    json-url-empty (@url): An empty URL names the service root. [OData JSON, 19.1]
    Write the URL of the resource, or the absolute path of the service root if that is meant.""")
# Whether one is meant, only the other requests of a batch tell.
REFERENCE_ABSOLUTE = warning("""
    reference-absolute (@url): A reference is the beginning of a relative URL, not of what follows
    the service root. [OData Protocol, 11.7.4]
    Write the reference without the URL of the service before it, as in $1/Orders.""")
URL_FRAGMENT = note("""
    url-fragment (@url unwritten): A request URL has no fragment. [RFC 9110, 7.1]
    Remove the number sign and what follows it, or write %23 if it belongs to the name.""")


def check_url(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 3986, 2 and the URL forms of OData Protocol, 11.7.7.1 and OData JSON, 19.1."""
    url = item.url
    if grammar.PLAIN_URL.fullmatch(url) and ("%" not in url or _encodes(url)):
        return
    if not url:
        rule = JSON_URL_EMPTY if scope.format == "json" else REQUEST_LINE_SYNTAX
        say(rule, "the URL is empty")
    _check_url_characters(url, say)
    if url.startswith("//"):
        json = scope.format == "json"
        rule = JSON_URL_AUTHORITY if json else URL_AUTHORITY
        say(rule, f"URL {quote(url)} begins with two slashes")
    if "#" in url:
        say(URL_FRAGMENT, f"URL {quote(url)} has a fragment")
    if ":" in url:
        _check_url_colon(url, scope, say)


URL_WHITE_SPACE = warning("""
    url-white-space (@url unwritten): White space in a URL is percent-encoded. [RFC 3986, 2]
    Write %20 for each space.""")
URL_CHARACTERS = warning("""
    url-characters (@url unwritten): Characters that have no place in a URL are percent-encoded.
    [RFC 3986, 2]
    Percent-encode the characters, as octets of their UTF-8.""")
URL_BACKSLASH = error("""
    url-backslash (@url): A URL holds no backslash, which some readers take for a slash. [RFC 3986,
    2]
    Write a slash, or %5C if a backslash is meant.""")


def _check_url_characters(url: str, say: Say) -> None:
    if grammar.URL.fullmatch(url) and _encodes(url):
        return
    if grammar.CONTROL_OR_TAB.search(url):
        say(CONTROL_CHARACTER, f"URL {quote(url)} has a control character", "url")
    if "\\" in url:
        say(URL_BACKSLASH, f"URL {quote(url)} has a backslash")
    if " " in url:
        say(URL_WHITE_SPACE, f"URL {quote(url)} has white space, expected %20")
    odd = grammar.URL_ODD_CHARACTER.search(url)
    if odd:
        say(URL_CHARACTERS, f"URL {quote(url)} has {odd[0]!r}, expected a percent-encoding")


def are_plain(urls: Sequence[str]) -> bool:
    """Tell whether no check here can object to any of these URLs, whatever the host.

    Looking at the characters of many URLs at once takes a fraction of the time.
    """
    text = "\n".join(("", *urls, ""))
    if not text.isascii() or text.encode().translate(None, _PLAIN):
        return False
    if "\n\n" in text or "\n//" in text or text.count("\n") > len(urls) + 1:
        return False
    if "batch" in text or "%" in text:
        return _encodes(text) and grammar.BATCH_NAME.search(text) is None
    return True


def _encodes(url: str) -> bool:
    """Tell whether every percent sign begins a percent-encoding."""
    return grammar.LONE_PERCENT.search(url) is None


URL_COLON = note("""
    url-colon (@url): Colons in the path of a relative URL are percent-encoded. [OData Protocol,
    11.7.7.1]
    Write %3A for each colon in the path.""")
URL_HOST = error("""
    url-host (@url): The authority of an absolute URL is a host, maybe with a port. [RFC 3986, 3.2]
    Write the URL with one host and at most one port, or relative to that of the batch.""")
URL_SCHEME = warning("""
    url-scheme (@url): A URL that begins with a scheme is an absolute http or https URL. [OData
    Protocol, 11.7.7.1]
    Write the URL with http:// or https://, or relative to the URL of the batch.""")
JSON_URL_ABSOLUTE = note("""
    json-url-absolute (@url): A URL of a JSON batch is an absolute path or a relative path. [OData
    JSON, 19.1]
    Write the URL relative to the URL of the batch.""")


def _check_url_colon(url: str, scope: Scope, say: Say) -> None:
    scheme = grammar.SCHEME.match(url)
    if scheme is not None:
        if scheme[1].lower() not in ("http", "https") or not url.startswith("//", scheme.end()):
            say(URL_SCHEME, f"URL {quote(url)} begins with {quote(scheme[0])}")
        elif not names_host(url):
            say(URL_HOST, f"URL {quote(url)} names no host that can be read")
        elif scope.format == "json" and "absolute" in scope.dialect.url_forms:
            say(JSON_URL_ABSOLUTE, f"URL {quote(url)} is absolute")
    elif ":" in url.partition("?")[0]:
        say(URL_COLON, f"URL {quote(url)} has a colon in its path, expected %3A")


NESTED_BATCH = error("""
    nested-batch (@url): No request of a batch is itself a batch. [OData Protocol, 11.7]
    Move the requests of the inner batch into the outer one.""")


def check_nested_batch(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7: an individual request is not a batch request."""
    if is_batch_resource(item.url):
        say(NESTED_BATCH, f"URL {quote(item.url)} names the batch resource")


HOST_CONFLICT = note("""
    host-conflict (@headers.host): Host is the authority of an absolute URL. [RFC 9112, 3.2.2]
    Make Host the authority of the URL, or remove it.""")


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
        say(HOST_CONFLICT, f"URL {quote(item.url)} is absolute, and Host is {quote(host)}")


CHECKS: Final = (check_url, check_host, check_nested_batch)
