"""How an operation becomes a step: what it depends on, its condition, its URL, its fields.

What the requests of a batch inherit from the batch request is in OData Protocol, 8.1 and 8.2.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from odata_batch._checks.messages import has_octets
from odata_batch._coding.settings import Settings
from odata_batch._graph.expressions import ETAG_FIELDS, KNOWN_BY_URL
from odata_batch._graph.urls import ServiceUrls, is_batch_resource, location_of, resolve_url
from odata_batch._model import headers as sections
from odata_batch._model.dialect import Format
from odata_batch._model.findings import UnresolvedReference, quote
from odata_batch._model.headers import Headers, Pairs, names_of
from odata_batch._model.public import public
from odata_batch._model.values import ChangeSet, Operation, OperationResponse
from odata_batch._server.plan import Group, Plan, Unit
from odata_batch._wire import grammar
from odata_batch._wire.sections import remember


@public
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """An operation that is to be run now, ready for the code that serves single requests.

    Steps are told apart by identity: two operations may be equal, and both are run.
    """

    operation: Operation
    """The operation as it is in the batch, the caller's own object."""
    index: int
    """Its index among `BatchRequest.operations()`."""
    id: str | None
    """The identifier that its response will carry."""
    method: str
    """The method."""
    url: str
    """The absolute URL, references resolved; it lies within the service root."""
    headers: Headers
    """Its own header fields and those inherited from the batch request; see `Execution`."""
    dropped: Headers
    """Its own header fields that are not among `headers`, to be noted in a log; see `Execution`."""
    body: bytes
    """The octets of the body; empty if there is none."""
    group: int | None
    """The index of its change set among the items of the batch; `None` outside of change sets."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnySignal:
    """Something that is to be done for a change set as a whole."""

    group: int
    """The index of the change set among the items of the batch, as in `Step.group`."""
    change_set: ChangeSet
    """The change set as it is in the batch, the caller's own object."""


@public
class Begin(AnySignal):
    """Begin a transaction: the operations of the change set follow.

    To `fail` it ends the change set; no `Rollback` follows, since nothing has begun.
    """

    __slots__ = ()


@public
class Commit(AnySignal):
    """Commit the transaction: all operations of the change set have succeeded.

    To `fail` it fails the change set, and a `Rollback` follows.
    """

    __slots__ = ()


@public
class Rollback(AnySignal):
    """Roll the transaction back: an operation has failed, or the commit has.

    Every change set whose `Begin` was done ends in exactly one `Commit` that was done, or in one
    `Rollback`. To `fail` it answers all operations of the change set with that response.
    """

    __slots__ = ()


Signal: TypeAlias = Begin | Commit | Rollback


