"""Validate captured payloads with Dask, when they outgrow one machine.

    python -m examples.validate_dask captures/*

`validate` is the function that `validate_captures` gives to processes: it takes a name, and what it
returns pickles. So nothing else is needed, be the scheduler a thread, processes or a cluster.
"""

import sys
from collections.abc import Sequence

import dask.bag

from examples.validate_captures import Validated, report, validate


def validate_all(files: Sequence[str], scheduler: str | None = None) -> list[Validated]:
    """Return what is wrong with each file, in their order."""
    bag = dask.bag.from_sequence(files)  # type: ignore[no-untyped-call]  # dask annotates nothing
    results: list[Validated] = bag.map(validate).compute(scheduler=scheduler)
    return results


if __name__ == "__main__":
    print(*report(validate_all(sys.argv[1:])), sep="\n")
