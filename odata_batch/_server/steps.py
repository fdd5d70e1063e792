"""What is run: steps and signals, and the fields of a step.

What the requests of a batch inherit from the batch request is in OData Protocol, 8.1 and 8.2.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from odata_batch._checks.messages import has_octets
from odata_batch._coding.settings import Settings
from odata_batch._graph.expressions import ETAG_FIELDS
from odata_batch._model import headers as sections
from odata_batch._model.findings import names_in, public, quote
from odata_batch._model.headers import Headers, Pairs, names_of
from odata_batch._model.limits import remember
from odata_batch._model.values import ChangeSet, Format, Operation
from odata_batch._wire import grammar


@public
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """An operation that is to be run now, ready for the code that serves single requests.

    Steps are told apart by identity: two operations may be equal, and both are run.

    >>> from odata_batch import BatchRequest, Execution
    >>> batch = BatchRequest([Operation.get("People")])
    >>> (step,) = Execution(batch, batch_url="http://host/service/$batch").ready()
    >>> step.method, step.url, step.group
    ('GET', 'http://host/service/People', None)
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
    """The absolute URL, references resolved as `Execution` says; it is within the service root."""
    headers: Headers
    """Its own header fields and those inherited from the batch request; see `Execution`."""
    dropped: Headers
    """Its own header fields that are not among `headers`, to be noted in a log; see `Execution`."""
    body: bytes
    """The octets of the body, those of the operation unless references in it were resolved."""
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

    >>> from odata_batch import BatchRequest, Execution, OperationResponse
    >>> batch = BatchRequest([ChangeSet([Operation.delete("People(1)")])])
    >>> execution = Execution(batch, batch_url="http://host/service/$batch")
    >>> while works := execution.ready():
    ...     for work in works:
    ...         print(type(work).__name__)
    ...         if isinstance(work, Step):
    ...             execution.complete(work, OperationResponse(204))
    ...         else:  # begin, commit or roll back a transaction
    ...             execution.done(work)
    Begin
    Step
    Commit
    """

    __slots__ = ()


@public
class Commit(AnySignal):
    """Commit the transaction: all operations of the change set have succeeded.

    To `fail` it fails the change set, and a `Rollback` follows.

    >>> from odata_batch import BatchRequest, Execution, OperationResponse
    >>> batch = BatchRequest([ChangeSet([Operation.delete("People(1)")])])
    >>> execution = Execution(batch, batch_url="http://host/service/$batch")
    >>> execution.done(execution.ready()[0])
    >>> execution.complete(execution.ready()[0], OperationResponse(204))
    >>> (commit,) = execution.ready()
    >>> execution.fail(commit, OperationResponse(409))  # what it would write has changed
    >>> [type(work).__name__ for work in execution.ready()]
    ['Rollback']
    """

    __slots__ = ()


@public
class Rollback(AnySignal):
    """Roll the transaction back: an operation has failed, or the commit has.

    Every change set whose `Begin` was done ends in exactly one `Commit` that was done, or in one
    `Rollback`. To `fail` it answers all operations of the change set with that response.

    >>> from odata_batch import BatchRequest, Execution, OperationResponse
    >>> batch = BatchRequest([ChangeSet([Operation.delete("People(1)")])])
    >>> execution = Execution(batch, batch_url="http://host/service/$batch")
    >>> execution.done(execution.ready()[0])
    >>> execution.complete(execution.ready()[0], OperationResponse(404))
    >>> (rollback,) = execution.ready()
    >>> execution.done(rollback)
    >>> execution.finished
    True
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
        body: bytes,
        group: int | None,
    ) -> None:
        self.operation, self.index, self.id = operation, index, id
        self.method = operation.method
        self.url, self.headers, self.dropped = url, headers, dropped
        self.body, self.group = body, group
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

# Fields by which a proxy or a gateway tells the application who asks, as those of clouds and meshes
# do, and what ends TLS with client certificates (RFC 9440). A name that ends in "*" means all that
# begin so.
WHO_ASKS = frozenset(
    """
    forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto
    x-forwarded-user x-forwarded-email x-forwarded-groups x-forwarded-client-cert
    x-forwarded-preferred-username x-forwarded-access-token x-real-ip x-client-ip true-client-ip
    x-cluster-client-ip fastly-client-ip fly-client-ip cf-connecting-* cf-access-*
    x-envoy-external-address x-azure-* remote-* x-remote-* x-auth-request-* x-authenticated-*
    x-authentik-* x-webauth-* x-pomerium-* x-vouch-* x-consumer-* x-credential-identifier x-userinfo
    tailscale-* x-goog-authenticated-user-* x-goog-iap-* x-appengine-* x-amzn-oidc-* x-amzn-mtls-*
    x-ms-client-principal* x-ms-token-* x-ssl-* ssl-client-* x-client-cert* client-cert*
    """.split()
)
# The operation's own would be believed. So would those that say for what it asks; with the
# hop-by-hop fields of RFC 9110, 7.6.1.
DROPPED_HEADERS = WHO_ASKS | frozenset(
    """
    host x-forwarded-* x-original-* x-rewrite-url x-arr-* proxy x-http-method* connection keep-alive
    upgrade te trailer
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
        names = {*names_in(dropped, "dropped_headers"), *settings.dialect.forbidden_headers}
        names |= {"content-length", "transfer-encoding"}
        if response_format == "json":
            names.add("accept-encoding")  # JSON carries no body with a content coding
        self._left_out, self._prefixes = _gateway_names(frozenset(names))
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


@lru_cache
def _gateway_names(names: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names as a gateway has them, and how those begin that end in `*`."""
    known = frozenset(map(_gateway_name, names))
    return known, tuple(name[:-1] for name in known if name.endswith("*"))


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
