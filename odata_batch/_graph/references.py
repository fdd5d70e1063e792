"""The former names of what `names` and `expressions` have, for those who still use them."""

from __future__ import annotations

from odata_batch._graph.expressions import Reference as Reference
from odata_batch._graph.expressions import bindings_in as bindings_in
from odata_batch._graph.expressions import find_references as find_references
from odata_batch._graph.expressions import references_outside_body as references_outside_body
from odata_batch._graph.names import Edge as Edge
from odata_batch._graph.names import Names
from odata_batch._model.dialect import Dialect, Format
from odata_batch._model.values import BatchRequest
from odata_batch.dialects import ODATA_4_01

Dependencies = Names


def dependencies_of(
    batch: BatchRequest, *, format: Format = "multipart", dialect: Dialect = ODATA_4_01
) -> Names:
    """Return the index of a batch; `format` makes no difference once a batch is prepared."""
    return Names(batch.items, dialect=dialect)
