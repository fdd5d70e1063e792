"""The objects of a JSON batch (OData JSON, 19.1 and 19.5): requests and responses as their members.

What is read is complete in syntax; what is wrong with a member is reported, and the documented
reading of it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import (
    Diagnostic,
    Reporter,
    Rule,
    Severity,
    Stop,
    error,
    note,
    quote,
    warning,
)
from odata_batch._model.headers import Headers, Shape, shaped
from odata_batch._model.jsonvalue import scan_extent
from odata_batch._model.limits import Limits, check_sizes, exceed, remember
from odata_batch._model.values import Annotations, Operation, OperationResponse
from odata_batch._wire import grammar, jsonbody, jsonheaders
from odata_batch._wire.grammar import nearest, spellings
from odata_batch._wire.jsontext import (
    JSON_ENCODING,
    JSON_SURROGATE,
    TOO_MANY,
    JsonText,
    Members,
    Span,
)

_Item = TypeVar("_Item")
Message: TypeAlias = Operation | OperationResponse

_EXPECTED: Final[Mapping[type, str]] = {
    str: "a string",
    tuple: "an object",
    list: "an array of strings",
}
# More octets than a message quotes of a value
_SHOWN: Final = 400
_NEEDED = frozenset(("id", "method", "url", "status"))
# Members without which something else is done
_LOST = ("dependsOn", "atomicityGroup", "headers", "body")
_SHARED = frozenset(("id", "atomicityGroup", "headers", "body"))
REQUEST_MEMBERS: Final = _SHARED | {"method", "url", "dependsOn", "if"}
RESPONSE_MEMBERS: Final = _SHARED | {"status"}

_STATUSES: Final[Mapping[bytes, int]] = {str(status).encode(): status for status in range(100, 600)}


def misspelt(name: str, meant: str) -> Diagnostic:
    """Return what is said of a member whose name is like that of one that is not there."""
    message = f"found the member {quote(name)}, expected {quote(meant)}"
    # Of the Python client of Microsoft Graph, every request has depends_on.
    is_lost = meant in _LOST and "_" not in name
    severity = Severity.WARNING if is_lost else JSON_MEMBER_MISSPELT.severity
    return Diagnostic(JSON_MEMBER_MISSPELT, message, severity=severity)


class Element(NamedTuple, Generic[_Item]):
    """An element of the array that is not just an item."""

    position: int
    group: str | None
    item: _Item | values.Unreadable
    found: Sequence[Diagnostic]
    """Without paths, which are not known before the array has been read."""


class Role(NamedTuple, Generic[_Item]):
    """The request- and response-specific parts of decoding."""

    kind: Literal["operation", "response"]
    array: str
    other: str
    known: frozenset[str]
    """The members that the standard defines."""
    without_id: Rule
    read: Callable[[Reader[_Item], Members, Span | None], _Item | None]
    """Returns the item made of these members and its body; `None` if something is missing."""
    change_set: type[_Item]


JSON_DUPLICATE_MEMBER = error("""
    json-duplicate-member (unwritten): Members that decide what is requested appear once. [RFC 7493,
    2.3]
    Keep the one member that is right.""")
JSON_DUPLICATE_OTHER_MEMBER = warning("""
    json-duplicate-other-member: The names of an object's members are unique. [RFC 7493, 2.3]
    Write each member once.""")
JSON_UNKNOWN_MEMBER = note("""
    json-unknown-member: Members that the standard does not define are kept as annotations. [RFC
    7493, 4.2]
    Correct the spelling of the member, or remove it.""")
JSON_MEMBER_MISSPELT = note("""
    json-member-misspelt: No name is like that of a member that the standard defines, and another.
    [OData JSON, 19.1]
    Write the name of the member as the message says.""")
JSON_CONTEXT = note("""
    json-context: A batch has no context control information. [OData JSON, 19.1]
    Remove the context control information from the batch.""")
CONTEXTS: Final = ("@context", "@odata.context")
JSON_ITEM = error("""
    json-item: Every element of the array is an object. [OData JSON, 19.1]
    Write every element of the array as an object.""")
JSON_MISSING_MEMBER = error("""
    json-missing-member: A request has an id, a method and a url; a response has a status. [OData
    JSON, 19.1]
    Add the member that is missing.""")
JSON_ID_MISSING = warning("""
    json-id-missing: A request of a JSON batch has an id. [OData JSON, 19.1]
    Give each request an id, for example its number.""")
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
    body means. [OData JSON, 19.1]
    Remove content-length, which a JSON batch does not need.""")


