"""Which operation of a batch worked, and which did not: OData Protocol, 11.7.7.5; OData JSON, 19.5.

A response says it in many ways: part by part, with one part for a change set that failed, with
fewer parts after an error or a 202, in any order with identifiers. So the work is done in two
steps. First the evidence is collected, by identifier or by position, whichever the list at hand
allows: responses to operations, responses that stand for a change set, and doubts. Then each item
of the request is judged by the evidence about it. Where two readers might disagree, the verdict is
`UNKNOWN`; what is not accounted for never succeeds.

Why this long: every shape of answer has its few lines, and each verdict says how it was reached.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias, TypeVar

from odata_batch._client.outcomes import BatchResult, MatchedBy, Outcome, State, positions_of
from odata_batch._graph.prepare import depth_of, prepare
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
)
from odata_batch.dialects import ODATA_4_01

_Key = TypeVar("_Key")


def match(
    request: BatchRequest,
    response: BatchResponse | None,
    *,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
    status: int | None = None,
) -> BatchResult:
    """Return what became of each operation of the batch.

    `format` is that of the request, because what happens after an error differs by it; the response
    may be in the other one. `request` is the value that was given to `encode_request`; identifiers
    that `prepare` generates are known.

    `response` is `None` if there is none that can be read. Then everything is `UNKNOWN`, unless
    `status`, that of the HTTP response, is 4xx other than 408, which says that the batch was
    refused: then everything has `FAILED`. The same holds for a complete response that is empty.
    Otherwise `status` does not count, because services send results with 200, 202 and 400 alike.

    Top-level responses to a multipart batch are matched by position, and their identifiers must not
    contradict; those of a change set, of a JSON batch, and of a JSON response are matched by
    identifier if each has one, or else by position. No response makes it raise.

    >>> batch = BatchRequest([Operation.get("People"), Operation.delete("People(1)")])
    >>> for outcome in match(batch, BatchResponse([OperationResponse(404)])):
    ...     print(f"{outcome.state.name}: {outcome.reason}")
    FAILED: answered with 404
    NOT_EXECUTED: the batch stopped at items[0], which failed
    """
    if not isinstance(request, BatchRequest):
        raise TypeError(f"request is a BatchRequest, not {type(request).__name__}")
    if not isinstance(response, BatchResponse | None):
        raise TypeError(f"response is a BatchResponse or None, not {type(response).__name__}")
    sent = _sent(request, format, dialect)
    refused = status is not None and 400 <= status < 500 and status != 408
    if response is None or (refused and _is_void(response)):
        return _without_response(sent, status, refused)
    found = _Found(sent.json or _is_json(response))
    if _has_ids(sent, response):
        _find_by_id(sent, response, found)
    else:
        _find_by_position(sent, response, found)
    outcomes = [outcome for unit in sent.units for outcome in _judge(sent, unit, found)]
    return BatchResult(tuple(outcomes))


def _is_void(response: BatchResponse) -> bool:
    return not (response.items or response.truncated or response.next_link is not None)


def _without_response(sent: _Sent, status: int | None, refused: bool) -> BatchResult:
    state, reason = State.UNKNOWN, "there is no response"
    refusal = status if refused else None
    if refused:
        state, reason = State.FAILED, f"the batch as a whole was refused with {status}"
    elif status is not None:
        reason = f"there is no response but the status {status}"
    return BatchResult(
        tuple(
            Outcome(operation=operation, state=state, reason=reason, id=id, refusal=refusal)
            for operation, id in zip(sent.operations, sent.ids, strict=True)
        )
    )


# -- what was sent --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Unit:
    """A top-level item of the request."""

    number: int
    """Its index among the top-level items."""
    members: range
    """The indexes of its operations."""
    is_set: bool
    """Whether it is a change set."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """The facts about a request, by the indexes of its operations."""

    json: bool
    atomic: bool
    ignore_case: bool
    stops: bool
    """Whether the batch ends at the first error."""
    operations: tuple[Operation, ...]
    ids: tuple[str | None, ...]
    units: tuple[_Unit, ...]
    unit_of: tuple[int, ...]
    named: dict[str, list[int]]
    """The operations of each identifier."""
    groups: dict[str, list[int]]
    """The change sets of each name."""

    def key(self, id: str) -> str:
        """Return what two identifiers have in common if they are the same."""
        return id.lower() if self.ignore_case else id

    def within(self, id: str | None, members: range) -> int | None:
        """Return the only member that has the identifier."""
        first, last, _ = self._found(id, members)
        return self.named[self.key(id)][first] if id is not None and last - first == 1 else None

    def elsewhere(self, id: str | None, members: range) -> bool:
        """Tell whether the identifier is that of other operations only."""
        first, last, count = self._found(id, members)
        return count > 0 and first == last

    def _found(self, id: str | None, members: range) -> tuple[int, int, int]:
        # By bisection, because identifiers of OData 2 start anew in each of many change sets.
        named = [] if id is None else self.named.get(self.key(id), [])
        first, last = bisect_left(named, members.start), bisect_left(named, members.stop)
        return first, last, len(named)


# Change sets within change sets are for other protocols, 32 deep at most; deeper ones are never
# sent, and what prepares an item may not be able to follow them.
_DEEPEST = 32


def _sent(request: BatchRequest, format: Format, dialect: Dialect) -> _Sent:
    items = tuple(
        ChangeSet(item.operations(), id=item.id)
        if isinstance(item, ChangeSet) and depth_of(item) > _DEEPEST
        else item
        for item in request.items
    )
    prepared = prepare(replace(request, items=items), format=format, dialect=dialect)
    units: list[_Unit] = []
    unit_of: list[int] = []
    for number, item in enumerate(prepared.items):
        is_set = isinstance(item, ChangeSet)
        count = len(item.operations()) if isinstance(item, ChangeSet) else 1
        units.append(_Unit(number, range(len(unit_of), len(unit_of) + count), is_set))
        unit_of += [number] * count
    ids = tuple(operation.id for operation in prepared.operations())
    names = [item.id if isinstance(item, ChangeSet) else None for item in prepared.items]
    goes_on = request.continue_on_error
    if goes_on is None:
        stops = dialect.json_stops_on_error, dialect.multipart_stops_on_error
        goes_on = not stops[format == "multipart"]
    fold = dialect.ids_ignore_case
    return _Sent(
        json=format == "json",
        atomic=dialect.atomicity_groups,
        ignore_case=fold,
        stops=not goes_on,
        operations=request.operations(),
        ids=ids,
        units=tuple(units),
        unit_of=tuple(unit_of),
        named=positions_of(None if id is None else id.lower() if fold else id for id in ids),
        groups=positions_of(
            None if name is None else name.lower() if fold else name for name in names
        ),
    )


# -- what was found -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Whole:
    """A response that stands for a change set as a whole."""

    response: OperationResponse
    matched_by: MatchedBy
    culprit: int | None
    """The operation that it names."""
    note: str
    """How it names it, or that it does not."""


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is to be said of operations for which nothing was found."""

    state: State
    reason: str
    response: OperationResponse | None = None
    location: str | None = None
    behind: int = -1
    """It is said of the operations after this one; the others are unknown."""


