"""How to put right what breaks a rule: one imperative sentence for each rule of the catalogue.

Why this long: it is one table, in the order of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from odata_batch import Rule

REMEDIES: Final[Mapping[Rule, str]] = {
    # -- limits --
    Rule.LIMIT_EXCEEDED: (
        "Split the batch into smaller ones, or raise this limit in the reader if the sender is "
        "trusted."
    ),
    # -- the outer Content-Type and header section --
    Rule.BATCH_MEDIA_TYPE: (
        "Send the batch as multipart/mixed with its boundary, or as application/json."
    ),
    Rule.CONTENT_TYPE_SYNTAX: "Write the Content-Type as in multipart/mixed; boundary=batch_1.",
    Rule.MULTIPART_SUBTYPE: "Write multipart/mixed in the Content-Type.",
    Rule.BOUNDARY_MISSING: (
        "Add a boundary parameter with the text that stands behind the hyphens of the delimiter"
        " lines."
    ),
    Rule.BOUNDARY_CONFLICT: (
        "Keep the boundary parameter whose value stands in the delimiter lines, and remove the "
        "others."
    ),
    Rule.BOUNDARY_REPEATED: "Give the boundary parameter once.",
    Rule.BOUNDARY_SYNTAX: "Choose a boundary of letters, digits, hyphens and underscores.",
    Rule.BOUNDARY_CHARACTERS: "Choose a boundary of letters, digits, hyphens and underscores.",
    Rule.BOUNDARY_UNQUOTED: (
        "Put the boundary between double quotes in the Content-Type, but not in the delimiter "
        "lines."
    ),
    Rule.PARAMETER_BLANKS: "Remove the blanks around the equals sign.",
    Rule.JSON_CHARSET: "Encode the batch in UTF-8, and leave out the charset parameter.",
    Rule.OUTER_PRECONDITION: "Move the header into the operation that it is meant for.",
    Rule.OUTER_PREFERENCE: "Move the preference into the operations that it is meant for.",
    Rule.OUTER_RESPONSE_HEADER: "Move the header into the response that it belongs to.",
    Rule.METHOD_TUNNEL: "Send the batch with POST and without X-HTTP-Method.",
    Rule.PREFERENCE_VALUE: (
        "Write continue-on-error, continue-on-error=true or continue-on-error=false."
    ),
    Rule.ASYNC_RESULT: "Give AsyncResult the status code of the result, for example 200.",
    Rule.VERSION_HEADER: "Write the version as in OData-Version: 4.01.",
    # -- MIME framing --
    Rule.NO_DELIMITER: (
        "Make the delimiter lines and the boundary parameter agree, letter by letter."
    ),
    Rule.NO_PARTS: "Leave the batch out if there is nothing to send.",
    Rule.TRUNCATED: (
        "End the body with two hyphens, the boundary and two more hyphens, and send it to its end."
    ),
    Rule.TRUNCATED_RESPONSE: (
        "Look for the reason in the log of the server, and do not count on operations without a"
        " response."
    ),
    Rule.CHANGE_SET_UNCLOSED: (
        "End the change set with two hyphens, its own boundary and two more hyphens."
    ),
    Rule.LINE_FEED: (
        "Write CRLF at the end of every line of the framing, for example with \\r\\n in place "
        "of \\n."
    ),
    Rule.MIXED_LINE_ENDINGS: (
        "Write CRLF before and after every delimiter line, whatever the lines of a body end in."
    ),
    Rule.DELIMITER_LOOKALIKE: "Choose a boundary that occurs nowhere else, best a random one.",
    Rule.BOUNDARY_PREFIX: (
        "Let the boundary of the change set begin differently, for example with changeset_."
    ),
    Rule.BOUNDARY_REUSED: "Give the change set a boundary of its own.",
    Rule.CLOSE_DELIMITER_HYPHENS: (
        "Write exactly two hyphens behind the boundary of the close delimiter."
    ),
    Rule.TRANSPORT_PADDING: "Remove the blanks behind the boundary.",
    Rule.PREAMBLE: "Begin the body with the first delimiter line.",
    Rule.EPILOGUE: "End the body with the close delimiter.",
    Rule.EPILOGUE_DELIMITER: (
        "Move the parts in front of the close delimiter, and send only one of them."
    ),
    Rule.PART_WITHOUT_HEADERS: (
        "Write Content-Type: application/http and an empty line behind the delimiter line."
    ),
    Rule.PART_WITHOUT_BODY: "Write an empty line behind the header section of the part.",
    Rule.REQUEST_LINE_IN_PART_HEADERS: (
        "Write an empty line between the header section of the part and the request line."
    ),
    Rule.PART_CONTENT_TYPE: (
        "Write Content-Type: application/http, or multipart/mixed with a boundary for a change set."
    ),
    Rule.PART_CONTENT_TYPE_ASSUMED: (
        "Write Content-Type: application/http into the header section of the part."
    ),
    Rule.MESSAGE_TYPE: (
        "Write msgtype=request in requests and msgtype=response in responses, or leave it out."
    ),
    Rule.CONTENT_TRANSFER_ENCODING: (
        "Write Content-Transfer-Encoding: binary, and the content as it is."
    ),
    Rule.CONTENT_TRANSFER_ENCODING_DECODED: (
        "Write Content-Transfer-Encoding: binary, and the content as it is."
    ),
    Rule.CONTENT_TRANSFER_ENCODING_MISSING: (
        "Add Content-Transfer-Encoding: binary to the header section of the part."
    ),
    Rule.PART_CONTENT_ENCODING: (
        "Remove the Content-Encoding of the part, and compress the batch as a whole."
    ),
    Rule.PART_CONTENT_LENGTH: (
        "Remove the Content-Length of the part, or make it the length of the HTTP message."
    ),
    Rule.PART_HEADER_IGNORED: (
        "Move the header below the request line or status line, or remove it."
    ),
    # -- header sections --
    Rule.HEADER_SYNTAX: "Write the field line as a name, a colon and a value.",
    Rule.HEADER_BLANK_BEFORE_COLON: "Remove the blank before the colon.",
    Rule.HEADER_FOLDED: "Write the field on one line.",
    Rule.PART_HEADER_FOLDED: "Write the field on one line.",
    Rule.HEADER_BLANKS: "Remove the blanks around the value.",
    Rule.HEADER_NOT_ASCII: "Encode the value in US-ASCII, as RFC 8187 says for parameters.",
    Rule.HEADER_CHARACTERS: "Encode the value in US-ASCII, as RFC 8187 says for parameters.",
    Rule.CONTROL_CHARACTER: "Remove the control character, and look where it has come from.",
    Rule.REPEATED_HEADER: "Keep the one field that is right.",
    Rule.REPEATED_HEADER_EQUAL: "Write the field once.",
    # -- HTTP messages --
    Rule.EMPTY_MESSAGE: "Put an HTTP message into the part, or remove the part.",
    Rule.MESSAGE_KIND: "Send requests to the service, and responses to the client.",
    Rule.LEADING_EMPTY_LINE: (
        "Write one empty line between the header section of the part and the start line, not two."
    ),
    Rule.REQUEST_LINE_SYNTAX: "Write the request line as in GET People HTTP/1.1.",
    Rule.REQUEST_LINE_BLANKS: (
        "Write one blank between the elements, and none at the end of the line."
    ),
    Rule.HTTP_VERSION: "Write HTTP/1.1 in the start line.",
    Rule.HTTP_VERSION_OLD: "Write HTTP/1.1 in the start line.",
    Rule.HTTP_VERSION_MISSING: "Add HTTP/1.1 to the request line.",
    Rule.METHOD_SYNTAX: "Write a method of letters only, for example GET.",
    Rule.METHOD_LOWER_CASE: "Write the method in upper case.",
    Rule.METHOD_UNKNOWN: "Use one of the methods of OData.",
    Rule.URL_BLANKS: "Write %20 for each blank.",
    Rule.URL_CHARACTERS: "Percent-encode the characters, as octets of their UTF-8.",
    Rule.URL_BACKSLASH: "Write a slash, or %5C if a backslash is meant.",
    Rule.URL_COLON: "Write %3A for each colon in the path.",
    Rule.URL_SCHEME: "Write the URL with http:// or https://, or relative to the URL of the batch.",
    Rule.URL_AUTHORITY: "Begin the URL with one slash, or with the scheme if the host is meant.",
    Rule.JSON_URL_AUTHORITY: "Begin the URL with one slash, or leave the slashes out.",
    Rule.JSON_URL_ABSOLUTE: "Write the URL relative to the URL of the batch.",
    Rule.JSON_URL_EMPTY: (
        "Write the URL of the resource, or the absolute path of the service root if that is meant."
    ),
    Rule.URL_FRAGMENT: (
        "Remove the number sign and what is behind it, or write %23 if it belongs to the name."
    ),
    Rule.STATUS_LINE_SYNTAX: "Write the status line as in HTTP/1.1 200 OK.",
    Rule.REASON_MISSING: "Write a blank behind the status code.",
    Rule.EMPTY_LINE_MISSING: (
        "Write two CRLF behind the last header, and only then what belongs to the delimiter."
    ),
    Rule.CONTENT_LENGTH_SYNTAX: (
        "Write the number of octets in decimal digits, or remove the Content-Length."
    ),
    Rule.CONTENT_LENGTH_MISMATCH: (
        "Count octets, not characters, and not the CRLF of the delimiter; or remove the "
        "Content-Length."
    ),
    Rule.CONTENT_LENGTH_TRAILING_CRLF: (
        "Write one CRLF between the body and the delimiter, or count the one that belongs to "
        "the body."
    ),
    Rule.CONTENT_LENGTH_CROSSES_DELIMITER: (
        "Make Content-Length the number of octets of this body alone, or remove it."
    ),
    Rule.TRANSFER_ENCODING: (
        "Remove Transfer-Encoding, and write the body as it is, without chunks."
    ),
    Rule.BODY_FORBIDDEN: "Leave the body out, or answer with 200.",
    Rule.BODY_UNEXPECTED: "Leave the body out, or send the request with POST.",
    Rule.CONTENT_TYPE_MISSING: "Add the Content-Type of the body.",
    Rule.FORBIDDEN_HEADER: "Move the header into the batch request.",
    Rule.CONTENT_ID_MISSING: "Add a Content-ID to the header section of the part.",
    Rule.CONTENT_ID_EMPTY: "Give the Content-ID a value, or remove it.",
    Rule.CONTENT_ID_IN_MESSAGE: (
        "Move the Content-ID above the empty line, into the header section of the part."
    ),
    Rule.CONTENT_ID_CONFLICT: (
        "Keep the Content-ID in the header section of the part, and remove the other one."
    ),
    Rule.CONTENT_ID_ON_CHANGE_SET: (
        "Remove the Content-ID, and give one to each operation in the change set."
    ),
    Rule.ID_SYNTAX: "Choose an identifier of letters and digits, for example a number.",
    # -- JSON --
    Rule.JSON_ENCODING: (
        "Encode the batch in UTF-8, and write characters above U+FFFF as one character or as a "
        "whole pair."
    ),
    Rule.JSON_BYTE_ORDER_MARK: "Remove the three octets EF BB BF at the beginning.",
    Rule.JSON_SYNTAX: (
        "Write the batch with a JSON serialiser, not by hand, and send it to its end."
    ),
    Rule.JSON_ENVELOPE: "Write an object with an array named requests, or responses in an answer.",
    Rule.JSON_ERROR_RESPONSE: "Read the error: the service has refused the batch as a whole.",
    Rule.JSON_NO_REQUESTS: "Leave the batch out if there is nothing to send.",
    Rule.JSON_DUPLICATE_MEMBER: "Keep the one member that is right.",
    Rule.JSON_DUPLICATE_OTHER_MEMBER: "Write each member once.",
    Rule.JSON_UNKNOWN_MEMBER: "Correct the spelling of the member, or remove it.",
    Rule.JSON_CONTEXT: "Remove the context control information from the batch.",
    Rule.JSON_ITEM: "Write every element of the array as an object.",
    Rule.JSON_MISSING_MEMBER: "Add the member that is missing.",
    Rule.JSON_RESPONSE_ID_MISSING: "Copy the id of the request into its response.",
    Rule.JSON_TYPE: "Give the member the type that the message names.",
    Rule.JSON_NULL_MEMBER: "Leave the member out.",
    Rule.JSON_ID_NUMBER: "Put the id between double quotes.",
    Rule.JSON_METHOD_UNKNOWN: "Use one of the methods get, post, put, patch and delete.",
    Rule.JSON_DEPENDS_ON_STRING: "Put the identifier into an array.",
    Rule.JSON_HEADER_VALUE: "Put the value between double quotes.",
    Rule.JSON_HEADER_CASE: "Write the name of the header in lower case.",
    Rule.JSON_HEADER_COLLISION: "Keep the one header that is right.",
    Rule.JSON_HEADER_COLLISION_EQUAL: "Write the header once, in lower case.",
    Rule.JSON_STATUS: "Write the status code of the response, for example 200.",
    Rule.JSON_STATUS_SPELLING: (
        "Write the status as a number without quotes, sign, fraction or exponent."
    ),
    Rule.JSON_BODY_TYPE: "Write the body as a string, text as it is and other octets in base64url.",
    Rule.JSON_BODY_UNEXPECTED: "Leave the body out.",
    Rule.JSON_CONTENT_TYPE_MISSING: "Add the header content-type.",
    Rule.JSON_STRING_BODY: "Add the header content-type if the text or the octets are meant.",
    Rule.JSON_CONTENT_LENGTH: "Remove content-length, which a JSON batch does not need.",
    Rule.JSON_NEXT_LINK: "Write one @nextLink, as a string.",
    Rule.BASE64: "Encode the octets as base64url, on one line.",
    Rule.JSON_BODY_LOSSY: "Encode the octets as base64url, before anything reads them as text.",
    Rule.BASE64_ALPHABET: "Write - for + and _ for /.",
    Rule.TEXT_CHARSET: "Write the text in UTF-8, and say charset=utf-8 in its content-type.",
    # -- the batch as a whole --
    Rule.DUPLICATE_ID: "Give each request an identifier of its own.",
    Rule.DUPLICATE_ID_ACROSS_CHANGE_SETS: (
        "Count identifiers through the whole batch instead of anew in each change set."
    ),
    Rule.DUPLICATE_RESPONSE_ID: "Answer each request once, with its own identifier.",
    Rule.ID_EQUALS_GROUP: "Rename the request or the group.",
    Rule.ID_UNREFERENCABLE: "Rename the request if anything is to refer to it.",
    Rule.GROUP_SPLIT: "Write the members of the group one behind the other.",
    Rule.DEPENDS_ON_UNKNOWN: "Name a request or a group of this batch, or remove the name.",
    Rule.DEPENDS_ON_FORWARD: "Move the request behind those that it depends on.",
    Rule.DEPENDS_ON_SELF: "Remove the request's own identifier from dependsOn.",
    Rule.DEPENDS_ON_OWN_GROUP: "Remove the group from dependsOn.",
    Rule.DEPENDS_ON_GROUP_MISSING: "Name the group of the other request in dependsOn, too.",
    Rule.REFERENCE_DEPENDENCY_MISSING: "Name what the URL refers to in dependsOn.",
    Rule.REFERENCE_UNKNOWN: (
        "Correct the identifier in the URL, or give it to the request that is meant."
    ),
    Rule.REFERENCE_FORWARD: "Move the request behind the one that it refers to.",
    Rule.REFERENCE_ACROSS_CHANGE_SETS: (
        "Move both requests into one change set, or ask the service whether it allows this."
    ),
    Rule.NESTED_BATCH: "Move the requests of the inner batch into the outer one.",
    Rule.NESTED_CHANGE_SET: "Move the operations of the inner change set into the outer one.",
    Rule.EMPTY_CHANGE_SET: "Leave the change set out.",
    Rule.GET_IN_CHANGE_SET: "Move the GET request out of the change set.",
    Rule.DEPENDS_ON_CYCLE: "Remove one of the dependencies, or send the requests in two batches.",
    Rule.CONDITION_DEPENDENCY_MISSING: "Name what the condition refers to in dependsOn.",
    Rule.REFERENCE_TARGET: "Refer to a request that creates an entity or reads one.",
    Rule.REFERENCE_NOT_FIRST: (
        "Begin the URL with the reference, or write %24 for a dollar sign that is part of a name."
    ),
    Rule.ETAG_REFERENCE_UNKNOWN: "Name a request that comes before, or write the ETag itself.",
    Rule.ID_CASE: "Choose identifiers that differ in more than the case of letters.",
    Rule.HOST_CONFLICT: "Make Host the authority of the URL, or remove it.",
    Rule.RESPOND_ASYNC_INSIDE: "Move respond-async into the Prefer header of the batch request.",
    Rule.ACCEPTED_IN_CHANGE_SET: (
        "Execute the change set at once, or answer the batch as a whole with 202."
    ),
    Rule.ACCEPTED_NOT_LAST: (
        "End the response behind the 202, and give the rest at the status monitor."
    ),
    Rule.ACCEPTED_WITHOUT_LOCATION: "Add a Location with the URL of the status monitor.",
    Rule.CREATED_WITHOUT_LOCATION: "Add a Location with the URL of the new entity.",
    Rule.REFERENCE_IN_RESPONSE: "Write the URL of the resource in place of the reference.",
    Rule.ASYNC_RESULT_INSIDE: "Move AsyncResult into the header section of the batch response.",
    Rule.CHANGE_SET_ERROR_NESTED: (
        "Answer with one application/http part in place of the change set."
    ),
    Rule.GROUP_STATUS_MIXED: (
        "Treat all requests of the group as failed; a service answers the others with 424."
    ),
    # -- a response and its request --
    Rule.RESPONSE_MISSING: "Answer every request, or end the batch at the first error.",
    Rule.RESPONSE_UNEXPECTED: "Answer each request once, and nothing else.",
    Rule.RESPONSE_STRUCTURE: (
        "Answer an operation with a response and a change set with a change set, in the order "
        "of the request."
    ),
    Rule.RESPONSE_ID: "Copy the identifier of the request into its response.",
    Rule.RESPONSE_GROUP: "Copy the atomicityGroup of the request into its response.",
    Rule.RESPONSE_AFTER_ERROR: (
        "End the response at the first error, or ask for continue-on-error in the Prefer header."
    ),
    Rule.CHANGE_SET_SUCCESS_SINGLE: (
        "Answer a change set that has succeeded with a change set, one response for each operation."
    ),
    Rule.ACCEPTED_WITH_DEPENDENTS: (
        "Execute the request at once, or answer the batch as a whole with 202."
    ),
    # -- what one service refuses --
    Rule.FORMAT_NOT_SPOKEN: "Send the batch in the other format.",
    Rule.TOO_MANY_OPERATIONS: "Split the batch into smaller ones.",
    Rule.TOO_MANY_CHANGE_SETS: "Send each change set in a batch of its own.",
    Rule.CHANGE_SET_TOO_LARGE: (
        "Split the change set, if its operations need not be executed as one."
    ),
    Rule.PAYLOAD_TOO_LARGE: "Split the batch into smaller ones.",
    Rule.URL_FORM: "Write the URL in one of the forms that the message names.",
    Rule.URL_ROOT_SEGMENT: (
        "Remove the first segment, and write the URL relative to the service root."
    ),
    Rule.ID_CASE_IGNORED: "Choose identifiers that differ in more than the case of letters.",
    Rule.ATOMICITY_IGNORED: (
        "Be prepared for operations of the change set to succeed while others fail."
    ),
    Rule.DEPENDENCIES_MIXED: "Let each request depend on the one before it, or none on any.",
    Rule.REFERENCE_NOT_SUPPORTED: (
        "Send the request in a second batch, with the URL from the first response."
    ),
    Rule.WRITE_OUTSIDE_CHANGE_SET: "Put the operation into a change set, its own if need be.",
    Rule.QUERY_NOT_ALONE: "Send the query in a batch of its own.",
    Rule.ENTITY_TWICE: "Merge the two changes into one operation, or send them in two change sets.",
    Rule.JSON_BODY_NOT_STRUCTURED: "Send the request by itself, or in a multipart batch.",
    Rule.JSON_BODY_NOT_BASE64: "Write the body as a JSON object, or encode it in base64.",
    Rule.PREFERENCE_UNPREFIXED: "Write odata.continue-on-error.",
    # -- what only writing can get wrong --
    Rule.NOT_EXPRESSIBLE: "Choose the other format, or convert the batch and accept what is lost.",
    Rule.BOUNDARY_IN_CONTENT: "Choose another boundary, or none, so that one is made up.",
    # -- captured payloads --
    Rule.CAPTURE_CONTENT_LENGTH: "Write the length of the body if the capture is to be sent again.",
    Rule.CAPTURE_BARE_BODY: "Capture the header section, too, so that nothing has to be guessed.",
    Rule.CAPTURE_URL_LINE: "Write the method before the URL, and HTTP/1.1 behind it.",
    Rule.CAPTURE_UNREADABLE: "Export the capture again, and check that the file is whole.",
    Rule.CAPTURE_DUPLICATE_MEMBER: (
        "Export the capture again with a tool that writes each member once."
    ),
    Rule.CAPTURE_MEMBER: "Export the capture again with a tool that follows HAR 1.2.",
    Rule.CAPTURE_INCOMPLETE: "Capture until the response has come.",
    Rule.CAPTURE_BODY_MISSING: (
        "Export the capture with content, or read it with a tool that keeps bodies."
    ),
    Rule.CAPTURE_DECODED: (
        "Read places as those in the decoded body, which the file does not hold as it is."
    ),
    Rule.CAPTURE_CODING: "Capture without compression, or check that the whole body was captured.",
    Rule.CAPTURE_TRUNCATED: (
        "Capture the body to its end, and raise the size limit of the tool if there is one."
    ),
    Rule.CAPTURE_LOSSY: (
        "Capture with a tool that keeps octets, and do not save binary content as text."
    ),
    Rule.CAPTURE_REPLACEMENT_CHARACTER: (
        "Compare with another capture if characters seem to be wrong."
    ),
    Rule.CAPTURE_NOT_A_BATCH: (
        "Read the answer: the server, or something in front of it, has refused the batch as a "
        "whole."
    ),
    Rule.CAPTURE_ACCEPTED: "Capture the answer of the status monitor that Location names.",
}
"""The remedies; a test lists the rules that have none."""
