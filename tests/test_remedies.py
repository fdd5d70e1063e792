"""How to put right what breaks a rule."""

from __future__ import annotations

import pytest

from odata_batch import Rule
from odata_batch._cli.remedies import REMEDIES


def test_every_rule_has_a_remedy() -> None:
    assert [rule.name for rule in Rule if rule not in REMEDIES] == []


@pytest.mark.parametrize("rule", REMEDIES)
def test_a_remedy_is_one_sentence(rule: Rule) -> None:
    remedy = REMEDIES[rule]
    assert remedy[0].isupper() and remedy[-1] == "." and remedy.isprintable()
    assert remedy.isascii() and "  " not in remedy and len(remedy) <= 120


def test_remedies_stand_in_the_order_of_the_catalogue() -> None:
    assert list(REMEDIES) == [rule for rule in Rule if rule in REMEDIES]
