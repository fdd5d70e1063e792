"""The objects of a JSON batch (OData JSON, 19.1 and 19.5): requests and responses as they are read.

What is read is complete in syntax; what is wrong with a member is reported, and the documented
reading of it is taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import (
    Diagnostic,
    Reporter,
    Rule,
    error,
    exceed,
    note,
    quote,
    warning,
)
from odata_batch._model.headers import Headers, Pair, headers_of
from odata_batch._model.limits import Limits
from odata_batch._model.values import Annotations, Operation, OperationResponse
from odata_batch._wire import grammar, jsonbody
from odata_batch._wire.http import KNOWN_METHODS
from odata_batch._wire.jsontext import JsonObject, JsonText
from odata_batch._wire.sections import remember

Message: TypeAlias = Operation | OperationResponse
_Members: TypeAlias = tuple[tuple[str, Any], ...]

_NOTHING = (Headers(), None)
_EXPECTED: Final[Mapping[type, str]] = {
    str: "a string",
    tuple: "an object",
    list: "an array of strings",
}
_SHARED = frozenset(("id", "atomicityGroup", "headers", "body"))
REQUEST_MEMBERS: Final = _SHARED | {"method", "url", "dependsOn", "if"}
RESPONSE_MEMBERS: Final = _SHARED | {"status"}

_STATUSES: Final[Mapping[bytes, int]] = {str(status).encode(): status for status in range(100, 600)}


JSON_DUPLICATE_MEMBER = error("""
    json-duplicate-member: Members that decide what is requested stand once. [RFC 7493, 2.3]
    Keep the one member that is right.""")
JSON_DUPLICATE_OTHER_MEMBER = warning("""
    json-duplicate-other-member: The names of an object's members are unique. [RFC 7493, 2.3]
    Write each member once.""")
JSON_UNKNOWN_MEMBER = note("""
    json-unknown-member: Members that the standard does not define are kept as annotations. [RFC
    7493, 4.2]
    Correct the spelling of the member, or remove it.""")
JSON_CONTEXT = note("""
    json-context: A batch has no context control information. [OData JSON, 19.1]
    Remove the context control information from the batch.""")
JSON_MISSING_MEMBER = error("""
    json-missing-member: A request has an id, a method and a url; a response has a status. [OData
    JSON, 19.1]
    Add the member that is missing.""")
JSON_TYPE = error("""
    json-type: Every member has the JSON type that the standard gives it. [OData JSON, 19.1]
    Give the member the type that the message names.""")
JSON_NULL_MEMBER = warning("""
    json-null-member: Only a body may be null; other members are left out. [OData JSON, 19.1]
    Leave the member out.""")
JSON_ID_NUMBER = warning("""
    json-id-number: An id is a string. [OData JSON, 19.1]
    Put the id between double quotes.""")
JSON_DEPENDS_ON_STRING = warning("""
    json-depends-on-string: dependsOn is an array of strings, even for one. [OData JSON, 19.1]
    Put the identifier into an array.""")
JSON_STATUS = error("""
    json-status: A status is a number from 100 to 599. [OData JSON, 19.5]
    Write the status code of the response, for example 200.""")
JSON_STATUS_SPELLING = warning("""
    json-status-spelling: A status is written as a JSON number of three digits. [OData JSON, 19.5]
    Write the status as a number without quotes, sign, fraction or exponent.""")
JSON_CONTENT_LENGTH = note("""
    json-content-length (lossy): A content-length in a JSON batch agrees with the octets that the
    body stands for. [OData JSON, 19.1]
    Remove content-length, which a JSON batch does not need.""")


class Reader:
    """Reads the members of one object after the other, each of which is at `path` in the batch."""

    text: JsonText

    def __init__(self, limits: Limits, report: Reporter, dialect: Dialect) -> None:
        self.limits = limits
        self.path: tuple[int, ...] = ()
        self.counts_headers = False
        self._headers_total = 0
        self._report_outer = report
        self._dialect = dialect
        self._contents = jsonbody.Contents()
        # The names of fields that are different and in lower case, or none, by the names
        self._known: dict[tuple[object, ...], tuple[Headers, str | None]] = {}
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}

    def report(self, diagnostic: Diagnostic) -> None:
        """Report a finding in the object at hand."""
        path = ".".join([f"items[{index}]" for index in self.path])
        self._report_outer(replace(diagnostic, path=path))

    def say(self, rule: Rule, message: str, offset: int) -> None:
        """Report what was found at an offset of the text."""
        self.report(Diagnostic(rule, message, self.text.origin + offset))

    def say_of(self, source: JsonObject, name: str, rule: Rule, message: str) -> None:
        """Report what was found where the value of a member begins."""
        self.say(rule, message, self.text.spans(source)[name][0])

    def stop_at(self, limit: str, source: JsonObject, name: str) -> None:
        """Report that a member exceeds a limit."""
        offset = self.text.spans(source)[name][0]
        exceed(self.report, self.limits, limit, self.text.origin + offset)

    def refuse(self, source: JsonObject, name: str, expected: str, rule: Rule = JSON_TYPE) -> None:
        """Report that a member is not what was expected."""
        start, end = self.text.spans(source)[name]
        found = quote(self.text.characters(start, end))
        self.say(rule, f"{name} is {found}, expected {expected}", start)

    def check_duplicates(self, source: JsonObject, decisive: Collection[str]) -> None:
        """Report members that appear more than once; the last one is read."""
        for name, offset in self.text.duplicates.get(source.start, ()):
            is_decisive = name in decisive
            rule = JSON_DUPLICATE_MEMBER if is_decisive else JSON_DUPLICATE_OTHER_MEMBER
            self.say(rule, f"found the member {quote(name)} once more", offset)

    def annotations_in(self, source: JsonObject, known: Collection[str]) -> Annotations:
        """Return the members that the standard does not define, as they are spelt."""
        found = []
        for name, span in self.text.spans(source).items():
            if name in known:
                continue
            if "@" not in name:
                message = f"found the member {quote(name)}; it is kept as an annotation"
                self.say(JSON_UNKNOWN_MEMBER, message, span[0])
            elif name in ("@context", "@odata.context"):
                self.say(JSON_CONTEXT, f"found {name}", span[0])  # OData JSON, 4.5
            found.append((name, self.text.raw(span)))
        return tuple(found)

    def member(
        self, source: JsonObject, name: str, missing: Rule | None = None, kind: type = str
    ) -> Any:
        """Return a member of this type; `None` if it is missing, null or of another type.

        `missing` is the rule that is broken where it is missing.
        """
        parsed = source.get(name)
        if type(parsed) is kind:
            return parsed
        if name not in source:
            if missing is not None:
                self.say(missing, f"the object has no {name}", source.start)
        elif parsed is None and missing is not JSON_MISSING_MEMBER:
            message = f"{name} is null, expected that it is left out"
            self.say_of(source, name, JSON_NULL_MEMBER, message)
        elif name == "id" and type(parsed) is bytes:
            number = parsed.decode()
            message = f"id is the number {quote(number)}, expected a string"
            self.say_of(source, name, JSON_ID_NUMBER, message)
            return number
        else:
            self.refuse(source, name, _EXPECTED[kind])
        return None

    def depends_on(self, source: JsonObject) -> tuple[str, ...]:
        """Return the names in dependsOn."""
        parsed = source["dependsOn"]
        if type(parsed) is str:
            message = f"dependsOn is the string {quote(parsed)}, expected an array"
            self.say_of(source, "dependsOn", JSON_DEPENDS_ON_STRING, message)
            return (parsed,)
        names = self.member(source, "dependsOn", kind=list) or ()
        if {str}.issuperset(map(type, names)):
            return tuple(names)
        self.refuse(source, "dependsOn", _EXPECTED[list])
        return ()

    def status(self, source: JsonObject) -> int | None:
        """Return the status of a response; `None` if there is none that can be read."""
        parsed = source.get("status")
        if type(parsed) is bytes:
            if parsed in _STATUSES:
                return _STATUSES[parsed]
            parsed = parsed.decode()
        match = grammar.STATUS_SPELLING.fullmatch(parsed) if type(parsed) is str else None
        if match is not None:
            self.refuse(source, "status", match[1], JSON_STATUS_SPELLING)
            return int(match[1])
        if "status" in source:
            self.refuse(source, "status", "a number from 100 to 599", JSON_STATUS)
        else:
            self.say(JSON_MISSING_MEMBER, "the object has no status", source.start)
        return None

    def content(
        self, source: JsonObject, known: frozenset[str]
    ) -> tuple[Headers, bytes, Annotations]:
        """Return what all messages may have; report a group that has no name before."""
        if "atomicityGroup" in source and self.member(source, "atomicityGroup") == "":
            self.refuse(source, "atomicityGroup", "a name")
        headers, content_type = _NOTHING if "headers" not in source else self._headers(source)
        content = self._contents[content_type]
        body = b""
        if "body" in source:
            raw = self.text.raw(source.body)
            body, problem = jsonbody.read_body(raw, content, self._dialect, self.limits)
            if problem is not None:
                self.say(*problem, source.body[0])
            if len(body) > self.limits.body:
                self.stop_at("body", source, "body")
        length = None if content.form == "json" else headers.get("content-length")
        if length is not None and length != str(len(body)):
            message = f"content-length is {quote(length)}, the body stands for {len(body)} octets"
            self.say(JSON_CONTENT_LENGTH, message, source.start)
        return headers, body, () if source.keys() <= known else self.annotations_in(source, known)

    def _headers(self, source: JsonObject) -> tuple[Headers, str | None]:
        """Return the fields of the member `headers`, and their Content-Type."""
        members = source["headers"]
        if type(members) is not tuple:
            members = self.member(source, "headers", kind=tuple) or ()
        if self.counts_headers:
            start, end = self.text.spans(source)["headers"]
            self._headers_total += end - start if members else 0
            if self._headers_total > self.limits.headers_total:
                self.stop_at("headers_total", source, "headers")
        if len(members) > self.limits.fields:
            self.stop_at("fields", source, "headers")
        # Each member is a pair, and `strict` would cost a third of it, so:
        names, found = zip(*members) if members else ((), ())  # noqa: B905  # pairs are pairs
        sound = self._names.get(names)
        if sound is None:
            lower = {name.lower() for name in names}
            is_sound = len(lower) == len(names) and lower == {*names}
            sound = remember(self._names, names, names if is_sound else ())
        try:
            if sound:
                known = self._known.get(found)
                if known is None or known[0].pairs != members:
                    "".join(found)  # which only strings can be
                    has_type = "content-type" in sound
                    content_type = found[sound.index("content-type")] if has_type else None
                    known = remember(self._known, found, (headers_of(members, sound), content_type))
                return known  # equal fields are kept once
        except TypeError:
            pass
        headers, problems = read_headers(members)
        for rule, message in problems:
            self.say_of(source, "headers", rule, message)
        return headers, headers.get("content-type")


JSON_HEADER_VALUE = warning("""
    json-header-value: Header values are strings. [OData JSON, 19.1]
    Put the value between double quotes.""")
JSON_HEADER_CASE = note("""
    json-header-case: Header names of a JSON batch are written in lower case. [OData JSON, 19.1]
    Write the name of the header in lower case.""")
JSON_HEADER_COLLISION = error("""
    json-header-collision: Header names differ by more than their case. [OData JSON, 19.1]
    Keep the one header that is right.""")
JSON_HEADER_COLLISION_EQUAL = warning("""
    json-header-collision-equal: Header names differ by more than their case, even if their values
    are equal. [OData JSON, 19.1]
    Write the header once, in lower case.""")


def read_headers(members: _Members) -> tuple[Headers, list[jsonbody.Problem]]:
    """Return the fields of an object `headers`, and what is wrong with them."""
    problems: list[jsonbody.Problem] = []
    fields: dict[str, Pair] = {}
    is_cased = False
    for name, value in members:
        text = value
        if type(value) is not str:
            if not isinstance(value, bytes | bool):
                message = f"header {quote(name)} is neither a string, a number nor a boolean"
                problems.append((JSON_TYPE, message))
                continue
            text = value.decode() if isinstance(value, bytes) else str(value).lower()
            message = f"header {quote(name)} is {text:.60}, expected a string"
            problems.append((JSON_HEADER_VALUE, message))
        key = name.lower()
        if key in fields and text == fields[key][1]:
            message = f"header {quote(name)} stands twice with the same value"
            problems.append((JSON_HEADER_COLLISION_EQUAL, message))
        elif key in fields:
            message = f"header {quote(name)} is both {quote(fields[key][1])} and {quote(text)}"
            problems.append((JSON_HEADER_COLLISION, message))
        fields[key] = (name, text)
        is_cased = is_cased or key != name
    if is_cased:
        problems.append((JSON_HEADER_CASE, "header names are not in lower case"))
    return headers_of(tuple(fields.values())), problems


def read_request(reader: Reader, source: JsonObject) -> Operation | None:
    """Return the request that an object is; `None` if it lacks method or URL."""
    if source.start in reader.text.duplicates:
        reader.check_duplicates(source, REQUEST_MEMBERS)
    id = reader.member(source, "id", JSON_MISSING_MEMBER)
    headers, body, annotations = reader.content(source, REQUEST_MEMBERS)
    method = reader.member(source, "method", JSON_MISSING_MEMBER)
    url = reader.member(source, "url", JSON_MISSING_MEMBER)
    depends_on = reader.depends_on(source) if "dependsOn" in source else ()
    condition = reader.member(source, "if")
    if method is None or url is None:
        return None
    if len(url) > reader.limits.url:
        reader.stop_at("url", source, "url")
    if method not in KNOWN_METHODS and method.upper() in KNOWN_METHODS:
        method = method.upper()
    position = reader.text.origin + source.start
    return values.operation_of(
        method, url, headers, body, id, depends_on, condition, annotations, position=position
    )


JSON_RESPONSE_ID_MISSING = warning("""
    json-response-id-missing: The answer to a request with an id has that id. [OData JSON, 19.5]
    Copy the id of the request into its response.""")


def read_response(reader: Reader, source: JsonObject) -> OperationResponse | None:
    """Return the response that an object is; `None` if it lacks a status."""
    if source.start in reader.text.duplicates:
        reader.check_duplicates(source, RESPONSE_MEMBERS)
    id = reader.member(source, "id", JSON_RESPONSE_ID_MISSING)
    headers, body, annotations = reader.content(source, RESPONSE_MEMBERS)
    status = reader.status(source)
    if status is None:
        return None
    position = reader.text.origin + source.start
    return values.response_of(status, headers, body, id, None, annotations, position=position)
