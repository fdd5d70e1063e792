"""What is wrong between a response and its request; every finding with its path and message."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Dialect,
    Limits,
    Operation,
    OperationResponse,
    check_response,
)
from odata_batch._checks.messages import Scope
from odata_batch._checks.pairs import check_pair
from odata_batch._model.dialect import Format
from odata_batch._model.findings import Diagnostic
from odata_batch.dialects import ODATA_2, ODATA_4_01

from .helpers import JSON, MULTIPART, batch, part

Found = list[tuple[str, str, str]]
GET, POST = Operation.get("People"), Operation.post("People", json={})
OK, CREATED, NOT_FOUND = OperationResponse(200), OperationResponse(201), OperationResponse(404)
THREE = BatchRequest([GET, GET, GET])
ONE_CHANGE_SET = BatchRequest([ChangeSet([replace(POST, id="1"), replace(POST, id="2")])])


def found(
    request: BatchRequest,
    response: BatchResponse,
    request_format: Format = "multipart",
    format: Format | None = None,
    dialect: Dialect = ODATA_4_01,
) -> Found:
    """Return slug, path and message of what is wrong between the two."""
    found: list[Diagnostic] = []
    scope = Scope(format or request_format, dialect, Limits(), found.append)
    check_pair(request, response, request_format, scope)
    return [(each.rule.slug, each.path, each.message) for each in found]


def answers(*ids: str | None, status: int = 200) -> list[OperationResponse]:
    return [OperationResponse(status, id=id) for id in ids]


GROUP = ChangeSetResponse(answers("1", "2", status=201))


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (THREE, BatchResponse([OK, OK, OK])),
        (THREE, BatchResponse([OK, NOT_FOUND])),
        (THREE, BatchResponse([OperationResponse(202)])),
        (THREE, BatchResponse([OK], truncated=True)),
        (THREE, BatchResponse([OK], next_link="$batch?skip=1")),
        (replace(THREE, continue_on_error=True), BatchResponse([OK, NOT_FOUND, OK])),
        (ONE_CHANGE_SET, BatchResponse([GROUP])),
        (ONE_CHANGE_SET, BatchResponse([ChangeSetResponse(GROUP.items[::-1])])),
        (ONE_CHANGE_SET, BatchResponse([NOT_FOUND])),
        (ONE_CHANGE_SET, BatchResponse([ChangeSetResponse(answers("2", status=400))])),
        (ONE_CHANGE_SET, BatchResponse([ChangeSetResponse(answers("2"))], truncated=True)),
        (BatchRequest([replace(GET, id="1")]), BatchResponse(answers("1"))),
        (BatchRequest([GET]), BatchResponse(answers("7"))),
        (BatchRequest([]), BatchResponse([])),
    ],
)
@pytest.mark.parametrize("format", ["multipart", "json"])
def test_these_are_responses_to_a_multipart_request(
    request_: BatchRequest, response: BatchResponse, format: Format
) -> None:
    assert found(request_, response, format=format) == []


@pytest.mark.parametrize(
    ("request_", "response", "expected"),
    [
        (
            THREE,
            BatchResponse([OK]),
            [("response-missing", "", "there is no response to GET 'People' and 1 more")],
        ),
        (
            THREE,
            BatchResponse([]),
            [("response-missing", "", "there is no response to GET 'People' and 2 more")],
        ),
        (
            replace(THREE, continue_on_error=True),
            BatchResponse([OK, NOT_FOUND]),
            [("response-missing", "", "there is no response to GET 'People'")],
        ),
        (
            THREE,
            BatchResponse([NOT_FOUND, OK, OK]),
            [
                (
                    "response-after-error",
                    "items[1]",
                    "responses go on behind an error, in items[0]",
                )
            ],
        ),
        (
            BatchRequest([GET]),
            BatchResponse([OK, OK, OK]),
            [
                ("response-unexpected", "items[1]", "there are 3 items, the request has 1"),
                ("response-unexpected", "items[2]", "there are 3 items, the request has 1"),
            ],
        ),
        (
            BatchRequest([replace(GET, id="1"), replace(GET, id="2")]),
            BatchResponse(answers(None, "1")),
            [
                (
                    "response-id",
                    "items[0]",
                    "the response to GET 'People' has no id, expected '1'",
                ),
                ("response-id", "items[1]", "the response to GET 'People' has the id '1'"),
            ],
        ),
        (
            BatchRequest([GET]),
            BatchResponse([GROUP]),
            [
                (
                    "response-structure",
                    "items[0]",
                    "found the responses to a change set, the request has GET 'People'",
                )
            ],
        ),
        (
            ONE_CHANGE_SET,
            BatchResponse([CREATED]),
            [
                (
                    "change-set-success-single",
                    "items[0]",
                    "a change set is answered with the single response 201",
                )
            ],
        ),
        (
            ONE_CHANGE_SET,
            BatchResponse(answers("1", "2", status=201)),
            [
                (
                    "change-set-success-single",
                    "items[0]",
                    "a change set is answered with the single response 201",
                ),
                ("response-unexpected", "items[1]", "there are 2 items, the request has 1"),
            ],
        ),
        (
            ONE_CHANGE_SET,
            BatchResponse([ChangeSetResponse(answers("1", None, "3"))]),
            [
                ("response-id", "items[0].items[1]", "a response in a change set has no id"),
                (
                    "response-unexpected",
                    "items[0].items[2]",
                    "the id '3' is none of this change set",
                ),
            ],
        ),
        (
            ONE_CHANGE_SET,
            BatchResponse([ChangeSetResponse(answers("1"))]),
            [("response-missing", "items[0]", "1 of 2 operations have a response")],
        ),
        (
            BatchRequest([GET, *ONE_CHANGE_SET.items]),
            BatchResponse([OK]),
            [("response-missing", "", "there is no response to a change set of 2 operations")],
        ),
    ],
)
def test_these_are_no_responses_to_a_multipart_request(
    request_: BatchRequest, response: BatchResponse, expected: Found
) -> None:
    assert found(request_, response) == expected


def test_versions_before_4_go_on_and_answer_every_request() -> None:
    response = BatchResponse([NOT_FOUND, OK, OK])
    assert found(THREE, response, dialect=ODATA_2) == []
    assert [slug for slug, _, _ in found(THREE, BatchResponse([NOT_FOUND]), dialect=ODATA_2)] == [
        "response-missing"
    ]


def test_an_identifier_is_asked_for_only_where_one_was_sent() -> None:
    change_set = ChangeSet([POST, POST])
    group = ChangeSetResponse([CREATED, CREATED])
    assert found(BatchRequest([change_set]), BatchResponse([group])) == []
    assert found(BatchRequest([change_set]), BatchResponse([GROUP])) == []
    mixed = BatchRequest([ChangeSet([POST, replace(POST, id="2")])])
    assert found(mixed, BatchResponse([group])) == []


def test_a_single_error_in_a_change_set_needs_no_identifier() -> None:
    response = BatchResponse([ChangeSetResponse([NOT_FOUND])])
    assert found(ONE_CHANGE_SET, response) == []


def test_members_are_counted_by_their_identifiers() -> None:
    response = BatchResponse([ChangeSetResponse(answers("1", "1"))])
    message = "1 of 2 operations have a response"
    assert found(ONE_CHANGE_SET, response) == [("response-missing", "items[0]", message)]


def test_a_service_may_answer_change_sets_without_their_structure() -> None:
    dialect = replace(ODATA_4_01, flat_responses=True)
    request = BatchRequest([*ONE_CHANGE_SET.items, GET])
    assert found(request, BatchResponse([*GROUP.items, OK]), dialect=dialect) == []
    assert found(request, BatchResponse([GROUP, OK]), dialect=dialect) == []
    slugs = [slug for slug, _, _ in found(request, BatchResponse(GROUP.items), dialect=dialect)]
    assert slugs == ["response-missing"]


NAMED = BatchRequest(
    [
        replace(GET, id="a"),
        ChangeSet([replace(POST, id="b"), replace(POST, id="c")], id="g"),
        replace(GET, id="d", depends_on=("a",)),
    ]
)
GROUP_G = ChangeSetResponse(answers("b", "c"), id="g")


@pytest.mark.parametrize(
    "response",
    [
        BatchResponse([*answers("a"), GROUP_G, *answers("d")]),
        BatchResponse([*answers("d"), ChangeSetResponse(answers("c", "b"), id="g"), *answers("a")]),
        BatchResponse([GROUP_G], next_link="$batch?skip=2"),
        BatchResponse(
            [*answers("a"), GROUP_G, OperationResponse(202, [("location", "s")], id="d")]
        ),
    ],
)
def test_these_are_responses_to_a_json_request(response: BatchResponse) -> None:
    assert found(NAMED, response, "json") == []


def test_a_json_batch_that_may_stop_need_not_answer_everything() -> None:
    response = BatchResponse(answers("a", status=500))
    assert found(replace(NAMED, continue_on_error=False), response, "json") == []


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            BatchResponse([*answers("a"), GROUP_G]),
            [("response-missing", "", "there is no response to GET 'People'")],
        ),
        (
            BatchResponse([*answers("A", "a", "d"), GROUP_G]),
            [("response-unexpected", "items[0]", "the id 'A' is none of the request")],
        ),
        (
            BatchResponse([*answers("a", "b", "d"), ChangeSetResponse(answers("c"), id="h")]),
            [
                (
                    "response-group",
                    "items[1]",
                    "the group of POST 'People' is 'g', here it is none",
                ),
                (
                    "response-group",
                    "items[3].items[0]",
                    "the group of POST 'People' is 'g', here it is 'h'",
                ),
            ],
        ),
        (
            BatchResponse([ChangeSetResponse(answers("a", "b", "c"), id="g"), *answers("d")]),
            [
                (
                    "response-group",
                    "items[0].items[0]",
                    "the group of GET 'People' is none, here it is 'g'",
                )
            ],
        ),
        (
            BatchResponse([*answers("a", status=202), GROUP_G, *answers("d")]),
            [
                (
                    "accepted-with-dependents",
                    "items[0]",
                    "'a' is answered with 202, others depend on it",
                )
            ],
        ),
    ],
)
def test_these_are_no_responses_to_a_json_request(response: BatchResponse, expected: Found) -> None:
    assert found(NAMED, response, "json") == expected


def test_a_multipart_response_to_a_json_request_is_flat_and_has_all_ids() -> None:
    flat = BatchResponse(answers("a", "b", "c", "d"))
    assert found(NAMED, flat, "json", "multipart") == []
    nested = BatchResponse([*answers("a", None, "d"), GROUP_G])
    structure = "found a change set in the response to a JSON request"
    assert found(NAMED, nested, "json", "multipart") == [
        ("response-id", "items[1]", "a response to a JSON request has no Content-ID"),
        ("response-structure", "items[3].items[0]", structure),
        ("response-structure", "items[3].items[1]", structure),
    ]


def test_a_202_stands_for_what_is_left_of_a_json_request_too() -> None:
    tail = OperationResponse(202, {"Location": "monitor"})
    assert found(NAMED, BatchResponse([*answers("a"), tail]), "json", "multipart") == []


def test_a_service_may_stop_at_an_error_in_json() -> None:
    response = BatchResponse(answers("a", status=404))
    dialect = replace(ODATA_4_01, json_stops_on_error=True)
    assert found(NAMED, response, "json", dialect=dialect) == []
    assert found(replace(NAMED, continue_on_error=True), response, "json", dialect=dialect) != []


def test_responses_without_an_id_may_be_those_that_seem_to_be_missing() -> None:
    response = BatchResponse(answers("a", None, None, None))
    slugs = [slug for slug, _, _ in found(NAMED, response, "json", "multipart")]
    assert slugs == ["response-id"] * 3


def test_a_json_answer_to_a_multipart_request_needs_no_ids() -> None:
    body = b'{"responses":[{"status":200},{"status":200}]}'
    report = check_response(
        body, JSON, request=BatchRequest([GET, GET]), request_format="multipart"
    )
    assert [str(each.severity.name) for each in report.diagnostics] == ["NOTE", "NOTE"]
    named = BatchRequest([replace(GET, id="1"), GET])
    report = check_response(body, JSON, request=named, request_format="multipart")
    assert "response-id" in [each.rule.slug for each in report.diagnostics]


def test_a_dialect_may_ignore_the_case_of_ids() -> None:
    dialect = replace(ODATA_4_01, ids_ignore_case=True)
    request = BatchRequest([replace(GET, id="Ab")])
    response = BatchResponse(answers("aB"))
    assert found(request, response, "json", dialect=dialect) == []
    assert found(request, response, dialect=dialect) == []


def test_check_response_takes_the_request() -> None:
    body = b'{"responses":[{"id":"1","status":200}]}'
    report = check_response(body, JSON, request=BatchRequest([GET, GET]))
    assert [str(each) for each in report.diagnostics] == [
        "warning[response-missing] at byte 0: there is no response to GET 'People'"
    ]
    assert check_response(body, JSON).diagnostics == ()


def test_the_format_of_the_request_may_differ() -> None:
    body = batch(part(b"HTTP/1.1 200 OK\r\n\r\n"))
    request = BatchRequest([GET])
    assert check_response(body, MULTIPART, request=request).diagnostics == ()
    report = check_response(body, MULTIPART, request=request, request_format="json")
    assert [str(each) for each in report.diagnostics] == [
        "warning[response-id] at byte 5 in items[0]: "
        "a response to a JSON request has no Content-ID",
    ]


def test_nothing_is_compared_where_items_could_not_be_read() -> None:
    body = batch(part(b"HTTP/1.1 20x OK\r\n\r\n"), part(b"HTTP/1.1 200 OK\r\n\r\n"))
    report = check_response(body, MULTIPART, request=BatchRequest([GET, GET]))
    assert [each.rule.slug for each in report.diagnostics] == ["status-line-syntax"]


def test_a_request_is_a_batch_request() -> None:
    with pytest.raises(TypeError, match="request is a BatchRequest, not str"):
        check_response(b"", JSON, request="GET People")  # type: ignore[arg-type]  # wrong on purpose
