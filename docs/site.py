"""The pages of the site, out of the Markdown of this repository, and the hooks of MkDocs for them.

The Markdown is written for a forge: its links lead to files. Here a link to a page leads to that
page of the site, one to the entry of a rule to the page of the rule, one to a public name to the
reference, and one to any other file to a copy of it, so that the site can be read from a folder.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docs import generate, rule_pages
from docs.names import PACKAGE, ROOT, about
from odata_batch.rules import RULES

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ELSEWHERE: Final = {
    "README.md": "index",
    "CHANGELOG.md": "changes",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security-policy",
    "examples/README.md": "examples",
    "spec-fixtures/README.md": "corpus",
}
"""Pages of the site that are not in docs/; docs/README.md is a list of pages for the forge."""

_FENCE_OR_LINK: Final = re.compile(r"^```.*?^```$|\]\(([^)\s]+)\)", re.MULTILINE | re.DOTALL)


def sources() -> dict[str, str]:
    """Return the pages of the site that are files, by the path of the file in the repository."""
    found = {path: f"{page}.md" for path, page in ELSEWHERE.items()}
    for path in sorted((ROOT / "docs").glob("**/*.md")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("docs/check/"):  # a page of its own, which `make page` builds
            found[name] = name.removeprefix("docs/")
    return found | {"docs/README.md": found["README.md"]}


def reference_pages() -> dict[str, str]:
    """Return the pages of the reference, which mkdocstrings fills, and the one that lists them."""
    lines = [f"# The public names\n\n{about(PACKAGE)}\n"]
    pages: dict[str, str] = {}
    for section in generate.sections():
        page = f"reference/{generate.anchor(section.title)}.md"
        lines.append(f"## [{section.title}]({page})\n\n{section.about}\n")
        pages[page] = f"# {section.title}\n\n{section.about}\n"
        for name in section.names:
            sentence = name.place.docstring.partition("\n\n")[0].replace("\n", " ")
            lines.append(f"- [`{name.title}`][{name.path}]: {sentence}")
            pages[page] += f"\n::: {name.path}\n"
        lines.append("")
    return {"reference.md": "\n".join(lines), **pages}


def targets_of_names() -> dict[str, str]:
    """Return where the anchors of reference.md are in the site."""
    found: dict[str, str] = {}
    for section in generate.sections():
        page = f"reference/{generate.anchor(section.title)}.md"
        found[generate.anchor(section.title)] = page
        for name in section.names:
            found[generate.anchor(name.title)] = f"{page}#{name.path}"
    return found


def catalogue() -> str:
    """Return the list of the rules, each with a link to its page."""
    text = generate.CATALOGUE
    for subject, rules in generate.by_subject().items():
        rows = [
            (f"[{rule.slug}](rules/{rule.slug}.md)", rule.severity.name.lower(), rule.sentence)
            for rule in rules
        ]
        text += f"\n## {subject}\n\n{generate.table(['rule', 'severity', 'sentence'], rows)}"
    return text


def relinked(text: str, path: str, page: str, target_of: Callable[[str], str]) -> str:
    """Return a page with links for the site; `path` is where those of the text are relative to."""

    def link(match: re.Match[str]) -> str:
        target, hash, fragment = match[1].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        new, _, other = target_of(f"{file}{hash}{fragment}").partition("#")
        new = posixpath.relpath(new, posixpath.dirname(page) or ".")
        return f"]({new}{'#' * bool(other)}{other})"

    # Outside of fences, which the pattern of these takes whole.
    return _FENCE_OR_LINK.sub(lambda found: link(found) if found[1] else found[0], text)


def content() -> tuple[dict[str, str], dict[str, Path]]:
    """Return the pages of the site, and the files that they link to, by their paths in it."""
    files: dict[str, Path] = {}
    by_file, names = sources(), targets_of_names()

    def target_of(link: str) -> str:
        file, _, fragment = link.partition("#")
        if file == "docs/rules.md" and fragment in RULES:
            return f"rules/{fragment}.md"
        if file == "docs/reference.md" and fragment:
            return names[fragment]
        if file.startswith("docs/rules/"):
            return file.removeprefix("docs/")
        file = f"{file}/README.md" if f"{file}/README.md" in by_file else file
        if file in by_file:
            return f"{by_file[file]}#{fragment}" if fragment else by_file[file]
        if not (ROOT / file).is_file():
            raise ValueError(f"a page links to {link!r}, which is no file")
        # A browser shows what ends in .txt, whatever it is.
        copy = f"files/{file}" if file.endswith(".json") else f"files/{file}.txt"
        files[copy] = ROOT / file
        return copy

    made = {"rules.md": catalogue()} | reference_pages()
    pages = {
        page: made.get(page) or relinked((ROOT / path).read_text("utf-8"), path, page, target_of)
        for path, page in by_file.items()
        if path != "docs/README.md"
    }
    for subject, rules in generate.by_subject().items():
        for rule in rules:
            text = rule_pages.page(rule, subject)
            page = f"rules/{rule.slug}.md"
            pages[page] = relinked(text, f"docs/{page}", page, target_of)
    return pages | made, files


def navigation(listed: list[Any], pages: list[str]) -> list[Any]:
    """Return the navigation with every page of a folder in the place of the folder."""
    found: list[Any] = []
    for entry in listed:
        if isinstance(entry, dict):
            found += [
                {name: navigation(own, pages) if isinstance(own, list) else own}
                for name, own in entry.items()
            ]
        elif entry.endswith("/"):
            found += [page for page in pages if page.startswith(entry)]
        else:
            found.append(entry)
    return [each for each in found if not isinstance(each, dict) or any(each.values())]


# -- hooks of MkDocs -----------------------------------------------------------------------------


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the Markdown of docs/ by the pages of the site."""
    from mkdocs.structure.files import File, Files

    pages, copies = content()
    # What `make page` has built, if it has; it needs a server, as the site does not.
    built = {path.relative_to(ROOT): path for path in (ROOT / "build/page").rglob("*.*")}
    copies |= {f"check/{path.relative_to('build/page').as_posix()}": built[path] for path in built}
    if "check/index.html" in copies:
        pages["rules.md"] += "\n[Check a batch in the browser](check/index.html)\n"
    config.nav = navigation(config.nav or [], list(pages))
    generated = [File.generated(config, page, content=text) for page, text in pages.items()]
    copied = [File.generated(config, to, abs_src_path=str(path)) for to, path in copies.items()]
    kept = [file for file in files if file.src_uri.startswith("assets/")]
    return Files([*kept, *generated, *copied])


def on_post_build(config: MkDocsConfig) -> None:
    """Let nothing be loaded from another host, so that the site works without network."""
    loaded = re.compile(
        r"""<(?!a\b)\w+[^>]*\b(?:src|href)=["']?(?:https?:)?//[^>]*>|url\(["']?http"""
    )
    foreign = [
        f"{path}: {found[0]}"
        for path in sorted(Path(config.site_dir).rglob("*"))
        if path.suffix in (".html", ".css")
        for found in loaded.finditer(path.read_text("utf-8"))
    ]
    if foreign:
        raise SystemExit("\n".join(["loaded from another host:", *foreign]))
