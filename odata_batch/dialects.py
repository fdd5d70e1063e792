"""How versions and services differ, as data: a `Dialect` and its presets.

A dialect says what is written and how severe a rule is; it never changes how bytes are framed.
Pass one to any function that takes `dialect=`; derive another with `dataclasses.replace`.

>>> from dataclasses import replace
>>> replace(ODATA_4_01, base64_padding=False).name
'OData 4.01'
"""

from __future__ import annotations

from dataclasses import dataclass

from odata_batch._diagnostics import Rule, Severity

_HTTP_ONLY_OUTSIDE = frozenset(
    ("authorization", "proxy-authorization", "expect", "from", "max-forwards", "range", "te")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a version of OData, or a service, writes and wants; frozen data, compared by value."""

    name: str
    """The name for people, as reports print it."""
    version_header: str = "OData-Version"
    """The field in which the outer message says its version."""
    multipart_version: str = "4.0"
    """Its value on multipart batches, which are defined since 4.0."""
    json_version: str = "4.01"
    """Its value on JSON batches, which are defined since 4.01."""
    methods: frozenset[str] = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
    """The methods that raise no diagnostic."""
    forbidden_headers: frozenset[str] = _HTTP_ONLY_OUTSIDE
    """Names, in lower case, that an operation may not have."""
    content_length: bool = False
    """Whether encoding writes a Content-Length into every message that has a body."""
    base64_standard_alphabet: bool = False
    """Whether binary bodies are written with + and / in place of - and _."""
    base64_padding: bool = True
    """Whether binary bodies are written with = at the end."""
    severities: tuple[tuple[Rule, Severity], ...] = ()
    """Rules whose severity differs from the catalogue's."""


ODATA_4_01 = Dialect(name="OData 4.01")
"""OData 4.01, OASIS Standard, Part 1, 11.7 and JSON Format, 19; the default everywhere."""

ODATA_4_0 = Dialect(
    name="OData 4.0",
    json_version="4.0",
    severities=(
        (Rule.CONTENT_TRANSFER_ENCODING_MISSING, Severity.WARNING),
        (Rule.REFERENCE_ACROSS_CHANGE_SETS, Severity.WARNING),
    ),
)
"""OData 4.0 with errata 03, Part 1, 11.7: `Content-Transfer-Encoding` is wanted in every part, and
references stay within their change set."""

ODATA_2 = Dialect(
    name="OData 2",
    version_header="DataServiceVersion",
    multipart_version="2.0",
    json_version="2.0",
    methods=frozenset(("GET", "POST", "PUT", "PATCH", "MERGE", "DELETE")),
    severities=(
        (Rule.CONTENT_TRANSFER_ENCODING_MISSING, Severity.WARNING),
        (Rule.REFERENCE_ACROSS_CHANGE_SETS, Severity.WARNING),
        (Rule.METHOD_TUNNEL, Severity.WARNING),
        (Rule.CONTENT_ID_MISSING, Severity.NOTE),
        (Rule.DUPLICATE_ID_ACROSS_CHANGE_SETS, Severity.NOTE),
    ),
)
"""OData 1 to 3, odata.org "Batch Processing" and [MS-ODATA] 2.2.7.6: MERGE, identifiers that start
anew in every change set and may be missing, no tunnelling through `X-HTTP-Method`."""
