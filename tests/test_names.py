"""What a name means, and whether a batch stops: every function gives the same answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Dialect,
    EncodeError,
    Execution,
    Operation,
    OperationResponse,
    State,
    Step,
    check_request,
    check_response,
    convert_request,
    encode_request,
    encode_response,
    match,
    prepare,
    split,
)
from odata_batch.dialects import BUSINESS_CENTRAL, GRAPH, ODATA_2, ODATA_4_01

URL = "http://host/service/$batch"
ANY_CASE = replace(ODATA_4_01, ids_ignore_case=True)


# -- whether a batch stops -------------------------------------------------------------------------


def test_an_execution_and_match_agree_that_a_json_batch_stops() -> None:
    request = BatchRequest([Operation.get("A", id="A"), Operation.get("B", id="B")])
    options: dict[str, Any] = {"format": "json", "dialect": BUSINESS_CENTRAL}
    execution = Execution(request, batch_url=URL, ordered=True, **options)
    (step,) = execution.ready()
    assert isinstance(step, Step)
    execution.complete(step, OperationResponse(404))
    assert (execution.ready(), execution.finished) == ((), True)
    response = execution.response()
    result = match(request, response, **options)
    assert [outcome.state for outcome in result.outcomes] == [State.FAILED, State.NOT_EXECUTED]


def slugs(request: BatchRequest, *statuses: int) -> set[str]:
    """Return the rules by which the response to a batch of OData 2 is complained about."""
    response = BatchResponse(map(OperationResponse, statuses))
    payload = encode_response(response, format="multipart", dialect=ODATA_2)
    options: dict[str, Any] = {"request_format": "multipart", "dialect": ODATA_2}
    report = check_response(payload.body, payload.content_type, request=request, **options)
    return {found.rule.slug for found in report.diagnostics}


def test_what_follows_an_error_may_be_missing_where_the_request_has_the_batch_stop() -> None:
    request = BatchRequest([Operation.get("A"), Operation.get("B")], continue_on_error=False)
    assert slugs(request, 404) == set()
    assert slugs(request, 404, 200) == {"response-after-error"}


def test_what_follows_an_error_is_missing_where_the_service_goes_on() -> None:
    request = BatchRequest([Operation.get("A"), Operation.get("B")])
    assert slugs(request, 404) == {"response-missing"}
    assert slugs(request, 404, 200) == set()


# -- identifiers whose case does not matter --------------------------------------------------------


def test_what_a_body_binds_to_stays_in_the_same_batch_in_any_case() -> None:
    body = {"Customer@odata.bind": "$a"}
    customer, order = (
        Operation.post("Customers", id="A"),
        Operation.post("Orders", json=body, id="2"),
    )
    request = BatchRequest([customer, Operation.get("Orders", id="9"), order])
    pieces = split(request, max_operations=2, format="json", dialect=ANY_CASE)
    assert [[each.id for each in piece.operations()] for piece in pieces] == [["A", "2"], ["9"]]


def test_what_refers_to_what_is_left_out_is_left_out_in_any_case() -> None:
    request = BatchRequest([Operation("FOO", "A", id="A"), Operation.get("$a/B", id="2")])
    made, losses = convert_request(request, source="multipart", target="json", dialect=ANY_CASE)
    assert made.operations() == ()
    paths = [found.path for found in losses if found.rule.slug == "not-expressible"]
    assert paths == ["items[0]", "items[1]"]


def test_a_chain_is_one_in_any_case() -> None:
    first, second = Operation.get("A", id="A"), Operation.get("B", id="B", depends_on=["a"])
    batch = BatchRequest([first, second])
    converted, losses = convert_request(batch, source="json", target="multipart", dialect=GRAPH)
    assert converted.continue_on_error in (None, False)
    assert "not-expressible" not in {found.rule.slug for found in losses}


def test_preparing_adds_the_group_of_a_dependency_in_any_case() -> None:
    group = ChangeSet([Operation.delete("A", id="A")], id="g")
    request = BatchRequest([group, Operation.get("B", id="B", depends_on=["a"])])
    prepared = prepare(request, format="json", dialect=ANY_CASE)
    assert prepared.operations()[1].depends_on == ("a", "g")
    assert prepare(prepared, format="json", dialect=ANY_CASE) == prepared
    payload = encode_request(request, format="json", dialect=ANY_CASE)
    report = check_request(payload.body, payload.content_type, dialect=ANY_CASE)
    assert report.diagnostics == ()


def test_preparing_adds_no_dependency_that_is_there_in_another_case() -> None:
    first = Operation.post("A", json={}, id="A")
    request = BatchRequest([first, Operation.get("$a/B", id="B", depends_on=["A"])])
    prepared = prepare(request, format="json", dialect=ANY_CASE)
    assert prepared.operations()[1].depends_on == ("A",)
    exact = prepare(request, format="json", dialect=ODATA_4_01)
    assert exact.operations()[1].depends_on == ("A", "a")


def test_an_identifier_is_answered_twice_in_any_case() -> None:
    body = b'{"responses":[{"id":"a","status":200},{"id":"A","status":200}]}'
    found = check_response(body, "application/json", dialect=GRAPH).diagnostics
    assert [each.rule.slug for each in found] == ["duplicate-response-id"]
    assert check_response(body, "application/json", dialect=ODATA_4_01).diagnostics == ()


def test_an_answer_names_its_request_and_its_group_in_any_case() -> None:
    operations = [Operation.delete("A", id="a"), Operation.delete("B", id="b")]
    request = BatchRequest([ChangeSet(operations, id="g")])
    body = b"""{"responses":[{"id":"A","status":204,"atomicityGroup":"G"},
        {"id":"B","status":204,"atomicityGroup":"G"}]}"""

    def found(dialect: Dialect) -> set[str]:
        report = check_response(
            body, "application/json", request=request, request_format="json", dialect=dialect
        )
        return {each.rule.slug for each in report.diagnostics}

    assert found(ANY_CASE) == set()
    assert found(ODATA_4_01) == {"response-unexpected", "response-missing"}


# -- where nothing is said -------------------------------------------------------------------------

GOES_ON = replace(ODATA_4_01, multipart_stops_on_error=False, json_stops_on_error=True)


@pytest.mark.parametrize(
    ("format", "dialect", "asked", "stops"),
    [
        ("multipart", ODATA_4_01, None, True),
        ("multipart", GOES_ON, None, False),
        ("json", ODATA_4_01, None, False),
        ("json", GOES_ON, None, True),
        ("multipart", GOES_ON, False, True),
        ("multipart", ODATA_4_01, True, False),
        ("json", ODATA_4_01, False, True),
        ("json", GOES_ON, True, False),
    ],
)
def test_the_request_says_whether_it_stops_or_else_the_dialect_for_its_format(
    format: Literal["multipart", "json"], dialect: Dialect, asked: bool | None, stops: bool
) -> None:
    operations = [Operation.get("A", id="1"), Operation.get("B", id="2")]
    request = BatchRequest(operations, continue_on_error=asked)
    execution = Execution(request, batch_url=URL, format=format, dialect=dialect, ordered=True)
    (step,) = execution.ready()
    assert isinstance(step, Step)
    execution.complete(step, OperationResponse(404))
    assert execution.finished is stops


# -- identifiers that are used again, and groups ---------------------------------------------------


def urls_executed(request: BatchRequest, dialect: Dialect) -> list[str]:
    """Return the URLs of the steps, each of which is answered with a Location of its own."""
    execution = Execution(request, batch_url=URL, format="multipart", dialect=dialect)
    urls: list[str] = []
    for _ in range(40):
        for step in execution.ready():
            if isinstance(step, Step):
                urls.append(step.url.removeprefix("http://host/service/"))
                location = {"Location": f"/service/E{len(urls)}"}
                execution.complete(step, OperationResponse(201, location))
            else:
                execution.done(step)
    assert execution.finished
    return urls


def test_an_identifier_means_the_first_in_its_change_set_or_else_the_first_of_all() -> None:
    def first(*others: Operation) -> ChangeSet:
        return ChangeSet([Operation.post("A", json={}, id="1"), *others])

    request = BatchRequest(
        [
            *(first(Operation.patch("$1/B", json={}, id="2")) for _ in range(3)),
            first(),
            ChangeSet([Operation.patch("$1/C", json={}, id="3")]),
            Operation.get("$1/D"),
        ]
    )
    assert urls_executed(request, ODATA_2) == [
        *("A", "E1/B", "A", "E3/B", "A", "E5/B", "A", "E1/C", "E1/D")
    ]


def slugs_of(*items: Operation | ChangeSet, dialect: Dialect = ODATA_4_01) -> list[str]:
    """Return the path and rule of each finding in a JSON batch, in order."""
    try:
        payload = encode_request(BatchRequest(items), format="json", dialect=dialect)
    except EncodeError as error:
        return [f"{found.path} {found.rule.slug}" for found in error.diagnostics]
    report = check_request(payload.body, payload.content_type, dialect=dialect)
    return [f"{found.path} {found.rule.slug}" for found in report.diagnostics]


def test_a_name_that_two_groups_have_is_that_of_the_first() -> None:
    one = ChangeSet([Operation.delete("A", id="1")], id="g")
    two = ChangeSet([Operation.delete("B", id="2")], id="g")
    assert slugs_of(one, two) == ["items[1] duplicate-id"]
    last = Operation.get("C", id="3", depends_on=["g"])
    assert slugs_of(one, last) == []
    assert slugs_of(last, one) == ["items[0] depends-on-forward"]


def test_an_identifier_is_not_the_name_of_a_group_before_or_after_it() -> None:
    group = ChangeSet([Operation.delete("A", id="1")], id="g")
    other = Operation.get("B", id="g")
    assert slugs_of(group, other) == ["items[1] id-equals-group"]
    assert slugs_of(other, group) == ["items[1] id-equals-group"]
    own = ChangeSet([Operation.delete("A", id="g")], id="g")
    assert slugs_of(own) == ["items[0] id-equals-group"]
    assert slugs_of(group, Operation.get("B", id="G")) == []
    other = Operation.get("B", id="G")
    assert slugs_of(group, other, dialect=ANY_CASE) == ["items[1] id-equals-group"]


def test_identifiers_are_compared_with_all_before_them() -> None:
    def found(ids: str, dialect: Dialect = ODATA_4_01) -> list[str]:
        requests = [f'{{"id":"{id}","method":"GET","url":"A"}}' for id in ids]
        body = f'{{"requests":[{",".join(requests)}]}}'.encode()
        report = check_request(body, "application/json", dialect=dialect)
        return [f"{each.path[6:-1]} {each.rule.slug}" for each in report.diagnostics]

    assert found("abaa") == ["2 duplicate-id", "3 duplicate-id"]
    duplicates = ["3 duplicate-id", "3 id-case", "4 duplicate-id"]
    assert found("aAbAa") == ["1 id-case", *duplicates]
    assert found("aAa", ANY_CASE) == ["1 id-case-ignored", "2 duplicate-id"]


def test_what_depends_on_itself_or_on_what_comes_later_is_found() -> None:
    one = Operation.get("A", id="1", depends_on=["2"])
    two = Operation.get("B", id="2", depends_on=["3"])
    three = Operation.get("C", id="3", depends_on=["1"])
    assert slugs_of(one, two, three) == [
        "items[0] depends-on-forward",
        "items[1] depends-on-forward",
        "items[0] depends-on-cycle",
    ]
    assert slugs_of(Operation.get("A", id="1", depends_on=["1", "7"])) == [
        "items[0] depends-on-self",
        "items[0] depends-on-unknown",
    ]
    group = ChangeSet([Operation.delete("A", id="1"), one_of("g"), one_of("1")], id="g")
    assert slugs_of(group) == ["items[0].items[1] depends-on-own-group"]


def test_the_members_of_a_group_may_depend_on_each_other_but_not_in_a_circle() -> None:
    first, second = Operation.delete("A", id="1"), Operation.delete("B", id="2", depends_on=["1"])
    assert slugs_of(ChangeSet([first, second], id="g")) == []
    first = replace(first, depends_on=("2",))
    assert slugs_of(ChangeSet([Operation.get("C"), first, second], id="g")) == [
        "items[0].items[1] depends-on-forward",
        "items[0].items[1] depends-on-cycle",
    ]


def test_an_entity_tag_or_a_word_that_nothing_in_the_batch_has_as_its_id_holds_nothing_up() -> None:
    tagged = Operation.patch("B", json={}, id="2", headers={"If-Match": "$9"})
    request = BatchRequest([Operation.get("A", id="1"), tagged, Operation.get("C?x=$8", id="3")])
    assert urls_executed(request, ODATA_4_01) == ["A", "B", "C?x=$8"]


def one_of(name: str) -> Operation:
    return Operation.delete("B", id=f"x{name}", depends_on=[name])


def test_only_members_that_bind_bring_operations_together() -> None:
    def pieces(body: bytes, dialect: Dialect = ODATA_4_01) -> list[str]:
        order = Operation.post("C", headers={"Content-Type": "application/json"}, body=body, id="2")
        batch = BatchRequest([Operation.post("A", json={}, id="1"), Operation.get("B"), order])
        found = split(batch, max_operations=2, format="multipart", dialect=dialect)
        return ["".join(each.url for each in piece.operations()) for piece in found]

    bound, free = ["AC", "B"], ["AB", "C"]
    assert pieces(b'{"X@odata.bind":"$1"}') == bound
    assert pieces(b'{"X@odata.bind":"$2"}') == free
    assert pieces(b'{"X@odata.bind":"$3"}') == free
    assert pieces(b'{"X":"$1"}') == free
    none = replace(ODATA_4_01, references="none")
    assert pieces(b'{"X@odata.bind":"$1"}', none) == free
