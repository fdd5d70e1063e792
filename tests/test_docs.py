"""README and docs/: their code runs, links lead somewhere, what is generated is current."""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import odata_batch
from docs import manifest
from odata_batch import Dialect, Rule, asgi, capture, dialects, strategies, wsgi
from odata_batch.dialects import PRESETS
from odata_batch.rules import RULES

from .helpers import Fence, fences
from .models import of_page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("**/*.md"))
ALL = ["../README.md", "../examples/README.md", *PAGES]
GENERATED = ["README.md", "dialects.md", "manifest.json", "reference.md", "rules.md"]
WRITTEN = [name for name in PAGES if name not in GENERATED]


def text_of(page: str) -> str:
    return (DOCS / page).read_text("utf-8")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONUTF8": "1", "COLUMNS": "80", "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "docs/generate.py", *arguments])


# -- what runs -----------------------------------------------------------------------------------


ADVERTISED = "http://127.0.0.1:8000"
"""Where the servers of the pages are; they are run elsewhere."""


def run_fence(page: str, fence: Fence, names: dict[str, object], origin: str = "") -> str:
    """Run one fence in the namespace of its page and return what it printed."""
    text = fence.text.replace(ADVERTISED, origin)
    if "transport" in names:
        text = text.replace("httpx.Client(", "httpx.Client(transport=transport, ")
    with contextlib.redirect_stdout(io.StringIO()) as output:
        if fence.language == "pycon":
            example = doctest.DocTestParser().get_doctest(text, {}, page, page, fence.line - 1)
            example.globs = names
            failed = doctest.DocTestRunner(verbose=False).run(example, clear_globs=False).failed
            assert not failed, output.getvalue()
            return ""
        source = "\n" * (fence.line - 1) + text  # a traceback shows the line of the page
        exec(compile(source, str(DOCS / page), "exec", dont_inherit=True), names)
    return output.getvalue()


@contextlib.contextmanager
def served(page: str) -> Iterator[str]:
    """Run the server of a page, if one of its fences defines an `app`; yield its origin."""
    from .servers import asgi_server, wsgi_server

    text = text_of(page)
    apps = [each for each in fences(text) if re.search("^app = ", each.text, re.MULTILINE)]
    if not apps or ADVERTISED not in text:
        yield ADVERTISED
        return
    names: dict[str, Any] = {"__name__": page}
    run_fence(page, apps[0], names)
    serve = asgi_server if "odata_batch.asgi" in apps[0].text else wsgi_server
    with serve(names["app"]) as origin:
        yield origin


@pytest.mark.parametrize("page", ALL)
def test_the_python_of_a_page_runs_from_top_to_bottom_and_prints_what_it_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, object] = {"__name__": page}
    shown = [each for each in fences(text_of(page)) if each.language in ("python", "pycon", "text")]
    programs = "".join(each.text for each in shown if each.language == "python")
    for module in re.findall(r"^(?:from|import) (\w+)", programs, re.MULTILINE):
        pytest.importorskip(module)
    if "people.db" in programs:
        monkeypatch.chdir(tmp_path)
    with served(page) as origin:
        # What is asked for is not here, but a model of it.
        if origin == ADVERTISED and "httpx.Client(" in programs:
            names["transport"] = of_page(Path(page).stem).transport()
        for fence, following in pairwise([*shown, Fence(language="", text="", line=0)]):
            if fence.language in ("python", "pycon"):
                printed = run_fence(page, fence, names, origin)
                if following.language == "text" and fence.language == "python":
                    assert printed == following.text


def sessions() -> Iterator[tuple[str, list[str], str]]:
    """Yield the place, the command and the output of every command line of the pages."""
    for page in PAGES:
        for fence in fences(text_of(page)):
            if fence.language == "console":
                for session in re.split(r"^\$ ", fence.text, flags=re.MULTILINE)[1:]:
                    command, _, output = session.partition("\n")
                    yield f"{page}:{fence.line}", shlex.split(command), output