class Reader(Generic[_Item]):
    """Reads one object after the other; `start` is where the current object begins."""

    text: JsonText
    start = 0

    def __init__(self, role: Role[_Item], limits: Limits, dialect: Dialect) -> None:
        self.role: Role[_Item] = role
        self.limits = limits
        self.found: list[Diagnostic] = []
        self._headers_total = 0
        self._dialect = dialect
        self._contents = jsonbody.Contents(dialect)
        self._reads_base64 = dialect.json_bodies == "base64"
        self._nothing = Headers(), self._content(None)
        self._layouts: dict[tuple[str, ...], jsonheaders.Layout] = {}

    def unreadable(self, start: int) -> values.Unreadable:
        """Return what keeps the place of an element that could not be read."""
        named, _, _ = self.text.walk_item(start)
        id = named.get("id") if type(named.get("id")) is str else None
        return values.Unreadable(self.role.kind, id=id, position=self.text.place(start))

    def content(
        self, members: Members, span: Span | None
    ) -> tuple[str | None, Headers, bytes, Annotations]:
        """Return what requests and responses have: id, headers, body and annotations."""
        if span is None:
            end = self.text.value(self.start, scan_extent)[1]
            raw = self.text.raw((self.start, min(end, self.start + _SHOWN)))
            self.say(JSON_ITEM, f"found {quote(raw)}, expected an object", self.start)
            raise Stop(JSON_ITEM)
        known = self.role.known
        if self.text.duplicates:
            self.check_duplicates(known)
        id = members.get("id")
        if type(id) is not str:
            is_member = "atomicityGroup" in members and self.role.kind == "operation"
            id = self.member(
                members, "id", JSON_MISSING_MEMBER if is_member else self.role.without_id
            )
        if "atomicityGroup" in members and self.member(members, "atomicityGroup") == "":
            self.refuse("atomicityGroup", "a name")
        headers, content = self._headers(members) if "headers" in members else self._nothing
        body = b""
        if "body" in members:
            start = span[0]
            body = self.text.data[start : span[1]]
            if content is not None or body == b"null":
                body, problem = jsonbody.read_body(body, content, self._dialect, self.limits)
                if problem is not None:
                    self.say(*problem, start)
            if len(body) > self.limits.body:
                self.stop_at("body", "body")
        if content is not None and content.form != "json":
            length = headers.get("content-length")
            if length is not None and length != str(len(body)):
                found = f"content-length is {quote(length)}"
                message = f"{found}, the body has {len(body)} octets"
                fields = self.text.spans(self.text.spans(self.start)["headers"][0])
                name = next(each for each in fields if each.lower() == "content-length")
                self.say(JSON_CONTENT_LENGTH, message, *fields[name])
        others = () if known.issuperset(members) else self.others(known)
        if others or self.text.duplicates:
            self.check_annotations(others, self.found.append)
        return id, headers, body, others

    def say(self, rule: Rule, message: str, start: int, end: int = 0) -> None:
        """Note what was found between two offsets of the text, or at one of them."""
        place, length = self.text.place(start), max(0, end - start)
        self.found.append(Diagnostic(rule, message, place, length=length))

    def check_annotations(self, others: Annotations, report: Reporter) -> None:
        """Report that there are too many annotations, those included that repeat a member."""
        number = len(others) + len(self.text.duplicates.get(self.start, ()))
        check_sizes(report, self.limits, {"annotations": number}, self.text.place(self.start))

    def say_of(self, name: str, rule: Rule, message: str) -> None:
        """Note what was found in the value of a member."""
        self.say(rule, message, *self.text.spans(self.start)[name])

    def stop_at(self, limit: str, name: str) -> None:
        """Note that a member exceeds a limit."""
        offset = self.text.spans(self.start)[name][0]
        exceed(self.found.append, self.limits, limit, self.text.place(offset))

    def refuse(self, name: str, expected: str, rule: Rule = jsonheaders.JSON_TYPE) -> None:
        """Note that a member is not what was expected."""
        start, end = self.text.spans(self.start)[name]
        found = quote(self.text.characters(start, min(end, start + _SHOWN)))
        self.say(rule, f"{name} is {found}, expected {expected}", start, end)

    def check_duplicates(self, decisive: Collection[str]) -> None:
        """Note members that appear more than once; the last one is read."""
        for name, offset in self.text.duplicates.get(self.start, ()):
            is_decisive = name in decisive
            rule = JSON_DUPLICATE_MEMBER if is_decisive else JSON_DUPLICATE_OTHER_MEMBER
            self.say(rule, f"found the member {quote(name)} again", *self.text.name_at(offset))

    def check_halves(self, known: Collection[str], apart: str = "") -> Diagnostic | None:
        """Note half of a surrogate pair in members that are not known: they are kept as spelt.

        Return the first one in what is read, the member `apart` left out.
        """
        half, bad, at = self.text.half, None, self.start
        spans = self.text.spans(self.start)
        for name, (start, end) in sorted(spans.items(), key=itemgetter(1)):
            if name not in known:
                kept = half(JSON_SURROGATE, start, end) if name != apart else None
                self.found += [kept] if kept is not None else []
                bad, at = bad or half(JSON_ENCODING, at, start), end
        last = max(spans.values(), default=(0, 0))[1]
        return bad or half(JSON_ENCODING, at, last)

    def others(self, known: Collection[str]) -> Annotations:
        """Return the members that the standard does not define, as they are spelt."""
        found = []
        spans = self.text.spans(self.start)
        typed = spellings(known)
        for name, span in spans.items():
            if name in known:
                continue
            place, meant = self.text.name_at(span[0]), nearest(name, typed)
            if meant in _NEEDED and meant not in spans:
                pass  # that it is missing has been said here
            elif meant is not None and meant not in spans:
                at, length = self.text.place(place[0]), place[1] - place[0]
                self.found.append(replace(misspelt(name, meant), position=at, length=length))
            elif "@" not in name:
                message = f"found the member {quote(name)}; it is kept as an annotation"
                self.say(JSON_UNKNOWN_MEMBER, message, *place)
            elif name in CONTEXTS:
                self.say(JSON_CONTEXT, f"found {name}", *place)  # OData JSON, 4.5
            found.append((name, self.text.raw(span)))
        return tuple(found)

    def member(
        self, members: Members, name: str, missing: Rule | None = None, kind: type = str
    ) -> Any:
        """Return a member of this type; `None` if it is missing, null or of another type.

        `missing` is the rule that is broken where it is missing.
        """
        parsed = members.get(name)
        if type(parsed) is kind:
            return parsed
        if missing is not None and name not in members:
            self._say_missing(members, name, missing)
        elif parsed is None and missing is not JSON_MISSING_MEMBER:
            message = f"{name} is null, expected that it is left out"
            self.say_of(name, jsonheaders.JSON_NULL_MEMBER, message)
        elif name == "id" and type(parsed) is bytes:
            number = parsed.decode()
            message = f"id is the number {quote(number)}, expected a string"
            self.say_of(name, JSON_ID_NUMBER, message)
            return number
        else:
            self.refuse(name, _EXPECTED[kind])
        return None

    def _say_missing(self, members: Members, name: str, missing: Rule) -> None:
        meant = nearest(name, spellings(members))
        if meant is None or meant in self.role.known:
            self.say(missing, f"the object has no {name}", self.start)
        else:
            place = self.text.name_at(self.text.spans(self.start)[meant][0])
            self.say(missing, f"the object has no {name}, but {quote(meant)}", *place)

    def depends_on(self, members: Members) -> tuple[str, ...]:
        """Return the names in dependsOn."""
        parsed = members["dependsOn"]
        if type(parsed) is str:
            message = f"dependsOn is the string {quote(parsed)}, expected an array"
            self.say_of("dependsOn", JSON_DEPENDS_ON_STRING, message)
            return (parsed,)
        if parsed is TOO_MANY:
            self.stop_at("depends_on", "dependsOn")
        names = self.member(members, "dependsOn", kind=list) or ()
        if bytes in map(type, names):
            message = "dependsOn has a number, expected strings"
            self.say_of("dependsOn", JSON_ID_NUMBER, message)
            names = [each.decode() if type(each) is bytes else each for each in names]
        if {str}.issuperset(map(type, names)):
            return tuple(names)
        self.refuse("dependsOn", _EXPECTED[list])
        return ()

    def odd_status(self, members: Members) -> int | None:
        """Return the status where it is not the number that it should be."""
        parsed = members.get("status")
        if type(parsed) is bytes:
            parsed = parsed.decode()
        match = grammar.STATUS_SPELLING.fullmatch(parsed) if type(parsed) is str else None
        if match is not None:
            self.refuse("status", match[1], JSON_STATUS_SPELLING)
            return int(match[1])
        if "status" in members:
            self.refuse("status", "a number from 100 to 599", JSON_STATUS)
        else:
            self._say_missing(members, "status", JSON_MISSING_MEMBER)
        return None

    def _headers(self, members: Members) -> tuple[Headers, jsonbody.Content | None]:
        """Return the fields of the member `headers`, and the content that they announce."""
        fields = members["headers"]
        if fields is TOO_MANY:
            self.stop_at("fields", "headers")
        if type(fields) is not tuple:
            fields = self.member(members, "headers", kind=tuple) or ()
        if not fields:
            return self._nothing
        # All members are pairs.
        names, found = zip(*fields)  # noqa: B905  # `strict` takes half as long again
        layout = self._layouts.get(names)
        if layout is None:
            if len(names) > self.limits.fields:
                self.stop_at("fields", "headers")
            layout = remember(self._layouts, names, jsonheaders.Layout(names, self.limits))
        try:
            text = "|".join(found)  # which only strings can be
        except TypeError:
            text = None
        self._headers_total += layout.size + len(text or "")
        if self._headers_total > self.limits.headers_total:
            self.stop_at("headers_total", "headers")
        if text is not None and layout.is_sound:
            picked = layout.pick(found)
            known = layout.known.get(picked)
            if known is None:
                index = layout.content_type
                content = self._content(None if index is None else found[index])
                known = Shape(layout.shape.names, object()), content
                remember(layout.known, picked, known)
            shape, content = known
            is_odd = not self.text.is_printable or len(text) > layout.room
            if (is_odd or "$" in text or " " in text) and not layout.is_plain(text):
                shape = layout.shape
            return shaped(fields, shape), content
        headers, problems = jsonheaders.read_headers(fields)
        start = self.text.spans(self.start)["headers"][0]
        spans = self.text.spans(start)
        for rule, message, name in problems:
            is_name = rule not in (jsonheaders.JSON_HEADER_VALUE, jsonheaders.JSON_NULL_MEMBER)
            place = self.text.name_at(spans[name][0]) if is_name else spans[name]
            self.say(rule, message, *place)
        return headers, self._content(headers.get("content-type"))

    def _content(self, content_type: str | None) -> jsonbody.Content | None:
        """Return the content of such bodies, `None` for JSON as it is."""
        content = self._contents[content_type]
        return None if content.form == "json" and not self._reads_base64 else content


