"""`Execution`: what a batch lets run, in which order, and what it is answered with.

Most cases are lines of `data/executions.txt`, see `Case`; batches in them are those of `batches`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Begin,
    ChangeSet,
    ChangeSetResponse,
    Commit,
    DecodeError,
    Execution,
    Headers,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Rollback,
    Severity,
    Step,
    Unreadable,
    check_request,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    prepare,
)
from odata_batch.dialects import ODATA_2, ODATA_4_01
from odata_batch.rules import DEPENDS_ON_CYCLE, DEPENDS_ON_FORWARD, LIMIT_EXCEEDED
from odata_batch.strategies import batch_requests

from .batches import answer, request, scripts, table
from .helpers import CRLF, FORMATS, JSON, MULTIPART, Format, batch, change_set, part

BATCH_URL = "http://host/service/$batch"
ROOT = "http://host/service/"

Items = list[Operation | ChangeSet]
Ready = Step | Begin | Commit | Rollback
Service = Mapping[str, OperationResponse | int]

OK = OperationResponse(200)


def start(
    items: str | Sequence[Operation | ChangeSet] | BatchRequest,
    format: Format = "multipart",
    **options: Any,  # what the constructor takes, passed on
) -> Execution:
    if isinstance(items, str):
        items = request(items)
    batch = items if isinstance(items, BatchRequest) else BatchRequest(items)
    return Execution(batch, batch_url=BATCH_URL, format=format, **options)


def steps(execution: Execution) -> list[Step]:
    return [each for each in execution.ready() if isinstance(each, Step)]


def name(ready: Ready) -> str:
    """The end of a step's URL, or the kind of a signal and the item that it is for."""
    if isinstance(ready, Step):
        return ready.url.removeprefix(ROOT)
    return f"{type(ready).__name__} {ready.group}"


def names(ready: Iterable[Ready]) -> list[str]:
    return [name(each) for each in ready]


def obey(execution: Execution, ready: Ready, service: Service) -> None:
    """Answer a step or a signal as the service says, by name; 200 and done where it does not."""
    answer = service.get(name(ready), 200)
    response = OperationResponse(answer) if isinstance(answer, int) else answer
    if isinstance(ready, Step):
        execution.complete(ready, response)
    elif response.status >= 400:
        execution.fail(ready, response)
    else:
        execution.done(ready)


def run(execution: Execution, service: Service | None = None) -> list[str]:
    """Run the batch to its end, first in first out; return what was handed out, round by round."""
    rounds = []
    while not execution.finished:
        ready = execution.ready()
        assert ready, "nothing is handed out, and nothing is left to be completed"
        rounds.append(" + ".join(names(ready)))
        for each in ready:
            obey(execution, each, service or {})
    assert execution.ready() == ()
    return rounds


def statuses(response: BatchResponse) -> list[Any]:
    """The statuses, those of change sets in lists of their own."""
    return [
        [inner.status for inner in item.responses()]
        if isinstance(item, ChangeSetResponse)
        else item.status
        for item in response.items
        if not isinstance(item, Unreadable)
    ]


def message_of(response: OperationResponse) -> str:
    return str(response.json()["error"]["message"])


get = Operation.get
post = Operation.post

LOOSE = replace(ODATA_4_01, atomicity_groups=False)
CYCLES = ((DEPENDS_ON_CYCLE, Severity.NOTE), (DEPENDS_ON_FORWARD, Severity.NOTE))
WORDS: Mapping[str, Mapping[str, Any]] = {
    "met": {"evaluate": lambda condition, results: True},
    "unmet": {"evaluate": lambda condition, results: False},
    "ok": {"evaluate": lambda condition, results: results["a"].ok},
    "loose": {"dialect": LOOSE},
    "free": {"dialect": replace(ODATA_4_01, forbidden_headers=frozenset())},
    "2": {"dialect": ODATA_2},
    "goes-on": {"dialect": replace(ODATA_4_01, multipart_stops_on_error=False)},
    "stops": {"dialect": replace(ODATA_4_01, json_stops_on_error=True)},
    "broken": {"evaluate": lambda condition, results: results["nothing"].ok},
    "cycles": {"dialect": replace(ODATA_4_01, severities=CYCLES)},
    "mislocated": {"locate": lambda step, response: "$1"},
}


def options_of(words: Iterable[str]) -> dict[str, Any]:
    """Return what the words mean for the constructor; those of formats are not looked at."""
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word not in FORMATS:
            options |= {name: ast.literal_eval(value)} if equals else WORDS[word]
    return options


