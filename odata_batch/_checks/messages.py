"""The rules for one message, one function for each rule, and which of them apply.

A check is a function of an item, the scope and `say`, which reports a finding about that item.
`OPERATION` and `RESPONSE` list them in the order in which they report; the sets after them say
which of these are left out, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, lru_cache
from itertools import chain
from typing import Any, Final, Generic, TypeAlias, TypeVar

from odata_batch._checks import fields, urls
from odata_batch._checks.scope import Kind, Say, Scope
from odata_batch._model.findings import Diagnostic, Rule, Stop, note, quote, warning
from odata_batch._model.headers import names_of
from odata_batch._model.limits import keep
from odata_batch._model.values import ChangeSet, ChangeSetResponse, Operation, OperationResponse
from odata_batch._wire import grammar, http, sections
from odata_batch._wire.http import METHOD_SYNTAX
from odata_batch._wire.jsonitem import JSON_STATUS
from odata_batch._wire.mediatype import parse_media_type
from odata_batch._wire.multipart import CONTENT_ID_CONFLICT, EMPTY_CHANGE_SET

# -- one message, read or to be written -----------------------------------------------------------


METHOD_UNKNOWN = note("""
    method-unknown (@method): The methods of OData are GET, POST, PUT, PATCH, DELETE, and MERGE in
    version 2. [OData Protocol, 11.7]
    Use one of the methods of OData.""")
JSON_METHOD_UNKNOWN = warning("""
    json-method-unknown (@method): The methods of a JSON batch are get, post, put, patch and delete.
    [OData JSON, 19.1]
    Use one of the methods get, post, put, patch and delete.""")


def check_method(item: Operation, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7 and OData JSON, 19.1: the methods of a batch."""
    if item.method in scope.dialect.methods or not grammar.TOKEN.fullmatch(item.method):
        return
    rule = JSON_METHOD_UNKNOWN if scope.format == "json" else METHOD_UNKNOWN
    say(rule, f"found the method {quote(item.method)}")


BODY_UNEXPECTED = warning("""
    body-unexpected (@method): A GET request has no body. [RFC 9110, 9.3.1]
    Leave the body out, or send the request with POST.""")
JSON_BODY_UNEXPECTED = warning("""
    json-body-unexpected (@method): A get or delete request has no body. [OData JSON, 19.1]
    Leave the body out.""")


