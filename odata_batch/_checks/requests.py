"""The rules for a batch request as a whole: values in, diagnostics out.

Decoders hand every item to `RequestRules` as it is completed, and call `finish` after the last;
encoders do the same before they write, and so it is with `ResponseRules`. What can be known of an
item alone, or of it and those before it, is reported with it; what needs the rest of the batch is
reported at the end. All work is linear in the number of operations and dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from odata_batch._checks import messages, services
from odata_batch._checks.batch import DUPLICATE_ID, BatchRules, Found, inside
from odata_batch._checks.scope import Scope
from odata_batch._checks.services import Served, checks_for
from odata_batch._checks.urls import REFERENCE_ABSOLUTE
from odata_batch._graph import expressions
from odata_batch._graph.expressions import reference_in, references_outside_body
from odata_batch._graph.names import Names, shortened
from odata_batch._model import values
from odata_batch._model.findings import Rule, error, note, quote, warning
from odata_batch._model.values import Operation, Unreadable
from odata_batch._wire import grammar
from odata_batch._wire.jsonitem import JSON_MISSING_MEMBER

_SHOWN_OF_A_CIRCLE = 8
# Where a reference is that is in no field
_MEMBERS: Final[Mapping[str, str]] = {"body": "body", "query": "url"}

CONTENT_ID_MISSING = warning("""
    content-id-missing (@method): Every operation in a change set has a Content-ID. [OData Protocol,
    11.7.7.1]
    Add a Content-ID to the header section of the part.""")
DUPLICATE_ID_ACROSS_CHANGE_SETS = warning("""
    duplicate-id-across-change-sets (@id): Request identifiers are unique in the whole batch, not in
    their change set only. [OData Protocol, 11.7.3]
    Count identifiers through the whole batch instead of anew in each change set.""")
ID_EQUALS_GROUP = error("""
    id-equals-group (@id): No request identifier equals the name of an atomicity group. [OData JSON,
    19.1]
    Rename the request or the group.""")
DEPENDS_ON_UNKNOWN = error("""
    depends-on-unknown: dependsOn names requests and groups of the same batch. [OData JSON, 19.1]
    Name a request or a group of this batch, or remove the name.""")
DEPENDS_ON_FORWARD = error("""
    depends-on-forward: dependsOn names requests and groups that come before. [OData JSON, 19.1]
    Move the request after those that it depends on.""")
DEPENDS_ON_SELF = error("""
    depends-on-self: A request does not depend on itself. [OData JSON, 19.1]
    Remove the request's own identifier from dependsOn.""")
DEPENDS_ON_OWN_GROUP = warning("""
    depends-on-own-group: A request does not depend on its own group. [OData JSON, 19.1]
    Remove the group from dependsOn.""")
DEPENDS_ON_GROUP_MISSING = warning("""
    depends-on-group-missing: A request that depends on a member of another group names that group
    too. [OData JSON, 19.1]
    Name the group of the other request in dependsOn, too.""")
REFERENCE_DEPENDENCY_MISSING = warning("""
    reference-dependency-missing: A request depends on what it refers to. [OData JSON, 19.1]
    Name what the request refers to in dependsOn.""")
REFERENCE_NOT_RESOLVED = warning("""
    reference-not-resolved: No request refers to another one, in whatever place, where the service
    resolves no references. [Microsoft Graph, JSON batching, Sequencing requests with the dependsOn
    property]
    Send the request in a second batch, with what the first response says.""")
REFERENCE_UNKNOWN = warning("""
    reference-unknown (@url): A URL that begins with a reference refers to a request of the same
    batch. [OData Protocol, 11.7.4]
    Correct the identifier in the URL, or give it to the request that is meant.""")
REFERENCE_FORWARD = error("""
    reference-forward (@url): A reference refers to a request that comes before. [OData Protocol,
    11.7.4]
    Move the request after the one that it refers to.""")
REFERENCE_ACROSS_CHANGE_SETS = note("""
    reference-across-change-sets (@url): A reference from a change set stays within it; services may
    allow more. [OData Protocol, 11.7.7.2]
    Move both requests into one change set, or ask the service whether it allows this.""")
GET_IN_CHANGE_SET = warning("""
    get-in-change-set (@method): A change set holds no GET request. [OData Protocol, 11.7.2]
    Move the GET request out of the change set.""")
