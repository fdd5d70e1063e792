"""What reading and writing do differently for a request and for a response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from odata_batch._checks import batch, messages, services
from odata_batch._checks.scope import Say, Scope
from odata_batch._graph.prepare import Preparation
from odata_batch._model import values
from odata_batch._model.headers import Headers
from odata_batch._wire import json as jsonbatch
from odata_batch._wire import multipart

_Item = TypeVar("_Item", bound=values.Item)


@dataclass(frozen=True, slots=True)
class Role(Generic[_Item]):
    """What reading and writing do differently for a request and for a response."""

    name: str
    kinds: tuple[type, ...]
    """What an item is."""
    # The start line of a message has a type of its own, which nothing here sees.
    multipart: multipart.Role[Any, _Item]
    json: jsonbatch.Role[_Item]
    rules: Callable[[Scope], batch.Rules[_Item]]
    check_outer: Callable[[Headers, Say], None]
    """Checks the header section of the HTTP message."""
    check_service: Callable[[int, Headers, Scope, Say], None]
    """Checks what a service says about the payload of so many octets, and about its headers."""
    prepare: Callable[[Preparation, _Item], _Item]


def _check_request_service(octets: int, headers: Headers, scope: Scope, say: Say) -> None:
    services.check_format_spoken(scope, say)
    services.check_preference_prefix(headers, scope.dialect, say)
    services.check_payload(octets, scope, say)


REQUEST: Role[values.RequestItem] = Role(
    name="request",
    kinds=(values.Operation, values.ChangeSet),
    multipart=multipart.REQUEST,
    json=jsonbatch.REQUEST,
    rules=batch.RequestRules,
    check_outer=messages.check_outer_request,
    check_service=_check_request_service,
    prepare=Preparation.item,
)
RESPONSE: Role[values.ResponseItem] = Role(
    name="response",
    kinds=(values.OperationResponse, values.ChangeSetResponse),
    multipart=multipart.RESPONSE,
    json=jsonbatch.RESPONSE,
    rules=batch.ResponseRules,
    check_outer=messages.check_outer_response,
    check_service=lambda octets, headers, scope, say: None,
    prepare=Preparation.item,
)
