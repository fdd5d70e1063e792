"""The rules for a response beside its request (OData Protocol, 11.7.7.5).

`check_pair` runs after the rules for the response alone. It compares what was sent with what came
back, and reports where the two disagree; `match` tells the outcome of each operation. An identifier
is required only where one was sent. All work is linear in the size of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from odata_batch._checks.scope import Scope
from odata_batch._graph.names import Names, stops_at_error
from odata_batch._graph.prepare import prepare
from odata_batch._model import values
from odata_batch._model.findings import Diagnostic, Rule, counted, quote, warning
from odata_batch._model.values import BatchResponse, Format, OperationResponse


def check_pair(
    request: values.BatchRequest, response: BatchResponse, request_format: Format, scope: Scope
) -> None:
    """Report where the response does not answer the request; the scope is that of the response.

    A JSON request is answered in any order, each response with the id of its request, also in a
    multipart response, which is flat then. A multipart request is answered item by item, also in a
    JSON response.
    """
    if request_format == "json":
        request = prepare(request, format="json", dialect=scope.dialect)
    if "json" in (request_format, scope.format):
        found = _differences_by_id(request, response, request_format, scope)
    else:
        if scope.dialect.flat_responses:
            request = replace(request, items=request.operations())
            response = replace(response, items=response.responses())
        found = _differences_by_position(request, response, scope)
    for diagnostic in found:
        scope.report(diagnostic)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response, where it is, and the name of its group."""

    response: OperationResponse
    path: str
    group: str | None

    def found(self, rule: Rule, message: str) -> Diagnostic:
        return Diagnostic(rule, message, self.response.position, self.path)


def _answers(items: Sequence[values.ResponseItem], path: str | None = None) -> Iterator[_Answer]:
    """Yield the responses with their paths; `path` is that of the only item."""
    for index, item in enumerate(items):
        place = f"items[{index}]" if path is None else path
        if isinstance(item, values.ChangeSetResponse):
            for inner, response in enumerate(item.responses()):
                yield _Answer(response, f"{place}.items[{inner}]", item.id)
        elif isinstance(item, OperationResponse):
            yield _Answer(item, place, None)


RESPONSE_MISSING = warning("""
    response-missing: Every request that was processed has a response. [OData Protocol, 11.7.7.5]
    Answer every request, or end the batch at the first error.""")


def _missing(items: Sequence[values.RequestItem], response: BatchResponse) -> Iterator[Diagnostic]:
    if not response.truncated and response.next_link is None:
        others = f" and {len(items) - 1} more" if len(items) > 1 else ""
        message = f"there is no response to {_name_of(items[0])}{others}"
        yield Diagnostic(RESPONSE_MISSING, message, 0)


def _name_of(item: values.RequestItem) -> str:
    if isinstance(item, values.ChangeSet):
        return f"a change set of {counted(len(item.operations()), 'operation')}"
    if isinstance(item, values.Unreadable):
        return f"the {item.kind} that could not be read"
    return f"{item.method} {quote(item.url)}"


# -- a multipart request: item by item -------------------------------------------------------------


RESPONSE_UNEXPECTED = warning("""
    response-unexpected: Every response belongs to a request. [OData Protocol, 11.7.7.5]
    Answer each request once, and nothing else.""")
RESPONSE_AFTER_ERROR = warning("""
    response-after-error: Without continue-on-error the first error ends a multipart response.
    [OData Protocol, 11.7.7.5]
    End the response at the first error, or ask for continue-on-error in the Prefer header.""")


def _differences_by_position(
    request: values.BatchRequest, response: BatchResponse, scope: Scope
) -> Iterator[Diagnostic]:
    asked, answers = request.items, response.items
    names = Names(asked, dialect=scope.dialect)
    key = names.key
    for index, (item, answer) in enumerate(zip(asked, answers, strict=False)):
        if isinstance(item, values.ChangeSet) and isinstance(answer, values.ChangeSetResponse):
            yield from _in_change_set(item, answer, f"items[{index}]", key, response.truncated)
        elif (problem := _item_problem(item, answer, names)) is not None:
            yield Diagnostic(*problem, answer.position, f"items[{index}]")
    for index, answer in enumerate(answers[len(asked) :], len(asked)):
        message = f"there are {len(answers)} items, the request has {len(asked)}"
        yield Diagnostic(RESPONSE_UNEXPECTED, message, answer.position, f"items[{index}]")
    stops = stops_at_error(request, "multipart", scope.dialect)
    errors = [
        index
        for index, answer in enumerate(answers)
        if any(found.response.status >= 400 for found in _answers((answer,)))
    ]
    if stops and not scope.dialect.may_go_on and errors and errors[0] < len(answers) - 1:
        after = errors[0] + 1
        message = f"responses continue after the error in items[{errors[0]}]"
        yield Diagnostic(RESPONSE_AFTER_ERROR, message, answers[after].position, f"items[{after}]")
    last = answers[-1] if answers else None
    is_accounted = stops and errors[-1:] == [len(answers) - 1]
    is_accounted |= isinstance(last, OperationResponse) and last.status == 202
    if len(answers) < len(asked) and not is_accounted:
        yield from _missing(asked[len(answers) :], response)


RESPONSE_STRUCTURE = warning("""
    response-structure: Operations and change sets of the response match those of the request.
    [OData Protocol, 11.7.7.5]
    Answer an operation with a response and a change set with a change set, in the order of the
    request.""")
RESPONSE_ID = warning("""
    response-id: A response has the identifier of its request. [OData Protocol, 11.7.7.4]
    Copy the identifier of the request into its response.""")
CHANGE_SET_SUCCESS_SINGLE = warning("""
    change-set-success-single: One response in the place of a change set is an error. [OData
    Protocol, 11.7.7.5]
    Answer a change set that has succeeded with a change set, one response for each operation.""")


