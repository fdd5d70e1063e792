"""What `odata-batch check --format sarif` prints: SARIF 2.1.0 (OASIS Standard), one run.

A finding in a file that is one message has a region in octets and, the same, in lines; columns
count characters of UTF-8. Elsewhere, in archives and in bodies that had to be decoded, no octets of
the file are the place: then the finding has the file, a logical location as in
`entries[3].request.items[0]`, and properties: `origin`, which is `body` or the `member` of the
archive, and `byteOffset` and `byteLength` in it. Files that could not be read and findings that are
not listed are notifications of the invocation.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

from odata_batch import Rule, Severity
from odata_batch._cli.check import Checked, Finding, Place
from odata_batch._cli.report import Json, dumped, name_of, rules_of
from odata_batch._cli.terminal import visible

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_EXPLAINED = "are explained by octets that the capture has lost"
_RESERVED = re.compile(rb"[^A-Za-z0-9\-._~/]")


def sarif_lines(results: Sequence[Checked], tool: str | None) -> Iterator[str]:
    """Yield the lines of a SARIF log; `tool` is the version of this package, if known."""
    indices = {rule: index for index, rule in enumerate(rules_of(results))}
    # An artifact is listed once, even if it is checked twice.
    artifacts: dict[str, Json] = {}
    for each in results:
        artifacts.setdefault(each.file, {"uri": uri_of(each.file), "index": len(artifacts)})
    driver: dict[str, Json] = {"name": "odata-batch"}
    if tool is not None:
        driver["version"] = tool
    driver["rules"] = [_descriptor(rule) for rule in indices]
    run: dict[str, Json] = {
        "tool": {"driver": driver},
        "invocations": [_invocation(results, artifacts)],
        "artifacts": [
            {"location": {"uri": uri_of(file)}, "roles": ["analysisTarget"]} for file in artifacts
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


def uri_of(file: str) -> str:
    """Return the file name as a URI, or relative to the current directory as it was given.

    >>> uri_of("a b/c.http"), uri_of("/tmp/#1.har")
    ('a%20b/c.http', 'file:///tmp/%231.har')
    """
    octets = file.encode("utf-8", "surrogateescape")
    path = _RESERVED.sub(lambda match: b"%%%02X" % ord(match[0]), octets).decode()
    return f"file://{path}" if path.startswith("/") else path


def _descriptor(rule: Rule) -> Json:
    return {
        "id": rule.slug,
        "shortDescription": {"text": rule.sentence},
        "fullDescription": {"text": f"{rule.sentence} ({rule.citation})"},
        "help": {"text": f"{rule.remedy} See {rule.citation}."},
        "defaultConfiguration": {"level": name_of(rule.severity)},
        "properties": {"citation": rule.citation, "fatal": rule.fatal},
    }


def _result(finding: Finding, artifact: Json, indices: Mapping[Rule, int]) -> Json:
    found, place = finding.diagnostic, finding.place
    physical: dict[str, Json] = {"artifactLocation": artifact}
    location: dict[str, Json] = {"physicalLocation": physical}
    name = ".".join(filter(None, (finding.source, visible(found.path))))
    if name:
        location["logicalLocations"] = [{"fullyQualifiedName": name}]
    # What stays the same when lines are added above the finding.
    identity = "\n".join((found.rule.slug, finding.source, found.path, found.message))
    fingerprint = hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()
    result: dict[str, Json] = {
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
        span: dict[str, Json] = {"byteOffset": place.offset, "byteLength": place.length}
        result["properties"] = {"origin": place.origin, **span}
    return result


def _region(place: Place) -> Json:
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


def _invocation(results: Sequence[Checked], artifacts: Mapping[str, Json]) -> Json:
    told: list[Json] = [
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
