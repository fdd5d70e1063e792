"""The rules for a batch as a whole: identifiers, dependencies, references, responses."""

from __future__ import annotations

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    EncodeError,
    LimitExceeded,
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
from .helpers import JSON, MULTIPART, batch, change_set, member, part

# The shape of a case is told in `batches`.

IDENTIFIERS = """
# An id is used once.
1: GET a; 1: GET b -> duplicate-id 1
1: GET a; 2: GET b; 1: GET c; 1: GET d -> duplicate-id 2, duplicate-id 3
a: GET a; A: GET b; b: GET c; A: GET d; a: GET e
    id-case 1, duplicate-id 3, id-case 3, duplicate-id 4
ids_ignore_case=True | a: GET a; A: GET b; a: GET c -> id-case-ignored 1, duplicate-id 2
# An id is used once in a change set.
g{ 1: DELETE a; 1: DELETE b } -> duplicate-id 0.1
# In multipart, an id may come again in another change set, with a warning.
multipart | { 1: DELETE a }; { 1: DELETE a } -> duplicate-id-across-change-sets 1.0
multipart 2 | { 1: DELETE a }; { 1: DELETE a } -> duplicate-id-across-change-sets 1.0
multipart | { 1: DELETE a }; { 2: DELETE a; 1: DELETE b }; { 1: DELETE a; 2: DELETE b }
    duplicate-id-across-change-sets 1.1, duplicate-id-across-change-sets 2.0
    duplicate-id-across-change-sets 2.1
# It is looked for in the same change set first.
multipart | { 1: DELETE a }; { 1: DELETE a; 1: DELETE b }
    duplicate-id-across-change-sets 1.0, duplicate-id 1.1
# In JSON, an id is unique across groups.
json | g{ 1: DELETE a }; h{ 1: DELETE a } -> duplicate-id 1.0
# An id is not used both inside and outside of a change set.
g{ 1: DELETE a }; 1: GET b -> duplicate-id 1
1: GET b; g{ 1: DELETE a } -> duplicate-id 1.0
# An id is not the name of a group.
json | g: GET b; g{ 1: DELETE a } -> id-equals-group 1
json | g{ 1: DELETE a }; g: GET b
    id-equals-group 1: the id 'g' is also the name of a group
json | g{ g: DELETE a } -> id-equals-group 0
json | g{ 1: DELETE a }; G: GET b
# Two groups do not share a name; on the wire they would be one.
json write | g{ 1: DELETE a }; g{ 2: DELETE a }
    duplicate-id 1: the group name 'g' is used twice
json write response | g{ 1: 204 }; g{ 2: 204 } -> duplicate-id 1
multipart | g{ 1: DELETE a }; g{ 2: DELETE a }
# Ids that differ in case only are a note.
ab: GET a; aB: GET b; c: GET c; AB: GET d -> id-case 1, id-case 3
# Where case is ignored, they are a matter of the service.
ids_ignore_case=True | ab: GET a; aB: GET b -> id-case-ignored 1
json read ids_ignore_case=True | G{ 1: DELETE a }; g: GET b after 1 g
    depends-on-self 1, id-equals-group 1
"""


@cases(IDENTIFIERS)
def test_identifiers(case: Case) -> None:
    case.run()


