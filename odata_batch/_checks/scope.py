"""The settings that checks are applied under, and how they report what they find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.findings import Reporter, Rule
from odata_batch._model.limits import Limits


class Say(Protocol):
    """Reports a rule and a message about the current item."""

    def __call__(self, rule: Rule, message: str, member: str = "", /) -> None:
        """Report it at a member, such as `url` or `headers.prefer`; else at that of the rule."""


Spot: TypeAlias = tuple[int | None, int]
"""A position in the payload, if there is one, and how many octets are meant."""

Locate: TypeAlias = Callable[[int | None, str], Spot]
"""Returns the place of a member of the item at a position."""


Kind: TypeAlias = tuple[str | int, bool, object]
"""Of a message: its method or status, whether it has no body, and the marks of its fields."""

Check: TypeAlias = Callable[[Any, "Scope", Say], None]
"""Reports what is wrong with a message; each check says of which class."""


@dataclass(slots=True)
class Scope:
    """The settings under which the rules are applied."""

    format: Format
    dialect: Dialect
    limits: Limits
    report: Reporter
    origin: Literal["read", "made", "written"]
    """Whether the items were read from a payload, made by the caller, or are to be written."""
    sound: dict[Kind, tuple[Check, ...]] = field(default_factory=dict)
    """The kinds of messages to which no check objects, and the checks that are applied to each."""
    locate: Locate = field(default=lambda position, member: (position, 0))
