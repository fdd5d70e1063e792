"""What a response says about the operations of a request, collected and not yet judged.

OData Protocol, 11.7.7.5; OData JSON, 19.5. Each list of responses is read in one of two ways. By
identifier: in JSON, in a change set, and where the formats of request and response differ, what
names an operation is given to it. By order: at the top level of multipart, and where there are no
identifiers, responses and items go together one by one, unless something contradicts: an
identifier, a number, or a place that could not be read. What a contradiction concerns is doubted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from odata_batch._client.outcomes import MatchedBy, State
from odata_batch._graph.names import Names, stops_at_error
from odata_batch._graph.prepare import prepare
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import DecodeError, quote
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    ResponseItem,
    Unreadable,
    leaves,
)

# Azure Tables puts the index of the operation before the message, in JSON and in XML; bounded, so
# that hostile text costs linear time.
_INDEX = re.compile(r"([0-9]{1,6}):")
_XML_INDEX = re.compile(rb"<(?:[a-z]{1,9}:)?message(?: [^<>]{0,200})?>[ \t\r\n]{0,9}([0-9]{1,6}):")
_GAP = "its response could not be read"
_AFTER_GAP = "a response before its own could not be read"


class Shared(NamedTuple):
    """A response to several operations at once: a change set, or what is left to a 202."""

    response: OperationResponse
    matched_by: MatchedBy = "position"
    culprit: Sent | None = None
    """The member of the change set that it names."""
    note: str = ""
    """How it names it, or that it does not."""


class Rest(NamedTuple):
    """What is to be said of operations for which nothing was found."""

    state: State
    reason: str
    shared: Shared | None = None
    location: str | None = None
    start: int = 0
    """It is said of the operations from this one on; those before it are unknown."""


NOTHING = Rest(State.UNKNOWN, "no response to it was found")


@dataclass(slots=True, eq=False)
class Sent:
    """An operation, and what was found about it."""

    index: int
    operation: Operation
    id: str | None
    answers: list[OperationResponse] = field(default_factory=list)
    matched_by: MatchedBy | None = None
    doubt: str | None = None
    """Why the evidence about it cannot be trusted."""

    def give(self, response: OperationResponse, matched_by: MatchedBy) -> None:
        """Take a response for one to this operation."""
        self.answers.append(response)
        self.matched_by = matched_by

    @property
    def clean(self) -> OperationResponse | None:
        """The only response to it, if it is beyond doubt."""
        return self.answers[0] if len(self.answers) == 1 and self.doubt is None else None


@dataclass(slots=True, eq=False)
class Slot:
    """An item of the request, and what was found about it as a whole."""

    number: int
    is_set: bool
    indexes: range
    members: list[Sent]
    whole: Shared | None = None
    """What stands for the change set."""
    loose: list[OperationResponse] = field(default_factory=list)
    """Responses of the change set that are no member's for certain."""
    is_flat: bool = False
    """Whether the responses to its members stand one after the other, not in a change set."""


_Pair: TypeAlias = tuple[Slot, ResponseItem]


