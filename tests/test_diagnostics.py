"""The catalogue of rules, diagnostics and reports."""

from __future__ import annotations

import copy
import pickle
import re
from collections import Counter
from dataclasses import FrozenInstanceError, replace

import pytest

from odata_batch import Diagnostic, Report, Rule, Severity, check_request

from .helpers import GET, MULTIPART, batch, part

NOTE = Diagnostic(Rule.REASON_MISSING, "a note")
WARNING = Diagnostic(Rule.NO_PARTS, "a warning")
ERROR = Diagnostic(Rule.NO_DELIMITER, "an error")


# -- severities ----------------------------------------------------------------------------------


def test_severities_are_in_order() -> None:
    assert list(Severity) == sorted(Severity)
    assert Severity.NOTE < Severity.WARNING < Severity.ERROR


# -- the catalogue -------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", Rule)
def test_a_slug_is_the_name_in_kebab_case(rule: Rule) -> None:
    assert rule.slug == rule.value == rule.name.lower().replace("_", "-")


@pytest.mark.parametrize("rule", Rule)
def test_a_rule_is_looked_up_by_its_slug(rule: Rule) -> None:
    assert Rule(rule.slug) is rule


def test_an_unknown_slug_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="'no-such-rule' is not a valid Rule"):
        Rule("no-such-rule")


@pytest.mark.parametrize("rule", Rule)
def test_a_rule_has_a_severity(rule: Rule) -> None:
    assert type(rule.severity) is Severity
    assert type(rule.fatal) is bool


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule.fatal])
def test_a_rule_after_which_nothing_is_read_is_an_error(rule: Rule) -> None:
    assert rule.severity is Severity.ERROR


@pytest.mark.parametrize("rule", Rule)
def test_a_rule_is_one_sentence(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Za-z$].*[^.]\.", rule.sentence)
    assert rule.sentence.isascii()
    assert rule.sentence == " ".join(rule.sentence.split())


def test_no_two_rules_say_the_same() -> None:
    repeated = [text for text, n in Counter(rule.sentence for rule in Rule).items() if n > 1]
    assert not repeated


@pytest.mark.parametrize("rule", Rule)
def test_a_rule_cites_a_text_and_a_section(rule: Rule) -> None:
    assert re.fullmatch(
        r"(RFC \d{4}|OData [A-Za-z0-9. ]+), [0-9A-Z.]+( and [0-9A-Z.]+)?"
        r"|(Microsoft Graph|Azure Tables|SharePoint|SAP CAP), .+",
        rule.citation,
    )


def test_a_rule_survives_pickling_and_copying_as_itself() -> None:
    rule = Rule.NO_DELIMITER
    assert copy.copy(rule) is copy.deepcopy(rule) is pickle.loads(pickle.dumps(rule)) is rule


# -- diagnostics ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("diagnostic", "text"),
    [
        (Diagnostic(Rule.NO_PARTS, "message"), "warning[no-parts]: message"),
        (Diagnostic(Rule.NO_PARTS, "message", 0), "warning[no-parts] at byte 0: message"),
        (Diagnostic(Rule.NO_PARTS, "message", 12), "warning[no-parts] at byte 12: message"),
        (
            Diagnostic(Rule.NO_PARTS, "message", path="items[0]"),
            "warning[no-parts] in items[0]: message",
        ),
        (
            Diagnostic(Rule.NO_PARTS, "message", 12, "items[0].headers"),
            "warning[no-parts] at byte 12 in items[0].headers: message",
        ),
        (
            Diagnostic(Rule.NO_PARTS, "message", severity=Severity.ERROR),
            "error[no-parts]: message",
        ),
        (
            Diagnostic(Rule.NO_PARTS, "message", severity=Severity.NOTE),
            "note[no-parts]: message",
        ),
    ],
)
def test_a_diagnostic_is_one_line(diagnostic: Diagnostic, text: str) -> None:
    assert str(diagnostic) == text


