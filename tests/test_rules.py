"""The rules over values: each is broken on purpose, in reading and in writing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Dialect,
    EncodeError,
    Headers,
    LimitExceeded,
    Limits,
    Operation,
    OperationResponse,
    Rule,
    check_request,
    check_response,
    decode_request,
    encode_request,
    encode_response,
)
from odata_batch._checks.batch import RequestRules, ResponseRules
from odata_batch._checks.messages import (
    READ_JSON_OPERATION,
    READ_OPERATION,
    READ_RESPONSE,
    Scope,
    continue_on_error,
    preferences,
)
from odata_batch._graph.prepare import depth_of
from odata_batch._model.dialect import Format
from odata_batch._model.findings import Diagnostic
from odata_batch.dialects import ODATA_2, ODATA_4_0, ODATA_4_01

from .helpers import JSON, MULTIPART, batch, change_set, member, part

Found = list[tuple[str, str, str]]


def read(
    *items: Operation | ChangeSet,
    format: Format = "multipart",
    dialect: Dialect = ODATA_4_01,
) -> Found:
    """Return slug, path and message of what reading these items finds."""
    found: list[Diagnostic] = []
    scope = Scope(format, dialect, Limits(), found.append)
    rules = RequestRules(scope, READ_JSON_OPERATION if format == "json" else READ_OPERATION)
    for index, item in enumerate(items):
        rules.check(item, index)
    rules.finish()
    return [(each.rule.slug, each.path, each.message) for each in found]


def read_responses(
    *items: OperationResponse | ChangeSetResponse, format: Format = "multipart"
) -> Found:
    """Return slug, path and message of what reading these responses finds."""
    found: list[Diagnostic] = []
    rules = ResponseRules(Scope(format, ODATA_4_01, Limits(), found.append), READ_RESPONSE)
    for index, item in enumerate(items):
        rules.check(item, index)
    rules.finish()
    return [(each.rule.slug, each.path, each.message) for each in found]


def refused(
    *items: Operation | ChangeSet, format: Format = "multipart", dialect: Dialect = ODATA_4_01
) -> Found:
    """Return slug, path and message of what keeps these items from being written."""
    with pytest.raises(EncodeError) as caught:
        encode_request(BatchRequest(items), format=format, dialect=dialect)
    return [(each.rule.slug, each.path, each.message) for each in caught.value.diagnostics]


def refused_responses(
    *items: OperationResponse | ChangeSetResponse, format: Format = "multipart"
) -> Found:
    """Return slug, path and message of what keeps these responses from being written."""
    with pytest.raises(EncodeError) as caught:
        encode_response(BatchResponse(items), format=format)
    return [(each.rule.slug, each.path, each.message) for each in caught.value.diagnostics]


PLAIN_URLS = [
    "People",
    "/service/People(1)?$top=1",
    "$1/Orders",
    "People('%C3%A9')",
    "http://host:1234/service/People(1)",
    "HTTPS://host/",
    "People?$filter=Time%20eq%2010:00",
    "/",
    ".",
]


@pytest.mark.parametrize("url", [url for url in PLAIN_URLS if not url.startswith("$")])
def test_the_usual_urls_have_no_diagnostics(url: str) -> None:
    assert read(Operation.get(url)) == []


@pytest.mark.parametrize(
    ("url", "format", "slug", "message"),
    [
        ("a b", "multipart", "url-blanks", "URL 'a b' has blanks, expected %20"),
        ("a\tb", "json", "control-character", "URL 'a\\tb' has a control character"),
        ("a\r\nb", "json", "control-character", "URL 'a\\r\\nb' has a control character"),
        ("a\\b", "multipart", "url-backslash", "URL 'a\\\\b' has a backslash"),
        ("é", "multipart", "url-characters", "URL 'é' has 'é', expected a percent-encoding"),
        ("{a}", "json", "url-characters", "URL '{a}' has '{', expected a percent-encoding"),
        (
            "\udcff",
            "multipart",
            "url-characters",
            "URL '\\udcff' has '\\udcff', expected a percent-encoding",
        ),
        ("//host/a", "multipart", "url-authority", "URL '//host/a' begins with two slashes"),
        ("//host/a", "json", "json-url-authority", "URL '//host/a' begins with two slashes"),
        ("a#b", "multipart", "url-fragment", "URL 'a#b' has a fragment"),
        ("urn:x", "multipart", "url-scheme", "URL 'urn:x' begins with 'urn:'"),
        ("http:x", "multipart", "url-scheme", "URL 'http:x' begins with 'http:'"),
        (
            "P('a:b')",
            "multipart",
            "url-colon",
            "URL \"P('a:b')\" has a colon in its path, expected %3A",
        ),
        ("http://h/a", "json", "json-url-absolute", "URL 'http://h/a' is absolute"),
        ("", "json", "json-url-empty", "the URL is empty"),
        ("", "multipart", "request-line-syntax", "the URL is empty"),
    ],
)
def test_an_odd_url_is_reported(url: str, format: Format, slug: str, message: str) -> None:
    assert read(Operation.get(url), format=format) == [(slug, "items[0]", message)]


@pytest.mark.parametrize(
    "url",
    [
        "$batch",
        "/service/$batch",
        "http://h/s/$batch?$format=json",
        "%24batch",
        "a/$batch/",
        "$batch#a",
    ],
)
def test_a_batch_in_a_batch_is_an_error(url: str) -> None:
    found = read(Operation.post(url))
    assert ("nested-batch", "items[0]", f"URL {url!r} names the batch resource") in found


@pytest.mark.parametrize("url", ["$batches", "batch", "a?$batch", "$batch(1)", "x$batch"])
def test_what_only_resembles_the_batch_resource_is_none(url: str) -> None:
    assert "nested-batch" not in [slug for slug, _, _ in read(Operation.post(url))]


def test_unknown_methods_are_a_note_in_multipart_and_a_warning_in_json() -> None:
    merge = Operation("MERGE", "People(1)", id="1")
    assert read(merge) == [("method-unknown", "items[0]", "found the method 'MERGE'")]
    assert read(ChangeSet([merge]), dialect=ODATA_2) == []
    expected = [("json-method-unknown", "items[0]", "found the method 'MERGE'")]
    assert read(merge, format="json") == expected
    assert refused(merge, format="json") == expected


def test_a_method_that_is_no_token_is_refused() -> None:
    assert refused(Operation("A B", "People")) == [
        ("method-syntax", "items[0]", "found the method 'A B', expected a token")
    ]


def test_a_known_method_in_lower_case_is_refused() -> None:
    assert refused(Operation("get", "People")) == [
        ("method-syntax", "items[0]", "found the method 'get', expected 'GET'")
    ]


def test_a_get_with_a_body_is_a_warning() -> None:
    operation = Operation("GET", "People", {"Content-Type": "text/plain"}, b"x")
    message = "found a body of 1 octets with 'GET'"
    assert read(operation) == [("body-unexpected", "items[0]", message)]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_get_or_delete_with_a_body_is_a_warning_in_json(method: str) -> None:
    operation = Operation(method, "People", {"content-type": JSON}, b"{}", id="1")
    message = f"found a body of 2 octets with {method!r}"
    assert read(operation, format="json") == [("json-body-unexpected", "items[0]", message)]


def test_a_delete_with_a_body_is_allowed_in_multipart() -> None:
    assert read(Operation("DELETE", "People(1)", {"content-type": JSON}, b"{}")) == []


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Proxy-Authorization", "Expect", "From", "Max-Forwards", "Range", "TE"],
)
def test_headers_that_do_not_belong_into_an_operation_are_a_warning(name: str) -> None:
    operation = Operation.get("People", headers={name: "x"})
    expected = [("forbidden-header", "items[0]", f"found the header {name.lower()}")]
    assert read(operation) == expected
    assert refused(operation) == expected


def test_a_dialect_can_allow_headers() -> None:
    dialect = Dialect(name="lax", forbidden_headers=frozenset())
    batch_request = BatchRequest([Operation.get("People", headers={"Authorization": "x"})])
    payload = encode_request(batch_request, dialect=dialect)
    assert decode_request(payload.body, payload.content_type, dialect=dialect) == batch_request


def test_transfer_encoding_is_an_error_in_both_roles() -> None:
    headers = {"Transfer-Encoding": "chunked"}
    expected = [("transfer-encoding", "items[0]", "found Transfer-Encoding 'chunked'")]
    assert read(Operation.get("People", headers=headers)) == expected
    assert read_responses(OperationResponse(204, headers)) == expected
    assert refused(Operation.get("People", headers=headers)) == expected


def test_an_odd_version_is_a_note() -> None:
    headers = {"OData-Version": "4.0;", "OData-MaxVersion": "4.01"}
    assert read(Operation.get("People", headers=headers)) == [
        ("version-header", "items[0]", "found odata-version '4.0;', expected a version such as 4.0")
    ]


def test_a_body_without_content_type_is_a_note() -> None:
    operation = Operation.post("People", body=b"x", id="1")
    assert read(operation) == [
        ("content-type-missing", "items[0]", "a body of 1 octets has no Content-Type")
    ]
    assert read(operation, format="json") == [
        (
            "json-content-type-missing",
            "items[0]",
            "a body has no content-type; read as application/json",
        )
    ]


def test_a_string_body_without_content_type_is_a_note_in_json_responses() -> None:
    assert read_responses(OperationResponse(200, body=b'"x"', id="1"), format="json") == [
        ("json-string-body", "items[0]", "the body '\"x\"' is read as a JSON string")
    ]
    assert read_responses(OperationResponse(200, body=b"{}", id="1"), format="json") == []


@pytest.mark.parametrize("status", [100, 199, 204, 304])
def test_a_body_with_a_status_that_has_none_is_a_warning(status: int) -> None:
    response = OperationResponse(status, {"content-type": "text/plain"}, b"x")
    expected = [("body-forbidden", "items[0]", f"found a body of 1 octets with status {status}")]
    assert read_responses(response) == expected
    assert refused_responses(response) == expected


@pytest.mark.parametrize("id", ["", "a b", "é", "<1>", "a/b", "1\n"])
def test_an_identifier_with_odd_characters_is_a_warning(id: str) -> None:
    expected = (
        "id-syntax",
        "items[0]",
        f"found the id {id!r}, expected letters, digits and - . _ ~",
    )
    assert expected in read(Operation.get("People", id=id))
    assert expected in refused(Operation.get("People", id=id))


@pytest.mark.parametrize("id", ["metadata", "entity", "it", "root", "batch"])
def test_an_identifier_that_cannot_be_referred_to_is_a_note(id: str) -> None:
    assert read(Operation.get("People", id=id)) == [
        ("id-unreferencable", "items[0]", f"${id} is not a reference to id {id!r}")
    ]


def test_an_identifier_is_bounded() -> None:
    limits = Limits(id=3)
    encode_request(BatchRequest([Operation.get("People", id="abc")]), limits=limits)
    with pytest.raises(EncodeError, match="limit id is 3, and the message exceeds it"):
        encode_request(BatchRequest([Operation.get("People", id="abcd")]), limits=limits)
    payload = encode_request(BatchRequest([Operation.get("People", id="abcd")]))
    with pytest.raises(LimitExceeded) as caught:
        decode_request(payload.body, payload.content_type, limits=limits)
    assert (caught.value.limit, caught.value.value) == ("id", 3)


# -- what reading JSON and writing have in common --


@pytest.mark.parametrize(
    ("name", "value", "slug", "message"),
    [
        ("a b", "x", "header-syntax", "found the header name 'a b', expected a token"),
        ("", "x", "header-syntax", "found the header name '', expected a token"),
        ("é", "x", "header-syntax", "found the header name 'é', expected a token"),
        (
            "a",
            "x\r\nb: c",
            "control-character",
            "header 'a' has the value 'x\\r\\nb: c', with a control character",
        ),
        (
            "a",
            "x\0",
            "control-character",
            "header 'a' has the value 'x\\x00', with a control character",
        ),
        ("a", "€", "header-characters", "header 'a' has the value '€', not in ISO-8859-1"),
    ],
)
def test_a_header_that_no_field_line_can_carry_is_refused(
    name: str, value: str, slug: str, message: str
) -> None:
    operation = Operation.get("People", headers=[(name, value)], id="1")
    expected = [(slug, "items[0]", message)]
    assert read(operation, format="json") == expected
    assert refused(operation) == expected
    assert refused(operation, format="json") == expected
    assert refused_responses(OperationResponse(204, [(name, value)], id="1")) == expected


@pytest.mark.parametrize("value", ["", "x", "a\tb", "\xa0", "\x80\xff", "a  b"])
def test_a_header_value_that_a_field_line_can_carry_is_written(value: str) -> None:
    request = BatchRequest([Operation.get("People", headers={"a": value}, id="1")])
    payload = encode_request(request)
    assert decode_request(payload.body, payload.content_type, strict=True) == request


@pytest.mark.parametrize("value", [" x", "x\t", " "])
def test_blanks_at_the_ends_of_a_header_are_for_json_only(value: str) -> None:
    operation = Operation.get("People", headers={"a": value}, id="1")
    message = f"header 'a' has the value {value!r}, with a blank at an end"
    assert read(operation, format="json") == [("header-blanks", "items[0]", message)]
    assert refused(operation) == [("not-expressible", "items[0]", message)]
    payload = encode_request(BatchRequest([operation]), format="json")
    assert decode_request(payload.body, JSON, strict=True).items == (operation,)


def test_a_framing_header_with_two_values_is_refused() -> None:
    operation = Operation.get("People", headers=[("Host", "a"), ("host", "b")])
    assert refused(operation) == [
        ("repeated-header", "items[0]", "host has the values 'a' and 'b'")
    ]


def test_other_repeated_headers_are_written() -> None:
    request = BatchRequest(
        [Operation.get("People", headers=[("Host", "a"), ("host", "a"), ("A", "1"), ("a", "2")])]
    )
    payload = encode_request(request)
    assert decode_request(payload.body, payload.content_type, strict=True) == request


@pytest.mark.parametrize("status", [0, 99, 600, -200, 1000])
def test_a_status_out_of_range_is_refused(status: int) -> None:
    message = f"found the status {status}, expected 100 to 599"
    response = OperationResponse(status, id="1")
    assert refused_responses(response) == [("status-line-syntax", "items[0]", message)]
    assert refused_responses(response, format="json") == [("json-status", "items[0]", message)]


def test_a_reason_phrase_that_does_not_fit_on_its_line_is_refused() -> None:
    assert refused_responses(OperationResponse(200, reason="a\nb")) == [
        ("control-character", "items[0]", "the reason phrase 'a\\nb' has a control character")
    ]
    assert refused_responses(OperationResponse(200, reason="€")) == [
        ("header-characters", "items[0]", "the reason phrase '€' is not ISO-8859-1")
    ]


def test_a_reason_phrase_does_not_matter_in_json() -> None:
    encode_response(BatchResponse([OperationResponse(200, reason="a\nb", id="1")]), format="json")


def test_a_wrong_content_length_is_refused() -> None:
    operation = Operation.post(
        "People", headers={"Content-Length": "3", "Content-Type": "a/b"}, body=b"x"
    )
    assert refused(operation) == [
        ("content-length-mismatch", "items[0]", "Content-Length is '3', the body has 1 octets")
    ]
    encode_request(BatchRequest([operation]), format="json")


@pytest.mark.parametrize(("length", "body"), [("1", b"x"), ("1", b"x\r\n"), ("3", b"x\r\n")])
def test_a_content_length_that_decoding_does_not_complain_about_is_written(
    length: str, body: bytes
) -> None:
    headers = {"Content-Length": length, "Content-Type": "a/b"}
    request = BatchRequest([Operation.post("People", headers=headers, body=body)])
    payload = encode_request(request)
    assert decode_request(payload.body, payload.content_type, strict=True) == request


def test_a_content_id_header_that_is_not_the_id_is_refused() -> None:
    operation = Operation.get("People", headers={"Content-ID": "2"}, id="1")
    assert refused(operation) == [
        ("content-id-conflict", "items[0]", "header Content-ID is '2', the id is '1'")
    ]
    encode_request(BatchRequest([operation]), format="json")
    encode_request(BatchRequest([Operation.get("People", headers={"Content-ID": "1"}, id="1")]))


@pytest.mark.parametrize(
    ("limits", "operation"),
    [
        (Limits(body=1), Operation.post("People", body=b"{}")),
        (Limits(url=1), Operation.get("ab")),
        (Limits(header_section=3), Operation.get("a", headers={"a": "b"})),
        (Limits(field_line=3), Operation.get("a", headers={"a": "b"})),
        (Limits(fields=1), Operation.get("a", headers={"a": "b", "c": "d"})),
        (Limits(message=10), Operation.get("a")),
        (Limits(headers_total=10), Operation.get("a", headers={"a": "b"})),
        (Limits(operations=0), Operation.get("a")),
    ],
)
def test_what_decoding_would_not_read_back_is_refused(limits: Limits, operation: Operation) -> None:
    with pytest.raises(EncodeError) as caught:
        encode_request(BatchRequest([operation]), limits=limits)
    (found,) = caught.value.diagnostics
    assert found.rule is Rule.LIMIT_EXCEEDED
    assert found.limit is not None
    assert getattr(limits, found.limit[0]) == found.limit[1]


# -- the batch as a whole --


def test_identifiers_are_unique_at_the_top_level() -> None:
    data = batch(
        part(head=b"Content-Type: application/http\r\nContent-ID: 1\r\n"),
        part(head=b"Content-Type: application/http\r\nContent-ID: 1\r\n"),
    )
    report = check_request(data, MULTIPART)
    assert report.diagnostics[-1] == Diagnostic(
        Rule.DUPLICATE_ID, "the id '1' is used twice, first at byte 5", 84, "items[1]"
    )
    assert refused(Operation.get("a", id="1"), Operation.get("b", id="1")) == [
        ("duplicate-id", "items[1]", "the id '1' is used twice")
    ]


def test_an_identifier_may_not_be_used_twice_in_a_change_set() -> None:
    items = [Operation.delete("a", id="1"), Operation.delete("b", id="1")]
    assert read(ChangeSet(items)) == [
        ("duplicate-id", "items[0].items[1]", "the id '1' is used twice")
    ]


def test_an_identifier_used_again_in_another_change_set_is_a_warning() -> None:
    one, two = (ChangeSet([Operation.delete("a", id="1")]) for _ in range(2))
    expected = [
        ("duplicate-id-across-change-sets", "items[1].items[0]", "the id '1' is used twice")
    ]
    assert read(one, two) == expected
    assert refused(one, two) == expected
    encode_request(BatchRequest([one, two]), dialect=ODATA_2)


def test_an_identifier_used_inside_and_outside_of_a_change_set_is_an_error() -> None:
    inside, outside = ChangeSet([Operation.delete("a", id="1")]), Operation.get("b", id="1")
    assert [slug for slug, _, _ in read(inside, outside)] == ["duplicate-id"]
    assert [slug for slug, _, _ in read(outside, inside)] == ["duplicate-id"]


def test_identifiers_are_unique_across_the_groups_of_a_json_batch() -> None:
    one = ChangeSet([Operation.delete("a", id="1")], id="g")
    two = ChangeSet([Operation.delete("a", id="1")], id="h")
    assert [slug for slug, _, _ in read(one, two, format="json")] == ["duplicate-id"]


def test_an_identifier_is_not_the_name_of_a_group() -> None:
    group = ChangeSet([Operation.delete("a", id="1")], id="g")
    single = Operation.get("b", id="g")
    assert read(single, group, format="json") == [
        ("id-equals-group", "items[1]", "the group name 'g' is also an id")
    ]
    assert read(group, single, format="json") == [
        ("id-equals-group", "items[1]", "the id 'g' is also the name of a group")
    ]


def test_two_groups_do_not_share_a_name() -> None:
    one = ChangeSet([Operation.delete("a", id="1")], id="g")
    two = ChangeSet([Operation.delete("a", id="2")], id="g")
    assert refused(one, two, format="json") == [
        ("duplicate-id", "items[1]", "the group name 'g' is used twice")
    ]


def test_the_name_of_a_group_is_an_identifier() -> None:
    group = ChangeSet([Operation.delete("a", id="1")], id="a b")
    message = "found the id 'a b', expected letters, digits and - . _ ~"
    assert refused(group, format="json") == [("id-syntax", "items[0]", message)]


@pytest.mark.parametrize(
    ("depends_on", "slug", "message"),
    [
        ("9", "depends-on-unknown", "'2' depends on '9', which no request has as its id"),
        ("2", "depends-on-self", "'2' depends on itself"),
        ("3", "depends-on-forward", "'2' depends on '3', which comes later in the batch"),
        ("h", "depends-on-forward", "'2' depends on 'h', which comes later in the batch"),
    ],
)
def test_a_dependency_names_what_comes_before(depends_on: str, slug: str, message: str) -> None:
    items = (
        Operation.get("a", id="1"),
        Operation.get("b", id="2", depends_on=[depends_on]),
        Operation.get("c", id="3"),
        ChangeSet([Operation.delete("d", id="4")], id="h"),
    )
    assert read(*items, format="json") == [(slug, "items[1]", message)]
    assert (slug, "items[1]", message) in refused(*items, format="json")


def test_a_dependency_may_name_a_request_and_a_group_before() -> None:
    items = (
        Operation.get("a", id="1"),
        ChangeSet(
            [Operation.delete("d", id="2"), Operation.delete("e", id="3", depends_on=["2"])], id="g"
        ),
        Operation.get("b", id="4", depends_on=["1", "g", "1"]),
        Operation.get("b", id="5", depends_on=["2", "g"]),
    )
    assert read(*items, format="json") == []


def test_a_dependency_on_the_own_group_is_a_warning() -> None:
    group = ChangeSet([Operation.delete("d", id="2", depends_on=["g"])], id="g")
    expected = [("depends-on-own-group", "items[0].items[0]", "depends on its own group 'g'")]
    assert read(group, format="json") == expected
    assert refused(group, format="json") == expected


def test_a_dependency_on_a_member_of_a_group_names_the_group() -> None:
    group = ChangeSet([Operation.delete("d", id="2")], id="g")
    dependent = Operation.get("b", id="3", depends_on=["2"])
    assert read(group, dependent, format="json") == [
        ("depends-on-group-missing", "items[1]", "depends on '2', but not on its group 'g'")
    ]
    payload = encode_request(BatchRequest([group, dependent]), format="json")
    assert b'"dependsOn":["2","g"]' in payload.body


def test_a_group_that_is_split_is_ordered_as_it_stands_in_the_payload() -> None:
    data = (
        b'{"requests":[{"id":"1","atomicityGroup":"g","method":"POST","url":"a"},'
        b'{"id":"2","method":"GET","url":"b"},'
        b'{"id":"3","atomicityGroup":"g","method":"POST","url":"c","dependsOn":["2"]}]}'
    )
    report = check_request(data, JSON)
    assert [found.rule.slug for found in report.diagnostics] == ["group-split"]


def test_dependencies_are_bounded() -> None:
    limits = Limits(depends_on=1)
    items = (Operation.get("a", id="1"), Operation.get("b", id="2", depends_on=["1"]))
    encode_request(BatchRequest(items), format="json", limits=limits)
    more = (*items, Operation.get("c", id="3", depends_on=["2"]))
    with pytest.raises(EncodeError, match="limit depends_on is 1"):
        encode_request(BatchRequest(more), format="json", limits=limits)


@pytest.mark.parametrize(
    ("url", "slug", "message"),
    [
        (
            "$9/x",
            "reference-unknown",
            "URL '$9/x' refers to '9', which no request has as its id",
        ),
        (
            "$2/x",
            "reference-forward",
            "URL '$2/x' refers to '2', which comes later in the batch",
        ),
        ("$1", "reference-forward", "URL '$1' refers to the request itself"),
    ],
)
def test_a_reference_refers_to_what_comes_before(url: str, slug: str, message: str) -> None:
    items = ChangeSet([Operation.post(url, id="1"), Operation.post("b", id="2")])
    assert read(items) == [(slug, "items[0].items[0]", message)]
    assert refused(items) == [(slug, "items[0].items[0]", message)]


@pytest.mark.parametrize(
    "url", ["$metadata", "$crossjoin(A,B)", "$entity?$id=1", "$10/x", "a/$2?x=/$1"]
)
def test_what_is_no_reference_to_an_identifier_is_left_alone(url: str) -> None:
    found = read(Operation.post("a", id="1"), Operation.get("b", id="10"), Operation.get(url))
    assert found == []


def test_a_reference_into_another_change_set_is_a_note_and_in_older_versions_a_warning() -> None:
    items = (
        ChangeSet([Operation.post("a", id="1")]),
        ChangeSet([Operation.post("$1/b", id="2")]),
    )
    message = "URL '$1/b' refers to a request in another change set"
    expected = [("reference-across-change-sets", "items[1].items[0]", message)]
    assert read(*items) == expected
    encode_request(BatchRequest(items))
    assert refused(*items, dialect=ODATA_4_0) == expected


def test_a_reference_that_is_not_the_first_segment_is_none() -> None:
    items = (Operation.post("a", id="1"), Operation.post("/service/$1/b"))
    message = "URL '/service/$1/b' does not begin with $1; it refers to nothing"
    assert read(*items) == [("reference-not-first", "items[1]", message)]


def test_a_reference_to_what_is_deleted_is_a_note() -> None:
    items = (Operation.delete("a", id="1"), Operation.get("$1/b"))
    message = "URL '$1/b' refers to a DELETE, which returns no entity"
    assert read(*items) == [("reference-target", "items[1]", message)]


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
def test_a_reference_to_an_etag_names_a_request_before(name: str) -> None:
    items = (
        Operation.get("a", id="1"),
        Operation.delete("a", headers={name: "$1"}),
        Operation.delete("b", headers={name: "$2"}),
        Operation.delete("c", headers={name: '"$3"'}),
    )
    message = f"{name.lower()} refers to '2', no request before has this id"
    assert read(*items) == [("etag-reference-unknown", "items[2]", message)]


def test_what_a_condition_refers_to_is_among_the_dependencies() -> None:
    items = (
        Operation.get("a", id="1"),
        Operation("GET", "b", id="2", depends_on=["1"], condition="$1/$succeeded eq true"),
        Operation("GET", "c", id="3", depends_on=["2"], condition="$1/Age gt 5"),
    )
    message = "the condition refers to '1', dependsOn does not name it"
    assert read(*items, format="json") == [("condition-dependency-missing", "items[2]", message)]


def test_ids_that_differ_in_case_alone_are_a_note() -> None:
    items = (Operation.get("a", id="ab"), Operation.get("b", id="aB"))
    message = "the ids 'ab' and 'aB' differ in case alone"
    assert read(*items) == [("id-case", "items[1]", message)]


@pytest.mark.parametrize(
    ("url", "host", "is_fine"),
    [
        ("http://example.org/a", "example.org", True),
        ("HTTPS://Example.org:444?a", "example.ORG:444", True),
        ("http://example.org/a", "example.com", False),
        ("/a", "example.com", True),
    ],
)
def test_an_absolute_url_and_host_agree(url: str, host: str, is_fine: bool) -> None:
    found = read(Operation.get(url, headers={"Host": host}))
    message = f"URL {url!r} is absolute, and Host is {host!r}"
    assert found == ([] if is_fine else [("host-conflict", "items[0]", message)])


@pytest.mark.parametrize("name", ["respond-async", "odata.respond-async"])
def test_respond_async_is_no_preference_of_one_request_in_multipart(name: str) -> None:
    operation = Operation.get("a", headers={"Prefer": f"return=minimal, {name}"}, id="1")
    message = f"found the preference {name} in one request"
    assert read(operation) == [("respond-async-inside", "items[0]", message)]
    assert read(operation, format="json") == []


@pytest.mark.parametrize(
    ("url", "host"),
    [("http://h:80/a", "h"), ("https://H/a", "h:443"), ("HTTPS://h:443/a", "H:443")],
)
def test_a_default_port_is_the_same_as_none(url: str, host: str) -> None:
    assert read(Operation.get(url, headers={"Host": host})) == []
    assert read(Operation.get(url, headers={"Host": f"{host}:81"})) != []


def test_a_condition_without_dependencies_is_a_note() -> None:
    operation = Operation("GET", "b", id="1", condition="$9/$succeeded")
    message = "there is a condition, and no dependency that it could be about"
    assert read(operation, format="json") == [("condition-dependency-missing", "items[0]", message)]


def test_until_version_4_0_a_reference_leads_to_its_own_change_set() -> None:
    outside = Operation.get("a", id="1")
    member = ChangeSet([Operation.post("$1/b", id="2")])
    message = "URL '$1/b' refers to a request outside of change sets"
    expected = [("reference-across-change-sets", "items[1].items[0]", message)]
    assert read(outside, member, dialect=ODATA_4_0) == expected
    assert read(outside, member) == []


def test_where_no_reference_is_resolved_none_is_misplaced() -> None:
    dialect = replace(ODATA_4_01, references="none")
    items = (Operation.get("a", id="1"), Operation.get("/$1/b", id="2"))
    found = read(*items, dialect=dialect, format="json")
    assert [slug for slug, _, _ in found if slug.startswith("reference-not-first")] == []


@pytest.mark.parametrize(
    ("depends_on", "group", "slug"),
    [("AB", "g", "depends-on-self"), ("G", "g", "depends-on-own-group")],
)
def test_case_may_not_matter_to_dependencies(depends_on: str, group: str, slug: str) -> None:
    dialect = replace(ODATA_4_01, ids_ignore_case=True)
    item = ChangeSet([Operation.delete("a", id="ab", depends_on=[depends_on])], id=group)
    found = [slug for slug, _, _ in read(item, format="json", dialect=dialect)]
    assert slug in found


def test_case_may_not_matter_to_groups() -> None:
    dialect = replace(ODATA_4_01, ids_ignore_case=True)
    group = ChangeSet([Operation.delete("a", id="1")], id="G")
    dependent = Operation.get("b", id="g", depends_on=["1", "g"])
    slugs = [slug for slug, _, _ in read(group, dependent, format="json", dialect=dialect)]
    assert slugs == ["depends-on-self", "id-equals-group"]
    fine = Operation.get("b", id="2", depends_on=["1", "g"])
    assert read(group, fine, format="json", dialect=dialect) == []


def test_dependencies_in_a_circle_are_named_from_end_to_end() -> None:
    items = (
        Operation.get("a", id="1", depends_on=["3"]),
        Operation.get("b", id="2", depends_on=["1"]),
        Operation.get("c", id="3", depends_on=["2"]),
        Operation.get("d", id="4", depends_on=["5"]),
        Operation.get("e", id="5"),
    )
    assert read(*items, format="json") == [
        ("depends-on-forward", "items[0]", "'1' depends on '3', which comes later in the batch"),
        ("depends-on-forward", "items[3]", "'4' depends on '5', which comes later in the batch"),
        (
            "depends-on-cycle",
            "items[0]",
            "'1' depends on '3', which depends on '2', which depends on '1'",
        ),
    ]


def test_a_request_that_depends_on_itself_is_no_circle() -> None:
    items = (
        Operation.get("a", id="1", depends_on=["1", "2"]),
        Operation.get("b", id="2"),
    )
    assert [slug for slug, _, _ in read(*items, format="json")] == [
        "depends-on-self",
        "depends-on-forward",
    ]


def test_a_dialect_may_find_requests_without_regard_to_case() -> None:
    items = (Operation.get("a", id="ab"), Operation.get("b", id="c", depends_on=["AB"]))
    dialect = replace(ODATA_4_01, ids_ignore_case=True)
    assert read(*items, format="json", dialect=dialect) == []
    assert [slug for slug, _, _ in read(*items, format="json")] == ["depends-on-unknown"]


def test_a_long_circle_is_not_listed_whole() -> None:
    items = [Operation.get("a", id=f"{n}", depends_on=[f"{(n + 1) % 100}"]) for n in range(100)]
    names = ", which depends on ".join(f"'{n}'" for n in range(1, 9))
    message = f"'0' depends on {names}, which depends on 91 more, which depends on '0'"
    assert read(*items, format="json")[-1] == ("depends-on-cycle", "items[0]", message)


def test_a_reference_to_an_individual_request_is_allowed() -> None:
    items = (Operation.get("a", id="1"), ChangeSet([Operation.post("$1/b", id="2")]))
    assert read(*items) == []


def test_a_reference_prefers_its_own_change_set() -> None:
    items = (
        ChangeSet([Operation.post("a", id="1")]),
        ChangeSet([Operation.post("a", id="1"), Operation.post("$1/b", id="2")]),
    )
    assert read(*items, dialect=ODATA_2) == [
        ("duplicate-id-across-change-sets", "items[1].items[0]", "the id '1' is used twice")
    ]


def test_a_reference_in_json_is_a_dependency() -> None:
    items = (Operation.post("a", id="1"), Operation.post("$1/b", id="2"))
    assert read(*items, format="json") == [
        (
            "reference-dependency-missing",
            "items[1]",
            "URL '$1/b' refers to '1', dependsOn does not name it",
        )
    ]
    payload = encode_request(BatchRequest(items), format="json")
    assert b'"dependsOn":["1"]' in payload.body


def test_an_empty_change_set_is_a_warning() -> None:
    message = "found a change set without operations"
    assert refused(ChangeSet([])) == [("empty-change-set", "items[0]", message)]
    assert refused(ChangeSet([]), format="json") == [("empty-change-set", "items[0]", message)]
    assert refused_responses(ChangeSetResponse([])) == [("empty-change-set", "items[0]", message)]


def test_a_get_in_a_change_set_is_a_warning_in_multipart_only() -> None:
    items = ChangeSet([Operation.get("a", id="1")], id="g")
    expected = [("get-in-change-set", "items[0].items[0]", "found GET 'a' in a change set")]
    assert read(items) == expected
    assert read(items, format="json") == []


def test_a_change_set_member_without_content_id_is_a_warning() -> None:
    data = batch(change_set(member(b"DELETE a HTTP/1.1\r\n\r\n", None)))
    message = "DELETE 'a' in a change set has no Content-ID"
    assert check_request(data, MULTIPART).diagnostics == (
        Diagnostic(Rule.CONTENT_ID_MISSING, message, 55, "items[0].items[0]"),
    )
    (found,) = check_request(data, MULTIPART, dialect=ODATA_2).diagnostics
    assert found.severity.name == "NOTE"


def test_a_change_set_in_a_change_set_is_refused() -> None:
    inner = ChangeSet([Operation.delete("a", id="1")])
    message = "found change sets nested 2 deep"
    expected = [("nested-change-set", "items[1]", message)]
    assert refused(Operation.get("b"), ChangeSet([inner])) == expected
    response = ChangeSetResponse([ChangeSetResponse([OperationResponse(204)])])
    assert refused_responses(OperationResponse(200), response) == expected


def test_nested_change_sets_are_checked_where_they_are_allowed() -> None:
    inner = ChangeSet([Operation.delete("a", id="1"), Operation.delete("b", id="1")])
    assert read(ChangeSet([inner])) == [
        ("duplicate-id", "items[0].items[0].items[1]", "the id '1' is used twice")
    ]
    twice = ChangeSetResponse([OperationResponse(204, id="1"), OperationResponse(204, id="1")])
    assert read_responses(ChangeSetResponse([twice])) == [
        ("duplicate-response-id", "items[0].items[0].items[1]", "the id '1' is answered twice")
    ]


def test_depth_is_measured_without_recursion() -> None:
    item: Operation | ChangeSet = Operation.get("a")
    assert depth_of(item) == 0
    for _ in range(10_000):
        item = ChangeSet([item])
    assert depth_of(item) == 10_000
    # Taken apart from the outside, so that freeing it does not recurse either.
    while isinstance(item, ChangeSet):
        item = item.items[0]


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(operations=2), "operations"),
        (Limits(change_set_operations=2), "change_set_operations"),
    ],
)
def test_operations_are_counted_and_change_sets_are_not(limits: Limits, limit: str) -> None:
    def of(count: int) -> BatchRequest:
        return BatchRequest([ChangeSet([Operation.delete("a") for _ in range(count)])])

    encode_request(of(2), limits=limits)
    with pytest.raises(EncodeError, match=f"limit {limit} is 2"):
        encode_request(of(3), limits=limits)


def test_change_sets_are_as_many_as_operations_at_most() -> None:
    limits = Limits(operations=1)
    data = batch(change_set(), change_set(), boundary=b"b")
    with pytest.raises(LimitExceeded) as caught:
        decode_request(data, MULTIPART, limits=limits)
    assert (caught.value.limit, caught.value.value) == ("operations", 1)


def test_ids_may_start_anew_in_the_responses_to_each_change_set() -> None:
    first, second = (ChangeSetResponse([OperationResponse(204, id="1")]) for _ in "ab")
    assert read_responses(first, second) == []
    alone = OperationResponse(204, id="1")
    message = "the id '1' is answered twice"
    assert read_responses(first, alone) == [("duplicate-response-id", "items[1]", message)]


ACCEPTED = OperationResponse(202, [("Location", "monitor")])


def test_a_202_in_a_multipart_response_is_the_last_one() -> None:
    assert read_responses(OperationResponse(200), ACCEPTED) == []
    assert read_responses(ACCEPTED, OperationResponse(200), ACCEPTED) == [
        ("accepted-not-last", "items[0]", "the response 202 is followed by others")
    ]
    assert read_responses(ACCEPTED, OperationResponse(200), format="json") == []


def test_a_202_in_a_change_set_is_a_warning() -> None:
    item = ChangeSetResponse([OperationResponse(204), ACCEPTED])
    message = "found the response 202 in a change set"
    assert read_responses(item) == [("accepted-in-change-set", "items[0].items[1]", message)]


@pytest.mark.parametrize(
    ("status", "slug"), [(201, "created-without-location"), (202, "accepted-without-location")]
)
def test_what_was_created_or_accepted_has_a_location(status: int, slug: str) -> None:
    message = f"the response {status} has no Location"
    assert read_responses(OperationResponse(status)) == [(slug, "items[0]", message)]
    assert read_responses(OperationResponse(status, {"location": "x"})) == []


@pytest.mark.parametrize("name", ["location", "content-location", "odata-entityid"])
def test_urls_in_responses_hold_no_references(name: str) -> None:
    item = OperationResponse(200, {name: "$1/Orders(5)"})
    message = f"{name} is '$1/Orders(5)'"
    assert read_responses(item) == [("reference-in-response", "items[0]", message)]
    assert read_responses(OperationResponse(200, {name: "Orders(5)"})) == []


def test_an_async_result_on_one_response_is_a_note() -> None:
    item = OperationResponse(200, {"AsyncResult": "200"})
    message = "found AsyncResult '200' in one response"
    assert read_responses(item) == [("async-result-inside", "items[0]", message)]


def test_an_error_among_the_responses_to_a_change_set_fails_all_of_them() -> None:
    item = ChangeSetResponse([OperationResponse(204, id="1"), OperationResponse(400, id="2")])
    assert read_responses(item) == [
        (
            "change-set-error-nested",
            "items[0]",
            "1 of the 2 responses in a change set are errors",
        )
    ]
    assert read_responses(item, format="json") == [
        (
            "group-status-mixed",
            "items[0]",
            "1 of the 2 responses of a group are errors, so all failed",
        )
    ]
    failed = ChangeSetResponse([OperationResponse(424, id="1"), OperationResponse(400, id="2")])
    assert read_responses(failed, format="json") == []


def test_a_response_id_that_is_used_twice_is_a_warning() -> None:
    data = b'{"responses":[{"id":"1","status":204},{"id":"1","status":204}]}'
    assert check_response(data, JSON).diagnostics == (
        Diagnostic(Rule.DUPLICATE_RESPONSE_ID, "the id '1' is answered twice", 38, "items[1]"),
    )


# -- the outer message --


@pytest.mark.parametrize(
    ("headers", "slug", "message"),
    [
        ({"If-Match": "*"}, "outer-precondition", "the batch request has if-match '*'"),
        (
            {"If-None-Match": "null"},
            "outer-precondition",
            "the batch request has if-none-match 'null'",
        ),
        ({"X-HTTP-Method": "GET"}, "method-tunnel", "the batch request has X-HTTP-Method 'GET'"),
        (
            {"Prefer": "return=minimal"},
            "outer-preference",
            "the batch request has the preference 'return'",
        ),
        (
            {"Prefer": "odata.maxpagesize=3"},
            "outer-preference",
            "the batch request has the preference 'odata.maxpagesize'",
        ),
        (
            {"Prefer": "continue-on-error=yes"},
            "preference-value",
            "continue-on-error is 'yes', expected true or false",
        ),
        (
            {"OData-Version": "four"},
            "version-header",
            "found odata-version 'four', expected a version such as 4.0",
        ),
    ],
)
def test_the_outer_headers_of_a_request_are_checked(
    headers: dict[str, str], slug: str, message: str
) -> None:
    report = check_request(batch(part()), MULTIPART, headers=headers)
    assert [
        (found.rule.slug, found.message, found.position, found.path) for found in report.diagnostics
    ] == [(slug, message, 0, "headers")]


@pytest.mark.parametrize(
    ("headers", "slug", "message"),
    [
        ({"ETag": "x"}, "outer-response-header", "the batch response has the header etag"),
        ({"Location": "x"}, "outer-response-header", "the batch response has the header location"),
        (
            {"OData-EntityId": "x"},
            "outer-response-header",
            "the batch response has the header odata-entityid",
        ),
        (
            {"AsyncResult": "OK"},
            "async-result",
            "AsyncResult is 'OK', expected a status code of three digits",
        ),
    ],
)
def test_the_outer_headers_of_a_response_are_checked(
    headers: dict[str, str], slug: str, message: str
) -> None:
    report = check_response(b'{"responses":[]}', JSON, headers=headers)
    assert [(found.rule.slug, found.message) for found in report.diagnostics] == [(slug, message)]


def test_an_async_result_of_three_digits_is_fine() -> None:
    assert (
        check_response(b'{"responses":[]}', JSON, headers={"AsyncResult": "200"}).diagnostics == ()
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], None),
        (["respond-async"], None),
        (["continue-on-error"], True),
        (["odata.continue-on-error"], True),
        (["ODATA.Continue-On-Error"], True),
        (["continue-on-error=true"], True),
        (['continue-on-error="FALSE"'], False),
        (["odata.continue-on-error = false"], False),
        (["return=minimal, continue-on-error=false; x=y"], False),
        (['a="x, continue-on-error"'], None),
        (["respond-async", "continue-on-error"], True),
        (["continue-on-error=false", "continue-on-error"], False),
        (["odata.continue-on-error=false, continue-on-error"], True),
        (["continue-on-error=maybe"], None),
        (['continue-on-error="\\true"'], True),
    ],
)
def test_the_preference_is_read_in_all_its_forms(fields: list[str], expected: bool | None) -> None:
    headers = Headers([("Prefer", value) for value in fields])
    assert continue_on_error(headers, lambda rule, message: None) is expected


def test_preferences_are_a_list_over_all_fields() -> None:
    headers = Headers([("prefer", "a, B=1;c=2"), ("Prefer", 'd="x,y", e')])
    assert preferences(headers) == [("a", ""), ("b", "1"), ("d", "x,y"), ("e", "")]


def test_two_groups_of_a_response_do_not_share_a_name() -> None:
    one, two = (ChangeSetResponse([OperationResponse(204, id=id)], id="g") for id in "12")
    assert refused_responses(one, two, format="json") == [
        ("duplicate-id", "items[1]", "the group name 'g' is used twice")
    ]
    encode_response(BatchResponse([one, two]))


def test_repeated_headers_are_bounded_as_json_joins_them() -> None:
    operation = Operation.get(
        "People", headers=[("Accept", "a" * 40_000), ("Accept", "b" * 40_000)]
    )
    encode_request(BatchRequest([operation]))
    with pytest.raises(EncodeError, match="limit field_line is 65536"):
        encode_request(BatchRequest([operation]), format="json")


@pytest.mark.parametrize("value", ["," * 65_000, " " * 65_000, '"' * 65_000, 'a="' * 20_000])
def test_a_long_prefer_says_nothing(value: str) -> None:
    assert continue_on_error(Headers({"Prefer": value}), lambda rule, message: None) is None