class Evidence:
    """What a response says about the operations of a request; `collect` it once."""

    def __init__(self, request: BatchRequest, format: Format, dialect: Dialect) -> None:
        prepared = prepare(request, format=format, dialect=dialect)
        self.dialect = dialect
        self.json = format == "json"
        self.stops = stops_at_error(request, format, dialect)
        self.names = Names(prepared.items, dialect=dialect)
        pairs = zip(request.operations(), self.names.operations, strict=True)
        self.sent = [Sent(index, own, each.id) for index, (own, each) in enumerate(pairs)]
        self.slots: list[Slot] = []
        self.rest = NOTHING
        self._key = self.names.key
        self._groups: dict[str, list[Slot]] = {}
        self._response: BatchResponse
        self._seam: int | None = None
        self._counts: Counter[str] | None = None
        """How often the response has each identifier, once somebody asks."""
        self._strays: list[str] = []
        """The identifiers of responses that were not sent."""
        self._is_missing = False
        """Whether something could not be read that may be the response to anything."""
        for number, (item, members) in enumerate(
            zip(prepared.items, self.names.members, strict=True)
        ):
            is_set = isinstance(item, ChangeSet)
            slot = Slot(number, is_set, members, self.sent[members.start : members.stop])
            self.slots.append(slot)
            if is_set and item.id is not None:
                self._groups.setdefault(self._key(item.id), []).append(slot)

    def collect(self, response: BatchResponse, seam: int | None = None) -> None:
        """Collect what the response says; `seam` is an item after which others may be missing."""
        self._response, self._seam = response, seam
        self._is_missing = seam is not None
        by_id = self.json or _is_json(response)
        if self.json and self.dialect.json_responses_in_order:
            by_id = any(leaf.id is not None for leaf in response.responses())
        (self._collect_by_id if by_id else self._collect_by_order)(response)

    def collect_in_unknown_format(self, request: BatchRequest, response: BatchResponse) -> None:
        """Collect what a JSON response says by identifiers to a request that was sent in either."""
        reason = "nothing says in which format the batch was sent"
        other = Evidence(request, "multipart", self.dialect).sent
        pairs = [each for each in zip(self.sent, other, strict=True) if each[0].id != each[1].id]
        if any(its.id is not None for _, its in pairs):
            # In the other format, the same identifiers were generated for other operations.
            _doubt([mine for mine, _ in pairs], f"{reason}, and its id depends on that")
        self._collect_by_id(response)
        self.rest = Rest(State.UNKNOWN, f"no response has its id, and {reason}")

    # -- names and places --

    def _only(self, id: str | None, slot: Slot | None = None) -> Sent | None:
        """Return the only operation that has the identifier, of all or of an item."""
        if id is None:
            return None
        found = self.names.named(id) if slot is None else self.names.within(id, slot.indexes)
        return self.sent[found[0]] if len(found) == 1 else None

    def _only_group(self, name: str | None) -> Slot | None:
        found = () if name is None else self._groups.get(self._key(name), ())
        return found[0] if len(found) == 1 else None

    def _elsewhere(self, item: ResponseItem, indexes: range) -> str | None:
        """Return an identifier in the item that is that of other operations only."""
        ids = [item.id] if isinstance(item, Unreadable) else [leaf.id for leaf in leaves((item,))]
        for id in ids:
            if id is not None and self.names.named(id) and not self.names.within(id, indexes):
                return id
        return None

    def _stopped_at(self, slot: Slot, start: int) -> Rest:
        id = None if slot.is_set or not slot.members else slot.members[0].id
        place = f"items[{slot.number}]" if id is None else f"operation {quote(id)}"
        reason = f"the batch stopped at {place}, which failed"
        return Rest(State.NOT_EXECUTED, reason, start=start)

    # -- a change set --

    def shared(
        self, slot: Slot, response: OperationResponse, by: MatchedBy, index: int | None = None
    ) -> Shared:
        """Return the response as one for the whole change set, with the culprit if it is named.

        Its identifier may be that of the culprit, or none; so it is asked, but not relied upon.
        """
        if len(slot.members) == 1:
            return Shared(response, by, slot.members[0], "it is the only one in it")
        named = [(self._only(response.id, slot), "its id")]
        if index is not None and index < len(slot.members):
            named.append((slot.members[index], "the index in its message"))
        if (id := _content_id_in(response)) is not None:
            named.append((self._only(id, slot), "the Content-ID in its error"))
        found = [(culprit, how) for culprit, how in named if culprit is not None]
        if not found:
            return Shared(response, by, None, "the culprit is not named")
        culprit, how = found[0]
        for other, its in found[1:]:
            if other is not culprit:
                return Shared(response, by, None, f"{how} and {its} name different operations")
        return Shared(response, by, culprit, f"{how} names it")

    def _take_members(self, slot: Slot, item: ChangeSetResponse) -> None:
        """Take the responses for those to the members of a change set, in any order."""
        answers = item.responses()
        if len(answers) == 1 and is_error(answers[0]) and len(slot.members) > 1:
            slot.whole = self.shared(slot, answers[0], "position", _index_in(answers[0]))
            return
        places = [self._only(leaf.id, slot) for leaf in answers]
        by: MatchedBy = "id"
        is_whole = len(answers) == len(slot.members) and len(item.items) == len(answers)
        if any(leaf.id is None for leaf in answers) and is_whole:
            # Without an identifier in each response the order is all there is. Where nothing makes
            # members one, JSON promises no order.
            by = "position"
            triples = zip(answers, places, slot.members, strict=True)
            agree = all(leaf.id is None or place is each for leaf, place, each in triples)
            agree = agree and (self.dialect.atomicity_groups or not self.json)
            places = [each if agree else None for each in slot.members]
        for leaf, place in zip(answers, places, strict=True):
            if place is None:
                slot.loose.append(leaf)
            else:
                place.give(leaf, by)
        _doubt_repeated(slot.members)

    # -- by order --

    def _collect_by_order(self, response: BatchResponse) -> None:
        """Take the order for that of the request, unless something contradicts."""
        items, tail = list(response.items), _tail_of(response)
        if tail is not None:
            before = self._regrouped(items[:-1], len(items))
            tail = tail if len(before) < len(self.slots) else None
        items = self._regrouped(items, len(items)) if tail is None else before
        pairs = self._pair(self.slots, items, response, tail)
        if pairs is not None:
            start = pairs[-1][0].indexes.stop if pairs else 0
            rest = _rest_of(response, tail)
            if rest is None and self.stops and _ends_in_error(items):
                rest = self._stopped_at(pairs[-1][0], start)
            self.rest = (rest or NOTHING)._replace(start=start)

    def _pair(
        self,
        slots: Sequence[Slot],
        items: Sequence[ResponseItem],
        response: BatchResponse,
        tail: OperationResponse | None = None,
    ) -> list[_Pair] | None:
        """Take items for the answers to slots, one by one, unless something contradicts.

        Return them as pairs, or `None` if nothing can be said of what comes after.
        """
        # A change set without operations has a place only if the number of responses says so.
        filled = [slot for slot in slots if slot.members or not slot.is_set]
        slots = filled if len(items) + (tail is not None) == len(filled) else slots
        pairs = list(zip(slots, items, strict=False))
        start = pairs[-1][0].indexes.stop if pairs else 0
        broken, kept = self._contradiction(slots, items, response, tail, start), 0
        if broken is not None and self._dissolved(response.items):
            return None
        gap = next((at for at, each in enumerate(items) if isinstance(each, Unreadable)), None)
        if self._seam is not None and (gap is None or self._seam < gap):
            gap = self._seam + 1
        if broken is not None and any(slot.is_flat for slot in slots):
            # What was taken apart are change sets: what comes before the first is in its place.
            kept = next((at for at, each in enumerate(slots) if len(each.members) > 1), 0)
            kept = 0 if any(self._misfit(*pair) for pair in pairs[:kept]) else kept
        elif gap is not None and broken is None:
            # It may be no response at all. Is there one to each item, or one too many?
            is_cut = response.truncated or len(items) < len(slots)
            if is_cut or (self.stops and _ends_in_error(items)):
                broken, kept = _AFTER_GAP, gap
        elif broken is None and self.stops and (again := _error_again(items)) is not None:
            # Nothing should follow an error.
            broken, kept = "it may be the response before its own, once more", again
        for place, (slot, item) in enumerate(pairs):
            if isinstance(item, Unreadable):
                _doubt(slot.members, _GAP)
            elif broken is not None and place >= kept and not self._is_confirmed(slot, item):
                _doubt(slot.members, broken)
            elif isinstance(item, ChangeSetResponse):
                self._take_members(slot, item)
            elif len(slot.members) == 1:
                slot.members[0].give(item, "position")
            elif slot.is_set:
                slot.whole = self.shared(slot, item, "position")
        if broken is None:
            return pairs
        for slot in slots[len(pairs) :]:
            _doubt(slot.members, broken)
        return None

    def _contradiction(
        self,
        slots: Sequence[Slot],
        items: Sequence[ResponseItem],
        response: BatchResponse,
        tail: OperationResponse | None,
        start: int,
    ) -> str | None:
        """Return why items cannot be the answers to slots, one by one."""
        pairs = list(zip(slots, items, strict=False))
        last = items[-1] if items else None
        for pair in pairs:
            if (why := self._misfit(*pair)) is not None:
                return why
        if tail is not None and (id := self._elsewhere(tail, range(start, len(self.sent)))):
            return f"the 202 at the end has the id {quote(id)} of an earlier operation"
        if (self.stops or response.truncated) and (why := self._taken_apart(pairs)) is not None:
            return why
        may_be_less = _rest_of(response, tail) is not None or (
            self.stops and (_ends_in_error(items) or isinstance(last, Unreadable))
        )
        if len(items) > len(slots) or (len(items) < len(slots) and not may_be_less):
            count = len(response.items)
            noun = "response" if count == 1 else "responses"
            return f"found {count} {noun}, expected {len(self.slots)}"
        return None

    def _regrouped(self, items: list[ResponseItem], count: int) -> list[ResponseItem]:
        """Return the items, put together again if a service has taken its change sets apart.

        One part answers a change set, so more parts than items are those of its members
        (SharePoint). Nothing is counted where something could not be read.
        """
        single = [item for item in items if isinstance(item, OperationResponse)]
        if count <= len(self.slots) or len(single) < len(items) or self._seam is not None:
            return items
        again = None if self.dialect.flat_responses else _error_again(items)
        if again is not None:
            # It may be doubled: without it, do the others answer the items one by one, or does it
            # follow what the batch stopped at?
            once = [*items[:again], *items[again + 1 :]]
            is_one_each = not any(map(self._misfit, self.slots, once))
            is_stopped = self.stops and len({*self.names.item_of[again - 1 : again + 1]}) > 1
            if (
                count != len(self.sent)
                or is_stopped
                or (is_one_each and len(once) == len(self.slots))
            ):
                return items
        regrouped: list[ResponseItem] = []
        for slot in self.slots:
            taken = single[slot.indexes.start : slot.indexes.stop]
            slot.is_flat = slot.is_set
            regrouped += [ChangeSetResponse(taken)] if slot.is_set and taken else taken
        return regrouped + list[ResponseItem](single[len(self.sent) :])

    def _dissolved(self, items: Sequence[ResponseItem]) -> bool:
        """Give responses to what they name, if they are those of change sets taken apart.

        Then each has an identifier, items are in order, and only a change set that failed, or what
        comes last, has operations without a response.
        """
        found = [
            self._only(item.id) if isinstance(item, OperationResponse) else None for item in items
        ]
        named = [each for each in found if each is not None]
        numbers = [self.names.item_of[each.index] for each in named]
        if len({*named}) < len(items) or numbers != sorted(numbers):
            return False
        answers = dict(zip(named, leaves(tuple(items)), strict=True))
        last = numbers[-1] + 1 if numbers else 0
        for slot in self.slots[:last]:
            failed = any(is_error(answers[each]) for each in slot.members if each in answers)
            if not failed and any(each not in answers for each in slot.members):
                return False
        if not any(len(slot.members) > 1 for slot in self.slots[:last]):
            return False
        for each, answer in answers.items():
            each.give(answer, "id")
            self.slots[self.names.item_of[each.index]].is_flat = True
        is_whole = not self._response.truncated and self._seam is None
        if is_whole and self.stops and _ends_in_error(items):
            # Of a change set of which a part is there, nothing tells that of the rest.
            self.rest = self._stopped_at(self.slots[last - 1], self.slots[last - 1].indexes.stop)
        return True

    def _taken_apart(self, pairs: Sequence[_Pair]) -> str | None:
        """Return that responses may be those to the members of a change set, one after the other.

        It is so if something follows an error where nothing should, or where the end is missing, so
        that the number of responses proves nothing; an identifier of the next item does.
        """
        for (slot, item), following in pairwise(pairs):
            is_single = isinstance(item, OperationResponse) and len(slot.members) > 1
            if is_single and not self._is_confirmed(*following):
                return f"the response in place of items[{slot.number}] may be to one of its members"
        return None

    def _misfit(self, slot: Slot, item: ResponseItem) -> str | None:
        """Return why the item cannot be what is expected in this place."""
        if not slot.members and not slot.is_set:
            return None  # the operation could not be read
        one = slot.members[0] if len(slot.members) == 1 else None
        if type(item) is OperationResponse and one is not None and item.id == one.id:
            return None
        place = f"items[{slot.number}]"
        if isinstance(item, ChangeSetResponse):
            if not slot.is_set:
                return f"the response to a change set was found in place of that to {place}"
        elif isinstance(item, OperationResponse):
            if (
                slot.is_set
                and one is None
                and not (self.dialect.atomicity_groups and is_error(item))
            ):
                return f"a single {item.status} was found in place of the responses to {place}"
        if (id := self._elsewhere(item, slot.indexes)) is not None:
            return f"the id {quote(id)} of another item was found in place of {place}"
        return None

    def _is_confirmed(self, slot: Slot, item: ResponseItem) -> bool:
        """Tell whether identifiers alone lead to this place, too."""
        if self._counts is None:
            answers = self._response.responses()
            self._counts = Counter(self._key(leaf.id) for leaf in answers if leaf.id is not None)
        ids = self._counts
        return self._misfit(slot, item) is None and all(
            leaf.id is not None
            and ids[self._key(leaf.id)] == len(self.names.named(leaf.id)) == 1
            and self._only(leaf.id, slot) is not None
            for leaf in leaves((item,))
        )

    # -- by identifier --

    def _collect_by_id(self, response: BatchResponse) -> None:
        """Take each response for that to what it names, the others by order where that holds."""
        items, tail = _without_tail(response)
        keys = [self._key(each.id) for each in self.sent if each.id is not None]
        for key in dict.fromkeys((*keys, *self._groups)):
            indexes, groups = self.names.named(key), self._groups.get(key, ())
            if len(indexes) + len(groups) > 1:
                members = [each for slot in groups for each in slot.members]
                members += [self.sent[index] for index in indexes]
                _doubt(members, f"the id {quote(key)} was sent more than once")
        anonymous: list[ResponseItem] = []
        for item in items:
            if isinstance(item, Unreadable):
                self._miss(item)
                anonymous += (item,) if item.id is None else ()
            elif isinstance(item, ChangeSetResponse):
                for inner in item.items:
                    if isinstance(inner, Unreadable):
                        self._miss(inner)
                anonymous += () if self._take_group(item) else (item,)
            elif item.id is None:
                anonymous.append(item)
            else:
                self._take(item, item.id)
        _doubt_repeated(self.sent)
        rest = _rest_of(response, tail)
        if self._strays:
            reason = f"no response to it was found, but one with the id {quote(self._strays[0])}"
            rest = Rest(State.UNKNOWN, f"{reason}, which was not sent")
        elif self._is_missing:
            reason = "no response with its id was found, and not all could be read"
            rest = Rest(State.UNKNOWN, reason)
        if any(True for _ in leaves(tuple(anonymous))):
            rest = self._take_anonymous(anonymous, response, rest)
        if rest is None and not any(each.doubt for each in self.sent):
            rest = self._stopped_by_id()
        self.rest = rest or NOTHING

    def _take_anonymous(
        self, items: list[ResponseItem], response: BatchResponse, rest: Rest | None
    ) -> Rest | None:
        """Take responses without identifier where there is one place for them."""
        loose, answers = list(leaves(tuple(items))), response.responses()
        left = [each for each in self.sent if not each.answers and each.doubt is None]
        if rest is None and len(loose) == len(left) == 1 and len(answers) == len(self.sent):
            left[0].give(loose[0], "position")
            return None
        if not self.json:
            # After what the batch stopped at, as far as identifiers tell, nothing was executed.
            stopped = self._stopped_by_id() if rest is None else None
            end = len(self.sent) if stopped is None else stopped.start
            slots = [
                each
                for each in self.slots
                if each.indexes.stop <= end and all(it.id is None for it in each.members)
            ]
            self._pair(slots, items, response)
            if rest is None and not any(each.answers for each in left):
                rest = Rest(State.UNKNOWN, f"no response has its id, and {len(loose)} have none")
            return rest
        reason = f"no response has its id, and {len(loose)} have none"
        return Rest(State.UNKNOWN, reason)

    def _miss(self, item: Unreadable) -> None:
        """Doubt what something that could not be read names, or whatever is missing."""
        operation, slot = self._only(item.id), self._only_group(item.id)
        if operation is not None:
            _doubt([operation], _GAP)
        elif slot is not None:
            _doubt(slot.members, _GAP)
        else:
            self._is_missing = True

    def _take(self, item: OperationResponse, id: str) -> None:
        """Take a response for that to the operation, or to the group, that it names."""
        operation, slot = self._only(id), self._only_group(id)
        if operation is not None:
            operation.give(item, "id")
        elif slot is None:
            is_known = self.names.named(id) or self._key(id) in self._groups
            self._strays += () if is_known else (id,)
        elif not is_error(item):
            _doubt(slot.members, f"a single {item.status} was found for its change set")
        elif slot.whole is not None:
            _doubt(slot.members, "2 responses to its change set were found")
        else:
            slot.whole = self.shared(slot, item, "id")

    def _take_group(self, item: ChangeSetResponse) -> bool:
        """Take responses that say that they belong together, and perhaps to which group.

        Tell whether anything in them says it.
        """
        answers = item.responses()
        group = self._only_group(item.id) if self.json else None
        targets = [each for leaf in answers if (each := self._only(leaf.id)) is not None]
        slots = [self.slots[self.names.item_of[each.index]] for each in targets]
        slots += [] if group is None else [group]
        named = [leaf for leaf in answers if leaf.id is not None]
        if not named and group is None:
            return False
        if group is not None and not item.items:
            _doubt(group.members, "its change set was answered with nothing")
        if any(slot is not slots[0] or not slot.is_set for slot in slots):
            for leaf in named:
                self._take(leaf, leaf.id or "")
            _doubt(targets, "its response is in a group that it was not sent in")
            members = [] if group is None or len(named) == len(answers) else group.members
            _doubt(members, "the id of another item was found in its change set")
        elif slots and len(named) < len(answers):
            self._take_members(slots[0], item)
        else:
            for leaf in named:
                self._take(leaf, leaf.id or "")
        return True

    def _stopped_by_id(self) -> Rest | None:
        """Return that the batch stopped: an error was found, and nothing was executed after it.

        OData JSON, 19.4: what a complete response leaves out was not processed. A JSON batch may be
        executed in any order, so that several errors do not contradict it, nor what was executed.
        """
        answers = [
            (slot.number, response)
            for slot in self.slots
            for response in (
                *(each.answers[0] for each in slot.members if each.answers),
                *((slot.whole.response,) if slot.whole is not None else ()),
            )
        ]
        errors = {number for number, response in answers if is_error(response)}
        executed = {number for number, response in answers if response.status != 424}
        # Beside another error, 424 is its consequence; alone it is what the batch stopped at.
        failed = errors & executed or errors
        executed |= failed
        if not (self.stops and failed and (self.json or failed == {max(executed)})):
            return None
        for slot in self.slots if self.json else ():
            if slot.is_set and any(each.answers for each in slot.members):
                missing = [each for each in slot.members if not each.answers]
                _doubt(missing, "a part of its change set was answered")
        start = 0 if self.json else self.slots[max(executed)].indexes.stop
        return self._stopped_at(self.slots[max(failed)], start)


