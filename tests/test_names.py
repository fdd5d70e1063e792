"""What a name stands for, and whether a batch stops: every function gives the same answer."""

from __future__ import annotations

from dataclasses import replace

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    Dialect,
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

ANY_CASE = replace(ODATA_4_01, ids_ignore_case=True)


# -- whether a batch stops -------------------------------------------------------------------------


def test_an_execution_and_match_agree_that_a_json_batch_stops() -> None:
    request = BatchRequest([Operation.get("A", id="A"), Operation.get("B", id="B")])
    url = "https://host/service/$batch"
    execution = Execution(
        request, batch_url=url, format="json", dialect=BUSINESS_CENTRAL, ordered=True
    )
    (step,) = execution.ready()
    assert isinstance(step, Step)
    execution.complete(step, OperationResponse(404))
    assert (execution.ready(), execution.finished) == ((), True)
    response = execution.response()
    result = match(request, response, format="json", dialect=BUSINESS_CENTRAL)
    assert [outcome.state for outcome in result.outcomes] == [State.FAILED, State.NOT_EXECUTED]


def slugs(request: BatchRequest, *statuses: int) -> set[str]:
    """Return the rules by which the response to a batch of OData 2 is complained about."""
    response = BatchResponse(map(OperationResponse, statuses))
    payload = encode_response(response, format="multipart", dialect=ODATA_2)
    report = check_response(
        payload.body,
        payload.content_type,
        request=request,
        request_format="multipart",
        dialect=ODATA_2,
    )
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
    request = BatchRequest(
        [
            Operation.post("Customers", json={}, id="A"),
            Operation.get("Orders", id="9"),
            Operation.post("Orders", json=body, id="2"),
        ]
    )
    pieces = split(request, max_operations=2, format="json", dialect=ANY_CASE)
    assert [[each.id for each in piece.operations()] for piece in pieces] == [["A", "2"], ["9"]]


def test_what_refers_to_what_is_left_out_is_left_out_in_any_case() -> None:
    request = BatchRequest([Operation("FOO", "A", id="A"), Operation.get("$a/B", id="2")])
    converted, losses = convert_request(
        request, source="multipart", target="json", dialect=ANY_CASE
    )
    assert converted.operations() == ()
    assert [found.path for found in losses if found.rule.slug == "not-expressible"] == [
        "items[0]",
        "items[1]",
    ]


def test_a_chain_is_one_in_any_case() -> None:
    first, second = Operation.get("A", id="A"), Operation.get("B", id="B", depends_on=["a"])
    converted, losses = convert_request(
        BatchRequest([first, second]), source="json", target="multipart", dialect=GRAPH
    )
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
