"""Diagnostics, reports and errors.

Parsers report and go on. Where a rule has no documented reading, they call `stop`, which reports
and never returns. Arguments of the wrong type are refused here, too.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, Final, Generic, NoReturn, Self, TypeVar

T_co = TypeVar("T_co", covariant=True)
_Class = TypeVar("_Class", bound=type)
_Value = TypeVar("_Value")

_LONGEST: Final = 500
SHOWN: Final = 3  # of what an error is about; nobody would read a longer message
_OF_THE_RULE: Any = None
_ROW: Final = re.compile(r"([a-z0-9-]+)(?: \(([^()]+)\))?: ([^\[]+) \[([^\]]+)\] (.+)")


def public(cls: _Class) -> _Class:
    """Make `odata_batch` the module of a class, as users import it and as `pickle` finds it.

    It is the outermost decorator. Modules that use it do without `from __future__ import
    annotations`: annotations that are strings would be looked up in `odata_batch`.
    """
    cls.__module__ = "odata_batch"
    return cls


@public
class Severity(IntEnum):
    """How bad a finding is; the members compare, `NOTE < WARNING < ERROR`.

    It follows from one question. Two readers may disagree about what the message means: an error.
    The message breaks a sentence of the standard, yet can be read in one way only: a warning.
    Anything else worth telling: a note.

    >>> max(Severity.NOTE, Severity.ERROR).name
    'ERROR'
    """

    NOTE = 1
    """Allowed, or common and harmless; worth knowing when something else goes wrong."""
    WARNING = 2
    """Forbidden, but it has only one reading; raises with `strict`."""
    ERROR = 3
    """Two readers may disagree about the meaning; always raises."""

    def __repr__(self) -> str:
        return f"Severity.{self.name}"


@public
class Rule(str):
    """A rule that every finding of it is an instance of: its slug, with what the catalogue says.

    `odata_batch.rules` has a constant for each, and `RULES` by slug; no other code makes one. A
    rule equals its slug, so a slug can be written wherever a rule is expected.

    >>> from odata_batch import rules
    >>> rules.NO_DELIMITER == "no-delimiter"
    True
    >>> rules.NO_DELIMITER.citation
    'RFC 2046, 5.1.1'
    """

    __slots__ = ("_text", "citation", "fatal", "remedy", "sentence", "severity", "tags")

    _text: str
    severity: Severity
    """The severity by default; a dialect may say another."""
    sentence: str
    """What the standard wants."""
    citation: str
    """Where it says so: the text and the section; "OData Protocol" and "OData JSON" are 4.01."""
    remedy: str
    """How to fix what breaks the rule."""
    fatal: bool
    """Whether what breaks it has no documented reading: nothing is read after it."""
    tags: tuple[str, ...]
    """More about it: the status to answer with, if not 400; the fields of the outer header section
    that it is about; `check` if decoding does not look for it; `lossy` if octets that a capture has
    lost explain a finding, so that it says nothing about what was sent; `seam` if it means that a
    delimiter of parts may be missing, or may not be one; `no-batch` if what was read is none;
    `unwritten` if it is not written even where a dialect has a note on it, because some readers
    take it for something else, or it would not come back as it is."""

    def __new__(cls, text: str, severity: Severity, fatal: bool = False) -> Self:
        found = _ROW.fullmatch(" ".join(text.split()))
        assert found is not None, text
        slug, tags, *rest = found.groups()
        self = super().__new__(cls, slug)
        self._text, self.tags = text, tuple((tags or "").split())
        self.sentence, self.citation, self.remedy = rest
        self.severity, self.fatal = severity, fatal
        return self

    @property
    def member(self) -> str:
        """The member of an item that it is about, as in `url` or `headers.host`; empty for none."""
        return next((tag[1:] for tag in self.tags if tag.startswith("@")), "")

    @property
    def slug(self) -> str:
        """The name of the rule on the command line, in fixtures and in reports."""
        return str(self)

    def __repr__(self) -> str:
        return f"rules.{self.upper().replace('-', '_')}"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[str, Severity, bool]]:
        return type(self), (self._text, self.severity, self.fatal)


note: Final = partial(Rule, severity=Severity.NOTE)
warning: Final = partial(Rule, severity=Severity.WARNING)
error: Final = partial(Rule, severity=Severity.ERROR)
fatal: Final = partial(Rule, severity=Severity.ERROR, fatal=True)


LIMIT_EXCEEDED = fatal("""
    limit-exceeded (413): No part of a message is larger than the limits in force. [RFC 9110, 17.5]
    Make smaller what the message names, split the batch, or raise this limit in the reader if the
    sender is trusted.""")
BATCH_MEDIA_TYPE = fatal("""
    batch-media-type (415): The media type of a batch is multipart/mixed or application/json. [OData
    Protocol, 11.7.1]
    Send the batch as multipart/mixed with its boundary, or as application/json.""")
JSON_CHARSET = fatal("""
    json-charset (415): A JSON batch is encoded in UTF-8. [RFC 8259, 8.1]
    Encode the batch in UTF-8, and leave out the charset parameter.""")


@public
@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: which rule, what exactly was found, and where.

    >>> from odata_batch import rules
    >>> print(Diagnostic(rules.NO_PARTS, "found a close delimiter and no part", position=0))
    warning[no-parts] at byte 0: found a close delimiter and no part
    """

    rule: Rule
    """The rule that the finding is an instance of."""
    message: str
    """What was found and what was expected; input is quoted with `repr` and cut at 60 bytes. It is
    printable, and has at most 500 characters."""
    position: int | None = None
    """Offset in bytes from the start of the payload; `None` where a value is checked, not bytes."""
    path: str = ""
    """The item, as in `items[2].items[0].headers`; empty for the message as a whole."""
    severity: Severity = _OF_THE_RULE
    """The rule's severity, or the one that the dialect in force gives it."""
    limit: tuple[str, int] | None = None
    """Name and value of the limit that was exceeded; `None` for every rule but `limit-exceeded`."""
    length: int = 0
    """How many octets are wrong from `position` on; 0 where only a place can be pointed at."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", fitted(self.message))
        if self.severity is _OF_THE_RULE:
            object.__setattr__(self, "severity", self.rule.severity)

    def __str__(self) -> str:
        return self._told(self.severity.name.lower())

    def _told(self, as_what: str) -> str:
        place = "" if self.position is None else f" at byte {self.position}"
        path = f" in {self.path}" if self.path else ""
        return f"{as_what}[{self.rule.slug}]{place}{path}: {self.message}"

    @property
    def remedy(self) -> str:
        """How to mend it: the remedy of the rule, or what fits the limit that was exceeded.

        >>> from odata_batch import check_request
        >>> report = check_request(b'{"requests":[', "application/json", limits=Limits(message=9))
        >>> report.diagnostics[0].remedy
        'Split the batch, or raise Limits.message (--limit message=N) if the sender is trusted.'
        """
        if self.limit is None:
            return self.rule.remedy
        name, _ = self.limit
        number = _NUMBERS.get(name)
        smaller = f"Send fewer {number}" if number else f"Make the {name.replace('_', ' ')} smaller"
        smaller = "Split the batch" if name in _SPLIT else smaller
        return f"{smaller}, or raise Limits.{name} (--limit {name}=N) if the sender is trusted."


Reporter = Callable[[Diagnostic], None]
Problem = tuple[Rule, str]
"""A rule that is broken, and how."""
"""Called by parsers with each finding; it decides whether to raise."""


@public
@dataclass(frozen=True, slots=True)
class Report(Generic[T_co]):
    """What `check_request` and `check_response` return: the value, and what is wrong with it.

    >>> from odata_batch import check_request
    >>> report = check_request(b'{"requests":[{"id":"1","method":"GET"}]}', "application/json")
    >>> report.ok, report.totals, report.of(Severity.ERROR)[0].path
    (False, (0, 0, 1), 'items[0]')
    """

    value: T_co | None
    """What could be read; `None` only if nothing could."""
    diagnostics: tuple[Diagnostic, ...]
    """The findings in the order in which they were made, up to `Limits.diagnostics` of them."""
    complete: bool = True
    """False if reading stopped at the last diagnostic, whose rule has no documented reading."""
    omitted: int = 0
    """How many findings were made beyond `Limits.diagnostics`."""
    worst: Severity | None = None
    """The highest severity among all findings, omitted ones included; `None` without findings."""
    totals: tuple[int, int, int] = (0, 0, 0)
    """How many notes, warnings and errors there are, omitted ones included."""

    @property
    def ok(self) -> bool:
        """True if there is no error, whether or not there are warnings and notes."""
        return self.worst is None or self.worst < Severity.ERROR

    def of(self, severity: Severity) -> tuple[Diagnostic, ...]:
        """Return the recorded diagnostics of exactly this severity."""
        of_type(severity, Severity, "severity")
        return tuple(found for found in self.diagnostics if found.severity is severity)


def quote(found: str | bytes, length: int = 60) -> str:
    """Return `found` as `repr` shows it, cut at `length` characters or bytes."""
    found = found[: length + 1]
    text = found.decode("latin-1") if isinstance(found, bytes) else found
    shown = text if text.isascii() else _meant(text[:length], len(text) > length)
    return repr(shown) if len(text) <= length else f"{shown[:length]!r}..."


def _meant(text: str, is_cut: bool) -> str:
    """Return the characters that octets are in UTF-8, if they are; the last may be cut off."""
    try:
        octets = text.encode("latin-1")
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        is_end = error.end == len(octets) and error.reason == "unexpected end of data"
        return octets[: error.start].decode("utf-8") if is_cut and is_end else text
    except UnicodeEncodeError:
        return text


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where there is not one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def fitted(message: str) -> str:
    """Return the message with escapes for what cannot be printed, and cut at 500 characters."""
    if not message.isprintable():
        message = "".join([each if each.isprintable() else repr(each)[1:-1] for each in message])
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST - 3]}..."


@public
class BatchError(Exception):
    """Base of all errors that this library raises about the content of a batch.

    >>> from odata_batch import decode_request
    >>> try:
    ...     decode_request(b"hello", "text/plain")
    ... except BatchError as error:
    ...     print(type(error).__name__, error.http_status)
    DecodeError 415
    """

    @property
    def http_status(self) -> int:
        """The status with which a server can answer: 400."""
        return 400


@public
class DecodeError(BatchError):
    """The payload is at fault: it breaks the rule that `diagnostic` names.

    `http_status` is 400, or 415 if the fault is in the media type.

    >>> from odata_batch import rules
    >>> DecodeError(Diagnostic(rules.NO_PARTS, "no part found", 0)).rule.slug
    'no-parts'
    """

    def __init__(self, diagnostic: Diagnostic, partial: tuple[object, ...] = ()) -> None:
        super().__init__(diagnostic, partial)
        self.diagnostic = diagnostic
        """The finding that was raised."""
        self.partial = partial
        """The complete items read before it; one-shot decoding fills it in, too."""

    @property
    def rule(self) -> Rule:
        """The rule that was broken."""
        return self.diagnostic.rule

    @property
    def position(self) -> int | None:
        """Offset in bytes from the start of the payload."""
        return self.diagnostic.position

    @property
    def path(self) -> str:
        """The item at fault, as in `items[2].items[0]`; empty for the message as a whole."""
        return self.diagnostic.path

    @property
    def http_status(self) -> int:
        """413 for a limit, 415 for a media type, otherwise 400."""
        return next((int(tag) for tag in self.rule.tags if tag.isdecimal()), 400)

    def __str__(self) -> str:
        return str(self.diagnostic)


@public
class LimitExceeded(DecodeError):
    """The payload is larger than a limit allows; nothing is read after it.

    >>> from odata_batch import Limits, decode_request
    >>> try:
    ...     decode_request(b'{"requests":[]}', "application/json", limits=Limits(message=10))
    ... except LimitExceeded as error:
    ...     print(error.limit, error.value, error.http_status)
    message 10 413
    """

    @property
    def limit(self) -> str:
        """The name of the field of `Limits`."""
        return (self.diagnostic.limit or ("", 0))[0]

    @property
    def value(self) -> int:
        """The value of the limit, in the unit of its field."""
        return (self.diagnostic.limit or ("", 0))[1]


@public
class EncodeError(BatchError):
    """The value is at fault: it cannot be written without breaking the rules that are listed.

    >>> from odata_batch import rules
    >>> error = EncodeError((Diagnostic(rules.NO_PARTS, "the batch is empty"),))
    >>> print(error)
    refused[no-parts]: the batch is empty. Leave the batch out if there is nothing to send.
    """

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics
        """All findings, in the order of the items."""

    @property
    def http_status(self) -> int:
        """500: it was not the peer who made the value."""
        return 500

    def __str__(self) -> str:
        shown = self.diagnostics[:SHOWN]
        found = [each._told("refused") for each in shown]
        if len(self.diagnostics) > SHOWN:
            found.append(f"and {len(self.diagnostics) - SHOWN} more")
        return " ".join([f"{'; '.join(found)}.", *dict.fromkeys(each.remedy for each in shown)])


@public
class UnresolvedReference(BatchError):
    """A `$id` reference cannot be resolved into a URL.

    >>> from odata_batch import resolve_url
    >>> try:
    ...     resolve_url("$1/Orders", "http://host/service/$batch")
    ... except UnresolvedReference as error:
    ...     print(error)
    URL '$1/Orders' refers to '1', which has no location; give its absolute URL in locations
    """


class Stop(Exception):
    """Unwinds a parser after a finding that has no documented reading; never leaves the library."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


