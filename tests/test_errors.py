"""What can be raised, and the reporter that decides whether to raise it."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest

from odata_batch import (
    BatchError,
    DecodeError,
    Diagnostic,
    EncodeError,
    LimitExceeded,
    Limits,
    Operation,
    RequestDecoder,
    Severity,
    UnresolvedReference,
    check_request,
    decode_request,
)
from odata_batch.dialects import ODATA_4_01
from odata_batch.rules import (
    BATCH_MEDIA_TYPE,
    JSON_CHARSET,
    JSON_SYNTAX,
    LIMIT_EXCEEDED,
    NO_DELIMITER,
    NO_PARTS,
    REASON_MISSING,
    RULES,
)

from .helpers import JSON, MULTIPART, PART_HEAD, batch, fed, part

NOTE = Diagnostic(REASON_MISSING, "a note", 1)
WARNING = Diagnostic(NO_PARTS, "a warning", 2)
ERROR = Diagnostic(NO_DELIMITER, "an error", 3, "items[2].items[0]")
LIMIT = Diagnostic(LIMIT_EXCEEDED, "too much", 4, limit=("body", 10))


# -- errors --------------------------------------------------------------------------------------


def test_all_errors_are_batch_errors() -> None:
    assert issubclass(DecodeError, BatchError)
    assert issubclass(LimitExceeded, DecodeError)
    assert issubclass(EncodeError, BatchError)
    assert issubclass(UnresolvedReference, BatchError)


def test_a_decode_error_says_rule_and_place() -> None:
    error = DecodeError(ERROR)
    assert error.diagnostic is ERROR
    assert error.rule is NO_DELIMITER
    assert error.position == 3
    assert error.path == "items[2].items[0]"
    assert error.partial == ()
    items = (Operation.get("People"),)
    assert DecodeError(ERROR, items).partial == items
    assert str(error) == "error[no-delimiter] at byte 3 in items[2].items[0]: an error"


def test_an_exceeded_limit_has_a_name_and_a_value() -> None:
    error = LimitExceeded(LIMIT)
    assert (error.limit, error.value) == ("body", 10)
    assert str(error) == "error[limit-exceeded] at byte 4: too much"
    unnamed = LimitExceeded(ERROR)
    assert (unnamed.limit, unnamed.value) == ("", 0)


def test_an_encode_error_lists_all_findings() -> None:
    error = EncodeError((WARNING, ERROR))
    assert error.diagnostics == (WARNING, ERROR)
    assert str(error) == (
        "refused[no-parts] at byte 2: a warning; "
        "refused[no-delimiter] at byte 3 in items[2].items[0]: an error. "
        f"{WARNING.rule.remedy} {ERROR.rule.remedy}"
    )


def test_the_remedy_of_an_exceeded_limit_fits_the_limit() -> None:
    def told(limits: Limits) -> str:
        octets = b'{"requests":[{"id":"12","method":"GET","url":"A","headers":{"a":"b"}}]}'
        return check_request(octets, "application/json", limits=limits).diagnostics[-1].remedy

    may_raise = "or raise Limits.{0} (--limit {0}=N) if the sender is trusted."
    for name, first in {
        "url": "Make the url smaller",
        "id": "Make the id smaller",
        "json_depth": "Make the json depth smaller",
        "fields": "Send fewer field lines",
        "operations": "Split the batch",
    }.items():
        assert told(Limits(**{name: 0})) == f"{first}, {may_raise.format(name)}"
    assert WARNING.remedy == WARNING.rule.remedy


@pytest.mark.parametrize(
    ("error", "status"),
    [
        *((BatchError(), 400), (DecodeError(ERROR), 400)),
        (DecodeError(Diagnostic(JSON_SYNTAX, "")), 400),
        (DecodeError(Diagnostic(BATCH_MEDIA_TYPE, "")), 415),
        *((DecodeError(Diagnostic(JSON_CHARSET, "")), 415), (LimitExceeded(LIMIT), 413)),
        *((EncodeError((ERROR,)), 500), (UnresolvedReference("$1"), 400)),
    ],
)
def test_a_server_can_answer_with_a_status(error: BatchError, status: int) -> None:
    assert error.http_status == status


def copies(error: BatchError) -> list[object]:
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    made = [pickle.loads(pickle.dumps(error, protocol)) for protocol in protocols]
    return [*made, copy.copy(error), copy.deepcopy(error)]


@pytest.mark.parametrize("error", [DecodeError(ERROR), LimitExceeded(LIMIT)])
def test_copies_keep_a_decode_error_whole(error: DecodeError) -> None:
    error.partial = (Operation.get("People", id="1"),)
    error.add_note("a note")
    for read in copies(error):
        assert isinstance(read, DecodeError) and type(read) is type(error)
        assert (read.diagnostic, read.partial) == (error.diagnostic, error.partial)
        assert (read.rule, read.position) == (error.rule, error.position)
        assert (read.path, str(read), read.__notes__) == (error.path, str(error), ["a note"])
        if isinstance(read, LimitExceeded):
            assert (read.limit, read.value) == ("body", 10)


def test_copies_keep_other_errors_whole() -> None:
    error = EncodeError((WARNING, ERROR))
    for read in copies(error):
        assert isinstance(read, EncodeError)
        assert (read.diagnostics, str(read)) == (error.diagnostics, str(error))
    for read in copies(UnresolvedReference("$1 has no Location")):
        assert type(read) is UnresolvedReference
        assert str(read) == "$1 has no Location"


# -- reporting -----------------------------------------------------------------------------------

BOUNDARY = "multipart/mixed; boundary=b"
NOTED = part(b"GET  a HTTP/1.1\r\n\r\n")
WARNED = part(b"GET b HTTP/1.1\r\n")
BROKEN = part(b"GET\r\n\r\n")
SLUGS = {NOTED: "request-line-spaces", WARNED: "empty-line-shared", BROKEN: "request-line-syntax"}


@pytest.mark.parametrize(
    ("parts", "worst"),
    [
        ((), None),
        ((NOTED,), Severity.NOTE),
        ((NOTED, WARNED, NOTED), Severity.WARNING),
        ((WARNED, BROKEN, NOTED), Severity.ERROR),
    ],
)
def test_a_check_records_everything_and_the_worst_of_it(
    parts: tuple[bytes, ...], worst: Severity | None
) -> None:
    report = check_request(batch(part(), *parts), BOUNDARY)
    assert [each.rule.slug for each in report.diagnostics] == [SLUGS[each] for each in parts]
    assert (report.worst, report.omitted, report.complete) == (worst, 0, True)


@pytest.mark.parametrize(
    "changes",
    [{"severities": tuple((r, Severity.NOTE) for r in RULES)}, {"silent": frozenset(RULES)}],
)
def test_what_is_fatal_is_raised_whatever_a_dialect_says(changes: dict[str, Any]) -> None:
    dialect = replace(ODATA_4_01, **changes)
    for limits, body in ((Limits(), b"["), (Limits(message=1), b"{}")):
        with pytest.raises(DecodeError):
            decode_request(body, "application/json", dialect=dialect, limits=limits)
        report = check_request(body, "application/json", dialect=dialect, limits=limits)
        assert (report.ok, report.complete, len(report.diagnostics)) == (False, False, 1)
    for wrapped in (b"x\r\n\r\n", b"GET x HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n"):
        with pytest.raises(DecodeError, match="batch-media-type"):
            decode_request(wrapped, "application/http", dialect=dialect)
        report = check_request(wrapped, "application/http", dialect=dialect)
        assert (report.worst, report.complete) == (Severity.ERROR, False)


@pytest.mark.parametrize(
    ("strict", "severities", "raised"),
    [
        (False, {}, BROKEN),
        (True, {}, WARNED),
        (False, {NOTED: Severity.ERROR}, NOTED),
        (True, {NOTED: Severity.WARNING}, NOTED),
        (True, {WARNED: Severity.NOTE}, BROKEN),
        (False, {WARNED: Severity.WARNING}, BROKEN),
        (True, {WARNED: Severity.NOTE, BROKEN: Severity.NOTE}, None),
    ],
)
def test_a_severity_decides_what_is_raised_and_what_is_reported(
    strict: bool, severities: dict[bytes, Severity], raised: bytes | None
) -> None:
    rules = tuple((RULES[SLUGS[each]], severity) for each, severity in severities.items())
    dialect = replace(ODATA_4_01, severities=rules)
    reported: list[Diagnostic] = []
    decoder = RequestDecoder(BOUNDARY, strict=strict, dialect=dialect, report=reported.append)
    order = [NOTED, WARNED, BROKEN]
    expected = order if raised is None else order[: order.index(raised)]
    _, _, found = fed(decoder, [batch(*order)])
    assert [each.rule.slug for each in reported] == [SLUGS[each] for each in expected]
    for each, diagnostic in zip(order, found, strict=False):
        assert diagnostic.severity is severities.get(each, diagnostic.rule.severity)
    # What is raised is recorded, too; only what is not raised is reported.
    assert len(found) == len(expected) + (raised is not None)
    if raised is not None:
        with pytest.raises(DecodeError) as caught:
            _ = decoder.result
        assert (caught.value.rule.slug, caught.value.diagnostic) == (SLUGS[raised], found[-1])
        assert type(caught.value) is DecodeError


@pytest.mark.parametrize(
    ("limit", "parts", "recorded"),
    [
        (2, [NOTED, NOTED, NOTED, WARNED], [NOTED, WARNED]),
        (1, [NOTED, WARNED, BROKEN, BROKEN], [BROKEN]),
        (4, [NOTED, NOTED, NOTED, WARNED], [NOTED, NOTED, NOTED, WARNED]),
        (0, [NOTED, WARNED], []),
    ],
)
def test_beyond_the_limit_findings_are_counted(
    limit: int, parts: list[bytes], recorded: list[bytes]
) -> None:
    data, limits = batch(*parts), Limits(diagnostics=limit)
    report = check_request(data, BOUNDARY, limits=limits)
    assert [each.rule.slug for each in report.diagnostics] == [SLUGS[each] for each in recorded]
    assert report.omitted == len(parts) - len(recorded)
    severities = [RULES[SLUGS[each]].severity for each in parts]
    assert report.worst is max(severities)
    assert report.totals == tuple(map(severities.count, Severity))
    if BROKEN not in parts:
        reported: list[Diagnostic] = []
        decode_request(data, BOUNDARY, limits=limits, report=reported.append)
        assert len(reported) == len(parts)


def test_the_first_error_and_a_fatal_one_are_recorded_beyond_the_limit() -> None:
    limits = Limits(diagnostics=1, operations=4)
    report = check_request(batch(NOTED, WARNED, BROKEN, BROKEN, NOTED), BOUNDARY, limits=limits)
    slugs = ["request-line-syntax", "limit-exceeded"]
    assert [each.rule.slug for each in report.diagnostics] == slugs
    assert (report.omitted, report.complete) == (3, False)
    assert report.diagnostics[-1].rule.fatal


def test_what_the_reporter_raises_is_not_caught() -> None:
    class Refused(Exception):
        pass

    def refuse(diagnostic: Diagnostic) -> None:
        raise Refused

    with pytest.raises(Refused):
        decode_request(batch(NOTED), BOUNDARY, report=refuse)


NAMED = PART_HEAD + b"Content-ID: 2\r\n"


@pytest.mark.parametrize(
    ("data", "content_type", "left"),
    [
        (b'{"requests":[{"id":"1","method":"GET","url":"a"}],"requests":[]}', JSON, 0),
        (b'{"requests":[{"id":"1","method":"GET","url":"a","atomicityGroup":"g"},', JSON, 1),
        (batch(part(b"GET $2/a HTTP/1.1\r\n\r\n"), part(head=NAMED))[:-2], MULTIPART, 1),
    ],
)
def test_what_is_found_at_the_end_is_raised_there(
    data: bytes, content_type: str, left: int
) -> None:
    decoder = RequestDecoder(content_type)
    items = decoder.receive_data(data)
    with pytest.raises(DecodeError) as caught:
        decoder.receive_eof()
    assert len(caught.value.partial) == len(items) + left
    with pytest.raises(DecodeError) as again:
        decoder.receive_eof()
    assert again.value is caught.value
