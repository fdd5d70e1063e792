"""Fuzzes the targets of `fuzz.targets`: `python -m fuzz` all, one after the other, or those named.

Each runs in a process of its own. What is invented counts only if it is steered by coverage, so a
target whose package is not instrumented, or whose `cov:` figure does not grow, is a failure.
`python -m fuzz --only TARGET ARGUMENTS` runs one in this process, with arguments of libFuzzer.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path

import atheris

IS_ONE = sys.argv[1:2] == ["--only"]
with atheris.instrument_imports(include=["odata_batch"]) if IS_ONE else nullcontext():
    import odata_batch

    from . import targets

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "spec-fixtures"
KEPT = ROOT / ".fuzz"
# No unit takes as long, nor as much memory, on any machine that is not busy with something else.
BOUNDS = ("-timeout=10", "-rss_limit_mb=2048", "-max_len=20000")
FIGURES = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+)")


def messages(folder: Path, suffixes: Iterable[str] = (".http",)) -> list[bytes]:
    """Return what the files of a folder hold."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in suffixes]
    assert files, f"{folder} holds no seeds"
    return [file.read_bytes() for file in files]


def seeds(target: str) -> list[bytes]:
    """Return inputs to begin with: each case of the corpus, with choices, and pairs of them."""
    choices = random.Random(target)
    cases = messages(CORPUS)
    if target in ("capture", "command"):
        return cases + messages(CORPUS / "captures", (".har", ".saz", ".txt", ".http"))
    others = choices.sample(cases, len(cases))
    with_choices = [
        targets.MARK.join((case, other, choices.randbytes(60)))
        for case, other in zip(cases, others, strict=True)
    ]
    return cases + with_choices


def fuzz(target: str, arguments: Sequence[str]) -> None:
    """Fuzz a target, or run the files that are named."""
    names = odata_batch.decode_request.__code__.co_names
    if "_trace_branch" not in names:
        sys.exit("odata_batch is not instrumented: it was imported before atheris could see it")
    run = targets.TARGETS[target]
    words = Path(__file__).with_name("tokens.dict")
    command = [sys.argv[0], f"-dict={words}", f"-artifact_prefix={KEPT}/{target}-", *BOUNDS]
    atheris.Setup([*command, *arguments], lambda data: run(targets.Source(data)))
    atheris.Fuzz()


def supervise(target: str, seconds: int) -> bool:
    """Fuzz a target in a process of its own, and tell whether nothing was found."""
    corpus, given = KEPT / target, KEPT / "seeds" / target
    for folder in (corpus, given):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (given / f"{number}").write_bytes(data)
    command = [sys.executable, "-m", "fuzz", "--only", target, f"-max_total_time={seconds}"]
    log = KEPT / f"{target}.log"
    with log.open("wb") as output:
        command += [str(corpus), str(given)]
        status = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output).returncode
    text = log.read_text("utf-8", "replace")
    figures = [(int(number), int(cov)) for number, cov in FIGURES.findall(text)]
    first, (executions, last) = (
        min(cov for _, cov in figures or [(0, 0)]),
        (figures or [(0, 0)])[-1],
    )
    print(f"{target:9} {executions:9} executions, cov: {first} to {last}", end="", flush=True)
    if status == 0 and last > first:
        print(", nothing found")
        return True
    print(
        f", FAILED with {status}: see {log}" if status else f", FAILED: cov: does not grow: {log}"
    )
    return False


def main() -> None:
    """Fuzz what is named, or everything."""
    if IS_ONE:
        fuzz(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(targets.TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    arguments = parser.parse_args()
    chosen = arguments.targets or list(targets.TARGETS)
    if unknown := set(chosen) - targets.TARGETS.keys():
        parser.error(f"there are no targets {sorted(unknown)}")
    failed = [target for target in chosen if not supervise(target, arguments.seconds)]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
