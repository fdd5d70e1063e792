"""The outcomes of a batch by the HTTP answer to it, whatever that is.

A batch is read as far as possible, and a part with an error makes its operation doubtful. Anything
else, such as an error of the service or the page of a proxy, is the answer to all operations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from odata_batch._client.match import match
from odata_batch._client.outcomes import Answer, BatchResult
from odata_batch._coding.reading import ResponseDecoder, check, doubts
from odata_batch._coding.settings import Settings
from odata_batch._model import values
from odata_batch._model.findings import Report, Severity, Stop
from odata_batch._wire.http import parse_message, parse_status_line
from odata_batch._wire.mediatype import parse_media_type
from odata_batch._wire.mime import (
    BOUNDARY_OF_CHANGE_SET,
    DELIMITER_LOOKALIKE,
    EPILOGUE,
    EPILOGUE_DELIMITER,
    PREAMBLE,
)
from odata_batch._wire.multipart import CONTENT_ID_CONFLICT
from odata_batch._wire.sections import Known, SectionReader

_STATUS = re.compile(r"[1-5][0-9]{2}")
_CUT = values.BatchResponse((), truncated=True)


def read(settings: Settings, answer: values.OperationResponse) -> Answer:
    """Return what an HTTP answer holds."""
    inner = _unwrapped(settings, answer)
    if inner is None:
        return Answer(answer, _CUT)
    return Answer(inner, *_batch_in(settings, inner), inner is not answer)


def outcomes(
    settings: Settings, request: values.BatchRequest, answer: Answer, sent: values.HeadersLike
) -> BatchResult:
    """Return what became of each operation of the batch, which was sent with these headers."""
    message, response, seam, _ = answer
    status, headers = message.status, message.headers
    result = match(settings, request, response, status, headers, sent, seam)
    if response is None:
        # The answer to the batch is that to each operation.
        found = tuple(replace(each, response=message) for each in result.outcomes)
        return BatchResult(found, message)
    return replace(result, answer=replace(message, body=b""))


def completed(
    first: Answer | None, place: values.OperationResponse | None, rest: Answer, *, is_alone: bool
) -> Answer:
    """Return a batch with its rest in place of the response that represented it, if one did.

    If the first answer was not a batch, the result is the rest, which is a batch or a single
    response.
    """
    if first is None or first.response is None:
        return rest
    batch, more = first.response, rest.response
    items: tuple[Any, ...] = () if more is None else more.items
    if is_alone and place is not None:
        items, more = (replace(rest.message, id=place.id),), None
    seam = None  # of the first: after one, nothing is known to be pending
    if more is not None and rest.seam is not None:
        seam = len(batch.items) - (place is not None) + rest.seam
    if place is None:
        items = (*batch.items, *items)
    else:
        items = tuple(_spliced(batch.items, place, items))
    link = None if place is None else batch.next_link
    if more is not None and more.next_link is not None:
        link = more.next_link
    is_cut = batch.truncated or (more is not None and more.truncated)
    whole = values.changed(batch, items=items, next_link=link, truncated=is_cut)
    return Answer(rest.message, whole, seam)


def _spliced(
    items: tuple[Any, ...], place: values.OperationResponse, new: tuple[Any, ...]
) -> Iterator[Any]:
    for item in items:
        if isinstance(item, values.ChangeSetResponse):
            yield replace(item, items=tuple(_spliced(item.items, place, new)))
        elif item is place:
            yield from new
        else:
            yield item


def _media_type(answer: values.OperationResponse) -> str:
    return parse_media_type(answer.headers.get("content-type", "")).name


def _unwrapped(
    settings: Settings, answer: values.OperationResponse
) -> values.OperationResponse | None:
    """Return the answer that a status monitor passes on (OData Protocol, 11.6), or its own.

    `None` if the message that is wrapped cannot be read. Its status and fields count; of the outer
    ones, Retry-After. Without a wrapper the status is in AsyncResult.
    """
    if _media_type(answer) != "application/http":
        result = answer.headers.get("asyncresult", "")
        return replace(answer, status=int(result)) if _STATUS.fullmatch(result) else answer
    with suppress(Stop):
        reader = SectionReader(settings.limits, lambda found: None, Known())
        read = parse_message(answer.body, 0, b"\r\n", reader, parse_status_line)
        if read is not None:
            (status, reason), section, body, _ = read
            delays = [("Retry-After", each) for each in answer.headers.get_all("retry-after")]
            headers = (*section.headers.pairs, *delays)
            return values.OperationResponse(status, headers, body, reason=reason)
    return None


def _batch_in(
    settings: Settings, answer: values.OperationResponse
) -> tuple[values.BatchResponse | None, int | None]:
    """Return the batch that is the answer, its doubtful items as `Unreadable`.

    `None` if it is not a batch. With it comes the item after which a delimiter may be missing.
    """
    content_type, name = answer.headers.get("content-type", ""), _media_type(answer)
    if not name.startswith("multipart/") and name != "application/json":
        return None, None
    report: Report[values.BatchResponse] = check(
        ResponseDecoder, settings, answer.body, content_type, ()
    )
    rules = {found.rule for found in report.diagnostics}
    if any("no-batch" in rule.tags for rule in rules):
        return None, None
    if report.value is None:
        return _CUT, None
    errors = doubts(report.diagnostics, settings.dialect)
    if settings.strict:
        errors = [each for each in report.diagnostics if each.severity > Severity.NOTE]
    errors += [each for each in report.diagnostics if each.rule == CONTENT_ID_CONFLICT]
    doubtful = {each.path.removesuffix(".headers") for each in errors}

    def without_doubtful(item: values.Item, path: str) -> values.Item:
        if path not in doubtful or isinstance(item, values.Unreadable):
            return item
        # Its identifier may be what is wrong.
        return values.Unreadable("response", position=item.position)

    items = values.rebuilt(report.value.items, without_doubtful)
    # What comes after the end may be parts, and what comes before the beginning, too.
    is_cut = report.value.truncated or not {EPILOGUE, EPILOGUE_DELIMITER}.isdisjoint(rules)
    response = values.changed(report.value, items=items, truncated=is_cut)
    seams = [-1] if PREAMBLE in rules else []
    seams += [
        index
        for index, item in enumerate(items)
        if any(b"application/http" in leaf.body for leaf in values.leaves((item,)))
    ]
    for found in report.diagnostics:
        if "seam" in found.rule.tags and found.path:
            seams.append(int(found.path.partition("[")[2].partition("]")[0]))
        elif found.rule in (DELIMITER_LOOKALIKE, BOUNDARY_OF_CHANGE_SET):
            seams.append(-1)  # where the first part should begin, or where nothing comes any more
    return response, min(seams, default=None) if response.format == "multipart" else None
