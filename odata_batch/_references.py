"""References to other requests of the same batch: OData Protocol, 11.7.4.

A URL reference is a dollar sign and a request identifier, as the whole first segment of a relative
URL. `$10` does not refer to `1`, and the names of system resources come before identifiers.
"""

from __future__ import annotations

from odata_batch import _grammar as grammar

# OData Protocol, 11.7.4: resources directly under the service root, without their dollar sign
SYSTEM_RESOURCES = frozenset(("all", "batch", "crossjoin", "entity", "id", "metadata", "root"))

# OData Protocol, 11.7.6: the literals that expressions begin with in the same way
EXPRESSION_LITERALS = frozenset(("it", "root", "this"))


def referenced_id(url: str) -> str | None:
    """Return the identifier that the URL begins with, or `None` if it begins with none.

    >>> referenced_id("$1/Orders"), referenced_id("$10(1)"), referenced_id("$metadata")
    ('1', '10', None)
    """
    if not url.startswith("$"):
        return None
    match = grammar.DOLLAR_SEGMENT.match(url)
    name = match[1] if match else ""
    return None if not name or name in SYSTEM_RESOURCES else name


def is_batch_resource(url: str) -> bool:
    """Tell whether the last path segment of the URL is `$batch`.

    >>> is_batch_resource("http://host/service/$batch?$format=json"), is_batch_resource("$batches")
    (True, False)
    """
    return "batch" in url and grammar.BATCH_RESOURCE.fullmatch(url) is not None
