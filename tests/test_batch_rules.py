"""The rules for a batch as a whole: identifiers, dependencies, references, responses; and URLs."""

from __future__ import annotations

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    EncodeError,
    Limits,
    Operation,
    OperationResponse,
    check_request,
    check_response,
    decode_request,
    encode_request,
    encode_response,
)
from odata_batch.dialects import PRESETS

from .batches import Case, cases, places, read, refused, request
from .helpers import FORMATS, JSON, MULTIPART, Format, batch, change_set, member, part

# The shape of a case is told in `batches`.


@cases("rules")
def test_what_the_rules_find(case: Case) -> None:
    case.run()


# -- what needs more than a line -------------------------------------------------------------------


@pytest.mark.parametrize(("dialect", "severity"), [("4.01", "WARNING"), ("2", "NOTE")])
def test_a_member_of_a_change_set_has_a_content_id(dialect: str, severity: str) -> None:
    data = batch(change_set(member(b"DELETE a HTTP/1.1\r\n\r\n", None)))
    (found,) = check_request(data, MULTIPART, dialect=PRESETS[dialect]).diagnostics
    assert found.message == "DELETE 'a' in a change set has no Content-ID"
    assert (found.rule.slug, found.position, found.path) == (
        *("content-id-missing", 124, "items[0].items[0]"),
    )
    assert found.severity.name == severity


def test_a_group_that_is_split_is_ordered_as_the_payload_has_it() -> None:
    data = (
        b'{"requests":[{"id":"1","atomicityGroup":"g","method":"POST","url":"a"},'
        b'{"id":"2","method":"GET","url":"b"},'
        b'{"id":"3","atomicityGroup":"g","method":"POST","url":"c","dependsOn":["2"]}]}'
    )
    assert [each.rule.slug for each in check_request(data, JSON).diagnostics] == [
        "group-not-adjacent"
    ]
    # What is written has the order of the items, wherever they were found.
    with pytest.raises(
        EncodeError, match="POST 'c' depends on '2', which comes later in the batch"
    ):
        encode_request(decode_request(data, JSON), format="json")


def test_what_writing_mends() -> None:
    body = encode_request(request("1: POST a; 2: POST $1/b"), format="json").body
    assert b'"dependsOn":["1"]' in body
    body = encode_request(request("g{ 2: DELETE d }; 3: GET b after 2"), format="json").body
    assert b'"dependsOn":["2","g"]' in body


def test_change_sets_are_checked_inside_of_change_sets_that_may_nest() -> None:
    limits = Limits(change_set_depth=2)
    assert read("{ { 1: DELETE a; 1: DELETE b } }", limits=limits) == [
        "duplicate-id 0.0.1: the id '1' is used twice"
    ]
    twice = BatchResponse([ChangeSetResponse([ChangeSetResponse([OperationResponse(202)])])])
    assert places(read(twice, limits=limits)) == [
        *("accepted-without-location 0.0.0", "accepted-in-change-set 0.0.0")
    ]
    assert refused("{ { 1: DELETE a } }", limits=limits) == []


def test_a_long_circle_is_not_listed_whole() -> None:
    items = "; ".join(f"{n}: GET a after {(n + 1) % 100}" for n in range(100))
    names = ", which depends on ".join(f"'{n}'" for n in range(1, 9))
    expected = f"depends-on-cycle 0: '0' depends on {names}, which depends on 91 more"
    assert read(items, "json")[-1] == f"{expected}, which depends on '0'"
    items = "; ".join(f"{n}: GET a after {(n + 1) % 9}" for n in range(9))
    assert read(items, "json")[-1].endswith("on '7', which depends on '8', which depends on '0'")


