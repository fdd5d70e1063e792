"""URLs: what they refer to, what they are resolved to, and what is within a service root."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from odata_batch import (
    BatchRequest,
    Diagnostic,
    EncodeError,
    Limits,
    Operation,
    OperationResponse,
    UnresolvedReference,
    encode_request,
)
from odata_batch._checks.batch import RequestRules
from odata_batch._checks.messages import READ_OPERATION, Scope
from odata_batch._graph.urls import (
    SYSTEM_RESOURCES,
    UrlReference,
    is_batch_resource,
    is_within,
    location_of,
    rebase_url,
    reference_in,
    referenced_id,
    resolve_url,
    system_resources,
)
from odata_batch._model.dialect import Format
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01, Dialect

CORPUS = Path(__file__).resolve().parent.parent / "spec-fixtures"
BATCH = "http://host/service/$batch"
ROOT = "http://host/service"
ROOTED = replace(ODATA_4_01, references="rooted")
FROM_ROOT = replace(ODATA_4_01, paths_from_service_root=True)
NONE = replace(ODATA_4_01, references="none")


# -- the corpus ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One case of the corpus; pytest shows what it is about."""

    section: str
    members: Mapping[str, Any]

    def __str__(self) -> str:
        return str(self.members["about"])


def cases(section: str) -> list[Case]:
    members = json.loads((CORPUS / "urls.json").read_bytes())[section]
    return [Case(section, each) for each in members]


def test_the_corpus_keeps_to_its_schema() -> None:
    schema = json.loads((CORPUS / "urls.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    errors = Draft202012Validator(schema).iter_errors(
        json.loads((CORPUS / "urls.json").read_bytes())
    )
    assert [error.message for error in errors] == []


@pytest.mark.parametrize("section", ["resolve", "locations", "within", "rebase", "references"])
def test_every_case_of_the_corpus_says_what_it_is_about_in_words_of_its_own(section: str) -> None:
    names = [str(case) for case in cases(section)]
    assert len(names) == len(set(names)) > 10


@pytest.mark.parametrize("case", cases("resolve"), ids=str)
def test_the_corpus_of_resolved_urls(case: Case) -> None:
    options = dict(case.members)
    expected = options.pop("result", None)
    error = options.pop("error", None)
    url, base = options.pop("url"), options.pop("base")
    options.pop("about")
    options["dialect"] = replace(ODATA_4_01, **options.pop("options", {}))
    if error is None:
        assert resolve_url(url, base, **options) == expected
        return
    with pytest.raises(UnresolvedReference) as raised:
        resolve_url(url, base, **options)
    assert ("Host" in str(raised.value)) is (error == "host")


@pytest.mark.parametrize("case", cases("locations"), ids=str)
def test_the_corpus_of_locations(case: Case) -> None:
    members = case.members
    response = OperationResponse(members["status"], map(tuple, members["headers"]))
    assert location_of(members["url"], response) == members["result"]


@pytest.mark.parametrize("case", cases("within"), ids=str)
def test_the_corpus_of_urls_within_a_root(case: Case) -> None:
    assert is_within(case.members["url"], case.members["service_root"]) is case.members["result"]


@pytest.mark.parametrize("case", cases("rebase"), ids=str)
def test_the_corpus_of_rebased_urls(case: Case) -> None:
    options = dict(case.members)
    expected = options.pop("result", None)
    is_wrong = options.pop("error", None) is not None
    options.pop("about")
    if is_wrong:
        with pytest.raises(ValueError, match="is not within"):
            rebase_url(**options)
    else:
        assert rebase_url(**options) == expected


# -- references ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "id"),
    [
        ("$1", "1"),
        ("$1/Orders", "1"),
        ("$10", "10"),
        ("$10(1)", "10"),
        ("$1?$expand=Orders", "1"),
        ("$1#fragment", "1"),
        ("$1/$2", "1"),
        ("$new-1.a_b~c/Orders", "new-1.a_b~c"),
        ("$batches", "batches"),
        ("$BATCH", "BATCH"),
        ("$metadata2", "metadata2"),
        ("$$1", "$1"),
    ],
)
def test_the_whole_first_segment_of_a_url_is_a_reference(url: str, id: str) -> None:
    assert referenced_id(url) == id
    assert reference_in(url) == UrlReference("", id, url[1 + len(id) :])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "$",
        "$/Orders",
        "$(1)",
        "$?a=b",
        "1",
        "Orders",
        "Orders/$1",
        "Orders?$filter=$1",
        "/$1",
        "/service/$1",
        "http://host/service/$1",
        "%241",
        " $1",
    ],
)
def test_anything_else_is_no_reference(url: str) -> None:
    assert referenced_id(url) is None
    assert reference_in(url) is None


