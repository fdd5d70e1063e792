"""How versions and services differ, as data: a `Dialect` and its presets.

A dialect says what is written, what a service takes, and how severe a rule is; it never changes how
bytes are framed. Pass one to any function that takes `dialect=`; derive another with
`dataclasses.replace`, for all that a preset says can be overridden.

>>> from dataclasses import replace
>>> replace(GRAPH, operations=5).operations
5

Every quirk of a preset names its source and the date of what was read. Where a source is silent the
field keeps its default, and the docstring says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from odata_batch._model.dialect import METHODS
from odata_batch._model.dialect import Dialect as Dialect
from odata_batch._model.findings import Severity


def _severities(*lines: str) -> tuple[tuple[str, Severity], ...]:
    """Return what each line says, a severity and the rules that have it."""
    words = [line.split() for line in lines]
    return tuple((slug, Severity[name.upper()]) for name, *slugs in words for slug in slugs)


ODATA_4_01 = Dialect(name="OData 4.01")
"""OData 4.01, OASIS Standard of April 2020 (JSON Format: May 2020), Part 1, 11.7 and JSON Format,
19; the default everywhere."""

ODATA_4_02 = Dialect(
    name="OData 4.02",
    multipart_version="4.02",
    json_version="4.02",
    severities=_severities("note depends-on-group-missing"),
)
"""OData 4.02, draft of December 2025. JSON Format, 19.1: a service should not insist that dependsOn
lists the group of a foreign member; it is written all the same. That content-type may be missing,
then meaning application/json, is read in every dialect."""

ODATA_4_0 = Dialect(
    name="OData 4.0",
    json_version="4.0",
    ids_per_change_set=True,
    references_stay=True,
    preference_prefix=True,
    severities=_severities(
        "warning content-transfer-encoding-missing reference-across-change-sets",
        "note duplicate-id-across-change-sets",
    ),
)
"""OData 4.0 with errata 03, June 2016, Part 1, 8.2.8.3 and 11.7: preferences have the prefix
`odata.`, `Content-Transfer-Encoding` is wanted in every part, and identifiers are unique within
their change set, where references stay."""

ODATA_2 = Dialect(
    name="OData 2",
    version_header="DataServiceVersion",
    multipart_version="2.0",
    json_version="2.0",
    formats=frozenset(("multipart",)),
    methods=METHODS | {"MERGE"},
    ids_per_change_set=True,
    references_stay=True,
    transactions="required",
    multipart_stops_on_error=False,
    severities=_severities(
        "warning content-transfer-encoding-missing reference-across-change-sets method-tunnel",
        "warning content-length-crosses-delimiter",
        "note write-outside-change-set content-id-missing duplicate-id-across-change-sets",
    ),
)
"""OData 1 to 3, odata.org "Batch Processing (OData Version 3.0)", 2 and 3, and [MS-ODATA] 2.2.7.6:
multipart only, MERGE, identifiers that start anew in every change set and may be missing, no
tunnelling through `X-HTTP-Method`, writes in change sets, and an answer to every part, errors or
not."""


# -- services ------------------------------------------------------------------------------------

GRAPH = Dialect(
    name="Microsoft Graph",
    json_version="4.0",
    formats=frozenset(("json",)),
    operations=20,
    url_forms=frozenset(("path", "relative")),
    paths_from_service_root=True,
    root_segments=frozenset(("v1.0", "beta")),
    references="none",
    ids_ignore_case=True,
    dependencies="uniform",
    continue_on_error=False,
    atomicity_groups=False,
    base64_standard_alphabet=True,
    severities=_severities("error json-content-type-missing", "note response-group"),
)
"""Microsoft Graph, "Combine multiple HTTP requests using JSON batching", February 2025.

- JSON only, 20 requests (Batch size limitations).
- `url` is relative to the version of the service, with a slash or without: `/users`, not
  `https://graph.microsoft.com/v1.0/users` (Creating a batch request); both versions, v1.0 and beta,
  belong to the URL of the batch.
