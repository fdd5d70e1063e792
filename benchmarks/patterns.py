"""Time each pattern that looks for more than one match on repeated text: none is quadratic.

A pattern is one that a module of the package has, and that is used with finditer, findall, sub,
split or search. Each is tried on each text in four sizes; the log-log slope of the time is at most
1.3, or else the exit status is 1.
"""

from __future__ import annotations

import pkgutil
import re
import sys
import time
from importlib import import_module
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import odata_batch

slope_of = import_module("complexity").slope_of  # of this folder

USE = re.compile(r"(\w+)\.(?:finditer|findall|subn?|split|search)\(")
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


def patterns() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    """Return the patterns of all modules that are used to look for several matches, by name."""
    found: dict[str, re.Pattern[str] | re.Pattern[bytes]] = {}
    for each in pkgutil.walk_packages(odata_batch.__path__, "odata_batch."):
        if not each.name.endswith("__main__"):
            module = import_module(each.name)
            found |= {
                name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)
            }
    sources = Path(odata_batch.__file__).parent.rglob("*.py")
    used = {name for source in sources for name in USE.findall(source.read_text("utf-8"))}
    return {name: found[name] for name in sorted(used & found.keys())}


def seconds(pattern: re.Pattern[str] | re.Pattern[bytes], text: str) -> float:
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
    failed = 0
    tried = patterns()
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
