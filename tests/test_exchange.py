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
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Codec,
    EncodeError,
    Exchange,
    Headers,
    HttpRequest,
    Limits,
    Operation,
    OperationResponse,
    Outcome,
    Severity,
    State,
    Unreadable,
    UnresolvedReference,
    decode_request,
    encode_request,
    encode_response,
)
from odata_batch.dialects import AZURE_TABLES, BUSINESS_CENTRAL, GRAPH, ODATA_4_01, SHAREPOINT

from .batches import answer as answer_of
from .batches import request, response
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
DIALECTS = {
    "goes-on": GOES_ON,
    "uniform": UNIFORM,
    "groups": replace(UNIFORM, atomicity_groups=True),
    "tables": AZURE_TABLES,
    "sharepoint": SHAREPOINT,
}


def talks(table: str) -> pytest.MarkDecorator:
    """Run a test with each talk of the table: options, a batch, and what is said.

    `> ` is what is sent, after `@` how much later, and `> -` nothing for now; `< ` are responses,
    `<< ` is an HTTP answer without them, or none; `= ` are the states or statuses of all operations
    in the end, and `! ` is why the last has its own.
    """
    rows: list[tuple[str, str, str, str]] = []
    about = ""
    for text in filter(None, table.splitlines()):
        if text.startswith("# "):
            about = text[2:]
        elif not text.startswith("    "):
            words, _, batch = text.partition("| ")
            rows.append((words, batch, "", about))
        else:
            rows[-1] = (*rows[-1][:2], rows[-1][2] + text, about)
    found = [pytest.param(*row[:3], id=f"{row[3]} {number}") for number, row in enumerate(rows)]
    return pytest.mark.parametrize(("words", "batch", "script"), found)


def shown(items: list[Any]) -> str:
    return "; ".join(f"{{{shown(it)}}}" if isinstance(it, list) else it for it in items)