def _read_request(reader: Reader[Any], members: Members, span: Span | None) -> Operation | None:
    """Return the request that has these members; `None` if it lacks method or URL."""
    id, headers, body, annotations = reader.content(members, span)
    method, url = members.get("method"), members.get("url")
    if type(method) is not str:
        method = reader.member(members, "method", JSON_MISSING_MEMBER)
    if type(url) is not str:
        url = reader.member(members, "url", JSON_MISSING_MEMBER)
    depends_on = reader.depends_on(members) if "dependsOn" in members else ()
    condition = reader.member(members, "if") if "if" in members else None
    if method is None or url is None:
        return None
    if len(url) > reader.limits.url:
        reader.stop_at("url", "url")
    if method not in grammar.KNOWN_METHODS and method.upper() in grammar.KNOWN_METHODS:
        method = method.upper()
    position = reader.text.origin + reader.start
    return values.operation_of(
        method, url, headers, body, id, position, False, depends_on, condition, annotations
    )


def read_with_halves(reader: Reader[_Item], members: Members, span: Span | None) -> _Item | None:
    """Return the item of a text in which there are halves of surrogate pairs."""
    if span is not None:
        bad = reader.check_halves(reader.role.known - {"body"})
        if bad is not None:
            reader.found.append(bad)
            raise Stop(bad.rule)
    return reader.role.read(reader, members, span)


JSON_RESPONSE_ID_MISSING = note("""
    json-response-id-missing: The answer to a request with an id has that id. [OData JSON, 19.5]
    Copy the id of the request into its response.""")


def _read_response(
    reader: Reader[Any], members: Members, span: Span | None
) -> OperationResponse | None:
    """Return the response that has these members; `None` if it has no status."""
    id, headers, body, annotations = reader.content(members, span)
    parsed = members.get("status")
    status = _STATUSES.get(parsed) if type(parsed) is bytes else None
    if status is None:
        status = reader.odd_status(members)
        if status is None:
            return None
    position = reader.text.origin + reader.start
    return values.response_of(status, None, headers, body, id, position, False, annotations)


REQUEST: Final[Role[values.RequestItem]] = Role(
    kind="operation",
    array="requests",
    other="responses",
    known=REQUEST_MEMBERS,
    without_id=JSON_ID_MISSING,
    read=_read_request,
    change_set=values.ChangeSet,
)
RESPONSE: Final[Role[values.ResponseItem]] = Role(
    kind="response",
    array="responses",
    other="requests",
    known=RESPONSE_MEMBERS,
    without_id=JSON_RESPONSE_ID_MISSING,
    read=_read_response,
    change_set=values.ChangeSetResponse,
)
