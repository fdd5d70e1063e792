"""Hypothesis profiles, chosen by the environment variable HYPOTHESIS_PROFILE.

`default` is for every run, `quick` is for the second and third Python of a machine, `thorough` is
for an idle hour. No profile has a deadline: under coverage the first example is always slow.
"""

import gc
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import odata_batch

from .helpers import MULTIPART, PROFILE, batch, part, untraced

pytest.register_assert_rewrite("tests.batches")

# What is the same under each Python is for the first one of a machine.
if PROFILE == "quick":
    collect_ignore_glob = [
        *("test_ambient.py", "test_assurance.py", "test_docs.py", "test_examples_*.py"),
        *("test_memory.py", "test_runners.py", "test_site.py", "test_strategies.py"),
        "interop",
    ]

# The parent is named, because Hypothesis chooses another one where it sees a CI server.
BASE = settings(
    settings.get_profile("default"),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)

settings.register_profile("default", BASE, max_examples=20)
settings.register_profile("quick", BASE, max_examples=10)
settings.register_profile("thorough", BASE, max_examples=10_000)
settings.load_profile(PROFILE)


TRACERS = pytest.StashKey[Any]()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name tests alike in every process: sets have no order, what is compressed holds the time."""
    if isinstance(val, odata_batch.Dialect):
        return val.name
    return "many octets" if isinstance(val, bytes) and len(val) > 60 else None


def pytest_collection_finish() -> None:
    """Leave the thousands of tests alone when garbage is collected, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


# What is done once in a process is measured here, for whatever comes first may be untraced.
for module in walk_packages(odata_batch.__path__, "odata_batch."):
    if module.name != "odata_batch.django":  # which is not imported without settings
        import_module(module.name)
odata_batch.check_request(batch(part(b"GET A HTTP/1.1\r\n\r\n")), MULTIPART)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Measure what tests do alone, unless it is asked which line each of them runs."""
    if not session.config.getoption("cov_context", None):
        session.config.stash[TRACERS] = sys.gettrace(), threading.gettrace()
        sys.settrace(None)
        threading.settrace(None)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run a test with what measures coverage, unless others cover all that it does.

    What is generated is not measured, so that coverage does not depend on luck.
    """
    tracers = item.config.stash.get(TRACERS, None)
    if tracers is None or {"untraced", "hypothesis"} & {each.name for each in item.iter_markers()}:
        return (yield)
    with untraced(*tracers):
        return (yield)
