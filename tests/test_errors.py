"""What can be raised, and the reporter that decides whether to raise it."""

from __future__ import annotations

import copy
import pickle

import pytest

from odata_batch import (
    BatchError,
    DecodeError,
    Diagnostic,
    EncodeError,
    LimitExceeded,
    Limits,
    Operation,
    Rule,
    Severity,
    UnresolvedReference,
)
from odata_batch._model.findings import Findings, Stop, exceed, stop

NOTE = Diagnostic(Rule.REASON_MISSING, "a note", 1)
WARNING = Diagnostic(Rule.NO_PARTS, "a warning", 2)
ERROR = Diagnostic(Rule.NO_DELIMITER, "an error", 3, "items[2].items[0]")
LIMIT = Diagnostic(Rule.LIMIT_EXCEEDED, "too much", 4, limit=("body", 10))


def test_the_examples_have_the_severities_of_their_names() -> None:
    assert [each.severity for each in (NOTE, WARNING, ERROR, LIMIT)] == [
        Severity.NOTE,
        Severity.WARNING,
        Severity.ERROR,
        Severity.ERROR,
    ]


# -- errors --------------------------------------------------------------------------------------


def test_all_errors_are_batch_errors() -> None:
    assert issubclass(DecodeError, BatchError)
    assert issubclass(LimitExceeded, DecodeError)
    assert issubclass(EncodeError, BatchError)
    assert issubclass(UnresolvedReference, BatchError)
    assert not issubclass(Stop, BatchError)


def test_a_decode_error_says_rule_and_place() -> None:
    error = DecodeError(ERROR)
    assert error.diagnostic is ERROR
    assert error.rule is Rule.NO_DELIMITER
    assert error.position == 3
    assert error.path == "items[2].items[0]"
    assert error.partial == ()
    assert str(error) == "error[no-delimiter] at byte 3 in items[2].items[0]: an error"


def test_a_decode_error_keeps_the_items_before_it() -> None:
    items = (Operation.get("People"),)
    assert DecodeError(ERROR, items).partial == items


def test_an_exceeded_limit_has_a_name_and_a_value() -> None:
    error = LimitExceeded(LIMIT)
    assert (error.limit, error.value) == ("body", 10)
    assert str(error) == "error[limit-exceeded] at byte 4: too much"


def test_a_limit_that_was_not_named_is_empty() -> None:
    error = LimitExceeded(ERROR)
    assert (error.limit, error.value) == ("", 0)


def test_an_encode_error_lists_all_findings() -> None:
    error = EncodeError((WARNING, ERROR))
    assert error.diagnostics == (WARNING, ERROR)
    assert str(error) == (
        "warning[no-parts] at byte 2: a warning; "
        "error[no-delimiter] at byte 3 in items[2].items[0]: an error"
    )


def test_an_unresolved_reference_says_what_it_was_given() -> None:
    assert str(UnresolvedReference("$1 has no Location")) == "$1 has no Location"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BatchError(), 400),
        (DecodeError(ERROR), 400),
        (DecodeError(Diagnostic(Rule.JSON_SYNTAX, "")), 400),
        (DecodeError(Diagnostic(Rule.BATCH_MEDIA_TYPE, "")), 415),
        (DecodeError(Diagnostic(Rule.JSON_CHARSET, "")), 415),
        (LimitExceeded(LIMIT), 413),
        (EncodeError((ERROR,)), 500),
        (UnresolvedReference("$1"), 400),
    ],
)
def test_a_server_can_answer_with_a_status(error: BatchError, status: int) -> None:
    assert error.http_status == status


@pytest.mark.parametrize(("kind", "diagnostic"), [(DecodeError, ERROR), (LimitExceeded, LIMIT)])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_a_decode_error_whole(
    kind: type[DecodeError], diagnostic: Diagnostic, protocol: int
) -> None:
    error = kind(diagnostic)
    error.partial = (Operation.get("People", id="1"),)
    error.add_note("a note")
    read = pickle.loads(pickle.dumps(error, protocol))
    assert type(read) is kind
    assert (read.diagnostic, read.partial) == (error.diagnostic, error.partial)
    assert read.rule is error.rule
    assert (read.position, read.path, str(read)) == (error.position, error.path, str(error))
    assert read.__notes__ == ["a note"]


def test_pickling_keeps_the_limit() -> None:
    read = pickle.loads(pickle.dumps(LimitExceeded(LIMIT)))
    assert (read.limit, read.value) == ("body", 10)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_an_encode_error_whole(protocol: int) -> None:
    error = EncodeError((WARNING, ERROR))
    read = pickle.loads(pickle.dumps(error, protocol))
    assert type(read) is EncodeError
    assert read.diagnostics == error.diagnostics
    assert str(read) == str(error)


def test_pickling_keeps_the_text_of_an_unresolved_reference() -> None:
    read = pickle.loads(pickle.dumps(UnresolvedReference("$1")))
    assert type(read) is UnresolvedReference
    assert str(read) == "$1"


def test_copies_of_an_error_say_the_same() -> None:
    error = DecodeError(ERROR, (Operation.get("People"),))
    for read in (copy.copy(error), copy.deepcopy(error)):
        assert (read.diagnostic, read.partial) == (error.diagnostic, error.partial)


