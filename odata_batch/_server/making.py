"""How an operation becomes a step: what it depends on, its condition, its URL, its body.

OData Protocol, 11.7.4 to 11.7.6. All that is derived from references is limited.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import AnyStr, TypeAlias

from odata_batch._coding.settings import Settings
from odata_batch._graph import expressions
from odata_batch._graph.expressions import ETAG_FIELDS, Word
from odata_batch._graph.urls import ServiceUrls, is_batch_resource, location_of, resolve_url
from odata_batch._model.findings import UnresolvedReference, quote
from odata_batch._model.values import OperationResponse
from odata_batch._server import references
from odata_batch._server.plan import Group, Plan, Unit
from odata_batch._server.steps import Inheritance, Refused, Step, step_of

Evaluate: TypeAlias = Callable[[str, Mapping[str, OperationResponse]], bool]
Locate: TypeAlias = Callable[[Step, OperationResponse], str | None]

_NO_CONDITIONS = "conditions are not supported"
# What is decided by conditions, and what is left to the service: what it refers to comes first.
_CONDITION = frozenset(("condition",))
_ORDER_ONLY = _CONDITION | {"query", "body"}


class Making:
    """Makes the steps of one batch, or raises `Refused` with what an operation is answered with."""

    def __init__(
        self,
        plan: Plan,
        urls: ServiceUrls,
        inheritance: Inheritance,
        settings: Settings,
        is_json: bool,
        evaluate: Evaluate | None,
        locate: Locate | None,
    ) -> None:
        self.responses: dict[int, OperationResponse] = {}
        """By node, see `Names`; until its unit is settled, as far as it is known."""
        self._operations, self._ids = plan.operations, plan.ids
        self._plan, self._urls, self._inheritance = plan, urls, inheritance
        self._dialect, self._limits, self._is_json = settings.dialect, settings.limits, is_json
        self._evaluate, self._locate = evaluate, locate
        self._evaluates = evaluate is not None or plan.resolves
        self._unchecked = _CONDITION if plan.resolves else _ORDER_ONLY
        # Of what something depends on
        self._steps: dict[int, Step] = {}
        self._locations: dict[int, str | None] = {}
        self._values: dict[int, tuple[object, object]] = {}
        # By status, what is kept of a response that has no ETag
        self._plain: dict[int, OperationResponse] = {}
        # How many octets may yet be derived from references
        self._room = settings.limits.message

    def check(self, unit: Unit, index: int) -> None:
        """Refuse an operation of a change set that is known to fail before it is run."""
        if self._operations[index].condition is not None and not self._evaluates:
            raise Refused(424, _NO_CONDITIONS)
        self._check_edges(unit, index, outside=True)

    def step(self, unit: Unit, index: int) -> Step:
        """Return the step of an operation, whose turn it is within its unit."""
        operation = self._operations[index]
        own, body = operation.url, operation.body
        is_single, has_edges = not isinstance(unit, Group), index in self._plan.edges
        if has_edges:
            self._check_edges(unit, index, outside=False)
        if operation.condition is not None and index not in self.responses:
            self._check_condition(unit, index, operation.condition)
        etags = self._etags(index) if has_edges else {}
        if has_edges and self._plan.resolves:
            own, body = self._with_values(unit, index), self._with_links(index)
        may_be_later = is_single and self._is_json and index not in self._plan.depended_on
        plain = self._urls.plain(own) if own is operation.url else None
        url = plain or self._resolved(index, own)
        headers, dropped = self._inheritance.apply(operation, etags, may_be_later)
        if etags:
            fields = [value for name, value in headers.pairs if name.lower() in ETAG_FIELDS]
            self._derive(sum(map(len, fields)), 431, "header fields")
        group = None if is_single else unit.index
        step = step_of(operation, index, self._ids[index], url, headers, dropped, body, group)
        if index in self._plan.depended_on:
            self._steps[index] = step
        return step

    def forget(self, nodes: Iterable[int], named: Collection[int]) -> None:
        """Forget what is over, except for what later items may ask of nodes that are named.

        That is whether it succeeded, its URL and its ETag, unless somebody may want to see it.
        """
        for node in nodes:
            if node not in named:
                self.responses.pop(node, None)
            elif not (self._evaluates or self._locate):
                answer = self.responses[node]
                if self._steps.get(node) is not None and answer.ok:
                    with suppress(Refused):
                        self._location("", node)
                self._steps.pop(node, None)
                etags = [pair for pair in answer.headers.pairs if pair[0].lower() == "etag"]
                plain = self._plain.setdefault(answer.status, OperationResponse(answer.status))
                self.responses[node] = OperationResponse(answer.status, etags) if etags else plain

    def reference(self, text: str, step: Step | None) -> object:
        """Return what a reference means to a step, or to who is no part of the batch."""
        name, slash, path = text.removeprefix("$").partition("/")
        node = self._plan.find_from(name, 0 if step is None else step.index)
        unit = None if step is None else self._plan.unit_of(step.index)
        if slash:
            return self._value(name, node, path, unit)
        return self._location(name, self._succeeded(name, node, unit))

    def _check_edges(self, unit: Unit, index: int, *, outside: bool) -> None:
        """Refuse what depends on something that failed, or that does not come before.

        `outside` does not look at the others of its unit.
        """
        conditional, unit_of = self._operations[index].condition is not None, self._plan.unit_of
        for edge in self._plan.edges.get(index, ()):
            if edge.place in self._unchecked or (conditional and edge.place == "depends_on"):
                continue
            node = edge.target
            if outside and node is not None and node != index and unit_of(node) is unit:
                continue
            self._succeeded(edge.name, node, unit)

    def _check_condition(self, unit: Unit, index: int, condition: str) -> None:
        if not self._evaluates:
            raise Refused(424, _NO_CONDITIONS)
        edges = self._plan.edges.get(index, ())
        targets = {edge.name: edge.target for edge in edges if edge.target is not None}

        def meaning(name: str, path: str) -> object:
            return self._value(name, targets.get(name), path, unit)

        try:
            if self._evaluate is None:
                is_met = references.is_met(condition, meaning, self._limits.url)
            else:
                answers = {name: self._answer_to(node, unit) for name, node in targets.items()}
                known = {name: answer for name, answer in answers.items() if answer is not None}
                is_met = self._evaluate(condition, known)
        except Exception as error:
            # It would be so again, and what has been run is to be answered.
            reason = f": {error.message}" if isinstance(error, Refused) else ""
            message = f"the condition {quote(condition)} cannot be evaluated{reason}"
            raise Refused(424, message) from None
        if not is_met:
            raise Refused(424, f"the condition {quote(condition)} is not met")

    def _answer_to(self, node: int, within: Unit | None) -> OperationResponse | None:
        """Return what a node is answered with, as far as that is known within a unit."""
        unit = self._plan.unit_of(node)
        return self.responses.get(node) if unit is within or unit.settled else None

    def _succeeded(self, name: str, node: int | None, within: Unit | None) -> int:
        """Return the node of that name if it has."""
        if node is None:
            raise Refused(400, f"no request of the batch is named {quote(name)}")
        answer = self._answer_to(node, within)
        if answer is None or not answer.ok:
            raise Refused(424, f"{quote(name)} has not succeeded")
        return node

    def _targets(self, index: int, *places: str) -> dict[str, int]:
        """Return what an operation refers to in these places, by name."""
        edges = [edge for edge in self._plan.edges.get(index, ()) if edge.place in places]
        return {edge.name: edge.target for edge in edges if edge.target is not None}

    def _resolved(self, index: int, url: str) -> str:
        locations = {
            name: self._location(name, node) for name, node in self._targets(index, "url").items()
        }
        if locations:
            self._derive(sum(map(len, locations.values())), 414, "URLs")
        try:
            url = self._urls.resolve(url, self._operations[index].headers.get("host"), locations)
        except UnresolvedReference as error:
            raise Refused(400, str(error)) from None
        if len(url) > self._limits.url:
            raise Refused(414, f"URL {quote(url)} has {len(url)} characters")
        if not self._urls.holds(url):
            # A server that fetched it would act for a stranger, with its own rights.
            raise Refused(403, f"URL {quote(url)} is outside the service")
        if is_batch_resource(url):
            raise Refused(400, f"URL {quote(url)} names the batch resource")
        return url

    def _derive(self, octets: int, status: int, what: str) -> None:
        """Bound what comes of references: each is short, and what replaces it may be long.

        Steps may all be handed out at the same time.
        """
        if octets > self._room:
            raise Refused(status, f"the {what} made from references are larger than a message")
        self._room -= octets

    def _location(self, name: str, target: int) -> str:
        """Return the absolute URL that replaces a reference to a successful operation."""
        if target not in self._locations:
            # What nothing depends on is not kept: it is made again for who asks for a reference.
            step = self._steps.get(target) or self.step(self._plan.unit_of(target), target)
            answer = self.responses[target]
            location = location_of(step.url, answer)
            if location is None:
                location = None if self._locate is None else self._locate(step, answer)
                if location is None and self._plan.resolves:
                    # OData Protocol, 8.3.4: where nothing is returned, it is what was written.
                    location = answer.headers.get("odata-entityid")
                try:
                    location = None if location is None else resolve_url(location, step.url)
                except UnresolvedReference as error:
                    raise Refused(400, str(error)) from None
            if location is None and step.method in expressions.KNOWN_BY_URL:
                location = step.url
            is_here = location is not None and self._urls.holds(location)
            self._locations[target] = location if is_here else None
        location = self._locations[target]
        if location is None:
            raise Refused(424, f"the response to {quote(name)} has no Location in this service")
        return location

    def _etags(self, index: int) -> dict[str, str]:
        """Return the ETag that replaces each reference, by the text of the reference."""
        etags = {}
        for name, target in self._targets(index, *ETAG_FIELDS).items():
            etag = self.responses[target].headers.get("etag")
            if etag is None:
                raise Refused(424, f"the response to {quote(name)} has no ETag")
            etags[f"${name}"] = etag
        return etags

    # -- references in the query and in the body, if they are resolved --

    def _value(self, name: str, node: int | None, path: str, unit: Unit | None) -> object:
        """Return what a reference means in an expression. OData Protocol, 11.7.6"""
        answer = None if node is None else self._answer_to(node, unit)
        if path == "$succeeded" and answer is not None:
            return answer.ok
        node = self._succeeded(name, node, unit)
        if node not in self._values:
            answer = self.responses[node]
            self._derive(len(answer.body), 424, "values")
            # OData Protocol, 9.1.4: what was asked for is null. A group is no operation.
            step = self._steps.get(node)
            method = self._plan.method(node) if step is None else step.method
            is_null = answer.status == 204 and method == "GET"
            self._values[node] = (None, None) if is_null else references.values_in(answer, name)
        value = references.member(self._values[node], path, name)
        if isinstance(value, str) and len(value) > self._limits.url:
            raise Refused(414, f"{quote(f'${name}/{path}')} has {len(value)} characters")
        return value

    def _with_values(self, unit: Unit, index: int) -> str:
        """Return the URL of an operation with values in place of the references in its query."""
        url, targets = self._operations[index].url, self._targets(index, "query")

        def meaning(word: Word) -> str:
            # As it is in the URL: the text of the word has been decoded in part.
            text = references.decoded(url[word.start : word.end])
            name, _, path = text[1:].partition("/")
            if word.name == "id":  # OData Protocol, 11.4.6.2: the URL of an entity
                return references.encoded(self._link(word, targets))
            if url[word.end : word.end + 1] == "(":
                raise Refused(424, f"{quote(word.text)} is followed by a parenthesis")
            value = self._value(name, targets[name], path, unit)
            return references.encoded(references.literal(value, word.text))

        words = [word for word in expressions.query_references(url) if word.id in targets]
        made = self._replaced(url, words, meaning, self._limits.url, (414, "URLs"))
        # OData Protocol, 11.7.7.4, prints spaces in such a query.
        return made.replace(" ", "%20") if words else url

    def _with_links(self, index: int) -> bytes:
        """Return the body of an operation with URLs in place of what binds."""
        operation, targets = self._operations[index], self._targets(index, "body")
        words = expressions.bindings(operation, self._dialect) if targets else []

        def meaning(word: Word) -> bytes:
            return json.dumps(self._link(word, targets)).encode("ascii")

        return self._replaced(operation.body, words, meaning, self._limits.body, (413, "bodies"))

    def _link(self, word: Word, targets: Mapping[str, int]) -> str:
        locations = {word.id: self._location(word.id, targets[word.id])}
        return self._urls.resolve(word.text, None, locations)

    def _replaced(
        self,
        text: AnyStr,
        words: list[Word],
        meaning: Callable[[Word], AnyStr],
        limit: int,
        refusal: tuple[int, str],
    ) -> AnyStr:
        """Return the text with what its words mean in place of them."""
        pieces: list[AnyStr] = []
        end, size = 0, len(text)
        for word in words:
            pieces += [text[end : word.start], meaning(word)]
            end = word.end
            # What is derived is no longer than what arrives; it is not made to be measured.
            size += len(pieces[-1]) - (end - word.start)
            if size > self._room:
                self._derive(size, *refusal)
            if size > limit:
                raise Refused(refusal[0], f"the references in it make more than {limit} octets")
        if not words:
            return text
        self._derive(size, *refusal)
        pieces.append(text[end:])
        return text[:0].join(pieces)
