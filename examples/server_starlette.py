"""A service of people in memory, made with Starlette; one change set is at work at a time.

uvicorn --factory examples.server_starlette:make_app
"""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from odata_batch.asgi import BatchMiddleware


class People:
    """Who is there; nobody else gets at them between `begin` and `commit` or `rollback`."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._people: dict[int, str] = {}
        self._before: dict[int, str] = {}
        self._last = 0

    async def begin(self) -> "People":
        await self._lock.acquire()
        self._before = dict(self._people)
        return self

    def commit(self) -> None:
        self._lock.release()

    def rollback(self) -> None:
        self._people = self._before
        self._lock.release()

    async def create(self, request: Request) -> Response:
        name = (await request.json()).get("Name")
        if not name or name in self._people.values():
            message = "the name is taken" if name else "a person has a name"
            return JSONResponse({"error": {"code": "409", "message": message}}, 409)
        self._last += 1
        self._people[self._last] = name
        location = f"{request.url.path}({self._last})"
        return JSONResponse({"ID": self._last, "Name": name}, 201, {"Location": location})

    async def delete(self, request: Request) -> Response:
        found = self._people.pop(request.path_params["id"], None)
        return Response(status_code=204 if found else 404)

    async def get(self, request: Request) -> Response:
        people = [{"ID": id, "Name": name} for id, name in sorted(self._people.items())]
        return JSONResponse({"value": people})

    async def serve(self, request: Request) -> Response:
        answer = {"GET": self.get, "POST": self.create, "DELETE": self.delete}[request.method]
        if request.scope.get("odata.transaction") is not None:
            return await answer(request)
        async with self._lock:
            return await answer(request)


def make_app(**settings: Any) -> Starlette:
    people = People()
    many = Route("/service/People", people.serve, methods=["GET", "POST"])
    one = Route("/service/People({id:int})", people.serve, methods=["DELETE"])
    app = Starlette(routes=[many, one])
    app.add_middleware(BatchMiddleware, path="/service/$batch", begin=people.begin, **settings)
    return app
