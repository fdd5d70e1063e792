"""The rules for a batch response as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from odata_batch._checks import messages
from odata_batch._checks.batch import DUPLICATE_ID, BatchRules, Found
from odata_batch._checks.scope import Scope
from odata_batch._graph.names import key_of
from odata_batch._model import values
from odata_batch._model.findings import note, quote, warning
from odata_batch._model.values import OperationResponse, Unreadable

DUPLICATE_RESPONSE_ID = warning("""
    duplicate-response-id (@id): Every request is answered once. [OData JSON, 19.5]
    Answer each request once, with its own identifier.""")
ACCEPTED_IN_CHANGE_SET = warning("""
    accepted-in-change-set (@status): No request of a change set is answered with 202. [OData
    Protocol, 11.7.7.6]
    Execute the change set at once, or answer the batch as a whole with 202.""")
ACCEPTED_NOT_LAST = note("""
    accepted-not-last (@status): A 202 that is not the last part answers one request, not all that
    is left. [OData Protocol, 11.7.7.6]
    Ask the status monitor for the result of that request alone.""")
CHANGE_SET_ERROR_NESTED = warning("""
    change-set-error-nested: A change set that failed is answered with one response in its place.
    [OData Protocol, 11.7.7.5]
    Answer with one application/http part in place of the change set.""")
GROUP_STATUS_MIXED = note("""
    group-status-mixed: A failure fails all requests of its group, whatever their own status says.
    [OData JSON, 19.5]
    Treat all requests of the group as failed; a service answers the others with 424.""")


class ResponseRules(BatchRules[values.ResponseItem]):
    """Applies the rules to the items of one batch response, in order."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._messages = messages.Messages(messages.RESPONSE, scope, self._say)
        self._key = key_of(scope.dialect)
        self._ids: dict[str, int | None] = {}
        self._groups: set[str] = set()
        self._accepted: Found | None = None

    def check(self, item: values.ResponseItem, index: int) -> None:
        """Check the item, whose index among the items of the batch is given."""
        self._name()
        if self._accepted is not None:
            message = "the response 202 is followed by others"
            self._place.tell(ACCEPTED_NOT_LAST, message, self._accepted)
            self._accepted = None
        if not isinstance(item, values.ChangeSetResponse):
            self._place.enter(item, index, 1)
            self._check_response(item, None)
            return
        responses = item.responses()
        self._place.enter(item, index, len(responses))
        self._check_change_set(item)
        for inner in self._place.walk(item, index):
            if isinstance(inner, values.ChangeSetResponse):
                self._check_change_set(inner)
            else:
                self._check_response(inner, index)
        failed = sum([response.status >= 400 for response in responses])
        found = f"{failed} of the {len(responses)} responses"
        if failed and self._scope.format == "multipart":
            self._say(CHANGE_SET_ERROR_NESTED, f"{found} in a change set are errors")
        elif 0 < failed < len(responses):
            self._say(GROUP_STATUS_MIXED, f"{found} of a group are errors, so all failed")

    def _is_sound(
        self, responses: Sequence[OperationResponse], members: Sequence[OperationResponse]
    ) -> bool:
        if self._accepted is not None or 202 in {x.status for x in responses}:
            return False
        is_sound = max([x.status for x in members], default=0) < 400
        return is_sound and self._messages.are_sound(responses, ())

    def pass_by(self, item: values.ResponseItem, index: int) -> None:
        is_set = isinstance(item, values.ChangeSetResponse)
        if is_set and item.id is not None:
            self._groups.add(self._key(item.id))
        for each in values.leaves((item,)):
            if each.id is not None:
                self._ids[self._key(each.id)] = index if is_set else None

    def check_body(self, item: OperationResponse, indexes: tuple[int, ...]) -> None:
        """Check the body of a response that was checked without it."""
        self._place.item, self._place.indexes = item, indexes
        self._messages.check_body(item)

    @property
    def needs_bodies(self) -> bool:
        """No rule is about what is in the body of a response."""
        return False

    def finish(self) -> None:
        """Nothing in a response refers to what comes later."""

    def _check_change_set(self, item: values.ChangeSetResponse) -> None:
        messages.check_change_set(item, self._scope, self._say)
        if item.id is not None:
            if self._key(item.id) in self._groups:
                self._say(DUPLICATE_ID, f"the group name {quote(item.id)} is used twice", "group")
            self._groups.add(self._key(item.id))
            self._place.spellings.add(item.id.lower())

    def _check_response(self, item: OperationResponse | Unreadable, change_set: int | None) -> None:
        if isinstance(item, Unreadable):
            self._place.say_unreadable()
            return
        self._messages.check(item)
        if item.id is not None:
            self._place.spellings.add(item.id.lower())
            key = self._key(item.id)
            if key not in self._ids:
                self._ids[key] = change_set
            else:
                # In multipart, identifiers may start anew in each change set; the request tells.
                sets = {self._ids[key], change_set}
                apart = len(sets) == 2 and None not in sets and self._scope.format == "multipart"
                if self._scope.dialect.ids_per_change_set:
                    apart = sets != {change_set} or change_set is None
                if not apart:
                    self._say(DUPLICATE_RESPONSE_ID, f"the id {quote(item.id)} is answered twice")
        if item.status == 202 and change_set is not None:
            self._say(ACCEPTED_IN_CHANGE_SET, "found the response 202 in a change set")
        elif item.status == 202 and self._scope.format == "multipart":
            self._accepted = self._place.find(ACCEPTED_NOT_LAST)