DEPENDS_ON_MEMBER = error("""
    depends-on-member: A request that depends on one of another group names the group alone, where
    the service wants it so. [ASP.NET, OData.Core 7.22]
    Name the group in dependsOn, and not its member.""")
DEPENDS_ON_CYCLE = error("""
    depends-on-cycle: Requests do not depend on each other in a circle. [OData JSON, 19.1]
    Remove one of the dependencies, or send the requests in two batches.""")
CONDITION_DEPENDENCY_MISSING = note("""
    condition-dependency-missing (@condition): What the member if refers to is named in dependsOn.
    [OData JSON, 19.1]
    Name what the condition refers to in dependsOn.""")
REFERENCE_TARGET = note("""
    reference-target (@url): A reference names a request that returns an entity. [OData Protocol,
    11.7.4]
    Refer to a request that creates an entity or reads one.""")
REFERENCE_NOT_FIRST = note("""
    reference-not-first (@url): A reference is the first segment of a relative URL. [OData Protocol,
    11.7.4]
    Begin the URL with the reference, or write %24 for a dollar sign that is part of a name.""")
ETAG_REFERENCE_UNKNOWN = note("""
    etag-reference-unknown: A reference to an ETag names a preceding request. [OData Protocol,
    11.7.5]
    Name a request that comes before, or write the ETag itself.""")
ID_CASE = note("""
    id-case (@id): Identifiers differ in more than the case of letters. [OData Protocol, 11.7.3]
    Choose identifiers that differ in more than the case of letters.""")
ID_CASE_IGNORED = error("""
    id-case-ignored (@id): Identifiers differ in more than case where the service ignores it.
    [Microsoft Graph, JSON batching, Creating a batch request]
    Choose identifiers that differ in more than the case of letters.""")


