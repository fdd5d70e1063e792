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

from odata_batch._model import dialect as model
from odata_batch._model.dialect import Dialect as Dialect
from odata_batch._model.findings import Severity


def _severities(*lines: str) -> tuple[tuple[str, Severity], ...]:
    """Return the rules of each line with their severity, which comes first."""
    words = [line.split() for line in lines]
    return tuple((slug, Severity[name.upper()]) for name, *slugs in words for slug in slugs)


ODATA_4_01 = model.ODATA_4_01
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
    conditions=False,
    preference_prefix=True,
    severities=_severities(
        "warning content-transfer-encoding-missing reference-across-change-sets",
        "warning condition-not-supported",
        "note duplicate-id-across-change-sets",
    ),
)
"""OData 4.0 with errata 03, June 2016, Part 1, 8.2.8.3 and 11.7: preferences have the prefix
`odata.`, `Content-Transfer-Encoding` is wanted in every part, and identifiers are unique within
their change set, where references stay. JSON batches are of 4.01; where they are used all the same,
the member `if` is not known."""

ODATA_2 = Dialect(
    name="OData 2",
    version_header="DataServiceVersion",
    multipart_version="2.0",
    json_version="2.0",
    formats=frozenset(("multipart",)),
    methods=model.METHODS | {"MERGE"},
    ids_per_change_set=True,
    references_stay=True,
    transactions="required",
    multipart_stops_on_error=False,
    preferences=False,
    severities=_severities(
        "warning content-transfer-encoding-missing reference-across-change-sets method-tunnel",
        "warning content-length-crosses-delimiter",
        "note write-outside-change-set content-id-missing duplicate-id-across-change-sets",
    ),
)
"""OData 1 to 3, odata.org "Batch Processing (OData Version 3.0)", 2 and 3, and [MS-ODATA] 2.2.7.6:
multipart only, MERGE, identifiers that start anew in every change set and may be missing, no
tunnelling through `X-HTTP-Method`, writes in change sets, and an answer to every part, errors or
not. There is no preference that would stop a batch. Clients copy Content-Length from documentation,
so that one that is too large is a warning."""


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
    conditions=False,
    empty_writes=False,
    dependencies="uniform",
    continue_on_error=False,
    atomicity_groups=False,
    json_bodies="objects",
    base64_standard_alphabet=True,
    severities=_severities(
        "error json-content-type-missing",
        "warning json-no-requests json-body-not-structured",
        "note response-group id-syntax url-white-space url-characters",
    ),
    silent=frozenset(("json-header-case", "url-colon")),
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
  JavaScript 3.0, `BatchRequestContent`, also allows that all others depend on the same request, and
  says that each can depend on a single other one.
- `dependsOn` gives an order and no more: the page has no references to results. Nothing stops a
  batch: the page does not mention the preference continue-on-error.
- The page does not mention `atomicityGroup`, and no response in its examples has one; it is
  ignored, and that a response does not repeat it is a note.
- Responses carry `OData-Version: 4.0`, which is what is written.
- What its own clients send is read with a note or without: identifiers such as mail addresses,
  white space and umlauts in URLs, header names in any case, colons as in `root:/path:/content`
  (Microsoft Graph SDK for JavaScript 3.0; PnPjs, issue 1085, February 2020).
- A body that is JSON spelt in a string, a batch without requests and a write without a body are
  answered with 400; a condition `if` is not known.
"""

ASPNET = Dialect(
    name="ASP.NET Core OData",
    dollar_segments=False,
    depends_on_members=False,
    conditions=False,
    repeated_fields=False,
    json_stops_on_error=True,
    may_go_on=True,
    json_bodies="objects",
    base64_standard_alphabet=True,
    severities=_severities(
        "error method-unknown get-in-change-set content-id-missing header-folded",
        "error content-transfer-encoding-missing reason-missing reason-empty header-not-ascii",
        "error empty-line-missing json-no-requests json-unknown-member json-duplicate-other-member",
        "error json-member-misspelt url-outside-root url-other-host",
        "error json-method-unknown part-header-folded",
    ),
)
"""ASP.NET Core OData and what it reads with, "OData.Core" 7.22 (2024, `OData/odata.net`); clients
that read with OData.Core need the same. The files are named in docs/other-implementations.md.

