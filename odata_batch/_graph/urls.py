"""The URLs of a batch: resolved to absolute URLs, and compared with that of the service.

OData Protocol, 11.7.4 and 11.7.7.1, and RFC 3986, section 5, which is followed except for two
things: only what two slashes follow is a scheme, so that the key in `Notes/a:b` stays a key, and an
empty URL in a batch is the service root. No percent-encoding is touched, no empty segment is lost,
no character is checked.

Resolving, containing and rebasing have to agree about every character of a URL, so that they share
one reading of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from odata_batch._graph.expressions import UrlReference, reference_in, referenced_id
from odata_batch._model.findings import UnresolvedReference, of_type, optional, quote
from odata_batch._model.values import OperationResponse
from odata_batch._wire import grammar
from odata_batch.dialects import ODATA_4_01, Dialect, check_dialect

# [ scheme ":" ] "//"                                                RFC 3986, 3 and 4.2
_AUTHORITY_FOLLOWS = re.compile(rf"(?:{grammar.SCHEME.pattern})?//")

# uri-host [ ":" port ]                                              RFC 9110, 7.2
_HOST = re.compile(r"([0-9A-Za-z\-._~!$&'()*+,;=%]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]*))?")

# What some readers decode before they look at segments
_ENCODED_ASCII = re.compile("%([0-7][0-9A-Fa-f])")

# Most URLs of operations: relative to the batch resource, a path without anything that another
# reader might take differently, and any query. The caller looks for dot segments.
_PLAIN = re.compile(
    r"[0-9A-Z_a-z][!&'()*+,\-./0-9=@A-Z_a-z~]*"
    r"(?:\?(?:[!$&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]|%[0-9A-Fa-f]{2})*)?"
)

_DOT_SEGMENTS = frozenset((".", ".."))
# What some readers drop from a segment
_PARAMETERS = re.compile(";[^/]*")
# Controls, at which readers stop or which they drop, and octets that begin no character but may be
# taken for the long spelling of a dot or slash                       RFC 3629, 3 and 10
_UNCLEAR_ENCODING = re.compile("%(?:[01][0-9a-f]|7f|c[01]|e0%[89]|f0%8|f8%8|fc%8)", re.IGNORECASE)

_DEFAULT_PORTS: Final[Mapping[str, str]] = {"http": "80", "https": "443"}
_NO_LOCATIONS: Final[Mapping[str, str]] = MappingProxyType({})


def is_batch_resource(url: str) -> bool:
    """Tell whether the last path segment of the URL is `$batch`, for any reader.

    Readers may decode percent-encodings or drop path parameters before they remove dot segments, or
    after it. Slashes at the end and empty parentheses make no difference, case does. That the
    empty URL and a query alone are relative to the batch resource is not seen.

    >>> is_batch_resource("http://host/service/$batch?$format=json"), is_batch_resource("$batches")
    (True, False)
    >>> is_batch_resource("%24%62atch/x/..")
    True
    """
    # Of its letters, one at least is spelt %61 to %74, or all are there as they are.
    if "batch" not in url and "%6" not in url and "%7" not in url:
        return False
    if grammar.BATCH_NAME.search(url) is None:
        return False
    path = url.partition("#")[0].partition("?")[0]
    decoded = _decoded(path)
    for reading in (path, decoded, _PARAMETERS.sub("", path), _PARAMETERS.sub("", decoded)):
        segment = _without_dots(f"/{reading}").rstrip("/").rpartition("/")[2]
        if _decoded(segment).removesuffix("()") == "$batch":
            return True
    return False


# -- resolution ----------------------------------------------------------------------------------


def resolve_url(
    url: str,
    base: str,
    *,
    host: str | None = None,
    locations: Mapping[str, str] = _NO_LOCATIONS,
    dialect: Dialect = ODATA_4_01,
    service_root: str | None = None,
) -> str:
    """Return the effective, absolute URL of an operation (OData Protocol, 11.7.4 and 11.7.7.1).

    - `url`: that of the operation.
    - `base`: the absolute URL of the batch request.
    - `host`: the field Host of the operation; it goes with an absolute path only.
    - `locations`: for each identifier the absolute URL that it means; see `location_of`.
    - `dialect`: the version or service that says where a URL may have references.
    - `service_root`: for dialects in which it matters; by default where the batch resource is.

    The URL that an identifier means loses its fragment; its query, if a path, a key in parentheses
    or a query follows the identifier; and a slash at its end, if a path or a key does.

    An empty `url` is where the batch resource is, if the path of `base` ends in `/$batch` (OData
    JSON, 19.1): no request of a batch is itself a batch. By RFC 3986, 5.2.2, and for any other
    `base`, it is `base`.

    An identifier without location and a `host` that names none are `UnresolvedReference`; `base`, a
    location or a `service_root` that is not absolute is `ValueError`. Dot segments are removed, so
    that the result may lie outside of the service, also of a URL that begins with `$1/`, and no
    character is checked: ask `is_within` before you follow it.

    >>> batch = "http://host/service/$batch"
    >>> resolve_url("Customers", batch), resolve_url("/Customers", batch, host="other")
    ('http://host/service/Customers', 'http://other/Customers')
    >>> resolve_url("$1/Orders", batch, locations={"1": "http://host/service/Customers('A')"})
    "http://host/service/Customers('A')/Orders"
    """
    check_dialect(dialect)
    optional(host, str, "host")
    of_type(url, str, "url")
    return _resolved(url, _absolute(base, "base"), host, locations, dialect, service_root)


def _resolved(
    url: str,
    start: _Parts,
    host: str | None,
    locations: Mapping[str, str],
    dialect: Dialect,
    service_root: str | None,
) -> str:
    reference = reference_in(url, dialect)
    if reference is not None and _is_at_root(reference.before, start, service_root, dialect):
        return _follow(reference, url, locations)
    if not url and start.path.endswith(("/$batch", "/%24batch")):
        return _text(start._replace(path=f"{_directory(start.path)}/", query=None, fragment=None))
    parts = _split(url)
    if parts.authority is None and parts.path.startswith("/"):
        if dialect.paths_from_service_root:
            root = _service_root(service_root, start)
            parts = _Parts(*root[:2], root.path + parts.path, *parts[3:])
        elif host is not None:
            if _HOST.fullmatch(host) is None:
                raise UnresolvedReference(f"the field Host is {quote(host)}, which names no host")
            parts = parts._replace(authority=host)
    return _text(_merged(start, parts))


def location_of(effective_url: str, response: OperationResponse) -> str | None:
    """Return the absolute URL that references to a completed operation mean, if it is known.

    - `effective_url`: the absolute URL of the operation, as `resolve_url` returns it.
    - `response`: the response to the operation.

    This is the Location of the response, resolved against the effective URL of its request (OData
    Protocol, 11.7.4). It is `None` where there is no Location, where there are several, where it is
    empty or itself a reference, and where it means something else, as in 202 and outside of 2xx.
    Then the caller has to know: the URL may be in the body, and an entity that was read or updated
    has `effective_url`. If that is not absolute, `ValueError`.

    >>> response = OperationResponse(201, {"Location": "Customers('A')"})
    >>> location_of("http://host/service/Customers", response)
    "http://host/service/Customers('A')"
    """
    base = _absolute(effective_url, "effective_url")
    of_type(response, OperationResponse, "response")
    found = frozenset(response.headers.get_all("location"))
    if not response.ok or response.status == 202 or len(found) != 1:
        return None
    (location,) = found
    if not location or referenced_id(location) is not None:
        return None
    return _text(_merged(base, _split(location)))


def _follow(reference: UrlReference, url: str, locations: Mapping[str, str]) -> str:
    """The URL in Location takes the place of the reference. OData Protocol, 11.7.4"""
    _, id, after = reference
    if id not in locations:
        message = f"URL {quote(url)} refers to {quote(id)}, which has no location"
        raise UnresolvedReference(f"{message}; give its absolute URL in locations")
    location = _absolute(locations[id], f"the location of {quote(id)}")._replace(fragment=None)
    if after and not after.startswith("#"):
        path = location.path
        if not after.startswith("?"):
            path = path.removesuffix("/")
        location = location._replace(path=path, query=None)
    whole = _split(_text(location) + after)
    return _text(whole._replace(path=_without_dots(whole.path)))


def _is_at_root(before: str, start: _Parts, service_root: str | None, dialect: Dialect) -> bool:
    if not before or (before == "/" and dialect.paths_from_service_root):
        return True
    root = _service_root(service_root, start)
    found = _merged(start, _split(before))
    return _origin(found) == _origin(root) and found.path == f"{_without_dots(root.path)}/"


def _service_root(service_root: str | None, start: _Parts) -> _Parts:
    if service_root is None:
        return start._replace(path=_directory(start.path))
    root = _absolute(service_root, "service_root")
    return root._replace(path=root.path.removesuffix("/"))


# -- the service root ----------------------------------------------------------------------------


def is_within(url: str, service_root: str) -> bool:
    """Tell whether an absolute URL is that of the service root or below it, for every reader.

    - `url`: the URL in question.
    - `service_root`: the absolute URL of the service; `ValueError` if it is itself unclear.

    What readers might take differently is `False`: user information; a fragment; a character that
    has no place in a URL (RFC 3986, 2), such as a backslash, a space or a control; a percent sign
    that encodes nothing; in the path, an encoded control, an octet that is overlong in UTF-8, as in
    `%c0%ae`, and what becomes a dot segment if percent-encodings are decoded once, or if path
    parameters or spaces are dropped, as in `..;/` and `..%20/`. The case of scheme and host does
    not matter, nor does a default port. Dot segments are removed first (RFC 3986, 5.2.4); beside
    them, an empty segment and an encoded slash are `False`, because readers count them differently.
    Elsewhere an encoded slash is fine, as in a key. What is encoded twice, as `%252e`, is left to
    those who decode twice. A `service_root` that is itself unclear is `ValueError`.

    >>> is_within("http://HOST:80/service/People('a%2Fb')", "http://host/service/")
    True
    >>> is_within("http://host/service/%2e%2e/admin", "http://host/service/")
    False
    """
    root = root_of(service_root, "service_root")
    return _below(of_type(url, str, "url"), root) is not None


class ServiceUrls:
    """The URLs of the requests of one batch, as `resolve_url` and `is_within` have them.

    The URL of the batch and its service root, by default its directory, are read once. What is not
    absolute is `ValueError`.
    """

    def __init__(self, batch_url: str, service_root: str | None, dialect: Dialect) -> None:
        self._dialect = dialect
        self._start = _absolute(batch_url, "batch_url")
        directory = _text(_merged(self._start, _split("-")))[:-1]
        self._service_root = directory if service_root is None else service_root
        self._root = root_of(self._service_root, "service_root")
        # What comes before a plain URL; where that is no part of the service, none is plain.
        self._prefix = directory if self.holds(directory) else None

    def holds(self, url: str) -> bool:
        """Tell whether an absolute URL is within the service."""
        return _below(url, self._root) is not None

    def plain(self, url: str) -> str | None:
        """Return the absolute URL of an operation that is surely within the service, else `None`.

        It is not that of the batch resource, either.
        """
        if self._prefix is None or _PLAIN.fullmatch(url) is None or "/." in url:
            return None
        return self._prefix + url

    def resolve(self, url: str, host: str | None, locations: Mapping[str, str]) -> str:
        """Return the absolute URL of an operation, which may be anywhere."""
        return _resolved(url, self._start, host, locations, self._dialect, self._service_root)


def rebase_url(
    url: str,
    *,
    source: str,
    target: str,
    form: Literal["absolute", "path", "relative"] = "absolute",
) -> str:
    """Return the URL of the same resource below another service root.

    - `url`: a URL for `source`: absolute, an absolute path, or relative to it.
    - `source`: the service root that `url` is meant for.
    - `target`: the other service root.
    - `form`: the form of the result: "absolute", "path" or "relative".

    A gateway or load balancer has another root than the service that it hides: `source` is the one
    that `url` is meant for, as an absolute URL, an absolute path or relative to it. The form "path"
    goes with the Host of `target`, "relative" with a batch resource directly below it. `$id/...` is
    the same everywhere. For a `url` that is not within `source`, as `is_within` tells, or roots
    that are not clear, `ValueError`.

    >>> rebase_url("/odata/People(1)", source="https://a/odata", target="https://b/v1/odata/")
    'https://b/v1/odata/People(1)'
    >>> rebase_url("https://a/odata/People", source="https://a/odata", target="https://b/v1",
    ...     form="path")
    '/v1/People'
    """
    if form not in ("absolute", "path", "relative"):
        raise ValueError(f"form is 'absolute', 'path' or 'relative', not {form!r}")
    old, new = root_of(source, "source"), root_of(target, "target")
    if referenced_id(of_type(url, str, "url")) is not None:
        return url
    absolute = _merged(old._replace(path=f"{old.path}/"), _split(url))
    rest = _below(_text(absolute), old)
    if rest is None:
        raise ValueError(f"URL {quote(url)} is not within {quote(source)}")
    if form == "absolute":
        return _text(new._replace(path=new.path + rest, query=absolute.query))
    if form == "path":
        path = new.path + rest
        # Two slashes at its beginning would make a host of what follows. RFC 3986, 4.2
        path = f"/.{path}" if path.startswith("//") else path or "/"
    else:
        path = rest.removeprefix("/")
        is_plain = path and not path.startswith("/") and grammar.SCHEME.match(path) is None
        if not is_plain or referenced_id(path) is not None:
            path = f"./{path}"  # not an absolute path, a host, a scheme or a reference
    return _text(_Parts(None, None, path, absolute.query, None))


def root_of(url: str, name: str) -> _Parts:
    """Return the components of a service root; `ValueError` for what is not clear."""
    parts = _absolute(url, name)
    root = parts._replace(path=_without_dots(parts.path).removesuffix("/"))
    if root.query is not None or _below(url, root) is None:
        message = "is an absolute URL of HTTP that every reader understands, without a query"
        raise ValueError(f"{name} {message}, not {quote(url)}")
    return root


def _below(url: str, root: _Parts) -> str | None:
    """Return the path of a URL below the root; `None` if it is elsewhere, or may be."""
    if grammar.URL.fullmatch(url) is None or grammar.LONE_PERCENT.search(url):
        return None
    parts = _split(url)
    origin = _origin(parts)
    path = _without_dots(parts.path)
    if parts.fragment is not None or origin is None or origin != _origin(root):
        return None
    if _is_unclear(parts.path) or not path.startswith(root.path):
        return None
    rest = path[len(root.path) :]
    return rest if rest[:1] in ("", "/") else None


def _origin(parts: _Parts) -> tuple[str, str, str] | None:
    """Return scheme, host and port in one spelling (RFC 3986, 6.2.2 and 6.2.3)."""
    scheme = (parts.scheme or "").lower()
    match = _HOST.fullmatch(parts.authority or "")
    if match is None or scheme not in _DEFAULT_PORTS:
        return None
    return scheme, match[1].lower(), match[2] or _DEFAULT_PORTS[scheme]


def origin_of(url: str) -> tuple[str, str, str]:
    """Return scheme, host and port of an absolute URL, in one spelling if it is clear.

    >>> origin_of("https://ann@HOST:443/x") == origin_of("https://host/")
    True
    """
    parts = _split(url)
    own = parts._replace(authority=(parts.authority or "").rpartition("@")[2])
    return _origin(own) or (parts.scheme or "", parts.authority or "", "")


def names_host(url: str) -> bool:
    """Tell whether an absolute URL has an authority that names a host, maybe for a user.

    >>> names_host("http://h:80/x"), names_host("http://:h:80/x"), names_host("http:///x")
    (True, False, False)
    """
    authority = (_split(url).authority or "").rpartition("@")[2]
    return _HOST.fullmatch(authority) is not None


def _is_unclear(path: str) -> bool:
    """Tell whether readers may take the path for another one, as `is_within` says."""
    if "%" not in path and ";" not in path and "/." not in path:
        return False
    segments = path.split("/")[1:]
    climbs = not _DOT_SEGMENTS.isdisjoint(segments)
    for place, segment in enumerate(segments, 1):
        if segment in _DOT_SEGMENTS:
            continue
        names = [_PARAMETERS.sub("", name) for name in _decoded(segment).split("/")]
        # Two dots go back over a segment that is two for one reader, or none for another.
        if climbs and (len(names) > 1 or not (names[0].strip() or place == len(segments))):
            return True
        if any(name.replace(" ", "") in _DOT_SEGMENTS for name in names):
            return True
    return _UNCLEAR_ENCODING.search(path) is not None


def _decoded(path: str) -> str:
    """Decode what is US-ASCII; some readers take a backslash for a slash."""
    return ascii_decoded(path).replace("\\", "/")


def ascii_decoded(text: str) -> str:
    """Decode the percent-encodings of US-ASCII."""
    return _ENCODED_ASCII.sub(lambda match: chr(int(match[1], 16)), text) if "%" in text else text


def followed_url(location: str, base: str) -> str | None:
    """Return the absolute URL of what is to be followed, if it is a sound one of HTTP."""
    with suppress(UnresolvedReference, ValueError):
        url = percent_encoded(resolve_url(location, base))
        is_http = resolve_url("/", url).lower().startswith(("http://", "https://"))
        if is_http and grammar.URL.fullmatch(url):
            return url
    return None


def percent_encoded(url: str) -> str:
    """Percent-encode white space and characters that have no place in a URL (RFC 3986, 2.1)."""
    return grammar.URL_ODD_CHARACTER.sub(_octets_of, url.replace(" ", "%20"))


def _octets_of(match: re.Match[str]) -> str:
    # An octet, as `surrogateescape` hides it, or half a surrogate pair
    errors = "surrogateescape" if "\udc80" <= match[0] <= "\udcff" else "surrogatepass"
    return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", errors))


# -- RFC 3986 ------------------------------------------------------------------------------------


class _Parts(NamedTuple):
    """The components of a URL; `None` is undefined, which is not the same as empty."""

    scheme: str | None
    authority: str | None
    path: str
    query: str | None
    fragment: str | None


def _split(url: str) -> _Parts:
    """RFC 3986, 3: [ scheme ":" ] [ "//" authority ] path [ "?" query ] [ "#" fragment ]."""
    front, hash, fragment = url.partition("#")
    front, mark, query = front.partition("?")
    ends = (query if mark else None, fragment if hash else None)
    match = _AUTHORITY_FOLLOWS.match(front)
    if match is None:
        return _Parts(None, None, front, *ends)
    authority, slash, path = front[match.end() :].partition("/")
    return _Parts(match[1], authority, slash + path, *ends)


def _text(parts: _Parts) -> str:
    """RFC 3986, 5.3."""
    scheme, authority, path, query, fragment = parts
    url = path if authority is None else f"//{authority}{path}"
    url = url if scheme is None else f"{scheme}:{url}"
    url = url if query is None else f"{url}?{query}"
    return url if fragment is None else f"{url}#{fragment}"


def _merged(base: _Parts, url: _Parts) -> _Parts:
    """RFC 3986, 5.2.2."""
    if url.authority is not None:
        return url._replace(scheme=url.scheme or base.scheme, path=_without_dots(url.path))
    if not url.path:
        query = base.query if url.query is None else url.query
        return base._replace(query=query, fragment=url.fragment)
    path = url.path if url.path.startswith("/") else f"{_directory(base.path)}/{url.path}"
    return url._replace(scheme=base.scheme, authority=base.authority, path=_without_dots(path))


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4, for a path that is empty or begins with a slash."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _absolute(url: str, name: str) -> _Parts:
    parts = _split(of_type(url, str, name))
    if parts.scheme is None or not parts.authority:
        raise ValueError(f"{name} is an absolute URL, not {quote(url)}")
    return parts
