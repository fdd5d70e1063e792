"""A service of people, made with Starlette and SQLite, whose change sets are transactions."""

import asyncio
import sqlite3
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.server_asgi import BatchMiddleware

TABLE = """CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
           boss INTEGER REFERENCES people DEFERRABLE INITIALLY DEFERRED)"""
SETUP = ("PRAGMA busy_timeout = 30000", "PRAGMA foreign_keys = ON", "BEGIN IMMEDIATE", TABLE)
INSERT = "INSERT INTO people (name, boss) VALUES (?, ?) RETURNING id"
SELECT = "SELECT id, name, boss FROM people WHERE id = coalesce(?, id)"
DELETE = "DELETE FROM people WHERE id = ? RETURNING id"


class Transaction:  # on a connection of its own: change sets may run at the same time
    def __init__(self, database: str) -> None:
        self._inner = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self._inner.row_factory = sqlite3.Row
        for statement in SETUP:
            self.execute(statement)

    def execute(self, statement: str, *values: object) -> list[dict[str, Any]]:
        return [dict(row) for row in self._inner.execute(statement, values)]

    async def commit(self) -> None:
        self.execute("COMMIT")
        self._inner.close()

    async def rollback(self) -> None:
        self._inner.close()  # SQLite rolls back what has not been committed


async def execute(request: Request, statement: str, *values: object) -> list[dict[str, Any]]:
    """Execute in the transaction of the change set, or else in one for this statement."""
    shared: Transaction | None = request.scope.get("odata.transaction")
    if shared is not None:
        return shared.execute(statement, *values)
    own: Transaction = await request.app.state.begin()
    try:
        rows = own.execute(statement, *values)
        await own.commit()
        return rows
    finally:
        await own.rollback()  # after a commit, nothing is left of it


async def people(request: Request) -> Response:
    if request.method == "GET":
        return JSONResponse({"value": await execute(request, SELECT, None)})
    new = await request.json()
    [row] = await execute(request, INSERT, new.get("Name"), new.get("Boss"))
    return JSONResponse(row, 201, {"Location": f"{request.url.path}({row['id']})"})


async def person(request: Request) -> Response:
    statement = DELETE if request.method == "DELETE" else SELECT
    rows = await execute(request, statement, request.path_params["id"])
    return JSONResponse(rows[0]) if rows else Response(status_code=404)


async def conflict(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"code": "409", "message": str(error)}}, 409)


def make_app(database: str = "people.db", **settings: Any) -> BatchMiddleware:
    many = Route("/service/People", people, methods=["GET", "POST"])
    one = Route("/service/People({id:int})", person, methods=["GET", "DELETE"])
    app = Starlette(routes=[many, one], exception_handlers={sqlite3.IntegrityError: conflict})
    app.state.begin = begin = partial(asyncio.to_thread, Transaction, database)
    return BatchMiddleware(app, path="/service/$batch", begin=begin, **settings)