def check_body_expected(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 9110, 9.3.1, and OData JSON, 19.1 for DELETE, too."""
    if not item.body or item.method not in ("GET", "DELETE"):
        return
    message = f"found a body of {len(item.body)} octets with {quote(item.method)}"
    if scope.format == "json" and item.method in ("GET", "DELETE"):
        say(JSON_BODY_UNEXPECTED, message)
    elif item.method == "GET":
        say(BODY_UNEXPECTED, message)


JSON_TRANSFER_ENCODING = note("""
    json-transfer-encoding (@headers.transfer-encoding): A body in base64 may have a transfer
    coding, which reading does not undo. [OData JSON, 19.1]
    Leave transfer-encoding out, and write the octets without a coding.""")
JSON_TRANSFER_ENCODING_IGNORED = warning("""
    json-transfer-encoding-ignored (@headers.transfer-encoding): A body that is JSON or text has no
    transfer coding. [OData JSON, 19.1]
    Leave transfer-encoding out.""")


def check_transfer_encoding(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """OData Protocol, 11.7.7.1: a processor may refuse transfer codings, and this one does.

    In JSON, only octets in base64 can have one.
    """
    if "transfer-encoding" not in names_of(item.headers):
        return
    value = quote(item.headers["transfer-encoding"])
    if scope.format == "multipart":
        say(http.TRANSFER_ENCODING, f"found Transfer-Encoding {value}", "headers.transfer-encoding")
    elif has_octets(item):
        say(JSON_TRANSFER_ENCODING, f"found transfer-encoding {value}; the octets stay as they are")
    else:
        say(JSON_TRANSFER_ENCODING_IGNORED, f"found transfer-encoding {value}, which is ignored")


def has_octets(item: Operation | OperationResponse) -> bool:
    """Tell whether a JSON batch has the body in base64, being neither JSON nor text."""
    content_type = parse_media_type(item.headers.get("content-type", "application/json"))
    return bool(item.body) and not (content_type.is_json or content_type.is_text)


BODY_FORBIDDEN = warning("""
    body-forbidden (@status seam): Responses with a 1xx, 204 or 304 status have no body. [RFC 9110,
    6.4.1]
    Leave the body out, or answer with 200.""")


def check_body_forbidden(item: OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 6.4.1."""
    if item.body and (item.status < 200 or item.status in (204, 304)):
        say(BODY_FORBIDDEN, f"found a body of {len(item.body)} octets with status {item.status}")


def check_change_set(item: ChangeSet | ChangeSetResponse, scope: Scope, say: Say) -> None:
    """OData JSON, 19.1: the name of an atomicity group is an identifier, too.

    What is written is not empty: OData v3 Batch Processing, 2.2.
    """
    if item.id is not None:
        fields.check_identifier(item.id, scope, item.position, say)
    if not item.items and scope.origin == "written":
        say(EMPTY_CHANGE_SET, "found a change set without operations")


# -- one message that did not come off the wire as octets ------------------------------------------


def check_method_syntax(item: Operation, scope: Scope, say: Say) -> None:
    """RFC 9110, 9.1."""
    if not grammar.TOKEN.fullmatch(item.method):
        say(METHOD_SYNTAX, f"found the method {quote(item.method)}, expected a token", "method")


# -- one message that is to be written -------------------------------------------------------------


def check_method_case(item: Operation, scope: Scope, say: Say) -> None:
    """Decoding reads known methods as upper case, so that is how they are written."""
    upper = item.method.upper()
    if item.method != upper and upper in grammar.KNOWN_METHODS:
        say(METHOD_SYNTAX, f"found the method {quote(item.method)}, expected {quote(upper)}")


def check_status(item: OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9110, 15."""
    if not 100 <= item.status <= 599:
        rule = JSON_STATUS if scope.format == "json" else http.STATUS_LINE_SYNTAX
        say(rule, f"found the status {item.status}, expected 100 to 599")


def check_reason(item: OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9112, 4: a reason phrase fits on its line."""
    if item.reason is None or scope.format == "json":
        return
    if grammar.CONTROL_OR_TAB.search(item.reason):
        message = f"the reason phrase {quote(item.reason)} has a control character"
        say(sections.CONTROL_CHARACTER, message)
    if not grammar.LATIN_1.fullmatch(item.reason):
        say(fields.HEADER_CHARACTERS, f"the reason phrase {quote(item.reason)} is not ISO-8859-1")


def check_content_length(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """RFC 9112, 6.3; JSON does not carry the field."""
    if scope.format == "json":
        return
    for value in item.headers.get_all("content-length"):
        # RFC 9110, 8.6: without a body it may be the length of the answer to a GET.
        is_bare = isinstance(item, OperationResponse) and not item.body and value.isdecimal()
        if value != str(len(item.body)) and not is_bare:
            message = f"Content-Length is {quote(value)}, the body has {len(item.body)} octets"
            say(http.CONTENT_LENGTH_MISMATCH, message)


def check_content_id_header(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """The identifier is written as Content-ID; a header that says otherwise would be read back."""
    if scope.format == "json":
        return
    for value in item.headers.get_all("content-id"):
        if value != item.id:
            message = f"header Content-ID is {quote(value)}, the id is {item.id!r:.60}"
            say(CONTENT_ID_CONFLICT, message)


def check_limits(item: Operation | OperationResponse, scope: Scope, say: Say) -> None:
    """What is written can be read back under the same limits."""
    limits = scope.limits
    if len(item.body) > limits.body:
        scope.exceed("body", item.position)
    if isinstance(item, OperationResponse):
        if scope.format != "json" and len(item.reason or "") > limits.field_line:
            scope.exceed("field_line", item.position)
    elif len(item.url) > limits.url or len(item.method) > http.LONGEST_METHOD:
        scope.exceed("url", item.position)


# -- which checks apply ----------------------------------------------------------------------------

_Message = TypeVar("_Message", Operation, OperationResponse)
_Check: TypeAlias = Callable[[_Message, Scope, Say], None]
_Checks: TypeAlias = tuple[_Check[Any], ...]

OPERATION: tuple[_Check[Operation], ...] = (
    *(*urls.CHECKS, check_method, check_body_expected, fields.check_content_type_present),
    *(fields.check_id, check_method_syntax, check_method_case),
    *(check_content_length, check_content_id_header, check_limits, fields.check_forbidden_headers),
    *(check_transfer_encoding, fields.check_version_header, fields.check_prefer),
    *(fields.check_header_names, fields.check_header_syntax, fields.check_repeated_headers),
)
RESPONSE: tuple[_Check[OperationResponse], ...] = (
    *(fields.check_content_type_present, check_body_forbidden, fields.check_location),
    *(fields.check_id, check_status, check_reason),
    *(check_content_length, check_content_id_header, check_limits),
    *(check_transfer_encoding, fields.check_version_header, fields.check_response_urls),
    *(fields.check_async_result, fields.check_header_names),
    *(fields.check_header_syntax, fields.check_repeated_headers),
)
# What the reader of start lines and field lines has checked
_SYNTAX: frozenset[_Check[Any]] = frozenset(
    (check_method_syntax, fields.check_header_syntax, fields.check_repeated_headers)
)
_WRITTEN: frozenset[_Check[Any]] = frozenset(
    (
        *(check_method_case, check_status, check_reason),
        *(check_content_length, check_content_id_header, check_limits),
    )
)
# What a check reports depends only on the kind of a message, which is its method or status, whether
# it has a body, and the marks of its fields; but not what these say.
_EACH: frozenset[_Check[Any]] = frozenset(
    (
        *(*urls.CHECKS, fields.check_id, fields.check_content_type_present),
        *(check_reason, check_content_length, check_content_id_header, check_limits),
        *(fields.check_header_syntax, fields.check_header_values, fields.check_repeated_headers),
    )
)
# The checks that say no more of a message whose body is not known than what they say of its head
_OF_BODY: frozenset[_Check[Any]] = frozenset(
    (
        *(check_body_expected, fields.check_content_type_present, check_body_forbidden),
        *(check_content_length, check_limits),
    )
)
# The checks that never object to plain URLs, which are recognised all at once
_OF_URLS: frozenset[_Check[Any]] = frozenset(urls.CHECKS)
_OF_FIELDS: Final[Mapping[_Check[Any], Collection[str]]] = {
    urls.check_host: ("host",),
    check_content_length: ("content-length",),
    check_content_id_header: ("content-id",),
    check_transfer_encoding: ("transfer-encoding",),
    fields.check_version_header: fields.VERSIONS,
    fields.check_prefer: ("prefer",),
    fields.check_response_urls: fields.URL_FIELDS,
    fields.check_async_result: ("asyncresult",),
}
"""Checks that say nothing where these fields are missing."""
_NAMES: Final = frozenset(("content-type", *chain.from_iterable(_OF_FIELDS.values())))


@cache
def _applied(checks: _Checks, origin: str, format: str) -> _Checks:
    left_out = set() if origin == "written" else {*_WRITTEN}
    if origin == "read" and format == "multipart":
        left_out |= _SYNTAX
    return tuple([check for check in checks if check not in left_out])


@lru_cache(1000)
def _asked(
    applied: _Checks, names: frozenset[str], is_read: bool, is_empty: bool
) -> tuple[_Checks, _Checks]:
    """Return the checks that a kind of messages asks for, and those that each message does.

    Of the names in `_NAMES` they have these; a reader has checked their fields, or none has.
    """
    silent = {check for check, own in _OF_FIELDS.items() if names.isdisjoint(own)}
    if is_empty or "content-type" in names:
        silent.add(fields.check_content_type_present)
    if is_read:
        silent |= {fields.check_header_syntax, fields.check_repeated_headers}
    asked = [check for check in applied if check not in silent]
    of_kind = tuple([check for check in asked if check not in _EACH])
    return of_kind, tuple([check for check in asked if check in _EACH])


class Messages(Generic[_Message]):
    """Applies the checks to the messages of one batch, and knows the kinds that are sound."""

    def __init__(self, checks: tuple[_Check[_Message], ...], scope: Scope, say: Say) -> None:
        self._applied = _applied(checks, scope.origin, scope.format)
        self._scope, self._say = scope, say
        self._objected = False
        self._sound = scope.sound

    def check(self, item: _Message) -> None:
        """Report what is wrong with the message."""
        kind = _kind_of(item)
        for check in self._sound.get(kind) or self._checks_of(item, kind):
            check(item, self._scope, self._say)

    def check_body(self, item: _Message) -> None:
        """Report what is wrong with the body of a message that was checked without it."""
        for check in self._applied:
            if check in _OF_BODY:
                check(item, self._scope, self._say)

    def are_sound(self, items: Sequence[_Message], texts: Sequence[str]) -> bool:
        """Tell whether no check objects to any of these messages; nothing is reported.

        `texts` are their URLs; their identifiers are plain. Kind and sizes of what is to be written
        are not checked: the writer knows more of these.
        """
        asked: set[_Check[Any]] = {*_OF_URLS}
        if self._scope.origin != "written":
            kinds: dict[Kind, _Message] = {}
            start, is_empty, shape = None, None, None
            for item in items:
                # Most are of the kind of the one before, where a reader knows it.
                own = item.method if isinstance(item, Operation) else item.status
                if item.headers._shape is shape and own == start and (not item.body) is is_empty:
                    continue
                start, is_empty, shape = own, not item.body, item.headers._shape
                shape = None if shape.kind is None else shape
                kind = _kind_of(item)
                if type(kind[2]) is tuple and None in kind[2]:
                    return False
                kinds[kind] = item
            asked.clear()
            for kind, item in kinds.items():
                each = self._sound.get(kind) or self._checks_of(item, kind)
                if each is self._applied:
                    return False
                asked.update(each)
        if not asked.isdisjoint(_OF_URLS) and urls.are_plain(texts):
            asked -= _OF_URLS
        asked.discard(fields.check_id)
        self._objected = False
        if asked:
            quiet = replace(self._scope, report=self._refuse)
            with suppress(Stop):
                for check in asked:
                    for item in items:
                        check(item, quiet, self._object)
        return not self._objected

    def _checks_of(self, item: _Message, kind: Kind) -> tuple[_Check[Any], ...]:
        """Return the checks to apply to messages of a new kind: all, where one objects."""
        self._objected = False
        names = names_of(item.headers)
        # A reader that knows the kind of fields has checked their syntax.
        is_read = self._scope.origin == "read" and item.headers._shape.kind is not None
        own = _NAMES.intersection(names)
        of_kind, each = _asked(self._applied, own, is_read, not item.body)
        for check in of_kind:
            check(item, self._scope, self._object)
        if self._objected:
            return self._applied
        if not is_read:
            each = self._of_sound_names(each, names)
        if type(kind[2]) is tuple and None in kind[2]:
            return each
        return keep(self._sound, kind, each)

    def _of_sound_names(self, each: _Checks, names: tuple[str, ...]) -> _Checks:
        """Return these checks, less those that object to no such names."""
        checks = [*each]
        if len({*names}) == len(names) and fields.check_repeated_headers in checks:
            checks.remove(fields.check_repeated_headers)
        if fields.check_header_syntax in checks and "" not in names:
            if grammar.TOKEN.fullmatch("".join(names)):
                checks[checks.index(fields.check_header_syntax)] = fields.check_header_values
        return tuple(checks)

    def _object(self, rule: Rule, message: str, member: str = "", /) -> None:
        self._objected = True

    def _refuse(self, diagnostic: Diagnostic) -> None:
        self._objected = True


def _kind_of(item: Operation | OperationResponse) -> Kind:
    headers = item.headers
    kind = headers._shape.kind
    if kind is None:
        kind = tuple([sections.mark_of(pair) for pair in headers.pairs])
    return item.method if isinstance(item, Operation) else item.status, not item.body, kind
