"""The settings that checks are applied under, and how they report what they find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, Protocol, TypeAlias, TypeVar

from odata_batch._model.dialect import Dialect
from odata_batch._model.findings import Reporter, Rule
from odata_batch._model.limits import Limits, check_sizes, exceed
from odata_batch._model.values import Format

_Contra = TypeVar("_Contra", contravariant=True)


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

    def exceed(self, limit: str, position: int | None) -> NoReturn:
        """Report that `limit` is exceeded at `position`; nothing is checked after it."""
        exceed(self.report, self.limits, limit, position)

    def check_sizes(self, sizes: Mapping[str, int], position: int | None) -> None:
        """Report the first limit that is exceeded, given sizes by the names of limits."""
        check_sizes(self.report, self.limits, sizes, position)


class Rules(Protocol[_Contra]):
    """The interface of the rules for decoding and encoding, in both roles."""

    forgets: bool
    """Whether no more is kept of an item than what may be said of others needs."""

    def take(self, items: Sequence[_Contra], index: int) -> bool:
        """Take items if no rule can object to them; otherwise each has to be checked."""

    def check(self, item: _Contra, index: int) -> None:
        """Check an item, whose index is given."""

    def check_body(self, item: Any, indexes: tuple[int, ...]) -> None:
        """Check the body of a message that was checked without it."""

    @property
    def needs_bodies(self) -> bool:
        """Whether a message cannot be checked without its body, because of what is in it."""

    def finish(self) -> None:
        """Check what needs the whole batch."""


def path_of(indexes: Sequence[int]) -> str:
    """Return the path of the item with these indexes, as in `items[2].items[0]`."""
    return ".".join([f"items[{index}]" for index in indexes])
