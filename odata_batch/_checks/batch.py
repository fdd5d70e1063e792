"""What the standards ask of a batch as a whole; values in, diagnostics out.

Decoders hand every item to `RequestRules` or `ResponseRules` as it is completed, and call `finish`
after the last; encoders do the same before they write. What can be known of an item alone, or of
it and those before it, is reported with it; what needs the rest of the batch is reported at the
end. All work is linear in the number of operations and dependencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from odata_batch._checks.messages import MessageRules, Messages, Scope
from odata_batch._checks.services import Served, checks_for
from odata_batch._graph.expressions import ETAG_FIELDS, references_outside_body
from odata_batch._graph.names import Names, key_of
from odata_batch._graph.urls import reference_in
from odata_batch._model.findings import Diagnostic, exceed, quote
from odata_batch._model.headers import names_of
from odata_batch._model.rules import Rule, Severity
from odata_batch._model.values import (
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    RequestItem,
    ResponseItem,
)
from odata_batch._wire import grammar

_Item = TypeVar("_Item", RequestItem, ResponseItem)
_Contra = TypeVar("_Contra", contravariant=True)
_SHOWN_OF_A_CIRCLE = 8


class _Walk:
    """Where in the batch the rules are: what is counted, and the path of the item at hand."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._indexes: list[int] = []
        self._position: int | None = None
        self._operations = 0
        self._change_sets = 0

    def say(self, rule: Rule, message: str) -> None:
        self.scope.report(Diagnostic(rule, message, self._position, path_of(self._indexes)))

    def _enter(self, indexes: list[int], position: int | None) -> None:
        self._indexes = indexes
        self._position = position

    def _count(self, operations: int, change_sets: int) -> None:
        """Count an item of so many operations, which is a change set or not."""
        limits = self.scope.limits
        self._operations += operations
        self._change_sets += change_sets
        if change_sets and operations > limits.change_set_operations:
            exceed(self.scope.report, limits, "change_set_operations", self._position)
        if self._operations > limits.operations or self._change_sets > limits.operations:
            exceed(self.scope.report, limits, "operations", self._position)


def path_of(indexes: list[int]) -> str:
    """Return the path of the item with these indexes, as in `items[2].items[0]`."""
    return ".".join(f"items[{index}]" for index in indexes)


@dataclass(frozen=True, slots=True)
class _Pending:
    """A name that was not known when it was used, and what used it, in words."""

    name: str
    use: str
    source: int
    indexes: list[int]
    unknown: Rule


class Rules(Protocol[_Contra]):
    """What decoding and encoding need of the rules, whatever the role."""

    def check(self, item: _Contra, index: int) -> None:
        """Check an item, whose index is given."""

    def finish(self) -> None:
        """Check what needs the whole batch."""


