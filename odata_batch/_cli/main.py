"""The command line: `odata-batch show`, `check`, `convert` and `rules`.

This is the only module that reads files, writes them and prints. What is printed is made by
`_show`, `_formats`, `_sarif` and `_explain`, what is written by `_rewrite`.

Why this long: whatever touches arguments, files, pipes and terminals is in one place.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from odata_batch import EncodeError, Rule, Severity
from odata_batch._cli.check import Checked, check_exchanges, check_message, messages_of
from odata_batch._cli.convert import rewritten, unwrapped
from odata_batch._cli.explain import catalogue_lines, rule_lines, similar_slugs
from odata_batch._cli.report import (
    Style,
    concise_lines,
    github_lines,
    json_lines,
    summary_lines,
    text_lines,
)
from odata_batch._cli.sarif import sarif_lines
from odata_batch._cli.show import Options, message_lines
from odata_batch._cli.terminal import Paint, pictured, quoted, visible
from odata_batch._model.dialect import Dialect
from odata_batch.capture import Message, parse_capture, parse_message
from odata_batch.dialects import PRESETS

_PROG = "odata-batch"
_DEFAULT_DIALECT = "4.01"
_THRESHOLDS: Final[Mapping[str, Severity | None]] = {
    "error": Severity.ERROR,
    "warning": Severity.WARNING,
    "note": Severity.NOTE,
    "never": None,
}
# So many files are checked between two signs of life.
_STEP = 20

_Command: TypeAlias = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0: nothing was found that is bad enough. 1: something was, or a payload cannot be converted. 2:
    wrong usage, or a file that cannot be read or written. Wrong usage and `--help` leave through
    `SystemExit`, as usual with `argparse`.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.version:
            return _print([f"{_PROG} {_version() or '(not installed)'}"])
        if arguments.command is None:
            parser.error("a command is expected: check, convert, rules or show")
        run: _Command = arguments.run
        return run(arguments)
    except KeyboardInterrupt:
        return 130  # as a shell says that a program ended by SIGINT


# -- arguments -----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROG, description="Look into OData $batch payloads.", allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: _Command, what: str, status: str) -> argparse.ArgumentParser:
        description = f"{what[0].upper()}{what[1:]}. Exit status: {status}."
        added = commands.add_parser(name, allow_abbrev=False, help=what, description=description)
        added.set_defaults(run=run, parser=added)
        return added

    unreadable = "2 if FILE cannot be read"
    _add_check(
        command(
            "check",
            _check,
            "list what is wrong with captured batches",
            "0 without findings at or above --fail-on, 1 with such findings, 2 if a FILE cannot be "
            "read; the others are checked all the same",
        )
    )
    _add_convert(
        command(
            "convert",
            _convert,
            "write a captured batch in the other format, and list what is lost",
            "0 if it was written, 1 if it has errors or cannot be converted, " + unreadable,
        )
    )
    _add_rules(
        command("rules", _rules, "list the rules, or explain one", "0, 2 if there is no such rule")
    )
    _add_show(
        command(
            "show",
            _show,
            "print a captured batch and what is wrong with it",
            f"0 without errors, 1 with errors, {unreadable}",
        )
    )
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="an HTTP message, its body, a HAR file or a SAZ file; - is standard input",
    )
    parser.add_argument(
        "--format",
        choices=("text", "concise", "json", "github", "sarif"),
        default="text",
        help="how findings are printed (default: %(default)s)",
    )
    parser.add_argument(
        "--fail-on",
        choices=tuple(_THRESHOLDS),
        help="the least severity to exit with 1 for (default: error)",
    )
    parser.add_argument("--strict", action="store_true", help="the same as --fail-on warning")
    _add_dialect(parser)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="as for check; - is standard input")
    parser.add_argument("--to", choices=("json", "multipart"), required=True, help="the format")
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        default="-",
        help="the file to write; - is standard output (default)",
    )
    parser.add_argument("--message", metavar="NAME", help="which message of an archive is meant")
    parser.add_argument(
        "--boundary", help="the boundary of a multipart batch, in place of a random one"
    )
    _add_dialect(parser)


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", nargs="?", metavar="SLUG", help="the rule to explain")


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="an HTTP message or its body; - is standard input"
    )
    parser.add_argument("--headers", action="store_true", help="print all header fields")
    parser.add_argument("--bodies", action="store_true", help="print all lines of the bodies")
    parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings, too")
    _add_dialect(parser)


def _add_dialect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dialect",
        metavar="NAME",
        choices=tuple(PRESETS),
        default=_DEFAULT_DIALECT,
        help=f"the version of OData or the service to check against: {', '.join(PRESETS)} "
        "(default: %(default)s)",
    )


def _version() -> str | None:
    """Return the version of the distribution; `None` in a checkout that is not installed."""
    # Here, because it loads the e-mail package, which nothing else needs.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(_PROG)
    except PackageNotFoundError:
        return None


# -- show ----------------------------------------------------------------------------------------


def _show(arguments: argparse.Namespace) -> int:
    try:
        data = _read(arguments.file)
    except (OSError, ValueError) as error:
        return _fail(f"cannot read {arguments.file!r}", error)
    message = parse_message(data)
    checked = check_message(message, PRESETS[arguments.dialect])
    options = Options(headers=arguments.headers, bodies=arguments.bodies, paint=_paint())
    status = _print(message_lines(message, checked, options))
    threshold = Severity.WARNING if arguments.strict else Severity.ERROR
    return status or int(_reaches(checked.worst, threshold))


def _reaches(worst: Severity | None, threshold: Severity | None) -> bool:
    return worst is not None and threshold is not None and worst >= threshold


# -- check ---------------------------------------------------------------------------------------


def _check(arguments: argparse.Namespace) -> int:
    files: list[str] = arguments.files
    if files.count("-") > 1:
        arguments.parser.error("standard input can be read once only")
    dialect = PRESETS[arguments.dialect]
    results: list[Checked] = []
    progress = _Progress(len(files))
    try:
        for checked in _checked_files(files, dialect, progress):
            results.append(checked)
            lines = list(_lines(arguments.format, checked))
            if lines:
                progress.clear()
            if (_print_commands if arguments.format == "github" else _print)(lines):
                return 2
    finally:
        progress.clear()
    status = _print(_conclusion(arguments.format, results, dialect))
    if status or any(each.error for each in results):
        return 2
    threshold = arguments.fail_on or ("warning" if arguments.strict else "error")
    return int(any(_reaches(each.worst, _THRESHOLDS[threshold]) for each in results))


def _checked_files(
    files: Iterable[str], dialect: Dialect, progress: _Progress
) -> Iterator[Checked]:
    for file in files:
        progress.advance()
        try:
            data = _read(file)
        except (OSError, ValueError) as error:
            progress.clear()
            _fail(f"cannot read {file!r}", error)
            yield Checked(file=file, error=_reason(error))
        else:
            yield check_exchanges(file, parse_capture(data), dialect)


def _lines(format: str, checked: Checked) -> Iterable[str]:
    """Return the lines about one file, before it is known what is in the others."""
    if format == "text":
        show = pictured if _has_pictures() else quoted
        return text_lines(checked, Style(paint=_paint(), show=show))
    if format == "concise":
        return concise_lines(checked)
    return github_lines(_named(checked)) if format == "github" else ()


def _named(checked: Checked) -> Checked:
    """Return the same with the octets of the name read as UTF-8, whatever the locale says.

    Octets that are not UTF-8 become surrogates, as `surrogateescape` does it.
    """
    try:
        octets = os.fsencode(checked.file)
    except UnicodeEncodeError:  # no file has this name
        octets = checked.file.encode("utf-8", "surrogatepass")
    return replace(checked, file=octets.decode("utf-8", "surrogateescape"))


def _conclusion(format: str, results: Sequence[Checked], dialect: Dialect) -> Iterable[str]:
    """Return the lines about all files together."""
    named = [_named(each) for each in results]
    if format == "json":
        return json_lines(named, _version(), dialect)
    if format == "sarif":
        return sarif_lines(named, _version())
    return summary_lines(results) if format == "text" else ()


def _has_pictures() -> bool:
    """Return whether the pictures of control characters can be printed."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return "\N{SYMBOL FOR LINE FEED}".encode(encoding, "ignore") != b""


