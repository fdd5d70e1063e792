"""How large a message may be: one value, on by default, each number with its precedent.

Where a limit is exceeded, parsers call `exceed`, which reports and never returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from odata_batch._model.findings import (
    LIMIT_EXCEEDED,
    Diagnostic,
    Reporter,
    excess,
    of_type,
    public,
    stop,
)

DEEPEST = 32
"""How deep change sets nest at most: each level takes a few frames of the interpreter's stack."""
_AS_OPERATIONS: Any = None


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what is read and written; what exceeds one raises `LimitExceeded`.

    A limit is the largest number that is still allowed. Encoding respects the same limits, so that
    what is written can be read back. They hold where a decoder streams, too, whose memory depends
    on neither `message` nor `body`: raise these for it as far as you like. Change one with
    `dataclasses.replace` or by keyword:

    >>> Limits(operations=20).operations
    20
    """

    message: int = 64 * 1024 * 1024
    """Bytes of the whole payload. Between Azure Tables' 4 MiB and Dataverse's 128 MiB requests."""
    operations: int = 10_000
    """Operations in a batch; change sets are not counted, but there may not be more of them either.
    Dataverse allows 1000, Microsoft Graph 20."""
    items: int = _AS_OPERATIONS
    """Items of a batch: operations and change sets at its top level, by default as many as
    operations. Quotas of services may count these parts, as in eight of them with at most five
    operations in a change set."""
    change_set_operations: int = 1000
    """Operations in one change set, wrappers not counted; the default of Microsoft's library."""
    change_set_depth: int = 1
    """How deep change sets nest; 32 at most. OData allows no change set in a change set."""
    boundary: int = 70
    """Characters of a boundary: RFC 2046, 5.1.1."""
    url: int = 64 * 1024
    """Bytes of a URL: Dataverse documents 64 KiB for a URL within a batch."""
    field_line: int = 64 * 1024
    """Bytes of one field line, unfolded: Apache httpd takes 8 KiB, Node 16 KiB for a section."""
    fields: int = 64
    """Field lines in one header section: Python's own http.client allows 100."""
    header_section: int = 128 * 1024
    """Bytes of one header section, its start line not counted: twice the longest field line."""
    headers_total: int = 4 * 1024 * 1024
    """Bytes of all header sections of a message: 400 for each of 10 000 operations."""
    body: int = 16 * 1024 * 1024
    """Bytes of the body of one operation."""
    preamble: int = 64 * 1024
    """Bytes before the first delimiter line."""
    epilogue: int = 64 * 1024
    """Bytes after the line of the close delimiter."""
    transport_padding: int = 256
    """Spaces and tabs after the boundary on a delimiter line."""
    json_depth: int = 100
    """Arrays and objects within each other, the envelope counted: RFC 8259, 9 leaves it open."""
    annotations: int = 1000
    """Annotations of a JSON batch or of one of its items: members that the standard lacks, which
    has eight at most. Those within bodies are not counted."""
    id: int = 256
    """Characters of a request identifier or of a group's name."""
    depends_on: int = 10_000
    """Entries of all dependsOn arrays of a batch."""
    diagnostics: int = 100
    """Findings that are recorded one by one; more are counted, and nothing is raised. The first
    error is recorded in any case, and so is the one at which reading stops."""

    def __post_init__(self) -> None:
        if self.items is _AS_OPERATIONS:
            object.__setattr__(self, "items", self.operations)
        for field in fields(self):
            value = of_type(getattr(self, field.name), int, f"limit {field.name}")
            if value < 0:
                raise ValueError(f"limit {field.name} is not negative: {value}")
        if self.change_set_depth > DEEPEST:
            raise ValueError(f"limit change_set_depth is at most {DEEPEST}")


def shortest(limits: Limits) -> int:
    """Return how long a part is of which nothing can be too long."""
    return min(limits.header_section, limits.url, limits.field_line, limits.body)


DEFAULT_LIMITS = Limits()


def exceed(report: Reporter, limits: Limits, limit: str, position: int | None) -> NoReturn:
    """Report that `limit`, a field of `Limits`, is exceeded at `position`."""
    value: int = getattr(limits, limit)
    found = Diagnostic(LIMIT_EXCEEDED, excess(limit, value), position, limit=(limit, value))
    stop(report, found)


def check_sizes(
    report: Reporter, limits: Limits, sizes: Mapping[str, int], position: int | None = None
) -> None:
    """Report the first limit that is exceeded, given sizes by the names of limits."""
    for limit, size in sizes.items():
        if size > getattr(limits, limit):
            exceed(report, limits, limit, position)
