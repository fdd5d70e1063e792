"""Files, pipes and terminals: the only module that reads, writes and prints.

What comes from files is made visible before it is printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from odata_batch import Limits
from odata_batch._cli.terminal import Paint, visible
from odata_batch.capture import CapturedExchange, parse_capture

PROG = "odata-batch"
# The number of files that are checked between two updates of the progress.
_STEP = 20


class Failure(Exception):
    """Ends a command with the status 2; its text is printed."""

    def __init__(self, what: str, error: OSError | ValueError | None = None) -> None:
        self.reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        super().__init__(what if error is None else f"{what}: {self.reason}")


# -- reading -------------------------------------------------------------------------------------


def files_of(named: Iterable[str]) -> list[str]:
    """Return the files to read: those named, and all but hidden ones of a directory."""
    files: list[str] = []
    for each in named:
        if each != "-" and os.path.isdir(each):
            within = (path for path in sorted(Path(each).rglob("*")) if path.is_file())
            found = [str(path) for path in within if not path.name.startswith(".")]
            files += found or [each]
        else:
            files.append(each)
    return files


def captures(
    files: Iterable[str], limits: Limits, before_failure: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, tuple[CapturedExchange, ...], str]]:
    """Yield each file, what it holds, and why it could not be read, which is printed, too."""
    for file in files:
        try:
            data = _read(file, limits.message)
        except Failure as failure:
            before_failure()
            say(str(failure))
            yield file, (), failure.reason
        else:
            yield file, parse_capture(data, limits=limits), ""


def _read(file: str, most: int) -> bytes:
    """Return the octets of a file, of which no more are read than the limits allow."""
    try:
        if os.path.isdir(file):
            raise ValueError("there are no files in this directory, or only hidden ones")
        if file != "-":
            with open(file, "rb") as source:
                data = source.read(most + 1)
        elif sys.stdin is None:
            raise ValueError("standard input is closed")
        else:
            data = sys.stdin.buffer.read(most + 1)
        if len(data) > most:
            raise ValueError(f"it has more than {most} octets; allow more with --limit message=N")
    except (OSError, ValueError) as error:
        raise Failure(f"cannot read {file!r}", error) from error
    return data


def in_utf8(file: str) -> str:
    """Return the name of a file with its octets read as UTF-8, whatever the locale says.

    Octets that are not UTF-8 become surrogates, as `surrogateescape` does it.
    """
    try:
        octets = os.fsencode(file)
    except UnicodeEncodeError:  # no file has this name
        octets = file.encode("utf-8", "surrogatepass")
    return octets.decode("utf-8", "surrogateescape")


class Progress:
    """Shows on a terminal how many files have been begun; shows nothing anywhere else."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files, self._is_shown = files, False

    def __iter__(self) -> Iterator[str]:
        # Only a terminal that can clear a line shows it.
        err = sys.stderr
        can_show = err is not None and err.isatty() and os.environ.get("TERM") != "dumb"
        for number, file in enumerate(self._files, 1):
            if can_show and number % _STEP == 0:
                self._is_shown = True
                print(f"\r{number} of {len(self._files)} files", end="", file=err, flush=True)
            yield file

    def clear(self) -> None:
        """Clear the line, so that something else can be printed."""
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._is_shown = False


# -- writing -------------------------------------------------------------------------------------


def spare(files: Iterable[str], output: str) -> None:
    """Refuse to write over a file that is read."""
    for each in files_of(files) if os.path.isfile(output) else ():
        if os.path.exists(each) and os.path.samefile(each, output):
            raise Failure(f"cannot write {output!r}: it is one of the files that are read")


def write(octets: bytes, output: str) -> None:
    """Write octets to a file, or to standard output if it is `-`."""
    if output != "-":
        try:
            Path(output).write_bytes(octets)
        except (OSError, ValueError) as error:
            raise Failure(f"cannot write {output!r}", error) from error
    elif sys.stdout is not None:
        # A terminal obeys line ends and tabs only.
        text = octets.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        text = text.translate({ord("\n"): None, ord("\t"): None})
        if sys.stdout.isatty() and not text.isprintable():
            raise Failure("there are control characters in it; write it to a file with -o")
        _attempt(lambda: _write_octets(octets))


def _write_octets(octets: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


@contextmanager
def redirected(output: str) -> Iterator[None]:
    """Redirect standard output to a file, in UTF-8, unless it is `-`."""
    if output == "-":
        yield
        return
    try:
        with open(output, "w", encoding="utf-8", newline="\n") as file, redirect_stdout(file):
            yield
    except (OSError, ValueError) as error:
        raise Failure(f"cannot write {output!r}", error) from error


def paint_of(color: str) -> Paint:
    """Return how to colour: only on a terminal, and as https://no-color.org asks."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    is_seen = sys.stdout is not None and sys.stdout.isatty() and not unwanted
    if color == "never" or not (is_seen or color == "always"):
        return lambda colour, text: text
    return lambda colour, text: f"\x1b[{colour}m{text}\x1b[0m"


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on standard output; what its encoding does not have is escaped."""
    if sys.stdout is not None:
        encoding = sys.stdout.encoding or "utf-8"
        text = "".join(f"{line}\n" for line in lines)
        printed = text.encode(encoding, "backslashreplace").decode(encoding)
        _attempt(lambda: print(printed, end="", flush=True))


def print_commands(lines: Iterable[str]) -> None:
    """Print workflow commands: in UTF-8, names of files octet by octet, but to a terminal."""
    if sys.stdout is None or sys.stdout.isatty():
        print_lines(map(visible, lines))
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
            raise Failure("cannot print", error) from error


def say(what: str, prefix: str = f"{PROG}: ") -> None:
    """Print a line on standard error; what comes from files is made visible."""
    if sys.stderr is not None:
        print(f"{prefix}{visible(what)}", file=sys.stderr)
