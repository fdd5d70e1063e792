"""How programs and people spell the octets of a message: as strings, in HTML, as commands of curl.

It cannot always be known what the octets were.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from typing import Final, NamedTuple
from urllib.parse import unquote

UTF_16_MARKS = (BOM_UTF16_LE, BOM_UTF16_BE)
# Surrogates that are no octet of `surrogateescape`
SURROGATES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LETTERS: Final[Mapping[str, str]] = dict(zip("nrtbfvae", "\n\r\t\b\f\v\a\x1b", strict=True))
_BACKTICK = re.compile(r'`(.)|\$\(\[char\]([0-9]{1,3})\)|"(")', re.DOTALL)
# What a log of what was sent has in place of octets
WIRE = re.compile(rb'\[\\(r|n)\](?:"?\r?\n|"\Z)?|\[0x([0-9a-f]{2})\]|"\r?\n|"\Z')
# What differs from JSON in values of Python, JavaScript and Ruby
_UNLIKE_JSON = re.compile(
    r"""("[^"\\]*(?:\\.[^"\\]*)*"?) | '([^'\\]*(?:\\.[^'\\]*)*)'?
    | \b(True|False|None|nil|undefined)\b | (=>) | \b([A-Za-z_]\w*)(?=[ ]?:)""",
    re.DOTALL | re.VERBOSE,
)
_IN_JSON: Final[Mapping[str, str]] = {"True": "true", "False": "false"}


def _unescaped(text: str) -> str:
    """Return the characters that escapes of JSON, C and shells mean."""

    def character(match: re.Match[str]) -> str:
        digits = match[1] or match[2]
        return chr(int(digits, 16)) if digits else _LETTERS.get(match[3], match[3])

    text = _ESCAPED.sub(character, text)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _of_powershell(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        letter, number, mark = match.groups()
        return chr(int(number)) if number else mark or _LETTERS.get(letter, letter)

    return _BACKTICK.sub(character, text)


def _of_value(text: str) -> str:
    def token(match: re.Match[str]) -> str:
        double, single, word, arrow, name = match.groups()
        if single is not None:
            return '"' + single.replace("\\'", "'").replace('"', '\\"') + '"'
        if name:
            return f'"{name}"'
        return double or (":" if arrow else _IN_JSON.get(word, "null"))

    return _UNLIKE_JSON.sub(token, text)


def octet_of(match: re.Match[bytes]) -> bytes:
    """Return the octet that a log of what was sent writes in brackets."""
    letter, digits = match.groups()
    return bytes([int(digits, 16)]) if digits else {b"r": b"\r", b"n": b"\n"}.get(letter, b"")


class Spelling(NamedTuple):
    """How a program or a person spells a message, and how that is undone."""

    said: str
    quote: bytes
    """How it spells a quotation mark of a JSON text, as a pattern."""
    line_end: bytes
    inside: bytes
    """What is between quotation marks, as a pattern; Q is one of them."""
    undo: Callable[[str], str]


_NEVER = rb"(?!)"
ESCAPES = Spelling(
    "it is an escaped string",
    rb'(?<!\\)\\{1,31}(?:["\']|u0022)',
    rb"(?<!\\)\\{1,31}(?:(?:r|u000[dD])\\{1,31})?(?:n|u000[aA])",
    rb"[^Q\\]*(?:\\.[^Q\\]*)*",
    _unescaped,
)
DOUBLED = Spelling(
    "quotation marks are doubled",
    rb'""',
    _NEVER,
    rb"[^Q]*(?:QQ[^Q]*)*",
    lambda text: text.replace('""', '"'),
)
VALUE = Spelling("it is a value that a program has printed", rb"'", _NEVER, rb".*", _of_value)
SPELLINGS = (
    *(ESCAPES, DOUBLED, VALUE),
    Spelling(
        "it is a string of PowerShell",
        rb'`"',
        rb"(?:`r)?`n|(?:\$\(\[char\]13\))?\$\(\[char\]10\)",
        rb"[^Q`]*(?:(?:`.|QQ)[^Q`]*)*",
        _of_powershell,
    ),
    Spelling(
        "it is written in HTML",
        rb"&(?:quot|\#34);",
        rb"(?:&\#(?:13|x0?D);)?&\#(?:10|x0?A);",
        rb"[^<Q]*",
        unescape,
    ),
    Spelling(
        "it is percent-encoded",
        rb"%22",
        rb"(?:%0[dD])?%0[aA]",
        rb"[^&\sQ]*",
        lambda text: unquote(text, errors="surrogateescape"),
    ),
)


# -- curl ------------------------------------------------------------------------------------------

CURL = re.compile(
    rb"""^[ \t]*(?:[\x24#%>][ \t]*|(?:PS[ ])?[A-Z]:\\[^\n>]*>[ \t]*)?curl(?:\.exe)?[ \t]+
    (?=[\-'"\x5e/\x24\\]|https?:)""",
    re.MULTILINE | re.VERBOSE,
)
# What a word of a shell is made of, $'...', '...', "...", an escaped character, others, and what is
# between words
_PIECE = re.compile(
    r"""\$'((?:[^'\\]|\\.)*)' | '([^']*)' | "((?:[^"\\]|\\.)*)" | \\([^\r\n])
    | ((?:[^\s'"\\$]|\$(?!'))+) | ((?:\s|\\\r?\n)+)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED_IN_QUOTES = re.compile(r"""\\(["\\$`])""")
# What Windows escapes, line ends included, and a line end that ends a command
_CARET = re.compile(r"\^(?:\r?\n(\r?\n)?|(.)|)", re.DOTALL)
_COMMAND_END = re.compile(r"(?<!\\)\r?\n\s*(?=[^\s\-])")
_DATA = frozenset(("-d", "--data", "--data-ascii", "--data-binary", "--data-raw", "--json"))
# The options of curl that are followed by a value, as far as browsers and people write them
_WITH_VALUE = _DATA | frozenset(
    """
    -X --request -H --header --url -A --user-agent -b --cookie -e --referer -m --max-time -o
    --output -u --user -x --proxy
    """.split()
)


def _words(command: str) -> Iterator[str]:
    """Yield the words of a command as a shell reads them."""
    word: list[str] = []
    for match in _PIECE.finditer(command):
        ansi, single, double, escaped, plain, space = match.groups()
        if space is None:
            inner = _unescaped(ansi) if ansi else _ESCAPED_IN_QUOTES.sub(r"\1", double or "")
            word.append(inner or single or escaped or plain or "")
        elif word:
            yield "".join(word)
            word.clear()
        if space and _COMMAND_END.match(command, match.start()):
            break
    if word:
        yield "".join(word)


def sent_by_curl(command: str) -> bytes:
    """Return the request that a command of curl sends."""
    if '^"' in command:
        command = _CARET.sub(lambda match: match[2] or ("\n" if match[1] else ""), command)
    method, url, fields, data = "", "", [], []
    words = _words(command)
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word.startswith("-") and name in _WITH_VALUE and not equals:
            value = next(words, "")
        if name in ("-X", "--request"):
            method = value
        elif name in ("-H", "--header"):
            fields.append(f"{value}\r\n")
        elif name in _DATA:
            data.append(value)
        elif name == "--url" or not word.startswith("-"):
            url = value or word
    method = method or ("POST" if data else "GET")
    head = f"{method} {url} HTTP/1.1\r\n{''.join(fields)}\r\n"
    return f"{head}{'&'.join(data)}".encode("utf-8", "surrogateescape")