_NOTHING = _Rest(State.UNKNOWN, "no response to it was found")


@dataclass(slots=True)
class _Found:
    """The evidence: collected first, then judged."""

    is_json: bool
    """Whether a 202 with a Location is about its own operation alone."""
    own: dict[int, list[OperationResponse]] = field(default_factory=dict)
    """The responses to an operation, by its index."""
    matched_by: dict[int, MatchedBy] = field(default_factory=dict)
    doubts: dict[int, str] = field(default_factory=dict)
    """Why the evidence about an operation cannot be trusted, by its index."""
    whole: dict[int, _Whole] = field(default_factory=dict)
    """What stands for a change set, by its number."""
    loose: dict[int, list[OperationResponse]] = field(default_factory=dict)
    """Responses of a change set, by its number, that are no member's for certain."""
    rest: _Rest = _NOTHING

    def give(self, index: int, response: OperationResponse, matched_by: MatchedBy) -> None:
        self.own.setdefault(index, []).append(response)
        self.matched_by[index] = matched_by

    def doubt(self, members: Iterable[int], reason: str) -> None:
        for index in members:
            self.doubts.setdefault(index, reason)


def _leaves(item: ResponseItem) -> tuple[OperationResponse, ...]:
    return item.responses() if isinstance(item, ChangeSetResponse) else (item,)


