"""The command line: `odata-batch check`, `convert`, `outcomes`, `rules` and `show`.

Arguments, and what each command does with what it is given. Files, pipes and terminals are
in `console`; what is printed is made by `report`, `outcomes` and `show`.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias  # what `argparse` takes is as various as options are

from odata_batch import BatchRequest, Codec, EncodeError, Limits, Severity, resolve_url
from odata_batch._cli import captured, console, outcomes, report
from odata_batch._cli.console import PROG, Failure, say
from odata_batch._cli.show import Meanings, contents_of, meanings, message_lines
from odata_batch._cli.terminal import BOLD, Options, count, filled, pictured, quoted, visible
from odata_batch.capture import CapturedExchange, Message, parse_message
from odata_batch.dialects import PRESETS
from odata_batch.rules import RULES

_Command: TypeAlias = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0: no finding reaches the threshold, every operation has succeeded. 1: one does or has not, or a
    payload cannot be converted. 2: wrong usage, or a file that cannot be read or written. Wrong
    usage and `--help` leave through `SystemExit`, as usual with `argparse`.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.version:
            console.print_lines([f"{PROG} {_version() or '(not installed)'}"])
            return 0
        if arguments.print_completion:
            console.print_lines([_completion(arguments.print_completion)])
            return 0
        if arguments.command is None:
            parser.error("a command is expected: check, convert, outcomes, rules or show")
        if getattr(arguments, "files", []).count("-") > 1:
            arguments.parser.error("standard input can be read once only")
        run: _Command = arguments.run
        output: str = getattr(arguments, "report", "-")
        console.spare(getattr(arguments, "files", []), output)
        with console.redirected(output):
            return run(arguments)
    except Failure as failure:
        say(str(failure))
        return 2
    except KeyboardInterrupt:
        return 130  # as a shell says that a program ended by SIGINT


# -- arguments -----------------------------------------------------------------------------------


def _parser(files: object = None) -> argparse.ArgumentParser:
    """Return the parser of arguments; a command is described by the docstring of its function.

    `files` tells shtab how a shell completes the names of files.
    """
    parser = argparse.ArgumentParser(
        prog=PROG, description="Inspect OData $batch payloads.", allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    what = "print what makes this shell complete arguments, and exit; needs shtab"
    shells = ("bash", "zsh", "fish")
    parser.add_argument("--print-completion", choices=shells, metavar="SHELL", help=what)
    parser.epilog = f"{PROG} COMMAND --help prints the options of a command, and examples."
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parsers: dict[str, argparse.ArgumentParser] = {}
    for run in (_check, _convert, _outcomes, _rules, _show):
        name, (words, _, rest) = run.__name__[1:], (run.__doc__ or "").partition(PROG)
        text = " ".join(words.split())
        examples = [f"  {line.strip()}" for line in f"{PROG}{rest}".strip().split("\n")]
        parsers[name] = commands.add_parser(
            name,
            allow_abbrev=False,
            help=text[:1].lower() + text[1:].partition(".")[0],
            description="\n".join(filled(text)),
            epilog="\n".join(("examples:", *examples)),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parsers[name].set_defaults(run=run, parser=parsers[name])

    def add(names: str, *flags: str, **settings: Any) -> None:
        for name in names.split():
            action = parsers[name].add_argument(*flags, **settings)
            if action.metavar in ("FILE", "OUT"):
                vars(action)["complete"] = files

    _add_own_options(add)
    _add_common_options(add)
    return parser


_Add: TypeAlias = Callable[..., None]
"""Adds an option to the commands that are named first."""
_FOUR = "check convert outcomes show"
_LIMITS = ", ".join(each.name for each in fields(Limits))


def _add_own_options(add: _Add) -> None:
    what = "an HTTP message, its body, a HAR file, a SAZ file, or a directory of such files; "
    what += "- is standard input"
    add(_FOUR, "files", nargs="+", metavar="FILE", help=what)
    add("rules", "slug", nargs="?", metavar="SLUG", help="the rule to explain")
    add("convert", "--to", choices=("json", "multipart"), required=True, help="the format to write")
    what = "which message of the files to convert, as in entries[0].request; all by default"
    add("convert", "--message", metavar="NAME", help=what)
    add("convert", "--boundary", help="the boundary of a multipart batch, in place of a random one")
    add("show", "--headers", action="store_true", help="print all header fields")
    add("show", "--bodies", action="store_true", help="print all lines of the bodies")
    what = "print what the URLs mean, and what references refer to"
    add("show", "--resolve", action="store_true", help=what)
    what = "the URL of the batch, where the capture does not say it; implies --resolve"
    add("show", "--url", type=_batch_url, help=what)
    what = "the status of a response that was captured without its head (default: %(default)s)"
    add("outcomes", "--status", metavar="STATUS", type=_status, default=200, help=what)
    what = "how it is printed (default: %(default)s)"
    formats = ("text", "concise", "json", "github", "sarif")
    add("check", "--format", choices=formats, default="text", help=what)
    add("outcomes rules", "--format", choices=("text", "json"), default="text", help=what)
    what = "the URL of the page of a rule, with {} in the place of its name; SARIF leads there"
    add("check", "--rule-url", metavar="URL", type=_rule_url, help=what)


def _add_common_options(add: _Add) -> None:
    what = "the lowest severity that makes the exit status 1 (default: error)"
    thresholds = ("error", "warning", "note", "never")
    add("check show", "--fail-on", choices=thresholds, default="error", help=what)
    what = "the same as --fail-on warning"
    add("check show", "--strict", dest="fail_on", action="store_const", const="warning", help=what)
    what = f"the version of OData or the service to check against: {', '.join(PRESETS)}"
    what += " (default: %(default)s)"
    dialect: dict[str, Any] = {"type": str.lower, "choices": (*PRESETS,), "default": "4.01"}
    add(_FOUR, "--dialect", metavar="NAME", help=what, **dialect)
    what = f"another limit, as in message=1000000; the names are {_LIMITS}"
    add(_FOUR, "--limit", metavar="NAME=N", type=_limit, action="append", default=[], help=what)
    what = "rules to report, separated by commas; others are left out"
    add("check convert show", "--select", metavar="RULES", type=_rules_of, default=(), help=what)
    what = "rules to leave out, separated by commas"
    add("check convert show", "--ignore", metavar="RULES", type=_rules_of, default=(), help=what)
    what = "the file to write in place of standard output"
    out = {"metavar": "OUT", "default": "-"}
    add("check outcomes rules show", "-o", "--output", dest="report", help=what, **out)
    what += ", or a directory, where several messages are converted"
    add("convert", "-o", "--output", help=what, **out)
    what = "whether to use colour"
    add(f"{_FOUR} rules", "--color", choices=("auto", "always", "never"), default="auto", help=what)


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    try:
        limit = name.replace("-", "_"), int(number)
        Limits(**dict([limit]))
    except (TypeError, ValueError):
        message = f"{text!r} is not NAME=N with a number and one of these names: {_LIMITS}"
        raise argparse.ArgumentTypeError(message) from None
    return limit


def _rule_url(text: str) -> str:
    if "{}" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} has no {{}} for the name of the rule")
    return text


def _status(text: str) -> int:
    if not re.fullmatch("[1-5][0-9][0-9]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no status from 100 to 599")
    return int(text)


def _rules_of(text: str) -> frozenset[str]:
    slugs = frozenset(filter(None, text.replace(",", " ").split()))
    for slug in sorted(slugs - RULES.keys()):
        raise argparse.ArgumentTypeError(_unknown_rule(slug))
    return slugs


def _batch_url(text: str) -> str:
    try:
        return resolve_url(text, text)
    except ValueError:
        message = f"{text!r} is no absolute URL, as in 'https://host/service/$batch'"
        raise argparse.ArgumentTypeError(message) from None


def _codec(arguments: argparse.Namespace) -> Codec:
    return Codec(PRESETS[arguments.dialect], limits=Limits(**dict(arguments.limit)))


def _is_told(arguments: argparse.Namespace) -> captured.IsTold:
    select, ignore = arguments.select or RULES, arguments.ignore
    return lambda rule: rule in select and rule not in ignore


def _options(arguments: argparse.Namespace) -> Options:
    # Pictures of control characters, where they can be printed.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    has_pictures = "\N{SYMBOL FOR LINE FEED}".encode(encoding, "ignore") != b""
    show = pictured if has_pictures else quoted
    return Options(paint=console.paint_of(arguments.color), show=show)


def _version() -> str | None:
    """Return the version of the distribution; `None` in a checkout that is not installed."""
    # Here, because it loads the e-mail package, which nothing else needs.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PROG)
    except PackageNotFoundError:
        return None


def _completion(shell: str) -> str:
    try:
        import shtab
    except ImportError:
        raise Failure("completion needs shtab; pip install 'odata-batch[completion]'") from None
    text: str = shtab.complete(_parser(shtab.FILE), shell)
    return text


# -- check ---------------------------------------------------------------------------------------


def _check(arguments: argparse.Namespace) -> int:
    """List what is wrong with captured batches.

    A file in a directory that looks like no message is counted, and no more. Exit status: 0 without
    findings at or above --fail-on, 1 with such findings, 2 if a FILE cannot be read or no file of a
    directory is a message; the others are checked all the same.

      odata-batch check batch.http
      odata-batch check --dialect sap-cap --strict capture.har
      odata-batch check --format concise --ignore request-line-spaces,no-parts captures
      odata-batch check --format sarif -o report.sarif capture.har batch.http
    """
    format, codec, is_told = arguments.format, _codec(arguments), _is_told(arguments)
    each_file: dict[str, Callable[[captured.Checked], Iterable[str]]] = {
        "text": partial(report.text_lines, options=_options(arguments)),
        "concise": report.concise_lines,
        "github": report.github_lines,
    }
    results: list[captured.Checked] = []
    named, others = frozenset(arguments.files), 0
    progress = console.Progress(console.files_of(arguments.files))
    try:
        for file, exchanges, error in console.captures(progress, codec.limits, progress.clear):
            if not (error or file in named or captured.is_message(exchanges)):
                exchanges = (replace(exchanges[0], is_batch=False),)
                others += 1
            name = file if format in ("text", "concise") else console.in_utf8(file)
            checked = captured.check_exchanges(name, exchanges, codec, is_told)
            results.append(replace(checked, error=error))
            lines = [*each_file[format](results[-1])] if format in each_file else []
            if lines:
                progress.clear()
            (console.print_commands if format == "github" else console.print_lines)(lines)
    finally:
        progress.clear()
    if format == "text":
        console.print_lines(report.summary_lines(results))
    elif format == "json":
        console.print_lines(report.json_lines(results, _version(), codec.dialect))
    elif format == "sarif":
        console.print_lines(report.sarif_lines(results, _version(), arguments.rule_url))
    if others and others == sum(each.batches + each.others for each in results):
        say(f"no message among {count(others, 'file')}")
        return 2
    if any(each.error for each in results):
        return 2
    return int(any(_reaches(each.worst, arguments.fail_on) for each in results))


def _reaches(worst: Severity | None, threshold: str) -> bool:
    return worst is not None and threshold != "never" and worst >= Severity[threshold.upper()]


# -- show ----------------------------------------------------------------------------------------


def _show(arguments: argparse.Namespace) -> int:
    """Print captured batches and what is wrong with them.

    Exit status: 0 without findings at or above --fail-on, 1 with such findings, 2 if a FILE cannot
    be read.

      odata-batch show batch.http
      odata-batch show --resolve --headers --bodies capture.har
      odata-batch show --url 'https://example.org/service/$batch' batch.http
    """
    options = replace(_options(arguments), headers=arguments.headers, bodies=arguments.bodies)
    codec, is_told = _codec(arguments), _is_told(arguments)
    files, url = console.files_of(arguments.files), arguments.url
    status = 0
    for file, exchanges, error in console.captures(files, codec.limits):
        batches = [each for each in exchanges if each.is_batch]
        if error:
            status = 2
        elif not batches:
            what = f"no batch among {count(len(exchanges), 'exchange')}"
            console.print_lines([f"{visible(file)}: {what}"])
        for exchange in batches:
            for name, message, found in captured.checked_messages(exchange, codec, is_told):
                checked = replace(found, file=file)
                has_name = name != "" or len(files) > 1
                if has_name:
                    title = f"== {visible(file)} {visible(name)}".rstrip()
                    console.print_lines([options.paint(BOLD, title), ""])
                if message is None:
                    console.print_lines(report.text_lines(checked, options))
                else:
                    told: Meanings = {}
                    if (arguments.resolve or url) and isinstance(checked.batch, BatchRequest):
                        own = url or _url_of(exchange, message)
                        told = meanings(checked.batch, own, codec.dialect)
                    console.print_lines(message_lines(message, checked.batch, options, told))
                    end = "; ".join((contents_of(checked.batch), *report.tally([checked])))
                    lines = report.text_lines(checked, options)
                    console.print_lines([*lines, end, *[""] * has_name])
                if _reaches(checked.worst, arguments.fail_on):
                    status = max(status, 1)
    return status


def _url_of(exchange: CapturedExchange, request: Message) -> str:
    """Return the URL of the batch, with https where a capture has only the path and Host."""
    host = request.headers.get("host", "")
    return f"https://{host}{exchange.url}" if host and exchange.url[:1] == "/" else exchange.url


# -- outcomes ------------------------------------------------------------------------------------


def _outcomes(arguments: argparse.Namespace) -> int:
    """Tell what became of each operation of captured exchanges.

    A FILE holds both messages, or the request, and the next FILE its response. Exit status: 0 if
    every operation succeeded, 1 if some did not or it is not known, 2 if there is no exchange, or
    one of which nothing can be told.

      odata-batch outcomes capture.har
      odata-batch outcomes --format json batch.http answer.http
    """
    codec, is_text = _codec(arguments), arguments.format == "text"
    status = 0
    found: list[tuple[str, CapturedExchange]] = []
    for file, exchanges, error in console.captures(console.files_of(arguments.files), codec.limits):
        status = 2 if error else status
        found += ((file if is_text else console.in_utf8(file), each) for each in exchanges)
    results = [
        outcomes.outcomes_of(files, each, codec, arguments.status)
        for files, each in outcomes.paired(found)
    ]
    if not results:
        say(f"no batch among {count(len(found), 'exchange')}")
    if is_text:
        console.print_lines(outcomes.text_lines(results, console.paint_of(arguments.color)))
    else:
        console.print_lines(outcomes.json_lines(results, _version(), codec.dialect.name))
    if not results or any(each.unusable for each in results):
        return 2
    return max(status, int(not outcomes.is_ok(results)))


# -- convert -------------------------------------------------------------------------------------


def _convert(arguments: argparse.Namespace) -> int:
    """Write captured batches in the other format, and list what is lost.

    Exit status: 0 if they were written, 1 if one has errors or cannot be converted, 2 if a FILE
    cannot be read.

      odata-batch convert --to json batch.http
      odata-batch convert --to json --message 'entries[1].request' -o batch.json capture.har
      odata-batch convert --to multipart -o captures capture.har
    """
    if arguments.boundary is not None and arguments.to == "json":
        arguments.parser.error("a JSON batch has no boundary")
    codec = _codec(arguments)
    status = 0
    found: dict[tuple[str, str], Message] = {}
    for file, exchanges, error in console.captures(console.files_of(arguments.files), codec.limits):
        status = 2 if error else status
        for exchange in exchanges:
            for each in exchange.diagnostics:
                if each.rule.fatal:
                    status = 2
                    say(f"cannot read {f'{file} {exchange.name}'.rstrip()!r}: {each}")
            for name, message in captured.messages_of(exchange) if exchange.is_batch else ():
                found[file, name] = message
    if status and not found:
        return status
    if not found:
        raise Failure("there is no batch to convert")
    wanted: str | None = arguments.message
    chosen = {place: each for place, each in found.items() if wanted in (None, place[1])}
    is_many = len(chosen) > 1
    names = ", ".join(dict.fromkeys(name for _, name in found if name)) or "none has a name"
    if not chosen:
        raise Failure(f"there is no message {wanted!r}; choose one with --message: {names}")
    if is_many and not Path(arguments.output).is_dir():
        why = "" if arguments.output == "-" else f"{arguments.output!r} is no directory; "
        what = f"{why}choose a directory that exists with --output for {len(chosen)} messages"
        raise Failure(f"{what}, or one of them with --message: {names}")
    written: set[str] = set()
    for (file, name), message in chosen.items():
        label, output = "", arguments.output
        if is_many:
            label = f"{file} {name}: ".replace(" :", ":")
            output = str(Path(output, re.sub(r"[^\w.]+", "-", f"{file}-{name}").strip("-.")))
            if output in written:
                raise Failure(f"two messages would be written to {output!r}")
            written.add(output)
        console.spare(arguments.files, output)
        status = max(status, _convert_message(arguments, codec, file, label, message, output))
    return status


def _convert_message(
    arguments: argparse.Namespace,
    codec: Codec,
    file: str,
    label: str,
    message: Message,
    output: str,
) -> int:
    is_wrapped, is_told = message.media_type == "application/http", _is_told(arguments)
    if is_wrapped:
        message = parse_message(message.body, limits=codec.limits)
    checked = captured.told(captured.check_message(message, codec), is_told)
    try:
        if checked.worst is Severity.ERROR or checked.batch is None:
            raise EncodeError(())
        to, boundary = arguments.to, arguments.boundary
        octets, found = captured.rewritten(message, checked.batch, to, codec, boundary)
    except EncodeError as error:
        refused = [captured.Finding(diagnostic=each, source="") for each in error.diagnostics]
        # Without an error, a finding says why there is nothing to read.
        worst = [it for it in checked.findings if it.diagnostic.severity is checked.worst]
        say(f"{label}cannot convert {file!r}")
        told = replace(checked, file=file, findings=tuple(refused or worst))
        for line in report.text_lines(told, _options(arguments)):
            say(line, "")
        return 1
    losses = ["lost: the message of type application/http around the batch"] * is_wrapped
    losses += ["lost: octets, before this, when the message was captured"] * message.lossy
    losses += [f"lost{each.path and f' in {each.path}'}: {each.message}" for each in found]
    for line in losses:
        say(f"{label}{line}")
    console.write(octets, output)
    return 0


# -- rules ---------------------------------------------------------------------------------------


def _rules(arguments: argparse.Namespace) -> int:
    """List the rules, or explain one.

    Exit status: 0, 2 if there is no such rule.

      odata-batch rules
      odata-batch rules no-delimiter
      odata-batch rules --format json
    """
    slug: str | None = arguments.slug
    rule = RULES.get(slug or "")
    if slug is not None and rule is None:
        raise Failure(_unknown_rule(slug))
    paint = console.paint_of(arguments.color)
    if arguments.format == "json":
        console.print_lines(report.rules_in_json([rule] if rule else RULES.values()))
    else:
        lines = report.rule_lines(rule, paint) if rule else report.catalogue_lines(paint)
        console.print_lines(lines)
    return 0


def _unknown_rule(slug: str) -> str:
    # What may have been meant holds the text, or is spelt alike.
    similar = [each for each in RULES if slug and slug in each]
    similar = similar or difflib.get_close_matches(slug, RULES, n=3)
    hint = f"; do you mean {' or '.join(similar)}?" if similar else "; odata-batch rules lists them"
    return f"there is no rule {slug!r}{hint}"
