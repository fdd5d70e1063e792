"""Change a module at places drawn by a seed, and tell which changes no test notices.

`make mutants MODULE=_wire/http` makes what this needs: mutmut, whose operators say what a change
may be, and a survey of the tests: which of them runs which line, and for how long. The tests of a
changed line run in a copy of the tree, until one fails or hangs.

Collecting the tests takes longer than most of them, so a process collects all of a module once and
forks for each change, where the functions get the changed code. What runs at import, outside of
functions, needs a process of its own for each change.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue
from types import CodeType, FunctionType
from typing import IO

import libcst
import pytest
from coverage import CoverageData
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parent.parent
COVERAGE = ROOT / ".mutants" / "coverage"
TIMES = ROOT / ".mutants" / "times.json"
SETTINGS = ROOT / ".mutants" / "coveragerc"

MEMORY = 2 * 1024**3
"""Bytes that the tests of a change may take: some changes make a loop that only collects."""
OUTPUT = "tests.txt"
"""Where in its copy of the tree a process writes what pytest prints."""
HANGS = 10
"""A test hangs when it takes so many times as long as it did, and three seconds."""


# -- the tests -------------------------------------------------------------------------------------


class Survey:
    """A plugin that notes how long each test takes."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.times[report.nodeid] = self.times.get(report.nodeid, 0) + report.duration


def survey() -> int:
    """Run all tests and note the lines and the time of each."""
    COVERAGE.parent.mkdir(exist_ok=True)
    os.environ |= {"COVERAGE_FILE": str(COVERAGE), "HYPOTHESIS_PROFILE": "quick"}
    # Branches take ten times the space of lines, and nobody asks for them here.
    SETTINGS.write_text("[run]\nsource = odata_batch\n", "utf-8")
    plugin = Survey()
    coverage = [f"--cov-config={SETTINGS}", "--cov-context=test", "--cov-report="]
    code = pytest.main(["-q", "--numprocesses=2", "--cov", *coverage], plugins=[plugin])
    if code == 0:
        TIMES.write_text(json.dumps(plugin.times), "utf-8")
    return int(code)


class Runs:
    """Which tests run the lines of a module."""

    def __init__(self, path: Path, most: int) -> None:
        self.most = most
        data = CoverageData(str(COVERAGE))
        data.read()
        self.by_line = data.contexts_by_lineno(str(path))
        self.times: dict[str, float] = json.loads(TIMES.read_bytes())
        contexts = {name for names in self.by_line.values() for name in names}
        self.all = {name.rpartition("|")[0] for name in contexts} - {""}

    def of(self, lines: Iterable[int]) -> dict[str, float]:
        contexts = {name for line in lines for name in self.by_line.get(line, ())}
        tests = {name.rpartition("|")[0] for name in contexts} - {""}
        # The shortest come first, but not a thousand rows of one table before all others.
        rows: Counter[str] = Counter()
        places = {}
        for name in sorted(tests, key=lambda name: (self.times[name], name)):
            rows[name.partition("[")[0]] += 1
            places[name] = rows[name.partition("[")[0]] * (0.001 + self.times[name])
        chosen = sorted(tests, key=places.__getitem__)[: self.most]
        return {name: self.times[name] for name in chosen}


# -- the changes -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A module with one change, and the lines whose tests may notice it."""

    number: int
    at_import: bool
    lines: Collection[int]
    """Those of the statement; for what runs at import those which name what it defines, or all."""
    source: str
    diff: str


def places(
    node: libcst.CSTNode, positions: dict[libcst.CSTNode, range], lines: range = range(0)
) -> Iterator[tuple[libcst.CSTNode, range]]:
    """Yield what has an effect when it runs: no annotations, no imports, no names of types."""
    if isinstance(node, libcst.Annotation | libcst.Import | libcst.ImportFrom):
        return
    if isinstance(node, libcst.AnnAssign) and "TypeAlias" in str(node.annotation.annotation):
        return
    if isinstance(node, libcst.Assign) and "value='TypeVar'" in str(node.value):
        return
    yield node, lines
    body = node.body if isinstance(node, libcst.FunctionDef) else None
    for child in node.children:
        inner = positions[child] if child is body else lines
        if inner and isinstance(child, libcst.SimpleStatementLine):
            inner = positions[child]
        elif inner and isinstance(child, libcst.BaseCompoundStatement):
            inner = range(positions[child].start, positions[child.body].start)
        yield from places(child, positions, inner)