DEPENDENCIES = """
# A dependency names a request of the batch.
json | 1: GET a; 2: GET b after 9 -> depends-on-unknown 1
multipart write | GET c after 8
    not-expressible 0
    depends-on-unknown 0: GET 'c' depends on '8', which no request has as its id
# It names another request.
json | 1: GET a after 1 7 -> depends-on-self 0, depends-on-unknown 0
# It names a request or a group before.
json | 1: GET a; 2: GET b after 3; 3: GET c -> depends-on-forward 1
json | 2: GET b after h; h{ 4: DELETE d } -> depends-on-forward 0
json | 1: GET a; g{ 2: DELETE d; 3: DELETE e after 2 }; 4: GET b after 1 g 1; 5: GET b after 2 g
# What is repeated is said once.
json | 2: GET b after 9 9 -> depends-on-unknown 0
# It does not name its own group.
json | g{ 2: DELETE d after g } -> depends-on-own-group 0.0
json | g{ 1: DELETE c }; h{ 2: DELETE d after g }
# Its members may depend on each other.
json | g{ 1: DELETE a; 2: DELETE b after 1 }
json | g{ 3: GET c; 1: DELETE a after 2; 2: DELETE b after 1 }
    depends-on-forward 0.1
    depends-on-cycle 0.1: '1' depends on '2', which depends on '1'
# Beside a member of a group it names the group.
json read | g{ 2: DELETE d }; 3: GET b after 2; 4: GET b after 3 2 g -> depends-on-group-missing 1
json read | g{ 2: DELETE d }; h{ 3: DELETE e after 2 } -> depends-on-group-missing 1.0
json read 4.02 | g{ 2: DELETE d }; 3: GET b after 2 -> depends-on-group-missing 1
# Circles are named from end to end.
json | 1: GET a after 3; 2: GET b after 1; 3: GET c after 2; 4: GET d after 5; 5: GET e
    depends-on-forward 0, depends-on-forward 3
    depends-on-cycle 0: '1' depends on '3', which depends on '2', which depends on '1'
# A request that depends on itself is no circle.
json | 1: GET a after 1 2; 2: GET b -> depends-on-self 0, depends-on-forward 0
# What nothing is called leads nowhere, and hides nothing.
json | 1: GET a after 9; 2: GET b after 3; 3: GET c after 2
    depends-on-unknown 0, depends-on-forward 1
    depends-on-cycle 1: '2' depends on '3', which depends on '2'
# Nor does a circle lead out of itself, or from a request to that request.
json | 1: GET a after 3 1 2; 2: GET b after 1; 3: GET c
    depends-on-self 0, depends-on-forward 0, depends-on-forward 0
    depends-on-cycle 0: '1' depends on '2', which depends on '1'
# Nor from a request to its own change set.
json | g{ 1: POST a after g }; 2: GET b after 3; 3: GET c after 2
    depends-on-own-group 0.0, depends-on-forward 1
    depends-on-cycle 1: '2' depends on '3', which depends on '2'
# A chain is no circle.
json | 1: GET a after 2; 2: GET a after 3; 3: GET a; 4: GET a after 1 2
    depends-on-forward 0, depends-on-forward 1
# A circle is entered in its middle.
json | 1: GET a after 2; 2: GET a after 3; 3: GET a after 2 1
    depends-on-forward 0, depends-on-forward 1
    depends-on-cycle 1: '2' depends on '3', which depends on '2'
# Of circles that meet one is named, of others all.
json | 1: GET a after 2 3; 2: GET a after 1; 3: GET a after 1
    depends-on-forward 0, depends-on-forward 0
    depends-on-cycle 0: '1' depends on '2', which depends on '1'
json | 1: GET a after 4; 2: GET a after 3; 3: GET a after 2; 4: GET a after 1
    depends-on-forward 0, depends-on-forward 1
    depends-on-cycle 0: '1' depends on '4', which depends on '1'
    depends-on-cycle 1: '2' depends on '3', which depends on '2'
# Circles may stay within a change set, whoever else depends on their members.
multipart | { 1: POST $2; 2: POST $1; 3: POST $1 }; GET a
    reference-forward 0.0
    depends-on-cycle 0.0: '1' depends on '2', which depends on '1'
# Circles may pass through a change set as a whole.
json read | g{ 1: POST a; 2: POST $x after x }; x: GET $1 after 1 g
    depends-on-forward 0.1, reference-forward 0.1
    depends-on-cycle 0.1: '2' depends on 'x', which depends on '2'
# They may pass through its name.
json read | x: GET a after g; g{ 1: POST a; 2: POST $x after x }
    depends-on-forward 0
    depends-on-cycle 0: 'x' depends on '2', which depends on 'x'
# Conditions, queries and ETags make circles, too.
json read | 1: GET a after 2; 2: DELETE a [if-match: $1]; 3: GET b
    reference-dependency-missing 1
    depends-on-forward 0
    depends-on-cycle 0: '1' depends on '2', which depends on '1'
json read | 1: GET a after 2; 2: GET a?b=$1; 3: GET b
    reference-dependency-missing 1
    depends-on-forward 0
    depends-on-cycle 0: '1' depends on '2', which depends on '1'
# Case may not matter.
json ids_ignore_case=True | ab: GET a; c: GET b after AB
json | ab: GET a; c: GET b after AB -> depends-on-unknown 1
json ids_ignore_case=True | g{ ab: DELETE a after AB } -> depends-on-self 0.0
json ids_ignore_case=True | g{ ab: DELETE a after G } -> depends-on-own-group 0.0
json ids_ignore_case=True | G{ 1: DELETE a }; 2: GET b after 1 g
json ids_ignore_case=True | 2: GET b after g; G{ 1: DELETE a } -> depends-on-forward 0
# A condition is about a dependency.
json | 1: GET a; 2: GET b after 1 if $1/$succeeded eq true; 3: GET c after 2 if $1/Age gt 5
    condition-dependency-missing 2
json | 1: GET b if $9/$succeeded
    condition-dependency-missing 0: there is a condition, but no dependency that it could refer to
json ids_ignore_case=True | a: GET a; 2: GET b after a if $A/$succeeded
"""


