"""Header sections as they are written: a batch has few, or few that differ in more than a value."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from odata_batch._model.headers import Headers
from odata_batch._model.limits import Limits, remember
from odata_batch._model.values import Operation, OperationResponse
from odata_batch._wire import grammar
from odata_batch._wire.sections import REFERRING, TELLING

Kind: TypeAlias = tuple[str | int, bool]
"""The method or status of a message, and whether it has a body."""

Message: TypeAlias = Operation | OperationResponse
Judge: TypeAlias = Callable[[Message, Kind, set[Kind]], bool]
"""Tells whether no rule objects to a message; then its kind is sound."""

_Meaning = TypeVar("_Meaning")

# A text that is longer is made anew, so that a table stays small.
_LONGEST = 1024


class Unsettled(Exception):
    """A rule may object to an item, so that each has to be checked."""


Head: TypeAlias = tuple[Headers, str, _Meaning, set[Kind] | None]
"""The fields of one `Headers`, written: the object, so that its `id` stays its own; the text; what
the field means that is watched; and the kinds of messages with such fields that are sound, `None`
if a rule may object to the fields themselves."""


class _Plan(NamedTuple):
    """How fields with these names are written."""

    fill: Callable[[tuple[str, ...]], str]
    """Returns the text, given the values."""
    pick: Callable[[tuple[str, ...]], Any]
    """Returns the values that rules look at."""
    watched: int | None
    """The index of the field that is watched."""
    refers: bool
    """Whether a dollar sign may be a reference."""
    sound: dict[Any, set[Kind]] | None
    """What is sound, by these values; `None` if names are odd or repeated."""


class Heads(Generic[_Meaning]):
    """The header sections of one batch, by the `Headers` object, or else by the names of fields.

    Of the field that is watched, `meanings` has what the value means, and what it means that there
    is none.
    """

    def __init__(self, limits: Limits, watched: str, meanings: dict[str | None, _Meaning]) -> None:
        self.known: dict[int, Head[_Meaning]] = {}
        self._watched = watched
        self._meanings = meanings
        self._longest = min(limits.field_line, limits.header_section)
        self._fields = limits.fields
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def learn(self, headers: Headers) -> Head[_Meaning]:
        """Return what these headers are, written; remember it."""
        pairs = headers.pairs
        # All are pairs.
        names, values = zip(*pairs) if pairs else ((), ())  # noqa: B905  # `strict` is slower by half
        fill, pick, watched, refers, known = self._plans.get(names) or self._plan(names)
        sound = None
        joined = "|".join(values)
        text = fill(values)
        is_plain = joined.isascii() and joined.isprintable() and len(text) <= self._longest
        if " " in joined:
            framed = f"|{joined}|"
            is_plain = is_plain and "| " not in framed and " |" not in framed
        if is_plain and known is not None and not (refers and "$" in joined):
            picked = pick(values)
            sound = known.get(picked)
            if sound is None:
                sound = remember(known, picked, set())
        value = None if watched is None else values[watched]
        if known is None:
            value = headers.get(self._watched)
        head = (headers, text, self._meanings[value], sound)
        return head if len(text) > _LONGEST else remember(self.known, id(headers), head)

    def filler(self, names: tuple[str, ...]) -> Callable[[tuple[str, ...]], str]:
        """Return what makes the text of fields with these names, given their values."""
        return "".join([f"{name}: %s\r\n" for name in names]).__mod__

    def _plan(self, names: tuple[str, ...]) -> _Plan:
        lower = [name.lower() for name in names]
        picked = [index for index, name in enumerate(lower) if name in TELLING]
        # What these two say is compared with the identifier and with the URL.
        is_plain = "content-id" not in lower and "host" not in lower
        is_plain = is_plain and len({*lower}) == len(lower) <= self._fields
        is_plain = is_plain and all(map(grammar.TOKEN.fullmatch, names))
        plan = _Plan(
            self.filler(tuple([name.replace("%", "%%") for name in names])),
            itemgetter(*picked) if picked else _nothing,
            lower.index(self._watched) if self._watched in lower else None,
            not REFERRING.isdisjoint(lower),
            {} if is_plain else None,
        )
        return remember(self._plans, names, plan)


def _nothing(values: tuple[str, ...]) -> None:
    """Return the values of no fields."""
