"""Where in a part the members of an item are, for findings about values that were read.

A check sees a value, and says which member of it is wrong; the octets that it was read from are
looked at again only then, so that nothing needs to be kept of all that is right. Members have the
names of the model; a field of the header section is `headers.` and its name in lower case, one of
the part `part.` and its name. With `=` in place of the dot it is the value that is meant.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from odata_batch._wire import grammar

Span: TypeAlias = tuple[int, int]
"""An offset, and how many octets are meant."""


def in_part(octets: bytes, start: int, member: str) -> Span | None:
    """Return the place of a member of the item in the part at `start`, if it is known."""
    head = grammar.EMPTY_LINES_AFTER.search(octets, start)  # more may come before a start line
    message = len(octets) if head is None else head.end()
    if member == "id":
        return _field(octets, start, "content-id", 2) or _field(octets, message, "content-id", 2)
    if member.startswith(("part.", "part=")):
        return _field(octets, start, member[5:], 1 + (member[4] == "="))
    if member.startswith(("headers.", "headers=")):
        return _field(octets, message, member[8:], 1 + (member[7] == "="))
    if member == "body":
        empty = grammar.EMPTY_LINE_AFTER.search(octets, message)
        return None if empty is None else (empty.end(), 0)
    line = octets[message : octets.find(b"\n", message) + 1 or None].rstrip()
    first, _, rest = line.partition(b" ")
    if member == "method":
        return message, len(first)
    at = len(line) - len(rest.lstrip(b" "))
    if member == "status":
        return message + at, len(line[at:].partition(b" ")[0])
    last = line.rfind(b" ")
    end = len(line[:last].rstrip(b" ")) if line.startswith(b"HTTP/", last + 1) else len(line)
    return message + at, end - at


def _field(octets: bytes, start: int, name: str, group: int) -> Span | None:
    """Return where the name of a field is, or its value, in the header section at `start`."""
    empty = grammar.EMPTY_LINE_AFTER.search(octets, start)
    stop = len(octets) if empty is None else empty.start()
    line = rb"^(%s)[ \t]*:[ \t]*([^\r\n]*)" % re.escape(name.encode("latin-1"))
    found = re.compile(line, re.IGNORECASE | re.MULTILINE).search(octets, start, stop)
    return None if found is None else (found.start(group), len(found[group].rstrip(b" \t")))