@cases(DEPENDENCIES)
def test_dependencies(case: Case) -> None:
    case.run()


REFERENCES = """
# A reference refers to a request of the batch.
multipart | { 1: POST $9/x; 2: POST b } -> reference-unknown 0.0
# It refers to one before.
multipart | { 1: POST $2/x; 2: POST b } -> reference-forward 0.0
# It refers to another one.
multipart | { 1: POST $1; 2: POST b }
    reference-forward 0.0: URL '$1' refers to the request itself
multipart ids_ignore_case=True | a: POST $A -> reference-forward 0
# A group has no URL.
json | g{ 1: POST a }; 2: GET $g/x after g -> reference-unknown 1
# System resources are no references, neither is what comes later in the URL.
1: POST a; 10: GET b; GET $metadata; GET $entity?$id=1; GET a/$2?x=/$1
multipart | 1: POST a; 10: GET b; GET $crossjoin(A,B); GET $10/x
# A reference may leave its change set, and until 4.0 must not.
multipart | 1: GET a; { 2: POST $1/b }
multipart | { 1: POST a }; { 2: POST $1/b } -> reference-across-change-sets 1.0
multipart 4.0 | { 1: POST a }; { 2: POST $1/b } -> reference-across-change-sets 1.0
multipart 4.0 | { 1: POST a }; GET $1/b -> reference-across-change-sets 1
multipart 4.0 | 1: GET a; { 2: POST $1/b }
    reference-across-change-sets 1.0: URL '$1/b' refers to a request outside of change sets
multipart 4.0 | 1: GET a; GET $1/b -> reference-across-change-sets 1
# It prefers its own change set.
multipart 2 | { 1: POST a }; { 1: POST a; 2: POST $1/b } -> duplicate-id-across-change-sets 1.0
# It is the first segment of the URL.
1: POST a; POST /service/$1/b; GET /service/$2; GET b?c=/$1 -> reference-not-first 1
multipart references='rooted' | 1: POST a; POST /service/$1/b; GET /a/$1/b
references='none' | 1: POST a; POST /service/$1/b
# What is deleted has no URL.
multipart | 1: DELETE a; GET $1/b -> reference-target 1
# In JSON, a reference is a dependency, which is added in writing.
json read | 1: POST a; 2: POST $1/b -> reference-dependency-missing 1
json | 1: POST a; 2: POST $1/b after 1
json ids_ignore_case=True | a: POST a; 2: POST $A/b after a
# The ETag is that of a request before.
multipart | 1: GET a; DELETE a [if-match: $1]; DELETE b [if-match: $2]; DELETE c [if-match: "$3"]
    etag-reference-unknown 2
json read | 1: GET a; 9: DELETE a [if-match: $1]; DELETE b [if-match: $2]; DELETE c [if-match: "$3"]
    reference-dependency-missing 1
    etag-reference-unknown 2
# Whatever a request refers to, it depends on.
json read | 1: POST a; 2: GET b?$filter=x%20eq%20$1/x
    reference-dependency-missing 1: query refers to '1', which dependsOn does not name
json read | 1: POST a; 2: POST b [content-type: application/json] = {"c@odata.bind":"$1"}
    reference-dependency-missing 1: body refers to '1', which dependsOn does not name
json | 1: POST a; 2: POST b [content-type: application/json] = {"price":"$1"}
# Where nothing is resolved, there is no dependency, and nothing to refer to.
json graph | 1: GET a; 2: DELETE a [if-match: $1]
    reference-not-resolved 1: if-match refers to '1', which Microsoft Graph does not resolve
json graph | 1: GET a; 2: GET b?$filter=x%20eq%20$1/x after 1
    reference-not-resolved 1: query refers to '1', which Microsoft Graph does not resolve
json graph | 1: GET a; 2: POST b [content-type: application/json] = {"c@odata.bind":"$1"}
    reference-not-resolved 1: body refers to '1', which Microsoft Graph does not resolve
multipart references='none' | 1: POST a; 2: DELETE a [If-Match: $1] -> reference-not-resolved 1
2: GET a; DELETE b [if-none-match: "a", $1]; 1: GET c
    etag-reference-unknown 1: if-none-match refers to '1', but no earlier request has this id
"""


