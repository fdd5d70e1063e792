"""The output formats for findings and rules: text, concise, github, json and sarif.

Functions called `..._lines` yield what is printed, without line ends. What comes from a file goes
through `visible` or `quoted` first, file names included; json, sarif and github alone have them as
they are, since programs look for the files, each in the escapes of its syntax.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from odata_batch import Dialect, Rule, Severity
from odata_batch._cli.captured import Checked, Finding, Place
from odata_batch._cli.terminal import (
    BOLD,
    COLOURS,
    Options,
    Paint,
    count,
    dumped,
    excerpt,
    filled,
    indented,
    quoted,
    visible,
)
from odata_batch.dialects import PRESETS
from odata_batch.rules import RULES

_Json: TypeAlias = "int | str | bool | list[_Json] | dict[str, _Json] | None"

_SEVERITIES = sorted(Severity, reverse=True)


def name_of(severity: Severity) -> str:
    """Return the word for a severity."""
    return severity.name.lower()


def label_of(finding: Finding) -> str:
    """Return severity and rule, as they begin what is printed of a finding."""
    found = finding.diagnostic
    return f"{name_of(found.severity)}[{found.rule.slug}]"


def _octet_of(place: Place) -> str:
    """Return the number of the octet, and what it counts in where that is not the file."""
    return f"byte {place.offset}" + (" of the body" if place.origin == "body" else "")


# -- text ----------------------------------------------------------------------------------------


def text_lines(checked: Checked, options: Options) -> Iterator[str]:
    """Yield every finding for people, with its octets; each rule is explained at its first."""
    explained: set[Rule] = set()
    for finding in checked.findings:
        rule, place, label = finding.diagnostic.rule, finding.place, label_of(finding)
        first, *others = filled(visible(finding.diagnostic.message), f"{label}: ", "    ")
        yield options.paint(COLOURS[finding.diagnostic.severity], label) + first.removeprefix(label)
        yield from others
        yield f"  --> {_location(checked.file, finding)}"
        if place is not None:
            marked = place.after[: place.length] if finding.diagnostic.length else b""
            yield from indented(excerpt(place.before, place.after, marked, options.show))
        if rule not in explained:
            explained.add(rule)
            yield from filled(f"{rule.sentence} ({rule.citation})", "  = ", "    ")
            yield from filled(finding.diagnostic.remedy, "  = To fix: ", "    ")
            if rule.fatal:
                yield "  = Nothing after this point was read."
        yield ""


def _location(file: str, finding: Finding) -> str:
    """Return file, line and column as editors read them, and then the rest of the place."""
    place = finding.place
    where = f"{visible(file)} {visible(finding.source)}".strip(" ")
    if place is not None:
        line = f":{place.line}:{place.column}" if place.origin == "file" else f", line {place.line}"
        where += f"{line}, {_octet_of(place)}"
    return ", ".join(filter(None, (where, visible(finding.diagnostic.path))))


def summary_lines(results: Sequence[Checked]) -> Iterator[str]:
    """Yield what has been found in all files, in one line if it is short."""
    numbers = _totals(results)
    parts = [f"{count(numbers['files'], 'file')}, {'; '.join(tally(results))}"]
    if others := numbers["others"]:
        parts.append(f"{count(others, 'message')} without a batch")
    if unreadable := numbers["unreadable"]:
        parts.append(f"{count(unreadable, 'file')} not read")
    if not (numbers["batches"] or others or unreadable):
        parts.append("no message")
    yield from filled("; ".join(parts), "", "    ")


def tally(results: Sequence[Checked]) -> Iterator[str]:
    """Yield how many findings there are of each severity, and then how many are not listed."""
    numbers = _totals(results)
    yield ", ".join(count(numbers[f"{name}s"], name) for name in map(name_of, _SEVERITIES))
    if numbers["omitted"]:
        yield f"{numbers['omitted']} not listed"
    if numbers["explained"]:
        yield f"{numbers['explained']} explained by octets that the capture has lost"


def _totals(results: Sequence[Checked]) -> dict[str, int]:
    """Return how many files, messages and findings there are."""

    def totals(*names: str) -> dict[str, int]:
        return {name: sum(getattr(each, name) for each in results) for name in names}

    return {
        "files": len(results),
        "unreadable": sum(bool(each.error) for each in results),
        **totals("batches", "others"),
        **{f"{name_of(it)}s": sum(each.totals[it] for each in results) for it in _SEVERITIES},
        **totals("omitted", "explained"),
    }


# -- concise and github --------------------------------------------------------------------------


def concise_lines(checked: Checked) -> Iterator[str]:
    """Yield each finding as `file:line:column: severity[slug] message`.

    Where there is no line, because the file is an archive, the message in it is named instead.
    """
    for finding in checked.findings:
        place = finding.place
        start = visible(checked.file)
        if place is not None and place.origin == "file":
            start = f"{start}:{place.line}:{place.column}"
        yield f"{start}: {label_of(finding)} {_told(finding)}"


def _told(finding: Finding) -> str:
    """Return the message of a finding, after the parts of its place that are not lines."""
    place = finding.place
    octet = "" if place is None or place.origin == "file" else _octet_of(place)
    where = ", ".join(filter(None, (finding.source, octet, finding.diagnostic.path)))
    return visible(": ".join(filter(None, (where, finding.diagnostic.message))))


def github_lines(checked: Checked) -> Iterator[str]:
    """Yield each finding as a workflow command, which becomes an annotation of the file.

    Names of files are what they are, for there are escapes of line ends only: no terminal may see
    these lines before they are `visible`.
    """
    if checked.error:
        yield _command("error", checked.error, file=checked.file, title="unreadable")
    for finding in checked.findings:
        rule, place = finding.diagnostic.rule, finding.place
        properties = {"file": checked.file}
        if place is not None and place.origin == "file":
            properties |= {"line": str(place.line), "col": str(place.column)}
            if finding.diagnostic.length:
                properties["endColumn"] = str(place.end_column)
        text = f"{_told(finding)}\n{rule.sentence} ({rule.citation})\n{finding.diagnostic.remedy}"
        name = name_of(finding.diagnostic.severity)
        name = "notice" if name == "note" else name
        yield _command(name, text, **properties, title=rule.slug)


def _command(name: str, text: str, **properties: str) -> str:
    pairs = (f"{key}={_data(value, ':,')}" for key, value in properties.items())
    return f"::{name} {','.join(pairs)}::{visible(_data(text))}"


def _data(value: str, more: str = "") -> str:
    return value.translate({ord(each): f"%{ord(each):02X}" for each in f"%\r\n{more}"})


# -- json ----------------------------------------------------------------------------------------


def json_lines(results: Sequence[Checked], tool: str | None, dialect: Dialect) -> Iterator[str]:
    """Yield one JSON document; `version` changes with the meaning of its members."""
    document: dict[str, _Json] = {
        "version": 1,
        "tool": {"name": "odata-batch", "version": tool},
        "dialect": dialect.name,
        "files": [_file(each) for each in results],
        "rules": {rule.slug: _rule(rule) for rule in _rules_of(results)},
        "totals": {**_totals(results)},
    }
    yield from dumped(document)


def _rules_of(results: Sequence[Checked]) -> list[Rule]:
    """Return the rules of all findings, in alphabetical order."""
    rules = {finding.diagnostic.rule for each in results for finding in each.findings}
    return [rule for rule in RULES.values() if rule in rules]


def _rule(rule: Rule) -> _Json:
    told = _members(rule, "fatal", "sentence", "citation", "remedy")
    return {"severity": name_of(rule.severity), **told}


def _members(of: object, *names: str) -> dict[str, _Json]:
    """Return what these fields hold, by their names."""
    return {name: getattr(of, name) for name in names}


def _file(checked: Checked) -> _Json:
    return {
        "file": checked.file,
        "error": checked.error or None,
        **_members(checked, "batches", "others"),
        "findings": [_finding(each) for each in checked.findings],
        **_members(checked, "omitted", "explained"),
    }


def _finding(finding: Finding) -> _Json:
    found, place = finding.diagnostic, finding.place
    return {
        "rule": found.rule.slug,
        "severity": name_of(found.severity),
        "message": visible(found.message),
        "source": finding.source,
        "path": visible(found.path),
        "place": None if place is None else _place(place),
    }


def _place(place: Place) -> _Json:
    told = _members(place, "origin", "offset", "length", "line", "column")
    around = {"before": quoted(place.before), "after": quoted(place.after)}
    return {**told, "endColumn": place.end_column, **around}


# -- sarif ---------------------------------------------------------------------------------------

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_EXPLAINED = "are explained by octets that the capture has lost"
_RESERVED = re.compile(rb"[^A-Za-z0-9\-._~/]")


def sarif_lines(
    results: Sequence[Checked], tool: str | None, rule_url: str | None
) -> Iterator[str]:
    """Yield the lines of a SARIF log (SARIF 2.1.0, OASIS Standard); `tool` is as for JSON.

    A finding in a file that is one message has a region in octets and, the same, in lines; columns
    count characters of UTF-8. Elsewhere, in archives and in bodies that had to be decoded, no
    octets of the file are the place: then the finding has the file, a logical location as in
    `entries[3].request.items[0]`, and properties: `origin`, which is `body` or the `member` of the
    archive, and `byteOffset` and `byteLength` in it. Files that could not be read and findings that
    are not listed are notifications of the invocation.
    """
    indices = {rule: index for index, rule in enumerate(_rules_of(results))}
    # An artifact is listed once, even if it is checked twice.
    artifacts: dict[str, _Json] = {}
    for each in results:
        artifacts.setdefault(each.file, {"uri": _uri_of(each.file), "index": len(artifacts)})
    driver: dict[str, _Json] = {"name": "odata-batch"}
    if tool is not None:
        driver["version"] = tool
    driver["rules"] = [_descriptor(rule, rule_url) for rule in indices]
    run: dict[str, _Json] = {
        "tool": {"driver": driver},
        "invocations": [_invocation(results, artifacts)],
        "artifacts": [
            {"location": {"uri": _uri_of(file)}, "roles": ["analysisTarget"]} for file in artifacts
        ],
        "columnKind": "unicodeCodePoints",
        "defaultEncoding": "UTF-8",
        "results": [
            _result(finding, artifacts[each.file], indices)
            for each in results
            for finding in each.findings
        ],
    }
    yield from dumped({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _uri_of(file: str) -> str:
    """Return the file name as a URI, or relative to the current directory as it was given.

    >>> _uri_of("a b/c.http"), _uri_of("/tmp/#1.har")
    ('a%20b/c.http', 'file:///tmp/%231.har')
    """
    octets = file.encode("utf-8", "surrogateescape")
    path = _RESERVED.sub(lambda match: b"%%%02X" % ord(match[0]), octets).decode()
    return f"file://{path}" if path.startswith("/") else path


def _descriptor(rule: Rule, url: str | None) -> _Json:
    return {
        **({} if url is None else {"helpUri": url.replace("{}", rule.slug)}),
        "id": rule.slug,
        "shortDescription": {"text": rule.sentence},
        "fullDescription": {"text": f"{rule.sentence} ({rule.citation})"},
        "help": {"text": f"{rule.remedy} See {rule.citation}."},
        "defaultConfiguration": {"level": name_of(rule.severity)},
        "properties": {"citation": rule.citation, "fatal": rule.fatal},
    }


def _result(finding: Finding, artifact: _Json, indices: Mapping[Rule, int]) -> _Json:
    found, place = finding.diagnostic, finding.place
    physical: dict[str, _Json] = {"artifactLocation": artifact}
    location: dict[str, _Json] = {"physicalLocation": physical}
    name = ".".join(filter(None, (finding.source, visible(found.path))))
    if name:
        location["logicalLocations"] = [{"fullyQualifiedName": name}]
    # What stays the same when lines are added above the finding.
    identity = "\n".join((found.rule.slug, finding.source, found.path, found.message))
    fingerprint = hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()
    result: dict[str, _Json] = {
        "ruleId": found.rule.slug,
        "ruleIndex": indices[found.rule],
        "level": name_of(found.severity),
        "message": {"text": visible(found.message)},
        "locations": [location],
        "partialFingerprints": {"odataBatch/v1": fingerprint},
    }
    if place is not None and place.origin == "file":
        physical["region"] = _region(place)
    elif place is not None:
        span: dict[str, _Json] = {"byteOffset": place.offset, "byteLength": place.length}
        result["properties"] = {"origin": place.origin, **span}
    return result


def _region(place: Place) -> _Json:
    marked = place.after[: place.length]
    try:
        snippet = {"text": marked.decode("utf-8")}
    except UnicodeDecodeError:
        snippet = {"binary": binascii.b2a_base64(marked, newline=False).decode("ascii")}
    return {
        "byteOffset": place.offset,
        "byteLength": place.length,
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.line,
        "endColumn": place.end_column,
        "snippet": {**snippet},
    }


def _invocation(results: Sequence[Checked], artifacts: Mapping[str, _Json]) -> _Json:
    told: list[_Json] = [
        {
            "level": name_of(severity),
            "message": {"text": text},
            "locations": [{"physicalLocation": {"artifactLocation": artifacts[each.file]}}],
        }
        for each in results
        for is_so, severity, text in (
            (each.error, Severity.ERROR, each.error),
            (each.omitted, Severity.WARNING, f"{each.omitted} more findings are not listed"),
            (each.explained, Severity.NOTE, f"{each.explained} findings {_EXPLAINED}"),
        )
        if is_so
    ]
    is_successful = not any(each.error for each in results)
    return {"executionSuccessful": is_successful, "toolExecutionNotifications": told}


# -- rules ---------------------------------------------------------------------------------------


def catalogue_lines(paint: Paint) -> Iterator[str]:
    """Yield one line for each rule: severity, slug and sentence, in alphabetical order."""
    for rule in RULES.values():
        # As wide as the longest word for a severity.
        severity = paint(COLOURS[rule.severity], f"{name_of(rule.severity):7}")
        yield f"{severity} {rule.slug}: {rule.sentence}"


def rules_in_json(rules: Iterable[Rule]) -> Iterator[str]:
    """Yield one JSON document that describes the rules, by slug."""
    yield from dumped({"version": 1, "rules": {rule.slug: _rule(rule) for rule in rules}})


def rule_lines(rule: Rule, paint: Paint) -> Iterator[str]:
    """Yield the description of one rule, with the dialects that give it another severity."""
    others: dict[Severity, list[str]] = {}
    for name, dialect in PRESETS.items():
        severity = dict(dialect.severities).get(rule, rule.severity)
        if severity is not rule.severity:
            others.setdefault(severity, []).append(name)
    exceptions = [f"{name_of(each)} in {', '.join(others[each])}" for each in sorted(others)]
    severities = "; ".join((name_of(rule.severity), *exceptions))
    yield paint(BOLD, rule.slug)
    yield from filled(rule.sentence, "  ", "  ")
    yield ""
    told = {"Standard:": rule.citation, "Severity:": severities}
    if rule.fatal:
        told["Reading:"] = "nothing after such a point is read"
    for title, text in {**told, "To fix:": rule.remedy}.items():
        yield from filled(text, f"  {title:11}", " " * 13)