@dataclass(frozen=True)
class Case:
    """A batch that is run; its format, without which it runs in both, and options come first.

        json ordered=True | a: GET A; GET B after a
            A=404 | A | 404 424
            'a' has not succeeded

    An indented line is a run: how the service answers, a Location after `@`; what is handed out,
    round by round; the statuses of the response. Below it are the messages of errors of our own.
    """

    about: str
    words: tuple[str, ...]
    text: str
    run: str
    messages: tuple[str, ...]

    def check(self) -> None:
        options = options_of(self.words)
        preference = options.pop("preference", None)
        texts, rounds, expected = (part.strip() for part in self.run.split("|"))
        service = {}
        for text in filter(None, texts.split("; ")):
            found = re.fullmatch(r"(.*?)=(\d+)(?:@(.*))?", text)
            assert found, text
            fields = {} if found[3] is None else {"Location": found[3]}
            service[found[1]] = OperationResponse(int(found[2]), fields)
        for format in [each for each in FORMATS if each in self.words] or FORMATS:
            execution = start(request(self.text, continue_on_error=preference), format, **options)
            assert run(execution, service) == list(filter(None, rounds.split(", ")))
            response = execution.response()
            assert str(statuses(response)).replace(",", "") == f"[{expected}]"
            own = [each for each in response.responses() if each.body]
            if self.messages:
                assert [message_of(each) for each in own] == [*self.messages]


def cases(name: str) -> pytest.MarkDecorator:
    """Run a test with each run of a table in data/."""
    found: list[Case] = []
    about = head = ""
    for text in table(name):
        if text.startswith("# "):
            about = text[2:]
        elif not text.startswith("    "):
            head = text
        elif "|" in text:
            words, _, batch = head.partition(" | ")
            found.append(Case(about, tuple(words.split()), batch, text, ()))
        else:
            found[-1] = replace(found[-1], messages=(*found[-1].messages, text.strip()))
    return pytest.mark.parametrize("case", found, ids=lambda case: f"{case.about} {case.run}")


@cases("executions")
def test_what_runs_and_what_it_is_answered_with(case: Case) -> None:
    case.check()


# -- one after the other, and at the same time -----------------------------------------------------


def test_a_batch_without_items_is_finished() -> None:
    execution = start([])
    assert execution.finished and execution.ready() == ()
    assert execution.response() == BatchResponse(())


@pytest.mark.parametrize("more", [False, True])
@scripts("turns")
def test_what_is_handed_out_and_when(words: str, batch: str, script: str, more: bool) -> None:
    """`> A + B` fetches, `A` or `A=404` answers, `! A` is too late, `abandon` says what it returns,
    and `==` are the statuses of the response in the end, which can be written and read."""
    format: Format = "json" if "json" in words.split() else "multipart"
    execution = start(batch, format, more=more, **options_of(words.split()))
    execution.feed_eof() if more else None
    out: dict[str, Ready] = {}
    for said in re.split(r"; |    ", script.strip()):
        kind, _, text = said.partition(" ")
        if kind in (">", "abandon"):
            ready = execution.ready() if kind == ">" else execution.abandon()
            assert " + ".join(names(ready)) == text
            out |= {name(each): each for each in ready}
        elif kind == "!":
            with pytest.raises(RuntimeError, match=OVER):
                obey(execution, out[text], {})
        elif kind == "==":
            assert execution.finished and execution.ready() == execution.abandon() == ()
            payload = execution.payload()
            read = decode_response(payload.body, payload.content_type, strict=True)
            for response in (execution.response(), read):
                assert str(statuses(response)).replace(",", "") == f"[{text}]"
        else:
            which, _, status = said.partition("=")
            obey(execution, out[which], {which: answer(status or "200")})


def test_a_step_shows_the_operation_as_the_caller_made_it() -> None:
    operation = post("A", json={"a": 1}, id="7")
    (step,) = steps(start([operation], "json"))
    assert step.operation is operation
    assert (step.index, step.id, step.method, step.body) == (0, "7", "POST", b'{"a":1}')
    assert step.url == "http://host/service/A"
    assert step.group is None


def test_a_step_of_a_change_set_names_the_item_that_it_belongs_to() -> None:
    wanted = ChangeSet([post("B", id="1")])
    execution = start([get("A"), wanted], "json")
    step, begin = execution.ready()
    assert isinstance(begin, Begin) and begin.group == 1 and begin.change_set is wanted
    execution.done(begin)
    (step,) = steps(execution)
    assert (step.group, step.index) == (1, 1)


def test_equal_change_sets_are_told_apart() -> None:
    first, second = start([ChangeSet([post("A")])] * 2, "json").ready()
    assert first != second and names([first, second]) == ["Begin 0", "Begin 1"]


# -- dependencies ----------------------------------------------------------------------------------