@pytest.mark.parametrize("name", sorted(SYSTEM_RESOURCES))
@pytest.mark.parametrize("rest", ["", "/Orders", "(1)", "?a=b", "#fragment"])
def test_system_resources_come_before_identifiers(name: str, rest: str) -> None:
    url = f"${name}{rest}"
    assert referenced_id(url) is None
    assert [reference_in(url, each) for each in (ODATA_4_01, ROOTED, FROM_ROOT)] == [None] * 3
    assert reference_in(f"/service/{url}", ROOTED) is None
    assert reference_in(f"/{url}", FROM_ROOT) is None


def test_the_system_resources_are_those_of_the_standard() -> None:
    assert SYSTEM_RESOURCES == {
        *("all", "batch", "crossjoin", "entity", "id", "metadata", "root"),
    }
    assert system_resources(ODATA_4_01) == system_resources(ODATA_4_0) == SYSTEM_RESOURCES
    assert system_resources(ODATA_2) == {"batch", "metadata"}


def test_a_name_that_a_version_does_not_have_is_an_identifier() -> None:
    assert referenced_id("$entity/Orders", ODATA_2) == "entity"
    assert reference_in("$root", ODATA_2) == UrlReference("", "root", "")
    assert reference_in("/service/$all", replace(ODATA_2, references="rooted")) == UrlReference(
        "/service/", "all", ""
    )
    assert referenced_id("$metadata", ODATA_2) is None
    location = f"{ROOT}/Customers(1)"
    url = resolve_url("$id/Orders", BATCH, locations={"id": location}, dialect=ODATA_2)
    assert url == f"{location}/Orders"


@given(st.text())
def test_any_text_has_a_reference_or_none(url: str) -> None:
    id = referenced_id(url)
    assert id is None or url.startswith(f"${id}")


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("/b1s/v1/$1", UrlReference("/b1s/v1/", "1", "")),
        ("/$1/Lines", UrlReference("/", "1", "/Lines")),
        ("http://host/b1s/v1/$1?a=b", UrlReference("http://host/b1s/v1/", "1", "?a=b")),
        ("http://host/$1#x", UrlReference("http://host/", "1", "#x")),
        ("$1/Lines", UrlReference("", "1", "/Lines")),
        ("/b1s/v1/$1/$count", UrlReference("/b1s/v1/", "1", "/$count")),
        ("/b1s/v1/$10(1)", UrlReference("/b1s/v1/", "10", "(1)")),
        ("/b1s/v1/Orders/$count", None),
        ("/b1s/v1/Orders(1)/Lines/$links/Item", None),
        ("/b1s/v1/$metadata", None),
        ("/b1s/v1/a$1", None),
        ("/b1s//$1", None),
        ("/b1s/v1?a=/$1", None),
        ("/b1s/v1/$", None),
        ("b1s/v1/$1", None),
        ("//host", None),
        ("People", None),
    ],
)
def test_a_reference_may_stand_behind_a_service_root_in_some_dialects(
    url: str, reference: UrlReference | None
) -> None:
    assert reference_in(url, ROOTED) == reference


@pytest.mark.parametrize("url", ["$1", "$1/Orders", "/$1", "/service/$1"])
def test_nothing_is_a_reference_to_a_service_that_has_none(url: str) -> None:
    assert reference_in(url, NONE) is None
    assert reference_in(url, replace(FROM_ROOT, references="none")) is None


@pytest.mark.parametrize(
    "url",
    [
        "$batch",
        "/$batch",
        "/service/$batch",
        "http://host/service/$batch",
        "http://host/service/$batch/",
        "$batch?$format=json",
        "$batch#fragment",
        "%24batch",
        "/a/../$batch",
        "%24%62atch",
        "%24batc%68",
        "%24%62%61%74%63%68",
        "$batch()",
        "$batch%28%29",
        "$batch//",
        "$batch()/?x",
        "$batch%2F",
        "a%5c$batch",
        "$batch;x=1",
        "$batch%3Bx",
        "$batch/.",
        "$batch/x/..",
        "$batch//x/../..",
        "$batch/x/%2e%2E",
        "$batch/x/..;y",
        "$batch/x/%2e%2e;y",
        "$batch/%2e%2e/..",
        "$batch/..;/..",
        "$batch/x%2f..",
    ],
)
def test_a_batch_resource_is_the_last_segment_of_a_path(url: str) -> None:
    assert is_batch_resource(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "batch",
        "$batches",
        "$batch(1)",
        "$batch/1",
        "my$batch",
        "$Batch",
        "%24BATCH",
        "$batch/..",
        "$batch/x/../y",
        "$batch(%20)",
        "$batch()1",
        "%2524batch",
        "%24%2562atch",
        "People?x=%24%62atch",
        "People('%62atch')",
        "People(%24batch)",
        "%6",
        "%7x",
        "Orders?$expand=$batch",
        "Orders?a=/$batch",
        "Orders#/$batch",
        "$1",
    ],
)
def test_no_other_url_is_a_batch_resource(url: str) -> None:
    assert not is_batch_resource(url)


