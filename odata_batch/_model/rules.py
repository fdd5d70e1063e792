"""What can be wrong with a batch: severities and the catalogue of rules.

A row of the catalogue is a member of `Rule`: slug, sentence, citation in brackets, remedy.
Citations name the text and the section; "OData Protocol" and "OData JSON" are the 4.01 documents.

The severity of a rule follows from one question. Two readers may disagree about what the message
means: an error. The message breaks a sentence of the standard, yet can be read in one way only: a
warning. Anything else worth telling: a note.
"""

import re
from enum import Enum, IntEnum
from functools import partial

from odata_batch._model.public import public


@public
class Severity(IntEnum):
    """How bad a finding is; the members compare, `NOTE < WARNING < ERROR`.

    >>> max(Severity.NOTE, Severity.ERROR).name
    'ERROR'
    """

    NOTE = 1
    """Allowed, or common and harmless; worth knowing when something else goes wrong."""
    WARNING = 2
    """Forbidden, but it has only one reading; raises where `strict` is asked for."""
    ERROR = 3
    """Two readers may disagree about the meaning; always raises."""

    def __repr__(self) -> str:
        return f"Severity.{self.name}"


_ROW = re.compile(r"\s*([a-z0-9-]+): (.+?) \[([^]]+)\]\s*(.+)", re.DOTALL)


_Row = tuple[str, Severity, str, str, str, bool]


def _row(text: str, severity: Severity, fatal: bool = False) -> _Row:
    """Return the row that the text of a rule says: slug, sentence, citation, remedy."""
    found = _ROW.fullmatch(text)
    assert found is not None, text
    sentence, citation, remedy = (" ".join(part.split()) for part in found.groups()[1:])
    return found[1], severity, sentence, citation, remedy, fatal


_note = partial(_row, severity=Severity.NOTE)
_warning = partial(_row, severity=Severity.WARNING)
_error = partial(_row, severity=Severity.ERROR)
_fatal = partial(_row, severity=Severity.ERROR, fatal=True)


