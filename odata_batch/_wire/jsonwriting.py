"""The OData JSON batch format (OData JSON, 19), written."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from json.encoder import encode_basestring as quoted

from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Diagnostic, Reporter, Stop, quote
from odata_batch._model.headers import by_lower_name, headers_of, names_of
from odata_batch._model.jsonvalue import is_surely_json
from odata_batch._model.limits import Limits, check_sizes
from odata_batch._wire import jsonbody
from odata_batch._wire.grammar import nearest, spellings
from odata_batch._wire.heads import Heads, Judge, Message, Unsettled
from odata_batch._wire.json import JSON_NO_REQUESTS, NEXT_LINKS
from odata_batch._wire.jsonitem import (
    CONTEXTS,
    JSON_CONTEXT,
    JSON_DUPLICATE_MEMBER,
    JSON_UNKNOWN_MEMBER,
    REQUEST_MEMBERS,
    RESPONSE_MEMBERS,
    misspelt,
)
from odata_batch._wire.jsontext import JSON_ENCODING

_HEADERS = ',"headers":'
# How many objects are around the members of a batch
_DEPTH = 1
_address = id


class _Members(Heads[jsonbody.Content]):
    """Header sections as the member `headers`, less what JSON does not carry."""

    def filler(self, names: tuple[str, ...]) -> Callable[[tuple[str, ...]], str]:
        """Return what makes the member for these names, given the values."""
        # Names are tokens, in which nothing is to be escaped.
        lower = [name.lower() for name in names]
        if len({*lower}) < len(lower):

            def join(found: tuple[str, ...]) -> str:
                fields = by_lower_name(headers_of(tuple(zip(lower, found, strict=True)), lower))
                return self.filler(tuple(fields))(tuple(map(", ".join, fields.values())))

            return join
        fields = [f',"{each}":"%s"' if each != "content-length" else "%.0s" for each in lower]
        form = "".join(fields).replace(",", "", 1)
        if '"' in form:
            form = f"{_HEADERS}{{{form}}}"

        def fill(found: tuple[str, ...]) -> str:
            return form % tuple([each if _is_plain(each) else quoted(each)[1:-1] for each in found])

        return fill


def _is_plain(text: str) -> bool:
    return '"' not in text and "\\" not in text and text.isprintable()


class JsonEncoder:
    """Encodes the items of a JSON batch, prepared ones that have been checked."""

    content_type = "application/json"
    boundary = ""

    def __init__(
        self,
        role_name: str,
        dialect: Dialect,
        limits: Limits,
        report: Reporter,
    ) -> None:
        self.headers_total = 0
        self._limits = limits
        self._dialect = dialect
        self._report = report
        self._contents = jsonbody.Contents(dialect)
        self._heads = _Members(limits, "content-type", self._contents)
        self._judge: Judge | None = None
        self._pending = f'{{"{role_name}s":['.encode("ascii")

    # -- what a JSON batch cannot carry --

    def check_batch(self, batch: values.BatchRequest | values.BatchResponse, items: int) -> None:
        """Report what is wrong beside the items, whose number is given."""
        if not items and isinstance(batch, values.BatchRequest):
            self._report(Diagnostic(JSON_NO_REQUESTS, "the array requests is empty"))
        known, absent = {"requests", "responses"}, set[str]()
        if isinstance(batch, values.BatchResponse):
            known.update(NEXT_LINKS)
            absent.update(NEXT_LINKS if batch.next_link is None else ())
            if batch.truncated:
                message = "a truncated response cannot be written"
                self._report(Diagnostic(values.NOT_EXPRESSIBLE, message))
            _check_text("next_link", batch.next_link, self._report)
        with suppress(Stop):  # a limit, which is reported, too, ends the checks
            check_sizes(self._report, self._limits, {"json_depth": _DEPTH + 1})
            self._check_annotations(batch.annotations, known, absent, _DEPTH, self._report)

    def check(self, item: values.Item, path: str, in_group: bool = False) -> None:
        """Report what is wrong with an item that JSON cannot carry."""
        if isinstance(item, values.CHANGE_SETS):
            if item.id == "":
                message = "JSON has no group with an empty name"
                self._report(Diagnostic(values.NOT_EXPRESSIBLE, message, item.position, path))
            for index, inner in enumerate(item.items):
                inner_path = f"{path}.items[{index}]"
                if isinstance(inner, values.CHANGE_SETS):
                    message = "JSON has no group in a group"
                    found = Diagnostic(values.NOT_EXPRESSIBLE, message, inner.position, inner_path)
                    self._report(found)
                else:
                    self.check(inner, inner_path, True)
            return
        if isinstance(item, values.Unreadable):
            return

        def report(diagnostic: Diagnostic) -> None:
            self._report(replace(diagnostic, position=item.position, path=path))

        check_sizes(report, self._limits, {"json_depth": jsonbody.DEPTH + 1}, item.position)
        if names_of(item.headers).count("set-cookie") > 1:
            message = "JSON cannot carry several Set-Cookie fields"
            report(Diagnostic(values.NOT_EXPRESSIBLE, message))
        known = {*(REQUEST_MEMBERS if isinstance(item, values.Operation) else RESPONSE_MEMBERS)}
        absent = _absent_in(item, in_group)
        self._check_annotations(item.annotations, known, absent, jsonbody.DEPTH, report)
        if isinstance(item, values.Operation):
            _check_text("condition", item.condition, report)
            for name in item.depends_on:
                _check_text("an entry of depends_on", name, report)
        if item.body:
            content = self._contents.of(item.headers)
            for found in jsonbody.check_body(item.body, content, self._limits):
                report(found)

    def _check_annotations(
        self,
        annotations: values.Annotations,
        known: set[str],
        absent: set[str],
        depth: int,
        report: Reporter,
    ) -> None:
        """Report annotations that are too many, or what members are that are not there or known.

        They may also appear twice, or be no JSON.
        """
        check_sizes(report, self._limits, {"annotations": len(annotations)})
        typed = spellings(known)
        for name, raw in annotations:
            what = f"the annotation {quote(name)}"
            if name in known:
                message = f"{what} appears twice, or is a member"
                report(Diagnostic(JSON_DUPLICATE_MEMBER, message))
            known.add(name)
            # Only a dialect that takes these for more than notes refuses most of them.
            if (meant := nearest(name, typed)) in absent:
                report(misspelt(name, meant))
            elif "@" not in name:
                report(Diagnostic(JSON_UNKNOWN_MEMBER, f"{what} has no '@' in its name"))
            elif name in CONTEXTS:
                report(Diagnostic(JSON_CONTEXT, f"{what} is for the bodies of items"))
            _check_text("the name of an annotation", name, report)
            for found in jsonbody.check_json(raw, what, self._limits, depth):
                report(found)

    # -- octets --

    def send(self, item: values.Item) -> bytes:
        """Return the octets of the item, with the comma after the one before."""
        return b"".join(self._pieces([item]))

    def is_whole(self, item: Message) -> bool:
        """Tell whether the body has to be known as a whole: JSON is checked so."""
        content = self._contents.of(item.headers)
        return content.form == "json" or (content.form == "text" and content.codec is None)

    def mark(self, item: Message, token: str) -> bytes:
        """Return the body of a message, which is not JSON, in which this token appears."""
        content = self._contents.of(item.headers)
        return a2b_base64(token) if content.codec is None else token.encode(content.codec)

    def write_pieces(self, item: Message, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the octets of a body that arrives in pieces; what is wrong with it is reported."""
        content = self._contents.of(item.headers)
        return jsonbody.write_pieces(pieces, content, self._dialect, self._report)

    def close(self, annotations: values.Annotations, next_link: str | None) -> bytes:
        """Return what ends the batch."""
        tail = [self._pending if self._pending != b"," else b"", b"]"]
        if next_link is not None:
            name = "@odata.nextLink" if self._dialect.json_version == "4.0" else "@nextLink"
            tail.append(f',"{name}":{quoted(next_link)}'.encode())
        return b"".join([*tail, _members(annotations), b"}"])

    def whole(
        self,
        items: Sequence[values.Item],
        annotations: values.Annotations,
        next_link: str | None,
        judge: Judge | None = None,
    ) -> bytes:
        """Return the octets of the batch.

        With a `judge` it is `Unsettled` if a rule may object to an item.
        """
        self._judge, self.headers_total = judge, 0
        if judge is not None and self._limits.json_depth <= jsonbody.DEPTH:
            raise Unsettled
        pieces = self._pieces(items)
        return b"".join([*pieces, self.close(annotations, next_link)])

    def _pieces(self, items: Sequence[values.Item]) -> list[bytes]:
        pieces: list[bytes] = []
        for item in items:
            if isinstance(item, values.CHANGE_SETS):
                group = f'"atomicityGroup":{quoted(item.id or "")},'
                for inner in item.items:
                    # Groups in groups were refused, and so was what could not be read.
                    assert not isinstance(inner, (*values.CHANGE_SETS, values.Unreadable))
                    self._add(inner, group, pieces)
            else:
                assert not isinstance(item, values.Unreadable)
                self._add(item, "", pieces)
        if pieces:
            pieces[0] = self._pending + pieces[0][1:]
            self._pending = b","
        return pieces

    def _add(self, item: Message, group: str, pieces: list[bytes]) -> None:
        """Add the object of a message, with a comma before it."""
        headers, body, judge = item.headers, item.body, self._judge
        known = self._heads.known.get(_address(headers)) or self._heads.learn(headers)
        _, text, content, sound = known
        if isinstance(item, values.Operation):
            kind: str | int = item.method
            start = f'"method":{quoted(item.method)},"url":{quoted(item.url)}'
            if len(item.url) > self._limits.url and judge is not None:
                raise Unsettled
            if item.condition is not None:
                start = f'"if":{quoted(item.condition)},{start}'
            if item.depends_on:
                start = f'"dependsOn":[{",".join(map(quoted, item.depends_on))}],{start}'
        else:
            kind = item.status
            start = f'"status":{kind}'
        if judge is not None and (
            sound is None
            or ((kind, body != b"") not in sound and not judge(item, (kind, body != b""), sound))
            or item.annotations
            or (body and self._may_be_odd(body, content))
        ):
            raise Unsettled
        name = "" if item.id is None else f'"id":{quoted(item.id)},'
        if text:
            self.headers_total += len(text.encode()) - len(_HEADERS)
        elif group:  # OData.Core cannot read a member of a group without it.
            text = f"{_HEADERS}{{}}"
        pieces.append(f",{{{name}{group}{start}{text}".encode())
        if item.annotations:
            pieces.append(_members(item.annotations))
        if body:
            pieces += b',"body":', jsonbody.write_body(body, content, self._dialect)
        pieces.append(b"}")

    def _may_be_odd(self, body: bytes, content: jsonbody.Content) -> bool:
        """Tell whether a body may be one that JSON does not carry as it is."""
        if len(body) > self._limits.body:
            return True
        if content.form == "json" and self._dialect.json_bodies != "base64":
            if (not content.content_type and body.startswith(b'"')) or body == b"null":
                return True
            return not is_surely_json(body, self._limits.json_depth - jsonbody.DEPTH)
        has_space = body.strip(jsonbody.SPACE) != body
        return has_space or bool(jsonbody.check_body(body, content, self._limits))


def _absent_in(item: Message, in_group: bool) -> set[str]:
    """Return members that the object of an item does not have."""
    there: dict[str, object] = {"body": item.body, "atomicityGroup": in_group}
    there["headers"] = item.headers or in_group
    if isinstance(item, values.Operation):
        there |= {"dependsOn": item.depends_on, "if": item.condition}
    return {name for name, value in there.items() if not value}


def _check_text(what: str, text: str | None, report: Reporter) -> None:
    """Report a text that UTF-8 cannot carry."""
    try:
        (text or "").encode("utf-8")
    except UnicodeEncodeError:
        message = f"{what} is {text!r:.60}, with half of a surrogate pair"
        report(Diagnostic(JSON_ENCODING, message))


def _members(annotations: values.Annotations) -> bytes:
    """Return annotations as members after others."""
    return b"".join([f",{quoted(name)}:".encode() + raw for name, raw in annotations])