@talks("""
# Pieces have no more change sets than the service takes.
tables | { DELETE http://host/T(1) }; { DELETE http://host/T(2) }
    > {DELETE http://host/T(1)} < { 1: 204 } > {DELETE http://host/T(2)}

# Pieces are parallel or serial where the service takes nothing else.
json uniform | 1: GET /A; 2: GET /B after 1; 3: GET /C; 4: GET /D after 3; 5: GET /E after 4
    > GET /A; GET /C < 1: 200; 3: 200 > GET /B; GET /D < 2: 200; 4: 200 > GET /E < 5: 200
    = 200 200 200 200 200

# A long chain is cut, and what depends on what failed cannot succeed.
json uniform | 0: GET /0; 1: GET /1 after 0; 2: GET /2 after 1; 3: GET /3 after 2; 4: GET /4 after 3
    > GET /0; GET /1 after 0; GET /2 after 1 > - < 0: 200; 1: 200; 2: 200
    > GET /3; GET /4 after 3 < 3: 200; 4: 200 = 200 200 200 200 200
json uniform | 0: GET /0; 1: GET /1 after 0; 2: GET /2 after 1; 3: GET /3 after 2; 4: GET /4 after 3
    < 0: 200; 1: 404; 2: 424 = 200 404 424 424 424 ! it was not sent: it needs '3', which failed

# A change set with dependencies is alone where they are uniform.
json groups | 1: GET /A; g{ 2: DELETE /B; 3: DELETE /C after 2 }; 4: GET /D after 3; \
5: GET /E after 2 g 4
    > GET /A < 1: 200 > {DELETE /B; DELETE /C after 2} < g{ 2: 204; 3: 204 }
    > GET /D; GET /E after 4

# What belongs together stays together if it can.
max_operations=2 | GET A; 1: POST B; GET $1/C
    > GET A < 200 > POST B; GET $1/C

# What was read has its own URL.
max_operations=2 | 1: GET B(1); 2: GET $1/C(2); GET $2/D; GET $2/E
    > GET B(1); GET $1/C(2) < 200; 200
    > GET http://host/service/B(1)/C(2)/D; GET http://host/service/B(1)/C(2)/E

# Without a Location what refers to it is not sent.
max_operations=2 goes-on | 1: POST B; GET $1/A; GET E; GET F; GET $1/C
    > POST B; GET $1/A < 204; 200 > GET E; GET F < 200; 200 = 204 200 200 200 not-executed
    ! 'GET $1/C' refers to '1', which is not sent again and has no Location

# A batch that stops stops at what cannot be sent.
max_operations=3 | 1: POST A; GET $1/B; GET $1/C; GET D; GET $1/E; GET F; GET G
    > POST A; GET $1/B; GET $1/C < 204; 200; 200 > GET D < 200
    = succeeded succeeded succeeded succeeded not-executed not-executed not-executed
    ! it was not sent: an operation before it has not succeeded, and the batch stops

# A Location without a host is said.
max_operations=2 | 1: POST B; GET $1/A; GET $1/C
    < 201 [Location: //]; 200 = 201 200 not-executed
    ! 'GET $1/C' refers to '1', which is not sent again and has the Location 'http://'

# What needs what failed is not sent.
max_operations=2 goes-on | 1: POST B; GET $1/A; 3: GET $1/C; GET $3/D
    < 400; 424 = failed dependency-failed dependency-failed dependency-failed
max_operations=2 goes-on | 1: POST B; GET $1/A; 3: GET $1/C; GET $3/D
    < 400; 424 = 400 424 424 424

# What needs what is unknown is not sent.
max_operations=2 goes-on attempts=1 | 1: POST B; GET $1/A; GET $1/C
    << = unknown unknown not-executed

# A change set is not sent in part.
max_operations=2 goes-on | 1: POST A; GET $1/B; { 2: PATCH $1/C; 3: DELETE D }
    < 400; 424 = failed dependency-failed dependency-failed dependency-failed

# A change set waits as a whole.
max_operations=2 | 1: POST A; 2: POST B; { 3: PATCH $1/C; 4: DELETE D }; { 5: DELETE $1/E }
    < 201 [Location: A(1)]; 201 > {PATCH http://host/service/A(1)/C; DELETE D}
    < { 3: 204; 4: 204 } > {DELETE http://host/service/A(1)/E}

# What depends on a group waits for it.
json max_operations=2 | g{ 1: DELETE A; 2: DELETE B }; 3: GET C after g
    > {DELETE A; DELETE B} < g{ 1: 204; 2: 204 } > GET C

# A batch that stops at errors stops between its pieces.
max_operations=2 | GET A; GET B; GET C; GET D
    > GET A; GET B < 200; 404 = succeeded failed not-executed not-executed

# What is throttled is sent again after a while.
goes-on | GET A; GET B; GET C
    < 200; 429 [Retry-After: 2]; 503 [Retry-After: 5] > GET B; GET C @5 < 200; 200 = 200 200 200

# A date is counted from that of the answer, or else passed over, and there is a longest delay.
 | GET A
    << 429 [Date: Sun, 29 Nov 2026 12:00:20 GMT] [Retry-After: Sun, 29 Nov 2026 12:00:30 GMT]
    > GET A @10
 | GET A
    << 429 [Retry-After: Sun, 29 Nov 2026 12:00:30 GMT] > GET A @1
longest_delay=2.5 | GET A
    << 429 [Retry-After: 3] > GET A @2.5

# Attempts are counted, and delays grow.
 | GET A
    > GET A @0 < 429 > GET A @1 < 429 > GET A @2 < 429 > GET A @4 < 429 = 429

# What failed, or was not executed, for the sake of what was throttled is sent again.
json | 1: GET A; 2: GET $1/B; 3: GET C
    < 1: 429; 2: 424; 3: 200 > GET A; GET $1/B after 1
 | GET A; GET B; GET C
    < 200; 503 > GET B; GET C

# A change set is sent again as a whole, and in part if it is no transaction.
 | { 1: DELETE A; 2: DELETE B }; GET C
    < 429 > {DELETE A; DELETE B}; GET C
sharepoint | { 1: DELETE A; 2: DELETE B }
    < 204; 429 > {DELETE B}

# A reference to what succeeded is rewritten when it is sent again.
goes-on | 1: POST A; GET $1/B
    < 201 [Location: /service/A(1)]; 429 > GET http://host/service/A(1)/B

# What cannot be rewritten keeps its outcome.
goes-on | 1: POST A; 2: GET $1/B; 3: GET $2/C
    < 204; 200; 429 = 204 200 429
goes-on | 1: GET A; GET B?$filter=C%20eq%20$1/D
    < 200; 429 = 200 429

# A batch that is refused for now is sent again.
 | POST A; { 1: DELETE B }
    > POST A; {DELETE B} << 429 [Retry-After: 3] > POST A; {DELETE B} @3 < 201; { 1: 204 } = 201 204
 | POST A; { 1: DELETE B }
    > POST A; {DELETE B} << 503 [Retry-After: 3] > POST A; {DELETE B} @3 < 201; { 1: 204 } = 201 204

# A batch that is refused for good has failed.
 | POST A; POST B
    << 401 [WWW-Authenticate: Bearer] = 401 401

# What may have been applied is not sent again; what only reads is.
json | GET A; POST B
    << 502 > GET A < 1: 200 = succeeded unknown
 | POST A; DELETE B; PATCH C
    << 302 [Content-Type: text/html] = unknown unknown unknown
 | POST A; DELETE B; PATCH C
    << 500 = unknown unknown unknown
 | POST A; DELETE B; PATCH C
    << 502 = unknown unknown unknown
 | POST A; DELETE B; PATCH C
    << 503 = unknown unknown unknown
 | POST A; DELETE B; PATCH C
    << 504 = unknown unknown unknown
""")
def test_what_is_sent_after_what_is_answered(words: str, batch: str, script: str) -> None:
    format: Format = "json" if "json" in words.split() else "multipart"
    options: dict[str, Any] = {}
    for word in words.split():
        name, equals, value = word.partition("=")
        options |= {name: ast.literal_eval(value)} if equals else {}
        options |= {"dialect": DIALECTS[word]} if word in DIALECTS else {}
    exchange, request = start(batch, format, **options), None
    for said in re.split(r"\s+(?=(?:>|<<?|=|!)\s)", script.rstrip())[1:]:
        kind, _, text = said.partition(" ")
        if said == "> -":
            assert exchange.next() is None and not exchange.finished
        elif kind == ">":
            request = exchange.next()
            text, _, delay = text.partition(" @")
            assert request is not None and shown(sent(request)) == text
            assert not delay or request.delay == float(delay)
        elif kind == "=":
            assert exchange.next() is None and exchange.finished
            for outcome, word in zip(exchange.result, text.split(), strict=True):
                assert word in (str(outcome.status), outcome.state.value)
        elif kind == "!":
            assert exchange.result.outcomes[-1].reason == text
        else:
            request = request or exchange.next()
            assert request is not None
            if not text:
                exchange.fail(TimeoutError())
            elif kind == "<":
                exchange.receive(*answer(text, format))
            else:
                whole = answer_of(text)
                exchange.receive(whole.status, whole.headers, whole.body)
            request = None


