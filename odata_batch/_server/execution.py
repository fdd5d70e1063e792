"""The engine of a service: which operations of a batch may run now, and its response.

OData Protocol, 11.7.7.4 to 11.7.7.6, and OData JSON, 19.4 to 19.6. `Execution` hands out steps and
takes their responses; how they are run is up to the caller: a server, a mock or a gateway.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal, TypeAlias

from odata_batch._checks.responses import ACCEPTED_IN_CHANGE_SET
from odata_batch._coding.settings import Settings, format_of
from odata_batch._coding.writing import ResponseEncoder
from odata_batch._graph.names import stops_at_error
from odata_batch._graph.urls import ServiceUrls
from odata_batch._model import values
from odata_batch._model.dialect import ODATA_4_01, Dialect
from odata_batch._model.findings import (
    Diagnostic,
    UnresolvedReference,
    check_called,
    of_type,
    public,
)
from odata_batch._model.headers import Headers
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.values import Format, OperationResponse, check_format
from odata_batch._server import steps
from odata_batch._server.answers import Answers, check_final, mirrored
from odata_batch._server.feeding import Feed
from odata_batch._server.making import Evaluate, Locate, Making
from odata_batch._server.plan import Group, Plan, Unit, Way
from odata_batch._server.steps import Begin, Commit, Refused, Rollback, Signal, Step

_ABANDONED = "the batch was abandoned before this was run"
Replaced: TypeAlias = Callable[[Step | Signal, OperationResponse, tuple[Diagnostic, ...]], None]


@public
class Execution:
    """One batch that is being executed: steps out, responses in, a batch response at the end.

    It does nothing by itself: it has no clock, no threads and no I/O, and the same calls give the
    same steps. `request` is the batch, as `decode_request` returns it.

    >>> from odata_batch import BatchRequest, Operation, OperationResponse
    >>> batch = BatchRequest([Operation.get("People"), Operation.delete("Cities(1)")])
    >>> execution = Execution(batch, batch_url="http://host/service/$batch")
    >>> while not execution.finished:
    ...     for step in execution.ready():
    ...         if isinstance(step, Step):
    ...             print(step.method, step.url)
    ...             execution.complete(step, OperationResponse(204))
    ...         else:  # Begin, Commit or Rollback of a change set
    ...             execution.done(step)
    GET http://host/service/People
    DELETE http://host/service/Cities(1)
    >>> [response.status for response in execution.response().responses()]
    [204, 204]

    **Order.** Multipart items run one after the other, JSON items at the same time as far as they
    do not depend on each other; the operations of a change set run one after the other.
    `ordered=True` runs everything one after the other, `ordered=False` as much as possible at the
    same time. A multipart batch that stops at the first error always runs item by item, because its
    response cannot say that an item after the error was run. A change set begins when all that its
    operations depend on outside of it is settled.

    **Errors.** An error is a status of 400 or more. `continue_on_error` is `True` to go on in any
    case, `False` to stop in any case, and `None` to obey the preference, without which multipart
    batches stop (`Dialect.multipart_stops_on_error`) and JSON batches go on
    (`Dialect.json_stops_on_error`). After a stop no
    further item starts; those that have started are finished, change sets included. What was not
    started has no response.

    **Dependencies.** What depends on something that did not end with 2xx is answered with 424 and
    not handed out, nor is its change set begun; a change set depended on has to be committed.
    Nothing waits for what comes later: who needs that gets a 424, too, however soon it is over.
    With a condition (`if`) it is the condition that decides: `evaluate` is called with it and with
    the responses to what it depends on, by id, in which a group is a 200, or the response that
    failed it. Where it raises an `Exception`, the operation is answered with 424. Without
    `evaluate`, and unless references are resolved, the operation and its whole change set are
    answered with 424.

    **Change sets** come with the signals `Begin`, `Commit` and `Rollback`. Each `Begin` that was
    done ends in one `Commit` that was done, or in one `Rollback`, whatever is raised and in
    whatever order responses come in; `abandon` ends them all at once. A dialect may say that change
    sets are not executed as one (`Dialect.atomicity_groups`); then their operations are run and
    answered like any others, and names of groups in `depends_on` mean nothing.

    **URLs.** `batch_url` is the absolute URL of the batch request, and it is as clear as
    `is_within` wants a service root to be (`ValueError` if it is not, before anything runs). If you
    build it from a Host field, first reject values that contain `/`, `?` or `#`, which would move
    the service root. `$id/...` means the Location of the response to that request. Where that has
    none, `locate` is asked for a URL; without an answer a GET, PUT or PATCH means its own URL, and
    a reference to anything else is answered with 424. A reference to nothing is answered with 400,
    and so is a batch within the batch; a URL outside `service_root`, by default the directory of
    `batch_url`, with 403; one that is longer than `Limits.url` when references are resolved, with
    414. All that comes of references is no longer than `Limits.message` (414, and 431 in fields).

    **References** elsewhere are left to whoever runs the step, who may ask `reference`. With
    `references="resolve"` the step has what they mean, and what means nothing is answered with 424
    and the reason (OData Protocol, 11.7.6):

    >>> one = Operation.get("People(1)?$select=City", id="1")
    >>> two = Operation.get("People?$filter=City%20eq%20$1/City")
    >>> url = "http://host/service/$batch"
    >>> execution = Execution(BatchRequest([one, two]), batch_url=url, references="resolve")
    >>> (step,) = execution.ready()
    >>> execution.complete(step, OperationResponse(200, body=b'{"City": "Kiel"}'))
    >>> execution.ready()[0].url
    "http://host/service/People?$filter=City%20eq%20'Kiel'"

    - In the query, `$1/Address/City` is that member of the JSON in the response to 1, and `$1` the
      value of a single property, as a literal: a number as it is spelt, a string in quotes unless
      it is spelt as a GUID, a date, a time or both. Objects and arrays have no literal, elements of
      arrays no path; members of null are null, and so is what was answered with 204 to a GET. In
      the option `$id`, `$1` is a URL. Nothing in quotes is a reference, nor is a name that no
      request of the batch has.
    - In JSON in UTF-8, `"$1"` and `"$1/Orders(5)"` are URLs in members whose names end in
      `@odata.bind`, `@bind`, `@odata.id` and `@id`. All other octets stay as they are.
    - Without `evaluate`, a condition has literals, `$1/$succeeded`, references as in the query,
      parentheses, `not`, `eq`, `ne`, `lt`, `le`, `gt`, `ge`, `and` and `or`. Null is equal to
      itself alone, and neither true nor false. Numbers are compared exactly, strings by code
      point, or, where one of the two is a literal without quotes, as instants and without regard
      to case. What is not of one type is not compared. What means nothing does not matter where
      the rest decides. A condition is as long as `Limits.url` at most.
    - Where there is no Location, OData-EntityId counts as one.

    A URL of more than `Limits.url` is answered with 414, a body of more than `Limits.body` with
    413, a binding to nothing with 400. All bodies that values are taken from are together no longer
    than `Limits.message`.

    **Header fields.** A step has its own fields and, unless it has them itself, those of the batch
    request, `headers`, that OData lets it inherit (OData Protocol, 8.1 and 8.2): Accept, batch
    media types left out, Accept-Charset, Accept-Language, Content-Language, Isolation, the
    versions, and the preferences allow-entityreferences and include-annotations. A Content-Encoding
    is not inherited, as it was undone when the batch was read. If-Match and If-None-Match that hold
    `$id` get the ETag of that response. Left out is the preference respond-async where 202 is no
    possible answer. Dropped, and listed in `Step.dropped`, are an operation's own Content-Length
    and Transfer-Encoding (a coding of octets in JSON that is not `identity` is answered with 501),
    Accept-Encoding where the answer is JSON, what `Dialect.forbidden_headers` lists, and what
    `dropped_headers` lists: by default `Execution.DROPPED_HEADERS`, the fields with which a proxy
    tells the application who asks and for what, such as X-Forwarded-User, Remote-User and
    X-HTTP-Method-Override. Otherwise the sender of a batch could act as any user. Names are
    compared without regard to case, and `_` is `-`, as it is in CGI and WSGI; a name ending in `*`
    means all that begin so. Add to the default with `|`, take from it with `-`.

    **202** is an ordinary answer. In a change set it fails the change set with a 500, because it
    would not be known whether the rest may be committed.

    **What cannot be written.** `complete` compares each response with what the format of the answer
    can carry, by the checks of `encode_response` with `limits` and `dialect`. In a change set, one
    that cannot be carried is a 500, and the change set is rolled back. Outside of one, what was
    read and errors become a 500; what was written keeps its status, and of its fields and body what
    can be carried, since an error says that nothing was changed (OData Protocol, 9.2). A JSON body
    that is only `null`, which would be read as none, is left out wherever it is. `replaced`
    is then called with the step, the response as it was, and what is wrong with it; a response that
    a signal fails with becomes a 500 in the same way. So `payload` can write whatever a finished
    execution holds.

    **What is refused at once.** More items or operations than `limits` or `dialect` allow raise
    `LimitExceeded`, whose `http_status` is 413, before anything runs. Anything else for which
    `decode_request` would raise an error raises `DecodeError`, and so does what could not be
    answered: an identifier that is used in two change sets, unless `Dialect.ids_per_change_set`,
    one that the answer cannot repeat, and an OData-MaxVersion below all versions of the service.

    **Formats.** `format` is that of the request; without it, the only one that the dialect
    supports, or else the one in which the request was read, or else multipart. `response_format` is
    that of the response, by default the same; the response remembers it.

    **More items.** With `more=True` those of `request` are the first, and others are given to
    `feed` as they arrive. `drain` returns what is final of the response:

    >>> execution = Execution(BatchRequest([]), batch_url=url, more=True)
    >>> execution.feed([Operation.get("People(1)"), Operation.get("People(2)")])
    >>> (step,) = execution.ready()
    >>> execution.complete(step, OperationResponse(204))
    >>> [response.status for response in execution.drain()]
    [204]
    >>> execution.feed_eof()

    What is over and drained is forgotten, except for what later items may ask of what has a name:
    whether it has succeeded, its URL and its ETag; with `evaluate`, `locate` or references that
    are resolved, all of its response. What comes of it is what comes of the whole batch, but

    - an item that would have the batch refused is answered with 400 or 413 and not run; without its
      identifier, if that was used before or the answer cannot repeat it;
    - an item that uses a name that has not come waits for `feed_eof`, and so does all after it;
    - no identifier is generated, and respond-async is left out wherever there is one.

    **Response.** Identifiers are those of the request, whatever the responses say, and are where
    they were there.

    `RuntimeError` is wrong use: a step completed twice, one that was not handed out, a signal
    completed, a step done, a response before the end. `evaluate` and `locate` are called from the
    constructor, `feed`, `feed_eof`, `ready`, `complete`, `done` and `fail`, `replaced` from
    `complete` and `fail`. What they raise passes through, except for `evaluate`, after note has
    been taken of what was said; `ready` asks again, and raises only if there is nothing else to
    hand out.
    """

    DROPPED_HEADERS: ClassVar[frozenset[str]] = steps.DROPPED_HEADERS
    """The names of the header fields that no operation may say for itself, in lower case."""
    # How many units are at work, and the index of the first that is not drained
    _open = _next = 0
    _stopped = _abandoned = _has_lost = False

    def __init__(
        self,
        request: values.BatchRequest,
        *,
        batch_url: str,
        format: Format | None = None,
        response_format: Format | None = None,
        headers: values.HeadersLike = (),
        dropped_headers: Iterable[str] = steps.DROPPED_HEADERS,
        ordered: bool | None = None,
        continue_on_error: bool | None = None,
        service_root: str | None = None,
        dialect: Dialect = ODATA_4_01,
        limits: Limits = DEFAULT_LIMITS,
        evaluate: Evaluate | None = None,
        locate: Locate | None = None,
        references: Literal["keep", "resolve"] = "keep",
        replaced: Replaced | None = None,
        more: bool = False,
    ) -> None:
        of_type(request, values.BatchRequest, "request")
        for name, value in (("evaluate", evaluate), ("locate", locate), ("replaced", replaced)):
            check_called(value, name)
        format = format_of(Settings(dialect, format=format, limits=limits), request)
        settings = Settings(dialect, format=format, limits=limits)
        self._response_format = format if response_format is None else response_format
        check_format(self._response_format)
        self._flat = format == "json" and self._response_format == "multipart"
        outer = Headers(headers)
        self._answers = Answers(settings, self._response_format, outer)
        self._replaced = replaced
        self._stops = stops_at_error(request, format, dialect, continue_on_error)
        in_turn = ordered or (format == "multipart" and (self._stops or ordered is None))
        order = bool(in_turn), ordered is not False, _resolves(references, dialect)
        way = Way(format, settings, self._answers.check_names, *order)
        feed = Feed(way) if more else None
        self._feed, self._more = feed, more
        self._plan = plan = feed or Plan(request, way)
        inheritance = steps.Inheritance(outer, settings, self._response_format, dropped_headers)
        urls = ServiceUrls(batch_url, service_root, dialect)
        is_json = self._response_format == "json"
        self._making = Making(plan, urls, inheritance, settings, is_json, evaluate, locate)
        self._responses = self._making.responses
        self._out: list[tuple[Unit, Step | Signal]] = []
        self._in_flight: dict[object, Unit] = {}
        # The units of which more may be handed out
        self._pending: dict[int, Unit] = {}
        if more:
            self.feed(request.items)
        self._advance()

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to run; until then something is ready or handed out.

        If items are fed, it may also be that nothing can be run before more come, or `feed_eof`.
        """
        return self._open == 0 and not self._more

    def feed(self, items: Iterable[values.RequestItem]) -> None:
        """Take the next items of the batch; after a stop they are dropped.

        `RuntimeError` if it is complete: without `more`, and after `feed_eof` or `abandon`.
        """
        if self._feed is None or not self._more:
            raise RuntimeError("nothing can be fed: the batch is complete")
        if not self._stopped:
            self._feed.add(values.BatchRequest(items).items)
        self._advance()

    def feed_eof(self) -> None:
        """Say that the batch is complete; `RuntimeError` if it was before."""
        self.feed(())
        self._end()
        self._advance()

    def drain(self) -> list[values.ResponseItem]:
        """Return the next items of the response, in its order, as far as they are final.

        An item is returned once; `response` and `payload` have what has not been.
        """
        items: list[values.ResponseItem] = []
        for unit in self._final():
            items += self._items(unit)
            self._next = unit.index + 1
            if self._feed is not None:
                self._making.forget((*unit.members, ~unit.index), self._feed.forget(unit))
        return items

    def ready(self) -> tuple[Step | Signal, ...]:
        """Return what may be run now, all of it at the same time; each is returned once.

        Nothing is returned as long as everything waits for what has been handed out.
        """
        try:
            self._advance()
        except Exception:
            # Whatever a function of the caller's raises, what is over is rolled back or committed.
            if not self._out:
                raise
        handed_out: list[Step | Signal] = []
        for unit, work in self._out:
            if isinstance(work, Step):
                if unit.failed:
                    continue  # another operation of the change set has failed since it was made
                unit.running += 1
            unit.begun = True
            self._in_flight[work] = unit
            handed_out.append(work)
        self._out.clear()
        return tuple(handed_out)

    def complete(self, step: Step, response: OperationResponse) -> None:
        """Take the response to a step.

        - `step`: one that was handed out and not completed.
        - `response`: any final response; `ValueError` for a status below 200 or above 599.
        """
        if type(response) is not OperationResponse or not 200 <= response.status <= 599:
            check_final(response, 200)
        method = step.method if isinstance(step, Step) else ""
        problems = self._answers.problems(response, method)
        unit = self._in_flight.pop(step, None) if isinstance(step, Step) else None
        if unit is None:
            raise self._misused(step, "completed")
        unit.running -= 1
        if isinstance(unit, Group):
            self._pending[unit.index] = unit
            if response.status == 202:
                # No request of a change set is answered with 202. OData Protocol, 11.7.7.6
                message = "no request of a change set is answered with 202"
                problems = (Diagnostic(ACCEPTED_IN_CHANGE_SET, message),)
        answer = response
        if problems:
            method = "GET" if isinstance(unit, Group) else method
            answer = self._answers.in_place_of(method, response, problems)
        self._answer(unit, step.index, answer)
        if problems and self._replaced is not None:
            self._replaced(step, response, problems)
        self._advance()

    def done(self, signal: Signal) -> None:
        """Take note that a signal was obeyed."""
        unit = self._in_flight.pop(signal, None) if isinstance(signal, steps.AnySignal) else None
        if not isinstance(unit, Group):
            raise self._misused(signal, "done")
        unit.is_open = isinstance(signal, Begin)
        if unit.is_open:
            self._pending[unit.index] = unit
        else:
            self._settle(unit)
        self._advance()

    def fail(self, signal: Signal, response: OperationResponse) -> None:
        """Take note that a signal could not be obeyed; the change set fails with this response.

        - `signal`: one that was handed out and not done.
        - `response`: in JSON all operations of the change set are answered with it. `ValueError`
          for a status below 400.
        """
        check_final(response, 400)
        problems = self._answers.problems(response)
        unit = self._in_flight.pop(signal, None) if isinstance(signal, steps.AnySignal) else None
        if not isinstance(unit, Group):
            raise self._misused(signal, "failed")
        unit.fail(self._answers.in_place_of("GET", response, problems) if problems else response)
        if isinstance(signal, Commit):
            self._signal(unit, Rollback)
        else:
            unit.is_open = False
            self._settle(unit)
        if problems and self._replaced is not None:
            self._replaced(signal, response, problems)
        self._advance()

    def abandon(self) -> tuple[Rollback, ...]:
        """Give the batch up, and return the rollbacks that are yet to be handed out.

        They are those of the change sets that have begun. A rollback that was handed out before is
        not returned again, and still has to be `done`: when all are, the batch is finished. Nothing
        else is handed out any more, and what was handed out is over, except for rollbacks: if a
        transaction is begun or a step run meanwhile, undo it, and a `Commit` that is not `done`
        counts as one that has not happened. Call `complete` and `done` before for what is known.
        What had not started is answered with 503. What a step that was running did is not known:
        the response ends before it, so that a client takes it, and what follows, for unknown.
        """
        if self._abandoned:
            return ()
        self._abandoned = True
        self._end()
        waiting = [unit for unit in self._waiting() if not unit.begun]
        self._out.clear()
        self._pending.clear()
        flying = self._in_flight
        ending = self._in_flight = {it: flying[it] for it in flying if isinstance(it, Rollback)}
        for unit in [each for each in self._plan.units.values() if each.begun]:
            if unit.settled or unit in ending.values():
                continue
            if isinstance(unit, Group) and unit.is_open:
                if not unit.failed:
                    unit.fail(self._answers.error(503, _ABANDONED))
                self._signal(unit, Rollback)
            elif isinstance(unit, Group):
                waiting.append(unit)
            else:
                unit.lost = self._has_lost = True
                self._open -= 1
                self._plan.schedule.settle(unit.index)
        for unit in waiting:
            self._give_up(unit)
        return tuple([work for work in self.ready() if isinstance(work, Rollback)])

    def reference(self, text: str, *, step: Step | None = None) -> Any:
        """Return what a reference means: an absolute URL for `$1`, JSON for `$1/Address/City`.

        - `text`: the reference; the dollar sign may be left out. Numbers in JSON are
          `decimal.Decimal`, as they are spelt.
        - `step`: the step of which the operation has the reference. An open change set is seen by
          its own steps alone, and an identifier may have been given in several.

        `UnresolvedReference` says why it means nothing, or nothing yet.
        """
        try:
            return self._making.reference(text, step)
        except Refused as refused:
            raise UnresolvedReference(refused.message) from None

    def response(self) -> values.BatchResponse:
        """Return the batch response; `RuntimeError` if the execution is not `finished`.

        A change set that failed is one response in multipart, that of the operation that failed
        first. In JSON each of its operations has a response: its own if it failed, otherwise 424,
        whatever it was answered with before. To a JSON request a multipart response is flat.
        """
        if not self.finished:
            raise RuntimeError(f"the batch is not finished, {self._open} of its items are open")
        items = [item for unit in self._final() for item in self._items(unit)]
        return values.changed(values.BatchResponse(items), format=self._response_format)

    def payload(self) -> values.Payload:
        """Return the batch response as it is sent, with status 200; `RuntimeError` before the end.

        It is `response()`, encoded; nothing else is raised. Beside Content-Type, the headers say
        the version: the greatest that the OData-MaxVersion of `headers` allows and the service
        supports, or without one that of the dialect, or of the request if it is smaller (OData
        Protocol, 8.2.7); and that the answer varies with it.
        """
        return self._answers.payload(self.response())

    def _end(self) -> None:
        """Plan what is left of what was fed."""
        if self._feed is not None and self._more:
            self._more = False
            self._feed.end()

    def encoder(self) -> tuple[ResponseEncoder, Headers]:
        """Return what writes the items that `drain` returns, and the fields to send before them.

        They are those of `payload`.
        """
        return self._answers.encoder()

    # -- what runs --

    def _misused(self, work: object, verb: str) -> RuntimeError:
        name = type(work).__name__
        return RuntimeError(f"{name} cannot be {verb}: it was not handed out, or it has ended")

    def _waiting(self) -> list[Unit]:
        """Return the units that are at work: something of each may be handed out."""
        return [*(unit for unit, _ in self._out), *self._pending.values()]

    def _give_up(self, unit: Unit) -> None:
        """Answer a unit that is not run, because it breaks a rule or the batch was abandoned."""
        status, message = 503, _ABANDONED
        if unit.fault is not None:
            status, message = unit.fault.http_status, unit.fault.diagnostic.message
        unit.fail(self._answers.error(status, message))
        self._settle(unit)

    def _advance(self) -> None:
        """Do what can be done without further responses."""
        pending, startable = self._pending, self._plan.schedule.startable
        while pending or (startable and not self._stopped):
            if pending:
                unit = pending.pop(next(iter(pending)))
            else:
                unit = self._plan.unit(startable.popleft())
                self._open += 1
                if self._abandoned or unit.fault is not None:
                    self._give_up(unit)
                    continue
                if isinstance(unit, Group):
                    self._begin(unit)
                    continue
            try:
                if isinstance(unit, Group):
                    self._go_on(unit)
                else:
                    self._hand_out(unit, unit.members.start)
            except BaseException:  # of the caller's own functions: they are asked again
                pending[unit.index] = unit
                raise

    def _begin(self, unit: Group) -> None:
        """Begin a change set, or fail it if it can be known that one of its operations will."""
        parts = values.parts_of(self._plan.source[unit.index])
        if any(isinstance(part, values.Unreadable) for part in parts):
            unit.fail(self._answers.error(400, "this item could not be read"))
        elif not unit.members:
            unit.fail(self._answers.error(400, "the change set holds no request"))
        for index in unit.members:
            try:
                self._making.check(unit, index)
            except Refused as refused:
                self._answer(unit, index, self._answers.error(refused.status, refused.message))
                break
        if unit.failed:
            self._settle(unit)
        else:
            self._signal(unit, Begin)

    def _go_on(self, unit: Group) -> None:
        """Hand out what may be run of a change set that has begun, or what ends it."""
        startable = unit.schedule.startable
        while startable and not unit.failed:
            self._hand_out(unit, startable[0])
            startable.popleft()
        if unit.failed:
            if not unit.running:
                self._signal(unit, Rollback)
        elif not unit.left:
            self._signal(unit, Commit)

    def _signal(self, unit: Group, kind: type[Signal]) -> None:
        self._out.append((unit, kind(group=unit.index, change_set=unit.change_set)))

    def _hand_out(self, unit: Unit, index: int) -> None:
        """Make the step of an operation, or answer it at once."""
        try:
            step = self._making.step(unit, index)
        except Refused as refused:
            self._answer(unit, index, self._answers.error(refused.status, refused.message))
            return
        self._out.append((unit, step))

    def _answer(self, unit: Unit, index: int, response: OperationResponse) -> None:
        """Take the response to an operation, which settles its unit unless that is a change set."""
        unit.left -= 1
        if response.status >= 400 and not unit.failed:
            unit.failed, unit.culprit = True, index
        if isinstance(unit, Group):
            self._responses[index] = response
            unit.schedule.settle(index)
        else:
            self._responses[index] = self._named(index, response)
            self._close(unit)

    def _settle(self, unit: Unit) -> None:
        """Answer all operations of a unit that is over."""
        failed, failure = unit.failed, unit.failure
        for index in unit.members:
            answer = self._responses.get(index) if failure is None else failure
            if answer is None or (failed and answer.status < 400):
                # If one request of a group failed, all have. OData JSON, 19.5
                answer = self._answers.error(424, "another request of the change set has failed")
            self._responses[index] = self._named(index, answer)
        if isinstance(unit, Group):
            if failure is not None:
                whole = replace(failure, id=None)
            else:
                whole = self._responses[unit.culprit] if failed else OperationResponse(200)
            self._responses[~unit.index] = whole
        self._close(unit)

    def _named(self, index: int, answer: OperationResponse) -> OperationResponse:
        """Return the response with the identifier of its request."""
        return values.response_of(
            *(answer.status, answer.reason, answer.headers, answer.body, self._plan.ids[index]),
            # In version 2, an identifier is echoed where it was read. [MS-ODATA], 2.2.7.6.6
            id_in_message=self._plan.operations[index].id_in_message,
            annotations=answer.annotations,
        )

    def _close(self, unit: Unit) -> None:
        """Go on after a unit; or not, where it failed and the batch stops at an error."""
        unit.settled = True
        self._open -= 1
        self._plan.schedule.settle(unit.index)
        if unit.failed and self._stops and not self._stopped:
            # What has not been handed out is taken back, unless its change set has begun.
            self._stopped = True
            self._open -= sum(not unit.begun for unit in self._waiting())
            self._out = [entry for entry in self._out if entry[0].begun]
            for index in [index for index, unit in self._pending.items() if not unit.begun]:
                del self._pending[index]

    # -- the response --

    def _final(self) -> Iterator[Unit]:
        """Yield the units, from the first that was not drained, of which the answer is final."""
        units = self._plan.units
        for index in range(self._next, self._plan.size):
            unit = units.get(index)
            if unit is not None and unit.settled:
                # Beside an error what is missing would pass for what has not been executed.
                if not (self._has_lost and unit.failed and self._stops):
                    yield unit
            elif not self._stopped or (unit is not None and unit.begun):
                return  # after a stop, what has not begun is left out

    def _items(self, unit: Unit) -> list[values.ResponseItem]:
        """Return what comes in place of an item."""
        if not isinstance(unit, Group):
            return [self._responses[unit.members.start]]
        answers = [self._responses[index] for index in unit.members]
        source = self._plan.source[unit.index]
        whole = self._responses[~unit.index]
        if isinstance(source, values.Unreadable):
            return [replace(whole, id=source.id if unit.fault is None else None)]
        assert isinstance(source, values.ChangeSet)
        if self._flat and answers:
            return [*answers]
        if unit.failed and (self._response_format == "multipart" or not answers):
            return [whole]
        made = mirrored(source, iter(answers), whole, self._response_format)
        # What breaks a rule may have the name of another change set.
        return [made] if unit.fault is None else [*made.items]


def _resolves(references: str, dialect: Dialect) -> bool:
    if references not in ("keep", "resolve"):
        raise ValueError(f"references is 'keep' or 'resolve', not {references!r}")
    return references == "resolve" and dialect.references != "none"