def _is_error(response: OperationResponse) -> bool:
    return 400 <= response.status < 600


def _succeeds(response: OperationResponse) -> bool:
    return 200 <= response.status < 400


def _location(response: OperationResponse) -> str | None:
    """Return the Location of a 202, where the result will be."""
    return response.headers.get("location") if response.status == 202 else None


def _tail_of(response: BatchResponse) -> OperationResponse | None:
    """Return the 202 that ends an interim result (OData Protocol, 11.7.7.5)."""
    last = response.items[-1] if response.items and not response.truncated else None
    if isinstance(last, OperationResponse) and _location(last) is not None:
        return last
    return None


def _rest_of(response: BatchResponse, tail: OperationResponse | None) -> _Rest | None:
    """Return what became of those that are not answered, if the response itself says it."""
    if response.truncated:
        return _Rest(State.UNKNOWN, "the response was cut off before its part")
    if tail is not None:
        reason = "the response ends with a 202 that stands for it"
        return _Rest(State.PENDING, reason, tail, _location(tail))
    if response.next_link is not None:
        reason = f"it is left to the next link {quote(response.next_link)}"
        return _Rest(State.PENDING, reason, None, response.next_link)
    return None


def _stopped_at(sent: _Sent, unit: _Unit) -> _Rest:
    id = None if unit.is_set else sent.ids[unit.members.start]
    place = f"items[{unit.number}]" if id is None else f"operation {quote(id)}"
    return _Rest(State.NOT_EXECUTED, f"the batch stopped at {place}, which failed")


_Pairs: TypeAlias = list[tuple[_Unit, ResponseItem]]


# -- by position ----------------------------------------------------------------------------------


def _find_by_position(sent: _Sent, response: BatchResponse, found: _Found) -> None:
    """Collect responses that stand in the order of the request, unless something contradicts."""
    items, tail = _in_order(sent, response)
    slots = _slots(sent, len(items) + (tail is not None))
    pairs = list(zip(slots, items, strict=False))
    behind = pairs[-1][0].members.stop - 1 if pairs else -1
    rest = _rest_of(response, tail) or _stopped(sent, pairs)
    counts = Counter(sent.key(leaf.id) for leaf in response.responses() if leaf.id is not None)
    broken = _contradiction(sent, pairs, tail, behind)
    if broken is None and (sent.stops or response.truncated):
        broken = _taken_apart(sent, pairs, counts)
    if broken is None and len(items) + (tail is not None) != len(slots):
        if rest is None or len(items) > len(slots):
            noun = "response" if len(response.items) == 1 else "responses"
            broken = f"found {len(response.items)} {noun}, expected {len(slots)}"
    if broken is None:
        for slot, item in pairs:
            _assign(sent, slot, item, found)
        found.rest = found.rest if rest is None else replace(rest, behind=behind)
        _doubt_last(response, pairs, found)
        return
    for slot, item in pairs:
        if _is_confirmed(sent, slot, item, counts):
            _assign(sent, slot, item, found)
        else:
            found.doubt(slot.members, broken)
    found.doubt(range(behind + 1, len(sent.ids)), broken)


def _doubt_last(response: BatchResponse, pairs: _Pairs, found: _Found) -> None:
    """Do not trust a 202 with a Location behind which the response was cut off."""
    slot, item = pairs[-1] if pairs else (None, None)
    if response.truncated and slot is not None and isinstance(item, OperationResponse):
        if _location(item) is not None and not found.is_json:
            reason = "the response was cut off after a 202, which may stand for the rest"
            found.doubt(slot.members, reason)


def _in_order(
    sent: _Sent, response: BatchResponse
) -> tuple[list[ResponseItem], OperationResponse | None]:
    """Return what stands for one item of the request each, and the 202 that stands for the rest."""
    # In JSON, 19.6, a 202 is about its own operation; without identifiers it explains no gap.
    tail = None if sent.json else _tail_of(response)
    if tail is not None:
        items = _regrouped(sent, response.items[:-1], len(response.items))
        if len(items) < len(sent.units):
            return items, tail
    return _regrouped(sent, response.items, len(response.items)), None


