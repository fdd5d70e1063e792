"""The settings that checks are applied under, and how they report what they find.

`Findings` is the reporter that parsers and checks are handed: it records a finding, and raises it
if it is severe enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import itemgetter
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar

from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import (
    DecodeError,
    Diagnostic,
    LimitExceeded,
    Reporter,
    Rule,
    Severity,
)
from odata_batch._model.limits import Limits
from odata_batch._model.values import Format

_Contra = TypeVar("_Contra", contravariant=True)


class Say(Protocol):
    """Reports a rule and a message about the current item."""

    def __call__(self, rule: Rule, message: str, member: str = "", /) -> None:
        """Report it at a member, such as `url` or `headers.prefer`; else at that of the rule."""


Spot: TypeAlias = tuple[int | None, int]
"""A position in the payload, if there is one, and how many octets are meant."""

Locate: TypeAlias = Callable[[int | None, str], Spot]
"""Returns the place of a member of the item at a position."""


Kind: TypeAlias = tuple[str | int, bool, object]
"""Of a message: its method or status, whether it has no body, and the marks of its fields."""

Check: TypeAlias = Callable[[Any, "Scope", Say], None]
"""Reports what is wrong with a message; each check says of which class."""


@dataclass(slots=True)
class Scope:
    """The settings under which the rules are applied."""

    format: Format
    dialect: Dialect
    limits: Limits
    report: Reporter
    origin: Literal["read", "made", "written"]
    """Whether the items were read from a payload, made by the caller, or are to be written."""
    sound: dict[Kind, tuple[Check, ...]] = field(default_factory=dict)
    """The kinds of messages to which no check objects, and the checks that are applied to each."""
    locate: Locate = field(default=lambda position, member: (position, 0))


class Rules(Protocol[_Contra]):
    """The interface of the rules for decoding and encoding, in both roles."""

    forgets: bool
    """Whether no more is kept of an item than what may be said of others needs."""

    def take(self, items: Sequence[_Contra], index: int) -> bool:
        """Take items if no rule can object to them; otherwise each has to be checked."""

    def check(self, item: _Contra, index: int) -> None:
        """Check an item, whose index is given."""

    def check_body(self, item: Any, index: int) -> None:
        """Check the body of a message that was checked without it."""

    @property
    def needs_bodies(self) -> bool:
        """Whether a message cannot be checked without its body, because of what is in it."""

    def finish(self) -> None:
        """Check what needs the whole batch."""


def path_of(indexes: Sequence[int]) -> str:
    """Return the path of the item with these indexes, as in `items[2].items[0]`."""
    return ".".join([f"items[{index}]" for index in indexes])


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
