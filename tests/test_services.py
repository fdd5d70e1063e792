"""What one service refuses: each rule by what it finds, where, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odata_batch import BatchRequest, ChangeSet, Dialect, Operation, check_request
from odata_batch.dialects import AZURE_TABLES, GRAPH, ODATA_4_0, ODATA_4_01, SAP_CAP

from .batches import payload, places, read, refused
from .helpers import MULTIPART, Format, batch, part

# The shape of a case is told in `batches`.


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
    "let each depend on the one before alone, or all others on one, or none on any"
)


@pytest.mark.parametrize(
    ("dependencies", "number"),
    [
        *((("", "", ""), None), (("", "1", "2", "3"), None), (("", "1", "1 2", "1 3"), 2)),
        *((("", "1", "1", "1"), None), (("2", "", "2", "2"), None), (("", "unknown", ""), None)),
        *((("", "1", "unknown", "1"), None), (("",), None), (("", "1", "", "2"), 2)),
        *((("", "1", "2", ""), 3), (("", "", "1", "2"), 2), (("", "", "1 2"), 2)),
        *((("", "1", "2", "3 1"), 3), (("", "1 1", "2", "3"), None), (("", "1", "", "1"), 2)),
        *((("", "1", ""), 2), (("", "", "1"), 2), (("", "", "2"), 2), (("", "1", "1", ""), 3)),
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


@pytest.mark.untraced
def test_work_is_linear_in_operations_and_dependencies() -> None:
    items = [
        Operation.get("/A", id=f"r{n}", depends_on=[f"r{n - 1}"] if n else []) for n in range(5000)
    ]
    items += [Operation.get("/A", id=f"w{n}", depends_on=["r0"]) for n in range(5000)]
    found = read(BatchRequest(items), "json", dialect=replace(GRAPH, operations=None))
    assert places(found) == ["dependencies-mixed 5000"]


# -- bodies ----------------------------------------------------------------------------------------


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