- A delimiter may be anywhere in a line, and a Content-Length is trusted
  (`ODataBatchReaderStreamBuffer`, `ODataBatchUtils`): what would be read otherwise is an error in
  every dialect. It wants an empty line after each header section, fields in US-ASCII that are not
  folded, none of them twice, a reason phrase, and no parameter such as msgtype, which is not
  written.
- A change set has identifiers and no GET; methods are GET, DELETE, PATCH, POST and PUT.
- A URL that begins with a dollar sign is a reference to what dependsOn names, so that `$metadata`
  is written `./$metadata` (`ODataBatchUtils.ValidateReferenceUri`).
- What depends on a member of another group names the group alone, each member of a group has
  headers, bodies are objects or base64, and no other members are known, `if` included
  (`ODataJsonBatchReader`, `ODataJsonBatchPayloadItemPropertiesCache`).
- By default a batch goes on after an error; with `EnableContinueOnErrorHeader` it stops unless the
  preference is there, whatever its value, in JSON, too (`ODataBatchHandler.SetContinueOnError`). So
  an answer may end at an error or not.
- URLs of another authority or outside of the service root refuse the batch, which is not checked:
  where the service is, nobody says here.
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
        "error empty-line-missing",
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
- A message without its empty line is refused, "the message header '--batch' is invalid"; that it
  is the line end of the delimiter is fine (xrm-webapi, pull request 24, September 2018).
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
    url_forms=frozenset(("absolute", "path")),
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
- All entities are of one table and one partition (same sections).
- Its examples have absolute URLs, MERGE, `DataServiceVersion: 3.0;`, and a Content-ID, if any, in
  the headers of the operation (Sample Request); recorded requests have paths, too. That relative
  URLs fail is not said, so it is a warning here.
- Cosmos DB for Table ends the lines of change sets in LF, and those within in CRLF (recorded).
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
        "warning write-outside-change-set url-outside-root",
        "note atomicity-ignored content-id-missing",
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
    url_forms=frozenset(("path", "relative")),
    references_stay=False,
    severities=_severities(
        "warning content-transfer-encoding-missing method-tunnel content-length-crosses-delimiter",
        "note change-set-too-large content-id-missing duplicate-id-across-change-sets url-form",
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
- The Gateway takes absolute URLs; some services of SAP, such as Cloud for Customer, understand
  relative ones only (SAP Cloud SDK for JavaScript, "Configure serialization"): a note.
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
        "error json-no-requests group-not-adjacent",
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

SAP_V2_ADAPTER = replace(
    ODATA_2,
    name="SAP OData V2 Adapter",
    multipart_stops_on_error=True,
    preferences=True,
    preference_prefix=True,
)
"""OData 2 on SAP CAP: what @cap-js-community/odata-v2-adapter 1.15.10, September 2026, does.

- It rewrites each request for the OData 4 service of CAP and hands the batch on, so that a batch
  stops at its first error, as there; `Prefer: odata.continue-on-error` is handed on, too, and an
  option sets it for all.
- Lines end in CRLF, and the boundary is the text after `boundary=`, quotes included.
- A Content-Length is replaced by the right one where the body was rewritten.
"""

BUSINESS_CENTRAL = Dialect(
    name="Business Central",
    operations=100,
    json_stops_on_error=True,
    json_responses_in_order=True,
    snapshot_is_atomic=True,
    severities=_severities("note json-id-missing"),
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
        "aspnet": ASPNET,
        "dataverse": DATAVERSE,
        "azure-tables": AZURE_TABLES,
        "sharepoint": SHAREPOINT,
        "sap-gateway": SAP_GATEWAY,
        "sap-business-one": SAP_BUSINESS_ONE,
        "sap-cap": SAP_CAP,
        "sap-v2-adapter": SAP_V2_ADAPTER,
        "business-central": BUSINESS_CENTRAL,
    }
)
"""The presets by the names that the command line takes."""

for _name, _value in tuple(globals().items()):
    if isinstance(_value, Dialect):
        object.__setattr__(_value, "preset", _name)


def check_dialect(dialect: object) -> None:
    """Raise `TypeError` for what is no `Dialect`, and say what was meant by the name of a preset.

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
    if name in ("json", "multipart"):
        mend = f'format="{name}"'
    raise TypeError(f"dialect is a Dialect, not {dialect!r:.60}: {mend}")
