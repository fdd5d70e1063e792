"""What is said once: `Codec`, the format that follows, and what a newcomer gets wrong first."""

from __future__ import annotations

import copy
import inspect
import pickle
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import odata_batch as ob
from odata_batch.dialects import GRAPH, ODATA_2, ODATA_4_01, Dialect

JSON = "application/json"
URL = "https://host/service/$batch"
REQUEST = ob.BatchRequest(
    [ob.Operation.get("People", id="1"), ob.Operation.delete("People(1)", id="2")]
)
RESPONSE = ob.BatchResponse([ob.OperationResponse(404, id="1"), ob.OperationResponse(204, id="2")])
READ_AS_JSON = ob.decode_request(ob.encode_request(REQUEST, format="json").body, JSON)
WIRE = ob.encode_request(REQUEST, boundary="b")
READ_AS_MULTIPART = ob.decode_request(WIRE.body, WIRE.content_type)


# -- which format ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "dialect", "format", "expected", "stops"),
    [
        (REQUEST, ODATA_4_01, None, "multipart", True),
        *((REQUEST, ODATA_4_01, "json", "json", False), (REQUEST, GRAPH, None, "json", False)),
        (REQUEST, ODATA_2, None, "multipart", False),
        (READ_AS_JSON, ODATA_4_01, None, "json", False),
        (READ_AS_JSON, ODATA_4_01, "multipart", "multipart", True),
        (READ_AS_JSON, ODATA_2, None, "multipart", False),
        (READ_AS_MULTIPART, ODATA_4_01, None, "multipart", True),
        (READ_AS_MULTIPART, GRAPH, None, "json", False),
    ],
)
def test_the_format_is_said_or_implied_or_remembered(
    batch: ob.BatchRequest, dialect: Dialect, format: Any, expected: str, stops: bool
) -> None:
    media_type = JSON if expected == "json" else "multipart/mixed"
    codec = ob.Codec(dialect, format=format)
    for payload in (
        ob.encode_request(batch, dialect=dialect, format=format),
        codec.encode_request(batch),
    ):
        assert payload.content_type.partition(";")[0] == media_type
    batch = ob.prepare(batch, dialect=dialect, format=format)
    assert batch == codec.prepare(batch)
    # Where a batch stops at an error, what has no response was not executed.
    short = ob.BatchResponse([ob.OperationResponse(404, id="1")])
    last = ob.State.NOT_EXECUTED if stops else ob.State.UNKNOWN
    for result in (
        ob.match(batch, short, dialect=dialect, format=format),
        codec.match(batch, short),
    ):
        assert [outcome.state for outcome in result] == [ob.State.FAILED, last]
    for execution in (
        ob.Execution(batch, batch_url=URL, dialect=dialect, format=format),
        codec.execution(batch, batch_url=URL),
    ):
        assert len(execution.ready()) == (2 if expected == "json" else 1)


def test_what_was_read_is_written_in_its_format() -> None:
    answer = ob.decode_response(ob.encode_response(RESPONSE, format="json").body, JSON)
    assert ob.encode_response(answer).content_type == JSON
    assert ob.encode_response(pickle.loads(pickle.dumps(answer))).content_type == JSON
    assert ob.encode_response(copy.deepcopy(answer)).content_type == JSON
    assert answer == RESPONSE and answer.format == "json" and RESPONSE.format is None
    report = ob.check_response(b'{"responses":[{"id":"1","status":2000}]}', JSON)
    assert report.value is not None and report.value.format == "json"


def test_the_answer_of_an_execution_is_written_in_the_format_of_its_request() -> None:
    for format in ("multipart", "json"):
        execution = ob.Execution(READ_AS_JSON, batch_url=URL, response_format=format)
        for step in execution.ready():
            assert isinstance(step, ob.Step)
            execution.complete(step, ob.OperationResponse(204))
        kind = JSON if format == "json" else "multipart/mixed"
        assert ob.encode_response(execution.response()).content_type.partition(";")[0] == kind


