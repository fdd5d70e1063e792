"""Make the manifest of `spec-fixtures/` from the catalogue of rules and from the pairs of files.

A pair is `<folder>/<slug>.json`, which says what is expected, and a file of the same name with the
octets; a refusal has no octets, and a message that is too large for a file has a `generator`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

from odata_batch.rules import RULES

DOCS: Final = Path(__file__).resolve().parent
CORPUS: Final = DOCS.parent / "spec-fixtures"
VERSION: Final = 1
SECTIONS: Final = {
    "cases": ("valid", "invalid", "captured"),
    "captures": ("captures",),
    "refusals": ("refusals",),
}
"""The folders of each section."""

Row: TypeAlias = Mapping[str, Any]


def rows(folder: str) -> Iterator[Row]:
    """Yield what the pairs of a folder say, in the order of their names."""
    files = {path.stem: path for path in (CORPUS / folder).iterdir() if path.suffix != ".json"}
    for path in sorted((CORPUS / folder).glob("*.json"), key=lambda path: path.stem):
        pair: Row = json.loads(path.read_bytes())
        octets = files.pop(path.stem, None)
        if (octets is not None) == ("generator" in pair or folder == "refusals"):
            sys.exit(f"{path} needs either a file with the octets or a generator")
        file = {} if octets is None else {"file": f"{folder}/{octets.name}"}
        yield {"slug": path.stem, **file, **pair}
    if files:
        sys.exit(f"no JSON says what is expected of {sorted(map(str, files.values()))}")


@cache
def told() -> dict[str, dict[str, Any]]:
    """Return what is known of rules beyond their rows and cases."""
    found: dict[str, dict[str, Any]] = json.loads((DOCS / "rules.json").read_bytes())
    return found


def explained(row: Row) -> Row:
    """Return a case with the section and the reason of the rule that rejects, if it has none."""
    said = row["expectation"]
    for error in ("error", "strict_error"):
        if error in said:
            rule = said[error]["rule"]
            why = {"why": told()[rule]["why"]} if "why" in told().get(rule, {}) else {}
            return {"slug": row["slug"], "section": RULES[rule].citation, **why, **row}
    return row


def octets_of(row: Row) -> bytes:
    """Return the octets of a case, from its file or made of its generator."""
    if "file" in row:
        return Path(CORPUS, row["file"]).read_bytes()
    pieces = [
        piece["text"].replace("{n}", str(number))
        for piece in row.get("generator", ())
        for number in range(piece.get("count", 1))
    ]
    return "".join(pieces).encode()


@cache
def owner(slug: str) -> str | None:
    """Return the rule that a case is named after: of `a` and `a-b` that with the longer slug."""
    owners = [rule for rule in RULES if f"{slug}-".startswith(f"{rule}-")]
    return max(owners, key=len, default=None)


def found_in(sections: Mapping[str, list[Row]]) -> Iterator[tuple[str, str, str]]:
    """Yield the slug of each case, a rule that is found in it, and who finds it."""
    for row in sections["cases"]:
        for found in row["expectation"]["diagnostics"]:
            yield row["slug"], found["rule"], "decoder"
    for row in sections["captures"]:
        for found in chain.from_iterable(each["diagnostics"] for each in row["exchanges"]):
            yield row["slug"], found["rule"], "capture reader"
    for row in sections["refusals"]:
        yield from ((row["slug"], rule, "encoder") for rule in row["rules"])


def manifest() -> dict[str, Any]:
    """Return the manifest; a rule without a case of its name ends the program."""
    sections = {
        name: [row for folder in folders for row in rows(folder)]
        for name, folders in SECTIONS.items()
    }
    sections["cases"] = [explained(row) for row in sections["cases"]]
    produced_by = {rule: who for slug, rule, who in found_in(sections) if slug == rule}
    missing = [rule for rule in RULES if rule not in produced_by]
    if missing:
        sys.exit(f"no case of spec-fixtures/ is named after the rule and shows it: {missing}")
    catalogue = {
        slug: {
            "severity": rule.severity.name.lower(),
            "fatal": rule.fatal,
            "produced_by": produced_by[slug],
            "sentence": rule.sentence,
            "citation": rule.citation,
        }
        for slug, rule in RULES.items()
    }
    return {"version": VERSION, "rules": catalogue, **sections}


def text() -> str:
    """Return the text of the manifest, a row a line."""
    made = manifest()
    rules = ",\n".join(f'"{slug}": {json.dumps(row)}' for slug, row in made["rules"].items())
    lists = (
        f'"{name}": [\n' + ",\n".join(map(json.dumps, made[name])) + "\n]" for name in SECTIONS
    )
    return f'{{"version": {VERSION},\n"rules": {{\n{rules}\n}},\n' + ",\n".join(lists) + "}\n"