def lines_with_names(source: str, diff: str) -> list[int]:
    """Return the lines that name what the changed statement of a module assigns, or all."""
    lines = source.splitlines()
    changed = next(line[1:] for line in diff.splitlines()[3:] if line.startswith("-"))
    index = lines.index(changed)
    while lines[index].startswith((" ", ")", "}")):
        index -= 1
    name = re.match(r"\w+(?=: | = )", lines[index])
    found = [
        number
        for number, line in enumerate(lines, 1)
        if name and line.startswith(" ") and re.search(rf"\b{name[0]}\b", line)
    ]
    return found or [*range(1, len(lines) + 1)]


def mutants_of(path: Path, count: int, seed: int) -> list[Mutant]:
    """Return that many changes of a module, each at a place of its own, in the order drawn."""
    source = path.read_text("utf-8")
    wrapper = MetadataWrapper(libcst.parse_module(source))
    positions = {
        node: range(place.start.line, place.end.line + 1)
        for node, place in wrapper.resolve(PositionProvider).items()
    }
    drawn = random.Random(seed)
    found = list(places(wrapper.module, positions))
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
            mutants.append(
                Mutant(
                    number=len(mutants) + 1,
                    at_import=not lines,
                    lines=lines or lines_with_names(source, diff),
                    source=text,
                    diff=diff,
                )
            )
    return mutants


# -- what becomes of them --------------------------------------------------------------------------


def copy_of_the_tree(directory: Path) -> Path:
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "htmlcov")
    return Path(shutil.copytree(ROOT, directory, ignore=ignored))


