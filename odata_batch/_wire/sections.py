"""Header sections (RFC 9110, 5) as values and as lines, and media types (RFC 9110, 8.3.1).

A section is read line by line. Lines and whole sections repeat a great deal within a batch, so a
`SectionReader` remembers those that gave no reason for a diagnostic; what is not remembered takes
the same path, which alone makes diagnostics.

Why this long: sections and media types, their values and their lines belong together.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from odata_batch._model.findings import Diagnostic, Reporter, exceed, quote
from odata_batch._model.headers import Headers, Pair, Pairs, headers_of
from odata_batch._model.limits import Limits
from odata_batch._model.rules import Rule
from odata_batch._wire import grammar

Problem = tuple[Rule, str]


# -- header sections -----------------------------------------------------------------------------

# Fields that frame a message or say what it is: two values, and two readers disagree. RFC 9110, 5.3
SINGLE_FIELDS = frozenset(
    ("content-type", "content-id", "content-length", "content-transfer-encoding", "host")
)

# How many different lines and sections a reader remembers. A batch of 10 000 operations with a
# unique ETag each must not make it grow without bound.
_REMEMBERED = 1024


class _Line(NamedTuple):
    """A field line, read."""

    pair: Pair | None
    key: str
    values: tuple[str, ...]
    problem: Problem | None


class SectionReader:
    """Reads the header sections of one message, within its limits, to its reporter."""

    def __init__(self, limits: Limits, report: Reporter) -> None:
        self.limits = limits
        self.report = report
        self._total = 0
        self._problems = 0
        self._sections: dict[bytes, Headers] = {}
        self._lines: dict[bytes, _Line] = {}

    def read(self, section: bytes, position: int, line_end: bytes, fold_rule: Rule) -> Headers:
        """Return the fields of `section`, which does not include the empty line behind it.

        `fold_rule` is the rule that a folded field line breaks here.
        """
        self._count(section, position)
        known = self._sections.get(section)
        if known is not None:
            return known
        problems = self._problems
        lines = self._split(section, position, line_end, fold_rule)
        known_line = self._lines.get
        found = [known_line(line) or self._read_line(line, position) for line in lines]
        index = {key: values for _, key, values, _ in found}
        if self._problems == problems and len(index) == len(found):
            headers = headers_of(tuple([pair for pair, _, _, _ in found if pair]), index)
        else:
            headers = self._read_odd(found, section, position, line_end)
        if self._problems == problems and len(self._sections) < _REMEMBERED:
            self._sections[section] = headers
        return headers

    def _count(self, section: bytes, position: int) -> None:
        self._total += len(section)
        if len(section) > self.limits.header_section:
            exceed(self.report, self.limits, "header_section", position)
        if self._total > self.limits.headers_total:
            exceed(self.report, self.limits, "headers_total", position)

    def _split(
        self, section: bytes, position: int, line_end: bytes, fold_rule: Rule
    ) -> list[bytes]:
        lines = section.split(line_end) if section else []
        if line_end == b"\n":
            lines = [line.removesuffix(b"\r") for line in lines]
        if folds(section):
            self._problems += 1
            message = "a field line is folded; it is read unfolded"
            self.report(Diagnostic(fold_rule, message, position + first_fold(section)))
            lines = unfold(lines)
        if len(lines) > self.limits.fields:
            exceed(self.report, self.limits, "fields", position)
        return lines

    def _read_line(self, line: bytes, position: int) -> _Line:
        if len(line) > self.limits.field_line:
            exceed(self.report, self.limits, "field_line", position)
        pair, problem = parse_field_line(line)
        name, value = pair or ("", "")
        read = _Line(pair, name.lower(), (value,), problem)
        if problem is not None:
            self._problems += 1
        elif len(self._lines) < _REMEMBERED:
            self._lines[line] = read
        return read

    def _read_odd(
        self, found: list[_Line], section: bytes, position: int, line_end: bytes
    ) -> Headers:
        """Report the problems of the lines, and fields that are repeated."""
        for start, line in zip(starts_of(section, line_end), found, strict=True):
            if line.problem is not None:
                self.report(Diagnostic(*line.problem, position + start))
        headers = headers_of(tuple(line.pair for line in found if line.pair is not None))
        self._check_repeated(headers, position)
        return headers

    def _check_repeated(self, headers: Headers, position: int) -> None:
        for name in sorted(SINGLE_FIELDS & headers.keys()):
            values = headers.get_all(name)
            if len(values) == 1:
                continue
            self._problems += 1
            if len(set(values)) == 1:
                message = f"{name} stands {len(values)} times with the same value"
                self.report(Diagnostic(Rule.REPEATED_HEADER_EQUAL, message, position))
            else:
                message = f"{name} has the values {quote(values[0])} and {quote(values[1])}"
                self.report(Diagnostic(Rule.REPEATED_HEADER, message, position))


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
        return pair, (Rule.CONTROL_CHARACTER, f"field line {quote(line)} has a control character")
    if not value.isascii():
        return pair, (Rule.HEADER_NOT_ASCII, f"field line {quote(line)} is not US-ASCII")
    return pair, None


def _broken_field_line(line: bytes, name: bytes, colon: bytes) -> tuple[Pair | None, Problem]:
    if colon and name != name.rstrip(b" \t") and grammar.TOKEN_BYTES.fullmatch(name.strip(b" \t")):
        pair, _ = parse_field_line(line.replace(name, name.strip(b" \t"), 1))
        message = f"field line {quote(line)} has a blank before its colon"
        return pair, (Rule.HEADER_BLANK_BEFORE_COLON, message)
    return None, (Rule.HEADER_SYNTAX, f"found {quote(line)}, expected a name, a colon and a value")


def folds(section: bytes) -> bool:
    """Tell whether a line of the section begins with a blank and so continues the one before."""
    return b"\n " in section or b"\n\t" in section


def first_fold(section: bytes) -> int:
    """Return where the first field line begins that the line behind it continues."""
    stops = (section.find(b"\n "), section.find(b"\n\t"))
    return section.rfind(b"\n", 0, min(stop for stop in stops if stop >= 0)) + 1


def starts_of(section: bytes, line_end: bytes) -> list[int]:
    """Return where in the section each line begins that is left when it is unfolded."""
    starts: list[int] = []
    offset = 0
    for line in section.split(line_end):
        if not starts or line[:1] not in (b" ", b"\t"):
            starts.append(offset)
        offset += len(line) + len(line_end)
    return starts


def unfold(lines: list[bytes]) -> list[bytes]:
    """Join each continuation line to the line before, with one blank between (RFC 5322, 2.2.3)."""
    groups: list[list[bytes]] = []
    for line in lines:
        if groups and line[:1] in (b" ", b"\t"):
            groups[-1].append(line.strip(b" \t"))
        else:
            groups.append([line])
    return [b" ".join(group) for group in groups]


def serialize_fields(headers: Headers) -> str:
    """Return the field lines of `headers`, each with its CRLF; the caller has checked them."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.pairs])


