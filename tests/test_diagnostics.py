"""The catalogue of rules, diagnostics and reports."""

from __future__ import annotations

import copy
import pickle
import re
from dataclasses import replace

import pytest

from odata_batch import (
    BatchFailed,
    BatchRequest,
    Diagnostic,
    EncodeError,
    Operation,
    Report,
    Rule,
    Severity,
    encode_request,
    match,
    rules,
)
from odata_batch.dialects import AZURE_TABLES
from odata_batch.rules import LIMIT_EXCEEDED, NO_DELIMITER, NO_PARTS, REASON_MISSING, RULES

NOTE = Diagnostic(REASON_MISSING, "a note")
WARNING = Diagnostic(NO_PARTS, "a warning")
ERROR = Diagnostic(NO_DELIMITER, "an error")


# -- the catalogue -------------------------------------------------------------------------------


def test_severities_are_in_order() -> None:
    assert list(Severity) == sorted(Severity)
    assert Severity.NOTE < Severity.WARNING < Severity.ERROR


CITATION = re.compile(
    r"(RFC \d{4}|OData [A-Za-z0-9. ]+), [0-9A-Z.]+( and [0-9A-Z.]+)?"
    r"|(Microsoft Graph|Azure Tables|SharePoint|SAP CAP|ASP.NET), .+"
)


@pytest.mark.parametrize("rule", RULES.values())
def test_a_rule_has_a_slug_a_severity_a_sentence_and_a_citation(rule: Rule) -> None:
    assert rule == rule.slug
    assert RULES[rule.slug] is getattr(rules, rule.upper().replace("-", "_")) is rule
    assert (type(rule.severity), type(rule.fatal)) == (Severity, bool)
    assert rule.severity is Severity.ERROR or not rule.fatal
    assert re.fullmatch(r"[A-Za-z$].*[^.]\.", rule.sentence)
    assert rule.sentence.isascii()
    assert rule.sentence == " ".join(rule.sentence.split())
    assert CITATION.fullmatch(rule.citation)


def test_no_two_rules_say_the_same() -> None:
    assert len({rule.sentence for rule in RULES.values()}) == len(RULES.values())


def test_there_is_a_constant_for_each_rule_and_for_nothing_else() -> None:
    for name in ("NO_SUCH_RULE", "no_delimiter"):
        with pytest.raises(
            AttributeError, match=f"module 'odata_batch.rules' has no rule '{name}'"
        ):
            getattr(rules, name)
    assert {"NO_DELIMITER", "RULES", "unknown"} <= set(dir(rules))


def test_a_rule_survives_pickling_and_copying_as_itself() -> None:
    rule = NO_DELIMITER
    assert copy.copy(rule) is copy.deepcopy(rule) is rule
    loaded = pickle.loads(pickle.dumps(rule))
    assert loaded == rule and isinstance(loaded, Rule)
    assert all(getattr(loaded, each) == getattr(rule, each) for each in Rule.__slots__)


# -- diagnostics ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("diagnostic", "text"),
    [
        (Diagnostic(NO_PARTS, "message"), "warning[no-parts]: message"),
        (Diagnostic(NO_PARTS, "message", 0), "warning[no-parts] at byte 0: message"),
        (Diagnostic(NO_PARTS, "message", 12), "warning[no-parts] at byte 12: message"),
        (
            Diagnostic(NO_PARTS, "message", path="items[0]"),
            "warning[no-parts] in items[0]: message",
        ),
        (
            Diagnostic(NO_PARTS, "message", 12, "items[0].headers"),
            "warning[no-parts] at byte 12 in items[0].headers: message",
        ),
        (Diagnostic(NO_PARTS, "message", severity=Severity.ERROR), "error[no-parts]: message"),
        (Diagnostic(NO_PARTS, "message", severity=Severity.NOTE), "note[no-parts]: message"),
    ],
)
def test_a_diagnostic_is_one_line(diagnostic: Diagnostic, text: str) -> None:
    assert str(diagnostic) == text


def test_a_diagnostic_has_the_severity_of_its_rule_and_no_place_unless_it_is_told() -> None:
    assert WARNING.severity is Severity.WARNING
    assert ERROR.severity is Severity.ERROR
    assert (NOTE.position, NOTE.path, NOTE.limit) == (None, "", None)


def test_a_diagnostic_is_hashable_and_can_be_copied() -> None:
    diagnostic = Diagnostic(LIMIT_EXCEEDED, "message", 3, "items[0]", Severity.ERROR, ("url", 16))
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
        *((report(), True), (report(NOTE), True), (report(NOTE, WARNING), True)),
        (report(NOTE, ERROR, WARNING), False),
    ],
)
def test_a_report_is_ok_without_errors(found: Report[str], ok: bool) -> None:
    assert found.ok is ok
    assert (found.complete, found.omitted, found.value) == (True, 0, "value")
    assert not replace(found, omitted=1, worst=Severity.ERROR).ok


def test_a_report_gives_the_diagnostics_of_a_severity() -> None:
    found = report(NOTE, ERROR, WARNING, NOTE)
    assert found.of(Severity.NOTE) == (NOTE, NOTE)
    assert found.of(Severity.WARNING) == (WARNING,)
    assert found.of(Severity.ERROR) == (ERROR,)
    assert report().of(Severity.ERROR) == ()
    raised = replace(WARNING, severity=Severity.ERROR)
    assert report(raised).of(Severity.ERROR) == (raised,)
    assert report(raised).of(Severity.WARNING) == ()


# -- quoting -------------------------------------------------------------------------------------


def test_a_message_is_printable_and_cut_at_five_hundred() -> None:
    assert Diagnostic(NO_PARTS, "a\r\x1b\ud800\u20ac").message == "a\\r\\x1b\\ud800\u20ac"
    assert Diagnostic(NO_PARTS, "a" * 501).message == "a" * 497 + "..."
    odd = Operation("GET a\n", "b")
    batch = BatchRequest([odd, Operation("GET a\n", "b")])
    with pytest.raises(EncodeError, match=r"GET a\\n 'b' is in no change set") as caught:
        encode_request(batch, dialect=AZURE_TABLES)
    with pytest.raises(BatchFailed, match=r": GET a\\n 'b' is unknown") as failed:
        match(batch, None).raise_for_failures()
    with pytest.raises(
        EncodeError, match=r"; and 297 more\. Percent-encode the characters, [^;]*$"
    ):
        encode_request(BatchRequest([Operation.get("{")] * 300))
    assert f"{caught.value}{failed.value}".isprintable()


def test_rules_and_severities_show_how_they_are_written() -> None:
    assert repr(NO_PARTS) == "rules.NO_PARTS"
    assert repr(Severity.NOTE) == "Severity.NOTE"
    diagnostic = Diagnostic(NO_PARTS, "a message", 1)
    assert eval(repr(diagnostic)) == diagnostic
