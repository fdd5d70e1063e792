"""How an operation becomes a step: what it depends on, its condition, its URL, its fields."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from odata_batch._graph.urls import ServiceUrls, is_batch_resource, location_of, resolve_url
from odata_batch._model.findings import UnresolvedReference, quote
from odata_batch._model.limits import Limits
from odata_batch._model.values import OperationResponse
from odata_batch._server.admission import Admitted
from odata_batch._server.answers import Refused
from odata_batch._server.inheritance import ETAG_FIELDS, Inheritance
from odata_batch._server.schedule import Group, Plan, Unit
from odata_batch._server.steps import Step, step_of

Evaluate: TypeAlias = Callable[[str, Mapping[str, OperationResponse]], bool]
Locate: TypeAlias = Callable[[Step, OperationResponse], str | None]

_NO_ETAGS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_CONDITIONS = "conditions are not supported"
# References that are not resolved here: what they refer to comes first, nothing more.
_ORDER_ONLY = frozenset(("query", "condition", "body"))


class Making:
    """Makes the steps of one batch, or raises `Refused` with what an operation is answered with."""

    def __init__(
        self,
        taken: Admitted,
        plan: Plan,
        urls: ServiceUrls,
        inheritance: Inheritance,
        limits: Limits,
        is_json: bool,
        evaluate: Evaluate | None,
        locate: Locate | None,
    ) -> None:
        self.responses: dict[int, OperationResponse] = {}
        """By node, see `Names`; until its unit is settled, as far as it is known."""
        self._operations, self._ids = taken.operations, taken.ids
        self._plan, self._urls, self._inheritance = plan, urls, inheritance
        self._limits, self._is_json = limits, is_json
        self._evaluate, self._locate = evaluate, locate
        # Of what something depends on
        self._steps: dict[int, Step] = {}
        self._locations: dict[int, str | None] = {}
        # How many octets may yet be derived from references
        self._room = limits.message

    def check(self, unit: Unit, index: int) -> None:
        """Refuse an operation of a change set of which it is known before that it will fail."""
        if self._evaluate is None and self._operations[index].condition is not None:
            raise Refused(424, _NO_CONDITIONS)
        self._check_edges(unit, index, outside=True)

    def step(self, unit: Unit, index: int) -> Step:
        """Return the step of an operation, whose turn it is within its unit."""
        operation = self._operations[index]
        is_single = not isinstance(unit, Group)
        etags: Mapping[str, str] = _NO_ETAGS
        if index in self._plan.edges:
            self._check_edges(unit, index, outside=False)
            self._check_condition(unit, index)
            etags = self._etags(index)
        elif operation.condition is not None:
            self._check_condition(unit, index)
        may_be_later = is_single and self._is_json and index not in self._plan.depended_on
        url = self._urls.plain(operation.url) or self._resolved(index)
        headers, dropped = self._inheritance.apply(operation, etags, may_be_later)
        if etags:
            fields = [value for name, value in headers.pairs if name.lower() in ETAG_FIELDS]
            self._derive(sum(map(len, fields)), 431, "header fields")
        group = None if is_single else unit.index
        step = step_of(operation, index, self._ids[index], url, headers, dropped, group)
        if index in self._plan.depended_on:
            self._steps[index] = step
        return step

    def _check_edges(self, unit: Unit, index: int, *, outside: bool) -> None:
        """Refuse what depends on something that failed; `outside` looks beyond its unit only."""
        conditional = self._operations[index].condition is not None
        for edge in self._plan.edges.get(index, ()):
            if edge.place in _ORDER_ONLY or (conditional and edge.place == "depends_on"):
                continue
            if edge.target is None:
                raise Refused(400, f"{quote(edge.name)} is no request of the batch")
            if outside and self._plan.unit_of(edge.target) is unit:
                continue
            answer = self._answer_to(edge.target, unit)
            if answer is None or not answer.ok:
                raise Refused(424, f"{quote(edge.name)} has not succeeded")

    def _check_condition(self, unit: Unit, index: int) -> None:
        condition = self._operations[index].condition
        if condition is None:
            return
        if self._evaluate is None:
            raise Refused(424, _NO_CONDITIONS)
        known = {}
        for edge in self._plan.edges.get(index, ()):
            answer = None if edge.target is None else self._answer_to(edge.target, unit)
            if answer is not None:
                known[edge.name] = answer
        try:
            is_met = self._evaluate(condition, known)
        except Exception:
            # It would be so again, and what has been run is to be answered.
            raise Refused(424, f"the condition {quote(condition)} cannot be evaluated") from None
        if not is_met:
            raise Refused(424, f"the condition {quote(condition)} is not met")

    def _answer_to(self, node: int, within: Unit) -> OperationResponse | None:
        """Return what a node is answered with, as far as that is known within a unit."""
        unit = self._plan.unit_of(node)
        return self.responses.get(node) if unit is within or unit.settled else None

    def _resolved(self, index: int) -> str:
        operation = self._operations[index]
        locations = {
            edge.name: self._location(edge.name, edge.target)
            for edge in self._plan.edges.get(index, ())
            if edge.place == "url" and edge.target is not None
        }
        if locations:
            self._derive(sum(map(len, locations.values())), 414, "URLs")
        try:
            url = self._urls.resolve(operation.url, operation.headers.get("host"), locations)
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
        """Bound what comes of references, each of which may be short and stand for something long.

        Steps may all be handed out at the same time.
        """
        self._room -= octets
        if self._room < 0:
            raise Refused(status, f"the {what} that come of references are longer than a message")

    def _location(self, name: str, target: int) -> str:
        """Return the absolute URL that a reference to a successful operation stands for."""
        if target not in self._locations:
            step, answer = self._steps[target], self.responses[target]
            location = location_of(step.url, answer)
            if location is None and self._locate is not None:
                location = self._locate(step, answer)
                try:
                    location = None if location is None else resolve_url(location, step.url)
                except UnresolvedReference as error:
                    raise Refused(400, str(error)) from None
            if location is None and step.method in ("GET", "PUT", "PATCH", "MERGE"):
                location = step.url
            is_here = location is not None and self._urls.holds(location)
            self._locations[target] = location if is_here else None
        location = self._locations[target]
        if location is None:
            raise Refused(424, f"the response to {quote(name)} has no Location in this service")
        return location

    def _etags(self, index: int) -> dict[str, str]:
        """Return the ETags that stand for references, by the text of the reference."""
        etags = {}
        for edge in self._plan.edges.get(index, ()):
            if edge.place in ETAG_FIELDS and edge.target is not None:
                etag = self.responses[edge.target].headers.get("etag")
                if etag is None:
                    raise Refused(424, f"the response to {quote(edge.name)} has no ETag")
                etags[f"${edge.name}"] = etag
        return etags