# -- media types ---------------------------------------------------------------------------------


class MediaType(NamedTuple):
    """A media type, read: `name` is `type/subtype` in lower case."""

    name: str
    parameters: Pairs
    problems: tuple[Problem, ...]

    @property
    def broken(self) -> bool:
        """Whether it could not be read to its end."""
        return any(rule is Rule.CONTENT_TYPE_SYNTAX for rule, _ in self.problems)

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
        return MediaType("", (), ((Rule.CONTENT_TYPE_SYNTAX, _not_a_media_type(text)),))
    parameters: list[Pair] = []
    problems: list[Problem] = []
    position = match.end()
    while position < len(text):
        parameter = grammar.PARAMETER.match(text, position)
        if parameter is None or not _read_parameter(parameter, parameters, problems):
            problems.append((Rule.CONTENT_TYPE_SYNTAX, _not_a_media_type(text)))
            break
        position = parameter.end()
    return MediaType(match[1].lower(), tuple(parameters), tuple(problems))


def _not_a_media_type(text: str) -> str:
    return f"found {quote(text)}, expected type/subtype and parameters"


def _read_parameter(match: re.Match[str], parameters: list[Pair], problems: list[Problem]) -> bool:
    """Add the parameter of `match`, if it is not an empty one; return whether it can be read."""
    name, before, after, quoted, bare = match.groups()
    if name is None:
        return True
    name = name.lower()
    if before or after:
        problems.append((Rule.PARAMETER_BLANKS, f"blanks around the = of parameter {name}"))
    value = bare if quoted is None else grammar.QUOTED_PAIR.sub(r"\1", quoted)
    parameters.append((name, value))
    if quoted is None and not grammar.TOKEN.fullmatch(bare):
        if name != "boundary":
            return False
        if bare:
            problems.append((Rule.BOUNDARY_UNQUOTED, f"boundary {quote(bare)} is not quoted"))
    return True