def test_our_own_errors_are_errors_of_odata_in_json() -> None:
    execution = start("a: GET A; b: GET B after a", "json")
    run(execution, {"A": 404})
    own = execution.response().responses()[1]
    assert own.headers == Headers({"Content-Type": "application/json"})
    assert own.json() == {"error": {"code": "FailedDependency", "message": "'a' has not succeeded"}}


SPLIT = b"""{"requests": [
    {"id": "a", "atomicityGroup": "g", "method": "post", "url": "A"},
    {"id": "x", AFTER "method": "get", "url": "X"},
    {"id": "b", "atomicityGroup": "g", "dependsOn": ["x"], "method": "post", "url": "B"}
]}"""


def test_a_group_that_was_split_on_the_wire_comes_after_what_it_depends_on() -> None:
    batch = decode_request(SPLIT.replace(b"AFTER", b""), JSON)
    for ordered in (None, True, False):
        execution = start(batch, "json", ordered=ordered)
        assert run(execution)[:2] == ["X", "Begin 0"]
        assert [each.id for each in execution.response().responses()] == ["a", "b", "x"]


@pytest.mark.parametrize("row", [row for row in table("asked") if row[0] != "#"])
def test_a_condition_is_asked_of_what_is_known(row: str) -> None:
    """A row has a batch, how the service and the evaluator answer, the rounds, what was known."""
    text, service, answer, rounds, expected = (part.strip() for part in row.split("|"))
    seen: list[dict[str, int]] = []

    def evaluate(condition: str, results: Mapping[str, OperationResponse]) -> bool:
        assert condition in ("c", "$b/$succeeded")
        seen.append({id: response.status for id, response in results.items()})
        return answer == "met"

    found = run(start(text, "json", evaluate=evaluate), ast.literal_eval(service))
    assert found == rounds.split(", ")
    assert seen == [ast.literal_eval(expected)]


class Cancelled(BaseException):
    """What a framework raises into whoever waits."""


class Moody:
    """An evaluator that raises at first."""

    def __init__(self, failures: int = 1, error: type[BaseException] = Cancelled) -> None:
        self.failures = failures
        self.error = error

    def __call__(self, condition: str, results: Mapping[str, OperationResponse]) -> bool:
        self.failures -= 1
        if self.failures >= 0:
            raise self.error(condition)
        return True


@pytest.mark.parametrize("error", [ValueError, KeyError, SyntaxError, RecursionError])
def test_a_condition_that_cannot_be_evaluated_is_answered_with_424(error: type[Exception]) -> None:
    text = "a: GET A; b: GET B after a if $a/Name eq; c: GET C after b; d: GET D"
    execution = start(text, "json", ordered=True, evaluate=Moody(1, error))
    assert run(execution) == ["A", "D"]
    assert statuses(execution.response()) == [200, 424, 424, 200]
    message = message_of(execution.response().responses()[1])
    assert message == "the condition '$a/Name eq' cannot be evaluated"


def test_what_is_raised_into_the_evaluator_passes_through_and_it_is_asked_again() -> None:
    execution = start("a: GET A; b: POST B after a if c", "json", evaluate=Moody())
    with pytest.raises(Cancelled, match="c"):
        run(execution)
    assert not execution.finished
    assert run(execution) == ["B"]
    assert statuses(execution.response()) == [200, 200]


def test_within_a_change_set_the_evaluator_is_asked_again_too() -> None:
    text = "g{ a: POST A; b: POST B after a if c }"
    execution = start(text, "json", ordered=False, evaluate=Moody())
    obey(execution, execution.ready()[0], {})
    with pytest.raises(Cancelled):
        run(execution)
    assert run(execution) == ["B", "Commit 0"]


def test_what_waits_for_the_evaluator_does_not_start_after_a_stop() -> None:
    text = "a: GET A; b: GET B; c: POST C after a if c"
    execution = start(text, "json", continue_on_error=False, evaluate=Moody())
    a, b = execution.ready()
    with pytest.raises(Cancelled):
        obey(execution, a, {})
    obey(execution, b, {"B": 500})
    assert execution.ready() == () and execution.finished
    assert statuses(execution.response()) == [200, 500]


def test_what_is_over_is_handed_out_whatever_a_function_of_the_caller_raises() -> None:
    def locate(step: Step, response: OperationResponse) -> str | None:
        raise OSError(step.url)

    text = "1: POST A; g{ 2: POST B }; 3: GET $1/C"
    execution = start(text, "json", locate=locate)
    work, begin = execution.ready()
    obey(execution, begin, {})
    for following in ("B", "Commit 1"):
        with pytest.raises(OSError):
            obey(execution, work, {})
        (work,) = execution.ready()
        assert name(work) == following
    with pytest.raises(OSError):
        obey(execution, work, {})
    with pytest.raises(OSError):
        execution.ready()
    assert execution.abandon() == () and execution.finished
    assert statuses(execution.response()) == [200, [200], 503]


