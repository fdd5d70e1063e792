"""Which operation of a batch worked, and which did not: OData Protocol, 11.7.7.5; OData JSON, 19.5.

A response says it in many ways: part by part, with one part for a change set that failed, with
fewer parts after an error or a 202, in any order with identifiers. So the work is done in two
steps. First the evidence is collected, by identifier or by position, whichever the list at hand
allows: responses to operations, responses that stand for a change set, and doubts. Then each item
of the request is judged by the evidence about it. Where two readers might disagree, the verdict is
`UNKNOWN`; what is not accounted for never succeeds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from odata_batch._client.outcomes import BatchResult, MatchedBy, Outcome, State
from odata_batch._coding.settings import Settings, known_format
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
_LOOSE = "its change set was answered, but not every response tells which operation it is for"


def match(
    settings: Settings, request: BatchRequest, response: BatchResponse | None, status: int | None
) -> BatchResult:
    """Return what became of each operation of the batch."""
    if not isinstance(request, BatchRequest):
        raise TypeError(f"request is a BatchRequest, not {type(request).__name__}")
    if not isinstance(response, BatchResponse | None):
        raise TypeError(f"response is a BatchResponse or None, not {type(response).__name__}")
    format = known_format(settings, request)
    by_ids_alone = format is None and response is not None and response.format == "json"
    format = "json" if by_ids_alone else format or "multipart"
    evidence = Evidence(request, format, settings.dialect)
    refused = status is not None and 400 <= status < 500 and status != 408
    # What is neither truncated nor continued elsewhere, and has no items, says nothing itself.
    if response is None or (
        refused and not (response.items or response.truncated or response.next_link is not None)
    ):
        state, reason = State.UNKNOWN, "there is no response"
        if refused:
            state, reason = State.FAILED, f"the batch as a whole was refused with {status}"
        elif status is not None:
            reason = f"there is no response but the status {status}"
        refusal = status if refused else None
        outcomes = [_outcome(each, state, reason) for each in evidence.sent]
        return BatchResult(tuple(replace(each, refusal=refusal) for each in outcomes))
    if by_ids_alone:
        evidence.collect_in_unknown_format(request, response)
    else:
        evidence.collect(response)
    return BatchResult(tuple(evidence.outcomes()))


class _Shared(NamedTuple):
    """A response that stands for several operations: a change set, or what is left to a 202."""

    response: OperationResponse
    matched_by: MatchedBy = "position"
    culprit: _Sent | None = None
    """The member of the change set that it names."""
    note: str = ""
    """How it names it, or that it does not."""


class _Rest(NamedTuple):
    """What is to be said of operations for which nothing was found."""

    state: State
    reason: str
    shared: _Shared | None = None
    location: str | None = None
    start: int = 0
    """It is said of the operations from this one on; those before it are unknown."""


@dataclass(slots=True, eq=False)
class _Sent:
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
class _Slot:
    """An item of the request, and what was found about it as a whole."""

    place: str
    is_set: bool
    indexes: range
    members: list[_Sent]
    whole: _Shared | None = None
    """What stands for the change set."""
    loose: list[OperationResponse] = field(default_factory=list)
    """Responses of the change set that are no member's for certain."""


_NOTHING = _Rest(State.UNKNOWN, "no response to it was found")
_Pairs: TypeAlias = list[tuple[_Slot, ResponseItem]]


