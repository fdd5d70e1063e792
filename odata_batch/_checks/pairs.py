"""What the standards ask of a response, seen beside its request (OData Protocol, 11.7.7.5).

`check_pair` runs after the rules for the response alone. It compares what was sent with what came
back, and says where the two do not fit; which outcome each operation had is for `match` to say. An
identifier is asked for only where one was sent. All work is linear in the size of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from odata_batch._checks.messages import Scope
from odata_batch._graph.names import Names, key_of, stops_at_error
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
        errors = [
            index
            for index, answer in enumerate(answers)
            if any(found.response.status >= 400 for found in _answers((answer,)))
        ]
        if stops and errors and errors[0] < len(answers) - 1:
            behind = errors[0] + 1
            message = f"responses go on behind an error, in items[{errors[0]}]"
            position = answers[behind].position
            self._say(Rule.RESPONSE_AFTER_ERROR, message, f"items[{behind}]", position)
        last = answers[-1] if answers else None
        accounted = stops and errors[-1:] == [len(answers) - 1]
        accounted |= isinstance(last, OperationResponse) and last.status == 202
        if len(answers) < len(asked) and not accounted:
            self._say_missing(asked[len(answers) :])

    def _say_missing(self, items: Sequence[RequestItem]) -> None:
        if self._response.truncated or self._response.next_link is not None:
            return
        others = f" and {len(items) - 1} more" if len(items) > 1 else ""
        self._say(Rule.RESPONSE_MISSING, f"there is no response to {_name_of(items[0])}{others}")

    # -- a JSON request: by id --

    def check_by_id(self) -> None:
        """Compare the operations of both sides by their ids."""
        names = Names(self._request.items, dialect=self._scope.dialect)
        answers = list(_answers(self._response.items))
        last = self._response.items[-1] if self._response.items else None
        is_accepted = isinstance(last, OperationResponse) and last.status == 202
        # The last part of a multipart response, if it is a 202, stands for all that is left.
        has_tail = is_accepted and self._scope.format == "multipart"
        depended_on = {
            self._key(name) for operation in names.operations for name in operation.depends_on
        }
        answered = set()
        unnamed = 0
        for answer in answers[:-1] if has_tail else answers:
            id = answer.response.id
            if id is None:
                unnamed += 1
                message = "a response to a JSON request has no Content-ID"
                self._say_of(Rule.RESPONSE_ID, message, answer)
                continue
            answered.add(self._key(id))
            named = names.named(id)
            if not named:
                message = f"the id {quote(id)} is none of the request"
                self._say_of(Rule.RESPONSE_UNEXPECTED, message, answer)
                continue
            self._check_group(names.operations[named[0]], names.group_of(named[0]), answer)
            if answer.response.status == 202 and self._key(id) in depended_on:
                message = f"{quote(id)} is answered with 202, others depend on it"
                self._say_of(Rule.ACCEPTED_WITH_DEPENDENTS, message, answer)
        missing = [each for each in names.operations if self._key(each.id or "") not in answered]
        # Whom the responses without an identifier answer is not known: they may be these.
        if len(missing) > unnamed and not has_tail:
            if not stops_at_error(self._request, "json", self._scope.dialect):
                self._say_missing(missing)

    def _check_group(self, item: Operation, group: str | None, answer: _Answer) -> None:
        if self._scope.format == "multipart":
            if "." in answer.path:
                message = "found a change set in the response to a JSON request"
                self._say_of(Rule.RESPONSE_STRUCTURE, message, answer)
        elif (answer.group and self._key(answer.group)) != (group and self._key(group)):
            expected = "none" if group is None else quote(group)
            found = "none" if answer.group is None else quote(answer.group)
            message = f"the group of {_name_of(item)} is {expected}, here it is {found}"
            self._say_of(Rule.RESPONSE_GROUP, message, answer)


def _answers(items: Sequence[ResponseItem], path: str | None = None) -> Iterator[_Answer]:
    """Yield the responses with their paths; `path` is that of the only item."""
    for index, item in enumerate(items):
        place = f"items[{index}]" if path is None else path
        if isinstance(item, ChangeSetResponse):
            for inner, response in enumerate(item.responses()):
                yield _Answer(response, f"{place}.items[{inner}]", item.id)
        else:
            yield _Answer(item, place, None)


def _name_of(item: RequestItem) -> str:
    if isinstance(item, ChangeSet):
        count = len(item.operations())
        return f"a change set of {count} operation{'' if count == 1 else 's'}"
    return f"{item.method} {quote(item.url)}"
