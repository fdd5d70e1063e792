"""The rules of the house, read from the syntax trees of the package and from its documents.

Findings are collected as lines "file:line: what is wrong", so that one run shows all of them. A
new module is added to `ORDER`, a new import to `IMPORTS`, a new public name to `PUBLIC`: each is a
decision that a reviewer should see.

Why this long: the lists that it pins are a third of it, and are read best beside their rules.
"""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import odata_batch

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "odata_batch"
README = ROOT / "README.md"
TREES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix(): ast.parse(path.read_bytes(), str(path))
    for path in sorted(PACKAGE.rglob("*.py"))
}

# A module imports only from the rows above its own.
ORDER = (
    ("_grammar", "_dates"),
    ("_limits",),
    ("_diagnostics",),
    ("dialects",),
    ("_errors",),
    ("_headers",),
    ("_model",),
    ("_mime", "_http", "_urls"),
    ("_expressions",),
    ("_references",),
    ("_prepare",),
    ("_multipart", "_jsontext"),
    ("_jsonbatch",),
    ("_message_rules",),
    ("_service_rules",),
    ("_rules", "_pair_rules"),
    ("_fitting",),
    ("_outcomes",),
    ("_matching",),
    ("_planning", "_conversion"),
    ("_schedule", "_inheritance"),
    ("_execution",),
    ("_decoding", "_encoding"),
    ("__init__",),
    ("_codings", "_heads", "_pages"),
    ("_har", "_saz", "_loss"),
    ("capture", "strategies"),
    ("_text", "_remedies"),
    ("_check",),
    ("_explain", "_formats", "_rewrite", "_show"),
    ("_sarif",),
    ("_cli",),
    ("__main__",),
)
ROWS = {module: row for row, modules in enumerate(ORDER) for module in modules}

# These stand on the public interface alone, which proves that it suffices.
COMMAND_LINE = (
    "_check",
    "_explain",
    "_formats",
    "_remedies",
    "_rewrite",
    "_sarif",
    "_show",
    "_text",
)
CAPTURES = ("_codings", "_har", "_heads", "_loss", "_pages", "_saz")
OUTSIDE = ("_cli", *COMMAND_LINE, "capture", *CAPTURES, "strategies")
PUBLIC_MODULES = ("capture", "dialects", *COMMAND_LINE, *CAPTURES)

# No parser of the standard library is among them: not email, not http, not urllib, not base64,
# each of which repairs in silence what this package reports.
IMPORTS = frozenset(
    """
    __future__ abc binascii bisect collections collections.abc contextlib dataclasses enum functools
    hashlib itertools json json.decoder json.encoder json.scanner operator re secrets types typing
    """.split()
)
IMPORTS_OF = {
    "__main__": frozenset({"sys"}),
    "_cli": frozenset({"argparse", "importlib.metadata", "os", "pathlib", "sys"}),
    "_codings": frozenset({"zlib"}),
    "_explain": frozenset({"difflib"}),
    "_dates": frozenset({"datetime"}),
    "_planning": frozenset({"datetime"}),
    "_saz": frozenset({"io", "zipfile", "zlib"}),
    "strategies": frozenset({"hypothesis"}),
}
PARSERS_ELSEWHERE = ("email", "http", "http.client", "urllib.parse", "urllib.request")