@cases(REFERENCES)
def test_references(case: Case) -> None:
    case.run()


CHANGE_SETS = """
# A change set has operations.
write | {  } -> empty-change-set 0
write response | {  } -> empty-change-set 0
# In multipart, a change set changes something.
multipart | { 1: GET a } -> get-in-change-set 0.0
json | { 1: GET a }
# Change sets do not nest.
write | GET b; { { 1: DELETE a } }
    nested-change-set 1: found change sets nested 2 deep
write response | 200; { { 1: 204 } } -> nested-change-set 1
"""


@cases(CHANGE_SETS)
def test_change_sets(case: Case) -> None:
    case.run()


RESPONSES = """
# A response has an id of its own.
response | 1: 204; 1: 204 -> duplicate-response-id 1
response | a: 204; A: 204
response ids_ignore_case=True | a: 204; A: 204 -> duplicate-response-id 1
response | { 1: 204; 1: 204 } -> duplicate-response-id 0.1
# In multipart, ids may start anew in each change set.
multipart response | { 1: 204 }; { 1: 204 }
multipart response | { 1: 204 }; 1: 204 -> duplicate-response-id 1
json response | { 1: 204 }; { 1: 204 } -> duplicate-response-id 1.0
# In multipart, a 202 is the last.
multipart response | 200; 202 [Location: x]
multipart response | 202 [Location: x]; 200; 202 [Location: x] -> accepted-not-last 0
multipart response | 202 [Location: x]; { 1: 204 } -> accepted-not-last 0
json response | 202 [location: x]; 200
# A change set is not accepted in part.
response | { 1: 204; 2: 202 [location: x] } -> accepted-in-change-set 0.1
# An error among the responses to a change set fails all of them.
multipart response | { 1: 204; 2: 400; 3: 399 } -> change-set-error-nested 0
multipart response | { 1: 424; 2: 400 } -> change-set-error-nested 0
json response | { 1: 204; 2: 400; 3: 404 } -> group-status-mixed 0
json response | { 1: 204; 2: 400 } -> group-status-mixed 0
json response | { 1: 424; 2: 400 }
json response | { 1: 204; 2: 399 }
"""


@cases(RESPONSES)
def test_responses(case: Case) -> None:
    case.run()


# -- what needs more than a line -------------------------------------------------------------------


def test_a_finding_has_a_position_and_a_path() -> None:
    head = b"Content-Type: application/http\r\nContent-ID: 1\r\n"
    found = check_request(batch(part(head=head), part(head=head)), MULTIPART).diagnostics[-1]
    assert found.message == "the id '1' is used twice, first at byte 5"
    assert (found.rule.slug, found.position, found.path) == ("duplicate-id", 128, "items[1]")
    data = b'{"responses":[{"id":"1","status":204},{"id":"1","status":204}]}'
    (found,) = check_response(data, JSON).diagnostics
    assert found.message == "the id '1' is answered twice"
    assert (found.rule.slug, found.position, found.path) == (
        "duplicate-response-id",
        44,
        "items[1]",
    )


