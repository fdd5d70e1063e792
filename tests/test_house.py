"""The rules of the house, read from the syntax trees of the package and from its documents.

Findings are collected as lines "file:line: what is wrong", so that one run shows all of them. A new
folder is added to `LAYERS` and a new import to `IMPORTS`: each is a decision that a reviewer should
see.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import get_type_hints

import pytest

import odata_batch.asgi
import odata_batch.capture
import odata_batch.wsgi

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "odata_batch").rglob("*.py"))


def dotted(path: Path) -> str:
    """The name of the module that a file holds."""
    module = path.parent if path.name == "__init__.py" else path.with_suffix("")
    return ".".join(module.relative_to(ROOT).parts)


TREES = {dotted(path): ast.parse(path.read_bytes(), str(path)) for path in PATHS}
MODULES = [name for name in TREES if not name.endswith(".__main__")]
PUBLIC_MODULES = [odata_batch, odata_batch.asgi, odata_batch.capture, odata_batch.wsgi]

# A module imports from the layers in front of its own and from its own folder.
LAYERS = (
    ("_model",),
    ("dialects",),
    ("_wire",),
    ("_graph",),
    ("_checks",),
    ("_coding",),
    ("_client", "_server"),
    ("_codec",),
    ("odata_batch",),
    ("capture", "strategies", "asgi", "wsgi"),
    ("django", "rules"),
    ("_cli",),
    ("__main__",),
)
FLOORS = {place: floor for floor, places in enumerate(LAYERS) for place in places}

# What a layer of the wire may know of the others.
KNOWN_TO = {"mime": {"grammar"}, "http": {"grammar", "sections"}, "sections": {"grammar"}}

# No parser of the standard library is among them: not email, not http, not urllib, not base64,
# each of which repairs in silence what this package reports.
IMPORTS = frozenset(
    """
    __future__ abc binascii bisect codecs collections collections.abc contextlib copy dataclasses
    enum functools hashlib itertools json json.decoder json.encoder json.scanner operator re
    secrets types typing
    """.split()
)
IMPORTS_OF = {
    "__main__": {"sys"},
    "_cli": {"argparse", "difflib", "importlib.metadata", "os", "pathlib", "shtab", "sys"},
    "_client": {"datetime", "html"},
    "_coding": {"sys", "typing_extensions"},  # which type checkers alone read, who bring it along
    "_server": {"datetime", "decimal", "logging"},
    "asgi": {"asyncio", "inspect", "urllib.parse"},
    "capture": {"html", "io", "urllib.parse", "zipfile", "zlib"},
    "django": {
        f"django.{it}" for it in ("core.handlers.wsgi", "db", "http", "views.decorators.csrf")
    },
    "rules": {"sys"},
    "strategies": {"hypothesis"},
    "wsgi": {"http", "io", "sys", "urllib.parse", "wsgiref.types"},
}
PARSERS_ELSEWHERE = ("email", "http", "http.client", "urllib.parse", "urllib.request")


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of every module that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"line {node.lineno}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name if name in TREES else node.module for name in names}
            yield from ((node.lineno, name) for name in sorted(modules))


def place(module: str) -> str:
    """What lies in the package itself: a module, or a folder with all that is in it."""
    return module.split(".")[1] if "." in module else module


# -- what imports what ---------------------------------------------------------------------------


def test_imports_point_down() -> None:
    upward = [
        f"{module}:{line}: imports {name}"
        for module, tree in TREES.items()
        for line, name in imports(tree)
        if name in TREES and place(name) != place(module)
        if FLOORS[place(name)] >= FLOORS[place(module)]
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    arrows = {
        module: {name for _, name in imports(tree) if name in TREES}
        for module, tree in TREES.items()
    }
    TopologicalSorter(arrows).prepare()  # raises an error that names the circle


@pytest.mark.parametrize("module", KNOWN_TO)
def test_a_layer_of_the_wire_knows_nothing_of_those_beside_it(module: str) -> None:
    folder = "odata_batch._wire."  # of the modules below, all may be known
    known = {name for _, name in imports(TREES[folder + module]) if name.startswith(folder)}
    assert known <= {folder + name for name in KNOWN_TO[module]}


def test_imports_stay_within_the_allow_list() -> None:
    unexpected = [
        f"{module}:{line}: imports {name}"
        for module, tree in TREES.items()
        for line, name in imports(tree)
        if name not in TREES and name not in IMPORTS | IMPORTS_OF.get(place(module), set())
    ]
    assert unexpected == []


def test_importing_the_package_loads_no_parser_of_the_standard_library() -> None:
    # What the interpreter's own start has loaded, a debugger or a tracer say, is not ours.
    code = (
        "import sys; before = set(sys.modules); import odata_batch; "
        f"print(sorted((set(sys.modules) - before) & {set(PARSERS_ELSEWHERE)}))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "[]\n"


# -- what a module may hold ----------------------------------------------------------------------


def test_only_the_command_line_does_input_and_output() -> None:
    forbidden = "open io.open print input breakpoint eval exec __import__".split()
    calls = [
        f"{module}:{node.lineno}: {ast.unparse(node)}"
        for module, tree in TREES.items()
        if place(module) != "_cli"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in forbidden
    ]
    assert calls == []


def is_mutable(value: ast.expr | None) -> bool:
    displays = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    makers = "list dict set bytearray Counter OrderedDict defaultdict deque".split()
    is_made = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in makers
    return is_made or isinstance(value, displays)


def is_state(node: ast.AST) -> bool:
    """Whether a statement of a module gives it something that a caller could change."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return False
    # A type checker keeps everybody from writing to such a mapping.
    text = ast.unparse(node)
    is_read_only = re.match(r"\w+: Final\[Mapping\[", text) or text.startswith("__all__")
    return is_mutable(node.value) and not is_read_only


