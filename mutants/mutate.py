"""Change a module at places drawn by a seed, and tell which changes no test notices.

`make mutants MODULE=_wire/http` makes what this needs: mutmut, whose operators say what a change
may be, and a survey of the tests: which of them runs which line, and for how long. The tests of a
changed line run in a copy of the tree, the shortest first, until one fails or hangs.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import libcst
import pytest
from coverage import CoverageData
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parent.parent
COVERAGE = ROOT / ".mutants" / "coverage"
TIMES = ROOT / ".mutants" / "times.json"
SETTINGS = ROOT / ".mutants" / "coveragerc"
TESTS = "tests.json"
RUNNING = "running.txt"

MEMORY = 2 * 1024**3
"""Bytes that the tests of a change may take: some changes make a loop that only collects."""
HANGS = 10
"""A test hangs when it takes so many times as long as it did, and so many seconds."""


# -- the tests -------------------------------------------------------------------------------------


class Survey:
    """A plugin that notes how long each test takes."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.times[report.nodeid] = self.times.get(report.nodeid, 0) + report.duration


class Selection:
    """A plugin that runs these tests alone, in this order, and ends the process when one hangs."""

    def __init__(self, times: dict[str, float]) -> None:
        self.times = times
        self.running = Path(RUNNING).resolve()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        found = {item.nodeid: item for item in items}
        items[:] = [found[name] for name in self.times if name in found]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.running.write_text(item.nodeid, "utf-8")
        # In time of its own, because a busy machine makes nothing hang.
        signal.setitimer(signal.ITIMER_PROF, HANGS * (1 + self.times[item.nodeid]))
        result = yield
        signal.setitimer(signal.ITIMER_PROF, 0)
        return result


def survey() -> int:
    """Run all tests and note the lines and the time of each."""
    COVERAGE.parent.mkdir(exist_ok=True)
    os.environ["COVERAGE_FILE"] = str(COVERAGE)
    # Branches take ten times the space of lines, and nobody asks for them here.
    SETTINGS.write_text("[run]\nsource = odata_batch\n", "utf-8")
    plugin = Survey()
    coverage = [f"--cov-config={SETTINGS}", "--cov-context=test", "--cov-report="]
    code = pytest.main(["-q", "--numprocesses=2", "--cov", *coverage], plugins=[plugin])
    if code == 0:
        TIMES.write_text(json.dumps(plugin.times), "utf-8")
    return int(code)


def run_selection() -> int:
    """Run the tests that the file TESTS of this directory lists; this is a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    times: dict[str, float] = json.loads(Path(TESTS).read_bytes())
    files = {name.partition("::")[0] for name in times}
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    return int(pytest.main([*arguments, *sorted(files)], plugins=[Selection(times)]))


class Runs:
    """Which tests run the lines of a module; the shortest first."""

    def __init__(self, path: Path) -> None:
        data = CoverageData(str(COVERAGE))
        data.read()
        self.by_line = data.contexts_by_lineno(str(path))
        self.times: dict[str, float] = json.loads(TIMES.read_bytes())

    def of(self, lines: range) -> dict[str, float]:
        contexts = {name for line in lines for name in self.by_line.get(line, ())}
        # What is run at import, before the first test, can be noticed by every test of the module.
        if "" in contexts:
            contexts = {name for names in self.by_line.values() for name in names}
        tests = {name.rpartition("|")[0] for name in contexts} - {""}
        return {name: self.times[name] for name in sorted(tests, key=self.times.__getitem__)}


# -- the changes -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A module with one change, and the lines of the statement in which it was made."""

    number: int
    lines: range
    source: str
    diff: str


def places(
    node: libcst.CSTNode, positions: dict[libcst.CSTNode, range], lines: range
) -> Iterator[tuple[libcst.CSTNode, range]]:
    """Yield what has an effect when it runs: no annotations, no imports, no names of types."""
    if isinstance(node, libcst.Annotation | libcst.Import | libcst.ImportFrom):
        return
    if isinstance(node, libcst.AnnAssign) and "TypeAlias" in str(node.annotation.annotation):
        return
    if isinstance(node, libcst.SimpleStatementLine):
        lines = positions[node]
    elif isinstance(node, libcst.BaseCompoundStatement):
        lines = range(positions[node].start, positions[node.body].start)
    yield node, lines
    for child in node.children:
        yield from places(child, positions, lines)


