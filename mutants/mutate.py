"""Change modules at places drawn by a seed, and tell which changes no test notices.

`make mutants` makes what this needs: mutmut, whose operators say what a change may be, and a survey
of the tests: which of them runs which line, and for how long. The tests of a changed line run in a
copy of the tree, until one fails or hangs.

Collecting the tests takes longer than most of them, so a process collects all of them once and
forks for each change, where the functions get the changed code. What runs at import, outside of
functions, needs modules imported anew: another process, which has imported pytest alone, forks for
these.

What became of a change is kept in `.mutants/outcomes.jsonl`, until its module changes: a run that
was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import hashlib
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
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import cache_from_source
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue
from types import CodeType, FunctionType
from typing import IO, TypeAlias

import libcst
import pytest
from coverage import CoverageData
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "odata_batch"
COVERAGE = ROOT / ".mutants" / "coverage"
TIMES = ROOT / ".mutants" / "times.json"
OUTCOMES = ROOT / ".mutants" / "outcomes.jsonl"
SETTINGS = ROOT / ".mutants" / "coveragerc"

MEMORY = 2 * 1024**3
"""Bytes that the tests of a change may take: some changes make a loop that only collects."""
OUTPUT = "tests.txt"
"""Where in its copy of the tree a process writes what pytest prints."""
HANGS = 10
"""A test hangs when it takes so many times as long as it did, and three seconds."""
COLLECTING = 300.0
"""Seconds after which collecting tests hangs."""
ALSO = ("test_docs.py", "test_strategies.py")
"""What the quick profile leaves out, and is worth its time here."""
NOT_OF_CODE = ("tests/test_house.py",)
"""Tests that read the package as text, and so notice changes that make no difference."""


def file_of(test: str) -> str:
    return test.partition("::")[0]


# -- the tests -------------------------------------------------------------------------------------


class Collecting:
    """A plugin that has the tests of these files too."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        return False if collection_path.name in ALSO else None


class Survey(Collecting):
    """A plugin that notes how long each test takes."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.times[report.nodeid] = self.times.get(report.nodeid, 0) + report.duration


def survey(processes: int, files: Sequence[str]) -> int:
    """Run all tests, or those of some files again, and note the lines and the time of each."""
    COVERAGE.parent.mkdir(exist_ok=True)
    os.environ |= {"COVERAGE_FILE": str(COVERAGE), "HYPOTHESIS_PROFILE": "quick"}
    # Branches take ten times the space of lines, and nobody asks for them here.
    SETTINGS.write_text("[run]\nsource = odata_batch\n", "utf-8")
    plugin = Survey()
    coverage = [f"--cov-config={SETTINGS}", "--cov-context=test", "--cov-report="]
    if files:
        coverage.append("--cov-append")
        plugin.times = json.loads(TIMES.read_bytes())
        plugin.times = {n: t for n, t in plugin.times.items() if file_of(n) not in files}
    arguments = ["-q", f"--numprocesses={processes}", "--cov", *coverage, *files]
    code = pytest.main(arguments, plugins=[plugin])
    if code == 0:
        TIMES.write_text(json.dumps(plugin.times), "utf-8")
    return int(code)


class Runs:
    """Which tests run the lines of the package."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.data = CoverageData(str(COVERAGE))
        self.data.read()
        self.by_line = cache(self.data.contexts_by_lineno)
        times: dict[str, float] = json.loads(TIMES.read_bytes())
        self.times = {
            name: time for name, time in times.items() if file_of(name) not in NOT_OF_CODE
        }

    def of(self, path: Path, lines: Iterable[int]) -> dict[str, float]:
        by_line = self.by_line(str(path))
        contexts = {name for line in lines for name in by_line.get(line, ())}
        tests = {name.rpartition("|")[0] for name in contexts} & self.times.keys()
        return self._first_of(tests)

    def of_all(self) -> dict[str, float]:
        return self._first_of(self.times)

    def _first_of(self, tests: Iterable[str]) -> dict[str, float]:
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

    module: str
    seed: int
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
            block = child.cases[0] if isinstance(child, libcst.Match) else child.body
            inner = range(positions[child].start, positions[block].start)
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


def path_of(module: str) -> Path:
    return Path(PACKAGE, f"{module}.py")