def _doubt(members: Iterable[Sent], reason: str) -> None:
    for each in members:
        each.doubt = each.doubt or reason


def _doubt_repeated(members: list[Sent]) -> None:
    for each in members:
        if len(each.answers) > 1:
            _doubt([each], f"{len(each.answers)} responses to it were found")


def is_error(response: OperationResponse) -> bool:
    """Tell whether a response says that something failed."""
    return 400 <= response.status < 600


def location_of(response: OperationResponse) -> str | None:
    """Return the Location of a 202, where the result will be."""
    return response.headers.get("location") if response.status == 202 else None


def _ends_in_error(items: Sequence[ResponseItem]) -> bool:
    """Tell whether the last item, and no other, is an error."""
    return bool(items) and _has_failed(items[-1]) and not any(map(_has_failed, items[:-1]))


def _has_failed(item: ResponseItem) -> bool:
    if isinstance(item, OperationResponse):
        return is_error(item)
    return any(map(is_error, leaves((item,))))


def _error_again(items: Sequence[ResponseItem]) -> int | None:
    """Return where an error is followed by the same error; the place is that of the second."""
    pairs = enumerate(pairwise(items), 1)
    return next((at for at, (one, two) in pairs if _has_failed(one) and one == two), None)


def _is_json(response: BatchResponse) -> bool:
    """Tell whether the response was read as JSON, or has what only a JSON batch has."""
    if response.format is not None:
        return response.format == "json"
    return (
        response.next_link is not None
        or bool(response.annotations)
        or any(leaf.annotations for leaf in response.responses())
        or any(
            isinstance(item, ChangeSetResponse) and item.id is not None for item in response.items
        )
    )