# -- reporting -----------------------------------------------------------------------------------


def test_stop_reports_and_unwinds() -> None:
    found: list[Diagnostic] = []
    with pytest.raises(Stop) as caught:
        stop(found.append, ERROR)
    assert caught.value.rule is Rule.NO_DELIMITER
    assert found == [ERROR]


@pytest.mark.parametrize("position", [7, None])
def test_exceeding_reports_the_limit_and_unwinds(position: int | None) -> None:
    found: list[Diagnostic] = []
    with pytest.raises(Stop) as caught:
        exceed(found.append, Limits(url=16), "url", position)
    assert caught.value.rule is Rule.LIMIT_EXCEEDED
    message = "limit url is 16, and the message exceeds it"
    assert found == [Diagnostic(Rule.LIMIT_EXCEEDED, message, position, limit=("url", 16))]


def test_findings_record_everything_where_nothing_is_raised() -> None:
    findings = Findings(Limits(), {}, None)
    for each in (NOTE, LIMIT, ERROR, WARNING):
        findings(each)
    assert findings.diagnostics == [NOTE, LIMIT, ERROR, WARNING]
    assert findings.worst is Severity.ERROR
    assert findings.omitted == 0


def test_without_findings_there_is_no_worst() -> None:
    assert Findings(Limits(), {}, None).worst is None


@pytest.mark.parametrize(
    ("order", "worst"),
    [
        ((NOTE,), Severity.NOTE),
        ((NOTE, WARNING, NOTE), Severity.WARNING),
        ((WARNING, ERROR, NOTE), Severity.ERROR),
    ],
)
def test_the_worst_finding_is_remembered(order: tuple[Diagnostic, ...], worst: Severity) -> None:
    findings = Findings(Limits(), {}, None)
    for each in order:
        findings(each)
    assert findings.worst is worst


@pytest.mark.parametrize(
    ("raise_from", "raised"),
    [
        (Severity.NOTE, NOTE),
        (Severity.WARNING, WARNING),
        (Severity.ERROR, ERROR),
    ],
)
def test_findings_are_raised_from_a_severity_on(raise_from: Severity, raised: Diagnostic) -> None:
    forwarded: list[Diagnostic] = []
    findings = Findings(Limits(), {}, raise_from, forwarded.append)
    order = [NOTE, WARNING, ERROR]
    with pytest.raises(DecodeError) as caught:
        for each in order:
            findings(each)
    assert caught.value.diagnostic is raised
    assert type(caught.value) is DecodeError
    # What is raised is recorded, too; only what is not raised is forwarded.
    assert findings.diagnostics == order[: order.index(raised) + 1]
    assert forwarded == order[: order.index(raised)]


def test_an_exceeded_limit_is_raised_as_such() -> None:
    with pytest.raises(LimitExceeded) as caught:
        Findings(Limits(), {}, Severity.ERROR)(LIMIT)
    assert (caught.value.limit, caught.value.value) == ("body", 10)


def test_a_dialect_may_raise_a_severity() -> None:
    findings = Findings(Limits(), {Rule.REASON_MISSING: Severity.ERROR}, Severity.ERROR)
    with pytest.raises(DecodeError) as caught:
        findings(NOTE)
    assert caught.value.diagnostic == Diagnostic(
        Rule.REASON_MISSING, "a note", 1, severity=Severity.ERROR
    )


def test_a_dialect_may_lower_a_severity() -> None:
    forwarded: list[Diagnostic] = []
    severities = {Rule.NO_PARTS: Severity.NOTE}
    findings = Findings(Limits(), severities, Severity.WARNING, forwarded.append)
    findings(WARNING)
    lowered = Diagnostic(Rule.NO_PARTS, "a warning", 2, severity=Severity.NOTE)
    assert findings.diagnostics == forwarded == [lowered]
    assert findings.worst is Severity.NOTE


def test_a_severity_that_the_dialect_repeats_changes_nothing() -> None:
    findings = Findings(Limits(), {Rule.NO_PARTS: Severity.WARNING}, None)
    findings(WARNING)
    assert findings.diagnostics[0] is WARNING


def test_beyond_the_limit_findings_are_counted() -> None:
    forwarded: list[Diagnostic] = []
    findings = Findings(Limits(diagnostics=2), {}, None, forwarded.append)
    order = [NOTE, NOTE, NOTE, WARNING]
    for each in order:
        findings(each)
    assert findings.diagnostics == [NOTE, NOTE]
    assert findings.omitted == 2
    assert findings.worst is Severity.WARNING
    assert forwarded == order


def test_the_first_error_and_a_fatal_one_are_recorded_beyond_the_limit() -> None:
    findings = Findings(Limits(diagnostics=1), {}, None)
    error = Diagnostic(Rule.REPEATED_HEADER, "an error")
    assert LIMIT.rule.fatal and not error.rule.fatal
    for each in (NOTE, WARNING, error, error, LIMIT):
        findings(each)
    assert findings.diagnostics == [NOTE, error, LIMIT]
    assert findings.omitted == 2
