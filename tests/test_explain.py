"""What `rules` prints."""

from __future__ import annotations

import pytest

from odata_batch import Rule
from odata_batch._cli.explain import catalogue_lines, rule_lines, similar_slugs


def plain(colour: str, text: str) -> str:
    return text


def marked(colour: str, text: str) -> str:
    return f"<{colour} {text}>"


def test_every_rule_is_listed_in_the_order_of_the_catalogue() -> None:
    lines = list(catalogue_lines(plain))
    assert len(lines) == len(Rule)
    assert lines[1:4:2] == [
        "error   batch-media-type: The media type of a batch is multipart/mixed or "
        "application/json.",
        "warning multipart-subtype: The multipart subtype of batches and change sets is mixed.",
    ]
    assert [line[8:].split(":")[0] for line in lines] == [rule.slug for rule in Rule]


def test_severities_are_coloured() -> None:
    lines = list(catalogue_lines(marked))
    assert lines[1].startswith("<1;31 error  > batch-media-type: ")


def test_a_rule_is_explained() -> None:
    assert list(rule_lines(Rule.URL_BLANKS, marked)) == [
        "<1 url-blanks>",
        "  Blanks in a URL are percent-encoded.",
        "",
        "  Standard:  RFC 3986, 2",
        "  Severity:  warning",
        "  To fix:    Write %20 for each blank.",
    ]


def test_a_rule_behind_which_nothing_is_read() -> None:
    assert list(rule_lines(Rule.NO_DELIMITER, plain))[3:6] == [
        "  Standard:  RFC 2046, 5.1.1",
        "  Severity:  error",
        "  Reading:   nothing behind such a place is read",
    ]


def test_the_severities_of_dialects_are_told() -> None:
    lines = " ".join(line.strip() for line in rule_lines(Rule.METHOD_TUNNEL, plain))
    assert " note; warning in 2" in lines


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_can_be_explained(rule: Rule) -> None:
    lines = list(rule_lines(rule, plain))
    assert all(len(line) <= 80 for line in lines)
    assert rule.remedy.split(" ")[-1] in lines[-1]


@pytest.mark.parametrize(
    ("slug", "similar"),
    [
        ("delimiter-look", ["delimiter-lookalike"]),
        ("boundary-u", ["boundary-unquoted"]),
        ("no_delimiter", ["no-delimiter"]),
        ("header-folding", ["header-folded", "part-header-folded"]),
        ("qqqq", []),
        ("", []),
    ],
)
def test_a_slug_that_is_not_known_is_like_others(slug: str, similar: list[str]) -> None:
    assert similar_slugs(slug)[: len(similar) or None] == similar