def test_long_urls_are_judged_in_linear_time() -> None:
    long = 200_000
    assert not is_batch_resource("/$batch" * (long // 10) + "(")
    assert not is_batch_resource("%24%62" * (long // 10) + "$batch;/../" * (long // 10) + "x")
    assert referenced_id("$" + "1" * long + "(") == "1" * long
    assert reference_in("/" + "a/" * long, ROOTED) is None
    assert reference_in("a" * long + "$", ROOTED) is None
    assert resolve_url("a/../" * long + "x", BATCH) == f"{ROOT}/x"
    assert resolve_url("../" * long, BATCH) == "http://host/"
    assert not is_within(f"{ROOT}/" + "%2e" * long + "/%2e", ROOT)
    assert is_within(f"{ROOT}/" + "/;%25" * long, ROOT)


# -- what is reported ------------------------------------------------------------------------------


def reported(
    operation: Operation, dialect: Dialect = ODATA_4_01, format: Format = "multipart"
) -> list[tuple[str, str]]:
    found: list[Diagnostic] = []
    rules = RequestRules(Scope(format, dialect, Limits(), found.append), READ_OPERATION)
    rules.check(operation, 0)
    return [(each.rule.slug, each.message) for each in found]


@pytest.mark.parametrize("format", ["multipart", "json"])
@pytest.mark.parametrize("url", ["A%", "%zz", "A%4", "A%4g?x", "A?x=%%20", "$1/A%2"])
def test_a_percent_sign_that_encodes_nothing_is_reported(url: str, format: Format) -> None:
    message = f"URL {url!r} has '%', expected a percent-encoding"
    found = reported(Operation.get(url), format=format)
    assert [each for each in found if each[0].startswith("url-")] == [("url-characters", message)]


def test_a_percent_sign_that_encodes_nothing_is_reported_in_an_absolute_url() -> None:
    url = "http://host/A%"
    message = f"URL {url!r} has '%', expected a percent-encoding"
    assert reported(Operation.get(url)) == [("url-characters", message)]


def test_the_first_of_several_odd_characters_is_reported() -> None:
    message = "URL '{%' has '{', expected a percent-encoding"
    assert reported(Operation.get("{%")) == [("url-characters", message)]


@pytest.mark.parametrize("url", ["A%20b", "%C3%a9", "A?$filter=B%20eq%20%27%25%27", "http://h/%7e"])
def test_a_percent_encoding_is_not_reported(url: str) -> None:
    assert reported(Operation.get(url)) == []


@pytest.mark.parametrize("url", ["%24%62atch", "%24batc%68", "$batch()", "$batch//", "$batch/x/.."])
def test_a_batch_in_disguise_is_reported_and_not_written(url: str) -> None:
    message = f"URL {url!r} names the batch resource"
    assert reported(Operation.post(url)) == [("nested-batch", message)]
    with pytest.raises(EncodeError) as raised:
        encode_request(BatchRequest([Operation.post(url)]))
    assert [each.rule.slug for each in raised.value.diagnostics] == ["nested-batch"]


@pytest.mark.parametrize("id", ["entity", "root", "it", "all"])
def test_a_name_that_a_version_does_not_have_can_be_referred_to(id: str) -> None:
    message = f"${id} is not a reference to id {id!r}"
    assert reported(Operation.get("A", id=id), ODATA_2) == []
    assert reported(Operation.get("A", id=id)) == [("id-unreferencable", message)]


@pytest.mark.parametrize("id", ["batch", "metadata"])
def test_a_system_resource_of_every_version_cannot_be_referred_to(id: str) -> None:
    message = f"${id} is not a reference to id {id!r}"
    assert reported(Operation.get("A", id=id), ODATA_2) == [("id-unreferencable", message)]


# -- RFC 3986 --------------------------------------------------------------------------------------


# RFC 3986, 5.4.1 and 5.4.2, less those whose scheme two slashes do not follow
@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("g#s", "http://a/b/c/g#s"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y#s"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g#s/./x"),
        ("g#s/../x", "http://a/b/c/g#s/../x"),
    ],
)
def test_the_examples_of_rfc_3986(url: str, result: str) -> None:
    assert resolve_url(url, "http://a/b/c/d;p?q") == result


# What `urllib.parse.urljoin` does otherwise, so that the generated URLs have none of it
@pytest.mark.parametrize(
    ("url", "base", "result", "urllib"),
    [
        # It drops empty segments inside of a path.
        ("a//b", "http://a/b/", "http://a/b/a//b", "http://a/b/a/b"),
        ("c", "http://a//b/d", "http://a//b/c", "http://a/b/c"),
        # It removes no dot segments behind an authority.
        ("//g/a/../b", "http://a/", "http://g/b", "http://g/a/../b"),
        ("https://g/./b", "http://a/", "https://g/b", "https://g/./b"),
        # It takes a dot segment with a parameter for one without.
        ("..;x", "http://a/b/c/d", "http://a/b/c/..;x", "http://a/b/;x"),
        # It takes for a scheme what two slashes do not follow, as RFC 3986 does.
        ("g:h", "http://a/b/c", "http://a/b/g:h", "g:h"),
        ("http:g", "http://a/b/c", "http://a/b/http:g", "http://a/b/g"),
        # It writes schemes in lower case.
        ("HTTP://g/x", "http://a/", "HTTP://g/x", "http://g/x"),
        # It keeps the fragment of the base.
        ("", "http://a/b#c", "http://a/b", "http://a/b#c"),
        # It drops tabs and line ends, which nothing may stand in for here.
        ("a\tb", "http://a/", "http://a/a\tb", "http://a/ab"),
    ],
)
def test_where_the_oracle_of_the_next_test_differs(
    url: str, base: str, result: str, urllib: str
) -> None:
    assert resolve_url(url, base) == result
    assert urljoin(base, url) == urllib


NAMES = st.sampled_from(
    ["a", "People(1)", "People('a%2Fb')", "$metadata", ".a", "a..", "...", "%2E%2e", "x=1,2", "~"]
)
SEGMENTS = st.one_of(NAMES, st.sampled_from([".", ".."]))
# An empty query or fragment is left out: `urljoin` drops the mark, in some versions of Python.
ENDS = st.sampled_from(["", "?x", "?$filter=a/../b", "?a=b?c", "#f", "?x#f/../g"])
AUTHORITIES = st.sampled_from(["host", "host:8080", "example.org"])


@st.composite
def bases(draw: st.DrawFn) -> str:
    path = "".join(f"/{name}" for name in draw(st.lists(NAMES, max_size=4)))
    path += draw(st.sampled_from(["", "/"]))
    query = draw(st.sampled_from(["", "?x=1", "?a/b"]))
    return f"{draw(st.sampled_from(['http', 'https']))}://{draw(AUTHORITIES)}{path}{query}"


@st.composite
def relative_urls(draw: st.DrawFn) -> str:
    beginning = draw(st.sampled_from(["", "", "/", "//", "http://", "https://"]))
    if beginning.endswith("//"):
        path = "".join(f"/{name}" for name in draw(st.lists(NAMES, max_size=3)))
        return f"{beginning}{draw(AUTHORITIES)}{path}{draw(ENDS)}"
    path = "/".join(draw(st.lists(SEGMENTS, max_size=6)))
    if path:
        path += draw(st.sampled_from(["", "", "/"]))
    return f"{beginning}{path}{draw(ENDS)}"


@settings(max_examples=1000)
@given(url=relative_urls(), base=bases())
def test_a_thousand_urls_resolve_as_an_independent_implementation_says(url: str, base: str) -> None:
    assert resolve_url(url, base) == urljoin(base, url)


@given(url=st.text(), base=bases(), host=st.none() | st.text())
def test_any_text_is_resolved_or_refused(url: str, base: str, host: str | None) -> None:
    try:
        found = resolve_url(url, base, host=host, locations={"1": f"{ROOT}/People(1)"})
    except UnresolvedReference:
        return
    assert resolve_url(found, base) == found


@given(st.text(alphabet="ab./?#%:$1()", max_size=12))
def test_what_has_been_resolved_stays_the_same(url: str) -> None:
    found = resolve_url(url, BATCH) if referenced_id(url) is None else BATCH
    assert resolve_url(found, "http://other/") == found


# -- resolution ------------------------------------------------------------------------------------


def test_relative_locations_resolve_in_two_steps() -> None:
    # OData Protocol 4.02, 11.7.7.2: the response to a request that refers to a new customer
    first = resolve_url("/service/Customers", "http://host/service/$batch", host="host")
    customer = location_of(first, OperationResponse(201, {"Location": "Customers('ALFKI')"}))
    assert customer == "http://host/service/Customers('ALFKI')"
    second = resolve_url("$1/Orders", "http://host/service/$batch", locations={"1": customer})
    assert second == "http://host/service/Customers('ALFKI')/Orders"
    order = location_of(second, OperationResponse(201, {"Location": "Orders(1)"}))
    assert order == "http://host/service/Customers('ALFKI')/Orders(1)"


def test_a_missing_location_is_named() -> None:
    with pytest.raises(UnresolvedReference) as raised:
        resolve_url("$new/Orders", BATCH, locations={"1": f"{ROOT}/Customers(1)"})
    assert str(raised.value) == (
        "URL '$new/Orders' refers to 'new', which has no location; "
        "give its absolute URL in locations"
    )
    assert raised.value.http_status == 400


def test_a_bad_host_is_named() -> None:
    with pytest.raises(UnresolvedReference) as raised:
        resolve_url("/People", BATCH, host="a/b")
    assert str(raised.value) == "the field Host is 'a/b', which names no host"


@pytest.mark.parametrize("base", ["", "/service/$batch", "service", "//host/service", "http:///x"])
def test_a_base_is_absolute(base: str) -> None:
    with pytest.raises(ValueError) as raised:
        resolve_url("People", base)
    assert str(raised.value) == f"base is an absolute URL, not {base!r}"


def test_a_location_that_is_given_is_absolute() -> None:
    with pytest.raises(ValueError) as raised:
        resolve_url("$1/Orders", BATCH, locations={"1": "Customers(1)"})
    assert str(raised.value) == "the location of '1' is an absolute URL, not 'Customers(1)'"


def test_a_service_root_that_is_given_is_absolute() -> None:
    with pytest.raises(ValueError) as raised:
        resolve_url("/People", BATCH, service_root="/service", dialect=FROM_ROOT)
    assert str(raised.value) == "service_root is an absolute URL, not '/service'"


def test_the_url_of_a_request_is_absolute() -> None:
    with pytest.raises(ValueError) as raised:
        location_of("Customers", OperationResponse(201))
    assert str(raised.value) == "effective_url is an absolute URL, not 'Customers'"


def test_octets_that_are_not_utf_8_survive() -> None:
    assert resolve_url("a\udcff/../b\udcfe", BATCH) == f"{ROOT}/b\udcfe"


# -- the service root ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root",
    [
        "",
        "/service",
        "//host/service",
        "ftp://host/service",
        "http://user@host/service",
        "http://host/service?x",
        "http://host/service#x",
        "http://host/a b",
        "http://host/%2e%2e",
        "http://host/\u00e9",
    ],
)
def test_a_service_root_is_clear(root: str) -> None:
    with pytest.raises(ValueError, match=r"^service_root is an absolute URL"):
        is_within("http://host/service", root)
    with pytest.raises(ValueError, match=r"^source is an absolute URL"):
        rebase_url("People", source=root, target=ROOT)
    with pytest.raises(ValueError, match=r"^target is an absolute URL"):
        rebase_url("People", source=ROOT, target=root)


def test_an_unclear_service_root_is_named() -> None:
    with pytest.raises(ValueError) as raised:
        is_within("http://host/service", "http://host/service?x")
    assert str(raised.value) == (
        "service_root is an absolute URL of HTTP that every reader understands, without a query, "
        "not 'http://host/service?x'"
    )


HOSTILE = st.lists(
    st.sampled_from(
        [
            *(
                "/",
                "/",
                "service",
                "admin",
                ".",
                "..",
                "%2e",
                "%2E",
                "%2f",
                "%5C",
                "\\",
                ";",
                "%3B",
                "%20",
                "%0d",
                "%00",
                "//",
            ),
            *("?", "#", "@", ":", "%", "%252e", "host", "http:", "//", "a", "$1", " ", "\t", "\0"),
        ]
    ),
    max_size=10,
).map("".join)


def without_parameters(path: str) -> str:
    return "/".join(segment.partition(";")[0] for segment in path.split("/"))


@given(st.one_of(HOSTILE, HOSTILE.map(lambda rest: f"{ROOT}/{rest}")))
def test_no_reader_finds_a_url_outside_that_is_within(url: str) -> None:
    if not is_within(url, ROOT):
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.hostname, parts.port or 80) == ("http", "host", 80)
    assert (parts.fragment, parts.username) == ("", None)
    # Readers that look for dot segments decode before it or not, and drop parameters or not.
    path = parts.path
    # Some drop blanks and controls, or read no further than a NUL.
    readings = {path, unquote(path), unquote(path).replace("\\", "/")}
    readings |= {"".join(reading.split()) for reading in readings}
    readings |= {reading.partition("\0")[0] for reading in readings}
    readings |= {without_parameters(reading) for reading in readings}
    readings |= {unquote(without_parameters(path))}
    for found in map(posixpath.normpath, readings):
        assert found == "/service" or found.startswith("/service/")


@given(HOSTILE)
def test_what_is_within_can_be_rebased_and_what_is_not_cannot(url: str) -> None:
    if referenced_id(url) is not None:
        return
    target = "https://other:81/deep/service"
    if is_within(resolve_url(url, f"{ROOT}/"), ROOT):
        there = rebase_url(url, source=ROOT, target=target)
        assert is_within(there, target)
        assert rebase_url(there, source=target, target=ROOT) == rebase_url(
            url, source=ROOT, target=ROOT
        )
    else:
        with pytest.raises(ValueError, match="is not within"):
            rebase_url(url, source=ROOT, target=target)


@pytest.mark.parametrize("form", ["absolute", "path", "relative"])
@given(rest=HOSTILE)
def test_every_form_of_a_url_is_the_same_resource(
    form: Literal["absolute", "path", "relative"], rest: str
) -> None:
    url, target = f"{ROOT}/{rest}", "http://other"
    if is_within(url, ROOT):
        absolute = rebase_url(url, source=ROOT, target=target)
        found = rebase_url(url, source=ROOT, target=target, form=form)
        assert resolve_url(found, f"{target}/$batch") in (absolute, f"{absolute}/")
        assert referenced_id(found) is None


def test_what_cannot_be_rebased_is_named() -> None:
    with pytest.raises(ValueError) as raised:
        rebase_url("http://host/other", source="http://host/service", target="http://host/x")
    assert str(raised.value) == "URL 'http://host/other' is not within 'http://host/service'"


def test_a_form_that_does_not_exist_is_named() -> None:
    form: Any = "relativ"
    with pytest.raises(ValueError) as raised:
        rebase_url("People", source=ROOT, target=ROOT, form=form)
    assert str(raised.value) == "form is 'absolute', 'path' or 'relative', not 'relativ'"


# -- load balancers --------------------------------------------------------------------------------

SERVICE = "https://service.example.org"
BALANCER = "https://balancer.example.org"


def test_batch_and_request_name_the_same_service() -> None:
    url = resolve_url(f"{SERVICE}/People", f"{SERVICE}/$batch")
    assert url == f"{SERVICE}/People"
    assert is_within(url, SERVICE)


def test_a_request_that_names_the_service_is_outside_of_the_load_balancer() -> None:
    url = resolve_url(f"{SERVICE}/People", f"{BALANCER}/$batch")
    assert url == f"{SERVICE}/People"
    assert not is_within(url, BALANCER)
    rebased = rebase_url(f"{SERVICE}/People", source=SERVICE, target=BALANCER)
    assert is_within(resolve_url(rebased, f"{BALANCER}/$batch"), BALANCER)


def test_batch_and_request_name_the_same_load_balancer() -> None:
    url = resolve_url(f"{BALANCER}/People", f"{BALANCER}/$batch")
    assert url == f"{BALANCER}/People"
    assert is_within(url, BALANCER)
    assert rebase_url(url, source=BALANCER, target=SERVICE) == f"{SERVICE}/People"


def test_a_request_that_is_a_path_is_within_every_load_balancer() -> None:
    for root in (SERVICE, BALANCER):
        url = resolve_url("/People", f"{root}/$batch")
        assert url == f"{root}/People"
        assert is_within(url, root)
    path = rebase_url(f"{SERVICE}/People", source=SERVICE, target=BALANCER, form="path")
    assert resolve_url(path, f"{BALANCER}/$batch", host="balancer.example.org") == (
        f"{BALANCER}/People"
    )
