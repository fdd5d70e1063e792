"""Batches of one format as batches of the other (OData Protocol, 11.7.1), and what is lost thereby.

What is converted is the prepared batch, the one that encoding it in its own format writes. Change
sets are flattened; then every message is made fit for the target; what cannot be made fit is left
out, with all that refers to it; then order and dependencies are carried over. Each step lists what
it gives up.

The formats differ in what they say about order. A multipart batch is executed in order and, unless
told otherwise, ends at the first error (OData Protocol, 11.7.7.4). A JSON batch is executed in any
order that `dependsOn` allows; what depends on a failed request fails, and the rest goes on (OData
JSON, 19.4). So a multipart batch that stops becomes a chain, in which each item depends on the one
before, and a chain becomes a multipart batch that stops. One that goes on cannot keep its order.

Why this long: both directions and both roles stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Generic, TypeAlias, TypeVar

from odata_batch._checks.messages import preferences
from odata_batch._client.fitting import (
    WHOLE,
    JsonContent,
    Losses,
    Place,
    json_headers,
    lose_annotations,
    multipart_message,
    plain_url,
    without_body,
)
from odata_batch._graph.prepare import prepare
from odata_batch._graph.references import bindings_in, dependencies_of, find_references
from odata_batch._graph.urls import referenced_id
from odata_batch._model.dialect import Dialect, Format, check_format
from odata_batch._model.findings import Diagnostic, EncodeError, quote
from odata_batch._model.rules import Rule
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Item,
    Operation,
    OperationResponse,
    RequestItem,
    ResponseItem,
)
from odata_batch.dialects import ODATA_4_01

_Message = TypeVar("_Message", Operation, OperationResponse)


def convert_request(
    batch: BatchRequest, *, source: Format, target: Format, dialect: Dialect = ODATA_4_01
) -> tuple[BatchRequest, tuple[Diagnostic, ...]]:
    """Return the batch as one of the format `target`, and what is lost of one of format `source`.

    What `encode_request` accepts as `source`, it accepts as `target` when it has been converted,
    except for limits and for what one service refuses. `EncodeError` is raised only if nothing is
    left that multipart could carry. Each loss has the path of the item in `batch`, and its position
    if it was decoded. What is not in the list is as it was, and so is a batch whose two formats are
    the same. A request that cannot be expressed is left out, with its change set and with all that
    depends on it.

    To JSON, order and the stop at the first error become a chain of `depends_on`; what would not
    have been executed is then answered with 424. With continue-on-error the order is lost, unless
    all requests are GET requests. To multipart, such a chain becomes the stop at the first error,
    independent requests become continue-on-error, and of anything in between the dependencies that
    are no references are lost, unless `continue_on_error` is `False`. GET requests are taken out of
    their groups, and conditions are given up, so that nothing but an error keeps a request from
    being executed.

    >>> steps = BatchRequest([Operation.delete("People(1)"), Operation.delete("People(2)")])
    >>> batch, losses = convert_request(steps, source="multipart", target="json")
    >>> [(operation.id, operation.depends_on) for operation in batch.operations()], losses
    ([('1', ()), ('2', ('1',))], ())
    """
    if not isinstance(batch, BatchRequest):
        raise TypeError(f"batch is a BatchRequest, not {type(batch).__name__}")
    if _is_same(source, target):
        return batch, ()
    losses = Losses(dialect)
    units = _units(batch.items, _operations_of, losses)
    flat = BatchRequest(_request_items(units), continue_on_error=batch.continue_on_error)
    _put_back(units, prepare(flat, format=source, dialect=dialect).items, _operations_of)
    if target == "json":
        converted = _request_to_json(batch, units, losses)
    else:
        converted = _request_to_multipart(batch, units, losses)
    return converted, tuple(losses.found)


def convert_response(
    batch: BatchResponse, *, source: Format, target: Format, dialect: Dialect = ODATA_4_01
) -> tuple[BatchResponse, tuple[Diagnostic, ...]]:
    """Return the batch as one of the format `target`, and what is lost of one of format `source`.

    See `convert_request`. The responses keep their order, which is what tells multipart responses
    apart that have no id; in JSON they need one, and the one that they get is listed, because no
    request is known to have it. To multipart, a group in which a request failed becomes the one
    response that says so.

    >>> batch, losses = convert_response(
    ...     BatchResponse([OperationResponse(204, id="1")]), source="json", target="multipart"
    ... )
    >>> batch.responses()[0].id, losses
    ('1', ())
    """
    if not isinstance(batch, BatchResponse):
        raise TypeError(f"batch is a BatchResponse, not {type(batch).__name__}")
    if _is_same(source, target):
        return batch, ()
    losses = Losses(dialect)
    units = _units(batch.items, _responses_of, losses)
    if target == "json":
        converted = _response_to_json(batch, units, losses)
    else:
        _prepare_responses(units, dialect)
        converted = _response_to_multipart(batch, units, losses)
    return converted, tuple(losses.found)


def _is_same(source: Format, target: Format) -> bool:
    check_format(source)
    check_format(target)
    return source == target


# -- what is worked on -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Unit(Generic[_Message]):
    """An item of the batch: one message, or those of a change set that is not empty."""

    is_change_set: bool
    name: str | None
    messages: list[_Message]
    places: list[Place]


def _units(
    items: Iterable[Item], messages_of: Callable[[Item], tuple[_Message, ...]], losses: Losses
) -> list[_Unit[_Message]]:
    """Return the items, change sets flattened and without the empty ones."""
    units: list[_Unit[_Message]] = []
    for index, item in enumerate(items):
        place = Place(f"items[{index}]", item.position)
        if not isinstance(item, ChangeSet | ChangeSetResponse):
            units.append(_Unit(False, None, list(messages_of(item)), [place]))
            continue
        unit: _Unit[_Message] = _Unit(True, item.id, [], [])
        for number, inner in enumerate(item.items):
            inner_place = Place(f"{place.path}.items[{number}]", inner.position)
            if isinstance(inner, ChangeSet | ChangeSetResponse):
                message = "the change set is dissolved in the one that it stands in"
                losses.add(Rule.NESTED_CHANGE_SET, message, inner_place)
            messages = messages_of(inner)
            unit.messages += messages
            unit.places += [inner_place] * len(messages)
        if unit.messages:
            units.append(unit)
        else:
            losses.add(Rule.EMPTY_CHANGE_SET, "the empty change set is left out", place)
    return units


def _operations_of(item: Item) -> tuple[Operation, ...]:
    if isinstance(item, ChangeSet):
        return item.operations()
    return (item,) if isinstance(item, Operation) else ()


def _responses_of(item: Item) -> tuple[OperationResponse, ...]:
    if isinstance(item, ChangeSetResponse):
        return item.responses()
    return (item,) if isinstance(item, OperationResponse) else ()


def _request_items(units: Iterable[_Unit[Operation]]) -> tuple[RequestItem, ...]:
    return tuple(
        ChangeSet(unit.messages, id=unit.name) if unit.is_change_set else unit.messages[0]
        for unit in units
    )


def _response_items(units: Iterable[_Unit[OperationResponse]]) -> tuple[ResponseItem, ...]:
    return tuple(
        ChangeSetResponse(unit.messages, id=unit.name) if unit.is_change_set else unit.messages[0]
        for unit in units
    )


def _put_back(
    units: list[_Unit[_Message]],
    items: Iterable[Item],
    messages_of: Callable[[Item], tuple[_Message, ...]],
) -> None:
    """Take over what preparing has made of the units."""
    for unit, item in zip(units, items, strict=True):
        if isinstance(item, ChangeSet | ChangeSetResponse):
            unit.name = item.id
        # A copy has no place: what is converted stands nowhere yet.
        unit.messages = [replace(message) for message in messages_of(item)]


def _each(units: Iterable[_Unit[_Message]], convert: Callable[[_Message, Place], _Message]) -> None:
    for unit in units:
        unit.messages = list(map(convert, unit.messages, unit.places))


# -- requests to JSON ------------------------------------------------------------------------------

# MERGE was renamed (OData 3, 10.3.2), and HEAD is GET without the content (RFC 9110, 9.3.2).
_JSON_METHODS: Final[Mapping[str, str]] = {"MERGE": "PATCH", "HEAD": "GET"}


def _request_to_json(
    batch: BatchRequest, units: list[_Unit[Operation]], losses: Losses
) -> BatchRequest:
    content = JsonContent(losses)

    def convert(item: Operation, place: Place) -> Operation:
        item = plain_url(_json_method(item, place, losses), place, losses)
        item = without_body(item, ("GET", "DELETE"), Rule.JSON_BODY_UNEXPECTED, place, losses)
        return content.convert(json_headers(item, place, losses), place)

    _each(units, convert)
    units = _without_inexpressible(units, _Json(losses), losses)
    _depend_on_references(units, losses.dialect)
    prepared = prepare(BatchRequest(_request_items(units)), format="json", dialect=losses.dialect)
    _put_back(units, prepared.items, _operations_of)
    continue_on_error = _json_preference(batch.continue_on_error, units, losses)
    return replace(batch, items=_request_items(units), continue_on_error=continue_on_error)


def _json_preference(
    continue_on_error: bool | None, units: list[_Unit[Operation]], losses: Losses
) -> bool | None:
    """Return the preference of the JSON batch, whose units become a chain or lose their order."""
    dialect = losses.dialect
    stops = not continue_on_error
    if continue_on_error is None:
        stops = dialect.multipart_stops_on_error
    if stops:
        _chain(units)
        return continue_on_error
    has_effect = any(item.method != "GET" for unit in units for item in unit.messages)
    if has_effect and not _is_chain(units):
        message = "the order is given up: a JSON batch that goes on after errors has none"
        losses.add(Rule.NOT_EXPRESSIBLE, message, WHOLE)
    return True if dialect.json_stops_on_error else continue_on_error


def _json_method(item: Operation, place: Place, losses: Losses) -> Operation:
    method = _JSON_METHODS.get(item.method)
    if method is None or item.method in losses.dialect.methods:
        return item
    message = f"{item.method} {quote(item.url)} becomes {method}, JSON has no {item.method}"
    losses.add(Rule.JSON_METHOD_UNKNOWN, message, place)
    return replace(item, method=method)


def _depend_on_references(units: Iterable[_Unit[Operation]], dialect: Dialect) -> None:
    """Add what else is referred to, as preparing adds what URLs refer to (OData JSON, 19.1)."""
    known: set[str] = set()
    for unit in units:
        for index, item in enumerate(unit.messages):
            present = set(item.depends_on)
            names = [name for name in _references(item, dialect) if name in known]
            missing = [name for name in names if name not in present]
            if missing:
                depends_on = (*item.depends_on, *missing)
                unit.messages[index] = replace(item, depends_on=depends_on)
            known.update([item.id] if item.id is not None else [])


def _references(item: Operation, dialect: Dialect) -> dict[str, None]:
    """Return the identifiers without which the operation cannot be executed, in order."""
    found = [each for each in find_references(item, dialect=dialect) if each.place != "body"]
    names = [each.id for each in found if each.place != "condition"]
    return dict.fromkeys([*names, *bindings_in(item, dialect)])


def _resolved_references(item: Operation, dialect: Dialect) -> set[str]:
    """Return the identifiers that a service resolves, so that the request fails with theirs."""
    found = find_references(item, dialect=dialect)
    return {each.id for each in found if each.place in _RESOLVED} | {*bindings_in(item, dialect)}


_RESOLVED = ("url", "if-match", "if-none-match")


def _chain(units: list[_Unit[Operation]]) -> None:
    """Make each item depend on the one before it, as if the batch stopped at the first error."""
    for before, unit in pairwise(units):
        name = _name_of(before)
        unit.messages = [
            replace(item, depends_on=tuple(dict.fromkeys((name, *item.depends_on))))
            for item in unit.messages
        ]


def _is_chain(units: list[_Unit[Operation]]) -> bool:
    """Tell whether each item depends on the one before it, all members of a group included."""
    return all(
        _name_of(before) in item.depends_on
        for before, unit in pairwise(units)
        for item in unit.messages
    )


def _name_of(unit: _Unit[Operation]) -> str:
    """Return the name by which others depend on an item that is prepared for JSON."""
    return (unit.name if unit.is_change_set else unit.messages[0].id) or ""


# -- requests to multipart -------------------------------------------------------------------------


def _request_to_multipart(
    batch: BatchRequest, units: list[_Unit[Operation]], losses: Losses
) -> BatchRequest:
    lose_annotations(batch.annotations, WHOLE, losses)
    units = _in_order(units, losses.dialect)

    def convert(item: Operation, place: Place) -> Operation:
        item = plain_url(_with_url(item, place, losses), place, losses)
        item = without_body(item, ("GET",), Rule.BODY_UNEXPECTED, place, losses)
        item = multipart_message(item, place, losses)
        _lose_respond_async(item, place, losses)
        if item.condition is not None:
            message = f"the condition {quote(item.condition)} is given up; "
            message += "the request is executed without it"
            losses.add(Rule.NOT_EXPRESSIBLE, message, place)
        return item

    _each(units, convert)
    left = _left_in(units, losses.dialect)
    stops = _stops(batch.continue_on_error, units, left, losses.dialect)
    parted = [part for unit in units for part in _without_gets(unit, losses)]
    for unit in parted:
        _lose_dependencies(unit, left, stops, losses)
    kept = _without_inexpressible(parted, _Multipart(parted, losses), losses)
    _refuse_nothing(kept)
    _each(kept, lambda item, place: replace(item, depends_on=(), condition=None))
    for unit in kept:
        unit.name = None
    preference = batch.continue_on_error
    if len(units) > 1:
        by_default = preference is None and losses.dialect.multipart_stops_on_error
        preference = (None if by_default else False) if stops else True
    return BatchRequest(_request_items(kept), continue_on_error=preference)


def _in_order(units: list[_Unit[Operation]], dialect: Dialect) -> list[_Unit[Operation]]:
    """Return the units so that each comes after what it depends on.

    They do unless a group was read whose members did not stand together (OData JSON, 19.1).
    """
    batch = BatchRequest(_request_items(units))
    dependencies = dependencies_of(batch, format="json", dialect=dialect)
    item_of = dependencies.item_of
    return [units[index] for index in dict.fromkeys(item_of[each] for each in dependencies.order())]


def _lose_respond_async(item: Operation, place: Place, losses: Losses) -> None:
    """OData Protocol, 11.7.7.6: it is not applied to one request of a multipart batch."""
    if any(name.removeprefix("odata.") == "respond-async" for name, _ in preferences(item.headers)):
        message = "the preference respond-async has no effect in one request of a multipart batch"
        losses.add(Rule.RESPOND_ASYNC_INSIDE, message, place)


def _refuse_nothing(units: list[_Unit[_Message]]) -> None:
    if not units:
        message = "a multipart batch has at least one item, and none is left"
        raise EncodeError((Diagnostic(Rule.NO_PARTS, message),))


def _with_url(item: Operation, place: Place, losses: Losses) -> Operation:
    if item.url:
        return item
    message = "the empty URL becomes './', a request line has no place for it"
    losses.add(Rule.JSON_URL_EMPTY, message, place)
    return replace(item, url="./")


_Left: TypeAlias = Mapping[str | None, list[str]]
"""What each operation depends on and does not refer to, by its identifier."""


def _left_in(units: list[_Unit[Operation]], dialect: Dialect) -> _Left:
    group_of = {item.id: unit.name for unit in units for item in unit.messages if unit.name}
    return {
        item.id: _left(item, group_of, dialect)
        for unit in units
        for item in unit.messages
        if item.depends_on
    }


def _left(
    item: Operation, group_of: Mapping[str | None, str | None], dialect: Dialect
) -> list[str]:
    """Return what the operation depends on, but for what it refers to, and groups of either."""
    implied = _resolved_references(item, dialect)
    implied |= {group_of.get(name) or name for name in implied}
    left = [name for name in item.depends_on if name not in implied]
    groups = {group_of.get(name) for name in left}
    return [name for name in left if name not in groups]


def _stops(
    continue_on_error: bool | None, units: list[_Unit[Operation]], left: _Left, dialect: Dialect
) -> bool:
    """Tell whether the JSON batch stops at the first error, as a multipart batch can.

    It may, if its preference or the service says so; or it is a chain, though not one of references
    alone if it is to go on.
    """
    if continue_on_error is False or (continue_on_error is None and dialect.json_stops_on_error):
        return True
    if any(item.condition is not None for unit in units for item in unit.messages):
        return False
    is_chain = len(units) > 1 and _is_chain(units)
    return is_chain and (not continue_on_error or any(left.values()))


def _lose_dependencies(unit: _Unit[Operation], left: _Left, stops: bool, losses: Losses) -> None:
    """List the dependencies that neither a reference nor the order of the batch expresses."""
    members = {item.id for item in unit.messages} if unit.is_change_set else set()
    for item, place in zip(unit.messages, unit.places, strict=True):
        for name in left.get(item.id, ()):
            message = f"dependsOn {quote(name)} is given up; "
            if name in members:
                message += "the operations of a change set are executed in any order"
                losses.add(Rule.NOT_EXPRESSIBLE, message, place)
            elif not stops:
                message += "the request is executed even if that one fails"
                losses.add(Rule.NOT_EXPRESSIBLE, message, place)


def _without_gets(unit: _Unit[Operation], losses: Losses) -> Iterator[_Unit[Operation]]:
    """Yield a group less its GET requests, and these in front of it or behind it.

    OData Protocol, 11.7.2: a change set holds no GET request. One that refers to a member is sent
    behind it, and so is one that stands behind a member that is not GET, unless a member refers to
    it.
    """
    if not unit.is_change_set or not losses.refuses(Rule.GET_IN_CHANGE_SET):
        yield unit
        return
    kept: _Unit[Operation] = _Unit(True, unit.name, [], [])
    after: list[_Unit[Operation]] = []
    wanted = {name for item in unit.messages for name in _references(item, losses.dialect)}
    late: set[str | None] = set()
    for item, place in zip(unit.messages, unit.places, strict=True):
        if item.method != "GET":
            kept.messages.append(item)
            kept.places.append(place)
            late.add(item.id)
        elif late.isdisjoint(_references(item, losses.dialect)) and (
            not kept.messages or item.id in wanted
        ):
            yield _taken_out(item, place, "in front of", losses)
        else:
            after.append(_taken_out(item, place, "behind", losses))
            late.add(item.id)
    if kept.messages:
        yield kept
    yield from after


def _taken_out(item: Operation, place: Place, side: str, losses: Losses) -> _Unit[Operation]:
    message = f"GET {quote(item.url)} is taken out of its change set and put {side} it; "
    losses.add(Rule.GET_IN_CHANGE_SET, message + "neither fails with the other", place)
    return _Unit(False, None, [item], [place])


# -- what cannot be expressed at all ---------------------------------------------------------------


class _Json:
    """Says why an operation cannot stand in a JSON batch."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses

    def reason(self, item: Operation, index: int) -> str | None:
        known = item.method in (*_JSON_BATCH_METHODS, *self._losses.dialect.methods)
        if known or not self._losses.refuses(Rule.JSON_METHOD_UNKNOWN):
            return None
        return f"JSON has no {item.method}"


