"""What is known of the other items of a batch hides nothing that is wrong with one of them.

The incremental encoder looks at each item for itself, and is what a whole batch is compared with.
"""

from dataclasses import replace
from typing import Any, Literal

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    EncodeError,
    Headers,
    Limits,
    Operation,
    OperationResponse,
)

FIELDS = Headers({"Content-Type": "application/json", "Prefer": "return=minimal"})
BODY = b'{"Name": "Ann"}'

ANY = [
    {},
    {"id": "a b"},
    {"id": ""},
    {"id": "4"},
    {"id": "A"},
    {"id": "metadata"},
    {"id": "a" * 300},
    {"body": b""},
    {"body": b"\xff"},
    {"body": b"null"},
    {"body": b" 1 "},
    {"body": b"[" + b"1," * 50 + b"1]"},
    {"headers": Headers()},
    {"headers": Headers(), "body": b'"a"'},
    {"headers": Headers([("ETag", "a"), ("etag", "a")])},
    {"headers": Headers([("Content-Type", "text/plain"), ("content-type", "text/plain")])},
    {"headers": Headers([("Content-Type", "text/plain")])},
    {"headers": Headers([("Content-Type", "text/plain")]), "body": b" a "},
    {"headers": Headers([("Content-Type", "image/png")])},
    {"headers": Headers([("Content-Length", "15")])},
    {"headers": Headers([("Content-Length", "015")])},
    {"headers": Headers([("Content-Length", "9"), ("Content-Type", "application/json")])},
    {"headers": Headers([("Content-ID", "a")])},
    {"headers": Headers([("If-Match", "$4")])},
    {"headers": Headers([("Location", "$4")])},
    {"headers": Headers([("OData-Version", "x")])},
    {"headers": Headers([("Prefer", "respond-async")])},
    {"headers": Headers([("Authorization", "a")])},
    {"headers": Headers([("Transfer-Encoding", "chunked")])},
    {"headers": Headers([("a%s", "%d")])},
    {"headers": Headers([("a b", "a")])},
    {"headers": Headers([("a", "")])},
    {"headers": Headers([("a", ' "\\"')])},
    {"headers": Headers([("a", "b "), ("b", "a")])},
    {"headers": Headers([("a", "\x00")])},
    {"headers": Headers([("a", "\t\xe9\\")])},
    {"headers": Headers([("a", "\u20ac")])},
    {"headers": Headers([("a", "a" * 700)])},
    {"headers": Headers([("a", "b")] * 9)},
    {"annotations": [("@a", b"1")]},
    {"annotations": [("@a", b"")]},
]
REQUESTS = [
    *ANY,
    {"method": "GET"},
    {"method": "A B"},
    {"method": "patch"},
    {"method": "MERGE"},
    {"url": ""},
    {"url": "a b"},
    {"url": "a\nb"},
    {"url": "a\u20ac"},
    {"url": "a%4"},
    {"url": "a%41"},
    {"url": "a#"},
    {"url": "//a"},
    {"url": "http://a/b"},
    {"url": "https://a:8/b"},
    {"url": "http:///$batch"},
    {"url": "http://$4"},
    {"url": "http://a%4/b"},
    {"url": "http://a/b", "headers": Headers([("Host", "b")])},
    {"url": "ftp://a/b"},
    {"url": "$4/a"},
    {"url": "$no"},
    {"url": "a/$batch"},
    {"url": "a/%24batch"},
    {"url": "a/$4?$top=1"},
    {"url": "a" * 200},
    {"url": f"http://{'a' * 200}/b"},
    {"depends_on": ("4",)},
    {"depends_on": ("\ud800",)},
    {"condition": "$4"},
]
RESPONSES = [
    *ANY,
    *({"status": status} for status in (99, 201, 202, 204, 304, 404)),
    {"reason": "Fine"},
    {"reason": "a\nb"},
    {"reason": "\u20ac"},
]
LIMITS = Limits(
    url=100,
    body=99,
    field_line=600,
    fields=8,
    operations=20,
    items=19,
    change_set_operations=8,
    id=250,
)


def outcome(codec: Codec, items: list[Any], *, whole: bool) -> object:
    """Return the body, or what is wrong."""
    is_request = isinstance(items[0], Operation | ChangeSet)
    boundary = "batch_1" if codec.format == "multipart" else None
    try:
        if whole and is_request:
            return codec.encode_request(BatchRequest(items), boundary=boundary).body
        if whole:
            return codec.encode_response(BatchResponse(items), boundary=boundary).body
        encoder = (codec.request_encoder if is_request else codec.response_encoder)(
            boundary=boundary
        )
        return b"".join([*map(encoder.send, items), encoder.close()])
    except EncodeError as error:
        return [(each.rule.slug, each.message, each.path) for each in error.diagnostics]


def check(format: Literal["multipart", "json"], item: Any, kind: Any, other: Any) -> None:
    """Hold a whole batch against its items, for the item in several places among others."""
    codec = Codec(format=format, limits=LIMITS)
    others = [replace(other, id=str(number)) for number in range(6)]
    several = [replace(item, id=f"b{number}") for number in range(15)]
    many = [
        [*others, item],
        [item, *others],
        [kind([*others, item], id="g")],
        [kind(others, id="g"), item],
        [kind(others), kind([item], id="g")],
        [*others, kind([kind([item])])],
        [*others, kind([])],
        [kind([*others, *several[:3]], id="g")],
        [*others, *several],
        [*others, *several[1:]],
    ]
    for items in many:
        found, first = outcome(codec, items, whole=True), outcome(codec, items, whole=False)
        if isinstance(found, list) and isinstance(first, list):
            found = found[: len(first)]  # one by one, the first item with a fault is the last
        assert found == first


@pytest.mark.untraced
@pytest.mark.parametrize("format", ["multipart", "json"])
@pytest.mark.parametrize("changes", REQUESTS)
def test_an_operation_among_others_is_judged_as_alone(
    changes: dict[str, Any], format: Literal["multipart", "json"]
) -> None:
    operation = Operation("PATCH", "People(1)", FIELDS, BODY, id="a")
    check(format, replace(operation, **changes), ChangeSet, operation)


@pytest.mark.parametrize("format", ["multipart", "json"])
@pytest.mark.parametrize("changes", RESPONSES)
def test_a_response_among_others_is_judged_as_alone(
    changes: dict[str, Any], format: Literal["multipart", "json"]
) -> None:
    response = OperationResponse(200, FIELDS, BODY, id="a")
    check(format, replace(response, **changes), ChangeSetResponse, response)