# -- pieces ----------------------------------------------------------------------------------------


def test_each_operation_of_the_batch_has_its_outcome_in_order() -> None:
    batch = request("GET A; GET B; { 1: DELETE C }; GET D")
    exchange = Exchange(batch, URL, max_operations=2)
    go_on(exchange, answer("200; 201"), answer("{ 1: 204 }; 429"), answer("203"))
    assert exchange.next() is None and exchange.finished
    assert statuses(exchange) == [200, 201, 204, 203]
    pairs = zip(exchange.result, batch.operations(), strict=True)
    assert all(outcome.operation is operation for outcome, operation in pairs)
    assert exchange.result[batch.operations()[2]].id == "1"


def test_an_empty_batch_is_finished_at_once() -> None:
    exchange = start("")
    assert exchange.finished and exchange.next() is None and len(exchange.result) == 0


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
    assert written == decode_request(*encoded_by(batch, root))
    assert [each.operation for each in exchange.result] == [get, create, *others]


def encoded_by(batch: BatchRequest, root: str) -> tuple[bytes, str]:
    payload = encode_request(batch, relative_to=root)
    return payload.body, payload.content_type


def test_pieces_have_no_more_operations_than_the_service_takes() -> None:
    calls = BatchRequest([Operation.get(f"/users/{number}") for number in range(45)])
    exchange = Codec(GRAPH).exchange(calls, URL)
    sizes = []
    while (request := exchange.next()) is not None:
        operations = decode_request(request.body, request.headers["Content-Type"]).operations()
        sizes.append(len(operations))
        responses = [OperationResponse(200, id=each.id) for each in operations]
        exchange.receive(*encoded(BatchResponse(responses), "json"))
    assert sizes == [20, 20, 5] and exchange.result.ok


def encoded(value: BatchResponse, format: Format) -> Answer:
    payload = encode_response(value, format=format)
    return 200, payload.headers, payload.body


@pytest.mark.parametrize(
    "options", [{"dialect": replace(ODATA_4_01, payload=1200)}, {"limits": Limits(message=1200)}]
)
def test_pieces_have_no_more_octets_than_may_be_sent(options: dict[str, Any]) -> None:
    bodies = [Operation.post("A", json="x" * size) for size in (300, 300, 600, 100, 100)]
    exchange = start(BatchRequest(bodies, continue_on_error=True), **options)
    lengths = []
    while (request := exchange.next()) is not None:
        count = len(sent(request))
        lengths.append((count, len(request.body) <= 1200))
        exchange.receive(*answer("; ".join(["201"] * count)))
    assert lengths == [(2, True), (1, True), (2, True)] and exchange.result.ok