@pytest.mark.parametrize(("place", "command", "output"), list(sessions()))
def test_a_command_line_prints_what_its_page_shows(
    place: str, command: list[str], output: str
) -> None:
    assert command[0] == "odata-batch", place
    done = run([sys.executable, "-m", "odata_batch", *command[1:]])
    assert done.stdout + done.stderr == output


def scripts() -> Iterator[tuple[int, str]]:
    for fence in fences(text_of("other-implementations.md")):
        if fence.language == "py":
            yield fence.line, fence.text


@pytest.mark.parametrize(("line", "script"), list(scripts()))
def test_what_is_said_of_another_implementation_can_be_repeated(line: int, script: str) -> None:
    for module in re.findall(r"^(?:from|import) ([\w.]+)", script, re.MULTILINE):
        pytest.importorskip(module)
    exec(compile("\n" * (line - 1) + script, "other-implementations.md", "exec"), {})


@pytest.mark.parametrize("page", ALL)
def test_no_code_hides_from_the_tests(page: str) -> None:
    known = {"console", "http", "json", "pycon", "python", "sh", "text", "toml"}
    # Scripts that have a test of their own
    known |= {"py"} if page == "other-implementations.md" else set()
    others = [each.line for each in fences(text_of(page)) if each.language not in known]
    assert others == []


@pytest.mark.parametrize("page", PAGES)
def test_what_the_command_line_prints_is_shown_with_it(page: str) -> None:
    silent = [
        fence.line
        for fence in fences(text_of(page))
        if fence.language == "sh" and re.search(r"^odata-batch |-m odata_batch", fence.text, re.M)
    ]
    assert silent == []


