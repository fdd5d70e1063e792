"""The rules for header fields, of one message and of the batch, one function for each rule.

An identifier, which is a field in multipart, is among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from odata_batch._checks.scope import Say, Scope
from odata_batch._graph.expressions import referenced_id, reserved_names
from odata_batch._model import values
from odata_batch._model.findings import Problem, Severity, error, note, quote, warning
from odata_batch._model.headers import Headers, Pair, by_lower_name, names_of
from odata_batch._model.limits import sizes_of
from odata_batch._model.values import Operation, OperationResponse
from odata_batch._wire import grammar, sections

# The header fields that hold a version: OData Protocol, 8.1.5 and 8.2.7; until OData 3 with other
# names, where something may follow a semicolon ([MS-ODATA], 2.2.5.3 and 2.2.5.7).
VERSIONS = ("odata-version", "odata-maxversion", "dataserviceversion", "maxdataserviceversion")
# The header fields that hold a URL of OData.
URL_FIELDS = ("content-location", "location", "odata-entityid")


FORBIDDEN_HEADER = warning("""
    forbidden-header: Individual requests carry no authorization, and no Expect, From, Max-Forwards,
    Range, TE. [OData Protocol, 11.7.7.1]
    Move the header into the batch request.""")


def check_forbidden_headers(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.7.1: what individual requests must not carry."""
    for name in item.headers:
        if name in scope.dialect.forbidden_headers:
            say(FORBIDDEN_HEADER, f"found the header {name}", f"headers.{name}")


