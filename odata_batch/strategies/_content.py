"""What generated messages are made of: identifiers, URLs, header fields, bodies and the like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from itertools import compress
from typing import TypeAlias

from hypothesis import strategies as st

from odata_batch import Dialect, Headers
from odata_batch.dialects import ODATA_4_01

_ALPHANUMERICS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_JSON_SPACES = st.sampled_from(("", " ", "\n", "\r\n\t "))


def _texts(
    characters: str | st.SearchStrategy[str], min_size: int = 0, max_size: int = 8
) -> st.SearchStrategy[str]:
    # Not `text`, which has Hypothesis read all of Unicode: the first time on a machine that takes a
    # second, which is more than its health checks allow.
    each = st.sampled_from(characters) if isinstance(characters, str) else characters
    return st.lists(each, min_size=min_size, max_size=max_size).map("".join)


_ASCII_CHARACTERS = "".join(map(chr, range(0x80)))
_LATIN_1 = "".join(chr(each) for each in range(0x20, 0x100) if each != 0x7F)
_CHARACTERS = st.one_of(
    st.sampled_from(_ASCII_CHARACTERS),
    st.integers(0x80, 0xD7FF).map(chr),
    st.integers(0xE000, 0x10FFFF).map(chr),
)
_TEXT = _texts(_CHARACTERS)
_DIGITS = _texts("0123456789", 1, 5)

# Octets that end lines, look like delimiters or begin messages
_TRAPS = (
    *(b"\r\n", b"\n", b"\r", b"\0", b"\r\n\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"$1", b"null"),
    *(b"--", b"\r\n--b", b"\r\n--b--\r\n", b"\n--batch_", b"--changeset_0--", b"x--b\r\n"),
    *(b"GET People HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"Content-Length: 3\r\n", b"{", b'"'),
)


# -- identifiers and URLs ------------------------------------------------------------------------

IDS = st.one_of(
    st.sampled_from(("1", "2", "10", "01", "g1", "g2", "~", ".", "metadata", "batch", "i" * 256)),
    _texts(f"{_ALPHANUMERICS}-._~", 1),
)
MAYBE_IDS = st.none() | IDS

# What follows these cannot make the URL a scheme, an authority or a reference.
_URL_STARTS = (
    *("People/", "People(1)?", "/odata/People", "./", "?", "*", "%20", "'"),
    *("http://host/odata/People", "HTTPS://host:8080/", "$metadata?", "$all/", "$crossjoin("),
)
_URL_PIECES = (*_ALPHANUMERICS, *"!$&'()*+,-./:;=?@[]_~", "%25", "%2f")
_URL_REST = st.lists(st.sampled_from(_URL_PIECES), max_size=12).map("".join)

# What may follow a reference
REFERENCE_ENDS = ("", "/Orders", "(1)", "?$expand=Orders", "/$1", "/")


def urls_of(dialect: Dialect) -> st.SearchStrategy[str]:
    """Give URLs of the forms that are understood."""
    starts = []
    for start in _URL_STARTS:
        form = "absolute" if "//" in start else "path" if start[0] == "/" else "relative"
        if form in dialect.url_forms and (start[0] != "$" or dialect.dollar_segments):
            starts.append(start)
    urls = st.builds(str.__add__, st.sampled_from(starts), _URL_REST)
    return urls.filter(lambda url: "batch" not in url)


# -- header fields -------------------------------------------------------------------------------

_SINGLE_FIELDS = frozenset(("host", "content-transfer-encoding"))
_OTHER_FIELDS = ODATA_4_01.forbidden_headers | {
    *("transfer-encoding", "content-type", "content-length", "content-id")
}
_TOKENS = _texts(f"{_ALPHANUMERICS}!#$%&'*+-.^_`|~", 1)
_NAMES = st.one_of(
    st.sampled_from(("Accept", "If-Match", "etag", "Prefer", "OData-VERSION", "Host", "Location")),
    st.sampled_from(("Set-Cookie", "set-cookie", "Content-Transfer-Encoding", "Content-Language")),
    _TOKENS.filter(lambda name: name.lower() not in _OTHER_FIELDS),
)
_VALUES = st.one_of(
    st.sampled_from(
        ("", "4.0", 'W/"1"', "$1", "return=minimal", "a, b", "a\tb", ":", "=?utf-8?q?")
    ),
    _texts(f"{_LATIN_1}\t", 0, 12).map(lambda value: value.strip(" \t")),
)
_Field: TypeAlias = tuple[str, str]
_FIELDS: st.SearchStrategy[_Field] = st.tuples(_NAMES, _VALUES)


def _without_repetition(single: frozenset[str], fields: list[_Field]) -> Headers:
    names = [name.lower() for name, _ in fields]
    first = [name not in names[:index] or name not in single for index, name in enumerate(names)]
    return Headers(list(compress(fields, first)))


_LISTS = st.lists(_FIELDS, max_size=4)
HEADERS = _LISTS.map(partial(_without_repetition, _SINGLE_FIELDS))
JOINED_HEADERS = _LISTS.map(partial(_without_repetition, _SINGLE_FIELDS | {"set-cookie"}))


# -- bodies --------------------------------------------------------------------------------------

_JSON_NUMBERS = st.one_of(
    st.sampled_from(("1.10", "12345678901234567.89", "1e400", "-0", "-0.0E+00", "9" * 40)),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(("", "-")),
        st.integers(0, 9_999_999_999),
        st.just("") | _DIGITS.map(".{}".format),
        st.just("") | st.builds(str.__add__, st.sampled_from(("e", "E", "e-", "E+")), _DIGITS),
    ),
)
_JSON_STRINGS = st.one_of(
    st.sampled_from((r'"\/\b\f\u0041"', r'"\ud83d\ude00"', r'"\\\" [{"', '"\x7f\u2028\ufeff"')),
    st.builds(json.dumps, _TEXT, ensure_ascii=st.booleans()),
)


def _json_collections(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds("{}{}:{}".format, _JSON_STRINGS, _JSON_SPACES, values)
    return st.one_of(
        st.builds("[{}{}]".format, _JSON_SPACES, st.lists(values, max_size=3).map(",".join)),
        st.builds("{{{}{}}}".format, _JSON_SPACES, st.lists(members, max_size=3).map(", ".join)),
    )


JSON_TEXTS = st.recursive(
    st.one_of(st.sampled_from(("null", "true", "false")), _JSON_NUMBERS, _JSON_STRINGS),
    _json_collections,
    max_leaves=6,
)


def _pieces(
    others: st.SearchStrategy[bytes], traps: Sequence[bytes] = _TRAPS
) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(traps) | others, min_size=1, max_size=5).map(b"".join)


_OCTETS = _pieces(st.binary(max_size=8))
_UTF_8 = _pieces(_TEXT.map(str.encode), [it for it in _TRAPS if b"\xff" not in it])
_ASCII = _pieces(_texts(_ASCII_CHARACTERS).map(str.encode), [it for it in _TRAPS if it.isascii()])

_JSON_TYPES = (
    *("application/json", "APPLICATION/json;odata.metadata=minimal; charset=UTF-8"),
    *("application/vnd.example+json", "application/problem+json;a=b"),
)
_UTF_8_TYPES = ("text/plain", "text/html; charset=utf-8", 'TEXT/CSV;Charset="UTF8"')
_ASCII_TYPES = ("text/plain; charset=us-ascii", "text/plain;charset=ASCII")
_LATIN_1_TYPES = ("text/plain;charset=ISO-8859-1", "text/x-odd;a=b; charset=latin1")
_BINARY_TYPES = ("application/octet-stream", "image/png", "multipart/mixed;boundary=b", "nonsense")

Content: TypeAlias = tuple[str | None, bytes]

_TYPED_JSON = st.builds("{}{}{}".format, _JSON_SPACES, JSON_TEXTS, _JSON_SPACES).map(str.encode)
_ANY_TYPES = st.sampled_from(
    (None, *_JSON_TYPES, *_UTF_8_TYPES, *_ASCII_TYPES, *_LATIN_1_TYPES, *_BINARY_TYPES)
)
NO_CONTENT: st.SearchStrategy[Content] = st.tuples(_ANY_TYPES, st.just(b""))
_TYPED_CONTENT: st.SearchStrategy[Content] = st.one_of(
    st.tuples(st.sampled_from((None, *_JSON_TYPES)), _TYPED_JSON).filter(
        lambda content: content[1].strip() != b"null"
    ),
    st.tuples(st.sampled_from(_UTF_8_TYPES), _UTF_8),
    st.tuples(st.sampled_from(_ASCII_TYPES), _ASCII),
    st.tuples(st.sampled_from(_LATIN_1_TYPES), _OCTETS),
    st.tuples(st.sampled_from(_BINARY_TYPES), _OCTETS),
)

OBJECTS = st.builds("{}:{}".format, _JSON_STRINGS, JSON_TEXTS).map(
    lambda member: ("application/json", f"{{{member}}}".encode())
)
CONTENT = NO_CONTENT | _TYPED_CONTENT
ANY_CONTENT = CONTENT | st.tuples(_ANY_TYPES, _OCTETS)


# -- methods, statuses and annotations -----------------------------------------------------------

WRITES = ("POST", "PATCH", "PUT", "MERGE")
_COMMON_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
_UPPER_METHODS = (*_COMMON_METHODS, "MERGE", "HEAD", "OPTIONS")

JSON_METHODS = st.sampled_from(_COMMON_METHODS)
METHODS = st.one_of(
    st.sampled_from(_UPPER_METHODS),
    _TOKENS.map(
        # Methods that the standards know are read in any case.
        lambda method: method.upper() if method.upper() in _UPPER_METHODS else method
    ),
)
_REQUEST_MEMBERS = frozenset(
    "id atomicityGroup dependsOn if method url headers body requests responses".split()
)
_RESPONSE_MEMBERS = frozenset(
    """
    id atomicityGroup status headers body requests responses error @nextLink @odata.nextLink
    """.split()
)


def _annotations(members: frozenset[str]) -> st.SearchStrategy[tuple[tuple[str, bytes], ...]]:
    names = st.sampled_from(("@odata.context", "@example.note", "x", "")) | _TEXT
    values = JSON_TEXTS.map(str.encode)
    annotation = st.tuples(names.filter(lambda name: name not in members), values)
    return st.lists(annotation, max_size=2, unique_by=lambda annotation: annotation[0]).map(tuple)


REQUEST_ANNOTATIONS = _annotations(_REQUEST_MEMBERS)
RESPONSE_ANNOTATIONS = _annotations(_RESPONSE_MEMBERS)
PREFERENCES = st.sampled_from((None, True, False))
MAYBE_TEXT = st.none() | _TEXT
STATUSES = st.sampled_from((200, 201, 202, 204, 304, 404)) | st.integers(100, 599)
REASONS = st.none() | _texts(_LATIN_1)
