"""Header sections (RFC 9110, 5) as values and as lines, and media types (RFC 9110, 8.3.1).

A batch repeats itself, so a `SectionReader` recalls what it knows: from the octets of a section, or
of a field line, to what they say and what is wrong with them, relative to where they begin. What
it does not know it reads, and remembers, in tables that are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Final, NamedTuple, TypeVar

from odata_batch._model.findings import (
    Diagnostic,
    Reporter,
    Rule,
    error,
    exceed,
    fatal,
    note,
    quote,
    warning,
)
from odata_batch._model.headers import Headers, Pair, Pairs, headers_of, names_of
from odata_batch._model.limits import Limits
from odata_batch._wire import grammar

NOT_EXPRESSIBLE = error("""
    not-expressible: A value is written only in a format that can express all of it. [OData
    Protocol, 11.7.1]
    Choose the other format, or convert the batch and accept what is lost.""")


Problem = tuple[Rule, str]

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


# -- header sections -----------------------------------------------------------------------------

# Fields that frame a message or say what it is: two values, and two readers disagree. RFC 9110, 5.3
SINGLE_FIELDS = frozenset(
    ("content-type", "content-id", "content-length", "content-transfer-encoding", "host")
)

# How many entries a table has. A batch of 10 000 operations with a unique ETag each must not make
# one grow without bound.
_REMEMBERED = 1024


def remember(table: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    """Put what was learned into a table, which begins anew when it is full; return it."""
    if len(table) >= _REMEMBERED:
        table.clear()
    table[key] = value
    return value


class Finding(NamedTuple):
    """Which rule octets break and how, `offset` octets after their beginning."""

    rule: Rule
    message: str
    offset: int


class Section(NamedTuple):
    """What a header section says, and what is wrong with it."""

    headers: Headers
    findings: tuple[Finding, ...]
    id: str | None
    """The first Content-ID; if there are others, that is among the findings."""
    length: str | None
    """The first Content-Length."""


# The names that most fields of a batch have need not be looked at, and all lines share them.
_USUAL_NAMES: Final[Mapping[bytes, str]] = {
    name.encode("ascii"): name
    for name in """
        Accept Cache-Control Content-ID Content-Length Content-Location Content-Transfer-Encoding
        Content-Type DataServiceVersion Date ETag Host If-Match If-None-Match Location
        MaxDataServiceVersion OData-EntityId OData-MaxVersion OData-Version Prefer
        Preference-Applied Vary X-Content-Type-Options
    """.split()
}
_ODD: Final[Pair] = ("", "")
_name_of = itemgetter(0)


class _Lines(dict[bytes, Pair]):
    """What the field lines say that have no problem; one that has is read where it is."""

    def __missing__(self, line: bytes) -> Pair:
        name, colon, rest = line.partition(b":")
        usual = _USUAL_NAMES.get(name)
        if usual is not None and colon:
            value = rest.strip(b" \t").decode("latin-1")
            if value.isprintable() and value.isascii():
                return remember(self, line, (usual, value))
        pair, problem = parse_field_line(line)
        if pair is None or problem is not None:
            return _ODD
        return remember(self, line, pair)


class _Shape(NamedTuple):
    """What sections have in common whose fields have the same names."""

    names: tuple[str, ...]
    """The names in lower case."""
    plain: bool
    """Whether all lines are sound, and all names different."""
    id: int | None
    """Index of the first Content-ID."""
    length: int | None
    """Index of the first Content-Length."""


HEADER_FOLDED = warning("""
    header-folded: Field lines of an HTTP message are not folded. [RFC 9112, 5.2]
    Write the field on one line.""")


class SectionReader:
    """Reads the header sections of one message, within its limits, to its reporter."""

    def __init__(self, limits: Limits, report: Reporter) -> None:
        self.limits = limits
        self.report = report
        self._total = 0
        self._sections: dict[bytes, Section] = {}
        self._lines = _Lines()
        # By their names as they are spelt
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def read(self, section: bytes, position: int, line_end: bytes, fold_rule: Rule) -> Section:
        """Return what `section` says, which does not include the empty line after it.

        `fold_rule` is the rule that a folded field line breaks here. All sections of a reader have
        the same line end.
        """
        known = self._sections.get(section)
        limits = self.limits
        if known is None and len(section) > limits.header_section:
            exceed(self.report, limits, "header_section", position)
        self._total += len(section)
        if self._total > limits.headers_total:
            exceed(self.report, limits, "headers_total", position)
        if known is None:
            lines = len(self._lines)
            known = self._read(section, position, line_end, fold_rule)
            # One with a line that is new will hardly be met again.
            if len(self._lines) == lines:
                remember(self._sections, section, known)
        if known.findings:
            self._replay(known.findings, position, fold_rule)
        return known

    def count(self, section: bytes, position: int) -> None:
        """Count the octets of a section, which need not be read."""
        self._total += len(section)
        if self._total > self.limits.headers_total:
            exceed(self.report, self.limits, "headers_total", position)

    def _replay(self, findings: tuple[Finding, ...], position: int, fold_rule: Rule) -> None:
        for rule, message, offset in findings:
            rule = fold_rule if rule is HEADER_FOLDED else rule
            self.report(Diagnostic(rule, message, position + offset))

    def _read(self, section: bytes, position: int, line_end: bytes, fold_rule: Rule) -> Section:
        lines = section.split(line_end) if section else []
        if line_end == b"\n":
            lines = [line.removesuffix(b"\r") for line in lines]
        limits = self.limits
        if len(lines) <= limits.fields and len(section) <= limits.field_line:
            # A line that is folded is odd.
            pairs = tuple(map(self._lines.__getitem__, lines))
            names = tuple(map(_name_of, pairs))
            shape = self._shapes.get(names) or remember(self._shapes, names, _shape_of(names))
            if shape.plain:
                return _section(headers_of(pairs, shape.names), (), pairs, shape)
        findings: tuple[Finding, ...] = ()
        fold = grammar.FOLD.search(section)
        if fold is not None:
            message = "a field line is folded; it is read unfolded"
            start = section.rfind(b"\n", 0, fold.start()) + 1
            findings = (Finding(HEADER_FOLDED, message, start),)
        starts, lines = unfolded(section, line_end)
        limit = "fields" if len(lines) > limits.fields else "field_line"
        if limit == "fields" or max(map(len, lines)) > limits.field_line:
            self._replay(findings, position, fold_rule)
            exceed(self.report, limits, limit, position)
        read = [*zip(starts, map(parse_field_line, lines), strict=True)]
        findings += tuple(
            Finding(*problem, start) for start, (_, problem) in read if problem is not None
        )
        pairs = tuple([pair for _, (pair, _) in read if pair is not None])
        headers = headers_of(pairs)
        return _section(headers, findings + _repeated(headers), pairs, _shape_of(names_of(headers)))


def _shape_of(names: tuple[str, ...]) -> _Shape:
    names = tuple(map(str.lower, names))
    return _Shape(
        names,
        "" not in names and len(set(names)) == len(names),
        names.index("content-id") if "content-id" in names else None,
        names.index("content-length") if "content-length" in names else None,
    )


def _section(
    headers: Headers, findings: tuple[Finding, ...], pairs: Pairs, shape: _Shape
) -> Section:
    _, _, id, length = shape
    own_id = None if id is None else pairs[id][1]
    # What `Section` calls; there are many, and the way through its own constructor is long.
    own_length = None if length is None else pairs[length][1]
    return tuple.__new__(Section, (headers, findings, own_id, own_length))


REPEATED_HEADER = error("""
    repeated-header: Framing and identifying fields have one value. [RFC 9110, 5.3]
    Keep the one field that is right.""")
REPEATED_HEADER_EQUAL = note("""
    repeated-header-equal: Framing and identifying fields stand once, even if their values are
    equal. [RFC 9110, 5.3]
    Write the field once.""")


def _repeated(headers: Headers) -> tuple[Finding, ...]:
    findings = []
    for name in sorted(SINGLE_FIELDS & headers.keys()):
        values = headers.get_all(name)
        if len(set(values)) > 1:
            message = f"{name} has the values {quote(values[0])} and {quote(values[1])}"
            findings.append(Finding(REPEATED_HEADER, message, 0))
        elif len(values) > 1:
            message = f"{name} stands {len(values)} times with the same value"
            findings.append(Finding(REPEATED_HEADER_EQUAL, message, 0))
    return tuple(findings)


HEADER_NOT_ASCII = note("""
    header-not-ascii: Octets above 127 in a field value are kept, as ISO-8859-1. [RFC 9110, 5.5]
    Encode the value in US-ASCII, as RFC 8187 says for parameters.""")
CONTROL_CHARACTER = error("""
    control-character: Field values, start lines and URLs hold no control character, bare CR
    included. [RFC 9110, 5.5]
    Remove the control character, and look where it has come from.""")


def parse_field_line(line: bytes) -> tuple[Pair | None, Problem | None]:
    """Return the name and value of a field line, or what is wrong with it, or both.

    field-line = field-name ":" OWS field-value OWS      (RFC 9112, 5)
    """
    name, colon, rest = line.partition(b":")
    if not grammar.TOKEN_BYTES.fullmatch(name) or not colon:
        return _broken_field_line(line, name, colon)
    value = rest.strip(b" \t").decode("latin-1")
    pair = (name.decode("ascii"), value)
    if value.isprintable() and value.isascii():
        return pair, None
    if grammar.CONTROL.search(value):
        return pair, (CONTROL_CHARACTER, f"field line {quote(line)} has a control character")
    if not value.isascii():
        return pair, (HEADER_NOT_ASCII, f"field line {quote(line)} is not US-ASCII")
    return pair, None


HEADER_SYNTAX = error("""
    header-syntax: A field line is a name, a colon and a value. [RFC 9112, 5]
    Write the field line as a name, a colon and a value.""")
HEADER_BLANK_BEFORE_COLON = error("""
    header-blank-before-colon: No blank stands between a field name and its colon. [RFC 9112, 5.1]
    Remove the blank before the colon.""")


def _broken_field_line(line: bytes, name: bytes, colon: bytes) -> tuple[Pair | None, Problem]:
    if colon and name != name.rstrip(b" \t") and grammar.TOKEN_BYTES.fullmatch(name.strip(b" \t")):
        pair, _ = parse_field_line(line.replace(name, name.strip(b" \t"), 1))
        message = f"field line {quote(line)} has a blank before its colon"
        return pair, (HEADER_BLANK_BEFORE_COLON, message)
    return None, (HEADER_SYNTAX, f"found {quote(line)}, expected a name, a colon and a value")


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


# -- media types ---------------------------------------------------------------------------------


CONTENT_TYPE_SYNTAX = fatal("""
    content-type-syntax: A media type is type/subtype, followed by parameters after semicolons. [RFC
    9110, 8.3.1]
    Write the Content-Type as in multipart/mixed; boundary=batch_1.""")


class MediaType(NamedTuple):
    """A media type, read: `name` is `type/subtype` in lower case."""

    name: str
    parameters: Pairs
    problems: tuple[Problem, ...]

    @property
    def broken(self) -> bool:
        """Whether it could not be read to its end."""
        return any(rule is CONTENT_TYPE_SYNTAX for rule, _ in self.problems)

    def parameter(self, name: str) -> str | None:
        """Return the first value of a parameter, without regard to the case of its name."""
        return next((value for key, value in self.parameters if key == name), None)

    @property
    def is_json(self) -> bool:
        """Whether the content is JSON: `application/json`, or a suffix `+json` (RFC 6839)."""
        top, _, subtype = self.name.partition("/")
        return top == "application" and (subtype == "json" or subtype.endswith("+json"))

    @property
    def is_text(self) -> bool:
        """Whether the content is text, which a JSON batch carries as a string."""
        return self.name.startswith("text/")


def parse_media_type(text: str) -> MediaType:
    """Return the media type that `text` spells, with the problems found in it.

    A `CONTENT_TYPE_SYNTAX` among the problems means that nothing after it was read.
    """
    match = grammar.MEDIA_TYPE.match(text)
    if match is None:
        return MediaType("", (), ((CONTENT_TYPE_SYNTAX, _not_a_media_type(text)),))
    parameters: list[Pair] = []
    problems: list[Problem] = []
    position = match.end()
    while position < len(text):
        parameter = grammar.PARAMETER.match(text, position)
        if parameter is None or not _read_parameter(parameter, parameters, problems):
            problems.append((CONTENT_TYPE_SYNTAX, _not_a_media_type(text)))
            break
        position = parameter.end()
    return MediaType(match[1].lower(), tuple(parameters), tuple(problems))


def _not_a_media_type(text: str) -> str:
    return f"found {quote(text)}, expected type/subtype and parameters"


BOUNDARY_UNQUOTED = warning("""
    boundary-unquoted: A boundary that is not a token is written between double quotes. [RFC 2046,
    5.1.1]
    Put the boundary between double quotes in the Content-Type, but not in the delimiter lines.""")
PARAMETER_BLANKS = warning("""
    parameter-blanks: No blanks stand around the equals sign of a parameter. [RFC 9110, 5.6.6]
    Remove the blanks around the equals sign.""")


def _read_parameter(match: re.Match[str], parameters: list[Pair], problems: list[Problem]) -> bool:
    """Add the parameter of `match`, if it is not an empty one; return whether it can be read."""
    name, before, after, quoted, bare = match.groups()
    if name is None:
        return True
    name = name.lower()
    if before or after:
        problems.append((PARAMETER_BLANKS, f"blanks around the = of parameter {name}"))
    value = bare if quoted is None else grammar.QUOTED_PAIR.sub(r"\1", quoted)
    parameters.append((name, value))
    if quoted is None and not grammar.TOKEN.fullmatch(bare):
        if name != "boundary":
            return False
        if bare:
            problems.append((BOUNDARY_UNQUOTED, f"boundary {quote(bare)} is not quoted"))
    return True
