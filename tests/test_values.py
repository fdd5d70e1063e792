"""The value corpora of `spec-fixtures/`, and this package under the runner of them.

`python -m tests.test_values` answers the questions that `spec-fixtures/values.py` asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import odata_batch as ob
from odata_batch.dialects import ODATA_4_01

from . import corpora
from .corpora import CORPUS, Row


def resolved(row: Row) -> object:
    names = ("host", "locations", "service_root")
    options: dict[str, Any] = {name: row[name] for name in names if name in row}
    options["dialect"] = replace(ODATA_4_01, **row.get("options", {}))
    try:
        return {"result": ob.resolve_url(row["url"], row["base"], **options)}
    except ob.UnresolvedReference as error:
        return {"error": "host" if "Host" in str(error) else "unresolved-reference"}


def location(row: Row) -> object:
    response = ob.OperationResponse(row["status"], map(tuple, row["headers"]))
    return {"result": ob.location_of(row["url"], response)}


def within(row: Row) -> object:
    return {"result": ob.is_within(row["url"], row["service_root"])}


def rebased(row: Row) -> object:
    options = {name: row[name] for name in ("url", "source", "target", "form") if name in row}
    try:
        return {"result": ob.rebase_url(**options)}
    except ValueError as error:
        return {"error": "outside" if "is not within" in str(error) else str(error)}


def references(row: Row) -> object:
    body, fields = row.get("body", "").encode(), map(tuple, row.get("headers", ()))
    operation = ob.Operation("POST", row["url"], fields, body, condition=row.get("condition"))
    return {"references": [[each.id, each.place] for each in ob.find_references(operation)]}


def outcomes(row: Row) -> object:
    request = corpora.request(row["request"])
    response = None if row["response"] is None else corpora.response(row["response"])
    result = ob.match(
        request,
        response,
        format=row.get("format"),
        dialect=corpora.dialect(row),
        status=row.get("status"),
        headers=row.get("headers", {}),
        request_headers=row.get("request_headers", {}),
    )
    assert [outcome.operation for outcome in result] == list(request.operations())
    answers = [] if response is None else [id(each) for each in response.responses()]
    told = [
        {
            "state": outcome.state.value,
            "id": outcome.id,
            "answer": None if outcome.response is None else answers.index(id(outcome.response)),
            "matched_by": outcome.matched_by,
            "location": outcome.location,
            "reason": outcome.reason,
        }
        for outcome in result
    ]
    return {"outcomes": [{k: v for k, v in each.items() if v is not None} for each in told]}


def ids(items: tuple[ob.Operation | ob.ChangeSet | ob.Unreadable, ...]) -> list[Any]:
    """Return the identifiers of the operations, those of a change set in a list of their own."""
    return [ids(item.items) if isinstance(item, ob.ChangeSet) else item.id for item in items]


def pieces(row: Row) -> object:
    batch, most = corpora.request(row["batch"]), row.get("max_operations")
    dialect, format = corpora.dialect(row), row["format"]
    try:
        found = ob.split(batch, max_operations=most, format=format, dialect=dialect)
    except ob.EncodeError as error:
        return {"error": corpora.listed(error.diagnostics)}
    return {"pieces": [ids(piece.items) for piece in found]}


def rest(row: Row) -> object:
    batch, dialect, format = corpora.request(row["batch"]), corpora.dialect(row), row["format"]
    results: ob.BatchResult | dict[str, int]
    if "statuses" in row:
        results = row["statuses"]
    else:
        response = None if row["response"] is None else corpora.response(row["response"])
        results = ob.match(
            batch, response, format=format, dialect=dialect, status=row.get("status")
        )
    try:
        rest = ob.remaining(batch, results, format=format, dialect=dialect)
    except ob.UnresolvedReference as error:
        return {"error": str(error)}
    return {"rest": corpora.batch_as_json(rest)}


ROLES: dict[str, tuple[Any, Any, Any]] = {
    "requests": (corpora.request, ob.convert_request, ob.encode_request),
    "responses": (corpora.response, ob.convert_response, ob.encode_response),
}


def converted(role: str) -> Callable[[Row], object]:
    read, convert, encode = ROLES[role]

    def converted(row: Row) -> object:
        source, target, dialect = row["source"], row["target"], corpora.dialect(row)
        try:
            batch = read(row["batch"])
            value, losses = convert(batch, source=source, target=target, dialect=dialect)
        except ob.EncodeError as error:
            return {"error": corpora.listed(error.diagnostics)}
        if source != target:
            encode(value, dialect=dialect)
        return {"value": corpora.batch_as_json(value), "losses": corpora.listed(losses)}

    return converted


ANSWERS: dict[str, Callable[[Row], Any]] = {
    "urls.resolve": resolved,
    "urls.locations": location,
    "urls.within": within,
    "urls.rebase": rebased,
    "urls.references": references,
    "matches.matches": outcomes,
    "plans.split": pieces,
    "plans.remaining": rest,
    "conversions.requests": converted("requests"),
    "conversions.responses": converted("responses"),
}


def rows_of(section: str) -> list[Row]:
    name, _, part = section.partition(".")
    return corpora.rows(name, part)


@pytest.mark.parametrize(
    ("section", "row"),
    [(section, row) for section in ANSWERS for row in rows_of(section)],
    ids=lambda it: it if isinstance(it, str) else corpora.about(it),
)
def test_the_row_says_what_this_package_does(section: str, row: Row) -> None:
    found = ANSWERS[section](row)
    for expected, outcome in zip(row.get("outcomes", ()), found.get("outcomes", ()), strict=True):
        if "reason" not in expected:
            del outcome["reason"]
    assert found == {name: row[name] for name in found}


@pytest.mark.parametrize("section", ANSWERS)
def test_every_row_says_what_it_is_about_in_words_of_its_own(section: str) -> None:
    names = [corpora.about(row) for row in rows_of(section)]
    assert len(names) == len(set(names)) > 10


def test_the_runner_agrees_and_tells_wrong_answers() -> None:
    count = sum(len(rows_of(section)) for section in ANSWERS)
    wrong = ["-c", "for line in open(0): print('{\"error\": 1}')"]
    failing = sum("error" in row for section in ANSWERS for row in rows_of(section))
    for command, counts in ((["-m", "tests.test_values"], (count, 0)), (wrong, (failing, count))):
        run = [sys.executable, str(CORPUS / "values.py"), sys.executable, *command]
        done = subprocess.run(run, cwd=CORPUS.parent, stdout=subprocess.PIPE, text=True)
        right, others = counts
        line = f"{right} as expected, {others - right if others else 0} not, 0 without an answer"
        assert (done.stdout.splitlines()[-1], done.returncode) == (line, int(others > 0))


if __name__ == "__main__":
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(ANSWERS[question["do"]](question)))