def all_modules() -> list[str]:
    folder = ROOT / PACKAGE
    modules = (path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py"))
    return sorted(each.as_posix() for each in modules if each.parts[0] != "_cli")


def mutants_of(module: str, count: int, seed: int) -> list[Mutant]:
    """Return that many changes of a module, each at a place of its own, in the order drawn."""
    name = path_of(module).as_posix()
    source = (ROOT / name).read_text("utf-8")
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
            new_module = wrapper.module.deep_replace(node, drawn.choice(changed))
            assert isinstance(new_module, libcst.Module)
            text = new_module.code
            lines_of_diff = difflib.unified_diff(
                source.splitlines(True), text.splitlines(True), name, name, n=1
            )
            diff = "".join(lines_of_diff)
            mutants.append(
                Mutant(
                    module=module,
                    seed=seed,
                    number=len(mutants) + 1,
                    at_import=not lines,
                    lines=lines or lines_with_names(source, diff),
                    source=text,
                    diff=diff,
                )
            )
    return mutants


# -- what becomes of them --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a change of a module with this digest."""

    module: str
    digest: str
    seed: int
    number: int
    test: str | None
    """The one that noticed it, if one did."""
    hung: bool
    diff: str

    @property
    def key(self) -> tuple[str, str, int, int]:
        return self.module, self.digest, self.seed, self.number


def digest_of(module: str) -> str:
    return hashlib.sha256((ROOT / path_of(module)).read_bytes()).hexdigest()[:12]


def known_outcomes() -> dict[tuple[str, str, int, int], Outcome]:
    lines = OUTCOMES.read_text("utf-8").splitlines() if OUTCOMES.exists() else []
    return {each.key: each for each in (Outcome(**json.loads(line)) for line in lines)}


def copy_of_the_tree(directory: Path) -> Path:
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "htmlcov")
    return Path(shutil.copytree(ROOT, directory, ignore=ignored))


Answer: TypeAlias = tuple[str | None, bool]
"""The test that noticed a change, if one did, and whether it hung."""


