"""What an `Execution` is answered with can be written, whatever was run and whatever came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    BatchResponse,
    Begin,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    Commit,
    DecodeError,
    Diagnostic,
    Dialect,
    EncodeError,
    Execution,
    Headers,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Payload,
    Rollback,
    Severity,
    State,
    Step,
    Unreadable,
    check_response,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
    match,
    prepare,
)
from odata_batch.dialects import DATAVERSE, GRAPH, ODATA_2, ODATA_4_0, ODATA_4_01, ODATA_4_02
from odata_batch.strategies import batch_requests

from .batches import Case, answer, cases, request
from .helpers import FORMATS, JSON, Format

BATCH_URL = "http://host/service/$batch"
JSON_TYPE = {"Content-Type": "application/json"}
ENTITY = {"Location": "http://host/service/A(1)", "OData-EntityId": "A(1)", "ETag": 'W/"1"'}

Service = Mapping[str, OperationResponse]
Replaced = list[tuple[Step | Begin | Commit | Rollback, OperationResponse, str]]


def run(
    batch: BatchRequest | str, service: Service, **options: Any
) -> tuple[Execution, list[str], Replaced]:
    """Run the batch; return what the names of all that was done, and what was not written."""
    replaced: Replaced = []

    def note(
        work: Step | Begin | Commit | Rollback,
        response: OperationResponse,
        found: tuple[Diagnostic, ...],
    ) -> None:
        replaced.append((work, response, found[0].rule.slug))

    batch = request(batch) if isinstance(batch, str) else batch
    execution = Execution(batch, batch_url=BATCH_URL, replaced=note, **options)
    done = []
    while not execution.finished:
        for work in execution.ready():
            if isinstance(work, Step):
                name = work.url.removeprefix("http://host/service/")
                done.append(f"{work.method} {name}")
                execution.complete(work, service.get(name, OperationResponse(204)))
            else:
                done.append(type(work).__name__)
                execution.done(work)
    return execution, done, replaced


def read(payload: Payload, dialect: Dialect = ODATA_4_01) -> BatchResponse:
    """Read what was written as somebody does who takes nothing that is not right."""
    return decode_response(
        payload.body, payload.content_type, headers=payload.headers, strict=True, dialect=dialect
    )


def statuses(execution: Execution) -> list[int]:
    """Return what is said of each operation to somebody who reads what was written."""
    return [each.status for each in read(execution.payload()).responses()]


def ok(body: bytes, content_type: str = "application/json", **fields: str) -> OperationResponse:
    headers = {"Content-Type": content_type, **{k.replace("_", "-"): v for k, v in fields.items()}}
    return OperationResponse(200, {**ENTITY, **headers}, body)


def bare(status: int, *fields: tuple[str, str], **more: Any) -> OperationResponse:
    return OperationResponse(status, [*ENTITY.items(), *fields], **more)


NESTED = b"[" * 200 + b"]" * 200
TYPE, OTHER_TYPE = ("Content-Type", "application/json"), ("Content-Type", "text/plain")
COOKIES = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
MANY = [(f"X-{number}", "1") for number in range(70)]

# What a format cannot carry: the rule and the response, and what is left of it if it was written.
KEPT, TYPED = Headers(ENTITY), Headers({**ENTITY, **JSON_TYPE})
BAD_ETAG = {**ENTITY, "ETag": '"\r\n"'}
NO_ETAG = Headers({name: value for name, value in ENTITY.items() if name != "ETag"})
BOTH = "json multipart"
UNWRITABLE: list[tuple[str, str, OperationResponse, Headers, bytes]] = [
    ("json", "json-syntax", ok(b"NaN"), KEPT, b""),
    ("json", "json-byte-order-mark", ok(b"\xef\xbb\xbf{}"), KEPT, b""),
    ("json", "json-encoding", ok(b"\x1f\x8b\x08", Content_Encoding="gzip"), KEPT, b""),
    ("json", "text-charset", ok(b"\xe9", "text/plain"), KEPT, b""),
    ("json", "text-charset", ok(b"\x83e", "text/plain; charset=x-own"), KEPT, b""),
    ("json", "limit-exceeded", ok(NESTED), KEPT, b""),
    ("json", "json-syntax", ok(b'{"a":1'), KEPT, b""),
    ("json", "repeated-header", bare(201, OTHER_TYPE, TYPE, body=b"{}"), KEPT, b""),
    ("json", "not-expressible", bare(201, TYPE, *COOKIES, body=b"{}"), TYPED, b"{}"),
    (BOTH, "control-character", bare(204, ("X", "a\r\nb")), KEPT, b""),
    (BOTH, "control-character", OperationResponse(201, BAD_ETAG), NO_ETAG, b""),
    (BOTH, "body-forbidden", bare(204, TYPE, body=b"{}"), KEPT, b""),
    (BOTH, "header-syntax", bare(201, ("X Y", "1")), KEPT, b""),
    (BOTH, "header-characters", bare(201, ("X", "\u20ac")), KEPT, b""),
    ("multipart", "content-length-mismatch", ok(b"{}", Content_Length="3"), TYPED, b"{}"),
    ("multipart", "content-length-mismatch", bare(201, ("Content-Length", "5")), KEPT, b""),
    ("multipart", "control-character", bare(201, reason="a\r\nb"), KEPT, b""),
    ("multipart", "transfer-encoding", ok(b"{}", Transfer_Encoding="chunked"), TYPED, b"{}"),
    ("multipart", "not-expressible", bare(200, annotations=[("@a", b"1")]), KEPT, b""),
    (BOTH, "limit-exceeded", bare(201, *MANY), KEPT, b""),
    ("json", "json-syntax", bare(200, annotations=[("@a", b"{")]), KEPT, b""),
]
EACH = [
    pytest.param(format, *case[1:], id=f"{format} {case[1]} {number}")
    for number, case in enumerate(UNWRITABLE)
    for format in case[0].split()
]
unwritable = pytest.mark.parametrize(("format", "slug", "response", "left", "body"), EACH)


@unwritable
def test_what_was_written_is_answered_with_what_can_be_carried(
    format: Format, slug: str, response: OperationResponse, left: Headers, body: bytes
) -> None:
    batch = BatchRequest([Operation.post("A", id="1"), Operation.get("B", id="2")])
    options: dict[str, Any] = {"format": format, "ordered": True}
    execution, done, replaced = run(batch, {"A": response}, **options)
    assert done == ["POST A", "GET B"]
    [(step, original, rule)] = replaced
    assert isinstance(step, Step) and step.id == "1" and original is response and rule == slug
    first, second = read(execution.payload()).responses()
    assert (first.status, first.headers, first.body) == (response.status, left, body)
    assert (first.id, second.id, second.status) == ("1", "2", 204)
    result = match(batch, read(execution.payload()), format=format)
    assert [each.state for each in result] == [State.SUCCEEDED] * 2


@unwritable
def test_what_was_read_and_errors_are_answered_with_500(
    format: Format, slug: str, response: OperationResponse, left: Headers, body: bytes
) -> None:
    error = replace(response, status=404)
    batch = request("1: GET A; 2: POST B; 3: HEAD A", continue_on_error=True)
    service = {"A": response}
    if response.status != 204:
        service["B"] = error
    execution, done, replaced = run(batch, service, format=format)
    # Without a body, it may be the length of the answer to a GET (RFC 9110, 8.6).
    is_head = slug == "content-length-mismatch" and not response.body
    assert len(done) == 3 and len(replaced) == len(service) + (not is_head)
    answers = read(execution.payload()).responses()
    assert statuses(execution) == [500, 500 if "B" in service else 204, 201 if is_head else 500]
    assert answers[0].json()["error"]["message"].startswith("the response ")


@pytest.mark.parametrize("items", ["1: GET A; 2: POST B", "g{ 1: POST A; 2: POST B }"])
@pytest.mark.parametrize("status", [200, 409])
def test_a_body_that_is_only_null_is_left_out_of_json(items: str, status: int) -> None:
    null = ok(b"null", Content_Length="4")
    service = {"A": null, "B": replace(null, body=b" null\n", status=status)}
    execution, done, replaced = run(request(items), service, format="json")
    assert done[-1] == ("POST B" if "{" not in items else "Commit" if status == 200 else "Rollback")
    assert {rule for _, _, rule in replaced} == {"not-expressible"}
    answers = read(execution.payload()).responses()
    assert (answers[1].status, answers[1].headers, answers[1].body) == (status, KEPT, b"")
    assert "{" in items or (answers[0].status, answers[0].body) == (200, b"")


@unwritable
def test_in_a_change_set_it_fails_before_the_commit(
    format: Format, slug: str, response: OperationResponse, left: Headers, body: bytes
) -> None:
    batch = request("g{ 1: POST A; 2: POST B }")
    execution, done, replaced = run(batch, {"B": response}, format=format)
    assert done == ["Begin", "POST A", "POST B", "Rollback"]
    assert [rule for _, _, rule in replaced] == [slug]
    result = match(batch, read(execution.payload()), format=format)
    assert [each.state for each in result] == [State.ROLLED_BACK, State.FAILED]


def test_what_a_signal_fails_with_can_be_written_too() -> None:
    busy = OperationResponse(503, {"Retry-After": "1\r\n"})
    replaced: list[tuple[object, ...]] = []
    for hook in (None, lambda *found: replaced.append(found)):
        execution = Execution(request("{ 1: POST A }"), batch_url=BATCH_URL, replaced=hook)
        (begin,) = execution.ready()
        assert isinstance(begin, Begin)
        execution.fail(begin, busy)
        assert statuses(execution) == [500]
    assert [found[:2] for found in replaced] == [(begin, busy)]


def test_what_the_hook_raises_passes_through_and_loses_nothing() -> None:
    def refuse(*_: object) -> None:
        raise OSError

    execution = Execution(request("{ 1: POST A }"), batch_url=BATCH_URL, replaced=refuse)
    (begin,) = execution.ready()
    assert isinstance(begin, Begin)
    execution.done(begin)
    (step,) = execution.ready()
    assert isinstance(step, Step)
    with pytest.raises(OSError):
        execution.complete(step, OperationResponse(200, {"X": "\n"}))
    (rollback,) = execution.ready()
    assert isinstance(rollback, Rollback)
    execution.done(rollback)
    assert statuses(execution) == [500]


@pytest.mark.parametrize("format", FORMATS)
def test_202_is_carried_wherever_it_stands(format: Format) -> None:
    accepted = OperationResponse(202, {"Location": "http://host/service/monitor"})
    batch = BatchRequest([Operation.post("A", id="1"), Operation.post("B", id="2")])
    execution, done, replaced = run(batch, {"A": accepted}, format=format)
    assert len(done) == 2 and not replaced
    answers = read(execution.payload()).responses()
    assert [each.status for each in answers] == [202, 204]
    assert answers[0].headers["location"] == accepted.headers["location"]


@pytest.mark.parametrize("format", FORMATS)
def test_no_content_coding_is_asked_for_where_the_answer_is_json(format: Format) -> None:
    operation = Operation.get("A", headers={"Accept-Encoding": "gzip", "Accept": "a/b"}, id="1")
    execution = Execution(BatchRequest([operation]), batch_url=BATCH_URL, response_format=format)
    (step,) = execution.ready()
    assert isinstance(step, Step)
    assert [*step.headers] == (["accept"] if format == "json" else ["accept-encoding", "accept"])
    assert {*step.headers, *step.dropped} == {"accept", "accept-encoding"}


@pytest.mark.parametrize("limits", [Limits(body=3), Limits(fields=0), Limits(header_section=9)])
@pytest.mark.parametrize("format", FORMATS)
def test_errors_of_our_own_are_no_larger_than_allowed(format: Format, limits: Limits) -> None:
    batch = request("1: GET A; 2: GET $1/B")
    bad = OperationResponse(200, {"X": "\n"})
    execution, *_ = run(batch, {"A": bad}, format=format, limits=limits)
    payload = execution.payload()
    found = decode_response(payload.body, payload.content_type).responses()
    assert found[0].status == 500 and found[0].body == b""


def test_nested_change_sets_are_one_group_in_json() -> None:
    batch = request("{ 1: POST A; { 2: POST B } }")
    options: dict[str, Any] = {"limits": Limits(change_set_depth=2), "format": "multipart"}
    execution, *_ = run(batch, {}, response_format="json", **options)
    (item,) = read(execution.payload()).items
    assert isinstance(item, ChangeSetResponse) and len(item.items) == 2
    assert [each.id for each in item.responses()] == ["1", "2"]


TEXTS = st.text("a1,;=-_ \t\r\n\0\x7f\"'$/:\u00e9\u20ac\U0001f600\ud800", max_size=9)
FIELDS = st.tuples(
    st.sampled_from(
        """
        Location ETag OData-EntityId Content-Type Content-Length Content-ID Set-Cookie X
        Transfer-Encoding Retry-After OData-Version AsyncResult Content-Encoding
        """.split()
    )
    | TEXTS,
    st.sampled_from(("application/json", "text/plain;charset=utf-16", "a/b", "0", "2", "$1"))
    | TEXTS,
)
BODIES = st.sampled_from((b"", b"{}", b"null", b"NaN", b"\xff", b'"', b"--b--", b"\r\n--b\r\n")) | (
    st.binary(max_size=9)
)
RESPONSES = st.builds(
    OperationResponse,
    st.sampled_from((200, 201, 204, 304, 404, 500, 202, 205)),
    st.lists(FIELDS, max_size=4),
    BODIES,
    reason=st.none() | TEXTS,
    annotations=st.lists(st.tuples(TEXTS, BODIES), max_size=1),
)


@given(st.data(), st.sampled_from(FORMATS), st.sampled_from(FORMATS))
def test_whatever_a_service_answers_can_be_written_and_read(
    data: st.DataObject, format: Format, response_format: Format
) -> None:
    batch = data.draw(batch_requests(format))
    execution = Execution(
        batch, batch_url=BATCH_URL, format=format, response_format=response_format
    )
    applied: dict[int, bool] = {}
    while not execution.finished:
        for work in execution.ready():
            if isinstance(work, Step):
                answer = data.draw(RESPONSES)
                applied[work.index] = answer.status < 400 and work.group is None
                execution.complete(work, answer)
            else:
                execution.done(work)
    payload = execution.payload()
    found = check_response(payload.body, payload.content_type, headers=payload.headers)
    bad = {each.rule.slug for each in found.of(Severity.WARNING)} - {"accepted-without-location"}
    assert found.ok and not bad
    assert found.value == prepare(execution.response(), format=response_format)
    for index, outcome in enumerate(match(batch, found.value, format=format)):
        if applied.get(index) and outcome.operation.method not in ("GET", "HEAD"):
            assert outcome.state not in (State.FAILED, State.ROLLED_BACK, State.NOT_EXECUTED)


# -- identifiers -----------------------------------------------------------------------------------

SETS = "{ 1: POST A; 2: POST B }; { 1: POST C; 2: POST D }"
TWO_SETS = request(SETS, continue_on_error=True)


@pytest.mark.parametrize("dialect", [ODATA_4_01, ODATA_4_02])
def test_identifiers_are_unique_in_the_batch_before_anything_runs(dialect: Dialect) -> None:
    with pytest.raises(DecodeError) as caught:
        run(TWO_SETS, {}, dialect=dialect)
    assert caught.value.rule.slug == "duplicate-id" and caught.value.http_status == 400


@pytest.mark.parametrize("response_format", FORMATS)
@pytest.mark.parametrize("failed", [[], ["B", "D"], ["B"], ["C"]])
@pytest.mark.parametrize("dialect", [ODATA_4_0, ODATA_2, DATAVERSE])
def test_identifiers_may_be_unique_in_their_change_set_only(
    dialect: Dialect, failed: list[str], response_format: Format
) -> None:
    service = {name: OperationResponse(409) for name in failed}
    options: dict[str, Any] = {"format": "multipart", "response_format": response_format}
    execution, done, _ = run(TWO_SETS, service, dialect=dialect, **options)
    assert done.count("Commit") + done.count("Rollback") == done.count("Begin") == 2
    response = read(execution.payload(), dialect)
    assert len(response.items) == 2
    if response_format == "multipart":
        result = match(TWO_SETS, response, format="multipart", dialect=dialect)
        names = [each.operation.url for each in result if each.state is State.FAILED]
        assert names == failed


NOT_IN_MULTIPART = dict.fromkeys(("\u20ac", "a\r\nb", " a", ""), ("json",))
IDS = {"a b": FORMATS, "\u00e9": FORMATS, **NOT_IN_MULTIPART}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("id", [*IDS, "\ud800"])
def test_an_identifier_is_repeated_or_the_batch_is_refused(id: str, format: Format) -> None:
    batch = BatchRequest([Operation.post("A", id=id), Operation.post("B", id="b")])
    options: dict[str, Any] = {"format": "json", "response_format": format}
    if is_answered := format in IDS.get(id, ()):
        payload = run(batch, {}, **options)[0].payload()
        answers = decode_response(payload.body, payload.content_type).responses()
        assert [each.id for each in answers] == [id, "b"]
    else:
        with pytest.raises(DecodeError) as caught:
            run(batch, {}, **options)
        assert caught.value.rule.slug == "id-syntax" and caught.value.http_status == 400
    # What is fed is answered in any case, whatever else is wrong with it.
    options |= {"limits": Limits(change_set_operations=1), "batch_url": BATCH_URL, "more": True}
    fed = Execution(BatchRequest([ChangeSet(batch.items)]), **options)
    fed.feed_eof()
    encoder, headers = fed.encoder()
    octets = b"".join([*map(encoder.send, fed.drain()), encoder.close()])
    answers = decode_response(octets, headers["Content-Type"]).responses()
    assert [each.id for each in answers] == [id if is_answered else None, "b"]


@pytest.mark.parametrize("id", ["\ud800", "a" * 257])
def test_an_identifier_of_what_could_not_be_read_is_not_repeated(id: str) -> None:
    lost = Unreadable("operation", id=id)
    for item in (lost, ChangeSet([Operation.post("A", id="1"), lost], id="g")):
        with pytest.raises(DecodeError, match=r"found the id '.*, which no response could repeat"):
            run(BatchRequest([item]), {}, format="json")


def test_a_change_set_without_a_name_is_answered_where_there_are_no_names() -> None:
    batch = BatchRequest([ChangeSet([Operation.post("A", id="1")], id="")])
    assert run(batch, {}, format="multipart")[0].payload().body
    with pytest.raises(DecodeError, match="found the id '', which no response could repeat"):
        run(batch, {}, format="multipart", response_format="json")


# -- nothing to do ---------------------------------------------------------------------------------


def test_a_batch_without_parts_is_answered_with_a_close_delimiter() -> None:
    batch = decode_request(b"--b--\r\n", "multipart/mixed; boundary=b")
    payload = run(batch, {})[0].payload()
    boundary = payload.content_type.rpartition("boundary=")[2]
    assert payload.body == f"--{boundary}--\r\n".encode()
    assert read(payload) == BatchResponse([])
    assert read(run(batch, {}, response_format="json")[0].payload()) == BatchResponse([])
    batch = decode_request(b'{"requests":[]}', JSON)
    assert run(batch, {})[0].payload().body == b'{"responses":[]}'


def test_eight_parts_with_five_operations_each_are_a_quota() -> None:
    quota = Limits(items=8, change_set_operations=5)

    def batch(parts: int, operations: int) -> BatchRequest:
        members = [Operation.post(f"A({n})") for n in range(operations)]
        return BatchRequest([ChangeSet(members)] * parts)

    execution, done, _ = run(batch(8, 5), {}, limits=quota, format="multipart")
    assert done.count("Commit") == 8 and len(done) == 56
    for parts, operations, limit in ((9, 1, "items"), (8, 6, "change_set_operations")):
        with pytest.raises(LimitExceeded) as caught:
            run(batch(parts, operations), {}, limits=quota)
        assert caught.value.limit == limit and caught.value.http_status == 413
    # An answer in the other format may have more parts than the request.
    flat = BatchRequest([ChangeSet([Operation.post("A"), Operation.post("B")])])
    options: dict[str, Any] = {"format": "json", "response_format": "multipart"}
    execution, *_ = run(flat, {}, limits=Limits(items=1), **options)
    assert len(read(execution.payload()).items) == 2


@pytest.mark.parametrize("format", FORMATS)
def test_items_are_counted_in_reading_and_in_writing(format: Format) -> None:
    codec = Codec(format=format, limits=Limits(items=2))
    batch = BatchRequest([Operation.get("A", id=id) for id in "123"])
    answer = BatchResponse([OperationResponse(204, id=id) for id in "123"])
    sent, back = encode_request(batch, format=format), encode_response(answer, format=format)
    for call in (
        lambda: codec.decode_request(sent.body, sent.content_type),
        lambda: codec.decode_response(back.body, back.content_type),
    ):
        with pytest.raises(LimitExceeded) as caught:
            call()
        assert caught.value.limit == "items"
    with pytest.raises(EncodeError, match="too many items: the limit is 2"):
        codec.encode_request(batch)
    with pytest.raises(EncodeError, match="too many items: the limit is 2"):
        codec.encode_response(answer)
    assert codec.encode_request(replace(batch, items=batch.items[:2])).body
    assert codec.encode_response(replace(answer, items=answer.items[:2])).body


# -- versions --------------------------------------------------------------------------------------


@cases("versions")
def test_the_answer_says_the_greatest_version_that_is_understood(case: Case) -> None:
    """Who understands none of the service is refused."""
    dialect, (text, _, expected) = case.dialect, case.text.partition(" => ")
    options: dict[str, Any] = {"dialect": dialect, "headers": answer(f"200 {text}".strip()).headers}
    url = "A" if dialect == GRAPH else "http://host/service/A"
    batch = BatchRequest([ChangeSet([Operation.post(url, id="1")])])
    for format in case.formats:
        if expected == "400":
            with pytest.raises(DecodeError, match="version-header") as caught:
                run(batch, {}, format=format, **options)
            assert caught.value.http_status == 400
            continue
        payload = run(batch, {}, format=format, **options)[0].payload()
        old = dialect.version_header == "DataServiceVersion"
        assert payload.headers[dialect.version_header] == expected
        assert payload.headers["vary"] == ("MaxDataServiceVersion" if old else "OData-MaxVersion")
        assert set(payload.headers) == {"content-type", dialect.version_header.lower(), "vary"}


# -- what steps are given --------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "expected"), [("GET", [500, 424]), ("PUT", [200, 424])])
def test_an_etag_that_no_field_can_hold_is_not_given_to_a_step(
    method: str, expected: list[int]
) -> None:
    batch = request(f"1: {method} A; 2: PATCH A [If-Match: $1]", continue_on_error=True)
    execution, done, replaced = run(batch, {"A": OperationResponse(200, {"ETag": '"\r\nX: y"'})})
    assert done == [f"{method} A"] and len(replaced) == 1
    assert statuses(execution) == expected


def test_a_url_that_becomes_too_long_is_answered_with_414() -> None:
    long = "x" * 60
    chain = [Operation.get(f"${n - 1}/{long}", id=str(n)) for n in range(1, 9)]
    batch = BatchRequest([Operation.get(long, id="0"), *chain], continue_on_error=True)
    execution, done, _ = run(batch, {}, limits=Limits(url=200))
    assert len(done) == 2
    assert statuses(execution) == [204] * 2 + [414] + [424] * 6


@pytest.mark.parametrize("fields", [{}, {"If-Match": "$0"}])
def test_what_comes_of_references_is_no_longer_than_a_message(fields: dict[str, str]) -> None:
    first = Operation.put("A", id="0")
    url = "B" if fields else "$0/B"
    others = [Operation.get(url, headers=fields, id=str(n)) for n in range(1, 9)]
    batch = BatchRequest([first, *others], continue_on_error=True)
    long = "x" * 900
    answer = OperationResponse(201, {"Location": f"A({long})", "ETag": f'"{long}"'})
    execution, *_ = run(batch, {"A": answer}, limits=Limits(message=5_000))
    assert statuses(execution) == [201] + [204] * 5 + [431 if fields else 414] * 3


def test_an_etag_is_not_multiplied_beyond_the_length_of_a_field() -> None:
    one = Operation.put("A", id="1")
    two = Operation.patch("A", headers={"X": "$1", "If-Match": ",".join(["$1"] * 100)}, id="2")
    answer = OperationResponse(200, {"ETag": '"' + "x" * 50 + '"'})
    batch = BatchRequest([one, two])
    for length, expected in ((5_199, 431), (5_200, 200)):
        limits = Limits(field_line=length)
        execution, *_ = run(batch, {"A": answer}, limits=limits)
        assert statuses(execution) == [200, expected]


# -- where it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "batch_url",
    [
        *("http://a@h/s/$batch", "http://h:abc/s/$batch", "http://h%/s/$batch"),
        *("http://h x/s/$batch", "http://[::1/s/$batch", "http://h/a%/$batch"),
        *("http://h/%2e%2e/$batch", "ftp://h/s/$batch"),
    ],
)
def test_a_service_whose_url_is_not_clear_does_not_begin(batch_url: str) -> None:
    with pytest.raises(ValueError):
        Execution(request("{ 1: POST A }; GET B"), batch_url=batch_url)
    with pytest.raises(ValueError):
        root = batch_url.removesuffix("$batch")
        Execution(request("{ 1: POST A }"), batch_url=BATCH_URL, service_root=root)


# -- abandoning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("response_format", FORMATS)
@pytest.mark.parametrize("format", FORMATS)
def test_of_a_step_that_was_running_nothing_is_said(
    format: Format, response_format: Format, goes_on: bool
) -> None:
    batch = request("1: POST A; 2: POST B; 3: POST C; 4: POST D", continue_on_error=goes_on)
    options: dict[str, Any] = {"ordered": False, "response_format": response_format}
    execution = Execution(batch, batch_url=BATCH_URL, format=format, **options)
    steps = [each for each in execution.ready() if isinstance(each, Step)]
    if len(steps) == 1:
        execution.complete(steps[0], OperationResponse(204))
        steps += [each for each in execution.ready() if isinstance(each, Step)]
    else:
        execution.complete(steps[0], OperationResponse(404))
        execution.complete(steps[2], OperationResponse(204))
    assert execution.abandon() == () and execution.finished
    result = match(batch, read(execution.payload()), format=format)
    states = [each.state for each in result]
    sequential = format == "multipart" and not goes_on
    first = {State.SUCCEEDED} if sequential else {State.FAILED} if goes_on else {State.UNKNOWN}
    assert {states[0]} == first
    assert set(states[1:]) == {State.UNKNOWN}