class _Progress:
    """Says on a terminal how many files have been begun; says nothing anywhere else."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = 0
        self._terminal = _terminal()
        self._shown_on: TextIO | None = None

    def advance(self) -> None:
        """Begin the next file."""
        self._begun += 1
        if self._terminal is not None and self._begun % _STEP == 0:
            self._shown_on = self._terminal
            text = f"\r{self._begun} of {self._total} files"
            print(text, end="", file=self._shown_on, flush=True)

    def clear(self) -> None:
        """Take it off the terminal, so that something else can be printed."""
        if self._shown_on is not None:
            print("\r\x1b[K", end="", file=self._shown_on, flush=True)
            self._shown_on = None


def _terminal() -> TextIO | None:
    """Return standard error if it is a terminal that knows how to clear a line."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    return sys.stderr


# -- convert -------------------------------------------------------------------------------------


def _convert(arguments: argparse.Namespace) -> int:
    file: str = arguments.file
    if arguments.boundary is not None and arguments.to == "json":
        arguments.parser.error("a JSON batch has no boundary")
    try:
        data = _read(file)
    except (OSError, ValueError) as error:
        return _fail(f"cannot read {file!r}", error)
    messages = dict(messages_of(parse_capture(data)))
    chosen = _chosen(messages, arguments.message)
    if chosen is None:
        names = ", ".join(filter(None, messages)) or "none has a name"
        _say(f"choose a message of {file!r} with --message: {names}")
        return 2
    return _convert_message(chosen, arguments)


