"""What the standards ask of a batch as a whole; values in, diagnostics out.

Decoders hand every item to `RequestRules` or `ResponseRules` as it is completed, and call `finish`
after the last; encoders do the same before they write. What can be known of an item alone, or of
it and those before it, is reported with it; what needs the rest of the batch is reported at the
end. All work is linear in the number of operations and dependencies.

Why this long: what a request refers to, and how, is one table of names that all rules look into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from odata_batch._checks.messages import MessageRules, Scope
from odata_batch._checks.services import service_rules
from odata_batch._graph.references import dependencies_of, references_outside_body
from odata_batch._graph.urls import reference_in
from odata_batch._model.findings import Diagnostic, exceed, quote
from odata_batch._model.headers import Headers, folded
from odata_batch._model.rules import Rule, Severity
from odata_batch._model.values import (
    BatchRequest,
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    RequestItem,
    ResponseItem,
)
from odata_batch._wire import grammar

_Message = TypeVar("_Message", Operation, OperationResponse)
_Contra = TypeVar("_Contra", contravariant=True)
_ETAG_FIELDS = frozenset(("if-match", "if-none-match"))
_SHOWN_OF_A_CIRCLE = 8
# How many header sections are remembered, so that unique ones in many operations do no harm.
_REMEMBERED = 1024


class _Walk:
    """Where in the batch the rules are: what is counted, and the path of the item at hand."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._indexes: list[int] = []
        self._position: int | None = None
        self._operations = 0
        self._change_sets = 0
        self._said = 0
        self._sound_headers: dict[int, Headers] = {}

    def say(self, rule: Rule, message: str) -> None:
        self._said += 1
        self.scope.report(Diagnostic(rule, message, self._position, path_of(self._indexes)))

    def _enter(self, indexes: list[int], position: int | None) -> None:
        self._indexes = indexes
        self._position = position

    def _check_message(self, item: _Message, rules: MessageRules[_Message]) -> None:
        scope, say = self.scope, self.say
        for rule in rules.message:
            rule(item, scope, say)
        # Many messages share their headers, the same object; what is sound is checked once.
        key = id(item.headers)
        if key in self._sound_headers:
            return
        said = self._said
        for rule in rules.headers:
            rule(item, scope, say)
        if self._said == said and len(self._sound_headers) < _REMEMBERED:
            # The entry holds the object, so that its id() cannot become another's.
            self._sound_headers[key] = item.headers

    def _count(self, operations: int, change_sets: int) -> None:
        """Count an item; a change set holds so many operations."""
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
class _Known:
    """An operation that has an id: where it stands, in which change set, and what it does."""

    id: str
    position: int | None
    change_set: int | None
    method: str