def check_version_header(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 8.1.5."""
    check_version(item.headers, say)


VERSION_HEADER = note("""
    version-header (odata-version odata-maxversion dataserviceversion maxdataserviceversion): An
    OData version is two numbers with a dot between them. [OData Protocol, 8.1.5]
    Write the version as in OData-Version: 4.01.""")


def check_version(headers: Headers, say: Say) -> None:
    """OData Protocol, 8.1.5, for the header section of any message; until OData 3, too."""
    for name in filter(names_of(headers).__contains__, VERSIONS):
        value = headers[name]
        version = value.partition(";")[0] if "dataservice" in name else value
        if not grammar.VERSION.fullmatch(version):
            message = f"found {name} {quote(value)}, expected a version such as 4.0"
            say(VERSION_HEADER, message, f"headers.{name}")


CONTENT_TYPE_MISSING = note("""
    content-type-missing (@body): A message with a body says its Content-Type. [OData Protocol,
    8.1.1]
    Add the Content-Type of the body.""")
JSON_CONTENT_TYPE_MISSING = note("""
    json-content-type-missing (@body): A request with a body says its content-type; without it the
    body is application/json. [OData JSON, 19.1]
    Add the header content-type.""")
JSON_STRING_BODY = note("""
    json-string-body (@body): A string body without content-type is the JSON string, not its text.
    [OData JSON, 19.5]
    Add the header content-type if the text or the octets are meant.""")


def check_content_type_present(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 8.1.1; OData JSON, 19.1 makes JSON the default."""
    if not item.body or "content-type" in names_of(item.headers):
        return
    if scope.format == "multipart":
        say(CONTENT_TYPE_MISSING, f"a body of {len(item.body)} octets has no Content-Type")
    elif isinstance(item, Operation):
        say(JSON_CONTENT_TYPE_MISSING, "a body has no content-type; read as application/json")
    elif item.body.startswith(b'"'):
        say(JSON_STRING_BODY, f"the body {quote(item.body)} is read as a JSON string")


RESPOND_ASYNC_INSIDE = note("""
    respond-async-inside (@headers.prefer): In a multipart batch, respond-async is a preference of
    the batch. [OData Protocol, 11.7.7.6]
    Move respond-async into the Prefer header of the batch request.""")


CONTINUE_ON_ERROR_INSIDE = note("""
    continue-on-error-inside (@headers.prefer): continue-on-error is a preference of the batch.
    [OData Protocol, 8.2.8.3]
    Move continue-on-error into the Prefer header of the batch request.""")
PREFERENCE_MISSPELT = note("""
    preference-misspelt (prefer @headers.prefer): No preference has a name that is almost that of a
    known one. [OData Protocol, 8.2.8]
    Write the preference as the message says.""")
PREFERENCE_QUOTES = warning("""
    preference-quotes (prefer @headers.prefer): The value of a preference is a token, or in straight
    double quotes. [RFC 7240, 2]
    Write the quotes as a double quote of US-ASCII.""")
_PREFERENCES = grammar.spellings(
    """
    allow-entityreferences callback continue-on-error include-annotations maxpagesize omit-values
    return return=minimal return=representation respond-async track-changes
""".split()
)
_ALL_PREFERENCES = frozenset(_PREFERENCES.values())
# Quotes of typography, in the octets of their UTF-8
_CURLY = re.compile("\xe2\x80[\x98-\x9f]")


def check_prefer(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.7.6 and 8.2.8.3: what is a preference of the batch as a whole."""
    check_preferences(item.headers, say)
    for name, _ in grammar.preferences(item.headers.get_all("prefer")):
        plain = name.removeprefix("odata.")
        if plain == "respond-async" and scope.format == "multipart":
            say(RESPOND_ASYNC_INSIDE, f"found the preference {name} in one request")
        elif plain == "continue-on-error":
            say(CONTINUE_ON_ERROR_INSIDE, f"found the preference {name} in one request")


def check_preferences(headers: Headers, say: Say) -> None:
    """RFC 7240, 2: how preferences are spelt."""
    for name, _ in grammar.preferences(headers.get_all("prefer")):
        plain = name.removeprefix("odata.")
        meant = None if plain in _ALL_PREFERENCES else grammar.nearest(name, _PREFERENCES)
        if meant is not None:
            message = f"found the preference {quote(name)}, which is unknown; is {meant} meant?"
            say(PREFERENCE_MISSPELT, message)
    for value in headers.get_all("prefer"):
        if _CURLY.search(value):
            say(PREFERENCE_QUOTES, f"Prefer is {quote(value)}, with quotes of typography")


HEADER_MISSPELT = note("""
    header-misspelt: No header has a name that is almost that of a known one. [RFC 9110, 5.1]
    Write the name of the header as the message says.""")
_KNOWN_FIELDS = grammar.spellings(
    """
    accept accept-charset accept-encoding accept-language authorization content-encoding content-id
    content-language content-length content-type etag if-match if-modified-since if-none-match
    if-unmodified-since isolation last-modified location odata-entityid odata-isolation
    odata-maxversion odata-version prefer preference-applied retry-after
    dataserviceversion maxdataserviceversion mindataserviceversion
""".split()
)
ALL_KNOWN = frozenset(_KNOWN_FIELDS.values())


def check_header_names(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 5.1: a name that is unknown is not read, so that a slip goes unnoticed."""
    names = names_of(item.headers)
    for name in () if ALL_KNOWN.issuperset(names) else names:
        if name not in ALL_KNOWN:
            meant = grammar.nearest(name, _KNOWN_FIELDS)
            if meant is not None:
                message = f"found the header {quote(name)}, which is unknown; is {meant} meant?"
                say(HEADER_MISSPELT, message, f"headers.{name}")


ACCEPTED_WITHOUT_LOCATION = warning("""
    accepted-without-location (@status): A response with status 202 has a Location, that of its
    status monitor. [OData Protocol, 11.6]
    Add a Location with the URL of the status monitor.""")
CREATED_WITHOUT_LOCATION = note("""
    created-without-location (@status): A response with status 201 has a Location. [OData Protocol,
    11.4.2]
    Add a Location with the URL of the new entity.""")


_LOCATION = grammar.spellings(("location",))


def check_location(item: OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.4.2 and 11.6: where the new entity or the status monitor is."""
    names = names_of(item.headers)
    if item.status not in (201, 202) or any(grammar.nearest(name, _LOCATION) for name in names):
        return
    if "location" in names:
        return
    accepted = item.status == 202
    rule = ACCEPTED_WITHOUT_LOCATION if accepted else CREATED_WITHOUT_LOCATION
    say(rule, f"the response {item.status} has no Location")


REFERENCE_IN_RESPONSE = note("""
    reference-in-response: URLs in responses hold no request identifiers. [OData Protocol, 11.7.7.5]
    Write the URL of the resource in place of the reference.""")


def check_response_urls(item: OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.7.5: identifiers of requests mean nothing to clients that use a URL."""
    names = names_of(item.headers)
    for name in URL_FIELDS:
        if name in names and referenced_id(item.headers[name]) is not None:
            say(REFERENCE_IN_RESPONSE, f"{name} is {quote(item.headers[name])}", f"headers.{name}")


ASYNC_RESULT_INSIDE = note("""
    async-result-inside (@headers.asyncresult): AsyncResult is a header of the batch response.
    [OData Protocol, 8.3.1]
    Move AsyncResult into the header section of the batch response.""")


def check_async_result(item: OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 8.3.1: the status of the whole batch, once it is there."""
    if "asyncresult" in names_of(item.headers):
        value = quote(item.headers["asyncresult"])
        say(ASYNC_RESULT_INSIDE, f"found AsyncResult {value} in one response")


ID_UNREFERENCEABLE = note("""
    id-unreferenceable (@id): An identifier that equals the name of a system resource cannot be
    referenced. [OData Protocol, 11.7.4]
    Rename the request if anything is to refer to it.""")


def check_id(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.3: the characters of an identifier, and names that are taken."""
    if item.id is None:
        return
    # Most identifiers are numbers, which are all right, and none of the names that are taken.
    if item.id.isdecimal() and item.id.isascii() and len(item.id) <= scope.limits.id:
        return
    check_identifier(item.id, scope, item.position, say)
    if item.id in reserved_names(scope.dialect):
        say(ID_UNREFERENCEABLE, f"${item.id} is not a reference to id {quote(item.id)}")


ID_SYNTAX = warning("""
    id-syntax (@id): A request identifier consists of letters, digits and - . _ ~. [OData Protocol,
    11.7.3]
    Choose an identifier of letters and digits, for example a number.""")


def check_identifier(id: str, scope: Scope, position: int | None, say: Say) -> None:
    """OData Protocol, 11.7.3: request-id = 1*( unreserved )."""
    if len(id) > scope.limits.id:
        scope.exceed("id", position)
    if not grammar.REQUEST_ID.fullmatch(id):
        say(ID_SYNTAX, f"found the id {quote(id)}, expected letters, digits and - . _ ~")
        if scope.origin == "written" and not carries(scope.format, id):  # whatever a dialect takes
            say(values.NOT_EXPRESSIBLE, f"the id {quote(id)} would not come back as it is")


def carries(format: str, id: str) -> bool:
    """Tell whether an identifier that is written comes back as it is."""
    if format == "json":
        return id.encode("utf-8", "replace") == id.encode("utf-8", "surrogatepass")
    problems = [rule.severity for rule, _ in field_problems("Content-ID", id)]
    return id == id.strip(" \t") != "" and max(problems, default=0) <= Severity.NOTE


def check_header_syntax(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 5: what a field line can carry."""
    lines = [len(name) + len(value) + 2 for name, value in item.headers.pairs]
    if item.id_in_message and scope.format == "multipart":
        lines.append(len(f"Content-ID: {item.id}"))
    scope.check_sizes(sizes_of(lines), item.position)
    for pair in item.headers.pairs:
        _check_field(pair, scope, say)


def check_header_values(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """The same where the names are tokens: most values are sound, so all are checked at once."""
    pairs, limits = item.headers.pairs, scope.limits
    text = f"{'|'.join(chain.from_iterable(pairs))}|"
    # The longest line is no longer than the whole section.
    octets = len(text) + 2 * len(pairs)
    is_large = octets > min(limits.field_line, limits.header_section) or len(pairs) > limits.fields
    is_large = is_large or item.id_in_message  # which is one line more
    has_blanks = " " in text and ("| " in text or " |" in text)
    if is_large or has_blanks or not text.isascii() or not text.isprintable():
        check_header_syntax(item, scope, say)


HEADER_WHITE_SPACE = note("""
    header-white-space: A field value neither begins nor ends with white space, which HTTP would not
    carry. [RFC 9110, 5.5]
    Remove the white space around the value.""")


def _check_field(pair: Pair, scope: Scope, say: Say) -> None:
    name, value = pair
    problems = [*field_problems(name, value)]
    if value != value.strip(" \t"):
        # JSON carries the white space; on a field line it would be lost.
        rule = HEADER_WHITE_SPACE if scope.format == "json" else values.NOT_EXPRESSIBLE
        message = f"header {quote(name)} has the value {quote(value)}, with white space at an end"
        problems.append((rule, message))
    for rule, message in problems:
        say(rule, message, f"headers.{name.lower()}")


HEADER_CHARACTERS = error("""
    header-characters (lossy unwritten): Field values and reason phrases lie within ISO-8859-1, so
    that HTTP can carry them. [RFC 9110, 5.5]
    Encode the value in US-ASCII, as RFC 8187 says for parameters.""")


def field_problems(name: str, value: str) -> Iterator[Problem]:
    """RFC 9110, 5: names are tokens, values are ISO-8859-1 and have no controls."""
    if not grammar.TOKEN.fullmatch(name):
        yield sections.HEADER_SYNTAX, f"found the header name {quote(name)}, expected a token"
    if value.isascii() and value.isprintable():
        return
    found = f"header {quote(name)} has the value {quote(value)}"
    if grammar.CONTROL.search(value):
        yield sections.CONTROL_CHARACTER, f"{found}, with a control character"
    if not grammar.LATIN_1.fullmatch(value):
        yield HEADER_CHARACTERS, f"{found}, not in ISO-8859-1"
    elif not value.isascii():
        yield sections.HEADER_NOT_ASCII, f"{found}, with octets outside US-ASCII"


def check_repeated_headers(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 5.3: fields that have one value."""
    names = names_of(item.headers)
    if len(set(names)) == len(names):
        return
    fields = by_lower_name(item.headers)
    longest = max(len(name) + len(", ".join(values)) + 2 for name, values in fields.items())
    if scope.format == "json" and longest > scope.limits.field_line:
        scope.exceed("field_line", item.position)
    for name in sorted(sections.SINGLE_FIELDS & fields.keys()):
        values = fields[name]
        if len(set(values)) > 1:
            message = f"{name} has the values {quote(values[0])} and {quote(values[1])}"
            say(sections.REPEATED_HEADER, message, f"headers.{name}")


# -- the batch itself ------------------------------------------------------------------------------


OUTER_PRECONDITION = warning("""
    outer-precondition (if-match if-none-match): The batch request itself has no If-Match and no
    If-None-Match. [OData Protocol, 8.2.4 and 8.2.5]
    Move the header into the operation that it is meant for.""")
OUTER_PREFERENCE = note("""
    outer-preference (prefer): The preferences maxpagesize, track-changes and return are for
    individual requests. [OData Protocol, 8.2.8]
    Move the preference into the operations that it is meant for.""")
METHOD_TUNNEL = note("""
    method-tunnel (x-http-method): A batch request is not tunnelled through X-HTTP-Method. [OData v3
    Batch Processing, 2.1]
    Send the batch with POST and without X-HTTP-Method.""")


def check_outer_request(headers: Headers, say: Say) -> None:
    """OData Protocol, 8.2: what the header section of a batch request may hold."""
    check_version(headers, say)
    for name in ("if-match", "if-none-match"):
        if name in headers:
            say(OUTER_PRECONDITION, f"the batch request has {name} {quote(headers[name])}")
    if "x-http-method" in headers:
        value = quote(headers["x-http-method"])
        say(METHOD_TUNNEL, f"the batch request has X-HTTP-Method {value}")
    check_preferences(headers, say)
    for name, _ in grammar.preferences(headers.get_all("prefer")):
        if name.removeprefix("odata.") in ("maxpagesize", "track-changes", "return"):
            say(OUTER_PREFERENCE, f"the batch request has the preference {quote(name)}")


OUTER_RESPONSE_HEADER = note("""
    outer-response-header (etag location odata-entityid): ETag, Location and OData-EntityId belong
    to individual responses. [OData Protocol, 8.3]
    Move the header into the response that it belongs to.""")
ASYNC_RESULT = warning("""
    async-result (asyncresult): The value of AsyncResult is a status code of three digits. [OData
    Protocol, 8.3.1]
    Give AsyncResult the status code of the result, for example 200.""")


def check_outer_response(headers: Headers, say: Say) -> None:
    """OData Protocol, 8.3: what the header section of a batch response may hold."""
    check_version(headers, say)
    for name in ("etag", "location", "odata-entityid"):
        if name in headers:
            say(OUTER_RESPONSE_HEADER, f"the batch response has the header {name}")
    result = headers.get("asyncresult")
    if result is not None and not grammar.STATUS.fullmatch(result):
        say(ASYNC_RESULT, f"AsyncResult is {quote(result)}, expected a status code of three digits")


PREFERENCE_VALUE = warning("""
    preference-value (prefer): The value of continue-on-error is true, false or absent. [OData
    Protocol, 8.2.8.3]
    Write continue-on-error, continue-on-error=true or continue-on-error=false.""")


def continue_on_error(headers: Headers, say: Say) -> bool | None:
    """Return the preference of that name, the first where it is repeated (OData Protocol, 8.2.8.3).

    Without a prefix it wins over `odata.continue-on-error`; without a value it is true.
    """
    found = grammar.preferences(headers.get_all("prefer"))
    for wanted in ("continue-on-error", "odata.continue-on-error"):
        for name, value in found:
            if name != wanted:
                continue
            if value.lower() in ("", "true", "false"):
                return value.lower() != "false"
            say(PREFERENCE_VALUE, f"{name} is {quote(value)}, expected true or false")
            return None
    return None
