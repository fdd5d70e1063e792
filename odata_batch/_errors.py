"""What can be raised, and the reporter that decides whether to raise it.

Parsers report and go on. `Findings` is the reporter that the front door hands them: it records a
finding, and raises it if it is severe enough. Where a rule has no documented reading, the parser
calls `stop` or `exceed`, which report and never return.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NoReturn

from odata_batch._diagnostics import Diagnostic, Reporter, Rule, Severity
from odata_batch._limits import Limits


class BatchError(Exception):
    """Base of all errors that this library raises about the content of a batch."""

    @property
    def http_status(self) -> int:
        """The status with which a server can answer: 400."""
        return 400


class DecodeError(BatchError):
    """The payload is at fault: it breaks the rule that `diagnostic` names.

    `http_status` is 400, or 415 if the fault is in the media type.

    >>> DecodeError(Diagnostic(Rule.NO_PARTS, "no part found", 0)).rule.slug
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
        return _HTTP_STATUS.get(self.rule, 400)

    def __str__(self) -> str:
        return str(self.diagnostic)


class LimitExceeded(DecodeError):
    """The payload is larger than a limit allows; nothing is read after it."""

    @property
    def limit(self) -> str:
        """The name of the field of `Limits`."""
        return (self.diagnostic.limit or ("", 0))[0]

    @property
    def value(self) -> int:
        """The value of the limit, in the unit of its field."""
        return (self.diagnostic.limit or ("", 0))[1]


class EncodeError(BatchError):
    """The value is at fault: it cannot be written without breaking the rules that are listed.

    >>> error = EncodeError((Diagnostic(Rule.NO_PARTS, "the batch is empty"),))
    >>> print(error)
    warning[no-parts]: the batch is empty
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
        return "; ".join(map(str, self.diagnostics))


class UnresolvedReference(BatchError):
    """A `$id` reference cannot be resolved into a URL."""


_HTTP_STATUS: Final[Mapping[Rule, int]] = {
    Rule.LIMIT_EXCEEDED: 413,
    Rule.BATCH_MEDIA_TYPE: 415,
    Rule.JSON_CHARSET: 415,
}


class Stop(Exception):
    """Unwinds a parser after a finding that has no documented reading; never leaves the library."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule)
        self.rule = rule


def stop(report: Reporter, diagnostic: Diagnostic) -> NoReturn:
    """Report a finding after which nothing can be read."""
    report(diagnostic)
    raise Stop(diagnostic.rule)


def exceed(report: Reporter, limits: Limits, limit: str, position: int | None) -> NoReturn:
    """Report that `limit`, a field of `Limits`, is exceeded at `position`."""
    value: int = getattr(limits, limit)
    message = f"limit {limit} is {value}, and the message exceeds it"
    stop(report, Diagnostic(Rule.LIMIT_EXCEEDED, message, position, limit=(limit, value)))


class Findings:
    """A reporter that records, raises from one severity on, and forwards what it does not raise."""

    def __init__(
        self,
        limits: Limits,
        severities: Mapping[Rule, Severity],
        raise_from: Severity | None,
        forward: Reporter | None = None,
    ) -> None:
        self._room = limits.diagnostics
        self._severities = severities
        self._raise_from = raise_from
        self._forward = forward
        self.diagnostics: list[Diagnostic] = []
        self.omitted = 0
        self.worst: Severity | None = None

    def __call__(self, diagnostic: Diagnostic) -> None:
        severity = self._severities.get(diagnostic.rule, diagnostic.severity)
        if severity is not diagnostic.severity:
            diagnostic = replace(diagnostic, severity=severity)
        self._record(diagnostic)
        if self._raise_from is not None and severity >= self._raise_from:
            raise (LimitExceeded if diagnostic.limit else DecodeError)(diagnostic)
        if self._forward is not None:
            self._forward(diagnostic)

    def _record(self, diagnostic: Diagnostic) -> None:
        first_error = diagnostic.severity is Severity.ERROR and self.worst is not Severity.ERROR
        if self.worst is None or diagnostic.severity > self.worst:
            self.worst = diagnostic.severity
        # What decides the outcome is recorded, however many findings came before it.
        if len(self.diagnostics) < self._room or first_error or diagnostic.rule.fatal:
            self.diagnostics.append(diagnostic)
        else:
            self.omitted += 1
