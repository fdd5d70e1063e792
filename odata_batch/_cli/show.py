"""What `odata-batch show` prints: the tree of a captured batch, and what its URLs mean, as lines.

Functions called `..._lines` yield what is printed, without line ends. Nothing is read or printed
here. Whatever comes from the capture goes through `visible` on its way to a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TypeAlias

from odata_batch import Dialect, Headers, UnresolvedReference, resolve_url
from odata_batch._cli import terminal
from odata_batch._cli.captured import located
from odata_batch._cli.terminal import Options, Paint, count, indented, visible
from odata_batch._graph.expressions import reference_in
from odata_batch._graph.names import Names
from odata_batch._model import values
from odata_batch.capture import Message, parse_message

_Batch: TypeAlias = values.BatchRequest | values.BatchResponse
_Operation: TypeAlias = values.Operation | values.OperationResponse
_Item: TypeAlias = values.RequestItem | values.ResponseItem
Meanings: TypeAlias = Mapping[str, Iterable[str]]
"""What is told of the URLs of operations, by their paths."""

# A quoted line and its indentation fit into 100 columns.
_WIDTH = 92


# -- the batch -----------------------------------------------------------------------------------


def message_lines(
    message: Message, batch: _Batch | None, options: Options, told: Meanings
) -> Iterator[str]:
    """Yield everything that is to be shown of a message but what is wrong with it."""
    paint = options.paint
    yield paint(terminal.BOLD, _heading(message))
    if message.start_line:
        yield f"  {visible(message.start_line)}"
    if options.headers:
        yield from indented(_header_lines(message.headers))
    elif "content-type" in message.headers:
        yield f"  Content-Type: {visible(message.content_type)}"
    if batch is not None:
        yield from indented(_batch_lines(batch, paint))
    if batch is not None and batch.items:
        yield ""
        for index, item in enumerate(batch.items):
            yield from _item_lines(item, f"items[{index}]", options, told)
    elif message.body:
        yield ""
        yield from _body_lines("", message.body, options)
    yield ""


def _heading(message: Message) -> str:
    if not message.content_type:
        return "unknown format"
    if message.media_type != "application/http":
        return f"batch {message.kind}, {_format_of(message.media_type)}"
    inner = parse_message(message.body).media_type
    return f"batch {message.kind}, {_format_of(inner)} in application/http"


def _format_of(media_type: str) -> str:
    if media_type.startswith("multipart/"):
        return "multipart"
    return "JSON" if media_type == "application/json" else "unknown format"


def _batch_lines(batch: _Batch, paint: Paint) -> Iterator[str]:
    """Yield what a batch has beside its items."""
    if isinstance(batch, values.BatchRequest):
        if batch.continue_on_error is not None:
            yield f"continue-on-error: {str(batch.continue_on_error).lower()}"
    else:
        if batch.truncated:
            yield paint(terminal.RED, "truncated: the close delimiter is missing")
        if batch.next_link is not None:
            yield f"next link: {visible(batch.next_link)}"
    yield from _annotation_lines(batch.annotations)


def _item_lines(item: _Item, path: str, options: Options, told: Meanings) -> Iterator[str]:
    yield f"{options.paint(terminal.BOLD, path)}  {_title(item, options.paint)}"
    if isinstance(item, values.CHANGE_SETS):
        for index, member in enumerate(item.items):
            yield from indented(_item_lines(member, f"{path}.items[{index}]", options, told))
    elif isinstance(item, values.Unreadable):
        yield from indented(() if item.id is None else (f"id: {visible(item.id)}",))
    else:
        yield from indented(map(visible, told.get(path, ())))
        yield from indented(_detail_lines(item, options))


def _title(item: _Item, paint: Paint) -> str:
    if isinstance(item, values.Operation):
        return f"{visible(item.method)} {visible(item.url)}"
    if isinstance(item, values.OperationResponse):
        status = f"{item.status} {visible(item.reason or '')}".rstrip(" ")
        return paint(terminal.GREEN if item.status < 400 else terminal.RED, status)
    if isinstance(item, values.Unreadable):
        return paint(terminal.RED, f"{item.kind} that could not be read")
    group = "" if item.id is None else f" {visible(item.id)}"
    noun = "operation" if isinstance(item, values.ChangeSet) else "response"
    return f"change set{group} of {count(len(item.items), noun)}"


def _detail_lines(item: _Operation, options: Options) -> Iterator[str]:
    if item.id is not None:
        yield f"id: {visible(item.id)}"
    if isinstance(item, values.Operation):
        if item.depends_on:
            yield f"dependsOn: {visible(', '.join(item.depends_on))}"
        if item.condition is not None:
            yield f"if: {visible(item.condition)}"
    if options.headers:
        yield from _header_lines(item.headers)
    yield from _annotation_lines(item.annotations)
    yield from _body_lines(item.headers.get("content-type", ""), item.body, options)


def _header_lines(headers: Headers) -> Iterator[str]:
    return (f"{visible(name)}: {visible(value)}" for name, value in headers.pairs)


def _annotation_lines(annotations: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    for name, value in annotations:
        yield f"{visible(name)}: {_beginning(value)} (not defined by the standard)"


def _body_lines(content_type: str, body: bytes, options: Options) -> Iterator[str]:
    if not body:
        return
    kind = f" of {visible(content_type)}" if content_type else ""
    yield f"body: {count(len(body), 'byte')}{kind}"
    lines = body.removesuffix(b"\n").split(b"\n") if options.bodies else ()
    texts = [terminal.visible_line(line) for line in lines]
    yield from (f"  | {text}" for text in texts or (_beginning(body),))


def _beginning(body: bytes) -> str:
    """Return the first line, cut, with dots if there is more."""
    line = body[: 4 * _WIDTH].partition(b"\n")[0]
    text = terminal.visible_line(line)
    is_whole = len(text) <= _WIDTH and len(body) <= len(line) + 1
    return text if is_whole else f"{text[:_WIDTH]} ..."


# -- what URLs mean ------------------------------------------------------------------------------


def meanings(batch: values.BatchRequest, url: str, dialect: Dialect) -> Meanings:
    """Return what the URLs in a batch mean, and what the references that are no URLs lead to.

    `url` is that of the batch; where it is not absolute, only references are told.
    """
    names = Names(batch.items, dialect=dialect)
    paths = [path for path, item in located(batch.items) if isinstance(item, values.Operation)]
    told = {path: dict[str, None]() for path in paths}
    for path, operation in zip(paths, names.operations, strict=True):
        if reference_in(operation.url, dialect) is None:
            host = operation.headers.get("host")
            with suppress(UnresolvedReference, ValueError):
                resolved = resolve_url(operation.url, url, host=host, dialect=dialect)
                told[path] |= {f"-> {resolved}": None} if resolved != operation.url else {}
    for edge in (*names.edges, *names.bindings()):
        what = "nothing in this batch"
        if edge.target is not None:
            what = f"items[{names.item(edge.target)}]"
            if edge.target >= 0:
                operation = names.operations[edge.target]
                what = f"{paths[edge.target]}, {operation.method} {operation.url}"
        told[paths[edge.source]] |= {f"-> {edge.name}: {what}": None}
    return told


def contents_of(batch: _Batch | None) -> str:
    """Return how much a batch contains."""
    if batch is None:
        return "no batch"
    noun = "operation" if isinstance(batch, values.BatchRequest) else "response"
    number = len([*values.leaves(batch.items)])
    change_sets = sum(isinstance(item, values.CHANGE_SETS) for item in batch.items)
    return f"{count(number, noun)}, {count(change_sets, 'change set')}"