_JSON_BATCH_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class _Multipart:
    """Says why an operation cannot stand in a multipart batch."""

    def __init__(self, units: list[_Unit[Operation]], losses: Losses) -> None:
        self._strict = losses.refuses(Rule.REFERENCE_ACROSS_CHANGE_SETS)
        self._dialect = losses.dialect
        self._units = units
        self._index_of = {
            item.id: index for index, unit in enumerate(units) for item in unit.messages
        }

    def reason(self, item: Operation, index: int) -> str | None:
        name = referenced_id(item.url, self._dialect)
        target = index if name is None else self._index_of.get(name, index)
        if target > index:
            return f"it refers to {quote(name or '')}, which comes later"
        if target < index and self._strict:
            return f"it refers to {quote(name or '')}, which is not in its change set"
        return None


def _without_inexpressible(
    units: list[_Unit[Operation]], target: _Json | _Multipart, losses: Losses
) -> list[_Unit[Operation]]:
    """Return the units that can be written; change sets are kept whole or not at all."""
    kept = []
    missing: set[str] = set()
    for index, unit in enumerate(units):
        reasons = [
            _missing(item, missing, losses.dialect) or target.reason(item, index)
            for item in unit.messages
        ]
        if not any(reasons):
            kept.append(unit)
            continue
        for item, reason, place in zip(unit.messages, reasons, unit.places, strict=True):
            message = f"{item.method} {quote(item.url)} is left out: "
            message += reason or "its change set cannot be kept"
            losses.add(Rule.NOT_EXPRESSIBLE, message, place)
        missing.update(item.id for item in unit.messages if item.id is not None)
        missing.update([unit.name] if unit.name is not None else [])
    return kept


