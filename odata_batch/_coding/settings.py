"""What is said once and holds for every call: dialect, format, limits, strictness."""

from dataclasses import dataclass, field

from odata_batch._model.dialect import Dialect, Format, check_format
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.values import BatchRequest, BatchResponse
from odata_batch.dialects import ODATA_4_01, check_dialect


# Without `from __future__ import annotations`: these are the fields of `Codec`, see `public`.
@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a call or of a `Codec`; what cannot be one is refused when they are made."""

    dialect: Dialect = ODATA_4_01
    """The version or service whose rules hold."""
    format: Format | None = field(default=None, kw_only=True)
    """The format of what is written; `None` where dialect and value decide."""
    limits: Limits = field(default=DEFAULT_LIMITS, kw_only=True)
    """The limits on what is read and written."""
    strict: bool = field(default=False, kw_only=True)
    """Whether warnings raise in decoding."""

    def __post_init__(self) -> None:
        check_dialect(self.dialect)
        if self.format is not None:
            check_format(self.format)
        if not isinstance(self.limits, Limits):
            raise TypeError(f"limits is a Limits, not {type(self.limits).__name__}")


def known_format(settings: Settings, batch: BatchRequest | BatchResponse) -> Format | None:
    """Return the format that something says, `None` if nothing does.

    In this order: the one that was said; the only one that the dialect speaks; the one in which the
    batch was read.
    """
    if settings.format is not None:
        return settings.format
    if len(settings.dialect.formats) == 1:
        return next(iter(settings.dialect.formats))
    # A wrong type is refused by who works with it.
    read: Format | None = getattr(batch, "format", None)
    return read


def format_of(settings: Settings, batch: BatchRequest | BatchResponse) -> Format:
    """Return the format of a batch that is written, or of the request that was sent."""
    return known_format(settings, batch) or "multipart"
