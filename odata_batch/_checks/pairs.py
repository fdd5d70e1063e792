"""What the standards ask of a response, seen beside its request (OData Protocol, 11.7.7.5).

`check_pair` runs after the rules for the response alone. It compares what was sent with what came
back, and says where the two do not fit; which outcome each operation had is for `match` to say. An
identifier is asked for only where one was sent. All work is linear in the size of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from odata_batch._checks.messages import Scope
from odata_batch._graph.names import key_of, stops_at_error
from odata_batch._graph.prepare import prepare
from odata_batch._model.dialect import Format
from odata_batch._model.findings import Diagnostic, quote
from odata_batch._model.rules import Rule
from odata_batch._model.values import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    RequestItem,
    ResponseItem,
)


def check_pair(
    request: BatchRequest, response: BatchResponse, request_format: Format, scope: Scope
) -> None:
    """Report where the response is not one to the request; the scope is that of the response.

    A JSON request is answered in any order, each response with the id of its request, also in a
    multipart response, which is flat then. A multipart request is answered item by item, also in a
    JSON response.
    """
    if request_format == "json":
        prepared = prepare(request, format="json", dialect=scope.dialect)
        _Pair(prepared, response, scope).check_by_id()
    elif scope.dialect.flat_responses:
        asked = replace(request, items=request.operations())
        _Pair(asked, replace(response, items=response.responses()), scope).check_by_position()
    else:
        _Pair(request, response, scope).check_by_position()


@dataclass(frozen=True, slots=True)
class _Sent:
    """An operation of the request, and the name of its group."""

    operation: Operation
    group: str | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response, where it stands, and the name of its group."""

    response: OperationResponse
    path: str
    group: str | None