@pytest.mark.parametrize("limit", ["operations", "change_set_operations"])
def test_operations_are_counted_and_change_sets_are_not(limit: str) -> None:
    limits = Limits(**{limit: 2})
    assert refused("{ DELETE a; DELETE b }", limits=limits) == []
    (found,) = refused("{ DELETE a; DELETE b; DELETE c }", limits=limits)
    assert found.endswith(f": the limit is 2 (Limits.{limit})")
    (found,) = refused(
        BatchResponse([ChangeSetResponse([OperationResponse(204)] * 3)]), limits=limits
    )
    assert found.endswith(f": the limit is 2 (Limits.{limit})")


def test_dependencies_are_bounded() -> None:
    limits = Limits(depends_on=1)
    assert refused("1: GET a; 2: GET b after 1", "json", limits=limits) == []
    (found,) = refused("1: GET a; 2: GET b after 1; 3: GET c after 2", "json", limits=limits)
    assert found.startswith("limit-exceeded: too many entries in")


def test_work_is_linear_in_operations_and_dependencies() -> None:
    count = 2_000
    ids = [str(number) for number in range(count)]
    circle = [Operation.get("a", id=ids[n], depends_on=[ids[n - 1]]) for n in range(count)]
    for items in (circle, [ChangeSet(circle)]):
        limits = Limits(operations=count, change_set_operations=count)
        assert "depends-on-forward" in read(BatchRequest(items), "json", limits=limits)[0]
    assert read(f"1: GET a; {count - 1} * GET $1/b") == []


def test_work_is_linear_in_the_references_of_one_operation() -> None:
    names = [f"$1{n}" for n in range(20_000)]
    bound = Operation.post("b", json={"x@odata.bind": names}, id="2", depends_on=["1"] * 10_000)
    (found,) = read(BatchRequest([Operation.get("a", id="1"), bound]), "json")
    assert found.startswith("body-reference-unknown 1: the body refers to '10'")
    tags = ", ".join(["$9"] * 10_000)
    data = batch(part(b"GET a HTTP/1.1\r\nIf-Match: %s\r\n\r\n" % tags.encode()))
    report = check_request(data, MULTIPART)
    assert report.omitted == 10_000 - len(report.diagnostics)
    assert {data[each.position :][: each.length] for each in report.diagnostics} == {b"If-Match"}


def test_dependencies_that_differ_in_case_are_each_pointed_to() -> None:
    data = b'{"requests":[{"id":"1","method":"GET","url":"a","dependsOn":["x","X","x"]}]}'
    found = check_request(data, JSON).diagnostics
    places = [data[each.position or 0 :][: each.length] for each in found]
    assert (places, found[0].position) == ([b'"x"', b'"X"'], data.index(b'"x"'))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["0", "150", "g0", "g150"])
def test_a_name_of_a_long_batch_is_used_once(name: str, format: Format) -> None:
    """However many items nothing had to be said of before."""
    sets = [ChangeSet([Operation.delete("a", id=str(n))], id=f"g{n}") for n in range(200)]
    batch = BatchRequest([*sets, Operation.get("b", id="last")])
    written = encode_request(batch, format=format)
    body = written.body.replace(b"last", name.encode())
    found = check_request(body, written.content_type).diagnostics
    slug = "id-equals-group" if "g" in name else "duplicate-id"
    is_used = format == "json" or name.isdecimal()
    assert [(each.rule.slug, each.path) for each in found] == [(slug, "items[200]")] * is_used


def test_a_request_of_a_long_batch_is_answered_once() -> None:
    """However many items nothing had to be said of before."""
    responses = [OperationResponse(204, id=str(n)) for n in range(200)]
    sets = [ChangeSetResponse([each], id=f"g{each.id}") for each in responses[:150]]
    last = ChangeSetResponse([OperationResponse(204, id="last")], id="last")
    written = encode_response(BatchResponse([*sets, *responses[150:], last]), format="json")
    body = written.body.replace(b'"id":"last"', b'"id":"149"')
    (found,) = check_response(body, written.content_type).diagnostics
    assert (found.rule.slug, found.path) == ("duplicate-response-id", "items[200].items[0]")