class RequestRules(BatchRules[values.RequestItem]):
    """Applies the rules to the items of one batch request, in order."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._messages = messages.Messages(messages.OPERATION, scope, self._say)
        self.names = self._names = Names(dialect=scope.dialect)
        # The identifiers, each as it was first spelt, by their spelling in lower case; the names of
        # groups in lower case. Few identifiers resemble another or a group, and these are compared.
        self._ids: dict[str, str] = {}
        self._groups: set[str] = set()
        self._dependencies = 0
        self._named: tuple[Operation | None, frozenset[str]] = None, frozenset()
        self.pending: list[tuple[Rule, str, str, int, Found]] = []
        """Names that were not known when they were used: the rule that is broken if they stay
        unknown, the name, its use in words, the operation, and where the name is."""
        self._service_checks = checks_for(scope.dialect)
        self._served = Served(scope, self._say, self._names)
        # For each item in the index of names, its index in the batch; and whether one without a
        # name is not there any more
        self._indexes: list[int] = []
        self._has_unnamed = False

    def check(self, item: values.RequestItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        self._name()
        self._names.add(item)
        self._indexes.append(index)
        try:
            self._check(item, index, self._names.members[-1].start)
        finally:
            if self.forgets:
                self._learn(item)

    def _check(self, item: values.RequestItem, index: int, source: int) -> None:
        names = self._names
        self._place.enter(item, index, len(names.operations) - source)
        if not isinstance(item, values.ChangeSet):
            self._check_message(item, source)
            return
        change_set = len(names.items) - 1
        place = self._place
        if item.id is not None:
            self._groups.add(item.id.lower())
            place.spellings.add(item.id.lower())
        messages.check_change_set(item, self._scope, self._say)
        for inner in place.walk(item, index):
            if isinstance(inner, values.ChangeSet):
                messages.check_change_set(inner, self._scope, self._say)
            else:
                self._check_message(inner, source)
                source += isinstance(inner, Operation)
        if item.id is not None:
            if names.group(item.id) != change_set:
                message = f"the group name {quote(item.id)} is used twice"
                self._say(DUPLICATE_ID, message, "group")
            elif names.named(item.id):
                message = f"the group name {quote(item.id)} is also an id"
                self._say(ID_EQUALS_GROUP, message, "group")

    def _is_sound(self, operations: Sequence[Operation], members: Sequence[Operation]) -> bool:
        if self._service_checks:
            return False
        if [x for x in operations if x.depends_on or x.condition is not None]:
            return False
        if members and self._scope.format == "multipart":
            if None in [x.id for x in members] or "GET" in [x.method for x in members]:
                return False
        urls = [x.url for x in operations]
        text = "\n".join(("", *urls))
        if "/$" in text or "\n$" in text or not self._messages.are_sound(operations, urls):
            return False
        if self._scope.format == "json":
            # In a query or a body it may be a reference, which makes a dependency.
            if text.count("$") > text.count("?$") + text.count("&$"):
                return False
            # There are many quotes, and few dollar signs; `in` takes twice as long as `find`.
            bodies = [x.body for x in operations]
            bodies = [x for x in bodies if x.find(b"$") >= 0 or x.find(b"\\u0024") >= 0]
            return not [x for x in bodies if b'"$' in x or b'"\\u0024' in x]
        return True

    def check_body(self, item: Operation, indexes: tuple[int, ...]) -> None:
        """Check the body of an operation that was checked without it."""
        self._place.item, self._place.indexes = item, indexes
        self._messages.check_body(item)

    @property
    def needs_bodies(self) -> bool:
        """Whether an operation cannot be checked without its body, because of what is in it."""
        refers_not = self._scope.dialect.references == "none"
        return refers_not or not services.OF_BODIES.isdisjoint(self._service_checks)

    def pass_by(self, item: values.RequestItem, index: int) -> None:
        self._names.add(item)
        self._indexes.append(index)
        self._learn(item)

    def _learn(self, item: values.RequestItem) -> None:
        """Take note of the names in the last item."""
        names = [each.id for each in values.leaves((item,)) if each.id is not None]
        for name in names:
            self._ids.setdefault(name.lower(), name)
        if isinstance(item, values.ChangeSet) and item.id is not None:
            names.append(item.id)
            self._groups.add(item.id.lower())
        if not self.forgets:
            return
        self._place.spellings.update([name.lower() for name in names])
        members = self._names.members[-1]
        waits = bool(self.pending) and self.pending[-1][3] >= members.start
        if names or waits or self._service_checks:  # these count all operations
            self._names.replace(shortened(item))
        else:
            self._has_unnamed = self._has_unnamed or bool(members)
            self._names.replace(None)
            self._indexes.pop()

    def finish(self) -> None:
        """Report the names that the batch does not contain, or only later."""
        names = self._names
        if self.pending:
            self._name()
        # One without a name may be meant.
        may_be_meant = self._scope.format == "json" and bool(self.pending)
        may_be_meant = may_be_meant and (
            self._has_unnamed or None in {each.id for each in names.operations}
        )
        for unknown, name, use, source, place in self.pending:
            target = names.find(name, names.item_of[source])
            is_dependency = unknown is DEPENDS_ON_UNKNOWN
            is_group = is_dependency and names.group(name) is not None
            if target is None and not is_group:
                unknown = JSON_MISSING_MEMBER if may_be_meant else unknown
                self._place.tell(unknown, f"{use}, which no request has as its id", place)
            elif not self._comes_before(
                _last_of(names, name) if target is None else target, source
            ):
                rule = DEPENDS_ON_FORWARD if is_dependency else REFERENCE_FORWARD
                self._place.tell(rule, f"{use}, which comes later in the batch", place)
        # Where everything refers backward there is no circle, so few batches come here.
        for cycle in names.cycles() if self.pending else ():
            item = names.item_of[cycle[0]]
            at = (self._indexes[item],)
            walk = (at, names.items[item]), *inside(names.items[item], at)
            places = [each for each in walk if isinstance(each[1], Operation)]
            indexes, first = places[cycle[0] - names.members[item].start]
            operations = [names.operations[node] for node in cycle]
            self._place.tell(DEPENDS_ON_CYCLE, _circle(operations), (indexes, (first.position, 0)))

    def _comes_before(self, target: int, source: int) -> bool:
        """Tell whether the target comes before the source in the payload.

        A group whose members are not adjacent is collected at its first member. What is written is
        in the order of the items, wherever they were found.
        """
        if self._scope.origin == "written":
            return False
        first, second = (self._names.operations[index].position for index in (target, source))
        return first is not None and second is not None and first < second

    def _check_message(self, item: Operation | Unreadable, source: int) -> None:
        if isinstance(item, Unreadable):
            self._place.say_unreadable()
            return
        self._messages.check(item)
        if self._scope.format == "multipart" and self._names.change_set(source) is not None:
            if item.method == "GET":
                self._say(GET_IN_CHANGE_SET, f"found GET {quote(item.url)} in a change set")
            if item.id is None:
                message = f"{item.method} {quote(item.url)} in a change set has no Content-ID"
                self._say(CONTENT_ID_MISSING, message)
        if item.depends_on:
            self._check_dependencies(item, source)
        if "$" in item.url:
            self._check_url(item, source)
        if expressions.may_refer_outside_url(item):
            self._check_other_references(item, source)
        if self._scope.format == "json" or self._scope.dialect.references == "none":
            self._check_hidden_references(item, source)
        if item.id is not None:
            spelling = item.id.lower()
            if spelling in self._ids or spelling in self._groups:
                self._check_id(item.id, source)
            self._ids.setdefault(spelling, item.id)
            self._place.spellings.add(spelling)
        for check in self._service_checks:
            check(item, source, self._served)

    def _known(self, name: str, source: int) -> int | None:
        """Return the operation that a name means, if it comes before this one."""
        target = self._names.find(name, self._names.item_of[source])
        return None if target is None or target >= source else target

    # -- identifiers and names of groups --

    def _check_id(self, id: str, source: int) -> None:
        """Compare an identifier with those before it that are spelt alike, and with groups."""
        names, dialect = self._names, self._scope.dialect
        first = self._known(id, source)
        if first is None:
            first = names.named(id)[0]
        group = names.group(id)
        if first < source and names.operations[first].id == id:
            position = names.operations[first].position
            where = "" if position is None else f", first at byte {position}"
            sets = {names.change_set(first), names.change_set(source)}
            apart = len(sets) == 2 and None not in sets and self._scope.format == "multipart"
            # A service answers each by its identifier.
            apart = apart and (self._scope.origin != "made" or dialect.ids_per_change_set)
            rule = DUPLICATE_ID_ACROSS_CHANGE_SETS if apart else DUPLICATE_ID
            self._say(rule, f"the id {quote(id)} is used twice{where}")
        elif group is not None and group != names.item_of[source]:
            self._say(ID_EQUALS_GROUP, f"the id {quote(id)} is also the name of a group")
        other = self._ids.get(id.lower(), id)
        if other != id:
            message = f"the ids {quote(other)} and {quote(id)} differ in case only"
            if dialect.ids_ignore_case:
                self._say(ID_CASE_IGNORED, f"{message}, which {dialect.name} ignores")
            else:
                self._say(ID_CASE, message)

    # -- dependencies and references --

    def _check_dependencies(self, item: Operation, source: int) -> None:
        self._dependencies += len(item.depends_on)
        if self._dependencies > self._scope.limits.depends_on:
            self._scope.exceed("depends_on", item.position)
        names = self._names
        depends_on = {names.key(name) for name in item.depends_on}
        own_id = None if item.id is None else names.key(item.id)
        group = names.group_of(source)
        own_group = None if group is None else names.key(group)
        for name in dict.fromkeys(item.depends_on):
            member = f"depends_on.{name}"
            if names.key(name) == own_id:
                self._say(DEPENDS_ON_SELF, f"{quote(name)} depends on itself", member)
            elif names.key(name) == own_group:
                message = f"depends on its own group {quote(name)}"
                self._say(DEPENDS_ON_OWN_GROUP, message, member)
            elif names.group(name) is not None:
                continue
            elif (target := self._known(name, source)) is None:
                use = f"{item.method} {quote(item.url)} depends on {quote(name)}"
                self._wait(DEPENDS_ON_UNKNOWN, name, use, source, member)
            elif names.item_of[target] != names.item_of[source]:
                needed = names.group_of(target)
                if needed is not None and not self._scope.dialect.depends_on_members:
                    message = f"depends on {quote(name)}, a member of the group {quote(needed)}"
                    self._say(DEPENDS_ON_MEMBER, message, member)
                elif needed is not None and names.key(needed) not in depends_on:
                    message = f"depends on {quote(name)}, but not on its group {quote(needed)}"
                    self._say(DEPENDS_ON_GROUP_MISSING, message, member)

    def _wait(self, rule: Rule, name: str, use: str, source: int, member: str = "") -> None:
        """Take note of a name that is not known yet."""
        self.pending.append((rule, name, use, source, self._place.find(rule, member)))

    def _check_url(self, item: Operation, source: int) -> None:
        reference = reference_in(item.url, self._scope.dialect)
        if reference is not None:
            self._check_reference(reference.id, item, source)
            return
        if self._scope.dialect.references == "none":
            return  # none is resolved, wherever it is
        for name in grammar.INNER_DOLLAR_SEGMENT.findall(item.url.partition("?")[0]):
            if any(index < source for index in self._names.named(name)[:1]):
                message = f"URL {quote(item.url)} does not begin with ${name}; not a reference"
                is_absolute = grammar.AUTHORITY.match(item.url) is not None
                self._say(REFERENCE_ABSOLUTE if is_absolute else REFERENCE_NOT_FIRST, message)

    def _check_reference(self, name: str, item: Operation, source: int) -> None:
        names, url = self._names, quote(item.url)
        if item.id is not None and names.key(name) == names.key(item.id):
            self._say(REFERENCE_FORWARD, f"URL {url} refers to the request itself")
            return
        use = f"URL {url} refers to {quote(name)}"
        if self._scope.format == "json" and not self._is_named(name, item):
            message = f"{use}, which dependsOn does not name"
            self._say(REFERENCE_DEPENDENCY_MISSING, message, "url")
        target = self._known(name, source)
        if target is None:
            self._wait(REFERENCE_UNKNOWN, name, use, source)
            return
        if self._scope.format == "multipart":
            change_set = names.change_set(target)
            if change_set is not None and change_set != names.change_set(source):
                message = f"URL {url} refers to a request in another change set"
                self._say(REFERENCE_ACROSS_CHANGE_SETS, message)
            elif change_set is None and self._scope.dialect.references_stay:
                message = f"URL {url} refers to a request outside of change sets"
                self._say(REFERENCE_ACROSS_CHANGE_SETS, message)
        if names.operations[target].method == "DELETE":
            self._say(REFERENCE_TARGET, f"URL {url} refers to a DELETE, which returns no entity")

    def _check_other_references(self, item: Operation, source: int) -> None:
        if item.condition is not None and not item.depends_on:
            message = "there is a condition, but no dependency that it could refer to"
            self._say(CONDITION_DEPENDENCY_MISSING, message)
        for reference in references_outside_body(item, self._scope.dialect):
            name, place = reference.id, reference.place
            if place in expressions.ETAG_FIELDS and self._known(name, source) is None:
                message = f"{place} refers to {quote(name)}, but no earlier request has this id"
                self._say(ETAG_REFERENCE_UNKNOWN, message, f"headers.{place}")
            elif place == "condition" and item.depends_on and not self._is_named(name, item):
                message = f"the condition refers to {quote(name)}, which dependsOn does not name"
                self._say(CONDITION_DEPENDENCY_MISSING, message)

    def _check_hidden_references(self, item: Operation, source: int) -> None:
        """Require the dependencies on what is referred to other than by the URL or a condition."""
        dialect = self._scope.dialect
        is_resolved = dialect.references != "none"
        found = [(each.place, each.id) for each in references_outside_body(item, dialect)]
        found += [("body", id) for id in expressions.bindings_in(item, dialect)]
        for place, name in dict.fromkeys(found):
            if place in ("url", "condition") or name == item.id:
                continue
            if self._known(name, source) is None or (is_resolved and self._is_named(name, item)):
                continue
            refers, member = (
                f"{place} refers to {quote(name)}",
                _MEMBERS.get(place, f"headers.{place}"),
            )
            if is_resolved:
                message = f"{refers}, which dependsOn does not name"
                self._say(REFERENCE_DEPENDENCY_MISSING, message, member)
            else:
                message = f"{refers}, which {dialect.name} does not resolve"
                self._say(REFERENCE_NOT_RESOLVED, message, member)

    def _is_named(self, name: str, item: Operation) -> bool:
        # One operation may have many references.
        if self._named[0] is not item:
            self._named = item, frozenset(map(self._names.key, item.depends_on))
        if self._names.key(name) in self._named[1]:
            return True
        target = self._names.find(name, 0) if not self._scope.dialect.depends_on_members else None
        group = None if target is None else self._names.group_of(target)
        return group is not None and self._names.key(group) in self._named[1]


def _last_of(names: Names, group: str) -> int:
    item = names.group(group)
    assert item is not None  # or it would be unknown
    return names.members[item].stop - 1


def _circle(operations: Sequence[Operation]) -> str:
    first, *others = map(_name_of, operations)
    if len(others) > _SHOWN_OF_A_CIRCLE:
        others[_SHOWN_OF_A_CIRCLE:] = [f"{len(others) - _SHOWN_OF_A_CIRCLE} more"]
    return f"{first} depends on {', which depends on '.join([*others, first])}"


def _name_of(item: Operation) -> str:
    return f"{item.method} {quote(item.url)}" if item.id is None else quote(item.id)
