"""The grammars of RFC 9110, 9112, 2046, 3986 and of OData: the ABNF above, its pattern below.

Every pattern is linear in its input: no two alternatives of a repetition begin with the same
character. Possessive quantifiers are avoided; early releases of Python 3.11 match them wrongly.
"""

import re
from collections.abc import Iterable, Mapping

# token = 1*tchar                                                   RFC 9110, 5.6.2
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
TOKEN_BYTES = re.compile(TOKEN.pattern.encode())

# CTL = %x00-1F / %x7F, without HTAB, which field values may hold   RFC 9110, 5.5
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# CTL, HTAB included: none has a place in a start line or a URL     RFC 9112, 3
CONTROL_OR_TAB = re.compile(r"[\x00-\x1f\x7f]")

# Methods that are read as upper case. RFC 9110, 9.3 and RFC 5789; MERGE is OData's own
KNOWN_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "MERGE", "DELETE", "OPTIONS"))

# media-type = type "/" subtype parameters                          RFC 9110, 8.3.1
MEDIA_TYPE = re.compile(rf"[ \t]*({TOKEN.pattern}/{TOKEN.pattern})[ \t]*")

# parameters = *( OWS ";" OWS [ parameter ] )                       RFC 9110, 5.6.6
# parameter  = parameter-name "=" ( token / quoted-string ), here with white space around "=" and a
#              value that is neither, which the caller judges
PARAMETER = re.compile(
    rf";[ \t]*(?:({TOKEN.pattern})([ \t]*)=([ \t]*)"
    r'(?:"((?:[^"\\]|\\.)*)"|([^ \t;"]*))[ \t]*)?',
    re.DOTALL,
)

# quoted-pair = "\" ( HTAB / SP / VCHAR / obs-text )                RFC 9110, 5.6.4
QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)

# boundary = 0*69<bchars> bcharsnospace                             RFC 2046, 5.1.1
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]*[0-9A-Za-z'()+_,\-./:=?]")

# field-value octets as characters: everything that ISO-8859-1 has  RFC 9110, 5.5
LATIN_1 = re.compile(r"[\x00-\xff]*")

# status-code = 3DIGIT                                              RFC 9110, 15
STATUS = re.compile(r"[1-5][0-9][0-9]")

# preference = token [ BWS "=" BWS word ] *( OWS ";" ... )          RFC 7240, 2
# A quoted string that is not closed reaches to the end: otherwise each quote in it would be tried
# as the beginning of another one, which is quadratic.
PREFERENCE = re.compile(
    rf'({TOKEN.pattern})(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t,;"]*)))?'
    r'(?:[^,"]|"(?:[^"\\]|\\.)*(?:"|\\?\Z))*',
    re.DOTALL,
)

# request-id = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" )          OData Protocol, 11.7.3
REQUEST_ID = re.compile(r"[0-9A-Za-z\-._~]+")

# The empty line after a header section whose lines may end in LF  RFC 9112, 2.2
EMPTY_LINE = re.compile(rb"\r?\n")
EMPTY_LINES = re.compile(rb"(?:\r?\n)+")
EMPTY_CRLF_LINES = re.compile(rb"(?:\r\n)+")
EMPTY_LINE_AFTER = re.compile(rb"\r?\n\r?\n")
EMPTY_LINES_AFTER = re.compile(rb"\r?\n(?:\r?\n)+")

# obs-fold = OWS CRLF RWS, here by the octets that a line begins with   RFC 9112, 5.2
FOLD = re.compile(rb"\n[ \t]")

# status-line = HTTP-version SP status-code SP [ reason-phrase ]    RFC 9112, 4
STATUS_LINE = re.compile(rb"([^ ]*) ([1-5][0-9][0-9])(?:( )(.*))?", re.DOTALL)

# A boundary that is a token and needs no quotes                    RFC 2046, 5.1.1
PLAIN_BOUNDARY = re.compile(rb"[0-9A-Za-z'+_\-.]+")

# VCHAR, of which a field value is sound without being looked at    RFC 5234, B.1
VISIBLE = re.compile(rb"[!-~]+")

# Content-Length = 1*DIGIT, no longer than 19 digits                RFC 9110, 8.6
CONTENT_LENGTH = re.compile(r"[0-9]{1,19}")
DIGITS = re.compile(r"[0-9]+")

# OData-Version = 1*DIGIT "." 1*DIGIT                               OData ABNF, 8
VERSION = re.compile(r"[0-9]+\.[0-9]+")

_METHODS = rb"(?:GET|HEAD|POST|PUT|PATCH|MERGE|DELETE|OPTIONS) +"

# What is taken for a request line where none should be: a known method and a URL, or three words
# of which the last is a version, maybe with a remark after them
REQUEST_LINE_LIKE = re.compile(
    rb"(?i:%b)[^ :].*"
    rb"|[A-Za-z]+ +[^ :][^ ]* +HTTP/[0-9.]+ *(?://.*)?" % _METHODS
)

# The same in the head of a part: on a line of its own, maybe after white space that was to be an
# empty line, or in the value of a field of the part
START_LINE_IN_HEAD = re.compile(
    rb"^(?:([ \t]+)\r?\n)?(HTTP/[0-9][^\r\n]*|(?i:%b)[^ :\r\n][^\r\n]*"
    rb"|[A-Za-z]+ +[^ :\r\n][^ \r\n]* +HTTP/[0-9.]+[^\r\n]*)"
    rb"|^(?i:content-t)[^\r\n:]*:(?:(?![ =;,\"]%b)[^\r\n])*"
    rb"[ =;,\"](%b(?:/[^\r\n]*|(?:[^ \r\n][^\r\n]*)? HTTP/[0-9.]+))"
    % (_METHODS, _METHODS, _METHODS),
    re.MULTILINE,
)

# What ends a header section though it is no empty line: white space alone, or the first line of a
# body, which no name of a field begins like
NO_FIELD = re.compile(rb"^(?:[ \t]+(?=\r?$)|[{\[<])", re.MULTILINE)

# The characters of a URL: unreserved / gen-delims / sub-delims / "%"    RFC 3986, 2
URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*")

# A percent sign that begins no percent-encoding                     RFC 3986, 2.1
LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

# What has no place in a URL; controls, spaces and backslashes have rules of their own
URL_ODD_CHARACTER = re.compile(
    rf"[^\x00-\x20\x7f\\!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]|{LONE_PERCENT.pattern}"
)

# Most URLs: relative, with no colon, no fragment and no second slash at the start. The caller looks
# for percent signs that encode nothing: two simple patterns are faster than one.
PLAIN_URL = re.compile(r"/?[!$%&'()*+,\-.0-9;=?@A-Z\[\]_a-z~][!$%&'()*+,\-./0-9;=?@A-Z\[\]_a-z~]*")

# scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )               RFC 3986, 3.1
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")

# authority, after a scheme of HTTP                                 RFC 3986, 3.2
AUTHORITY = re.compile(r"(?i:https?)://([^/?#]*)")

# The name of the batch resource, anywhere and with any of its characters percent-encoded
BATCH_NAME = re.compile(r"(?:\$|%24)(?:b|%62)(?:a|%61)(?:t|%74)(?:c|%63)(?:h|%68)")

# The whole first segment of a relative URL, where it begins with "$"    OData Protocol, 11.7.4
DOLLAR_SEGMENT = re.compile(r"\$([^/?#(]*)")

# A segment of a path after a slash, where it begins with "$"
INNER_DOLLAR_SEGMENT = re.compile(r"(?<=/)\$([^/?#(]+)")

# Anything that a reader might take for a reference to a request identifier
DOLLAR_NUMBER = re.compile(r"\$([0-9]+)")
DOLLAR_NUMBER_BYTES = re.compile(rb"\$([0-9]+)")

# ws = *( %x20 / %x09 / %x0A / %x0D )                               RFC 8259, 2
JSON_SPACE = re.compile(r"[ \t\n\r]*")

# A JSON escape that means half of a surrogate pair                 RFC 8259, 8.2
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89A-Fa-f]")

