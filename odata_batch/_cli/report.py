"""What `odata-batch check` prints, but for SARIF: text, concise, json and github.

Functions called `..._lines` yield what is printed, without line ends. What comes from a file goes
through `visible` or `quoted` first, file names included; json and github alone have them as they
are, since programs look for the files, each in the escapes of its syntax.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from odata_batch import Dialect, Rule, Severity
from odata_batch._cli.check import Checked, Finding, Place
from odata_batch._cli.terminal import COLOURS, Paint, count, excerpt, filled, quoted, visible

Json: TypeAlias = "int | str | bool | list[Json] | dict[str, Json] | None"

# An excerpt fits into 80 columns, with its indentation, its bar and its dots.
_WIDTH = 73
_COMMANDS: Final[Mapping[Severity, str]] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How text is printed where it is printed."""

    paint: Paint
    show: Callable[[bytes], str]
    """Makes the octets of an excerpt visible."""


def name_of(severity: Severity) -> str:
    """Return the word for a severity."""
    return severity.name.lower()


# -- text ----------------------------------------------------------------------------------------


def text_lines(checked: Checked, style: Style) -> Iterator[str]:
    """Yield every finding with its octets; each rule is explained at its first finding."""
    explained: set[Rule] = set()
    for finding in checked.findings:
        yield from _finding_lines(checked.file, finding, style)
        if finding.diagnostic.rule not in explained:
            explained.add(finding.diagnostic.rule)
            yield from _explanation_lines(finding.diagnostic.rule)
        yield ""


def _finding_lines(file: str, finding: Finding, style: Style) -> Iterator[str]:
    found = finding.diagnostic
    heading = f"{name_of(found.severity)}[{found.rule.slug}]"
    first, *others = filled(visible(found.message), f"{heading}: ", "    ")
    yield style.paint(COLOURS[found.severity], heading) + first.removeprefix(heading)
    yield from others
    yield f"  --> {_location(file, finding)}"
    if finding.place is not None:
        for line in excerpt(finding.place.before, finding.place.after, _WIDTH, style.show):
            yield f"  {line}"


def _location(file: str, finding: Finding) -> str:
    """Return file, line and column as editors know them, and then what else tells the place."""
    place = finding.place
    name = f"{visible(file)} {visible(finding.source)}".rstrip(" ")
    path = [visible(finding.diagnostic.path)] if finding.diagnostic.path else []
    if place is None:
        return ", ".join((name, *path))
    if place.origin == "file":
        return ", ".join((f"{name}:{place.line}:{place.column}", f"byte {place.offset}", *path))
    return ", ".join((name, f"line {place.line}", _octet(place), *path))


def _octet(place: Place) -> str:
    return f"byte {place.offset}" + (" of the body" if place.origin == "body" else "")


def _explanation_lines(rule: Rule) -> Iterator[str]:
    yield from filled(f"{rule.sentence} ({rule.citation})", "  = ", "    ")
    yield from filled(rule.remedy, "  = To fix: ", "    ")
    if rule.fatal:
        yield "  = Nothing behind this place was read."