def _regrouped(sent: _Sent, items: tuple[ResponseItem, ...], count: int) -> list[ResponseItem]:
    """Return the items, put together again if a service has taken its change sets apart.

    One part answers a change set, so more parts than items are those of its members (SharePoint).
    """
    leaves = [item for item in items if isinstance(item, OperationResponse)]
    if count <= len(sent.units) or len(leaves) < len(items):
        return list(items)
    regrouped: list[ResponseItem] = []
    start = 0
    for unit in sent.units:
        taken = leaves[start : start + len(unit.members)]
        start += len(unit.members)
        regrouped += [ChangeSetResponse(taken)] if unit.is_set and taken else taken
    return regrouped + leaves[start:]


def _slots(sent: _Sent, count: int) -> tuple[_Unit, ...]:
    """Return the items of the request that are answered in so many places.

    A change set without operations has a place only if the number of responses says so.
    """
    filled = tuple(unit for unit in sent.units if unit.members)
    return filled if count == len(filled) else sent.units


def _contradiction(
    sent: _Sent, pairs: _Pairs, tail: OperationResponse | None, behind: int
) -> str | None:
    """Return why the positions cannot be those of the request."""
    for slot, item in pairs:
        misfit = _misfit(sent, slot, item)
        if misfit is not None:
            return misfit
    if tail is not None and sent.elsewhere(tail.id, range(behind + 1, len(sent.ids))):
        return f"the 202 at the end has the id {quote(tail.id or '')} of an earlier operation"
    return None


def _taken_apart(sent: _Sent, pairs: _Pairs, counts: Counter[str]) -> str | None:
    """Return that responses may be those to the members of a change set, one after the other.

    It is so if something follows an error where nothing should, or where the end is missing, so
    that the number of responses proves nothing; an identifier of the next item does.
    """
    for (slot, item), (after, next_item) in pairwise(pairs):
        is_single = isinstance(item, OperationResponse) and len(slot.members) > 1
        if is_single and not _is_confirmed(sent, after, next_item, counts):
            return f"the response in place of items[{slot.number}] may be to one of its operations"
    return None


def _misfit(sent: _Sent, slot: _Unit, item: ResponseItem) -> str | None:
    """Return why the item cannot be what is expected in this place."""
    place = f"items[{slot.number}]"
    if isinstance(item, ChangeSetResponse):
        if not slot.is_set:
            return f"the response to a change set was found in place of that to {place}"
    elif slot.is_set and len(slot.members) != 1 and not (sent.atomic and _is_error(item)):
        return f"a single {item.status} was found in place of the responses to {place}"
    elif item.id is not None and not (slot.is_set and _is_error(item)):
        expected = sent.ids[slot.members.start]
        if expected is not None and sent.key(expected) != sent.key(item.id):
            return f"the id {quote(item.id)} was found in place of {quote(expected)}"
    for leaf in _leaves(item):
        if sent.elsewhere(leaf.id, slot.members):
            return f"the id {quote(leaf.id or '')} of another item was found in place of {place}"
    return None


def _stopped(sent: _Sent, pairs: _Pairs) -> _Rest | None:
    """Return that the batch stopped, if the last response, and no other, is an error."""
    failed = [slot for slot, item in pairs if any(map(_is_error, _leaves(item)))]
    if sent.stops and failed and len(failed) == 1 and failed[0] is pairs[-1][0]:
        return _stopped_at(sent, failed[0])
    return None


def _is_confirmed(sent: _Sent, slot: _Unit, item: ResponseItem, counts: Counter[str]) -> bool:
    """Tell whether identifiers alone lead to this place, too."""
    leaves = _leaves(item)
    return _misfit(sent, slot, item) is None and all(
        leaf.id is not None
        and counts[sent.key(leaf.id)] == len(sent.named.get(sent.key(leaf.id), ())) == 1
        and sent.within(leaf.id, slot.members) is not None
        for leaf in leaves
    )


def _assign(sent: _Sent, slot: _Unit, item: ResponseItem, found: _Found) -> None:
    """Take the item for the response to what stands in this place."""
    if isinstance(item, ChangeSetResponse):
        _assign_members(sent, slot, item.responses(), found)
    elif len(slot.members) == 1:
        found.give(slot.members.start, item, "position")
    else:
        found.whole[slot.number] = _whole(sent, slot, item, "position")