# -- change sets -----------------------------------------------------------------------------------

CHANGES = "g{ 1: POST A; 2: POST B; 3: POST C }"
CREATED = OperationResponse(201, {"Location": "A(1)"})


def test_a_change_set_that_succeeded_is_answered_with_a_change_set() -> None:
    execution = start(CHANGES)
    assert run(execution, {"A": CREATED}) == ["Begin 0", "A", "B", "C", "Commit 0"]
    expected = [replace(CREATED, id="1"), replace(OK, id="2"), replace(OK, id="3")]
    assert execution.response() == BatchResponse([ChangeSetResponse(expected, id="g")])


def test_a_change_set_that_failed_is_one_response_in_multipart() -> None:
    execution = start(f"{CHANGES}; 4: GET D", continue_on_error=True)
    conflict = OperationResponse(409, {"Content-Type": "text/plain"}, b"no")
    assert run(execution, {"B": conflict}) == ["Begin 0", "A", "B", "Rollback 0", "D"]
    expected = [replace(conflict, id="2"), replace(OK, id="4")]
    assert execution.response() == BatchResponse(expected)


def test_in_json_all_members_of_a_group_that_failed_are_answered() -> None:
    execution = start(CHANGES, "json")
    assert run(execution, {"A": CREATED, "B": 409}) == ["Begin 0", "A", "B", "Rollback 0"]
    response = execution.response()
    assert statuses(response) == [[424, 409, 424]]
    (item,) = response.items
    assert isinstance(item, ChangeSetResponse) and item.id == "g"
    assert [each.id for each in item.responses()] == ["1", "2", "3"]
    assert message_of(item.responses()[0]) == "another request of the change set has failed"
    assert "location" not in item.responses()[0].headers


BUSY = OperationResponse(503, {"Retry-After": "1"}, id="ignored")


@pytest.mark.parametrize(
    ("signal", "service", "expected"),
    [
        ("Begin 0", {}, ["Begin 0"]),
        ("Commit 0", {}, ["Begin 0", "A", "B", "C", "Commit 0", "Rollback 0"]),
        ("Rollback 0", {"A": 400}, ["Begin 0", "A", "Rollback 0"]),
    ],
)
def test_a_signal_that_fails_fails_the_change_set_as_a_whole(
    signal: str, service: Service, expected: list[str]
) -> None:
    execution = start(CHANGES)
    assert run(execution, {**service, signal: BUSY}) == expected
    assert execution.response() == BatchResponse([replace(BUSY, id=None)])
    execution = start(CHANGES, "json")
    assert run(execution, {**service, signal: BUSY}) == expected
    answers = [replace(BUSY, id=id) for id in ("1", "2", "3")]
    assert execution.response() == BatchResponse([ChangeSetResponse(answers, id="g")])


def test_nested_change_sets_are_one_transaction() -> None:
    text = "{ 1: POST A; { 2: POST B; { 3: POST C } }; 4: POST D }"
    execution = start(text, limits=Limits(change_set_depth=3))
    assert run(execution) == ["Begin 0", "A", "B", "C", "D", "Commit 0"]
    one, two, three, four = (OperationResponse(200, id=id) for id in "1234")
    inner_response = ChangeSetResponse([two, ChangeSetResponse([three])])
    expected = BatchResponse([ChangeSetResponse([one, inner_response, four])])
    assert execution.response() == expected


def test_a_step_shows_the_operation_of_a_change_set_that_is_none() -> None:
    batch = request(CHANGES)
    (step, *_) = steps(start(batch, "json", dialect=LOOSE))
    assert step.operation is batch.operations()[0] and step.group is None


# -- references ------------------------------------------------------------------------------------


def test_without_a_location_the_caller_is_asked_for_one_once() -> None:
    asked: list[tuple[str, int, str | None]] = []

    def locate(step: Step, response: OperationResponse) -> str | None:
        asked.append((step.url, response.status, response.id))
        return "A(7)"

    rounds = run(start("1: POST A; 2: POST $1/B; 3: GET $1/C", locate=locate))
    assert rounds == ["A", "A(7)/B", "A(7)/C"]
    assert asked == [("http://host/service/A", 200, "1")]


def test_in_an_etag_field_a_reference_stands_for_the_etag_of_the_response() -> None:
    fields = '[If-Match: $1] [If-None-Match: W/"$1,$1",$1 , $9]'
    execution = start(f"1: GET A(1); 2: PATCH A(1) {fields}")
    obey(execution, execution.ready()[0], {"A(1)": OperationResponse(200, {"ETag": 'W/"x"'})})
    (step,) = steps(execution)
    assert step.headers == Headers({"If-Match": 'W/"x"', "If-None-Match": 'W/"$1,$1",W/"x" , $9'})