def test_what_has_too_many_octets_alone_is_refused_where_it_is() -> None:
    large = [Operation.get("A"), Operation.get("B"), Operation.post("C", json="x" * 900)]
    with pytest.raises(EncodeError) as caught:
        start(BatchRequest(large), dialect=replace(ODATA_4_01, payload=800))
    assert [found.path for found in caught.value.diagnostics] == ["items[2]"]


def test_a_change_set_is_never_divided() -> None:
    with pytest.raises(EncodeError, match="found 3 operations that belong together"):
        start("{ 1: DELETE A; 2: DELETE B; 3: DELETE C }; GET D", max_operations=2)


SNAPSHOT = {"Isolation": "snapshot"}


@pytest.mark.parametrize(("count", "most"), [(3, 2), (101, None)])
def test_a_batch_that_is_one_transaction_is_never_divided(count: int, most: int | None) -> None:
    with pytest.raises(EncodeError, match=f"found {count} operations|takes 100 operations"):
        batch = f"{count} * DELETE A"
        start(batch, dialect=BUSINESS_CENTRAL, headers=SNAPSHOT, max_operations=most)


@pytest.mark.parametrize(("second", "again"), [("429", True), ("400", False)])
def test_a_batch_that_is_one_transaction_is_sent_again_as_a_whole(second: str, again: bool) -> None:
    batch = replace(request("DELETE A; DELETE B; DELETE C"), continue_on_error=True)
    exchange = Exchange(batch, URL, dialect=BUSINESS_CENTRAL, headers=SNAPSHOT)
    go_on(exchange, answer(f"204; {second}; 429"))
    assert states(exchange) == "rolled-back failed failed"
    assert exchange.finished is not again
    if again:
        assert sent(exchange.next()) == ["DELETE A", "DELETE B", "DELETE C"]


def test_a_reference_to_an_earlier_piece_is_written_as_its_location() -> None:
    exchange = start("1: POST B; GET $1/C; DELETE $1/D; PATCH $1 [If-Match: $1]", max_operations=2)
    assert sent(exchange.next()) == ["POST B", "GET $1/C"]
    exchange.receive(*answer('201 [Location: B(7)] [ETag: "x"]; 200'))
    second = exchange.next()
    assert second is not None and b'\r\nIf-Match: "x"\r\n' in second.body
    assert sent(second) == ["DELETE http://host/service/B(7)/D", "PATCH http://host/service/B(7)"]


def test_a_location_that_cannot_be_written_is_said() -> None:
    exchange = start("1: POST B; GET $1/A; GET $1/C", max_operations=2)
    exchange.next()
    exchange.receive(*answer("201 [Location: http://host/{B}]; 200"))
    assert exchange.next() is None and exchange.finished
    assert states(exchange) == "succeeded succeeded not-executed"
    reason = exchange.result.outcomes[2].reason
    assert reason.startswith("it was not sent: ") and "{B}" in reason


def test_what_depends_on_too_many_cannot_be_divided() -> None:
    items = [Operation.get(name, id=name) for name in ("a", "b")]
    last = Operation("GET", "c", id="c", depends_on=["a", "b"], condition="$a")
    with pytest.raises(UnresolvedReference, match="it needs 'b', which was not executed"):
        start(BatchRequest([*items, last]), "json", max_operations=2)


def test_what_refers_to_it_in_its_body_stays_with_it() -> None:
    bound = ' [Content-Type: application/json] = {"To@odata.bind": "$1"}'
    many = f"1: POST A; POST B{bound}; POST C{bound}; GET D"
    with pytest.raises(EncodeError, match="found 3 operations that belong together"):
        start(many, max_operations=2)
    exchange = start(many, max_operations=3)
    assert sent(exchange.next()) == ["POST A", "POST B", "POST C"]


def test_what_refers_to_it_in_its_body_is_not_cut_off_by_octets() -> None:
    bound = Operation.post("B", json={"To@odata.bind": "$1", "Name": "x" * 600})
    batch = BatchRequest([Operation.post("A", json="x" * 600, id="1"), bound])
    with pytest.raises(UnresolvedReference, match="in its body; rewrite it"):
        start(batch, limits=Limits(message=1200))


