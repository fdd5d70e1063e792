"""An `Exchange` against a model service, which knows what it really did.

The service runs each batch that it gets; it throttles, fails, is busy as a whole, answers later, in
pages and in part, and on the way requests and answers may be lost or cut off. At the end every
outcome is compared with what was done: nothing was applied twice unless that was allowed, and what
an outcome claims is true.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import event, given, reject
from hypothesis import strategies as st

from odata_batch import (
    BatchError,
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Commit,
    Dialect,
    Exchange,
    Execution,
    Headers,
    HttpRequest,
    Operation,
    OperationResponse,
    Rollback,
    Severity,
    State,
    Step,
    check_request,
    encode_response,
    find_references,
)
from odata_batch.dialects import GRAPH, ODATA_4_01, PRESETS

from .helpers import FORMATS, Format

ROOT = "http://host/service/"
URL = f"{ROOT}$batch"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DIALECTS = (
    *PRESETS.values(),
    replace(ODATA_4_01, name="Three", operations=3),
    replace(ODATA_4_01, name="Short", payload=1500, json_stops_on_error=True),
    replace(GRAPH, name="Uniform", operations=4),
)

Answer = tuple[int, Headers, bytes]


@st.composite
def batches(draw: st.DrawFn, dialect: Dialect, format: Format) -> BatchRequest:
    """Give batches whose operations have a tag each, and refer to and depend on earlier ones."""
    numbers = count(1)
    base = "" if "relative" in dialect.url_forms else ROOT
    ids = format == "json" or draw(st.booleans())
    earlier: list[str] = []

    def operation(method: str, in_set: bool) -> Operation:
        number = next(numbers)
        url, headers, depends_on = f"{base}Things({number})", {"Tag": str(number)}, []
        if method == "POST":
            url = f"{base}Things"
        how = draw(st.sampled_from(("no", "no", "url", "etag", "depends"))) if earlier else "no"
        target = draw(st.sampled_from(earlier)) if earlier else ""
        if how != "depends" and "reference-across-change-sets" in dict(dialect.severities):
            how = "no"
        if how == "url" and dialect.references != "none":
            url = f"${target}/Parts" if method != "DELETE" else f"${target}/Parts({number})"
        elif how == "etag" and dialect.references != "none" and method in ("PATCH", "DELETE"):
            headers["If-Match"] = f"${target}"
        elif how == "depends" and format == "json":
            depends_on = draw(
                st.lists(st.sampled_from(earlier), min_size=1, max_size=2, unique=True)
            )
        body = b"" if method in ("GET", "DELETE") else b'{"Name":"%d"}' % number
        if body:
            headers["Content-Type"] = "application/json"
        id = f"r{number}" if ids or in_set else None
        return Operation(method, url, headers, body, id=id, depends_on=depends_on)

    items: list[Operation | ChangeSet] = []
    for group in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(("read", "write", "set")))
        in_sets = dialect.transactions != "optional" or (
            format == "multipart" and draw(st.booleans())
        )
        if kind == "read":
            made: Operation | ChangeSet = operation("GET", False)
        elif kind == "write" and not in_sets:
            made = operation(draw(st.sampled_from(("POST", "PATCH", "DELETE"))), False)
        else:
            size = 1 if not dialect.atomicity_groups else draw(st.integers(1, 3))
            if dialect.change_set_operations == 1:
                size = 1
            methods = draw(
                st.lists(st.sampled_from(("POST", "PATCH", "DELETE")), min_size=size, max_size=size)
            )
            inner = [operation(method, True) for method in methods]
            made = ChangeSet(inner, id=f"g{group}" if format == "json" else None)
        items.append(made)
        operations = made.operations() if isinstance(made, ChangeSet) else (made,)
        # A DELETE leaves nothing to refer to.
        earlier += [each.id for each in operations if each.id and each.method != "DELETE"]
    # What cannot be asked to stop is not.
    preferences = (None, True, False) if dialect.preferences else (None, True)
    return BatchRequest(items, continue_on_error=draw(st.sampled_from(preferences)))


@dataclass
class Service:
    """A service that knows what it has applied."""

    data: st.DataObject
    dialect: Dialect
    is_calm: bool
    """Whether every request and answer arrives whole."""
    applied: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    monitors: dict[str, list[Answer]] = field(default_factory=dict)
    """What is answered at a URL, the last one again and again."""
    remembered: dict[str, OperationResponse] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: count(1))

    def draw(self, *values: Any) -> Any:
        return self.data.draw(st.sampled_from(values))

    def monitor(self, answers: list[Answer]) -> str:
        path = f"monitor/{next(self.numbers)}"
        self.monitors[ROOT + path] = answers
        location: str = self.draw(ROOT + path, f"/service/{path}", path)
        return location

    # -- single requests --

    def respond(self, step: Step) -> OperationResponse:
        known = self.remembered.get(step.headers.get("repeatability-request-id", ""))
        if known is not None:
            return known
        kind = self.draw("fine", "fine", "fine", "fine", "throttled", "busy", "wrong")
        if kind == "throttled":
            return OperationResponse(429, {"Retry-After": self.draw("1", "7", "1000000000")})
        if kind == "busy":
            return OperationResponse(503)
        if kind == "wrong":
            return OperationResponse(self.draw(400, 404, 500))
        if step.method == "GET":
            return OperationResponse(200, {"Content-Type": "application/json"}, b"{}")
        where = f"{ROOT}Things({next(self.numbers)})"
        location = self.draw(where, where, where.removeprefix("http://host"))
        headers = {"Location": location, "ETag": f'"{next(self.numbers)}"'}
        return OperationResponse(201 if step.method == "POST" else 204, headers)

    def run(self, batch: BatchRequest, headers: Headers) -> BatchResponse:
        execution = Execution(batch, batch_url=URL, headers=headers, dialect=self.dialect)
        done: dict[int, list[tuple[Step, OperationResponse]]] = {}
        while not execution.finished:
            for work in execution.ready():
                if isinstance(work, Step):
                    response = self.respond(work)
                    if response.ok:
                        group = work.group if self.dialect.atomicity_groups else None
                        if group is None:
                            self.apply(work, response)
                        else:
                            done.setdefault(group, []).append((work, response))
                    execution.complete(work, response)
                    continue
                if isinstance(work, Commit):
                    if self.draw(True, True, True, False):
                        for step, response in done.pop(work.group, ()):
                            self.apply(step, response)
                    else:
                        execution.fail(work, OperationResponse(self.draw(409, 503)))
                        continue
                if isinstance(work, Rollback):
                    done.pop(work.group, None)
                execution.done(work)
        return execution.response()

    def apply(self, step: Step, response: OperationResponse) -> None:
        tag, id = step.headers["tag"], step.headers.get("repeatability-request-id")
        if id in self.remembered:
            return
        (self.read if step.method == "GET" else self.applied)[tag] += 1
        if id is not None:
            self.remembered[id] = response

    # -- HTTP --

    def answer(self, request: HttpRequest) -> Answer:
        """Return the answer to an HTTP request that has arrived."""
        if request.method == "GET":
            answers = self.monitors[request.url]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        whole = self.draw(*["run"] * 5, 429, 503, "refused")
        if whole == 429:
            return 429, Headers({"Retry-After": "3"}), b""
        if whole == 503:
            return 503, Headers({"Retry-After": "Sun, 29 Nov 2026 12:00:09 GMT"}), b"<html>"
        if whole == "refused":
            return 403, Headers({"Content-Type": "text/html"}), b"<html>"
        content_type = request.headers["Content-Type"]
        report = check_request(
            request.body, content_type, headers=request.headers, dialect=self.dialect
        )
        assert not report.of(Severity.ERROR) and not report.of(Severity.WARNING), report.diagnostics
        assert report.value is not None
        response = self.run(report.value, request.headers)
        format = report.value.format
        assert format is not None
        shape = self.draw("whole", "whole", "later", "pages", "single")
        if shape == "pages" and len(response.items) > 1:
            return self.in_pages(response, format)
        if shape == "single" and format == "json":
            response = self.singly(response)
        answer = self.encoded(response, format)
        if shape == "later":
            location = self.monitor([*self.waiting(), self.result(answer)])
            return 202, Headers({"Location": location, "Retry-After": "2"}), b""
        return answer

    def waiting(self) -> list[Answer]:
        answers: list[Answer] = [(202, Headers({"Retry-After": "4"}), b""), (503, Headers(), b"")]
        return [self.draw(*answers) for _ in range(self.draw(0, 1, 2))]

    def result(self, answer: Answer) -> Answer:
        """Return an answer as a status monitor gives it (OData Protocol, 11.6)."""
        status, headers, body = answer
        how = self.draw("plain", "AsyncResult", "application/http")
        if how == "application/http":
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.pairs)
            head = f"HTTP/1.1 {status} Fine\r\n{lines}\r\n".encode()
            return 200, Headers({"Content-Type": "application/http"}), head + body
        if how == "AsyncResult":
            return 200, Headers((*headers.pairs, ("AsyncResult", str(status)))), body
        return 200, headers, body

    def encoded(self, response: BatchResponse, format: Format) -> Answer:
        payload = encode_response(response, format=format, dialect=self.dialect)
        return 200, payload.headers, payload.body

    def in_pages(self, response: BatchResponse, format: Format) -> Answer:
        """Return the first part of a response, and hold the rest back."""
        cut = self.data.draw(st.integers(1, len(response.items) - 1))
        rest = self.encoded(BatchResponse(response.items[cut:]), format)
        if format == "json":
            link = self.monitor([*self.waiting(), rest])
            return self.encoded(BatchResponse(response.items[:cut], next_link=link), format)
        location = self.monitor([*self.waiting(), self.result(rest)])
        tail = OperationResponse(202, {"Location": location})
        return self.encoded(BatchResponse((*response.items[:cut], tail)), format)

    def singly(self, response: BatchResponse) -> BatchResponse:
        """Return a JSON response in which an operation is answered later."""
        items = list(response.items)
        for place, item in enumerate(items):
            if isinstance(item, OperationResponse) and self.draw(True, False):
                answer = item.status, item.headers, item.body
                result = self.result(answer)
                while (
                    "asyncresult" not in result[1]
                    and result[1].get("content-type") != "application/http"
                ):
                    result = self.result(answer)
                location = self.monitor([*self.waiting(), result])
                items[place] = OperationResponse(202, {"Location": location}, id=item.id)
        return BatchResponse(items)


def send(exchange: Exchange, service: Service, request: HttpRequest) -> None:
    """Send a request and give the answer to the exchange, as far as they arrive."""
    how = (
        "fine"
        if service.is_calm
        else service.draw(*["fine"] * 6, "unsent", "lost", "broken", "cut", "other", "gateway")
    )
    if how == "unsent":
        exchange.fail(ConnectionRefusedError("no"), request=request)
        return
    if how == "lost":
        exchange.fail(TimeoutError("late"), request=request)
        return
    if how == "other":
        exchange.receive(service.draw(500, 502, 503, 504, 404, 302), {}, b"<html>", request=request)
        return
    status, headers, body = service.answer(request)
    if how == "broken":
        exchange.fail(ConnectionResetError("cut off"), request=request)
        return
    if how == "gateway":
        exchange.receive(service.draw(500, 502, 503, 504), {}, b"<html>", request=request)
        return
    if how == "cut":
        body = body[: service.data.draw(st.integers(0, len(body)))]
    exchange.receive(status, headers, body, request=request)


def exchange_all(exchange: Exchange, service: Service, parallel: int) -> None:
    """Send until nothing is left, several at a time in any order."""
    out: list[HttpRequest] = []
    for _ in range(2000):
        while (request := exchange.next()) is not None:
            assert 0 <= request.delay <= 120
            assert request.method == "POST" or request.body == b""
            out.append(request)
        assert len(out) <= parallel
        if not out:
            break
        send(exchange, service, out.pop(service.data.draw(st.integers(0, len(out) - 1))))
    assert exchange.finished


NOT_APPLIED = {State.FAILED, State.ROLLED_BACK, State.DEPENDENCY_FAILED, State.NOT_EXECUTED}


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
def test_outcomes_are_true_and_nothing_is_applied_twice(
    dialect: Dialect, data: st.DataObject
) -> None:
    format: Format = data.draw(st.sampled_from(sorted(dialect.formats)))
    batch = data.draw(batches(dialect, format))
    service = Service(data, dialect, is_calm=data.draw(st.booleans()))
    parallel = data.draw(st.sampled_from((1, 1, 3)))
    attempts = data.draw(st.sampled_from((1, 2, 4, 30)))
    again = data.draw(st.sampled_from(("no", "no", "repeatable", "resend")))
    try:
        exchange = Exchange(
            batch,
            URL,
            dialect=dialect,
            format=format,
            parallel=parallel,
            attempts=attempts,
            repeatable=again == "repeatable",
            resend=(lambda outcome: outcome.state is State.UNKNOWN) if again == "resend" else None,
            now=lambda: NOW,
        )
    except BatchError as error:
        event(f"refused: {error}")
        reject()
    exchange_all(exchange, service, parallel)
    for operation, outcome in zip(batch.operations(), exchange.result, strict=True):
        tag = operation.headers["Tag"]
        applied = service.applied[tag] + service.read[tag]
        assert outcome.operation is operation
        assert applied or outcome.state is not State.SUCCEEDED, outcome
        assert not (service.applied[tag] and outcome.state in NOT_APPLIED), outcome
        assert service.applied[tag] <= 1 or again == "resend", outcome
        needed = {*operation.depends_on, *(each.id for each in find_references(operation))}
        done = {id for id in needed if service.applied[id[1:]] or service.read[id[1:]]}
        assert not applied or done == needed, outcome
        event(f"{outcome.state.value}")
        if service.is_calm and attempts > 2:
            assert outcome.state not in (State.UNKNOWN, State.PENDING), outcome


ODD = {
    "Content-Type": (
        *("multipart/mixed; boundary=b", "application/json", "application/http", "text/html"),
        *("multipart/mixed", "", "application/json; charset=x"),
    ),
    "Location": ("", "x", "//", "http://[", "$1/A", "http://other/é", "\x00", "?", "#"),
    "Retry-After": ("", "-1", "9" * 30, "nan", "Sun, 29 Nov 2026 12:00:09 GMT", "1e9"),
    "Date": ("", "Sun, 29 Nov 2026 12:00:09 GMT", "Sun, 99 Nov 9999 12:00:09 GMT"),
    "AsyncResult": ("200", "202", "404", "2000", "x", "503"),
}
BODIES = (
    b'{"responses":[{"id":"1","status":202,"headers":{"location":"m"}}],"@nextLink":"n"}',
    b'{"responses":[],"@odata.nextLink":""}',
    b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 202 A\r\nLocation: m\r\n\r\n\r\n--b--",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"",
)


@given(data=st.data())
def test_no_answer_makes_it_raise(data: st.DataObject) -> None:
    """Whatever is answered, the exchange ends if it is asked for so much only."""
    format: Format = data.draw(st.sampled_from(FORMATS))
    operations = [Operation.get("A", id="1"), Operation.post("$1/B", id="2")]
    clock = data.draw(st.sampled_from((None, lambda: NOW)))
    exchange = Exchange(BatchRequest(operations), URL, format=format, max_operations=1, now=clock)
    for _ in range(50):
        request = exchange.next()
        if request is None:
            break
        assert 0 <= request.delay <= 120
        assert request.url.startswith("http://") and request.url.isascii()
        fields = [
            (name, data.draw(st.sampled_from(values)))
            for name, values in ODD.items()
            if data.draw(st.booleans())
        ]
        status = data.draw(st.sampled_from((0, 100, 200, 202, 204, 302, 404, 429, 503, 999)))
        body = data.draw(st.sampled_from(BODIES) | st.binary(max_size=20))
        exchange.receive(status, fields, body)
    assert len(exchange.result) == 2