def _missing(item: Operation, missing: set[str], dialect: Dialect) -> str | None:
    if missing:
        for name in (*_references(item, dialect), *item.depends_on):
            if name in missing:
                return f"it depends on {quote(name)}, which is left out"
    return None


# -- responses -------------------------------------------------------------------------------------


def _response_to_json(
    batch: BatchResponse, units: list[_Unit[OperationResponse]], losses: Losses
) -> BatchResponse:
    content = JsonContent(losses)
    anonymous = [message.id is None for unit in units for message in unit.messages]
    for unit in units:
        unit.name = None
    _each(units, lambda item, place: content.convert(json_headers(item, place, losses), place))
    prepared = prepare(BatchResponse(_response_items(units)), format="json", dialect=losses.dialect)
    _put_back(units, prepared.items, _responses_of)
    answers = [answer for unit in units for answer in zip(unit.messages, unit.places, strict=True)]
    for (response, place), is_anonymous in zip(answers, anonymous, strict=True):
        if is_anonymous:
            message = f"the response has no id; it gets {quote(response.id or '')}, "
            message += "which need not be that of its request"
            losses.add(Rule.JSON_RESPONSE_ID_MISSING, message, place)
    if batch.truncated:
        message = "that the response is truncated is not said any more"
        losses.add(Rule.NOT_EXPRESSIBLE, message, WHOLE)
    return replace(batch, items=_response_items(units), truncated=False)