def test_what_is_sent_twice_as_one_object_has_an_outcome_for_each() -> None:
    get = Operation.get("A")
    exchange = start(BatchRequest([get] * 3), max_operations=2)
    go_on(exchange, answer("200; 201"), answer("203"))
    assert statuses(exchange) == [200, 201, 203]


def test_what_cannot_be_written_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(EncodeError) as caught:
        start("GET A; GET B; GET C; GET {D}", max_operations=2)
    assert [found.path for found in caught.value.diagnostics] == ["items[3]"]


def test_what_only_a_piece_shows_is_refused_where_it_is() -> None:
    with pytest.raises(EncodeError) as caught:
        start("GET A; GET B; GET C; { 1: DELETE D; 2: DELETE {E} }", limits=Limits(operations=2))
    assert [found.path for found in caught.value.diagnostics] == ["items[3].items[1]"]


def test_what_could_not_be_read_is_refused() -> None:
    with pytest.raises(EncodeError):
        start(BatchRequest([Unreadable("operation")]))


def test_empty_change_sets_have_no_outcomes() -> None:
    dialect = replace(ODATA_4_01, severities=(("empty-change-set", Severity.NOTE),))
    exchange = start(BatchRequest([ChangeSet([])]), dialect=dialect)
    assert exchange.finished and len(exchange.result) == 0


def test_what_depends_on_itself_is_refused_whatever_the_limit() -> None:
    batch = "1: GET /A; 2: GET /B; 3: GET /C after 4; 4: GET /D after 3"
    with pytest.raises(EncodeError, match=r"3.*4"):
        start(batch, "json", dialect=UNIFORM, limits=Limits(operations=2))


def test_a_batch_that_goes_on_goes_on_with_its_pieces() -> None:
    exchange = start(replace(request("GET A; GET B"), continue_on_error=True), max_operations=1)
    first = exchange.next()
    assert first is not None and first.headers["Prefer"] == "odata.continue-on-error"
    assert exchange.next() is None
    exchange.receive(*answer("404"))
    go_on(exchange, answer("200"))
    assert states(exchange) == "failed succeeded"


def test_several_pieces_are_handed_out_at_once() -> None:
    batch = replace(request("GET A; GET B; GET C"), continue_on_error=True)
    exchange = Exchange(batch, URL, max_operations=1, parallel=2)
    first, second = exchange.next(), exchange.next()
    assert exchange.next() is None and not exchange.finished
    exchange.receive(*answer("204"), request=second)
    third = exchange.next()
    assert sent(third) == ["GET C"]
    exchange.receive(*answer("203"), request=third)
    exchange.receive(*answer("201"), request=first)
    assert statuses(exchange) == [201, 204, 203] and exchange.finished


def test_a_piece_waits_for_the_one_that_it_refers_to() -> None:
    batch = replace(request("1: POST A; GET $1/B; GET $1/C; GET D"), continue_on_error=True)
    exchange = Exchange(batch, URL, max_operations=2, parallel=2)
    first = exchange.next()
    assert exchange.next() is None
    exchange.receive(*answer("201 [Location: A(1)]; 200"), request=first)
    assert sent(exchange.next()) == ["GET http://host/service/A(1)/C", "GET D"]


def test_a_batch_that_stops_at_errors_is_sent_piece_by_piece() -> None:
    exchange = start("GET A; GET B", max_operations=1, parallel=2)
    assert exchange.next() is not None and exchange.next() is None


def test_everything_waits_when_the_service_is_busy() -> None:
    batch = replace(request("GET A; GET B; GET C; GET D"), continue_on_error=True)
    exchange = Exchange(batch, URL, max_operations=1, parallel=3)
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
    exchange.receive(status, {**headers, "Retry-After": outer}, body)
    again = exchange.next()
    assert again is not None and again.delay == delay


def test_a_batch_that_is_refused_to_the_end_has_failed() -> None:
    exchange = start("POST A", attempts=2)
    go_on(exchange, *[(503, {"Retry-After": "3"}, b"")] * 2)
    (outcome,) = exchange.result
    assert (outcome.state, outcome.status, outcome.refusal) == (State.FAILED, 503, 503)
    assert outcome.reason == "the batch as a whole was refused with 503 and Retry-After"