def summary_lines(results: Sequence[Checked]) -> Iterator[str]:
    """Yield what has been found in all files, in one line if it is short."""
    numbers = totals_of(results)
    severities = ", ".join(
        count(numbers[f"{name_of(severity)}s"], name_of(severity))
        for severity in (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    )
    parts = [f"{count(numbers['files'], 'file')}, {severities}"]
    if omitted := numbers["omitted"]:
        parts.append(f"{omitted} more not listed")
    if explained := numbers["explained"]:
        parts.append(f"{explained} explained by octets that the capture has lost")
    if others := numbers["others"]:
        parts.append(f"{count(others, 'message')} without a batch")
    if unreadable := numbers["unreadable"]:
        parts.append(f"{count(unreadable, 'file')} not read")
    yield from filled("; ".join(parts), "", "    ")


def totals_of(results: Sequence[Checked]) -> dict[str, int]:
    """Return how many files, messages and findings there are."""
    severities = [found.diagnostic.severity for each in results for found in each.findings]
    return {
        "files": len(results),
        "unreadable": sum(bool(each.error) for each in results),
        "batches": sum(each.batches for each in results),
        "others": sum(each.others for each in results),
        "errors": severities.count(Severity.ERROR),
        "warnings": severities.count(Severity.WARNING),
        "notes": severities.count(Severity.NOTE),
        "omitted": sum(each.omitted for each in results),
        "explained": sum(each.explained for each in results),
    }


# -- concise -------------------------------------------------------------------------------------


def concise_lines(checked: Checked) -> Iterator[str]:
    """Yield each finding as `file:line:column: severity[slug] message`.

    Where there is no line, because the file is an archive, the message in it is named instead.
    """
    for finding in checked.findings:
        found, place = finding.diagnostic, finding.place
        start = visible(checked.file)
        if place is not None and place.origin == "file":
            start = f"{start}:{place.line}:{place.column}"
        yield f"{start}: {name_of(found.severity)}[{found.rule.slug}] {_told(finding)}"


def _told(finding: Finding) -> str:
    """Return the message of a finding behind the places that no line says."""
    parts = [finding.source] if finding.source else []
    if finding.place is not None and finding.place.origin != "file":
        parts.append(_octet(finding.place))
    if finding.diagnostic.path:
        parts.append(finding.diagnostic.path)
    where = f"{', '.join(parts)}: " if parts else ""
    return visible(f"{where}{finding.diagnostic.message}")


# -- github --------------------------------------------------------------------------------------


def github_lines(checked: Checked) -> Iterator[str]:
    """Yield each finding as a workflow command, which becomes an annotation of the file.

    Names of files are what they are, for there are escapes of line ends only: no terminal may see
    these lines before they are `visible`.
    """
    if checked.error:
        yield _command("error", {"file": checked.file, "title": "unreadable"}, checked.error)
    for finding in checked.findings:
        found, place = finding.diagnostic, finding.place
        properties = {"file": checked.file}
        if place is not None and place.origin == "file":
            properties["line"] = str(place.line)
            properties["col"] = str(place.column)
        properties["title"] = found.rule.slug
        text = f"{_told(finding)}\n{found.rule.sentence} ({found.rule.citation})"
        yield _command(_COMMANDS[found.severity], properties, f"{text}\n{found.rule.remedy}")


def _command(name: str, properties: Mapping[str, str], text: str) -> str:
    pairs = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {pairs}::{visible(_data(text))}"


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


# -- json ----------------------------------------------------------------------------------------


def json_lines(results: Sequence[Checked], tool: str | None, dialect: Dialect) -> Iterator[str]:
    """Yield one JSON document; `version` changes with the meaning of its members."""
    rules = {finding.diagnostic.rule for each in results for finding in each.findings}
    totals: dict[str, Json] = {**totals_of(results)}
    yield from dumped(
        {
            "version": 1,
            "tool": {"name": "odata-batch", "version": tool},
            "dialect": dialect.name,
            "files": [_file(each) for each in results],
            "rules": {rule.slug: _rule(rule) for rule in Rule if rule in rules},
            "totals": totals,
        }
    )


def dumped(document: Mapping[str, Json]) -> Iterator[str]:
    """Yield the lines of a JSON text in US-ASCII, without any control character."""
    yield from json.dumps(document, indent=2).replace("\x7f", "\\u007f").split("\n")


def _file(checked: Checked) -> Json:
    return {
        "file": checked.file,
        "error": checked.error or None,
        "batches": checked.batches,
        "others": checked.others,
        "findings": [_finding(each) for each in checked.findings],
        "omitted": checked.omitted,
        "explained": checked.explained,
    }


def _finding(finding: Finding) -> Json:
    found = finding.diagnostic
    return {
        "rule": found.rule.slug,
        "severity": name_of(found.severity),
        "message": visible(found.message),
        "source": finding.source,
        "path": visible(found.path),
        "place": None if finding.place is None else _place(finding.place),
    }


def _place(place: Place) -> Json:
    return {
        "origin": place.origin,
        "offset": place.offset,
        "length": place.length,
        "line": place.line,
        "column": place.column,
        "endColumn": place.end_column,
        "before": quoted(place.before),
        "after": quoted(place.after),
    }


def _rule(rule: Rule) -> Json:
    return {
        "severity": name_of(rule.severity),
        "fatal": rule.fatal,
        "sentence": rule.sentence,
        "citation": rule.citation,
        "remedy": rule.remedy,
    }
