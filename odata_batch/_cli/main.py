"""The command line: `odata-batch show`, `check`, `convert` and `rules`.

This is the only module that reads files, writes them and prints: whatever touches arguments, files,
pipes and terminals is here. What is printed is made by `show` and `report`, what is written by
`convert`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

from odata_batch import Codec, EncodeError, Limits, Severity
from odata_batch._cli import captured, report
from odata_batch._cli.show import Options, finding_lines, message_lines
from odata_batch._cli.terminal import BOLD, Paint, count, pictured, quoted, visible
from odata_batch.capture import CapturedExchange, parse_capture, parse_message
from odata_batch.dialects import PRESETS
from odata_batch.rules import RULES

_PROG = "odata-batch"
_THRESHOLDS = ("error", "warning", "note", "never")
# The number of files that are checked between two updates of the progress.
_STEP = 20

_Command: TypeAlias = Callable[[argparse.Namespace], int]


class _Failure(Exception):
    """Ends a command with the status 2; its text is printed."""

    def __init__(self, what: str, error: OSError | ValueError | None = None) -> None:
        self.reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        super().__init__(what if error is None else f"{what}: {self.reason}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0: no finding reaches the threshold. 1: one does, or a payload cannot be converted. 2: wrong
    usage, or a file that cannot be read or written. Wrong usage and `--help` leave through
    `SystemExit`, as usual with `argparse`.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.version:
            _print([f"{_PROG} {_version() or '(not installed)'}"])
            return 0
        if arguments.command is None:
            parser.error("a command is expected: check, convert, rules or show")
        run: _Command = arguments.run
        with _redirected(getattr(arguments, "report", "-")):
            return run(arguments)
    except _Failure as failure:
        _say(str(failure))
        return 2
    except KeyboardInterrupt:
        return 130  # as a shell says that a program ended by SIGINT


# -- arguments -----------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    """Return the parser of arguments; a command is described by the docstring of its function."""
    parser = argparse.ArgumentParser(
        prog=_PROG, description="Inspect OData $batch payloads.", allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: _Command) -> argparse.ArgumentParser:
        text = " ".join((run.__doc__ or "").split())
        what = text[:1].lower() + text[1:].partition(".")[0]
        added = commands.add_parser(name, allow_abbrev=False, help=what, description=text)
        added.set_defaults(run=run, parser=added)
        return added

    check, convert = command("check", _check), command("convert", _convert)
    _add_options_of_check(check)
    _add_options_of_convert(convert)
    rules = command("rules", _rules)
    rules.add_argument("slug", nargs="?", metavar="SLUG", help="the rule to explain")
    what = "how they are printed (default: %(default)s)"
    rules.add_argument("--format", choices=("text", "json"), default="text", help=what)

    show = command("show", _show)
    show.add_argument("files", nargs="+", metavar="FILE", help="as for check")
    show.add_argument("--headers", action="store_true", help="print all header fields")
    show.add_argument("--bodies", action="store_true", help="print all lines of the bodies")
    show.add_argument("--strict", action="store_true", help="exit with 1 on warnings, too")

    names = tuple(PRESETS)
    what = f"the version of OData or the service to check against: {', '.join(names)}"
    what += " (default: %(default)s)"
    limit = "another limit, as in message=1000000; see the names in the reference"
    for add in (check.add_argument, convert.add_argument, show.add_argument):
        add("--dialect", metavar="NAME", type=str.lower, choices=names, default="4.01", help=what)
        add("--limit", metavar="NAME=N", type=_limit, action="append", default=[], help=limit)
    choices = ("auto", "always", "never")
    for each in (check, rules, show):
        each.add_argument("--color", choices=choices, default="auto", help="whether to use colour")
    return parser


def _add_options_of_check(check: argparse.ArgumentParser) -> None:
    what = "an HTTP message, its body, a HAR file, a SAZ file, or a directory of such files; "
    what += "- is standard input"
    check.add_argument("files", nargs="+", metavar="FILE", help=what)
    formats = ("text", "concise", "json", "github", "sarif")
    what = "how findings are printed (default: %(default)s)"
    check.add_argument("--format", choices=formats, default="text", help=what)
    what = "the lowest severity that makes the exit status 1 (default: error)"
    check.add_argument("--fail-on", choices=_THRESHOLDS, help=what)
    check.add_argument("--strict", action="store_true", help="the same as --fail-on warning")
    what = "rules to report, separated by commas; others are left out"
    check.add_argument("--select", metavar="RULES", type=_rules_of, default=(), help=what)
    what = "rules to leave out, separated by commas"
    check.add_argument("--ignore", metavar="RULES", type=_rules_of, default=(), help=what)
    what = "the file to write in place of standard output"
    check.add_argument("-o", "--output", dest="report", metavar="OUT", default="-", help=what)


def _add_options_of_convert(convert: argparse.ArgumentParser) -> None:
    convert.add_argument("file", metavar="FILE", help="as for check; - is standard input")
    convert.add_argument("--to", choices=("json", "multipart"), required=True, help="the format")
    what = "the file to write; - is standard output (default)"
    convert.add_argument("-o", "--output", metavar="OUT", default="-", help=what)
    what = "which message of an archive to convert"
    convert.add_argument("--message", metavar="NAME", help=what)
    what = "the boundary of a multipart batch, in place of a random one"
    convert.add_argument("--boundary", help=what)


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    try:
        limit = name.replace("-", "_"), int(number)
        Limits(**dict([limit]))
    except (TypeError, ValueError):
        names = ", ".join(each.name for each in fields(Limits))
        message = f"{text!r} is not NAME=N with one of these names: {names}"
        raise argparse.ArgumentTypeError(message) from None
    return limit


def _rules_of(text: str) -> frozenset[str]:
    slugs = frozenset(filter(None, text.replace(",", " ").split()))
    for slug in sorted(slugs - RULES.keys()):
        raise argparse.ArgumentTypeError(_unknown_rule(slug))
    return slugs


def _codec(arguments: argparse.Namespace) -> Codec:
    return Codec(PRESETS[arguments.dialect], limits=Limits(**dict(arguments.limit)))


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
    """Print captured batches and what is wrong with them.

    Exit status: 0 without errors, 1 with errors, 2 if a FILE cannot be read.
    """
    paint = _paint(arguments.color)
    options = Options(headers=arguments.headers, bodies=arguments.bodies, paint=paint)
    codec = _codec(arguments)
    files = _files(arguments)
    threshold = "warning" if arguments.strict else "error"
    status = 0
    for file in files:
        try:
            exchanges = _read(file, codec.limits)
        except _Failure as failure:
            _say(str(failure))
            status = 2
            continue
        batches = [each for each in exchanges if each.is_batch]
        if not batches:
            _print([f"{visible(file)}: no batch among {count(len(exchanges), 'exchange')}"])
        for exchange in batches:
            for name, message, checked in captured.checked_messages(exchange, codec):
                has_name = name != "" or len(files) > 1
                if has_name:
                    _print([paint(BOLD, f"== {visible(file)} {visible(name)}".rstrip()), ""])
                if message is None:
                    _print(finding_lines(checked, paint))
                else:
                    _print([*message_lines(message, checked, options), *[""] * has_name])
                if _reaches(checked.worst, threshold):
                    status = max(status, 1)
    return status


def _reaches(worst: Severity | None, threshold: str) -> bool:
    return worst is not None and threshold != "never" and worst >= Severity[threshold.upper()]


# -- check ---------------------------------------------------------------------------------------


def _check(arguments: argparse.Namespace) -> int:
    """List what is wrong with captured batches.

    Exit status: 0 without findings at or above --fail-on, 1 with such findings, 2 if a FILE cannot
    be read; the others are checked all the same.
    """
    files = _files(arguments)
    format: str = arguments.format
    codec = _codec(arguments)
    paint = _paint(arguments.color)
    results: list[captured.Checked] = []
    progress = _Progress(len(files))
    try:
        for file in files:
            progress.advance()
            name = file if format in ("text", "concise") else _in_utf8(file)
            try:
                exchanges = _read(file, codec.limits)
            except _Failure as failure:
                progress.clear()
                _say(str(failure))
                results.append(captured.Checked(file=name, error=failure.reason))
            else:
                chosen = arguments.select, arguments.ignore
                results.append(captured.check_exchanges(name, exchanges, codec, *chosen))
            lines = list(_lines(format, results[-1], paint))
            if lines:
                progress.clear()
            (_print_commands if format == "github" else _print)(lines)
    finally:
        progress.clear()
    if format == "text":
        _print(report.summary_lines(results))
    elif format == "json":
        _print(report.json_lines(results, _version(), codec.dialect))
    elif format == "sarif":
        _print(report.sarif_lines(results, _version()))
    if any(each.error for each in results):
        return 2
    threshold = arguments.fail_on or ("warning" if arguments.strict else "error")
    return int(any(_reaches(each.worst, threshold) for each in results))


def _in_utf8(file: str) -> str:
    """Return the name of a file with its octets read as UTF-8, whatever the locale says.

    Octets that are not UTF-8 become surrogates, as `surrogateescape` does it.
    """
    try:
        octets = os.fsencode(file)
    except UnicodeEncodeError:  # no file has this name
        octets = file.encode("utf-8", "surrogatepass")
    return octets.decode("utf-8", "surrogateescape")


def _lines(format: str, checked: captured.Checked, paint: Paint) -> Iterable[str]:
    """Return the lines about one file, before it is known what is in the others."""
    if format == "text":
        # Pictures of control characters, where they can be printed.
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        has_pictures = "\N{SYMBOL FOR LINE FEED}".encode(encoding, "ignore") != b""
        return report.text_lines(checked, paint, pictured if has_pictures else quoted)
    if format == "concise":
        return report.concise_lines(checked)
    return report.github_lines(checked) if format == "github" else ()


class _Progress:
    """Shows on a terminal how many files have been begun; shows nothing anywhere else."""

    def __init__(self, total: int) -> None:
        self._total, self._begun, self._is_shown = total, 0, False
        # Only a terminal that can clear a line shows it.
        err = sys.stderr
        self._can_show = err is not None and err.isatty() and os.environ.get("TERM") != "dumb"

    def advance(self) -> None:
        """Begin the next file."""
        self._begun += 1
        if self._can_show and self._begun % _STEP == 0:
            self._is_shown = True
            print(f"\r{self._begun} of {self._total} files", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Clear the line, so that something else can be printed."""
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._is_shown = False


