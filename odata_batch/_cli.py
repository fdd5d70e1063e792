"""The command line: `odata-batch show FILE` prints a captured batch and what is wrong with it.

This is the only module that reads files and prints; what is printed is made by `_show`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from odata_batch import Severity
from odata_batch._show import Options, Paint, capture_lines, examine
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01, Dialect

_PROG = "odata-batch"
_DIALECTS: Final[Mapping[str, Dialect]] = {"2": ODATA_2, "4.0": ODATA_4_0, "4.01": ODATA_4_01}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0: no errors. 1: errors in the capture. 2: wrong usage, or a file that cannot be read. Wrong
    usage and `--help` leave through `SystemExit`, as usual with `argparse`.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.version:
            return _print([f"{_PROG} {_version()}"])
        if arguments.command is None:
            parser.error("a command is expected: show")
        return _show(arguments)
    except KeyboardInterrupt:
        return 130  # as a shell says that a program ended by SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG, description="Look into OData $batch payloads.", allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    show = commands.add_parser(
        "show",
        allow_abbrev=False,
        help="print a captured batch and what is wrong with it",
        description="Print a captured batch and what is wrong with it. Exit status: 0 without "
        "errors, 1 with errors, 2 if FILE cannot be read.",
    )
    show.add_argument(
        "file", metavar="FILE", help="an HTTP message or its body; - is standard input"
    )
    show.add_argument("--headers", action="store_true", help="print all header fields")
    show.add_argument("--bodies", action="store_true", help="print all lines of the bodies")
    show.add_argument("--strict", action="store_true", help="exit with 1 on warnings, too")
    show.add_argument(
        "--dialect",
        choices=tuple(_DIALECTS),
        default="4.01",
        help="the version of OData to check against (default: %(default)s)",
    )
    return parser


def _version() -> str:
    # Here, because it loads the e-mail package, which nothing else needs.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(_PROG)
    except PackageNotFoundError:
        return "(not installed)"


def _show(arguments: argparse.Namespace) -> int:
    file: str = arguments.file
    try:
        data = _read(file)
    except (OSError, ValueError) as error:
        return _fail(f"cannot read {file!r}", error)
    capture = examine(data, _DIALECTS[arguments.dialect])
    options = Options(headers=arguments.headers, bodies=arguments.bodies, paint=_paint())
    status = _print(capture_lines(capture, options))
    threshold = Severity.WARNING if arguments.strict else Severity.ERROR
    is_bad = capture.worst is not None and capture.worst >= threshold
    return status or int(is_bad)


def _read(file: str) -> bytes:
    if file != "-":
        return Path(file).read_bytes()
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    return sys.stdin.buffer.read()


def _paint() -> Paint:
    """Return how to colour: only on a terminal, and not against https://no-color.org."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if unwanted or sys.stdout is None or not sys.stdout.isatty():
        return lambda colour, text: text
    return lambda colour, text: f"\x1b[{colour}m{text}\x1b[0m"


def _print(lines: Iterable[str]) -> int:
    """Print the lines; return 0, or 2 if there is no room for them."""
    if sys.stdout is None:
        return 0
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line}\n" for line in lines)
    try:
        # What the encoding does not have is escaped, too.
        print(text.encode(encoding, "backslashreplace").decode(encoding), end="", flush=True)
    except BrokenPipeError:
        _abandon_output()
    except OSError as error:
        _abandon_output()
        return _fail("cannot print", error)
    return 0


def _abandon_output() -> None:
    """Send what is left to nowhere, or the interpreter would fail at it again when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _fail(what: str, error: OSError | ValueError) -> int:
    reason = error.strerror if isinstance(error, OSError) else None
    print(f"{_PROG}: {what}: {reason or error}", file=sys.stderr)
    return 2
