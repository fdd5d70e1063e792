"""The site: the pages that `make site` builds of documents, of the catalogue and of the corpus."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from docs import rule_pages, site
from docs.manifest import octets_of, told
from odata_batch import Rule
from odata_batch.rules import RULES

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).resolve().parent.parent
PAGES = cache(lambda: site.content()[0])  # a link that leads nowhere raises
TOLD = told()
NOT_MENDED = {
    # Nothing brings back what a capture or an answer has lost.
    *(rule for rule in RULES if rule.startswith("capture-")),
    *("json-error-response", "json-truncated", "truncated-response"),
    # It takes another batch, boundary, format or limit.
    *("boundary-in-content", "json-body-not-structured", "not-expressible"),
    *("limit-exceeded", "payload-too-large"),
}


def test_the_navigation_names_every_page_once() -> None:
    text = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2].partition("\n\n")[0]
    listed = re.findall(r"^ +- (?:[\w ]+: )?([\w/-]+(?:\.md|/))$", text, re.MULTILINE)
    named = site.navigation(listed, list(PAGES()))
    assert sorted(named) == sorted(page for page in PAGES() if not page.startswith("rules/"))


@pytest.mark.parametrize("rule", RULES.values())
def test_a_rule_has_a_page_with_what_is_printed_of_its_fixture(rule: Rule) -> None:
    text = PAGES()[f"rules/{rule.slug}.md"]
    for said in (rule.sentence, rule.remedy, rule.citation):
        assert f"\n\n{said}\n" in text.replace("    ", "")
    printed = re.search(r"^## What is printed\n\n```console\n\$ (.*?)^```$", text, re.M | re.S)
    if printed is None:
        case = rule_pages.case_of(rule)
        assert "dialect_fields" in case or not octets_of(case)
    else:
        is_refused = rule == "json-error-response"
        assert f"[{'capture-not-a-batch' if is_refused else rule.slug}]" in printed[1]


@pytest.mark.parametrize("slug", sorted({*RULES} - NOT_MENDED | {*TOLD}))
def test_a_mended_message_breaks_no_rule(slug: str) -> None:
    case, replaced = rule_pages.case_of(RULES[slug]), TOLD[slug].get("mended", ())
    assert replaced or slug in NOT_MENDED
    if replaced:
        printed = rule_pages.checked(case, rule_pages.mended(octets_of(case), replaced))[1]
        found = set(re.findall(r"^\w+\[([\w-]+)\]", printed, re.MULTILINE))
        assert (
            found <= {"capture-incomplete", "batch-version-missing", "url-outside-root"}
            and "0 errors, 0 warnings" in printed
        )
