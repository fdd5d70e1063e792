"""How to put right what breaks a rule."""

from __future__ import annotations

import pytest

from odata_batch import Rule


@pytest.mark.parametrize("rule", Rule)
def test_a_remedy_is_one_sentence(rule: Rule) -> None:
    remedy = rule.remedy
    assert remedy[0].isupper() and remedy[-1] == "." and remedy.isprintable()
    assert remedy.isascii() and "  " not in remedy and len(remedy) <= 120