class Worker:
    """A process in a copy of the tree that has collected tests, and runs them with a change."""

    def __init__(self, tree: Path, path: Path, tests: Iterable[str]) -> None:
        command = [sys.executable, str(tree / "mutants" / "mutate.py"), "--tests", str(tree / path)]
        self.tree = tree
        self.process = subprocess.Popen(
            command,
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "quick"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(sorted({name.partition("::")[0] for name in tests}))

    def _say(self, message: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def noticed(self, source: str, tests: dict[str, float]) -> str | None:
        """Return the test that notices this source, if one does; "" if it must be there at once."""
        assert self.process.stdout is not None
        # A process that could not collect the tests has ended.
        with suppress(BrokenPipeError):
            self._say([source, tests])
        line = self.process.stdout.readline()
        found: str | None = json.loads(line) if line else "collecting the tests"
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


class Selection:
    """A plugin that runs tests in another process for each change that it is asked about."""

    def __init__(self, path: Path, questions: IO[str], answers: IO[str]) -> None:
        self.path = path
        self.questions = questions
        self.answers = answers

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return False  # they could not be collected, and so everybody is told
        items = {item.nodeid: item for item in session.items}
        running = Path("running.txt").resolve()
        for line in self.questions:
            source, times = json.loads(line)
            running.write_text("", "utf-8")  # in case the code cannot be put in place
            child = os.fork()
            if child == 0:
                try:
                    put_in_place(source, self.path)
                    chosen = [items[name] for name in times if name in items]
                    for item, following in zip_longest(chosen, chosen[1:]):
                        running.write_text(item.nodeid, "utf-8")
                        # In time of its own, because a busy machine makes nothing hang.
                        signal.setitimer(signal.ITIMER_PROF, 3 + HANGS * times[item.nodeid])
                        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                except Exception:
                    with open(OUTPUT, "a", encoding="utf-8") as output:
                        traceback.print_exc(file=output)
                    os._exit(1)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            answer = running.read_text("utf-8") if status else None
            print(json.dumps(answer), file=self.answers, flush=True)
        return True


def codes(source: str, path: Path) -> dict[str, list[CodeType]]:
    """Return what is compiled of a module, by its qualified name, in order."""
    found: dict[str, list[CodeType]] = {}
    todo = [compile(source, str(path), "exec")]
    for code in todo:
        found.setdefault(code.co_qualname, []).append(code)
        todo += [each for each in code.co_consts if isinstance(each, CodeType)]
    return found


def put_in_place(source: str, path: Path) -> None:
    """Give the functions of the module the code that they have in this source."""
    known, changed = codes(path.read_text("utf-8"), path), codes(source, path)
    for each in gc.get_objects():
        # Not `isinstance`, which asks the object: what Django makes lazily fails when it is asked.
        if type(each) is FunctionType and each.__code__.co_filename == str(path):
            name, line = each.__code__.co_qualname, each.__code__.co_firstlineno
            index = [code.co_firstlineno for code in known[name]].index(line)
            each.__code__ = changed[name][index]


def run_tests(path: Path) -> int:
    """Answer about changes of the module, line by line, when the tests have been collected."""
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    files = json.loads(questions.readline())
    arguments = ["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    return int(pytest.main([*arguments, *files], plugins=[Selection(path, questions, answers)]))


def judge(
    module: str, count: int, seed: int, only: Sequence[int], most: int, processes: int
) -> int:
    path = Path("odata_batch", module).with_suffix(".py")
    unchanged = (ROOT / path).read_text("utf-8")
    runs = Runs(ROOT / path, most)
    mutants = mutants_of(ROOT / path, count, seed)
    chosen = [each for each in mutants if not only or each.number in only]
    with tempfile.TemporaryDirectory() as directory:
        workers: SimpleQueue[Worker] = SimpleQueue()
        for number in range(processes):
            workers.put(Worker(copy_of_the_tree(Path(directory, str(number))), path, runs.all))
        # Before anything else: without a change and a test, nothing is noticed.
        for _ in range(processes):
            workers.put(worker := workers.get())
            if worker.noticed(unchanged, {}) is not None:
                output = (worker.tree / OUTPUT).read_text("utf-8")
                sys.exit(f"{output}\nthe tests do not run in a copy of the tree")

        def noticed(mutant: Mutant) -> str | None:
            worker = workers.get()
            try:
                tests = runs.of(mutant.lines)
                if not tests:
                    return None
                found = "" if mutant.at_import else worker.noticed(mutant.source, tests)
                if found != "":
                    return found
                tree = copy_of_the_tree(Path(directory, f"change-{mutant.number}"))
                (tree / path).write_text(mutant.source, "utf-8")
                other = Worker(tree, path, tests)
                found = other.noticed(mutant.source, tests)
                other.close()
                shutil.rmtree(tree)
                return found
            finally:
                workers.put(worker)

        survivors = []
        noticed_by = set()
        with ThreadPoolExecutor(processes) as pool:
            for mutant, test in zip(chosen, pool.map(noticed, chosen), strict=True):
                if test is None:
                    survivors.append(mutant)
                    print(f"{mutant.number} survived:\n{mutant.diff}", flush=True)
                else:
                    noticed_by.add(test)
        # What fails in a copy of the tree in any case has noticed nothing.
        worker = workers.get()
        tests = {name: runs.times[name] for name in sorted(noticed_by & runs.all)}
        failed = worker.noticed(unchanged, tests)
        if failed is not None:
            sys.exit(f"{failed} fails without a change")
        for each in (worker, *(workers.get() for _ in range(processes - 1))):
            each.close()
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
    parser.add_argument("--most", type=int, default=2000, help="how many tests for a change")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--survey", action="store_true", help="run all tests and note their lines")
    parser.add_argument("--tests", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.tests:
        return run_tests(given.tests)
    if given.survey:
        return survey()
    return judge(given.module, given.count, given.seed, given.only, given.most, given.processes)


if __name__ == "__main__":
    sys.exit(main())