def _assign_members(
    sent: _Sent, unit: _Unit, leaves: tuple[OperationResponse, ...], found: _Found
) -> None:
    """Take the responses for those to the members of a change set, which may be in any order."""
    members = unit.members
    if len(leaves) == 1 and _is_error(leaves[0]) and len(members) > 1:
        found.whole[unit.number] = _whole(sent, unit, leaves[0], "position", _index_in(leaves[0]))
        return
    places = [sent.within(leaf.id, members) for leaf in leaves]
    matched_by: MatchedBy = "id"
    if any(leaf.id is None for leaf in leaves) and len(leaves) == len(members):
        # Without an identifier in each response the order is all there is.
        agree = all(
            leaf.id is None or place == index
            for leaf, place, index in zip(leaves, places, members, strict=True)
        )
        matched_by, places = "position", [index if agree else None for index in members]
    for leaf, place in zip(leaves, places, strict=True):
        if place is None:
            found.loose.setdefault(unit.number, []).append(leaf)
        else:
            found.give(place, leaf, matched_by)
    _doubt_repeated(members, found)


def _doubt_repeated(members: range, found: _Found) -> None:
    for index in members:
        count = len(found.own.get(index, ()))
        if count > 1:
            found.doubt((index,), f"{count} responses to it were found")


def _whole(
    sent: _Sent,
    unit: _Unit,
    response: OperationResponse,
    matched_by: MatchedBy,
    index: int | None = None,
) -> _Whole:
    """Return the response as one for the whole change set, with the culprit if it is named.

    Its identifier may be that of the culprit, or none; so it is asked, but not relied upon.
    """
    if len(unit.members) == 1:
        return _Whole(response, matched_by, unit.members[0], "it is the only one in it")
    by_id = sent.within(response.id, unit.members)
    by_index = None
    if index is not None and index < len(unit.members):
        by_index = unit.members[index]
    if None not in (by_id, by_index) and by_id != by_index:
        note = "its id and the index in its message name different operations"
        return _Whole(response, matched_by, None, note)
    if by_id is not None:
        return _Whole(response, matched_by, by_id, "its id names it")
    if by_index is not None:
        return _Whole(response, matched_by, by_index, "the index in its message names it")
    return _Whole(response, matched_by, None, "the culprit is not named")


# Azure Tables puts the index of the operation before the message, in JSON and in XML; bounded, so
# that hostile text costs linear time.
_INDEX = re.compile(r"([0-9]{1,6}):")
_XML_INDEX = re.compile(rb"<(?:[a-z]{1,9}:)?message(?: [^<>]{0,200})?>[ \t\r\n]{0,9}([0-9]{1,6}):")


def _index_in(response: OperationResponse) -> int | None:
    """Return the index with which the message of an error begins, `1:...`."""
    found: re.Match[str] | re.Match[bytes] | None = _XML_INDEX.search(response.body)
    if b'"odata.error"' in response.body:
        found = _INDEX.match(_message_in(response))
    return None if found is None else int(found[1])


def _message_in(response: OperationResponse) -> str:
    try:
        value: object = response.json()
    except DecodeError:
        return ""
    for name in ("odata.error", "message", "value"):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


# -- by identifier --------------------------------------------------------------------------------


def _has_ids(sent: _Sent, response: BatchResponse) -> bool:
    """Tell whether identifiers suffice to find what each item of the response belongs to."""
    if not sent.json:
        unique = len(sent.named) == len(sent.ids)
        if not (unique and _is_json(response)):
            return False
    return all(
        (sent.json and item.id is not None and sent.key(item.id) in sent.groups)
        or all(leaf.id is not None for leaf in item.responses())
        if isinstance(item, ChangeSetResponse)
        else item.id is not None
        for item in _without_tail(response)[0]
    )


def _is_json(response: BatchResponse) -> bool:
    """Tell whether the response has what only a JSON batch has."""
    named = any(
        isinstance(item, ChangeSetResponse) and item.id is not None for item in response.items
    )
    annotated = response.annotations or any(leaf.annotations for leaf in response.responses())
    return named or bool(annotated) or response.next_link is not None