class Refused(Exception):
    """An operation is answered without being run; never leaves the library."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


# As `type`, since type checkers cannot see that the other class has the same slots.
_STEP: type = Step


class _OpenStep:
    """A step that is still being made, see `operation_of`."""

    __slots__ = tuple(each.name for each in fields(Step))

    def __init__(
        self,
        operation: Operation,
        index: int,
        id: str | None,
        url: str,
        headers: Headers,
        dropped: Headers,
        group: int | None,
    ) -> None:
        self.operation, self.index, self.id = operation, index, id
        self.method = operation.method
        self.url, self.headers, self.dropped = url, headers, dropped
        self.body = operation.body
        self.group = group
        self.__class__ = _STEP


step_of = sections.becoming(Step, _OpenStep)


# entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE, or a reference        RFC 9110, 8.8.3
_WORD = re.compile(r'"[^"]*"?|[^\s,"]+')
# OData Protocol, 8.1 and 8.2; the versions of OData 2 are inherited like those of OData 4.
_INHERITED = frozenset(
    """
    accept accept-charset accept-language content-language isolation odata-isolation odata-version
    odata-maxversion dataserviceversion maxdataserviceversion
    """.split()
)
_PREFERRED = frozenset(("allow-entityreferences", "include-annotations"))

# Fields by which a proxy or a gateway tells the application who asks, and for what: the operation's
# own would be believed. A name that ends in "*" means all that begin so. With the hop-by-hop
# fields of RFC 9110, 7.6.1.
DROPPED_HEADERS = frozenset(
    """
    host forwarded x-forwarded-* x-original-* x-rewrite-url x-real-ip x-client-ip true-client-ip
    cf-connecting-ip remote-user x-remote-user x-auth-request-* x-arr-* x-ms-client-principal*
    x-ssl-* proxy x-http-method* connection keep-alive upgrade te trailer
    """.split()
)
_NOTHING = Headers()


class _Fate(NamedTuple):
    """What becomes of the fields of an operation, which the names of its fields decide."""

    kept: Callable[[Pairs], Pairs] | None
    """What picks those that stay; `None` if all do."""
    dropped: Callable[[Pairs], Pairs]
    """What picks the others."""
    added: Pairs
    """The fields that are inherited."""
    shape: sections.Shape
    """That of the fields that stay and are inherited."""
    dropped_shape: sections.Shape
    """That of those that are dropped."""
    prefers: bool
    """Whether there are preferences among them, or to be inherited."""


class Inheritance:
    """What the requests of a batch inherit from the batch request, and what they may not say."""

    def __init__(
        self, outer: Headers, settings: Settings, response_format: Format, dropped: Iterable[str]
    ) -> None:
        self._json = settings.format == "json"
        self._longest = settings.limits.field_line
        names = {*dropped, *settings.dialect.forbidden_headers}
        names |= {"content-length", "transfer-encoding"}
        if response_format == "json":
            names.add("accept-encoding")  # JSON carries no body with a content coding
        self._left_out = {_gateway_name(name) for name in names}
        self._prefixes = tuple(name[:-1] for name in self._left_out if name.endswith("*"))
        self._fields = []
        for name, value in outer.pairs:
            if name.lower() == "accept":
                value = _without_batches(value)
            if name.lower() in _INHERITED and value:
                self._fields.append((name, value))
        self._preferences = {name: text for name, text in _preferences(outer) if name in _PREFERRED}
        # By the names of the fields, and whether there is a body
        self._fates: dict[tuple[tuple[str, ...], bool], _Fate] = {}

    def apply(
        self, operation: Operation, etags: Mapping[str, str], may_be_later: bool
    ) -> tuple[Headers, Headers]:
        """Return the fields of the operation and those that it inherits; and those it may not say.

        ETags take the place of references, which are outside of quotes. `Refused` for what would be
        too long then, or has a transfer coding that is not known.
        """
        headers, dropped = operation.headers, _NOTHING
        key = (names_of(headers), operation.body != b"")
        fate = self._fates.get(key) or remember(self._fates, key, self._fate(*key))
        if fate.kept is not None:
            dropped = sections.shaped(fate.dropped(headers.pairs), fate.dropped_shape)
            if self._json and "transfer-encoding" in dropped and has_octets(operation):
                # OData JSON, 19.1: octets in base64 may have one; and RFC 9112, 6.1.
                coding = operation.headers["transfer-encoding"].strip(" \t")
                if coding.lower() not in ("", "identity"):
                    raise Refused(501, f"the transfer coding {quote(coding)} is not understood")
            headers = sections.shaped(fate.kept(headers.pairs) + fate.added, fate.shape)
        elif fate.added:
            headers = sections.shaped(headers.pairs + fate.added, fate.shape)
        if etags:
            headers = self._with_etags(headers, etags)
        if fate.prefers:
            headers = self._with_preferences(headers, may_be_later)
        return headers, dropped

    def _fate(self, names: tuple[str, ...], has_body: bool) -> _Fate:
        kept: list[int] = []
        dropped: list[int] = []
        for index, name in enumerate(names):
            asked = _gateway_name(name)
            is_dropped = asked in self._left_out or asked.startswith(self._prefixes)
            (dropped if is_dropped else kept).append(index)
        own = [names[index] for index in kept]
        said = set(map(_unprefixed, own))
        added = [pair for pair in self._fields if _unprefixed(pair[0]) not in said]
        if self._json and has_body and "content-type" not in own:
            # A body that does not say otherwise is JSON. OData JSON, 19.1
            added.append(("Content-Type", "application/json"))
        return _Fate(
            _pick(kept) if dropped else None,
            _pick(dropped),
            tuple(added),
            sections.Shape((*own, *(name.lower() for name, _ in added))),
            sections.Shape(tuple([names[index] for index in dropped])),
            "prefer" in own or bool(self._preferences),
        )

    def _with_etags(self, headers: Headers, etags: Mapping[str, str]) -> Headers:
        def replaced(match: re.Match[str]) -> str:
            return etags.get(match[0], match[0])

        pairs: list[sections.Pair] = []
        for name, value in headers.pairs:
            if name.lower() in ETAG_FIELDS:
                # What is derived is no longer than what arrives; it is not made to be measured.
                if sum(len(replaced(word)) for word in _WORD.finditer(value)) > self._longest:
                    raise Refused(431, f"{name} is too long with the ETags that it refers to")
                value = _WORD.sub(replaced, value)
            pairs.append((name, value))
        return sections.headers_of(tuple(pairs), names_of(headers))

    def _with_preferences(self, headers: Headers, may_be_later: bool) -> Headers:
        own = list(_preferences(headers))
        names = {name for name, _ in own}
        kept = [text for name, text in own if name != "respond-async" or may_be_later]
        added = [text for name, text in self._preferences.items() if name not in names]
        if not added and len(kept) == len(own):
            return headers
        prefer = [("Prefer", ", ".join(kept + added))] if kept or added else []
        return Headers([*sections.without(headers, "prefer").pairs, *prefer])


def _pick(indexes: list[int]) -> Callable[[Pairs], Pairs]:
    if len(indexes) == 1:
        (only,) = indexes
        return lambda pairs: (pairs[only],)
    return itemgetter(*indexes) if indexes else lambda pairs: ()


def _gateway_name(name: str) -> str:
    """Return the name as CGI and WSGI see it, to which `X_Forwarded_For` is no other field."""
    return name.lower().replace("_", "-")


def _without_batches(accept: str) -> str:
    """Leave out the media types of batches: the field speaks of the batch response, too."""
    ranges = [each.strip(" \t") for each in accept.split(",")]
    batches = ("multipart/", "application/http")
    kept = [each for each in ranges if not each.lower().startswith(batches)]
    return accept if len(kept) == len(ranges) else ", ".join(kept)


def _unprefixed(name: str) -> str:
    name = name.lower()
    return "isolation" if name == "odata-isolation" else name


def _preferences(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield the preferences of a message, each with its name, in lower case and without prefix."""
    for value in headers.get_all("prefer"):
        for match in grammar.PREFERENCE.finditer(value):
            yield match[1].lower().removeprefix("odata."), match[0].strip(" \t")