def stop(report: Reporter, diagnostic: Diagnostic) -> NoReturn:
    """Report a finding after which nothing can be read."""
    report(diagnostic)
    raise Stop(diagnostic.rule)


# The limits on numbers, in words; the others are limits on sizes.
_NUMBERS: Final[Mapping[str, str]] = {
    "operations": "operations",
    "items": "items",
    "change_set_operations": "operations in a change set",
    "fields": "field lines",
    "annotations": "annotations",
    "depends_on": "entries in dependsOn",
}
# Of what a smaller batch has less
_SPLIT: Final = frozenset(("message", "operations", "items", "headers_total", "depends_on"))


def excess(limit: str, value: int) -> str:
    """Return the message about a limit, a field of `Limits`, that is exceeded."""
    number, size = _NUMBERS.get(limit), limit.replace("_", " ")
    what = f"too many {number}" if number else f"the {size} is too large"
    return f"{what}: the limit is {value} (Limits.{limit})"


# -- arguments that are refused ------------------------------------------------------------------


def of_type(value: _Value, kind: type, name: str, also: str = "") -> _Value:
    """Return the argument `name`, or raise `TypeError` that says what it is; a bool is no int.

    >>> of_type(True, int, "status")
    Traceback (most recent call last):
    TypeError: status is an int, not bool: True
    """
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    article = "" if kind is bytes else "an " if kind.__name__[0] in "AEIOUi" else "a "
    found = f"{type(value).__name__}: {value!r:.60}"
    if kind is bytes and isinstance(value, str):
        mend = "`.encode()` it, or give an operation `json=`"
        found += f"; {mend if name == 'body' else 'give the octets as they were read'}"
    raise TypeError(f"{name} is {article}{kind.__name__}{also}, not {found}")


