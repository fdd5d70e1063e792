"""The settings of a call or a `Codec`: dialect, format, limits, strictness."""

from dataclasses import dataclass, field

from odata_batch._checks.scope import Check, Kind
from odata_batch._model.findings import of_type
from odata_batch._model.limits import DEFAULT_LIMITS, Limits, is_full
from odata_batch._model.values import BatchRequest, BatchResponse, Format, check_format
from odata_batch._wire import parthead
from odata_batch.dialects import ODATA_4_01, Dialect, check_dialect


class Tables:
    """What has been learned while settings held; a copy, a pickle and a replacement begin anew.

    Threads may share them: an entry is one assignment of what never changes, and a table that is
    full is put aside for a new one before the next payload is read.
    """

    def __init__(self) -> None:
        self._of_multipart: dict[str, parthead.Known] = {}
        self._sound: dict[tuple[str, Format], dict[Kind, tuple[Check, ...]]] = {}

    def clear(self) -> None:
        """Forget all that has been learned."""
        self._of_multipart.clear()
        self._sound.clear()

    def of_multipart(self, role_name: str, limits: Limits) -> parthead.Known:
        """Return what is known of the header sections of batches in one role."""
        known = self._of_multipart.get(role_name)
        if known is None or known.is_full:
            known = self._of_multipart[role_name] = parthead.Known(limits)
        return known

    def sound(self, role_name: str, format: Format) -> dict[Kind, tuple[Check, ...]]:
        """Return what is known of the kinds of messages that are read, see `Scope`."""
        sound = self._sound.get((role_name, format))
        if sound is None or is_full(sound):
            sound = self._sound[role_name, format] = {}
        return sound


# Without `from __future__ import annotations`: these are the fields of `Codec`, see `public`.
@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a call or of a `Codec`; wrong types are refused when they are made."""

    dialect: Dialect = ODATA_4_01
    """The version or service whose rules hold."""
    format: Format | None = field(default=None, kw_only=True)
    """The format of what is written; `None` where dialect and value decide."""
    limits: Limits = field(default=DEFAULT_LIMITS, kw_only=True)
    """The limits on what is read and written."""
    strict: bool = field(default=False, kw_only=True)
    """Whether warnings raise in decoding."""
    _tables: Tables = field(init=False, default_factory=Tables, compare=False)
    """What has been learned so far."""

    def __post_init__(self) -> None:
        check_dialect(self.dialect)
        if self.format is not None:
            check_format(self.format)
        of_type(self.limits, Limits, "limits")
        of_type(self.strict, bool, "strict")


def known_format(settings: Settings, batch: BatchRequest | BatchResponse) -> Format | None:
    """Return the format that is known, `None` if none is.

    In this order: the one that was given; the only one that the dialect supports; the one in which
    the batch was read.
    """
    if settings.format is not None:
        return settings.format
    if len(settings.dialect.formats) == 1:
        return next(iter(settings.dialect.formats))
    # A wrong type is refused by the function that uses it.
    read: Format | None = getattr(batch, "format", None)
    return read


def format_of(settings: Settings, batch: BatchRequest | BatchResponse) -> Format:
    """Return the format of a batch that is written, or of the request that was sent."""
    return known_format(settings, batch) or "multipart"