Evaluate: TypeAlias = Callable[[str, Mapping[str, OperationResponse]], bool]
Locate: TypeAlias = Callable[[Step, OperationResponse], str | None]

_NO_CONDITIONS = "conditions are not supported"
# References that are not resolved here: what they refer to comes first, nothing more.
_ORDER_ONLY = frozenset(("query", "condition", "body"))


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
        self._limits, self._is_json = settings.limits, is_json
        self._evaluate, self._locate = evaluate, locate
        # Of what something depends on
        self._steps: dict[int, Step] = {}
        self._locations: dict[int, str | None] = {}
        # How many octets may yet be derived from references
        self._room = settings.limits.message

    def check(self, unit: Unit, index: int) -> None:
        """Refuse an operation of a change set that is known to fail before it is run."""
        if self._evaluate is None and self._operations[index].condition is not None:
            raise Refused(424, _NO_CONDITIONS)
        self._check_edges(unit, index, outside=True)

    def step(self, unit: Unit, index: int) -> Step:
        """Return the step of an operation, whose turn it is within its unit."""
        operation = self._operations[index]
        is_single, has_edges = not isinstance(unit, Group), index in self._plan.edges
        if has_edges:
            self._check_edges(unit, index, outside=False)
        if operation.condition is not None:
            self._check_condition(unit, index, operation.condition)
        etags = self._etags(index) if has_edges else {}
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
                raise Refused(400, f"no request of the batch is named {quote(edge.name)}")
            if outside and self._plan.unit_of(edge.target) is unit:
                continue
            answer = self._answer_to(edge.target, unit)
            if answer is None or not answer.ok:
                raise Refused(424, f"{quote(edge.name)} has not succeeded")

    def _check_condition(self, unit: Unit, index: int, condition: str) -> None:
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
        """Bound what comes of references: each is short, and what replaces it may be long.

        Steps may all be handed out at the same time.
        """
        self._room -= octets
        if self._room < 0:
            raise Refused(status, f"the {what} made from references are larger than a message")

    def _location(self, name: str, target: int) -> str:
        """Return the absolute URL that replaces a reference to a successful operation."""
        if target not in self._locations:
            step, answer = self._steps[target], self.responses[target]
            location = location_of(step.url, answer)
            if location is None and self._locate is not None:
                location = self._locate(step, answer)
                try:
                    location = None if location is None else resolve_url(location, step.url)
                except UnresolvedReference as error:
                    raise Refused(400, str(error)) from None
            if location is None and step.method in KNOWN_BY_URL:
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
        for edge in self._plan.edges.get(index, ()):
            if edge.place in ETAG_FIELDS and edge.target is not None:
                etag = self.responses[edge.target].headers.get("etag")
                if etag is None:
                    raise Refused(424, f"the response to {quote(edge.name)} has no ETag")
                etags[f"${edge.name}"] = etag
        return etags
