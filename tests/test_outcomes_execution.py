"""What `match` says of the answers of `Execution` is what happened, in every combination."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from odata_batch import (
    BatchRequest,
    ChangeSet,
    Commit,
    Dialect,
    Execution,
    Operation,
    OperationResponse,
    Rollback,
    State,
    Step,
    match,
    outcomes,
)
from odata_batch.dialects import PRESETS

from .helpers import FORMATS, Format


def asked(goes_on: bool | None) -> BatchRequest:
    return BatchRequest(
        [
            Operation.get("Ok(1)", id="a"),
            ChangeSet(
                [Operation.patch("Ok(2)", id="b"), Operation.delete("Ok(3)", id="c")], id="g"
            ),
            ChangeSet(
                [Operation.patch("Ok(4)", id="d"), Operation.delete("Bad(5)", id="e")], id="h"
            ),
            Operation.get("Ok(6)", id="f"),
            Operation.get("Bad(7)", id="i"),
            Operation.get("Ok(8)", id="j"),
        ],
        continue_on_error=goes_on,
    )


def executed(execution: Execution) -> dict[int, str]:
    """Run a batch; return what became of its operations, by their indexes."""
    fates: dict[int, str] = {}
    groups: dict[int, list[int]] = {}
    while not execution.finished:
        for work in execution.ready():
            if isinstance(work, Step):
                fails = "Bad" in work.url
                fates[work.index] = "failed" if fails else "applied"
                if work.group is not None:
                    groups.setdefault(work.group, []).append(work.index)
                status = 404 if fails else 200 if work.method == "GET" else 204
                execution.complete(work, OperationResponse(status))
                continue
            if isinstance(work, Rollback):
                undone = [index for index in groups[work.group] if fates[index] == "applied"]
                fates |= dict.fromkeys(undone, "rolled back")
            assert not isinstance(work, Commit) or all(
                fates[index] == "applied" for index in groups[work.group]
            )
            execution.done(work)
    return fates


TOLD: Mapping[str, set[State]] = {
    "applied": {State.SUCCEEDED},
    "failed": {State.FAILED},
    "rolled back": {State.ROLLED_BACK},
    "not run": {State.NOT_EXECUTED},
}


@pytest.mark.parametrize("goes_on", [None, True, False])
@pytest.mark.parametrize("response_format", FORMATS)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dialect", PRESETS.values())
def test_every_outcome_is_what_happened(
    dialect: Dialect, format: Format, response_format: Format, goes_on: bool | None
) -> None:
    if format not in dialect.formats:
        pytest.skip("no such batch is sent")
    items = [*asked(goes_on).items]
    if dialect.transactions == "single":
        items = items[2:3]
    elif dialect.change_set_operations == 1:
        items = [item for item in items if not isinstance(item, ChangeSet)]
    batch = BatchRequest(items, continue_on_error=goes_on)
    execution = Execution(
        batch,
        batch_url="http://host/s/$batch",
        dialect=dialect,
        format=format,
        response_format=response_format,
    )
    fates = executed(execution)
    told = [TOLD[fates.get(index, "not run")] for index in range(len(batch.operations()))]
    result = match(batch, execution.response(), format=format, dialect=dialect)
    payload = execution.payload()
    by_octets = outcomes(batch, 200, payload.headers, payload.body, format=format, dialect=dialect)
    for found in (result, by_octets):
        states = [outcome.state for outcome in found]
        assert all(state in each for state, each in zip(states, told, strict=True)), states
