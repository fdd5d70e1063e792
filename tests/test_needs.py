"""What OData.Core 7 and Olingo 4 need, which cannot be run here, by their sources."""

from __future__ import annotations

import json
import re

import pytest

from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Codec,
    Operation,
    OperationResponse,
)

# `ODataBatchUtilities.RESPONSE_PATTERN` of Olingo, which sees the line without space at its ends;
# `ParseResponseLine` of OData.Core wants the same. Without it the whole answer is lost.
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d+) (.+)")


@pytest.mark.parametrize("reason", [None, ""])
def test_no_status_line_ends_in_a_space(reason: str | None) -> None:
    for status in {*range(200, 600)} - {202}:
        response = OperationResponse(status, {"Location": "http://h/s/People(1)"}, reason=reason)
        body = Codec(format="multipart").encode_response(BatchResponse([response])).body
        assert STATUS_LINE.fullmatch(body.splitlines()[4].strip()), status


def test_each_member_of_a_group_has_headers() -> None:
    # `CreateOperationRequestMessageImplementation` of OData.Core, for JSON, adds a field to them.
    request = ChangeSet([Operation.delete("People(1)", id="1")])
    written = json.loads(Codec(format="json").encode_request(BatchRequest([request])).body)
    assert written["requests"][0]["headers"] == {}
    response = ChangeSetResponse([OperationResponse(204, id="1")])
    written = json.loads(Codec(format="json").encode_response(BatchResponse([response])).body)
    assert written["responses"][0]["headers"] == {}