def _without_tail(
    response: BatchResponse,
) -> tuple[tuple[ResponseItem, ...], OperationResponse | None]:
    """Return the items without the 202 at the end that stands for the rest, and that 202."""
    tail = _tail_of(response)
    if tail is None or tail.id is not None:
        return response.items, None
    return response.items[:-1], tail


def _find_by_id(sent: _Sent, response: BatchResponse, found: _Found) -> None:
    """Collect responses that each say what they belong to."""
    items, tail = _without_tail(response)
    _doubt_ambiguous(sent, found)
    strays: list[str] = []
    for item in items:
        if isinstance(item, ChangeSetResponse):
            _take_group(sent, item, found, strays)
        else:
            _take(sent, item, found, strays)
    _doubt_repeated(range(len(sent.ids)), found)
    if strays:
        reason = f"no response to it was found, but one with the id {quote(strays[0])}"
        found.rest = _Rest(State.UNKNOWN, f"{reason}, which was not sent")
    elif not found.doubts:
        found.rest = _rest_of(response, tail) or _stopped_by_id(sent, found) or found.rest


def _doubt_ambiguous(sent: _Sent, found: _Found) -> None:
    """Trust no identifier that several operations, or groups, have in common."""
    for name in sent.named.keys() | sent.groups.keys():
        operations, groups = sent.named.get(name, []), sent.groups.get(name, [])
        if len(operations) + len(groups) > 1:
            reason = f"the id {quote(name)} was sent more than once"
            found.doubt(operations, reason)
            for number in groups:
                found.doubt(sent.units[number].members, reason)


def _target(names: Mapping[str, list[int]], key: str) -> int | None:
    named = names.get(key, ())
    return named[0] if len(named) == 1 else None


def _take(sent: _Sent, item: OperationResponse, found: _Found, strays: list[str]) -> None:
    """Take a response for that to the operation, or to the group, that it names."""
    key = sent.key(item.id or "")
    operation, group = _target(sent.named, key), _target(sent.groups, key)
    if operation is not None:
        found.give(operation, item, "id")
    elif group is not None:
        _take_whole(sent, sent.units[group], item, found)
    elif key not in sent.named and key not in sent.groups:
        strays.append(item.id or "")


def _take_whole(sent: _Sent, unit: _Unit, item: OperationResponse, found: _Found) -> None:
    if not _is_error(item):
        found.doubt(unit.members, f"a single {item.status} was found for its change set")
    elif unit.number in found.whole:
        found.doubt(unit.members, "2 responses to its change set were found")
    else:
        found.whole[unit.number] = _whole(sent, unit, item, "id")


def _take_group(sent: _Sent, item: ChangeSetResponse, found: _Found, strays: list[str]) -> None:
    """Take responses that say that they belong together, and perhaps to which group."""
    leaves = item.responses()
    group = None
    if sent.json and item.id is not None:
        group = _target(sent.groups, sent.key(item.id))
    if group is not None and any(leaf.id is None for leaf in leaves):
        _take_members(sent, sent.units[group], leaves, found)
        return
    targets = [_target(sent.named, sent.key(leaf.id or "")) for leaf in leaves]
    numbers = {sent.unit_of[target] for target in targets if target is not None}
    numbers.update(() if group is None else (group,))
    for leaf in leaves:
        _take(sent, leaf, found, strays)
    if len(numbers) > 1 or not all(sent.units[number].is_set for number in numbers):
        reason = "its response is in a group that it was not sent in"
        found.doubt((target for target in targets if target is not None), reason)


def _take_members(
    sent: _Sent, unit: _Unit, leaves: tuple[OperationResponse, ...], found: _Found
) -> None:
    strange = [leaf.id for leaf in leaves if sent.elsewhere(leaf.id, unit.members)]
    if strange:
        reason = f"the id {quote(strange[0] or '')} of another item was found in its change set"
        found.doubt(unit.members, reason)
    else:
        _assign_members(sent, unit, leaves, found)