def test_an_identifier_means_the_first_in_its_change_set_or_else_the_first_of_all() -> None:
    text = "{ 1: POST A; 2: PATCH $1/B }"
    text = f"{text}; {text}; {text}; {{ 1: POST A }}; {{ 3: PATCH $1/C }}; GET $1/D"
    execution, urls = start(text, dialect=ODATA_2), list[str]()
    while not execution.finished:
        for each in execution.ready():
            urls += [name(each)] if isinstance(each, Step) else []
            answer = OperationResponse(201, {"Location": f"/service/E{len(urls)}"})
            obey(execution, each, {name(each): answer} if isinstance(each, Step) else {})
    assert urls == ["A", "E1/B", "A", "E3/B", "A", "E5/B", "A", "E1/C", "E1/D"]


# -- URLs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "batch_url", ["http://host/api/batch", "http://host/api/$batch?$format=json#f"]
)
def test_the_service_root_is_the_directory_of_the_batch(batch_url: str) -> None:
    execution = Execution(BatchRequest([get("People"), get("/other")]), batch_url=batch_url)
    (step,) = steps(execution)
    assert step.url == "http://host/api/People"
    execution.complete(step, OK)
    assert statuses(execution.response()) == [200, 403]


@pytest.mark.parametrize("batch_url", ["/service/$batch", "$batch", "", "http:host"])
def test_the_url_of_the_batch_is_absolute(batch_url: str) -> None:
    with pytest.raises(ValueError) as caught:
        Execution(BatchRequest([]), batch_url=batch_url)
    assert str(caught.value) == f"batch_url is an absolute URL, not {batch_url!r}"


# -- header fields ---------------------------------------------------------------------------------


