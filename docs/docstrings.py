"""What is public, as Markdown: signatures, fields and docstrings, read from the syntax trees.

They are read from the source, because a signature should be on the page as it is there: a default
by its name, an annotation as it was written. Only the public names and modules are known here;
where something is defined, the imports tell.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeGuard

import odata_batch

WIDTH = 88
PACKAGE = "odata_batch"
PUBLIC_MODULES = tuple(
    f"{PACKAGE}.{name}" for name in ("asgi", "wsgi", "dialects", "rules", "capture", "strategies")
)

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Variable: TypeAlias = ast.Assign | ast.AnnAssign
Definition: TypeAlias = ast.ClassDef | Function | Variable
Place: TypeAlias = "tuple[Source, Definition]"


# -- the source ----------------------------------------------------------------------------------


class Source:
    """A module of the package: its tree, and what it defines and imports."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.code = path.read_text("utf-8")
        self.tree = ast.parse(self.code, str(path))
        self._lines = self.code.encode().split(b"\n")
        self.names: dict[str, Definition] = {}
        self.origins: dict[str, tuple[str, str]] = {}
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.origins[alias.asname or alias.name] = (node.module or "", alias.name)
            elif isinstance(node, Definition):
                self.names[name_of(node)] = node

    def text(self, node: ast.expr) -> str:
        """Return an expression as it is in the source, in one line, without names of modules."""
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        lines = self._lines[first : last + 1]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        joined = " ".join(line.strip().decode() for line in lines)
        for name, _ in self.modules():
            joined = re.sub(rf"(?<![\w.]){name}\.(?=\w)", "", joined)
        return re.sub(r"(?<=[(\[]) |,? (?=[)\]])", "", joined)

    def type(self, node: ast.expr) -> str:
        """Return an annotation, without the quotes that it may need where it is."""
        return re.sub(r'^"(.*)"$', r"\1", self.text(node))

    def modules(self) -> Iterator[tuple[str, str]]:
        """Yield the names that stand for modules of the package, and the names of those."""
        for name, origin in self.origins.items():
            if ".".join(origin) in SOURCES:
                yield name, ".".join(origin)


class Member(NamedTuple):
    """A class or one of its ancestors, and what stands for the type variables of the latter."""

    source: Source
    node: ast.ClassDef
    arguments: Mapping[str, str]


def name_of(node: Definition) -> str:
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    return ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else node.name


def sources() -> Iterator[Source]:
    root = Path(odata_batch.__file__).parent
    for path in sorted(root.rglob("*.py")):
        module = path.parent if path.name == "__init__.py" else path.with_suffix("")
        yield Source(".".join((PACKAGE, *module.relative_to(root).parts)), path)


SOURCES: Final[Mapping[str, Source]] = {source.name: source for source in sources()}


def find(module: str, name: str) -> Place | None:
    """Return where a name that a module uses is defined, if that is in the package."""
    source = SOURCES.get(module)
    if source is None:
        return None
    if name in source.names:
        return source, source.names[name]
    if name in source.origins:
        return find(*source.origins[name])
    # `values.Operation` has lost its module in `Source.text`.
    owners = (SOURCES[found] for _, found in source.modules())
    return next(((each, each.names[name]) for each in owners if name in each.names), None)


def is_function(node: ast.stmt) -> TypeGuard[Function]:
    return isinstance(node, Function)


def is_public(source: Source, node: Definition) -> bool:
    """Whether a definition has a place of its own in the reference."""
    name = name_of(node)
    has_place = source.name.startswith(PUBLIC_MODULES) and not name.startswith("_")
    return has_place or name in odata_batch.__all__


