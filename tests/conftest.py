"""Hypothesis profiles, chosen by the environment variable HYPOTHESIS_PROFILE.

`default` is for every run, `quick` is for the second and third Python of a machine, `thorough` is
for an idle hour. No profile has a deadline: under coverage the first example is always slow.
"""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from odata_batch import Dialect

from .helpers import PROFILE, untraced

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

settings.register_profile("default", BASE, max_examples=30)
settings.register_profile("quick", BASE, max_examples=10)
settings.register_profile("thorough", BASE, max_examples=10_000)
settings.load_profile(PROFILE)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name tests alike in every process: sets have no order, what is compressed holds the time."""
    if isinstance(val, Dialect):
        return val.name
    return "many octets" if isinstance(val, bytes) and len(val) > 60 else None


def pytest_collection_finish() -> None:
    """Leave the thousands of tests to themselves when garbage is collected."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Run what others cover untraced, unless it is asked which line each test runs."""
    if item.get_closest_marker("untraced") is None or item.config.getoption("cov_context", None):
        return (yield)
    with untraced():
        return (yield)