# A status code that is not spelt as a number of three digits       OData JSON, 19.5
STATUS_SPELLING = re.compile(r"([1-5][0-9][0-9])(?:\.0+)?")


def preferences(fields: Iterable[str]) -> list[tuple[str, str]]:
    """Return the preferences of all Prefer fields, names in lower case (RFC 7240, 2)."""
    found = []
    for value in fields:
        for match in PREFERENCE.finditer(value):
            text = match[3] if match[2] is None else QUOTED_PAIR.sub(r"\1", match[2])
            found.append((match[1].lower(), text or ""))
    return found


# What is left out where names are compared that people have typed
_JOINTS = re.compile(r"[-_.= ]|^odata(?=[-_.])")
_SHORT = 3


def spellings(names: Iterable[str]) -> dict[str, str]:
    """Return the names by how they are compared with what people have typed."""
    return {_JOINTS.sub("", name.lower()): name for name in sorted(names)}


def nearest(name: str, known: Mapping[str, str]) -> str | None:
    """Return which of the known names is meant by one that is none of them, given `spellings`.

    It is spelt with other joints or in another case, or is one letter away; a short one is not.

    >>> nearest("Content_Lenght", spellings(("content-type", "content-length")))
    'content-length'
    >>> nearest("if", spellings(("id",)))
    """
    plain = _JOINTS.sub("", name.lower())
    if name[:2].lower() == "x-":  # somebody's own
        return None
    if plain in known:
        return known[plain] if known[plain] != name else None
    start, end, length = plain[:1], plain[-1:], len(plain)
    if length < _SHORT:
        return None
    for other, meant in known.items():
        # What differs in one place is the same at one of its ends.
        is_like = other.startswith(start) or other.endswith(end)
        if is_like and -1 <= length - len(other) <= 1 and _is_one_step(plain, other):
            return meant
    return None


def _is_one_step(one: str, other: str) -> bool:
    """Tell whether one letter is wrong, missing or too much, or two are the wrong way round."""
    pairs = enumerate(zip(one, other, strict=False))
    at = next((index for index, (a, b) in pairs if a != b), len(one))
    rest, expected = one[at:], other[at:]
    if rest[:2] == expected[1::-1] and rest[2:] == expected[2:]:
        return True
    return rest[1:] in (expected[1:], expected) or rest == expected[1:]


def unfolded(section: bytes, line_end: bytes) -> tuple[list[int], list[bytes]]:
    """Return where each field line begins, and the line, with what continues it after a space.

    RFC 5322, 2.2.3. A line that ends in LF may end in CRLF, too.
    """
    starts: list[int] = []
    lines: list[list[bytes]] = []
    offset = 0
    for line in section.split(line_end):
        text = line.removesuffix(b"\r") if line_end == b"\n" else line
        if starts and line[:1] in (b" ", b"\t"):
            lines[-1].append(text.strip(b" \t"))
        else:
            starts.append(offset)
            lines.append([text])
        offset += len(line) + len(line_end)
    return starts, [b" ".join(pieces) for pieces in lines]
