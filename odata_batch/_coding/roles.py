"""The request- and response-specific parts of reading and writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from odata_batch._checks import batch, messages
from odata_batch._checks.scope import Say, Scope
from odata_batch._model import values
from odata_batch._model.headers import Headers
from odata_batch._wire import jsonitem, multipart

_Item = TypeVar("_Item", values.RequestItem, values.ResponseItem)


class Role(NamedTuple, Generic[_Item]):
    """The request- and response-specific parts of reading and writing."""

    name: str
    batch: type[values.BatchRequest | values.BatchResponse]
    items: tuple[type, ...]
    """What an item is."""
    # The start line of a message has a type of its own, which nothing here sees.
    multipart: multipart.Role[Any, _Item]
    json: jsonitem.Role[_Item]
    rules: Callable[[Scope], batch.Rules[_Item]]
    checks: tuple[Callable[[Any, Scope, Say], None], ...]
    """The checks of each message."""
    check_outer: Callable[[Headers, Say], None]
    """Checks the header section of the HTTP message."""


REQUEST: Role[values.RequestItem] = Role(
    name="request",
    batch=values.BatchRequest,
    items=(values.Operation, values.ChangeSet),
    multipart=multipart.REQUEST,
    json=jsonitem.REQUEST,
    rules=batch.RequestRules,
    checks=messages.OPERATION,
    check_outer=messages.check_outer_request,
)
RESPONSE: Role[values.ResponseItem] = Role(
    name="response",
    batch=values.BatchResponse,
    items=(values.OperationResponse, values.ChangeSetResponse),
    multipart=multipart.RESPONSE,
    json=jsonitem.RESPONSE,
    rules=batch.ResponseRules,
    checks=messages.RESPONSE,
    check_outer=messages.check_outer_response,
)
