"""What `odata-batch rules` prints: the catalogue, or all that is known about one rule."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from odata_batch import Rule, Severity
from odata_batch._cli.terminal import BOLD, COLOURS, Paint, filled
from odata_batch.dialects import PRESETS

# As wide as the longest word for a severity.
_SEVERITY_WIDTH = 7
_INDENT = " " * len("  Standard:  ")


def catalogue_lines(paint: Paint) -> Iterator[str]:
    """Yield one line for each rule: severity, slug and sentence, in the order of the catalogue."""
    for rule in Rule:
        severity = paint(COLOURS[rule.severity], f"{_word(rule.severity):{_SEVERITY_WIDTH}}")
        yield f"{severity} {rule.slug}: {rule.sentence}"


def rule_lines(rule: Rule, paint: Paint) -> Iterator[str]:
    """Yield what there is to know about one rule."""
    yield paint(BOLD, rule.slug)
    yield from filled(rule.sentence, "  ", "  ")
    yield ""
    yield from filled(rule.citation, "  Standard:  ", _INDENT)
    yield from filled(_severities(rule), "  Severity:  ", _INDENT)
    if rule.fatal:
        yield "  Reading:   nothing behind such a place is read"
    yield from filled(rule.remedy, "  To fix:    ", _INDENT)


def _severities(rule: Rule) -> str:
    """Return the default severity, and those that differ from it with their dialects."""
    others: dict[Severity, list[str]] = {}
    for name, dialect in PRESETS.items():
        severity = dict(dialect.severities).get(rule, rule.severity)
        if severity is not rule.severity:
            others.setdefault(severity, []).append(name)
    exceptions = [f"{_word(each)} in {', '.join(others[each])}" for each in sorted(others)]
    return "; ".join((_word(rule.severity), *exceptions))


def _word(severity: Severity) -> str:
    return severity.name.lower()


def similar_slugs(slug: str) -> list[str]:
    """Return slugs that may have been meant: those that hold the text, or are spelled alike."""
    slugs = [rule.slug for rule in Rule]
    holding = [each for each in slugs if slug and slug in each]
    return holding or difflib.get_close_matches(slug, slugs, n=3)
