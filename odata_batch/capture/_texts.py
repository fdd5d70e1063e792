r"""Texts that mean a message: as editors, logs, tickets and browsers have copied it.

A file of an editor begins with a byte order mark or is UTF-16, a log has its line ends spelt out, a
ticket quotes each line, and a browser copies a request as a command of curl. What was done to the
octets is undone here; it cannot always be known what they were.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from odata_batch._model.findings import Diagnostic, note

CAPTURE_TEXT = note("""
    capture-text: A capture holds the octets of the message, not a text that was made of them. [RFC
    9112, 2.2]
    Read places as those in the text as it was undone; capture the octets if they may differ.""")

_UTF_8_MARK = b"\xef\xbb\xbf"
_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_QUOTED_LINES = re.compile(rb"(?:>[^\n]*\n)+(?:>[^\n]*)?\s*")
_QUOTE = re.compile(rb"^> ?", re.MULTILINE)
_CURL = re.compile(rb"\s*(?:\$ +)?curl(?:\.exe)?\s")
# What a word of a shell is made of, $'...', '...', "...", an escaped character, others, and what is
# between words
_PIECE = re.compile(
    r"""\$'((?:[^'\\]|\\.)*)' | '([^']*)' | "((?:[^"\\]|\\.)*)" | \\([^\r\n])
    | ((?:[^\s'"\\$]|\$(?!'))+) | ((?:\s|\\\r?\n)+)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r"""\\(["\\$`])""")
# Surrogates that are no octet of `surrogateescape`
_HALF_A_PAIR = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_LETTERS: Final[Mapping[str, str]] = dict(zip("nrtbfvae", "\n\r\t\b\f\v\a\x1b", strict=True))
_DATA = frozenset(("-d", "--data", "--data-ascii", "--data-binary", "--data-raw"))
# The options of curl that are followed by a value, as far as browsers and people write them
_WITH_VALUE = _DATA | frozenset(
    """
    -X --request -H --header --url -A --user-agent -b --cookie -e --referer -m --max-time -o
    --output -u --user -x --proxy
    """.split()
)


def undone(data: bytes) -> tuple[bytes, Diagnostic | None]:
    r"""Return the octets that a text means, and what was undone, if anything.

    >>> undone(rb'"--b\r\n\r\nGET People HTTP/1.1\r\n\r\n\r\n--b--\r\n"')[0]
    b'--b\r\n\r\nGET People HTTP/1.1\r\n\r\n\r\n--b--\r\n'
    """
    found = []
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            data = data[2:].decode(encoding, "replace").encode("utf-8", "replace")
            found.append("the text is UTF-16")
    if data.startswith(_UTF_8_MARK) and not data[3:].lstrip().startswith(b"{"):
        data = data[3:]
        found.append("a byte order mark begins the text")
    if _QUOTED_LINES.fullmatch(data):
        data = _QUOTE.sub(b"", data)
        found.append("each line is quoted with '>'")
    line = data.strip()
    if _CURL.match(data):
        data = _sent_by_curl(data.decode("utf-8", "surrogateescape"))
        found.append("the text is a command of curl")
    elif b"\\n" in line and b"\n" not in line and not line.startswith((b"{", b"[")):
        text = line.strip(b'"').decode("utf-8", "surrogateescape")
        data = _unescaped(text).encode("utf-8", "surrogateescape")
        found.append("line ends are spelt out")
    message = f"{' and '.join(found)}; it is read as the message that it stands for"
    return data, Diagnostic(CAPTURE_TEXT, message, 0) if found else None


def _unescaped(text: str) -> str:
    """Return the characters that escapes of JSON, C and shells mean."""

    def character(match: re.Match[str]) -> str:
        digits = match[1] or match[2]
        return chr(int(digits, 16)) if digits else _LETTERS.get(match[3], match[3])

    text = _ESCAPED.sub(character, text)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return _HALF_A_PAIR.sub("\N{REPLACEMENT CHARACTER}", text)


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
    if word:
        yield "".join(word)


def _sent_by_curl(command: str) -> bytes:
    """Return the request that a command of curl sends."""
    method, url, fields, data = "", "", [], []
    words = _words(command)
    next(words)
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
