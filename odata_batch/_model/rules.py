"""What can be wrong with a batch: severities and the catalogue of rules.

Why this long: the catalogue is one table. A row is a member of `Rule`: its slug, its severity,
one sentence, one citation. Citations name the text and the section; "OData Protocol" and "OData
JSON" are the 4.01 documents.

The severity of a rule follows from one question. Two readers may disagree about what the message
means: an error. The message breaks a sentence of the standard, yet can be read in one way only: a
warning. Anything else worth telling: a note.
"""

from __future__ import annotations

from enum import Enum, IntEnum


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


_NOTE, _WARNING, _ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR


class Rule(Enum):
    """The catalogue: every finding of this library is an instance of one of these rules.

    A member's value is its slug, so `Rule("truncated")` looks one up. `severity` is the default; a
    dialect may override it. A `fatal` rule has no documented reading: nothing is read after it.

    >>> Rule("no-delimiter").severity.name
    'ERROR'
    >>> Rule.NO_DELIMITER.citation
    'RFC 2046, 5.1.1'
    """

    severity: Severity
    sentence: str
    citation: str
    fatal: bool

    def __new__(
        cls,
        slug: str,
        severity: Severity = _ERROR,
        sentence: str = "",
        citation: str = "",
        fatal: bool = False,
    ) -> Rule:
        # The defaults are never used; they let type checkers accept the look-up `Rule(slug)`.
        self = object.__new__(cls)
        self._value_ = slug
        self.severity = severity
        self.sentence = sentence
        self.citation = citation
        self.fatal = fatal
        return self

    def __repr__(self) -> str:
        return f"Rule.{self.name}"

    @property
    def slug(self) -> str:
        """The name of the rule on the command line, in fixtures and in reports."""
        return str(self.value)

    # -- limits --
    LIMIT_EXCEEDED = (
        "limit-exceeded",
        _ERROR,
        "No part of a message is larger than the limits in force.",
        "RFC 9110, 17.5",
        True,
    )

    # -- the outer Content-Type and header section --
    BATCH_MEDIA_TYPE = (
        "batch-media-type",
        _ERROR,
        "The media type of a batch is multipart/mixed or application/json.",
        "OData Protocol, 11.7.1",
        True,
    )
    CONTENT_TYPE_SYNTAX = (
        "content-type-syntax",
        _ERROR,
        "A media type is type/subtype, followed by parameters after semicolons.",
        "RFC 9110, 8.3.1",
        True,
    )
    MULTIPART_SUBTYPE = (
        "multipart-subtype",
        _WARNING,
        "The multipart subtype of batches and change sets is mixed.",
        "OData Protocol, 11.7.7.1",
    )
    BOUNDARY_MISSING = (
        "boundary-missing",
        _ERROR,
        "A multipart media type has a boundary parameter that is not empty.",
        "RFC 2046, 5.1.1",
        True,
    )
    BOUNDARY_CONFLICT = (
        "boundary-conflict",
        _ERROR,
        "A multipart media type has one boundary parameter.",
        "RFC 2046, 5.1.1",
        True,
    )
    BOUNDARY_REPEATED = (
        "boundary-repeated",
        _WARNING,
        "The boundary parameter is given once, even if its values are equal.",
        "RFC 2046, 5.1.1",
    )
    BOUNDARY_SYNTAX = (
        "boundary-syntax",
        _ERROR,
        "A boundary holds no control character and nothing outside US-ASCII.",
        "RFC 2046, 5.1.1",
        True,
    )
    BOUNDARY_CHARACTERS = (
        "boundary-characters",
        _WARNING,
        "A boundary consists of digits, letters, '()+_,-./:=? and blanks, and ends in no blank.",
        "RFC 2046, 5.1.1",
    )
    BOUNDARY_UNQUOTED = (
        "boundary-unquoted",
        _WARNING,
        "A boundary that is not a token is written between double quotes.",
        "RFC 2046, 5.1.1",
    )
    PARAMETER_BLANKS = (
        "parameter-blanks",
        _WARNING,
        "No blanks stand around the equals sign of a parameter.",
        "RFC 9110, 5.6.6",
    )
    JSON_CHARSET = (
        "json-charset",
        _ERROR,
        "A JSON batch is encoded in UTF-8.",
        "RFC 8259, 8.1",
        True,
    )
    OUTER_PRECONDITION = (
        "outer-precondition",
        _WARNING,
        "The batch request itself has no If-Match and no If-None-Match.",
        "OData Protocol, 8.2.4 and 8.2.5",
    )
    OUTER_PREFERENCE = (
        "outer-preference",
        _NOTE,
        "The preferences maxpagesize, track-changes and return are for individual requests.",
        "OData Protocol, 8.2.8",
    )
    OUTER_RESPONSE_HEADER = (
        "outer-response-header",
        _NOTE,
        "ETag, Location and OData-EntityId belong to individual responses.",
        "OData Protocol, 8.3",
    )
    METHOD_TUNNEL = (
        "method-tunnel",
        _NOTE,
        "A batch request is not tunnelled through X-HTTP-Method.",
        "OData v3 Batch Processing, 2.1",
    )
    PREFERENCE_VALUE = (
        "preference-value",
        _WARNING,
        "The value of continue-on-error is true, false or absent.",
        "OData Protocol, 8.2.8.3",
    )
    ASYNC_RESULT = (
        "async-result",
        _WARNING,
        "The value of AsyncResult is a status code of three digits.",
        "OData Protocol, 8.3.1",
    )
    VERSION_HEADER = (
        "version-header",
        _NOTE,
        "An OData version is two numbers with a dot between them.",
        "OData Protocol, 8.1.5",
    )

    # -- MIME framing --
    NO_DELIMITER = (
        "no-delimiter",
        _ERROR,
        "A multipart body has a delimiter line made of two hyphens and the boundary.",
        "RFC 2046, 5.1.1",
        True,
    )
    NO_PARTS = (
        "no-parts",
        _WARNING,
        "A multipart body has at least one part.",
        "RFC 2046, 5.1",
    )
    TRUNCATED = (
        "truncated",
        _ERROR,
        "The last part of a multipart request is followed by a close delimiter.",
        "RFC 2046, 5.1.1",
    )
    TRUNCATED_RESPONSE = (
        "truncated-response",
        _WARNING,
        "A response whose close delimiter is missing has failed as a whole.",
        "OData Protocol, 9.4",
    )
    CHANGE_SET_UNCLOSED = (
        "change-set-unclosed",
        _WARNING,
        "The multipart of a change set response ends with its own close delimiter.",
        "RFC 2046, 5.1.2",
    )
    LINE_FEED = (
        "line-feed",
        _WARNING,
        "Lines end in CRLF, not in LF alone.",
        "RFC 2046, 5.1.1",
    )
    MIXED_LINE_ENDINGS = (
        "mixed-line-endings",
        _ERROR,
        "All delimiter lines of a message end in the same way.",
        "RFC 2046, 5.1.1",
    )
    DELIMITER_LOOKALIKE = (
        "delimiter-lookalike",
        _WARNING,
        "Nothing looks like a delimiter line without being one: not in content, not before it.",
        "RFC 2046, 5.1.1",
    )
    BOUNDARY_PREFIX = (
        "boundary-prefix",
        _NOTE,
        "The boundary of a change set does not begin with the boundary of the batch.",
        "RFC 2046, 5.1",
    )
    BOUNDARY_REUSED = (
        "boundary-reused",
        _ERROR,
        "A nested multipart has a boundary of its own.",
        "RFC 2046, 5.1",
    )
    CLOSE_DELIMITER_HYPHENS = (
        "close-delimiter-hyphens",
        _WARNING,
        "A close delimiter ends in exactly two hyphens.",
        "RFC 2046, 5.1.1",
    )
    TRANSPORT_PADDING = (
        "transport-padding",
        _NOTE,
        "Composers put no blanks after a boundary.",
        "RFC 2046, 5.1.1",
    )
    PREAMBLE = (
        "preamble",
        _NOTE,
        "Text before the first delimiter is ignored.",
        "OData Protocol, 11.7.7.1",
    )
    EPILOGUE = (
        "epilogue",
        _NOTE,
        "Text after the close delimiter is ignored.",
        "OData Protocol, 11.7.7.1",
    )
    EPILOGUE_DELIMITER = (
        "epilogue-delimiter",
        _WARNING,
        "No delimiter line follows the close delimiter.",
        "RFC 2046, 5.1.1",
    )
    PART_WITHOUT_HEADERS = (
        "part-without-headers",
        _ERROR,
        "A part begins with its header section.",
        "OData Protocol, 11.7.7.1",
    )
    PART_WITHOUT_BODY = (
        "part-without-body",
        _ERROR,
        "An empty line separates the header section of a part from its content.",
        "RFC 2046, 5.1",
    )
    REQUEST_LINE_IN_PART_HEADERS = (
        "request-line-in-part-headers",
        _ERROR,
        "The header section of a part stands above the request, not below its request line.",
        "OData Protocol, 11.7.7.1",
    )
    PART_CONTENT_TYPE = (
        "part-content-type",
        _ERROR,
        "A part is application/http, or multipart/mixed where it is a change set.",
        "OData Protocol, 11.7.7.1",
    )
    PART_CONTENT_TYPE_ASSUMED = (
        "part-content-type-assumed",
        _WARNING,
        "A part that holds a request or a response says application/http.",
        "OData Protocol, 11.7.7.1",
    )
    MESSAGE_TYPE = (
        "message-type",
        _WARNING,
        "The msgtype parameter of application/http agrees with the content.",
        "RFC 9112, 10.2",
    )
    CONTENT_TRANSFER_ENCODING = (
        "content-transfer-encoding",
        _ERROR,
        "The content transfer encoding of a part is 7bit, 8bit or binary.",
        "RFC 2046, 5.1",
    )
    CONTENT_TRANSFER_ENCODING_DECODED = (
        "content-transfer-encoding-decoded",
        _WARNING,
        "HTTP messages are carried as they are, not in base64.",
        "RFC 9112, B.5",
    )
    CONTENT_TRANSFER_ENCODING_MISSING = (
        "content-transfer-encoding-missing",
        _NOTE,
        "OData up to 4.0 wants Content-Transfer-Encoding: binary in every part.",
        "OData 4.0 Protocol, 11.7.2",
    )
    PART_CONTENT_ENCODING = (
        "part-content-encoding",
        _WARNING,
        "A part has no content coding; its content is read as it is.",
        "OData Protocol, 8.1.2",
    )
    PART_CONTENT_LENGTH = (
        "part-content-length",
        _NOTE,
        "A Content-Length in a part's header section agrees with the content.",
        "RFC 2046, 5.1.1",
    )
    PART_HEADER_IGNORED = (
        "part-header-ignored",
        _NOTE,
        "A part's header section holds Content-Type, -Transfer-Encoding, -ID and -Length only.",
        "RFC 2046, 5.1",
    )

    # -- header sections --
    HEADER_SYNTAX = (
        "header-syntax",
        _ERROR,
        "A field line is a name, a colon and a value.",
        "RFC 9112, 5",
    )
    HEADER_BLANK_BEFORE_COLON = (
        "header-blank-before-colon",
        _ERROR,
        "No blank stands between a field name and its colon.",
        "RFC 9112, 5.1",
    )
    HEADER_FOLDED = (
        "header-folded",
        _WARNING,
        "Field lines of an HTTP message are not folded.",
        "RFC 9112, 5.2",
    )
    PART_HEADER_FOLDED = (
        "part-header-folded",
        _NOTE,
        "Folded field lines of a part's header section are unfolded.",
        "RFC 5322, 2.2.3",
    )
    HEADER_BLANKS = (
        "header-blanks",
        _NOTE,
        "A field value neither begins nor ends with a blank, which HTTP would not carry.",
        "RFC 9110, 5.5",
    )
    HEADER_NOT_ASCII = (
        "header-not-ascii",
        _NOTE,
        "Octets above 127 in a field value are kept, as ISO-8859-1.",
        "RFC 9110, 5.5",
    )
    HEADER_CHARACTERS = (
        "header-characters",
        _ERROR,
        "Field values and reason phrases lie within ISO-8859-1, so that HTTP can carry them.",
        "RFC 9110, 5.5",
    )
    CONTROL_CHARACTER = (
        "control-character",
        _ERROR,
        "Field values, start lines and URLs hold no control character, bare CR included.",
        "RFC 9110, 5.5",
    )
    REPEATED_HEADER = (
        "repeated-header",
        _ERROR,
        "Framing and identifying fields have one value.",
        "RFC 9110, 5.3",
    )
    REPEATED_HEADER_EQUAL = (
        "repeated-header-equal",
        _NOTE,
        "Framing and identifying fields stand once, even if their values are equal.",
        "RFC 9110, 5.3",
    )

    # -- HTTP messages --
    EMPTY_MESSAGE = (
        "empty-message",
        _ERROR,
        "A part holds one HTTP message.",
        "OData Protocol, 11.7.7.1",
    )
    MESSAGE_KIND = (
        "message-kind",
        _ERROR,
        "A batch request holds requests, a batch response holds responses.",
        "RFC 9112, 2.1",
    )
    LEADING_EMPTY_LINE = (
        "leading-empty-line",
        _NOTE,
        "One empty line before the start line is skipped.",
        "RFC 9112, 2.2",
    )
    REQUEST_LINE_SYNTAX = (
        "request-line-syntax",
        _ERROR,
        "A request line is a method, a blank, a URL, a blank and the HTTP version.",
        "RFC 9112, 3",
    )
    REQUEST_LINE_BLANKS = (
        "request-line-blanks",
        _NOTE,
        "One blank separates the elements of a request line.",
        "RFC 9112, 3",
    )
    HTTP_VERSION = (
        "http-version",
        _ERROR,
        "The version of an HTTP message in a part is HTTP/1.1.",
        "RFC 9112, 2.3",
    )
    HTTP_VERSION_OLD = (
        "http-version-old",
        _NOTE,
        "HTTP/1.0 is read as HTTP/1.1.",
        "RFC 9112, 2.3",
    )
    HTTP_VERSION_MISSING = (
        "http-version-missing",
        _NOTE,
        "A request line without version is read as HTTP/1.1.",
        "RFC 9112, 3",
    )
    METHOD_SYNTAX = (
        "method-syntax",
        _ERROR,
        "A method is a token.",
        "RFC 9110, 9.1",
    )
    METHOD_LOWER_CASE = (
        "method-lower-case",
        _NOTE,
        "The methods of HTTP are written in upper case.",
        "RFC 9110, 9.1",
    )
    METHOD_UNKNOWN = (
        "method-unknown",
        _NOTE,
        "The methods of OData are GET, POST, PUT, PATCH, DELETE, and MERGE in version 2.",
        "OData Protocol, 11.7",
    )
    URL_BLANKS = (
        "url-blanks",
        _WARNING,
        "Blanks in a URL are percent-encoded.",
        "RFC 3986, 2",
    )
    URL_CHARACTERS = (
        "url-characters",
        _WARNING,
        "Characters that have no place in a URL are percent-encoded.",
        "RFC 3986, 2",
    )
    URL_BACKSLASH = (
        "url-backslash",
        _ERROR,
        "A URL holds no backslash, which some readers take for a slash.",
        "RFC 3986, 2",
    )
    URL_COLON = (
        "url-colon",
        _NOTE,
        "Colons in the path of a relative URL are percent-encoded.",
        "OData Protocol, 11.7.7.1",
    )
    URL_SCHEME = (
        "url-scheme",
        _WARNING,
        "A URL that begins with a scheme is an absolute http or https URL.",
        "OData Protocol, 11.7.7.1",
    )
    URL_AUTHORITY = (
        "url-authority",
        _WARNING,
        "A URL does not begin with two slashes, which would name another host.",
        "OData Protocol, 11.7.7.1",
    )
    JSON_URL_AUTHORITY = (
        "json-url-authority",
        _ERROR,
        "A URL of a JSON batch does not begin with two slashes, which would name another host.",
        "OData JSON, 19.1",
    )
    JSON_URL_ABSOLUTE = (
        "json-url-absolute",
        _NOTE,
        "A URL of a JSON batch is an absolute path or a relative path.",
        "OData JSON, 19.1",
    )
    JSON_URL_EMPTY = (
        "json-url-empty",
        _NOTE,
        "An empty URL names the service root.",
        "OData JSON, 19.1",
    )
    URL_FRAGMENT = (
        "url-fragment",
        _NOTE,
        "A request URL has no fragment.",
        "RFC 9110, 7.1",
    )
    STATUS_LINE_SYNTAX = (
        "status-line-syntax",
        _ERROR,
        "A status line is the HTTP version, a status code of three digits and a reason phrase.",
        "RFC 9112, 4",
    )
    REASON_MISSING = (
        "reason-missing",
        _NOTE,
        "A blank follows the status code even where there is no reason phrase.",
        "RFC 9112, 4",
    )
    EMPTY_LINE_MISSING = (
        "empty-line-missing",
        _WARNING,
        "An empty line ends the header section of a message even without a body.",
        "OData Protocol, 11.7.7.1",
    )
    CONTENT_LENGTH_SYNTAX = (
        "content-length-syntax",
        _WARNING,
        "Content-Length is a decimal number.",
        "RFC 9112, 6.3",
    )
    CONTENT_LENGTH_MISMATCH = (
        "content-length-mismatch",
        _WARNING,
        "Content-Length is the number of octets of the body.",
        "RFC 9112, 6.3",
    )
    CONTENT_LENGTH_TRAILING_CRLF = (
        "content-length-trailing-crlf",
        _NOTE,
        "One CRLF that Content-Length does not cover stays in the body.",
        "RFC 9112, 6.3",
    )
    CONTENT_LENGTH_CROSSES_DELIMITER = (
        "content-length-crosses-delimiter",
        _ERROR,
        "Content-Length does not reach across a delimiter line.",
        "RFC 9112, 6.3",
    )
    TRANSFER_ENCODING = (
        "transfer-encoding",
        _ERROR,
        "Messages in a batch have no transfer coding.",
        "OData Protocol, 11.7.7.1",
    )
    BODY_FORBIDDEN = (
        "body-forbidden",
        _WARNING,
        "Responses with a 1xx, 204 or 304 status have no body.",
        "RFC 9110, 6.4.1",
    )
    BODY_UNEXPECTED = (
        "body-unexpected",
        _WARNING,
        "A GET request has no body.",
        "RFC 9110, 9.3.1",
    )
    CONTENT_TYPE_MISSING = (
        "content-type-missing",
        _NOTE,
        "A message with a body says its Content-Type.",
        "OData Protocol, 8.1.1",
    )
    FORBIDDEN_HEADER = (
        "forbidden-header",
        _WARNING,
        "Individual requests carry no authorization, and no Expect, From, Max-Forwards, Range, TE.",
        "OData Protocol, 11.7.7.1",
    )

    # -- identifiers --
    CONTENT_ID_MISSING = (
        "content-id-missing",
        _WARNING,
        "Every operation in a change set has a Content-ID.",
        "OData Protocol, 11.7.7.1",
    )
    CONTENT_ID_EMPTY = (
        "content-id-empty",
        _WARNING,
        "A Content-ID is not empty.",
        "OData Protocol, 11.7.3",
    )
    CONTENT_ID_IN_MESSAGE = (
        "content-id-in-message",
        _NOTE,
        "Content-ID is a field of the part, not of the HTTP message in it.",
        "OData Protocol, 11.7.7.1",
    )
    CONTENT_ID_CONFLICT = (
        "content-id-conflict",
        _WARNING,
        "The Content-ID of a part and the one in its HTTP message agree.",
        "OData Protocol, 11.7.7.1",
    )
    CONTENT_ID_ON_CHANGE_SET = (
        "content-id-on-change-set",
        _NOTE,
        "A Content-ID on a change set has no meaning.",
        "OData Protocol, 11.7.7.1",
    )
    ID_SYNTAX = (
        "id-syntax",
        _WARNING,
        "A request identifier consists of letters, digits and - . _ ~.",
        "OData Protocol, 11.7.3",
    )

    # -- JSON batches --
    JSON_ENCODING = (
        "json-encoding",
        _ERROR,
        "A JSON batch is valid UTF-8 and holds no unpaired surrogate.",
        "RFC 8259, 8.1",
        True,
    )
    JSON_BYTE_ORDER_MARK = (
        "json-byte-order-mark",
        _WARNING,
        "A JSON text does not begin with a byte order mark.",
        "RFC 8259, 8.1",
    )
    JSON_SYNTAX = (
        "json-syntax",
        _ERROR,
        "A JSON batch is one JSON text and nothing else.",
        "RFC 8259, 2",
        True,
    )
    JSON_ENVELOPE = (
        "json-envelope",
        _ERROR,
        "A JSON batch is an object with the array requests, or the array responses.",
        "OData JSON, 19.1",
        True,
    )
    JSON_ERROR_RESPONSE = (
        "json-error-response",
        _ERROR,
        "A batch response is not a single OData error response.",
        "OData JSON, 19.5",
        True,
    )
    JSON_NO_REQUESTS = (
        "json-no-requests",
        _NOTE,
        "The array of requests is not empty.",
        "OData JSON, 19.1",
    )
    JSON_DUPLICATE_MEMBER = (
        "json-duplicate-member",
        _ERROR,
        "Members that decide what is requested stand once.",
        "RFC 7493, 2.3",
    )
    JSON_DUPLICATE_OTHER_MEMBER = (
        "json-duplicate-other-member",
        _WARNING,
        "The names of an object's members are unique.",
        "RFC 7493, 2.3",
    )
    JSON_UNKNOWN_MEMBER = (
        "json-unknown-member",
        _NOTE,
        "Members that the standard does not define are kept as annotations.",
        "RFC 7493, 4.2",
    )
    JSON_CONTEXT = (
        "json-context",
        _NOTE,
        "A batch has no context control information.",
        "OData JSON, 19.1",
    )
    JSON_ITEM = (
        "json-item",
        _ERROR,
        "Every element of the array is an object.",
        "OData JSON, 19.1",
    )
    JSON_MISSING_MEMBER = (
        "json-missing-member",
        _ERROR,
        "A request has an id, a method and a url; a response has a status.",
        "OData JSON, 19.1",
    )
    JSON_RESPONSE_ID_MISSING = (
        "json-response-id-missing",
        _WARNING,
        "The answer to a request with an id has that id.",
        "OData JSON, 19.5",
    )
    JSON_TYPE = (
        "json-type",
        _ERROR,
        "Every member has the JSON type that the standard gives it.",
        "OData JSON, 19.1",
    )
    JSON_NULL_MEMBER = (
        "json-null-member",
        _WARNING,
        "Only a body may be null; other members are left out.",
        "OData JSON, 19.1",
    )
    JSON_ID_NUMBER = (
        "json-id-number",
        _WARNING,
        "An id is a string.",
        "OData JSON, 19.1",
    )
    JSON_METHOD_UNKNOWN = (
        "json-method-unknown",
        _WARNING,
        "The methods of a JSON batch are get, post, put, patch and delete.",
        "OData JSON, 19.1",
    )
    JSON_DEPENDS_ON_STRING = (
        "json-depends-on-string",
        _WARNING,
        "dependsOn is an array of strings, even for one.",
        "OData JSON, 19.1",
    )
    JSON_HEADER_VALUE = (
        "json-header-value",
        _WARNING,
        "Header values are strings.",
        "OData JSON, 19.1",
    )
    JSON_HEADER_CASE = (
        "json-header-case",
        _NOTE,
        "Header names of a JSON batch are written in lower case.",
        "OData JSON, 19.1",
    )
    JSON_HEADER_COLLISION = (
        "json-header-collision",
        _ERROR,
        "Header names differ by more than their case.",
        "OData JSON, 19.1",
    )
    JSON_HEADER_COLLISION_EQUAL = (
        "json-header-collision-equal",
        _WARNING,
        "Header names differ by more than their case, even if their values are equal.",
        "OData JSON, 19.1",
    )
    JSON_STATUS = (
        "json-status",
        _ERROR,
        "A status is a number from 100 to 599.",
        "OData JSON, 19.5",
    )
    JSON_STATUS_SPELLING = (
        "json-status-spelling",
        _WARNING,
        "A status is written as a JSON number of three digits.",
        "OData JSON, 19.5",
    )
    JSON_BODY_TYPE = (
        "json-body-type",
        _WARNING,
        "A body whose media type is not JSON is a string.",
        "OData JSON, 19.1",
    )
    JSON_BODY_UNEXPECTED = (
        "json-body-unexpected",
        _WARNING,
        "A get or delete request has no body.",
        "OData JSON, 19.1",
    )
    JSON_CONTENT_TYPE_MISSING = (
        "json-content-type-missing",
        _NOTE,
        "A request with a body says its content-type; without it the body is application/json.",
        "OData JSON, 19.1",
    )
    JSON_STRING_BODY = (
        "json-string-body",
        _NOTE,
        "A string body without content-type is the JSON string, not its text.",
        "OData JSON, 19.5",
    )
    JSON_CONTENT_LENGTH = (
        "json-content-length",
        _NOTE,
        "A content-length in a JSON batch agrees with the octets that the body stands for.",
        "OData JSON, 19.1",
    )
    JSON_NEXT_LINK = (
        "json-next-link",
        _WARNING,
        "The next link of a batch response is one string.",
        "OData JSON, 19.5",
    )
    BASE64 = (
        "base64",
        _ERROR,
        "A binary body is base64url, without blanks, with the unused bits zero.",
        "RFC 4648, 5",
    )
    JSON_BODY_LOSSY = (
        "json-body-lossy",
        _WARNING,
        "A binary body is base64url, not text in which octets were replaced by U+FFFD.",
        "OData JSON, 19.1",
    )
    BASE64_ALPHABET = (
        "base64-alphabet",
        _WARNING,
        "A binary body is written with the alphabet of base64url, with - and _.",
        "OData JSON, 19.1",
    )
    TEXT_CHARSET = (
        "text-charset",
        _ERROR,
        "The charset of a text body is UTF-8, US-ASCII or ISO-8859-1, and can hold the text.",
        "OData JSON, 19.1",
    )

    # -- the batch as a whole --
    DUPLICATE_ID = (
        "duplicate-id",
        _ERROR,
        "Request identifiers are unique.",
        "OData Protocol, 11.7.3",
    )
    DUPLICATE_ID_ACROSS_CHANGE_SETS = (
        "duplicate-id-across-change-sets",
        _WARNING,
        "Request identifiers are unique in the whole batch, not in their change set only.",
        "OData Protocol, 11.7.3",
    )
    DUPLICATE_RESPONSE_ID = (
        "duplicate-response-id",
        _WARNING,
        "Every request is answered once.",
        "OData JSON, 19.5",
    )
    ID_EQUALS_GROUP = (
        "id-equals-group",
        _ERROR,
        "No request identifier equals the name of an atomicity group.",
        "OData JSON, 19.1",
    )
    ID_UNREFERENCABLE = (
        "id-unreferencable",
        _NOTE,
        "An identifier that equals the name of a system resource cannot be referenced.",
        "OData Protocol, 11.7.4",
    )
    GROUP_SPLIT = (
        "group-split",
        _WARNING,
        "The members of an atomicity group are adjacent.",
        "OData JSON, 19.1",
    )
    DEPENDS_ON_UNKNOWN = (
        "depends-on-unknown",
        _ERROR,
        "dependsOn names requests and groups of the same batch.",
        "OData JSON, 19.1",
    )
    DEPENDS_ON_FORWARD = (
        "depends-on-forward",
        _ERROR,
        "dependsOn names requests and groups that come before.",
        "OData JSON, 19.1",
    )
    DEPENDS_ON_SELF = (
        "depends-on-self",
        _ERROR,
        "A request does not depend on itself.",
        "OData JSON, 19.1",
    )
    DEPENDS_ON_OWN_GROUP = (
        "depends-on-own-group",
        _WARNING,
        "A request does not depend on its own group.",
        "OData JSON, 19.1",
    )
    DEPENDS_ON_GROUP_MISSING = (
        "depends-on-group-missing",
        _WARNING,
        "A request that depends on a member of another group names that group too.",
        "OData JSON, 19.1",
    )
    REFERENCE_DEPENDENCY_MISSING = (
        "reference-dependency-missing",
        _WARNING,
        "A request whose URL begins with a reference depends on what it refers to.",
        "OData JSON, 19.1",
    )
    REFERENCE_UNKNOWN = (
        "reference-unknown",
        _WARNING,
        "A URL that begins with a reference refers to a request of the same batch.",
        "OData Protocol, 11.7.4",
    )
    REFERENCE_FORWARD = (
        "reference-forward",
        _ERROR,
        "A reference refers to a request that comes before.",
        "OData Protocol, 11.7.4",
    )
    REFERENCE_ACROSS_CHANGE_SETS = (
        "reference-across-change-sets",
        _NOTE,
        "A reference from a change set stays within it; services may allow more.",
        "OData Protocol, 11.7.7.2",
    )
    NESTED_BATCH = (
        "nested-batch",
        _ERROR,
        "No request of a batch is itself a batch.",
        "OData Protocol, 11.7",
    )
    NESTED_CHANGE_SET = (
        "nested-change-set",
        _ERROR,
        "A change set holds no change set.",
        "OData Protocol, 11.7.2",
    )
    EMPTY_CHANGE_SET = (
        "empty-change-set",
        _WARNING,
        "A change set holds at least one operation.",
        "OData v3 Batch Processing, 2.2",
    )
    GET_IN_CHANGE_SET = (
        "get-in-change-set",
        _WARNING,
        "A change set holds no GET request.",
        "OData Protocol, 11.7.2",
    )
    DEPENDS_ON_CYCLE = (
        "depends-on-cycle",
        _ERROR,
        "Requests do not depend on each other in a circle.",
        "OData JSON, 19.1",
    )
    CONDITION_DEPENDENCY_MISSING = (
        "condition-dependency-missing",
        _NOTE,
        "What the member if refers to is named in dependsOn.",
        "OData JSON, 19.1",
    )
    REFERENCE_TARGET = (
        "reference-target",
        _NOTE,
        "A reference names a request that returns an entity.",
        "OData Protocol, 11.7.4",
    )
    REFERENCE_NOT_FIRST = (
        "reference-not-first",
        _NOTE,
        "A reference is the first segment of a relative URL.",
        "OData Protocol, 11.7.4",
    )
    ETAG_REFERENCE_UNKNOWN = (
        "etag-reference-unknown",
        _NOTE,
        "A reference to an ETag names a preceding request.",
        "OData Protocol, 11.7.5",
    )
    ID_CASE = (
        "id-case",
        _NOTE,
        "Identifiers differ in more than the case of letters.",
        "OData Protocol, 11.7.3",
    )
    HOST_CONFLICT = (
        "host-conflict",
        _NOTE,
        "Host is the authority of an absolute URL.",
        "RFC 9112, 3.2.2",
    )
    RESPOND_ASYNC_INSIDE = (
        "respond-async-inside",
        _NOTE,
        "In a multipart batch, respond-async is a preference of the batch.",
        "OData Protocol, 11.7.7.6",
    )
    ACCEPTED_IN_CHANGE_SET = (
        "accepted-in-change-set",
        _WARNING,
        "No request of a change set is answered with 202.",
        "OData Protocol, 11.7.7.6",
    )
    ACCEPTED_NOT_LAST = (
        "accepted-not-last",
        _WARNING,
        "In a multipart response, 202 stands for all that is left.",
        "OData Protocol, 11.7.7.6",
    )
    ACCEPTED_WITHOUT_LOCATION = (
        "accepted-without-location",
        _WARNING,
        "A response with status 202 has a Location, that of its status monitor.",
        "OData Protocol, 11.6",
    )
    CREATED_WITHOUT_LOCATION = (
        "created-without-location",
        _NOTE,
        "A response with status 201 has a Location.",
        "OData Protocol, 11.4.2",
    )
    REFERENCE_IN_RESPONSE = (
        "reference-in-response",
        _NOTE,
        "URLs in responses hold no request identifiers.",
        "OData Protocol, 11.7.7.5",
    )
    ASYNC_RESULT_INSIDE = (
        "async-result-inside",
        _NOTE,
        "AsyncResult is a header of the batch response.",
        "OData Protocol, 8.3.1",
    )
    CHANGE_SET_ERROR_NESTED = (
        "change-set-error-nested",
        _WARNING,
        "A change set that failed is answered with one response in its place.",
        "OData Protocol, 11.7.7.5",
    )
    GROUP_STATUS_MIXED = (
        "group-status-mixed",
        _NOTE,
        "A failure fails all requests of its group, whatever their own status says.",
        "OData JSON, 19.5",
    )

    # -- a response and its request --
    RESPONSE_MISSING = (
        "response-missing",
        _WARNING,
        "Every request that was processed has a response.",
        "OData Protocol, 11.7.7.5",
    )
    RESPONSE_UNEXPECTED = (
        "response-unexpected",
        _WARNING,
        "Every response belongs to a request.",
        "OData Protocol, 11.7.7.5",
    )
    RESPONSE_STRUCTURE = (
        "response-structure",
        _WARNING,
        "Operations and change sets of the response match those of the request.",
        "OData Protocol, 11.7.7.5",
    )
    RESPONSE_ID = (
        "response-id",
        _WARNING,
        "A response has the identifier of its request.",
        "OData Protocol, 11.7.7.4",
    )
    RESPONSE_GROUP = (
        "response-group",
        _WARNING,
        "A response has the atomicity group of its request.",
        "OData JSON, 19.5",
    )
    RESPONSE_AFTER_ERROR = (
        "response-after-error",
        _WARNING,
        "Without continue-on-error the first error ends a multipart response.",
        "OData Protocol, 11.7.7.5",
    )
    CHANGE_SET_SUCCESS_SINGLE = (
        "change-set-success-single",
        _WARNING,
        "One response in the place of a change set is an error.",
        "OData Protocol, 11.7.7.5",
    )
    ACCEPTED_WITH_DEPENDENTS = (
        "accepted-with-dependents",
        _WARNING,
        "A request that others depend on is not answered with 202.",
        "OData JSON, 19.6",
    )

    # -- what one service refuses --
    FORMAT_NOT_SPOKEN = (
        "format-not-spoken",
        _ERROR,
        "The batch is in a format that the service speaks.",
        "Microsoft Graph, JSON batching",
    )
    TOO_MANY_OPERATIONS = (
        "too-many-operations",
        _ERROR,
        "A batch has no more operations than the service takes.",
        "Microsoft Graph, JSON batching, Batch size limitations",
    )
    TOO_MANY_CHANGE_SETS = (
        "too-many-change-sets",
        _ERROR,
        "A batch has no more change sets than the service takes.",
        "Azure Tables, Performing entity group transactions",
    )
    CHANGE_SET_TOO_LARGE = (
        "change-set-too-large",
        _ERROR,
        "A change set has no more operations than the service takes.",
        "Azure Tables, Performing entity group transactions",
    )
    PAYLOAD_TOO_LARGE = (
        "payload-too-large",
        _ERROR,
        "A batch has no more octets than the service takes.",
        "Azure Tables, Performing entity group transactions",
    )
    URL_FORM = (
        "url-form",
        _ERROR,
        "A URL has a form that the service understands.",
        "Microsoft Graph, JSON batching, Creating a batch request",
    )
    URL_ROOT_SEGMENT = (
        "url-root-segment",
        _ERROR,
        "A URL does not begin with a segment of the service root.",
        "Microsoft Graph, JSON batching, Creating a batch request",
    )
    ID_CASE_IGNORED = (
        "id-case-ignored",
        _ERROR,
        "Identifiers differ in more than case where the service ignores it.",
        "Microsoft Graph, JSON batching, Creating a batch request",
    )
    ATOMICITY_IGNORED = (
        "atomicity-ignored",
        _WARNING,
        "Operations that belong together are sent where change sets are executed as one.",
        "SharePoint, Make batch requests with the REST APIs",
    )
    DEPENDENCIES_MIXED = (
        "dependencies-mixed",
        _WARNING,
        "All requests run one after the other, or all at once.",
        "Microsoft Graph, JSON batching, Sequencing requests with the dependsOn property",
    )
    REFERENCE_NOT_SUPPORTED = (
        "reference-not-supported",
        _ERROR,
        "No URL refers to another request where the service resolves no references.",
        "Microsoft Graph, JSON batching, Sequencing requests with the dependsOn property",
    )
    WRITE_OUTSIDE_CHANGE_SET = (
        "write-outside-change-set",
        _ERROR,
        "What changes data stands in a change set, where the service wants it there.",
        "OData v3 Batch Processing, 2.2",
    )
    QUERY_NOT_ALONE = (
        "query-not-alone",
        _ERROR,
        "A query is the only operation of its batch, where the service wants it so.",
        "Azure Tables, Performing entity group transactions",
    )
    ENTITY_TWICE = (
        "entity-twice",
        _ERROR,
        "A change set changes no entity twice, where the service forbids it.",
        "Azure Tables, Performing entity group transactions",
    )
    JSON_BODY_NOT_STRUCTURED = (
        "json-body-not-structured",
        _ERROR,
        "A body is a JSON object or array, where the service reads nothing else.",
        "SAP CAP, @sap/cds 9.9, OData adapter",
    )
    JSON_BODY_NOT_BASE64 = (
        "json-body-not-base64",
        _NOTE,
        "A string is the base64 of a JSON body, where the service writes bodies so.",
        "Microsoft Graph, JSON batching, Creating a batch request",
    )
    PREFERENCE_UNPREFIXED = (
        "preference-unprefixed",
        _WARNING,
        "A service of 4.0 is told odata.continue-on-error, with the prefix.",
        "OData Protocol, 8.2.8.3",
    )

    # -- what only writing can get wrong --
    NOT_EXPRESSIBLE = (
        "not-expressible",
        _ERROR,
        "A value is written only in a format that can express all of it.",
        "OData Protocol, 11.7.1",
    )
    BOUNDARY_IN_CONTENT = (
        "boundary-in-content",
        _ERROR,
        "A boundary does not occur in what it delimits.",
        "RFC 2046, 5.1",
    )

    # -- captured payloads --
    CAPTURE_CONTENT_LENGTH = (
        "capture-content-length",
        _NOTE,
        "The Content-Length of a captured message agrees with its body.",
        "RFC 9112, 6.3",
    )
    CAPTURE_BARE_BODY = (
        "capture-bare-body",
        _NOTE,
        "A capture without a header section is read as the body that it looks like.",
        "RFC 2046, 5.1.1",
    )
    CAPTURE_URL_LINE = (
        "capture-url-line",
        _NOTE,
        "A capture that begins with a URL has lost the rest of its request line.",
        "RFC 9112, 3",
    )
    CAPTURE_UNREADABLE = (
        "capture-unreadable",
        _ERROR,
        "A HAR file is one JSON text with log.entries, a SAZ file a ZIP archive with raw messages.",
        "RFC 8259, 2",
        True,
    )
    CAPTURE_DUPLICATE_MEMBER = (
        "capture-duplicate-member",
        _ERROR,
        "The members of a HAR file that hold a message stand once in their object.",
        "RFC 8259, 4",
    )
    CAPTURE_MEMBER = (
        "capture-member",
        _WARNING,
        "The members of a HAR file have the JSON types that the format gives them.",
        "RFC 8259, 3",
    )
    CAPTURE_INCOMPLETE = (
        "capture-incomplete",
        _NOTE,
        "An exchange is captured with its request and its response.",
        "RFC 9110, 3.4",
    )
    CAPTURE_BODY_MISSING = (
        "capture-body-missing",
        _WARNING,
        "A message is captured with its body, not with the length of its body only.",
        "RFC 9110, 6.4",
    )
    CAPTURE_DECODED = (
        "capture-decoded",
        _NOTE,
        "A captured body is read with its transfer coding and its content coding undone.",
        "RFC 9110, 8.4",
    )
    CAPTURE_CODING = (
        "capture-coding",
        _ERROR,
        "The codings of a captured body are chunked, gzip and deflate, and can be undone.",
        "RFC 9110, 8.4.1",
        True,
    )
    CAPTURE_TRUNCATED = (
        "capture-truncated",
        _WARNING,
        "A captured body goes on to the end that its coding has.",
        "RFC 9112, 8",
    )
    CAPTURE_LOSSY = (
        "capture-lossy",
        _NOTE,
        "A capture keeps the octets of the message and replaces none of them by U+FFFD.",
        "RFC 9112, 2.2",
    )
    CAPTURE_REPLACEMENT_CHARACTER = (
        "capture-replacement-character",
        _NOTE,
        "U+FFFD in a captured text stands there because it was sent, not in place of lost octets.",
        "RFC 9112, 2.2",
    )
    CAPTURE_NOT_A_BATCH = (
        "capture-not-a-batch",
        _ERROR,
        "A batch is answered with a batch, not with an error page or a single error.",
        "OData Protocol, 11.7.7.5",
        True,
    )
    CAPTURE_ACCEPTED = (
        "capture-accepted",
        _NOTE,
        "The response to a batch that is answered with 202 will be at the Location, not in here.",
        "OData Protocol, 11.7.7.6",
    )
