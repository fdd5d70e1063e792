"""How versions and services differ, as one value: `Dialect`."""

from dataclasses import MISSING, dataclass, field, fields
from typing import Literal, get_args

from odata_batch._model.findings import Severity, of_type, public

_HTTP_ONLY_OUTSIDE = frozenset(
    ("authorization", "proxy-authorization", "expect", "from", "max-forwards", "range", "te")
)
METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a version of OData, or a service, writes and takes; frozen data, compared by value.

    A field of a wrong type is `TypeError`, a word that it does not know `ValueError`.

    >>> from dataclasses import replace
    >>> from odata_batch.dialects import GRAPH
    >>> replace(GRAPH, name="our proxy of Graph", operations=5).formats
    frozenset({'json'})
    """

    name: str
    """The name for people, as reports print it."""
    version_header: str = "OData-Version"
    """The field in which the outer message says its version."""
    multipart_version: str = "4.0"
    """Its value on multipart batches, which are defined since 4.0."""
    json_version: str = "4.01"
    """Its value on JSON batches, which are defined since 4.01."""
    formats: frozenset[Literal["multipart", "json"]] = frozenset(("multipart", "json"))
    """The formats that are supported."""
    methods: frozenset[str] = METHODS
    """The methods that raise no diagnostic."""
    forbidden_headers: frozenset[str] = _HTTP_ONLY_OUTSIDE
    """Names, in lower case, that an operation may not have."""
    content_length: bool = False
    """Whether encoding writes a Content-Length into every message that has a body."""
    operations: int | None = None
    """How many operations one batch may have, those in change sets included; `None` if unknown."""
    change_sets: int | None = None
    """How many change sets one batch may have; `None` if unknown."""
    change_set_operations: int | None = None
    """How many operations one change set may have; `None` if unknown."""
    payload: int | None = None
    """How many octets the body of a batch may have; `None` if unknown."""
    url_forms: frozenset[Literal["absolute", "path", "relative"]] = frozenset(
        ("absolute", "path", "relative")
    )
    """The forms of URL that are understood: `http://host/service/People`, `/service/People` and
    `People`."""
    paths_from_service_root: bool = False
    """Whether `/People` means the same as `People`, as it does not by RFC 3986."""
    root_segments: frozenset[str] = frozenset()
    """First segments, in any case, that belong to the service root: no URL begins with them."""
    references: Literal["relative", "rooted", "none"] = "relative"
    """How a URL refers to another request: `$1/Orders`; or `/service/$1/Orders`, too; or never."""
    ids_ignore_case: bool = False
    """Whether identifiers that differ in case only are the same."""
    ids_per_change_set: bool = False
    """Whether identifiers start anew in each change set, and are unique there only."""
    references_stay: bool = False
    """Whether a reference leads to an operation of its own change set, and nowhere else."""
    dollar_segments: bool = True
    """Whether a URL may begin with a segment such as `$metadata`, which is no reference."""
    depends_on_members: bool = True
    """Whether what depends on a request of another group names that, too, or the group alone."""
    conditions: bool = True
    """Whether a JSON request may have the member `if`."""
    repeated_fields: bool = True
    """Whether a header field may appear more than once in a message."""
    empty_writes: bool = True
    """Whether POST, PUT and PATCH may have no body."""
    dependencies: Literal["any", "uniform"] = "any"
    """Whether requests depend on any others; or, throughout the batch, none on any, each on the one
    before alone, or all others on one and the same."""
    transactions: Literal["optional", "required", "single"] = "optional"
    """Where writes may be: anywhere; in change sets only; or in one change set that is the whole
    batch and changes no entity twice, while a query is a batch of its own."""
    atomicity_groups: bool = True
    """Whether change sets, or atomicity groups, are executed as one."""
    flat_responses: bool = False
    """Whether the responses to a change set come one after the other, not as a change set."""
    multipart_stops_on_error: bool = True
    """Whether, without the preference, a multipart batch ends at the first error."""
    json_stops_on_error: bool = False
    """Whether, without the preference, a JSON batch ends at the first error."""
    continue_on_error: bool = True
    """Whether the preference of that name is obeyed."""
    preferences: bool = True
    """Whether that preference is defined, so that it is written."""
    may_go_on: bool = False
    """Whether a batch that is to end at the first error may go on all the same."""
    json_responses_in_order: bool = False
    """Whether JSON responses that have no ids come in the order of the requests."""
    snapshot_is_atomic: bool = False
    """Whether a batch that has `Isolation: snapshot` succeeds or fails as a whole."""
    preference_prefix: bool = False
    """Whether the preference is known as `odata.continue-on-error` only."""
    json_bodies: Literal["raw", "structured", "base64", "objects"] = "raw"
    """What bodies are in JSON batches: JSON as it is, the rest as text or base64url; JSON objects
    and arrays only; JSON as base64, too; or JSON objects as they are, and all else as base64."""
    base64_standard_alphabet: bool = False
    """Whether binary bodies are written with + and / in place of - and _, and read so without a
    finding; both alphabets are always read."""
    base64_padding: bool = True
    """Whether binary bodies are written with = at the end."""
    message_type: bool = False
    """Whether parts say `msgtype=request` or `msgtype=response`, as `HttpClient` of .NET wants."""
    severities: tuple[tuple[str, Severity], ...] = ()
    """Rules, or their slugs, whose severity differs from the catalogue's; not of those that are
    fatal. What would not come back as it is is not written in any case."""
    silent: frozenset[str] = frozenset()
    """Rules, or their slugs, of which nothing is said in reading, unless they are fatal."""
    preset: str | None = field(init=False, default=None, compare=False, repr=False)
    """The name of the constant in `odata_batch.dialects`; `None` for a dialect of your own."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is each.default or not each.init:
                continue
            kind: type = {MISSING: str, None: int}.get(each.default, type(each.default))
            of_type(value, kind, each.name)
            known = get_args(each.type)
            known = get_args(known[0]) if kind is frozenset else known if kind is str else ()
            if known and not {*known}.issuperset(value if kind is frozenset else (value,)):
                expected = " or ".join(map(repr, known))
                raise ValueError(f"{each.name} is {expected}, not {value!r:.60}")

    def __repr__(self) -> str:
        if self.preset is not None:
            return self.preset
        given = (each for each in fields(self) if each.init)
        said = ((each, getattr(self, each.name)) for each in given)
        return f"Dialect({', '.join(f'{f.name}={v!r}' for f, v in said if v != f.default)})"


# What it means is said in `odata_batch.dialects`, with the other presets.
ODATA_4_01 = Dialect(name="OData 4.01")