def mutants_of(path: Path, count: int, seed: int) -> list[Mutant]:
    """Return that many changes of a module, each at a place of its own, in the order drawn."""
    source = path.read_text("utf-8")
    wrapper = MetadataWrapper(libcst.parse_module(source))
    positions = {
        node: range(place.start.line, place.end.line + 1)
        for node, place in wrapper.resolve(PositionProvider).items()
    }
    drawn = random.Random(seed)
    found = list(places(wrapper.module, positions, range(0)))
    drawn.shuffle(found)
    mutants: list[Mutant] = []
    for node, lines in found:
        changed = [
            new
            for kind, operator in mutation_operators
            if isinstance(node, kind)
            for new in operator(node)
        ]
        if changed and len(mutants) < count:
            module = wrapper.module.deep_replace(node, drawn.choice(changed))
            assert isinstance(module, libcst.Module)
            text = module.code
            name = path.relative_to(ROOT).as_posix()
            lines_of_diff = difflib.unified_diff(
                source.splitlines(True), text.splitlines(True), name, name, n=1
            )
            diff = "".join(lines_of_diff)
            mutants.append(Mutant(number=len(mutants) + 1, lines=lines, source=text, diff=diff))
    return mutants


# -- what becomes of them --------------------------------------------------------------------------


def copy_of_the_tree(directory: Path) -> Path:
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "htmlcov")
    return Path(shutil.copytree(ROOT, directory, ignore=ignored))


def outcome(tree: Path, path: Path, source: str, tests: dict[str, float]) -> tuple[int, str]:
    """Return how pytest ended with this source for the module, and the test that it ended in.

    It ends with 0 where nobody notices.
    """
    (tree / path).write_text(source, "utf-8")
    for cached in (tree / path.parent / "__pycache__").glob(f"{path.stem}.*"):
        cached.unlink()  # it is taken for current within the same second
    (tree / TESTS).write_text(json.dumps(tests), "utf-8")
    (tree / RUNNING).write_text("", "utf-8")
    environment = os.environ | {"PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "quick"}
    command = [sys.executable, str(tree / "mutants" / "mutate.py"), "--tests"]
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    shutil.rmtree(tree / ".hypothesis", ignore_errors=True)
    if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        sys.exit("the survey is of other tests: remove .mutants")
    if done.returncode not in (0, 1, 2, -signal.SIGPROF):
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode, (tree / RUNNING).read_text("utf-8")


def judge(module: str, count: int, seed: int, only: Sequence[int], processes: int) -> int:
    path = Path("odata_batch", module).with_suffix(".py")
    runs = Runs(ROOT / path)
    mutants = mutants_of(ROOT / path, count, seed)
    with tempfile.TemporaryDirectory() as directory:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(processes):
            trees.put(copy_of_the_tree(Path(directory, str(number))))

        def judged(mutant: Mutant) -> tuple[int, str]:
            tests = runs.of(mutant.lines)
            tree = trees.get()
            try:
                return outcome(tree, path, mutant.source, tests) if tests else (0, "")
            finally:
                trees.put(tree)

        chosen = [each for each in mutants if not only or each.number in only]
        survivors = []
        noticed_by = set()
        with ThreadPoolExecutor(processes) as pool:
            for mutant, (code, test) in zip(chosen, pool.map(judged, chosen), strict=True):
                if code == 0:
                    survivors.append(mutant)
                    print(f"{mutant.number} survived:\n{mutant.diff}", flush=True)
                else:
                    noticed_by.add(test)
        # What fails in a copy of the tree in any case has noticed nothing.
        tests = {name: runs.times[name] for name in noticed_by if name}
        tests = tests or runs.of(chosen[0].lines)
        code, test = outcome(trees.get(), path, (ROOT / path).read_text("utf-8"), tests)
        if code != 0:
            sys.exit(f"{test} fails without a change")
    killed = len(chosen) - len(survivors)
    print(
        f"{module}, seed {seed}: of {len(chosen)} changes {killed} noticed, "
        f"{len(survivors)} survived; {100 * killed / len(chosen):.1f} per cent"
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Change a module and see which tests notice.")
    parser.add_argument("module", nargs="?", default="_wire/http", help="as in _wire/http")
    parser.add_argument("--count", type=int, default=150, help="how many places")
    parser.add_argument("--seed", type=int, default=1, help="which places")
    parser.add_argument("--only", type=int, nargs="*", default=(), help="numbers of changes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--survey", action="store_true", help="run all tests and note their lines")
    parser.add_argument("--tests", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.survey or given.tests:
        return survey() if given.survey else run_selection()
    return judge(given.module, given.count, given.seed, given.only, given.processes)


if __name__ == "__main__":
    sys.exit(main())
