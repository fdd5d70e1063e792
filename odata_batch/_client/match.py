"""The outcome of each operation of a batch: OData Protocol, 11.7.7.5; OData JSON, 19.5.

A response says it in many ways: part by part, with one part for a change set that failed, with
fewer parts after an error or a 202, in any order with identifiers. So the work is done in two
steps. First the evidence is collected: responses to operations, responses that answer a change
set, and doubts. In JSON, in a change set, and where the formats of request and response differ,
what names an operation is given to it; at the top level of multipart, and where there are no
identifiers, the order tells. Then each item of the request is judged by the evidence about it.
Where two readers might disagree, the verdict is `UNKNOWN`; what is not accounted for never
succeeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from odata_batch._client.evidence import (
    GAP,
    NOTHING,
    Evidence,
    Order,
    Rest,
    Sent,
    Shared,
    Slot,
    distrust_repeated,
    is_error,
    location_of,
    rest_of,
)
from odata_batch._client.outcomes import BatchResult, Outcome, State
from odata_batch._coding.settings import Settings, known_format
from odata_batch._model import values
from odata_batch._model.findings import of_type, optional, quote
from odata_batch._model.headers import Headers
from odata_batch._model.values import BatchRequest, BatchResponse, OperationResponse
from odata_batch._wire.http import REASONS
from odata_batch._wire.mediatype import parse_media_type

_LOOSE = "its change set was answered, but not every response tells which operation it is for"


def match(
    settings: Settings,
    request: BatchRequest,
    response: BatchResponse | None,
    status: int | None = None,
    headers: values.HeadersLike = (),
    request_headers: values.HeadersLike = (),
    seam: int | None = None,
) -> BatchResult:
    """Return what became of each operation of the batch.

    `seam` is the first item of the response after which a delimiter may be missing.
    """
    of_type(request, BatchRequest, "request")
    optional(response, BatchResponse, "response")
    optional(status, int, "status")
    format = known_format(settings, request)
    by_ids_alone = format is None and response is not None and response.format == "json"
    format = "json" if by_ids_alone else format or "multipart"
    evidence = Evidence(request, format, settings.dialect)
    refused = status is not None and 400 <= status < 500 and status != 408
    # What is neither truncated nor continued elsewhere, and has no items, says nothing itself.
    if response is None or (
        refused and not (response.items or response.truncated or response.next_link is not None)
    ):
        return _without_response(evidence, status, Headers(headers), refused)
    if by_ids_alone:
        _collect_in_unknown_format(evidence, request, response)
    else:
        _collect(evidence, response, seam)
    outcomes = list(_verdicts(evidence))
    isolation = Headers(request_headers).get("isolation", "")
    if settings.dialect.snapshot_is_atomic and isolation.lower() == "snapshot":
        outcomes = list(_as_one(outcomes))
    return BatchResult(tuple(outcomes))


def _without_response(
    evidence: Evidence, status: int | None, headers: Headers, refused: bool
) -> BatchResult:
    """Return what the status of the HTTP response says about all operations."""
    state, reason, location = State.UNKNOWN, "there is no response", None
    if refused:
        state, reason = State.FAILED, f"the batch as a whole was refused with {status}"
    elif status == 202 and "location" in headers:
        # OData Protocol, 11.6
        location = headers["location"]
        state = State.PENDING
        reason = f"the batch was accepted, and the response will be at {quote(location)}"
    elif status is not None:
        reason = f"there is no response but the status {status}"
        media_type = parse_media_type(headers.get("content-type", "")).name
        if media_type and status < 400 and status != 202:  # such as the page of a login
            expected = "expected a batch as multipart/mixed or application/json"
            found = f"the answer is {quote(media_type)}, {expected}"
            reason = f"{reason}; {found}; is the URL that of $batch?"
    outcomes = [_outcome(each, state, reason, location=location) for each in evidence.sent]
    refusal = status if refused else None
    return BatchResult(tuple(replace(each, refusal=refusal) for each in outcomes))


def _as_one(outcomes: list[Outcome]) -> Iterator[Outcome]:
    """Yield what became of a batch that is one unit: nothing succeeds unless everything does."""
    states = {each.state for each in outcomes}
    failed = next((each for each in outcomes if each.state is State.FAILED), None)
    for each in outcomes:
        if failed is not None and each.state in (State.SUCCEEDED, State.PENDING, State.UNKNOWN):
            reason = f"{each.reason}, but the batch is one unit and has failed: {failed.reason}"
            yield replace(each, state=State.ROLLED_BACK, reason=reason, location=None)
        elif each.state is State.SUCCEEDED and states != {State.SUCCEEDED}:
            reason = f"{each.reason}, but the batch is one unit and not all of it has succeeded"
            yield replace(each, state=State.UNKNOWN, reason=reason)
        else:
            yield each


# -- which responses are to which operations -------------------------------------------------------


def _collect(evidence: Evidence, response: BatchResponse, seam: int | None) -> None:
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


def _collect_in_unknown_format(
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
        anonymous: list[values.ResponseItem] = []
        for item in items:
            if isinstance(item, values.ChangeSetResponse):
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
        if any(True for _ in values.leaves(tuple(anonymous))):
            rest = self._take_anonymous(anonymous, rest)
        if rest is None and not any(each.doubt for each in evidence.sent):
            rest = self._stopped()
        evidence.rest = rest or NOTHING

    def _group(self, name: str | None) -> Slot | None:
        key = None if name is None else self.evidence.key(name)
        return self.groups.get(key) if key is not None and self.names[key] == 1 else None

    def _take(self, item: OperationResponse | values.Unreadable) -> bool:
        """Take what names an operation, or a group, for about that; tell whether it has a name."""
        operation, slot = self.evidence.only(item.id), self._group(item.id)
        target = operation or slot
        if isinstance(item, values.Unreadable):
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
        return item.id is not None and not (isinstance(item, values.Unreadable) and target is None)

    def _take_group(self, item: values.ChangeSetResponse) -> bool:
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
            if isinstance(inner, values.Unreadable):
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

    def _take_anonymous(
        self, items: Sequence[values.ResponseItem], rest: Rest | None
    ) -> Rest | None:
        """Take responses without identifier where there is one place for them."""
        evidence = self.evidence
        loose = list(values.leaves(tuple(items)))
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
            isinstance(item, values.ChangeSetResponse) and item.id is not None
            for item in response.items
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


# -- what that means -------------------------------------------------------------------------------


def _verdicts(evidence: Evidence) -> Iterator[Outcome]:
    """Yield what became of each operation, in order."""
    for slot in evidence.slots:
        if not (evidence.dialect.atomicity_groups and slot.is_set):
            for each in slot.members:
                yield _alone(evidence, slot, each)
            continue
        # The errors for which the change set has failed
        causes = [each.clean for each in slot.members] + slot.loose
        if slot.whole is not None and not any(each.doubt for each in slot.members):
            causes.append(slot.whole.response)
        errors = [each for each in causes if each is not None and is_error(each)]
        yield from _failed(evidence, slot, errors) if errors else _together(evidence, slot)


def _alone(evidence: Evidence, slot: Slot, each: Sent) -> Outcome:
    """Return what became of an operation that is executed by itself."""
    if each.doubt is not None:
        return _outcome(each, State.UNKNOWN, each.doubt)
    if slot.whole is not None and not each.answers:
        state = State.FAILED if slot.whole.culprit is each else State.UNKNOWN
        reason = f"its change set was answered with a single {slot.whole.response.status}"
        return _outcome(each, state, f"{reason}; {slot.whole.note}", slot.whole)
    if slot.loose and not each.answers:
        return _outcome(each, State.UNKNOWN, _LOOSE)
    return _by_own(evidence, each)


def _by_own(evidence: Evidence, each: Sent) -> Outcome:
    """Return what the response to the operation says, or what is said of those without."""
    if not each.answers:
        rest = evidence.rest if each.index >= evidence.rest.start else NOTHING
        return _outcome(each, rest.state, rest.reason, rest.shared, rest.location)
    response = each.answers[0]
    reason = f"{response.status} {REASONS.get(response.status, '')}".rstrip()
    if response.status == 202:
        # OData Protocol, 11.6: without a Location there is nothing to come.
        location = location_of(response)
        if location is not None:
            reason = f"{reason}, and the result will be at {quote(location)}"
            return _outcome(each, State.PENDING, reason, location=location)
    if is_error(response):
        return _outcome(each, _state_of_error(response), reason)
    if 200 <= response.status < 400:
        return _outcome(each, State.SUCCEEDED, reason)
    return _outcome(each, State.UNKNOWN, f"{reason}, which is not final")


def _failed(evidence: Evidence, slot: Slot, causes: list[OperationResponse]) -> Iterator[Outcome]:
    """Yield what became of a change set of which an error was found: nothing was applied.

    OData JSON, 19.5: if any member of a group failed, all have, whatever their own status says. A
    service that answers members one after the other may not have executed them as one.
    """
    shared, error = slot.whole, next(filter(is_error, slot.loose), None)
    if shared is None and error is not None:
        # It belongs to no member for certain, so it answers all.
        shared = evidence.shared(slot, error, "position")
    failed = [each for each in slot.members if each.clean and is_error(each.clean)]
    # What failed by itself comes before what failed because of another.
    culprit = min(failed, key=lambda each: each.answers[0].status == 424, default=None)
    status = (causes[0] if culprit is None else culprit.answers[0]).status
    if culprit is None and shared is not None:
        culprit = shared.culprit
    note = "" if shared is None else f"; {shared.note}"
    if culprit is not None:
        note = f" for operation {quote(culprit.id or '')}"
    reason = f"its change set failed with {status}{note}"
    state = State.ROLLED_BACK
    if slot.is_flat and not evidence.dialect.flat_responses:
        state = State.UNKNOWN
        reason = f"{reason}, but the service takes change sets apart"
    # Beside an error of its own, 424 says that a member was taken down by that one.
    is_culprit_known = any(each.status != 424 for each in causes)
    for each in slot.members:
        own = each.clean
        if own and is_error(own) and not (own.status == 424 and is_culprit_known):
            yield _by_own(evidence, each)
        elif own is not None or shared is None:
            was_tried = own is None or not is_error(own)
            yield _outcome(each, state if was_tried else State.ROLLED_BACK, reason)
        elif shared.culprit is each or shared.response.status == 424:
            named = f"its change set failed with {shared.response.status}; {shared.note}"
            yield _outcome(each, _state_of_error(shared.response), named, shared)
        else:
            yield _outcome(each, state, reason, shared)


def _together(evidence: Evidence, slot: Slot) -> Iterator[Outcome]:
    """Yield what became of a change set of which no error was found: all of it the same."""
    doubts = [each.doubt for each in slot.members if each.doubt is not None]
    doubts += [_LOOSE] if slot.loose else []
    if doubts:
        for each in slot.members:
            yield _outcome(each, State.UNKNOWN, each.doubt or doubts[0])
        return
    outcomes = [_by_own(evidence, each) for each in slot.members]
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
            yield replace(outcome, state=State.PENDING, reason=reason, location=pending.location)
        else:
            yield outcome


def _state_of_error(response: OperationResponse) -> State:
    return State.DEPENDENCY_FAILED if response.status == 424 else State.FAILED


def _outcome(
    each: Sent, state: State, reason: str, shared: Shared | None = None, location: str | None = None
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