class RequestRules(_Walk):
    """Applies the rules to the items of one batch request, in order."""

    def __init__(self, scope: Scope, rules: MessageRules[Operation]) -> None:
        super().__init__(scope)
        self._rules = rules
        self._check_message = Messages(rules, scope, self.say).check
        self._names = Names(dialect=scope.dialect)
        self._spellings: dict[str, str] = {}
        self._dependencies = 0
        self._pending: list[_Pending] = []
        severity = dict(scope.dialect.severities).get(Rule.REFERENCE_ACROSS_CHANGE_SETS)
        # Where it is more than a note, a reference stays in its change set and leads to a member.
        self._within_change_sets = severity is not None and severity > Severity.NOTE
        self._service_checks = checks_for(scope.dialect)
        self._served = Served(scope, self.say, self._names)

    def check(self, item: RequestItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        source = len(self._names.operations)
        self._names.add(item)
        self._enter([index], item.position)
        self._count(len(self._names.operations) - source, isinstance(item, ChangeSet))
        for indexes, inner in _inside(item, [index]):
            self._enter(indexes, inner.position)
            if isinstance(inner, Operation):
                self._check_operation(inner, source)
                source += 1
            else:
                for rule in self._rules.change_set:
                    rule(inner, self.scope, self.say)
        if isinstance(item, ChangeSet) and item.id is not None:
            self._enter([index], item.position)
            self._check_group_name(item.id)

    def finish(self) -> None:
        """Report the names that the whole batch does not hold, or only further on."""
        names = self._names
        for pending in self._pending:
            self._enter(pending.indexes, names.operations[pending.source].position)
            target = names.find(pending.name, names.item_of[pending.source])
            is_dependency = pending.unknown is Rule.DEPENDS_ON_UNKNOWN
            is_group = is_dependency and names.group(pending.name) is not None
            if target is None and not is_group:
                self.say(pending.unknown, f"{pending.use}, which no request has as its id")
            elif target is None or not self._comes_before(target, pending.source):
                rule = Rule.DEPENDS_ON_FORWARD if is_dependency else Rule.REFERENCE_FORWARD
                self.say(rule, f"{pending.use}, which comes later in the batch")
        # Where everything refers backward there is no circle, so few batches come here.
        for cycle in names.cycles() if self._pending else ():
            operations = [names.operations[node] for node in cycle]
            if len(operations) > 1:
                self._enter(self._path_of(cycle[0]), operations[0].position)
                self.say(Rule.DEPENDS_ON_CYCLE, _circle(operations))

    def _path_of(self, source: int) -> list[int]:
        item = self._names.item_of[source]
        found = _inside(self._names.items[item], [item])
        operations = [indexes for indexes, inner in found if isinstance(inner, Operation)]
        return operations[source - self._names.members[item].start]

    def _comes_before(self, target: int, source: int) -> bool:
        """Tell whether the payload says so; a group that is split is collected at its first member.

        What is written stands in the order of the items, wherever they were found.
        """
        first, second = (self._names.operations[index].position for index in (target, source))
        return self._rules.placed and first is not None and second is not None and first < second

    def _check_operation(self, item: Operation, source: int) -> None:
        self._check_message(item)
        if self.scope.format == "multipart" and self._names.change_set(source) is not None:
            if item.method == "GET":
                self.say(Rule.GET_IN_CHANGE_SET, f"found GET {quote(item.url)} in a change set")
            if item.id is None:
                message = f"{item.method} {quote(item.url)} in a change set has no Content-ID"
                self.say(Rule.CONTENT_ID_MISSING, message)
        if item.depends_on:
            self._check_dependencies(item, source)
        if "$" in item.url:
            self._check_url(item, source)
        has_etags = not ETAG_FIELDS.isdisjoint(names_of(item.headers))
        if item.condition is not None or (
            has_etags and any("$" in value for _, value in item.headers.pairs)
        ):
            self._check_other_references(item, source)
        if item.id is not None:
            self._check_id(item.id, source)
        for check in self._service_checks:
            check(item, source, self._served)

    def _known(self, name: str, source: int) -> int | None:
        """Return the operation that a name stands for, if it comes before this one."""
        target = self._names.find(name, self._names.item_of[source])
        return None if target is None or target >= source else target

    # -- identifiers and names of groups --

    def _check_id(self, id: str, source: int) -> None:
        names = self._names
        named = names.named(id)
        first = self._known(id, source) if len(named) > 1 else None
        if first is None and named[0] < source:
            first = named[0]
        group = names.group(id)
        if first is not None and names.operations[first].id == id:
            position = names.operations[first].position
            where = "" if position is None else f", first at byte {position}"
            sets = {names.change_set(first), names.change_set(source)}
            apart = len(sets) == 2 and None not in sets and self.scope.format == "multipart"
            rule = Rule.DUPLICATE_ID_ACROSS_CHANGE_SETS if apart else Rule.DUPLICATE_ID
            self.say(rule, f"the id {quote(id)} is used twice{where}")
        elif group is not None and group != names.item_of[source]:
            self.say(Rule.ID_EQUALS_GROUP, f"the id {quote(id)} is also the name of a group")
        other = self._spellings.setdefault(id.lower(), id)
        if other != id and not self.scope.dialect.ids_ignore_case:
            self.say(Rule.ID_CASE, f"the ids {quote(other)} and {quote(id)} differ in case alone")

    def _check_group_name(self, name: str) -> None:
        if self._names.group(name) != len(self._names.items) - 1:
            self.say(Rule.DUPLICATE_ID, f"the group name {quote(name)} is used twice")
        elif self._names.named(name):
            self.say(Rule.ID_EQUALS_GROUP, f"the group name {quote(name)} is also an id")

    # -- dependencies and references --

    def _suspend(self, name: str, use: str, source: int, unknown: Rule) -> None:
        self._pending.append(_Pending(name, use, source, self._indexes, unknown))

    def _check_dependencies(self, item: Operation, source: int) -> None:
        self._dependencies += len(item.depends_on)
        if self._dependencies > self.scope.limits.depends_on:
            exceed(self.scope.report, self.scope.limits, "depends_on", self._position)
        names = self._names
        depends_on = {names.key(name) for name in item.depends_on}
        own_id = None if item.id is None else names.key(item.id)
        group = names.group_of(source)
        own_group = None if group is None else names.key(group)
        for name in dict.fromkeys(item.depends_on):
            if names.key(name) == own_id:
                self.say(Rule.DEPENDS_ON_SELF, f"{quote(name)} depends on itself")
            elif names.key(name) == own_group:
                self.say(Rule.DEPENDS_ON_OWN_GROUP, f"depends on its own group {quote(name)}")
            elif names.group(name) is not None:
                continue
            elif (target := self._known(name, source)) is None:
                use = f"{_name_of(item)} depends on {quote(name)}"
                self._suspend(name, use, source, Rule.DEPENDS_ON_UNKNOWN)
            elif names.item_of[target] != names.item_of[source]:
                needed = names.group_of(target)
                if needed is not None and names.key(needed) not in depends_on:
                    message = f"depends on {quote(name)}, but not on its group {quote(needed)}"
                    self.say(Rule.DEPENDS_ON_GROUP_MISSING, message)

    def _check_url(self, item: Operation, source: int) -> None:
        reference = reference_in(item.url, self.scope.dialect)
        if reference is not None:
            self._check_reference(reference.id, item, source)
            return
        if self.scope.dialect.references == "none":
            return  # none is resolved, wherever it stands
        for name in grammar.INNER_DOLLAR_SEGMENT.findall(item.url.partition("?")[0]):
            if any(index < source for index in self._names.named(name)[:1]):
                message = f"URL {quote(item.url)} does not begin with ${name}; it refers to nothing"
                self.say(Rule.REFERENCE_NOT_FIRST, message)

    def _check_reference(self, name: str, item: Operation, source: int) -> None:
        names, url = self._names, quote(item.url)
        if item.id is not None and names.key(name) == names.key(item.id):
            self.say(Rule.REFERENCE_FORWARD, f"URL {url} refers to the request itself")
            return
        use = f"URL {url} refers to {quote(name)}"
        if self.scope.format == "json" and not self._is_named(name, item):
            self.say(Rule.REFERENCE_DEPENDENCY_MISSING, f"{use}, dependsOn does not name it")
        target = self._known(name, source)
        if target is None:
            self._suspend(name, use, source, Rule.REFERENCE_UNKNOWN)
            return
        if self.scope.format == "multipart":
            change_set = names.change_set(target)
            if change_set is not None and change_set != names.change_set(source):
                message = f"URL {url} refers to a request in another change set"
                self.say(Rule.REFERENCE_ACROSS_CHANGE_SETS, message)
            elif change_set is None and self._within_change_sets:
                message = f"URL {url} refers to a request outside of change sets"
                self.say(Rule.REFERENCE_ACROSS_CHANGE_SETS, message)
        if names.operations[target].method == "DELETE":
            message = f"URL {url} refers to a DELETE, which returns no entity"
            self.say(Rule.REFERENCE_TARGET, message)

    def _check_other_references(self, item: Operation, source: int) -> None:
        if item.condition is not None and not item.depends_on:
            message = "there is a condition, and no dependency that it could be about"
            self.say(Rule.CONDITION_DEPENDENCY_MISSING, message)
        for reference in references_outside_body(item, self.scope.dialect):
            name, place = reference.id, reference.place
            if place in ETAG_FIELDS and self._known(name, source) is None:
                message = f"{place} refers to {quote(name)}, no request before has this id"
                self.say(Rule.ETAG_REFERENCE_UNKNOWN, message)
            elif place == "condition" and item.depends_on and not self._is_named(name, item):
                message = f"the condition refers to {quote(name)}, dependsOn does not name it"
                self.say(Rule.CONDITION_DEPENDENCY_MISSING, message)

    def _is_named(self, name: str, item: Operation) -> bool:
        key = self._names.key
        return name in item.depends_on or key(name) in map(key, item.depends_on)


def _inside(item: _Item, indexes: list[int]) -> Iterator[tuple[list[int], _Item]]:
    """Yield an item and all that it holds, in order, with their indexes."""
    yield indexes, item
    if isinstance(item, ChangeSet | ChangeSetResponse):
        for index, inner in enumerate(item.items):
            yield from _inside(inner, [*indexes, index])


def _circle(operations: Sequence[Operation]) -> str:
    first, *others = map(_name_of, operations)
    if len(others) > _SHOWN_OF_A_CIRCLE:
        others[_SHOWN_OF_A_CIRCLE:] = [f"{len(others) - _SHOWN_OF_A_CIRCLE} more"]
    return f"{first} depends on {', which depends on '.join([*others, first])}"


def _name_of(item: Operation) -> str:
    return f"{item.method} {quote(item.url)}" if item.id is None else quote(item.id)


class ResponseRules(_Walk):
    """Applies the rules to the items of one batch response, in order."""

    def __init__(self, scope: Scope, rules: MessageRules[OperationResponse]) -> None:
        super().__init__(scope)
        self._rules = rules
        self._check_message = Messages(rules, scope, self.say).check
        self._key = key_of(scope.dialect)
        self._ids: dict[str, int | None] = {}
        self._groups: set[str] = set()
        self._accepted: tuple[list[int], int | None] | None = None

    def check(self, item: ResponseItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        if self._accepted is not None:
            self._enter(*self._accepted)
            self._accepted = None
            self.say(Rule.ACCEPTED_NOT_LAST, "the response 202 is followed by others")
        is_set = isinstance(item, ChangeSetResponse)
        responses = item.responses() if isinstance(item, ChangeSetResponse) else (item,)
        self._enter([index], item.position)
        self._count(len(responses), is_set)
        for indexes, inner in _inside(item, [index]):
            self._enter(indexes, inner.position)
            if isinstance(inner, ChangeSetResponse):
                self._check_change_set(inner)
            else:
                self._check_response(inner, index if is_set else None)
        if is_set:
            self._enter([index], item.position)
            self._check_statuses([response.status for response in responses])

    def finish(self) -> None:
        """Nothing in a response refers to what comes later."""

    def _check_change_set(self, item: ChangeSetResponse) -> None:
        for rule in self._rules.change_set:
            rule(item, self.scope, self.say)
        if item.id is not None:
            if self._key(item.id) in self._groups:
                self.say(Rule.DUPLICATE_ID, f"the group name {quote(item.id)} is used twice")
            self._groups.add(self._key(item.id))

    def _check_statuses(self, statuses: Sequence[int]) -> None:
        failed = sum(status >= 400 for status in statuses)
        if failed and self.scope.format == "multipart":
            message = f"{failed} of the {len(statuses)} responses in a change set are errors"
            self.say(Rule.CHANGE_SET_ERROR_NESTED, message)
        elif 0 < failed < len(statuses):
            message = (
                f"{failed} of the {len(statuses)} responses of a group are errors, so all failed"
            )
            self.say(Rule.GROUP_STATUS_MIXED, message)

    def _check_response(self, item: OperationResponse, change_set: int | None) -> None:
        self._check_message(item)
        if item.id is not None:
            # In multipart, identifiers may start anew in each change set; the request tells of it.
            key = self._key(item.id)
            is_new = key not in self._ids
            sets = {self._ids.setdefault(key, change_set), change_set}
            apart = len(sets) == 2 and None not in sets and self.scope.format == "multipart"
            if not (is_new or apart):
                message = f"the id {quote(item.id)} is answered twice"
                self.say(Rule.DUPLICATE_RESPONSE_ID, message)
        if item.status == 202 and change_set is not None:
            self.say(Rule.ACCEPTED_IN_CHANGE_SET, "found the response 202 in a change set")
        elif item.status == 202 and self.scope.format == "multipart":
            self._accepted = (self._indexes, item.position)
