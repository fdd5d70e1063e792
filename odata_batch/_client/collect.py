"""Which responses are to which operations: OData Protocol, 11.7.7.5; OData JSON, 19.5.

By identifier: in JSON, in a change set, and where the formats of request and response differ, what
names an operation is given to it. By order: at the top level of multipart, and what has no
identifier.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from odata_batch._client.evidence import (
    GAP,
    NOTHING,
    Evidence,
    Order,
    Rest,
    Sent,
    Slot,
    distrust_repeated,
    is_error,
    location_of,
    rest_of,
)
from odata_batch._client.outcomes import State
from odata_batch._model.findings import quote
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    ChangeSetResponse,
    OperationResponse,
    ResponseItem,
    Unreadable,
    leaves,
)


def collect(evidence: Evidence, response: BatchResponse, seam: int | None = None) -> None:
    """Collect what the response says; `seam` is an item after which others may be missing."""
    evidence.response, evidence.seam = response, seam
    by_id = evidence.json or _is_json(response)
    if evidence.json and evidence.dialect.json_responses_in_order:
        by_id = any(leaf.id is not None for leaf in response.responses())
    if by_id:
        _ByIdentifier(evidence).take()
        return
    items, tail = response.items, _tail_of(response)
    order = None
    if tail is not None:
        order = Order(evidence, evidence.slots, items[:-1], tail).put_together()
    if order is None or (len(order.items) >= len(evidence.slots) and order.doubled is None):
        order = Order(evidence, evidence.slots, items).put_together()
    if order.take():
        evidence.rest = order.what_comes_after()


def collect_in_unknown_format(
    evidence: Evidence, request: BatchRequest, response: BatchResponse
) -> None:
    """Collect what a JSON response says by identifiers to a request that was sent in either."""
    reason = "the format in which the batch was sent is not known"
    other = Evidence(request, "multipart", evidence.dialect).sent
    pairs = [pair for pair in zip(evidence.sent, other, strict=True) if pair[0].id != pair[1].id]
    if any(its.id is not None for _, its in pairs):
        # In the other format, the same identifiers were generated for other operations.
        for mine, _ in pairs:
            mine.distrust(f"{reason}, and its id depends on that")
    evidence.response = response
    _ByIdentifier(evidence).take()
    evidence.rest = Rest(State.UNKNOWN, f"no response has its id, and {reason}")


class _ByIdentifier:
    """Responses that go to what they name, the others by order where that holds."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.strays: list[str] = []
        """The identifiers of responses that were not sent."""
        self.is_missing = evidence.seam is not None
        """Whether something could not be read that may be the response to anything."""
        key, named = evidence.key, list[tuple[str, Sent | Slot]]()
        named += [(key(each.id), each) for each in evidence.sent if each.id is not None]
        named += [(key(slot.name), slot) for slot in evidence.slots if slot.name is not None]
        self.names = Counter(name for name, _ in named)
        self.groups = {name: each for name, each in named if isinstance(each, Slot)}
        for name, each in named:
            if self.names[name] > 1:
                each.distrust(f"the id {quote(name)} was sent more than once")

    def take(self) -> None:
        """Take each item of the response, and what is to be said of what has none."""
        evidence, response = self.evidence, self.evidence.response
        tail = _tail_of(response)
        # With an identifier, it is about its own operation.
        tail = None if tail is None or tail.id is not None else tail
        items = response.items if tail is None else response.items[:-1]
        anonymous: list[ResponseItem] = []
        for item in items:
            if isinstance(item, ChangeSetResponse):
                is_named = self._take_group(item)
            else:
                is_named = self._take(item)
            if not is_named:
                anonymous.append(item)
        distrust_repeated(evidence.sent)
        rest = rest_of(response, tail)
        if self.strays:
            reason = f"no response to it was found, but one with the id {quote(self.strays[0])}"
            rest = Rest(State.UNKNOWN, f"{reason}, which was not sent")
        elif self.is_missing:
            reason = "no response with its id was found, and not all could be read"
            rest = Rest(State.UNKNOWN, reason)
        if any(True for _ in leaves(tuple(anonymous))):
            rest = self._take_anonymous(anonymous, rest)
        if rest is None and not any(each.doubt for each in evidence.sent):
            rest = self._stopped()
        evidence.rest = rest or NOTHING

    def _group(self, name: str | None) -> Slot | None:
        key = None if name is None else self.evidence.key(name)
        return self.groups.get(key) if key is not None and self.names[key] == 1 else None

    def _take(self, item: OperationResponse | Unreadable) -> bool:
        """Take what names an operation, or a group, for about that; tell whether it has a name."""
        operation, slot = self.evidence.only(item.id), self._group(item.id)
        target = operation or slot
        if isinstance(item, Unreadable):
            if target is not None:
                target.distrust(GAP)
            self.is_missing = self.is_missing or target is None
        elif operation is not None:
            operation.give(item, "id")
        elif slot is None:
            if item.id is not None and self.evidence.key(item.id) not in self.names:
                self.strays.append(item.id)
        elif not is_error(item):
            slot.distrust(f"a single {item.status} was found for its change set")
        elif slot.whole is not None:
            slot.distrust("2 responses to its change set were found")
        else:
            slot.whole = self.evidence.shared(slot, item, "id")
        return item.id is not None and not (isinstance(item, Unreadable) and target is None)

    def _take_group(self, item: ChangeSetResponse) -> bool:
        """Take responses that say that they belong together, and perhaps to which group.

        Tell whether anything in them says it.
        """
        evidence, answers = self.evidence, item.responses()
        group = self._group(item.id) if evidence.json else None
        owners = [each for leaf in answers if (each := evidence.only(leaf.id)) is not None]
        slots = [evidence.slots[evidence.names.item_of[each.index]] for each in owners]
        slots += [] if group is None else [group]
        is_one = all(slot is slots[0] and slot.is_set for slot in slots)
        are_named = [leaf.id is not None for leaf in answers]
        for inner in item.items:
            if isinstance(inner, Unreadable):
                self._take(inner)
        if group is not None and not item.items:
            group.distrust("its change set was answered with nothing")
        if is_one and slots and not all(are_named):
            evidence.take_members(slots[0], item)
            return True
        for leaf in answers:
            self._take(leaf)
        for each in () if is_one else owners:
            each.distrust("its response is in a group that it was not sent in")
        if group is not None and not all(are_named):
            group.distrust("the id of another item was found in its change set")
        return any(are_named) or group is not None

    def _take_anonymous(self, items: Sequence[ResponseItem], rest: Rest | None) -> Rest | None:
        """Take responses without identifier where there is one place for them."""
        evidence = self.evidence
        loose = list(leaves(tuple(items)))
        left = [each for each in evidence.sent if not each.answers and each.doubt is None]
        is_full = len(evidence.response.responses()) == len(evidence.sent)
        if rest is None and len(loose) == len(left) == 1 and is_full:
            left[0].give(loose[0], "position")
            return None
        if not (evidence.json or self.strays):
            # After what the batch stopped at, as far as identifiers tell, nothing was executed, and
            # nothing is told after the first item that has identifiers and no response to any.
            stopped = self._stopped() if rest is None else None
            end = len(evidence.sent) if stopped is None else stopped.start
            free, executed = [], -1
            for slot in evidence.slots:
                if all(each.id is None for each in slot.members):
                    free += [slot] if slot.indexes.stop <= end else []
                elif slot.whole is not None or any(each.answers for each in slot.members):
                    executed = slot.number
                else:
                    end = min(end, slot.indexes.start)
            # Before what was executed, everything was; what the batch stopped at comes after it.
            last = free[len(items) - 1].number if len(items) < len(free) else len(evidence.slots)
            are_all_before = len(items) >= sum(slot.number < executed for slot in free)
            if last > executed or (rest is not None and are_all_before):
                Order(evidence, free, items).take()
            if rest is not None or any(each.answers for each in left):
                return rest
        return Rest(State.UNKNOWN, f"no response has its id, and {len(loose)} have none")

    def _stopped(self) -> Rest | None:
        """Return the rest of a batch that stopped: nothing was executed after an error.

        OData JSON, 19.4: what a complete response leaves out was not processed. A JSON batch may be
        executed in any order, so that several errors do not contradict it, nor what was executed.
        """
        evidence = self.evidence
        answers = [
            (slot.number, response)
            for slot in evidence.slots
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
        if not (evidence.stops and failed and (evidence.json or failed == {max(executed)})):
            return None
        for slot in evidence.slots if evidence.json else ():
            if slot.is_set and any(each.answers for each in slot.members):
                for each in slot.members:
                    if not each.answers:
                        each.distrust("only a part of its change set was answered")
        start = 0 if evidence.json else evidence.slots[max(executed)].indexes.stop
        return evidence.stopped_at(evidence.slots[max(failed)], start)


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