def optional(value: _Value, kind: type, name: str) -> _Value:
    """Return the argument if it is `None` or of that type; else `TypeError`."""
    return value if value is None else of_type(value, kind, name, " or None")


def at_least_1(value: int, name: str) -> None:
    """Raise `TypeError` for what is no `int`, and `ValueError` for what is less than 1."""
    if of_type(value, int, name) < 1:
        raise ValueError(f"{name} is at least 1, not {value}")


def names_in(values: Iterable[str], name: str) -> Iterable[str]:
    """Return the argument, several names; a `str` is one, and `TypeError`."""
    if isinstance(values, str):
        raise TypeError(f"{name} is an iterable of str, not str: {values!r:.60}")
    return [of_type(each, str, f"entry of {name}") for each in of_type(values, Iterable, name)]


def octets_of(data: bytes) -> bytes:
    """Return the octets of `bytes` or of what is like them, else `TypeError`."""
    if type(data) is bytes:  # nearly always, and what else it may be takes longer to ask
        return data
    is_like = isinstance(data, bytearray | memoryview)
    return bytes(data) if is_like else of_type(data, bytes, "data")


def check_called(value: object, name: str) -> None:
    """Raise `TypeError` for what is neither `None` nor can be called."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} is called, and {value!r:.60} cannot be")