def _item_problem(
    item: values.RequestItem, answer: values.ResponseItem, names: Names
) -> tuple[Rule, str] | None:
    if isinstance(item, values.Unreadable) or isinstance(answer, values.Unreadable):
        return None
    if isinstance(answer, values.ChangeSetResponse):
        message = f"found the responses to a change set, the request has {_name_of(item)}"
        return RESPONSE_STRUCTURE, message
    if isinstance(item, values.ChangeSet):
        if answer.status >= 400 or answer.status == 202:
            return None
        message = f"a change set is answered with the single response {answer.status}"
        return CHANGE_SET_SUCCESS_SINGLE, message
    key = names.key
    if (answer.id and key(answer.id)) == (item.id and key(item.id)):
        return None
    if answer.id is None:
        found = f"no id, expected {quote(item.id or '')}"
    else:
        whose = "that of another request" if names.named(answer.id) else "one that was not sent"
        found = f"the id {quote(answer.id)}, {whose}"
    return RESPONSE_ID, f"the response to {_name_of(item)} has {found}"


def _in_change_set(
    item: values.ChangeSet,
    answer: values.ChangeSetResponse,
    path: str,
    key: Callable[[str], str],
    is_truncated: bool,
) -> Iterator[Diagnostic]:
    """Members are answered in any order, so it is their ids that tell them apart."""
    operations = item.operations()
    asked = {key(each.id) for each in operations if each.id is not None}
    answers = list(_answers((answer,), path))
    count = len(answers)
    failed = any(found.response.status >= 400 for found in answers)
    if len(asked) == len(operations) and not (failed and count == 1):
        answered = set()
        unnamed = 0
        for found in answers:
            id = found.response.id
            if id is None:
                unnamed += 1
                yield found.found(RESPONSE_ID, "a response in a change set has no id")
            elif key(id) in asked:
                answered.add(key(id))
            else:
                message = f"no operation of this change set has the id {quote(id)}"
                yield found.found(RESPONSE_UNEXPECTED, message)
        count = len(answered) + unnamed
    if count < len(operations) and not failed and not is_truncated:
        message = f"{count} of {len(operations)} operations have a response"
        yield Diagnostic(RESPONSE_MISSING, message, answer.position, path)


# -- a JSON request, or a JSON response: by id where there was one ---------------------------------


RESPONSE_GROUP = warning("""
    response-group: A response has the atomicity group of its request. [OData JSON, 19.5]
    Copy the atomicityGroup of the request into its response.""")
ACCEPTED_WITH_DEPENDENTS = warning("""
    accepted-with-dependents: A request that others depend on is not answered with 202. [OData JSON,
    19.6]
    Execute the request at once, or answer the batch as a whole with 202.""")


def _differences_by_id(
    request: values.BatchRequest, response: BatchResponse, request_format: Format, scope: Scope
) -> Iterator[Diagnostic]:
    names = Names(request.items, dialect=scope.dialect)
    key = names.key
    answers = list(_answers(response.items))
    last = response.items[-1] if response.items else None
    is_accepted = isinstance(last, OperationResponse) and last.status == 202
    # The last part of a multipart response, if it is a 202, answers all that is left.
    has_tail = is_accepted and scope.format == "multipart"
    depended_on: set[str] = set()
    if request_format == "json":
        depended_on = {key(name) for each in names.operations for name in each.depends_on}
    unnamed = [each for each in names.operations if each.id is None]
    answered = set()
    anonymous = 0
    for answer in answers[:-1] if has_tail else answers:
        id = answer.response.id
        if id is None:
            anonymous += 1
            if anonymous > len(unnamed):
                found = "a response has no id, expected that of its request"
                if request_format == "json":
                    found = "a response to a JSON request has no Content-ID"
                yield answer.found(RESPONSE_ID, found)
            continue
        answered.add(key(id))
        named = names.named(id)
        if not named:
            message = f"no request has the id {quote(id)}"
            yield answer.found(RESPONSE_UNEXPECTED, message)
            continue
        problem = _group_problem(answer, named[0], names, request_format, scope)
        if problem is not None:
            yield answer.found(*problem)
        if answer.response.status == 202 and key(id) in depended_on:
            message = f"{quote(id)} is answered with 202, but others depend on it"
            yield answer.found(ACCEPTED_WITH_DEPENDENTS, message)
    named_ones = [(each, each.id) for each in names.operations if each.id is not None]
    missing = [each for each, id in named_ones if key(id) not in answered] + unnamed[anonymous:]
    may_stop = request_format == "json" or any(each.response.status >= 400 for each in answers)
    # The responses without an identifier may answer these.
    if len(missing) > max(0, anonymous - len(unnamed)) and not has_tail:
        if not (may_stop and stops_at_error(request, request_format, scope.dialect)):
            yield from _missing(missing, response)


def _group_problem(
    answer: _Answer, index: int, names: Names, request_format: Format, scope: Scope
) -> tuple[Rule, str] | None:
    about, group = _name_of(names.operations[index]), names.group_of(index)
    found = None if answer.group is None else quote(answer.group)
    if scope.format == "multipart":
        if "." in answer.path:
            return RESPONSE_STRUCTURE, "found a change set in the response to a JSON request"
    elif request_format == "multipart":
        if (names.change_set(index) is None) is not (found is None):
            has = "no group" if found is None else f"the group {found}"
            return RESPONSE_GROUP, f"the response to {about} has {has}"
    elif (answer.group and names.key(answer.group)) != (group and names.key(group)):
        expected = "none" if group is None else quote(group)
        return RESPONSE_GROUP, f"the group of {about} is {expected}, here it is {found or 'none'}"
    return None