def _tail_of(response: BatchResponse) -> OperationResponse | None:
    """Return the 202 that ends an interim result (OData Protocol, 11.7.7.5).

    In JSON, 19.6, it is about its own operation.
    """
    may_end = response.items and not response.truncated and not _is_json(response)
    last = response.items[-1] if may_end else None
    if isinstance(last, OperationResponse) and location_of(last) is not None:
        return last
    return None


def _without_tail(
    response: BatchResponse,
) -> tuple[tuple[ResponseItem, ...], OperationResponse | None]:
    """Return the items without the 202 at the end that stands for the rest, and that 202."""
    tail = _tail_of(response)
    if tail is None or tail.id is not None:
        return response.items, None
    return response.items[:-1], tail


def _rest_of(response: BatchResponse, tail: OperationResponse | None) -> Rest | None:
    """Return what became of those that are not answered, if the response itself says it."""
    if response.truncated:
        return Rest(State.UNKNOWN, "the response was cut off before its part")
    if tail is not None:
        reason = "the response ends with a 202 that stands for it"
        return Rest(State.PENDING, reason, Shared(tail), location_of(tail))
    if response.next_link is not None:
        reason = f"it is left to the next link {quote(response.next_link)}"
        return Rest(State.PENDING, reason, None, response.next_link)
    return None


def _index_in(response: OperationResponse) -> int | None:
    """Return the index with which the message of an error begins, `1:...`."""
    found: re.Match[str] | re.Match[bytes] | None = _XML_INDEX.search(response.body)
    if b'"odata.error"' in response.body:
        value: object = None
        with suppress(DecodeError):
            value = response.json()
        for name in ("odata.error", "message", "value"):
            value = value.get(name) if isinstance(value, dict) else None
        found = _INDEX.match(value) if isinstance(value, str) else None
    return None if found is None else int(found[1])


def _content_id_in(response: OperationResponse) -> str | None:
    """Return the Content-ID that an error annotates as that of the culprit, as CAP does."""
    value: object = None
    if b"ContentID" in response.body:
        with suppress(DecodeError):
            value = response.json()
    for name in ("error", "@Core.ContentID"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
