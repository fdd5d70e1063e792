"""What a batch is answered with: what its format can carry, our own errors, and the version.

OData Protocol, 8.2.7 and 9.2, and OData JSON, 21.1. A response is judged before anything that
depends on it happens, by the checks of the encoder: what has been run can then be answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from odata_batch._checks.fields import ACCEPTED_WITHOUT_LOCATION, ID_SYNTAX, VERSION_HEADER, carries
from odata_batch._checks.responses import ACCEPTED_NOT_LAST, DUPLICATE_RESPONSE_ID
from odata_batch._coding.settings import Settings
from odata_batch._coding.writing import ResponseEncoder, encoder_of, problems_of, write_judged
from odata_batch._model import values
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import DecodeError, Diagnostic, Severity, of_type, quote
from odata_batch._model.headers import Headers, names_of
from odata_batch._model.values import Format, OperationResponse
from odata_batch._wire import grammar
from odata_batch._wire.http import CONTENT_LENGTH_MISMATCH, REASONS

_READING = frozenset(("GET", "HEAD"))
# The fields that say where the written entity is, and in which version
_ENTITY_FIELDS = frozenset(("location", "odata-entityid", "etag"))
# All versions in which a batch has a response; a dialect may have one of its own.
_VERSIONS = ("1.0", "2.0", "3.0", "4.0", "4.01")
_ANY = 2**63


class _Judge:
    """Tells whether a batch response can carry a response."""

    def __init__(self, settings: Settings) -> None:
        # How many there are is known, and where they will be is not; their names are those of
        # requests. 202 without a Location may say less than it should, but it is an answer.
        rules = ACCEPTED_NOT_LAST, ACCEPTED_WITHOUT_LOCATION, ID_SYNTAX, DUPLICATE_RESPONSE_ID
        severities = tuple((rule, Severity.NOTE) for rule in rules)
        dialect = replace(settings.dialect, severities=settings.dialect.severities + severities)
        counts = dict.fromkeys(("items", "operations", "message", "headers_total"), _ANY)
        limits = replace(settings.limits, **counts)
        self._settings = Settings(dialect, format=settings.format, limits=limits)
        self._encoder = self.encoder()

    def encoder(self) -> ResponseEncoder:
        """Return what writes any number of such responses, whatever they are named."""
        import secrets

        batch, tail = values.BatchResponse(()), secrets.token_hex(8)
        return encoder_of(ResponseEncoder, self._settings, batch, None, tail=tail)

    def __call__(self, item: values.OperationResponse) -> tuple[Diagnostic, ...]:
        """Return why the response cannot be written."""
        found = problems_of(self._encoder, item)
        if found:
            self._encoder = self.encoder()
        return found


class Answers:
    """How the responses of one batch are written: in which format and version."""

    def __init__(self, settings: Settings, format: Format, outer: Headers) -> None:
        dialect = settings.dialect
        version = _version(dialect, format, outer)
        if version not in (dialect.json_version, dialect.multipart_version):
            dialect = replace(dialect, json_version=version, multipart_version=version)
        self._format = format
        self._settings = Settings(dialect, format=format, limits=settings.limits)
        self._judge = _Judge(self._settings)
        self._fields = ((dialect.version_header, version), ("Vary", _greatest_field(dialect)))

    def error(self, status: int, message: str) -> OperationResponse:
        """Return an error response of our own (OData JSON, 21.1)."""
        code = REASONS[status].replace(" ", "")
        error = {"error": {"code": code, "message": message}}
        body = json.dumps(error, separators=(",", ":")).encode("ascii")
        response = OperationResponse(status, {"Content-Type": "application/json"}, body)
        return OperationResponse(status) if self._judge(response) else response

    def problems(self, response: OperationResponse, method: str = "GET") -> tuple[Diagnostic, ...]:
        """Return why the response to a request cannot be written, whatever its identifier."""
        if response.headers is values.NO_HEADERS and not (
            response.body or response.reason or response.annotations
        ):
            return ()
        claim = "" if response.body else response.headers.get("content-length", "")
        is_told = self._format == "json" or method == "HEAD" or response.status == 304
        if claim.strip("0") and not is_told:
            # Some readers would pass over the parts after it, to find as many octets.
            message = f"Content-Length is {quote(claim)}, the body has 0 octets"
            return (Diagnostic(CONTENT_LENGTH_MISMATCH, message),)
        return self._judge(replace(response, id=None))

    def in_place_of(
        self, method: str, response: OperationResponse, problems: tuple[Diagnostic, ...]
    ) -> OperationResponse:
        """Return what is written in place of a response that cannot be.

        An error says that nothing was changed (OData Protocol, 9.2). So what was written keeps its
        status, and loses no more than what cannot be carried.
        """
        bare = replace(response, id=None, body=b"")
        # Of what cannot be expressed, only null is nothing but a body, and it says as much as none.
        is_null = problems[0].rule is values.NOT_EXPRESSIBLE and not self._judge(bare)
        if not is_null and (method in _READING or response.status >= 400):
            found = problems[0].message
            return self.error(500, f"the response {response.status} cannot be written: {found}")
        remains = (each for each in self._remains(response) if not self._judge(each))
        return next(remains, OperationResponse(response.status))

    def _remains(self, response: OperationResponse) -> Iterator[OperationResponse]:
        status, pairs = response.status, response.headers.pairs
        names = names_of(response.headers)
        length = str(len(response.body))
        sound = [pair for pair in pairs if not self._judge(OperationResponse(status, [pair]))]
        sound = [each for each in sound if each[0].lower() != "content-length" or each[1] == length]
        once = [pair for pair in sound if names.count(pair[0].lower()) == 1]
        yield OperationResponse(status, sound, response.body)
        if names.count("content-type") < 2:
            yield OperationResponse(status, once, response.body)
        plain = [pair for pair in once if not pair[0].lower().startswith("content-")]
        yield OperationResponse(status, plain)
        entity = [pair for pair in plain if pair[0].lower() in _ENTITY_FIELDS]
        yield OperationResponse(status, entity)

    def check_names(self, ids: list[str | None], items: Sequence[values.RequestItem]) -> None:
        """Raise `DecodeError` for an identifier with which nothing could be answered."""
        odd = [item for item in items if not isinstance(item, values.Operation)]
        sets = odd if self._format == "json" else ()  # multipart has no names of change sets
        groups = dict.fromkeys(item.id for item in sets if isinstance(item, values.ChangeSet))
        parts = [part for item in odd for part in values.parts_of(item)]
        lost = dict.fromkeys(part.id for part in parts if isinstance(part, values.Unreadable))
        names = [name for name in (*ids, *groups, *lost) if name is not None]
        is_plain = not lost and "" not in names and grammar.REQUEST_ID.fullmatch("".join(names))
        for name in [] if is_plain else names:
            is_short = len(name) <= self._settings.limits.id or name not in lost
            is_named = name != "" or name not in groups
            if not (is_short and is_named and carries(self._format, name)):
                message = f"found the id {quote(name)}, which no response could repeat"
                raise DecodeError(Diagnostic(ID_SYNTAX, message, severity=Severity.ERROR))

    def encoder(self) -> tuple[ResponseEncoder, Headers]:
        """Return what writes responses one after the other, and the fields to send before them."""
        encoder = self._judge.encoder()
        return encoder, Headers((*encoder.headers.pairs[:1], *self._fields))

    def payload(self, response: values.BatchResponse) -> values.Payload:
        """Return what is sent, given responses that have been judged."""
        payload = write_judged(self._settings, response)
        return values.Payload(payload.body, (*payload.headers.pairs[:1], *self._fields))


def check_final(response: OperationResponse, lowest: int) -> None:
    """Raise for what is no response that ends a request, with this status at least."""
    of_type(response, OperationResponse, "response")
    if not lowest <= response.status <= 599:
        raise ValueError(f"the status is from {lowest} to 599 here, not {response.status}")


def mirrored(
    source: values.ChangeSet,
    responses: Iterator[OperationResponse],
    whole: OperationResponse,
    format: Format,
) -> values.ChangeSetResponse:
    """Return the responses in the shape of their change set, as far as the format has it.

    Its depth is known to be small; JSON has no groups in groups. `whole` answers what could not be
    read.
    """
    if format == "json":
        answers = [
            replace(whole, id=part.id) if isinstance(part, values.Unreadable) else next(responses)
            for part in values.parts_of(source)
        ]
        return values.ChangeSetResponse(answers, id=source.id)
    items = [
        mirrored(item, responses, whole, format)
        if isinstance(item, values.ChangeSet)
        else next(responses)
        for item in source.items
    ]
    return values.ChangeSetResponse(items, id=source.id)


def _greatest_field(dialect: Dialect) -> str:
    """Return the name of the field with the greatest version that a client understands."""
    is_old = dialect.version_header == "DataServiceVersion"
    return "MaxDataServiceVersion" if is_old else "OData-MaxVersion"


def _version(dialect: Dialect, format: Format, outer: Headers) -> str:
    """Return the version of the answer (OData Protocol, 8.2.7).

    It is the greatest that the client allows and the service supports; if the client does not say,
    the usual one of the format, or that of the request if it is smaller.
    """
    own = {"json": dialect.json_version, "multipart": dialect.multipart_version}
    spoken = [own[each] for each in dialect.formats]
    is_old = _greatest_field(dialect) == "MaxDataServiceVersion"
    known = [each for each in _VERSIONS if (float(each) < 4) is is_old] + spoken
    known = [each for each in known if float(each) <= max(map(float, spoken))]
    greatest = _said(outer, _greatest_field(dialect))
    if greatest is None:
        asked = _said(outer, dialect.version_header)
        return min([own[format], *(each for each in known if float(each) == asked)], key=float)
    allowed = [each for each in known if float(each) <= greatest]
    if not allowed:
        name = _greatest_field(dialect)
        message = f"found {name} {quote(outer[name])}, expected {known[0]} at least"
        raise DecodeError(Diagnostic(VERSION_HEADER, message, severity=Severity.ERROR))
    return max(allowed, key=float)


def _said(outer: Headers, name: str) -> float | None:
    """Return the version in a field, `None` if there is none; in OData 2, more may follow it."""
    version = outer.get(name, "").partition(";")[0].strip(" \t")
    return float(version) if grammar.VERSION.fullmatch(version) else None
