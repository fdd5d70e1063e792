"""The catalogue: a constant for each rule, and `RULES`, which finds one by its slug.

>>> from odata_batch import rules
>>> rules.RULES["no-delimiter"] is rules.NO_DELIMITER
True
>>> rules.NO_DELIMITER.remedy
'Make the delimiter lines and the boundary parameter agree, letter by letter.'

A rule is declared in the module that checks it; here they are collected.
"""

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Every module that declares a rule is loaded with it, so that `_declared` sees all.
import odata_batch.capture  # noqa: F401  # for what it loads
from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Rule


def _declared() -> dict[str, Rule]:
    loaded = [module for name, module in sys.modules.items() if name.startswith("odata_batch.")]
    return {
        each: each for module in loaded for each in vars(module).values() if isinstance(each, Rule)
    }


RULES: Final[Mapping[str, Rule]] = MappingProxyType(dict(sorted(_declared().items())))
"""Every rule of this library, by its slug, in alphabetical order."""


def unknown(dialect: Dialect) -> frozenset[str]:
    """Return the slugs in `dialect.severities` that no rule has: most often, typing errors.

    >>> from odata_batch import Severity, rules
    >>> sorted(unknown(Dialect(name="mine", severities=(("no-partz", Severity.NOTE),))))
    ['no-partz']
    """
    return frozenset(rule for rule, _ in dialect.severities if rule not in RULES)


def __getattr__(name: str) -> Rule:
    rule = RULES.get(name.lower().replace("_", "-"))
    if rule is None or not name.isupper():
        raise AttributeError(f"module {__name__!r} has no rule {name!r}")
    return rule


def __dir__() -> list[str]:
    return [*globals(), *(slug.upper().replace("-", "_") for slug in RULES)]