class _Pair:
    """A request and a response to it."""

    def __init__(self, request: BatchRequest, response: BatchResponse, scope: Scope) -> None:
        self._request = request
        self._response = response
        self._scope = scope
        self._key = key_of(scope.dialect)

    def _say(self, rule: Rule, message: str, path: str = "", position: int | None = 0) -> None:
        self._scope.report(Diagnostic(rule, message, position, path))

    def _say_of(self, rule: Rule, message: str, answer: _Answer) -> None:
        self._say(rule, message, answer.path, answer.response.position)

    # -- a multipart request: item by item --

    def check_by_position(self) -> None:
        """Compare the items of both sides in order."""
        asked, answers = self._request.items, self._response.items
        for index, (item, answer) in enumerate(zip(asked, answers, strict=False)):
            self._check_item(item, answer, f"items[{index}]")
        for index, answer in enumerate(answers[len(asked) :], len(asked)):
            message = f"there are {len(answers)} items, the request has {len(asked)}"
            self._say(Rule.RESPONSE_UNEXPECTED, message, f"items[{index}]", answer.position)
        self._check_end()

    def _check_item(self, item: RequestItem, answer: ResponseItem, path: str) -> None:
        if isinstance(item, Operation) and isinstance(answer, OperationResponse):
            self._check_id(item, _Answer(answer, path, None))
        elif isinstance(item, ChangeSet) and isinstance(answer, ChangeSetResponse):
            self._check_change_set(item, answer, path)
        elif isinstance(answer, ChangeSetResponse):
            message = f"found the responses to a change set, the request has {_name_of(item)}"
            self._say(Rule.RESPONSE_STRUCTURE, message, path, answer.position)
        elif isinstance(item, ChangeSet) and answer.status < 400 and answer.status != 202:
            message = f"a change set is answered with the single response {answer.status}"
            self._say(Rule.CHANGE_SET_SUCCESS_SINGLE, message, path, answer.position)

    def _check_id(self, item: Operation, answer: _Answer) -> None:
        id = answer.response.id
        if item.id is None or (id is not None and self._key(id) == self._key(item.id)):
            return
        if id is None:
            message = f"the response to {_name_of(item)} has no id, expected {quote(item.id)}"
        else:
            message = f"the response to {_name_of(item)} has the id {quote(id)}"
        self._say_of(Rule.RESPONSE_ID, message, answer)

    def _check_change_set(self, item: ChangeSet, answer: ChangeSetResponse, path: str) -> None:
        """Members are answered in any order, so it is their ids that tell them apart."""
        operations = item.operations()
        asked = {self._key(each.id) for each in operations if each.id is not None}
        answers = list(_answers((answer,), path))
        failed = any(found.response.status >= 400 for found in answers)
        if len(asked) == len(operations) and not (failed and len(answers) == 1):
            self._check_members(asked, answers)
            ids = [found.response.id for found in answers]
            answered = {self._key(id) for id in ids if id is not None} & asked
            count = min(len(operations), len(answered) + ids.count(None))
        else:
            count = len(answers)
        if count < len(operations) and not failed and not self._response.truncated:
            message = f"{count} of {len(operations)} operations have a response"
            self._say(Rule.RESPONSE_MISSING, message, path, answer.position)

    def _check_members(self, asked: set[str], answers: list[_Answer]) -> None:
        for found in answers:
            id = found.response.id
            if id is None:
                self._say_of(Rule.RESPONSE_ID, "a response in a change set has no id", found)
            elif self._key(id) not in asked:
                message = f"the id {quote(id)} is none of this change set"
                self._say_of(Rule.RESPONSE_UNEXPECTED, message, found)

    def _check_end(self) -> None:
        asked, answers = self._request.items, self._response.items
        stops = stops_at_error(self._request, "multipart", self._scope.dialect)
        errors = [index for index, answer in enumerate(answers) if _has_failed(answer)]
        if stops and errors and errors[0] < len(answers) - 1:
            behind = errors[0] + 1
            message = f"responses go on behind an error, in items[{errors[0]}]"
            position = answers[behind].position
            self._say(Rule.RESPONSE_AFTER_ERROR, message, f"items[{behind}]", position)
        last = answers[-1] if answers else None
        accounted = stops and errors[-1:] == [len(answers) - 1]
        accounted |= isinstance(last, OperationResponse) and last.status == 202
        if len(answers) < len(asked) and not accounted:
            self._say_missing([_name_of(item) for item in asked[len(answers) :]])

    def _say_missing(self, names: Sequence[str]) -> None:
        if self._response.truncated or self._response.next_link is not None:
            return
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self._say(Rule.RESPONSE_MISSING, f"there is no response to {names[0]}{others}")

    # -- a JSON request: by id --

    def check_by_id(self) -> None:
        """Compare the operations of both sides by their ids."""
        sent = {self._key(each.operation.id or ""): each for each in _sent(self._request)}
        depended_on = {self._key(name) for each in sent.values() for name in _names(each)}
        answered = set()
        unnamed = 0
        tail = self._tail()
        for answer in _answers(self._response.items[: len(self._response.items) - tail]):
            id = answer.response.id
            if id is None:
                unnamed += 1
                message = "a response to a JSON request has no Content-ID"
                self._say_of(Rule.RESPONSE_ID, message, answer)
                continue
            answered.add(self._key(id))
            each = sent.get(self._key(id))
            if each is None:
                message = f"the id {quote(id)} is none of the request"
                self._say_of(Rule.RESPONSE_UNEXPECTED, message, answer)
            else:
                self._check_group(each, answer)
                self._check_accepted(answer, self._key(id) in depended_on)
        missing = [each for key, each in sent.items() if key not in answered]
        # Whom the responses without an identifier answer is not known: they may be these.
        if len(missing) > unnamed and not (
            tail or stops_at_error(self._request, "json", self._scope.dialect)
        ):
            self._say_missing([_name_of(each.operation) for each in missing])

    def _tail(self) -> int:
        """Return 1 if the last response, a 202, stands for all that is left."""
        last = self._response.items[-1] if self._response.items else None
        is_tail = isinstance(last, OperationResponse) and last.status == 202
        return int(is_tail and self._scope.format == "multipart")

    def _check_group(self, each: _Sent, answer: _Answer) -> None:
        if self._scope.format == "multipart":
            if "." in answer.path:
                message = "found a change set in the response to a JSON request"
                self._say_of(Rule.RESPONSE_STRUCTURE, message, answer)
        elif answer.group != each.group:
            expected = "none" if each.group is None else quote(each.group)
            found = "none" if answer.group is None else quote(answer.group)
            message = f"the group of {_name_of(each.operation)} is {expected}, here it is {found}"
            self._say_of(Rule.RESPONSE_GROUP, message, answer)

    def _check_accepted(self, answer: _Answer, has_dependents: bool) -> None:
        if answer.response.status == 202 and has_dependents:
            message = f"{quote(answer.response.id or '')} is answered with 202, others depend on it"
            self._say_of(Rule.ACCEPTED_WITH_DEPENDENTS, message, answer)


def _sent(request: BatchRequest) -> Iterator[_Sent]:
    for item in request.items:
        if isinstance(item, ChangeSet):
            yield from (_Sent(operation, item.id) for operation in item.operations())
        else:
            yield _Sent(item, None)


def _names(each: _Sent) -> tuple[str, ...]:
    return each.operation.depends_on


def _answers(items: Sequence[ResponseItem], path: str | None = None) -> Iterator[_Answer]:
    """Yield the responses with their paths; `path` is that of the only item."""
    for index, item in enumerate(items):
        place = f"items[{index}]" if path is None else path
        if isinstance(item, ChangeSetResponse):
            for inner, response in enumerate(item.responses()):
                yield _Answer(response, f"{place}.items[{inner}]", item.id)
        else:
            yield _Answer(item, place, None)


def _has_failed(answer: ResponseItem) -> bool:
    if isinstance(answer, ChangeSetResponse):
        return any(response.status >= 400 for response in answer.responses())
    return answer.status >= 400


def _name_of(item: RequestItem) -> str:
    if isinstance(item, ChangeSet):
        count = len(item.operations())
        return f"a change set of {count} operation{'' if count == 1 else 's'}"
    return f"{item.method} {quote(item.url)}"