def _stopped_by_id(sent: _Sent, found: _Found) -> _Rest | None:
    """Return that the batch stopped: an error was found, and nothing that was executed behind it.

    A JSON batch may be executed in any order, so that several errors do not contradict it.
    """
    answers = [(sent.unit_of[index], responses[0]) for index, responses in found.own.items()]
    answers += [(number, whole.response) for number, whole in found.whole.items()]
    errors = {number for number, response in answers if _is_error(response)}
    executed = {number for number, response in answers if response.status != 424}
    # Beside another error, 424 is its consequence; alone it is what the batch stopped at.
    failed = errors & executed or errors
    executed |= failed
    if not (sent.stops and failed and (sent.json or failed == {max(executed)})):
        return None
    last = sent.units[max(executed)]
    return replace(_stopped_at(sent, sent.units[max(failed)]), behind=last.members.stop - 1)


# -- the verdicts ---------------------------------------------------------------------------------


def _judge(sent: _Sent, unit: _Unit, found: _Found) -> Iterator[Outcome]:
    """Yield what became of the operations of an item."""
    if not (unit.is_set and sent.atomic):
        for index in unit.members:
            yield _alone(sent, unit, index, found)
    elif _causes(unit, found):
        yield from _failed_together(sent, unit, found)
    else:
        yield from _together(sent, unit, found)


def _outcome(
    sent: _Sent,
    found: _Found,
    index: int,
    state: State,
    reason: str,
    response: OperationResponse | None = None,
    matched_by: MatchedBy | None = None,
    location: str | None = None,
) -> Outcome:
    own = found.own.get(index, ())
    if response is None and len(own) == 1:
        response = own[0]
    if response is not None and matched_by is None:
        matched_by = found.matched_by.get(index)
    return Outcome(
        operation=sent.operations[index],
        response=response,
        state=state,
        reason=reason,
        matched_by=matched_by,
        id=sent.ids[index],
        location=location,
    )


def _alone(sent: _Sent, unit: _Unit, index: int, found: _Found) -> Outcome:
    """Return what became of an operation that stands on its own."""
    if index in found.doubts:
        return _outcome(sent, found, index, State.UNKNOWN, found.doubts[index])
    if index in found.own:
        return _by_status(sent, found, index)
    whole = found.whole.get(unit.number)
    if whole is not None:
        reason = f"its change set was answered with a single {whole.response.status}"
        state = State.FAILED if whole.culprit == index else State.UNKNOWN
        reason = f"{reason}; {whole.note}"
        return _outcome(sent, found, index, state, reason, whole.response, whole.matched_by)
    if unit.number in found.loose:
        return _outcome(sent, found, index, State.UNKNOWN, _LOOSE)
    return _unanswered(sent, found, index)


_LOOSE = "its change set was answered, but not every response tells which operation it is for"


def _by_status(sent: _Sent, found: _Found, index: int) -> Outcome:
    """Return what the response to the operation says."""
    response = found.own[index][0]
    reason = f"answered with {response.status}"
    location = _location(response) if found.is_json else None
    if location is not None:
        reason = f"{reason}, and the result will be at {quote(location)}"
        return _outcome(sent, found, index, State.PENDING, reason, location=location)
    if _succeeds(response):
        return _outcome(sent, found, index, State.SUCCEEDED, reason)
    if not _is_error(response):
        return _outcome(sent, found, index, State.UNKNOWN, f"{reason}, which is not final")
    return _outcome(sent, found, index, _state_of_error(response), reason)


def _state_of_error(response: OperationResponse) -> State:
    return State.DEPENDENCY_FAILED if response.status == 424 else State.FAILED


def _unanswered(sent: _Sent, found: _Found, index: int) -> Outcome:
    rest = found.rest if index > found.rest.behind else _NOTHING
    matched_by: MatchedBy | None = None if rest.response is None else "position"
    return _outcome(
        sent, found, index, rest.state, rest.reason, rest.response, matched_by, rest.location
    )


def _clean(index: int, found: _Found) -> OperationResponse | None:
    """Return the only response to the operation that is beyond doubt."""
    own = found.own.get(index, ())
    return own[0] if len(own) == 1 and index not in found.doubts else None


def _causes(unit: _Unit, found: _Found) -> list[OperationResponse]:
    """Return the errors for which the change set has failed."""
    whole = found.whole.get(unit.number)
    candidates = [_clean(index, found) for index in unit.members]
    candidates += found.loose.get(unit.number, ())
    if whole is not None and not any(index in found.doubts for index in unit.members):
        candidates.append(whole.response)
    return [each for each in candidates if each is not None and _is_error(each)]