def test_a_diagnostic_has_the_severity_of_its_rule() -> None:
    assert Diagnostic(Rule.NO_PARTS, "").severity is Severity.WARNING
    assert Diagnostic(Rule.NO_DELIMITER, "").severity is Severity.ERROR


def test_a_diagnostic_knows_no_place_unless_it_is_told() -> None:
    assert (NOTE.position, NOTE.path, NOTE.limit) == (None, "", None)


def test_a_diagnostic_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        NOTE.message = "other"  # type: ignore[misc] # that it is refused is the point


def test_a_diagnostic_is_hashable_and_can_be_copied() -> None:
    diagnostic = Diagnostic(
        Rule.LIMIT_EXCEEDED, "message", 3, "items[0]", Severity.ERROR, ("url", 16)
    )
    copies = [
        copy.copy(diagnostic),
        copy.deepcopy(diagnostic),
        pickle.loads(pickle.dumps(diagnostic)),
        replace(diagnostic),
    ]
    assert copies == [diagnostic] * 4
    assert {hash(each) for each in copies} == {hash(diagnostic)}


# -- reports -------------------------------------------------------------------------------------


def report(*diagnostics: Diagnostic) -> Report[str]:
    worst = max((each.severity for each in diagnostics), default=None)
    return Report("value", diagnostics, worst=worst)


@pytest.mark.parametrize(
    ("found", "ok"),
    [
        (report(), True),
        (report(NOTE), True),
        (report(NOTE, WARNING), True),
        (report(NOTE, ERROR, WARNING), False),
    ],
)
def test_a_report_is_ok_without_errors(found: Report[str], ok: bool) -> None:
    assert found.ok is ok


def test_a_report_is_not_ok_if_an_error_was_omitted() -> None:
    assert not Report("value", (NOTE,), omitted=1, worst=Severity.ERROR).ok


def test_a_report_gives_the_diagnostics_of_a_severity() -> None:
    found = report(NOTE, ERROR, WARNING, NOTE)
    assert found.of(Severity.NOTE) == (NOTE, NOTE)
    assert found.of(Severity.WARNING) == (WARNING,)
    assert found.of(Severity.ERROR) == (ERROR,)
    assert report().of(Severity.ERROR) == ()


def test_the_severity_of_the_diagnostic_counts_not_that_of_its_rule() -> None:
    raised = replace(WARNING, severity=Severity.ERROR)
    assert report(raised).of(Severity.ERROR) == (raised,)
    assert report(raised).of(Severity.WARNING) == ()


def test_a_report_is_complete_unless_it_says_otherwise() -> None:
    assert report().complete
    assert report().omitted == 0
    assert report().worst is None
    assert report().value == "value"


# -- quoting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (b"a\r\n\0", r"'a\r\n\x00'"),
        (b"a\n\xff\0", r"'a\n@\x00'".replace("@", "\xff")),
        (b"it's", '"it\'s"'),
        (b"x" * 60, repr("x" * 60)),
        (b"x" * 61, repr("x" * 60) + "..."),
        (b"\0" * 61, repr("\0" * 60) + "..."),
    ],
)
def test_input_is_quoted_and_cut_at_sixty(found: bytes, text: str) -> None:
    report = check_request(found + b"\r\n" + batch(part()), MULTIPART)
    assert report.diagnostics[0].message == f"found {text} before the first delimiter"


def test_octets_that_are_not_utf_8_are_quoted_as_surrogates() -> None:
    report = check_request(batch(part(GET.replace(b"People", b"\xff"))), MULTIPART)
    assert r"'\udcff'" in report.diagnostics[0].message


def test_rules_and_severities_show_how_they_are_written() -> None:
    assert repr(Rule.NO_PARTS) == "Rule.NO_PARTS"
    assert repr(Severity.NOTE) == "Severity.NOTE"
    diagnostic = Diagnostic(Rule.NO_PARTS, "a message", 1)
    assert eval(repr(diagnostic)) == diagnostic