class Evidence:
    """What a response says about the operations of a request: collected first, then judged."""

    def __init__(self, request: BatchRequest, format: Format, dialect: Dialect) -> None:
        prepared = prepare(request, format=format, dialect=dialect)
        self.json = format == "json"
        self.pends_alone = self.json
        """Whether a 202 with a Location is about its own operation alone."""
        self.atomic = dialect.atomicity_groups
        self.stops = stops_at_error(request, format, dialect)
        self.names = Names(prepared.items, dialect=dialect)
        self.key = self.names.key
        pairs = zip(request.operations(), prepared.operations(), strict=True)
        self.sent = [_Sent(index, own, each.id) for index, (own, each) in enumerate(pairs)]
        self.slots: list[_Slot] = []
        self.groups: dict[str, list[_Slot]] = {}
        """The change sets of each name."""
        for number, item in enumerate(prepared.items):
            indexes, is_set = self.names.members[number], isinstance(item, ChangeSet)
            members = self.sent[indexes.start : indexes.stop]
            self.slots.append(_Slot(f"items[{number}]", is_set, indexes, members))
            if is_set and item.id is not None:
                self.groups.setdefault(self.key(item.id), []).append(self.slots[-1])
        self.strays: list[str] = []
        """The identifiers of responses that were not sent."""
        self.rest = _NOTHING

    def collect(self, response: BatchResponse) -> None:
        """Collect what the response says."""
        is_json = _is_json(response)
        self.pends_alone = self.json or is_json
        # What was sent in multipart and is answered in JSON needs an identifier each.
        unique = {self.key(each.id) for each in self.sent if each.id is not None}
        by_id = self.json or (is_json and len(unique) == len(self.sent))
        if by_id and all(map(self._has_ids, _without_tail(response)[0])):
            self._collect_by_id(response)
        else:
            self._collect_by_position(response)

    def collect_in_unknown_format(self, request: BatchRequest, response: BatchResponse) -> None:
        """Collect what a JSON response says by identifiers to a request that was sent in either."""
        reason = "nothing says in which format the batch was sent"
        other = Evidence(request, "multipart", self.names.dialect).sent
        pairs = [each for each in zip(self.sent, other, strict=True) if each[0].id != each[1].id]
        if any(its.id is not None for _, its in pairs):
            # In the other format, the same identifiers were generated for other operations.
            _doubt([mine for mine, _ in pairs], f"{reason}, and its id depends on that")
        self._collect_by_id(response)
        self.rest = _Rest(State.UNKNOWN, f"no response has its id, and {reason}")

    # -- names and places --

    def _only(self, id: str | None, slot: _Slot | None = None) -> _Sent | None:
        """Return the only operation that has the identifier, of all or of an item."""
        if id is None:
            return None
        found = self.names.named(id) if slot is None else self.names.within(id, slot.indexes)
        return self.sent[found[0]] if len(found) == 1 else None

    def _only_group(self, name: str) -> _Slot | None:
        found = self.groups.get(self.key(name), ())
        return found[0] if len(found) == 1 else None

    def _is_elsewhere(self, id: str | None, indexes: range) -> bool:
        """Tell whether the identifier is that of other operations only."""
        if id is None or not self.names.named(id):
            return False
        return not self.names.within(id, indexes)

    def _stopped_at(self, slot: _Slot, start: int) -> _Rest:
        id = None if slot.is_set or not slot.members else slot.members[0].id
        place = slot.place if id is None else f"operation {quote(id)}"
        reason = f"the batch stopped at {place}, which failed"
        return _Rest(State.NOT_EXECUTED, reason, start=start)

    def _shared(
        self, slot: _Slot, response: OperationResponse, by: MatchedBy, index: int | None = None
    ) -> _Shared:
        """Return the response as one for the whole change set, with the culprit if it is named.

        Its identifier may be that of the culprit, or none; so it is asked, but not relied upon.
        """
        by_id, by_index = self._only(response.id, slot), None
        if index is not None and index < len(slot.members):
            by_index = slot.members[index]
        if len(slot.members) == 1:
            return _Shared(response, by, slot.members[0], "it is the only one in it")
        if by_id is not None and by_index is not None and by_id is not by_index:
            note = "its id and the index in its message name different operations"
            return _Shared(response, by, None, note)
        if by_id is not None:
            return _Shared(response, by, by_id, "its id names it")
        if by_index is not None:
            return _Shared(response, by, by_index, "the index in its message names it")
        return _Shared(response, by, None, "the culprit is not named")

    def _take_members(self, slot: _Slot, answers: tuple[OperationResponse, ...]) -> None:
        """Take the responses for those to the members of a change set, in any order."""
        if len(answers) == 1 and _is_error(answers[0]) and len(slot.members) > 1:
            slot.whole = self._shared(slot, answers[0], "position", _index_in(answers[0]))
            return
        places = [self._only(leaf.id, slot) for leaf in answers]
        by: MatchedBy = "id"
        if any(leaf.id is None for leaf in answers) and len(answers) == len(slot.members):
            # Without an identifier in each response the order is all there is.
            by = "position"
            triples = zip(answers, places, slot.members, strict=True)
            agree = all(leaf.id is None or place is each for leaf, place, each in triples)
            places = [each if agree else None for each in slot.members]
        for leaf, place in zip(answers, places, strict=True):
            if place is None:
                slot.loose.append(leaf)
            else:
                place.give(leaf, by)
        _doubt_repeated(slot.members)

    # -- by position --

    def _collect_by_position(self, response: BatchResponse) -> None:
        """Take the order for that of the request, unless something contradicts."""
        items, tail = self._in_order(response)
        count = len(items) + (tail is not None)
        # A change set without operations has a place only if the number of responses says so.
        filled = [slot for slot in self.slots if slot.members]
        slots = filled if count == len(filled) else self.slots
        pairs = list(zip(slots, items, strict=False))
        start = pairs[-1][0].indexes.stop if pairs else 0
        rest = _rest_of(response, tail) or self._stopped(pairs)
        ids = Counter(self.key(leaf.id) for leaf in response.responses() if leaf.id is not None)
        broken = next((why for pair in pairs if (why := self._misfit(*pair))), None)
        if tail is not None and self._is_elsewhere(tail.id, range(start, len(self.sent))):
            id = quote(tail.id or "")
            broken = broken or f"the 202 at the end has the id {id} of an earlier operation"
        if self.stops or response.truncated:
            broken = broken or self._taken_apart(pairs, ids)
        gaps = [place for place, (_, item) in enumerate(pairs) if isinstance(item, Unreadable)]
        last_is_gap = bool(gaps) and gaps[-1] == len(pairs) - 1
        if last_is_gap and self.stops and len(items) <= len(slots):
            rest = rest or _Rest(State.UNKNOWN, f"{_GAP}, or that of an operation before it")
        if count != len(slots) and (rest is None or len(items) > len(slots)):
            noun = "response" if len(response.items) == 1 else "responses"
            broken = broken or f"found {len(response.items)} {noun}, expected {len(slots)}"
        # What could not be read may be no response at all: what comes after it is in its place if
        # there is a response to each item, and if that is not because the batch had stopped.
        is_counted = len(items) == len(slots) and self._stopped(pairs) is None
        for place, (slot, item) in enumerate(pairs):
            if isinstance(item, Unreadable):
                _doubt(slot.members, _GAP)
            elif broken is not None and not self._is_confirmed(slot, item, ids):
                _doubt(slot.members, broken)
            elif (
                gaps and place > gaps[0] and not (is_counted or self._is_confirmed(slot, item, ids))
            ):
                _doubt(slot.members, "a response before its own could not be read")
            elif isinstance(item, ChangeSetResponse):
                self._take_members(slot, item.responses())
            elif len(slot.members) == 1:
                slot.members[0].give(item, "position")
            elif slot.is_set:
                slot.whole = self._shared(slot, item, "position")
        if broken is not None or (gaps and not is_counted):
            _doubt(self.sent[start:], broken or "a response before could not be read")
            return
        self.rest = (rest or _NOTHING)._replace(start=start)
        if response.truncated and pairs and not self.pends_alone:
            slot, item = pairs[-1]
            if isinstance(item, OperationResponse) and _location(item) is not None:
                reason = "the response was cut off after a 202, which may stand for the rest"
                _doubt(slot.members, reason)

    def _in_order(
        self, response: BatchResponse
    ) -> tuple[list[ResponseItem], OperationResponse | None]:
        """Return what stands for one item each, and the 202 that stands for the rest."""
        # In JSON, 19.6, a 202 is about its own operation; without identifiers it explains no gap.
        tail = None if self.json else _tail_of(response)
        if tail is not None:
            items = self._regrouped(response.items[:-1], len(response.items))
            if len(items) < len(self.slots):
                return items, tail
        return self._regrouped(response.items, len(response.items)), None

    def _regrouped(self, items: tuple[ResponseItem, ...], count: int) -> list[ResponseItem]:
        """Return the items, put together again if a service has taken its change sets apart.

        One part answers a change set, so more parts than items are those of its members
        (SharePoint).
        """
        # Nothing is counted where something could not be read.
        single = [item for item in items if isinstance(item, OperationResponse)]
        if count <= len(self.slots) or len(single) < len(items):
            return list(items)
        regrouped: list[ResponseItem] = []
        for slot in self.slots:
            taken = single[slot.indexes.start : slot.indexes.stop]
            regrouped += [ChangeSetResponse(taken)] if slot.is_set and taken else taken
        return regrouped + single[len(self.sent) :]

    def _taken_apart(self, pairs: _Pairs, ids: Counter[str]) -> str | None:
        """Return that responses may be those to the members of a change set, one after the other.

        It is so if something follows an error where nothing should, or where the end is missing, so
        that the number of responses proves nothing; an identifier of the next item does.
        """
        for (slot, item), following in pairwise(pairs):
            is_single = isinstance(item, OperationResponse) and len(slot.members) > 1
            if is_single and not self._is_confirmed(*following, ids):
                return f"the response in place of {slot.place} may be to one of its operations"
        return None

    def _misfit(self, slot: _Slot, item: ResponseItem) -> str | None:
        """Return why the item cannot be what is expected in this place."""
        if isinstance(item, Unreadable):
            is_other = self._is_elsewhere(item.id, slot.indexes)
            return (
                f"what could not be read in place of {slot.place} is another's"
                if is_other
                else None
            )
        if not slot.members and not slot.is_set:
            return None  # the operation could not be read
        if isinstance(item, ChangeSetResponse):
            if not slot.is_set:
                return f"the response to a change set was found in place of that to {slot.place}"
        elif slot.is_set and len(slot.members) != 1 and not (self.atomic and _is_error(item)):
            return f"a single {item.status} was found in place of the responses to {slot.place}"
        elif item.id is not None and not (slot.is_set and _is_error(item)):
            expected = slot.members[0].id
            if expected is not None and self.key(expected) != self.key(item.id):
                return f"the id {quote(item.id)} was found in place of {quote(expected)}"
        for leaf in leaves((item,)):
            if self._is_elsewhere(leaf.id, slot.indexes):
                id = quote(leaf.id or "")
                return f"the id {id} of another item was found in place of {slot.place}"
        return None

    def _stopped(self, pairs: _Pairs) -> _Rest | None:
        """Return that the batch stopped, if the last response, and no other, is an error."""
        failed = [slot for slot, item in pairs if any(map(_is_error, leaves((item,))))]
        is_last = len(failed) == 1 and failed[0] is pairs[-1][0]
        return self._stopped_at(failed[0], 0) if self.stops and is_last else None

    def _is_confirmed(self, slot: _Slot, item: ResponseItem, ids: Counter[str]) -> bool:
        """Tell whether identifiers alone lead to this place, too."""
        return self._misfit(slot, item) is None and all(
            leaf.id is not None
            and ids[self.key(leaf.id)] == len(self.names.named(leaf.id)) == 1
            and self._only(leaf.id, slot) is not None
            for leaf in leaves((item,))
        )

    # -- by identifier --

    def _has_ids(self, item: ResponseItem) -> bool:
        """Tell whether identifiers suffice to find what the item belongs to."""
        if self.json and isinstance(item, ChangeSetResponse) and item.id is not None:
            if self.key(item.id) in self.groups:
                return True
        return isinstance(item, Unreadable) or all(leaf.id is not None for leaf in leaves((item,)))

    def _collect_by_id(self, response: BatchResponse) -> None:
        """Take each response for that to what it names."""
        items, tail = _without_tail(response)
        keys = [self.key(each.id) for each in self.sent if each.id is not None]
        for key in dict.fromkeys((*keys, *self.groups)):
            indexes, groups = self.names.named(key), self.groups.get(key, ())
            if len(indexes) + len(groups) > 1:
                members = [each for slot in groups for each in slot.members]
                members += [self.sent[index] for index in indexes]
                _doubt(members, f"the id {quote(key)} was sent more than once")
        unreadable: list[Unreadable] = []
        for item in items:
            if isinstance(item, Unreadable):
                unreadable.append(item)
            elif isinstance(item, ChangeSetResponse):
                unreadable += [each for each in item.items if isinstance(each, Unreadable)]
                self._take_group(item)
            else:
                self._take(item)
        _doubt_repeated(self.sent)
        if self.strays:
            reason = f"no response to it was found, but one with the id {quote(self.strays[0])}"
            self.rest = _Rest(State.UNKNOWN, f"{reason}, which was not sent")
        elif True in list(map(self._take_unreadable, unreadable)):
            reason = "no response with its id was found, and one could not be read"
            self.rest = _Rest(State.UNKNOWN, reason)
        elif not any(each.doubt for each in self.sent):
            self.rest = _rest_of(response, tail) or self._stopped_by_id() or _NOTHING

    def _take_unreadable(self, item: Unreadable) -> bool:
        """Doubt whatever it names; tell whether it could be anything."""
        operation, slot = self._only(item.id), self._only_group(item.id or "")
        _doubt([operation] if operation is not None else [], _GAP)
        _doubt(slot.members if slot is not None else [], _GAP)
        return operation is None and slot is None

    def _take(self, item: OperationResponse) -> None:
        """Take a response for that to the operation, or to the group, that it names."""
        id = item.id or ""
        operation, slot = self._only(id), self._only_group(id)
        if operation is not None:
            operation.give(item, "id")
        elif slot is None:
            is_known = self.names.named(id) or self.key(id) in self.groups
            self.strays += () if is_known else (id,)
        elif not _is_error(item):
            _doubt(slot.members, f"a single {item.status} was found for its change set")
        elif slot.whole is not None:
            _doubt(slot.members, "2 responses to its change set were found")
        else:
            slot.whole = self._shared(slot, item, "id")

    def _take_group(self, item: ChangeSetResponse) -> None:
        """Take responses that say that they belong together, and perhaps to which group."""
        answers = item.responses()
        group = self._only_group(item.id) if self.json and item.id is not None else None
        if group is not None and any(leaf.id is None for leaf in answers):
            strange = [leaf.id for leaf in answers if self._is_elsewhere(leaf.id, group.indexes)]
            if strange:
                reason = (
                    f"the id {quote(strange[0] or '')} of another item was found in its change set"
                )
                _doubt(group.members, reason)
            else:
                self._take_members(group, answers)
            return
        targets = [each for leaf in answers if (each := self._only(leaf.id or "")) is not None]
        slots = [self.slots[self.names.item_of[each.index]] for each in targets]
        slots += [] if group is None else [group]
        for leaf in answers:
            self._take(leaf)
        if any(slot is not slots[0] or not slot.is_set for slot in slots):
            _doubt(targets, "its response is in a group that it was not sent in")

    def _stopped_by_id(self) -> _Rest | None:
        """Return that the batch stopped: an error was found, and nothing was executed after it.

        A JSON batch may be executed in any order, so that several errors do not contradict it.
        """
        answers = [
            (number, response)
            for number, slot in enumerate(self.slots)
            for response in (
                *(each.answers[0] for each in slot.members if each.answers),
                *((slot.whole.response,) if slot.whole is not None else ()),
            )
        ]
        errors = {number for number, response in answers if _is_error(response)}
        executed = {number for number, response in answers if response.status != 424}
        # Beside another error, 424 is its consequence; alone it is what the batch stopped at.
        failed = errors & executed or errors
        executed |= failed
        if not (self.stops and failed and (self.json or failed == {max(executed)})):
            return None
        return self._stopped_at(self.slots[max(failed)], self.slots[max(executed)].indexes.stop)

    # -- the verdicts --

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of each operation, in order."""
        for slot in self.slots:
            if not (self.atomic and slot.is_set):
                yield from (self._alone(slot, each) for each in slot.members)
                continue
            # The errors for which the change set has failed
            causes = [each.clean for each in slot.members] + slot.loose
            if slot.whole is not None and not any(each.doubt for each in slot.members):
                causes.append(slot.whole.response)
            errors = [each for each in causes if each is not None and _is_error(each)]
            yield from self._failed_together(slot, errors) if errors else self._together(slot)

    def _alone(self, slot: _Slot, each: _Sent) -> Outcome:
        """Return what became of an operation that stands on its own."""
        if each.doubt is not None:
            return _outcome(each, State.UNKNOWN, each.doubt)
        if slot.whole is not None and not each.answers:
            state = State.FAILED if slot.whole.culprit is each else State.UNKNOWN
            reason = f"its change set was answered with a single {slot.whole.response.status}"
            return _outcome(each, state, f"{reason}; {slot.whole.note}", slot.whole)
        if slot.loose and not each.answers:
            return _outcome(each, State.UNKNOWN, _LOOSE)
        return self._by_own(each)

    def _by_own(self, each: _Sent) -> Outcome:
        """Return what the response to the operation says, or what is said of those without."""
        if not each.answers:
            rest = self.rest if each.index >= self.rest.start else _NOTHING
            return _outcome(each, rest.state, rest.reason, rest.shared, rest.location)
        response = each.answers[0]
        reason = f"answered with {response.status}"
        location = _location(response) if self.pends_alone else None
        if location is not None:
            reason = f"{reason}, and the result will be at {quote(location)}"
            return _outcome(each, State.PENDING, reason, location=location)
        if _is_error(response):
            return _outcome(each, _state_of_error(response), reason)
        if 200 <= response.status < 400:
            return _outcome(each, State.SUCCEEDED, reason)
        return _outcome(each, State.UNKNOWN, f"{reason}, which is not final")

    def _failed_together(self, slot: _Slot, causes: list[OperationResponse]) -> Iterator[Outcome]:
        """Yield what became of a change set of which an error was found: nothing was applied.

        OData JSON, 19.5: if any member of a group failed, all have, whatever their own status says.
        """
        shared, error = slot.whole, next(filter(_is_error, slot.loose), None)
        if shared is None and error is not None:
            # It is no member's for certain, so that it stands for all.
            shared = self._shared(slot, error, "position")
        failed = [each for each in slot.members if each.clean and _is_error(each.clean)]
        # What failed by itself comes before what failed for the sake of another.
        culprit = min(failed, key=lambda each: each.answers[0].status == 424, default=None)
        status = (causes[0] if culprit is None else culprit.answers[0]).status
        if culprit is None and shared is not None:
            culprit = shared.culprit
        note = "" if shared is None else f"; {shared.note}"
        if culprit is not None:
            note = f" for operation {quote(culprit.id or '')}"
        reason = f"its change set failed with {status}{note}"
        # Beside an error of its own, 424 says that a member was taken down by that one.
        is_culprit_known = any(each.status != 424 for each in causes)
        for each in slot.members:
            own = each.clean
            if own and _is_error(own) and not (own.status == 424 and is_culprit_known):
                yield self._by_own(each)
            elif own is not None or shared is None:
                yield _outcome(each, State.ROLLED_BACK, reason)
            elif shared.culprit is each or shared.response.status == 424:
                named = f"its change set failed with {shared.response.status}; {shared.note}"
                yield _outcome(each, _state_of_error(shared.response), named, shared)
            else:
                yield _outcome(each, State.ROLLED_BACK, reason, shared)

    def _together(self, slot: _Slot) -> Iterator[Outcome]:
        """Yield what became of a change set of which no error was found: all of it the same."""
        doubts = [each.doubt for each in slot.members if each.doubt is not None]
        doubts += [_LOOSE] if slot.loose else []
        if doubts:
            for each in slot.members:
                yield _outcome(each, State.UNKNOWN, each.doubt or doubts[0])
            return
        outcomes = [self._by_own(each) for each in slot.members]
        if not any(each.answers for each in slot.members):
            yield from outcomes
            return
        settled = (State.SUCCEEDED, State.PENDING)
        unsettled = next((each for each in outcomes if each.state not in settled), None)
        pending = next((each for each in outcomes if each.state is State.PENDING), None)
        for outcome in outcomes:
            if unsettled is not None:
                reason = f"not all of its change set is accounted for: {unsettled.reason}"
                yield replace(outcome, state=State.UNKNOWN, reason=reason, location=None)
            elif pending is not None and outcome.state is State.SUCCEEDED:
                reason = f"{outcome.reason}, but the rest of its change set is pending"
                location = pending.location
                yield replace(outcome, state=State.PENDING, reason=reason, location=location)
            else:
                yield outcome


def _outcome(
    each: _Sent,
    state: State,
    reason: str,
    shared: _Shared | None = None,
    location: str | None = None,
) -> Outcome:
    response, matched_by = None, None
    if shared is not None:
        response, matched_by = shared.response, shared.matched_by
    elif len(each.answers) == 1:
        response, matched_by = each.answers[0], each.matched_by
    return Outcome(
        operation=each.operation,
        response=response,
        state=state,
        reason=reason,
        matched_by=matched_by,
        id=each.id,
        location=location,
    )


def _doubt(members: list[_Sent], reason: str) -> None:
    for each in members:
        each.doubt = each.doubt or reason


def _doubt_repeated(members: list[_Sent]) -> None:
    for each in members:
        if len(each.answers) > 1:
            _doubt([each], f"{len(each.answers)} responses to it were found")


def _is_error(response: OperationResponse) -> bool:
    return 400 <= response.status < 600


def _state_of_error(response: OperationResponse) -> State:
    return State.DEPENDENCY_FAILED if response.status == 424 else State.FAILED


def _location(response: OperationResponse) -> str | None:
    """Return the Location of a 202, where the result will be."""
    return response.headers.get("location") if response.status == 202 else None


def _is_json(response: BatchResponse) -> bool:
    """Tell whether the response has what only a JSON batch has."""
    return (
        response.next_link is not None
        or bool(response.annotations)
        or any(leaf.annotations for leaf in response.responses())
        or any(
            isinstance(item, ChangeSetResponse) and item.id is not None for item in response.items
        )
    )


def _tail_of(response: BatchResponse) -> OperationResponse | None:
    """Return the 202 that ends an interim result (OData Protocol, 11.7.7.5)."""
    last = response.items[-1] if response.items and not response.truncated else None
    if isinstance(last, OperationResponse) and _location(last) is not None:
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


def _rest_of(response: BatchResponse, tail: OperationResponse | None) -> _Rest | None:
    """Return what became of those that are not answered, if the response itself says it."""
    if response.truncated:
        return _Rest(State.UNKNOWN, "the response was cut off before its part")
    if tail is not None:
        reason = "the response ends with a 202 that stands for it"
        return _Rest(State.PENDING, reason, _Shared(tail), _location(tail))
    if response.next_link is not None:
        reason = f"it is left to the next link {quote(response.next_link)}"
        return _Rest(State.PENDING, reason, None, response.next_link)
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