PUBLIC = [
    "BatchError",
    "BatchFailed",
    "BatchRequest",
    "BatchResponse",
    "BatchResult",
    "Begin",
    "ChangeSet",
    "ChangeSetResponse",
    "Commit",
    "DecodeError",
    "Diagnostic",
    "Dialect",
    "EncodeError",
    "Execution",
    "Headers",
    "LimitExceeded",
    "Limits",
    "Operation",
    "OperationResponse",
    "Outcome",
    "Payload",
    "Reference",
    "Report",
    "RequestDecoder",
    "RequestEncoder",
    "ResponseDecoder",
    "ResponseEncoder",
    "Rollback",
    "Rule",
    "Severity",
    "State",
    "Step",
    "UnresolvedReference",
    "check_request",
    "check_response",
    "convert_request",
    "convert_response",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "find_references",
    "is_throttled",
    "is_within",
    "location_of",
    "match",
    "prepare",
    "rebase_url",
    "remaining",
    "resolve_url",
    "retry_after",
    "split",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """One module that another one imports, and what it takes from it."""

    module: str
    names: tuple[str, ...]
    line: int


def imports(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module=alias.name, names=(), line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            # The package is flat, so one dot is the package.
            module = ".".join(filter(None, ["odata_batch" * node.level, node.module]))
            names = tuple(alias.name for alias in node.names)
            yield Import(module=module, names=names, line=node.lineno)


def own_imports(tree: ast.Module) -> Iterator[Import]:
    """The imports of our own modules, each module named as in `ORDER`."""
    for found in imports(tree):
        package, _, module = found.module.partition(".")
        if package != "odata_batch":
            continue
        if module:
            yield Import(module=module, names=found.names, line=found.line)
            continue
        names = tuple(name for name in found.names if name not in ROWS)
        for name in found.names:
            if name in ROWS:
                yield Import(module=name, names=(), line=found.line)
        if names or not found.names:
            yield Import(module="__init__", names=names, line=found.line)


def test_the_package_has_modules() -> None:
    assert "__init__" in TREES


@pytest.mark.parametrize("module", TREES)
def test_every_module_has_its_place(module: str) -> None:
    assert module in ROWS, f"add {module!r} to ORDER in {Path(__file__).name}, above its importers"


@pytest.mark.parametrize("module", TREES)
def test_imports_point_downward(module: str) -> None:
    upward = [
        f"{module}.py:{found.line}: imports {found.module}"
        for found in own_imports(TREES[module])
        if ROWS.get(found.module, len(ORDER)) >= ROWS[module]
    ]
    assert upward == []


@pytest.mark.parametrize("module", [module for module in TREES if module in OUTSIDE])
def test_outer_modules_use_public_names_only(module: str) -> None:
    private = []
    for found in own_imports(TREES[module]):
        if found.module == "__init__":
            names = [name for name in found.names if name not in PUBLIC]
        elif found.module in PUBLIC_MODULES:
            names = [name for name in found.names if name.startswith("_")]
        else:
            names = [found.module]
        private += [f"{module}.py:{found.line}: uses {name}" for name in names]
    assert private == []


@pytest.mark.parametrize("module", TREES)
def test_imports_stay_within_the_allow_list(module: str) -> None:
    allowed = IMPORTS | IMPORTS_OF.get(module, frozenset())
    strangers = [
        f"{module}.py:{found.line}: imports {found.module}"
        for found in imports(TREES[module])
        if found.module.partition(".")[0] != "odata_batch" and found.module not in allowed
    ]
    assert strangers == []


def test_importing_the_package_loads_no_parser_of_the_standard_library() -> None:
    # What the interpreter's own start has loaded, a debugger or a tracer say, is not ours.
    code = (
        "import sys; before = set(sys.modules); import odata_batch; "
        f"print(sorted((set(sys.modules) - before) & {set(PARSERS_ELSEWHERE)}))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "[]\n"


@pytest.mark.parametrize("module", [module for module in TREES if module != "_cli"])
def test_only_the_command_line_does_input_and_output(module: str) -> None:
    forbidden = "open io.open print input breakpoint eval exec __import__".split()
    calls = [
        f"{module}.py:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Call) and ast.unparse(node.func) in forbidden
    ]
    assert calls == []


def is_all(node: ast.stmt) -> bool:
    return ast.unparse(node).startswith(("__all__ =", "__all__:"))


def is_mutable(value: ast.expr | None) -> bool:
    displays = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    makers = "list dict set bytearray Counter OrderedDict defaultdict deque".split()
    is_made = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in makers
    return is_made or isinstance(value, displays)


def is_state(node: ast.stmt) -> bool:
    """Whether a statement of a module gives it something that a caller could change."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or is_all(node):
        return False
    # A type checker keeps everybody from writing to such a mapping.
    is_read_only = isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith(
        "Final[Mapping["
    )
    return is_mutable(node.value) and not is_read_only


@pytest.mark.parametrize("module", TREES)
def test_no_module_has_mutable_state(module: str) -> None:
    tree = TREES[module]
    state: list[ast.stmt] = [node for node in tree.body if is_state(node)]
    state += [node for node in ast.walk(tree) if isinstance(node, ast.Global)]
    assert [f"{module}.py:{node.lineno}: {ast.unparse(node)}" for node in state] == []


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function from `def` to its end, its docstring left out."""
    lines = node.end_lineno or node.lineno
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines - node.lineno + 1


@pytest.mark.parametrize("module", TREES)
def test_no_function_is_longer_than_60_lines(module: str) -> None:
    long = [
        f"{module}.py:{node.lineno}: {node.name} has {length(node)} lines"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > 60
    ]
    assert long == []


@pytest.mark.parametrize("module", TREES)
def test_a_module_above_350_lines_says_why(module: str) -> None:
    lines = (PACKAGE / f"{module}.py").read_bytes().count(b"\n")
    says_why = re.search(r"^Why this long:", ast.get_docstring(TREES[module]) or "", re.MULTILINE)
    assert lines <= 350 or says_why, f"{module}.py has {lines} lines and no 'Why this long:'"


def test_the_public_names_are_pinned() -> None:
    assert list(odata_batch.__all__) == sorted(PUBLIC)


def test_the_front_door_holds_imports_and_nothing_else() -> None:
    docstring, *rest = TREES["__init__"].body
    assert ast.get_docstring(TREES["__init__"])
    others = [
        ast.unparse(node) for node in rest if not (isinstance(node, ast.ImportFrom) or is_all(node))
    ]
    assert isinstance(docstring, ast.Expr) and others == []


@pytest.mark.parametrize("module", TREES)
def test_every_module_has_a_docstring(module: str) -> None:
    assert ast.get_docstring(TREES[module])


# Read from the source, because a dataclass and an Enum without a docstring are given one.
@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name: str) -> None:
    documented = [
        ast.get_docstring(node)
        for tree in TREES.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
    ]
    assert documented and all(documented)


def public_methods(cls: type) -> Iterator[str]:
    """The methods and properties of a class that are ours, not the standard library's."""
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] == "odata_batch":
            for name, member in vars(base).items():
                is_method = inspect.isfunction(member) or inspect.isdatadescriptor(member)
                is_method = is_method or isinstance(member, classmethod | staticmethod)
                if is_method and not inspect.ismemberdescriptor(member) and name[0] != "_":
                    yield name


@pytest.mark.parametrize("name", [name for name in PUBLIC if name[0].isupper()])
def test_every_public_method_has_a_docstring(name: str) -> None:
    cls = getattr(odata_batch, name)
    silent = [each for each in public_methods(cls) if not inspect.getdoc(getattr(cls, each))]
    assert silent == []


@pytest.mark.parametrize("module", [module for module in TREES if module != "__main__"])
def test_the_examples_in_docstrings_run(module: str) -> None:
    name = "odata_batch" if module == "__init__" else f"odata_batch.{module}"
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def text_files() -> Iterator[tuple[str, str]]:
    """The name and the text of every file of the project that is UTF-8."""
    hidden = {".ci", ".editorconfig", ".gitattributes", ".gitignore"}
    for top in ROOT.iterdir():
        is_hidden = top.name[0] == "." and top.name not in hidden
        if is_hidden or top.name in {"build", "dist", "htmlcov"}:
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                try:
                    yield path.relative_to(ROOT).as_posix(), path.read_bytes().decode("utf-8")
                except UnicodeDecodeError:
                    continue


def test_no_text_names_a_path_of_the_machine_it_was_written_on() -> None:
    machine = re.compile(r"(?<![\w.:/$-])/(?:home|root|work|Users)\b|\b[A-Z]:\\Users\\")
    found = [
        f"{name}:{number}: {line.strip()[:60]}"
        for name, text in text_files()
        for number, line in enumerate(text.split("\n"), 1)
        if machine.search(line)
    ]
    assert found == []


def test_no_text_refers_to_a_document_that_is_not_here() -> None:
    documents = {Path(name).name for name, _ in text_files()}
    missing = [
        f"{name}: {document}"
        for name, text in text_files()
        if name.endswith((".md", ".py", ".toml", "Makefile", ".ci/run"))
        for document in re.findall(r"[\w-]+\.md\b", re.sub(r"https?://\S+", "", text))
        if document not in documents
    ]
    assert missing == []