def test_what_is_asked_for_is_sent_again() -> None:
    asked: list[Outcome] = []

    def resend(outcome: Outcome) -> bool:
        asked.append(outcome)
        return outcome.operation.method == "PUT" or outcome.status == 409

    batch = request("PUT A; POST B; POST C; POST D")
    exchange = Exchange(batch, URL, dialect=GOES_ON, resend=resend)
    status, headers, body = answer("204; 201; 409; 400")
    go_on(exchange, (status, headers, body))
    assert sent(exchange.next()) == ["POST C"]
    assert [outcome.operation for outcome in asked] == list(batch.operations()[2:])
    exchange.fail("broken")
    assert exchange.next() is None
    assert exchange.result.outcomes[2].reason == "there was no answer: broken"


def test_what_was_unknown_once_and_does_not_succeed_is_unknown() -> None:
    exchange = start("DELETE A", resend=lambda outcome: outcome.state is State.UNKNOWN)
    exchange.next()
    exchange.fail(TimeoutError("late"))
    go_on(exchange, answer("404"))
    (outcome,) = exchange.result
    assert outcome.state is State.UNKNOWN and outcome.response is not None
    expected = "404 Not Found; but it may have been applied when it was sent before"
    assert outcome.reason == expected


def test_what_was_unknown_once_and_succeeds_has_succeeded() -> None:
    exchange = start("DELETE A", resend=lambda outcome: True)
    exchange.next()
    exchange.fail(TimeoutError("late"))
    go_on(exchange, answer("204"))
    assert exchange.result.ok


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


def test_an_error_on_the_way_makes_operations_unknown() -> None:
    exchange = start("POST A")
    exchange.next()
    exchange.fail(ConnectionResetError("cut off"))
    (outcome,) = exchange.result
    assert outcome.state is State.UNKNOWN
    assert outcome.reason == "there was no answer: ConnectionResetError: cut off"


@pytest.mark.parametrize(
    ("error", "sent"), [(ConnectionRefusedError("no"), None), ("no host", False)]
)
def test_what_was_not_sent_is_sent_again(error: object, sent: bool | None) -> None:
    exchange = start("POST A")
    delays = []
    while (request := exchange.next()) is not None:
        delays.append(request.delay)
        exchange.fail(error, sent=sent)
    assert delays == [0, 1, 2, 4]
    (outcome,) = exchange.result
    assert outcome.state is State.NOT_EXECUTED and outcome.reason.startswith("nothing was sent: ")


def test_an_error_may_be_said_to_be_of_what_was_sent() -> None:
    exchange = start("POST A")
    exchange.next()
    exchange.fail(ConnectionRefusedError("a redirection led to it"), sent=True)
    assert exchange.next() is None and states(exchange) == "unknown"


# -- later -----------------------------------------------------------------------------------------

ACCEPTED: Answer = (202, {"Location": "monitor/1", "Retry-After": "6"}, b"")
STILL: Answer = (202, {}, b"")


def wrapped(inner: Answer) -> Answer:
    status, headers, body = inner
    lines = "".join(f"{name}: {value}\r\n" for name, value in Headers(headers).pairs)
    head = f"HTTP/1.1 {status} Fine\r\n{lines}\r\n"
    return 200, {"Content-Type": "application/http"}, head.encode() + body


def unwrapped(inner: Answer) -> Answer:
    status, headers, body = inner
    return 200, {**headers, "AsyncResult": f"{status}"}, body


@pytest.mark.parametrize("result", [wrapped, unwrapped, lambda inner: inner])
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


@pytest.mark.parametrize("result", [wrapped, unwrapped, lambda inner: inner])
def test_a_batch_of_one_that_is_accepted_is_a_batch_later(
    result: Callable[[Answer], Answer],
) -> None:
    exchange = start("1: POST A", "json")
    _, poll = go_on(exchange, ACCEPTED, result(answer("1: 201", "json")))
    assert poll.headers["Accept"] == "application/json"
    assert exchange.next() is None and statuses(exchange) == [201]


