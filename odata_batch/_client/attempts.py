"""What is known of each operation while a batch is being sent, and which are sent again."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from odata_batch._client import plan
from odata_batch._client.answer import Answer
from odata_batch._client.outcomes import Outcome, State
from odata_batch._graph.names import Names
from odata_batch._model import values
from odata_batch._model.dialect import Format
from odata_batch._model.headers import Headers
from odata_batch._model.values import BatchRequest

# RFC 9110, 9.2.1: to send them again changes nothing.
_SAFE = frozenset(("GET", "HEAD"))
_ANSWERED = frozenset((State.SUCCEEDED, State.PENDING))
# What has not been applied for its own reasons, or may have been
_OWN = frozenset((State.FAILED, State.UNKNOWN, State.PENDING, State.SUCCEEDED))
_NO_BATCH = BatchRequest(())


@dataclass(slots=True, eq=False)
class Piece:
    """Operations that are sent together, by their indexes; places are counted in the piece."""

    indexes: list[int]
    delay: float = 0.0
    batch: BatchRequest = _NO_BATCH
    """What was sent."""
    outcomes: list[Outcome] = field(default_factory=list)
    answer: Answer | None = None
    """What was answered, with the rest of it as far as that has come."""
    follows: int = 0
    """How many parts of the answer are yet to come."""
    settled: dict[int, Outcome] = field(default_factory=dict)
    """What became of operations about which the answer will say no more."""
    pending: frozenset[int] = frozenset()
    fruitless: int = 0
    """How often in succession a rest of the answer left as much pending as before."""
    is_unsent: bool = False
    """Whether nothing of it reached the service."""


@dataclass(slots=True, eq=False)
class Follow:
    """The rest of the answer to a piece, and where it will be."""

    piece: Piece
    places: list[int]
    """The operations of the piece that it is about."""
    url: str
    response: values.OperationResponse | None
    """What stands for it in the answer, if anything does."""
    is_alone: bool
    """Whether that is about one operation, so that the rest may be the response to it."""
    asked: int = 0
    """How often the service was asked and had nothing yet."""
    delay: float = 0.0
    failures: int = 0
    """How often asking brought nothing forward."""


class Attempts:
    """The operations of a batch, by their indexes: what is known of them, how often they were sent.

    They are open until they are settled: then nothing is sent of them any more.
    """

    def __init__(
        self,
        own: Sequence[values.Operation],
        names: Names,
        format: Format,
        most: int,
        resend: Callable[[Outcome], bool] | None,
        is_repeatable: bool,
        is_unit: bool,
    ) -> None:
        """Take the operations as they were given, and the batch that is sent."""
        self._names, self._format, self._most = names, format, most
        self._resend, self._is_repeatable, self._is_unit = resend, is_repeatable, is_unit
        state, reason = State.NOT_EXECUTED, "it has not been sent"
        self.outcomes = [
            Outcome(operation=each, state=state, reason=reason, id=sent.id)
            for each, sent in zip(own, names.operations, strict=True)
        ]
        self.open = set(range(len(own)))
        self.has_failed = False
        """Whether one that is settled has not succeeded."""
        self._failures = [0] * len(own)
        """How often each was sent in vain."""
        self._were_sent: set[int] = set()
        self._doubtful: set[int] = set()
        """Those of which an attempt is unknown."""

    def begin(self, piece: Piece) -> None:
        """Take note that a piece is sent."""
        reason = "it was sent, and there is no answer yet"
        for index in piece.indexes:
            known = self.outcomes[index]
            self.outcomes[index] = Outcome(
                operation=known.operation, state=State.UNKNOWN, reason=reason, id=known.id
            )
        piece.outcomes = [self.outcomes[index] for index in piece.indexes]
        self._were_sent.update(piece.indexes)

    def put(self, piece: Piece, results: Iterable[Outcome]) -> None:
        """Set what is known of the operations of a piece."""
        for place, (index, found) in enumerate(zip(piece.indexes, results, strict=True)):
            known = self.outcomes[index]
            outcome = piece.settled.get(place, found)
            outcome = replace(outcome, operation=known.operation, id=known.id)
            piece.outcomes[place] = self.outcomes[index] = outcome

    def drop(self, index: int, state: State, reason: str) -> None:
        """Settle an operation that cannot be sent, or not again."""
        if index not in self._were_sent:
            self.outcomes[index] = replace(self.outcomes[index], state=state, reason=reason)
        self._settle(index)

    def number(self, indexes: Iterable[int]) -> int:
        """Return how often one of these was sent in vain, at most."""
        return max(self._failures[index] for index in indexes)

    def judge(self, piece: Piece) -> list[int]:
        """Settle the operations of a piece; return the places of those to be sent again."""
        outcomes = piece.outcomes
        asked = {
            id(outcome)
            for index, outcome in zip(piece.indexes, outcomes, strict=True)
            if self._failures[index] + 1 < self._most and self._is_asked(piece, outcome)
        }

        def when(outcome: Outcome) -> bool:
            return id(outcome) in asked

        chosen: set[int] = set()
        if asked and self._is_unit:
            # What was taken down by others is sent again with them, all of it or nothing.
            own = {id(each) for each in outcomes if each.state in _OWN}
            chosen.update(range(len(outcomes)) if own <= asked else ())
        elif asked:
            names = Names(piece.batch.items, dialect=self._names.dialect)
            chosen = plan.choose(names, outcomes, when, self._format).chosen
        for place, (index, outcome) in enumerate(zip(piece.indexes, outcomes, strict=True)):
            if place not in chosen:
                self._settle(index)
                continue
            self._failures[index] += when(outcome)
            if outcome.state is State.UNKNOWN and not piece.is_unsent:
                self._doubtful.add(index)
        return [place for place in range(len(outcomes)) if place in chosen]

    def _is_asked(self, piece: Piece, outcome: Outcome) -> bool:
        """Tell whether an operation may be sent again for its own sake."""
        if piece.is_unsent or plan.is_throttled(outcome):
            return True
        if outcome.state is State.UNKNOWN:
            if self._is_repeatable or outcome.operation.method in _SAFE:
                return True
        resend = self._resend
        return resend is not None and outcome.state not in _ANSWERED and resend(outcome)

    def _settle(self, index: int) -> None:
        outcome = self.outcomes[index]
        self.open.discard(index)
        if outcome.state is State.SUCCEEDED:
            return
        self.has_failed = True
        is_safe = outcome.operation.method in _SAFE
        if index in self._doubtful and not is_safe and outcome.state is not State.PENDING:
            reason = f"{outcome.reason}; but it may have been applied when it was sent before"
            self.outcomes[index] = replace(outcome, state=State.UNKNOWN, reason=reason)


def repeatable_batch(batch: BatchRequest, now: Callable[[], datetime] | None) -> BatchRequest:
    """Return the batch with fields by which a service knows an operation that is sent again."""
    if now is None:
        raise ValueError("repeatable requests say when they were made: pass now")
    first_sent = plan.http_date(now())

    def item(it: values.RequestItem) -> values.RequestItem:
        if isinstance(it, values.ChangeSet):
            return values.ChangeSet(map(item, it.items), id=it.id)
        if not isinstance(it, values.Operation) or it.method in _SAFE:
            return it
        if "repeatability-request-id" in it.headers:
            return it
        # Some services take nothing but a UUID; this is one of version 4. RFC 9562, 5.4
        digits = secrets.token_hex(16)
        id = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
        fields = (("Repeatability-Request-ID", id), ("Repeatability-First-Sent", first_sent))
        return values.keep_places(it, replace(it, headers=Headers((*it.headers.pairs, *fields))))

    return values.with_format(replace(batch, items=tuple(map(item, batch.items))), batch.format)
