"""What the checks are applied under, and how they say what they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import Reporter, Rule
from odata_batch._model.limits import Limits


class Say(Protocol):
    """Reports a rule and a message about the item at hand."""

    def __call__(self, rule: Rule, message: str, member: str = "", /) -> None:
        """Report it of a member, such as `url` or `headers.prefer`; else of the rule's own."""


Spot: TypeAlias = tuple[int | None, int]
"""A position in the payload, if there is one, and how many octets are meant."""

Locate: TypeAlias = Callable[[int | None, str], Spot]
"""Returns where a member is of the item at a position."""


Kind: TypeAlias = tuple[str | int, bool, object]
"""Of a message: its method or status, whether it has no body, and the marks of its fields."""

Check: TypeAlias = Callable[[Any, "Scope", Say], None]
"""Reports what is wrong with a message; which class it has, each check says."""


@dataclass(slots=True)
class Scope:
    """What the rules are applied under."""

    format: Format
    dialect: Dialect
    limits: Limits
    report: Reporter
    origin: Literal["read", "made", "written"] = "read"
    """Whether the items were read from a payload, made by somebody, or are to be written."""
    sound: dict[Kind, tuple[Check, ...]] = field(default_factory=dict)
    """The kinds of messages to which no check objects, and the checks that are asked of each."""
    locate: Locate = field(default=lambda position, member: (position, 0))