def fields_in(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(re.findall(r"\[([^:]*): ([^\]]*)\]", text))


@pytest.mark.parametrize("line", table("fields"))
def test_fields_are_inherited_or_left_out(line: str) -> None:
    """A line has format and options, the operation, the fields of the batch, what comes of both."""
    words, message, outer, expected = (part.strip() for part in line.split("|"))
    (format,) = [each for each in FORMATS if each in words.split()]
    options = options_of(words.split())
    (step,) = steps(start(message, format, headers=fields_in(outer), **options))
    assert step.headers.pairs == fields_in(expected)


SPOKEN_FOR = """
    Host Forwarded X-Forwarded-User X-Forwarded-For X-Original-URL X-Rewrite-URL X-Real-IP
    X-Client-IP True-Client-IP CF-Connecting-IP Remote-User X-Remote-User
    X-Auth-Request-Email X-ARR-LOG-ID Remote-Groups X-Remote-Extra-Scopes X-WebAuth-User
    X-Goog-Authenticated-User-Email X-Amzn-Oidc-Identity Cf-Access-Jwt-Assertion X-Consumer-Username
    Tailscale-User-Login SSL-Client-Subject-DN Client-Cert X-Client-Cert X-Envoy-External-Address
    X-MS-Client-Principal X-MS-Client-Principal-Id X-SSL-Client-DN Proxy X-HTTP-Method
    X-HTTP-Method-Override Connection Keep-Alive Upgrade TE Trailer
""".split()
KEPT = {"MSCRMCallerID": "x", "sap-client": "100", "Company": "x", "X-Forwarded": "x", "Via": "x"}


@pytest.mark.parametrize("name", SPOKEN_FOR)
@pytest.mark.parametrize("spell", [str, str.lower, lambda name: name.replace("-", "_").upper()])
def test_what_a_proxy_says_is_not_believed_of_an_operation(
    name: str, spell: Callable[[str], str]
) -> None:
    own = {spell(name): "admin", **KEPT}
    for operation in (get("A", headers=own), post("A", headers=own, body=b"1")):
        (step,) = steps(start([operation]))
        assert step.headers == Headers(KEPT)
        assert step.dropped.pairs == ((spell(name), "admin"),)


def test_fields_are_added_to_those_that_are_dropped_and_taken_from_them() -> None:
    dropped = Execution.DROPPED_HEADERS - {"x-http-method*"} | {"X_Tenant", "x-my-*"}
    own = {"X-HTTP-Method": "PATCH", "X-Tenant": "a", "X-My-Own": "b", "Remote-User": "c"}
    (step,) = steps(start([get("A", headers=own)], dropped_headers=dropped))
    assert step.headers == Headers({"X-HTTP-Method": "PATCH"})
    assert set(step.dropped) == {"x-tenant", "x-my-own", "remote-user"}


def test_respond_async_is_not_passed_on_where_others_depend_on_it() -> None:
    text = "1: GET A [Prefer: a, respond-async]; 2: GET B after 1 [Prefer: a, respond-async]"
    execution = start(text, "json", ordered=True)
    for expected in (Headers({"Prefer": "a"}), Headers({"Prefer": "a, respond-async"})):
        (step,) = steps(execution)
        assert step.headers == expected
        execution.complete(step, OK)


def test_respond_async_is_not_passed_on_in_a_change_set() -> None:
    operation = Operation.delete("A", headers={"Prefer": "respond-async"})
    execution = start([ChangeSet([operation])], "json")
    obey(execution, execution.ready()[0], {})
    (step,) = steps(execution)
    assert step.headers == Headers()


# -- the response ----------------------------------------------------------------------------------


def test_the_identifier_of_a_response_is_that_of_the_request() -> None:
    execution = start([get("A", id="1"), get("B")])
    run(execution, {"A": OperationResponse(200, id="x"), "B": OperationResponse(200, id="y")})
    assert [each.id for each in execution.response().responses()] == ["1", None]


def test_what_the_format_names_is_answered_by_its_name() -> None:
    execution = start("GET A; { POST B }", "json", ordered=True)
    run(execution)
    first, second = (OperationResponse(200, id=id) for id in "12")
    assert execution.response() == BatchResponse([first, ChangeSetResponse([second], id="g1")])


def test_what_was_sent_without_identifier_is_answered_without() -> None:
    execution = start([ChangeSet([post("B")], id=None)])
    run(execution)
    assert execution.response() == BatchResponse([ChangeSetResponse([OK])])


@pytest.mark.parametrize("service", [{}, {"C": 409}], ids=["success", "failure"])
def test_a_content_id_is_echoed_where_it_was_read(service: Service) -> None:
    inside = part(b"DELETE C HTTP/1.1\r\nContent-ID: 7\r\n\r\n", boundary=b"c")
    body = batch(change_set(inside))
    request = decode_request(body, MULTIPART, dialect=ODATA_2)
    execution = start(request, dialect=ODATA_2)
    run(execution, service)
    payload = encode_response(execution.response(), boundary="b", dialect=ODATA_2)
    assert CRLF + b"Content-ID: 7" + CRLF + CRLF in payload.body
    message = payload.body.partition(b"HTTP/1.1 ")[2]
    assert message.count(b"Content-ID") == 1


def test_the_reason_phrase_and_annotations_of_a_response_are_kept() -> None:
    answer = OperationResponse(200, reason="Fine", annotations=[("@a", b"1")])
    execution = start([get("A", id="1")], "json")
    run(execution, {"A": answer})
    (found,) = execution.response().responses()
    assert (found.reason, found.annotations) == ("Fine", (("@a", b"1"),))


MIXED = request("1: GET A; g{ 2: POST B; 3: POST C }; 4: GET D", continue_on_error=True)


@pytest.mark.parametrize(
    ("format", "response_format", "service", "expected"),
    [
        ("multipart", "json", {}, [200, [200, 200], 200]),
        ("multipart", "json", {"C": 409}, [200, [424, 409], 200]),
        ("json", "multipart", {}, [200, 200, 200, 200]),
        ("json", "multipart", {"C": 409}, [200, 424, 409, 200]),
        ("json", "multipart", {"Commit 1": 503}, [200, 503, 503, 200]),
    ],
)
def test_the_response_may_be_in_the_other_format(
    format: Format, response_format: Format, service: Service, expected: list[Any]
) -> None:
    execution = start(MIXED, format, response_format=response_format)
    run(execution, service)
    response = execution.response()
    assert statuses(response) == expected
    assert [each.id for each in response.responses()] == ["1", "2", "3", "4"]
    payload = encode_response(response, format=response_format)
    read = decode_response(payload.body, payload.content_type, strict=True)
    assert read == prepare(response, format=response_format)


# -- what is refused -------------------------------------------------------------------------------


def changes(count: int) -> ChangeSet:
    return ChangeSet([Operation.delete(f"A({number})") for number in range(count)])


EIGHT: Items = [get("A"), changes(3), get("B"), changes(3)]
DIALECT = replace(ODATA_4_01, operations=3, change_sets=1, change_set_operations=2)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("items", "options", "limit", "value", "found"),
    [
        ([*EIGHT, get("C")], {"limits": Limits(operations=8)}, "operations", 8, 9),
        ([changes(3)], {"limits": Limits(change_set_operations=2)}, "change_set_operations", 2, 3),
        ([changes(0)] * 3, {"limits": Limits(operations=2)}, "change_sets", 2, 3),
        ([get("A")] * 4, {"dialect": DIALECT}, "operations", 3, 4),
        ([get("A")] * 4, {"dialect": DIALECT, "limits": Limits(operations=9)}, "operations", 3, 4),
        ([get("A")] * 4, {"dialect": DIALECT, "limits": Limits(operations=2)}, "operations", 2, 4),
        ([changes(1), changes(1)], {"dialect": DIALECT}, "change_sets", 1, 2),
        ([changes(3)], {"dialect": DIALECT}, "change_set_operations", 2, 3),
    ],
)
def test_quotas_are_refused_before_anything_runs(
    items: Items, options: dict[str, Any], limit: str, value: int, found: int, format: Format
) -> None:
    with pytest.raises(LimitExceeded) as caught:
        start(items, format, **options)
    message = f"too many {limit.replace('_', ' ')}: found {found}, the limit is {value}"
    assert str(caught.value) == f"error[limit-exceeded]: {message}"
    assert (caught.value.limit, caught.value.value) == (limit, value)
    assert caught.value.http_status == 413


