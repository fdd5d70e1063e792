"""The outcomes of a batch: a `BatchResult` of `Outcome`s, each with a `State`."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, TypeAlias

from odata_batch._client.errors import ServiceError, error_in
from odata_batch._model.findings import SHOWN, BatchError, fitted, quote
from odata_batch._model.public import public
from odata_batch._model.values import Operation, OperationResponse

MatchedBy: TypeAlias = Literal["id", "position"]
_put = object.__setattr__
# How many identifiers are named
_NAMED = 10
# The characters that are quoted of a message of the service
_SAID = 120


@public
class State(Enum):
    """What became of an operation.

    >>> State.ROLLED_BACK.value
    'rolled-back'
    """

    SUCCEEDED = "succeeded"
    """Its own status is 2xx or 3xx, and if it is in a change set, so is that of every member."""
    FAILED = "failed"
    """Its own status is an error, or it is named as the reason why its change set failed."""
    ROLLED_BACK = "rolled-back"
    """Its change set failed for another member's or an unnamed reason; it was not applied."""
    DEPENDENCY_FAILED = "dependency-failed"
    """424: what it depends on failed, and it was not applied."""
    NOT_EXECUTED = "not-executed"
    """The batch stopped at an earlier error; it was not applied."""
    PENDING = "pending"
    """It was accepted, or is still to be answered; `Outcome.location` says where."""
    UNKNOWN = "unknown"
    """The response does not tell. It may have been applied, so it is sent again only on request."""


