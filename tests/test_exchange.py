"""What an `Exchange` sends, and what it makes of the answers."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from odata_batch import (
    BatchError,
    BatchRequest,
    ChangeSet,
    Codec,
    Exchange,
    Headers,
    HttpRequest,
    Limits,
    Operation,
    Outcome,
    Severity,
    State,
    Unreadable,
    decode_request,
    encode_request,
    encode_response,
)
from odata_batch.dialects import AZURE_TABLES, BUSINESS_CENTRAL, GRAPH, ODATA_4_01, SHAREPOINT

from .batches import answer as answer_of
from .batches import request, response, scripts, table
from .batches import request as request_of
from .helpers import FORMATS, Format

URL = "http://host/service/$batch"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
LATER = "Sun, 29 Nov 2026 12:00:30 GMT"
Answer = tuple[int, Mapping[str, str], bytes]


def answer(text: str, format: Format = "multipart", link: str | None = None) -> Answer:
    """Return the HTTP answer that carries the responses of a line."""
    value = response(text) if link is None else response(text, next_link=link)
    payload = encode_response(value, format=format)
    return 200, payload.headers, payload.body


def start(text: str | BatchRequest, format: Format = "multipart", **options: Any) -> Exchange:
    """Return an exchange for the operations of a line."""
    batch = request(text) if isinstance(text, str) else text
    return Exchange(batch, URL, format=format, **options)


def sent(request: HttpRequest | None) -> list[Any]:
    """Return what is sent: the operations as lines, those of a change set in a list."""
    assert request is not None and request.method == "POST" and request.url == URL
    batch = decode_request(request.body, request.headers["Content-Type"])
    return [
        [line(each) for each in item.operations()] if isinstance(item, ChangeSet) else line(item)
        for item in batch.items
    ]


def line(operation: Operation | Unreadable) -> str:
    assert isinstance(operation, Operation)
    after = f" after {' '.join(operation.depends_on)}" if operation.depends_on else ""
    return f"{operation.method} {operation.url}{after}"


def go_on(exchange: Exchange, *answers: Answer) -> list[HttpRequest]:
    """Give the answers to what is sent, and return that."""
    requests = []
    for each in answers:
        request = exchange.next()
        assert request is not None
        requests.append(request)
        exchange.receive(*each)
    return requests


def states(exchange: Exchange) -> str:
    return " ".join(outcome.state.value for outcome in exchange.result)


def statuses(exchange: Exchange) -> list[int | None]:
    return [outcome.status for outcome in exchange.result]


BUSY: Answer = (429, {"Retry-After": "3"}, b"")


# -- what is sent after what is answered -----------------------------------------------------------

GOES_ON = replace(ODATA_4_01, multipart_stops_on_error=False)
UNIFORM = replace(GRAPH, operations=3)
WORDS: dict[str, dict[str, Any]] = {
    "goes-on": {"dialect": GOES_ON},
    "uniform": {"dialect": UNIFORM},
    "groups": {"dialect": replace(UNIFORM, atomicity_groups=True)},
    "tables": {"dialect": AZURE_TABLES},
    "sharepoint": {"dialect": SHAREPOINT},
    "in-one": {"dialect": BUSINESS_CENTRAL, "headers": {"Isolation": "snapshot"}},
    "payload": {"dialect": replace(ODATA_4_01, payload=800)},
    "message": {"limits": Limits(message=1200)},
    "two": {"limits": Limits(operations=2)},
    "naive": {"now": lambda: datetime(2026, 1, 1)},
    "again": {"resend": lambda outcome: outcome.state is State.UNKNOWN},
}


def options_of(words: str) -> dict[str, Any]:
    """Return what the words mean for the constructor; those of others are not looked at."""
    options: dict[str, Any] = {}
    for word in words.split():
        name, equals, value = word.partition("=")
        options |= {name: ast.literal_eval(value)} if equals else WORDS.get(word, {})
    return options


def shown(items: list[Any]) -> str:
    return "; ".join(f"{{{shown(it)}}}" if isinstance(it, list) else it for it in items)


@scripts("exchanges")
def test_what_is_sent_after_what_is_answered(words: str, batch: str, script: str) -> None:
    """`> ` is what is sent, after `@` how much later, and `> -` nothing for now; `>> ` is where it
    is asked for. `< ` are responses, after `^` with a next link; `<< ` is an HTTP answer without
    them, or none; `w ` and `u ` in their places are responses, and `ww ` and `uu ` answers, that
    come as `application/http` or with AsyncResult. `== ` are the states, statuses or refusals of
    all operations in the end, `=? ` before it, and `! ` is why the last has its own.
    """
    format: Format = "json" if "json" in words.split() else "multipart"
    asked = replace(request_of(batch), continue_on_error=True if "on" in words.split() else None)
    exchange, request = start(asked, format, **options_of(words)), None
    for said in re.split(r"\s+(?=(?:>>?|<<?|ww?|uu?|=[=?]|!)\s)", script.rstrip() + " ")[1:]:
        kind, _, text = said.strip().partition(" ")
        if said.strip() == "> -":
            assert exchange.next() is None and not exchange.finished
        elif kind in (">", ">>"):
            request = exchange.next()
            text, _, delay = f" {text}".partition(" @")
            assert request is not None and (not delay or request.delay == float(delay))
            if kind == ">":
                assert shown(sent(request)) == text[1:]
            else:
                assert request.method == "GET" and text[1:] in ("", request.url)
        elif kind in ("==", "=?"):
            assert kind == "=?" or (exchange.next() is None and exchange.finished)
            for outcome, word in zip(exchange.result, text.split(), strict=True):
                refusal = f"refused-{outcome.refusal}"
                assert word in (str(outcome.status), outcome.state.value, refusal)
        elif kind == "!":
            assert exchange.result.outcomes[-1].reason == text
        else:
            request = request or exchange.next()
            assert request is not None
            if not text:
                exchange.fail(TimeoutError())
            else:
                wrap = {"w": wrapped, "u": unwrapped}.get(kind[0], plain)
                text, _, link = text.partition(" ^")
                whole = answer_of(text) if len(kind) == 2 else None
                inner = (whole.status, whole.headers, whole.body) if whole else None
                exchange.receive(*wrap(inner or answer(text, format, link or None)))
            request = None


# -- pieces ----------------------------------------------------------------------------------------


def test_each_operation_of_the_batch_has_its_outcome_in_order() -> None:
    """One that is there twice has two."""
    same, *others = request("GET A; { 1: DELETE C }; GET D").items
    batch = BatchRequest([same, same, *others])
    exchange = Exchange(batch, URL, max_operations=2)
    go_on(exchange, answer("200; 201"), answer("{ 1: 204 }; 429"), answer("203"))
    assert exchange.next() is None and exchange.finished
    assert statuses(exchange) == [200, 201, 204, 203]
    pairs = zip(exchange.result, batch.operations(), strict=True)
    assert all(outcome.operation is operation for outcome, operation in pairs)
    assert exchange.result[batch.operations()[2]].id == "1"


def test_absolute_urls_are_written_relative_to_the_service_root() -> None:
    root, elsewhere = "https://example.org/service", "https://other.example/service/People"
    urls = [f"{root}/People?$top=1", f"{root}/a:b", "People", "$1/Friends", elsewhere]
    urls.append(f"{root}/../x")
    get, create, *others = (Operation("GET", url) for url in urls)
    create = replace(create, method="POST", id="1")
    batch = BatchRequest([get, ChangeSet([create]), *others], continue_on_error=True)
    exchange = Exchange(batch, f"{root}/$batch", relative_to=root)
    request = exchange.next()
    assert request is not None
    written = decode_request(request.body, request.headers["content-type"])
    assert [each.url for each in written.operations()] == ["People?$top=1", "./a:b", *urls[2:]]
    payload = encode_request(batch, relative_to=root)
    assert written == decode_request(payload.body, payload.content_type)
    assert [each.operation for each in exchange.result] == [get, create, *others]


def pieces_of(exchange: Exchange, format: Format) -> list[tuple[int, int]]:
    """Answer each piece with success; return how many operations and octets each has."""
    found = []
    while (request := exchange.next()) is not None:
        own = decode_request(request.body, request.headers["Content-Type"]).operations()
        found.append((len(own), len(request.body)))
        said = "; ".join("200" if each.id is None else f"{each.id}: 200" for each in own)
        exchange.receive(*answer(said, format))
    assert exchange.result.ok
    return found


def test_pieces_have_no_more_operations_than_the_service_takes() -> None:
    """Each needs the one before, in another piece, too."""
    names = [[f"{number}"] for number in range(45)]
    needs = zip(names, [[], *names], strict=False)
    calls = [Operation.get("/me", id=name, depends_on=before) for (name,), before in needs]
    sizes = pieces_of(Codec(GRAPH).exchange(BatchRequest(calls), URL), "json")
    assert [count for count, _ in sizes] == [20, 20, 5]


@pytest.mark.parametrize(
    "options", [{"dialect": replace(ODATA_4_01, payload=1200)}, {"limits": Limits(message=1200)}]
)
def test_pieces_have_no_more_octets_than_may_be_sent(options: dict[str, Any]) -> None:
    bodies = [Operation.post("A", json="x" * size) for size in (300, 300, 600, 100, 100)]
    exchange = start(BatchRequest(bodies, continue_on_error=True), **options)
    sizes = [(count, size <= 1200) for count, size in pieces_of(exchange, "multipart")]
    assert sizes == [(2, True), (1, True), (2, True)]


REFUSED = table("refused")


@pytest.mark.parametrize(("row", "found"), [*zip(REFUSED[::2], REFUSED[1::2], strict=True)])
def test_what_cannot_be_sent_is_refused_before_anything_is(row: str, found: str) -> None:
    words, _, batch = row.replace("<x>", "x" * 900).partition(" | ")
    with pytest.raises((BatchError, ValueError, TypeError)) as caught:
        start(batch, "json" if "json" in words.split() else "multipart", **options_of(words))
    error, _, message = found.strip().partition(": ")
    assert (type(caught.value).__name__, message in str(caught.value)) == (error, True)


def test_a_reference_to_an_earlier_piece_is_written_as_its_location() -> None:
    exchange = start("1: POST B; GET $1/C; DELETE $1/D; PATCH $1 [If-Match: $1]", max_operations=2)
    assert sent(exchange.next()) == ["POST B", "GET $1/C"]
    exchange.receive(*answer('201 [Location: B(7)] [ETag: "x"]; 200'))
    second = exchange.next()
    assert second is not None and b'\r\nIf-Match: "x"\r\n' in second.body
    assert sent(second) == ["DELETE http://host/service/B(7)/D", "PATCH http://host/service/B(7)"]


def test_empty_change_sets_have_no_outcomes() -> None:
    dialect = replace(ODATA_4_01, severities=(("empty-change-set", Severity.NOTE),))
    exchange = start(BatchRequest([ChangeSet([])]), dialect=dialect)
    assert exchange.finished and len(exchange.result) == 0


def test_several_pieces_are_handed_out_at_once() -> None:
    exchange = start("GET A; GET B; GET C", max_operations=1, parallel=2, dialect=GOES_ON)
    first, second = exchange.next(), exchange.next()
    assert exchange.next() is None and not exchange.finished
    exchange.receive(*answer("204"), request=second)
    third = exchange.next()
    assert sent(third) == ["GET C"]
    exchange.receive(*answer("203"), request=third)
    exchange.receive(*answer("201"), request=first)
    assert statuses(exchange) == [201, 204, 203] and exchange.finished


def test_everything_waits_when_the_service_is_busy() -> None:
    exchange = start("GET A; GET B; GET C; GET D", max_operations=1, parallel=3, dialect=GOES_ON)
    first, second = exchange.next(), exchange.next()
    exchange.receive(*BUSY, request=first)
    later = [exchange.next(), exchange.next()]
    assert [(sent(each), each.delay) for each in later if each] == [(["GET A"], 3), (["GET C"], 3)]
    exchange.receive(*answer("200"), request=second)
    assert [each.delay for each in (exchange.next(),) if each] == [0]


# -- again -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outer", "inner", "now", "delay"),
    [
        ("9", "4", None, 9),
        ("9", "11", None, 11),
        (LATER, "4", lambda: NOW, 30),
        ("4", LATER, lambda: NOW, 30),
        ("4", LATER, lambda: NOW.astimezone(timezone(timedelta(hours=2))), 30),
        ("4", LATER, None, 20),  # counted from the Date of the answer
        (LATER, "4", None, 20),
        ("1000000000", "4", None, 120),
        ("soon", "soon", None, 1),
    ],
)
def test_the_longest_delay_counts(
    outer: str, inner: str, now: Callable[[], datetime] | None, delay: float
) -> None:
    exchange = start("GET A", now=now)
    exchange.next()
    status, headers, body = answer(f"429 [Retry-After: {inner}]")
    date = "Sun, 29 Nov 2026 12:00:10 GMT"
    exchange.receive(status, {**headers, "Retry-After": outer, "Date": date}, body)
    again = exchange.next()
    assert again is not None and again.delay == delay


def test_what_is_asked_for_is_sent_again() -> None:
    asked: list[Outcome] = []

    def resend(outcome: Outcome) -> bool:
        asked.append(outcome)
        return outcome.operation.method == "PUT" or outcome.status == 409

    batch = request("PUT A; POST B; POST C; POST D")
    exchange = Exchange(batch, URL, dialect=GOES_ON, resend=resend)
    go_on(exchange, answer("204; 201; 409; 400"))
    assert sent(exchange.next()) == ["POST C"]
    assert [outcome.operation for outcome in asked] == list(batch.operations()[2:])
    exchange.fail("broken")
    assert exchange.next() is None
    assert exchange.result.outcomes[2].reason == "there was no answer: broken; it was tried 2 times"


def test_a_service_that_repeats_requests_is_told_so() -> None:
    own = {"Repeatability-Request-ID": "mine"}
    items: list[Operation | ChangeSet] = [
        Operation.get("A"),
        ChangeSet([Operation.post("B"), Operation.delete("C", headers=own)]),
    ]
    batch = BatchRequest(items)
    exchange = start(batch, repeatable=True, now=lambda: NOW)
    first = exchange.next()
    assert first is not None
    get, post, delete = decode_request(first.body, first.headers["Content-Type"]).operations()
    assert "repeatability-request-id" not in get.headers
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, post.headers["Repeatability-Request-ID"])
    assert post.headers["Repeatability-First-Sent"] == "Sun, 29 Nov 2026 12:00:00 GMT"
    assert delete.headers["Repeatability-Request-ID"] == "mine"
    exchange.fail(TimeoutError())
    second = exchange.next()
    assert second is not None
    again = decode_request(second.body, second.headers["Content-Type"]).operations()
    assert again == (get, post, delete)
    assert exchange.result.outcomes[1].operation is batch.operations()[1]


@pytest.mark.parametrize(
    ("error", "sent", "times", "state", "reason"),
    [
        (ConnectionResetError("cut off"), None, 1, State.UNKNOWN, "ConnectionResetError: cut off"),
        (ConnectionRefusedError("a redirection led to it"), True, 1, State.UNKNOWN, ""),
        (ConnectionRefusedError("no"), None, 4, State.NOT_EXECUTED, ""),
        ("no host", False, 4, State.NOT_EXECUTED, "no host"),
        (TimeoutError(), None, 1, State.UNKNOWN, ": TimeoutError"),
    ],
)
def test_an_error_on_the_way_makes_operations_unknown_unless_nothing_was_sent(
    error: object, sent: bool | None, times: int, state: State, reason: str
) -> None:
    exchange = start("POST A")
    delays = []
    while (request := exchange.next()) is not None:
        delays.append(request.delay)
        exchange.fail(error, sent=sent)
    assert delays == [0, 1, 2, 4][:times]
    (outcome,) = exchange.result
    beginning = "there was no answer" if state is State.UNKNOWN else "nothing was sent"
    assert outcome.state is state and outcome.reason.startswith(f"{beginning}: ")
    assert outcome.reason.partition(";")[0].endswith(reason)


# -- later -----------------------------------------------------------------------------------------

ACCEPTED: Answer = (202, {"Location": "monitor/1", "Retry-After": "6"}, b"")
STILL: Answer = (202, {}, b"")


def wrapped(inner: Answer) -> Answer:
    status, headers, body = inner
    lines = "".join(f"{name}: {value}\r\n" for name, value in Headers(headers).pairs)
    head = f"HTTP/1.1 {status} Fine\r\n{lines}\r\n"
    return 200, {"Content-Type": "application/http"}, head.encode() + body


def plain(inner: Answer) -> Answer:
    return inner


def unwrapped(inner: Answer) -> Answer:
    status, headers, body = inner
    return 200, {**headers, "AsyncResult": f"{status}"}, body


@pytest.mark.parametrize("result", [wrapped, unwrapped, plain])
@pytest.mark.parametrize("format", FORMATS)
def test_a_batch_that_is_accepted_is_followed_to_its_result(
    result: Callable[[Answer], Answer], format: Format
) -> None:
    exchange = start("1: POST A; 2: DELETE B", format, headers={"Authorization": "secret"})
    go_on(exchange, ACCEPTED)
    assert states(exchange) == "pending pending"
    moved: Answer = (202, {"Location": "/elsewhere", "Retry-After": "7"}, b"")
    whole = answer("1: 201; 2: 204", format)
    polls = go_on(exchange, STILL, moved, (503, {}, b""), result(whole))
    assert {poll.method for poll in polls} == {"GET"}
    assert [(poll.url, poll.delay) for poll in polls] == [
        *(("http://host/service/monitor/1", 6), ("http://host/service/monitor/1", 2)),
        *(("http://host/elsewhere", 7), ("http://host/elsewhere", 8)),
    ]
    accept = "application/json" if format == "json" else "multipart/mixed"
    assert polls[0].headers == Headers({"Accept": accept, "Authorization": "secret"})
    assert exchange.next() is None and exchange.result.ok


def test_a_group_may_wait_for_one_of_its_operations() -> None:
    exchange = start("g{ 1: DELETE A; 2: DELETE B }", "json")
    later = b'{"id":"1","atomicityGroup":"g","status":202,"headers":{"location":"/m/1"}}'
    now = b'{"id":"2","atomicityGroup":"g","status":202}'
    body = b'{"responses":[%b,%b]}' % (later, now)
    go_on(exchange, (200, {"Content-Type": "application/json"}, body))
    assert states(exchange) == "pending pending"
    (poll,) = go_on(exchange, unwrapped((204, {}, b"")))
    assert poll.url == "http://host/m/1"
    assert exchange.next() is None and statuses(exchange) == [204, 202]


@pytest.mark.parametrize("result", [wrapped, unwrapped])
def test_an_operation_in_json_is_followed_alone(result: Callable[[Answer], Answer]) -> None:
    exchange = start("1: GET A [Accept: text/plain]; 2: GET B; 3: GET C", "json")
    two = "1: 202 [Location: /m/1] [Retry-After: 4]; 2: 202 [Location: /m/2]"
    go_on(exchange, answer(f"{two}; 3: 200", "json"))
    assert states(exchange) == "pending pending succeeded"
    text: Answer = (206, {"Content-Type": "text/plain"}, b"text")
    polls = go_on(exchange, STILL, result((404, {}, b"")), result(text))
    delays = [(poll.url.removeprefix("http://host"), poll.delay) for poll in polls]
    assert delays == [("/m/1", 4), ("/m/2", 1), ("/m/1", 2)]
    assert polls[0].headers == Headers({"Accept": "text/plain"})
    assert exchange.next() is None and statuses(exchange) == [206, 404, 200]
    last = exchange.result.outcomes[0].response
    assert last is not None and last.body == b"text"


@pytest.mark.parametrize("location", [*"file:///etc/x ftp://host/m // $1/A".split(), "/m\r\nA: b"])
def test_only_http_is_followed(location: str) -> None:
    exchange = start("POST A")
    go_on(exchange, (202, {"Location": location}, b""))
    assert exchange.next() is None and states(exchange) == "pending"


OTHERS = ["http://other/m", "https://host/m", "http://host:81/m", "http://host@other/m"]


@pytest.mark.parametrize("location", [*OTHERS, "http://HOST/m", "http://host:80/m"])
def test_headers_go_to_the_service_alone(location: str) -> None:
    exchange = start("POST A", headers={"Authorization": "secret"})
    first, second = go_on(exchange, (202, {"Location": location}, b""), STILL)
    assert first.headers["Authorization"] == "secret"
    is_told = location not in OTHERS
    assert second.url == location and ("Authorization" in second.headers) is is_told


# -- on the way ------------------------------------------------------------------------------------


def test_the_answers_are_kept() -> None:
    exchange = start("GET A; POST B; GET C", max_operations=2)
    page: Answer = (401, {"Request-Id": "2"}, b"<html>")
    status, headers, body = answer("202 [Location: /m]")
    go_on(exchange, (status, {**headers, "Request-Id": "1"}, body), (503, {}, b""))
    exchange.next()
    exchange.fail(TimeoutError())
    go_on(exchange, unwrapped(answer("200; 201")), page)
    kept = [(it.status, it.headers.get("request-id"), it.body) for it in exchange.answers]
    assert kept == [(200, "1", b""), (503, None, b""), (200, None, b""), (401, "2", b"<html>")]


def test_an_answer_of_the_wrong_type_is_not_taken() -> None:
    exchange = start("GET A")
    exchange.next()
    with pytest.raises(TypeError):
        exchange.receive("200", {})  # type: ignore[arg-type]  # wrong on purpose
    assert not exchange.finished
    with pytest.raises(ValueError, match=r"^url is an absolute URL, not '/service/\$batch'$"):
        Exchange(BatchRequest([]), "/service/$batch")
    with pytest.raises(TypeError, match="batch is a BatchRequest"):
        Exchange([], URL)  # type: ignore[arg-type]  # wrong on purpose


def test_wrong_use_is_an_error() -> None:
    exchange = start("GET A")
    with pytest.raises(RuntimeError, match=r"no request waits for an answer; `next\(\)` hands"):
        exchange.receive(200, {})
    request = exchange.next()
    exchange.receive(*answer("200"))
    with pytest.raises(RuntimeError, match="is not waiting for an answer"):
        exchange.fail("", request=request)
    exchange = start("GET A; GET B", max_operations=1, parallel=2, dialect=GOES_ON)
    assert exchange.next() and exchange.next()
    with pytest.raises(RuntimeError, match="2 requests have no answer yet; say which one"):
        exchange.receive(200, {})


def test_a_codec_says_what_holds_for_its_exchanges() -> None:
    exchange = Codec(format="json").exchange(BatchRequest([Operation.get("A")]), URL)
    request = exchange.next()
    assert request is not None and request.headers["Content-Type"] == "application/json"
