"""Conversion of batches between the formats (OData Protocol, 11.7.1), and what it loses.

What is converted is the prepared batch, the one that encoding it in its own format writes. Change
sets are flattened; then every message is adapted to the target; what cannot be adapted is left out,
with all that refers to it; then order and dependencies are carried over. Each step lists what it
drops.

The formats differ in what they say about order. A multipart batch is executed in order and, unless
told otherwise, ends at the first error (OData Protocol, 11.7.7.4). A JSON batch is executed in any
order that `dependsOn` allows; what depends on a failed request fails, and the rest goes on (OData
JSON, 19.4). So a multipart batch that stops becomes a chain, in which each item depends on the one
before, and a chain becomes a multipart batch that stops. One that goes on cannot keep its order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, TypeVar

from odata_batch._checks import fields, messages, requests, responses, urls
from odata_batch._checks.services import REFERENCE_LOOKALIKE
from odata_batch._client.fitting import WHOLE, Entry, Fitting, Unit
from odata_batch._coding.settings import Settings, format_of
from odata_batch._graph.expressions import bindings_in, referenced_id, references_outside_body
from odata_batch._graph.names import Names, key_of, stops_at_error
from odata_batch._graph.urls import percent_encoded
from odata_batch._model import values
from odata_batch._model.dialect import METHODS
from odata_batch._model.findings import Diagnostic, EncodeError, Rule, of_type, quote
from odata_batch._model.values import NOT_EXPRESSIBLE, BatchRequest, Format, Operation, check_format
from odata_batch._wire import grammar
from odata_batch._wire.jsonitem import JSON_RESPONSE_ID_MISSING
from odata_batch._wire.mime import NO_PARTS

_Batch = TypeVar("_Batch", BatchRequest, values.BatchResponse)

# MERGE was renamed (OData 3, 10.3.2), and HEAD is GET without the content (RFC 9110, 9.3.2).
_JSON_METHODS: Final[Mapping[str, str]] = {"MERGE": "PATCH", "HEAD": "GET"}
# Where a reference fails with what it refers to, because services resolve it
_RESOLVED = ("url", "if-match", "if-none-match")


def convert(
    kind: type[Fitting[Any, _Batch]],
    settings: Settings,
    batch: _Batch,
    source: Format | None,
    target: Format,
) -> tuple[_Batch, tuple[Diagnostic, ...]]:
    """Return the batch as one of the format `target`, and what is lost."""
    source = format_of(replace(settings, format=source), batch)
    of_type(batch, kind.batch, "batch")
    check_format(target)
    if source == target:
        return values.changed(batch, format=target), ()
    work = kind(batch.items, settings.dialect)
    work.prepare(source)
    converted = work.to_json(batch) if target == "json" else work.to_multipart(batch)
    return values.changed(converted, format=target), tuple(work.losses)


# -- requests --------------------------------------------------------------------------------------


class Requests(Fitting[Operation, BatchRequest]):
    """The items of a batch request that is converted."""

    batch = BatchRequest
    change_set = values.ChangeSet

    def to_json(self, batch: BatchRequest) -> BatchRequest:
        """Return the batch as a JSON batch."""
        for entry in self.entries():
            item, method = entry.message, _JSON_METHODS.get(entry.message.method)
            if method is not None and item.method not in self.dialect.methods:
                message = f"{item.method} {quote(item.url)} becomes {method}"
                message += f", JSON has no {item.method}"
                self.lose(messages.JSON_METHOD_UNKNOWN, message, entry.place)
                entry.message = replace(item, method=method)
            self._fit_url(entry)
            self._lose_body(entry, ("GET", "DELETE"), messages.JSON_BODY_UNEXPECTED)
            self.fit_json(entry)
        if self.refuses(messages.JSON_METHOD_UNKNOWN):
            known = METHODS | self.dialect.methods
            self._leave_out(
                lambda item, _: None if item.method in known else f"JSON has no {item.method}"
            )
        self._depend_on_references()
        self.prepare("json")
        preference = batch.continue_on_error
        if stops_at_error(batch, "multipart", self.dialect):
            for before, unit in pairwise(self.units):
                for entry in unit.entries:
                    names = dict.fromkeys((_name_of(before), *entry.message.depends_on))
                    entry.message = replace(entry.message, depends_on=tuple(names))
        else:
            has_effect = any(entry.message.method != "GET" for entry in self.entries())
            if has_effect and not self._is_chain():
                message = "the order is lost: a JSON batch that continues after errors has none"
                self.lose(NOT_EXPRESSIBLE, message, WHOLE)
            preference = True if self.dialect.json_stops_on_error else preference
        return replace(batch, items=self.pack(), continue_on_error=preference)

    def to_multipart(self, batch: BatchRequest) -> BatchRequest:
        """Return the batch as a multipart batch."""
        self.lose_annotations(batch.annotations, WHOLE)
        # Each comes after what it depends on already, unless a group was read whose members were
        # not adjacent (OData JSON, 19.1).
        names = Names(self.pack(), dialect=self.dialect)
        order = dict.fromkeys(names.item_of[index] for index in names.order())
        self.units = [self.units[number] for number in order]
        for entry in self.entries():
            self._fit_request_to_multipart(entry)
        left = self._left()
        stops = self._stops(batch, left)
        preference = batch.continue_on_error
        if len(self.units) > 1:
            by_default = preference is None and self.dialect.multipart_stops_on_error
            preference = (None if by_default else False) if stops else True
        self.units = [part for unit in self.units for part in self._without_gets(unit)]
        for unit in self.units:
            self._lose_dependencies(unit, left, stops)
        names = Names(self.pack(), dialect=self.dialect)
        self._leave_out(lambda item, number: self._misplaced(item, number, names))
        if not self.units:
            message = "a multipart batch has at least one item, and none is left"
            raise EncodeError((Diagnostic(NO_PARTS, message),))
        for unit in self.units:
            unit.name = None
            for entry in unit.entries:
                entry.message = replace(entry.message, depends_on=(), condition=None)
        return BatchRequest(self.pack(), continue_on_error=preference)

    # -- one request --

    def _fit_url(self, entry: Entry[Operation]) -> None:
        url = entry.message.url
        plain = percent_encoded(url)
        if plain != url:
            rule = urls.URL_WHITE_SPACE if " " in url else urls.URL_CHARACTERS
            self.lose(rule, f"URL {quote(url)} is percent-encoded", entry.place)
        if "#" in plain:  # no server is told what follows it
            self.lose(
                urls.URL_FRAGMENT, f"the number sign in {quote(url)} becomes %23", entry.place
            )
            plain = plain.replace("#", "%23")
        is_taken = plain.lstrip("/").startswith("$") and not self.dialect.dollar_segments
        if is_taken and referenced_id(plain, self.dialect) is None:
            self.lose(REFERENCE_LOOKALIKE, f"URL {quote(url)} gets ./ in front", entry.place)
            plain = f"./{plain.lstrip('/')}"
        if plain != url:
            entry.message = replace(entry.message, url=plain)

    def _lose_body(self, entry: Entry[Operation], methods: tuple[str, ...], rule: Rule) -> None:
        """Leave out a body that the method must not have in the target."""
        item = entry.message
        if item.body and item.method in methods and self.refuses(rule):
            message = f"the body of {len(item.body)} octets is dropped, {item.method} has none"
            self.lose(rule, message, entry.place)
            entry.message = replace(item, body=b"")

    def _fit_request_to_multipart(self, entry: Entry[Operation]) -> None:
        if not entry.message.url:
            message = "the empty URL becomes './', a request line has no place for it"
            self.lose(urls.JSON_URL_EMPTY, message, entry.place)
            entry.message = replace(entry.message, url="./")
        self._fit_url(entry)
        self._lose_body(entry, ("GET",), messages.BODY_UNEXPECTED)
        self.fit_multipart(entry)
        item = entry.message
        # OData Protocol, 11.7.7.6: it is not applied to one request of a multipart batch.
        preferences = grammar.preferences(item.headers.get_all("prefer"))
        names = [name.removeprefix("odata.") for name, _ in preferences]
        if "respond-async" in names:
            message = (
                "the preference respond-async has no effect in one request of a multipart batch"
            )
            self.lose(fields.RESPOND_ASYNC_INSIDE, message, entry.place)
        if item.condition is not None:
            message = f"the condition {quote(item.condition)} is dropped; "
            message += "the request is executed without it"
            self.lose(NOT_EXPRESSIBLE, message, entry.place)

    # -- what requests refer to --

    def _references(self, item: Operation) -> list[str]:
        """Return the identifiers without which the operation cannot be executed, in order."""
        found = references_outside_body(item, self.dialect)
        names = [each.id for each in found if each.place != "condition"]
        return list(dict.fromkeys((*names, *bindings_in(item, self.dialect))))

    def _depend_on_references(self) -> None:
        """Add what else is referred to, as preparing adds what URLs refer to (OData JSON, 19.1)."""
        names = Names(self.pack(), dialect=self.dialect)
        for index, entry in enumerate(self.entries()):
            item = entry.message
            present = set(map(names.key, item.depends_on))
            missing = [
                name
                for name in self._references(item)
                if names.key(name) not in present and min(names.named(name), default=index) < index
            ]
            if missing:
                entry.message = replace(item, depends_on=(*item.depends_on, *missing))

    def _is_chain(self) -> bool:
        """Tell whether each item depends on the one before it, all members of a group included."""
        key = key_of(self.dialect)
        return all(
            key(_name_of(before)) in map(key, item.depends_on)
            for before, unit in pairwise(self.units)
            for item in unit.messages
        )

    def _leave_out(self, reason_of: Callable[[Operation, int], str | None]) -> None:
        """Leave out what cannot be expressed, with its change set and with what depends on it."""
        kept, key = [], key_of(self.dialect)
        gone: set[str] = set()
        for number, unit in enumerate(self.units):
            reasons = []
            for item in unit.messages:
                names = (*self._references(item), *item.depends_on) if gone else ()
                needed = next((name for name in names if key(name) in gone), None)
                reason = reason_of(item, number)
                if needed is not None:
                    reason = f"it depends on {quote(needed)}, which is left out"
                reasons.append(reason)
            if not any(reasons):
                kept.append(unit)
                continue
            for entry, reason in zip(unit.entries, reasons, strict=True):
                message = f"{entry.message.method} {quote(entry.message.url)} is left out: "
                message += reason or "its change set cannot be kept"
                self.lose(NOT_EXPRESSIBLE, message, entry.place)
            ids = (unit.name, *(item.id for item in unit.messages))
            gone.update(key(id) for id in ids if id is not None)
        self.units = kept

    def _misplaced(self, item: Operation, number: int, names: Names) -> str | None:
        """Return why a multipart batch cannot have the request in this place."""
        name = referenced_id(item.url, self.dialect)
        found = None if name is None else names.find(name, number)
        if name is None or found is None:
            return None
        if names.item_of[found] > number:
            return f"it refers to {quote(name)}, which comes later"
        if names.item_of[found] < number and self.refuses(requests.REFERENCE_ACROSS_CHANGE_SETS):
            return f"it refers to {quote(name)}, which is not in its change set"
        return None

    def _left(self) -> dict[Entry[Operation], list[str]]:
        """Return what each depends on, except for what it refers to, and groups of either."""
        names = Names(self.pack(), dialect=self.dialect)

        def group_of(name: str, number: int) -> str | None:
            found = names.find(name, number)
            group = None if found is None else names.group_of(found)
            return None if group is None else names.key(group)

        left: dict[Entry[Operation], list[str]] = {}
        for index, entry in enumerate(self.entries()):
            item, number = entry.message, names.item_of[index]
            if item.depends_on:
                found = references_outside_body(item, self.dialect)
                resolved = [each.id for each in found if each.place in _RESOLVED]
                resolved += bindings_in(item, self.dialect)
                implied = {names.key(name) for name in resolved}
                implied |= {group_of(name, number) or "" for name in resolved}
                rest = [name for name in item.depends_on if names.key(name) not in implied]
                groups = {group_of(name, number) for name in rest}
                left[entry] = [name for name in rest if names.key(name) not in groups]
        return left

    def _stops(self, batch: BatchRequest, left: Mapping[Entry[Operation], list[str]]) -> bool:
        """Tell whether the JSON batch stops at the first error, as a multipart batch can.

        It may, if its preference or the service says so; or it is a chain, though not one of
        references alone if it is to go on.
        """
        if stops_at_error(batch, "json", self.dialect):
            return True
        if any(entry.message.condition is not None for entry in self.entries()):
            return False
        is_chain = len(self.units) > 1 and self._is_chain()
        return is_chain and (not batch.continue_on_error or any(left.values()))

    def _lose_dependencies(
        self, unit: Unit[Operation], left: Mapping[Entry[Operation], list[str]], stops: bool
    ) -> None:
        """List the dependencies that neither a reference nor the order of the batch expresses."""
        key = key_of(self.dialect)
        members = {key(item.id or "") for item in unit.messages if unit.is_set}
        for entry in unit.entries:
            for name in left.get(entry, ()):
                lost = "the request is executed even if that one fails"
                if key(name) in members:
                    lost = "the operations of a change set are executed in any order"
                elif stops:
                    continue
                message = f"dependsOn {quote(name)} is dropped; {lost}"
                self.lose(NOT_EXPRESSIBLE, message, entry.place)

    def _without_gets(self, unit: Unit[Operation]) -> Iterator[Unit[Operation]]:
        """Yield a group less its GET requests, and these before it or after it.

        OData Protocol, 11.7.2: a change set holds no GET request. One that refers to a member is
        sent after it, and so is one that comes after a member that is not GET, unless a member
        refers to it.
        """
        if not unit.is_set or not self.refuses(requests.GET_IN_CHANGE_SET):
            yield unit
            return
        key = key_of(self.dialect)
        kept: Unit[Operation] = Unit([], True, unit.name)
        after: list[Unit[Operation]] = []
        wanted = {key(name) for item in unit.messages for name in self._references(item)}
        late: set[str] = set()
        for entry in unit.entries:
            item, id = entry.message, key(entry.message.id or "")
            if item.method != "GET":
                kept.entries.append(entry)
                late.add(id)
                continue
            is_late = not late.isdisjoint(map(key, self._references(item)))
            is_after = is_late or bool(kept.entries and id not in wanted)
            side = "after" if is_after else "before"
            message = f"GET {quote(item.url)} is moved out of its change set, {side} it; "
            message += "neither fails with the other"
            self.lose(requests.GET_IN_CHANGE_SET, message, entry.place)
            if is_after:
                after.append(Unit([entry]))
                late.add(id)
            else:
                yield Unit([entry])
        if kept.entries:
            yield kept
        yield from after


def _name_of(unit: Unit[Operation]) -> str:
    """Return the name by which others depend on an item that is prepared for JSON."""
    return (unit.name if unit.is_set else unit.entries[0].message.id) or ""


# -- responses -------------------------------------------------------------------------------------


class Responses(Fitting[values.OperationResponse, values.BatchResponse]):
    """The items of a batch response that is converted."""

    batch = values.BatchResponse
    change_set = values.ChangeSetResponse

    def to_json(self, batch: values.BatchResponse) -> values.BatchResponse:
        """Return the batch as a JSON batch."""
        for entry in self.entries():
            self.fit_json(entry)
            if entry.message.id is None:
                message = "the response has no id, and JSON does not tell its request by the order"
                self.lose(JSON_RESPONSE_ID_MISSING, message, entry.place)
        self.prepare("json")
        if batch.truncated:
            self.lose(NOT_EXPRESSIBLE, "the response is no longer marked as truncated", WHOLE)
        return replace(batch, items=self.pack(), truncated=False)

    def to_multipart(self, batch: values.BatchResponse) -> values.BatchResponse:
        """Return the batch as a multipart batch."""
        self.lose_annotations(batch.annotations, WHOLE)
        if batch.next_link is not None:
            self.lose(NOT_EXPRESSIBLE, f"the next link {quote(batch.next_link)} is dropped", WHOLE)
        for entry in self.entries():
            self.fit_multipart(entry)
            # JSON does not carry the reason phrase, so that there is none to be kept.
            entry.message = replace(entry.message, reason=None)
        self.units = list(map(self._one_failure, self.units))
        self._leave_one_tail()
        for unit in self.units:
            unit.name = None
        return values.BatchResponse(self.pack())

    def _leave_one_tail(self) -> None:
        """Leave out each 202 before others: it would answer them (OData Protocol, 11.7.7.6)."""
        if not self.refuses(responses.ACCEPTED_NOT_LAST):
            return
        kept = []
        for unit in self.units:
            entry = unit.entries[0]
            if unit is self.units[-1] or unit.is_set or entry.message.status != 202:
                kept.append(unit)
            else:
                id = quote(entry.message.id or "")
                message = f"the response 202 to {id} is dropped, it is not the last"
                self.lose(responses.ACCEPTED_NOT_LAST, message, entry.place)
        self.units = kept

    def _one_failure(self, unit: Unit[values.OperationResponse]) -> Unit[values.OperationResponse]:
        """Return the one response to a change set that failed (OData Protocol, 11.7.7.5)."""
        failed = [entry for entry in unit.entries if entry.message.status >= 400]
        if not unit.is_set or not failed:
            return unit
        # 424 is the answer to those that failed because another one did. OData JSON, 19.5
        chosen = min(failed, key=lambda entry: entry.message.status == 424)
        for entry in unit.entries:
            if entry is not chosen:
                message = f"the response {entry.message.status} is dropped; the change set that "
                message += "failed is answered with one response, that to "
                message += quote(chosen.message.id or "")
                self.lose(responses.CHANGE_SET_ERROR_NESTED, message, entry.place)
        return Unit([chosen])
