"""What the tests with other programs share: the programs, and the table of `docs/interop.md`.

The table is written if INTEROP_TABLE is set and every one of these tests ran and passed. Messages
of peers are kept in the directory that INTEROP_CAPTURE names. What is installed with npm is looked
for below INTEROP_NODE, by default `.interop` in the checkout; Python packages in the environment
that runs the tests.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "interop.md"
INSTALLED = Path(os.environ.get("INTEROP_NODE", ROOT / ".interop")).resolve()
ABSENT = "is not installed; `make interop` installs it"
HEAD = """\
# Programs that this library was run against

`make interop` writes this page. Each row is a test of `tests/interop/`, in which a program, as it
is published, talks to this library over loopback: a client to `odata_batch.asgi`, or a
server to requests that this library wrote. "match agrees" means that every operation that `match`
takes for successful was found in the database, and no other. Findings are the [rules](rules.md)
that messages of the program break, under the dialect that fits it, and what else it does not get
right; the tests assert each of them.

| program | version | its part | what was exchanged | result | findings |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One exchange with a peer."""

    peer: str
    version: str
    role: str
    exchanged: str
    result: str
    findings: tuple[str, ...]

    def __str__(self) -> str:
        findings = "; ".join(map(_linked, self.findings)) or "none"
        cells = (self.peer, self.version, self.role, self.exchanged, self.result, findings)
        return f"| {' | '.join(cells)} |"


def _linked(finding: str) -> str:
    is_rule = re.fullmatch("[a-z0-9-]+", finding)
    return f"[{finding}](rules.md#{finding})" if is_rule else finding


@dataclass(frozen=True)
class Table:
    """The rows by test, in the order of the tests."""

    rows: dict[str, Row] = field(default_factory=dict)
    test: str = ""

    def add(
        self, peer: str, version: str, role: str, exchanged: str, result: str, *findings: str
    ) -> None:
        """Say what a test exchanged with whom, how it ended, and what is not right."""
        self.rows[self.test] = Row(peer, version, role, exchanged, result, findings)


TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the table."""
    config.stash[TABLE] = Table()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the table, if it was asked for and is whole."""
    if not os.environ.get("INTEROP_TABLE"):
        return
    table = session.config.stash[TABLE]
    items = [item for item in session.items if HERE in item.path.parents]
    chosen = session.config.option.keyword or set(HERE.glob("test_*.py")) != {
        item.path for item in items
    }
    if exitstatus or chosen or {item.nodeid for item in items} != set(table.rows):
        print(f"\n{PAGE.name} is left as it is: not every test ran and passed")
        return
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    foot = f"\nRun with Python {platform.python_version()} and Node {node.stdout.strip()[1:]}.\n"
    peers = list(dict.fromkeys(row.peer for row in table.rows.values()))
    rows = sorted(table.rows.values(), key=lambda row: peers.index(row.peer))
    PAGE.write_text(HEAD + "".join(f"{row}\n" for row in rows) + foot, "utf-8")


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """The table, to which every test adds its row."""
    return Table(request.config.stash[TABLE].rows, request.node.nodeid)


def keep(name: str, message: bytes) -> None:
    """Keep a message as a file, if that was asked for."""
    directory = os.environ.get("INTEROP_CAPTURE")
    if directory is not None:
        Path(directory, f"{name}.http").write_bytes(message)


def python_peer(distribution: str, *modules: str) -> tuple[str, list[ModuleType]]:
    """Return the version of a Python package and some of its modules, or skip the test."""
    try:
        version = platform.python_version()
        if distribution not in sys.stdlib_module_names:
            version = importlib.metadata.version(distribution)
        return version, [importlib.import_module(module) for module in modules]
    except ImportError as error:
        pytest.skip(f"{distribution} {ABSENT} ({error})")


@dataclass(frozen=True)
class NodePackages:
    """A directory of packages, and the scripts that use them."""

    directory: Path

    def version(self, package: str) -> str:
        """Return the version of a package that is installed."""
        manifest = self.directory / "node_modules" / package / "package.json"
        return str(json.loads(manifest.read_bytes())["version"])

    def run(self, script: str, *arguments: str) -> object:
        """Return the JSON that a script prints; what it prints in plain words is the failure."""
        command = ["node", str(HERE / "node" / script), str(self.directory), *arguments]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def answers(self, script: str, name: str, asked: Iterable[object]) -> list[Any]:
        """Return what a script prints about each of these values: JSON, a line for each."""
        command = ["node", str(HERE / "node" / script), str(self.directory), name]
        lines = "\n".join(map(json.dumps, asked)).encode()
        done = subprocess.run(command, input=lines, capture_output=True, check=True)
        return list(map(json.loads, done.stdout.splitlines()))


def node_packages(name: str, package: str) -> NodePackages:
    """Return what is installed under that name, or skip the test."""
    packages = NodePackages(INSTALLED / name)
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    if not (packages.directory / "node_modules" / package / "package.json").exists():
        pytest.skip(f"{package} {ABSENT}")
    return packages


@dataclass(frozen=True)
class Server:
    """A server that runs, with the packages that it is made of."""

    port: int
    packages: NodePackages


@pytest.fixture(scope="session")
def cap() -> Iterator[Server]:
    """A CAP server with an empty database in memory; it ends with the session."""
    packages = node_packages("cap", "@sap/cds")
    script = ["@sap/cds/bin/serve.js", "all", "--in-memory"]
    yield from _running(packages, script, r"server listening on .*localhost:(\d+)", PORT="0")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Server]:
    """Azure Tables of the account "account", whose key is "key", in memory."""
    packages = node_packages("peers", "azurite")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])  # that of a server started on port 0 is not told
    options = ["--inMemoryPersistence", "--disableTelemetry", "--tablePort", port]
    script = ["azurite/dist/src/table/main.js", *options]
    ready = r"successfully started on 127.0.0.1:(\d+)"
    yield from _running(packages, script, ready, AZURITE_ACCOUNTS="account:a2V5")


def _running(
    packages: NodePackages, script: list[str], ready: str, **environment: str
) -> Iterator[Server]:
    with subprocess.Popen(
        ["node", str(packages.directory / "node_modules" / script[0]), *script[1:]],
        cwd=packages.directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Server(_port(process, ready), packages)
        finally:
            process.kill()


def _port(process: subprocess.Popen[str], ready: str) -> int:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if found := re.search(ready, line):
            # Nobody wants to know the rest, but a server whose output nobody reads comes to a halt.
            Thread(target=process.stdout.read, daemon=True).start()
            return int(found[1])
    pytest.fail("the server did not start:\n" + "".join(lines))
