"""What is said once and holds for every call: dialect, format, limits, strictness."""

from __future__ import annotations

from dataclasses import dataclass

from odata_batch._model.dialect import Dialect, Format, check_format
from odata_batch._model.limits import DEFAULT_LIMITS, Limits
from odata_batch._model.values import BatchRequest, BatchResponse
from odata_batch.dialects import ODATA_4_01, check_dialect


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a call or of a `Codec`; what cannot be one is refused when they are made."""

    dialect: Dialect = ODATA_4_01
    format: Format | None = None
    limits: Limits = DEFAULT_LIMITS
    strict: bool = False

    def __post_init__(self) -> None:
        check_dialect(self.dialect)
        if self.format is not None:
            check_format(self.format)
        if not isinstance(self.limits, Limits):
            raise TypeError(f"limits is a Limits, not {type(self.limits).__name__}")

    def format_of(self, batch: BatchRequest | BatchResponse | None) -> Format:
        """Return the format of a batch that is written, or of the request that was sent.

        It is the one that is known, or else multipart.
        """
        return self.known_format(batch) or "multipart"

    def known_format(self, batch: BatchRequest | BatchResponse | None) -> Format | None:
        """Return the format that something says, `None` if nothing does.

        In this order: the one that was said; the only one that the dialect speaks; the one in which
        the batch was read.
        """
        if self.format is not None:
            return self.format
        if len(self.dialect.formats) == 1:
            return next(iter(self.dialect.formats))
        # A wrong type is refused by who works with it.
        read: Format | None = getattr(batch, "format", None)
        return read