def test_no_module_has_mutable_state() -> None:
    state = [
        f"{module}:{node.lineno}: {ast.unparse(node)}"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Global) or (node in tree.body and is_state(node))
    ]
    assert state == []


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the strings that are statements: of modules, classes, functions and fields."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield node.value


def test_no_function_has_more_than_50_lines_of_code() -> None:
    long = []
    for path, tree in zip(PATHS, TREES.values(), strict=True):
        lines = path.read_text("utf-8").split("\n")
        is_code = [bool(line.strip()) and not line.lstrip().startswith("#") for line in lines]
        for text in docstrings(tree):
            for line in range(text.lineno - 1, text.end_lineno or text.lineno):
                is_code[line] = False
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = sum(is_code[node.lineno - 1 : node.end_lineno])
                long += [f"{path}:{node.lineno}: {node.name}: {count}"] if count > 50 else []
    assert long == []


def test_the_public_module_holds_imports_and_nothing_else() -> None:
    docstring, *rest = map(ast.unparse, TREES["odata_batch"].body)
    assert docstring.startswith(('"""', "'"))
    assert [
        text for text in rest if not text.startswith(("from ", "__all__ =", "__version__"))
    ] == []


# -- what is documented --------------------------------------------------------------------------


def test_every_module_has_a_docstring() -> None:
    assert [module for module, tree in TREES.items() if not ast.get_docstring(tree)] == []


def public_objects() -> dict[str, object]:
    names = {(module, name) for module in PUBLIC_MODULES for name in getattr(module, "__all__", ())}
    return {name: getattr(module, name) for module, name in sorted(names, key=str)}


# Read from the source, because a dataclass and an Enum without a docstring are given one.
def test_every_public_class_and_function_has_a_docstring() -> None:
    made = {
        (module, node.name, ast.get_docstring(node) is not None)
        for module, tree in TREES.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }
    silent = {(module, name) for module, name, documented in made if not documented}
    names = {name for name, each in public_objects().items() if callable(each)}
    assert {name for module, name in silent if name in names or "._" not in module} == set()


def public_classes() -> dict[str, type]:
    return {name: each for name, each in public_objects().items() if isinstance(each, type)}


def public_methods(cls: type) -> dict[str, object]:
    """The methods and properties of a class that are ours, not the standard library's."""
    bases = [base for base in cls.__mro__ if base.__module__.startswith("odata_batch")]
    kinds = (FunctionType, property, classmethod, staticmethod)
    return {
        name: member
        for base in reversed(bases)
        for name, member in vars(base).items()
        if isinstance(member, kinds) and not name.startswith("_")
    }


@pytest.mark.parametrize("cls", public_classes().values())
def test_every_public_method_has_a_docstring(cls: type) -> None:
    assert [each for each in public_methods(cls) if not inspect.getdoc(getattr(cls, each))] == []


def test_every_argument_of_a_public_function_is_documented() -> None:
    functions = dict(public_objects())
    for name, cls in public_classes().items():
        # The methods of `Codec` do what the functions of their names do.
        methods = {} if cls is odata_batch.Codec else public_methods(cls)
        functions |= {f"{name}.{key}": getattr(cls, key) for key in methods}
    silent = []
    for name, each in functions.items():
        text = " ".join((inspect.getdoc(each) or "").split())
        if inspect.isroutine(each) and not re.search(r"[Ss]ee `\w+`( for the|\.)", text):
            names = [key for key in inspect.signature(each).parameters if key != "self"]
            silent += [
                f"{name}: {key}" for key in names if len(names) > 1 and f"`{key}" not in text
            ]
    assert silent == []


@pytest.mark.parametrize("cls", public_classes().values())
def test_the_types_of_a_public_class_can_be_looked_up(cls: type) -> None:
    assert get_type_hints(cls) is not None
    for name, member in public_methods(cls).items():
        function = member.fget if isinstance(member, property) else getattr(cls, name)
        assert get_type_hints(function) is not None


# Found in the source, because doctest itself passes over what says that it is defined elsewhere.
@pytest.mark.untraced
def test_the_examples_in_docstrings_run() -> None:
    runner, parser = doctest.DocTestRunner(verbose=False), doctest.DocTestParser()
    for module in MODULES:
        if module.endswith(".django") and find_spec("django") is None:
            continue
        names = vars(odata_batch) | vars(importlib.import_module(module))
        for text in docstrings(TREES[module]):
            source = inspect.cleandoc(str(text.value))
            runner.run(parser.get_doctest(source, names, module, module, text.lineno - 1))
    assert runner.failures == 0
    assert runner.tries >= 149


def text_files() -> Iterator[tuple[str, str]]:
    """The name and the text of every file of the project that is UTF-8."""
    hidden = {".ci", ".editorconfig", ".gitattributes", ".gitignore", ".pre-commit-hooks.yaml"}
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
