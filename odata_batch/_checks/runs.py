"""Whether there may be anything to say of many items, beside what each message says of itself.

Most batches are plain: to look at all identifiers and URLs at once takes a fraction of the time
that it takes to look at each. A batch that is not plain may be as good; its items are checked one
by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import cast

from odata_batch._checks import urls
from odata_batch._checks.scope import Scope
from odata_batch._checks.services import checks_for
from odata_batch._graph.expressions import reserved_names
from odata_batch._model.values import (
    ChangeSet,
    ChangeSetResponse,
    Item,
    Operation,
    OperationResponse,
    holds_change_sets,
)
from odata_batch._wire import grammar

_depends_on, _condition = attrgetter("depends_on"), attrgetter("condition")

# Where an absolute URL begins; what is no host is no concern of rules for operations
_ORIGIN = re.compile(r"\nhttps?://[!$&'()*+,\-.0-9:;=@A-Z\[\]_a-z~]*")


def is_plain(items: Sequence[Item], scope: Scope) -> bool:
    """Tell whether there is nothing to fill in or to say of these items, all of a batch."""
    limits, messages = scope.limits, items
    change_sets: list[ChangeSet | ChangeSetResponse] = []
    members: list[Item] = []
    if holds_change_sets(items):
        change_sets = [item for item in items if isinstance(item, ChangeSet | ChangeSetResponse)]
        members = [inner for item in change_sets for inner in item.items]
        sizes = {len(item.items) for item in change_sets}
        if 0 in sizes or max(sizes) > limits.change_set_operations or holds_change_sets(members):
            return False
        messages = [item for item in items if isinstance(item, Operation | OperationResponse)]
        messages += members
    if not 0 < max(len(messages), len(change_sets)) <= limits.operations:
        return False
    if len(items) > limits.items:
        return False
    is_json = scope.format == "json"
    named = (*change_sets, *messages) if is_json else messages
    names = [item.id for item in named if item.id is not None]
    if (is_json and len(names) < len(named)) or (names and not _are_plain_ids(names, scope)):
        return False
    if isinstance(messages[0], Operation):
        return _are_plain_operations(cast("Sequence[Operation]", messages), members, scope)
    statuses = {item.status for item in cast("Sequence[OperationResponse]", messages)}
    return 202 not in statuses and (not members or max(statuses) < 400)


def _are_plain_operations(
    operations: Sequence[Operation], members: Sequence[Item], scope: Scope
) -> bool:
    if checks_for(scope.dialect):
        return False
    if any(map(_depends_on, operations)) or {*map(_condition, operations)} != {None}:
        return False
    if members and scope.format == "multipart":
        if "GET" in {item.method for item in operations} or None in {item.id for item in members}:
            return False
    texts = [item.url for item in operations]
    text = "\n".join(("", *texts))
    if len(text) > scope.limits.url and max({*map(len, texts)}) > scope.limits.url:
        return False
    if ":" in text and scope.format == "multipart" and text.count("\n") == len(texts):
        text = _ORIGIN.sub("\n", text)
        texts = text.split("\n")[1:]
    # A dollar sign there may be a reference, or begin the name of the batch resource.
    return "/$" not in text and "\n$" not in text and urls.are_plain(texts)


def _are_plain_ids(names: Sequence[str], scope: Scope) -> bool:
    text = "\n".join(names)
    lower = text.lower()
    different = {*(names if lower == text else lower.split("\n"))}
    return (
        len(different) == len(names)
        and "" not in different
        and grammar.REQUEST_ID.fullmatch("".join(names)) is not None
        and max({*map(len, names)}) <= scope.limits.id
        and different.isdisjoint(reserved_names(scope.dialect))
    )
