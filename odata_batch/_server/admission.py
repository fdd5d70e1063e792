"""What is executed: a batch that breaks no rule and no quota, and what its identifiers mean."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from odata_batch._checks import batch as rules
from odata_batch._checks.scope import Scope
from odata_batch._coding.settings import Settings
from odata_batch._graph.names import Names
from odata_batch._graph.prepare import prepare
from odata_batch._model import findings
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import LIMIT_EXCEEDED, Severity
from odata_batch._model.limits import Limits
from odata_batch._model.values import (
    NESTED_CHANGE_SET,
    BatchRequest,
    ChangeSet,
    Operation,
    RequestItem,
    Unreadable,
    depth_of,
)
from odata_batch._server.answers import parts_of


class Admitted(NamedTuple):
    """A batch that may be executed."""

    operations: tuple[Operation, ...]
    """The caller's own operations."""
    items: tuple[RequestItem, ...]
    """The items; their operations alone, where change sets are not executed as one."""
    source: tuple[RequestItem, ...]
    """The same with the identifiers that they were sent with."""
    ids: list[str | None]
    """The identifiers of the operations."""
    names: Names
    """The index of `source`."""


def admit(request: BatchRequest, format: Format, settings: Settings) -> Admitted:
    """Raise what `Execution` says, or return what is executed."""
    dialect = settings.dialect
    names = _index(request, format, dialect, settings.limits)
    operations, source = tuple(names.operations), request
    if format == "json":
        # A JSON request names all of its operations; what else is generated was never sent.
        source = prepare(request, format=format, dialect=dialect)
        names = Names(source.items, dialect=dialect)
    ids = [operation.id for operation in names.operations]
    items = request.items
    if not dialect.atomicity_groups:
        items, source = _dissolved(request, dialect).items, _dissolved(source, dialect)
        names = Names(source.items, dialect=dialect)
    # What could not be read is run like a change set without operations: it fails at once.
    items = tuple(ChangeSet(()) if isinstance(each, Unreadable) else each for each in items)
    return Admitted(operations, items, source.items, ids, names)


def _dissolved(request: BatchRequest, dialect: Dialect) -> BatchRequest:
    """Return the operations without the change sets, and nothing that depends on one."""
    names = Names(request.items, dialect=dialect)
    items: list[RequestItem] = []
    for item in request.items:
        for each in parts_of(item):
            if isinstance(each, Operation):
                kept = tuple(name for name in each.depends_on if names.group(name) is None)
                each = replace(each, depends_on=kept)
            items.append(each)
    return replace(request, items=tuple(items))


def _index(request: BatchRequest, format: Format, dialect: Dialect, limits: Limits) -> Names:
    """Return the index; raise for what decoding would have raised for, and for what is too much."""
    if not isinstance(request, BatchRequest):
        raise TypeError(f"request is a BatchRequest, not {type(request).__name__}")
    sizes = [len(item.operations()) for item in request.items if isinstance(item, ChangeSet)]
    counts = {
        "operations": len(request.items) - len(sizes) + sum(sizes),
        "change_sets": len(sizes),
        "change_set_operations": max(sizes, default=0),
        "items": len(request.items),
    }
    for limit, count in counts.items():
        allowed: int = getattr(limits, limit, limits.operations)
        quota: int | None = getattr(dialect, limit, None)
        allowed = allowed if quota is None else min(allowed, quota)
        if count > allowed:
            message = f"limit {limit} is {allowed}, and the batch has {count}"
            found = findings.Diagnostic(LIMIT_EXCEEDED, message, limit=(limit, allowed))
            raise findings.LimitExceeded(found)
    report = findings.Findings(limits, dict(dialect.severities), Severity.ERROR)
    # Values may come from a format of somebody else: they are checked as if nobody had.
    checks = rules.RequestRules(Scope(format, dialect, limits, report, "made"))
    if checks.take(request.items, 0):
        return Names(request.items, dialect=dialect)
    try:
        for index, item in enumerate(request.items):
            depth = depth_of(item) if isinstance(item, ChangeSet) else 0
            if depth > limits.change_set_depth:
                message, path = f"found change sets nested {depth} deep", rules.path_of([index])
                found = findings.Diagnostic(NESTED_CHANGE_SET, message, item.position, path)
                raise findings.DecodeError(found)
            checks.check(item, index)
        checks.finish()
    except findings.Stop:  # a dialect makes light of limits
        raise findings.LimitExceeded(report.diagnostics[-1]) from None
    return checks.names