def test_a_service_may_take_its_time() -> None:
    exchange = start("POST A")
    polls = go_on(exchange, ACCEPTED, *[STILL] * 9, answer("201"))
    assert [poll.delay for poll in polls[1:]] == [6, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    assert exchange.next() is None and exchange.result.ok


def test_a_batch_may_be_refused_later() -> None:
    exchange = start("POST A")
    go_on(exchange, ACCEPTED, unwrapped((400, {}, b"")))
    assert exchange.next() is None and statuses(exchange) == [400]


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_throttled_later_is_sent_again(status: int) -> None:
    exchange = start("POST A")
    go_on(exchange, ACCEPTED, wrapped((status, {"Retry-After": "8"}, b"")))
    again = exchange.next()
    assert again is not None and (again.method, again.delay) == ("POST", 8)


def test_an_interim_result_is_followed_to_the_rest() -> None:
    exchange = start("GET A; { 1: DELETE B }; GET C; GET D")
    first = answer("200; 202 [Location: /m/1] [Retry-After: 4]")
    second = unwrapped(answer("{ 1: 204 }; 202 [Location: /m/2]"))
    requests = go_on(exchange, first, second, wrapped(answer("203; 200")))
    polls = [(each.url, each.delay) for each in requests[1:]]
    assert polls == [("http://host/m/1", 4), ("http://host/m/2", 1)]
    assert exchange.next() is None and statuses(exchange) == [200, 204, 203, 200]


def test_an_interim_result_may_bring_nothing_but_another_place() -> None:
    exchange = start("GET A; GET B; GET C")
    first, second = (answer(text) for text in ("200; 202 [Location: /m/1]", "202 [Location: /m/2]"))
    requests = go_on(exchange, first, second, answer("203; 204"))
    assert requests[2].url == "http://host/m/2"
    assert exchange.next() is None and statuses(exchange) == [200, 203, 204]


def test_the_rest_of_an_interim_result_may_be_refused() -> None:
    exchange = start("GET A; GET B; GET C")
    go_on(exchange, answer("200; 202 [Location: /m/1]"), unwrapped((403, {}, b"")))
    assert exchange.next() is None and statuses(exchange) == [200, 403, 403]


def test_an_answer_in_two_parts_says_what_it_says_in_one() -> None:
    batch = "POST A; POST B; POST C; POST D"
    in_two, in_one = start(batch), start(batch)
    doubtful = "201 [Content-Type: text/plain] = application/http; 201"
    go_on(in_two, answer("200; 202 [Location: /m/1]"), unwrapped(answer(doubtful)))
    go_on(in_one, answer(f"200; {doubtful}"))
    assert states(in_two) == states(in_one)
    assert in_two.finished and in_one.finished


@pytest.mark.parametrize(
    "result", [unwrapped((404, {}, b"")), wrapped(answer("404")), answer("404")]
)
def test_the_last_of_an_interim_result_may_be_alone(result: Answer) -> None:
    exchange = start("GET A; GET B")
    go_on(exchange, answer("200; 202 [Location: /m/1]"), result)
    assert exchange.next() is None and statuses(exchange) == [200, 404]


def test_a_next_link_is_followed() -> None:
    exchange = start("1: GET A; 2: GET B; 3: GET C", "json")
    requests = go_on(
        exchange,
        answer("2: 200", "json", link="$batch?page=2"),
        answer("3: 404", "json", link="http://other/3"),
        answer("1: 201", "json"),
    )
    assert [(each.method, each.url, each.delay) for each in requests[1:]] == [
        ("GET", "http://host/service/$batch?page=2", 0),
        ("GET", "http://other/3", 0),
    ]
    assert exchange.next() is None and statuses(exchange) == [201, 200, 404]


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (answer("g{ 2: 204 }", "json"), "succeeded succeeded"),
        (answer("2: 400", "json"), "rolled-back failed"),
        ((404, {}, b""), "unknown unknown"),
        (answer("g{ 2: 204 }", "json", link="/3"), "succeeded succeeded"),
    ],
)
def test_a_group_may_be_answered_on_two_pages(rest: Answer, expected: str) -> None:
    exchange = start("3: GET C; g{ 1: DELETE A; 2: DELETE B }", "json")
    go_on(exchange, answer("3: 200; g{ 1: 204 }", "json", link="/2"))
    assert states(exchange) == "succeeded pending pending"
    go_on(exchange, rest)
    assert exchange.next() is None and states(exchange) == f"succeeded {expected}"


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


def test_a_page_about_an_operation_is_not_its_response() -> None:
    exchange = start("1: POST A = {}", "json")
    page: Answer = (200, {"Content-Type": "application/json"}, b'{"status":"running"}')
    go_on(exchange, answer("1: 202 [Location: /m/1]", "json"), *[page] * 4)
    assert exchange.next() is None and states(exchange) == "pending"
    assert exchange.result.outcomes[0].location == "/m/1"


def test_a_result_that_cannot_be_read_is_asked_for_again() -> None:
    exchange = start("POST A")
    damaged: Answer = (200, {"Content-Type": "application/http"}, b"HTTP/1.1 2xx\r\n\r\n")
    go_on(exchange, ACCEPTED, damaged, wrapped(answer("201")))
    assert exchange.next() is None and statuses(exchange) == [201]