def _prepare_responses(units: list[_Unit[OperationResponse]], dialect: Dialect) -> None:
    """Prepare for JSON, but for identifiers that are missing: no request has a generated one."""
    ids = [message.id for unit in units for message in unit.messages]
    flat = BatchResponse(_response_items(units))
    _put_back(units, prepare(flat, format="json", dialect=dialect).items, _responses_of)
    known = iter(ids)
    _each(units, lambda item, place: replace(item, id=next(known)))


def _response_to_multipart(
    batch: BatchResponse, units: list[_Unit[OperationResponse]], losses: Losses
) -> BatchResponse:
    lose_annotations(batch.annotations, WHOLE, losses)
    if batch.next_link is not None:
        message = f"the next link {quote(batch.next_link)} is given up"
        losses.add(Rule.NOT_EXPRESSIBLE, message, WHOLE)
    _refuse_nothing(units)

    def convert(item: OperationResponse, place: Place) -> OperationResponse:
        # JSON does not carry the reason phrase, so that there is none to be kept.
        return replace(multipart_message(item, place, losses), reason=None)

    _each(units, convert)
    answers = _with_one_tail([_one_failure(unit, losses) for unit in units], losses)
    for unit in answers:
        unit.name = None
    return BatchResponse(_response_items(answers))


