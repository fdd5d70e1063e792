"""Header sections (RFC 9110, 5) as values and as lines.

A batch repeats itself, so a `SectionReader` recalls what it knows: from the octets of a section, or
of a field line, to what they say and what is wrong with them, relative to where they begin. What
it does not know it reads, and remembers, in tables that are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import Final, NamedTuple, TypeAlias

from odata_batch._model.findings import (
    Diagnostic,
    Problem,
    Reporter,
    Rule,
    error,
    note,
    quote,
    warning,
)
from odata_batch._model.headers import Headers, Pair, Pairs, Shape, headers_of, names_of, shaped
from odata_batch._model.limits import REMEMBERED, Limits, exceed, is_full, keep, shortest
from odata_batch._wire import grammar

# Fields that frame a message or say what it is: two values, and two readers disagree. RFC 9110, 5.3
SINGLE_FIELDS = frozenset(
    ("content-type", "content-id", "content-length", "content-transfer-encoding", "host")
)

# Fields whose values rules look into; of URLs and entity tags, whether they are references.
TELLING = frozenset(
    (
        *("odata-version", "odata-maxversion", "dataserviceversion", "maxdataserviceversion"),
        "prefer",
    )
)
# Fields of which each line is read, be they alike in all but the value.
_UNCUT = TELLING | SINGLE_FIELDS
_URLS = frozenset(("content-location", "location", "odata-entityid"))
REFERRING = _URLS | {"if-match", "if-none-match"}

# What may be secret, or is a URL, is kept in no table.
_UNKEPT = _URLS | {"authorization", "proxy-authorization", "cookie", "set-cookie"}

# How many octets are kept as the key of a table, and how many in a mark
_LONGEST_REMEMBERED = 1024
_LONGEST_MARK = 64
# No content has so long a Content-Length.
_LONGEST_LENGTH = 20

Mark: TypeAlias = str | Pair | None


def mark_of(field: Pair) -> Mark:
    """Return all that rules about messages can tell of a field: its name in lower case, or more.

    `None` means that the field has to be looked at.
    """
    name, value = field[0].lower(), field[1]
    if name in TELLING:
        return (name, value) if len(value) <= _LONGEST_MARK else None
    return None if name in REFERRING and "$" in value else name


class Finding(NamedTuple):
    """Which rule octets break and how, `offset` octets after their beginning."""

    rule: Rule
    message: str
    offset: int
    length: int = 0


class Section(NamedTuple):
    """What a header section says, and what is wrong with it."""

    headers: Headers
    findings: tuple[Finding, ...]
    id: str | None
    """The first Content-ID; if there are others, that is among the findings."""
    length: str | None
    """The first Content-Length."""
    claim: int | None
    """Its number, -1 for none; `None` where more has to be said or done than to compare it."""


# The names that most fields of a batch have need not be looked at, and all lines share them; with
# each its mark, unless that depends on the value. Below, whole lines that many batches have.
_USUAL_NAMES: Final[Mapping[bytes, tuple[str, Mark]]] = {
    name.encode("ascii"): (name, None if {name.lower()} & (TELLING | _URLS) else name.lower())
    for name in """
        Accept Cache-Control Content-ID Content-Length Content-Location Content-Transfer-Encoding
        Content-Type DataServiceVersion Date ETag Host If-Match If-None-Match Location
        MaxDataServiceVersion OData-EntityId OData-MaxVersion OData-Version Prefer
        Preference-Applied Vary X-Content-Type-Options
    """.split()
}


_USUAL_LINES: Final[Mapping[bytes, tuple[Pair, Mark]]] = {
    f"{name}: {value}".encode("ascii"): ((name, value), mark_of((name, value)))
    for name, values in (
        ("Content-Type", ("application/json", "application/json;odata.metadata=minimal")),
        ("OData-Version", ("4.0", "4.01")),
        ("Accept", ("application/json",)),
        ("Preference-Applied", ("return=minimal", "return=representation")),
    )
    for value in values
}


class _Lines(dict[bytes, tuple[Pair, Mark]]):
    """The field lines that have no problem, with their marks; one that has is read where it is."""

    misses = 0
    """How many lines were not known, lengths left out."""
    missed = b""
    """The name in the last of them."""

    def __missing__(self, line: bytes) -> tuple[Pair, Mark]:
        start, colon, rest = line.partition(b":")
        if start != b"Content-Length":  # lengths are few enough to know them all
            self.misses += 1
            self.missed = start
        usual = _USUAL_NAMES.get(start)
        if usual is not None and colon:
            name, mark = usual
            value = rest.strip(b" \t").decode("latin-1")
            if value.isprintable() and value.isascii():
                if mark is None or b"$" in line:
                    return self._keep(line, (name, value))
                known = (name, value), mark
                if len(self) < REMEMBERED and len(line) <= _LONGEST_REMEMBERED:
                    self[line] = known
                return known
        pair, problem = parse_field_line(line)
        return _ODD if pair is None or problem is not None else self._keep(line, pair)

    def _keep(self, line: bytes, pair: Pair) -> tuple[Pair, Mark]:
        known = pair, mark_of(pair)
        if len(line) <= _LONGEST_REMEMBERED and pair[0].lower() not in _UNKEPT:
            keep(self, line, known)
        return known


_ODD: Final[tuple[Pair, Mark]] = (("", ""), "")
_new = tuple.__new__


class _Shape(Shape):
    """What sections have in common whose lines have the same marks."""

    __slots__ = ("id", "is_plain", "length")

    def __init__(self, pairs: Pairs, kind: object = None) -> None:
        self.names = names = tuple([name.lower() for name, _ in pairs])
        self.kind = kind
        self.is_plain = "" not in names and len(set(names)) == len(names)
        """Whether all lines are sound, and all names different."""
        self.id = names.index("content-id") if "content-id" in names else None
        """Index of the first Content-ID."""
        self.length = names.index("content-length") if "content-length" in names else None
        """Index of the first Content-Length."""

    def section(self, pairs: Pairs, findings: tuple[Finding, ...] = ()) -> Section:
        """Return the section that has these fields."""
        id = None if self.id is None else pairs[self.id][1]
        length = None if self.length is None else pairs[self.length][1]
        claim = -1 if length is None else None
        if length is not None and length.isdecimal() and len(length) < _LONGEST_LENGTH:
            claim = int(length)
        if findings or id is not None:
            claim = None
        # What `Section` calls; there are many, and the way through its own constructor is long.
        return _new(Section, (shaped(pairs, self), findings, id, length, claim))


class _Gap(NamedTuple):
    """The fields of a section but one, which has another value each time."""

    before: Pairs
    name: str
    after: Pairs
    shape: _Shape
    refers: bool
    """Whether the value may be a reference."""
    id: str | None
    length: str | None
    claim: int | None


class Known:
    """What has been learned of header sections whose lines end alike, by their octets."""

    def __init__(self) -> None:
        self.sections: dict[bytes, Section] = {}
        self.gaps: dict[tuple[bytes, ...], _Gap] = {}
        """By what is around the value; once more without the Content-Length before it."""
        self.cut = b"\n"
        """The name before the value that was cut out last."""
        self.lines = _Lines(_USUAL_LINES)
        self.shapes: dict[tuple[Mark, ...], _Shape] = {}

    @property
    def is_full(self) -> bool:
        """Whether one of the tables is full."""
        tables: tuple[Sized, ...] = self.sections, self.gaps, self.lines, self.shapes
        return any(map(is_full, tables))


HEADER_FOLDED = warning("""
    header-folded: Field lines of an HTTP message are not folded. [RFC 9112, 5.2]
    Write the field on one line.""")


class SectionReader:
    """Reads the header sections of one message, within its limits, to its reporter.

    All have the same line end, that of what is `known`.
    """

    def __init__(self, limits: Limits, report: Reporter, known: Known) -> None:
        self.limits = limits
        self.report = report
        self.known = known
        # A section that is no longer exceeds no limit that another with the same fields keeps.
        self.short = shortest(limits)
        self.total = 0
        """How many octets the sections have that were read or recalled."""

    def read(self, section: bytes, position: int, line_end: bytes, fold_rule: Rule) -> Section:
        """Return what `section` says, which does not include the empty line after it.

        `fold_rule` is the rule that a folded field line breaks here.
        """
        known = self.known.sections.get(section)
        if known is None and len(section) > self.limits.header_section:
            exceed(self.report, self.limits, "header_section", position)
        self.count(section, position)
        return self.settle(known, section, position, line_end, fold_rule)

    def settle(
        self,
        known: Section | None,
        section: bytes,
        position: int,
        line_end: bytes = b"\r\n",
        fold_rule: Rule = HEADER_FOLDED,
    ) -> Section:
        """Return what a section says, by now at least; report what is wrong with it."""
        if known is None:
            known = self.learn(section, position, line_end, fold_rule)
        if known.findings:
            self.replay(known.findings, position, fold_rule)
        return known

    def recall(
        self, section: bytes, size: int
    ) -> tuple[Section | None, Headers, int | None] | None:
        """Return what a section says that is known except for the value of one field.

        After it comes a body of that size. Where nothing is to be said of that, there are the
        fields and the claim alone.
        """
        if not self.known.gaps:
            return None
        before, name, rest = section.partition(self.known.cut)
        value, _, after = rest.partition(b"\r\n")
        key = before, name, after
        gap = self.known.gaps.get(key) or self._resized(key, size)
        if gap is None or not value.isascii():
            return None
        fields, own_name, others, shape, refers, id, length, claim = gap
        text = value.decode().strip(" ")
        if not text.isprintable() or (refers and "$" in text):
            return None
        headers = shaped((*fields, (own_name, text), *others), shape)
        if claim == size or claim == -1:
            return None, headers, claim
        return Section(headers, (), id, length, claim), headers, claim

    def _resized(self, key: tuple[bytes, bytes, bytes], size: int) -> _Gap | None:
        """Return what is known of a section that has another Content-Length; remember it."""
        before, name, after = key
        left, line, right = before.partition(b"Content-Length: %d\r\n" % size)
        gap = self.known.gaps.get((left, right, name, after)) if line else None
        if gap is None:
            return None
        index, length = left.count(b"\r\n"), str(size)
        fields = *gap.before[:index], ("Content-Length", length), *gap.before[index + 1 :]
        resized = gap._replace(before=fields, length=length, claim=size)
        return keep(self.known.gaps, key, resized)

    def count(self, section: bytes, position: int) -> None:
        """Count the octets of a section, which need not be read."""
        self.total += len(section)
        if self.total > self.limits.headers_total:
            exceed(self.report, self.limits, "headers_total", position)

    def replay(self, findings: tuple[Finding, ...], position: int, fold_rule: Rule) -> None:
        for rule, message, offset, length in findings:
            rule = fold_rule if rule is HEADER_FOLDED else rule
            self.report(Diagnostic(rule, message, position + offset, length=length))

    def learn(self, section: bytes, position: int, line_end: bytes, fold_rule: Rule) -> Section:
        """Return what a section says that is not known; what is wrong with it is not reported."""
        limits, known = self.limits, self.known
        misses = known.lines.misses
        lines = section.split(line_end) if section else []
        if line_end == b"\n":
            lines = [line.removesuffix(b"\r") for line in lines]
        if len(lines) <= limits.fields and len(section) <= limits.field_line:
            # A line that is folded is odd.
            read = [*map(known.lines.__getitem__, lines)]
            # Each is a pair.
            pairs, marks = zip(*read) if read else ((), ())  # noqa: B905  # `strict` is slower by half
            shape = known.shapes.get(marks)
            is_new = shape is None
            if shape is None:
                shape = _Shape(pairs, None if None in marks else object())
                if shape.kind is not None:
                    keep(known.shapes, marks, shape)
            if shape.is_plain:
                made = shape.section(pairs)
                # One with a line that is new will hardly be met again.
                if known.lines.misses == misses:
                    self._keep(section, made)
                elif known.lines.misses == misses + 1 and line_end == b"\r\n" and not is_new:
                    self._keep_gap(section, made, shape)
                return made
        return self._read_odd(section, position, line_end, fold_rule)

    def _read_odd(self, section: bytes, position: int, line_end: bytes, fold_rule: Rule) -> Section:
        findings: tuple[Finding, ...] = ()
        cut = grammar.NO_FIELD.search(section)
        if cut is not None:
            found, place = cut[0], cut.start()
            rest = section[place:]
            if found.isspace():
                message = "found white space in place of the empty line after the header section"
                findings = (Finding(EMPTY_LINE_WHITE_SPACE, message, place, len(found)),)
            else:
                line = rest.partition(b"\n")[0].rstrip(b"\r")
                message = f"found {quote(line)} in a header section; an empty line belongs above it"
                findings = (Finding(BODY_IN_HEADERS, message, place, len(line)),)
            section = section[:place].removesuffix(line_end)
        fold = grammar.FOLD.search(section)
        if fold is not None:
            message = "a field line is folded; it is read unfolded"
            start = section.rfind(b"\n", 0, fold.start()) + 1
            findings = (Finding(HEADER_FOLDED, message, start), *findings)
        starts, lines = grammar.unfolded(section, line_end) if section else ([], [])
        limits = self.limits
        limit = "fields" if len(lines) > limits.fields else "field_line"
        if limit == "fields" or max(map(len, lines), default=0) > limits.field_line:
            self.replay(findings, position, fold_rule)
            exceed(self.report, limits, limit, position)
        read = [*map(parse_field_line, lines)]
        findings += tuple(
            Finding(*problem, start, len(line))
            for start, line, (_, problem) in zip(starts, lines, read, strict=True)
            if problem is not None
        )
        kept = [(pair, start) for (pair, _), start in zip(read, starts, strict=True) if pair]
        pairs = tuple([pair for pair, _ in kept])
        places = [start for _, start in kept]
        made = _Shape(pairs).section(pairs, findings + _repeated(pairs, places))
        if cut is None and len(pairs) == len(lines):
            self._keep(section, made)
        return made

    def _keep_gap(self, octets: bytes, section: Section, shape: _Shape) -> None:
        """Keep what a section says, one line of which is new, less the value in that line."""
        cut = self.known.lines.missed + b": "
        before, name, rest = octets.partition(cut)
        after = rest.partition(b"\r\n")[2]
        index = before.count(b"\r\n")
        own, pairs = shape.names[index], section.headers.pairs
        if not name or (before and not before.endswith(b"\r\n")) or own in _UNCUT:
            return
        self.known.cut = cut
        others = shape.names[:index] + shape.names[index + 1 :]
        if len(before) + len(after) <= _LONGEST_REMEMBERED and _UNKEPT.isdisjoint(others):
            fields = pairs[:index], pairs[index][0], pairs[index + 1 :]
            gap = _Gap(*fields, shape, own in REFERRING, *section[2:])
            keep(self.known.gaps, (before, name, after), gap)
            left, line, right = before.partition(f"Content-Length: {gap.claim}\r\n".encode("ascii"))
            if line and (not left or left.endswith(b"\r\n")):
                keep(self.known.gaps, (left, right, name, after), gap)

    def _keep(self, section: bytes, made: Section) -> None:
        if may_be_kept(made, section):
            keep(self.known.sections, section, made)


def may_be_kept(section: Section, octets: bytes) -> bool:
    """Tell whether what a section says may be kept in a table, by these octets of it."""
    return len(octets) <= _LONGEST_REMEMBERED and _UNKEPT.isdisjoint(names_of(section.headers))


EMPTY_LINE_WHITE_SPACE = error("""
    empty-line-white-space: An empty line is empty; white space in it continues the line before.
    [RFC 9112, 5.2]
    Remove the white space from the line that separates header section and content.""")
BODY_IN_HEADERS = error("""
    body-in-headers: An empty line separates the header section from the body. [RFC 9112, 2.1]
    Write an empty line above the body.""")
REPEATED_HEADER = error("""
    repeated-header: Framing and identifying fields have one value. [RFC 9110, 5.3]
    Keep the one field that is right.""")
REPEATED_HEADER_EQUAL = note("""
    repeated-header-equal: Framing and identifying fields appear once, even if their values are
    equal. [RFC 9110, 5.3]
    Write the field once.""")


def _repeated(pairs: Pairs, places: list[int]) -> tuple[Finding, ...]:
    headers = headers_of(pairs)
    names = [name.lower() for name, _ in pairs]
    findings = []
    for name in sorted(SINGLE_FIELDS & headers.keys()):
        values = headers.get_all(name)
        if len(values) > 1:
            rule, message = (
                REPEATED_HEADER_EQUAL,
                f"appears {len(values)} times with the same value",
            )
            if len(set(values)) > 1:
                rule, message = (
                    REPEATED_HEADER,
                    f"has the values {quote(values[0])} and {quote(values[1])}",
                )
            place = places[names.index(name, names.index(name) + 1)]
            findings.append(Finding(rule, f"{name} {message}", place, len(name)))
    return tuple(findings)


HEADER_NOT_ASCII = note("""
    header-not-ascii: Octets above 127 in a field value are kept, as ISO-8859-1. [RFC 9110, 5.5]
    Encode the value in US-ASCII, as RFC 8187 says for parameters.""")
CONTROL_CHARACTER = error("""
    control-character (unwritten): Field values, start lines and URLs hold no control character,
    bare CR included. [RFC 9110, 5.5]
    Remove the control character, and find out where it comes from.""")


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
    header-syntax (unwritten): A field line is a name, a colon and a value. [RFC 9112, 5]
    Write the field line as a name, a colon and a value.""")
HEADER_WHITE_SPACE_BEFORE_COLON = error("""
    header-white-space-before-colon: No white space is between a field name and its colon. [RFC
    9112, 5.1]
    Remove the white space before the colon.""")


def _broken_field_line(line: bytes, name: bytes, colon: bytes) -> tuple[Pair | None, Problem]:
    if colon and name != name.rstrip(b" \t") and grammar.TOKEN_BYTES.fullmatch(name.strip(b" \t")):
        pair, _ = parse_field_line(line.replace(name, name.strip(b" \t"), 1))
        message = f"field line {quote(line)} has white space before its colon"
        return pair, (HEADER_WHITE_SPACE_BEFORE_COLON, message)
    return None, (HEADER_SYNTAX, f"found {quote(line)}, expected a name, a colon and a value")