# What a message says of an operation in each state, after its name
VERBS: Final[Mapping[State, str]] = {
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.ROLLED_BACK: "was rolled back",
    State.DEPENDENCY_FAILED: "failed with what it depends on",
    State.NOT_EXECUTED: "was not executed",
    State.PENDING: "is pending",
    State.UNKNOWN: "is unknown",
}


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one operation, and how that is known."""

    operation: Operation
    """The operation as it was given to `match`, the same object."""
    response: OperationResponse | None = None
    """The response to it; where one is the response to several operations, a failed change set or
    those after a 202, that response; the HTTP answer, if that is no batch; `None` if there is
    none."""
    state: State
    """What became of it."""
    reason: str
    """How that is known, for people: what was found, and where."""
    matched_by: MatchedBy | None = None
    """How the response was found; `None` if there is none."""
    id: str | None = None
    """The identifier that was sent, generated ones included; see `prepare`."""
    location: str | None = None
    """If it is pending, where its result will be: the Location of a 202, or the next link, as it
    is in the response."""
    refusal: int | None = None
    """The status of the whole response, if that decided."""

    @property
    def error(self) -> ServiceError | None:
        """What the service says of the error, where the response does (OData JSON, 21.1).

        >>> body = b'{"error":{"code":"E1","message":"no such thing"}}'
        >>> response = OperationResponse(404, body=body)
        >>> get = Operation.get("People")
        >>> Outcome(operation=get, response=response, state=State.FAILED, reason="").error
        ServiceError(code='E1', message='no such thing', target=None)
        """
        return None if self.response is None else error_in(self.response)

    @property
    def status(self) -> int | None:
        """The status that tells other tools what became of the operation.

        Its own where it tells the state; that of the error if its change set failed, and 424 if it
        was rolled back while its own response claims success; 202 while it is pending; `None` if
        it was not executed, or if nothing is known.
        """
        if self.state in (State.NOT_EXECUTED, State.UNKNOWN):
            return None
        if self.state is State.PENDING:
            return 202
        if self.response is None:
            return 424 if self.refusal is None else self.refusal
        if self.state is State.ROLLED_BACK and self.response.status < 400:
            return 424
        return self.response.status


@public
@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of the operations of a batch, in the order in which they were submitted.

    `result[operation]` finds an outcome by the object itself, or else by equality; `result["id"]`
    by the identifier that was sent. A key that several operations have is `LookupError`, and one
    that none has is `KeyError`, a subclass of it.

    >>> from odata_batch import BatchRequest, BatchResponse, match
    >>> get = Operation.get("People")
    >>> result = match(BatchRequest([get]), BatchResponse([OperationResponse(404)]))
    >>> result.ok, result[get].reason, [outcome.state.value for outcome in result.failures]
    (False, '404 Not Found', ['failed'])
    """

    outcomes: tuple[Outcome, ...]
    """One for each operation, as `BatchRequest.operations` counts them."""
    answer: OperationResponse | None = None
    """The HTTP answer as a whole, where `outcomes` was given it; without its body, if that is a
    batch."""
    _index: dict[Hashable, list[int]] | None = field(
        default=None, init=False, compare=False, repr=False
    )

    @property
    def ok(self) -> bool:
        """Whether every operation has succeeded."""
        return all(outcome.state is State.SUCCEEDED for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes of all operations that have not succeeded, pending and unknown included."""
        return tuple(each for each in self.outcomes if each.state is not State.SUCCEEDED)

    @property
    def statuses(self) -> dict[str, int]:
        """The status of each operation by its identifier, as `Outcome.status` explains it.

        Left out are operations without status or identifier, and identifiers that several
        operations share. No status of success is that of what was rolled back.
        """
        counts = Counter(outcome.id for outcome in self.outcomes)
        return {
            outcome.id: outcome.status
            for outcome in self.outcomes
            if outcome.id is not None and outcome.status is not None and counts[outcome.id] == 1
        }

    def raise_for_failures(self) -> None:
        """Raise `BatchFailed` unless every operation has succeeded."""
        if not self.ok:
            raise BatchFailed(self)

    def __getitem__(self, key: Operation | str) -> Outcome:
        index = self._index
        if index is None:
            index = {}
            for place, outcome in enumerate(self.outcomes):
                names = (id(outcome.operation), outcome.operation, outcome.id)
                for name in names if outcome.id is not None else names[:2]:
                    index.setdefault(name, []).append(place)
            # Two threads may both get here; what they make is equal.
            _put(self, "_index", index)
        found = index.get(id(key)) or index.get(key, [])
        if not found:
            known = [quote(each.id) for each in self.outcomes if each.id is not None]
            if len(known) > _NAMED:
                known[_NAMED:] = [f"{len(known) - _NAMED} more"]
            ids = ", ".join(known) or "none"
            raise KeyError(f"no operation matches {key!r:.60}; the ids are {ids}")
        if len(found) > 1:
            raise LookupError(f"{len(found)} operations match {key!r:.60}; use outcomes")
        return self.outcomes[found[0]]

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def __len__(self) -> int:
        return len(self.outcomes)

    def __reduce__(self) -> "tuple[type[BatchResult], tuple[object, ...]]":
        # The index of objects is of this process alone.
        return BatchResult, (self.outcomes, self.answer)


@public
class BatchFailed(BatchError):
    """Not every operation of a batch has succeeded; `result` tells which.

    >>> from odata_batch import BatchRequest, BatchResponse, match
    >>> result = match(BatchRequest([Operation.get("People")]), BatchResponse([]))
    >>> print(BatchFailed(result))
    1 of 1 operations did not succeed: GET 'People' is unknown: found 0 responses, expected 1
    """

    def __init__(self, result: BatchResult) -> None:
        super().__init__(result)
        self.result = result
        """The outcomes of all operations, those that succeeded included."""

    @property
    def http_status(self) -> int:
        """502: it was not the client of a gateway who made the batch fail."""
        return 502

    def __str__(self) -> str:
        failures = self.result.failures
        lines = []
        for outcome in failures[:SHOWN]:
            operation = outcome.operation
            id = "" if outcome.id is None else f" (id {quote(outcome.id)})"
            name = f"{fitted(operation.method)} {quote(operation.url)}{id}"
            line = f"{name} {VERBS[outcome.state]}: {outcome.reason}"
            if (error := outcome.error) is not None:
                line += f" ({quote(error.code)}: {quote(error.message, _SAID)})"
            lines.append(line)
        if len(failures) > SHOWN:
            lines.append(f"and {len(failures) - SHOWN} more")
        counts = f"{len(failures)} of {len(self.result)} operations did not succeed"
        return f"{counts}: {'; '.join(lines)}"
