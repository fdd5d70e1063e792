"""URLs: what they refer to, what they are resolved to, and what is within a service root."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from itertools import product
from typing import Any, Literal
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odata_batch import (
    BatchRequest,
    Operation,
    OperationResponse,
    UnresolvedReference,
    find_references,
    is_within,
    location_of,
    rebase_url,
    resolve_url,
)
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01, Dialect

from .batches import read, table

BATCH = "http://host/service/$batch"
ROOT = "http://host/service"
ROOTED = replace(ODATA_4_01, references="rooted")
FROM_ROOT = replace(ODATA_4_01, paths_from_service_root=True)
NONE = replace(ODATA_4_01, references="none")


# -- references ------------------------------------------------------------------------------------


def referenced(url: str, dialect: Dialect = ODATA_4_01) -> str | None:
    """Return the identifier that the URL refers to, its query aside."""
    found = find_references(Operation.get(url), dialect=dialect)
    return next((each.id for each in found if each.place == "url"), None)


@pytest.mark.parametrize(
    ("url", "id"),
    [
        *(("$1" + rest, "1") for rest in ("", "/Orders", "?$expand=Orders", "#fragment", "/$2")),
        *(("$10", "10"), ("$10(1)", "10"), ("$new-1.a_b~c/Orders", "new-1.a_b~c"), ("$$1", "$1")),
        *(("$batches", "batches"), ("$BATCH", "BATCH"), ("$metadata2", "metadata2")),
        *((url, None) for url in ("", "$", "$/Orders", "$(1)", "$?a=b", "1", "Orders", "%241")),
        *((url, None) for url in ("Orders/$1", "Orders?$filter=$1", "/$1", "/service/$1", " $1")),
        ("http://host/service/$1", None),
    ],
)
def test_the_whole_first_segment_of_a_url_is_a_reference(url: str, id: str | None) -> None:
    assert referenced(url) == id
    assert referenced(url, NONE) is None
    if id is not None:
        end = resolve_url(url, BATCH, locations={id: "http://h/A"}).removeprefix("http://h/A")
        assert f"${id}{end}" == url


@pytest.mark.parametrize("name", ["all", "batch", "crossjoin", "entity", "id", "metadata", "root"])
def test_system_resources_come_before_identifiers(name: str) -> None:
    for url in (f"${name}{rest}" for rest in ("", "/Orders", "(1)", "?a=b", "#fragment")):
        for dialect in (ODATA_4_0, ODATA_4_01, ROOTED, FROM_ROOT):
            assert referenced(url, dialect) is None
        assert referenced(f"/service/{url}", ROOTED) is None
        # They are resolved like any other URL.
        assert resolve_url(f"/{url}", BATCH, dialect=FROM_ROOT) == f"{ROOT}/{url}"
        old = None if name in ("batch", "metadata") else name
        assert referenced(url, ODATA_2) == old
        assert referenced(f"/service/{url}", replace(ODATA_2, references="rooted")) == old


def test_a_name_that_a_version_does_not_have_is_resolved() -> None:
    location = f"{ROOT}/Customers(1)"
    url = resolve_url("$id/Orders", BATCH, locations={"id": location}, dialect=ODATA_2)
    assert url == f"{location}/Orders"


IN_THE_ROOT = (
    "/b1s/v1/$1 /$1/Lines http://host/b1s/v1/$1?a=b http://host/$1#x $1/Lines /s/$1/$count"
)
NOT_IN_THE_ROOT = """/b1s/v1/Orders/$count /b1s/v1/$metadata /b1s/v1/a$1 /b1s/v1/$ People
/b1s/v1/Orders(1)/Lines/$links/Item /b1s//$1 /b1s/v1?a=/$1 b1s/v1/$1 //host"""


@pytest.mark.parametrize(
    ("url", "id"),
    [
        *((url, "1") for url in IN_THE_ROOT.split()),
        ("/b1s/v1/$10(1)", "10"),
        *((url, None) for url in NOT_IN_THE_ROOT.split()),
    ],
)
def test_in_some_dialects_a_reference_may_follow_a_service_root(url: str, id: str | None) -> None:
    assert referenced(url, ROOTED) == id
    if id is not None:
        root, _, rest = url.partition(f"${id}")
        options: dict[str, Any] = {"dialect": ROOTED, "locations": {id: "http://h/A"}}
        root = resolve_url(root or "/service/", "http://host/")
        assert resolve_url(url, BATCH, service_root=root, **options) == f"http://h/A{rest}"


def test_what_follows_a_resource_is_no_reference() -> None:
    for name in ("count", "each", "filter", "links", "query", "ref", "value"):
        assert referenced(f"/service/${name}", ROOTED) is None
    assert referenced("/service/$odata", ROOTED) == "odata"