def test_encoders_take_the_format_of_the_dialect() -> None:
    assert ob.Codec(GRAPH).request_encoder().headers["content-type"] == JSON
    assert ob.Codec(GRAPH).response_encoder().headers["content-type"] == JSON
    assert ob.RequestEncoder(dialect=GRAPH).headers["content-type"] == JSON
    assert ob.ResponseEncoder(dialect=GRAPH).headers["content-type"] == JSON
    multipart = ob.Codec(ODATA_2).request_encoder(boundary="b", continue_on_error=True)
    assert multipart.headers["content-type"] == "multipart/mixed; boundary=b"
    assert "prefer" not in multipart.headers  # it has no such preference, and always goes on


def test_a_batch_that_was_read_is_converted_from_its_format() -> None:
    converted, _ = ob.convert_request(READ_AS_JSON, target="multipart")
    assert converted == ob.Codec(format="json").convert_request(READ_AS_JSON, target="multipart")[0]
    assert ob.convert_request(READ_AS_JSON, target="json") == (READ_AS_JSON, ())
    answer = ob.decode_response(ob.encode_response(RESPONSE, format="json").body, JSON)
    assert ob.convert_response(answer, target="json") == (answer, ())
    assert ob.Codec().convert_response(answer, target="multipart")[0].items == RESPONSE.items


# -- Codec -----------------------------------------------------------------------------------------


def test_a_codec_does_what_the_functions_do() -> None:
    codec = ob.Codec(GRAPH, limits=ob.Limits(operations=2), strict=True)
    payload = codec.encode_request(REQUEST, accept="multipart/mixed")
    assert payload == ob.encode_request(REQUEST, dialect=GRAPH, accept="multipart/mixed")
    body, headers = payload.body, {"OData-Version": "4.01"}
    assert codec.decode_request(body, JSON, headers=headers) == ob.decode_request(body, JSON)
    assert codec.check_request(body, JSON) == ob.check_request(body, JSON, dialect=GRAPH)
    answer = codec.encode_response(RESPONSE).body
    assert codec.decode_response(answer, JSON) == ob.decode_response(answer, JSON)
    assert codec.check_response(answer, JSON, request=REQUEST) == ob.check_response(
        answer, JSON, request=REQUEST, dialect=GRAPH
    )
    pieces = codec.split(
        ob.BatchRequest([ob.Operation.get("A"), ob.Operation.get("B")]), max_operations=1
    )
    assert [len(piece.items) for piece in pieces] == [1, 1]
    again = codec.remaining(REQUEST, {"1": 200, "2": 429})
    assert again.operations() == ob.remaining(REQUEST, {"1": 200, "2": 429}).operations()
    said: list[object] = []
    spaced = b'{"requests":[{"id":"1","method":"GET","url":"A"}],"x":1}'
    assert codec.decode_request(spaced, JSON, report=said.append).annotations
    assert said


def test_a_codec_holds_its_limits_and_its_strictness() -> None:
    codec = ob.Codec(limits=ob.Limits(operations=1), strict=True)
    body = ob.encode_request(REQUEST, format="json").body
    for decoder in (codec.request_decoder(JSON), codec.replace(strict=False).request_decoder(JSON)):
        assert isinstance(decoder, ob.RequestDecoder)
        with pytest.raises(ob.DecodeError) as caught:
            decoder.receive_data(body)
            decoder.receive_eof()
        assert caught.value.rule.slug == "limit-exceeded"
    with pytest.raises(ob.DecodeError) as caught:
        codec.execution(REQUEST, batch_url=URL)
    assert caught.value.rule.slug == "limit-exceeded"
    truncated = b"--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    assert isinstance(codec.response_decoder(JSON), ob.ResponseDecoder)
    with pytest.raises(ob.DecodeError):
        codec.decode_response(truncated, "multipart/mixed; boundary=b")
    assert ob.Codec().decode_response(truncated, "multipart/mixed; boundary=b").truncated


