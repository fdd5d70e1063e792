"""What is found about the operations of a request, and the order of responses as evidence.

At the top level of multipart (OData Protocol, 11.7.7.5), and where there are no identifiers, items
go together one by one. An order is believed if the service could have sent all of it: then no
reader can tell that anything is wrong. If not, one thing may be missing, doubled, moved or changed:

- What contradicts, an item of another kind, the identifier of another one or a number that is
  wrong, is found anywhere after the damage. Nothing is told by order alone; what identifiers and
  order tell together is left.
- What could not be read, a delimiter that may be missing, and a response that is the one before,
  once more, and without which nothing would be wrong, are where the damage is. What comes before is
  told, and where there is one response to each item, what comes after, too.
- Some services do what the standard does not say: they take change sets apart, go on after an error
  that they should have stopped at, or answer a change set of one as they answer an operation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from odata_batch._client.outcomes import MatchedBy, State, content_id_in, index_in
from odata_batch._graph.names import Names, stops_at_error
from odata_batch._graph.prepare import prepare
from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import counted, quote
from odata_batch._model.values import (
    ChangeSetResponse,
    Format,
    OperationResponse,
    ResponseItem,
    Unreadable,
)

GAP = "its response could not be read"
_AFTER_GAP = "a response before its own could not be read"
_AGAIN = "it may be the response before its own, repeated"


class Shared(NamedTuple):
    """A response to several operations at once: a change set, or what is left to a 202."""

    response: OperationResponse
    matched_by: MatchedBy = "position"
    culprit: Sent | None = None
    """The member of the change set that it names."""
    note: str = ""
    """How it names it, or that it does not."""


class Rest(NamedTuple):
    """What applies to operations for which nothing was found."""

    state: State
    reason: str
    shared: Shared | None = None
    location: str | None = None
    start: int = 0
    """It applies to the operations from this one on; those before it are unknown."""


NOTHING = Rest(State.UNKNOWN, "no response to it was found")


@dataclass(slots=True, eq=False)
class Sent:
    """An operation, and what was found about it."""

    index: int
    operation: values.Operation
    id: str | None
    answers: list[OperationResponse] = field(default_factory=list)
    matched_by: MatchedBy | None = None
    doubt: str | None = None
    """Why the evidence about it cannot be trusted."""

    def give(self, response: OperationResponse, matched_by: MatchedBy) -> None:
        """Take a response for one to this operation."""
        self.answers.append(response)
        self.matched_by = matched_by

    def distrust(self, reason: str) -> None:
        """Take the evidence about it for doubtful; the first reason stays."""
        self.doubt = self.doubt or reason

    @property
    def clean(self) -> OperationResponse | None:
        """The only response to it, if it is beyond doubt."""
        return self.answers[0] if len(self.answers) == 1 and self.doubt is None else None


@dataclass(slots=True, eq=False)
class Slot:
    """An item of the request, and what was found about it as a whole."""

    number: int
    is_set: bool
    name: str | None
    indexes: range
    members: list[Sent]
    whole: Shared | None = None
    """The response to the change set as a whole."""
    loose: list[OperationResponse] = field(default_factory=list)
    """Responses of the change set that belong to no member for certain."""
    is_flat: bool = False
    """Whether the responses to its members come one after the other, not in a change set."""

    def distrust(self, reason: str) -> None:
        """Take the evidence about all of it for doubtful."""
        for each in self.members:
            each.distrust(reason)


class Evidence:
    """What a response says about the operations of a request, once it is collected."""

    def __init__(self, request: values.BatchRequest, format: Format, dialect: Dialect) -> None:
        prepared = prepare(request, format=format, dialect=dialect)
        self.dialect = dialect
        self.json = format == "json"
        self.stops = stops_at_error(request, format, dialect)
        self.surely_stops = self.stops and not dialect.may_go_on
        """Whether an error surely is the last that a response tells."""
        self.names = Names(prepared.items, dialect=dialect)
        self.key = self.names.key
        pairs = zip(request.operations(), self.names.operations, strict=True)
        self.sent = [Sent(index, own, each.id) for index, (own, each) in enumerate(pairs)]
        self.slots: list[Slot] = []
        self.rest = NOTHING
        self.response: values.BatchResponse
        self.seam: int | None = None
        """The item of the response after which others may be missing."""
        for number, (item, its) in enumerate(zip(prepared.items, self.names.members, strict=True)):
            is_set = isinstance(item, values.ChangeSet)
            members = self.sent[its.start : its.stop]
            self.slots.append(Slot(number, is_set, item.id if is_set else None, its, members))

    # -- names and places --

    def only(self, id: str | None, slot: Slot | None = None) -> Sent | None:
        """Return the only operation that has the identifier, of all or of an item."""
        if id is None:
            return None
        found = self.names.named(id) if slot is None else self.names.within(id, slot.indexes)
        return self.sent[found[0]] if len(found) == 1 else None

    def elsewhere(self, item: ResponseItem, indexes: range) -> str | None:
        """Return an identifier in the item that is that of other operations only."""
        ids: list[str | None] = [leaf.id for leaf in values.leaves((item,))]
        if isinstance(item, Unreadable):
            ids = [item.id]
        for id in ids:
            if id is not None and self.names.named(id) and not self.names.within(id, indexes):
                return id
        return None

    @cached_property
    def _counts(self) -> Counter[str]:
        """How often the response has each identifier."""
        answers = self.response.responses()
        return Counter(self.key(leaf.id) for leaf in answers if leaf.id is not None)

    def is_named(self, slot: Slot, item: ResponseItem) -> bool:
        """Tell whether identifiers alone lead from each response in the item to this place."""
        return all(
            leaf.id is not None
            and self._counts[self.key(leaf.id)] == len(self.names.named(leaf.id)) == 1
            and self.only(leaf.id, slot) is not None
            for leaf in values.leaves((item,))
        )

    def stopped_at(self, slot: Slot, start: int) -> Rest:
        """Return that nothing was executed after the item, from this operation on."""
        id = None if slot.is_set or not slot.members else slot.members[0].id
        place = f"items[{slot.number}]" if id is None else f"operation {quote(id)}"
        return Rest(State.NOT_EXECUTED, f"the batch stopped at {place}, which failed", start=start)

    # -- a change set --

    def shared(
        self, slot: Slot, response: OperationResponse, by: MatchedBy, index: int | None = None
    ) -> Shared:
        """Return the response as one for the whole change set, with the culprit if it is named.

        Its identifier may be that of the culprit, or none; so it is looked at, but not relied upon.
        """
        if len(slot.members) == 1:
            return Shared(response, by, slot.members[0], "it is the only one in it")
        at_index = slot.members[index : index + 1] if index is not None else []
        named = [(self.only(response.id, slot), "its id")]
        named += [(each, "the index in its message") for each in at_index]
        named += [(self.only(content_id_in(response), slot), "the Content-ID in its error")]
        found = [(culprit, how) for culprit, how in named if culprit is not None]
        if not found:
            return Shared(response, by, None, "the culprit is not named")
        culprit, how = found[0]
        others = [its for other, its in found if other is not culprit]
        if others:
            return Shared(response, by, None, f"{how} and {others[0]} name different operations")
        return Shared(response, by, culprit, f"{how} names it")

    def take_members(self, slot: Slot, item: ChangeSetResponse) -> None:
        """Take the responses for those to the members of a change set, in any order."""
        answers = item.responses()
        # The same error for each of several may be one response, doubled.
        are_one = len(answers) == 1 or (
            answers[1:] == answers[:-1] and self.dialect.atomicity_groups
        )
        if answers and are_one and is_error(answers[0]) and len(slot.members) > 1:
            slot.whole = self.shared(slot, answers[0], "position", index_in(answers[0]))
            return
        places = [self.only(leaf.id, slot) for leaf in answers]
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
        distrust_repeated(slot.members)


class Order:
    """Items of a response beside items of the request, and perhaps a 202 for those left over."""

    def __init__(
        self,
        evidence: Evidence,
        slots: Sequence[Slot],
        items: Sequence[ResponseItem],
        tail: OperationResponse | None = None,
    ) -> None:
        count = len(items) + (tail is not None)
        # A change set without operations has a place only if the number of responses says so.
        self.filled = [slot for slot in slots if slot.members or not slot.is_set]
        self.evidence = evidence
        self.slots = self.filled if count == len(self.filled) else slots
        self.items = items
        self.tail = tail
        self.pairs = list(zip(self.slots, items, strict=False))
        self.start = self.pairs[-1][0].indexes.stop if self.pairs else 0
        """The first operation after those that have an item."""
        self.rest = rest_of(evidence.response, tail)
        self.by: MatchedBy = "position"
        self.flaws = list(self._flaws(items))
        self.end = self.flaws[0][0] if self.flaws else len(items)
        """The first place at which something is wrong."""

    def put_together(self) -> Order:
        """Return the same with the change sets that a service has taken apart as one (SharePoint).

        One response answers a change set, so that more than there are items are those of members.
        Of one that failed, only those may be there that were executed, as identifiers tell.
        """
        evidence = self.evidence
        singles = [each for each in self.items if isinstance(each, OperationResponse)]
        is_doubled = self.doubled is not None and not evidence.dialect.flat_responses
        is_read = len(singles) == len(self.items) and evidence.seam is None
        if is_doubled or not (self.flaws and is_read):
            return self
        owners = [evidence.only(each.id) for each in singles]
        numbers = [evidence.names.item_of[each.index] for each in owners if each is not None]
        is_named, sizes = len({*owners} - {None}) == len(singles), Counter(numbers)
        slots = self.filled
        found: list[ResponseItem] = []
        by: MatchedBy = "position"
        at = 0
        for slot in slots:
            size = sizes[slot.number] if is_named else len(slot.members) or 1
            taken = singles[at : at + size]
            if at < len(singles) and len(taken) < len(slot.members):
                if not (is_named and any(map(is_error, taken))):
                    return self
                by = "id"
            found += [ChangeSetResponse(taken)] if slot.is_set and taken else taken
            at += size
        order = Order(evidence, slots, [*found, *singles[at:]], self.tail)
        is_long = len(singles) + (self.tail is not None) > len(evidence.slots)
        is_likely = is_long and (any(owners) or not order.flaws)
        if (numbers != sorted(numbers)) if is_named else not is_likely:
            return self
        for slot in slots:
            slot.is_flat = slot.is_set
        order.by = by
        return order

    def take(self) -> bool:
        """Give the items to the slots; tell whether something can be said of what comes after."""
        why, kept = self._doubt()
        for place, (slot, item) in enumerate(self.pairs):
            if isinstance(item, Unreadable):
                slot.distrust(GAP)
            elif why and place >= kept and not self._is_confirmed(slot, item):
                slot.distrust(why)
            elif isinstance(item, ChangeSetResponse):
                self.evidence.take_members(slot, item)
            elif len(slot.members) == 1:
                slot.members[0].give(item, self.by)
            elif slot.is_set:
                slot.whole = self.evidence.shared(slot, item, "position")
        for slot in self.slots[len(self.pairs) :] if why else ():
            slot.distrust(why)
        return not why

    def what_comes_after(self) -> Rest:
        """Return what became of the items without a response."""
        if self.rest is None and self.evidence.stops and _ends_in_error(self.items):
            return self.evidence.stopped_at(self.pairs[-1][0], self.start)
        return (self.rest or NOTHING)._replace(start=self.start)

    # -- what the service could have sent --

    def _flaws(self, items: Sequence[ResponseItem]) -> Iterator[tuple[int, str]]:
        """Yield where no service sends these items, and why; where some do so, without a reason."""
        evidence, has_failed = self.evidence, False
        is_short = len(items) < len(self.slots) and not (
            evidence.dialect.flat_responses or evidence.response.truncated
        )
        for place, (slot, item) in enumerate(zip(self.slots, items, strict=False)):
            why = self._misfit(slot, item)
            if why == "" and is_short and not evidence.is_named(slot, item):
                why = f"the response in place of items[{slot.number}] may be to another one"
            if why is not None or (has_failed and evidence.surely_stops):
                yield place, why or ""
            has_failed = has_failed or _has_failed(item)
        left = range(self.start, len(evidence.sent))
        if self.tail is not None and (id := evidence.elsewhere(self.tail, left)):
            yield len(items), f"the 202 at the end has the id {quote(id)} of an earlier operation"
        missing = len(self.slots) - len(items)
        # What could not be read at the end may be what the batch stopped at.
        may_be_less = self.rest is not None or (
            evidence.stops and (_ends_in_error(items) or any(map(_is_gap, items[-1:])))
        )
        if missing < 0 or (missing > 0 and not may_be_less):
            found = f"found {counted(len(evidence.response.items), 'response')}"
            expected = f"expected {len(evidence.slots)}"
            yield min(len(items), len(self.slots)), f"{found}, {expected}"
        elif evidence.response.truncated:
            yield len(items), ""

    @cached_property
    def doubled(self) -> int | None:
        """Where a response is the one before, if without it nothing is wrong any more."""
        items = self.items[: self.end + 1] if self.flaws else ()
        places = [at for at in range(1, len(items)) if items[at] == items[at - 1]]
        # If what is wrong comes from a repetition, then from the last one before it.
        if not places or any(self._flaws([*items[: places[-1]], *self.items[places[-1] + 1 :]])):
            return None
        return places[0]

    def _doubt(self) -> tuple[str, int]:
        """Return why the order is not believed, and from which place on; or that it is."""
        evidence, items = self.evidence, self.items
        if not self.flaws and evidence.seam is None:
            return "", 0
        if why := next((why for _, why in self.flaws if why), "") or self._taken_apart():
            return why, 0
        gaps = [at for at, each in enumerate(items) if _is_gap(each)]
        gaps += [] if evidence.seam is None else [evidence.seam + 1]
        # It may be no response at all. Is there one to each item, or one too many?
        is_cut = evidence.response.truncated or len(items) < len(self.slots)
        if gaps and (is_cut or (evidence.stops and _ends_in_error(items))):
            return _AFTER_GAP, min(gaps)
        return ("", 0) if self.doubled is None else (_AGAIN, self.doubled)

    def _taken_apart(self) -> str:
        """Return that a response in place of a change set may be to one of its members.

        Where anything is wrong, the number of responses proves nothing; an identifier of the next
        item does, and that nothing is wrong so far.
        """
        for place, (slot, item) in enumerate(self.pairs):
            is_certain = self.evidence.seam is None and place < self.end
            if place + 1 < len(self.pairs):
                is_certain = self._is_confirmed(*self.pairs[place + 1])
            if isinstance(item, OperationResponse) and len(slot.members) > 1 and not is_certain:
                name = f"items[{slot.number}]"
                return f"the response in place of {name} may be to one of its members"
        return ""

    @cached_property
    def _says_ids(self) -> bool:
        """Whether a response has the identifier of an operation that is in no change set."""
        evidence = self.evidence
        found = (evidence.only(it.id) for it in self.items if isinstance(it, OperationResponse))
        return any(
            each and not evidence.slots[evidence.names.item_of[each.index]].is_set for each in found
        )

    def _is_confirmed(self, slot: Slot, item: ResponseItem) -> bool:
        """Tell whether identifiers alone lead to this place, too."""
        return not self._misfit(slot, item) and self.evidence.is_named(slot, item)

    def _misfit(self, slot: Slot, item: ResponseItem) -> str | None:
        """Return why the item cannot be what is expected in this place, `None` if it can.

        It is empty if it can, and yet the standard has it otherwise.
        """
        place, members = f"items[{slot.number}]", slot.members
        is_atomic, is_odd = self.evidence.dialect.atomicity_groups, isinstance(item, Unreadable)
        if not members and not slot.is_set:
            return "" if is_odd else None  # the operation could not be read
        if isinstance(item, OperationResponse):
            if len(members) == 1 and item.id == members[0].id and not slot.is_set:
                return None
            if slot.is_set and len(members) != 1 and not (is_atomic and is_error(item)):
                return f"a single {item.status} was found in place of the responses to {place}"
            is_mute = item.id is None and not slot.is_set and members[0].id is not None
            is_odd = (slot.is_set and not is_error(item)) or (is_mute and self._says_ids)
        elif isinstance(item, ChangeSetResponse):
            if not slot.is_set:
                return f"the response to a change set was found in place of that to {place}"
            answers = item.responses()
            is_for_all = is_atomic and len(answers) == 1 and is_error(answers[0])
            is_read = not any(map(_is_gap, item.items))
            is_odd = is_read and len(answers) != len(members) and not is_for_all
        if (id := self.evidence.elsewhere(item, slot.indexes)) is not None:
            return f"the id {quote(id)} of another item was found in place of {place}"
        return "" if is_odd else None


def _has_failed(item: ResponseItem) -> bool:
    if isinstance(item, OperationResponse):
        return is_error(item)
    return any(map(is_error, values.leaves((item,))))


def _ends_in_error(items: Sequence[ResponseItem]) -> bool:
    """Tell whether the last item, and no other, is an error."""
    return bool(items) and _has_failed(items[-1]) and not any(map(_has_failed, items[:-1]))


def _is_gap(item: ResponseItem) -> bool:
    return isinstance(item, Unreadable)


def rest_of(response: values.BatchResponse, tail: OperationResponse | None) -> Rest | None:
    """Return what became of those that are not answered, if the response itself says it."""
    if response.truncated:
        return Rest(State.UNKNOWN, "the response was cut off before its part")
    if tail is not None:
        reason = "the response ends with a 202 for all that is left"
        return Rest(State.PENDING, reason, Shared(tail), location_of(tail))
    if response.next_link is not None:
        reason = f"its response comes with the next link {quote(response.next_link)}"
        return Rest(State.PENDING, reason, None, response.next_link)
    return None


def distrust_repeated(members: Iterable[Sent]) -> None:
    """Doubt what several responses were found to."""
    for each in members:
        if len(each.answers) > 1:
            each.distrust(f"{len(each.answers)} responses to it were found")


def is_error(response: OperationResponse) -> bool:
    """Tell whether a response says that something failed."""
    return 400 <= response.status < 600


def location_of(response: OperationResponse) -> str | None:
    """Return the Location of a 202, where the result will be."""
    return response.headers.get("location") if response.status == 202 else None