# -- convert -------------------------------------------------------------------------------------


def _convert(arguments: argparse.Namespace) -> int:
    """Write a captured batch in the other format, and list what is lost.

    Exit status: 0 if it was written, 1 if it has errors or cannot be converted, 2 if FILE cannot be
    read.
    """
    file: str = arguments.file
    if arguments.boundary is not None and arguments.to == "json":
        arguments.parser.error("a JSON batch has no boundary")
    codec = _codec(arguments)
    batches = [each for each in _read(file, codec.limits) if each.is_batch]
    messages = dict(pair for each in batches for pair in captured.messages_of(each))
    name: str | None = arguments.message
    if name is None and len(messages) == 1:
        (name,) = messages
    if name not in messages:
        names = ", ".join(filter(None, messages)) or "none has a name"
        raise _Failure(f"choose a message of {file!r} with --message: {names}")
    message = messages[name]
    is_wrapped = message.media_type == "application/http"
    if is_wrapped:
        message = parse_message(message.body, limits=codec.limits)
    checked = captured.check_message(message, codec)
    found = [each.diagnostic for each in checked.findings]
    refused = [each for each in found if each.severity is Severity.ERROR]
    try:
        if refused or checked.batch is None:
            # Without an error, the finding says why there is nothing to read.
            raise EncodeError(tuple(refused or found))
        to, boundary = arguments.to, arguments.boundary
        octets, losses = captured.rewritten(message, checked.batch, to, codec, boundary)
    except EncodeError as error:
        for each in error.diagnostics:
            _say(f"cannot convert {file!r}: {each}")
        return 1
    if is_wrapped:
        _say("lost: the message of type application/http around the batch")
    if message.lossy:
        _say("lost: octets, before this, when the message was captured")
    for loss in losses:
        _say(f"lost{f' in {loss.path}' if loss.path else ''}: {loss.message}")
    _write(octets, arguments.output)
    return 0


