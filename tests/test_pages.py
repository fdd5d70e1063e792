"""What is captured in place of a batch: pages, single errors, redirections and nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odata_batch.capture import parse_message

# As nginx answers, and IIS, Azure AD and OData services do.
NGINX = (
    b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n<center>"
    b"<h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n"
    b"</body>\r\n</html>\r\n"
)
IIS = (
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">\r\n<HTML><HEAD><TITLE>Bad\r\n Request'
    b"</TITLE>\r\n</HEAD></HTML>"
)
LOGIN = b"\xef\xbb\xbf<!-- Copyright -->\r\n<!DOCTYPE html>\r\n<html><title>Sign in</title></html>"
ODATA_2_XML = (
    b'<?xml version="1.0" encoding="utf-8"?><error xmlns="http://schemas.microsoft.com/ado/2007/08'
    b'/dataservices/metadata"><code>005056A509B11EE1B9A8FEC11C21D78E</code><message xml:lang="en">'
    b"Resource not found</message></error>"
)
SOAP = (
    b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Reason>'
    b"<s:Text>Denied</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
)


def instead(body: bytes, content_type: str, status: int | None = 500) -> object:
    """What a message with this body holds in place of a batch."""
    start_line = f"HTTP/1.1 {status} Reason" if status else "POST /$batch HTTP/1.1"
    return described(start_line, body, content_type)


def described(start_line: str, body: bytes, content_type: str) -> object:
    values = {"Host": "h", "Content-Type": content_type}
    head = [start_line, *(f"{name}: {value}" for name, value in values.items() if value), "", ""]
    message = parse_message("\r\n".join(head).encode().removeprefix(b"\r\n") + body)
    assert message.body == body
    assert message.is_readable == (message.not_a_batch is None and "" != content_type)
    return message.not_a_batch


# -- pages and errors --


@pytest.mark.parametrize(
    ("body", "content_type", "what"),
    [
        (NGINX, "text/html", "an HTML page '413 Request Entity Too Large'"),
        (IIS, "text/html; charset=us-ascii", "an HTML page 'Bad Request'"),
        (LOGIN, "text/html", "an HTML page 'Sign in'"),
        (NGINX, "", "an HTML page '413 Request Entity Too Large'"),
        (b"<h1>Forbidden</h1>", "text/html", "an HTML page 'Forbidden'"),
        (b"<html></html>", "text/html", "an HTML page"),
        (b"<html><title> </title></html>", "text/html", "an HTML page"),
        (
            b"<html><title>" + b"a" * 61 + b"</title></html>",
            "text/html",
            f"an HTML page '{'a' * 60}'...",
        ),
        (b"gone", "text/html", "an HTML page"),
        (ODATA_2_XML, "application/xml", "an XML error 'Resource not found'"),
        (ODATA_2_XML, "", "an XML error 'Resource not found'"),
        (SOAP, "application/soap+xml", "an XML error 'Denied'"),
        (b"<service/>", "application/xml", "an XML document"),
    ],
)
def test_a_page_is_quoted_by_its_title(body: bytes, content_type: str, what: str) -> None:
    assert instead(body, content_type) == f"status 500 with {what}"


@pytest.mark.parametrize(
    ("error", "what"),
    [
        ({"error": {"code": "", "message": "No such service."}}, "a JSON error 'No such service.'"),
        ({"error": {"message": {"lang": "en", "value": "Gone."}}}, "a JSON error 'Gone.'"),
        ({"odata.error": 1, "error": {"code": "1"}}, "a JSON error"),
        ({"odata.error": {"message": {"value": "Gone."}}}, "a JSON error 'Gone.'"),
        ({"odata.error": {"code": "1"}}, "a JSON error"),
        ({"error": "invalid_grant"}, "a JSON error 'invalid_grant'"),
        (
            {"error": "invalid_grant", "error_description": "The token has expired."},
            "a JSON error 'The token has expired.'",
        ),
        ({"Message": "An error has occurred."}, "a JSON error 'An error has occurred.'"),
        ({"title": "Forbidden", "detail": "Not you."}, "a JSON error 'Not you.'"),
        ({"title": "Forbidden"}, "a JSON error 'Forbidden'"),
        ({"value": []}, "a body of 'application/problem+json'"),
        ([1], "a body of 'application/problem+json'"),
        ({"error": {}, "responses": []}, "a body of 'application/problem+json'"),
    ],
)
def test_a_json_error_is_quoted_by_its_message(error: object, what: str) -> None:
    body = json.dumps(error).encode()
    assert instead(body, "application/problem+json") == f"status 500 with {what}"


@pytest.mark.parametrize(
    ("body", "content_type", "what"),
    [
        (b"", "text/html", "an empty body"),
        (b"", "", "an empty body"),
        (b"Service Unavailable\r\n", "text/plain", "the text 'Service Unavailable'"),
        (b"upstream timed out", "", "the text 'upstream timed out'"),
        (b" ", "text/plain", "the text"),
        (b"\x89PNG", "image/png", "a body of 'image/png'"),
        (b"a=b", "application/x-www-form-urlencoded", "form data"),
        (b"--c\r\n", "multipart/form-data; boundary=b", None),
        (b"a", "multipart/form-data; boundary=b", "form data"),
        (b'{"a":' + b"[" * 100_000, "text/json", "a body of 'text/json'"),
        (b'{"message":"' + b"a" * 70_000 + b'"}', "text/json", "a body of 'text/json'"),
    ],
)
def test_anything_else_is_described(body: bytes, content_type: str, what: str | None) -> None:
    expected = None if what is None else f"status 500 with {what}"
    assert instead(body, content_type) == expected


@pytest.mark.parametrize(
    ("body", "content_type", "what"),
    [
        (NGINX, "", "an HTML page '413 Request Entity Too Large'"),
        (b'{"error":{"message":"No."}}', "text/json", "a JSON error 'No.'"),
        (b"", "text/plain", None),
        (b"hello", "", None),
        (b"{}", "text/json", None),
    ],
)
def test_without_a_status_a_page_is_recognised_and_nothing_else(
    body: bytes, content_type: str, what: str | None
) -> None:
    assert instead(body, content_type, None) == what


# -- refused as a whole --

JSON = "application/json; odata.metadata=minimal"
MULTIPART = "multipart/mixed; boundary=b"
ERROR = b'{"error":{"message":"No."}}'


@pytest.mark.parametrize(
    ("error", "what"),
    [
        ({"error": {"code": "429", "message": "Wait."}}, "a JSON error 'Wait.'"),
        # Azure Tables, OData 3.0.
        ({"odata.error": {"code": "1", "message": {"value": "99:"}}}, "a JSON error '99:'"),
        ({"message": "nope"}, "a JSON error 'nope'"),
        ({"message": "a" * 61}, f"a JSON error '{'a' * 60}'..."),
        # ASP.NET Web API.
        ({"Message": "An error has occurred."}, "a JSON error 'An error has occurred.'"),
        ({"title": []}, "a JSON error"),
        ({"error": None}, "a JSON error"),
    ],
)
def test_a_json_error_in_place_of_a_batch_is_told_with_its_status(error: object, what: str) -> None:
    for status in (400, 429, 503):
        found = instead(json.dumps(error).encode(), JSON, status)
        assert found == f"status {status} with {what}"


@pytest.mark.parametrize(
    ("line", "content_type", "body", "what"),
    [
        # An error is one, whatever the status; a message is none where the status is none.
        ("HTTP/1.1 200 OK", JSON, ERROR, "status 200 with a JSON error 'No.'"),
        ("", JSON, ERROR, "a JSON error 'No.'"),
        ("", JSON, b'{"odata.error":{"message":"No."}}', "a JSON error 'No.'"),
        ("", JSON, b'{"message":"Hello"}', None),
        ("HTTP/1.1 200 OK", JSON, b'{"message":"Hello"}', None),
        ("HTTP/1.1 202 Accepted", JSON, b'{"message":"Hello"}', None),
        ("POST /$batch HTTP/1.1", JSON, ERROR, None),
        ("https://example.org/$batch", JSON, ERROR, None),
        ("HTTP/1.1 400 No", MULTIPART, ERROR, None),
        # What has the array of a batch, or no error, is for the decoders.
        ("HTTP/1.1 400 No", JSON, b'{"error":{"message":"No."},"responses":[]}', None),
        ("HTTP/1.1 400 No", JSON, b'{"message":"No.","responses":null}', None),
        ("HTTP/1.1 400 No", JSON, b'{"requests":[],"error":1}', None),
        ("HTTP/1.1 400 No", JSON, b'{"value":[]}', None),
        ("HTTP/1.1 400 No", JSON, b"{", None),
        ("HTTP/1.1 400 No", JSON, b'[{"error":1}]', None),
        ("HTTP/1.1 400 No", JSON, b'{"error":"' + b"a" * 70_000 + b'"}', None),
        # An error with an empty body is no batch.
        ("HTTP/1.1 500 No", JSON, b"", "status 500 with an empty body"),
        ("HTTP/1.1 404 No", MULTIPART, b"\r\n", "status 404 with an empty body"),
        ("HTTP/1.1 500 No", "application/http", b"", "status 500 with an empty body"),
        ("HTTP/1.1 200 OK", MULTIPART, b"", None),
        ("POST /$batch HTTP/1.1", MULTIPART, b"", None),
        # Below the type of a batch, the decoders say what is wrong.
        ("HTTP/1.1 500 No", MULTIPART, NGINX, None),
        ("HTTP/1.1 500 No", "Application/JSON", NGINX, None),
        ("HTTP/1.1 500 No", "application/http", NGINX, None),
        ("HTTP/1.1 500 No", "multipart/related", NGINX, None),
        # A batch is one below any other type.
        ("HTTP/1.1 500 No", "text/plain", b"--b\r\n", None),
        ("HTTP/1.1 500 No", "text/plain", b"\r\n--batch_1\r\nA: b\r\n", None),
        ("HTTP/1.1 500 No", "text/plain", b"-->", "status 500 with the text '-->'"),
        ("HTTP/1.1 500 No", "text/plain", b"-- a", "status 500 with the text '-- a'"),
        ("HTTP/1.1 500 No", "text/plain", b"a\r\n--b", "status 500 with the text 'a --b'"),
        # The status is that of the status line.
        ("HTTP/2 413", "text/html", b"<html>", "status 413 with an HTML page"),
        ("HTTP/1.1  500  x", "text/html", b"<html>", "status 500 with an HTML page"),
        ("HTTP/1.1 2000", "text/html", b"<html>", "an HTML page"),
        ("GET / HTTP/1.1", "text/html", b"<html>", "an HTML page"),
        # A redirection is told by its target, and a Location is not always one.
        ("HTTP/1.1 201 Created\r\nLocation: A(1)", "", b"", "status 201 with an empty body"),
        *(
            (
                f"HTTP/1.1 {status} Elsewhere\r\nLocation: https://login.example.org/",
                "text/html",
                b"<html></html>",
                f"status {status} with a redirection to 'https://login.example.org/'",
            )
            for status in (301, 302, 307)
        ),
    ],
)
def test_the_start_line_and_the_type_say_what_a_body_may_be(
    line: str, content_type: str, body: bytes, what: str | None
) -> None:
    assert described(line, body, content_type) == what


@pytest.mark.parametrize(
    ("body", "is_batch"),
    [
        (b'{"requests":[{"id":"1","method":"GET","url":"People"}]}', True),
        (b'{"@context":"x","responses":[{"id":"1","status":204}]}', True),
        (b' { "requests" : [ {"url":"","method":""} ] }', True),
        (b'{"requests":[{"indexName":"people"}]}', False),
        (b'{"responses":[{"status":204}]}', False),
        (b'{"requests":[]}', False),
        (b'{"requests":[1]}', False),
        (b'{"a":{"requests":[{"method":"GET","url":"People"}]}}', False),
        (b'[{"requests":[{"method":"GET","url":"People"}]}]', False),
        (b'{"requests":[{"method":"GET","url":"People"}', False),
        (b'{"requests":[' + b"[" * 100_000, False),
        (b'{"requests":{}}', False),
        (b"", False),
    ],
)
def test_a_json_batch_is_told_by_its_first_element(body: bytes, is_batch: bool) -> None:
    assert (instead(body, "text/plain") is None) == is_batch


# -- properties --


@given(
    st.binary()
    | st.lists(
        st.sampled_from(
            (b"<html", b"<title>", b"<!--", b"<a:message", b"{", b'"error":', b"[", b"a")
        )
    ).map(b"".join),
    st.sampled_from(("", "text/html", "text/plain", "text/json", "image/png")),
)
def test_any_octets_are_something(body: bytes, content_type: str) -> None:
    what = instead(body, content_type)
    assert what is None or str(what).startswith("status 500 with ")
