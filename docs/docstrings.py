"""An extension of Griffe, which reads the docstrings for the reference of the site.

Examples in docstrings become fences, and public names links. A default that has no entry in the
reference is shown as its value, and what types stand for that have none is said.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Final

import griffe

from docs.names import PACKAGE, public_names

PUBLIC: Final = {name.path.rpartition(".")[2]: name.path for name in public_names()}
OBVIOUS: Final = {"class-attribute", "dataclass", "instance-attribute", "module-attribute"}
"""Labels that say nothing to a user."""


class Docstrings(griffe.Extension):
    """Rewrites the docstrings of the package to Markdown."""

    def on_object(self, *, obj: griffe.Object, **arguments: Any) -> None:
        """Rewrite the docstring of one object."""
        obj.labels -= OBVIOUS
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)

    def on_class(self, *, cls: griffe.Class, loader: griffe.GriffeLoader, **arguments: Any) -> None:
        """Show what private bases define in their place, and explain the signature."""
        if isinstance(maker := cls.members.get("__init__"), griffe.Function):
            for each in maker.parameters:  # those of dataclasses are made after they are read
                each.default = value_of(each.default, loader)
        for base in filter(is_private, cls.bases):
            if isinstance(base, griffe.ExprSubscript):
                inherit(cls, base, loader)
        cls.bases = [base for base in cls.bases if not is_private(base)]
        maker = cls.members.get("__init__")
        if isinstance(maker, griffe.Function):
            explain(cls, maker, loader)

    def on_function(
        self, *, func: griffe.Function, loader: griffe.GriffeLoader, **arguments: Any
    ) -> None:
        """Show values in place of private defaults, and explain the signature."""
        for each in func.parameters:
            each.default = value_of(each.default, loader)
        explain(func, func, loader)

    def on_attribute(
        self, *, attr: griffe.Attribute, loader: griffe.GriffeLoader, **arguments: Any
    ) -> None:
        """Show the default of a field, not how a value is made, and explain its type."""
        attr.value = value_of(attr.value, loader)
        if isinstance(attr.value, griffe.ExprCall):
            defaults = [
                each for each in attr.value.arguments if getattr(each, "name", "") == "default"
            ]
            attr.value = getattr(defaults[0], "value", None) if defaults else None
        explain(attr, attr, loader)


def is_private(base: str | griffe.Expr) -> bool:
    return str(base).partition("[")[0].rpartition(".")[2].startswith("_")


def inherit(cls: griffe.Class, base: griffe.ExprSubscript, loader: griffe.GriffeLoader) -> None:
    """Copy what a generic base has into a class, with types in place of variables."""
    parent = loader.modules_collection[base.canonical_path]
    variables = re.findall(r"Generic\[(.*)\]", " ".join(map(str, parent.bases)))[0].split(", ")
    given = re.sub(r"\b\w+\.", "", str(base.slice).strip("()"))
    types = dict(zip(variables, given.split(", "), strict=True))

    def concrete(annotation: str | griffe.Expr | None) -> str | griffe.Expr | None:
        words = set(re.findall(r"\w+", str(annotation)))
        if not words & {*types}:
            return annotation
        return re.sub(r"\w+", lambda word: types.get(word[0], word[0]), str(annotation))

    for name, member in parent.members.items():
        if name not in cls.members and (name == "__init__" or not name.startswith("_")):
            own = copy.copy(member)
            typed = "returns" if isinstance(own, griffe.Function) else "annotation"
            setattr(own, typed, concrete(own.annotation))
            if isinstance(own, griffe.Function):
                own.parameters = griffe.Parameters(*map(copy.copy, own.parameters))
                for each in own.parameters:
                    each.annotation = concrete(each.annotation)
            own.docstring = copy.copy(own.docstring)
            cls.set_member(name, own)


def value_of(
    value: str | griffe.Expr | None, loader: griffe.GriffeLoader
) -> str | griffe.Expr | None:
    """Return the value of a variable that has no entry in the reference, or what is given."""
    known = hidden(value.canonical_path, loader) if isinstance(value, griffe.ExprName) else None
    made = re.fullmatch(r"\(lambda: (.*)\)\(\)", str(value))  # the factory of a field
    return made[1] if made else value if known is None else known.value


def markdown(text: str) -> str:
    """Return a docstring as Markdown."""
    blocks = []
    for block in re.split(r"\n{2,}", text.strip()):
        before, prompt, example = block.partition(">>> ")
        linked = re.sub(r"(?<!\[)`(\w+)`", link, before.rstrip())
        blocks += [linked] if before else []
        blocks += [f"```pycon\n{prompt}{example}\n```"] if prompt else []
    return "\n\n".join(blocks)


def link(match: re.Match[str]) -> str:
    return f"[{match[0]}][{PUBLIC[match[1]]}]" if match[1] in PUBLIC else match[0]


def hidden(path: str, loader: griffe.GriffeLoader) -> griffe.Attribute | None:
    """Return the variable of the package with that path, unless the reference has it."""
    if not path.startswith(f"{PACKAGE}.") or path.rpartition(".")[2] in PUBLIC:
        return None
    try:
        found = loader.modules_collection[path]
        found = found.final_target if isinstance(found, griffe.Alias) else found
    except (KeyError, griffe.AliasResolutionError):
        return None
    is_variable = isinstance(found, griffe.Attribute) and isinstance(found.parent, griffe.Module)
    return found if is_variable else None


def explain(
    shown: griffe.Object, typed: griffe.Function | griffe.Attribute, loader: griffe.GriffeLoader
) -> None:
    """Say in a docstring what the types of a signature stand for that have no entry."""
    if shown.docstring is None:
        return
    annotations = [typed.annotation]
    if isinstance(typed, griffe.Function):
        annotations += [each.annotation for each in typed.parameters]
    told = dict(pair for each in annotations for pair in aliases(each, loader))
    if told:
        listed = "; ".join(f"`{name}` is `{text}`" for name, text in told.items())
        shown.docstring.value += f"\n\nIn the signature, {listed}."


def aliases(
    annotation: str | griffe.Expr | None, loader: griffe.GriffeLoader
) -> Iterator[tuple[str, str]]:
    """Yield the names in an annotation that stand for other types, and those."""
    if not isinstance(annotation, griffe.Expr):
        return
    for each in annotation.iterate(flat=True):
        known = hidden(each.canonical_path, loader) if isinstance(each, griffe.ExprName) else None
        if known is not None and known.value is not None:  # that of a type variable is a call
            yield known.name, str(known.value)
            yield from aliases(known.value, loader)
