"""How large a message may be: one value, on by default, each number with its precedent.

Where a limit is exceeded, parsers call `exceed`, which reports and never returns. `Findings` is the
reporter that they are handed: it records a finding, as many as the limits allow, and raises it if
it is severe enough. Tables of what was learned have their bound here, too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, fields, replace
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NoReturn, TypeVar

from odata_batch._model.findings import (
    LIMIT_EXCEEDED,
    DecodeError,
    Diagnostic,
    LimitExceeded,
    Reporter,
    Rule,
    Severity,
    excess,
    of_type,
    public,
    stop,
)

DEEPEST = 32
"""How deep change sets nest at most: each level takes a few frames of the interpreter's stack."""
_AS_OPERATIONS: Any = None


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what is read and written; what exceeds one raises `LimitExceeded`.

    A limit is the largest number that is still allowed. Encoding respects the same limits, so that
    what is written can be read back. They hold where a decoder streams, too, whose memory depends
    on neither `message` nor `body`: raise these for it as far as you like. Change one with
    `dataclasses.replace` or by keyword:

    >>> Limits(operations=20).operations
    20
    """

    message: int = 64 * 1024 * 1024
    """Bytes of the whole payload. Between Azure Tables' 4 MiB and Dataverse's 128 MiB requests."""
    operations: int = 10_000
    """Operations in a batch; change sets are not counted, but there may not be more of them either.
    Dataverse allows 1000, Microsoft Graph 20."""
    items: int = _AS_OPERATIONS
    """Items of a batch: operations and change sets at its top level, by default as many as
    operations. Quotas of services may count these parts, as in eight of them with at most five
    operations in a change set."""
    change_set_operations: int = 1000
    """Operations in one change set, wrappers not counted; the default of Microsoft's library."""
    change_set_depth: int = 1
    """How deep change sets nest; 32 at most. OData allows no change set in a change set."""
    boundary: int = 70
    """Characters of a boundary: RFC 2046, 5.1.1."""
    url: int = 64 * 1024
    """Bytes of a URL: Dataverse documents 64 KiB for a URL within a batch."""
    field_line: int = 64 * 1024
    """Bytes of one field line, unfolded: Apache httpd takes 8 KiB, Node 16 KiB for a section."""
    fields: int = 64
    """Field lines in one header section: Python's own http.client allows 100."""
    header_section: int = 128 * 1024
    """Bytes of one header section, its start line not counted: twice the longest field line."""
    headers_total: int = 4 * 1024 * 1024
    """Bytes of all header sections of a message: 400 for each of 10 000 operations."""
    body: int = 16 * 1024 * 1024
    """Bytes of the body of one operation."""
    preamble: int = 64 * 1024
    """Bytes before the first delimiter line."""
    epilogue: int = 64 * 1024
    """Bytes after the line of the close delimiter."""
    transport_padding: int = 256
    """Spaces and tabs after the boundary on a delimiter line."""
    json_depth: int = 100
    """Arrays and objects within each other, the envelope counted: RFC 8259, 9 leaves it open."""
    annotations: int = 1000
    """Annotations of a JSON batch or of one of its items: members that the standard lacks, which
    has eight at most. Those within bodies are not counted."""
    id: int = 256
    """Characters of a request identifier or of a group's name."""
    depends_on: int = 10_000
    """Entries of all dependsOn arrays of a batch."""
    diagnostics: int = 100
    """Findings that are recorded one by one; more are counted, and nothing is raised. The first
    error is recorded in any case, and so is the one at which reading stops."""

    def __post_init__(self) -> None:
        if self.items is _AS_OPERATIONS:
            object.__setattr__(self, "items", self.operations)
        for field in fields(self):
            value = of_type(getattr(self, field.name), int, f"limit {field.name}")
            if value < 0:
                raise ValueError(f"limit {field.name} is not negative: {value}")
        if self.change_set_depth > DEEPEST:
            raise ValueError(f"limit change_set_depth is at most {DEEPEST}")


def shortest(limits: Limits) -> int:
    """Return how long a part is of which nothing can be too long."""
    return min(limits.header_section, limits.url, limits.field_line, limits.body)


DEFAULT_LIMITS = Limits()


def exceed(report: Reporter, limits: Limits, limit: str, position: int | None) -> NoReturn:
    """Report that `limit`, a field of `Limits`, is exceeded at `position`."""
    value: int = getattr(limits, limit)
    found = Diagnostic(LIMIT_EXCEEDED, excess(limit, value), position, limit=(limit, value))
    stop(report, found)


