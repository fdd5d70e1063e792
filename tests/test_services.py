"""What one service refuses: each rule by what it finds, where, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odata_batch import BatchRequest, ChangeSet, Dialect, Operation, check_request
from odata_batch.dialects import AZURE_TABLES, GRAPH, ODATA_4_0, ODATA_4_01, SAP_CAP

from .batches import Case, cases, payload, places, read, refused
from .helpers import MULTIPART, Format, batch, part

# The shape of a case is told in `batches`.

NUMBERS = """
# As many operations as a service takes are fine, the first too many is found once.
json graph | 20 * GET /People
json graph | 22 * GET /People -> too-many-operations 20
json graph operations=22 | 22 * GET /People
# Operations in change sets count.
multipart operations=2 | { POST A; POST B }; GET C -> too-many-operations 1
# A second change set is found at its first operation.
multipart change_sets=1 | { DELETE A; DELETE B }; { DELETE C; DELETE D }; { DELETE E }
    too-many-change-sets 1.0
multipart change_sets=2 | { DELETE A; DELETE B }; { DELETE C; DELETE D }
# A change set that is too large is found at the first operation too many.
multipart sap-gateway read | { DELETE A }; { DELETE B; DELETE C; DELETE D }
    change-set-too-large 1.1
multipart sap-gateway change_set_operations=3 | { DELETE A }; { DELETE B; DELETE C; DELETE D }
multipart change_set_operations=2 | { DELETE A; DELETE B; DELETE C; DELETE D }
    change-set-too-large 0.2: OData 4.01 takes 2 operations in a change set
# A limit of nothing is a limit.
multipart change_sets=0 | { DELETE A }
    too-many-change-sets 0.0: OData 4.01 takes 0 change sets; split the batch
"""


@cases(NUMBERS)
def test_numbers(case: Case) -> None:
    case.run()


URLS = """
# URLs below the service root are fine.
json graph | GET /me; GET me; GET users?$filter=a(x,'/v1.0/'); GET /users/v1.0; GET v1.00/me
# An absolute URL is found with a relative one, if there is a resource.
multipart formats={'multipart'} graph | GET https://g/v1.0/me/A; GET https://g/beta/me?$top=1
    url-form 0: URL 'https://g/v1.0/me/A' <absolute> a relative one, as in '/me/A'
    url-form 1: URL 'https://g/beta/me?$top=1' <absolute> a relative one, as in '/me?$top=1'
multipart formats={'multipart'} graph | GET https://g/V1.0/me; GET HTTPS://h/me
    url-form 0: URL 'https://g/V1.0/me' <absolute> a relative one, as in '/me'
    url-form 1: URL 'HTTPS://h/me' <absolute> a relative one, as in '/me'
multipart formats={'multipart'} graph | GET https://g/v1.0; GET https://g/v1.0/; GET https://g/v1.0?x
    url-form 0: URL 'https://g/v1.0' <absolute> path or relative
    url-form 1: URL 'https://g/v1.0/' <absolute> path or relative
    url-form 2: URL 'https://g/v1.0?x' <absolute> path or relative
multipart formats={'multipart'} graph | GET https://g/beta//me; GET https://g; GET https://g?$top=1
    url-form 0: URL 'https://g/beta//me' <absolute> path or relative
    url-form 1: URL 'https://g' <absolute> path or relative
    url-form 2: URL 'https://g?$top=1' <absolute> path or relative
# It is mended into a form that is taken.
multipart formats={'multipart'} graph url_forms={'relative'} | GET https://g/v1.0/me
    url-form 0: URL 'https://g/v1.0/me' <absolute> a relative one, as in 'me'
# Another form of URL is found with those that are taken.
multipart sharepoint url_forms={'absolute'} | GET /A; GET A; GET http://h/A
    url-form 0: URL '/A' is a path, which SharePoint does not take; expected absolute
    url-form 1: URL 'A' is relative, which SharePoint does not take; expected absolute
multipart url_forms={'absolute','path'} | GET A; GET /A; GET http://h/A
    url-form 0: URL 'A' is relative, which OData 4.01 does not take; expected absolute or path
