"""The outcomes of a batch: a `BatchResult` of `Outcome`s, each with a `State`.

An outcome that is an error has the `ServiceError` that the service reports: code, message and
target (OData JSON, 21.1).
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from odata_batch._model.findings import SHOWN, BatchError, DecodeError, fitted, public, quote
from odata_batch._model.jsonvalue import FAULTS, value_of
from odata_batch._model.values import BatchResponse, Operation, OperationResponse

MatchedBy: TypeAlias = Literal["id", "position"]
_put = object.__setattr__
# How many identifiers are named
_NAMED = 10
# The characters that are quoted of a message of the service
_SAID = 120

# <error><code>...</code><message xml:lang="...">...</message>: OData 1 to 3 and Atom, [MS-ODATA]
# 2.2.8.1. Each repetition is bounded, and none begins where another could go on.
_XML_ERROR = re.compile(r"<(?:[A-Za-z]{1,9}:)?error[ >\t\r\n]")
_XML_MEMBER = re.compile(
    r"<(?:[A-Za-z]{1,9}:)?(code|message|target)(?: [^<>]{0,200})?>([^<]{0,4000})<"
)
# Azure Tables puts the index of the operation before the message, in JSON and in XML.
_INDEX = re.compile(r"([0-9]{1,6}):")
_XML_INDEX = re.compile(rb"<(?:[a-z]{1,9}:)?message(?: [^<>]{0,200})?>[ \t\r\n]{0,9}([0-9]{1,6}):")
# What is longer is a page, or an attack; an error is neither.
_SEARCHED = 64 * 1024


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
@dataclass(frozen=True, slots=True)
class ServiceError:
    """An error that a service reports.

    >>> ServiceError("E1", "no such thing").target is None
    True
    """

    code: str
    """The code, for programs."""
    message: str
    """The message, for people."""
    target: str | None = None
    """What the error is about, such as the name of a property."""


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one operation, and how that is known.

    >>> from odata_batch import BatchRequest, BatchResponse, match
    >>> people = BatchRequest([Operation.get("People")])
    >>> (outcome,) = match(people, BatchResponse([OperationResponse(404)])).outcomes
    >>> outcome.operation.url, outcome.state.name, outcome.status, outcome.reason
    ('People', 'FAILED', 404, '404 Not Found')
    """

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
    that none has is `KeyError`, a subclass of it. `if result:` is `TypeError`, since it may mean
    `if result.ok:`.

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

    def __bool__(self) -> bool:
        raise TypeError("a result is neither true nor false: ask `result.ok`, or `len(result)`")

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


class Answer(NamedTuple):
    """An HTTP answer, read as the answer to a batch as far as possible."""

    message: OperationResponse
    """What was answered; where that is wrapped, the message inside."""
    response: BatchResponse | None
    """The batch, its doubtful items as `Unreadable`; `None` if the answer is not a batch."""
    seam: int | None = None
    """The item after which a delimiter may be missing."""
    is_result: bool = False
    """Whether it is marked as passed on by a status monitor."""


def error_in(response: OperationResponse) -> ServiceError | None:
    """Return the error that a response is about, if it has one of the known shapes.

    They are the `error` of OData JSON, 21.1, also with the message of OData 3, an object with
    `lang` and `value`; its `odata.error`; and the XML element `error`.
    """
    body = response.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if response.status < 400 or len(body) > _SEARCHED:
        return None
    found: dict[str, Any] = {}
    with suppress(*FAULTS):
        if body.startswith(b"<"):
            from html import unescape  # which has a large table

            text = body.decode("utf-8", "replace")
            if (start := _XML_ERROR.search(text)) is not None:
                # The first of each: what is inside of an inner error comes later.
                for name, value in reversed(_XML_MEMBER.findall(text, start.end() - 1)):
                    found[name] = unescape(value).strip()
        else:
            match value_of(body, strict=False):
                case {"error": dict(error)} | {"odata.error": dict(error)}:
                    found = error
    code, message, target = (found.get(name) for name in ("code", "message", "target"))
    if isinstance(message, dict):
        message = message.get("value")
    if code is None and message is None:
        return None
    code, message = (str(each) if isinstance(each, str | int) else "" for each in (code, message))
    return ServiceError(code, message, target if isinstance(target, str) else None)


def index_in(response: OperationResponse) -> int | None:
    """Return the index with which the message of an error begins, `1:...`."""
    found: re.Match[str] | re.Match[bytes] | None = _XML_INDEX.search(response.body)
    if b'"odata.error"' in response.body:
        found = _INDEX.match(_text_at(response, "odata.error", "message", "value") or "")
    return None if found is None else int(found[1])


def content_id_in(response: OperationResponse) -> str | None:
    """Return the Content-ID that an error annotates as that of the culprit, as CAP does."""
    return _text_at(response, "error", "@Core.ContentID") if b"ContentID" in response.body else None


def _text_at(response: OperationResponse, *names: str) -> str | None:
    value: object = None
    with suppress(DecodeError):
        value = response.json()
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