def _with_one_tail(
    units: list[_Unit[OperationResponse]], losses: Losses
) -> list[_Unit[OperationResponse]]:
    """Leave out each 202 in front of others: it would stand for them (OData Protocol, 11.7.7.6)."""
    if not losses.refuses(Rule.ACCEPTED_NOT_LAST):
        return units
    kept = []
    for unit in units:
        answer = unit.messages[0]
        if unit is units[-1] or unit.is_change_set or answer.status != 202:
            kept.append(unit)
        else:
            message = (
                f"the response 202 to {quote(answer.id or '')} is given up, it is not the last"
            )
            losses.add(Rule.ACCEPTED_NOT_LAST, message, unit.places[0])
    return kept


def _one_failure(unit: _Unit[OperationResponse], losses: Losses) -> _Unit[OperationResponse]:
    """Return the one response to a change set that failed (OData Protocol, 11.7.7.5)."""
    failed = [index for index, item in enumerate(unit.messages) if item.status >= 400]
    if not unit.is_change_set or not failed:
        return unit
    # 424 is the answer to those that failed because another one did. OData JSON, 19.5
    culprits = [index for index in failed if unit.messages[index].status != 424]
    chosen = (culprits or failed)[0]
    answer = unit.messages[chosen]
    for index, (item, place) in enumerate(zip(unit.messages, unit.places, strict=True)):
        if index != chosen:
            message = f"the response {item.status} is given up; the change set that failed is "
            message += f"answered with one response, that to {quote(answer.id or '')}"
            losses.add(Rule.CHANGE_SET_ERROR_NESTED, message, place)
    return _Unit(False, None, [answer], [unit.places[chosen]])
