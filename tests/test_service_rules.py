"""What one service refuses: each rule by what it finds, where, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import pytest

from odata_batch import ChangeSet, Dialect, Headers, Limits, Operation, Rule
from odata_batch._checks.messages import Scope
from odata_batch._checks.services import (
    ServiceRules,
    check_format_spoken,
    check_payload,
    check_preference_prefix,
    service_rules,
)
from odata_batch._graph.names import Names
from odata_batch._model.dialect import Format
from odata_batch.dialects import (
    AZURE_TABLES,
    BUSINESS_CENTRAL,
    DATAVERSE,
    GRAPH,
    ODATA_2,
    ODATA_4_0,
    ODATA_4_01,
    ODATA_4_02,
    SAP_BUSINESS_ONE,
    SAP_CAP,
    SAP_GATEWAY,
    SHAREPOINT,
)

Item = Operation | ChangeSet
Finding = tuple[Rule, str]

ACCOUNT = "https://account.table.core.windows.net"
JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain"}


def scope_of(dialect: Dialect, format: Format = "multipart") -> Scope:
    return Scope(format, dialect, Limits(), lambda diagnostic: None)


def found(
    *items: Item, dialect: Dialect, format: Format = "multipart"
) -> list[tuple[int, Rule, str]]:
    """Return what is found, each with the number of the operation, counted from 0."""
    findings: list[tuple[int, Rule, str]] = []
    number = -1

    def say(rule: Rule, message: str) -> None:
        findings.append((number, rule, message))

    names = Names(dialect=dialect)
    rules = ServiceRules(scope_of(dialect, format), say, names)
    for item in items:
        names.add(item)
        for operation in item.operations() if isinstance(item, ChangeSet) else (item,):
            number += 1
            rules.operation(operation, number)
    return findings


def get(url: str = "/People", id: str | None = None, after: Iterable[str] = ()) -> Operation:
    return Operation("GET", url, id=id, depends_on=after)


def writes(*urls: str, method: str = "POST") -> ChangeSet:
    return ChangeSet([Operation(method, url, JSON, b"{}") for url in urls])


# -- dialects that ask nothing -------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [ODATA_4_0, ODATA_4_01, ODATA_4_02], ids=lambda it: it.name)
def test_the_standard_has_no_rules_of_a_service(dialect: Dialect) -> None:
    assert service_rules(scope_of(dialect), lambda rule, message: None, Names()) is None


@pytest.mark.parametrize(
    "dialect",
    [
        ODATA_2,
        GRAPH,
        DATAVERSE,
        AZURE_TABLES,
        SHAREPOINT,
        SAP_GATEWAY,
        SAP_BUSINESS_ONE,
        SAP_CAP,
        BUSINESS_CENTRAL,
        replace(ODATA_4_01, operations=1),
        replace(ODATA_4_01, change_sets=1),
        replace(ODATA_4_01, change_set_operations=1),
        replace(ODATA_4_01, url_forms=frozenset(("path",))),
        replace(ODATA_4_01, root_segments=frozenset(("v1",))),
        replace(ODATA_4_01, references="none"),
        replace(ODATA_4_01, ids_ignore_case=True),
        replace(ODATA_4_01, dependencies="uniform"),
        replace(ODATA_4_01, transactions="required"),
        replace(ODATA_4_01, atomicity_groups=False),
        replace(ODATA_4_01, json_bodies="structured"),
    ],
)
def test_a_service_has_rules(dialect: Dialect) -> None:
    rules = service_rules(scope_of(dialect), lambda rule, message: None, Names())
    assert isinstance(rules, ServiceRules)


def test_the_standard_itself_finds_nothing() -> None:
    group = ChangeSet([get("$1/Orders", "A", ["1"]), Operation.delete("/v1.0/People(1)", id="a")])
    items = (get("http://host/People", "1"), get("/People", "2", ["1"]), group)
    assert found(*items, dialect=ODATA_4_01) == []


# -- how many ------------------------------------------------------------------------------------


def test_as_many_operations_as_a_service_takes_are_fine() -> None:
    assert found(*[get()] * 20, dialect=GRAPH, format="json") == []


def test_the_first_operation_too_many_is_found_once() -> None:
    message = "Microsoft Graph takes 20 operations; split the batch"
    assert found(*[get()] * 22, dialect=GRAPH, format="json") == [
        (20, Rule.TOO_MANY_OPERATIONS, message)
    ]


def test_operations_in_change_sets_count() -> None:
    dialect = replace(ODATA_4_01, operations=2)
    message = "OData 4.01 takes 2 operations; split the batch"
    assert found(writes("A", "B"), get(), dialect=dialect) == [
        (2, Rule.TOO_MANY_OPERATIONS, message)
    ]


@pytest.mark.parametrize(
    ("dialect", "limit"),
    [(GRAPH, 20), (DATAVERSE, 1000), (AZURE_TABLES, 100), (SHAREPOINT, 100)],
    ids=lambda it: getattr(it, "name", None),
)
def test_the_number_of_operations_can_be_overridden(dialect: Dialect, limit: int) -> None:
    assert dialect.operations == limit
    more = replace(dialect, operations=limit + 1)
    operations = [get()] * (limit + 1)
    assert Rule.TOO_MANY_OPERATIONS in {rule for _, rule, _ in found(*operations, dialect=dialect)}
    assert Rule.TOO_MANY_OPERATIONS not in {rule for _, rule, _ in found(*operations, dialect=more)}


def test_a_second_change_set_is_found_at_its_first_operation() -> None:
    items = (writes(f"{ACCOUNT}/A", f"{ACCOUNT}/B"), writes(f"{ACCOUNT}/C", f"{ACCOUNT}/D"))
    message = "Azure Tables takes 1 change set; split the batch"
    assert found(*items, dialect=AZURE_TABLES) == [(2, Rule.TOO_MANY_CHANGE_SETS, message)]
    assert found(*items, dialect=replace(AZURE_TABLES, change_sets=2)) == []


def test_a_change_set_that_is_too_large_is_found_at_the_first_operation_too_many() -> None:
    items = (writes("A"), writes("B", "C", "D"))
    message = "SAP Gateway takes 1 operation in a change set"
    assert found(*items, dialect=SAP_GATEWAY) == [(2, Rule.CHANGE_SET_TOO_LARGE, message)]
    assert found(*items, dialect=replace(SAP_GATEWAY, change_set_operations=3)) == []


def test_a_limit_of_nothing_is_a_limit() -> None:
    dialect = replace(ODATA_4_01, change_sets=0)
    message = "OData 4.01 takes 0 change sets; split the batch"
    assert found(writes("A"), dialect=dialect) == [(0, Rule.TOO_MANY_CHANGE_SETS, message)]


def test_a_payload_as_large_as_a_service_takes_is_fine() -> None:
    findings: list[Finding] = []
    check_payload(4 << 20, scope_of(AZURE_TABLES), lambda *finding: findings.append(finding))
    assert findings == []


def test_a_payload_that_is_larger_is_found() -> None:
    findings: list[Finding] = []
    check_payload(4194305, scope_of(AZURE_TABLES), lambda *finding: findings.append(finding))
    message = "the batch has 4194305 octets, Azure Tables takes 4194304; split the batch"
    assert findings == [(Rule.PAYLOAD_TOO_LARGE, message)]


def test_the_size_of_the_payload_can_be_overridden() -> None:
    findings: list[Finding] = []
    dialect = replace(AZURE_TABLES, payload=5 << 20)
    check_payload(4194305, scope_of(dialect), lambda *finding: findings.append(finding))
    check_payload(1 << 40, scope_of(ODATA_4_01), lambda *finding: findings.append(finding))
    assert findings == []


# -- formats and preferences ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "format", "message"),
    [
        (GRAPH, "multipart", "the batch is multipart, Microsoft Graph speaks json"),
        (AZURE_TABLES, "json", "the batch is json, Azure Tables speaks multipart"),
        (
            replace(GRAPH, formats=frozenset()),
            "json",
            "the batch is json, Microsoft Graph speaks none",
        ),
    ],
)
def test_a_format_that_a_service_does_not_speak_is_found(
    dialect: Dialect, format: Format, message: str
) -> None:
    findings: list[Finding] = []
    check_format_spoken(scope_of(dialect, format), lambda *finding: findings.append(finding))
    assert findings == [(Rule.FORMAT_NOT_SPOKEN, message)]


@pytest.mark.parametrize("format", ["multipart", "json"])
def test_a_format_that_is_spoken_is_fine(format: Format) -> None:
    findings: list[Finding] = []
    check_format_spoken(scope_of(SAP_CAP, format), lambda *finding: findings.append(finding))
    assert findings == []


@pytest.mark.parametrize(
    ("prefer", "dialect", "expected"),
    [
        ("continue-on-error", SAP_CAP, [Rule.PREFERENCE_UNPREFIXED]),
        ("continue-on-error=false, respond-async", ODATA_4_0, [Rule.PREFERENCE_UNPREFIXED]),
        ("continue-on-error, odata.continue-on-error", SAP_CAP, []),
        ("odata.continue-on-error", SAP_CAP, []),
        ("respond-async", SAP_CAP, []),
        ("continue-on-error", ODATA_4_01, []),
    ],
)
def test_a_preference_without_prefix_is_found(
    prefer: str, dialect: Dialect, expected: list[Rule]
) -> None:
    findings: list[Finding] = []
    headers = Headers({"Prefer": prefer})
    check_preference_prefix(headers, dialect, lambda *finding: findings.append(finding))
    message = f"{dialect.name} knows continue-on-error as odata.continue-on-error only"
    assert findings == [(rule, message) for rule in expected]


# -- URLs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["/me", "me", "users?$filter=startswith(x,'/v1.0/')", "/users/v1.0", "v1.00/me", ""]
)
def test_urls_below_the_service_root_are_fine(url: str) -> None:
    assert found(get(url), dialect=GRAPH, format="json") == []


@pytest.mark.parametrize(
    ("url", "example"),
    [
        ("https://graph.microsoft.com/v1.0/me/messages", "/me/messages"),
        ("https://graph.microsoft.com/beta/me?$top=1", "/me?$top=1"),
        ("https://graph.microsoft.com/V1.0/me", "/me"),
        ("HTTPS://other.example/me", "/me"),
    ],
)
def test_an_absolute_url_is_found_with_a_relative_one(url: str, example: str) -> None:
    absolute = f"URL {url!r} is absolute, which Microsoft Graph does not take"
    message = f"{absolute}; expected a relative one, as in {example!r}"
    assert found(get(url), dialect=GRAPH, format="json") == [(0, Rule.URL_FORM, message)]


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.microsoft.com/v1.0",
        "https://graph.microsoft.com/v1.0/",
        "https://graph.microsoft.com/v1.0?$top=1",
        "https://graph.microsoft.com/beta//me",
        "https://graph.microsoft.com",
        "https://graph.microsoft.com?$top=1",
    ],
)
def test_an_absolute_url_of_no_resource_gives_no_example(url: str) -> None:
    absolute = f"URL {url!r} is absolute, which Microsoft Graph does not take"
    assert found(get(url), dialect=GRAPH, format="json") == [
        (0, Rule.URL_FORM, f"{absolute}; expected path or relative")
    ]


def test_an_absolute_url_is_mended_into_a_form_that_is_taken() -> None:
    dialect = replace(GRAPH, url_forms=frozenset(("relative",)))
    assert found(get("https://host/v1.0/me"), dialect=dialect) == [
        (
            0,
            Rule.URL_FORM,
            "URL 'https://host/v1.0/me' is absolute, which Microsoft Graph does not take; "
            "expected a relative one, as in 'me'",
        )
    ]


@pytest.mark.parametrize(("url", "what"), [("/Blogs()", "is a path"), ("Blogs()", "is relative")])
def test_another_form_of_url_is_found_with_those_that_are_taken(url: str, what: str) -> None:
    message = f"URL {url!r} {what}, which Azure Tables does not take; expected absolute"
    assert found(get(url), dialect=AZURE_TABLES) == [(0, Rule.URL_FORM, message)]


def test_all_forms_that_are_taken_are_named() -> None:
    dialect = replace(ODATA_4_01, url_forms=frozenset(("absolute", "path")))
    message = "URL 'A' is relative, which OData 4.01 does not take; expected absolute or path"
    assert found(get("A"), dialect=dialect) == [(0, Rule.URL_FORM, message)]


def test_the_forms_of_url_can_be_overridden() -> None:
    every = replace(AZURE_TABLES, url_forms=ODATA_4_01.url_forms)
    assert found(get("Blogs()"), dialect=every) == []


@pytest.mark.parametrize(
    ("url", "segment", "mended"),
    [
        ("/v1.0/me", "v1.0", "/me"),
        ("v1.0/me", "v1.0", "/me"),
        ("/beta/users?$top=1", "beta", "/users?$top=1"),
        ("/V1.0/me", "V1.0", "/me"),
    ],
)
def test_a_version_at_the_beginning_of_a_url_is_found(url: str, segment: str, mended: str) -> None:
    begins = f"URL {url!r} begins with {segment}"
    belongs = "which for Microsoft Graph belongs to the URL of the batch"
    assert found(get(url), dialect=GRAPH, format="json") == [
        (0, Rule.URL_ROOT_SEGMENT, f"{begins}, {belongs}; write {mended!r}")
    ]


@pytest.mark.parametrize("url", ["/beta?$top=1", "/beta", "beta", "/beta/", "/beta//me"])
def test_a_version_that_is_the_whole_url_is_found(url: str) -> None:
    belongs = "which for Microsoft Graph belongs to the URL of the batch"
    message = f"URL {url!r} begins with beta, {belongs}; expected a URL below it"
    assert found(get(url), dialect=GRAPH, format="json") == [(0, Rule.URL_ROOT_SEGMENT, message)]


def test_root_segments_are_compared_without_regard_to_case() -> None:
    dialect = replace(ODATA_4_01, root_segments=frozenset(("V2",)))
    urls = map(get, ("/v2/People", "V2/People", "/v20/People"))
    assert [number for number, _, _ in found(*urls, dialect=dialect)] == [0, 1]


@pytest.mark.parametrize(
    "dialect", [GRAPH, AZURE_TABLES, SHAREPOINT], ids=lambda dialect: dialect.name
)
def test_a_reference_is_found_where_none_is_resolved(dialect: Dialect) -> None:
    is_reference = f"URL '$1/Orders' is a reference, which {dialect.name} does not resolve"
    mended = "send it in a later batch, with the URL that the other request returned"
    assert found(get("$1/Orders"), dialect=dialect) == [
        (0, Rule.REFERENCE_NOT_SUPPORTED, f"{is_reference}; {mended}")
    ]


def test_a_reference_may_have_a_slash_before_it_where_paths_begin_at_the_service_root() -> None:
    findings = found(get("/$1/members"), get("/$metadata"), dialect=GRAPH, format="json")
    assert [(number, rule) for number, rule, _ in findings] == [(0, Rule.REFERENCE_NOT_SUPPORTED)]
    assert found(get("/$1/members"), dialect=SHAREPOINT) == []


@pytest.mark.parametrize("url", ["$metadata", "People?$filter=a eq $1", "/b1s/v1/$1"])
def test_what_is_no_reference_is_not_found(url: str) -> None:
    assert found(get(url), dialect=SHAREPOINT) == []


def test_a_reference_behind_the_service_root_is_fine_where_it_is_known() -> None:
    group = ChangeSet([Operation.post("Orders", id="1"), Operation.patch("/b1s/v1/$1", id="2")])
    assert found(group, dialect=SAP_BUSINESS_ONE) == []


# -- identifiers and dependencies ----------------------------------------------------------------


def test_ids_that_differ_in_case_alone_are_found() -> None:
    items = [get(id="a"), get(id="B"), get(id="A"), get(id="b")]
    end = "differ in case alone, which Microsoft Graph ignores"
    assert found(*items, dialect=GRAPH, format="json") == [
        (2, Rule.ID_CASE_IGNORED, f"the ids 'a' and 'A' {end}"),
        (3, Rule.ID_CASE_IGNORED, f"the ids 'B' and 'b' {end}"),
    ]


def test_the_case_of_ids_can_be_overridden() -> None:
    dialect = replace(GRAPH, ids_ignore_case=False)
    assert found(get(id="a"), get(id="A"), dialect=dialect, format="json") == []


def test_an_id_that_is_used_twice_is_not_a_matter_of_case() -> None:
    assert found(get(id="a"), get(id="a"), dialect=GRAPH, format="json") == []


def chain_of(*dependencies: str) -> list[Operation]:
    """Return requests with the ids 1, 2 and so on that depend on those named, as in "1 2"."""
    return [get(id=str(n), after=names.split()) for n, names in enumerate(dependencies, 1)]


@pytest.mark.parametrize(
    "dependencies",
    [
        ("", "", ""),
        ("", "1", "2", "3"),
        ("", "1", "1 2", "1 3"),
        ("", "1", "1", "1"),
        ("2", "", "2", "2"),
        ("", "unknown", ""),
        ("", "1", "unknown", "1"),
        ("",),
        (),
    ],
)
def test_uniform_dependencies_are_fine(dependencies: tuple[str, ...]) -> None:
    assert found(*chain_of(*dependencies), dialect=GRAPH, format="json") == []


@pytest.mark.parametrize(
    ("dependencies", "number"),
    [
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
def test_mixed_dependencies_are_found_once(dependencies: tuple[str, ...], number: int) -> None:
    other = "GET '/People' depends on others in another way than before"
    mended = "let each depend on the one before, or all others on one, or none on any"
    assert found(*chain_of(*dependencies), dialect=GRAPH, format="json") == [
        (number, Rule.DEPENDENCIES_MIXED, f"{other}; for Microsoft Graph, {mended}")
    ]


def test_dependencies_ignore_case_where_ids_do() -> None:
    items = [get(id="a"), get(id="b", after=["A"]), get(id="c", after=["B"])]
    assert found(*items, dialect=GRAPH, format="json") == []


def test_a_request_without_id_cannot_be_depended_on() -> None:
    items = [get(id="1"), get(after=["1"]), get(after=["1"])]
    assert found(*items, dialect=GRAPH, format="json") == []


def test_dependencies_can_be_overridden() -> None:
    dialect = replace(GRAPH, dependencies="any")
    assert found(*chain_of("", "1", "", "2"), dialect=dialect, format="json") == []


# -- change sets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [GRAPH, SHAREPOINT], ids=lambda dialect: dialect.name)
def test_a_change_set_of_several_operations_is_found_where_it_is_not_atomic(
    dialect: Dialect,
) -> None:
    found_out = f"{dialect.name} does not execute the operations of a change set as one"
    message = f"{found_out}: what succeeded stays when another fails; send each on its own"
    assert found(writes("/A"), writes("/B", "/C", "/D"), dialect=dialect) == [
        (2, Rule.ATOMICITY_IGNORED, message)
    ]


def test_atomicity_can_be_overridden() -> None:
    dialect = replace(SHAREPOINT, atomicity_groups=True)
    assert found(writes("/A", "/B"), dialect=dialect) == []


@pytest.mark.parametrize(
    "dialect", [ODATA_2, SHAREPOINT, SAP_GATEWAY], ids=lambda dialect: dialect.name
)
def test_a_write_outside_of_a_change_set_is_found(dialect: Dialect) -> None:
    items = (get(), Operation.delete("People(1)"), writes("People"))
    message = (
        f"DELETE 'People(1)' is in no change set; {dialect.name} wants one around what changes data"
    )
    assert found(*items, dialect=dialect) == [(1, Rule.WRITE_OUTSIDE_CHANGE_SET, message)]
    assert found(*items, dialect=replace(dialect, transactions="optional")) == []


def test_one_query_alone_is_fine() -> None:
    assert found(get(f"{ACCOUNT}/Blogs()"), dialect=AZURE_TABLES) == []


@pytest.mark.parametrize(
    ("items", "numbers"),
    [
        ((get(f"{ACCOUNT}/A"), get(f"{ACCOUNT}/B"), get(f"{ACCOUNT}/C")), [1, 2]),
        ((get(f"{ACCOUNT}/A"), writes(f"{ACCOUNT}/B", f"{ACCOUNT}/C")), [1]),
        ((writes(f"{ACCOUNT}/B", f"{ACCOUNT}/C"), get(f"{ACCOUNT}/A")), [2]),
    ],
)
def test_a_query_beside_others_is_found(items: tuple[Item, ...], numbers: list[int]) -> None:
    message = "a query is the only operation of a batch for Azure Tables"
    assert found(*items, dialect=AZURE_TABLES) == [
        (number, Rule.QUERY_NOT_ALONE, message) for number in numbers
    ]


def test_two_inserts_into_one_table_are_fine() -> None:
    assert found(writes(f"{ACCOUNT}/Blogs", f"{ACCOUNT}/Blogs"), dialect=AZURE_TABLES) == []


def test_a_second_operation_on_an_entity_is_found() -> None:
    url = "https://account/Blogs(1)"
    group = ChangeSet([Operation("MERGE", url, JSON, b"{}"), Operation.delete(f"{url}?timeout=9")])
    second = "DELETE 'https://account/Blogs(1)?timeout=9' is the second operation on this entity"
    assert found(group, dialect=AZURE_TABLES) == [
        (1, Rule.ENTITY_TWICE, f"{second}; Azure Tables takes one")
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a/B(PartitionKey='a',RowKey='b')", "https://a/B(RowKey='b',PartitionKey='a')"),
        ("https://a/B(P='a,(b''/c',R='d')", "https://a/B(R='d',P='a,(b''/c')#x?y"),
        ("https://Host/B(1)", "HTTPS://hOST/B(1)"),
        ("https://a/B(P='1", "https://a/B(P='1"),
        ("https://a/B(P='1,)", "https://a/B(P='1,)"),
        ("/B('1')", "/B('1')"),
    ],
)
def test_one_entity_may_have_several_urls(first: str, second: str) -> None:
    dialect = replace(AZURE_TABLES, url_forms=ODATA_4_01.url_forms)
    again = f"PUT {second!r} is the second operation on this entity; Azure Tables takes one"
    assert found(writes(first, second, method="PUT"), dialect=dialect) == [
        (1, Rule.ENTITY_TWICE, again)
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{ACCOUNT}/Blogs('1')", f"{ACCOUNT}/Blogs('2')"),
        (f"{ACCOUNT}/B(P='a',R='b')", f"{ACCOUNT}/B(P='b',R='a')"),
        (f"{ACCOUNT}/B(P='a,R=b')", f"{ACCOUNT}/B(R='b,P=a')"),
        (f"{ACCOUNT}/B(P='a')", f"{ACCOUNT}/B(P='A')"),
        (f"{ACCOUNT}/B('1')", f"{ACCOUNT}/B('1"),
        (f"{ACCOUNT}/B('1)", f"{ACCOUNT}/B(1)"),
    ],
)
def test_different_entities_are_fine(first: str, second: str) -> None:
    assert found(writes(first, second, method="PUT"), dialect=AZURE_TABLES) == []


# -- JSON bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (JSON, b'{"a":1}'),
        (JSON, b"[1]"),
        ({}, b"{}"),
        (JSON, b" {}"),
        (JSON, b""),
        (TEXT, b""),
        ({"content-type": "application/merge-patch+json"}, b"{}"),
    ],
)
def test_objects_and_arrays_are_fine(headers: dict[str, str], body: bytes) -> None:
    operation = Operation("POST", "/Books", headers, body)
    assert found(operation, dialect=SAP_CAP, format="json") == []


@pytest.mark.parametrize(
    ("headers", "body"),
    [(JSON, b'"text"'), (JSON, b"1"), ({}, b"true"), (JSON, b"  ")],
)
def test_another_body_is_found(headers: dict[str, str], body: bytes) -> None:
    operation = Operation("POST", "/Books", headers, body)
    quoted = repr(body.decode())
    message = (
        f"the body {quoted} is not a JSON object or array; SAP CAP takes it outside of batches only"
    )
    assert found(operation, dialect=SAP_CAP, format="json") == [
        (0, Rule.JSON_BODY_NOT_STRUCTURED, message)
    ]
    assert found(operation, dialect=SAP_CAP) == []
    assert found(operation, dialect=replace(SAP_CAP, json_bodies="raw"), format="json") == []


@pytest.mark.parametrize("body", [b"{}", b"text"])
def test_a_body_of_another_media_type_is_found_by_that(body: bytes) -> None:
    operation = Operation("POST", "/Books", TEXT, body)
    message = "the body is 'text/plain', not JSON; SAP CAP takes it outside of batches only"
    assert found(operation, dialect=SAP_CAP, format="json") == [
        (0, Rule.JSON_BODY_NOT_STRUCTURED, message)
    ]
    assert found(operation, dialect=SAP_CAP) == []
    assert found(operation, dialect=replace(SAP_CAP, json_bodies="raw"), format="json") == []


# -- work ----------------------------------------------------------------------------------------


def test_work_is_linear_in_operations_and_dependencies() -> None:
    items = [get(id=f"r{n}", after=[f"r{n - 1}"] if n else []) for n in range(5000)]
    wide = [get(id=f"w{n}", after=["r0"]) for n in range(5000)]
    findings = found(*chain(items, wide), dialect=replace(GRAPH, operations=None), format="json")
    assert [(number, rule) for number, rule, _ in findings] == [(5000, Rule.DEPENDENCIES_MIXED)]