def commands() -> list[str]:
    shell = [fence.text for fence in fences(text_of("../README.md")) if fence.language == "sh"]
    return re.findall(r"^python (-m odata_batch .*)$", "".join(shell), re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_the_commands_of_the_readme_run(command: str) -> None:
    done = run([sys.executable, *shlex.split(command)])
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_make_targets_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    pattern = r"^(?:\$ )?make ([a-z]+)|`make ([a-z]+)"
    found = re.findall(pattern, text_of("../README.md"), re.MULTILINE)
    named = {one or other for one, other in found}
    assert named and named <= targets


# -- what is linked ------------------------------------------------------------------------------


def anchors(page: Path) -> list[str]:
    """The anchors that a forge makes of the headings of a page."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]


@pytest.mark.parametrize("page", ALL)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        target, _, anchor = link.partition("#")
        own = DOCS / page
        path = (own.parent / (target or own.name)).resolve()
        if re.match(r"https?:", target):
            continue
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", ALL)
def test_no_two_headings_of_a_page_have_the_same_anchor(page: str) -> None:
    found = anchors(DOCS / page)
    assert [anchor for anchor in found if found.count(anchor) > 1] == []


def test_the_index_names_every_page() -> None:
    linked = set(re.findall(r"\]\((\w[\w/-]*\.md)\)", text_of("README.md")))
    assert linked | {"README.md"} == set(PAGES)


def test_a_table_has_as_many_cells_in_every_row() -> None:
    uneven = []
    for page in PAGES:
        for table in re.findall(r"(?:^\|.*\|\n)+", text_of(page), re.MULTILINE):
            rows = [re.sub(r"`[^`]*`", "", row).count("|") for row in table.splitlines()]
            uneven += [f"{page}: {table[:60]}"] if len(set(rows)) > 1 else []
    assert uneven == []


@pytest.mark.parametrize("page", WRITTEN)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    modules = [path.read_text("utf-8") for path in (ROOT / "tests").glob("test_*.py")]
    tests = set(re.findall(r"^def (test_\w+)", "\n".join(modules), re.MULTILINE))
    assert set(re.findall(r"`(test_\w+)`", text_of(page))) - tests == set()


# -- what is made from the code ------------------------------------------------------------------


def test_what_is_generated_is_current() -> None:
    done = generate("--check")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_what_is_stale_or_missing_is_named_and_written_anew(tmp_path: Path) -> None:
    assert generate("--directory", str(tmp_path)).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == GENERATED
    assert generate("--check", "--directory", str(tmp_path)).stdout == ""
    (tmp_path / "rules.md").write_bytes(b"# The rules\n")
    (tmp_path / "dialects.md").unlink()
    done = generate("--check", "--directory", str(tmp_path))
    lines = [f"{tmp_path / name} is stale" for name in ("rules.md", "dialects.md")]
    assert (done.stdout.splitlines(), done.returncode) == (lines, 1)


def test_a_rule_without_a_case_of_its_name_ends_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manifest, "RULES", {**RULES, "no-such-rule": RULES["no-parts"]})
    with pytest.raises(SystemExit, match="shows it: \\['no-such-rule'\\]"):
        manifest.manifest()


@pytest.mark.parametrize("name", ["a.json", "a.http"])
def test_half_of_a_pair_ends_the_program(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "CORPUS", tmp_path)
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / name).write_bytes(b"{}")
    with pytest.raises(SystemExit, match=r"octets or a generator|what is expected of"):
        manifest.manifest()


def headings(page: str) -> set[str]:
    return set(re.findall(r"^### (.+)$", text_of(page), re.MULTILINE))


@pytest.mark.parametrize("module", [odata_batch, asgi, capture, dialects, strategies, wsgi])
def test_every_public_name_is_in_the_reference(module: ModuleType) -> None:
    defined = [
        name
        for name, value in vars(module).items()
        if (isinstance(value, Dialect) and module is dialects)
        or getattr(value, "__module__", "") == module.__name__
    ]
    prefix = module.__name__.partition(".")[2]
    own = {name for name in getattr(module, "__all__", defined) if name[0].isalpha()}
    titles = {f"{prefix}.{name}" for name in own - {*odata_batch.__all__}} if prefix else own
    assert titles and titles - headings("reference.md") == set()


@pytest.mark.parametrize("rule", RULES.values())
def test_every_rule_has_a_place_in_the_catalogue(rule: Rule) -> None:
    entry = text_of("rules.md").partition(f"\n### {rule.slug}\n\n")[2].partition("\n##")[0]
    fatal = ", fatal" if rule.fatal else ""
    assert entry.startswith(f"**{rule.severity.name.capitalize()}{fatal}.** {rule.sentence}\n")
    assert f"\n- Source: {rule.citation}\n" in entry
    assert re.search(r"^- How to fix: [A-Z].*\.$", entry, re.MULTILINE)


def test_every_fixture_named_after_a_rule_is_shown_with_a_rule() -> None:
    shown = set(re.findall(r"spec-fixtures/(invalid/[^)]+)", text_of("rules.md")))
    paths = (ROOT / "spec-fixtures" / "invalid").glob("*.http")
    assert shown == {f"invalid/{path.name}" for path in paths if manifest.owner(path.stem)}


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table after a line of dialects.md."""
    text = text_of("dialects.md").partition(heading)[2]
    table = re.search(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table[0].splitlines()]


def test_the_table_of_dialects_has_a_column_for_every_preset() -> None:
    assert rows("# The dialects")[0] == ["field", *(f"`{name}`" for name in PRESETS)]


EMPTY: dict[object, str] = {None: "", True: "yes", False: "no", frozenset(): "none"}


@pytest.mark.parametrize("row", rows("# The dialects")[2:], ids=lambda row: row[0])
def test_the_table_of_dialects_says_what_the_presets_are(row: list[str]) -> None:
    for preset, cell in zip(PRESETS.values(), row[1:], strict=True):
        value = getattr(preset, row[0].strip("`"))
        if isinstance(value, frozenset | str) and value:
            written = set(re.findall(r"`([^`]*)`", cell))
            assert written == ({value} if isinstance(value, str) else set(value))
        else:
            assert cell == (str(value) if type(value) is int else EMPTY[value])


def test_the_table_of_severities_says_what_the_presets_are() -> None:
    shown = {
        (name.strip("`"), slug[1 : slug.index("]")], cell)
        for slug, _, *cells in rows("## Severities")[2:]
        for name, cell in zip(PRESETS, cells, strict=True)
        if cell
    }
    assert shown == {
        (name, rule, severity.name.lower())
        for name, preset in PRESETS.items()
        for rule, severity in preset.severities
    }