@pytest.mark.parametrize(("dialect", "severity"), [("4.01", "WARNING"), ("2", "NOTE")])
def test_a_member_of_a_change_set_has_a_content_id(dialect: str, severity: str) -> None:
    data = batch(change_set(member(b"DELETE a HTTP/1.1\r\n\r\n", None)))
    (found,) = check_request(data, MULTIPART, dialect=PRESETS[dialect]).diagnostics
    assert found.message == "DELETE 'a' in a change set has no Content-ID"
    assert (found.rule.slug, found.position, found.path) == (
        *("content-id-missing", 124, "items[0].items[0]"),
    )
    assert found.severity.name == severity


@pytest.mark.parametrize("name", ["2", "g", "1"])
def test_a_group_that_is_split_is_ordered_as_the_payload_has_it(name: str) -> None:
    data = (
        b'{"requests":[{"id":"1","atomicityGroup":"g","method":"POST","url":"a"},'
        b'{"id":"2","method":"GET","url":"b"},'
        b'{"id":"3","atomicityGroup":"g","method":"POST","url":"c","dependsOn":["2"]}]}'
    )
    assert [each.rule.slug for each in check_request(data, JSON).diagnostics] == [
        "group-not-adjacent"
    ]
    # What is written has the order of the items, wherever they were found.
    with pytest.raises(EncodeError, match="'3' depends on '2', which comes later in the batch"):
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


def test_change_sets_are_as_many_as_operations_at_most() -> None:
    data = batch(change_set(), change_set(), boundary=b"b")
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, MULTIPART, limits=Limits(operations=1))
    assert (caught.value.limit, caught.value.value) == ("operations", 1)


def test_dependencies_are_bounded() -> None:
    limits = Limits(depends_on=1)
    assert refused("1: GET a; 2: GET b after 1", "json", limits=limits) == []
    (found,) = refused("1: GET a; 2: GET b after 1; 3: GET c after 2", "json", limits=limits)
    assert found.startswith("limit-exceeded: too many entries in")


def test_work_is_linear_in_operations_and_dependencies() -> None:
    count = 2_000
    circle = [
        Operation.get("a", id=f"{n}", depends_on=[f"{(n + 1) % count}"]) for n in range(count)
    ]
    for items in (circle, [ChangeSet(circle)]):
        found = read(
            BatchRequest(items),
            "json",
            limits=Limits(operations=count, change_set_operations=count),
        )
        assert "depends-on-forward" in found[0]
    star = BatchRequest(
        [Operation.get("a", id="1"), *(Operation.get("$1/b") for _ in range(count - 1))]
    )
    assert read(star) == []


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


@pytest.mark.parametrize("format", [MULTIPART, JSON])
@pytest.mark.parametrize("name", ["0", "150", "g0", "g150"])
def test_a_name_of_a_long_batch_is_used_once(name: str, format: str) -> None:
    """However many items nothing had to be said of before."""
    sets = [ChangeSet([Operation.delete("a", id=str(n))], id=f"g{n}") for n in range(200)]
    written = encode_request(
        BatchRequest([*sets, Operation.get("b", id="last")]),
        format="json" if format == JSON else "multipart",
    )
    body = written.body.replace(b"last", name.encode())
    found = check_request(body, written.content_type).diagnostics
    slug = "id-equals-group" if "g" in name else "duplicate-id"
    is_used = format == JSON or name.isdecimal()
    assert [(each.rule.slug, each.path) for each in found] == [(slug, "items[200]")] * is_used


def test_a_request_of_a_long_batch_is_answered_once() -> None:
    """However many items nothing had to be said of before."""
    responses = [OperationResponse(204, id=str(n)) for n in range(200)]
    sets = [ChangeSetResponse([each], id=f"g{each.id}") for each in responses[:150]]
    last = ChangeSetResponse([OperationResponse(204, id="last")], id="last")
    written = encode_response(BatchResponse([*sets, *responses[150:], last]), format="json")
    body = written.body.replace(b'"id":"last"', b'"id":"149"')
    found = check_response(body, written.content_type).diagnostics
    assert [(each.rule.slug, each.path) for each in found] == [
        ("duplicate-response-id", "items[200].items[0]")
    ]