@dataclass(frozen=True, slots=True)
class _Pending:
    """A name that was not known when it was used, and what used it, in words."""

    name: str
    use: str
    change_set: int | None
    indexes: list[int]
    position: int | None
    unknown: Rule
    forward: Rule


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
        self._known: dict[tuple[int | None, str], _Known] = {}
        self._anywhere: dict[str, _Known] = {}
        self._spellings: dict[str, str] = {}
        self._groups: dict[str, int] = {}
        self._group_names: dict[int, str] = {}
        self._dependencies = 0
        self._pending: list[_Pending] = []
        self._items: list[RequestItem] = []
        self._fold = str.lower if scope.dialect.ids_ignore_case else str
        severity = dict(scope.dialect.severities).get(Rule.REFERENCE_ACROSS_CHANGE_SETS)
        # Where it is more than a note, a reference stays in its change set and leads to a member.
        self._within_change_sets = severity is not None and severity > Severity.NOTE
        self._service = service_rules(scope, self.say)

    def check(self, item: RequestItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        self._items.append(item)
        if isinstance(item, ChangeSet):
            self._enter([index], item.position)
            self._count(len(item.operations()), 1)
            self._check_change_set(item, [index], index)
        else:
            self._enter([index], item.position)
            self._count(1, 0)
            self._check_operation(item, [index], None)

    def finish(self) -> None:
        """Report the names that the whole batch does not hold, or only further on."""
        for pending in self._pending:
            self._enter(pending.indexes, pending.position)
            target = self._find(pending.name, pending.change_set)
            is_group = self._fold(pending.name) in self._groups
            is_group = is_group and pending.unknown is Rule.DEPENDS_ON_UNKNOWN
            if target is None and not is_group:
                self.say(pending.unknown, f"{pending.use}, which no request has as its id")
            elif target is None or not self._comes_before(target.position, pending.position):
                self.say(pending.forward, f"{pending.use}, which comes later in the batch")
        if self._pending:
            self._check_cycles()

    def _check_cycles(self) -> None:
        """Where everything refers backward there is no circle, so few batches come here."""
        scope = self.scope
        batch = BatchRequest(self._items)
        dependencies = dependencies_of(batch, format=scope.format, dialect=scope.dialect)
        places = list(_operations_in(self._items, []))
        for cycle in dependencies.cycles():
            operations = [places[node] for node in cycle if node < len(places)]
            if len(operations) > 1:
                indexes, first = operations[0]
                self._enter(indexes, first.position)
                self.say(Rule.DEPENDS_ON_CYCLE, _circle([each for _, each in operations]))

    def _check_change_set(self, item: ChangeSet, indexes: list[int], change_set: int) -> None:
        self._enter(indexes, item.position)
        for rule in self._rules.change_set:
            rule(item, self.scope, self.say)
        for index, inner in enumerate(item.items):
            path = [*indexes, index]
            if isinstance(inner, ChangeSet):
                self._check_change_set(inner, path, change_set)
            else:
                self._check_operation(inner, path, change_set, item.id)
        self._enter(indexes, item.position)
        if item.id is not None:
            self._register_group(item.id, change_set)

    def _check_operation(
        self,
        item: Operation,
        indexes: list[int],
        change_set: int | None,
        group: str | None = None,
    ) -> None:
        self._enter(indexes, item.position)
        self._check_message(item, self._rules)
        if change_set is not None and self.scope.format == "multipart":
            self._check_member(item)
        if item.depends_on:
            self._check_dependencies(item, change_set, group)
        if "$" in item.url:
            self._check_url(item, change_set)
        if item.condition is not None or _may_refer_to_etag(item):
            self._check_other_references(item, change_set)
        if item.id is not None:
            self._register(item.id, item.method, change_set)
        if self._service is not None:
            self._service.operation(item, change_set)

    def _check_member(self, item: Operation) -> None:
        if item.method == "GET":
            self.say(Rule.GET_IN_CHANGE_SET, f"found GET {quote(item.url)} in a change set")
        if item.id is None:
            message = f"{item.method} {quote(item.url)} in a change set has no Content-ID"
            self.say(Rule.CONTENT_ID_MISSING, message)

    def _find(self, name: str, change_set: int | None) -> _Known | None:
        """Find an operation by its id, in the same change set first."""
        key = self._fold(name)
        return self._known.get((change_set, key)) or self._anywhere.get(key)

    def _register(self, id: str, method: str, change_set: int | None) -> None:
        first = self._find(id, change_set)
        key = self._fold(id)
        if first is not None and first.id == id:
            where = "" if first.position is None else f", first at byte {first.position}"
            apart = None not in (first.change_set, change_set) and first.change_set != change_set
            apart = apart and self.scope.format == "multipart"
            rule = Rule.DUPLICATE_ID_ACROSS_CHANGE_SETS if apart else Rule.DUPLICATE_ID
            self.say(rule, f"the id {quote(id)} is used twice{where}")
        elif key in self._groups:
            self.say(Rule.ID_EQUALS_GROUP, f"the id {quote(id)} is also the name of a group")
        other = self._spellings.setdefault(id.lower(), id)
        if other != id and not self.scope.dialect.ids_ignore_case:
            self.say(Rule.ID_CASE, f"the ids {quote(other)} and {quote(id)} differ in case alone")
        known = _Known(id, self._position, change_set, method)
        self._known.setdefault((change_set, key), known)
        self._anywhere.setdefault(key, known)

    def _register_group(self, name: str, change_set: int) -> None:
        key = self._fold(name)
        if key in self._groups:
            self.say(Rule.DUPLICATE_ID, f"the group name {quote(name)} is used twice")
        elif key in self._anywhere:
            self.say(Rule.ID_EQUALS_GROUP, f"the group name {quote(name)} is also an id")
        self._groups[key] = change_set
        self._group_names[change_set] = name

    def _check_dependencies(
        self, item: Operation, change_set: int | None, group: str | None
    ) -> None:
        self._dependencies += len(item.depends_on)
        if self._dependencies > self.scope.limits.depends_on:
            exceed(self.scope.report, self.scope.limits, "depends_on", self._position)
        own_id = None if item.id is None else self._fold(item.id)
        own_group = None if group is None else self._fold(group)
        for name in dict.fromkeys(item.depends_on):
            key = self._fold(name)
            if key == own_id:
                self.say(Rule.DEPENDS_ON_SELF, f"{quote(name)} depends on itself")
            elif key == own_group:
                self.say(Rule.DEPENDS_ON_OWN_GROUP, f"depends on its own group {quote(name)}")
            elif key not in self._groups:
                self._check_dependency(name, item, change_set)

    def _check_dependency(self, name: str, item: Operation, change_set: int | None) -> None:
        target = self._find(name, change_set)
        if target is None:
            use = f"{_name_of(item)} depends on {quote(name)}"
            rules = (Rule.DEPENDS_ON_UNKNOWN, Rule.DEPENDS_ON_FORWARD)
            self._suspend(name, use, change_set, *rules)
            return
        other = target.change_set
        needed = None if other is None or other == change_set else self._group_names.get(other)
        if needed is not None and self._fold(needed) not in map(self._fold, item.depends_on):
            message = f"depends on {quote(name)}, but not on its group {quote(needed)}"
            self.say(Rule.DEPENDS_ON_GROUP_MISSING, message)

    def _check_url(self, item: Operation, change_set: int | None) -> None:
        reference = reference_in(item.url, self.scope.dialect)
        if reference is not None:
            self._check_reference(reference.id, item, change_set)
            return
        if self.scope.dialect.references == "none":
            return  # none is resolved, wherever it stands
        for name in grammar.INNER_DOLLAR_SEGMENT.findall(item.url.partition("?")[0]):
            if self._fold(name) in self._anywhere:
                message = f"URL {quote(item.url)} does not begin with ${name}; it refers to nothing"
                self.say(Rule.REFERENCE_NOT_FIRST, message)

    def _check_reference(self, name: str, item: Operation, change_set: int | None) -> None:
        if item.id is not None and self._fold(name) == self._fold(item.id):
            self.say(Rule.REFERENCE_FORWARD, f"URL {quote(item.url)} refers to the request itself")
            return
        if self.scope.format == "json" and not self._is_named(name, item):
            message = f"URL {quote(item.url)} refers to {quote(name)}, dependsOn does not name it"
            self.say(Rule.REFERENCE_DEPENDENCY_MISSING, message)
        target = self._find(name, change_set)
        if target is None:
            use = f"URL {quote(item.url)} refers to {quote(name)}"
            rules = (Rule.REFERENCE_UNKNOWN, Rule.REFERENCE_FORWARD)
            self._suspend(name, use, change_set, *rules)
            return
        if self.scope.format == "multipart":
            self._check_change_sets(target, item, change_set)
        if target.method == "DELETE":
            message = f"URL {quote(item.url)} refers to a DELETE, which returns no entity"
            self.say(Rule.REFERENCE_TARGET, message)

    def _check_change_sets(self, target: _Known, item: Operation, change_set: int | None) -> None:
        if target.change_set is not None and target.change_set != change_set:
            message = f"URL {quote(item.url)} refers to a request in another change set"
            self.say(Rule.REFERENCE_ACROSS_CHANGE_SETS, message)
        elif target.change_set is None and self._within_change_sets:
            message = f"URL {quote(item.url)} refers to a request outside of change sets"
            self.say(Rule.REFERENCE_ACROSS_CHANGE_SETS, message)

    def _is_named(self, name: str, item: Operation) -> bool:
        return name in item.depends_on or self._fold(name) in map(self._fold, item.depends_on)

    def _check_other_references(self, item: Operation, change_set: int | None) -> None:
        if item.condition is not None and not item.depends_on:
            message = "there is a condition, and no dependency that it could be about"
            self.say(Rule.CONDITION_DEPENDENCY_MISSING, message)
        for reference in references_outside_body(item, self.scope.dialect):
            name = reference.id
            if reference.place in _ETAG_FIELDS and self._find(name, change_set) is None:
                message = (
                    f"{reference.place} refers to {quote(name)}, no request before has this id"
                )
                self.say(Rule.ETAG_REFERENCE_UNKNOWN, message)
            elif (
                reference.place == "condition"
                and item.depends_on
                and not self._is_named(name, item)
            ):
                message = f"the condition refers to {quote(name)}, dependsOn does not name it"
                self.say(Rule.CONDITION_DEPENDENCY_MISSING, message)

    def _comes_before(self, first: int | None, second: int | None) -> bool:
        """Tell whether the payload says so; a group that is split is collected at its first member.

        What is written stands in the order of the items, wherever they were found.
        """
        if first is None or second is None:
            return False
        return self._rules.placed and first < second

    def _suspend(
        self, name: str, use: str, change_set: int | None, unknown: Rule, forward: Rule
    ) -> None:
        place = (self._indexes, self._position)
        self._pending.append(_Pending(name, use, change_set, *place, unknown, forward))


def _operations_in(
    items: Sequence[RequestItem], outer: list[int]
) -> Iterator[tuple[list[int], Operation]]:
    for index, item in enumerate(items):
        if isinstance(item, ChangeSet):
            yield from _operations_in(item.items, [*outer, index])
        else:
            yield [*outer, index], item


def _circle(operations: Sequence[Operation]) -> str:
    first, *others = map(_name_of, operations)
    if len(others) > _SHOWN_OF_A_CIRCLE:
        others[_SHOWN_OF_A_CIRCLE:] = [f"{len(others) - _SHOWN_OF_A_CIRCLE} more"]
    return f"{first} depends on {', which depends on '.join([*others, first])}"


def _may_refer_to_etag(item: Operation) -> bool:
    fields = folded(item.headers)
    return not _ETAG_FIELDS.isdisjoint(fields) and any(
        "$" in value for name in _ETAG_FIELDS for value in fields.get(name, ())
    )


def _name_of(item: Operation) -> str:
    return f"{item.method} {quote(item.url)}" if item.id is None else quote(item.id)


class ResponseRules(_Walk):
    """Applies the rules to the items of one batch response, in order."""

    def __init__(self, scope: Scope, rules: MessageRules[OperationResponse]) -> None:
        super().__init__(scope)
        self._rules = rules
        self._ids: dict[str, int | None] = {}
        self._groups: set[str] = set()
        self._accepted: tuple[list[int], int | None] | None = None

    def check(self, item: ResponseItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        if self._accepted is not None:
            self._enter(*self._accepted)
            self._accepted = None
            self.say(Rule.ACCEPTED_NOT_LAST, "the response 202 is followed by others")
        self._enter([index], item.position)
        if isinstance(item, ChangeSetResponse):
            self._count(len(item.responses()), 1)
            self._check_change_set(item, [index], index)
            self._check_statuses(item, index)
        else:
            self._count(1, 0)
            self._check_response(item, [index], None)
            if item.status == 202 and self.scope.format == "multipart":
                self._accepted = ([index], item.position)

    def finish(self) -> None:
        """Nothing in a response refers to what comes later."""

    def _check_change_set(
        self, item: ChangeSetResponse, indexes: list[int], change_set: int
    ) -> None:
        self._enter(indexes, item.position)
        for rule in self._rules.change_set:
            rule(item, self.scope, self.say)
        if item.id is not None and item.id in self._groups:
            self.say(Rule.DUPLICATE_ID, f"the group name {quote(item.id)} is used twice")
        elif item.id is not None:
            self._groups.add(item.id)
        for index, inner in enumerate(item.items):
            path = [*indexes, index]
            if isinstance(inner, ChangeSetResponse):
                self._check_change_set(inner, path, change_set)
            else:
                self._check_response(inner, path, change_set)
                if inner.status == 202:
                    self.say(Rule.ACCEPTED_IN_CHANGE_SET, "found the response 202 in a change set")

    def _check_statuses(self, item: ChangeSetResponse, index: int) -> None:
        statuses = [response.status for response in item.responses()]
        failed = sum(status >= 400 for status in statuses)
        self._enter([index], item.position)
        if failed and self.scope.format == "multipart":
            message = f"{failed} of the {len(statuses)} responses in a change set are errors"
            self.say(Rule.CHANGE_SET_ERROR_NESTED, message)
        elif 0 < failed < len(statuses):
            message = (
                f"{failed} of the {len(statuses)} responses of a group are errors, so all failed"
            )
            self.say(Rule.GROUP_STATUS_MIXED, message)

    def _check_response(
        self, item: OperationResponse, indexes: list[int], change_set: int | None
    ) -> None:
        self._enter(indexes, item.position)
        self._check_message(item, self._rules)
        if item.id is None:
            return
        if item.id not in self._ids:
            self._ids[item.id] = change_set
        elif not self._are_apart(self._ids[item.id], change_set):
            message = f"the id {quote(item.id)} is answered twice"
            self.say(Rule.DUPLICATE_RESPONSE_ID, message)

    def _are_apart(self, first: int | None, second: int | None) -> bool:
        """In multipart, identifiers may start anew in each change set; the request tells of it."""
        is_multipart = self.scope.format == "multipart"
        return is_multipart and None not in (first, second) and first != second