@public
class Rule(Enum):
    """The catalogue: every finding of this library is an instance of one of these rules.

    A member's value is its slug, so `Rule("truncated")` looks one up. `severity` is the default; a
    dialect may override it. A `fatal` rule has no documented reading: nothing is read after it.
    `sentence` says what the standard wants, `citation` where, `remedy` how to mend what breaks it.

    >>> Rule("no-delimiter").severity.name
    'ERROR'
    >>> Rule.NO_DELIMITER.citation
    'RFC 2046, 5.1.1'
    """

    severity: Severity
    sentence: str
    citation: str
    remedy: str
    fatal: bool

    def __new__(
        cls,
        slug: str,
        severity: Severity = Severity.ERROR,
        sentence: str = "",
        citation: str = "",
        remedy: str = "",
        fatal: bool = False,
    ) -> "Rule":
        # The defaults are never used; they let type checkers accept the look-up `Rule(slug)`.
        self = object.__new__(cls)
        self._value_ = slug
        self.severity = severity
        self.sentence = sentence
        self.citation = citation
        self.remedy = remedy
        self.fatal = fatal
        return self

    def __repr__(self) -> str:
        return f"Rule.{self.name}"

    @property
    def slug(self) -> str:
        """The name of the rule on the command line, in fixtures and in reports."""
        return str(self.value)

    # -- limits --
    LIMIT_EXCEEDED = _fatal("""
        limit-exceeded: No part of a message is larger than the limits in force. [RFC 9110, 17.5]
        Split the batch into smaller ones, or raise this limit in the reader if the sender is
        trusted.""")

    # -- the outer Content-Type and header section --
    BATCH_MEDIA_TYPE = _fatal("""
        batch-media-type: The media type of a batch is multipart/mixed or application/json. [OData
        Protocol, 11.7.1]
        Send the batch as multipart/mixed with its boundary, or as application/json.""")
    CONTENT_TYPE_SYNTAX = _fatal("""
        content-type-syntax: A media type is type/subtype, followed by parameters after semicolons.
        [RFC 9110, 8.3.1]
        Write the Content-Type as in multipart/mixed; boundary=batch_1.""")
    MULTIPART_SUBTYPE = _warning("""
        multipart-subtype: The multipart subtype of batches and change sets is mixed. [OData
        Protocol, 11.7.7.1]
        Write multipart/mixed in the Content-Type.""")
    BOUNDARY_MISSING = _fatal("""
        boundary-missing: A multipart media type has a boundary parameter that is not empty. [RFC
        2046, 5.1.1]
        Add a boundary parameter with the text that stands behind the hyphens of the delimiter
        lines.""")
    BOUNDARY_CONFLICT = _fatal("""
        boundary-conflict: A multipart media type has one boundary parameter. [RFC 2046, 5.1.1]
        Keep the boundary parameter whose value stands in the delimiter lines, and remove the
        others.""")
    BOUNDARY_REPEATED = _warning("""
        boundary-repeated: The boundary parameter is given once, even if its values are equal. [RFC
        2046, 5.1.1]
        Give the boundary parameter once.""")
    BOUNDARY_SYNTAX = _fatal("""
        boundary-syntax: A boundary holds no control character and nothing outside US-ASCII. [RFC
        2046, 5.1.1]
        Choose a boundary of letters, digits, hyphens and underscores.""")
    BOUNDARY_CHARACTERS = _warning("""
        boundary-characters: A boundary consists of digits, letters, '()+_,-./:=? and blanks, and
        ends in no blank. [RFC 2046, 5.1.1]
        Choose a boundary of letters, digits, hyphens and underscores.""")
    BOUNDARY_UNQUOTED = _warning("""
        boundary-unquoted: A boundary that is not a token is written between double quotes. [RFC
        2046, 5.1.1]
        Put the boundary between double quotes in the Content-Type, but not in the delimiter
        lines.""")
    PARAMETER_BLANKS = _warning("""
        parameter-blanks: No blanks stand around the equals sign of a parameter. [RFC 9110, 5.6.6]
        Remove the blanks around the equals sign.""")
    JSON_CHARSET = _fatal("""
        json-charset: A JSON batch is encoded in UTF-8. [RFC 8259, 8.1]
        Encode the batch in UTF-8, and leave out the charset parameter.""")
    OUTER_PRECONDITION = _warning("""
        outer-precondition: The batch request itself has no If-Match and no If-None-Match. [OData
        Protocol, 8.2.4 and 8.2.5]
        Move the header into the operation that it is meant for.""")
    OUTER_PREFERENCE = _note("""
        outer-preference: The preferences maxpagesize, track-changes and return are for individual
        requests. [OData Protocol, 8.2.8]
        Move the preference into the operations that it is meant for.""")
    OUTER_RESPONSE_HEADER = _note("""
        outer-response-header: ETag, Location and OData-EntityId belong to individual responses.
        [OData Protocol, 8.3]
        Move the header into the response that it belongs to.""")
    METHOD_TUNNEL = _note("""
        method-tunnel: A batch request is not tunnelled through X-HTTP-Method. [OData v3 Batch
        Processing, 2.1]
        Send the batch with POST and without X-HTTP-Method.""")
    PREFERENCE_VALUE = _warning("""
        preference-value: The value of continue-on-error is true, false or absent. [OData Protocol,
        8.2.8.3]
        Write continue-on-error, continue-on-error=true or continue-on-error=false.""")
    ASYNC_RESULT = _warning("""
        async-result: The value of AsyncResult is a status code of three digits. [OData Protocol,
        8.3.1]
        Give AsyncResult the status code of the result, for example 200.""")
    VERSION_HEADER = _note("""
        version-header: An OData version is two numbers with a dot between them. [OData Protocol,
        8.1.5]
        Write the version as in OData-Version: 4.01.""")

    # -- MIME framing --
    NO_DELIMITER = _fatal("""
        no-delimiter: A multipart body has a delimiter line made of two hyphens and the boundary.
        [RFC 2046, 5.1.1]
        Make the delimiter lines and the boundary parameter agree, letter by letter.""")
    NO_PARTS = _warning("""
        no-parts: A multipart body has at least one part. [RFC 2046, 5.1]
        Leave the batch out if there is nothing to send.""")
    TRUNCATED = _error("""
        truncated: The last part of a multipart request is followed by a close delimiter. [RFC
        2046, 5.1.1]
        End the body with two hyphens, the boundary and two more hyphens, and send it to its
        end.""")
    TRUNCATED_RESPONSE = _warning("""
        truncated-response: A response whose close delimiter is missing has failed as a whole.
        [OData Protocol, 9.4]
        Look for the reason in the log of the server, and do not count on operations without a
        response.""")
    CHANGE_SET_UNCLOSED = _warning("""
        change-set-unclosed: The multipart of a change set response ends with its own close
        delimiter. [RFC 2046, 5.1.2]
        End the change set with two hyphens, its own boundary and two more hyphens.""")
    LINE_FEED = _warning(r"""
        line-feed: Lines end in CRLF, not in LF alone. [RFC 2046, 5.1.1]
        Write CRLF at the end of every line of the framing, for example with \r\n in place of
        \n.""")
    MIXED_LINE_ENDINGS = _error("""
        mixed-line-endings: All delimiter lines of a message end in the same way. [RFC 2046, 5.1.1]
        Write CRLF before and after every delimiter line, whatever the lines of a body end in.""")
    DELIMITER_LOOKALIKE = _warning("""
        delimiter-lookalike: Nothing looks like a delimiter line without being one: not in content,
        not before it. [RFC 2046, 5.1.1]
        Choose a boundary that occurs nowhere else, best a random one.""")
    BOUNDARY_PREFIX = _note("""
        boundary-prefix: The boundary of a change set does not begin with the boundary of the
        batch. [RFC 2046, 5.1]
        Let the boundary of the change set begin differently, for example with changeset_.""")
    BOUNDARY_REUSED = _error("""
        boundary-reused: A nested multipart has a boundary of its own. [RFC 2046, 5.1]
        Give the change set a boundary of its own.""")
    CLOSE_DELIMITER_HYPHENS = _warning("""
        close-delimiter-hyphens: A close delimiter ends in exactly two hyphens. [RFC 2046, 5.1.1]
        Write exactly two hyphens behind the boundary of the close delimiter.""")
    TRANSPORT_PADDING = _note("""
        transport-padding: Composers put no blanks after a boundary. [RFC 2046, 5.1.1]
        Remove the blanks behind the boundary.""")
    PREAMBLE = _note("""
        preamble: Text before the first delimiter is ignored. [OData Protocol, 11.7.7.1]
        Begin the body with the first delimiter line.""")
    EPILOGUE = _note("""
        epilogue: Text after the close delimiter is ignored. [OData Protocol, 11.7.7.1]
        End the body with the close delimiter.""")
    EPILOGUE_DELIMITER = _warning("""
        epilogue-delimiter: No delimiter line follows the close delimiter. [RFC 2046, 5.1.1]
        Move the parts in front of the close delimiter, and send only one of them.""")
    PART_WITHOUT_HEADERS = _error("""
        part-without-headers: A part begins with its header section. [OData Protocol, 11.7.7.1]
        Write Content-Type: application/http and an empty line behind the delimiter line.""")
    PART_WITHOUT_BODY = _error("""
        part-without-body: An empty line separates the header section of a part from its content.
        [RFC 2046, 5.1]
        Write an empty line behind the header section of the part.""")
    REQUEST_LINE_IN_PART_HEADERS = _error("""
        request-line-in-part-headers: The header section of a part stands above the request, not
        below its request line. [OData Protocol, 11.7.7.1]
        Write an empty line between the header section of the part and the request line.""")
    PART_CONTENT_TYPE = _error("""
        part-content-type: A part is application/http, or multipart/mixed where it is a change set.
        [OData Protocol, 11.7.7.1]
        Write Content-Type: application/http, or multipart/mixed with a boundary for a change
        set.""")
    PART_CONTENT_TYPE_ASSUMED = _warning("""
        part-content-type-assumed: A part that holds a request or a response says application/http.
        [OData Protocol, 11.7.7.1]
        Write Content-Type: application/http into the header section of the part.""")
    MESSAGE_TYPE = _warning("""
        message-type: The msgtype parameter of application/http agrees with the content. [RFC 9112,
        10.2]
        Write msgtype=request in requests and msgtype=response in responses, or leave it out.""")
    CONTENT_TRANSFER_ENCODING = _error("""
        content-transfer-encoding: The content transfer encoding of a part is 7bit, 8bit or binary.
        [RFC 2046, 5.1]
        Write Content-Transfer-Encoding: binary, and the content as it is.""")
    CONTENT_TRANSFER_ENCODING_DECODED = _warning("""
        content-transfer-encoding-decoded: HTTP messages are carried as they are, not in base64.
        [RFC 9112, B.5]
        Write Content-Transfer-Encoding: binary, and the content as it is.""")
    CONTENT_TRANSFER_ENCODING_MISSING = _note("""
        content-transfer-encoding-missing: OData up to 4.0 wants Content-Transfer-Encoding: binary
        in every part. [OData 4.0 Protocol, 11.7.2]
        Add Content-Transfer-Encoding: binary to the header section of the part.""")
    PART_CONTENT_ENCODING = _warning("""
        part-content-encoding: A part has no content coding; its content is read as it is. [OData
        Protocol, 8.1.2]
        Remove the Content-Encoding of the part, and compress the batch as a whole.""")
    PART_CONTENT_LENGTH = _note("""
        part-content-length: A Content-Length in a part's header section agrees with the content.
        [RFC 2046, 5.1.1]
        Remove the Content-Length of the part, or make it the length of the HTTP message.""")
    PART_HEADER_IGNORED = _note("""
        part-header-ignored: A part's header section holds Content-Type, -Transfer-Encoding, -ID
        and -Length only. [RFC 2046, 5.1]
        Move the header below the request line or status line, or remove it.""")

    # -- header sections --
    HEADER_SYNTAX = _error("""
        header-syntax: A field line is a name, a colon and a value. [RFC 9112, 5]
        Write the field line as a name, a colon and a value.""")
    HEADER_BLANK_BEFORE_COLON = _error("""
        header-blank-before-colon: No blank stands between a field name and its colon. [RFC 9112,
        5.1]
        Remove the blank before the colon.""")
    HEADER_FOLDED = _warning("""
        header-folded: Field lines of an HTTP message are not folded. [RFC 9112, 5.2]
        Write the field on one line.""")
    PART_HEADER_FOLDED = _note("""
        part-header-folded: Folded field lines of a part's header section are unfolded. [RFC 5322,
        2.2.3]
        Write the field on one line.""")
    HEADER_BLANKS = _note("""
        header-blanks: A field value neither begins nor ends with a blank, which HTTP would not
        carry. [RFC 9110, 5.5]
        Remove the blanks around the value.""")
    HEADER_NOT_ASCII = _note("""
        header-not-ascii: Octets above 127 in a field value are kept, as ISO-8859-1. [RFC 9110,
        5.5]
        Encode the value in US-ASCII, as RFC 8187 says for parameters.""")
    HEADER_CHARACTERS = _error("""
        header-characters: Field values and reason phrases lie within ISO-8859-1, so that HTTP can
        carry them. [RFC 9110, 5.5]
        Encode the value in US-ASCII, as RFC 8187 says for parameters.""")
    CONTROL_CHARACTER = _error("""
        control-character: Field values, start lines and URLs hold no control character, bare CR
        included. [RFC 9110, 5.5]
        Remove the control character, and look where it has come from.""")
    REPEATED_HEADER = _error("""
        repeated-header: Framing and identifying fields have one value. [RFC 9110, 5.3]
        Keep the one field that is right.""")
    REPEATED_HEADER_EQUAL = _note("""
        repeated-header-equal: Framing and identifying fields stand once, even if their values are
        equal. [RFC 9110, 5.3]
        Write the field once.""")

    # -- HTTP messages --
    EMPTY_MESSAGE = _error("""
        empty-message: A part holds one HTTP message. [OData Protocol, 11.7.7.1]
        Put an HTTP message into the part, or remove the part.""")
    MESSAGE_KIND = _error("""
        message-kind: A batch request holds requests, a batch response holds responses. [RFC 9112,
        2.1]
        Send requests to the service, and responses to the client.""")
    LEADING_EMPTY_LINE = _note("""
        leading-empty-line: One empty line before the start line is skipped. [RFC 9112, 2.2]
        Write one empty line between the header section of the part and the start line, not two.""")
    REQUEST_LINE_SYNTAX = _error("""
        request-line-syntax: A request line is a method, a blank, a URL, a blank and the HTTP
        version. [RFC 9112, 3]
        Write the request line as in GET People HTTP/1.1.""")
    REQUEST_LINE_BLANKS = _note("""
        request-line-blanks: One blank separates the elements of a request line. [RFC 9112, 3]
        Write one blank between the elements, and none at the end of the line.""")
    HTTP_VERSION = _error("""
        http-version: The version of an HTTP message in a part is HTTP/1.1. [RFC 9112, 2.3]
        Write HTTP/1.1 in the start line.""")
    HTTP_VERSION_OLD = _note("""
        http-version-old: HTTP/1.0 is read as HTTP/1.1. [RFC 9112, 2.3]
        Write HTTP/1.1 in the start line.""")
    HTTP_VERSION_MISSING = _note("""
        http-version-missing: A request line without version is read as HTTP/1.1. [RFC 9112, 3]
        Add HTTP/1.1 to the request line.""")
    METHOD_SYNTAX = _error("""
        method-syntax: A method is a token. [RFC 9110, 9.1]
        Write a method of letters only, for example GET.""")
    METHOD_LOWER_CASE = _note("""
        method-lower-case: The methods of HTTP are written in upper case. [RFC 9110, 9.1]
        Write the method in upper case.""")
    METHOD_UNKNOWN = _note("""
        method-unknown: The methods of OData are GET, POST, PUT, PATCH, DELETE, and MERGE in
        version 2. [OData Protocol, 11.7]
        Use one of the methods of OData.""")
    URL_BLANKS = _warning("""
        url-blanks: Blanks in a URL are percent-encoded. [RFC 3986, 2]
        Write %20 for each blank.""")
    URL_CHARACTERS = _warning("""
        url-characters: Characters that have no place in a URL are percent-encoded. [RFC 3986, 2]
        Percent-encode the characters, as octets of their UTF-8.""")
    URL_BACKSLASH = _error("""
        url-backslash: A URL holds no backslash, which some readers take for a slash. [RFC 3986, 2]
        Write a slash, or %5C if a backslash is meant.""")
    URL_COLON = _note("""
        url-colon: Colons in the path of a relative URL are percent-encoded. [OData Protocol,
        11.7.7.1]
        Write %3A for each colon in the path.""")
    URL_SCHEME = _warning("""
        url-scheme: A URL that begins with a scheme is an absolute http or https URL. [OData
        Protocol, 11.7.7.1]
        Write the URL with http:// or https://, or relative to the URL of the batch.""")
    URL_AUTHORITY = _warning("""
        url-authority: A URL does not begin with two slashes, which would name another host. [OData
        Protocol, 11.7.7.1]
        Begin the URL with one slash, or with the scheme if the host is meant.""")
    JSON_URL_AUTHORITY = _error("""
        json-url-authority: A URL of a JSON batch does not begin with two slashes, which would name
        another host. [OData JSON, 19.1]
        Begin the URL with one slash, or leave the slashes out.""")
    JSON_URL_ABSOLUTE = _note("""
        json-url-absolute: A URL of a JSON batch is an absolute path or a relative path. [OData
        JSON, 19.1]
        Write the URL relative to the URL of the batch.""")
    JSON_URL_EMPTY = _note("""
        json-url-empty: An empty URL names the service root. [OData JSON, 19.1]
        Write the URL of the resource, or the absolute path of the service root if that is
        meant.""")
    URL_FRAGMENT = _note("""
        url-fragment: A request URL has no fragment. [RFC 9110, 7.1]
        Remove the number sign and what is behind it, or write %23 if it belongs to the name.""")
    STATUS_LINE_SYNTAX = _error("""
        status-line-syntax: A status line is the HTTP version, a status code of three digits and a
        reason phrase. [RFC 9112, 4]
        Write the status line as in HTTP/1.1 200 OK.""")
    REASON_MISSING = _note("""
        reason-missing: A blank follows the status code even where there is no reason phrase. [RFC
        9112, 4]
        Write a blank behind the status code.""")
    EMPTY_LINE_MISSING = _warning("""
        empty-line-missing: An empty line ends the header section of a message even without a body.
        [OData Protocol, 11.7.7.1]
        Write two CRLF behind the last header, and only then what belongs to the delimiter.""")
    CONTENT_LENGTH_SYNTAX = _warning("""
        content-length-syntax: Content-Length is a decimal number. [RFC 9112, 6.3]
        Write the number of octets in decimal digits, or remove the Content-Length.""")
    CONTENT_LENGTH_MISMATCH = _warning("""
        content-length-mismatch: Content-Length is the number of octets of the body. [RFC 9112,
        6.3]
        Count octets, not characters, and not the CRLF of the delimiter; or remove the
        Content-Length.""")
    CONTENT_LENGTH_TRAILING_CRLF = _note("""
        content-length-trailing-crlf: One CRLF that Content-Length does not cover stays in the
        body. [RFC 9112, 6.3]
        Write one CRLF between the body and the delimiter, or count the one that belongs to the
        body.""")
    CONTENT_LENGTH_CROSSES_DELIMITER = _error("""
        content-length-crosses-delimiter: Content-Length does not reach across a delimiter line.
        [RFC 9112, 6.3]
        Make Content-Length the number of octets of this body alone, or remove it.""")
    TRANSFER_ENCODING = _error("""
        transfer-encoding: Messages in a batch have no transfer coding. [OData Protocol, 11.7.7.1]
        Remove Transfer-Encoding, and write the body as it is, without chunks.""")
    BODY_FORBIDDEN = _warning("""
        body-forbidden: Responses with a 1xx, 204 or 304 status have no body. [RFC 9110, 6.4.1]
        Leave the body out, or answer with 200.""")
    BODY_UNEXPECTED = _warning("""
        body-unexpected: A GET request has no body. [RFC 9110, 9.3.1]
        Leave the body out, or send the request with POST.""")
    CONTENT_TYPE_MISSING = _note("""
        content-type-missing: A message with a body says its Content-Type. [OData Protocol, 8.1.1]
        Add the Content-Type of the body.""")
    FORBIDDEN_HEADER = _warning("""
        forbidden-header: Individual requests carry no authorization, and no Expect, From,
        Max-Forwards, Range, TE. [OData Protocol, 11.7.7.1]
        Move the header into the batch request.""")

    # -- identifiers --
    CONTENT_ID_MISSING = _warning("""
        content-id-missing: Every operation in a change set has a Content-ID. [OData Protocol,
        11.7.7.1]
        Add a Content-ID to the header section of the part.""")
    CONTENT_ID_EMPTY = _warning("""
        content-id-empty: A Content-ID is not empty. [OData Protocol, 11.7.3]
        Give the Content-ID a value, or remove it.""")
    CONTENT_ID_IN_MESSAGE = _note("""
        content-id-in-message: Content-ID is a field of the part, not of the HTTP message in it.
        [OData Protocol, 11.7.7.1]
        Move the Content-ID above the empty line, into the header section of the part.""")
    CONTENT_ID_CONFLICT = _warning("""
        content-id-conflict: The Content-ID of a part and the one in its HTTP message agree. [OData
        Protocol, 11.7.7.1]
        Keep the Content-ID in the header section of the part, and remove the other one.""")
    CONTENT_ID_ON_CHANGE_SET = _note("""
        content-id-on-change-set: A Content-ID on a change set has no meaning. [OData Protocol,
        11.7.7.1]
        Remove the Content-ID, and give one to each operation in the change set.""")
    ID_SYNTAX = _warning("""
        id-syntax: A request identifier consists of letters, digits and - . _ ~. [OData Protocol,
        11.7.3]
        Choose an identifier of letters and digits, for example a number.""")

    # -- JSON batches --
    JSON_ENCODING = _fatal("""
        json-encoding: A JSON batch is valid UTF-8 and holds no unpaired surrogate. [RFC 8259, 8.1]
        Encode the batch in UTF-8, and write characters above U+FFFF as one character or as a whole
        pair.""")
    JSON_BYTE_ORDER_MARK = _warning("""
        json-byte-order-mark: A JSON text does not begin with a byte order mark. [RFC 8259, 8.1]
        Remove the three octets EF BB BF at the beginning.""")
    JSON_SYNTAX = _fatal("""
        json-syntax: A JSON batch is one JSON text and nothing else. [RFC 8259, 2]
        Write the batch with a JSON serialiser, not by hand, and send it to its end.""")
    JSON_ENVELOPE = _fatal("""
        json-envelope: A JSON batch is an object with the array requests, or the array responses.
        [OData JSON, 19.1]
        Write an object with an array named requests, or responses in an answer.""")
    JSON_ERROR_RESPONSE = _fatal("""
        json-error-response: A batch response is not a single OData error response. [OData JSON,
        19.5]
        Read the error: the service has refused the batch as a whole.""")
    JSON_NO_REQUESTS = _note("""
        json-no-requests: The array of requests is not empty. [OData JSON, 19.1]
        Leave the batch out if there is nothing to send.""")
    JSON_DUPLICATE_MEMBER = _error("""
        json-duplicate-member: Members that decide what is requested stand once. [RFC 7493, 2.3]
        Keep the one member that is right.""")
    JSON_DUPLICATE_OTHER_MEMBER = _warning("""
        json-duplicate-other-member: The names of an object's members are unique. [RFC 7493, 2.3]
        Write each member once.""")
    JSON_UNKNOWN_MEMBER = _note("""
        json-unknown-member: Members that the standard does not define are kept as annotations.
        [RFC 7493, 4.2]
        Correct the spelling of the member, or remove it.""")
    JSON_CONTEXT = _note("""
        json-context: A batch has no context control information. [OData JSON, 19.1]
        Remove the context control information from the batch.""")
    JSON_ITEM = _error("""
        json-item: Every element of the array is an object. [OData JSON, 19.1]
        Write every element of the array as an object.""")
    JSON_MISSING_MEMBER = _error("""
        json-missing-member: A request has an id, a method and a url; a response has a status.
        [OData JSON, 19.1]
        Add the member that is missing.""")
    JSON_RESPONSE_ID_MISSING = _warning("""
        json-response-id-missing: The answer to a request with an id has that id. [OData JSON,
        19.5]
        Copy the id of the request into its response.""")
    JSON_TYPE = _error("""
        json-type: Every member has the JSON type that the standard gives it. [OData JSON, 19.1]
        Give the member the type that the message names.""")
    JSON_NULL_MEMBER = _warning("""
        json-null-member: Only a body may be null; other members are left out. [OData JSON, 19.1]
        Leave the member out.""")
    JSON_ID_NUMBER = _warning("""
        json-id-number: An id is a string. [OData JSON, 19.1]
        Put the id between double quotes.""")
    JSON_METHOD_UNKNOWN = _warning("""
        json-method-unknown: The methods of a JSON batch are get, post, put, patch and delete.
        [OData JSON, 19.1]
        Use one of the methods get, post, put, patch and delete.""")
    JSON_DEPENDS_ON_STRING = _warning("""
        json-depends-on-string: dependsOn is an array of strings, even for one. [OData JSON, 19.1]
        Put the identifier into an array.""")
    JSON_HEADER_VALUE = _warning("""
        json-header-value: Header values are strings. [OData JSON, 19.1]
        Put the value between double quotes.""")
    JSON_HEADER_CASE = _note("""
        json-header-case: Header names of a JSON batch are written in lower case. [OData JSON,
        19.1]
        Write the name of the header in lower case.""")
    JSON_HEADER_COLLISION = _error("""
        json-header-collision: Header names differ by more than their case. [OData JSON, 19.1]
        Keep the one header that is right.""")
    JSON_HEADER_COLLISION_EQUAL = _warning("""
        json-header-collision-equal: Header names differ by more than their case, even if their
        values are equal. [OData JSON, 19.1]
        Write the header once, in lower case.""")
    JSON_STATUS = _error("""
        json-status: A status is a number from 100 to 599. [OData JSON, 19.5]
        Write the status code of the response, for example 200.""")
    JSON_STATUS_SPELLING = _warning("""
        json-status-spelling: A status is written as a JSON number of three digits. [OData JSON,
        19.5]
        Write the status as a number without quotes, sign, fraction or exponent.""")
    JSON_BODY_TYPE = _warning("""
        json-body-type: A body whose media type is not JSON is a string. [OData JSON, 19.1]
        Write the body as a string, text as it is and other octets in base64url.""")
    JSON_BODY_UNEXPECTED = _warning("""
        json-body-unexpected: A get or delete request has no body. [OData JSON, 19.1]
        Leave the body out.""")
    JSON_CONTENT_TYPE_MISSING = _note("""
        json-content-type-missing: A request with a body says its content-type; without it the body
        is application/json. [OData JSON, 19.1]
        Add the header content-type.""")
    JSON_STRING_BODY = _note("""
        json-string-body: A string body without content-type is the JSON string, not its text.
        [OData JSON, 19.5]
        Add the header content-type if the text or the octets are meant.""")
    JSON_CONTENT_LENGTH = _note("""
        json-content-length: A content-length in a JSON batch agrees with the octets that the body
        stands for. [OData JSON, 19.1]
        Remove content-length, which a JSON batch does not need.""")
    JSON_NEXT_LINK = _warning("""
        json-next-link: The next link of a batch response is one string. [OData JSON, 19.5]
        Write one @nextLink, as a string.""")
    BASE64 = _error("""
        base64: A binary body is base64url, without blanks, with the unused bits zero. [RFC 4648,
        5]
        Encode the octets as base64url, on one line.""")
    JSON_BODY_LOSSY = _warning("""
        json-body-lossy: A binary body is base64url, not text in which octets were replaced by
        U+FFFD. [OData JSON, 19.1]
        Encode the octets as base64url, before anything reads them as text.""")
    BASE64_ALPHABET = _warning("""
        base64-alphabet: A binary body is written with the alphabet of base64url, with - and _.
        [OData JSON, 19.1]
        Write - for + and _ for /.""")
    TEXT_CHARSET = _error("""
        text-charset: The charset of a text body is UTF-8, US-ASCII or ISO-8859-1, and can hold the
        text. [OData JSON, 19.1]
        Write the text in UTF-8, and say charset=utf-8 in its content-type.""")

    # -- the batch as a whole --
    DUPLICATE_ID = _error("""
        duplicate-id: Request identifiers are unique. [OData Protocol, 11.7.3]
        Give each request an identifier of its own.""")
    DUPLICATE_ID_ACROSS_CHANGE_SETS = _warning("""
        duplicate-id-across-change-sets: Request identifiers are unique in the whole batch, not in
        their change set only. [OData Protocol, 11.7.3]
        Count identifiers through the whole batch instead of anew in each change set.""")
    DUPLICATE_RESPONSE_ID = _warning("""
        duplicate-response-id: Every request is answered once. [OData JSON, 19.5]
        Answer each request once, with its own identifier.""")
    ID_EQUALS_GROUP = _error("""
        id-equals-group: No request identifier equals the name of an atomicity group. [OData JSON,
        19.1]
        Rename the request or the group.""")
    ID_UNREFERENCABLE = _note("""
        id-unreferencable: An identifier that equals the name of a system resource cannot be
        referenced. [OData Protocol, 11.7.4]
        Rename the request if anything is to refer to it.""")
    GROUP_SPLIT = _warning("""
        group-split: The members of an atomicity group are adjacent. [OData JSON, 19.1]
        Write the members of the group one behind the other.""")
    DEPENDS_ON_UNKNOWN = _error("""
        depends-on-unknown: dependsOn names requests and groups of the same batch. [OData JSON,
        19.1]
        Name a request or a group of this batch, or remove the name.""")
    DEPENDS_ON_FORWARD = _error("""
        depends-on-forward: dependsOn names requests and groups that come before. [OData JSON,
        19.1]
        Move the request behind those that it depends on.""")
    DEPENDS_ON_SELF = _error("""
        depends-on-self: A request does not depend on itself. [OData JSON, 19.1]
        Remove the request's own identifier from dependsOn.""")
    DEPENDS_ON_OWN_GROUP = _warning("""
        depends-on-own-group: A request does not depend on its own group. [OData JSON, 19.1]
        Remove the group from dependsOn.""")
    DEPENDS_ON_GROUP_MISSING = _warning("""
        depends-on-group-missing: A request that depends on a member of another group names that
        group too. [OData JSON, 19.1]
        Name the group of the other request in dependsOn, too.""")
    REFERENCE_DEPENDENCY_MISSING = _warning("""
        reference-dependency-missing: A request whose URL begins with a reference depends on what
        it refers to. [OData JSON, 19.1]
        Name what the URL refers to in dependsOn.""")
    REFERENCE_UNKNOWN = _warning("""
        reference-unknown: A URL that begins with a reference refers to a request of the same
        batch. [OData Protocol, 11.7.4]
        Correct the identifier in the URL, or give it to the request that is meant.""")
    REFERENCE_FORWARD = _error("""
        reference-forward: A reference refers to a request that comes before. [OData Protocol,
        11.7.4]
        Move the request behind the one that it refers to.""")
    REFERENCE_ACROSS_CHANGE_SETS = _note("""
        reference-across-change-sets: A reference from a change set stays within it; services may
        allow more. [OData Protocol, 11.7.7.2]
        Move both requests into one change set, or ask the service whether it allows this.""")
    NESTED_BATCH = _error("""
        nested-batch: No request of a batch is itself a batch. [OData Protocol, 11.7]
        Move the requests of the inner batch into the outer one.""")
    NESTED_CHANGE_SET = _error("""
        nested-change-set: A change set holds no change set. [OData Protocol, 11.7.2]
        Move the operations of the inner change set into the outer one.""")
    EMPTY_CHANGE_SET = _warning("""
        empty-change-set: A change set holds at least one operation. [OData v3 Batch Processing,
        2.2]
        Leave the change set out.""")
    GET_IN_CHANGE_SET = _warning("""
        get-in-change-set: A change set holds no GET request. [OData Protocol, 11.7.2]
        Move the GET request out of the change set.""")
    DEPENDS_ON_CYCLE = _error("""
        depends-on-cycle: Requests do not depend on each other in a circle. [OData JSON, 19.1]
        Remove one of the dependencies, or send the requests in two batches.""")
    CONDITION_DEPENDENCY_MISSING = _note("""
        condition-dependency-missing: What the member if refers to is named in dependsOn. [OData
        JSON, 19.1]
        Name what the condition refers to in dependsOn.""")
    REFERENCE_TARGET = _note("""
        reference-target: A reference names a request that returns an entity. [OData Protocol,
        11.7.4]
        Refer to a request that creates an entity or reads one.""")
    REFERENCE_NOT_FIRST = _note("""
        reference-not-first: A reference is the first segment of a relative URL. [OData Protocol,
        11.7.4]
        Begin the URL with the reference, or write %24 for a dollar sign that is part of a name.""")
    ETAG_REFERENCE_UNKNOWN = _note("""
        etag-reference-unknown: A reference to an ETag names a preceding request. [OData Protocol,
        11.7.5]
        Name a request that comes before, or write the ETag itself.""")
    ID_CASE = _note("""
        id-case: Identifiers differ in more than the case of letters. [OData Protocol, 11.7.3]
        Choose identifiers that differ in more than the case of letters.""")
    HOST_CONFLICT = _note("""
        host-conflict: Host is the authority of an absolute URL. [RFC 9112, 3.2.2]
        Make Host the authority of the URL, or remove it.""")
    RESPOND_ASYNC_INSIDE = _note("""
        respond-async-inside: In a multipart batch, respond-async is a preference of the batch.
        [OData Protocol, 11.7.7.6]
        Move respond-async into the Prefer header of the batch request.""")
    ACCEPTED_IN_CHANGE_SET = _warning("""
        accepted-in-change-set: No request of a change set is answered with 202. [OData Protocol,
        11.7.7.6]
        Execute the change set at once, or answer the batch as a whole with 202.""")
    ACCEPTED_NOT_LAST = _warning("""
        accepted-not-last: In a multipart response, 202 stands for all that is left. [OData
        Protocol, 11.7.7.6]
        End the response behind the 202, and give the rest at the status monitor.""")
    ACCEPTED_WITHOUT_LOCATION = _warning("""
        accepted-without-location: A response with status 202 has a Location, that of its status
        monitor. [OData Protocol, 11.6]
        Add a Location with the URL of the status monitor.""")
    CREATED_WITHOUT_LOCATION = _note("""
        created-without-location: A response with status 201 has a Location. [OData Protocol,
        11.4.2]
        Add a Location with the URL of the new entity.""")
    REFERENCE_IN_RESPONSE = _note("""
        reference-in-response: URLs in responses hold no request identifiers. [OData Protocol,
        11.7.7.5]
        Write the URL of the resource in place of the reference.""")
    ASYNC_RESULT_INSIDE = _note("""
        async-result-inside: AsyncResult is a header of the batch response. [OData Protocol, 8.3.1]
        Move AsyncResult into the header section of the batch response.""")
    CHANGE_SET_ERROR_NESTED = _warning("""
        change-set-error-nested: A change set that failed is answered with one response in its
        place. [OData Protocol, 11.7.7.5]
        Answer with one application/http part in place of the change set.""")
    GROUP_STATUS_MIXED = _note("""
        group-status-mixed: A failure fails all requests of its group, whatever their own status
        says. [OData JSON, 19.5]
        Treat all requests of the group as failed; a service answers the others with 424.""")

    # -- a response and its request --
    RESPONSE_MISSING = _warning("""
        response-missing: Every request that was processed has a response. [OData Protocol,
        11.7.7.5]
        Answer every request, or end the batch at the first error.""")
    RESPONSE_UNEXPECTED = _warning("""
        response-unexpected: Every response belongs to a request. [OData Protocol, 11.7.7.5]
        Answer each request once, and nothing else.""")
    RESPONSE_STRUCTURE = _warning("""
        response-structure: Operations and change sets of the response match those of the request.
        [OData Protocol, 11.7.7.5]
        Answer an operation with a response and a change set with a change set, in the order of the
        request.""")
    RESPONSE_ID = _warning("""
        response-id: A response has the identifier of its request. [OData Protocol, 11.7.7.4]
        Copy the identifier of the request into its response.""")
    RESPONSE_GROUP = _warning("""
        response-group: A response has the atomicity group of its request. [OData JSON, 19.5]
        Copy the atomicityGroup of the request into its response.""")
    RESPONSE_AFTER_ERROR = _warning("""
        response-after-error: Without continue-on-error the first error ends a multipart response.
        [OData Protocol, 11.7.7.5]
        End the response at the first error, or ask for continue-on-error in the Prefer header.""")
    CHANGE_SET_SUCCESS_SINGLE = _warning("""
        change-set-success-single: One response in the place of a change set is an error. [OData
        Protocol, 11.7.7.5]
        Answer a change set that has succeeded with a change set, one response for each
        operation.""")
    ACCEPTED_WITH_DEPENDENTS = _warning("""
        accepted-with-dependents: A request that others depend on is not answered with 202. [OData
        JSON, 19.6]
        Execute the request at once, or answer the batch as a whole with 202.""")

    # -- what one service refuses --
    FORMAT_NOT_SPOKEN = _error("""
        format-not-spoken: The batch is in a format that the service speaks. [Microsoft Graph, JSON
        batching]
        Send the batch in the other format.""")
    TOO_MANY_OPERATIONS = _error("""
        too-many-operations: A batch has no more operations than the service takes. [Microsoft
        Graph, JSON batching, Batch size limitations]
        Split the batch into smaller ones.""")
    TOO_MANY_CHANGE_SETS = _error("""
        too-many-change-sets: A batch has no more change sets than the service takes. [Azure
        Tables, Performing entity group transactions]
        Send each change set in a batch of its own.""")
    CHANGE_SET_TOO_LARGE = _error("""
        change-set-too-large: A change set has no more operations than the service takes. [Azure
        Tables, Performing entity group transactions]
        Split the change set, if its operations need not be executed as one.""")
    PAYLOAD_TOO_LARGE = _error("""
        payload-too-large: A batch has no more octets than the service takes. [Azure Tables,
        Performing entity group transactions]
        Split the batch into smaller ones.""")
    URL_FORM = _error("""
        url-form: A URL has a form that the service understands. [Microsoft Graph, JSON batching,
        Creating a batch request]
        Write the URL in one of the forms that the message names.""")
    URL_ROOT_SEGMENT = _error("""
        url-root-segment: A URL does not begin with a segment of the service root. [Microsoft
        Graph, JSON batching, Creating a batch request]
        Remove the first segment, and write the URL relative to the service root.""")
    ID_CASE_IGNORED = _error("""
        id-case-ignored: Identifiers differ in more than case where the service ignores it.
        [Microsoft Graph, JSON batching, Creating a batch request]
        Choose identifiers that differ in more than the case of letters.""")
    ATOMICITY_IGNORED = _warning("""
        atomicity-ignored: Operations that belong together are sent where change sets are executed
        as one. [SharePoint, Make batch requests with the REST APIs]
        Be prepared for operations of the change set to succeed while others fail.""")
    DEPENDENCIES_MIXED = _warning("""
        dependencies-mixed: All requests run one after the other, or all at once. [Microsoft Graph,
        JSON batching, Sequencing requests with the dependsOn property]
        Let each request depend on the one before it, or none on any.""")
    REFERENCE_NOT_SUPPORTED = _error("""
        reference-not-supported: No URL refers to another request where the service resolves no
        references. [Microsoft Graph, JSON batching, Sequencing requests with the dependsOn
        property]
        Send the request in a second batch, with the URL from the first response.""")
    WRITE_OUTSIDE_CHANGE_SET = _error("""
        write-outside-change-set: What changes data stands in a change set, where the service wants
        it there. [OData v3 Batch Processing, 2.2]
        Put the operation into a change set, its own if need be.""")
    QUERY_NOT_ALONE = _error("""
        query-not-alone: A query is the only operation of its batch, where the service wants it so.
        [Azure Tables, Performing entity group transactions]
        Send the query in a batch of its own.""")
    ENTITY_TWICE = _error("""
        entity-twice: A change set changes no entity twice, where the service forbids it. [Azure
        Tables, Performing entity group transactions]
        Merge the two changes into one operation, or send them in two change sets.""")
    JSON_BODY_NOT_STRUCTURED = _error("""
        json-body-not-structured: A body is a JSON object or array, where the service reads nothing
        else. [SAP CAP, @sap/cds 9.9, OData adapter]
        Send the request by itself, or in a multipart batch.""")
    JSON_BODY_NOT_BASE64 = _note("""
        json-body-not-base64: A string is the base64 of a JSON body, where the service writes
        bodies so. [Microsoft Graph, JSON batching, Creating a batch request]
        Write the body as a JSON object, or encode it in base64.""")
    PREFERENCE_UNPREFIXED = _warning("""
        preference-unprefixed: A service of 4.0 is told odata.continue-on-error, with the prefix.
        [OData Protocol, 8.2.8.3]
        Write odata.continue-on-error.""")

    # -- what only writing can get wrong --
    NOT_EXPRESSIBLE = _error("""
        not-expressible: A value is written only in a format that can express all of it. [OData
        Protocol, 11.7.1]
        Choose the other format, or convert the batch and accept what is lost.""")
    BOUNDARY_IN_CONTENT = _error("""
        boundary-in-content: A boundary does not occur in what it delimits. [RFC 2046, 5.1]
        Choose another boundary, or none, so that one is made up.""")

    # -- captured payloads --
    CAPTURE_CONTENT_LENGTH = _note("""
        capture-content-length: The Content-Length of a captured message agrees with its body. [RFC
        9112, 6.3]
        Write the length of the body if the capture is to be sent again.""")
    CAPTURE_BARE_BODY = _note("""
        capture-bare-body: A capture without a header section is read as the body that it looks
        like. [RFC 2046, 5.1.1]
        Capture the header section, too, so that nothing has to be guessed.""")
    CAPTURE_URL_LINE = _note("""
        capture-url-line: A capture that begins with a URL has lost the rest of its request line.
        [RFC 9112, 3]
        Write the method before the URL, and HTTP/1.1 behind it.""")
    CAPTURE_UNREADABLE = _fatal("""
        capture-unreadable: A HAR file is one JSON text with log.entries, a SAZ file a ZIP archive
        with raw messages. [RFC 8259, 2]
        Export the capture again, and check that the file is whole.""")
    CAPTURE_DUPLICATE_MEMBER = _error("""
        capture-duplicate-member: The members of a HAR file that hold a message stand once in their
        object. [RFC 8259, 4]
        Export the capture again with a tool that writes each member once.""")
    CAPTURE_MEMBER = _warning("""
        capture-member: The members of a HAR file have the JSON types that the format gives them.
        [RFC 8259, 3]
        Export the capture again with a tool that follows HAR 1.2.""")
    CAPTURE_INCOMPLETE = _note("""
        capture-incomplete: An exchange is captured with its request and its response. [RFC 9110,
        3.4]
        Capture until the response has come.""")
    CAPTURE_BODY_MISSING = _warning("""
        capture-body-missing: A message is captured with its body, not with the length of its body
        only. [RFC 9110, 6.4]
        Export the capture with content, or read it with a tool that keeps bodies.""")
    CAPTURE_DECODED = _note("""
        capture-decoded: A captured body is read with its transfer coding and its content coding
        undone. [RFC 9110, 8.4]
        Read places as those in the decoded body, which the file does not hold as it is.""")
    CAPTURE_CODING = _fatal("""
        capture-coding: The codings of a captured body are chunked, gzip and deflate, and can be
        undone. [RFC 9110, 8.4.1]
        Capture without compression, or check that the whole body was captured.""")
    CAPTURE_TRUNCATED = _warning("""
        capture-truncated: A captured body goes on to the end that its coding has. [RFC 9112, 8]
        Capture the body to its end, and raise the size limit of the tool if there is one.""")
    CAPTURE_LOSSY = _note("""
        capture-lossy: A capture keeps the octets of the message and replaces none of them by
        U+FFFD. [RFC 9112, 2.2]
        Capture with a tool that keeps octets, and do not save binary content as text.""")
    CAPTURE_REPLACEMENT_CHARACTER = _note("""
        capture-replacement-character: U+FFFD in a captured text stands there because it was sent,
        not in place of lost octets. [RFC 9112, 2.2]
        Compare with another capture if characters seem to be wrong.""")
    CAPTURE_NOT_A_BATCH = _fatal("""
        capture-not-a-batch: A batch is answered with a batch, not with an error page or a single
        error. [OData Protocol, 11.7.7.5]
        Read the answer: the server, or something in front of it, has refused the batch as a
        whole.""")
    CAPTURE_ACCEPTED = _note("""
        capture-accepted: The response to a batch that is answered with 202 will be at the
        Location, not in here. [OData Protocol, 11.7.7.6]
        Capture the answer of the status monitor that Location names.""")
