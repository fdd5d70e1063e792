"""A content view for mitmproxy 12: a batch as a tree, and below it what is wrong with it.

mitmproxy -s examples/mitmproxy_view.py
"""

from collections.abc import Iterator
from urllib.parse import unquote

from mitmproxy import contentviews, http

from odata_batch import (
    ChangeSet,
    ChangeSetResponse,
    Operation,
    OperationResponse,
    Unreadable,
    check_request,
    check_response,
)


class ODataBatch(contentviews.Contentview):
    """Shows what is posted to `$batch`, and how it is answered."""

    name = "OData batch"
    syntax_highlight = "yaml"

    def prettify(self, data: bytes, metadata: contentviews.Metadata) -> str:
        if metadata.http_message is None:
            raise ValueError("nothing says how the body is to be read")
        content_type = metadata.http_message.headers.get("Content-Type", "")
        is_response = isinstance(metadata.http_message, http.Response)
        report = (check_response if is_response else check_request)(data, content_type)
        items = () if report.value is None else report.value.items
        tree = (
            line for index, item in enumerate(items) for line in _lines(item, f"items[{index}]")
        )
        return "\n".join((*tree, "", *map(str, report.diagnostics)))

    def render_priority(self, data: bytes, metadata: contentviews.Metadata) -> float:
        if not isinstance(metadata.flow, http.HTTPFlow):
            return -1
        path = unquote(metadata.flow.request.path.partition("?")[0])
        is_batch = metadata.content_type in ("multipart/mixed", "application/json")
        return 2 if is_batch and path.endswith("/$batch") else -1


def _lines(
    item: Operation | OperationResponse | ChangeSet | ChangeSetResponse | Unreadable, path: str
) -> Iterator[str]:
    if isinstance(item, ChangeSet | ChangeSetResponse):
        yield f"{path}  change set of {len(item.items)}"
        for index, member in enumerate(item.items):
            yield from (f"  {line}" for line in _lines(member, f"{path}.items[{index}]"))
        return
    if isinstance(item, Unreadable):
        yield f"{path}  {item.kind} that could not be read"
        return
    head = f"{item.method} {item.url}" if isinstance(item, Operation) else str(item.status)
    yield f"{path}  {head}"
    if item.id is not None:
        yield f"  id: {item.id}"
    yield from (f"  {name}: {value}" for name, value in item.headers.pairs)
    yield from (
        f"    {line}" for line in item.body.decode("utf-8", "backslashreplace").splitlines()
    )


contentviews.add(ODataBatch)