def sizes_of(lines: Sequence[int]) -> dict[str, int]:
    """Return the sizes that are limited of a section whose field lines have these lengths."""
    section = sum(lines) + 2 * len(lines) - 2
    return {
        "fields": len(lines),
        "field_line": max(lines, default=0),
        "header_section": section,
    }


def check_sizes(
    report: Reporter, limits: Limits, sizes: Mapping[str, int], position: int | None = None
) -> None:
    """Report the first limit that is exceeded, given sizes by the names of limits."""
    for limit, size in sizes.items():
        if size > getattr(limits, limit):
            exceed(report, limits, limit, position)


_NONE: Final = dict.fromkeys(Severity, 0)


class Findings:
    """A reporter that records, raises from one severity on, and forwards what it does not raise."""

    def __init__(
        self,
        limits: Limits,
        severities: Iterable[tuple[str, Severity]],
        raise_from: Severity | None,
        forward: Reporter | None = None,
        silent: frozenset[str] = frozenset(),
    ) -> None:
        self._room = limits.diagnostics
        self._severities = dict(severities)
        self._silent = silent
        self._raise_from = raise_from
        self._forward = forward
        # With the number of each; what is less severe gives way to what is worse.
        self._recorded: dict[Severity, list[tuple[int, Diagnostic]]] = {}
        self.counts = _NONE.copy()
        """How many findings of each severity were made."""

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What is recorded, in the order in which it was found."""
        return [found for _, found in sorted(chain(*self._recorded.values()), key=itemgetter(0))]

    @property
    def omitted(self) -> int:
        """How many findings are not recorded."""
        return sum(self.counts.values()) - self._length

    @property
    def worst(self) -> Severity | None:
        """The highest severity of all findings."""
        return max((each for each, number in self.counts.items() if number), default=None)

    @property
    def _length(self) -> int:
        return sum(map(len, self._recorded.values()))

    def forget(self, rule: Rule, paths: Collection[str]) -> None:
        """Forget the notes of a rule about these items, which is no fault of theirs."""
        notes = self._recorded.get(Severity.NOTE, [])
        kept = [each for each in notes if each[1].rule is not rule or each[1].path not in paths]
        self.counts[Severity.NOTE] -= len(notes) - len(kept)
        notes[:] = kept

    def _give_way(self, severity: Severity) -> bool:
        """Forget the last finding that is the least severe, if it is less severe than this."""
        for weaker in sorted(self._recorded):
            if weaker < severity and self._recorded[weaker]:
                self._recorded[weaker].pop()
                return True
        return False

    def count(self, rule: Rule) -> bool:
        """Count a finding that is not recorded; tell whether it is one."""
        if rule.fatal:
            return False
        if rule in self._silent:
            return True
        severity = self._severities.get(rule, rule.severity)
        if (
            self._forward is not None
            or self._length < self._room
            or severity > Severity.NOTE
            or (self._raise_from is not None and severity >= self._raise_from)
        ):
            return False
        self.counts[severity] += 1
        return True

    def __call__(self, diagnostic: Diagnostic) -> None:
        severity = diagnostic.severity
        if not diagnostic.rule.fatal:  # after which nothing is read, whatever a dialect says
            if diagnostic.rule in self._silent:
                return
            severity = self._severities.get(diagnostic.rule, severity)
        if severity is not diagnostic.severity:
            diagnostic = replace(diagnostic, severity=severity)
        first_error = severity is Severity.ERROR and not self.counts[severity]
        self.counts[severity] += 1
        # What decides the outcome is recorded, however many findings came before it.
        has_room = self._length < self._room or self._give_way(severity)
        if has_room or first_error or diagnostic.rule.fatal:
            number = sum(self.counts.values())
            self._recorded.setdefault(severity, []).append((number, diagnostic))
        if self._raise_from is not None and severity >= self._raise_from:
            raise (LimitExceeded if diagnostic.limit else DecodeError)(diagnostic)
        if self._forward is not None:
            self._forward(diagnostic)


# -- tables --------------------------------------------------------------------------------------

REMEMBERED = 1024
"""How many entries a table of what was learned has. A batch of 10 000 operations with a unique ETag
each must not make one grow without bound."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def remember(table: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    """Put what was learned into a table, which begins anew when it is full; return it."""
    if len(table) >= REMEMBERED:
        table.clear()
    table[key] = value
    return value


def keep(table: dict[_Key, _Value], key: _Key, value: _Value) -> _Value:
    """Put what was learned into a table, unless it is full; return it."""
    if len(table) < REMEMBERED:
        table[key] = value
    return value


def is_full(table: Sized) -> bool:
    """Tell whether nothing more is kept in a table."""
    return len(table) >= REMEMBERED
