"""What the rules for requests and those for responses share, and where in a batch they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from odata_batch._checks.scope import Scope, Spot, path_of
from odata_batch._graph import expressions
from odata_batch._model import values
from odata_batch._model.findings import Diagnostic, Rule, error
from odata_batch._model.values import Operation, OperationResponse
from odata_batch._wire import grammar

_Item = TypeVar("_Item", values.RequestItem, values.ResponseItem)

DUPLICATE_ID = error("""
    duplicate-id (@id): Request identifiers are unique. [OData Protocol, 11.7.3]
    Give each request an identifier of its own.""")


def inside(
    item: values.Item, indexes: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], values.Item]]:
    """Yield all that an item holds, in order, with their indexes."""
    if isinstance(item, values.CHANGE_SETS):
        for index, inner in enumerate(item.items):
            yield (*indexes, index), inner
            if isinstance(inner, values.CHANGE_SETS):
                yield from inside(inner, (*indexes, index))


Found: TypeAlias = tuple[tuple[int, ...], Spot]
"""The indexes of an item, and a place in it."""

Survey: TypeAlias = tuple[Sequence[Any], Sequence[Any], int, set[str]]
"""What a run of items contains: the messages, those in change sets, how many change sets, and the
names in lower case."""


class Place:
    """The position of the checks in a batch, and the counts up to it."""

    def __init__(self, scope: Scope) -> None:
        self.item: values.Item
        self.indexes: tuple[int, ...]
        self.spellings: set[str] = set()
        """The names of all that was passed by or that somebody added, in lower case."""
        self.unnamed: list[tuple[int, Sequence[Any]]] = []
        """What was passed by, until somebody wants to know its names: the index of the first of
        some items, and these."""
        self._scope = scope
        self._operations = self._change_sets = 0

    def say(self, rule: Rule, message: str, member: str = "", /) -> None:
        """Report a finding about the current item."""
        self.tell(rule, message, self.find(rule, member))

    def find(self, rule: Rule, member: str = "") -> Found:
        """Return the place in the current item that a rule is about."""
        return self.indexes, self._scope.locate(self.item.position, member or rule.member)

    def tell(self, rule: Rule, message: str, place: Found) -> None:
        """Report a finding whose place is known, maybe since an earlier item."""
        path, (position, length) = path_of(place[0]), place[1]
        self._scope.report(Diagnostic(rule, message, position, path, length=length))

    def walk(self, item: values.Item, index: int) -> Iterator[Any]:
        """Yield all that a change set holds, each while it is at hand; then it is the set again."""
        for self.indexes, self.item in inside(item, (index,)):
            yield self.item
        self.indexes, self.item = (index,), item

    def survey(self, items: Sequence[values.Item], index: int) -> Survey | None:
        """Return what these items contain; `None` if a rule may object to their number or names.

        Their names are plain, and differ even in lower case, also from those before.
        """
        scope, limits = self._scope, self._scope.limits
        messages: Sequence[Any] = items
        change_sets: list[values.ChangeSet | values.ChangeSetResponse] = []
        members: list[Any] = []
        if values.holds_change_sets(items):
            change_sets = [item for item in items if isinstance(item, values.CHANGE_SETS)]
            members = [inner for item in change_sets for inner in item.items]
            every = [*items, *members]
            messages = [item for item in every if isinstance(item, Operation | OperationResponse)]
            if not change_sets or len(messages) + len(change_sets) < len(every):
                return None  # something could not be read, or change sets nest
            sizes = {len(item.items) for item in change_sets}
            if 0 in sizes or max(sizes) > limits.change_set_operations:
                return None
        most = max(self._operations + len(messages), self._change_sets + len(change_sets))
        if most > limits.operations or index + len(items) > limits.items:
            return None
        named = messages
        if scope.format == "json" or scope.origin != "written":  # names that multipart leaves out
            named = [*change_sets, *messages]
        names = [each.id for each in named if each.id is not None]
        text = "\n".join(names)
        lower = text.lower()
        spellings = {*(names if lower == text else lower.split("\n"))}
        if len(spellings) < len(names) or not spellings.isdisjoint(self.spellings):
            return None
        if not spellings.isdisjoint(expressions.reserved_names(scope.dialect)):
            return None
        if names and not grammar.REQUEST_ID.fullmatch("".join(names)):
            return None
        if "" in spellings or (len(text) > limits.id and max(map(len, names)) > limits.id):
            return None
        return messages, members, len(change_sets), spellings

    def pass_by(self, items: Sequence[values.Item], index: int, found: Survey) -> None:
        """Pass items by that hold what was found."""
        messages, _, change_sets, spellings = found
        self._operations += len(messages)
        self._change_sets += change_sets
        if self.spellings:
            self.spellings |= spellings
        else:  # most batches are one run
            self.spellings = spellings
        self.unnamed.append((index, items))

    def say_unreadable(self) -> None:
        """Refuse what could not be read, where it is to be written."""
        if self._scope.origin == "written":
            self.say(values.NOT_EXPRESSIBLE, "what could not be read cannot be written")

    def enter(self, item: values.Item, index: int, operations: int) -> None:
        """Go to the next item of the batch, which has this number of operations."""
        self.item, self.indexes = item, (index,)
        self._operations += operations
        scope, limits = self._scope, self._scope.limits
        if isinstance(item, values.CHANGE_SETS):
            self._change_sets += 1
            if operations > limits.change_set_operations:
                scope.exceed("change_set_operations", item.position)
        if self._operations > limits.operations or self._change_sets > limits.operations:
            scope.exceed("operations", item.position)
        if index >= limits.items:
            scope.exceed("items", item.position)


class BatchRules(ABC, Generic[_Item]):
    """Applies the rules to the items of one batch, in order."""

    forgets = False

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._place = Place(scope)
        self._say = self._place.say

    def take(self, items: Sequence[_Item], index: int) -> bool:
        """Take items if no rule can object to them; otherwise each has to be checked."""
        found = self._place.survey(items, index)
        if found is None or not self._is_sound(*found[:2]):
            return False
        self._place.pass_by(items, index, found)
        if self.forgets:
            self._name()
        return True

    @abstractmethod
    def _is_sound(self, messages: Sequence[Any], members: Sequence[Any]) -> bool:
        """Tell whether no rule objects to these messages, and members of change sets."""

    def _name(self) -> None:
        """Learn the names of the items that were taken; few batches need any."""
        for first, items in self._place.unnamed:
            for index, item in enumerate(items, first):
                self.pass_by(item, index)
        self._place.unnamed.clear()

    @abstractmethod
    def pass_by(self, item: _Item, index: int) -> None:
        """Take note of the names in an item that is not checked."""