@pytest.mark.parametrize("format", FORMATS)
def test_a_quota_can_be_used_up(format: Format) -> None:
    assert run(start(EIGHT, format, limits=Limits(operations=8), ordered=True))[-1] == "Commit 3"
    start([changes(2), get("A")], format, dialect=DIALECT)


def test_limits_hold_even_if_a_dialect_makes_light_of_them() -> None:
    dialect = replace(ODATA_4_01, severities=((LIMIT_EXCEEDED, Severity.NOTE),))
    with pytest.raises(LimitExceeded) as caught:
        start("1: GET A; 2: GET B after 1", "json", dialect=dialect, limits=Limits(depends_on=0))
    assert (caught.value.limit, caught.value.http_status) == ("depends_on", 413)


@pytest.mark.parametrize(
    ("items", "slug"),
    [
        ("1: GET A; 1: GET B", "duplicate-id"),
        ("1: GET A after 2; 2: GET B", "depends-on-forward"),
        ("1: GET A after x", "depends-on-unknown"),
        ("1: GET A after 1", "depends-on-self"),
        ("1: GET A after 2; 2: GET B after 1", "depends-on-forward"),
        ("1: GET $2/A; 2: GET B", "reference-forward"),
        ("GET $batch", "nested-batch"),
        ("GET A [X: a\r\nb]", "control-character"),
        ([get("A b\r\n")], "control-character"),
        ([Operation("A B", "C")], "method-syntax"),
        ("{ { 1: POST A } }", "nested-change-set"),
    ],
)
def test_what_decoding_would_refuse_is_refused(items: str | Items, slug: str) -> None:
    with pytest.raises(DecodeError) as caught:
        start(items, "json")
    assert caught.value.rule.slug == slug
    assert caught.value.http_status == 400


def test_each_request_is_checked_whatever_came_before() -> None:
    with pytest.raises(DecodeError, match=r"^error.transfer-encoding. in items.1.: "):
        start("GET A [X: a]; GET B [Transfer-Encoding: chunked]", "multipart")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("items", "slug"),
    [
        ("g: GET A; g{ 2: POST B }", "id-equals-group"),
        ("g{ 2: POST B }; g: GET A", "id-equals-group"),
        ("g{ 1: POST A }; g{ 2: POST B }", "duplicate-id"),
    ],
)
def test_names_of_groups_are_refused_in_both_formats(items: str, slug: str, format: Format) -> None:
    with pytest.raises(DecodeError) as caught:
        start(items, format)
    assert caught.value.rule.slug == slug


