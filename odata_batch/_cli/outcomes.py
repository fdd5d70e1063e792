"""What `odata-batch outcomes` prints: what became of each operation of the exchanges in captures.

Functions called `..._lines` yield what is printed, without line ends; what comes from a capture
goes through `visible`, except in JSON, which has escapes of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from odata_batch import (
    BatchRequest,
    BatchResult,
    Codec,
    Headers,
    ServiceError,
    Severity,
    State,
    Unreadable,
    retry_after,
)
from odata_batch._cli.captured import check_message, located
from odata_batch._cli.terminal import (
    BOLD,
    GREEN,
    RED,
    YELLOW,
    Paint,
    count,
    dumped,
    indented,
    visible,
)
from odata_batch.capture import CapturedExchange
from odata_batch.capture._bodies import status_of

_COLOURS: Final[Mapping[str, str]] = {"succeeded": GREEN, "failed": RED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one operation; fields as in `Outcome` and `Operation`."""

    path: str
    method: str | None = None
    """Method and URL are `None` where the operation could not be read."""
    url: str | None = None
    id: str | None
    state: str = State.UNKNOWN.value
    status: int | None = None
    reason: str = "it could not be read in the request"
    location: str | None = None
    error: ServiceError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of the operations of one exchange."""

    files: tuple[str, ...]
    """The file that holds it, or that of the request and that of the response."""
    name: str
    """Where in the file it is, as in `entries[3]`."""
    request: str = ""
    """Method and URL of the batch."""
    answer: str = ""
    """Status and reason of the answer."""
    unusable: str | None = None
    """Why nothing can be told."""
    request_errors: int = 0
    """How many errors the request has: the service may have read something else."""
    response_errors: int = 0
    delay: float | None = None
    """The seconds after which the service wants to be asked again."""
    operations: tuple[Told, ...] = ()


def paired(
    found: Iterable[tuple[str, CapturedExchange]],
) -> Iterator[tuple[tuple[str, ...], CapturedExchange]]:
    """Yield the batches after their files; a request and the response in the next file are one."""
    waiting: list[tuple[tuple[str, ...], CapturedExchange]] = []
    for file, exchange in found:
        answer = exchange.response
        if exchange.request and not (exchange.request.start_line or exchange.request.content_type):
            answer = exchange.request  # neither a batch nor a request, such as the page of a proxy
        if waiting and answer and not exchange.name and exchange.request in (None, answer):
            (files, sent) = waiting.pop()
            yield (*files, file), replace(sent, response=answer)
            continue
        yield from waiting
        waiting.clear()
        if exchange.is_batch:
            waiting.append(((file,), exchange))
        if exchange.name or not exchange.request:
            yield from waiting
            waiting.clear()
    yield from waiting


def outcomes_of(
    files: tuple[str, ...], exchange: CapturedExchange, codec: Codec, status: int
) -> Answered:
    """Return what became of the operations; `status` is that of a response without a head."""
    request, response = exchange.request, exchange.response
    told = Answered(files=files, name=exchange.name)
    if request is None:
        reasons = [str(each) for each in exchange.diagnostics if each.rule.fatal]
        return replace(told, unusable=(*reasons, "there is no request")[0])
    told = replace(told, request=request.start_line.partition(" HTTP/")[0])
    checked = check_message(request, codec)
    batch, sent = checked.batch, request.headers
    errors = checked.totals[Severity.ERROR]
    if not isinstance(batch, BatchRequest) or (errors and not batch.items):
        why = max(checked.findings, key=lambda each: each.diagnostic.severity)
        line = f" (line {why.place.line}, column {why.place.column})" if why.place else ""
        return replace(told, unusable=f"the request cannot be read: {why.diagnostic}{line}")
    if response is None and not exchange.name:
        missing = "there is no response; name its file after that of the request"
        return replace(told, unusable=missing)
    told = replace(told, request_errors=errors)
    if response is None:
        result = codec.match(batch, None, request_headers=sent)
    else:
        headers = response.headers
        if response.content_type and "content-type" not in headers:
            headers = Headers((*headers.pairs, ("Content-Type", response.content_type)))
        number = status_of(response.start_line) or status
        result = codec.outcomes(batch, number, headers, response.body, request_headers=sent)
        checked = check_message(response, codec, request=batch, request_format=batch.format)
        errors, answer = checked.totals[Severity.ERROR], response.start_line.partition(" ")[2]
        told = replace(told, response_errors=errors, answer=answer)
    return replace(told, delay=retry_after(result), operations=tuple(_told(batch, result)))


def _told(batch: BatchRequest, result: BatchResult) -> Iterator[Told]:
    outcomes = iter(result)
    for path, item in located(batch.items):
        if isinstance(item, Unreadable):
            yield Told(path=path, id=item.id)
            continue
        outcome = next(outcomes)
        yield Told(
            path=path,
            method=item.method,
            url=item.url,
            id=item.id,
            state=outcome.state.value,
            status=outcome.status,
            reason=outcome.reason,
            location=outcome.location,
            error=outcome.error,
        )


def is_ok(found: Iterable[Answered]) -> bool:
    """Tell whether every operation has succeeded, and the requests say what the operations are."""
    return not any(
        each.request_errors or any(told.state != State.SUCCEEDED.value for told in each.operations)
        for each in found
    )


def _states(found: Iterable[Answered]) -> dict[str, int]:
    states = Counter(told.state for each in found for told in each.operations)
    return {state.value: states[state.value] for state in State}


def text_lines(found: Sequence[Answered], paint: Paint) -> Iterator[str]:
    """Yield what became of the operations; exchanges are numbered if there are several."""
    for number, each in enumerate(found, 1):
        where = " ".join(filter(None, (*each.files, each.name)))
        title = ", ".join(filter(None, (where, each.request, each.answer)))
        yield paint(BOLD, f"{f'{number}. ' if len(found) > 1 else ''}{visible(title)}")
        if each.unusable:
            yield f"  {paint(RED, 'not usable')}: {visible(each.unusable)}"
        for told in each.operations:
            yield from indented(_operation_lines(told, paint))
        for side, errors in (("request", each.request_errors), ("response", each.response_errors)):
            if errors:
                yield f"  the {side} has {count(errors, 'error')}; see check"
        if each.delay is not None:
            yield f"  the service wants to be asked again after {each.delay:g} seconds"
        yield ""
    states = _states(found)
    numbers = ", ".join(f"{number} {name}" for name, number in states.items() if number)
    unusable = sum(each.unusable is not None for each in found)
    parts = (
        count(sum(states.values()), "operation") + (f": {numbers}" if numbers else ""),
        f"{count(unusable, 'exchange')} not usable" if unusable else "",
    )
    yield "; ".join(filter(None, parts))


def _operation_lines(told: Told, paint: Paint) -> Iterator[str]:
    name = "" if told.method is None else f"  {told.method} {told.url}"
    yield paint(BOLD, told.path) + visible(name + (f" (id {told.id})" if told.id else ""))
    # Most reasons begin with the status.
    status = f"{told.status}, " if told.status else ""
    reason = told.reason if told.reason.startswith(status[:3]) else f"{status}{told.reason}"
    yield f"  {paint(_COLOURS.get(told.state, YELLOW), told.state)}: {visible(reason)}"
    if told.error is not None:
        said = ": ".join(filter(None, (told.error.code, told.error.message)))
        target = f" (target {told.error.target})" if told.error.target else ""
        yield f"  the service says {visible(said + target)}"
    if told.location is not None:
        yield f"  the result will be at {visible(told.location)}"


def json_lines(found: Sequence[Answered], tool: str | None, dialect: str) -> Iterator[str]:
    """Yield one JSON document; `version` changes with the meaning of its members."""
    document = {"version": 1, "tool": {"name": "odata-batch", "version": tool}, "dialect": dialect}
    exchanges = [asdict(each) for each in found]
    yield from dumped({**document, "exchanges": exchanges, "totals": _states(found)})