def _convert_message(outer: Message, arguments: argparse.Namespace) -> int:
    file: str = arguments.file
    dialect = PRESETS[arguments.dialect]
    message = unwrapped(outer)
    checked = check_message(message, dialect)
    found = [each.diagnostic for each in checked.findings]
    errors = [str(each) for each in found if each.severity is Severity.ERROR]
    if errors or checked.batch is None:
        # Without an error, what is found says why there is nothing to be read.
        return _refuse(file, errors or map(str, found))
    try:
        octets, losses = rewritten(
            message, checked.batch, arguments.to, dialect, arguments.boundary
        )
    except EncodeError as error:
        return _refuse(file, map(str, error.diagnostics))
    if message is not outer:
        _say("lost: the message of type application/http around the batch")
    if message.lossy:
        _say("lost: octets, before this, when the message was captured")
    for loss in losses:
        _say(f"lost{f' in {loss.path}' if loss.path else ''}: {loss.message}")
    return _write(octets, arguments.output)


def _chosen(messages: Mapping[str, Message], name: str | None) -> Message | None:
    """Return the message of this name, or the only one."""
    if name is None:
        return next(iter(messages.values())) if len(messages) == 1 else None
    return messages.get(name)


def _refuse(file: str, reasons: Iterable[str]) -> int:
    for reason in reasons:
        _say(f"cannot convert {file!r}: {reason}")
    return 1


def _write(octets: bytes, output: str) -> int:
    if output != "-":
        try:
            Path(output).write_bytes(octets)
        except (OSError, ValueError) as error:
            return _fail(f"cannot write {output!r}", error)
        return 0
    if sys.stdout is None:
        return 0
    if sys.stdout.isatty() and not _is_harmless(octets):
        _say("there are control characters in it; write it to a file with -o")
        return 2
    return _attempt(lambda: _write_octets(octets))


def _write_octets(octets: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


def _is_harmless(octets: bytes) -> bool:
    """Return whether a terminal would show the octets, and obey line ends and tabs only."""
    text = octets.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return text.translate({ord("\n"): None, ord("\t"): None}).isprintable()


# -- rules ---------------------------------------------------------------------------------------


def _rules(arguments: argparse.Namespace) -> int:
    slug: str | None = arguments.slug
    if slug is None:
        return _print(catalogue_lines(_paint()))
    try:
        rule = Rule(slug)
    except ValueError:
        similar = similar_slugs(slug)
        hint = f"; do you mean {' or '.join(similar)}?" if similar else ""
        _say(f"there is no rule {slug!r}{hint}")
        return 2
    return _print(rule_lines(rule, _paint()))


# -- reading and printing ------------------------------------------------------------------------


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
    # What the encoding does not have is escaped, too.
    printed = text.encode(encoding, "backslashreplace").decode(encoding)
    return _attempt(lambda: print(printed, end="", flush=True))


def _print_commands(lines: Iterable[str]) -> int:
    """Print workflow commands: in UTF-8, names of files octet by octet, but to a terminal."""
    if sys.stdout is None or sys.stdout.isatty():
        return _print(map(visible, lines))
    octets = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    return _attempt(lambda: _write_octets(octets))


def _attempt(write: Callable[[], None]) -> int:
    """Write to standard output; return 0, or 2 if that fails for another reason than a reader
    that has gone."""
    try:
        write()
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
    _say(f"{what}: {_reason(error)}")
    return 2


def _reason(error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error)


def _say(what: str) -> None:
    """Print a line on standard error; what comes from files is made visible."""
    if sys.stderr is not None:
        print(f"{_PROG}: {visible(what)}", file=sys.stderr)
