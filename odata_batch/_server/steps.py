"""What an execution hands out: steps, and the signals of change sets."""

from dataclasses import dataclass, fields
from typing import TypeAlias

from odata_batch._model.headers import Headers, becoming
from odata_batch._model.public import public
from odata_batch._model.values import ChangeSet, Operation


@public
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """An operation that is to be run now, ready to be handed to whoever serves single requests.

    Steps are told apart by identity: two operations may be equal, and both are run.
    """

    operation: Operation
    """The operation as it stands in the batch, the caller's own object."""
    index: int
    """Its index among `BatchRequest.operations()`."""
    id: str | None
    """The identifier that its response will carry."""
    method: str
    """The method."""
    url: str
    """The absolute URL, references resolved; it lies within the service root."""
    headers: Headers
    """Its own header fields and those inherited from the batch request; see `Execution`."""
    dropped: Headers
    """Its own header fields that are not among `headers`, to be noted in a log; see `Execution`."""
    body: bytes
    """The octets of the body; empty if there is none."""
    group: int | None
    """The index of its change set among the items of the batch; `None` outside of change sets."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnySignal:
    """Something that is to be done for a change set as a whole."""

    group: int
    """The index of the change set among the items of the batch, as in `Step.group`."""
    change_set: ChangeSet
    """The change set as it stands in the batch, the caller's own object."""


@public
class Begin(AnySignal):
    """Begin a transaction: the operations of the change set follow.

    To `fail` it ends the change set; no `Rollback` follows, since nothing has begun.
    """

    __slots__ = ()


@public
class Commit(AnySignal):
    """Commit the transaction: all operations of the change set have succeeded.

    To `fail` it fails the change set, and a `Rollback` follows.
    """

    __slots__ = ()


@public
class Rollback(AnySignal):
    """Roll the transaction back: an operation has failed, or the commit has.

    Every change set whose `Begin` was done ends in exactly one `Commit` that was done, or in one
    `Rollback`. To `fail` it answers all operations of the change set with that response.
    """

    __slots__ = ()


Signal: TypeAlias = Begin | Commit | Rollback


# As `type`, since type checkers cannot see that the other class has the same slots.
_STEP: type = Step


class _OpenStep:
    """A step that is still being made, see `operation_of`."""

    __slots__ = tuple(each.name for each in fields(Step))

    def __init__(
        self,
        operation: Operation,
        index: int,
        id: str | None,
        url: str,
        headers: Headers,
        dropped: Headers,
        group: int | None,
    ) -> None:
        self.operation = operation
        self.index = index
        self.id = id
        self.method = operation.method
        self.url = url
        self.headers = headers
        self.dropped = dropped
        self.body = operation.body
        self.group = group
        self.__class__ = _STEP


step_of = becoming(Step, _OpenStep)