def string_of(node: ast.stmt | None) -> str:
    """Return the text of a statement that is nothing but a string."""
    value = node.value if isinstance(node, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return inspect.cleandoc(ast.literal_eval(value)) if value is not None and is_text else ""


def with_docstrings(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each statement with the string underneath it, or with an empty one."""
    for node, after in zip(body, [*body[1:], None], strict=True):
        yield node, string_of(after)


def docstrings_of_variables(module: str) -> dict[str, str]:
    """Return the variables of a module that have a string underneath them, and that string."""
    return {
        name_of(node): docstring
        for node, docstring in with_docstrings(SOURCES[module].tree.body)
        if isinstance(node, Variable) and docstring
    }


def family_of(source: Source, node: ast.ClassDef) -> Iterator[Member]:
    """Yield a class and those of its ancestors that are in the package."""
    yield Member(source, node, {})
    for base in node.bases:
        name, _, argument = source.text(base).rstrip("]").partition("[")
        found = find(source.name, name)
        if found is not None and isinstance(found[1], ast.ClassDef):
            for member in family_of(found[0], found[1]):
                bases = " ".join(map(ast.unparse, found[1].bases))
                generic = re.search(r"Generic\[([\w, ]+)\]", bases)
                variables = generic[1].split(", ") if generic else []
                arguments = zip(variables, argument.split(", "), strict=False)
                yield member._replace(arguments=dict(arguments))


# -- the reference -------------------------------------------------------------------------------


def default_text(source: Source, node: ast.expr) -> str:
    """Return a default as it is; one that cannot be imported, as what it is made from."""
    text = source.text(node)
    found = find(source.name, text) if isinstance(node, ast.Name) else None
    if found is None or not isinstance(found[1], Variable) or is_public(*found):
        return text
    return found[0].text(found[1].value) if found[1].value else text


def parameter(source: Source, node: ast.arg, default: ast.expr | None = None) -> str:
    text = f"{node.arg}: {source.type(node.annotation)}" if node.annotation else node.arg
    return text if default is None else f"{text} = {default_text(source, default)}"


def parameters_of(source: Source, node: Function, bound: bool) -> Iterator[str]:
    names = node.args
    positional = [*names.posonlyargs, *names.args]
    defaults = [None] * (len(positional) - len(names.defaults)) + list(names.defaults)
    for each, default in list(zip(positional, defaults, strict=True))[int(bound) :]:
        yield parameter(source, each, default)
    if names.vararg or names.kwonlyargs:
        yield "*" + (parameter(source, names.vararg) if names.vararg else "")
    for each, value in zip(names.kwonlyargs, names.kw_defaults, strict=True):
        yield parameter(source, each, value)


def fence(name: str, parameters: Iterable[str], returns: str = "") -> str:
    """Return a signature in a fence, one parameter a line if it is long."""
    listed = list(parameters)
    text = f"{name}({', '.join(listed)}){returns}"
    if len(text) > WIDTH:
        text = f"{name}(\n" + "".join(f"    {each},\n" for each in listed) + f"){returns}"
    return f"```py\n{text}\n```\n"


def signature(source: Source, node: Function, owner: str = "") -> str:
    decorators = {ast.unparse(each) for each in node.decorator_list}
    returns = source.type(node.returns) if node.returns else "None"
    if "property" in decorators:
        return f"```py\n.{node.name}: {returns}\n```\n"
    of_class = decorators & {"classmethod", "staticmethod"}
    name = f"{owner if of_class else ''}.{node.name}" if owner else node.name
    bound = owner != "" and "staticmethod" not in decorators
    return fence(name, parameters_of(source, node, bound), f" -> {returns}")


def prose(text: str) -> str:
    """Return a docstring as Markdown: the examples in it become fences."""
    blocks = []
    for block in re.split(r"\n{2,}", text.strip()):
        before, prompt, example = block.partition(">>> ")
        blocks += [before.rstrip()] if before else []
        blocks += [f"```pycon\n{prompt}{example}\n```"] if prompt else []
    return "\n\n".join(blocks) + "\n"


def bullet(text: str, docstring: str) -> str:
    body = prose(docstring).strip().replace("\n", "\n  ")
    return f"- `{text}`" + (f"\\\n  {body}" if docstring else "") + "\n"


def field_text(source: Source, node: ast.AnnAssign) -> str:
    text = f"{name_of(node)}: {source.type(node.annotation)}"
    default = node.value
    if isinstance(default, ast.Call) and ast.unparse(default.func) == "field":
        default = next((each.value for each in default.keywords if each.arg == "default"), None)
    return text if default is None else f"{text} = {default_text(source, default)}"


def set_in(source: Source, maker: ast.FunctionDef) -> Iterator[str]:
    """Yield the attributes that `__init__` sets and documents."""
    types = {each.arg: each.annotation for each in maker.args.args}
    for node, docstring in with_docstrings(maker.body):
        if isinstance(node, ast.Assign) and docstring:
            name = name_of(node).removeprefix("self.")
            annotation = types.get(name)
            yield bullet(f"{name}: {source.type(annotation)}" if annotation else name, docstring)


def attributes_of(source: Source, owner: ast.ClassDef) -> Iterator[str]:
    """Yield the fields of a class, the members of an Enum, and what `__init__` documents."""
    for node, docstring in with_docstrings(owner.body):
        if isinstance(node, ast.AnnAssign) and not name_of(node).startswith("_"):
            yield bullet(field_text(source, node), docstring)
        elif isinstance(node, ast.Assign) and docstring:
            yield bullet(name_of(node), docstring)
        elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield from set_in(source, node)


def methods_of(family: list[Member]) -> Iterator[str]:
    """Yield the methods that have a docstring, inherited ones after those of the class."""
    owner = family[0].node.name
    seen = {"__init__"}
    for member in family:
        for node in filter(is_function, member.node.body):
            docstring = ast.get_docstring(node)
            if docstring and node.name not in seen and not re.match("_(?!_)", node.name):
                seen.add(node.name)
                text = signature(member.source, node, owner)
                for variable, argument in member.arguments.items():
                    text = re.sub(rf"\b{variable}\b", argument, text)
                heading = f"#### {owner}.{node.name}".replace("__", r"\_\_")
                yield f"{heading}\n\n{text}\n{prose(docstring)}"


def class_text(source: Source, owner: ast.ClassDef) -> str:
    family = list(family_of(source, owner))
    makers = [
        fence(owner.name, parameters_of(member.source, node, True))
        for member in family
        for node in filter(is_function, member.node.body)
        if node.name == "__init__"
    ]
    blocks = [*makers[:1], prose(ast.get_docstring(owner) or "")]
    if owner.name == "Rule":
        blocks.append("The members are listed in [the catalogue of rules](rules.md).\n")
    blocks.append(
        "".join(each for member in family for each in attributes_of(member[0], member[1]))
    )
    return "\n".join(filter(None, [*blocks, *methods_of(family)]))


def definition_text(name: str, source: Source, node: Definition) -> str:
    if isinstance(node, ast.ClassDef):
        return f"### {name}\n\n{class_text(source, node)}"
    if isinstance(node, Function):
        text = prose(ast.get_docstring(node) or "")
        return f"### {name}\n\n{signature(source, node)}\n{text}"
    text = prose(docstrings_of_variables(source.name).get(name_of(node), ""))
    kind = source.text(node.annotation) if isinstance(node, ast.AnnAssign) else ""
    if kind == "TypeAlias" and node.value is not None:
        text = f"```py\n{name_of(node)} = {source.text(node.value)}\n```\n\n{text}"
    return f"### {name}\n\n{text}"


def aliases_of(source: Source, text: str, seen: frozenset[str]) -> dict[str, str]:
    """Return the names in signatures that stand for other types and have no place of their own."""
    found: dict[str, str] = {}
    for word in sorted(set(re.findall(r"[A-Za-z_]\w*", text)) - seen):
        place = find(source.name, word)
        if place is not None and isinstance(place[1], Variable) and not is_public(*place):
            value = place[1].value
            found[word] = "" if value is None else place[0].text(value)
            found |= aliases_of(place[0], found[word], seen | {word})
    return found


def public_names() -> dict[str, dict[str, Place]]:
    """Return what is public by the module under which it is shown, in the order of the source."""
    found: dict[str, dict[str, Place]] = {}
    for module in (PACKAGE, *PUBLIC_MODULES):
        own = [name for name in SOURCES[module].names if name[0].isalpha()]
        listed = SOURCES[module].names.get("__all__")
        if isinstance(listed, Variable) and listed.value is not None:
            own = ast.literal_eval(listed.value)
        for name in own:
            place = find(module, name)
            assert place is not None, name
            shown = place[0].name if module == PACKAGE else module
            title = f"{module}.{name}".removeprefix(f"{PACKAGE}.")
            is_main = name in odata_batch.__all__ and find(PACKAGE, name) == place
            found.setdefault(shown, {})[name if is_main else title] = place
    return {
        module: dict(sorted(names.items(), key=lambda name: (name[1][0].name, name[1][1].lineno)))
        for module, names in found.items()
    }
