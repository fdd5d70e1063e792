"""The content view of examples/, in mitmproxy itself."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # mitmproxy calls what its own dependencies have deprecated
    for name in ("mitmproxy.io", "mitmproxy.test.taddons"):
        pytest.importorskip(name, reason="mitmproxy is installed by `make interop` alone")

from mitmproxy import contentviews, http
from mitmproxy.io import FlowWriter
from mitmproxy.test import taddons, tflow

from examples.mitmproxy_view import ODataBatch
from odata_batch import (
    BatchRequest,
    BatchResponse,
    ChangeSet,
    ChangeSetResponse,
    Headers,
    Operation,
    OperationResponse,
    Payload,
    encode_request,
    encode_response,
)

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.interop

ANN = Operation.post("People", json={"Name": "Ann"}, id="1")
BATCH = BatchRequest([Operation.get("People"), ChangeSet([ANN])])
CREATED = OperationResponse(201, {"Location": "https://host/service/People(1)"}, id="1")
ANSWER = BatchResponse(
    [
        OperationResponse(200, {"Content-Type": "image/jpeg"}, b"JFIF\n\xff"),
        ChangeSetResponse([CREATED]),
    ]
)


def flow_of(request: Payload, response: Payload, path: str = "/service/$batch") -> http.HTTPFlow:
    flow: http.HTTPFlow = tflow.tflow(resp=True)
    flow.request = http.Request.make(
        "POST", f"https://host{path}", request.body, octets(request.headers)
    )
    flow.response = http.Response.make(200, response.body, octets(response.headers))
    return flow


def octets(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.pairs]


def shown(message: http.Message | None, flow: http.HTTPFlow) -> contentviews.ContentviewResult:
    assert message is not None
    with taddons.context():
        return contentviews.prettify_message(message, flow)


@pytest.fixture
def flow() -> http.HTTPFlow:
    return flow_of(encode_request(BATCH), encode_response(ANSWER))


def test_mitmproxy_shows_a_batch_request_as_a_tree(flow: http.HTTPFlow) -> None:
    result = shown(flow.request, flow)
    assert (result.view_name, result.syntax_highlight) == ("OData batch", "yaml")
    assert result.text.splitlines() == [
        "items[0]  GET People",
        "items[1]  change set of 1",
        "  items[1].items[0]  POST People",
        "    id: 1",
        "    Content-Type: application/json",
        '      {"Name":"Ann"}',
    ]


def test_mitmproxy_shows_a_batch_response_as_a_tree(flow: http.HTTPFlow) -> None:
    assert shown(flow.response, flow).text.splitlines() == [
        "items[0]  200",
        "  Content-Type: image/jpeg",
        "    JFIF",
        r"    \xff",
        "items[1]  change set of 1",
        "  items[1].items[0]  201",
        "    id: 1",
        "    Location: https://host/service/People(1)",
    ]


def test_mitmproxy_shows_a_json_batch() -> None:
    flow = flow_of(encode_request(BATCH, format="json"), encode_response(ANSWER, format="json"))
    assert shown(flow.request, flow).text.startswith("items[0]  GET People\n")


def test_mitmproxy_shows_what_is_wrong_with_a_batch(flow: http.HTTPFlow) -> None:
    flow.request.content = b"--other--"
    found = "error[no-delimiter] at byte 0: body starts with '--other--', Content-Type says"
    assert found in shown(flow.request, flow).text


@pytest.mark.parametrize("path", ["/service/$batch?x=1", "/service/%24batch"])
def test_mitmproxy_recognises_a_batch_by_its_path(path: str) -> None:
    flow = flow_of(encode_request(BATCH), encode_response(ANSWER), path)
    assert shown(flow.response, flow).view_name == "OData batch"


def test_mitmproxy_shows_other_messages_as_ever() -> None:
    flow = flow_of(
        encode_request(BATCH, format="json"), encode_response(ANSWER, format="json"), "/service"
    )
    assert shown(flow.request, flow).view_name == "JSON"


def test_a_body_without_a_message_is_not_for_the_view() -> None:
    view, metadata = ODataBatch(), contentviews.Metadata()
    assert view.render_priority(b"--b--", metadata) < 0
    with pytest.raises(ValueError, match="nothing says how the body is to be read"):
        view.prettify(b"--b--", metadata)


def test_mitmdump_prints_a_batch_with_the_view(flow: http.HTTPFlow, tmp_path: Path) -> None:
    with (tmp_path / "flows").open("wb") as file:
        FlowWriter(file).add(flow)
    options = ["--no-server", "--rfile", str(tmp_path / "flows"), "--flow-detail", "4"]
    program = Path(sys.executable).with_name("mitmdump")
    command = [str(program), *options, "--set", f"confdir={tmp_path}"]
    command += ["--scripts", str(ROOT / "examples" / "mitmproxy_view.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "items[1].items[0]  POST People" in done.stdout
    assert "items[1].items[0]  201" in done.stdout