multipart url_forms={'absolute'} | { 1: POST http://h/A; POST $1/B }
# A version at the beginning of a URL is found.
json graph | GET /v1.0/me; GET v1.0/me; GET /beta/users?$top=1; GET /V1.0/me
    url-root-segment 0: URL '/v1.0/me' begins with v1.0, <belongs>; write '/me'
    url-root-segment 1: URL 'v1.0/me' begins with v1.0, <belongs>; write '/me'
    url-root-segment 2: URL '/beta/users?$top=1' begins with beta, <belongs>; write '/users?$top=1'
    url-root-segment 3: URL '/V1.0/me' begins with V1.0, <belongs>; write '/me'
# It may be the whole URL.
json graph | GET /beta?$top=1; GET /beta; GET beta; GET /beta/; GET /beta//me
    url-root-segment 0: URL '/beta?$top=1' begins with beta, <belongs>; expected a URL below it
    url-root-segment 1: URL '/beta' begins with beta, <belongs>; expected a URL below it
    url-root-segment 2: URL 'beta' begins with beta, <belongs>; expected a URL below it
    url-root-segment 3: URL '/beta/' begins with beta, <belongs>; expected a URL below it
    url-root-segment 4: URL '/beta//me' begins with beta, <belongs>; expected a URL below it
# Case does not matter.
json root_segments={'V2'} | GET /v2/People; GET /v20/People
    url-root-segment 0: URL '/v2/People' begins with v2, which for OData 4.01 <to>; write '/People'
# A reference is found where none is resolved.
multipart azure-tables | { 1: POST http://h/A; 2: POST $1/B } -> reference-not-supported 0.1
multipart sharepoint | 1: GET A; GET $1/B; GET /$1/B; GET $metadata; GET A?$filter=a%20eq%20$1
    reference-not-supported 1
    reference-not-resolved 4
multipart references='none' | 1: POST A; POST $1/B -> reference-not-supported 1
# It may have a slash before it where paths begin at the service root.
json graph | GET /$1/members; GET /$metadata -> reference-not-supported 0
# Where it is known after the service root, it is fine.
multipart sap-business-one | { 1: POST Orders; 2: PATCH /b1s/v1/$1 }
"""


@cases(
    URLS,
    absolute="is absolute, which Microsoft Graph does not take; expected",
    belongs="which for Microsoft Graph <to>",
    to="belongs to the URL of the batch",
)
def test_urls(case: Case) -> None:
    case.run()


CHANGE_SETS = """
# A change set of several operations is found where it is not atomic.
json graph read | a{ DELETE /A }; b{ DELETE /B; DELETE /C; DELETE /D } -> atomicity-ignored 1.1
multipart sharepoint | { POST /A }; { POST /B; POST /C; POST /D } -> atomicity-ignored 1.1
json atomicity_groups=False | a{ POST A; POST B } -> atomicity-ignored 0.1
multipart sharepoint atomicity_groups=True | { POST /A; POST /B }
# A write outside of a change set is found.
multipart 2 | GET /People; DELETE People(1); HEAD /People; { POST People }
    write-outside-change-set 1, method-unknown 2
multipart sharepoint | GET /People; DELETE People(1); { POST People } -> write-outside-change-set 1
multipart sap-gateway | GET /People; DELETE People(1); { POST People } -> write-outside-change-set 1
json transactions='required' | PUT A -> write-outside-change-set 0
multipart sap-gateway transactions='optional' | GET /People; DELETE People(1); { POST People }
# A query is alone.
multipart azure-tables | GET http://h/A
multipart azure-tables | GET http://h/A; GET http://h/B; GET http://h/C
    query-not-alone 1, query-not-alone 2
multipart azure-tables | GET http://h/A; { POST http://h/B; POST http://h/C } -> query-not-alone 1.0
multipart azure-tables | { POST http://h/B; POST http://h/C }; GET http://h/A -> query-not-alone 1
# Two inserts into one table are fine, two operations on an entity are not.
multipart azure-tables | { POST http://h/Blogs; POST http://h/Blogs }
multipart azure-tables | { MERGE http://h/Blogs(1); DELETE http://h/Blogs(1)?timeout=9 }
    entity-twice 0.1
multipart azure-tables | { MERGE http://h/Blogs(1) }; { DELETE http://h/Blogs(1) }
    too-many-change-sets 1.0
"""


@cases(CHANGE_SETS)
def test_change_sets(case: Case) -> None:
    case.run()


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("https://a/B(PartitionKey='a',Row='b')", "https://a/B(Row='b',PartitionKey='a')", True),
        ("https://a/B(P='a,(b''/c',R='d')", "https://a/B(R='d',P='a,(b''/c')#x?y", True),
        ("https://Host/B(1)", "HTTPS://hOST/B(1)", True),
        ("https://a/B(P='1", "https://a/B(P='1", True),
        ("https://a/B(P='1,)", "https://a/B(P='1,)", True),
        ("/B('1')", "/B('1')", True),
        ("https://a/Blogs('1')", "https://a/Blogs('2')", False),
        ("https://a/B(P='a',R='b')", "https://a/B(P='b',R='a')", False),
        ("https://a/B(P='a,R=b')", "https://a/B(R='b,P=a')", False),
        ("https://a/B(P='a')", "https://a/B(P='A')", False),
        ("https://a/B('1')", "https://a/B('1", False),
        ("https://a/B('1)", "https://a/B(1)", False),
    ],
)
def test_one_entity_may_have_several_urls(first: str, second: str, same: bool) -> None:
    dialect = replace(AZURE_TABLES, url_forms=ODATA_4_01.url_forms)
    found = read(f"{{ PUT {first}; PUT {second} }}", dialect=dialect)
    assert ("entity-twice 0.1" in places(found)) is same


# -- dependencies ----------------------------------------------------------------------------------

MIXED = (
    "GET '/People' breaks the pattern of earlier dependencies; for Microsoft Graph, "
    "let each depend on the one before, or all others on one, or none on any"
)


@pytest.mark.parametrize(
    ("dependencies", "number"),
    [
        (("", "", ""), None),
        (("", "1", "2", "3"), None),
        (("", "1", "1 2", "1 3"), None),
        (("", "1", "1", "1"), None),
        (("2", "", "2", "2"), None),
        (("", "unknown", ""), None),
        (("", "1", "unknown", "1"), None),
        (("",), None),
        (("", "1", "", "2"), 2),
        (("", "1", "2", ""), 3),
        (("", "", "1", "2"), 2),
        (("", "", "1 2"), 2),
        (("", "1", "", "1"), 2),
        (("", "1", ""), 2),
        (("", "", "1"), 2),
        (("", "", "2"), 2),
        (("", "1", "1", ""), 3),
        (("", "1", "2", "1", "2", "1"), 3),
    ],
)
def test_dependencies_are_uniform(dependencies: tuple[str, ...], number: int | None) -> None:
    items = [
        Operation.get("/People", id=str(number), depends_on=names.split())
        for number, names in enumerate(dependencies, 1)
    ]
    found = read(BatchRequest(items), "json", dialect=GRAPH)
    expected = [] if number is None else [f"dependencies-mixed {number}: {MIXED}"]
    assert [each for each in found if each.startswith("dependencies-mixed")] == expected
    found = read(BatchRequest(items), "json", dialect=replace(ODATA_4_01, dependencies="uniform"))
    assert ("dependencies-mixed" in str(found)) is (number is not None)
    found = read(BatchRequest(items), "json", dialect=replace(GRAPH, dependencies="any"))
    assert not [each for each in found if each.startswith("dependencies-mixed")]


IDS = """
# Ids that differ in case only are found, those that are used twice are something else.
json graph | a: GET /People; B: GET /People; A: GET /People; b: GET /People
    id-case-ignored 2, id-case-ignored 3
json graph | a: GET /People; a: GET /People -> duplicate-id 1
json graph ids_ignore_case=False | a: GET /People; A: GET /People -> id-case 1
json ids_ignore_case=True | a: GET /People; A: GET /People -> id-case-ignored 1
# Dependencies ignore case where ids do.
json graph | a: GET /People; b: GET /People after A; c: GET /People after B
"""


@cases(IDS)
def test_ids(case: Case) -> None:
    case.run()


def test_work_is_linear_in_operations_and_dependencies() -> None:
    items = [
        Operation.get("/A", id=f"r{n}", depends_on=[f"r{n - 1}"] if n else []) for n in range(5000)
    ]
    items += [Operation.get("/A", id=f"w{n}", depends_on=["r0"]) for n in range(5000)]
    found = read(BatchRequest(items), "json", dialect=replace(GRAPH, operations=None))
    assert places(found) == ["dependencies-mixed 5000"]


# -- bodies ----------------------------------------------------------------------------------------

BODIES = """
# Objects and arrays are fine.
json sap-cap | POST /Books [content-type: application/json] = {"a":1}
json sap-cap | POST /Books [content-type: application/merge-patch+json] = {}
json sap-cap | POST /Books [content-type: application/json] = [1]
json sap-cap | POST /Books [content-type: application/json]; POST /Books [content-type: text/plain]
# Another body is found.
json sap-cap | POST /Books [content-type: application/json] = "text" -> json-body-not-structured 0
json sap-cap | POST /Books [content-type: application/json] = 1 -> json-body-not-structured 0
json sap-cap | POST /Books [content-type: text/plain] = {}
    json-body-not-structured 0: the body is 'text/plain', not JSON; <outside>
json json_bodies='structured' | POST /Books [content-type: application/json] = 1
    json-body-not-structured 0
json sap-cap json_bodies='raw' | POST /Books [content-type: application/json] = 1
multipart sap-cap | POST /Books [content-type: application/json] = 1
multipart sap-cap | POST /Books [content-type: text/plain] = {}
"""


@cases(BODIES, outside="SAP CAP takes it outside of batches only")
def test_bodies(case: Case) -> None:
    case.run()


def test_a_body_of_unknown_type_is_json() -> None:
    expected = "json-body-not-structured 0: the body 'true' is not a JSON object or array"
    assert refused("POST /Books = true", "json", dialect=SAP_CAP)[-1].startswith(expected)
    body = BatchRequest([Operation.post("/Books", body=b" {}")])
    assert "json-body-not-structured 0" not in places(refused(body, "json", dialect=SAP_CAP))


def test_a_payload_is_as_large_as_a_service_takes_it() -> None:
    item = ChangeSet([Operation.post("http://h/A", headers={"Content-Type": "a/b"}, body=b"x")])
    for more, expected in ((0, []), (1, ["payload-too-large"])):
        batch = BatchRequest([item])
        size = len(payload(batch, "multipart")[0])
        found = read(batch, dialect=replace(AZURE_TABLES, payload=size - more))
        assert places(found) == expected
    assert found == [
        f"payload-too-large: the batch has {size} octets, Azure Tables takes {size - 1}; "
        "split the batch"
    ]
    assert AZURE_TABLES.payload == 4 << 20


@pytest.mark.parametrize(
    ("dialect", "format", "message"),
    [
        (GRAPH, "multipart", "the batch is multipart, Microsoft Graph supports json"),
        (AZURE_TABLES, "json", "the batch is json, Azure Tables supports multipart"),
        (
            replace(GRAPH, formats=frozenset()),
            "json",
            "the batch is json, Microsoft Graph supports none",
        ),
        (SAP_CAP, "json", None),
        (SAP_CAP, "multipart", None),
    ],
)
def test_a_format_that_a_service_does_not_speak_is_found(
    dialect: Dialect, format: Format, message: str | None
) -> None:
    expected = [] if message is None else [f"format-not-supported: {message}"]
    found = read("GET http://h/A", format, dialect=replace(dialect, url_forms=ODATA_4_01.url_forms))
    assert [each for each in found if "-absolute" not in each] == expected


@pytest.mark.parametrize(
    ("prefer", "dialect", "found"),
    [
        ("continue-on-error", SAP_CAP, True),
        ("continue-on-error=false, respond-async", ODATA_4_0, True),
        ("continue-on-error, odata.continue-on-error", SAP_CAP, False),
        ("odata.continue-on-error", SAP_CAP, False),
        ("respond-async", SAP_CAP, False),
        ("continue-on-error", ODATA_4_01, False),
    ],
)
def test_a_preference_without_prefix_is_found(prefer: str, dialect: Dialect, found: bool) -> None:
    report = check_request(batch(part()), MULTIPART, headers={"Prefer": prefer}, dialect=dialect)
    message = f"{dialect.name} knows continue-on-error as odata.continue-on-error only"
    expected = [("preference-unprefixed", message)] if found else []
    assert [(each.rule.slug, each.message) for each in report.diagnostics] == expected
