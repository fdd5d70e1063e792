"""What a decoder hands out of a batch that it streams.

A message of an item begins, its body comes in pieces, it ends; so does a change set around its own.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from odata_batch._model.findings import public
from odata_batch._model.values import Operation, OperationResponse, Unreadable

_Message_co = TypeVar("_Message_co", bound=Operation | OperationResponse, covariant=True)


@public
@dataclass(frozen=True, slots=True)
class ItemStart(Generic[_Message_co]):
    """An operation or a response begins: all of it but its body, which comes next."""

    item: _Message_co
    """The operation or the response; its body is empty."""
    path: str
    """Where it is, as in `items[2].items[0]`."""


@public
@dataclass(frozen=True, slots=True)
class Data:
    """The next octets of the body of what began last."""

    data: bytes
    """They are not empty."""


@public
@dataclass(frozen=True, slots=True)
class ItemEnd:
    """The operation or the response that began last is complete."""

    path: str
    """Where it is."""


@public
@dataclass(frozen=True, slots=True)
class ChangeSetStart:
    """A change set begins; what comes until its end belongs to it."""

    id: str | None
    """The name of the atomicity group; multipart does not carry it."""
    path: str
    """Where it is."""
    position: int | None = field(default=None, compare=False)
    """Offset in bytes at which it was found."""


@public
@dataclass(frozen=True, slots=True)
class ChangeSetEnd:
    """The change set that began last is complete."""

    path: str
    """Where it is."""


RequestEvent: TypeAlias = (
    ItemStart[Operation] | Data | ItemEnd | ChangeSetStart | ChangeSetEnd | Operation | Unreadable
)
"""What `RequestDecoder` hands out where it streams; an `Operation` is one that is wanted whole."""
ResponseEvent: TypeAlias = (
    ItemStart[OperationResponse]
    | Data
    | ItemEnd
    | ChangeSetStart
    | ChangeSetEnd
    | OperationResponse
    | Unreadable
)
"""What `ResponseDecoder` hands out where it streams."""