def test_a_service_that_does_not_give_the_result_leaves_it_pending() -> None:
    exchange = start("POST A", attempts=2)
    go_on(exchange, ACCEPTED)
    exchange.next()
    exchange.fail(TimeoutError())
    go_on(exchange, (500, {}, b""))
    assert exchange.next() is None and states(exchange) == "pending"
    assert exchange.result.outcomes[0].location == "monitor/1"


@pytest.mark.parametrize("status", [404, 410])
def test_a_result_that_is_gone_is_unknown(status: int) -> None:
    exchange = start("POST A")
    go_on(exchange, ACCEPTED, (status, {}, b""))
    assert exchange.next() is None and states(exchange) == "unknown"
    reason = f"there is no result of it at 'http://host/service/monitor/1', which answered {status}"
    assert exchange.result.outcomes[0].reason == reason


def test_pages_that_bring_nothing_end() -> None:
    exchange = start("1: GET A", "json")
    empty = b'{"responses":[],"@odata.nextLink":"/again"}'
    page: Answer = (200, {"Content-Type": "application/json"}, empty)
    go_on(exchange, *[page] * 5)
    assert exchange.next() is None and states(exchange) == "pending"


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://host/m", "//", "$1/A", "/m\r\nA: b"]
)
def test_only_http_is_followed(location: str) -> None:
    exchange = start("POST A")
    go_on(exchange, (202, {"Location": location}, b""))
    assert exchange.next() is None and states(exchange) == "pending"


def test_a_location_is_written_as_a_url() -> None:
    exchange = start("POST A")
    _, poll = go_on(exchange, (202, {"Location": "/m/a b"}, b""), STILL)
    assert poll.url == "http://host/m/a%20b"


@pytest.mark.parametrize("location", ["file://host/etc/passwd", "//", "$1/A"])
def test_a_location_that_leads_to_nothing_is_passed_over(location: str) -> None:
    exchange = start("POST A")
    go_on(exchange, ACCEPTED, (202, {"Location": location}, b""))
    poll = exchange.next()
    assert poll is not None and poll.url == "http://host/service/monitor/1"


@pytest.mark.parametrize("location", ["http://other/m", "https://host/m", "http://host:81/m"])
def test_headers_go_to_the_service_alone(location: str) -> None:
    exchange = start("POST A", headers={"Authorization": "secret"})
    first, second = go_on(exchange, (202, {"Location": location}, b""), STILL)
    assert first.headers["Authorization"] == "secret"
    assert second.url == location and second.headers == Headers({"Accept": "multipart/mixed"})


# -- on the way ------------------------------------------------------------------------------------


def test_before_the_end_the_result_says_what_is_known() -> None:
    exchange = start("GET A; POST B", max_operations=1)
    assert [outcome.reason for outcome in exchange.result] == ["it has not been sent"] * 2
    exchange.next()
    assert states(exchange) == "unknown not-executed"
    assert exchange.result.outcomes[0].reason == "it was sent, and there is no answer yet"


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
        exchange.receive("200", {})  # type: ignore[arg-type]
    assert not exchange.finished


def test_wrong_use_is_an_error() -> None:
    exchange = start("GET A")
    with pytest.raises(RuntimeError, match="0 requests have no answer yet"):
        exchange.receive(200, {})
    request = exchange.next()
    exchange.receive(*answer("200"))
    with pytest.raises(RuntimeError, match="is not waiting for an answer"):
        exchange.fail("", request=request)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parallel": 0}, "at least 1"),
        ({"attempts": 0}, "at least 1"),
        ({"max_operations": 0}, "at least 1"),
        ({"repeatable": True}, "pass now"),
        ({"now": lambda: datetime(2026, 1, 1)}, "no time zone"),
        ({"headers": {"content-type": "text/plain"}}, "Content-Type"),
    ],
)
def test_wrong_options_are_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        start("GET A", **options)


def test_wrong_arguments_are_errors() -> None:
    with pytest.raises(TypeError, match="each an int"):
        start("GET A", max_operations=2.0)
    with pytest.raises(ValueError, match="absolute"):
        Exchange(BatchRequest([]), "/service/$batch")
    with pytest.raises(TypeError, match="batch is a BatchRequest"):
        Exchange([], URL)  # type: ignore[arg-type]


def test_a_codec_says_what_holds_for_its_exchanges() -> None:
    exchange = Codec(format="json").exchange(BatchRequest([Operation.get("A")]), URL)
    request = exchange.next()
    assert request is not None and request.headers["Content-Type"] == "application/json"
