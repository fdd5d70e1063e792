"""The outcome of each operation of a batch: OData Protocol, 11.7.7.5; OData JSON, 19.5.

A response says it in many ways: part by part, with one part for a change set that failed, with
fewer parts after an error or a 202, in any order with identifiers. So the work is done in two
steps. First the evidence is collected: responses to operations, responses that answer a change
set, and doubts. Then each item of the request is judged here by the evidence about it. Where two
readers might disagree, the verdict is `UNKNOWN`; what is not accounted for never succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from odata_batch._client.collect import collect, collect_in_unknown_format
from odata_batch._client.evidence import (
    NOTHING,
    Evidence,
    Sent,
    Shared,
    Slot,
    is_error,
    location_of,
)
from odata_batch._client.outcomes import BatchResult, Outcome, State
from odata_batch._coding.settings import Settings, known_format
from odata_batch._model.findings import quote
from odata_batch._model.headers import Headers
from odata_batch._model.values import BatchRequest, BatchResponse, HeadersLike, OperationResponse
from odata_batch._wire.http import REASONS

_LOOSE = "its change set was answered, but not every response tells which operation it is for"


def match(
    settings: Settings,
    request: BatchRequest,
    response: BatchResponse | None,
    status: int | None = None,
    headers: HeadersLike = (),
    request_headers: HeadersLike = (),
    seam: int | None = None,
) -> BatchResult:
    """Return what became of each operation of the batch.

    `seam` is the first item of the response after which a delimiter may be missing.
    """
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
        return _without_response(evidence, status, Headers(headers), refused)
    if by_ids_alone:
        collect_in_unknown_format(evidence, request, response)
    else:
        collect(evidence, response, seam)
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
            location = pending.location
            yield replace(outcome, state=State.PENDING, reason=reason, location=location)
        else:
            yield outcome


def _state_of_error(response: OperationResponse) -> State:
    return State.DEPENDENCY_FAILED if response.status == 424 else State.FAILED


def _outcome(
    each: Sent,
    state: State,
    reason: str,
    shared: Shared | None = None,
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