def test_groups_that_wait_for_each_other_are_refused() -> None:
    batch = check_request(SPLIT.replace(b"AFTER", b'"dependsOn": ["g"],'), JSON).value
    assert batch is not None
    with pytest.raises(DecodeError) as caught:
        start(batch, "json")
    assert caught.value.rule.slug == "depends-on-cycle"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "xml"}, "format is 'multipart' or 'json', not 'xml'"),
        ({"response_format": "xml"}, "format is 'multipart' or 'json', not 'xml'"),
        ({"service_root": "/service/"}, "service_root is an absolute URL, not '/service/'"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        start([], **options)
    assert str(caught.value) == message


def refusal(error: type[Exception], call: Callable[..., object], *arguments: object) -> str:
    """Return the message of the error that the call raises."""
    with pytest.raises(error) as caught:
        call(*arguments)
    return str(caught.value)


# -- wrong use -------------------------------------------------------------------------------------

OVER = "it was not handed out, or it has ended"


def test_a_response_before_the_end_is_wrong_use() -> None:
    message = refusal(RuntimeError, start("GET A").response)
    assert message == "the batch is not finished, 1 of its items are open"


def test_a_step_is_completed_once() -> None:
    execution = start("GET A; GET B")
    (step,) = steps(execution)
    execution.complete(step, OK)
    for each in (execution, start("GET A")):
        message = refusal(RuntimeError, each.complete, step, OK)
        assert message == f"Step cannot be completed: {OVER}"


def test_steps_are_completed_and_signals_are_done_or_failed_once() -> None:
    execution = start([get("A"), changes(1)], "json")
    step, begin = execution.ready()
    complete, done, fail = execution.complete, execution.done, execution.fail
    assert refusal(RuntimeError, complete, begin, OK) == f"Begin cannot be completed: {OVER}"
    assert refusal(RuntimeError, done, step) == f"Step cannot be done: {OVER}"
    assert refusal(RuntimeError, fail, step, BUSY) == f"Step cannot be failed: {OVER}"
    assert refusal(RuntimeError, done, None) == f"NoneType cannot be done: {OVER}"
    obey(execution, step, {})
    obey(execution, begin, {})
    assert refusal(RuntimeError, done, begin) == f"Begin cannot be done: {OVER}"
    assert refusal(RuntimeError, fail, begin, BUSY) == f"Begin cannot be failed: {OVER}"


def test_a_step_is_completed_with_a_final_response() -> None:
    execution = start("GET A")
    (step,) = steps(execution)
    for status in (100, 199, 600):
        message = refusal(ValueError, execution.complete, step, OperationResponse(status))
        assert message == f"the status is from 200 to 599 here, not {status}"
    message = refusal(TypeError, execution.complete, step, 200)
    assert message == "response is an OperationResponse, not int: 200"
    execution.complete(step, OperationResponse(599))


def test_a_signal_fails_with_an_error() -> None:
    execution = start([changes(1)])
    (begin,) = execution.ready()
    for status in (200, 399, 600):
        message = refusal(ValueError, execution.fail, begin, OperationResponse(status))
        assert message == f"the status is from 400 to 599 here, not {status}"


# -- large batches ---------------------------------------------------------------------------------

LARGE = 10_000


def large(before: Callable[[int], int]) -> Items:
    """Return operations that depend on another one each, except for the first."""
    numbers = range(1, LARGE)
    rest = [get(f"A({n})", id=str(n), depends_on=[str(before(n))]) for n in numbers]
    return [get("A", id="0"), *rest]


@pytest.mark.untraced
def test_a_chain_of_10_000_dependencies_runs_link_by_link_or_breaks_at_once() -> None:
    execution = start(large(lambda number: number - 1), "json")
    assert len(run(execution)) == len(execution.response().items) == LARGE
    execution = start(large(lambda number: number - 1), "json")
    assert run(execution, {"A": 404}) == ["A"]
    assert statuses(execution.response()) == [404] + [424] * (LARGE - 1)


@pytest.mark.untraced
def test_10_000_operations_that_depend_on_one_run_at_the_same_time() -> None:
    execution = start(large(lambda number: 0), "json")
    assert [len(line.split(" + ")) for line in run(execution)] == [1, LARGE - 1]


@pytest.mark.untraced
def test_groups_of_1000_operations_run_and_fail() -> None:
    groups = [ChangeSet([post(f"A({g})/B({n})") for n in range(1000)], id=f"g{g}") for g in "012"]
    execution = start(groups, "json", ordered=False)
    run(execution, {"A(1)/B(500)": 409})
    found = [sum(item) for item in statuses(execution.response())]
    assert found == [200_000, 424 * 999 + 409, 200_000]


# -- whatever can be sent --------------------------------------------------------------------------


def encodable(request: BatchRequest, format: Format, response_format: Format) -> None:
    """Send the request, run it, send the response: nobody finds anything wrong with it."""
    sent = encode_request(request, format=format)
    read = decode_request(sent.body, sent.content_type, headers=sent.headers)
    execution = start(read, format, response_format=response_format, headers=sent.headers)
    count = len(read.operations())
    while not execution.finished:
        for number, each in enumerate(execution.ready()):
            obey(execution, each, {name(each): (204, 404, 200)[(count + number) % 3]})
    payload = encode_response(execution.response(), format=response_format)
    report = check_response(payload.body, payload.content_type, request=read, request_format=format)
    assert [found for found in report.diagnostics if found.severity > Severity.NOTE] == []


@given(batch_requests("multipart"))
def test_whatever_can_be_sent_in_multipart_can_be_run(request: BatchRequest) -> None:
    for response_format in FORMATS:
        encodable(request, "multipart", response_format)


@given(batch_requests("json"))
def test_whatever_can_be_sent_in_json_can_be_run(request: BatchRequest) -> None:
    # An empty batch has no multipart response.
    for response_format in FORMATS if request.items else ("json",):
        encodable(request, "json", response_format)