def _write(octets: bytes, output: str) -> None:
    if output != "-":
        try:
            Path(output).write_bytes(octets)
        except (OSError, ValueError) as error:
            raise _Failure(f"cannot write {output!r}", error) from error
    elif sys.stdout is not None:
        # A terminal obeys line ends and tabs only.
        text = octets.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        text = text.translate({ord("\n"): None, ord("\t"): None})
        if sys.stdout.isatty() and not text.isprintable():
            raise _Failure("there are control characters in it; write it to a file with -o")
        _attempt(lambda: _write_octets(octets))


def _write_octets(octets: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


# -- rules ---------------------------------------------------------------------------------------


def _rules(arguments: argparse.Namespace) -> int:
    """List the rules, or explain one.

    Exit status: 0, 2 if there is no such rule.
    """
    slug: str | None = arguments.slug
    rule = RULES.get(slug or "")
    if slug is not None and rule is None:
        raise _Failure(_unknown_rule(slug))
    paint = _paint(arguments.color)
    if arguments.format == "json":
        _print(report.rules_in_json([rule] if rule else RULES.values()))
    else:
        _print(report.rule_lines(rule, paint) if rule else report.catalogue_lines(paint))
    return 0


def _unknown_rule(slug: str) -> str:
    similar = report.similar_slugs(slug)
    hint = f"; do you mean {' or '.join(similar)}?" if similar else ""
    return f"there is no rule {slug!r}{hint}"


# -- reading and printing ------------------------------------------------------------------------


def _files(arguments: argparse.Namespace) -> list[str]:
    """Return the files to read: those named, and all but hidden ones of a directory."""
    named: list[str] = arguments.files
    if named.count("-") > 1:
        arguments.parser.error("standard input can be read once only")
    files: list[str] = []
    for each in named:
        if each != "-" and os.path.isdir(each):
            within = (path for path in sorted(Path(each).rglob("*")) if path.is_file())
            found = [str(path) for path in within if not path.name.startswith(".")]
            files += found or [each]
        else:
            files.append(each)
    return files


def _read(file: str, limits: Limits) -> tuple[CapturedExchange, ...]:
    """Return the octets of a file, of which no more are read than the limits allow."""
    try:
        if file != "-":
            with open(file, "rb") as source:
                data = source.read(limits.message + 1)
        elif sys.stdin is None:
            raise ValueError("standard input is closed")
        else:
            data = sys.stdin.buffer.read(limits.message + 1)
        if len(data) > limits.message:
            what = f"it has more than {limits.message} octets; allow more with --limit message=N"
            raise ValueError(what)
    except (OSError, ValueError) as error:
        raise _Failure(f"cannot read {file!r}", error) from error
    return parse_capture(data, limits=limits)


@contextmanager
def _redirected(output: str) -> Iterator[None]:
    """Redirect standard output to a file, in UTF-8, unless it is `-`."""
    if output == "-":
        yield
        return
    try:
        with open(output, "w", encoding="utf-8", newline="\n") as file, redirect_stdout(file):
            yield
    except (OSError, ValueError) as error:
        raise _Failure(f"cannot write {output!r}", error) from error


def _paint(color: str) -> Paint:
    """Return how to colour: only on a terminal, and as https://no-color.org asks."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    is_seen = sys.stdout is not None and sys.stdout.isatty() and not unwanted
    if color == "never" or not (is_seen or color == "always"):
        return lambda colour, text: text
    return lambda colour, text: f"\x1b[{colour}m{text}\x1b[0m"


def _print(lines: Iterable[str]) -> None:
    if sys.stdout is not None:
        encoding = sys.stdout.encoding or "utf-8"
        text = "".join(f"{line}\n" for line in lines)
        # What the encoding does not have is escaped, too.
        printed = text.encode(encoding, "backslashreplace").decode(encoding)
        _attempt(lambda: print(printed, end="", flush=True))


def _print_commands(lines: Iterable[str]) -> None:
    """Print workflow commands: in UTF-8, names of files octet by octet, but to a terminal."""
    if sys.stdout is None or sys.stdout.isatty():
        _print(map(visible, lines))
    else:
        octets = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        _attempt(lambda: _write_octets(octets))


def _attempt(write: Callable[[], None]) -> None:
    """Write to standard output; a closed pipe is not a failure, any other error is."""
    try:
        write()
    except OSError as error:
        # What is buffered is discarded, or the interpreter would fail at it again at its end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            raise _Failure("cannot print", error) from error


def _say(what: str) -> None:
    """Print a line on standard error; what comes from files is made visible."""
    if sys.stderr is not None:
        print(f"{_PROG}: {visible(what)}", file=sys.stderr)