@pytest.mark.untraced
def test_long_urls_are_judged_in_linear_time() -> None:
    long = 200_000
    short = long // 10
    for url in ("/$batch" * short + "(", "%24%62" * long + "$batch;/../" * short + "x"):
        assert "nested-batch" not in str(read(BatchRequest([Operation.get(url[:60_000])])))
    assert referenced("$" + "1" * long + "(") == "1" * long
    assert referenced("/" + "a/" * long, ROOTED) is None
    assert referenced("a" * long + "$", ROOTED) is None
    assert resolve_url("a/../" * long + "x", BATCH) == f"{ROOT}/x"
    assert resolve_url("../" * long, BATCH) == "http://host/"
    assert not is_within(f"{ROOT}/" + "%2e" * long + "/%2e", ROOT)
    assert is_within(f"{ROOT}/" + "/;%25" * long, ROOT)


# -- RFC 3986, beside the corpus -------------------------------------------------------------------

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
    found = resolve_url(url, BATCH) if referenced(url) is None else BATCH
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


WRONG = table("wrong_urls")


@pytest.mark.parametrize(("call", "message"), [*zip(WRONG[::2], WRONG[1::2], strict=True)])
def test_what_cannot_be_done_is_named(call: str, message: str) -> None:
    with pytest.raises((ValueError, UnresolvedReference)) as raised:
        eval(call)
    assert str(raised.value) == message.strip()
    assert getattr(raised.value, "http_status", 400) == 400


@pytest.mark.parametrize("base", ["", "/service/$batch", "service", "//host/service", "http:///x"])
def test_a_base_is_absolute(base: str) -> None:
    with pytest.raises(ValueError, match=f"^base is an absolute URL, not {re.escape(repr(base))}$"):
        resolve_url("People", base)


def test_octets_that_are_not_utf_8_survive() -> None:
    assert resolve_url("a\udcff/../b\udcfe", BATCH) == f"{ROOT}/b\udcfe"


# -- the service root ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root",
    [
        *("", "/service", "//host/service", "ftp://host/service", "http://user@host/service"),
        *("http://host/service?x", "http://host/service#x", "http://host/a b"),
        *("http://host/%2e%2e", "http://host/\u00e9"),
    ],
)
def test_a_service_root_is_clear(root: str) -> None:
    with pytest.raises(ValueError, match=r"^service_root is an absolute URL"):
        is_within("http://host/service", root)
    with pytest.raises(ValueError, match=r"^source is an absolute URL"):
        rebase_url("People", source=root, target=ROOT)
    with pytest.raises(ValueError, match=r"^target is an absolute URL"):
        rebase_url("People", source=ROOT, target=root)


PIECES = """/ / service admin . .. %2e %2E %2f %5C \\ ; %3B %20 %0d %00 // ? # @ : % %252e host
http: // a $1"""
HOSTILE = st.lists(st.sampled_from([*PIECES.split(), " ", "\t", "\0"]), max_size=10).map("".join)


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
    # Some drop white space and controls, or read no further than a NUL.
    readings = {path, unquote(path), unquote(path).replace("\\", "/")}
    readings |= {"".join(reading.split()) for reading in readings}
    readings |= {reading.partition("\0")[0] for reading in readings}
    readings |= {without_parameters(reading) for reading in readings}
    readings |= {unquote(without_parameters(path))}
    for found in map(posixpath.normpath, readings):
        assert found == "/service" or found.startswith("/service/")


@given(HOSTILE)
def test_what_is_within_can_be_rebased_and_what_is_not_cannot(url: str) -> None:
    if referenced(url) is not None:
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
        assert referenced(found) is None


# -- load balancers --------------------------------------------------------------------------------

SERVICE = "https://service.example.org"
BALANCER = "https://balancer.example.org"


def test_a_request_may_name_the_service_or_its_load_balancer() -> None:
    for host, root in product((SERVICE, BALANCER), repeat=2):
        url = f"{host}/People"
        assert resolve_url(url, f"{root}/$batch") == url
        assert is_within(url, root) is (host == root)
        there = rebase_url(f"{root}/People", source=root, target=host)
        assert there == url
        assert is_within(resolve_url(there, f"{host}/$batch"), host)


def test_a_request_that_is_a_path_is_within_every_load_balancer() -> None:
    path = rebase_url(f"{SERVICE}/People", source=SERVICE, target=BALANCER, form="path")
    url = resolve_url(path, f"{BALANCER}/$batch", host="balancer.example.org")
    assert url == f"{BALANCER}/People"