- `id` is not case-sensitive; a repeated one is answered with 400 (same section).
- A body wants a Content-Type (same section). It is a JSON object or base64; set `json_bodies` to
  "base64" to have JSON bodies written so. The page says base64url, while clients read responses in
  the standard alphabet (JavaScript's `atob`); that one is written, and read without complaint.
- Fully sequential or fully parallel (Sequencing requests with the dependsOn property). The SDK for
  JavaScript 3.0, `BatchRequestContent`, also allows that all others depend on the same request.
- `dependsOn` gives an order and no more: the page has no references to results. Nothing stops a
  batch: the page does not mention the preference continue-on-error.
- The page does not mention `atomicityGroup`, and no response in its examples has one; it is
  ignored, and that a response does not repeat it is a note.
- Responses carry `OData-Version: 4.0`, which is what is written.
"""

DATAVERSE = Dialect(
    name="Microsoft Dataverse",
    formats=frozenset(("multipart",)),
    content_length=True,
    operations=1000,
    change_set_operations=1000,
    ids_per_change_set=True,
    references_stay=True,
    preference_prefix=True,
    severities=_severities(
        "note outer-precondition duplicate-id-across-change-sets",
        "warning content-transfer-encoding-missing reference-across-change-sets",
        "note change-set-error-nested",
    ),
)
"""Microsoft Dataverse, "Execute batch operations using the Web API", January 2023; it refers to
OData 4.0, Part 1, 11.7.

- Multipart, with `Content-Transfer-Encoding` in every part; 1000 requests (When to use batch
  requests, Batch requests). A change set of 1001 is refused, too (DynamicsWebApi, pull request 71,
  July 2020).
- `$1` refers to what was created earlier in the same change set (Reference URIs in an operation),
  where identifiers are unique, as in OData 4.0.
- Its examples have `If-None-Match: null` on the batch.
- A change set that failed is answered with a change set that holds one error, with the Content-ID
  of what failed (powerapps-docs, issue 2843, November 2021).
- Content-ID may be missing by that page; in practice a change set without it is refused with
  0x80060888, and a body without Content-Length with 0x80048d19 (dataverse-mcp, release notes of
  1.3.2). Both are written.
- URLs may have 64 KiB, as `Limits.url` has. Whether JSON batches are read is not documented.
"""

AZURE_TABLES = replace(
    ODATA_2,
    name="Azure Tables",
    multipart_version="3.0",
    json_version="3.0",
    operations=100,
    change_sets=1,
    change_set_operations=100,
    payload=4 * 1024 * 1024,
    url_forms=frozenset(("absolute",)),
    references="none",
    ids_per_change_set=False,  # there is one
    references_stay=False,
    transactions="single",
    severities=_severities(
        "warning content-transfer-encoding-missing method-tunnel url-form",
        "note content-id-missing change-set-error-nested line-ends-vary",
    ),
)
"""Azure Tables, "Performing entity group transactions", June 2016, when it said 4 MB, and a later
version without date, which says 4 MiB; OData 3 otherwise.

- One change set in a batch: the first is processed, any other is refused with 400; 100 operations,
  4 MiB; an entity at most once; a query is the only operation of its batch (Requirements for entity
  group transactions, Table Service Support for OData Batch Requests).
- All entities are of one table and one partition (same sections), which is not checked: the keys
  of a new entity are in its body.
- Its examples have absolute URLs, MERGE, `DataServiceVersion: 3.0;`, and a Content-ID, if any, in
  the headers of the operation (Sample Request). That other forms of URL fail is not said, so it is
  a warning here.
- A change set that failed is answered with a change set that holds one error (azure-sdk-for-node,
  pull request 665, March 2013).
- No linking operations (Table Service Support for OData Batch Requests), and nothing on references.
"""

SHAREPOINT = Dialect(
    name="SharePoint",
    formats=frozenset(("multipart",)),
    operations=100,
    references="none",
    transactions="required",
    atomicity_groups=False,
    flat_responses=True,
    multipart_stops_on_error=False,
    severities=_severities(
        "warning write-outside-change-set", "note atomicity-ignored content-id-missing"
    ),
)
"""SharePoint Online and Server since 2016, "Make batch requests with the REST APIs", March 2023; it
refers to OData 3, "Batch Processing".

- Multipart; a part is a read or a change set, and all URLs are of one site (Executive summary).
- Change sets are not transactional: if an operation fails, the others still complete (same
  section). Its examples have no Content-ID. Responses come one after the other, not as change sets:
  the parser of PnPjs knows no delimiter but `--batchresponse_`.
- 100 requests (PnP Core SDK, issue 284, January 2021; PnPjs, issue 3207, February 2025).
- One request cannot use the result of another (sp-dev-docs, issue 4789, October 2019).
- Its examples have absolute URLs; other forms are not ruled out. Nothing is said of the version.
"""

SAP_GATEWAY = replace(
    ODATA_2,
    name="SAP Gateway",
    content_length=True,
    change_set_operations=1,
    references_stay=False,
    severities=_severities(
        "warning content-transfer-encoding-missing method-tunnel content-length-crosses-delimiter",
        "note change-set-too-large content-id-missing duplicate-id-across-change-sets",
    ),
)
"""SAP Gateway, OData 2: "$batch Processing" of SAP Gateway 2.0 SPS 12, without date.

- Multipart; a batch is a series of reads and change sets (Batch Request), so a write is in a
  change set; reads do not.
- By default a change set has one operation; a service that sets its deferred mode takes more
  ("Odata $batch processing part 2", SAP Community, August 2020). Which one it does is not seen from
  here, so more than one is a note.
- Content-ID is optional and often among the headers of the operation; the example for OData 2 in
  "Content ID Referencing" (SAP BTP, ABAP) has a GET after the change set refer to it.
- Examples of SAP's give every body its Content-Length, which is written, too.
- OData 4 services of SAP Gateway follow the standard: `ODATA_4_0`, and Content-ID is mandatory in
  change sets, as it is written anyway.
"""

SAP_BUSINESS_ONE = Dialect(
    name="SAP Business One",
    formats=frozenset(("multipart",)),
    references="rooted",
    severities=_severities(
        "error content-id-missing",
        "warning content-transfer-encoding-missing content-length-crosses-delimiter",
    ),
)
"""SAP Business One Service Layer, "Working with SAP Business One Service Layer", version 1.26,
February 2024, Batch Operations.

- Multipart, with `Content-Transfer-Encoding: binary` in every part; a change set has neither GET
  nor change sets.
- Content-ID is mandatory in change sets for OData 4 (`/b1s/v2`), optional for OData 3 (`/b1s/v1`).
- A reference may follow the service root, as `/b1s/v1/$1`.
- The batch stops at the first error. Limits are not given.
- Its examples write methods in lower case and leave the HTTP version out; both are read.
"""

SAP_CAP = Dialect(
    name="SAP CAP",
    paths_from_service_root=True,
    preference_prefix=True,
    json_bodies="structured",
    severities=_severities(
        "error json-no-requests group-split",
        "warning content-length-crosses-delimiter",
        "note depends-on-group-missing reference-dependency-missing",
    ),
)
"""SAP Cloud Application Programming Model for Node.js: what the OData adapter of @sap/cds 9.9.3,
September 2026, does.

- Both formats. In JSON batches a body is an object or an array, anything else is answered with
  400; so are a batch without requests and a group whose members are apart.
- `/Books` means `Books`.
- Only `odata.continue-on-error` is looked for; multipart stops at an error, JSON goes on.
- What dependsOn lacks is added: what the URL refers to, and the groups of foreign members. An
  operation without Content-Type has that of the batch.
- `cds.odata.batch_limit` sets how many requests it takes; by default there is no limit.
"""

BUSINESS_CENTRAL = Dialect(
    name="Business Central",
    operations=100,
    json_stops_on_error=True,
    json_responses_in_order=True,
    snapshot_is_atomic=True,
)
"""Dynamics 365 Business Central.

- 100 operations ("Work with API limits", training module, without date; the error speaks of 100
  query operations and change sets: S. Demiliani, "Batch API calls and max number of operations",
  January 2021).
- Without the preference the batch stops at the first error, in JSON, too (A. J. Kauffmann, "Batch
  calls with Business Central (2) - Error handling", before January 2021).
- With `Isolation: snapshot` on the batch it is one transaction as a whole ("Using OData
  transactional $batch requests", version 17.1 and later). The header is the caller's to send, and
  to tell `match`; whether atomicity groups are honoured is not documented.
- Its examples are in JSON, and some leave `id` out, so that only their order tells responses apart;
  nothing rules multipart out.
"""

PRESETS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {
        "2": ODATA_2,
        "4.0": ODATA_4_0,
        "4.01": ODATA_4_01,
        "4.02": ODATA_4_02,
        "graph": GRAPH,
        "dataverse": DATAVERSE,
        "azure-tables": AZURE_TABLES,
        "sharepoint": SHAREPOINT,
        "sap-gateway": SAP_GATEWAY,
        "sap-business-one": SAP_BUSINESS_ONE,
        "sap-cap": SAP_CAP,
        "business-central": BUSINESS_CENTRAL,
    }
)
"""The presets by the names that the command line takes."""

for _name, _value in tuple(globals().items()):
    if isinstance(_value, Dialect):
        object.__setattr__(_value, "preset", _name)


def check_dialect(dialect: object) -> None:
    """Raise `TypeError` for what is no `Dialect`; for the name of a preset, it says what to import.

    >>> check_dialect("graph")
    Traceback (most recent call last):
    TypeError: dialect is a Dialect, not 'graph': from odata_batch.dialects import GRAPH
    """
    if isinstance(dialect, Dialect):
        return
    name = str(dialect).lower().replace("_", "-")
    names = {key: value.preset for key, value in PRESETS.items()}
    names |= {str(value).lower().replace("_", "-"): value for value in names.values()}
    mend = f"from odata_batch.dialects import {names.get(name, 'ODATA_4_01')}"
    raise TypeError(f"dialect is a Dialect, not {dialect!r:.60}: {mend}")