class Process:
    """A process in a copy of the tree that forks for each change."""

    def __init__(self, tree: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(tree / "mutants" / "mutate.py"), "--answer", *arguments],
            cwd=tree,
            env=os.environ | {"PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "quick"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *question: object) -> Answer:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        # A process that could not collect the tests has ended.
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        return tuple(json.loads(line)) if line else ("collecting the tests", False)

    def close(self) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()


class Worker:
    """A copy of the tree, with a process that has collected the tests and one that has not."""

    def __init__(self, directory: Path, files: Collection[str]) -> None:
        self.tree = copy_of_the_tree(directory)
        self.collected = Process(self.tree, *sorted(files))
        self.fresh = Process(self.tree)

    def noticed(
        self, module: str, source: str, tests: dict[str, float], *, at_import: bool = False
    ) -> Answer:
        path = self.tree / path_of(module)
        unchanged = path.read_text("utf-8")
        # Programs that tests start have the change too.
        self._write(path, source)
        answer: Answer = ("", False)
        if not at_import:
            answer = self.collected.ask(str(path), unchanged, source, tests)
        if answer[0] == "":
            # The file with the most of them first, which mostly is enough.
            files = Counter(map(file_of, tests))
            first = max(files, key=files.__getitem__)
            answer = (None, False)
            for group in ([first], [*(files.keys() - {first})]):
                if group and answer[0] is None:
                    some = {name: tests[name] for name in tests if file_of(name) in group}
                    answer = self.fresh.ask(group, some)
        self._write(path, unchanged)
        return answer

    def _write(self, path: Path, source: str) -> None:
        path.write_text(source, "utf-8")
        # What is compiled is told from its source by size and second alone.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)

    def close(self) -> None:
        self.collected.close()
        self.fresh.close()


class Noticing(Collecting):
    """A plugin that ends the process when a test fails."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os._exit(1)


class Selection(Noticing):
    """A plugin that runs tests in another process for each change that it is asked about."""

    def __init__(self, questions: IO[str], answers: IO[str]) -> None:
        self.questions = questions
        self.answers = answers

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        # What the tests have frozen is not listed.
        gc.unfreeze()
        # Not `isinstance`, which asks the object: what Django makes lazily fails when it is asked.
        functions = [each for each in gc.get_objects() if type(each) is FunctionType]
        package = str(Path(PACKAGE).resolve())
        functions = [each for each in functions if each.__code__.co_filename.startswith(package)]
        gc.freeze()
        if session.testsfailed or not functions:
            return False  # there is nothing to run, or to change, and so everybody is told
        for line in self.questions:
            path, unchanged, source, times = json.loads(line)

            def run(
                path: str = path,
                unchanged: str = unchanged,
                source: str = source,
                times: dict[str, float] = times,
            ) -> None:
                put_in_place(functions, path, unchanged, source)
                run_in_order(items, times)

            print(json.dumps(in_a_fork(run)), file=self.answers, flush=True)
        return True


class Alone(Noticing):
    """A plugin that runs tests in an order of their own."""

    def __init__(self, times: dict[str, float]) -> None:
        self.times = times

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            os._exit(1)
        run_in_order({item.nodeid: item for item in session.items}, self.times)
        os._exit(0)


RUNNING = "running.txt"
"""Where a process writes which test it runs."""


def in_a_fork(run: Callable[[], object]) -> Answer:
    running = Path(RUNNING).resolve()
    running.write_text("", "utf-8")
    child = os.fork()
    if child == 0:
        try:
            os.dup2(1, 2)  # what could not be imported is told there
            run()
        except BaseException:
            with open(OUTPUT, "a", encoding="utf-8") as output:
                traceback.print_exc(file=output)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    hung = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM)
    return running.read_text("utf-8") if status else None, hung


def limit(seconds: float) -> None:
    # In time of its own, because a busy machine makes nothing hang; but what waits takes none.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 60 + 10 * seconds)


def run_in_order(items: dict[str, pytest.Item], times: dict[str, float]) -> None:
    running = Path(RUNNING).resolve()
    chosen = [items[name] for name in times if name in items]
    for item, following in zip_longest(chosen, chosen[1:]):
        running.write_text(item.nodeid, "utf-8")
        limit(3 + HANGS * times[item.nodeid])
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def codes(source: str, path: str) -> dict[str, list[CodeType]]:
    """Return what is compiled of a module, by its qualified name, in order."""
    found: dict[str, list[CodeType]] = {}
    todo = [compile(source, path, "exec")]
    for code in todo:
        found.setdefault(code.co_qualname, []).append(code)
        todo += [each for each in code.co_consts if isinstance(each, CodeType)]
    return found


def put_in_place(functions: Iterable[FunctionType], path: str, unchanged: str, source: str) -> None:
    """Give the functions of the module the code that they have in this source."""
    known, changed = codes(unchanged, path), codes(source, path)
    for each in functions:
        if each.__code__.co_filename == path:
            name, line = each.__code__.co_qualname, each.__code__.co_firstlineno
            index = [code.co_firstlineno for code in known[name]].index(line)
            each.__code__ = changed[name][index]


def run_tests(files: Sequence[str]) -> int:
    """Answer about changes line by line: when these tests have been collected, or collecting."""
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    arguments = ["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    if files:
        return int(pytest.main([*arguments, *files], plugins=[Selection(questions, answers)]))
    for line in questions:
        group, times = json.loads(line)

        def run(group: list[str] = group, times: dict[str, float] = times) -> None:
            limit(COLLECTING)
            sys.exit(pytest.main([*arguments, *group], plugins=[Alone(times)]))

        answer = in_a_fork(run)
        noticed = "collecting the tests" if answer[0] == "" else answer[0]
        print(json.dumps((noticed, answer[1])), file=answers, flush=True)
    return 0


def judge(mutants: Sequence[Mutant], runs: Runs, processes: int) -> None:
    """Write what becomes of these changes after what is known already."""
    digests = {module: digest_of(module) for module in {each.module for each in mutants}}
    any_module = mutants[0].module
    unchanged = (ROOT / path_of(any_module)).read_text("utf-8")
    files = {file_of(name) for name in runs.times}
    with tempfile.TemporaryDirectory() as directory, OUTCOMES.open("a", encoding="utf-8") as kept:
        workers: SimpleQueue[Worker] = SimpleQueue()
        for number in range(processes):
            workers.put(Worker(Path(directory, str(number)), files))
        # Before anything else: without a change and a test, nothing is noticed.
        for _ in range(processes):
            workers.put(worker := workers.get())
            if worker.collected.ask(any_module, unchanged, unchanged, {})[0] is not None:
                output = (worker.tree / OUTPUT).read_text("utf-8")
                sys.exit(f"{output}\nthe tests do not run in a copy of the tree")

        def noticed(mutant: Mutant) -> Outcome:
            worker = workers.get()
            path = ROOT / path_of(mutant.module)
            # What was run at import, by no test, all have.
            own = runs.of(path, mutant.lines)
            at_import = mutant.at_import or not own
            while tests := {**own, **runs.of_all()} if at_import else own:
                test, hung = worker.noticed(
                    mutant.module, mutant.source, tests, at_import=at_import
                )
                if test not in runs.times or test in proven:
                    break
                # What fails in a copy of the tree in any case has noticed nothing.
                source = (ROOT / path_of(mutant.module)).read_text("utf-8")
                if worker.noticed(mutant.module, source, {test: runs.times[test]})[0] is None:
                    proven.add(test)
                    break
                print(f"{test} fails without a change, and is left out", flush=True)
                del runs.times[test]
                own = runs.of(path, mutant.lines)
            else:
                test, hung = None, False
            workers.put(worker)
            return Outcome(
                module=mutant.module,
                digest=digests[mutant.module],
                seed=mutant.seed,
                number=mutant.number,
                test=test,
                hung=hung,
                diff=mutant.diff,
            )

        proven: set[str] = set()
        with ThreadPoolExecutor(processes) as pool:
            for number, outcome in enumerate(pool.map(noticed, mutants), 1):
                kept.write(json.dumps(asdict(outcome)) + "\n")
                kept.flush()
                became = "survived" if outcome.test is None else f"was noticed by {outcome.test}"
                said = f"{number} of {len(mutants)}: {outcome.module} {outcome.number} {became}"
                print(said, flush=True)
        for _ in range(processes):
            workers.get().close()


def report(outcomes: Sequence[Outcome]) -> None:
    """Print what survived, and a row for each folder and each module."""
    for each in outcomes:
        if each.test is None:
            print(f"{each.module} {each.number} survived:\n{each.diff}")
    folders: dict[str, list[Outcome]] = {}
    for each in outcomes:
        folder, _, _ = each.module.rpartition("/")
        folders.setdefault(folder or "(flat modules)", []).append(each)
    for each in outcomes:
        folders.setdefault(each.module, []).append(each)
    print("| folder or module | changes | noticed | of these hung | survived | per cent |")
    print("|---|---|---|---|---|---|")
    for name, some in [*folders.items(), ("all", [*outcomes])]:
        noticed = sum(each.test is not None for each in some)
        hung = sum(each.hung for each in some)
        share = f"{100 * noticed / len(some):.1f}"
        print(f"| `{name}` | {len(some)} | {noticed} | {hung} | {len(some) - noticed} | {share} |")


def main() -> int:
    parser = argparse.ArgumentParser(description="Change modules and see which tests notice.")
    parser.add_argument("modules", nargs="*", help="as in _wire/http; all but those of _cli")
    parser.add_argument("--count", type=int, default=15, help="how many places of each")
    parser.add_argument("--seed", type=int, default=1, help="which places")
    parser.add_argument("--only", type=int, nargs="*", default=(), help="numbers of changes")
    parser.add_argument("--again", action="store_true", help="judge anew what survived")
    parser.add_argument("--report", action="store_true", help="tell what is known, judge nothing")
    parser.add_argument("--most", type=int, default=2000, help="how many tests for a change")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--survey", nargs="*", metavar="FILE", help="note the lines of tests (all)")
    parser.add_argument("--answer", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.answer is not None:
        return run_tests(given.answer)
    if given.survey is not None:
        code = survey(given.processes, given.survey)
        # The processes of pytest-xdist have no plugin of ours; they run what is named.
        also = [] if code or given.survey else [f"tests/{name}" for name in ALSO]
        return survey(given.processes, also) if also else code
    modules = given.modules or all_modules()
    wanted = range(1, given.count + 1)

    def keys() -> list[tuple[str, str, int, int]]:
        digests = {module: digest_of(module) for module in modules}
        # A few of each before more of any, for who stops this early.
        return [
            (module, digests[module], given.seed, number) for number in wanted for module in modules
        ]

    known = known_outcomes()
    missing = [
        key
        for key in keys()
        if (not given.only or key[3] in given.only)
        and (key not in known or (given.again and known[key].test is None))
    ]
    if missing and not given.report:
        made = {
            (module, each.number): each
            for module in {key[0] for key in missing}
            for each in mutants_of(module, given.count, given.seed)
        }
        # A small module has fewer places.
        mutants = [made[module, n] for module, _, _, n in missing if (module, n) in made]
        if mutants:
            judge(mutants, Runs(given.most), given.processes)
    known = known_outcomes()
    report([known[key] for key in sorted(keys()) if key in known])
    return 0


if __name__ == "__main__":
    sys.exit(main())
