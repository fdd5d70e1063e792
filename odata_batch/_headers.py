"""Header sections (RFC 9110, 5) as values and as lines, and media types (RFC 9110, 8.3.1).

A section is read line by line. Lines and whole sections repeat a great deal within a batch, so a
`SectionReader` remembers those that gave no reason for a diagnostic; what is not remembered takes
the same path, which alone makes diagnostics.

Why this long: sections and media types, their values and their lines belong together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, KeysView, Mapping
from typing import NamedTuple, TypeVar, overload

from odata_batch import _grammar as grammar
from odata_batch._diagnostics import Diagnostic, Reporter, Rule, quote
from odata_batch._errors import exceed
from odata_batch._limits import Limits

Pair = tuple[str, str]
Pairs = tuple[Pair, ...]
Problem = tuple[Rule, str]

_Default = TypeVar("_Default")
_put = object.__setattr__
_lower = str.lower


class Headers(Mapping[str, str]):
    """The fields of a header section: ordered, repeatable, found without regard to case.

    As a mapping it has one value for each name; the values of a repeated field are joined by a
    comma and a blank, as RFC 9110, 5.3 allows. Two `Headers` are equal if these mappings are; the
    order of different fields and the case of names do not matter. `Set-Cookie` cannot be joined
    (RFC 6265, 3): it is compared value by value, and looking it up gives the first.

    >>> headers = Headers([("Accept", "text/plain"), ("accept", "text/html")])
    >>> headers["ACCEPT"]
    'text/plain, text/html'
    >>> headers == Headers({"accept": "text/plain, text/html"})
    True
    """

    __slots__ = ("_index", "_pairs")

    _pairs: Pairs
    _index: dict[str, tuple[str, ...]] | None

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        if isinstance(fields, Headers):
            pairs = fields._pairs
        elif isinstance(fields, Mapping):
            pairs = tuple(map(_pair, fields.items()))
        else:
            pairs = tuple(map(_pair, fields))
        _put(self, "_pairs", pairs)
        _put(self, "_index", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Headers cannot be changed, {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Headers cannot be changed, {name} cannot be deleted")

    @property
    def pairs(self) -> Pairs:
        """Every field line as `(name, value)`, in order, with the case it was written in."""
        return self._pairs

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return the values of all field lines of that name, in order.

        >>> Headers([("Set-Cookie", "a=1"), ("set-cookie", "b=2")]).get_all("Set-Cookie")
        ('a=1', 'b=2')
        """
        return self._values().get(_lower(name), ())

    def _values(self) -> dict[str, tuple[str, ...]]:
        index = self._index
        if index is None:
            values: dict[str, list[str]] = {}
            for name, value in self._pairs:
                values.setdefault(name.lower(), []).append(value)
            index = {name: tuple(found) for name, found in values.items()}
            # Two threads may both get here; what they make is equal.
            _put(self, "_index", index)
        return index

    def _meaning(self) -> dict[str, str | tuple[str, ...]]:
        return {
            name: values if name == "set-cookie" else ", ".join(values)
            for name, values in self._values().items()
        }

    def __getitem__(self, name: str) -> str:
        values = self._values()[_lower(name)]
        if len(values) == 1 or name.lower() == "set-cookie":
            return values[0]
        return ", ".join(values)

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...

    @overload
    def get(self, name: str, default: str | _Default) -> str | _Default: ...

    def get(self, name: str, default: object = None) -> object:
        """Return the value of the field, or the default; `Mapping` would raise and catch for it."""
        return self[name] if _lower(name) in self._values() else default

    def keys(self) -> KeysView[str]:
        """Return the names in lower case, as a set that is a view."""
        return self._values().keys()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._pairs == other._pairs or self._meaning() == other._meaning()

    def __hash__(self) -> int:
        return hash(frozenset(self._meaning().items()))

    def __reduce__(self) -> tuple[type[Headers], tuple[Pairs]]:
        return Headers, (self._pairs,)

    def __repr__(self) -> str:
        names = [name.lower() for name, _ in self._pairs]
        fields = dict(self._pairs) if len(set(names)) == len(names) else list(self._pairs)
        return f"Headers({fields!r})" if fields else "Headers()"


def _pair(field: object) -> Pair:
    if isinstance(field, tuple | list) and len(field) == 2:
        name, value = field
        if isinstance(name, str) and isinstance(value, str):
            return name, value
    raise TypeError(f"a header field is a pair of str, not {field!r:.60}")


def headers_of(pairs: Pairs, index: dict[str, tuple[str, ...]] | None = None) -> Headers:
    """Return the headers with these fields, known to be pairs of `str`, and maybe indexed."""
    headers = Headers.__new__(Headers)
    _put(headers, "_pairs", pairs)
    _put(headers, "_index", index)
    return headers


def folded(headers: Headers) -> Mapping[str, tuple[str, ...]]:
    """Return the values of all fields by their names in lower case."""
    return headers._values()


def without(headers: Headers, name: str) -> Headers:
    """Return `headers` less all fields of that name."""
    return headers_of(tuple(pair for pair in headers.pairs if pair[0].lower() != name))


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
