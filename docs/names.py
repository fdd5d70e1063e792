"""Where the public names are defined, and the docstrings there, read from the syntax trees.

Only the public modules are known here; where something is defined, the imports tell.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "odata_batch"
MODULES: Final = (
    PACKAGE,
    *(f"{PACKAGE}.{name}" for name in ("asgi", "wsgi", "dialects", "rules", "capture")),
    f"{PACKAGE}.strategies",
    f"{PACKAGE}.django",
)
"""The public modules."""


class Place(NamedTuple):
    """Where something is defined, and what is said of it there."""

    module: str
    line: int
    docstring: str


class Public(NamedTuple):
    """A public name, by what it is imported from and by what it is shown as."""

    path: str
    title: str
    place: Place


def file_of(module: str) -> Path:
    """Return the file of a module, relative to the checkout."""
    path = Path(*module.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


@cache
def tree(module: str) -> ast.Module:
    """Return the syntax tree of a module of the package."""
    return ast.parse((ROOT / file_of(module)).read_text("utf-8"))


def about(module: str) -> str:
    """Return the first paragraph of the docstring of a module."""
    return (ast.get_docstring(tree(module)) or "").partition("\n\n")[0]


def string_of(node: ast.stmt | None) -> str:
    """Return the text of a statement that is nothing but a string."""
    value = node.value if isinstance(node, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return inspect.cleandoc(ast.literal_eval(value)) if value is not None and is_text else ""


@cache
def definitions(module: str, class_name: str = "") -> dict[str, Place]:
    """Return what a module, or a class of it, defines, in the order of its text."""
    found: dict[str, Place] = {}
    body = tree(module).body
    if class_name:
        [body] = [it.body for it in body if isinstance(it, ast.ClassDef) and it.name == class_name]
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = Place(module, node.lineno, ast.get_docstring(node) or "")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found[ast.unparse(targets[0])] = Place(module, node.lineno, string_of(after))
    return found


def place_of(module: str, name: str) -> Place:
    """Return where a name of a module is defined."""
    if name in definitions(module):
        return definitions(module)[name]
    for node in tree(module).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return place_of(node.module, alias.name)
    raise LookupError(f"{module}.{name}")


def exported(module: str) -> list[str]:
    """Return the names in `__all__` or, where there is none, those that a module defines."""
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            listed: list[str] = ast.literal_eval(node.value)
            return listed
    return [name for name in definitions(module) if name[0].isalpha()]


def public_names() -> Iterator[Public]:
    """Yield every public name once, under the package where that has it."""
    shown: set[Place] = set()
    for module in MODULES:
        for name in exported(module):
            place = place_of(module, name)
            if place not in shown:
                shown.add(place)
                path = f"{module}.{name}"
                yield Public(path, path.removeprefix(f"{PACKAGE}."), place)