def _failed_together(sent: _Sent, unit: _Unit, found: _Found) -> Iterator[Outcome]:
    """Yield what became of a change set of which an error was found: nothing was applied.

    OData JSON, 19.5: if any member of a group failed, all have, whatever their own status says.
    """
    whole = found.whole.get(unit.number) or _nobodys(sent, unit, found)
    reason = _reason_of_failure(sent, unit, found, whole)
    errors = [own.status for own in _causes(unit, found)]
    # Beside an error of its own, 424 says that a member was taken down by that one.
    is_culprit_known = any(status != 424 for status in errors)
    for index in unit.members:
        own = _clean(index, found)
        if own is not None and own.status == 424 and is_culprit_known:
            yield _outcome(sent, found, index, State.ROLLED_BACK, reason)
        elif own is not None and _is_error(own):
            yield _by_status(sent, found, index)
        elif own is not None or whole is None:
            yield _outcome(sent, found, index, State.ROLLED_BACK, reason)
        elif whole.culprit == index or whole.response.status == 424:
            state = _state_of_error(whole.response)
            named = f"its change set failed with {whole.response.status}; {whole.note}"
            yield _outcome(sent, found, index, state, named, whole.response, whole.matched_by)
        else:
            state, shared = State.ROLLED_BACK, whole.response
            yield _outcome(sent, found, index, state, reason, shared, whole.matched_by)


def _nobodys(sent: _Sent, unit: _Unit, found: _Found) -> _Whole | None:
    """Return an error of the change set that is no member's for certain: it stands for all."""
    loose = filter(_is_error, found.loose.get(unit.number, ()))
    return next((_whole(sent, unit, response, "position") for response in loose), None)


def _reason_of_failure(sent: _Sent, unit: _Unit, found: _Found, whole: _Whole | None) -> str:
    """Say for whose sake the change set was rolled back, if that is named."""
    clean = {index: own for index in unit.members if (own := _clean(index, found)) is not None}
    errors = {index: own.status for index, own in clean.items() if _is_error(own)}
    # What failed by itself comes before what failed for the sake of another.
    culprits = sorted(errors, key=lambda index: (errors[index] == 424, index))
    if culprits:
        status, culprit = errors[culprits[0]], culprits[0]
    elif whole is not None and whole.culprit is not None:
        status, culprit = whole.response.status, whole.culprit
    else:
        note = "the culprit is not named" if whole is None else whole.note
        return f"its change set failed with {_causes(unit, found)[0].status}; {note}"
    name = quote(sent.ids[culprit] or sent.operations[culprit].url)
    return f"its change set failed with {status} for operation {name}"


def _together(sent: _Sent, unit: _Unit, found: _Found) -> Iterator[Outcome]:
    """Yield what became of a change set of which no error was found: all of it the same."""
    doubts = [found.doubts[index] for index in unit.members if index in found.doubts]
    doubts += [_LOOSE] if unit.number in found.loose else []
    if doubts:
        for index in unit.members:
            yield _outcome(sent, found, index, State.UNKNOWN, found.doubts.get(index, doubts[0]))
        return
    outcomes = [_by_own(sent, found, index) for index in unit.members]
    if not any(index in found.own for index in unit.members):
        yield from outcomes
        return
    unsettled = next((each for each in outcomes if each.state not in _SETTLED), None)
    pending = next((each for each in outcomes if each.state is State.PENDING), None)
    for outcome in outcomes:
        if unsettled is not None:
            reason = f"not all of its change set is accounted for: {unsettled.reason}"
            yield replace(outcome, state=State.UNKNOWN, reason=reason, location=None)
        elif pending is not None and outcome.state is State.SUCCEEDED:
            reason = f"{outcome.reason}, but the rest of its change set is pending"
            yield replace(outcome, state=State.PENDING, reason=reason, location=pending.location)
        else:
            yield outcome


_SETTLED = frozenset((State.SUCCEEDED, State.PENDING))


def _by_own(sent: _Sent, found: _Found, index: int) -> Outcome:
    return _by_status(sent, found, index) if index in found.own else _unanswered(sent, found, index)
