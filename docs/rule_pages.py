"""The page of a rule: why it matters, a message that breaks it, what is printed, and the remedy.

The message is the case of `spec-fixtures/` that has the name of the rule. What cannot be made of it
is in rules.json: `why` the rule matters; `mended`, what is replaced in the message, in this order;
and `case`, another one that the command line shows better.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from docs.manifest import DOCS, manifest, octets_of, owner, told
from odata_batch import Rule, Severity
from odata_batch.__main__ import main
from odata_batch.capture import parse_message
from odata_batch.dialects import PRESETS

MEANING: Final = {
    Severity.ERROR: (
        "failure",
        "Two readers may disagree about what the message means: it raises.",
    ),
    Severity.WARNING: (
        "warning",
        "The standard forbids it, but it has one reading: it raises with",
    ),
    Severity.NOTE: ("note", "The message is read, and nothing is raised."),
}
"""The kind of box that a severity has on a page, and what it means."""

_SHOWN: Final = 8
"""So many messages of programs are listed."""


def case_of(rule: Rule) -> Mapping[str, Any]:
    """Return the case that shows a rule."""
    return cases()[told().get(rule, {}).get("case", rule)]


@cache
def cases() -> dict[str, Mapping[str, Any]]:
    """Return the cases of the corpus by their names."""
    made = manifest()
    return {row["slug"]: row for name in ("cases", "captures", "refusals") for row in made[name]}


def mended(octets: bytes, replaced: Sequence[tuple[str, str]]) -> bytes:
    """Return a message with some texts replaced, one after the other, and with its right length.

    >>> mended(b"Content-Length: 2\\r\\n\\r\\nab", [("b", "bc")])
    b'Content-Length: 3\\r\\n\\r\\nabc'
    """
    done, rest = "", octets.decode("latin-1")
    for old, new in replaced:
        before, found, rest = rest.partition(old)
        if not found:
            raise ValueError(f"{old!r} is not in {before!r}")
        done += before + new
    text = (done + rest).encode("latin-1")
    sizes = [len(each.partition(b"\r\n\r\n")[2]) for each in (octets, text)]
    was, now = (b"Content-Length: %d\r\n" % size for size in sizes)
    return text.replace(was, now, 1) if was in octets.partition(b"\r\n\r\n")[0] + b"\r\n" else text


# -- what is printed -----------------------------------------------------------------------------


def har(request: bytes, response: bytes) -> bytes:
    """Return a HAR file with one exchange."""
    asked, answered = parse_message(request), parse_message(response)
    method, url, version = asked.start_line.split(" ")
    status, _, reason = answered.start_line.partition(" ")[2].partition(" ")
    sides = [
        {
            "httpVersion": version,
            "headers": [{"name": name, "value": value} for name, value in side.headers.pairs],
        }
        for side in (asked, answered)
    ]
    texts = [side.body.decode() for side in (asked, answered)]
    posted = {"mimeType": asked.content_type, "text": texts[0]}
    content = {"mimeType": answered.content_type, "text": texts[1], "size": len(answered.body)}
    entry = {
        "request": {"method": method, "url": url, **sides[0], "postData": posted},
        "response": {"status": int(status), "statusText": reason, **sides[1], "content": content},
    }
    return json.dumps({"log": {"version": "1.2", "entries": [entry]}}).encode()


def checked(case: Mapping[str, Any], octets: bytes) -> tuple[str, str]:
    """Return the command line that checks a case with these octets, and what it prints."""
    name = Path(case.get("file", f"{case['slug']}.http")).name
    if "request" in case:
        name, octets = f"{case['slug']}.har", har(octets_of(cases()[case["request"]]), octets)
    options = ["--dialect", case["dialect"]] if "dialect" in case else []
    for limit, value in case.get("limits", {}).items():
        options += ["--limit", f"{limit}={value}"]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path(name).write_bytes(octets)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            main(["check", *options, name])
    return " ".join(["odata-batch check", *options, name]), printed.getvalue()


# -- the page ------------------------------------------------------------------------------------


def shown(octets: bytes) -> list[str]:
    """Return the lines of a message; what cannot be seen is a picture or an escape.

    >>> shown(b"GET Books\\r\\nAccept: a\\tb\\n")
    ['GET Books', 'Accept: a␉b␊', '']
    """
    text = octets.decode("utf-8", "backslashreplace").replace("\ufeff", "\\ufeff")
    pictures = {number: chr(0x2400 + number) for number in range(32)} | {0x0A: "␊\n"}
    return text.replace("\r\n", "\x00").translate(pictures).replace("␀", "\n").split("\n")


def fence(lines: Sequence[str], others: Sequence[str], kind: str = "text") -> str:
    """Return a message in a fence, with what the other one has not marked."""
    marked: list[int] = []
    for tag, start, end, *_ in difflib.SequenceMatcher(None, lines, others, False).get_opcodes():
        marked += range(start + 1, end + 1) if tag != "equal" else ()
    lines = lines[:-1] if not lines[-1] else lines
    marks = " ".join(str(number) for number in marked if number <= len(lines))
    head = (
        f'{{.{kind} .message hl_lines="{marks}"}}' if others and marks else f"{{.{kind} .message}}"
    )
    return "\n".join([f"``` {head}", *lines, "```\n"])


def plain(text: str) -> str:
    """Return a sentence of the corpus, in which nothing but code is Markdown."""
    return re.sub(r"[][<*]", r"\\\g<0>", text)


def link(file: str, text: str) -> str:
    return f"[{text}](../../spec-fixtures/{file})"


def example(rule: Rule) -> Iterator[str]:
    """Yield the message that breaks the rule, what is printed of it, and the message without it."""
    case = case_of(rule)
    if "value" in case and "file" not in case and "generator" not in case:
        yield f"## A value that is not written\n\n{plain(case['about'])}\n"
        yield f"```json\n{json.dumps(case['value'], indent=2)}\n```\n"
        return
    octets = octets_of(case)
    replaced = told().get(rule, {}).get("mended")
    new = mended(octets, replaced) if replaced else b""
    yield f"## A message with this finding\n\n{plain(case['about'])}\n"
    if "file" in case:
        kind = "json" if case["file"].endswith(".har") else "text"
        yield fence(shown(octets), shown(new) if new else (), kind)
        files = [link(case["file"], f"`{case['file']}`")]
        if "request" in case:
            asked = cases()[case["request"]]["file"]
            files.append(f"the request that it answers is {link(asked, f'`{asked}`')}")
        yield f"In the corpus this is {'; '.join(files)}.\n"
    if "dialect_fields" not in case:  # no option says so
        command, printed = checked(case, octets)
        yield f"## What is printed\n\n```console\n$ {command}\n{printed}```\n"
    if new:
        yield f"## The same message, mended\n\n{fence(shown(new), shown(octets))}"


@cache
def programs() -> dict[str, list[str]]:
    """Return the programs of interop.md whose messages break a rule, by the rule."""
    found: dict[str, list[str]] = {}
    for row in (DOCS / "interop.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in row.split("|")]
        for slug in re.findall(r"rules\.md#([a-z0-9-]+)", row):
            program = f"{cells[1]} {cells[2]} ({cells[3]})"
            if program not in found.setdefault(slug, []):
                found[slug].append(program)
    return found


@cache
def verdicts() -> dict[str, dict[str, list[str]]]:
    """Return what conformance.md says of the cases of a rule: by the rule, then by what is said."""
    found: dict[str, dict[str, list[str]]] = {}
    for section in (DOCS / "conformance.md").read_text("utf-8").split("\n## ")[1:]:
        program = section.partition("\n")[0]
        for said, links in re.findall(r"^It (.*):\n(.*)$", section, re.MULTILINE):
            for slug in re.findall(r"\[([^]]+)\]", links):
                by_program = found.setdefault(owner(slug) or "", {})
                by_program.setdefault(f"{program} {said}", []).append(slug)
    return found


def seen(rule: Rule) -> Iterator[str]:
    """Yield which programs write such messages, or were sent one."""
    if rule in programs():
        listed = ", ".join(programs()[rule])
        yield f"- In [live tests](../interop.md), messages of {listed} had this finding.\n"
    captured = [
        case
        for slug, case in cases().items()
        if case.get("file", "").startswith("captured/")
        and rule in {each["rule"] for each in case["expectation"]["diagnostics"]}
    ]
    for case in captured[:_SHOWN]:
        answer = cases().get(re.sub("-request$", "-response", case["slug"]))
        links = [link(case["file"], case["kind"])]
        if answer is not None and answer is not case:
            links.append(link(answer["file"], "what was answered"))
        origin = case["origin"][:1].upper() + case["origin"][1:]
        yield f"- {plain(case['about'])} {origin}: {', '.join(links)}.\n"
    if len(captured) > _SHOWN:
        yield f"- And {len(captured) - _SHOWN} more messages of the corpus.\n"


def page(rule: Rule, subject: str) -> str:
    """Return the page of a rule as Markdown."""
    box, meaning = MEANING[rule.severity]
    meaning += " `strict=True`, and nothing is written that has one." * (box == "warning")
    meaning += " Nothing is read after it." * rule.fatal
    meaning = "" if rule.startswith("capture-") else f"\n    {meaning}\n"
    blocks = [
        f"---\nhide: [navigation]\n---\n\n# {rule.slug}\n\n[The rules](../rules.md): {subject}\n",
        f'!!! {box} "{rule.severity.name.capitalize()}"\n\n    {rule.sentence}\n{meaning}',
    ]
    levels = [
        f"{level.name.lower()} with `{name}`"
        for name, preset in PRESETS.items()
        for slug, level in preset.severities
        if slug == rule
    ]
    blocks += [f"By [dialect](../dialects.md): {', '.join(levels)}.\n"] if levels else []
    if "why" in told().get(rule, {}):
        blocks.append(f"## Why it matters\n\n{told()[rule]['why']}\n")
    blocks.append(f"## How to fix\n\n{rule.remedy}\n")
    blocks += example(rule)
    blocks.append(f"## Source\n\n{rule.citation}\n")
    read = "".join(
        f"- {plain(said)}: {', '.join(link(cases()[slug]['file'], slug) for slug in slugs)}.\n"
        for said, slugs in verdicts().get(rule, {}).items()
    )
    where = "In [tests with other programs](../conformance.md)"
    blocks += [f"## What others make of its cases\n\n{where}:\n\n{read}"] if read else []
    found = "".join(seen(rule))
    blocks += [f"## Messages of programs\n\n{found}"] if found else []
    more = [
        f"- {link(case['file'], slug)}: {plain(case['about'])}\n"
        for slug, case in cases().items()
        if slug != rule and owner(slug) == rule and case.get("file", "").startswith("invalid/")
    ]
    blocks += [f"## More cases\n\n{''.join(more)}"] if more else []
    return "\n".join(blocks)