def test_a_codec_is_a_value() -> None:
    codec = ob.Codec(GRAPH, format="json", limits=ob.Limits(operations=5), strict=True)
    others = [
        ob.Codec(format="json", limits=ob.Limits(operations=5), strict=True),
        ob.Codec(GRAPH, limits=ob.Limits(operations=5), strict=True),
        ob.Codec(GRAPH, format="json", strict=True),
        ob.Codec(GRAPH, format="json", limits=ob.Limits(operations=5)),
    ]
    for same in (pickle.loads(pickle.dumps(codec)), copy.copy(codec), copy.deepcopy(codec)):
        assert same == codec and hash(same) == hash(codec)
    assert all(other != codec for other in others) and codec != object()
    assert (codec.dialect, codec.format, codec.limits.operations, codec.strict) == (
        GRAPH,
        "json",
        5,
        True,
    )
    assert codec.replace(strict=False) == others[3] and codec.replace() == codec
    names = vars(ob.dialects) | vars(ob)
    assert eval(repr(codec), dict(names)) == codec
    assert repr(ob.Codec()) == "Codec(ODATA_4_01)"
    with pytest.raises(AttributeError, match="strict cannot be set; see replace"):
        codec.strict = False  # type: ignore[misc]  # that is what is tried
    with pytest.raises(AttributeError, match="strict cannot be deleted"):
        del codec.strict
    with pytest.raises(TypeError):
        codec.replace(name="x")


# -- what a newcomer gets wrong first --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        *(("graph", "GRAPH"), ("azure_tables", "AZURE_TABLES"), ("azure-tables", "AZURE_TABLES")),
        *(("4.0", "ODATA_4_0"), ("ODATA_2", "ODATA_2"), ("nobody", "ODATA_4_01")),
        *((None, "ODATA_4_01"), ("json", 'format="json"')),
    ],
)
def test_the_name_of_a_dialect_is_a_type_error_that_says_what_to_import(
    name: Any, preset: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: ob.Codec(name),
        lambda: ob.decode_request(b"", JSON, dialect=name),
        lambda: ob.check_response(b"", JSON, dialect=name),
        lambda: ob.encode_request(REQUEST, dialect=name),
        lambda: ob.RequestDecoder(JSON, dialect=name),
        lambda: ob.ResponseEncoder(dialect=name),
        lambda: ob.match(REQUEST, None, dialect=name),
        lambda: ob.split(REQUEST, max_operations=1, dialect=name),
        lambda: ob.convert_request(REQUEST, target="json", dialect=name),
        lambda: ob.prepare(REQUEST, dialect=name),
        lambda: ob.Execution(REQUEST, batch_url=URL, dialect=name),
        lambda: ob.find_references(REQUEST.operations()[0], dialect=name),
        lambda: ob.resolve_url("A", URL, dialect=name),
    ]
    for call in calls:
        with pytest.raises(TypeError) as caught:
            call()
        mend = preset if "=" in preset else f"from odata_batch.dialects import {preset}"
        assert str(caught.value) == f"dialect is a Dialect, not {name!r}: {mend}"


# -- what help() and type checkers see -------------------------------------------------------------

CLASSES = [each for name in ob.__all__ if inspect.isclass(each := vars(ob)[name])]


@pytest.mark.parametrize("cls", CLASSES)
def test_a_public_class_is_found_where_users_import_it(cls: type) -> None:
    assert cls.__module__ == "odata_batch"


def test_public_values_cannot_be_changed_and_have_slots() -> None:
    for each in CLASSES:
        params = getattr(each, "__dataclass_params__", None)
        assert params is None or (
            params.frozen and (each is ob.Endpoint or "__slots__" in vars(each))
        )
    start = ob.ChangeSetStart
    assert start("g", "items[0]", 1) == start("g", "items[0]") != start("h", "items[0]")


def test_the_module_says_its_version() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))
    assert ob.__version__ == project["project"]["version"]


@pytest.mark.parametrize("name", [name for name in ob.__all__ if name.islower()])
def test_a_signature_fits_on_a_screen(name: str) -> None:
    signature = inspect.signature(vars(ob)[name])
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    assert len(str(signature)) < 24 * 80
