"""Time each pattern that looks for more than one match on repeated text: none is quadratic.

A pattern is one that a module of the package has, and that is used with finditer, findall, sub,
split or search. Each is tried on each text in four sizes; the log-log slope of the time is at most
1.3, or else the exit status is 1.

With --list it prints all patterns in JSON instead, each in the ways in which it is used, in the
syntax of JavaScript; recheck.mjs looks for texts that make them slow.
"""

from __future__ import annotations

import json
import pkgutil
import re
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Final, TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import odata_batch

slope_of = import_module("complexity").slope_of  # of this folder

USE = re.compile(r"\b(\w+)\.(finditer|findall|subn?|split|search|match|fullmatch)\(")
ONCE = frozenset(("match", "fullmatch"))
# What JavaScript spells otherwise. Its $ and ^ know more ends of lines.
SPELT: Final = (
    *((r"\A", "^"), (r"\Z", r"(?![\s\S])"), ("(?P<", "(?<"), ("(?i:", "(?:"), ("(?s:", "(?:")),
)
LINE_START = re.compile(r"(?<![\\\[])\^")
VERBOSE_SPACE = re.compile(r"(?<!\\)\s+(?![^\[\n]*\])")
STARTS = (
    "",
    "content-type: ",
    "'",
    'a="',
    "a=",
    "GET ",
    "$",
    "%",
    "\\u",
    "--b",
    "\n",
    "<!--",
    "HTTP/1.1 ",
    '{"',
    "text/",
)
UNITS = (
    *(" ", "\t", "\r", "\n", "\r\n", '"', "\\", '\\"', "a", "a ", "a=", 'a="', "a;", "a,", " ="),
    *("%", "%2", "$", "$1", "/$", "(", "'", "-", "--", "--b", "\\u", "\\ud8", "[", "{", "],", "0."),
    *(
        "+",
        "<",
        "<!--",
        "<html",
        "é",
        "1 ",
        "GET ",
        "HTTP/",
        "a/b;",
        "@",
        "&#",
        ":",
        "//",
        ", ",
        "=\\",
    ),
)
SIZES = (2_000, 4_000, 8_000, 16_000)
STEEPEST = 1.3


Pattern: TypeAlias = "re.Pattern[str] | re.Pattern[bytes]"


def patterns() -> dict[str, Pattern]:
    """Return the patterns of all modules, by name."""
    found: dict[str, Pattern] = {}
    for each in pkgutil.walk_packages(odata_batch.__path__, "odata_batch."):
        # The adapter for Django, without which it cannot be imported, has none.
        if not each.name.endswith(("__main__", ".django")):
            values = vars(import_module(each.name)).items()
            found |= {name: value for name, value in values if isinstance(value, re.Pattern)}
    return dict(sorted(found.items()))


def uses() -> dict[str, set[str]]:
    """Return the methods of patterns that are called in the package, by the name of the pattern."""
    found: dict[str, set[str]] = {}
    for source in Path(odata_batch.__file__).parent.rglob("*.py"):
        for name, method in USE.findall(source.read_text("utf-8")):
            found.setdefault(name, set()).add(method)
    return found


def in_javascript(pattern: Pattern) -> tuple[str, str]:
    """Return the pattern and its flags; where it is in one place without case, then in all."""
    text = pattern.pattern
    source = text.decode("latin-1") if isinstance(text, bytes) else text
    flags = "i" if pattern.flags & re.IGNORECASE or "(?i:" in source else ""
    flags += "s" if pattern.flags & re.DOTALL or "(?s:" in source else ""
    if pattern.flags & re.VERBOSE:
        source = VERBOSE_SPACE.sub("", source)
    if pattern.flags & re.MULTILINE:
        source = LINE_START.sub(lambda _: r"(?:^|(?<=\n))", source)
        source = source.replace("$", r"(?=\n|$)")
    for python, javascript in SPELT:
        source = source.replace(python, javascript)
    return source, flags


def as_used() -> Iterator[dict[str, str]]:
    """Give each pattern for each way to use it: anywhere, at the place given, up to the end."""
    used = uses()
    for name, pattern in patterns().items():
        source, flags = in_javascript(pattern)
        methods = used.get(name, {"search"})
        if methods - ONCE:
            yield {"name": name, "source": source, "flags": flags}
        if "match" in methods:
            yield {"name": f"{name}.match", "source": f"^(?:{source})", "flags": flags}
        if "fullmatch" in methods:
            yield {"name": f"{name}.fullmatch", "source": f"^(?:{source})$", "flags": flags}


def seconds(pattern: Pattern, text: str) -> float:
    """Return the least of three times that all matches take."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        if isinstance(pattern.pattern, bytes):
            pattern.subn(b"", text.encode())
        else:
            pattern.subn("", text)
        taken.append(time.process_time() - start)
        if taken[0] < 0.001:
            break
    return min(taken)


def main() -> int:
    """Print what is too steep, and how many were tried; return 1 if something is."""
    if sys.argv[1:] == ["--list"]:
        print(json.dumps(list(as_used())))
        return 0
    failed = 0
    searched = {name for name, methods in uses().items() if methods - ONCE}
    tried = {name: each for name, each in patterns().items() if name in searched}
    for (name, pattern), start, unit in product(tried.items(), STARTS, UNITS):
        if seconds(pattern, start + unit * (SIZES[-1] // len(unit))) < 0.002:
            continue  # what is quadratic takes longer than that
        times = [seconds(pattern, start + unit * (size // len(unit))) for size in SIZES]
        if slope_of(times) > STEEPEST:
            failed += 1
            print(f"{name} on {start!r} and {unit!r}: {[round(each * 1000) for each in times]} ms")
    print(f"{len(tried)} patterns: {', '.join(tried)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
